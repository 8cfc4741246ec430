"""Runs a network with parts of it removed: every lesion is a mask over parts, and verbs hand over masks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience.networks._lesion_module import lesioned
from consilience.networks._lesion_parts import Parts, make_parts
from consilience.networks._lesion_routes import _FEW, Routes
from consilience.networks._progress import progress_bar

__all__ = ["Cost", "Lesions", "Parts", "lesioned", "make_parts"]

_HELD = 256 << 20  # bytes of outputs of several lesions that are held at once


@dataclass(frozen=True)
class Cost:
    """What lesions cost: ``seconds`` for all of them, the ``share`` of a forward pass that each one runs, and the
    ``route``: "full" passes, "resumed" from the lesioned layer, or the "closed form" of a linear readout.
    """

    seconds: float
    share: float
    route: str


class Lesions(Routes):
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
    noise : seed of what the network itself draws at random (dropout that is always on); every pass of a block of
        stimuli gets the same draws, so that lesions are paired. Default: by ``rng``.

    Stimuli run in blocks, all lesions of one block before the next. Lesions begin where their first part is: what the
    modules before it gave is remembered (the outputs that are still used, of one block), or have the closed form of a
    linear readout; both are held against full passes once in each run, and full passes are what is left otherwise (see
    `cost`). On a CPU the largest array of a pass takes 32 MB at most, whatever the number of lesions (one stimulus
    alone may take more); outputs that are held take 256 MB at most. Resampling keeps the lesioned layer for all
    reference stimuli.

    Raises
    ------
    InputError : a hook that never fires (``hook-not-fired``), ``how`` that does not fit the layer, a failing pass.
    """

    # seconds of a block: for one lesion, once before all, for an intact pass; the route
    _measured: tuple[float, float, float, str] | None = None

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
            closed = self._closed_at(number, rows, _FEW + 1, masks, 0, ("output",))
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
