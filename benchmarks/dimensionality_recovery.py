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
SETS = 100
EXTRAPOLATED = 60
MATCHED = 30
SPECTRA = {
    "flat": np.ones(20),
    "falling": 1.0 / np.arange(1, 301),
    "steep": np.arange(1, 301) ** -1.5,
    "few large": np.r_[10.0, 6.0, 4.0, np.full(40, 0.3)],
}
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
        "Spectra: flat, 20 equal ones; falling, 1 / rank of 300; steep, rank^-1.5 of 300; few large, 10, 6 "
        "and 4 above forty of .3. Not held: the interval is below the truth / above it.",
        "",
        "| spectrum | stimuli | units | trials each | noise / signal sd | truth | found | plain | 95 % interval holds "
        "it | below / above |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    cases = (
        (50, 50, 1, 0.0, "flat"), (100, 100, 1, 0.0, "flat"), (50, 200, 1, 0.0, "flat"), (200, 50, 1, 0.0, "flat"),
        (100, 100, 2, 1.0, "flat"), (100, 100, 5, 2.0, "flat"), (92, 40, 4, 1.5, "flat"),
        (50, 50, 1, 0.0, "falling"), (100, 100, 1, 0.0, "falling"), (50, 100, 1, 0.0, "falling"),
        (200, 50, 1, 0.0, "falling"), (500, 500, 1, 0.0, "falling"), (100, 100, 2, 1.0, "falling"),
        (50, 500, 2, 1.0, "falling"), (60, 60, 3, 1.0, "falling"),
        (50, 50, 1, 0.0, "steep"), (100, 100, 1, 0.0, "steep"), (200, 200, 1, 0.0, "steep"),
        (100, 100, 2, 1.0, "steep"),
        (50, 50, 1, 0.0, "few large"), (100, 100, 1, 0.0, "few large"), (100, 100, 2, 1.0, "few large"),
    )  # fmt: skip
    for case, (n, units, repeats, noise, name) in enumerate(cases):
        spectrum = SPECTRA[name]
        truth = spectrum.sum() ** 2 / np.sum(spectrum**2)
        inverse, plain, below, above = [], [], 0, 0
        sets = SETS if n * units < 10**5 else SETS // 3
        for seed in range(sets):
            x, ids = planted(n, units, spectrum, noise, repeats, [case, seed])
            given = (x,) if repeats == 1 else (x, ids)
            found = P.participation_ratio(*given, n_perm=0)
            inverse.append(1 / found.value)
            plain.append(P.participation_ratio(*given, correct="none", n_perm=0).value)
            below += found.ci_high < truth
            above += found.ci_low > truth
        out.append(
            f"| {name} | {n} | {units} | {repeats} | {noise:g} | {truth:.1f} | {1 / np.mean(inverse):.1f} | "
            f"{np.mean(plain):.1f} | {sets - below - above} of {sets} | {below} / {above} |"
        )
    return [*out, ""]


def extrapolated() -> list[str]:
    """Of a recorded tenth or quarter of a population, and of few stimuli: the whole, over all stimuli."""
    out = [
        "## Extrapolation to more units, and saturation",
        "",
        "Recorded: some units of a population of 800, and some stimuli. Truth: the participation ratio of so many "
        "units of that population (of 800: of all of them) over infinitely many stimuli, from their covariance. "
        "Corrected and plain at half of the recorded units, or of the stimuli, from `saturation`; the corrected one "
        "should be the truth of infinitely many.",
        "",
        "| spectrum | stimuli | units | trials each | noise | 800 units: truth | found | 95 % interval holds it | "
        "infinitely many: truth | found | holds it | half the units: corrected (plain) | half the stimuli |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    whole = 800
    for name, n, units, repeats, noise in (
        ("flat", 80, 80, 1, 0.0),
        ("falling", 80, 80, 1, 0.0),
        ("falling", 100, 200, 1, 0.0),
        ("falling", 80, 80, 3, 1.0),
        ("few large", 80, 80, 2, 1.0),
    ):
        spectrum = SPECTRA[name] / SPECTRA[name].sum()
        limit = 1 / np.sum(spectrum**2)
        sums, inside = [], np.zeros(2, dtype=int)
        for seed in range(EXTRAPOLATED):
            rng = np.random.default_rng(seed)
            weights = rng.normal(size=(spectrum.size, whole))
            shared = np.sqrt(spectrum)[:, None] * weights
            inner = shared @ shared.T  # has the eigenvalues of the covariance of all 800
            truth = np.trace(inner) ** 2 / np.sum(inner**2)
            ids = np.repeat(np.arange(n), repeats)
            x = (rng.normal(size=(n, spectrum.size)) @ shared[:, :units])[ids]
            x = x + noise * rng.normal(size=x.shape)
            given = (x,) if repeats == 1 else (x, ids)
            found = P.participation_ratio(*given, n_perm=0, rng=seed)
            more = P.with_more_units(found, whole)
            inside += [more[1] <= truth <= more[2], found.ci_low <= limit <= found.ci_high]
            halves = [
                P.saturation(*given, along=along, n_steps=7, n_draws=2, rng=seed)
                for along in ("units", "stimuli")
            ]
            at = [int(np.argmin(np.abs(one.n - one.n[-1] / 2))) for one in halves]
            sums.append(
                [1 / truth, 1 / more[0], 1 / found.value]
                + [1 / getattr(one, key)[k] for one, k in zip(halves, at) for key in ("value", "plain")]
            )
        mean = 1 / np.mean(sums, axis=0)
        out.append(
            f"| {name} | {n} | {units} | {repeats} | {noise:g} | {mean[0]:.1f} | {mean[1]:.1f} | {inside[0]} of "
            f"{EXTRAPOLATED} | {limit:.1f} | {mean[2]:.1f} | {inside[1]} of {EXTRAPOLATED} | {mean[3]:.1f} "
            f"({mean[4]:.1f}) | {mean[5]:.1f} ({mean[6]:.1f}) |"
        )
    return [*out, ""]


def matched() -> list[str]:
    """A network and a brain of planted dimensions before and after ``match="all"``."""
    out = [
        "## A network and a brain of known dimensionality, before and after match=",
        "",
        "Network: 200 units, 80 stimuli, no noise. Brain: 60 units, 60 of these stimuli, 4 trials each, noise as wide "
        "as the signal. Equal latents of their own each. Called different: the logarithms of the two values are "
        "further apart than the root of the sum of the squared half widths of their 95 % intervals.",
        "",
        "| measure | latents, network / brain | match | network | brain | called different |",
        "|---|---|---|---|---|---|",
    ]
    measures = ("participation_ratio", "participation_ratio_units", "effective_rank")
    for dims, match in (((12, 12), None), ((12, 12), "all"), ((12, 24), "all"), ((24, 12), "all")):
        values = {key: [] for key in measures}
        called = dict.fromkeys(measures, 0)
        for seed in range(MATCHED):
            rng = np.random.default_rng(seed)
            net, brain = (
                rng.normal(size=(n, d)) @ rng.normal(size=(d, units)) / np.sqrt(d)
                for n, d, units in ((80, dims[0], 200), (60, dims[1], 60))
            )
            ids = np.repeat(np.arange(60), 4)
            noisy = brain[ids] + rng.normal(size=(240, 60))
            systems = {
                "net": cs.responses(net, stimulus=np.arange(80), kind="activation"),
                "brain": cs.responses(noisy, stimulus=ids, repeat="count", kind="rate"),
            }
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", cs.ConsilienceWarning)
                data = cs.dimensionality(
                    systems, measures=measures, match=match, n_match=2, n_perm=0, rng=seed
                ).data
            for key in measures:
                at = data.sel(measure=key)
                value, low, high = (np.log(at[end].values) for end in ("value", "ci_low", "ci_high"))
                values[key].append(at["value"].values)
                called[key] += abs(value[0] - value[1]) > np.sqrt(np.sum((high - low) ** 2)) / 2
        for key in measures:
            middle = np.median(values[key], axis=0)
            out.append(
                f"| {key} | {dims[0]} / {dims[1]} | {match or 'nothing'} | {middle[0]:.1f} | {middle[1]:.1f} | "
                f"{called[key]} of {MATCHED} |"
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
    sets = 10
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


def chosen() -> list[str]:
    """Exponents of ranks that the caller names, of spectra that bend: flat up to rank 10, a power law after it."""
    out = [
        "## Exponent over chosen ranks",
        "",
        "Variance rank^-alpha after rank 10 and even before it, 100 units, 300 stimuli; `fit=` names the ranks, and "
        "the law is that of those ranks alone.",
        "",
        "| fit | trials each | signal to noise | truth | found (sd) | raw | 95 % interval holds it |",
        "|---|---|---|---|---|---|---|",
    ]
    sets = 20
    for fit, repeats, snr, alpha in (
        ((11, 60), 1, np.inf, 1.0),
        ((11, 60), 2, 5.0, 1.0),
        ((11, 40), 2, 1.0, 1.5),
    ):
        values, raw, inside = [], [], 0
        for seed in range(sets):
            rng = np.random.default_rng(seed)
            spectrum = np.maximum(np.arange(1, 101.0), 10) ** -alpha
            axes = np.linalg.qr(rng.normal(size=(100, 100)))[0]
            signal = (rng.normal(size=(300, 100)) * np.sqrt(spectrum / spectrum.sum())) @ axes
            ids = np.repeat(np.arange(300), repeats)
            x = signal[ids] + np.sqrt(0.01 / snr) * rng.normal(size=(ids.size, 100))
            found = P.cvpca(x, ids if repeats > 1 else None, fit=fit, n_splits=4, rng=seed)
            values.append(found.exponent)
            raw.append(found.exponent_raw)
            inside += found.exponent_low <= alpha <= found.exponent_high
        out.append(
            f"| {fit[0]} to {fit[1]} | {repeats} | {'no noise' if np.isinf(snr) else f'{snr:g}'} | {alpha} | "
            f"{np.mean(values):.2f} ({np.std(values):.2f}) | {np.mean(raw):.2f} | {inside} of {sets} |"
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
    sets = 20
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
    sets = 10
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
    text = "\n".join(
        [*lines, *ratios(), *extrapolated(), *matched(), *exponents(), *chosen(), *shared(), *manifolds()]
    )
    TARGET.write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
