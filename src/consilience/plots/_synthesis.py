"""Synthetic stimuli beside the best natural ones, a row per target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import label, number
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import MUTED, PALETTE, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Synthesis

_TARGETS, _SEEDS, _EXEMPLARS = 8, 3, 4


def plot_synthesis(
    synthesis: Synthesis,
    ax: Axes | None = None,
    *,
    targets: object = None,
    n_seeds: int = 1,
    n_exemplars: int = 4,
) -> Axes:
    """Draws a row per target: its stimuli (the best seed first), then the best natural stimuli, with their values.

    Images are drawn with 0 contrast grey and each with its own range; sounds and vectors as lines; of a video the
    middle frame. A stimulus that fills a small part of its image is drawn from that part, natural ones of the same size
    too. ``ax`` becomes an empty frame around the rows.

    Parameters
    ----------
    targets : names; by default the first 8.   n_seeds, n_exemplars : columns of either kind, at most.
    """
    who = "plot_synthesis"
    check_is(synthesis, "Synthesis", who)
    shown = pick_names(synthesis.data, "target", targets, who)
    shown = shown[:_TARGETS] if targets is None else shown
    seeds = min(n_seeds, synthesis.data.sizes["seed"])
    ranks = 0
    if synthesis.exemplars is not None and synthesis.pictures is not None:
        ranks = min(n_exemplars, synthesis.exemplars.sizes["rank"])
    columns = seeds + ranks
    with style():
        ax = own_axes(ax, 1.15 * columns + 1.8, 1.3 * len(shown) + 0.4)
        place = ax.get_subplotspec()
        if place is None:
            raise InputError(
                f"{who}: {len(shown)} rows need an axis of plt.subplots or add_subplot to share; give one.",
                code="bad-parameter",
            )
        ax.set_axis_off()
        grid = place.subgridspec(
            len(shown), columns + 1, width_ratios=[1.5] + [1.0] * columns, hspace=0.25, wspace=0.08
        )
        for row, target in enumerate(shown):
            _words(ax.figure.add_subplot(grid[row, 0]), synthesis, target)
            cut = _made_part(synthesis, target)
            for column in range(seeds):
                panel = ax.figure.add_subplot(grid[row, 1 + column])
                _synthetic(panel, synthesis, target, column)
                _zoom(panel, cut)
                if row == 0 and column == 0:
                    _head(panel, "made for it", PALETTE[0])
            for column in range(ranks):
                panel = ax.figure.add_subplot(grid[row, 1 + seeds + column])
                _natural(panel, synthesis, target, column)
                if _alike(synthesis):
                    _zoom(panel, cut)
                if row == 0 and column == 0:
                    _head(panel, "best natural stimuli", MUTED)
    return ax


def _head(ax: Axes, words: str, colour: Any) -> None:
    head = ax.annotate(
        words,
        (0, 1),
        xytext=(0, 15),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8.5,
        color=colour,
        fontweight="bold",
    )
    head.set_in_layout(in_layout=False)  # a column is as wide as its picture


def _words(ax: Axes, synthesis: Synthesis, target: Any) -> None:
    ax.set_axis_off()
    at = synthesis.data.sel(target=target)
    lines = []
    if np.isfinite(at["p"]):
        lines.append(f"p {number(float(at['p']))}")
    if np.isfinite(at["agreement_shifted"]):
        lines.append(f"seeds agree {float(at['agreement_shifted']):.2f}")
    if np.isfinite(at["percentile"]):
        lines.append(f"above {float(at['percentile']):.0f} % natural")
    if np.isfinite(at["check_p"]):
        lines.append(f"2nd network p {number(float(at['check_p']))}")
    ax.text(0, 0.98, label(target, 28), transform=ax.transAxes, va="top", fontsize=7.5)
    ax.text(
        0, 0.80, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=7, color=MUTED, linespacing=1.4
    )


def _synthetic(ax: Axes, synthesis: Synthesis, target: Any, column: int) -> None:
    at = synthesis.data.sel(target=target)
    values = at["each_value"].values
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    seed = int(order[column])
    mine = (synthesis.stimuli["target"].values == target) & (synthesis.stimuli["seed"].values == seed)
    if not mine.any():
        _blank(ax, "dead start")
        return
    _draw(ax, synthesis.stimuli.values[int(np.flatnonzero(mine)[0])], PALETTE[0])
    ax.set_title(number(float(values[seed])), fontsize=7.5, pad=2)


def _natural(ax: Axes, synthesis: Synthesis, target: Any, column: int) -> None:
    assert synthesis.exemplars is not None
    assert synthesis.pictures is not None
    at = synthesis.exemplars.sel(target=target).isel(rank=column)
    rows = np.flatnonzero(synthesis.pictures["stimulus"].values.astype(str) == str(at["stimulus"].item()))
    picture = synthesis.pictures.values[int(rows[0])]
    if synthesis.pictures.dtype.kind in "US":
        _blank(ax, label(picture, 18))
    else:
        _draw(ax, picture, MUTED)
    ax.set_title(number(float(at["value"])), fontsize=7.5, pad=2, color=MUTED)


def _made_part(synthesis: Synthesis, target: Any) -> tuple[float, float, float, float] | None:
    """(left, right, top, bottom) of what differs from an even frame; None where that is most of the image."""
    dims, places = synthesis.stimuli.dims, ("y", "x")
    if len(dims) == 3 and "y" not in dims:  # arrays (n, y, x)
        places = (str(dims[1]), str(dims[2]))
    mine = np.flatnonzero(synthesis.stimuli["target"].values == target)
    if not set(places) <= set(dims) or not mine.size:
        return None
    image = np.asarray(
        synthesis.stimuli.transpose("stimulus", *places, ...).values[mine[0]], dtype=np.float64
    )
    image = image.reshape(*image.shape[:2], -1)
    span = np.ptp(image)
    away = np.abs(image - image[0, 0]).max(axis=2) > 0.02 * (span or 1.0)
    rows, columns = np.flatnonzero(away.any(axis=1)), np.flatnonzero(away.any(axis=0))
    if not rows.size or max(np.ptp(rows) / image.shape[0], np.ptp(columns) / image.shape[1]) > 0.5:
        return None
    half = 0.7 * max(int(rows[-1] - rows[0]), int(columns[-1] - columns[0]), 4)
    y, x = float(rows[0] + rows[-1]) / 2, float(columns[0] + columns[-1]) / 2
    return x - half, x + half, y + half, y - half


def _zoom(ax: Axes, cut: tuple[float, float, float, float] | None) -> None:
    if cut is not None and ax.images:
        ax.set_xlim(cut[0], cut[1])
        ax.set_ylim(cut[2], cut[3])


def _alike(synthesis: Synthesis) -> bool:
    """Whether natural stimuli have the size of those that were made, so that they are cut alike."""
    return synthesis.pictures is not None and synthesis.pictures.shape[1:3] == synthesis.stimuli.shape[1:3]


def _blank(ax: Axes, words: str) -> None:
    ax.set_axis_off()
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", fontsize=7, color=MUTED)


def _draw(ax: Axes, values: np.ndarray, colour: Any) -> None:
    picture = _picture(np.asarray(values))
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    if picture is None:
        flat = np.asarray(values, dtype=np.float64).reshape(
            -1, np.shape(values)[-1] if np.ndim(values) else 1
        )
        for line in flat[:4]:
            ax.plot(line, color=colour, linewidth=0.8)
        ax.margins(x=0)
        ax.set_box_aspect(1)
        return
    ax.imshow(picture, cmap="gray" if picture.ndim == 2 else None, interpolation="nearest")


def _picture(values: np.ndarray) -> np.ndarray | None:
    """An image (y, x) or (y, x, 3) in 0..1, its range its own where it is not of bytes; None for what is no image."""
    if values.ndim == 4:  # (channel, frame, y, x)
        values = values[:, values.shape[1] // 2]
    if values.ndim == 3 and values.shape[-1] not in (1, 3, 4) and values.shape[0] in (1, 3):
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[-1] not in (1, 3, 4):
        values = np.moveaxis(values, 0, -1).mean(axis=-1)  # many channels: their mean
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim < 2 or min(values.shape[:2]) < 2:
        return None
    if values.dtype == np.uint8:
        return values / 255.0
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high > 1.5 and high <= 255.5:  # pixels
        return np.asarray(np.clip(values / 255.0, 0, 1))
    reach = max(high - low, 1e-12)
    return np.asarray((values - low) / reach)
