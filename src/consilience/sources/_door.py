"""`read`: one door for recordings and arrays, by what a file or folder is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, UnknownNameError, collect_cautions, nearest, warn
from consilience._core._params import check_option, shorten
from consilience._recording import Recording
from consilience._recording._doubts import doubt_spikes
from consilience.sources._files import check_file, check_path_text, show, signature
from consilience.sources._parts import Parts
from consilience.sources._phy import noise_units
from consilience.sources._sources import SOURCES, Source
from consilience.sources._zarr import is_zarr

__all__ = ["find_source", "is_array", "read", "read_parts"]

_HEAD = 512  # bytes that a signature test is given


def read(
    path: str | os.PathLike[str],
    *,
    source: str | None = None,
    name: str | None = None,
    units: Any = None,
    **options: Any,
) -> Recording | xr.DataArray:
    """Reads a recording, or responses, from a file or folder; what it is, is decided by what stands in it.

    Parameters
    ----------
    path : a regular file of this machine, or a folder of a known layout.
    source : the name of a source where the content alone does not decide; default: the first that fits.
    name : of the recording, which becomes the system of its responses. Default: what the file says, else its name.
    units : of a recording: names, or a mask, of the units to keep (see `Recording.select`).
    **options : what the reader of that source takes; an unknown one is refused with the list of those it has. Arrays
        take the options of `cs.sources.read_array`.

    Returns
    -------
    Recording, or responses (xarray.DataArray) where the file holds one array. Signals of recordings stay on disk until
    they are used; no file stays open in between. What was left out, or is doubtful, is warned of and stands in
    ``.cautions``.

    Raises
    ------
    InputError : no such file, an address, a pipe or device, a format that is not known, damaged or incomplete, pickled,
        links into other files; the text names the file.

    Examples
    --------
    >>> import consilience as cs
    >>> rec = cs.read("session.nwb")  # doctest: +SKIP
    >>> rec.epoch(on="trials.start_time", window=(0.07, 0.17))  # doctest: +SKIP
    """
    with collect_cautions() as said:
        found, place, got = read_parts(path, source=source, options=options, name=name)
        if isinstance(got, Parts):
            got = got.recording(who=f"reading {show(place)}")
    if units is not None:
        if not isinstance(got, Recording):
            raise InputError(
                f"cs.read: units= chooses units of a recording, and {show(place)} is {found.what}; use .sel(unit=...) "
                "of the responses.",
                code="bad-parameter",
            )
        got = got.select(units)
        if "quality" in got.units:  # counted again, of those that were chosen
            kept = tuple(caution for caution in got.cautions if caution.code != "noise-units")
            label = np.asarray(got.units["quality"])
            again = noise_units(label) if len(kept) < len(got.cautions) else ()
            object.__setattr__(got, "cautions", (*kept, *again))  # made here, and seen by nobody yet
    if isinstance(got, Recording):
        every = _distinct([*got.cautions, *said, *doubt_spikes(got)])
        object.__setattr__(got, "cautions", every)  # made here, and seen by nobody yet
        said = list(every)
    for caution in said:
        warn(caution.code, caution.message, caution.remedy)
    return got


def read_parts(
    path: str | os.PathLike[str],
    *,
    source: str | None = None,
    options: dict[str, Any],
    name: str | None = None,
    arrays: bool = True,
) -> tuple[Source, Path, Any]:
    """The source, the checked path, and what its reader made: `Parts`, a `Recording` or responses (None where
    ``arrays`` is False)."""
    who = "cs.read"
    place = _checked(path, who)
    found = find_source(place, source, options, who)
    unknown = next((key for key in options if key not in found.options), None)
    if unknown is not None:
        hint = nearest(unknown, found.options)
        raise UnknownNameError(
            f"{who}: {show(place)} is read as {found.what}, whose reader has no option {shorten(unknown, 40)}; the "
            f"options there are {', '.join(found.options) or 'none'}.{hint if hint.startswith(' Did') else ''}",
            code="unknown-option",
        )
    if found.name == "array" and not arrays:
        return found, place, None
    given = dict(options)
    if found.name == "array":
        if name is not None:
            given.setdefault("system", name)
        return found, place, found.function("read")(place, **given)
    try:
        got = found.function("read")(place, who=f"reading {show(place)}", **given)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  whatever a damaged file does in a reader, the user gets one sentence
        text = str(error).splitlines()[0] if str(error) else "no reason given"
        raise InputError(
            f"reading {show(place)}: {found.what}, but it is damaged or incomplete ({type(error).__name__}: "
            f"{shorten(text, 120)}); copy or write it again.",
            code="damaged-file",
        ) from None
    if isinstance(got, (Parts, Recording)):
        nameless = got.name is None if isinstance(got, Parts) else not got.name
        if name is not None or nameless:
            object.__setattr__(got, "name", place.stem if name is None else str(name))  # made just now
    elif name is not None:
        got = got.assign_attrs(system=str(name))
    return found, place, got


def find_source(place: Path, source: str | None, options: dict[str, Any], who: str) -> Source:
    """The first source that fits, or the one that was named."""
    if source is not None:
        chosen = check_option(source, [entry.name for entry in SOURCES], name="source", who=who)
        return next(entry for entry in SOURCES if entry.name == chosen)
    head = b""
    if place.is_file():
        with place.open("rb") as stream:
            head = stream.read(_HEAD)
    for entry in SOURCES:
        if entry.function("fits")(place, head, options):
            return entry
    if place.is_dir():
        inside = sorted(entry.name for entry in place.iterdir())
        listed = shorten(", ".join(inside[:8]), 200) if inside else "nothing"
        raise InputError(
            f"{who}: the folder {show(place)} has no layout that is known; it holds {listed}"
            + (f" and {len(inside) - 8} more" if len(inside) > 8 else "")
            + f". Read are: {'; '.join(entry.what for entry in SOURCES)}.",
            code="unknown-format",
        )
    signature(place, who=who)  # says what it is, and refuses what is not read
    raise InputError(
        f"{who}: {show(place)} is of no kind that is known. Read are: {'; '.join(entry.what for entry in SOURCES)}.",
        code="unknown-format",
    )


def is_array(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """One array of numbers (or an RDM), as `read_array` takes it?"""
    if path.is_dir():
        return is_zarr(path, who="cs.read")
    try:
        return bool(signature(path, who="cs.read"))
    except InputError:
        return False


def _checked(path: str | os.PathLike[str], who: str) -> Path:
    """A regular file, or a folder; everything else is refused."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"{who}: a path is expected, got {type(path).__name__}.", code="bad-path")
    place = Path(check_path_text(os.fspath(path), who=who))
    return place if place.is_dir() else check_file(place, who=who)


def _distinct(cautions: list[Caution]) -> tuple[Caution, ...]:
    return tuple(dict.fromkeys(cautions))
