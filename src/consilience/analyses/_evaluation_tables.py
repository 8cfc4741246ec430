"""Draws of an evaluation of models become tables: intervals, tests of all pairs, tests against the ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience.stats import (
    adjust,
    cross_validated_variance,
    max_statistic_p,
    t_test,
    two_factor_variance,
)
from consilience.stats._crossed import Components
from consilience.stats._paired import Test

__all__ = ["FACTORS", "Draws", "tables_of"]

FACTORS = ("stimuli", "subjects", "both")
_PREFIX = {"stimuli": "ci", "subjects": "ci_subjects", "both": "ci_both"}


@dataclass(frozen=True)
class Draws:
    """value (c,): models, lower and upper ceiling.   factors : {stimuli, subjects, both: (draws, repeats, c)}.

    components : of the variance of the models' values. It stands for the variance of the draws, or, where models are
    fitted, is what that variance is never below.   rows (r, c): which combination of models and ceilings each value
    is; None = themselves.
    """

    value: np.ndarray
    factors: dict[str, np.ndarray]
    components: Components | None = None
    fitted: bool = False
    rows: np.ndarray | None = None

    def combined(self, matrix: np.ndarray) -> Draws:
        """The same of linear combinations, matrix (r, c) of differences (a column that is unused may be NaN)."""

        def of(values: np.ndarray) -> np.ndarray:
            out = np.zeros((*values.shape[:-1], len(matrix)))
            for row, weights in enumerate(matrix):
                used = np.flatnonzero(weights)
                out[..., row] = values[..., used] @ weights[used]
            return out

        factors = {name: of(v) for name, v in self.factors.items()}
        return Draws(of(self.value), factors, self.components, self.fitted, matrix)

    def test(self, factor: str, n: int, s: int, level: float, side: Any = "two") -> Test:
        df: Any
        variances = {name: cross_validated_variance(v) for name, v in self.factors.items()}
        if factor == "both":
            variance = two_factor_variance(
                variances["stimuli"], variances["subjects"], variances["both"], n_stimuli=n, n_subjects=s
            )
            df = min(n, s) - 1
        else:
            size = n if factor == "stimuli" else s
            variance, df = variances[factor] * size / (size - 1), size - 1
        if self.components is not None:
            k = len(self.components.first)
            rows = np.eye(self.value.size) if self.rows is None else self.rows
            known = self.components.variances(rows[:, :k])[factor]
            there = (rows[:, k:] == 0).all(axis=1) & np.isfinite(known)
            variance = np.where(there, np.fmax(known, variance) if self.fitted else known, variance)
            if factor == "both" and not self.fitted:
                df = np.where(there, self.components.degrees(rows[:, :k], n_stimuli=n, n_subjects=s), df)
        return t_test(self.value, variance, df=df, level=level, side=side)

    def widest(self) -> str:
        """The factor that tests generalise over: both where there are subjects, else stimuli."""
        return "both" if "both" in self.factors else "stimuli"


def tables_of(
    names: list[str],
    draws: Draws,
    p: np.ndarray | None,
    null: np.ndarray | None,
    *,
    level: float,
    correction: Any,
    n: int,
    s: int,
) -> dict[str, Any]:
    """``data``, ``pairs``, ``ceilings``, ``draws`` of a ModelEvaluation."""
    k = len(names)
    blank = np.full(k, np.nan)
    data: dict[str, np.ndarray] = {"value": draws.value[:k]}
    bounds: dict[str, np.ndarray] = {"value": draws.value[k:]}
    for factor in FACTORS:
        known = draws.test(factor, n, s, level) if factor in draws.factors else None
        for end in ("low", "high"):
            both = np.full(k + 2, np.nan) if known is None else getattr(known, end)
            both = np.clip(both, -1.0, 1.0)  # what a correlation cannot be is not in its interval
            data[f"{_PREFIX[factor]}_{end}"], bounds[f"{_PREFIX[factor]}_{end}"] = both[:k], both[k:]
    data["p"] = blank if p is None else p
    if p is not None and null is not None and correction == "max":
        data["p_corrected"] = max_statistic_p(draws.value[:k], null)
    else:
        data["p_corrected"] = blank if p is None else adjust(p, correction)
    eye = np.eye(k + 2)
    gap = draws.combined(eye[k] - eye[:k])
    data["below_ceiling"] = gap.value
    data |= dict.fromkeys(
        ("below_ceiling_low", "below_ceiling_high", "p_ceiling", "p_ceiling_corrected"), blank
    )
    first, second = np.triu_indices(k, 1)
    columns = {name: np.full((k, k), np.nan) for name in ("ci_low", "ci_high", "p", "p_corrected")}
    columns = {"difference": draws.value[:k, None] - draws.value[None, :k], **columns}
    if draws.factors:
        factor = draws.widest()
        test = gap.test(factor, n, s, level, "greater")
        data["below_ceiling_low"], data["below_ceiling_high"] = test.low, test.high
        data["p_ceiling"] = test.p
        data["p_ceiling_corrected"] = adjust(
            test.p, correction, draws=gap.factors[factor].mean(axis=1) if correction == "max" else None
        )
        if k > 1:
            pairs = draws.combined(eye[first] - eye[second])
            test = pairs.test(factor, n, s, level)
            corrected = adjust(
                test.p, correction, draws=pairs.factors[factor].mean(axis=1) if correction == "max" else None
            )
            low, high = np.clip(test.low, -2.0, 2.0), np.clip(test.high, -2.0, 2.0)
            columns["ci_low"][first, second], columns["ci_high"][first, second] = low, high
            columns["ci_low"][second, first], columns["ci_high"][second, first] = -high, -low
            for name, values in (("p", test.p), ("p_corrected", corrected)):
                columns[name][first, second] = columns[name][second, first] = values
    label = np.array(names, dtype=object)
    kept = None
    if draws.factors:
        kept = xr.DataArray(
            np.stack([v[..., :k].mean(axis=1).T for v in draws.factors.values()]),
            dims=("factor", "model", "draw"),
            coords={"factor": np.array(list(draws.factors), dtype=object), "model": label},
        )
    return {
        "data": xr.Dataset({a: ("model", v) for a, v in data.items()}, coords={"model": label}),
        "pairs": xr.Dataset(
            {a: (("model", "other"), v) for a, v in columns.items()}, coords={"model": label, "other": label}
        ),
        "ceilings": xr.Dataset(
            {a: ("bound", v) for a, v in bounds.items()},
            coords={"bound": np.array(["low", "high"], dtype=object)},
        ),
        "draws": kept,
    }
