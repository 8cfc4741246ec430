"""Factor analysis: shared variance of a population, and how many dimensions it has."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import warn
from consilience._core._params import check_count, check_number
from consilience.models._factor_newton import fit_factors, held_out_likelihood
from consilience.models._fold_units import finite_scores, units_of_folds, varying_in_folds
from consilience.models._linear_gaussian import Gaussian, fit_masked, posterior
from consilience.models._shared_variance import SharedVariance, jackknifed
from consilience.models._static_latent import StaticLatent, largest, without_blanks
from consilience.models._trials import Missing, Trials, as_trials, constant_units, patterns_of, trial_folds

__all__ = ["FactorAnalysis"]


class FactorAnalysis(StaticLatent):
    """Factor analysis: activity of units as shared latents and private noise.

    x = mean + z W + e, z ~ N(0, I), e ~ N(0, diag(noise)): covariance W'W + diag(noise), fitted by maximum likelihood.
    Complete data: Newton's method on the sample covariance (Joreskog 1967), each number of components starting where
    the one before ended. Missing values: EM on the values that are there. Latents are a posterior mean, of prior
    variance 1; rows of W are orthogonal, ordered by the shared variance that they explain. PCA, in contrast, puts the
    noise of single units into its components.

    Parameters
    ----------
    n_components : k, or "cv": that of the largest held-out log-likelihood, 0 (independent units) included.
    cv : folds of neighbouring trials (of rows, of a table). For "cv", give trials: neighbouring bins of one trial are
        too alike for one of them to be held out.
    max_components : most for "cv"; None = 30, or fewer where the units identify fewer (Ledermann's bound).
    missing : "raise", "mask" (leave out exactly the missing values) or "omit" (bins with any).
    min_noise : least noise of a unit, as a share of its variance. A unit that gets there is a Heywood case, e.g. one
        recorded twice: warned of.
    tol : gain of log-likelihood per bin, in nats, that is no longer worth a step.   max_iter : most EM steps.

    Attributes
    ----------
    components_ : (k, p) W.   mean_ : (p,).   noise_variance_ : (p,).   n_components_ : k.
    explained_variance_ratio_ : (k,) of the total variance.   shared_variance_ : (p,) percent of each unit's variance
    that is shared; NaN for units that do not vary.   shared_dimensionality_ : components that hold 95 % of the shared
    variance (Williamson et al. 2016).   loading_similarity_ : (k,) 1 where all units load alike on a component, 0 where
    their loadings cancel (Umakantha et al. 2021).   log_likelihood_ : nats per value, in training.
    cv_components_ : numbers tried, cv_scores_ : (numbers, cv) held-out log-likelihood per value; None for a given k.
    n_iter_ : steps.

    In simulations (benchmarks/latent_recovery.md) cross-validation found 3 planted factors of 30 units in 10 of 10
    draws of 600 bins, whole and with 30 % missing. Mean shared variance of 40 units was 2.1 percentage points too
    high with 100 bins, as chance covariance is shared too, and 0.5 with 400: see `shared_variance_intervals`.

    Raises
    ------
    InputError : ``nan-values``, ``too-few``, ``constant-units`` (all of them), ``bad-parameter``, ``bad-shape``.

    References
    ----------
    Joreskog (1967); Rubin & Thayer (1982); Williamson et al. (2016); Umakantha et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(40, 25, 2))  # (trial, time, latent)
    >>> x = z @ rng.normal(size=(2, 20)) + rng.normal(size=(40, 25, 20))
    >>> model = cs.models.FactorAnalysis(max_components=6).fit(x)
    >>> model.n_components_, model.transform(x).shape
    (2, (40, 25, 2))
    """

    def __init__(
        self,
        n_components: int | Literal["cv"] = "cv",
        *,
        cv: int = 5,
        max_components: int | None = None,
        missing: Missing = "raise",
        min_noise: float = 1e-3,
        tol: float = 1e-6,
        max_iter: int = 1000,
    ) -> None:
        self.n_components = n_components
        self.cv = cv
        self.max_components = max_components
        self.missing = missing
        self.min_noise = min_noise
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any = None) -> FactorAnalysis:
        """Fits. X : (trial, time, unit), a list of (time, unit), or (samples, units).   y : ignored."""
        who = "FactorAnalysis.fit"
        check_number(self.min_noise, name="min_noise", who=who, low=0.0, high=1.0)
        check_number(self.tol, name="tol", who=who, low=0.0, high=1.0)
        check_count(self.max_iter, name="max_iter", who=who, minimum=1)
        trials = as_trials(X, who=who, missing=self.missing, estimator=self)
        trials.need(3, who=who, what="factor analysis")
        self._varies = constant_units(trials, who=who)
        self.mean_ = trials.mean()
        seen = without_blanks(trials.take(self._varies))
        k = self._choose(seen, who)
        found = self._fit(seen, [k])[0]
        self._store(seen, found, k, who)
        return self

    def _choose(self, trials: Trials, who: str) -> int:
        self.cv_components_: Any = None
        self.cv_scores_: Any = None
        if not (isinstance(self.n_components, str) and self.n_components == "cv"):
            return check_count(
                self.n_components,
                name="n_components (or 'cv')",
                who=who,
                minimum=0,
                maximum=max(min(trials.units, trials.n_bins) - 1, 0) or 1,
            )
        folds = trial_folds(trials, self.cv, who=who)
        trials = units_of_folds(trials, folds, self._varies, who=who)
        p = trials.units
        least = min(int(trials.lengths[train].sum()) for train, _ in folds)
        bound = int((2 * p + 1 - np.sqrt(8 * p + 1)) / 2)  # Ledermann: more are not identified
        most = largest(self.max_components, min(30, max(bound, 0), max(least - 2, 0)), who=who)
        grid = np.arange(most + 1)
        scores = np.empty((grid.size, len(folds)))
        moments = _Moments(trials, folds) if trials.mask is None else None
        for f, (train, test) in enumerate(folds):
            if moments is not None:
                covariance, second = moments.split(f)
                made = fit_factors(covariance, grid, lowest=self.min_noise, tol=self.tol)
                scores[:, f] = [held_out_likelihood(m, second) / p for m in made]
                continue
            part, held = trials.pick(train), trials.pick(test)
            for i, m in enumerate(self._fit(part, grid)):
                said = posterior(held.data, held.mask, m[0]).log_likelihood
                scores[i, f] = said.sum() / held.n_values
        finite_scores(scores, who=who)
        self.cv_components_, self.cv_scores_ = grid, scores
        weight = np.array([trials.pick(test).n_values for _, test in folds], float)
        k = int(grid[np.argmax(scores @ weight)])
        if k == most and k < bound and k > 0:
            warn(
                "components-at-edge",
                f"{who}: {k} components are the most that were tried, and were the best.",
                f"Try more: max_components={2 * k}.",
                stacklevel=4,
            )
        return k

    def _fit(self, trials: Trials, ks: Any) -> list[tuple[Gaussian, np.ndarray, bool, int]]:
        """(model, units at the floor, converged, steps) for each k of a rising list."""
        mean = trials.mean()
        centred = trials.centred(mean)
        if trials.mask is None:
            covariance = centred.data.T @ centred.data / trials.n_bins
            made = fit_factors(covariance, ks, lowest=self.min_noise, tol=self.tol)
            if len(ks) == 1 and ks[0] > 1:  # a second start, as there may be several maxima
                other = fit_factors(covariance, [ks[0] - 1, ks[0]], lowest=self.min_noise, tol=self.tol)
                made = [max(made[0], other[1], key=lambda m: held_out_likelihood(m, covariance))]
            return [(Gaussian(m.loadings, mean, m.noise), m.floor, m.converged, m.steps) for m in made]
        starts = fit_factors(
            _pairwise(centred, trials.variance()), ks, lowest=max(self.min_noise, 0.02), tol=1e-3
        )
        kinds = patterns_of(trials.mask)
        out: list[Any] = []
        for k, start in zip(ks, starts):
            model = Gaussian(start.loadings, mean, start.noise)
            if out and len(out[-1][0].loadings):  # the fit with fewer says more than pairs do
                model = Gaussian(start.loadings, out[-1][0].mean, start.noise)
            last = [start]

            def best(covariance: np.ndarray, now: Gaussian, k: int = int(k), last: list = last) -> Any:
                last[0] = fit_factors(covariance, [k], lowest=self.min_noise, tol=self.tol, start=now.noise)[
                    0
                ]
                return last[0].loadings, last[0].noise

            found = fit_masked(
                trials.data, trials.mask, model, best, tol=self.tol, max_iter=self.max_iter, kinds=kinds
            )
            out.append((found.model, last[0].floor, found.converged, found.trace.size))
        return out

    def _store(self, trials: Trials, found: Any, k: int, who: str) -> None:
        model, floor, converged, steps = found
        self.n_iter_ = max(steps, 1)
        if not converged:
            warn(
                "not-converged",
                f"{who}: the likelihood still rose after {self.n_iter_} steps.",
                "A larger max_iter= or tol=.",
                stacklevel=4,
            )
        if floor.any():
            unit = int(np.flatnonzero(self._varies)[np.argmax(floor)])
            warn(
                "noise-at-floor",
                f"{who}: the private noise of {int(floor.sum())} of {floor.size} units went to its lowest, "
                f"{self.min_noise:g} of their variance (first: unit {unit}): the components explain them wholly.",
                "Look for units recorded twice or summed from others, or fit fewer components.",
                stacklevel=4,
            )
        p = self._varies.size
        self.components_ = np.zeros((k, p))
        self.components_[:, self._varies] = model.loadings
        self.noise_variance_ = np.zeros(p)
        self.noise_variance_[self._varies] = model.noise
        self.mean_[self._varies] = model.mean
        self.n_components_ = k
        self._model = model
        powers = (model.loadings**2).sum(axis=1)
        own = (model.loadings**2).sum(axis=0)
        self.explained_variance_ratio_ = powers / (own.sum() + model.noise.sum())
        self.shared_variance_ = np.full(p, np.nan)
        self.shared_variance_[self._varies] = 100 * own / (own + model.noise)
        total = powers.sum()
        self.shared_dimensionality_ = (
            int(np.searchsorted(np.cumsum(powers), 0.95 * total * (1 - 1e-12)) + 1) if total > 0 else 0
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            self.loading_similarity_ = model.loadings.sum(axis=1) ** 2 / (own.size * powers)
        self.log_likelihood_ = float(
            posterior(trials.data, trials.mask, model).log_likelihood.sum() / trials.n_values
        )

    def _gaussian(self) -> Gaussian:
        return self._model

    def _latents(self, trials: Trials) -> np.ndarray:
        return posterior(trials.data, trials.mask, self._model).mean

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of a value of X, in nats, over units that varied in training (scikit-learn's is that of
        a whole row).
        """
        trials = self._door(X, "score")
        return float(posterior(trials.data, trials.mask, self._model).log_likelihood.sum() / trials.n_values)

    def shared_variance_intervals(self, X: Any, *, groups: int = 20, level: float = 0.95) -> SharedVariance:
        """Percent shared variance of the training data X with intervals for this number of components: the model is
        fitted again without each of ``groups`` runs of neighbouring trials (delete-a-group jackknife, logit scale). In
        simulations intervals of 95 % held the truth of single units in 0.92 (100 bins) and 0.95 (400), of their mean in
        0.97. The choice of the number by "cv" is not repeated: with 100 bins that of the mean then held it in 0.87.
        """
        who = "FactorAnalysis.shared_variance_intervals"
        trials = without_blanks(self._door(X, "shared_variance_intervals"))
        level = check_number(level, name="level", who=who, low=0.0, high=1.0)
        folds = trial_folds(trials, check_count(groups, name="groups", who=who, minimum=3), who=who)
        keep = varying_in_folds(trials, folds)  # of the others nothing can be said without some trials
        varies, trials = self._varies.copy(), trials.take(keep)
        varies[varies] = keep
        moments = _Moments(trials, folds) if trials.mask is None else None
        parts = []
        for f, (train, _) in enumerate(folds):
            if moments is not None:
                made: Any = fit_factors(
                    moments.split(f)[0],
                    [self.n_components_],
                    lowest=self.min_noise,
                    tol=self.tol,
                    start=self._model.noise[keep],
                )[0]
            else:
                made = self._fit(trials.pick(train), [self.n_components_])[0][0]
            own = (made.loadings**2).sum(axis=0)
            parts.append(100 * own / (own + made.noise))
        return jackknifed(self.shared_variance_[varies], np.array(parts), varies, level)

    def get_covariance(self) -> np.ndarray:
        """(p, p) W'W + diag(noise)."""
        check_is_fitted(self, "components_")
        return self.components_.T @ self.components_ + np.diag(self.noise_variance_)


class _Moments:
    """Covariances of all training sets from one product per fold."""

    def __init__(self, trials: Trials, folds: Any) -> None:
        shift = trials.mean()
        self.n, self.sums, self.products = [], [], []
        for _, test in folds:
            part = trials.pick(test).data - shift
            self.n.append(len(part))
            self.sums.append(part.sum(axis=0))
            self.products.append(part.T @ part)

    def split(self, f: int) -> tuple[np.ndarray, np.ndarray]:
        """Training covariance, and second moments of the test fold about the training mean."""
        n = sum(self.n) - self.n[f]
        mean = (np.sum(self.sums, axis=0) - self.sums[f]) / n
        covariance = (np.sum(self.products, axis=0) - self.products[f]) / n - np.outer(mean, mean)
        cross = np.outer(self.sums[f] / self.n[f], mean)
        return covariance, self.products[f] / self.n[f] - cross - cross.T + np.outer(mean, mean)


def _pairwise(centred: Trials, variance: np.ndarray) -> np.ndarray:
    """Covariance of each pair over the bins where both were seen, made positive semi-definite: where EM starts."""
    seen = centred.mask.astype(np.float64)  # type: ignore[union-attr]
    spread = np.sqrt(variance)
    scaled = centred.data / spread
    both = seen.T @ seen
    rough = scaled.T @ scaled / np.maximum(both, 1)
    values, vectors = np.linalg.eigh(rough)
    smooth = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    size = np.sqrt(np.diag(smooth))
    return smooth / size / size[:, None] * spread * spread[:, None]
