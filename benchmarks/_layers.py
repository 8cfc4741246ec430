"""CKA of all pairs of 40 layers of two networks, from images to the matrix."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

import consilience as cs
from benchmarks._resnet import LAYERS, resnet18
from benchmarks._row import OURS, Row, Side, Target, close, peer
from consilience.measures import as_measure

__all__ = ["rows"]

N, SIZE = 64, 64
FLOOR = "forward passes + Gram of each layer + one product"
BARE = "forward passes + one product of 40 x 2016"


def _images() -> np.ndarray:
    """Coarse random patterns of random contrast: with noise images torch_cka's float32 sums give NaN (an
    HSIC below 0).
    """
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(N, 4, 4, 3)) * rng.uniform(0.2, 3.0, size=(N, 1, 1, 1)) + rng.normal(
        size=(N, 1, 1, 3)
    )
    return np.kron(coarse, np.ones((1, SIZE // 4, SIZE // 4, 1))).astype(np.float32)


def _channel_first(block: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(block, -1, 1)))


def _formula(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    """The unbiased HSIC of Song et al. (2012) as torch_cka writes it, but in float64 and from centred
    data.
    """

    def kernel(x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float64)
        x = x - x.mean(axis=0)
        k = x @ x.T
        np.fill_diagonal(k, 0.0)
        return k

    def hsic(k: np.ndarray, l: np.ndarray) -> float:
        n = len(k)
        return float(
            np.sum(k * l) + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 * (k.sum(0) @ l.sum(0)) / (n - 2)
        )

    ka, kb = [kernel(x) for x in a], [kernel(x) for x in b]
    return np.array([[hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)) for l in kb] for k in ka])


def rows(threads: int) -> list[Row]:
    images = _images()
    stimuli = cs.stimuli(images, ids=[f"image{i:02d}" for i in range(N)])
    modules = [resnet18(seed) for seed in (0, 1)]
    nets = [cs.Network(module, _channel_first, name=f"resnet18 {i}") for i, module in enumerate(modules)]
    inputs = _channel_first(images)
    parts = as_measure(functools.partial(cs.measures.cka, kernel="linear"), who="benchmarks").parts

    def record() -> list[dict[str, Any]]:
        return [cs.record(net, stimuli, list(LAYERS), progress=False) for net in nets]

    def ours() -> np.ndarray:
        vectors = [np.stack([parts.prepare(x.values) for x in acts.values()]) for acts in record()]
        return parts.combine(*vectors)

    stacked = np.random.default_rng(0).normal(size=(2, len(LAYERS), N * (N - 1) // 2))

    def floor() -> torch.Tensor:
        """Hooks that keep X X' as it comes: float32, not centred, no labels, no checks."""
        vectors = []
        for module in modules:
            kept: list[torch.Tensor] = []
            found = dict(module.named_modules())

            def keep(
                _module: object, _args: object, out: torch.Tensor, kept: list[torch.Tensor] = kept
            ) -> None:
                flat = out.flatten(1)
                kept.append((flat @ flat.T).flatten())

            handles = [found[name].register_forward_hook(keep) for name in LAYERS]
            with torch.no_grad():
                module(inputs)
            for handle in handles:
                handle.remove()
            vectors.append(torch.stack(kept))
        return vectors[0] @ vectors[1].T

    def bare() -> None:
        with torch.no_grad():
            for module in modules:
                module(inputs)
        stacked[0] @ stacked[1].T

    sides = [Side(OURS, ours), Side(FLOOR, floor), Side(BARE, bare)]
    found = peer("torch_cka", "torch.utils.data")
    if found is not None:
        torch_cka, data = found
        loader = data.DataLoader(data.TensorDataset(inputs, torch.zeros(N)), batch_size=N)

        def theirs() -> np.ndarray:
            names = list(LAYERS)
            comparison = torch_cka.CKA(*modules, "one", "two", model1_layers=names, model2_layers=names)
            try:
                comparison.compare(loader)
            finally:
                for module in modules:
                    for child in module.modules():
                        child._forward_hooks.clear()
            return comparison.hsic_matrix.numpy()

        sides.insert(1, Side("torch_cka", theirs))

    def check(answers: dict[str, Any]) -> str:
        acts = record()
        exact = _formula(*([x.values for x in one.values()] for one in acts))
        away = close(answers[OURS], exact, 1e-4, "cka layers")
        said = f"ours within {away:.1g} of the float64 formula (tolerance 1e-4)"
        if "torch_cka" in answers:
            off = close(answers["torch_cka"], exact, 2e-2, "torch_cka")
            said += f", torch_cka within {off:.1g} of it (2e-2: float32 sums of uncentred data)"
        return said

    return [
        Row(
            "layers",
            (
                f"debiased linear CKA, {len(LAYERS)} x {len(LAYERS)} layers of two ResNet-18, {N} "
                f"images {SIZE} px, float32, from images to matrix"
            ),
            tuple(sides),
            check,
            (Target("faster", 2.0, "torch_cka"), Target("within", 1.3, FLOOR)),
            repeats=7,
            notes=(
                "torch_cka estimates HSIC unbiasedly (Song et al. 2012), one batch here: our debiased form. "
                "Ours: `record` (labels, checks for NaN, a copy of every layer), one Gram vector per layer, "
                "one product of the stacked vectors. The check has recorded both networks before, so their "
                "shapes are known; a first call adds a forward pass of one image to each. "
                "The target is held against forward passes that keep a "
                "bare, uncentred Gram matrix per layer, without which there is nothing to stack; the last "
                "side, without any Gram matrix of a layer, is no way to a result.",
            ),
            missing=() if found is not None else ("torch_cka",),
        )
    ]
