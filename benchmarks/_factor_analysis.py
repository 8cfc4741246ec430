"""Dimensionality by cross-validated factor analysis beside scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

N, P, K, MOST, FOLDS = 5000, 500, 10, 20, 5
THEIRS = "scikit-learn"


def _data() -> np.ndarray:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(K, P)) * np.linspace(1, 0.4, K)[:, None]
    noise = rng.uniform(1, 6, size=P)
    return rng.normal(size=(N, K)) @ w + np.sqrt(noise) * rng.normal(size=(N, P))


def rows(threads: int) -> list[Row]:
    from sklearn.decomposition import FactorAnalysis

    x = _data()
    held = np.arange(N) * FOLDS // N == 0

    def ours() -> Any:
        return cs.models.FactorAnalysis(cv=FOLDS, max_components=MOST).fit(x)

    def theirs() -> Any:
        fits = [FactorAnalysis(k, random_state=0).fit(x[~held]) for k in range(1, MOST + 1)]
        return [(fit.score(x[~held]), fit.score(x[held])) for fit in fits]

    def check(answers: dict[str, Any]) -> str:
        model, other = answers[OURS], np.array(answers[THEIRS])
        if model.n_components_ != K:
            raise AssertionError(f"{model.n_components_} factors, planted were {K}.")
        mine = np.array(
            [cs.models.FactorAnalysis(k).fit(x[~held]).log_likelihood_ * P for k in range(1, MOST + 1)]
        )
        worse = float((other[:, 0] - mine).max())
        if worse > 1e-3:
            raise AssertionError(f"a log-likelihood in training is {worse:.3g} nats a row below theirs.")
        apart = float(np.abs(model.cv_scores_[1 : K + 1, 0] * P - other[:K, 1]).max())
        if apart > 0.01:
            raise AssertionError(f"held-out log-likelihoods differ by {apart:.3g} nats a row.")
        return (
            f"{K} factors found, as planted; log-likelihood in training, nats a row of {P} values: ours is at most "
            f"{max(worse, 0.0):.2g} below theirs (1e-3) and up to {float((mine - other[:, 0]).max()):.2g} above; "
            f"held-out, up to {K} factors, they differ by {apart:.2g} (0.01) of some {abs(other[K - 1, 1]):.0f}"
        )

    return [
        Row(
            "factor-analysis",
            f"factor analysis, {P} units x {N} bins: 1 to {MOST} factors x {FOLDS} folds, then the fit",
            (
                Side(OURS, ours),
                Side(THEIRS, theirs, factor=FOLDS, per="one fold is run and counted five times"),
            ),
            check,
            (Target("faster", 5.0, THEIRS),),
            repeats=3,
            notes=(
                "scikit-learn with its default (randomised) singular value decomposition and tolerance; above the "
                "planted number it stops early, as its likelihood then goes up and down by the draws.",
            ),
        )
    ]
