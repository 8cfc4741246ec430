"""Values that are meant as counts and look like rates or averages."""

from __future__ import annotations

import numpy as np

from consilience._core._errors import warn

__all__ = ["count_step", "say_rates"]

_FEWEST = 20  # values above 0: of fewer, all can be even by chance
_ROUNDING = 1e-9  # of 3 / 0.1


def count_step(x: np.ndarray) -> float | None:
    """The largest number of which all of ``x`` are whole multiples: 1 for counts, 20 for rates of bins of 0.05 s; None
    where some value is no whole number. 1 too where values are too few or too large to tell.
    """
    whole = np.round(x)
    if (np.abs(x - whole) > _ROUNDING * np.maximum(1.0, np.abs(x))).any():
        return None
    some = np.abs(whole[whole != 0])
    if some.size < _FEWEST or some.max() > 2**53 or (some == 1).any():
        return 1.0
    few = int(np.gcd.reduce(some[:1000].astype(np.int64)))
    return float(few if few == 1 else np.gcd.reduce(some.astype(np.int64)))


def say_rates(x: np.ndarray, *, who: str, then: str, stacklevel: int = 3) -> None:
    """Warns of values that are no counts: fractions, or multiples of a step. ``then``: what is wrong for these."""
    step = count_step(x)
    if step == 1:
        return
    if step is None:
        seen = "these are not whole numbers: rates, or averages of counts"
    else:
        seen = f"all of these are multiples of {step:g}: rates"
        seen += ", or spikes that were counted twice" if step == 2 else f" of bins of {1 / step:.4g} s?"
    warn(
        "rates-as-counts",
        f"{who} takes counts of spikes, and {seen}; {then}.",
        "Rates times the width of the bins are counts; sums over time instead of means, single trials instead of "
        "averages.",
        stacklevel=stacklevel,
    )
