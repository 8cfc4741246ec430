"""Class selectivity of the channels of EfficientNet-Lite0, layer by layer, trained and untrained.

Run as ``python -m benchmarks.class_selectivity [PICTURE]``. 92 photographs of objects in six categories (data set
objects92); one number per channel and photograph, the mean over places after the second rectification of each block.
The class is chosen on half of the photographs of each category and scored on the other half; the floor is that of
units with the same mean and spread over photographs that prefer nothing. Written to class_selectivity.md, and the
picture to docs/images/class_selectivity.png.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs

TARGET = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "class_selectivity.png"
BLOCKS = (0, 1, 3, 5, 7, 9, 11, 13, 15)
MEASURES = ("class_selectivity", "d_prime", "eta_squared")


def layers_of(net: cs.Network, stimuli: Any) -> dict[str, Any]:
    names = [f"_blocks.{k}._relu" for k in BLOCKS] + ["_relu"]
    found = cs.record(net, stimuli, layers=names, spatial="mean", cache=True)
    last = {}
    for name, one in found.items():  # each rectification is called twice in most blocks: the later call
        short = "head" if name.startswith("_relu") else f"block {name.split('.')[1]}"
        last[short] = one
    return last


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    stimuli = cs.datasets.load("objects92").stimuli
    net = cs.networks.load("efficientnet_lite0")
    tables = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        for name, one in {"trained": net, "untrained": net.untrained(seed=0, stimuli=stimuli)}.items():
            layers = layers_of(one, stimuli)
            tables[name] = cs.characterize(
                layers, "category", measures=list(MEASURES), n_perm=500, n_floor=50, rng=0
            )
            print(tables[name])
    TARGET.write_text(page(tables), encoding="utf-8")
    picture(tables, Path(given[0]) if given else PICTURE)
    return 0


def page(tables: dict[str, cs.UnitTable]) -> str:
    said = [
        "# Class selectivity of EfficientNet-Lite0, by layer",
        "",
        "`python -m benchmarks.class_selectivity`: 92 photographs in 6 categories, channels averaged over places; "
        "medians over channels, and the share of them told from chance (500 relabellings, false discovery rate 0.05). "
        "Channels of a layer saw the same photographs, so that their medians do not average chance away: the corrected "
        "median of an untrained layer is above 0 where its channels agree by chance.",
    ]
    words = {
        "class_selectivity": "Class selectivity",
        "d_prime": "d' of the best class",
        "eta_squared": "Variance explained",
    }
    for measure in MEASURES:
        head = "layer|channels"
        for name in tables:
            head += f"|{name}: as published|corrected|floor|told from chance"
        said += ["", f"## {words[measure]}", "", "| " + " | ".join(head.split("|")) + " |"]
        said.append("|" + "---|" * len(head.split("|")))
        rows = {name: table.profile(measure).set_index("system") for name, table in tables.items()}
        for layer in rows["trained"].index:
            cells = [layer, str(rows["trained"].loc[layer, "n_units"])]
            for one in rows.values():
                r = one.loc[layer]
                cells += [
                    f"{r['value']:.3f}",
                    f"{r['corrected']:.3f}",
                    f"{r['floor']:.3f}",
                    f"{r['tuned']:.2f}",
                ]
            said.append("| " + " | ".join(cells) + " |")
    return "\n".join(said) + "\n"


def picture(tables: dict[str, cs.UnitTable], path: Path) -> None:
    """Corrected class selectivity of each layer: median and middle half over channels, raw medians, and the floor."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.6), facecolor="white", layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours = {"trained": "#0072b2", "untrained": "#6b7280"}
    for ax, (measure, words) in zip(
        panels, {"class_selectivity": "class selectivity", "share": "channels told from chance"}.items()
    ):
        for shift, (name, table) in zip((-0.12, 0.12), tables.items()):
            rows = table.profile("class_selectivity")
            x = np.arange(len(rows)) + shift
            if measure == "share":
                ax.plot(x - shift, rows["tuned"], color=colours[name], marker="o", markersize=4, label=name)
                continue
            at = table.data.sel(measure=measure)
            for k, system in enumerate(rows["system"]):
                value = at["corrected"].values[at["system"].values == system]
                low, high = np.nanquantile(value, [0.25, 0.75])
                ax.vlines(x[k], low, high, color=colours[name], linewidth=3, alpha=0.3)
            ax.scatter(x, rows["corrected"], s=24, color=colours[name], zorder=3, label=f"{name}, held out")
            ax.scatter(
                x, rows["value"], s=20, marker="x", color=colours[name], linewidth=1, label="as published"
            )
            ax.plot(
                x,
                rows["floor"],
                color="#d55e00",
                linewidth=1,
                linestyle="--" if shift > 0 else "-",
                label=f"floor, {name}",
            )
        ax.axhline(0, color="#a3acb7", linewidth=0.8, linestyle=":")
        ax.set_title(words, loc="left", fontsize=10, fontweight="bold")
        ax.set_xticks(np.arange(len(rows)), rows["system"], rotation=45, ha="right", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize=7, frameon=False, ncols=2 if measure != "share" else 1, loc="upper left")
    panels[0].set_ylabel("6 categories, 92 photographs", fontsize=8)
    panels[0].set_ylim(-0.04, 0.78)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    raise SystemExit(main())
