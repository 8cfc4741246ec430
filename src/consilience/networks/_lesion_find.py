"""Which array of a network a label names, and at which of its calls or steps it is lesioned."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.networks._chance import same_draws
from consilience.networks._forward import run_block
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._lesion_hooks import not_fired
from consilience.networks._lesion_places import Place
from consilience.networks._network import Network, block_of
from consilience.networks._tap import Seen, base_of, locate, look

__all__ = ["chosen_steps", "place_of", "seen_of"]

_LABEL = re.compile(r"(?P<base>.+?)(?P<call>#\d+)?(?P<suffix>\[.*\])?")


def seen_of(net: Network, data: xr.DataArray, target: Any, *, who: str) -> Seen:
    """The shapes of all arrays of the network for these stimuli; kept with the network, as for its units."""
    kind = str(data.attrs.get("kind", "array"))
    key = (kind, data.shape[1:], str(data.dtype), tuple(net.layer_names))
    if net._spots is None or net._spots[0] != key:
        with same_draws(0, target):
            net._spots = (
                key,
                look(net, lambda count: run_block(net, block_of(data, [0] * count), kind, target, who=who)),
            )
    seen: Seen = net._spots[1]
    return seen


def place_of(
    net: Network,
    seen: Seen,
    label: str,
    parts: Any,
    n_heads: int | None,
    times: Any,
    data: xr.DataArray,
    target: Any,
    *,
    who: str,
) -> Place:
    """The array that ``label`` names."""
    from consilience.networks._lesion_inside import inside

    place = inside(net, seen, label, parts, n_heads, times, data, target, who=who)
    if place is not None:
        return place
    base = base_of(net, label, who=who)
    found = _LABEL.fullmatch(label)
    call, suffix = (found["call"], found["suffix"]) if found and label != base else (None, None)
    if call is None and seen.calls.get(base, 0) > 1 and (times is not None or _is_cell(net, base)):
        keys = [key for key, axis in seen.axes.items() if key[0] == base and axis is not None]
        suffixes = list(dict.fromkeys(key[2] for key in keys))
        suffix = suffix or ""
        if suffix not in suffixes:
            raise InputError(
                f"{who}: layer {base!r} of {net.name} gives {len(suffixes)} arrays at each call "
                f"({', '.join(repr(base + s) for s in suffixes[:6])}); name one of them.",
                code="several-arrays",
            )
        mine = [key for key in keys if key[2] == suffix]
        shapes = {(seen.one[key], seen.axes[key]) for key in mine}
        if len(shapes) > 1:
            raise InputError(
                f"{who}: layer {base!r} of {net.name} gives arrays of {len(shapes)} shapes in its "
                f"{seen.calls[base]} calls; name one call, e.g. {base + '#0' + suffix!r}.",
                code="several-arrays",
            )
        sizes, axis = next(iter(shapes))
        assert axis is not None
        sizes = sizes[:axis] + sizes[axis + 1 :]
        calls = np.array(sorted(key[1] for key in mine))
        chosen = calls if times is None else calls[chosen_steps(times, len(calls), label, who=who)]
        leaf = Leaf(label, axis, sizes, axis_names(sizes, ""), "flatten")
        return Place(label, base, suffix, frozenset(chosen.tolist()), leaf, stepped=True)
    if base in seen.calls and not seen.calls[base]:
        raise not_fired(net, label, who=who)
    key, leaf = locate(net, seen, label, who=who)
    return Place(label, base, key[2], frozenset([key[1]]), leaf)


def _is_cell(net: Network, base: str) -> bool:
    import torch

    module = dict(net.module.named_modules(remove_duplicate=False)).get(base)
    return isinstance(module, torch.nn.RNNCellBase)


def chosen_steps(times: Any, n: int, label: str, *, who: str) -> np.ndarray:
    """``times`` as numbers of steps, counted from the end where negative."""
    found = np.atleast_1d(to_numpy(range(n)[times] if isinstance(times, slice) else times))
    good = found.ndim == 1 and found.size > 0
    if good and found.dtype == bool:
        good = found.size == n and bool(found.any())
        found = np.flatnonzero(found) if good else found
    if not good or found.dtype.kind not in "iu" or found.min() < -n or found.max() >= n:
        raise InputError(
            f"{who}: times must be numbers of steps of layer {label!r}, which has {n} (0 to {n - 1}); got "
            f"{shorten(times)}.",
            code="bad-times",
        )
    return np.unique(found % n)
