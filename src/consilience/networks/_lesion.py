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
from consilience.networks._forward import _arguments, evaluation, shorten_text
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_parts import Parts, Place, Site, make_parts, seen_of
from consilience.networks._lesion_replace import Replacement, Summary, check_how, lesioned_values
from consilience.networks._lesion_unchanged import Unchanged
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._progress import progress_bar
from consilience.networks._tap import Spot, locate, tapped

__all__ = ["Cost", "Lesions", "Parts", "lesioned", "make_parts"]

_LARGEST_BATCH = 256
_LARGEST_OUTPUT = 32 << 20  # bytes of the largest array in a batch, as when layers are recorded
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
    progress : a bar with the time left; default: none.

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
        self.fired = np.zeros(len(parts), dtype=np.int64)
        self.unchanged = np.zeros(len(parts), dtype=bool)
        self._stack = contextlib.ExitStack()
        self._open = False
        self._seconds: tuple[float, float] | None = None  # of one lesion and one intact pass of a block

    def __enter__(self) -> Lesions:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        self._open = True
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
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
                for i, came in enumerate(self._passes(rows, masks, draw, ("output",))):
                    values = np.asarray(score(came["output"], rows), dtype=np.float64)
                    if found is None:
                        found = np.empty((len(masks), self.n, *values.shape[1:]))
                    found[i, rows] = values
                    advance(1)
        return np.empty((0, self.n)) if found is None else found

    def cost(self, m: int) -> Cost:
        """Measured on one lesion of one block of stimuli."""
        if self._seconds is None:
            rows = self._blocks[0]
            masks = np.zeros((1, len(self.parts)), dtype=bool)
            masks[0, 0] = True
            fired = self.fired.copy()
            times = []
            for one in (masks, masks, masks[:0]):
                start = time.perf_counter()
                if len(one):
                    for _ in self._passes(rows, one, 0, ("output",)):
                        pass
                else:
                    self._pass(rows, None, 0, ("output",))
                times.append(time.perf_counter() - start)
            self.fired = fired
            self._seconds = min(times[:2]), times[2]
        each, full = self._seconds
        scale = self.n / (self._blocks[0].stop - self._blocks[0].start)
        return Cost(each * scale * m, min(1.0, each / full), "full")

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
        self._blocks = [slice(start, min(start + size, self.n)) for start in range(0, self.n, size)]
        self._masks: np.ndarray | None = None
        self._rows = np.zeros(0, dtype=np.intp)
        self._draw = 0
        self._acted = np.zeros(len(self.sites), dtype=bool)
        self._look()

    def _look(self) -> None:
        """The intact outputs, and the summaries of each place over stimuli and reference."""
        own: dict[tuple[int, int], Summary] = {}
        unchanged = Unchanged(self.sites, self.replacement)

        def into(kept: dict[tuple[int, int], Summary], n: int, check: bool) -> Callable[..., Any]:
            def touch(number: int, call: int, x: Any, given: tuple[Any, ...]) -> Any:
                self._acted[number] = True
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
                    for i, came in enumerate(self._passes(rows, chunk, draw, (what,))):
                        held[i, rows] = came[what]
                        advance(1)
                yield from held

    def _passes(
        self, rows: slice, masks: np.ndarray, draw: int, wanted: tuple[str, ...]
    ) -> Iterator[dict[str, np.ndarray]]:
        """What is ``wanted`` (b, ...) of a block of stimuli under each mask."""
        for mask in masks:
            yield self._lesion(rows, mask[None], draw, wanted)

    def _lesion(
        self, rows: slice, masks: np.ndarray, draw: int, wanted: tuple[str, ...]
    ) -> dict[str, np.ndarray]:
        self._acted[:] = False
        with acting(self.net, self.places, self._touch):
            came = self._pass(rows, masks, draw, wanted)
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
        wide = x.reshape(m, b, *x.shape[1:])
        if isinstance(self.replacement.name(number), str) and self.replacement.name(number) == "skip":
            r = skipped(site.place, x, given, who=self.who).reshape(wide.shape)
        else:
            r = self.replacement(number, call, wide, self._rows, self._draw, self.n)
        return lesioned_values(site, wide, r, masks).reshape(x.shape)

    def _pass(
        self, rows: slice, masks: np.ndarray | None, draw: int, wanted: tuple[str, ...]
    ) -> dict[str, np.ndarray]:
        """One forward pass of a block of stimuli."""
        self._masks, self._draw = masks, draw
        self._rows = np.arange(rows.start, rows.stop)
        came: dict[str, np.ndarray] = {}

        def use(what: str, values: Any) -> None:
            came[what] = (
                values.detach().cpu().numpy().astype(np.float64) if hasattr(values, "detach") else values
            )

        spots = {what: self._spots[what] for what in wanted}
        tapped(self.net, lambda: self._forward(rows), spots, len(self._rows), use, who=self.who)
        return came

    def _forward(self, rows: slice) -> Any:
        block = block_of(self.data, rows)
        kind = str(self.data.attrs.get("kind", "array"))
        try:
            fed = self.net.preprocess(block) if self.net.preprocess is not None else block
            args, kwargs = _arguments(self.net, fed, kind, self._target)
            return self.net.module(*args, **kwargs)
        except ConsilienceError:
            raise
        except Exception as error:
            said = shorten_text(str(error).strip().rstrip("."))
            raise InputError(
                f"{self.who}: the forward pass of {self.net.name} failed under a lesion: "
                f"{type(error).__name__}: {said}",
                code="forward-failed",
            ) from error


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
