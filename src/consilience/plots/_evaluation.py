"""Models of an RDM: values, intervals, noise ceiling, and which models differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import interval_text, label, number, probability
from consilience.plots._marks import legend_once, name_columns
from consilience.plots._read import check_is, names
from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, PAPER, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import ModelEvaluation

MOST_MODELS = 30


def plot_evaluation(evaluation: ModelEvaluation, ax: Axes | None = None, *, alpha: float = 0.05) -> Axes:
    """Draws each model's value and interval, the noise ceiling as a band, and above them which models differ.

    Each row above the values belongs to the model with the dot; a triangle hangs over every model that scores
    lower (corrected p < alpha). The interval is over stimuli and subjects (thin) and over stimuli (thick). A
    filled dot: not below the lower ceiling by its corrected test; an open one: below it.

    Parameters
    ----------
    alpha : what counts as different.
    """
    check_is(evaluation, "ModelEvaluation", "plot_evaluation")
    data = evaluation.data.isel(model=slice(0, MOST_MODELS))
    shown, values = names(data, "model"), data["value"].values
    with style():
        ax = own_axes(ax, max(4.6, 3.4 + 0.62 * len(shown)), 4.4)  # the legend stands beside it
        dress(ax, grid="y")
        low, high = evaluation.ceilings["value"].values
        if np.isfinite(high):
            bottom = low if np.isfinite(low) else high
            ax.axhspan(bottom, high, color=BAND, zorder=0, label="noise ceiling", linewidth=0)
            ax.axhline(bottom, color=FAINT, linewidth=0.8, zorder=0.5)
        tops = [*values, high] if np.isfinite(high) else list(values)
        floor = [0.0, *values]
        for x, row in enumerate(data.to_dataframe().reset_index().to_dict("records")):
            color = PALETTE[0]
            for prefix, width in (("ci_both", 1.1), ("ci", 2.8)):
                ends = row[f"{prefix}_low"], row[f"{prefix}_high"]
                if np.isfinite(ends[0]):
                    ax.plot([x, x], ends, color=color, linewidth=width, solid_capstyle="round", zorder=3)
                    tops.append(ends[1])
                    floor.append(ends[0])
            below = row["p_ceiling_corrected"] < alpha
            (dot,) = ax.plot(
                [x],
                [row["value"]],
                "o",
                markersize=7.5,
                color=PAPER if below else color,
                markeredgecolor=color if below else PAPER,
                markeredgewidth=1.6 if below else 0.8,
                zorder=4,
                linestyle="",
                label="below it (corrected)" if below else None,
            )
            said = f"{number(row['value'], 3)} {interval_text(row['ci_both_low'], row['ci_both_high'])}"
            tip(dot, f"{label(row['model'], 40)}\n{said} {probability(row['p'])}")
        ax.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
        top, bottom = max(tops), min(floor)
        step = 0.045 * (top - bottom)
        above = _differences(ax, evaluation, len(shown), top + 1.4 * step, step, alpha)
        ax.set_ylim(bottom - step, above + step)
        ax.set_xlim(-0.6, len(shown) - 0.4)
        name_columns(ax, shown, 0.62 * len(shown))
        ax.set_ylabel(str(evaluation.settings.get("method", "value")).replace("_", " "))
        more = evaluation.data.sizes["model"] - len(shown)
        title = "RDM models" + (", cross-validated" if evaluation.settings.get("cross_validated") else "")
        ax.set_title(title + (f" ({more} more not drawn)" if more > 0 else ""))
        legend_once(ax, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    return ax


def _differences(
    ax: Axes, evaluation: ModelEvaluation, count: int, start: float, step: float, alpha: float
) -> float:
    """A row for each model that scores above others: a dot at it, triangles over those; returns the height used."""
    difference = evaluation.pairs["difference"].values[:count, :count]
    clear = (evaluation.pairs["p_corrected"].values[:count, :count] < alpha) & (difference > 0)
    y, words = start, "scores above (corrected)"
    for i in sorted(range(count), key=lambda k: evaluation.data["value"].values[k]):
        lower = np.flatnonzero(clear[i])
        if not lower.size:
            continue
        ends = [min(i, lower.min()), max(i, lower.max())]
        ax.plot(ends, [y, y], color=MUTED, linewidth=0.8, zorder=2)
        ax.plot([i], [y], "o", color=INK, markersize=4, linestyle="", zorder=3)
        ax.plot(
            lower,
            np.full(lower.size, y - 0.12 * step),
            "v",
            color=MUTED,
            markersize=4,
            linestyle="",
            zorder=3,
            label=words,
        )
        y += step
    return y
