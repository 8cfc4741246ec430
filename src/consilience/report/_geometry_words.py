"""What subspaces and the geometry of conditions say, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import probability
from consilience.plots._subspaces import side_name
from consilience.report._phrases import ALPHA, name_of, percent, significant, span, upper

__all__ = ["of_geometry", "of_subspaces"]

_MOST = 8  # values of a measure; of more the first, the highest and the last


def of_subspaces(result: Any) -> tuple[str, ...]:
    names = [side_name(result, name) for name in result.data["of"].values.tolist()]
    level = percent(result)
    said = []
    for side, name in enumerate(names):
        d = result.data.isel(of=side)
        value, low, high = (float(d[key]) for key in ("value", "ci_low", "ci_high"))
        text = (
            f"The {result.k} leading dimensions of {name_of(names[1 - side])} hold {value:.2f}"
            f"{span(low, high, level)} of the variance that {name_of(name)} has in its own"
        )
        p = float(d["p_ceiling"])
        text += f" (1 is the ceiling; {probability(p)} for less than that)"
        if np.isfinite(float(d["null_mean"])):
            text += (
                f"; random subspaces with the covariance of both hold {float(d['null_mean']):.2f} "
                f"({probability(float(d['p_aligned']))} for more than that, "
                f"{probability(float(d['p_orthogonal']))} for less)"
            )
        said.append(text + ".")
    a = result.angles
    said.append(
        f"Principal angles between halves are {_degrees(a['value'])} degrees, and between halves of the same responses "
        f"{_degrees(a['ceiling'])}: what is wider than the latter is not noise."
    )
    return tuple(said)


def of_geometry(result: Any) -> tuple[str, ...]:
    """For each measure the values, system by system, what a high one says, and what the null is."""
    level, said = percent(result), []
    frame = result.to_frame()
    several = result.data.sizes["system"] > 1
    for measure in result.data["measure"].values.tolist():
        rows = frame[frame["measure"] == measure]
        if not len(rows):
            continue
        one = result.data.sel(measure=measure)
        many = len(rows) > _MOST
        ends = rows.loc[sorted({rows.index[0], rows["value"].idxmax(), rows.index[-1]})] if many else rows
        parts = [_part(row, level, several, brief=many) for row in ends.itertuples()]
        if many:
            parts.append(f"{len(rows) - len(parts)} more in the table")
            if np.isfinite(rows["p"]).any():
                parts.append(f"p at most 0.05 in {int((rows['p'] <= ALPHA).sum())} of {len(rows)}")
        text = f"{upper(one['words'].item())}: {'; '.join(parts)}. High: {one['higher'].item()}"
        if np.isfinite(rows["null_mean"]).any():
            level_of = _same(rows["null_mean"]) if np.isnan(rows["null_low"]).all() else float("nan")
            text += f"; null: {one['null'].item()}"
            text += f" ({significant(level_of)})" if np.isfinite(level_of) else ""
        said.append(text + ".")
        if "gain" in rows:
            said.append(_gained(rows, one["words"].item(), result, level))
    return tuple(said)


def _gained(rows: Any, words: str, result: Any, level: str) -> str:
    """What one measure is beyond that of baseline copies: the greatest change, and how many differ from none."""
    seeds, several = result.baselines.sizes["seed"], result.data.sizes["system"] > 1
    copies = f"{seeds} baseline copies" if seeds > 1 else "the one baseline copy"
    known = rows[np.isfinite(rows["gain"])]
    if not len(known):
        return f"Gain in {words} over {copies}: none could be had."
    sure = known[np.isfinite(known["gain_low"])]
    shown = sure if len(sure) else known
    top = shown.loc[shown["gain"].abs().idxmax()]
    where = [*([name_of(top.system)] if several else []), *([name_of(top.of)] if top.of != "all" else [])]
    text = f"Gain in {words} over {copies}: {', '.join(where)}".rstrip()
    text += f" {significant(top.gain)} ({significant(top.value)} against {significant(top.baseline)}"
    if len(sure):
        text += f"; {span(top.gain_low, top.gain_high, level, show=significant)[2:-1]}"
    text += ")"
    if len(shown) > 1:
        text += f", the largest of {len(shown)}"
        if len(sure):
            more, less = int((sure["gain_low"] > 0).sum()), int((sure["gain_high"] < 0).sum())
            text += f"; the interval lies above 0 in {more} of them, below in {less}"
    return text + "."


def _part(row: Any, level: str, several: bool, *, brief: bool = False) -> str:
    """brief : the value and its interval alone."""
    where = [*([name_of(row.system)] if several else []), *([name_of(row.of)] if row.of != "all" else [])]
    text = f"{', '.join(where)} {significant(row.value)}".strip()
    inside = []
    if np.isfinite(row.ci_low):
        inside.append(span(row.ci_low, row.ci_high, level, show=significant)[2:-1])
    if np.isfinite(row.null_low) and not brief:
        inside.append(f"null {significant(row.null_low)} to {significant(row.null_high)}")
    if np.isfinite(row.p) and not brief:
        inside.append(probability(row.p))
    if row.note and len(row.note) < 80 and not brief:
        inside.append(f"{'found for ' if '|' in row.note else ''}{row.note}")
    return text + (f" ({', '.join(inside)})" if inside else "")


def _same(values: Any) -> float:
    """The value that all have, such as chance; else NaN."""
    seen = {float(v) for v in values}
    return seen.pop() if len(seen) == 1 else float("nan")


def _degrees(values: Any) -> str:
    shown = [f"{v:.0f}" for v in values.values[:6].tolist()]
    return ", ".join(shown) + (" ..." if values.size > 6 else "")
