"""A file that is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["plain_path", "target_path", "whole_file"]


def plain_path(path: object, who: str) -> Path:
    """``path`` if it is a text that a file can be called."""
    if (
        not isinstance(path, (str, os.PathLike))
        or not isinstance(os.fspath(path), str)
        or not os.fspath(path)
    ):
        raise InputError(f"{who}: path must be a file name, got {shorten(path)}.", code="bad-path")
    text = os.fspath(path)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"{who}: {shorten(text)} is a file name that is not valid Unicode; choose another name.",
            code="bad-path",
        ) from None
    if "\0" in text:
        raise InputError(f"{who}: a file name cannot hold NUL, got {shorten(text)}.", code="bad-path")
    return Path(text)


def target_path(path: object, *, who: str, example: str) -> Path:
    """A file name in a folder that exists."""
    target = plain_path(path, who)
    if target.is_dir():
        raise InputError(
            f"{who}: {target} is a folder; give a file name, such as {target / example}.", code="bad-path"
        )
    if not target.parent.is_dir():
        raise InputError(
            f"{who}: the folder {target.parent} does not exist; create it first.", code="bad-path"
        )
    return target


@contextmanager
def whole_file(path: object, *, who: str, example: str) -> Iterator[Path]:
    """A name beside ``path`` to write to, which takes its place when the block ends well, and is gone otherwise.

    Raises
    ------
    InputError : no such folder, a link or a device, no space or no right to write, text that no file can hold.
    """
    target = target_path(path, who=who, example=example)
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise InputError(
            f"{who}: {target} is a link or a device, not a plain file; give another name.", code="bad-path"
        )
    try:
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=target.suffix[:20], dir=target.parent)
    except OSError as error:
        raise InputError(
            f"{who}: cannot write into {target.parent}: {error.strerror}.", code="bad-path"
        ) from None
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except UnicodeEncodeError as error:
        raise InputError(
            f"{who}: {shorten(error.object)} is not valid Unicode text (a lone surrogate, as in file names that "
            "are not UTF-8), which no file can hold; rename it and compute again.",
            code="bad-ids",
        ) from None
    except OSError as error:
        raise InputError(
            f"{who}: cannot write {target}: {error.strerror or error}.", code="bad-path"
        ) from None
    finally:
        if os.path.exists(name):
            os.unlink(name)
