"""Convolutions and linear layers of which a lesion changes few input channels: what they give is the intact output plus
that of the change, W x' = W x + W (x' - x), over the channels that changed. Which those are is looked up in each pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Few"]

_WORTH = 5e7  # floating point operations of the layer on a block, below which it simply runs
_SHARE = 8  # at most a channel in so many may have changed
_TRIES = 3  # passes with more than that, after which the layer simply runs


class Few:
    """One linear layer, with what it got and gave in the intact pass on a block."""

    def __init__(self, module: Any, given: Any, out: Any) -> None:
        self.module, self.given, self.out = module, given.clone(), out.clone()
        self.failed = 0

    @staticmethod
    def fits(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> bool:
        """Whether it is a plain linear layer with enough to do."""
        import torch
        from torch import nn

        kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        kind = next((kind for kind in kinds if type(module).forward is kind.forward), None)
        if kind is None or kwargs or len(args) != 1 or not isinstance(args[0], torch.Tensor):
            return False
        if kind is not nn.Linear and (
            module.groups != 1 or module.padding_mode != "zeros" or args[0].ndim != module.weight.ndim
        ):
            return False
        return bool(2 * out.numel() * module.weight[0].numel() >= _WORTH)

    def forward(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            out = None if self.failed >= _TRIES else self._given(x)
            return original(x) if out is None else out

        return forward

    def _given(self, x: Any) -> Any:
        """The output for m lesions, lesion after lesion; None where too much has changed."""
        from torch.nn import functional

        module, there = self.module, self.given
        m, rest = divmod(x.shape[0], there.shape[0])
        if rest or x.shape[1:] != there.shape[1:]:
            return None
        axis = there.ndim - 1 if module.weight.ndim == 2 else 1
        wide = x.reshape(m, *there.shape)
        others = [i for i in range(1, wide.ndim) if i != axis + 1]
        moved = (wide != there).movedim(axis + 1, 1).flatten(2).any(dim=2) if others else wide != there
        if int(moved.sum(dim=1).max()) * _SHARE > there.shape[axis]:
            self.failed += 1
            return None
        self.failed = 0
        out = self.out.new_empty((m, *self.out.shape))
        for i in range(m):
            channels = moved[i].nonzero()[:, 0]
            if channels.numel() == 0:
                out[i] = self.out
                continue
            change = wide[i].index_select(axis, channels) - there.index_select(axis, channels)
            weight = module.weight.index_select(1, channels)
            if module.weight.ndim == 2:
                step = functional.linear(change, weight)
            else:
                run: Any = (functional.conv1d, functional.conv2d, functional.conv3d)[module.weight.ndim - 3]
                step = run(change, weight, None, module.stride, module.padding, module.dilation)
            out[i] = self.out + step
        return out.reshape(m * self.out.shape[0], *self.out.shape[1:])
