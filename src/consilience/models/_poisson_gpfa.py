"""Gaussian-process factor analysis of counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import xlogy

from consilience._core._errors import InputError
from consilience._core._params import check_number
from consilience.models._gp_kernels import Kernel, Lags, timescale_slope, update_timescales
from consilience.models._gp_latents import GPLatents, LeftOut
from consilience.models._gp_posterior import Parameters
from consilience.models._gp_start import covariance_of, factors, turned_to_time
from consilience.models._gp_timescales import Slopes
from consilience.models._gp_variational import Inferred, Prior, infer, left_out_log_rates, loadings_step
from consilience.models._trials import Trials

__all__ = ["PoissonGPFA"]


class PoissonGPFA(GPLatents):
    """Smooth latents that drive the log rates of units, seen through Poisson counts.

    y_u(t) ~ Poisson(exp(c_u'x(t) + d_u)), latents x_i as in `GPFA`: Gaussian processes with time constants of their
    own. The posterior of the latents of a trial is the nearest Gaussian with a full covariance (the variational bound
    has one maximum), loadings and time constants maximise that bound (Zhao & Park 2017 with another posterior and EM).
    The bound never falls from step to step. At low rates square roots of counts are far from Gaussian, and `GPFA` of
    them predicts held-out neurons worse; at many spikes a bin the two agree and `GPFA` is much faster.

    Parameters
    ----------
    n_components : latents k; see `LatentCV` to choose it.
    bin_width : of a bin, in the unit that time constants are to have (seconds). Counts are per bin.
    kernel, gp_noise, segment, missing : see `GPFA`. Values missing cost nothing here.
    ridge : the bound is less ridge/2 |c_u|^2, so that units of few spikes have loadings at all.
    max_iter, tol : EM stops where a step raises the bound by less than ``tol`` nats per value.

    Attributes
    ----------
    components_ : (k, units), orthonormal; of log rates.   offset_ : (units,) d.   loadings_ : (units, k) C.
    timescales_ : (k,) tau, in the unit of ``bin_width``.   rotation_ : (k, k), see `GPFA`.
    mean_ : (units,) mean count per bin in training: the constant that held-out scores are compared with.
    explained_variance_ratio_ : (k,) share of the variance of log rates, as the model has it; sums to 1.
    objective_ : (steps,) bound in nats, less the penalty, after each E step.   n_components_, n_iter_, converged_.

    `log_likelihood` and `score` give the bound, which is at most the log-likelihood. `unit_scores` are bits per spike:
    log2-likelihood above that of the constant rate ``mean_``, over the number of spikes (Pillow et al. 2008).

    References
    ----------
    Yu et al. (2009); Zhao & Park (2017); Pillow et al. (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> t = np.arange(20)
    >>> K = np.exp(-((t[:, None] - t) ** 2) / (2 * 4.0**2)) + 1e-6 * np.eye(20)
    >>> x = np.linalg.cholesky(K) @ rng.normal(size=(20, 20, 1))
    >>> X = rng.poisson(np.exp(x @ rng.normal(size=(1, 15)) - 1.0))
    >>> model = cs.models.PoissonGPFA(1, tol=1e-5).fit(X)
    >>> model.transform(X).shape, bool(np.nanmean(model.unit_scores(X)) > 0.1)
    ((20, 20, 1), True)
    """

    unit_score = "bits per spike"

    def __init__(
        self,
        n_components: int = 8,
        *,
        bin_width: float = 1.0,
        kernel: Any = "rbf",
        gp_noise: float = 1e-3,
        ridge: float = 0.1,
        segment: int | None = None,
        max_iter: int = 200,
        tol: float = 1e-6,
        missing: str = "raise",
    ) -> None:
        self.n_components = n_components
        self.bin_width = bin_width
        self.kernel = kernel
        self.gp_noise = gp_noise
        self.ridge = ridge
        self.segment = segment
        self.max_iter = max_iter
        self.tol = tol
        self.missing = missing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _values(self, trials: Trials) -> Trials:
        if (trials.data < 0).any():
            row, unit = np.argwhere(trials.data < 0)[0]
            raise InputError(
                f"PoissonGPFA: Negative values in data: X must hold counts, got {trials.data[row, unit]:.6g} "
                f"(unit {unit}), one of {int((trials.data < 0).sum())}. Use cs.models.GPFA for other data.",
                code="wrong-observation",
            )
        return trials

    def _learn(
        self, trials: Trials, k: int, kernel: Kernel, bounds: tuple[float, float]
    ) -> tuple[Parameters, list[float], bool]:
        ridge = check_number(self.ridge, name="ridge", who="PoissonGPFA", low=0.0, high=1e12, closed=True)
        p = start_of(trials, k, kernel, bounds)
        found: list[Inferred] = []
        history: list[float] = []
        enough, tol = float(self.tol) * trials.n_values, float(self.tol)
        for step in range(int(self.max_iter)):
            found = inferred(trials, p, kernel, found)
            history.append(sum(f.bound for f in found) - 0.5 * ridge * float((p.loadings**2).sum()))
            if step and tol > 0 and history[-1] - history[-2] < enough:
                return p, history, True
            p = self._maximised(trials, found, p, kernel, bounds, ridge)
        return p, history, False

    def _maximised(
        self,
        trials: Trials,
        found: list[Inferred],
        p: Parameters,
        kernel: Kernel,
        bounds: tuple[float, float],
        ridge: float,
    ) -> Parameters:
        mean = np.concatenate([f.mean for f in found])
        over = np.concatenate([f.over_time() for f in found])
        loadings, offset = loadings_step(trials.data, trials.mask, mean, over, p, ridge)
        tau, _ = update_timescales(kernel, moments_of(trials, found), p.tau, bounds)
        return Parameters(loadings, offset, p.noise, tau)

    def _store(self, p: Parameters, width: float) -> None:
        super()._store(p, width)
        self.offset_ = np.full(self._varies.size, -np.inf)
        still = self._still > 0
        self.offset_[still] = np.log(self._still[still])
        self.offset_[self._varies] = p.mean
        self.mean_ = self._still.copy()
        total = self._strength.sum()
        self.explained_variance_ratio_ = self._strength / (total if total > 0 else 1.0)

    def _read(self, X: Any, *, reset: bool) -> Trials:
        trials = super()._read(X, reset=reset)
        if reset:
            self._still = trials.data.sum(axis=0) / np.maximum(trials.counts, 1)
        return trials

    def _infer(self, trials: Trials) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        found = inferred(trials, self._parameters, self._kernel, [])
        return [f.mean for f in found], [f.over_time() for f in found], np.array([f.bound for f in found])

    def _slopes(self, trials: Trials) -> tuple[Slopes, Parameters]:
        p, k = self._parameters, self.n_components_
        before = inferred(trials, p, self._kernel, [])

        def slopes(at: Parameters) -> tuple[np.ndarray, np.ndarray]:
            found = inferred(trials, at, self._kernel, before, enough=1e-9)
            rates = np.concatenate([f.rates for f in found])
            mean = np.concatenate([f.mean for f in found])
            over = np.concatenate([f.over_time() for f in found])
            spread = (rates.T @ over.reshape(-1, k * k)).reshape(-1, k, k)
            by_loadings = (trials.data - rates).T @ mean - np.einsum("uij,uj->ui", spread, at.loadings)
            by_tau = timescale_slope(self._kernel, moments_of(trials, found), at.tau)
            return by_tau, by_loadings - float(self.ridge) * at.loadings

        return slopes, p

    def _leave_out(self, trials: Trials) -> LeftOut:
        p, rates = self._parameters, np.empty_like(trials.data)
        priors = priors_of(trials, p, self._kernel)
        for i, one in enumerate(inferred(trials, p, self._kernel, [])):
            seen = None if trials.seen is None else trials.seen[i]
            prior = priors[int(trials.lengths[i])]
            mean, variance = left_out_log_rates(trials.values[i], seen, p, prior, one)
            rates[trials.starts[i] : trials.starts[i + 1]] = np.exp(mean + 0.5 * variance)
        still = self._still[self._varies]
        gain = xlogy(trials.data, rates / still) - (rates - still)
        if trials.mask is not None:
            gain = gain * trials.mask
        explained = np.add.reduceat(gain, trials.starts[:-1])
        return LeftOut(rates, explained, np.log(2.0) * np.add.reduceat(trials.data, trials.starts[:-1]))

    def _expected(self, shared: np.ndarray) -> np.ndarray:
        return np.exp(shared + self.offset_)

    def _constant(self) -> np.ndarray:
        return self.mean_


def priors_of(trials: Trials, p: Parameters, kernel: Kernel) -> dict[int, Prior]:
    out = {}
    for bins in trials.by_length():
        precision, log_dets = kernel.precision(Lags.whole(bins), p.tau)
        out[bins] = Prior(precision, float(log_dets.sum()))
    return out


def moments_of(trials: Trials, found: list[Inferred]) -> list[tuple[Lags, int, np.ndarray]]:
    """For each length of trials: lags, how many, and the sum of E[x x'] of each latent over time."""
    return [
        (Lags.whole(bins), which.size, np.sum([found[i].moments() for i in which], axis=0))
        for bins, which in trials.by_length().items()
    ]


def inferred(
    trials: Trials, p: Parameters, kernel: Kernel, before: list[Inferred], *, enough: float = 1e-6
) -> list[Inferred]:
    """Posteriors of all trials, from those ``before`` a change of parameters, if any."""
    priors = priors_of(trials, p, kernel)
    return [
        infer(
            y,
            None if trials.seen is None else trials.seen[i],
            p,
            priors[len(y)],
            start=(before[i].mean, before[i].sites) if before else None,
            enough=enough,
        )
        for i, y in enumerate(trials.values)
    ]


def start_of(trials: Trials, k: int, kernel: Kernel, bounds: tuple[float, float]) -> Parameters:
    """Factor analysis of the counts, whose loadings over the mean counts are those of log rates that vary little; then
    turned to time.
    """
    mean = trials.mean()
    centred = trials.centred(mean)
    variance = centred.variance()
    loadings, noise = factors(covariance_of(centred), k, 0.01 * variance)
    loadings, tau = turned_to_time(centred, loadings, noise, kernel, bounds)
    loadings = loadings / mean[:, None]
    size = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    loadings = loadings * np.minimum(1.0, 1.0 / np.maximum(size, 1e-12))  # at low counts they are noise
    return Parameters(loadings, np.log(mean) - 0.5 * (loadings**2).sum(axis=1), np.ones(mean.size), tau)
