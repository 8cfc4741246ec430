"""How noise lies to the direction of a signal: alignment, principal axes, information, and where it would end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from consilience._core._arrays import Array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.stats import LinearFisherInformation, linear_fisher_information

__all__ = ["NoiseGeometry", "noise_geometry"]

WHO = "cs.populations.noise_geometry"
_GROUPS, _TURNS = 10, 40


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseGeometry:
    """The noise of a population at two stimuli, seen from the direction f' in which they differ.

    alignment, ci_low, ci_high : noise variance along f' over that of a mean direction, d' S d N / (|d|^2 tr S); 1 for
    noise that has nothing to do with the signal, N at most.   null_mean, null_low, null_high, p : the same where each
    unit's trials are shuffled (no noise correlations); p is two-sided.
    angle : degrees between f' and the first noise axis, of which noise alone gives about 90 - 57 / sqrt(N).
    axis_signal, axis_noise : (n_axes,) share of |f'|^2, and of tr S, along each noise axis; axes from one half of the
    trials, variances along them from the other.
    information : `cs.stats.LinearFisherInformation` with and without correlations.   axis_information : (n_axes,)
    information in the first 1 ... n_axes noise axes alone, corrected for bias.
    differential, differential_low, differential_high : epsilon of S = S_0 + epsilon f' f'^T, in squared stimulus units:
    1 / epsilon is the information of infinitely many units like these.   differential_null_low, differential_null_high,
    differential_p : of shuffled trials, where it is about 0; p is one-sided.
    sizes, size_information : numbers of units drawn, and the mean information of so many.
    """

    alignment: float
    ci_low: float
    ci_high: float
    null_mean: float
    null_low: float
    null_high: float
    p: float
    angle: float
    axis_signal: np.ndarray
    axis_noise: np.ndarray
    information: LinearFisherInformation
    axis_information: np.ndarray
    differential: float
    differential_low: float
    differential_high: float
    differential_null_low: float
    differential_null_high: float
    differential_p: float
    sizes: np.ndarray
    size_information: np.ndarray
    n_trials: tuple[int, int]
    n_units: int
    level: float

    def __repr__(self) -> str:
        return (
            f"<NoiseGeometry> alignment {self.alignment:.3g} [{self.ci_low:.3g}, {self.ci_high:.3g}] (shuffled "
            f"{self.null_mean:.3g}); information {self.information.value:.3g}, without correlations "
            f"{self.information.shuffled:.3g}; {self.n_units} units"
        )


def noise_geometry(
    x1: Array,
    x2: Array,
    /,
    *,
    ds: float = 1.0,
    n_axes: int = 5,
    n_perm: int = 100,
    level: float = 0.95,
    rng: int = 0,
) -> NoiseGeometry:
    """Whether noise lies along the signal, where it hurts a linear readout, or beside it.

    With d = mean_2 - mean_1 = f' ds and S the mean noise covariance of N units:

        alignment = N d' S d / (|d|^2 tr S)

    All parts are estimated without the bias of few trials for Gaussian noise: |d|^2 less tr S / c, d' S d less tr S^2 /
    c, c = T1 T2 / (T1 + T2), and tr S^2 of few degrees of freedom corrected. Noise that moves the population along f'
    (differential correlations, Moreno-Bote et al. 2014) bounds the information of any number of units,

        1 / I_n = a / n + epsilon,

    fitted to the corrected information I_n of random subsets of n units, n from N / 4 to N. It is an extrapolation: a
    noise of broad correlations that more units would average out can look the same among few units.

    Trials needed: 0.9 (T1 + T2) > N + 5, several times that for epsilon. In simulations of 40 units the alignment was
    within 6 % of the truth on average from 30 trials each (its spread 0.34 there, 0.06 with 300), an epsilon of 0.5
    came out as 1.5, 0.66, 0.54 and 0.51 from 30, 50, 100 and 300 trials each; intervals held the truth in 0.92 to 1.00
    (`benchmarks/noise_geometry.md`).

    Parameters
    ----------
    x1, x2 : (T1, N), (T2, N) trials at two stimuli.   ds : their distance, in units of the stimulus.   n_axes : noise
        axes.   n_perm : shuffles of trials; 0 = none.   level : of intervals, by jackknife over 10 groups of trials.
    rng : seed.

    Returns
    -------
    NoiseGeometry

    Raises
    ------
    InputError : too few trials for the units (``too-few``), units that never vary, other units in x2, NaN.
    ConsilienceWarning : ``no-signal``: stimuli that do not differ beyond noise.

    References
    ----------
    Moreno-Bote et al. (2014); Kanitscheider et al. (2015).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> f = np.ones(20) / 2
    >>> x1, x2 = (s * f + rng.normal(size=(300, 20)) + rng.normal(size=(300, 1)) * f for s in (0, 1))
    >>> found = cs.populations.noise_geometry(x1, x2)  # noise along f': 20 (1 + 5) / (20 + 5) = 4.8
    >>> found.ci_low < 4.8 < found.ci_high, found.p < 0.05
    (True, True)
    """
    ds = check_number(ds, name="ds", who=WHO, low=0.0)
    n_axes = check_count(n_axes, name="n_axes", who=WHO, minimum=1)
    n_perm = check_count(n_perm, name="n_perm", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    a, b = (
        np.asarray(to_numpy(as_matrix(x, name=name, who=WHO, min_rows=8)), dtype=np.float64)
        for name, x in (("x1", x1), ("x2", x2))
    )
    fewest = sum(len(x) - -(-len(x) // _GROUPS) for x in (a, b))
    if a.shape[1] == b.shape[1] and fewest <= a.shape[1] + 5:
        raise InputError(
            f"{WHO}: {a.shape[1]} units need more than {int(np.ceil((a.shape[1] + 5) / 0.9)) + 2} trials in all, got "
            f"{len(a)} + {len(b)}; use fewer units, or more trials.",
            code="too-few",
        )
    information = linear_fisher_information(a, b, ds, level=level)  # refuses what has no information
    n = a.shape[1]
    n_axes = min(n_axes, n, min(len(a), len(b)) // 2)
    alignment = _alignment(a, b)
    sizes = np.unique(np.linspace(max(2, n // 4), n, 8).astype(int))
    subsets = _subsets(n, seed.stream("subsets"))
    by_size = _by_size(a, b, sizes, subsets)
    epsilon = _epsilon(sizes, by_size)
    left = [_without(a, b, g, seed.stream("groups")) for g in range(_GROUPS)]
    ends = _jackknife(alignment, np.array([_alignment(*part) for part in left]), level)
    if not np.isfinite(ends).all():
        lacking = "interval" if np.isfinite(alignment) else "value"
        where = " in some nine tenths of the trials" if lacking == "interval" else ""
        warn(
            "no-signal",
            f"{WHO}: the two stimuli do not differ beyond noise{where}, so the alignment has no {lacking}.",
            "Stimuli further apart, or more trials; without a signal an alignment says nothing.",
        )
    wide = _jackknife(
        epsilon, np.array([_epsilon(sizes, _by_size(*part, sizes, subsets)) for part in left]), level
    )
    few = min(n_perm, 40)
    null, null_epsilon = np.empty(n_perm), np.empty(few)
    stream = seed.stream("trials")
    for k in range(n_perm):
        one, two = (_apart(x, stream) for x in (a, b))
        null[k] = _alignment(one, two)
        if k < few:
            null_epsilon[k] = _epsilon(sizes, _by_size(one, two, sizes, subsets))
    tails, others = (
        np.quantile(v, [(1 - level) / 2, (1 + level) / 2]) if v.size else (np.nan, np.nan)
        for v in (null, null_epsilon)
    )
    signal, noise, angle, along = _axes(a, b, n_axes, seed.stream("halves"))
    above, below = (1 + np.sum(null >= alignment)), (1 + np.sum(null <= alignment))
    return NoiseGeometry(
        alignment=alignment,
        ci_low=ends[0],
        ci_high=ends[1],
        null_mean=float(null.mean()) if null.size else float("nan"),
        null_low=float(tails[0]),
        null_high=float(tails[1]),
        p=float(min(2 * min(above, below) / (null.size + 1), 1.0)) if null.size else float("nan"),
        angle=angle,
        axis_signal=signal,
        axis_noise=noise,
        information=information,
        axis_information=along / ds**2,
        differential=epsilon * ds**2,
        differential_low=wide[0] * ds**2,
        differential_high=wide[1] * ds**2,
        differential_null_low=float(others[0]) * ds**2,
        differential_null_high=float(others[1]) * ds**2,
        differential_p=float((1 + np.sum(null_epsilon >= epsilon)) / (few + 1)) if few else float("nan"),
        sizes=sizes,
        size_information=by_size / ds**2,
        n_trials=(len(a), len(b)),
        n_units=n,
        level=level,
    )


def _apart(x: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Each unit's trials in an order of their own."""
    return np.asarray(stream.permuted(x, axis=0))


def _moments(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    """(d, S, degrees of freedom, c)."""
    t1, t2 = len(a), len(b)
    v = t1 + t2 - 2
    left = np.concatenate([a - a.mean(axis=0), b - b.mean(axis=0)])
    return b.mean(axis=0) - a.mean(axis=0), left.T @ left / v, float(v), t1 * t2 / (t1 + t2)


def _alignment(a: np.ndarray, b: np.ndarray) -> float:
    d, s, v, c = _moments(a, b)
    trace = float(np.trace(s))
    square = v**2 / ((v - 1) * (v + 2)) * (float((s * s).sum()) - trace**2 / v)
    length = float(d @ d) - trace / c
    return d.size * (float(d @ s @ d) - square / c) / (length * trace) if length > 0 else float("nan")


def _information(q: np.ndarray, n: np.ndarray, v: float, c: float) -> np.ndarray:
    return np.asarray(q * (v - n - 1) / v - n / c)


def _subsets(n: int, stream: np.random.Generator) -> list[np.ndarray]:
    """Orders of units, every size being the beginning of each: one turned on a circle, so that each unit is in as many
    (nearly) of the first n.
    """
    order, steps = stream.permutation(n), min(n, _TURNS)
    return [np.roll(order, round(s * n / steps)) for s in range(steps)]


def _by_size(a: np.ndarray, b: np.ndarray, sizes: np.ndarray, subsets: list[np.ndarray]) -> np.ndarray:
    """Mean corrected information (ds = 1) of the first units of each order, by one factorisation of each."""
    d, s, v, c = _moments(a, b)
    q = np.zeros(d.size)
    for order in subsets:
        lower = np.linalg.cholesky(s[np.ix_(order, order)])
        q += np.cumsum(np.linalg.solve(lower, d[order]) ** 2)  # of the first n units, for every n
    at = q[sizes - 1] / len(subsets)
    return _information(at, sizes, v, c)


def _epsilon(sizes: np.ndarray, information: np.ndarray) -> float:
    """Intercept of 1 / I on 1 / n, weighted by the information."""
    good = information > 0
    if good.sum() < 3:
        return float("nan")
    x, y, w = 1.0 / sizes[good], 1.0 / information[good], information[good] ** 2
    mean_x, mean_y = np.average(x, weights=w), np.average(y, weights=w)
    slope = np.average((x - mean_x) * (y - mean_y), weights=w) / np.average((x - mean_x) ** 2, weights=w)
    return float(mean_y - slope * mean_x)


def _without(
    a: np.ndarray, b: np.ndarray, g: int, stream: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.delete(x, stream.permutation(len(x))[g::_GROUPS], axis=0) for x in (a, b))  # type: ignore[return-value]


def _jackknife(value: float, left: np.ndarray, level: float) -> tuple[float, float]:
    spread = float(np.sqrt((_GROUPS - 1) / _GROUPS * ((left - left.mean()) ** 2).sum()))
    half = float(student.ppf((1 + level) / 2, _GROUPS - 1)) * spread
    return value - half, value + half


def _axes(
    a: np.ndarray, b: np.ndarray, k: int, stream: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """(share of the signal, share of the noise, angle to the first, information in the first 1 ... k)."""
    one, two = (stream.permutation(len(x)) for x in (a, b))
    halves = [(a[one[i::2]], b[two[i::2]]) for i in range(2)]
    signal, noise, information, first = np.zeros(k), np.zeros(k), np.zeros(k), 0.0
    whole, s_all, _, c_all = _moments(a, b)
    length = float(whole @ whole) - float(np.trace(s_all)) / c_all
    for here, there in (halves, halves[::-1]):
        axes = np.linalg.eigh(_moments(*here)[1])[1][:, ::-1][:, :k]
        d, s, v, c = _moments(*there)
        along, spread = axes.T @ d, axes.T @ s @ axes
        signal += ((along**2 - np.diag(spread) / c) / length) / 2
        noise += np.diag(spread) / np.trace(s) / 2
        lower = np.linalg.cholesky(spread)
        q = np.cumsum(np.linalg.solve(lower, along) ** 2)
        information += _information(q, np.arange(1, k + 1), v, c) / 2
    first = float(signal[0])
    return signal, noise, float(np.degrees(np.arccos(np.sqrt(np.clip(first, 0.0, 1.0))))), information
