"""The schema: responses and RDM data are plain `xarray.DataArray`s; here they are made, checked, aligned, averaged, split.

Responses have dims ("trial", "unit"), ("trial", "time", "unit") or ("time", "unit"), in that order. ``stimulus`` (the id by which
systems are aligned) and any other label are coordinates on ``trial``. RDM data has dims ("rdm", "stimulus", "stimulus_").
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import (
    Caution,
    InputError,
    UnknownNameError,
    cautions_from_json,
    cautions_to_json,
    nearest,
    warn,
)
from consilience._core._params import check_option, shorten

__all__ = [
    "KINDS",
    "align",
    "average",
    "check_rdm_data",
    "check_responses",
    "is_rdm_data",
    "rdm_data",
    "recorded_cautions",
    "responses",
    "split",
    "unflatten",
]

KINDS = ("activation", "count", "rate", "dff", "bold", "voltage", "latent")
DIMS = (("trial", "unit"), ("trial", "time", "unit"), ("time", "unit"))
MISSING = ("raise", "omit", "mask")
_WARNINGS = "consilience_warnings"  # attribute that carries what was said when the array was made


# -- ids -------------------------------------------------------------------------------------------------------------


def made_up_ids(n: int, prefix: str = "stim") -> np.ndarray:
    return np.array([f"{prefix}{i:04d}" for i in range(n)])


def check_ids(ids: object, n: int, *, who: str, what: str = "stimulus") -> np.ndarray:
    """Ids as a 1-D array of one type (text or whole numbers), ``n`` long."""
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise InputError(f"{who}: {what} must be a list of {n} ids, got {shorten(ids)}.", code="bad-ids")
    listed = list(ids.values.tolist() if isinstance(ids, xr.DataArray) else np.asarray(ids).tolist() if isinstance(ids, np.ndarray) else ids)
    if len(listed) != n:
        raise InputError(f"{who}: {what} has {len(listed)} ids for {n} rows; give one id per row.", code="bad-ids")
    listed = [entry.item() if isinstance(entry, np.generic) else entry for entry in listed]
    text = [isinstance(entry, str) for entry in listed]
    whole = [isinstance(entry, int) and not isinstance(entry, bool) for entry in listed]
    if all(text):
        return np.array(listed, dtype=str) if listed else np.empty(0, dtype=str)
    if all(whole):
        return np.array(listed, dtype=np.int64)
    odd = next(entry for entry, t, w in zip(listed, text, whole) if not (t or w) or t != text[0])
    raise InputError(
        f"{who}: {what} ids must all be text or all be whole numbers, got {shorten(listed[0])} beside {shorten(odd)}; "
        "convert them to one type.",
        code="bad-ids",
    )


def _order(ids: np.ndarray) -> np.ndarray:
    return np.argsort(ids, kind="stable")


# -- making ----------------------------------------------------------------------------------------------------------


def responses(
    array: object,
    *,
    kind: Literal["activation", "count", "rate", "dff", "bold", "voltage", "latent"] = "activation",
    dims: Sequence[str] | None = None,
    stimulus: Sequence[Hashable] | np.ndarray | None = None,
    unit: Sequence[Hashable] | np.ndarray | None = None,
    time: Sequence[float] | np.ndarray | None = None,
    system: str | None = None,
    repeat: str | Sequence[int] | np.ndarray | None = None,
    missing: Literal["raise", "omit", "mask"] = "raise",
    **labels: Any,
) -> xr.DataArray:
    """Makes responses, the labelled array that every verb takes, from any array.

    Parameters
    ----------
    array : array (trial, unit), (trial, time, unit) or, with ``dims=("time", "unit")``, (time, unit)
        Any library's array, a data frame, or a DataArray. Values are copied only if their type must change. A 3-D
        array needs ``dims``, so that no axis is guessed.
    kind : what a value is: activation, count (spikes), rate (spikes/s), dff, bold, voltage (V) or latent.
    stimulus : n_trials ids, all text or all int. Systems are aligned by them. Without ids ``stim0000...`` are made up, and
        that is recorded as a warning (code ``made-up-ids``).
    unit : n_units names. Default: 0, 1, ...
    time : n_times in seconds from the event; required where there is a time dim.
    system : the name that results show.
    repeat : ``"count"`` numbers the rows of equal stimulus id 0, 1, ...; or one int per trial. Equal ids without it are refused.
    missing : NaN policy. ``"raise"`` refuses them; ``"omit"`` drops trials with any NaN (recorded); ``"mask"`` keeps them and
        writes a boolean coordinate ``valid`` on trial.
    **labels : further coordinates, one entry per trial (``category=...``, ``subject=...``), or per unit where that is the length
        that fits (ambiguous lengths go to trial).

    Returns
    -------
    xarray.DataArray with ``attrs["kind"]``, ``attrs["system"]``.

    Raises
    ------
    InputError : shape, type, ids, NaN or labels that do not fit; the text names what and where.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> it = cs.responses(np.eye(4), kind="rate", stimulus=["cat", "dog", "cup", "car"], system="IT")
    >>> it.dims, it.attrs["kind"]
    (('trial', 'unit'), 'rate')
    """
    who = "cs.responses"
    check_option(kind, KINDS, name="kind", who=who)
    check_option(missing, MISSING, name="missing", who=who)
    if isinstance(array, xr.DataArray):
        dims = dims or tuple(str(dim) for dim in array.dims)
        stimulus = array["stimulus"].values if stimulus is None and "stimulus" in array.coords else stimulus
        array = array.values
    values = _numeric(array, who)
    names = _dims_for(values, dims, who)
    cautions: list[Caution] = []
    sizes = dict(zip(names, values.shape))
    coords: dict[str, Any] = {}
    if "time" in names:
        if time is None:
            raise InputError(f"{who}: time must give {sizes['time']} times in seconds from the event.", code="bad-time")
        times = np.asarray(time, dtype=np.float64)
        if times.shape != (sizes["time"],) or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            raise InputError(f"{who}: time must be {sizes['time']} increasing finite numbers (s), got {shorten(time)}.", code="bad-time")
        coords["time"] = ("time", times)
    units = np.arange(sizes["unit"]) if unit is None else check_ids(unit, sizes["unit"], who=who, what="unit")
    if np.unique(units).size != units.size:
        raise InputError(f"{who}: unit names must differ; {_repeated(units)} come more than once.", code="repeated-units")
    coords["unit"] = ("unit", units)
    if "trial" in names:
        n = sizes["trial"]
        if stimulus is None:
            ids = made_up_ids(n)
            cautions.append(
                Caution(
                    "made-up-ids",
                    f"No stimulus ids were given for {system or 'this array'}; stim0000... stand for its rows in their order.",
                    "Pass stimulus=[...] so that systems are aligned by id, not by row.",
                )
            )
        else:
            ids = check_ids(stimulus, n, who=who)
        coords["stimulus"] = ("trial", ids)
        coords.update(_repeat_coord(ids, repeat, who))
    elif stimulus is not None:
        raise InputError(f"{who}: stimulus ids belong to trials, and dims {names} have none.", code="bad-ids")
    for label, entries in labels.items():
        coords[label] = _label_coord(label, entries, sizes, who)
    data = xr.DataArray(values, dims=names, coords=coords, attrs={"kind": kind, "system": system or ""})
    data, said = _apply_missing(data, missing, who)
    cautions += said
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy, stacklevel=2)
    if cautions:
        data.attrs[_WARNINGS] = cautions_to_json(cautions)
    return data


def _numeric(array: object, who: str) -> np.ndarray:
    if hasattr(array, "tocsr") and hasattr(array, "nnz"):
        raise InputError(f"{who}: the array is sparse; pass array.toarray() if it fits in memory.", code="sparse-array")
    if isinstance(array, np.ma.MaskedArray):
        values = np.asarray(array.astype(np.float64).filled(np.nan)) if np.ma.is_masked(array) else np.asarray(array.data)
    elif hasattr(array, "to_numpy") and not isinstance(array, np.ndarray):
        values = np.asarray(array.to_numpy())
    else:
        try:
            values = to_numpy(array)
        except ValueError:
            raise InputError(f"{who}: the array is a ragged list; every row must have the same length.", code="not-an-array") from None
    if values.dtype.kind not in "biuf":
        raise InputError(f"{who}: the array must hold real numbers, got dtype {values.dtype}; convert it to float first.", code="not-numeric")
    if values.dtype.kind != "f":
        return values.astype(np.float64)
    if values.dtype.itemsize == 2:
        return values.astype(np.float32)
    if values.dtype.itemsize > 8:
        return values.astype(np.float64)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _dims_for(values: np.ndarray, dims: Sequence[str] | None, who: str) -> tuple[str, ...]:
    if dims is None:
        if values.ndim != 2:
            raise InputError(
                f"{who}: an array of shape {values.shape} needs dims=, one of "
                f"{', '.join(str(entry) for entry in DIMS)}; or reshape it to (trial, unit).",
                code="dims-missing",
            )
        names: tuple[str, ...] = ("trial", "unit")
    else:
        names = tuple(dims)
    if names not in DIMS or len(names) != values.ndim:
        raise InputError(
            f"{who}: dims must be one of {', '.join(str(entry) for entry in DIMS)} and fit shape {values.shape}, got {names}.", code="bad-dims"
        )
    if 0 in values.shape:
        raise InputError(f"{who}: the array is empty (shape {values.shape}); at least 1 trial and 1 unit are needed.", code="too-few")
    return names


def _repeated(ids: np.ndarray, most: int = 3) -> str:
    counts = Counter(ids.tolist())
    twice = [key for key, count in counts.items() if count > 1]
    more = f" and {len(twice) - most} more" if len(twice) > most else ""
    return ", ".join(shorten(key, 40) for key in twice[:most]) + more


def _repeat_coord(ids: np.ndarray, repeat: object, who: str) -> dict[str, Any]:
    unique = np.unique(ids).size == ids.size
    if repeat is None:
        if not unique:
            raise InputError(
                f"{who}: stimulus ids come more than once ({_repeated(ids)}); pass repeat='count' if those rows are repeats of "
                "one stimulus, or give each row its own id.",
                code="repeated-ids",
            )
        return {}
    if isinstance(repeat, str):
        check_option(repeat, ["count"], name="repeat", who=who)
        seen: Counter[Any] = Counter()
        numbers = np.empty(ids.size, dtype=np.int64)
        for row, key in enumerate(ids.tolist()):
            numbers[row] = seen[key]
            seen[key] += 1
    else:
        numbers = np.asarray(repeat)
        if numbers.shape != ids.shape or numbers.dtype.kind not in "iu":
            raise InputError(f"{who}: repeat must be 'count' or {ids.size} whole numbers, got {shorten(repeat)}.", code="bad-ids")
        if len(set(zip(ids.tolist(), numbers.tolist()))) != ids.size:
            raise InputError(f"{who}: the pairs (stimulus, repeat) must differ; some come more than once.", code="repeated-ids")
    return {"repeat": ("trial", numbers)}


def _label_coord(label: str, entries: Any, sizes: Mapping[str, int], who: str) -> tuple[str, np.ndarray]:
    if label in ("stimulus", "unit", "time", "trial", "repeat", "valid"):
        raise InputError(f"{who}: the label {label!r} has a meaning of its own; choose another name.", code="bad-label")
    values = np.asarray(entries)
    if values.ndim == 1 and values.dtype.kind in "OT":
        values = np.array([str(entry) for entry in values.tolist()])
    for dim in ("trial", "unit"):
        if values.ndim == 1 and values.shape[0] == sizes.get(dim):
            return dim, values
    raise InputError(
        f"{who}: label {label!r} must have one entry per trial ({sizes.get('trial', 'none')}) or per unit ({sizes['unit']}), "
        f"got shape {values.shape}.",
        code="bad-label",
    )


def _apply_missing(data: xr.DataArray, missing: str, who: str) -> tuple[xr.DataArray, list[Caution]]:
    values = data.values
    if np.isinf(values).any():
        count, place = _places(np.isinf(values), data)
        raise InputError(f"{who}: {count} values are infinite, first at {place}; find out why before any analysis.", code="nan-values")
    bad = np.isnan(values)
    if not bad.any():
        return data, []
    count, place = _places(bad, data)
    if missing == "raise" or "trial" not in data.dims:
        raise InputError(
            f"{who}: {count} values are NaN, first at {place}; pass missing='omit' to drop those trials or 'mask' to mark them.",
            code="nan-values",
        )
    rows = bad.reshape(bad.shape[0], -1).any(axis=1)
    if rows.all():
        raise InputError(f"{who}: every trial has a NaN (first at {place}); drop the units that are never valid first.", code="nan-values")
    if missing == "mask":
        return data.assign_coords(valid=("trial", ~rows)), []
    said = Caution("trials-omitted", f"{int(rows.sum())} of {rows.size} trials had NaN and were left out.", "Check why they are missing.")
    return data[~rows], [said]


def _places(bad: np.ndarray, data: xr.DataArray) -> tuple[int, str]:
    first = np.argwhere(bad)[0]
    return int(bad.sum()), "(" + ", ".join(f"{dim} {_name_at(data, str(dim), int(i))}" for dim, i in zip(data.dims, first)) + ")"


def _name_at(data: xr.DataArray, dim: str, index: int) -> str:
    key = "stimulus" if dim == "trial" and "stimulus" in data.coords else dim
    if key in data.coords and data[key].dims == (dim,):
        return f"{index} = {shorten(data[key].values[index].item(), 40)}" if dim != "time" else f"{data[key].values[index]:g} s"
    return str(index)


def rdm_data(
    rdms: object,
    *,
    stimulus: Sequence[Hashable] | np.ndarray | None = None,
    distance: str = "unknown",
    subject: Sequence[Hashable] | np.ndarray | None = None,
    session: Sequence[Hashable] | np.ndarray | None = None,
    kind: str = "rdm",
    system: str | None = None,
    tolerance: float = 1e-6,
) -> xr.DataArray:
    """Makes RDM data: a system of which only representational dissimilarity matrices are known.

    Parameters
    ----------
    rdms : array (stimulus, stimulus), (rdm, stimulus, stimulus), or condensed (rdm, n(n-1)/2) in SciPy's order
        Dissimilarities: symmetric, zero on the diagonal, finite.
    stimulus : n ids, all different. Without them ``stim0000...`` are made up (warning ``made-up-ids``).
    distance : what the entries are: "correlation", "sqeuclidean", "euclidean", "cosine" or "unknown". CKA needs one of the first two.
    subject, session : one entry per RDM. Sessions are averaged within a subject; ceilings and intervals go over subjects.
    system : the name that results show.
    tolerance : how far, relative to the largest entry, an RDM may be from symmetric and from a zero diagonal.

    Returns
    -------
    xarray.DataArray (rdm, stimulus, stimulus_), float64, coordinates ``subject`` and ``session`` on rdm.

    Raises
    ------
    InputError : not square or condensed, not symmetric, diagonal not zero, NaN, repeated ids, fewer than 3 stimuli.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> d = 1 - np.corrcoef(np.random.default_rng(0).normal(size=(5, 20)))
    >>> it = cs.rdm_data(d, stimulus=list("abcde"), distance="correlation", system="IT")
    >>> it.dims, it.shape
    (('rdm', 'stimulus', 'stimulus_'), (1, 5, 5))
    """
    who = "cs.rdm_data"
    check_option(distance, ["correlation", "sqeuclidean", "euclidean", "cosine", "unknown"], name="distance", who=who)
    values = np.array(_numeric(rdms, who), dtype=np.float64)
    values = _square(values, who)
    n = values.shape[-1]
    if n < 3:
        raise InputError(f"{who}: an RDM needs at least 3 stimuli, got {n}.", code="too-few")
    if not np.isfinite(values).all():
        r, i, j = np.argwhere(~np.isfinite(values))[0]
        raise InputError(f"{who}: RDM {r} has a NaN or infinite entry at ({i}, {j}); fill or drop that stimulus first.", code="nan-values")
    scale = np.abs(values).max(axis=(1, 2))
    for r in range(len(values)):
        lopsided = np.abs(values[r] - values[r].T).max()
        if lopsided > tolerance * scale[r]:
            raise InputError(
                f"{who}: RDM {r} is not symmetric (largest difference {lopsided:.3g}); for a cross-validated matrix average it with its "
                "transpose on purpose.",
                code="not-symmetric",
            )
        diagonal = np.abs(np.diagonal(values[r])).max()
        if diagonal > tolerance * scale[r]:
            raise InputError(
                f"{who}: RDM {r} has {diagonal:.3g} on its diagonal; a dissimilarity of a stimulus with itself is 0. Is it a similarity?",
                code="bad-diagonal",
            )
    values = (values + np.swapaxes(values, 1, 2)) / 2
    values[:, np.arange(n), np.arange(n)] = 0.0
    cautions = []
    if stimulus is None:
        ids = made_up_ids(n)
        cautions.append(
            Caution(
                "made-up-ids",
                f"No stimulus ids were given for {system or 'this RDM'}; stim0000... stand for its rows in their order.",
                "Pass stimulus=[...] so that systems are aligned by id, not by row.",
            )
        )
    else:
        ids = check_ids(stimulus, n, who=who)
    if np.unique(ids).size != n:
        raise InputError(f"{who}: stimulus ids of an RDM must differ; {_repeated(ids)} come more than once.", code="repeated-ids")
    count = len(values)
    coords: dict[str, Any] = {"stimulus": ids, "stimulus_": ids}
    coords["subject"] = ("rdm", check_ids(subject, count, who=who, what="subject") if subject is not None else np.array([f"s{i + 1}" for i in range(count)]))
    if session is not None:
        coords["session"] = ("rdm", check_ids(session, count, who=who, what="session"))
    data = xr.DataArray(
        values,
        dims=("rdm", "stimulus", "stimulus_"),
        coords=coords,
        attrs={"kind": kind, "system": system or "", "distance": distance},
    )
    for caution in cautions:
        warn(caution.code, caution.message, caution.remedy)
    if cautions:
        data.attrs[_WARNINGS] = cautions_to_json(cautions)
    return data


def _square(values: np.ndarray, who: str) -> np.ndarray:
    if values.ndim == 2 and values.shape[0] == values.shape[1]:
        return values[None]
    if values.ndim == 3 and values.shape[1] == values.shape[2]:
        return values
    if values.ndim in (1, 2):
        condensed = np.atleast_2d(values)
        n = (1 + int(np.sqrt(1 + 8 * condensed.shape[1]))) // 2
        if n * (n - 1) // 2 == condensed.shape[1]:
            out = np.zeros((len(condensed), n, n))
            rows, columns = np.triu_indices(n, 1)
            out[:, rows, columns] = condensed
            return out + np.swapaxes(out, 1, 2)
    raise InputError(
        f"{who}: rdms must be (stimulus, stimulus), (rdm, stimulus, stimulus) or condensed (rdm, n(n-1)/2), got shape {values.shape}.",
        code="bad-rdm",
    )


# -- checking --------------------------------------------------------------------------------------------------------


def is_rdm_data(data: object) -> bool:
    return isinstance(data, xr.DataArray) and "stimulus_" in data.dims


def recorded_cautions(data: xr.DataArray) -> tuple[Caution, ...]:
    """What was said when the array was made."""
    return cautions_from_json(data.attrs[_WARNINGS]) if _WARNINGS in data.attrs else ()


def check_responses(data: object, *, who: str, name: str = "responses") -> xr.DataArray:
    """Returns ``data`` if it follows the schema; else an `InputError` that names the first thing that does not."""
    if not isinstance(data, xr.DataArray):
        raise InputError(
            f"{who}: {name} must be responses (an xarray.DataArray), got {type(data).__name__}; make them with "
            "cs.responses(array, kind=..., stimulus=ids), or cs.rdm_data(...) for RDMs.",
            code="not-responses",
        )
    dims = tuple(str(dim) for dim in data.dims)
    if dims not in DIMS:
        raise InputError(
            f"{who}: {name} must have dims {' or '.join(str(entry) for entry in DIMS)} in that order, got {dims}; "
            "rename or transpose them, e.g. data.rename(...).transpose('trial', 'unit').",
            code="bad-dims",
        )
    if "trial" in dims:
        if "stimulus" not in data.coords or data["stimulus"].dims != ("trial",):
            raise InputError(f"{who}: {name} has no coordinate 'stimulus' on trial; make it with cs.responses(..., stimulus=ids).", code="bad-ids")
        ids = data["stimulus"].values
        if "repeat" not in data.coords and np.unique(ids).size != ids.size:
            raise InputError(
                f"{who}: {name} has stimulus ids that come more than once ({_repeated(ids)}) and no 'repeat' coordinate; make it with "
                "cs.responses(..., repeat='count') if they are repeats.",
                code="repeated-ids",
            )
    values = data.values
    if values.dtype.kind not in "biuf":
        raise InputError(f"{who}: {name} must hold real numbers, got dtype {values.dtype}.", code="not-numeric")
    if 0 in values.shape:
        raise InputError(f"{who}: {name} is empty (shape {values.shape}).", code="too-few")
    keep = data["valid"].values if "valid" in data.coords and data["valid"].dims == ("trial",) else slice(None)
    finite = np.isfinite(values[keep])
    if not finite.all():
        count, place = _places(~finite, data[{"trial": keep}] if "trial" in dims else data)
        raise InputError(
            f"{who}: {name} has {count} NaN or infinite value{'s' if count > 1 else ''}, first at {place}; make it with "
            "cs.responses(..., missing='omit') or fill them on purpose.",
            code="nan-values",
        )
    return data


def check_rdm_data(data: object, *, who: str, name: str = "RDM data") -> xr.DataArray:
    if not is_rdm_data(data) or tuple(data.dims) != ("rdm", "stimulus", "stimulus_"):  # type: ignore[attr-defined]
        raise InputError(f"{who}: {name} must have dims ('rdm', 'stimulus', 'stimulus_'); make it with cs.rdm_data(...).", code="bad-dims")
    assert isinstance(data, xr.DataArray)
    if not np.isfinite(data.values).all():
        raise InputError(f"{who}: {name} has NaN or infinite entries; make it with cs.rdm_data(...), which says where.", code="nan-values")
    return data


# -- bookkeeping -----------------------------------------------------------------------------------------------------


def stimulus_ids(data: xr.DataArray) -> np.ndarray:
    """The distinct stimulus ids, sorted."""
    return np.unique(data["stimulus"].values)


def _examples(ids: Iterable[Any], most: int = 3) -> str:
    listed = list(ids)
    more = f", ... ({len(listed)} in all)" if len(listed) > most else ""
    return ", ".join(shorten(entry, 40) for entry in listed[:most]) + more


def common_ids(systems: Mapping[str, xr.DataArray], *, join: str = "exact", who: str = "cs.align") -> np.ndarray:
    """The sorted stimulus ids that all systems have; refuses or reports what is missing."""
    check_option(join, ["exact", "inner"], name="join", who=who)
    names = list(systems)
    sets = {name: stimulus_ids(systems[name]) for name in names}
    first = names[0]
    common = sets[first]
    for name in names[1:]:
        one, two = sets[first], sets[name]
        if one.dtype.kind != two.dtype.kind:
            raise InputError(
                f"{who}: stimulus ids of {first!r} are {_kind_word(one)} (such as {shorten(one[0].item(), 40)}) and those of {name!r} are "
                f"{_kind_word(two)} (such as {shorten(two[0].item(), 40)}); convert them to one type.",
                code="ids-of-two-types",
            )
        common = np.intersect1d(common, two)
        only_one, only_two = np.setdiff1d(one, two), np.setdiff1d(two, one)
        if common.size == 0:
            raise InputError(
                f"{who}: {first!r} ({one.size} stimuli) and {name!r} ({two.size}) share no stimulus id: {_examples(one.tolist())} against "
                f"{_examples(two.tolist())}; give both the same ids.",
                code="ids-disjoint",
            )
        if join == "exact" and (only_one.size or only_two.size):
            parts = []
            if only_one.size:
                parts.append(f"{only_one.size} only in {first!r} ({_examples(only_one.tolist())})")
            if only_two.size:
                parts.append(f"{only_two.size} only in {name!r} ({_examples(only_two.tolist())})")
            raise InputError(
                f"{who}: stimulus ids differ: {common.size} shared, {', '.join(parts)}; pass join='inner' to analyse the shared ones only.",
                code="ids-differ",
            )
    if join == "inner":
        dropped = {name: int(sets[name].size - common.size) for name in names if sets[name].size > common.size}
        if dropped:
            listed = ", ".join(f"{count} of {name!r}" for name, count in dropped.items())
            warn("stimuli-left-out", f"join='inner' left out stimuli that not all systems have: {listed}.", "Check that this is wanted.", stacklevel=3)
    return common


def _kind_word(ids: np.ndarray) -> str:
    return "text" if ids.dtype.kind in "UST" else "whole numbers"


def select_ids(data: xr.DataArray, ids: np.ndarray) -> xr.DataArray:
    """The rows (trials; or rows and columns of RDM data) of the given ids, in that order; repeats stay together in their order."""
    own = data["stimulus"].values
    if is_rdm_data(data):
        order = _order(own)
        rows = order[np.searchsorted(own[order], ids)]
        return data.isel(stimulus=rows, stimulus_=rows)
    order = _order(own)
    left, right = np.searchsorted(own[order], ids, "left"), np.searchsorted(own[order], ids, "right")
    rows = np.concatenate([order[lo:hi] for lo, hi in zip(left, right)]) if ids.size else np.empty(0, int)
    return data.isel(trial=rows)


def align(*systems: xr.DataArray, join: Literal["exact", "inner"] = "exact") -> tuple[xr.DataArray, ...]:
    """Brings systems to the same stimuli in the same order, by stimulus id, never by row.

    Parameters
    ----------
    *systems : responses (trial[, time], unit) or RDM data
    join : ``"exact"`` refuses other or missing ids, with counts and examples; ``"inner"`` keeps the shared ones and says what was left out.

    Returns
    -------
    tuple of DataArray, each ordered by sorted stimulus id (repeats of one stimulus stand together).

    Raises
    ------
    InputError : ids disjoint, differing (``join="exact"``), of two types, or repeated without a ``repeat`` coordinate.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses(np.arange(6.0).reshape(3, 2), stimulus=["c", "a", "b"])
    >>> y = cs.responses(np.arange(6.0).reshape(3, 2), stimulus=["a", "b", "c"])
    >>> cs.align(x, y)[0].values[:, 0]
    array([2., 4., 0.])
    """
    who = "cs.align"
    checked = [
        check_rdm_data(s, who=who) if is_rdm_data(s) else check_responses(s, who=who, name=f"argument {i + 1}") for i, s in enumerate(systems)
    ]
    if not checked:
        raise InputError(f"{who}: at least one system is needed.", code="too-few")
    named = {str(s.attrs.get("system") or f"argument {i + 1}"): s for i, s in enumerate(checked)}
    if len(named) < len(checked):
        named = {f"argument {i + 1}": s for i, s in enumerate(checked)}
    ids = common_ids(named, join=join, who=who)
    return tuple(select_ids(s, ids) for s in checked)


def average(data: xr.DataArray, *, by: str = "stimulus") -> xr.DataArray:
    """Averages repeated trials: one row per distinct entry of ``by``, sorted.

    Parameters
    ----------
    data : responses (trial[, time], unit). Trials marked ``valid=False`` are left out.
    by : the coordinate on trial whose equal entries are averaged (default: stimulus, that is over repeats).

    Returns
    -------
    DataArray with one trial per entry, a coordinate ``n_repeats`` on trial, and those labels that are constant within each entry.

    Raises
    ------
    UnknownNameError : no such coordinate.   InputError : an entry with no valid trial.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses([[1.0], [3.0], [5.0]], stimulus=["a", "a", "b"], repeat="count")
    >>> cs.average(x).values.ravel()
    array([2., 5.])
    """
    who = "cs.average"
    check_responses(data, who=who, name="data")
    labels = _trial_label(data, by, who)
    keep = data["valid"].values if "valid" in data.coords else np.ones(labels.size, bool)
    groups, inverse = np.unique(labels, return_inverse=True)
    counts = np.bincount(inverse[keep], minlength=groups.size)
    if (counts == 0).any():
        empty = groups[counts == 0]
        raise InputError(f"{who}: no valid trial for {by} {_examples(empty.tolist())}; drop those {by}s first.", code="no-valid-trial")
    if groups.size == labels.size and keep.all():
        out = data.isel(trial=_order(labels)).drop_vars([c for c in ("repeat", "valid") if c in data.coords])
        return out.assign_coords(n_repeats=("trial", counts)) if by == "stimulus" else _restimulate(out, by, groups)
    flat = data.values[keep].reshape(int(keep.sum()), -1)
    order = _order(inverse[keep])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(flat[order].astype(np.float64), starts, axis=0)
    values = (sums / counts[:, None]).astype(data.dtype if data.dtype.kind == "f" else np.float64).reshape((groups.size, *data.shape[1:]))
    coords: dict[str, Any] = {name: c for name, c in data.coords.items() if "trial" not in c.dims}
    first = np.array([int(np.flatnonzero(inverse == g)[0]) for g in range(groups.size)])
    for name, coord in data.coords.items():
        if coord.dims == ("trial",) and name not in ("repeat", "valid"):
            entries = coord.values
            if (entries == entries[first][inverse]).all():
                coords[str(name)] = ("trial", entries[first])
    coords["n_repeats"] = ("trial", counts)
    out = xr.DataArray(values, dims=data.dims, coords=coords, attrs=dict(data.attrs))
    return out if by == "stimulus" else _restimulate(out, by, groups)


def _restimulate(data: xr.DataArray, by: str, groups: np.ndarray) -> xr.DataArray:
    """After averaging by another label that label is the id by which systems are aligned."""
    return data.assign_coords(stimulus=("trial", check_ids(groups, groups.size, who="cs.average", what=by)))


def _trial_label(data: xr.DataArray, by: str, who: str) -> np.ndarray:
    known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
    if by not in known:
        raise UnknownNameError(f"{who}: no coordinate {by!r} on trial.{nearest(by, known)}", code="unknown-label")
    return data[by].values


def split(data: xr.DataArray, *, by: str) -> dict[Any, xr.DataArray]:
    """Splits responses by a label: one entry per distinct value of the coordinate ``by`` on trial, unit or rdm.

    Parameters
    ----------
    data : responses or RDM data
    by : name of a coordinate (``"subject"``, ``"session"``, ``"category"``, ``"area"``...)

    Returns
    -------
    dict {value: DataArray}, sorted by value; rows keep their order.

    Raises
    ------
    UnknownNameError : no such coordinate on trial, unit or rdm.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses(np.eye(3), stimulus=["a", "b", "c"], category=["face", "house", "face"])
    >>> {key: part.sizes["trial"] for key, part in cs.split(x, by="category").items()}
    {'face': 2, 'house': 1}
    """
    known = [str(n) for n, c in data.coords.items() if len(c.dims) == 1 and c.dims[0] in ("trial", "unit", "rdm")]
    if by not in known:
        raise UnknownNameError(f"cs.split: no coordinate {by!r} on trial, unit or rdm.{nearest(by, known)}", code="unknown-label")
    dim = data[by].dims[0]
    values = data[by].values
    return {key.item(): data.isel({dim: np.flatnonzero(values == key)}) for key in np.unique(values)}


def unflatten(data: xr.DataArray) -> xr.DataArray:
    """Restores maps from flattened responses: dims (trial, channel, y, x), from the unit coordinates channel, y and x.

    Parameters
    ----------
    data : responses (trial, unit) with integer coordinates ``channel``, ``y`` and ``x`` on unit, as `cs.record` writes them

    Returns
    -------
    DataArray (trial, channel, y, x); places that no unit has are NaN.

    Raises
    ------
    InputError : the coordinates are missing, or two units have the same place.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> flat = cs.responses(np.arange(8.0).reshape(2, 4), stimulus=["a", "b"], channel=[0, 0, 0, 0], y=[0, 0, 1, 1], x=[0, 1, 0, 1])
    >>> cs.unflatten(flat).shape
    (2, 1, 2, 2)
    """
    who = "cs.unflatten"
    check_responses(data, who=who, name="data")
    axes = ("channel", "y", "x")
    lacking = [axis for axis in axes if axis not in data.coords or data[axis].dims != ("unit",)]
    if lacking or data.dims != ("trial", "unit"):
        raise InputError(f"{who}: responses (trial, unit) with coordinates channel, y and x on unit are needed; {', '.join(lacking) or 'time'} does not fit.", code="no-map")
    places = [np.unique(data[axis].values, return_inverse=True) for axis in axes]
    shape = tuple(values.size for values, _ in places)
    flat = np.ravel_multi_index(tuple(index for _, index in places), shape)
    if np.unique(flat).size != flat.size:
        raise InputError(f"{who}: two units have the same channel, y and x; is this more than one layer?", code="no-map")
    out = np.full((data.sizes["trial"], int(np.prod(shape))), np.nan, dtype=data.dtype)
    out[:, flat] = data.values
    coords: dict[str, Any] = {axis: values for axis, (values, _) in zip(axes, places)}
    coords.update({str(n): c for n, c in data.coords.items() if c.dims == ("trial",)})
    return xr.DataArray(out.reshape(-1, *shape), dims=("trial", *axes), coords=coords, attrs=dict(data.attrs))


def iterate_systems(systems: object, *, who: str, side: str) -> Iterator[tuple[str, xr.DataArray]]:
    """The (name, array) pairs of one side: a single array, or a mapping name -> array."""
    if isinstance(systems, xr.DataArray):
        yield str(systems.attrs.get("system") or systems.name or side), systems
    elif isinstance(systems, Mapping):
        if not systems:
            raise InputError(f"{who}: {side} is an empty mapping; give at least one system.", code="too-few")
        for name, data in systems.items():
            yield str(name), data
    else:
        raise InputError(
            f"{who}: {side} must be responses, RDM data or a mapping {{name: responses}}, got {type(systems).__name__}; make them with "
            "cs.responses(array, kind=..., stimulus=ids).",
            code="not-responses",
        )


def json_labels(data: xr.DataArray) -> str:
    """The labels of responses as text, for hashing."""
    return json.dumps({str(name): coord.values.tolist() for name, coord in sorted(data.coords.items(), key=lambda item: str(item[0]))}, default=str)
