"""Entropic optimal transport in the log domain."""

from __future__ import annotations

import numpy as np

__all__ = ["sinkhorn"]

_INNER = 10  # scalings between two absorptions into the potentials


def sinkhorn(
    cost: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    *,
    epsilon: float,
    tolerance: float = 1e-9,
    max_iterations: int = 10_000,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entropic transport plan: argmin of sum P_ij C_ij + epsilon sum P_ij (log P_ij - 1), rows of P summing to a,
    columns to b (Cuturi 2013).

    P_ij = exp((f_i + g_j - C_ij) / epsilon). The potentials f and g are kept as logarithms and take up the
    scalings of every tenth step (Schmitzer 2019), so that no entry overflows or vanishes, however small epsilon.

    Parameters
    ----------
    cost : (p, q) C.   a : (p,), b : (q,) positive, of one sum.
    epsilon : in units of the cost.   tolerance : of the columns' sums, in all.   start : potentials to start from.

    Returns
    -------
    plan (p, q), f (p,), g (q,)

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.linalg import sinkhorn
    >>> half = np.array([0.5, 0.5])
    >>> sinkhorn(np.array([[0.0, 1.0], [1.0, 0.0]]), half, half, epsilon=0.1)[0].round(4)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    f, g = (np.zeros_like(a), np.zeros_like(b)) if start is None else start
    log_a, log_b = np.log(a), np.log(b)
    for _ in range(-(-max_iterations // (_INNER + 1))):
        f = epsilon * (log_a - _log_sum((g[None, :] - cost) / epsilon))
        g = epsilon * (log_b - _log_sum((f[:, None] - cost).T / epsilon))
        kernel = np.exp((f[:, None] + g[None, :] - cost) / epsilon)  # columns sum to b
        u, v = np.ones_like(a), np.ones_like(b)
        for _ in range(_INNER):
            u = a / np.maximum(kernel @ v, 1e-300)
            below = kernel.T @ u
            off = float(np.abs(v * below - b).sum())
            if off <= tolerance:
                break
            v = b / np.maximum(below, 1e-300)
        f, g = f + epsilon * np.log(u), g + epsilon * np.log(v)
        if off <= tolerance:
            break
    return np.exp((f[:, None] + g[None, :] - cost) / epsilon), f, g


def _log_sum(x: np.ndarray) -> np.ndarray:
    """log of the sum of exp over rows of ``x`` (p, q): (p,)."""
    top = x.max(axis=1)
    return top + np.log(np.exp(x - top[:, None]).sum(axis=1))
