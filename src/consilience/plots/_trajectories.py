"""Trajectories of a population: latents over time, a line for each condition, in two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._condition_colors import colors_of
from consilience.plots._reduction_parts import color_key, component_name, picked, row_labels
from consilience.plots._style import FAINT, GRID, INK, MUTED, PAPER, dress, figure, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_MOST = 60  # lines


def plot_trajectories(
    reduction: Reduction,
    ax: Axes | None = None,
    *,
    components: Sequence[int | str] | None = None,
    color: Any = None,
    period: float | None = None,
    times: Sequence[float] | None = None,
) -> Axes:
    """Draws latents over time against each other: means of conditions, or, where there are none, single trials.

    An open circle is the start of each line, a filled one its end, small dots the ``times``; time 0, if inside, is a
    diamond. Share of variance is in the names of the axes.

    Parameters
    ----------
    ax : for three components one with ``projection="3d"``.   components : two or three numbers or names; the first two.
    color : label by which lines are coloured, or one value for each line; the first label.
    period : of a label that is an angle (2 pi, 360): colours go round.   times : (s) that are marked.
    """
    who = "plot_trajectories"
    shown = picked(reduction, components, 2, who)
    if len(shown) not in (2, 3):
        raise InputError(f"{who}: give 2 or 3 components, got {len(shown)}.", code="bad-parameter")
    lines, labels, time = _lines(reduction, who)
    lines = lines[..., shown]
    colors = colors_of(labels, len(lines), by=color, period=period, who=who)
    solid = len(shown) == 3
    with style():
        if solid and ax is None:
            ax = figure(5.9, 4.4).add_subplot(projection="3d")
        elif solid and not hasattr(ax, "get_zlim"):
            raise InputError(
                f"{who}: three components need an axis of add_subplot(projection='3d').", code="bad-parameter"
            )
        else:
            ax = own_axes(ax, 5.0, 4.0)
        zero = int(np.abs(time).argmin()) if time[0] < 0 < time[-1] else None
        many = len(lines) > 12
        size = 0.45 if many else 1.0  # of marks, in parts of that of a few lines
        marks = [int(np.abs(time - t).argmin()) for t in (times or ())]
        for line, c in zip(lines[:_MOST], colors.each):
            known = np.isfinite(line).all(axis=1)
            path = line[known]
            if not len(path):
                continue
            at = tuple(path.T)
            ax.plot(
                *at,
                color=c,
                linewidth=1.5 if len(lines) <= 20 else 0.9,
                alpha=0.95 if len(lines) <= 20 else 0.7,
            )
            _mark(ax, path[0], facecolor=PAPER, edgecolor=c, s=22 * size, marker="o")
            _mark(ax, path[-1], facecolor=c, edgecolor=PAPER, s=26 * size, marker="o")
            if zero is not None and known[zero]:
                _mark(ax, line[zero], facecolor=c, edgecolor=c if many else INK, s=26 * size, marker="D")
            for m in marks:
                if known[m]:
                    _mark(ax, line[m], facecolor=c, edgecolor=c, s=8, marker="o")
        _axes(ax, reduction, shown)
        color_key(ax, colors, beside=1.14 if solid else 1.01)
        words = "start ○   end ●"
        if zero is not None:
            words += f"   {_at(float(time[zero]))} {reduction.latents.attrs.get('time_units', 's')} ◆"
        place: dict[str, Any] = {"transform": ax.transAxes, "fontsize": 8, "color": MUTED}
        if solid:
            drawn: Any = ax
            drawn.text2D(0.0, 0.98, words, va="top", **place)
        else:
            ax.text(1, 1.01, words, ha="right", va="bottom", **place)
        if len(lines) > _MOST:
            ax.set_title(f"{_MOST} of {len(lines)} lines")
    return ax


def _at(time: float) -> str:
    return f"{0.0 if abs(time) < 1e-9 else time:.3g}".replace("-", "−")


def _mark(ax: Any, point: np.ndarray, *, facecolor: Any, edgecolor: Any, s: float, marker: str) -> None:
    where = [[v] for v in point]
    ax.scatter(
        *where, s=s, facecolor=[facecolor], edgecolor=[edgecolor], linewidth=1.0, marker=marker, zorder=5
    )


def _lines(reduction: Reduction, who: str) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    z = reduction.latents
    if "time" not in z.dims:
        raise InputError(f"{who}: the latents have no time; draw them with plot_latents.", code="bad-dims")
    time = np.asarray(
        z["time"].values if "time" in z.coords else np.arange(z.sizes["time"]), dtype=np.float64
    )
    if reduction.conditions is not None:
        c = reduction.conditions
        return c["mean"].values, row_labels(c, "condition"), time
    if "trial" not in z.dims:
        return z.values[None], {}, time
    labels = {
        k: v for k, v in row_labels(z, "trial").items() if k != "stimulus" or np.unique(v).size < len(v)
    }
    return z.values, labels, time


def _axes(ax: Any, reduction: Reduction, shown: list[int]) -> None:
    ax.set_xlabel(component_name(reduction, shown[0]))
    ax.set_ylabel(component_name(reduction, shown[1]))
    if len(shown) == 2:
        dress(ax, grid="both")
        ax.set_aspect("equal", adjustable="datalim")
        return
    ax.set_zlabel(component_name(reduction, shown[2]))
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
        axis._axinfo["grid"].update(color=GRID, linewidth=0.6)
        axis.line.set_color(FAINT)
        axis.label.set_color(MUTED)
        axis.set_major_locator(_few())
    ax.tick_params(color=FAINT, labelcolor=MUTED, labelsize=7, pad=0)
    ax.set_box_aspect((1, 1, 0.85), zoom=0.9)


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)
