"""Gaussian-process latents of counts: Gaussian posterior by natural-gradient steps, its bound, loadings by Newton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from consilience.models._gp_posterior import Parameters, posterior_covariance

__all__ = ["Inferred", "Prior", "infer", "left_out_log_rates", "loadings_step"]


@dataclass(frozen=True)
class Prior:
    """Of the latents of a trial of T bins. precision : (k, T, T) K^-1.   log_det : of all K."""

    precision: np.ndarray
    log_det: float


@dataclass(frozen=True)
class Inferred:
    """Posterior N(mean, covariance) of one trial, and the bound.

    mean : (T, k).   covariance : (k, T, k, T).   sites : (T, k, k) what the counts of each bin add to the precision.
    rates : (T, units) expected counts, 0 where nothing was seen.   bound : lower bound of log p(counts), nats.
    """

    mean: np.ndarray
    covariance: np.ndarray
    sites: np.ndarray
    rates: np.ndarray
    bound: float

    def over_time(self) -> np.ndarray:
        """(T, k, k)."""
        return np.einsum("itjt->tij", self.covariance)

    def moments(self) -> np.ndarray:
        """(k, T, T) E[x x'] of each latent over time."""
        x = self.mean.T
        return np.einsum("itis->its", self.covariance) + x[:, :, None] * x[:, None, :]


def infer(
    y: np.ndarray,
    seen: np.ndarray | None,
    p: Parameters,
    prior: Prior,
    *,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    enough: float = 1e-6,
    steps: int = 100,
) -> Inferred:
    """The Gaussian nearest to the posterior of the latents of counts y (T, units) whose log rates are p.mean +
    p.loadings x.

    Bound = E[log p(y | x)] - KL(q || prior), which has one maximum. A natural-gradient step takes the precision that
    the counts give to that at the current rates, and the mean by Newton's method; it is halved until the bound rises.

    start : (mean, sites) of an earlier answer.   enough : nats of a rise below which it stops.
    """
    bins, k = len(y), p.tau.size
    products = products_of(p)
    own = -float(gammaln(y + 1).sum())

    def state(mean: np.ndarray, size: float, slope: np.ndarray | None, sites: np.ndarray) -> Inferred:
        covariance, log_total = posterior_covariance(prior.precision, sites)
        if slope is not None:
            # the mean moves by the covariance of the new precision; that of the old one would overshoot
            flat = covariance.reshape(k * bins, k * bins) @ slope.T.ravel()
            mean = mean + size * flat.reshape(k, bins).T
        over = np.einsum("itjt->tij", covariance).reshape(bins, k * k)
        eta = mean @ p.loadings.T + p.mean
        with np.errstate(over="ignore"):
            rates = np.exp(eta + 0.5 * over @ products.T)
        if seen is not None:
            rates, eta = rates * seen, eta * seen
        likely = float((y * eta).sum()) - float(rates.sum()) + own
        inner = float((mean * pulled(prior, mean)).sum())
        inner += float((prior.precision * np.einsum("itis->its", covariance)).sum())
        bound = likely - 0.5 * (inner + prior.log_det + log_total - bins * k)
        return Inferred(mean, covariance, sites, rates, bound)

    if start is None:
        rates = np.broadcast_to(np.exp(p.mean), y.shape)
        rates = rates if seen is None else rates * seen
        start = np.zeros((bins, k)), (rates @ products).reshape(bins, k, k)
    now = state(start[0], 0.0, None, start[1])
    for _ in range(steps):
        slope = (y - now.rates) @ p.loadings - pulled(prior, now.mean)
        target = (now.rates @ products).reshape(bins, k, k)
        size, new = 1.0, now
        for _ in range(15):
            new = state(now.mean, size, slope, now.sites + size * (target - now.sites))
            if new.bound >= now.bound:
                break
            size *= 0.5
        else:
            break
        gain, now = new.bound - now.bound, new
        if gain < enough:
            break
    return now


def products_of(p: Parameters) -> np.ndarray:
    """(units, k k) c c'."""
    return (p.loadings[:, :, None] * p.loadings[:, None, :]).reshape(-1, p.tau.size**2)


def pulled(prior: Prior, mean: np.ndarray) -> np.ndarray:
    """(T, k) K^-1 x."""
    return (prior.precision @ mean.T[:, :, None])[:, :, 0].T


def loadings_step(
    y: np.ndarray,
    seen: np.ndarray | None,
    mean: np.ndarray,
    over: np.ndarray,
    p: Parameters,
    ridge: float,
    *,
    steps: int = 10,
    enough: float = 1e-6,
) -> tuple[np.ndarray, np.ndarray]:
    """(units, k) loadings and (units,) log rates that maximise the expected log-likelihood less ridge/2 |c|^2: Newton's
    method, all units at once; each is concave.

    y : (n, units).   mean : (n, k) and over : (n, k, k) posterior of the latents at each bin.
    """
    n, k = mean.shape
    flat = over.reshape(n, k * k)
    theta = np.concatenate([p.loadings, p.mean[:, None]], axis=1)
    told = np.concatenate([y.T @ mean, y.sum(axis=0)[:, None]], axis=1)

    def rates_of(theta: np.ndarray) -> np.ndarray:
        c = theta[:, :k]
        with np.errstate(over="ignore"):
            rates = np.exp(
                mean @ c.T + theta[:, k] + 0.5 * flat @ (c[:, :, None] * c[:, None, :]).reshape(-1, k * k).T
            )
        return rates if seen is None else rates * seen

    def value_of(theta: np.ndarray, rates: np.ndarray) -> np.ndarray:
        return (told * theta).sum(axis=1) - rates.sum(axis=0) - 0.5 * ridge * (theta[:, :k] ** 2).sum(axis=1)

    rates = rates_of(theta)
    value = value_of(theta, rates)
    weight = ridge * np.append(np.ones(k), 0.0)
    for _ in range(steps):
        c = theta[:, :k]
        spread = (rates.T @ flat).reshape(-1, k, k)  # sum of rate * covariance
        slope, bend = told - weight * theta, np.zeros((len(theta), k + 1, k + 1))
        for u in range(len(theta)):
            a = np.empty((n, k + 1))
            a[:, :k] = mean + (over @ c[u])
            a[:, k] = 1.0
            weighted = rates[:, u, None] * a
            slope[u] -= weighted.sum(axis=0)
            bend[u] = a.T @ weighted
        bend[:, :k, :k] += spread
        bend += np.diag(weight)
        bend += 1e-12 * np.trace(bend, axis1=1, axis2=2)[:, None, None] * np.eye(k + 1)
        step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        size = np.ones(len(theta))
        for _ in range(20):
            new = theta + size[:, None] * step
            new_rates = rates_of(new)
            new_value = value_of(new, new_rates)
            worse = ~(new_value >= value - 1e-12 * np.abs(value))
            if not worse.any():
                break
            size = np.where(worse, 0.5 * size, size)
        else:
            new = np.where(worse[:, None], theta, new)
            new_rates = rates_of(new)
            new_value = value_of(new, new_rates)
        gain = float((new_value - value).sum())
        theta, rates, value = new, new_rates, new_value
        if gain < enough * max(1.0, float(rates.sum())):
            break
    return theta[:, :k], theta[:, k]


def left_out_log_rates(
    y: np.ndarray, seen: np.ndarray | None, p: Parameters, prior: Prior, found: Inferred, *, steps: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """(T, units) mean and variance of each unit's log rate given the counts of the other units of the trial.

    The precision is that of all units less the unit's own part at the rates found with all; the mean is then brought
    to where the other units' slope is 0, by Newton's method with that precision, all units at once.
    """
    bins, units = y.shape
    k = p.tau.size
    covariance = found.covariance.reshape(k * bins, k * bins)
    products = products_of(p)
    root = np.sqrt(found.rates)  # (T, units)
    # what each unit's log rate over time has to do with all latents: (units, k T, T)
    across = np.einsum("itjs,uj->uits", found.covariance, p.loadings, optimize=True)
    spread = np.einsum("ui,uits->uts", p.loadings, across, optimize=True)
    across = across.reshape(units, k * bins, bins)
    inner = np.eye(bins) - root.T[:, :, None] * spread * root.T[:, None, :]
    freed = root.T[:, :, None] * np.linalg.solve(inner, np.eye(bins) * root.T[:, :, None])  # (1/rate - S)^-1
    known = np.ones(y.shape) if seen is None else seen.astype(np.float64)
    over = found.over_time().reshape(bins, k * k)
    # variance over time of every unit's log rate, without each unit in turn, is taken as with all units but for its own
    half = 0.5 * over @ products.T

    x = np.broadcast_to(found.mean.T.reshape(1, k * bins), (units, k * bins)).copy()
    own = np.arange(units)
    previous = np.full(units, np.inf)
    for _ in range(steps):
        latent = x.reshape(units, k, bins)
        eta = np.einsum("uit,vi->utv", latent, p.loadings, optimize=True) + p.mean
        with np.errstate(over="ignore"):
            rest = (y - np.exp(np.minimum(eta + half, 50.0))) * known
        rest[own, :, own] = 0.0
        slope = (rest @ p.loadings).transpose(0, 2, 1) - np.einsum(
            "its,uis->uit", prior.precision, latent, optimize=True
        )
        slope = slope.reshape(units, k * bins)
        step = slope @ covariance
        own_part = np.einsum("uat,ua->ut", across, slope, optimize=True)
        step += np.einsum("uat,ut->ua", across, np.einsum("uts,us->ut", freed, own_part), optimize=True)
        size = np.abs(step).max(axis=1)
        damp = np.where(size > 0.5 * previous, 0.5, 1.0)  # rates far from where the precision was taken
        x += damp[:, None] * step
        previous = size
        if size.max() < 1e-6:
            break
    mean = np.einsum("uit,ui->tu", x.reshape(units, k, bins), p.loadings) + p.mean
    own_variance = np.diagonal(spread, axis1=1, axis2=2) + np.einsum(
        "uts,usr,urt->ut", spread, freed, spread, optimize=True
    )
    return mean, own_variance.T
