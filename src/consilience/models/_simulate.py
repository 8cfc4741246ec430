"""Draws from a fitted GLM: all samples at once, or, with history and coupling, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience.models._lags import stretches
from consilience.models._observations import Observation

__all__ = ["simulate"]


def simulate(
    x: Any,
    coef: np.ndarray,
    intercept: np.ndarray,
    observation: Observation,
    *,
    kernel: Any,
    start: Any,
    times: Any,
    trials: Any,
    limit: float,
    rng: Any,
    who: str,
) -> np.ndarray:
    """(n, t) draws; see `GLM.simulate`. coef : (t, p)."""
    draw = resolve_seed(rng, who=who).stream("simulate")
    limit = check_number(limit, name="limit", who=who, low=0.0)
    t, p = coef.shape
    if kernel is None:
        drive = _drive(x, coef, intercept, who, 0)
        with np.errstate(over="ignore"):
            mu = observation.mean(drive)
        if (np.abs(mu) > limit).any():
            row, unit = np.argwhere(~(np.abs(mu) <= limit))[0]
            raise _runaway(who, float(mu[row, unit]), int(row), int(unit), limit)
        return observation.draw(mu, draw)
    filters = np.asarray(kernel, dtype=np.float64)
    if filters.ndim != 2 or not len(filters) or t * filters.shape[1] > p:
        raise InputError(
            f"{who}: kernel must be (lags, filters), and the model has {p} features, of which {t} targets need {t} for "
            f"each filter, the last ones; got kernel of shape {filters.shape}.",
            code="bad-parameter",
        )
    length, k = filters.shape
    own = p - t * k
    drive = _drive(x, coef[:, :own], intercept, who, own)
    # (from, lag, to): what a spike adds to the linear predictors of the samples after it
    after = np.einsum("lc,ujc->jlu", filters, coef[:, own:].reshape(t, t, k))
    n = len(drive)
    out = np.empty((n, t))
    for number, (first, stop) in enumerate(stretches(n, times, trials, who=who)):
        ahead = np.zeros((stop - first + length, t))
        if number == 0 and start is not None:
            _add_start(ahead, np.asarray(start, dtype=np.float64), after, who)
        for i in range(stop - first):
            with np.errstate(over="ignore"):
                mu = observation.mean(drive[first + i] + ahead[i])
            if not (np.abs(mu) <= limit).all():
                unit = int(np.argmax(~(np.abs(mu) <= limit)))
                raise _runaway(who, float(mu[unit]), first + i, unit, limit)
            value = observation.draw(mu, draw)
            out[first + i] = value
            fired = np.flatnonzero(value)
            if fired.size:
                ahead[i + 1 : i + 1 + length] += np.tensordot(value[fired], after[fired], axes=1)
    return out


def _add_start(ahead: np.ndarray, before: np.ndarray, after: np.ndarray, who: str) -> None:
    t, length = after.shape[:2]
    if before.shape != (length, t):
        raise InputError(
            f"{who}: start must be (lags, targets) = ({length}, {t}), the last row just before the first sample; got "
            f"{before.shape}.",
            code="bad-parameter",
        )
    for row in range(length):  # it lies length - row samples back, so lag length - row + i meets sample i
        reach = np.tensordot(before[row], after, axes=1)[length - row - 1 :]
        ahead[: len(reach)] += reach


def _drive(x: Any, coef: np.ndarray, intercept: np.ndarray, who: str, own: int) -> np.ndarray:
    """(n, t) linear predictor of the given features."""
    if isinstance(x, (int, np.integer)) and not isinstance(x, bool) and coef.shape[1] == 0 and x > 0:
        return np.tile(intercept, (int(x), 1))
    values = np.asarray(x, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != coef.shape[1] or not np.isfinite(values).all():
        without = f", without the history and coupling columns of kernel: {own}" if own else ""
        raise InputError(
            f"{who}: X must be finite, (samples, {coef.shape[1]}{without}); got "
            f"{shorten(values.shape if values.ndim else x)}.",
            code="bad-parameter",
        )
    return values @ coef.T + intercept


def _runaway(who: str, mean: float, row: int, unit: int, limit: float) -> InputError:
    return InputError(
        f"{who}: the mean of target {unit} reaches {mean:.3g} at sample {row}, above limit={limit:.3g}; its past, or "
        "X, excites it without end. Use a stronger penalty, link='softplus', a longer history (refractoriness), or a "
        "higher limit= if such values are right.",
        code="runaway-rates",
    )
