"""What `record` does with the network: probe it with one stimulus, then run all stimuli in batches that fit
in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import InputError, warn
from consilience._core._memory import available_memory, check_fits, gigabytes
from consilience._core._params import shorten
from consilience.networks._cache import Store
from consilience.networks._forward import capturing, evaluation, leaves, run_block, without_statistics
from consilience.networks._layout import Leaf, axis_names, resolve_layers
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._progress import progress_bar

__all__ = ["Pass"]

_WHO = "cs.record"
_log = logging.getLogger("consilience")
_BUDGET = 2_000_000_000  # bytes of activations in flight at most
_LARGEST_BATCH = 256
# bytes; on a CPU larger blocks are given back to the system after each layer (measured: 5 times slower)
_LARGEST_OUTPUT = 32 << 20

Key = tuple[str, int, str]  # layer, number of the call, suffix of the array in its output


class Pass:
    """One call of `record` on one network."""

    def __init__(
        self, net: Network, stimuli: xr.DataArray, layers: Any, spatial: str, device: str | None
    ) -> None:
        self.net, self.stimuli, self.layers, self.spatial, self.device = net, stimuli, layers, spatial, device
        self.ids = stimuli["stimulus"].values
        self.kind = str(stimuli.attrs.get("kind", "array"))
        if net.is_module:
            resolve_layers(
                net, layers, net.layer_names, who=_WHO
            )  # a wrong name is said before anything runs

    def run(
        self, store: Store, batch_size: int | None, progress: bool | None
    ) -> list[tuple[Leaf, np.ndarray]]:
        """The wanted arrays (stimuli, units), from the cache or from the network."""
        for name in without_statistics(self.net):
            warn(
                "batch-dependent",
                f"{name} of {self.net.name} keeps no running statistics, so it normalises each batch by "
                "itself and activations depend on the batches.",
                "Use track_running_stats=True, or state batch_size.",
            )
            break
        with evaluation(self.net, self.device, who=_WHO) as target:
            wanted, largest = self._probe(target)
            found = {
                key: values
                for key, leaf in wanted.items()
                if (values := store.read(leaf, self.ids.size)) is not None
            }
            lacking = {key: leaf for key, leaf in wanted.items() if key not in found}
            if lacking:
                found.update(self._all(lacking, largest, target, batch_size, progress))
        for key, leaf in lacking.items():
            store.write(leaf, found[key])
        return [(leaf, found[key]) for key, leaf in wanted.items()]

    def _forward(
        self, rows: list[int] | slice, names: list[str], target: Any, take: Callable[[Key, Any], Any]
    ) -> dict[Key, Any]:
        """What ``take`` makes of each array, taken as soon as the layer has run: nothing that follows in
        place can change it.
        """
        taken: dict[Key, Any] = {}
        calls = dict.fromkeys(names, 0)

        def keep(name: str, output: Any) -> None:
            for suffix, value in leaves(output):
                taken[name, calls[name], suffix] = take((name, calls[name], suffix), value)
            calls[name] += 1

        with capturing(self.net, names, keep):
            output = run_block(self.net, block_of(self.stimuli, rows), self.kind, target, who=_WHO)
        if not self.net.is_module:
            parts = output if isinstance(output, Mapping) else {OUTPUT: output}
            calls = {str(name): 0 for name in parts}
            for name, part in parts.items():
                keep(str(name), part)
        self._calls = calls
        return taken

    # -- probing
    # -----------------------------------------------------------------------------------------------------

    def _probe(self, target: Any) -> tuple[dict[Key, Leaf], int]:
        """Shapes, from one stimulus and from the same one twice (the axis that doubles counts stimuli), and
        the largest output in bytes.
        """
        net = self.net
        every = net.layer_names if net.is_module else []

        def shape_of(_key: Key, value: Any) -> tuple[int, ...]:
            return tuple(value.shape)

        one = self._forward([0], every, target, shape_of)
        two = self._forward([0, 0], every, target, shape_of)
        calls = self._calls
        axes = {key: _stimulus_axis(one[key], two[key]) for key in one if key in two}
        net._shapes = {}
        for key, axis in axes.items():
            if axis is not None:
                net._shapes.setdefault(key[0], one[key][:axis] + one[key][axis + 1 :])
        names = resolve_layers(
            net,
            self.layers if self.layers is not None or net.is_module else list(calls),
            list(calls),
            who=_WHO,
        )
        kinds = dict(zip(net.layers["name"], net.layers["type"]))
        wanted: dict[Key, Leaf] = {}
        for name, exact in names.items():
            mine = [key for key in axes if key[0] == name and axes[key] is not None]
            if exact and not mine:
                raise self._nothing(name, kinds.get(name, "callable"), calls[name])
            suffixes = {key[2] for key in mine}
            for key in mine:
                axis = axes[key]
                assert axis is not None
                shape = one[key][:axis] + one[key][axis + 1 :]
                label = (
                    name + (f"#{key[1]}" if calls[name] > 1 else "") + (key[2] if len(suffixes) > 1 else "")
                )
                wanted[key] = Leaf(label, axis, shape, axis_names(shape, kinds.get(name, "")), self.spatial)
        self._doubt_axes(wanted, kinds)
        if not wanted:
            raise InputError(
                f"{_WHO}: no layer of {net.name} that matches {shorten(self.layers)} is called and returns "
                "an array per stimulus; see net.layers.",
                code="never-called",
            )
        return wanted, max(int(np.prod(shape, dtype=np.int64)) for shape in one.values()) * 4

    def _doubt_axes(self, wanted: dict[Key, Leaf], kinds: Mapping[str, str]) -> None:
        """(token, feature) and (channel, x) look alike; pooling over the wrong one must not pass unsaid."""
        maps = any(kind.endswith("1d") for kind in kinds.values())
        for leaf in wanted.values():
            if maps and self.spatial != "flatten" and leaf.axes == ("token", "feature"):
                first, second = leaf.shape
                warn(
                    "axes-assumed",
                    f"{leaf.name} of {self.net.name} has {first} x {second} outputs, taken as (token, "
                    "feature), so "
                    f"spatial={self.spatial!r} went over the {first}; the network has 1-D layers with "
                    "channels first.",
                    "Record the 1-D layer itself, or use spatial='flatten'.",
                )
                return

    def _nothing(self, name: str, kind: str, calls: int) -> InputError:
        if not calls:
            return InputError(
                f"{_WHO}: layer {name!r} ({kind}) of {self.net.name} is never called by its forward pass; "
                "record the layers inside or around it.",
                code="never-called",
            )
        return InputError(
            f"{_WHO}: {name!r} ({kind}) of {self.net.name} returned no array with one entry per stimulus "
            "(None, text or a constant); it must "
            "return its activations, or another layer must be recorded.",
            code="no-output",
        )

    # -- running
    # -----------------------------------------------------------------------------------------------------

    def _batch(self, wanted: dict[Key, Leaf], largest: int, target: Any, batch_size: int | None) -> int:
        n = self.ids.size
        units = sum(leaf.n_units for leaf in wanted.values())
        needed = units * (4 * n + 24)  # float32 values, and the coordinates of the units
        free = check_fits(needed)
        if free is not None:
            raise InputError(
                f"{_WHO}: {units:,} units of {len(wanted)} layers for {n} stimuli need {gigabytes(needed)}, "
                f"and {free} of memory are free; "
                "pass spatial='mean', fewer layers, or fewer stimuli at a time.",
                code="too-large",
            )
        per_stimulus = 4 * units + 4 * largest + self.stimuli.nbytes // n
        budget = min((available_memory() or 4 * _BUDGET) // 4, _BUDGET)
        most = min(budget // max(1, per_stimulus), _LARGEST_BATCH, n)
        if getattr(target, "type", "cpu") == "cpu":
            most = min(most, _LARGEST_OUTPUT // max(1, largest))
        size = batch_size or int(max(1, most))
        _log.info(
            "%s: %d layers, %s units, %s in all, %d stimuli per batch",
            self.net.name,
            len(wanted),
            f"{units:,}",
            gigabytes(needed),
            size,
        )
        return size

    def _all(
        self,
        wanted: dict[Key, Leaf],
        largest: int,
        target: Any,
        batch_size: int | None,
        progress: bool | None,
    ) -> dict[Key, np.ndarray]:
        n = self.ids.size
        size = self._batch(wanted, largest, target, batch_size)
        out = {key: np.empty((n, leaf.n_units), np.float32) for key, leaf in wanted.items()}
        names = list(dict.fromkeys(key[0] for key in wanted)) if self.net.is_module else []

        def take(key: Key, value: Any) -> np.ndarray | None:
            return wanted[key].reduce(value) if key in wanted else None

        with progress_bar(f"Recording {self.net.name}", n, progress) as advance:
            for start in range(0, n, size):
                stop = min(start + size, n)
                taken = self._forward(slice(start, stop), names, target, take)
                for key, leaf in wanted.items():
                    self._keep(leaf, taken.get(key), out[key], start, stop)
                advance(stop - start)
        return out

    def _keep(self, leaf: Leaf, values: np.ndarray | None, out: np.ndarray, start: int, stop: int) -> None:
        if values is None or values.shape != (stop - start, leaf.n_units):
            got = "nothing" if values is None else f"{values.shape[1]:,} units for {values.shape[0]} stimuli"
            raise InputError(
                f"{_WHO}: layer {leaf.name!r} of {self.net.name} gave {leaf.n_units:,} units for the first "
                f"stimulus, but {got} in the batch of stimuli "
                f"{start} to {stop - 1}; every stimulus must give the same shape (pad texts to one length in "
                "preprocess).",
                code="ragged-output",
            )
        if not all_finite(values):
            finite = np.isfinite(values)
            row = int(np.argwhere(~finite)[0][0])
            raise InputError(
                f"{_WHO}: layer {leaf.name!r} of {self.net.name} has {int((~finite).sum()):,} NaN or "
                "infinite activations, first for stimulus "
                f"{shorten(self.ids[start + row].item(), 40)}; check its weights and the scaling of its "
                "input.",
                code="nan-values",
            )
        out[start:stop] = values


def _stimulus_axis(one: tuple[int, ...], two: tuple[int, ...]) -> int | None:
    """The axis with 1 entry for one stimulus and 2 for two, the first if there are several; None if there is
    none.
    """
    if len(one) != len(two):
        return None
    doubled = [axis for axis, (a, b) in enumerate(zip(one, two)) if (a, b) == (1, 2)]
    same = all(a == b for axis, (a, b) in enumerate(zip(one, two)) if axis not in doubled[:1])
    return doubled[0] if doubled and same else None
