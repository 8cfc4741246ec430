"""The picture that `Comparison.plot` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._dots import MOST_ROWS, plot_dots
from consilience.plots._profile import plot_profile
from consilience.plots._read import check_is, names
from consilience.plots._style import MUTED, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Comparison

MOST_PANELS = 6


def plot_comparison(
    comparison: Comparison, ax: Axes | None = None, *, measure: str | None = None, **options: Any
) -> Axes:
    """Draws a layer profile where side a has several systems, else dots with intervals.

    Several measures are drawn one below the other in the room of ``ax``, each with a value axis of its own,
    as their scales differ; ``ax`` itself is then an empty frame around them. Past 6 measures the rest is
    left out, and the figure says so.

    Parameters
    ----------
    measure : one of the comparison's measures; all of them by default.
    **options : of `plot_profile` or `plot_dots`.
    """
    check_is(comparison, "Comparison", "plot_comparison")
    draw: Any = plot_profile if comparison.data.sizes["a"] > 1 else plot_dots
    measures = names(comparison.data, "measure")
    if measure is not None or len(measures) == 1:
        return draw(comparison, ax, measure=measure, **options)
    shown = measures[:MOST_PANELS]
    with style():
        ax = own_axes(ax, *_size(comparison, len(shown)))
        place = ax.get_subplotspec()
        if place is None:
            raise InputError(
                f"Comparison.plot: {len(measures)} measures need an axis of plt.subplots or add_subplot to share; "
                "give one, or pass measure=.",
                code="bad-parameter",
            )
        ax.set_axis_off()
        laid_out = ax.figure.get_layout_engine() is not None  # else room for names must be kept by hand
        rows = place.subgridspec(len(shown), 1, hspace=0.05 if laid_out else 0.5)
        for k, name in enumerate(shown):
            first, last = k == 0, k == len(shown) - 1
            panel = ax.figure.add_subplot(rows[k])
            draw(comparison, panel, measure=name, **{"legend": first, **options})
            panel.tick_params(labelbottom=last or draw is plot_dots)
        if len(measures) > len(shown):
            words = f"{len(measures) - len(shown)} more not drawn: pass measure="
            ax.text(1, 1, words, transform=ax.transAxes, ha="right", va="bottom", fontsize=8, color=MUTED)
    return ax


def _size(comparison: Comparison, panels: int) -> tuple[float, float]:
    """Inches (width, height) of a figure of so many panels."""
    a, b = comparison.data.sizes["a"], comparison.data.sizes["b"]
    if a > 1:
        return float(np.clip(2.5 + 0.28 * a, 4.8, 9.6)), 1.2 + 2.3 * panels
    return 7.4, 0.4 + panels * (0.9 + 0.32 * min(a * b, MOST_ROWS))
