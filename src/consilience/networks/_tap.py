"""Where units of a network are read: their layers are hooked, and the forward pass ends once all wanted arrays
have come.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience.networks._forward import capturing, evaluation, leaves
from consilience.networks._layout import Leaf, axis_names
from consilience.networks._network import OUTPUT, Network
from consilience.networks._outputs import plain, shape, unfit
from consilience.networks._probe import Key, stimulus_axis

__all__ = ["Seen", "Spot", "base_of", "differentiable", "locate", "look", "tapped"]

_LABEL = re.compile(r"(?P<base>.+?)(#\d+)?(\[.*\])?")

Spot = tuple[Key, Leaf]  # which array of which call of a layer, and how it is laid out


class _Enough(BaseException):
    """Ends a forward pass from within a hook; no ``except Exception`` of a module swallows it."""


def base_of(net: Network, label: str, *, who: str) -> str:
    """The layer that ``label`` (``"conv"``, ``"conv#1"``, ``"lstm[0]"``) belongs to."""
    known = net.layer_names
    if not isinstance(label, str):
        raise InputError(
            f"{who}: layer must be the name of a layer, got {shorten(label)}.", code="bad-layers"
        )
    if label in known:
        return label
    found = _LABEL.fullmatch(label)
    base = found["base"] if found else label
    if base in known or (not net.is_module and not net._shapes):  # a callable's layers show when it runs
        return base
    raise UnknownNameError(
        f"{who}: {net.name} has no layer {shorten(label)}.{nearest(label, known)}", code="unknown-layer"
    )


def _can_stop(net: Network) -> bool:
    """Whether a forward pass may end early: not through compiled code or worker threads."""
    if not net.is_module:
        return False
    odd = {"OptimizedModule", "DataParallel", "DistributedDataParallel", "FullyShardedDataParallel"}
    kinds = {cls.__name__ for child in net.module.modules() for cls in type(child).__mro__}
    return not kinds & (odd | {"ScriptModule", "RecursiveScriptModule"})


@contextlib.contextmanager
def differentiable(net: Network, device: str | None, *, who: str) -> Iterator[Any]:
    """The module in eval mode, its parameters closed to gradients (each flag restored), gradients of the input
    allowed.
    """
    import torch

    with evaluation(net, device, who=who) as target:
        flags = [(p, p.requires_grad) for p in net.module.parameters()]
        try:
            for parameter, _ in flags:
                parameter.requires_grad_(requires_grad=False)
            with torch.enable_grad():
                yield target
        finally:
            for parameter, flag in flags:
                parameter.requires_grad_(requires_grad=flag)


def _forward(
    net: Network, run: Callable[[], Any], names: list[str], take: Callable[[Key, Any], bool]
) -> dict[str, int]:
    """Runs the network once, handing each array of the named layers to ``take`` as soon as it is there, until
    ``take`` returns True. Returns how often each layer was called.
    """
    calls = dict.fromkeys(names, 0)

    def keep(name: str, output: Any) -> None:
        done = False
        for suffix, value in leaves(output):
            done = take((name, calls[name], suffix), value) or done
        calls[name] += 1
        if done:
            raise _Enough

    with capturing(net, names, keep):
        try:
            output = run()
        except _Enough:
            return calls
    if not net.is_module:
        parts = output if isinstance(output, Mapping) else {OUTPUT: output}
        calls = {str(name): 0 for name in parts}
        with contextlib.suppress(_Enough):
            for name, part in parts.items():
                keep(str(name), part)
    return calls


@dataclass(frozen=True)
class Seen:
    """What one and two stimuli showed: the shape of every array for one stimulus, which axis counts stimuli, how
    often each layer is called, which arrays cannot be read, the bytes of the largest for one stimulus.
    """

    one: Mapping[Key, tuple[int, ...]]
    axes: Mapping[Key, int | None]
    calls: Mapping[str, int]
    odd: Mapping[Key, tuple[str, str, str]]
    largest: int


def look(net: Network, run: Callable[[int], Any]) -> Seen:
    """Looks at all arrays of a network once; ``run(n)`` runs it on one and on two stimuli."""
    every = net.layer_names if net.is_module else []
    one: dict[Key, tuple[int, ...]] = {}
    two: dict[Key, tuple[int, ...]] = {}
    odd: dict[Key, tuple[str, str, str]] = {}

    def note(into: dict[Key, tuple[int, ...]]) -> Callable[[Key, Any], bool]:
        def take(key: Key, value: Any) -> bool:
            into[key] = shape(value)
            why = unfit(value)
            if why is not None:
                odd[key] = why
            return False

        return take

    calls = _forward(net, lambda: run(1), every, note(one))
    _forward(net, lambda: run(2), every, note(two))
    axes = {key: stimulus_axis(sizes, two[key], 2) for key, sizes in one.items() if key in two}
    for key, axis in axes.items():
        if axis is not None:
            net._shapes.setdefault(key[0], one[key][:axis] + one[key][axis + 1 :])
    largest = max((math.prod(sizes) for sizes in one.values()), default=0) * 4
    return Seen(one, axes, calls, odd, largest)


def locate(net: Network, seen: Seen, label: str, *, who: str) -> Spot:
    """The array that ``label`` (as in `record`'s result) names."""
    base = base_of(net, label, who=who)
    kind = dict(zip(net.layers["name"], net.layers["type"])).get(base, "callable")
    if base not in seen.calls:
        raise UnknownNameError(
            f"{who}: {net.name} has no layer {shorten(label)}.{nearest(label, seen.calls)}",
            code="unknown-layer",
        )
    mine = {key: axis for key, axis in seen.axes.items() if key[0] == base and axis is not None}
    calls = seen.calls[base]
    if not mine:
        what = "returned no array with one entry per stimulus" if calls else "is never called"
        raise InputError(
            f"{who}: layer {base!r} ({kind}) of {net.name} {what}; its units cannot be read, choose a layer "
            "inside or around it.",
            code="no-output" if calls else "never-called",
        )
    suffixes = {key[2] for key in mine}
    named = {
        base + (f"#{key[1]}" if calls > 1 else "") + (key[2] if len(suffixes) > 1 else ""): (key, axis)
        for key, axis in mine.items()
    }
    if label not in named:
        listed = ", ".join(repr(name) for name in list(named)[:6])
        raise InputError(
            f"{who}: layer {label!r} of {net.name} gives {len(named)} arrays ({listed}); name one of them.",
            code="several-arrays",
        )
    key, axis = named[label]
    if key in seen.odd:
        what, remedy, code = seen.odd[key]
        raise InputError(
            f"{who}: layer {label!r} ({kind}) of {net.name} returned {what}; {remedy}, or choose another layer.",
            code=code,
        )
    sizes = seen.one[key][:axis] + seen.one[key][axis + 1 :]
    return key, Leaf(label, axis, sizes, axis_names(sizes, kind), "flatten")


def tapped(
    net: Network,
    run: Callable[[], Any],
    spots: Mapping[str, Spot],
    n: int,
    use: Callable[[str, Any], None],
    *,
    who: str,
) -> None:
    """One forward pass of ``n`` stimuli: ``use(label, values)`` gets each wanted array, stimuli first, at the
    moment it is there (so that nothing that follows in place can change what is read). The pass ends after the last
    one.
    """
    wanted = {key: (label, leaf) for label, (key, leaf) in spots.items()}
    left = set(wanted)
    stops = _can_stop(net)

    def take(key: Key, value: Any) -> bool:
        if key not in wanted:
            return False
        label, leaf = wanted[key]
        value = plain(value)
        axis = leaf.stimulus_axis
        expected = (*leaf.shape[:axis], n, *leaf.shape[axis:])
        if tuple(value.shape) != expected:
            net._spots = None  # the module may have been changed: looked for anew next time
            raise InputError(
                f"{who}: layer {label!r} of {net.name} gave an array of shape {tuple(value.shape)} for {n} "
                f"stimuli where {expected} was expected; every stimulus must give the same shape (pad texts to "
                "one length in preprocess).",
                code="ragged-output",
            )
        use(label, np.moveaxis(value, axis, 0) if isinstance(value, np.ndarray) else value.movedim(axis, 0))
        left.discard(key)
        return stops and not left

    _forward(net, run, list(dict.fromkeys(key[0] for key in wanted)) if net.is_module else [], take)
    if left:
        lacking = wanted[next(iter(left))][0]
        raise InputError(
            f"{who}: layer {lacking!r} of {net.name} was not called in this forward pass, but was before; its "
            "forward pass must take the same course for all stimuli.",
            code="never-called",
        )
