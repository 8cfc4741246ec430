"""``consilience inspect FILE``: what stands in a file, and what an analysis would stumble over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from consilience._cli._guard import tell
from consilience._cli._text import clean, counted, table
from consilience._core._errors import InputError

__all__ = ["command"]


def command(*, file: str, as_json: bool) -> int:
    from consilience.sources import read_raw

    try:
        raw = read_raw(file, who="inspect")
    except InputError as error:
        if error.code != "is-a-result":
            raise
        return _result(file, as_json=as_json)
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
    return 2 if any(severity == "error" for severity, _ in findings) else 0


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
        "dims": ", ".join(raw.dims) if raw.dims else None,
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
    shown = ", ".join(clean(entry, 20) for entry in np.ravel(entries)[:3].tolist())
    return f"{np.size(entries)} ({shown}{', ...' if np.size(entries) > 3 else ''})"


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
        yield "error", f"the values are of type {values.dtype}, not real numbers"
        return
    if values.size == 0:
        yield "error", "the array is empty"
        return
    if values.ndim != 2 and not raw.dims:
        yield (
            "error",
            f"{counted(values.ndim, 'dimension')}; an array (trial, unit) is expected, or dims must be named",
        )
    if values.dtype.kind == "f":
        infinite, missing = int(np.isinf(values).sum()), int(np.isnan(values).sum())
        if infinite:
            yield "error", counted(infinite, "infinite value")
        if missing:
            yield (
                "error",
                f"{counted(missing, 'NaN value')}; NaN is refused unless trials with it are left out "
                "(missing='omit')",
            )
    if raw.stimulus is None:
        yield "warning", "no stimulus ids; rows would be matched by their order. Give ids"
    elif np.unique(raw.stimulus).size < np.size(raw.stimulus):
        extra = np.size(raw.stimulus) - np.unique(raw.stimulus).size
        word = "info" if "repeat" in raw.labels else "warning"
        yield (
            word,
            f"{counted(extra, 'row')} {'has' if extra == 1 else 'have'} a stimulus id that came before"
            + ("" if word == "info" else "; say repeat: count if those rows are repeats"),
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
