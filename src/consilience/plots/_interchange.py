"""Interchange: accuracies with intervals, beside what no patch and random parts give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import axis_labels, label, number
from consilience.plots._read import check_is, names
from consilience.plots._style import FAINT, INK, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results._interchange import Interchange


def plot_interchange(result: Interchange, ax: Axes | None = None) -> Axes:
    """Draws the accuracy of each variable with its interval; grey: the middle 95 % of random parts of the same size;
    bar: the accuracy without any patch.
    """
    check_is(result, "Interchange", "plot_interchange")
    frame = result.to_frame()
    with style():
        ax = own_axes(ax, 5.6, 1.5 + 0.36 * len(frame))
        dress(ax, grid="x")
        for y, row in enumerate(frame.to_dict("records")):
            if np.isfinite(row["random_low"]):
                ends = [row["random_low"], row["random_high"]]
                ax.plot(
                    ends,
                    [y, y],
                    color=FAINT,
                    linewidth=7,
                    alpha=0.5,
                    solid_capstyle="butt",
                    label="random parts",
                )
            ax.plot(
                [row["unpatched"]], [y], "|", color=INK, markersize=11, markeredgewidth=1.4, label="no patch"
            )
            ax.plot(
                [row["ci_low"], row["ci_high"]], [y, y], color=PALETTE[0], linewidth=2, solid_capstyle="round"
            )
            (dot,) = ax.plot(
                [row["accuracy"]], [y], "o", color=PALETTE[0], markersize=6.5, label="exchanged", zorder=4
            )
            tip(dot, f"{label(row['variable'], 60)}\n{number(row['accuracy'], 3)}")
        places, words = axis_labels(names(result.data, "variable"))
        ax.set_yticks(places, words)
        ax.set_ylim(len(frame) - 0.4, -0.6)
        ax.set_xlim(-0.03, 1.03)
        ax.set_xlabel("answers as the causal model expects")
        ax.set_title(
            f"{label(result.settings.get('system', ''), 30)}, {label(result.settings.get('layer', ''), 24)}"
        )
        handles, words = ax.get_legend_handles_labels()
        unique = dict(zip(words, handles))
        ax.legend(unique.values(), unique.keys(), loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7.5)
    return ax
