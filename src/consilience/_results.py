"""Results: frozen dataclasses that carry value, interval, null and ceiling, print on one screen, and save to netCDF-4."""

from __future__ import annotations

import hashlib
import html
import importlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import xarray as xr

from consilience._core._citations import bibtex
from consilience._core._errors import Caution, InputError, UnknownNameError, cautions_from_json, cautions_to_json, nearest
from consilience._core._params import check_option, shorten

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RDMs", "Best", "Comparison", "Result", "load", "result_hash", "versions"]

# result -> "module:function" that draws it on an axis, and that renders its report section; a test resolves every entry
PLOTS = {
    "Comparison": "consilience.plots:plot_comparison",
    "Best": "consilience.plots:plot_best",
    "RDMs": "consilience.plots:plot_rdms",
}
SECTIONS = {
    "Comparison": "consilience.report:comparison_section",
    "RDMs": "consilience.report:rdms_section",
}


def versions() -> dict[str, str]:
    """Versions of this package and of what computed the numbers."""
    from importlib.metadata import PackageNotFoundError, version

    out = {"python": platform.python_version()}
    for name in ("consilience", "numpy", "scipy", "xarray", "scikit-learn", "torch"):
        if name == "torch" and "torch" not in sys.modules:
            continue
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out


def resolve(table: Mapping[str, str], name: str) -> Any:
    module, function = table[name].split(":")
    return getattr(importlib.import_module(module), function)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Result:
    """Base of every result: settings that rebuild it, seed, versions, warnings, reference keys.

    settings : plain JSON values.   seed : the recorded seed as text.   versions : package -> version.
    warnings : tuple of `Caution` (code, message, remedy).   references : keys of references.bib.   methods : sentences for a methods section.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: str = ""
    versions: Mapping[str, str] = field(default_factory=versions)
    warnings: tuple[Caution, ...] = ()
    references: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    title: ClassVar[str] = "Result"

    def citations(self) -> str:
        """BibTeX of the methods and data that this result used."""
        return bibtex(self.references)

    def to_frame(self) -> pd.DataFrame:
        raise InputError(f"{type(self).__name__} has no table form.")

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draws the result on a matplotlib axis (a new one by default) and returns the axis."""
        return resolve(PLOTS, type(self).__name__)(self, ax=ax, **options)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the result to one netCDF-4 file (complete or not at all); `cs.load` reads it and checks it."""
        return save(self, path)

    def _lines(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        head = f"<{type(self).__name__}> {self.title}"
        foot = [f"  warning {caution.code}: {caution.message}" for caution in self.warnings[:4]]
        if len(self.warnings) > 4:
            foot.append(f"  and {len(self.warnings) - 4} more warnings in .warnings")
        return "\n".join([head, *self._lines(), *foot])

    def _repr_html_(self) -> str:
        table = self.to_frame().head(40).to_html(index=False, border=0, float_format=lambda v: f"{v:.4g}", escape=True)
        said = "".join(f"<li><code>{html.escape(c.code)}</code> {html.escape(c.message)} {html.escape(c.remedy)}</li>" for c in self.warnings)
        return f"<div><strong>{html.escape(type(self).__name__)}</strong> {html.escape(self.title)}{table}{'<ul>' + said + '</ul>' if said else ''}</div>"


def _only(data: xr.DataArray, who: str) -> float:
    if data.size != 1:
        raise InputError(f"{who} exists for one pair; this result has {data.size}: use .to_frame() or .data.sel(measure=..., a=..., b=...).", code="not-one-pair")
    return float(data.values.reshape(-1)[0])


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Comparison(Result):
    """How alike systems are: every measure, for every pair of a system on side a and one on side b. Made by `cs.compare`.

    data : Dataset (measure, a, b) with
        value (mean over subjects), value_pooled (against the mean RDM, where there are several subjects),
        ci_low, ci_high (interval over stimuli, conditional on the subjects), ci_subjects_low/_high, ci_both_low/_high (stimuli and
        subjects together), p (stimulus permutation, one-sided), p_fwer (max-statistic over side a), null_mean (mean of the permutations),
        null_expected (closed form for independent data), ceiling_low, ceiling_high, ratio (value / ceiling_high),
        n_stimuli, n_subjects, n_units_a, n_units_b. NaN = not asked for or does not exist.
    draws : DataArray (measure, a, b, draw), the same resamples of stimuli for all pairs; None with n_boot=0.
    baselines, baseline_draws : the same with a leading dim seed, for untrained copies of side a; or None.
    best_a, best_b : Datasets behind `best`; None where that side has one system.
    """

    data: xr.Dataset
    draws: xr.DataArray | None = None
    baselines: xr.Dataset | None = None
    baseline_draws: xr.DataArray | None = None
    best_a: xr.Dataset | None = None
    best_b: xr.Dataset | None = None

    title: ClassVar[str] = "how alike two systems represent the same stimuli"

    @property
    def value(self) -> float:
        """The value, where there is one pair."""
        return _only(self.data["value"], "Comparison.value")

    @property
    def interval(self) -> tuple[float, float]:
        """(ci_low, ci_high) over stimuli, where there is one pair."""
        return _only(self.data["ci_low"], "Comparison.interval"), _only(self.data["ci_high"], "Comparison.interval")

    @property
    def p(self) -> float:
        return _only(self.data["p"], "Comparison.p")

    @property
    def ceiling(self) -> tuple[float, float]:
        return _only(self.data["ceiling_low"], "Comparison.ceiling"), _only(self.data["ceiling_high"], "Comparison.ceiling")

    @property
    def null(self) -> float:
        """Mean of the permutations, where there is one pair."""
        return _only(self.data["null_mean"], "Comparison.null")

    def to_frame(self) -> pd.DataFrame:
        """One row per (measure, a, b), the variables of `data` as columns."""
        return self.data.to_dataframe(dim_order=["measure", "a", "b"]).reset_index()

    def best(self, side: Literal["a", "b"] = "a") -> Best:
        """The best system of one side for each (measure, system of the other side): chosen on other stimuli than it is scored on."""
        check_option(side, ["a", "b"], name="side", who="Comparison.best")
        table = self.best_a if side == "a" else self.best_b
        if table is None:
            raise InputError(f"Comparison.best: side {side} has one system, so there is nothing to choose.", code="nothing-to-choose")
        common = {f.name: getattr(self, f.name) for f in fields(Result)}
        return Best(data=table, side=side, **common)

    def _lines(self) -> list[str]:
        frame = self.to_frame().sort_values(["measure", "b", "value"], ascending=[True, True, False])
        sizes = " x ".join(f"{self.data.sizes[d]} {d}" for d in ("measure", "a", "b"))
        n = int(np.nanmax(self.data["n_stimuli"].values))
        lines = [f"  {sizes}; {n} stimuli; higher = more alike"]
        for row in frame.head(12).to_dict("records"):
            text = f"  {_cell(row['measure'], 22)} {_cell(row['a'], 22)} {_cell(row['b'], 16)} {row['value']:7.3f}"
            if np.isfinite(row["ci_low"]):
                text += f" [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            if np.isfinite(row["p"]):
                text += f"  p={row['p']:.3g}"
            if np.isfinite(row["ceiling_low"]):
                text += f"  ceiling [{row['ceiling_low']:.3f}, {row['ceiling_high']:.3f}]"
            lines.append(text)
        if len(frame) > 12:
            lines.append(f"  ... {len(frame) - 12} more rows in .to_frame()")
        return lines


def _cell(text: object, width: int) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in str(text))
    return clean[: width - 1] + "…" if len(clean) > width else clean.ljust(width)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Best(Result):
    """The best system of one side, chosen on other stimuli than it is scored on. Made by `Comparison.best`.

    data : Dataset over (measure, other side) with
        value (nested: mean over splits of the held-out score of the system chosen on the other half), ci_low, ci_high (stimuli),
        ci_both_low/_high (stimuli and subjects), chosen (the system chosen most often), share (how often), naive, naive_value (the plain
        maximum, biased up), p (max-statistic over the side). With baselines, over (seed, measure, other side): baseline_value,
        difference (value - baseline_value), difference_low/_high, difference_both_low/_high (paired resamples).
    side : "a" or "b".
    """

    data: xr.Dataset
    side: str = "a"

    title: ClassVar[str] = "the best system, chosen on other stimuli than it is scored on"

    @property
    def other(self) -> str:
        return "b" if self.side == "a" else "a"

    def __getitem__(self, key: tuple[str, str]) -> Best:
        measure, system = key
        for dim, name in (("measure", measure), (self.other, system)):
            if name not in self.data[dim].values.tolist():
                raise UnknownNameError(f"Best: no {dim} {name!r}.{nearest(name, self.data[dim].values.tolist())}")
        common = {f.name: getattr(self, f.name) for f in fields(Result)}
        return Best(data=self.data.sel({"measure": [measure], self.other: [system]}), side=self.side, **common)

    def __iter__(self) -> Iterator[Best]:
        for measure in self.data["measure"].values.tolist():
            for system in self.data[self.other].values.tolist():
                yield self[measure, system]

    def _text(self, name: str) -> str:
        if self.data[name].size != 1:
            raise InputError(f"Best.{name} exists for one pair; use best[measure, system] or .to_frame().", code="not-one-pair")
        return str(self.data[name].values.reshape(-1)[0])

    @property
    def layer(self) -> str:
        """The system chosen most often over the splits."""
        return self._text("chosen")

    @property
    def value(self) -> float:
        return _only(self.data["value"], "Best.value")

    @property
    def interval(self) -> tuple[float, float]:
        return _only(self.data["ci_low"], "Best.interval"), _only(self.data["ci_high"], "Best.interval")

    @property
    def naive(self) -> tuple[str, float]:
        """The plain maximum (system, value): chosen and scored on the same stimuli, so biased up."""
        return self._text("naive"), _only(self.data["naive_value"], "Best.naive")

    def to_frame(self) -> pd.DataFrame:
        """One row per (measure, other side); with baselines the differences as columns of their own, one set per seed."""
        plain = self.data[[name for name in self.data.data_vars if "seed" not in self.data[name].dims]]
        frame = plain.to_dataframe(dim_order=["measure", self.other]).reset_index().drop(columns="seed", errors="ignore")
        if "seed" in self.data.dims:
            for seed in self.data["seed"].values:
                part = self.data[[n for n in self.data.data_vars if "seed" in self.data[n].dims]].sel(seed=seed, drop=True)
                part = part.rename({str(n): f"{n}_seed{seed}" for n in part.data_vars})
                frame = frame.merge(part.to_dataframe().reset_index(), on=["measure", self.other])
        return frame

    def _lines(self) -> list[str]:
        lines = []
        for one in self:
            low, high = one.interval
            name, naive = one.naive
            interval = f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) else ""
            lines.append(
                f"  {_cell(one._text('measure'), 18)} {_cell(one._text(self.other), 16)} {_cell(one.layer, 18)} {one.value:.3f}{interval}  "
                f"(plain maximum {naive:.3f} at {_cell(name, 18).strip()})"
            )
        return lines


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class RDMs(Result):
    """RDMs of several systems over the same stimuli, and their map. Made by `cs.rdms`.

    rdms : DataArray (system, stimulus, stimulus_), subjects averaged.
    map : DataArray (system, stimulus, axis): classical multidimensional scaling to 2 axes of each RDM, turned onto the first system.
    systems_map : DataArray (system, axis) : the systems themselves, by 1 - Spearman between their RDMs; None with one system.
    data : Dataset (system) with explained (share of the RDM's positive variance that the 2 axes hold), n_subjects.
    """

    rdms: xr.DataArray
    map: xr.DataArray
    data: xr.Dataset
    systems_map: xr.DataArray | None = None

    title: ClassVar[str] = "representational dissimilarity matrices"

    def to_frame(self) -> pd.DataFrame:
        """One row per system."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        return [f"  {self.rdms.sizes['system']} systems x {self.rdms.sizes['stimulus']} stimuli, {self.settings.get('distance', '')} distance"]


CLASSES: dict[str, type[Result]] = {"Comparison": Comparison, "Best": Best, "RDMs": RDMs}

# -- files -----------------------------------------------------------------------------------------------------------

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
        return xr.Variable(variable.dims, np.array(flat, dtype=object).reshape(variable.shape), variable.attrs)

    coords = {name: mapped(coord.variable) for name, coord in data.coords.items()}
    return xr.Dataset({n: mapped(v.variable) for n, v in data.data_vars.items()}, coords=coords, attrs=data.attrs)


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
            digest.update(f"{variable.dtype.itemsize}".encode() + np.ascontiguousarray(variable.values).tobytes())
        digest.update(json.dumps({str(k): str(v) for k, v in variable.attrs.items()}, sort_keys=True).encode())


def _parts(result: Result) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    groups: dict[str, xr.Dataset] = {}
    header: dict[str, Any] = {}
    arrays = []
    for entry in fields(result):
        value = getattr(result, entry.name)
        if isinstance(value, xr.DataArray):
            groups[entry.name] = value.rename("values").to_dataset()
            arrays.append(entry.name)
        elif isinstance(value, xr.Dataset):
            groups[entry.name] = value
        elif entry.name == "warnings":
            header["warnings"] = json.loads(cautions_to_json(value))
        elif value is not None:
            header[entry.name] = list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
    text = json.dumps(header, sort_keys=True)
    return groups, {"class": type(result).__name__, "header": text, "arrays": json.dumps(arrays)}


def result_hash(result: Result) -> str:
    """SHA-256 over all values, labels, settings and warnings; equal for equal results, whatever file they stand in."""
    groups, header = _parts(result)
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(groups):
        _hash_dataset(digest, name, groups[name])
    return digest.hexdigest()


def save(result: Result, path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.is_dir():
        raise InputError(f"save: {target} is a folder; give a file name, such as {target / 'result.nc'}.", code="bad-path")
    if not target.parent.is_dir():
        raise InputError(f"save: the folder {target.parent} does not exist; create it first.", code="bad-path")
    groups, header = _parts(result)
    try:
        handle, temporary = tempfile.mkstemp(prefix=".writing-", suffix=".nc", dir=target.parent)
    except OSError as error:
        raise InputError(f"save: cannot write into {target.parent}: {error.strerror}.", code="bad-path") from None
    os.close(handle)
    try:
        root = xr.Dataset(attrs={"consilience_format": _FORMAT, **header, "sha256": result_hash(result)})
        root.attrs["header"] = _escape(str(root.attrs["header"]))
        root.to_netcdf(temporary, mode="w", engine="h5netcdf")
        for name, data in groups.items():
            safe = _map_text(data, _escape)
            encoding = {str(k): {"fletcher32": True} for k, v in safe.variables.items() if v.dtype.kind in "fiu" and v.ndim and v.size}
            safe.to_netcdf(temporary, mode="a", group=name, engine="h5netcdf", encoding=encoding)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"save: cannot write {target}: {error.strerror or error}.", code="bad-path") from None
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    return target


def load(path: str | os.PathLike[str]) -> Result:
    """Reads a result that `Result.save` wrote, and checks its SHA-256.

    Raises
    ------
    InputError : no such file, not one of our results, or damaged (the hash over all values and labels does not match).
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"cs.load: {source} is not a file; give a result written by .save().", code="no-file")
    with source.open("rb") as stream:
        if stream.read(8) != b"\x89HDF\r\n\x1a\n":
            raise InputError(f"cs.load: {source} is not a netCDF-4 file; give a result written by .save().", code="not-a-result")
    try:
        with xr.open_dataset(source, engine="h5netcdf") as root:
            attrs = dict(root.attrs)
        if "consilience_format" not in attrs:
            raise InputError(f"cs.load: {source} is a netCDF file but not a result of this package.", code="not-a-result")
        if int(attrs["consilience_format"]) > _FORMAT:
            raise InputError(f"cs.load: {source} was written by a newer version; update this package to read it.", code="not-a-result")
        header = json.loads(_unescape(str(attrs["header"])))
        cls = CLASSES[str(attrs["class"])]
        values: dict[str, Any] = {}
        arrays = json.loads(str(attrs["arrays"]))
        import h5py

        with h5py.File(source, "r") as file:
            names = [name for name in file if isinstance(file[name], h5py.Group)]
        for name in names:
            with xr.open_dataset(source, engine="h5netcdf", group=name) as data:
                whole = _map_text(data.load(), _unescape)
            values[name] = whole["values"].rename(None) if name in arrays else whole
        header["warnings"] = cautions_from_json(json.dumps(header.get("warnings", [])))
        for key in ("references", "methods"):
            header[key] = tuple(header.get(key, ()))
        result = cls(**header, **values)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a damaged file does in the reader, the user gets one sentence
        raise InputError(
            f"cs.load: {source} is damaged or incomplete ({type(error).__name__}: {shorten(str(error))}); compute it again.", code="damaged-file"
        ) from None
    if result_hash(result) != attrs.get("sha256"):
        raise InputError(f"cs.load: {source} is damaged (its SHA-256 does not match its content); compute it again.", code="damaged-file")
    return result
