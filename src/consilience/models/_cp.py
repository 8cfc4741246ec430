"""Tensor decomposition (CP, also called TCA): trial, time and unit factors, many starts, any values missing."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import Seed, resolve_seed
from consilience.linalg._cp import CPFits, cp_fit, cp_loadings, cp_predict, cp_similarity
from consilience.models._cp_choice import (
    hidden_courses,
    lengths_of,
    standard_errors,
    unit_means,
)
from consilience.models._fold_units import finite_scores
from consilience.models._latent_cv import chosen
from consilience.models._trials import Missing, Trials, as_trials, constant_units
from consilience.stats import fold_interval

__all__ = ["CP"]

Factors = tuple[np.ndarray, np.ndarray, np.ndarray]
_SAME = 0.01  # shares of squares closer than this to the best one's count as equally good
_ALIKE = 0.8
_GROUPS = 10  # of trials, of the jackknife
_ROUGH = 1e-5  # `tol` where only errors of prediction are compared


class CP(TransformerMixin, BaseEstimator):
    r"""Canonical polyadic (CP) decomposition of trials x time x units, also called tensor component analysis.

    x_ijk = sum over s of w_s a_is b_js c_ks + noise,

    with trial factors a, time factors b and unit factors c of length 1. Unlike the axes of PCA its components need no
    orthogonality and are unique under mild conditions, so that a trial factor can be read as the strength of one
    component over trials. Least squares by turns, all starts at once; values that are missing, and trials that end
    early, are left out of the sum of squares exactly.

    The number by ``"cv"``: whole time courses of (trial, unit) pairs are hidden, each once, and predicted; noise that
    is correlated over time cannot leak into what is predicted (noise shared by units can). The smallest number within
    one standard error of the best is taken.

    Parameters
    ----------
    n_components : r, or "cv".   non_negative : all factors >= 0 (data must be too).   n_restarts : random starts.
    cv : folds.   max_components : most for "cv".   missing : "raise", "mask", or "omit" (bins with any).
    tol : fall of the share of squares that is left, per sweep, below which a start ends.   max_iter : most sweeps.
    rng : of the starts and folds.

    Attributes
    ----------
    factors_ : trial (n, r), time (t, r), unit (p, r), columns of length 1, the largest weight first; the largest entry
    of a time factor and of a unit factor is positive, the sign stands in the trial factor.
    weights_ : (r,).   components_ : (r, p) unit factors.   n_components_ : r.
    intervals_ : of the time and the unit factors, (low, high) each, at ``level``: jackknife over ten groups of trials,
    so that it holds for other trials of the same kind.
    errors_ : (n_restarts,) share of the sum of squares that is left, the best first.
    similarity_ : (n_restarts,) mean congruence of each start's components with the best one's; 1 for the best.
    explained_variance_ratio_ : (r,) rise of the share of squares that is left when a component is taken out; they need
    not add up, as components overlap.   r2_ : in sample, about each unit's mean.
    cv_components_ : numbers tried, cv_scores_ : (numbers, cv) held-out R2 about each unit's mean; None for a given r.
    n_iter_ : sweeps of the best start.   n_features_in_ : p.

    Raises
    ------
    InputError : ``bad-shape``, ``nan-values``, ``too-few``, ``negative-counts``, ``constant-units``, ``bad-parameter``.
    Warnings : ``restarts-disagree`` where starts that fit equally well found other components.

    References
    ----------
    Carroll & Chang (1970); Harshman (1970); Tomasi & Bro (2006); Williams et al. (2018).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> a, b, c = (rng.random((n, 2)) for n in (40, 30, 20))
    >>> x = np.einsum("ir,jr,kr->ijk", a, b, c) + 0.1 * rng.normal(size=(40, 30, 20))
    >>> model = cs.models.CP(2, rng=0).fit(x)
    >>> [f.shape for f in model.factors_], bool(model.similarity_.min() > 0.99)
    ([(40, 2), (30, 2), (20, 2)], True)
    """

    def __init__(
        self,
        n_components: int | Literal["cv"] = 3,
        *,
        non_negative: bool = False,
        n_restarts: int = 10,
        cv: int = 5,
        max_components: int = 10,
        missing: Missing = "raise",
        tol: float = 1e-7,
        max_iter: int = 500,
        level: float = 0.95,
        rng: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.non_negative = non_negative
        self.n_restarts = n_restarts
        self.cv = cv
        self.max_components = max_components
        self.missing = missing
        self.tol = tol
        self.max_iter = max_iter
        self.level = level
        self.rng = rng

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags

    def fit(self, X: Any, y: Any = None) -> CP:
        """Fits. X : (trial, time, unit), or a list of (time_i, unit).   y : ignored."""
        who = "CP.fit"
        self._check(who)
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, flat="trial")
        if len(trials) < 2 or trials.lengths.max() < 2:
            raise InputError(
                f"{who}: a tensor needs at least 2 trials of at least 2 bins, got {len(trials)} of up to "
                f"{int(trials.lengths.max())}; for a table use cs.models.PCA.",
                code="too-few",
            )
        self._varies = constant_units(trials, who=who)
        x, mask = trials.take(self._varies).tensor()
        if self.non_negative and (x < 0).any():
            raise InputError(
                f"{who}: non_negative=True needs data >= 0, "
                f"the least is {x.min():.3g}; leave it out, or give rates.",
                code="negative-counts",
            )
        scale = float(np.sqrt(np.einsum("ijk,ijk->", x, x) / x.size))
        if not scale:
            raise InputError(f"{who}: all values are 0.", code="constant-units")
        x = x / scale
        seed = resolve_seed(self.rng, who=who)
        self._mean = unit_means(x, mask)
        self.cv_components_: Any = None
        self.cv_scores_: Any = None
        k = self.n_components
        if k == "cv":
            k = self._cross_validate(x, mask, seed, who)
        k = check_count(k, name="n_components", who=who, minimum=1)
        most = min(x.shape[0] * x.shape[1], x.shape[0] * x.shape[2], x.shape[1] * x.shape[2])
        if k > most:
            raise InputError(
                f"{who}: n_components must be at most {most} for {x.shape[0]} trials x {x.shape[1]} bins x "
                f"{x.shape[2]} units, got {k}.",
                code="bad-parameter",
            )
        fits = self._run(x, mask, k, self.n_restarts, seed.stream("starts"))
        order = np.argsort(fits.errors, kind="stable")
        best = fits.one(int(order[0]))
        self.errors_ = fits.errors[order]
        self.similarity_ = np.array([cp_similarity(best, fits.one(int(i)))[1].mean() for i in order])
        self.n_iter_ = int(fits.sweeps[order[0]])
        self._doubts(fits, int(order[0]), who)
        intervals = standard_errors(
            x, mask, best, groups=_GROUPS, non_negative=self.non_negative, max_sweeps=min(self.max_iter, 30)
        )
        self._finish(x, mask, best, intervals, scale)
        return self

    def _check(self, who: str) -> None:
        if not isinstance(self.non_negative, (bool, np.bool_)):
            raise InputError(
                f"{who}: non_negative must be True or False, got {self.non_negative!r}.", code="bad-parameter"
            )
        check_count(self.n_restarts, name="n_restarts", who=who, minimum=1)
        check_count(self.max_iter, name="max_iter", who=who, minimum=1)
        check_number(self.tol, name="tol", who=who, low=0.0, high=1.0)
        check_number(self.level, name="level", who=who, low=0.0, high=1.0)
        if isinstance(self.n_components, str) and self.n_components != "cv":
            raise InputError(
                f"{who}: n_components must be a whole number or 'cv', got {self.n_components!r}.",
                code="bad-parameter",
            )

    def _run(
        self,
        x: np.ndarray,
        mask: np.ndarray | None,
        k: int,
        starts: int,
        rng: np.random.Generator,
        tol: float | None = None,
    ) -> CPFits:
        draw = rng.random if self.non_negative else rng.standard_normal
        start: Any = tuple(draw((starts, n, k)) for n in x.shape)
        return cp_fit(
            x,
            mask,
            start,
            non_negative=self.non_negative,
            tol=self.tol if tol is None else tol,
            max_sweeps=self.max_iter,
        )

    def _doubts(self, fits: CPFits, best: int, who: str) -> None:
        if not fits.converged[best]:
            warn(
                "not-converged",
                f"{who}: the best of {self.n_restarts} starts still improved after {self.max_iter} sweeps.",
                "Raise max_iter, or take fewer components.",
                stacklevel=3,
            )
        good = self.errors_ <= self.errors_[0] + _SAME * max(1.0 - self.errors_[0], 1e-12)
        if good.sum() > 1 and self.similarity_[good].min() < _ALIKE:
            warn(
                "restarts-disagree",
                f"{who}: of {int(good.sum())} starts that fit as well as the best, the components are alike to "
                f"{self.similarity_[good].min():.2f} only (1 = the same), so that they are not determined by the data.",
                "Take fewer components (n_components='cv'), or non_negative=True where the data allow it.",
                stacklevel=3,
            )

    def _cross_validate(self, x: np.ndarray, mask: np.ndarray | None, seed: Seed, who: str) -> int:
        folds = check_count(self.cv, name="cv", who=who, minimum=2)
        most = check_count(self.max_components, name="max_components", who=who, minimum=1)
        numbers = np.arange(1, min(most, x.shape[0], x.shape[2]) + 1)

        def run(rest: np.ndarray, train: np.ndarray, k: int, rng: np.random.Generator) -> Factors:
            fits = self._run(rest, train, k, min(self.n_restarts, 3), rng, max(self.tol, _ROUGH))
            return fits.one(int(fits.errors.argmin()))

        scores = hidden_courses(x, mask, numbers, folds, run, seed)
        finite_scores(scores, who=who)
        self.cv_components_, self.cv_scores_ = numbers, scores
        best = float(scores.mean(axis=1).max())
        if best <= 0:
            warn(
                "no-structure",
                f"{who}: no number of components predicts hidden time courses better than the units' means (best R2 "
                f"{best:.3f}).",
                "Read the factors as a description of noise, or give more trials.",
                stacklevel=4,
            )
        return int(numbers[chosen(scores, "one-se")])

    def _finish(
        self, x: np.ndarray, mask: np.ndarray | None, best: Factors, errors: list[np.ndarray], scale: float
    ) -> None:
        from scipy.stats import t as student

        lengths = [lengths_of(f) for f in best]
        a, b, c = (f / size for f, size in zip(best, lengths))
        weights = np.prod(lengths, axis=0)
        signs = [np.sign(f[np.abs(f).argmax(axis=0), np.arange(f.shape[1])]) for f in (b, c)]
        signs = [np.where(s == 0, 1.0, s) for s in signs]
        b, c, a = b * signs[0], c * signs[1], a * signs[0] * signs[1]
        order = np.argsort(-weights, kind="stable")
        a, b, c, weights = a[:, order], b[:, order], c[:, order], weights[order]
        full = np.zeros((self._varies.size, len(weights)))
        full[self._varies] = c
        self.factors_ = (a, b, full)
        self.weights_ = weights * scale
        self.components_ = full.T
        self.n_components_ = len(weights)
        spread = np.zeros_like(full)
        spread[self._varies] = errors[1][:, order]
        reach = float(student.ppf(0.5 + self.level / 2, min(_GROUPS, len(x)) - 1))
        self.intervals_ = tuple(
            (f - reach * e, f + reach * e) for f, e in ((b, errors[0][:, order]), (full, spread))
        )
        fitted = cp_predict(a * weights, b, c)
        rest = x - fitted if mask is None else np.where(mask, x - fitted, 0.0)
        whole = float(np.einsum("ijk,ijk->", x, x))
        left = float(np.einsum("ijk,ijk->", rest, rest))
        about = x - self._mean if mask is None else np.where(mask, x - self._mean, 0.0)
        self.r2_ = 1 - left / float(np.einsum("ijk,ijk->", about, about))
        out = []
        for s in range(len(weights)):
            part = cp_predict(a[:, s : s + 1] * weights[s], b[:, s : s + 1], c[:, s : s + 1])
            without = rest + (part if mask is None else part * mask)
            out.append((float(np.einsum("ijk,ijk->", without, without)) - left) / whole)
        self.explained_variance_ratio_ = np.array(out)
        self.mean_ = np.zeros(self._varies.size)  # the model has no mean of its own
        self._scale = scale

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _door(self, X: Any, method: str) -> tuple[Trials, np.ndarray, np.ndarray | None]:
        check_is_fitted(self, "factors_")
        who = f"CP.{method}"
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, reset=False, flat="trial")
        bins = len(self.factors_[1])
        if trials.span > bins or (trials.form != "list" and trials.span != bins):
            raise InputError(
                f"{who}: the time factors have {bins} bins, the trials {trials.span}; give trials on the "
                "same time axis.",
                code="shape-mismatch",
            )
        return (trials, *trials.take(self._varies).tensor(bins))

    def transform(self, X: Any) -> np.ndarray:
        """(trials, r) strength of each component on new trials: least squares given time and unit factors (>= 0 where
        the factors are); in the scale of `weights_` times the trial factors.
        """
        _, x, mask = self._door(X, "transform")
        _, b, c = self.factors_
        return cp_loadings(x, mask, b, c[self._varies], non_negative=self.non_negative)

    def inverse_transform(self, latents: Any) -> np.ndarray:
        """(trials, time, units) from strengths (trials, r)."""
        check_is_fitted(self, "factors_")
        z = np.asarray(latents, dtype=np.float64)
        if z.ndim != 2 or z.shape[1] != self.n_components_:
            raise InputError(
                f"CP.inverse_transform: latents must be (trials, {self.n_components_}), got shape {z.shape}.",
                code="shape-mismatch",
            )
        return cp_predict(z, *self.factors_[1:])

    def score(self, X: Any, y: Any = None) -> float:
        """R2 of new trials, about the units' training means, given time and unit factors: the trial strengths are
        fitted to the trials themselves (`unit_scores` leaves the predicted unit out).
        """
        _, x, mask = self._door(X, "score")
        _, b, c = self.factors_
        c = c[self._varies]
        z = cp_loadings(x, mask, b, c, non_negative=self.non_negative)
        rest, about = x - cp_predict(z, b, c), x - self._mean * self._scale
        if mask is not None:
            rest, about = np.where(mask, rest, 0.0), np.where(mask, about, 0.0)
        return 1 - float((rest**2).sum()) / float((about**2).sum())

    def unit_scores(self, X: Any) -> np.ndarray:
        """(units,) R2 of each unit's time courses on new trials, predicted from the other units of the trial, about its
        training mean; NaN for units that do not vary.
        """
        _, x, mask = self._door(X, "unit_scores")
        _, b, c = self.factors_
        c = c[self._varies]
        out = np.full(self._varies.size, np.nan)
        where = np.flatnonzero(self._varies)
        for u in range(len(c)):
            others = np.arange(len(c)) != u
            if not others.any():
                continue
            z = cp_loadings(
                x[:, :, others],
                None if mask is None else mask[:, :, others],
                b,
                c[others],
                non_negative=self.non_negative,
            )
            rest, about = x[:, :, u] - z @ (b * c[u]).T, x[:, :, u] - self._mean[u] * self._scale
            if mask is not None:
                there = mask[:, :, u] & ~np.isnan(z[:, :1])
                rest, about = np.where(there, rest, 0.0), np.where(there, about, 0.0)
            total = float((about**2).sum())
            out[where[u]] = 1 - float((rest**2).sum()) / total if total > 0 else np.nan
        return out

    def cv_interval(self) -> Any:
        """Mean held-out R2 of each number that was tried, with its t interval over folds: (mean, low, high)."""
        check_is_fitted(self, "factors_")
        if self.cv_scores_ is None:
            raise InputError(
                "CP.cv_interval: the number of components was given; fit with n_components='cv'.",
                code="bad-parameter",
            )
        return fold_interval(self.cv_scores_.T, self.level)
