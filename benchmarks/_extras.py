"""Rows without a target: feature-space CKA, linear predictivity, a whole comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV

import consilience as cs
from benchmarks._row import OURS, Row, Side, close
from consilience._core._seeds import resolve_seed
from consilience.stats import group_folds

__all__ = ["rows"]


def rows(threads: int) -> list[Row]:
    return [_feature_space(), _predictivity(), _whole()]


def _feature_space() -> Row:
    rng = np.random.default_rng(0)
    n, p = 5000, 512
    shared = rng.normal(size=(n, 20))
    x, y = (shared @ rng.normal(size=(20, p)) + rng.normal(size=(n, p)) for _ in range(2))

    def kernel(z: np.ndarray) -> np.ndarray:
        k = z @ z.T
        np.fill_diagonal(k, 0.0)
        return k

    def hsic(k: np.ndarray, l: np.ndarray) -> float:
        own = k.sum(axis=0), l.sum(axis=0)
        return float(
            np.vdot(k, l) + own[0].sum() * own[1].sum() / ((n - 1) * (n - 2)) - 2 * own[0] @ own[1] / (n - 2)
        )

    def plain() -> float:
        k, l = kernel(x), kernel(y)
        return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))

    def check(answers: dict[str, Any]) -> str:
        return f"within {close(answers[OURS], answers['NumPy, n x n'], 1e-9, 'feature-space CKA'):.1g} (1e-9)"

    sides = (Side(OURS, lambda: cs.measures.cka(x, y)), Side("NumPy, n x n", plain))
    return Row("features", f"debiased linear CKA, two systems {n} x {p}, float64", sides, check, repeats=3)


def _predictivity() -> Row:
    rng = np.random.default_rng(0)
    n, p, q = 500, 1250, 1250
    x = rng.normal(size=(n, 60)) @ rng.normal(size=(60, p)) + rng.normal(size=(n, p))
    y = x @ rng.normal(size=(p, q)) / np.sqrt(p) + 3 * rng.normal(size=(n, q))
    alphas = 10.0 ** np.arange(-5, 4)

    def loop() -> float:
        """RidgeCV with leave-one-out and a penalty per target, fold by fold, and the score that
        `linear_predictivity` states.
        """
        tests = group_folds(
            np.arange(n), 5, resolve_seed(0, who="benchmarks").stream("folds"), who="benchmarks"
        )
        deviation, actual = np.empty((n, q)), np.empty((n, q))
        for test in tests:
            train = np.setdiff1d(np.arange(n), test)
            inside = x[train] - x[train].mean(axis=0)
            scale = np.sum(inside * inside) / train.size
            model = RidgeCV(alphas=alphas * scale, alpha_per_target=True).fit(x[train], y[train])
            mean = y[train].mean(axis=0)
            spread = np.sqrt(np.mean((model.predict(x[train]) - mean) ** 2, axis=0))
            deviation[test], actual[test] = (model.predict(x[test]) - mean) / spread, y[test] - mean
        below = np.sqrt((deviation**2).sum(axis=0) * (actual**2).sum(axis=0))
        return float(np.mean((deviation * actual).sum(axis=0) / below))

    def check(answers: dict[str, Any]) -> str:
        away = close(answers[OURS], answers["sklearn RidgeCV"], 1e-6, "linear predictivity")
        return f"within {away:.1g} (1e-6), value {float(answers[OURS]):.3f}"

    sides = (Side(OURS, lambda: cs.measures.linear_predictivity(x, y)), Side("sklearn RidgeCV", loop))
    work = (
        f"linear predictivity, {n} stimuli, {p} -> {q} units, 5 folds, "
        "9 penalties chosen per unit inside the folds"
    )
    return Row("predictivity", work, sides, check, repeats=3)


def _whole() -> Row:
    rng = np.random.default_rng(0)
    n = 92
    ids = [f"image{i:02d}" for i in range(n)]
    layers = {
        f"layer{i:02d}": cs.responses(rng.normal(size=(n, 2000)).astype(np.float32), stimulus=ids)
        for i in range(18)
    }
    brains = {
        f"area{j}": cs.rdm_data(
            cs.measures.rdm(rng.normal(size=(n, 300))), stimulus=ids, distance="correlation"
        )
        for j in range(5)
    }

    def ours() -> Any:
        return cs.compare(layers, brains, measure="rsa", n_boot=1000, n_perm=1000, rng=0)

    def check(answers: dict[str, Any]) -> str:
        result = answers[OURS].data
        each = [
            [cs.measures.compare_rdms(d, brain.values[0], method="spearman") for brain in brains.values()]
            for d in (cs.measures.rdm(x.values) for x in layers.values())
        ]
        away = close(result["value"].values[0], each, 1e-7, "compare")
        return f"values within {away:.1g} of single calls (1e-7)"

    work = (
        f"whole `compare`: 18 layers {n} x 2000 x 5 RDMs, rsa, 1000 resamples, 1000 permutations, nested best"
    )
    return Row("compare", work, (Side(OURS, ours),), check, repeats=3)
