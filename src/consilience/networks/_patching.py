"""Runs a network with activations of one run put into another, or with noise added to a layer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._memory import available_memory
from consilience._core._params import require
from consilience.networks._chance import Chance, find_chance
from consilience.networks._forward import _arguments, evaluation, run_block, say_batches
from consilience.networks._lesion_find import seen_of
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_parts import make_parts
from consilience.networks._lesion_places import Place
from consilience.networks._lesion_run import rounding
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._patch_resume import Memories
from consilience.networks._tap import Spot, _can_stop, locate, tapped

__all__ = ["Cell", "Corruption", "Interventions", "Spread", "places_of"]

_LARGEST_BATCH = 256
_LARGEST_OUTPUT = 32 << 20  # bytes of the largest array in a batch, as when layers are recorded

Donor = Mapping[tuple[int, int], Any]  # (number of the place, number of the call) -> tensor (b, *shape)


def places_of(
    net: Network, layers: Sequence[str], data: xr.DataArray, *, device: str | None, who: str
) -> list[Place]:
    """Where each of the layers can be changed, in their order."""
    if not net.is_module:
        raise InputError(
            f"{who}: {net.name} is a callable; activations can be put into the layers of a torch module only.",
            code="not-a-module",
        )
    parts = make_parts(net, list(layers), data, parts="layer", device=device, who=who)
    found = {site.place.label: site.place for site in parts.sites}
    return [found[label] for label in layers]


@dataclass(frozen=True, eq=False)
class Cell:
    """What one patch replaces: for each place that it touches either ``entries``, bool of the layer's shape per
    stimulus (with the steps before it, where it comes step by step), or ``bases``, orthonormal directions (units, d)
    of the flattened layer.
    """

    entries: Mapping[int, np.ndarray]
    bases: Mapping[int, np.ndarray]

    @property
    def numbers(self) -> tuple[int, ...]:
        return (*self.entries, *self.bases)


@dataclass(frozen=True, eq=False)
class Corruption:
    """Gaussian noise of standard deviation ``sd`` that is added to a place, at the ``entries`` (bool of its shape)."""

    place: Place
    sd: float
    entries: np.ndarray
    entropy: int


@dataclass(frozen=True)
class Spread:
    """Of a layer over stimuli: standard deviation ``sd`` and mean magnitude ``size`` of each unit; ``rms``, the root
    mean square of sd over units; ``total``, the standard deviation of all values, units and stimuli together.
    """

    sd: np.ndarray
    size: np.ndarray
    rms: float
    total: float


class Interventions:
    """A network whose arrays at ``places`` are changed while it runs. Use it in a ``with`` block; afterwards the module
    is what it was.

    data : all stimuli that are run, (N, ...).   output : label of the array that is the output.
    """

    def __init__(
        self,
        net: Network,
        data: xr.DataArray,
        places: Sequence[Place],
        *,
        corruption: Corruption | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        output: str = OUTPUT,
        resume: bool = True,
        who: str,
    ) -> None:
        require("torch", extra="torch", purpose=who)
        self.net, self.data, self.places, self.who = net, data, list(places), who
        self.corruption, self.device, self.output = corruption, device, output
        self.kind = str(data.attrs.get("kind", "array"))
        self.batch_size, self.resume = batch_size, resume
        self._stack = contextlib.ExitStack()
        self._chance: Chance | None = None  # of a network that draws at random

    def __enter__(self) -> Interventions:
        try:
            self._target = self._stack.enter_context(evaluation(self.net, self.device, who=self.who))
            seen = seen_of(self.net, self.data, self._target, who=self.who)
            self._spot: Spot = locate(self.net, seen, self.output, who=self.who)
            each = max(1, seen.largest + self.data.nbytes // max(1, self.data.shape[0]))
            budget = min((available_memory() or 4 << 30) // 4, 64 * _LARGEST_OUTPUT)
            if getattr(self._target, "type", "cpu") == "cpu":
                budget = min(budget, _LARGEST_OUTPUT)
            self.size = self.batch_size or int(max(1, min(budget // each, _LARGEST_BATCH)))
            odd = say_batches(self.net, who=self.who)  # each batch is normalised by itself
            some = np.arange(min(self.size, self.data.shape[0]) if odd else 1)
            self._chance = find_chance(
                self.net.name,
                self._target,
                lambda: self._run(some, np.full(len(some), -1), lambda *_: None),
                rounding(self.net),
                0,
                who=self.who,
            )
            self.by_batch = odd or self._chance is not None  # a pass of several changes would give others
            self._memories = Memories(
                self.net.module,
                self._run,
                self._fed,
                [place.base for place in self.places],
                seen.axes,
                self._spot[0][0],
                budget,
            )
            self._may = self.resume and _can_stop(self.net) and not self.by_batch
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def layouts(self) -> list[tuple[tuple[int, ...], tuple[str, ...], int]]:
        """Shape per stimulus, names of its axes and the axis of channels of each place; of a recurrent state, which
        comes step by step, with the steps as its first axis, "token".
        """
        calls = [0] * len(self.places)
        for number, _ in self.capture(np.array([0]), np.array([-1]))[0]:
            calls[number] += 1
        found = []
        for place, steps in zip(self.places, calls):
            leaf, axis = place.leaf, place.channel_axis
            if place.mode == "recurrent" or place.calls is None or len(place.calls) > 1:
                names = ("feature",) if len(leaf.axes) == 1 else leaf.axes
                found.append(((steps, *leaf.shape), ("token", *names), axis + 1))
            else:
                found.append((leaf.shape, leaf.axes, axis))
        return found

    def capture(self, rows: np.ndarray, draws: np.ndarray) -> tuple[dict[tuple[int, int], Any], np.ndarray]:
        """Activations at all places, and outputs (b, *out), of the stimuli ``rows`` (b,). ``draws`` (b,): which
        noise of the corruption each gets, -1 for none.
        """
        kept: dict[tuple[int, int], Any] = {}

        def touch(number: int, call: int, x: Any, _given: Any) -> Any:
            kept[number, call] = x.detach().clone()  # what follows may change it in place
            return None

        outputs = self._run(rows, draws, touch)
        for number, place in enumerate(self.places):
            if not any(key[0] == number for key in kept):
                raise not_fired(self.net, place.label, who=self.who)
        return kept, outputs

    def patched(
        self, rows: np.ndarray, draws: np.ndarray, donor: Donor, cells: Sequence[Cell]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(number of the cell, outputs (b, *out) of the stimuli ``rows`` with what it says taken from ``donor``), in
        any order of cells.
        """
        order = {number: i for i, number in enumerate(dict.fromkeys(key[0] for key in donor))}
        groups: dict[tuple[int, frozenset[int]], list[int]] = {}
        for i, cell in enumerate(cells):
            first = min(cell.numbers, key=lambda number: order[number])
            groups.setdefault((first, frozenset(cell.numbers)), []).append(i)
        b = len(rows)
        for (first, numbers), mine in groups.items():
            each = self._memories.largest(numbers, first, rows, draws) if self._may and len(mine) > 2 else 0
            resumed = each > 0
            each = each or (1 if self.by_batch else max(1, self.size // b))
            for start in range(0, len(mine), each):
                some = mine[start : start + each]
                touch, acted = _replacing([cells[i] for i in some], donor, b)
                came = None
                if resumed:
                    came = self._memories.outputs(numbers, first, rows, draws, len(some), touch)
                if came is None:
                    came = self._run(np.tile(rows, len(some)), np.tile(draws, len(some)), touch)
                if numbers - acted:
                    raise not_fired(self.net, self.places[min(numbers - acted)].label, who=self.who)
                yield from zip(some, came.reshape(len(some), b, *came.shape[1:]))

    def changed(self, rows: np.ndarray, number: int, m: int, change: Callable[[int, Any], Any]) -> np.ndarray:
        """Outputs (m, b, *out) of the stimuli ``rows`` (b,), m times, with place ``number`` changed by ``change(call,
        activations (m * b, *shape))``.
        """
        acted = [False]

        def touch(at: int, call: int, x: Any, _given: Any) -> Any:
            if at != number:
                return None
            acted[0] = True
            return change(call, x)

        none, found = np.full(len(rows), -1), None
        if self._may:
            found = self._memories.outputs(frozenset([number]), number, rows, none, m, touch)
        if found is None:
            found = self._run(np.tile(rows, m), np.tile(none, m), touch)
        if not acted[0]:
            raise not_fired(self.net, self.places[number].label, who=self.who)
        return found.reshape(m, len(rows), *found.shape[1:])

    def outputs(self, n: int) -> np.ndarray:
        """(n, *out) of the first ``n`` stimuli, nothing changed."""
        parts = []
        for start in range(0, n, self.size):
            rows = np.arange(start, min(start + self.size, n))
            parts.append(self._run(rows, np.full(len(rows), -1), lambda *_: None))
        return np.concatenate(parts)

    def spread(self, n: int) -> list[dict[int, Spread]]:
        """Of each place, by call, over the first ``n`` stimuli."""
        found: list[dict[int, Spread]] = [{} for _ in self.places]
        sums: dict[tuple[int, int], list[Any]] = {}

        def touch(number: int, call: int, x: Any, _given: Any) -> Any:
            wide = x.double()
            mean, count = wide.mean(0), x.shape[0]
            squares, size = ((wide - mean) ** 2).sum(0), wide.abs().sum(0)
            if (number, call) in sums:
                old, before, squared, sizes = sums[number, call]
                step = mean - before
                sums[number, call] = [
                    old + count,
                    before + step * (count / (old + count)),
                    squared + squares + step**2 * (old * count / (old + count)),
                    sizes + size,
                ]
            else:
                sums[number, call] = [count, mean, squares, size]
            return None

        for start in range(0, n, self.size):
            rows = np.arange(start, min(start + self.size, n))
            self._run(rows, np.full(len(rows), -1), touch)
        for (number, call), (count, mean, squares, size) in sums.items():
            variance, means = (squares / count).cpu().numpy(), mean.cpu().numpy()
            found[number][call] = Spread(
                np.sqrt(variance),
                (size / count).cpu().numpy(),
                math.sqrt(variance.mean()),
                math.sqrt(variance.mean() + means.var()),
            )
        for number, place in enumerate(self.places):
            if not found[number]:
                raise not_fired(self.net, place.label, who=self.who)
        return found

    def _fed(self, rows: np.ndarray) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the module gets for the stimuli ``rows``."""
        block = block_of(self.data, rows)  # type: ignore[arg-type]
        fed = self.net.preprocess(block) if self.net.preprocess is not None else block
        return _arguments(self.net, fed, self.kind, self._target)

    def _run(
        self,
        rows: np.ndarray,
        draws: np.ndarray,
        touch: Callable[[int, int, Any, Any], Any],
        inputs: tuple[tuple[Any, ...], dict[str, Any]] | None = None,
    ) -> np.ndarray:
        """One forward pass of the stimuli ``rows``; ``inputs``: what the module gets, where that is known."""
        came: list[np.ndarray] = []

        def forward() -> Any:
            if inputs is not None:
                return self.net.module(*inputs[0], **inputs[1])
            block = block_of(self.data, rows)  # type: ignore[arg-type]
            return run_block(self.net, block, self.kind, self._target, who=self.who)

        def use(_label: str, values: Any) -> None:
            came.append(values.detach().double().cpu().numpy())

        with contextlib.ExitStack() as stack:
            if self._chance is not None:  # the same draws in every pass of these stimuli
                stack.enter_context(self._chance.of_block(int(rows[0])))
            if self.corruption is not None and (draws >= 0).any():
                stack.enter_context(acting(self.net, [self.corruption.place], self._corrupting(rows, draws)))
            stack.enter_context(acting(self.net, self.places, touch))
            tapped(
                self.net,
                forward,
                {"output": self._spot},
                len(rows),
                use,
                who=self.who,
            )
        if not np.isfinite(came[0]).all():
            raise InputError(
                f"{self.who}: the output of {self.net.name} is NaN or infinite after the change; check its weights and "
                "the scaling of its input.",
                code="nan-values",
            )
        return came[0]

    def _corrupting(self, rows: np.ndarray, draws: np.ndarray) -> Callable[[int, int, Any, Any], Any]:
        import torch

        noise = self.corruption
        assert noise is not None

        def touch(_number: int, call: int, x: Any, _given: Any) -> Any:
            drawn = np.zeros((x.shape[0], *noise.place.leaf.shape), dtype=np.float32)
            # fewer than rows where the value is remembered and read by nothing
            for i, (row, draw) in enumerate(zip(rows[: x.shape[0]].tolist(), draws.tolist())):
                if draw >= 0:  # one stream for each stimulus and draw: the same noise whatever the batches
                    rng = np.random.default_rng([noise.entropy, draw, row, call])
                    drawn[i] = rng.standard_normal(drawn.shape[1:], dtype=np.float32)
            drawn *= noise.entries * np.float32(noise.sd)
            return x + torch.from_numpy(drawn).to(device=x.device, dtype=x.dtype)

        return touch


def _replacing(
    cells: Sequence[Cell], donor: Donor, b: int
) -> tuple[Callable[[int, int, Any, Any], Any], set[int]]:
    """What puts the donor's activations into the cells, one after another b stimuli each; and the places at which it
    has acted.
    """
    import torch

    acted: set[int] = set()

    def touch(number: int, call: int, x: Any, _given: Any) -> Any:
        mine = [i for i, cell in enumerate(cells) if number in cell.entries or number in cell.bases]
        if not mine:
            return None
        acted.add(number)
        wide = x.reshape(len(cells), b, *x.shape[1:])
        r = donor[number, call].to(x.dtype)
        new = wide.clone()
        for i in mine:
            if number in cells[i].entries:
                entries = cells[i].entries[number]
                on = torch.from_numpy(entries[call] if entries.ndim == r.ndim else entries).to(x.device)
                new[i] = torch.where(on, r, wide[i])
            else:
                basis = torch.as_tensor(cells[i].bases[number], dtype=x.dtype, device=x.device)
                away = (r - wide[i]).flatten(1)
                new[i] = wide[i] + ((away @ basis) @ basis.T).reshape(r.shape)
        return new.reshape(x.shape)

    return touch, acted
