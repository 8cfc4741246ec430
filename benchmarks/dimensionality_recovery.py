"""How well is a known dimensionality found: by participation ratios, spectra, shared components and neighbours?

Run as ``python -m benchmarks.dimensionality_recovery``. Populations are planted: latents of a known spectrum through
random weights (of infinitely many such units the participation ratio is (sum l)^2 / sum l^2), with normal noise of each
trial; power laws in random axes of the units; factors shared over time; rings and tori of known dimension. Value (mean
over data sets; of ratios the inverse of the mean inverse), the plain estimate beside it, and in how many of the data
sets the 95 % interval holds the truth.

Written to dimensionality_recovery.md beside this file.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

import consilience as cs

TARGET = Path(__file__).with_suffix(".md")
P = cs.populations
SETS = 40
CASES_OVER_TIME = (  # samples, factors, noise, width of a running mean
    (1500, 0, 1.0, 1),
    (4000, 0, 1.0, 20),
    (1500, 3, 2.0, 1),
    (1500, 3, 6.0, 1),
    (3000, 8, 3.0, 1),
)


def planted(n, units, spectrum, noise, repeats, seed):
    """(trials, stimulus): noise in standard deviations of the signal of a unit."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(spectrum.size, units))
    signal = (rng.normal(size=(n, spectrum.size)) * np.sqrt(spectrum / spectrum.sum())) @ weights
    ids = np.repeat(np.arange(n), repeats)
    return signal[ids] + noise * rng.normal(size=(ids.size, units)), ids


def ratios() -> list[str]:
    out = [
        "## Participation ratio of infinitely many units and stimuli",
        "",
        "| stimuli | units | trials each | noise / signal sd | truth | found | plain | 95 % interval holds it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    flat, falling = np.ones(20), 1.0 / np.arange(1, 301)
    cases = (
        (50, 50, 1, 0.0, flat), (100, 100, 1, 0.0, flat), (100, 100, 1, 0.0, falling), (50, 200, 1, 0.0, flat),
        (200, 50, 1, 0.0, flat), (50, 100, 1, 0.0, falling), (100, 100, 2, 1.0, flat), (100, 100, 5, 2.0, flat),
        (60, 60, 3, 1.0, falling), (92, 40, 4, 1.5, flat),
    )  # fmt: skip
    for n, units, repeats, noise, spectrum in cases:
        truth = spectrum.sum() ** 2 / np.sum(spectrum**2)
        inverse, plain, inside = [], [], 0
        for seed in range(SETS):
            x, ids = planted(n, units, spectrum, noise, repeats, seed)
            given = (x,) if repeats == 1 else (x, ids)
            found = P.participation_ratio(*given, n_perm=0)
            inverse.append(1 / found.value)
            plain.append(P.participation_ratio(*given, correct="none", n_perm=0).value)
            inside += found.ci_low <= truth <= found.ci_high
        out.append(
            f"| {n} | {units} | {repeats} | {noise:g} | {truth:.1f} | {1 / np.mean(inverse):.1f} | "
            f"{np.mean(plain):.1f} | {inside} of {SETS} |"
        )
    return [*out, ""]


def exponents() -> list[str]:
    out = [
        "## Exponent of planted power laws (cvPCA)",
        "",
        "Signal to noise: variance of the signal over that of a trial, over all units. Raw: the fit without "
        "correction.",
        "",
        "| stimuli | units | trials each | signal to noise | truth | found (sd) | raw | 95 % interval holds it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sets = SETS // 4
    for n, units, repeats, snr in (
        (92, 160, 4, 1.0),
        (150, 100, 2, 1.0),
        (150, 100, 2, 0.2),
        (150, 100, 1, np.inf),
    ):
        for alpha in (0.7, 1.0, 1.5):
            values, raw, inside = [], [], 0
            for seed in range(sets):
                rng = np.random.default_rng(seed)
                spectrum = np.arange(1, units + 1.0) ** -alpha
                axes = np.linalg.qr(rng.normal(size=(units, units)))[0]
                signal = (rng.normal(size=(n, units)) * np.sqrt(spectrum / spectrum.sum())) @ axes
                ids = np.repeat(np.arange(n), repeats)
                x = signal[ids] + np.sqrt(1 / units / snr) * rng.normal(size=(ids.size, units))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", cs.ConsilienceWarning)
                    found = P.cvpca(x, ids if repeats > 1 else None, n_splits=4, rng=seed)
                values.append(found.exponent)
                raw.append(found.exponent_raw)
                inside += found.exponent_low <= alpha <= found.exponent_high
            out.append(
                f"| {n} | {units} | {repeats} | {'no noise' if np.isinf(snr) else f'{snr:g}'} | {alpha} | "
                f"{np.nanmean(values):.2f} ({np.nanstd(values):.2f}) | {np.mean(raw):.2f} | {inside} of {sets} |"
            )
    return [*out, ""]


def shared() -> list[str]:
    out = [
        "## Shared components over time (SVCA), 40 units",
        "",
        "| samples | planted | noise / signal sd of a factor | number found, mean (least to most) | any found at "
        "p <= 0.05 |",
        "|---|---|---|---|---|",
    ]
    sets = SETS // 2
    for samples, dims, noise, slow in CASES_OVER_TIME:
        counts, sure = [], 0
        for seed in range(sets):
            rng = np.random.default_rng(seed)
            x = noise * rng.normal(size=(samples + slow - 1, 40))
            if dims:
                x = x + rng.normal(size=(samples, dims)) @ rng.normal(size=(dims, 40))
            if slow > 1:
                x = np.apply_along_axis(lambda v: np.convolve(v, np.ones(slow), "valid"), 0, x)  # noqa: B023
            found = P.svca(x, n_splits=4, n_shift=40, rng=seed)
            counts.append(found.value)
            sure += found.p <= 0.05
        words = f"{samples}{f', averaged over {slow}' if slow > 1 else ''}"
        out.append(
            f"| {words} | {dims} | {noise:g} | {np.mean(counts):.2f} ({min(counts):g} to {max(counts):g}) | "
            f"{sure} of {sets} |"
        )
    return [*out, ""]


def manifolds() -> list[str]:
    out = [
        "## Degrees of freedom of rings and tori (1000 points, 20 units), and of normal clouds, with noise in all "
        "units",
        "",
        "In brackets: in how many of the data sets the 95 % interval holds the true dimension of the noiseless "
        "manifold.",
        "",
        "| points | noise sd | TwoNN | MLE, 20 neighbours | local PCA | participation ratio |",
        "|---|---|---|---|---|---|",
    ]
    sets = SETS // 4
    for dims, noise in ((1, 0.0), (2, 0.0), (3, 0.0), (6, 0.0), (10, 0.0), (1, 0.003), (1, 0.03), (2, 0.1)):
        values = {key: [] for key in ("two", "mle", "pca", "ratio")}
        inside = dict.fromkeys(values, 0)
        for seed in range(sets):
            rng = np.random.default_rng(seed)
            if dims <= 3:
                angle = rng.uniform(0, 2 * np.pi, size=(1000, dims))
                x = np.hstack([np.cos(angle), np.sin(angle)])
            else:
                x = rng.normal(size=(1000, dims))
            x = x @ np.linalg.qr(rng.normal(size=(20, x.shape[1])))[0].T
            x = x + noise * rng.normal(size=x.shape)
            for key, found in (
                ("two", P.two_nn(x, n_perm=0)),
                ("mle", P.mle_dimension(x, n_perm=0)),
                ("pca", P.local_pca_dimension(x, n_perm=0)),
                ("ratio", P.participation_ratio(x, correct="stimuli", n_perm=0)),
            ):
                values[key].append(found.value)
                inside[key] += found.ci_low <= dims <= found.ci_high
        words = {1: "ring (1)", 2: "torus (2)", 3: "torus (3)"}.get(dims, f"normal ({dims})")
        cells = [f"{np.mean(values[key]):.2f} ({inside[key]} of {sets})" for key in ("two", "mle", "pca")]
        out.append(f"| {words} | {noise:g} | {' | '.join(cells)} | {np.mean(values['ratio']):.2f} |")
    return [
        *out,
        "",
        "Neighbour-based values of more than about five dimensions are too low at this number of points, and noise "
        "that is as wide as the distances between neighbours counts as dimensions. Their intervals are of the "
        "expectation at this number of points.",
        "",
    ]


def main() -> None:
    lines = [
        "# Recovery of dimensionality",
        "",
        *[line for line in __doc__.splitlines()[2:] if "Written to" not in line],
    ]
    text = "\n".join([*lines, *ratios(), *exponents(), *shared(), *manifolds()])
    TARGET.write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
