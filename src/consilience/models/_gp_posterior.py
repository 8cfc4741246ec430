"""Gaussian-process factor analysis as linear algebra: data in blocks, posterior of the latents, steps of EM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from consilience.models._gp_inverse import inverse_of
from consilience.models._gp_kernels import Kernel, Lags, Precision, update_timescales
from consilience.models._trials import Trials

__all__ = [
    "Block",
    "Parameters",
    "Posterior",
    "blocks_of",
    "em_step",
    "expect",
    "expect_all",
    "moments_of",
]


@dataclass(frozen=True)
class Block:
    """Trials with the same lags and the same values missing: they share the posterior covariance.

    Trials of which nothing is missing are folded: sums and differences of bins t and T - 1 - t over sqrt(2), which is
    a rotation, are two blocks of half the bins (see `Lags`).

    lags : of the h bins.   y : (n, h, units), missing values 0.   constant : (h,) what a constant 1 over time becomes,
    by which the means of units enter.   seen : (h, units) bool; None = all.   trials : (n,) which they are.
    sign : 0 whole, 1 sums, -1 differences.
    """

    lags: Lags
    y: np.ndarray
    constant: np.ndarray
    seen: np.ndarray | None
    trials: np.ndarray
    sign: int

    @cached_property
    def sums(self) -> np.ndarray:
        """(n, units) of y with `constant`."""
        return np.asarray(self.constant @ self.y)

    @cached_property
    def squares(self) -> np.ndarray:
        """(n, units) sums of y^2."""
        return np.einsum("nhu,nhu->nu", self.y, self.y)

    def squares_about(self, mean: np.ndarray) -> np.ndarray:
        """(n, units) sums of (y - mean)^2 over what was seen; data near their mean, so that no digits are lost."""
        size = float(self.constant @ self.constant) if self.seen is None else self.seen.sum(axis=0)
        return self.squares - 2 * mean * self.sums + size * mean**2

    def unfold(self, x: np.ndarray, out: list[np.ndarray]) -> None:
        """Adds latents (n, h, k) of this block to those of its trials over time, [(t, k)]."""
        for one, to in zip(x, self.trials):
            self._spread(one, out[to])

    def _spread(self, one: np.ndarray, out: np.ndarray) -> None:
        if self.sign == 0:
            out += one
            return
        half = len(out) // 2
        pair = one[:half] * np.sqrt(0.5)
        out[:half] += pair
        out[len(out) - half :] += self.sign * pair[::-1]
        if self.sign > 0 and len(out) % 2:
            out[half] += one[half]

    def unfold_covariance(self, over: np.ndarray, out: np.ndarray) -> None:
        """Adds covariances at each bin (h, k, k) of this block to those of one trial over time (t, k, k): sums and
        differences are independent, and each stands for half of both bins.
        """
        if self.sign == 0:
            out += over
            return
        half = len(out) // 2
        pair = 0.5 * over[:half]
        out[:half] += pair
        out[len(out) - half :] += pair[::-1]
        if self.sign > 0 and len(out) % 2:
            out[half] += over[half]


def blocks_of(trials: Trials, *, fold: bool = True) -> list[Block]:
    """Blocks of all trials; trials of one length with the same values missing stand in one."""
    out: list[Block] = []
    for bins, which in trials.by_length().items():
        whole, lags = which, Lags.whole(bins)
        if trials.seen is not None:
            complete = np.array([bool(trials.seen[i].all()) for i in which])
            whole = which[complete]
            same: dict[bytes, list[int]] = {}
            for i in which[~complete]:
                same.setdefault(np.packbits(trials.seen[i]).tobytes(), []).append(int(i))
            for group in same.values():
                y = np.stack([trials.values[i] for i in group])
                seen = trials.seen[group[0]]
                out.append(Block(lags, y, np.ones(bins), seen, np.array(group), 0))
        if whole.size and not fold:
            y = np.stack([trials.values[i] for i in whole])
            out.append(Block(lags, y, np.ones(bins), None, whole, 0))
        elif whole.size:
            out += _folded(np.stack([trials.values[i] for i in whole]), whole)
    return out


def _folded(y: np.ndarray, which: np.ndarray) -> list[Block]:
    bins = y.shape[1]
    half, middle = bins // 2, bins % 2
    even, odd = Lags.folded(bins)
    early, late = y[:, :half], y[:, bins - half :][:, ::-1]
    sums = np.concatenate([(early + late) * np.sqrt(0.5), y[:, half : half + middle]], axis=1)
    constant = np.concatenate([np.full(half, np.sqrt(2.0)), np.ones(middle)])
    blocks = [Block(even, sums, constant, None, which, 1)]
    if half:
        blocks.append(Block(odd, (early - late) * np.sqrt(0.5), np.zeros(half), None, which, -1))
    return blocks


@dataclass(frozen=True)
class Parameters:
    """loadings : (units, k).   mean : (units,).   noise : (units,) variances.   tau : (k,) in bins."""

    loadings: np.ndarray
    mean: np.ndarray
    noise: np.ndarray
    tau: np.ndarray

    def take(self, units: np.ndarray) -> Parameters:
        return replace(self, loadings=self.loadings[units], mean=self.mean[units], noise=self.noise[units])


@dataclass(frozen=True)
class Posterior:
    """Of the trials of one block.

    mean : (n, h, k).   covariance : (k, h, k, h), the same for all.   log_likelihood : (n,), of the block's values.
    """

    mean: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray

    def over_time(self) -> np.ndarray:
        """(h, k, k) covariance of the latents at each bin."""
        return np.einsum("itjt->tij", self.covariance)

    def moments(self) -> np.ndarray:
        """(k, h, h) sum over trials of E[x x'] of each latent over time."""
        x = self.mean.transpose(2, 1, 0)
        return len(self.mean) * np.einsum("itis->its", self.covariance) + x @ x.transpose(0, 2, 1)


def posterior_covariance(precision: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, float]:
    """Inverse (k, h, k, h) of the prior precision (k, h, h) plus what is seen at each bin (h, k, k) or (k, k), and the
    log determinant of that sum.
    """
    k, h, _ = precision.shape
    total = np.zeros((k, h, k, h))
    np.einsum("itis->its", total)[...] = precision
    np.einsum("itjt->tij", total)[...] += gain
    inverse, log_det = inverse_of(total.reshape(k * h, k * h))
    return inverse.reshape(k, h, k, h), log_det


def expect(block: Block, p: Parameters, kernel: Kernel, prior: Precision | None = None) -> Posterior:
    """Posterior of the latents of a block's trials given all that was seen of them.

    prior : precision and log determinants, where they are known.
    """
    n, h, units = block.y.shape
    k = p.tau.size
    weighted = p.loadings / p.noise[:, None]
    if block.seen is None:
        gain = p.loadings.T @ weighted
        seen_sum: np.ndarray | float = float(h * np.log(2 * np.pi * p.noise).sum())
        rest = np.outer(block.constant, p.mean @ weighted)
    else:
        gain = np.einsum("hu,ui,uj->hij", block.seen, p.loadings, weighted, optimize=True)
        seen_sum = float((block.seen * np.log(2 * np.pi * p.noise)).sum())
        rest = block.seen @ (p.mean[:, None] * weighted)
    precision, log_prior = prior or kernel.precision(block.lags, p.tau)
    covariance, log_total = posterior_covariance(precision, gain)
    # the mean is taken out of the products, not of the data: y stays as it is from step to step
    told = (block.y.reshape(n * h, units) @ weighted).reshape(n, h, k) - rest
    flat = told.transpose(0, 2, 1).reshape(n, k * h)
    mean = flat @ covariance.reshape(k * h, k * h)
    quadratic = block.squares_about(p.mean) @ (1 / p.noise) - np.einsum("ni,ni->n", mean, flat)
    log_likelihood = -0.5 * (seen_sum + log_prior.sum() + log_total + quadratic)
    return Posterior(mean.reshape(n, k, h).transpose(0, 2, 1), covariance, log_likelihood)


@dataclass(frozen=True)
class Constants:
    """What EM needs of the data that no step changes: sums over the values of each unit (units,)."""

    squares: np.ndarray
    sums: np.ndarray
    counts: np.ndarray
    floor: np.ndarray
    bounds: tuple[float, float]


def lags_of(blocks: list[Block]) -> list[Lags]:
    """Those that blocks have, each once."""
    return list({id(block.lags): block.lags for block in blocks}.values())


def expect_all(
    blocks: list[Block], p: Parameters, kernel: Kernel, priors: list[Precision] | None = None
) -> list[Posterior]:
    """`expect` of each block, priors made once for blocks of the same lags.

    priors : of `lags_of` the blocks, where they are known.
    """
    kinds = lags_of(blocks)
    if priors is None:
        priors = [kernel.precision(lags, p.tau) for lags in kinds]
    known = {id(lags): prior for lags, prior in zip(kinds, priors)}
    return [expect(block, p, kernel, known[id(block.lags)]) for block in blocks]


def moments_of(blocks: list[Block], posteriors: list[Posterior]) -> list[tuple[Lags, int, np.ndarray]]:
    """For each kind of lags: the lags, how many trials, and the sum over them of E[x x'] of each latent over time."""
    counts: dict[int, int] = {}
    sums: dict[int, np.ndarray] = {}
    for block, post in zip(blocks, posteriors):
        key, own = id(block.lags), post.moments()
        counts[key] = counts.get(key, 0) + len(block.y)
        sums[key] = sums[key] + own if key in sums else own
    return [(lags, counts[id(lags)], sums[id(lags)]) for lags in lags_of(blocks)]


def em_step(
    blocks: list[Block],
    p: Parameters,
    kernel: Kernel,
    known: Constants,
    priors: list[Precision] | None = None,
) -> tuple[Parameters, float, list[Precision]]:
    """One step of EM: new parameters, the log-likelihood of the old ones, and the priors of the next step's lags.

    priors : those that the step before gave.
    """
    if priors is None:
        priors = [kernel.precision(lags, p.tau) for lags in lags_of(blocks)]
    posteriors = expect_all(blocks, p, kernel, priors)
    total = float(sum(post.log_likelihood.sum() for post in posteriors))
    cd, yx = regression(blocks, posteriors, p.mean.size, p.tau.size)
    noise = (known.squares - np.einsum("ui,ui->u", cd, yx)) / known.counts
    tau, priors = update_timescales(
        kernel, moments_of(blocks, posteriors), p.tau, known.bounds, priors=priors
    )
    return Parameters(cd[:, :-1], cd[:, -1], np.maximum(noise, known.floor), tau), total, priors


def regression(
    blocks: list[Block], posteriors: list[Posterior], units: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """(units, k + 1) loadings and means that maximise the expected likelihood, and (units, k + 1) the sums of y with
    the latents and the constant.
    """
    inner, yx = sums_of(blocks, posteriors, units, k)
    if inner.ndim == 2:
        return np.linalg.solve(inner, yx.T).T, yx
    return np.linalg.solve(inner, yx[:, :, None])[:, :, 0], yx


def sums_of(
    blocks: list[Block], posteriors: list[Posterior], units: int, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Expected second moments of the latents and the constant, (k + 1, k + 1) or, with values missing, for each unit
    (units, k + 1, k + 1); and (units, k + 1) their sums with y.
    """
    yx = np.zeros((units, k + 1))
    shared = np.zeros((k + 1, k + 1))
    own = None
    for block, post in zip(blocks, posteriors):
        n, h, _ = block.y.shape
        y, x = block.y.reshape(n * h, units), post.mean.reshape(n * h, k)
        yx[:, :k] += y.T @ x
        yx[:, k] += block.sums.sum(axis=0)
        if block.seen is None:
            shared[:k, :k] += x.T @ x + n * np.einsum("itjt->ij", post.covariance)
            shared[:k, k] += block.constant @ post.mean.sum(axis=0)
            shared[k, k] += n * float(block.constant @ block.constant)
        else:
            rows = np.empty((h, k + 1, k + 1))
            rows[:, :k, :k] = np.einsum("nhi,nhj->hij", post.mean, post.mean, optimize=True)
            rows[:, :k, :k] += n * post.over_time()
            rows[:, :k, k] = rows[:, k, :k] = post.mean.sum(axis=0)
            rows[:, k, k] = n
            own = np.zeros((units, (k + 1) ** 2)) if own is None else own
            own += block.seen.T.astype(np.float64) @ rows.reshape(h, -1)
    shared[k, :k] = shared[:k, k]
    if own is None:
        return shared, yx
    return own.reshape(units, k + 1, k + 1) + shared, yx
