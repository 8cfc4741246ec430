"""Poisson GLMs of many neurons beside nemos."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, peer

__all__ = ["rows"]

N, P, T, ALPHA = 60000, 500, 100, 1e-3
FIRST, WARM = "nemos PopulationGLM, first call", "nemos PopulationGLM"


def _data() -> tuple[np.ndarray, np.ndarray]:
    """float32 features; log rates of standard deviation 0.5 about means of 0.02 to 1 spike per bin."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, P)).astype(np.float32)
    w = (rng.normal(size=(P, T)) * 0.5 / np.sqrt(P)).astype(np.float32)
    rate = np.exp(x @ w + np.log(rng.uniform(0.02, 1, size=T)))
    return x, rng.poisson(rate).astype(np.float32)


def _penalised(x: np.ndarray, y: np.ndarray, coef: Any, intercept: Any) -> np.ndarray:
    """(T,) mean negative log-likelihood, up to what is of y alone, and penalty, in float64."""
    w, b = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    total = np.zeros(T)
    for start in range(0, N, 10000):
        eta = x[start : start + 10000].astype(np.float64) @ w + b
        total += (np.exp(eta) - y[start : start + 10000] * eta).sum(axis=0)
    return total / N + 0.5 * ALPHA * (w * w).sum(axis=0)


def rows(threads: int) -> list[Row]:
    x, y = _data()

    def ours() -> Any:
        model = cs.models.GLM("poisson", alpha=ALPHA).fit(x, y)
        return model.coef_.T, model.intercept_

    sides = [Side(OURS, ours)]
    found = peer("nemos", "jax")
    if found is not None:
        nemos, jax = found

        def theirs() -> Any:
            model = nemos.glm.PopulationGLM(
                observation_model="Poisson",
                regularizer="Ridge",
                regularizer_strength=ALPHA,
                solver_name="LBFGS",
            ).fit(x, y)
            return np.asarray(model.coef_), np.asarray(model.intercept_)

        def first() -> Any:
            jax.clear_caches()
            return theirs()

        sides += [Side(FIRST, first), Side(WARM, theirs)]

    def check(answers: dict[str, Any]) -> str:
        if found is None:
            return "nothing to compare with"
        mine, other = (_penalised(x, y, *answers[name]) for name in (OURS, WARM))
        worse = float((mine - other).max() * N)
        if worse > 0.01:
            raise AssertionError(f"one neuron's penalised log-likelihood is {worse:.3g} nats below theirs.")
        return (
            f"penalised log-likelihood of {T} neurons, in float64: {mine.sum():.6f} per bin, theirs {other.sum():.6f}; "
            f"of single neurons ours is at most {max(worse, 0.0):.2g} nats below (0.01), and up to "
            f"{float((other - mine).max() * N):.2g} above, of some {np.abs(mine).max() * N:.0f}"
        )

    return [
        Row(
            "glm",
            f"Poisson GLM, {T} neurons x {N} bins x {P} features, ridge, float32",
            tuple(sides),
            check,
            (Target("faster", 5.0, FIRST), Target("faster", 2.0, WARM)),
            repeats=3,
            notes=(
                "nemos with LBFGS in float32, its tolerance as it comes; first call: with the compiled functions "
                "forgotten. Ours stops where less than 1e-4 nats of log-likelihood are expected for a neuron.",
            ),
            missing=() if found is not None else ("nemos",),
        )
    ]
