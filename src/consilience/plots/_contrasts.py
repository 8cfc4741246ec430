"""Differences between systems, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience._core._params import check_option
from consilience.plots._labels import label, number, probability
from consilience.plots._marks import interval_lines, value_dot
from consilience.plots._panels import stacked
from consilience.plots._read import check_is
from consilience.plots._style import FAINT, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Contrasts

MOST_ROWS = 40


def plot_contrasts(
    contrasts: Contrasts, ax: Axes | None = None, *, measure: str | None = None, alpha: float = 0.05
) -> Axes:
    """Draws each difference with its interval, over stimuli (thick) and over stimuli and subjects (thin).

    Coloured where the corrected p is below ``alpha``, grey elsewhere. Past 40 rows the rest is left out.

    Parameters
    ----------
    measure : one of the measures; all of them by default, one below the other, each with an axis of its own.
    """
    who = "plot_contrasts"
    check_is(contrasts, "Contrasts", who)
    frame = contrasts.to_frame()
    known = list(dict.fromkeys(frame["measure"].tolist()))
    if measure is None and len(known) > 1:
        most = min(int(frame["measure"].value_counts().max()), MOST_ROWS)
        return stacked(
            ax,
            lambda name, panel: plot_contrasts(contrasts, panel, measure=name, alpha=alpha),
            known,
            option="measure",
            who=who,
            size=(6.4, 1.3 + 0.32 * most),
        )
    measure = str(known[0]) if measure is None else str(check_option(measure, known, name="measure", who=who))
    frame = frame[frame["measure"] == measure]
    rows = frame.head(MOST_ROWS).to_dict("records")
    several = frame["against"].nunique() > 1
    with style():
        ax = own_axes(ax, 6.4, 1.3 + 0.32 * len(rows))
        dress(ax, grid="x", spines=("bottom",))
        words = []
        for y, row in enumerate(rows):
            color = PALETTE[0] if row["p_corrected"] < alpha else MUTED
            interval_lines(ax, row, y, color)
            dot = value_dot(ax, row["difference"], y, color)
            tip(dot, f"{number(row['difference'], 3)} {probability(row['p_corrected'])}")
            pair = f"{label(row['first'], 18)} \u2212 {label(row['second'], 18)}"
            words.append(pair + (f" \u00b7 {label(row['against'], 14)}" if several else ""))
        ax.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
        ax.set_yticks(np.arange(len(words)), words)
        ax.set_ylim(len(words) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(f"difference in {label(measure)}")
        more = len(frame) - len(rows)
        ax.set_title("differences between systems" + (f" ({more} more not drawn)" if more > 0 else ""))
    return ax
