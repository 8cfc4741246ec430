"""A row of the table: sides that give one answer, and their times taken in turn."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Outcome", "Row", "Side", "Target", "close", "peer", "quiet", "resident_peak", "run"]

OURS = "consilience"
LONG = 20.0  # seconds of one call above which a side is timed once


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
    """memory : bytes resident above what was before the call, at its peak; nothing where they cannot be read."""

    row: Row
    checked: str
    times: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def median(self, side: str) -> float:
        return statistics.median(self.times[side])

    def least(self, side: str) -> float:
        return min(self.times[side])


def run(row: Row) -> Outcome:
    """Checks, then times: every side once in each round, in turn, so that a change of load meets all of
    them. A side that took long when it was checked is not run again: that call is its time.
    """
    with quiet():
        answers, first, memory = {}, {}, {}
        for side in row.sides:
            with resident_peak() as peak:
                start = time.perf_counter()
                answers[side.name] = side.call()
                first[side.name] = time.perf_counter() - start
            memory |= {side.name: peak[0]} if peak else {}
        outcome = Outcome(row, row.check(answers), memory=memory)
        del answers
        long = {side.name for side in row.sides if first[side.name] > LONG and row.repeats > 1}
        outcome.times = {
            side.name: [first[side.name] * side.factor] if side.name in long else [] for side in row.sides
        }
        for _ in range(row.repeats):
            for side in row.sides:
                if side.name not in long:
                    start = time.perf_counter()
                    side.call()
                    outcome.times[side.name].append((time.perf_counter() - start) * side.factor)
    return outcome


@contextlib.contextmanager
def resident_peak() -> Iterator[list[int]]:
    """Within the block, memory is looked at every 2 ms; after it, the list holds the bytes by which the largest
    exceeded what was there before. Empty where /proc does not tell.
    """
    out: list[int] = []
    if not os.path.exists("/proc/self/statm"):
        yield out
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier calls left free would hide what this one takes
    before, done = _resident(), threading.Event()
    most = [before]

    def look() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], _resident())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield out
    finally:
        done.set()
        thread.join()
        out.append(max(most[0], _resident()) - before)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


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
