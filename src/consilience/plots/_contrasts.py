"""Differences between systems, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience._core._params import check_option
from consilience.plots._labels import label, number, probability
from consilience.plots._marks import interval_lines, legend_once, value_dot
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

    Coloured where the corrected p is below ``alpha``, grey elsewhere; a key says so. Against the noise ceiling p is
    one-sided (below it) and intervals are two-sided, so that one of a coloured row may cross 0. Past 40 rows the rest
    is left out.

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
        below = _below_ceiling(contrasts)
        sure = f"{'below, one-sided ' if below else ''}corrected p < {alpha:g}"
        other = "not told to be below" if below else "not told apart"
        if any(row["p_corrected"] < alpha for row in rows):  # the key begins with these
            ax.plot([], [], "o", color=PALETTE[0], markersize=7.5, label=sure)
        for y, row in enumerate(rows):
            told = bool(row["p_corrected"] < alpha)
            color = PALETTE[0] if told else MUTED
            interval_lines(ax, row, y, color)
            dot = value_dot(ax, row["difference"], y, color, label=sure if told else other)
            tip(dot, f"{number(row['difference'], 3)} {probability(row['p_corrected'])}")
            pair = f"{label(row['first'], 18)} \u2212 {label(row['second'], 18)}"
            words.append(pair + (f", with {label(row['against'], 14)}" if several else ""))
        ax.axvline(0, color=FAINT, linewidth=0.9, zorder=1)
        ax.set_yticks(np.arange(len(words)), words)
        ax.set_ylim(len(words) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ends = "; intervals two-sided" if below else ""
        ax.set_xlabel(f"difference in {label(measure)}{ends}")
        more = len(frame) - len(rows)
        what = f"side {contrasts.side}: " + ("value \u2212 lower ceiling" if below else "first \u2212 second")
        what += "" if several else f", with {label(frame['against'].iloc[0], 20)}"
        ax.set_title(what + (f" ({more} more not drawn)" if more > 0 else ""), pad=22)
        legend_once(
            ax, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2, handlelength=1.4
        )
    return ax


def _below_ceiling(contrasts: Contrasts) -> bool:
    """Were values held against the noise ceiling, and not against a system of that name?"""
    s = contrasts.settings
    return s.get("reference") == "ceiling" and all(
        str(one["name"]) != "ceiling" for one in s.get(contrasts.side) or () if isinstance(one, dict)
    )
