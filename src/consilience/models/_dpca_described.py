"""What is told of demixed axes: explained variance, noise floor, demixing, angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from consilience._core._errors import warn
from consilience.linalg._demixed import Marginals
from consilience.models._dpca_noise import Noise

__all__ = ["Described"]

WHO = "DPCA"


class Described:
    """The fitted attributes of `DPCA` that follow from its axes and the Gram matrices of the marginalizations."""

    components_: dict[str, np.ndarray]
    decoders_: dict[str, np.ndarray]
    marginalizations_: tuple[str, ...]
    condition_means_: np.ndarray
    _encoders: np.ndarray
    _decoders: np.ndarray
    _marginals: Marginals
    _counts: list[int]

    def _describe(self, grams: list[np.ndarray]) -> None:
        total, gram = float(sum(np.trace(g) for g in grams)), np.sum(grams, axis=0)
        self.total_variance_ = total
        f, d = self._encoders, self._decoders
        by = [
            2 * np.einsum("ku,uv,kv->k", f, g, d, optimize=True)
            - np.einsum("ku,uv,kv->k", d, g, d, optimize=True)
            for g in grams
        ]
        self.explained_variance_by_ = np.stack(by, axis=1) / total
        self.explained_variance_ratio_ = self.explained_variance_by_.sum(axis=1)
        self.explained_variance_ = {}
        for g, (name, e), h in zip(grams, self.components_.items(), self.decoders_.values()):
            self.explained_variance_[name] = float(2 * ((h @ g) * e).sum() - ((h @ g) * h).sum()) / total
        self.marginal_variance_ = {
            name: float(np.trace(g)) / total for name, g in zip(self.marginalizations_, grams)
        }
        order = np.argsort(-self.explained_variance_ratio_, kind="stable")
        fo, do = f[order], d[order]
        cross, inner, overlap = fo @ gram @ do.T, do @ gram @ do.T, fo @ fo.T
        self.cumulative_explained_variance_ = (
            np.array(
                [
                    2 * np.trace(cross[:i, :i]) - (overlap[:i, :i] * inner[:i, :i]).sum()
                    for i in range(1, len(f) + 1)
                ]
            )
            / total
        )
        values = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0)
        padded = np.concatenate([values, np.zeros(max(len(f) - len(values), 0))])
        self.pca_explained_variance_ = np.cumsum(padded)[: len(f)] / total
        captured = np.stack([np.einsum("ku,uv,kv->k", d, g, d, optimize=True) for g in grams], axis=1)
        own = np.repeat(np.arange(len(grams)), self._counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.demixing_ = captured[np.arange(len(f)), own] / captured.sum(axis=1)
        size = np.sqrt(np.diag(d @ gram @ d.T))
        with np.errstate(invalid="ignore", divide="ignore"):
            self.component_correlation_ = (d @ gram @ d.T) / np.outer(size, size)

    def _noise_floor(
        self, noise: Noise | None, covariance: Any, number: Any, grams: list[np.ndarray]
    ) -> None:
        floors: np.ndarray | None = None
        if noise is not None:
            floors = np.array([np.trace(noise.gram(self._marginals, k)) for k in range(len(grams))])
        elif covariance is not None and number is not None:  # every time by itself
            each = float(np.trace(covariance)) * float((1 / number).sum())
            times = self.condition_means_.shape[-2]
            shares = np.array([self._marginals.noise_shares(k) for k in range(len(grams))])
            floors = each * (shares[:, 0] * (times - 1) + shares[:, 1])
        if floors is None:
            self.noise_variance_, self.signal_variance_ = (
                np.nan,
                dict.fromkeys(self.marginalizations_, np.nan),
            )
            return
        signal = np.array([np.trace(g) for g in grams]) - floors
        self.noise_variance_ = float(floors.sum())
        whole = float(signal.sum())
        self.signal_variance_ = {
            name: float(v) / whole if whole > 0 else math.nan
            for name, v in zip(self.marginalizations_, signal)
        }
        if whole <= 0:
            warn(
                "noise-only",
                f"{WHO}: the means vary no more than the noise of {self.total_variance_:.3g} expects.",
                "Components of these data show noise; record more trials.",
                stacklevel=4,
            )

    def _compare_axes(self) -> None:
        f = self._encoders
        units = f.shape[1]
        self.axis_overlap_ = f @ f.T
        self.axis_angles_ = np.degrees(np.arccos(np.clip(np.abs(self.axis_overlap_), 0, 1)))
        star = np.abs(self.axis_overlap_) > 3.3 / math.sqrt(units)
        star &= ~np.eye(len(f), dtype=bool)
        for i, j in np.argwhere(np.triu(star)):
            alike = kendalltau(f[i], f[j]).pvalue < 0.001
            star[i, j] = star[j, i] = bool(alike)
        self.nonorthogonal_ = star
