"""Statistical validity of `cs.encode` by simulation: ``python -m benchmarks.validity_encode [--quick]``.

Type-I error of p per unit and over units, coverage of the intervals of r, of the median and of ceilings, where the
spread of r comes from, bias of r / ceiling, unrelated smooth series, groups of near copies, and leaky pipelines beside
sound ones. One process, one BLAS thread; seeds are
fixed, so that the tables repeat.
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
from scipy.ndimage import gaussian_filter1d

import consilience as cs
from benchmarks.validity import table
from consilience.models import RidgeCV

ALPHAS = 10.0 ** np.arange(-1, 5)


def encode(x: np.ndarray, y: np.ndarray, **options: Any) -> Any:
    a, b = (cs.responses(v, stimulus=np.arange(len(v))) for v in (x, y))
    return quiet(a, b, **options)


def quiet(a: Any, b: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.encode(a, b, **options)


def row(what: str, hits: int, of: int, expected: float) -> list[Any]:
    low, high = stats.binom.ppf([0.005, 0.995], of, expected) / of
    inside = "yes" if low <= hits / of <= high else ("below" if hits / of < low else "ABOVE")
    return [what, f"{hits} of {of}", hits / of, f"{expected:g} [{low:.3f}, {high:.3f}]", inside]


HEAD = "what,count,share,expected [99 % band of independent trials],inside"


def unrelated(sets: int, n: int, p: int, t: int) -> None:
    unit = family = interval = median = both = 0
    for k in range(sets):
        rng = np.random.default_rng([1, n, p, k])
        noise = rng.normal(size=(n, 1)) + rng.normal(size=(n, t))  # units share half of their variance
        found = encode(rng.normal(size=(n, p)), noise, n_boot=200, n_perm=199, rng=k)
        d = found.data
        unit += float(d["p"].values[0]) <= 0.05
        family += bool((d["p_fwer"].values <= 0.05).any())
        interval += float(d["ci_low"].values[0]) <= 0 <= float(d["ci_high"].values[0])
        median += float(found.population["p"]) <= 0.05
        both += found.interval[0] <= 0 <= found.interval[1]
    print(f"## Unrelated systems, {n} stimuli, {p} features, {t} units that share noise\n")
    rows = [
        row("p <= 0.05, one unit", unit, sets, 0.05),
        row("p_fwer <= 0.05, any unit", family, sets, 0.05),
        row("p of the median <= 0.05", median, sets, 0.05),
        row("interval of r holds 0", interval, sets, 0.95),
        row("interval of the median (both) holds 0", both, sets, 0.95),
    ]
    table(HEAD, rows)


def planted(sets: int, n: int, p: int, t: int, noise: float) -> None:
    """The truth is the expected value at this n: the mean over all data sets of the row."""
    fixed = np.random.default_rng(7).normal(size=(p, t)) / np.sqrt(p)
    r, ends, medians, median_ends, new, new_ends = ([] for _ in range(6))
    for k in range(sets):
        rng = np.random.default_rng([2, n, p, k])
        x = rng.normal(size=(n, p))
        one = encode(x, x @ fixed + noise * rng.normal(size=(n, t)), n_boot=300, n_perm=0, rng=k)
        r.append(one.data["r"].values)
        ends.append([one.data["ci_low"].values, one.data["ci_high"].values])
        medians.append(float(one.population["median"]))
        median_ends.append([float(one.population["ci_low"]), float(one.population["ci_high"])])
        other = rng.normal(size=(p, t)) / np.sqrt(p) * rng.uniform(0, 2, t)
        two = encode(x, x @ other + noise * rng.normal(size=(n, t)), n_boot=300, n_perm=0, rng=k)
        new.append(two.value)
        new_ends.append(two.interval)

    def covered(values: list[Any], limits: list[Any]) -> tuple[int, int]:
        truth, e = np.mean(values, axis=0), np.array(limits)
        inside = (e[:, 0] <= truth) & (truth <= e[:, 1])
        return int(inside.sum()), inside.size

    print(f"## Planted, {n} stimuli, {p} features, {t} units, noise {noise:g}: mean r {np.mean(r):.2f}\n")
    table(
        HEAD,
        [
            row("interval of r", *covered(r, ends), 0.95),
            row("interval of the median, same units", *covered(medians, median_ends), 0.95),
            row("interval of the median, new stimuli and units", *covered(new, new_ends), 0.95),
        ],
    )


def spread(sets: int) -> None:
    """What held-out draws see of the variance of r (Fisher's z), and what they do not: the deal of folds."""
    t, deals, rows = 8, 4, []
    for n, p, noise, model in (
        (60, 10, 1.0, RidgeCV()),
        (80, 40, 0.5, RidgeCV()),
        (80, 120, 0.3, RidgeCV()),
        (80, 120, 0.3, RidgeCV([100.0])),
        (60, 300, 0.3, RidgeCV()),
    ):
        fixed = np.random.default_rng(7).normal(size=(p, t)) / np.sqrt(p)
        z, seen, hits, plain = [], [], [], []
        for k in range(sets):
            rng = np.random.default_rng([10, n, p, k])
            x = rng.normal(size=(n, p))
            y = x @ fixed + noise * rng.normal(size=(n, t))
            found = [
                encode(x, y, model=model, n_boot=0 if j else 300, n_perm=0, n_deals=0, rng=100 * k + j).data
                for j in range(deals)
            ]
            shipped = encode(x, y, model=model, n_boot=300, n_perm=0, rng=100 * k).data
            z.append([np.arctanh(one["r"].values) for one in found])
            ends = np.arctanh([found[0]["ci_low"].values, found[0]["ci_high"].values])
            seen.append(((ends[1] - ends[0]) / 2 / stats.t.ppf(0.975, n - 1)) ** 2 / 2)
            plain.append(ends)
            hits.append(np.arctanh([shipped["ci_low"].values, shipped["ci_high"].values]))
        values = np.array(z)
        truth = np.arctanh(np.tanh(values).mean(axis=(0, 1)))
        without, covered = (
            ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean(axis=1)
            for ends in (np.array(plain), np.array(hits))
        )
        total = values[:, 0].var(axis=0, ddof=1).mean()
        rows.append(
            [
                f"{n} stimuli, {p} features, penalty {'chosen' if model.alphas is None else 'given'}",
                total / np.mean(seen),
                values.var(axis=1, ddof=1).mean() / total,
                without.mean(),
                covered.mean(),
                covered.std(ddof=1) / np.sqrt(sets),
            ]
        )
    print("## Where the spread of r comes from\n")
    head = "design,variance / that of held-out draws (2 taken),part of the deal,coverage with n_deals=0,with 3,its s.e."
    table(head, rows)


def normalised(sets: int) -> None:
    """r / ceiling against r / the planted ceiling; 60 units, signal / noise 0.03 to 3, 60 % of the signal linear."""
    n, p, t, rows = 100, 20, 60, []
    ratio = np.geomspace(0.03, 3, t)
    w = np.random.default_rng(7).normal(size=(p, t)) / np.sqrt(p)
    for repeats in (2, 4, 8):
        every, sound, away = [], [], []
        ceiling = np.sqrt(ratio / (ratio + 1 / repeats))
        for k in range(sets):
            rng = np.random.default_rng([11, repeats, k])
            x = rng.normal(size=(n, p))
            signal = np.sqrt(ratio) * (np.sqrt(0.6) * x @ w + np.sqrt(0.4) * rng.normal(size=(n, t)))
            which = np.repeat(np.arange(n), repeats)
            trials = signal[which] + rng.normal(size=(which.size, t))
            d = quiet(
                cs.responses(x, stimulus=np.arange(n)),
                cs.responses(trials, stimulus=which, repeat="count"),
                n_boot=200,
                n_perm=0,
                rng=k,
            ).data
            found, true = d["ratio"].values, d["r"].values / ceiling
            kept = ~d["unreliable"].values & np.isfinite(found)
            every.append(np.nanmedian(found) - np.median(true))
            sound.append(np.median(found[kept]) - np.median(true[kept]))
            away.append((found - true)[(ceiling > 0.5) & (ceiling < 0.6)])
        rows.append(
            [
                repeats,
                float(np.mean(sound)),
                float(np.std(sound, ddof=1) / np.sqrt(sets)),
                float(np.mean(every)),
                float(np.nanstd(np.concatenate(away))),
            ]
        )
    print("## r / ceiling, median over units less the median of r / planted ceiling\n")
    table("repeats,units called reliable,s.e.,all units,s.d. of one unit with a ceiling of 0.5 to 0.6", rows)


def partition(sets: int) -> None:
    """Two bands, of which the second carries nothing for the first half of the units."""
    n, t = 80, 10
    rng = np.random.default_rng(8)
    w = [rng.normal(size=(q, t)) / np.sqrt(q) for q in (10, 40)]
    w[1][:, : t // 2] = 0
    kept: dict[str, list[np.ndarray]] = {"share": [], "unique": []}
    limits: dict[str, list[Any]] = {"share": [], "unique": []}
    for k in range(sets):
        rng = np.random.default_rng([9, k])
        x = [rng.normal(size=(n, q)) for q in (10, 40)]
        y = x[0] @ w[0] + x[1] @ w[1] + 0.7 * rng.normal(size=(n, t))
        bands = {name: cs.responses(v, stimulus=np.arange(n)) for name, v in zip("ab", x)}
        model = cs.models.BandedRidgeCV(n_iter=6)
        found = quiet(
            bands, cs.responses(y, stimulus=np.arange(n)), model=model, n_boot=300, n_perm=0, rng=k
        ).bands
        for name in kept:
            kept[name].append(found[name].values)
            limits[name].append([found[f"{name}_low"].values, found[f"{name}_high"].values])
    rows = []
    for name in kept:
        truth, e = np.mean(kept[name], axis=0), np.array(limits[name])
        inside = (e[:, 0] <= truth) & (truth <= e[:, 1])
        for band in (0, 1):
            for part, what in ((slice(0, t // 2), "unused"), (slice(t // 2, t), "used")):
                got = inside[:, band, part]
                size = truth[band, part].mean()
                words = f"{name} of band {'ab'[band]}, units with b {what}, mean {size:.2f}"
                rows.append(row(words, int(got.sum()), got.size, 0.95))
        claimed = e[:, 0, 1, : t // 2] > 0
        rows.append(row(f"{name} of an unused band above 0", int(claimed.sum()), claimed.size, 0.025))
    print("## Variance of two bands\n")
    table(HEAD, rows)


def ceilings(sets: int) -> None:
    rows = []
    for n, signal, least, most in (
        (100, 1.0, 2, 6),
        (100, 0.5, 2, 6),
        (60, 0.5, 4, 4),
        (40, 1.0, 2, 2),
        (100, 0.0, 2, 6),
    ):
        hits = zero = below = 0
        bias = []
        for k in range(sets):
            rng = np.random.default_rng([3, n, k])
            counts = rng.integers(least, most + 1, n)
            which = np.repeat(np.arange(n), counts)
            truth = signal**2 / (signal**2 + np.mean(1 / counts))
            trials = (signal * rng.normal(size=(n, 4)))[which] + rng.normal(size=(which.size, 4))
            means, noise = cs.stats.explainable(trials, which)
            value = cs.stats.weighted_reliability(means, noise)
            weights = cs.stats.multinomial_weights(n, 300, rng)
            drawn = cs.stats.weighted_reliability(means, noise, weights)
            low, high = cs.stats.percentile_interval(drawn, value, 0.95)
            hits += int(((low <= truth) & (truth <= high)).sum())
            zero += int((low > 0).sum())
            below += int((high < truth).sum())
            bias.append(value.mean() - truth)
        name = f"{n} stimuli, {least}-{most} repeats, reliability {truth:.2f}"
        rows.append([*row(name, hits, 4 * sets, 0.95), f"{np.mean(bias):+.4f}", zero / (4 * sets)])
    print("## Interval of the reliability (the ceiling is its root)\n")
    table(HEAD + ",bias,share called reliable", rows)


def series(sets: int, n: int, width: float) -> None:
    unit = family = interval = naive = 0
    shuffled = []
    for k in range(sets):
        rng = np.random.default_rng([4, n, k])
        x, y = (gaussian_filter1d(rng.normal(size=(n, q)), width, axis=0) for q in (6, 3))
        a, b = (cs.responses(v, dims=("time", "unit"), time=np.arange(n) * 0.01) for v in (x, y))
        found = quiet(a, b, n_boot=200, n_perm=199, rng=k)
        unit += float(found.data["p"].values[0]) <= 0.05
        family += bool((found.data["p_fwer"].values <= 0.05).any())
        interval += float(found.data["ci_low"].values[0]) <= 0 <= float(found.data["ci_high"].values[0])
        wrong = encode(x, y[:, :1], n_boot=0, n_perm=99, rng=k) if k < sets // 4 else None
        naive += wrong is not None and float(wrong.data["p"].values[0]) <= 0.05
        if k < 5:
            lags = np.concatenate([np.roll(x, s, axis=0) for s in range(0, 200, 4)], axis=1)
            shuffled.append(float(encode(lags, y[:, :1], n_boot=0, n_perm=0, rng=k).data["r2"].values[0]))
    print(f"## Unrelated smooth series, {n} samples, Gaussian smoothing of {width:g} samples\n")
    table(
        HEAD,
        [
            row("p <= 0.05, one unit (circular shifts)", unit, sets, 0.05),
            row("p_fwer <= 0.05, any of 3 units", family, sets, 0.05),
            row("interval of r holds 0 (blocks)", interval, sets, 0.95),
            row("for contrast: samples as if independent, p <= 0.05", naive, sets // 4, 0.05),
        ],
    )
    print(
        f"For contrast: shuffled folds, 50 delays of each feature: R2 {np.mean(shuffled):.3f} of unrelated data.\n"
    )


def groups(sets: int) -> None:
    sound = blind = holds = 0
    for k in range(sets):
        rng = np.random.default_rng([5, k])
        owner = np.repeat(np.arange(20), 4)
        x, y = (rng.normal(size=(20, q))[owner] + 0.3 * rng.normal(size=(80, q)) for q in (12, 2))
        a, b = (cs.responses(v, stimulus=np.arange(80), group=owner) for v in (x, y))
        found = quiet(a, b, groups="group", n_boot=200, n_perm=199, rng=k)
        sound += float(found.data["p"].values[0]) <= 0.05
        holds += float(found.data["ci_low"].values[0]) <= 0 <= float(found.data["ci_high"].values[0])
        blind += float(quiet(a, b, n_boot=0, n_perm=99, rng=k).data["p"].values[0]) <= 0.05
    print("## Unrelated systems, 20 groups of 4 near copies\n")
    table(
        HEAD,
        [
            row("p <= 0.05 with groups=", sound, sets, 0.05),
            row("interval of r holds 0 with groups=", holds, sets, 0.95),
            row("for contrast: without groups=", blind, sets, 0.05),
        ],
    )


def leaks(sets: int) -> None:
    """Pure noise, 40 stimuli, 1000 features: choosing features on all stimuli is seen, the same inside folds is not."""
    from sklearn.feature_selection import SelectKBest, f_regression
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    sound, leaky, trial = [], [], []
    for k in range(sets):
        rng = np.random.default_rng([6, k])
        x, y = rng.normal(size=(40, 1000)), rng.normal(size=(40, 1))
        inside = make_pipeline(SelectKBest(f_regression, k=20), Ridge(alpha=10.0))
        sound.append(encode(x, y, model=inside, n_boot=0, n_perm=0, rng=k).value)
        kept = SelectKBest(f_regression, k=20).fit(x, y[:, 0]).get_support()
        leaky.append(encode(x[:, kept], y, model=Ridge(alpha=10.0), n_boot=0, n_perm=0, rng=k).value)
        which = np.repeat(np.arange(20), 4)
        noisy = rng.normal(size=(20, 1))[which] + 0.3 * rng.normal(size=(80, 1))
        spread = rng.normal(size=(20, 30))[which]
        trial.append(
            [
                encode(spread, noisy, model=RidgeCV(ALPHAS), n_boot=0, n_perm=0, rng=k).value,
                quiet(
                    cs.responses(spread[::4], stimulus=np.arange(20)),
                    cs.responses(noisy, stimulus=which, repeat="count"),
                    model=RidgeCV(ALPHAS),
                    n_boot=0,
                    n_perm=0,
                    rng=k,
                ).value,
            ]
        )
    by_trial, by_stimulus = np.mean(trial, axis=0)
    print("## Leaks: mean r on unrelated data\n")
    table(
        "pipeline,sound,leaky",
        [
            ["features chosen inside folds / on all stimuli", float(np.mean(sound)), float(np.mean(leaky))],
            ["repeats split by stimulus / by trial", float(by_stimulus), float(by_trial)],
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validity_encode", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the data sets")
    part = 5 if parser.parse_args().quick else 1
    start = time.process_time()
    unrelated(200 // part, 50, 20, 6)
    unrelated(200 // part, 40, 200, 6)
    planted(150 // part, 60, 10, 15, 1.0)
    planted(150 // part, 80, 120, 15, 0.3)
    spread(200 // part)
    normalised(60 // part)
    partition(100 // part)
    ceilings(200 // part)
    series(120 // part, 1000, 6.0)
    groups(120 // part)
    leaks(40 // part)
    print(f"{time.process_time() - start:.0f} s of one core")


if __name__ == "__main__":
    main()
