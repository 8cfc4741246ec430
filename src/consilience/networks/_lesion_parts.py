"""What a lesion can remove: units, channels, whole layers or directions of a network, as parts that masks count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_count, require, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._forward import evaluation
from consilience.networks._lesion_components import components
from consilience.networks._lesion_find import place_of, seen_of
from consilience.networks._lesion_making import Made
from consilience.networks._lesion_places import Parts, Place, Site
from consilience.networks._network import Network
from consilience.networks._unit import Unit, as_units

__all__ = ["Parts", "Place", "Site", "make_parts", "seen_of"]

_SHAPES = {"units", "channels", "layer", "heads", "components"}


def make_parts(
    net: Network,
    layer: str | Sequence[str] | None,
    stimuli: Any,
    *,
    parts: Any = None,
    parts_of: str = "units",
    n_heads: int | None = None,
    times: Any = None,
    device: str | None = None,
    who: str,
) -> Parts:
    """The parts of a network that lesions are made of.

    Parameters
    ----------
    layer : a name as in the result of `cs.record`, or a list of them. A module that is called again and again (a
        recurrent cell) is one layer without "#call"; its parts are then lesioned at every call, or at ``times``. Of
        nn.RNN, nn.LSTM and nn.GRU: the hidden state (``"lstm"``; ``"lstm.0"``, ``"lstm.1"`` its layers), which feeds
        back: the module runs step by step. (Changing what nn.LSTM has returned would not: by then all its steps are
        computed.) ``"<layer>.input"`` is what goes into a layer.
    stimuli : show the shapes; also the reference from which replaced values come unless another is given.
    parts : None: the channels (features) of a map, the units of a flat layer; "units", "channels", "layer"; "heads" (of
        nn.MultiheadAttention what its heads give before they are projected; of a Linear equal runs of the features that
        go into it; of another layer equal runs of those that come out);
        "components" or a number k: principal components of the layer over the stimuli (of maps: of the channels, each
        place a sample); a mapping {name: numbers} of units of the flattened layer, or of channels with
        ``parts_of="channels"``; an array (k, units) or (k, channels) of directions; a list of `Unit`.
    times : of a layer with steps (tokens, calls): the steps at which it is lesioned. None: all.

    Raises
    ------
    InputError : a callable, parts that do not exist or are empty, times that the layer does not have.
    """
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable; a lesion needs the layers of a torch module.",
            code="not-a-module",
        )
    require("torch", extra="torch", purpose=who)
    data = check_stimuli(stimuli, who=who)
    units = _units(net, layer, parts, who=who)
    labels = list(dict.fromkeys(unit.layer for unit in units)) if units else _labels(layer, who=who)
    with evaluation(net, device, who=who) as target:
        seen = seen_of(net, data, target, who=who)
        places = [
            place_of(net, seen, label, parts, n_heads, times, data, target, who=who) for label in labels
        ]
    made = Made(net, data, times, who)
    if units:
        made.of_units(units, dict(zip(labels, places)))
    elif isinstance(parts, Mapping):
        made.of_mapping(parts, parts_of, _one(places, who))
    elif _components(parts):
        for place in places:
            most = None if isinstance(parts, str) else check_count(parts, name="parts", who=who, minimum=1)
            rows = components(net, place, data, most, device, who=who)
            made.of_directions(rows, place, [f"{place.label}[component {i + 1}]" for i in range(len(rows))])
    elif parts is None or isinstance(parts, str):
        if parts is not None and parts not in _SHAPES:
            raise InputError(
                f"{who}: parts must be one of {', '.join(sorted(_SHAPES))}, a number of components, a mapping, "
                f"directions or a list of units; got {shorten(parts)}.",
                code="bad-parts",
            )
        for place in places:
            made.of_kind(parts, place, n_heads)
    else:
        made.of_directions(parts, _one(places, who), None)
    return made.done()


def _components(parts: Any) -> bool:
    if isinstance(parts, str):
        return parts == "components"
    return isinstance(parts, (int, np.integer)) and not isinstance(parts, bool)


def _labels(layer: Any, *, who: str) -> list[str]:
    labels = [layer] if isinstance(layer, str) else list(layer) if isinstance(layer, (list, tuple)) else []
    if not labels or not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise InputError(
            f"{who}: layer must be the name of a layer, or a list of different names; got {shorten(layer)}.",
            code="bad-layers",
        )
    return labels


def _units(net: Network, layer: Any, parts: Any, *, who: str) -> list[Unit]:
    if not isinstance(parts, Unit) and not (
        isinstance(parts, (list, tuple)) and parts and all(isinstance(part, Unit) for part in parts)
    ):
        return []
    units = as_units(parts, who=who)
    if units[0].network is not net:
        raise InputError(
            f"{who}: the units are of {units[0].network.name}, another network than {net.name} that is lesioned.",
            code="bad-unit",
        )
    if layer is not None:
        known = _labels(layer, who=who)
        other = next((unit for unit in units if unit.layer not in known), None)
        if other is not None:
            raise InputError(
                f"{who}: {other.name} is of layer {other.layer!r}, not of {shorten(layer)}; leave layer out.",
                code="bad-unit",
            )
    return units


def _one(places: list[Place], who: str) -> Place:
    if len(places) > 1:
        raise InputError(
            f"{who}: parts that are numbered or directions belong to one layer; got {len(places)} layers.",
            code="bad-parts",
        )
    return places[0]
