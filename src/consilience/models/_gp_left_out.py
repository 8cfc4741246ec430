"""Units of Gaussian-process factor analysis predicted from the other units, in closed form."""

from __future__ import annotations

import numpy as np

from consilience.models._gp_kernels import Kernel
from consilience.models._gp_posterior import Parameters, blocks_of, expect_all
from consilience.models._trials import Trials

__all__ = ["left_out"]

_ROOM = 2**24  # entries of covariances over time held at once


def left_out(centred: Trials, p: Parameters, kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    """(n, units) mean and variance of each unit's values given all bins of the other units of its trial.

    With the posterior mean f and covariance W over time of a unit's part c'x given all units, and r = y - f where it
    was seen, the other units alone give f - W z and W + W (R - W)^-1 W, z = (R - W)^-1 r: one unit's values are taken
    out of a Gaussian, no unit is inferred anew.
    """
    mean, variance = np.empty_like(centred.data), np.empty_like(centred.data)
    k = p.tau.size
    blocks = blocks_of(centred, fold=False)
    for block, post in zip(blocks, expect_all(blocks, p, kernel)):
        n, h, units = block.y.shape
        guess = post.mean @ p.loadings.T
        rest = block.y - guess
        spread = post.covariance.transpose(0, 2, 1, 3).reshape(k * k, h * h)
        said = np.empty((h, units))
        for low in range(0, units, max(1, _ROOM // (h * h))):
            part = slice(low, low + max(1, _ROOM // (h * h)))
            c = p.loadings[part]
            w = ((c[:, :, None] * c[:, None, :]).reshape(-1, k * k) @ spread).reshape(-1, h, h)
            r = rest[:, :, part].transpose(2, 1, 0)  # (units, h, n)
            known = w
            if block.seen is not None:
                seen = block.seen[:, part].T.astype(np.float64)
                r = r * seen[:, :, None]
                known = w * seen[:, :, None] * seen[:, None, :]
            inner = p.noise[part, None, None] * np.eye(h) - known
            across = w if block.seen is None else w * seen[:, None, :]
            solved = np.linalg.solve(inner, np.concatenate([r, across.transpose(0, 2, 1)], axis=2))
            guess[:, :, part] -= (across @ solved[:, :, :n]).transpose(2, 1, 0)
            own = np.einsum("uts,ust->ut", across, solved[:, :, n:])
            said[:, part] = (np.diagonal(w, axis1=1, axis2=2) + own + p.noise[part, None]).T
        for i, trial in enumerate(block.trials):
            rows = slice(centred.starts[trial], centred.starts[trial + 1])
            mean[rows], variance[rows] = guess[i], said
    return mean, variance
