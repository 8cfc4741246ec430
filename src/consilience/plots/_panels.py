"""Pictures of one kind below each other, in the room of one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError
from consilience.plots._style import MUTED, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
