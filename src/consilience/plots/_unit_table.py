"""Tuning and selectivity: corrected values of all units, sorted, with floor and chance; and what each is tuned to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience._results._unit_table import TUNING, untuned_value
from consilience.plots._labels import label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, pick_measure, pick_names
from consilience.plots._style import BEST, FAINT, INK, MUTED, PALETTE, dress, style, tip, values_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import UnitTable

_COLUMNS = 3
_MOST_PANELS = 6
_FEW_DOTS = 400
_MOST_ROWS = 40
_MOST_SYSTEMS = 30


def plot_unit_table(
    table: UnitTable, ax: Axes | None = None, *, measures: object = None, curves: bool = True, most: int = 40
) -> Axes:
    """Draws a panel per measure: corrected values of all units, sorted, with intervals; filled where q is at most 0.05.
    Small crosses: the value as published. Dashed: the mean of the untuned floor; dotted: without tuning. Below, with
    ``curves``, the tuning of the units that are highest in the first measure, each over its own highest mean.

    Of several systems (layers): per measure the medians of each system, corrected (dots, with the middle half of its
    units), as published (crosses) and of the floor (dashes).

    Parameters
    ----------
    measures : which; by default the first 6.   curves : draw the tuning too.   most : units in it.
    """
    who = "plot_unit_table"
    check_is(table, "UnitTable", who)
    shown = [str(name) for name in pick_names(table.data, "measure", measures, who)]
    if measures is None:
        shown = shown[:_MOST_PANELS]
    if not isinstance(curves, (bool, np.bool_)):
        raise InputError(f"{who}: curves must be True or False, got {curves!r}.", code="bad-parameter")
    most = check_count(most, name="most", who=who, minimum=1)
    systems = table._systems()
    one = len(systems) == 1
    columns = min(_COLUMNS, len(shown))
    with style():
        ax, places, rest = panel_places(
            ax,
            len(shown),
            columns,
            panel=(2.7, 2.0) if len(shown) > 1 else (4.6, 2.2),
            frame=(0.5, 3.4 if curves and one else 0.7),
            key=1.7 if curves and one else 0.15,
            key_first=False,
            gaps=((0.06, 0.05), (0.6, 0.35)),
            who=who,
        )
        for k, name in enumerate(shown):
            panel = ax.figure.add_subplot(places[k])
            dress(panel)
            panel.set_title(TUNING[name][0], fontsize=9, pad=4)
            if one:
                _units(panel, table, name)
            else:
                _systems(panel, table, name, systems, k + columns >= len(shown))
        below = ax.figure.add_subplot(rest)
        if curves and one:
            inner = rest.subgridspec(2, 1, height_ratios=(0.12, 1.0), hspace=0.02)
            below.remove()
            _key(ax.figure.add_subplot(inner[0]), table, one=one)
            _tuning(ax.figure.add_subplot(inner[1]), table, shown[0], most)
        else:
            _key(below, table, one=one)
    return ax


def _fields(table: UnitTable, name: str) -> dict[str, np.ndarray]:
    at = table.data.sel(measure=name)
    return {
        key: np.asarray(at[key].values, dtype=np.float64)
        for key in ("value", "corrected", "ci_low", "ci_high", "floor", "q")
    }


def _units(ax: Axes, table: UnitTable, name: str) -> None:
    of = _fields(table, name)
    order = np.argsort(of["corrected"], kind="stable")
    order = order[np.isfinite(of["corrected"][order])]
    ax.set_xticks([])
    ax.set_xlabel("units, sorted", fontsize=8)
    ax.axhline(untuned_value(name), color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    if not order.size:
        ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", color=MUTED, fontsize=8)
        ax.set_yticks([])
        return
    x, value = np.arange(order.size), of["corrected"][order]
    low, high, raw = (of[key][order] for key in ("ci_low", "ci_high", "value"))
    q = of["q"][order]
    size = 12 if order.size <= 60 else 5
    fill = np.where((q <= 0.05) | ~np.isfinite(q), PALETTE[0], "white")
    thin = 0.35 if order.size > _FEW_DOTS else 1.0  # of so many the lines become an area
    ax.vlines(x, low, high, color=FAINT, alpha=thin, linewidth=max(0.4, min(1.6, 60 / order.size)), zorder=2)
    ax.scatter(x, raw, s=0.8 * size, marker="x", color=MUTED, linewidth=0.5, zorder=2, alpha=0.8)
    if order.size <= _FEW_DOTS:
        names = table.data["unit"].values
        for k, u in enumerate(order):
            dot = ax.scatter(
                x[k], value[k], s=size, color=fill[k], edgecolor=PALETTE[0], linewidth=0.6, zorder=3
            )
            told = f"corrected {number(value[k], 3)} [{number(low[k], 3)}, {number(high[k], 3)}]"
            told += f", raw {number(raw[k], 3)}"
            tip(dot, f"{label(names[u], 60)}\n{told}")
    else:
        ax.scatter(x, value, s=size, color=fill.tolist(), edgecolor=PALETTE[0], linewidth=0.3, zorder=3)
    if np.isfinite(of["floor"]).any():
        ax.axhline(float(np.nanmean(of["floor"])), color=BEST, linewidth=0.9, linestyle="--", zorder=4)
    ax.set_xlim(-0.5 - 0.02 * order.size, order.size - 0.5 + 0.02 * order.size)
    _limits(ax, value, raw, low, high)


def _limits(ax: Axes, value: np.ndarray, raw: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Room for all values; of intervals, for most."""
    known = np.concatenate([value, raw[np.isfinite(raw)], [min(ax.dataLim.y0, value.min())]])
    some = np.isfinite(low) & np.isfinite(high)
    ends = [known.min(), known.max()]
    if some.any():
        span = max(ends[1] - ends[0], 1e-9)
        ends[0] = min(ends[0], max(float(np.quantile(low[some], 0.05)), ends[0] - span))
        ends[1] = max(ends[1], min(float(np.quantile(high[some], 0.95)), ends[1] + span))
    room = 0.06 * (ends[1] - ends[0] or 1.0)
    ax.set_ylim(ends[0] - room, ends[1] + room)


def _systems(
    ax: Axes, table: UnitTable, name: str, systems: list[tuple[str, np.ndarray]], named: bool
) -> None:
    of = _fields(table, name)
    ax.axhline(untuned_value(name), color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    for k, (system, at) in enumerate(systems):
        part = {key: v[at][np.isfinite(of["corrected"][at])] for key, v in of.items()}
        if not part["corrected"].size:
            continue
        low, middle, high = np.quantile(part["corrected"], [0.25, 0.5, 0.75])
        ax.vlines(k, low, high, color=PALETTE[0], linewidth=2.2, alpha=0.35, zorder=2)
        dot = ax.scatter(k, middle, s=22, color=PALETTE[0], zorder=4)
        tip(dot, f"{label(system, 60)}\nmedian corrected {number(middle, 3)}")
        ax.scatter(k, np.median(part["value"]), s=20, marker="x", color=MUTED, linewidth=1.0, zorder=3)
        if np.isfinite(part["floor"]).any():
            ax.hlines(
                np.nanmedian(part["floor"]),
                k - 0.35,
                k + 0.35,
                color=BEST,
                linewidth=1.2,
                linestyle="-",
                zorder=3,
            )
    ax.set_xlim(-0.6, len(systems) - 0.4)
    if named:
        step = max(1, -(-len(systems) // _MOST_SYSTEMS))
        ax.set_xticks(np.arange(0, len(systems), step))
        words = [label(system, 22) for system, _ in systems[::step]]
        ax.set_xticklabels(
            words, rotation=45 if len(words) > 3 else 0, ha="right" if len(words) > 3 else "center"
        )
        ax.tick_params(axis="x", labelsize=7)
    else:
        ax.set_xticks([])


def _key(ax: Axes, table: UnitTable, *, one: bool) -> None:
    from matplotlib.lines import Line2D

    ax.set_axis_off()
    dot: dict[str, Any] = {"marker": "o", "markersize": 4, "linestyle": "none", "color": PALETTE[0]}
    cross = Line2D([], [], marker="x", markersize=4, linestyle="none", color=MUTED, label="as published")
    floor = Line2D([], [], color=BEST, linewidth=1.0, linestyle="--" if one else "-", label="untuned floor")
    if one:
        shown = [
            Line2D([], [], label="corrected, q at most 0.05", **dot),
            Line2D([], [], label="q above 0.05", markerfacecolor="white", **dot),
        ]
    else:
        shown = [Line2D([], [], label="corrected: median, middle half of units", **dot)]
    there = np.isfinite(table.data["floor"].values).any()
    shown += [
        cross,
        *([floor] if there else []),
        Line2D([], [], color=FAINT, linestyle=":", label="without tuning"),
    ]
    ax.legend(
        handles=shown, loc="center", ncols=len(shown), fontsize=7.5, columnspacing=1.2, handletextpad=0.5
    )


def _tuning(ax: Axes, table: UnitTable, name: str, most: int) -> None:
    """Mean responses of the highest units, each over its own highest."""
    values = _fields(table, pick_measure(table.data, name, "plot_unit_table"))["corrected"]
    order = np.argsort(-values, kind="stable")
    order = order[np.isfinite(values[order])][:most]
    means = np.asarray(table.curves["mean"].values, dtype=np.float64)[:, order].T
    conditions = table.curves["condition"].values
    if not order.size:
        ax.set_axis_off()
        return
    signed = bool((means < 0).any())
    low = means.min(axis=1, keepdims=True) if signed else np.zeros((order.size, 1))
    span = means.max(axis=1, keepdims=True) - low
    picture = (means - low) / np.where(span > 0, span, 1.0)
    rows = np.argsort(picture.argmax(axis=1), kind="stable")
    image = ax.imshow(
        picture[rows], aspect="auto", cmap=values_map(), vmin=0, vmax=1, interpolation="nearest"
    )
    dress(ax, grid="", spines=())
    step = max(1, -(-conditions.size // 24))
    ax.set_xticks(np.arange(0, conditions.size, step))
    words = [number(c, 3) if isinstance(c, float) else label(c, 14) for c in conditions[::step].tolist()]
    turned = sum(map(len, words)) > 60
    ax.set_xticklabels(words, rotation=60 if turned else 0, ha="right" if turned else "center", fontsize=7)
    ax.set_yticks([])
    units = table.data.sizes["unit"]
    which = f"{order.size} of {units} units" if order.size < units else f"{units} units"
    ax.set_ylabel(f"{which}\nby preferred", fontsize=8, color=MUTED)
    ax.set_title(f"tuning of the highest in {TUNING[name][0]}", fontsize=9, pad=4)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.025, pad=0.01, ticks=[0, 1])
    bar.ax.set_yticklabels(["lowest" if signed else "0", "highest"], fontsize=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, colors=INK)
