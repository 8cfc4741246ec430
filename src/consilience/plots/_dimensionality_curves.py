"""Dimensions of many systems, such as layers: a panel for each measure, a curve along the systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._along_systems import curve, name_systems, places_of, runs_of
from consilience.plots._labels import label, number
from consilience.plots._style import INK, MUTED, PALETTE, dress, tip, values_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Dimensionality

__all__ = ["draw_curve", "in_turn", "ramp"]

_KEYS = ("value", "ci_low", "ci_high", "null_low", "null_high")


def in_turn(names: list[str]) -> dict[str, Any]:
    """A colour for each system, light to deep in their order."""
    return dict(zip(names, map(tuple, values_map()(np.linspace(0.3, 1.0, len(names)))), strict=True))


def draw_curve(ax: Axes, result: Dimensionality, measure: str, systems: list[str], words: str) -> None:
    at = result.data.sel(measure=measure, system=systems)
    table = {key: at[key].values for key in _KEYS}
    finite = np.concatenate([table[key][np.isfinite(table[key])] for key in ("value", "ci_low")])
    if not finite.size:
        return
    dress(ax, grid="y")
    runs = runs_of(systems)
    x = places_of(runs)
    top = float(finite.max())
    far = [v for key in ("ci_high", "null_low") for v in table[key][np.isfinite(table[key])].tolist()]
    top = max(top, min(max([top, *far]), 12 * top))
    log = finite.min() > 0 and top > 12 * float(np.nanmedian(table["value"]))
    if log:
        ax.set_yscale("log")
    low = float(finite.min()) / 1.4 if log else min(0.0, float(finite.min()))
    edge = 1.6 * top if log else 1.15 * top
    curve(ax, x, runs, table, PALETTE[0], edge=edge)
    for k, v in enumerate(table["value"]):
        (dot,) = ax.plot([x[k]], [v], "o", color=PALETTE[0], markersize=4, zorder=4)
        tip(dot, f"{label(systems[k], 40)}\n{number(v, 3)}")
    name_systems(ax, systems, x, runs)
    ax.set_ylim(low, edge)
    if log:
        from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("dimensions" if measure != "cvpca" else "exponent")
    ax.set_title(words, fontsize=9, pad=4, color=INK)


def ramp(ax: Axes, color: dict[str, Any]) -> None:
    """The key of `in_turn`: first and last name at the ends of a bar, and what grey is."""
    names = list(color)
    bar = ax.inset_axes((0.3, 0.35, 0.2, 0.3))
    bar.imshow([[color[name] for name in names]], aspect="auto", extent=(0, 1, 0, 1))
    bar.set_axis_off()
    how: dict[str, Any] = {"transform": ax.transAxes, "va": "center", "fontsize": 8, "color": MUTED}
    ax.text(0.29, 0.5, label(names[0], 24), ha="right", **how)
    ax.text(0.51, 0.5, label(names[-1], 24), ha="left", **how)
    ax.text(1.0, 0.5, "grey: unrelated units", ha="right", **how)
