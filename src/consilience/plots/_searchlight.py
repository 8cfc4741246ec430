"""The map of a searchlight: values where the units are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._params import check_option
from consilience.plots._labels import label
from consilience.plots._read import check_is
from consilience.plots._style import INK, MUTED, dress, own_axes, signed_map, style, values_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Searchlight

_MOST_SLICES = 12


def plot_searchlight(result: Searchlight, ax: Axes | None = None, *, field: str = "value") -> Axes:
    """Draws one number of each centre at its place: a map, a row of maps (slices of the third coordinate) or a line.

    Ringed: centres with p_fwer <= 0.05. Places that lie on a grid are drawn as its cells. Values on both sides of 0
    have colours that part at 0, which is marked on the scale.

    Parameters
    ----------
    field : "value", or another number of ``result.data``.
    """
    who = "plot_searchlight"
    check_is(result, "Searchlight", who)
    check_option(field, [str(n) for n in result.data.data_vars], name="field", who=who)
    names = [str(n) for n in result.settings.get("coordinates", [])]
    places = [result.data[n].values for n in names[:3]]
    value = result.data[field].values
    found = result.data["p_fwer"].values <= 0.05
    name = str(result.settings.get("method", field)) if field in ("value", "ci_low", "ci_high") else field
    name = f"{name} ({field})" if field in ("ci_low", "ci_high") else name
    title = " and ".join(label(str(result.settings.get(side, "")), 30) for side in ("system", "target"))
    with style():
        if len(places) == 1:
            ax = own_axes(ax, 5.2, 3.2)
            dress(ax)
            order = np.argsort(places[0])
            ax.plot(places[0][order], value[order], color=INK, linewidth=1.2)
            ax.plot(places[0][found], value[found], "o", color=INK, markersize=4, label="p_fwer <= 0.05")
            if (value < 0).any() and (value > 0).any():
                ax.axhline(0, color=MUTED, linewidth=0.8)
            ax.set(xlabel=names[0], ylabel=label(name))
            ax.set_title(title, loc="left")
            return ax
        levels = np.unique(places[2]) if len(places) == 3 else np.array([np.nan])
        shown = levels[:: max(1, -(-levels.size // _MOST_SLICES))]
        across = min(4, shown.size)
        down = -(-shown.size // across)
        wide, tall = (float(np.ptp(p)) + 1e-9 for p in places[:2])
        edge = 1.3 + 3.2 * float(np.clip(wide / tall, 0.4, 2.0))
        ax = own_axes(
            ax, edge if shown.size == 1 else 1.2 + 2.4 * across, 3.9 if shown.size == 1 else 2.6 * down
        )
        ax.set_axis_off()
        known = value[np.isfinite(value)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        signed = low < 0 < high
        if signed:
            low, high = -max(-low, high), max(-low, high)
        if len(places) == 3:
            ax.set_title(title, loc="left", pad=10)
        spacing = [_spacing(p) for p in places[:2]]
        image = None
        for k, z in enumerate(shown):
            row, column = divmod(k, across)
            box = ax.inset_axes((0.88 * column / across, 1 - (row + 1) / down, 0.82 / across, 0.84 / down))
            inside = np.ones(value.size, bool) if np.isnan(z) else places[2] == z
            image = _cells(
                box, places[0][inside], places[1][inside], value[inside], spacing, (low, high), signed
            )
            _rings(box, places[0][inside & found], places[1][inside & found], spacing)
            if np.isnan(z):
                box.set(xlabel=names[0], ylabel=names[1])
                box.set_title(title, loc="left", pad=6)
            else:
                box.set_title(f"{names[2]} = {z:g}", pad=3, fontsize=8)
                box.set(xticks=[], yticks=[])
        assert image is not None
        bar = ax.inset_axes((0.92, 0.2, 0.02, 0.6))
        ax.figure.colorbar(image, cax=bar)
        dress(bar, grid="", spines=())
        if signed:
            bar.axhline(0, color=INK, linewidth=1.2)
        bar.set_title(label(name), loc="left", fontsize=8, color=MUTED, fontweight="normal")
        if found.any():
            ax.text(
                0.92, 0.0, "framed:\np_fwer \u2264 0.05", transform=ax.transAxes, fontsize=7.5, color=MUTED
            )
    return ax


def _spacing(values: np.ndarray) -> float:
    steps = np.diff(np.unique(values))
    return float(steps.min()) if steps.size else 1.0


def _cells(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    value: np.ndarray,
    spacing: list[float],
    limits: tuple[float, float],
    signed: bool,
) -> Any:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    dress(ax, grid="", spines=())
    across, down = spacing
    cells = [Rectangle((a - across / 2, b - down / 2), across, down) for a, b in zip(x, y)]
    image = PatchCollection(cells, cmap=signed_map() if signed else values_map(), linewidth=0)
    image.set_array(np.ma.masked_invalid(value))
    image.set_clim(*limits)
    ax.add_collection(image)
    ax.set_xlim(x.min() - across, x.max() + across)
    ax.set_ylim(y.max() + down, y.min() - down)  # rows count downwards, as in a picture
    ax.set_aspect("equal")
    return image


def _rings(ax: Axes, x: np.ndarray, y: np.ndarray, spacing: list[float]) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    across, down = spacing
    cells = [Rectangle((a - across / 2, b - down / 2), across, down) for a, b in zip(x, y)]
    ax.add_collection(PatchCollection(cells, facecolor="none", edgecolor="#d55e00", linewidth=0.9))
