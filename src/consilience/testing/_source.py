"""The suite of every source: read alike twice and under any name, the file left as it was, damage in one sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from consilience._core._errors import InputError
from consilience._core._seeds import resolve_seed
from consilience._recording import Recording
from consilience.sources import look_into, read
from consilience.testing._rows import CheckRow, Outcome, run_checks

__all__ = ["check_source"]

CUTS = (0.01, 0.25, 0.5, 0.75, 0.99)
FLIPS = 20
LONGEST = 10.0  # s


def check_source(
    path: str | os.PathLike[str], /, *, cuts: bool = True, collect: bool = False, rng: int = 0, **options: Any
) -> list[CheckRow]:
    """Tests what every source promises, on a right file or folder of it.

    Parameters
    ----------
    path : of the file or folder.   cuts : a file that is cut is no longer a right one; False for text, of which the
        first half is a file too.   collect : return failed rows too, instead of raising.   rng : seed of the flips.
    **options : of the reader, as for `cs.read`.

    Returns
    -------
    list of CheckRow

    Raises
    ------
    CheckError : a promise does not hold.

    Examples
    --------
    >>> import numpy as np, tempfile, consilience as cs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/x.npz", responses=np.arange(12.0).reshape(4, 3), stimulus=list("abcd"))
    ...     all(row.passed for row in cs.testing.check_source(f"{folder}/x.npz"))
    True
    """
    place = Path(path)
    checks = [
        ("reading", lambda: _reading(place, options)),
        ("names", lambda: _names(place, options)),
        ("looking", lambda: _looking(place, options)),
        ("damage", lambda: _damage(place, options, cuts, rng)),
    ]
    return run_checks(place.name, checks, collect=collect)


def _reading(place: Path, options: dict[str, Any]) -> Iterator[Outcome]:
    before = _digest(place)
    first, second = read(place, **options), read(place, **options)
    yield "a recording or responses", "-", isinstance(first, (Recording, xr.DataArray)), type(first).__name__
    yield "read twice, the same", "-", _same(first, second), ""
    if isinstance(first, Recording):
        lines = repr(first).splitlines()
        yield "named", "-", bool(first.name), first.name
        yield "repr without control characters", "-", all(line.isprintable() for line in lines), ""
        named = read(place, name="other", **options)
        yield (
            "the name given is taken",
            "-",
            getattr(named, "name", "") == "other",
            str(getattr(named, "name", "")),
        )
    yield "the file is as it was", "-", _digest(place) == before, ""


def _names(place: Path, options: dict[str, Any]) -> Iterator[Outcome]:
    """By content, not by the ending of the name."""
    first = read(place, name="x", **options)
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder) / "renamed.bin"
        if place.is_dir():
            shutil.copytree(place, other)
        else:
            shutil.copy(place, other)
        yield "read under any name", "-", _same(read(other, name="x", **options), first), ""
        try:
            read(other, no_such_option=1, **options)
            yield "unknown options are refused", "-", False, "was taken"
        except InputError as error:
            yield "unknown options are refused", "-", "no_such_option" in str(error), str(error)


def _looking(place: Path, options: dict[str, Any]) -> Iterator[Outcome]:
    found = look_into(place, **options)
    if isinstance(read(place, **options), Recording):
        yield "inspect looks into it", "-", found is not None, ""
        critical = [entry.text for entry in (found or ([], []))[1] if entry.severity == "critical"]
        yield "nothing critical in a right file", "-", not critical, "; ".join(critical)


def _damage(place: Path, options: dict[str, Any], cuts: bool, seed: int) -> Iterator[Outcome]:
    """Each file cut at five points, and with flipped bits: an error of ours in one line, or a recording; in time."""
    draw = resolve_seed(seed, who="check_source").stream("flips")
    taken, wrong, slow = [], [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / place.name
        shutil.copytree(place, copy) if place.is_dir() else shutil.copy(place, copy)
        files = [copy] if copy.is_file() else sorted(entry for entry in copy.rglob("*") if entry.is_file())
        for file in files:
            whole = file.read_bytes()
            spoiled = [(f"cut at {share:g}", whole[: int(share * len(whole))]) for share in CUTS]
            for at in draw.integers(0, max(1, len(whole)), FLIPS if len(files) == 1 else 2):
                flipped = bytearray(whole)
                if flipped:
                    flipped[at] ^= 1 << int(draw.integers(8))
                spoiled.append((f"flipped at {at}", bytes(flipped)))
            for what, content in spoiled:
                file.write_bytes(content)
                begun = time.monotonic()
                try:
                    _used(read(copy, **options))
                    if cuts and what.startswith("cut") and len(files) == 1:
                        taken.append(what)
                except InputError as error:
                    text = str(error)
                    if "\n" in text or copy.name not in text:
                        wrong.append(f"{what} of {file.name}: {text}")
                except Exception as error:  # noqa: BLE001  this is what must not come
                    wrong.append(f"{what} of {file.name}: {type(error).__name__}: {error}")
                slow = max(slow, time.monotonic() - begun)
            file.write_bytes(whole)
    yield "damage is one sentence that names the file, or read", "-", not wrong, "; ".join(wrong[:3])
    yield "cut files are refused", "-", not taken, ", ".join(taken)
    yield "damage is seen in time", "-", slow < LONGEST, f"{slow:.1f} s"


def _used(got: Any) -> None:
    for signal in getattr(got, "signals", {}).values():
        signal.rows(0, len(signal))


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) if isinstance(a, Recording) else isinstance(b, xr.DataArray) and a.identical(b)


def _digest(place: Path) -> str:
    found = hashlib.sha256()
    for file in (
        [place] if place.is_file() else sorted(entry for entry in place.rglob("*") if entry.is_file())
    ):
        found.update(file.read_bytes())
    return found.hexdigest()
