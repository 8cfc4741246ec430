"""What the plots of a `Reduction` share: checks of components, names of axes, keys of colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import label, number
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import FAINT, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Reduction
    from consilience.plots._condition_colors import Colors

__all__ = ["color_key", "component_name", "picked", "row_labels"]


def picked(reduction: Reduction, components: Sequence[Any] | None, most: int, who: str) -> list[int]:
    """Numbers of the components asked for by number from 0 or name; by default the first ``most``."""
    check_is(reduction, "Reduction", who)
    every = [str(v) for v in reduction.components["component"].values.tolist()]
    if components is None:
        first = _of_marginalizations(reduction) if most <= 3 else []
        return (first + [j for j in range(len(every)) if j not in first])[:most]
    asked = list(components) if isinstance(components, (list, tuple, range, np.ndarray)) else [components]
    out = []
    for one in asked:
        if isinstance(one, (int, np.integer)) and not isinstance(one, bool):
            if not 0 <= one < len(every):
                raise InputError(
                    f"{who}: components are 0 to {len(every) - 1}, or names; got {one}.", code="bad-parameter"
                )
            out.append(int(one))
        else:
            pick_names(reduction.components, "component", [one], who)
            out.append(every.index(str(one)))
    return out


def _of_marginalizations(reduction: Reduction) -> list[int]:
    """Of demixed components the first of each marginalization but time, the strongest first."""
    c = reduction.components
    if "marginalization" not in c.coords:
        return []
    parts = c["marginalization"].values.tolist()
    first = [parts.index(part) for part in dict.fromkeys(parts) if part != "time"]
    return sorted(first, key=lambda j: -float(c["explained"][j]))


def component_name(reduction: Reduction, j: int, *, share: bool = True) -> str:
    row = reduction.components.isel(component=j)
    name = label(str(row["component"].values), 22)
    value = float(row["explained"])
    return (
        f"{name} ({100 * value:.2g} %)".replace("(-", "(−")
        if share and np.isfinite(value) and abs(value) < 1.5
        else name
    )


def row_labels(data: Any, dim: str) -> dict[str, np.ndarray]:
    return {
        str(k): np.asarray(v.values)
        for k, v in data.coords.items()
        if v.dims == (dim,) and str(k) not in ("condition", "repeat", "unit")
    }


def color_key(ax: Axes, colors: Colors, *, beside: float = 1.01) -> None:
    """A legend of categories beside the axis, or a bar (a ring, for angles) of numbers.

    beside : where the legend begins, in widths of the axis.
    """
    from matplotlib.lines import Line2D

    if colors.names:
        handles = [Line2D([], [], color=c, linewidth=2.2) for _, c in colors.names[:16]]
        words = [label(n, 18) for n, _ in colors.names[:16]]
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (beside, 1.0), "handlelength": 1.2}
        ax.legend(handles, words, title=label(colors.label, 18), alignment="left", title_fontsize=8, **place)
        return
    if colors.scale is None:
        return
    chart, low, high = colors.scale
    if colors.circular:
        ring = ax.inset_axes((1.07, 0.68, 0.26, 0.3), projection="polar")
        angle = np.linspace(0, 2 * np.pi, 120)
        ring.pcolormesh(
            angle, [0.62, 1.0], np.tile((angle[:-1] + angle[1:]) / 2, (1, 1)), cmap=chart, shading="flat"
        )
        ring.set_axis_off()
        ring.set_ylim(0, 1)
        ring.text(0, 0, label(colors.label, 10), ha="center", va="center", fontsize=7, color=MUTED)
        turn = abs(high - 2 * np.pi) < 1e-9
        marks = ("0", "π/2", "π") if turn else ("0", number(high / 4), number(high / 2))
        for at, mark in zip((0.0, np.pi / 2, np.pi), marks):
            ring.text(at, 1.3, mark, ha="center", va="center", fontsize=7, color=MUTED)
        return
    bar = ax.inset_axes((1.04, 0.2, 0.03, 0.6))
    bar.imshow(
        np.linspace(0, 1, 64)[:, None], cmap=chart, aspect="auto", origin="lower", extent=(0, 1, low, high)
    )
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.tick_params(labelsize=7, length=2, color=FAINT, labelcolor=MUTED)
    for spine in bar.spines.values():
        spine.set_visible(False)
    bar.set_title(label(colors.label, 14), fontsize=8, color=MUTED, fontweight="normal", loc="left")
