"""Passes with changed activations that begin at the change: what had finished before it is remembered for one block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.networks._lesion_resume import Changed, Remembered

__all__ = ["Memories"]

_MOST = 12  # places of one block that are remembered at once
_LARGEST_ROWS = 4096  # stimuli times changes in one pass

# (rows, draws, touch, (args, kwargs)) -> outputs (rows, *out)
Run = Callable[[np.ndarray, np.ndarray, Any, Any], np.ndarray]


class Memories:
    """What comes before each place, for the block that runs at the moment; proven on each block to give what full
    passes give, else full passes are run.

    run : one pass.   fed : rows -> (args, kwargs) of the module.   modules : {name: module}.   axes : {(layer, call,
    suffix): axis that counts stimuli}.   output : the module whose output is read.   budget : bytes of one array.
    """

    def __init__(
        self,
        root: Any,
        run: Run,
        fed: Callable[[np.ndarray], Any],
        bases: list[str],
        axes: Any,
        output: str,
        budget: int,
    ) -> None:
        self.root, self.run, self.fed, self.axes, self.budget = root, run, fed, axes, budget
        modules = dict(root.named_modules(remove_duplicate=False))
        self.labels = {module: name for name, module in modules.items()}
        self.places = [modules.get(base, root) for base in bases]
        self.output = modules.get(output, root)
        self.block: Any = None
        self.known: dict[Any, Remembered | None] = {}
        self.copied: set[tuple[Any, int]] = set()
        self.hopeless: set[int] = set()

    def largest(self, numbers: frozenset[int], first: int, rows: np.ndarray, draws: np.ndarray) -> int:
        """How many changes of this block go through in one pass from place ``first`` on; 0: full passes."""
        memory = self._memory(numbers, first, rows, draws)
        if memory is None:
            return 0
        return int(max(1, min(self.budget // max(1, memory.largest), _LARGEST_ROWS // len(rows))))

    def outputs(
        self, numbers: frozenset[int], first: int, rows: np.ndarray, draws: np.ndarray, m: int, touch: Any
    ) -> np.ndarray | None:
        """Outputs (m * b, *out) of m changes; None: a full pass is needed."""
        memory = self._memory(numbers, first, rows, draws)
        if memory is None:
            return None
        try:
            with memory.handing_back(m) as inputs:
                return self.run(np.tile(rows, m), np.tile(draws, m), touch, inputs)
        except Changed:
            self.hopeless.add(first)
            self.known[numbers, first] = None
            return None

    def _memory(
        self, numbers: frozenset[int], first: int, rows: np.ndarray, draws: np.ndarray
    ) -> Remembered | None:
        block = rows.tobytes(), draws.tobytes()
        if self.block != block:
            self.block, self.known = block, {}
        key = numbers, first
        if first in self.hopeless:
            return None
        if key not in self.known:
            if len(self.known) >= _MOST:
                self.known.pop(next(iter(self.known)))
            self.known[key] = self._remember(numbers, first, rows, draws)
        return self.known[key]

    def _remember(
        self, numbers: frozenset[int], first: int, rows: np.ndarray, draws: np.ndarray
    ) -> Remembered | None:
        kept = {self.places[number] for number in numbers} | {self.output}
        memory = Remembered(self.root, self.fed(rows), kept, set(), self._axis, len(rows), self.copied)

        def note(number: int, _call: int, _x: Any, _given: Any) -> None:
            memory.touched = memory.touched or number == first

        def same(number: int, _call: int, x: Any, _given: Any) -> Any:
            return x.clone() if number in numbers else None

        try:
            intact: list[np.ndarray] = []
            memory.record(lambda args, kwargs: intact.append(self.run(rows, draws, note, (args, kwargs))))
            if not memory.touched or not memory.useful:
                raise Changed
            memory.find_used(lambda args, kwargs: self.run(rows, draws, same, (args, kwargs)))
            with memory.handing_back(2) as inputs:
                twice = self.run(np.tile(rows, 2), np.tile(draws, 2), same, inputs)
        except (Changed, InputError, RuntimeError):
            self.hopeless.add(first)
            return None
        scale = np.abs(intact[-1]).max(initial=0.0)
        if not np.abs(twice.reshape(2, *intact[-1].shape) - intact[-1]).max(initial=0.0) <= 1e-5 * scale:
            self.hopeless.add(first)
            return None
        return memory

    def _axis(self, module: Any, call: int, suffix: str) -> int | None:
        name = self.labels.get(module)
        return None if name is None else self.axes.get((name, call, suffix))
