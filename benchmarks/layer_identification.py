"""Layer identification: of the layers of another network, is the most similar one the same layer?

Run as ``python -m benchmarks.layer_identification``. Ten networks of eight convolutions differ in their seed
only, so a measure should find each layer of one in another (Kornblith et al. 2019). They are trained on
scikit-learn's digits (16 x 16 by repeating pixels); layers are flattened, so that units (1024 to 4096) far
outnumber the test stimuli (60), as is usual; chance is 1/8. Training happens once and is kept in the temporary
folder. The answers are written to layer_identification.md and layer_identification.png beside this file.

Accuracy is the mean over ordered pairs of networks and layers. Pairs share networks, so the interval is the
jackknife over networks (all pairs of one network left out at a time, t with networks - 1 degrees of freedom).
Measures that match or predict units one by one see 96 units of a layer. Slow measures see fewer networks: they
are added one by one until a measure has used its seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs
from benchmarks._small_networks import Recipe, record
from consilience._core._seeds import resolve_seed
from consilience.measures import as_measure
from consilience.stats import group_folds

NETWORKS, STIMULI, FEWEST, EPOCHS = 10, 60, 3, 30
FEW = 96  # units, drawn at random, for measures that match or predict unit by unit
SINGLE = ("one_to_one", "soft_match", "partial_match", "linear_predictivity")
CHANNELS, STRIDES = (16, 16, 32, 32, 32, 64, 64, 64), (1, 1, 2, 1, 1, 2, 1, 1)
EXTRA: dict[str, dict[str, Any]] = {  # options that make another measure of one
    "rsa": {"distance": "euclidean"},
    "cka": {"debiased": False},
}
TARGET = Path(__file__).with_suffix(".md")
DESIGN = (
    "The design was settled after scores had been seen: networks were trained for 30 epochs rather than 12 "
    "(cka 0.84 rather than 0.77 to 0.81 on 3 to 5 networks), and test images went from 300 to 60 for time. "
    "cka and in-sample Procrustes hardly moved with either (0.81 to 0.84 and 0.83 to 0.88); `cca_held_out` on "
    "three networks was 0.44 at 80 and 120 images, so its place hangs on the design. In-sample CCA finds "
    "nothing where units outnumber stimuli: it is 1 for all layers, as are its weighted forms. Held-out "
    "alignments of thousands of units fitted on 48 images find less than CKA does, Procrustes least of all."
)


@dataclass(frozen=True)
class Outcome:
    """One measure: accuracy with its interval, the networks seen, the mean layer x layer map."""

    name: str
    accuracy: float
    low: float
    high: float
    networks: int
    grid: np.ndarray
    seconds: float


def specs() -> list[Any]:
    """Every registered measure that compares two systems, both forms, and the variants above."""
    out: list[Any] = []
    for name in cs.measures.names():
        out.append(name)
        if name in EXTRA:
            out.append(partial(getattr(cs.measures, name), **EXTRA[name]))
    order = ("pairs", "subsample", "predictions", "none")  # fast ones first
    return sorted(out, key=lambda one: order.index(as_measure(one, held_out=False).claims.resample))


def layers(networks: int) -> tuple[list[dict[str, Any]], list[dict[str, float]]]:
    """Responses {layer: (stimuli, units)} of each network, and its scores."""
    out, scores = [], []
    ids = [f"digit{i:03d}" for i in range(STIMULI)]
    for seed in range(networks):
        arrays, found = record(Recipe(seed=seed, channels=CHANNELS, strides=STRIDES, epochs=EPOCHS))
        out.append({f"conv{k + 1}": cs.responses(x[:STIMULI], stimulus=ids) for k, x in enumerate(arrays)})
        scores.append(found)
    return out, scores


def hits(grid: np.ndarray) -> float:
    """Share of rows whose largest entry is on the diagonal; of several equal largest ones each counts in part."""
    best = grid >= grid.max(axis=1, keepdims=True) - 1e-9
    return float(np.mean(np.diag(best) / best.sum(axis=1)))


def _some_units(x: Any) -> Any:
    chosen = np.random.default_rng(0).permutation(x.sizes["unit"])[:FEW]
    return x.isel(unit=np.sort(chosen))


class Fits:
    """Values of a held-out measure, as `compare` has them, without its choice of the best on halves of the stimuli,
    which fits everything twenty times more. Each layer is prepared once, and its fits serve all it is compared with.
    """

    def __init__(self, measure: Any, nets: list[dict[str, Any]]) -> None:
        self.parts = measure.parts
        varying = [
            [x[:, np.ptp(x, axis=0) > 0] for x in (one.values for one in net.values())] for net in nets
        ]
        self.x = [[self.parts.prepare(x) for x in net] for net in varying]
        self.y = [[self.parts.prepare_y(x) for x in net] for net in varying]
        rng = resolve_seed(0, who="layer_identification").stream("folds")
        self.folds = group_folds(np.arange(STIMULI), self.parts.folds, rng, who="layer_identification")
        self.plans: dict[int, list[Any]] = {}

    def table(self, i: int, j: int) -> np.ndarray:
        if i not in self.plans:
            self.plans = {
                i: [self.parts.plan(x, self.folds, None) for x in self.x[i]]
            }  # of one network at a time
        return np.array([[float(plan.predict(y).score()) for y in self.y[j]] for plan in self.plans[i]])


def identify(spec: Any, nets: list[dict[str, Any]], seconds: float) -> Outcome:
    """Networks are added one by one; each new one is compared with all before it, in both directions."""
    measure = as_measure(spec, held_out=False)
    if measure.name.startswith(SINGLE):
        nets = [{name: _some_units(x) for name, x in net.items()} for net in nets]
    start = time.process_time()
    grids: dict[tuple[int, int], np.ndarray] = {}
    used = 1

    fits = Fits(measure, nets) if measure.claims.resample == "predictions" else None

    def compared(a: dict[str, Any], b: dict[str, Any]) -> np.ndarray:
        found = cs.compare(a, b, measure=spec, held_out=False, n_boot=0, n_perm=0, rng=0)
        return found.data["value"].values[0]

    def table(i: int, j: int) -> np.ndarray:
        return compared(nets[i], nets[j]) if fits is None else fits.table(i, j)

    if fits is not None:  # the same numbers, for two layers of two networks
        first, second = ({name: net[name] for name in ("conv2", "conv6")} for net in nets[:2])
        np.testing.assert_allclose(
            fits.table(0, 1)[np.ix_((1, 5), (1, 5))], compared(first, second), atol=1e-9
        )
    for j in range(1, len(nets)):
        spent = time.process_time() - start
        if j >= FEWEST and spent * (j + 1) / (j - 1) > seconds:  # pairs grow as j (j + 1)
            break
        for i in range(j):
            grids[j, i] = table(j, i)
            grids[i, j] = grids[j, i].T if measure.claims.symmetric else table(i, j)
        used = j + 1
    score = {pair: hits(grid) for pair, grid in grids.items()}
    value = float(np.mean(list(score.values())))
    without = [np.mean([s for pair, s in score.items() if k not in pair]) for k in range(used)]
    width = stats.t.ppf(0.975, used - 1) * np.sqrt(
        (used - 1) / used * np.sum((without - np.mean(without)) ** 2)
    )
    return Outcome(
        measure.key,
        value,
        max(0.0, value - width),
        min(1.0, value + width),
        used,
        np.mean(list(grids.values()), axis=0),
        time.process_time() - start,
    )


def draw(outcomes: list[Outcome], path: Path) -> None:
    """Accuracy of each measure with its interval, and the mean map of four of them."""
    from matplotlib.figure import Figure

    from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, dress, style, values_map

    with style():
        figure = Figure(figsize=(10.4, 0.9 + 0.24 * max(16, len(outcomes))), facecolor="white")
        left = figure.add_gridspec(1, 1, left=0.27, right=0.60, top=0.91, bottom=0.09)
        ax = figure.add_subplot(left[0])
        dress(ax, grid="x", spines=("bottom",))
        ax.axvline(1 / len(CHANNELS), color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)))
        for y, one in enumerate(outcomes):
            color = FAINT if one.name.endswith("(in-sample)") else PALETTE[0]
            ax.plot([one.low, one.high], [y, y], color=color, linewidth=2.4, solid_capstyle="round")
            ax.plot([one.accuracy], [y], "o", color=color, markersize=6.5, markeredgecolor="white")
        ax.text(1 / len(CHANNELS), -1.0, "chance", ha="center", va="bottom", color=MUTED, fontsize=8)
        ax.set_yticks(range(len(outcomes)), [one.name for one in outcomes], color=INK)
        ax.tick_params(axis="y", length=0, labelsize=8, labelcolor=INK)
        ax.set_ylim(len(outcomes) - 0.4, -0.9)
        ax.set_xlim(0, 1.03)
        ax.set_xlabel("same layer found (95 % interval over networks)")
        ax.set_title("Layer identification", pad=16)
        by_name = {one.name: one for one in outcomes}
        wanted = ("cka", "procrustes_held_out", "rsa", "cca_held_out")
        shown = [by_name[name] for name in wanted if name in by_name]
        right = figure.add_gridspec(
            2, 2, left=0.68, right=0.985, top=0.91, bottom=0.09, hspace=0.28, wspace=0.12
        )
        count = len(CHANNELS)
        for k, one in enumerate(shown):
            panel = figure.add_subplot(right[k // 2, k % 2])
            dress(panel, grid="", spines=())
            panel.imshow(one.grid, cmap=values_map(), vmin=one.grid.min(), vmax=one.grid.max())
            for row, column in enumerate(one.grid.argmax(axis=1)):
                panel.plot(column, row, "o", color=PALETTE[1], markersize=3.5)
            panel.set_title(one.name, fontsize=9, pad=4)
            ticks = [0, count - 1]
            panel.set_xticks(ticks, [1, count] if k // 2 else ["", ""])
            panel.set_yticks(ticks, ["", ""] if k % 2 else [1, count])
            panel.tick_params(length=0)
            for edge in ("top", "right", "bottom", "left"):
                panel.spines[edge].set(visible=True, edgecolor=BAND)
        figure.text(
            0.8325, 0.035, "mean map over networks (own scale); dot: best layer",
            ha="center", fontsize=7.5, color=MUTED,
        )  # fmt: skip
        figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", type=int, default=NETWORKS)
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="processor seconds for each measure; default 6"
    )
    parser.add_argument(
        "--measures", nargs="+", help="names to run; default all, and only then files are written"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    nets, scores = layers(options.networks)
    outcomes: list[Outcome] = []
    missing: list[tuple[str, str]] = []
    lines: list[str] = []
    for spec in options.measures or specs():
        try:
            outcomes.append(identify(spec, nets, options.seconds))
        except cs.ConsilienceError as error:
            missing.append((str(spec), str(error)))
        print(spec, file=sys.stderr, flush=True)
        outcomes.sort(key=lambda one: -one.accuracy)
        lines = table(outcomes, missing, nets, [one["test"] for one in scores])
        if not options.measures:  # after each measure, so that a run that is stopped leaves something
            TARGET.write_text("\n".join(lines) + "\n")
            draw(outcomes, TARGET.with_suffix(".png"))
    print("\n".join(lines))
    return 0


def table(
    outcomes: list[Outcome], missing: list[tuple[str, str]], nets: list[dict[str, Any]], test: list[float]
) -> list[str]:
    units = [data.sizes["unit"] for data in nets[0].values()]
    lines = [
        "# Layer identification",
        "",
        f"`python -m benchmarks.layer_identification`: {len(nets)} networks of {len(CHANNELS)} convolutions, "
        f"one seed each, {min(test):.1%} to {max(test):.1%} right on test digits; {STIMULI} test images, "
        f"{min(units)} to {max(units)} units per layer; chance {1 / len(CHANNELS):.3f}. Intervals are jackknives over "
        f"networks. `(in-sample)` marks fits that are not held out. Matching and predicting unit by unit sees {FEW} "
        "random units of a layer.",
        "",
        DESIGN,
        "",
        "| measure | same layer found | 95 % interval | networks | processor s |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{o.name}` | {o.accuracy:.3f} | {o.low:.3f} to {o.high:.3f} | {o.networks} | {o.seconds:.0f} |"
        for o in outcomes
    ]
    return lines + (["", "Not run:", "", *[f"- `{name}`: {why}" for name, why in missing]] if missing else [])


if __name__ == "__main__":
    sys.exit(main())
