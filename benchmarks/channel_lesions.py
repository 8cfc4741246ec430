"""What single channels of EfficientNet-Lite0 are needed for: six categories of objects, read out from its last layer.

Run as ``python -m benchmarks.channel_lesions``. A logistic readout of the 1,280 features before the last layer is
fitted on half of the 92 photographs of objects92; each channel of two blocks is then removed alone, and the probability
of the right category told on the other half, category by category. What replaces a channel, and what its preferred
category and images are, comes from the first half. Writes channel_lesions.md and docs/images/channel_lesions.png.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import consilience as cs
from benchmarks.label_noise_lesions import commit
from consilience.networks._efficientnet import ImagePreprocess
from consilience.stats import fdr, paired_effect

TARGET = Path(__file__).with_suffix(".md")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "channel_lesions.png"
SIDE = 224  # pixels shown to the network, as it was trained; the photographs have 175
LAYERS = {"_blocks.8": ["mean", "zero"], "_blocks.13": ["mean", "zero", "resample"]}
CHANNELS = {"_blocks.8": 112, "_blocks.13": 192}
EVERY = {"_blocks.8": 4, "_blocks.13": 1}  # every fourth channel of the middle block: its passes are long
N_PERM = 19999  # so that q of 192 channels can be small
DRAWN, TOP, IMAGES = "_blocks.13", 6, 5


def halves(category: np.ndarray) -> np.ndarray:
    """True for a random half of the photographs of each category."""
    rng, first = np.random.default_rng(0), np.zeros(len(category), dtype=bool)
    for name in np.unique(category):
        rows = rng.permutation(np.flatnonzero(category == name))
        first[rows[: (len(rows) + 1) // 2]] = True
    return first


def with_readout(first: Any) -> tuple[cs.Network, np.ndarray]:
    """The network with a readout of the categories in the place of its last layer, and their names in order."""
    import torch
    from sklearn.linear_model import LogisticRegression

    whole = cs.networks.load("efficientnet_lite0").module
    net = cs.Network(whole, preprocess=ImagePreprocess(SIDE), name=f"efficientnet_lite0 at {SIDE}")
    x = np.asarray(cs.record(net, first, layers=["_dropout"])["_dropout"].values, dtype=np.float64)
    mean, sd = x.mean(axis=0), x.std(axis=0) + 1e-6
    fit = LogisticRegression(C=0.1, max_iter=2000).fit((x - mean) / sd, first["category"].values)
    readout = torch.nn.Linear(x.shape[1], len(fit.classes_))
    with torch.no_grad():
        readout.weight.copy_(torch.from_numpy(fit.coef_ / sd))
        readout.bias.copy_(torch.from_numpy(fit.intercept_ - (fit.coef_ / sd) @ mean))
    whole._fc = readout
    return cs.Network(whole.eval(), preprocess=ImagePreprocess(SIDE), name=net.name), fit.classes_


def preferred(net: cs.Network, layer: str, first: Any, names: np.ndarray) -> np.ndarray:
    """The category with the highest mean response of each channel, a number in ``names``."""
    x = cs.record(net, first, layers=[layer], spatial="mean")[layer].values
    means = np.stack([x[first["category"].values == name].mean(axis=0) for name in names])
    return np.asarray(means.argmax(axis=0))[:: EVERY[layer]]


def page(
    found: dict[str, cs.Ablation],
    liked: dict[str, np.ndarray],
    about: str,
    names: np.ndarray,
    counts: np.ndarray,
) -> list[str]:
    said = [
        "# Channels of EfficientNet-Lite0",
        "",
        f"`python -m benchmarks.channel_lesions`: {about} Impact: the probability of the right category that is lost "
        "without the channel (all places), paired over the photographs of the second half; q from sign flips, false "
        f"discovery rate over channels, {N_PERM:,} flips. *Off distribution*: distance of the readout's outputs from "
        f"intact ones (1 = as "
        "intact).",
        "",
        "| layer | how | channels | needed, q < 0.05 | better without, q < 0.05 | median of absolute impact | "
        "largest | "
        "off distribution, median and largest |",
        "|" + "---|" * 8,
    ]
    for layer, one in found.items():
        for how in LAYERS[layer]:
            d = one.data.sel(how=how)
            sure = d["q"].values < 0.05
            impact, off = d["impact"].values, d["off_distribution"].values
            said.append(
                f"| {layer} | {how} | {len(impact)} | {int((sure & (impact > 0)).sum())} | "
                f"{int((sure & (impact < 0)).sum())} | {np.median(np.abs(impact)):.4f} | {impact.max():+.3f} | "
                f"{np.median(off):.2f}, {off.max():.2f} |"
            )
    said += [
        "",
        "## Do the ways to remove a channel agree?",
        "",
        "| layer | pair | Spearman of impacts over channels | channels whose impacts differ | difference of the mean "
        "impact |",
        "|" + "---|" * 5,
    ]
    for layer, one in found.items():
        assert one.agreement is not None
        for k in range(one.agreement.sizes["pair"]):
            a = one.agreement.isel(pair=k)
            said.append(
                f"| {layer} | {a['a'].item()}, {a['b'].item()} | {float(a['correlation']):.2f} "
                f"[{float(a['ci_low']):.2f}, {float(a['ci_high']):.2f}] | {int(a['n_apart'])} of {int(a['n_parts'])} | "
                f"{float(a['difference']):+.4f} [{float(a['difference_low']):+.4f}, "
                f"{float(a['difference_high']):+.4f}] |"
            )
    said += [
        "",
        "## Is a channel needed for what it responds to?",
        "",
        "Impact on the category that the channel responds to most (chosen on the first half), less that on the five "
        "others, and its interval over channels (which share their photographs, so that it is too narrow for other "
        "photographs); and in how many channels the category of largest impact is the preferred one.",
        "",
        "| layer | how | on the preferred category, less others | largest on the preferred one | by chance |",
        "|" + "---|" * 5,
    ]
    for layer, one in found.items():
        for how in LAYERS[layer]:
            impact = by_class(one, how, names)
            mine = impact[np.arange(len(impact)), liked[layer]]
            others = (impact.sum(axis=1) - mine) / (impact.shape[1] - 1)
            value, low, high = paired_effect(mine - others)
            same = int((impact.argmax(axis=1) == liked[layer]).sum())
            counts = np.bincount(liked[layer], minlength=len(names)) / len(impact)
            chance = float(counts @ (np.bincount(impact.argmax(axis=1), minlength=len(names))))
            said.append(
                f"| {layer} | {how} | {value:+.4f} [{low:+.4f}, {high:+.4f}] | {same} of {len(impact)} | {chance:.0f} |"
            )
    said += [
        "",
        f"## The {TOP} channels of {DRAWN} with the largest impact on one category (mean)",
        "",
        "Chosen as the largest of all channels and categories on these photographs, so that the number is too high; "
        "q of "
        "a channel's six categories and all channels together is from t tests of paired differences.",
        "",
        "| channel | category | probability lost, all intervals 95 % | q | responds most to |",
        "|" + "---|" * 5,
    ]
    low, high = (by_class(found[DRAWN], "mean", names, edge) for edge in ("class_low", "class_high"))
    q, impact = q_of_classes(found[DRAWN], names, counts), by_class(found[DRAWN], "mean", names)
    for channel, k in largest(found[DRAWN], names):
        said.append(
            f"| {channel} | {names[k]} | {impact[channel, k]:+.3f} [{low[channel, k]:+.3f}, {high[channel, k]:+.3f}] | "
            f"{q[channel, k]:.3f} | {names[liked[DRAWN][channel]]} |"
        )
    said += [
        "",
        f"q < 0.05 of a channel and a category: {int((q < 0.05).sum())} of {q.size}. The steps in the picture are "
        f"made by "
        "its sorting (by category of largest impact) and would be there without any effect; read them with these "
        "numbers.",
    ]
    return said


def by_class(one: cs.Ablation, how: str, names: np.ndarray, what: str = "class_impact") -> np.ndarray:
    """(channels, categories), categories in the order of ``names``."""
    found = one.data[what].sel(how=how).transpose("part", "class").values
    assert found.shape[1] == len(names)
    return np.asarray(found)


def q_of_classes(one: cs.Ablation, names: np.ndarray, n: np.ndarray) -> np.ndarray:
    """q of every channel and category, from the t intervals over its ``n`` photographs."""
    value = by_class(one, "mean", names)
    low = by_class(one, "mean", names, "class_low")
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(value) / ((value - low) / stats.t.ppf(0.975, n - 1))
    p = np.where(np.isfinite(t), 2 * stats.t.sf(t, n - 1), 1.0)
    return np.asarray(fdr(p.ravel()).reshape(p.shape))


def largest(one: cs.Ablation, names: np.ndarray) -> list[tuple[int, int]]:
    """(channel, category) of the channels with the largest impact on one category, each channel once."""
    impact = by_class(one, "mean", names)
    channels = np.argsort(-impact.max(axis=1))[:TOP]
    return [(int(c), int(impact[c].argmax())) for c in channels]


def draw(one: cs.Ablation, net: cs.Network, first: Any, names: np.ndarray, path: Path) -> None:
    """Channels by categories, sorted; zero and resample against mean; the images that the strongest channels prefer."""
    from matplotlib.figure import Figure

    from consilience.plots._style import PALETTE, dress, style

    impact = by_class(one, "mean", names)
    with style():
        figure = Figure(figsize=(9.6, 6.6), facecolor="white", layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=[1, 1.35])
        ax = upper.subplots()
        order = np.lexsort((-impact.max(axis=1), impact.argmax(axis=1)))
        top = float(np.quantile(np.abs(impact), 0.995))
        image = ax.imshow(
            impact[order].T, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest"
        )
        ax.set_yticks(range(len(names)), names)
        ax.set_xticks([])
        ax.set_xlabel(f"{len(impact)} channels of {DRAWN}, by the category they are needed for most")
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.tick_params(length=0)
        ax.set_title("probability of the right category that is lost without one channel (mean in its place)")
        upper.colorbar(image, ax=ax, shrink=0.9, pad=0.01, extend="both")

        left, right = lower.subfigures(1, 2, width_ratios=[1, 1.5])
        ax = left.subplots()
        dress(ax)
        base = one.data["impact"].sel(how="mean").values
        for k, how in enumerate([h for h in LAYERS[DRAWN] if h != "mean"]):
            ax.plot(base, one.data["impact"].sel(how=how).values, "o", markersize=3, alpha=0.6, color=PALETTE[k],
                    markeredgecolor="none", label=how)  # fmt: skip
        ends = np.array([base.min(), base.max()])
        ax.plot(ends, ends, color="#a3acb7", linewidth=0.8)
        ax.set_xlabel("impact, mean in its place")
        ax.set_ylabel("impact, zero or resample")
        ax.set_title("ways to remove a channel")
        ax.legend(loc="upper left")

        chosen = largest(one, names)
        best = cs.exemplars([net.channel(DRAWN, c) for c, _ in chosen], first, n=IMAGES)
        pictures = dict(zip(first["stimulus"].values.tolist(), first.values))
        panels = right.subplots(TOP, IMAGES)
        for row, (channel, k), shown in zip(panels, chosen, best["stimulus"].values):
            for ax, name in zip(row, shown):
                ax.imshow(pictures[str(name)])
                ax.set_xticks([])
                ax.set_yticks([])
                ax.spines[:].set_visible(False)
            row[0].set_ylabel(
                f"{channel}\n{names[k]}\n{impact[channel, k]:+.2f}",
                rotation=0,
                ha="right",
                va="center",
                fontsize=7,
            )
        right.suptitle(
            "images that the channels of largest impact respond to most", fontsize=10, fontweight="bold"
        )
        figure.savefig(path, dpi=130)


def main() -> int:
    warnings.simplefilter("ignore", cs.ConsilienceWarning)
    start = time.process_time()
    stimuli = cs.datasets.load("objects92").stimuli
    half = halves(stimuli["category"].values)
    first, second = stimuli[half], stimuli[~half]
    net, names = with_readout(first)
    found, liked = {}, {}
    for layer, how in LAYERS.items():
        found[layer] = cs.ablate(
            net,
            layer,
            parts=[net.channel(layer, c) for c in range(0, CHANNELS[layer], EVERY[layer])],
            stimuli=second,
            target="category",
            evaluate="probability",
            how=how,
            reference=first,
            curves=False,
            n_perm=N_PERM,
            n_draws=1,
            progress=False,
            rng=0,
        )
        liked[layer] = preferred(net, layer, first, names)
        print(found[layer], f"{time.process_time() - start:.0f} s", flush=True)
    draw(found[DRAWN], net, first, names, PICTURE)
    d = found[DRAWN].data
    counts = np.array([(second["category"].values == name).sum() for name in names])
    said_counts = ", ".join(f"{count} {name}" for count, name in zip(counts, names))
    outputs = cs.record(net, second, layers=["output"])["output"].values
    right = float((names[outputs.argmax(axis=1)] == second["category"].values).mean())
    about = (
        f"{len(first)} photographs to fit the readout and for what replaces channels, {len(second)} to score "
        f"({said_counts}); shown at {SIDE} pixels. The readout is right on {100 * right:.0f} % of these. "
        f"Probability of the right category, intact: {float(d['intact']):.3f} [{float(d['intact_low']):.3f}, "
        f"{float(d['intact_high']):.3f}]."
    )
    said = page(found, liked, about, names, counts)
    said += ["", f"Run on commit {commit()}; {time.process_time() - start:.0f} s of one core."]
    TARGET.write_text("\n".join(said) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
