"""The heads of nn.MultiheadAttention: what each one gives, side by side, before they are projected together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["act_heads", "without_fast_attention"]


def act_heads(
    stack: contextlib.ExitStack, module: Any, change: Callable[[Any, tuple[Any, ...]], Any]
) -> None:
    """``change(context, inputs)`` -> context of every call, in the layout of the module's output (its last axis the
    heads' features, head after head); closed by ``stack``.

    The module runs with a projection that hands on what it gets; what comes is the context, which is then projected.
    """
    import torch

    class _HandsOn(torch.nn.Module):
        def __init__(self, like: Any) -> None:
            super().__init__()
            self.weight = torch.eye(like.weight.shape[1], dtype=like.weight.dtype, device=like.weight.device)
            self.bias = None

    before, original = module.__dict__.get("forward"), module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        projection = module.out_proj
        module._modules["out_proj"] = _HandsOn(projection)
        try:
            context, weights = original(*args, **kwargs)
        finally:
            module._modules["out_proj"] = projection
        new = change(context, (*args, *kwargs.values()))
        context = context if new is None else new
        return torch.nn.functional.linear(context, projection.weight, projection.bias), weights

    def restore() -> None:
        if before is None:
            module.__dict__.pop("forward", None)
        else:
            module.__dict__["forward"] = before

    module.__dict__["forward"] = forward
    stack.callback(restore)


@contextlib.contextmanager
def without_fast_attention(root: Any) -> Iterator[None]:
    """Fused attention, which calls no sub-module, is off; for modules that have attention."""
    import torch

    kinds = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer)
    if not any(isinstance(module, kinds) for module in root.modules()):
        yield
        return
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
