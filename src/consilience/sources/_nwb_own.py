"""What NWB has no place for, in the files that `write_nwb` writes: one JSON text, ``general/source_script``.

Written names differ from ours where NWB forbids ours; kinds, channels and their columns have no place in a TimeSeries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.sources._hdf5 import text_of
from consilience.sources._parts import Parts, TableParts

__all__ = ["OWN", "column_json", "restored", "written_name"]

OWN = "consilience"  # source_script/file_name of our files


def column_json(values: np.ndarray) -> dict[str, Any]:
    """A column as JSON: its type and entries."""
    return {"dtype": values.dtype.kind, "values": values.tolist()}


def _column(entry: Any) -> np.ndarray:
    kinds = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64, "U": np.str_}
    return np.array(entry["values"], dtype=kinds[entry["dtype"]])


def written_name(name: str, taken: set[str]) -> str:
    """A name that NWB allows and that is not taken yet; it is put into ``taken``."""
    plain = re.sub(r"[/:\x00-\x1f\x7f]", "_", name.encode("utf-8", "replace").decode("utf-8")).strip()
    plain = plain if plain.strip(".") else "unnamed"
    found, k = plain, 1
    while found in taken or found.endswith("_index"):
        k += 1
        found = f"{plain}_{k}"
    taken.add(found)
    return found


def restored(parts: Parts, file: Any) -> Parts | None:
    """The parts as our own JSON says, where the file is one of ours, else None. Signals and tables come by their place
    in the file."""
    script = file.get("general/source_script")
    if script is None or text_of(script.attrs.get("file_name", "")) != OWN:
        return None
    try:
        return _with(parts, json.loads(text_of(script)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the description that was written with the recording (general/source_script) is damaged ({error}).",
            code="damaged-file",
        ) from None


def _with(parts: Parts, said: dict[str, Any]) -> Parts:
    signals = {
        about["name"]: replace(
            parts.signals[place],
            kind=about["kind"],
            unit=about["unit"],
            channels=_column(about["channels"]),
            columns=_columns(about["columns"]),
        )
        for place, about in said["signals"].items()
    }
    tables = {
        about["name"]: replace(parts.tables[place], columns=_renamed(parts.tables[place].columns, about))
        for place, about in said["tables"].items()
    }
    observed = None
    if said["observed"] is not None:
        observed = TableParts(
            start=np.array(said["observed"]["start"], dtype=np.float64),
            stop=np.array(said["observed"]["stop"], dtype=np.float64),
            columns=_columns(said["observed"]["columns"]),
        )
    return replace(
        parts,
        name=str(said["name"]),
        subject=str(said["subject"]),
        session=str(said["session"]),
        signals=signals,
        tables=tables,
        units={} if said["units"] is None else _renamed(parts.units, said["units"]),
        observed=observed,
        observed_by_unit=parts.observed_by_unit if said.get("observed_differs") else None,
        attrs={**parts.attrs, **said["attrs"]},
    )


def _renamed(columns: Mapping[str, np.ndarray], about: dict[str, Any]) -> dict[str, np.ndarray]:
    kept = _columns(about["kept"])
    return {**{about["columns"][key]: columns[key] for key in about["columns"]}, **kept}


def _columns(entries: dict[str, Any]) -> dict[str, np.ndarray]:
    return {str(key): _column(entry) for key, entry in entries.items()}
