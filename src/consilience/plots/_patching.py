"""Patching: a map of layers by tokens, of the places of one layer, or intervals of single parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import axis_labels, label, number
from consilience.plots._marks import name_columns
from consilience.plots._panels import stacked
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    dress,
    own_axes,
    signed_map,
    style,
    tip,
    values_map,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from consilience._results._patching import Patching

_MOST_DOTS = 40
_PLACE = re.compile(r"[yx](\d+),[yx](\d+)")


def plot_patching(result: Patching, ax: Axes | None = None, *, part: object = None) -> Axes:
    """Draws effects with intervals, or as a map: layers by tokens (or parts), or the places of one layer.

    Framed: p_family at most 0.05. Hollow dots: above it, or not tested. Of parts at several layers and places one panel
    each. Of very many dots the largest are drawn.

    Parameters
    ----------
    part : which parts, where there are several at several places.
    """
    who = "plot_patching"
    check_is(result, "Patching", who)
    data = result.data
    sizes = {dim: data.sizes[dim] for dim in ("layer", "place", "part")}
    many = [dim for dim, size in sizes.items() if size > 1]
    if sizes["place"] > 1 and sizes["part"] > 1 and (sizes["layer"] > 1 or part is not None):
        return _panels(result, pick_names(data, "part", part, who), ax)
    if len(many) < 2 and not _is_map(result):
        return _dots(result, ax)
    columns = "part" if sizes["part"] > 1 else "place"
    rows = "place" if columns == "part" and sizes["place"] > 1 else "layer"
    rest = next(dim for dim in ("layer", "place", "part") if dim not in (rows, columns))
    with style():
        if _is_map(result):
            return _map(result, ax)
        ax = own_axes(ax, max(3.6, 2.0 + 0.34 * sizes[columns]), max(2.2, 1.3 + 0.26 * sizes[rows]))
        return _matrix(ax, data.isel({rest: 0}), rows, columns, _title(result))


def _title(result: Patching) -> str:
    s = result.settings
    into = "clean into corrupted" if s.get("direction") == "denoise" else "corrupted into clean"
    return f"{label(s.get('system', ''), 30)}: {into}"


def _is_map(result: Patching) -> bool:
    names = [str(name) for name in result.data["place"].values.tolist()]
    alone = result.data.sizes["layer"] == 1 and result.data.sizes["part"] == 1
    return alone and len(names) > 1 and all(_PLACE.fullmatch(name) for name in names)


def _panels(result: Patching, parts: list[object], ax: Axes | None) -> Axes:
    data = result.data
    wide = max(3.6, 2.0 + 0.34 * data.sizes["place"])
    tall = max(2.0, 1.2 + 0.24 * data.sizes["layer"])

    def draw(part: object, panel: Axes) -> None:
        _matrix(panel, data.sel(part=part), "layer", "place", f"{_title(result)}\npart {label(part, 30)}")

    return stacked(ax, draw, parts, option="part", who="plot_patching", size=(wide, tall))


def _colours(values: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    top = max(float(known.max(initial=0.0)), 1e-9)
    if (known < -0.05 * top).any():
        top = max(top, -float(known.min()))
        return {"cmap": signed_map(), "vmin": -top, "vmax": top}
    return {"cmap": values_map(), "vmin": 0.0, "vmax": top}


def _bar(ax: Axes, image: Any) -> None:
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02, aspect=25)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=MUTED, labelsize=7, length=2)
    bar.set_label("effect: share of\nthe difference", fontsize=8, color=MUTED)


def _matrix(ax: Axes, data: Any, rows: str, columns: str, title: str) -> Axes:
    values = data["effect"].transpose(rows, columns).values
    p = data["p_family"].transpose(rows, columns).values
    dress(ax, grid="", spines=())
    image = ax.imshow(values, aspect="auto", interpolation="nearest", **_colours(values))
    _frames(ax, p)
    places, words = axis_labels(data[rows].values.tolist())
    ax.set_yticks(places, words)
    name_columns(ax, data[columns].values.tolist(), max(3.6, 2.0 + 0.34 * values.shape[1]) - 1.6)
    ax.set_xlabel(_framed("place or token" if columns == "place" else "part", p))
    ax.set_ylabel("layer" if rows == "layer" else "place or token")
    ax.set_title(title)
    _bar(ax, image)
    return ax


def _map(result: Patching, ax: Axes | None) -> Axes:
    names = [str(name) for name in result.data["place"].values.tolist()]
    found = [_PLACE.fullmatch(name) for name in names]
    at = np.array([[int(m[1]), int(m[2])] for m in found if m])
    shape = tuple(int(v) for v in at.max(axis=0) + 1)
    values, p = np.full(shape, np.nan), np.full(shape, np.nan)
    flat = result.data.isel(layer=0, part=0)
    values[at[:, 0], at[:, 1]] = flat["effect"].values
    p[at[:, 0], at[:, 1]] = flat["p_family"].values
    ax = own_axes(ax, 4.2, 3.4)
    dress(ax, grid="", spines=())
    image = ax.imshow(values, interpolation="nearest", **_colours(values))
    _frames(ax, p)
    ax.set(xlabel=_framed("x of the layer", p), ylabel="y of the layer", xticks=[], yticks=[])
    ax.set_title(f"{_title(result)}, {label(result.data['layer'].values[0], 24)}")
    _bar(ax, image)
    return ax


def _frames(ax: Axes, p: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(p <= 0.05):
        box = Rectangle((column - 0.44, row - 0.44), 0.88, 0.88, fill=False, edgecolor=INK, linewidth=1.1)
        tip(box, f"p over all {number(float(p[row, column]))}")
        ax.add_patch(box)


def _framed(words: str, p: np.ndarray) -> str:
    """The words of an axis, with what frames mean."""
    return f"{words}\nframed: p over all patches at most 0.05" if (p <= 0.05).any() else words


def _dots(result: Patching, ax: Axes | None) -> Axes:
    frame = result.to_frame()
    left = max(0, len(frame) - _MOST_DOTS)
    if left:
        order = np.sort(np.argsort(-frame["effect"].abs().to_numpy(), kind="stable")[:_MOST_DOTS])
        frame = frame.iloc[order].reset_index(drop=True)
    with style():
        ax = own_axes(ax, 5.4, max(1.9, 1.2 + 0.24 * len(frame)))
        dress(ax, grid="x")
        for y, row in enumerate(frame.to_dict("records")):
            low, high = row["ci_low"], row["ci_high"]
            if np.isfinite(low):
                ax.plot([low, high], [y, y], color=PALETTE[0], linewidth=2.2, solid_capstyle="round")
            if np.isfinite(row["control"]):
                ax.plot(
                    [row["control"]], [y], "d", color=FAINT, markersize=4.5, label="control patch", zorder=2.5
                )
            sure = row["p_family"] <= 0.05
            (dot,) = ax.plot(
                [row["effect"]],
                [y],
                "o",
                color=PALETTE[0] if sure else "white",
                markeredgecolor=PALETTE[0],
                markersize=6,
                label="p over all at most 0.05" if sure else "p above 0.05, or not tested",
                zorder=3,
            )
            tip(dot, f"{label(_name(row, frame), 60)}\n{number(row['effect'], 3)}")
        ax.axvline(0, color=MUTED, linewidth=0.8)
        ax.axvline(1, color=MUTED, linewidth=0.8, linestyle="--")
        places, words = axis_labels([_name(row, frame) for row in frame.to_dict("records")])
        ax.set_yticks(places, words)
        ax.set_ylim(len(frame) - 0.4, -0.6)
        ax.set_xlabel("effect: share of the difference between clean and corrupted")
        ax.set_title(_title(result) + (f" (the {_MOST_DOTS} largest)" if left else ""))
        handles, names = ax.get_legend_handles_labels()
        unique = dict(zip(names, handles))
        ax.legend(unique.values(), unique.keys(), loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7.5)
    return ax


def _name(row: dict[Any, Any], frame: pd.DataFrame) -> str:
    shown = [dim for dim in ("layer", "place", "part") if frame[dim].nunique() > 1]
    return " ".join(str(row[dim]) for dim in shown) or str(row["layer"])
