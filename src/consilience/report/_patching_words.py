"""What patches say."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import ALPHA, name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_patching"]


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
