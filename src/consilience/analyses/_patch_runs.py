"""The runs of `patch`: each pair with and without patches, from its partner and from controls, over draws of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._seeds import Seed
from consilience.networks._patching import Cell, Interventions

__all__ = ["PairScores", "Runs"]


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """Higher = better. clean, corrupted : (n,).   patched : (cells, 1 + controls, n)."""

    clean: np.ndarray
    corrupted: np.ndarray
    patched: np.ndarray


class Runs:
    """Which stimuli run, and whose activations they get.

    clean, corrupted : (n,) rows of each pair among all stimuli; with ``noisy`` the corrupted run is the clean stimulus
    with noise, of which ``n_noise`` draws are averaged within each pair.
    """

    def __init__(
        self,
        clean: np.ndarray,
        corrupted: np.ndarray,
        *,
        noisy: bool,
        seed: Seed,
        direction: str,
        n_controls: int,
        n_noise: int,
    ) -> None:
        self.clean, self.corrupted, self.noisy = clean, corrupted, noisy
        # whose run is patched, and from whose
        self.base, self.source = ("corrupted", "clean") if direction == "denoise" else ("clean", "corrupted")
        self.n = len(clean)
        self.draws = n_noise if noisy else 1
        self.controls = n_controls if (self.n > 1 or noisy) else 0
        rng = seed.stream("controls")
        # another pair for each pair, never itself
        self.others = [(np.arange(self.n) + self._shift(rng)) % self.n for _ in range(self.controls)]

    def _shift(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(1, self.n, self.n) if self.n > 1 else np.zeros(self.n, dtype=np.int64)

    def n_passes(self, cells: int) -> int:
        return self.draws * (1 + self.controls) * cells * self.n

    def _side(self, name: str, pairs: np.ndarray, draw: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and draws of noise of one side of some pairs; draw -1: a run without noise."""
        if name == "clean":
            return self.clean[pairs], np.full(len(pairs), -1)
        return self.corrupted[pairs], np.full(len(pairs), draw if self.noisy else -1)

    def _donors(self, engine: Interventions, pairs: np.ndarray, draw: int) -> Iterator[Any]:
        """What is put in: of the partner, then of each control."""
        yield engine.capture(*self._side(self.source, pairs, draw))[0]
        for k, other in enumerate(self.others):
            if self.noisy and self.base == "corrupted":  # the same stimulus under other noise
                yield engine.capture(*self._side("corrupted", pairs, self.draws + draw * self.controls + k))[
                    0
                ]
            else:
                yield engine.capture(*self._side(self.base, other[pairs], draw))[0]

    def scores(
        self,
        engine: Interventions,
        cells: Sequence[Cell],
        score: Any,
        advance: Callable[[int], None],
    ) -> PairScores:
        sides = {"clean": np.zeros(self.n), "corrupted": np.zeros(self.n)}
        patched = np.zeros((len(cells), 1 + self.controls, self.n))
        for draw in range(self.draws):
            for start in range(0, self.n, engine.size):
                pairs = np.arange(start, min(start + engine.size, self.n))
                for name, total in sides.items():
                    outputs = engine.capture(*self._side(name, pairs, draw))[1]
                    score.learn(outputs, self.n)
                    total[pairs] += score(outputs, pairs) / self.draws
                rows, draws = self._side(self.base, pairs, draw)
                for k, donor in enumerate(self._donors(engine, pairs, draw)):
                    for i, outputs in engine.patched(rows, draws, donor, cells):
                        patched[i, k, pairs] += score(outputs, pairs) / self.draws
                        advance(len(pairs))
        return PairScores(clean=sides["clean"], corrupted=sides["corrupted"], patched=patched)
