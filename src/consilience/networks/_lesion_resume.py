"""Lesioned passes that begin at the lesion: modules that had finished before it hand back what they gave.

Works on any module without tracing it. On one intact pass the outputs of the outermost modules that finish before the
lesion acts are remembered; in a lesioned pass their ``forward`` is not run. What is computed between modules simply
runs again, on remembered values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from consilience.networks._forward import _walk, leaves
from consilience.networks._lesion_few import Few
from consilience.networks._lesion_hooks import replaced

__all__ = ["Changed", "Remembered"]


_FEW = 2  # linear layers after the lesion whose input may change in few channels only


class Changed(Exception):
    """Something remembered was changed in place, or came in another shape: the lesion needs a full pass."""


class _Node:
    """One call of a module in the intact pass."""

    def __init__(self, module: Any, call: int) -> None:
        self.module, self.call = module, call
        self.children: list[_Node] = []
        self.value: Any = None
        self.done = False  # finished before the lesion
        self.keeps = False  # a module within it is lesioned or read, so that it must run
        self.versions: list[int] = []
        self.copied = False  # changed in place later in the pass: a copy is handed back
        self.used = True  # by anything but modules that are not run
        self.bare = False  # the lesioned array itself: handed back once, whatever the number of lesions

    @property
    def handed(self) -> bool:
        return self.done and not self.keeps


@contextlib.contextmanager
def _forwards(modules: Mapping[Any, Callable[[Any], Any]] | Any) -> Iterator[None]:
    """``forward`` of each module replaced, restored whatever happens."""
    before = []
    try:
        for module, forward in modules:
            before.append((module, module.__dict__.get("forward")))
            module.__dict__["forward"] = forward
        yield
    finally:
        for module, forward in reversed(before):
            if forward is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = forward


class Remembered:
    """What was there before a lesion, for one block of b stimuli.

    root : the module.   run : one forward pass with the hooks of the lesion, given (args, kwargs).   inputs : (args,
    kwargs) of the block.   kept : modules that are lesioned or read, which are never inside what is handed back.
    axis : (module, call, suffix) -> axis of an output that counts stimuli, None where it has none.
    copied : calls of modules whose outputs are known to be changed in place.
    """

    def __init__(
        self,
        root: Any,
        inputs: tuple[tuple[Any, ...], dict[str, Any]],
        kept: set[Any],
        lesioned: set[Any],
        axis: Callable[[Any, int, str], int | None],
        b: int,
        copied: set[tuple[Any, int]],
    ) -> None:
        self.root, self.inputs, self.kept, self.lesioned = root, inputs, kept, lesioned
        self.axis, self.b, self.copied = axis, b, copied
        self.touched = False
        self.largest = 0  # bytes of the largest array from the lesion on
        self.used_inputs: set[int] | None = None  # None: all
        self._schedule: dict[Any, list[_Node | None]] = {}
        self._nodes: list[_Node] = []
        self._counts: dict[Any, int] = {}
        self._repeats: dict[tuple[int, int], Any] = {}
        self._few: list[Few] = []  # the first linear layers after the lesion

    # The intact pass

    def record(self, run: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> None:
        """``run`` sets ``touched`` when the lesion's hook is reached."""
        for _ in range(3):
            if self._record(run):
                return
        raise Changed

    def _record(self, run: Callable[..., Any]) -> bool:
        top = _Node(None, 0)
        stack, calls = [top], dict.fromkeys(self._modules(), 0)
        self.touched, self.largest, self._few = False, 0, []

        def recording(module: Any, original: Callable[..., Any]) -> Callable[..., Any]:
            def forward(*args: Any, **kwargs: Any) -> Any:
                node, after = _Node(module, calls[module]), self.touched
                calls[module] += 1
                stack[-1].children.append(node)
                stack.append(node)
                try:
                    out = original(*args, **kwargs)
                finally:
                    stack.pop()
                node.done = not self.touched
                node.keeps = any(child.keeps or child.module in self.kept for child in node.children)
                if node.done and not node.keeps:
                    node.children = []
                    node.copied = (module, node.call) in self.copied
                    node.value = _copied(out) if node.copied else out
                    node.versions = [value._version for _, value in leaves(node.value)]
                if after and len(self._few) < _FEW and Few.fits(module, args, kwargs, out):
                    self._few.append(Few(module, args[0], out))
                if self.touched or module in self.lesioned:
                    sizes = [v.numel() * v.element_size() for _, v in leaves(out)]
                    self.largest = max([self.largest, *sizes])
                return out

            return forward

        args, kwargs = self.inputs
        versions = [value._version for value in self._given()]
        with _forwards([(module, recording(module, module.forward)) for module in calls]):
            run(args, kwargs)
        if [value._version for value in self._given()] != versions:
            raise Changed  # the input itself is changed in place
        self._few = [few for few in self._few if calls[few.module] == 1]
        self._schedule, self._nodes = {}, []
        self._plan(top)
        if self._nodes:  # the last module that finished may be the lesioned one
            last = self._nodes[-1]
            last.bare = last.module in self.lesioned and hasattr(last.value, "shape")
        fresh = {
            (node.module, node.call)
            for node in self._nodes
            if [value._version for _, value in leaves(node.value)] != node.versions
        }
        self.copied |= fresh
        return not fresh

    def _given(self) -> list[Any]:
        args, kwargs = self.inputs
        return [value for value in (*args, *kwargs.values()) if hasattr(value, "_version")]

    def _modules(self) -> list[Any]:
        import torch

        return [m for m in self.root.modules() if not isinstance(m, torch.jit.ScriptModule)]

    def _plan(self, node: _Node) -> None:
        for child in node.children:
            entries = self._schedule.setdefault(child.module, [])
            if child.handed:
                entries.append(child)
                self._nodes.append(child)
            else:
                entries.append(None)
                self._plan(child)

    @property
    def useful(self) -> bool:
        return bool(self._nodes)

    # Lesioned passes

    @contextlib.contextmanager
    def handing_back(self, m: int, watch: Any = None) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        """While it is open, passes of m lesions at a time (m * b rows, lesion after lesion) begin at the lesion; gives
        what to pass to the module.
        """

        def handing(module: Any, original: Callable[..., Any]) -> Callable[..., Any]:
            entries = self._schedule[module]

            def forward(*args: Any, **kwargs: Any) -> Any:
                i = counts[module]
                counts[module] = i + 1
                node = entries[i] if i < len(entries) else None
                if node is None:
                    return original(*args, **kwargs)
                value = self._give(node, m)
                if watch is not None:
                    watch(node, value)
                return value

            return forward

        owners = [module for module, entries in self._schedule.items() if any(entries)]
        counts = dict.fromkeys(owners, 0)
        before = self._versions()
        patched = [(module, handing(module, module.forward)) for module in owners]
        patched += [(few.module, few.forward(few.module.forward)) for few in self._few]
        with _forwards(patched):
            yield self._inputs(m)
        if self._versions() != before:
            raise Changed

    def _versions(self) -> list[int]:
        own = [value._version for node in self._nodes for _, value in leaves(node.value)]
        return own + [value._version for value in self._given()]

    def _give(self, node: _Node, m: int) -> Any:
        value = node.value
        if node.copied:
            value = _copied(value)
        if m == 1 or node.bare or not node.used:
            return value
        key = id(node), m
        if node.copied or key not in self._repeats:
            found = list(_walk(value, ""))
            for path, part in found:
                suffix = "" if len(found) == 1 else path
                axis = self.axis(node.module, node.call, suffix)
                if axis is not None and axis < part.ndim and part.shape[axis] == self.b:
                    value = replaced(value, suffix, repeated(part, m, axis))
            if node.copied:
                return value
            self._repeats = {k: v for k, v in self._repeats.items() if k[1] == m}
            self._repeats[key] = value
        return self._repeats[key]

    def _inputs(self, m: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = self.inputs
        if m == 1:
            return args, kwargs

        def more(value: Any) -> Any:
            if not hasattr(value, "_version") or value.ndim == 0 or value.shape[0] != self.b:
                return value
            if self.used_inputs is not None and id(value) not in self.used_inputs:
                return value
            key = id(value), m
            if key not in self._repeats:
                self._repeats[key] = repeated(value, m, 0)
            return self._repeats[key]

        return tuple(more(value) for value in args), {name: more(value) for name, value in kwargs.items()}

    def find_used(self, run: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> None:
        """One pass that shows which remembered values are used; the others are let go."""
        from torch.overrides import TorchFunctionMode

        given: dict[int, tuple[_Node, Any]] = {}
        inputs = {id(value) for value in self._given()}
        seen: set[int] = set()

        def tell(things: Any) -> None:
            for thing in things:
                if isinstance(thing, (tuple, list)):
                    tell(thing)
                elif isinstance(thing, dict):
                    tell(thing.values())
                elif id(thing) in given or id(thing) in inputs:
                    seen.add(id(thing))

        class Telling(TorchFunctionMode):
            def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                tell(args)
                tell((kwargs or {}).values())
                return func(*args, **(kwargs or {}))

        def watch(node: _Node, value: Any) -> None:
            for _, part in leaves(value):
                given[id(part)] = node, part

        with self.handing_back(1, watch) as (args, kwargs), Telling():
            run(args, kwargs)
        used = {id(given[key][0]) for key in seen if key in given}
        self.used_inputs = seen & inputs
        for node in self._nodes:
            node.used = id(node) in used or node.bare or node.module in self.kept
            if not node.used:
                found = list(_walk(node.value, ""))
                for path, part in found:
                    hollow = part.new_zeros(()).expand(part.shape)
                    node.value = replaced(node.value, "" if len(found) == 1 else path, hollow)
                node.copied = False
            else:
                sizes = [v.numel() * v.element_size() for _, v in leaves(node.value)]
                self.largest = max([self.largest, *sizes])


def _copied(value: Any) -> Any:
    found = list(_walk(value, ""))
    for path, part in found:
        value = replaced(value, "" if len(found) == 1 else path, part.clone())
    return value


def repeated(value: Any, m: int, axis: int) -> Any:
    """``value`` m times along ``axis``, all of it for the first lesion, then for the second..."""
    rows = value.movedim(axis, 0)
    return rows.expand(m, *rows.shape).reshape(m * rows.shape[0], *rows.shape[1:]).movedim(0, axis)
