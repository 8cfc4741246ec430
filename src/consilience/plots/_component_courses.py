"""Components over time: a panel each, means of conditions with intervals over trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._condition_colors import Colors, colors_of
from consilience.plots._labels import label
from consilience.plots._panels import panel_places
from consilience.plots._reduction_parts import component_name, picked, row_labels
from consilience.plots._style import FAINT, MUTED, dress, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction

_PANELS, _MOST = 9, 12
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1.2, 1.2)), (0, (5, 1.4, 1.2, 1.4)))


def courses_of(reduction: Reduction) -> list[int]:
    """The components that are drawn unless others are asked for."""
    c = reduction.components
    if "marginalization" not in c.coords:
        return list(range(min(_PANELS, c.sizes["component"])))
    parts = c["marginalization"].values
    first = [np.flatnonzero(parts == part)[:3].tolist() for part in dict.fromkeys(parts.tolist())]
    return [j for part in first for j in part][:_MOST]


def plot_component_courses(
    reduction: Reduction,
    ax: Axes | None = None,
    *,
    components: Sequence[int | str] | None = None,
    color: Any = None,
    period: float | None = None,
) -> Axes:
    """Draws a panel per component: lines are means over trials of a condition, bands their intervals (given the axes).

    ``ax`` becomes an empty frame around the panels. Colour is the first label (or ``color``), dashes the second. The
    dotted line is time 0.

    Parameters
    ----------
    components : numbers or names; the first 9, of demixed ones the first 3 of each marginalization.
    color : label, or one value for each condition.   period : of a label that is an angle.
    """
    who = "plot_component_courses"
    shown = picked(reduction, courses_of(reduction) if components is None else components, _PANELS, who)
    if "time" not in reduction.latents.dims:
        raise InputError(f"{who}: the latents have no time; draw them with plot_latents.", code="bad-dims")
    table = reduction.conditions
    if table is not None:
        mean, low, high = (table[k].values for k in ("mean", "ci_low", "ci_high"))
        labels = row_labels(table, "condition")
    else:
        z = reduction.latents.values
        z = z if z.ndim == 3 else z[None]
        mean = np.nanmean(z, axis=0, keepdims=True) if len(z) > 1 else z
        low = high = np.full_like(mean, np.nan)
        labels = {}
    time = np.asarray(
        reduction.latents["time"].values if "time" in reduction.latents.coords else np.arange(mean.shape[1])
    )
    colors = colors_of(labels, len(mean), by=color, period=period, who=who)
    dashes = _dashes(labels, colors, len(mean))
    columns = min(3, len(shown))
    with style():
        ax, places, key = panel_places(
            ax,
            len(shown),
            columns,
            panel=(2.5, 1.8),
            frame=(0.7, 0.9),
            key=0.2,
            key_first=True,
            gaps=((0.06, 0.04), (0.5, 0.3)),
            who=who,
        )
        panels = [ax.figure.add_subplot(place) for place in places]
        faint = float(np.clip(1 / len(mean), 0.05, 0.16))
        for i, (panel, j) in enumerate(zip(panels, shown)):
            dress(panel)
            for k in range(len(mean)):
                if np.isfinite(low[k, :, j]).any():
                    panel.fill_between(
                        time, low[k, :, j], high[k, :, j], color=colors.each[k], alpha=faint, linewidth=0, zorder=2,
                    )  # fmt: skip
                panel.plot(
                    time, mean[k, :, j], color=colors.each[k], linestyle=dashes[k][1], linewidth=1.4, zorder=3
                )
            if time[0] < 0 < time[-1]:
                panel.axvline(0, color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
            panel.set_xlim(time[0], time[-1])
            panel.set_title(component_name(reduction, j), fontsize=9)
            if i + columns >= len(shown):
                unit = reduction.latents.attrs.get("time_units", "s")
                panel.set_xlabel(f"time ({unit})" if "time" in reduction.latents.coords else "bin")
            else:
                panel.tick_params(labelbottom=False)
        _key(ax.figure.add_subplot(key), colors, dashes)
    return ax


def _dashes(labels: dict[str, np.ndarray], colors: Colors, n: int) -> list[tuple[str, Any]]:
    """(name, dash) of each line by the first label that is not the colour's."""
    for name, values in labels.items():
        levels = [str(v) for v in np.unique(values).tolist()]
        if name != colors.label and 1 < len(levels) <= len(_DASHES):
            return [(str(v), _DASHES[levels.index(str(v))]) for v in values.tolist()]
    return [("", "-")] * n


def _key(ax: Axes, colors: Colors, dashes: list[tuple[str, Any]]) -> None:
    from matplotlib.lines import Line2D

    ax.set_axis_off()
    entries = [(n, {"color": c, "linestyle": "-"}) for n, c in colors.names[:12]]
    seen = dict.fromkeys(d for d in dashes if d[0])
    if len(seen) > 1:
        entries += [(n, {"color": MUTED, "linestyle": d}) for n, d in seen]
    handles = [Line2D([], [], linewidth=1.8, **how) for _, how in entries]
    if handles:
        number_first = colors.scale is not None
        ax.legend(
            handles,
            [label(n, 20) for n, _ in entries],
            loc="lower right" if number_first else "lower left",
            ncols=min(8, len(handles)),
            borderaxespad=0,
            handlelength=2.2,
            columnspacing=1.2,
        )
    if colors.scale is not None:
        _, low, high = colors.scale
        words = f"{label(colors.label, 24)}: {low:.3g} (light) to {high:.3g} (dark)"
        words = f"{label(colors.label, 24)}: round the circle of colours" if colors.circular else words
        ax.text(0, 0.1, words, transform=ax.transAxes, color=MUTED, fontsize=8)
