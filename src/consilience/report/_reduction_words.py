"""What a result of `reduce` says: what components explain, held out and beside the null; and the caption."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability
from consilience.report._phrases import ALPHA, name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_reduction", "reduction_caption"]

_FITTED = {"trials": "single trials", "conditions": "means of conditions", "series": "the series"}


def of_reduction(result: Any) -> tuple[str, ...]:
    s, c = result.settings, result.components
    said = []
    if result.neighbours is not None:
        n = result.neighbours.attrs
        return (
            f"Of {plural(int(n['n_neighbours']), 'neighbour')} in the map {_share(n['kept'])} are neighbours in the "
            f"data (chance {_share(n['chance'])}; permuted data up to {_share(n['null_high'])}).",
            f"Of another seed {_share(n['over_seeds'])} are the same, of another subsample "
            f"{_share(n['over_subsamples'])}.",
        )
    tested = c["p"].values
    if result.marginalizations is not None:
        for row in result.marginalizations["marginalization"].values.tolist()[:5]:
            m = result.marginalizations.sel(marginalization=row)
            p = float(m["p"])
            words = f"{name_of(row)}: components explain {_share(m['explained'])} of the variance of condition means"
            if np.isfinite(m["held_out"]):
                words += f", {_share(m['held_out'])} of the signal held out"
                words += span(m["held_out_low"].item(), m["held_out_high"].item(), percent(result))
            said.append(words + (f"; {probability(p)} against shuffled labels." if np.isfinite(p) else "."))
        return tuple(said)
    k = result.n_components
    words = (
        f"{plural(k, 'component')} of {_FITTED[str(s['fitted'])]} explain {_share(c['explained_total'][-1])}"
    )
    words += " of the variance"
    last = c.isel(component=-1)
    if np.isfinite(last["held_out_total"]):
        words += f", {_share(last['held_out_total'])} of what was held out"
        words += span(last["held_out_total_low"].item(), last["held_out_total_high"].item(), percent(result))
    if np.isfinite(last["explained_total"]):
        said.append(words + ".")
    if np.isfinite(tested).any():
        found = int((tested <= ALPHA).sum())
        said.append(
            f"{plural(found, 'component')} of {k} {'are' if found != 1 else 'is'} more than units without relation to "
            f"each other would show (p at most {ALPHA:g}, {s['n_perm']} surrogates)."
        )
    alike = c["alike"].values
    if np.isfinite(alike).any():
        said.append(
            f"Loadings of drawn rows agree with these by |cosine| {number(float(np.nanmax(alike)))} (most stable) to "
            f"{number(float(np.nanmin(alike)))} (least)."
        )
    return tuple(said) or (f"{plural(k, 'latent')} of {_FITTED[str(s['fitted'])]}.",)


def _share(value: Any) -> str:
    return f"{number(100 * float(value), 3)} %"


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
    return left
