"""Statistical validity of `cs.decode` by simulation: ``python -m benchmarks.validity_decode [--quick] [--only WORDS]``.

Type-I error of p for unrelated classes, numbers, angles and series, over times and over matrices of times, within runs,
between stimuli and for pseudo-populations; coverage of the intervals; linear Fisher information; and leaky pipelines
beside sound ones. One process, one BLAS thread; seeds are fixed, so that the tables repeat.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter1d

import consilience as cs
from benchmarks.validity import table

Made = Callable[[np.random.Generator], tuple[Any, Any, dict[str, Any]]]
NULL_HEAD = "unrelated data,data sets,p <= 0.05,99.9 % band,inside,p_fwer <= 0.05,interval holds chance"
COVER_HEAD = "planted,data sets,truth,sd,coverage of 95 %,95 % band,width / (3.92 sd)"


def head(columns: str) -> None:
    names = columns.split(",")
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names), flush=True)


def line(row: list[Any]) -> None:
    print("| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in row) + " |", flush=True)


def run(data: Any, target: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.decode(data, target, **options)


def band(n: int, share: float, percent: float) -> tuple[float, float]:
    low, high = stats.binom.ppf([(1 - percent) / 2, (1 + percent) / 2], n, share) / n
    return float(low), float(high)


def trials(x: np.ndarray, **labels: Any) -> Any:
    if x.ndim == 3:
        return cs.responses(
            x,
            dims=("trial", "time", "unit"),
            time=np.arange(x.shape[1]) * 0.05,
            stimulus=np.arange(len(x)),
            **labels,
        )
    return cs.responses(x, stimulus=np.arange(len(x)), **labels)


def series(x: np.ndarray, kind: str = "rate") -> Any:
    return cs.responses(x, dims=("time", "unit"), time=np.arange(len(x)) * 0.05, kind=kind)


# -- unrelated data ----------------------------------------------------------------------------------------------


def two_classes(n: int, p: int, first: int) -> Made:
    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        y = np.repeat([0, 1], [first, n - first])
        return trials(rng.normal(size=(n, p))), y, {}

    return make


def over_time(generalise: bool) -> Made:
    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        x = gaussian_filter1d(rng.normal(size=(40, 8, 15)), 1.0, axis=1)
        return trials(x), np.tile(["a", "b"], 20), {"generalise_time": generalise}

    return make


def in_runs(blocks: bool) -> Made:
    """8 runs with their own offsets; with ``blocks`` volumes come in blocks of 6 of a class, and noise is slow."""

    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        run_of = np.repeat(np.arange(8), 24)
        x = rng.normal(size=(192, 20)) + rng.normal(size=(8, 20))[run_of]
        if blocks:
            y = np.concatenate([np.repeat(rng.permutation(4), 6) for _ in range(8)])
            x += 2 * np.concatenate(
                [gaussian_filter1d(rng.normal(size=(24, 20)), 3.0, axis=0) for _ in range(8)]
            )
        else:
            y = np.concatenate([rng.permutation(np.repeat(np.arange(4), 6)) for _ in range(8)])
        return trials(x, run=run_of), y, {"folds": "run"}

    return make


def of_stimuli(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
    """24 stimuli with patterns of their own, 4 repeats, two categories that mean nothing."""
    which = np.repeat(np.arange(24), 4)
    x = rng.normal(size=(24, 20))[which] + rng.normal(size=(96, 20))
    data = cs.responses(x, stimulus=which, repeat="count", category=which % 2)
    return data, "category", {}


def numbers(p: int, series_too: bool, circular: bool) -> Made:
    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        if not series_too:
            y = rng.uniform(0, 2 * np.pi, 50) if circular else rng.normal(size=50)
            return trials(rng.normal(size=(50, p))), y, {"circular": circular}
        x = gaussian_filter1d(rng.normal(size=(1000, p)), 6.0, axis=0)
        z = gaussian_filter1d(rng.normal(size=(1000, 2)), 6.0, axis=0)
        y = np.arctan2(z[:, 0], z[:, 1]) % (2 * np.pi) if circular else z[:, 0]
        return series(x), y, {"circular": circular}

    return make


def states(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
    x = gaussian_filter1d(rng.normal(size=(1200, 10)), 5.0, axis=0)
    z = gaussian_filter1d(rng.normal(size=1200), 8.0)
    return series(x), (z > 0).astype(int), {}


def apart(effect: float) -> Made:
    """8 units recorded one by one, 12 to 16 trials of two objects."""

    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        parts = {}
        for k in range(8):
            y = np.repeat(["a", "b"], 12 + k % 5)
            shift = effect * np.random.default_rng([5, k]).normal()
            x = rng.normal(size=(y.size, 1)) + shift * (y == "a")[:, None]
            parts[f"u{k}"] = cs.responses(x, stimulus=y, repeat="count", object=y)
        return cs.pseudo_population(parts, by="object"), "object", {}

    return make


def conditions(effect: float) -> Made:
    """Trained at one position, tested at another."""

    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        y, place = np.tile([0, 1], 40), np.repeat([0, 1], 40)
        m = np.random.default_rng(11).normal(size=(2, 15))
        x = rng.normal(size=(80, 15)) + effect * m[y]
        return trials(x, position=place), y, {"train_on": {"position": 0}, "test_on": {"position": 1}}

    return make


_LEVEL = ("balanced_accuracy", "auc", "r")  # whose mean on unrelated data is what guessing scores


def null_row(name: str, make: Made, sets: int, **options: Any) -> list[Any]:
    hits = family = holds = 0
    for k in range(sets):
        rng = np.random.default_rng([zlib.crc32(name.encode()), k])
        data, target, more = make(rng)
        d = run(data, target, n_perm=199, n_boot=199, n_deals=3, rng=k, **{**more, **options})
        hits += float(d.data["p"].values.reshape(-1)[0]) <= 0.05
        found = d.generalisation if d.generalisation is not None else d.data
        family += bool((found["p_fwer"].values <= 0.05).any())
        level = float(
            d.data["chance" if d.settings["score"] in _LEVEL else "null_mean"].values.reshape(-1)[0]
        )
        low, high = (float(d.data[k].values.reshape(-1)[0]) for k in ("ci_low", "ci_high"))
        holds += low <= level <= high
    low, high = band(sets, 0.05, 0.999)
    inside = "yes" if low <= hits / sets <= high else ("below" if hits / sets < low else "ABOVE")
    return [name, sets, hits / sets, f"[{low:.3f}, {high:.3f}]", inside, family / sets, holds / sets]


def unrelated(part: int, only: str) -> None:
    from sklearn.svm import LinearSVC

    rows = [
        ("2 classes, 40 trials, 20 units", two_classes(40, 20, 20), 1000, {}),
        ("2 classes, 40 trials, 200 units", two_classes(40, 200, 20), 400, {}),
        ("2 classes, 30 and 10 trials, 20 units", two_classes(40, 20, 30), 400, {}),
        ("2 classes, MaxCorrelation", two_classes(40, 20, 20), 400, {"model": cs.models.MaxCorrelation()}),
        ("2 classes, area under the ROC curve", two_classes(40, 20, 20), 400, {"score": "auc"}),
        ("2 classes, log loss", two_classes(40, 20, 20), 400, {"score": "log_loss"}),
        ("2 classes, linear SVM", two_classes(40, 20, 20), 100, {"model": LinearSVC()}),
        ("8 times, 40 trials", over_time(generalise=False), 400, {}),
        ("8 x 8 times, generalised", over_time(generalise=True), 200, {}),
        ("4 classes in random order, 8 runs left out", in_runs(blocks=False), 200, {}),
        ("4 classes in blocks, slow noise, 8 runs left out", in_runs(blocks=True), 400, {}),
        ("categories of 24 stimuli, 4 repeats", of_stimuli, 400, {}),
        ("numbers, 50 trials, 20 units", numbers(20, series_too=False, circular=False), 400, {}),
        ("angles, 50 trials, 20 units", numbers(20, series_too=False, circular=True), 400, {}),
        ("smooth series, numbers", numbers(10, series_too=True, circular=False), 400, {}),
        ("smooth series, angles", numbers(10, series_too=True, circular=True), 400, {}),
        ("smooth series, 2 states", states, 200, {}),
        ("pseudo-population of 8 units", apart(0.0), 200, {"n_draws": 5}),
        ("other condition, 2 classes", conditions(0.0), 400, {}),
    ]
    chosen = [row for row in rows if only in row[0]]
    if not chosen:
        return
    print("## Type-I error on unrelated data\n")
    head(NULL_HEAD)
    for name, make, sets, options in chosen:
        line(null_row(name, make, max(20, sets // part), **options))


# -- planted data ------------------------------------------------------------------------------------------------


def planted(classes: int, each: int, p: int, effect: float) -> Made:
    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        m = np.random.default_rng([7, classes, p]).normal(size=(classes, p))
        y = np.repeat(np.arange(classes), each)
        return trials(rng.normal(size=(y.size, p)) + effect * m[y]), y, {}

    return make


def planted_stimuli(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
    which = np.repeat(np.arange(24), 4)
    m = np.random.default_rng(3).normal(size=(2, 20))
    x = 0.7 * rng.normal(size=(24, 20))[which] + rng.normal(size=(96, 20)) + 0.25 * m[which % 2]
    return cs.responses(x, stimulus=which, repeat="count", category=which % 2), "category", {}


def planted_runs(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
    run_of = np.repeat(np.arange(10), 12)
    m = np.random.default_rng(4).normal(size=(4, 20))
    y = np.concatenate([rng.permutation(np.repeat(np.arange(4), 3)) for _ in range(10)])
    x = rng.normal(size=(120, 20)) + rng.normal(size=(10, 20))[run_of] + 0.4 * m[y]
    return trials(x, run=run_of), y, {"folds": "run"}


def planted_numbers(n: int, p: int, noise: float, series_too: bool, circular: bool) -> Made:
    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        z = rng.normal(size=(n, 2))
        if series_too:
            z = gaussian_filter1d(z, 5.0, axis=0)
            z /= z.std(axis=0)
        y = np.arctan2(z[:, 0], z[:, 1]) % (2 * np.pi) if circular else z[:, 0]
        seen = np.column_stack([np.cos(y), np.sin(y)]) if circular else z
        error = rng.normal(size=(n, p))
        if series_too:
            error = gaussian_filter1d(error, 3.0, axis=0)
            error /= error.std(axis=0)
        x = seen @ np.random.default_rng([9, p]).normal(size=(2, p)) + noise * error
        return (series if series_too else trials)(x), y, {"circular": circular}

    return make


def other_numbers(trained: float, tested: float, circular: bool) -> Made:
    """Trained at one position and tested at another, 40 trials each, 10 units that know the target as much as said."""

    def make(rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
        place = np.repeat([0, 1], 40)
        y = rng.uniform(0, 2 * np.pi, 80) if circular else rng.normal(size=80)
        seen = np.sqrt(2) * np.column_stack([np.cos(y), np.sin(y)]) if circular else y[:, None]
        ways = np.random.default_rng(3).normal(size=(2, 10))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        x = rng.normal(size=(80, 10)) + np.where(place == 0, trained, tested)[:, None] * (
            seen @ ways[: seen.shape[1]]
        )
        return (
            trials(x, position=place),
            y,
            {"circular": circular, "train_on": {"position": 0}, "test_on": {"position": 1}},
        )

    return make


def cover_row(name: str, make: Made, sets: int, part: str = "data", **options: Any) -> list[Any]:
    found = []
    for k in range(sets):
        rng = np.random.default_rng([zlib.crc32(name.encode()), 1, k])
        data, target, more = make(rng)
        d = run(data, target, **{"n_perm": 0, "n_boot": 300, "rng": k, **more, **options})
        t = d.per_class if part == "per_class" else d.data
        value = "recall" if part == "per_class" else "value"
        found.append([float(t[v].values.reshape(-1)[0]) for v in (value, "ci_low", "ci_high")])
    value, low, high = np.array(found).T
    truth, sd = float(value.mean()), float(value.std())
    ends = band(sets, 0.95, 0.95)
    covered = float(((low <= truth) & (truth <= high)).mean())
    return [
        name,
        sets,
        truth,
        sd,
        covered,
        f"[{ends[0]:.3f}, {ends[1]:.3f}]",
        float((high - low).mean() / (3.92 * sd)),
    ]


def coverage(part: int, only: str) -> None:
    rows: list[tuple[str, Made, int, dict[str, Any]]] = [
        ("2 classes, 40 trials, 10 units", planted(2, 20, 10, 0.4), 400, {}),
        ("2 classes, 40 trials, 10 units, near 1", planted(2, 20, 10, 1.0), 400, {}),
        ("2 classes, 40 trials, 100 units", planted(2, 20, 100, 0.15), 400, {}),
        ("4 classes, 40 trials, 20 units", planted(4, 10, 20, 0.4), 400, {}),
        ("8 classes, 80 trials, 50 units", planted(8, 10, 50, 0.4), 200, {}),
        ("2 classes, 200 trials, 20 units", planted(2, 100, 20, 0.2), 200, {}),
        ("recall of one of 4 classes", planted(4, 10, 20, 0.4), 400, {"part": "per_class"}),
        ("area under the ROC curve, 40 trials", planted(2, 20, 10, 0.4), 400, {"score": "auc"}),
        ("log loss, 60 trials", planted(2, 30, 10, 0.4), 400, {"score": "log_loss"}),
        ("categories of 24 stimuli, 4 repeats", planted_stimuli, 300, {}),
        ("4 classes, 10 runs left out", planted_runs, 300, {}),
        ("other condition, 40 and 40 trials", conditions(0.3), 300, {}),
        ("pseudo-population of 8 units", apart(0.8), 200, {"n_draws": 10}),
        ("numbers of another condition", other_numbers(0.6, 0.6, circular=False), 300, {"n_perm": 99}),
        ("angles of another condition", other_numbers(1.0, 1.0, circular=True), 300, {"n_perm": 99}),
        (
            "numbers, training knows little, test much",
            other_numbers(0.2, 2.0, circular=False),
            300,
            {"n_perm": 99},
        ),
        (
            "numbers, training knows nothing, test much",
            other_numbers(0.0, 2.0, circular=False),
            300,
            {"n_perm": 99},
        ),
        (
            "numbers, r, 60 trials, 10 units",
            planted_numbers(60, 10, 3.0, series_too=False, circular=False),
            300,
            {},
        ),
        (
            "angles, 60 trials, 10 units",
            planted_numbers(60, 10, 1.5, series_too=False, circular=True),
            300,
            {},
        ),
        ("series, r, 1000 samples", planted_numbers(1000, 10, 3.0, series_too=True, circular=False), 200, {}),
        (
            "series, angles, 1000 samples",
            planted_numbers(1000, 10, 1.5, series_too=True, circular=True),
            200,
            {},
        ),
    ]
    chosen = [row for row in rows if only in row[0]]
    if not chosen:
        return
    print("## Coverage of intervals; the truth is the mean over data sets of this size\n")
    head(COVER_HEAD)
    for name, make, sets, more in chosen:
        line(cover_row(name, make, max(20, sets // part), **more))


# -- Fisher information, leaks -----------------------------------------------------------------------------------


def fisher(part: int, only: str) -> None:
    if only and "fisher" not in only.lower():
        return
    print("## Linear Fisher information, 95 %\n")
    made = []
    draw = np.random.default_rng(1)
    for n, t1, t2, effect, shared in (
        (20, 50, 50, 0.2, 0.0),
        (20, 15, 15, 0.3, 0.3),
        (50, 60, 40, 0.15, 0.2),
        (10, 100, 100, 0.0, 0.2),
        (5, 30, 30, 0.5, 0.3),
    ):
        axes = draw.normal(size=(n, 3)) * np.sqrt(shared)
        noise = np.eye(n) + axes @ axes.T
        root, delta = np.linalg.cholesky(noise), effect * (1 + 0.3 * draw.normal(size=n))
        truth, alone = delta @ np.linalg.solve(noise, delta), (delta**2 / np.diag(noise)).sum()
        sets, out = 1000 // part, []
        for k in range(sets):
            rng = np.random.default_rng([k, n, t1])
            x1, x2 = rng.normal(size=(t1, n)) @ root.T, rng.normal(size=(t2, n)) @ root.T + delta
            f = cs.stats.linear_fisher_information(x1, x2, 1.0)
            out.append(
                [
                    f.naive,
                    f.value,
                    f.ci_low <= truth <= f.ci_high,
                    f.p <= 0.05,
                    f.shuffled,
                    f.shuffled_low <= alone <= f.shuffled_high,
                ]
            )
        m = np.mean(np.array(out, float), axis=0)
        made.append(
            [
                f"{n} units, {t1} + {t2} trials",
                float(truth),
                *map(float, m[:4]),
                float(alone),
                *map(float, m[4:]),
            ]
        )
    table("design,truth,naive,corrected,coverage,p <= 0.05,shuffled truth,shuffled,coverage of it", made)


def leaks(part: int, only: str) -> None:
    """Pure noise: the wrong way beside the right way."""
    if only and "leak" not in only.lower():
        return
    from sklearn.feature_selection import SelectKBest, f_classif
    from sklearn.pipeline import make_pipeline

    found: dict[str, list[tuple[float, float]]] = {"units": [], "repeats": [], "series": [], "blocks": []}
    for k in range(60 // part):
        rng = np.random.default_rng([6, k])
        x, y = rng.normal(size=(40, 1000)), np.tile([0, 1], 20)
        quick = {"n_boot": 0, "n_perm": 0, "rng": k}
        inside = make_pipeline(SelectKBest(f_classif, k=20), cs.models.LDA())
        kept = SelectKBest(f_classif, k=20).fit(x, y).get_support()
        found["units"].append(
            (run(trials(x), y, model=inside, **quick).value, run(trials(x[:, kept]), y, **quick).value)
        )
        data, target, _ = of_stimuli(rng)
        found["repeats"].append(
            (run(data, target, **quick).value, run(data, target, groups="trial", **quick).value)
        )
        slow, z, _ = numbers(40, series_too=True, circular=False)(rng)
        found["series"].append((run(slow, z, **quick).value, run(slow, z, shuffle=True, **quick).value))
        data, target, _ = in_runs(blocks=True)(rng)
        found["blocks"].append(
            (run(data, target, folds="run", **quick).value, run(data, target, groups="trial", **quick).value)
        )
    names = {
        "units": "units chosen inside folds / on all trials (chance 0.5)",
        "repeats": "repeats of a stimulus together / dealt as trials (chance 0.5)",
        "series": "r of unrelated slow series, stretches with a gap / samples shuffled (chance 0)",
        "blocks": "blocks with slow noise, runs left out / volumes shuffled (chance 0.25)",
    }
    print("## Leaks: mean score on unrelated data\n")
    table("pipeline,sound,leaky", [[names[k], *map(float, np.mean(v, axis=0))] for k, v in found.items()])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validity_decode", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the data sets")
    parser.add_argument(
        "--only", default="", help="rows whose name holds these words; also 'fisher', 'leaks'"
    )
    given = parser.parse_args()
    part = 5 if given.quick else 1
    start = time.process_time()
    unrelated(part, given.only)
    coverage(part, given.only)
    fisher(part, given.only)
    leaks(part, given.only)
    print(f"{time.process_time() - start:.0f} s of one core")


if __name__ == "__main__":
    main()
