"""How much closer a model is to the animals than they are to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import label, number, probability
from consilience.plots._marks import interval_lines, legend_once, value_dot
from consilience.plots._read import check_is
from consilience.plots._style import BAND, FAINT, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Equivalence

MOST_ROWS = 40


def plot_equivalence(equivalence: Equivalence, ax: Axes | None = None) -> Axes:
    """Draws model minus animals for each model: the mean over animals (dot; interval over stimuli thick, over stimuli
    and animals thin) and each animal (small dots).

    The band is the margin. 0 = as close as the animals are to each other. Past 40 models the rest is left out.
    """
    check_is(equivalence, "Equivalence", "plot_equivalence")
    data = equivalence.data.isel(model=slice(0, MOST_ROWS))
    models = data["model"].values.tolist()
    margin = float(equivalence.settings["margin"])
    with style():
        ax = own_axes(ax, 6.4, 1.4 + 0.34 * len(models))
        dress(ax, grid="x", spines=("bottom",))
        ax.axvspan(-margin, margin, color=BAND, linewidth=0, zorder=0, label="margin")
        ax.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
        for y, name in enumerate(models):
            row = {str(k): float(v) for k, v in data.sel(model=name, target="all").data_vars.items()}
            each = data["difference"].sel(model=name).values[:-1]
            ax.plot(
                each,
                np.full(each.size, y),
                "o",
                color=MUTED,
                markersize=3.5,
                linestyle="",
                zorder=3,
                label="one animal",
            )
            interval_lines(ax, {"ci_both_low": np.nan, "ci_both_high": np.nan, **row}, y, PALETTE[0])
            dot = value_dot(ax, row["difference"], y, PALETTE[0])
            tip(dot, f"{number(row['difference'], 3)} equivalent: {probability(row['p_equivalent'])}")
        ax.set_yticks(range(len(models)), [label(name) for name in models])
        ax.set_ylim(len(models) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(f"{label(equivalence.settings['measure'])}: model minus other animals")
        more = equivalence.data.sizes["model"] - len(models)
        ax.set_title("as close as another animal?" + (f" ({more} more not drawn)" if more > 0 else ""))
        legend_once(ax, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    return ax
