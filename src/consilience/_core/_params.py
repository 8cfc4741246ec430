"""Checks of parameters, with one wording: who, what was expected, what came, what to do."""

from __future__ import annotations

import importlib
import math
import numbers
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from consilience._core._errors import InputError, MissingDependencyError, UnknownNameError, nearest

__all__ = ["check_count", "check_number", "check_option", "check_span", "require", "shorten"]


def shorten(value: object, limit: int = 80) -> str:
    """A repr that fits in a message: at most ``limit`` characters, control characters escaped; of arrays of several
    lines, alone or in a list, what they are.
    """
    text = repr(value)
    if "\n" in text:
        items = list(value.values()) if isinstance(value, dict) else value
        if hasattr(value, "shape"):
            text = f"{type(value).__name__} of shape {tuple(value.shape)}"
        elif isinstance(items, (list, tuple)) and hasattr(items[0], "shape"):
            text = f"{type(value).__name__} of {len(items)} {type(items[0]).__name__}"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def check_span(window: Any, what: str, *, who: str) -> tuple[float, float]:
    """Returns a window (from, to) as two finite numbers, from < to; ``what``: in which time it is."""
    try:
        low, high = (float(v) for v in window)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(
            f"{who}: window must be (from, to) in {what}, from < to, got {shorten(window)}.",
            code="bad-window",
        )
    return low, high


def check_option(value: object, options: Iterable[str], *, name: str, who: str) -> Any:
    """Returns ``value`` if it is one of ``options``; else `UnknownNameError` with the nearest."""
    known = list(options)
    if not isinstance(value, str) or value not in known:
        listed = ", ".join(repr(option) for option in known)
        hint = nearest(value, known) if isinstance(value, str) else ""
        hint = hint if hint.startswith(" Did") else ""
        raise UnknownNameError(
            f"{who}: {name} must be one of {listed}, got {shorten(value)}.{hint}", code="unknown-option"
        )
    return value


def check_count(value: object, *, name: str, who: str, minimum: int = 0, maximum: int | None = None) -> int:
    """Returns ``value`` as int if it is a whole number in [minimum, maximum]."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    whole = whole and getattr(getattr(value, "dtype", None), "kind", "i") != "m"  # a span of time
    if not whole or value < minimum or (maximum is not None and value > maximum):  # type: ignore[operator]
        bound = f"at least {minimum}" if maximum is None else f"between {minimum} and {maximum}"
        raise InputError(
            f"{who}: {name} must be a whole number, {bound}; got {shorten(value)}.", code="bad-parameter"
        )
    return int(value)  # type: ignore[call-overload]


def check_number(
    value: object,
    *,
    name: str,
    who: str,
    low: float = -math.inf,
    high: float = math.inf,
    closed: bool = False,
) -> float:
    """Returns ``value`` as float if it is a real number in (low, high), or in [low, high] when ``closed``."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    try:
        number = float(value) if real else math.nan  # type: ignore[arg-type]
    except (TypeError, OverflowError):  # a span of time, a whole number of 400 digits
        number = math.nan
    inside = low <= number <= high if closed else low < number < high
    if not inside:
        bracket = f"[{low:g}, {high:g}]" if closed else f"({low:g}, {high:g})"
        raise InputError(
            f"{who}: {name} must be a number in {bracket}; got {shorten(value)}.", code="bad-parameter"
        )
    return number


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Imports an optional package, or says which extra to install and what it is for."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise MissingDependencyError(
            f"{purpose} needs {package}, which is not installed here ({error}); install it with: "
            f"pip install 'consilience[{extra}]'"
        ) from None
