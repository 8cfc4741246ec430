"""What `record` does with the network: probe it with one stimulus, then run all stimuli in batches that fit
in memory; the first batch tells which axis counts stimuli.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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
from consilience.networks._outputs import inexact, plain, shape, unfit
from consilience.networks._progress import progress_bar

__all__ = ["Pass"]

_WHO = "cs.record"
_log = logging.getLogger("consilience")
_BUDGET = 2_000_000_000  # bytes of activations in flight at most
_LARGEST_BATCH = 256
# bytes; on a CPU larger blocks are given back to the system after each layer (measured: 5 times slower)
_LARGEST_OUTPUT = 32 << 20

Key = tuple[str, int, str]  # layer, number of the call, suffix of the array in its output


class _Came(NamedTuple):
    """What a layer gave for a batch, whether it could be written, and what was written is finite (looked at
    while it is in the processor's cache)."""

    shape: tuple[int, ...]
    written: bool
    finite: bool = True


class Pass:
    """One call of `record` on one network."""

    def __init__(
        self, net: Network, stimuli: xr.DataArray, layers: Any, spatial: str, device: str | None
    ) -> None:
        self.net, self.stimuli, self.layers, self.spatial, self.device = net, stimuli, layers, spatial, device
        self.ids = stimuli["stimulus"].values
        self.kind = str(stimuli.attrs.get("kind", "array"))
        self.rounded = False  # whether it was said that whole numbers were rounded
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
            if store.folder is None:
                found = self._all(None, target, batch_size, progress)
                return [(self.wanted[key], values) for key, values in found.items()]
            self._probe(target)
            self._settle(self._axes_of_two(target))
            found = {
                key: values
                for key, leaf in self.wanted.items()
                if (values := store.read(leaf, self.ids.size)) is not None
            }
            lacking = {key: leaf for key, leaf in self.wanted.items() if key not in found}
            if lacking:
                found.update(self._all(lacking, target, batch_size, progress))
        for key, leaf in lacking.items():
            store.write(leaf, found[key])
        return [(leaf, found[key]) for key, leaf in self.wanted.items()]

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

    def _probe(self, target: Any) -> None:
        """The shape of every array for one stimulus, and the layers that are meant."""
        self._prepare()

        def shape_of(key: Key, value: Any) -> tuple[int, ...]:
            odd = unfit(value)
            if odd is not None:
                self.odd[key] = odd
            return shape(value)

        self.one = self._forward([0], self.every, target, shape_of)
        self.calls = self._calls
        self._name()
        if self.net.is_module and self.kind != "text" and not self.odd:  # texts differ in length
            self.net._probed = (self._signature(), self.one, self.calls)

    def _recall(self) -> bool:
        """Takes the probe of an earlier call with stimuli of this shape, if there was one. It is a guess: the
        module may have changed since, which the first batch shows.
        """
        probed = self.net._probed
        self._prepare()
        if probed is None or probed[0] != self._signature():
            return False
        _, self.one, self.calls = probed
        self._name()
        return True

    def _prepare(self) -> None:
        self.every = self.net.layer_names if self.net.is_module else []
        self.odd: dict[Key, tuple[str, str, str]] = {}

    def _signature(self) -> tuple[Any, ...]:
        return self.kind, self.stimuli.shape[1:], str(self.stimuli.dtype), tuple(self.every)

    def _name(self) -> None:
        net = self.net
        self.names = resolve_layers(
            net,
            self.layers if self.layers is not None or net.is_module else list(self.calls),
            list(self.calls),
            who=_WHO,
        )
        self.kinds = dict(zip(net.layers["name"], net.layers["type"]))
        self.largest = max((math.prod(sizes) for sizes in self.one.values()), default=0) * 4

    def _axes_of_two(self, target: Any) -> dict[Key, int | None]:
        """The axis of each array that doubles when the first stimulus is given twice."""
        two = self._forward([0, 0], self.every, target, lambda _key, value: shape(value))
        return {key: _stimulus_axis(one, two[key], 2) for key, one in self.one.items() if key in two}

    def _settle(self, axes: dict[Key, int | None]) -> None:
        """What is recorded, now that it is known which axes count stimuli."""
        self.wanted = self._leaves(axes)
        self.net._shapes = {}
        for key, axis in axes.items():
            if axis is not None:
                self.net._shapes.setdefault(key[0], _without(self.one[key], axis))
        self._doubt_axes(self.wanted, self.kinds)

    def _leaves(self, axes: dict[Key, int | None]) -> dict[Key, Leaf]:
        wanted: dict[Key, Leaf] = {}
        for name, exact in self.names.items():
            mine = {key: axis for key, axis in axes.items() if key[0] == name and axis is not None}
            kind = self.kinds.get(name, "callable")
            for key, odd in self.odd.items():
                if key in mine or (key[0] == name and not self.one[key]):
                    raise self._unfit(name, kind, *odd)
            if exact and not mine:
                raise self._nothing(name, kind, self.calls[name])
            suffixes = {key[2] for key in mine}
            for key, axis in mine.items():
                sizes = _without(self.one[key], axis)
                label = (
                    name
                    + (f"#{key[1]}" if self.calls[name] > 1 else "")
                    + (key[2] if len(suffixes) > 1 else "")
                )
                names = axis_names(sizes, self.kinds.get(name, ""))
                wanted[key] = Leaf(label, axis, sizes, names, self.spatial)
        if not wanted:
            raise InputError(
                f"{_WHO}: no layer of {self.net.name} that matches {shorten(self.layers)} is called and "
                "returns an array per stimulus; see net.layers.",
                code="never-called",
            )
        return wanted

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

    def _unfit(self, name: str, kind: str, what: str, remedy: str, code: str) -> InputError:
        return InputError(
            f"{_WHO}: layer {name!r} ({kind}) of {self.net.name} returned {what}; {remedy}, or record another "
            "layer.",
            code=code,
        )

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

    def _batch(self, wanted: dict[Key, Leaf], target: Any, batch_size: int | None) -> int:
        n, largest = self.ids.size, self.largest
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
        wanted: dict[Key, Leaf] | None,
        target: Any,
        batch_size: int | None,
        progress: bool | None,
    ) -> dict[Key, np.ndarray]:
        """Values (stimuli, units) of ``wanted``. None: the first batch, which has other numbers than the probe
        with one stimulus, tells the stimulus axes, and is kept.
        """
        n = self.ids.size
        with progress_bar(f"Recording {self.net.name}", n, progress) as advance:
            done, out = 0, None
            if wanted is None:
                if self._recall():
                    out, done = self._first(target, batch_size, sure=False)
                if out is None:
                    self._probe(target)
                    out, done = self._first(target, batch_size, sure=True)
                if out is None:
                    self._settle(self._axes_of_two(target))
                advance(done)
                wanted = self.wanted
            size = done or self._batch(wanted, target, batch_size)
            if out is None:
                out = _Room(wanted, n)
            names = list(dict.fromkeys(key[0] for key in wanted)) if self.net.is_module else []
            for start in range(done, n, size):
                stop = min(start + size, n)
                shapes = self._write(wanted, names, out, start, stop, target)
                for key, leaf in wanted.items():
                    self._check(leaf, shapes.get(key), out[key], start, stop)
                advance(stop - start)
        return out

    def _write(
        self,
        wanted: dict[Key, Leaf],
        names: list[str],
        out: dict[Key, np.ndarray],
        start: int,
        stop: int,
        target: Any,
    ) -> dict[Key, _Came]:
        """Runs one batch; rows ``start`` to ``stop`` of ``out`` are written as each layer has run."""

        def take(key: Key, value: Any) -> _Came:
            leaf = wanted.get(key)
            if leaf is None:
                return _Came(shape(value), written=False)
            if unfit(value) is not None:  # since it was probed
                return _Came(shape(value), written=False)
            value = plain(value)
            written = leaf.write(value, out[key][start:stop])
            if written and not self.rounded and inexact(value):
                self.rounded = True
                warn(
                    "rounded-integers",
                    f"Layer {leaf.name!r} of {self.net.name} returned whole numbers beyond 2**24 that "
                    "float32, in which activations are kept, cannot tell from their neighbours; they were "
                    "rounded.",
                    "If they are ids, record what they stand for (e.g. the embedding); otherwise subtract an "
                    "offset or scale them in the network.",
                )
            return _Came(shape(value), written, written and all_finite(out[key][start:stop]))

        return self._forward(slice(start, stop), names, target, take)

    def _first(
        self, target: Any, batch_size: int | None, *, sure: bool
    ) -> tuple[dict[Key, np.ndarray] | None, int]:
        """Arrays with the first batch written, and how many stimuli it had.

        (None, 0) where a batch cannot tell the stimulus axes: it would have one stimulus, as the probe; texts
        are padded to another length; or a layer returned what cannot be recorded. ``sure``: the probe is of this
        call.
        """
        if any(key[0] in self.names for key in self.odd):
            return None, 0
        n = self.ids.size
        try:
            guess = self._leaves({key: _first_of_one(sizes) for key, sizes in self.one.items()})
            size = min(self._batch(guess, target, batch_size), n)
        except InputError:
            if sure:
                raise
            return None, 0
        if size < 2:
            return None, 0
        out = _Room(guess, n)
        came = self._write(guess, self.every, out, 0, size, target)
        if came.keys() != self.one.keys():
            return None, 0
        axes = {key: _stimulus_axis(one, came[key].shape, size) for key, one in self.one.items()}
        for key, leaf in guess.items():
            constant = came[key].shape == self.one[key]
            if not constant and not (came[key].written and axes[key] == leaf.stimulus_axis):
                return None, 0
        self._settle(axes)
        for key, leaf in self.wanted.items():
            self._check(leaf, came[key], out[key], 0, size)
        return {key: out[key] for key in self.wanted}, size

    def _check(self, leaf: Leaf, came: _Came | None, out: np.ndarray, start: int, stop: int) -> None:
        """Refuses a batch that gave ``leaf`` another shape, and NaN or infinity."""
        if came is None or not came.written:
            got = "nothing" if came is None else f"an array of shape {came.shape}"
            raise InputError(
                f"{_WHO}: layer {leaf.name!r} of {self.net.name} gave {leaf.n_units:,} units for the first "
                f"stimulus, but {got} for the {stop - start} stimuli "
                f"{start} to {stop - 1}; every stimulus must give the same shape (pad texts to one length in "
                "preprocess).",
                code="ragged-output",
            )
        if not came.finite:
            finite = np.isfinite(out[start:stop])
            row = int(np.argwhere(~finite)[0][0])
            raise InputError(
                f"{_WHO}: layer {leaf.name!r} of {self.net.name} has {int((~finite).sum()):,} NaN or "
                "infinite activations, first for stimulus "
                f"{shorten(self.ids[start + row].item(), 40)}; check its weights and the scaling of its "
                "input.",
                code="nan-values",
            )


def _stimulus_axis(one: tuple[int, ...], many: tuple[int, ...], n: int) -> int | None:
    """The axis with 1 entry for one stimulus and ``n`` for n, all others being equal; None if there is none."""
    if len(one) != len(many):
        return None
    changed = [axis for axis, (a, b) in enumerate(zip(one, many)) if a != b]
    return changed[0] if len(changed) == 1 and (one[changed[0]], many[changed[0]]) == (1, n) else None


def _first_of_one(sizes: tuple[int, ...]) -> int | None:
    """The first axis with one entry, which for one stimulus is most often the axis that counts them."""
    return sizes.index(1) if 1 in sizes else None


class _Room(dict[Key, np.ndarray]):
    """An array (n, units) for each layer, made when its first batch comes: it then takes up the memory that the
    forward pass has just given back, where arrays made beforehand would all be on new pages.
    """

    def __init__(self, wanted: dict[Key, Leaf], n: int) -> None:
        super().__init__()
        self.wanted, self.n = wanted, n

    def __missing__(self, key: Key) -> np.ndarray:
        self[key] = found = np.empty((self.n, self.wanted[key].n_units), np.float32)
        return found


def _without(sizes: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return sizes[:axis] + sizes[axis + 1 :]
