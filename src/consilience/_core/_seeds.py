"""Randomness: one `rng` argument becomes a recorded seed and named, independent streams."""

from __future__ import annotations

import numbers
import re
import zlib
from dataclasses import dataclass

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["Seed", "resolve_seed"]

_LARGEST = 2**128 - 1
_TEXT = re.compile(r"([0-9]{1,100})(?::([0-9]{1,10}(?:,[0-9]{1,10}){0,99}))?")  # what `Seed.__str__` writes


@dataclass(frozen=True)
class Seed:
    """A recorded seed. ``stream("bootstrap")`` gives the same numbers whatever other streams are drawn."""

    entropy: int
    spawn_key: tuple[int, ...] = ()

    def stream(self, name: str) -> np.random.Generator:
        sequence = np.random.SeedSequence(
            self.entropy, spawn_key=(*self.spawn_key, zlib.crc32(name.encode()))
        )
        return np.random.Generator(np.random.PCG64(sequence))

    def child(self, name: str) -> Seed:
        return Seed(self.entropy, (*self.spawn_key, zlib.crc32(name.encode())))

    def __str__(self) -> str:
        return (
            str(self.entropy)
            if not self.spawn_key
            else f"{self.entropy}:{','.join(map(str, self.spawn_key))}"
        )


def resolve_seed(
    rng: int | str | np.random.SeedSequence | np.random.Generator | Seed | None, *, who: str
) -> Seed:
    """``rng`` as a `Seed`: an int in [0, 2**128), the ``seed`` that a result recorded (its text), a SeedSequence, a
    Generator, or None (fresh entropy, recorded).
    """
    if isinstance(rng, Seed):
        return rng
    if rng is None:
        return Seed(int(np.random.SeedSequence().entropy))  # type: ignore[arg-type]
    if isinstance(rng, np.random.SeedSequence):
        if not isinstance(rng.entropy, int):
            mixed = rng.generate_state(4, np.uint32)
            return Seed(int.from_bytes(mixed.tobytes(), "little"))
        return Seed(rng.entropy, tuple(int(key) for key in rng.spawn_key))
    if isinstance(rng, np.random.Generator):
        return Seed(int.from_bytes(rng.bytes(16), "little"))
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool) and 0 <= rng <= _LARGEST:
        return Seed(int(rng))
    if isinstance(rng, str) and (found := _TEXT.fullmatch(rng)) is not None:
        keys = tuple(int(key) for key in (found[2] or "").split(",") if key)
        return Seed(int(found[1]), keys)
    raise InputError(
        f"{who}: rng must be an int from 0 to 2**128 - 1, the seed of a result, a numpy Generator or SeedSequence, or "
        f"None; got {shorten(rng)}.",
        code="bad-seed",
    )
