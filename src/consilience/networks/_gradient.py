"""Activations of units through which gradients of the input flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import require
from consilience.networks._tap import differentiable, tapped
from consilience.networks._unit import Unit, columns_of, spots_of

__all__ = ["activations"]

_WHO = "Unit.activation"


def activations(units: Sequence[Unit], *inputs: Any, who: str = _WHO, **named: Any) -> Any:
    """Activations (n, k) of k units for what the module itself gets (after preprocess), a tensor with gradients.

    The module runs in eval mode and its parameters get no gradient; all of that is afterwards what it was. The
    forward pass ends at the deepest layer that is read.
    """
    net = units[0].network
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable, through which no gradients flow; use method='evolution'.",
            code="not-a-module",
        )
    torch = require("torch", extra="torch", purpose=who)
    inputs = tuple(torch.as_tensor(value) if isinstance(value, np.ndarray) else value for value in inputs)
    tensors = [value for value in (*inputs, *named.values()) if isinstance(value, torch.Tensor)]
    if not tensors or any(value.ndim == 0 for value in tensors):
        raise InputError(
            f"{who}: the module's input must be a tensor with the stimuli first.", code="bad-stimuli"
        )
    n = tensors[0].shape[0]

    def first(value: Any, count: int) -> Any:
        if isinstance(value, torch.Tensor) and value.shape[0] == n:
            return value[:1].detach().expand(count, *value.shape[1:]).clone()
        return value

    def run_some(count: int) -> Any:
        with torch.no_grad():
            return net.module(
                *(first(value, count) for value in inputs), **{k: first(v, count) for k, v in named.items()}
            )

    signature = (
        "input",
        *((tuple(value.shape[1:]), str(value.dtype)) for value in tensors),
    )
    parts: dict[str, Any] = {}
    with differentiable(net, None, who=who):
        spots, _ = spots_of(net, units, run_some, signature, who=who)
        columns = columns_of(units, spots)

        def use(label: str, values: Any) -> None:
            parts[label] = columns[label][0](values)

        tapped(net, lambda: net.module(*inputs, **named), spots, n, use, who=who)
    order = [place for label in columns for place in columns[label][1]]
    joined = torch.cat([parts[label] for label in columns], dim=1)
    return joined[:, np.argsort(order).tolist()]
