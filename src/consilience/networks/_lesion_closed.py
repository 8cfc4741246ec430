"""Lesions in closed form, where each part reaches the readout by itself.

Between the lesioned layer and the input z of a linear readout there is often nothing that mixes parts: rectifiers,
pooling, flattening, dropout. Then under any lesion z is that of the network with all parts removed where z belongs to a
removed part, and the intact one elsewhere, and

    output = W z + b + sum over removed parts p of W_p (z_removed - z)_p.

Whether it is so is tried out with random halves of the parts, and one full pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from consilience.networks._lesion_run import Run

__all__ = ["Closed"]

_HELD = 256 << 20  # bytes of readouts of single parts held at once
_TRIALS = 3


class Closed:
    """The readout of one place of a network; ``ok`` tells whether lesions there have a closed form."""

    def __init__(self, run: Run, number: int, rows: slice, draw: int) -> None:
        self.run, self.site = run, run.sites[number]
        self.linear: Any = None
        self.owner = np.zeros(0, dtype=np.intp)
        self._made: list[Any] = []
        # of the last block: what the readout got, (first row, draw or None for the intact network) -> (b, size)
        self._got: dict[tuple[int, int | None], np.ndarray] = {}
        self.ok = self._eligible() and self._found(rows, draw)

    def lesions(self, rows: slice, masks: np.ndarray, draw: int) -> Iterator[tuple[int, np.ndarray]]:
        """(number of the mask, output (b, k)) for a block of stimuli."""
        there, removed = self._ends(rows, draw)
        weights = self._weights()
        base, step = self.run.intact[rows], removed - there
        site, k, b = self.site, len(weights), len(there)
        chosen = site.chosen(masks)  # (m, width)
        one = chosen.sum(axis=1) == 1
        alone = np.argmax(chosen, axis=1)
        outputs = max(1, _HELD // (8 * b * site.width))  # of the readout, at a time
        if outputs >= k:
            single = self._single(step, weights)
            for j in np.flatnonzero(one):
                yield int(j), base + single[alone[j]]
            several = np.flatnonzero(~one)
            flat, size = single.reshape(site.width, -1), max(1, _HELD // (8 * b * k))
            for start in range(0, several.size, size):
                mine = several[start : start + size]
                for j, change in zip(mine, (chosen[mine].astype(float) @ flat).reshape(-1, b, k)):
                    yield int(j), base + change
            return
        for i, entries in enumerate(chosen):  # a large readout: one lesion at a time
            mine = entries[self.owner]
            yield i, base + step[:, mine] @ weights[:, mine].T

    def _ends(self, rows: slice, draw: int) -> tuple[np.ndarray, np.ndarray]:
        """What the readout gets in the intact network, and with all parts removed."""
        keys: tuple[tuple[int, int | None], ...] = (rows.start, None), (rows.start, draw)
        self._got = {key: values for key, values in self._got.items() if key in keys}
        for key, masks in zip(keys, (None, self._all())):
            if key not in self._got:
                self._got[key] = self._read(rows, masks, draw)[0]
        return self._got[keys[0]], self._got[keys[1]]

    def _single(self, step: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(width, b, k): what the output changes by when one entry of the layer is lesioned."""
        width, k = self.site.width, len(weights)
        order = np.argsort(self.owner, kind="stable")
        parts = step[:, order].T.reshape(width, -1, len(step))  # entries of z of each entry of the layer
        reads = weights[:, order].T.reshape(width, -1, k)
        return np.matmul(parts.transpose(0, 2, 1), reads)

    def _weights(self) -> np.ndarray:
        return np.asarray(self.linear.weight.detach().cpu().double().numpy())

    def _all(self) -> np.ndarray:
        masks = np.zeros((1, len(self.run.parts)), dtype=bool)
        masks[:, self.site.members] = True
        return masks

    def _eligible(self) -> bool:
        import torch

        site, run = self.site, self.run
        if site.bases is not None or site.times is not None or run.intact.ndim != 2:
            return False
        if site.place.mode != "output" or site.place.calls is None or len(site.place.calls) != 1:
            return False
        k = run.intact.shape[1]
        made = [m for m in run.net.module.modules() if type(m) is torch.nn.Linear and m.out_features == k]
        self._made = [m for m in made if m is not run._modules.get(site.place.base)]
        return bool(self._made)

    def _found(self, rows: slice, draw: int) -> bool:
        """Looks for the readout and for which entries of the layer its inputs belong to, and tries them out."""
        eps = self.run._eps
        for linear in self._made:
            self.linear = linear
            there, out = self._read(rows, None, draw)
            if there is None:
                continue
            weights, bias = self._weights(), self.linear.bias
            product = there @ weights.T + (0.0 if bias is None else bias.detach().cpu().double().numpy())
            if np.abs(product - out).max() <= 100 * eps * np.abs(out).max(initial=1e-30):
                break
        else:
            return False
        size, width = there.shape[1], self.site.width
        if size % width:
            return False
        self._got[rows.start, None] = there
        there, removed = self._ends(rows, draw)
        rng = np.random.default_rng(0)
        halves = [self._half(rng) for _ in range(_TRIALS)]
        came = [self._read(rows, half, draw) for half in halves]
        scale = 10 * eps * max(np.abs(there).max(initial=0.0), np.abs(removed).max(initial=0.0))
        for owner in (np.repeat(np.arange(width), size // width), np.tile(np.arange(width), size // width)):
            mixed = [np.where(self.site.chosen(half)[0][owner], removed, there) for half in halves]
            if all(np.abs(z - m).max(initial=0.0) <= scale for (z, _), m in zip(came, mixed)):
                self.owner = owner
                _, full = came[0]
                (_, ours), *_ = self.lesions(rows, halves[0], draw)
                return bool(np.abs(ours - full).max() <= 100 * eps * np.abs(full).max(initial=1e-30))
        return False

    def _half(self, rng: np.random.Generator) -> np.ndarray:
        masks = np.zeros((1, len(self.run.parts)), dtype=bool)
        members = self.site.members
        masks[0, rng.permutation(members)[: (members.size + 1) // 2]] = True
        return masks

    def _read(self, rows: slice, masks: np.ndarray | None, draw: int) -> tuple[Any, np.ndarray]:
        """The readout's input (b, size) float64, None where it is not called once with such an array; the output."""
        came: list[Any] = []

        def hook(_module: Any, args: tuple[Any, ...]) -> None:
            came.append(args[0].detach().cpu().double().numpy().copy() if args else None)

        handle = self.linear.register_forward_pre_hook(hook)
        fired = self.run.fired.copy()
        try:
            if masks is None:
                out = self.run._pass(rows, None, draw, ("output",))["output"]
            else:
                out = self.run._lesion(rows, masks, draw, ("output",))["output"]
        finally:
            handle.remove()
            self.run.fired = fired
        fits = len(came) == 1 and came[0] is not None and came[0].ndim == 2
        return (came[0] if fits else None), out
