"""Selectivity of units against what is lost without them, in networks that generalise and networks that memorise.

Run as ``python -m benchmarks.label_noise_selectivity``. The networks of `label_noise_lesions`; selectivity and the
preferred class from one half of the training images, impact on the cross-entropy of the other half: overall (Morcos et
al. 2018) and on the preferred class alone (Zhou et al. 2018). Writes label_noise_selectivity.md and
docs/images/label_noise_selectivity.png.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
import warnings
from pathlib import Path

import numpy as np

import consilience as cs
from benchmarks._train_small import Recipe, train
from benchmarks.label_noise_lesions import COLOURS, LAYERS, NOISE, SEEDS, WORDS, commit

TARGET = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "label_noise_selectivity.png"
HOWS, N_IMAGES = ("mean", "zero"), 600
SIDES = {"overall": "impact", "preferred": "impact_preferred"}
DRAWN = "mlp relu2"

IMAGES = {
    "training": tuple(NOISE),
    "held-out": ("clean", "half"),
}  # images: labels of the networks shown them
Found = dict[tuple[str, str, str, int], cs.SelectivityImpact]  # layer, images, labels, seed


def study() -> Found:
    found: Found = {}
    for kind, layer in LAYERS:
        for labels, noise in NOISE.items():
            for seed in SEEDS:
                one = train(Recipe(seed=seed, kind=kind, noise=noise))
                shown = {"training": (one.train, one.trained_on), "held-out": (one.test, one.truth)}
                for images, (stimuli, target) in shown.items():
                    if labels in IMAGES[images]:
                        found[f"{kind} {layer}", images, labels, seed] = cs.selectivity_impact(
                            one.net,
                            layer,
                            stimuli=stimuli[:N_IMAGES],
                            target=target[:N_IMAGES],
                            evaluate="loss",
                            how=list(HOWS) if images == "training" else "mean",
                            n_boot=100,
                            n_perm=200,
                            progress=False,
                            rng=seed,
                        )
                print(kind, layer, labels, seed, f"{time.process_time():.0f} s", flush=True)
    return found


def page(found: Found) -> list[str]:
    said = [
        "# Selectivity against impact in networks that memorise",
        "",
        "`python -m benchmarks.label_noise_selectivity`: the networks of "
        f"[label_noise_lesions.md](label_noise_lesions.md); {N_IMAGES:,} training images with the "
        "labels that were trained on, or held-out images, in two halves of each class: selectivity from one, impact "
        "(rise of the cross-entropy without the unit) from the other, both ways, "
        "five splits. Spearman over units, one number for each seed; in brackets, in how many seeds the interval over "
        "units and images lies below and above 0. *Partial*: without the unit's mean activation and standard "
        "deviation. *Ceiling*: what noise in both would let a perfect relation reach.",
        "",
        "| layer | images | how | labels | overall (Morcos et al.) | partial | on the preferred class (Zhou et al.) | "
        "partial | ceilings | preferred less overall |",
        "|" + "---|" * 10,
    ]
    for place in WORDS:
        for images, how in (("training", "mean"), ("training", "zero"), ("held-out", "mean")):
            for labels in IMAGES[images]:
                at = [found[place, images, labels, s].data.sel(how=how).isel(network=0) for s in SEEDS]
                cells = [WORDS[place], images, how, labels]
                for side in SIDES:
                    one = [d.sel(impact=side) for d in at]
                    cells += [
                        told([(d["value"], d["ci_low"], d["ci_high"]) for d in one]),
                        told([(d["partial"], d["partial_low"], d["partial_high"]) for d in one]),
                    ]
                ceilings = [float(np.nanmean([d["ceiling"].sel(impact=side) for d in at])) for side in SIDES]
                cells.append(", ".join(f"{c:.2f}" for c in ceilings))
                cells.append(told([(d["difference"], d["difference_low"], d["difference_high"]) for d in at]))
                said.append("| " + " | ".join(cells) + " |")
    return said


def told(rows: list[tuple[object, object, object]]) -> str:
    table = np.array([[float(v) for v in row] for row in rows])  # type: ignore[arg-type]
    below, above = int((table[:, 2] < 0).sum()), int((table[:, 1] > 0).sum())
    return " ".join(f"{v:+.2f}" for v in table[:, 0]) + f" [{below}-, {above}+]"


def draw(found: Found, path: Path) -> None:
    """A row for each kind of labels, seed 0: overall impact (left) and impact on the preferred class (right)."""
    from matplotlib.figure import Figure

    from consilience.plots._style import dress, style

    titles = {
        "overall": "on all images (Morcos et al. 2018)",
        "preferred": "on its preferred class (Zhou et al. 2018)",
    }
    with style():
        figure = Figure(figsize=(7.8, 7.4), facecolor="white", layout="constrained")
        panels = figure.subplots(len(NOISE), 2, sharex=True)
        for k, (row, labels) in enumerate(zip(panels, NOISE)):
            one = found[DRAWN, "training", labels, SEEDS[0]]
            units, at = one.units.sel(how="mean"), one.data.sel(how="mean").isel(network=0)
            for ax, (side, name) in zip(row, SIDES.items()):
                dress(ax)
                ax.axhline(0, color="#a3acb7", linewidth=0.8)
                ax.plot(
                    units["selectivity"],
                    units[name],
                    "o",
                    markersize=4,
                    alpha=0.7,
                    color=COLOURS[labels],
                    markeredgecolor="none",
                )
                ax.set_yscale("symlog", linthresh=1e-4, linscale=0.5)
                ax.set_ylim(
                    min(-1e-4, 1.5 * float(np.nanmin(units[name]))), 4 * float(np.nanmax(units[name]))
                )
                r = at.sel(impact=side)
                words = f"r {float(r['value']):+.2f} [{float(r['ci_low']):+.2f}, {float(r['ci_high']):+.2f}]"
                ax.text(0.03, 0.97, words, transform=ax.transAxes, va="top", fontsize=8, color="#1f2329")
                if k == 0:
                    ax.set_title(titles[side])
                if k == len(panels) - 1:
                    ax.set_xlabel("class selectivity (other images)")
            row[0].set_ylabel(f"{labels} labels\nloss without the unit, rise (nats)")
        figure.savefig(path, dpi=130)


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.process_time()
    found = study()
    draw(found, PICTURE)
    said = page(found)
    said += [
        "",
        f"Run on commit {commit()}; {time.process_time() - start:.0f} s of one core with trained networks.",
    ]
    TARGET.write_text("\n".join(said) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
