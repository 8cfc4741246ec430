"""The picture that `Comparison.plot` draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consilience.plots._dots import plot_dots
from consilience.plots._profile import plot_profile
from consilience.plots._read import check_is

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Comparison


def plot_comparison(
    comparison: Comparison, ax: Axes | None = None, *, measure: str | None = None, **options: Any
) -> Axes:
    """Draws a layer profile where side a has several systems, else dots with intervals.

    Parameters
    ----------
    measure : one of the comparison's measures; the first by default.
    **options : of `plot_profile` or `plot_dots`.
    """
    check_is(comparison, "Comparison", "plot_comparison")
    if comparison.data.sizes["a"] > 1:
        return plot_profile(comparison, ax, measure=measure, **options)
    return plot_dots(comparison, ax, measure=measure, **options)
