"""Do intervals of generalisation, parallelism and shattering hold? Is curvature right behind noise, and are its nulls?

Run as ``python -m benchmarks.condition_geometry [sets]``; writes condition_geometry.md beside this file. Minutes on one
core.

Conditions have fixed means, Gaussian noise of variance 1 with two shared directions, and trials are drawn anew in every
data set. The truth of an interval of generalisation or shattering is the mean of the value over data sets (it depends
on how many trials there are to learn from); that of parallelism is the cosine of the means without noise. Paths turn by
a fixed angle from step to step; noise has the standard deviation given, of steps of length 1 on average, in each of 30
units.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

import consilience as cs
from consilience.populations import curvature, variance_in_k
from consilience.stats import shuffled_steps, straightened

TARGET = Path(__file__).with_suffix(".md")
WORLDS, DRAWS = 4, 39
CUBE = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
DESIGNS = {"2 x 2": (2, 2), "3 x 4": (3, 4), "4 conditions": (4, 1), "8 conditions": (8, 1)}
Score = Callable[..., cs.populations.PopulationScore]


def world(design: str, units: int, signal: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Labels and means (conditions, units): two factors that add up, and a half of it unrelated."""
    n, m = DESIGNS[design]
    one, two = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    if m > 1:
        means = rng.normal(size=(n, units))[one] + rng.normal(size=(m, units))[two]
    else:
        means = (CUBE if n == 8 else CUBE[:4, :2]) @ rng.normal(size=(3 if n == 8 else 2, units))
    return one, two, signal / np.sqrt(units) * (means + 0.5 * rng.normal(size=(n * m, units)))


def cover(function: Score, design: str, units: int, trials: int, signal: float, sets: int) -> str:
    """Share of intervals that hold the truth."""
    held, truths, known = [], [], []
    for k in range(WORLDS):
        rng = np.random.default_rng([1, k])
        one, two, means = world(design, units, signal, rng)
        shared, ids = 0.3 * rng.normal(size=(2, units)), np.repeat(np.arange(len(means)), trials)
        found = []
        for _ in range(sets // WORLDS):
            noise = rng.normal(size=(ids.size, units)) + rng.normal(size=(ids.size, 2)) @ shared
            labels = (one[ids], two[ids]) if DESIGNS[design][1] > 1 else (ids,)
            score = function(means[ids] + noise, *labels, n_null=0)
            found.append((score.value, score.ci_low, score.ci_high))
        value, low, high = np.array(found).T
        if function is cs.populations.parallelism_score:
            labels = (one, two) if DESIGNS[design][1] > 1 else (np.arange(len(means)),)
            same = np.concatenate([means + end for end in (1e-6, -1e-6) * 2])
            value = np.array([function(same, *(np.tile(v, 4) for v in labels), n_null=0).value])
        truth, some = np.nanmean(value), np.isfinite(low)
        known.append(some.mean())
        truths.append(truth)
        if some.any():
            held.append(((low <= truth + 1e-9) & (truth <= high + 1e-9))[some].mean())
    ends = f"{np.mean(held):.3f}" if held else "-"
    return f"| {design} | {units} | {trials} | {signal:g} | {np.mean(truths):.2f} | {ends} | {np.mean(known):.2f} |"


def paths(degrees: float, speed: str, rng: np.random.Generator, count: int = 4) -> np.ndarray:
    """(count, 16, 30) planar paths with steps of this angle."""
    t = np.arange(15)
    length = {
        "steady": np.ones(15),
        "uneven": 1 + 0.8 * np.sin(1.3 * t),
        "bell": np.exp(-0.06 * (t - 7) ** 2),
    }[speed]
    steps = length[:, None] * np.stack([np.cos(np.radians(degrees) * t), np.sin(np.radians(degrees) * t)], 1)
    path = np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)]) / np.sqrt((length**2).mean())
    return np.stack([path @ np.linalg.qr(rng.normal(size=(30, 2)))[0].T for _ in range(count)])


def walks(rng: np.random.Generator, count: int = 4) -> np.ndarray:
    """(count, 16, 30) walks of unrelated steps of unequal lengths, in three dimensions."""
    steps = rng.normal(size=(count, 15, 3)) @ rng.normal(size=(3, 30)) / np.sqrt(90)
    steps *= rng.uniform(0.5, 1.5, (count, 15, 1))
    return np.concatenate([np.zeros((count, 1, 30)), steps.cumsum(axis=1)], axis=1)


def noisy(
    path: np.ndarray, trials: int, noise: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    x = np.repeat(path, trials, axis=0)
    return x + noise * rng.normal(size=x.shape), np.repeat(np.arange(len(path)), trials)


def recovered(degrees: float, speed: str, sets: int) -> str:
    cells = []
    for noise in (0.05, 0.2, 0.5):
        rng, found = np.random.default_rng(2), []
        for _ in range(sets):
            made = curvature(*noisy(paths(degrees, speed, rng), 10, noise, rng))
            found.append((made.naive, made.value))
        cells.append(
            "{:.0f}, {:.1f} ({:.1f})".format(*np.nanmean(found, axis=0), np.nanstd(found, axis=0)[1])
        )
    return f"| {degrees:g} | {speed} | " + " | ".join(cells) + " |"


def rejected(
    make: Callable[[np.random.Generator], np.ndarray], null: str, trials: int, noise: float, sets: int
) -> float:
    """Share of data sets with p at most 0.05: straighter than walks, or more bent than lines."""
    rng, hits = np.random.default_rng(3), 0
    function, sign = {"steps": (shuffled_steps, -1), "line": (straightened, 1)}[null]
    for _ in range(sets):
        x, label = noisy(make(rng), trials, noise, rng)
        value = sign * curvature(x, label).value
        draws = [sign * curvature(z, label).value for z in function(x, label, n=DRAWS, rng=rng)]
        hits += (1 + np.sum(~(np.array(draws) < value))) / (DRAWS + 1) <= 0.05
    return hits / sets


def units_alone(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(8, 30, 20) units that share nothing."""
    x = rng.normal(size=(8, 30, 20))
    course = gaussian_filter1d(rng.normal(size=(1, 30, 20)), 4, axis=1)
    return {
        "white": x,
        "smooth": gaussian_filter1d(x, 4, axis=1),
        "random walks": x.cumsum(axis=1),
        "smooth, time-locked": gaussian_filter1d(x, 2, axis=1) + 2 * course,
        "smooth, tuned": gaussian_filter1d(x, 2, axis=1) + 3 * rng.normal(size=(8, 1, 20)) * course,
    }[kind]


def shares(kind: str, sets: int) -> str:
    cells = []
    for null in ("conditions", "circular", "phase"):
        rng, hits = np.random.default_rng(4), 0
        for _ in range(sets):
            x = units_alone(kind, rng)
            value = variance_in_k(x, 2, subtract_mean=True)
            draws = cs.stats.SURROGATES[null](x, n=DRAWS, rng=rng)
            hits += (1 + sum(variance_in_k(z, 2, subtract_mean=True) >= value for z in draws)) / (
                DRAWS + 1
            ) <= 0.05
        cells.append(f"{hits / sets:.2f}")
    return f"| {kind} | " + " | ".join(cells) + " |"


def of_trajectories(sets: int) -> list[str]:
    text = [
        "## Curvature behind noise",
        "",
        f"Naive, corrected (standard deviation) of 10 trials of 4 conditions, {sets // 2} data sets.",
        "",
        "| true angle | speed | noise 0.05 | noise 0.2 | noise 0.5 |",
        "|---|---|---|---|---|",
    ]
    text += [
        recovered(d, speed, sets // 2)
        for d in (0.0, 12.0, 40.0, 90.0)
        for speed in ("steady", "uneven", "bell")
    ]
    text += [
        "",
        "## Nulls of curvature",
        "",
        f"Share of p at most 0.05 ({DRAWS} surrogates, {sets} data sets): of walks being straighter than walks, of "
        "lines bending more than lines, and of paths that turn by 12 degrees at an uneven speed.",
        "",
        "| trials | noise | walks, steps | lines at a steady speed, line | at an uneven speed, line | 12 degrees, "
        "line | 12 degrees, steps |",
        "|---|---|---|---|---|---|---|",
    ]
    for trials in (3, 10):
        for noise in (0.05, 0.2):
            cells = [rejected(walks, "steps", trials, noise, sets)]
            cells += [
                rejected(lambda r, s=s: paths(0, s, r), "line", trials, noise, sets)
                for s in ("steady", "uneven")
            ]
            cells += [
                rejected(lambda r: paths(12, "uneven", r), n, trials, noise, sets // 4)
                for n in ("line", "steps")
            ]
            text.append(f"| {trials} | {noise:g} | " + " | ".join(f"{c:.2f}" for c in cells) + " |")
            print(text[-1], flush=True)
    text += [
        "",
        "## Variance along the first two axes",
        "",
        f"Share of p at most 0.05 of units that share nothing (8 x 30 x 20, {DRAWS} surrogates, {sets} data sets). "
        "`cs.structure` refuses the last two.",
        "",
        "| units | conditions | circular | phase |",
        "|---|---|---|---|",
    ]
    text += [
        shares(kind, sets)
        for kind in ("white", "smooth", "random walks", "smooth, time-locked", "smooth, tuned")
    ]
    return text


def main() -> None:
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    text = [
        "# Intervals of the geometry of conditions, and nulls of trajectories",
        "",
        (__doc__ or "").split("\n\n")[2],
        "",
    ]
    head = [
        "| conditions | units | trials each | signal | truth | held | with an interval |",
        "|---|---|---|---|---|---|---|",
    ]
    parts: list[tuple[str, Score, tuple[str, ...], tuple[float, ...]]] = [
        (
            "Generalisation",
            cs.populations.cross_condition_generalisation,
            ("2 x 2", "4 conditions"),
            (0, 1, 5),
        ),
        (
            "Shattering",
            cs.populations.shattering_dimensionality,
            ("4 conditions",),
            (0, 1, 5),
        ),
        ("Parallelism", cs.populations.parallelism_score, ("2 x 2", "3 x 4", "4 conditions"), (1, 2.5, 5)),
    ]
    for title, function, designs, signals in parts:
        text += [
            f"## {title}",
            "",
            f"95 % intervals, {sets} data sets of {WORLDS} sets of means.",
            "",
            *head,
        ]
        for design in designs:
            for units, trials in ((10, 12), (10, 40), (60, 12)):
                for signal in signals:
                    text.append(cover(function, design, units, trials, signal, sets))
                    print(text[-1], flush=True)
        text.append("")
    text += of_trajectories(sets // 2)
    TARGET.write_text("\n".join([*text, ""]))
    print("\n".join(text))


if __name__ == "__main__":
    main()
