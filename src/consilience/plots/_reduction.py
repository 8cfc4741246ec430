"""The figure of a `Reduction`: what suits it, or the kind that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._params import check_option
from consilience.plots._component_courses import plot_component_courses
from consilience.plots._component_loadings import plot_loadings
from consilience.plots._explained import plot_explained
from consilience.plots._latents import plot_latents
from consilience.plots._map_neighbours import plot_neighbours
from consilience.plots._read import check_is
from consilience.plots._style import own_axes, style
from consilience.plots._tensor_factors import plot_tensor_factors
from consilience.plots._trajectories import plot_trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_LEFT, _BETWEEN = 3.9, 2.3  # inches: the latents, and the room of their key and of the next axis
_KINDS: dict[str, Callable[..., Any]] = {
    "explained": plot_explained,
    "trajectories": plot_trajectories,
    "courses": plot_component_courses,
    "loadings": plot_loadings,
    "latents": plot_latents,
    "factors": plot_tensor_factors,
    "neighbours": plot_neighbours,
}


def plot_reduction(
    reduction: Reduction, ax: Axes | None = None, *, kind: str | None = None, **options: Any
) -> Axes:
    """Draws latents beside what their components explain (of embeddings, how far neighbours are kept); or one ``kind``
    of figure.

    Latents are trajectories of conditions where there are conditions and time, dots else; ``ax`` becomes an empty
    frame around the two.

    Parameters
    ----------
    kind : "explained", "trajectories", "courses", "loadings", "latents", "factors" or "neighbours", with the options of
        `plot_explained`, `plot_trajectories`, `plot_component_courses`, `plot_loadings`, `plot_latents`,
        `plot_tensor_factors`. None: those of the latents.
    """
    who = "plot_reduction"
    check_is(reduction, "Reduction", who)
    if kind is not None:
        return _KINDS[check_option(kind, _KINDS, name="kind", who=who)](reduction, ax, **options)
    lines = (
        "time" in reduction.latents.dims and reduction.conditions is not None and reduction.n_components > 1
    )
    draw: Any = plot_trajectories if lines else plot_latents
    beside: Any = plot_explained if reduction.neighbours is None else plot_neighbours
    if reduction.neighbours is None and reduction.components["explained"].isnull().all():
        return draw(reduction, ax, **options)
    with style():
        right = (
            3.0
            if reduction.neighbours is not None
            else float(np.clip(0.21 * reduction.n_components, 2.6, 4.8))
        )
        width = _LEFT + _BETWEEN + right
        ax = own_axes(ax, width + 0.9, 3.6)
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(0, 1))
        draw(reduction, ax.inset_axes((0, 0, _LEFT / width, 1)), **options)
        beside(reduction, ax.inset_axes((1 - right / width, 0, right / width, 1)))
    return ax
