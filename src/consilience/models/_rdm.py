"""Models of an RDM: fixed, the best of several, a weighted sum, a point on a path. Fitted from inner products."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from consilience._core._errors import InputError
from consilience._core._params import check_number, check_option, shorten
from consilience.linalg import nnls_from_gram
from consilience.measures import compare_rdms
from consilience.measures._compare_rdms import METHODS, PREPARE
from consilience.measures._rdm_door import condensed_rdm

__all__ = ["FITTABLE", "FixedRDM", "InterpolateRDM", "RDMModel", "SelectRDM", "WeightedRDM"]

# comparisons that are the cosine of vectors linear in the RDM, so that inner products are all a fit needs
FITTABLE = ("cosine", "pearson", "whitened_cosine", "whitened_pearson")


def _stack(rdms: object, name: str, who: str) -> np.ndarray:
    """(k, P) from one RDM, a stack of condensed or square ones, or RDM data."""
    values = np.asarray(getattr(rdms, "values", rdms))
    if values.dtype.kind not in "biuf":
        raise InputError(f"{who}: {name} must hold real numbers, got {shorten(rdms)}.", code="not-numeric")
    square = values.ndim == 3 or (values.ndim == 2 and values.shape[0] == values.shape[1])
    rows = values if values.ndim == (3 if square else 2) else values[None]
    if rows.ndim not in (2, 3) or not len(rows):
        raise InputError(
            f"{who}: {name} must be (rdm, pairs) or (rdm, stimulus, stimulus), got shape {values.shape}.",
            code="bad-rdm",
        )
    return np.stack([condensed_rdm(row, name, who=who) for row in rows])


class RDMModel(BaseEstimator):
    """What the models of an RDM share. ``parts_`` (k, P): the RDMs that it is made of; ``weights_`` (k,)."""

    _fitted: ClassVar[bool] = True  # has something to fit

    parts_: np.ndarray
    weights_: np.ndarray

    def _given(self) -> object:
        return self.rdms

    def components(self) -> np.ndarray:
        """The RDMs that the model is made of, condensed: (k, P)."""
        return _stack(self._given(), "rdms", type(self).__name__)

    def options(self) -> None:
        """Raises `InputError` where an option is none."""
        check_option(
            getattr(self, "method", "cosine"),
            METHODS if isinstance(self, (FixedRDM, SelectRDM)) else FITTABLE,
            name="method",
            who=type(self).__name__,
        )

    @abstractmethod
    def weights(self, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Weights (..., k) of the components from their inner products (..., k, k) and those with the mean of the
        subjects' normalised RDMs (..., k).
        """

    def fit(self, rdms: Any, y: object = None) -> RDMModel:
        """Fits the mean value of ``method`` over subjects.

        rdms : (subjects, P) condensed, (subjects, n, n) square, or RDM data.   y : not used.
        """
        who = type(self).__name__
        self.options()
        self.parts_ = self.components()
        subjects = _stack(rdms, "rdms", f"{who}.fit")
        if subjects.shape[1] != self.parts_.shape[1]:
            raise InputError(
                f"{who}.fit: the model has {self.parts_.shape[1]} pairs of stimuli and the data "
                f"{subjects.shape[1]}; both must be of the same stimuli.",
                code="rows-differ",
            )
        method: Any = getattr(self, "method", "cosine")
        if method in FITTABLE:
            prepare = PREPARE[method]
            x = np.stack([prepare(v) for v in self.parts_])
            z = np.stack([prepare(v) for v in subjects])
            norm = np.linalg.norm(z, axis=1, keepdims=True)
            if (norm == 0).any():
                raise InputError(f"{who}.fit: all entries of an RDM are equal.", code="constant-rdm")
            self.weights_ = self.weights(x @ x.T, x @ (z / norm).mean(axis=0))
        else:
            each = [
                np.mean([float(compare_rdms(v, s, method=method)) for s in subjects]) for v in self.parts_
            ]
            self.weights_ = _one_hot(np.array(each))
        return self

    def predict(self, X: object = None) -> np.ndarray:
        """The model's RDM, condensed (P,). X : not used."""
        check_is_fitted(self, "weights_")
        return np.asarray(self.weights_ @ self.parts_)

    def score(self, rdms: Any, y: object = None) -> float:
        """Mean over the RDMs of ``rdms`` of `compare_rdms` with the model's, by ``method``."""
        check_is_fitted(self, "weights_")
        model = self.predict()
        method: Any = getattr(self, "method", "cosine")
        subjects = _stack(rdms, "rdms", f"{type(self).__name__}.score")
        return float(np.mean([float(compare_rdms(model, s, method=method)) for s in subjects]))


def _one_hot(scores: np.ndarray) -> np.ndarray:
    """1 at the highest of the last axis, the first of equal ones."""
    return np.asarray((np.arange(scores.shape[-1]) == np.argmax(scores, axis=-1)[..., None]).astype(float))


class FixedRDM(RDMModel):
    """One RDM, nothing to fit.

    Parameters
    ----------
    rdm : (P,) condensed, (n, n) square, or RDM data with one RDM.
    method : of `score`, as in `compare_rdms`.

    Examples
    --------
    >>> import consilience as cs
    >>> model = cs.models.FixedRDM([1.0, 2.0, 3.0]).fit([[1.0, 2.0, 4.0]])
    >>> round(model.score([[2.0, 4.0, 6.0]]), 6)
    1.0
    """

    _fitted = False

    def __init__(self, rdm: Any, *, method: str = "cosine") -> None:
        self.rdm = rdm
        self.method = method

    def _given(self) -> object:
        return self.rdm

    def components(self) -> np.ndarray:
        found = super().components()
        if len(found) != 1:
            raise InputError(
                f"FixedRDM: one RDM, got {len(found)}; use SelectRDM or WeightedRDM for several.",
                code="bad-rdm",
            )
        return found

    def weights(self, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(target))


class SelectRDM(RDMModel):
    """The one of several RDMs with the highest mean value over subjects.

    Parameters
    ----------
    rdms : (k, P) condensed, (k, n, n) square, or RDM data.
    method : what it is chosen and scored by, as in `compare_rdms`.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> model = cs.models.SelectRDM([[1.0, 2.0, 3.0], [3.0, 1.0, 1.0]]).fit([[1.0, 2.0, 4.0]])
    >>> model.weights_
    array([1., 0.])
    """

    def __init__(self, rdms: Any, *, method: str = "cosine") -> None:
        self.rdms = rdms
        self.method = method

    def weights(self, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            value = target / np.sqrt(np.einsum("...kk->...k", gram))
        return _one_hot(np.where(np.isfinite(value), value, -np.inf))


class WeightedRDM(RDMModel):
    """A weighted sum of RDMs, sum_k w_k d_k, that has the highest mean value over subjects.

    The direction that maximises the mean cosine is that of the least-squares fit of the mean of the subjects'
    normalised RDMs: w = argmin |sum_k w_k d_k - mean_s d_s / |d_s||^2 + ridge g |w|^2, w >= 0, all vectors as the
    comparison sees them (centred for pearson, whitened) and g the mean of |d_k|^2. ``weights_`` has norm 1. All 0
    where no weights >= 0 correlate with the data.

    Parameters
    ----------
    rdms : (k, P) condensed, (k, n, n) square, or RDM data: the parts.
    method : "cosine", "pearson", "whitened_cosine" or "whitened_pearson".
    nonnegative : False leaves signs free.
    ridge : >= 0, in units of the mean squared norm of the parts.

    References
    ----------
    Khaligh-Razavi & Kriegeskorte (2014); Jozwik, Kriegeskorte & Mur (2016).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> parts = np.random.default_rng(0).random((3, 45))
    >>> model = cs.models.WeightedRDM(parts).fit([0.6 * parts[0] + 0.8 * parts[2]])
    >>> model.weights_.round(6)
    array([0.6, 0. , 0.8])
    """

    def __init__(
        self, rdms: Any, *, method: str = "cosine", nonnegative: bool = True, ridge: float = 0.0
    ) -> None:
        self.rdms = rdms
        self.method = method
        self.nonnegative = nonnegative
        self.ridge = ridge

    def options(self) -> None:
        super().options()
        if self.ridge != 0:
            check_number(self.ridge, name="ridge", who="WeightedRDM", low=0.0)

    def weights(self, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        k = gram.shape[-1]
        size = np.einsum("...kk->...", gram) / k
        gram = gram + float(self.ridge) * size[..., None, None] * np.eye(k)
        found = nnls_from_gram(gram, target, nonnegative=bool(self.nonnegative))
        norm = np.linalg.norm(found, axis=-1, keepdims=True)
        return np.asarray(found / np.where(norm > 0, norm, 1.0))


class InterpolateRDM(RDMModel):
    """A point between two neighbours on a path of RDMs, w d_i + (1 - w) d_i+1 with 0 <= w <= 1.

    The best point of each stretch is exact: the direction of non-negative least squares on its two ends.

    Parameters
    ----------
    rdms : (k, P) condensed, (k, n, n) square, or RDM data, in the order of the path; at least 2.
    method : "cosine", "pearson", "whitened_cosine" or "whitened_pearson".

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> path = np.random.default_rng(0).random((3, 45))
    >>> cs.models.InterpolateRDM(path).fit([0.25 * path[1] + 0.75 * path[2]]).weights_.round(6)
    array([0.  , 0.25, 0.75])
    """

    def __init__(self, rdms: Any, *, method: str = "cosine") -> None:
        self.rdms = rdms
        self.method = method

    def components(self) -> np.ndarray:
        found = super().components()
        if len(found) < 2:
            raise InputError("InterpolateRDM: a path needs at least 2 RDMs, got 1.", code="too-few")
        return found

    def weights(self, gram: np.ndarray, target: np.ndarray) -> np.ndarray:
        k = gram.shape[-1]
        best, top = np.zeros(target.shape), np.full(target.shape[:-1], -np.inf)
        for i in range(k - 1):
            g, c = gram[..., i : i + 2, i : i + 2], target[..., i : i + 2]
            inside = nnls_from_gram(g, c)
            for w in (inside, np.array([1.0, 0.0]), np.array([0.0, 1.0])):
                total = np.sum(w, axis=-1, keepdims=True)
                w = np.broadcast_to(w / np.where(total > 0, total, 1.0), c.shape)
                with np.errstate(invalid="ignore", divide="ignore"):
                    value = np.sum(w * c, axis=-1) / np.sqrt(np.einsum("...i,...ij,...j->...", w, g, w))
                better = value > top + 1e-15
                top = np.where(better, value, top)
                here = np.zeros(target.shape)
                here[..., i : i + 2] = w
                best = np.where(better[..., None], here, best)
        return best
