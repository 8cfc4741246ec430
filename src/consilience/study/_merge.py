"""Comparisons of the same pairs by different measures, as one Comparison; a result of one part stays what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import xarray as xr

from consilience._core._errors import Caution, InputError
from consilience._results import Comparison, Result

__all__ = ["merge"]

_PARTS = tuple(sorted({f.name for f in fields(Comparison)} - {f.name for f in fields(Result)}))


def merge(parts: Sequence[Any], *, versions: Mapping[str, str] | None = None) -> Any:
    """Joins comparisons along ``measure``; pairs, draws and seeds must be the same in all. Another result is one
    part.

    Parameters
    ----------
    parts : comparisons of the same systems, each by other measures.
    versions : replaces the recorded versions (a study records what it needs, whatever else the process
        had loaded).
    """
    if not parts:
        raise InputError("study: no comparison to merge.", code="too-few")
    first = parts[0]
    values: dict[str, Any] = {}
    if len(parts) > 1:
        values = {name: _joined([getattr(part, name) for part in parts], name) for name in _PARTS}
        values["settings"] = _settings([part.settings for part in parts])
        for name in ("references", "methods"):
            values[name] = tuple(dict.fromkeys(entry for part in parts for entry in getattr(part, name)))
        values["warnings"] = _cautions(parts)
    return replace(first, **values, versions=dict(versions) if versions is not None else first.versions)


def _joined(entries: list[Any], name: str) -> Any:
    """Along ``measure``. Draws may be absent or fewer for some measures (their resampling rule), and so may the
    best; all else must fit."""
    present = [entry for entry in entries if entry is not None]
    drawn = name.endswith("draws") or name == "leave_one_out"
    if present and len(present) < len(entries) and not (drawn or name.startswith("best")):
        raise InputError(
            f"study: only some measures have {name}; they cannot be one result.", code="cannot-merge"
        )
    if len(present) < 2:
        return present[0] if present else None
    return xr.concat(
        present, dim="measure", join="outer" if drawn else "exact", combine_attrs="drop_conflicts"
    )


def _settings(all_settings: list[Mapping[str, Any]]) -> dict[str, Any]:
    """What is equal stays; lists (``measures``) are strung together; what else differs becomes a list."""
    out: dict[str, Any] = {}
    for key in dict.fromkeys(key for settings in all_settings for key in settings):
        entries: list[Any] = [settings.get(key) for settings in all_settings]
        if all(entry == entries[0] for entry in entries):
            out[key] = entries[0]
        elif all(isinstance(entry, list) for entry in entries):
            out[key] = [value for entry in entries for value in entry]
        else:
            out[key] = entries
    return out


def _cautions(parts: Sequence[Comparison]) -> tuple[Caution, ...]:
    return tuple(dict.fromkeys(caution for part in parts for caution in part.warnings))
