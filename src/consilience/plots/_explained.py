"""Bars of what components explain, fitted and held out, beside what chance would; of demixed PCA by marginalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label
from consilience.plots._read import check_is
from consilience.plots._style import (
    BAND,
    FAINT,
    INK,
    MUTED,
    PALETTE,
    axis_name_rotation,
    dress,
    own_axes,
    style,
    tip,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_MOST = 30


def plot_explained(reduction: Reduction, ax: Axes | None = None) -> Axes:
    """Draws, for each component, the share of variance that it explains: a bar of what was fitted, with the interval
    over drawn rows; a dot of held-out rows with its interval; a grey band up to the upper quantile of the null, units
    without relation to each other. A star: p at most 0.05. Components of demixed PCA are bars in parts, one colour for
    each marginalization, so that a bar of one colour is a demixed component.
    """
    who = "plot_explained"
    check_is(reduction, "Reduction", who)
    c = reduction.components.isel(component=slice(0, _MOST))
    n = c.sizes["component"]
    x = np.arange(n)
    with style():
        ax = own_axes(ax, max(3.4, 1.6 + 0.42 * n), 3.4)
        dress(ax)
        top = c["null_high"].values
        where = np.isfinite(top)
        if where.any():
            edges = np.repeat(x[where], 2) + np.tile([-0.5, 0.5], int(where.sum()))
            ax.fill_between(
                edges, 0, np.repeat(100 * top[where], 2), color=BAND, linewidth=0, zorder=1,
                label=f"null, up to its {100 * float(reduction.settings['level']):g} % quantile",
            )  # fmt: skip
        parts = reduction.marginalizations
        value = 100 * c["explained"].values
        if parts is not None:
            _stacked(ax, x, 100 * parts["explained_by"].values[:n], parts["marginalization"].values.tolist())
        else:
            bars = ax.bar(
                x, value, width=0.62, color=PALETTE[0], alpha=0.55, linewidth=0, zorder=2, label="fitted"
            )
            for bar, v, name in zip(bars, value, c["component"].values.tolist()):
                tip(bar, f"{name}: {v:.3g} %")
            low, high = 100 * c["ci_low"].values, 100 * c["ci_high"].values
            _intervals(ax, x - 0.13, low, high, PALETTE[0], 3)
        held = 100 * c["held_out"].values
        if np.isfinite(held).any():
            color = INK if parts is not None else PALETTE[1]
            low, high = 100 * c["held_out_low"].values, 100 * c["held_out_high"].values
            _intervals(ax, x + 0.13, low, high, color, 4)
            ax.scatter(
                x + 0.13,
                held,
                s=22,
                color=color,
                edgecolor="white",
                linewidth=0.6,
                zorder=5,
                label="held out",
            )
        p = c["p"].values
        ends = np.stack([value, held, 100 * c["held_out_high"].values, 100 * c["ci_high"].values])
        highest = np.nanmax(np.vstack([ends, np.zeros(n)]), axis=0)
        span = float(np.ptp(np.r_[np.nanmax(highest), np.nanmin(np.r_[0.0, value, held])])) or 1.0
        for i in np.flatnonzero(p <= 0.05):
            ax.text(
                x[i], highest[i] - 0.005 * span, "*", ha="center", va="bottom", fontsize=11, color=INK,
            )  # fmt: skip
        ax.axhline(0, color=FAINT, linewidth=0.8, zorder=1.5)
        names = [label(v, 24) for v in c["component"].values.tolist()]
        _name(ax, x, names)
        ax.set_xlim(-0.6, n - 0.4)
        _limits(ax, c, value, held, span, float(np.nanmax(highest)))
        ax.set_ylabel("variance explained (%)")
        ax.legend(loc="best", handlelength=1.2)
        if reduction.n_components > n:
            ax.text(
                1, 1.0, f"{n} of {reduction.n_components} components", transform=ax.transAxes, ha="right", va="bottom",
                fontsize=8, color=MUTED,
            )  # fmt: skip
    return ax


def _intervals(ax: Axes, x: np.ndarray, low: np.ndarray, high: np.ndarray, color: str, zorder: float) -> None:
    """Upright bars as one broken line, which a legend that looks for room sees."""
    gap = np.full(len(x), np.nan)
    ax.plot(
        np.column_stack([x, x, gap]).ravel(),
        np.column_stack([low, high, gap]).ravel(),
        color=color,
        linewidth=1.6,
        zorder=zorder,
        solid_capstyle="butt",
    )


def _stacked(ax: Axes, x: np.ndarray, by: np.ndarray, parts: list[str]) -> None:
    base = np.zeros(len(x))
    for k, name in enumerate(parts):
        height = np.maximum(by[:, k], 0.0)
        ax.bar(
            x, height, bottom=base, width=0.66, color=PALETTE[k % len(PALETTE)], linewidth=0, zorder=2,
            label=label(name, 22),
        )  # fmt: skip
        base = base + height


def _name(ax: Axes, x: np.ndarray, names: list[str]) -> None:
    """Names below the bars, turned where they have no room; of many numbered ones every second, or every fifth."""
    inches = ax.get_window_extent().width / ax.figure.dpi
    if len({name.rstrip("0123456789") for name in names}) == 1 and len(names) > 12:
        step = 2 if max(map(len, names)) * 0.075 < 2 * inches / len(names) else 5
        kept = sorted({0, *range(step - 1, len(names), step)} if step == 5 else range(0, len(names), step))
        ax.set_xticks([x[k] for k in kept], [names[k] for k in kept])
        return
    turn = axis_name_rotation(len(names), max(map(len, names)), inches)
    if turn == 90:
        ax.set_xticks(x, names, rotation=90, ha="right", va="center", rotation_mode="anchor")
    else:
        ax.set_xticks(x, names, rotation=turn, ha="right" if turn == 45 else "center", rotation_mode="anchor")


def _limits(ax: Axes, c: Any, value: np.ndarray, held: np.ndarray, span: float, top: float) -> None:
    """All values are inside; an interval that goes on far below them ends in a triangle."""
    low = float(np.nanmin(np.r_[0.0, value, held]))
    ends = 100 * np.fmin(c["held_out_low"].values, c["ci_low"].values)
    edge = max(float(np.nanmin(np.r_[low, ends])), low - 0.25 * span)
    bottom = edge - 0.03 * span if edge < 0 else 0.0
    ax.set_ylim(bottom, top + 0.16 * span)
    for k in np.flatnonzero(ends < bottom):
        ax.plot([k], [bottom], "v", color=MUTED, markersize=4, clip_on=False, zorder=6)
