"""The page: the answer first, then what was asked, all results, warnings, methods, provenance."""

from __future__ import annotations

import base64
import hashlib
import importlib
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._core._whole_file import target_path, whole_file
from consilience._results import SECTIONS, Result
from consilience.plots._labels import shortened, visible
from consilience.report._answer import answer
from consilience.report._base import environment, slugged
from consilience.report._provenance import asked, citations, facts, methods, versions, warnings
from consilience.report._result import result_section
from consilience.report._svg import Drawings

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["render", "write"]

_POLICY = (
    "default-src 'none'",
    "img-src data:",
    "style-src 'unsafe-inline'",
    "base-uri 'none'",
    "form-action 'none'",
)


def render(
    results: Mapping[str, Result],
    *,
    title: str,
    question: str | None = None,
    study: str | None = None,
    stimuli: xr.DataArray | None = None,
    thumbnails: Mapping[Any, np.ndarray] | None = None,
    run: Mapping[str, Any] | None = None,
    failures: Sequence[Mapping[str, Any]] = (),
) -> str:
    """One HTML page that needs nothing outside itself: figures, every number, downloads, methods,
    citations, provenance.

    The same input gives the same bytes. The page makes no request (a content security policy forbids it),
    can be read without scripts, on paper, and in the dark. Every text that came from data is escaped.

    Parameters
    ----------
    results : step name -> result. An empty mapping gives a page that says so.
    title, question : plain text.
    study : the study's YAML, shown as it is.
    stimuli : DataArray (stimulus, y, x[, channel]) uint8 with ids, for pictures beside RDMs and in maps; a
        ``category`` coordinate on ``stimulus`` colours their frames. Stimuli that are no pictures are
        counted, not shown.
    thumbnails : stimulus id -> uint8 picture (y, x[, channel]), shown instead of those of ``stimuli``.
    run : facts to state: ``{"seed": 0, "seconds": {step: s}, "computed": 3, "cached": 1, ...}``; mappings
        become tables.
    failures : ``{"step": ..., "error": ..., "code": ...}`` for each step that failed.

    Raises
    ------
    InputError : ``results`` is not a mapping of results; ``stimuli`` do not have "stimulus" first.
    MissingDependencyError : jinja2 is not installed.

    Examples
    --------
    >>> from consilience.report import render
    >>> "No results" in render({}, title="empty")
    True
    """
    results = _checked(results)
    drawings = Drawings()
    sections = []
    for name, slug in zip(results, _slugs(results)):
        html = _renderer(results[name])(
            results[name], name=name, slug=slug, drawings=drawings, stimuli=stimuli, thumbnails=thumbnails
        )
        sections.append({"id": slug, "name": shortened(visible(name), 60), "html": Markup(html)})
    most = {"step": 120, "error": 2000, "code": 60}
    failed = [
        {key: shortened(visible(entry.get(key, ""), keep="\n"), limit) for key, limit in most.items()}
        for entry in failures
    ]
    script, sheet = _asset("page.js"), _asset("page.css")
    return str(
        environment()
        .get_template("page.html.j2")
        .render(
            title=shortened(visible(title), 200),
            question=None if question is None else shortened(visible(question, keep="\n"), 1000),
            answer=answer(results, failed),
            asked=asked(results, stimuli),
            sections=sections,
            warnings=warnings(results, run),
            failures=failed,
            methods=methods(results),
            bibtex=citations(results),
            versions=versions(results),
            facts=facts(run),
            study=None if study is None else visible(study, keep="\n\t"),
            pictures=drawings.pictures(),
            policy="; ".join([*_POLICY, f"script-src 'sha256-{_digest(script)}'"]),
            script=Markup(script),
            sheet=Markup(sheet),
        )
    )


def write(
    path: str | os.PathLike[str],
    results: Mapping[str, Result],
    *,
    title: str = "Results",
    question: str | None = None,
    study: str | None = None,
    stimuli: xr.DataArray | None = None,
    thumbnails: Mapping[Any, np.ndarray] | None = None,
    run: Mapping[str, Any] | None = None,
    failures: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Writes the page of `render` (same parameters) to ``path``, complete or not at all; returns the path."""
    target = target_path(path, who="report.write", example="report.html")
    text = render(
        results,
        title=title,
        question=question,
        study=study,
        stimuli=stimuli,
        thumbnails=thumbnails,
        run=run,
        failures=failures,
    )
    with whole_file(target, who="report.write", example="report.html") as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return target


def _checked(results: object) -> dict[str, Result]:
    if not isinstance(results, Mapping):
        raise InputError(
            f"report: results must be a mapping of step name -> result, got {shorten(results)}.",
            code="bad-parameter",
        )
    for name, result in results.items():
        if not isinstance(result, Result):
            raise InputError(
                f"report: {shorten(name)} must be a result, got {shorten(result)}.", code="bad-parameter"
            )
    return {str(name): result for name, result in results.items()}


def _slugs(results: Mapping[str, Result]) -> list[str]:
    out: list[str] = []
    for name in results:
        slug, k = slugged(name), 2
        while slug in out or slug in _RESERVED:
            slug, k = f"{slugged(name)}-{k}", k + 1
        out.append(slug)
    return out


_RESERVED = ("answer", "asked", "failed", "warnings", "methods", "provenance", "contents", "top")


def _renderer(result: Result) -> Any:
    entry = SECTIONS.get(type(result).__name__)
    if entry is None:
        return result_section
    module, function = entry.split(":")
    return getattr(importlib.import_module(module), function)


def _asset(name: str) -> str:
    return resources.files("consilience.report").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
