"""Tuning of a unit: a polar curve with its interval, and a map of rate over place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience.plots._labels import label
from consilience.plots._style import (
    FAINT,
    GRID,
    INK,
    MUTED,
    PALETTE,
    dress,
    own_axes,
    style,
    tip,
    values_map,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience.units import RateMaps

_TURN = 2 * np.pi


def plot_polar(
    rate: Any,
    ax: Axes | None = None,
    *,
    low: Any = None,
    high: Any = None,
    at: Any = None,
    period: float = _TURN,
    preferred: float | None = None,
    largest: float | None = None,
    color: str = PALETTE[0],
    title: str | None = None,
    unit: str = "spikes/s",
) -> Axes:
    """Draws a rate (n,) over an angle around a circle, 0 to the right and on against the clock, in a plain axis.

    low, high : (n,) ends of its interval.   at : (n,) angles, of which ``period`` is a turn; None = middles of n equal
    bins.   preferred : direction of a line.   largest : rate of the outer circle, to draw several alike.
    """
    r = _numbers(rate, "rate", "plot_polar", 1)
    n = len(r)
    ends = [
        None if end is None else _numbers(end, name, "plot_polar", 1)
        for name, end in (("low", low), ("high", high))
    ]
    angle = (np.arange(n) + 0.5) / n * period if at is None else np.asarray(at, dtype=float)
    if angle.shape != (n,) or any(end is not None and end.shape != (n,) for end in ends):
        raise InputError(
            f"plot_polar: at, low and high must have the shape of rate, ({n},).", code="bad-parameter"
        )
    order = np.argsort(np.mod(angle, period))
    turn = np.mod(angle, period)[order] * _TURN / period
    tops = [np.nanmax(v) for v in (r, *(e for e in ends if e is not None)) if np.isfinite(v).any()]
    top = max([float(largest)] if largest is not None else [*map(float, tops), 1e-12])
    rings = _rings(top)
    with style():
        ax = own_axes(ax, 3.0, 3.0)
        dress(ax, grid="", spines=())
        ax.set(xticks=[], yticks=[], aspect="equal")
        circle = np.linspace(0, _TURN, 181)
        for ring in rings:
            ax.plot(ring * np.cos(circle), ring * np.sin(circle), color=GRID, linewidth=0.8, zorder=0)
        edge = rings[-1]
        for k in range(4):
            cos, sin = np.cos(k * _TURN / 4), np.sin(k * _TURN / 4)
            ax.plot([0, edge * cos], [0, edge * sin], color=GRID, linewidth=0.8, zorder=0)
            words = _quarter(k, period)
            ax.text(
                1.1 * edge * cos, 1.1 * edge * sin, words, ha="center", va="center", color=MUTED, fontsize=7
            )
        ax.text(
            rings[-1] * np.cos(np.pi / 4) * 1.02,
            rings[-1] * np.sin(np.pi / 4) * 1.04,
            f"{rings[-1]:g} {unit}",
            ha="left",
            va="bottom",
            color=MUTED,
            fontsize=7,
        )
        if ends[0] is not None and ends[1] is not None:
            inner, outer = (np.clip(end[order], 0, edge) for end in ends if end is not None)
            x = np.concatenate([_closed(outer * np.cos(turn)), _closed(inner * np.cos(turn))[::-1]])
            y = np.concatenate([_closed(outer * np.sin(turn)), _closed(inner * np.sin(turn))[::-1]])
            ax.fill(x, y, color=color, alpha=0.2, linewidth=0)
        value = r[order]
        (line,) = ax.plot(
            _closed(value * np.cos(turn)), _closed(value * np.sin(turn)), color=color, linewidth=1.8
        )
        tip(line, f"{title or 'unit'}: up to {np.nanmax(value):.3g} {unit}")
        if preferred is not None and np.isfinite(preferred):
            way = preferred * _TURN / period
            ax.plot(
                [0, edge * np.cos(way)],
                [0, edge * np.sin(way)],
                color=INK,
                linewidth=1.0,
                linestyle=(0, (4, 3)),
            )
        ax.set_xlim(-1.25 * edge, 1.25 * edge)
        ax.set_ylim(-1.25 * edge, 1.25 * edge)
        if title is not None:
            ax.set_title(label(title, 40))
    return ax


def plot_rate_map(
    rate: Any,
    ax: Axes | None = None,
    *,
    edges: Sequence[Any] | None = None,
    largest: float | None = None,
    outlines: Any = None,
    title: str | None = None,
    xlabel: str = "",
    ylabel: str = "",
    bar: bool = True,
    unit: str = "spikes/s",
    which: int | None = None,
) -> Axes:
    """Draws a map of rate (a, b), its first dimension to the right and the second upwards; NaN (not visited) is empty.

    rate : (a, b), or `cs.units.RateMaps` of two dimensions, with its edges and ``which`` of its units.
    edges : of the bins in both dimensions, as `cs.units.RateMaps` has them; None = numbers of bins.   largest : top of
    the colours.   outlines : (a, b) numbers of fields, 0 = none: their borders are drawn.   bar : with a colour bar.
    """
    from consilience.units import RateMaps  # loads scipy.stats

    if isinstance(rate, RateMaps):
        edges = rate.edges if edges is None else edges
        rate = _one_of(rate, which)
    values = _numbers(rate, "rate", "plot_rate_map", 2)
    a, b = values.shape
    sides = (
        [np.arange(n + 1) - 0.5 for n in (a, b)] if edges is None else [np.asarray(e, float) for e in edges]
    )
    if len(sides) != 2 or [s.shape for s in sides] != [(a + 1,), (b + 1,)]:
        raise InputError(
            f"plot_rate_map: edges must be of {a + 1} and {b + 1} values, as rate has {a} x {b} bins.",
            code="bad-parameter",
        )
    known = values[np.isfinite(values)]
    top = float(largest) if largest is not None else float(known.max()) if known.size else 1.0
    with style():
        ax = own_axes(ax, 3.6, 3.0)
        dress(ax, grid="", spines=())
        image = ax.pcolormesh(
            sides[0],
            sides[1],
            np.ma.masked_invalid(values.T),
            cmap=_map(),
            vmin=0,
            vmax=top or 1.0,
            rasterized=True,
        )
        tip(image, f"{title or 'unit'}: up to {top:.3g} {unit}")
        if outlines is not None:
            _outline(ax, np.asarray(outlines), sides)
        ax.set_aspect("equal" if edges is not None and _alike(sides) else "auto")
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
        if title is not None:
            ax.set_title(label(title, 40))
        if bar:
            beside = ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.03)
            beside.outline.set_visible(False)
            beside.ax.tick_params(color=FAINT, labelcolor=MUTED, labelsize=7, length=2)
            beside.set_label(unit, color=MUTED, fontsize=8)
    return ax


def _one_of(maps: RateMaps, which: int | None) -> np.ndarray:
    units, dims = len(maps.rate), maps.rate.ndim - 1
    if dims != 2:
        raise InputError(
            f"plot_rate_map: the RateMaps has {dims} dimensions of position, and a map has two; draw a curve, "
            "maps.rate[0] over maps.centres[0], with plot_polar (angles) or matplotlib.",
            code="bad-parameter",
        )
    if which is None and units > 1:
        raise InputError(
            f"plot_rate_map: the RateMaps has {units} units; which=0 to {units - 1} says the one to draw.",
            code="bad-parameter",
        )
    number = check_count(0 if which is None else which, name="which", who="plot_rate_map", maximum=units - 1)
    return np.asarray(maps.rate[number])


def _map() -> Any:
    return values_map().with_extremes(bad="none")


def _alike(sides: Sequence[np.ndarray]) -> bool:
    """Both dimensions look like lengths of one room."""
    long, short = sorted((np.ptp(side) for side in sides), reverse=True)
    return bool(short > 0.2 * long)


def _outline(ax: Axes, fields: np.ndarray, sides: Sequence[np.ndarray]) -> None:
    """The border of every field, along the edges of its bins."""
    from matplotlib.collections import LineCollection

    x, y = sides
    padded = np.pad(fields, 1)
    lines = []
    for i, j in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        lines.append([(x[i], y[j]), (x[i], y[j + 1])])
    for i, j in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):
        lines.append([(x[i], y[j]), (x[i + 1], y[j])])
    ax.add_collection(LineCollection(lines, colors=PALETTE[1], linewidths=1.6))


def _numbers(values: Any, name: str, who: str, ndim: int) -> np.ndarray:
    out = np.asarray(values, dtype=float)
    if out.ndim != ndim or not out.size:
        raise InputError(
            f"{who}: {name} must have {ndim} dimension{'s'[: ndim - 1]} (one unit), got {out.shape}.",
            code="bad-parameter",
        )
    return out


def _quarter(k: int, period: float) -> str:
    """The angle k / 4 of a turn around: degrees of radians and of 180 or 360, else a plain number."""
    if period in (_TURN, _TURN / 2):
        return f"{np.degrees(period) * k / 4:g}\N{DEGREE SIGN}"
    return f"{period * k / 4:g}" + ("\N{DEGREE SIGN}" if period in (180, 360) else "")


def _closed(values: np.ndarray) -> np.ndarray:
    return np.append(values, values[:1])


def _rings(top: float) -> np.ndarray:
    """Two round rates of circles, the outer at or above ``top``."""
    scale = 10.0 ** np.floor(np.log10(max(top, 1e-12)))
    outer = scale * min(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * scale >= top * (1 - 1e-9))
    return np.array([outer / 2, outer])
