"""What models of Gaussian-process latents share: data in, orthonormal latents out, held-out units."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._threads import one_thread_if_small
from consilience.models._gp_kernels import Kernel, kernel_of
from consilience.models._gp_posterior import Block, Parameters
from consilience.models._gp_timescales import Slopes, timescale_interval
from consilience.models._trials import Trials, as_trials, constant_units
from consilience.stats import ratio_interval

__all__ = ["GPLatents", "LatentPosterior", "LeftOut", "UnitScores"]

_START = 5.0  # bins, a time constant where the data have no lags


@dataclass(frozen=True)
class LatentPosterior:
    """Latents and how well they are known.

    mean : latents as `transform` gives them.   variance : the same shape, posterior variance of each latent at each
    bin, given the fitted parameters.
    """

    mean: Any
    variance: Any


@dataclass(frozen=True)
class LeftOut:
    """Each unit predicted from the other units of its trial.

    prediction : (n, units) expected values, bins of trials below each other.   explained, total : (trials, units) parts
    of the score of a unit, which is the sum of explained over trials over that of total.
    """

    prediction: np.ndarray
    explained: np.ndarray
    total: np.ndarray

    def scores(self) -> np.ndarray:
        """(units,), NaN where a unit has nothing to explain."""
        total = self.total.sum(axis=0)
        return np.where(total > 0, self.explained.sum(axis=0) / np.where(total > 0, total, 1.0), np.nan)

    def overall(self, pooled: bool) -> tuple[np.ndarray, np.ndarray]:
        """(trials,) parts of one score of all units: pooled over units, or the mean of their scores."""
        if pooled:
            return self.explained.sum(axis=1), self.total.sum(axis=1)
        total = self.total.sum(axis=0)
        share = np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 0.0) / max(1, int((total > 0).sum()))
        return self.explained @ share, self.total @ share


@dataclass(frozen=True)
class UnitScores:
    """How well units are predicted from the others of their trial, with intervals over trials (Fieller 1954).

    value, low, high : (units,).   overall, overall_low, overall_high : of all units: the mean R2, or the bits of all
    units over the spikes of all.   score : "R2" or "bits per spike".   n_trials : NaN intervals where there is one.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    overall: float
    overall_low: float
    overall_high: float
    score: str
    n_trials: int


class GPLatents(TransformerMixin, BaseEstimator):
    """Abstract: a concrete class learns, infers and leaves units out."""

    #: what `unit_scores` are
    unit_score = "R2"

    n_components: Any
    bin_width: Any
    kernel: Any
    gp_noise: Any
    segment: Any
    max_iter: Any
    tol: Any
    missing: Any

    @abstractmethod
    def _learn(
        self, trials: Trials, k: int, kernel: Kernel, bounds: tuple[float, float]
    ) -> tuple[Parameters, list[float], bool]:
        """(parameters, objective at each step, converged) from trials of the units that vary."""

    @abstractmethod
    def _infer(self, trials: Trials) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """For each trial: (t, k) latents of the processes, (t, k, k) their covariance; (trials,) log-likelihoods."""

    @abstractmethod
    def _leave_out(self, trials: Trials) -> LeftOut:
        """Of the units that vary."""

    def _values(self, trials: Trials) -> Trials:
        """The values that the model describes."""
        return trials

    def _read(self, X: Any, *, reset: bool) -> Trials:
        who = f"{type(self).__name__}{'.fit' if reset else ''}"
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, reset=reset, flat="trial")
        return self._values(trials)

    def _seen_by(self, X: Any) -> Trials:
        check_is_fitted(self, "components_")
        trials = self._read(X, reset=False)
        return trials if self._varies.all() else trials.take(self._varies)

    def _inferred(self, X: Any) -> tuple[Trials, list[np.ndarray], list[np.ndarray], np.ndarray]:
        trials = self._seen_by(X)
        with self._threads(trials):
            return trials, *self._infer(trials)

    def _left_out(self, X: Any) -> tuple[Trials, LeftOut]:
        trials = self._seen_by(X)
        with self._threads(trials):
            return trials, self._leave_out(trials)

    def _threads(self, trials: Trials) -> Any:
        return one_thread_if_small((self.n_components_ * int(trials.lengths.max()),))

    def fit(self, X: Any, y: Any = None) -> Any:
        """Fits. X : (trial, time, unit), a list of (time_i, unit), or one trial (time, unit).   y : ignored."""
        who = type(self).__name__
        width = check_number(self.bin_width, name="bin_width", who=who, low=0.0)
        noise = check_number(self.gp_noise, name="gp_noise", who=who, low=0.0, high=1.0)
        check_number(self.tol, name="tol", who=who, low=0.0, high=1.0, closed=True)
        steps = check_count(self.max_iter, name="max_iter", who=who, minimum=1)
        kernel = kernel_of(self.kernel, noise, who=who)
        trials = self._read(X, reset=True)
        table = replace(trials, form="rows") if trials.form == "trial" else trials
        table.need(2, who=f"{who}.fit", what="a fit")
        varies = constant_units(trials, who=f"{who}.fit")
        used = trials if varies.all() else trials.take(varies)
        k = check_count(self.n_components, name="n_components", who=who, minimum=1)
        if k > used.units:
            raise InputError(
                f"{who}: n_components={k} is more than the {used.units} units that vary; use fewer latents.",
                code="bad-parameter",
            )
        if self.segment is not None:
            used = _cut(used, check_count(self.segment, name="segment", who=who, minimum=1))
        bounds = 0.2, 10.0 * max(2, int(used.lengths.max()))
        with one_thread_if_small((k * int(used.lengths.max()),)):
            found, history, converged = self._learn(used, k, kernel, bounds)
        if not converged and self.tol > 0:
            warn(
                "not-converged",
                f"{who}: EM stopped at max_iter={steps}, its last step still raised the objective by more than "
                f"tol={self.tol:g} a value.",
                "Give more steps (max_iter=), or a larger tol=.",
            )
        order = np.argsort(-(found.loadings**2).sum(axis=0), kind="stable")
        found = replace(found, loadings=found.loadings[:, order], tau=found.tau[order])
        self._kernel, self._parameters, self._varies = kernel, found, varies
        self._store(found, width)
        self.objective_ = np.asarray(history)
        self.n_iter_ = len(history)
        self.converged_ = bool(converged)
        return self

    def _store(self, p: Parameters, width: float) -> None:
        u, size, vt = np.linalg.svd(p.loadings, full_matrices=False)
        sign = np.sign(u[np.abs(u).argmax(axis=0), np.arange(u.shape[1])])
        sign[sign == 0] = 1.0
        self.n_components_ = p.tau.size
        self.components_ = np.zeros((p.tau.size, self._varies.size))
        self.components_[:, self._varies] = (u * sign).T
        self.rotation_ = (size * sign)[:, None] * vt
        self.loadings_ = np.zeros((self._varies.size, p.tau.size))
        self.loadings_[self._varies] = p.loadings
        self.timescales_, self._width = p.tau * width, width
        self._strength = size**2

    @abstractmethod
    def _slopes(self, trials: Trials) -> tuple[Slopes, Parameters]:
        """The slope of what was maximised, on trials of the units that vary, and the parameters found."""

    def timescale_interval(self, X: Any, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """(k,) lower and (k,) upper ends of ``timescales_``, X the training data, EM having converged.

        log tau is taken as normal with the curvature of the log-likelihood (Laplace), time constants and mixtures of
        the latents together. NaN where latents of one time constant can be turned into each other.
        """
        check_number(level, name="level", who=f"{type(self).__name__}.timescale_interval", low=0.0, high=1.0)
        trials = self._seen_by(X)
        if self.segment is not None:
            trials = _cut(trials, int(self.segment))
        with self._threads(trials):
            low, high = timescale_interval(*self._slopes(trials), level)
        return low * self._width, high * self._width

    def transform(self, X: Any) -> Any:
        """Posterior means of the orthonormal latents given all units and bins of a trial, in the container of X:
        (trial, time, k), padded with NaN after the end of a trial; or a list of (time_i, k).
        """
        trials, means, _, _ = self._inferred(X)
        return trials.like([m @ self.rotation_.T for m in means])

    def posterior(self, X: Any) -> LatentPosterior:
        """Posterior means and variances of the orthonormal latents."""
        trials, means, covariances, _ = self._inferred(X)
        turn = self.rotation_
        variance = [np.einsum("ai,tij,aj->ta", turn, c, turn, optimize=True) for c in covariances]
        return LatentPosterior(trials.like([m @ turn.T for m in means]), trials.like(variance))

    def inverse_transform(self, X: Any) -> Any:
        """Expected values of the units, in the units of the data, for latents (..., k) or a list of (time_i, k)."""
        check_is_fitted(self, "components_")
        if isinstance(X, (list, tuple)) and np.ndim(X[0]) == 2:
            return [self.inverse_transform(one) for one in X]
        latents = np.asarray(X, dtype=np.float64)
        if latents.ndim < 1 or latents.shape[-1] != self.n_components_:
            raise InputError(
                f"{type(self).__name__}.inverse_transform: expected latents (..., {self.n_components_}), got shape "
                f"{latents.shape}.",
                code="bad-shape",
            )
        return self._expected(latents @ self.components_)

    @abstractmethod
    def _expected(self, shared: np.ndarray) -> np.ndarray:
        """Values of units (..., units) whose latents contribute ``shared``."""

    def log_likelihood(self, X: Any) -> np.ndarray:
        """(trials,) log-likelihood of each trial, in nats, of the units that varied in the training data."""
        return self._inferred(X)[3]

    def score(self, X: Any, y: Any = None) -> float:
        """Log-likelihood per value that was seen, in nats. y : ignored."""
        trials, _, _, found = self._inferred(X)
        return float(found.sum() / trials.n_values)

    def predict_units(self, X: Any) -> Any:
        """Each unit predicted from the other units of its trial (`leave-neuron-out`, Yu et al. 2009), in the container
        and the units of X.
        """
        trials, left = self._left_out(X)
        out = np.broadcast_to(self._constant(), (trials.n_bins, self._varies.size)).copy()
        out[:, self._varies] = left.prediction
        return trials.like(out)

    @abstractmethod
    def _constant(self) -> np.ndarray:
        """(units,) what is predicted without latents, in the units of the data."""

    def unit_scores(self, X: Any) -> np.ndarray:
        """(units,) how well each unit is predicted from the others of its trial (co-smoothing); NaN for units that did
        not vary in training.
        """
        _, left = self._left_out(X)
        out = np.full(self._varies.size, np.nan)
        out[self._varies] = left.scores()
        return out

    def shared_score(self, X: Any) -> float:
        """`unit_scores` of all units in one number: the mean R2, or the bits of all units over the spikes of all."""
        _, left = self._left_out(X)
        above, below = left.overall(self.unit_score != "R2")
        return float(above.sum() / below.sum()) if below.sum() > 0 else float("nan")

    def unit_score_interval(self, X: Any, *, level: float = 0.95) -> UnitScores:
        """`unit_scores` and `shared_score` with intervals over the trials of X, the fitted model as it is."""
        check_number(level, name="level", who=f"{type(self).__name__}.unit_score_interval", low=0.0, high=1.0)
        trials, left = self._left_out(X)
        out = np.full((3, self._varies.size), np.nan)
        n = len(trials)
        above, below = left.overall(self.unit_score != "R2")
        if n > 1:
            out[:, self._varies] = ratio_interval(left.explained.T, left.total.T, level=level)
            value, low, high = (float(v) for v in ratio_interval(above, below, level=level))
        else:
            out[0, self._varies] = left.scores()
            value, low, high = float(above.sum() / below.sum()), float("nan"), float("nan")
        return UnitScores(out[0], out[1], out[2], value, low, high, self.unit_score, n)


def unfolded(blocks: list[Block], means: list[np.ndarray], trials: Trials) -> list[np.ndarray]:
    """[(t, k)] latents over time of all trials, from those of blocks."""
    out = [np.zeros((int(t), means[0].shape[2])) for t in trials.lengths]
    for block, mean in zip(blocks, means):
        block.unfold(mean, out)
    return out


def _cut(trials: Trials, most: int) -> Trials:
    """Trials in pieces of at most ``most`` bins, of lengths as equal as can be."""
    pieces = [len(part) for t in trials.lengths for part in np.array_split(np.arange(t), -(-int(t) // most))]
    return replace(trials, lengths=np.array(pieces), form="list", span=max(pieces))
