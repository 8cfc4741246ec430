"""A row of the conformance table: one function, what a peer says, and how far apart they may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Row", "difference", "two"]


@dataclass(frozen=True)
class Row:
    """``pair(rng, modules)`` gives (ours, theirs) for one random input.

    needs : modules of the peer.   tolerance : relative; None = differs, for ``reason``.   share : of the inputs.
    """

    ours: str
    theirs: str
    pair: Callable[[np.random.Generator, tuple[Any, ...]], tuple[Any, Any]]
    needs: tuple[str, ...] = ()
    tolerance: float | None = 1e-10
    reason: str = ""
    share: float = 1.0


def difference(ours: Any, theirs: Any) -> float:
    """max |ours - theirs| / max |theirs|."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    return float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(b))), 1e-300))


def two(rng: np.random.Generator, n: int = 20, p: int = 9, q: int = 7) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(n, p)), rng.normal(size=(n, q))
