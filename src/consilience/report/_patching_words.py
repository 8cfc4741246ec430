"""What patches say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import ALPHA, name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_interchange", "of_patching", "of_robustness"]


def of_patching(result: Any) -> tuple[str, ...]:
    s, frame = result.settings, result.to_frame()
    into = (
        "the clean into the corrupted" if s.get("direction") == "denoise" else "the corrupted into the clean"
    )
    gap = [float(s.get(key, np.nan)) for key in ("gap", "gap_low", "gap_high")]
    said = [
        f"Activations of {into} run of {name_of(s.get('system'))} were put over in "
        f"{plural(result.pairs.sizes['pair'], 'pair')}, one place at a time; clean and corrupted runs differ by "
        f"{number(gap[0])}{span(gap[1], gap[2], percent(result))} in {name_of(s.get('score'))}."
    ]
    known = frame[frame["effect"].notna()]
    if len(known):
        top = known.loc[known["effect"].abs().idxmax()]
        name = ", ".join(
            f"{dim} {name_of(top[dim])}" for dim in ("layer", "place", "part") if str(top[dim]) != "all"
        )
        said.append(
            f"Most goes through {name}: {100 * float(top['effect']):.0f} % of the difference"
            f"{span(top['ci_low'], top['ci_high'], percent(result))}."
        )
    p = frame["p_family"].to_numpy()
    if np.isfinite(p).any():
        said.append(
            f"{int((p <= ALPHA).sum())} of {int(np.isfinite(p).sum())} patches do more than nothing, and more than "
            f"patches from other runs of the same condition (p over all at most {ALPHA:g})."
        )
    said.append("Effects of patches need not add up to 1.")
    return tuple(said)


def of_robustness(result: Any) -> tuple[str, ...]:
    s, layers = result.settings, result.layers
    chance = s.get("chance")
    known = f", chance is {number(float(chance))}" if chance is not None else ""
    said = [
        f"Noise was put into {plural(layers.sizes['layer'], 'layer')} of {name_of(s.get('system'))}, one at a time; "
        f"the intact network scores {number(float(s.get('intact', np.nan)))} ({name_of(s.get('score'))}){known}."
    ]
    half = layers["half_level"].values
    names = layers["layer"].values.tolist()
    if np.isfinite(half).any():
        least = int(np.nanargmin(half))
        said.append(
            f"Half of what is above chance is lost first in {name_of(names[least])}, at level "
            f"{number(float(half[least]))}"
            f"{_up_to(layers.isel(layer=least), float(result.data['level'].max()), percent(result))}."
        )
    if np.isinf(half).any():
        never = int(np.isinf(half).sum())
        said.append(f"In {plural(never, 'layer')} half is not lost within the levels.")
    if chance is not None and np.isnan(half).all():
        said.append(
            "It is not above chance with certainty, so that there is nothing to halve: no half level is known."
        )
    p = result.differences["p_family"].values
    p = p[np.triu_indices(len(p), 1)]
    if np.isfinite(p).any():
        said.append(
            f"{int((p <= ALPHA).sum())} of {int(np.isfinite(p).sum())} pairs of layers differ in area (p over "
            f"all at most {ALPHA:g})."
        )
    return tuple(said)


def _up_to(layer: Any, most: float, level: str) -> str:
    """The interval of a half level; its end may be beyond the highest level."""
    low, high = float(layer["half_low"]), float(layer["half_high"])
    if np.isfinite(low) and np.isinf(high):
        return f" ({level} interval {number(low)} to more than {number(most)}, the highest level)"
    return span(low, high, level)


def of_interchange(result: Any) -> tuple[str, ...]:
    s, frame = result.settings, result.to_frame()
    said = [
        f"Units of layer {name_of(s.get('layer'))} of {name_of(s.get('system'))} that stand for "
        f"{plural(len(frame), 'variable')} were set to their values for another stimulus, in "
        f"{plural(int(s.get('n_pairs', 0)), 'pair')}."
    ]
    for row in frame.head(6).to_dict("records"):
        chance = (
            f", random parts {number(row['random_mean'])} (p {number(row['p'])})"
            if np.isfinite(row["p"])
            else ""
        )
        said.append(
            f"{name_of(row['variable'])}: {100 * row['accuracy']:.0f} % of answers are as expected"
            f"{span(row['ci_low'], row['ci_high'], percent(result))}; without patch {number(row['unpatched'])}{chance}."
        )
    return tuple(said)
