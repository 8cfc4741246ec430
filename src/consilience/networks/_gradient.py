"""Activations of units through which gradients of the input flow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import ConsilienceError, InputError
from consilience._core._params import require
from consilience.networks._tap import differentiable, tapped
from consilience.networks._unit import Unit
from consilience.networks._unit_columns import columns_of, spots_of

__all__ = ["activations", "reading", "with_gradients"]

_WHO = "Unit.activation"


@contextlib.contextmanager
def with_gradients() -> Iterator[None]:
    """Gradients are on within, whatever the caller has set (``torch.no_grad``, ``torch.inference_mode``)."""
    torch = require("torch", extra="torch", purpose="gradients of a network")
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


@contextlib.contextmanager
def reading(
    units: Sequence[Unit], *inputs: Any, device: str | None = None, who: str = _WHO, **named: Any
) -> Iterator[Callable[..., Any]]:
    """A function of what the module itself gets (after preprocess) that returns activations (n, k) of k units, a
    tensor with gradients. ``inputs`` and ``named`` are an example of what it will get.

    The module is in eval mode and its parameters get no gradient; all of that is afterwards what it was. The
    forward pass ends at the deepest layer that is read.
    """
    net = units[0].network
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable, through which no gradients flow; use method='evolution'.",
            code="not-a-module",
        )
    torch = require("torch", extra="torch", purpose=who)
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
            return _run(
                net, who, *(first(v, count) for v in inputs), **{k: first(v, count) for k, v in named.items()}
            )

    signature = ("input", *((tuple(value.shape[1:]), str(value.dtype)) for value in tensors))
    with differentiable(net, device, who=who):
        spots, _ = spots_of(net, units, run_some, signature, who=who)
        columns = columns_of(units, spots)
        order = np.argsort([place for label in columns for place in columns[label][1]]).tolist()

        def read(*inputs: Any, **named: Any) -> Any:
            parts: dict[str, Any] = {}

            def use(label: str, values: Any) -> None:
                parts[label] = columns[label][0](values)

            some = next(v for v in (*inputs, *named.values()) if isinstance(v, torch.Tensor))
            tapped(net, lambda: _run(net, who, *inputs, **named), spots, some.shape[0], use, who=who)
            return torch.cat([parts[label] for label in columns], dim=1)[:, order]

        yield read


def _run(net: Any, who: str, *inputs: Any, **named: Any) -> Any:
    try:
        return net.module(*inputs, **named)
    except ConsilienceError:
        raise
    except Exception as error:
        shapes = ", ".join(str(tuple(v.shape)) for v in (*inputs, *named.values()) if hasattr(v, "shape"))
        raise InputError(
            f"{who}: the forward pass of {net.name} failed on inputs of shape {shapes}: {type(error).__name__}: "
            f"{str(error).strip().rstrip('.')[:300]}",
            code="forward-failed",
        ) from error


def activations(units: Sequence[Unit], *inputs: Any, **named: Any) -> Any:
    """Activations (n, k) of k units for what the module itself gets; see `reading`."""
    torch = require("torch", extra="torch", purpose=_WHO)
    inputs = tuple(torch.as_tensor(value) if isinstance(value, np.ndarray) else value for value in inputs)
    with reading(units, *inputs, **named) as read:
        return read(*inputs, **named)
