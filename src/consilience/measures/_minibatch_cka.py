"""Minibatch CKA: unbiased HSIC of batches of stimuli, averaged before the ratio is taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import Array, float64, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.linalg import centre_columns, principal_scores
from consilience.linalg._centre import safe_power
from consilience.linalg._moments import Moments, moments_of, shift_of
from consilience.measures._cka import debiased_hsic
from consilience.measures._door import two_systems
from consilience.stats import jackknife_interval

__all__ = ["MinibatchCKA", "minibatch_cka"]


class MinibatchCKA:
    """Minibatch CKA: unbiased HSIC of each batch, averaged over batches, then the ratio.

    value = sum_b HSIC_b(K, L) / sqrt(sum_b HSIC_b(K, K) sum_b HSIC_b(L, L)), HSIC the unbiased estimator on the
    stimuli of a batch, each batch weighed alike. Each HSIC has the expectation of that over all stimuli, so that
    the value tends to the debiased CKA with the number of batches, whatever their size; it is noisier than
    `StreamingCKA`, which gives the value itself where units fit in memory squared. Batches must be random draws:
    batches of one class each measure something else. Memory: five numbers per batch.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2000, 8))
    >>> y = x[:, :5] + rng.normal(size=(2000, 5))
    >>> batches = cs.measures.MinibatchCKA()
    >>> for rows in np.split(np.arange(2000), 20):
    ...     _ = batches.update(x[rows], y[rows])
    >>> bool(abs(batches.value() - cs.measures.cka(x, y)) < 0.03)
    True

    References
    ----------
    Nguyen, Raghu & Kornblith (2021); Song et al. (2012).
    """

    def __init__(self) -> None:
        self._terms: list[tuple[float, float, float]] = []  # HSIC of x and y, x and x, y and y
        self._sizes: list[tuple[float, float]] = []  # powers of two by which x and y were divided

    def update(self, x: Array, y: Array, /) -> MinibatchCKA:
        """Adds a batch of at least 4 stimuli, ``x`` (m, p) and ``y`` (m, q)."""
        x, y = two_systems(x, y, who="MinibatchCKA.update")
        x, y = to_numpy(x), to_numpy(y)
        n, size = x.shape[0], (safe_power(x), safe_power(y))
        if size != (1.0, 1.0):
            x, y = x / x.dtype.type(size[0]), y / y.dtype.type(size[1])
        xy, xx, yy = (float(v) / (n * (n - 3)) for v in debiased_hsic(_either_route(x, y)))
        self._terms.append((xy, xx, yy))
        self._sizes.append(size)
        return self

    def merge(self, other: MinibatchCKA, /) -> MinibatchCKA:
        """Adds the batches of ``other``."""
        if other is self:
            raise InputError(
                "MinibatchCKA.merge: the other is this one itself, whose batches would count twice; merge another "
                "MinibatchCKA.",
                code="bad-parameter",
            )
        if not isinstance(other, MinibatchCKA):
            raise InputError(
                f"MinibatchCKA.merge: the other must be a MinibatchCKA, got {type(other).__name__}.",
                code="bad-parameter",
            )
        self._terms += other._terms
        self._sizes += other._sizes
        return self

    def _alike(self) -> np.ndarray:
        """HSIC of each batch, (batches, 3), all in the size of the largest batch."""
        x, y = np.transpose(np.array(self._sizes) / np.max(self._sizes, axis=0))
        return np.array(self._terms) * np.stack([(x * y) ** 2, x**4, y**4], axis=1)

    def _ratio(self, sums: np.ndarray) -> np.ndarray:
        xy, xx, yy = np.moveaxis(sums, -1, 0)
        if not ((xx > 0).all() and (yy > 0).all()):
            raise InputError(
                "MinibatchCKA: the batches show no structure over stimuli in one of the systems (their mean unbiased "
                "HSIC with itself is not above 0); use larger or more batches.",
                code="no-structure",
            )
        return np.asarray(xy / np.sqrt(xx * yy))

    def value(self) -> float:
        """The value over the batches so far."""
        if not self._terms:
            raise InputError("MinibatchCKA: no batch yet; call update(x, y) first.", code="too-few")
        return float(self._ratio(self._alike().sum(axis=0)))

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """(low, high): value +- t sd, by leaving out one batch at a time (jackknife); from 3 batches on."""
        level = check_number(level, name="level", who="MinibatchCKA.interval", low=0.0, high=1.0)
        if len(self._terms) < 3:
            raise InputError(
                f"MinibatchCKA.interval: at least 3 batches are needed, got {len(self._terms)}; use smaller batches.",
                code="too-few",
            )
        terms = self._alike()
        without = self._ratio(terms.sum(axis=0) - terms)
        low, high = jackknife_interval(
            self.value(), without, n=len(terms), left_out=1, level=level, exhaustive=True
        )
        return float(low), float(high)

    def __repr__(self) -> str:
        return f"<MinibatchCKA> {len(self._terms)} batches"


def _either_route(x: np.ndarray, y: np.ndarray) -> Moments:
    """Centred moments by products of units, or, with more units than stimuli, of the coordinates they span."""
    n = x.shape[0]
    x, y = (principal_scores(centre_columns(z)) if z.shape[1] > n else float64(z) for z in (x, y))
    return moments_of(x, y, shift_of(x), shift_of(y)).centred()


def minibatch_cka(x: Array, y: Array, /, *, batch_size: int = 256, rng: Any = 0) -> float:
    """`MinibatchCKA` of arrays, their stimuli dealt at random into batches of ``batch_size``; the rest is left out.

    Equal to debiased `cka` in the limit of many batches; more noisy the smaller the batches. Use `cka` where all
    stimuli fit: this is for values that were, or can only be, computed that way.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    batch_size : stimuli per batch, at least 4.   rng : seed of the deal.

    Returns
    -------
    float; 0 for unrelated systems; not bounded by 1 where batches are few.

    Raises
    ------
    InputError : as `cka`; fewer stimuli than ``batch_size``; batches without structure.

    References
    ----------
    Nguyen, Raghu & Kornblith (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(1000, 8))
    >>> round(cs.measures.minibatch_cka(x, 2 * x, batch_size=50), 6)
    1.0
    """
    who = "minibatch_cka"
    x, y = two_systems(x, y, who=who)
    size = check_count(batch_size, name="batch_size", who=who, minimum=4)
    n = x.shape[0]
    if n < size:
        raise InputError(
            f"{who}: batch_size={size} is more than the {n} stimuli there are; use a smaller batch_size, or cka.",
            code="too-few",
        )
    x, y = to_numpy(x), to_numpy(y)
    order = resolve_seed(rng, who=who).stream("batches").permutation(n)
    batches = MinibatchCKA()
    for start in range(0, n - size + 1, size):
        rows = order[start : start + size]
        batches.update(x[rows], y[rows])
    return batches.value()
