"""`Network.unit`, `Network.channel` and `Network.direction`: units from what was asked, refused early where that is
known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number, check_option
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._network import Network
from consilience.networks._tap import base_of
from consilience.networks._unit import Unit, check_width

__all__ = ["make_channel", "make_direction", "make_unit"]


def make_unit(
    net: Network,
    layer: str,
    index: int | None,
    channel: int | None,
    places: Mapping[str, int | None],
    name: str | None,
) -> Unit:
    """See `Network.unit`."""
    who = "Network.unit"
    base = base_of(net, layer, who=who)
    asked = {axis: place for axis, place in places.items() if place is not None}
    if (index is None) == (channel is None):
        raise InputError(
            f"{who}: give the number of a unit in the flattened layer, or channel=; got "
            f"{'neither' if index is None else 'both'}.",
            code="bad-parameter",
        )
    if index is not None:
        if asked:
            raise InputError(
                f"{who}: {', '.join(asked)} go with channel=, not with the number of a unit.",
                code="bad-parameter",
            )
        index = check_count(index, name="index", who=who)
        unit = Unit(net, layer, name or f"{layer}[{index}]", index=index)
    else:
        channel = check_count(channel, name="channel", who=who)
        at = {axis: check_count(place, name=axis, who=who) for axis, place in asked.items()}
        where = "".join(f", {axis} {place}" for axis, place in at.items()) or ", middle"
        unit = Unit(net, layer, name or f"{layer}[channel {channel}{where}]", channel=channel, at=at)
    _early(net, base, layer, unit)
    return unit


def make_channel(net: Network, layer: str, channel: int, name: str | None) -> Unit:
    """See `Network.channel`."""
    who = "Network.channel"
    base = base_of(net, layer, who=who)
    channel = check_count(channel, name="channel", who=who)
    unit = Unit(net, layer, name or f"{layer}[channel {channel}]", channel=channel, spatial="mean")
    _early(net, base, layer, unit)
    return unit


def make_direction(
    net: Network, layer: str, vector: Any, bias: float, name: str | None, spatial: str
) -> Unit:
    """See `Network.direction`."""
    who = "Network.direction"
    base = base_of(net, layer, who=who)
    check_option(spatial, ["flatten", "mean"], name="spatial", who=who)
    weights = np.array(to_numpy(vector), dtype=np.float64)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all() or not weights.any():
        raise InputError(
            f"{who}: vector must be one finite weight per unit of the layer, not all 0; got shape "
            f"{weights.shape}.",
            code="bad-vector",
        )
    bias = check_number(bias, name="bias", who=who)
    weights.flags.writeable = False
    if name is None:  # two directions of one layer do not share a name
        name = f"{layer}[direction {hashlib.sha256(weights.tobytes()).hexdigest()[:6]}]"
    unit = Unit(net, layer, name, vector=weights, bias=bias, spatial=spatial)
    _early(net, base, layer, unit)
    return unit


def _early(net: Network, base: str, layer: str, unit: Unit) -> None:
    """Refuses at once what the shape seen last already rules out."""
    sizes = net._shapes.get(base)
    if sizes is None or layer != base:
        return
    kinds = dict(zip(net.layers["name"], net.layers["type"]))
    leaf = Leaf(layer, 0, sizes, axis_names(sizes, kinds.get(base, "")), "flatten")
    unit.place(leaf)
    if unit.vector is not None:
        check_width(unit, leaf)
