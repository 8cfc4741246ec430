"""The arrays in which units of a network are, and how the units are read from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from consilience.networks._layout import Leaf
from consilience.networks._network import Network
from consilience.networks._tap import Spot, locate, look
from consilience.networks._unit import Unit, channel_axis, check_width

__all__ = ["Columns", "columns_of", "spots_of"]


class Columns:
    """Reads some units of one array (n, *shape): values (n, k), of NumPy or torch, gradients included."""

    def __init__(self, units: Sequence[Unit], leaf: Leaf) -> None:
        self.leaf = leaf
        places = [unit.place(leaf) for unit in units]
        self.flat = [place for place in places if place is not None]
        self.means: list[int] = []
        self.weights: dict[str, list[np.ndarray]] = {"flatten": [], "mean": []}
        self.biases: dict[str, list[float]] = {"flatten": [], "mean": []}
        order: dict[str, list[int]] = {"flat": [], "means": [], "flatten": [], "mean": []}
        for i, (unit, place) in enumerate(zip(units, places)):
            if place is not None:
                order["flat"].append(i)
            elif unit.channel is not None:
                self.means.append(unit.channel)
                order["means"].append(i)
            else:
                check_width(unit, leaf)
                assert unit.vector is not None
                self.weights[unit.spatial].append(unit.vector)
                self.biases[unit.spatial].append(unit.bias)
                order[unit.spatial].append(i)
        came = [i for kind in ("flat", "means", "flatten", "mean") for i in order[kind]]
        self.order = np.argsort(np.array(came, dtype=np.intp))
        self._on: dict[Any, Any] = {}  # weights as tensors, by type and device

    def __call__(self, values: Any) -> Any:
        n = values.shape[0]
        parts = []
        if self.flat:
            parts.append(values.reshape(n, -1)[:, self.flat])
        if self.means:
            parts.append(self._places(values)[:, :, self.means].mean(axis=(1, 3)))
        for spatial in ("flatten", "mean"):
            if self.weights[spatial]:
                flat = spatial == "flatten" or len(self.leaf.shape) < 2
                rows = values.reshape(n, -1) if flat else self._places(values).mean(axis=(1, 3))
                weights, biases = self._weights(spatial, rows)
                parts.append(rows @ weights + biases)
        if isinstance(values, np.ndarray):
            return np.concatenate(parts, axis=1)[:, self.order]
        import torch

        # values that are read from half precision and readouts in full precision stand side by side
        kind = parts[0].dtype
        for part in parts:
            kind = torch.promote_types(kind, part.dtype)
        return torch.cat([part.to(kind) for part in parts], dim=1)[:, self.order.tolist()]

    def _places(self, values: Any) -> Any:
        """(n, before, channel, after): the places before and after the channel axis."""
        axis, sizes = channel_axis(self.leaf), self.leaf.shape
        if not isinstance(values, np.ndarray) and not values.is_floating_point():
            values = values.float()
        return values.reshape(
            values.shape[0], math.prod(sizes[:axis]), sizes[axis], math.prod(sizes[axis + 1 :])
        )

    def _weights(self, spatial: str, rows: Any) -> tuple[Any, Any]:
        stacked = np.stack(self.weights[spatial], axis=1)
        if isinstance(rows, np.ndarray):
            return stacked, np.array(self.biases[spatial])
        key = spatial, rows.dtype, rows.device
        if key not in self._on:
            import torch

            kind = rows.dtype if rows.is_floating_point() else torch.float32
            self._on[key] = (
                torch.as_tensor(stacked, dtype=kind, device=rows.device),
                torch.as_tensor(self.biases[spatial], dtype=kind, device=rows.device),
            )
        weights, biases = self._on[key]
        return weights, biases


def spots_of(
    net: Network, units: Sequence[Unit], run: Callable[[int], Any], signature: tuple[Any, ...], *, who: str
) -> tuple[dict[str, Spot], int]:
    """Where the units' layers are, and the bytes of the network's largest array; kept for inputs of this kind."""
    key = (*signature, tuple(net.layer_names) if net.is_module else ())
    if net._spots is None or net._spots[0] != key:
        net._spots = key, look(net, run)
    seen = net._spots[1]
    labels = dict.fromkeys(unit.layer for unit in units)
    return {label: locate(net, seen, label, who=who) for label in labels}, seen.largest


def columns_of(units: Sequence[Unit], spots: Mapping[str, Spot]) -> dict[str, tuple[Columns, list[int]]]:
    """For each layer the reader of its units, and their places in the list."""
    places: dict[str, list[int]] = {}
    for i, unit in enumerate(units):
        places.setdefault(unit.layer, []).append(i)
    return {
        label: (Columns([units[i] for i in mine], spots[label][1]), mine) for label, mine in places.items()
    }
