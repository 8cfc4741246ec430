"""Latents against each other: a dot for each trial or sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._condition_colors import colors_of
from consilience.plots._reduction_parts import color_key, component_name, picked, row_labels
from consilience.plots._style import MUTED, drawing_svg, dress, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_MOST = 20_000
_MOST_SVG = 3_000


def plot_latents(
    reduction: Reduction,
    ax: Axes | None = None,
    *,
    components: Sequence[int | str] | None = None,
    color: Any = None,
    period: float | None = None,
) -> Axes:
    """Draws a dot for each trial (its mean over time) or sample: two latents against each other.

    Parameters
    ----------
    components : two numbers or names.   color : label by which dots are coloured, or a value for each; the first label
        that comes more than once.   period : of a label that is an angle (2 pi, 360): colours go round.
    """
    who = "plot_latents"
    shown = picked(reduction, components, 2, who)
    z = reduction.latents
    values = z.values if z.ndim == 2 else np.nanmean(z.values, axis=1)
    if len(shown) == 1 and components is None:
        values, shown = np.concatenate([values[:, :1], np.zeros((len(values), 1))], axis=1), [0, 1]
    if len(shown) != 2:
        raise InputError(f"{who}: give 2 components, got {len(shown)}.", code="bad-parameter")
    labels = {} if reduction.conditions is None else {
        k: np.asarray(z[k].values) for k in row_labels(reduction.conditions, "condition") if k in z.coords
    }  # fmt: skip
    every = {**labels, **row_labels(z, str(z.dims[0]))}
    by = color if color is not None else next(iter(labels), None)
    if by is None and z.dims[0] == "time" and "time" in z.coords:
        by = "time"
    if by is not None or every:
        colors = colors_of(every if by is not None else {}, len(values), by=by, period=period, who=who)
    else:
        colors = colors_of({}, len(values), by=None, period=None, who=who)
    if isinstance(by, str) and by == "time" and z.dims[0] == "time":
        colors = replace(colors, label=f"time ({z.attrs.get('time_units', 's')})")
    most = _MOST_SVG if drawing_svg() else _MOST
    step = -(-len(values) // most)
    with style():
        ax = own_axes(ax, 4.8, 3.9)
        dress(ax, grid="both")
        n = len(values[::step])
        ax.scatter(
            values[::step, shown[0]],
            values[::step, shown[1]],
            s=float(np.clip(3000 / n, 2, 26)),
            color=colors.each[::step],
            alpha=0.85 if n < 500 else 0.5,
            linewidth=0,
        )
        if reduction.factors is None:  # strengths of a tensor's components have no common scale
            ax.set_aspect("equal", adjustable="datalim")
        ax.set_xlabel(component_name(reduction, shown[0]))
        ax.set_ylabel(component_name(reduction, shown[1]) if reduction.n_components > 1 else "")
        color_key(ax, colors)
        if step > 1:
            ax.text(1, 1.01, f"{n:,} of {len(values):,} drawn", transform=ax.transAxes, ha="right", va="bottom",
                    fontsize=8, color=MUTED)  # fmt: skip
    return ax
