"""The systems laid out by how alike their RDMs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import label, visible
from consilience.plots._read import check_is
from consilience.plots._style import INK, PALETTE, PAPER, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import RDMs

_MOST_NAMES = 40
_SPOTS = (
    (7, 0, "left", "center"),
    (-7, 0, "right", "center"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (6, 6, "left", "bottom"),
    (-6, 6, "right", "bottom"),
    (6, -6, "left", "top"),
    (-6, -6, "right", "top"),
)


def plot_systems_map(rdms: RDMs, ax: Axes | None = None) -> Axes:
    """Draws each system as a point: near = like RDMs (1 - Spearman). Axes have no unit and no meaning of
    their own.

    Each name stands where it hides least; past 40 systems only every second, third, ... is named.
    """
    check_is(rdms, "RDMs", "plot_systems_map")
    if rdms.systems_map is None:
        raise InputError(
            "plot_systems_map: one system has no map; give cs.rdms at least two.", code="nothing-to-draw"
        )
    systems = rdms.systems_map["system"].values.tolist()
    points = np.asarray(rdms.systems_map.values, dtype=np.float64)
    with style():
        ax = own_axes(ax, 5.2, 4.4)
        dress(ax, grid="", spines=())
        ax.set(xticks=[], yticks=[])
        ax.set_aspect("equal", adjustable="datalim")
        known = np.asarray(np.isfinite(points).all(axis=1))
        for k in np.flatnonzero(known):
            (dot,) = ax.plot(
                [points[k, 0]],
                [points[k, 1]],
                "o",
                color=PALETTE[0],
                markersize=7,
                markeredgecolor=PAPER,
                markeredgewidth=0.8,
            )
            if len(systems) <= 300:
                tip(dot, visible(str(systems[k])[:80]))
        ax.margins(0.18)
        if known.any():
            _names(ax, [label(s, 22) for s in systems], points, known)
        ax.set_title("systems, by their RDMs")
    return ax


def _names(
    ax: Axes, words: list[str], points: np.ndarray, known: np.ndarray, *, scale: float | None = None
) -> None:
    """Greedy: each name takes the spot around its point that overlaps least, in rough points of the page; ``scale``:
    how many a unit is, None = as many as fill the figure.
    """
    inches = np.asarray(ax.figure.get_size_inches()) * 72 * 0.75  # type: ignore[union-attr]
    low = points[known].min(0)
    span = max(float((points[known].max(0) - low).max()), 1e-12)
    place = (points - low) * (inches.min() / span if scale is None else scale)
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in place[known]]
    for k in np.flatnonzero(known)[:: -(-int(known.sum()) // _MOST_NAMES)]:
        wide, tall = 4.6 * len(words[k]), 9.0
        best = min(
            _SPOTS, key=lambda spot: sum(_overlap(_box(place[k], spot, wide, tall), other) for other in taken)
        )
        taken.append(_box(place[k], best, wide, tall))
        ax.annotate(
            words[k],
            points[k],
            xytext=best[:2],
            textcoords="offset points",
            ha=best[2],
            va=best[3],
            fontsize=8,
            color=INK,
        )


def _box(
    at: np.ndarray, spot: tuple[int, int, str, str], wide: float, tall: float
) -> tuple[float, float, float, float]:
    x, y = at[0] + spot[0], at[1] + spot[1]
    left = x if spot[2] == "left" else x - wide if spot[2] == "right" else x - wide / 2
    bottom = y if spot[3] == "bottom" else y - tall if spot[3] == "top" else y - tall / 2
    return left, bottom, left + wide, bottom + tall


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
