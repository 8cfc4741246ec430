"""The door of models of sequences: trials of equal or unequal length, with or without missing values."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import validate_data

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_option
from consilience.models._trial_data import Trials

__all__ = [
    "MISSING",
    "Missing",
    "Trials",
    "as_trials",
    "constant_units",
    "patterns_of",
    "refuse_unseen",
    "trial_folds",
]

Missing = Literal["raise", "omit", "mask"]
MISSING = ("raise", "omit", "mask")
_LARGEST = 1e120


def _read(x: Any, who: str) -> np.ndarray:
    """An array of real numbers as float64; masked entries are NaN."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x) and x.dtype.kind in "biuf":
        return np.ma.filled(x.astype(np.float64), np.nan)
    array = to_numpy(as_array(x, name="X", who=who))
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: X must hold real numbers, got an array of {array.dtype}; convert it to float first.",
            code="not-numeric",
        )
    return np.asarray(array, dtype=np.float64)


def _is_list_of_trials(x: Any) -> bool:
    if isinstance(x, np.ndarray) and x.dtype == object and x.ndim == 1:
        return True
    return isinstance(x, (list, tuple)) and bool(len(x)) and np.ndim(x[0]) != 1 and not np.isscalar(x[0])


def as_trials(
    X: Any,
    *,
    who: str,
    missing: str = "raise",
    units: int | None = None,
    estimator: Any = None,
    reset: bool = True,
    flat: Literal["rows", "trial"] = "rows",
) -> Trials:
    """Trials of what the user passed.

    X : (trial, time, unit); or a list of (time_i, unit); or (samples, units), read as trials of one bin each, or, with
        flat="trial", as one trial (time, unit). NaN (and masked entries) are missing values; bins at the end of a trial
        of an array that hold nothing are padding, those of a list are bins that were not seen.
    missing : "raise" refuses NaN; "mask" leaves out exactly the missing values; "omit" leaves out bins with any
        missing value (they stay in the time axis, with nothing seen).
    units : how many units there must be.
    estimator : gets ``n_features_in_`` (and the names of columns) where ``reset``, and is compared with them where not;
        scikit-learn's checks then hold for tables.
    """
    check_option(missing, MISSING, name="missing", who=who)
    if units is None and estimator is not None and not reset:
        units = int(estimator.n_features_in_)
    if _is_list_of_trials(X):
        parts = [_read(part, who) for part in X]
        for i, part in enumerate(parts):
            if part.ndim != 2 or part.shape[1] != parts[0].shape[1] or not part.size:
                expect = f"(time, {parts[0].shape[1]})" if parts[0].ndim == 2 else "(time, unit)"
                raise InputError(
                    f"{who}: each trial in a list must be an array {expect}, all with the same units; trial {i} has "
                    f"shape {part.shape}.",
                    code="bad-shape",
                )
        data, lengths = np.concatenate(parts), np.array([len(part) for part in parts])
        form: Any = "list"
        span = int(lengths.max())
    else:
        array = X if estimator is not None and _scikit_learn(X) else _read(X, who)
        if array.ndim == 3:
            data, lengths, span = _unpad(array, who)
            form = "array"
        elif array.ndim == 2 or estimator is not None:  # scikit-learn has words for the rest
            if estimator is not None:
                array = validate_data(
                    estimator,
                    array,
                    reset=reset,
                    dtype=np.float64,
                    ensure_all_finite=False,
                    ensure_min_samples=1,
                )
            elif not array.size:
                raise InputError(f"{who}: X of shape {array.shape} is empty.", code="too-few")
            data = np.asarray(_read(array, who))
            form = flat
            lengths = np.ones(len(data), int) if flat == "rows" else np.array([len(data)])
            span = int(lengths[0])
        else:
            raise InputError(
                f"{who}: X must be an array (trial, time, unit), a list of arrays (time, unit) or a table (samples, "
                f"units), got shape {array.shape}.",
                code="bad-shape",
            )
    if units is not None and data.shape[1] != units:
        raise InputError(f"{who}: X has {data.shape[1]} units, expected {units}.", code="units-differ")
    if estimator is not None and form in ("array", "list") and reset:
        estimator.n_features_in_ = int(data.shape[1])
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    return _masked(data, lengths, form, span, missing, who)


def _scikit_learn(x: Any) -> bool:
    """Tables with named columns, of objects, and sparse ones go to scikit-learn as they are: it has checks for them."""
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    return getattr(x, "ndim", 0) == 2 and (hasattr(x, "iloc") or hasattr(x, "nnz") or kind in "Oc")


def _unpad(array: np.ndarray, who: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Stacked bins of an array (trial, time, unit) up to the last bin of each trial that holds a value."""
    trials, span, units = array.shape
    if not array.size:
        raise InputError(f"{who}: X of shape {array.shape} (trial, time, unit) is empty.", code="too-few")
    full = np.full(trials, span)
    last = array[:, -1]
    if not np.isnan(last).all(axis=1).any():
        return array.reshape(-1, units), full, span
    holds = ~np.isnan(array).all(axis=2)
    lengths = span - np.argmax(holds[:, ::-1], axis=1)
    if not holds.any(axis=1).all():
        raise InputError(
            f"{who}: trial {int(np.argmin(holds.any(axis=1)))} holds no value; leave it out.",
            code="nan-values",
        )
    return array[np.arange(span) < lengths[:, None]], lengths, span


def _masked(data: np.ndarray, lengths: np.ndarray, form: Any, span: int, missing: str, who: str) -> Trials:
    padded = form == "array" and bool((lengths < span).any())
    with np.errstate(over="ignore", invalid="ignore"):
        clean = bool(np.isfinite(data.sum()) or np.isfinite(data).all())
    if clean and not (padded and missing == "raise"):
        _refuse_extreme(data, who)
        return Trials(data, None, lengths, form, span)
    if np.isinf(data).any():
        raise InputError(
            f"{who}: X has {int(np.isinf(data).sum())} infinite values (inf), which are not data; replace them by NaN "
            "if they are missing, and pass missing='mask'.",
            code="nan-values",
        )
    hole = np.isnan(data)
    if missing == "raise":
        short = f"{int((lengths < span).sum())} of {lengths.size} trials end in bins of NaN"
        what = f"NaN in {int(hole.sum())} of {data.size} values" if hole.any() else ""
        if padded:
            what = f"{what}, and {short}" if what else f"trials that end early: {short}"
        raise InputError(
            f"{who}: X has {what}; pass missing='mask' to leave out exactly these, missing='omit' to leave out every "
            "bin with one of them, or trials of unequal length as a list.",
            code="nan-values",
        )
    if missing == "omit":
        hole = np.broadcast_to(hole.any(axis=1)[:, None], hole.shape)
    if hole.all():
        raise InputError(
            f"{who}: X has no bin in which all {data.shape[1]} units have a value; pass missing='mask'."
            if missing == "omit"
            else f"{who}: X has no value at all, only NaN.",
            code="nan-values",
        )
    filled = np.where(hole, 0.0, data)
    _refuse_extreme(filled, who)
    return Trials(filled, ~hole, lengths, form, span)


def _refuse_extreme(data: np.ndarray, who: str) -> None:
    """Refuses values whose squares leave the range of floats."""
    largest = max(-float(data.min()), float(data.max()))
    if largest > _LARGEST or 0 < largest < 1 / _LARGEST:
        raise InputError(
            f"{who}: the largest value of X is {largest:.3g}, whose square a float cannot hold; use other units.",
            code="out-of-range",
        )


def constant_units(trials: Trials, *, who: str) -> np.ndarray:
    """(units,) bool: units that vary. Warns of the others, which a model leaves out; refuses if there is none, or if a
    unit has no value at all.
    """
    refuse_unseen(trials, who=who)
    first = (
        trials.data[0]
        if trials.mask is None
        else trials.data[trials.mask.argmax(axis=0), np.arange(trials.units)]
    )
    differs = trials.data != first
    if trials.mask is not None:
        differs &= trials.mask
    varies = differs.any(axis=0)
    if not varies.any():
        raise InputError(
            f"{who}: no unit of {trials.units} varies over {trials.n_bins} bins.", code="constant-units"
        )
    if not varies.all():
        flat = np.flatnonzero(~varies)
        warn(
            "constant-units",
            f"{who}: {flat.size} of {trials.units} units do not vary (first: unit {flat[0]}) and are left out; their "
            "loadings are 0.",
            "Expected for silent units; else check the data.",
            stacklevel=3,
        )
    return varies


def refuse_unseen(trials: Trials, *, who: str) -> None:
    """Refuses units without any value."""
    if not trials.counts.all():
        none = np.flatnonzero(trials.counts == 0)
        raise InputError(
            f"{who}: {none.size} of {trials.units} units have no value at all (first: unit {none[0]}); leave them out.",
            code="nan-values",
        )


def trial_folds(trials: Trials, cv: Any, *, who: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training trials, test trials) of ``cv`` folds: runs of neighbouring trials with about as many bins each, so that
    slow drift does not leak from training into test.
    """
    folds = check_count(cv, name="cv", who=who, minimum=2)
    if len(trials) < folds:
        raise InputError(
            f"{who}: cv={folds} folds need at least {folds} trials, got {len(trials)}"
            f"{' (one long trial: cut it into a list of trials)' if len(trials) == 1 else ''}; use fewer folds.",
            code="too-few",
        )
    middle = (trials.starts[:-1] + trials.starts[1:]) / 2
    fold = np.minimum((middle * folds / trials.n_bins).astype(int), folds - 1)
    if np.unique(fold).size < folds:  # a trial longer than a fold
        fold = np.arange(len(trials)) * folds // len(trials)
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(folds)]


def patterns_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows (m, units) of a mask (n, units) and the index (n,) of the one of each row."""
    packed = np.packbits(mask, axis=1)
    void = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, index = np.unique(void, return_index=True, return_inverse=True)
    return mask[first], index.reshape(-1)
