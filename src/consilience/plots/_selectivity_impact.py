"""Selectivity against impact: a dot for each unit, overall beside class-specific, with both correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import harm, label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import FAINT, INK, MUTED, PALETTE, dress, style, tip, values_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

    from consilience._results import SelectivityImpact

_MOST_ROWS = 4
_FEW_DOTS = 400
_SIDES = (("overall", "impact", "all stimuli"), ("preferred", "impact_preferred", "preferred class"))
_WORDS = {
    "class_selectivity": "class selectivity",
    "d_prime": "d' of the best class",
    "eta_squared": "variance explained by class",
    "lifetime_sparseness": "lifetime sparseness",
}


def plot_selectivity_impact(
    result: SelectivityImpact, ax: Axes | None = None, *, networks: object = None, how: object = None
) -> Axes:
    """Draws a row for each network and choice of ``how`` (the first 4): what is lost without each unit on all stimuli
    (left, as Morcos et al. 2018) and on those of its preferred class (right, as Zhou et al. 2018), against its
    selectivity. Darker: the unit's mean activation is higher (rank). Ticks at the edges: where units lie. Selectivity
    and impact of a dot are means over splits; the correlation above is of disjoint halves. Units whose removal changes
    no activation are crosses.

    Parameters
    ----------
    networks, how : which; by default all.
    """
    who = "plot_selectivity_impact"
    check_is(result, "SelectivityImpact", who)
    names = pick_names(result.data, "network", networks, who)
    hows = pick_names(result.data, "how", how, who)
    pairs = [(name, one) for name in names for one in hows]
    shown = pairs[:_MOST_ROWS]
    with style():
        ax, places, below = panel_places(
            ax,
            2 * len(shown),
            2,
            panel=(3.3, 2.5),
            frame=(0.5, 0.5),
            key=0.16,
            key_first=False,
            gaps=((0.06, 0.04), (0.55, 0.35)),
            who=who,
        )
        ax.set_subplotspec(below)
        for row, (name, one) in enumerate(shown):
            of = result.of(str(name)).sel(how=one)
            at = result.data.sel(network=name, how=one)
            head = ", ".join(
                text
                for text, many in (
                    (label(name, 24), len(names) > 1),
                    (f"how={label(one, 12)}", len(hows) > 1),
                )
                if many
            )
            panels = [ax.figure.add_subplot(places[2 * row + k]) for k in range(2)]
            for panel, side in zip(panels, _SIDES):
                _scatter(panel, of, at, side, head, result, last=row == len(shown) - 1)
            for panel in panels:
                panel.set_xlim(panels[0].get_xlim())
        left = len(pairs) - len(shown)
        words = "darker: higher mean activation (rank); dotted: nothing is lost"
        words += f"; {left} more rows not drawn: pass networks= or how=" if left else ""
        ax.text(0.5, 0.2, words, transform=ax.transAxes, ha="center", va="center", fontsize=8, color=MUTED)
    return ax


def _scatter(
    ax: Axes,
    of: Dataset,
    at: Dataset,
    side: tuple[str, str, str],
    head: str,
    result: SelectivityImpact,
    *,
    last: bool,
) -> None:
    which, field, words = side
    x, y = (np.asarray(of[key].values, dtype=np.float64) for key in ("selectivity", field))
    known = np.isfinite(x) & np.isfinite(y)
    dress(ax, grid="both")
    ax.axhline(0, color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    ranks = np.argsort(np.argsort(of["mean"].values)) / max(1, x.size - 1)
    still = of["unchanged"].values.astype(bool)
    colours = values_map()(0.25 + 0.75 * ranks)
    size = 16 if x.size <= _FEW_DOTS else 6
    live = np.flatnonzero(known & ~still)
    if x.size <= _FEW_DOTS:
        for u in live:
            dot = ax.scatter(
                x[u], y[u], s=size, color=[colours[u]], edgecolor="white", linewidth=0.3, zorder=3
            )
            tip(
                dot,
                f"{label(of['unit'].values[u], 60)}\nselectivity {number(x[u], 3)}, lost {number(y[u], 3)}\n"
                f"prefers {label(of['preferred'].values[u], 30)}",
            )
    else:
        ax.scatter(x[live], y[live], s=size, c=colours[live], linewidth=0, zorder=3)
    dead = np.flatnonzero(known & still)
    ax.scatter(x[dead], y[dead], s=size, marker="x", color=MUTED, linewidth=0.6, zorder=2)
    edge: dict[str, Any] = {
        "linewidth": 0.5,
        "color": PALETTE[0],
        "alpha": max(0.12, min(0.6, 30 / max(1, live.size))),
    }
    ax.vlines(x[live], 0, 0.025, transform=ax.get_xaxis_transform(), **edge)
    ax.hlines(y[live], 0, 0.02, transform=ax.get_yaxis_transform(), **edge)
    row = at.sel(impact=which)
    value, low, high, p, ceiling = (float(row[k]) for k in ("value", "ci_low", "ci_high", "p", "ceiling"))
    text = f"r = {number(value, 2)}"
    text += f" [{number(low, 2)}, {number(high, 2)}]" if np.isfinite(low) else ""
    text += f", p = {p:.2g}" if np.isfinite(p) else ""
    text += f"\nceiling {number(ceiling, 2)}" if np.isfinite(ceiling) else "\nno ceiling"
    text += f", without mean and sd {number(float(row['partial']), 2)}"
    title = f"{words}: {head}" if head else words
    ax.set_title(title, fontsize=9, pad=26)
    ax.text(0, 1.02, text, transform=ax.transAxes, fontsize=7.5, color=INK, va="bottom", linespacing=1.25)
    loss = str(result.settings.get("evaluate", "score"))
    ax.set_ylabel(harm(loss) if which == "overall" else "", fontsize=8)
    if last:
        kind = str(result.settings.get("selectivity"))
        ax.set_xlabel(_WORDS.get(kind, kind), fontsize=8)
