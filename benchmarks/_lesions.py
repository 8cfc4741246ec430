"""Accuracy after removing each of 512 units alone, of a middle and of the last hidden layer of a 10-layer network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close
from consilience.networks._lesion import Lesions, make_parts

__all__ = ["rows"]

WHO = "benchmarks"
WIDTH, DEPTH, SIZE, CLASSES = 512, 10, 32, 10
IMAGES, BLOCK = 64, 16  # blocks of images are run one after the other, one of them is timed
NAIVE, ALONE = 2, 16  # lesions that are run of the 512
REST = "layers after it, alone"
LOOP = "a hook and a full pass per unit"


def _module() -> torch.nn.Sequential:
    """Ten convolutions of 512 channels; the ones after layers 3, 6 and 9 halve the map."""
    torch.manual_seed(0)
    layers: list[torch.nn.Module] = []
    for i in range(1, DEPTH + 1):
        stride = 2 if i in (4, 7, 10) else 1
        conv = torch.nn.Conv2d(3 if i == 1 else WIDTH, WIDTH, 3, stride=stride, padding=1)
        torch.nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        layers += [conv, torch.nn.ReLU()]
    layers += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(WIDTH, CLASSES)]
    return torch.nn.Sequential(*layers).eval()


def _share(after: int) -> float:
    """Multiplications after a layer, of those of the whole pass."""
    maps, works = SIZE, []
    for i in range(1, DEPTH + 1):
        maps = maps // 2 if i in (4, 7, 10) else maps
        works.append(maps**2 * WIDTH * 9 * (3 if i == 1 else WIDTH))
    return sum(works[after:]) / sum(works)


def rows(threads: int) -> list[Row]:
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(BLOCK, 3, 4, 4)) * rng.uniform(0.2, 3.0, size=(BLOCK, 1, 1, 1))
    images = np.kron(coarse, np.ones((1, 1, SIZE // 4, SIZE // 4))).astype(np.float32)
    data = cs.stimuli(images, ids=range(BLOCK))
    module = _module()
    net = cs.Network(module, name="ten layers")
    inputs, scale = torch.from_numpy(images), IMAGES / BLOCK
    with torch.no_grad():  # logits around 0, so that the images are of several classes
        logits = module(inputs)
        module[-1].bias -= logits.mean(0)
        target = (logits - logits.mean(0)).argmax(-1).numpy()
    per = f"{BLOCK} of {IMAGES} images"

    def lesions(layer: int) -> Any:
        """Logits of every lesion, and the accuracies."""

        def call() -> np.ndarray:
            parts = make_parts(net, str(2 * layer - 1), data, who=WHO)
            with Lesions(net, data, parts, how="zero", who=WHO) as run:
                return np.stack(list(run.outputs(np.eye(WIDTH, dtype=bool))))

        return call

    def loop(layer: int) -> Any:
        def call() -> np.ndarray:
            found = []
            for unit in range(NAIVE):

                def hook(_module: Any, _args: Any, out: Any, unit: int = unit) -> Any:
                    out = out.clone()
                    out[:, unit] = 0
                    return out

                handle = module[2 * layer - 1].register_forward_hook(hook)
                with torch.no_grad():
                    found.append(module(inputs).numpy())
                handle.remove()
            return np.stack(found)

        return call

    def rest(layer: int) -> Any:
        with torch.no_grad():
            there = module[: 2 * layer](inputs)
        after = module[2 * layer :]

        def call() -> None:
            with torch.no_grad():
                for _ in range(ALONE):
                    after(there)

        return call

    def check(layer: int) -> Any:
        def checked(answers: dict[str, Any]) -> str:
            ours, naive = answers[OURS], answers[LOOP]
            away = close(ours[:NAIVE], naive, 1e-5 * float(np.abs(naive).max()), "logits")
            if not np.array_equal(ours[:NAIVE].argmax(-1), naive.argmax(-1)):
                raise AssertionError("the classes differ.")
            accuracy = (ours.argmax(-1) == target).mean(axis=1)
            return (
                f"{NAIVE} lesions: logits within {away:.1g} (1e-5 of the largest, {np.abs(naive).max():.2g}), "
                f"classes identical; images that keep their class in {WIDTH} lesions {accuracy.min():.0%} to "
                f"{accuracy.max():.0%}; "
                f"work after the layer {100 * _share(layer):.1f} % of a pass"
            )

        return checked

    def sides(layer: int) -> tuple[Side, ...]:
        times = WIDTH / NAIVE * scale
        return (
            Side(OURS, lesions(layer), scale, f"{per}, times {scale:g}"),
            Side(LOOP, loop(layer), times, f"{NAIVE} lesions, {per}, times {times:g}"),
        )

    work = (
        f"each of {WIDTH} units alone, {DEPTH} layers of {WIDTH} channels, {IMAGES} images of {SIZE} x {SIZE}"
    )
    alone = WIDTH / ALONE * scale
    middle, last = 6, DEPTH
    reading = (
        "Layers 4, 7 and 10 have stride 2 ('after layers 3, 6, 9'), so layer 6 gives maps of 16 x 16. All 512 lesions "
        "of a block of 16 images are run; the network's own passes that look, remember and prove are in our time."
    )
    return [
        Row(
            "lesions-middle",
            f"accuracy after removing {work}: layer {middle}",
            (
                *sides(middle),
                Side(REST, rest(middle), alone, f"{ALONE} passes of {BLOCK} images, times {alone:g}"),
            ),
            check(middle),
            (Target("within", 1.2, REST),),
            repeats=1,
            notes=(
                reading,
                "Passes begin at the lesion, and the first convolution after it adds what the one changed channel "
                "changes, so that fewer multiplications than the whole rest are left.",
            ),
        ),
        Row(
            "lesions-last",
            f"accuracy after removing {work}: layer {last}",
            sides(last),
            check(last),
            (Target("faster", 30.0, LOOP),),
            repeats=1,
            notes=(
                "Nothing between layer 10 and the readout mixes channels: the logits have a closed form.",
            ),
        ),
    ]
