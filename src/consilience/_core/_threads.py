"""Threads: one in a study, whose bytes must not depend on their number, and around matrices so small that handing them
out costs more than the products; several, each with its own rows, where large data is passed over more than once.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["blas_threads", "each_in_a_thread", "one_thread", "one_thread_if_small"]

_Part = TypeVar("_Part")
_Answer = TypeVar("_Answer")

_SMALL = 300  # rows and columns up to which a second thread does not pay


_found: tuple[int, Any] = (0, None)


def _pools() -> Any:
    """What controls the thread pools of this process. Libraries come with modules, so they are looked for again only
    where more modules are there than at the last look, which takes 10 ms.
    """
    global _found
    from threadpoolctl import ThreadpoolController

    count = len(sys.modules)
    if _found[0] != count:
        _found = count, ThreadpoolController()
    return _found[1]


class _Hold:
    """Thread pools held at one thread. Nested and concurrent uses count; the last one out restores what was set before.

    user_api : "blas", or None for every pool.   torch : torch's own threads too, if it is there.
    """

    def __init__(self, user_api: str | None, *, torch: bool) -> None:
        self.user_api, self.torch = user_api, torch
        self.lock, self.depth = threading.Lock(), 0
        self.limits: Any = None
        self.torch_before: int | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        torch = sys.modules.get("torch") if self.torch else None
        with self.lock:
            if torch is not None and self.torch_before is None:
                self.torch_before = torch.get_num_threads()  # before its pool is held with the others
            if self.depth == 0:
                self.limits = _pools().limit(limits=1, user_api=self.user_api)
            self.depth += 1
        if torch is not None:
            torch.set_num_threads(1)  # per thread in some builds, so in each use
        try:
            yield
        finally:
            with self.lock:
                self.depth -= 1
                if self.depth == 0:
                    limits, before = self.limits, self.torch_before
                    self.limits = self.torch_before = None
                    if before is not None:
                        sys.modules["torch"].set_num_threads(before)
                    limits.restore_original_limits()


_all_pools = _Hold(None, torch=True)
_blas = _Hold("blas", torch=False)


@contextmanager
def one_thread() -> Iterator[None]:
    """Holds every thread pool, and torch, at one thread: the bytes of a result depend on how a product is split."""
    with _all_pools():
        yield


@contextmanager
def one_thread_if_small(*shapes: tuple[int, ...]) -> Iterator[None]:
    """Holds every BLAS at one thread if no matrix of these shapes is large."""
    if max(max(shape, default=0) for shape in shapes) > _SMALL:
        yield
    else:
        with _blas():
            yield


def blas_threads() -> int:
    """How many threads a product would use now; 1 where no BLAS says."""
    return max((pool["num_threads"] for pool in _pools().info() if pool["user_api"] == "blas"), default=1)


def each_in_a_thread(work: Callable[[_Part], _Answer], parts: Sequence[_Part]) -> list[_Answer]:
    """[work(part) for part in parts], all at once, with one BLAS thread each: for work that is more than products, of
    which a BLAS would leave the rest to one thread.
    """
    if len(parts) == 1:
        return [work(parts[0])]
    with _blas(), ThreadPoolExecutor(len(parts)) as pool:  # numpy.errstate goes with the context
        waiting = [pool.submit(contextvars.copy_context().run, work, part) for part in parts]
        return [one.result() for one in waiting]
