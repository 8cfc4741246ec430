"""The steps of a trajectory: how long they are behind noise, and surrogates that are walks and straight lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience._core._arrays import Array
from consilience._core._errors import InputError
from consilience._core._params import check_count
from consilience._core._seeds import Seed, resolve_seed
from consilience.linalg._centre import safe_power
from consilience.linalg._noise import labelled
from consilience.stats._tensor_door import as_tensor, refuse_ragged

__all__ = ["shuffled_steps", "step_lengths", "step_products", "straightened"]


def shuffled_steps(
    x: Array,
    condition: Array | None = None,
    /,
    *,
    n: int = 1,
    rng: int | str | Seed | np.random.Generator | None = 0,
) -> Iterator[np.ndarray]:
    """Surrogates with the steps of each trajectory in another order: walks of the same steps between the same ends.

    z_1 = x_1, z_(t+1) - z_t = v_(o(t)) with v_t = x_(t+1) - x_t and o a random order, one for all units and all trials
    of a condition. Where a trajectory starts and ends, how long its steps are and along which axes they go is kept;
    which step follows which is lost, so smoothness in time too. It asks of a curvature whether successive steps go on
    in the same direction; the walk turns by 90 degrees where its steps are unrelated.

    The noise of a single x_t is in two steps, with opposite signs, and comes to be in two that are apart: compare
    statistics free of it, products of different trials (`cs.populations.curvature` with conditions).

    Parameters
    ----------
    x : (trials or conditions, time, units), finite.   condition : (trials,) labels; None = each row has an order of its
        own.   n : surrogates.   rng : seed.

    Yields
    ------
    (trials or conditions, time, units) float64

    Raises
    ------
    InputError : not three axes, NaN, fewer than 3 times.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.array([0.0, 1.0, 3.0, 6.0]).reshape(1, 4, 1)
    >>> next(cs.stats.shuffled_steps(x, rng=0))[0, :, 0]
    array([0., 2., 3., 6.])
    """
    who = "cs.stats.shuffled_steps"
    n = check_count(n, name="n", who=who)
    refuse_ragged(x, "steps of a condition change places in all its trials", who=who)
    values = as_tensor(x, who=who, least=(1, 3, 1))
    number = _numbers(condition, len(values), who)
    steps, stream = np.diff(values, axis=1), resolve_seed(rng, who=who).stream("steps")
    count = int(number.max()) + 1

    def one() -> np.ndarray:
        order = stream.permuted(np.tile(np.arange(steps.shape[1]), (count, 1)), axis=1)[number]
        moved = np.take_along_axis(steps, order[:, :, None], axis=1)
        return np.concatenate([values[:, :1], values[:, :1] + np.cumsum(moved, axis=1)], axis=1)

    return (one() for _ in range(n))


def straightened(
    x: Array,
    condition: Array,
    /,
    *,
    n: int = 1,
    rng: int | str | Seed | np.random.Generator | None = 0,
) -> Iterator[np.ndarray]:
    """Surrogates on straight lines: the mean of each condition goes at its own speed along one axis, with the noise of
    the trials around it.

    z_rt = x_1 + d sum_(s<t) l_s + e_rt: l_s the length of each step behind noise (<v_s . v_s> over pairs of different
    trials, at least as uneven as the true one, so that an uneven speed is not taken for a bend), d the axis along which
    the mean of the condition steps most, e_r a trial of noise: a random mixture, of orthonormal weights, of what the
    trials of all conditions differ in within conditions, so trials are independent and have the covariance over time
    and units of the noise, pooled over conditions. It asks of a curvature whether it is more than noise makes of one.

    Parameters
    ----------
    x : (trials, time, units), finite.   condition : (trials,) labels, at least 3 trials of each, and 2 conditions.
    n : surrogates.   rng : seed.

    Yields
    ------
    (trials, time, units) float64

    Raises
    ------
    InputError : not three axes, NaN, fewer than 3 times; fewer than 3 trials of a condition (``no-repeats``), or too
        few conditions (``too-few``).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> t = np.arange(10) * np.pi / 6  # a circle
    >>> x = np.tile(np.stack([np.cos(t), np.sin(t), 0 * t], axis=1), (12, 1, 1))
    >>> x += 0.01 * np.random.default_rng(0).normal(size=x.shape)
    >>> label = np.repeat(["a", "b"], 6)
    >>> z = next(cs.stats.straightened(x, label, rng=0))
    >>> [bool(abs(cs.populations.curvature(v, label).value - angle) < 3) for v, angle in ((x, 30), (z, 0))]
    [True, True]
    """
    who = "cs.stats.straightened"
    n = check_count(n, name="n", who=who)
    refuse_ragged(x, "the noise of a trial is mixed from that of others", who=who)
    values = as_tensor(x, who=who, least=(1, 3, 1))
    power = safe_power(values)
    number = _numbers(condition, len(values), who)
    counts = np.bincount(number)
    if counts.min() < 3:
        raise InputError(
            f"{who}: needs >= 3 trials of every condition, as the noise around a line is that of trials; "
            f"{int((counts < 3).sum())} of {counts.size} have fewer.",
            code="no-repeats",
        )
    if len(values) - counts.size < counts.max():
        raise InputError(
            f"{who}: needs at least 2 conditions, of about as many trials: {len(values)} trials of {counts.size} "
            f"differ in {len(values) - counts.size} ways, and {int(counts.max())} independent trials of noise are "
            "wanted.",
            code="too-few",
        )
    lines, noise = [], []
    for k in range(counts.size):
        own = values[number == k] / power
        steps = np.diff(own, axis=1)
        axis = np.linalg.svd(steps.mean(axis=0), full_matrices=False)[2][0]
        along = np.concatenate([[0.0], np.cumsum(step_lengths(steps, drawn=False))])
        lines.append(own[:, 0].mean(axis=0) + along[:, None] * axis)
        noise.append(_contrasts(len(own)) @ own.reshape(len(own), -1))
    line, source = np.stack(lines)[number], np.concatenate(noise)
    stream = resolve_seed(rng, who=who).stream("line")

    def one() -> np.ndarray:
        weights = np.empty((len(values), len(source)))
        for k, count in enumerate(counts):
            weights[number == k] = np.linalg.qr(stream.standard_normal((len(source), count)))[0].T
        return power * (line + (weights @ source).reshape(line.shape))

    return (one() for _ in range(n))


def step_products(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """<v_t . v_t> (time,) and <v_t . v_(t+1)> (time - 1,) of steps (repeats, time, units), <> the mean over pairs of
    different repeats, so free of noise.
    """
    m, total = len(steps), steps.sum(axis=0)
    own = np.einsum("rtu,rtu->t", steps, steps)
    next_own = np.einsum("rtu,rtu->t", steps[:, :-1], steps[:, 1:])
    pairs = m * (m - 1)
    return (
        (np.einsum("tu,tu->t", total, total) - own) / pairs,
        (np.einsum("tu,tu->t", total[:-1], total[1:]) - next_own) / pairs,
    )


def step_lengths(steps: np.ndarray, *, drawn: bool = True) -> np.ndarray:
    """(time,) length of each step of the path behind repeats (repeats, time, units).

    Squares are <v_t . v_t>, drawn to their mean over time by the share of their variance that is error (jackknife over
    repeats; of 2 repeats all of it), and not below 0: differences between steps that are noise would count as speed.
    drawn : False: as they are, but for those below 0, their sum kept.
    """
    m = len(steps)
    square = step_products(steps)[0]
    if not drawn:
        above = np.maximum(square, 0.0)
        return np.sqrt(above * (max(0.0, float(square.sum())) / max(float(above.sum()), 1e-300)))
    mean, spread = float(square.mean()), float(square.var(ddof=1)) if square.size > 1 else 0.0
    kept = 0.0
    if m >= 3 and spread > 0:
        own = np.einsum("rtu,rtu->rt", steps, steps)
        rest = steps.sum(axis=0) - steps
        left = (np.einsum("rtu,rtu->rt", rest, rest) - (own.sum(axis=0) - own)) / ((m - 1) * (m - 2))
        error = float((m - 1) / m * ((left - left.mean(axis=0)) ** 2).sum(axis=0).mean())
        kept = max(0.0, 1.0 - error / spread)
    return np.sqrt(np.maximum(mean + kept * (square - mean), 0.0))


def _contrasts(m: int) -> np.ndarray:
    """(m - 1, m) orthonormal rows, orthogonal to the mean."""
    return np.linalg.qr(np.column_stack([np.ones(m), np.eye(m)[:, : m - 1]]))[0][:, 1:].T


def _numbers(condition: Array | None, count: int, who: str) -> np.ndarray:
    if condition is None:
        return np.arange(count)
    return np.asarray(labelled(condition, count, name="condition", who=who)[1])
