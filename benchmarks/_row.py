"""A row of the table: sides that give one answer, and their times taken in turn."""

from __future__ import annotations

import contextlib
import importlib
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Outcome", "Row", "Side", "Target", "close", "peer", "quiet", "run"]

OURS = "consilience"


@dataclass(frozen=True)
class Side:
    """Something that is timed. ``factor`` scales its time where less than the row's work is run; ``per``
    says so.
    """

    name: str
    call: Callable[[], Any]
    factor: float = 1.0
    per: str = ""


@dataclass(frozen=True)
class Target:
    """``faster``: a side takes at least ``value`` times as long as we do; ``within``: we take at most
    ``value`` times as long as a side; ``seconds``: we take less than ``value``.
    """

    kind: Literal["faster", "within", "seconds"]
    value: float
    side: str = ""

    def text(self) -> str:
        if self.kind == "seconds":
            return f"< {self.value:g} s"
        return (
            f">= {self.value:g}x {self.side}" if self.kind == "faster" else f"<= {self.value:g}x {self.side}"
        )

    def met(self, outcome: Outcome) -> bool | None:
        ours = outcome.median(OURS)
        if self.kind == "seconds":
            return ours < self.value
        if self.side not in outcome.times:
            return None
        other = outcome.median(self.side)
        return other / ours >= self.value if self.kind == "faster" else ours / other <= self.value


@dataclass(frozen=True)
class Row:
    """sides : ours first, under the name "consilience". check : {side: answer} -> a sentence; raises
    where answers differ.
    """

    name: str
    work: str
    sides: tuple[Side, ...]
    check: Callable[[dict[str, Any]], str]
    targets: tuple[Target, ...] = ()
    repeats: int = 5
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass
class Outcome:
    row: Row
    checked: str
    times: dict[str, list[float]] = field(default_factory=dict)

    def median(self, side: str) -> float:
        return statistics.median(self.times[side])

    def least(self, side: str) -> float:
        return min(self.times[side])


def run(row: Row) -> Outcome:
    """Checks, then times: every side once in each round, in turn, so that a change of load meets all of
    them.
    """
    with quiet():
        outcome = Outcome(row, row.check({side.name: side.call() for side in row.sides}))
        outcome.times = {side.name: [] for side in row.sides}
        for _ in range(row.repeats):
            for side in row.sides:
                start = time.perf_counter()
                side.call()
                outcome.times[side.name].append((time.perf_counter() - start) * side.factor)
    return outcome


def peer(*modules: str) -> tuple[Any, ...] | None:
    """The modules of a peer, looked for last in the folder CONSILIENCE_PEERS; None when one cannot be
    imported.
    """
    folder = os.environ.get("CONSILIENCE_PEERS")
    if folder and folder not in sys.path:
        sys.path.append(folder)
    try:
        with quiet():
            return tuple(importlib.import_module(name) for name in modules)
    except ImportError:
        return None


def close(one: Any, two: Any, tolerance: float, what: str) -> float:
    """The largest difference of two arrays; refuses one above ``tolerance``."""
    import numpy as np

    difference = float(np.max(np.abs(np.asarray(one, dtype=np.float64) - np.asarray(two, dtype=np.float64))))
    if not difference <= tolerance:
        raise AssertionError(f"{what}: answers differ by {difference:.3g}, more than {tolerance:g}.")
    return difference


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without warnings and progress bars."""
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
