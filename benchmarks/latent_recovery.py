"""How well are known latents found, with whole, ragged and missing data?

Run as ``python -m benchmarks.latent_recovery``. Thirty trials of about 20 bins of 60 units are drawn from three latents
(white in time, or a linear dynamical system with eigenvalues 0.95 exp(+-0.3i) and 0.8), private noise of units of
unequal size. Loadings: the largest principal angle, in degrees, between the planted and the found space. Latents: R2 of
the planted latents regressed on the found ones. Dimension: how often cross-validation gives the planted number.
Missing: single values, at random; "mean" puts the mean of a unit in their place first, as a comparison. Means over
seeds with 95 % t intervals. Written to latent_recovery.md beside this file.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import linalg, stats

import consilience as cs

TARGET = Path(__file__).with_suffix(".md")
SEEDS, TRIALS, SPAN, UNITS, K = 4, 30, 20, 40, 3
TURN = 0.95 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
A = linalg.block_diag(TURN, 0.8)
KINDS = ("whole", "ragged", "10 % missing", "30 % missing", "30 % missing, mean")


def planted(seed: int, *, dynamic: bool, units: int = UNITS) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    w = 0.7 * rng.normal(size=(K, units))
    noise = rng.uniform(0.5, 2.0, size=units)
    z = rng.normal(size=(TRIALS, SPAN, K))
    if dynamic:
        state = linalg.solve_discrete_lyapunov(A, 0.1 * np.eye(K))
        z[:, 0] = z[:, 0] @ np.linalg.cholesky(state).T
        for t in range(1, SPAN):
            z[:, t] = z[:, t - 1] @ A.T + np.sqrt(0.1) * z[:, t]
    x = z @ w + np.sqrt(noise) * rng.normal(size=(TRIALS, SPAN, units))
    return {"x": x, "z": z, "w": w, "noise": noise, "rng": rng}


def spoiled(data: dict[str, Any], kind: str) -> tuple[Any, str]:
    x, rng = data["x"], data["rng"]
    if kind == "whole":
        return x, "raise"
    if kind == "ragged":
        return [trial[: rng.integers(SPAN // 2, SPAN + 1)] for trial in x], "raise"
    y = np.where(rng.random(x.shape) < float(kind.split()[0]) / 100, np.nan, x)
    if kind.endswith("mean"):
        return np.where(np.isnan(y), np.nanmean(y, axis=(0, 1)), y), "raise"
    return y, "mask"


def angle(a: np.ndarray, b: np.ndarray) -> float:
    qa, qb = np.linalg.qr(a.T)[0], np.linalg.qr(b.T)[0]
    return float(np.degrees(np.arccos(np.clip(np.linalg.svd(qa.T @ qb)[1].min(), -1, 1))))


def latents_r2(found: Any, z: np.ndarray) -> float:
    got = np.concatenate(list(found))
    truth = np.concatenate([z[i, : len(part)] for i, part in enumerate(found)])
    got = np.column_stack([got, np.ones(len(got))])
    rest = truth - got @ np.linalg.lstsq(got, truth, rcond=None)[0]
    return float(1 - (rest**2).sum() / ((truth - truth.mean(axis=0)) ** 2).sum())


def cell(values: list[float], digits: int) -> str:
    x = np.array(values)
    half = stats.t.ppf(0.975, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return f"{x.mean():.{digits}f} [{x.mean() - half:.{digits}f}, {x.mean() + half:.{digits}f}]"


MODELS = {
    "PCA": (cs.models.PCA, {}, False),
    "FactorAnalysis": (cs.models.FactorAnalysis, {}, False),
    "LDS, subspace": (cs.models.LDS, {"method": "subspace"}, True),
    "LDS, EM": (cs.models.LDS, {}, True),
}


def recovery() -> list[str]:
    lines = [
        "| model | data | loadings, degrees | latents, R2 | largest error of an eigenvalue |",
        "|---|---|---|---|---|",
    ]
    truth = np.sort_complex(np.linalg.eigvals(A))
    for name, (make, options, dynamic) in MODELS.items():
        for kind in KINDS:
            angles, r2, errors = [], [], []
            for seed in range(SEEDS):
                data = planted(seed, dynamic=dynamic)
                x, missing = spoiled(data, kind)
                model = make(K, missing=missing, **options).fit(x)
                angles.append(angle(model.components_, data["w"]))
                r2.append(latents_r2(model.transform(x), data["z"]))
                if dynamic:
                    errors.append(float(np.abs(np.sort_complex(model.eigenvalues_) - truth).max()))
            last = cell(errors, 3) if dynamic else ""
            lines.append(f"| {name} | {kind} | {cell(angles, 1)} | {cell(r2, 3)} | {last} |")
    return lines


def dimension(seeds: int) -> list[str]:
    lines = ["| model | data | planted | found, of " + str(seeds) + " | right |", "|---|---|---|---|---|"]
    for name, (make, options, dynamic) in MODELS.items():
        for kind in ("whole", "30 % missing"):
            if dynamic and (kind != "whole" or name != "LDS, EM"):
                continue
            got = []
            for seed in range(seeds):
                data = planted(100 + seed, dynamic=dynamic, units=30)
                x, missing = spoiled(data, kind)
                got.append(make("cv", missing=missing, max_components=6, **options).fit(x).n_components_)
            found = ", ".join(f"{k}: {got.count(k)}x" for k in sorted(set(got)))
            lines.append(f"| {name} | {kind} | {K} | {found} | {np.mean(np.array(got) == K):.2f} |")
    return lines


def shared(draws: int) -> list[str]:
    lines = [
        "| bins | factors fitted | bias of the mean over units, percentage points | corrected | 95 % intervals of "
        "units hold the truth | of the mean | shared dimensionality: truth | fit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for n in (100, 400):
        for fitted in (K, "cv"):
            bias, corrected, inside, mean_inside, true_d, got_d = [], [], [], [], [], []
            for seed in range(draws):
                rng = np.random.default_rng(1000 + seed)
                w = 0.6 * rng.normal(size=(K, 40)) * np.array([1.5, 1.0, 0.3])[:, None]
                noise = rng.uniform(0.5, 2, size=40)
                power = np.linalg.svd(w)[1] ** 2
                true_d.append(int(np.searchsorted(np.cumsum(power) / power.sum(), 0.95) + 1))
                own = (w**2).sum(axis=0)
                truth = 100 * own / (own + noise)
                x = rng.normal(size=(n, K)) @ w + np.sqrt(noise) * rng.normal(size=(n, 40))
                model = cs.models.FactorAnalysis(fitted, max_components=6).fit(x)
                found = model.shared_variance_intervals(x)
                bias.append(found.mean - truth.mean())
                corrected.append(found.mean_corrected - truth.mean())
                low, high = found.interval.T
                inside.append(((low <= truth) & (truth <= high)).mean())
                mean_inside.append(found.mean_interval[0] <= truth.mean() <= found.mean_interval[1])
                got_d.append(model.shared_dimensionality_)
            how = str(K) if fitted == K else "by cross-validation"
            lines.append(
                f"| {n} | {how} | {cell(bias, 2)} | {cell(corrected, 2)} | "
                f"{np.mean(inside):.3f} | {np.mean(mean_inside):.3f} | {np.mean(true_d):.2f} | {cell(got_d, 2)} |"
            )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latent_recovery", description=__doc__)
    parser.parse_args()
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    sections = (
        (
            "# Recovery of known latents",
            f"`python -m benchmarks.latent_recovery`: {UNITS} units, {TRIALS} trials of {SPAN} bins (ragged: 10 to "
            f"{SPAN}), {K} latents, {SEEDS} seeds; mean [95 % t interval over seeds]. Loadings: the largest principal "
            "angle between planted and found space. Latents: R2 of the planted ones given the found ones. Eigenvalues: "
            "0.95 exp(+-0.3i), 0.8.",
            recovery,
        ),
        (
            "## Number of components by cross-validation",
            "30 units; up to 6 were tried. PCA: bi-cross-validation, factor analysis and LDS: held-out log-likelihood.",
            lambda: dimension(10),
        ),
        (
            "## Shared variance and shared dimensionality of factor analysis",
            "40 units, latents of unequal strength (the third is weak), 30 draws. Intervals: jackknife, one of 20 "
            "groups left out. Shared dimensionality: components for 95 % of the shared variance.",
            lambda: shared(30),
        ),
    )
    text: list[str] = []
    for title, words, make in sections:  # written after each, so that a run that is stopped leaves something
        text += [title, "", words, "", *make(), ""]
        TARGET.write_text("\n".join(text))
    print("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
