"""The panels of the card of one unit: each draws one part in the place that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._receptive_field import _course, _is_picture, _lags_by_space, _map_and_course
from consilience.plots._style import (
    BEST,
    FAINT,
    MUTED,
    PALETTE,
    dress,
    values_map,
)
from consilience.plots._synthesis import _alike, _draw, _made_part, _natural, _synthetic, _zoom

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

    from consilience._results import UnitReport

_MOST_BARS = 16
_PICTURES = 6


def short(value: float, digits: int = 2) -> str:
    """``digits`` that matter, at most as many as a cell holds."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e").replace("-", "\N{MINUS SIGN}")
    decimals = 0 if value == 0 else max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def field_panel(frame: Axes, place: SubplotSpec, field: Any) -> None:
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


def tuning_panel(frame: Axes, place: SubplotSpec, table: Any) -> None:
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


def selectivity_panel(frame: Axes, place: SubplotSpec, table: Any) -> None:
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


def preferred_panel(frame: Axes, place: SubplotSpec, synthesis: Any) -> None:
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
    large.set_title(f"made for it: {short(value, 3)}", fontsize=8.5, pad=4, color=PALETTE[0])
    for k in range(few):
        panel = frame.figure.add_subplot(grid[1 + k])
        _natural(panel, synthesis, target, k)
        if _alike(synthesis):
            _zoom(panel, cut)
        best = float(synthesis.exemplars["value"].isel(target=0, rank=k))
        head = f"best natural: {short(best, 3)}" if k == 0 else short(best, 3)
        panel.set_title(head, fontsize=7.5, pad=3, color=MUTED, fontweight="normal")


def exemplars_panel(frame: Axes, place: SubplotSpec, report: UnitReport) -> None:
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
        value = short(float(best["held_out"][k]), 3)
        panel.set_title(
            f"highest: {value}" if k == 0 else value, fontsize=7.5, pad=3, color=MUTED, fontweight="normal"
        )


def trains_panel(frame: Axes, place: SubplotSpec, report: UnitReport) -> None:
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
