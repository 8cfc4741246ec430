"""Attribution maps side by side, with the tests they were put to."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._labels import label, number, told_apart
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import MUTED, PALETTE, PAPER, own_axes, style
from consilience.plots._synthesis import _picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Attribution

_STIMULI, _METHODS = 4, 6
_RED, _BLUE = "#b2182b", "#2166ac"  # of the maps' colours
_WORDS = {
    "integrated_gradients": "integrated\ngradients",
    "smoothgrad": "SmoothGrad",
    "grad_cam": "Grad-CAM",
    "gradient_x_input": "gradient\nx input",
    "gradient": "gradient",
    "occlusion": "occlusion",
}


def plot_attribution(
    attribution: Attribution,
    ax: Axes | None = None,
    *,
    target: object = None,
    stimuli: object = None,
) -> Axes:
    """Draws a row per stimulus: the stimulus, then its map by each method (red raises the activation, blue lowers it,
    each map on its own scale, saturated beyond the 99th percentile), and below each method how faithful its maps are
    (gain of deletion and insertion over random orders) and how much they hang on the weights (agreement with those of
    shuffled weights). Maps of one axis are lines. ``ax`` becomes an empty frame around the panels.

    Parameters
    ----------
    target : its name; by default the first.   stimuli : ids; by default the first 4 that were checked.
    """
    who = "plot_attribution"
    check_is(attribution, "Attribution", who)
    unit = pick_names(attribution.data, "target", None if target is None else [target], who)[0]
    data = attribution.data.sel(target=unit)
    ids = pick_names(attribution.data, "stimulus", stimuli, who)
    if stimuli is None:
        seen = data["checked"].values if "checked" in data else np.ones(len(ids), dtype=bool)
        ids = [one for one, mine in zip(ids, seen.tolist()) if mine][:_STIMULI]
    methods = attribution.data["map"].values.tolist()[:_METHODS]
    tested = "deletion_gain" in data or "agreement" in data
    flat = attribution.maps.ndim == 4
    pictured = attribution.pictures is not None and not flat
    first = 1 if pictured else 0
    with style():
        across = (2.1 if flat else 1.35) * (len(methods) + first) + 0.9
        words = _key_lines(
            int(17 * across), flat=flat, gains="deletion_gain" in data, weights="agreement" in data
        )
        below = 0.15 * len(words) + 0.05
        ax = own_axes(ax, across, 1.35 * len(ids) + (1.6 if tested else 0.4) + below)
        place = ax.get_subplotspec()
        if place is None:
            raise InputError(
                f"{who}: {len(ids)} rows need an axis of plt.subplots or add_subplot to share; give one.",
                code="bad-parameter",
            )
        ax.set_axis_off()
        grid = place.subgridspec(
            len(ids) + tested + 1,
            len(methods) + first,
            height_ratios=[1.0] * len(ids) + [0.85] * tested + [below / 1.35],
            hspace=0.08,
            wspace=0.08 if not flat else 0.25,
        )
        for row, (name, short) in enumerate(zip(ids, told_apart(ids, 23))):
            if pictured:
                _stimulus(ax.figure.add_subplot(grid[row, 0]), attribution, name, short)
            for column, method in enumerate(methods):
                panel = ax.figure.add_subplot(grid[row, first + column])
                _map(panel, attribution.maps.sel(map=method, target=unit, stimulus=name).values)
                if row == 0:
                    panel.set_title(_WORDS.get(method, label(method, 18)), fontsize=8, pad=3)
                if column == 0 and not pictured:
                    panel.set_ylabel(short, fontsize=6.5)
        _key(ax.figure.add_subplot(grid[-1, :]), words)
        if tested:
            panels: list[Axes] = []
            for column, method in enumerate(methods):
                panel = ax.figure.add_subplot(grid[len(ids), first + column])
                _tests(panel, data.sel(map=method), named=column == 0)
                panels.append(panel)
            for tick in panels[0].get_yticklabels() if pictured else []:
                tick.set_in_layout(in_layout=False)  # they stand below the stimuli
            ends = [panel.get_xlim() for panel in panels]
            for panel in panels:
                panel.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    return ax


def _key_lines(most: int, *, flat: bool, gains: bool, weights: bool) -> list[str]:
    """What colours and the tests say, in lines of at most ``most`` characters."""
    said = ["red raises the value, blue lowers it" + ("" if flat else "; each map on its own scale")]
    if gains:
        said.append("gain: area under the curve, against random orders; 0 = no better")
    if weights:
        said.append(
            "shuffled weights: rank correlation with maps of the shuffled network; grey tick: between stimuli"
        )
    return [line for text in said for line in textwrap.wrap(text, max(20, most))]


def _key(ax: Axes, lines: list[str]) -> None:
    ax.set_axis_off()
    words = "\n".join(lines)
    ax.text(
        0.5,
        0,
        words,
        transform=ax.transAxes,
        ha="center",
        va="bottom",
        fontsize=7,
        color=MUTED,
        linespacing=1.3,
    )


def _stimulus(ax: Axes, attribution: Attribution, name: Any, short: str) -> None:
    assert attribution.pictures is not None
    rows = np.flatnonzero(attribution.pictures["stimulus"].values == name)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_ylabel(short, fontsize=6.5)
    picture = _picture(np.asarray(attribution.pictures.values[rows[0]])) if rows.size else None
    if picture is not None:
        ax.imshow(picture, cmap="gray" if picture.ndim == 2 else None, interpolation="nearest")


def _map(ax: Axes, values: np.ndarray) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    if values.ndim == 1:
        ax.axhline(0, color=MUTED, linewidth=0.6)
        if values.size <= 40:
            ax.bar(range(values.size), values, color=np.where(values > 0, _RED, _BLUE), width=0.8)
        else:
            ax.plot(values, color=PALETTE[0], linewidth=0.7)
        ax.margins(x=0.01)
        return
    if values.ndim == 3:  # the middle of a volume or video
        values = values[values.shape[0] // 2]
    for spine in ax.spines.values():
        spine.set_visible(False)
    if not values.any():
        ax.text(
            0.5,
            0.5,
            "0 everywhere",
            transform=ax.transAxes,
            ha="center",
            va="center",
            fontsize=7,
            color=MUTED,
        )
        return
    reach = float(np.percentile(np.abs(values), 99)) or float(np.abs(values).max())
    ax.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")


def _tests(ax: Axes, at: Any, *, named: bool) -> None:
    rows: list[tuple[str, float, float, float]] = []
    for name, words in (("deletion", "deletion gain"), ("insertion", "insertion gain")):
        if f"{name}_gain" in at:
            mean, low, high = (float(at[f"{name}_gain{end}"]) for end in ("", "_low", "_high"))
            rows.append((words, mean, low, high))
    if "agreement" in at:
        last = at.isel(layers_shuffled=-1)
        mean, low, high = (float(last[f"agreement{end}"]) for end in ("", "_low", "_high"))
        rows.append(("shuffled weights", mean, low, high))
    ax.axvline(0, color=MUTED, linewidth=0.6)
    for i, (words, mean, low, high) in enumerate(rows):
        colour = PALETTE[3] if words.startswith("shuffled") else PALETTE[0]
        ax.plot([mean], [-i], "o", markersize=3.5, color=colour)
        if np.isfinite(low):
            ax.plot([low, high], [-i, -i], color=colour, linewidth=1.2)
        if np.isfinite(mean):
            ax.annotate(
                number(mean),
                (mean, -i),
                xytext=(0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=6.5,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.4},
                zorder=2.5,
            )
        if words.startswith("shuffled"):
            ax.plot([float(at.isel(layers_shuffled=-1)["unrelated"])], [-i], "|", markersize=7, color=MUTED)
    ax.set_ylim(-len(rows) + 0.4, 0.7)
    ax.set_yticks(
        [-i for i in range(len(rows))], [row[0] for row in rows] if named else [""] * len(rows), fontsize=7
    )
    ax.tick_params(axis="x", labelsize=6.5)
    ax.margins(x=0.15)
