"""How well every unit is predicted, sorted, with its interval and its ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._read import check_is
from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Encoding

_MOST_INTERVALS = 150


def plot_encoding(encoding: Encoding, ax: Axes | None = None) -> Axes:
    """Draws r of every unit, sorted, with its interval; filled where p_fwer <= 0.05 (all, where nothing was tested);
    ticks are ceilings.

    The band is the interval of the median over rows and units together. A unit whose repeats are not reliable has no
    ceiling tick. Past 150 units the intervals become one shaded band.
    """
    check_is(encoding, "Encoding", "plot_encoding")
    data, said = encoding.data, encoding.settings
    order = np.argsort(data["r"].values)
    r, low, high = (data[k].values[order] for k in ("r", "ci_low", "ci_high"))
    ceiling = np.where(data["unreliable"].values, np.nan, data["ceiling"].values)[order]
    chance = data["p_fwer"].values[order]
    tested = bool(np.isfinite(chance).any())
    found = (chance <= 0.05) | (not tested)
    place = np.arange(r.size)
    color = PALETTE[0]
    with style():
        ax = own_axes(ax, 6.4, 3.8)
        dress(ax, grid="y")
        middle = encoding.interval
        if np.isfinite(middle).all():
            ax.axhspan(*middle, color=BAND, alpha=0.7, linewidth=0)
        ax.axhline(0, color=FAINT, linewidth=0.8)
        ax.axhline(encoding.value, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
        ax.text(
            0.01,
            encoding.value,
            f"median {number(encoding.value)}",
            transform=ax.get_yaxis_transform(),
            va="bottom",
            fontsize=8,
            color=MUTED,
        )
        if r.size > _MOST_INTERVALS:
            ax.fill_between(place, low, high, color=color, alpha=0.2, linewidth=0)
        else:
            ax.vlines(place, low, high, color=color, alpha=0.45, linewidth=1.2)
        size = 26 if r.size <= 60 else 10
        ax.scatter(
            place[~found], r[~found], s=size, facecolor="white", edgecolor=color, linewidth=1, zorder=3
        )
        dots = ax.scatter(place[found], r[found], s=size, color=color, zorder=4)
        tip(dots, f"{int(found.sum())} units" + (" above chance (p_fwer <= 0.05)" if tested else ""))
        if np.isfinite(ceiling).any():
            ax.scatter(place, ceiling, marker="_", s=size * 2, color=PALETTE[1], linewidth=1.5, zorder=3)
        ax.set_xlim(-0.8, r.size - 0.2)
        top = np.nanmax(np.concatenate([high, ceiling, r]))
        bottom = min(0.0, np.nanmin(np.concatenate([low, r])))
        ax.set_ylim(bottom - 0.05 * (top - bottom), top + 0.16 * (top - bottom))
        ax.set_xlabel(f"unit of {label(said.get('y', 'y'), 30)}, sorted by r")
        if r.size <= 12:
            ax.set_xticks(place, [label(u, 10) for u in data["unit"].values[order].tolist()])
        else:
            ax.set_xticks([0, r.size - 1], ["1", str(r.size)])
        ax.set_ylabel("held-out r")
        ax.set_title(f"{label(said.get('x', 'x'), 28)} predicts {label(said.get('y', 'y'), 28)}")
        _legend(ax, bool(np.isfinite(ceiling).any()), tested, color)
    return ax


def _legend(ax: Axes, ceilings: bool, tested: bool, color: str) -> None:
    from matplotlib.lines import Line2D

    def mark(marker: str, words: str, **options: object) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, label=words, **options)  # type: ignore[arg-type]

    marks = []
    if tested:
        marks.append(mark("o", "above chance (p_fwer)", color=color, markersize=5))
        marks.append(mark("o", "not shown to be", color=color, markerfacecolor="white", markersize=5))
    if ceilings:
        marks.append(mark("_", "ceiling (repeats)", color=PALETTE[1], markersize=9, markeredgewidth=1.5))
    if not marks:
        return
    ax.legend(
        handles=marks,
        loc="upper left",
        ncols=3,
        fontsize=8,
        handletextpad=0.2,
        columnspacing=1.2,
        labelcolor=INK,
    )
