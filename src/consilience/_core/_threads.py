"""One BLAS thread where matrices are so small that handing them out costs more than the products."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_thread_if_small"]

_SMALL = 300  # rows and columns up to which a second thread does not pay
_lock = threading.Lock()
_state: dict[str, Any] = {"depth": 0, "limits": None}


@contextmanager
def one_thread_if_small(*shapes: tuple[int, ...]) -> Iterator[None]:
    """Holds every BLAS at one thread if no matrix of these shapes is large. Nested and concurrent uses count; the last
    one out restores what was set before.
    """
    if max(max(shape, default=0) for shape in shapes) > _SMALL:
        yield
        return
    from threadpoolctl import threadpool_limits

    with _lock:
        if _state["depth"] == 0:
            _state["limits"] = threadpool_limits(1, user_api="blas")
        _state["depth"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["depth"] -= 1
            if _state["depth"] == 0:
                limits, _state["limits"] = _state["limits"], None
                limits.restore_original_limits()
