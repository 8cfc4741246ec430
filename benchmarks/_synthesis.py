"""Steps of preferred stimuli for 64 units of one layer together, and one unit at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close
from consilience._core._seeds import resolve_seed
from consilience.networks._efficientnet import EfficientNetLite0
from consilience.networks._input_space import learn_space
from consilience.networks._synthesis import Search, climb
from consilience.networks._transforms import Transforms

__all__ = ["rows"]

UNITS, STEPS, NORM, BOUNDS = 64, 16, 10.0, (-3.0, 3.0)
ALONE, USUAL = "one unit at a time", "a loop of forward, backward, Adam"
WHO = "benchmarks"


def _images(units: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    k = len(units)
    space, _ = learn_space(units[0].network, None, shape, BOUNDS, NORM, 0, who=WHO)
    search = Search(
        units=units,
        space=space,
        pattern="each",
        own=np.arange(k),
        image_seed=np.zeros(k, dtype=int),
        centre=np.zeros(k),
        spread=np.ones(k),
        target=None,
        sets=[],
        parameterization="fourier",
        steps=STEPS,
        rate=0.1,
        transforms=Transforms(None, space, who=WHO),
        smooth=0.0,
        diversity=0.0,
        exemplars=None,
        device=None,
    )
    return climb(search, resolve_seed(0, who=WHO), who=WHO).inputs


def _loop(module: Any, layer: str, places: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> None:
    """What one writes without us: a hook, the whole network, gradients of its parameters too."""
    seen: dict[str, Any] = {}
    handle = dict(module.named_modules())[layer].register_forward_hook(
        lambda _module, _inputs, output: seen.update(value=output)
    )
    start = torch.randn(
        1, shape[0], shape[1], shape[2] // 2 + 1, 2, generator=torch.Generator().manual_seed(0)
    )
    for channel, x in places:
        z = start.clone().requires_grad_()
        optimiser = torch.optim.Adam([z], lr=0.1)
        for _ in range(STEPS):
            optimiser.zero_grad()
            u = torch.fft.irfftn(torch.view_as_complex(z), s=shape[1:], dim=(-2, -1), norm="ortho")
            module((u * NORM / u.norm()).clamp(*BOUNDS))
            value = seen["value"]
            (-value[0, channel, value.shape[2] // 2, x]).backward()
            optimiser.step()
    handle.remove()
    module.zero_grad()


def _row(
    name: str, words: str, module: Any, layer: str, shape: tuple[int, ...], targets: tuple[Target, ...]
) -> Row:
    net = cs.Network(module.eval(), name=name)
    with torch.no_grad():
        sizes: list[Any] = []
        handle = dict(module.named_modules())[layer].register_forward_hook(
            lambda _module, _inputs, output: sizes.append(output.shape)
        )
        module(torch.zeros(1, *shape))
        handle.remove()
    channels, width = sizes[0][1], sizes[0][3]
    places = [(i % channels, (width // 2 + i // channels) % width) for i in range(UNITS)]
    units = [net.unit(layer, channel=c, x=x) for c, x in places]

    def check(answers: dict[str, Any]) -> str:
        # rounding differs with the number of images in a pass, and at the corner of a rectifier a step turns on it
        one, two = (np.asarray(answers[side], np.float64).reshape(UNITS, -1) for side in (OURS, ALONE))
        far = np.linalg.norm(one - two, axis=1) / np.linalg.norm(two, axis=1)
        apart = np.sort(far)[:-3]
        most = close(apart, np.zeros(len(apart)), 1e-3, "images together and alone, over their norm")
        close(far, np.zeros(UNITS), 0.2, "the three images that differ most, over their norm")
        return f"{len(apart)} of {UNITS} images are those made alone to {most:.1g} of the norm, all to {far.max():.1g}"

    return Row(
        name,
        f"preferred stimuli of {UNITS} units of {words}: {STEPS} steps",
        (
            Side(OURS, lambda: _images(units, shape)),
            Side(ALONE, lambda: np.concatenate([_images([unit], shape) for unit in units])),
            Side(USUAL, lambda: _loop(module, layer, places, shape)),
        ),
        check,
        targets=targets,
        repeats=3,
    )


def rows(threads: int) -> list[Row]:
    generator = torch.random.get_rng_state()
    torch.manual_seed(0)
    noise = np.random.default_rng(0).normal(size=(32, 3, 32, 32)).astype(np.float32)
    shown = cs.stimuli(noise, ids=[f"n{i}" for i in range(len(noise))])
    early = (
        cs.Network(EfficientNetLite0()).untrained(seed=0, stimuli=shown).module
    )  # normalised as a trained one
    core = torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 7, padding=3),
        torch.nn.BatchNorm2d(32),
        torch.nn.ELU(),
        torch.nn.Conv2d(32, 32, 5, padding=2),
        torch.nn.BatchNorm2d(32),
        torch.nn.ELU(),
        torch.nn.Conv2d(32, 64, 3, padding=1),
        torch.nn.ELU(),
        torch.nn.AdaptiveAvgPool2d(4),
        torch.nn.Flatten(),
        torch.nn.Linear(1024, 200),
    )
    torch.random.set_rng_state(generator)
    return [
        _row(
            "synthesis",
            "an early layer of EfficientNet-Lite0, 3 x 32 x 32 (their receptive field is 19 x 19)",
            early,
            "_blocks.2",
            (3, 32, 32),
            (Target("faster", 5, ALONE),),
        ),
        _row(
            "synthesis-core",
            "a core of three layers, 1 x 32 x 32, whose arithmetic fills a processor with one image",
            core,
            "6",
            (1, 32, 32),
            (),
        ),
    ]
