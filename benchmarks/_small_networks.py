"""Small convolutional networks trained on scikit-learn's digits, and what their layers do on test images.

Used by the studies of layers (`layer_identification`) and of widths and seeds (`width_and_seed`). Activations
are kept in a folder of the temporary directory, by settings, so that a second run trains nothing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

__all__ = ["Recipe", "digits", "record"]

TEST = 397  # of 1797 images
BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """What makes one network.

    seed : of weights and batches.   channels : of each 3 x 3 convolution.   strides : the same length.
    side : images are ``side`` pixels wide (8, or 16 by repeating pixels).   labels : ``"true"``, or
    ``"random"``: one shuffle of the training labels, the same for all seeds.   n_train : training images.
    """

    seed: int
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    side: int = 16
    labels: str = "true"
    epochs: int = 12
    n_train: int = 1400
    normalised: bool = True


def digits(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (1797, 1, side, side) float32, mean 0 and variance 1 over all pixels, and labels; fixed shuffle."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = data.images[order].astype(np.float32)
    images = (images - images.mean()) / images.std()
    times = side // 8
    return images.repeat(times, 1).repeat(times, 2)[:, None], data.target[order]


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _train(recipe: Recipe) -> tuple[list[np.ndarray], dict[str, float]]:
    import torch
    from torch import nn

    images, labels = digits(recipe.side)
    x, y = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    train, test = slice(0, recipe.n_train), slice(len(y) - TEST, len(y))
    target = y[train]
    if recipe.labels == "random":
        target = target[torch.from_numpy(np.random.default_rng(1).permutation(recipe.n_train))]
    with _seeded(recipe.seed):
        blocks, before = [], 1
        for width, stride in zip(recipe.channels, recipe.strides):
            parts: list[nn.Module] = [nn.Conv2d(before, width, 3, stride, 1, bias=not recipe.normalised)]
            if recipe.normalised:
                parts.append(nn.BatchNorm2d(width))
            blocks.append(nn.Sequential(*parts, nn.ReLU()))
            before = width
        readout = nn.Linear(before, 10)

        def forward(batch: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            layers = []
            for block in blocks:
                batch = block(batch)
                layers.append(batch)
            return readout(batch.mean(dim=(2, 3))), layers

        net = nn.ModuleList([*blocks, readout])
        steps = recipe.epochs * -(-recipe.n_train // BATCH)
        optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
        loss = nn.CrossEntropyLoss()
        for _ in range(recipe.epochs):
            for rows in torch.randperm(recipe.n_train).split(BATCH):
                optimiser.zero_grad()
                loss(forward(x[rows])[0], target[rows]).backward()
                optimiser.step()
                schedule.step()
        net.eval()
        with torch.no_grad():
            said, layers = forward(x[test])
            fitted = forward(x[train])[0]
    scores = {
        "test": float((said.argmax(1) == y[test]).float().mean()),
        "train": float((fitted.argmax(1) == target).float().mean()),
    }
    return [layer.numpy() for layer in layers], scores


def record(recipe: Recipe) -> tuple[list[np.ndarray], dict[str, float]]:
    """Responses of each layer to the 397 test images, (397, units), after the rectifier; and the share of right
    answers on test and training images.
    """
    text = json.dumps([asdict(recipe), 1], sort_keys=True)
    folder = Path(tempfile.gettempdir()) / "consilience-small-networks"
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    if not path.exists():
        layers, scores = _train(recipe)
        folder.mkdir(exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, *layers, **{f"score_{name}": np.array(value) for name, value in scores.items()})
        part.replace(path)
    with np.load(path, allow_pickle=False) as found:
        layers = [found[f"arr_{k}"].reshape(TEST, -1) for k in range(len(recipe.channels))]
        scores = {name: float(found[f"score_{name}"]) for name in ("test", "train")}
    return layers, scores
