"""`responses`: any array becomes the labelled array that every verb takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import (
    Caution,
    InputError,
    cautions_to_json,
    warn,
)
from consilience._core._memory import is_lazy
from consilience._core._params import check_option, shorten
from consilience._responses._check import WARNINGS
from consilience._responses._frames import check_columns_of_frame, is_frame, labels_of_frame
from consilience._responses._ids import check_ids, check_text, made_up_ids, repeated
from consilience._responses._missing import apply_missing
from consilience._responses._schema import DIMS, KINDS, MISSING

LONGEST_EPOCH = 100.0  # seconds of a trial beyond which times are taken to be milliseconds


def responses(
    array: object,
    *,
    kind: Literal[
        "activation", "count", "rate", "dff", "bold", "voltage", "latent", "behaviour"
    ] = "activation",
    dims: Sequence[str] | None = None,
    stimulus: Sequence[Hashable] | np.ndarray | None = None,
    unit: Sequence[Hashable] | np.ndarray | None = None,
    time: Sequence[float] | np.ndarray | None = None,
    system: str | None = None,
    repeat: str | Sequence[int] | np.ndarray | None = None,
    missing: Literal["raise", "omit", "mask", "mask_values"] = "raise",
    **labels: Any,
) -> xr.DataArray:
    """Makes responses, the labelled array that every verb takes, from any array.

    Parameters
    ----------
    array : array (trial, unit), (trial, time, unit) or, with ``dims=("time", "unit")``, (time, unit)
        Any library's array, a DataArray, or a data frame, whose index gives ids (or times) and whose columns name the
        units, unless they are only counted. Values are copied only if their type must change. A
        3-D array needs ``dims``, so that no axis is guessed. A dask array stays one: nothing is computed here, and
        NaN is looked for block by block when the values are used; other policies of ``missing`` read it once.
    kind : what a value is: activation, count (spikes), rate (spikes/s), dff, bold, voltage (V), latent, or
        behaviour (a measured variable, such as position).
    stimulus : n_trials ids, all text or all int. Systems are aligned by them. Without ids ``stim0000...``
        are made up, and that is recorded as a warning (code ``made-up-ids``). Of a single trial, and where a label
        names the trials, it is recorded only, and said by verbs that align by id.
    unit : n_units names. Default: 0, 1, ...
    time : n_times in seconds from the event; required where there is a time dim.
    system : the name that results show.
    repeat : ``"count"`` numbers the rows of equal stimulus id 0, 1, ...; or one int per trial. Equal ids
        without it are refused.
    missing : NaN policy. ``"raise"`` refuses them; ``"omit"`` drops trials with any NaN (recorded);
        ``"mask"`` keeps them and writes a boolean coordinate ``valid`` on trial; ``"mask_values"`` marks the single
        values instead, and no trial is lost: ``valid`` is over (trial, time) where bins are missing for all units (as
        of trials that end early), else over all dims. `cs.reduce`, `cs.structure` and, for shared dimensions
        of (trial, unit), `cs.dimensionality` take single values that are missing; all other verbs refuse them.
    **labels : further coordinates, one entry per trial (``category=...``, ``subject=...``), or per unit
        where that is the length that fits (ambiguous lengths go to trial).

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
        array = array.data if array.chunks is not None else array.values
    if is_frame(array):
        check_columns_of_frame(array, who=who)
        rows, columns = labels_of_frame(array)
        unit = columns if unit is None else unit
        if dims is None or tuple(dims) == ("trial", "unit"):
            stimulus = rows if stimulus is None else stimulus
        elif time is None and tuple(dims) == ("time", "unit"):
            time = rows
    check_text([str(system or "")], who=who, what="system")
    if missing == "raise" and isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise InputError(
            f"{who}: the array has {int(np.ma.count_masked(array))} masked entries, which are not data; pass "
            "missing='omit' to drop those trials, 'mask' to mark them or 'mask_values' to mark these values alone, or "
            "fill them yourself.",
            code="masked-values",
        )
    values = as_numeric(array, who)
    names = _dims_for(values, dims, who)
    cautions: list[Caution] = []
    sizes = dict(zip(names, values.shape))
    coords: dict[str, Any] = {}
    if "time" in names:
        if time is None:
            raise InputError(
                f"{who}: time must give {sizes['time']} times in seconds from the event.", code="bad-time"
            )
        try:
            times = np.asarray(time, dtype=np.float64)
        except (TypeError, ValueError):
            times = np.empty(0)
        if times.shape != (sizes["time"],) or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            other = times.ndim == 1 and times.size not in (0, sizes["time"])
            raise InputError(
                f"{who}: time must be {sizes['time']} increasing finite numbers (s), as many as the array has times; "
                f"got {f'{times.size}: ' if other else ''}{shorten(time)}.",
                code="bad-time",
            )
        coords["time"] = ("time", times)
        if "trial" in names and times[-1] - times[0] > LONGEST_EPOCH:
            cautions.append(
                Caution(
                    "long-epoch",
                    f"Times of {system or 'this array'} go from {times[0]:g} to {times[-1]:g} s within a trial.",
                    "Times are in seconds: divide milliseconds by 1000.",
                )
            )
    elif time is not None:
        raise InputError(f"{who}: time= is given, and dims {names} have no time.", code="bad-time")
    units = np.arange(sizes["unit"]) if unit is None else check_ids(unit, sizes["unit"], who=who, what="unit")
    if np.unique(units).size != units.size:
        raise InputError(
            f"{who}: unit names must differ; {repeated(units)} come more than once.", code="repeated-units"
        )
    coords["unit"] = ("unit", units)
    if "trial" in names:
        n = sizes["trial"]
        if stimulus is None:
            ids = made_up_ids(n)
            cautions.append(
                Caution(
                    "made-up-ids",
                    f"No stimulus ids were given for {system or 'this array'}; stim0000... stand for its "
                    "rows in their order.",
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
    data, said = apply_missing(data, missing, who)
    cautions += said
    if kind == "count" and isinstance(values, np.ndarray) and values.dtype.kind != "u" and (values < 0).any():
        cautions.append(
            Caution(
                "negative-counts",
                f"{system or 'This array'} has kind='count' and values below 0, down to {np.nanmin(values):.3g}.",
                "Counts are not centred or scaled; give what was counted, or another kind.",
            )
        )
    named = data.sizes.get("trial") == 1 or any(
        data[label].dims == ("trial",) for label in labels
    )  # told by something else than ids
    for caution in cautions:
        if caution.code != "made-up-ids" or not named:
            warn(caution.code, caution.message, caution.remedy, stacklevel=2)
    if cautions:
        data.attrs[WARNINGS] = cautions_to_json(cautions)
    return data


def _as_lazy_numeric(array: Any, who: str) -> Any:
    """A dask array of real numbers, nothing computed."""
    if any(not isinstance(size, int) for size in array.shape):
        raise InputError(
            f"{who}: the dask array has chunks of unknown size; call array.compute_chunk_sizes() first.",
            code="not-an-array",
        )
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: the array must hold real numbers, got dtype {array.dtype}; convert it to float first.",
            code="not-numeric",
        )
    if array.dtype.kind != "f" or array.dtype.itemsize not in (4, 8):
        return array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_numeric(array: object, who: str) -> np.ndarray:
    if is_lazy(array):
        return _as_lazy_numeric(array, who)
    layout = str(getattr(array, "layout", ""))
    if (hasattr(array, "tocsr") and hasattr(array, "nnz")) or "sparse" in layout:
        dense = "to_dense" if "sparse" in layout else "toarray"
        raise InputError(
            f"{who}: the array is sparse; pass array.{dense}() if it fits in memory.", code="sparse-array"
        )
    if isinstance(array, np.ma.MaskedArray):
        values = (
            np.ma.filled(array.astype(np.float64), np.nan)
            if np.ma.is_masked(array)
            else np.asarray(array.data)
        )
    elif hasattr(array, "to_numpy") and not isinstance(array, np.ndarray):
        values = np.asarray(array.to_numpy())
    else:
        try:
            values = to_numpy(array)
        except ValueError:
            raise InputError(
                f"{who}: the array is a ragged list; every row must have the same length.",
                code="not-an-array",
            ) from None
        except (TypeError, RuntimeError) as error:  # torch tensors without data, quantized, nested
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{who}: the array (a {type(array).__name__}) cannot be read as plain numbers ({reason}); "
                "convert it to a NumPy array first.",
                code="not-an-array",
            ) from None
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: the array must hold real numbers, got dtype {values.dtype}; convert it to float first.",
            code="not-numeric",
        )
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
        names = tuple(dims) if isinstance(dims, Sequence) else (dims,)
    if names not in DIMS or len(names) != values.ndim:
        raise InputError(
            f"{who}: dims must be one of {', '.join(str(entry) for entry in DIMS)} and fit shape "
            f"{values.shape}, got {names}.",
            code="bad-dims",
        )
    if 0 in values.shape:
        raise InputError(
            f"{who}: the array is empty (shape {values.shape}); at least 1 trial and 1 unit are needed.",
            code="too-few",
        )
    return names


def _repeat_coord(ids: np.ndarray, repeat: object, who: str) -> dict[str, Any]:
    unique = np.unique(ids).size == ids.size
    if repeat is None:
        if not unique:
            raise InputError(
                f"{who}: stimulus ids come more than once ({repeated(ids)}); pass repeat='count' if those "
                "rows are repeats of "
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
            raise InputError(
                f"{who}: repeat must be 'count' or {ids.size} whole numbers, got {shorten(repeat)}.",
                code="bad-ids",
            )
        if len(set(zip(ids.tolist(), numbers.tolist()))) != ids.size:
            raise InputError(
                f"{who}: the pairs (stimulus, repeat) must differ; some come more than once.",
                code="repeated-ids",
            )
    return {"repeat": ("trial", numbers)}


def _label_coord(label: str, entries: Any, sizes: Mapping[str, int], who: str) -> tuple[str, np.ndarray]:
    if label in ("stimulus", "unit", "time", "trial", "repeat", "valid"):
        raise InputError(
            f"{who}: the label {label!r} has a meaning of its own; choose another name.", code="bad-label"
        )
    try:
        values = np.asarray(entries)
    except ValueError:  # a ragged list
        values = np.empty((0, 0))
    if values.ndim == 1 and values.dtype.kind in "OT":
        values = np.array([str(entry) for entry in values.tolist()])
    for dim in ("trial", "unit"):
        if values.ndim == 1 and values.shape[0] == sizes.get(dim):
            return dim, values
    raise InputError(
        f"{who}: label {label!r} must have one entry per trial ({sizes.get('trial', 'none')}) or per unit "
        f"({sizes['unit']}), "
        f"got shape {values.shape}.",
        code="bad-label",
    )
