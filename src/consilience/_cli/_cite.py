"""``consilience cite``: BibTeX of a result or a measure, the citation of a data set."""

from __future__ import annotations

from pathlib import Path

from consilience._cli._guard import tell
from consilience._core._citations import bibtex
from consilience._core._errors import UnknownNameError, nearest
from consilience._core._params import shorten

__all__ = ["command"]


def command(*, what: str) -> int:
    from consilience import datasets, measures

    known_data = list(datasets.list()["name"])
    if what in measures.names():
        tell(bibtex(measures.as_measure(what, who="cite").claims.references))
    elif what in known_data:
        tell(datasets.load(what).citation)
    elif Path(what).exists():
        from consilience._results import load

        tell(load(what).citations())
    else:
        known = [*measures.names(), *known_data]
        raise UnknownNameError(
            f"cite: {shorten(what)} is no file, measure or data set.{nearest(what, known)}"
        )
    return 0
