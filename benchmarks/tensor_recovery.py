"""Are planted tensor factors and axes of task variables found, with trials that end early and values that are missing?

Run as ``python -m benchmarks.tensor_recovery``. Written to tensor_recovery.md beside this file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

import consilience as cs

TARGET = Path(__file__).with_suffix(".md")
TRIALS, BINS, UNITS, RANK, SEEDS = 60, 30, 25, 3, 10
COVERED, NULLS, SHUFFLES = 60, 120, 39


def whole(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x


def ragged(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Trials end anywhere in their second half; one in ten is whole."""
    x = x.copy()
    ends = rng.integers(x.shape[1] // 2, x.shape[1], len(x))
    for trial, end in zip(x[len(x) // 10 :], ends):
        trial[end:] = np.nan
    return x


def without(share: float) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda x, rng: np.where(rng.random(x.shape) < share, np.nan, x)


HOLES = {
    "complete": whole,
    "trials end early": ragged,
    "10 % missing": without(0.1),
    "30 % missing": without(0.3),
}


def tensor(
    rng: np.random.Generator, *, positive: bool = False, slow: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Three components of one size with white noise (``slow``: smooth over time) of four times their variance."""
    a, b, c = (rng.normal(size=(n, RANK)) for n in (TRIALS, BINS, UNITS))
    b = gaussian_filter1d(b, 2, axis=0)
    if positive:
        a, b, c = (np.abs(f) for f in (a, b, c))
    factors = [f / np.linalg.norm(f, axis=0) for f in (a, b, c)]
    signal = np.einsum("ir,jr,kr->ijk", *factors)
    noise = rng.normal(size=signal.shape)
    if slow:
        noise = gaussian_filter1d(noise, 2, axis=1)
    noise *= 2 * signal.std() / noise.std()
    return (signal * rng.gamma(4, 1 / 4, size=signal.shape) if positive else signal + noise), factors


def alike(model: Any, factors: list[np.ndarray]) -> list[float]:
    """Mean |cosine| of time and of unit factors with the planted ones, each taken once."""
    from scipy.optimize import linear_sum_assignment

    cosines = [np.abs(planted.T @ found) for planted, found in zip(factors[1:], model.factors_[1:])]
    rows, columns = linear_sum_assignment(-cosines[0] * cosines[1])
    return [float(c[rows, columns].mean()) for c in cosines]


def cp_rows() -> list[str]:
    lines = [
        '| data | time factors | unit factors | starts alike | rank 3 found by `"cv"` | others |',
        "|---|---|---|---|---|---|",
    ]
    kinds: list[tuple[str, Any, dict[str, bool]]] = [(name, holes, {}) for name, holes in HOLES.items()]
    kinds += [("noise smooth in time", whole, {"slow": True})]
    kinds += [
        (f"non-negative, {name}", HOLES[name], {"positive": True}) for name in ("complete", "30 % missing")
    ]
    for name, holes, how in kinds:
        scores, same, ranks = [], [], []
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            x, factors = tensor(rng, **how)
            x = holes(x, rng)
            options: dict[str, Any] = {
                "missing": "mask",
                "non_negative": how.get("positive", False),
                "rng": seed,
            }
            model = cs.models.CP(RANK, **options).fit(x)
            scores.append(alike(model, factors))
            same.append(model.similarity_.mean())
            ranks.append(cs.models.CP("cv", max_components=5, **options).fit(x).n_components_)
        time, unit = np.mean(scores, axis=0)
        wrong = sorted(set(ranks) - {RANK})
        others = ", ".join(f"{r} ({ranks.count(r)})" for r in wrong) or "none"
        lines.append(
            f"| {name} | {time:.3f} | {unit:.3f} | {np.mean(same):.2f} | {ranks.count(RANK)} of {SEEDS} | {others} |"
        )
    return lines


def cp_coverage() -> list[str]:
    """Share of planted values of the time and the unit factors inside their interval."""
    lines = ["| data | time factors | unit factors |", "|---|---|---|"]
    for name, holes in {"complete": whole, "trials end early": ragged, "30 % missing": without(0.3)}.items():
        inside: list[list[float]] = []
        for seed in range(COVERED):
            rng = np.random.default_rng(1000 + seed)
            x, factors = tensor(rng)
            model = cs.models.CP(RANK, missing="mask", n_restarts=3, rng=seed).fit(holes(x, rng))
            both = np.abs(factors[1].T @ model.factors_[1]) * np.abs(factors[2].T @ model.factors_[2])
            row = []
            for planted, found, (low, high) in zip(factors[1:], model.factors_[1:], model.intervals_):
                match = both.argmax(axis=0)
                truth = planted[:, match]
                truth = truth * np.sign((truth * found).sum(axis=0))
                row.append(float(((low <= truth) & (truth <= high)).mean()))
            inside.append(row)
        time, unit = np.mean(inside, axis=0)
        lines.append(f"| {name} | {time:.3f} | {unit:.3f} |")
    return lines


def task(
    rng: np.random.Generator, related: float, sizes: tuple[float, float]
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Two variables of correlation ``related`` over 120 trials, each along an axis of its own with its own course."""
    first, other = rng.normal(size=(2, 120))
    z = np.column_stack([first, related * first + np.sqrt(1 - related**2) * other])
    axes = rng.normal(size=(2, 40))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    t = np.linspace(0, 1, 20)
    courses = np.stack([np.exp(-(((t - 0.3) / 0.15) ** 2)), t]) * np.array(sizes)[:, None]
    x = np.einsum("nv,vt,vu->ntu", z, courses, axes) + rng.normal(size=(120, 20, 40))
    return x, {"first": z[:, 0], "second": z[:, 1]}, axes


def targeted_rows() -> list[str]:
    lines = [
        "| data | correlation of the variables | first axis | second axis |",
        "|---|---|---|---|",
    ]
    for name, holes in HOLES.items():
        for related in (0.0, 0.5, 0.8):
            found = []
            for seed in range(SEEDS):
                rng = np.random.default_rng(seed)
                x, y, axes = task(rng, related, (2.0, 2.0))
                model = cs.models.TargetedDR(orthogonal=False, missing="mask").fit(holes(x, rng), y)
                found.append(np.abs((model.axes_ * axes).sum(axis=1)))
            a, b = np.mean(found, axis=0)
            lines.append(f"| {name} | {related} | {a:.3f} | {b:.3f} |")
    return lines


def targeted_level() -> list[str]:
    lines = [
        "| correlation of the variables | p <= .05 of the one that is not there | p <= .05 of the one that is |",
        "|---|---|---|",
    ]
    for related in (0.0, 0.8):
        p = []
        for seed in range(NULLS):
            rng = np.random.default_rng(5000 + seed)
            x, y, _ = task(rng, related, (1.0, 0.0))
            scores = cs.models.TargetedDR().held_out(
                x[:60, ::4, :20], {k: v[:60] for k, v in y.items()}, n_perm=SHUFFLES, rng=seed
            )
            p.append(scores.p)
        there, absent = (np.array(p) <= 0.05).mean(axis=0)
        lines.append(f"| {related} | {absent:.3f} | {there:.2f} |")
    return lines


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        parts = [cp_rows(), cp_coverage(), targeted_rows(), targeted_level()]
    heads = [
        "# Tensor decomposition and targeted dimensionality reduction: what is recovered",
        f"""## Tensor decomposition (`cs.models.CP`)

{TRIALS} trials x {BINS} bins x {UNITS} units, three components of one size, white noise of four times the variance of
the signal (non-negative data: values times gamma noise of mean 1 and standard deviation 1/2). {SEEDS} data sets for
each row. Mean |cosine| of the factors with those that were planted; how alike the components of ten random starts are
to the best one's; the number chosen by hidden time courses, of 1 to 5.""",
        f"""Share of planted values of the factors inside their 95 % interval (jackknife over ten groups of trials),
{COVERED} data sets:""",
        f"""## Targeted dimensionality reduction (`cs.models.TargetedDR`)

120 trials x 20 bins x 40 units, two variables with axes at random angles, a course of its own for each, white noise.
Mean |cosine| of the axes, before they are made orthogonal, with those that were planted, over {SEEDS} data sets:""",
        f"""Only the first variable has an axis; 60 trials, 5 bins, 20 units. `held_out` with {SHUFFLES} shuffles in
{NULLS} data sets (standard error of a rate of .05: {np.sqrt(0.05 * 0.95 / NULLS):.3f}):""",
    ]
    text = heads[0] + "\n\nMade by `python -m benchmarks.tensor_recovery`.\n"
    for head, lines in zip(heads[1:], parts):
        text += f"\n{head}\n\n" + "\n".join(lines) + "\n"
    TARGET.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
