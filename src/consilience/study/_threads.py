"""One BLAS and one torch thread per block while a study runs; what was set before comes back after."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["one_thread"]

_lock = threading.Lock()
_state: dict[str, Any] = {"depth": 0, "limits": None, "torch": None}


@contextmanager
def one_thread() -> Iterator[None]:
    """Holds every BLAS at one thread. Nested and concurrent uses count; the last one out restores.

    The bytes of a result depend on how a product is split among threads, so a study fixes that number.
    """
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    with _lock:
        if _state["depth"] == 0:
            _state["limits"] = threadpool_limits(1)
        if torch is not None and _state["torch"] is None:
            _state["torch"] = torch.get_num_threads()
        _state["depth"] += 1
    if torch is not None:
        torch.set_num_threads(1)  # per thread in some builds, so in each block
    try:
        yield
    finally:
        with _lock:
            _state["depth"] -= 1
            if _state["depth"] == 0:
                limits, before = _state["limits"], _state["torch"]
                _state["limits"] = _state["torch"] = None
                limits.restore_original_limits()
                if before is not None and torch is not None:
                    torch.set_num_threads(before)
