"""Trials of an untuned unit with a given mean and spread: Poisson, over- and under-dispersed counts, other values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience.units._classes import Classes

__all__ = ["counts_like", "noise_of", "untuned_means", "untuned_rows"]

_NEAR = 0.02  # Fano factors this near to 1 are Poisson


def counts_like(
    mean: np.ndarray, fano: np.ndarray, n: np.ndarray | int, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Sums of ``n`` counts with this mean and Fano factor each: Poisson where it is 1, negative binomial above,
    binomial below (there the nearest Fano factor that whole numbers of this mean can have). float64.
    """
    mean, fano, n = (np.broadcast_to(np.asarray(v, dtype=np.float64), shape) for v in (mean, fano, n))
    out = rng.poisson(np.maximum(mean * n, 0.0)).astype(np.float64)
    over, under = (fano > 1 + _NEAR) & (mean > 0), (fano < 1 - _NEAR) & (mean > 0)
    if over.any():
        p = 1.0 / fano[over]
        size = mean[over] * p / (1 - p)
        out[over] = rng.negative_binomial(np.maximum(n[over] * size, 1e-9), p)
    if under.any():
        tries = np.ceil(np.maximum(mean[under] / np.maximum(1 - fano[under], 1e-12), mean[under]))
        out[under] = rng.binomial((n[under] * tries).astype(np.int64), mean[under] / tries)
    return out


def noise_of(
    classes: Classes, means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """((units,) mean over classes, (units,) variance within classes pooled, model: counts, positive or signed)."""
    free = (classes.counts - 1)[:, None]
    pooled = (variances * free).sum(axis=0) / free.sum()
    kind = "counts" if classes.whole else "signed" if (classes.x < 0).any() else "positive"
    return means.mean(axis=0), pooled, kind


def _draw(
    mean: np.ndarray,
    variance: np.ndarray,
    scale: np.ndarray,
    kind: str,
    n: np.ndarray,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> np.ndarray:
    """Sums over ``n`` rows, in the units of ``mean``."""
    if kind == "signed":
        return np.asarray(n * mean + np.sqrt(n * variance) * rng.normal(size=shape))
    some = mean > 0
    spread = np.where(some, variance / np.where(some, mean, 1.0), 1.0)
    if kind == "counts":
        return counts_like(mean * scale, spread * scale, n, shape, rng) / scale
    size = np.where(spread > 0, mean / np.where(spread > 0, spread, 1.0), 1e9)
    return np.where(
        some & (spread > 0), rng.gamma(np.maximum(n * size, 1e-9), 1.0, size=shape) * spread, n * mean
    )


def untuned_means(
    classes: Classes, means: np.ndarray, variances: np.ndarray, count: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """``count`` times class means (k, units) of units with one mean for all classes: sums of counts, gamma or normal
    values, which are drawn as sums (all three are closed under them).
    """
    mean, pooled, kind = noise_of(classes, means, variances)
    n = np.asarray(classes.counts, dtype=np.float64)[:, None]
    for _ in range(count):
        yield _draw(mean, pooled, classes.scale, kind, n, means.shape, rng) / n


def untuned_rows(
    classes: Classes, means: np.ndarray, variances: np.ndarray, count: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """``count`` times rows (n, units) of such units, for indices that need more than class means."""
    mean, pooled, kind = noise_of(classes, means, variances)
    for _ in range(count):
        yield _draw(mean, pooled, classes.scale, kind, np.ones((1, 1)), classes.x.shape, rng)
