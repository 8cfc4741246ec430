"""jPCA: the planes in which a population's state rotates, if it does."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.linalg._skew import rotation_planes, turning_angles
from consilience.models._trials import Trials, as_trials, constant_units, patterns_of
from consilience.populations._linear_dynamics import explained, linear_fit

__all__ = ["JPCA"]

WHO = "cs.models.JPCA"


class JPCA(TransformerMixin, BaseEstimator):
    """Finds the planes in which a population's state rotates best, and how well rotation describes its steps.

    z_t, the first principal components of the responses less their mean over conditions, move by d_t = z_(t+1) - z_t.
    The skew-symmetric M of least ||d - M z||^2 has a closed form: M' = A, and in the eigenbasis of S = sum z z'
    (eigenvalues l), with C = sum z d', A_ij = (C - C')_ij / (l_i + l_j). Its eigenvalues are +- i w: each pair is a
    plane, turned through at w.

    **Planes are always found.** Smooth noise and sequences of units look rotational too (`rotation_ratio` of 0.5 to
    0.9): whether there is more than that is `cs.structure(data, statistic="rotation")`.

    Confused with: PCA of the same data, whose axes are in order of variance, and a linear dynamical system (`LDS`), in
    which states are inferred and may decay.

    Parameters
    ----------
    n_components : even, the number of principal components that are turned into planes.
    subtract_mean : take out the mean over conditions at each time: what all conditions do alike.
    soft_normalise : divide each unit by its range over conditions and time plus this, in its unit (5 spikes/s in
        Churchland et al.); None = as it is.
    bin_width : s from bin to bin, for rates in rad/s; 1 = rad per bin.
    missing : "raise", "omit" (bins with a missing value are left out) or "mask" (exactly the missing values are).

    Attributes
    ----------
    components_ : (n_components, units) orthonormal axes, two and two a plane, the fastest plane first. Each plane is
        turned through from its first axis to its second; the first is that of largest variance, its largest loading
        positive.
    M_ : (n_components, n_components) skew-symmetric, in those axes: d = M z.   full_ : the best unconstrained one.
    rates_ : (n_components // 2,) w over ``bin_width``, rad/s. A rotation by w rad per bin has sin w here, and less with
        noise: times signal / (signal + noise) of the variances in the plane.
    turning_rates_ : (n_components // 2,) angle by which states turn in each plane from bin to bin, over ``bin_width``:
        not smaller with noise that is independent from bin to bin, erratic in planes without a rotation.
    r2_skew_, r2_, ratio_ : share of the squared training steps that M, and full, explain, and r2_skew / r2.
    explained_variance_ratio_ : (n_components,) of the variance of the data, less their mean over conditions.
    mean_ : (units,), condition_mean_ : (time, units) what is taken out, of normalised values; scale_ : (units,).
    n_components_, n_features_in_.

    Raises
    ------
    InputError : fewer than 2 conditions with ``subtract_mean``, fewer than 2 bins in every condition, n_components odd
        or more than the data have.
    ConsilienceWarning : ``constant-units``.

    References
    ----------
    Churchland et al. (2012).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> angle = rng.uniform(0, 2 * np.pi, (10, 1)) + 0.2 * np.arange(40)  # 20 rad/s in bins of 10 ms
    >>> state = np.stack([np.cos(angle), np.sin(angle)], axis=2)
    >>> x = state @ np.linalg.qr(rng.normal(size=(20, 2)))[0].T + 0.01 * rng.normal(size=(10, 40, 20))
    >>> model = cs.models.JPCA(n_components=2, bin_width=0.01).fit(x)
    >>> model.rates_.round(), model.transform(x).shape
    (array([20.]), (10, 40, 2))
    """

    def __init__(
        self,
        n_components: int = 6,
        *,
        subtract_mean: bool = True,
        soft_normalise: float | None = None,
        bin_width: float = 1.0,
        missing: str = "raise",
    ) -> None:
        self.n_components = n_components
        self.subtract_mean = subtract_mean
        self.soft_normalise = soft_normalise
        self.bin_width = bin_width
        self.missing = missing

    def fit(self, X: Any, y: Any = None) -> JPCA:
        """Fits. X : (condition, time, unit), or a list of (time_i, unit); a table is one condition (time, unit)."""
        trials = as_trials(X, who=WHO, missing=self.missing, estimator=self, flat="trial")
        k = check_count(self.n_components, name="n_components", who=WHO, minimum=2)
        if k % 2:
            raise InputError(
                f"{WHO}: n_components must be even, as a rotation has planes; got {k}. Use {k - 1} or {k + 1}.",
                code="bad-parameter",
            )
        width = check_number(self.bin_width, name="bin_width", who=WHO, low=0.0)
        trials.need(3, who=WHO, what="a law from bin to bin")
        if self.subtract_mean and len(trials) < 2:
            raise InputError(
                f"{WHO}: the mean over conditions of a single one leaves nothing; pass more conditions, or "
                "subtract_mean=False.",
                code="too-few",
            )
        varies = constant_units(trials, who=WHO)
        self.scale_ = self._scale(trials)
        self.condition_mean_ = self._mean_over_conditions(trials)
        self.mean_ = self.condition_mean_.mean(axis=0)
        rest, known = self._without(trials)
        if np.abs(rest).max() <= 1e-13 * np.abs(trials.data / self.scale_).max():
            over = " over conditions" if self.subtract_mean else ""
            raise InputError(
                f"{WHO}: nothing varies: less their mean{over}, the data are 0 but for rounding.",
                code="rank-deficient",
            )
        axes, variance, total = _axes(rest, known, varies, k)
        rank = int((variance > 1e-12 * max(float(variance[0]), 1e-300)).sum())
        if rank < k:
            raise InputError(
                f"{WHO}: the data, less their means, vary along {rank} axes only, fewer than n_components={k}; ask "
                "for at most as many.",
                code="rank-deficient",
            )
        z, seen = _latents(rest, known, axes)
        at = _followed(trials, seen)
        if not at.size:
            raise InputError(f"{WHO}: no two bins that follow each other were seen.", code="too-few")
        fit = linear_fit(z[at], z[at + 1] - z[at])
        basis, speed = rotation_planes(fit.skew)
        basis = _settled(basis, axes, z[seen])
        self.components_ = (axes @ basis).T
        self.M_, self.full_ = basis.T @ fit.skew.T @ basis, basis.T @ fit.full.T @ basis
        self.rates_ = speed / width
        self.turning_rates_ = turning_angles(z[at], z[at + 1], basis) / width
        self.r2_skew_, self.r2_, self.ratio_ = fit.r2_skew, fit.r2, fit.ratio
        self.explained_variance_ratio_ = ((z[seen] @ basis) ** 2).mean(axis=0) / total
        self.n_components_ = k
        return self

    def transform(self, X: Any) -> Any:
        """Coordinates in the planes, (condition, time, n_components), in the container of X; NaN where nothing was
        seen. What is taken out is the mean over the *training* conditions, so bins must be those of training.
        """
        trials = self._read(X)
        z, seen = _latents(*self._without(trials), self.components_.T)
        z[~seen] = np.nan
        return trials.like(z)

    def inverse_transform(self, latents: Any) -> Any:
        """Responses (condition, time, unit) that the coordinates stand for, with the mean over conditions put back."""
        check_is_fitted(self, "components_")
        trials = as_trials(latents, who=WHO, missing="mask", units=self.n_components_, flat="trial")
        out = trials.data @ self.components_ + self._means(trials)
        if trials.mask is not None:
            out[~trials.mask.all(axis=1)] = np.nan
        return trials.like(out * self.scale_)

    def score(self, X: Any, y: Any = None) -> float:
        """R2 of the steps of X predicted by the rotation, 1 - ||d - M z||^2 / ||d||^2: of conditions held out if X was
        not what was fitted; can be negative.
        """
        trials = self._read(X)
        z, seen = _latents(*self._without(trials), self.components_.T)
        at = _followed(trials, seen)
        return explained(z[at], z[at + 1] - z[at], self.M_.T)

    def _read(self, X: Any) -> Trials:
        check_is_fitted(self, "components_")
        trials = as_trials(X, who=WHO, missing=self.missing, estimator=self, reset=False, flat="trial")
        if self.subtract_mean and trials.lengths.max() > len(self.condition_mean_):
            raise InputError(
                f"{WHO}: a condition has {trials.lengths.max()} bins, and the mean over the training conditions is "
                f"known for {len(self.condition_mean_)}; cut it there.",
                code="bad-shape",
            )
        return trials

    def _scale(self, trials: Trials) -> np.ndarray:
        if self.soft_normalise is None:
            return np.ones(trials.units)
        soft = check_number(
            self.soft_normalise, name="soft_normalise", who=WHO, low=0.0, high=1e300, closed=True
        )
        seen = True if trials.mask is None else trials.mask
        low = np.where(seen, trials.data, np.inf).min(axis=0)
        scale = np.where(seen, trials.data, -np.inf).max(axis=0) - low + soft
        return np.where(scale > 0, scale, 1.0)

    def _mean_over_conditions(self, trials: Trials) -> np.ndarray:
        """(time, units) mean over the conditions that were seen; without ``subtract_mean`` that of all, (1, units)."""
        if not self.subtract_mean:
            return np.asarray(trials.mean() / self.scale_)[None]
        total, count = np.zeros((2, int(trials.lengths.max()), trials.units))
        seen = trials.seen or [np.ones((t, trials.units), bool) for t in trials.lengths]
        for value, known in zip(trials.values, seen):
            total[: len(value)] += value
            count[: len(value)] += known
        # a bin of one condition is its own mean: nothing is left of it
        self._several = count >= 2
        return total / np.maximum(count, 1) / self.scale_

    def _means(self, trials: Trials) -> np.ndarray:
        if not self.subtract_mean:
            return np.broadcast_to(self.condition_mean_, (trials.n_bins, len(self.scale_)))
        return self.condition_mean_[np.concatenate([np.arange(t) for t in trials.lengths])]

    def _without(self, trials: Trials) -> tuple[np.ndarray, np.ndarray | None]:
        """(n, units) normalised and less the mean, missing values 0, and which are known (None = all)."""
        rest = trials.data / self.scale_ - self._means(trials)
        known = trials.mask
        if self.subtract_mean and not self._several.all():
            several = self._several[np.concatenate([np.arange(t) for t in trials.lengths])]
            known = several if known is None else known & several
        if known is not None:
            rest = np.where(known, rest, 0.0)
        return rest, known


def _axes(
    rest: np.ndarray, known: np.ndarray | None, varies: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Principal axes (units, k), variances (k,), and the variance of all units; covariances from the bins in which both
    units of a pair are known.
    """
    units = rest.shape[1]
    if known is None and units > len(rest):
        value, left = np.linalg.eigh(rest @ rest.T / len(rest))
        value, left = value[::-1], left[:, ::-1][:, : min(k, len(rest))]
        axes = rest.T @ left
        size = np.linalg.norm(axes, axis=0)
        return axes / np.where(size > 0, size, 1.0), value[:k], float(value.sum())
    count: np.ndarray | float = float(len(rest))
    if known is not None:
        seen = known.astype(np.float64)
        count = np.maximum(seen.T @ seen, 1.0)
    covariance = rest.T @ rest / count
    covariance[~varies] = 0.0
    covariance[:, ~varies] = 0.0
    value, vector = np.linalg.eigh(covariance)
    return vector[:, ::-1][:, : min(k, units)], value[::-1][:k], float(np.trace(covariance))


def _latents(rest: np.ndarray, known: np.ndarray | None, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (n, k) along orthonormal axes and whether a bin has any, (n,): of bins with missing values by least
    squares from the units seen, if these tell all k apart.
    """
    if known is None:
        return rest @ axes, np.ones(len(rest), bool)
    patterns, which = patterns_of(known)
    out, seen = np.zeros((len(rest), axes.shape[1])), np.zeros(len(rest), bool)
    for number, pattern in enumerate(patterns):
        if pattern.sum() < axes.shape[1]:
            continue
        part = axes[pattern]
        inner = part.T @ part
        if np.linalg.eigvalsh(inner)[0] < 1e-3:  # of 1 with all units
            continue
        rows = which == number
        out[rows] = np.linalg.solve(inner, part.T @ rest[rows][:, pattern].T).T
        seen |= rows
    return out, seen


def _followed(trials: Trials, seen: np.ndarray) -> np.ndarray:
    """Bins that were seen and are followed by one of the same condition that was."""
    ends = np.zeros(trials.n_bins, bool)
    ends[trials.starts[1:] - 1] = True
    return np.flatnonzero(seen[:-1] & seen[1:] & ~ends[:-1])


def _settled(basis: np.ndarray, axes: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The planes' bases turned so that the first axis has the largest variance, and a largest loading above 0."""
    out = basis.copy()
    for plane in range(basis.shape[1] // 2):
        two = basis[:, 2 * plane : 2 * plane + 2]
        inner = two.T @ (z.T @ z) @ two
        angle = 0.5 * np.arctan2(2 * inner[0, 1], inner[0, 0] - inner[1, 1])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        two = two @ turn  # a rotation: the direction of turning stays
        loading = axes @ two[:, 0]
        out[:, 2 * plane : 2 * plane + 2] = two * np.sign(loading[np.abs(loading).argmax()] or 1.0)
    return out
