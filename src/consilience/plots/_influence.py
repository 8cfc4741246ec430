"""How much each stimulus moves a value: sorted stems, the flagged ones named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import BEST, FAINT, INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Influence

MOST_NAMED = 6


def plot_influence(
    influence: Influence,
    ax: Axes | None = None,
    *,
    measure: str | None = None,
    a: str | None = None,
    b: str | None = None,
) -> Axes:
    """Draws the influence of every stimulus on one pair's value, sorted, as stems from 0; flagged stimuli are orange
    and named.

    Below 0: the value falls without the stimulus. Past 6 flagged stimuli the largest are named.

    Parameters
    ----------
    measure, a, b : the pair; by default the one that a single stimulus moves most.
    """
    who = "plot_influence"
    check_is(influence, "Influence", who)
    chosen = {}
    for dim, wanted, default in zip(("measure", "a", "b"), (measure, a, b), influence._pair()):
        known = names(influence.stimuli, dim)
        chosen[dim] = pick_names(influence.stimuli, dim, wanted, who)[0] if wanted is not None else default
        if chosen[dim] not in known:
            chosen[dim] = next(name for name in known if str(name) == chosen[dim])
    at, pair = influence.stimuli.sel(chosen), influence.data.sel(chosen)
    values = np.asarray(at["influence"].values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ids, flagged = at["stimulus"].values[order], at["flagged"].values[order].astype(bool)
    values = values[order]
    x = np.arange(1, len(values) + 1)
    with style():
        ax = own_axes(ax, 6.2, 3.4)
        dress(ax, grid="y")
        ax.axhline(0, color=FAINT, linewidth=0.8)
        colors = np.where(flagged, BEST, PALETTE[0])
        ax.vlines(x, 0, values, colors=colors.tolist(), linewidth=max(0.6, min(2.0, 160 / len(x))))
        size = 26 if len(x) <= 120 else 10
        for k in range(len(x)):
            if flagged[k] or len(x) <= 300:
                dot = ax.scatter(
                    x[k], values[k], s=size, color=colors[k], zorder=3, edgecolor="white", linewidth=0.5
                )
                tip(dot, f"{label(ids[k], 60)}\n{number(values[k], 3)}")
        _name(ax, x, values, ids, flagged)
        ax.set_xlim(-0.02 * len(x), 1.02 * len(x) + 1)
        low, high = min(values.min(), 0), max(values.max(), 0)
        room = 0.08 * (high - low or 1)
        ax.set_ylim(low - room, high + room)
        pairs = influence.data["value"].size
        others = f" (1 of {pairs} pairs; others: measure=, a=, b=)" if pairs > 1 else ""
        ax.set_xlabel(f"stimuli, sorted{others}")
        ax.set_ylabel("value without it − value")
        ax.set_title(f"{label(chosen['measure'], 40)}: {label(chosen['a'])} and {label(chosen['b'])}", pad=18)
        said = (
            f"value {number(float(pair['value']))}, jackknife standard error {number(float(pair['se']), 3)}"
        )
        count = int(flagged.sum())
        said += f"; {count} of {len(x)} stimuli flagged" if count else "; none flagged"
        ax.text(0, 1.02, said, transform=ax.transAxes, fontsize=8, color=MUTED, va="bottom")
    return ax


def _name(ax: Axes, x: np.ndarray, values: np.ndarray, ids: np.ndarray, flagged: np.ndarray) -> None:
    """Names of the flagged stimuli beside their dots, towards the middle of the axis, one below the other."""
    at = np.flatnonzero(flagged)
    at = np.sort(at[np.argsort(-np.abs(values[at]), kind="stable")[:MOST_NAMED]])
    middle = len(x) / 2
    for side in (at[x[at] <= middle], at[x[at] > middle][::-1]):
        last = None
        for k in side:
            left = x[k] <= middle
            span = max(values.max(), 0) - min(values.min(), 0) or 1
            y = values[k]
            if last is not None and abs(y - last) < 0.07 * span:
                y = last + (0.07 * span if left else -0.07 * span)
            last = y
            ax.annotate(
                label(ids[k]),
                (x[k], values[k]),
                (x[k] + (0.02 if left else -0.02) * len(x), y),
                ha="left" if left else "right",
                va="center",
                fontsize=8,
                color=INK,
            )
