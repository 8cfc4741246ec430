"""Ridge-penalised GLMs of many neurons at once: a limited-memory quasi-Newton method with one shared preconditioner."""

from __future__ import annotations

import numpy as np

from consilience.models._glm_course import Course, Solved, in_chunks
from consilience.models._glm_design import Batch, Prepared
from consilience.models._observations import Observation

__all__ = ["line_search", "solve_ridge"]

_MEMORY = 8  # pairs of the quasi-Newton method
_TRIALS = 15  # of one line search


def solve_ridge(
    design: Prepared,
    y: np.ndarray,
    observation: Observation,
    alpha: np.ndarray,
    theta: np.ndarray,
    *,
    tol: np.ndarray,
    max_iter: int,
) -> Solved:
    """argmin over theta of mean loss + alpha / 2 ||slopes||^2 for every column of y (n, t), from ``theta``.

    The Hessian of neuron u is about c_u X'X / n + alpha_u, c_u its mean weight: exact for a Gaussian, and for the
    others where rates vary little. One eigendecomposition of X'X / n inverts it for all neurons and penalties; what it
    misses is learnt by L-BFGS. An iteration is two products with X for all neurons, and a line search on (n, t)
    numbers alone. Stops where the expected gain, n g' H^-1 g / 2, is below ``tol`` (t,).
    """
    return in_chunks(_descend, design, y, observation, alpha, theta, tol, max_iter)


def _descend(
    design: Prepared,
    y: np.ndarray,
    observation: Observation,
    alpha: np.ndarray,
    theta: np.ndarray,
    tol: np.ndarray,
    max_iter: int,
) -> Solved:
    n, q, t = design.n, design.q, y.shape[1]
    course, theta = Course(theta), theta.copy()
    batch = Batch(design, y, observation, theta)
    penalty = np.zeros_like(theta)
    penalty[:q] = alpha / design.unit[:, None] ** 2
    scale = batch.mean_weight()
    loss, _ = batch.look(np.zeros(t))
    value = loss + batch.linear(theta) + 0.5 * (penalty * theta**2).sum(axis=0)
    gradient = batch.gradient() + penalty * theta
    steps: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    stuck = np.zeros(t, bool)
    for iteration in range(max_iter + 1):
        direction = -_inverse(design, gradient, scale, alpha, steps, changes)
        slope = (gradient * direction).sum(axis=0)
        gain = -0.5 * n * slope
        done = (gain <= tol) | stuck
        course.note(theta, gain, iteration)
        if done.all() or iteration == max_iter:
            break
        kept = course.fewer(done)
        if kept is not None:
            batch.keep(kept)
            tol, stuck, alpha, scale = (v[kept] for v in (tol, stuck, alpha, scale))
            theta, penalty, gradient = theta[:, kept], penalty[:, kept], gradient[:, kept]
            value, direction, slope = value[kept], direction[:, kept], slope[kept]
            steps, changes = [s[:, kept] for s in steps], [c[:, kept] for c in changes]
        batch.turn(direction)
        size, reached = line_search(batch, theta, direction, penalty, value, slope)
        stuck |= size == 0
        step = size * direction
        theta = theta + step
        batch.move(size)
        fresh = batch.gradient() + penalty * theta
        steps, changes = [*steps[1 - _MEMORY :], step], [*changes[1 - _MEMORY :], fresh - gradient]
        value, gradient = reached, fresh
    return course.solved()


def _inverse(
    design: Prepared,
    gradient: np.ndarray,
    scale: np.ndarray,
    alpha: np.ndarray,
    steps: list[np.ndarray],
    changes: list[np.ndarray],
) -> np.ndarray:
    """The quasi-Newton inverse times the gradient (two-loop recursion; Nocedal 1980), neuron by neuron."""
    g, kept = gradient.copy(), []
    for s, r in zip(reversed(steps), reversed(changes)):
        curvature = (s * r).sum(axis=0)
        rho = np.where(curvature > 0, 1 / np.where(curvature > 0, curvature, 1.0), 0.0)
        a = rho * (s * g).sum(axis=0)
        g -= a * r
        kept.append((s, r, rho, a))
    q, penalised = design.q, bool(alpha.all())
    values, vectors = design.spectrum(penalised=penalised)
    unit = design.unit[:, None] if penalised else 1.0
    bend = scale * values[:, None] + alpha
    low = (
        0.0
        if penalised
        else 4 * np.finfo(design.dtype).eps * scale * max(float(values.max(initial=0.0)), 1e-300)
    )
    z = vectors.T @ (unit * g[:q])
    g[:q] = unit * (vectors @ np.where(bend > low, z / np.where(bend > low, bend, 1.0), 0.0))
    if design.intercept:
        g[q] /= scale
    for s, r, rho, a in reversed(kept):
        g += s * (a - rho * (r * g).sum(axis=0))
    return g


def line_search(
    batch: Batch,
    theta: np.ndarray,
    direction: np.ndarray,
    penalty: np.ndarray,
    value: np.ndarray,
    slope: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(steps, values) (t,) that meet Wolfe's conditions, or, where rounding hides a decrease, the approximate ones of
    Hager & Zhang (2005); step 0 where nothing does. `batch.residual` is that of the steps.
    """
    bend = (penalty * direction**2).sum(axis=0)
    tilt = (penalty * theta * direction).sum(axis=0)
    still = 0.5 * (penalty * theta**2).sum(axis=0)
    at, toward = batch.linear(theta), batch.linear(direction)
    noise = 20 * np.finfo(batch.dtype).eps * np.maximum(np.abs(value), 1e-3)
    step, low, high = np.ones(value.size), np.zeros(value.size), np.full(value.size, np.inf)
    reached, ok = value, np.zeros(value.size, bool)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(_TRIALS):
            loss, rise = batch.look(step)
            reached = loss + at + still + step * (toward + tilt) + 0.5 * step**2 * bend
            rise = rise + toward + tilt + step * bend
            finite = np.isfinite(reached) & np.isfinite(rise)
            lower = finite & (reached <= value + 0.1 * step * slope)
            same = finite & (reached <= value + noise) & (rise <= -0.8 * slope)
            ok = (lower | same) & (rise >= 0.7 * slope)
            if ok.all():
                return step, reached
            over = ~finite | (rise > 0) | ~(lower | same)
            high, low = np.where(over, step, high), np.where(over, low, step)
            secant = np.where(finite & (rise > slope), -step * slope / (rise - slope), np.nan)
            inside = np.where(np.isfinite(high), 0.5 * (low + high), 3 * step)
            near = low + 0.1 * (np.where(np.isfinite(high), high, 10 * step) - low)
            far = low + 0.9 * (np.where(np.isfinite(high), high, 10 * step) - low)
            step = np.where(ok, step, np.where((secant > near) & (secant < far), secant, inside))
        bad = ~(ok | (np.isfinite(reached) & (reached <= value)))
        step = np.where(bad, 0.0, step)
        batch.look(step)  # so that the residuals are those of the step
    return step, np.where(bad, value, reached)
