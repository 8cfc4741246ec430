"""The sums that a stream of batches leaves behind, dealt into groups; what value they give is said by its kinds."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, TypeVar

import numpy as np

from consilience._core._arrays import Array, as_matrix, float64, same_rows, to_numpy
from consilience._core._errors import InputError
from consilience._core._params import check_count, check_number
from consilience.linalg._centre import safe_power
from consilience.linalg._moments import Moments, moments_of, shift_of
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, claims
from consilience.stats import jackknife_interval

__all__ = ["Stream"]

S = TypeVar("S", bound="Stream")
_FEWEST = 4


def _batch(x: object, y: object, who: str) -> tuple[np.ndarray, np.ndarray]:
    """A batch, of one stimulus or more, as NumPy arrays of one dtype; units may be constant within it."""
    one, two = as_matrix(x, name="x", who=who), as_matrix(y, name="y", who=who)
    same_rows(one, two, who=who)
    if one.dtype != two.dtype:
        one, two = float64(one), float64(two)
    return to_numpy(one), to_numpy(two)


class Stream(abc.ABC):
    """Moments of the batches so far, dealt in turn to ``groups`` sums.

    groups : how many.   options : those of the measure, which streams must have in common to be merged.
    """

    _measure: ClassVar[str]  # whose value over all stimuli this is: its claims give range and null

    def __init__(self, *, groups: int, **options: Any) -> None:
        self._who = type(self).__name__
        self._options = options
        self._groups: list[Moments | None] = [None] * check_count(
            groups, name="groups", who=self._who, minimum=1
        )
        self._shift: tuple[np.ndarray, np.ndarray] | None = None
        self._size = 1.0, 1.0  # powers of two by which batches are divided
        self._batches = 0

    @property
    def n(self) -> int:
        """Stimuli so far."""
        return sum(group.n for group in self._groups if group is not None)

    def update(self: S, x: Array, y: Array, /) -> S:
        """Adds the stimuli of a batch, ``x`` (m, p) and ``y`` (m, q): any m from 1 on, the same p and q each
        time.
        """
        x, y = _batch(x, y, f"{self._who}.update")
        if self._shift is None:
            self._size = safe_power(x), safe_power(y)
        if self._size != (1.0, 1.0):
            x, y = x / x.dtype.type(self._size[0]), y / y.dtype.type(self._size[1])
        if self._shift is None:
            self._shift = to_numpy(shift_of(x)), to_numpy(shift_of(y))
        if (x.shape[1], y.shape[1]) != tuple(map(len, self._shift)):
            raise InputError(
                f"{self._who}.update: batches so far had {len(self._shift[0])} and {len(self._shift[1])} units, this "
                f"one has {x.shape[1]} and {y.shape[1]}; every batch must have the same units.",
                code="units-differ",
            )
        part = moments_of(x, y, *(s.astype(x.dtype) for s in self._shift))
        # a shift that the dtype of this batch rounds is made up for
        rounded = [s.astype(x.dtype).astype(np.float64) - s for s in self._shift]
        if any(r.any() for r in rounded):
            part = part.shifted(*rounded)
        self._into(self._batches % len(self._groups), part)
        self._batches += 1
        return self

    def _into(self, place: int, part: Moments) -> None:
        held = self._groups[place]
        self._groups[place] = part if held is None else held.add(part)

    def merge(self: S, other: S, /) -> S:
        """Adds what ``other`` of the same kind has seen (say, on another machine); ``other`` is left as it is."""
        if other is self:
            raise InputError(
                f"{self._who}.merge: the other is this stream itself, whose stimuli would count twice; merge another "
                f"{self._who}.",
                code="bad-parameter",
            )
        alike = type(other) is type(self) and other._options == self._options
        if not alike or len(other._groups) != len(self._groups):
            raise InputError(
                f"{self._who}.merge: the other must be a {self._who} with the same options, got {other!r}.",
                code="bad-parameter",
            )
        if other._shift is None:
            return self
        if self._shift is None:
            self._shift, self._size = other._shift, other._size
        if [len(s) for s in self._shift] != [len(s) for s in other._shift]:
            raise InputError(
                f"{self._who}.merge: the two have seen other numbers of units.", code="units-differ"
            )
        self._resize(tuple(max(pair) for pair in zip(self._size, other._size)))
        factors = [theirs / mine for mine, theirs in zip(self._size, other._size)]
        moved = [
            theirs.astype(np.float64) * factor - mine
            for mine, theirs, factor in zip(self._shift, other._shift, factors)
        ]
        for place, part in enumerate(other._groups):
            if part is not None:
                part = part if factors == [1.0, 1.0] else part.scaled(*factors)
                self._into((self._batches + place) % len(self._groups), part.shifted(*moved))
        self._batches += other._batches
        return self

    def _resize(self, size: Any) -> None:
        """Divides by ``size``, no smaller than what was divided by so far."""
        factors = [mine / new for mine, new in zip(self._size, size)]
        if factors != [1.0, 1.0] and self._shift is not None:
            self._groups = [part and part.scaled(*factors) for part in self._groups]
            one, two = (shift.astype(np.float64) * factor for shift, factor in zip(self._shift, factors))
            self._shift, self._size = (one, two), size

    def _total(self, without: int = -1) -> Moments:
        total: Moments | None = None
        for place, part in enumerate(self._groups):
            if part is not None and place != without:
                total = (
                    part.shifted(np.zeros(part.x.size), np.zeros(part.y.size))
                    if total is None
                    else total.add(part)
                )
        if total is None or total.n < _FEWEST:
            raise InputError(
                f"{self._who}: at least {_FEWEST} stimuli are needed, got {0 if total is None else total.n}; call "
                "update(x, y) first.",
                code="too-few",
            )
        return total

    @abc.abstractmethod
    def _of(self, moments: Moments) -> float:
        """The value that sums over some stimuli give."""

    def _claims(self) -> Claims:
        return claims(self._measure, **self._options)

    def value(self) -> float:
        """The value over all stimuli so far."""
        total, said = self._total(), self._claims()
        instead = f"cs.measures.{said.held_out} on some of the stimuli"
        warn_null(said, total.n, total.x.size, total.y.size, instead)
        return self._of(total)

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """(low, high): value +- t sd, by leaving out one group of batches at a time (grouped jackknife).

        It holds where batches are alike, as those of a shuffled stream are: stimuli of one batch that resemble
        each other (frames of a film) must not be spread over batches. There must be as many batches as groups.
        """
        level = check_number(level, name="level", who=f"{self._who}.interval", low=0.0, high=1.0)
        if len(self._groups) == 1:
            raise InputError(
                f"{self._who}.interval: groups=1 keeps a single sum, of which none can be left out; make it with "
                f"{self._who}(groups=10).",
                code="too-few",
            )
        full = [place for place, part in enumerate(self._groups) if part is not None]
        if len(full) < len(self._groups):
            raise InputError(
                f"{self._who}.interval: at least {len(self._groups)} batches are needed, one per group, got "
                f"{self._batches}; use smaller batches, or {self._who}(groups=...) with fewer groups.",
                code="too-few",
            )
        without = np.array([self._of(self._total(place)) for place in full])
        low, high = jackknife_interval(
            self.value(), without, n=len(full), left_out=1, level=level, exhaustive=True
        )
        lowest, highest = self._claims().range
        return max(float(low), lowest), min(float(high), highest)

    def __repr__(self) -> str:
        units = "" if self._shift is None else f", {len(self._shift[0])} and {len(self._shift[1])} units"
        return f"<{self._who}> {self.n} stimuli in {self._batches} batches{units}"
