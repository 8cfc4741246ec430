"""Quality of units: for each measure all units in one order, with intervals and what chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._results._quality import MEANING
from consilience.plots._labels import label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import BEST, FAINT, INK, MUTED, PALETTE, dress, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

    from consilience._results import Quality

_COLUMNS = 4
_LOG = ("firing_rate", "tuning_snr", "trace_snr")
_FEW_DOTS = 400
_TO_ONE = ("reliability", "split_half", "explainable_variance")  # at most 1, and without end below
_LEAST = -1.0  # of these: lower values stand at the edge
_EVERY = 60  # units: of so many all intervals are shown whole where that flattens nothing


def plot_quality(quality: Quality, ax: Axes | None = None, *, measures: object = None) -> Axes:
    """Draws one small panel per measure: all units (dots) with intervals (lines), in all panels in the order of the
    first measure's values; open where the false discovery rate q is above 0.05, dashed: the mean of chance over units.
    A triangle at the edge: the interval goes on beyond it. Reliabilities below -1 stand there as large triangles.

    ``ax`` becomes an empty frame below them, with the key.

    Parameters
    ----------
    measures : which; by default all.
    """
    who = "plot_quality"
    check_is(quality, "Quality", who)
    shown = pick_names(quality.data, "measure", measures, who)
    columns = min(_COLUMNS if len(shown) <= 3 * _COLUMNS else _COLUMNS + 1, len(shown))
    with style():
        ax, places, below = panel_places(
            ax,
            len(shown),
            columns,
            panel=(2.1, 1.75) if len(shown) > 1 else (4.2, 1.75),  # as wide as the key
            frame=(0.4, 0.6),
            key=0.12,
            key_first=False,
            gaps=((0.08, 0.05), (0.7, 0.45)),
            who=who,
        )
        ax.set_subplotspec(below)  # the frame becomes the row of the key
        units = names(quality.data, "unit")
        first = str(shown[0])
        order = np.argsort(quality.data["value"].sel(measure=first).values, kind="stable")  # NaN last
        by = f"units, by {MEANING.get(first, (first,))[0]}" if len(shown) > 1 else "units, sorted"
        _key(ax, quality.data.sel(measure=list(shown)))
        for k, name in enumerate(shown):
            panel = ax.figure.add_subplot(places[k])
            _panel(panel, quality, str(name), units, order, by if k + columns >= len(shown) else "")
    return ax


def _key(ax: Axes, data: Dataset) -> None:
    """What dots, lines and triangles are, below the panels."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": "none", "color": PALETTE[0]}
    shown = []
    if np.isfinite(data["q"].values).any():
        shown += [
            Line2D([], [], label="q at most 0.05, or no test", **dot),
            Line2D([], [], label="q above 0.05", markerfacecolor="white", **dot),
        ]
    if np.isfinite(data["ci_low"].values).any():
        shown.append(Line2D([], [], color=FAINT, linewidth=1.6, label="interval (triangle: goes on)"))
    if np.isfinite(data["null_mean"].values).any():
        shown.append(Line2D([], [], color=BEST, linewidth=0.9, linestyle="--", label="chance, mean"))
    if (data["value"].where(data["measure"].isin(_TO_ONE)) < _LEAST).any():
        edge: dict[str, Any] = {"marker": "v", "markersize": 5, "linestyle": "none", "color": PALETTE[0]}
        shown.append(Line2D([], [], label=f"below \u2212{-_LEAST:g}", markerfacecolor="white", **edge))
    if shown:
        ax.legend(
            handles=shown,
            loc="center",
            ncols=len(shown) if len(data["measure"]) > 3 else 2,
            fontsize=8,
        )


def _panel(ax: Axes, quality: Quality, name: str, units: list[object], order: np.ndarray, by: str) -> None:
    at = quality.data.sel(measure=name)
    value, low, high, null, q = (
        np.asarray(at[key].values, dtype=np.float64)
        for key in ("value", "ci_low", "ci_high", "null_mean", "q")
    )
    x = np.flatnonzero(np.isfinite(value[order]))  # a unit stands at one place in all panels
    ax.set_xlim(-0.5 - 0.02 * order.size, order.size - 0.5 + 0.02 * order.size)
    order = order[x]
    words, unit, _ = MEANING.get(name, (name, "", ""))
    dress(ax, grid="y")
    ax.set_title(words, fontsize=9, pad=4)
    if by:
        ax.set_xlabel(by, fontsize=8)
    if unit:
        ax.set_ylabel(unit, fontsize=8)
    ax.set_xticks([])
    if not order.size:
        ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", color=MUTED, fontsize=8)
        ax.set_yticks([])
        return
    ax.vlines(x, low[order], high[order], color=FAINT, linewidth=max(0.5, min(1.6, 60 / order.size)))
    sure = q[order] <= 0.05
    tested = np.isfinite(q[order]).any()
    size = 12 if order.size <= 60 else 5
    fill = np.where(sure | ~tested, PALETTE[0], "white")
    least = _LEAST if name in _TO_ONE else -np.inf
    at_edge = value[order] < least
    shown = np.maximum(value[order], least)
    if order.size <= _FEW_DOTS:
        for k, u in enumerate(order):
            marker, wide = ("v", 2 * size) if at_edge[k] else ("o", size)
            dot = ax.scatter(
                x[k],
                shown[k],
                s=wide,
                marker=marker,
                color=fill[k],
                edgecolor=PALETTE[0],
                linewidth=0.6,
                zorder=5 if at_edge[k] else 3,
                clip_on=not at_edge[k],
            )
            ends = f" [{number(low[u], 3)}, {number(high[u], 3)}]" if np.isfinite(low[u]) else ""
            tip(dot, f"{label(units[u], 60)}\n{number(value[u], 3)}{ends}")
    else:
        for some, marker in ((~at_edge, "o"), (at_edge, "v")):
            ax.scatter(
                x[some],
                shown[some],
                s=size,
                marker=marker,
                color=fill[some].tolist(),
                edgecolor=PALETTE[0],
                linewidth=0.4,
                zorder=3,
            )
    if np.isfinite(null).any():
        ax.axhline(float(np.nanmean(null)), color=BEST, linewidth=0.9, linestyle="--", zorder=2)
    if name in _LOG and (value[order] > 0).all():
        _decades(ax, value[order])
    else:
        _limits(ax, shown, low[order], high[order], null, least)
        _go_on(ax, x, low[order], high[order])
    ax.tick_params(colors=INK, labelsize=7)


def _decades(ax: Axes, value: np.ndarray) -> None:
    """A log scale with few, plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_yscale("log")
    wide = value.max() > 30 * value.min()
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=8))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _limits(
    ax: Axes, value: np.ndarray, low: np.ndarray, high: np.ndarray, null: np.ndarray, least: float
) -> None:
    """Room for all values and the intervals, not below ``least``; of many units very wide ones do not flatten the
    others.
    """
    ends = [float(value.min()), float(value.max())]
    if np.isfinite(null).any():
        chance = float(np.nanmean(null))
        ends.append(max(chance, least))
        if chance < least:
            below = f"chance, mean: {number(chance, 2)}"
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.9}
            ax.text(0.98, 0.17, below, transform=ax.transAxes, color=BEST, fontsize=7, ha="right", bbox=box)
    span = max(ends) - min(ends) or 1.0
    bottom, top = min(ends), max(ends)
    rare = 0.0 if value.size <= _EVERY else 0.05
    for end, share in ((low, rare), (high, 1 - rare)):
        known = end[np.isfinite(end)]
        if known.size:
            edge = float(np.quantile(known, share))
            bottom, top = min(bottom, max(edge, bottom - 2 * span)), max(top, min(edge, top + 2 * span))
    bottom = max(bottom, least)
    room = 0.06 * (top - bottom or 1.0)
    ax.set_ylim(bottom - room, top + room)


def _go_on(ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """A triangle where an interval ends beyond the edge."""
    bottom, top = ax.get_ylim()
    for beyond, edge, marker in ((low < bottom, bottom, "v"), (high > top, top, "^")):
        if beyond.any():
            ax.scatter(
                x[beyond],
                np.full(beyond.sum(), edge),
                s=10,
                marker=marker,
                color=FAINT,
                clip_on=False,
                zorder=4,
            )
