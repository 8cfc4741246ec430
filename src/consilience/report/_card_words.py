"""What the report of units says in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience.plots._labels import number, probability
from consilience.plots._unit_report import quantity_name
from consilience.report._phrases import ALPHA, name_of
from consilience.report._words import plural

__all__ = ["of_unit_report"]


def of_unit_report(result: Any) -> tuple[str, ...]:
    d, units = result.data, result.units
    if len(units) != 1:
        said = [f"{plural(len(units), 'unit')} of {name_of(result.settings.get('system'))}."]
        for name in d["quantity"].values.tolist():
            q = d["q"].sel(quantity=name).values
            if np.isfinite(q).any():
                told = int((q[np.isfinite(q)] <= ALPHA).sum())
                said.append(
                    f"{_capital(quantity_name(name))}: {told:,} of {plural(int(np.isfinite(q).sum()), 'unit')} told "
                    f"from chance (q at most {ALPHA:g})."
                )
        return tuple(said[:10])
    said = [f"Unit {name_of(units[0])} of {name_of(result.settings.get('system'))}."]
    for name in d["quantity"].values.tolist():
        at = {key: float(d[key].sel(quantity=name).values[0]) for key in d.data_vars}
        if not np.isfinite(at["value"]) or not np.isfinite(at["p"]):
            continue
        value = at["corrected"] if np.isfinite(at["corrected"]) else at["value"]
        text = f"{_capital(quantity_name(name))} {number(value, 3)}"
        if np.isfinite(at["ci_low"]):
            text += f" [{number(at['ci_low'], 3)}, {number(at['ci_high'], 3)}]"
        said.append(f"{text}, {probability(at['p'])}.")
    return tuple(said[:10])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
