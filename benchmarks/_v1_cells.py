"""Simulated cells of primary visual cortex, simple and complex, shown patches of photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Cell", "cells", "gabor", "patches", "rates"]

SIDE = 20  # pixels


@dataclass(frozen=True)
class Cell:
    """y, x : its place in pixels.   even, odd : (SIDE, SIDE) Gabor filters of norm 1, in quadrature.   kind : "simple",
    max(even . s, 0), or "complex", sqrt((even . s)^2 + (odd . s)^2).
    """

    y: float
    x: float
    even: np.ndarray
    odd: np.ndarray
    kind: str

    def drive(self, images: np.ndarray) -> np.ndarray:
        flat = images.reshape(len(images), -1).astype(np.float64)
        even, odd = flat @ self.even.ravel(), flat @ self.odd.ravel()
        return np.maximum(even, 0) if self.kind == "simple" else np.hypot(even, odd)

    def likeness(self, image: np.ndarray) -> float:
        """Cosine with the filter; of a complex cell with its nearest phase."""
        flat = image.ravel().astype(np.float64) / np.linalg.norm(image)
        even, odd = flat @ self.even.ravel(), flat @ self.odd.ravel()
        return float(even if self.kind == "simple" else np.hypot(even, odd))


def gabor(y: float, x: float, angle: float, frequency: float, sd: float, phase: float) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    rows, columns = rows - y, columns - x
    envelope = np.exp(-(rows**2 + columns**2) / (2 * sd**2))
    along = columns * np.cos(angle) + rows * np.sin(angle)
    wave = envelope * np.cos(2 * np.pi * frequency * along + phase)
    wave -= envelope * wave.sum() / envelope.sum()
    return wave / np.linalg.norm(wave)


def cells(n: int, seed: int = 0) -> list[Cell]:
    """Half of them complex; places, orientations, frequencies and phases at random."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(n):
        y, x = rng.uniform(5, SIDE - 6, size=2)
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(0.12, 0.22)
        sd, phase = rng.uniform(1.8, 2.4), rng.uniform(0, 2 * np.pi)
        even, odd = (gabor(y, x, angle, frequency, sd, phase + turn) for turn in (0, np.pi / 2))
        made.append(Cell(y, x, even, odd, "complex" if k % 2 else "simple"))
    return made


def patches(n: int, seed: int = 0) -> np.ndarray:
    """(n, SIDE, SIDE) float32 patches of scikit-learn's photograph of a temple, at half its resolution: log intensity,
    mean of each taken off, all over one standard deviation. No two at one place.
    """
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg").astype(np.float64).mean(axis=2)
    h, w = photo.shape[0] // 2, photo.shape[1] // 2
    half = np.log(photo[: 2 * h, : 2 * w].reshape(h, 2, w, 2).mean(axis=(1, 3)) + 20)
    rng = np.random.default_rng(seed)
    spots = rng.permutation((h - SIDE) * (w - SIDE))[:n]
    out = np.stack([half[y : y + SIDE, x : x + SIDE] for y, x in zip(*np.divmod(spots, w - SIDE))])
    out -= out.mean(axis=(1, 2), keepdims=True)
    return (out / out.std()).astype(np.float32)


def rates(population: list[Cell], images: np.ndarray, scale: np.ndarray | None = None) -> np.ndarray:
    """(n, cells) mean counts: 0.1 + 2 drive / scale; ``scale`` is the mean drive over some images."""
    drive = np.stack([cell.drive(images) for cell in population], axis=1)
    return 0.1 + 2 * drive / (drive.mean(axis=0) if scale is None else scale)
