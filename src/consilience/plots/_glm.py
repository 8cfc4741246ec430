"""What a GLM found: filters and tuning curves with intervals, and its rescaled intervals against uniform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import label
from consilience.plots._read import check_is
from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience.stats import TimeRescaling

_MOST_NAMED = len(PALETTE)


def plot_filter(
    value: Any,
    ax: Axes | None = None,
    *,
    low: Any = None,
    high: Any = None,
    at: Any = None,
    names: Sequence[object] | None = None,
    xlabel: str = "lag (samples)",
    ylabel: str = "change of the linear predictor",
) -> Axes:
    """Draws a filter (n,), or several (k, n), with the bands ``low`` to ``high`` of the same shape.

    at : (n,) where the values stand (lags, seconds, angles); None = 0, 1, 2 ....   names : one for each filter.
    """
    from matplotlib.ticker import MaxNLocator

    rows = _rows(value, "value", None)
    ends = [
        None if end is None else _rows(end, name, rows.shape) for name, end in (("low", low), ("high", high))
    ]
    k, n = rows.shape
    place = np.arange(n, dtype=float) if at is None else np.asarray(at, dtype=float)
    if place.shape != (n,) or (names is not None and len(names) != k):
        raise InputError(
            f"plot_filter: at must be {n} places and names {k} names, one for each filter.",
            code="bad-parameter",
        )
    if k > _MOST_NAMED:
        raise InputError(
            f"plot_filter: at most {_MOST_NAMED} filters in one axis, got {k}; draw some.",
            code="bad-parameter",
        )
    with style():
        ax = own_axes(ax, 5.2, 3.4)
        dress(ax, grid="y")
        ax.axhline(0, color=FAINT, linewidth=0.8)
        for j, row in enumerate(rows):
            if ends[0] is not None and ends[1] is not None:
                ax.fill_between(place, ends[0][j], ends[1][j], color=PALETTE[j], alpha=0.18, linewidth=0)
            said = None if names is None else label(names[j], 30)
            (line,) = ax.plot(place, row, color=PALETTE[j], linewidth=1.8, label=said)
            tip(line, said or f"filter {j + 1}")
        if n > 1:
            ax.set_xlim(place.min(), place.max())
        if at is None:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
        if names is not None and k > 1:
            ax.legend(loc="best", handlelength=1.2)
        elif names is not None:
            ax.set_title(label(names[0], 40))
    return ax


def plot_time_rescaling(
    found: TimeRescaling, ax: Axes | None = None, *, names: Sequence[object] | None = None
) -> Axes:
    """Draws, for every unit, the share of rescaled intervals up to each value less that of a uniform variable.

    A true model stays between the dashed lines with probability ``level``: they are those of the unit with the median
    number of intervals. Up to 8 units have colours; of more, those that leave their own band are drawn in the first.
    """
    check_is(found, "TimeRescaling", "plot_time_rescaling")
    known = [u for u in range(len(found.uniform)) if found.uniform[u].size > 1]
    out = found.statistic > found.band
    few = len(known) <= _MOST_NAMED
    with style():
        ax = own_axes(ax, 5.2, 3.6)
        dress(ax, grid="y")
        ax.axhline(0, color=FAINT, linewidth=0.8)
        for order, u in enumerate(known):
            z = found.uniform[u]
            share = np.arange(1, z.size + 1) / z.size - 0.5 / z.size
            said = label(names[u] if names is not None else f"unit {u}", 24)
            color = PALETTE[order] if few else (PALETTE[1] if out[u] else MUTED)
            (line,) = ax.plot(
                z,
                share - z,
                color=color,
                linewidth=1.6 if few else 0.9,
                alpha=1 if few else 0.55,
                label=said if few else None,
            )
            tip(line, f"{said}: distance {found.statistic[u]:.3f}, p {found.p[u]:.2g}")
        band = float(np.nanmedian(found.band)) if known else np.nan
        if np.isfinite(band):
            for side in (-band, band):
                ax.axhline(side, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
            ax.axhspan(-band, band, color=BAND, alpha=0.4, linewidth=0)
        ax.set_xlim(0, 1)
        ax.set_xlabel("rescaled interval, 1 - exp(-tau)")
        ax.set_ylabel("share of intervals - uniform")
        count = f"{int(out[known].sum())} of {len(known)} units leave their {100 * found.level:g} % band"
        ax.set_title(f"Time rescaling: {count}" if known else "Time rescaling: too few spikes")
        if few and len(known) > 1:
            ax.legend(loc="best", handlelength=1.2)
    return ax


def _rows(values: Any, name: str, shape: tuple[int, ...] | None) -> np.ndarray:
    out = np.atleast_2d(np.asarray(values, dtype=float))
    if out.ndim != 2 or not out.size or (shape is not None and out.shape != shape):
        wanted = "(lags,) or (filters, lags)" if shape is None else f"the shape of value, {shape}"
        raise InputError(f"plot_filter: {name} must be {wanted}, got {out.shape}.", code="bad-parameter")
    return out
