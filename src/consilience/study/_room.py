"""Memory of a running study: large blocks wait for each other where it is short, and give back what they used."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from consilience._core._memory import available_memory

__all__ = ["Room", "give_back"]

_SHARE = 0.7  # of the free memory that blocks may plan with


class Room:
    """Who uses how much. A block that would not fit beside those that run waits; alone it always runs."""

    def __init__(self, free: Callable[[], int | None] = available_memory) -> None:
        self._free = free
        self._changed = threading.Condition()
        self._used = 0
        self._running = 0
        self._limit: float = 0.0

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Holds ``size`` bytes while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._fits(size))
            self._used += size
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._running -= 1
                self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        if not self._running:  # what is free is asked when nothing runs, since blocks fill their part slowly
            free = self._free()
            self._limit = float("inf") if free is None else _SHARE * free
            return True
        return self._used + size <= self._limit


@functools.cache
def _malloc_trim() -> Callable[[int], Any] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None  # not the GNU C library


def give_back() -> None:
    """Freed memory goes back to the system: after a network has run, the allocator keeps a gigabyte or more."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)
