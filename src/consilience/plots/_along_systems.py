"""Curves along many systems, such as layers: their places, names below the axis, values with interval and null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, told_apart
from consilience.plots._style import BAND, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curve", "name_systems", "places_of", "runs_of"]

_NAMES = 12

Runs = list[tuple[str, list[int]]]


def runs_of(systems: list[str]) -> Runs:
    """(group, places) of systems whose names begin alike, such as "trained layer 1", where all are of such groups, each
    of 2 or more side by side; else one group without a name.
    """
    heads = [name.split(" ")[0] if " " in name else "" for name in systems]
    starts = [k for k, head in enumerate(heads) if k == 0 or head != heads[k - 1]]
    runs = [(heads[k], list(range(k, end))) for k, end in zip(starts, [*starts[1:], len(heads)], strict=True)]
    whole = all(head and len(places) > 1 for head, places in runs) and len({r[0] for r in runs}) == len(runs)
    return runs if whole and len(runs) > 1 else [("", list(range(len(systems))))]


def places_of(runs: Runs) -> np.ndarray:
    """Places of the systems on the axis, with a gap between groups."""
    return np.concatenate([np.asarray(places) + k for k, (_, places) in enumerate(runs)])


def curve(
    ax: Axes,
    x: np.ndarray,
    runs: Runs,
    table: Mapping[str, np.ndarray],
    color: Any,
    *,
    edge: float | None = None,
) -> None:
    """The line of ``table["value"]`` with the bands ci_low to ci_high, and null_low to null_high in grey.

    edge : where bands without an upper end go to; None = they are not drawn there.
    """
    value = table["value"]
    for _, places in runs:  # a line would lead from the last of one group to the first of the next
        own = slice(places[0], places[-1] + 1)
        for low, high, how in (
            ("null_low", "null_high", {"facecolor": BAND, "edgecolor": BAND, "linewidth": 1.2, "zorder": 1}),
            ("ci_low", "ci_high", {"color": color, "alpha": 0.18, "linewidth": 0, "zorder": 2}),
        ):
            ends = table[low][own], table[high][own]
            top = ends[1] if edge is None else np.where(np.isposinf(ends[1]), edge, ends[1])
            if np.isfinite(ends[0]).any():
                ax.fill_between(x[own], ends[0], top, **how)
        ax.plot(x[own], value[own], color=color, linewidth=1.6, zorder=3)


def name_systems(ax: Axes, systems: list[str], x: np.ndarray, runs: Runs) -> None:
    """Names below the axis, at most 12 of them, and groups at the top."""
    step = max(1, -(-len(systems) // _NAMES))
    names = [name[len(head) :].strip() for head, places in runs for name in (systems[k] for k in places)]
    ax.set_xticks(x[::step], told_apart(names[::step], 14), rotation=40, ha="right", fontsize=7)
    for head, places in runs:
        if head:
            ax.text(
                x[places].mean(),
                0.98,
                label(head, 16),
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=7,
                color=MUTED,
            )
    if len(runs) > 1:
        ax.margins(y=0.16)
