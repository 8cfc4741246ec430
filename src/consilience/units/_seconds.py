"""Options in seconds that were meant in milliseconds."""

from __future__ import annotations

from consilience._core._errors import InputError, warn
from consilience._core._params import check_number

__all__ = ["check_refractory", "say_long_bins"]

_REFRACTORY = 0.1  # s; no refractory period is as long
_BINS = 1.0  # s


def check_refractory(value: object, *, who: str, low: float = 0.0, closed: bool = False) -> float:
    """A refractory period in s; one of more than 0.1 s is refused."""
    refractory = check_number(value, name="refractory", who=who, low=low, closed=closed)
    if refractory > _REFRACTORY:
        raise InputError(
            f"{who}: refractory is in seconds, at most {_REFRACTORY:g}, got {refractory:g}; milliseconds divided by "
            f"1000 are {refractory / 1000:g}.",
            code="bad-parameter",
        )
    return refractory


def say_long_bins(width: float, *, who: str, what: str, longest: float = _BINS, stacklevel: int = 3) -> None:
    """Warns of bins of ``longest`` s or more."""
    if width >= longest:
        warn(
            "long-bins",
            f"{who}: width={width:g} s is far longer than bins of {what} are.",
            "Seconds are meant: divide milliseconds by 1000.",
            stacklevel=stacklevel,
        )
