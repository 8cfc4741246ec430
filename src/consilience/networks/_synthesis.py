"""Preferred stimuli of units of a network by gradient ascent, and the activations of inputs as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._params import require
from consilience._core._seeds import Seed
from consilience.networks._ascent import Ascent, Plan, ascend
from consilience.networks._gradient import with_gradients
from consilience.networks._input_space import InputSpace
from consilience.networks._network import Network
from consilience.networks._objective import Objective
from consilience.networks._parameters import Parameters
from consilience.networks._transforms import Transforms
from consilience.networks._unit import Unit
from consilience.networks._unit_respond import respond

__all__ = ["Search", "climb", "respond_to_inputs"]


@dataclass(frozen=True)
class Search:
    """What gradient ascent is to do. ``own`` and ``image_seed``: (n,) the unit and the restart of each image;
    ``centre``, ``spread``: (k,) of each unit; ``target``: (n, k) or None; ``sets``: images that shall differ.
    """

    units: Sequence[Unit]
    space: InputSpace
    pattern: str
    own: np.ndarray
    image_seed: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    target: np.ndarray | None
    sets: list[list[int]]
    parameterization: str
    steps: int
    rate: float
    transforms: Transforms
    smooth: float
    diversity: float
    exemplars: np.ndarray | None
    device: str | None


@with_gradients()
def climb(search: Search, seed: Seed, *, who: str) -> Ascent:
    """Images (n, *shape) that make each its objective large."""
    torch = require("torch", extra="torch", purpose=who)
    net = search.units[0].network
    tensors = [*net.module.parameters(), *net.module.buffers()] if net.is_module else []
    home = tensors[0].device if tensors else torch.device("cpu")
    device = search.device or net.device or home
    kind = next((t.dtype for t in tensors if t.is_floating_point()), torch.float32)
    exact = kind if kind in (torch.float32, torch.float64) else torch.float32

    def tensor(values: Any) -> Any:
        return torch.as_tensor(values, dtype=exact, device=device)

    objective = Objective(
        search.pattern,
        torch.as_tensor(search.own, device=device),
        tensor(search.centre),
        tensor(search.spread),
        None if search.target is None else tensor(search.target),
    )
    plan = Plan(
        units=search.units,
        parameters=Parameters(search.space, search.parameterization, 1.0, device, exact),
        objective=objective,
        image_seed=search.image_seed.tolist(),
        sets=search.sets,
        steps=search.steps,
        rate=search.rate,
        transforms=search.transforms,
        smooth=search.smooth,
        diversity=search.diversity,
        seed=seed,
        exemplars=search.exemplars,
        device=search.device,
        who=who,
        precision=kind,
    )
    return ascend(plan)


def respond_to_inputs(units: Sequence[Unit], inputs: np.ndarray, *, device: str | None = None) -> np.ndarray:
    """Activations (n, k) of what the module itself gets, preprocessing left out."""
    net = units[0].network
    bare = Network(net.module, None, net.name, net.device)
    stimuli = xr.DataArray(
        np.ascontiguousarray(inputs),
        dims=("stimulus", *(f"dim_{i}" for i in range(1, inputs.ndim))),
        coords={"stimulus": np.arange(len(inputs))},
        attrs={"kind": "array"},
    )
    return respond([replace(unit, network=bare) for unit in units], stimuli, device=device)
