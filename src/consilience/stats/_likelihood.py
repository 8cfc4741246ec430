"""Log-likelihoods of the observations that a generalised linear model can have, in parts that resample cheaply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from consilience._core._errors import InputError
from consilience._core._params import check_option, shorten

__all__ = [
    "DISCRETE",
    "OBSERVATIONS",
    "LikelihoodParts",
    "check_means",
    "check_observed",
    "likelihood_parts",
    "saturated",
]

OBSERVATIONS = ("poisson", "gaussian", "bernoulli", "gamma", "negative_binomial")
DISCRETE = ("poisson", "bernoulli", "negative_binomial")
_RANGES = {
    "poisson": "counts, at least 0",
    "gaussian": "any real number",
    "bernoulli": "0 or 1",
    "gamma": "above 0",
    "negative_binomial": "counts, at least 0",
}


@dataclass(frozen=True)
class LikelihoodParts:
    """log p(y | mu) = y * slope + offset + own, entry by entry: what belongs to mu, linear in y, and what is y's
    own.
    """

    slope: np.ndarray
    offset: np.ndarray
    own: np.ndarray

    def total(self, y: np.ndarray) -> np.ndarray:
        return y * self.slope + self.offset + self.own


def check_observed(y: np.ndarray, observation: str, *, who: str) -> None:
    """Refuses values (n, t) that ``observation`` cannot give."""
    if observation == "gaussian":
        bad = ~np.isfinite(y)
    elif observation == "bernoulli":
        bad = (y != 0) & (y != 1)
    else:
        bad = ~(y > 0) if observation == "gamma" else ~(y >= 0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        other = {
            "bernoulli": "observation='poisson' for counts, or smaller bins",
            "gamma": "observation='gaussian', or leave out what did not respond",
        }.get(observation, "observation='gaussian'")
        if observation == "bernoulli" and ((y >= 0) & (y <= 1)).all():
            other = (
                "single trials (cs.encode averages trials of one stimulus; give each trial an id of its own, and "
                "groups= that keep them together), or observation='gaussian' for such averages"
            )
        raise InputError(
            f"{who}: y of {observation} observations must be {_RANGES[observation]}; got {y[row, column]:.6g} (sample "
            f"{row}, unit {column}), one of {int(bad.sum())}. Use {other}.",
            code="wrong-observation",
        )


def check_means(mu: np.ndarray, observation: str, *, who: str, name: str = "predicted") -> None:
    """Refuses expected values that ``observation`` cannot have; the ends of the range are allowed."""
    top = 1.0 if observation == "bernoulli" else np.inf
    if observation == "gaussian" or not ((mu < 0).any() or (mu > top).any()):
        return
    what = "probabilities, 0 to 1" if observation == "bernoulli" else "expected values of y, at least 0"
    raise InputError(
        f"{who}: {name} of {observation} observations must be {what}; got {mu.min():.4g} to {mu.max():.4g}. Use a "
        "model with such means (cs.models.GLM), or observation='gaussian'.",
        code="out-of-range",
    )


def check_observation(observation: object, *, who: str) -> str:
    return check_option(observation, OBSERVATIONS, name="observation", who=who)


def likelihood_parts(
    y: np.ndarray, mu: np.ndarray, observation: str, dispersion: Any = 1.0
) -> LikelihoodParts:
    """Parts of log p(y | mu) for y, mu (n, t).

    dispersion : number or (t,). Gaussian: the variance. Gamma: phi, variance phi mu^2. Negative binomial: s, variance
        mu + s mu^2. Poisson and Bernoulli have none.
    """
    y, mu = np.asarray(y, dtype=np.float64), np.asarray(mu, dtype=np.float64)
    tiny = np.finfo(np.float64).tiny
    if observation == "gaussian":
        v = np.maximum(dispersion, tiny)
        return LikelihoodParts(mu / v, -(mu**2) / (2 * v), -(y**2) / (2 * v) - 0.5 * np.log(2 * np.pi * v))
    if observation == "bernoulli":
        mu = np.clip(mu, 1e-300, 1 - np.finfo(np.float64).epsneg)
        return LikelihoodParts(np.log(mu) - np.log1p(-mu), np.log1p(-mu), np.zeros_like(y))
    mu = np.maximum(mu, 1e-300)
    if observation == "poisson":
        return LikelihoodParts(np.log(mu), -mu, -gammaln(y + 1))
    if observation == "gamma":
        k = 1 / np.maximum(dispersion, tiny)
        return LikelihoodParts(-k / mu, -k * np.log(mu), (k - 1) * np.log(y) + k * np.log(k) - gammaln(k))
    s = np.maximum(dispersion, 1e-12)
    r = 1 / s
    slope = np.log(s * mu) - np.log1p(s * mu)
    return LikelihoodParts(slope, -r * np.log1p(s * mu), gammaln(y + r) - gammaln(r) - gammaln(y + 1))


def saturated(y: np.ndarray, observation: str, dispersion: Any = 1.0) -> np.ndarray:
    """log p(y | y), (n, t): the likelihood of a model that predicts every value exactly."""
    y = np.asarray(y, dtype=np.float64)
    if observation == "bernoulli":
        return np.zeros_like(y)
    if observation == "poisson":
        return xlogy(y, y) - y - gammaln(y + 1)
    if observation == "negative_binomial":
        s = np.maximum(dispersion, 1e-12)
        r = 1 / s
        at = xlogy(y, s * y) - (y + r) * np.log1p(s * y)
        return at + gammaln(y + r) - gammaln(r) - gammaln(y + 1)
    return likelihood_parts(y, y, observation, dispersion).total(y)


def as_columns(y: Any, predicted: Any, *, who: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """(n, t) float64 of both, and whether they were one column; refuses other shapes and what is not finite."""
    try:
        one, two = np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{who}: y and predicted must be arrays of real numbers.", code="not-numeric"
        ) from None
    if one.shape != two.shape or one.ndim not in (1, 2) or not one.size:
        raise InputError(
            f"{who}: y and predicted must both be (samples,) or (samples, units) and of one shape; got "
            f"{shorten(one.shape)} and {shorten(two.shape)}.",
            code="rows-differ",
        )
    for name, values in (("y", one), ("predicted", two)):
        if not np.isfinite(values).all():
            raise InputError(
                f"{who}: {name} has {int((~np.isfinite(values)).sum())} NaN or infinite values; leave those samples "
                "out of both.",
                code="nan-values",
            )
    flat = one.ndim == 1
    return one.reshape(len(one), -1), two.reshape(len(two), -1), flat


def likelihood_gain(
    y: np.ndarray, mu: np.ndarray, base: np.ndarray, observation: str
) -> tuple[np.ndarray, np.ndarray]:
    """(log p(y | mu) - log p(y | base), log p(y | y) - log p(y | base)), (n, t): the ratio of their sums is the share
    of deviance explained. Negative binomial counts are taken as Poisson ones.
    """
    name = "poisson" if observation == "negative_binomial" else observation
    below = likelihood_parts(y, base, name).total(y)
    return likelihood_parts(y, mu, name).total(y) - below, saturated(y, name) - below


def deviance(y: np.ndarray, mu: np.ndarray, observation: str, dispersion: Any = 1.0) -> np.ndarray:
    """(t,) summed unit deviance of y, mu (n, t): sum of squares for a Gaussian. Only the negative binomial's depends on
    ``dispersion``.
    """
    t = y.shape[1]
    s = np.broadcast_to(
        np.asarray(dispersion if observation == "negative_binomial" else 1.0, dtype=np.float64), t
    )
    out, width = np.empty(t), max(1, (1 << 21) // max(1, len(y)))
    for start in range(0, t, width):
        u = slice(start, start + width)
        log = likelihood_parts(y[:, u], mu[:, u], observation, s[u]).total(
            np.asarray(y[:, u], dtype=np.float64)
        )
        out[u] = 2 * (saturated(y[:, u], observation, s[u]) - log).sum(axis=0)
    return out
