"""What subspaces and the geometry of conditions say, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.report._phrases import name_of, percent, span

__all__ = ["of_geometry", "of_subspaces"]

_MOST = 12


def of_subspaces(result: Any) -> tuple[str, ...]:
    names = result.data["of"].values.tolist()
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
        text += f" (1 is the ceiling; below it with p = {p:.2g})"
        if np.isfinite(float(d["null_mean"])):
            text += (
                f", random subspaces with the covariance of both {float(d['null_mean']):.2f} (p "
                f"{float(d['p_aligned']):.2g} for more, {float(d['p_orthogonal']):.2g} for less)"
            )
        said.append(text + ".")
    a = result.angles
    said.append(
        f"Principal angles between halves are {_degrees(a['value'])} degrees, and between halves of the same responses "
        f"{_degrees(a['ceiling'])}: what is wider than the latter is not noise."
    )
    return tuple(said)


def of_geometry(result: Any) -> tuple[str, ...]:
    level, said = percent(result), []
    frame = result.to_frame()
    several = result.data.sizes["system"] > 1
    for row in frame.head(_MOST).itertuples():
        one = result.data.sel(measure=row.measure)
        text = f"{name_of(row.system)}, " if several else ""
        text += f"{one['words'].item()}" + (f" of {name_of(row.of)}" if row.of != "all" else "")
        text += f": {row.value:.3g}{span(row.ci_low, row.ci_high, level) if np.isfinite(row.ci_low) else ''}"
        if np.isfinite(row.null_mean):
            text += f", {one['null'].item()} {row.null_mean:.3g}"
            text += f" (p = {row.p:.2g})" if np.isfinite(row.p) else ""
        if row.note:
            text += f"; {'found for ' if '|' in row.note else ''}{row.note}" if len(row.note) < 80 else ""
        said.append(text + ".")
    if len(frame) > _MOST:
        said.append(f"{len(frame) - _MOST} further numbers are in the table.")
    for measure in result.data["measure"].values.tolist():
        one = result.data.sel(measure=measure)
        said.append(f"High {one['words'].item()}: {one['higher'].item()}.")
    return tuple(said)


def _degrees(values: Any) -> str:
    shown = [f"{v:.0f}" for v in values.values[:6].tolist()]
    return ", ".join(shown) + (" ..." if values.size > 6 else "")
