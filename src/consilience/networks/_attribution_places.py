"""Axes and places of what is attributed: their names, windows of occlusion, the layer that Grad-CAM reads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._network import Network
from consilience.networks._tap import base_of
from consilience.networks._unit import Unit, channel_axis

__all__ = ["last_maps", "layout", "windows"]


def layout(
    net: Network, layer: str | None, shape: tuple[int, ...], data: xr.DataArray, channel: int | None, who: str
) -> tuple[tuple[str, ...], int | None]:
    """Names of the axes of one point, and which counts channels."""
    if layer is not None:
        kind = type(dict(net.module.named_modules(remove_duplicate=False))[layer]).__name__
        axes = axis_names(shape, kind)
        return axes, channel_axis(Leaf(layer, 0, shape, axes, "flatten")) if len(shape) > 1 else None
    if len(shape) < 2 or channel is None:
        return tuple("unit" if len(shape) == 1 else f"axis_{i}" for i in range(len(shape))), None
    if not -len(shape) <= channel < len(shape):
        raise InputError(
            f"{who}: channel_axis must be an axis of one input of shape {shape}, or None; got {channel}.",
            code="bad-parameter",
        )
    axis = channel % len(shape)
    names = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}.get(len(shape) - 1) or tuple(
        f"axis_{i}" for i in range(len(shape) - 1)
    )
    return (*names[:axis], "channel", *names[axis:]), axis


def windows(
    shape: tuple[int, ...], places: tuple[int, ...], options: dict[str, Any], who: str
) -> dict[str, tuple[int, ...]]:
    """Window and stride of occlusion, as given or by default. shape : of one point.   places : its axes of places."""
    loose = len(shape) == 1  # units have no neighbours
    window, stride = options["window"], options["stride"]
    if window is None:
        window = tuple(1 if loose else math.ceil(size / 8) for size in places)
    else:
        window = _sizes(window, places, "window", who)
    if stride is None:
        stride = tuple(max(1, w // 2) for w in window)
    else:
        stride = _sizes(stride, places, "stride", who)
    if any(s > w for s, w in zip(stride, window)):
        raise InputError(
            f"{who}: stride {stride} is larger than window {window}, so that places are left out.",
            code="bad-parameter",
        )
    return {"window": window, "stride": stride}


def _sizes(asked: Any, places: tuple[int, ...], name: str, who: str) -> tuple[int, ...]:
    sizes = (asked,) * len(places) if isinstance(asked, (int, np.integer)) else tuple(asked)
    if len(sizes) != len(places) or not all(
        isinstance(s, (int, np.integer)) and 1 <= s <= size for s, size in zip(sizes, places)
    ):
        raise InputError(
            f"{who}: {name} must be a whole number, or one for each of {places} places; got {shorten(asked)}.",
            code="bad-parameter",
        )
    return tuple(int(s) for s in sizes)


def last_maps(units: list[Unit], dims: int) -> str | None:
    """The last layer before the units with maps of ``dims`` axes of places, of more than one place, that is called once
    and gives one array; None where there is none. Known once a unit was read.
    """
    net = units[0].network
    seen = net._spots[1] if net._spots else None
    if seen is None:
        return None
    found = None
    leaves = {name for name, child in net.module.named_modules() if not any(True for _ in child.children())}
    ends = {base_of(net, unit.layer, who="") for unit in units}
    for key, sizes in seen.one.items():
        if key[0] in ends:
            break
        axis = seen.axes.get(key)
        if key[0] not in leaves or axis != 0 or seen.calls[key[0]] != 1 or key[2]:
            continue
        if len(sizes) == dims + 2 and all(size > 1 for size in sizes[2:]):
            found = key[0]
    return found
