"""The lowest real Fourier functions of a grid, weighted by 1 / f."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

__all__ = ["fourier_basis"]


def fourier_basis(sizes: Sequence[int], n: int) -> np.ndarray:
    """(at most n, *sizes): cosines and sines over the grid in the order of their frequency (cycles per side), each of
    length 1 over 1 + f; the constant comes first.
    """
    reach = 1
    while (2 * reach + 1) ** len(sizes) < 4 * n and 2 * reach < max(sizes):
        reach += 1
    waves = []
    for wave in itertools.product(
        *(range(-min(reach, size // 2), min(reach, size // 2) + 1) for size in sizes)
    ):
        if wave > tuple(-k for k in wave) or not any(wave):  # of k and -k one
            waves.append(wave)
    waves.sort(key=lambda wave: (math.hypot(*wave), wave))
    grids = np.meshgrid(*(np.arange(size) / size for size in sizes), indexing="ij")
    out: list[np.ndarray] = []
    for wave in waves:
        phase = 2 * np.pi * sum(k * grid for k, grid in zip(wave, grids))
        for values in (np.cos(phase), np.sin(phase)):
            length = float(np.linalg.norm(values))
            if length > 1e-6 * math.sqrt(values.size):
                out.append(values / (length * (1 + math.hypot(*wave))))
    return np.stack(out[:n])
