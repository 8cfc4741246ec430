"""The stimuli laid out by dissimilarity, as thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, told_apart, visible
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import FAINT, INK, PALETTE, PAPER, dress, own_axes, style, tip
from consilience.plots._thumbnails import Thumbnails, draw_thumbnail, thumbnails

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from consilience._results import RDMs

MOST_THUMBNAILS = 300
_MOST_NAMES = 40
_SIZE = 7
_SIDES = (("left", 3.0), ("center", 0.0), ("right", -3.0))


def plot_stimulus_map(
    rdms: RDMs,
    ax: Axes | None = None,
    *,
    system: str | None = None,
    stimuli: xr.DataArray | Thumbnails | None = None,
    category: str | None = "category",
) -> Axes:
    """Draws the map of one system: near = represented alike. Axes have no unit and no meaning of their own.

    Parameters
    ----------
    system : the first by default. All maps of a result are turned onto its first system.
    stimuli : DataArray (stimulus, y, x[, channel]) uint8 or a mapping id -> picture; without it dots, with
        names up to 40 stimuli. Past 300 stimuli dots as well.
    category : coordinate on ``stimulus`` (of the result or of ``stimuli``) that colours frames or dots;
        ignored where absent.
    """
    who = "plot_stimulus_map"
    check_is(rdms, "RDMs", who)
    system = pick_names(rdms.map, "system", system, who)[0]
    points = np.asarray(rdms.map.sel(system=system).values, dtype=np.float64)
    ids = rdms.map["stimulus"].values.tolist()
    pictures = thumbnails(stimuli, ids, who=who) if len(ids) <= MOST_THUMBNAILS else {}
    with style():
        ax = own_axes(ax, 5.2, 5.2)
        dress(ax, grid="", spines=())
        ax.set(xticks=[], yticks=[])
        ax.set_aspect("equal")
        known = np.asarray(np.isfinite(points).all(axis=1))
        span = float(np.ptp(points[known], axis=0).max()) if known.any() else 1.0
        span = span or 1.0
        edge = span * float(np.clip(0.55 / np.sqrt(max(len(ids), 1)), 0.03, 0.12))
        groups = _groups(rdms.map, stimuli, ids, category)
        kinds = list(dict.fromkeys(groups))
        colors = [PALETTE[kinds.index(g) % len(PALETTE)] if len(kinds) > 1 else FAINT for g in groups]
        words = told_apart(ids, 18) if len(ids) <= _MOST_NAMES else []
        for k, (key, (x, y)) in enumerate(zip(ids, points)):
            if not known[k]:
                continue
            if key in pictures:
                _framed(
                    ax, pictures[key], x, y, edge, colors[k], _words(key, groups[k]), thick=len(kinds) > 1
                )
            else:
                (dot,) = ax.plot(
                    [x],
                    [y],
                    "o",
                    color=colors[k] if len(kinds) > 1 else PALETTE[0],
                    markersize=6,
                    markeredgecolor=PAPER,
                    markeredgewidth=0.8,
                    zorder=3,
                )
                if len(ids) <= MOST_THUMBNAILS:
                    tip(dot, _words(key, groups[k]))
        if words:
            inches = 0.9 * min(float(v) for v in ax.figure.get_size_inches())  # type: ignore[union-attr]
            named = [w if k and key not in pictures else "" for w, k, key in zip(words, known, ids)]
            _name_points(ax, points, named, inches / (span + 2 * edge))
        low, high = (points[known].min(0), points[known].max(0)) if known.any() else (np.zeros(2), np.ones(2))
        half = span / 2 + edge  # a square, so that all maps of a page have one shape
        ax.set_xlim((low[0] + high[0]) / 2 - half, (low[0] + high[0]) / 2 + half)
        ax.set_ylim((low[1] + high[1]) / 2 - half, (low[1] + high[1]) / 2 + half)
        explained = float(rdms.data["explained"].sel(system=system)) if "explained" in rdms.data else np.nan
        ax.set_title(
            label(system, 30) + (f"  ({100 * explained:.0f} % explained)" if np.isfinite(explained) else "")
        )
        if 1 < len(kinds) <= len(PALETTE):
            handles = [
                ax.plot([], [], "s", color=PALETTE[i], markersize=6, linestyle="", label=label(kind, 20))[0]
                for i, kind in enumerate(kinds)
            ]
            inches = float(ax.figure.get_size_inches()[0]) * ax.get_position().width  # type: ignore[union-attr]
            fits = inches / (0.45 + 0.068 * max(len(str(handle.get_label())) for handle in handles))
            ax.legend(
                handles=handles,
                loc="upper center",
                bbox_to_anchor=(0.5, 0.0),
                ncols=max(1, min(4, len(kinds), int(fits))),
                handletextpad=0.3,
                columnspacing=1.2,
                borderaxespad=0.2,
            )
    return ax


def _name_points(ax: Axes, points: np.ndarray, words: list[str], inches: float) -> None:
    """Each name beside its point, where it covers the least of other points and names; ``inches`` per unit of the
    axes."""
    named = [k for k, word in enumerate(words) if word]
    at = 72 * inches * points  # in points of type
    height, gap = _SIZE + 1.0, 5.0
    taken: list[tuple[float, ...]] = [(*(at[k] - 3), *(at[k] + 3)) for k in named]  # left, bottom, right, top
    for k in named:
        x, y = at[k]
        width = 0.6 * _SIZE * len(words[k])
        places = [
            ("left", "center", gap, 0.0),
            ("right", "center", -gap, 0.0),
            *((ha, va, dx, dy) for va, dy in (("bottom", 4.0), ("top", -4.0)) for ha, dx in _SIDES),
        ]

        boxes = [_box(x, y, width, height, *place) for place in places]
        best = min(range(len(places)), key=[_covered(one, taken) for one in boxes].__getitem__)
        taken.append(boxes[best])
        ha, va, dx, dy = places[best]
        ax.annotate(
            words[k],
            points[k],
            xytext=(dx, dy),
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=_SIZE,
            color=INK,
        )


def _box(
    x: float, y: float, width: float, height: float, ha: str, va: str, dx: float, dy: float
) -> tuple[float, float, float, float]:
    left = x + dx - width * {"left": 0.0, "center": 0.5, "right": 1.0}[ha]
    low = y + dy - height * {"bottom": 0.0, "center": 0.5, "top": 1.0}[va]
    return left, low, left + width, low + height


def _covered(a: tuple[float, ...], taken: list[tuple[float, ...]]) -> float:
    """How much of the boxes ``taken`` the box ``a`` lies on."""
    return sum(
        max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        for b in taken
    )


def _words(key: Any, group: str) -> str:
    return visible(str(key)[:80]) + (f"\n{visible(group[:60])}" if group else "")


def _groups(mapped: xr.DataArray, stimuli: Any, ids: list[Any], category: str | None) -> list[str]:
    if category is None:
        return [""] * len(ids)
    if category in mapped.coords and mapped[category].dims == ("stimulus",):
        return [str(entry) for entry in mapped[category].values.tolist()]
    coords = getattr(stimuli, "coords", {})
    if category in coords and coords[category].dims == ("stimulus",):
        table = dict(zip(stimuli["stimulus"].values.tolist(), map(str, coords[category].values.tolist())))
        return [table.get(key, "") for key in ids]
    return [""] * len(ids)


def _framed(
    ax: Axes, picture: np.ndarray, x: float, y: float, edge: float, color: str, words: str, *, thick: bool
) -> None:
    from matplotlib.patches import Rectangle

    half = edge / 2
    draw_thumbnail(ax, picture, (x - half, x + half, y - half, y + half))
    frame = Rectangle(
        (x - half, y - half),
        edge,
        edge,
        facecolor=(0, 0, 0, 0.004),
        edgecolor=color,
        linewidth=1.6 if thick else 0.5,
        zorder=3,
    )
    tip(ax.add_patch(frame), words)
