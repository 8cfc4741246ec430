"""Are networks that memorise hurt more by lesions? Clean, half and fully random labels, three ways to remove units.

Run as ``python -m benchmarks.label_noise_lesions``. After Morcos, Barrett, Rabinowitz & Botvinick (2018): networks
trained on Fashion-MNIST with 0, half or all of the training labels dealt anew, three seeds; units of a layer are
removed in 20 random orders, and set to 0, to their mean, or to what they do for another image. Writes
label_noise_lesions.md and docs/images/label_noise_lesions.png.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import time
import warnings
from pathlib import Path

import numpy as np

import consilience as cs
from benchmarks._lesion_curves import CHANCE, Curve, over_seeds, random_curve
from benchmarks._train_small import Recipe, Trained, train

TARGET = Path(__file__).with_suffix(".md")
IMAGES = Path(__file__).parents[1] / "docs" / "images"
SEEDS = (0, 1, 2)
NOISE = {"clean": 0.0, "half": 0.5, "random": 1.0}
LAYERS = (("mlp", "relu2"), ("mlp", "relu3"), ("cnn", "relu4"))
HOWS = ("zero", "mean", "resample")
N_SCORED = 500  # images that lesions are scored on; what replaces units is taken from 500 others
WORDS = {
    "mlp relu2": "MLP, second of three layers",
    "mlp relu3": "MLP, last layer",
    "cnn relu4": "CNN, last layer (channels)",
}
COLOURS = {"clean": "#0072b2", "half": "#e69f00", "random": "#d55e00"}

Areas = dict[tuple[str, str, str, str, int], Curve]  # layer, images, labels, how, seed


def commit() -> str:
    """The commit that is checked out, for the page."""
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return found.stdout.strip() or "unknown"


def curves(nets: dict[tuple[str, str, int], Trained]) -> Areas:
    found: Areas = {}
    for kind, layer in LAYERS:
        for labels in NOISE:
            for seed in SEEDS:
                one = nets[kind, labels, seed]
                sets = {"training": (one.train, one.trained_on), "held-out": (one.test, one.truth)}
                for which, (images, target) in sets.items():
                    if which == "held-out" and labels == "random":
                        continue  # at chance before any lesion
                    for how in HOWS:
                        found[f"{kind} {layer}", which, labels, how, seed] = random_curve(
                            one.net,
                            layer,
                            images[:N_SCORED],
                            target[:N_SCORED],
                            how=how,
                            reference=images[N_SCORED : 2 * N_SCORED],
                            rng=seed,
                        )
                print(kind, layer, labels, seed, f"{time.process_time():.0f} s", flush=True)
    return found


def in_short(found: Areas) -> list[str]:
    """What the tables below say, in sentences made of their numbers."""
    of = {
        (place, how): np.array(
            [[found[place, "training", labels, how, s].area for s in SEEDS] for labels in NOISE]
        )
        for place in WORDS
        for how in HOWS
    }
    order = sum(int(((a[0] > a[1]) & (a[1] > a[2])).sum()) for a in of.values())
    sure = {
        words: sum(over_seeds(a[i] - a[j])[1] > 0 for a in of.values())
        for words, i, j in (
            ("clean above random", 0, 2),
            ("clean above half", 0, 1),
            ("half above random", 1, 2),
        )
    }
    gap = {how: np.mean([(of[place, how][0] - of[place, how][2]).mean() for place in WORDS]) for how in HOWS}
    clean = {how: np.mean([of[place, how][0].mean() for place in WORDS]) for how in HOWS}
    late = {
        labels: np.mean(
            [
                np.interp(0.75, c.share, c.accuracy.mean(axis=0))
                for (_, images, trained_on, how, _), c in found.items()
                if images == "training" and trained_on == labels and how == "resample"
            ]
        )
        for labels in ("clean", "random")
    }
    return [
        f"The order of Morcos et al. (2018), clean > half > random, is found in {order} of {len(of) * len(SEEDS)} "
        "cases (layer, how, seed). Over three seeds the interval of the difference excludes 0 "
        + ", ".join(f"in {count} of {len(of)} for {words}" for words, count in sure.items())
        + ". The size of the effect hangs on how units are removed: clean - random is "
        + ", ".join(f"{gap[how]:.2f} ({how})" for how in HOWS)
        + ", and the area of clean networks itself "
        + ", ".join(f"{clean[how]:.2f} ({how})" for how in HOWS)
        + f". With resample the curves cross: with three quarters of the units replaced, {100 * late['clean']:.0f} % "
        f"of "
        f"the answers of clean and {100 * late['random']:.0f} % of those of random networks are right, so that the "
        f"area "
        "adds up a larger robustness to few lesions and a smaller one to many. Three seeds say that the sign is no "
        "accident of one network; they say little of how large the difference "
        "is elsewhere. Networks of one kind of labels also differ in how sure they are, which lesions of a layer meet "
        "too: nothing here says that memorising as such, and not a smaller margin, makes the difference.",
        "",
    ]


def areas_page(found: Areas) -> list[str]:
    said = [
        "## Area under the curve, training images",
        "",
        "Mean of three seeds (smallest to largest), and the difference between networks of one seed with its t "
        "interval over three seeds (2 degrees of freedom: only differences several times their spread exclude 0). "
        "*Order*: in how many of the three seeds clean > half > random.",
        "",
        "| layer | how | clean | half | random | clean - half | half - random | clean - random | order |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for place in WORDS:
        for how in HOWS:
            of = {
                labels: np.array([found[place, "training", labels, how, s].area for s in SEEDS])
                for labels in NOISE
            }
            cells = [WORDS[place], how]
            cells += [f"{v.mean():.3f} ({v.min():.3f} to {v.max():.3f})" for v in of.values()]
            cells += [
                interval(of[a] - of[b])
                for a, b in (("clean", "half"), ("half", "random"), ("clean", "random"))
            ]
            order = (of["clean"] > of["half"]) & (of["half"] > of["random"])
            said.append("| " + " | ".join([*cells, f"{order.sum()} of 3"]) + " |")
    widths = [c.high - c.low for c in found.values()]
    said += [
        "",
        f"Within one network the area is known better: its 95 % interval over {N_SCORED} images and 20 orders is "
        f"{np.median(widths):.3f} wide (median; at most {max(widths):.3f}).",
        "",
        "## Area under the curve, held-out images",
        "",
        "Normalised by held-out accuracy above chance; networks trained on random labels have none.",
        "",
        "| layer | how | clean | half | clean - half |",
        "|---|---|---|---|---|",
    ]
    for place in WORDS:
        for how in HOWS:
            of = {
                labels: np.array([found[place, "held-out", labels, how, s].area for s in SEEDS])
                for labels in ("clean", "half")
            }
            cells = [
                WORDS[place],
                how,
                *(f"{v.mean():.3f} ({v.min():.3f} to {v.max():.3f})" for v in of.values()),
                interval(of["clean"] - of["half"]),
            ]
            said.append("| " + " | ".join(cells) + " |")
    return said


def interval(values: np.ndarray) -> str:
    mean, low, high = over_seeds(values)
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def draw_curves(found: Areas, path: Path) -> None:
    """One row per layer, one column per way to remove: mean over orders, a line per seed, the band over all orders."""
    from matplotlib.figure import Figure

    from consilience.plots._style import dress, style

    with style():
        figure = Figure(figsize=(8.6, 7.2), facecolor="white", layout="constrained")
        panels = figure.subplots(len(WORDS), len(HOWS), sharex=True, sharey=True)
        for k, (row, (place, words)) in enumerate(zip(panels, WORDS.items())):
            for ax, how in zip(row, HOWS):
                dress(ax)
                for labels, colour in COLOURS.items():
                    ones = [found[place, "training", labels, how, s] for s in SEEDS]
                    every = np.concatenate([c.accuracy for c in ones])
                    x = 100 * ones[0].share
                    ax.fill_between(
                        x, *np.quantile(every, [0.025, 0.975], axis=0), color=colour, alpha=0.15, linewidth=0
                    )
                    for c in ones:
                        ax.plot(x, c.accuracy.mean(axis=0), color=colour, linewidth=1)
                    area = np.mean([c.area for c in ones])
                    ax.plot([], [], color=colour, label=f"{labels}  {area:.2f}")
                ax.axhline(CHANCE, color="#a3acb7", linewidth=0.8, linestyle=":")
                ax.legend(loc="lower left", title="labels, area", title_fontsize=8)
                ax.set_ylim(0, 1.02)
                if k == 0:
                    ax.set_title(
                        {"zero": "set to 0", "mean": "set to the mean", "resample": "set to another image's"}[
                            how
                        ]
                    )
                if k == len(panels) - 1:
                    ax.set_xlabel("units removed (%)")
            row[0].set_ylabel(f"{words}\naccuracy, training images")
        figure.savefig(path, dpi=130)


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.process_time()
    nets = {
        (kind, labels, seed): train(Recipe(seed=seed, kind=kind, noise=noise))
        for kind in ("mlp", "cnn")
        for labels, noise in NOISE.items()
        for seed in SEEDS
    }
    found = curves(nets)
    draw_curves(found, IMAGES / "label_noise_lesions.png")
    said = page_head(nets) + in_short(found) + areas_page(found)
    said += [
        "",
        f"Run on commit {commit()}; {time.process_time() - start:.0f} s of one core with trained networks.",
    ]
    TARGET.write_text("\n".join(said) + "\n", encoding="utf-8")
    return 0


def page_head(nets: dict[tuple[str, str, int], Trained]) -> list[str]:
    said = [
        "# Lesions of networks that memorise",
        "",
        "`python -m benchmarks.label_noise_lesions`: Fashion-MNIST, 4,000 training images a network, of whose labels "
        "none, half or all were dealt anew; three seeds, which choose images, labels, weights and batches and are "
        "shared by the three kinds of labels, so that their differences are paired. Adam, one cycle of the learning "
        "rate, 100 epochs (MLP, 784-128-128-128-10) or 40 (CNN, channels 16-32-64-64).",
        "",
        "| network | labels | right on training labels | right on held-out images |",
        "|---|---|---|---|",
    ]
    for kind in ("mlp", "cnn"):
        for labels in NOISE:
            scores = [nets[kind, labels, s].scores for s in SEEDS]
            cells = [" ".join(f"{100 * s[part]:.1f}" for s in scores) + " %" for part in ("train", "test")]
            said.append(f"| {kind.upper()} | {labels} | {cells[0]} | {cells[1]} |")
    return [
        *said,
        "",
        f"Units after the rectifier of a layer are removed in 20 random orders, scored on {N_SCORED} images; their "
        f"replacements (mean; another image's, one donor per image and order) are taken from {N_SCORED} other images. "
        "Area: over the share of units removed, of accuracy above chance divided by that of the intact network.",
        "",
    ]


if __name__ == "__main__":
    raise SystemExit(main())
