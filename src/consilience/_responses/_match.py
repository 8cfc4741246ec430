"""Systems are brought to the same stimuli by id, never by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
import xarray as xr

from consilience._core._errors import (
    InputError,
    warn,
)
from consilience._core._params import check_option, shorten
from consilience._responses._check import check_rdm_data, check_responses, is_rdm_data, refuse_result
from consilience._responses._ids import check_text, examples, kind_word, stable_order


def stimulus_ids(data: xr.DataArray) -> np.ndarray:
    """The distinct stimulus ids, sorted."""
    return np.unique(data["stimulus"].values)


def common_ids(
    systems: Mapping[str, xr.DataArray], *, join: str = "exact", who: str = "cs.align"
) -> np.ndarray:
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
                f"{who}: stimulus ids of {first!r} are {kind_word(one)} (such as "
                f"{shorten(one[0].item(), 40)}) and those of {name!r} are "
                f"{kind_word(two)} (such as {shorten(two[0].item(), 40)}); convert them to one type.",
                code="ids-of-two-types",
            )
        common = np.intersect1d(common, two)
        only_one, only_two = np.setdiff1d(one, two), np.setdiff1d(two, one)
        if common.size == 0:
            raise InputError(
                f"{who}: {first!r} (stimuli: {one.size}) and {name!r} ({two.size}) share no stimulus id: "
                f"{examples(one.tolist())} against "
                f"{examples(two.tolist())}; give both the same ids.",
                code="ids-disjoint",
            )
        if join == "exact" and (only_one.size or only_two.size):
            parts = []
            if only_one.size:
                parts.append(f"{only_one.size} only in {first!r} ({examples(only_one.tolist())})")
            if only_two.size:
                parts.append(f"{only_two.size} only in {name!r} ({examples(only_two.tolist())})")
            raise InputError(
                f"{who}: stimulus ids differ: {common.size} shared, {', '.join(parts)}; pass join='inner' "
                "to analyse the shared ones only.",
                code="ids-differ",
            )
    if join == "inner":
        dropped = {
            name: int(sets[name].size - common.size) for name in names if sets[name].size > common.size
        }
        if dropped:
            listed = ", ".join(f"{count} of {name!r}" for name, count in dropped.items())
            warn(
                "stimuli-left-out",
                f"join='inner' left out stimuli that not all systems have: {listed}.",
                "Check that this is wanted.",
                stacklevel=3,
            )
    return common


def select_ids(data: xr.DataArray, ids: np.ndarray) -> xr.DataArray:
    """The rows (trials; or rows and columns of RDM data) of the given ids, in that order; repeats stay
    together in their order.
    """
    own = data["stimulus"].values
    if is_rdm_data(data):
        order = stable_order(own)
        rows = order[np.searchsorted(own[order], ids)]
        return data.isel(stimulus=rows, stimulus_=rows)
    order = stable_order(own)
    left, right = np.searchsorted(own[order], ids, "left"), np.searchsorted(own[order], ids, "right")
    rows = np.concatenate([order[lo:hi] for lo, hi in zip(left, right)]) if ids.size else np.empty(0, int)
    return data.isel(trial=rows)


def align(*systems: xr.DataArray, join: Literal["exact", "inner"] = "exact") -> tuple[xr.DataArray, ...]:
    """Brings systems to the same stimuli in the same order, by stimulus id, never by row.

    Parameters
    ----------
    *systems : responses (trial[, time], unit) or RDM data
    join : ``"exact"`` refuses other or missing ids, with counts and examples; ``"inner"`` keeps the shared
        ones and says what was left out.

    Returns
    -------
    tuple of DataArray, each ordered by sorted stimulus id (repeats of one stimulus stand together).

    Raises
    ------
    InputError : ids disjoint, differing (``join="exact"``), of two types, or repeated without a ``repeat``
        coordinate.

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
        check_rdm_data(s, who=who)
        if is_rdm_data(s)
        else check_responses(s, who=who, name=f"argument {i + 1}", lazy=True)
        for i, s in enumerate(systems)
    ]
    if not checked:
        raise InputError(f"{who}: at least one system is needed.", code="too-few")
    named = {str(s.attrs.get("system") or f"argument {i + 1}"): s for i, s in enumerate(checked)}
    if len(named) < len(checked):
        named = {f"argument {i + 1}": s for i, s in enumerate(checked)}
    ids = common_ids(named, join=join, who=who)
    return tuple(select_ids(s, ids) for s in checked)


def iterate_systems(systems: object, *, who: str, side: str) -> Iterator[tuple[str, xr.DataArray]]:
    """The (name, array) pairs of one side: a single array, or a mapping name -> array."""
    refuse_result(systems, who=who, name=side)
    if isinstance(systems, xr.DataArray):
        name = str(systems.attrs.get("system") or systems.name or side)
        check_text([name], who=who, what=f"the name of {side}")
        yield name, systems
    elif isinstance(systems, Mapping):
        if not systems:
            raise InputError(f"{who}: {side} is an empty mapping; give at least one system.", code="too-few")
        names = [str(name) for name in systems]
        check_text(names, who=who, what=f"names in {side}")
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"{who}: {side} has two systems named {shorten(name, 40)}; give them different names.",
                    code="repeated-name",
                )
        for name, data in systems.items():
            yield str(name), data
    else:
        raise InputError(
            f"{who}: {side} must be responses, RDM data or a mapping {{name: responses}}, got "
            f"{type(systems).__name__}; make them with "
            "cs.responses(array, kind=..., stimulus=ids).",
            code="not-responses",
        )
