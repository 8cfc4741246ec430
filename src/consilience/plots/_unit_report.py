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
from consilience.plots._style import (
    INK,
    MUTED,
    dress,
    ink_on,
    own_axes,
    style,
    tip,
    values_map,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

    from consilience._results import UnitReport

from consilience.plots._unit_panels import (
    exemplars_panel,
    field_panel,
    preferred_panel,
    selectivity_panel,
    short,
    trains_panel,
    tuning_panel,
)

_MOST_ROWS = 22
_MOST_UNITS, _MOST_COLUMNS = 40, 14
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
            found.append(lambda ax, place, part=part: field_panel(ax, place, part))  # type: ignore[misc]
        elif kind == "UnitTable" and name.startswith("tuning"):
            found.append(lambda ax, place, part=part: tuning_panel(ax, place, part))  # type: ignore[misc]
        elif kind == "UnitTable":
            found.append(lambda ax, place, part=part: selectivity_panel(ax, place, part))  # type: ignore[misc]
        elif kind == "Synthesis":
            found.append(lambda ax, place, part=part: preferred_panel(ax, place, part))  # type: ignore[misc]
    made = any(type(part).__name__ == "Synthesis" for part in report.parts.values())
    if report.pictures is not None and report.exemplars is not None and not made:
        found.append(lambda ax, place: exemplars_panel(ax, place, report))
    if report.trains is not None:
        found.append(lambda ax, place: trains_panel(ax, place, report))
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
            short(value, 3),
            fontsize=7.5,
            ha="right",
            va="center",
            color=INK,
            fontweight="bold" if sure else "normal",
        )
        if np.isfinite(at["ci_low"]):
            span = f"[{short(at['ci_low'])}, {short(at['ci_high'])}]"
            ax.text(0.53, y, span, fontsize=6, ha="left", va="center", color=MUTED)
        if np.isfinite(base):
            ax.text(0.86, y, short(base), fontsize=7, ha="right", va="center", color=MUTED)
        if np.isfinite(at["p"]):
            p = probability(at["p"]).removeprefix("p = ").removeprefix("p ").strip()
            ax.text(1.0, y, p, fontsize=7, ha="right", va="center", color=INK if sure else MUTED)
        said = f"{d['quantity'].values[i]}: as published {number(at['value'], 3)}"
        tip(first, said)
    if len(known) > len(shown):
        ax.text(
            0, len(shown) + 2.8, f"and {len(known) - len(shown)} more: .to_frame()", fontsize=7, color=MUTED
        )


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
                        short(values[i, j]),
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
