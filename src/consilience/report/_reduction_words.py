"""What a result of `reduce` says: what components explain, held out and beside the null."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability
from consilience.report._phrases import ALPHA, name_of, percent, share, share_span
from consilience.report._words import plural

__all__ = ["of_reduction"]

_FITTED = {"trials": "single trials", "conditions": "means of conditions", "series": "the series"}


def of_reduction(result: Any) -> tuple[str, ...]:
    s, c = result.settings, result.components
    said = []
    if result.neighbours is not None:
        n = result.neighbours.attrs
        return (
            f"Of {plural(int(n['n_neighbours']), 'neighbour')} in the map {share(n['kept'])} are neighbours in the "
            f"data (chance {share(n['chance'])}; permuted data up to {share(n['null_high'])}).",
            f"Of another seed {share(n['over_seeds'])} are the same, of another subsample "
            f"{share(n['over_subsamples'])}.",
        )
    tested = c["p"].values
    if result.marginalizations is not None:
        for row in result.marginalizations["marginalization"].values.tolist()[:5]:
            m = result.marginalizations.sel(marginalization=row)
            p = float(m["p"])
            words = f"Components of {name_of(row)} explain {share(m['explained'])} of the variance of condition means"
            if np.isfinite(m["held_out"]):
                words += f", {share(m['held_out'])} of the signal held out"
                words += share_span(m["held_out_low"], m["held_out_high"], percent(result))
            said.append(words + (f"; {probability(p)} against shuffled labels." if np.isfinite(p) else "."))
        return tuple(said)
    k = result.n_components
    words = (
        f"{plural(k, 'component')} of {_FITTED[str(s['fitted'])]} explain {share(c['explained_total'][-1])}"
    )
    words += " of the variance"
    last = c.isel(component=-1)
    if np.isfinite(last["held_out_total"]):
        words += f", {share(last['held_out_total'])} of what was held out"
        words += share_span(last["held_out_total_low"], last["held_out_total_high"], percent(result))
    if np.isfinite(last["explained_total"]):
        said.append(words + ".")
    if np.isfinite(tested).any():
        found = int((tested <= ALPHA).sum())
        said.append(
            f"{found} of {plural(k, 'component')} {'are' if found != 1 else 'is'} more than units without relation to "
            f"each other would show (p at most {ALPHA:g}, {s['n_perm']} surrogates)."
        )
    alike = c["alike"].values
    if np.isfinite(alike).any():
        said.append(
            f"Loadings of resampled rows agree with these by |cosine| {number(float(np.nanmax(alike)))} (most "
            f"stable) to {number(float(np.nanmin(alike)))} (least)."
        )
    return tuple(said) or (f"{plural(k, 'latent')} of {_FITTED[str(s['fitted'])]}.",)
