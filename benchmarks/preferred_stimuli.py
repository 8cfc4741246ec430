"""Preferred stimuli of 16 units in three layers of EfficientNet-Lite0, beside their best natural stimuli.

Writes docs/images/preferred_stimuli.png and benchmarks/preferred_stimuli.md. Units are channels at the middle of the
map. Early layers see little of the image, so their stimuli are as large as needed and the natural ones are crops of
that size. About 4 minutes on one core.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs
from consilience.networks._efficientnet import ImagePreprocess

HERE = Path(__file__).resolve().parent
LAYERS = {"_blocks.2": (32, 128), "_blocks.6": (128, 96), "_blocks.15": (160, 64)}  # layer: side, steps
N_UNITS, TILE = 16, 60


def crops(stimuli: Any, side: int, each: int, rng: np.random.Generator) -> Any:
    """Crops of that side at random places, `each` of every image."""
    values, ids = stimuli.values, stimuli["stimulus"].values
    cut, names = [], []
    for image, name in zip(values, ids):
        for k in range(each):
            y, x = rng.integers(0, image.shape[0] - side + 1), rng.integers(0, image.shape[1] - side + 1)
            cut.append(image[y : y + side, x : x + side])
            names.append(f"{name} crop {k}")
    return cs.stimuli(np.stack(cut), ids=names)


def main() -> None:
    objects = cs.datasets.load("objects92").stimuli
    whole = cs.networks.load("efficientnet_lite0")
    rows, tables = [], []
    for layer, (side, steps) in LAYERS.items():
        net = cs.Network(whole.module, preprocess=ImagePreprocess(side), name=f"efficientnet_lite0 at {side}")
        natural = crops(objects, side, 8, np.random.default_rng(0)) if side < 160 else objects
        channels = np.linspace(0, _channels(net, layer, natural) - 1, N_UNITS).round().astype(int).tolist()
        units = [net.unit(layer, channel=c, name=f"channel {c}") for c in channels]
        start = time.process_time()
        made = cs.synthesize(units, natural=natural, steps=steps, rng=0, n_exemplars=2)
        print(made, f"{time.process_time() - start:.0f} s", flush=True)
        tables.append((layer, side, steps, len(natural), made))
        rows.append((layer, made))
    _draw(rows).save(HERE.parent / "docs" / "images" / "preferred_stimuli.png", optimize=True)
    (HERE / "preferred_stimuli.md").write_text(_words(tables))


def _channels(net: Any, layer: str, natural: Any) -> int:
    acts = cs.record(net, natural[:2], layer, spatial="mean")
    return int(acts[layer].sizes["unit"])


def _tile(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(np.clip(np.round(picture), 0, 255).astype(np.uint8))
    return np.asarray(image.resize((TILE, TILE), Image.Resampling.LANCZOS))


def _draw(rows: list[tuple[str, Any]]) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    gap, head, left = 3, 22, 4
    width = left + N_UNITS * (TILE + gap)
    block = head + 3 * (TILE + gap) + 8
    sheet = Image.new("RGB", (width, block * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=12)
    for k, (layer, made) in enumerate(rows):
        top = k * block
        words = f"{layer}: made for 16 units (first row), and the two natural stimuli that drive each most (below)"
        pen.text((left, top + 4), words, fill=(60, 60, 60), font=font)
        best = {str(t): v for t, v in zip(made.best["target"].values, made.best.values)}
        pictures = dict(zip(made.pictures["stimulus"].values.tolist(), made.pictures.values))
        for column, target in enumerate(made.data["target"].values.tolist()):
            x = left + column * (TILE + gap)
            if target in best:
                sheet.paste(Image.fromarray(_tile(best[target])), (x, top + head))
            for rank in range(2):
                name = str(made.exemplars["stimulus"].sel(target=target).values[rank])
                y = top + head + (rank + 1) * (TILE + gap) + 4
                sheet.paste(Image.fromarray(_tile(pictures[name])), (x, y))
    return sheet.quantize(256)


def _words(tables: list[Any]) -> str:
    heads = [
        "layer",
        "side",
        "steps",
        "natural",
        "value / best natural",
        "value / best natural of the same norm",
        "units above all natural of the same norm",
        "units above 39 of random phases",
        "seeds agree (random phases)",
        "left after shift",
        "left after noise",
        "late gain",
    ]
    lines = [
        "# Preferred stimuli of EfficientNet-Lite0",
        "",
        "Made by `python -m benchmarks.preferred_stimuli`: 16 channels of each of three layers, at the middle of the",
        "map, two starts each; natural stimuli are objects92 (random crops where the stimuli are smaller).",
        "Medians over units.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for layer, side, steps, n, made in tables:
        d = made.data
        mid = {
            name: float(np.nanmedian(d[name]))
            for name in ("agreement_shifted", "agreement_null", "after_shift", "after_noise", "late_gain")
        }
        cells = [
            layer,
            side,
            steps,
            n,
            f"{float(np.nanmedian(d['value'] / d['natural_best'])):.1f}",
            f"{float(np.nanmedian(d['value'] / d['natural_same_norm'])):.1f}",
            int((d["value"] > d["natural_same_norm"]).sum()),
            int((d["p"] <= 0.026).sum()),
            f"{mid['agreement_shifted']:.2f} ({mid['agreement_null']:.2f})",
            f"{mid['after_shift']:.2f}",
            f"{mid['after_noise']:.2f}",
            f"{mid['late_gain']:.3f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
