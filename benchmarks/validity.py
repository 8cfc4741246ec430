"""Statistical validity by simulation: ``python -m benchmarks.validity [--quick]``.

Independent data under every measure and interval (does each interval hold the null it states?), coverage of every
kind of interval on a planted case away from the null, of held-out intervals with few stimuli and of stochastic shape
distances, and the type-I error of every p.
Simulations run in two processes with one BLAS thread each; seeds are fixed, so that the tables repeat.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import functools
import sys
import time
import warnings
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs

Spec = tuple[str, dict[str, Any], bool]  # measure, options, held out
SETS = 5  # data sets per row of the null table; the numbers shown are those of the first


def measure_of(spec: Spec) -> Any:
    name, options, _ = spec
    return functools.partial(getattr(cs.measures, name), **options) if options else name


def label(spec: Spec) -> str:
    name, options, held_out = spec
    alignment = name in ("cca", "svcca", "pwcca", "procrustes", "one_to_one", "soft_match")
    form = (" held out" if held_out else " in-sample") if alignment else ""
    return name + ("(" + ", ".join(f"{k}={v}" for k, v in options.items()) + ")" if options else "") + form


def responses(x: np.ndarray) -> Any:
    return cs.responses(x, stimulus=np.arange(len(x)))


def compare(a: Any, b: Any, spec: Spec, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.compare(a, b, measure=measure_of(spec), held_out=spec[2], **options)


def table(columns: str, rows: Iterable[list[Any]]) -> None:
    head = columns.split(",")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in row) + " |")
    print(flush=True)


# -- the null table ----------------------------------------------------------------------------------------

EVERY: list[Spec] = [
    ("rsa", {}, True),
    ("rsa", {"method": "pearson"}, True),
    ("rsa", {"method": "cosine"}, True),
    ("rsa", {"distance": "euclidean"}, True),
    ("rsa", {"distance": "cosine"}, True),
    ("rsa", {"method": "rho_a"}, True),
    ("rsa", {"method": "whitened_pearson"}, True),
    ("rsa", {"distance": "euclidean", "method": "whitened_cosine"}, True),
    ("rsa", {"distance": "euclidean", "method": "bures"}, True),
    ("cka", {}, True),
    ("cka", {"kernel": "rbf"}, True),
    ("cka", {"debiased": False}, True),
    ("cka", {"kernel": "rbf", "debiased": False}, True),
    ("cca", {}, False),
    ("cca", {}, True),
    ("svcca", {}, False),
    ("svcca", {}, True),
    ("procrustes", {}, False),
    ("procrustes", {}, True),
    ("procrustes", {"alpha": 0.5}, False),
    ("procrustes", {"alpha": 0.5}, True),
    ("one_to_one", {}, False),
    ("one_to_one", {}, True),
    ("soft_match", {}, False),
    ("soft_match", {}, True),
    ("linear_predictivity", {}, True),
    ("distance_correlation", {}, True),
    ("distance_correlation", {"debiased": False}, True),
    ("mutual_knn", {}, True),
    ("pwcca", {}, False),
    ("pwcca", {}, True),
    ("kernel_cca", {}, True),
]
TAU: Spec = ("rsa", {"method": "kendall"}, True)


def null_row(job: tuple[Spec, int, int, int, int]) -> list[Any]:
    spec, n, p, n_boot, n_perm = job
    start = time.perf_counter()
    null_in, value_in, first = 0, 0, None
    for k in range(SETS):
        rng = np.random.default_rng([n, p, k])
        a, b = responses(rng.normal(size=(n, p))), responses(rng.normal(size=(n, p)))
        result = compare(a, b, spec, n_boot=n_boot, n_perm=n_perm if k == 0 else 0, rng=0)
        first = first or result
        low, high = result.interval
        stated = float(result.data["null_expected"].item())
        null_in += low - 1e-9 <= stated <= high + 1e-9
        value_in += low - 1e-9 <= result.value <= high + 1e-9
    seconds = time.perf_counter() - start
    assert first is not None
    result = first
    low, high = result.interval
    rule = result.settings["measures"][0]["resample"]
    value = result.value
    holds, own = f"{null_in} of {SETS}", f"{value_in} of {SETS}"
    codes = ", ".join(c.code for c in result.warnings) or "-"
    interval = f"[{low:.4f}, {high:.4f}]"
    return [
        label(spec),
        rule,
        f"{n} x {p}",
        value,
        stated,
        result.null,
        interval,
        holds,
        own,
        result.p,
        codes,
        f"{seconds:.1f}",
    ]


def null_table(pool: ProcessPoolExecutor, quick: bool) -> int:
    print("## Independent data: value, stated null, interval\n")
    boot, perm = (50, 9) if quick else (300, 99)
    widths = (20,) if quick else (20, 200, 1000)
    jobs = [(spec, 100, p, boot, perm) for spec in EVERY for p in widths]
    jobs += [(TAU, 40, p, boot, 49) for p in widths[:2]]
    if not quick:
        jobs += [
            (spec, 2000, 10, 50, 0)
            for spec in EVERY
            if spec[0] not in ("rsa",) and spec[1].get("kernel") is None
        ]
    rows = list(pool.map(null_row, jobs))
    head = (
        "measure,rule,stimuli x units,value,stated null,permuted mean,95 % interval,holds null,holds value,p"
    )
    table(f"{head},warnings,s", rows)
    misses = sum(SETS - int(row[7].split()[0]) for row in rows)
    wrong = sum(SETS - int(row[8].split()[0]) for row in rows)
    calm = [row for row in rows if row[2] == "2000 x 10" and row[10] not in ("-", "few-draws")]
    total = SETS * len(rows)
    print(
        f"{misses} of {total} intervals miss their null, {wrong} their value; "
        f"{len(calm)} warnings at 2000 x 10.\n"
    )
    return wrong + len(calm) + (misses > 0.1 * total)


# -- coverage ----------------------------------------------------------------------------------------------


def planted(n: int, rng: np.random.Generator, p: int = 10, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Two systems of one population: the mixing is fixed, the stimuli and the private noise are drawn."""
    fixed = np.random.default_rng(12345)
    a, b = fixed.normal(size=(k, p)), fixed.normal(size=(k, p))
    signal = rng.normal(size=(n, k))
    return signal @ a + 2 * rng.normal(size=(n, p)), signal @ b + 2 * rng.normal(size=(n, p))


def planted_subjects(
    n: int, subjects: int, rng: np.random.Generator, p: int = 12
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Subjects are drawn too: each has a mixing of its own (partly shared), and noise."""
    fixed = np.random.default_rng(54321)
    k = 4
    shared = fixed.normal(size=(k, p))
    signal = rng.normal(size=(n, k))
    model = signal @ fixed.normal(size=(k, 10)) + rng.normal(size=(n, 10))
    brains = []
    for _ in range(subjects):
        strength = np.exp(0.5 * rng.normal())
        brains.append(
            strength * signal @ (shared + 0.7 * rng.normal(size=(k, p))) + 2 * rng.normal(size=(n, p))
        )
    return model, brains


COVERAGE: list[tuple[str, Spec, bool]] = [
    ("pairs", ("rsa", {"distance": "euclidean"}, True), False),
    ("pairs", ("rsa", {}, True), False),
    ("pairs", ("rsa", {"distance": "euclidean", "method": "rho_a"}, True), False),
    ("pairs", ("rsa", {"distance": "euclidean", "method": "whitened_pearson"}, True), False),
    ("subsample", ("rsa", {"distance": "euclidean", "method": "bures"}, True), False),
    ("pairs", ("cka", {}, True), False),
    ("pairs", ("cka", {"units": "sampled"}, True), False),
    ("pairs", ("distance_correlation", {}, True), False),
    ("pairs, at n", ("mutual_knn", {}, True), False),
    ("predictions", ("pwcca", {}, True), False),
    ("predictions", ("kernel_cca", {}, True), False),
    ("subsample", ("pwcca", {}, False), False),
    ("predictions", ("linear_predictivity", {}, True), False),
    ("predictions", ("cca", {}, True), False),
    ("predictions", ("svcca", {}, True), False),
    ("predictions", ("procrustes", {}, True), False),
    ("predictions, refit", ("linear_predictivity", {}, True), True),
    ("subsample", ("cca", {}, False), False),
    ("subsample", ("svcca", {}, False), False),
    ("subsample", ("procrustes", {}, False), False),
    ("predictions", ("procrustes", {"alpha": 0.5}, True), False),
    ("predictions", ("one_to_one", {}, True), False),
    ("predictions", ("soft_match", {}, True), False),
    ("subsample", ("procrustes", {"alpha": 0.5}, False), False),
    ("subsample", ("one_to_one", {}, False), False),
    ("subsample", ("soft_match", {}, False), False),
]


def one_interval(job: tuple[Spec, bool, int, int, int]) -> tuple[float, float, float]:
    spec, refit, n, n_boot, seed = job
    x, y = planted(n, np.random.default_rng([seed, 1]))
    result = compare(responses(x), responses(y), spec, n_boot=n_boot, n_perm=0, rng=seed, refit=refit)
    return (result.value, *result.interval)


def one_value(job: tuple[Spec, int, int]) -> float:
    spec, n, seed = job
    x, y = planted(n, np.random.default_rng([seed, 2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return float(cs.measures.as_measure(measure_of(spec), who="validity", held_out=spec[2])(x, y))


def one_subjects(job: tuple[int, int, int, int]) -> tuple[float, ...]:
    n, subjects, n_boot, seed = job
    rng = np.random.default_rng([seed, 3])
    model, brains = planted_subjects(n, subjects, rng)
    d = np.stack([cs.measures.rdm(x, distance="euclidean", square=True) for x in brains])
    spec: Spec = ("rsa", {"distance": "euclidean"}, True)
    b = cs.rdm_data(d, stimulus=np.arange(n), distance="sqeuclidean", subject=range(subjects))
    result = compare(responses(model), b, spec, n_boot=n_boot, n_perm=0, rng=seed)
    frame = result.to_frame().iloc[0]
    return tuple(
        float(frame[c])
        for c in (
            "value",
            "ci_low",
            "ci_high",
            "ci_subjects_low",
            "ci_subjects_high",
            "ci_both_low",
            "ci_both_high",
        )
    )


def band(hits: np.ndarray) -> str:
    interval = stats.binomtest(int(hits.sum()), hits.size).proportion_ci(0.95)
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def coverage_table(pool: ProcessPoolExecutor, quick: bool) -> None:
    print("## Coverage of 95 % intervals, away from the null\n")
    n, sets, boot, many = (60, 20, 100, 100) if quick else (60, 300, 400, 3000)
    rows = []
    truth: dict[str, float] = {}
    for kind, spec, refit in COVERAGE:
        start = time.perf_counter()
        key = label(spec)
        if key not in truth:
            at = 2000 if kind == "pairs" else n  # a population value, or the mean score at this n
            draws = max(3, many // 100) if kind == "pairs" else many
            truth[key] = float(
                np.mean(
                    list(pool.map(one_value, [(spec, at, 10**6 + s) for s in range(draws)], chunksize=16))
                )
            )
        found = np.array(
            list(pool.map(one_interval, [(spec, refit, n, boot, s) for s in range(sets)], chunksize=8))
        )
        hits = (found[:, 1] <= truth[key]) & (truth[key] <= found[:, 2])
        width, spread = (found[:, 2] - found[:, 1]).mean(), found[:, 0].std(ddof=1)
        what = "value at n = 2000" if kind == "pairs" else f"mean at n = {n}"
        rows.append(
            [
                kind,
                key,
                what,
                truth[key],
                found[:, 0].mean(),
                hits.mean(),
                band(hits),
                width / (2 * 1.96 * spread),
                f"{time.perf_counter() - start:.0f}",
            ]
        )
    table("rule,measure,truth,true value,mean value,coverage,95 % band,width / (2 x 1.96 sd),s", rows)
    subjects_table(pool, quick)


def subjects_table(pool: ProcessPoolExecutor, quick: bool) -> None:
    """Truth: the mean over fresh stimuli and subjects (both)."""
    n, sets, boot, many = (40, 20, 100, 100) if quick else (40, 300, 400, 2000)
    rows = []
    for subjects in (5,) if quick else (5, 12):
        start = time.perf_counter()
        truth = float(
            np.mean(
                [
                    v[0]
                    for v in pool.map(
                        one_subjects, [(n, subjects, 0, 10**6 + s) for s in range(many)], chunksize=32
                    )
                ]
            )
        )
        found = np.array(
            list(pool.map(one_subjects, [(n, subjects, boot, s) for s in range(sets)], chunksize=8))
        )
        for kind, k in (("stimuli only", 1), ("subjects only", 3), ("both", 5)):
            hits = (found[:, k] <= truth) & (truth <= found[:, k + 1])
            width, spread = (found[:, k + 1] - found[:, k]).mean(), found[:, 0].std(ddof=1)
            rows.append(
                [
                    f"{subjects} subjects",
                    kind,
                    truth,
                    hits.mean(),
                    band(hits),
                    width / (2 * 1.96 * spread),
                    f"{time.perf_counter() - start:.0f}",
                ]
            )
    print(
        "New stimuli and new subjects (RSA, euclidean); the single-factor intervals are conditional on the "
        "other factor and must cover less.\n"
    )
    table("design,interval,true mean,coverage,95 % band,width / (2 x 1.96 sd),s", rows)


# -- type I ------------------------------------------------------------------------------------------------

NULLS: list[tuple[Spec, int]] = [
    (("rsa", {}, True), 2000),
    (("rsa", {"distance": "euclidean", "method": "pearson"}, True), 1000),
    (("rsa", {"method": "rho_a"}, True), 1000),
    (("rsa", {"distance": "euclidean", "method": "whitened_pearson"}, True), 1000),
    (("rsa", {"distance": "euclidean", "method": "whitened_cosine"}, True), 1000),
    (("cka", {}, True), 1000),
    (("cka", {"kernel": "rbf"}, True), 1000),
    (("cka", {"debiased": False}, True), 1000),
    (("distance_correlation", {}, True), 1000),
    (("mutual_knn", {}, True), 1000),
    (("pwcca", {}, False), 400),
    (("pwcca", {}, True), 400),
    (("kernel_cca", {}, True), 400),
    (("procrustes", {}, False), 400),
    (("cca", {}, False), 400),
    (("linear_predictivity", {}, True), 400),
    (("cca", {}, True), 400),
    (("svcca", {}, True), 400),
    (("procrustes", {}, True), 400),
    (("one_to_one", {}, False), 400),
    (("one_to_one", {}, True), 400),
    (("soft_match", {}, True), 400),
]


def null_p(job: tuple[Spec, int, int, int, int]) -> float:
    spec, n, p, n_perm, seed = job
    rng = np.random.default_rng([seed, 4])
    x, y = rng.normal(size=(n, p)), rng.standard_t(3, size=(n, p))
    return compare(responses(x), responses(y), spec, n_boot=0, n_perm=n_perm, rng=seed).p


def best_p(job: tuple[Spec, int, int, int, int]) -> tuple[float, float, float, float]:
    """(max-statistic p of the best, plain p of the best, nested value, naive value) of 8 unrelated layers."""
    spec, n, p, n_perm, seed = job
    rng = np.random.default_rng([seed, 5])
    a = {f"l{k}": responses(rng.normal(size=(n, p))) for k in range(8)}
    result = compare(a, responses(rng.normal(size=(n, p))), spec, n_boot=0, n_perm=n_perm, rng=seed)
    best = result.best()
    return float(best.data["p"].item()), float(result.data["p"].min()), best.value, best.naive[1]


def type_one_table(pool: ProcessPoolExecutor, quick: bool) -> int:
    print("## Type-I error of p at .01, .05 and .10\n")
    rows, outside = [], 0
    for spec, sets in NULLS:
        start = time.perf_counter()
        count = 20 if quick else sets
        units = (
            6 if spec[0] in ("cca", "pwcca") and not spec[2] else 30
        )  # in-sample CCA is 1 whatever with n - 1 units
        p = np.array(list(pool.map(null_p, [(spec, 20, units, 99, s) for s in range(count)], chunksize=8)))
        half = 3.29 * np.sqrt(0.05 * 0.95 / count)
        rates = [float((p <= a + 1e-12).mean()) for a in (0.01, 0.05, 0.10)]
        inside = abs(rates[1] - 0.05) <= half
        outside += not inside
        rows.append(
            [
                label(spec),
                count,
                *rates,
                f"[{max(0, 0.05 - half):.3f}, {0.05 + half:.3f}]",
                "yes" if inside else "NO",
                f"{time.perf_counter() - start:.0f}",
            ]
        )
    table("measure,data sets,at .01,at .05,at .10,99.9 % band at .05,inside,s", rows)
    print(
        "The best of 8 unrelated layers: max-statistic p, the smallest plain p, and the nested and plain "
        "values.\n"
    )
    rows = []
    for spec in (("rsa", {}, True), ("cka", {}, True), ("linear_predictivity", {}, True)):
        start = time.perf_counter()
        count = 10 if quick else 400 if spec[0] != "linear_predictivity" else 150
        found = np.array(list(pool.map(best_p, [(spec, 40, 10, 99, s) for s in range(count)], chunksize=4)))
        nested, naive = found[:, 2], found[:, 3]
        z = nested.mean() / (nested.std(ddof=1) / np.sqrt(count))
        rows.append(
            [
                label(spec),
                count,
                (found[:, 0] <= 0.05).mean(),
                (found[:, 1] <= 0.05).mean(),
                nested.mean(),
                z,
                naive.mean(),
                f"{time.perf_counter() - start:.0f}",
            ]
        )
    head = (
        "measure,data sets,max-statistic p at .05,smallest p at .05,nested best mean,its z,plain best mean,s"
    )
    table(head, rows)
    return outside


# -- held-out intervals with few stimuli, and stochastic shape distances ------------------------------------

FEW: list[tuple[str, int, int, int]] = [
    ("unrelated", 30, 6, 8),
    ("weakly related", 30, 10, 10),
    ("weakly related", 40, 60, 30),
    ("closely related", 60, 10, 10),
]
STOCHASTIC: list[tuple[str, int, str]] = [
    ("alike", 10, "gaussian"),
    ("alike", 40, "gaussian"),
    ("gamma", 40, "gaussian"),
    ("of two kinds", 20, "gaussian"),
    ("Pareto", 40, "gaussian"),
    ("log-normal", 12, "gaussian"),
    ("log-normal", 40, "gaussian"),
    ("log-normal", 24, "energy"),
]


def few_pair(design: tuple[str, int, int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    kind, n, p, q = design
    if kind == "unrelated":
        return rng.normal(size=(n, p)), rng.normal(size=(n, q))
    fixed = np.random.default_rng(12345)
    a, b = fixed.normal(size=(4, p)), fixed.normal(size=(4, q))
    signal, noise = rng.normal(size=(n, 4)), 0.5 if kind == "closely related" else 2.0
    return signal @ a + noise * rng.normal(size=(n, p)), signal @ b + noise * rng.normal(size=(n, q))


def few_value(job: tuple[Spec, tuple[str, int, int, int], int]) -> float:
    spec, design, seed = job
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        measured = cs.measures.as_measure(measure_of(spec), who="validity", held_out=True)
        return float(measured(*few_pair(design, np.random.default_rng([seed, 7]))))


def few_interval(job: tuple[Spec, tuple[str, int, int, int], int]) -> tuple[float, float, float]:
    spec, design, seed = job
    x, y = few_pair(design, np.random.default_rng([seed, 7]))
    result = compare(responses(x), responses(y), spec, n_boot=400, n_perm=0, rng=seed)
    return (result.value, *result.interval)


def few_table(pool: ProcessPoolExecutor, quick: bool) -> None:
    print("## Held-out 95 % intervals with few stimuli or more units than stimuli\n")
    sets, many = (20, 40) if quick else (300, 1000)
    rows = []
    for spec in (one for rule, one, refit in COVERAGE if rule == "predictions"):
        row: list[Any] = [label(spec)]
        for design in FEW:
            truth = 0.0
            if design[0] != "unrelated":
                jobs = [(spec, design, 10**6 + s) for s in range(many)]
                truth = float(np.mean(list(pool.map(few_value, jobs, chunksize=16))))
            jobs = [(spec, design, s) for s in range(sets)]
            found = np.array(list(pool.map(few_interval, jobs, chunksize=8)))
            hits = (found[:, 1] <= truth) & (truth <= found[:, 2])
            ratio = (found[:, 2] - found[:, 1]).mean() / (2 * 1.96 * found[:, 0].std(ddof=1))
            row += [f"{hits.mean():.3f} ({ratio:.2f})"]
        rows.append(row)
    table("measure," + ",".join(f"{k} {n} stimuli {p} x {q} units" for k, n, p, q in FEW), rows)


def stochastic_pair(kind: str, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Two systems of 12 trials and 4 units; ``kind``: how the sizes of the stimuli are distributed."""
    trials, p = 12, 4
    size = {
        "alike": lambda: np.ones(n),
        "gamma": lambda: rng.gamma(1.0, size=n) + 0.05,
        "of two kinds": lambda: np.where(rng.random(n) < 0.15, 4.0, 1.0),
        "Pareto": lambda: rng.pareto(3, size=n) + 0.3,
        "log-normal": lambda: np.exp(0.8 * rng.normal(size=n)),
    }[kind]()[:, None]
    common, out = size * rng.normal(size=(n, p)), []
    for _ in range(2):
        means = common + 0.5 * size * rng.normal(size=(n, p))
        mixing = 0.5 * rng.normal(size=(n, p, p)) + np.eye(p)
        noise = np.einsum("ntp,npq->ntq", rng.normal(size=(n, trials, p)), mixing)
        out.append(means[:, None] + size[:, None] * noise)
    return out


def stochastic_value(job: tuple[str, int, str, int]) -> float:
    kind, n, metric, seed = job
    pair = stochastic_pair(kind, n, np.random.default_rng(seed))
    return float(cs.measures.stochastic_shape_distance(*pair, metric=metric, restarts=0))


def stochastic_interval(job: tuple[str, int, str, int]) -> tuple[float, float, float]:
    kind, n, metric, seed = job
    pair = stochastic_pair(kind, n, np.random.default_rng(seed))
    found = cs.measures.stochastic_shape_interval(*pair, metric=metric, restarts=0, splits=0)
    return found.value, found.low, found.high


def stochastic_table(pool: ProcessPoolExecutor, quick: bool) -> None:
    print("## 95 % intervals of stochastic shape distances\n")
    rows = []
    for kind, n, metric in STOCHASTIC:
        sets = 10 if quick else 300 if metric == "gaussian" else 100
        truth = np.mean(
            list(pool.map(stochastic_value, [(kind, n, metric, 10**6 + s) for s in range(sets)], chunksize=8))
        )
        found = np.array(
            list(pool.map(stochastic_interval, [(kind, n, metric, s) for s in range(sets)], chunksize=8))
        )
        hits = (found[:, 1] <= truth) & (truth <= found[:, 2])
        below, above = (found[:, 2] < truth).mean(), (found[:, 1] > truth).mean()
        rows.append([kind, n, metric, sets, float(truth), hits.mean(), band(hits), below, above])
    table("sizes of stimuli,stimuli,metric,sets,mean distance,coverage,95 % band,too low,too high", rows)


PARTS = ("null", "coverage", "few", "stochastic", "type1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer data sets, under a minute")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    start = time.perf_counter()
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        wrong = null_table(pool, options.quick) if "null" in options.parts else 0
        if "coverage" in options.parts:
            coverage_table(pool, options.quick)
        if "few" in options.parts:
            few_table(pool, options.quick)
        if "stochastic" in options.parts:
            stochastic_table(pool, options.quick)
        wrong += type_one_table(pool, options.quick) if "type1" in options.parts else 0
    print(f"{time.perf_counter() - start:.0f} s, {options.workers} processes, one BLAS thread each")
    return 1 if wrong and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
