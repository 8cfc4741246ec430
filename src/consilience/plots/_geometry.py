"""Geometry of conditions: dots with interval and null for each system, or curves along layers; gain over copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._along_systems import curve, name_systems, places_of, runs_of
from consilience.plots._geometry_gain import (
    copies_curves,
    copies_dots,
    gain_curves,
    gain_dots,
    handles_of_gain,
)
from consilience.plots._labels import label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import BAND, INK, MUTED, PALETTE, PAPER, dress, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

    from consilience._results import Geometry

_CURVES = 5  # systems from which on they stand along an axis
_COLUMNS = 3


def plot_geometry(result: Geometry, ax: Axes | None = None, *, measures: object = None) -> Axes:
    """Draws one panel per measure: each system and label (dot, line: interval), and chance (grey). Open dots:
    p above 0.05.

    Of 5 systems or more, such as layers, a line for each label runs along them, with its interval and its null. With
    a baseline each copy is drawn in light grey, and beside each panel stands the gain over them with its interval,
    open where that holds 0 or is lacking.

    ``ax`` becomes an empty frame below them, with the key.

    Parameters
    ----------
    measures : which; by default all.
    """
    who = "plot_geometry"
    check_is(result, "Geometry", who)
    shown = [str(name) for name in pick_names(result.data, "measure", measures, who)]
    systems = [str(name) for name in names(result.data, "system")]
    along = len(systems) >= _CURVES
    gains = "gain" in result.data
    columns = min(_COLUMNS, len(shown)) if not gains else 2 * min(_COLUMNS - 1, len(shown))
    most = max(len(_rows(result, m, systems)) for m in shown)
    with style():
        ax, places, below = panel_places(
            ax,
            len(shown) * (1 + gains),
            columns,
            panel=(2.6 if gains else 3.0 if along else 3.3, 2.5 if along else max(1.5, 0.75 + 0.3 * most)),
            frame=(0.3, 0.35),
            key=0.14,
            key_first=False,
            gaps=((0.12, 0.06), (0.7, 0.45)),
            who=who,
        )
        ax.set_subplotspec(below)
        for place, name in zip(places[:: 1 + gains], shown, strict=True):
            panel = ax.figure.add_subplot(place)
            (_curves if along else _dots)(panel, result, name, systems)
        for place, name in zip(places[1::2] if gains else (), shown if gains else (), strict=True):
            panel, at, color = ax.figure.add_subplot(place), result.data.sel(measure=name), _colors(result)
            if along:
                gain_curves(panel, at, systems, color)
            else:
                gain_dots(panel, at, _rows(result, name, systems), color)
        _key(ax, result, shown, along)
    return ax


def _rows(result: Geometry, measure: str, systems: list[str]) -> list[tuple[str, str]]:
    """(system, of) that have a value."""
    at = result.data["value"].sel(measure=measure)
    return [
        (name, str(of))
        for of in result.data["of"].values.tolist()
        for name in systems
        if np.isfinite(float(at.sel(system=name, of=of)))
    ]


def _colors(result: Geometry) -> dict[str, str]:
    return {str(of): PALETTE[i % len(PALETTE)] for i, of in enumerate(result.data["of"].values.tolist())}


def _dots(ax: Axes, result: Geometry, measure: str, systems: list[str]) -> None:
    rows, color = _rows(result, measure, systems), _colors(result)
    at = result.data.sel(measure=measure)
    dress(ax, grid="x", spines=("bottom",))
    ax.use_sticky_edges = False  # else the axis ends where the null does, which then seems to run off it
    for y, (name, of) in enumerate(rows):
        one = at.sel(system=name, of=of)
        value, low, high, null_low, null_high, p = (
            float(one[key]) for key in ("value", "ci_low", "ci_high", "null_low", "null_high", "p")
        )
        if np.isfinite(null_low):
            ax.barh(y, max(null_high - null_low, 1e-3), left=null_low, height=0.66, color=BAND, zorder=1)
        if np.isfinite(low):
            ax.plot([low, high], [y, y], color=color[of], linewidth=2.4, solid_capstyle="butt", zorder=3)
        fill = "white" if np.isfinite(p) and p > 0.05 else color[of]
        (dot,) = ax.plot([value], [y], "o", color=color[of], markerfacecolor=fill, markersize=6, zorder=5)
        if fill != "white":
            dot.set_markeredgecolor(PAPER)
        tip(dot, _tip(name, of, one))
    copies_dots(ax, result.baselines, measure, rows)
    _chance(ax, at, upright=True)
    ax.locator_params(axis="x", nbins=6)
    several = len(systems) > 1
    texts = [(f"{label(name, 18)}, {label(of, 12)}" if several else label(of, 20)) for name, of in rows]
    ax.set_yticks(range(len(rows)), texts)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8)
    ax.set_title(str(at["words"].item()), fontsize=9, pad=4)
    _within(ax, at, rows)
    if ax.get_xlim()[1] - ax.get_xlim()[0] < 1e-6:
        ax.set_xlim(ax.get_xlim()[0] - 0.5, ax.get_xlim()[1] + 0.5)


def _within(ax: Axes, at: Dataset, rows: list[tuple[str, str]]) -> None:
    """Keeps the axis near the ends of the measure's range; a triangle where an interval goes on."""
    ends = float(at["low"]), float(at["top"])
    if not rows or not np.isfinite(ends).all():
        return
    room = 0.08 * (ends[1] - ends[0])
    null = [(float(o["null_low"]), float(o["null_high"])) for o in (at.sel(system=n, of=k) for n, k in rows)]
    lows, tops = ([v for v in side if np.isfinite(v)] for side in zip(*null, strict=True))
    left = max(ax.get_xlim()[0], min([ends[0], *lows]) - room)
    right = min(ax.get_xlim()[1], max([ends[1], *tops]) + room)
    ax.set_xlim(left, right)
    color = MUTED
    for y, (name, of) in enumerate(rows):
        one = at.sel(system=name, of=of)
        for key, edge, marker in (("ci_low", left, "<"), ("ci_high", right, ">")):
            beyond = float(one[key]) < left if marker == "<" else float(one[key]) > right
            if beyond:
                ax.plot([edge], [y], marker, color=color, markersize=5, clip_on=False, zorder=6)


def _curves(ax: Axes, result: Geometry, measure: str, systems: list[str]) -> None:
    at, color = result.data.sel(measure=measure), _colors(result)
    dress(ax, grid="y")
    runs = runs_of(systems)
    x = places_of(runs)
    for of in result.data["of"].values.tolist():
        one = at.sel(of=of)
        value = one["value"].values
        if not np.isfinite(value).any():
            continue
        keys = ("value", "null_low", "null_high", "ci_low", "ci_high")
        curve(ax, x, runs, {key: one[key].values for key in keys}, color[str(of)])
        copies_curves(ax, x, runs, result.baselines, measure, of)
        _chance(ax, one)
        for k, v in enumerate(value):
            p = float(one["p"].values[k])
            fill = "white" if np.isfinite(p) and p > 0.05 else color[str(of)]
            (dot,) = ax.plot(
                [x[k]], [v], "o", color=color[str(of)], markerfacecolor=fill, markersize=4.5, zorder=4
            )
            tip(dot, _tip(systems[k], str(of), one.isel(system=k)))
    name_systems(ax, systems, x, runs)
    ax.set_title(str(at["words"].item()), fontsize=9, pad=4)


def _chance(ax: Axes, one: Dataset, *, upright: bool = False) -> None:
    """A dotted line at the chance level of a measure that has no null of its own."""
    levels = one["null_mean"].values[np.isnan(one["null_low"].values) & np.isfinite(one["null_mean"].values)]
    if levels.size and np.ptp(levels) < 1e-12:
        draw = ax.axvline if upright else ax.axhline
        draw(float(levels[0]), color=MUTED, linewidth=1, linestyle=":", zorder=1.5)


def _tip(name: str, of: str, one: Dataset) -> str:
    text = f"{label(name, 40)}, {of}\n{number(float(one['value']), 3)}"
    if np.isfinite(float(one["ci_low"])):
        text += f" [{number(float(one['ci_low']), 3)}, {number(float(one['ci_high']), 3)}]"
    if np.isfinite(float(one["p"])):
        text += f", p {number(float(one['p']), 2)}"
    return text


def _key(ax: Axes, result: Geometry, shown: list[str], along: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    at = result.data.sel(measure=shown)
    handles: list[Any] = []
    if along and result.data.sizes["of"] > 1:
        handles += [
            Line2D([], [], color=c, linewidth=1.8, label=label(of, 20)) for of, c in _colors(result).items()
        ]
    dot: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none", "color": MUTED}
    if np.isfinite(at["p"].values).any():
        handles += [
            Line2D([], [], label="p at most 0.05, or no test", **dot),
            Line2D([], [], label="p above 0.05", markerfacecolor="white", **dot),
        ]
    if np.isfinite(at["null_low"].values).any():
        handles.append(Patch(color=BAND, label="null, middle 95 %"))
    if (np.isfinite(at["null_mean"].values) & np.isnan(at["null_low"].values)).any():
        handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=":", label="chance"))
    handles += handles_of_gain(result)
    if handles:
        ax.legend(handles=handles, loc="center", ncols=min(4, len(handles)), fontsize=8)
