"""Conditions at unrelated places: the geometric random model, and the arrangement of conditions turned at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from consilience.linalg._subspace import random_basis

__all__ = ["NULLS", "unrelated_means"]

NULLS = ("geometric", "rotation")


def unrelated_means(
    means: np.ndarray, how: str, count: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """What brings condition means (C, units) to new places, (C, units) to be added, ``count`` times.

    ``"geometric"`` : places are drawn from an isotropic normal distribution, with the variance of the means.
    ``"rotation"`` : B' O B M of the centred means M, with B the C - 1 contrasts and O a random rotation of them, so
    that the covariance of the means over units stays to the last digit, and who is where is by chance.
    """
    c = len(means)
    centred = means - means.mean(axis=0)
    size = float((centred**2).sum())
    contrasts = np.linalg.qr(np.column_stack([np.ones(c), np.eye(c)[:, : c - 1]]))[0][:, 1:]
    own = contrasts.T @ centred
    for _ in range(count):
        if how == "geometric":
            place = rng.standard_normal(means.shape)
            place -= place.mean(axis=0)
            place *= np.sqrt(size / (place**2).sum())
        else:
            place = contrasts @ (_rotation(c - 1, rng) @ own)
        yield place - centred


def _rotation(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, n) uniform over rotations and reflections."""
    return random_basis(n, n, rng) * np.where(rng.random(n) < 0.5, -1.0, 1.0)
