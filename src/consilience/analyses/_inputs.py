"""From what the user gave to aligned systems: checked, matched by id, averaged over repeats, constant units
dropped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest, warn
from consilience._core._memory import is_lazy, out_of_core
from consilience._core._params import shorten
from consilience._responses import (
    average,
    check_rdm_data,
    check_responses,
    common_ids,
    is_rdm_data,
    iterate_systems,
    recorded_cautions,
    select_ids,
    stable_order,
)
from consilience.analyses._patterns import GramKind, Products, Responses
from consilience.linalg._gram import unit_gram
from consilience.measures._rdm import DISTANCES, GRAM_OF, FlatPatternError, rdm_of_gram

__all__ = ["Responses", "System", "aligned_systems", "condensed", "people_of"]


_LOW, _HIGH = 2.0**-60, 2.0**100


@dataclass(frozen=True)
class System:
    """One system over the aligned stimuli (sorted by id).

    responses : of the stimuli, averaged over repeats; None for RDM data.
    rdms : (subjects, n(n-1)/2) condensed RDMs, sessions averaged; None for responses.
    subjects : their ids.   distance : of the RDMs.   trials : the unaveraged responses where every stimulus
        has repeats; else None.
    """

    name: str
    kind: str
    responses: Responses | None = None
    rdms: np.ndarray | None = None
    subjects: tuple[str, ...] = ()
    distance: str = ""
    trials: xr.DataArray | None = None
    _rdms: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    _products: dict[str, Products] = field(default_factory=dict, repr=False)

    def rdm(self, distance: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The RDM (n(n-1)/2,) of the responses by ``distance``, made once for all measures."""
        if distance not in self._rdms:
            self._rdms[distance] = make()
        return self._rdms[distance]

    def gram(self, kind: GramKind, trials: np.ndarray | None = None) -> np.ndarray | None:
        """The Gram matrix (n, n) of responses that are in a file or a dask array, read once for all measures; else
        None, and where its numbers would be too small or too large. ``trials``: of means over these only, (trials,)
        bool.
        """
        if self.responses is None or not self.responses.on_disk:
            return None
        if kind == "rows" and self.responses.shape[1] < 2:
            return None
        if kind not in self._products:
            self._products[kind] = self.responses.products(kind)
        found = self._products[kind]
        if kind != "columns":
            flat = found.scale <= 8 * self.responses.eps * (found.size + found.scale)
            if flat.any():
                name = "correlation" if kind == "rows" else "cosine"
                raise FlatPatternError.of(np.flatnonzero(flat).tolist(), name, who="rdm")
        k = self.responses.gram(found, trials)
        along = self.responses.along(found, trials)
        squares = k.diagonal() if along is None else k.diagonal() + 2.0 * along + found.common
        # squares of float32 that neither vanished nor overflowed
        fits = (squares.max() if kind == "columns" else squares.min()) > _LOW and squares.max() < _HIGH
        if not fits:
            return None
        return k if kind == "columns" else np.asarray(unit_gram(k, along, found.common))

    def distances(self, distance: str, trials: np.ndarray | None = None) -> np.ndarray | None:
        """The RDM (n(n-1)/2,) by ``distance`` where a Gram matrix gives it (see `gram`), else None."""
        if distance not in DISTANCES:
            return None
        k = self.gram(GRAM_OF[distance], trials)
        return None if k is None else rdm_of_gram(k, distance, self.n_units)

    @property
    def x(self) -> np.ndarray | None:
        """(n, units) responses, constant units dropped; made anew at each use."""
        return None if self.responses is None else self.responses.take()

    @property
    def n_units(self) -> float:
        return float("nan") if self.responses is None else float(self.responses.shape[1])

    @property
    def noiseless(self) -> bool:
        return self.kind in ("activation", "latent")


def people_of(system: System) -> int:
    """How many subjects a system has RDMs of; 1 for responses."""
    return 1 if system.rdms is None else len(system.rdms)


def condensed(square: np.ndarray) -> np.ndarray:
    rows, columns = np.triu_indices(square.shape[-1], 1)
    return square[..., rows, columns]


def _checked(name: str, data: object, by: str, who: str, side: str) -> xr.DataArray:
    where = f"{side}[{name!r}]" if name else side
    if is_rdm_data(data):
        checked = check_rdm_data(data, who=who, name=where)
        if by != "stimulus":
            raise InputError(
                f"{who}: {where} is RDM data, which is aligned by stimulus; by={by!r} needs responses.",
                code="bad-by",
            )
        return checked
    checked = check_responses(data, who=who, name=where, lazy=True)
    if checked.dims != ("trial", "unit"):
        raise InputError(
            f"{who}: {where} has dims {checked.dims}; select or average over time first, e.g. "
            "data.sel(time=slice(0.07, 0.17)).mean('time').",
            code="bad-dims",
        )
    return checked


def aligned_systems(
    sides: Mapping[str, object], *, by: str, join: str, who: str, groups: str | None = None
) -> tuple[dict[str, list[System]], np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Every side's systems over the common stimuli: ({side: systems}, sorted ids, group of each stimulus by
    the label ``groups``, reference keys found on the data).
    """
    collected: dict[str, dict[str, xr.DataArray]] = {}
    flat: dict[str, xr.DataArray] = {}
    references: list[str] = []
    labels: Labels = {}
    for side, given in sides.items():
        collected[side] = {}
        for name, data in iterate_systems(given, who=who, side=side):
            array = _checked(name, data, by, who, side)
            unique = name if name not in flat else f"{side}: {name}"
            if by != "stimulus":
                _one_label(by, unique, array, labels, who)
                array = average(array, by=by)
            collected[side][name] = array
            flat[unique] = array
            references += json.loads(str(array.attrs.get("references", "[]")))
            for caution in recorded_cautions(array):
                warn(caution.code, caution.message, caution.remedy)
    ids = common_ids(flat, join=join, who=who)
    times = Counter(name for systems in collected.values() for name in systems)
    made = {
        side: [
            _system(name, data, ids, who, shown=_shown(name, side, times[name] > 1))
            for name, data in systems.items()
        ]
        for side, systems in collected.items()
    }
    owner = None if groups is None else _groups(groups, flat, ids, who)
    return made, ids, owner, tuple(dict.fromkeys(references))


Labels = dict[Any, tuple[Any, str]]  # stimulus id -> its label, and the system that says so


def _one_label(label: str, name: str, data: xr.DataArray, known: Labels, who: str) -> None:
    """Adds what ``data`` calls its stimuli by ``label``; refuses what another system calls otherwise."""
    if label not in data.coords or data[label].dims != ("trial",):
        return
    if any(caution.code == "made-up-ids" for caution in recorded_cautions(data)):
        return
    for stimulus, value in zip(data["stimulus"].values.tolist(), data[label].values.tolist()):
        before, other = known.setdefault(stimulus, (value, name))
        if before != value and other != name:
            raise InputError(
                f"{who}: stimulus {shorten(stimulus, 40)} has {label} {shorten(before, 40)} in {other!r} and "
                f"{shorten(value, 40)} in {name!r}; give both the same labels.",
                code="labels-differ",
            )


def _groups(label: str, systems: Mapping[str, xr.DataArray], ids: np.ndarray, who: str) -> np.ndarray:
    """Group number of each stimulus, from the systems that have the label on trial."""
    if not isinstance(label, str):
        raise InputError(
            f"{who}: groups must be the name of a label on trial, got {type(label).__name__}; give the labels to the "
            "responses with .assign_coords(group=('trial', labels)) and pass groups='group'.",
            code="bad-groups",
        )
    said: Labels = {}
    for name, data in systems.items():
        _one_label(label, name, data, said, who)
    known = sorted(
        {str(n) for data in systems.values() for n, c in data.coords.items() if c.dims == ("trial",)}
    )
    for data in systems.values():
        if label in data.coords and data[label].dims == ("trial",):
            rows = select_ids(data, ids)
            labels, stimuli = rows[label].values, rows["stimulus"].values
            pairs = set(zip(stimuli.tolist(), labels.tolist()))
            if len(pairs) != len(ids):
                raise InputError(
                    f"{who}: groups={label!r} must have one entry per stimulus; some stimuli have several.",
                    code="bad-groups",
                )
            of = dict(pairs)
            return np.unique(np.array([of[key] for key in ids.tolist()]), return_inverse=True)[1]
    raise UnknownNameError(
        f"{who}: no system has a label {label!r} on trial to group stimuli by.{nearest(label, known)}",
        code="unknown-label",
    )


def _shown(name: str, side: str, several: bool) -> str:
    """A system as warnings call it, with its side where others have its name."""
    where = f" (side {side})" if side in ("a", "b") else f" ({side})"
    return shorten(name, 60) + where * several


def _system(name: str, data: xr.DataArray, ids: np.ndarray, who: str, *, shown: str) -> System:
    if is_rdm_data(data):
        return _rdm_system(name, select_ids(data, ids))
    trials, given = None, data
    matrix = data.data if data.chunks is not None else data.values
    if out_of_core(matrix):
        found, trials = _where_it_lies(shown, data, matrix, ids, who)
    else:
        if "repeat" in data.coords or "valid" in data.coords or data.sizes["trial"] > len(ids):
            data = select_ids(data, ids)
            trials = _repeated(shown, data)
            data = average(data)
        own = data["stimulus"].values
        order = stable_order(own)
        found = Responses(data.values, _unless_in_order(order[np.searchsorted(own[order], ids)], len(own)))
    varying = ~found.constant()
    if not varying.any():
        raise InputError(
            f"{who}: every unit of {shown} has the same value for all {len(ids)} stimuli, so "
            "there is nothing to compare.",
            code="constant-units",
        )
    if not varying.all():
        units = data["unit"].values[~varying]
        listed = ", ".join(shorten(unit, 30) for unit in units[:3].tolist())
        warn(
            "constant-units",
            f"{shown}: {units.size} of {varying.size} units have the same value for all "
            f"stimuli (unit {listed}{', ...' if units.size > 3 else ''}) and were dropped.",
            "Expected for dead or clipped units; correlation and cosine distances would otherwise count them.",
        )
        found = replace(found, units=varying)
        trials = trials[:, varying] if trials is not None else None
    return System(name, str(given.attrs.get("kind", "activation")), responses=found, trials=trials)


def _unless_in_order(rows: np.ndarray, n: int) -> np.ndarray | None:
    return None if len(rows) == n and bool((rows == np.arange(n)).all()) else rows


def _where_it_lies(
    shown: str, data: xr.DataArray, matrix: Any, ids: np.ndarray, who: str
) -> tuple[Responses, xr.DataArray | None]:
    """Responses in a file or a dask array, and their trials, with no value read: rows are chosen by their labels, and
    means over repeats are taken of blocks.
    """
    own = data["stimulus"].values
    keep = np.isin(own, ids)
    if "valid" in data.coords:
        keep &= data["valid"].values
    rows = np.flatnonzero(keep)
    rows = rows[stable_order(own[rows])]
    owner = np.searchsorted(ids, own[rows])
    counts = np.bincount(owner, minlength=len(ids))
    if (counts == 0).any():
        raise InputError(
            f"{who}: {shown} has no valid trial for stimulus {shorten(ids[counts == 0][0].item(), 40)}; "
            "drop those rows first.",
            code="no-valid-trial",
        )
    trials = None
    if "repeat" in data.coords:
        trials = _repeated(shown, select_ids(_as_lazy(data, matrix), ids))
    found = Responses(
        matrix,
        _unless_in_order(rows, len(own)),
        owner=owner if counts.max() > 1 else None,
        labels=data,
        who=f"{who}: {shown}",
    )
    return found, trials


def _as_lazy(data: xr.DataArray, matrix: Any) -> xr.DataArray:
    """The same array, of which rows can be chosen without reading them."""
    if is_lazy(matrix):
        return data
    import dask.array

    rows = max(1, (1 << 22) // matrix.shape[1])
    return data.copy(data=dask.array.from_array(matrix, chunks=(rows, -1), name=False))


def _repeated(shown: str, data: xr.DataArray) -> xr.DataArray | None:
    """The valid trials, if every stimulus has at least two."""
    if "repeat" not in data.coords:
        return None
    keep = data["valid"].values if "valid" in data.coords else np.ones(data.sizes["trial"], bool)
    ids, counts = np.unique(data["stimulus"].values[keep], return_counts=True)
    if counts.min() >= 2:
        return data[keep]
    if counts.max() >= 2:
        single = ids[counts < 2]
        listed = ", ".join(repr(one) for one in single[:3].tolist()) + (", ..." if single.size > 3 else "")
        warn(
            "ceiling-missing",
            f"{shown}: {int((counts < 2).sum())} of {counts.size} stimuli have a single valid trial, so "
            "there is no noise ceiling for it.",
            f"Leave those stimuli out to get one: data[~data['stimulus'].isin([{listed}])].",
        )
    return None


def _rdm_system(name: str, data: xr.DataArray) -> System:
    values = condensed(np.asarray(data.values, dtype=np.float64))
    subjects = data["subject"].values if "subject" in data.coords else np.arange(len(values))
    names = list(dict.fromkeys(subjects.tolist()))
    return System(
        name,
        "rdm",
        rdms=np.stack([values[subjects == subject].mean(axis=0) for subject in names]),
        subjects=tuple(map(str, names)),
        distance=str(data.attrs.get("distance", "unknown")),
    )
