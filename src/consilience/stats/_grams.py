"""Inner products of pair vectors under weights of the stimuli: one product for all draws."""

from __future__ import annotations

import numpy as np

from consilience.stats._pairs import _BLOCK, _pair_weights

__all__ = ["weighted_grams"]


def weighted_grams(vectors: np.ndarray, weights: np.ndarray, *, diagonal: bool = False) -> np.ndarray:
    """sum over pairs p of v_p a_p b_p for all pair vectors a, b, with v_p = w_i w_j for p = (i, j).

    Everything that a cosine, correlation or least-squares fit of RDMs needs under a resample (weights = counts)
    or on part of the stimuli (weights 0 or 1).

    Parameters
    ----------
    vectors : (m, P) pair vectors of n stimuli; with ``diagonal`` their n last entries are those of i = j
    weights : (draws, n) weights of the stimuli

    Returns
    -------
    (draws, m, m)

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.stats import weighted_grams
    >>> weighted_grams(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 1.0]]))[:, 0, 0]
    array([14., 18.])
    """
    m, size = vectors.shape
    draws = len(weights)
    one, two = np.triu_indices(m)
    w = np.ascontiguousarray(weights.T, dtype=np.float64)
    step = max(128, min(size, _BLOCK // max(1, draws), _BLOCK // one.size))
    v = np.empty((min(step, size), draws))
    sums = np.zeros((one.size, draws))
    for start in range(0, size, step):
        stop = min(start + step, size)
        _pair_weights(w, start, stop, v)
        block = vectors[:, start:stop]
        sums += (block[one] * block[two]) @ v[: stop - start]
    out = np.empty((draws, m, m))
    out[:, one, two] = sums.T
    out[:, two, one] = sums.T
    return out
