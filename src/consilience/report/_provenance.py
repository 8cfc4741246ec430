"""What stands around the numbers: what was asked, warnings, methods, citations, versions, the run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._citations import bibtex, references
from consilience._results import Comparison, RDMs, Result
from consilience.plots._labels import shortened, visible
from consilience.plots._read import names
from consilience.report._base import settings_rows
from consilience.report._words import kind_of_a, plural

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["asked", "citations", "facts", "methods", "versions", "warnings"]

_MOST_WARNINGS = 100
_MOST_FACTS = 200
_SHOWN_ELSEWHERE = ("warnings", "failures", "study", "title", "question")


def asked(results: Mapping[str, Result], stimuli: xr.DataArray | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, result in results.items():
        said: list[tuple[str, str]] = []
        if isinstance(result, Comparison):
            said.append(("compared", _enumerated(names(result.data, "a"), kind_of_a(result))))
            said.append(("with", _enumerated(names(result.data, "b"), "system")))
            said.append(("measures", _enumerated(names(result.data, "measure"), "measure")))
            if result.baselines is not None:
                said.append(("baseline", plural(result.baselines.sizes["seed"], "untrained seed")))
            n = result.data["n_stimuli"].values
            if np.isfinite(n).any():
                said.append(("stimuli", f"{np.nanmax(n):.0f}"))
        elif isinstance(result, RDMs):
            said.append(("systems", _enumerated(result.rdms["system"].values.tolist(), "system")))
            said.append(("stimuli", f"{result.rdms.sizes['stimulus']}"))
        else:
            said += _dims(getattr(result, "data", None))
        rows.append(
            {
                "step": shortened(visible(name), 60),
                "kind": type(result).__name__,
                "what": result.title,
                "facts": said,
                "settings": settings_rows(result),
            }
        )
    if stimuli is not None and rows:
        shape = " × ".join(str(s) for s in stimuli.shape[1:])
        rows[0]["facts"].append(("pictures", f"{len(stimuli)} stimuli" + (f" of {shape}" if shape else "")))
    return rows


def _dims(data: Any) -> list[tuple[str, str]]:
    """What the table of any other result runs over: names where there are some, else how many."""
    out = []
    sizes = getattr(data, "sizes", {})
    for dim, size in sizes.items():
        if str(dim).endswith("_") and str(dim)[:-1] in sizes:  # the same, along the other axis
            continue
        entries = data[dim].values.tolist() if dim in data.coords else []
        text = bool(entries) and all(isinstance(entry, str) for entry in entries)
        out.append((visible(dim), _enumerated(entries, visible(dim)) if text else f"{size:,}"))
    return out


def _enumerated(entries: list[Any], noun: str, most: int = 8) -> str:
    shown = [shortened(visible(entry), 40) for entry in entries]
    if len(shown) == 1:
        return shown[0]
    if len(shown) <= most:
        return ", ".join(shown)
    return f"{plural(len(shown), noun)}: {', '.join(shown[:3])}, …, {shown[-1]}"


def warnings(results: Mapping[str, Result], run: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Each warning once, with the steps it belongs to; the run's own stand first."""
    found: dict[tuple[str, str, str], list[str]] = {}
    said = (run or {}).get("warnings", ())
    for entry in said if isinstance(said, (list, tuple)) else ():
        if isinstance(entry, Mapping):
            code, message, remedy = (str(entry.get(part, "")) for part in ("code", "message", "remedy"))
            found.setdefault((code, message, remedy), ["the run"])
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


def methods(results: Mapping[str, Result]) -> list[str]:
    return list(dict.fromkeys(sentence for result in results.values() for sentence in result.methods))


def citations(results: Mapping[str, Result]) -> str:
    """BibTeX of all results; a key that references.bib lacks (another version's) stands as a comment."""
    keys = dict.fromkeys(key for result in results.values() for key in result.references)
    unknown = "".join(f"\n\n% no entry {visible(key)}" for key in keys if key not in references())
    return (bibtex(key for key in keys if key in references()) + unknown).strip()


def versions(results: Mapping[str, Result]) -> list[tuple[str, str]]:
    seen: dict[str, list[str]] = {}
    for result in results.values():
        for name, version in result.versions.items():
            entries = seen.setdefault(str(name), [])
            if str(version) not in entries:
                entries.append(str(version))
    return [(name, ", ".join(entries)) for name, entries in seen.items()]


def facts(run: Mapping[str, Any] | None) -> dict[str, Any]:
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
        elif (
            isinstance(value, (list, tuple)) and value and all(isinstance(entry, Mapping) for entry in value)
        ):
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
