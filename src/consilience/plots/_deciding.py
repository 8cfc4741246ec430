"""Which stimuli decide between two systems: contributions in order, and what the first few carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import label, number, probability
from consilience.plots._read import check_is
from consilience.plots._style import BEST, FAINT, INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import DecidingStimuli

NAMED = 3


def plot_deciding(deciding: DecidingStimuli, ax: Axes | None = None) -> Axes:
    """Draws what every stimulus adds to the difference of two values, sorted, with intervals over the other stimuli.

    Filled: corrected p < 0.05 under these responses (their noise included), where the difference itself is told from 0
    over stimuli; all open where it is not. The three stimuli at either end are named. The small axis at the upper
    right shows the share of the difference that the k most deciding stimuli carry, chosen with one half of the other
    stimuli and scored with the other half; dashed: k of any.
    """
    check_is(deciding, "DecidingStimuli", "plot_deciding")
    frame = deciding.to_frame()
    first, second = (label(deciding.settings[name], 24) for name in ("first", "second"))
    y = frame["contribution"].to_numpy(dtype=np.float64)
    low, high = (frame[f"ci_{end}"].to_numpy(dtype=np.float64) for end in ("low", "high"))
    sure = frame["p_corrected"].to_numpy(dtype=np.float64) < 0.05
    sure &= deciding.told_apart
    tested = bool(np.isfinite(low).any())
    x = np.arange(1, len(y) + 1)
    with style():
        ax = own_axes(ax, 6.6, 3.8)
        dress(ax, grid="y")
        ax.axhline(0, color=FAINT, linewidth=0.8)
        colors = np.where(y >= 0, PALETTE[0], BEST)
        width = max(0.6, min(2.2, 130 / len(x)))
        for k in range(len(x)):
            if np.isfinite(low[k]):
                ax.plot([x[k]] * 2, [low[k], high[k]], color=colors[k], linewidth=width, alpha=0.35)
            face = colors[k] if sure[k] or not tested else "white"
            dot = ax.scatter(
                x[k], y[k], s=24 if len(x) <= 120 else 9, zorder=3, color=face, edgecolor=colors[k]
            )
            tip(dot, f"{label(frame['stimulus'][k], 60)}\n{number(y[k], 4)}")
        bottom, top = np.nanmin([*low, *y]), np.nanmax([*high, *y])
        room = 0.06 * (top - bottom or 1)
        ax.set_ylim(bottom - 2.2 * room, top + room)
        ax.set_xlim(-0.02 * len(x), 1.03 * len(x) + 1)
        _name_ends(ax, frame["stimulus"].tolist())
        ax.set_xlabel(f"stimuli, from those for {first} to those for {second}")
        ax.set_ylabel("part of the difference")
        ax.set_title(f"{first} or {second}?", pad=30)
        ax.text(
            0, 1.02, "\n".join(_said(deciding, tested=tested)), transform=ax.transAxes, fontsize=8, color=MUTED,
            va="bottom",
        )  # fmt: skip
        if np.isfinite(deciding.curve["held_out_share"].values).any():
            # the inset takes the upper right: what lies under it must stay below half of the axis
            right = x > 0.55 * len(x)
            under = max(float(np.nanmax([*high[right], *y[right]])), 0.0)
            floor, head = ax.get_ylim()
            ax.set_ylim(floor, max(head, floor + (under - floor) / 0.46))
            _curve(ax, deciding)
    return ax


def _said(deciding: DecidingStimuli, *, tested: bool) -> tuple[str, str]:
    """Two lines: whether the systems differ at all, and what the dots are."""
    at = deciding.data
    values = (
        f"{label(deciding.settings['measure'], 30)} with {label(deciding.settings['b'], 24)}: "
        f"{number(float(at['value_first']))} and {number(float(at['value_second']))}"
    )
    if abs(deciding.difference) <= 1e-12:
        return f"{values}; there is no difference", ""
    if "p" in at:
        ends = f"[{number(float(at['ci_low']))}, {number(float(at['ci_high']))}]"
        apart = "" if deciding.told_apart else ", not told from 0"
        values += f"; difference {number(deciding.difference)} {ends}, {probability(float(at['p']))}{apart}"
    filled = "filled: corrected p < 0.05; " if tested and deciding.told_apart else ""
    flips = float(at["n_to_flip"])
    turns = f"; without {int(flips)} stimuli the order turns" if np.isfinite(flips) else ""
    return values, f"{filled}parts are of these responses, their noise included{turns}"


def _name_ends(ax: Axes, ids: list[str]) -> None:
    """The names at either end, below the dots."""
    count = min(NAMED, len(ids) // 2)
    for names, place, side in ((ids[:count], 0.01, "left"), (ids[: -count - 1 : -1], 0.99, "right")):
        words = ", ".join(label(name, 20) for name in names)
        words = f"first: {words}" if side == "left" else f"last: {words}"
        ax.text(place, 0.02, words, transform=ax.transAxes, ha=side, va="bottom", fontsize=7.5, color=INK)


def _curve(ax: Axes, deciding: DecidingStimuli) -> None:
    n = int(deciding.data["n_stimuli"])
    k, share = deciding.curve["removed"].values, deciding.curve["held_out_share"].values
    inner = ax.inset_axes((0.66, 0.62, 0.33, 0.34))
    dress(inner, grid="")
    inner.plot(k, k / n, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    inner.plot(k, share, color=PALETTE[2], linewidth=1.8)
    inner.set_xlim(0, k[-1])
    inner.set_ylim(0, max(1.05, float(np.nanmax(share)) * 1.05))
    inner.locator_params(axis="x", integer=True, nbins=5)
    inner.set_xlabel("k most deciding", fontsize=7.5, labelpad=1)
    inner.set_title("share carried, held out", fontsize=7.5, fontweight="normal", color=MUTED, pad=3)
    inner.tick_params(labelsize=7)
