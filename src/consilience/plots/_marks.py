"""Marks that several figures share: a row's interval, dot and untrained copies, a legend, names below an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import axis_labels
from consilience.plots._style import FAINT, INK, PAPER, axis_name_rotation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["interval_lines", "legend_once", "margin_note", "name_columns", "untrained_dots", "value_dot"]


def interval_lines(ax: Axes, at: Mapping[str, float], y: float, color: str) -> None:
    """Thin: over stimuli and subjects (``ci_both_low``, ``_high``). Thick: over stimuli (``ci_low``, ``_high``)."""
    for name, width, alpha in (("ci_both", 1.1, 0.65), ("ci", 2.8, 1.0)):
        low, high = at[f"{name}_low"], at[f"{name}_high"]
        if np.isfinite(low):
            line: dict[str, Any] = {"linewidth": width, "alpha": alpha, "zorder": 3 + 0.1 * alpha}
            ax.plot([low, high], [y, y], color=color, solid_capstyle="round", **line)


def value_dot(ax: Axes, value: float, y: float, color: str, **options: Any) -> Any:
    (dot,) = ax.plot(
        [value],
        [y],
        "o",
        color=color,
        markersize=7.5,
        markeredgecolor=PAPER,
        markeredgewidth=0.8,
        linestyle="",
        zorder=4,
        **options,
    )
    return dot


def untrained_dots(ax: Axes, values: np.ndarray, y: float, words: str) -> None:
    values = np.atleast_1d(values)
    ys = np.full(values.shape, y)
    ax.plot(values, ys, "o", color=FAINT, markersize=4, linestyle="", zorder=2.5, label=words)


def margin_note(ax: Axes, text: str, y: float) -> None:
    """Words right of the axes, beside the row at ``y``."""
    ax.annotate(
        text,
        (1.015, y),
        xycoords=("axes fraction", "data"),
        va="center",
        ha="left",
        fontsize=8,
        color=INK,
        annotation_clip=False,
    )


def legend_once(ax: Axes, **options: Any) -> None:
    """A legend in which each of the words stands once; none where nothing has words."""
    handles, words = ax.get_legend_handles_labels()
    unique = dict(zip(words, handles))
    if unique:
        ax.legend(unique.values(), unique.keys(), **options)


def name_columns(ax: Axes, columns: list[Any], inches: float) -> None:
    """Names below the x axis of so many inches, turned where they need it."""
    places, words = axis_labels(columns)
    turn = axis_name_rotation(len(places), max(map(len, words)), inches)
    ax.set_xticks(
        places,
        words,
        rotation=turn,
        ha="right" if turn else "center",
        rotation_mode="anchor" if turn else "default",
        va="center" if turn == 90 else "top",
    )
