"""Linear dynamical systems of a population: latent states that evolve by one matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number, check_option
from consilience.models._fold_units import finite_scores, units_of_folds
from consilience.models._lds_em import Climbed, climb
from consilience.models._lds_intervals import Eigenvalues, in_runs, jackknifed_eigenvalues
from consilience.models._lds_smooth import System, in_units, smooth
from consilience.models._lds_start import best_start
from consilience.models._lds_subspace import MOST_STATES, Lagged, lagged_covariances, subspace
from consilience.models._static_latent import from_latents, r2_of_units
from consilience.models._trials import Missing, Trials, as_trials, constant_units, trial_folds

__all__ = ["LDS"]

_FREE = 10  # trials from which the first state's distribution is estimated
_FLAT = 1e-6  # nats per bin: refits stop later than fits, as what is left of the way would be missing between them


def _ordered(a: np.ndarray) -> np.ndarray:
    """Eigenvalues, the largest modulus first."""
    values = np.linalg.eigvals(a).astype(complex)
    return values[np.lexsort((-values.imag, -np.abs(values).round(12)))]


class LDS(TransformerMixin, BaseEstimator):
    """Linear dynamical system: latent states that evolve by one matrix and are seen through all units.

    x_{t+1} = A x_t + w, w ~ N(0, Q); y_t = C x_t + d + v, v ~ N(0, diag(R)). ``"em"``: maximum likelihood by EM
    (Shumway & Stoffer 1982; Ghahramani & Hinton 1996), accelerated, from subspace identification or from factor
    analysis with A by its states' covariance at lag 1, whichever is likelier after 10 steps; trials of one length share
    the gains of the Kalman filter. ``"subspace"``: from lagged covariances alone (Van Overschee & De Moor 1996), less
    work, less efficient. Unlike factor analysis it uses the order of bins; unlike GPFA its latents drive each other,
    so that A has oscillations and decays. States have variance 1 (over the training data), columns of C are orthogonal,
    ordered by the variance that they explain.

    Parameters
    ----------
    n_components : k states, or "cv": that of the largest held-out log-likelihood.   method : "em" or "subspace".
    cv : folds of neighbouring trials.   max_components : most for "cv"; None = 10.
    horizon : bins of past and of future in the subspace start; None = a quarter of a trial, at most 10.
    missing : "raise", "mask" (leave out exactly the missing values) or "omit" (bins with any, which stay in time).
    bin_width : duration of a bin in seconds, for time constants and frequencies; 1 gives them in bins.
    min_noise : least R, as a share of the variance of a unit.   tol : gain of log-likelihood per bin, in nats; EM ends
    at two steps in turn with less, or with less than 0.001 nats in all.   max_iter : most EM steps from the better
    start.

    Attributes
    ----------
    A_ : (k, k).   Q_ : (k, k).   components_ : (k, p) C'.   mean_ : (p,) d.   noise_variance_ : (p,) R.
    initial_mean_ : (k,), initial_covariance_ : (k, k) of the first bin; with fewer than 10 trials those of the start,
    mean 0.   n_components_ : k.   eigenvalues_ : (k,) complex, of A, the largest modulus first.   time_constants_ :
    (k,) -bin_width / log |eigenvalue|, seconds; inf at a modulus of 1 or more.   frequencies_ : (k,) |angle| / (2 pi
    bin_width), Hz.   explained_variance_ratio_ : (k,) of the total variance.   log_likelihood_ : nats per value, in
    training.   cv_components_ : numbers tried, cv_scores_ : (numbers, cv) held-out log-likelihood per value; None for
    a given k.   n_iter_ : EM steps.

    A (time, unit) array is one trial. The likelihood can have several maxima, mostly with more states than there are:
    eigenvalues are those of the one that the better start leads to.

    Raises
    ------
    InputError : ``nan-values``, ``too-few``, ``constant-units`` (all of them), ``bad-parameter``, ``bad-shape``.

    References
    ----------
    Shumway & Stoffer (1982); Ghahramani & Hinton (1996); Van Overschee & De Moor (1996); Anderson (1965); Henderson &
    Varadhan (2019).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> turn = 0.97 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    >>> x = np.zeros((20, 100, 2))  # (trial, time, state)
    >>> for t in range(1, 100):
    ...     x[:, t] = x[:, t - 1] @ turn.T + 0.3 * rng.normal(size=(20, 2))
    >>> y = x @ rng.normal(size=(2, 15)) + rng.normal(size=(20, 100, 15))
    >>> model = cs.models.LDS(2, bin_width=0.02).fit(y)
    >>> np.abs(model.eigenvalues_).round(2), model.frequencies_.round(1)  # truth: 0.97, 2.4 Hz
    (array([0.97, 0.97]), array([2.4, 2.4]))
    """

    def __init__(
        self,
        n_components: int | Literal["cv"] = "cv",
        *,
        method: Literal["em", "subspace"] = "em",
        cv: int = 5,
        max_components: int | None = None,
        horizon: int | None = None,
        missing: Missing = "raise",
        bin_width: float = 1.0,
        min_noise: float = 1e-3,
        tol: float = 1e-5,
        max_iter: int = 200,
    ) -> None:
        self.n_components = n_components
        self.method = method
        self.cv = cv
        self.max_components = max_components
        self.horizon = horizon
        self.missing = missing
        self.bin_width = bin_width
        self.min_noise = min_noise
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any = None) -> LDS:
        """Fits. X : (trial, time, unit), a list of (time, unit), or one trial (time, unit).   y : ignored."""
        who = "LDS.fit"
        check_option(self.method, ("em", "subspace"), name="method", who=who)
        check_number(self.min_noise, name="min_noise", who=who, low=0.0, high=1.0)
        check_number(self.bin_width, name="bin_width", who=who, low=0.0)
        check_number(self.tol, name="tol", who=who, low=0.0, high=1.0)
        check_count(self.max_iter, name="max_iter", who=who, minimum=1)
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, flat="trial")
        self._varies = constant_units(trials, who=who)
        seen = trials.take(self._varies)
        mean = seen.mean()
        seen = seen.centred(mean)  # sums of squares about 0 would lose a large mean's digits
        horizon = self._horizon(seen, who)
        k = self._choose(seen, horizon, who)
        found = self._fit(seen, lagged_covariances(seen, 2 * horizon - 1), k, self.max_iter)
        trace = found.trace
        if not found.converged:
            warn(
                "not-converged",
                f"{who}: the likelihood still rose by {(trace[-1] - trace[-2]) / seen.n_bins:.2g} nats a bin after "
                f"{self.max_iter} steps of EM.",
                "A larger max_iter= or tol=.",
                stacklevel=3,
            )
        self.n_iter_ = max(found.steps, 1)
        self._store(seen, trials, found.system, k, mean)
        return self

    def _horizon(self, trials: Trials, who: str) -> int:
        longest = int(trials.lengths.max())
        if longest < 4 or trials.n_bins - len(trials) < 3:
            raise InputError(
                f"{who}: dynamics need trials of several bins, at least 4, got {trials.n_bins} bins (n_samples) in "
                f"{len(trials)} trials; the first axis of an array (trial, time, unit) is trials.",
                code="too-few",
            )
        most = longest // 2
        if self.horizon is None:
            typical = int(np.median(trials.lengths))  # at longer lags there are few pairs of bins
            return min(most, max(2, min(10, typical // 4)))
        return check_count(self.horizon, name="horizon", who=who, minimum=2, maximum=most)

    def _choose(self, trials: Trials, horizon: int, who: str) -> int:
        self.cv_components_: Any = None
        self.cv_scores_: Any = None
        limit = max(1, min(MOST_STATES, trials.units * horizon, (trials.n_bins - len(trials)) // 2))
        if not (isinstance(self.n_components, str) and self.n_components == "cv"):
            return check_count(
                self.n_components, name="n_components (or 'cv')", who=who, minimum=1, maximum=limit
            )
        most = 10
        if self.max_components is not None:
            most = check_count(self.max_components, name="max_components", who=who, minimum=1)
        most = min(most, limit)
        folds = trial_folds(trials, self.cv, who=who)
        trials = units_of_folds(trials, folds, self._varies, who=who)
        most = min(most, MOST_STATES, trials.units * horizon)
        scores = np.empty((most, len(folds)))
        for f, (train, test) in enumerate(folds):
            part, held = trials.pick(train), trials.pick(test)
            lagged = lagged_covariances(part, 2 * horizon - 1)
            for k in range(1, most + 1):
                system = self._fit(part, lagged, k, min(self.max_iter, 50)).system
                scores[k - 1, f] = smooth(held, system).log_likelihood.sum() / held.n_values
        finite_scores(scores, who=who)
        self.cv_components_, self.cv_scores_ = np.arange(1, most + 1), scores
        weight = np.array([trials.pick(test).n_values for _, test in folds], float)
        k = int(np.argmax(scores @ weight)) + 1
        if k == most and k < limit:
            warn(
                "components-at-edge",
                f"{who}: {k} states are the most that were tried, and were the best.",
                f"Try more: max_components={2 * k}.",
                stacklevel=4,
            )
        return k

    def _fit(self, trials: Trials, lagged: Lagged, k: int, max_iter: int) -> Climbed:
        if self.method == "subspace":
            return Climbed(subspace(lagged, k, lowest=self.min_noise), [0.0, 0.0], converged=True, steps=1)
        how: Any = {"free": len(trials) >= _FREE, "max_iter": max_iter, "tol": self.tol}
        floor = self.min_noise * lagged.scale**2
        start = best_start(trials, lagged, k, lowest=self.min_noise, floor=floor, **how)
        if start.converged:
            return start
        found = climb(trials, start.system, lowest=floor, **how)
        return replace(found, steps=start.steps + found.steps)

    def _store(self, seen: Trials, trials: Trials, system: System, k: int, mean: np.ndarray) -> None:
        found = smooth(seen, system)
        weight = np.bincount(found.index, minlength=len(found.cov)) / seen.n_bins
        about = found.mean - found.mean.mean(axis=0)
        covariance = about.T @ about / seen.n_bins + np.einsum("m,mkl->kl", weight, found.cov)
        system = in_units(system, covariance)
        system = replace(system, d=system.d + mean)
        self._system = system
        self.log_likelihood_ = float(found.log_likelihood.sum() / seen.n_values)
        p = trials.units
        self.mean_ = trials.mean()
        self.mean_[self._varies] = system.d
        self.noise_variance_ = np.zeros(p)
        self.noise_variance_[self._varies] = system.R
        self.components_ = np.zeros((k, p))
        self.components_[:, self._varies] = system.C.T
        self.A_, self.Q_ = system.A, system.Q
        self.initial_mean_, self.initial_covariance_ = system.m0, system.V0
        powers = (system.C**2).sum(axis=0)
        self.explained_variance_ratio_ = powers / (powers.sum() + system.R.sum())
        self.eigenvalues_ = _ordered(system.A)
        size = np.abs(self.eigenvalues_)
        with np.errstate(divide="ignore"):
            self.time_constants_ = np.where(
                size < 1, -self.bin_width / np.log(np.where(size < 1, size, 0.5)), np.inf
            )
        self.frequencies_ = np.abs(np.angle(self.eigenvalues_)) / (2 * np.pi * self.bin_width)
        self.n_components_ = k

    def eigenvalue_intervals(self, X: Any, *, groups: int = 10, level: float = 0.95) -> Eigenvalues:
        """Intervals of eigenvalues, time constants and frequencies for this number of states: fitted again without each
        of ``groups`` runs of neighbouring trials of the training data X (delete-a-group jackknife), from the whole fit,
        each refit's eigenvalues matched to those of the whole. Fewer trials than groups are cut into runs of bins. In
        simulations intervals of 95 % after EM held moduli in 0.91 to 1.00 and the frequency in 0.95 to 1.00 of draws of
        20 to 60 trials of 25 to 40 bins. One long trial was hardly tried. With "subspace" those on the log of the time
        constant held 0.91 to 0.96.
        """
        who = "LDS.eigenvalue_intervals"
        trials = self._door(X, "eigenvalue_intervals")
        level = check_number(level, name="level", who=who, low=0.0, high=1.0)
        horizon = self._horizon(trials, who)
        free = len(trials) >= _FREE
        trials = in_runs(trials, check_count(groups, name="groups", who=who, minimum=3), 2 * horizon, who=who)
        mean = trials.mean()
        trials = trials.centred(mean)
        start = replace(self._system, d=self._system.d - mean)
        lowest = self.min_noise * trials.variance()

        def refit(part: Trials, start: System) -> Climbed:
            if self.method == "subspace":
                lagged = lagged_covariances(part, 2 * horizon - 1)
                return self._fit(part, lagged, self.n_components_, self.max_iter)
            tol = min(self.tol, _FLAT)
            return climb(part, start, lowest=lowest, free=free, max_iter=self.max_iter, tol=tol)

        whole = refit(trials, start)
        refits = [
            refit(trials.pick(train), whole.system) for train, _ in trial_folds(trials, groups, who=who)
        ]
        rising = sum(not fit.converged for fit in (whole, *refits))
        if rising:
            warn(
                "not-converged",
                f"{who}: the likelihood still rose after {self.max_iter} steps of EM in {rising} of {groups + 1} fits: "
                "the intervals can be too short.",
                "Fewer states, or a larger max_iter=.",
                stacklevel=2,
            )
        values = [_ordered(fit.system.A) for fit in refits]
        return jackknifed_eigenvalues(_ordered(whole.system.A), np.array(values), level, self.bin_width)

    def _door(self, X: Any, method: str) -> Trials:
        check_is_fitted(self, "components_")
        trials = as_trials(
            X, who=f"LDS.{method}", missing=self.missing, estimator=self, reset=False, flat="trial"
        )
        return trials.take(self._varies)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def transform(self, X: Any, *, causal: bool = False) -> Any:
        """States (..., k) in the container of X: given the whole trial, or, with ``causal``, the bins up to each. Bins
        without a value get what the others say.
        """
        trials = self._door(X, "transform")
        found = smooth(trials, self._system)
        return trials.like(found.filtered if causal else found.mean)

    def inverse_transform(self, latents: Any) -> Any:
        """The units' activity (..., p) that states (..., k) stand for."""
        check_is_fitted(self, "components_")
        return from_latents(
            latents,
            self.n_components_,
            lambda z: z @ self.components_ + self.mean_,
            who="LDS.inverse_transform",
        )

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of a value of X, in nats, over units that varied in training."""
        trials = self._door(X, "score")
        return float(smooth(trials, self._system).log_likelihood.sum() / trials.n_values)

    def unit_scores(self, X: Any) -> np.ndarray:
        """(p,) R2 of each unit predicted from other units in all bins of its trial, about the training mean. Units are
        left out a tenth at a time; NaN for units that did not vary.
        """
        trials = self._door(X, "unit_scores")
        system, p = self._system, trials.units
        if p < 2:
            raise InputError("LDS.unit_scores: one unit has no others to be predicted from.", code="too-few")
        folds = min(10, p)
        predicted = np.empty((trials.n_bins, p))
        for f in range(folds):
            out = np.arange(p) % folds == f
            part = System(
                system.A, system.Q, system.C[~out], system.d[~out], system.R[~out], system.m0, system.V0
            )
            predicted[:, out] = smooth(trials.take(~out), part).mean @ system.C[out].T + system.d[out]
        scores = np.full(self._varies.size, np.nan)
        scores[self._varies] = r2_of_units(trials, predicted, system.d)
        return scores
