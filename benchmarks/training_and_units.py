"""What training does to units: dropout, batch normalisation and label noise, against selectivity and lesions.

Run as ``python -m benchmarks.training_and_units``. Both sides of Morcos, Barrett, Rabinowitz & Botvinick (2018) in one
study: class selectivity of the units of a layer (chosen and scored on different images, against that of the untrained
network), and the area under accuracy while units are removed in random orders. Three seeds; networks of one seed share
images, labels, first weights and batches, so that a difference between two recipes is paired. Writes
training_and_units.md and docs/images/training_and_units.png.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import consilience as cs
from benchmarks._lesion_curves import Curve, over_seeds, random_curve
from benchmarks._train_small import Recipe, Trained, train
from benchmarks.label_noise_lesions import HOWS, N_SCORED, SEEDS, commit

TARGET = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "training_and_units.png"
LAYER = {"mlp": "relu2", "cnn": "relu4"}
KINDS = {"mlp": "MLP, second of three layers", "cnn": "CNN, last layer (channels)"}
NOISES = (0.0, 0.5)
N_ORDERS = 10
RECIPES = {
    "mlp": {
        "plain": {},
        "dropout 0.2": {"dropout": 0.2},
        "dropout 0.5": {"dropout": 0.5},
        "batch norm": {"batch_norm": True},
    },
    "cnn": {"plain": {}, "batch norm": {"batch_norm": True}},
}
COLOURS = {"plain": "#1f2329", "dropout 0.2": "#56b4e9", "dropout 0.5": "#0072b2", "batch norm": "#d55e00"}
SHARES = (0.25, 0.5, 0.75)  # of units removed, at which accuracy is told


@dataclass(frozen=True)
class Found:
    """Of one network: mean corrected selectivity of its units, that of the untrained network, the share of units
    that never fire, and the curve for each way to remove units.
    """

    trained: Trained
    selectivity: float
    untrained: float
    silent: float
    curves: dict[str, Curve]


def selectivity_of(net: cs.Network, layer: str, images: object) -> tuple[float, float]:
    """Mean corrected class selectivity of the units that fire (channels: averaged over places), and the share that
    never does.
    """
    acts = cs.record(net, images, layers=[layer], spatial="mean")[layer]
    table = cs.characterize(acts, "label", measures=["class_selectivity"], n_perm=0, n_floor=0, rng=0)
    values = table.data["corrected"].sel(measure="class_selectivity").values
    return float(np.nanmean(values)), float(np.isnan(values).mean())


def study(one: Trained) -> Found:
    layer = LAYER[one.recipe.kind]
    selective, silent = selectivity_of(one.net, layer, one.test)
    untrained = one.net.untrained(seed=one.recipe.seed, stimuli=one.test[:N_SCORED])
    curves = {
        how: random_curve(
            one.net,
            layer,
            one.train[:N_SCORED],
            one.trained_on[:N_SCORED],
            how=how,
            n_orders=N_ORDERS,
            reference=one.train[N_SCORED : 2 * N_SCORED],
            rng=one.recipe.seed,
        )
        for how in HOWS
    }
    return Found(one, selective, selectivity_of(untrained, layer, one.test)[0], silent, curves)


Table = dict[tuple[str, str, float], list[Found]]  # kind, recipe, noise: one per seed


def page(found: Table) -> list[str]:
    said = [
        "# What training does to units",
        "",
        "`python -m benchmarks.training_and_units`: Fashion-MNIST, 4,000 training images a network, with the true "
        "labels or half of them dealt anew; dropout after, or batch normalisation before, every rectifier; three "
        "seeds. *Selectivity*: class selectivity (Morcos et al. 2018), preferred class chosen on one half of the 2,000 "
        "held-out images and scored on the other, mean over the units that fire. *Area*: as in "
        f"[label_noise_lesions.md](label_noise_lesions.md), {N_ORDERS} orders, training images. Mean of three seeds "
        f"(smallest to largest).",
        "",
        "| network | labels | training | right on training labels | held-out | silent units | selectivity | "
        "untrained | " + " | ".join(f"area, {how}" for how in HOWS) + " |",
        "|" + "---|" * (8 + len(HOWS)),
    ]
    for (kind, recipe, noise), ones in found.items():
        cells = [
            KINDS[kind],
            "half dealt anew" if noise else "true",
            recipe,
            *(f"{100 * np.mean([f.trained.scores[p] for f in ones]):.1f} %" for p in ("train", "test")),
            f"{100 * np.mean([f.silent for f in ones]):.0f} %",
            spread([f.selectivity for f in ones]),
            f"{np.mean([f.untrained for f in ones]):.3f}",
            *(spread([f.curves[how].area for f in ones]) for how in HOWS),
        ]
        said.append("| " + " | ".join(cells) + " |")
    said += [
        "",
        "## Differences",
        "",
        "Between networks of one seed: mean and 95 % t interval over three seeds (2 degrees of freedom, so wide); in "
        "bold where it excludes 0. 30 intervals and more stand here: one or two exclude 0 by chance.",
        "",
        "| network | labels | what | selectivity | " + " | ".join(f"area, {how}" for how in HOWS) + " |",
        "|" + "---|" * (4 + len(HOWS)),
    ]
    for kind, recipes in RECIPES.items():
        for noise in NOISES:
            for recipe in list(recipes)[1:]:
                said.append(
                    row(
                        KINDS[kind],
                        "half" if noise else "true",
                        f"{recipe} - plain",
                        found[kind, recipe, noise],
                        found[kind, "plain", noise],
                    )
                )
        for recipe in recipes:
            said.append(
                row(
                    KINDS[kind],
                    "",
                    f"half - true labels, {recipe}",
                    found[kind, recipe, 0.5],
                    found[kind, recipe, 0.0],
                )
            )
    return said


def dropout_page(found: Table) -> list[str]:
    said = [
        "",
        "## Dropout and the share of units removed",
        "",
        "Training accuracy (mean over orders) with a share of the units set to 0, minus that of the plain network "
        "of the same seed, each as a share of its own intact accuracy.",
        "",
        "| labels | dropout | " + " | ".join(f"{100 * s:.0f} % removed" for s in SHARES) + " |",
        "|" + "---|" * (2 + len(SHARES)),
    ]
    for noise in NOISES:
        for recipe in ("dropout 0.2", "dropout 0.5"):
            cells = ["half dealt anew" if noise else "true", recipe.split()[1]]
            for share in SHARES:
                gains = [
                    at(f.curves["zero"], share) - at(p.curves["zero"], share)
                    for f, p in zip(found["mlp", recipe, noise], found["mlp", "plain", noise])
                ]
                cells.append(bold(np.array(gains)))
            said.append("| " + " | ".join(cells) + " |")
    return said


def at(curve: Curve, share: float) -> float:
    return float(np.interp(share, curve.share, curve.accuracy.mean(axis=0)) / curve.intact)


def row(network: str, labels: str, what: str, a: list[Found], b: list[Found]) -> str:
    cells = [network, labels, what, bold(np.array([x.selectivity - y.selectivity for x, y in zip(a, b)]))]
    cells += [bold(np.array([x.curves[h].area - y.curves[h].area for x, y in zip(a, b)])) for h in HOWS]
    return "| " + " | ".join(cells) + " |"


def spread(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def bold(values: np.ndarray) -> str:
    mean, low, high = over_seeds(values)
    words = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    return f"**{words}**" if low > 0 or high < 0 else words


def draw(found: Table, path: Path) -> None:
    """Selectivity against area: a point per network, filled for true labels; lines from the plain network of a seed."""
    from matplotlib.figure import Figure

    from consilience.plots._style import dress, style

    with style():
        figure = Figure(figsize=(9.2, 5.6), facecolor="white", layout="constrained")
        panels = figure.subplots(2, len(HOWS), sharey="row", sharex="row")
        titles = {"zero": "set to 0", "mean": "set to the mean", "resample": "set to another image's"}
        for k, (row_of, kind) in enumerate(zip(panels, RECIPES)):
            for ax, how in zip(row_of, HOWS):
                dress(ax)
                for noise in NOISES:
                    for recipe in RECIPES[kind]:
                        for f, p in zip(found[kind, recipe, noise], found[kind, "plain", noise]):
                            x, y = f.selectivity, f.curves[how].area
                            ax.plot(
                                [p.selectivity, x],
                                [p.curves[how].area, y],
                                color=COLOURS[recipe],
                                linewidth=0.6,
                                alpha=0.4,
                            )
                            ax.plot(
                                x,
                                y,
                                "o",
                                color=COLOURS[recipe],
                                markersize=6,
                                markerfacecolor="white" if noise else COLOURS[recipe],
                            )
                if k == 0:
                    ax.set_title(f"units {titles[how]}")
                ax.set_xlabel("class selectivity, held out")
            row_of[0].set_ylabel(f"{KINDS[kind]}\narea, training images")
        for recipe, colour in COLOURS.items():
            panels[0][0].plot([], [], "o", color=colour, label=recipe)
        panels[0][0].plot(
            [], [], "o", color="#6b7280", markerfacecolor="white", label="half of the labels random"
        )
        figure.legend(
            *panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8
        )
        figure.savefig(path, dpi=130)


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.process_time()
    found: Table = {}
    for kind, recipes in RECIPES.items():
        for noise in NOISES:
            for recipe, options in recipes.items():
                found[kind, recipe, noise] = [
                    study(train(Recipe(seed=s, kind=kind, noise=noise, **options)))  # type: ignore[arg-type]
                    for s in SEEDS
                ]
                print(kind, recipe, noise, f"{time.process_time() - start:.0f} s", flush=True)
    draw(found, PICTURE)
    said = page(found) + dropout_page(found)
    said += [
        "",
        f"Run on commit {commit()}; {time.process_time() - start:.0f} s of one core with trained networks.",
    ]
    TARGET.write_text("\n".join(said) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
