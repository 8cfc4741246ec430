"""Factors of a tensor decomposition: a row for each component, a column for each way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._condition_colors import colors_of
from consilience.plots._labels import label
from consilience.plots._panels import panel_places
from consilience.plots._reduction_parts import component_name, picked, row_labels
from consilience.plots._style import FAINT, PALETTE, dress, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_MOST = 8


def plot_tensor_factors(
    reduction: Reduction,
    ax: Axes | None = None,
    *,
    components: Sequence[int | str] | None = None,
    color: Any = None,
) -> Axes:
    """Draws the factors of each component: over trials (dots, coloured by a label), over time (a line), over units
    (bars, sorted by the first component).

    Parameters
    ----------
    components : numbers or names; the first 8.   color : label on trial; the first that repeats.
    """
    who = "plot_tensor_factors"
    shown = picked(reduction, components, _MOST, who)
    table = reduction.factors
    if table is None:
        raise InputError(
            f"{who}: this reduction has no factors; fit cs.models.CP to (trial, time, unit).",
            code="bad-parameter",
        )
    ways = [w for w in ("trial", "time", "unit") if f"{w}_factor" in table]
    z = reduction.latents
    labels = (
        {k: v for k, v in row_labels(z, "trial").items() if np.unique(v).size < len(v)}
        if "trial" in z.dims
        else {}
    )
    colors = colors_of(labels, z.sizes.get("trial", 1), by=color, period=None, who=who)
    unit = table["unit_factor"].values
    order = np.argsort(-unit[:, shown[0]], kind="stable")
    with style():
        ax, places, key = panel_places(
            ax,
            len(ways) * len(shown),
            len(ways),
            panel=(2.5, 0.95),
            frame=(0.8, 0.9),
            key=0.3,
            key_first=True,
            gaps=((0.03, 0.05), (0.3, 0.3)),
            who=who,
        )
        for i, place in enumerate(places):
            panel = ax.figure.add_subplot(place)
            row, way = divmod(i, len(ways))
            j, name = shown[row], ways[way]
            values = table[f"{name}_factor"].values[:, j]
            dress(panel, grid="y")
            panel.axhline(0, color=FAINT, linewidth=0.7)
            if name == "trial":
                panel.scatter(np.arange(values.size), values, s=7, color=colors.each, linewidth=0)
            elif name == "time":
                time = table["time"].values if "time" in table.coords else np.arange(values.size)
                panel.plot(time, values, color=PALETTE[0], linewidth=1.5)
                if time[0] < 0 < time[-1]:
                    panel.axvline(0, color=FAINT, linewidth=0.9, linestyle=":")
            else:
                panel.bar(np.arange(values.size), values[order], width=0.85, color=PALETTE[7], linewidth=0)
                panel.set_xticks([])
            panel.locator_params(axis="y", nbins=3)
            if way == 0:
                panel.set_ylabel(component_name(reduction, j, share=False))
            if row == 0:
                panel.set_title({"trial": "trials", "time": "time", "unit": "units"}[name], fontsize=9)
            if row == len(shown) - 1:
                unit = reduction.latents.attrs.get("time_units", "s")
                panel.set_xlabel({"trial": "trial", "time": f"time ({unit})", "unit": "unit, sorted"}[name])
            elif name != "unit":
                panel.tick_params(labelbottom=False)
        top = ax.figure.add_subplot(key)
        top.set_axis_off()
        if colors.names:
            from matplotlib.lines import Line2D

            handles = [
                Line2D([], [], color=c, marker="o", linestyle="", markersize=4) for _, c in colors.names[:10]
            ]
            top.legend(
                handles,
                [label(n, 18) for n, _ in colors.names[:10]],
                loc="lower left",
                ncols=6,
                borderaxespad=0,
            )
    return ax
