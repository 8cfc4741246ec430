"""Which way lesions are run: full passes, passes that begin at the lesion, or the closed form of a readout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.networks._lesion_closed import Closed
from consilience.networks._lesion_hooks import acting
from consilience.networks._lesion_resume import Changed, Remembered
from consilience.networks._lesion_run import Run
from consilience.networks._tap import _can_stop

__all__ = ["Routes"]

_LARGEST_ROWS = 16384  # stimuli times lesions in one pass
_FEW = 8  # lesions of a block for which no closed form is looked for


class Routes(Run):
    """Lesions of a block of stimuli by the shortest way that is proven to give what full passes give."""

    def _start(self) -> None:
        self._memory: tuple[Any, Remembered] | None = None  # of the last block and place
        # (first place, what is wanted) -> lesions that run at a time from there on; 0: full passes
        self._sizes: dict[tuple[int, tuple[str, ...]], int] = {}
        self._copied: set[tuple[Any, int]] = set()
        self._closed: dict[int, Closed] = {}
        self._closed_found: set[int] = set()  # places where it has one
        self._may = self.resume and _can_stop(self.net)
        super()._start()
        self._may = self._may and self._chance is None  # draws follow one another along a whole pass

    def __exit__(self, *_: object) -> None:
        self._memory = None
        self._closed.clear()
        super().__exit__()

    def _passes(
        self, rows: slice, masks: np.ndarray, draw: int, wanted: tuple[str, ...]
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """(number of the mask, what is ``wanted`` (b, ...)) of a block of stimuli, in any order of masks."""
        first = np.full(len(masks), -1)
        for number in reversed(self._order):
            first[masks[:, self.sites[number].members].any(axis=1)] = number
        for i in np.flatnonzero(first < 0):
            yield (
                int(i),
                {"output": self.intact[rows]}
                if wanted == ("output",)
                else self._pass(rows, None, draw, wanted),
            )
        for number in self._order:
            mine = np.flatnonzero(first == number)
            if mine.size:
                yield from self._from(number, mine, rows, masks, draw, wanted)

    def _from(
        self,
        number: int,
        mine: np.ndarray,
        rows: slice,
        masks: np.ndarray,
        draw: int,
        wanted: tuple[str, ...],
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Lesions of which place ``number`` is the first, all from what was there before it."""
        closed = self._closed_at(number, rows, mine.size, masks[mine], draw, wanted)
        if closed is not None:
            for k, out in closed.lesions(rows, masks[mine], draw):
                yield int(mine[k]), {"output": out}
            self.fired += masks[mine].sum(axis=0)
            return
        resumed = None
        key = number, wanted, rows.start
        if self._may and self._sizes.get((number, wanted), 1) > 0:
            if self._memory is not None and self._memory[0] == key:
                resumed = self._memory[1]
            elif mine.size > 3:
                self._memory = None
                resumed = self._remember(number, rows, masks[mine], draw, wanted)
                self._memory = None if resumed is None else (key, resumed)
        done = 0
        if resumed is not None:
            size = self._sizes[number, wanted]
            for start in range(0, mine.size, size):
                some = mine[start : start + size]
                try:
                    came = self._lesion(rows, masks[some], draw, wanted, resumed)
                except Changed:
                    self._sizes[number, wanted], self._memory = 0, None
                    break
                done += some.size
                b = rows.stop - rows.start
                for k, i in enumerate(some):
                    yield int(i), {what: v[k * b : (k + 1) * b] for what, v in came.items()}
        for i in mine[done:]:
            yield int(i), self._lesion(rows, masks[i][None], draw, wanted)

    def _closed_at(
        self, number: int, rows: slice, count: int, masks: np.ndarray, draw: int, wanted: tuple[str, ...]
    ) -> Closed | None:
        """The closed form of lesions at one place, where there is one and it pays."""
        if not self._may or self._by_batch or count <= _FEW or wanted != ("output",):
            return None
        other = np.ones(len(self.parts), dtype=bool)
        other[self.sites[number].members] = False
        if masks[:, other].any():
            return None
        if number not in self._closed:
            self._closed[number] = Closed(self, number, rows, draw)
        found = self._closed[number]
        if found.ok:
            self._closed_found.add(number)
        return found if found.ok else None

    def _remember(
        self, number: int, rows: slice, masks: np.ndarray, draw: int, wanted: tuple[str, ...]
    ) -> Remembered | None:
        """What was there before place ``number`` acts, for a block; None where passes cannot begin there."""
        modules = self._modules
        later = self._order[self._order.index(number) :]
        kept = {modules.get(self.places[i].base, self.net.module) for i in later}
        kept |= {modules.get(self._spots[what][0][0], self.net.module) for what in wanted}
        place = self.places[number]
        skips = any(
            isinstance(self.replacement.name(i), str) and self.replacement.name(i) == "skip" for i in later
        )
        bare = place.mode == "output" and not skips
        lesioned = {modules.get(place.base, self.net.module)} if bare else set()
        memory = Remembered(
            self.net.module, self._fed(rows), kept, lesioned, self._axis, rows.stop - rows.start, self._copied
        )

        def run(args: tuple[Any, ...], kwargs: dict[str, Any], masks: np.ndarray | None = None) -> None:
            self._pass(rows, masks, draw, wanted, (args, kwargs))

        def note(which: int, call: int, x: Any, given: tuple[Any, ...]) -> None:
            memory.touched = memory.touched or which == number

        try:
            with acting(self.net, self.places, note):
                memory.record(run)
            if not memory.touched or not memory.useful:
                raise Changed
            if not skips:
                with acting(self.net, self.places, self._touch):
                    memory.find_used(lambda args, kwargs: run(args, kwargs, masks[:1]))
            if (number, wanted) not in self._sizes:
                self._sizes[number, wanted] = self._tried(memory, rows, masks, draw, wanted)
        except Changed:
            self._sizes[number, wanted] = 0
        return memory if self._sizes[number, wanted] else None

    def _tried(
        self, memory: Remembered, rows: slice, masks: np.ndarray, draw: int, wanted: tuple[str, ...]
    ) -> int:
        """How many lesions run at a time, once it is proven that they give what full passes give; 0: they do not."""
        b = rows.stop - rows.start
        most = max(1, min(self._budget // max(1, memory.largest), _LARGEST_ROWS // b))
        fired = self.fired.copy()
        full = self._lesion(rows, masks[:1], draw, wanted)
        intact = (
            {"output": self.intact[rows]} if wanted == ("output",) else self._pass(rows, None, draw, wanted)
        )
        for size in dict.fromkeys((1 if self._by_batch else int(most), 1)):
            tried = min(size, 2)
            some = np.resize(masks[:1], (tried, masks.shape[1]))
            try:
                self._same = True
                same = self._lesion(rows, some, draw, wanted, memory)
                self._same = False
                real = self._lesion(rows, some, draw, wanted, memory)
            except (Changed, InputError, RuntimeError):
                continue
            finally:
                self._same = False
                self.fired = fired.copy()
            if _agree(same, intact, tried, self._eps) and _agree(real, full, tried, self._eps):
                return size
        return 0

    def _axis(self, module: Any, call: int, suffix: str) -> int | None:
        name = self._labels.get(module)
        return None if name is None else self._seen.axes.get((name, call, suffix))


def _agree(came: dict[str, np.ndarray], there: dict[str, np.ndarray], times: int, eps: float) -> bool:
    """Whether ``came`` holds ``there`` that many times, up to rounding."""
    for what, values in there.items():
        found = came[what].reshape(times, *values.shape)
        if not np.abs(found - values).max(initial=0.0) <= 100 * eps * np.abs(values).max(initial=0.0):
            return False
    return True
