"""Are planted demixed subspaces found, are variances and p-values right, and what do 132 sites of IT show?

Run as ``python -m benchmarks.dpca_recovery [--data DIR]``. Planted: 50 units, 4 stimuli x 2 choices x 20 bins; two axes
of stimulus, one of choice, two of time, one of the interaction, at random angles (not orthogonal), white noise and
noise that is shared by units and by the bins of a trial. Subspaces: cosine of the largest principal angle between the
encoders and the planted axes. Single trials: R2 of the parts X_f read out of new trials. Shares: the largest error,
over marginalizations, of the share of the signal. Then the level of the significance and the coverage of the held-out
intervals by simulation, and, where it lies in DIR (``it_spikes``), the responses of macaque IT (Zhang et al. 2011).
Written to dpca_recovery.md and .png beside this file.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs
from benchmarks.real_data import folder

TARGET = Path(__file__).with_suffix(".md")
SEEDS, UNITS, STIMULI, CHOICES, BINS = 5, 50, 4, 2, 20
COUNTS = {"stimulus": 2, "choice": 1, "time": 2, "stimulus:choice": 1}
EVEN, UNEVEN = 12, np.array([[24, 3], [4, 18], [12, 6], [3, 26]])


def planted(rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Means (stimuli, choices, bins, units) and {marginalization: axes (k, units)}."""
    t = np.linspace(0, 1, BINS)
    axes = {name: rng.normal(size=(k, UNITS)) / np.sqrt(UNITS) for name, k in COUNTS.items()}
    s, q = rng.normal(size=(2, STIMULI)), np.array([-1.0, 1.0])
    s -= s.mean(axis=1, keepdims=True)
    s /= s.std(axis=1, keepdims=True)
    full = np.ones((STIMULI, CHOICES, BINS))
    latents = {
        "stimulus": [s[0][:, None, None] * t * full, s[1][:, None, None] * np.sin(np.pi * t) * full],
        "choice": [q[None, :, None] * t**2 * full],
        "time": [np.sin(2 * np.pi * t) * full, np.cos(3 * np.pi * t) * full],
        "stimulus:choice": [s[0][:, None, None] * q[None, :, None] * np.sin(np.pi * t) * 0.6],
    }
    means = sum(
        z[..., None] * axis for name, listed in latents.items() for z, axis in zip(listed, axes[name])
    )
    return 4.0 * means + 10.0, axes


def shares(means: np.ndarray) -> dict[str, float]:
    """Share of each marginalization in the variance of noiseless means."""
    model = cs.models.DPCA(1, labels=["stimulus", "choice"], regularisation=1.0)
    return dict(model.fit_means(means).marginal_variance_)


def trials(
    means: np.ndarray, many: Any, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    number = np.broadcast_to(many, (STIMULI, CHOICES)).ravel()
    x = np.repeat(means.reshape(-1, BINS, UNITS), number, axis=0)
    slow = rng.normal(size=(len(x), 1, 2)) @ rng.normal(size=(2, UNITS))  # of a trial, common to units
    x = x + 1.5 * rng.normal(size=x.shape) + 0.5 * slow
    at = np.repeat(np.arange(number.size), number)
    return x, {"stimulus": at // CHOICES, "choice": np.array(["left", "right"])[at % CHOICES]}


def apart(means: np.ndarray, rng: np.random.Generator) -> Any:
    """The same units, each with trials of its own."""
    sites = {}
    for u in range(UNITS):
        x, y = trials(means, rng.integers(5, 20, (STIMULI, CHOICES)), rng)
        sites[f"site {u}"] = cs.responses(
            x[..., [u]],
            dims=("trial", "time", "unit"),
            time=np.arange(BINS) / BINS,
            unit=["rate"],
            stimulus=np.arange(len(x)),
            kind="rate",
            shown=y["stimulus"],
            choice=y["choice"],
        )
    return cs.pseudo_population(sites, by=["shown", "choice"])


def holes(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tenth of the values and the ends of a fifth of the trials are missing."""
    out = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    for i in np.flatnonzero(rng.random(len(x)) < 0.2):
        out[i, int(rng.integers(BINS // 2, BINS)) :] = np.nan
    return out


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Of the largest principal angle between the rows of a and b."""
    p, q = (np.linalg.qr(v.T)[0] for v in (a, b))
    return float(np.linalg.svd(p.T @ q, compute_uv=False)[-1])


def once(kind: str, seed: int) -> list[float]:
    rng = np.random.default_rng([seed, 7])
    means, axes = planted(rng)
    truth = shares(means)
    options: dict[str, Any] = {"rng": 0}
    if kind == "apart":
        model = cs.models.DPCA(COUNTS_APART, **options).fit(apart(means, rng))
    else:
        many = {"uneven": UNEVEN, "uneven, holes": np.maximum(UNEVEN, 10)}.get(
            kind, 3 if kind.startswith("three") else EVEN
        )
        x, y = trials(means, many, rng)
        if kind.endswith("no noise covariance"):
            options |= {"regularisation": None, "noise": "none"}
        if kind.endswith("holes"):
            x, options["missing"] = holes(x, rng), "mask"
        model = cs.models.DPCA(COUNTS, **options).fit(x, y)
    names = [name.replace("stimulus", "shown") if kind == "apart" else name for name in COUNTS]
    found = [cosine(model.components_[a], axes[b]) for a, b in zip(names, COUNTS)]
    raw = max(abs(model.marginal_variance_[a] - truth[b]) for a, b in zip(names, COUNTS))
    clean = max(abs(model.signal_variance_[a] - truth[b]) for a, b in zip(names, COUNTS))
    new = trials(means, 4, rng)[0].reshape(STIMULI * CHOICES, 4, BINS, UNITS).swapaxes(0, 1) - model.mean_
    exact = cs.models.DPCA(1, labels=["stimulus", "choice"], regularisation=1.0).fit_means(means)
    missed = whole = 0.0
    for k, a in enumerate(model.marginalizations_):
        part = exact._marginals.part(means, k).reshape(STIMULI * CHOICES, BINS, UNITS)
        told = new @ model.decoders_[a].T @ model.components_[a]
        missed += float(((told - part) ** 2).sum()) / 4
        whole += float((part**2).sum())
    return [*found, 1 - missed / whole, raw, clean]


COUNTS_APART = {name.replace("stimulus", "shown"): k for name, k in COUNTS.items()}
KINDS = (
    "even",
    "three trials",
    "three trials, no penalty, no noise covariance",
    "uneven",
    "holes",
    "uneven, holes",
    "apart",
)


def recovery() -> list[str]:
    lines = [
        f"## Planted axes\n\nMeans over {SEEDS} draws, with 95 % t intervals. Even: {EVEN} trials of each condition; "
        f"uneven: {UNEVEN.min()} to {UNEVEN.max()}; holes: a tenth of the values and the ends of a fifth of the trials "
        "are missing (uneven: 10 trials at least, so that every cell is seen); apart: every unit has its own trials, "
        "5 to 19 of a condition.\n",
        "| data | stimulus (2) | choice (1) | time (2) | interaction (1) | single trials, R2 | error of shares, raw "
        "| less the noise floor |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        values = np.array([once(kind, seed) for seed in range(SEEDS)])
        away = stats.t.ppf(0.975, SEEDS - 1) * values.std(axis=0, ddof=1) / np.sqrt(SEEDS)
        cells = [f"{m:.3f} +- {a:.3f}" for m, a in zip(values.mean(axis=0), away)]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return lines


def null_data(seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Choice has a strong effect, the stimulus none; numbers of trials are uneven, noise is slow."""
    rng = np.random.default_rng(1000 + seed)
    y = {"stimulus": rng.integers(0, 3, 60), "choice": (rng.random(60) < 0.6).astype(int)}
    x = 1.5 * y["choice"][:, None, None] * rng.normal(size=(1, 3, 8)) + rng.normal(size=(60, 3, 8))
    return x + rng.normal(size=(60, 1, 8)), y


def confounded(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Stimulus and choice of 70 trials: stimuli in .7, .2, .1 of them, the choice in .25, .6, .8 of these."""
    while True:
        s = rng.choice(3, 70, p=[0.7, 0.2, 0.1])
        choice = (rng.random(70) < np.array([0.25, 0.6, 0.8])[s]).astype(int)
        if np.bincount(2 * s + choice, minlength=6).min() >= 3:
            return s, choice


def harder_null(kind: str, seed: int) -> tuple[Any, dict[str, np.ndarray] | None]:
    """The stimulus has no effect, or none beside that of the choice (no interaction)."""
    rng = np.random.default_rng([seed, 5])
    of_choice, of_stimulus = 1.5 * rng.normal(size=(1, 3, 8)), rng.normal(size=(3, 3, 8))
    own = of_stimulus if kind.endswith("both") else 0 * of_stimulus
    if kind.startswith("apart"):
        sites = {}
        for u in range(8):
            s, choice = confounded(rng)
            x = choice[:, None, None] * of_choice[..., [u]] + own[s][..., [u]]
            x = x + rng.normal(size=(70, 3, 1)) + rng.normal(size=(70, 1, 1))
            sites[f"site {u}"] = cs.responses(
                x,
                dims=("trial", "time", "unit"),
                time=np.arange(3.0),
                unit=["rate"],
                stimulus=np.arange(70),
                kind="rate",
                shown=s,
                choice=choice,
            )
        return cs.pseudo_population(sites, by=["shown", "choice"]), None
    s, choice = confounded(rng)
    size = 1.0 + (s == 2) if kind.endswith("spread") else np.ones(70)
    random = rng.normal(size=(70, 3, 8)) + rng.normal(size=(70, 1, 8))
    x = choice[:, None, None] * of_choice + own[s] + size[:, None, None] * random
    return x, {"shown": s, "choice": choice}


NULLS = {
    "confounded": "stimuli in .7, .2, .1 of 70 trials, the choice goes with them",
    "apart": "the same, every unit with trials of its own",
    "confounded, both": "as the first, the stimulus has an effect too",
    "apart, both": "as the second, the stimulus has an effect too",
    "confounded, spread": "as the first, the rarest stimulus has twice the noise",
}


def rate(values: Any) -> str:
    hits = int((np.array(values) <= 0.05).sum())
    low, high = stats.binomtest(hits, len(values)).proportion_ci(0.95)
    return f"{hits / len(values):.3f} [{low:.3f}, {high:.3f}]"


def levels(kind: str, count: int = 300) -> list[str]:
    """Of each marginalization the share of p at or below .05."""
    p: dict[str, list[float]] = {}
    for seed in range(count):
        x, y = harder_null(kind, seed)
        model = cs.models.DPCA(1, regularisation=0.1, rng=seed).fit(x, y)
        for name, value in model.significance(x, y, n_shuffles=19, n_splits=4).p_marginalization.items():
            p.setdefault(name, []).append(value)
    return [rate(values) for values in p.values()]


def level(count: int = 250) -> list[str]:
    p: dict[str, list[float]] = {}
    used = 0
    for seed in range(count):
        x, y = null_data(seed)
        if np.unique(y["stimulus"] * 2 + y["choice"], return_counts=True)[1].min() < 2:
            continue
        used += 1
        model = cs.models.DPCA(1, regularisation=0.1, rng=seed).fit(x, y)
        for name, value in model.significance(x, y, n_shuffles=19, n_splits=4).p_marginalization.items():
            p.setdefault(name, []).append(value)
    lines = [
        f"\n## Level of the significance\n\n{used} data sets, 8 units, 60 trials, 3 stimuli without effect beside a "
        "choice with one, uneven; 19 shuffles. Share of p at or below:\n",
        "| | 0.05 | 0.10 |",
        "|---|---|---|",
    ]
    for name, values in p.items():
        cells = []
        for alpha in (0.05, 0.1):
            hits = int((np.array(values) <= alpha).sum())
            low, high = stats.binomtest(hits, used).proportion_ci(0.95)
            cells.append(f"{hits / used:.3f} [{low:.3f}, {high:.3f}]")
        lines.append(f"| {name}{' (there)' if name == 'choice' else ' (none)'} | " + " | ".join(cells) + " |")
    lines += [
        "\nOther data, 300 sets of each kind; share of p at or below 0.05 of the stimulus, the choice (there) and "
        "their interaction (none):\n",
        "| data | stimulus | choice | interaction |",
        "|---|---|---|---|",
    ]
    for kind, words in NULLS.items():
        cells = levels(kind)
        cells[0] += " (there)" if kind.endswith("both") else " (none)"
        lines.append(f"| {words} | {' | '.join(cells)} |")
    lines.append(
        "\nShuffles ask whether trials of different labels come from one distribution. Those of a rare label with "
        "larger noise do not, and it is told although its mean is the same."
    )
    return lines


def coverage(count: int = 60) -> list[str]:
    found = []
    for seed in range(count):
        means, _ = planted(np.random.default_rng(0))
        means = means[..., :20]
        x, y = trials(np.pad(means, [(0, 0)] * 3 + [(0, UNITS - 20)]), UNEVEN, np.random.default_rng(seed))
        found.append(cs.models.DPCA(2, regularisation=0.1, rng=seed).held_out(x[..., :20], y))
    value, low, high = (np.array([getattr(f, k) for f in found]) for k in ("value", "ci_low", "ci_high"))
    mean = value.mean(axis=0)
    inside = ((low <= mean) & (mean <= high)).mean(axis=0)
    lines = [
        f"\n## Held-out explained variance\n\n{count} draws of the uneven trials, 20 units: how often the 95 % "
        "interval holds the mean over draws.\n",
        "| marginalization | mean | sd over draws | coverage |",
        "|---|---|---|---|",
    ]
    for k, name in enumerate(found[0].marginalizations):
        lines.append(f"| {name} | {mean[k]:.3f} | {value[:, k].std(ddof=1):.3f} | {inside[k]:.2f} |")
    return lines


def macaque(data: Path, shuffles: int = 99) -> tuple[list[str], Any]:
    with np.load(data / "it_spikes" / "it_spikes.npz", allow_pickle=False) as file:
        x = cs.responses(
            1000.0 * file["rate"][:, :, None].astype(float),
            dims=("trial", "time", "unit"),
            time=file["bin_edges"].mean(axis=1) / 1000,
            unit=["rate"],
            stimulus=np.arange(len(file["site"])),
            site=file["site"],
            object=file["objects"][file["object"]],
            position=file["positions"][file["position"]],
            kind="rate",
            system="macaque IT",
        )
    population = cs.pseudo_population(x, by=["object", "position"], session="site")
    model = cs.models.DPCA(5, rng=0).fit(population)
    held = model.held_out(population, n_folds=5)
    tested = model.significance(population, n_shuffles=shuffles, n_splits=10)
    noisy = model.noise_variance_ / model.total_variance_
    lines = [
        f"\n## Macaque IT\n\n132 sites recorded apart, 7 objects x 3 positions, 19 to 20 trials of each, 18 bins of "
        f"150 ms; penalty {model.regularisation_:.2g} of 10 splits; {noisy:.0%} of the "
        "variance of the condition means is noise. Held out: share of the signal that 5 components of 5-fold training "
        f"trials explain of the others. p: best component and time against the best of {shuffles} shuffles.\n",
        "| marginalization | share, raw | share of the signal | held out | p |",
        "|---|---|---|---|---|",
    ]
    for k, name in enumerate(model.marginalizations_):
        p = tested.p_marginalization.get(name)
        lines.append(
            f"| {name} | {model.marginal_variance_[name]:.3f} | {model.signal_variance_[name]:.3f} | "
            f"{held.value[k]:.3f} [{held.ci_low[k]:.3f}, {held.ci_high[k]:.3f}] | {'' if p is None else f'{p:.3f}'} |"
        )
    lines += [
        "\n| component | explained | demixing | highest accuracy (chance) | p | first time of corrected p < 0.05 |",
        "|---|---|---|---|---|---|",
    ]
    times = x["time"].values
    for k in range(len(tested.p)):
        name, place = tested.marginalization[k], int(tested.component[k])
        row = int(np.flatnonzero(model.marginalization_ == name)[place])
        early = np.flatnonzero(tested.p_corrected[k] < 0.05)
        lines.append(
            f"| {name} {place + 1} | {model.explained_variance_ratio_[row]:.3f} | {model.demixing_[row]:.2f} | "
            f"{tested.accuracy[k].max():.2f} ({tested.chance[k]:.2f}) | {tested.p[k]:.3f} | "
            f"{f'{times[early[0]]:.3f} s' if early.size else ''} |"
        )
    early, before = tested.p_corrected < 0.05, times < -0.07
    lines.append(
        f"\nBefore the stimulus {int(early[:, before].any(axis=1).sum())} of {len(early)} components have a time of "
        "corrected p < 0.05 (three families of tests at 0.05 each; bins are 150 ms wide)."
    )
    stars = np.argwhere(np.triu(model.nonorthogonal_))
    said = [
        f"{model.marginalization_[i]} {i - list(model.marginalization_).index(model.marginalization_[i]) + 1} and "
        f"{model.marginalization_[j]} {j - list(model.marginalization_).index(model.marginalization_[j]) + 1} "
        f"({model.axis_angles_[i, j]:.0f} degrees)"
        for i, j in stars
    ]
    lines.append(f"\nAxes that are not orthogonal (p < 0.001): {', '.join(said) or 'none'}.")
    return lines, (model, tested, times)


def draw(found: Any, path: Path) -> None:
    from matplotlib.figure import Figure

    from consilience.plots._style import PALETTE, dress, style

    model, tested, times = found
    names = list(model.marginalizations_)
    colour = dict(zip(names, (PALETTE[k] for k in (0, 1, 7 % len(PALETTE), 3))))
    objects, positions = (model.levels_[k] for k in ("object", "position"))
    with style():
        figure = Figure(figsize=(12.5, 9.2), facecolor="white", layout="constrained")
        grid = figure.add_gridspec(4, 4, width_ratios=(1, 1, 1, 1.15))
        for r, name in enumerate(names):
            for c in range(3):
                ax = figure.add_subplot(grid[r, c])
                dress(ax)
                z = model.projections_[name][c]
                by_position = name == "position"
                for i in range(len(objects)):
                    for j in range(len(positions)):
                        shade = PALETTE[(j if by_position else i) % len(PALETTE)]
                        ax.plot(
                            1000 * times, z[i, j], color=shade, linewidth=1.0, alpha=0.75, label=f"{i} {j}"
                        )
                ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
                row = int(np.flatnonzero(model.marginalization_ == name)[c])
                ax.set_title(f"{name} {c + 1}: {model.explained_variance_ratio_[row]:.1%}", fontsize=9.5)
                at = np.flatnonzero((tested.marginalization == name) & (tested.component == c))
                if at.size:
                    on = tested.p_corrected[at[0]] < 0.05
                    low = ax.get_ylim()[0]
                    ax.plot(1000 * times[on], np.full(on.sum(), low), "s", color="0.1", markersize=3.2)
                if r == 3:
                    ax.set_xlabel("time (ms)")
                if c == 0:
                    ax.set_ylabel("spikes/s along the decoder")
                if c == 0 and r in (0, 1):
                    kinds = positions if by_position else objects
                    handles = [
                        ax.lines[j if by_position else i * len(positions)]
                        for i, j in zip(range(len(kinds)), range(len(kinds)))
                    ]
                    ax.legend(
                        handles,
                        list(kinds),
                        fontsize=7,
                        frameon=False,
                        loc="upper left",
                        ncols=1 if by_position else 2,
                    )
        bars = figure.add_subplot(grid[:2, 3])
        dress(bars)
        order = np.argsort(-model.explained_variance_ratio_)[:15]
        base = np.zeros(order.size)
        for k, name in enumerate(names):
            part = 100 * np.maximum(model.explained_variance_by_[order, k], 0)
            bars.bar(
                np.arange(1, order.size + 1), part, bottom=base, color=colour[name], label=name, width=0.8
            )
            base += part
        bars.set_xticks([1, 5, 10, 15])
        bars.set_xlabel("component, all marginalizations")
        bars.set_ylabel("explained variance (%)")
        bars.legend(fontsize=8, frameon=False)
        share = figure.add_subplot(grid[2, 3])
        dress(share)
        at = np.arange(len(names))
        raw = [100 * model.marginal_variance_[n] for n in names]
        clean = [100 * model.signal_variance_[n] for n in names]
        share.bar(at - 0.2, raw, width=0.38, color="0.75", label="of all variance")
        share.bar(at + 0.2, clean, width=0.38, color=[colour[n] for n in names], label="of the signal")
        share.set_xticks(at, [n.replace(":", ":\n") for n in names])
        share.set_ylabel("share (%)")
        share.legend(fontsize=8, frameon=False)
        both = figure.add_subplot(grid[3, 3])
        dress(both)
        count = np.arange(1, model.n_components_ + 1)
        both.plot(count, 100 * model.pca_explained_variance_, color="0.6", label="PCA")
        both.plot(count, 100 * model.cumulative_explained_variance_, color="0.1", label="dPCA")
        both.axhline(
            100 * (1 - model.noise_variance_ / model.total_variance_),
            color="0.1",
            linewidth=0.8,
            linestyle=":",
        )
        both.set_xlabel("components")
        both.set_ylabel("explained (%)")
        both.set_ylim(0, 100)
        both.legend(fontsize=8, frameon=False)
        figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dpca_recovery", description=__doc__)
    parser.add_argument("--data")
    data = folder(parser.parse_args().data)
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    lines = [
        "# Demixed PCA: planted axes, level, coverage, macaque IT\n",
        "Made by `python -m benchmarks.dpca_recovery`. Subspaces: cosine of the largest principal angle to the planted "
        "axes, 1 = found.\n",
        *recovery(),
        *level(),
        *coverage(),
    ]
    if (data / "it_spikes" / "it_spikes.npz").exists():
        more, found = macaque(data)
        lines += more
        draw(found, TARGET.with_suffix(".png"))
        lines.append(f"\n![dPCA of macaque IT]({TARGET.with_suffix('.png').name})")
    TARGET.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
