"""1000 relabellings of a time-resolved linear decoder, everything fitted anew for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from benchmarks._row import OURS, Row, Side, Target
from consilience.analyses._decode_classes import SCORES, Decoder
from consilience.models import LDA
from consilience.stats import label_permutations, stratified_folds

__all__ = ["rows"]

N, TIMES, UNITS, CLASSES, FOLDS, ORDERS = 240, 10, 100, 4, 5, 1000
PEER, PEER_ORDERS, SHRINKAGE = "scikit-learn LDA (lsqr), fold by fold", 4, 0.2


def rows(threads: int) -> list[Row]:
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(CLASSES), N // CLASSES)
    x = rng.normal(size=(N, TIMES, UNITS)) + 0.2 * rng.normal(size=(CLASSES, UNITS))[codes][:, None]
    tests = stratified_folds(codes, np.arange(N), FOLDS, rng)
    splits = [(np.setdiff1d(np.arange(N), test), test) for test in tests]
    strata = np.empty(N, dtype=np.int64)
    for k, test in enumerate(tests):
        strata[test] = k
    orders, _ = label_permutations(codes, np.arange(N), strata, ORDERS, rng)
    model = LDA(shrinkage=SHRINKAGE)
    decoder = Decoder(
        model, np.arange(CLASSES), SCORES["balanced_accuracy"], standardise=True, generalise=False
    )

    def ours() -> np.ndarray:
        return decoder.values(x, orders, splits)

    def theirs() -> np.ndarray:
        equal = np.full(CLASSES, 1 / CLASSES)
        other = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE, priors=equal)
        hits = np.zeros((PEER_ORDERS, TIMES, N))
        for train, test in splits:
            for t in range(TIMES):
                inside = x[train, t]
                mean, sd = inside.mean(axis=0), inside.std(axis=0)
                for k, labels in enumerate(orders[:PEER_ORDERS]):
                    found = other.fit((inside - mean) / sd, labels[train]).predict((x[test, t] - mean) / sd)
                    hits[k, t, test] = found == labels[test]
        return hits.mean(axis=2)

    def check(answers: dict[str, Any]) -> str:
        away = float(np.abs(answers[OURS][:PEER_ORDERS] - answers[PEER]).max())
        if away > 1.5 / N:
            raise AssertionError(f"accuracies differ by {away:.4f}, more than one trial of {N}.")
        return f"accuracies of {PEER_ORDERS} relabellings at {TIMES} times within {away:.2g} (one trial is {1 / N:.2g})"

    scale = ORDERS / PEER_ORDERS
    return [
        Row(
            "decoding",
            (
                f"{ORDERS} relabellings of a linear decoder: {N} trials x {TIMES} times x {UNITS} units, {CLASSES} "
                f"classes, {FOLDS} folds"
            ),
            (
                Side(OURS, ours),
                Side(PEER, theirs, scale, f"{PEER_ORDERS} relabellings, times {scale:g}"),
            ),
            check,
            (Target("faster", 20.0, PEER),),
            repeats=3,
            notes=(
                "Labels are only the right-hand side: one eigendecomposition of the total covariance per fold and time "
                "serves all relabellings, and each costs its class means and a small system.",
            ),
        )
    ]
