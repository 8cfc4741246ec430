"""Colours of conditions and of continuous labels: categories, light to dark, or round a circle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.plots._style import PALETTE, values_map

__all__ = ["Colors", "circle_map", "colors_of"]

_WHEEL = ("#0072b2", "#1fa3a0", "#5fb04a", "#e0b000", "#d55e00", "#c04f8f", "#7a5fb8", "#0072b2")
_MOST = len(PALETTE)


@dataclass(frozen=True)
class Colors:
    """each : (n, 4).   names : of categories, with their colours; empty for numbers.   scale : (map, low, high) of
    numbers, else None.   label : what is shown.
    """

    each: np.ndarray
    names: tuple[tuple[str, Any], ...]
    scale: tuple[Any, float, float] | None
    label: str
    circular: bool = False


def _natural(text: str) -> list[tuple[int, float, str]]:
    """Numbers in a name by their size: "45 deg" before "135 deg", "layer 2" before "layer 10"."""
    pieces = re.findall(r"[-−]?\d+(?:\.\d+)?|\D+|-", text)
    return [
        (0, float(p.replace("−", "-")), "") if any(c.isdecimal() for c in p) else (1, 0.0, p) for p in pieces
    ]


def circle_map() -> Any:
    """Colours whose end is their beginning, for angles."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("consilience_circle", _WHEEL)


def colors_of(labels: dict[str, np.ndarray], n: int, *, by: Any, period: float | None, who: str) -> Colors:
    """Colours of n rows by the label ``by`` (a name, or n values); None = the first label, or one colour."""
    from matplotlib.colors import to_rgba

    name = "value"
    if by is None and labels:
        by = next(iter(labels))
    if by is None:
        return Colors(np.tile(to_rgba(PALETTE[0]), (n, 1)), (), None, "")
    if isinstance(by, str):
        name = check_option(by, labels, name="color", who=who)
        values = np.asarray(labels[name])
    else:
        values = np.asarray(by)
        if values.shape != (n,):
            raise InputError(
                f"{who}: color must be the name of a label or {n} values, one for each row; got shape {values.shape}.",
                code="shape-mismatch",
            )
    levels = np.unique(values.astype(str) if values.dtype.kind == "O" else values)
    numbers = values.dtype.kind in "iuf" and (
        levels.size > 6 or period is not None or values.dtype.kind == "f"
    )
    if numbers:
        value = values.astype(np.float64)
        if period is not None:
            low, high, chart = 0.0, float(period), circle_map()
            value = value % high
        else:
            low, high = float(np.nanmin(value)), float(np.nanmax(value))
            chart = values_map()
            # the lightest end cannot be seen on paper
            from matplotlib.colors import LinearSegmentedColormap

            chart = LinearSegmentedColormap.from_list("consilience_deep", chart(np.linspace(0.25, 1, 64)))
        return Colors(
            chart((value - low) / ((high - low) or 1.0)), (), (chart, low, high), name, period is not None
        )
    text = values.astype(str)
    order = sorted((str(v) for v in levels.tolist()), key=_natural)
    if len(order) <= _MOST:
        table = {v: to_rgba(PALETTE[i]) for i, v in enumerate(order)}
    else:
        wheel = circle_map()
        table = {v: wheel(i / len(order)) for i, v in enumerate(order)}
    return Colors(np.array([table[v] for v in text]), tuple(table.items()), None, name)
