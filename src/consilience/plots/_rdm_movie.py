"""Curves of a movie of RDMs, and its temporal generalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label
from consilience.plots._read import check_is
from consilience.plots._style import (
    BAND,
    INK,
    MUTED,
    PALETTE,
    drawing_svg,
    dress,
    own_axes,
    style,
    values_map,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import RDMMovie

_MOST_MODELS = 6


def plot_rdm_movie(movie: RDMMovie, ax: Axes | None = None) -> Axes:
    """Draws likeness to each model over time (left) and the generalisation matrix (right) inside ``ax``.

    Coloured band: interval over stimuli. Grey band: permutations. Bars below the curves: p_fwer <= 0.05. Dashed:
    reliability, the agreement of RDMs of two halves of the trials. Without models only reliability is drawn; without
    repeats no matrix.
    """
    check_is(movie, "RDMMovie", "plot_rdm_movie")
    square = movie.generalisation is not None
    with style():
        ax = own_axes(ax, 8.6 if square else 5.2, 3.6)
        ax.set_axis_off()
        ax.set(xlim=(0, 1), ylim=(0, 1))
        _curves(ax.inset_axes((0, 0, 0.54 if square else 1, 1)), movie)
        if square:
            _matrix(ax, movie)
    return ax


def _curves(ax: Axes, movie: RDMMovie) -> None:
    dress(ax)
    data, x = movie.data, movie.data["time"].values
    models = data["model"].values.tolist()[:_MOST_MODELS] if "model" in data.dims else []
    low = 0.0
    for k, model in enumerate(models):
        row = {
            str(name): v.sel(model=model).values for name, v in data.data_vars.items() if "model" in v.dims
        }
        if k == 0 and np.isfinite(row["null_low"]).any():
            ax.fill_between(
                x, row["null_low"], row["null_high"], color=BAND, linewidth=0, zorder=1, label="permutations"
            )
        if np.isfinite(row["ci_low"]).any():
            ax.fill_between(
                x, row["ci_low"], row["ci_high"], color=PALETTE[k], alpha=0.2, linewidth=0, zorder=2
            )
        ax.plot(x, row["value"], color=PALETTE[k], linewidth=1.8, zorder=4, label=label(model, 24))
        low = min(low, np.nanmin([np.nanmin(row["value"]), np.nanmin(np.append(row["ci_low"], 0))]))
    if np.isfinite(data["reliability"]).any():
        agreed = {n: data[f"reliability{n}"].values for n in ("", "_low", "_high")}
        if not models and np.isfinite(agreed["_low"]).any():
            ax.fill_between(x, agreed["_low"], agreed["_high"], color=MUTED, alpha=0.2, linewidth=0, zorder=2)
        ax.plot(
            x, agreed[""], color=INK, linewidth=1.2, linestyle="--", zorder=3, label="reliability (halves)"
        )
        low = min(low, float(np.nanmin(agreed[""])))
    _bars(ax, movie, models, low)
    ax.axhline(0, color=MUTED, linewidth=0.8, zorder=1.5)
    ax.set_xlabel(f"time ({movie.settings.get('time_units', 's')})")
    ax.set_ylabel(f"likeness to the model ({movie.settings.get('method', '')})" if models else "correlation")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderaxespad=0.2, handlelength=1.6)


def _bars(ax: Axes, movie: RDMMovie, models: list[Any], low: float) -> None:
    """Times at which a model is above chance after correction."""
    x = movie.data["time"].values
    half = np.median(np.diff(x)) / 2 if x.size > 1 else 0.5
    words = "bars: p_fwer \u2264 0.05"
    for k, model in enumerate(models):
        found = movie.data["p_fwer"].sel(model=model).values <= 0.05
        y = low - 0.05 - 0.035 * k
        ax.hlines(
            np.full(int(found.sum()), y),
            x[found] - half,
            x[found] + half,
            color=PALETTE[k],
            linewidth=2.5,
            label=words if found.any() else "",
        )
        words = "" if found.any() else words  # once in the legend


def _matrix(ax: Axes, movie: RDMMovie) -> None:
    assert movie.generalisation is not None
    x, values = movie.generalisation["time"].values, movie.generalisation.values
    half = np.median(np.diff(x)) / 2 if x.size > 1 else 0.5
    box = ax.inset_axes((0.64, 0, 0.30, 1))
    dress(box, grid="", spines=())
    top = max(float(np.nanmax(values)), 1e-3)
    smooth = "none" if drawing_svg() else "nearest"
    edges = (x[0] - half, x[-1] + half)
    image = box.imshow(
        values,
        cmap=values_map(),
        vmin=0,
        vmax=top,
        extent=(*edges, *edges),
        origin="lower",
        interpolation=smooth,
    )
    box.set_aspect("equal")
    box.set_title("generalisation over time", pad=6)
    unit = movie.settings.get("time_units", "s")
    box.set_xlabel(f"time of one half ({unit})")
    box.set_ylabel(f"time of the other half ({unit})")
    bar = ax.inset_axes((0.965, 0.2, 0.015, 0.6))
    ax.figure.colorbar(image, cax=bar)
    dress(bar, grid="", spines=())
    bar.set_title("r", loc="center", fontsize=8, color=MUTED, fontweight="normal")
