"""Linear CKA of many stimuli against the products it needs; SVCCA against the published steps."""

from __future__ import annotations

from typing import Any

import numpy as np

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close

__all__ = ["rows"]

STIMULI, UNITS = 50_000, 1024
PRODUCTS = "three float32 matrix products"
PUBLISHED = "the published steps of SVCCA"


def _published_svcca(x: np.ndarray, y: np.ndarray) -> float:
    """Raghu et al. (2017) as their code does it: SVD of the centred data, 99 % kept, then the SVD of
    Sxx^-1/2 Sxy Syy^-1/2 by pseudo-inverses and symmetric roots.
    """
    kept = []
    for z in (x.T, y.T):
        _, size, vt = np.linalg.svd(z - z.mean(axis=1, keepdims=True), full_matrices=False)
        k = int(np.searchsorted(np.cumsum(size**2) / np.sum(size**2), 0.99 - 1e-12) + 1)
        kept.append(size[:k, None] * vt[:k])
    k = len(kept[0])
    c = np.cov(*kept)

    def root(m: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(np.linalg.pinv(m))
        return vectors @ np.diag(np.sqrt(np.abs(values))) @ vectors.T

    _, size, _ = np.linalg.svd(root(c[:k, :k]) @ c[:k, k:] @ root(c[k:, k:]))
    return float(np.mean(size[: min(map(len, kept))]))


def _cka_row() -> Row:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((STIMULI, UNITS), dtype=np.float32)
    y = 0.5 * x + rng.standard_normal((STIMULI, UNITS), dtype=np.float32)
    x += np.float32(3)

    def products() -> Any:
        return x.T @ y, x.T @ x, y.T @ y

    def check(answers: dict[str, Any]) -> str:
        """Against the Gram route in float64, of fewer stimuli, offset by 1000."""
        few = [z[:1500].astype(np.float64) for z in (x, y)]
        parts = cs.measures.as_measure("cka").parts
        a, b = (parts.prepare(z) for z in few)
        exact = a @ b / np.sqrt((a @ a) * (b @ b))
        same = close(cs.measures.cka(*(z[:, :700] for z in few)), _by_grams(few, 700), 1e-10, "cka, float64")
        moved = [(z + 1000).astype(np.float32)[:, :700] for z in few]
        low = close(cs.measures.cka(*moved), _by_grams(few, 700), 1e-5, "cka, float32 offset by 1000")
        return (
            f"by units and by stimuli, float64: within {same:.1g} (1e-10); float32 offset by 1000: within {low:.1g} "
            f"(1e-5); value {float(answers[OURS]):.4f} (of 1500 stimuli {exact:.4f})"
        )

    return Row(
        "cka",
        f"debiased linear CKA, {STIMULI} x {UNITS}, float32",
        (Side(OURS, lambda: cs.measures.cka(x, y)), Side(PRODUCTS, products)),
        check,
        (Target("within", 1.2, PRODUCTS),),
        repeats=3,
        notes=(
            "The products of a system with itself take half the time of the other, on both sides. Ours checks values, "
            "takes off a mean and makes it debiased besides.",
        ),
    )


def _by_grams(systems: list[np.ndarray], units: int) -> float:
    parts = cs.measures.as_measure("cka").parts
    a, b = (parts.prepare(z[:, :units]) for z in systems)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _svcca_row() -> Row:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(5000, 100))
    x, y = (signal @ rng.normal(size=(100, 512)) + 2 * rng.normal(size=(5000, 512)) for _ in range(2))

    def check(answers: dict[str, Any]) -> str:
        return f"within {close(answers[OURS], answers[PUBLISHED], 1e-8, 'svcca'):.1g} (1e-8)"

    return Row(
        "svcca",
        "SVCCA, 5000 x 512, 99 % of variance",
        (Side(OURS, lambda: cs.measures.svcca(x, y)), Side(PUBLISHED, lambda: _published_svcca(x, y))),
        check,
        (Target("faster", 3.0, PUBLISHED),),
        repeats=3,
        notes=(
            "The published code divides by the largest entry and adds a small number first; left out here.",
        ),
    )


def rows(threads: int) -> list[Row]:
    return [_cka_row(), _svcca_row()]
