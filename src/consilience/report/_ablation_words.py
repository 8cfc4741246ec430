"""What an `Ablation` says."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number
from consilience.report._phrases import ALPHA, name_of
from consilience.report._words import plural

__all__ = ["of_ablation"]


def of_ablation(result: Any) -> tuple[str, ...]:
    said, data, settings = [], result.data, result.settings
    score = str(settings.get("evaluate", "the score")).replace("_", " ")
    intact = f"Intact, {name_of(score)} is {number(float(data['intact']), 3)}"
    if np.isfinite(float(data["intact_low"])):
        intact += f" [{number(float(data['intact_low']), 3)}, {number(float(data['intact_high']), 3)}]"
    hows = data["how"].values.tolist()[:3]
    if data.sizes["part"]:  # the answer first
        said.append(_of_parts(data.sel(how=hows[0]), hows[0]))
    said.append(f"{intact}.")
    for how in hows:
        if data.sizes["part"] and how != hows[0]:
            said.append(_of_parts(data.sel(how=how), how))
        if result.curves is not None:
            text = _of_orders(result.curves.sel(how=how), how)
            if text:
                said.append(text)
    if result.agreement is not None:
        for k in range(min(3, result.agreement.sizes["pair"])):
            at = result.agreement.isel(pair=k)
            said.append(
                f"Impacts with {name_of(at['a'].item())} and with {name_of(at['b'].item())} have a rank correlation of "
                f"{number(float(at['correlation']))} [{number(float(at['ci_low']))}, {number(float(at['ci_high']))}]; "
                f"{int(at['n_apart'])} of {plural(int(at['n_parts']), 'part')} differ by more than half."
            )
    return tuple(said[:8])


def _of_parts(at: Any, how: str) -> str:
    impact, q = at["impact"].values, at["q"].values
    top = int(np.nanargmax(impact))
    text = f"With {name_of(how)}, most is lost without {name_of(at['part'].values[top])}: {number(impact[top], 3)}"
    if np.isfinite(at["ci_low"].values[top]):
        text += f" [{number(at['ci_low'].values[top], 3)}, {number(at['ci_high'].values[top], 3)}]"
    text += f"; the median of {plural(impact.size, 'part')} is {number(np.nanmedian(impact), 3)}"
    if np.isfinite(q).any():
        text += f", and {int((q <= ALPHA).sum()):,} have an impact (q at most {ALPHA:g})"
    return f"{text}."


def _of_orders(at: Any, how: str) -> str:
    parts = []
    for order in at["order"].values.tolist():
        one = at.sel(order=order)
        if not np.isfinite(float(one["p"])):
            continue
        side = "above" if float(one["difference"]) > 0 else "below"
        sure = f"p {number(float(one['p']), 3)}" if float(one["p"]) >= 0.001 else "p below 0.001"
        parts.append(
            f"{name_of(order)} lies {number(abs(float(one['difference'])), 3)} {side} random orders ({sure})"
        )
    return (
        f"With {name_of(how)}, the area under the curve of {'; that of '.join(parts[:4])}." if parts else ""
    )
