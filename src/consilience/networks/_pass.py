"""What `record` does with the network: all stimuli run in batches that fit in memory; the first batch tells which
axis counts stimuli.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from consilience._core._arrays import all_finite
from consilience._core._errors import InputError, warn
from consilience._core._memory import available_memory, check_fits, gigabytes
from consilience._core._params import shorten
from consilience.networks._cache import Store
from consilience.networks._forward import evaluation, without_statistics
from consilience.networks._layout import Leaf
from consilience.networks._network import Network
from consilience.networks._outputs import inexact, plain, shape, unfit
from consilience.networks._probe import Key, Probe, first_of_one, stimulus_axis
from consilience.networks._progress import progress_bar

__all__ = ["Pass"]

_WHO = "cs.record"
_log = logging.getLogger("consilience")
_BUDGET = 2_000_000_000  # bytes of activations in flight at most
_LARGEST_BATCH = 256
# bytes; on a CPU larger blocks are given back to the system after each layer (measured: 5 times slower)
_LARGEST_OUTPUT = 32 << 20


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
        self.net, self.device = net, device
        self.ids = stimuli["stimulus"].values
        self.bytes_each = stimuli.nbytes // self.ids.size
        self.rounded = False  # whether it was said that whole numbers were rounded
        self.probe = Probe(net, stimuli, layers, spatial)

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
                return [(self.probe.wanted[key], values) for key, values in found.items()]
            self.probe.look(target)
            self.probe.settle(self.probe.axes_of_two(target))
            found = {
                key: values
                for key, leaf in self.probe.wanted.items()
                if (values := store.read(leaf, self.ids.size)) is not None
            }
            lacking = {key: leaf for key, leaf in self.probe.wanted.items() if key not in found}
            if lacking:
                found.update(self._all(lacking, target, batch_size, progress))
        for key, leaf in lacking.items():
            store.write(leaf, found[key])
        return [(leaf, found[key]) for key, leaf in self.probe.wanted.items()]

    def _batch(self, wanted: dict[Key, Leaf], target: Any, batch_size: int | None) -> int:
        n, largest = self.ids.size, self.probe.largest
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
        per_stimulus = 4 * units + 4 * largest + self.bytes_each
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
                if self.probe.recall():
                    out, done = self._first(target, batch_size, sure=False)
                if out is None:
                    self.probe.look(target)
                    out, done = self._first(target, batch_size, sure=True)
                if out is None:
                    self.probe.settle(self.probe.axes_of_two(target))
                advance(done)
                wanted = self.probe.wanted
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

        return self.probe.forward(slice(start, stop), names, target, take)

    def _first(
        self, target: Any, batch_size: int | None, *, sure: bool
    ) -> tuple[dict[Key, np.ndarray] | None, int]:
        """Arrays with the first batch written, and how many stimuli it had.

        (None, 0) where a batch cannot tell the stimulus axes: it would have one stimulus, as the probe; texts
        are padded to another length; or a layer returned what cannot be recorded. ``sure``: the probe is of this
        call.
        """
        if any(key[0] in self.probe.names for key in self.probe.odd):
            return None, 0
        n = self.ids.size
        try:
            guess = self.probe.leaves_of({key: first_of_one(sizes) for key, sizes in self.probe.one.items()})
            size = min(self._batch(guess, target, batch_size), n)
        except InputError:
            if sure:
                raise
            return None, 0
        if size < 2:
            return None, 0
        out = _Room(guess, n)
        came = self._write(guess, self.probe.every, out, 0, size, target)
        if came.keys() != self.probe.one.keys():
            return None, 0
        axes = {key: stimulus_axis(one, came[key].shape, size) for key, one in self.probe.one.items()}
        for key, leaf in guess.items():
            constant = came[key].shape == self.probe.one[key]
            if not constant and not (came[key].written and axes[key] == leaf.stimulus_axis):
                return None, 0
        self.probe.settle(axes)
        for key, leaf in self.probe.wanted.items():
            self._check(leaf, came[key], out[key], 0, size)
        return {key: out[key] for key in self.probe.wanted}, size

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
