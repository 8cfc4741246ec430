"""Covariances of Gaussian-process latents over time, their derivatives, and the update of their time constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_option, shorten
from consilience.models._gp_inverse import inverses_of

__all__ = ["KERNELS", "Kernel", "Lags", "Precision", "kernel_of", "timescale_slope", "update_timescales"]

Rho = Callable[[np.ndarray], np.ndarray]
# (k, h, h) K^-1 of each latent over time, and (k,) log |K|
Precision = tuple[np.ndarray, np.ndarray]


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

    near, far : (h, h) indices of lags, or far None.   weight : (h, h), None = 1.   sign : of the far part. The
    covariance is weight * (rho[near] + sign * rho[far]).   size : lags there are.
    """

    near: np.ndarray
    far: np.ndarray | None
    weight: np.ndarray | None
    sign: float
    size: int

    @classmethod
    def whole(cls, bins: int) -> Lags:
        t = np.arange(bins)
        return cls(np.abs(t[:, None] - t), None, None, 0.0, bins)

    @classmethod
    def folded(cls, bins: int) -> tuple[Lags, Lags]:
        """Of the sums and of the differences."""
        half, middle = bins // 2, bins % 2
        t = np.arange(half + middle)
        near, far = np.abs(t[:, None] - t), bins - 1 - t[:, None] - t
        weight = None
        if middle:
            weight = np.ones(near.shape)
            weight[-1] *= np.sqrt(0.5)
            weight[:, -1] *= np.sqrt(0.5)
        inner = slice(0, half)
        return (
            cls(near, far, weight, 1.0, bins),
            cls(near[inner, inner].copy(), far[inner, inner].copy(), None, -1.0, bins),
        )

    def __len__(self) -> int:
        return len(self.near)

    def fill(self, rho: np.ndarray) -> np.ndarray:
        """(..., h, h) of correlations (..., size) at lags 0, 1, ..."""
        out: np.ndarray = np.take(rho, self.near, axis=-1)
        if self.far is not None:
            far = np.take(rho, self.far, axis=-1)
            out = np.add(out, far, out=out) if self.sign > 0 else np.subtract(out, far, out=out)
        return out if self.weight is None else np.multiply(out, self.weight, out=out)


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

    def precision(self, lags: Lags, tau: np.ndarray) -> Precision:
        """(k, h, h) inverses of the covariances, and (k,) log determinants of the covariances."""
        try:
            return inverses_of(self.covariance(lags, tau))
        except np.linalg.LinAlgError as error:
            raise InputError(
                f"Gaussian-process latents: with gp_noise={self.noise:.3g} the covariance over {lags.size} bins cannot "
                f"be told from a singular one (time constants up to {tau.max():.3g} bins); use a larger gp_noise, "
                "1e-3 is usual.",
                code="bad-parameter",
            ) from error

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
    enough: float = 1e-3,
    priors: list[Precision] | None = None,
) -> tuple[np.ndarray, list[Precision]]:
    """(k,) time constants that maximise E log p(latents), and the prior precisions that go with them: Newton's method
    in log tau, all latents at once.

    moments : for each kind of lags (the lags, how many trials n, (k, h, h) sum over them of E[x x']). The objective is
    the sum of -n/2 log|K| - tr(K^-1 P)/2. A step that does not raise it is halved, and one below ``enough`` is the
    last, as Newton's method squares what it is away. What is tried needs no derivatives, and its precisions are those
    that the next posterior needs.

    priors : precisions at ``tau``, where they are known.
    """
    log_tau, low, high = np.log(tau), np.log(bounds[0]), np.log(bounds[1])
    if priors is None:
        priors = [kernel.precision(lags, tau) for lags, _, _ in moments]
    value, open_ = _objective(moments, priors), np.ones(tau.size, bool)
    for _ in range(steps):
        slope, bend = _derivatives(kernel, moments, np.exp(log_tau), priors)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(bend < 0, -slope / bend, np.sign(slope))
        # a longer step is not trusted: the objective is far from a parabola in log tau
        step = np.clip(step, -1.0, 1.0)
        target = np.clip(log_tau + np.where(open_, step, 0.0), low, high)
        step = target - log_tau
        open_ &= np.abs(step) > 1e-6
        if not open_.any():
            break
        for _ in range(25):
            new = [kernel.precision(lags, np.exp(target)) for lags, _, _ in moments]
            reached = _objective(moments, new)
            worse = open_ & ~(reached >= value - 1e-12 * np.abs(value))
            if not worse.any():
                break
            target = np.where(worse, 0.5 * (target + log_tau), target)
        kept = ~worse
        log_tau, value = np.where(kept, target, log_tau), np.where(kept, reached, value)
        priors = [
            (np.where(kept[:, None, None], a, b), np.where(kept, c, d)) for (a, c), (b, d) in zip(new, priors)
        ]
        open_ &= kept
        if not open_.any() or np.abs(step).max() < enough:
            break
    return np.exp(log_tau), priors


def timescale_slope(
    kernel: Kernel, moments: list[tuple[Lags, int, np.ndarray]], tau: np.ndarray
) -> np.ndarray:
    """(k,) slope of E log p(latents) by log tau; of the log-likelihood too, the moments being those at ``tau``."""
    return _derivatives(kernel, moments, tau, [kernel.precision(lags, tau) for lags, _, _ in moments])[0]


def _objective(moments: list[tuple[Lags, int, np.ndarray]], priors: list[Precision]) -> np.ndarray:
    """(k,)."""
    value = np.zeros(priors[0][1].size)
    for (_, n, p), (inverse, log_det) in zip(moments, priors):
        value -= 0.5 * n * log_det + 0.5 * np.einsum("kts,kts->k", inverse, p)
    return value


def _derivatives(
    kernel: Kernel,
    moments: list[tuple[Lags, int, np.ndarray]],
    tau: np.ndarray,
    priors: list[Precision],
) -> tuple[np.ndarray, np.ndarray]:
    """(k,) slope of the objective and (k,) its second derivative, by log tau."""
    slope, bend = np.zeros((2, tau.size))
    for (lags, n, p), (inverse, _) in zip(moments, priors):
        _, first, second = kernel.derivatives(lags, tau)
        a = inverse @ first
        b = inverse @ p
        q = b @ inverse  # K^-1 P K^-1
        rest = q - n * inverse
        slope += 0.5 * np.einsum("kts,kts->k", first, rest)
        bend += 0.5 * np.einsum("kts,kts->k", second, rest)
        bend += 0.5 * n * np.einsum("kts,kst->k", a, a) - np.einsum("kts,kst->k", a @ a, b)
    return slope, bend
