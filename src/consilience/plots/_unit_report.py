"""The card of one unit: numbers, field, tuning, selectivity, preferred stimuli, spike train; or a table of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience._results._quality import MEANING
from consilience._results._unit_table import TUNING
from consilience.plots._labels import label, number, probability
from consilience.plots._read import check_is
from consilience.plots._receptive_field import _course, _is_picture, _lags_by_space, _map_and_course
from consilience.plots._style import (
    BEST,
    FAINT,
    INK,
    MUTED,
    PALETTE,
    dress,
    ink_on,
    own_axes,
    style,
    tip,
    values_map,
)
from consilience.plots._synthesis import _alike, _draw, _made_part, _natural, _synthetic, _zoom

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

    from consilience._results import UnitReport

_MOST_ROWS = 22
_MOST_UNITS, _MOST_COLUMNS = 40, 14
_MOST_BARS = 16
_PICTURES = 6
_OTHER = {
    "quality.drift": "drift of the rate",
    "receptive_field.peak": "field: largest |z|",
    "receptive_field.score": "field: held-out r",
    "receptive_field.bits_per_spike": "field: bits/spike",
    "receptive_field.separability": "field: separability",
    "receptive_field.peak_lag": "field: lag of the peak",
    "preferred.value": "preferred stimulus",
    "preferred.natural_best": "best natural stimulus",
    "preferred.percentile": "above natural (%)",
    "preferred.seeds_agree": "seeds agree",
    "encoding.r": "encoding: held-out r",
    "encoding.ceiling": "encoding: ceiling",
}


def plot_unit_report(report: UnitReport, ax: Axes | None = None, *, unit: Any = None) -> Axes:
    """Draws the card of one unit: at the left every number with its interval, what chance (or an untuned unit) gives,
    and p; at the right what each part shows. Of a report of many units a table: one row per unit, one column per
    quantity (corrected where there is a correction), each column on its own scale from lowest to highest.

    ``ax`` becomes an empty frame around the panels.

    Parameters
    ----------
    unit : of a report of many, the one whose card is drawn.
    """
    who = "plot_unit_report"
    check_is(report, "UnitReport", who)
    if unit is not None:
        report = report.card(unit)
    if len(report.units) != 1:
        return _many(report, ax)
    panels = _panels(report)
    rows = max(1, -(-len(panels) // 2))
    columns = min(2, len(panels))
    with style():
        ax = own_axes(ax, 3.6 + 2.9 * columns, max(2.3 * rows, 0.9 + 0.21 * _count(report)) + 0.3)
        place = ax.get_subplotspec()
        if place is None:
            raise InputError(
                f"{who}: a card needs an axis of plt.subplots or add_subplot to share; give one.",
                code="bad-parameter",
            )
        ax.set_axis_off()
        if not columns:
            _numbers(ax.figure.add_subplot(place), report)
            return ax
        both = place.subgridspec(1, 2, width_ratios=(3.4, 2.9 * columns), wspace=0.04)
        _numbers(ax.figure.add_subplot(both[0]), report)
        right = both[1].subgridspec(rows, columns, hspace=0.12, wspace=0.12)
        for k, draw in enumerate(panels):
            last = k == len(panels) - 1 and k % columns == 0
            draw(ax, right[k // columns, :] if last else right[k // columns, k % columns])
    return ax


def _panels(report: UnitReport) -> list[Callable[[Axes, SubplotSpec], None]]:
    found: list[Callable[[Axes, SubplotSpec], None]] = []
    for name, part in report.parts.items():
        kind = type(part).__name__
        if kind == "ReceptiveField":
            found.append(lambda ax, place, part=part: _field(ax, place, part))  # type: ignore[misc]
        elif kind == "UnitTable" and name.startswith("tuning"):
            found.append(lambda ax, place, part=part: _tuning(ax, place, part))  # type: ignore[misc]
        elif kind == "UnitTable":
            found.append(lambda ax, place, part=part: _selectivity(ax, place, part))  # type: ignore[misc]
        elif kind == "Synthesis":
            found.append(lambda ax, place, part=part: _preferred(ax, place, part))  # type: ignore[misc]
    made = any(type(part).__name__ == "Synthesis" for part in report.parts.values())
    if report.pictures is not None and report.exemplars is not None and not made:
        found.append(lambda ax, place: _exemplars(ax, place, report))
    if report.trains is not None:
        found.append(lambda ax, place: _trains(ax, place, report))
    return found


def _count(report: UnitReport) -> int:
    return min(_MOST_ROWS, int(np.isfinite(report.data["value"].values).any(axis=1).sum()))


def quantity_name(quantity: str) -> str:
    part, _, measure = quantity.partition(".")
    if quantity in _OTHER:
        return _OTHER[quantity]
    if measure in TUNING:
        return TUNING[measure][0]
    if measure in MEANING:
        words, unit, _ = MEANING[measure]
        return f"{words} ({unit})" if unit else words
    return f"{part} {measure}".replace("_", " ")


def _short(value: float, digits: int = 2) -> str:
    """``digits`` that matter, at most as many as a cell holds."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "\N{MINUS SIGN}")
    decimals = 0 if value == 0 else max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _numbers(ax: Axes, report: UnitReport) -> None:
    """The table at the left: one line per quantity."""
    d = report.data.isel(unit=0)
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    known = [i for i in range(d.sizes["quantity"]) if np.isfinite(float(d["value"][i]))]
    shown = known[:_MOST_ROWS]
    lines = len(shown) + 2.6 + (len(known) > len(shown))
    ax.set_ylim(max(lines, 8), 0)
    name = report.units[0]
    head = label(name, 34) if isinstance(name, str) and len(name) > 3 else f"unit {label(name, 12)}"
    ax.text(0, 0.35, head, fontsize=11, fontweight="bold", va="center")
    ax.text(0, 1.2, label(report.settings.get("system", ""), 44), fontsize=8, color=MUTED, va="center")
    for x, words in ((0.52, "value"), (0.86, "chance"), (1.0, "p")):
        ax.text(x, 1.95, words, fontsize=7.5, color=MUTED, ha="right", va="center")
    for k, i in enumerate(shown):
        y = k + 2.8
        at = {key: float(d[key][i]) for key in d.data_vars}
        value = at["corrected"] if np.isfinite(at["corrected"]) else at["value"]
        base = at["floor"] if np.isfinite(at["floor"]) else at["null_mean"]
        sure = np.isfinite(at["p"]) and at["p"] <= 0.05
        first = ax.text(
            0, y, label(quantity_name(str(d["quantity"].values[i])), 26), fontsize=7.5, va="center"
        )
        ax.text(
            0.52,
            y,
            _short(value, 3),
            fontsize=7.5,
            ha="right",
            va="center",
            color=INK,
            fontweight="bold" if sure else "normal",
        )
        if np.isfinite(at["ci_low"]):
            span = f"[{_short(at['ci_low'])}, {_short(at['ci_high'])}]"
            ax.text(0.53, y, span, fontsize=6, ha="left", va="center", color=MUTED)
        if np.isfinite(base):
            ax.text(0.86, y, _short(base), fontsize=7, ha="right", va="center", color=MUTED)
        if np.isfinite(at["p"]):
            p = probability(at["p"]).removeprefix("p = ").removeprefix("p ").strip()
            ax.text(1.0, y, p, fontsize=7, ha="right", va="center", color=INK if sure else MUTED)
        said = f"{d['quantity'].values[i]}: as published {number(at['value'], 3)}"
        tip(first, said)
    if len(known) > len(shown):
        ax.text(
            0, len(shown) + 2.8, f"and {len(known) - len(shown)} more: .to_frame()", fontsize=7, color=MUTED
        )


def _field(frame: Axes, place: SubplotSpec, field: Any) -> None:
    data, before = field.data.isel(unit=0), len(frame.figure.axes)
    if _is_picture(field.data, field.space):
        _map_and_course(frame, place, data, field, last=True)
    elif field.space:
        _lags_by_space(frame, place, data, field, last=True, left=True)
    else:
        _course(frame.figure.add_subplot(place), data, field, last=True, whole=True)
    score = float(data["score"])
    words = f"receptive field, r {number(score, 2)}" if np.isfinite(score) else "receptive field"
    frame.figure.axes[before].set_title(words, fontsize=8.5, pad=4)


def _tuning(frame: Axes, place: SubplotSpec, table: Any) -> None:
    curves = table.curves.isel(unit=0)
    said = table.settings
    period = said.get("period")
    if "dimension1" in curves.coords:
        _place_map(frame, place, curves, said)
        return
    x = np.asarray(curves["condition"].values, dtype=np.float64)
    mean, low, high = (curves[key].values for key in ("mean", "ci_low", "ci_high"))
    unit = "spikes/s" if said.get("kind") == "count" or said.get("kind") == "rate" else said.get("kind", "")
    if isinstance(period, (int, float)) and period:
        ax: Any = frame.figure.add_subplot(place, projection="polar")
        turn = 2 * np.pi * np.append(x, x[0]) / float(period)
        closed = [np.append(values, values[0]) for values in (mean, low, high)]
        ax.fill_between(
            turn, np.nan_to_num(closed[1]), np.nan_to_num(closed[2]), color=PALETTE[0], alpha=0.2, linewidth=0
        )
        ax.plot(turn, closed[0], color=PALETTE[0], linewidth=1.4)
        ax.set_ylim(bottom=min(0.0, float(np.nanmin(mean))))
        ax.tick_params(labelsize=6.5, pad=-2, labelcolor=MUTED)
        ax.set_xticks(np.arange(4) * np.pi / 2)
        ax.grid(color=FAINT, linewidth=0.4)
        ax.spines["polar"].set(edgecolor=FAINT, linewidth=0.6)
        ax.yaxis.set_major_locator(_few_ticks(3))
        ax.set_title(f"{label(said.get('by', ''), 18)} ({unit})", fontsize=8.5, pad=8)
        return
    ax = frame.figure.add_subplot(place)
    dress(ax)
    ax.fill_between(x, low, high, color=PALETTE[0], alpha=0.2, linewidth=0)
    ax.plot(x, mean, color=PALETTE[0], linewidth=1.4)
    ax.tick_params(labelsize=7)
    ax.set_xlabel(label(said.get("by", ""), 24), fontsize=8)
    ax.set_title(f"tuning ({unit})", fontsize=8.5, pad=4)


def _few_ticks(n: int) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(n)


def _place_map(frame: Axes, place: SubplotSpec, curves: Any, said: Any) -> None:
    """Rate over two dimensions; places that were not visited stay empty."""
    ax = frame.figure.add_subplot(place)
    x, y = (np.asarray(curves[f"dimension{k}"].values, dtype=np.float64) for k in (0, 1))
    grids = [np.unique(values) for values in (x, y)]
    steps = [np.diff(grid).min() if grid.size > 1 else 1.0 for grid in grids]
    sizes = [round((grid[-1] - grid[0]) / step) + 1 for grid, step in zip(grids, steps)]
    picture = np.full((sizes[1], sizes[0]), np.nan)
    column, row = (
        np.round((values - grid[0]) / step).astype(int) for values, grid, step in zip((x, y), grids, steps)
    )
    picture[row, column] = curves["mean"].values
    extent = (
        grids[0][0] - steps[0] / 2,
        grids[0][-1] + steps[0] / 2,
        grids[1][0] - steps[1] / 2,
        grids[1][-1] + steps[1] / 2,
    )
    image = ax.imshow(
        np.ma.masked_invalid(picture),
        origin="lower",
        extent=extent,
        cmap=values_map(),
        vmin=0,
        interpolation="nearest",
        aspect="equal",
    )
    dress(ax, grid="", spines=())
    ax.tick_params(labelsize=6.5)
    names = [part.strip() for part in str(said.get("by", "")).split(",")]
    if len(names) == 2:
        ax.set_xlabel(label(names[0], 14), fontsize=7.5, labelpad=1)
        ax.set_ylabel(label(names[1], 14), fontsize=7.5, labelpad=1)
    ax.set_title("spikes/s", fontsize=8.5, pad=4)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.045, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6.5, length=0, colors=MUTED)
    bar.ax.yaxis.set_major_locator(_few_ticks(3))


def _selectivity(frame: Axes, place: SubplotSpec, table: Any) -> None:
    """Mean response to each condition with its interval, sorted; angles in their order."""
    ax = frame.figure.add_subplot(place)
    curves = table.curves.isel(unit=0)
    mean, low, high = (np.asarray(curves[key].values) for key in ("mean", "ci_low", "ci_high"))
    names = curves["condition"].values.tolist()
    period = table.settings.get("period")
    order = np.arange(mean.size) if period else np.argsort(-mean, kind="stable")
    shown = order if period else order[:_MOST_BARS]
    y = np.arange(shown.size)
    dress(ax, grid="x")
    ax.hlines(y, low[shown], high[shown], color=FAINT, linewidth=1.6)
    ax.scatter(mean[shown], y, s=16, color=PALETTE[0], zorder=3)
    ax.set_yticks(y)
    words = [label(names[i], 22) for i in shown]
    if shown.size < mean.size:
        ax.text(
            1,
            0.02,
            f"{mean.size - shown.size} lower ones left out",
            transform=ax.transAxes,
            fontsize=6.5,
            color=MUTED,
            ha="right",
        )
    ax.set_yticklabels(words, fontsize=7 if shown.size <= 12 else 6)
    ax.set_ylim(shown.size - 0.4, -0.6)
    ax.tick_params(axis="x", labelsize=7)
    kind = label(table.settings.get("kind", "response"), 14)
    ax.set_title(f"{kind} by {label(table.settings.get('by', ''), 16)}", fontsize=8.5, pad=4)


def _preferred(frame: Axes, place: SubplotSpec, synthesis: Any) -> None:
    """What was made for the unit, large, and the best natural stimuli beside it, with their values; all cut to the part
    that was made, where that is small.
    """
    target = synthesis.data["target"].values[0]
    natural = synthesis.exemplars is not None and synthesis.pictures is not None
    few = min(2, synthesis.exemplars.sizes["rank"]) if natural else 0
    grid = place.subgridspec(1, 1 + few, width_ratios=[2.0] + [1.1] * few, wspace=0.08)
    large = frame.figure.add_subplot(grid[0])
    _synthetic(large, synthesis, target, 0)
    cut = _made_part(synthesis, target)
    _zoom(large, cut)
    value = float(synthesis.data["value"].values[0])
    large.set_title(f"made for it: {_short(value, 3)}", fontsize=8.5, pad=4, color=PALETTE[0])
    for k in range(few):
        panel = frame.figure.add_subplot(grid[1 + k])
        _natural(panel, synthesis, target, k)
        if _alike(synthesis):
            _zoom(panel, cut)
        best = float(synthesis.exemplars["value"].isel(target=0, rank=k))
        head = f"best natural: {_short(best, 3)}" if k == 0 else _short(best, 3)
        panel.set_title(head, fontsize=7.5, pad=3, color=MUTED, fontweight="normal")


def _exemplars(frame: Axes, place: SubplotSpec, report: UnitReport) -> None:
    """The stimuli with the highest responses, with their values."""
    assert report.exemplars is not None
    assert report.pictures is not None
    best = report.exemplars.isel(unit=0)
    ids = report.pictures["stimulus"].values.tolist()
    shown = [k for k in range(min(_PICTURES, best.sizes["rank"])) if best["stimulus"].values[k] in ids]
    grid = place.subgridspec(2, _PICTURES // 2, wspace=0.1, hspace=0.2)
    for k in shown:
        panel = frame.figure.add_subplot(grid[k // (_PICTURES // 2), k % (_PICTURES // 2)])
        _draw(panel, report.pictures.values[ids.index(best["stimulus"].values[k])], MUTED)
        value = _short(float(best["held_out"][k]), 3)
        panel.set_title(
            f"highest: {value}" if k == 0 else value, fontsize=7.5, pad=3, color=MUTED, fontweight="normal"
        )


def _trains(frame: Axes, place: SubplotSpec, report: UnitReport) -> None:
    assert report.trains is not None
    data = report.trains.isel(unit=0)
    two = place.subgridspec(2, 1, hspace=0.15)
    for k, (name, dim, words) in enumerate(
        (("autocorrelogram", "lag", "spikes/s at lag (ms)"), ("intervals", "interval", "intervals (ms)"))
    ):
        ax = frame.figure.add_subplot(two[k])
        dress(ax, grid="")
        x, y = 1000 * data[dim].values, np.nan_to_num(data[name].values)
        ax.fill_between(x, 0, y, step="mid", color=PALETTE[0], alpha=0.55, linewidth=0)
        if name == "autocorrelogram":
            ax.axvline(0, color=BEST, linewidth=0.6)
        ax.set_ylim(bottom=0)
        ax.margins(x=0)
        ax.tick_params(labelsize=6.5)
        ax.yaxis.set_major_locator(_few_ticks(2))
        if name == "intervals":
            ax.set_yticks([])
        ax.set_title(words, fontsize=7.5, pad=2)


def _many(report: UnitReport, ax: Axes | None) -> Axes:
    """Units by quantities."""
    best = report.table()
    kept = [name for name in best.columns if np.isfinite(best[name]).any()][:_MOST_COLUMNS]
    table = best[kept].iloc[:_MOST_UNITS]
    with style():
        ax = own_axes(ax, 1.6 + 0.62 * len(kept), 1.9 + 0.22 * len(table))
        values = table.to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):
            low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        scaled = (values - low) / np.where(high > low, high - low, 1.0)
        colours = values_map()
        ax.imshow(
            np.ma.masked_invalid(scaled),
            cmap=colours,
            vmin=0,
            vmax=1.25,
            aspect="auto",
            interpolation="nearest",
        )
        for i in range(len(table)):
            for j in range(len(kept)):
                if np.isfinite(values[i, j]):
                    ax.text(
                        j,
                        i,
                        _short(values[i, j]),
                        ha="center",
                        va="center",
                        fontsize=6,
                        color=ink_on(colours(scaled[i, j] / 1.25)),
                    )
        dress(ax, grid="", spines=())
        ax.set_yticks(np.arange(len(table)))
        ax.set_yticklabels([label(name, 18) for name in table.index.tolist()], fontsize=7)
        ax.set_xticks(np.arange(len(kept)))
        ax.set_xticklabels(
            [label(quantity_name(name), 26) for name in kept], rotation=45, ha="left", fontsize=7
        )
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        left = len(best) - len(table), len(best.columns) - len(kept)
        if any(left):
            words = f"{left[0]} more units, {left[1]} more quantities: .table()"
            ax.set_xlabel(words, fontsize=7.5, color=MUTED)
    return ax
