"""The tables of `encode`: scores per unit, the median over units, ceilings, what each band adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import clone

from consilience.analyses._encode_design import EncodingData
from consilience.analyses._encode_fit import HeldOut, Predicted
from consilience.models import BandedRidgeCV
from consilience.models._base import safe_powers
from consilience.stats import (
    DISCRETE,
    cross_validated_draws,
    explainable,
    fdr,
    held_out_interval,
    likelihood_gain,
    max_statistic_p,
    p_value,
    percentile_interval,
    signal_ratio_interval,
    two_factor_interval,
    weighted_reliability,
)

__all__ = ["band_table", "score_tables"]

_LOWEST_CEILING = 0.1  # as in compare: no ratio below
_BAND_FIELDS = ("share", "share_low", "share_high", "unique", "unique_low", "unique_high")


def _ratio(top: np.ndarray, below: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        bottom = weights @ below
        return np.where(bottom > 0, (weights @ top) / bottom, np.nan)


def score_tables(
    held: HeldOut,
    found: Predicted,
    data: EncodingData,
    seed: Any,
    n_boot: int,
    n_perm: int,
    level: float,
    deals: np.ndarray,
) -> tuple[xr.Dataset, xr.Dataset]:
    """``deals`` : (k, t) r with the folds dealt again."""
    t = data.y.shape[1]
    one = np.ones((1, held.rows.size))
    correlation = found.correlation()
    r = correlation.columns(one)[0]
    explained, total = found.actual**2 - (found.actual - found.predicted) ** 2, found.actual**2
    r2 = _ratio(explained, total, one)[0]
    out: dict[str, np.ndarray] = {"r": r, "r2": r2}
    nothing = np.full(t, np.nan)
    weights = data.weights(n_boot, seed.stream("bootstrap")) if n_boot else None
    draws = None
    if weights is not None:
        each = correlation.columns(weights)
        draws = cross_validated_draws(each, r, low=-1.0, high=1.0)
        out["ci_low"], out["ci_high"] = held_out_interval(
            each, r, level=level, blocks=data.blocks, correlation=True, deals=deals
        )
    null = None
    if n_perm:
        null = held.null(data.y, data.orders(n_perm, seed.stream("permutations")))
        out["p"], out["p_fwer"] = p_value(r, null), max_statistic_p(r, null)
        out["q"], out["null_mean"] = fdr(out["p"]), null.mean(axis=0)
    if found.alpha is not None:
        out["alpha"] = np.median(found.alpha, axis=0)
    if found.edge is not None:
        out["alpha_at_edge"] = found.edge.mean(axis=0) > 0.5
    observation = getattr(held.model, "observation", "gaussian")
    if observation != "gaussian":  # whose share of deviance is r2
        out.update(_deviance_scores(found, held, observation, one, weights, level, data.blocks))
    out.update(_ceilings(data, r, ends=n_boot > 0, level=level))
    for name in ("ci_low", "ci_high", "p", "p_fwer", "q", "null_mean"):
        out.setdefault(name, nothing)
    table = xr.Dataset({k: ("unit", v) for k, v in out.items()}, coords={"unit": data.units})
    return table, _population(r, draws, null, held, seed, level)


def _deviance_scores(
    found: Predicted,
    held: HeldOut,
    observation: str,
    one: np.ndarray,
    weights: Any,
    level: float,
    blocks: int,
) -> dict[str, np.ndarray]:
    """d2, the share of deviance explained, and bits per spike of predicted means, beside those of training: where a
    fold trained on no event, half an event, as the model predicts.
    """
    y, mu, base = (
        part * found.size for part in (found.actual + found.mean, found.predicted + found.mean, found.mean)
    )
    least = np.empty((held.n, 1))
    for train, test in held.splits:
        least[test] = 0.5 / len(train)
    least = least[held.rows]
    base = np.clip(base, least, 1 - least if observation == "bernoulli" else np.inf)
    gain, room = likelihood_gain(y, mu, base, observation)
    pairs = {"d2": (gain, room)}
    if observation in DISCRETE:
        pairs["bits_per_spike"] = (gain, np.log(2) * y)
    out = {}
    for name, (top, below) in pairs.items():
        out[name] = _ratio(top, below, one)[0]
        if weights is not None:
            draws = _ratio(top, below, weights)
            out[f"{name}_low"], out[f"{name}_high"] = held_out_interval(
                draws, out[name], level=level, blocks=blocks
            )
    return out


def _population(r: np.ndarray, draws: Any, null: Any, held: HeldOut, seed: Any, level: float) -> xr.Dataset:
    median = float(np.median(r))
    out = {"median": median, "n_units": float(r.size)}
    names = ("ci_low", "ci_high", "ci_units_low", "ci_units_high", "ci_both_low", "ci_both_high")
    out.update(dict.fromkeys((*names, "p"), np.nan))
    if draws is not None:
        picks = seed.stream("units").integers(0, r.size, size=(len(draws), r.size))
        rows = np.median(draws, axis=1)
        units = np.median(r[picks], axis=1)
        both = np.median(np.take_along_axis(draws, picks, axis=1), axis=1)
        ends = [
            *percentile_interval(rows, np.asarray(median), level),
            *percentile_interval(units, np.asarray(median), level),
            *two_factor_interval(
                median, rows, units, both, n_stimuli=held.rows.size, n_subjects=r.size, level=level
            ),
        ]
        ends = ends if r.size > 1 else ends[:2]  # one unit says nothing of other units
        out.update((name, float(np.clip(end, -1.0, 1.0))) for name, end in zip(names, ends))
    if null is not None:
        out["p"] = float(p_value(median, np.median(null, axis=1)))
    return xr.Dataset({k: ((), v) for k, v in out.items()})


def _ceilings(data: EncodingData, r: np.ndarray, *, ends: bool, level: float) -> dict[str, np.ndarray]:
    nothing = np.full(r.size, np.nan)
    out = dict.fromkeys(
        (
            "reliability_low",
            "reliability_high",
            "ceiling_low",
            "ceiling_high",
            "reliability",
            "ceiling",
            "ratio",
        ),
        nothing,
    )
    out["unreliable"] = np.zeros(r.size, bool)
    if data.trials is None:
        return out
    values, owner = data.trials
    means, noise = explainable(values / safe_powers(values), owner)
    value = out["reliability"] = weighted_reliability(means, noise)
    out["ceiling"] = np.where(value > 0, np.sqrt(np.maximum(value, 0.0)), np.nan)
    usable = out["ceiling"] >= _LOWEST_CEILING
    out["ratio"] = np.where(usable, r / np.where(usable, out["ceiling"], 1.0), np.nan)
    if ends:
        low, high = (
            1 - 1 / end for end in signal_ratio_interval(means, noise, level=level, groups=data.groups)
        )
        low, high = np.fmin(low, value), np.where(np.isnan(high), np.nan, np.fmax(high, value))
        low = np.where(np.isnan(high), np.nan, low)
        out["reliability_low"], out["reliability_high"] = low, high
        out["ceiling_low"], out["ceiling_high"] = np.sqrt(np.maximum(low, 0)), np.sqrt(np.maximum(high, 0))
        out["unreliable"] = ~(low > 0)
    return out


def band_table(
    found: Predicted, model: Any, data: EncodingData, seed: Any, n_boot: int, level: float
) -> xr.Dataset:
    """The product measure of each band, and what is lost without it, both on held-out rows."""
    names, sizes = list(data.bands), list(data.bands.values())
    total, error = found.actual**2, (found.actual - found.predicted) ** 2
    one = np.ones((1, len(total)))
    weights = data.weights(n_boot, seed.stream("bootstrap")) if n_boot else None
    ends = np.cumsum(sizes)
    out: dict[str, list[np.ndarray]] = {k: [] for k in _BAND_FIELDS}
    for k in range(len(names)):
        tops = {}
        if found.bands is not None:
            tops["share"] = found.bands[k] * (2 * found.actual - found.predicted)
        kept = np.setdiff1d(np.arange(ends[-1]), np.arange(ends[k] - sizes[k], ends[k]))
        rest = model if not isinstance(model, BandedRidgeCV) else _without(model, sizes, k)
        without = HeldOut(rest, data.x[:, kept], data.splits, data.inner, data.groups).predict(data.y)
        tops["unique"] = (without.actual - without.predicted) ** 2 - error
        for name in ("share", "unique"):
            value = _ratio(tops[name], total, one)[0] if name in tops else np.full(total.shape[1], np.nan)
            low, high = np.full((2, total.shape[1]), np.nan)
            if weights is not None and name in tops:
                low, high = held_out_interval(
                    _ratio(tops[name], total, weights), value, level=level, blocks=data.blocks
                )
                # a band that the fit left out: its draws hardly vary, other than with new data
                low, high = (np.where(value > 0, end, np.nan) for end in (low, high))
            for field, entry in zip((name, f"{name}_low", f"{name}_high"), (value, low, high)):
                out[field].append(entry)
    return xr.Dataset(
        {k: (("band", "unit"), np.stack(v)) for k, v in out.items()},
        coords={"band": names, "unit": data.units},
    )


def _without(model: BandedRidgeCV, sizes: list[int], k: int) -> BandedRidgeCV:
    fewer = clone(model).set_params(bands=[s for j, s in enumerate(sizes) if j != k])
    if np.ndim(model.n_iter) == 2:
        fewer.set_params(n_iter=len(model.n_iter))
    return fewer
