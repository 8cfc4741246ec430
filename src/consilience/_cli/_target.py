"""The file that a command will write: refused before anything is computed, not after."""

from __future__ import annotations

import tempfile
from pathlib import Path

from consilience._cli._text import clean
from consilience._core._errors import InputError

__all__ = ["check_target"]


def check_target(path: Path, *, who: str) -> Path:
    """Returns ``path`` if a file of that name can be written now."""
    try:
        if path.is_dir():
            raise InputError(
                f"{who}: {clean(path)} is a folder; give a file name.",
                code="bad-path",
            )
        if not path.parent.exists():
            raise InputError(
                f"{who}: the folder {clean(path.parent)} does not exist; make it, or give another place.",
                code="bad-path",
            )
        if not path.parent.is_dir():
            raise InputError(
                f"{who}: {clean(path.parent)} is not a folder; give another place.", code="bad-path"
            )
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            return path
    except OSError as error:
        raise InputError(
            f"{who}: {clean(path)} cannot be written ({error.strerror or error}).", code="cannot-write"
        ) from None
