"""Stimulus ids from a file: .txt (one a line), .json, .yaml (a list) or .npy (text or whole numbers)."""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Sequence
from typing import Any

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.sources._files import check_file, show
from consilience.sources._npy import read_npy

__all__ = ["read_ids"]

_LARGEST = 1 << 28


def read_ids(source: str | os.PathLike[str] | Sequence[Hashable], *, who: str = "ids") -> list[Any]:
    """Ids as a list: from a list as it is, or from a file.

    Parameters
    ----------
    source : list of ids, or a path: ``.json`` and ``.yaml`` hold one list, ``.npy`` a 1-D array of text
        or whole numbers, any other file is UTF-8 text with one id a line (blank lines at the end are dropped).

    Returns
    -------
    list of str or int
    """
    if not isinstance(source, (str, os.PathLike)):
        return list(source)
    path = check_file(source, who=who)
    with path.open("rb") as stream:
        is_npy = stream.read(6) == b"\x93NUMPY"
    if is_npy:
        values = read_npy(path, who=who).values
        if values.ndim != 1 or values.dtype.kind not in "iuUS":
            raise InputError(
                f"{who}: {show(path)} must be 1-D text or whole numbers, got shape {values.shape}, "
                f"{values.dtype}.",
                code="bad-ids",
            )
        return [
            entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry
            for entry in values.tolist()
        ]
    if path.stat().st_size > _LARGEST:
        raise InputError(
            f"{who}: {show(path)} is too large for a list of ids ({path.stat().st_size} bytes).",
            code="too-large",
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{who}: {show(path)} is not UTF-8 text (byte {error.start}); one id a line is expected.",
            code="not-utf8",
        ) from None
    if path.suffix.lower() not in (".json", ".yaml", ".yml"):
        lines = text.splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        return [line.strip() for line in lines]
    listed = _parse(text, path.suffix.lower(), show(path), who)
    if not isinstance(listed, list):
        raise InputError(
            f"{who}: {show(path)} must hold one list of ids, got {type(listed).__name__}.", code="bad-ids"
        )
    odd = [entry for entry in listed if not isinstance(entry, (str, int)) or isinstance(entry, bool)]
    if odd:
        raise InputError(
            f"{who}: {show(path)} holds {shorten(odd[0])}; ids are text or whole numbers.", code="bad-ids"
        )
    return listed


def _parse(text: str, suffix: str, shown: str, who: str) -> Any:
    try:
        if suffix == ".json":
            return json.loads(text)
        import yaml

        return yaml.safe_load(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{who}: {shown} is not valid JSON ({shorten(str(error))}).", code="bad-ids"
        ) from None
    except Exception as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        if not hasattr(error, "problem_mark") and type(error).__module__.split(".")[0] != "yaml":
            raise
        where = "" if line is None else f", line {line + 1}"
        raise InputError(f"{who}: {shown}{where} is not valid YAML.", code="bad-ids") from None
