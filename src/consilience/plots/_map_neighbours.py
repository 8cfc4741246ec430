"""How far neighbours in an embedding are to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import number
from consilience.plots._read import check_is
from consilience.plots._style import BAND, INK, MUTED, PALETTE, dress, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_NAMES = (
    ("kept", "neighbours in the data"),
    ("over_seeds", "the same with another seed"),
    ("over_subsamples", "the same in another subsample"),
)


def plot_neighbours(reduction: Reduction, ax: Axes | None = None) -> Axes:
    """Draws, for the neighbours that a row has in the map, the share that are neighbours in the data, and again in maps
    of other seeds and subsamples: mean over rows (dot), their middle 50 % (thick) and 90 % (thin). Dotted: chance;
    grey, for the first: up to the upper quantile of permuted data.
    """
    who = "plot_neighbours"
    check_is(reduction, "Reduction", who)
    table = reduction.neighbours
    if table is None:
        raise InputError(f"{who}: this reduction is no embedding.", code="bad-parameter")
    n = table.attrs
    with style():
        ax = own_axes(ax, 4.6, 2.4)
        dress(ax, grid="x")
        if np.isfinite(float(n["null_high"])):
            ax.fill_betweenx([1.62, 2.38], 0, 100 * float(n["null_high"]), color=BAND, linewidth=0, zorder=1)
        ax.axvline(100 * float(n["chance"]), color=MUTED, linewidth=1, linestyle=":", zorder=1.5)
        for i, (key, words) in enumerate(_NAMES):
            y, values = 2 - i, 100 * table[key].values
            low, q1, q3, high = np.nanquantile(values, [0.05, 0.25, 0.75, 0.95])
            ax.hlines(y, low, high, color=PALETTE[0], linewidth=1.2, zorder=2)
            ax.hlines(y, q1, q3, color=PALETTE[0], linewidth=4, alpha=0.6, zorder=2)
            mean = float(np.nanmean(values))
            ax.scatter([mean], [y], s=30, color=PALETTE[0], edgecolor="white", linewidth=0.8, zorder=3)
            ax.text(0, y + 0.28, f"{words}: {number(mean, 0)} %", fontsize=8, color=INK, va="bottom")
        ax.set_yticks([])
        ax.set_ylim(-0.45, 2.75)
        ax.set_xlim(0, 101)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(f"share of the {int(n['n_neighbours'])} neighbours in the map (%)")
    return ax
