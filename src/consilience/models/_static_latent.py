"""What PCA and factor analysis share: latents of each bin by itself, whatever container the data come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_count, shorten
from consilience.models._linear_gaussian import Gaussian, left_out
from consilience.models._trials import Trials, as_trials

__all__ = ["StaticLatent", "from_latents", "largest", "r2_of_units", "refuse_components", "without_blanks"]


def largest(value: Any, most: int, *, who: str) -> int:
    """``max_components``, None = ``most``."""
    if value is None:
        return most
    return min(most, check_count(value, name="max_components", who=who, minimum=1))


def r2_of_units(trials: Trials, predicted: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(p,) 1 - squared error of predictions (n, p) over that of ``mean`` (p,), over the values that are there."""
    rest, about = trials.data - predicted, trials.data - mean
    if trials.mask is not None:
        rest, about = rest * trials.mask, about * trials.mask
    total = np.einsum("tp,tp->p", about, about)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - np.einsum("tp,tp->p", rest, rest) / total, np.nan)


def from_latents(latents: Any, k: int, make: Any, *, who: str) -> Any:
    """``make`` of latents (..., k), in the container that they came in."""
    if isinstance(latents, (list, tuple)) and len(latents) and np.ndim(latents[0]) == 2:
        return [from_latents(part, k, make, who=who) for part in latents]
    z = np.asarray(latents, dtype=np.float64)
    if z.ndim not in (2, 3) or z.shape[-1] != k:
        raise InputError(
            f"{who}: latents must be (..., {k}), in an array or a list of trials, got shape {z.shape}.",
            code="shape-mismatch",
        )
    return make(z)


def without_blanks(trials: Trials) -> Trials:
    """Bins without any value say nothing here."""
    if not trials.blank.any():
        return trials
    keep = ~trials.blank
    owner = np.repeat(np.arange(len(trials)), trials.lengths)[keep]
    lengths = np.bincount(owner, minlength=len(trials))
    mask = trials.mask[keep]  # type: ignore[index]
    return Trials(
        trials.data[keep], None if mask.all() else mask, lengths[lengths > 0], "list", int(lengths.max())
    )


class StaticLatent(TransformerMixin, BaseEstimator, ABC):
    """Base of models x = mean + z W + noise that know no time."""

    components_: np.ndarray
    mean_: np.ndarray
    n_components_: int
    missing: Any
    _varies: np.ndarray

    @abstractmethod
    def _gaussian(self) -> Gaussian:
        """The model of the units that vary."""

    @abstractmethod
    def _latents(self, trials: Trials) -> np.ndarray:
        """(n, k) of the units that vary."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags

    def _door(self, X: Any, method: str) -> Trials:
        check_is_fitted(self, "components_")
        who = f"{type(self).__name__}.{method}"
        trials = as_trials(X, who=who, missing=self.missing, estimator=self, reset=False)
        return trials.take(self._varies)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def transform(self, X: Any) -> Any:
        """Latents (..., k) in the container of X; NaN where a bin has no value."""
        trials = self._door(X, "transform")
        latents = self._latents(trials)
        latents[trials.blank] = np.nan
        return trials.like(latents)

    def inverse_transform(self, latents: Any) -> Any:
        """The units' activity (..., p) that latents (..., k) stand for."""
        check_is_fitted(self, "components_")
        who = f"{type(self).__name__}.inverse_transform"
        return from_latents(latents, self.n_components_, lambda z: z @ self.components_ + self.mean_, who=who)

    def unit_scores(self, X: Any) -> np.ndarray:
        """(p,) R2 of each unit predicted from the other units of the same bin, about the training mean; NaN for units
        that did not vary in training, or do not vary in X.
        """
        trials = self._door(X, "unit_scores")
        model = self._gaussian()
        if not (model.noise > 0).all():
            raise InputError(
                f"{type(self).__name__}.unit_scores: {len(model.loadings)} components leave no noise, so that no unit "
                "can be predicted from the others; fit fewer components.",
                code="no-structure",
            )
        out = np.full(self._varies.size, np.nan)
        out[self._varies] = r2_of_units(trials, left_out(trials.data, trials.mask, model), model.mean)
        return out


def refuse_components(value: Any, most: int, *, who: str, extra: str) -> InputError:
    return InputError(
        f"{who}: n_components must be {extra}, or a whole number up to {most} (of n_samples and n_features); got "
        f"{shorten(value)}.",
        code="bad-parameter",
    )
