"""What kind of file it is: by its first bytes, after making sure that it is a regular file of a bearable
size."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["check_file", "check_path_text", "check_room", "read_bytes_limit", "signature"]

_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]+:")  # two letters or more, so that a drive letter is not one
_SIGNATURES = (
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),
    (b"\x89HDF\r\n\x1a\n", "netcdf"),
    (b"CDF\x01", "netcdf3"),
    (b"CDF\x02", "netcdf3"),
    (b"CDF\x05", "netcdf3"),
    (b"\x1f\x8b", "gzip"),
    (b"MATLAB 5.0", "mat"),
)
_SUFFIXES = {".npy": "npy", ".npz": "npz", ".nc": "netcdf", ".h5": "netcdf", ".csv": "csv", ".tsv": "csv"}
_FIF = b"\0\0\0\x64\0\0\0\x1f"  # the first tag of a .fif file
_MNE = "cs.from_object(mne.read_epochs(path)) with MNE-Python, or mne.io.read_raw(path) for what is not cut into epochs"
_ELSEWHERE = (
    ((".fif", ".fif.gz", ".edf", ".bdf", ".gdf", ".vhdr"), _MNE),
    (
        (".plx", ".pl2", ".nev", ".rhd", ".rhs", ".smr", ".smrx", ".ncs", ".nse", ".ntt", ".abf"),
        "cs.from_object(neo.io.get_io(path).read_block()) with neo",
    ),
)
_WORDS = {
    "npy": "a NumPy .npy file",
    "npz": "a zip archive (.npz)",
    "netcdf": "an HDF5 / netCDF-4 file",
    "netcdf3": "a netCDF-3 file",
    "gzip": "a gzip archive",
    "mat": "a MATLAB file",
    "pickle": "a Python pickle",
    "binary": "a binary file of no known kind",
    "csv": "a text file",
}


def check_path_text(text: str, *, who: str) -> str:
    """Refuses addresses (``http:``, ``file:``, ``s3:``) and NUL where a path of this machine is wanted."""
    if _URL.match(text) or "://" in text:
        raise InputError(
            f"{who}: {shorten(text)} is an address, not a path; only files on this machine are read. Fetch "
            "it first.",
            code="url-refused",
        )
    if "\0" in text or not text.strip():
        raise InputError(f"{who}: {shorten(text)} is not a path.", code="bad-path")
    return text


def check_file(path: str | os.PathLike[str], *, who: str) -> Path:
    """Returns ``path`` if it is a readable regular file that is not empty."""
    source = Path(check_path_text(os.fspath(path), who=who))
    try:
        mode = source.stat()
    except OSError as error:
        text = (
            "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        )
        raise InputError(f"{who}: {_show(source)} {text}.", code="no-file") from None
    if not stat.S_ISREG(mode.st_mode):
        what = "a folder" if stat.S_ISDIR(mode.st_mode) else "not a regular file (a pipe or a device)"
        raise InputError(f"{who}: {_show(source)} is {what}; give a file.", code="not-a-file")
    if mode.st_size == 0:
        raise InputError(f"{who}: {_show(source)} is empty (0 bytes).", code="empty-file")
    if not os.access(source, os.R_OK):
        raise InputError(f"{who}: {_show(source)} cannot be read (permission denied).", code="no-file")
    return source


def _show(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() and len(text) <= 200 else shorten(text, 200)


def show(path: Path) -> str:
    """The path as it stands in a message: control characters escaped, never very long."""
    return _show(path)


def signature(path: Path, *, who: str) -> str:
    """npy, npz, netcdf or csv, by the first bytes; other kinds, and names that say something else, are
    refused."""
    with path.open("rb") as stream:
        head = stream.read(512)
    found = next((kind for magic, kind in _SIGNATURES if head.startswith(magic)), "")
    if not found:
        found = (
            "pickle"
            if head[:1] == b"\x80" and head[1:2] in b"\x01\x02\x03\x04\x05"
            else _text_or_binary(head)
        )
    said = _SUFFIXES.get(path.suffix.lower())
    other = next((text for ends, text in _ELSEWHERE if path.name.lower().endswith(ends)), "")
    if head.startswith(_FIF) or (other and found in ("binary", "csv", "gzip", "pickle")):
        raise InputError(
            f"{who}: {_show(path)} is of a kind that other packages read: {other or _MNE}.",
            code="unknown-format",
        )
    if found not in ("npy", "npz", "netcdf", "csv"):
        more = " Pickles are never loaded, since they can run code." if found == "pickle" else ""
        raise InputError(
            f"{who}: {_show(path)} is {_WORDS[found]}; give a .npy, .npz, .nc or .csv file.{more}",
            code="unknown-format",
        )
    if said is not None and said != found:
        raise InputError(
            f"{who}: {_show(path)} is {_WORDS[found]} by its first bytes, not what its name says; rename "
            "it if that is right, "
            "or write it again.",
            code="wrong-extension",
        )
    return found


def _text_or_binary(head: bytes) -> str:
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "binary"
    return "csv"


def read_bytes_limit() -> int:
    """How many bytes of numbers one file may bring: the memory that is free now."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 36


def check_room(n_bytes: int, path: Path, *, who: str) -> None:
    """Refuses a file whose content would not fit in memory, before reading it."""
    limit = read_bytes_limit()
    if n_bytes > limit:
        raise InputError(
            f"{who}: {_show(path)} holds {n_bytes / 2**30:.1f} GiB of numbers and {limit / 2**30:.1f} GiB "
            "of memory is free; "
            "split it or choose fewer units.",
            code="too-large",
        )
