"""Layer profile: how alike each layer is, with intervals, ceiling, null and untrained copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import interval_text, label, number
from consilience.plots._marks import name_columns
from consilience.plots._read import check_is, field, level, names, pick_measure, pick_names
from consilience.plots._style import (
    BAND,
    BEST,
    FAINT,
    INK,
    MUTED,
    PALETTE,
    PAPER,
    dress,
    own_axes,
    style,
    tip,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Comparison

MOST_CURVES = len(PALETTE)
_MOST_TIPS = 120


def plot_profile(
    comparison: Comparison,
    ax: Axes | None = None,
    *,
    measure: str | None = None,
    b: str | Sequence[str] | None = None,
    legend: bool = True,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draws one curve over side a (layers, in the order of the data) for each system of side b.

    Dark band: interval over stimuli. Light band: stimuli and subjects together, where there are several.
    Grey band: noise ceiling. Dotted line: mean of the permutations, else the closed-form null. Thin grey
    lines: untrained copies. Ring: the best layer, chosen on other stimuli than it is scored on. What is NaN
    is not drawn; past 8 systems of side b the rest is left out, and the figure says so.

    Parameters
    ----------
    measure : one of the comparison's measures; the first by default (measures have scales of their own: one
        per axis).
    b : one or several systems of side b; all by default.
    limits : of the value axis; by default from what is drawn.
    """
    who = "plot_profile"
    check_is(comparison, "Comparison", who)
    measure = pick_measure(comparison.data, measure, who)
    systems = pick_names(
        comparison.data, "b", list(b) if b is not None and not isinstance(b, str) else b, who
    )
    shown = systems[:MOST_CURVES]
    layers = names(comparison.data, "a")
    x = np.arange(len(layers))
    with style():
        ax = own_axes(ax, float(np.clip(2.5 + 0.28 * len(layers), 4.8, 9.6)), 3.8)
        dress(ax)
        seeds = _baselines(ax, comparison, measure, shown, x)
        named: set[Any] = set()
        for system in shown:
            _curve(
                ax,
                comparison,
                measure,
                system,
                x,
                PALETTE[names(comparison.data, "b").index(system) % MOST_CURVES],
                alone=len(shown) == 1,
            )
            _best(ax, comparison, measure, system, layers, named)
        _rest(ax, comparison, measure, shown, x)
        _hits(ax, comparison, measure, shown, layers)
        _layer_axis(ax, layers)
        _value_axis(ax, limits)
        ax.set_ylabel(label(measure))
        left_out = f" ({len(systems) - len(shown)} more not drawn)" if len(systems) > len(shown) else ""
        ax.set_title(label(shown[0], 40) if len(shown) == 1 else f"{label(measure)} by layer{left_out}")
        if legend:
            _legend(ax, seeds)
    return ax


def _curve(
    ax: Axes, comparison: Comparison, measure: str, system: Any, x: np.ndarray, color: str, *, alone: bool
) -> None:
    where = {"measure": measure, "b": system}
    value = field(comparison.data, "value", **where)
    percent = f"{100 * level(comparison):g} % interval"
    for name, alpha, words in (("ci_both", 0.10, "stimuli and subjects"), ("ci", 0.24, "stimuli")):
        low, high = (
            field(comparison.data, f"{name}_low", **where),
            field(comparison.data, f"{name}_high", **where),
        )
        if np.any(np.isfinite(low)) and (alone or name == "ci"):
            legend = f"{percent}, {words}" if alone else None
            ax.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0, zorder=2.5, label=legend)
            if len(x) == 1:
                ax.vlines(x, low, high, color=color, linewidth=3 if name == "ci" else 1.5, zorder=2.6)
    marker: dict[str, Any] = (
        {"marker": "o", "markersize": 4, "markeredgecolor": PAPER, "markeredgewidth": 0.6}
        if len(x) <= 80
        else {}
    )
    ax.plot(
        x, value, color=color, linewidth=1.8, zorder=4, label=label(system), solid_joinstyle="round", **marker
    )


def _rest(ax: Axes, comparison: Comparison, measure: str, systems: list[Any], x: np.ndarray) -> None:
    """Ceilings and null lines; a second system's ceiling is drawn hatched by its edge only."""
    edges = np.concatenate([x[:1] - 0.5, x[:-1] + 0.5, x[-1:] + 0.5])
    for i, system in enumerate(systems):
        where = {"measure": measure, "b": system}
        low, high = (
            field(comparison.data, "ceiling_low", **where),
            field(comparison.data, "ceiling_high", **where),
        )
        color = PALETTE[names(comparison.data, "b").index(system) % MOST_CURVES]
        if np.any(np.isfinite(low)):
            fill: dict[str, Any] = (
                {"color": BAND, "linewidth": 0}
                if len(systems) == 1
                else {"color": color, "alpha": 0.10, "linewidth": 0}
            )
            bottom, top = np.append(low, low[-1]), np.append(high, high[-1])
            words = "noise ceiling" if i == 0 else None
            ax.fill_between(edges, bottom, top, step="post", zorder=1, label=words, **fill)
        null = field(comparison.data, "null_mean", **where)
        if not np.any(np.isfinite(null)):
            null = field(comparison.data, "null_expected", **where)
        if np.any(np.isfinite(null)):
            ax.plot(
                x, null, color=MUTED, linestyle=":", linewidth=1, zorder=2, label="null" if i == 0 else None
            )


def _baselines(ax: Axes, comparison: Comparison, measure: str, systems: list[Any], x: np.ndarray) -> int:
    if comparison.baselines is None:
        return 0
    seeds = names(comparison.baselines, "seed")
    for i, system in enumerate(systems):
        curves = field(comparison.baselines, "value", measure=measure, b=system).reshape(len(seeds), len(x))
        for k, curve in enumerate(curves[:20]):
            words = f"untrained ({len(seeds)} seed{'s' * (len(seeds) > 1)})" if i == k == 0 else None
            dash = "-" if len(systems) == 1 else ("-", "--", "-.")[i % 3]
            ax.plot(x, curve, color=FAINT, linewidth=0.9, linestyle=dash, zorder=2.2, label=words)
    return len(seeds)


def _best(
    ax: Axes, comparison: Comparison, measure: str, system: Any, layers: list[Any], named: set[Any]
) -> None:
    if comparison.best_a is None or measure not in comparison.best_a["measure"].values:
        return
    row = comparison.best_a.sel(measure=measure, b=system)
    chosen = row["chosen"].item()
    if chosen not in layers:
        return
    i = layers.index(chosen)
    value = float(field(comparison.data, "value", measure=measure, b=system, a=chosen))
    if not np.isfinite(value):
        return
    ax.plot(
        [i],
        [value],
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=BEST,
        markeredgewidth=1.6,
        linestyle="",
        zorder=5,
    )
    if chosen in named:
        return
    named.add(chosen)
    side = "left" if i < 0.25 * len(layers) else "right" if i > 0.75 * len(layers) else "center"
    ax.annotate(
        label(chosen, 24),
        (i, value),
        xytext=({"left": -6, "right": 6, "center": 0}[side], 11),
        textcoords="offset points",
        ha=side,
        va="bottom",
        fontsize=8.5,
        color=INK,
        fontweight="bold",
        zorder=6,
    )


def _hits(ax: Axes, comparison: Comparison, measure: str, systems: list[Any], layers: list[Any]) -> None:
    """Columns as good as invisible, one per layer, that carry the report's tooltips."""
    if len(layers) > _MOST_TIPS:
        return
    columns = {
        s: {n: field(comparison.data, n, measure=measure, b=s) for n in ("value", "ci_low", "ci_high")}
        for s in systems
    }
    for i, layer in enumerate(layers):
        lines = [label(layer, 60)]
        for system, column in columns.items():
            interval = interval_text(column["ci_low"][i], column["ci_high"][i], lambda v: number(v, 3))
            lines.append(f"{label(system, 40)}: {number(column['value'][i], 3)} {interval}".rstrip())
        tip(
            ax.axvspan(
                i - 0.5, i + 0.5, facecolor=MUTED, edgecolor="none", alpha=0.004, zorder=7, linewidth=0
            ),
            "\n".join(lines),
        )


def _layer_axis(ax: Axes, layers: list[Any]) -> None:
    inches = ax.figure.get_size_inches()[0] * max(ax.get_position().width, 0.2)  # type: ignore[union-attr]
    name_columns(ax, layers, float(inches))
    ax.set_xlim(-0.6, len(layers) - 0.4)


def _value_axis(ax: Axes, limits: tuple[float, float] | None) -> None:
    if limits is not None:
        ax.set_ylim(*limits)
        return
    shared = [other.dataLim for other in ax.get_shared_y_axes().get_siblings(ax)]
    ends = np.array([(box.y0, box.y1) for box in shared if np.isfinite([box.y0, box.y1]).all()])
    if not len(ends):
        return
    low, high = min(ends[:, 0].min(), 0.0), ends[:, 1].max()
    high = high if high > low else low + 1
    ax.set_ylim(low - 0.04 * (high - low), high + 0.18 * (high - low))


def _legend(ax: Axes, seeds: int) -> None:
    handles, words = ax.get_legend_handles_labels()
    if handles:
        columns = min(4, len(handles))
        rows = -(-len(handles) // columns)
        ax.legend(
            handles,
            words,
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=columns,
            borderaxespad=0.2,
            handlelength=1.6,
            columnspacing=1.4,
        )
        ax.set_title(ax.get_title(loc="left"), loc="left", pad=8 + 14 * rows)
