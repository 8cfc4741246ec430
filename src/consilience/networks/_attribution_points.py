"""Values and gradients of units at any points of what a module gets, or of the output of one of its layers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import require, shorten
from consilience.networks._forward import _arguments, _device, without_statistics
from consilience.networks._gradient import reading, with_gradients
from consilience.networks._network import block_of
from consilience.networks._unit import Unit

__all__ = ["Objective", "Points", "points_of", "rows_of"]

# points per forward pass: at most, and bytes of the largest array in it; more is slower on a processor (caches)
_MOST = {"cpu": 64}
_LARGEST = {"cpu": 8 << 20}
_LEAST = 4

Objective = Callable[[Any, Any], Any]  # values of the units (m, units), rows (m,) -> (m, targets)


@dataclass(frozen=True)
class Points:
    """A block of b stimuli, open for evaluation at points. ``at`` (b, *shape) tensor: where the stimuli are.

    Points (m, *shape) come with rows (m,): of which stimulus of the block everything else is taken.
    """

    at: Any
    most: int
    run: Callable[[Any, Any], Any]
    said: str

    def values(self, points: Any, rows: Any) -> Any:
        """(m, k) values of the targets, without gradients."""
        torch = require("torch", extra="torch", purpose="attribution")
        with torch.no_grad():
            parts = [self.run(points[s], rows[s]) for s in self._blocks(len(points))]
        return torch.cat(parts)

    def gradients(self, points: Any, rows: Any) -> tuple[Any, Any]:
        """Values (m, k) and gradients (k, m, *shape); the k targets share forward passes."""
        torch = require("torch", extra="torch", purpose="attribution")
        values, found = [], []
        for s in self._blocks(len(points)):
            leaf = points[s].detach().clone().requires_grad_()
            came = self.run(leaf, rows[s])
            k = came.shape[1]
            each = []
            for j in range(k):
                grad = None
                if came.requires_grad:
                    (grad,) = torch.autograd.grad(
                        came[:, j].sum(), leaf, retain_graph=j < k - 1, allow_unused=True
                    )
                if grad is None:
                    raise InputError(f"{self.said}", code="no-gradient")
                each.append(grad)
            values.append(came.detach())
            found.append(torch.stack(each))
        return torch.cat(values), torch.cat(found, dim=1)

    def _blocks(self, m: int) -> list[slice]:
        return [slice(start, min(start + self.most, m)) for start in range(0, m, self.most)]


@contextlib.contextmanager
def points_of(
    units: Sequence[Unit],
    stimuli: xr.DataArray,
    rows: Any,
    *,
    layer: str | None = None,
    objective: Objective | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    who: str,
) -> Iterator[Points]:
    """Opens stimuli ``rows`` for evaluation at points of the module's input, or of the output of ``layer``.

    Raises
    ------
    InputError : a callable; several or whole-number inputs without ``layer`` (``not-differentiable``); a layer that is
        called several times or gives several arrays; normalisation by the statistics of each batch.
    """
    net = units[0].network
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable, through which no gradients flow; give a torch module.",
            code="not-a-module",
        )
    torch = require("torch", extra="torch", purpose=who)
    odd = without_statistics(net)
    if odd:
        raise InputError(
            f"{who}: {odd[0]} of {net.name} normalises by the statistics of each batch, so that stimuli change each "
            "other's values; use track_running_stats=True.",
            code="batch-statistics",
        )
    modules = {name: module for name, module in net.module.named_modules(remove_duplicate=False) if name}
    if layer is not None and layer not in modules:
        raise UnknownNameError(
            f"{who}: {net.name} has no layer {shorten(layer)}.{nearest(layer, modules)}", code="unknown-layer"
        )
    home = next((p.device for p in net.module.parameters()), torch.device("cpu"))
    target = _device(device or net.device, home, who)
    block = block_of(stimuli, rows)
    fed = net.preprocess(block) if net.preprocess is not None else block
    args, kwargs = _arguments(net, fed, str(stimuli.attrs.get("kind", "array")), target)
    names = [unit.name for unit in units[:3]]
    what = "its input" if layer is None else f"layer {layer!r}"
    said = (
        f"{who}: {', '.join(names)} of {net.name} {'do' if len(names) > 1 else 'does'} not depend on {what} through "
        f"anything that has a gradient; give {'another unit' if layer is None else 'a layer before the unit'}."
    )
    with with_gradients(), reading(units, *args, device=device, who=who, **kwargs) as read:
        b = next(v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)).shape[0]
        largest = net._spots[1].largest if net._spots else 1 << 20
        room = _LARGEST.get(target.type, 128 << 20) // max(1, largest)
        most = batch_size or max(_LEAST, min(_MOST.get(target.type, 512), room))

        def chosen(value: Any, mine: Any) -> Any:
            same = isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == b
            return value[mine] if same else value

        def finish(values: Any, mine: Any) -> Any:
            return values if objective is None else objective(values, mine)

        if layer is None:
            start = _only_input(args, kwargs, net.name, who)

            def run(points: Any, mine: Any) -> Any:
                fed = [points * 1.0 if v is start else chosen(v, mine) for v in args]
                named = {k: points * 1.0 if v is start else chosen(v, mine) for k, v in kwargs.items()}
                return finish(read(*fed, **named), mine)

            yield Points(start.detach(), most, run, said)
            return
        swap = _Swap(layer, net.name, who)
        handle = modules[layer].register_forward_hook(swap)
        try:

            def forward(mine: Any) -> Any:
                swap.calls = 0
                values = read(
                    *(chosen(v, mine) for v in args), **{k: chosen(v, mine) for k, v in kwargs.items()}
                )
                if swap.calls != 1:
                    raise InputError(
                        said
                        if not swap.calls
                        else f"{who}: layer {layer!r} of {net.name} is called {swap.calls} times; give one that is "
                        "called once.",
                        code="several-arrays" if swap.calls else "no-gradient",
                    )
                return values

            came = []
            everyone = torch.arange(b, device=target)
            with torch.no_grad():
                for first in range(0, b, most):
                    forward(everyone[first : first + most])
                    came.append(swap.came)
            at = torch.cat(came)
            if at.shape[0] != b:
                raise InputError(
                    f"{who}: layer {layer!r} of {net.name} gave an array of shape {tuple(at.shape)} for {b} stimuli; "
                    "give a layer that has the stimuli first.",
                    code="bad-layers",
                )

            def run_layer(points: Any, mine: Any) -> Any:
                swap.put = points * 1.0  # no leaf, so that what follows may change it in place
                try:
                    return finish(forward(mine), mine)
                finally:
                    swap.put = None

            yield Points(at, most, run_layer, said)
        finally:
            handle.remove()


class _Swap:
    """A forward hook that keeps a layer's output, or puts points in its place."""

    def __init__(self, layer: str, name: str, who: str) -> None:
        self.layer, self.name, self.who = layer, name, who
        self.put: Any = None
        self.came: Any = None
        self.calls = 0

    def __call__(self, _module: Any, _args: Any, output: Any) -> Any:
        import torch

        if not isinstance(output, torch.Tensor) or not output.is_floating_point():
            kind = output.dtype if isinstance(output, torch.Tensor) else type(output).__name__
            raise InputError(
                f"{self.who}: layer {self.layer!r} of {self.name} gives {kind}, not one array of numbers; choose a "
                "layer that does.",
                code="several-arrays",
            )
        self.calls += 1
        if self.put is None:
            self.came = output.detach().clone()
            return output
        if self.put.shape[1:] != output.shape[1:]:
            raise InputError(
                f"{self.who}: layer {self.layer!r} of {self.name} gave shape {tuple(output.shape[1:])} where "
                f"{tuple(self.put.shape[1:])} was expected; every stimulus must give the same shape.",
                code="ragged-output",
            )
        return self.put


def _only_input(args: tuple[Any, ...], kwargs: dict[str, Any], name: str, who: str) -> Any:
    import torch

    floats = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor) and v.is_floating_point()]
    if len(floats) != 1:
        what = "no input of real numbers" if not floats else f"{len(floats)} inputs of real numbers"
        raise InputError(
            f"{who}: {name} gets {what}, and attribution needs one; give layer= (the embedding of tokens).",
            code="not-differentiable",
        )
    return floats[0]


def rows_of(n: int, size: int) -> list[np.ndarray]:
    """Numbers 0..n-1 in blocks."""
    return [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
