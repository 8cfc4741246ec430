"""Predicted changes of each family with matched controls; and predictions against the experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, dress, own_axes, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import PerturbationScore, PredictedPerturbation

MOST = 24


def plot_predicted_perturbation(
    prediction: PredictedPerturbation, ax: Axes | None = None, *, outcome: str | None = None
) -> Axes:
    """Draws the predicted change of one outcome for each perturbation: a dot with its interval for each family of
    models, a grey band for the middle 95 % of matched controls, and the trials that it takes to see it.

    Parameters
    ----------
    outcome : by default the first.
    """
    who = "plot_predicted_perturbation"
    check_is(prediction, "PredictedPerturbation", who)
    d = prediction.data
    chosen = names(d, "outcome")[0] if outcome is None else pick_names(d, "outcome", outcome, who)[0]
    at, joined = d.sel(outcome=chosen), prediction.families.sel(outcome=chosen)
    families, labels = names(d, "family"), names(d, "perturbation")[:MOST]
    with style():
        ax = own_axes(ax, 6.8, 1.3 + 0.5 * len(labels))
        dress(ax, grid="x", spines=("bottom",))
        ax.axvline(0, color=FAINT, linewidth=0.9)
        controls = prediction.controls.sel(outcome=chosen).values  # (family, perturbation, control)
        gap = 0.56 / max(1, len(families))
        for k, name in enumerate(labels):
            known = controls[:, k][np.isfinite(controls[:, k])]
            if known.size:
                low, high = np.quantile(known, [0.025, 0.975])
                band = ax.barh(k, high - low, left=low, height=0.7, color=BAND, zorder=1)[0]
                tip(band, f"matched controls: {number(float(low))} to {number(float(high))}")
            for f, family in enumerate(families):
                y = k + gap * (f - (len(families) - 1) / 2)
                row = at.isel(family=f, perturbation=k)
                color = PALETTE[f % len(PALETTE)]
                ends = float(row["ci_low"]), float(row["ci_high"])
                if np.isfinite(ends).all():
                    ax.plot(ends, (y, y), color=color, linewidth=1.6, zorder=2)
                dot = ax.scatter(
                    float(row["change"]),
                    y,
                    s=26,
                    color=color,
                    edgecolor="white",
                    linewidth=0.5,
                    zorder=3,
                    label=label(family, 24) if k == 0 else None,
                )
                tip(dot, f"{label(name, 40)}, {label(family, 24)}: {number(float(row['change']))}")
            ax.text(
                1.02,
                k,
                _trials(float(joined["trials"].values[k])),
                transform=ax.get_yaxis_transform(),
                va="center",
                fontsize=8,
                color=MUTED,
            )
        ax.text(
            1.02,
            -0.75,
            "trials in each arm",
            transform=ax.get_yaxis_transform(),
            fontsize=8,
            color=INK,
            va="center",
        )
        ax.set_yticks(range(len(labels)), [label(n, 30) for n in labels])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(len(labels) - 0.4, -1.05)
        ax.set_xlabel(f"predicted change of {label(chosen, 30)} (grey: matched controls)")
        more = f" (first {MOST} of {d.sizes['perturbation']})" if d.sizes["perturbation"] > MOST else ""
        ax.set_title(f"Predicted by models of undisturbed activity{more}", pad=18)
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=len(families),
            handletextpad=0.2,
            borderaxespad=0.1,
        )
    return ax


def plot_perturbation_score(score: PerturbationScore, ax: Axes | None = None) -> Axes:
    """Draws observed against predicted changes, in standard deviations from trial to trial, one colour for each family,
    with intervals of predictions and standard errors of what was observed; on the dashed line they are equal.
    """
    check_is(score, "PerturbationScore", "plot_perturbation_score")
    pairs = score.pairs
    sd = np.where(pairs["sd"].values > 0, pairs["sd"].values, 1.0)
    observed = pairs["observed"].values / sd
    error = np.nan_to_num(pairs["observed_se"].values) / sd
    families = [n for n in names(pairs, "family") if n != "any"]
    with style():
        ax = own_axes(ax, 4.6, 4.2)
        dress(ax, grid="both")
        for f, family in enumerate(families):
            at, color = pairs.sel(family=family), PALETTE[f % len(PALETTE)]
            x = at["predicted"].values / sd
            low, high = np.nan_to_num(x - at["low"].values / sd), np.nan_to_num(at["high"].values / sd - x)
            ax.errorbar(
                x,
                observed,
                xerr=np.stack([low, high]),
                yerr=error,
                fmt="o",
                color=color,
                markersize=5,
                linewidth=1.0,
                markeredgecolor="white",
                markeredgewidth=0.5,
                label=label(family, 24),
            )
        ends = [float(f(*ax.get_xlim(), *ax.get_ylim())) for f in (min, max)]
        ax.plot(ends, ends, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        ax.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
        ax.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
        ax.set_xlabel("predicted change (sd from trial to trial)")
        ax.set_ylabel("observed change (sd), with its standard error")
        ax.set_title("Predictions against the experiment")
        ax.legend(loc="upper left")
    return ax


def _trials(value: float) -> str:
    if np.isnan(value):
        return "?"
    return "more than a million" if np.isinf(value) else f"{value:,.0f}"
