"""Is there a receptive field at all: the largest entry of the map of correlations against circular shifts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import fft

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, shorten
from consilience._core._seeds import resolve_seed
from consilience.stats import autocorrelation_time, circular_shifts, p_value, permutations

__all__ = ["MapTest", "map_test"]

_WHO = "cs.units.map_test"
_BYTES = 1 << 26  # of the products held at a time
_LOOKED_AT = 64  # pixels whose autocorrelation is measured


@dataclass(frozen=True)
class MapTest:
    """Made by `map_test`.

    z : (units, lags, *space) covariance of response and stimulus over its standard deviation by chance.
    statistic : (units,) largest |z|.   null : (m, units) the same of each shift.   null_mean, p : (units,).
    threshold : (units,) |z| that the largest entry of a map passes by chance with the probability 1 - level: entries
        above it are significant for the map as a whole.
    n_effective : (units,) frames over the time for which a map lasts: that of the product of both autocorrelations, and
        the lags. Below 100 shifts that are far enough hold too few maps that differ, and the test finds too much: 0.057
        to 0.09 of unrelated pairs at 0.05 for 20 to 80, 0.050 to 0.053 from 100 on (simulated).
    """

    z: np.ndarray
    statistic: np.ndarray
    null: np.ndarray
    null_mean: np.ndarray
    p: np.ndarray
    threshold: np.ndarray
    n_effective: np.ndarray


def map_test(
    stimulus: Any,
    y: Any,
    /,
    *,
    lags: Sequence[int] | np.ndarray = (0,),
    trials: Any = None,
    exchangeable: bool = False,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: Any = None,
) -> MapTest:
    """Tests whether a response hangs on the stimulus at any place and lag, linearly.

    c_k(u) = sum_t (y_tu - mean) (x_{t-k} - mean) over frames whose lags are all there, z = c over its standard
    deviation over shifts, and the statistic is max |z| over lags and places. The null is the same for the response
    shifted in time on a circle, by more than the lags and the autocorrelation: this keeps the autocorrelation of both,
    which shuffling frames does not (its p-values are far too small for smooth stimuli and bursty cells). All shifts
    come from one Fourier transform of each place and unit. p = (b + 1) / (m + 1).

    It looks for a linear effect: a unit that answers to contrast alone (a complex cell) may pass unseen; see
    `cs.models.SpikeTriggeredCovariance`. Slow drifts that stimulus and response share by chance leave few independent
    shifts; ``n_effective`` counts them.

    Parameters
    ----------
    stimulus : (n, *space) frames in order of time.   y : (n, units) or (n,) responses, one per frame.
    lags : consecutive whole numbers of frames, 0 = the frame of the response, positive = before it.
    trials : (n,) labels; a change is a break, over which no lag reaches.
    exchangeable : frames are single stimuli in no order (images): relabellings take the place of shifts, lags are (0,).
    n_perm : shifts (as many as there are, if fewer).   level : of ``threshold``.   rng : seed.

    Returns
    -------
    MapTest : NaN for units that do not vary.

    Raises
    ------
    InputError : ``rows-differ``, ``nan-values``, ``too-few``: no shift is long enough.

    References
    ----------
    Theiler et al. (1992) for surrogates; Westfall & Young (1993) for the largest statistic.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 5))
    >>> y = np.stack([np.roll(x[:, 2], 1), rng.normal(size=2000)], axis=1) + rng.normal(size=(2000, 2))
    >>> found = cs.units.map_test(x, y, lags=range(3), n_perm=200, rng=0)
    >>> found.p.round(3).tolist(), np.unravel_index(np.abs(found.z[0]).argmax(), (3, 5))
    ([0.005, 0.114], (np.int64(1), np.int64(2)))
    """
    x, target, space = _checked(stimulus, y)
    steps = _lags(lags)
    n_perm = check_count(n_perm, name="n_perm", who=_WHO)
    level = check_number(level, name="level", who=_WHO, low=0.0, high=1.0)
    generator = resolve_seed(rng, who=_WHO).stream("map_test")
    if exchangeable and steps.tolist() != [0]:
        raise InputError(
            f"{_WHO}: stimuli in no order have the lag 0 alone, got lags {shorten(lags)}.",
            code="bad-parameter",
        )
    n, units = target.shape
    rows = np.ones(n, dtype=bool) if exchangeable else _rows(n, steps, trials)
    if rows.sum() < 4:
        raise InputError(
            f"{_WHO}: {int(rows.sum())} frames have all their lags; at least 4 are needed.", code="too-few"
        )
    target = np.where(rows[:, None], target - target[rows].mean(axis=0), 0.0)
    varies = np.abs(target).max(axis=0) > 1e-12 * np.maximum(np.abs(to_numpy(y)).max(), 1e-300)
    x = x - x.mean(axis=0)
    if exchangeable:
        z, null = _relabelled(x, target, permutations(n, n_perm, generator))
    else:
        shifts = circular_shifts(n, _least(x, target, steps, n), n_perm, generator)
        if n_perm and not shifts.size:
            raise InputError(
                f"{_WHO}: {n} frames are too few to shift by more than the lags and the autocorrelation; a longer "
                "recording, fewer lags, or n_perm=0.",
                code="too-few",
            )
        z, null = _shifted(x, target, steps, shifts)
    z[~varies], null[:, ~varies] = np.nan, np.nan
    with np.errstate(invalid="ignore"):
        statistic = np.abs(z).max(axis=(1, 2)) if x.shape[1] else np.full(units, np.nan)
    known = len(null) > 0
    return MapTest(
        z=z.reshape(units, steps.size, *space),
        statistic=statistic,
        null=null,
        null_mean=null.mean(axis=0) if known else np.full(units, np.nan),
        p=np.where(varies, p_value(statistic, null), np.nan) if known else np.full(units, np.nan),
        threshold=np.quantile(null, level, axis=0) if known else np.full(units, np.nan),
        n_effective=np.full(units, float(n)) if exchangeable else n / (_together(x, target) + steps.size - 1),
    )


def _checked(stimulus: Any, y: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Stimulus (n, pixels) float32 or float64, responses (n, units) float64, shape of a frame."""
    frames, target = (
        to_numpy(as_array(given, name=name, who=_WHO)) for given, name in ((stimulus, "stimulus"), (y, "y"))
    )
    for name, values in (("stimulus", frames), ("y", target)):
        if values.dtype.kind not in "biuf":
            raise InputError(
                f"{_WHO}: {name} must hold real numbers, got dtype {values.dtype}.", code="not-numeric"
            )
        if not values.size:
            raise InputError(f"{_WHO}: {name} is empty (shape {values.shape}).", code="too-few")
    if target.ndim not in (1, 2) or len(target) != len(frames):
        raise InputError(
            f"{_WHO}: y must be (frames, units) with a row for each of the {len(frames)} frames, got shape "
            f"{target.shape}.",
            code="rows-differ",
        )
    single = frames.dtype.kind == "f" and frames.dtype.itemsize <= 4
    frames, space = frames.astype(np.float32 if single else np.float64), frames.shape[1:]
    target = target.astype(np.float64).reshape(len(target), -1)
    for name, values in (("stimulus", frames), ("y", target)):
        if not np.isfinite(values).all():
            raise InputError(
                f"{_WHO}: {name} has NaN or infinite values; cut those frames out of both, with trials= so that no lag "
                "reaches over the gap.",
                code="nan-values",
            )
    return frames.reshape(len(frames), -1), target, space


def _lags(lags: Any) -> np.ndarray:
    steps = np.atleast_1d(np.asarray(lags))
    if steps.ndim != 1 or steps.dtype.kind not in "iu" or not steps.size or (np.diff(steps) != 1).any():
        raise InputError(
            f"{_WHO}: lags must be consecutive whole numbers of frames, such as range(10), got {shorten(lags)}.",
            code="bad-parameter",
        )
    return steps.astype(np.int64)


def _rows(n: int, steps: np.ndarray, trials: Any) -> np.ndarray:
    """Which frames have all their lags in their own stretch."""
    labels = np.zeros(n, dtype=np.int64) if trials is None else np.asarray(trials)
    if labels.shape != (n,):
        raise InputError(f"{_WHO}: trials must be {n} labels, got {labels.shape}.", code="rows-differ")
    edges = np.r_[0, np.flatnonzero(labels[1:] != labels[:-1]) + 1, n]
    rows = np.zeros(n, dtype=bool)
    for start, stop in itertools.pairwise(edges.tolist()):
        rows[start + max(steps[-1], 0) : max(stop + min(steps[0], 0), 0)] = True
    return rows


def _together(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(units,) 1 + 2 sum_k r_x(k) r_y(k), in frames, up to where the product falls below 0.05; r_x over pixels."""
    r_x, r_y = _autocorrelation(_some(x)).mean(axis=1), _autocorrelation(y)
    both = np.maximum(r_x, 0.0)[:, None] * r_y
    inside = np.cumsum(both < 0.05, axis=0) == 0
    return np.asarray(np.maximum(2 * (both * inside).sum(axis=0) - 1, 1.0))


def _autocorrelation(x: np.ndarray) -> np.ndarray:
    """(n // 2, p) of the columns of x (n, p), which are centred."""
    n = len(x)
    power = fft.irfft(np.abs(fft.rfft(x.astype(np.float64), 2 * n, axis=0)) ** 2, axis=0)[: max(n // 2, 1)]
    return power / np.where(power[:1] > 0, power[:1], 1.0)


def _some(x: np.ndarray) -> np.ndarray:
    return x[:, np.linspace(0, x.shape[1] - 1, min(_LOOKED_AT, x.shape[1])).astype(int)]


def _least(x: np.ndarray, y: np.ndarray, steps: np.ndarray, n: int) -> int:
    """Shortest shift: the span of the lags and three times the longer autocorrelation, at most a quarter of all."""
    slow = min(float(autocorrelation_time(_some(x)).max()), float(autocorrelation_time(y).max()))
    return int(min(int(np.abs(steps).max()) + 1 + np.ceil(3 * slow), max(n // 4, 1)))


def _shifted(
    x: np.ndarray, y: np.ndarray, steps: np.ndarray, shifts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """z (units, lags, pixels), and largest |z| of each shift (m, units), from covariances at all shifts."""
    n, units = y.shape
    of_y = fft.rfft(y.astype(x.dtype), axis=0).T  # (units, frequencies)
    z = np.empty((units, steps.size, x.shape[1]))
    null = np.zeros((shifts.size, units))
    back = (steps[None, :] - shifts[:, None]) % n  # a response that comes s later has its lag k at k - s
    for pixels, block in _blocks(x, units * n * x.itemsize):
        of_x = fft.rfft(block, axis=0).conj().T[:, None]
        both = fft.irfft(of_x * of_y[None], n, axis=-1)  # (pixels, units, n)
        spread = np.sqrt(np.mean(both * both, axis=-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(spread > 0, 1 / spread, 0.0)
        z[:, :, pixels] = (both[:, :, steps % n] * scale[:, :, None]).transpose(1, 2, 0)
        np.abs(both, out=both)
        some = max(1, _BYTES // (both[..., 0].size * steps.size * both.itemsize))
        for k in range(0, shifts.size, some):
            at = back[k : k + some]
            largest = both[:, :, at.ravel()].reshape(*scale.shape, *at.shape).max(axis=-1)
            null[k : k + some] = np.maximum(null[k : k + some], (largest * scale[..., None]).max(axis=0).T)
    return z, null


def _blocks(x: np.ndarray, each: int) -> Iterator[tuple[slice, np.ndarray]]:
    width = max(1, _BYTES // max(each, 1))
    for start in range(0, x.shape[1], width):
        pixels = slice(start, min(start + width, x.shape[1]))
        yield pixels, np.ascontiguousarray(x[:, pixels])


def _relabelled(x: np.ndarray, y: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for relabellings of the rows; the standard deviation over all of them is known."""
    n = len(y)
    long = np.sqrt((x.astype(np.float64) ** 2).sum(axis=0))[:, None]
    long = long * np.sqrt((y * y).sum(axis=0))[None] / np.sqrt(max(n - 1, 1))
    with np.errstate(divide="ignore"):
        scale = np.where(long > 0, 1 / long, 0.0)
    flipped, y = x.T, y.astype(x.dtype)
    z = ((flipped @ y) * scale).T[:, None, :].astype(np.float64)
    null = np.empty((len(orders), y.shape[1]))
    for k, order in enumerate(orders):
        null[k] = np.abs((flipped @ y[order]) * scale).max(axis=0)
    return z, null
