"""Data of the same size in which units are unrelated: each unit's stimuli in an order of their own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["shuffled_units"]


def shuffled_units(
    x: np.ndarray, counts: np.ndarray, count: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(x, counts) with the stimuli of each unit dealt anew, ``count`` times; trials of a stimulus stay together, in an
    order of their own too, so that neither signal nor noise is shared between units. Where numbers of trials differ,
    every stimulus gives as many as the one with the fewest.
    """
    fewest, n, p = int(counts.min()), counts.size, x.shape[1]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    columns = np.arange(p)
    for _ in range(count):
        if fewest == counts.max():
            block = x.reshape(n, fewest, p)
        else:
            key = rng.random(len(x))
            order = np.lexsort((key, np.repeat(np.arange(n), counts)))
            block = x[order[(starts[:, None] + np.arange(fewest)).reshape(-1)]].reshape(n, fewest, p)
        dealt = rng.permuted(np.broadcast_to(np.arange(n)[:, None], (n, p)), axis=0)
        if fewest == 1:
            yield block[dealt, 0, columns], np.ones(n, dtype=np.int64)
            continue
        trial = rng.permuted(np.broadcast_to(np.arange(fewest)[None, :, None], (n, fewest, p)), axis=1)
        made = block[dealt[:, None, :], trial, columns]
        yield made.reshape(n * fewest, p), np.full(n, fewest, dtype=np.int64)
