"""How well time constants are known: the curvature of the log-likelihood, by differences of its slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import stats

from consilience.models._gp_posterior import Parameters

__all__ = ["Slopes", "timescale_interval"]

# parameters -> slope of the objective by log tau (k,) and by loadings (units, k)
Slopes = Callable[[Parameters], tuple[np.ndarray, np.ndarray]]


def timescale_interval(slopes: Slopes, p: Parameters, level: float) -> tuple[np.ndarray, np.ndarray]:
    """(k,) low and high of time constants in bins: log tau +- z s, s^2 of the inverse information.

    The information is that of log tau together with all mixtures C (I + A) of the latents, as the mixture is what time
    constants hang on most; means, noise and the space that C spans are held. NaN where the likelihood has no maximum
    along some mixture: two latents of one time constant may be turned into each other freely.
    """
    k, step = p.tau.size, 1e-3

    def slope(at: np.ndarray) -> np.ndarray:
        mixed = p.loadings @ (np.eye(k) + at[k:].reshape(k, k))
        by_tau, by_loadings = slopes(replace(p, loadings=mixed, tau=p.tau * np.exp(at[:k])))
        return np.concatenate([by_tau, (p.loadings.T @ by_loadings).ravel()])

    unit = step * np.eye(k + k * k)
    information = -np.array([(slope(e) - slope(-e)) / (2 * step) for e in unit])
    information = 0.5 * (information + information.T)
    values, vectors = np.linalg.eigh(information)
    good = values > 1e-8 * values[-1]
    variance = ((vectors[:k, good] ** 2) / values[good]).sum(axis=1)
    lost = (vectors[:k, ~good] ** 2).sum(axis=1) > 1e-6
    away = stats.norm.ppf((1 + level) / 2) * np.sqrt(np.where(lost, np.nan, variance))
    return p.tau * np.exp(-away), p.tau * np.exp(away)
