"""Runs a network with parts of it removed: every lesion is a mask over parts, and verbs hand over masks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import ConsilienceError, InputError
from consilience._core._memory import available_memory
from consilience._core._params import check_count, require, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._forward import _arguments, evaluation, shorten_text, without_statistics
from consilience.networks._lesion_closed import Closed
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_parts import Parts, Place, Site, make_parts, seen_of
from consilience.networks._lesion_replace import Replacement, Summary, check_how, lesioned_values
from consilience.networks._lesion_resume import Changed, Remembered
from consilience.networks._lesion_unchanged import Unchanged
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._progress import progress_bar
from consilience.networks._tap import Spot, _can_stop, locate, tapped

__all__ = ["Cost", "Lesions", "Parts", "lesioned", "make_parts"]

_LARGEST_BATCH = 256
_LARGEST_OUTPUT = 32 << 20  # bytes of the largest array in a batch, as when layers are recorded
_LARGEST_ROWS = 16384  # stimuli times lesions in one pass
_FEW = 8  # lesions of a block for which no closed form is looked for
_HELD = 256 << 20  # bytes of outputs of several lesions that are held at once


@dataclass(frozen=True)
class Cost:
    """What lesions cost: ``seconds`` for all of them, the ``share`` of a forward pass that each one runs, and the
    ``route``: "full" passes, "resumed" from the lesioned layer, or the "closed form" of a linear readout.
    """

    seconds: float
    share: float
    route: str


class Lesions:
    """A network under lesions, shown n stimuli. Use it in a ``with`` block; afterwards the module is what it was.

    Every part acts by a projection: x' = x + Pi (r - x), with Pi diagonal for units and channels, Q Q' for directions
    (those of one mask are orthonormalised together), at the place of the part and, for a recurrent state, so that it
    feeds back.

    Parameters
    ----------
    net, parts : the network and what `make_parts` returns.   stimuli : n of them.
    how : r. "zero"; "mean", each unit's own mean over the reference; "resample", the activations of another, random
        reference stimulus, one donor for each stimulus and draw, the same for all parts; "noise", Gaussian with each
        unit's own mean and standard deviation; a number or an array (units or channels of the layer); "skip", what goes
        into the layer (whole layers whose input and output have one shape); f(activations) -> tensor of the same shape;
        or a mapping {layer: one of these}.
    reference : stimuli that mean, resample and noise are taken from. Default: ``stimuli``.
    rng : numpy Generator for resample and noise.
    batch_size : stimuli per pass. Default: by memory.   device : where to run.
    watch : label of a layer whose activations `watched` gives.   output : label of the array that is the output.
    progress : a bar with the time left; default: none.   resume : False runs every lesion as a full pass.

    Raises
    ------
    InputError : a hook that never fires (``hook-not-fired``), ``how`` that does not fit the layer, a failing pass.
    """

    def __init__(
        self,
        net: Network,
        stimuli: Any,
        parts: Parts,
        *,
        how: Any = "mean",
        reference: Any = None,
        rng: np.random.Generator | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        watch: str | None = None,
        output: str = OUTPUT,
        progress: bool | None = False,
        resume: bool = True,
        who: str,
    ) -> None:
        require("torch", extra="torch", purpose=who)
        self.net, self.parts, self.who, self.device = net, parts, who, device
        if parts.net is not net:
            raise InputError(f"{who}: the parts are of another network, {parts.net.name}.", code="bad-unit")
        self.data = check_stimuli(stimuli, who=who)
        self.n = int(self.data.shape[0])
        self.names = list(parts.names)
        self.how = check_how(how, who=who)
        self.reference = None if reference is None else check_stimuli(reference, who=who)
        entropy = 0 if rng is None else int(rng.integers(2**63))
        self.sites = parts.sites
        self.places = [site.place for site in parts.sites]
        self.replacement = Replacement(self.how, self.places, entropy, itself=reference is None, who=who)
        for number, site in enumerate(self.sites):
            if isinstance(self.replacement.name(number), str) and self.replacement.name(number) == "skip":
                _check_whole(site, parts, who=who)
        if batch_size is not None:
            batch_size = check_count(batch_size, name="batch_size", who=who, minimum=1)
        self.batch_size, self.watch, self.output, self.progress = batch_size, watch, output, progress
        self.resume = resume
        self.fired = np.zeros(len(parts), dtype=np.int64)
        self.unchanged = np.zeros(len(parts), dtype=bool)
        self._memory: tuple[Any, Remembered] | None = None  # of the last block and place
        self._closed: dict[int, Closed] = {}
        self._stack = contextlib.ExitStack()
        self._open = False
        # seconds of a block: for one lesion, once before all, for an intact pass; the route
        self._measured: tuple[float, float, float, str] | None = None

    def __enter__(self) -> Lesions:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        self._open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._open, self._memory = False, None
        self._closed.clear()
        self._stack.close()

    # What callers ask for

    def outputs(self, masks: Any, draw: int = 0) -> Iterator[np.ndarray]:
        """The outputs (n, *out) float64 under each mask (m, P), in order; ``draw``: which random replacement."""
        return self._series(masks, draw, "output")

    def watched(self, masks: Any, draw: int = 0) -> Iterator[np.ndarray]:
        """The activations (n, units) float64 of the layer ``watch`` under each mask, in order."""
        if self.watch is None:
            raise InputError(f"{self.who}: name the layer to watch with watch=.", code="bad-parameter")
        return (values.reshape(self.n, -1) for values in self._series(masks, draw, "watch"))

    def scores(self, masks: Any, score: Callable[[np.ndarray, slice], Any], draw: int = 0) -> np.ndarray:
        """``score(outputs (b, *out), rows)`` -> (b,) or (b, k) for each mask: (m, n) or (m, n, k) float64. Outputs are
        never all held.
        """
        masks = self._checked(masks)
        found: np.ndarray | None = None
        with progress_bar("lesions", len(masks) * len(self._blocks), self.progress) as advance:
            for rows in self._blocks:
                for i, came in self._passes(rows, masks, draw, ("output",)):
                    values = np.asarray(score(came["output"], rows), dtype=np.float64)
                    if found is None:
                        found = np.empty((len(masks), self.n, *values.shape[1:]))
                    found[i, rows] = values
                    advance(1)
        return np.empty((0, self.n)) if found is None else found

    def cost(self, m: int) -> Cost:
        """Measured on one lesion of one block of stimuli."""
        rows = self._blocks[0]
        if self._measured is None:
            fired = self.fired.copy()
            start = time.perf_counter()
            self._pass(rows, None, 0, ("output",))
            full = time.perf_counter() - start
            number = self._order[0]
            masks = np.zeros((3, len(self.parts)), dtype=bool)
            masks[:, self.sites[number].members[0]] = True
            closed = self._closed_at(number, rows, m, masks, 0, ("output",))
            if closed is not None:
                start = time.perf_counter()
                for _ in closed.lesions(rows, np.eye(len(self.parts), dtype=bool)[:m], 0):
                    pass
                spent = time.perf_counter() - start
                each, before, route = (
                    max(0.0, spent - 2 * full) / min(m, len(self.parts)),
                    2 * full,
                    "closed form",
                )
            else:
                resumed = self._remember(number, rows, masks, 0, ("output",)) if self._may else None
                size = self._sizes[number, ("output",)] if resumed is not None else 1
                masks = np.resize(masks, (size, len(self.parts)))
                start = time.perf_counter()
                self._lesion(rows, masks, 0, ("output",), resumed)
                each = (time.perf_counter() - start) / size
                before, route = (2 * full, "resumed") if resumed is not None else (0.0, "full")
            self.fired = fired
            self._measured = each, before, full, route
        each, before, full, route = self._measured
        scale = self.n / (rows.stop - rows.start)
        return Cost((each * m + before) * scale, min(1.0, each / full), route)

    # How it runs

    def _start(self) -> None:
        self._target = self._stack.enter_context(evaluation(self.net, self.device, who=self.who))
        seen = seen_of(self.net, self.data, self._target, who=self.who)
        wanted = (
            {"output": self.output} if self.watch is None else {"output": self.output, "watch": self.watch}
        )
        self._spots: dict[str, Spot] = {
            what: locate(self.net, seen, label, who=self.who) for what, label in wanted.items()
        }
        each = max(1, seen.largest + self.data.nbytes // self.n)
        budget = min((available_memory() or 4 << 30) // 4, 64 * _LARGEST_OUTPUT)
        if getattr(self._target, "type", "cpu") == "cpu":
            budget = min(budget, _LARGEST_OUTPUT)
        size = self.batch_size or max(1, min(budget // each, _LARGEST_BATCH, self.n))
        self._budget = budget
        self._blocks = [slice(start, min(start + size, self.n)) for start in range(0, self.n, size)]
        self._masks: np.ndarray | None = None
        self._rows = np.zeros(0, dtype=np.intp)
        self._draw = 0
        self._acted = np.zeros(len(self.sites), dtype=bool)
        self._same = False  # a trial: every lesion puts back what is there
        self._order: list[int] = []  # places, in the order in which they act
        self._seen, self._modules = seen, dict(self.net.module.named_modules(remove_duplicate=False))
        self._labels = {module: name for name, module in reversed(self._modules.items())}
        self._labels = {module: name or OUTPUT for module, name in self._labels.items()}
        # (first place, what is wanted) -> lesions that run at a time from there on; 0: full passes
        self._sizes: dict[tuple[int, tuple[str, ...]], int] = {}
        self._copied: set[tuple[Any, int]] = set()
        self._closed_found: set[int] = set()  # places where it has one
        self._by_batch = bool(without_statistics(self.net))
        self._may = self.resume and _can_stop(self.net)
        self._eps = _rounding(self.net)
        self._look()

    def _look(self) -> None:
        """The intact outputs, and the summaries of each place over stimuli and reference."""
        own: dict[tuple[int, int], Summary] = {}
        unchanged = Unchanged(self.sites, self.replacement)

        def into(kept: dict[tuple[int, int], Summary], n: int, check: bool) -> Callable[..., Any]:
            def touch(number: int, call: int, x: Any, given: tuple[Any, ...]) -> Any:
                self._acted[number] = True
                if number not in self._order:
                    self._order.append(number)
                key = number, call
                if key not in kept:
                    self.replacement.check_memory(number, n)
                    keep = n if self.replacement.needs_values(number) else 0
                    kept[key] = Summary(tuple(x.shape[1:]), keep=keep)
                kept[key].add(x)
                if check:
                    unchanged.look(number, call, x, given)
                return None

            return touch

        parts = []
        with acting(self.net, self.places, into(own, self.n, check=True)):
            for rows in self._blocks:
                parts.append(self._pass(rows, None, 0, ("output",))["output"])
        self._all_fired()
        self.intact = np.concatenate(parts)
        reference = own
        self.replacement.n_reference = self.n
        if self.reference is not None and self.replacement.needs_reference():
            reference, n = {}, int(self.reference.shape[0])
            size = self._blocks[0].stop
            data, self.data = self.data, self.reference
            try:
                with acting(self.net, self.places, into(reference, n, check=False)):
                    for start in range(0, n, size):
                        self._pass(slice(start, min(start + size, n)), None, 0, ("output",))
            finally:
                self.data = data
            self.replacement.n_reference = n
        self.replacement.summaries = reference
        self.unchanged = unchanged.found(own, len(self.parts))

    def _all_fired(self) -> None:
        if not self._acted.all():
            place = self.places[int(np.flatnonzero(~self._acted)[0])]
            raise not_fired(self.net, place.label, who=self.who)

    def _checked(self, masks: Any) -> np.ndarray:
        if not self._open:
            raise InputError(f"{self.who}: lesions run inside 'with Lesions(...)'.", code="bad-parameter")
        found = to_numpy(masks)
        if found.ndim != 2 or found.shape[1] != len(self.parts) or found.dtype != bool:
            raise InputError(
                f"{self.who}: masks must be booleans of shape (lesions, {len(self.parts)} parts), got shape "
                f"{found.shape}, {found.dtype}.",
                code="bad-shape",
            )
        return found

    def _series(self, masks: Any, draw: int, what: str) -> Iterator[np.ndarray]:
        masks = self._checked(masks)
        shape = self._spots[what][1].shape
        size = max(1, _HELD // max(1, 8 * self.n * int(np.prod(shape, dtype=np.int64))))
        with progress_bar("lesions", len(masks) * len(self._blocks), self.progress) as advance:
            for start in range(0, len(masks), size):
                chunk = masks[start : start + size]
                held = np.empty((len(chunk), self.n, *shape))
                for rows in self._blocks:
                    for i, came in self._passes(rows, chunk, draw, (what,)):
                        held[i, rows] = came[what]
                        advance(1)
                yield from held

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
        most = max(1, min(self._budget // max(1, memory.largest), _LARGEST_ROWS // b, len(masks)))
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

    def _lesion(
        self,
        rows: slice,
        masks: np.ndarray,
        draw: int,
        wanted: tuple[str, ...],
        memory: Remembered | None = None,
    ) -> dict[str, np.ndarray]:
        self._acted[:] = False
        with acting(self.net, self.places, self._touch):
            if memory is None:
                came = self._pass(rows, masks, draw, wanted)
            else:
                with memory.handing_back(len(masks)) as inputs:
                    came = self._pass(rows, masks, draw, wanted, inputs)
        self._count(masks)
        return came

    def _count(self, masks: np.ndarray) -> None:
        for number, site in enumerate(self.sites):
            times = masks[:, site.members].sum(axis=0)
            if times.any() and not self._acted[number]:
                raise not_fired(self.net, site.place.label, who=self.who)
            self.fired[site.members] += times

    def _touch(self, number: int, call: int, x: Any, given: tuple[Any, ...]) -> Any:
        self._acted[number] = True
        masks, site = self._masks, self.sites[number]
        assert masks is not None
        if not masks[:, site.members].any():
            return None
        m, b = len(masks), len(self._rows)
        # before anything was lesioned all lesions share one array
        wide = x.reshape(x.shape[0] // b, b, *x.shape[1:])
        if self._same:
            return wide.expand(m, *wide.shape[1:]).reshape(m * b, *x.shape[1:]).clone()
        if isinstance(self.replacement.name(number), str) and self.replacement.name(number) == "skip":
            r = skipped(site.place, x, given, who=self.who).reshape(wide.shape)
        else:
            r = self.replacement(number, call, wide, self._rows, self._draw, self.n)
        return lesioned_values(site, wide, r, masks).reshape(m * b, *x.shape[1:])

    def _pass(
        self,
        rows: slice,
        masks: np.ndarray | None,
        draw: int,
        wanted: tuple[str, ...],
        inputs: tuple[tuple[Any, ...], dict[str, Any]] | None = None,
    ) -> dict[str, np.ndarray]:
        """One forward pass of a block of stimuli, or of as many times the block as there are masks."""
        self._masks, self._draw = masks, draw
        self._rows = np.arange(rows.start, rows.stop)
        came: dict[str, np.ndarray] = {}

        def use(what: str, values: Any) -> None:
            came[what] = values.detach().cpu().numpy().astype(np.float64)

        spots = {what: self._spots[what] for what in wanted}
        n = len(self._rows) * (1 if masks is None or inputs is None else len(masks))
        args, kwargs = self._fed(rows) if inputs is None else inputs
        tapped(self.net, lambda: self._forward(args, kwargs), spots, n, use, who=self.who)
        return came

    def _fed(self, rows: slice) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the module gets for a block of stimuli."""
        block = block_of(self.data, rows)
        kind = str(self.data.attrs.get("kind", "array"))
        try:
            fed = self.net.preprocess(block) if self.net.preprocess is not None else block
            return _arguments(self.net, fed, kind, self._target)
        except Exception as error:
            raise self._failed(error, "preprocess") from error

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return self.net.module(*args, **kwargs)
        except (ConsilienceError, Changed):
            raise
        except Exception as error:
            raise self._failed(error, "forward pass") from error

    def _failed(self, error: Exception, stage: str) -> InputError:
        said = shorten_text(str(error).strip().rstrip("."))
        return InputError(
            f"{self.who}: the {stage} of {self.net.name} failed in a run with lesions: "
            f"{type(error).__name__}: {said}",
            code="forward-failed",
        )


def _rounding(net: Network) -> float:
    """The rounding error of the network's numbers."""
    import torch

    kinds = {p.dtype for p in net.module.parameters() if p.is_floating_point()}
    return max((torch.finfo(kind).eps for kind in kinds), default=torch.finfo(torch.float32).eps)


def _agree(came: dict[str, np.ndarray], there: dict[str, np.ndarray], times: int, eps: float) -> bool:
    """Whether ``came`` holds ``there`` that many times, up to rounding."""
    for what, values in there.items():
        found = came[what].reshape(times, *values.shape)
        if not np.abs(found - values).max(initial=0.0) <= 100 * eps * np.abs(values).max(initial=0.0):
            return False
    return True


def skipped(place: Place, x: Any, given: tuple[Any, ...], *, who: str) -> Any:
    """What goes into a layer, as its output (stimuli first)."""
    axis = place.leaf.stimulus_axis
    for value in given:
        if hasattr(value, "movedim") and tuple(value.shape) == tuple(x.movedim(0, axis).shape):
            return value.movedim(axis, 0)
    shapes = [tuple(value.shape) for value in given if hasattr(value, "shape")]
    raise InputError(
        f"{who}: how='skip' lets a layer hand on what it gets, but layer {place.label!r} gets {shapes} and gives "
        f"{tuple(x.shape)}; choose layers whose input and output have one shape.",
        code="bad-how",
    )


def _check_whole(site: Site, parts: Parts, *, who: str) -> None:
    whole = site.bases is None and site.space == "channels" and site.members.size == 1
    if not whole or np.unique(site.places).size < site.width or site.place.mode != "output":
        raise InputError(
            f"{who}: how='skip' removes whole layers; make the parts with parts='layer' (got parts of kind "
            f"{parts.kind!r} at layer {site.place.label!r}).",
            code="bad-how",
        )


@contextlib.contextmanager
def lesioned(
    net: Network,
    parts: Parts,
    mask: Any,
    *,
    how: Any = "mean",
    reference: Any = None,
    rng: np.random.Generator | None = None,
    device: str | None = None,
    who: str,
) -> Iterator[Network]:
    """While it is open the module itself is lesioned, for whoever runs it: parts ``mask`` (P,) removed, as in
    `Lesions`. Resampled and random values are drawn anew in each pass; ``reference`` defaults to the stimuli that the
    parts were made with. Hooks are removed whatever happens; a lesion that acted in no pass is an error.
    """
    data = parts.stimuli if reference is None else reference
    chosen = to_numpy(mask)
    if chosen.shape != (len(parts),) or chosen.dtype != bool:
        raise InputError(
            f"{who}: mask must be {len(parts)} booleans, one for each part; got {shorten(mask)}.",
            code="bad-shape",
        )
    with Lesions(net, data, parts, how=how, reference=data, rng=rng, device=device, who=who) as run:
        replacement, masks = run.replacement, chosen[None]
    draws = rng if rng is not None else np.random.default_rng(replacement.entropy)
    acted = np.zeros(len(parts.sites), dtype=bool)
    needed = np.array([bool(chosen[site.members].any()) for site in parts.sites])
    drawn = [0]

    def touch(number: int, call: int, x: Any, given: tuple[Any, ...]) -> Any:
        site, acted[number] = parts.sites[number], True
        if not needed[number]:
            return None
        wide = x[None]
        if isinstance(replacement.name(number), str) and replacement.name(number) == "skip":
            r = skipped(site.place, x, given, who=who)[None]
        else:
            r = replacement(number, call, wide, np.arange(x.shape[0]), drawn[0], x.shape[0])
        return lesioned_values(site, wide, r, masks)[0]

    def start(_module: Any, _args: Any) -> None:
        drawn[0] = int(draws.integers(2**62))

    with contextlib.ExitStack() as stack:
        handle = net.module.register_forward_pre_hook(start)
        stack.callback(handle.remove)
        stack.enter_context(acting(net, run.places, touch))
        yield net
    lacking = np.flatnonzero(needed & ~acted)
    if lacking.size:
        raise not_fired(net, run.places[int(lacking[0])].label, who=who)
