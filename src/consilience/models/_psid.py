"""Dynamics of a population that behaviour follows, apart from those that it does not: PSID."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, check_number
from consilience._core._seeds import resolve_seed
from consilience.models._lds_intervals import in_runs
from consilience.models._lds_smooth import in_order
from consilience.models._psid_data import BehaviourScores, behaviour_of
from consilience.models._psid_stages import (
    Innovations,
    filtered,
    identify,
    lagged_cross,
    stabilised,
    windows,
)
from consilience.models._static_latent import r2_of_units
from consilience.models._trials import Missing, Trials, as_trials, constant_units, trial_folds
from consilience.stats import autocorrelation_time, circular_shifts, fold_interval

__all__ = ["PSID"]

_MOST = 3000  # rows of a window's covariance that a horizon is chosen for


@dataclass(frozen=True)
class _Fitted:
    """A system in units of variance 1 (``scale`` (p,) about ``mean`` (p,)) and behaviour (b, k) from its states."""

    system: Innovations
    mean: np.ndarray
    scale: np.ndarray
    decode: np.ndarray
    offset: np.ndarray
    relevant: int

    def states(self, trials: Trials) -> np.ndarray:
        scaled = trials.centred(self.mean)
        return filtered(replace(scaled, data=scaled.data / self.scale), self.system)

    def predicted(self, trials: Trials) -> np.ndarray:
        return self.states(trials) @ self.decode.T + self.offset


class PSID(TransformerMixin, BaseEstimator):
    """Preferential subspace identification: states of a population that predict behaviour first, the rest after them.

    x_{t+1} = A x_t + w; y_t = C x_t + v (units); z_t = D x_t + e (behaviour), A = [[A11, 0], [A21, A22]]. Stage 1
    projects future behaviour onto past activity: its leading directions are ``n_relevant`` states, whose dynamics need
    no others. Stage 2 does the same with what is left of future activity. LDS takes the states of the largest activity
    instead, whether or not behaviour follows them. Units and behaviours are scaled to variance 1. Missing values are
    left out of the products of past and future; these are shrunk towards their mean diagonal as far as covariances of
    that many normal samples should be (Chen et al. 2010), which fades with more bins.

    Parameters
    ----------
    n_components : k states in all.   n_relevant : of them from stage 1; 0 = activity alone, behaviour by regression;
    "cv": the fewest whose held-out R2, with no others, is within a standard error of the best.   cv : folds for that.
    horizon : i, bins of past and of future; None = a quarter of a trial, 2 to 10. At most horizon * behaviours states
    are relevant.   missing : of X and of y, "raise", "mask" (leave out exactly the missing values) or "omit" (bins with
    any).   bin_width : seconds, for time constants and frequencies.

    Attributes
    ----------
    A_ : (k, k), relevant states first.   components_ : (k, p) units from states, behaviour_components_ : (k, b)
    behaviours from states, both by least squares in training; mean_ : (p,), behaviour_mean_ : (b,) theirs at 0.
    eigenvalues_ : (k,) those of A11, then of A22.   time_constants_ : (k,) seconds.   frequencies_ : (k,) Hz.
    n_components_, n_relevant_.   cv_relevant_ : numbers tried and cv_scores_ : (numbers, cv) R2, mean over behaviours;
    None for a given number.

    States are filtered: what the bins up to and including t say of t + 1. They have variance 1 in training; columns of
    C of relevant states are orthogonal, and those of the others.

    Raises
    ------
    InputError : ``nan-values``, ``too-few``, ``constant-units``, ``shape-mismatch`` (y beside X), ``bad-parameter``.

    References
    ----------
    Sani, Abbaspourazad, Wong, Pesaran & Shanechi (2021); Van Overschee & De Moor (1996); Chen et al. (2010).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = np.zeros((30, 100, 2))  # (trial, time, state): the second is 9 times as strong, and no behaviour
    >>> for t in range(1, 100):
    ...     x[:, t] = [0.8, 0.95] * x[:, t - 1] + [1, 3] * rng.normal(size=(30, 2))
    >>> spikes = x @ rng.normal(size=(2, 15)) + rng.normal(size=(30, 100, 15))
    >>> hand = x[..., 0] + rng.normal(size=(30, 100))
    >>> model = cs.models.PSID(1, 1).fit(spikes[:20], hand[:20])
    >>> lds = cs.models.PSID(1, 0).fit(spikes[:20], hand[:20])
    >>> round(model.score(spikes[20:], hand[20:]), 1), abs(round(lds.score(spikes[20:], hand[20:]), 1))
    (0.7, 0.0)
    """

    def __init__(
        self,
        n_components: int,
        n_relevant: int | Literal["cv"] = "cv",
        *,
        cv: int = 5,
        horizon: int | None = None,
        missing: Missing = "raise",
        bin_width: float = 1.0,
    ) -> None:
        self.n_components = n_components
        self.n_relevant = n_relevant
        self.cv = cv
        self.horizon = horizon
        self.missing = missing
        self.bin_width = bin_width

    def fit(self, X: Any, y: Any) -> PSID:
        """Fits. X : (trial, time, unit), a list of (time, unit), or one trial (time, unit).   y : behaviour in the same
        container, (.., behaviours), or without that axis for one.
        """
        who = "PSID.fit"
        check_number(self.bin_width, name="bin_width", who=who, low=0.0)
        trials, behaviour = self._both(X, y, who, reset=True)
        self._varies = constant_units(trials, who=who)
        self.mean_ = trials.mean()
        trials = trials.take(self._varies)
        i, k = self._sizes(trials, behaviour, who)
        relevant = self._choose(trials, behaviour, i, k, who)
        if self.cv_scores_ is not None and relevant == self._most_relevant < (i - 1) * behaviour.units:
            warn(
                "components-at-edge",
                f"{who}: {relevant} relevant states are the most that were tried, and were the best.",
                f"Try more: n_components={2 * k}.",
                stacklevel=3,
            )
        made = self._identified(trials, behaviour, i, k, [relevant])[0]
        self._store(trials, made, relevant)
        return self

    def _both(self, X: Any, y: Any, who: str, *, reset: bool = False) -> tuple[Trials, Trials]:
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, reset=reset, flat="trial")
        if reset and (trials.lengths.max() < 4 or trials.n_bins - len(trials) < 6):
            raise InputError(
                f"{who}: dynamics need trials of several bins, at least 4, got {trials.n_bins} bins (n_samples = "
                f"{trials.n_bins}) in {len(trials)} trials; the first axis of an array (trial, time, unit) is trials.",
                code="too-few",
            )
        if y is None:
            raise InputError(
                f"{who}: y, behaviour (time, behaviours) of each trial, is None; requires y to be passed, but the "
                "target y is None.",
                code="bad-parameter",
            )
        behaviour = behaviour_of(y, trials, who=who, missing=self.missing, varies=reset)
        return trials, behaviour

    def _sizes(self, trials: Trials, behaviour: Trials, who: str) -> tuple[int, int]:
        longest = int(trials.lengths.max())
        if self.horizon is None:
            typical = int(np.median(trials.lengths)) // 4
            i = min(longest // 2, max(2, min(10, typical, _MOST // trials.units - 1)))
        else:
            i = check_count(self.horizon, name="horizon", who=who, minimum=2, maximum=longest // 2)
        # A follows from the shift by one bin: the first i - 1 blocks must still span the states
        most = max(1, min(trials.units * (i - 1), trials.n_bins // 2))
        k = check_count(self.n_components, name="n_components", who=who, minimum=1, maximum=most)
        self._most_relevant = min(k, (i - 1) * behaviour.units)
        return i, k

    def _choose(self, trials: Trials, behaviour: Trials, i: int, k: int, who: str) -> int:
        self.cv_relevant_: Any = None
        self.cv_scores_: Any = None
        most = self._most_relevant
        if not (isinstance(self.n_relevant, str) and self.n_relevant == "cv"):
            if isinstance(self.n_relevant, (int, np.integer)) and most < self.n_relevant <= k:
                raise InputError(
                    f"{who}: n_relevant={self.n_relevant} states need a longer horizon: with {behaviour.units} "
                    f"behaviours and horizon={i} there are at most {most}.",
                    code="bad-parameter",
                )
            return check_count(self.n_relevant, name="n_relevant (or 'cv')", who=who, minimum=0, maximum=k)
        cv = check_count(self.cv, name="cv", who=who, minimum=2)
        runs = in_runs(trials, cv, 2 * i, who=who)
        beside = replace(behaviour, lengths=runs.lengths)
        grid = np.arange(1, most + 1)
        scores = np.empty((grid.size, cv))
        for f, (train, test) in enumerate(trial_folds(runs, cv, who=who)):
            made = self._identified(runs.pick(train), beside.pick(train), i, None, grid.tolist())
            held, told = runs.pick(test), beside.pick(test)
            scores[:, f] = [_mean(r2_of_units(told, m.predicted(held), m.offset)) for m in made]
        if not np.isfinite(scores).all():
            fold = int(np.argmax(np.logical_not(np.isfinite(scores)).any(axis=0)))
            raise InputError(
                f"{who}: fold {fold} of {cv} has no behaviour, so that nothing can be chosen on it; use fewer folds, "
                "or give n_relevant.",
                code="nan-values",
            )
        self.cv_relevant_, self.cv_scores_ = grid, scores
        level = scores.mean(axis=1)
        best = int(np.argmax(level))
        return int(grid[np.argmax(level >= level[best] - scores[best].std(ddof=1) / np.sqrt(cv))])

    def _identified(
        self, trials: Trials, behaviour: Trials, i: int, k: int | None, relevant: list[int]
    ) -> list[_Fitted]:
        """Fits for each number of relevant states, of k states in all; None = no others."""
        mean, scale = trials.mean(), np.sqrt(trials.variance())
        scale = np.where(scale > 0, scale, 1.0)
        x = trials.centred(mean)
        x = replace(x, data=x.data / scale)
        offset, size = behaviour.mean(), np.sqrt(behaviour.variance())
        size = np.where(size > 0, size, 1.0)
        z = behaviour.centred(offset)
        z = replace(z, data=z.data / size)
        parts = windows(lagged_cross(x, x, 2 * i), lagged_cross(z, x, 2 * i), i, x.n_bins)
        out = []
        for number in relevant:
            system = stabilised(identify(parts, number if k is None else k, number)[0])
            states = filtered(x, system)
            system, map_ = _in_units(system, states, number)
            decode, at = _regressed(behaviour, states @ map_.T)
            out.append(_Fitted(system, mean, scale, decode, at, number))
        return out

    def _store(self, trials: Trials, made: _Fitted, relevant: int) -> None:
        k, p = len(made.system.A), self._varies.size
        self._made = made
        self.A_ = made.system.A
        self.n_components_, self.n_relevant_ = k, relevant
        told, at = _regressed(trials, made.states(trials))
        self.components_ = np.zeros((k, p))
        self.components_[:, self._varies], self.mean_[self._varies] = told.T, at
        self.behaviour_components_, self.behaviour_mean_ = made.decode.T, made.offset
        values = []
        for block in (self.A_[:relevant, :relevant], self.A_[relevant:, relevant:]):
            part = np.linalg.eigvals(block).astype(complex)
            values.append(part[np.lexsort((-part.imag, -np.abs(part).round(12)))])
        self.eigenvalues_ = np.concatenate(values)
        size = np.clip(np.abs(self.eigenvalues_), 1e-300, None)
        with np.errstate(divide="ignore"):
            self.time_constants_ = -self.bin_width / np.log(size)
        self.frequencies_ = np.abs(np.angle(self.eigenvalues_)) / (2 * np.pi * self.bin_width)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "raise"
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _door(self, X: Any, method: str) -> Trials:
        check_is_fitted(self, "components_")
        who = f"PSID.{method}"
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, reset=False, flat="trial")
        return trials.take(self._varies)

    def transform(self, X: Any) -> Any:
        """States (..., k) in the container of X, relevant ones first, from bins up to and including each."""
        trials = self._door(X, "transform")
        return trials.like(self._made.states(trials))

    def predict(self, X: Any) -> Any:
        """Behaviour (..., b) in the container of X, from bins up to and including each."""
        trials = self._door(X, "predict")
        return trials.like(self._made.predicted(trials))

    def behaviour_scores(self, X: Any, y: Any) -> np.ndarray:
        """(b,) R2 of each behaviour, about its training mean."""
        check_is_fitted(self, "components_")
        trials, behaviour = self._both(X, y, "PSID.behaviour_scores")
        b = len(self.behaviour_mean_)
        if behaviour.units != b:
            raise InputError(
                f"PSID.behaviour_scores: y has {behaviour.units} behaviours, expected {b}.",
                code="shape-mismatch",
            )
        return r2_of_units(behaviour, self._made.predicted(trials.take(self._varies)), self.behaviour_mean_)

    def score(self, X: Any, y: Any) -> float:
        """R2 of behaviour, mean over behaviours."""
        return _mean(self.behaviour_scores(X, y))

    def held_out(
        self, X: Any, y: Any, *, cv: int = 5, n_shifts: int = 0, level: float = 0.95, rng: Any = 0
    ) -> BehaviourScores:
        """R2 of behaviour in trials that the model was not fitted to (`BehaviourScores`), folds of neighbouring trials
        (of one long trial: runs of bins). The number of relevant states is chosen again in each training set where it
        is "cv". ``n_shifts``: behaviour is shifted on a circle over all bins in turn, by more than a window and than it
        remembers, and everything is fitted again: slow activity and slow behaviour agree by chance, shifted or not.
        """
        who = "PSID.held_out"
        level = check_number(level, name="level", who=who, low=0.0, high=1.0)
        n_shifts = check_count(n_shifts, name="n_shifts", who=who)
        cv = check_count(cv, name="cv", who=who, minimum=2)
        fresh = type(self)(**self.get_params(deep=False))
        trials, behaviour = fresh._both(X, y, who, reset=True)
        trials = trials.take(constant_units(trials, who=who))
        i, k = fresh._sizes(trials, behaviour, who)
        runs = in_runs(trials, cv, 2 * i, who=who)
        behaviour = replace(behaviour, lengths=runs.lengths)
        folds = trial_folds(runs, cv, who=who)

        def scores(beside: Trials) -> tuple[np.ndarray, np.ndarray]:
            out, numbers = [], []
            for train, test in folds:
                part, told = runs.pick(train), beside.pick(train)
                number = fresh._choose(part, told, i, k, who)
                made = fresh._identified(part, told, i, k, [number])[0]
                held = beside.pick(test)
                out.append(r2_of_units(held, made.predicted(runs.pick(test)), told.mean()))
                numbers.append(number)
            return np.array(out), np.array(numbers)

        found, numbers = scores(behaviour)
        r2, low, high = fold_interval(found, level)
        null = p = None
        if n_shifts:
            n = behaviour.n_bins
            memory = int(np.ceil(autocorrelation_time(behaviour.data).max()))
            least = min(max(2 * i, memory), n // 4)
            draws = resolve_seed(rng, who=who).stream("shifts")
            null = np.array(
                [
                    scores(_shifted(behaviour, s))[0].mean(axis=0)
                    for s in circular_shifts(n, least, n_shifts, draws)
                ]
            )
            p = np.where(np.isfinite(r2), (1 + (null >= r2).sum(axis=0)) / (len(null) + 1), np.nan)
        return BehaviourScores(r2=r2, ci_low=low, ci_high=high, null=null, p=p, n_relevant=numbers)


def _shifted(trials: Trials, by: int) -> Trials:
    mask = None if trials.mask is None else np.roll(trials.mask, by, axis=0)
    return replace(trials, data=np.roll(trials.data, by, axis=0), mask=mask)


def _mean(r2: np.ndarray) -> float:
    """Over behaviours that are there; NaN when none is."""
    known = r2[np.isfinite(r2)]
    return float(known.mean()) if known.size else float("nan")


def _regressed(target: Trials, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of what was seen of ``target`` (n, b) on states (n, k) and 1: (b, k) and (b,)."""
    design = np.column_stack([states, np.ones(len(states))])
    if target.mask is None:
        found = np.linalg.lstsq(design, target.data, rcond=None)[0].T
    else:
        found = np.array(
            [np.linalg.lstsq(design[m], d[m], rcond=None)[0] for d, m in zip(target.data.T, target.mask.T)]
        )
    return found[:, :-1], found[:, -1]


def _in_units(system: Innovations, states: np.ndarray, relevant: int) -> tuple[Innovations, np.ndarray]:
    """The same with states of variance 1 and orthogonal columns of C, in the relevant ones and in the others, and the
    map (k, k) to them: within either, so that relevant states still need no others.
    """
    k = len(system.A)
    about = states - states.mean(axis=0)
    covariance = about.T @ about / len(states)
    map_ = np.zeros((k, k))
    for block in (slice(0, relevant), slice(relevant, k)):
        if block.stop > block.start:
            map_[block, block] = in_order(covariance[block, block], system.C[:, block])
    back = np.linalg.inv(map_)
    return Innovations(
        map_ @ system.A @ back,
        system.C @ back,
        map_ @ system.Q @ map_.T,
        map_ @ system.S,
        system.R,
        map_ @ system.V0 @ map_.T,
    ), map_
