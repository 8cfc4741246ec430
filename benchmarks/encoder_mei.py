"""Does the most exciting input of a fitted encoder excite a second encoder, and the neuron? (Walker et al. 2019)

Run as ``python -m benchmarks.encoder_mei``. Simulated simple and complex cells are shown patches of a photograph;
two `cs.models.Readout` with other seeds are fitted to counts of disjoint halves of the patches. Images are made on
the first, and scored on the first, on the second, and on the cell itself, beside the best of 1000 other patches (the
best by the first encoder, so that it too was chosen without the cell) and noise, all at one norm. Then the same,
without a known truth, for a grasshopper's auditory receptor and snippets of sound level. Written to encoder_mei.md
and .png beside this file.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from benchmarks._v1_cells import SIDE, cells, patches, rates

TARGET = Path(__file__).with_suffix(".md")
N_CELLS, N_HALF, N_OTHER, N_NOISE, STEPS = 24, 1500, 1000, 200, 100


def scaled(images: np.ndarray, norm: float) -> np.ndarray:
    """Images of mean 0 and this norm."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat *= norm / np.linalg.norm(flat, axis=1, keepdims=True)
    return flat.reshape(images.shape).astype(np.float32)


def phases(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same amplitudes, phases at random."""
    noise = np.fft.fft2(rng.normal(size=images.shape))
    return np.fft.ifft2(np.abs(np.fft.fft2(images)) * noise / np.abs(noise)).real


def simulated() -> tuple[str, dict[str, Any]]:
    population = cells(N_CELLS)
    images = patches(2 * N_HALF + N_OTHER)
    mean = rates(population, images)
    drive = np.stack([cell.drive(images) for cell in population], axis=1).mean(axis=0)
    counts = np.random.default_rng(1).poisson(mean)
    first, second = slice(0, N_HALF), slice(N_HALF, 2 * N_HALF)
    other = images[2 * N_HALF :]
    began = time.process_time()
    a, b = (
        cs.models.Readout(loss="poisson", rng=seed, device="cpu").fit(images[half], counts[half])
        for seed, half in enumerate((first, second))
    )
    fit_s = time.process_time() - began
    linear = cs.models.RidgeCV().fit(images[first].reshape(N_HALF, -1), counts[first])
    held = a.evaluate(other, counts[2 * N_HALF :], baseline=linear, n_perm=0)
    truth = np.array([np.corrcoef(p, m)[0, 1] for p, m in zip(a.predict(other).T, mean[2 * N_HALF :].T)])
    places = np.array([[cell.y, cell.x] for cell in population])
    error = np.linalg.norm(a.positions_ - places, axis=1)

    norm = float(np.median(np.linalg.norm(other.reshape(N_OTHER, -1), axis=1)))
    natural = scaled(other, norm)
    began = time.process_time()
    made = cs.synthesize(
        [a.unit(k) for k in range(N_CELLS)],
        natural=cs.stimuli(natural, ids=np.arange(N_OTHER)),
        check=[b.unit(k) for k in range(N_CELLS)],
        norm=norm,
        steps=STEPS,
        rng=0,
    )
    climb_s = time.process_time() - began
    best = np.asarray(made.best.values, dtype=np.float32).reshape(N_CELLS, SIDE, SIDE)
    rng = np.random.default_rng(2)
    noise = scaled(phases(natural[rng.integers(N_OTHER, size=N_NOISE)], rng), norm)

    def truly(shown: np.ndarray) -> np.ndarray:
        return rates(population, shown, drive)

    top = a.predict(natural).argmax(axis=0)
    rows = {}
    for name, respond in (("first encoder", a.predict), ("second encoder", b.predict), ("the cell", truly)):
        rows[name] = {
            "mei": np.diag(respond(scaled(best, norm))),
            "natural": respond(natural)[top, np.arange(N_CELLS)],
            "noise": respond(noise).mean(axis=0),
        }
    like = np.array([cell.likeness(image) for cell, image in zip(population, best)])
    kinds = np.array([cell.kind for cell in population])
    text = _simulated_words(rows, like, kinds, held, truth, error, fit_s, climb_s, norm)
    return text, {"best": best, "cells": population, "top": natural[top], "rows": rows, "like": like}


def _simulated_words(
    rows: dict[str, Any],
    like: np.ndarray,
    kinds: np.ndarray,
    held: Any,
    truth: np.ndarray,
    error: np.ndarray,
    fit_s: float,
    climb_s: float,
    norm: float,
) -> str:
    lines = [
        "## Simulated cells",
        "",
        f"{N_CELLS} cells (half complex), {N_HALF} patches of {SIDE} x {SIDE} for each encoder, one count each (mean "
        f"2.1); {fit_s:.0f} s of processor time for both fits, {climb_s:.0f} s for {N_CELLS} images of 2 starts "
        f"and {STEPS} steps. Norm {norm:.1f}, the median of patches. Medians over cells (10 to 90 %); counts per "
        "patch.",
        "",
        "| scored on | most exciting input | best of 1000 patches by the first encoder | noise, same spectrum | "
        "input above patch |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        above = int((row["mei"] > row["natural"]).sum())
        lines.append(
            f"| {name} | {_spread(row['mei'])} | {_spread(row['natural'])} | {_spread(row['noise'])} | "
            f"{above} of {N_CELLS} cells |"
        )
    lines += [
        "",
        "| | simple | complex |",
        "|---|---|---|",
    ]
    for label, values in (
        ("cosine of the input with the cell's filter (complex: at its nearest phase)", like),
        ("held-out correlation with counts", held["r"].values),
        ("the same, ridge on pixels", held["r_baseline"].values),
        ("correlation with the true rate", truth),
        ("distance of the fitted from the true place, pixels", error),
    ):
        lines.append(
            f"| {label} | " + " | ".join(_spread(values[kinds == k]) for k in ("simple", "complex")) + " |"
        )
    lines.append("")
    lines.append(
        f"The gain over ridge is above 0 (95 % jackknife) for {int((held['gain_low'] > 0).sum())} of {N_CELLS} cells."
    )
    return "\n".join(lines)


def _spread(values: np.ndarray) -> str:
    low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def recovery() -> str:
    """What both readouts find of other cells, by number of patches, beside ridge regression on pixels."""
    population = cells(N_CELLS, seed=5)
    images = patches(N_HALF + N_OTHER, seed=5)
    mean = rates(population, images)
    counts = np.random.default_rng(5).poisson(mean)
    test, flat = slice(N_HALF, None), images.reshape(len(images), -1)
    places = np.array([[cell.y, cell.x] for cell in population])
    kinds = np.array([cell.kind for cell in population])
    lines = [
        "",
        "## What is recovered",
        "",
        f"{N_CELLS} other cells, one count for each patch. Correlation of the prediction with the true rate over "
        f"{N_OTHER} other patches, and distance from the true place in pixels; medians over cells (10 to 90 %).",
        "",
        "| patches | model | simple | complex | place | processor s |",
        "|---|---|---|---|---|---|",
    ]
    for n in (300, 600, N_HALF):
        for name in ("gaussian", "factorised", "ridge"):
            began = time.process_time()
            model: Any
            if name == "ridge":
                model = cs.models.RidgeCV().fit(flat[:n], counts[:n])
                predicted = model.predict(flat[test])
            else:
                model = cs.models.Readout(readout=name, loss="poisson", rng=0, device="cpu")
                predicted = model.fit(images[:n], counts[:n]).predict(images[test])
            seconds = time.process_time() - began
            r = np.array([np.corrcoef(p, m)[0, 1] for p, m in zip(predicted.T, mean[test].T)])
            away = "" if name == "ridge" else _spread(np.linalg.norm(model.positions_ - places, axis=1))
            lines.append(
                f"| {n} | {name} | {_spread(r[kinds == 'simple'])} | {_spread(r[kinds == 'complex'])} | {away} | "
                f"{seconds:.0f} |"
            )
    return "\n".join(lines) + "\n"


def grasshopper() -> tuple[str, dict[str, Any]]:
    """Windows of the level before each bin of 2 ms, counts in it: the first 40 % of a recording fits one encoder, the
    next 40 % the other, the rest is left to score on.
    """
    bin_s, n_lags = 0.002, 20
    lines = [
        "",
        "## A recorded neuron",
        "",
        f"An auditory receptor (`cs.datasets.load('grasshopper')`): 10 s for each cutoff of the level's noise, counts "
        f"in bins of {1000 * bin_s:g} ms, windows of {n_lags} bins of the level (dB, standardised). Encoders are "
        "fitted to disjoint 4 s each and scored on the last 2 s. All snippets have the norm of the median window; "
        "counts per bin. The neuron was not shown the input; its row has the mean count at the twentieth of the last "
        "windows most like it (and most like the best window).",
        "",
        "| recording | scored on | most exciting input | best window by the first encoder | mean window | held-out r |",
        "|---|---|---|---|---|---|",
    ]
    pictures = {}
    for name, recording in sorted(cs.datasets.load("grasshopper").recordings.items()):
        binned = recording.bin(bin_s)
        level = recording.signals["level"]
        at = np.asarray(level.values)[:, 0].reshape(len(binned), -1).mean(axis=1)
        at = (at - at.mean()) / at.std()
        windows = np.lib.stride_tricks.sliding_window_view(at, n_lags).astype(np.float32)
        counts = binned.values[n_lags - 1 :, 0]
        n = len(counts)
        cuts = [
            slice(0, int(0.4 * n)),
            slice(int(0.4 * n) + n_lags, int(0.8 * n)),
            slice(int(0.8 * n) + n_lags, n),
        ]
        fitted = []
        for seed, cut in enumerate(cuts[:2]):
            many = cut.stop - cut.start
            model = cs.models.Readout(
                shape=(1, n_lags),
                loss="poisson",
                features=(6,),
                kernel=n_lags - 1,
                batch_size=128,
                rng=seed,
                device="cpu",
            )
            fitted.append(model.fit(windows[cut], counts[cut], groups=np.arange(many) * 20 // many))
        a, b = fitted
        test = windows[cuts[2]]
        norm = float(np.median(np.linalg.norm(test, axis=1)))
        natural = test * (norm / np.linalg.norm(test, axis=1, keepdims=True))
        made = cs.synthesize(
            a.unit(0),
            natural=cs.stimuli(natural, ids=np.arange(len(natural))),
            check=b.unit(0),
            norm=norm,
            steps=STEPS,
            transforms=None,
            rng=0,
        )
        best = np.asarray(made.best.values, dtype=np.float32).reshape(1, n_lags)
        best *= norm / np.linalg.norm(best)
        top = a.predict(natural).argmax()
        for label, model in (("first encoder", a), ("second encoder", b)):
            r = np.corrcoef(model.predict(test), counts[cuts[2]])[0, 1]
            values = [model.predict(shown) for shown in (best, natural[[top]], natural)]
            lines.append(
                f"| {name} | {label} | {values[0][0]:.2f} | {values[1][0]:.2f} | {values[2].mean():.2f} | {r:.2f} |"
            )
        spikes = counts[cuts[2]]
        near = [
            spikes[np.argsort(-(natural @ one))[: len(natural) // 20]].mean()
            for one in (best[0], natural[top])
        ]
        lines.append(
            f"| {name} | the neuron, at windows like it | {near[0]:.2f} | {near[1]:.2f} | {spikes.mean():.2f} | |"
        )
        pictures[name] = (best[0], natural[top])
    return "\n".join(lines), pictures


def draw(shown: dict[str, Any], snippets: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    some = [0, 2, 4, 6, 1, 3, 5, 7]
    figure, axes = plt.subplots(3, len(some), figsize=(1.3 * len(some), 4.4), layout="constrained")
    for column, k in enumerate(some):
        cell = shown["cells"][k]
        rows = (
            ("the cell's filter", cell.even),
            ("most exciting input", shown["best"][k]),
            ("best patch", shown["top"][k]),
        )
        for row, (label, image) in enumerate(rows):
            ax = axes[row, column]
            top = np.abs(image).max()
            ax.imshow(image, cmap="gray", vmin=-top, vmax=top)
            ax.set_xticks([])
            ax.set_yticks([])
            if column == 0:
                ax.set_ylabel(label, fontsize=8)
        axes[0, column].set_title(f"{cell.kind} {k}", fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    head = (
        "# The most exciting input of a fitted encoder\n\n`python -m benchmarks.encoder_mei`: images are made on a "
        "first encoder (`cs.models.Readout`) by `cs.synthesize`, and scored on a second one with another seed, fitted "
        "to other stimuli. Options of both were settled on other simulated cells (of the same photograph), before "
        "these were scored.\n\n"
    )
    text, shown = simulated()
    more, snippets = grasshopper()
    found = recovery()
    picture = "\n\n![filters, inputs and patches](encoder_mei.png)\n"
    TARGET.write_text(head + text + picture + found + more + "\n")
    draw(shown, snippets, TARGET.with_suffix(".png"))
    print(text + found + more)
    return 0


if __name__ == "__main__":
    sys.exit(main())
