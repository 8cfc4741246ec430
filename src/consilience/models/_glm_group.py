"""Group-lasso GLMs of many neurons at once: proximal quasi-Newton steps in the shared metric of the predictors."""

from __future__ import annotations

import numpy as np

from consilience.models._glm_course import Course, Solved, in_chunks
from consilience.models._glm_design import Batch, Prepared
from consilience.models._observations import Observation

__all__ = ["Groups", "solve_group"]

_INNER = 1000  # steps of a subproblem, which are products with (p, p) alone


class Groups:
    """Which features shrink together. owner : (p,) number of the group of each feature.   root : (groups,) sqrt of its
    size.
    """

    def __init__(self, owner: np.ndarray) -> None:
        count = int(owner.max()) + 1
        self.owner = owner
        self.member = (np.arange(count)[:, None] == owner[None, :]).astype(np.float64)
        self.root = np.sqrt(self.member.sum(axis=1))

    def norms(self, w: np.ndarray) -> np.ndarray:
        """(groups, t) of coefficients (p, t)."""
        return np.sqrt(self.member @ (w * w))

    def penalty(self, w: np.ndarray) -> np.ndarray:
        """(t,) sum of sqrt(size) ||w_g||."""
        return self.root @ self.norms(w)

    def shrink(self, w: np.ndarray, by: np.ndarray) -> np.ndarray:
        """The proximal map: each group is shortened by ``by`` (t,) times sqrt(size), at most to 0."""
        norms = self.norms(w)
        keep = np.maximum(0.0, 1.0 - self.root[:, None] * by / np.where(norms > 0, norms, 1.0))
        return w * keep[self.owner]


def solve_group(
    design: Prepared,
    y: np.ndarray,
    observation: Observation,
    alpha: np.ndarray,
    theta: np.ndarray,
    *,
    tol: np.ndarray,
    max_iter: int,
    groups: Groups,
) -> Solved:
    """argmin of mean loss + alpha sum_g sqrt(size_g) ||w_g|| for every column of y (n, t), from ``theta``.

    A step minimises the penalty and a quadratic with Hessian c_u X'X / n (accelerated proximal steps that never pass
    over the rows), then looks along the way to that minimum; c_u is the curvature that the last step met. Stops where n
    times the decrease that the quadratic promises is below ``tol`` (t,).
    """
    return in_chunks(_descend, design, y, observation, alpha, theta, tol, max_iter, groups)


def _descend(
    design: Prepared,
    y: np.ndarray,
    observation: Observation,
    alpha: np.ndarray,
    theta: np.ndarray,
    tol: np.ndarray,
    max_iter: int,
    groups: Groups,
) -> Solved:
    n, q, t = design.n, design.q, y.shape[1]
    course, theta = Course(theta), theta.copy()
    batch = Batch(design, y, observation, theta)
    least = scale = batch.mean_weight()
    loss, _ = batch.look(np.zeros(t))
    value = loss + batch.linear(theta) + alpha * groups.penalty(theta[:q])
    gradient = batch.gradient()
    stuck = np.zeros(t, bool)
    for iteration in range(max_iter + 1):
        direction = _toward(design, gradient, theta, scale, alpha, groups, tol / n)
        promised = (gradient * direction).sum(axis=0) + alpha * (
            groups.penalty((theta + direction)[:q]) - groups.penalty(theta[:q])
        )
        gain = -n * promised
        done = (gain <= tol) | stuck
        course.note(theta, gain, iteration)
        if done.all() or iteration == max_iter:
            break
        kept = course.fewer(done)
        if kept is not None:
            batch.keep(kept)
            tol, stuck, alpha, scale, least, value, promised = (
                v[kept] for v in (tol, stuck, alpha, scale, least, value, promised)
            )
            theta, gradient, direction = theta[:, kept], gradient[:, kept], direction[:, kept]
        batch.turn(direction)
        size, value = _along(batch, theta, direction, alpha, groups, value, promised, q)
        stuck |= size == 0
        step = size * direction
        theta = theta + step
        batch.move(size)
        fresh = batch.gradient()
        bend = (step[:q] * (design.moment @ step[:q])).sum(axis=0)
        if design.intercept:
            bend = bend + step[q] ** 2
        met = (step * (fresh - gradient)).sum(axis=0) / np.where(bend > 0, bend, 1.0)
        scale = np.where(bend > 0, np.clip(met, 0.1 * least, 100 * least), scale)
        gradient = fresh
    return course.solved()


def _toward(
    design: Prepared,
    gradient: np.ndarray,
    theta: np.ndarray,
    scale: np.ndarray,
    alpha: np.ndarray,
    groups: Groups,
    accuracy: np.ndarray,
) -> np.ndarray:
    """(q + 1, t) the way to the minimum of the quadratic and the penalty: FISTA with restarts (O'Donoghue & Candes
    2015).
    """
    q = design.q
    start, g = theta[:q], gradient[:q]
    largest = float(design.spectrum(penalised=False)[0].max(initial=0.0))
    rate = 1.0 / (scale * max(largest, 1e-300))
    w, ahead, momentum = start, start, 1.0
    for k in range(_INNER):
        pull = g + scale * (design.moment @ (ahead - start))
        new = groups.shrink(ahead - rate * pull, rate * alpha)
        change = new - w
        if ((ahead - new) * change).sum() > 0:
            momentum = 1.0
        following = 0.5 * (1 + np.sqrt(1 + 4 * momentum**2))
        ahead = new + (momentum - 1) / following * change
        momentum, w = following, new
        if k % 10 == 9 and ((change**2).sum(axis=0) / rate <= 1e-3 * accuracy).all():
            break
    out = np.zeros_like(theta)
    out[:q] = w - start
    if design.intercept:
        out[q] = -gradient[q] / scale
    return out


def _along(
    batch: Batch,
    theta: np.ndarray,
    direction: np.ndarray,
    alpha: np.ndarray,
    groups: Groups,
    value: np.ndarray,
    promised: np.ndarray,
    q: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(steps, values) (t,): halved until the decrease is a tenth of what was promised; 0 where none is."""
    noise = 20 * np.finfo(batch.dtype).eps * np.maximum(np.abs(value), 1e-3)
    step = np.ones(value.size)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(30):
            loss, _ = batch.look(step)
            there = theta + step * direction
            reached = loss + batch.linear(there) + alpha * groups.penalty(there[:q])
            ok = reached <= value + 0.1 * step * promised + np.where(-promised < noise, noise, 0.0)
            if ok.all():
                return step, reached
            step = np.where(ok, step, 0.5 * step)
        step = np.where(ok, step, 0.0)
        batch.look(step)
    return step, np.where(ok, reached, value)
