"""EM of a linear dynamical system, accelerated: each step looks back on some before (Anderson's method)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from consilience.models._lds_smooth import System, em_step, positive, smooth
from consilience.models._trials import Trials

__all__ = ["Climbed", "climb"]

_MEMORY = 5  # steps that are combined
_PLAIN = 3  # steps of EM before the first combination
_UNSTABLE = (
    1.05  # modulus of an eigenvalue above which a combination is not tried: its likelihood can overflow
)
_FAR = 3.0  # log R of a combination lies that near to the step of EM
_NOTHING = 1e-3  # nats in all: far less than parameters are known by
_SLACK = 1e-10  # of the log-likelihood: what rounding may take off


@dataclass(frozen=True)
class Climbed:
    """system : at the end.   trace : log-likelihood before each step and at the end, never falling.   converged : the
    last gains were below the tolerance.   steps : of EM, those that were taken back counted.
    """

    system: System
    trace: list[float]
    converged: bool
    steps: int


def climb(
    trials: Trials, system: System, *, lowest: np.ndarray, free: bool, max_iter: int, tol: float
) -> Climbed:
    """EM from a system to a maximum of the likelihood, R kept at ``lowest`` (p,) or above, the distribution of the
    first state estimated where ``free``.

    A step of EM is F(theta); the next theta is the combination of the last F(theta_i) whose steps F(theta_i) - theta_i
    cancel as far as they can (Anderson 1965), in A, C, d, log R and the roots of Q and V0, so that
    covariances stay positive. Where that has lowered the likelihood, the step of EM is taken instead, and
    longer ones the same way, twice as long each time, as long as they rise: where steps of EM still grow, a combination
    leads back. The likelihood never falls (Henderson & Varadhan 2019).

    tol : gain of log-likelihood per bin, in nats; two gains in turn below it, or below 0.001 nats in all, end it.
    """
    scale = np.sqrt(trials.variance())
    scale = np.where(scale > 0, scale, 1.0)
    here = system
    plain = system  # the step of EM from the best that was seen
    trace: list[float] = []
    points: list[np.ndarray] = []
    images: list[np.ndarray] = []
    flat, stride = 0, 0.0
    for step in range(max_iter + 1):
        found = smooth(trials, here)
        value = float(found.log_likelihood.sum())
        if trace and not value >= trace[-1] - _SLACK * abs(trace[-1]):  # too far, or NaN
            if here is plain:  # a step of EM falls by rounding alone, or by what R and Q may not go below
                return Climbed(system, trace, converged=True, steps=step)
            here = plain
            stride = 0.0 if stride else 2.0
            continue
        if trace:
            flat = flat + 1 if value - trace[-1] < max(tol * trials.n_bins, _NOTHING) else 0
        trace.append(value if not trace else max(value, trace[-1]))
        system = here
        if flat >= 2:
            return Climbed(system, trace, converged=True, steps=step)
        if step == max_iter:
            break
        plain = em_step(trials, system, found, lowest=lowest, free_start=free)
        points.append(_packed(system, scale, free))
        images.append(_packed(plain, scale, free))
        del points[: -_MEMORY - 1], images[: -_MEMORY - 1]
        here = plain
        theta = None
        if stride:
            theta = points[-1] + stride * (images[-1] - points[-1])
            stride *= 2
        elif len(trace) > _PLAIN and len(points) > 1:
            theta = _combined(np.array(points), np.array(images))
        if theta is not None:
            here = _unpacked(theta, plain, scale, lowest, free) or plain
    return Climbed(system, trace, converged=False, steps=max_iter)


def _combined(points: np.ndarray, images: np.ndarray) -> np.ndarray:
    """points, images : (m, n).   (n,) the next point."""
    rest = images - points
    weights = np.linalg.lstsq(np.diff(rest, axis=0).T, rest[-1], rcond=1e-8)[0]
    return np.asarray(images[-1] - weights @ np.diff(images, axis=0))


def _root(x: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(x)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _packed(system: System, scale: np.ndarray, free: bool) -> np.ndarray:
    parts = [system.A, _root(system.Q), system.C / scale[:, None], system.d / scale, np.log(system.R)]
    if free:
        parts += [system.m0, _root(system.V0)]
    return np.concatenate([part.ravel() for part in parts])


def _unpacked(
    theta: np.ndarray, like: System, scale: np.ndarray, lowest: np.ndarray, free: bool
) -> System | None:
    """None where it is no system that could be."""
    p, k = like.C.shape
    sizes = [k * k, k * k, p * k, p, p] + ([k, k * k] if free else [])
    parts = np.split(theta, np.cumsum(sizes)[:-1])
    a, root = parts[0].reshape(k, k), parts[1].reshape(k, k)
    if not np.isfinite(theta).all() or np.abs(parts[4] - np.log(like.R)).max() > _FAR:
        return None
    if np.abs(np.linalg.eigvals(a)).max() > max(_UNSTABLE, np.abs(np.linalg.eigvals(like.A)).max()):
        return None
    made = replace(
        like,
        A=a,
        Q=positive(root @ root.T),
        C=parts[2].reshape(p, k) * scale[:, None],
        d=parts[3] * scale,
        R=np.maximum(np.exp(parts[4]), lowest),
    )
    if free:
        root = parts[6].reshape(k, k)
        made = replace(made, m0=parts[5], V0=positive(root @ root.T))
    return made
