"""Integrated gradients of 16 images and occlusion of them, beside captum and a plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import consilience as cs
from benchmarks._row import OURS, Row, Side, Target, close, peer

__all__ = ["rows"]

IMAGES, STEPS, WINDOW, STRIDE = 16, 64, 8, 4
LOOP, CAPTUM = "a loop over images, the nodes of one in a batch", "captum"


def _module() -> Any:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 32, 3, padding=1),
        torch.nn.BatchNorm2d(32),
        torch.nn.ReLU(),
        torch.nn.Conv2d(32, 64, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(64),
        torch.nn.ReLU(),
        torch.nn.Conv2d(64, 64, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(4096, 10),
    ).eval()


def _loop(module: Any, images: torch.Tensor) -> np.ndarray:
    """What one writes without us: gradients of the parameters too."""
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    t = torch.as_tensor((nodes + 1) / 2, dtype=torch.float32)[:, None, None, None]
    w = torch.as_tensor(weights / 2, dtype=torch.float32)[:, None, None, None]
    out = []
    for image in images:
        points = (t * image).requires_grad_()
        module(points)[:, 3].sum().backward()
        out.append(image * (w * points.grad).sum(0))
    module.zero_grad()
    return torch.stack(out).sum(1).numpy()


def _occluded(module: Any, images: torch.Tensor) -> np.ndarray:
    """One window at a time, all images."""
    total, times = torch.zeros(IMAGES, 32, 32), torch.zeros(32, 32)
    with torch.no_grad():
        whole = module(images)[:, 3]
        for top in range(0, 32 - WINDOW + 1, STRIDE):
            for left in range(0, 32 - WINDOW + 1, STRIDE):
                moved = images.clone()
                moved[:, :, top : top + WINDOW, left : left + WINDOW] = 0
                fall = whole - module(moved)[:, 3]
                total[:, top : top + WINDOW, left : left + WINDOW] += fall[:, None, None]
                times[top : top + WINDOW, left : left + WINDOW] += 1
    return (total / times).numpy()


def rows(threads: int) -> list[Row]:
    generator = torch.random.get_rng_state()
    torch.manual_seed(0)
    module = _module()
    torch.random.set_rng_state(generator)
    values = np.random.default_rng(0).normal(size=(IMAGES, 3, 32, 32)).astype(np.float32)
    stimuli = cs.stimuli(values, ids=[f"im{i}" for i in range(IMAGES)])
    images = torch.from_numpy(values)
    net = cs.Network(module, name="small")
    unit = net.unit("output", 3)
    found = peer("captum.attr")
    attr = None if found is None else found[0]

    def ours(method: str) -> np.ndarray:
        found = cs.attribute(
            unit,
            stimuli,
            method=method,
            baseline="zero",
            steps=STEPS,
            tolerance=0.9,
            window=WINDOW,
            stride=STRIDE,
            n_check=0,
        )
        return np.asarray(found.maps.values[0, 0])

    def check(answers: dict[str, Any]) -> str:
        one = answers[OURS]
        most = max(
            close(one, np.asarray(other), 1e-4, f"maps of {name}")
            for name, other in answers.items()
            if name != OURS
        )
        return f"maps differ by at most {most:.1g}"

    paths = [Side(OURS, lambda: ours("integrated_gradients")), Side(LOOP, lambda: _loop(module, images))]
    windows = [
        Side(OURS, lambda: ours("occlusion")),
        Side("a loop over windows", lambda: _occluded(module, images)),
    ]
    if attr is not None:

        def theirs() -> np.ndarray:
            found = attr.IntegratedGradients(module).attribute(
                images, target=3, n_steps=STEPS, internal_batch_size=128
            )
            return found.detach().sum(1).numpy()

        paths.append(Side(CAPTUM, theirs))
        windows.append(
            Side(
                CAPTUM,
                lambda: (
                    attr.Occlusion(module)
                    .attribute(
                        images,
                        target=3,
                        sliding_window_shapes=(3, WINDOW, WINDOW),
                        strides=(3, STRIDE, STRIDE),
                    )
                    .detach()
                    .numpy()[:, 0]
                ),
            )
        )
    shown = "3 x 32 x 32, three convolutions"
    return [
        Row(
            "attribution",
            f"integrated gradients of {IMAGES} images ({shown}), {STEPS} nodes",
            tuple(paths),
            check,
            targets=(Target("faster", 1, LOOP), Target("faster", 1, CAPTUM)),
        ),
        Row(
            "attribution-occlusion",
            f"occlusion of {IMAGES} images ({shown}), windows of {WINDOW} at {STRIDE}",
            tuple(windows),
            check,
            targets=(Target("faster", 1, CAPTUM),),
        ),
    ]
