"""Robustness: a curve of scores over levels of noise for each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import label, told_apart
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results._robustness import Robustness

_UNITS = {
    "dropout": "share of units silenced",
    "unit": "noise, in each unit's standard deviations",
    "layer": "noise, in root mean square deviations of the layer",
}
_MOST = 12


def plot_robustness(result: Robustness, ax: Axes | None = None, *, layers: object = None) -> Axes:
    """Draws the score of each layer over the level of noise, bands: intervals over stimuli; a cross at the half level;
    dashed: chance. More than 8 layers go from dark to light, in their order.

    Parameters
    ----------
    layers : which; by default all, at most 12 of them evenly.
    """
    who = "plot_robustness"
    check_is(result, "Robustness", who)
    shown = pick_names(result.data, "layer", layers, who)
    left = len(shown) - _MOST
    if left > 0:
        shown = [shown[i] for i in np.linspace(0, len(shown) - 1, _MOST).round().astype(int)]
    levels = np.asarray(names(result.data, "level"), dtype=np.float64)
    s = result.settings
    with style():
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        ax = own_axes(ax, 6.4, 3.4)
        dress(ax)
        ramp = colormaps["viridis"](np.linspace(0, 0.88, len(shown)))
        colours = list(PALETTE) if len(shown) <= len(PALETTE) else [to_hex(c) for c in ramp]
        # levels double: even steps, with 0 as one more step to the left
        x = np.arange(levels.size, dtype=np.float64)
        for k, (name, words) in enumerate(zip(shown, told_apart(shown, 24))):
            at = result.data.sel(layer=name)
            words = f" {words}" if words.startswith("_") else words  # a legend leaves those out
            ax.fill_between(
                x, at["ci_low"].values, at["ci_high"].values, color=colours[k], alpha=0.13, linewidth=0
            )
            (line,) = ax.plot(
                x, at["value"].values, "o-", color=colours[k], markersize=3.5, linewidth=1.4, label=words
            )
            tip(line, label(name, 60))
            half = float(result.layers["half_level"].sel(layer=name))
            if np.isfinite(half):
                goal = (float(at["value"].values[0]) + float(s["chance"])) / 2
                ax.plot(
                    [np.interp(half, levels, x)],
                    [goal],
                    "x",
                    color=colours[k],
                    markersize=7,
                    markeredgewidth=1.8,
                )
        chance = s.get("chance")
        if chance is not None:
            ax.axhline(float(chance), color=MUTED, linewidth=0.9, linestyle="--")
            ax.annotate(
                "chance",
                (0, float(chance)),
                xytext=(3, 3),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                fontsize=7.5,
                color=MUTED,
            )
        ax.set_xticks(x, [f"{v:g}" for v in levels])
        ax.set_xlabel(
            _UNITS["dropout"] if s.get("noise") == "dropout" else _UNITS[str(s.get("scale", "unit"))]
        )
        ax.set_ylabel(label(s.get("score", "score"), 40))
        ax.set_title(f"{label(s.get('system', ''), 40)}: {label(s.get('noise', ''), 24)} noise in one layer")
        ax.legend(
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            fontsize=7.5,
            title="layer (\u00d7: half lost)",
            title_fontsize=7.5,
        )
    return ax
