"""Heat map: layers by brain systems, the ceilings as a column of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import axis_labels, interval_text, label, number, probability
from consilience.plots._marks import name_columns
from consilience.plots._read import check_is, field, names, pick_measure
from consilience.plots._style import (
    BEST,
    INK,
    MUTED,
    drawing_svg,
    dress,
    ink_on,
    own_axes,
    style,
    tip,
    values_map,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Comparison

_MOST_CELLS = 600
_MOST_TEXT = 30


def plot_map(comparison: Comparison, ax: Axes | None = None, *, measure: str | None = None) -> Axes:
    """Draws side a (columns) by side b (rows), coloured by value; darker = more alike.

    Each cell has its value in words while there are at most 30 columns; the best column of each row (chosen
    on other stimuli) is framed; a last column, set apart, gives each row's noise ceiling on the same
    colours, at its upper end. NaN cells are grey. The scale of the colours, from its lowest to its
    highest value, stands at the upper right.

    Parameters
    ----------
    measure : one of the comparison's measures; the first by default.
    """
    check_is(comparison, "Comparison", "plot_map")
    measure = pick_measure(comparison.data, measure, "plot_map")
    columns, rows = names(comparison.data, "a"), names(comparison.data, "b")
    table = comparison.data.sel(measure=measure).transpose("b", "a", ...)
    value = np.asarray(table["value"].values, dtype=np.float64)
    ceilings = [field(comparison.data, f"ceiling_{end}", measure=measure) for end in ("low", "high")]
    low, high = (_over_columns(comparison, measure, end, len(rows)) for end in ("low", "high"))
    has_ceiling = bool(np.any(np.isfinite(ceilings)))
    with style():
        width = float(np.clip(2.2 + 0.42 * len(columns), 4, 9.6))
        ax = own_axes(ax, width, 1.9 + 0.36 * min(len(rows), 40))
        dress(ax, grid="", spines=())
        norm, colors = _norm(value, high), values_map()
        small = value.size <= _MOST_CELLS
        if small:
            _cells(ax, comparison, measure, value, columns, rows, norm, colors)
        else:
            ax.imshow(
                value,
                cmap=colors,
                norm=norm,
                aspect="auto",
                interpolation="none",
                extent=(-0.5, len(columns) - 0.5, len(rows) - 0.5, -0.5),
            )
        if has_ceiling:
            _ceiling_column(ax, low, high, len(columns), norm, colors)
        if small:
            _frames(ax, comparison, measure, columns, rows)
        _axes(ax, columns, rows, has_ceiling)
        _scale(ax, norm, colors)
        wide = ax.figure.get_size_inches()[0] * ax.get_position().width > 5  # type: ignore[union-attr]
        ax.set_title(label(measure), pad=22 if wide else 36, y=1.0)  # beside the scale, or above it
    return ax


def _scale(ax: Axes, norm: Any, colors: Any) -> None:
    """The colours in words, at the upper right: inches from the corner of ``ax``, whatever its size."""
    from matplotlib.transforms import ScaledTranslation

    corner = ax.figure.dpi_scale_trans + ScaledTranslation(1, 1, ax.transAxes)  # type: ignore[arg-type]
    bar = ax.inset_axes((-1.32, 0.36, 1.3, 0.09), transform=corner)
    bar.imshow(
        np.linspace(norm.vmin, norm.vmax, 64)[None],
        cmap=colors,
        norm=norm,
        aspect="auto",
        extent=(norm.vmin, norm.vmax, 0, 1),
        interpolation="none" if drawing_svg() else "auto",
    )
    dress(bar, grid="", spines=())
    bar.set_yticks([])
    inner = 0.0 if norm.vmin < 0 < norm.vmax else (norm.vmin + norm.vmax) / 2
    span = norm.vmax - norm.vmin  # ends first; what would run into them is left out
    ends = [norm.vmin, norm.vmax]
    ticks = sorted([*ends, *([inner] if min(abs(inner - end) for end in ends) > 0.3 * span else [])])
    bar.set_xticks(ticks, [number(tick) for tick in ticks])
    bar.tick_params(length=0, pad=2, labelsize=7.5)
    ax.annotate(
        "value (darker = more alike)",
        (-1.42, 0.36),
        xycoords=corner,
        ha="right",
        va="bottom",
        fontsize=8,
        color=MUTED,
        annotation_clip=False,
    )


def _over_columns(comparison: Comparison, measure: str, end: str, count: int) -> np.ndarray:
    """One ceiling per row: the mean over columns, which mostly are equal."""
    table = comparison.data.sel(measure=measure).transpose("b", "a", ...)
    if f"ceiling_{end}" not in table:
        return np.full(count, np.nan)
    values = np.asarray(table[f"ceiling_{end}"].values, dtype=np.float64)
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(1)
    return np.where(finite.any(1), total / np.maximum(finite.sum(1), 1), np.nan)


def _norm(value: np.ndarray, high: np.ndarray) -> Any:
    from matplotlib.colors import Normalize

    known = np.concatenate([value[np.isfinite(value)], high[np.isfinite(high)], [0.0]])
    top = float(known.max())
    return Normalize(float(known.min()), top if top > known.min() else float(known.min()) + 1)


def _box(ax: Axes, x: float, y: float, color: Any, *, width: float = 1, **options: Any) -> Any:
    from matplotlib.patches import Rectangle

    return ax.add_patch(
        Rectangle(
            (x - width / 2 + 0.025, y - 0.46), width - 0.05, 0.92, facecolor=color, linewidth=0, **options
        )
    )


def _cells(
    ax: Axes,
    comparison: Comparison,
    measure: str,
    value: np.ndarray,
    columns: list[Any],
    rows: list[Any],
    norm: Any,
    colors: Any,
) -> None:
    at = {n: field(comparison.data, n, measure=measure) for n in ("ci_low", "ci_high", "p", "p_fwer")}
    flip = list(comparison.data["value"].dims).index("a") < list(comparison.data["value"].dims).index("b")
    at = {n: v.T if flip else v for n, v in at.items()}
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            v = value[y, x]
            color = colors(norm(v)) if np.isfinite(v) else colors.get_bad()
            interval = interval_text(at["ci_low"][y, x], at["ci_high"][y, x])
            p = probability(at["p"][y, x])
            said = f"{label(column, 60)} · {label(row, 40)}\n{number(v, 3)} {interval} {p}"
            tip(_box(ax, x, y, color), said.rstrip())
            if len(columns) <= _MOST_TEXT:
                ax.text(
                    x,
                    y,
                    _brief(v),
                    ha="center",
                    va="center_baseline",
                    fontsize=7.5,
                    color=ink_on(tuple(color)),
                )


def _brief(value: float) -> str:
    text = number(value)
    return text.replace("0.", ".", 1) if text.lstrip("−").startswith("0.") else text


def _frames(ax: Axes, comparison: Comparison, measure: str, columns: list[Any], rows: list[Any]) -> None:
    from matplotlib.patches import Rectangle

    if comparison.best_a is None or measure not in comparison.best_a["measure"].values:
        return
    for y, row in enumerate(rows):
        chosen = comparison.best_a["chosen"].sel(measure=measure, b=row).item()
        if chosen in columns:
            x = columns.index(chosen)
            ax.add_patch(
                Rectangle((x - 0.5, y - 0.48), 1, 0.96, fill=False, edgecolor=BEST, linewidth=2, zorder=4)
            )


def _ceiling_column(ax: Axes, low: np.ndarray, high: np.ndarray, count: int, norm: Any, colors: Any) -> None:
    wide = max(1.7, 0.09 * count)
    x = count - 0.5 + 0.35 + wide / 2
    for y, (bottom, top) in enumerate(zip(low, high)):
        if not np.isfinite(top):
            ax.text(x, y, "–", ha="center", va="center_baseline", fontsize=7.5, color=MUTED)
            continue
        color = colors(norm(top))
        _box(ax, x, y, color, width=wide)
        if len(low) <= 40:
            ax.text(
                x,
                y,
                f"{_brief(bottom)} to {_brief(top)}",
                ha="center",
                va="center_baseline",
                fontsize=7.5,
                color=ink_on(tuple(color)),
            )
    ax.set_xticks([x], ["noise ceiling"], minor=True)
    ax.set_xlim(-0.55, x + wide / 2 + 0.05)


def _axes(ax: Axes, columns: list[Any], rows: list[Any], has_ceiling: bool) -> None:
    name_columns(ax, columns, float(ax.figure.get_size_inches()[0]) * 0.8)  # type: ignore[union-attr]
    if not has_ceiling:
        ax.set_xlim(-0.55, len(columns) - 0.45)
    places, words = axis_labels(rows)
    ax.set_yticks(places, words)
    ax.set_ylim(len(rows) - 0.45, -0.55)
    ax.tick_params(length=0, which="both")
    ax.tick_params(axis="x", which="minor", labelsize=8, labelcolor=INK)
    ax.tick_params(axis="y", labelcolor=INK)
    ax.set_xlabel("side a")
    ax.set_ylabel("side b")
