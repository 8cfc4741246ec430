"""Covariances of Gaussian-process latents over time, their derivatives, and the update of their time constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_option, shorten

__all__ = ["KERNELS", "Kernel", "Lags", "kernel_of", "timescale_slope", "update_timescales"]

Rho = Callable[[np.ndarray], np.ndarray]


def _rbf(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k, square = np.exp(-0.5 * r * r), r * r
    return k, square * k, (square * square - 2 * square) * k


def _matern12(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = np.exp(-r)
    return k, r * k, (r * r - r) * k


def _matern32(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    s = np.sqrt(3.0) * r
    e = np.exp(-s)
    return (1 + s) * e, s * s * e, (s**3 - 2 * s * s) * e


def _matern52(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    s = np.sqrt(5.0) * r
    e = np.exp(-s)
    third = s * s / 3
    return (1 + s + third) * e, third * (1 + s) * e, -third * (2 + 2 * s - s * s) * e


# scaled lag r = |t - t'| / tau -> correlation, its first and its second derivative by log tau
KERNELS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
    "rbf": _rbf,
    "matern12": _matern12,
    "matern32": _matern32,
    "matern52": _matern52,
}


def _differences(rho: Rho) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Derivatives by log tau of a correlation that the user wrote: central differences."""
    step = 1e-3

    def values(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        middle, longer, shorter = (
            np.asarray(rho(r * s), np.float64) for s in (1.0, np.exp(-step), np.exp(step))
        )
        return middle, (longer - shorter) / (2 * step), (longer - 2 * middle + shorter) / step**2

    return values


@dataclass(frozen=True)
class Lags:
    """Lags of the entries of a covariance over time.

    A stationary covariance over equally spaced bins is the same read from its end, so that sums of bins t and T - 1 - t
    are independent of their differences: the covariance falls into two of half the size (Cantoni & Butler 1976), and
    with it everything that is made of it here.

    near, far : (h, h) indices of lags, or far None.   weight : (h, h).   sign : of the far part. The covariance is
    weight * (rho[near] + sign * rho[far]).   size : lags there are.
    """

    near: np.ndarray
    far: np.ndarray | None
    weight: np.ndarray | float
    sign: float
    size: int

    @classmethod
    def whole(cls, bins: int) -> Lags:
        t = np.arange(bins)
        return cls(np.abs(t[:, None] - t), None, 1.0, 0.0, bins)

    @classmethod
    def folded(cls, bins: int) -> tuple[Lags, Lags]:
        """Of the sums and of the differences."""
        half, middle = bins // 2, bins % 2
        t = np.arange(half + middle)
        near, far = np.abs(t[:, None] - t), bins - 1 - t[:, None] - t
        scale = np.ones(half + middle)
        if middle:
            scale[-1] = np.sqrt(0.5)
        inner = slice(0, half)
        return (
            cls(near, far, scale[:, None] * scale, 1.0, bins),
            cls(near[inner, inner], far[inner, inner], 1.0, -1.0, bins),
        )

    def __len__(self) -> int:
        return len(self.near)

    def fill(self, rho: np.ndarray) -> np.ndarray:
        """(..., h, h) of correlations (..., size) at lags 0, 1, ..."""
        if self.far is None:
            return rho[..., self.near]
        return self.weight * (rho[..., self.near] + self.sign * rho[..., self.far])


@dataclass(frozen=True)
class Kernel:
    """cov(t, t') = (1 - noise) rho(|t - t'| / tau) + noise [t = t'], variance 1."""

    values: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
    noise: float

    def covariance(self, lags: Lags, tau: np.ndarray) -> np.ndarray:
        """(k, h, h) for time constants tau (k,) in bins."""
        rho = (1 - self.noise) * self.values(np.arange(lags.size) / tau[:, None])[0]
        rho[:, 0] += self.noise
        return lags.fill(rho)

    def derivatives(self, lags: Lags, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(k, h, h) covariance, and its first and second derivative by log tau."""
        rho, first, second = ((1 - self.noise) * v for v in self.values(np.arange(lags.size) / tau[:, None]))
        rho[:, 0] += self.noise
        return lags.fill(rho), lags.fill(first), lags.fill(second)


def kernel_of(kernel: Any, noise: float, *, who: str) -> Kernel:
    """A kernel of its name, or of a function of the scaled lag."""
    if not callable(kernel):
        return Kernel(KERNELS[check_option(kernel, KERNELS, name="kernel", who=who)], noise)
    at = np.linspace(0.0, 40.0, 81)
    try:
        rho = np.asarray(kernel(at), np.float64)
    except Exception as error:
        raise InputError(
            f"{who}: kernel must be a function of an array of scaled lags r = |t - t'| / tau; it raised "
            f"{type(error).__name__}: {shorten(str(error))}.",
            code="bad-parameter",
        ) from error
    if rho.shape != at.shape or not np.isfinite(rho).all() or abs(rho[0] - 1) > 1e-9:
        raise InputError(
            f"{who}: kernel must return the correlation at each scaled lag, 1 at lag 0; got shape {rho.shape} for "
            f"{at.shape}, {rho.ravel()[0] if rho.size else np.nan:.6g} at lag 0.",
            code="bad-parameter",
        )
    lowest = np.linalg.eigvalsh(kernel(np.abs(at[:, None] - at)))[0]
    if lowest < -1e-8 * at.size:
        raise InputError(
            f"{who}: kernel is no covariance: of {at.size} lags its matrix has an eigenvalue of {lowest:.3g}; use a "
            f"positive definite function, or one of {', '.join(map(repr, KERNELS))}.",
            code="bad-parameter",
        )
    return Kernel(_differences(kernel), noise)


def update_timescales(
    kernel: Kernel,
    moments: list[tuple[Lags, int, np.ndarray]],
    tau: np.ndarray,
    bounds: tuple[float, float],
    *,
    steps: int = 30,
    first: list[tuple[np.ndarray, np.ndarray]] | None = None,
) -> np.ndarray:
    """(k,) time constants that maximise E log p(latents): Newton's method in log tau, all latents at once.

    moments : for each block (its lags, how many trials n, (k, h, h) sum over them of E[x x']). The objective is the sum
    over blocks of -n/2 log|K| - tr(K^-1 P)/2; a step that does not raise it is halved, and one below a thousandth is
    the last and not looked at again, as Newton's method squares what it is away.

    first : (K^-1, (k,) log determinants) of each block at ``tau``, where they are known.
    """
    log_tau, low, high = np.log(tau), np.log(bounds[0]), np.log(bounds[1])
    value, slope, bend = _expected(kernel, moments, np.exp(log_tau), first)
    open_ = np.ones(tau.size, bool)
    for _ in range(steps):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(bend < 0, -slope / bend, np.sign(slope))
        # a longer step is not trusted: the objective is far from a parabola in log tau
        step = np.clip(step, -1.0, 1.0)
        target = np.clip(log_tau + np.where(open_, step, 0.0), low, high)
        step = np.where(open_, np.abs(target - log_tau), 0.0)
        if step.max() < 1e-3:
            log_tau = target
            break
        open_ &= step > 1e-6
        for _ in range(25):
            new = _expected(kernel, moments, np.exp(target))
            worse = open_ & ~(new[0] >= value - 1e-12 * np.abs(value))
            if not worse.any():
                break
            target = np.where(worse, 0.5 * (target + log_tau), target)
        kept = open_ & ~worse
        log_tau = np.where(kept, target, log_tau)
        value, slope, bend = (np.where(kept, a, b) for a, b in zip(new, (value, slope, bend)))
        open_ &= kept
    return np.exp(log_tau)


def timescale_slope(
    kernel: Kernel, moments: list[tuple[Lags, int, np.ndarray]], tau: np.ndarray
) -> np.ndarray:
    """(k,) slope of E log p(latents) by log tau; of the log-likelihood too, the moments being those at ``tau``."""
    return _expected(kernel, moments, tau)[1]


def _expected(
    kernel: Kernel,
    moments: list[tuple[Lags, int, np.ndarray]],
    tau: np.ndarray,
    known: list[tuple[np.ndarray, np.ndarray]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(k,) objective, its slope and its second derivative by log tau."""
    value, slope, bend = np.zeros((3, tau.size))
    for i, (lags, n, p) in enumerate(moments):
        k, first, second = kernel.derivatives(lags, tau)
        inverse, log_det = known[i] if known else (np.linalg.inv(k), np.linalg.slogdet(k)[1])
        a = inverse @ first
        b = inverse @ p
        q = b @ inverse  # K^-1 P K^-1
        value -= 0.5 * n * log_det + 0.5 * np.trace(b, axis1=1, axis2=2)
        slope += 0.5 * np.einsum("kts,kts->k", first, q - n * inverse)
        bend += 0.5 * np.einsum("kts,kts->k", second, q - n * inverse)
        bend += 0.5 * n * np.einsum("kts,kst->k", a, a) - np.einsum("kts,kst->k", a @ a, b)
    return value, slope, bend
