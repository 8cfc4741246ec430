"""The door of `Readout`: stimuli as maps, responses matched to them by id and averaged over repeats."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import as_array, to_numpy
from consilience._core._errors import InputError, collect_cautions
from consilience._core._params import check_count, shorten
from consilience._responses import check_responses
from consilience._responses._check import refuse_result
from consilience._stimuli import check_stimuli

__all__ = ["AsMaps", "Shown", "as_stimuli", "content", "layout_of", "shown"]

_STRETCHES = 20  # of a series, each on one side of the split


class AsMaps:
    """Stimuli as the module gets them: float32 (n, channel, y, x). The preprocessing of a network trained from scratch.

    shape : of one stimulus, as given.   sizes : (y, x) or (y, x, channel) of what a vector stands for.   channel : the
    axis of the channels of one stimulus after that, None where there is one channel.
    """

    def __init__(self, shape: Sequence[int], sizes: Sequence[int], channel: int | None) -> None:
        self.shape, self.sizes, self.channel = tuple(shape), tuple(sizes), channel

    def __call__(self, block: np.ndarray) -> np.ndarray:
        values = np.asarray(block).reshape(len(block), *self.sizes)
        values = values[:, None] if self.channel is None else np.moveaxis(values, 1 + self.channel, 1)
        return np.ascontiguousarray(values, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Shown:
    """n distinct stimuli and the mean responses of t units to them.

    stimuli : (n, ...), with ids.   y : (n, t) float64, 0 where there is none.   weight : (n, t) number of trials.
    units : (t,) names.   kind : of the responses, "" where arrays came.   groups : (n,) int, never on two sides of a
    split.   trials, row : (m, t) single trials and which stimulus each showed.
    """

    stimuli: xr.DataArray
    y: np.ndarray
    weight: np.ndarray
    units: np.ndarray
    kind: str
    groups: np.ndarray
    trials: np.ndarray
    row: np.ndarray


def as_stimuli(given: Any, *, who: str) -> xr.DataArray:
    """`cs.stimuli` of what came; the rows of an array are their own ids."""
    refuse_result(given, who=who, name="stimuli", expected="stimuli")
    if isinstance(given, xr.DataArray) and given.dims and given.dims[0] == "trial":
        return check_stimuli(to_numpy(as_array(given, name="stimuli", who=who)), who=who)
    with collect_cautions():  # made-up ids: rows go together with rows
        data = check_stimuli(given, who=who)
    if data.attrs.get("kind") == "text":
        raise InputError(
            f"{who}: stimuli must be images or arrays, got texts; record a layer of a language network and predict "
            "from that with cs.encode.",
            code="bad-stimuli",
        )
    return data


def layout_of(stimuli: xr.DataArray, shape: Sequence[int] | None, *, who: str) -> AsMaps:
    """How stimuli become maps: (y, x), (y, x, channel) or the order that their dims name; vectors by ``shape``."""
    own = stimuli.shape[1:]
    if shape is not None:
        sizes = tuple(check_count(v, name="shape", who=who, minimum=1) for v in shape)
        if len(sizes) not in (2, 3) or math.prod(sizes) != math.prod(own):
            raise InputError(
                f"{who}: shape must be (y, x) or (y, x, channel) with {math.prod(own)} values as the stimuli have "
                f"(theirs is {own}), got {shorten(shape)}.",
                code="bad-parameter",
            )
        return AsMaps(own, sizes, 2 if len(sizes) == 3 else None)
    if len(own) == 1:
        return AsMaps(own, (1, *own), None)
    if len(own) == 2:
        return AsMaps(own, own, None)
    if len(own) == 3:
        dims = [str(dim) for dim in stimuli.dims[1:]]
        channel = dims.index("channel") if "channel" in dims else 2
        return AsMaps(own, own, channel)
    raise InputError(
        f"{who}: stimuli must be (stimulus, y, x), (stimulus, y, x, channel) or vectors (stimulus, value), got shape "
        f"{stimuli.shape}; frames of a clip go side by side as channels.",
        code="bad-stimuli",
    )


def content(stimuli: np.ndarray) -> list[str]:
    """A hash of each stimulus's values."""
    block = np.ascontiguousarray(stimuli)
    return [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in block.reshape(len(block), -1)]


def shown(stimuli: Any, responses: Any, groups: Any, *, who: str) -> Shown:
    """Responses (trial, unit) matched by id, or an array (n, t) by row; equal stimuli become one."""
    data = as_stimuli(stimuli, who=who)
    refuse_result(responses, who=who, name="responses", expected="responses")
    series = isinstance(responses, xr.DataArray) and responses.dims == ("time", "unit")
    if isinstance(responses, xr.DataArray):
        trials, row, names, kind = _labelled(data, responses, series, who)
    else:
        trials, kind = _plain(responses, len(data), who), ""
        row, names = np.arange(len(data)), np.arange(trials.shape[1])
    # stimuli of equal content are one stimulus, wherever they stand
    hashes = content(data.values)
    first: dict[str, int] = {}
    for place, key in enumerate(hashes):
        first.setdefault(key, place)
    row = np.array([first[hashes[r]] for r in row.tolist()], dtype=np.int64)
    used, row = (np.asarray(part) for part in np.unique(row, return_inverse=True))
    labels = _groups(groups, len(data), series, who)
    known = np.asarray(np.isfinite(trials))
    weight = np.zeros((used.size, trials.shape[1]))
    total = np.zeros_like(weight)
    np.add.at(weight, row, known)
    np.add.at(total, row, np.where(known, trials, 0.0))
    kept = np.asarray((weight > 0).any(axis=1))
    if not kept.all():
        moved = np.cumsum(kept) - 1
        trial = kept[row]
        trials, row = trials[trial], moved[row[trial]]
        used, weight, total = used[kept], weight[kept], total[kept]
    return Shown(
        stimuli=data[used],
        y=total / np.maximum(weight, 1.0),
        weight=weight,
        units=names,
        kind=kind,
        groups=labels[used],
        trials=trials,
        row=row,
    )


def _labelled(
    data: xr.DataArray, responses: xr.DataArray, series: bool, who: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    found = check_responses(responses, who=who)
    names = np.asarray(found["unit"].values)
    kind = str(found.attrs.get("kind", "activation"))
    if series:
        if found.sizes["time"] != len(data):
            raise InputError(
                f"{who}: a series (time, unit) needs one frame of the stimulus for each of its times; got "
                f"{len(data)} frames and {found.sizes['time']} times.",
                code="rows-differ",
            )
        return found.values.astype(np.float64), np.arange(len(data)), names, kind
    if found.dims != ("trial", "unit"):
        raise InputError(
            f"{who}: responses must be (trial, unit), got {found.dims}; average them over a window of time first, "
            "responses.sel(time=slice(0.05, 0.2)).mean('time', keep_attrs=True).",
            code="bad-dims",
        )
    if "valid" in found.coords:
        found = found.isel(trial=found["valid"].values)
    ids = found["stimulus"].values
    places = {key: place for place, key in enumerate(data["stimulus"].values.tolist())}
    lacking = sorted({str(key) for key in ids.tolist() if key not in places})
    if lacking:
        raise InputError(
            f"{who}: {len(lacking)} stimulus ids of the responses are not among the {len(data)} stimuli, e.g. "
            f"{shorten(lacking[0], 40)} (the stimuli have {shorten(data['stimulus'].values[0].item(), 40)}); give the "
            "same ids to cs.stimuli.",
            code="ids-differ",
        )
    return found.values.astype(np.float64), np.array([places[k] for k in ids.tolist()]), names, kind


def _plain(responses: Any, n: int, who: str) -> np.ndarray:
    values = np.asarray(to_numpy(as_array(responses, name="responses", who=who)))
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{who}: responses must be real numbers, got dtype {values.dtype}.", code="not-numeric"
        )
    values = values.astype(np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise InputError(
            f"{who}: responses must be (stimuli, units), got shape {values.shape}.", code="not-2d"
        )
    if len(values) != n:
        raise InputError(
            f"{who}: {n} stimuli and {len(values)} rows of responses; an array must have one row per stimulus, or "
            "pass cs.responses(..., stimulus=ids, repeat='count'), which are matched by id.",
            code="rows-differ",
        )
    if np.isinf(values).any():
        raise InputError(
            f"{who}: responses have {int(np.isinf(values).sum())} infinite values; NaN stands for what was not "
            "recorded, infinity for nothing.",
            code="nan-values",
        )
    return values


def _groups(groups: Any, n: int, series: bool, who: str) -> np.ndarray:
    """(n,) number of the group of each stimulus."""
    if groups is None:
        return np.arange(n) * _STRETCHES // n if series else np.arange(n)
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise InputError(
            f"{who}: groups must have one label for each of the {n} stimuli, got shape {labels.shape}.",
            code="rows-differ",
        )
    return np.unique(labels, return_inverse=True)[1]
