"""Makes the pictures of README and docs.

    make demo
    .venv/bin/python docs/make_images.py [demo/results]

layer_profile is drawn from the results of the demo, grasshopper, direction_tuning, place_maps and unit_cards from data
sets (all left out where they are not there), choosing_a_measure from what the measures claim, which the tests check.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
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


WORDS = {
    "translation": "translation\n(a baseline)",
    "scaling": "scaling\n(one factor)",
    "rotation": "rotation\nof units",
    "permutation": "permutation\nof units",
    "unit_scaling": "a gain\nper unit",
    "affine": "any linear\nmap",
    "stimulus_shift": "a level per\nstimulus",
    "stimulus_scaling": "a gain per\nstimulus",
}
STIMULI, RATIOS = 100, (0.1, 0.3, 1.0, 3.0, 10.0)  # units per stimulus


def _measures() -> list[tuple[str, Any]]:
    """(name, claims), held-out and unbiased ones first, then those that are inflated."""
    found = [(name, cs.measures.claims(name)) for name in cs.measures.names()]
    found += [
        ('rsa(distance="euclidean")', cs.measures.claims("rsa", distance="euclidean")),
        ("cka(debiased=False)", cs.measures.claims("cka", debiased=False)),
    ]
    units = int(RATIOS[-1] * STIMULI)
    return sorted(
        found, key=lambda one: (one[1].null(STIMULI, units, units) > 0.15, one[0].split("_held")[0])
    )


def choosing_a_measure() -> Figure:
    """Which transformations of x a measure cannot see, and what it gives to unrelated data."""
    from matplotlib.patches import Rectangle

    from consilience.plots import _style as look  # noqa: PLC2701  the look of all figures

    measures = _measures()
    count = len(measures)
    inflated = sum(c.null(STIMULI, 10 * STIMULI, 10 * STIMULI) > 0.15 for _, c in measures)
    with look.style():
        figure = Figure(figsize=(11.2, 1.4 + 0.27 * count), facecolor="white")
        grid = figure.add_gridspec(
            1, 2, width_ratios=[len(WORDS), 5.4], left=0.185, right=0.99, top=1 - 0.82 / (1.4 + 0.27 * count),
            bottom=0.5 / (1.4 + 0.27 * count), wspace=0.06,
        )  # fmt: skip
        left, right = (figure.add_subplot(grid[k]) for k in range(2))
        for ax in (left, right):
            look.dress(ax, grid="", spines=())
            ax.tick_params(length=0)
            ax.set_ylim(count - 0.4, -0.6)
            ax.xaxis.tick_top()
            ax.axhline(count - inflated - 0.5, color=look.FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
        for y, (_, claims) in enumerate(measures):
            for x, word in enumerate(WORDS):
                blind = word in claims.invariant
                left.add_patch(
                    Rectangle((x - 0.46, y - 0.42), 0.92, 0.84, edgecolor="none",
                              facecolor=look.PALETTE[0] if blind else "#eef1f5")
                )  # fmt: skip
                if blind:
                    left.text(x, y, "blind", ha="center", va="center_baseline", fontsize=7, color="white")
            for x, ratio in enumerate(RATIOS):
                units = round(ratio * STIMULI)
                null = float(claims.null(STIMULI, units, units))
                color = look.values_map()(min(max(null, 0.0), 1.0))
                right.add_patch(
                    Rectangle((x - 0.46, y - 0.42), 0.92, 0.84, edgecolor="none", facecolor=color)
                )
                text = "0" if abs(null) < 0.005 else f"{null:.2f}"
                right.text(
                    x, y, text, ha="center", va="center_baseline", fontsize=7.5, color=look.ink_on(color)
                )
        left.set_xlim(-0.52, len(WORDS) - 0.48)
        right.set_xlim(-0.52, len(RATIOS) - 0.48)
        left.set_yticks(range(count), [name for name, _ in measures])
        right.set_yticks([])
        left.set_xticks(range(len(WORDS)), WORDS.values())
        right.set_xticks(range(len(RATIOS)), [f"{round(r * STIMULI)}\nunits" for r in RATIOS])
        left.tick_params(axis="y", labelcolor=look.INK, labelsize=8.5)
        for ax in (left, right):
            ax.tick_params(axis="x", labelcolor=look.MUTED, labelsize=7.5)
        left.set_title("What a measure cannot see (in x)", fontsize=11, pad=12)
        right.set_title(f"What unrelated data get ({STIMULI} stimuli)", fontsize=11, pad=12)
        note = "Below the dashed line: fitted and scored on the same stimuli, or biased; compare uses the forms above."
        figure.text(0.185, 0.012, note, fontsize=8, color=look.MUTED)
    return figure


def grasshopper() -> Figure:
    """Receptive field in time of an auditory receptor, its nonlinearity, and what it predicts for seconds held out."""
    width, cut = 0.0005, 16000  # s of a frame, in which the neuron fires once at most; frames of the model
    figure = Figure(figsize=(11, 5.2), layout="constrained", facecolor="white")
    axes = figure.subplots(2, 3, width_ratios=[1, 0.8, 1.7])
    for row, (name, rec) in zip(axes, cs.datasets.load("grasshopper").recordings.items()):
        level = rec.bin(width, of="level")
        field = cs.receptive_field(rec, level, lags=0.02, method="asd", rng=0).data.isel(unit=0)
        time = -1000 * field["lag"].values
        row[0].axhline(0, color="0.8", linewidth=0.8)
        row[0].fill_between(time, field["ci_low"], field["ci_high"], color="C0", alpha=0.25, linewidth=0)
        row[0].plot(time, field["value"], color="C0")
        row[0].set_title(f"noise up to {name}: the field", fontsize=10)
        row[0].set_ylabel("spikes per frame and dB", fontsize=9)
        sound, counts = level.values[:, 0], rec.bin(width).values[:, 0]
        model = cs.models.LNP(lags=40, filter="asd").fit(sound[:cut], counts[:cut])
        row[1].plot(model.edges_[0], model.rates_[0] / width, color="C1", marker="o", markersize=3)
        row[1].set_title("rate over the output of the filter", fontsize=10)
        row[1].set_ylabel("spikes/s", fontsize=9)
        rate, shown = model.predict(sound[cut:]) / width, slice(200, 700)
        at = 1000 * width * np.arange(rate.size)[shown]
        row[2].fill_between(at, 0, rate[shown], color="C1", alpha=0.4, linewidth=0)
        top = 1.12 * rate[shown].max()
        row[2].vlines(at[counts[cut:][shown] > 0], top, 1.08 * top, color="k", linewidth=1)
        row[2].set_title("predicted rate, and spikes, of seconds that were held out", fontsize=10)
        row[2].set_xlim(at[0], at[-1])
        for ax in row:
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=8)
    axes[1, 0].set_xlabel("time from the spike (ms)", fontsize=9)
    axes[1, 1].set_xlabel("output of the filter (standard deviations)", fontsize=9)
    axes[1, 2].set_xlabel("time (ms)", fontsize=9)
    return figure


def heading_and_place() -> tuple[Figure, Figure]:
    """Polar tuning curves of all units of head_direction, and maps of rate over place of those in CA1, with fields."""
    rec, width = cs.datasets.load("head_direction").recording, 0.05
    counts = rec.bin(width, within="position_time_support")
    tracked = {axis: rec.bin(width, of=axis, within="position_time_support") for axis in ("ry", "x", "z")}
    shared = np.intersect1d(counts["time"], tracked["ry"]["time"])
    spikes, area = counts.sel(time=shared).values, counts["area"].values
    angle, x, z = (tracked[axis].sel(time=shared).values[:, 0] for axis in ("ry", "x", "z"))
    turn = {"width": width, "period": 2 * np.pi}
    score = cs.units.direction_score(spikes, angle, **turn)
    curves = cs.units.rate_map(spikes, angle, bins=36, smooth=1, **turn)
    polar = Figure(figsize=(12, 7.4), layout="constrained", facecolor="white")
    polar.get_layout_engine().set(h_pad=0.1, w_pad=0.1)
    for u, ax in enumerate(polar.subplots(3, 5).ravel()):
        cs.plots.plot_polar(
            curves.rate[u],
            ax,
            low=curves.low[u],
            high=curves.high[u],
            preferred=score.counted["preferred"][u] if score.p[u] <= 0.05 else None,
            color="#0072b2" if area[u] == "adn" else "#6b7280",
            title=f"{u} ({area[u].upper()}): R {score.value[u]:.2f}, p {score.p[u]:.3f}",
        )
    place = np.stack([x, z], axis=1)
    maps = cs.units.rate_map(spikes, place, width=width)
    fields = cs.units.place_fields(spikes, place, width=width)
    rooms = Figure(figsize=(11, 6.2), layout="constrained", facecolor="white")
    for ax, u in zip(rooms.subplots(2, 4).ravel(), np.flatnonzero(area == "ca1")):
        found = fields.number[u]
        cs.plots.plot_rate_map(
            maps.rate[u],
            ax,
            edges=maps.edges,
            outlines=fields.fields[u],
            title=f"unit {u}: {found} field" + ("s" if found != 1 else ""),
            xlabel="x (m)",
            ylabel="z (m)",
        )
    return polar, rooms


def unit_cards() -> Figure:
    """What is known of a head-direction neuron, and of two units of EfficientNet-Lite0, from the same call."""
    recording, photos = cs.datasets.load("head_direction").recording, cs.datasets.load("objects92").stimuli
    neuron = cs.unit_report(recording, 3, variable="ry", rng=0)
    net = cs.networks.load("efficientnet_lite0")
    shown = {"stimuli": photos, "by": "category", "rng": 0}
    noise = np.full((1500, 224, 224, 3), 127, dtype=np.uint8)
    noise[:, 100:130, 100:130] = np.random.default_rng(0).integers(0, 256, size=(1500, 30, 30, 3))
    early = cs.unit_report(
        net.unit("_blocks.1", channel=11), stimulus=cs.stimuli(noise), preferred={"steps": 96}, **shown
    )
    late = cs.unit_report(net.channel("_blocks.11", 9), **shown)
    cards = Figure(figsize=(9.6, 11.6), layout="constrained", facecolor="white")
    for card, ax in zip((neuron, early, late), cards.subplots(3, 1, height_ratios=(1, 1.05, 0.62))):
        card.plot(ax)
    return cards


def shapley_values() -> Figure:
    """The channels of a small network on digits: what each adds, and to which digits."""
    import torch
    from sklearn.datasets import load_digits

    from consilience.plots import _style as look  # noqa: PLC2701  the look of all figures

    pixels, digit = load_digits(return_X_y=True)
    pixels = (pixels / 16).reshape(-1, 1, 8, 8).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(pixels))
    train, test = order[:1200], order[1200:]
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 12, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(192, 10),
    )
    adam = torch.optim.Adam(module.parameters(), 1e-2)
    for step in range(200):
        rows = np.random.default_rng(step).choice(train, 100)
        loss = torch.nn.functional.cross_entropy(
            module(torch.from_numpy(pixels[rows])), torch.from_numpy(digit[rows])
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
    net = cs.Network(module, preprocess=lambda block: torch.from_numpy(np.array(block)), name="digits")
    images = cs.stimuli(pixels[test], ids=[f"digit{i:03d}" for i in range(len(test))])
    parts = {f"channel {i}": [i] for i in range(12)}
    made = cs.shapley(
        net, "3", stimuli=images, target=digit[test], parts=parts, parts_of="channels", progress=False, rng=0
    )
    with look.style():
        figure = Figure(figsize=(11.5, 4.2), layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2)
        made.plot(left)
        left.set_title("Channels of the second layer", fontsize=9)
        made.plot(right, kind="classes")
    return figure


def lesions() -> Figure:
    """The first block of the page on lesions, drawn."""
    page = (Path(__file__).parent / "howto" / "lesions.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], space)
    return space["lost"].plot().figure


def lesions_of_decoders() -> Figure:
    """Head-direction cells removed from a decoder of the heading: the block of the page that needs data."""
    page = (Path(__file__).parent / "howto" / "lesions-of-decoders.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {"cs": cs}
    exec(page.split("<!-- needs-data -->\n```python\n")[1].split("```")[0], space)
    return space["heads"].plot().figure


def predicted_perturbations() -> Figure:
    """The first block of the page on predicted perturbations, drawn."""
    page = (Path(__file__).parent / "howto" / "predicted-perturbations.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], space)
    return space["said"].plot(outcome="share of fast").figure


def selectivity_and_impact() -> Figure:
    """The first block of the page on selectivity and impact, drawn."""
    page = (Path(__file__).parent / "howto" / "selectivity-and-impact.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], space)
    return space["found"].plot().figure


def structure() -> Figure:
    """The blocks with the picture of the page on structure, drawn."""
    page = (Path(__file__).parent / "howto" / "is-the-structure-real.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    for block in (1, 3):
        exec(page.split("```python\n")[block].split("```")[0], space)
    return space["ax"].figure


def _page(name: str, headings: int) -> dict[str, Any]:
    """What the Python blocks of a page leave behind, of its first headings."""
    text = (Path(__file__).parent / "howto" / name).read_text(encoding="utf-8")
    space: dict[str, Any] = {"__name__": "page"}
    for part in text.split("\n## ")[: headings + 1]:
        for block in part.split("```python\n")[1:]:
            exec(block.split("```")[0], space)
    return space


def reduction() -> Figure:
    """The first figure of the page on reductions."""
    return _page("reduce-and-look.md", 1)["ax"].figure


def ring() -> Figure:
    """The map of heading awake, of sleep, and of sleep with the cells shifted against each other."""
    space = _page("reduce-and-look.md", 3)
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    made, sleep = space["half"], space["sleep"][::6]
    shown = (
        ("awake, held out", space["wake"].values[space["second"]], space["angle"][space["second"]]),
        ("asleep", sleep, None),
        ("asleep, cells shifted", space["apart"](space["sleep"])[::6], None),
    )
    wheel = cs.plots.circle_map()
    for ax, (title, values, angle) in zip(axes, shown):
        at = made.transform(values)
        color = "#5a6572" if angle is None else wheel(angle % (2 * np.pi) / (2 * np.pi))
        ax.scatter(*at.T, s=3, color=color, linewidth=0, alpha=0.6)
        ax.set_title(title, loc="left", fontsize=10, fontweight="bold")
        ax.set_aspect("equal")
        ax.axis("off")
    key = axes[0].inset_axes((0.34, 0.34, 0.32, 0.32), projection="polar")
    around = np.linspace(0, 2 * np.pi, 120)
    key.pcolormesh(around, [0.66, 1.0], ((around[:-1] + around[1:]) / 2)[None], cmap=wheel, shading="flat")
    key.set_ylim(0, 1)
    key.axis("off")
    key.text(0, 0, "heading", ha="center", va="center", fontsize=8, color="#5a6572")
    return figure


def _animal(logits: np.ndarray) -> np.ndarray:
    """Log odds that an ImageNet answer is an animal, one of the first 398 classes."""
    return np.logaddexp.reduce(logits[:, :398], axis=1) - np.logaddexp.reduce(logits[:, 398:], axis=1)


def patching() -> Figure:
    """How much of "animal, not thing" goes through ninths of five blocks of EfficientNet-Lite0."""
    net = cs.networks.load("efficientnet_lite0")
    images = cs.datasets.load("objects92").stimuli
    ids, category = images["stimulus"].values, images["category"].values.astype(str)
    animals = ids[np.char.startswith(category, "nonhuman")]
    things = ids[category == "artificial inanimate"]
    found = cs.patch(
        net,
        images,
        images,
        [f"_blocks.{i}" for i in (1, 4, 7, 10, 15)],
        pairs=list(zip(animals.tolist(), things.tolist())),
        evaluate=_animal,
        places=3,
        n_controls=1,
        rng=0,
    )
    return found.plot().figure


def robustness() -> Figure:
    """What noise in five layers of EfficientNet-Lite0 costs, against its own answers without noise."""
    net = cs.networks.load("efficientnet_lite0")
    images = cs.datasets.load("objects92").stimuli[::2]
    answers = cs.record(net, images)["output"].values.argmax(axis=1)
    layers = ["_bn0", "_blocks.4", "_blocks.10", "_blocks.15", "_bn1"]
    levels = [0.25, 0.5, 1, 2]
    found = cs.robustness(net, layers, stimuli=images, target=answers, n_draws=1, levels=levels, rng=0)
    return found.plot().figure


def attribution() -> Figure:
    """What EfficientNet-Lite0 says of ten photos (128 x 128), by four methods, with their tests; four are drawn."""
    import torch

    def small(block: np.ndarray) -> torch.Tensor:
        values = (torch.from_numpy(block.astype(np.float32)).movedim(-1, 1) - 127) / 128
        return torch.nn.functional.interpolate(values, size=(128, 128), mode="bilinear", antialias=True)

    module = cs.networks.load("efficientnet_lite0").module
    net = cs.Network(module, preprocess=small, name="EfficientNet-Lite0")
    photos = cs.datasets.load("objects92").stimuli[[60, 66, 72, 85, 63, 69, 75, 78, 82, 90]]
    methods = ["gradient", "integrated_gradients", "grad_cam", "occlusion"]
    options = {
        "steps": 16,
        "tolerance": 0.9,
        "window": 32,
        "stride": 16,
        "n_check": 10,
        "n_orders": 2,
        "rng": 0,
    }
    found = cs.attribute(net, photos, method=methods, **options)
    return found.plot(stimuli=photos["stimulus"].values[:4].tolist()).figure


def main(results: Path) -> None:
    IMAGES.mkdir(exist_ok=True)
    made = {
        "choosing_a_measure": choosing_a_measure(),
        "shapley_values": shapley_values(),
        "lesions": lesions(),
        "structure": structure(),
        "reduction": reduction(),
        "selectivity_and_impact": selectivity_and_impact(),
        "predicted_perturbations": predicted_perturbations(),
    }
    demo = results / "effnet_IT.nc"
    if demo.is_file():
        made["layer_profile"] = layer_profile(cs.load(demo))
    try:
        made["grasshopper"] = grasshopper()
        made["direction_tuning"], made["place_maps"] = heading_and_place()
        made["unit_cards"] = unit_cards()
        made["attribution"] = attribution()
        made["ring"] = ring()
        made["lesions_of_decoders"] = lesions_of_decoders()
        made["patching"], made["robustness"] = patching(), robustness()
    except cs.InputError as error:
        if error.code != "not-cached":
            raise
    for name, figure in made.items():
        target = IMAGES / f"{name}.png"
        figure.savefig(target, dpi=110)
        sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo/results"))
