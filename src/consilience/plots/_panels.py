"""Several pictures in the room of one axis: below each other, or in rows and columns with a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError
from consilience.plots._style import MUTED, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

MOST_PANELS = 6


def stacked(
    ax: Axes | None,
    draw: Callable[[Any, Axes], object],
    entries: Sequence[Any],
    *,
    option: str,
    who: str,
    size: tuple[float, float],
) -> Axes:
    """``draw(entry, panel)`` for each entry, below each other; ``ax`` becomes an empty frame around them.

    Past 6 the rest is left out, and the figure says so. ``option``: by which one of them is asked for.   size : inches
    (width, height of one panel) of a figure made here.
    """
    shown = list(entries[:MOST_PANELS])
    with style():
        ax = own_axes(ax, size[0], size[1] * len(shown))
        place = ax.get_subplotspec()
        if place is None:
            raise InputError(
                f"{who}: {len(entries)} pictures need an axis of plt.subplots or add_subplot to share; give one, or "
                f"pass {option}=.",
                code="bad-parameter",
            )
        ax.set_axis_off()
        laid_out = ax.figure.get_layout_engine() is not None  # else room for names must be kept by hand
        rows = place.subgridspec(len(shown), 1, hspace=0.05 if laid_out else 0.5)
        for k, entry in enumerate(shown):
            draw(entry, ax.figure.add_subplot(rows[k]))
        if len(entries) > len(shown):
            words = f"{len(entries) - len(shown)} more not drawn: pass {option}="
            ax.text(1, 1, words, transform=ax.transAxes, ha="right", va="bottom", fontsize=8, color=MUTED)
    return ax


def panel_places(
    ax: Axes | None,
    count: int,
    columns: int,
    *,
    panel: tuple[float, float],
    frame: tuple[float, float],
    key: float,
    key_first: bool,
    gaps: tuple[tuple[float, float], tuple[float, float]],
    who: str,
) -> tuple[Axes, list[SubplotSpec], SubplotSpec]:
    """``ax`` (or one of a new figure) without its frame, the places of ``count`` panels by rows, and that of the key.

    Parameters
    ----------
    panel, frame : (width, height) of a panel, and of what is around all of them, in inches, for a new figure.
    key : height of the row of the key, in panels.   key_first : above the panels, or below.
    gaps : (down, across) where the figure lays itself out, and where it does not, as of a grid of matplotlib.
    """
    rows = -(-count // columns)
    ax = own_axes(ax, panel[0] * columns + frame[0], panel[1] * rows + frame[1])
    place = ax.get_subplotspec()
    if place is None:
        raise InputError(
            f"{who}: {count} panels need an axis of plt.subplots or add_subplot to share; give one.",
            code="bad-parameter",
        )
    ax.set_axis_off()
    down, across = gaps[0] if ax.figure.get_layout_engine() is not None else gaps[1]
    heights = [1.0] * rows
    heights.insert(0 if key_first else rows, key)
    grid = place.subgridspec(rows + 1, columns, height_ratios=heights, hspace=down, wspace=across)
    first = int(key_first)
    places = [grid[first + k // columns, k % columns] for k in range(count)]
    return ax, places, grid[0 if key_first else rows, :]
