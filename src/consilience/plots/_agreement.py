"""Rank agreement between measures: a triangle of Kendall's tau."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import interval_text, label, number, told_apart
from consilience.plots._panels import stacked
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import (
    BAND,
    INK,
    MUTED,
    drawing_svg,
    dress,
    ink_on,
    own_axes,
    signed_map,
    style,
    tip,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Agreement


def plot_agreement(agreement: Agreement, ax: Axes | None = None, *, b: str | None = None) -> Axes:
    """Draws Kendall's tau-b between every two measures over the systems of side a, as a triangle of coloured cells.

    Each cell has tau and, below it, its interval over stimuli; a dot marks measures that put the same system first.
    The colours run from -1 (brown: ranked the other way round) over 0 to 1 (blue), in every picture.

    Parameters
    ----------
    b : one system of side b; all of them by default, one triangle below the other.
    """
    who = "plot_agreement"
    check_is(agreement, "Agreement", who)
    targets = names(agreement.data, "b")
    count = agreement.data.sizes["measure"]
    if b is None and len(targets) > 1:
        return stacked(
            ax,
            lambda name, panel: plot_agreement(agreement, panel, b=name),
            targets,
            option="b",
            who=who,
            size=(2.4 + 0.85 * count, 1.5 + 0.62 * count),
        )
    chosen = pick_names(agreement.data, "b", b, who)[0] if b is not None else targets[0]
    at = agreement.data.sel(b=chosen)
    tau, low, high = (
        np.asarray(at[name].values, dtype=np.float64) for name in ("tau", "tau_low", "tau_high")
    )
    measures = names(agreement.data, "measure")
    words = told_apart(measures, 24)
    with style():
        from matplotlib.colors import Normalize
        from matplotlib.patches import Rectangle

        ax = own_axes(ax, 2.4 + 0.85 * count, 1.5 + 0.62 * count)
        dress(ax, grid="", spines=())
        colors, norm = signed_map(), Normalize(-1.0, 1.0)
        for y in range(1, count):
            for x in range(y):
                color = colors(norm(tau[y, x])) if np.isfinite(tau[y, x]) else BAND
                box = Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=color, edgecolor="none")
                ax.add_patch(box)
                said = f"{label(measures[x], 40)} · {label(measures[y], 40)}\ntau {number(tau[y, x])} "
                tip(box, said + interval_text(low[y, x], high[y, x]))
                ink = ink_on(tuple(color)) if not isinstance(color, str) else INK
                interval = interval_text(low[y, x], high[y, x])
                if count <= 12:
                    best = " •" if bool(at["same_top"].values[y, x]) else ""
                    ax.text(x, y - 0.12 * bool(interval), f"{number(tau[y, x])}{best}", ha="center",
                            va="center", fontsize=9, color=ink)  # fmt: skip
                if count <= 8 and interval:
                    ax.text(x, y + 0.22, interval, ha="center", va="center", fontsize=6.8, color=ink)
        ax.set_xlim(-0.55, count - 1.45)
        ax.set_ylim(count - 0.45, 0.45)
        ax.set_yticks(range(1, count), words[1:])
        turn = 0 if max(map(len, words)) <= 10 else 30
        ax.set_xticks(range(count - 1), words[:-1], rotation=turn, ha="right" if turn else "center",
                      rotation_mode="anchor" if turn else "default")  # fmt: skip
        ax.tick_params(length=0, labelcolor=INK)
        ax.set_title(f"Do the measures rank the systems alike? With {label(chosen, 24)}", pad=18)
        ax.text(
            0, 1.01, "Kendall's tau-b [interval over stimuli]; • same system first", transform=ax.transAxes,
            fontsize=8, color=MUTED, va="bottom",
        )  # fmt: skip
        _scale(ax, norm, colors)
    return ax


def _scale(ax: Axes, norm: Any, colors: Any) -> None:
    """The colours of tau, right of the axes: inches from its lower right corner, whatever its size."""
    from matplotlib.transforms import ScaledTranslation

    corner = ax.figure.dpi_scale_trans + ScaledTranslation(1, 0, ax.transAxes)  # type: ignore[arg-type]
    bar = ax.inset_axes((0.12, 0.04, 0.1, 0.9), transform=corner)
    bar.imshow(
        np.linspace(-1, 1, 65)[:, None],
        cmap=colors,
        norm=norm,
        aspect="auto",
        extent=(0, 1, -1, 1),
        origin="lower",
        interpolation="none" if drawing_svg() else "auto",
    )
    dress(bar, grid="", spines=())
    bar.set_xticks([])
    bar.set_yticks([-1, 0, 1], ["\u22121", "0", "1"])
    bar.yaxis.tick_right()
    bar.tick_params(length=0, pad=2, labelsize=7.5)
    bar.set_title("tau", fontsize=7.5, fontweight="normal", color=MUTED, pad=6, loc="left")
