"""``consilience inspect FILE``: what stands in a file or folder, and what an analysis would stumble over.

Severities: critical (results would be wrong, or it cannot be used; exit code 2), warning, hint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from consilience._cli._guard import tell
from consilience._cli._text import clean, counted, table
from consilience._core._errors import InputError

__all__ = ["command"]

_MOST_UNREAD = 12  # variables that are not read, a sentence each


def command(*, file: str, as_json: bool, options: tuple[str, ...] = ()) -> int:
    from consilience.sources import look_into, read_raw

    given = dict(map(_option, options))
    try:
        looked = look_into(file, **given)
        if looked is not None:
            return _recording(file, *looked, as_json=as_json)
        raw = read_raw(file, who="inspect")
    except InputError as error:
        if error.code == "is-a-result":
            return _result(file, as_json=as_json)
        if error.code != "which-member" or given:
            raise
        return _variables(file, as_json=as_json)
    facts, findings = _facts(raw), [*_findings(raw), *_doubts(raw)]
    if as_json:
        listed = [{"severity": severity, "text": text} for severity, text in findings]
        tell(json.dumps({"file": file, **facts, "findings": listed}, indent=1))
    else:
        tell(clean(file, 500))
        for line in table([(key, value) for key, value in facts.items() if value is not None], limit=100):
            tell(line)
        for severity, text in findings or [("ok", "nothing that an analysis would stumble over")]:
            tell(f"  {severity}: {clean(text, 600)}")
    return 2 if any(severity == "critical" for severity, _ in findings) else 0


def _recording(file: str, facts: list[tuple[str, str]], findings: list[Any], *, as_json: bool) -> int:
    if as_json:
        told: dict[str, Any] = {}
        for key, value in facts:
            told.setdefault(key, []).append(value)
        several = ("table", "signal", "not read", "holds")
        listed = {key: values if key in several else values[0] for key, values in told.items()}
        tell(json.dumps({"file": file, **listed, "findings": [vars(entry) for entry in findings]}, indent=1))
    else:
        tell(clean(file, 500))
        for line in table(facts, limit=200):
            tell(line)
        for entry in findings:
            tell(f"  {entry.severity}: {clean(entry.text, 600)} [{entry.code}]")
        if not findings:
            tell("  ok: nothing that an analysis would stumble over")
    return 2 if any(entry.severity == "critical" for entry in findings) else 0


def _option(text: str) -> tuple[str, Any]:
    """``name=value`` of an option of the reader; numbers, lists and true or false as YAML has them."""
    import yaml

    name, equals, value = text.partition("=")
    try:
        if not equals or not name.isidentifier():
            raise ValueError
        return name, yaml.safe_load(value)
    except (ValueError, yaml.YAMLError):
        raise InputError(
            f"inspect: --option must be NAME=VALUE, such as rate=30, got {clean(text, 60)!r}.",
            code="bad-parameter",
        ) from None


def _variables(file: str, *, as_json: bool) -> int:
    """What stands in a file of which several variables could be meant."""
    from consilience.sources import Finding, variables

    found = variables(file)
    facts = [("holds", line.strip()) for line in repr(found).splitlines()[1:]]
    unread = [
        Finding("warning", "not-read", entry.sentence(name))
        for name, entry in islice(found.unread(), _MOST_UNREAD)
    ]
    say = Finding(
        "hint",
        "which-member",
        "several variables; name those that are meant: --option spikes=NAME (signals, trials, events), or in Python "
        "cs.read(path, spikes='NAME'); for other arrays cs.sources.variables(path)['NAME'] and cs.responses",
    )
    return _recording(file, facts, [*unread, say], as_json=as_json)


def _result(file: str, *, as_json: bool) -> int:
    from consilience._results import load, result_hash

    result = load(file)
    if as_json:
        tell(
            json.dumps(
                {"file": file, "class": type(result).__name__, "sha256": result_hash(result)}, indent=1
            )
        )
    else:
        tell("\n".join(clean(line, 300) for line in repr(result).splitlines()))
    return 0


def _facts(raw: Any) -> dict[str, Any]:
    values = raw.values
    numeric = values.dtype.kind in "biuf" and values.size
    finite = values[np.isfinite(values)] if numeric and values.dtype.kind == "f" else values
    return {
        "format": raw.format,
        "shape": " x ".join(map(str, values.shape)) or "scalar",
        "dims": ", ".join(raw.dims or raw.series or ()) or None,
        "dtype": str(values.dtype),
        "range": f"{finite.min():g} to {finite.max():g}" if numeric and finite.size else None,
        "NaN": int(np.isnan(values).sum()) if numeric and values.dtype.kind == "f" else 0,
        "stimulus ids": _examples(raw.stimulus),
        "units": _examples(raw.unit),
        "kind": clean(raw.attrs["kind"]) if "kind" in raw.attrs else None,
        "labels": ", ".join(clean(name, 40) for name in raw.labels) or None,
    }


def _examples(entries: np.ndarray | None) -> str | None:
    if entries is None:
        return None
    different = list(dict.fromkeys(np.ravel(entries).tolist()))
    shown = ", ".join(clean(entry, 20) for entry in different[:3])
    many = f"{np.size(entries)}" + (
        f", {len(different)} different" if len(different) < np.size(entries) else ""
    )
    return f"{many} ({shown}{', ...' if len(different) > 3 else ''})"


def _doubts(raw: Any) -> Iterator[tuple[str, str]]:
    """What `read_array` would warn of."""
    from consilience.sources import doubt_responses

    for caution in (
        raw.cautions if raw.dims and "stimulus_" in raw.dims else doubt_responses(raw, "the array")
    ):
        yield "warning", f"{caution.message} {caution.remedy} [{caution.code}]"


def _findings(raw: Any) -> Iterator[tuple[str, str]]:
    values = raw.values
    if values.dtype.kind not in "biuf":
        yield "critical", f"the values are of type {values.dtype}, not real numbers"
        return
    if values.size == 0:
        yield "critical", "the array is empty"
        return
    stack = not raw.dims and _looks_like_stack(values)
    if values.ndim == 3 and not raw.dims:
        yield _of_three(raw, stack)
    elif values.ndim != 2 and not raw.dims:
        yield (
            "critical",
            f"{counted(values.ndim, 'dimension')}; an array (trial, unit) is expected, or dims must be named",
        )
    if values.dtype.kind == "f":
        infinite, missing = int(np.isinf(values).sum()), int(np.isnan(values).sum())
        if infinite:
            yield "critical", counted(infinite, "infinite value")
        square = values.ndim == 2 and _looks_like_stack(values[None])
        if missing and (stack or square or (raw.dims and "stimulus_" in raw.dims)):
            yield (
                "critical",
                f"{counted(missing, 'NaN value')}; cs.rdm_data and the commands refuse RDMs with missing pairs: drop "
                "those stimuli (in Python, cs.measures.compare_rdms leaves the pairs out with missing='omit')",
            )
        elif missing:
            yield (
                "critical",
                f"{counted(missing, 'NaN value')}; NaN is refused unless trials with it are left out "
                "(missing='omit')",
            )
    if raw.stimulus is None and ("time", "unit") not in (raw.series, raw.dims):
        yield "warning", "no stimulus ids; rows would be matched by their order. Give ids"
    elif values.ndim == 2 and np.size(raw.stimulus) == values.shape[1] != values.shape[0]:
        yield (
            "critical",
            f"{np.size(raw.stimulus)} stimulus ids for {counted(values.shape[0], 'row')} of {values.shape[1]}: units x "
            "stimuli, transposed? Rows are trials, columns units",
        )
    elif np.unique(raw.stimulus).size < np.size(raw.stimulus):
        extra = np.size(raw.stimulus) - np.unique(raw.stimulus).size
        word = "hint" if "repeat" in raw.labels else "warning"
        yield (
            word,
            f"{counted(extra, 'row')} {'has' if extra == 1 else 'have'} a stimulus id that came before"
            + ("" if word == "hint" else "; say repeat: count if those rows are repeats"),
        )
    if values.ndim == 2 and (raw.dims is None or "unit" in raw.dims) and values.shape[0] > 1:
        flat = np.asarray(values, dtype=np.float64)
        spread, scale = flat.std(axis=0), np.abs(flat).max(axis=0)
        constant = int((spread <= 1e-12 * np.maximum(scale, 1e-300)).sum())
        if constant:
            yield (
                "warning",
                f"{constant} of {counted(values.shape[1], 'unit')} {'is' if constant == 1 else 'are'} constant",
            )
        if values.shape[0] < 4:
            yield "warning", f"{counted(values.shape[0], 'trial')}; most measures need at least 4 stimuli"


def _of_three(raw: Any, stack: bool) -> tuple[str, str]:
    """What an array of three dimensions is, and which commands read it."""
    if stack:
        return (
            "hint",
            "(rdm, stimulus, stimulus): a stack of RDMs; evaluate-models, rdms, partition, compare, equivalence read "
            "it with --rdm DISTANCE, a study with rdm: DISTANCE; --label subject=FILE says of whom each is",
        )
    shape = " x ".join(map(str, raw.values.shape))
    if raw.series is not None:
        return (
            "hint",
            f"(trial, time, unit): {shape}; rdm-movie reads it, and a study with dims: [trial, time, unit]",
        )
    return (
        "warning",
        f"three dimensions ({shape}) and no times; if (trial, time, unit), rdm-movie reads it with --time FILE, a "
        "study with dims: [trial, time, unit]",
    )


def _looks_like_stack(values: np.ndarray) -> bool:
    """Square, symmetric matrices with a diagonal of 0, but for NaN."""
    if values.ndim != 3 or values.shape[1] != values.shape[2] or values.shape[1] < 3:
        return False
    known = np.nan_to_num(np.asarray(values, dtype=np.float64))
    largest = float(np.abs(known).max())
    flat = np.abs(np.diagonal(known, axis1=1, axis2=2)).max() <= 1e-6 * largest
    return bool(
        largest > 0 and flat and np.allclose(known, np.swapaxes(known, 1, 2), rtol=1e-5, atol=1e-6 * largest)
    )
