"""Clipping to bounds in gradient ascent."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["clipped"]


class _Clip(torch.autograd.Function):
    """Values beyond a bound stand at it, and get the gradients (of what is made large) that lead back inside."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x <= low, x >= high)
        return torch.clamp(x, low, high)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        below, above = ctx.saved_tensors
        (slope,) = slopes
        outward = (below & (slope < 0)) | (above & (slope > 0))
        return slope.masked_fill(outward, 0.0), None, None


def clipped(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """``x`` within [low, high]; see `_Clip`."""
    out: torch.Tensor = _Clip.apply(x, low, high)
    return out
