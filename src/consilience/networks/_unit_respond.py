"""Activations of units of one network for stimuli, of whatever layers, from one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._memory import available_memory
from consilience._core._params import check_count, shorten
from consilience._responses import responses as make_responses
from consilience._stimuli import check_stimuli
from consilience.networks._forward import evaluation, run_block
from consilience.networks._network import block_of
from consilience.networks._tap import tapped
from consilience.networks._unit import Unit, as_units
from consilience.networks._unit_columns import columns_of, spots_of

__all__ = ["record_units", "respond"]

_LARGEST_BATCH = 256
_LARGEST_OUTPUT = 32 << 20  # bytes of the largest array in a batch


def respond(
    units: Unit | Sequence[Unit],
    stimuli: Any,
    *,
    batch_size: int | None = None,
    device: str | None = None,
) -> np.ndarray:
    """Activations of units of one network, of any of its layers, from one pass over the stimuli.

    The network runs in eval mode without gradients, each batch as far as the deepest layer that is read.

    Parameters
    ----------
    units : a unit or a list of k units of one network.   stimuli : n stimuli, what `cs.stimuli` returns or takes.
    batch_size : stimuli per forward pass. Default: by memory.   device : where to run, for this call.

    Returns
    -------
    (n, k) float64.

    Raises
    ------
    InputError : a place outside its layer, a layer that is never called, NaN or infinite activations, a failing
        forward pass.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: block * 2.0, name="double")
    >>> units = [net.unit("output", 1), net.direction("output", [1.0, 1.0, 0.0], name="sum")]
    >>> cs.networks.respond(units, cs.stimuli(np.eye(3), ids=["a", "b", "c"])).tolist()
    [[0.0, 2.0], [2.0, 2.0], [0.0, 0.0]]
    """
    who = "cs.networks.respond"
    mine = as_units(units, who=who)
    if batch_size is not None:
        batch_size = check_count(batch_size, name="batch_size", who=who, minimum=1)
    data = check_stimuli(stimuli, who=who)
    net, kind, n = mine[0].network, str(data.attrs.get("kind", "array")), data.shape[0]
    out = np.empty((n, len(mine)))
    with evaluation(net, device, who=who) as target:

        def run(rows: Any) -> Any:
            return run_block(net, block_of(data, rows), kind, target, who=who)

        signature = (kind, data.shape[1:], str(data.dtype))
        spots, largest = spots_of(net, mine, lambda count: run([0] * count), signature, who=who)
        each = max(1, largest + data.nbytes // n)
        budget = min((available_memory() or 4 << 30) // 4, 64 * _LARGEST_OUTPUT)
        if getattr(target, "type", "cpu") == "cpu":
            budget = min(budget, _LARGEST_OUTPUT)
        size = batch_size or max(1, min(budget // each, _LARGEST_BATCH, n))
        columns = columns_of(mine, spots)
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))

            def use(label: str, values: Any, rows: slice = rows) -> None:
                read, places = columns[label]
                if read.weights["flatten"] or read.weights["mean"]:
                    values = values.astype(np.float64) if isinstance(values, np.ndarray) else _double(values)
                part = read(values)
                out[rows, places] = (
                    part if isinstance(part, np.ndarray) else _double(part.detach()).cpu().numpy()
                )

            tapped(net, lambda rows=rows: run(rows), spots, rows.stop - rows.start, use, who=who)  # type: ignore[misc]
    bad = ~np.isfinite(out)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{who}: {mine[column].name} of {net.name} is NaN or infinite, first for stimulus "
            f"{shorten(data['stimulus'].values[row].item(), 40)}; check the weights and the scaling of the input.",
            code="nan-values",
        )
    return out


def _double(values: Any) -> Any:
    return values.double() if values.device.type != "mps" else values.float()


def record_units(
    units: Unit | Sequence[Unit],
    stimuli: Any,
    *,
    batch_size: int | None = None,
    device: str | None = None,
) -> xr.DataArray:
    """Records units of one network as responses, whatever layers they are of: one trial per stimulus.

    Parameters as in `cs.networks.respond`.

    Returns
    -------
    responses (trial, unit) float64, kind "activation", with coordinates ``stimulus`` and the stimuli's labels on
    trial, and the units' names and ``layer`` on unit.

    Raises
    ------
    InputError : as `respond`; two units of one name.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> net = cs.Network(lambda block: block * 2.0, name="double")
    >>> units = [net.unit("output", i) for i in (2, 0)]
    >>> cs.networks.record_units(units, cs.stimuli(np.eye(3), ids=["a", "b", "c"])).unit.values.tolist()
    ['output[2]', 'output[0]']
    """
    mine = as_units(units, who="cs.networks.record_units")
    data = check_stimuli(stimuli, who="cs.networks.record_units")
    values = respond(mine, data, batch_size=batch_size, device=device)
    names = [unit.name for unit in mine]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"cs.networks.record_units: two units have the name {twice!r}; pass name= to net.unit, net.channel or "
            "net.direction.",
            code="repeated-ids",
        )
    labels: dict[str, Any] = {
        str(name): coord.values
        for name, coord in data.coords.items()
        if coord.dims == ("stimulus",) and name not in ("stimulus", "unit", "trial", "layer")
    }
    out = make_responses(
        values,
        kind="activation",
        stimulus=data["stimulus"].values,
        unit=names,
        system=mine[0].network.name,
        **labels,
    )
    return out.assign_coords(layer=("unit", [unit.layer for unit in mine]))
