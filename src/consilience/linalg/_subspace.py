"""Orthonormal bases: of the span of given directions, and of random subspaces."""

from __future__ import annotations

import numpy as np

__all__ = ["random_basis", "span_basis"]


def span_basis(rows: np.ndarray) -> np.ndarray:
    """(p, r) orthonormal basis of the span of directions (k, p), not all 0; r <= k, singular values below 1e-10 of the
    largest being 0.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.linalg._subspace import span_basis
    >>> basis = span_basis(np.array([[2.0, 0.0, 0.0], [4.0, 0.0, 0.0]]))
    >>> np.abs(basis[:, 0]).tolist(), basis.shape
    ([1.0, 0.0, 0.0], (3, 1))
    """
    _, sizes, right = np.linalg.svd(np.asarray(rows, dtype=np.float64), full_matrices=False)
    return np.asarray(right[sizes > 1e-10 * sizes[0]].T)


def random_basis(p: int, r: int, rng: np.random.Generator) -> np.ndarray:
    """(p, r) orthonormal basis of a subspace that is uniform over those of r dimensions."""
    return np.asarray(np.linalg.qr(rng.normal(size=(p, r)))[0])
