"""The lock around torch's one global random generator, which module initialisation draws from."""

from __future__ import annotations

import threading

__all__ = ["GLOBAL_GENERATOR"]

GLOBAL_GENERATOR = threading.Lock()
