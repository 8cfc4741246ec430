"""What predicted perturbations say, and how they met the experiment."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import name_of, percent, span
from consilience.report._words import plural

__all__ = ["of_perturbation_score", "of_predicted_perturbation"]


def of_predicted_perturbation(result: Any) -> tuple[str, ...]:
    s, joined = result.settings, result.families
    first = joined["outcome"].values[0]
    said = [
        f"{name_of(s.get('target'))} was told from {plural(s.get('n_units', 0), 'unit')} of {name_of(s.get('system'))} "
        f"by {plural(result.data.sizes['family'], 'family')} of models, of which units were then perturbed."
    ]
    for name in joined["perturbation"].values.tolist()[:6]:
        row = joined.sel(perturbation=name, outcome=first)
        ends = span(row["low"], row["high"], percent(result)).replace("interval", "interval of any family")
        trials = float(row["trials"])
        many = (
            "not known"
            if np.isnan(trials)
            else "more than a million"
            if np.isinf(trials)
            else f"{trials:,.0f}"
        )
        said.append(
            f"{name_of(name)}: {name_of(first)} changes by {number(float(row['change']))}{ends}; trials in "
            f"each arm: {many}."
        )
    said.append(
        "These are predictions of models that were fitted to undisturbed activity; they assume that the readout is "
        "causal."
    )
    return tuple(said)


def of_perturbation_score(result: Any) -> tuple[str, ...]:
    said = [f"Predictions were held against {plural(result.pairs.sizes['pair'], 'observed change')}."]
    for row in result.to_frame().head(6).to_dict("records"):
        sign, inside = (
            "no change" if np.isnan(v) else f"{v:.0%}" for v in (row["sign_agreement"], row["inside"])
        )
        text = (
            f"{name_of(row['family'])}: the sign was right in {sign}, the change inside the "
            f"predicted interval in {inside}; error {number(row['error'])} standard deviations from trial "
            f"to trial, {number(row['error_no_change'])} for no change at all"
        )
        if np.isfinite(row["error_controls"]):
            text += f", {number(row['error_controls'])} for matched controls"
        said.append(text + ".")
    return tuple(said)
