"""Forward passes of a network under lesions: what replaces what, where it acts, and what comes out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from consilience._core._errors import ConsilienceError, InputError
from consilience._core._memory import available_memory
from consilience._core._params import check_count, require, shorten
from consilience._stimuli import check_stimuli
from consilience.networks._chance import Chance, find_chance
from consilience.networks._forward import _arguments, evaluation, say_batches, shorten_text
from consilience.networks._lesion_find import seen_of
from consilience.networks._lesion_hooks import acting, not_fired
from consilience.networks._lesion_places import Parts, Site
from consilience.networks._lesion_replace import Replacement, Summary, check_how, lesioned_values, skipped
from consilience.networks._lesion_unchanged import Unchanged
from consilience.networks._network import OUTPUT, Network, block_of
from consilience.networks._tap import Spot, locate, tapped

if TYPE_CHECKING:
    from consilience.networks._lesion_resume import Remembered

__all__ = ["Run", "rounding"]

_LARGEST_BATCH = 256
_LARGEST_OUTPUT = 32 << 20  # bytes of the largest array in a batch, as when layers are recorded


class Run:
    """A network, its parts, what replaces them, and passes over blocks of stimuli; see `Lesions`."""

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
        noise: int | None = None,
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
        self.resume, self._noise = resume, entropy if noise is None else noise
        self.fired = np.zeros(len(parts), dtype=np.int64)
        self.unchanged = np.zeros(len(parts), dtype=bool)
        self._stack = contextlib.ExitStack()
        self._open = False

    def __enter__(self) -> Self:
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

    def _start(self) -> None:
        torch = require("torch", extra="torch", purpose=self.who)
        # changes in place are seen outside of inference mode only, whatever the caller has set
        self._stack.enter_context(torch.inference_mode(mode=False))
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
        self._chance: Chance | None = None  # of a network that draws at random
        self._same = False  # a trial: every lesion puts back what is there
        self._order: list[int] = []  # places, in the order in which they act
        self._seen, self._modules = seen, dict(self.net.module.named_modules(remove_duplicate=False))
        self._labels = {module: name for name, module in reversed(self._modules.items())}
        self._labels = {module: name or OUTPUT for module, name in self._labels.items()}
        self._by_batch = say_batches(self.net, who=self.who)
        self._eps = rounding(self.net)
        few = self._blocks[0] if self._by_batch else slice(0, 1)
        self._chance = find_chance(
            self.net.name,
            self._target,
            lambda: self._pass(few, None, 0, ("output",))["output"],
            self._eps,
            self._noise,
            who=self.who,
        )
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
        bad = ~np.isfinite(self.intact).reshape(self.n, -1).all(axis=1)
        if bad.any():
            named = self.data["stimulus"].values[int(np.argmax(bad))].item()
            raise InputError(
                f"{self.who}: the output of {self.net.name} is NaN or infinite, first for stimulus "
                f"{shorten(named, 40)}; check the weights and the scaling of the input.",
                code="nan-values",
            )
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
            values = values.detach().cpu()
            came[what] = (values.double() if values.dtype.itemsize < 8 else values.double().clone()).numpy()

        spots = {what: self._spots[what] for what in wanted}
        n = len(self._rows) * (1 if masks is None or inputs is None else len(masks))
        with self._chance.of_block(rows.start) if self._chance is not None else contextlib.nullcontext():
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
        except ConsilienceError:
            raise
        except Exception as error:
            raise self._failed(error, "preprocess") from error

    def _forward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return self.net.module(*args, **kwargs)
        except ConsilienceError:
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


def rounding(net: Network) -> float:
    """The rounding error of the network's numbers; of half precision a part of it, lest anything agree."""
    import torch

    kinds = {p.dtype for p in net.module.parameters() if p.is_floating_point()}
    eps = max((torch.finfo(kind).eps for kind in kinds), default=torch.finfo(torch.float32).eps)
    return eps if eps < 1e-5 else eps / 25


def _check_whole(site: Site, parts: Parts, *, who: str) -> None:
    whole = site.bases is None and site.space == "channels" and site.members.size == 1
    if not whole or np.unique(site.places).size < site.width or site.place.mode != "output":
        raise InputError(
            f"{who}: how='skip' removes whole layers; make the parts with parts='layer' (got parts of kind "
            f"{parts.kind!r} at layer {site.place.label!r}).",
            code="bad-how",
        )
