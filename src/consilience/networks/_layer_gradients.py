"""How a unit depends on a layer before it: the gradient of its activation with respect to that layer's output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import require, shorten
from consilience.networks._forward import _arguments
from consilience.networks._gradient import reading, with_gradients
from consilience.networks._network import block_of
from consilience.networks._unit import Unit

__all__ = ["layer_gradients"]

_BATCH = 32


def layer_gradients(
    units: Sequence[Unit], layer: str, stimuli: xr.DataArray, *, who: str
) -> list[np.ndarray]:
    """(n, *shape) float64 of each unit: d unit / d layer for each stimulus, at that stimulus; one forward pass.

    Raises
    ------
    InputError : a callable, a layer that does not come before the unit (its gradient does not exist), one that is
        called several times or gives several arrays.
    """
    net = units[0].network
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable, through which no gradients flow; give a torch module.",
            code="not-a-module",
        )
    require("torch", extra="torch", purpose=who)
    with with_gradients():
        return _found(units, layer, stimuli, who=who)


def _found(units: Sequence[Unit], layer: str, stimuli: xr.DataArray, *, who: str) -> list[np.ndarray]:
    torch, net = require("torch", extra="torch", purpose=who), units[0].network
    modules = {name: module for name, module in net.module.named_modules() if name}
    if layer not in modules:
        raise UnknownNameError(
            f"{who}: {net.name} has no layer {shorten(layer)}.{nearest(layer, modules)}", code="unknown-layer"
        )
    came: list[Any] = []

    def cut(_module: Any, _args: Any, output: Any) -> Any:
        if not isinstance(output, torch.Tensor):
            raise InputError(
                f"{who}: layer {layer!r} of {net.name} gives {type(output).__name__}, not one array; choose a layer "
                "that does.",
                code="several-arrays",
            )
        if not torch.is_grad_enabled():  # a look at the shapes
            return output
        came.append(output.detach().requires_grad_())
        return came[-1] * 1.0  # no leaf, so that what follows may change it in place

    parts: list[list[np.ndarray]] = [[] for _ in units]
    kind = str(stimuli.attrs.get("kind", "array"))
    device = next((p.device for p in net.module.parameters()), torch.device("cpu"))
    handle = modules[layer].register_forward_hook(cut)
    try:
        for start in range(0, len(stimuli), _BATCH):
            block = block_of(stimuli, slice(start, start + _BATCH))
            fed = net.preprocess(block) if net.preprocess is not None else block
            args, kwargs = _arguments(net, fed, kind, device)
            came.clear()
            with reading(units, *args, who=who, **kwargs) as read:
                values = read(*args, **kwargs)
            if len(came) > 1:
                raise InputError(
                    f"{who}: layer {layer!r} of {net.name} is called {len(came)} times; give one that is called once.",
                    code="several-arrays",
                )
            for k, unit in enumerate(units):
                found = None
                if came and values.requires_grad:
                    (found,) = torch.autograd.grad(
                        values[:, k].sum(), came[0], retain_graph=True, allow_unused=True
                    )
                if found is None:
                    raise InputError(
                        f"{who}: {unit.name} does not depend on layer {layer!r} of {net.name}; give a layer before it.",
                        code="no-gradient",
                    )
                parts[k].append(found.double().cpu().numpy())
    finally:
        handle.remove()
    return [np.concatenate(part) for part in parts]
