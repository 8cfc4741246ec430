"""The predictors of a GLM, prepared once for all neurons, and the passes over their rows."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import InputError
from consilience._core._threads import one_thread_if_small
from consilience.linalg import centre_columns
from consilience.models._observations import Observation

__all__ = ["Batch", "Prepared", "moments"]

_ENTRIES = 1 << 19  # of a block of rows x neurons, so that it stays in cache
_ROWS = 4096


class Prepared:
    """Centred predictors with a column of ones, and the eigendecomposition of their second moments.

    x : (n, q + 1) or, without intercept, (n, q), in the dtype of the data.   unit : (q,) powers of two by which columns
    were divided, so that small features keep their digits.   moment : (q, q) X'X / n of these columns.   With more
    features than rows, q = rank < n and x holds principal scores: ridge does not change under rotation.
    as_given : neither rotate nor divide, for penalties that would change.
    """

    def __init__(self, x: np.ndarray, *, intercept: bool, as_given: bool = False, who: str = "GLM") -> None:
        n, p = x.shape
        self.n, self.p, self.intercept, self.dtype = n, p, intercept, x.dtype
        self.mean = x.mean(axis=0, dtype=np.float64) if intercept else np.zeros(p)
        self.back: np.ndarray | None = None
        self._spectra: dict[bool, tuple[np.ndarray, np.ndarray]] = {}
        if p > n and not as_given:
            centred = centre_columns(x) if intercept else x
            values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
            kept = values > max(n, p) * np.finfo(x.dtype).eps * max(values[-1], 0.0)
            values, vectors = values[kept], vectors[:, kept]
            self.back = centred.T @ (vectors / np.sqrt(values)).astype(x.dtype)  # (p, q), orthonormal columns
            self.q, self.unit = values.size, np.ones(values.size)
            self.x = np.ones((n, self.q + intercept), x.dtype)
            self.x[:, : self.q] = vectors * np.sqrt(values)
            self.moment = np.diag(values / n)
            return
        self.q, self.unit = p, np.ones(p)
        self.x = np.ones((n, p + intercept), x.dtype)
        with np.errstate(over="ignore", invalid="ignore"), one_thread_if_small((n * p // 1000, p)):
            for start in range(0, n, _ROWS):
                rows = slice(start, start + _ROWS)
                np.subtract(x[rows], self.mean, out=self.x[rows, :p], casting="same_kind")
            self.moment = moments(self.x[:, :p])
        spread = np.sqrt(np.diag(self.moment))
        if not np.isfinite(self.moment).all():
            raise InputError(
                f"{who}: X has values of up to {np.abs(self.mean).max() + spread.max():.3g}, whose squares no "
                f"{x.dtype} can hold; multiply X by a power of ten.",
                code="out-of-range",
            )
        uneven = (spread > 0) & (np.abs(np.log2(np.where(spread > 0, spread, 1.0))) > 4)
        if uneven.any() and not as_given:
            self.unit[uneven] = np.exp2(np.round(np.log2(spread[uneven])))
            self.x[:, :p] *= (1 / self.unit).astype(x.dtype)
            self.moment /= self.unit[:, None] * self.unit

    def spectrum(self, *, penalised: bool) -> tuple[np.ndarray, np.ndarray]:
        """(values (q,), vectors (q, q)) of X'X / n: of the columns as divided, or of the features, which a penalty is
        the identity for.
        """
        if penalised not in self._spectra:
            matrix = self.moment * (self.unit[:, None] * self.unit) if penalised else self.moment
            with one_thread_if_small(matrix.shape):
                values, vectors = np.linalg.eigh(matrix)
            self._spectra[penalised] = np.maximum(values, 0.0), vectors
            if (self.unit == 1).all():
                self._spectra[not penalised] = self._spectra[penalised]
        return self._spectra[penalised]

    def weights(self, theta: np.ndarray) -> np.ndarray:
        """(p, t) coefficients of centred features from (q + 1, t)."""
        slopes = theta[: self.q] / self.unit[:, None]
        return slopes if self.back is None else self.back.astype(np.float64) @ slopes

    def constant(self, theta: np.ndarray) -> np.ndarray:
        """(t,) linear predictor at the mean of the features."""
        return theta[self.q] if self.intercept else np.zeros(theta.shape[1])

    def inside(self, weights: np.ndarray, constant: np.ndarray) -> np.ndarray:
        """(q + 1, t) from coefficients (p, t) and constants (t,): the inverse of the two above."""
        slopes = weights if self.back is None else self.back.T.astype(np.float64) @ weights
        slopes = slopes * self.unit[:, None]
        return np.concatenate([slopes, constant[None]]) if self.intercept else slopes


def moments(x: np.ndarray) -> np.ndarray:
    """X'X / n (p, p) in float64: products of blocks of rows in the dtype of ``x``, added in float64."""
    n, p = x.shape
    out = np.zeros((p, p))
    for start in range(0, n, _ROWS):
        part = x[start : start + _ROWS]
        out += part.T @ part
    return out / n


class Batch:
    """Neurons that are fitted side by side: linear predictors, and passes over the rows.

    eta : (n, t) now.   along : (n, t) its change for a step of 1.   residual : (n, t) derivative of the loss where it
    was evaluated last.
    """

    def __init__(self, design: Prepared, y: np.ndarray, observation: Observation, theta: np.ndarray) -> None:
        self.x, self.n, self.dtype = design.x, design.n, design.dtype
        self.y = np.ascontiguousarray(y, dtype=design.dtype)
        self.observation = observation
        self.xy = self._products(self.y)  # (q + 1, t), the part of the loss that is linear in y
        self.eta = np.empty(y.shape, design.dtype)
        self.along = np.zeros(y.shape, design.dtype)
        self.residual = np.empty(y.shape, design.dtype)
        if design.intercept and not theta[:-1].any():
            self.eta[:] = theta[-1]
            return
        for rows in self._blocks():
            np.dot(self.x[rows], theta.astype(self.dtype), out=self.eta[rows])

    def _blocks(self) -> list[slice]:
        step = int(np.clip(_ENTRIES // max(1, self.y.shape[1]), 256, 8192))
        return [slice(start, min(start + step, self.n)) for start in range(0, self.n, step)]

    def _products(self, r: np.ndarray) -> np.ndarray:
        out = np.zeros((self.x.shape[1], r.shape[1]))
        for rows in self._blocks():
            out += self.x[rows].T @ r[rows]
        return out / self.n

    def mean_weight(self) -> np.ndarray:
        """(t,) mean second derivative of the loss at eta."""
        out = np.zeros(self.y.shape[1])
        for rows in self._blocks():
            out += self.observation.weight(self.eta[rows]).sum(axis=0, dtype=np.float64)
        return out / self.n

    def turn(self, direction: np.ndarray) -> None:
        """Sets `along` for a change of the coefficients (q + 1, t)."""
        narrow = direction.astype(self.dtype)
        for rows in self._blocks():
            np.dot(self.x[rows], narrow, out=self.along[rows])

    def look(self, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and its slope (t,) at eta + step * along, less the part linear in y; fills `residual`."""
        t = self.y.shape[1]
        loss, slope = np.zeros(t), np.zeros(t)
        narrow, ones = step.astype(self.dtype), np.ones(8192, self.dtype)
        for rows in self._blocks():
            along = self.along[rows]
            eta = along * narrow
            eta += self.eta[rows]
            value, derivative = self.observation.terms(eta, self.y[rows])
            self.residual[rows] = derivative
            loss += ones[: len(eta)] @ value
            slope += np.einsum("ij,ij->j", derivative, along)
        return loss / self.n, slope / self.n

    def move(self, step: np.ndarray) -> None:
        """eta takes the step that was looked at last."""
        narrow = step.astype(self.dtype)
        for rows in self._blocks():
            self.eta[rows] += self.along[rows] * narrow

    def gradient(self) -> np.ndarray:
        """(q + 1, t) of the mean loss, where it was looked at last."""
        out = self._products(self.residual)
        return out - self.xy if self.observation.linear else out

    def linear(self, theta: np.ndarray) -> np.ndarray:
        """(t,) the part of the mean loss that is linear in y."""
        return -(self.xy * theta).sum(axis=0) if self.observation.linear else np.zeros(theta.shape[1])

    def keep(self, units: np.ndarray) -> None:
        """Goes on with some of the neurons."""
        self.y, self.xy = np.ascontiguousarray(self.y[:, units]), self.xy[:, units]
        self.eta = np.ascontiguousarray(self.eta[:, units])
        self.along, self.residual = np.zeros_like(self.eta), np.empty_like(self.eta)
        self.observation = self.observation.take(units)
