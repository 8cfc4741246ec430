"""Small networks trained on Fashion-MNIST with true, partly random and random labels, dropout and batch normalisation.

Used by the studies of lesions (`label_noise_lesions`) and of training (`training_and_units`). A seed chooses the
training images, the labels that are dealt anew, the weights and the batches, and is shared by all recipes, so that
networks of one seed are pairs. Weights are kept in a folder of the temporary directory, by settings, so that a second
run trains nothing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import consilience as cs

__all__ = ["Recipe", "Trained", "train"]

BATCH, N_TEST = 100, 2000
EPOCHS = {"mlp": 100, "cnn": 40}  # the same for all recipes of a kind, one cycle of the learning rate
MEAN, SPREAD = 72.94, 90.02  # of the pixels of the 60,000 training images


@dataclass(frozen=True)
class Recipe:
    """What makes one network.

    kind : ``"mlp"`` (784-128-128-128-10, as wide as those of Morcos et al. 2018) or ``"cnn"`` (four 3 x 3 convolutions
    of 16, 32, 64 and 64 channels, the first three of stride 2, and a linear readout of the flattened maps).
    noise : share of the training labels that is dealt anew, uniformly over the ten classes.   dropout : after every
    rectifier.   batch_norm : before every rectifier.
    """

    seed: int
    kind: str = "mlp"
    noise: float = 0.0
    dropout: float = 0.0
    batch_norm: bool = False
    n_train: int = 4000


@dataclass(frozen=True)
class Trained:
    """A network, its training images with the labels it was trained on and the true ones, and test images.

    ``layers`` names the rectifiers; the last of them is read out linearly.
    """

    recipe: Recipe
    net: cs.Network
    train: Any
    trained_on: np.ndarray
    test: Any
    truth: np.ndarray
    layers: tuple[str, ...]
    scores: dict[str, float]


@lru_cache(maxsize=1)
def images() -> dict[str, Any]:
    """Stimuli (n, 28, 28) uint8 of the training and the test set, with their class as ``label`` and ``number``."""
    found = cs.datasets.load("fashion_mnist").stimuli
    split = found["split"].values
    return {part: found[split == part] for part in ("train", "test")}


class Flat:
    """Pixels 0..255 to float tensors (b, 1, 28, 28) of mean 0 and variance 1 over the training set."""

    def __call__(self, block: np.ndarray) -> Any:
        import torch

        return torch.from_numpy((np.asarray(block, dtype=np.float32)[:, None] - MEAN) / SPREAD)


def build(recipe: Recipe) -> Any:
    from torch import nn

    parts: dict[str, Any] = {}
    if recipe.kind == "mlp":
        parts["flat"] = nn.Flatten()
        before = 784
        for k in (1, 2, 3):
            parts[f"linear{k}"] = nn.Linear(before, 128)
            if recipe.batch_norm:
                parts[f"norm{k}"] = nn.BatchNorm1d(128)
            parts[f"relu{k}"] = nn.ReLU()
            parts[f"dropout{k}"] = nn.Dropout(recipe.dropout)
            before = 128
    else:
        before = 1
        for k, (width, stride) in enumerate(((16, 2), (32, 2), (64, 2), (64, 1)), 1):
            parts[f"conv{k}"] = nn.Conv2d(before, width, 3, stride, 1)
            if recipe.batch_norm:
                parts[f"norm{k}"] = nn.BatchNorm2d(width)
            parts[f"relu{k}"] = nn.ReLU()
            parts[f"dropout{k}"] = nn.Dropout(recipe.dropout)
            before = width
        parts["flat"] = nn.Flatten()
        before = 64 * 4 * 4
    parts["readout"] = nn.Linear(before, 10)
    from collections import OrderedDict

    return nn.Sequential(OrderedDict(parts))


def _data(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the training images, and the labels that are trained on."""
    rng = np.random.default_rng([5, recipe.seed])
    rows = rng.permutation(60000)[: recipe.n_train]
    labels = images()["train"]["number"].values[rows].astype(np.int64)
    dealt, position = rng.integers(0, 10, size=recipe.n_train), rng.random(recipe.n_train)
    return rows, np.where(position < recipe.noise, dealt, labels)


def _fit(recipe: Recipe, x: Any, y: Any) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        module = build(recipe)
        steps = EPOCHS[recipe.kind] * -(-recipe.n_train // BATCH)
        optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.2)
        loss = torch.nn.CrossEntropyLoss()
        module.train()
        for _ in range(EPOCHS[recipe.kind]):
            for rows in torch.randperm(recipe.n_train).split(BATCH):
                optimiser.zero_grad(set_to_none=True)
                loss(module(x[rows]), y[rows]).backward()
                optimiser.step()
                schedule.step()
    return module.eval()


def train(recipe: Recipe) -> Trained:
    """The network of a recipe, trained or taken from the folder."""
    import torch
    from safetensors.torch import load_file, save_file

    torch.set_num_threads(1)
    rows, labels = _data(recipe)
    shown = images()["train"][rows]
    test = images()["test"][np.random.default_rng([7, recipe.seed]).permutation(10000)[:N_TEST]]
    text = json.dumps([asdict(recipe), EPOCHS, BATCH], sort_keys=True)
    path = (
        Path(tempfile.gettempdir())
        / "consilience-small-networks"
        / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"
    )
    prepare = Flat()
    x, y = prepare(shown.values), torch.from_numpy(labels)
    if path.exists():
        module = build(recipe)
        module.load_state_dict(load_file(path))
        module.eval()
    else:
        module = _fit(recipe, x, y)
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        save_file(module.state_dict(), part)
        part.replace(path)
    truth = test["number"].values.astype(np.int64)
    with torch.no_grad():
        scores = {
            "train": float((module(x).argmax(1).numpy() == labels).mean()),
            "test": float((module(prepare(test.values)).argmax(1).numpy() == truth).mean()),
        }
    return Trained(
        recipe=recipe,
        net=cs.Network(module, preprocess=prepare, name=_name(recipe)),
        train=shown,
        trained_on=labels,
        test=test,
        truth=truth,
        layers=tuple(name for name, _ in module.named_children() if name.startswith("relu")),
        scores=scores,
    )


def _name(recipe: Recipe) -> str:
    words = [recipe.kind, f"noise {recipe.noise:g}"]
    if recipe.dropout:
        words.append(f"dropout {recipe.dropout:g}")
    if recipe.batch_norm:
        words.append("batch norm")
    return ", ".join([*words, f"seed {recipe.seed}"])
