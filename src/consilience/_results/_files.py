"""Results in netCDF-4 files: written whole or not at all, hashed, and checked when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, cautions_from_json, cautions_to_json
from consilience._core._params import shorten
from consilience._core._whole_file import plain_path, whole_file
from consilience._results._ablation import Ablation
from consilience._results._agreement import Agreement
from consilience._results._attribution import Attribution
from consilience._results._base import Result
from consilience._results._best import Best
from consilience._results._comparison import Comparison
from consilience._results._contrasts import Contrasts
from consilience._results._deciding import DecidingStimuli
from consilience._results._decoding import Decoding
from consilience._results._dimensionality import Dimensionality
from consilience._results._encoding import Encoding
from consilience._results._equivalence import Equivalence
from consilience._results._evaluation import ModelEvaluation
from consilience._results._geometry import Geometry
from consilience._results._influence import Influence
from consilience._results._interchange import Interchange
from consilience._results._partition import VariancePartition
from consilience._results._patching import Patching
from consilience._results._perturbation_score import PerturbationScore
from consilience._results._predicted_perturbation import PredictedPerturbation
from consilience._results._psth import PSTH
from consilience._results._quality import Quality
from consilience._results._rdm_movie import RDMMovie
from consilience._results._rdms import RDMs
from consilience._results._receptive_field import ReceptiveField
from consilience._results._reduction import Reduction
from consilience._results._robustness import Robustness
from consilience._results._searchlight import Searchlight
from consilience._results._selectivity_impact import SelectivityImpact
from consilience._results._shape_space import ShapeSpace
from consilience._results._shapley import Shapley
from consilience._results._structure import Structure
from consilience._results._subspaces import Subspaces
from consilience._results._synthesis import Synthesis
from consilience._results._unit_report import UnitReport
from consilience._results._unit_table import UnitTable

CLASSES: dict[str, type[Result]] = {
    "Interchange": Interchange,
    "Robustness": Robustness,
    "Attribution": Attribution,
    "Patching": Patching,
    "Comparison": Comparison,
    "Contrasts": Contrasts,
    "Equivalence": Equivalence,
    "ModelEvaluation": ModelEvaluation,
    "Best": Best,
    "RDMs": RDMs,
    "Encoding": Encoding,
    "PSTH": PSTH,
    "UnitTable": UnitTable,
    "UnitReport": UnitReport,
    "Quality": Quality,
    "RDMMovie": RDMMovie,
    "ReceptiveField": ReceptiveField,
    "Searchlight": Searchlight,
    "SelectivityImpact": SelectivityImpact,
    "VariancePartition": VariancePartition,
    "ShapeSpace": ShapeSpace,
    "Shapley": Shapley,
    "Structure": Structure,
    "Synthesis": Synthesis,
    "PredictedPerturbation": PredictedPerturbation,
    "PerturbationScore": PerturbationScore,
    "Ablation": Ablation,
    "Agreement": Agreement,
    "DecidingStimuli": DecidingStimuli,
    "Decoding": Decoding,
    "Dimensionality": Dimensionality,
    "Geometry": Geometry,
    "Subspaces": Subspaces,
    "Influence": Influence,
    "Reduction": Reduction,
}

_FORMAT = 1


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\0", "\\0")


def _unescape(text: str) -> str:
    out, i = [], 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            out.append("\0" if text[i + 1] == "0" else text[i + 1])
            i += 2
        else:
            out.append(text[i])
            i += 1
    return "".join(out)


def _map_text(data: xr.Dataset, function: Any) -> xr.Dataset:
    def mapped(variable: xr.Variable) -> xr.Variable:
        if variable.dtype.kind not in "OUT":
            return variable
        flat = [function(str(entry)) for entry in variable.values.reshape(-1).tolist()]
        return xr.Variable(
            variable.dims, np.array(flat, dtype=object).reshape(variable.shape), variable.attrs
        )

    coords = {name: mapped(coord.variable) for name, coord in data.coords.items()}
    return xr.Dataset(
        {n: mapped(v.variable) for n, v in data.data_vars.items()}, coords=coords, attrs=data.attrs
    )


def _hash_dataset(digest: Any, name: str, data: xr.Dataset) -> None:
    digest.update(f"[{name}]".encode())
    for key in sorted(map(str, data.variables)):
        variable = data.variables[key]
        digest.update(f"{key}{variable.dims}{variable.shape}".encode())
        if variable.dtype.kind in "OUT":
            digest.update(json.dumps([str(entry) for entry in variable.values.reshape(-1).tolist()]).encode())
        elif variable.dtype.kind in "iub":
            digest.update(np.ascontiguousarray(variable.values, dtype=np.int64).tobytes())
        else:
            digest.update(
                f"{variable.dtype.itemsize}".encode() + np.ascontiguousarray(variable.values).tobytes()
            )
        digest.update(
            json.dumps({str(k): str(v) for k, v in variable.attrs.items()}, sort_keys=True).encode()
        )


def _of_results(value: Any) -> bool:
    """Whether a field is {name: result}, as in a card of a unit; each is kept in groups of its own."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(part, Result) for part in value.values())
    )


def _parts(result: Result) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    groups: dict[str, xr.Dataset] = {}
    header: dict[str, Any] = {}
    arrays = []
    for entry in fields(result):
        value = getattr(result, entry.name)
        if isinstance(value, xr.DataArray):
            groups[entry.name] = value.rename("values").to_dataset()
            if isinstance(value.name, str):
                groups[entry.name].attrs["array_name"] = value.name
            arrays.append(entry.name)
        elif isinstance(value, xr.Dataset):
            groups[entry.name] = value
        elif entry.name == "warnings":
            header["warnings"] = json.loads(cautions_to_json(value))
        elif _of_results(value):
            header[entry.name] = {}
            for name, part in value.items():
                inner, header[entry.name][name] = _parts(part)
                groups |= {f"{entry.name}/{name}/{group}": data for group, data in inner.items()}
        elif value is not None:
            header[entry.name] = (
                list(value)
                if isinstance(value, tuple)
                else dict(value)
                if isinstance(value, Mapping)
                else value
            )
    text = json.dumps(header, sort_keys=True)
    return groups, {"class": type(result).__name__, "header": text, "arrays": json.dumps(arrays)}


def result_hash(result: Result) -> str:
    """SHA-256 over all values, labels, settings and warnings; equal for equal results, whatever file they
    stand in.
    """
    groups, header = _parts(result)
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(groups):
        _hash_dataset(digest, name, groups[name])
    return digest.hexdigest()


def save(result: Result, path: str | os.PathLike[str]) -> Path:
    groups, header = _parts(result)
    with whole_file(path, who="save", example="result.nc") as temporary:
        root = xr.Dataset(attrs={"consilience_format": _FORMAT, **header, "sha256": result_hash(result)})
        root.attrs["header"] = _escape(str(root.attrs["header"]))
        root.to_netcdf(temporary, mode="w", engine="h5netcdf")
        for name, data in groups.items():
            safe = _map_text(data, _escape)
            encoding = {
                str(k): {"fletcher32": True}
                for k, v in safe.variables.items()
                if v.dtype.kind in "fiu" and v.ndim and v.size
            }
            safe.to_netcdf(temporary, mode="a", group=name, engine="h5netcdf", encoding=encoding)
    return Path(path)


def _leaves(group: Any, prefix: str = "") -> Iterator[str]:
    """Paths of the groups that hold no further groups."""
    import h5py

    for name, inner in group.items():
        if isinstance(inner, h5py.Group):
            deeper = list(_leaves(inner, f"{prefix}{name}/"))
            yield from deeper or [f"{prefix}{name}"]


def _made(about: Mapping[str, Any], groups: Mapping[str, xr.Dataset]) -> Result:
    """The result that `_parts` took apart."""
    cls = CLASSES[str(about["class"])]
    header = json.loads(str(about["header"]))
    arrays = json.loads(str(about["arrays"]))
    values: dict[str, Any] = {
        name: data["values"].rename(data.attrs.get("array_name")) if name in arrays else data
        for name, data in groups.items()
        if "/" not in name
    }
    for field in {name.split("/")[0] for name in groups if "/" in name}:
        values[field] = {}
        for name, inner in header.pop(field).items():
            start = f"{field}/{name}/"
            own = {key.removeprefix(start): data for key, data in groups.items() if key.startswith(start)}
            values[field][name] = _made(inner, own)
    header["warnings"] = cautions_from_json(json.dumps(header.get("warnings", [])))
    for key in ("references", "methods"):
        header[key] = tuple(header.get(key, ()))
    return cls(**header, **values)


def load(path: str | os.PathLike[str]) -> Result:
    """Reads a result that `Result.save` wrote, and checks its SHA-256.

    Raises
    ------
    InputError : no such file, not one of our results, or damaged (the hash over all values and labels does
        not match).
    """
    source = plain_path(path, "cs.load")
    if not source.is_file():
        raise InputError(
            f"cs.load: {source} is not a file; give a result written by .save().", code="no-file"
        )
    with source.open("rb") as stream:
        if stream.read(8) != b"\x89HDF\r\n\x1a\n":
            raise InputError(
                f"cs.load: {source} is not a netCDF-4 file; give a result written by .save().",
                code="not-a-result",
            )
    try:
        with xr.open_dataset(source, engine="h5netcdf") as root:
            attrs = dict(root.attrs)
        if "consilience_format" not in attrs:
            raise InputError(
                f"cs.load: {source} is a netCDF file but not a result of this package.", code="not-a-result"
            )
        if int(attrs["consilience_format"]) > _FORMAT:
            raise InputError(
                f"cs.load: {source} was written by a newer version; update this package to read it.",
                code="not-a-result",
            )
        import h5py

        with h5py.File(source, "r") as file:
            names = list(_leaves(file))
        groups = {}
        for name in names:
            with xr.open_dataset(source, engine="h5netcdf", group=name) as data:
                groups[name] = _map_text(data.load(), _unescape)
        about = {
            "class": attrs["class"],
            "header": _unescape(str(attrs["header"])),
            "arrays": attrs["arrays"],
        }
        result = _made(about, groups)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a damaged file does in the reader, the user gets one sentence
        raise InputError(
            f"cs.load: {source} is damaged or incomplete ({type(error).__name__}: {shorten(str(error))}); "
            "compute it again.",
            code="damaged-file",
        ) from None
    if result_hash(result) != attrs.get("sha256"):
        raise InputError(
            f"cs.load: {source} is damaged (its SHA-256 does not match its content); compute it again.",
            code="damaged-file",
        )
    return result
