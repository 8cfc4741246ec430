"""The page: puts the answer first, then what was asked, the sections of all results, warnings, methods, provenance."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from consilience._core._citations import bibtex
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._results import SECTIONS, Comparison, RDMs, Result
from consilience.plots._labels import number, shortened, visible
from consilience.plots._read import names
from consilience.report._sections import environment, other_section, settings_rows, slugged
from consilience.report._svg import Drawings
from consilience.report._words import Finding, findings, headline, kind_of_a, listed, plural

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["render", "write"]

_MOST_CARDS = 8
_MOST_SENTENCES = 6
_MOST_WARNINGS = 100
_MOST_FACTS = 200
_SHOWN_ELSEWHERE = ("warnings", "failures", "study", "title", "question")


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
    """One HTML page that needs nothing outside itself: figures, every number, downloads, methods, citations, provenance.

    The same input gives the same bytes. The page makes no request (a content security policy forbids it), can be read without
    scripts, on paper, and in the dark. Every text that came from data is escaped.

    Parameters
    ----------
    results : step name -> result. An empty mapping gives a page that says so.
    title, question : plain text.
    study : the study's YAML, shown as it is.
    stimuli : DataArray (stimulus, y, x[, channel]) uint8 with ids, for pictures beside RDMs and in maps; a ``category`` coordinate on
        ``stimulus`` colours their frames. Stimuli that are no pictures are counted, not shown.
    thumbnails : stimulus id -> uint8 picture (y, x[, channel]), shown instead of those of ``stimuli``.
    run : facts to state: ``{"seed": 0, "seconds": {step: s}, "computed": 3, "cached": 1, ...}``; mappings become tables.
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
        section = _renderer(results[name])
        html = section(
            results[name],
            name=name if slugged(name) == slug else f"{name} ({slug})",
            drawings=drawings,
            stimuli=stimuli,
            thumbnails=thumbnails,
        )
        sections.append({"id": slug, "name": shortened(visible(name), 60), "html": Markup(html)})  # noqa: S704
    failed = [
        {key: shortened(visible(entry.get(key, ""), keep="\n"), 2000) for key in ("step", "error", "code")}
        for entry in failures
    ]
    script, sheet = _asset("page.js"), _asset("page.css")
    return str(
        environment()
        .get_template("page.html.j2")
        .render(
            title=shortened(visible(title), 200),
            question=None if question is None else shortened(visible(question, keep="\n"), 1000),
            answer=_answer(results, failed),
            asked=_asked(results, stimuli),
            sections=sections,
            warnings=_warnings(results, run),
            failures=failed,
            methods=_methods(results),
            bibtex=_citations(results),
            versions=_versions(results),
            facts=_facts(run),
            study=None if study is None else visible(study, keep="\n\t"),
            pictures=drawings.pictures(),
            policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'",
            script=Markup(script),  # noqa: S704
            sheet=Markup(sheet),  # noqa: S704
        )
    )


def write(
    path: str | os.PathLike[str],
    results: Mapping[str, Result],
    *,
    title: str,
    question: str | None = None,
    study: str | None = None,
    stimuli: xr.DataArray | None = None,
    thumbnails: Mapping[Any, np.ndarray] | None = None,
    run: Mapping[str, Any] | None = None,
    failures: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Writes the page of `render` (same parameters) to ``path``, complete or not at all, and returns the path."""
    target = Path(path)
    if target.is_dir():
        raise InputError(
            f"report.write: {target} is a folder; give a file name, such as {target / 'report.html'}.",
            code="bad-path",
        )
    if not target.parent.is_dir():
        raise InputError(
            f"report.write: the folder {target.parent} does not exist; create it first.", code="bad-path"
        )
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
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".writing-", suffix=".html", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            f"report.write: cannot write {target}: {error.strerror or error}.", code="bad-path"
        ) from None
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
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
        return other_section
    module, function = entry.split(":")
    return getattr(importlib.import_module(module), function)


def _asset(name: str) -> str:
    return resources.files("consilience.report").joinpath("templates", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


# -- the answer ------------------------------------------------------------------------------------------------------


def _answer(results: Mapping[str, Result], failed: list[dict[str, str]]) -> dict[str, Any]:
    if not results:
        words = (
            f"No results: {'the step' if len(failed) == 1 else f'all {len(failed)} steps'} failed."
            if failed
            else "No results: nothing was computed."
        )
        return {"headline": words, "sentences": [], "groups": [], "more": 0}
    compared = {name: result for name, result in results.items() if isinstance(result, Comparison)}
    lead, sentences, groups, more = "", [], [], 0
    for name, result in compared.items():
        found = findings(result)
        lead = lead or headline(found)
        where = f"{shortened(visible(name), 40)}: " if len(compared) > 1 else ""
        sentences += [(where, f.sentences) for f in found if f.measure == found[0].measure]
        for measure in dict.fromkeys(f.measure for f in found):
            same = [f for f in found if f.measure == measure]
            room = max(0, _MOST_CARDS - sum(len(group["cards"]) for group in groups))
            more += max(0, len(same) - room)
            if room:
                scale = _scale(same)
                groups.append({"name": where + visible(measure), "cards": [_card(f, *scale) for f in same[:room]]})
    if not compared:
        lead = _described(results)
    return {"headline": lead, "sentences": sentences[:_MOST_SENTENCES], "groups": groups, "more": more}


def _described(results: Mapping[str, Result]) -> str:
    parts = []
    for result in results.values():
        if isinstance(result, RDMs):
            parts.append(
                f"RDMs of {plural(result.rdms.sizes['system'], 'system')} over {plural(result.rdms.sizes['stimulus'], 'stimulus')}"
            )
    parts = parts or [plural(len(results), "result")]
    return f"{listed(parts[:3])}; no comparison was asked for."


def _scale(found: list[Finding]) -> tuple[float, float]:
    known = [
        v
        for f in found
        for v in (f.value, f.low, f.high, f.ceiling_high, f.naive_value, f.null, *f.baselines, 0.0)
        if np.isfinite(v)
    ]
    low, high = min(known), max(known)
    return low, (high if high > low else low + 1) + 0.02 * (high - low)


def _card(f: Finding, low: float, high: float) -> dict[str, Any]:
    def at(value: float) -> str | None:
        return f"{2 + 196 * (value - low) / (high - low):.1f}" if np.isfinite(value) else None

    facts = []
    if f.interval:
        facts.append((f"{f.percent} interval, {f.over}", f.interval))
    if np.isfinite(f.ceiling_high):
        facts.append(("noise ceiling", f"{number(f.ceiling_low)} to {number(f.ceiling_high)}"))
    if f.baselines:
        facts.append(
            (
                "untrained copies",
                listed([number(v) for v in f.baselines[:4]]) + (", …" if len(f.baselines) > 4 else ""),
            )
        )
    if np.isfinite(f.naive_value):
        facts.append(("plain maximum (biased up)", f"{number(f.naive_value)} at {shortened(f.naive, 24)}"))
    if np.isfinite(f.p):
        facts.append(("permutation p", "< 0.001" if f.p < 0.00095 else f"{f.p:.2g}"))
    return {
        "system": f.b, "measure": visible(f.measure), "chosen": f.chosen, "value": number(f.value), "reliable": f.reliable, "facts": facts,
        "x": {"value": at(f.value), "low": at(f.low), "high": at(f.high), "ceiling_low": at(f.ceiling_low), "ceiling_high": at(f.ceiling_high),
              "null": at(f.null), "zero": at(0.0), "baselines": [at(v) for v in f.baselines[:20]]},
        "ceiling_width": f"{196 * (f.ceiling_high - f.ceiling_low) / (high - low):.1f}" if np.isfinite(f.ceiling_low) else "0",
    }  # fmt: skip


# -- what was asked, warnings, methods, provenance -------------------------------------------------------------------


def _asked(results: Mapping[str, Result], stimuli: xr.DataArray | None) -> list[dict[str, Any]]:
    rows = []
    for name, result in results.items():
        facts: list[tuple[str, str]] = []
        if isinstance(result, Comparison):
            facts.append(("compared", _enumerated(names(result.data, "a"), kind_of_a(result))))
            facts.append(("with", _enumerated(names(result.data, "b"), "system")))
            facts.append(("measures", _enumerated(names(result.data, "measure"), "measure")))
            if result.baselines is not None:
                facts.append(("baseline", plural(result.baselines.sizes["seed"], "untrained seed")))
            n = result.data["n_stimuli"].values
            if np.isfinite(n).any():
                facts.append(("stimuli", f"{np.nanmax(n):.0f}"))
        elif isinstance(result, RDMs):
            facts.append(("systems", _enumerated(result.rdms["system"].values.tolist(), "system")))
            facts.append(("stimuli", f"{result.rdms.sizes['stimulus']}"))
        rows.append(
            {
                "step": shortened(visible(name), 60),
                "kind": type(result).__name__,
                "what": result.title,
                "facts": facts,
                "settings": settings_rows(result),
            }
        )
    if stimuli is not None and rows:
        shape = " × ".join(str(s) for s in stimuli.shape[1:])
        rows[0]["facts"].append(("pictures", f"{len(stimuli)} stimuli" + (f" of {shape}" if shape else "")))
    return rows


def _enumerated(entries: list[Any], noun: str, most: int = 8) -> str:
    shown = [shortened(visible(entry), 40) for entry in entries]
    if len(shown) == 1:
        return shown[0]
    if len(shown) <= most:
        return ", ".join(shown)
    return f"{plural(len(shown), noun)}: {', '.join(shown[:3])}, …, {shown[-1]}"


def _warnings(results: Mapping[str, Result], run: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Each warning once, with the steps it belongs to; the run's own stand first."""
    found: dict[tuple[str, str, str], list[str]] = {}
    said = (run or {}).get("warnings", ())
    for entry in said if isinstance(said, (list, tuple)) else ():
        if isinstance(entry, Mapping):
            key = tuple(str(entry.get(part, "")) for part in ("code", "message", "remedy"))
            found.setdefault(key, ["the run"])  # type: ignore[arg-type]
    for name, result in results.items():
        for caution in result.warnings:
            steps = found.setdefault((caution.code, caution.message, caution.remedy), [])
            steps.append(shortened(visible(name), 40))
    return [
        {
            "code": shortened(visible(code), 80),
            "message": shortened(visible(message), 2000),
            "remedy": shortened(visible(remedy), 2000),
            "steps": steps,
        }
        for (code, message, remedy), steps in list(found.items())[:_MOST_WARNINGS]
    ]


def _methods(results: Mapping[str, Result]) -> list[str]:
    return list(dict.fromkeys(sentence for result in results.values() for sentence in result.methods))


def _citations(results: Mapping[str, Result]) -> str:
    return bibtex(dict.fromkeys(key for result in results.values() for key in result.references))


def _versions(results: Mapping[str, Result]) -> list[tuple[str, str]]:
    seen: dict[str, list[str]] = {}
    for result in results.values():
        for name, version in result.versions.items():
            entries = seen.setdefault(str(name), [])
            if str(version) not in entries:
                entries.append(str(version))
    return [(name, ", ".join(entries)) for name, entries in seen.items()]


def _facts(run: Mapping[str, Any] | None) -> dict[str, Any]:
    """The run's facts: plain values, mappings as lists of facts, lists of mappings as tables."""
    plain: list[tuple[str, str]] = []
    nested: list[tuple[str, list[tuple[str, str]]]] = []
    tables: list[dict[str, Any]] = []
    for key, value in (run or {}).items():
        name = visible(key).replace("_", " ")
        if key in _SHOWN_ELSEWHERE:
            continue
        if isinstance(value, Mapping):
            entries = list(value.items())
            nested.append((name, [(shortened(visible(k), 80), _fact(v)) for k, v in entries[:_MOST_FACTS]]))
        elif isinstance(value, (list, tuple)) and value and all(isinstance(entry, Mapping) for entry in value):
            columns = list(dict.fromkeys(str(k) for entry in value for k in entry))
            rows = [[_fact(entry.get(c, "")) for c in columns] for entry in value[:_MOST_FACTS]]
            tables.append({"name": name, "columns": columns, "rows": rows, "total": len(value)})
        else:
            plain.append((name, _fact(value)))
    return {"plain": plain, "nested": nested, "tables": tables}


def _fact(value: Any) -> str:
    if isinstance(value, float):
        with contextlib.suppress(ValueError, OverflowError):
            return f"{value:.2f}" if abs(value) >= 0.01 else f"{value:.2g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{visible(k)} {_fact(v)}" for k, v in list(value.items())[:20])
    if isinstance(value, (list, tuple)):
        return ", ".join(_fact(entry) for entry in value[:20]) + (", …" if len(value) > 20 else "")
    return shortened(visible(value), 400)
