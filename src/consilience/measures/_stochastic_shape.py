"""Stochastic shape distances: systems as distributions over trials, up to one rotation."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.spatial.distance import cdist

from consilience._core._arrays import as_array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.linalg import ledoit_wolf
from consilience.linalg._centre import safe_power
from consilience.measures._rotation_search import Curvature, alternate, newton, polar

__all__ = [
    "Energy",
    "Gaussian",
    "Trials",
    "distance",
    "same_stimuli",
    "settle",
    "solve",
    "stochastic_problem",
    "stochastic_shape_distance",
    "trials_of",
]

METRICS = ("gaussian", "energy")
COVARIANCES = ("sample", "shrunk")
_TRIAL_RUN, _FOLLOWED = 12, 2  # steps from each start; how many of them go on
Trials = list[np.ndarray]  # of each stimulus: (trials, units)


def stochastic_shape_distance(
    x: Any,
    y: Any,
    /,
    *,
    metric: Literal["gaussian", "energy"] = "gaussian",
    gamma: float = 1.0,
    covariance: Literal["sample", "shrunk"] = "sample",
    restarts: int = 4,
    tolerance: float = 1e-7,
    max_iterations: int = 1000,
    rng: Any = 0,
) -> float:
    """Distance of two systems that answer a stimulus with a distribution, up to one rotation of the units.

    gaussian : d^2 = min over Q of mean_i gamma |m_i - Q'm'_i|^2 + (2 - gamma) B^2(S_i, Q'S'_i Q), with means m_i,
    covariances S_i over the trials of stimulus i and the Bures distance B^2(S, T) = tr S + tr T - 2 tr (S^1/2 T
    S^1/2)^1/2. gamma = 1 is the 2-Wasserstein distance of Gaussians, 2 compares means only (sqrt(2/n) times the
    euclidean `shape_distance`), 0 covariances only (Duong et al. 2023).
    energy : d^2 = min over Q of mean_i E|x - Q'y| - E|x - x'|/2 - E|y - y'|/2 over trials of stimulus i, those of
    one system in all pairs, a trial with itself too, so that the distance of a system to itself is 0.

    The mean over stimuli is taken off each system; the one with fewer units is padded with zeros. Q is found by
    alternation (each step: one rotation per stimulus, then the Procrustes rotation of them all), which never
    raises d, extrapolated (Anderson acceleration) where that lowers it further, from the rotation that fits
    the means and from ``restarts`` random ones; the best two go on, "gaussian" by Newton steps over the
    rotations in a trust region. As the problem is not convex, only a stationary point is certain: where trials
    are few and noise outweighs the means, another start can end a per cent lower.

    Few trials raise the distance: means and covariances of two samples of one system differ. Read it beside
    `stochastic_shape_floor`; ``covariance="shrunk"`` lowers the part of the covariances.

    Parameters
    ----------
    x : array (n stimuli, trials, p units); a trial that is NaN throughout is missing. Or a list of n arrays (trials
        of that stimulus, p units); or a tuple (means (n, p), covariances (n, p, p)), for "gaussian".
    y : the same stimuli in any of these forms, q units
    gamma : in [0, 2], "gaussian" only.
    covariance : "sample", or "shrunk" (Ledoit & Wolf 2004, of each stimulus).   restarts : random starts.
    tolerance : change of the objective in a step, relative to its terms, at which the iteration ends.
    rng : seed of the random starts.

    Returns
    -------
    float >= 0, in the unit of x, for "energy" in its square root; lower = more alike.

    Raises
    ------
    InputError : other numbers of stimuli, fewer than 2 trials of a stimulus, NaN in part of a trial, covariances
        that are not symmetric and positive, an unknown option.
    ConsilienceWarning ``not-converged`` : ``max_iterations`` were not enough.

    References
    ----------
    Duong et al. (2023); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(6, 20, 3))
    >>> rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    >>> cs.measures.stochastic_shape_distance(x, x @ rotation) < 1e-5
    True
    >>> cs.measures.stochastic_shape_distance(x, 2 * x) > 0.5
    True
    """
    who = "stochastic_shape_distance"
    problem = stochastic_problem(x, y, metric=metric, gamma=gamma, covariance=covariance, who=who)
    _, value = solve(
        problem, restarts=restarts, tolerance=tolerance, max_iterations=max_iterations, rng=rng, who=who
    )
    return value


def solve(
    problem: Gaussian | Energy,
    *,
    restarts: int = 4,
    tolerance: float = 1e-7,
    max_iterations: int = 1000,
    rng: Any = 0,
    who: str,
) -> tuple[np.ndarray, float]:
    """(rotation, d) from the rotation of the means and random ones."""
    check_number(tolerance, name="tolerance", who=who, low=0.0, high=1.0)
    check_count(restarts, name="restarts", who=who)
    check_count(max_iterations, name="max_iterations", who=who, minimum=2)
    random = resolve_seed(rng, who=who).stream("rotations")
    starts = [problem.first, *(polar(random.normal(size=problem.first.shape)) for _ in range(restarts))]
    runs = [alternate(problem.step, q, tolerance, _TRIAL_RUN)[:2] for q in starts]
    kept = sorted(runs, key=lambda run: run[1])[:_FOLLOWED]
    ends = [settle(problem, q, tolerance, max_iterations) for q, _ in kept]
    q, value, done = min(ends, key=lambda end: end[1])
    if not done:
        warn(
            "not-converged",
            f"{who}: the distance still fell after {max_iterations} iterations.",
            "Allow more iterations, or a larger tolerance.",
        )
    return q, distance(problem, value)


def distance(problem: Gaussian | Energy, value: float) -> float:
    """d, in the unit of the data, from n d^2 of the problem."""
    return float(np.sqrt(max(value, 0.0) / problem.n)) * problem.unit


def settle(
    problem: Gaussian | Energy, q: np.ndarray, tolerance: float, most: int
) -> tuple[np.ndarray, float, bool]:
    """(rotation, n d^2, settled) from a rotation that is near."""
    if isinstance(problem, Gaussian):
        return newton(problem.curved, q, tolerance, most)
    return alternate(problem.step, q, tolerance, most)


# -- what comes in -----------------------------------------------------------------------------------------


def trials_of(x: Any, name: str, who: str) -> Trials:
    if isinstance(x, (list, tuple)):
        if isinstance(x, tuple) and len(x) == 2 and np.ndim(x[1]) == 3:
            raise InputError(
                f"{who}: {name} is a tuple of means and covariances, which metric='gaussian' takes; give the trials.",
                code="bad-parameter",
            )
        out = [
            _whole(to_numpy(as_array(z, name=f"{name}[{i}]", who=who)), f"{name}[{i}]", who)
            for i, z in enumerate(x)
        ]
    else:
        array = to_numpy(as_array(x, name=name, who=who))
        if array.ndim != 3:
            raise InputError(
                f"{who}: {name} must be (stimuli, trials, units), a list of (trials, units), or a tuple of means and "
                f"covariances; got shape {array.shape}.",
                code="not-an-array",
            )
        out = [_whole(z, f"{name}[{i}]", who) for i, z in enumerate(array)]
    if len(out) < 2 or len({z.shape[1] for z in out}) > 1:
        raise InputError(
            f"{who}: {name} needs at least 2 stimuli of one number of units, got {len(out)} with "
            f"{sorted({z.shape[1] for z in out})} units.",
            code="too-few",
        )
    return out


def _whole(z: np.ndarray, name: str, who: str) -> np.ndarray:
    if z.ndim == 2 and z.dtype.kind == "f":
        z = z[~np.isnan(z).all(axis=1)]
    if z.ndim == 2 and len(z) < 2:
        raise InputError(
            f"{who}: {name} has {len(z)} trial{'s' * (len(z) != 1)}; at least 2 of every stimulus are needed.",
            code="too-few",
        )
    return np.asarray(as_matrix(z, name=name, who=who, min_rows=2), dtype=np.float64)


def _centred(trials: Trials) -> Trials:
    mean = np.mean([z.mean(axis=0) for z in trials], axis=0)
    return [z - mean for z in trials]


def _given(x: Any, name: str, who: str) -> Trials | tuple[np.ndarray, np.ndarray]:
    """The trials, or means (n, p) and factors (n, p, r) with F F' = covariance."""
    if isinstance(x, tuple) and len(x) == 2 and np.ndim(x[1]) == 3:
        means = np.asarray(as_matrix(x[0], name=f"means of {name}", who=who, min_rows=2), dtype=np.float64)
        covariances = np.asarray(to_numpy(as_array(x[1], name=name, who=who)), dtype=np.float64)
        n, p = means.shape
        if covariances.shape != (n, p, p) or not np.isfinite(covariances).all():
            raise InputError(
                f"{who}: the covariances of {name} must be finite, of shape {(n, p, p)}, got {covariances.shape}.",
                code="bad-parameter",
            )
        values, vectors = np.linalg.eigh(covariances)
        off = np.abs(covariances - covariances.transpose(0, 2, 1)).max()
        if off > 1e-8 * np.abs(covariances).max() or values.min() < -1e-8 * max(values.max(), 1e-300):
            raise InputError(
                f"{who}: the covariances of {name} must be symmetric with no negative eigenvalue, lowest "
                f"{values.min():.3g}.",
                code="bad-parameter",
            )
        return means, vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return trials_of(x, name, who)


def _at_safe_size(sides: list[Any]) -> tuple[list[Any], float]:
    """Both sides over one power of two, where squares of their numbers could overflow or vanish; and that power."""
    power = safe_power(np.array([float(np.abs(z).max()) for side in sides for z in side]))
    if power == 1.0:
        return sides, power
    return [type(side)(z / power for z in side) for side in sides], power


def _moments(given: Trials | tuple[np.ndarray, np.ndarray], covariance: str) -> tuple[np.ndarray, np.ndarray]:
    """Means (n, p), centred, and factors (n, p, r) with F F' = covariance."""
    if isinstance(given, tuple):
        return given[0] - given[0].mean(axis=0), given[1]
    trials = given
    means = np.stack([z.mean(axis=0) for z in trials])
    deviations = [z - m for z, m in zip(trials, means)]
    most, p = max(len(z) for z in trials), means.shape[1]
    if covariance == "shrunk" or most > p:
        s = [
            ledoit_wolf(z)[0] * (len(z) / (len(z) - 1)) if covariance == "shrunk" else z.T @ z / (len(z) - 1)
            for z in deviations
        ]
        values, vectors = np.linalg.eigh(np.stack(s))
        factors = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    else:  # fewer trials than units: the trials themselves are a factor, and a smaller one
        factors = np.zeros((len(trials), p, most))
        for k, z in enumerate(deviations):
            factors[k, :, : len(z)] = z.T / np.sqrt(len(z) - 1)
    return means - means.mean(axis=0), factors


def same_stimuli(n: int, m: int, who: str) -> None:
    if n != m:
        raise InputError(
            f"{who}: x has {n} stimuli and y {m}; give the same ones, in one order.", code="rows-differ"
        )


def stochastic_problem(
    x: Any, y: Any, *, metric: str, gamma: float, covariance: str, who: str
) -> Gaussian | Energy:
    check_option(metric, METRICS, name="metric", who=who)
    check_option(covariance, COVARIANCES, name="covariance", who=who)
    check_number(gamma, name="gamma", who=who, low=0.0, high=2.0, closed=True)
    if metric == "energy":
        sides, power = _at_safe_size([trials_of(x, "x", who), trials_of(y, "y", who)])
        one, two = map(_centred, sides)
        return Energy(one, two, who, unit=float(np.sqrt(power)))
    sides, power = _at_safe_size([_given(x, "x", who), _given(y, "y", who)])
    x, y = (_moments(side, covariance) for side in sides)
    return Gaussian(x, y, gamma, who, unit=power)


# -- the two problems --------------------------------------------------------------------------------------


class Gaussian:
    """step(Q) -> (n d^2 at Q, the matrix G whose polar factor is the next Q; -2 G is the gradient). Y is turned:
    y -> y Q. ``unit``: by which d is multiplied, as the data were divided.
    """

    def __init__(
        self,
        x: tuple[np.ndarray, np.ndarray],
        y: tuple[np.ndarray, np.ndarray],
        gamma: float,
        who: str,
        *,
        unit: float = 1.0,
    ) -> None:
        (mx, fx), (my, fy) = x, y
        same_stimuli(len(mx), len(my), who)
        width, rank = max(mx.shape[1], my.shape[1]), max(fx.shape[2], fy.shape[2])
        self.mx, self.my = (np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in (mx, my))
        fx, fy = (np.pad(f, ((0, 0), (0, width - f.shape[1]), (0, rank - f.shape[2]))) for f in (fx, fy))
        self.left, self.right = np.ascontiguousarray(fx.transpose(0, 2, 1)), fy
        self.who = who
        self.gamma, self.share, self.n = gamma, 2.0 - gamma, len(mx)
        self.cross = gamma * (self.my.T @ self.mx)
        self.sum = gamma * float(np.sum(self.mx**2) + np.sum(self.my**2))
        self.sum += self.share * float(np.sum(fx * fx) + np.sum(fy * fy))
        self.unit = unit
        self.size = float(np.sqrt(self.sum / self.n)) * unit
        self.first = self._first()

    def subset(self, rows: np.ndarray) -> Gaussian:
        """The problem of some of the stimuli."""
        mx, my = (z[rows] - z[rows].mean(axis=0) for z in (self.mx, self.my))
        x, y = (mx, self.left[rows].transpose(0, 2, 1)), (my, self.right[rows])
        return Gaussian(x, y, self.gamma, self.who, unit=self.unit)

    def _first(self) -> np.ndarray:
        """The means tell the rotation; what they leave open (fewer stimuli than units), the mean covariances do, not
        rounding.
        """
        left = self.left.reshape(-1, self.left.shape[2])
        right = self.right.transpose(0, 2, 1).reshape(-1, self.left.shape[2])
        means, covariances = self.my.T @ self.mx, (right.T @ right) @ (left.T @ left)
        if self.gamma == 0 or not means.any():
            return polar(covariances)
        size = float(np.linalg.norm(covariances))
        part = 1e-6 * float(np.linalg.norm(means)) / size if size > 0 else 0.0
        return polar(means + part * covariances)

    def costs(self, q: np.ndarray) -> np.ndarray:
        """What each stimulus adds to n d^2 at Q, (n,)."""
        means = np.sum((self.mx - self.my @ q) ** 2, axis=1)
        sizes = np.sum(self.left**2, axis=(1, 2)) + np.sum(self.right**2, axis=(1, 2))
        if self.share == 0:
            return np.asarray(self.gamma * means)
        both = np.linalg.svd(self.left @ (q.T @ self.right), compute_uv=False).sum(axis=1)
        return np.asarray(self.gamma * means + self.share * (sizes - 2 * both))

    def step(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        return self.curved(q)[:2]

    def curved(self, q: np.ndarray) -> tuple[float, np.ndarray, Curvature]:
        """And the products D -> dG of the curvature: with M = U S V', the polar factor U V' of M changes by U E V',
        E = (K - K') / (s_i + s_j), K = U' dM V. No further decomposition.
        """
        if self.share == 0:
            return self.sum - 2 * float(np.sum(self.cross * q)), self.cross, np.zeros_like
        u, size, vt = np.linalg.svd(self.left @ (q.T @ self.right))
        value = self.sum - 2 * (float(np.sum(self.cross * q)) + self.share * float(size.sum()))
        left, right = u.transpose(0, 2, 1) @ self.left, self.right @ vt.transpose(0, 2, 1)
        flat = left.reshape(-1, len(q))
        least = np.maximum(1e-7 * size[:, :1, None], 1e-300)
        gain = self.share / np.maximum(size[:, :, None] + size[:, None, :], least)

        def back(right: np.ndarray) -> np.ndarray:
            return right.transpose(1, 0, 2).reshape(len(q), -1) @ flat

        def curvature(d: np.ndarray) -> np.ndarray:
            k = (flat @ d.T).reshape(left.shape) @ right
            return back(right @ ((k.transpose(0, 2, 1) - k) * gain))

        return value, self.cross + self.share * back(right), curvature


class Energy:
    """The same for the energy distance: distances weighted by their inverses (iteratively reweighted squares)."""

    def __init__(self, x: Trials, y: Trials, who: str, *, unit: float = 1.0) -> None:
        same_stimuli(len(x), len(y), who)
        self.n, width = len(x), max(x[0].shape[1], y[0].shape[1])
        self.x, self.y = ([np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in side] for side in (x, y))
        self.who = who
        self.own = sum(float(cdist(z, z).mean()) / 2 for z in (*self.x, *self.y))
        self.unit = unit
        self.size = (
            float(np.sqrt(self.own / self.n)) * unit
        )  # as of the Gaussian: a distance without any overlap
        self.floor = 1e-9 * max(float(np.abs(z).max()) for z in (*self.x, *self.y))
        self.first = polar(
            np.stack([b.mean(axis=0) for b in self.y]).T @ np.stack([a.mean(axis=0) for a in self.x])
        )

    def subset(self, rows: np.ndarray) -> Energy:
        """The problem of some of the stimuli."""
        x, y = (_centred([side[i] for i in rows]) for side in (self.x, self.y))
        return Energy(x, y, self.who, unit=self.unit)

    def costs(self, q: np.ndarray) -> np.ndarray:
        """What each stimulus adds to n d^2 at Q, (n,)."""

        def of(a: np.ndarray, b: np.ndarray) -> float:
            return float(cdist(a, b @ q).mean() - (cdist(a, a).mean() + cdist(b, b).mean()) / 2)

        return np.array([of(a, b) for a, b in zip(self.x, self.y)])

    def step(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        value, pull = -self.own, np.zeros_like(q)
        for a, b in zip(self.x, self.y):
            d = cdist(a, b @ q)
            value += float(d.mean())
            pull += b.T @ (1 / np.maximum(d, self.floor)).T @ a / d.size
        return value, pull
