"""Gaussian-process factor analysis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.models._gp_kernels import Kernel, timescale_slope
from consilience.models._gp_latents import GPLatents, LeftOut, unfolded
from consilience.models._gp_left_out import left_out
from consilience.models._gp_posterior import (
    Constants,
    Parameters,
    blocks_of,
    em_step,
    expect_all,
    moments_of,
    sums_of,
)
from consilience.models._gp_start import covariance_of, factors, turned_to_time
from consilience.models._gp_timescales import Slopes
from consilience.models._trials import Trials

__all__ = ["GPFA"]


class GPFA(GPLatents):
    """Smooth latents that units share, with noise of each unit's own (Yu et al. 2009).

    y(t) = C x(t) + d + e(t), e_u ~ N(0, R_u) independent over units and bins; each latent x_i is a Gaussian process,
    cov[x_i(t), x_i(t')] = (1 - s) rho(|t - t'| / tau_i) + s [t = t'], s = ``gp_noise``. C, d, R and the time constants
    tau are those of maximum likelihood, by EM; the posterior of the latents given a whole trial is exact. Smoothing and
    reduction are one step, unlike PCA of smoothed rates. For any data of which noise is about Gaussian: dF/F, BOLD,
    hidden states, square roots of counts (``square_root=True``); for counts of few spikes a bin see `PoissonGPFA`.

    C and x are known up to a turn as far as time constants agree; `transform` gives the orthonormal latents D V'x of
    C = U D V', largest first, as is usual. They are mixtures of the processes, so that time constants belong to
    ``loadings_`` and not to ``components_``.

    Trials of one length share one posterior covariance, split in halves by its symmetry in time. Trials with the same
    values missing share one too, but each other pattern has its own: with values missing at random each trial costs a
    factorisation of (bins x latents)^3 a step, and only priors and time constants are shared.

    Parameters
    ----------
    n_components : latents k; see `LatentCV` to choose it.
    bin_width : of a bin, in the unit that time constants are to have (seconds).
    kernel : "rbf" exp(-r^2/2), "matern12" exp(-r), "matern32", "matern52", or a function of an array of scaled lags
        r = |t - t'| / tau that returns correlations, 1 at 0.
    square_root : fit the square roots of counts, whose variance depends little on their mean (Yu et al. 2009).
    gp_noise : s, in (0, 1).
    noise_floor : least R_u, as a share of the variance of the unit.
    segment : train on pieces of trials of at most so many bins, which costs less for long trials; time constants
        longer than a piece are then not seen. None = whole trials. `transform` always takes whole trials.
    max_iter, tol : EM stops where a step raises the log-likelihood by less than ``tol`` nats per value.
    missing : "raise", "mask" (leave out exactly the NaN) or "omit" (leave out bins with any NaN); see
        ``docs/howto/gpfa.md``.

    Attributes
    ----------
    components_ : (k, units), orthonormal.   mean_ : (units,) d, of the square roots where they were taken.
    noise_variance_ : (units,) R.   loadings_ : (units, k) C.   timescales_ : (k,) tau, in the unit of ``bin_width``.
    rotation_ : (k, k); orthonormal latents = rotation_ @ latents of the processes.
    explained_variance_ratio_ : (k,) share of the variance of all units, as the model has it, in sample.
    objective_ : (steps,) log-likelihood in nats before each step.   n_components_, n_iter_, converged_.

    References
    ----------
    Yu et al. (2009).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> t = np.arange(30)
    >>> K = np.exp(-((t[:, None] - t) ** 2) / (2 * 4.0**2)) + 1e-6 * np.eye(30)
    >>> x = np.linalg.cholesky(K) @ rng.normal(size=(40, 30, 1))
    >>> X = x @ rng.normal(size=(1, 12)) + rng.normal(size=(40, 30, 12))
    >>> model = cs.models.GPFA(1, bin_width=0.02).fit(X)
    >>> model.transform(X).shape, bool(abs(model.timescales_[0] - 0.08) < 0.01)
    ((40, 30, 1), True)
    """

    def __init__(
        self,
        n_components: int = 8,
        *,
        bin_width: float = 1.0,
        kernel: Any = "rbf",
        square_root: bool = False,
        gp_noise: float = 1e-3,
        noise_floor: float = 0.01,
        segment: int | None = None,
        max_iter: int = 200,
        tol: float = 1e-6,
        missing: str = "raise",
    ) -> None:
        self.n_components = n_components
        self.bin_width = bin_width
        self.kernel = kernel
        self.square_root = square_root
        self.gp_noise = gp_noise
        self.noise_floor = noise_floor
        self.segment = segment
        self.max_iter = max_iter
        self.tol = tol
        self.missing = missing

    def _values(self, trials: Trials) -> Trials:
        if not self.square_root:
            return trials
        if (trials.data < 0).any():
            raise InputError(
                f"GPFA: square_root=True needs counts, at least 0; got {trials.data.min():.6g}. Use "
                "square_root=False for other data.",
                code="out-of-range",
            )
        return replace(trials, data=np.sqrt(trials.data))

    def _learn(
        self, trials: Trials, k: int, kernel: Kernel, bounds: tuple[float, float]
    ) -> tuple[Parameters, list[float], bool]:
        floor = check_number(self.noise_floor, name="noise_floor", who="GPFA", low=0.0, high=1.0)
        # means are taken out first: sums of squares about a far mean would lose digits
        mean = trials.mean()
        centred = trials.centred(mean)
        constants = constants_of(centred, floor, bounds)
        loadings, noise = factors(covariance_of(centred), k, constants.floor)
        loadings, tau = turned_to_time(centred, loadings, noise, kernel, bounds)
        start = Parameters(loadings, np.zeros(trials.units), noise, tau)
        found, history, converged = em(centred, start, kernel, constants, int(self.max_iter), float(self.tol))
        return replace(found, mean=found.mean + mean), history, converged

    def _store(self, p: Parameters, width: float) -> None:
        super()._store(p, width)
        self.noise_variance_ = np.zeros(self._varies.size)
        self.noise_variance_[self._varies] = p.noise
        self.mean_ = self._still.copy()
        self.mean_[self._varies] = p.mean
        self.explained_variance_ratio_ = self._strength / (self._strength.sum() + p.noise.sum())

    def _read(self, X: Any, *, reset: bool) -> Trials:
        trials = super()._read(X, reset=reset)
        if reset:
            self._still = trials.data.sum(axis=0) / np.maximum(
                trials.counts, 1
            )  # means of units that never vary
        return trials

    def _infer(self, trials: Trials) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        p, centred = self._about(trials)
        blocks = blocks_of(centred)
        posts = expect_all(blocks, p, self._kernel)
        means = unfolded(blocks, [post.mean for post in posts], centred)
        likelihood = np.zeros(len(trials))
        covariances = [np.zeros((int(t), p.tau.size, p.tau.size)) for t in trials.lengths]
        for block, post in zip(blocks, posts):
            likelihood[block.trials] += post.log_likelihood
            over = post.over_time()
            for i in block.trials:
                block.unfold_covariance(over, covariances[i])
        return means, covariances, likelihood

    def _slopes(self, trials: Trials) -> tuple[Slopes, Parameters]:
        p, centred = self._about(trials)
        blocks = blocks_of(centred)

        def slopes(at: Parameters) -> tuple[np.ndarray, np.ndarray]:
            posts = expect_all(blocks, at, self._kernel)
            inner, yx = sums_of(blocks, posts, at.mean.size, at.tau.size)
            cd = np.column_stack([at.loadings, at.mean])
            said = cd @ inner if inner.ndim == 2 else np.einsum("ui,uij->uj", cd, inner)
            by_loadings = ((yx - said) / at.noise[:, None])[:, :-1]
            return timescale_slope(self._kernel, moments_of(blocks, posts), at.tau), by_loadings

        return slopes, p

    def _about(self, trials: Trials) -> tuple[Parameters, Trials]:
        p = self._parameters
        return replace(p, mean=np.zeros(p.mean.size)), trials.centred(p.mean)

    def _leave_out(self, trials: Trials) -> LeftOut:
        p, centred = self._about(trials)
        guess, variance = left_out(centred, p, self._kernel)
        rest = centred.data - guess
        if centred.mask is not None:
            rest = rest * centred.mask
        total = np.add.reduceat(centred.data**2, trials.starts[:-1])
        error = np.add.reduceat(rest**2, trials.starts[:-1])
        guess += self._parameters.mean
        if self.square_root:
            guess = guess**2 + variance  # the mean of a square
        return LeftOut(guess, total - error, total)

    def _expected(self, shared: np.ndarray) -> np.ndarray:
        values = shared + self.mean_
        return values**2 + self.noise_variance_ if self.square_root else values

    def _constant(self) -> np.ndarray:
        return self.mean_**2 if self.square_root else self.mean_


def constants_of(centred: Trials, floor: float, bounds: tuple[float, float]) -> Constants:
    squares, sums = np.einsum("ij,ij->j", centred.data, centred.data), centred.data.sum(axis=0)
    variance = (squares - sums**2 / centred.counts) / np.maximum(centred.counts - 1, 1)
    return Constants(squares, sums, centred.counts, floor * variance, bounds)


def em(
    centred: Trials, start: Parameters, kernel: Kernel, constants: Constants, steps: int, tol: float
) -> tuple[Parameters, list[float], bool]:
    """(parameters, log-likelihood before each step, converged)."""
    blocks, p, history = blocks_of(centred), start, []
    enough, priors = tol * centred.n_values, None
    for step in range(steps):
        p, value, priors = em_step(blocks, p, kernel, constants, priors)
        history.append(value)
        if step and tol > 0 and value - history[-2] < enough:
            return p, history, True
    return p, history, False
