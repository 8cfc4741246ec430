"""Principal components of a population, with any values missing, their number by bi-cross-validation."""

from __future__ import annotations

import numbers
from typing import Any, Literal

import numpy as np

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience.models._fold_units import finite_scores
from consilience.models._linear_gaussian import Gaussian, fit_masked, posterior, rotated
from consilience.models._static_latent import StaticLatent, largest, refuse_components, without_blanks
from consilience.models._trials import Missing, Trials, as_trials, patterns_of, refuse_unseen, trial_folds

__all__ = ["PCA", "bi_cross_validated"]

_ROUGH, _ROUGH_STEPS = 1e-3, 30  # of EM where only errors of prediction are compared


class PCA(StaticLatent):
    """Principal component analysis: orthogonal directions of the largest variance.

    Complete data: eigenvectors of the smaller of the two Gram matrices of the centred bins, as scikit-learn's PCA.
    Missing values: probabilistic PCA fitted by EM to the values that are there (Tipping & Bishop 1999; Ilin & Raiko
    2010): a missing value counts with what the others say of it and with its uncertainty, so that noise is not
    overfitted where little was seen. Latents of a bin with missing values are then those expected of the whole bin.

    The number of components by ``"cv"``: the R2 of values that were predicted from other units *and* other bins.
    (Reconstruction of held-out bins from all of their own units rises with every component, and chooses nothing.)
    Complete data: bi-cross-validation (Owen & Perry 2009), held-out bins x held-out units, from the components of the
    rest. Missing values: blocks of bins x units are hidden besides, each value once, and filled by EM.

    Parameters
    ----------
    n_components : k; None = all, min(n, p); a share of variance in (0, 1); or "cv". With missing values: k or "cv".
    cv : folds of neighbouring trials (rows, of a table), and of units.   max_components : most for "cv"; None = all, or
        (missing values) 30 or 3 beyond the best.
    missing : "raise", "mask" (leave out exactly the missing values) or "omit" (bins with any).
    tol : gain of log-likelihood per bin, in nats, below which EM ends.   max_iter : most EM steps.

    Attributes
    ----------
    components_ : (k, p) orthonormal, the largest entry of each positive.   mean_ : (p,).   n_components_ : k.
    explained_variance_ : (k,), divisor n - 1.   explained_variance_ratio_ : (k,).   noise_variance_ : mean variance of
    the directions left out.   cv_components_ : numbers tried, cv_scores_ : (numbers, cv) held-out R2; None for a given
    k.   n_iter_ : EM steps, 1 without.

    Raises
    ------
    InputError : ``nan-values``, ``too-few``, ``constant-units`` (nothing varies), ``bad-parameter``, ``bad-shape``.

    References
    ----------
    Tipping & Bishop (1999); Owen & Perry (2009); Ilin & Raiko (2010).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 20)) + rng.normal(size=(200, 20))
    >>> cs.models.PCA("cv").fit(x).n_components_
    3
    >>> x[rng.random(x.shape) < 0.2] = np.nan
    >>> cs.models.PCA(3, missing="mask").fit(x).components_.shape
    (3, 20)
    """

    def __init__(
        self,
        n_components: int | float | Literal["cv"] | None = None,
        *,
        cv: int = 5,
        max_components: int | None = None,
        missing: Missing = "raise",
        tol: float = 1e-6,
        max_iter: int = 1000,
    ) -> None:
        self.n_components = n_components
        self.cv = cv
        self.max_components = max_components
        self.missing = missing
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any = None) -> PCA:
        """Fits. X : (trial, time, unit), a list of (time, unit), or (samples, units).   y : ignored."""
        who = "PCA.fit"
        check_number(self.tol, name="tol", who=who, low=0.0, high=1.0)
        check_count(self.max_iter, name="max_iter", who=who, minimum=1)
        trials = as_trials(X, who=who, missing=self.missing, estimator=self)
        trials.need(2, who=who, what="PCA")
        refuse_unseen(trials, who=who)
        if not trials.variance().any():
            raise InputError(f"{who}: no unit of {trials.units} varies.", code="constant-units")
        self._varies = np.ones(trials.units, bool)
        trials = without_blanks(trials)
        self.cv_components_: Any = None
        self.cv_scores_: Any = None
        n_components = self.n_components
        if isinstance(n_components, str) and n_components == "cv":
            n_components = self._cross_validate(trials, who)
        if trials.mask is None:
            self._fit_complete(trials, n_components, who)
        else:
            self._fit_missing(trials, n_components, who)
        return self

    def _fit_complete(self, trials: Trials, n_components: Any, who: str) -> None:
        n, p = trials.n_bins, trials.units
        most = min(n, p)
        share = None
        if n_components is None:
            k = most
        elif isinstance(n_components, numbers.Real) and not isinstance(n_components, numbers.Integral):
            share = check_number(n_components, name="n_components", who=who, low=0.0, high=1.0)
            k = most
        elif isinstance(n_components, numbers.Integral) and 0 <= int(n_components) <= most:
            k = check_count(n_components, name="n_components", who=who, minimum=0)
        else:
            raise refuse_components(
                n_components, most, who=who, extra="None, 'cv', a share of variance in (0, 1)"
            )
        self.mean_ = trials.mean()
        z = trials.data - self.mean_
        values, axes = principal_axes(z)
        variances = values / (n - 1)
        total = float(variances.sum())
        if share is not None:
            k = int(np.searchsorted(np.cumsum(variances), share * total) + 1)
        self.components_ = _signed(axes[:k])
        self.explained_variance_ = variances[:k]
        self.explained_variance_ratio_ = variances[:k] / total
        self.noise_variance_ = float(variances[k:].mean()) if k < most else 0.0
        self.n_components_, self.n_iter_ = k, 1
        self._finish()

    def _fit_missing(self, trials: Trials, n_components: Any, who: str) -> None:
        most = min(trials.n_bins, trials.units) - 1
        if not isinstance(n_components, numbers.Integral) or isinstance(n_components, bool):
            raise refuse_components(n_components, most, who=who, extra="'cv', as values are missing")
        k = check_count(n_components, name="n_components", who=who, minimum=0, maximum=most)
        model, converged, self.n_iter_ = fit_equal(trials, [k], tol=self.tol, max_iter=self.max_iter)[0]
        if not converged:
            warn(
                "not-converged",
                f"{who}: the likelihood still rose after {self.n_iter_} steps.",
                "A larger max_iter= or tol=.",
                stacklevel=3,
            )
        powers = (model.loadings**2).sum(axis=1)
        noise = float(model.noise[0])
        unbiased = trials.n_bins / (trials.n_bins - 1)
        self.components_ = model.loadings / np.sqrt(np.maximum(powers, np.finfo(float).tiny))[:, None]
        self.mean_ = model.mean
        self.explained_variance_ = (powers + noise) * unbiased
        self.explained_variance_ratio_ = (powers + noise) / (powers.sum() + trials.units * noise)
        self.noise_variance_ = noise * unbiased
        self.n_components_ = k
        self._finish()

    def _finish(self) -> None:
        noise = self.noise_variance_
        powers = np.maximum(self.explained_variance_ - noise, 0.0)
        self._model = Gaussian(
            np.sqrt(powers)[:, None] * self.components_, self.mean_, np.full(self.mean_.size, noise)
        )

    def _cross_validate(self, trials: Trials, who: str) -> int:
        folds = trial_folds(trials, self.cv, who=who)
        if trials.units < 2 * self.cv:
            raise InputError(
                f"{who}: n_components='cv' hides units too, and needs at least {2 * self.cv} of them for cv={self.cv}, "
                f"got {trials.units} (n_features); give a number of components.",
                code="too-few",
            )
        rows = np.empty(trials.n_bins, int)
        for f, (_, test) in enumerate(folds):
            rows[np.isin(np.repeat(np.arange(len(trials)), trials.lengths), test)] = f
        units = np.arange(trials.units) % self.cv
        least = min(trials.n_bins - np.bincount(rows).max(), trials.units - np.bincount(units).max()) - 1
        most = largest(self.max_components, int(least), who=who)
        if trials.mask is None:
            errors, total = bi_cross_validated(trials.data, rows, units, most)
        else:
            most = largest(self.max_components, min(int(least), 30), who=who)
            errors, total = self._hidden(trials, rows, units, most)
        finite_scores(errors, who=who)
        self.cv_components_ = np.arange(len(errors))
        with np.errstate(invalid="ignore", divide="ignore"):
            self.cv_scores_ = 1 - errors / total
        k = int(errors.sum(axis=1).argmin())
        if k == len(errors) - 1 and self.max_components is not None and k < least:
            warn(
                "components-at-edge",
                f"{who}: {k} components are the most that were tried, and were the best.",
                f"Try more: max_components={2 * k}.",
                stacklevel=4,
            )
        return k

    def _hidden(
        self, trials: Trials, rows: np.ndarray, units: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(numbers, cv) summed squared errors and (cv,) those of the mean, of values that EM did not see."""
        seen = np.asarray(trials.mask)
        hidden, shown = [], []
        models: list[Any] = []
        total = np.zeros(self.cv)
        for f in range(self.cv):
            out = ((rows[:, None] + units) % self.cv == f) & seen
            part = Trials(
                np.where(out, 0.0, trials.data), seen & ~out, trials.lengths, trials.form, trials.span
            )
            if not part.counts.all():
                raise InputError(
                    "PCA.fit: a unit has values in one run of trials only, so that none is left when these are hidden; "
                    "leave it out, or give a number of components.",
                    code="too-few",
                )
            hidden.append(out)
            shown.append(part)
            models.append(None)
            total[f] = (((trials.data - part.mean()) * out) ** 2).sum()
        errors: list[np.ndarray] = []
        for k in range(most + 1):
            errors.append(np.empty(self.cv))
            for f, (out, part) in enumerate(zip(hidden, shown)):
                fit = without_blanks(part)
                # what is compared is errors of prediction: their last digits do not matter
                models[f] = fit_equal(
                    fit, [k], tol=max(self.tol, _ROUGH), max_iter=_ROUGH_STEPS, start=models[f]
                )[0][0]
                said = posterior(part.data, part.mask, models[f]).mean @ models[f].loadings + models[f].mean
                errors[k][f] = (((trials.data - said) * out) ** 2).sum()
            if k - int(np.argmin([e.sum() for e in errors])) >= 3:
                break
        return np.array(errors), total

    def _gaussian(self) -> Gaussian:
        return self._model

    def _filled(self, trials: Trials) -> np.ndarray:
        """Bins less the mean, missing values as expected from the others of their bin."""
        z = trials.data - self.mean_
        if trials.mask is None:
            return z
        model = self._model
        if self.noise_variance_ <= 0:  # least squares, as the limit of no noise
            size = max(float(self.explained_variance_.max(initial=0.0)), 1e-300)
            model = Gaussian(model.loadings, model.mean, np.full(self.mean_.size, 1e-10 * size))
        said = posterior(trials.data, trials.mask, model).mean @ model.loadings
        return np.where(trials.mask, z, said)

    def _latents(self, trials: Trials) -> np.ndarray:
        return self._filled(trials) @ self.components_.T

    def score(self, X: Any, y: Any = None) -> float:
        """Share of the variance of X about the training mean that its own components hold. It rises with every
        component, on any data: compare models of one k, and choose k by "cv".
        """
        trials = self._door(X, "score")
        z, made = trials.data - self.mean_, self._latents(trials) @ self.components_
        seen = 1.0 if trials.mask is None else trials.mask
        total = float(((z * seen) ** 2).sum())
        return 1 - float((((z - made) * seen) ** 2).sum()) / total if total > 0 else np.nan


def principal_axes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values (min(n, p),) and right singular vectors (min(n, p), p) of centred z, the largest first,
    from the smaller Gram matrix.
    """
    n, p = z.shape
    if p <= n:
        values, vectors = np.linalg.eigh(z.T @ z)
        return np.maximum(values[::-1], 0.0), vectors[:, ::-1].T
    values, vectors = np.linalg.eigh(z @ z.T)
    values = np.maximum(values[::-1], 0.0)
    axes = vectors[:, ::-1].T @ z
    # directions without variance (there is always one: the mean) are any that are orthogonal to the others
    keep = int((values > 1e-14 * max(n, p) * values[0]).sum())
    q, r = np.linalg.qr(axes[:keep].T)
    good = q.T * np.sign(np.diag(r))[:, None]
    if keep < n:
        rest = np.linalg.qr(np.concatenate([good.T, np.eye(p, n - keep)], axis=1))[0]
        good = np.concatenate([good, rest[:, keep:n].T])
    return values, good


def _signed(axes: np.ndarray) -> np.ndarray:
    sign = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]) if len(axes) else np.ones(0)
    return axes * np.where(sign == 0, 1.0, sign)[:, None]


def bi_cross_validated(
    x: np.ndarray, rows: np.ndarray, units: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, folds) summed squared errors of held-out blocks for 0 .. ``most`` components, and (folds,) those of the
    training mean, by folds of rows.

    With X = [A B; C D], A held out: A is predicted as B D_k^+ C, D_k the best approximation of rank k of D, all blocks
    less the means of C and D (Owen & Perry 2009).   rows : (n,), units : (p,) fold of each.
    """
    folds = int(rows.max()) + 1
    errors, total = np.zeros((most + 1, folds)), np.zeros(folds)
    reached = most
    for r in range(folds):
        train = x[rows != r]
        mean = train.mean(axis=0)
        train, test = train - mean, x[rows == r] - mean
        gram = train.T @ train if train.shape[1] <= train.shape[0] else None
        total[r] = (test * test).sum()
        for u in np.unique(units):
            out, inside = units == u, units != u
            if gram is not None:
                values, vectors = np.linalg.eigh(gram[np.ix_(inside, inside)])
                values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
                k = int((values > 1e-12 * values[0]).sum()) if values.size and values[0] > 0 else 0
                scores = test[:, inside] @ vectors[:, :k]
                weights = vectors[:, :k].T @ gram[np.ix_(inside, out)] / values[:k, None]
            else:
                d = train[:, inside]
                values, vectors = np.linalg.eigh(d @ d.T)
                values, vectors = values[::-1][:most], vectors[:, ::-1][:, :most]
                k = int((values > 1e-12 * values[0]).sum()) if values.size and values[0] > 0 else 0
                scores = test[:, inside] @ (d.T @ vectors[:, :k]) / values[:k]
                weights = vectors[:, :k].T @ train[:, out]
            reached = min(reached, k)
            held = test[:, out]
            errors[: k + 1, r] += (held * held).sum() + _falling(scores, weights, held)
            errors[k + 1 :, r] = np.inf
    return errors[: reached + 1], total


def _falling(scores: np.ndarray, weights: np.ndarray, held: np.ndarray) -> np.ndarray:
    """(k + 1,) |held - sum over the first j of scores_i weights_i|^2 less |held|^2, for j = 0 .. k."""
    linear = np.einsum("tk,tk->k", scores, held @ weights.T)
    products = (scores.T @ scores) * (weights @ weights.T)
    corner = 2 * np.tril(products).sum(axis=1) - np.diag(products)
    return np.concatenate([[0.0], np.cumsum(corner - 2 * linear)])


def fit_equal(
    trials: Trials, ks: Any, *, tol: float, max_iter: int, start: Gaussian | None = None
) -> list[tuple[Gaussian, bool, int]]:
    """(model, converged, steps) of probabilistic PCA for each k of a rising list, with missing values."""
    mask = np.asarray(trials.mask) if trials.mask is not None else np.ones(trials.data.shape, bool)
    kinds = patterns_of(mask)
    variance = float(((trials.centred(trials.mean()).data) ** 2).sum() / trials.n_values)
    lowest = 1e-9 * variance
    if start is None:
        start = Gaussian(np.zeros((0, trials.units)), trials.mean(), np.full(trials.units, variance))
    out = []
    for k in ks:

        def best(covariance: np.ndarray, now: Gaussian, k: int = int(k)) -> tuple[np.ndarray, np.ndarray]:
            values, vectors = np.linalg.eigh(covariance)
            noise = max(float(values[: len(values) - k].mean()), lowest)
            power = np.sqrt(np.maximum(values[::-1][:k] - noise, 0.0))
            return rotated((vectors[:, ::-1][:, :k] * power).T), np.full(len(values), noise)

        found = fit_masked(trials.data, mask, start, best, tol=tol, max_iter=max_iter, kinds=kinds)
        out.append((found.model, found.converged, found.trace.size))
        start = found.model
    return out
