"""Are planted angles between subspaces found, and what do real recordings show?

Run as ``python -m benchmarks.subspaces [--data DIR]``. Planted: 24 conditions drive 30 units along 3 axes; in the
second set of responses all axes are turned by an angle into dimensions of their own, so that the true alignment is its
squared cosine. Noise is independent, with standard deviations from 0.3 to 1.5 over units, the same units being noisy in
both. Recorded: motor cortex before and after learning of a brain-computer interface (Golub et al. 2018, 86 units, 8
targets) and macaque IT (Zhang et al. 2011, 132 sites recorded apart, 7 objects at 3 positions). DIR holds ``motor`` and
``it_spikes``. Written to subspaces.md and .png beside this file.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from benchmarks.real_data import folder

TARGET = Path(__file__).with_suffix(".md")
SEEDS, UNITS, DIMS, CONDITIONS = 12, 30, 3, 24
DEGREES, TRIALS = (0, 45, 90), (4, 10)


def planted(degrees: float, trials: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, condition of each trial)."""
    rng = np.random.default_rng([seed, trials, int(degrees)])
    theta = np.radians(degrees)
    q = np.linalg.qr(rng.normal(size=(UNITS, 2 * DIMS)))[0].T
    axes = q[:DIMS], np.cos(theta) * q[:DIMS] + np.sin(theta) * q[DIMS:]
    ids = np.repeat(np.arange(CONDITIONS), trials)
    noise = np.linspace(0.3, 1.5, UNITS)
    a, b = (
        (rng.normal(size=(CONDITIONS, DIMS)) * [3, 2, 1.5] @ own)[ids]
        + noise * rng.normal(size=(ids.size, UNITS))
        for own in axes
    )
    return a, b, ids


def recovery() -> list[str]:
    lines = [
        "| angle | trials | truth | value | in interval | below ceiling | published index | largest angle, all trials "
        "| its ceiling |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for degrees in DEGREES:
        for trials in TRIALS:
            truth = float(np.cos(np.radians(degrees)) ** 2)
            rows = []
            for seed in range(SEEDS):
                a, b, ids = planted(degrees, trials, seed)
                one = cs.populations.subspace_alignment(
                    a, b, condition_a=ids, condition_b=ids, k=DIMS, n_null=0, n_splits=4, rng=seed
                )
                rows.append(
                    [
                        one.value.mean(),
                        ((one.ci_low <= truth) & (truth <= one.ci_high)).mean(),
                        (one.p_ceiling <= 0.05).mean(),
                        one.index.mean(),
                        np.degrees(one.angles_all[-1]),
                        np.degrees(one.angles_ceiling[-1]),
                    ]
                )
            mean, spread = np.mean(rows, axis=0), np.std([row[0] for row in rows], ddof=1)
            lines.append(
                f"| {degrees} | {trials} | {truth:.2f} | {mean[0]:.3f} +- {spread / np.sqrt(SEEDS):.3f} | "
                f"{mean[1]:.0%} | {mean[2]:.0%} | {mean[3]:.3f} | {mean[4]:.0f} | {mean[5]:.0f} |"
            )
            print(lines[-1])
    return lines


def interface(data: Path) -> list[str]:
    """Before and after learning."""
    from scipy.io import loadmat

    file = data / "motor" / "bci_golub2018.mat"
    if not file.exists():
        return ["The recording is not there."]
    found = loadmat(file, simplify_cells=True)
    days = {}
    for name, key in (("before", "beforeLearning"), ("after", "afterLearning")):
        clouds = found[key]["clouds"]
        counts = [
            np.asarray(one, np.float64).T for one in clouds["spikes"]
        ]  # (patterns, units) of each target
        days[name] = cs.responses(
            np.concatenate(counts),
            kind="count",
            stimulus=np.repeat(clouds["angles"].astype(int), [len(one) for one in counts]),
            repeat="count",
            unit=[f"unit{k}" for k in range(counts[0].shape[1])],
            system=f"{name} learning",
        )
    lines = [
        "| covariance | dimensions | of | value | 95 % interval | p below ceiling | random | p above | p below "
        "| p units |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for words, condition, k in (("means of targets", "stimulus", 2), ("all activity", None, 10)):
        one = cs.subspaces(days["before"], days["after"], condition=condition, k=k, n_null=1000, rng=0)
        for row in one.to_frame().itertuples():
            lines.append(
                f"| {words} | {one.k} | {row.of} | {row.value:.2f} | {row.ci_low:.2f} to {row.ci_high:.2f} | "
                f"{row.p_ceiling:.2g} | {row.null_mean:.2f} | {row.p_aligned:.2g} | {row.p_orthogonal:.2g} | "
                f"{row.p_units:.2g} |"
            )
        angles = ", ".join(f"{v:.0f}" for v in one.angles["value"].values)
        same = ", ".join(f"{v:.0f}" for v in one.angles["ceiling"].values)
        lines.append(
            f"| | | angles of halves (degrees) | {angles} | of halves of the same | {same} | | | | |"
        )
        print("\n".join(lines[-3:]))
    one.plot().figure.savefig(TARGET.with_suffix(".png"), dpi=110, facecolor="white")
    return lines


def objects(data: Path) -> list[str]:
    """Objects and positions in macaque IT."""
    file = data / "it_spikes" / "it_spikes.npz"
    if not file.exists():
        return ["The recording is not there."]
    with np.load(file, allow_pickle=False) as found:
        rate, edges, site = found["rate"], found["bin_edges"], found["site"]
        thing, place = found["objects"][found["object"]], found["positions"][found["position"]]
    centre = edges.mean(axis=1)
    windows = {"before the stimulus": edges[:, 1] <= 0, "100 to 250 ms": (centre >= 100) & (centre <= 250)}
    populations: dict[str, Any] = {}
    for name, use in windows.items():
        parts = {}
        for number in np.unique(site):
            own = site == number
            parts[f"site{number}"] = cs.responses(
                1000.0 * rate[own][:, use].mean(axis=1)[:, None],
                kind="rate",
                stimulus=[f"{o} {p}" for o, p in zip(thing[own], place[own], strict=True)],
                repeat="count",
                object=thing[own],
                position=place[own],
            )
        populations[name] = cs.pseudo_population(parts, by=["object", "position"], system=name)
    result = cs.geometry(
        populations,
        by=["object", "position"],
        methods=["ccgp", "parallelism", "shattering"],
        n_draws=2,
        n_null=60,
        rng=0,
    )
    lines = ["| window | measure | of | value | 95 % interval | null | p |", "|---|---|---|---|---|---|---|"]
    for row in result.to_frame().itertuples():
        words = result.data["words"].sel(measure=row.measure).item()
        lines.append(
            f"| {row.system} | {words} | {row.of} | {row.value:.2f} | {row.ci_low:.2f} to {row.ci_high:.2f} | "
            f"{row.null_mean:.2f} | {row.p:.2g} |"
        )
        print(lines[-1])
    return lines


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default=None)
    data = folder(parser.parse_args(arguments).data)
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    text = [
        "# Subspaces and the geometry of conditions",
        "",
        (__doc__ or "").split("``.")[1].split("DIR holds")[0].replace("\n", " ").strip(),
        "",
        "## Planted angles",
        "",
        f"Means over {SEEDS} seeds and both directions (+- standard error). The value is held out and has 1 as "
        "its ceiling; the published index and the angles of all trials are pulled away from the truth by noise, as "
        "their ceiling (two halves of the same responses) says.",
        "",
        *recovery(),
        "",
        "## Before and after learning",
        "",
        "Value: variance in the other's leading dimensions over that in the own ones, on other trials. Random: "
        "subspaces with the covariance of both.",
        "",
        *interface(data),
        "",
        "![Angles and variance captured, all activity](subspaces.png)",
        "",
        "## Objects and positions in IT",
        "",
        "Medians over draws of pseudo-trials. Generalisation of objects: between any two objects, trained at two "
        "positions and tested at the third. Before the stimulus a third of the differences are not longer than noise, "
        "and parallelism is of the others.",
        "",
        *objects(data),
        "",
    ]
    TARGET.write_text("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
