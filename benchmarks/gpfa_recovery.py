"""Are planted latents found by GPFA and Poisson GPFA, whole, ragged and with values missing? And real reaches.

Run as ``python -m benchmarks.gpfa_recovery [folder]``. Three Gaussian-process latents drive 20 units over 40 trials of
20 bins (ragged: of 12, 16 or 28; missing: a fifth of the values at random). Tables: what is found of loadings, latents,
time constants and their number; Poisson beside Gaussian by rate; intervals and p where the truth is known. The folder
holds public recordings (``motor/m1_stevenson_2011.mat``, Stevenson et al. 2011): the argument, else the environment
variable CONSILIENCE_SHARED, else ``../shared/data`` beside this checkout; without it the reaches are left out. Written
to gpfa_recovery.md and .png beside this file.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from scipy.signal import find_peaks

import consilience as cs
from consilience.models._gp_kernels import Lags, kernel_of

TARGET = Path(__file__).with_suffix(".md")
TAUS = np.array([1.5, 3.0, 7.0])
UNITS, TRIALS, NEW, BINS, SEEDS = 20, 40, 20, 20, 3
KINDS = ("complete", "ragged", "missing")
RATES = (0.05, 0.2, 1.0, 4.0)  # spikes a bin
WIDTH = 0.05  # seconds, of the recording


def planted(
    kind: str, seed: int, *, rate: float | None = None, taus: np.ndarray = TAUS, units: int = UNITS
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, np.ndarray]:
    """(trials, latents, loadings, means) of TRIALS + NEW trials; counts of a mean ``rate`` where one is given."""
    rng = np.random.default_rng([seed, 7])
    loadings = rng.normal(size=(units, taus.size)) * (1.0 if rate is None else 0.8 / np.sqrt(taus.size))
    mean = rng.normal(size=units) if rate is None else np.log(rate) + 0.3 * rng.normal(size=units)
    kernel, trials, latents = kernel_of("rbf", 1e-3, who="benchmark"), [], []
    for i in range(TRIALS + NEW):
        bins = (12, 16, 28)[i % 3] if kind == "ragged" else BINS
        k = kernel.covariance(Lags.whole(bins), taus)
        x = np.stack([np.linalg.cholesky(c) @ rng.normal(size=bins) for c in k], axis=1)
        eta = x @ loadings.T + mean
        y = eta + rng.normal(size=eta.shape) if rate is None else rng.poisson(np.exp(eta)).astype(float)
        if kind == "missing":
            y[rng.random(y.shape) < 0.2] = np.nan
        trials.append(y)
        latents.append(x)
    return trials, latents, loadings, mean


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of the largest principal angle between the columns."""
    q, r = (np.linalg.qr(v)[0] for v in (a, b))
    return float(np.linalg.svd(q.T @ r, compute_uv=False).min())


def explained(found: list[np.ndarray], true: list[np.ndarray]) -> float:
    """R2 of the true latents from a linear map of those found, in all trials; by the map of the other half."""
    halves, total, left = [slice(0, None, 2), slice(1, None, 2)], 0.0, 0.0
    for train, test in (halves, halves[::-1]):
        one, two = np.concatenate(found[train]), np.concatenate(true[train])
        rest = (
            np.concatenate(true[test])
            - np.concatenate(found[test]) @ np.linalg.lstsq(one, two, rcond=None)[0]
        )
        left += float((rest**2).sum())
        total += float((np.concatenate(true[test]) ** 2).sum())
    return 1 - left / total


def interval(values: Any, form: str = "{:.3f}") -> str:
    v = np.asarray(values, float)
    away = stats.t.ppf(0.975, v.size - 1) * v.std(ddof=1) / np.sqrt(v.size)
    return f"{form.format(v.mean())} [{form.format(v.mean() - away)}, {form.format(v.mean() + away)}]"


def model_of(name: str, k: int = 3) -> Any:
    if name == "GPFA":
        return cs.models.GPFA(k, missing="mask", tol=1e-5)
    return cs.models.PoissonGPFA(k, missing="mask", tol=3e-5, max_iter=60)


def recovery() -> list[str]:
    lines = [
        "| model | data | loadings: cosine | new latents: R2 | R2 there could be | log(time constant): error | latents "
        "chosen (3 are right) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rate in (("GPFA", None), ("PoissonGPFA", 0.5)):
        for kind in KINDS:
            rows, number = [], []
            for seed in range(SEEDS):
                trials, latents, loadings, mean = planted(kind, seed, rate=rate)
                train, new = trials[:TRIALS], trials[TRIALS:]
                model = model_of(name).fit(train)
                # the model with the true parameters: what data of this noise allow
                oracle = copy.deepcopy(model)
                oracle._parameters = type(oracle._parameters)(loadings, mean, np.ones(UNITS), TAUS)
                oracle.rotation_ = np.eye(3)
                errors = np.abs(np.log(np.sort(model.timescales_) / TAUS)).mean()
                rows.append(
                    (
                        cosine(model.components_.T, loadings),
                        explained(model.transform(new), latents[TRIALS:]),
                        explained(oracle.transform(new), latents[TRIALS:]),
                        errors,
                    )
                )
                if (
                    name == "GPFA" or kind == "complete"
                ):  # counts with values missing take as long as all the rest
                    base = model_of(name).set_params(tol=2e-4)
                    number.append(cs.models.LatentCV(base, [1, 2, 3, 4, 5], cv=3).fit(train).n_components_)
            told = ", ".join(map(str, number)) if number else ""
            cells = [interval(column) for column in zip(*rows)]
            lines.append(f"| {name} | {kind} | " + " | ".join(cells) + f" | {told} |")
    return lines


def bits(y: np.ndarray, rates: np.ndarray, still: np.ndarray) -> float:
    gain = y * np.log(np.where(still > 0, rates / np.where(still > 0, still, 1), 1.0)) - (rates - still)
    return float(gain.sum() / np.log(2) / y.sum())


def by_rate() -> list[str]:
    lines = [
        "| spikes a bin | PoissonGPFA | GPFA of square roots | true rates | loadings: Poisson | loadings: Gaussian |",
        "|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        rows = []
        for seed in range(SEEDS):
            trials, latents, loadings, mean = planted("complete", seed, rate=rate, taus=TAUS[1:])
            train, new = trials[:TRIALS], trials[TRIALS:]
            y, still = np.concatenate(new), np.concatenate(train).mean(axis=0)
            poisson = model_of("PoissonGPFA", 2).fit(train)
            gaussian = cs.models.GPFA(2, square_root=True, tol=1e-5).fit(train)
            true = np.exp(np.concatenate(latents[TRIALS:]) @ loadings.T + mean)
            rows.append(
                (
                    bits(y, np.concatenate(poisson.predict_units(new)), still),
                    bits(y, np.concatenate(gaussian.predict_units(new)), still),
                    bits(y, true, still),
                    cosine(poisson.components_.T, loadings),
                    cosine(gaussian.components_.T, loadings),
                )
            )
        lines.append(f"| {rate:g} | " + " | ".join(interval(column) for column in zip(*rows)) + " |")
    return lines


def claims() -> list[str]:
    """Coverage of intervals and uniformity of p."""
    taus, held = np.array([2.0, 6.0]), []
    for seed in range(40):
        trials, *_ = planted("complete", 100 + seed, taus=taus, units=12)
        model = cs.models.GPFA(2, tol=1e-7, max_iter=400).fit(trials[:20])
        low, high = model.timescale_interval(trials[:20])
        order = np.argsort(model.timescales_)
        held.append((low[order] <= taus) & (taus <= high[order]))
    p = {"trials": [], "shifts": []}
    fast = cs.models.GPFA(1, max_iter=5, tol=0.0)
    t = np.arange(10)
    root = np.linalg.cholesky(np.exp(-((t[:, None] - t) ** 2) / 8) + 1e-6 * np.eye(10))
    for seed in range(60):
        rng = np.random.default_rng([seed, 11])
        x = np.einsum("ts,nsu->ntu", root, rng.normal(size=(12, 10, 5)))
        course = np.sin(t)[:, None] * rng.normal(size=5)
        p["trials"].append(cs.models.shared_structure(fast, x + course, n_null=19, rng=seed).p)
        p["shifts"].append(cs.models.shared_structure(fast, x, null="shifts", n_null=19, rng=seed).p)
    share = np.mean(held, axis=0)
    lines = [
        f"- Intervals of 95 % of two time constants (2 and 6 bins; 20 trials, 12 units) held the truth in "
        f"{share[0]:.0%} and {share[1]:.0%} of {len(held)} draws."
    ]
    for name, what in (
        ("trials", "with a time course in common, trials of each unit changing places"),
        ("shifts", "without one, each unit shifted in time"),
    ):
        values = np.array(p[name])
        lines.append(
            f"- Independent, autocorrelated units, {what}: p <= 0.05 in {np.mean(values <= 0.05):.0%}, <= 0.2 in "
            f"{np.mean(values <= 0.2):.0%}, <= 0.5 in {np.mean(values <= 0.5):.0%} of {values.size} draws (19 "
            f"surrogates each); uniform p by Kolmogorov and Smirnov: "
            f"{stats.kstest(values - np.random.default_rng(0).uniform(0, 0.05, values.size), 'uniform').pvalue:.2f}."
        )
    return lines


def reaches(folder: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """(trials of counts, direction of each in radians, bin of its peak speed): from 4 bins before the hand moves to 2
    after it stands, at a fifth of the peak speed.
    """
    from scipy.io import loadmat

    file = loadmat(folder / "motor" / "m1_stevenson_2011.mat")
    counts, velocity = file["spikes"].T.astype(float), file["handVel"][:2].T.astype(float)
    counts = counts[:, counts.mean(axis=0) / WIDTH > 0.5]
    speed = np.hypot(*velocity.T)
    peaks, _ = find_peaks(speed, height=np.percentile(speed, 85), distance=12)
    trials, angles, middles, last = [], [], [], 0
    for peak in peaks:
        start = stop = int(peak)
        while start > 0 and speed[start - 1] > 0.2 * speed[peak]:
            start -= 1
        while stop < len(speed) - 1 and speed[stop + 1] > 0.2 * speed[peak]:
            stop += 1
        start, stop = start - 4, stop + 3
        if start >= last and 8 <= stop - start <= 24 and stop <= len(speed):
            trials.append(counts[start:stop])
            angles.append(np.arctan2(velocity[peak, 1], velocity[peak, 0]))
            middles.append(peak - start)
            last = stop
    return trials, np.array(angles), np.array(middles)


def motor(folder: Path) -> list[str]:
    trials, angles, middles = reaches(folder)
    train, new = trials[::2], trials[1::2]
    y, still = np.concatenate(new), np.concatenate(train).mean(axis=0)
    starts = np.concatenate([[0], np.cumsum([len(one) for one in new])])[:-1]
    lines = [
        f"{len(trials)} reaches of 8 to 24 bins of 50 ms, {y.shape[1]} units above 0.5 spikes a second; every second "
        "reach held out. Bits per spike of units predicted from the others [95 % over reaches]:",
        "",
        "| latents | PoissonGPFA | GPFA of square roots | difference | R2 of square roots |",
        "|---|---|---|---|---|",
    ]
    spikes = np.add.reduceat(y, starts).sum(axis=1) * np.log(2)
    for k in (2, 5, 8):
        gaussian = cs.models.GPFA(k, bin_width=WIDTH, square_root=True, tol=1e-5).fit(train)
        poisson = cs.models.PoissonGPFA(k, bin_width=WIDTH, tol=3e-5, max_iter=40).fit(train)
        parts = []
        for model in (poisson, gaussian):
            rates = np.concatenate(model.predict_units(new))
            gain = np.where(
                still > 0, y * np.log(rates / np.where(still > 0, still, 1)) - (rates - still), 0.0
            )
            parts.append(np.add.reduceat(gain.sum(axis=1), starts))
        cells = [
            "{:.4f} [{:.4f}, {:.4f}]".format(*(float(v) for v in cs.stats.ratio_interval(above, spikes)))
            for above in (*parts, parts[0] - parts[1])
        ]
        r2 = gaussian.unit_score_interval(new)
        lines.append(
            f"| {k} | "
            + " | ".join(cells)
            + f" | {r2.overall:.3f} [{r2.overall_low:.3f}, {r2.overall_high:.3f}] |"
        )
    five = cs.models.GPFA(5, bin_width=WIDTH, square_root=True, tol=1e-5).fit(train)
    low, high = five.timescale_interval(train)
    lines += [
        "",
        "Time constants of the five processes of GPFA, in seconds: "
        + ", ".join(f"{t:.2f} [{a:.2f}, {b:.2f}]" for t, a, b in zip(five.timescales_, low, high))
        + ".",
    ]
    cut = [one[m - 4 : m + 4] for one, m in zip(trials, middles) if m >= 4 and len(one) >= m + 4]
    kept = angles[[m >= 4 and len(one) >= m + 4 for one, m in zip(trials, middles)]]
    octant = np.round(kept / (np.pi / 4)).astype(int) % 8
    test = cs.models.shared_structure(
        cs.models.GPFA(3, square_root=True, max_iter=10, tol=0.0), cut, by=octant, n_null=39, rng=0
    )
    lines += [
        "",
        f"Structure in single reaches: over the 8 bins about the peak speed of {test.n_trials} reaches, units predict "
        f"each other with R2 {test.value:.4f} (3 latents, other half of the reaches); with reaches of one direction "
        f"(of 8) changing places unit by unit, {test.null.mean():.4f} (largest of {test.null.size}: "
        f"{test.null.max():.4f}; p = {test.p:.3f}). What is left of it there is what directions share.",
    ]
    draw(five, trials, angles, middles)
    return lines


def draw(model: Any, trials: list[np.ndarray], angles: np.ndarray, middles: np.ndarray) -> None:
    """Latents of reaches by direction."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    from consilience.plots._style import dress, style

    latents = model.transform(trials)
    octant = np.round(angles / (np.pi / 4)).astype(int) % 8
    colors = 0.82 * colormaps["hsv"](np.arange(8) / 8)
    colors[:, 3] = 1.0
    before, after = 5, 6
    with style():
        figure = Figure(figsize=(10.4, 6.4), facecolor="white", layout="constrained")
        grid = figure.add_gridspec(2, 3, width_ratios=(1.3, 1, 1))
        plane = [figure.add_subplot(grid[i, 0]) for i in range(2)]
        times = [figure.add_subplot(grid[i, j]) for i in range(2) for j in (1, 2)]
        for d in range(8):
            own = np.flatnonzero(octant == d)
            stack = np.full((own.size, before + after, latents[0].shape[1]), np.nan)
            for row, i in enumerate(own):
                for b in range(-before, after):
                    at = middles[i] + b
                    if 0 <= at < len(latents[i]):
                        stack[row, b + before] = latents[i][at]
                for ax, (a, c) in zip(plane, ((0, 1), (2, 1))):
                    ax.plot(latents[i][:, a], latents[i][:, c], color=colors[d], linewidth=0.4, alpha=0.25)
            mean = np.nanmean(stack, axis=0)
            for ax, (a, c) in zip(plane, ((0, 1), (2, 1))):
                ax.plot(mean[:, a], mean[:, c], color=colors[d], linewidth=2.0)
                ax.plot(
                    mean[before, a],
                    mean[before, c],
                    "o",
                    color=colors[d],
                    markersize=5,
                    markeredgecolor="white",
                )
            seconds = np.arange(-before, after) * WIDTH
            for j, ax in enumerate(times):
                ax.plot(seconds, mean[:, j], color=colors[d], linewidth=1.6, label=f"{45 * d}°")
        for ax, (a, c) in zip(plane, ((0, 1), (2, 1))):
            dress(ax)
            ax.set_xlabel(f"latent {a + 1}")
            ax.set_ylabel(f"latent {c + 1}")
        plane[0].set_title("reaches, and means of 8 directions")
        for j, ax in enumerate(times):
            dress(ax)
            share = model.explained_variance_ratio_[j]
            ax.set_title(f"latent {j + 1} ({share:.0%} of the variance)")
            ax.set_xlabel("time from peak speed (s)" if j > 1 else "")
        handles, labels = times[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False, title="direction")
        figure.savefig(TARGET.with_suffix(".png"), dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    options = parser.parse_args()
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = options.folder or Path(os.environ.get("CONSILIENCE_SHARED", beside))
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    lines = [
        "# Latents of Gaussian processes, found again",
        "",
        f"`python -m benchmarks.gpfa_recovery`: {UNITS} units, {TRIALS} trials to fit and {NEW} new ones, time "
        f"constants 1.5, 3 and 7 bins; mean [95 % t interval] over {SEEDS} seeds. Loadings: cosine of the largest "
        "angle between the true and the found space of three. Latents: R2 of the true ones of new trials from a "
        "linear map of those found, and beside it the same with the true parameters, which is what the noise "
        "allows. Counts: 0.5 spikes a bin. Number of latents: `LatentCV`, 1 to 5 tried, by held-out units.",
        "",
        *recovery(),
        "",
        "## Counts, by rate",
        "",
        "Two latents (3 and 7 bins). Bits per spike of each unit of new trials predicted from the others, above its "
        "mean rate in training; the true rates are what no model can beat. GPFA's count is the mean of the square of "
        "what it predicts.",
        "",
        *by_rate(),
        "",
        "## Intervals and p where the truth is known",
        "",
        *claims(),
    ]
    if (folder / "motor" / "m1_stevenson_2011.mat").exists():
        lines += ["", "## Reaches of a monkey (Stevenson et al. 2011)", "", *motor(folder)]
        lines += ["", "![Latents of reaches by direction](gpfa_recovery.png)"]
    TARGET.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
