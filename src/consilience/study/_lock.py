"""One run per output folder: a lock that the system drops when its process dies."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consilience._core._errors import InputError
from consilience.sources._files import show

__all__ = ["hold"]


def _try_lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        entry: Any = json.loads(path.read_text(encoding="utf-8"))
        return f"process {int(entry['pid'])} on {str(entry['host'])[:60]!r}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


@contextmanager
def hold(path: Path, *, output: Path) -> Iterator[None]:
    """Holds ``path`` while the block runs; refuses when another live process has it. A dead process's lock is
    free."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    except OSError as error:
        raise InputError(
            f"study: cannot write into {show(output)} ({error.strerror}).", code="cannot-write"
        ) from None
    try:
        if not _try_lock(handle):
            raise InputError(
                f"study: {_holder(path)} is writing into {show(output)}; wait until it is done, or give "
                "another output.",
                code="output-busy",
            )
        try:
            os.ftruncate(handle, 0)
            os.write(handle, json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
        except OSError as error:
            raise InputError(
                f"study: cannot write into {show(output)} ({error.strerror}).", code="cannot-write"
            ) from None
        yield
    finally:
        os.close(
            handle
        )  # frees the lock; the file stays, since removing it would let two runs hold two files of one name
