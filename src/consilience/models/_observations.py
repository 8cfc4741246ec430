"""Observation models of a GLM: loss in the linear predictor, its derivatives, and draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.special import digamma, expit

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.stats import OBSERVATIONS

__all__ = ["LINKS", "Observation", "observation_of"]

LINKS: dict[str, tuple[str, ...]] = {  # the first is the default
    "poisson": ("log", "softplus"),
    "gaussian": ("identity",),
    "bernoulli": ("logit", "cloglog"),
    "gamma": ("log",),
    "negative_binomial": ("log",),
}


class Observation(ABC):
    """Half the unit deviance, up to what does not depend on eta, as a function of the linear predictor eta: convex.

    ``linear``: the loss is b(eta) - y eta, and `terms` gives b alone and its derivative, so that y enters once, as X'y.
    Arrays keep the dtype of eta.
    """

    linear = True
    bounded = True  # a rate, whose logarithm may run off where no sample is above 0

    def __init__(self, dispersion: Any = 1.0) -> None:
        self.dispersion = dispersion

    def take(self, units: np.ndarray) -> Observation:
        """The same for some of the units."""
        return type(self)(self.dispersion if np.ndim(self.dispersion) == 0 else self.dispersion[units])

    @abstractmethod
    def mean(self, eta: np.ndarray) -> np.ndarray:
        """mu (n, t)."""

    @abstractmethod
    def link(self, mu: np.ndarray) -> np.ndarray:
        """eta of mu."""

    @abstractmethod
    def terms(self, eta: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(loss, its derivative), (n, t) each, less what is linear in y where ``linear``."""

    @abstractmethod
    def weight(self, eta: np.ndarray) -> np.ndarray:
        """Expected second derivative of the loss, (n, t): (d mu / d eta)^2 / V(mu)."""

    @abstractmethod
    def draw(self, mu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One value for each mu (n, t) or (t,)."""

    def floor(self, mean: np.ndarray, n: int) -> np.ndarray:
        """Means of units (t,), kept half an event inside the range where all samples are at its end."""
        return np.maximum(mean, 0.5 / n) if self.bounded else mean


class Gaussian(Observation):
    bounded = False

    def mean(self, eta):
        return eta

    def link(self, mu):
        return mu

    def terms(self, eta, y):
        return 0.5 * eta * eta, eta

    def weight(self, eta):
        return np.ones_like(eta)

    def draw(self, mu, rng):
        return rng.normal(mu, np.sqrt(self.dispersion))


class Poisson(Observation):
    def mean(self, eta):
        return np.exp(eta)

    def link(self, mu):
        return np.log(mu)

    def terms(self, eta, y):
        mu = np.exp(eta)
        return mu, mu

    def weight(self, eta):
        return np.exp(eta)

    def draw(self, mu, rng):
        return rng.poisson(mu).astype(np.float64)


class PoissonSoftplus(Poisson):
    """mu = log(1 + exp(eta)): linear where it is large, so rates cannot run off exponentially."""

    linear = False

    def mean(self, eta):
        return np.logaddexp(eta, eta.dtype.type(0))

    def link(self, mu):
        return mu + np.log(-np.expm1(-mu))

    def terms(self, eta, y):
        mu = np.maximum(self.mean(eta), np.finfo(eta.dtype).tiny)
        return mu - y * np.log(mu), expit(eta) * (1 - y / mu)

    def weight(self, eta):
        return expit(eta) ** 2 / np.maximum(self.mean(eta), np.finfo(eta.dtype).tiny)


class Bernoulli(Observation):
    def mean(self, eta):
        return expit(eta)

    def link(self, mu):
        return np.log(mu) - np.log1p(-mu)

    def terms(self, eta, y):
        return np.logaddexp(eta, eta.dtype.type(0)), expit(eta)

    def weight(self, eta):
        return expit(eta) * expit(-eta)

    def draw(self, mu, rng):
        return (rng.random(np.shape(mu)) < mu).astype(np.float64)

    def floor(self, mean, n):
        return np.clip(mean, 0.5 / n, 1 - 0.5 / n)


class BernoulliCloglog(Bernoulli):
    """P(spike) = 1 - exp(-exp(eta)): a Poisson process of rate exp(eta), seen as spike or none."""

    linear = False

    def mean(self, eta):
        return -np.expm1(-np.exp(eta))

    def link(self, mu):
        return np.log(-np.log1p(-mu))

    def terms(self, eta, y):
        m = np.maximum(np.exp(eta), np.finfo(eta.dtype).tiny)
        p = -np.expm1(-m)
        return (1 - y) * m - y * np.log(p), m * ((1 - y) - y * np.exp(-m) / p)

    def weight(self, eta):
        m = np.maximum(np.exp(eta), np.finfo(eta.dtype).tiny)
        return m * m * np.exp(-m) / -np.expm1(-m)


class Gamma(Observation):
    linear = False

    def mean(self, eta):
        return np.exp(eta)

    def link(self, mu):
        return np.log(mu)

    def terms(self, eta, y):
        ratio = y * np.exp(-eta)
        return ratio + eta, 1 - ratio

    def weight(self, eta):
        return np.ones_like(eta)

    def draw(self, mu, rng):
        shape = np.broadcast_to(1 / np.asarray(self.dispersion), np.shape(mu))
        return np.maximum(rng.gamma(shape, mu / shape), np.finfo(np.float64).tiny)


class NegativeBinomial(Observation):
    """Counts with variance mu + s mu^2, s the dispersion (t,)."""

    linear = False

    def mean(self, eta):
        return np.exp(eta)

    def link(self, mu):
        return np.log(mu)

    def terms(self, eta, y):
        s = np.asarray(self.dispersion, dtype=eta.dtype)
        mu = np.exp(eta)
        return (y + 1 / s) * np.log1p(s * mu) - y * eta, (mu - y) / (1 + s * mu)

    def weight(self, eta):
        mu = np.exp(eta)
        return mu / (1 + np.asarray(self.dispersion, dtype=eta.dtype) * mu)

    def draw(self, mu, rng):
        r = np.broadcast_to(1 / np.asarray(self.dispersion), np.shape(mu))
        return rng.poisson(rng.gamma(r, mu / r)).astype(np.float64)


_KINDS: dict[tuple[str, str], type[Observation]] = {
    ("gaussian", "identity"): Gaussian,
    ("poisson", "log"): Poisson,
    ("poisson", "softplus"): PoissonSoftplus,
    ("bernoulli", "logit"): Bernoulli,
    ("bernoulli", "cloglog"): BernoulliCloglog,
    ("gamma", "log"): Gamma,
    ("negative_binomial", "log"): NegativeBinomial,
}


def observation_of(name: str, link: str | None, dispersion: Any = 1.0, *, who: str) -> Observation:
    """The observation model of two names; ``link`` None = its default."""
    if name not in OBSERVATIONS:
        raise InputError(
            f"{who}: observation must be one of {', '.join(map(repr, OBSERVATIONS))}; got {shorten(name)}.",
            code="unknown-option",
        )
    links = LINKS[name]
    if link is not None and link not in links:
        raise InputError(
            f"{who}: link of {name} observations must be {' or '.join(map(repr, links))}, or None for "
            f"{links[0]!r}; got {shorten(link)}.",
            code="unknown-option",
        )
    return _KINDS[name, link or links[0]](dispersion)


def estimate_dispersion(name: str, y: np.ndarray, mu: np.ndarray, free: int) -> np.ndarray:
    """(t,) dispersion of observations about their fitted means (n, t); ``free`` parameters were fitted.

    Gaussian: residual variance.   Gamma: Pearson's phi.   Negative binomial: s of maximum likelihood, given the means.
    """
    n, t = y.shape
    if name == "gaussian":
        return ((y - mu) ** 2).sum(axis=0, dtype=np.float64) / max(1, n - free)
    if name == "gamma":
        return ((y / mu - 1) ** 2).sum(axis=0, dtype=np.float64) / max(1, n - free)
    if name != "negative_binomial":
        return np.ones(t)
    return np.array([_shape(y[:, u].astype(np.float64), mu[:, u].astype(np.float64)) for u in range(t)])


def _shape(y: np.ndarray, mu: np.ndarray, low: float = 1e-6, high: float = 1e3) -> float:
    """s that maximises the likelihood: bisection of its derivative in log s."""
    counts, many = np.unique(y, return_counts=True)

    def slope(s: float) -> float:
        """d log-likelihood / d (1/s)."""
        r = 1 / s
        return float(
            many @ (digamma(counts + r) - digamma(r)) - np.log1p(s * mu).sum() + ((mu - y) / (mu + r)).sum()
        )

    below, above = np.log(low), np.log(high)
    if slope(low) > 0:  # the likelihood rises towards Poisson
        return low
    for _ in range(60):
        middle = 0.5 * (below + above)
        if slope(float(np.exp(middle))) > 0:
            above = middle
        else:
            below = middle
        if above - below < 1e-7:
            break
    return float(np.exp(0.5 * (below + above)))
