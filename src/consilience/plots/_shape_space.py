"""A space of systems: heat map in the order of the tree, the tree above it, the map beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, told_apart
from consilience.plots._read import check_is
from consilience.plots._style import (
    INK,
    MUTED,
    PALETTE,
    PAPER,
    axis_name_rotation,
    drawing_svg,
    dress,
    own_axes,
    style,
    tip,
    values_map,
)
from consilience.plots._systems_map import _names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import ShapeSpace

_MOST_NAMES = 40
_SUPPORTED = 0.95


def plot_shape_space(space: ShapeSpace, ax: Axes | None = None) -> Axes:
    """Draws the distances in the order of the tree (darker = nearer), the tree above them, and the map of the systems.

    In the tree, a filled dot is a cluster found in at least 95 % of the draws over stimuli, an open dot one found in
    fewer; without draws there are none. In the map, systems of one label have one colour.
    """
    check_is(space, "ShapeSpace", "plot_shape_space")
    names = [str(s) for s in space.data["system"].values.tolist()]
    distance = np.asarray(space.data["value"].values, dtype=np.float64)
    with style():
        ax = own_axes(ax, 10.4, 5.4)
        ax.set_axis_off()
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        longest = min(22, max(map(len, names)))
        left = min(0.16, 0.0085 * longest + 0.01)
        side = 0.5 - left
        tree = ax.inset_axes((left, 0.77, side, 0.18))
        heat = ax.inset_axes((left, 0.16, side, 0.6))
        order = _tree(tree, space)
        _heat(heat, ax, distance[np.ix_(order, order)], [names[k] for k in order], (left, side))
        _map(ax.inset_axes((0.58, 0.16, 0.42, 0.79)), space, names)
    return ax


def _tree(ax: Axes, space: ShapeSpace) -> list[int]:
    from scipy.cluster.hierarchy import dendrogram

    linkage = space.linkage
    found = dendrogram(linkage, no_plot=True)
    dress(ax, grid="", spines=("left",))
    for x, y in zip(found["icoord"], found["dcoord"]):
        ax.plot(x, y, color=MUTED, linewidth=1.1, solid_capstyle="round")
    support = np.asarray(space.tree["support"].values, dtype=np.float64)
    heights = linkage[:, 2]
    for x, y in zip(found["icoord"], found["dcoord"]):
        at = int(np.argmin(np.abs(heights - y[1])))
        if not np.isfinite(support[at]) or at == len(support) - 1:  # the whole is a cluster in any case
            continue
        sure = support[at] >= _SUPPORTED
        (dot,) = ax.plot(
            [(x[1] + x[2]) / 2],
            [y[1]],
            "o",
            markersize=4.5,
            color=INK if sure else PAPER,
            markeredgecolor=INK,
            markeredgewidth=0.8,
        )
        tip(dot, f"in {support[at]:.0%} of the draws")
    ax.set_xlim(0, 10 * len(found["leaves"]))
    low, high = float(heights.min()), float(heights.max())
    # merges that all lie far up would be a bundle of lines: the axis then starts below the lowest
    floor = low - 0.4 * (high - low) if high < 2 * low and high > low else 0.0
    ax.set_ylim(floor, high + 0.08 * (high - floor) or 1.0)
    ax.set_xticks([])
    ax.locator_params(axis="y", nbins=3)
    ax.set_ylabel("radians", fontsize=8)
    measure = str(space.settings.get("measure", ""))
    ax.set_title(f"distance: arccos of {label(measure, 34)}")
    return list(found["leaves"])


def _heat(ax: Axes, whole: Axes, d: np.ndarray, names: list[str], place: tuple[float, float]) -> None:
    dress(ax, grid="", spines=())
    k = len(d)
    shown = np.ma.masked_where(np.eye(k, dtype=bool), d)
    colors = values_map().reversed()
    off = d[~np.eye(k, dtype=bool)]
    low, high = float(off.min()), float(max(off.max(), off.min() + 1e-9))
    smooth = "none" if drawing_svg() else "nearest"
    image = ax.imshow(shown, cmap=colors, vmin=low, vmax=high, aspect="auto", interpolation=smooth)
    step = -(-k // _MOST_NAMES)
    at = list(range(0, k, step))
    words = [label(names[i], 22) for i in at]
    ax.set_yticks(at, words)
    rotation = axis_name_rotation(len(at), max(map(len, words)), 10.4 * place[1])
    if rotation:  # rows and columns have one order: names beside the rows are enough
        ax.set_xticks([])
    else:
        ax.set_xticks(at, words)
    ax.tick_params(length=0, pad=3, labelsize=7.5, labelcolor=INK)
    bar = whole.inset_axes((place[0], 0.055, 0.55 * place[1], 0.022))
    dress(bar, grid="", spines=())
    bar.imshow(
        np.linspace(low, high, 64)[None],
        cmap=colors,
        aspect="auto",
        extent=(low, high, 0, 1),
        interpolation="none" if drawing_svg() else "auto",
    )
    bar.set_yticks([])
    bar.locator_params(axis="x", nbins=4)
    bar.tick_params(length=0, pad=2, labelsize=7.5)
    whole.text(
        place[0] + 0.58 * place[1],
        0.066,
        "distance (darker = nearer)",
        fontsize=8,
        color=MUTED,
        va="center",
        ha="left",
    )
    del image


def _make_room(ax: Axes, points: np.ndarray, wide: float) -> float:
    """Limits, of one scale on both axes, that leave ``wide`` page points beside the systems, so that no name runs into
    the heat map; and that scale, page points per unit.
    """
    page = np.array([0.42 * 10.4, 0.79 * 5.4]) * 72
    low, high = points.min(axis=0), points.max(axis=0)
    inside = np.maximum(page - 2 * np.array([wide, 24.0]), 0.25 * page)
    unit = max(float(((high - low) / inside).max()), 1e-9)
    half, middle = unit * page / 2, (low + high) / 2
    ax.set_xlim(middle[0] - half[0], middle[0] + half[0], auto=True)
    ax.set_ylim(middle[1] - half[1], middle[1] + half[1], auto=True)
    return 1 / unit


def _map(ax: Axes, space: ShapeSpace, names: list[str]) -> None:
    dress(ax, grid="", spines=())
    points = np.asarray(space.map.values, dtype=np.float64)
    labels: Any = space.settings.get("labels")
    kinds = list(dict.fromkeys(labels.values())) if labels else []
    ax.set(xticks=[], yticks=[])
    ax.set_aspect("equal", adjustable="datalim")
    for name, point in zip(names, points):
        kind = labels[name] if labels else None
        (dot,) = ax.plot(
            [point[0]],
            [point[1]],
            "o",
            color=PALETTE[kinds.index(kind) % len(PALETTE) if kind is not None else 0],
            markersize=7,
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
        )
        tip(dot, label(name, 60))
    words = told_apart(names, 20)
    known = np.asarray(np.isfinite(points).all(axis=1))
    if known.any():
        _names(ax, words, points, known, scale=_make_room(ax, points[known], 4.6 * max(map(len, words)) + 12))
    ax.set_title("systems")
    ax.text(
        1.0,
        1.015,
        f"2 axes hold {space.map.attrs.get('explained', float('nan')):.0%} of the variance",
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
        color=MUTED,
    )
    if kinds and len(kinds) <= len(PALETTE):
        from matplotlib.patches import Patch

        # patches, as dots would read as systems
        said = [Patch(color=color, label=label(kind, 22)) for color, kind in zip(PALETTE, kinds)]
        wide = max(len(label(kind, 22)) for kind in kinds)
        ax.legend(
            handles=said,
            loc="upper left",
            bbox_to_anchor=(0.0, -0.04),
            ncols=max(1, min(4, len(kinds), 52 // (wide + 4))),
            handlelength=1.0,
            handleheight=0.8,
            handletextpad=0.5,
        )
