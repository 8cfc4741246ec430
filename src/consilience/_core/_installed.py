"""Files that a system package puts on the disk: found, checked by SHA-256 of their content, read where they lie."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consilience._core._errors import InputError
from consilience._core._fetch import data_folder

__all__ = ["InstalledFiles"]

_SHARES = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))


@dataclass(frozen=True)
class InstalledFiles:
    """Files of one system package, in ``<cache>/<folder>`` or in ``<folder>`` of where such packages put data.

    ``members`` maps each file's name to the SHA-256 of its content; a file may lie there as it is or with ``.gz``
    (compressing again changes the file, not its content).
    """

    package: str
    folder: str
    members: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.package} (system package)"

    def places(self) -> Iterator[Path]:
        """The folders that are looked in, in this order."""
        yield data_folder() / self.folder
        for share in _SHARES:
            yield share / self.folder

    def find(self) -> dict[str, Path] | None:
        """{member: its file} in the first folder that has all, else None."""
        for folder in self.places():
            found = {
                member: path
                for member in self.members
                for path in (folder / f"{member}.gz", folder / member)
                if path.is_file()
            }
            if len(found) == len(self.members):
                return found
        return None

    def read(self) -> dict[str, bytes]:
        """{member: its content}, checked.

        Raises
        ------
        InputError : in none of the places (``not-cached``), cannot be read (``bad-archive``), or a content whose
            hash is not the pinned one (``bad-hash``).
        """
        found = self.find()
        if found is None:
            looked = ", ".join(str(folder) for folder in self.places())
            files = ", ".join(f"{name}.gz" for name in self.members)
            raise InputError(
                f"consilience: the files of {self} are not on this machine (looked in {looked}). On Debian and "
                f"Ubuntu: apt-get install {self.package}; elsewhere put {files} "
                "into the first of these folders.",
                code="not-cached",
            )
        return {member: _content(path, self.members[member], str(self)) for member, path in found.items()}


def _content(path: Path, expected: str, source: str) -> bytes:
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"consilience: {path} of {source} cannot be read ({error}); install the package again.",
            code="bad-archive",
        ) from None
    got = hashlib.sha256(content).hexdigest()
    if got != expected:
        raise InputError(
            f"consilience: {path} of {source} is not the pinned file (SHA-256 {got[:12]}..., expected "
            f"{expected[:12]}...); do not use it.",
            code="bad-hash",
        )
    return content
