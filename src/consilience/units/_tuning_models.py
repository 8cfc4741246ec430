"""Shapes of tuning curves, with slopes, and their fit to many units at once by Fisher scoring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["MODELS", "Shape", "fitted", "log_likelihood"]

_STEPS = 60
_CLOSE = 1e-9


@dataclass(frozen=True, eq=False)
class Shape:
    """A curve b + a g(x), a and b above 0, over an angle (radians) or a line (scaled to 0 ... 1).

    names : of the parameters, as they are searched: logs end in _log.   curve : (params (m, p), x (G,)) -> rate (m, G)
    and its slopes (m, G, p).   starts : (low (m,), high (m,), x at the peak (m,)) -> (m, s, p).
    bounds : (p, 2).   half_width : (m, p) -> (m,) half width at half of the height above the baseline.
    """

    names: tuple[str, ...]
    circular: bool
    curve: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    starts: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    bounds: np.ndarray
    half_width: Callable[[np.ndarray], np.ndarray]


def _parts(q: np.ndarray) -> list[np.ndarray]:
    return [column[:, None] for column in q.T]


def _cosine(q: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, a, b = _parts(q)
    a, b = np.exp(a), np.exp(b)
    g = (1 + np.cos(x - m)) / 2
    slope = np.stack([a * np.sin(x - m) / 2, a * g, np.broadcast_to(b, g.shape)], axis=-1)
    return b + a * g, slope


def _von_mises(q: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, k, a, b = _parts(q)
    k, a, b = np.exp(k), np.exp(a), np.exp(b)
    away = np.cos(x - m) - 1
    bump = a * np.exp(k * away)
    slope = np.stack(
        [bump * k * np.sin(x - m), bump * k * away, bump, np.broadcast_to(b, bump.shape)], axis=-1
    )
    return b + bump, slope


def _double(q: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, k, a, c, b = _parts(q)
    k, a, c, b = np.exp(k), np.exp(a), np.exp(c), np.exp(b)
    near, far = np.cos(x - m) - 1, -np.cos(x - m) - 1
    one, two = a * np.exp(k * near), c * np.exp(k * far)
    slope = np.stack(
        [
            k * np.sin(x - m) * (one - two),
            k * (one * near + two * far),
            one,
            two,
            np.broadcast_to(b, one.shape),
        ],
        axis=-1,
    )
    return b + one + two, slope


def _gaussian(q: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, s, a, b = _parts(q)
    s, a, b = np.exp(s), np.exp(a), np.exp(b)
    z = (x - m) / s
    bump = a * np.exp(-0.5 * z**2)
    slope = np.stack([bump * z / s, bump * z**2, bump, np.broadcast_to(b, bump.shape)], axis=-1)
    return b + bump, slope


def _sigmoid(q: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    m, k, a, b = _parts(q)
    a, b = np.exp(a), np.exp(b)
    g = 1 / (1 + np.exp(-np.clip(k * (x - m), -500, 500)))
    steep = a * g * (1 - g)
    slope = np.stack([-k * steep, (x - m) * steep, a * g, np.broadcast_to(b, g.shape)], axis=-1)
    return b + a * g, slope


def _starts_circle(kappas: tuple[float, ...], two: bool = False) -> Callable[..., np.ndarray]:
    def starts(low: np.ndarray, high: np.ndarray, peak: np.ndarray) -> np.ndarray:
        a, b = np.log(high - low), np.log(low)
        rows = []
        for kappa in kappas or (0.0,):
            middle = [peak, np.full_like(peak, np.log(kappa))] if kappa else [peak]
            for share in (0.1, 0.6) if two else (0.0,):
                rows.append(np.stack([*middle, a, *([a + np.log(share)] if two else []), b], axis=-1))
        return np.stack(rows, axis=1)

    return starts


def _starts_line(seeds: tuple[float, ...], signed: bool) -> Callable[..., np.ndarray]:
    def starts(low: np.ndarray, high: np.ndarray, peak: np.ndarray) -> np.ndarray:
        a, b, rows = np.log(high - low), np.log(low), []
        for seed in seeds:
            where = (
                [np.full_like(peak, p) for p in (0.2, 0.5, 0.8)]
                if signed
                else [peak, np.full_like(peak, 0.5)]
            )
            value = seed if signed else np.log(seed)
            rows += [np.stack([w, np.full_like(peak, value), a, b], axis=-1) for w in where]
        return np.stack(rows, axis=1)

    return starts


def _half_von_mises(q: np.ndarray) -> np.ndarray:
    return np.asarray(
        np.arccos(np.clip(1 + np.log((1 + np.exp(-2 * np.exp(q[:, 1]))) / 2) / np.exp(q[:, 1]), -1, 1))
    )


_ANY = (-np.inf, np.inf)
_KAPPA = (np.log(0.05), np.log(300.0))
MODELS = {
    "cosine": Shape(
        names=("preferred", "amplitude_log", "baseline_log"),
        circular=True,
        curve=_cosine,
        starts=_starts_circle(()),
        bounds=np.array([_ANY, _ANY, _ANY]),
        half_width=lambda q: np.full(len(q), np.pi / 2),
    ),
    "von_mises": Shape(
        names=("preferred", "kappa_log", "amplitude_log", "baseline_log"),
        circular=True,
        curve=_von_mises,
        starts=_starts_circle((0.7, 3.0, 15.0)),
        bounds=np.array([_ANY, _KAPPA, _ANY, _ANY]),
        half_width=_half_von_mises,
    ),
    "double_von_mises": Shape(
        names=("preferred", "kappa_log", "amplitude_log", "opposite_log", "baseline_log"),
        circular=True,
        curve=_double,
        starts=_starts_circle((0.7, 3.0, 15.0), two=True),
        bounds=np.array([_ANY, _KAPPA, _ANY, _ANY, _ANY]),
        half_width=_half_von_mises,
    ),
    "gaussian": Shape(
        names=("preferred", "sd_log", "amplitude_log", "baseline_log"),
        circular=False,
        curve=_gaussian,
        starts=_starts_line((0.04, 0.12, 0.35), signed=False),
        bounds=np.array([(-0.5, 1.5), (np.log(0.005), np.log(3.0)), _ANY, _ANY]),
        half_width=lambda q: np.exp(q[:, 1]) * np.sqrt(2 * np.log(2)),
    ),
    "sigmoid": Shape(
        names=("midpoint", "slope", "amplitude_log", "baseline_log"),
        circular=False,
        curve=_sigmoid,
        starts=_starts_line((5.0, 25.0, -5.0, -25.0), signed=True),
        bounds=np.array([(-0.5, 1.5), (-300.0, 300.0), _ANY, _ANY]),
        half_width=lambda q: np.log(3.0) / np.maximum(np.abs(q[:, 1]), 1e-9),
    ),
}


def log_likelihood(rate: np.ndarray, y: np.ndarray, weight: np.ndarray, *, poisson: bool) -> np.ndarray:
    """(...,) sum over x of sums ``y`` over samples with a total time or number ``weight``; without constants, and for
    Gaussian noise minus half the squared error (y**2 left out)."""
    if poisson:
        return np.asarray((y * np.log(rate) - weight * rate).sum(axis=-1))
    return np.asarray((rate * y - 0.5 * weight * rate**2).sum(axis=-1))


def fitted(shape: Shape, x: np.ndarray, y: np.ndarray, weight: np.ndarray, *, poisson: bool) -> np.ndarray:
    """(m, p) the most likely parameters for sums y (m, G) at x (G,), of samples of total weight (m, G)."""
    mean = y.sum(axis=1) / weight.sum(axis=1)
    least = 1e-4 * np.maximum(mean, 1e-12)
    smooth = _near(shape, x, y, weight)
    high, low = smooth.max(axis=1), smooth.min(axis=1)
    low = np.maximum(low, 2 * least)
    high = np.maximum(high, 1.2 * low + least)
    peak = x[smooth.argmax(axis=1)]
    q = shape.starts(low, high, peak)
    m, s, p = q.shape
    floor = np.repeat(np.log(least), s)
    q = q.reshape(m * s, p)
    rows = np.repeat(np.arange(m), s)
    q = _search(shape, q, x, y[rows], weight[rows], floor, poisson=poisson)
    value = log_likelihood(shape.curve(q, x)[0], y[rows], weight[rows], poisson=poisson).reshape(m, s)
    return q.reshape(m, s, p)[np.arange(m), np.nan_to_num(value, nan=-np.inf).argmax(axis=1)]


def _near(shape: Shape, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rates smoothed over x, from which the search starts."""
    away = x[:, None] - x
    if shape.circular:
        away = np.angle(np.exp(1j * away)) / (2 * np.pi)
    kernel = np.exp(-0.5 * (away / 0.05) ** 2)
    return np.asarray((y @ kernel) / np.maximum(weight @ kernel, 1e-12))


def _search(
    shape: Shape,
    q: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    floor: np.ndarray,
    *,
    poisson: bool,
) -> np.ndarray:
    """Damped Fisher scoring from q (m, p), each row by itself."""

    def kept(q: np.ndarray, rows: np.ndarray) -> np.ndarray:
        q = np.clip(q, shape.bounds[:, 0], shape.bounds[:, 1])
        for k, name in enumerate(shape.names):
            if name in ("amplitude_log", "opposite_log", "baseline_log"):
                q[:, k] = np.clip(q[:, k], floor[rows], floor[rows] + 25)
        return q

    every = np.arange(len(q))
    q = kept(q, every)
    best = log_likelihood(shape.curve(q, x)[0], y, weight, poisson=poisson)
    damp = np.full(len(q), 1e-2)
    on = every
    for _ in range(_STEPS):
        rate, slope = shape.curve(q[on], x)
        part, w = y[on], weight[on]
        away, size = (part / rate - w, w / rate) if poisson else (part - w * rate, w)
        gradient = np.einsum("mg,mgp->mp", away, slope)
        fisher = np.einsum("mgp,mgr->mpr", size[..., None] * slope, slope)
        scale = np.einsum("mpp->mp", fisher)
        scale = np.maximum(scale, 1e-9 * scale.max(axis=1, keepdims=True) + 1e-30)
        fisher = fisher + (damp[on][:, None] * scale)[:, :, None] * np.eye(q.shape[1])
        step = np.linalg.solve(fisher, gradient[..., None])[..., 0]
        trial = kept(q[on] + np.clip(step, -2.0, 2.0), on)
        value = log_likelihood(shape.curve(trial, x)[0], part, w, poisson=poisson)
        better = value > best[on]
        gain = np.where(better, value - best[on], 0.0)
        rows = on[better]
        q[rows], best[rows] = trial[better], value[better]
        damp[on] = np.clip(np.where(better, damp[on] / 5, damp[on] * 5), 1e-8, 1e8)
        done = (better & (gain < _CLOSE * (1 + np.abs(best[on])))) | (damp[on] >= 1e8)
        on = on[~done]
        if not on.size:
            break
    return q
