"""Mean responses over time: one panel per unit, one line with its band per condition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import FAINT, MUTED, PALETTE, dress, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import PSTH

_UNITS, _CONDITIONS, _COLUMNS = 6, 8, 3


def plot_psth(psth: PSTH, ax: Axes | None = None, *, units: object = None, conditions: object = None) -> Axes:
    """Draws a panel per unit: lines are means over trials, bands their intervals, one colour per condition.

    ``ax`` becomes an empty frame around the panels. The dotted line is time 0.

    Parameters
    ----------
    units : names; by default the first 6.   conditions : values; by default the first 8, the most that are drawn.
    """
    who = "plot_psth"
    check_is(psth, "PSTH", who)
    shown = pick_names(psth.data, "unit", units, who)
    shown = shown[:_UNITS] if units is None else shown
    drawn = pick_names(psth.data, "condition", conditions, who)[:_CONDITIONS]
    columns = min(_COLUMNS, len(shown))
    with style():
        ax, places, above = panel_places(
            ax,
            len(shown),
            columns,
            panel=(2.6, 1.9),
            frame=(0.8, 0.9),
            key=0.2,
            key_first=True,
            gaps=((0.06, 0.04), (0.5, 0.3)),
            who=who,
        )
        top = ax.figure.add_subplot(above)
        panels = [ax.figure.add_subplot(place) for place in places]
        for k, (panel, unit) in enumerate(zip(panels, shown)):
            _panel(panel, psth, unit, drawn)
            if k + columns >= len(shown):
                panel.set_xlabel(f"time ({psth.settings.get('time_units', 's')})")
            else:
                panel.tick_params(labelbottom=False)
            if k % columns == 0:
                panel.set_ylabel(str(psth.settings.get("values", "")))
        _legend(top, panels[0], psth, len(drawn), len(shown))
    return ax


def _panel(ax: Axes, psth: PSTH, unit: Any, conditions: list[Any]) -> None:
    dress(ax)
    all_of_unit = psth.data.sel(unit=unit)
    x = all_of_unit["time"].values
    for k, name in enumerate(conditions):
        row = all_of_unit.sel(condition=name)
        low, high = row["ci_low"].values, row["ci_high"].values
        if np.isfinite(low).any():
            alpha = 0.18 if len(conditions) <= 4 else 0.09
            ax.fill_between(x, low, high, color=PALETTE[k], alpha=alpha, linewidth=0, zorder=2)
        ax.plot(x, row["mean"].values, color=PALETTE[k], linewidth=1.5, zorder=3, label=label(name, 20))
    if x[0] < 0 < x[-1]:
        ax.axvline(0, color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    if x.size > 1:
        ax.set_xlim(x[0], x[-1])
    ax.set_title(f"unit {label(unit, 20)}", fontsize=9)


def _legend(ax: Axes, first: Axes, psth: PSTH, drawn: int, shown: int) -> None:
    ax.set_axis_off()
    handles, words = first.get_legend_handles_labels()
    ax.legend(
        handles,
        words,
        loc="lower left",
        ncols=min(4, drawn),
        borderaxespad=0.0,
        handlelength=1.4,
    )
    every, units = psth.data.sizes["condition"], len(names(psth.data, "unit"))
    left = [f"{drawn} of {every} conditions"] * (drawn < every) + [f"{shown} of {units} units"] * (
        shown < units
    )
    if left:
        ax.text(
            1, 0.1, ", ".join(left), transform=ax.transAxes, ha="right", va="bottom", color=MUTED, fontsize=8
        )
