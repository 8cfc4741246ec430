"""Gradients through rectifiers that are off: the pre-activation path out of a dead start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["ThroughReLU"]

_RECTIFIERS: frozenset[Callable[..., Any]] = frozenset(
    {
        torch.relu,
        torch.relu_,
        torch.Tensor.relu,
        torch.Tensor.relu_,
        functional.relu,
        functional.relu6,
        functional.hardtanh,
        functional.threshold,
        torch.clamp,
        torch.clamp_min,
        torch.Tensor.clamp,
        torch.Tensor.clamp_min,
        torch.Tensor.clamp_,
        torch.Tensor.clamp_min_,
    }
)


class ThroughReLU(TorchFunctionMode):
    """While it is on, values are what they were, and a rectifier that is off passes ``leak`` of the gradient on."""

    def __init__(self, leak: float = 0.1) -> None:
        super().__init__()
        self.leak = leak

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if (
            func not in _RECTIFIERS
            or not args
            or not isinstance(args[0], torch.Tensor)
            or not args[0].requires_grad
        ):
            return func(*args, **kwargs)
        before = args[0].clone()  # the rectifier may work in place
        after = func(*args, **kwargs)
        off = self.leak * (after.detach() != before.detach())
        return after + off * (before - before.detach())
