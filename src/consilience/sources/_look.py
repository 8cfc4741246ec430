"""What `consilience inspect` says about a recording: facts, and findings in order of severity."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError, collect_cautions
from consilience._recording import Recording
from consilience._recording._finding import Finding, counted, named, span_in_words
from consilience.sources._door import read_parts
from consilience.sources._files import show
from consilience.sources._find_in_signals import find_in_signals
from consilience.sources._find_in_spikes import find_in_spikes, unit_names
from consilience.sources._find_in_tables import find_in_tables, recorded_span
from consilience.sources._nifti import sidecar_of
from consilience.sources._parts import Parts

__all__ = ["Finding", "find", "look_into"]

_ORDER = ("critical", "warning", "hint")


def look_into(
    path: str | os.PathLike[str], **options: Any
) -> tuple[list[tuple[str, str]], list[Finding]] | None:
    """(facts, findings) of a recording, or None where the file holds an array.

    Raises
    ------
    InputError : as `cs.read`, of a file that cannot be read at all.
    """
    with collect_cautions() as said:
        found, place, got = read_parts(path, options=options, arrays=False)
    if found.name == "array":
        return None
    if not isinstance(got, (Parts, Recording)):
        shape = ", ".join(f"{dim} {size}" for dim, size in got.sizes.items())
        facts = [("format", found.name), ("responses", f"{shape}; {got.attrs['kind']}{_list(got.coords)}")]
        return facts, [Finding("warning", c.code, f"{c.message} {c.remedy}".strip()) for c in said]
    parts = got if isinstance(got, Parts) else Parts.of(got, format=found.name)
    findings = find(parts, said, show(place))
    if found.name == "nifti" and "events" not in options and not sidecar_of(place).is_file():
        findings.append(
            Finding(
                "hint",
                "series-or-maps",
                "volumes are read as a time series; if each is an estimate of one trial (betas, t maps), give "
                "cs.read(path, ids=[...]) the stimulus ids: responses (trial, voxel)",
            )
        )
    return _facts(parts), findings


def find(parts: Parts, said: list[Caution], name: str) -> list[Finding]:
    """All findings, the worst first."""
    found = [*find_in_spikes(parts), *find_in_tables(parts), *find_in_signals(parts)]
    for caution in dict.fromkeys([*parts.cautions, *said]):
        same = {"unsorted-spikes": "unsorted-spikes", "looks-transposed": "transposed"}.get(caution.code)
        if same is None or all(entry.code != same for entry in found):
            found.append(Finding("warning", caution.code, f"{caution.message} {caution.remedy}".strip()))
    if all(entry.severity != "critical" for entry in found):
        try:
            with collect_cautions():
                parts.recording(who=f"reading {name}")
        except InputError as error:
            found.append(Finding("critical", error.code, str(error)))
    if parts.times is None and not parts.signals:
        found.append(Finding("warning", "nothing-recorded", "neither spike times nor signals"))
    return sorted(found, key=lambda entry: _ORDER.index(entry.severity))


def _facts(parts: Parts) -> list[tuple[str, str]]:
    facts = [("format", parts.format)]
    about = ", ".join(filter(None, (parts.subject, parts.session)))
    if about:
        facts.append(("subject", about))
    if parts.times is not None and parts.splits is not None:
        facts += _spikes(parts, parts.times, np.diff(parts.splits))
    span = recorded_span(parts)
    if span is not None:
        stated = "observed" if parts.observed is not None else "span"
        facts.append((stated, f"{span[0]:g} to {span[1]:g} s ({span_in_words(span[1] - span[0])})"))
    for name, table in parts.tables.items():
        word = "event" if table.stop is None else "interval"
        facts.append(
            (
                "table",
                f"{name}: {counted(table.start.size, word)}{_range(table.start, table.stop)}{_list(table.columns)}",
            )
        )
    for name, signal in parts.signals.items():
        shape = " x ".join(map(str, signal.values.shape))
        step = np.diff(signal.time)
        rate = f", {1 / float(np.median(step)):.4g} Hz" if step.size and np.median(step) > 0 else ""
        unit = f" in {signal.unit}" if signal.unit else ""
        facts.append(
            (
                "signal",
                f"{name}: {shape}, {signal.kind}{unit}{_range(signal.time, None)}{rate}{_list(signal.columns)}",
            )
        )
    facts += [("not read", str(entry)) for entry in parts.attrs.get("not_read", ())]
    return facts


def _spikes(parts: Parts, times: np.ndarray, counts: np.ndarray) -> list[tuple[str, str]]:
    names = unit_names(parts, counts.size)
    facts = [("units", f"{counts.size} {named(names)}{_list(parts.units)}")]
    known = times[np.isfinite(times)]
    said = str(times.size)
    if known.size and counts.size and known.max() > known.min():
        rate = counts / (known.max() - known.min())
        said += f"; {rate.min():.3g} to {rate.max():.3g} spikes/s a unit, median {np.median(rate):.3g}"
    return [*facts, ("spikes", said + _range(times, None))]


def _range(low: np.ndarray, high: np.ndarray | None) -> str:
    known = [entry[np.isfinite(entry)] for entry in (low, low if high is None else high)]
    return f", {known[0].min():g} to {known[1].max():g} s" if known[0].size and known[1].size else ""


def _list(columns: Any) -> str:
    return f"; columns {', '.join(str(name)[:40] for name in columns)}" if columns else ""
