"""What is fitted to recorded data: a decoder as in `decode`, or an encoder as in `encode`; its units and parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count, shorten
from consilience._core._seeds import Seed
from consilience.analyses import _decode, _encode
from consilience.analyses._recorded_fits import Task, in_words_of
from consilience.stats import block_weights

__all__ = [
    "Fitting",
    "drawn_rows",
    "is_encoder",
    "parts_of",
    "read_task",
    "task_settings",
    "units_named",
    "units_of",
]


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How a model is fitted to recorded data and tested on rows held out: options of `cs.decode`, and ``delays`` of
    `cs.encode`. Every verb that perturbs such a model takes them.
    """

    cv: int = 5
    groups: Any = "auto"
    folds: str | None = None
    gap: Any = "auto"
    time: str | None = "mean"
    delays: Any = None
    circular: bool = False
    standardise: bool = True


def read_task(
    data: Any, target: Any, model: Any, fitting: Fitting, *, seed: Seed, who: str
) -> tuple[Task, xr.DataArray]:
    """What is fitted, as in `cs.decode` or, where ``target`` are responses of units, as in `cs.encode`."""
    cv = check_count(fitting.cv, name="cv", who=who, minimum=2)
    groups, gap = fitting.groups, fitting.gap
    with in_words_of(who):
        if is_encoder(target) and not fitting.circular:
            return _encoder(
                data, target, model, cv=cv, groups=groups, gap=gap, delays=fitting.delays, seed=seed
            )
        if fitting.delays is not None:
            raise InputError(
                f"{who}: delays= is for encoders, where target are responses of units.", code="bad-parameter"
            )
        if fitting.time == "each":
            raise InputError(
                f"{who}: time='each' is for cs.decode; here time='mean', or None for all times together.",
                code="bad-parameter",
            )
        with _trials_left_out(data):
            checked, design = _decode._design(
                data,
                target,
                model,
                circular=bool(fitting.circular),
                gap=gap,
                shuffle=False,
                time=fitting.time,
                seed=seed,
                cv=cv,
                groups=groups,
                folds=fitting.folds,
                train_on=None,
                test_on=None,
            )
        chosen = _decode._model(model, design.target)
        found = design.target
        if found.classes is not None:
            kind, names = "classes", [str(c) for c in found.classes.tolist()]
        else:
            kind, names = "angles" if found.circular else "numbers", found.names
        task = Task(
            kind,
            np.asarray(design.x[:, 0], np.float64),
            names,
            design.splits,
            chosen,
            _decode._standardise(fitting.standardise, chosen),
            design=design,
            direct=kind == "angles" and bool(getattr(chosen, "circular", False)),
        )
        return task, checked


@contextmanager
def _trials_left_out(data: Any) -> Iterator[None]:
    """Says which trials are left out, as they are marked as not valid; and says it where the rest are too few."""
    if not isinstance(data, xr.DataArray) or "valid" not in data.coords or data["valid"].dims != ("trial",):
        yield
        return
    gone = ~np.asarray(data["valid"].values, bool)
    if not gone.any():
        yield
        return
    said = f"{int(gone.sum())} of {gone.size} trials were left out, as they are marked as not valid: NaN"
    if "unit" in data.dims:
        values = np.isnan(np.moveaxis(np.asarray(data[gone].values, np.float64), data.dims.index("unit"), 0))
        at = np.flatnonzero(values.reshape(len(values), -1).any(axis=1))
        names = data["unit"].values[at].tolist() if "unit" in data.coords else at.tolist()
        if names:
            some = ", ".join(str(u) for u in names[:8]) + (f" and {len(names) - 8} more" * (len(names) > 8))
            said += f", of unit{'s' * (len(names) > 1)} {some}"
    try:
        yield
    except InputError as error:
        raise type(error)(f"{error} ({said}.)", code=error.code) from error
    warn("trials-omitted", f"{said}.", "Leave out units that lack many trials instead, if others are whole.")


def is_encoder(target: Any) -> bool:
    """Are targets the responses of units, and not labels, numbers or a signal of behaviour?"""
    if not isinstance(target, xr.DataArray) or target.dims[-1:] != ("unit",):
        return False
    return target.attrs.get("kind", "behaviour") != "behaviour"


def task_settings(task: Task, data: xr.DataArray) -> dict[str, Any]:
    """What a result says of how it was fitted."""
    source: Any = task.design if task.design is not None else task.encoding
    names = source.target.names if task.design is not None else [source.names[1]]
    own = dict(source.settings)
    rows = own.pop("n_samples", None) or own.pop("n_trials", None) or own.get("n_stimuli")
    what = "samples" if "block_steps" in own else "stimuli" if task.encoding is not None else "trials"
    return {
        "system": str(data.attrs.get("system") or "data"),
        "data_kind": str(data.attrs.get("kind", "activation")),
        "target": ", ".join(names),
        "task": task.kind,
        "model": shorten(task.model, 300),
        "model_name": type(task.model).__name__,
        "standardise": task.standardise,
        "n_rows": int(rows or len(task.x)),
        "rows": what,
        "blocks": int(source.blocks),
        **own,
    }


def _encoder(data: Any, target: xr.DataArray, model: Any, **options: Any) -> tuple[Task, xr.DataArray]:
    if isinstance(data, Mapping):
        raise InputError(
            "cs.encode: bands of predictors have no lesions here; cs.variance_partition tells what each band adds.",
            code="bad-parameter",
        )
    options["groups"] = None if options["groups"] == "auto" else options["groups"]
    found = _encode._data(data, target, by="stimulus", join="exact", **options)
    chosen = _encode._model(model, list(found.bands.values()))
    return Task(
        "units",
        found.x,
        [str(u) for u in found.units.tolist()],
        found.splits,
        chosen,
        standardise=False,
        encoding=found,
    ), data


def parts_of(
    data: xr.DataArray, units: np.ndarray, columns: int, parts: Any, *, who: str
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(names, (P, p) bool: the columns of each part, unit of each part or -1).

    parts : None: each unit; the name of a coordinate on unit: its groups; or {name: units or True/False per unit}.
    """
    every = np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))
    repeated = columns // units.size if units.size and columns % units.size == 0 else 1
    if repeated * units.size != columns:
        raise InputError(f"{who}: units and columns do not agree.", code="bad-dims")

    def wide(rows: np.ndarray) -> np.ndarray:
        return np.tile(rows, (1, repeated))

    own = np.array([str(u) for u in units.tolist()])
    if parts is None:
        return own.tolist(), wide(np.eye(units.size, dtype=bool)), np.flatnonzero(np.isin(every, units))
    if isinstance(parts, str):
        if parts not in data.coords or data[parts].dims != ("unit",):
            known = sorted(str(c) for c in data.coords if data[c].dims == ("unit",))
            raise InputError(
                f"{who}: parts={parts!r} is no coordinate on unit; there are {shorten(known)}.",
                code="unknown-label",
            )
        label = _labels(data[parts].values, every, parts, who=who)[np.isin(every, units)]
        levels = list(dict.fromkeys(v for v in label.tolist() if v is not None))
        if not levels:
            raise InputError(
                f"{who}: no unit that varies has a label {parts!r}; label them, or give {{name: units}}.",
                code="too-few",
            )
        return (
            [str(v) for v in levels],
            wide(np.stack([np.array([own == v for own in label.tolist()]) for v in levels])),
            np.full(len(levels), -1),
        )
    if not isinstance(parts, Mapping) or not parts:
        raise InputError(
            f"{who}: parts must be None (each unit), the name of a coordinate on unit, or {{name: units}}; got "
            f"{shorten(parts)}.",
            code="bad-parameter",
        )
    rows = []
    for name, given in parts.items():
        rows.append(units_named(given, every, who=who, name=str(name))[np.isin(every, units)])
        if not rows[-1].any():
            raise InputError(f"{who}: part {shorten(name)} holds no unit that varies.", code="too-few")
    return [str(n) for n in parts], wide(np.stack(rows)), np.full(len(rows), -1)


def _labels(values: Any, every: np.ndarray, name: str, *, who: str) -> np.ndarray:
    """Labels of units, None where there is none (None, NaN, empty text), which is said."""
    out = np.empty(len(values), dtype=object)
    for k, value in enumerate(np.asarray(values).tolist()):
        missing = value is None or value != value or (isinstance(value, str) and not value.strip())
        out[k] = None if missing else value
    without = np.flatnonzero([v is None for v in out])
    if without.size:
        warn(
            "unlabelled-units",
            f"{who}: {without.size} of {out.size} units have no label {name!r} "
            f"({_listed(every[without])}); they belong to no part and are never removed or perturbed.",
            "Label them, or name them as a part of their own.",
        )
    return out


def _listed(units: np.ndarray, most: int = 8) -> str:
    shown = ", ".join(shorten(u, 30) for u in units[:most].tolist())
    return shown + (", ..." if units.size > most else "")


def units_named(given: Any, every: np.ndarray, *, who: str, name: str) -> np.ndarray:
    """(units,) bool of ids, or True/False for each unit."""
    listed = np.atleast_1d(np.asarray(given))
    if listed.dtype.kind == "b":
        if listed.shape != every.shape:
            raise InputError(
                f"{who}: {name!r} must have True or False for each of {every.size} units, got shape {listed.shape}.",
                code="bad-parameter",
            )
        return listed
    missing = [v for v in listed.tolist() if v not in set(every.tolist())]
    if missing:
        raise InputError(
            f"{who}: {name!r} names unit {shorten(missing[0])}, which the data do not have; its {every.size} "
            f"units are {_listed(every)}.",
            code="unknown-name",
        )
    return np.isin(every, listed)


def units_of(task: Task, data: xr.DataArray, *, who: str) -> np.ndarray:
    """Ids of the units that vary; columns of x are these, once for each time or delay."""
    every = np.asarray(data["unit"].values if "unit" in data.coords else np.arange(data.sizes["unit"]))
    if (
        task.design is not None
        and not (data.ndim == 3 and task.design.units.size == task.x.shape[1] != every.size)
        and task.design.units.size == task.x.shape[1]
        and data.ndim < 3
    ):
        return task.design.units
    if task.x.shape[1] % every.size == 0:
        return every
    raise InputError(
        f"{who}: {every.size} units became {task.x.shape[1]} columns, some of which do not vary; leave out units that "
        "do not vary at all times.",
        code="constant-units",
    )


def drawn_rows(task: Task, n_boot: int, seed: Seed) -> tuple[np.ndarray, np.ndarray | None, int, Any]:
    """(segment of each row, weights (draws, segments) or None, independent items, deals of the folds)."""
    source: Any = task.design if task.design is not None else task.encoding
    n = len(task.x)
    length = source.settings.get("block_steps")
    whole = length is None or task.kind == "classes"
    size = 1 if whole else max(1, int(length) // 5)
    segments = np.arange(n) // size
    deal = source.deal
    if task.encoding is not None and deal is not None:
        inner = deal

        def deal(again: Seed) -> Any:
            return inner(again)[0]

    if not n_boot:
        return segments, None, source.blocks, deal
    rng = seed.stream("bootstrap")
    if whole:
        return segments, source.weights(n_boot, rng), source.blocks, deal
    count = int(segments[-1]) + 1
    return segments, block_weights(count, max(1, round(int(length) / size)), n_boot, rng), source.blocks, deal
