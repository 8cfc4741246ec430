"""How a layer's output becomes (trial, unit): which axis is the stimulus, what the others are called, what is
averaged.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.networks._network import OUTPUT, Network

__all__ = ["Leaf", "axis_names", "resolve_layers"]

_AXES_1D_MAPS = ("channel", "x")
_AXES = {1: ("unit",), 2: ("token", "feature"), 3: ("channel", "y", "x"), 4: ("channel", "z", "y", "x")}


@dataclass(frozen=True)
class Leaf:
    """One array of one call of a layer. ``shape`` and ``axes`` are those of one stimulus, before ``spatial``
    is applied.
    """

    name: str
    stimulus_axis: int
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    spatial: str

    @property
    def kept_axes(self) -> tuple[str, ...]:
        """Axes that are left: all when flattening, else the channels or features."""
        if self.spatial == "flatten" or len(self.axes) < 2:
            return self.axes
        return ("channel",) if "channel" in self.axes else ("feature",)

    @property
    def kept_shape(self) -> tuple[int, ...]:
        return tuple(size for size, axis in zip(self.shape, self.axes) if axis in self.kept_axes)

    @property
    def n_units(self) -> int:
        return int(np.prod(self.kept_shape, dtype=np.int64))

    def write(self, value: Any, out: np.ndarray) -> bool:
        """Writes ``value`` into ``out`` (stimuli, units) float32, so that nothing that happens to the tensor
        afterwards changes it; False, and nothing written, where its shape is not this one.
        """
        if value.ndim != len(self.shape) + 1:
            return False
        over = self._over()
        if isinstance(value, np.ndarray):
            block: Any = np.moveaxis(value, self.stimulus_axis, 0)
            if over:
                mean = self.spatial == "mean"
                block = block.mean(axis=over, dtype=np.float64) if mean else block.max(axis=over)
        else:
            block = value.detach().movedim(self.stimulus_axis, 0)
            if over:
                # the mean of half precision or of integers is taken in float32
                exact = block.is_floating_point() and block.dtype.itemsize >= 4
                block = block if exact else block.float()
                block = block.mean(dim=over) if self.spatial == "mean" else block.amax(dim=over)
        if tuple(block.shape) != (out.shape[0], *self.kept_shape):
            return False
        target = out.reshape(block.shape)  # a view: out is a block of whole rows
        if isinstance(block, np.ndarray):
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and named as such later
                target[...] = block
        else:
            import torch

            torch.from_numpy(target).copy_(block)
        return True

    def _over(self) -> tuple[int, ...]:
        if self.spatial == "flatten":
            return ()
        return tuple(i + 1 for i, axis in enumerate(self.axes) if axis not in self.kept_axes)

    def unit_coords(self) -> dict[str, np.ndarray]:
        """int32 coordinates of each unit along the kept axes; none for plain vectors."""
        if self.kept_axes == ("unit",) or not self.kept_axes:
            return {}
        grid = np.indices(self.kept_shape, dtype=np.int32, sparse=True)
        return {
            axis: np.broadcast_to(index, self.kept_shape).reshape(-1)
            for axis, index in zip(self.kept_axes, grid)
        }


def axis_names(shape: tuple[int, ...], kind: str) -> tuple[str, ...]:
    """Names of a stimulus's axes: (channel, y, x) for 3 axes, (token, feature) for 2, but (channel, x) after
    1-D convolution layers.
    """
    if len(shape) == 2 and kind.endswith("1d"):
        return _AXES_1D_MAPS
    if len(shape) in _AXES:
        return _AXES[len(shape)]
    return tuple(f"axis_{i}" for i in range(len(shape)))


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", text)
    translated = {"**": ".*", "*": r"[^.]*", "?": r"[^.]"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts))


def resolve_layers(net: Network, layers: Any, known: list[str], *, who: str) -> dict[str, bool]:
    """Layer names in the order asked for -> whether each was named exactly (or came from a pattern)."""
    asked = [OUTPUT] if layers is None else [layers] if isinstance(layers, str) else layers
    if not isinstance(asked, (list, tuple, set, np.ndarray)) or not all(
        isinstance(entry, str) for entry in asked
    ):
        raise InputError(
            f"{who}: layers must be a layer name, a pattern or a list of them, got {shorten(layers)}.",
            code="bad-layers",
        )
    if len(asked) == 0:
        raise InputError(f"{who}: layers is empty; name at least one, see net.layers.", code="bad-layers")
    names: dict[str, bool] = {}
    for entry in asked:
        if entry in known:
            names[entry] = True
        elif any(sign in entry for sign in "*?"):
            pattern = _pattern(entry)
            found = [
                name for name in known if pattern.fullmatch(name) and (name != OUTPUT or not net.is_module)
            ]
            if not found:
                crossing = [name for name in known if fnmatch.fnmatchcase(name, entry)]
                hint = (
                    f" ('*' does not cross a dot, '**' does: {len(crossing)} names would match then)"
                    if crossing
                    else ""
                )
                raise UnknownNameError(
                    f"{who}: the pattern {entry!r} matches no layer of "
                    f"{net.name}{hint}.{nearest(entry.strip('*.'), known)}",
                    code="unknown-layer",
                )
            for name in found:
                names.setdefault(name, False)
        else:
            raise UnknownNameError(
                f"{who}: {net.name} has no layer {shorten(entry)}.{nearest(entry, known)}",
                code="unknown-layer",
            )
    return names
