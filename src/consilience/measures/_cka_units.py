"""CKA between populations of units of which each system holds a random sample."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, array_namespace, as_same_library, float64, to_numpy
from consilience._core._errors import InputError, warn
from consilience.linalg import centre_columns, gram, to_safe_size
from consilience.measures._centred import check_structure, pair_indices, pair_vector
from consilience.measures._contract import PairParts
from consilience.stats import weighted_cosines
from consilience.stats._pairs import square

__all__ = ["SampledParts", "sampled_cka"]

_VALUES = 1 << 22
FOUND_AGAIN = 0.1  # below this share of structure that other units would show, the correction is a guess


class SampledParts(PairParts):
    """Two channels: the U-centred kernel per unit A_ij, and D_ij, an unbiased estimate of the square that A_ij
    has in the population of units. A value is sum A_ij B_ij / sqrt(sum D_ij sum D'_ij), each pair weighted.

    Noise that units do not share is taken out with the sampling of units, so halves of the repeats, which hold
    the same units, are no ceiling.
    """

    channels = 2
    has_ceiling = False

    def __init__(self) -> None:
        super().__init__(unit_vectors)

    def normalise(self, vectors: np.ndarray) -> np.ndarray:
        """The kernels (k, P) over the square root of their unbiased squared lengths; 0 where that is not above
        0: structure that other units would not show is alike to nothing.
        """
        kernel, squares = np.split(vectors, 2, axis=1)
        length = squares.sum(axis=1, keepdims=True)
        return np.where(length > 0, kernel / np.sqrt(np.where(length > 0, length, 1.0)), 0.0)

    def combine(self, a: np.ndarray, b: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        if weights is None:
            found = super().combine(a, b)
            _say_of_one(found)
            return found
        n = weights.shape[1]
        (kernel_a, square_a), (kernel_b, square_b) = (np.split(v, 2, axis=1) for v in (a, b))
        found = weighted_cosines(kernel_a, kernel_b, weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio_a, ratio_b = (
                np.sqrt(_weighted(k**2, n, weights) / _positive(_weighted(s, n, weights)))
                for k, s in ((kernel_a, square_a), (kernel_b, square_b))
            )
        return found * ratio_a[:, :, None] * ratio_b[:, None, :]


def _weighted(vectors: np.ndarray, n: int, weights: np.ndarray) -> np.ndarray:
    """sum over pairs i < j of w_i w_j v_ij: (draws, k)."""
    return np.stack([((weights @ m) * weights).sum(axis=1) / 2 for m in square(vectors, n)], axis=1)


def _positive(squares: np.ndarray) -> np.ndarray:
    return np.where(squares > 0, squares, np.nan)


def _say_of_one(values: np.ndarray) -> None:
    top = float(np.max(values))
    if top > 1:
        warn(
            "above-one",
            f"CKA corrected for sampled units is {top:.2f}: its error takes it past 1, the highest value a "
            "population can have.",
            "Read it as 1 with error; more units or more stimuli make the error smaller.",
            stacklevel=4,
        )


def unit_vectors(x: Array) -> np.ndarray:
    """Both channels, (2P,), of ``x`` (n, p).

    With a_u the U-centred kernel of unit u alone, A = mean over u of a_u, and the mean over pairs of different
    units of a_u,ij a_v,ij is (p^2 A_ij^2 - sum_u a_u,ij^2) / (p (p - 1)) = D_ij. For a centred unit z
    a_u,ij = z_i z_j + (z_i^2 + z_j^2)/(n - 2) - |z|^2/((n - 1)(n - 2)), so sum_u a_u,ij^2 is a few products.
    """
    n, p = x.shape
    if p < 2:
        raise InputError(
            "cka: units='sampled' needs at least 2 units in each system, got 1; use units='all'.",
            code="too-few",
        )
    z = centre_columns(to_safe_size(x))
    alpha, beta = 1 / (n - 2), 1 / ((n - 1) * (n - 2))
    xp = array_namespace(z)
    total = 0.0
    step = max(1, _VALUES // n)
    for start in range(0, p, step):
        one = float64(z[:, start : min(start + step, p)])
        two = one * one
        size = xp.sum(two, axis=0)
        four, cubic = xp.sum(two * two, axis=1), (two * one) @ one.T
        along = two @ size
        total = (
            total
            + (1 + 2 * alpha**2) * (two @ two.T)
            + alpha**2 * (four[:, None] + four[None, :])
            + beta**2 * xp.sum(size * size)
            + 2 * alpha * (cubic + cubic.T)
            - 2 * beta * ((one * size[None, :]) @ one.T)
            - 2 * alpha * beta * (along[:, None] + along[None, :])
        )
    k = gram(z)
    kernel = to_numpy(check_structure(pair_vector(k, debiased=True), float(xp.max(xp.abs(k))) or 1.0)) / p
    squares = (p * p * kernel**2 - to_numpy(total).reshape(-1)[pair_indices(n)]) / (p * (p - 1))
    again = float(squares.sum() / (kernel**2).sum())
    if again < FOUND_AGAIN:
        warn(
            "units-too-few",
            f"cka: of the structure over stimuli that a system of {p} units shows, {max(again, 0):.0%} would be "
            "found in other units of its population; the rest is the choice of these units, or noise of single "
            "units" + (", so the value is 0." if again <= 0 else ", so the value has a large error."),
            "Use more units or more stimuli, or units='all' for these units alone.",
            stacklevel=4,
        )
    return np.concatenate([kernel, squares])


def sampled_cka(x: Array, y: Array) -> Array:
    """The value of `cka` with ``units="sampled"``."""
    parts = SampledParts()
    value = parts.combine(parts.prepare(x)[None], parts.prepare(y)[None])[0, 0]
    return as_same_library(np.asarray(value), x)
