"""Hooks that hand arrays inside a running network to a function, and put back what it returns."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from consilience._core._errors import InputError
from consilience.networks._forward import _walk, is_array
from consilience.networks._lesion_heads import act_heads, without_fast_attention
from consilience.networks._lesion_places import Place
from consilience.networks._lesion_recurrent import act_recurrent
from consilience.networks._network import Network

__all__ = ["acting", "not_fired", "replaced"]

# (number of the place, number of the call, its array with the stimuli first, what the module got) -> array or None
Touch = Callable[[int, int, Any, tuple[Any, ...]], Any]


def not_fired(net: Network, label: str, *, who: str) -> InputError:
    """The error for a layer whose hook never acted."""
    return InputError(
        f"{who}: the hook on layer {label!r} of {net.name} never fired, so nothing would be lesioned. Either the layer "
        "is not called in this forward pass, or it runs inside compiled code (torch.compile, torch.jit) or in a copy "
        "of the module; give the plain module, or a layer that is called.",
        code="hook-not-fired",
    )


def replaced(output: Any, suffix: str, value: Any) -> Any:
    """``output`` with the array at ``suffix`` (as in `leaves`) replaced; nothing is changed in place."""
    found = [path for path, _ in _walk(output, "")]
    return _put(output, "", found[0] if len(found) == 1 else suffix, value)


def _put(output: Any, path: str, goal: str, value: Any) -> Any:
    if path == goal:
        return value
    if is_array(output) or not goal.startswith(path):
        return output
    if isinstance(output, Mapping):
        new = copy.copy(output)
        for key, entry in output.items():
            if _on_way(f"{path}[{key}]", goal):
                new[key] = _put(entry, f"{path}[{key}]", goal, value)  # type: ignore[index]
        return new
    if isinstance(output, (tuple, list)):
        parts = [
            _put(entry, f"{path}[{i}]", goal, value) if _on_way(f"{path}[{i}]", goal) else entry
            for i, entry in enumerate(output)
        ]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        names = [entry.name for entry in dataclasses.fields(output)]
        name = next(name for name in names if _on_way(f"{path}[{name}]", goal))
        return dataclasses.replace(
            output, **{name: _put(getattr(output, name), f"{path}[{name}]", goal, value)}
        )
    return output


def _on_way(path: str, goal: str) -> bool:
    return goal == path or goal.startswith(path + "[")


def _array_at(output: Any, suffix: str) -> Any:
    found = list(_walk(output, ""))
    if len(found) == 1:
        return found[0][1]
    return next((value for path, value in found if path == suffix), None)


@contextlib.contextmanager
def acting(net: Network, places: Sequence[Place], touch: Touch) -> Iterator[None]:
    """While it is open, every forward pass of the module hands the arrays at ``places`` to ``touch``, stimuli first,
    and goes on with what that returns (None: unchanged). Calls are counted anew in each pass. All hooks are removed
    whatever happens.
    """
    modules = dict(net.module.named_modules(remove_duplicate=False))
    recurrent: dict[str, list[tuple[int, Place, Callable[[], int]]]] = {}
    with contextlib.ExitStack() as stack:
        stack.enter_context(without_fast_attention(net.module))
        for number, place in enumerate(places):
            module = modules.get(place.base, net.module)
            if place.mode == "recurrent":
                recurrent.setdefault(place.base, []).append((number, place, counter(stack, net)))
            elif place.mode == "heads":
                _on_heads(stack, net, module, number, place, touch)
            elif place.mode == "input":
                _on_input(stack, net, module, number, place, touch)
            else:
                _on_output(stack, net, module, number, place, touch)
        for base, mine in recurrent.items():
            act_recurrent(stack, modules[base], mine, touch)
        yield


def counter(stack: contextlib.ExitStack, net: Network) -> Callable[[], int]:
    """A count of calls that starts from 0 in each forward pass of the whole module."""
    count = [0]

    def start(_module: Any, _args: Any) -> None:
        count[0] = 0

    def call() -> int:
        count[0] += 1
        return count[0] - 1

    handle = net.module.register_forward_pre_hook(start, prepend=True)
    stack.callback(handle.remove)
    return call


def changed(place: Place, value: Any, new: Any) -> Any:
    """``new`` (stimuli first) laid out and typed as ``value``."""
    return new.to(value.dtype).movedim(0, place.leaf.stimulus_axis)


def _on_output(
    stack: contextlib.ExitStack, net: Network, module: Any, number: int, place: Place, touch: Touch
) -> None:
    next_call = counter(stack, net)

    def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        call = next_call()
        if place.calls is not None and call not in place.calls:
            return None
        value = _array_at(output, place.suffix)
        if value is None:
            return None
        new = touch(number, call, value.movedim(place.leaf.stimulus_axis, 0), (*args, *kwargs.values()))
        return None if new is None else replaced(output, place.suffix, changed(place, value, new))

    handle = module.register_forward_hook(hook, with_kwargs=True)
    stack.callback(handle.remove)


def _on_input(
    stack: contextlib.ExitStack, net: Network, module: Any, number: int, place: Place, touch: Touch
) -> None:
    next_call = counter(stack, net)

    def hook(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = next_call()
        if place.calls is not None and call not in place.calls:
            return None
        first = bool(args) and is_array(args[0])
        name = next((name for name, entry in kwargs.items() if is_array(entry)), "")
        if not first and not name:
            return None
        value = args[0] if first else kwargs[name]
        new = touch(number, call, value.movedim(place.leaf.stimulus_axis, 0), (*args, *kwargs.values()))
        if new is None:
            return None
        new, named = changed(place, value, new), dict(kwargs)
        if first:
            return (new, *args[1:]), named
        named[name] = new
        return args, named

    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    stack.callback(handle.remove)


def _on_heads(
    stack: contextlib.ExitStack, net: Network, module: Any, number: int, place: Place, touch: Touch
) -> None:
    next_call = counter(stack, net)

    def change(context: Any, given: tuple[Any, ...]) -> Any:
        call = next_call()
        if place.calls is not None and call not in place.calls:
            return None
        new = touch(number, call, context.movedim(place.leaf.stimulus_axis, 0), given)
        return None if new is None else changed(place, context, new)

    act_heads(stack, module, change)
