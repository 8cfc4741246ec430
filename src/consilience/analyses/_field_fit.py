"""The fits of a receptive field: of all frames and without each stretch, lags, held-out predictions, intervals."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats as distributions
from sklearn.base import clone

from consilience import models
from consilience._core._errors import InputError, UnknownNameError, collect_cautions, nearest
from consilience._core._params import shorten
from consilience._core._seeds import Seed
from consilience.analyses._field_axes import AxesField
from consilience.analyses._field_input import WHO, Shown
from consilience.models._field_base import held_out_frames, lag_span
from consilience.stats import autocorrelation_time, group_folds

__all__ = ["METHODS", "Fits", "Method", "chosen", "fit_all", "jackknife", "lags_of"]

_LAGS = 20
# name -> (estimator of cs.models, options, keys of references.bib)
METHODS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "sta": ("SpikeTriggeredAverage", {}, ("chichilnisky2001simple",)),
    "whitened": ("SpikeTriggeredAverage", {"whiten": True}, ("theunissen2001estimating",)),
    "ridge": ("RidgeRF", {}, ("hoerl1970ridge", "machens2004linearity")),
    "asd": ("ASD", {}, ("sahani2003evidence", "park2011receptive")),
    "spline": ("SplineRF", {}, ()),
    "low_rank": ("LowRankRF", {}, ("thorson2015essential",)),
    "lnp": ("LNP", {}, ("chichilnisky2001simple",)),
    "stc": ("SpikeTriggeredCovariance", {}, ("rust2005spatiotemporal", "schwartz2006spike")),
}
_SHIFTS = 200  # of the spike-triggered covariance, at most


@dataclass(frozen=True)
class Method:
    """name : what the result says.   estimator : not fitted, with its lags."""

    name: str
    estimator: Any
    references: tuple[str, ...]
    lags: np.ndarray


@dataclass(frozen=True)
class Fits:
    """value : (units, lags, *space).   folds : (k, units, lags, *space), without each stretch in turn.
    predicted : (n, units) of frames held out, NaN where none was made.   fold : (n,) which, -1 = never held out.
    base : (n, units) mean response of the training frames.
    """

    value: np.ndarray
    folds: np.ndarray
    predicted: np.ndarray
    fold: np.ndarray
    base: np.ndarray
    estimator: Any


def lags_of(lags: Any, shown: Shown) -> np.ndarray | None:
    """Consecutive lags in frames; None where the estimator's own are meant."""
    if not shown.series:
        if lags is None or (isinstance(lags, numbers.Integral) and lags == 1):
            return np.array([0])
        raise InputError(
            f"{WHO}: stimuli that were shown one by one have no lags but that of their own response; leave lags= out, "
            f"or pass a stimulus over time (time, ...). Got lags={shorten(lags)}.",
            code="bad-parameter",
        )
    if lags is None:
        return None
    pair = list(lags) if isinstance(lags, (tuple, list, range, np.ndarray)) else [lags]
    real = all(isinstance(one, numbers.Real) and not isinstance(one, bool) for one in pair) and pair
    if not real or not np.isfinite(np.asarray(pair, dtype=np.float64)).all():
        raise _bad_lags(lags)
    whole = all(isinstance(one, numbers.Integral) for one in pair)
    if not whole:
        if shown.step is None:
            raise InputError(
                f"{WHO}: lags={shorten(lags)} are seconds, and the stimulus has no times; give it a time axis, "
                "xr.DataArray(frames, dims=('time', ...), coords={'time': seconds}), or lags in whole frames.",
                code="bad-time",
            )
        pair = [round(float(one) / shown.step) for one in pair]
    if isinstance(lags, (range, np.ndarray)):
        first, last = lag_span(pair, WHO)
    elif len(pair) == 1:
        first, last = 0, pair[0] - 1
    elif len(pair) == 2:
        first, last = pair[0], pair[1] - 1
    else:
        raise _bad_lags(lags)
    if last < first:
        raise _bad_lags(lags)
    return np.arange(int(first), int(last) + 1)


def _bad_lags(lags: Any) -> InputError:
    return InputError(
        f"{WHO}: lags must be a number of frames (20 = lags 0 to 19), seconds (a decimal number), or (start, stop) of "
        f"either, stop not included; got {shorten(lags)}.",
        code="bad-parameter",
    )


def chosen(method: Any, lags: np.ndarray | None, shown: Shown, n_perm: int, seed: Seed) -> Method:
    """The estimator of a name, or a copy of one that was given."""
    if isinstance(method, str):
        if method not in METHODS:
            raise UnknownNameError(
                f"{WHO}: method must be an estimator or one of {', '.join(map(repr, METHODS))}, got "
                f"{shorten(method)}.{nearest(method, METHODS)}",
                code="unknown-option",
            )
        name, options, references = METHODS[method]
        steps = np.arange(_LAGS) if lags is None else lags
        own = range(int(steps[0]), int(steps[-1]) + 1)
        kind = "counts" if shown.kind == "count" and shown.series else "values"
        if method == "stc":
            shifts = min(n_perm, _SHIFTS)
            return Method(
                method,
                AxesField(own, n_null=shifts, response=kind, rng=str(seed.child("stc"))),
                references,
                steps,
            )
        estimator = getattr(models, name)(lags=own, **options)
        if name == "SpikeTriggeredAverage":
            estimator.set_params(response=kind)
        return Method(method, estimator, references, steps)
    if not all(hasattr(method, part) for part in ("fit", "predict", "get_params")) or (
        "lags" not in method.get_params(deep=False)
    ):
        raise InputError(
            f"{WHO}: method must be an estimator of receptive fields (cs.models.RidgeRF(...), with lags), or a name, "
            f"got {shorten(method)}.",
            code="bad-parameter",
        )
    estimator = clone(method)
    if lags is not None:
        estimator.set_params(lags=range(int(lags[0]), int(lags[-1]) + 1))
    first, last = lag_span(estimator.lags, type(method).__name__)
    if not shown.series and (first, last) != (0, 0):
        estimator.set_params(lags=1)
        first = last = 0
    name = type(method).__name__
    known = next((keys for (own, _, keys) in METHODS.values() if own == name), ())
    return Method(name, estimator, known, np.arange(first, last + 1))


def fit_all(method: Method, shown: Shown, cv: int, rng: np.random.Generator) -> Fits:
    """Of all frames, and without each of ``cv`` stretches (of stimuli in no order: groups of them)."""
    try:
        return _fits(method, shown, cv, rng)
    except InputError as error:
        if error.code != "too-few" or not shown.series:
            raise
        raise InputError(f"{error} {_needed(method, shown, cv)}", code="too-few") from None


def _needed(method: Method, shown: Shown, cv: int) -> str:
    """How many frames there must be, where the estimator has 5 runs held out of its own, with gaps of the lags."""
    span, count = int(np.abs(method.lags).max()), method.lags.size
    inner = max(10, int(np.ceil((2 + 2 * span) / 0.8)))
    enough = int(np.ceil((inner + 2 * span + 2 * (count - 1)) / (1 - 1 / cv)))
    return (
        f"Of the {len(shown.responses)} frames some are left out: {span} beside each of cv={cv} stretches held out, "
        f"and after each break those without all {count} lags. With {count} lags about {enough} frames in one stretch "
        "are needed; more where responses change slowly."
    )


def _fits(method: Method, shown: Shown, cv: int, rng: np.random.Generator) -> Fits:
    n = len(shown.responses)
    estimator = _fit(method.estimator, shown, np.ones(n, dtype=bool))
    value = _coef(estimator)
    predicted, base = np.full(shown.responses.shape, np.nan), np.zeros(shown.responses.shape)
    fold, filters = np.full(n, -1), []
    for k, (test, train) in enumerate(_splits(method, shown, cv, rng)):
        with collect_cautions():  # what is to be said was said of the fit to all
            part = _fit(_untested(estimator), shown, train)
            filters.append(part.axes_like(estimator) if isinstance(part, AxesField) else _coef(part))
            near = _with_lags(test, method.lags)
            out = part.predict(shown.frames[near], **_breaks(shown, near))
        predicted[test] = np.asarray(out).reshape(int(near.sum()), -1)[test[near]]
        base[test] = shown.responses[train].mean(axis=0)
        fold[test] = k
    return Fits(value, np.stack(filters), predicted, fold, base, estimator)


def _splits(
    method: Method, shown: Shown, cv: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(test, train) masks of frames. Frames beside a stretch held out, within the lags and the autocorrelation of the
    responses, train nothing.
    """
    n = len(shown.responses)
    if not shown.series:
        out = []
        for rows in group_folds(np.arange(n), cv, rng, who=WHO):
            test = np.zeros(n, dtype=bool)
            test[rows] = True
            out.append((test, ~test))
        return out
    rows = _with_past(shown.stretch, method.lags)
    slow = int(np.ceil(np.median(autocorrelation_time(shown.responses))))
    span = int(np.abs(method.lags).max())
    gap = max(span, min(slow, n // (5 * cv)))
    parts = held_out_frames(rows, cv, gap, WHO)
    out = []
    for test, _ in parts:
        inside = np.flatnonzero(test)
        train = np.ones(n, dtype=bool)
        train[max(inside[0] - gap, 0) : inside[-1] + gap + 1] = False
        out.append((test, train))
    return out


def _with_lags(test: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """(n,) the tested frames, and those of their lags."""
    if len(lags) == 1 and lags[0] == 0:
        return test
    inside, near = np.flatnonzero(test), np.zeros(test.size, dtype=bool)
    near[max(inside[0] - max(int(lags[-1]), 0), 0) : inside[-1] + 1 - min(int(lags[0]), 0)] = True
    return near


def _with_past(stretch: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """(n,) which frames have all their lags in their stretch."""
    _, count = np.unique(stretch, return_counts=True)
    rows = np.zeros(stretch.size, dtype=bool)
    start = 0
    for length in count.tolist():
        rows[start + max(int(lags[-1]), 0) : max(start + length + min(int(lags[0]), 0), start)] = True
        start += length
    return rows


def _breaks(shown: Shown, kept: np.ndarray) -> dict[str, Any]:
    """Labels of stretches for an estimator: a new one where frames were left out, too."""
    if not shown.series:
        return {}
    at = np.flatnonzero(kept)
    new = np.r_[False, (np.diff(at) > 1) | (np.diff(shown.stretch[at]) != 0)]
    return {"trials": np.cumsum(new)} if new.any() else {}


def _fit(estimator: Any, shown: Shown, kept: np.ndarray) -> Any:
    every = bool(kept.all())
    frames = shown.frames if every else shown.frames[kept]
    responses = shown.responses if every else shown.responses[kept]
    return clone(estimator).fit(frames, responses, **_breaks(shown, kept))


def _untested(estimator: Any) -> Any:
    """Without what only the fit to all frames is asked for, and with what was decided there."""
    if not isinstance(estimator, AxesField):
        return estimator
    return clone(estimator).set_params(n_null=0, project=estimator.stc_.projected_)


def _coef(estimator: Any) -> np.ndarray:
    found = getattr(estimator, "coef_", None)
    if found is None:
        raise InputError(
            f"{WHO}: {type(estimator).__name__} has no coef_ (units, lags, *space) after its fit.",
            code="bad-parameter",
        )
    return np.asarray(found, dtype=np.float64)


def jackknife(
    folds: np.ndarray, level: float, around: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(se, low, high) of what was computed without each stretch, (k, ...): se^2 = (k - 1) / k sum (w_k - mean)^2, and
    ``around`` -+ t se with k - 1 degrees of freedom.
    """
    k = len(folds)
    se = np.sqrt((k - 1) / k * ((folds - folds.mean(axis=0)) ** 2).sum(axis=0))
    away = distributions.t.ppf((1 + level) / 2, k - 1) * se
    return se, around - away, around + away


def block_length(shown: Shown, lags: Sequence[int] | np.ndarray) -> int:
    """Frames that are drawn together when a held-out score is resampled."""
    if not shown.series:
        return 1
    slow = float(np.median(autocorrelation_time(shown.responses)))
    return max(1, int(np.ceil(2 * slow + np.abs(np.asarray(lags)).max())))
