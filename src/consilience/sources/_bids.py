"""Adapter: a folder in the BIDS layout; the fMRI runs of one subject and task, one after the other."""

from __future__ import annotations

import functools
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import Caution, InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.sources._columns import read_columns, table_of_times
from consilience.sources._files import show
from consilience.sources._nifti import Volumes, check_grid, load_mask, load_volumes, mask_file, voxel_signal
from consilience.sources._parts import Parts, TableParts

__all__ = ["is_bids", "read_bids"]

_BOLD = re.compile(r"_bold\.nii(\.gz)?$")
_ENTITY = re.compile(r"^(sub|ses|task|acq|ce|rec|dir|run|echo|part|res|den|space|desc)-([A-Za-z0-9]+)$")
PAUSE = 60.0  # seconds between the end of a run and the start of the next, on the clock of the recording


def is_bids(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """A folder with dataset_description.json and sub-*, or one subject's, that holds *_bold.nii files?"""
    if not path.is_dir():
        return False
    if not (
        (path / "dataset_description.json").is_file()
        or path.name.startswith("sub-")
        or any(path.glob("sub-*"))
    ):
        return False
    return next(_files(path), None) is not None


def _files(path: Path) -> Any:
    for pattern in ("sub-*/func", "sub-*/ses-*/func", "func", "ses-*/func"):
        for folder in sorted(path.glob(pattern)):
            yield from sorted(file for file in folder.iterdir() if _BOLD.search(file.name))


def read_bids(
    path: Path,
    *,
    who: str,
    subject: str | None = None,
    task: str | None = None,
    session: str | None = None,
    run: str | None = None,
    space: str | None = None,
    mask: str | os.PathLike[str] | None = None,
    events: str | os.PathLike[str] | None = None,
    tr: float | None = None,
) -> Parts:
    """The fMRI runs of one subject and task as a signal ``bold``; intervals ``runs`` and ``events`` with the run.

    Runs follow each other with a pause of 60 s on the clock of the recording (the columns of ``runs`` say which is
    which), and ``observed`` holds them, so that no window or bin reaches from one into the next. The rest is as for
    one NIfTI file.

    Parameters
    ----------
    subject, task, session, run, space : labels of the file names ("01", "faces"); needed where there are several, but
        all sessions and runs are read by default.
    mask : a NIfTI file. Default: the voxels that are in the *_desc-brain_mask of every run, where there are such files;
        else all that change in every run.
    events : the folder of a BIDS data set with the *_events.tsv, for derivatives that have none; default: beside the
        data. Runs without such a file have no events, and that is said.
    tr : seconds from volume to volume; see the reader of NIfTI.
    """
    every = [(file, _entities(file)) for file in _files(path)]
    given = {"sub": subject, "task": task, "ses": session, "run": run, "space": space}
    for entity, wanted in given.items():
        every = _chosen(every, entity, wanted, who)
    if not every:
        raise InputError(f"{who}: no *_bold.nii file is left.", code="no-file")
    for entity in ("echo", "part", "res", "den", "desc", "acq", "rec", "dir", "ce"):
        several = sorted({found.get(entity, "") for _, found in every})
        if len(several) > 1:
            raise InputError(
                f"{who}: the runs differ in {entity} ({', '.join(map(repr, several))}); read the files one by one.",
                code="which-member",
            )
    every.sort(key=lambda entry: (entry[1].get("ses", ""), _number(entry[1].get("run", ""))))
    volumes = _runs(every, mask, tr, who)
    start, starts, tables, lost = 0.0, [], [], []
    for (file, found), run_volumes in zip(every, volumes):
        starts.append(start)
        table = _events(file, found, None if events is None else Path(events), who)
        if table is None:
            lost.append(found.get("run", file.name))
        else:
            tables.append((table, start, found))
        start += run_volumes.tr * len(run_volumes.values) + PAUSE
    cautions = [caution for one in volumes for caution in one.cautions]
    if lost and tables:
        cautions.append(
            Caution(
                "events-absent",
                f"{len(lost)} of {len(every)} runs have no events ({shorten(lost[0], 40)} first).",
                "events= names the folder of the data set that has them.",
            )
        )
    lengths = np.array([one.tr * len(one.values) for one in volumes])
    begin = np.array(starts)
    labels = {
        "run": np.array([found.get("run", str(n + 1)) for n, (_, found) in enumerate(every)]),
        "session": np.array([found.get("ses", "") for _, found in every]),
        "repetition_time": np.array([one.tr for one in volumes]),
    }
    first = every[0][1]
    joined = Volumes(
        values=np.concatenate([one.values for one in volumes]),
        index=volumes[0].index,
        affine=volumes[0].affine,
        shape=volumes[0].shape,
        tr=volumes[0].tr,
    )
    time = np.concatenate([s + np.arange(len(one.values)) * one.tr for s, one in zip(begin, volumes)])
    return Parts(
        format="bids",
        name=f"sub-{first.get('sub', '')} {first.get('task', '')}".strip(),
        subject=first.get("sub", ""),
        session=first.get("ses", "") if len({found.get("ses") for _, found in every}) == 1 else "",
        signals={"bold": voxel_signal(joined, time)},
        tables={
            "runs": TableParts(start=begin, stop=begin + lengths, columns=labels),
            **({"events": _joined(tables)} if tables else {}),
        },
        observed=TableParts(start=begin, stop=begin + lengths),
        attrs={"source": "BIDS", "task": first.get("task", "")},
        cautions=tuple(dict.fromkeys(cautions)),
    )


def _entities(file: Path) -> dict[str, str]:
    found = (_ENTITY.match(part) for part in _BOLD.sub("", file.name).split("_"))
    return {match[1]: match[2] for match in found if match is not None}


def _number(text: str) -> tuple[int, str]:
    return (int(text), text) if text.isdecimal() else (0, text)


def _chosen(every: list[tuple[Path, dict[str, str]]], entity: str, wanted: str | None, who: str) -> Any:
    known = sorted({found.get(entity, "") for _, found in every})
    option = {"sub": "subject", "ses": "session"}.get(entity, entity)
    if wanted is not None:
        text = str(wanted).removeprefix(f"{entity}-")
        if text not in known:
            raise UnknownNameError(
                f"{who}: there is no {option} {shorten(text, 40)}.{nearest(text, [e for e in known if e])}",
                code="unknown-name",
            )
        return [entry for entry in every if entry[1].get(entity, "") == text]
    if len(known) > 1 and entity not in ("ses", "run"):
        listed = ", ".join(repr(entry) for entry in known[:12]) + (", ..." if len(known) > 12 else "")
        raise InputError(f"{who}: there are several; give {option}=: {listed}.", code="which-member")
    return every


def _runs(every: list[tuple[Path, dict[str, str]]], mask: Any, tr: float | None, who: str) -> list[Volumes]:
    """The volumes of every run, of the voxels that all have."""
    inside = grid = None
    given = mask_file(mask, who=who)
    if given is not None:
        inside, grid = load_mask(given, who=who)
    else:
        for file, found in every:
            own = _brain_mask(file, found)
            if own is None:
                inside = grid = None
                break
            one, affine = load_mask(own, who=who)
            if inside is not None and grid is not None:
                check_grid(
                    one.shape,
                    affine,
                    inside.shape,
                    grid,
                    f"the mask {show(own)}",
                    "that of the first run",
                    who,
                )
                one = one & inside
            inside, grid = one, affine
    volumes: list[Volumes] = []
    for file, _ in every:
        volumes.append(load_volumes(file, mask=inside, affine=grid, tr=tr, who=who))
        first, last = volumes[0], volumes[-1]
        check_grid(last.shape, last.affine, first.shape, first.affine, show(file), "the first run", who)
    numbers = [np.ravel_multi_index(tuple(run.index.T), run.shape) for run in volumes]
    common = functools.reduce(np.intersect1d, numbers)
    if not common.size:
        raise InputError(f"{who}: no voxel changes in every run.", code="too-few")
    kept = [np.isin(each, common) for each in numbers]
    return [
        run if keep.all() else replace(run, values=run.values[:, keep], index=run.index[keep])
        for run, keep in zip(volumes, kept)
    ]


def _brain_mask(file: Path, found: dict[str, str]) -> Path | None:
    stem = re.sub(r"_desc-[A-Za-z0-9]+", "", _BOLD.sub("", file.name))
    places = (file.with_name(f"{stem}_desc-brain_mask.nii{end}") for end in (".gz", ""))
    return next((place for place in places if place.is_file()), None)


def _events(file: Path, found: dict[str, str], root: Path | None, who: str) -> TableParts | None:
    """The events of a run: beside the data, or in the same place of another data set."""
    named = [
        f"{key}-{found[key]}"
        for key in ("sub", "ses", "task", "acq", "ce", "rec", "dir", "run")
        if key in found
    ]
    name = "_".join(named) + "_events.tsv"
    folder = file.parent
    if root is not None:
        folder = root / f"sub-{found.get('sub', '')}"
        folder = (folder / f"ses-{found['ses']}" if "ses" in found else folder) / "func"
    place = folder / name
    if not place.is_file():
        return None
    return table_of_times(read_columns(place, who=who), clock=1.0, what=show(place), who=who)


def _joined(tables: list[tuple[TableParts, float, dict[str, str]]]) -> TableParts:
    """The events of all runs on one clock; the columns that every run has."""
    names = [name for name in tables[0][0].columns if all(name in table.columns for table, _, _ in tables)]

    def column(name: str) -> np.ndarray:
        each = [table.columns[name] for table, _, _ in tables]
        as_text = any(entries.dtype.kind == "U" for entries in each)
        return np.concatenate([entries.astype(str) if as_text else entries for entries in each])

    counts = [table.start.size for table, _, _ in tables]
    runs = [found.get("run", str(n + 1)) for n, (_, _, found) in enumerate(tables)]
    stops = [table.start if table.stop is None else table.stop for table, _, _ in tables]
    return TableParts(
        start=np.concatenate([table.start + at for table, at, _ in tables]),
        stop=np.concatenate([stop + at for stop, (_, at, _) in zip(stops, tables)]),
        columns={**{name: column(name) for name in names if name != "run"}, "run": np.repeat(runs, counts)},
    )
