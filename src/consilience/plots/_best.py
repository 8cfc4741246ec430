"""The best system of one side: nested value beside the plain maximum and the untrained copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._marks import interval_lines, legend_once, margin_note, untrained_dots, value_dot
from consilience.plots._read import check_is, field, names
from consilience.plots._style import INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Best

MOST_ROWS = 30


def plot_best(best: Best, ax: Axes | None = None) -> Axes:
    """Draws one row for each measure and system of the other side.

    Dot and line: the nested value (chosen on other stimuli than it is scored on) with its interval over
    stimuli (thick) and over stimuli and subjects (thin). Open diamond: the plain maximum, biased up. Grey
    dots: untrained copies, chosen likewise. At the right, in words: the smallest difference to an untrained
    copy, with its interval. Past 30 rows the rest is left out.
    """
    check_is(best, "Best", "plot_best")
    measures, others = names(best.data, "measure"), names(best.data, best.other)
    pairs = [(m, o) for m in measures for o in others]
    with style():
        ax = own_axes(ax, 8.4, 1.4 + 0.44 * min(len(pairs), MOST_ROWS))
        dress(ax, grid="x", spines=("bottom",))
        words = []
        for y, (m, o) in enumerate(pairs[:MOST_ROWS]):
            where = {"measure": m, best.other: o}
            words.append(label(o, 22) if len(measures) == 1 else f"{label(o, 16)} · {label(m, 22)}")
            _row(ax, best, where, y, PALETTE[others.index(o) % len(PALETTE)])
        ax.set_yticks(range(len(words)), words)
        ax.set_ylim(len(words) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        ax.set_xlabel(label(measures[0]) if len(measures) == 1 else "value of the measure")
        if len(pairs) > MOST_ROWS:
            ax.set_title(f"{len(pairs) - MOST_ROWS} more not drawn")
        header = "best  ·  gain over untrained" if "difference" in best.data else "best"
        ax.annotate(
            header,
            (1.015, 1.0),
            xytext=(0, 3),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
            ha="left",
            va="bottom",
        )
        legend_once(
            ax, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2, handlelength=1.4
        )
    return ax


def _row(ax: Axes, best: Best, where: dict[str, Any], y: int, color: str) -> None:
    row = best.data.sel(where)
    at = {
        n: float(field(best.data, n, **where))
        for n in ("value", "ci_low", "ci_high", "ci_both_low", "ci_both_high", "naive_value")
    }
    notes = [label(row["chosen"].item(), 16)]
    if "baseline_value" in best.data:
        untrained_dots(ax, field(best.data, "baseline_value", **where), y, "untrained copies")
        difference = np.atleast_1d(field(best.data, "difference", **where))
        if np.any(np.isfinite(difference)):
            k = int(np.nanargmin(difference))
            interval = _gain_interval(best, where, k)
            notes.append(f"{'+' if difference[k] > 0 else ''}{number(difference[k])}{interval}")
    if np.isfinite(at["naive_value"]):
        ax.plot(
            [at["naive_value"]],
            [y],
            marker="D",
            markersize=6,
            markerfacecolor="none",
            markeredgecolor=MUTED,
            linestyle="",
            zorder=3,
            label="plain maximum (biased up)",
        )
    interval_lines(ax, at, y, color)
    if np.isfinite(at["value"]):
        dot = value_dot(ax, at["value"], y, color, label="nested value" if y == 0 else None)
        tip(dot, f"{notes[0]}\n{number(at['value'], 3)}, plain maximum {number(at['naive_value'], 3)}")
    margin_note(ax, "  ·  ".join(notes), y)


def _gain_interval(best: Best, where: dict[str, Any], k: int) -> str:
    """The k-th gain's interval: over stimuli and subjects where there are several, else over stimuli."""
    for kind in ("difference_both", "difference"):
        low, high = (
            float(np.atleast_1d(field(best.data, f"{kind}_{end}", **where))[k]) for end in ("low", "high")
        )
        if np.isfinite(low) and np.isfinite(high):
            return f" [{number(low)}, {number(high)}]"
    return ""
