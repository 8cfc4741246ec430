"""Design matrices of the past: lags of a stimulus, history and coupling of spikes, never over a break in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten

__all__ = ["coupling_design", "lagged", "stretches"]


def lagged(
    x: Any,
    lags: Sequence[int],
    /,
    *,
    kernel: Any = None,
    times: Any = None,
    trials: Any = None,
    fill: float = np.nan,
) -> np.ndarray:
    """Values of x some samples ago, side by side, or weighted sums of them.

    Without kernel: column j L + l of row i is x[i - lags[l], j]. With kernel K (L, k): column j k + c of row i is
    sum_l K[l, c] x[i - lags[l], j], a convolution with each of k filters; for L lags and few filters that is a smaller
    design. Rows whose lags reach over a break (the start and the end, a jump in time, another trial) are all ``fill``
    when that is NaN; with fill=0 what is not there counts as 0.

    Parameters
    ----------
    x : (n, features) or (n,), in order of time.   lags : L different whole numbers of samples; positive = the past, 0 =
        now, negative = the future.
    kernel : (L, k), e.g. ``basis.kernel(L)``.
    times : (n,) seconds; a jump of 1.5 steps or more is a break.   trials : (n,) labels; a change is a break.
    fill : NaN, so that rows without all of their past are seen (leave them out: ``np.isfinite(X).all(axis=1)``), or a
        number.

    Returns
    -------
    array (n, features L) or (n, features k), float64, or float32 for float32.

    Raises
    ------
    InputError : ``bad-parameter``, ``bad-time`` (times that do not rise), ``rows-differ``.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> cs.models.lagged(np.arange(4.0), [0, 1], trials=["a", "a", "b", "b"])
    array([[nan, nan],
           [ 1.,  0.],
           [nan, nan],
           [ 3.,  2.]])
    """
    who = "lagged"
    values = _series(x, who)
    listed = _lags(lags, who)
    first, last = min(listed), max(listed)
    weights = None
    if kernel is not None:
        given = np.asarray(kernel, dtype=np.float64)
        if given.ndim != 2 or len(given) != len(listed) or not np.isfinite(given).all():
            raise InputError(
                f"{who}: kernel must be finite, with a row for each of the {len(listed)} lags; got shape "
                f"{given.shape}.",
                code="bad-parameter",
            )
        weights = np.zeros((last - first + 1, given.shape[1]))
        weights[np.asarray(listed) - first] = given
    n, p = values.shape
    width = len(listed) if weights is None else weights.shape[1]
    out = np.empty((n, p, width), values.dtype)
    before, after = max(0, last), max(0, -first)
    for start, stop in stretches(n, times, trials, who=who):
        padded = np.zeros((before + stop - start + after, p), values.dtype)
        padded[before : before + stop - start] = values[start:stop]
        if weights is None:
            for k, lag in enumerate(listed):
                out[start:stop, :, k] = padded[before - lag : before - lag + stop - start]
        else:
            past = np.lib.stride_tricks.sliding_window_view(padded, last - first + 1, axis=0)
            past = past[before - last :][
                : stop - start
            ]  # (rows, p, span): from the lag ``last`` to ``first``
            turned = weights[::-1].astype(values.dtype)
            for j in range(p):
                out[start:stop, j] = past[:, j] @ turned
        if np.isnan(fill):
            out[start : min(start + before, stop)] = np.nan
            out[max(stop - after, start) : stop] = np.nan
        elif fill != 0:
            raise InputError(f"{who}: fill must be NaN or 0, got {shorten(fill)}.", code="bad-parameter")
    return out.reshape(n, p * width)


def coupling_design(
    y: Any, kernel: Any, /, *, times: Any = None, trials: Any = None, fill: float = np.nan
) -> np.ndarray:
    """What each neuron fired before each sample, through k filters: predictors of history and coupling.

    Column j k + c of row i is sum_{l=1..L} K[l - 1, c] y[i - l, j]: only the past, so that a model with these columns
    can be simulated (`GLM.simulate`). Coefficients of column j k + c for neuron u are the coupling from j to u; j = u
    is the neuron's own history.

    Parameters
    ----------
    y : (n, neurons) or (n,) counts.   kernel : (L, k), row l - 1 is lag l, e.g. ``basis.kernel(L)``.
    times, trials, fill : see `lagged`.

    Returns
    -------
    array (n, neurons k)

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> spikes = np.array([[1.0], [0.0], [2.0], [0.0]])
    >>> cs.models.coupling_design(spikes, np.array([[1.0], [0.5]]), fill=0).ravel()
    array([0. , 1. , 0.5, 2. ])
    """
    given = np.asarray(kernel, dtype=np.float64)
    if given.ndim != 2 or not len(given):
        raise InputError(
            f"coupling_design: kernel must be (lags, filters), got shape {given.shape}; basis.kernel(n_lags) "
            "makes one.",
            code="bad-parameter",
        )
    return lagged(y, range(1, len(given) + 1), kernel=given, times=times, trials=trials, fill=fill)


def stretches(n: int, times: Any, trials: Any, *, who: str) -> list[tuple[int, int]]:
    """(start, stop) of rows between breaks."""
    ends = np.zeros(n, bool)
    ends[:1] = True
    if times is not None:
        seconds = np.asarray(times, dtype=np.float64)
        if seconds.shape != (n,):
            raise InputError(
                f"{who}: times must be one per sample ({n}), got {seconds.shape}.", code="rows-differ"
            )
        gaps = np.diff(seconds)
        if not (gaps > 0).all():
            raise InputError(
                f"{who}: times must rise; sample {int(np.argmin(gaps)) + 1} does not come after the one before.",
                code="bad-time",
            )
        ends[1:] |= gaps >= 1.5 * (np.median(gaps) if gaps.size else 1.0)
    if trials is not None:
        labels = np.asarray(trials)
        if labels.shape != (n,):
            raise InputError(
                f"{who}: trials must be one per sample ({n}), got {labels.shape}.", code="rows-differ"
            )
        ends[1:] |= labels[1:] != labels[:-1]
    starts = np.flatnonzero(ends)
    return [(int(a), int(b)) for a, b in zip(starts, [*starts[1:], n])]


def _series(x: Any, who: str) -> np.ndarray:
    values = to_numpy(as_array(x, name="x", who=who))
    if values.dtype.kind not in "biuf":
        raise InputError(f"{who}: x must hold real numbers, got dtype {values.dtype}.", code="not-numeric")
    single = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    values = values.astype(np.float32 if single else np.float64, copy=False)
    if values.ndim not in (1, 2) or not values.size:
        raise InputError(
            f"{who}: x must be (samples, features) or (samples,), got shape {values.shape}.", code="not-2d"
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{who}: x has NaN or infinite values; cut those samples out first.", code="nan-values"
        )
    return values.reshape(len(values), -1)


def _lags(lags: Any, who: str) -> list[int]:
    try:
        listed = [check_count(lag, name="lags", who=who, minimum=-(10**6)) for lag in lags]
    except (TypeError, InputError):
        listed = []
    if not listed or len(set(listed)) < len(listed):
        raise InputError(
            f"{who}: lags must be different whole numbers of samples, e.g. range(10); got {shorten(lags)}.",
            code="bad-parameter",
        )
    return listed
