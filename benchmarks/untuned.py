"""What untuned units seem to be tuned to: ``python -m benchmarks.untuned [--quick]``.

Poisson units (and twice as variable ones) that respond alike to 8 directions, 10 trials each: indices as published,
corrected, after relabelling, and of the drawn floor; type-I error of p; share of intervals with the truth in them, for
those units and for tuned ones whose truth is known. Then network-like units (one row per image, gamma spread), and
units with the noise of neurons given to them. Seeds are fixed. Written to untuned.md beside this file.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

import consilience as cs

TARGET = Path(__file__).with_suffix(".md")
ANGLES = np.arange(0, 360, 45)
TRIALS = 10
MEANS = (1, 5, 20)
IMAGES = ("class_selectivity", "lifetime_sparseness", "d_prime", "roc_auc", "eta_squared")
MEASURES = (
    "orientation_selectivity",
    "direction_selectivity",
    "class_selectivity",
    "lifetime_sparseness",
    "d_prime",
    "roc_auc",
    "eta_squared",
    "mutual_information",
)


def counts(rate: np.ndarray, fano: float, units: int, rng: np.random.Generator) -> np.ndarray:
    """(8 * TRIALS, units) counts of conditions with mean ``rate`` (8,)."""
    each = np.repeat(np.asarray(rate, dtype=np.float64), TRIALS)[:, None] * np.ones(units)
    if fano == 1:
        return rng.poisson(each)
    p = 1 / fano
    return rng.negative_binomial(np.maximum(each * p / (1 - p), 1e-9), p)


def table_of(x: np.ndarray, by: str = "direction", **options: Any) -> cs.UnitTable:
    labels = np.repeat(ANGLES, TRIALS)
    data = cs.responses(x, stimulus=labels, repeat="count", kind="count", system="units")
    data = data.assign_coords(direction=("trial", labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.characterize(data, by, measures=list(MEASURES), period=360.0, rng=0, **options)


def chance(name: str) -> float:
    return 0.5 if name == "roc_auc" else 0.0


def inside(found: Any, truth: float) -> float:
    low, high = found["ci_low"].values, found["ci_high"].values
    known = np.isfinite(low)
    return float(((low <= truth) & (truth <= high))[known].mean())


def untuned(units: int, n_perm: int) -> list[list[str]]:
    rows = []
    for fano in (1.0, 2.0):
        for mean in MEANS:
            rng = np.random.default_rng([mean, int(fano)])
            made = table_of(
                counts(np.full(8, mean), fano, units, rng), n_perm=n_perm, n_floor=50, n_splits=50
            )
            for name in MEASURES:
                at = made.data.sel(measure=name)
                spread = at["corrected"].values.std() / np.sqrt(units)
                rows.append(
                    [
                        f"{name}",
                        f"{mean}, {fano:g}",
                        *(f"{float(at[key].mean()):.3f}" for key in ("value", "null_mean", "floor")),
                        f"{float(at['corrected'].mean()):+.4f} ({spread:.4f})",
                        f"{float((at['p'] <= 0.05).mean()):.3f}",
                        f"{inside(at, chance(name)):.3f}",
                    ]
                )
    return rows


def truths(rate: np.ndarray, fano: float) -> dict[str, float]:
    """The indices of a unit with these mean counts, and of its counts' distributions."""
    r = np.asarray(rate, dtype=np.float64)
    z = np.exp(1j * np.deg2rad(ANGLES))
    best = r.argmax()
    rest = np.delete(r, best)
    spread = fano * r
    within = np.delete(spread, best).mean() + rest.var()
    grid = np.arange(1000)
    if fano == 1:
        masses = stats.poisson.pmf(grid[:, None], np.maximum(r, 1e-12))
    else:
        masses = stats.nbinom.pmf(grid[:, None], np.maximum(r, 1e-12) / (fano - 1), 1 / fano)
    others = np.delete(masses, best, axis=1).mean(axis=1)
    area = float((masses[:, best] * (np.cumsum(others) - others / 2)).sum())
    masses = np.where(masses > 1e-200, masses, 0.0)
    marginal = masses.mean(axis=1)
    information = special.rel_entr(masses, marginal[:, None]).sum() / (8 * np.log(2))
    return {
        "orientation_selectivity": abs((r * z**2).sum()) / r.sum(),
        "direction_selectivity": abs((r * z).sum()) / r.sum(),
        "class_selectivity": (r[best] - rest.mean()) / (r[best] + rest.mean()),
        "lifetime_sparseness": (1 - r.mean() ** 2 / (r**2).mean()) / (1 - 1 / 8),
        "d_prime": (r[best] - rest.mean()) / np.sqrt((spread[best] + within) / 2),
        "roc_auc": min(area, 1.0),
        "eta_squared": r.var() / (r.var() + spread.mean()),
        "mutual_information": float(information),
    }


def tuned(units: int) -> list[list[str]]:
    rows = []
    designs = {
        "orientation": lambda m: m * (1 + 0.6 * np.cos(2 * np.deg2rad(ANGLES - 100))),
        "one direction": lambda m: m * np.where(ANGLES == 90, 3.0, 0.7),
    }
    for name, rate in designs.items():
        for mean in MEANS:
            for fano in (1.0, 2.0):
                rng = np.random.default_rng([7, mean, int(fano)])
                made = table_of(counts(rate(mean), fano, units, rng), n_perm=0, n_floor=0, n_splits=50)
                true = truths(rate(mean), fano)
                for measure in MEASURES:
                    at = made.data.sel(measure=measure)
                    known = np.isfinite(at["corrected"].values)
                    rows.append(
                        [
                            f"{measure}",
                            f"{name}, {mean}, {fano:g}",
                            f"{true[measure]:.3f}",
                            f"{float(np.nanmean(at['value'].values)):.3f}",
                            f"{float(at['corrected'].values[known].mean()):.3f}",
                            f"{inside(at, true[measure]):.3f}",
                        ]
                    )
    return rows


def matched(units: int, n_perm: int) -> list[list[str]]:
    """Class-selective units without noise, and what is left of their indices with the noise of neurons."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(8), 12)
    depth = rng.gamma(1.0, 1.0, units)
    a = rng.gamma(2.0, 0.5, (labels.size, units)) * (
        1 + depth * (labels[:, None] == rng.integers(0, 8, units))
    )
    data = cs.responses(a, stimulus=np.arange(labels.size), system="net").assign_coords(
        category=("trial", labels)
    )
    rows = []
    options: dict[str, Any] = {"measures": ["class_selectivity", "d_prime"], "n_perm": n_perm, "rng": 0}
    kinds: dict[str, Any] = {"as recorded": None}
    kinds |= {f"mean {m}, Fano 1.5, 4 trials": {"mean": m, "fano": 1.5, "n_trials": 4} for m in (20, 5, 1)}
    for name, noise in kinds.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            made = cs.characterize(data, matched_noise=noise, **options)
        for measure in options["measures"]:
            row = made.profile(measure).iloc[0]
            rows.append(
                [
                    measure,
                    name,
                    *(f"{row[key]:.3f}" for key in ("value", "corrected", "floor", "tuned")),
                ]
            )
    return rows


def images(units: int, n_perm: int) -> list[list[str]]:
    """Activations without trials: gamma values over the images of six classes, broad (2) or mostly near 0 (0.3)."""
    counted = np.array([21, 12, 12, 23, 12, 12])
    labels = np.repeat(np.arange(6), counted)
    rows = []
    for shape in (2.0, 0.3):
        for name, mean in {"untuned": np.ones(6), "tuned": np.array([1, 1, 2.5, 1, 1, 0.6])}.items():
            rng = np.random.default_rng([11, int(10 * shape)])
            x = rng.gamma(shape, mean[labels][:, None] / shape, (labels.size, units))
            data = cs.responses(x, stimulus=np.arange(labels.size), system="net")
            data = data.assign_coords(category=("trial", labels))
            made = cs.characterize(data, measures=list(IMAGES), n_perm=n_perm, n_floor=20, rng=0)
            true = of_images(mean, shape, counted)
            for measure in IMAGES:
                at = made.data.sel(measure=measure)
                rows.append(
                    [
                        f"{measure}",
                        f"{name}, {shape:g}",
                        f"{true[measure]:.3f}",
                        *(f"{float(at[key].mean()):.3f}" for key in ("value", "floor", "corrected")),
                        f"{float((at['p'] <= 0.05).mean()):.3f}",
                        f"{inside(at, true[measure]):.3f}",
                    ]
                )
    return rows


def of_images(mean: np.ndarray, shape: float, counted: np.ndarray) -> dict[str, float]:
    best, w, spread = int(mean.argmax()), counted / counted.sum(), mean**2 / shape
    flat = np.ptp(mean) == 0
    rest = np.delete(mean, best)
    share = np.delete(counted, best) / np.delete(counted, best).sum()
    middle = float((share * rest).sum())
    within = float((share * (np.delete(spread, best) + (rest - middle) ** 2)).sum())
    rng = np.random.default_rng(0)
    one, other = rng.gamma(shape, mean[best] / shape, 400_000), rng.gamma(shape, 1 / shape, 400_000)
    other = other * rest[rng.choice(rest.size, other.size, p=share)]
    between = float((w * (mean - (w * mean).sum()) ** 2).sum())
    total = (mean**2).sum()
    return {
        "class_selectivity": (mean[best] - rest.mean()) / (mean[best] + rest.mean()),
        "lifetime_sparseness": (mean.size * total - mean.sum() ** 2) / ((mean.size - 1) * total),
        "d_prime": (mean[best] - middle) / np.sqrt((spread[best] + within) / 2),
        "roc_auc": 0.5 if flat else float((one > other).mean()),
        "eta_squared": between / (between + float((w * spread).sum())),
    }


def lines(head: str, rows: list[list[str]]) -> list[str]:
    names = head.split("|")
    out = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return [*out, *("| " + " | ".join(row) + " |" for row in rows)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer units, nothing written")
    quick = parser.parse_args(arguments).quick
    units, n_perm = (60, 99) if quick else (600, 300)
    text = [
        "# Untuned units",
        "",
        f"`python -m benchmarks.untuned`: 8 directions x {TRIALS} trials, {units} units each, {n_perm} relabellings.",
        "",
        "Indices as published are far above 0 (0.5 for AUC) for units that respond alike to all; corrected ones are "
        "not. The sd of the mean of the corrected values stands in parentheses.",
        "",
        *lines(
            "measure|mean count, Fano factor|as published|relabelled|floor|corrected|p <= 0.05|interval holds chance",
            untuned(units, n_perm),
        ),
        "",
        "## Tuned units",
        "",
        "Truth from the means, and from the distributions of counts. Of information the intervals miss what 8 bins do "
        "not hold, and what few trials cannot show.",
        "",
        *lines(
            "measure|tuning, mean count, Fano factor|truth|as published|corrected|coverage of 95 %",
            tuned(units // 2),
        ),
        "",
        "## Images instead of trials",
        "",
        "One value per image, 6 classes of 12 to 23 images: gamma values of shape 2, or 0.3 (most near 0). p of tuned "
        "units is their power.",
        "",
        *lines(
            "measure|units, shape|truth|as published|floor|corrected|p <= 0.05|coverage of 95 %",
            images(units, n_perm),
        ),
        "",
        "## The noise of neurons for units of a network",
        "",
        "96 images of 8 classes; medians over units, and the share with q at most 0.05.",
        "",
        *lines(
            "measure|units|as published|corrected|untuned floor|told from chance", matched(units // 2, n_perm)
        ),
        "",
    ]
    if quick:
        print("\n".join(text))
    else:
        TARGET.write_text("\n".join(text), encoding="utf-8")
        print(f"written {TARGET.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
