"""The labels with the highest means, scored on other rows than those that chose them."""

from __future__ import annotations

import numpy as np

__all__ = ["held_out_highest", "label_means"]


def label_means(x: np.ndarray, number: np.ndarray, counts: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(stimuli, units) means over the trials that are used."""
    total = np.zeros((len(counts), x.shape[1]))
    np.add.at(total, number[used], x[used])
    return total / np.bincount(number[used], minlength=len(counts))[:, None]


def held_out_highest(
    x: np.ndarray,
    number: np.ndarray,
    counts: np.ndarray,
    order: np.ndarray,
    n_splits: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Held-out means (n, units) by rank, and how often each stimulus of ``order`` is among the first n."""
    n, total, often = len(order), np.zeros(order.shape), np.zeros(order.shape)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.empty(len(x), dtype=np.int64)
    for _ in range(n_splits):
        rank[np.lexsort((rng.random(len(x)), number))] = np.arange(len(x)) - first
        half = rank < (counts // 2)[number]
        for chooses in (half, ~half):
            chosen = np.argsort(-label_means(x, number, counts, chooses), axis=0, kind="stable")[:n]
            total += np.take_along_axis(label_means(x, number, counts, ~chooses), chosen, axis=0)
            often += (order[:, None] == chosen[None]).any(axis=1)
    return total / (2 * n_splits), often / (2 * n_splits)
