"""Dots and intervals: a few pairs of systems, one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import interval_text, label, number, probability
from consilience.plots._marks import interval_lines, legend_once, untrained_dots, value_dot
from consilience.plots._read import check_is, field, names, pick_measure
from consilience.plots._style import BAND, INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Comparison

MOST_ROWS = 40


def plot_dots(
    comparison: Comparison, ax: Axes | None = None, *, measure: str | None = None, legend: bool = True
) -> Axes:
    """Draws value and interval of each pair (a, b) as one row, with ceiling (grey bar), null (tick) and
    untrained copies (grey dots).

    Rows stand in the order of the data, the first on top; past 40 the rest is left out, and the figure says
    so.

    Parameters
    ----------
    measure : one of the comparison's measures; the first by default.
    """
    check_is(comparison, "Comparison", "plot_dots")
    measure = pick_measure(comparison.data, measure, "plot_dots")
    side_a, side_b = names(comparison.data, "a"), names(comparison.data, "b")
    pairs = [(a, b) for b in side_b for a in side_a]
    with style():
        ax = own_axes(ax, 6.4, 1.3 + 0.32 * min(len(pairs), MOST_ROWS))
        dress(ax, grid="x", spines=("bottom",))
        words = []
        for y, (a, b) in enumerate(pairs[:MOST_ROWS]):
            color = PALETTE[side_b.index(b) % len(PALETTE)]
            words.append(
                label(b)
                if len(side_a) == 1
                else label(a)
                if len(side_b) == 1
                else f"{label(a, 20)} · {label(b, 16)}"
            )
            _row(ax, comparison, {"measure": measure, "a": a, "b": b}, y, color)
        left, right = ax.get_xlim()
        ax.set_xlim(min(left, 0.0), max(right, 0.0))  # how far from nothing, not only from each other
        ax.set_yticks(range(len(words)), words)
        ax.set_ylim(len(words) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(label(measure))
        title = label(side_a[0], 40) if len(side_a) == 1 else label(measure)
        ax.set_title(
            title + (f" ({len(pairs) - MOST_ROWS} more not drawn)" if len(pairs) > MOST_ROWS else "")
        )
        if legend:
            legend_once(ax, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    return ax


def _row(ax: Axes, comparison: Comparison, where: dict[str, Any], y: int, color: str) -> None:
    at = {name: float(field(comparison.data, name, **where)) for name in _FIELDS}
    if np.isfinite(at["ceiling_low"]):
        ax.barh(
            y,
            at["ceiling_high"] - at["ceiling_low"],
            left=at["ceiling_low"],
            height=0.62,
            color=BAND,
            zorder=1,
            label="noise ceiling",
        )
    null = at["null_mean"] if np.isfinite(at["null_mean"]) else at["null_expected"]
    if np.isfinite(null):
        ax.plot(
            [null, null], [y - 0.3, y + 0.3], color=MUTED, linewidth=1, linestyle=":", zorder=2, label="null"
        )
    if comparison.baselines is not None:
        untrained_dots(ax, field(comparison.baselines, "value", **where), y, "untrained")
    interval_lines(ax, at, y, color)
    if not np.isfinite(at["value"]):
        ax.annotate(
            "not a number",
            (0.01, y),
            xycoords=("axes fraction", "data"),
            va="center",
            color=MUTED,
            fontsize=8,
        )
        return
    dot = value_dot(ax, at["value"], y, color)
    said = f"{number(at['value'], 3)} {interval_text(at['ci_low'], at['ci_high'])} {probability(at['p'])}"
    tip(dot, f"{label(where['a'], 40)} · {label(where['b'], 40)}\n{' '.join(said.split())}")
    ax.annotate(
        number(at["value"]),
        (at["value"], y),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        color=INK,
    )


_FIELDS = (
    "value",
    "ci_low",
    "ci_high",
    "ci_both_low",
    "ci_both_high",
    "ceiling_low",
    "ceiling_high",
    "null_mean",
    "null_expected",
    "p",
)
