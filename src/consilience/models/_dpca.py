"""Demixed principal component analysis of single trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, shorten
from consilience._core._seeds import resolve_seed
from consilience.linalg._demixed import Demixer, Marginals
from consilience.models._dpca_conditions import marginals_of
from consilience.models._dpca_cv import choose_penalty, criterion_of, regression_noise
from consilience.models._dpca_data import Crossed, read_trials
from consilience.models._dpca_described import Described
from consilience.models._dpca_means import read_covariance, read_means
from consilience.models._dpca_noise import noise_of
from consilience.models._dpca_options import component_numbers, noise_kind, penalties
from consilience.models._dpca_tests import HeldOutTests
from consilience.models._trials import as_trials

__all__ = ["DPCA"]

WHO = "DPCA"


class DPCA(Described, HeldOutTests, TransformerMixin, BaseEstimator):
    """Demixed PCA: axes that show one label (stimulus, choice, time, their interaction) and not the others.

    The means X of all combinations of the labels, over time, are split into orthogonal marginalizations, X = sum_f X_f.
    For each, F_f, D_f of reduced rank minimise

        ||X_f - F_f D_f X||^2 + c tr(F_f D_f C (F_f D_f)') + a ||F_f D_f||^2,

    C the covariance of the noise of single trials, c the number of means of a unit, a the penalty: axes are to read
    X_f out of single trials. D_f (decoders) makes the components, F_f (encoders) the activity that they stand for; a
    decoder is not its encoder, unlike in PCA. Every condition weighs the same, however many trials it has.

    Explained variance, of X_f by (f, d), is ||X_f||^2 - ||X_f - f d' X_f||^2 over ||X||^2. It is not the variance of
    the component d'X ("captured variance"), which grows with the length of d and with what is not of f; some programs
    report that one.

    Parameters
    ----------
    n_components : for each marginalization, or {marginalization: number}; fewer where it has fewer dimensions.
    labels : which labels of y; None = all of them.
    combine : "time" joins every term with its interaction with time (stimulus, stimulus:time -> "stimulus"), as in the
        paper; None joins none; {"name": ["stimulus", "stimulus:time"]} joins these, and the rest stand alone.
    regularisation : the penalty a, as a multiple of the mean over units of the sum of squares of X: a number; None = 0;
        "auto" = chosen of a grid on held-out trials; a list = chosen of these.
    noise : C in the regression: "full", "diagonal" or "none"; None = "full", for units that were recorded together, of
        a pseudo-population within sessions (units of different sessions share no noise), and "none" where no condition
        has two trials. Where single trials are noisy it shrinks F D, and with it what the components explain of the
        means; "none" fits the means as they are.
    cv : number of random splits for the choice; each holds out trials of every condition.
    criterion : "trials": held-out trials predict X_f of other held-out trials (3 trials of each condition), or "units":
        each unit is predicted from the others in the same held-out trial (2 trials; trusts that noise is not shared);
        None = "trials" where there are enough.
    missing : what to do with NaN: "raise", "mask" (means over what was seen) or "omit" (bins with any NaN).
    rng : of the splits.

    Attributes
    ----------
    marginalizations_ : tuple of names, such as ("stimulus", "choice", "time", "stimulus:choice").
    components_ : {marginalization: (k, units)} encoders F', orthonormal rows, the largest loading positive.
    decoders_ : {marginalization: (k, units)} D, in units of components per unit of the data.
    marginalization_ : (K,) the marginalization of each component of `transform`.   n_components_ : K.
    projections_ : {marginalization: (k, *conditions, times)} components of the condition means, for time courses.
    levels_ : {label: (levels,)}.   condition_means_ : (*conditions, times, units).   mean_ : (units,).
    counts_ : (*conditions, sessions) trials.
    explained_variance_ : {marginalization: share of ||X||^2 that its components explain of X_f}.
    explained_variance_ratio_ : (K,) of each component, over all X_f.   explained_variance_by_ : (K, marginalizations).
    cumulative_explained_variance_, pca_explained_variance_ : (K,) of the components together, the strongest first, and
        of as many principal components.
    marginal_variance_ : {marginalization: ||X_f||^2 / ||X||^2}.   signal_variance_ : the same less the noise of means,
        as shares of the signal.   total_variance_, noise_variance_ : ||X||^2, and what noise adds to it (NaN: unknown).
    noise_covariance_ : (units, units) of single trials.   noise_variance_by_time_ : (times, units).
    demixing_ : (K,) share of a component's variance over conditions that is of its own marginalization.
    axis_overlap_ : (K, K) cosines of encoders.   axis_angles_ : (K, K) degrees, 0 to 90.
    nonorthogonal_ : (K, K) bool: |cosine| > 3.3 / sqrt(units) and Kendall's tau of the loadings, p < 0.001 (the stars
        of the paper).
    component_correlation_ : (K, K) of the components of the condition means.
    regularisation_ : a.   regularisations_, cv_errors_ : the grid, and the error of those that were looked at.
    criterion_ : see above.

    References
    ----------
    Kobak et al. (2016).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> y = {"stimulus": rng.integers(0, 3, 200), "choice": rng.integers(0, 2, 200)}
    >>> a, b = np.linalg.qr(rng.normal(size=(30, 2)))[0].T
    >>> rise = np.linspace(0, 1, 8)[:, None]
    >>> X = y["stimulus"][:, None, None] * rise * a + 2 * y["choice"][:, None, None] * rise * b
    >>> model = cs.models.DPCA(n_components=1, rng=0).fit(X + 0.3 * rng.normal(size=X.shape), y)
    >>> model.marginalizations_
    ('stimulus', 'choice', 'time', 'stimulus:choice')
    >>> bool(abs(model.components_["choice"][0] @ b) > 0.99)
    True
    >>> model.transform(X).shape
    (200, 8, 4)
    """

    def __init__(
        self,
        n_components: int | Mapping[str, int] = 10,
        *,
        labels: str | Sequence[str] | None = None,
        combine: Any = "time",
        regularisation: Any = "auto",
        noise: str | None = None,
        cv: int = 10,
        criterion: str | None = None,
        missing: str = "raise",
        rng: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.labels = labels
        self.combine = combine
        self.regularisation = regularisation
        self.noise = noise
        self.cv = cv
        self.criterion = criterion
        self.missing = missing
        self.rng = rng

    def fit(self, X: Any, y: Any = None) -> Any:
        """Fits.

        X : single trials (trial, time, unit), (trial, unit), a list of (time_i, unit), or a `cs.pseudo_population`
            (units that were not recorded together), which brings its labels.
        y : {label: (trial,)}, a data frame, a structured array, or one label (trial,); any number of trials of each
            combination, none missing.
        """
        data = read_trials(X, y, labels=self.labels, missing=self.missing, who=WHO, estimator=self)
        data.check(WHO)
        noise = noise_of(data)
        kind = self._noise_kind(noise is not None)
        means = data.means()
        self._start(means.reshape(*data.shape, data.times, data.units), data.levels)
        self.counts_: Any = data.counts.reshape(*data.shape, len(data.blocks))
        grid = self._grid()
        self.criterion_ = None
        self.regularisations_, self.cv_errors_ = grid, np.full(len(grid), np.nan)
        self.regularisation_ = float(grid[0])
        if len(grid) > 1:
            self.criterion_ = criterion_of(self.criterion, data, WHO)
            best, self.cv_errors_ = self._choose(data, kind, grid, self.criterion_, self._stream("splits"))
            self.regularisation_ = float(grid[best])
            if best == len(grid) - 1:
                warn(
                    "penalty-at-edge",
                    f"{WHO}: the largest penalty of the grid, {grid[best]:.3g}, predicts held-out trials best.",
                    "Held-out trials may hold no signal; look at `signal_variance_`, or give a wider grid.",
                )
        self._finish(noise, kind)
        return self

    def fit_means(
        self,
        means: Any,
        *,
        levels: Mapping[str, Any] | None = None,
        counts: Any = None,
        noise_covariance: Any = None,
    ) -> Any:
        """Fits condition means, where there are no single trials (published PSTHs, activations).

        means : (*conditions, time, unit), or (*conditions, unit) with as many labels as conditions have axes.
        levels : {label: (levels,)}; None = ``labels`` with levels 0, 1, ...
        counts : (*conditions,) or a number: trials behind the means; with ``noise_covariance`` (units, units) of single
            trials (or (units,) variances) it gives `noise_variance_` (noise of different times taken as independent).

        The penalty cannot be chosen: regularisation must be a number or None.
        """
        table, known = read_means(means, levels, self.labels)
        self.n_features_in_ = table.shape[-1]
        self._start(table, known)
        grid = self._grid()
        if len(grid) > 1:
            raise InputError(
                f"{WHO}: regularisation={shorten(self.regularisation)} is chosen on held-out trials, and there are "
                "only means; give a number or None, or fit(X, y) with trials.",
                code="too-few",
            )
        self.criterion_, self.regularisation_ = None, float(grid[0])
        self.regularisations_, self.cv_errors_ = grid, np.full(1, np.nan)
        covariance = None if noise_covariance is None else read_covariance(noise_covariance, table.shape[-1])
        number: Any = (
            None if counts is None else np.broadcast_to(np.asarray(counts, np.float64), table.shape[:-2])
        )
        self.counts_ = None if number is None else number[..., None]
        self._finish(None, self._noise_kind(covariance is not None), covariance, number)
        return self

    def _stream(self, name: str) -> np.random.Generator:
        return resolve_seed(self.rng, who=WHO).stream(name)

    def _noise_kind(self, known: bool) -> str:
        return noise_kind(self.noise, known)

    def _grid(self) -> np.ndarray:
        return penalties(self.regularisation)

    def _start(self, means: np.ndarray, levels: Mapping[str, np.ndarray]) -> None:
        self.levels_ = dict(levels)
        self.condition_means_ = means
        axes = tuple(range(means.ndim - 1))
        self.mean_ = means.mean(axis=axes)
        sizes = means.shape[: len(levels)]
        self._marginals: Marginals = marginals_of(list(levels), sizes, means.shape[-2], self.combine, WHO)
        table = means - self.mean_
        self._table = table if self._marginals.time else table[..., 0, :]
        if not (np.abs(self._table) > 1e-12 * np.abs(means).max(initial=1e-300)).any():
            raise InputError(
                f"{WHO}: no unit's mean differs between conditions or times; there is nothing to demix.",
                code="constant-units",
            )
        self.marginalizations_ = tuple(part.name for part in self._marginals.parts)
        most = [min(self._marginals.rank(k), means.shape[-1]) for k in range(len(self.marginalizations_))]
        self._counts = component_numbers(self.n_components, self.marginalizations_, most)

    def _choose(
        self, data: Crossed, kind: str, grid: np.ndarray, criterion: str, rng: np.random.Generator
    ) -> tuple[int, np.ndarray]:
        splits = check_count(self.cv, name="cv", who=WHO, minimum=1)
        return choose_penalty(
            data, self._marginals, self._counts, grid, splits=splits, criterion=criterion, noise=kind, rng=rng
        )

    def _finish(
        self,
        noise: Any,
        kind: str,
        covariance: Any = None,
        number: np.ndarray | None = None,
    ) -> None:
        """Axes, and all that is told of them, from the means."""
        marginals, table = self._marginals, self._table
        grams = marginals.grams(table)
        cells = int(np.prod(table.shape[:-1]))
        if noise is not None:
            covariance = noise.covariance
        self.noise_ = kind
        self.noise_covariance_ = covariance
        self.noise_variance_by_time_ = None if noise is None else noise.variance
        factors = marginals.factors(table)
        demixer = Demixer(factors, regression_noise(covariance, kind, cells), grams)
        self.components_, self.decoders_ = {}, {}
        for k, (name, count) in enumerate(zip(self.marginalizations_, self._counts)):
            f, d = (np.zeros((table.shape[-1], 0)),) * 2
            if count:
                f, d = demixer.axes(k, self.regularisation_ * demixer.size, count)
            top = np.abs(f).argmax(axis=0)
            sign = np.where(f[top, np.arange(count)] < 0, -1.0, 1.0)
            self.components_[name], self.decoders_[name] = (f * sign).T, (d * sign).T
        self.n_components_ = int(sum(self._counts))
        self.marginalization_ = np.repeat(np.array(self.marginalizations_), self._counts)
        self._encoders = np.concatenate(list(self.components_.values()))
        self._decoders = np.concatenate(list(self.decoders_.values()))
        self.projections_ = {
            name: np.moveaxis((self.condition_means_ - self.mean_) @ d.T, -1, 0)
            for name, d in self.decoders_.items()
        }
        self._describe(grams)
        self._noise_floor(noise, covariance, number, grams)
        self._compare_axes()

    def transform(self, X: Any) -> Any:
        """Components of trials, in the container of X: (trial, time, K), a list of (time_i, K), or (trial, K), in the
        order of `marginalization_`. Bins with a missing value are NaN.
        """
        check_is_fitted(self, "components_")
        trials = as_trials(X, who=WHO, missing=self.missing, estimator=self, reset=False)
        out = (trials.data - self.mean_) @ self._decoders.T
        if trials.mask is not None:
            out[~trials.mask.all(axis=1)] = np.nan
        return trials.like(out)

    def inverse_transform(self, latents: Any) -> Any:
        """Activity (..., units) that components (..., K) stand for; a list gives a list."""
        check_is_fitted(self, "components_")
        if isinstance(latents, (list, tuple)):
            return [self.inverse_transform(part) for part in latents]
        values = np.asarray(latents, np.float64)
        if values.ndim < 1 or values.shape[-1] != self.n_components_:
            raise InputError(
                f"{WHO}: latents must have {self.n_components_} components on the last axis, got shape {values.shape}.",
                code="bad-shape",
            )
        return values @ self._encoders + self.mean_

    def score(self, X: Any, y: Any = None) -> float:
        """R2 of the condition means of trials X (that were not fitted) predicted by the means of the fitted ones as the
        components show them. The noise of X is in it, so 1 is not reached.
        """
        check_is_fitted(self, "components_")
        data = read_trials(
            X, y, labels=list(self.levels_), missing=self.missing, who=WHO, estimator=self, reset=False
        )
        for name, known in self.levels_.items():
            if list(data.levels[name]) != list(known):
                raise InputError(
                    f"{WHO}: label {name!r} has levels {shorten(data.levels[name].tolist())}, the model was fitted to "
                    f"{shorten(known.tolist())}.",
                    code="class-missing",
                )
        data.check(WHO)
        means = data.means().reshape(self.condition_means_.shape[:-2] + (data.times, data.units))
        if means.shape != self.condition_means_.shape:
            raise InputError(
                f"{WHO}: trials have {data.times} bins, the fitted ones {self.condition_means_.shape[-2]}.",
                code="bad-shape",
            )
        told = (self.condition_means_ - self.mean_) @ self._decoders.T @ self._encoders + self.mean_
        rest = ((means - told) ** 2).sum()
        around = ((means - means.reshape(-1, data.units).mean(axis=0)) ** 2).sum()
        return float(1 - rest / around) if around > 0 else math.nan

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags
