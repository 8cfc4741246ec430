"""Information of many units with shuffles, and tuning curves fitted to many units, beside loops over units."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close

__all__ = ["rows"]

UNITS, CLASSES, TRIALS, SHUFFLES = 1000, 8, 10, 1000
FEW, SOME = 5, 50  # units and shuffles that the loop is run for
LOOP = "scikit-learn mutual_info_score, loop over units and shuffles"
FITTED, PARTS, SHARE = 200, 20, 4  # units; fits without a part; units that the loop is run for
SEARCH = "scipy minimize (L-BFGS, with slopes), loop over units and parts"


def rows(threads: int) -> list[Row]:
    return [_information(), _fits()]


def _information() -> Row:
    from sklearn.metrics import mutual_info_score

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), TRIALS)
    means = 5 * (1 + 0.6 * np.cos(2 * np.pi * np.arange(CLASSES) / CLASSES))
    counts = rng.poisson(means[labels], size=(UNITS, labels.size)).T

    def ours() -> Any:
        return cs.units.mutual_information(counts, labels, method="counts", n_perm=SHUFFLES)

    def loop() -> Any:
        plain = np.array([mutual_info_score(labels, counts[:, u]) for u in range(FEW)])
        null = np.empty((SOME, FEW))
        for k in range(SOME):
            mixed = rng.permutation(labels)
            null[k] = [mutual_info_score(mixed, counts[:, u]) for u in range(FEW)]
        return plain, null.mean(axis=0)

    def check(answers: dict[str, Any]) -> str:
        plain, null = answers[LOOP]
        found = answers[OURS].counted
        apart = close(found["plain"][:FEW] * np.log(2), plain, 1e-10, "information")
        off = close(found["plain_null"][:FEW] * np.log(2), null, 0.05, "mean under shuffles")
        return f"plain values differ by {apart:.2g} nats, means under shuffles by {off:.2g} (drawn apart)"

    factor = UNITS * (SHUFFLES + 1) / (FEW * (SOME + 1))
    return Row(
        "information",
        f"information of {UNITS} units, {labels.size} trials, {CLASSES} labels, {SHUFFLES} shuffles",
        (Side(OURS, ours), Side(LOOP, loop, factor, f"{FEW} units, {SOME} shuffles")),
        check,
        (Target("faster", 20.0, LOOP),),
        notes=("Ours has the Panzeri-Treves count of 100 shuffles and an interval besides.",),
    )


def _fits() -> Row:
    rng = np.random.default_rng(0)
    direction = np.repeat(np.arange(0, 360, 30), 10)
    angle = np.radians(direction)[:, None]
    shape = np.exp(rng.uniform(0, 2, FITTED) * (np.cos(angle - rng.uniform(0, 6, FITTED)) - 1))
    counts = rng.poisson(1 + rng.uniform(5, 20, FITTED) * shape)

    def ours() -> Any:
        return cs.units.fit_tuning(counts, direction, model="von_mises", period=360)

    values, first = np.unique(direction, return_inverse=True)
    at = np.radians(values)

    def loss(q: np.ndarray, y: np.ndarray, n: np.ndarray) -> tuple[float, np.ndarray]:
        away = np.cos(at - q[0]) - 1
        k, base = np.exp(q[1]), np.exp(q[3])
        bump = np.exp(q[2] + k * away)
        rate = base + bump
        part = n - y / rate
        slopes = [bump * k * np.sin(at - q[0]), bump * k * away, bump, np.full(at.size, base)]
        return float((n * rate - y * np.log(rate)).sum()), np.array([part @ slope for slope in slopes])

    def search(y: np.ndarray, n: np.ndarray) -> float:
        ends = [(-20, 20), (np.log(0.05), np.log(300)), (-8, 8), (-8, 8)]
        peak, top = at[y.argmax()], np.log(y.max() / n.max() + 0.1)
        starts = [[peak, np.log(k), top, top - 2] for k in (0.7, 3.0, 15.0)]
        found = [minimize(loss, s, args=(y, n), jac=True, method="L-BFGS-B", bounds=ends) for s in starts]
        return float(min(one.fun for one in found))

    def loop() -> Any:
        best = np.empty(SHARE)
        for u in range(SHARE):
            for part in range(PARTS + 1):  # all, and without each twentieth
                kept = np.arange(len(counts)) % PARTS != part - 1
                y = np.bincount(first[kept], weights=counts[kept, u], minlength=at.size)
                value = search(y, np.bincount(first[kept], minlength=at.size).astype(float))
                if part == 0:
                    best[u] = value
        return best

    def check(answers: dict[str, Any]) -> str:
        rate = answers[OURS].predict(direction)[:, :SHARE]
        mine = (rate - counts[:, :SHARE] * np.log(rate)).sum(axis=0)
        worse = float((mine - answers[SEARCH]).max())
        if worse > 1e-3:
            raise AssertionError(f"log likelihood of one unit is {worse:.3g} nats below theirs.")
        return f"log likelihood of {SHARE} units is at most {max(worse, 0.0):.2g} nats below theirs (1e-3)"

    return Row(
        "tuning-fits",
        f"von Mises curves of {FITTED} units, 120 trials, {PARTS + 1} fits each, 3 starts",
        (Side(OURS, ours), Side(SEARCH, loop, FITTED / SHARE, f"{SHARE} units")),
        check,
        (Target("faster", 10.0, SEARCH),),
    )
