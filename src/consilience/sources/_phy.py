"""Adapter: a folder of sorted spikes as Kilosort and Phy write it; `params.py` is read as text, never run."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import check_number, shorten
from consilience.sources._columns import read_columns
from consilience.sources._files import check_file, show
from consilience.sources._npy import read_npy
from consilience.sources._parts import Parts

__all__ = ["is_phy", "noise_units", "read_params", "read_phy"]

_LARGEST = 1 << 20  # bytes of a params.py
_IDS = ("cluster_id", "id")
_LABELS = ("group", "KSLabel")  # by hand in Phy, and by Kilosort


def is_phy(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """A folder with spike_times.npy and spike_clusters.npy (or spike_templates.npy)?"""
    owners = ("spike_clusters.npy", "spike_templates.npy")
    return (path / "spike_times.npy").is_file() and any((path / name).is_file() for name in owners)


def read_phy(
    path: Path, *, who: str, quality: str | Sequence[str] | None = None, rate: float | None = None
) -> Parts:
    """The spikes of every cluster, its columns, and its mean amplitude.

    Read are spike_times.npy (samples), spike_clusters.npy (else spike_templates.npy), amplitudes.npy, and every
    cluster_*.tsv (cluster_info.tsv, cluster_group.tsv, cluster_KSLabel.tsv, ...), whose columns become the unit table.
    Clusters without a spike are left out, and so are spikes of clusters below 0, which is said. Raw data and templates
    are not read.

    Parameters
    ----------
    quality : keep the units of these labels only ("good", or a list of labels), by what was said by hand (group), and
        by Kilosort (KSLabel) where nothing was. The label used is the column ``quality``. Default: all units; that
        some are labelled noise is said.
    rate : samples per second; default: sample_rate of params.py, which must hold assignments of plain values only.
    """
    samples = _whole(path, "spike_times.npy", who)
    owner_name = next(n for n in ("spike_clusters.npy", "spike_templates.npy") if (path / n).is_file())
    owner = _whole(path, owner_name, who)
    if owner.shape != samples.shape:
        raise InputError(
            f"{who}: spike_times.npy has {samples.size} spikes and {owner_name} {owner.size}; they are not of one "
            "sorting, or one is incomplete.",
            code="bad-splits",
        )
    per_second = _rate(path, rate, who)
    said: list[Caution] = []
    mine = owner >= 0
    if not mine.all():
        if not mine.any():
            raise InputError(
                f"{who}: all clusters of {owner_name} are below 0, so there is no unit.", code="too-few"
            )
        said.append(
            Caution(
                "unassigned-spikes",
                f"{int((~mine).sum())} of {mine.size} spikes are of clusters below 0, which sorters give to spikes of "
                "no unit, and were left out.",
                "Give these clusters a number of 0 or more if they are units.",
            )
        )
    samples, owner = samples[mine], owner[mine]
    units, place = np.unique(owner, return_inverse=True)
    counts = np.bincount(place, minlength=units.size)
    table: dict[str, np.ndarray] = {"unit": units.astype(np.int64)}
    if (path / "amplitudes.npy").is_file():
        amplitudes = read_npy(check_file(path / "amplitudes.npy", who=who), who=who).values
        if amplitudes.size != mine.size or amplitudes.dtype.kind not in "iuf":
            raise InputError(
                f"{who}: amplitudes.npy has {amplitudes.size} entries for {mine.size} spikes.",
                code="bad-splits",
            )
        sums = np.bincount(
            place, weights=amplitudes.reshape(-1)[mine].astype(np.float64), minlength=units.size
        )
        table["amplitude"] = sums / counts
    table |= _cluster_tables(path, units, said, who)
    table["quality"] = _quality(table, units.size)
    keep, cautions = _kept(table["quality"], quality, who)
    order = np.argsort(place, kind="stable")  # by unit, in the order of the file
    inside = keep[place[order]]
    return Parts(
        format="phy",
        times=samples[order][inside].astype(np.float64) / per_second,
        splits=np.r_[0, np.cumsum(counts[keep])],
        units={
            name: entries[keep]
            for name, entries in table.items()
            if name != "quality" or (table["quality"] != "").any()
        },
        attrs={"sample_rate": per_second, "source": "Phy / Kilosort"},
        cautions=(*said, *cautions),
    )


def read_params(path: Path, *, who: str) -> dict[str, Any]:
    """The assignments of a params.py whose values are plain (numbers, text, lists); nothing in it is run.

    Anything else (an import, a call, arithmetic) is refused.
    """
    source = check_file(path, who=who)
    if source.stat().st_size > _LARGEST:
        raise InputError(f"{who}: {show(source)} is too large to be a list of parameters.", code="too-large")
    try:
        tree = ast.parse(source.read_bytes().decode("utf-8-sig"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(
            f"{who}: {show(source)} is no list of 'name = value' lines; give rate= (samples per second) and move the "
            "file away.",
            code="damaged-file",
        ) from None
    out: dict[str, Any] = {}
    for line in tree.body:
        value = line.value if isinstance(line, ast.Assign) and len(line.targets) == 1 else None
        name = getattr(line.targets[0], "id", None) if isinstance(line, ast.Assign) else None
        try:
            if value is None or name is None:
                raise ValueError
            out[name] = ast.literal_eval(value)
        except (ValueError, TypeError, RecursionError):
            raise InputError(
                f"{who}: {show(source)}, line {line.lineno}, is more than 'name = value' with a plain value; it would "
                "have to be run, and is not. Give rate= (samples per second) and move the file away.",
                code="code-refused",
            ) from None
    return out


def _rate(path: Path, rate: float | None, who: str) -> float:
    if rate is not None:
        return check_number(rate, name="rate", who=who, low=0.0)
    if not (path / "params.py").is_file():
        raise InputError(
            f"{who}: there is no params.py with the sample_rate of the spike times; give rate= (samples per second).",
            code="rate-needed",
        )
    params = read_params(path / "params.py", who=who)
    if "sample_rate" not in params:
        raise InputError(
            f"{who}: params.py says no sample_rate; give rate= (samples per second).{nearest('sample_rate', params)}",
            code="rate-needed",
        )
    return check_number(params["sample_rate"], name="sample_rate of params.py", who=who, low=0.0)


def _whole(path: Path, name: str, who: str) -> np.ndarray:
    """(n,) whole numbers of a .npy of shape (n,) or (n, 1)."""
    values = read_npy(check_file(path / name, who=who), who=who).values
    if values.ndim == 0 or values.size != max(values.shape) or values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: {name} must hold one whole number per spike, got shape {values.shape} of dtype {values.dtype}.",
            code="bad-time",
        )
    flat = values.reshape(-1)
    if flat.dtype.kind == "f" and not (np.isfinite(flat).all() and (flat == np.round(flat)).all()):
        raise InputError(
            f"{who}: {name} holds fractions, and whole numbers (samples, clusters) are expected; if these are seconds, "
            "make a recording of them: cs.Recording(spikes=cs.SpikeTrains.from_clusters(times, clusters, units)).",
            code="bad-time",
        )
    return flat


def _cluster_tables(path: Path, units: np.ndarray, said: list[Caution], who: str) -> dict[str, np.ndarray]:
    """The columns of every cluster_*.tsv (.csv), one entry per unit; those a file lacks are NaN or empty. What is
    doubtful is added to ``said``."""
    found: dict[str, np.ndarray] = {}
    files = sorted({*path.glob("cluster_*.tsv"), *path.glob("cluster_*.csv")}, key=lambda p: p.name)
    # cluster_info last: Phy writes it of the others, and what is saved by hand later stands in those
    for file in sorted(files, key=lambda p: p.stem == "cluster_info"):
        columns = read_columns(file, who=who)
        key = next((name for name in _IDS if name in columns), None)
        if key is None or columns[key].dtype.kind not in "iu":
            if columns and columns[next(iter(columns))].size == 0:
                continue  # a header and no rows
            raise InputError(
                f"{who}: {show(file)} has no column cluster_id of whole numbers.{nearest('cluster_id', columns)}",
                code="bad-csv",
            )
        said += _contradictions(columns, key, units, show(Path(file.name)))
        rows = {int(entry): i for i, entry in enumerate(columns[key].tolist())}
        index = np.array([rows.get(int(unit), -1) for unit in units.tolist()])
        for name, entries in columns.items():
            if name in (*_IDS, "unit", "quality", "amplitude") or name in found:
                continue
            found[name] = _at(entries, index)
    return found


def _contradictions(columns: dict[str, np.ndarray], key: str, units: np.ndarray, name: str) -> list[Caution]:
    """Clusters that have several rows which do not say the same."""
    known, number, count = np.unique(columns[key], return_inverse=True, return_counts=True)
    differ = [
        f"{cluster} ({shorten(column, 30)}: {shorten(' and '.join(dict.fromkeys(map(str, said.tolist()))), 60)})"
        for place in np.flatnonzero((count > 1) & np.isin(known, units)).tolist()
        for cluster, rows in [(known[place], number == place)]
        for column, said in ((c, entries[rows]) for c, entries in columns.items() if c != key)
        if len(set(map(str, said.tolist()))) > 1
    ]
    if not differ:
        return []
    return [
        Caution(
            "rows-contradict",
            f"{name} has several rows of one cluster that do not say the same: {', '.join(differ[:3])}; the last was "
            "taken.",
            "Leave one row for each cluster.",
        )
    ]


def _at(entries: np.ndarray, index: np.ndarray) -> np.ndarray:
    """The entries at ``index``; -1: unknown."""
    if (index >= 0).all() and entries.size:
        return entries[index]
    if entries.dtype.kind == "U":
        return np.array([entries[i] if i >= 0 else "" for i in index], dtype=str)
    return np.array([float(entries[i]) if i >= 0 else np.nan for i in index])


def _quality(table: dict[str, np.ndarray], n: int) -> np.ndarray:
    label = np.full(n, "", dtype=object)
    for name in _LABELS:
        entries = table.get(name)
        if entries is not None and entries.dtype.kind == "U":
            label = np.where(
                (label == "") | (label == "unsorted"), np.where(entries == "", label, entries), label
            )
    return label.astype(str)


def noise_units(label: np.ndarray) -> tuple[Caution, ...]:
    """Says how many units are labelled noise, if any."""
    noise = int((label == "noise").sum())
    said = Caution(
        "noise-units",
        f"{noise} of the {label.size} units read are labelled noise.",
        "quality='good' (or a list of labels) keeps the others.",
    )
    return (said,) if noise else ()


def _kept(
    label: np.ndarray, quality: str | Sequence[str] | None, who: str
) -> tuple[np.ndarray, tuple[Caution, ...]]:
    keep = np.ones(label.size, dtype=bool)
    if quality is None:
        return keep, noise_units(label)
    wanted = [quality] if isinstance(quality, str) else [str(entry) for entry in quality]
    known = sorted({str(entry) for entry in label if entry != ""})
    if not known:
        raise InputError(
            f"{who}: quality={shorten(quality, 40)} is asked for, and no cluster_group.tsv or cluster_KSLabel.tsv "
            "labels the units.",
            code="unknown-label",
        )
    other = next((entry for entry in wanted if entry not in known), None)
    if other is not None:
        raise UnknownNameError(
            f"{who}: no unit is labelled {shorten(other, 40)}.{nearest(other, known)}", code="unknown-label"
        )
    return np.isin(label, wanted), ()
