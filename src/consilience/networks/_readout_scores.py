"""How well a fitted `Readout` predicts responses to stimuli that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import Seed, resolve_seed
from consilience.networks._readout_data import Shown, content, shown
from consilience.stats import fdr, p_value
from consilience.units import cc_norm, r2_er

if TYPE_CHECKING:
    from consilience.networks._readout import Readout

__all__ = ["correlations", "evaluate"]

_WHO = "cs.models.Readout.evaluate"
_FEWEST = 10  # stimuli of a unit


def correlations(p: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(t,) correlation over stimuli of p and y (n, t), where ``weight`` is not 0; NaN where one does not vary."""
    return _ratio(*_sums(*_centred(p, y, weight > 0)))


def evaluate(
    model: Readout, stimuli: Any, responses: Any, *, baseline: Any, n_perm: int, level: float, rng: Any
) -> xr.Dataset:
    """See `Readout.evaluate`."""
    n_perm = check_count(n_perm, name="n_perm", who=_WHO)
    level = check_number(level, name="level", who=_WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=_WHO)
    data = shown(stimuli, responses, None, who=_WHO)
    _check(model, data)
    p = model.predict_each(data.stimuli)
    mean = p.mean(axis=0)
    known = data.weight > 0
    r, low, high = _interval(*_centred(mean, data.y, known), level)
    table = {"r": r, "ci_low": low, "ci_high": high}
    null, chance = _chance(mean, data.y, known, r, n_perm, seed)
    table |= {"null_mean": null, "p": chance, "q": fdr(chance) if np.isfinite(chance).any() else chance}
    table["n_stimuli"] = known.sum(axis=0)
    if len(p) > 1:
        table["spread"] = p.std(axis=0, ddof=1).mean(axis=0)
    table |= _against_repeats(mean, data, level)
    if baseline is not None:
        table |= _against(baseline, data, mean, known, level)
    return xr.Dataset(
        {name: ("unit", values) for name, values in table.items()},
        coords={"unit": data.units},
        attrs={"seed": str(seed), "level": level, "n_perm": n_perm, "n_models": len(p)},
    )


def _check(model: Readout, data: Shown) -> None:
    seen = sum(key in model.seen_ for key in content(data.stimuli.values))
    if seen:
        raise InputError(
            f"{_WHO}: {seen} of {len(data.stimuli)} stimuli were in the fit; give stimuli that were not, or the score "
            "says nothing of new ones.",
            code="seen-in-training",
        )
    if data.units.size != model.units_.size or [str(u) for u in data.units] != [str(u) for u in model.units_]:
        raise InputError(
            f"{_WHO}: the responses must have the {model.units_.size} units of the fit in their order, got "
            f"{data.units.size}.",
            code="units-differ",
        )
    fewest = int((data.weight > 0).sum(axis=0).min())
    if fewest < _FEWEST:
        raise InputError(
            f"{_WHO}: at least {_FEWEST} stimuli are needed for each unit, got {fewest}.", code="too-few"
        )


def _centred(p: np.ndarray, y: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p and y without their means, over their largest size, 0 where not known; and what is known."""
    n = known.sum(axis=0)
    out = []
    for values in (p, y):
        values = np.where(known, values, 0.0)
        size = np.abs(values).max(axis=0)
        centred = np.where(known, values - values.sum(axis=0) / np.maximum(n, 1), 0.0)
        flat = np.abs(centred).max(axis=0) <= 1e-6 * size if values is not y else np.zeros(size.shape, bool)
        centred[:, flat] = 0.0
        top = np.abs(centred).max(axis=0)
        out.append(centred / np.where(top > 0, top, 1.0))
    return out[0], out[1], known


Sums = tuple[np.ndarray, np.ndarray, np.ndarray]


def _sums(a: np.ndarray, b: np.ndarray, known: np.ndarray) -> Sums:
    return (a * b).sum(axis=0), (a * a).sum(axis=0), (b * b).sum(axis=0)


def _ratio(ab: np.ndarray, aa: np.ndarray, bb: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((aa > 0) & (bb > 0), ab / np.sqrt(aa * bb), np.nan)


def _left_out(a: np.ndarray, b: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n, t) correlations without each stimulus."""
    n = known.sum(axis=0)
    share = n / np.maximum(n - 1, 1)  # the mean of the others moves too
    ab, aa, bb = _sums(a, b, known)
    return _ratio(ab - share * a * b, aa - share * a * a, bb - share * b * b)


def _jackknife(
    z: np.ndarray, left: np.ndarray, known: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    n = known.sum(axis=0)
    around = np.where(known, left - np.where(known, left, 0.0).sum(axis=0) / n, 0.0)
    half = stats.t.ppf((1 + level) / 2, n - 1) * np.sqrt((n - 1) / n * (around**2).sum(axis=0))
    return z - half, z + half


def _interval(
    a: np.ndarray, b: np.ndarray, known: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r = _ratio(*_sums(a, b, known))
    with np.errstate(divide="ignore", invalid="ignore"):
        z, left = np.arctanh(np.clip(r, -1, 1)), np.arctanh(np.clip(_left_out(a, b, known), -1, 1))
        low, high = _jackknife(z, left, known, level)
    return r, np.tanh(low), np.tanh(high)


def _chance(
    p: np.ndarray, y: np.ndarray, known: np.ndarray, r: np.ndarray, n_perm: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.full(r.size, np.nan)
    if not n_perm:
        return nothing, nothing
    dealer = seed.stream("permutations")
    drawn = np.empty((n_perm, r.size))
    whole = known.all()
    a, b, _ = _centred(p, y, known)
    for k in range(n_perm):
        order = dealer.permutation(len(p))
        drawn[k] = (a[order] * b).sum(axis=0) if whole else _ratio(*_sums(*_centred(p[order], y, known)))
    if whole:
        _, aa, bb = _sums(a, b, known)
        drawn = np.where((aa > 0) & (bb > 0), drawn / np.sqrt(np.where(aa * bb > 0, aa * bb, 1.0)), np.nan)
    some = np.isfinite(r) & np.isfinite(drawn).all(axis=0)
    filled = np.where(some, drawn, 0.0)
    return np.where(some, filled.mean(axis=0), np.nan), np.where(
        some, p_value(np.where(some, r, 0.0), filled), np.nan
    )


def _against_repeats(p: np.ndarray, data: Shown, level: float) -> dict[str, np.ndarray]:
    """CC_norm and r2_ER, where every unit has all trials and every stimulus two of them."""
    if not np.isfinite(data.trials).all() or data.weight.min() < 2:
        return {}
    out: dict[str, np.ndarray] = {}
    for name, score in (("cc_norm", cc_norm), ("r2_er", r2_er)):
        found = score(p[data.row], data.trials, data.row, n_perm=0, level=level)
        out |= {name: found.value, f"{name}_low": found.ci_low, f"{name}_high": found.ci_high}
    return out


def _against(
    baseline: Any, data: Shown, mean: np.ndarray, known: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    if not hasattr(baseline, "predict"):
        raise InputError(
            f"{_WHO}: baseline must be a fitted estimator, such as cs.models.RidgeCV().fit(...), got "
            f"{type(baseline).__name__}.",
            code="bad-parameter",
        )
    given = np.asarray(baseline.predict(data.stimuli.values.reshape(len(mean), -1).astype(np.float64)))
    other = given.reshape(len(mean), -1)
    if other.shape != mean.shape or not np.isfinite(other).all():
        raise InputError(
            f"{_WHO}: the baseline must predict finite numbers {mean.shape}, got shape {given.shape}.",
            code="rows-differ",
        )
    mine, theirs = _centred(mean, data.y, known), _centred(other, data.y, known)
    r, r_other = (_ratio(*_sums(*side)) for side in (mine, theirs))
    low, high = _jackknife(r - r_other, _left_out(*mine) - _left_out(*theirs), known, level)
    return {"r_baseline": r_other, "gain": r - r_other, "gain_low": low, "gain_high": high}
