"""BibTeX of what a result used, from the one `references.bib`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources

from consilience._core._errors import UnknownNameError, nearest

__all__ = ["bibtex", "references"]


@functools.cache
def references() -> dict[str, str]:
    """Every entry of references.bib: key -> BibTeX text."""
    text = resources.files("consilience._core").joinpath("references.bib").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=@)", text.strip())
    return {
        match.group(1): entry.strip() for entry in entries if (match := re.match(r"@\w+\{([^,]+),", entry))
    }


def bibtex(keys: Iterable[str]) -> str:
    """The entries of ``keys``, each once, in order; a key may be a whole BibTeX entry (``@article{...}``) itself."""
    known = references()
    unique = list(dict.fromkeys(keys))
    for key in unique:
        if not key.lstrip().startswith("@") and key not in known:
            raise UnknownNameError(f"references: no entry {key!r}.{nearest(key, known)}")
    return "\n\n".join(known.get(key, key.strip()) for key in unique)
