"""`record`: the activations of a network's layers as responses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import Caution, InputError, cautions_to_json, collect_cautions, warn
from consilience._core._params import check_count, check_option, shorten
from consilience._responses import recorded_cautions
from consilience._stimuli import check_stimuli
from consilience.networks._cache import Store
from consilience.networks._layout import Leaf
from consilience.networks._network import Network, as_network
from consilience.networks._pass import Pass

__all__ = ["record"]

_WHO = "cs.record"
_TAKEN = ("unit", "trial", "layer", "channel", "z", "y", "x", "token", "feature", "time", "valid")


def record(
    net: Network | Any,
    stimuli: xr.DataArray | Any,
    layers: str | Sequence[str] | None = None,
    *,
    spatial: Literal["flatten", "mean", "max"] = "flatten",
    batch_size: int | None = None,
    device: str | None = None,
    cache: bool | str | os.PathLike[str] = False,
    progress: bool | None = None,
    probe: Callable[[xr.DataArray], xr.DataArray] | None = None,
) -> dict[str, xr.DataArray]:
    """Records the activations of a network's layers: one trial per stimulus, all layers in one pass.

    The network runs in eval mode without gradients; training flags, statistics and hooks are afterwards what
    they were.

    Parameters
    ----------
    net : `cs.Network`, a torch module, or a callable.
    stimuli : what `cs.stimuli` returns (or takes). Its labels are carried over to the trials.
    layers : names or patterns, see ``net.layers``; ``*`` does not cross a dot (``"_blocks.*"`` is the blocks
        alone), ``**`` does; or labels of a result, such as ``"lstm[1][0]"``. Default: ``"output"``, what the
        whole network returns (for a callable: all its outputs).
    spatial : what becomes of a layer's map. ``"flatten"`` keeps every place as a unit, in (channel, y, x)
        order; ``"mean"`` and ``"max"`` go over the places, one unit per channel. Outputs with two axes per
        stimulus are (token, feature), but (channel, x) after 1-D layers; there ``"mean"`` and ``"max"`` go
        over tokens, one unit per feature. Maps are taken as channel first.
    batch_size : stimuli per forward pass. Default: measured with one stimulus, so that a quarter of the free
        memory, 2 GB at most, is used. Results agree across batch sizes to 1e-5.
    device : where to run, for this call; default ``net.device``.
    cache : True keeps activations in the consilience cache folder, a path in that folder. Entries are found
        by content: weights, structure, preprocessing, stimuli and settings. A network whose content cannot be
        known needs ``key=``.
    progress : a bar with the time left; default: on a terminal only.
    probe : callable responses -> responses, applied to each layer (electrodes, noise...).

    Returns
    -------
    dict {layer: responses (trial, unit) float32}, kind "activation", with coordinates ``stimulus`` and its
    labels on trial, ``layer`` (one value) and ``channel``, ``y``, ``x`` (or ``token``, ``feature``) on unit.
    A layer called several times gives ``name#0``, ``name#1``...; a tuple, dict or dataclass gives
    ``name[0]``, ``name[key]``... for each array in it (an only array keeps the plain name; None and what is
    no array, or has no stimulus axis, is left out).

    Raises
    ------
    UnknownNameError : no such layer (the nearest names are given), or a pattern that matches none.
    InputError : a layer that is never called, that returns nothing, NaN or infinity (named), complex numbers
        or a tensor without plain values (sparse, quantised, nested, meta), a failing forward pass, results
        that do not fit in memory, an unusable device, a cache without a key.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: {"sum": block.sum(1), "first": block[:, :2]}, name="toy")
    >>> acts = cs.record(net, cs.stimuli(np.eye(4), ids=["a", "b", "c", "d"]), layers=["first"])
    >>> acts["first"].dims, acts["first"].attrs["kind"], float(acts["first"].sel(unit=0)[0])
    (('trial', 'unit'), 'activation', 1.0)
    """
    net = as_network(net, who=_WHO)
    check_option(spatial, ["flatten", "mean", "max"], name="spatial", who=_WHO)
    if batch_size is not None:
        batch_size = check_count(batch_size, name="batch_size", who=_WHO, minimum=1)
    if probe is not None and not callable(probe):
        raise InputError(
            f"{_WHO}: probe must be a callable that takes responses, got {shorten(probe)}.",
            code="bad-parameter",
        )
    if progress is not None and not isinstance(progress, (bool, np.bool_)):
        raise InputError(
            f"{_WHO}: progress must be True, False or None, got {shorten(progress)}.", code="bad-parameter"
        )
    data = check_stimuli(stimuli, who=_WHO)
    clash = sorted(
        str(name) for name, coord in data.coords.items() if coord.dims == ("stimulus",) and name in _TAKEN
    )
    if clash:
        raise InputError(
            f"{_WHO}: the stimulus label {clash[0]!r} has a meaning of its own in responses; rename it, e.g. "
            f"stimuli.rename({{{clash[0]!r}: {'stimulus_' + clash[0]!r}}}).",
            code="bad-label",
        )
    store = Store.open(cache, net, data, spatial, who=_WHO)
    with collect_cautions() as said:
        parts = Pass(net, data, layers, spatial, device).run(store, batch_size, progress)
    for caution in said:
        warn(caution.code, caution.message, caution.remedy, stacklevel=2)
    cautions = list(dict.fromkeys([*recorded_cautions(data), *said]))
    acts = _responses(net, data, parts, cautions)
    return acts if probe is None else {name: probe(responses) for name, responses in acts.items()}


def _responses(
    net: Network, stimuli: xr.DataArray, parts: list[tuple[Leaf, np.ndarray]], cautions: list[Caution]
) -> dict[str, xr.DataArray]:
    trials = {
        str(name): ("trial", coord.values)
        for name, coord in stimuli.coords.items()
        if coord.dims == ("stimulus",) and name != "stimulus"
    }
    attrs: dict[str, Any] = {"kind": "activation", "system": net.name}
    said: dict[str, Any] = {}
    if net.references:
        said["references"] = json.dumps(net.references)
    if cautions:
        said["consilience_warnings"] = cautions_to_json(cautions)
    acts: dict[str, xr.DataArray] = {}
    # layers of one shape share their coordinates, which are read-only for that reason
    shapes: dict[tuple[Any, ...], xr.DataArray] = {}
    for leaf, values in parts:
        like = shapes.get((leaf.kept_axes, leaf.kept_shape))
        if like is None:
            coords = {
                "stimulus": ("trial", stimuli["stimulus"].values),
                **trials,
                "unit": ("unit", np.arange(values.shape[1])),
                "layer": leaf.name,
                **{axis: ("unit", index) for axis, index in leaf.unit_coords().items()},
            }
            like = xr.DataArray(values, dims=("trial", "unit"), coords=coords)
            for name, coord in like.coords.items():
                if name not in like.indexes:
                    coord.values.flags.writeable = False
            shapes[leaf.kept_axes, leaf.kept_shape] = like
        responses = like.copy(deep=False, data=values)
        responses["layer"].data = np.array(leaf.name)  # of its own; assign_coords would align all coordinates
        responses.attrs = {**attrs, "layer": leaf.name, "spatial": leaf.spatial, **said}
        acts[leaf.name] = responses
    return acts
