"""What the commands of verbs share: files by name, errors in the words of options, the result printed and kept."""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from consilience._cli._guard import tell
from consilience._cli._measures import options_of_measures
from consilience._cli._target import check_target
from consilience._cli._text import as_options, clean
from consilience._core._errors import ConsilienceWarning, InputError, nearest

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "as_json",
    "axes_of",
    "data_and_models",
    "file_and_system",
    "first_and_rest",
    "for_each",
    "labels_of_data",
    "names_of",
    "read_files",
    "run_verb",
    "said_as_options",
    "target",
]

_SYSTEM_OF_A_RESULT = re.compile(r"(.+?\.nc):(.*)", re.DOTALL)


def run_verb(
    verb: str,
    paths: Sequence[str],
    arguments: Any,
    *,
    reading: Mapping[str, Any],
    options: Mapping[str, Any],
    output: str | None,
    as_json_text: bool,
    more: Callable[[Any], Iterable[str]] | None = None,
    measures: Sequence[str | None] = (),
    also: Sequence[str] = (),
) -> int:
    """Reads the files, runs the verb of `consilience.analyses`, prints the result and writes it where asked.

    Parameters
    ----------
    paths : the files.   arguments : from {name: array}, in the order of ``paths``, to the verb's (positional, keyword)
        arguments.
    reading : what is said of the files (``ids``, ``labels``...), see `read_files`.   options : for the verb; None is
        not passed on.   more : from the result to further lines that are printed.
    measures : as given, whose options are then named in messages.   also : further files that ``arguments`` reads.
    """
    listed = [
        source.partition("=")[2] or source for key in ("ids", "labels") for source in reading.get(key, ())
    ]
    listed += [str(told["time"]) for told in reading.get("times", {}).values() if told["time"]]
    written = target(output, [*paths, *listed, *also], option="--output")
    given = {key: value for key, value in options.items() if value is not None}
    with_dims = ["dims"] if any("dims" in told for told in reading.get("times", {}).values()) else []
    with said_as_options([*options, "missing", "rdm", "time", *with_dims], measures):
        systems = read_files(paths, **reading)
        positional, keyword = arguments(systems)
        result = getattr(importlib.import_module("consilience.analyses"), verb)(
            *positional, **keyword, **given
        )
    if written is not None:
        result.save(written)
    if as_json_text:
        tell(json.dumps(as_json(result, written=written), indent=1))
        return 0
    tell(clean(result.title, 120))
    for line in [*result._lines(), *(more(result) if more is not None else ())]:
        tell(clean(line, 160))
    if written is not None:
        tell(f"result: {clean(written, 500)}")
    return 0


def first_and_rest(systems: Mapping[str, xr.DataArray]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a verb that takes data, and a mapping of models."""
    (_, data), *models = systems.items()
    return (data, dict(models)), {}


def read_files(
    paths: Sequence[str],
    *,
    ids: Sequence[str] = (),
    labels: Sequence[str] = (),
    kind: Sequence[str] = (),
    rdm: Sequence[str] = (),
    repeat: str | None = None,
    missing: Any = None,
    times: Mapping[str, Mapping[str, Any]] | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, xr.DataArray]:
    """Files as arrays by name (those of `names_of` where none are given). ``ids``, ``kind`` and ``rdm`` are values for
    all files, or NAME=VALUE for one; labels are LABEL=FILE for all, or NAME:LABEL=FILE for one. ``times``: {name: what
    `read_array` is told of the time axis}.
    """
    from consilience.sources import read_array

    names = names_of(paths) if names is None else names
    of_ids, of_kind, of_rdm = (
        for_each(values, names, option)
        for values, option in ((ids, "--ids"), (kind, "--kind"), (rdm, "--rdm"))
    )
    of_labels = _labels_of(labels, names)
    split = [file_and_system(path) for path in paths]
    return {
        name: read_array(
            path,
            member=member,
            ids=of_ids.get(name),
            kind=of_kind.get(name),
            rdm=of_rdm.get(name),
            system=name,
            repeat=None if name in of_rdm else repeat,
            missing=missing,
            labels=of_labels[name],
            **(times or {}).get(name, {}),
        )
        for name, (path, member) in zip(names, split)
    }


def axes_of(
    paths: Sequence[str], dims: str | None, time: str | None, *, arrays: Sequence[str] | None = None
) -> dict[str, dict[str, Any]]:
    """What `read_array` is told of the axes of each file: ``--dims`` and ``--time``; ``arrays``: axes of .npy and .npz
    files where none are given.

    >>> axes_of(["x.npy"], "trial,time,unit", "t.npy")
    {'x': {'time': 't.npy', 'dims': ('trial', 'time', 'unit')}}
    """
    from consilience._responses._schema import DIMS

    given = None if dims is None else tuple(name.strip() for name in dims.split(","))
    if given is not None and given not in DIMS:
        known = ", ".join(",".join(entry) for entry in DIMS)
        raise click.UsageError(f"--dims must be one of {known}; got {clean(dims, 60)}.")
    plain = {
        path: given or (arrays if Path(path).suffix.lower() in (".npy", ".npz") else None) for path in paths
    }
    return {name: {"time": time, "dims": plain[path]} for name, path in zip(names_of(paths), paths)}


def file_and_system(given: str) -> tuple[str, str | None]:
    """FILE:SYSTEM, one system of the RDMs in a file, as the two; (``given``, None) where that is a file's name."""
    if os.path.lexists(given):
        return given, None
    colons = [at for at, letter in enumerate(given) if letter == ":"]
    for at in colons:
        if os.path.isfile(given[:at]):
            return given[:at], given[at + 1 :]
    match = _SYSTEM_OF_A_RESULT.fullmatch(given)  # of a file that does not exist, which is then said
    return (match[1], match[2]) if match else (given, None)


def data_and_models(paths: Sequence[str], reading: Mapping[str, Any]) -> dict[str, Any]:
    """``reading`` where the first file holds responses and the others RDMs: labels that name no file are of the first,
    distances that name none of the others.
    """
    first, *others = names_of(paths)
    said = reading.get("rdm", ())
    of_one = [value for value in said if "=" in value or not others]
    of_others = [f"{name}={value}" for value in said if value not in of_one for name in others]
    return {
        **reading,
        "rdm": [*of_others, *of_one],
        "labels": labels_of_data([first], reading.get("labels", ())),
    }


def labels_of_data(names: Sequence[str], entries: Sequence[str]) -> list[str]:
    """``entries``, those that name no file being of each of the files ``names``."""
    out: list[str] = []
    for entry in entries:
        unnamed = "=" in entry and ":" not in entry.partition("=")[0]
        out += [f"{name}:{entry}" for name in names] if unnamed else [entry]
    return out


def names_of(paths: Sequence[str]) -> list[str]:
    """A name for each file: its stem (of FILE:SYSTEM the system), or its path where two have one stem; a file given
    twice gets marks."""
    split = [file_and_system(path) for path in paths]
    stems = [member or Path(path).stem or f"file{i + 1}" for i, (path, member) in enumerate(split)]
    told = [stem if stems.count(stem) == 1 else str(path) for stem, path in zip(stems, paths)]
    marks = "ab" if len(told) == 2 else [str(i + 1) for i in range(len(told))]
    return [name if told.count(name) == 1 else f"{name} ({mark})" for name, mark in zip(told, marks)]


def for_each(values: Sequence[str], names: Sequence[str], option: str) -> dict[str, str]:
    """{name: value} from values for all files, or NAME=VALUE for one."""
    out: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if equals and name in names:
            out[name] = rest
        elif equals and not Path(value).exists():
            raise click.UsageError(
                f"{option} {clean(value, 100)}: {clean(name, 60)!r} is none of the files."
                f"{nearest(name, names)} Write {option} VALUE for all files, or NAME=VALUE for one."
            )
        else:
            out = {**dict.fromkeys(names, value), **out}
    return out


def _labels_of(labels: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {name: {} for name in names}
    for entry in labels:
        left, equals, source = entry.partition("=")
        name, colon, label = left.rpartition(":")
        if not (equals and label and source):
            raise click.UsageError(
                f"--label must be LABEL=FILE or NAME:LABEL=FILE, such as run=runs.npy; got {clean(entry, 100)}."
            )
        if colon and name not in names:
            raise click.UsageError(
                f"--label {clean(entry, 100)}: {clean(name, 60)!r} is none of the files.{nearest(name, names)}"
            )
        for one in [name] if colon else names:
            out[one][label] = source
    return out


@contextmanager
def said_as_options(names: Sequence[str] = (), measures: Sequence[str | None] = ()) -> Iterator[None]:
    """Errors and warnings that name an argument in Python name the option here instead; ``measures``: as given to
    the command."""
    of_measures = options_of_measures(measures)
    with warnings.catch_warnings():
        show = warnings.showwarning
        heard: set[tuple[str, str]] = set()

        def said(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if isinstance(message, ConsilienceWarning):
                caution = message.caution
                if (caution.code, caution.message) in heard:  # of reading a file, and again of using it
                    return
                heard.add((caution.code, caution.message))
                message = ConsilienceWarning(
                    replace(
                        caution,
                        message=as_options(caution.message, names, of_measures),
                        remedy=as_options(caution.remedy, names, of_measures),
                    )
                )
            show(message, *args, **kwargs)

        warnings.showwarning = said
        try:
            yield
        except InputError as error:
            text = as_options(str(error), names, of_measures)
            if text == str(error):
                raise
            raise InputError(text, code=error.code) from None


def target(out: str | None, inputs: Sequence[str | None], *, option: str) -> Path | None:
    """Refuses, before anything is computed, a target that is no .nc file or that is an input."""
    if out is None:
        return None
    path = Path(out)
    if path.suffix != ".nc":
        raise click.UsageError(f"{option} must end in .nc, got {clean(out, 100)}.")
    if path.is_symlink():
        raise click.UsageError(f"{option} {clean(out, 100)} is a symbolic link; give a file of its own.")
    check_target(path, who=option)
    for given in inputs:
        source = None if given is None else file_and_system(given)[0]
        if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
            raise click.UsageError(f"{option} {clean(out, 100)} is one of the inputs; give another name.")
        if (
            source is not None
            and Path(source).is_dir()
            and path.resolve().is_relative_to(Path(source).resolve())
        ):
            raise click.UsageError(f"{option} {clean(out, 100)} lies in an input folder; give another place.")
    return path


def as_json(result: Any, *, written: Path | None = None) -> dict[str, Any]:
    """A result as plain JSON values: its table and what stands beside it, settings, seed, versions, warnings.

    ``pairs`` and ``ceilings`` of models, ``rdms`` ({system: the entries above the diagonal, row by row}) of
    ``stimuli``; a result that was ``written`` keeps the RDMs, and its path is ``output``.
    """

    def plain(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") else value
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def rows(frame: Any) -> list[dict[str, Any]]:
        return [{str(key): plain(value) for key, value in row.items()} for row in frame.to_dict("records")]

    out: dict[str, Any] = {"results": rows(result.to_frame())}
    if hasattr(result, "pairs_frame"):
        out["pairs"] = rows(result.pairs_frame())
    if hasattr(result, "ceilings"):
        out["ceilings"] = rows(result.ceilings.to_dataframe().reset_index())
    if written is not None:
        out["output"] = os.fspath(written)
    elif type(result).__name__ == "RDMs":
        ids = result.rdms["stimulus"].values.tolist()
        above = [(i, j) for i in range(len(ids)) for j in range(i + 1, len(ids))]
        out["stimuli"] = ids
        out["rdms"] = {
            str(name): [plain(square[i, j]) for i, j in above]
            for name, square in zip(result.rdms["system"].values.tolist(), result.rdms.values)
        }
    return {
        **out,
        "settings": json.loads(json.dumps(dict(result.settings), default=str)),
        "seed": result.seed,
        "versions": dict(result.versions),
        "warnings": [{"code": c.code, "message": c.message, "remedy": c.remedy} for c in result.warnings],
    }
