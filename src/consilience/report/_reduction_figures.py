"""Captions of the figures of a result of `reduce`, and which ones follow the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._component_courses import courses_of

if TYPE_CHECKING:
    from consilience.report._figures import Figure

__all__ = ["further_of_reduction", "reduction_caption"]

_UNITS = 60  # up to which loadings are drawn


def reduction_caption(result: Any) -> str:
    if result.neighbours is not None:
        return (
            "Left: the map. Right: the share of neighbours in the map that are neighbours in the data, and in maps of "
            "other seeds and subsamples: mean (dot), middle 50 % (thick) and 90 % (thin) of rows; dotted: chance; "
            "grey: up to the upper quantile of permuted data."
        )
    lines = "time" in result.latents.dims and result.conditions is not None
    left = (
        "Left: means of conditions over time (open: start, filled: end)."
        if lines
        else "Left: each trial or sample."
    )
    if np.isfinite(result.components["explained"]).any():
        parts = ", a colour for each marginalization" if result.marginalizations is not None else ""
        left += f" Right: variance explained by each component (bars: fitted{parts}; dots: held out, with intervals"
        left += (
            "; grey: what unrelated units show" if np.isfinite(result.components["null_high"]).any() else ""
        )
        left += "; star: p at most 0.05)."
        if (result.components["explained"].values < -0.005).any():
            left += (
                " Below 0: a component that, without the others, is further from the data than their mean."
            )
    return left


def further_of_reduction(result: Any) -> list[Figure]:
    """Courses of the components where there is time, factors of a tensor, loadings of few units."""
    from consilience.report._figures import Figure

    out: list[Figure] = []
    if result.neighbours is not None:
        return out
    if result.factors is not None:
        out.append(
            Figure(
                title="Factors",
                caption="A row for each component: its strength in each trial, its course, its units in the order of "
                "the first.",
                options={"kind": "factors"},
            )
        )
    elif "time" in result.latents.dims and result.conditions is not None:
        most, n = len(courses_of(result)), result.n_components
        out.append(
            Figure(
                title="Components over time",
                caption="Means of conditions, with intervals over trials where there are several; dotted: time 0."
                + (f" {most} of {n} components." if n > most else ""),
                options={"kind": "courses"},
            )
        )
    if result.loadings is not None and result.loadings.sizes["unit"] <= _UNITS:
        known = np.isfinite(result.loadings["ci_low"].values).any()
        out.append(
            Figure(
                title="Units of the components",
                caption="Loadings, sorted"
                + (
                    ", with intervals over resampled rows; filled: the interval does not hold 0."
                    if known
                    else "."
                ),
                options={"kind": "loadings"},
            )
        )
    return out
