"""What `record` learns about a network before it runs: one stimulus gives the shape of every array, and a second
look, or the first batch, tells which axis counts stimuli.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest, warn
from consilience._core._params import shorten
from consilience.networks._forward import capturing, leaves, run_block
from consilience.networks._layout import Leaf, axis_names, resolve_layers
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._outputs import shape, unfit

__all__ = ["Key", "Probe", "first_of_one", "stimulus_axis"]

_WHO = "cs.record"

_ARRAY = re.compile(r"(?P<base>.+?)(#\d+)?(\[.*\])?")

Key = tuple[str, int, str]  # layer, number of the call, suffix of the array in its output


class Probe:
    """One network and the stimuli it is to see.

    one : shape of every array for one stimulus.   odd : arrays that cannot be recorded, and why.   every : all
    layers.   names : the layers that are meant, True where named exactly.   wanted : what is recorded, once `settle`
    knows the axes.   largest : bytes of the largest array of one stimulus.
    """

    one: dict[Key, tuple[int, ...]]
    wanted: dict[Key, Leaf]
    largest: int

    def __init__(self, net: Network, stimuli: xr.DataArray, layers: Any, spatial: str) -> None:
        self.net, self.stimuli, self.spatial = net, stimuli, spatial
        self.layers, self.asked = _bases(net, layers)
        self.kind = str(stimuli.attrs.get("kind", "array"))
        if net.is_module:
            # a wrong name is said before anything runs
            resolve_layers(net, self.layers, net.layer_names, who=_WHO)

    def forward(
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

    def look(self, target: Any) -> None:
        """The shape of every array for one stimulus, and the layers that are meant."""
        self._prepare()

        def shape_of(key: Key, value: Any) -> tuple[int, ...]:
            odd = unfit(value)
            if odd is not None:
                self.odd[key] = odd
            return shape(value)

        self.one = self.forward([0], self.every, target, shape_of)
        self.calls = self._calls
        self._name()
        if self.net.is_module and self.kind != "text" and not self.odd:  # texts differ in length
            self.net._probed = (self._signature(), self.one, self.calls)

    def recall(self) -> bool:
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

    def axes_of_two(self, target: Any) -> dict[Key, int | None]:
        """The axis of each array that doubles when the first stimulus is given twice."""
        two = self.forward([0, 0], self.every, target, lambda _key, value: shape(value))
        return {key: stimulus_axis(one, two[key], 2) for key, one in self.one.items() if key in two}

    def settle(self, axes: dict[Key, int | None]) -> None:
        """What is recorded, now that it is known which axes count stimuli."""
        self.wanted = self.leaves_of(axes)
        self.net._shapes = {}
        for key, axis in axes.items():
            if axis is not None:
                self.net._shapes.setdefault(key[0], _without(self.one[key], axis))
        self._doubt_axes(self.wanted, self.kinds)

    def leaves_of(self, axes: dict[Key, int | None]) -> dict[Key, Leaf]:
        """The arrays that are recorded if ``axes`` count stimuli."""
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
            given: list[str] = []
            for key, axis in mine.items():
                sizes = _without(self.one[key], axis)
                label = (
                    name
                    + (f"#{key[1]}" if self.calls[name] > 1 else "")
                    + (key[2] if len(suffixes) > 1 else "")
                )
                if name in self.asked and label not in self.asked[name]:
                    given.append(label)
                    continue
                names = axis_names(sizes, self.kinds.get(name, ""))
                wanted[key] = Leaf(label, axis, sizes, names, self.spatial)
            lacking = self.asked.get(name, set()) - {leaf.name for leaf in wanted.values()}
            if lacking:
                known = [*given, *(leaf.name for key, leaf in wanted.items() if key[0] == name)]
                label = min(lacking)
                raise UnknownNameError(
                    f"{_WHO}: layer {shorten(label)} of {self.net.name}: {name} gives "
                    f"{shorten(sorted(known), 200)}.{nearest(label, known)}",
                    code="unknown-layer",
                )
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


def _bases(net: Network, layers: Any) -> tuple[Any, dict[str, set[str]]]:
    """``layers`` with the labels of single arrays, such as ``lstm[1][0]`` or ``conv#1``, replaced by their layers; and
    which arrays of those layers are asked for.
    """
    listed = [layers] if isinstance(layers, str) else layers
    known = net.layer_names
    if (
        not net.is_module
        or not isinstance(listed, (list, tuple))
        or not all(isinstance(e, str) for e in listed)
    ):
        return layers, {}
    asked: dict[str, set[str]] = {}
    out: list[str] = []
    for entry in listed:
        found = None if entry in known or set("*?") & set(entry) else _ARRAY.fullmatch(entry)
        if found is None or found["base"] not in known:
            out.append(entry)
            continue
        asked.setdefault(found["base"], set()).add(entry)
        out.append(found["base"])
    whole = set(listed) & set(asked)  # the layer itself, too: all of its arrays
    return (out if asked else layers), {base: labels for base, labels in asked.items() if base not in whole}


def stimulus_axis(one: tuple[int, ...], many: tuple[int, ...], n: int) -> int | None:
    """The axis with 1 entry for one stimulus and ``n`` for n, all others being equal; None if there is none."""
    if len(one) != len(many):
        return None
    changed = [axis for axis, (a, b) in enumerate(zip(one, many)) if a != b]
    return changed[0] if len(changed) == 1 and (one[changed[0]], many[changed[0]]) == (1, n) else None


def first_of_one(sizes: tuple[int, ...]) -> int | None:
    """The first axis with one entry, which for one stimulus is most often the axis that counts them."""
    return sizes.index(1) if 1 in sizes else None


def _without(sizes: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return sizes[:axis] + sizes[axis + 1 :]
