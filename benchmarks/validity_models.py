"""Tests and intervals of models by simulation: ``python -m benchmarks.validity_models [--quick]``.

Stimuli and subjects are drawn from a population; models are noisy copies of what the population has in common, so
that equal models differ in a sample only. Each row: how often a 5 % test rejects, or a 95 % interval covers the
population's value, with the binomial band of a true 5 % (95 %).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
import warnings
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs

UNITS, BOOT = 12, 200


def band(count: int, p: float) -> str:
    low, high = stats.binom.ppf([0.025, 0.975], count, p) / count
    return f"[{low:.3f}, {high:.3f}]"


def draw(rng: np.random.Generator, n: int, s: int, shared: float, distinct: float) -> tuple[Any, Any]:
    """Models A, B, a third, and subjects. Features: common ones, and those of each model alone.

    A subject sees the common features of A and of B alike, so that A and B are equal in the population;
    ``shared`` > 0 makes A and B correlate. ``distinct``: how far subjects differ from each other.
    """
    common, own_a, own_b, other = rng.normal(size=(4, n, UNITS))
    a, b = shared * common + own_a, shared * common + own_b
    truth = np.concatenate([shared * common, own_a, own_b], axis=1)
    noise = rng.normal(size=(s, n, 3 * UNITS))
    tilt = np.exp(distinct * rng.normal(size=(s, 1, 3 * UNITS)))
    ids = [f"i{k}" for k in range(n)]
    people = np.stack([cs.measures.rdm(t * truth + e, distance="sqeuclidean") for t, e in zip(tilt, noise)])
    made = [cs.rdm_data(cs.measures.rdm(x, distance="sqeuclidean"), stimulus=ids) for x in (a, b, other)]
    return dict(zip("ABO", made)), cs.rdm_data(people, stimulus=ids, subject=[f"s{k}" for k in range(s)])


def equal_models(count: int, shared: float, s: int, n: int, fitted: bool) -> dict[str, float]:
    """Rejections of A = B, of O against 0, and coverage of the population's values of A (and of the fit)."""
    hits: dict[str, list[bool]] = {}
    values: dict[str, list[float]] = {}
    intervals: dict[str, list[tuple[float, float]]] = {}
    for k in range(count):
        models, people = draw(np.random.default_rng([k, n, s, int(10 * shared)]), n, s, shared, 0.4)
        if fitted:
            models = {**models, "fit": cs.models.WeightedRDM(dict(models))}
        found = cs.evaluate_models(
            models,
            people,
            method="pearson",
            n_boot=BOOT,
            n_perm=0 if fitted else 99,
            rng=k,
            correction="holm",
        )
        pairs = found.pairs_frame().set_index(["model", "other"])
        hits.setdefault("A = B", []).append(pairs.loc[("A", "B"), "p"] < 0.05)
        if not fitted:
            hits.setdefault("O = 0 (permutation)", []).append(float(found.data["p"].sel(model="O")) <= 0.05)
        for name in ("A", "fit") if fitted else ("A",):
            row = found.data.sel(model=name)
            values.setdefault(name, []).append(float(row["value"]))
            intervals.setdefault(name, []).append((float(row["ci_both_low"]), float(row["ci_both_high"])))
    out = {name: float(np.mean(v)) for name, v in hits.items()}
    for name, v in values.items():
        truth = float(np.mean(v))
        out[f"coverage of {name}"] = float(np.mean([lo <= truth <= hi for lo, hi in intervals[name]]))
    return out


def at_the_ceiling(count: int, s: int, n: int) -> float:
    """A model that is what all subjects share: how often is it called below the lower ceiling?"""
    hits = []
    for k in range(count):
        rng = np.random.default_rng([k, 7])
        truth = rng.normal(size=(n, UNITS))
        ids = [f"i{j}" for j in range(n)]
        noise = rng.normal(size=(s, n, UNITS))
        people = np.stack([cs.measures.rdm(truth + 2 * e, distance="sqeuclidean") for e in noise])
        model = cs.rdm_data(cs.measures.rdm(truth, distance="sqeuclidean"), stimulus=ids)
        brain = cs.rdm_data(people, stimulus=ids, subject=[f"s{j}" for j in range(s)])
        found = cs.evaluate_models({"truth": model}, brain, method="pearson", n_boot=BOOT, n_perm=0, rng=k)
        hits.append(float(found.data["p_ceiling"][0]) < 0.05)
    return float(np.mean(hits))


def contrast(count: int, n: int, measure: Any, shared: float | None) -> float:
    """`Comparison.contrasts` of two equal networks, stimuli as the only factor. None: both unrelated to the brain."""
    hits = []
    for k in range(count):
        rng = np.random.default_rng([k, n, 3])
        common, one, two = rng.normal(size=(3, n, UNITS))
        ids = [f"i{j}" for j in range(n)]
        common = (shared or 0.0) * common
        a, b = (cs.responses(common + x, stimulus=ids) for x in (one, two))
        target = np.concatenate([common, one, two], axis=1)
        it = cs.responses(rng.normal(size=target.shape) + target * (shared is not None), stimulus=ids)
        found = cs.compare({"A": a, "B": b}, it, measure=measure, n_boot=BOOT, n_perm=0, rng=k)
        hits.append(found.contrasts().to_frame()["p"][0] < 0.05)
    return float(np.mean(hits))


def contrast_over_subjects(count: int, shared: float, s: int, n: int) -> float:
    """`Comparison.contrasts` of two equal models of the RDMs of subjects."""
    hits = []
    for k in range(count):
        models, people = draw(np.random.default_rng([k, n, s, 11]), n, s, shared, 0.4)
        two = {name: models[name] for name in "AB"}
        found = cs.compare(two, people, measure="rsa", n_boot=BOOT, n_perm=0, rng=k)
        hits.append(found.contrasts().to_frame()["p"][0] < 0.05)
    return float(np.mean(hits))


def against_the_ceiling(count: int, measure: str, s: int, n: int, like: str) -> dict[str, float]:
    """`Comparison.contrasts` against the ceiling: of 4 repeats (s = 0), or of subjects who weigh features differently.

    ``like``: the model is what all share ("truth"), the mean of s - 1 other subjects ("pool"), or far ("far").
    Coverage is of the mean difference.
    """

    def rdm(x: np.ndarray) -> np.ndarray:
        return np.asarray(cs.measures.rdm(x, distance="sqeuclidean"))

    rows = []
    for k in range(count):
        rng = np.random.default_rng([k, n, s, 17])
        truth = rng.normal(size=(n, UNITS))
        ids = [f"i{j}" for j in range(n)]
        seen = truth + 1.5 * (like == "far") * rng.normal(size=truth.shape)
        if s == 0:
            trials = np.tile(truth, (4, 1)) + 1.5 * rng.normal(size=(4 * n, UNITS))
            a, b = (
                cs.responses(seen, stimulus=ids),
                cs.responses(trials, stimulus=ids * 4, repeat="count", kind="activation"),
            )
        else:
            tilt = np.exp(0.6 * rng.normal(size=(s, 1, UNITS)))
            people = np.stack([rdm(t * truth + e) for t, e in zip(tilt, rng.normal(size=(s, n, UNITS)))])
            model = rdm(seen)
            if like == "pool":
                model = np.mean([rdm(truth + e) for e in rng.normal(size=(s - 1, n, UNITS))], axis=0)
            a = cs.rdm_data(model, stimulus=ids)
            b = cs.rdm_data(people, stimulus=ids, subject=[f"s{j}" for j in range(s)])
        found = cs.compare(a, b, measure=measure, n_boot=20, n_perm=0, rng=k)
        row = found.contrasts(reference="ceiling").to_frame().iloc[0]
        ends = ("ci_both_low", "ci_both_high") if s else ("ci_low", "ci_high")
        rows.append([row["difference"], row[ends[0]], row[ends[1]], row["p"]])
    difference, low, high, p = np.array(rows, dtype=np.float64).T
    truth = difference.mean()
    return {
        f"below, mean difference {truth:+.3f}": float(np.mean(p < 0.05)),
        "coverage of the difference": float(np.mean((low <= truth) & (truth <= high))),
    }


def equivalence(count: int, n: int, measure: str, k_animals: int = 3, tilt: float = 0.0) -> dict[str, float]:
    """A model that is worse than an animal by just the margin: how often is it called equivalent, and how often do
    the intervals for these animals, and for new ones, cover the population's difference?

    ``tilt``: how far the animals differ in how they weigh the features.
    """
    rows = []
    for k in range(count):
        rng = np.random.default_rng([k, n, 13])
        truth = rng.normal(size=(n, UNITS))
        ids = [f"i{j}" for j in range(n)]
        animals = {}
        for j in range(k_animals):
            seen = truth * np.exp(tilt * rng.normal(size=UNITS)) if tilt else truth
            animals[f"a{j}"] = cs.responses(seen + rng.normal(size=truth.shape), stimulus=ids)
        model = cs.responses(truth + 2 * rng.normal(size=truth.shape), stimulus=ids)
        found = cs.equivalence(model, animals, measure, margin=0.1, n_boot=BOOT, rng=k)
        row = found.data.isel(model=0).sel(target="all")
        names = ("difference", "ci_low", "ci_high", "ci_both_low", "ci_both_high")
        rows.append([float(row[name]) for name in names])
    difference, low, high, both_low, both_high = np.array(rows).T
    truth = difference.mean()
    variance = ((high - low) / 2 / stats.t.ppf(0.975, n - 1)) ** 2
    called = cs.stats.equivalence_p(difference, variance, abs(truth), df=n - 1) < 0.05
    return {
        "equivalent at the margin": float(np.mean(called)),
        "coverage, these animals": float(np.mean((low <= truth) & (truth <= high))),
        "coverage, new animals": float(np.mean((both_low <= truth) & (truth <= both_high))),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.process_time()
    count, fits = (30, 10) if quick else (150, 30)
    print("| case | stimuli x subjects | what | rate | n | band of the nominal rate |")
    print("|---|---|---|---|---|---|", flush=True)
    for fitted, shared, s, n in (
        (False, 0, 8, 30),
        (False, 2, 8, 30),
        (False, 0, 20, 60),
        (True, 0, 8, 40),
        (True, 2, 8, 40),
    ):
        m = fits if fitted else count
        name = ("fitted, " if fitted else "fixed, ") + ("correlated models" if shared else "unrelated models")
        for what, rate in equal_models(m, shared, s, n, fitted).items():
            level = 0.95 if what.startswith("coverage") else 0.05
            print(f"| {name} | {n} x {s} | {what} | {rate:.3f} | {m} | {band(m, level)} |", flush=True)
    rate = at_the_ceiling(count, 8, 30)
    print(
        f"| model at the ceiling | 30 x 8 | below it | {rate:.3f} | {count} | at most {band(count, 0.05)} |",
        flush=True,
    )
    for shared, word in ((0, "unrelated models"), (2, "correlated models")):
        m = count // 2
        rate = contrast_over_subjects(m, shared, 8, 30)
        print(f"| contrasts, rsa, {word} | 30 x 8 | A = B | {rate:.3f} | {m} | {band(m, 0.05)} |", flush=True)
    for measure, s, n, like in (
        ("rsa", 0, 40, "truth"),
        ("rsa", 0, 40, "far"),
        ("cka", 0, 40, "far"),
        ("linear_predictivity", 0, 40, "far"),
        ("rsa", 8, 30, "truth"),
        ("rsa", 8, 30, "pool"),
        ("rsa", 4, 60, "far"),
    ):
        data = f"{n} x {s}" if s else f"{n}, 4 repeats"
        for what, rate in against_the_ceiling(count, measure, s, n, like).items():
            level = band(count, 0.95) if what.startswith("coverage") else "power, or at most .05"
            print(f"| to the ceiling, {measure}, {like} | {data} | {what} | {rate:.3f} | {count} | {level} |")
    for measure, k, tilt in (
        ("rsa", 3, 0.0),
        ("cka", 3, 0.0),
        ("rsa", 4, 0.6),
        ("rsa", 4, 1.0),
        ("cka", 10, 1.0),
    ):
        m = count // 2
        for what, rate in equivalence(m, 40, measure, k, tilt).items():
            level = 0.95 if what.startswith("coverage") else 0.05
            print(
                f"| equivalence, {measure}, {k} animals, tilt {tilt} | 40 x 1 | {what} | {rate:.3f} | {m} | "
                f"{band(m, level)} |",
                flush=True,
            )
    for measure in ("rsa", "cka", "linear_predictivity", "procrustes"):
        m = count if measure in ("rsa", "cka") else count // 2
        for shared, word in ((None, "unrelated"), (0, "equally related"), (2, "correlated")):
            rate = contrast(m, 40, measure, shared)
            print(
                f"| contrasts, {measure}, {word} | 40 x 1 | A = B | {rate:.3f} | {m} | {band(m, 0.05)} |",
                flush=True,
            )
    print(f"\n{time.process_time() - start:.0f} s of processor time")


if __name__ == "__main__":
    main()
