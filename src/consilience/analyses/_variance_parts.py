"""Shares of variance of every subset of model RDMs: of the whole, of draws, of permutations, on held-out stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._seeds import Seed
from consilience.measures._rdm_regression import commonalities, fit_subsets, held_out_r2, moments
from consilience.stats import (
    group_folds,
    multinomial_weights,
    p_value,
    percentile_interval,
    permutations,
    permuted_cosines,
    two_factor_interval,
)

__all__ = ["VarianceParts"]

WHO = "cs.partition"
FOLDS, FOLDINGS, FEWEST = 5, 10, 4  # of held-out R^2; stimuli of a fold


class VarianceParts:
    """Subset fits of the whole, of draws and of permutations, and the table made of them."""

    def __init__(
        self, x: np.ndarray, y: np.ndarray, n: int, names: list[str], nonnegative: bool, seed: Seed
    ) -> None:
        self.x, self.y, self.n, self.names, self.seed = x, y, n, names, seed
        self.nonnegative = nonnegative
        k = self.k = len(names)
        full = (1 << k) - 1
        common = commonalities(k)
        # rows of the table: (kind, subset of models, what it is of the R^2 of all subsets)
        rows = [("total", full, np.eye(full + 1)[full])]
        if k > 1:
            rows += [("alone", 1 << j, np.eye(full + 1)[1 << j]) for j in range(k)]
            rows += [("unique", 1 << j, common[(1 << j) - 1]) for j in range(k)]
            several = [s for s in range(1, full + 1) if s.bit_count() > 1]
            rows += [("common", s, common[s - 1]) for s in sorted(several, key=lambda s: (s.bit_count(), s))]
        self.kinds = [kind for kind, _, _ in rows]
        self.subsets = [subset for _, subset, _ in rows]
        self.of_r2 = np.stack([row for _, _, row in rows])
        self._draws: tuple[np.ndarray, np.ndarray] | None = None
        self.r2, self.weights = self._fits(np.ones((1, n)))

    def _fits(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gram, cross, variance = moments(self.x, self.y, weights).centred()
        r2, beta = fit_subsets(gram, cross, variance, nonnegative=self.nonnegative)
        # weights per standard deviation, of the draw's own pairs
        own = np.maximum(
            np.einsum("mjj->mj", gram), 0.0
        )  # rounding takes a model that a draw leaves flat below 0
        spread = np.sqrt(own)[:, None, :] / np.sqrt(np.maximum(variance, 0.0))[:, :, None]
        return r2, beta[:, :, -1] * spread

    def _words(self, subset: int) -> str:
        return " + ".join(name for j, name in enumerate(self.names) if subset >> j & 1)

    def table(self, n_boot: int, n_perm: int, level: float) -> xr.Dataset:
        each = self.r2[0] @ self.of_r2.T  # (subjects, rows)
        value, blank = each.mean(axis=0), np.full(len(self.kinds), np.nan)
        columns: dict[str, Any] = {"value": value}
        for name in ("ci", "ci_subjects", "ci_both"):
            columns[f"{name}_low"], columns[f"{name}_high"] = blank.copy(), blank.copy()
        columns |= {"p": blank.copy(), "null_mean": blank.copy(), "held_out": self._held_out()}
        columns["ceiling_low"], columns["ceiling_high"] = blank.copy(), blank.copy()
        columns["ceiling_low"][0], columns["ceiling_high"][0] = self._ceiling()
        if n_boot:
            self._intervals(columns, each, n_boot, level)
        if n_perm:
            self._nulls(columns, n_perm)
        labels = [
            kind if kind == "total" else f"{kind}: {self._words(subset)}"
            for kind, subset in zip(self.kinds, self.subsets)
        ]
        return xr.Dataset(
            {
                "kind": ("part", np.array(self.kinds, dtype=object)),
                "models": ("part", np.array([self._words(s) for s in self.subsets], dtype=object)),
                **{name: ("part", v) for name, v in columns.items()},
            },
            coords={"part": np.array(labels, dtype=object)},
        )

    def _intervals(self, columns: dict[str, Any], each: np.ndarray, n_boot: int, level: float) -> None:
        draws, weights = self._fits(multinomial_weights(self.n, n_boot, self.seed.stream("stimuli")))
        by_subject = draws @ self.of_r2.T  # (draws, subjects, rows)
        self._draws = by_subject.mean(axis=1), weights.mean(axis=1)
        value, stimuli = each.mean(axis=0), by_subject.mean(axis=1)
        columns["ci_low"], columns["ci_high"] = percentile_interval(stimuli, value, level)
        s = len(self.y)
        if s < 2:
            return
        people = multinomial_weights(s, n_boot, self.seed.stream("subjects")) / s
        subjects = people @ each
        both = np.einsum("ds,dsr->dr", people, by_subject)
        columns["ci_subjects_low"], columns["ci_subjects_high"] = percentile_interval(subjects, value, level)
        columns["ci_both_low"], columns["ci_both_high"] = two_factor_interval(
            value, stimuli, subjects, both, n_stimuli=self.n, n_subjects=s, level=level
        )

    def _r2_of(self, gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
        """R^2 (m, 2^k), mean over subjects, from correlations."""
        variance = np.ones((len(cross), cross.shape[2]))
        return fit_subsets(gram, cross, variance, nonnegative=self.nonnegative)[0].mean(axis=1)

    def _nulls(self, columns: dict[str, Any], n_perm: int) -> None:
        orders = permutations(self.n, n_perm, self.seed.stream("permutations"))
        size = np.sqrt(self.x.shape[1])
        x, y = self.x / size, self.y / size
        gram = np.repeat((x @ x.T)[None], n_perm, axis=0)
        cross = np.repeat((x @ y.T)[None], n_perm, axis=0)
        moved = self._r2_of(gram, permuted_cosines(x, y, orders)) @ self.of_r2.T
        null = np.where(np.isin(self.kinds, ("total", "alone"))[None], moved, np.nan)
        for row, (kind, subset) in enumerate(zip(self.kinds, self.subsets)):
            if kind != "unique":
                continue
            j = subset.bit_length() - 1
            others = [i for i in range(self.k) if i != j]
            found = permuted_cosines(x[j : j + 1], np.concatenate([x[others], y]), orders)[:, 0]
            its_gram, its_cross = gram.copy(), cross.copy()
            its_gram[:, j, others] = its_gram[:, others, j] = found[:, : self.k - 1]
            its_cross[:, j] = found[:, self.k - 1 :]
            null[:, row] = self._r2_of(its_gram, its_cross) @ self.of_r2[row]
        known = np.isfinite(null).all(axis=0)
        columns["p"][known] = p_value(columns["value"][known], null[:, known])
        columns["null_mean"][known] = null[:, known].mean(axis=0)

    def _held_out(self) -> np.ndarray:
        folds = min(FOLDS, self.n // FEWEST)
        if folds < 2:
            return np.full(len(self.kinds), np.nan)
        stream = self.seed.stream("folds")
        found = [
            held_out_r2(
                self.x,
                self.y,
                group_folds(np.arange(self.n), folds, stream, who=WHO),
                n=self.n,
                nonnegative=self.nonnegative,
            ).mean(axis=0)
            for _ in range(FOLDINGS)
        ]
        return np.asarray(self.of_r2 @ np.mean(found, axis=0))

    def _ceiling(self) -> tuple[float, float]:
        """R^2 of each subject's RDM by the mean of the others' and by the mean of all."""
        s = len(self.y)
        if s < 2:
            return float("nan"), float("nan")
        means = [np.delete(self.y, i, 0).mean(axis=0) for i in range(s)], [self.y.mean(axis=0)] * s

        def r2(one: np.ndarray, other: np.ndarray) -> float:
            r = float(np.corrcoef(one, other)[0, 1])
            return max(r, 0.0) ** 2 if self.nonnegative else r * r

        low, high = (float(np.mean([r2(v, m) for v, m in zip(self.y, group)])) for group in means)
        return low, high

    def coefficients(self, level: float) -> xr.Dataset:
        value = self.weights[0].mean(axis=0)
        low = high = np.full(self.k, np.nan)
        if self._draws is not None:
            low, high = percentile_interval(self._draws[1], value, level)
        return xr.Dataset(
            {"value": ("model", value), "ci_low": ("model", low), "ci_high": ("model", high)},
            coords={"model": np.array(self.names, dtype=object)},
        )
