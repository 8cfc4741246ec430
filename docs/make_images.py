"""Makes the picture of the README from the results of the demo.

    make demo
    .venv/bin/python docs/make_images.py [demo/results]

Nothing is drawn that is not in those files.
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.figure import Figure

import consilience as cs

IMAGES = Path(__file__).parent / "images"
TITLES = {"monkey_IT": "monkey IT (neurons of 2 monkeys, pooled)", "human_IT": "human IT (fMRI, 4 subjects)"}


def layer_profile(comparison) -> Figure:
    """RSA of every layer with each brain: one panel per brain, one scale, one legend."""
    figure = Figure(figsize=(10.5, 4.4), facecolor="white")
    handles: dict[str, object] = {}
    for i, (system, title) in enumerate(TITLES.items()):
        ax = figure.add_subplot(1, 2, i + 1)
        cs.plots.plot_profile(comparison, ax, measure="rsa", b=system, limits=(-0.07, 0.72), legend=False)
        ax.set_title(title, loc="left", fontsize=11)
        ax.set_xlabel("layer of EfficientNet-Lite0, trained on ImageNet", fontsize=9)
        ax.set_ylabel("RSA (Spearman between RDMs)" if i == 0 else "", fontsize=9)
        ax.tick_params(labelsize=8)
        found = dict(zip(*reversed(ax.get_legend_handles_labels())))
        handles.update({words: handle for words, handle in found.items() if words not in TITLES})
    figure.tight_layout(rect=(0, 0.07, 1, 1), w_pad=2.5)
    figure.legend(
        handles.values(), handles.keys(), loc="lower center", ncols=len(handles), fontsize=8, frameon=False
    )
    return figure


def main(results: Path) -> None:
    IMAGES.mkdir(exist_ok=True)
    target = IMAGES / "layer_profile.png"
    layer_profile(cs.load(results / "effnet_IT.nc")).savefig(target, dpi=110)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/results"))
