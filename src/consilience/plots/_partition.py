"""What each model RDM explains: bars with intervals, and the parts of the total side by side."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, number, probability, told_apart
from consilience.plots._marks import interval_lines, legend_once, margin_note
from consilience.plots._read import check_is, names
from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, PAPER, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import VariancePartition

MOST_STACKED = 3
_LONGEST = 34  # characters of a part's name


def plot_partition(result: VariancePartition, ax: Axes | None = None) -> Axes:
    """Draws one row for the total, each model alone, each unique part, and each part in common.

    Bar and lines: share of variance with its interval over stimuli (thick) and over stimuli and subjects (thin).
    Upright tick: mean of the permutations, the size of the bias. Open diamond: the share on held-out stimuli. Grey
    band: noise ceiling of the total. With two or three models the total is cut into its parts (unless one of them
    is below -0.01). At the right: value and p.
    """
    check_is(result, "VariancePartition", "plot_partition")
    frame = result.to_frame()
    models = [str(name) for name in names(result.coefficients, "model")]
    color = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(models)}
    rows = frame[frame["kind"] != "common"] if len(models) > MOST_STACKED else frame
    with style():
        ax = own_axes(ax, 7.2, 1.3 + 0.36 * len(rows))
        dress(ax, grid="x", spines=("bottom",))
        words = []
        for y, row in enumerate(rows.to_dict("records")):
            own = color.get(row["models"], FAINT if row["kind"] == "common" else MUTED)
            words.append("all models" if row["kind"] == "total" else _part(row, models))
            if row["kind"] == "total":
                if np.isfinite(row["ceiling_low"]):
                    low, high = row["ceiling_low"], row["ceiling_high"]
                    ax.barh(y, high - low, left=low, height=0.8, color=BAND, zorder=1, label="noise ceiling")
                _total(ax, frame, row["value"], y, color)
            else:
                paler = {"alone": 0.4, "unique": 0.85, "common": 0.85}[row["kind"]]
                bar = ax.barh(y, row["value"], height=0.56, color=own, alpha=paler, zorder=2)
                tip(bar[0], f"{row['part']}\n{number(row['value'], 3)}")
            interval_lines(ax, row, y, INK)
            if np.isfinite(row["null_mean"]):
                ax.plot(
                    [row["null_mean"]],
                    [y],
                    marker="|",
                    markersize=15,
                    markeredgewidth=1.4,
                    color=INK,
                    linestyle="",
                    zorder=5,
                    label="mean of permutations",
                )
            if np.isfinite(row["held_out"]):
                ax.plot(
                    [row["held_out"]],
                    [y],
                    marker="D",
                    markersize=5.5,
                    markerfacecolor=PAPER,
                    markeredgecolor=INK,
                    linestyle="",
                    zorder=6,
                    label="held-out stimuli",
                )
            text = number(row["value"]) + (f"  {probability(row['p'])}" if np.isfinite(row["p"]) else "")
            margin_note(ax, text, y)
        ax.axvline(0, color=FAINT, linewidth=0.8, zorder=1.5)
        ax.set_yticks(range(len(words)), words)
        ax.set_ylim(len(words) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        ax.set_xlabel("share of the variance of dissimilarities")
        legend_once(
            ax, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2, handlelength=1.4
        )
    return ax


def _part(row: Mapping[str, Any], models: list[str]) -> str:
    """A part in words. Where all do not fit, models are shortened one by one, so that parts still read apart."""
    whole = str(row["part"])
    for count in (2, 3):
        for some in combinations(range(len(models)), count):
            if len(whole) > _LONGEST and row["models"] == " + ".join(models[i] for i in some):
                short = told_apart(models, (_LONGEST - len("common: ")) // count - 2)
                return label(f"{row['kind']}: {' + '.join(short[i] for i in some)}", 2 * _LONGEST)
    return label(whole, _LONGEST)


def _total(ax: Axes, frame, value: float, y: int, color: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    """The total, cut into unique and common parts where there are few and none is clearly negative."""
    parts = frame[frame["kind"].isin(["unique", "common"])].to_dict("records")
    if not parts or len(color) > MOST_STACKED or min(part["value"] for part in parts) < -0.01:
        ax.barh(y, value, height=0.56, color=MUTED, alpha=0.85, zorder=2)
        return
    left = 0.0
    for part in parts:
        own = color.get(part["models"], FAINT)
        bar = ax.barh(
            y,
            part["value"],
            left=left,
            height=0.56,
            color=own,
            alpha=0.85,
            edgecolor=PAPER,
            linewidth=0.8,
            zorder=2,
        )
        tip(bar[0], f"{part['part']}\n{number(part['value'], 3)}")
        left += part["value"]
