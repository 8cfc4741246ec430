"""What a geometry of conditions is beyond baseline copies: the copies beside the systems, and panels of the gain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._along_systems import Runs, curve, name_systems, places_of, runs_of
from consilience.plots._labels import label, number
from consilience.plots._marks import untrained_dots
from consilience.plots._style import FAINT, MUTED, PAPER, dress, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

    from consilience._results import Geometry

__all__ = ["copies_curves", "copies_dots", "gain_curves", "gain_dots", "handles_of_gain"]

_TITLE = "gain over baseline"


def copies_dots(ax: Axes, baselines: Dataset | None, measure: str, rows: list[tuple[str, str]]) -> None:
    """A light dot for each copy, in the row of its system."""
    if baselines is None:
        return
    for y, (name, of) in enumerate(rows):
        untrained_dots(
            ax, baselines["value"].sel(measure=measure, system=name, of=of).values, y, "baseline copy"
        )


def copies_curves(
    ax: Axes, x: np.ndarray, runs: Runs, baselines: Dataset | None, measure: str, of: str
) -> None:
    """A light line for each copy."""
    if baselines is None:
        return
    for values in baselines["value"].sel(measure=measure, of=of).transpose("seed", "system").values:
        for _, places in runs:
            own = slice(places[0], places[-1] + 1)
            ax.plot(x[own], values[own], color=FAINT, linewidth=1.1, marker="o", markersize=2, zorder=2.5)


def gain_dots(ax: Axes, at: Dataset, rows: list[tuple[str, str]], color: Mapping[str, Any]) -> None:
    """In the rows of the panel beside it, whose names it shares."""
    dress(ax, grid="x", spines=("bottom",))
    ax.axvline(0, color=MUTED, linewidth=1, zorder=1.5)
    for y, (name, of) in enumerate(rows):
        one = at.sel(system=name, of=of)
        low, high = float(one["gain_low"]), float(one["gain_high"])
        if np.isfinite(low):
            ax.plot([low, high], [y, y], color=color[of], linewidth=2.4, solid_capstyle="butt", zorder=3)
        _dot(ax, float(one["gain"]), y, name, of, one, color[of], 6)
    ax.locator_params(axis="x", nbins=5)
    ax.set_yticks(range(len(rows)), [""] * len(rows))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_title(_TITLE, fontsize=9, pad=4)


def gain_curves(ax: Axes, at: Dataset, systems: list[str], color: Mapping[str, Any]) -> None:
    dress(ax, grid="y")
    runs = runs_of(systems)
    x = places_of(runs)
    ax.axhline(0, color=MUTED, linewidth=1, zorder=1.5)
    for of in at["of"].values.tolist():
        one = at.sel(of=of)
        if not np.isfinite(one["gain"].values).any():
            continue
        nothing = np.full(len(systems), np.nan)
        table = {
            "value": one["gain"].values,
            "ci_low": one["gain_low"].values,
            "ci_high": one["gain_high"].values,
        }
        curve(ax, x, runs, {**table, "null_low": nothing, "null_high": nothing}, color[str(of)])
        for k, name in enumerate(systems):
            _dot(ax, x[k], table["value"][k], name, str(of), one.isel(system=k), color[str(of)], 4.5)
    name_systems(ax, systems, x, runs)
    ax.set_title(_TITLE, fontsize=9, pad=4)


def _dot(ax: Axes, x: float, y: float, name: str, of: str, one: Dataset, color: Any, size: float) -> None:
    """Open where the interval holds 0, or there is none."""
    value, low, high = (float(one[key]) for key in ("gain", "gain_low", "gain_high"))
    fill = color if low > 0 or high < 0 else "white"
    (dot,) = ax.plot([x], [y], "o", color=color, markerfacecolor=fill, markersize=size, zorder=5)
    if fill != "white":
        dot.set_markeredgecolor(PAPER)
    text = f"{label(name, 40)}, {of}\ngain {number(value, 3)}"
    tip(dot, text + (f" [{number(low, 3)}, {number(high, 3)}]" if np.isfinite(low) else ""))


def handles_of_gain(result: Geometry) -> list[Any]:
    """What the key says of copies and of the gain; nothing without them."""
    from matplotlib.lines import Line2D

    if "gain" not in result.data:
        return []
    dot: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": MUTED, "markersize": 5}
    out = [Line2D([], [], marker="o", markersize=3.5, linewidth=1.1, color=FAINT, label="baseline copy")]
    if np.isfinite(result.data["gain_low"].values).any():
        out.append(
            Line2D([], [], label="gain whose interval holds 0, or is lacking", markerfacecolor="white", **dot)
        )
    return out
