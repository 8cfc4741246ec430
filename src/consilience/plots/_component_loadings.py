"""Loadings of components: which units make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._condition_colors import colors_of
from consilience.plots._labels import label
from consilience.plots._panels import panel_places
from consilience.plots._reduction_parts import component_name, picked, row_labels
from consilience.plots._style import FAINT, MUTED, dress, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_PANELS = 4
_NAMED = 24


def plot_loadings(
    reduction: Reduction,
    ax: Axes | None = None,
    *,
    components: Sequence[int | str] | None = None,
    by: str | None = None,
    sort: bool = True,
) -> Axes:
    """Draws a panel per component: a stem for each unit, sorted by its loading, with the interval over drawn rows.

    Filled: the interval does not hold 0. Coloured, and sorted within, by a label on unit, such as area or cell type.

    Parameters
    ----------
    components : numbers or names; the first 4.   by : label on unit; None = one colour.   sort : else in the order of
        the data.
    """
    who = "plot_loadings"
    shown = picked(reduction, components, _PANELS, who)
    table = reduction.loadings
    if table is None:
        raise InputError(f"{who}: this model has no loadings.", code="bad-parameter")
    labels = row_labels(table, "unit")
    units = table["unit"].values.tolist()
    colors = colors_of(
        labels, len(units), by=by if by is not None else [""] * len(units), period=None, who=who
    )
    with style():
        ax, places, key = panel_places(
            ax,
            len(shown),
            len(shown),
            panel=(2.4, max(2.4, min(4.4, 0.9 + 0.15 * len(units)))),
            frame=(0.8, 0.6),
            key=0.08 if by is None else 0.16,
            key_first=True,
            gaps=((0.02, 0.06), (0.2, 0.4)),
            who=who,
        )
        for place, j in zip(places, shown):
            _stems(
                ax.figure.add_subplot(place),
                reduction,
                j,
                colors,
                labels.get(by) if by else None,
                sort,
                units,
            )
        top = ax.figure.add_subplot(key)
        top.set_axis_off()
        if by is not None and colors.names:
            from matplotlib.lines import Line2D

            handles = [
                Line2D([], [], color=c, marker="o", markersize=5, linewidth=1.6) for _, c in colors.names
            ]
            top.legend(
                handles, [label(n, 18) for n, _ in colors.names], loc="lower left", ncols=6, borderaxespad=0
            )
    return ax


def _stems(
    ax: Axes, reduction: Reduction, j: int, colors: Any, groups: Any, sort: bool, units: list[Any]
) -> None:
    table = reduction.loadings
    assert table is not None
    value, low, high = (table[k].values[j] for k in ("loading", "ci_low", "ci_high"))
    order = np.arange(value.size)
    if sort:
        order = np.argsort(value, kind="stable")
        if groups is not None:
            order = order[np.argsort(np.asarray(groups).astype(str)[order], kind="stable")]
    y = np.arange(value.size)
    dress(ax, grid="x")
    each = colors.each[order]
    ax.axvline(0, color=FAINT, linewidth=0.8)
    known = np.isfinite(low).all()
    sure = (low > 0) | (high < 0) if known else np.ones(value.size, bool)
    many = value.size > 60
    if known:
        ax.hlines(y, low[order], high[order], color=each, linewidth=0.8 if many else 1.6, alpha=0.5)
    else:
        ax.hlines(y, 0, value[order], color=each, linewidth=0.8, alpha=0.6)
    face = [c if s else (1, 1, 1, 1) for c, s in zip(each, sure[order])]
    ax.scatter(
        value[order],
        y,
        s=6 if many else 20,
        color=face,
        edgecolor=each,
        linewidth=0.5 if many else 1.1,
        zorder=3,
    )
    if value.size <= _NAMED:
        ax.set_yticks(y, [label(units[i], 14) for i in order])
        if all(isinstance(unit, (int, float)) for unit in units):
            ax.set_ylabel("unit", color=MUTED, labelpad=1)
        ax.tick_params(axis="y", length=0)
    else:
        ax.set_yticks([])
        ax.set_ylabel(f"{value.size} units, sorted" if sort else f"{value.size} units", color=MUTED)
    ax.set_ylim(-0.7, value.size - 0.3)
    ax.set_xlabel("loading")
    ax.set_title(component_name(reduction, j, share=False), fontsize=9)
