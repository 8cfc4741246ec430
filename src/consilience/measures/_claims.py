"""What a measure says of itself: one suite tests it, both ways; verbs, warnings and docs follow it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["INVARIANCES", "SIMILARITIES", "Claims"]

INVARIANCES = (
    "translation",  # one vector added to all stimuli
    "scaling",  # all values times one positive number
    "rotation",  # orthogonal transformation of the units
    "permutation",  # units in another order
    "unit_scaling",  # each unit times its own positive number
    "affine",  # invertible linear transformation of the units
    "stimulus_shift",  # one number per stimulus added to all units
    "stimulus_scaling",  # each stimulus' pattern times its own positive number
)
SIMILARITIES = frozenset({"translation", "scaling", "rotation", "permutation"})  # what keeps the geometry


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a measure says of itself. The common suite tests each claim; verbs, warnings and docs follow them.

    label : name in text.   range : (lowest, highest) possible.
    itself : value of a system with itself; None = no fixed value.   symmetric : f(x, y) == f(y, x).
    invariant, invariant_y : transformations of x (of y) that leave the value; all others must change it.
    null : expected value for independent Gaussian data of n stimuli, p and q units.
    null_text : the same in words.
    inflation : what must exceed 0.1 for the warning ``null-not-zero``; None = null itself.
    resample : rule for intervals over stimuli.
    held_out : name of the held-out form that `compare` uses instead.
    takes_rdms : can be computed from RDMs alone.   min_stimuli : fewest stimuli.
    libraries : array libraries it runs on.   converts : the work is done in NumPy whatever came in.
    references : keys of references.bib.   method : one sentence for a methods section.
    """

    label: str
    range: tuple[float, float]
    itself: float | None
    symmetric: bool
    invariant: frozenset[str]
    invariant_y: frozenset[str] | None = None
    null: Callable[[int, int, int], float] = lambda n, p, q: 0.0
    null_text: str = "0"
    inflation: Callable[[int, int, int], float] | None = None
    resample: Literal["pairs", "predictions", "subsample", "none"] = "none"
    held_out: str | None = None
    takes_rdms: bool = False
    min_stimuli: int = 4
    libraries: tuple[str, ...] = ("numpy", "torch", "array_api_strict")
    converts: bool = False
    references: tuple[str, ...] = ()
    method: str = ""

    def inflated(self, n: int, p: int, q: int) -> bool:
        """Would independent data of this size score so high that the value misleads (above 0.1)?"""
        return (self.inflation or self.null)(n, p, q) > 0.1
