"""Do wider networks, and networks that generalise, agree more with each other? (Morcos, Raghu & Bengio 2018)

Run as ``python -m benchmarks.width_and_seed``. Small convolutional networks on scikit-learn's digits, five seeds
a group: of four widths; and, at one width and with fewer training images, trained on the true labels or on one
shuffle of them (which can only be memorised; the same shuffle for all seeds). Agreement of two networks is a
measure's value between the same layer of both, over 200 test images, mean over layers. Intervals are jackknives
over networks; p is from relabelling networks (which group each is in). Written to width_and_seed.md and .png
beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs
from benchmarks._small_networks import Recipe, record

TARGET = Path(__file__).with_suffix(".md")
SEEDS, STIMULI, PERMUTATIONS = 5, 200, 2000
WIDTHS = (4, 8, 16, 32)
STRIDES = (1, 1, 2, 1)
MEASURES = ("cka", "rsa")


def group(width: int, labels: str = "true", *, n_train: int = 1400, epochs: int = 25) -> list[Recipe]:
    channels = (width, width, 2 * width, 2 * width)
    return [
        Recipe(
            seed=s, channels=channels, strides=STRIDES, side=8, labels=labels, epochs=epochs, n_train=n_train
        )
        for s in range(SEEDS)
    ]


def agreement(recipes: Sequence[Recipe], measure: str) -> tuple[np.ndarray, list[dict[str, float]]]:
    """(networks, networks): mean over layers of the value between the same layer of two; and scores."""
    ids = [f"digit{i:03d}" for i in range(STIMULI)]
    recorded = [record(recipe) for recipe in recipes]
    out = np.zeros((len(recipes), len(recipes)))
    for k in range(len(STRIDES)):
        systems = {
            f"net{i}": cs.responses(layers[k][:STIMULI], stimulus=ids)
            for i, (layers, _) in enumerate(recorded)
        }
        found = cs.compare(systems, systems, measure=measure, n_boot=0, n_perm=0, rng=0)
        out += found.data["value"].values[0] / len(STRIDES)
    return out, [scores for _, scores in recorded]


def within(table: np.ndarray, members: np.ndarray) -> float:
    """Mean agreement between different networks of one group."""
    part = table[np.ix_(members, members)]
    return float(part[~np.eye(len(members), dtype=bool)].mean())


def jackknife(table: np.ndarray, members: np.ndarray) -> tuple[float, float, float]:
    value = within(table, members)
    m = len(members)
    without = np.array([within(table, np.delete(members, k)) for k in range(m)])
    se = np.sqrt((m - 1) / m * np.sum((without - without.mean()) ** 2))
    width = stats.t.ppf(0.975, m - 1) * se
    return value, value - width, value + width


def p_relabelled(
    table: np.ndarray,
    labels: np.ndarray,
    statistic: Callable[[list[float]], float],
    orders: Sequence[np.ndarray],
) -> float:
    """One-sided: how often relabelled networks show as much; ``statistic`` of the groups' means."""
    kinds = np.unique(labels)

    def of(given: np.ndarray) -> float:
        return statistic([within(table, np.flatnonzero(given == kind)) for kind in kinds])

    seen = of(labels)
    return (1 + sum(of(labels[order]) >= seen - 1e-12 for order in orders)) / (1 + len(orders))


def draw(rows: dict[str, list[tuple[str, list[tuple[float, float, float]]]]], path: Path) -> None:
    from matplotlib.figure import Figure

    from consilience.plots._style import PALETTE, dress, style

    with style():
        figure = Figure(figsize=(8.6, 3.4), facecolor="white", layout="constrained")
        axes = figure.subplots(1, 2, width_ratios=[1.5, 1], sharey=True)
        for ax, (title, groups) in zip(axes, rows.items()):
            dress(ax)
            for k, measure in enumerate(MEASURES):
                x = np.arange(len(groups)) + 0.12 * (k - 0.5)
                found = np.array([values[k] for _, values in groups])
                ax.vlines(x, found[:, 1], found[:, 2], color=PALETTE[k], linewidth=2.4)
                ax.plot(x, found[:, 0], "o-" if len(groups) > 2 else "o", color=PALETTE[k], linewidth=0.8,
                        markersize=6.5, markeredgecolor="white", label=measure)  # fmt: skip
            ax.set_xticks(range(len(groups)), [name for name, _ in groups])
            ax.set_xlim(-0.5, len(groups) - 0.5)
            ax.set_title(title)
        axes[0].set_ylabel("agreement of two seeds")
        axes[0].set_xlabel("channels of the first layer")
        axes[1].set_xlabel("labels in training (400 images)")
        axes[0].legend(loc="lower right")
        figure.savefig(path, dpi=120)


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    import torch

    torch.set_num_threads(1)
    studies: dict[str, tuple[list[str], list[Recipe], Any]] = {
        "Wider networks agree more?": (
            [str(w) for w in WIDTHS],
            [r for w in WIDTHS for r in group(w)],
            lambda means: float(np.polyfit(np.log2(WIDTHS), means, 1)[0]),
        ),
        "Generalising ones agree more?": (
            ["true", "shuffled"],
            [r for name in ("true", "random") for r in group(16, name, n_train=400, epochs=80)],
            lambda means: float(means[0] - means[1]),
        ),
    }
    lines = ["# Width, seed and generalisation", "", "`python -m benchmarks.width_and_seed`: "
             f"{SEEDS} seeds a group, {STIMULI} test images, four layers; 95 % jackknife over networks.", "",
             "| group | right on training, test | " + " | ".join(MEASURES) + " |",
             "|---|---|" + "---|" * len(MEASURES)]  # fmt: skip
    tests, drawn = [], {}
    for title, (names, recipes, statistic) in studies.items():
        labels = np.repeat(np.arange(len(names)), SEEDS)
        made = {measure: agreement(recipes, measure) for measure in MEASURES}
        rng = np.random.default_rng(0)
        orders = [rng.permutation(len(labels)) for _ in range(PERMUTATIONS)]
        if len(names) == 2:  # all splits in two
            halves = itertools.combinations(range(2 * SEEDS), SEEDS)
            orders = [
                np.argsort(np.argsort([i not in half for i in range(2 * SEEDS)], kind="stable"))
                for half in halves
            ]
        groups = []
        for k, name in enumerate(names):
            members = np.flatnonzero(labels == k)
            scores = made[MEASURES[0]][1]
            found = [jackknife(made[m][0], members) for m in MEASURES]
            groups.append((name, found))
            right = [np.mean([scores[i][which] for i in members]) for which in ("train", "test")]
            cells = " | ".join(f"{v:.3f} [{low:.3f}, {high:.3f}]" for v, low, high in found)
            what = f"width {name}" if len(names) > 2 else f"{name} labels"
            lines.append(f"| {what} | {right[0]:.1%}, {right[1]:.1%} | {cells} |")
        drawn[title] = groups
        ps = {m: p_relabelled(made[m][0], labels, statistic, orders) for m in MEASURES}
        tests.append(f"- {title} " + ", ".join(f"{m}: p = {p:.4f}" for m, p in ps.items()) + " (one-sided).")
    lines += ["", *tests]
    TARGET.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw(drawn, TARGET.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
