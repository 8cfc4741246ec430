"""Subspaces of two sets of responses: angles with null and ceiling, variance captured as dimensions are added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is
from consilience.plots._style import BAND, INK, MUTED, PALETTE, PAPER, dress, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Subspaces

_OTHER, _OWN = PALETTE[1], PALETTE[0]


def side_name(result: Any, name: object) -> str:
    """A side by its name; by label and value where the value alone says nothing ("animal True")."""
    by = result.settings.get("by")
    plain = str(name) in ("True", "False") or str(name).lstrip("-").replace(".", "", 1).isdigit()
    return f"{by} {name}" if by and plain else str(name)


def plot_subspaces(result: Subspaces, ax: Axes | None = None) -> Axes:
    """Draws the principal angles, and for either set of responses its variance in its own and in the other's subspace.

    Angles: between halves of the two (dots, with interval), between halves of the same (blue line: the ceiling, as near
    as two samples come), and of random subspaces with the covariance of both (grey band). Variance: held out, in the
    first dimensions of the own (blue) and of the other's subspace (orange); grey: of random ones; dotted line: k.

    ``ax`` becomes an empty frame below them, with the key.
    """
    who = "plot_subspaces"
    check_is(result, "Subspaces", who)
    with style():
        ax, places, below = panel_places(
            ax,
            3,
            3,
            panel=(2.75, 2.7),
            frame=(0.3, 0.35),
            key=0.12,
            key_first=False,
            gaps=((0.1, 0.08), (0.5, 0.35)),
            who=who,
        )
        ax.set_subplotspec(below)
        _angles(ax.figure.add_subplot(places[0]), result)
        shown = [str(name) for name in result.data["of"].values.tolist()]
        for side in (0, 1):
            _captured(ax.figure.add_subplot(places[1 + side]), result, shown, side)
        _key(ax, bool(np.isfinite(result.angles["null_mean"].values).any()))
    return ax


def _angles(ax: Axes, result: Subspaces) -> None:
    dress(ax, grid="y")
    a = result.angles
    x = a["angle"].values
    wide: Any = {"step": "mid", "linewidth": 0}
    if np.isfinite(a["null_low"].values).any():
        edge = np.concatenate([[x[0] - 0.5], x, [x[-1] + 0.5]])
        low, high = (np.pad(a[key].values, 1, mode="edge") for key in ("null_low", "null_high"))
        ax.fill_between(edge, low, high, color=BAND, zorder=1, **wide)
    ax.plot(x, a["ceiling"].values, color=_OWN, linewidth=1.6, marker="_", markersize=9, zorder=3)
    value, low, high = (a[key].values for key in ("value", "ci_low", "ci_high"))
    ax.vlines(x, low, high, color=_OTHER, linewidth=2.2, zorder=4)
    for k, v in zip(x, value):
        (dot,) = ax.plot([k], [v], "o", color=_OTHER, markersize=6, markeredgecolor=PAPER, zorder=5)
        tip(dot, f"angle {k}: {number(v, 3)} degrees")
    ax.set_ylim(0, 93)
    ax.set_yticks([0, 30, 60, 90])
    ax.set_xlim(x[0] - 0.5, x[-1] + 0.5)
    _whole(ax)
    ax.set_xlabel("principal angle")
    ax.set_ylabel("degrees")
    ax.set_title("angles between subspaces", fontsize=9, pad=4)


def _captured(ax: Axes, result: Subspaces, shown: list[str], side: int) -> None:
    dress(ax, grid="y")
    c = result.captured.isel(of=side)
    x = c["dimension"].values
    if np.isfinite(c["null_low"].values).any():
        ax.fill_between(x, c["null_low"].values, c["null_high"].values, color=BAND, linewidth=0, zorder=1)
    ax.plot(x, c["own"].values, color=_OWN, linewidth=1.8, zorder=3)
    ax.plot(x, c["other"].values, color=_OTHER, linewidth=1.8, zorder=4)
    ax.axvline(result.k, color=MUTED, linewidth=0.9, linestyle=":", zorder=2)
    top = np.nanmax([c[key].values.max() for key in ("own", "other", "null_high")])
    ax.set_ylim(min(0.0, float(c["other"].values.min()) - 0.02), max(1.0, 1.05 * float(top)))
    ax.set_xlim(x[0] - 0.3, x[-1] + 0.3)
    _whole(ax)
    d = result.data.isel(of=side)
    ends = f"[{number(float(d['ci_low']), 2)}, {number(float(d['ci_high']), 2)}]"
    said = f"{number(float(d['value']), 2)} {ends}\nof its own"
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.8}
    ax.text(
        0.97,
        0.04,
        said,
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
        color=INK,
        bbox=box,
        zorder=6,
    )
    ax.set_xlabel("dimensions")
    ax.set_ylabel("share of the variance" if side == 0 else "")
    ax.set_title(f"variance of {label(side_name(result, shown[side]), 22)}", fontsize=9, pad=4)


def _whole(ax: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _key(ax: Axes, null: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=_OTHER, marker="o", markersize=5, linewidth=1.8, label="the other's subspace"),
        Line2D([], [], color=_OWN, linewidth=1.8, label="the own subspace, other trials (ceiling)"),
    ]
    if null:
        handles.append(Patch(color=BAND, label="random subspaces"))  # type: ignore[arg-type]
    ax.legend(handles=handles, loc="center", ncols=3, fontsize=8)
