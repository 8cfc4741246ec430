"""Stochastic shape distances: systems as distributions over trials, up to one rotation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from consilience._core._arrays import as_array, as_matrix, to_numpy
from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import resolve_seed
from consilience.linalg import ledoit_wolf

__all__ = ["StochasticFloor", "stochastic_shape_distance", "stochastic_shape_floor"]

METRICS = ("gaussian", "energy")
COVARIANCES = ("sample", "shrunk")
_TRIAL_RUN, _FOLLOWED = 12, 2  # steps from each start; how many of them go on
_FIRST, _MEMORY, _STEPS_KEPT, _WINDOW = 25, 8, 20, 20
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
    the means and from ``restarts`` random ones; the best two go on, "gaussian" by limited-memory BFGS over the
    rotations. As the problem is not convex, only a stationary point is certain: where trials are few and noise
    outweighs the means, another start can end a per cent lower.

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
    float >= 0, in the unit of x; lower = more alike.

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
    check_option(metric, METRICS, name="metric", who=who)
    check_option(covariance, COVARIANCES, name="covariance", who=who)
    check_number(gamma, name="gamma", who=who, low=0.0, high=2.0, closed=True)
    check_number(tolerance, name="tolerance", who=who, low=0.0, high=1.0)
    check_count(restarts, name="restarts", who=who)
    check_count(max_iterations, name="max_iterations", who=who, minimum=2)
    random = resolve_seed(rng, who=who).stream("rotations")
    if metric == "energy":
        problem: Any = _Energy(_centred(_trials(x, "x", who)), _centred(_trials(y, "y", who)), who)
    else:
        problem = _Gaussian(_moments(x, "x", covariance, who), _moments(y, "y", covariance, who), gamma, who)
    starts = [problem.first, *(_polar(random.normal(size=problem.first.shape)) for _ in range(restarts))]
    runs = [_alternate(problem.step, q, tolerance, _TRIAL_RUN)[:2] for q in starts]
    kept = sorted(runs, key=lambda run: run[1])[:_FOLLOWED]
    value, done = min(
        (_settle(problem, q, tolerance, max_iterations) for q, _ in kept), key=lambda end: end[0]
    )
    if not done:
        warn(
            "not-converged",
            f"{who}: the distance still fell after {max_iterations} iterations.",
            "Allow more iterations, or a larger tolerance.",
        )
    return float(np.sqrt(max(value, 0.0) / problem.n))


# -- what comes in -----------------------------------------------------------------------------------------


def _trials(x: Any, name: str, who: str) -> Trials:
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
    return np.asarray(as_matrix(z, name=name, who=who, min_rows=2), dtype=np.float64)


def _centred(trials: Trials) -> Trials:
    mean = np.mean([z.mean(axis=0) for z in trials], axis=0)
    return [z - mean for z in trials]


def _moments(x: Any, name: str, covariance: str, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Means (n, p), centred, and factors (n, p, r) with F F' = covariance."""
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
        factors = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        return means - means.mean(axis=0), factors
    trials = _trials(x, name, who)
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


def _same_stimuli(n: int, m: int, who: str) -> None:
    if n != m:
        raise InputError(
            f"{who}: x has {n} stimuli and y {m}; give the same ones, in one order.", code="rows-differ"
        )


# -- the two problems --------------------------------------------------------------------------------------


class _Gaussian:
    """step(Q) -> (n d^2 at Q, the matrix G whose polar factor is the next Q; -2 G is the gradient). Y is turned:
    y -> y Q.
    """

    smooth = True

    def __init__(
        self, x: tuple[np.ndarray, np.ndarray], y: tuple[np.ndarray, np.ndarray], gamma: float, who: str
    ) -> None:
        (mx, fx), (my, fy) = x, y
        _same_stimuli(len(mx), len(my), who)
        self.n, width = len(mx), max(mx.shape[1], my.shape[1])
        mx, my = (np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in (mx, my))
        fx, fy = (np.pad(f, ((0, 0), (0, width - f.shape[1]), (0, 0))) for f in (fx, fy))
        self.share = 2.0 - gamma
        self.cross = gamma * (my.T @ mx)
        self.sum = gamma * float(np.sum(mx * mx) + np.sum(my * my))
        self.sum += self.share * float(np.sum(fx * fx) + np.sum(fy * fy))
        self.left = np.ascontiguousarray(fx.transpose(0, 2, 1))
        self.flat = self.left.reshape(-1, width)
        self.right = fy
        # the means tell the rotation; without them the mean covariances do, up to signs
        at = my.T @ mx if gamma > 0 else np.einsum("nik,njk->ij", fy, fy) @ np.einsum("nik,njk->ij", fx, fx)
        self.first = _polar(at)

    def step(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        if self.share == 0:
            return self.sum - 2 * float(np.sum(self.cross * q)), self.cross
        u, size, vt = np.linalg.svd(self.left @ (q.T @ self.right), full_matrices=False)
        value = self.sum - 2 * (float(np.sum(self.cross * q)) + self.share * float(size.sum()))
        turned = self.right @ (u @ vt).transpose(0, 2, 1)
        pull = turned.transpose(1, 0, 2).reshape(q.shape[0], -1) @ self.flat
        return value, self.cross + self.share * pull


class _Energy:
    """The same for the energy distance: distances weighted by their inverses (iteratively reweighted squares)."""

    smooth = False  # where trials meet

    def __init__(self, x: Trials, y: Trials, who: str) -> None:
        _same_stimuli(len(x), len(y), who)
        self.n, width = len(x), max(x[0].shape[1], y[0].shape[1])
        self.x, self.y = ([np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in side] for side in (x, y))
        self.own = sum(float(cdist(z, z).mean()) / 2 for z in (*self.x, *self.y))
        self.floor = 1e-9 * max(float(np.abs(z).max()) for z in (*self.x, *self.y))
        self.first = _polar(
            np.stack([b.mean(axis=0) for b in self.y]).T @ np.stack([a.mean(axis=0) for a in self.x])
        )

    def step(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        value, pull = -self.own, np.zeros_like(q)
        for a, b in zip(self.x, self.y):
            d = cdist(a, b @ q)
            value += float(d.mean())
            pull += b.T @ (1 / np.maximum(d, self.floor)).T @ a / d.size
        return value, pull


# -- the iteration -----------------------------------------------------------------------------------------


def _polar(a: np.ndarray) -> np.ndarray:
    u, _, vt = np.linalg.svd(a)
    return u @ vt


def _alternate(
    step: Callable[[np.ndarray], tuple[float, np.ndarray]], q: np.ndarray, tolerance: float, most: int
) -> tuple[np.ndarray, float, bool]:
    """(rotation, value, settled). The plain step T = polar(pull) never raises the value; the extrapolated one is kept
    where it is no higher than where it started, else the plain one follows.
    """
    value, pull = step(q)
    plain = _polar(pull)
    points: list[np.ndarray] = []
    moves: list[np.ndarray] = []
    scale = abs(value) + float(np.abs(np.sum(pull * q)))
    for _ in range(most):
        points, moves = [*points[1 - _MEMORY :], plain.ravel()], [*moves[1 - _MEMORY :], (plain - q).ravel()]
        candidate = _extrapolated(points, moves).reshape(q.shape) if len(moves) > 1 else plain
        found = step(candidate)
        if found[0] > value and candidate is not plain:
            candidate, points, moves = plain, [], []
            found = step(candidate)
        settled = abs(value - found[0]) <= tolerance * scale and (len(moves) > 1 or candidate is plain)
        if found[0] <= value:
            q, (value, pull) = candidate, found
            plain = _polar(pull)
        if settled:
            return q, value, True
    return q, value, False


def _extrapolated(points: list[np.ndarray], moves: list[np.ndarray]) -> np.ndarray:
    """Anderson acceleration (Walker & Ni 2011), brought back to the nearest rotation."""
    f, g = np.stack(moves), np.stack(points)
    df, dg = np.diff(f, axis=0), np.diff(g, axis=0)
    gram = df @ df.T
    weights = np.linalg.solve(gram + 1e-10 * (np.trace(gram) + 1e-300) * np.eye(len(gram)), df @ f[-1])
    side = int(np.sqrt(f.shape[1]))
    return _polar((g[-1] - weights @ dg).reshape(side, side)).ravel()


def _settle(problem: Any, q: np.ndarray, tolerance: float, most: int) -> tuple[float, bool]:
    q, value, done = _alternate(problem.step, q, tolerance, _FIRST if problem.smooth else most)
    return _descend(problem.step, q, tolerance, most) if problem.smooth else (value, done)


def _descend(
    step: Callable[[np.ndarray], tuple[float, np.ndarray]], q: np.ndarray, tolerance: float, most: int
) -> tuple[float, bool]:
    """(value, settled) by limited-memory BFGS over the rotations: steps A in the tangent space, Q -> Q (I - A/2)^-1
    (I + A/2). It gets through the flat stretches in which the alternation creeps.
    """
    value, pull = step(q)
    gradient = _tangent(q, pull)
    scale = abs(value) + 2 * abs(float(np.sum(pull * q)))
    moves: list[np.ndarray] = []
    turns: list[np.ndarray] = []
    seen = [value]
    eye = np.eye(len(q))
    for _ in range(most):
        direction = _bfgs(gradient.ravel(), moves, turns, float(np.abs(np.trace(q.T @ pull))) / len(q))
        direction = direction.reshape(q.shape)
        slope = float(np.sum(gradient * direction))
        length = 1.0
        while True:
            half = length / 2 * direction
            new = q @ np.linalg.solve(eye - half, eye + half)
            found = step(new)
            if found[0] <= value + 1e-4 * length * slope or length < 1e-4:
                break
            length /= 3
        if found[0] > value:
            if not moves:
                return value, True  # nowhere lower, to rounding
            moves, turns = [], []
            continue
        changed = _tangent(new, found[1])
        move, turn = length * direction.ravel(), (changed - gradient).ravel()
        if move @ turn > 1e-12 * np.linalg.norm(move) * np.linalg.norm(turn):
            moves, turns = [*moves[1 - _STEPS_KEPT :], move], [*turns[1 - _STEPS_KEPT :], turn]
        q, (value, pull), gradient = new, found, changed
        seen.append(value)
        if len(seen) > _WINDOW and seen[-_WINDOW - 1] - value <= _WINDOW * tolerance * scale:
            return value, True
    return value, False


def _tangent(q: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Gradient with respect to A in Q exp(A), A antisymmetric."""
    turned = q.T @ pull
    return turned.T - turned


def _bfgs(gradient: np.ndarray, moves: list[np.ndarray], turns: list[np.ndarray], size: float) -> np.ndarray:
    """Direction of descent from the last moves and changes of the gradient (two-loop recursion, Nocedal 1980)."""
    out = gradient.copy()
    kept = []
    for move, turn in zip(moves[::-1], turns[::-1]):
        share = (move @ out) / (move @ turn)
        kept.append(share)
        out -= share * turn
    out *= (moves[-1] @ turns[-1]) / (turns[-1] @ turns[-1]) if moves else 0.5 / max(size, 1e-300)
    for move, turn, share in zip(moves, turns, kept[::-1]):
        out += move * (share - (turn @ out) / (move @ turn))
    return -out


# -- what trials alone make ----------------------------------------------------------------------------------


class StochasticFloor(NamedTuple):
    """Distances between halves of the trials, means over splits.

    between : of x to y.   within_x, within_y : of a system to itself, what trials of this number make alone.
    ratio : between over the root mean square of the two within; 1 = no more apart than halves of one system.
    """

    between: float
    within_x: float
    within_y: float

    @property
    def ratio(self) -> float:
        floor = float(np.sqrt((self.within_x**2 + self.within_y**2) / 2))
        return self.between / floor if floor > 0 else float("inf")


def stochastic_shape_floor(
    x: Any, y: Any, /, *, splits: int = 5, rng: Any = 0, **options: Any
) -> StochasticFloor:
    """What few trials make of a stochastic shape distance: halves of the trials of x and y, within and between.

    Each split halves the trials of every stimulus at random; all three distances are between halves, so they have
    one number of trials and can be compared, unlike the distance from all trials.

    Parameters
    ----------
    x, y : trials, as in `stochastic_shape_distance`, at least 4 of every stimulus
    splits : number of random halvings.   rng : their seed.   options : of `stochastic_shape_distance`.

    Returns
    -------
    StochasticFloor (between, within_x, within_y), ``.ratio``

    Raises
    ------
    InputError : fewer than 4 trials of a stimulus, moments instead of trials, an unknown option.

    References
    ----------
    Duong et al. (2023).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> means = rng.normal(size=(8, 1, 3))
    >>> x, y = (means + rng.normal(size=(8, 40, 3)) for _ in range(2))
    >>> floor = cs.measures.stochastic_shape_floor(x, y, splits=2)
    >>> 0.8 < floor.ratio < 1.2
    True
    """
    who = "stochastic_shape_floor"
    check_count(splits, name="splits", who=who, minimum=1)
    sides = [_trials(z, name, who) for z, name in ((x, "x"), (y, "y"))]
    _same_stimuli(len(sides[0]), len(sides[1]), who)
    fewest = min(len(z) for side in sides for z in side)
    if fewest < 4:
        raise InputError(
            f"{who}: at least 4 trials of every stimulus are needed, got {fewest}.", code="too-few"
        )
    random = resolve_seed(rng, who=who).stream("halves")
    found = []
    for _ in range(splits):
        (a, b), (c, d) = (_halves(side, random) for side in sides)
        found.append([stochastic_shape_distance(*pair, **options) for pair in ((a, c), (a, b), (c, d))])
    return StochasticFloor(*(float(v) for v in np.mean(found, axis=0)))


def _halves(trials: Sequence[np.ndarray], rng: np.random.Generator) -> tuple[Trials, Trials]:
    one, two = [], []
    for z in trials:
        order = rng.permutation(len(z))
        one.append(z[order[: len(z) // 2]])
        two.append(z[order[len(z) // 2 :]])
    return one, two
