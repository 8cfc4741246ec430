"""Dimensionality of EfficientNet-Lite0, layer by layer, trained against untrained, over objects and patches of photos.

Run as ``python -m benchmarks.dimensionality_by_layer``. Needs the packaged data (objects92, efficientnet_lite0).
Stimuli are the 92 objects, and 200 square crops at random places and of random size (48 to 256 px) of scikit-learn's
two sample photographs, all shown at 128 x 128 pixels. Of each layer 800 units (channel and place) are drawn at random,
of which `cs.dimensionality` gives the participation ratio of infinitely many such units and stimuli, the power-law
exponent of the spectrum of these units, and TwoNN. Untrained: three networks with weights drawn anew (mean, least and
most). Two photographs hold far fewer textures and things than the world: the patches say how dimensions change with
depth, not how many natural images have.

Written to dimensionality_by_layer.md and .png beside this file.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import consilience as cs
from consilience.networks._efficientnet import ImagePreprocess

TARGET = Path(__file__).with_suffix(".md")
PICTURE = TARGET.with_suffix(".png")
SIDE, PATCHES, UNITS, SEEDS = 128, 200, 800, (0, 1, 2)
LAYERS = (
    "_blocks.0",
    "_blocks.2",
    "_blocks.4",
    "_blocks.7",
    "_blocks.10",
    "_blocks.13",
    "_blocks.15",
    "_dropout",
)
MEASURES = ("participation_ratio", "cvpca", "two_nn")
WORDS = {
    "participation_ratio": "participation ratio, corrected",
    "cvpca": "power-law exponent",
    "two_nn": "TwoNN",
}


def patches() -> Any:
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    photos = load_sample_images().images
    out = []
    for k in range(PATCHES):
        photo = photos[k % len(photos)]
        size = int(rng.integers(48, 257))
        y, x = (int(rng.integers(0, edge - size + 1)) for edge in photo.shape[:2])
        crop = photo[y : y + size, x : x + size]
        at = (np.arange(SIDE) + 0.5) * size / SIDE
        out.append(crop[np.ix_(at.astype(int), at.astype(int))])
    return cs.stimuli(np.stack(out), ids=[f"patch{k:03d}" for k in range(PATCHES)])


def layers_of(net: cs.Network, stimuli: Any) -> dict[str, xr.DataArray]:
    """Some units of each layer, the same of every network."""
    rng = np.random.default_rng(0)
    out = {}
    for layer, found in cs.record(net, stimuli, layers=list(LAYERS)).items():
        count = found.sizes["unit"]
        out[layer] = found.isel(unit=np.sort(rng.choice(count, min(UNITS, count), replace=False)))
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    whole = cs.networks.load("efficientnet_lite0").module
    net = cs.Network(whole, preprocess=ImagePreprocess(SIDE), name=f"efficientnet_lite0 at {SIDE}")
    sets = {"92 objects": cs.datasets.load("objects92").stimuli, f"{PATCHES} patches": patches()}
    tables: dict[str, dict[str, xr.Dataset]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        for words, stimuli in sets.items():
            networks = {"trained": net}
            networks |= {f"untrained {seed}": net.untrained(seed=seed, stimuli=stimuli) for seed in SEEDS}
            tables[words] = {}
            for name, one in networks.items():
                found = cs.dimensionality(
                    layers_of(one, stimuli),
                    measures=list(MEASURES),
                    n_perm=10 if name == "trained" else 0,
                    rng=0,
                )
                tables[words][name] = found.data
                print(words, name, found.data["value"].values.round(2).tolist(), flush=True)
    TARGET.write_text(page(tables), encoding="utf-8")
    picture(tables, Path(given[0]) if given else PICTURE)
    return 0


def page(tables: dict[str, dict[str, xr.Dataset]]) -> str:
    about = [line for line in (__doc__ or "").splitlines()[2:] if "Written to" not in line]
    lines = ["# Dimensionality by layer", "", *about, ""]
    for words, found in tables.items():
        lines += [f"## {words}", ""]
        lines += [
            "| layer | participation ratio, trained [95 %] | untrained (least to most) | exponent, trained [95 %] | "
            "untrained | TwoNN, trained | untrained |",
            "|---|---|---|---|---|---|---|",
        ]
        for layer in LAYERS:
            cells = []
            for measure in MEASURES:
                at = found["trained"].sel(system=layer, measure=measure)
                value, low, high = (float(at[key]) for key in ("value", "ci_low", "ci_high"))
                cells.append(f"{value:.3g} [{low:.3g}, {high:.3g}]")
                drawn = [
                    float(found[f"untrained {seed}"]["value"].sel(system=layer, measure=measure))
                    for seed in SEEDS
                ]
                cells.append(f"{np.mean(drawn):.3g} ({min(drawn):.3g} to {max(drawn):.3g})")
            lines.append(f"| {layer} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def picture(tables: dict[str, dict[str, xr.Dataset]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.6), facecolor="white", layout="constrained")
    axes = figure.subplots(len(tables), len(MEASURES), squeeze=False, sharex=True)
    x = np.arange(len(LAYERS))
    for row, (words, found) in zip(axes, tables.items()):
        for ax, measure in zip(row, MEASURES):
            at = found["trained"].sel(measure=measure)
            ax.fill_between(x, at["ci_low"], at["ci_high"], color="#0072b2", alpha=0.18, linewidth=0)
            ax.plot(x, at["value"], "-o", color="#0072b2", markersize=4, label="trained, 95 % interval")
            drawn = np.array([found[f"untrained {s}"]["value"].sel(measure=measure).values for s in SEEDS])
            ax.fill_between(x, drawn.min(axis=0), drawn.max(axis=0), color="#6b7280", alpha=0.25, linewidth=0)
            ax.plot(x, drawn.mean(axis=0), "-o", color="#6b7280", markersize=4, label="untrained, 3 seeds")
            ax.set_title(f"{WORDS[measure]}, {words}", loc="left", fontsize=9, fontweight="bold")
            ax.set_xticks(x, [name.removeprefix("_").replace("blocks.", "block ") for name in LAYERS])
            ax.tick_params(axis="x", rotation=45, labelsize=8)
            ax.tick_params(axis="y", labelsize=8)
            ax.spines[["top", "right"]].set_visible(False)
            ax.set_ylim(bottom=0)
            ax.grid(axis="y", color="#e5e7eb", linewidth=0.7)
    axes[0][0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    raise SystemExit(main())
