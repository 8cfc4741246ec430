"""Targeted dimensionality reduction: one axis for each task variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.models._targeted_conditions import codes_of, shuffled_scores
from consilience.models._trials import Missing, as_trials, constant_units, trial_folds

__all__ = ["TargetedDR", "TargetedScores"]


@dataclass(frozen=True)
class TargetedScores:
    """How well axes found on some trials tell their variable on others.

    names : variables.   r : (v,) mean over folds of the partial correlation, over held-out trials, of the projection at
    the axis' own bin with its variable, the other variables regressed out of both.   low, high : (v,) t interval
    over folds, their shared training trials counted (Nadeau & Bengio 2003).   null : (draws, v) the same with the
    part of the variable that the others do not explain shuffled over trials, or None.   p : (v,) share of draws at
    least as large.
    """

    names: tuple[str, ...]
    r: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: np.ndarray | None
    p: np.ndarray | None


class TargetedDR(TransformerMixin, BaseEstimator):
    r"""Targeted dimensionality reduction: for each variable of the task, the axis that carries it.

    Linear regression of each unit in each bin on all variables at once, x_itk = sum over v of b_itv z_kv + b_it0 (z: of
    mean 0 and standard deviation 1 over trials). The vectors b_tv over units are projected onto the first principal
    components of the condition means (which takes noise out), the bin with the longest is taken (times the root of the
    share of trials that reach it, as few trials make long vectors of noise), and the axes are made orthogonal in the
    order of the variables, the first one as it is (QR).

    Not demixed PCA: one axis a variable, linear in it; variables may be correlated over trials and take any number of
    values. An axis exists for noise too: `held_out` says, on other trials and with a null, whether it carries anything.

    Parameters
    ----------
    n_components : principal components kept of the condition means; None = no denoising.
    orthogonal : make axes orthogonal; False keeps them as they are (`transform` is then by least squares).
    missing : "raise", "mask" or "omit".

    Attributes
    ----------
    variables_ : names, the order of the axes.   n_components_ : v.
    components_ : (v, p) axes of length 1.   axes_ : (v, p) before they were made orthogonal.
    coefficients_ : (v, t, p) in units of the data per standard deviation of the variable, denoised.
    peak_bins_ : (v,) bin of each axis.   mean_ : (p,).
    angles_ : (v, v) degrees between axes before they were made orthogonal, 0 to 90.
    explained_variance_ratio_ : (v,) share of the variance of the condition means along each axis.

    Raises
    ------
    InputError : ``bad-parameter`` (no mapping; more than two values that are not numbers; linearly dependent
    variables), ``one-class`` (a constant variable), ``too-few``, ``nan-values``, ``constant-units``, ``bad-shape``.

    References
    ----------
    Mante, Sussillo, Shenoy & Newsome (2013). Conditions here are combinations of the variables, those with more than
    six values cut at their quartiles; bins are not smoothed first.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> motion, colour = rng.normal(size=(2, 200))
    >>> axes = np.linalg.qr(rng.normal(size=(30, 2)))[0].T
    >>> x = (np.column_stack([motion, colour]) @ axes)[:, None, :] + 0.5 * rng.normal(size=(200, 10, 30))
    >>> model = cs.models.TargetedDR().fit(x, {"motion": motion, "colour": colour})
    >>> bool(np.abs((model.components_ * axes).sum(axis=1)).min() > 0.95)
    True
    """

    def __init__(
        self, n_components: int | None = 12, *, orthogonal: bool = True, missing: Missing = "raise"
    ) -> None:
        self.n_components = n_components
        self.orthogonal = orthogonal
        self.missing = missing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags

    def fit(self, X: Any, y: Any) -> TargetedDR:
        """Fits. X : (trial, time, unit), a list of (time_i, unit), or (trial, unit).   y : {variable: (trial,)},
        numbers or two values; a table with named columns does as well.
        """
        who = "TargetedDR.fit"
        if self.n_components is not None:
            check_count(self.n_components, name="n_components", who=who, minimum=1)
        trials = as_trials(X, who=who, missing=self.missing, estimator=self)
        names, z = _variables(y, len(trials), who)
        if len(trials) < len(names) + 3:
            raise InputError(
                f"{who}: {len(names)} variables need at least {len(names) + 3} trials, got {len(trials)}.",
                code="too-few",
            )
        self._varies = constant_units(trials, who=who)
        x, seen = trials.take(self._varies).tensor()
        self._fit(x, seen, names, z)
        self.mean_ = trials.mean()
        return self

    def _fit(self, x: np.ndarray, seen: np.ndarray | None, names: tuple[str, ...], z: np.ndarray) -> None:
        coefficients = _regress(x, seen, z)
        means = _condition_means(x, seen, z)
        basis = _basis(means, self.n_components)
        if basis is not None:
            coefficients = coefficients @ basis @ basis.T
        size = np.linalg.norm(coefficients, axis=2)
        if seen is None:
            peaks = size.argmax(axis=1)
        else:  # in standard errors: noise makes coefficients of few trials long
            peaks = (size * np.sqrt(seen.mean(axis=(0, 2)))).argmax(axis=1)
        axes = coefficients[np.arange(len(names)), peaks]
        length = np.linalg.norm(axes, axis=1, keepdims=True)
        axes = axes / np.where(length > 0, length, 1.0)
        made = axes
        if self.orthogonal:
            q, r = np.linalg.qr(axes.T)
            made = (q * np.where(np.diag(r) < 0, -1.0, 1.0)).T
        about = means - means.mean(axis=(0, 1))
        p = self._varies.size
        self.variables_ = names
        self.axes_, self.components_ = (_widen(f, self._varies, p) for f in (axes, made))
        self.coefficients_ = _widen(coefficients, self._varies, p)
        self.peak_bins_ = peaks
        self.n_components_ = len(names)
        self.angles_ = np.degrees(np.arccos(np.clip(np.abs(axes @ axes.T), 0.0, 1.0)))
        total = float((about**2).sum())
        self.explained_variance_ratio_ = ((about @ made.T) ** 2).sum(axis=(0, 1)) / (total or 1.0)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def transform(self, X: Any) -> Any:
        """Positions (..., v) along the axes, about the training mean, in the container of X; NaN where a value of
        the bin is missing.
        """
        check_is_fitted(self, "components_")
        trials = as_trials(X, who="TargetedDR.transform", missing=self.missing, estimator=self, reset=False)
        made = self.components_ if self.orthogonal else np.linalg.pinv(self.components_.T)
        out = (trials.data - self.mean_) @ made.T
        if trials.mask is not None:
            out[~trials.mask[:, self._varies].all(axis=1)] = np.nan
        return trials.like(out)

    def inverse_transform(self, latents: Any) -> Any:
        """The units' activity (..., p) that positions (..., v) stand for."""
        check_is_fitted(self, "components_")
        z = np.asarray(latents, dtype=np.float64)
        if z.shape[-1:] != (self.n_components_,):
            raise InputError(
                f"TargetedDR.inverse_transform: latents must be (..., {self.n_components_}), got shape {z.shape}.",
                code="shape-mismatch",
            )
        return z @ self.components_ + self.mean_

    def held_out(
        self, X: Any, y: Any, *, cv: int = 5, n_perm: int = 200, level: float = 0.95, rng: Any = 0
    ) -> TargetedScores:
        """Whether the axes tell their variables on trials that they were not found on (`TargetedScores`). Trials are
        dealt in runs of neighbours; the shuffle takes trials as exchangeable, which slow drift of both would break.
        """
        who = "TargetedDR.held_out"
        check_number(level, name="level", who=who, low=0.0, high=1.0)
        check_count(n_perm, name="n_perm", who=who)
        trials = as_trials(X, who=who, missing=self.missing)
        names, z = _variables(y, len(trials), who)
        x, seen = trials.take(constant_units(trials, who=who)).tensor()
        folds = trial_folds(trials, cv, who=who)
        if min(len(test) for _, test in folds) < len(names) + 3:
            raise InputError(
                f"{who}: {len(folds)} folds of {len(trials)} trials leave fewer than {len(names) + 3} trials to test "
                f"{len(names)} variables on; use fewer folds.",
                code="too-few",
            )
        fresh = type(self)(**self.get_params(deep=False))
        fresh._varies = np.ones(x.shape[2], bool)
        real = np.array([fresh._told(x, seen, names, z, *fold) for fold in folds])  # (folds, v)
        k = len(folds)
        half = student.ppf((1 + level) / 2, k - 1) * np.sqrt((1 / k + 1 / (k - 1)) * real.var(axis=0, ddof=1))
        r = real.mean(axis=0)
        null = p = None
        if n_perm:
            draws = resolve_seed(rng, who=who).stream("shuffles")
            null = np.empty((n_perm, len(names)))
            for v in range(len(names)):
                others = np.column_stack([np.ones(len(z)), np.delete(z, v, axis=1)])
                told = others @ np.linalg.lstsq(others, z[:, v], rcond=None)[0]
                rest = z[:, v] - told
                shuffled = np.stack([told + draws.permutation(rest) for _ in range(n_perm)])
                if seen is None:
                    told_by = [shuffled_scores(x, z, v, shuffled, *fold, self.n_components) for fold in folds]
                    null[:, v] = np.mean(told_by, axis=0)
                    continue
                for d, values in enumerate(shuffled):
                    one = z.copy()
                    one[:, v] = values
                    null[d, v] = np.mean([fresh._told(x, seen, names, one, *fold)[v] for fold in folds])
            p = (1 + (null >= r).sum(axis=0)) / (n_perm + 1)
        return TargetedScores(names, r, r - half, r + half, null, p)

    def _told(
        self,
        x: np.ndarray,
        seen: np.ndarray | None,
        names: tuple[str, ...],
        z: np.ndarray,
        train: np.ndarray,
        test: np.ndarray,
    ) -> np.ndarray:
        self._fit(x[train], None if seen is None else seen[train], names, z[train])
        out = np.empty(len(names))
        for v in range(len(names)):
            bin_ = self.peak_bins_[v]
            at = x[test, bin_]
            if seen is not None:  # what is missing counts as the training mean
                there = seen[train][:, bin_]
                mean = (x[train, bin_] * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
                at = np.where(seen[test, bin_], at, mean)
            others = np.column_stack([np.ones(len(test)), np.delete(z[test], v, axis=1)])
            both = np.column_stack([at @ self.axes_[v], z[test, v]])
            both = both - others @ np.linalg.lstsq(others, both, rcond=None)[0]
            size = np.sqrt((both**2).sum(axis=0).prod())
            out[v] = both[:, 0] @ both[:, 1] / size if size > 0 else 0.0
        return out


def _widen(f: np.ndarray, varies: np.ndarray, p: int) -> np.ndarray:
    out = np.zeros((*f.shape[:-1], p))
    out[..., varies] = f
    return out


def _variables(y: Any, n: int, who: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and (n, v) standardised values."""
    table = y if isinstance(y, Mapping) else {c: y[c] for c in y.columns} if hasattr(y, "columns") else None
    if not table:
        raise InputError(
            f"{who}: y must be a mapping from variables of the task to their values in each trial, as in "
            "{'motion': [...], 'choice': [...]}.",
            code="bad-parameter",
        )
    columns = []
    for name, given in table.items():
        values = np.asarray(given)
        if values.shape != (n,):
            raise InputError(
                f"{who}: variable {name!r} has shape {values.shape}, expected one value for each of {n} trials.",
                code="bad-shape",
            )
        if values.dtype.kind not in "biuf":
            kinds, codes = np.unique(values.astype(str), return_inverse=True)
            if kinds.size > 2:
                raise InputError(
                    f"{who}: variable {name!r} has {kinds.size} values that are not numbers; an axis needs numbers or "
                    "two values. Use cs.models.DPCA for more categories, or one 0/1 variable for each.",
                    code="bad-parameter",
                )
            values = codes
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"{who}: variable {name!r} has values that are not finite.", code="nan-values")
        spread = values.std()
        if spread <= 1e-12 * max(float(np.abs(values).max()), 1e-300):
            raise InputError(f"{who}: variable {name!r} has one value in all {n} trials.", code="one-class")
        columns.append((values - values.mean()) / spread)
    z = np.column_stack(columns)
    if np.linalg.matrix_rank(z, tol=1e-6 * np.sqrt(n)) < z.shape[1]:
        raise InputError(
            f"{who}: the variables {', '.join(map(repr, table))} are linearly dependent over trials, so that their "
            "axes cannot be told apart; leave one out.",
            code="bad-parameter",
        )
    return tuple(map(str, table)), z


def _regress(x: np.ndarray, seen: np.ndarray | None, z: np.ndarray) -> np.ndarray:
    """(v, t, p) coefficients; 0 where too few trials were seen."""
    n, t, p = x.shape
    design = np.column_stack([np.ones(n), z])
    if seen is None:
        return np.linalg.lstsq(design, x.reshape(n, -1), rcond=None)[0][1:].reshape(-1, t, p)
    weights = seen.reshape(n, -1).astype(np.float64)
    m = design.shape[1]
    pairs = (design[:, :, None] * design[:, None, :]).reshape(n, -1)
    normal = (weights.T @ pairs).reshape(-1, m, m)
    right = (x.reshape(n, -1) * weights).T @ design
    enough = weights.sum(axis=0) >= m + 1
    normal[~enough] = np.eye(m)
    solved = np.linalg.solve(normal + 1e-10 * np.eye(m), right[..., None])[..., 0]
    solved[~enough] = 0.0
    return solved.T[1:].reshape(-1, t, p)


def _condition_means(x: np.ndarray, seen: np.ndarray | None, z: np.ndarray) -> np.ndarray:
    """(conditions, t, p) means; what no trial of a condition showed is the mean over all."""
    codes = [codes_of(column) for column in z.T]
    _, index = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    member = np.zeros((index.max() + 1, len(z)))
    member[index.reshape(-1), np.arange(len(z))] = 1.0
    flat = x.reshape(len(x), -1)
    if seen is None:
        out = (member @ flat) / member.sum(axis=1, keepdims=True)
    else:
        weights = seen.reshape(len(x), -1).astype(np.float64)
        count = member @ weights
        whole = (flat * weights).sum(axis=0) / np.maximum(weights.sum(axis=0), 1)
        out = np.where(count > 0, (member @ (flat * weights)) / np.maximum(count, 1), whole)
    return out.reshape(-1, *x.shape[1:])


def _basis(means: np.ndarray, k: int | None) -> np.ndarray | None:
    """(p, k) principal axes of the condition means, None where nothing would be left out."""
    flat = means.reshape(-1, means.shape[2])
    if k is None or k >= min(flat.shape):
        return None
    _, _, axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    return axes[:k].T
