"""Lesions: scores along orders beside random ones; impact of each part; classes that it is needed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._params import check_count, check_option
from consilience.plots._labels import harm, label, number, scored
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is
from consilience.plots._style import BAND, FAINT, INK, MUTED, PALETTE, dress, signed_map, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Ablation

_MOST_HOWS = 4
_FEW_DOTS = 400
_FEW_NAMES = 30
_FEW_ROWS = 16


def plot_ablation(
    ablation: Ablation,
    ax: Axes | None = None,
    *,
    how: str | None = None,
    classes: bool = True,
    most: int = 30,
) -> Axes:
    """Draws for each choice of ``how`` the curves (one colour per order, band: interval; grey: mean of random orders
    and the middle of single ones), the impacts of single parts, sorted, with intervals (filled: q at most 0.05), and
    the impacts by class of the parts with the largest.

    Parameters
    ----------
    how : one choice only.   classes : draw the impacts by class.   most : parts in them.
    """
    who = "plot_ablation"
    check_is(ablation, "Ablation", who)
    most = check_count(most, name="most", who=who, minimum=1)
    hows = [str(one) for one in ablation.data["how"].values]
    hows = hows[:_MOST_HOWS] if how is None else [check_option(how, hows, name="how", who=who)]
    kinds = []
    if ablation.curves is not None:
        kinds.append("curves")
    if ablation.data.sizes["part"]:
        kinds.append("impacts")
        if classes and "class_impact" in ablation.data:
            kinds.append("classes")
    with style():
        ax, places, rest = panel_places(
            ax,
            len(hows) * len(kinds),
            len(kinds),
            panel=(3.3, 2.6),
            frame=(0.4, 0.5),
            key=0.16,
            key_first=False,
            gaps=((0.06, 0.06), (0.55, 0.35)),
            who=who,
        )
        for k, one in enumerate(hows):
            for j, kind in enumerate(kinds):
                panel = ax.figure.add_subplot(places[k * len(kinds) + j])
                title = {
                    "curves": "one after the other",
                    "impacts": "each alone",
                    "classes": f"by {_columns(ablation)}",
                }[kind]
                panel.set_title(f"{label(one, 14)}: {title}", fontsize=9, pad=4)
                {"curves": _curves, "impacts": _impacts}.get(kind, _classes)(panel, ablation, one, most)
        _key(ax.figure.add_subplot(rest), ablation)
    return ax


def _orders(ablation: Ablation) -> list[str]:
    return [] if ablation.curves is None else [str(one) for one in ablation.curves["order"].values]


def _columns(ablation: Ablation) -> str:
    """What `class_impact` is by: classes, or the targets of a decoder of numbers."""
    return {"numbers": "target", "angles": "target", "units": "unit"}.get(
        str(ablation.settings.get("task", "")), "class"
    )


def _color(orders: list[str], name: str) -> str:
    if name == "random":
        return MUTED
    others = [one for one in orders if one != "random"]
    return PALETTE[others.index(name) % len(PALETTE)]


def _curves(ax: Axes, ablation: Ablation, how: str, most: int) -> None:
    del most
    dress(ax, grid="y")
    curves = ablation.curves
    assert curves is not None
    at = curves.sel(how=how)
    x = 100 * curves["fraction"].values
    low, high = at["random_low"].values, at["random_high"].values
    if np.isfinite(low).any():
        ax.fill_between(x, low, high, color=BAND, linewidth=0, zorder=1)
    orders = _orders(ablation)
    for name in orders:
        one = at.sel(order=name)
        color = _color(orders, name)
        if name != "random" and np.isfinite(one["ci_low"].values).any():
            ax.fill_between(x, one["ci_low"], one["ci_high"], color=color, alpha=0.15, linewidth=0, zorder=2)
        line = ax.plot(x, one["score"], color=color, linewidth=1.6, zorder=3)[0]
        told = f"{label(name, 40)}: area {number(float(one['area']), 3)}"
        if np.isfinite(float(one["area_low"])):
            told += f" [{number(float(one['area_low']), 3)}, {number(float(one['area_high']), 3)}]"
        tip(line, told)
    ax.set_xlabel(f"% of {ablation.settings.get('kind', 'parts')} removed", fontsize=8)
    ax.set_ylabel(label(_score(ablation), 30), fontsize=8)
    ax.set_xlim(x[0], x[-1])


def _score(ablation: Ablation) -> str:
    return scored(ablation.settings.get("evaluate", "score"))


def _impacts(ax: Axes, ablation: Ablation, how: str, most: int) -> None:
    del most
    dress(ax, grid="y")
    at = ablation.data.sel(how=how)
    impact = at["impact"].values
    order = np.argsort(-impact, kind="stable")
    x = np.arange(order.size)
    low, high, q = (at[key].values[order] for key in ("ci_low", "ci_high", "q"))
    thin = 0.4 if order.size > _FEW_DOTS else 1.0
    ax.axhline(0, color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
    if np.isfinite(low).any():
        ax.vlines(
            x, low, high, color=FAINT, alpha=thin, linewidth=max(0.4, min(1.6, 60 / order.size)), zorder=2
        )
    size = 12 if order.size <= 60 else 5
    fill = np.where(q <= 0.05, PALETTE[0], "white")
    if order.size <= _FEW_DOTS:
        for k, u in enumerate(order):
            dot = ax.scatter(
                x[k], impact[u], s=size, color=fill[k], edgecolor=PALETTE[0], linewidth=0.6, zorder=3
            )
            told = f"{label(at['part'].values[u], 60)}\nimpact {number(impact[u], 3)}"
            if np.isfinite(low[k]):
                told += f" [{number(low[k], 3)}, {number(high[k], 3)}]"
            far = float(at["off_distribution"].values[u])
            tip(dot, told + (f"\noff distribution {number(far, 2)}" if np.isfinite(far) else ""))
    else:
        ax.scatter(x, impact[order], s=size, color=PALETTE[0], linewidth=0, zorder=3)
    ax.set_xticks([])
    ax.set_xlabel(f"{ablation.settings.get('kind', 'parts')}, sorted", fontsize=8)
    ax.set_ylabel(harm(ablation.settings.get("evaluate", "score")), fontsize=8)


def _classes(ax: Axes, ablation: Ablation, how: str, most: int) -> None:
    dress(ax, grid="", spines=())
    at = ablation.data.sel(how=how)
    largest = np.nanmax(np.abs(at["class_impact"].values), axis=1)
    order = np.argsort(-np.nan_to_num(largest), kind="stable")[:most]
    values = at["class_impact"].values[order]
    first = np.argsort(np.nanargmax(np.where(np.isfinite(values), values, -np.inf), axis=1), kind="stable")
    order, values = order[first], values[first]
    top = max(float(np.nanmax(np.abs(values))), 1e-12)
    image = ax.imshow(
        values, aspect="auto", cmap=signed_map().reversed(), vmin=-top, vmax=top, interpolation="nearest"
    )
    names = at["class"].values
    if names.size <= _FEW_NAMES:
        long = max(len(str(n)) for n in names) > 2
        ax.set_xticks(
            np.arange(names.size), [label(n, 12) for n in names], rotation=90 if long else 0, fontsize=7
        )
    else:
        ax.set_xticks([])
    if order.size <= _FEW_ROWS:
        units = at["unit"].values[order]
        shown = [str(u) if u >= 0 else label(at["part"].values[i], 12) for u, i in zip(units, order)]
        ax.set_yticks(np.arange(order.size), shown, fontsize=7)
    else:
        ax.set_yticks([])
    ax.tick_params(length=0)
    ax.set_xlabel(_columns(ablation), fontsize=8)
    kind = str(ablation.settings.get("kind", "parts"))
    ax.set_ylabel(f"{kind} with the largest" if values.shape[0] < at.sizes["part"] else kind, fontsize=8)
    bar: Any = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, color=FAINT, labelcolor=MUTED, length=2)
    bar.set_label(harm(ablation.settings.get("evaluate", "score")), fontsize=7, color=MUTED)


def _key(ax: Axes, ablation: Ablation) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ax.set_axis_off()
    orders = _orders(ablation)
    shown: list[Any] = [
        Line2D([], [], color=_color(orders, one), linewidth=1.6, label=label(one, 20)) for one in orders
    ]
    if ablation.curves is not None and np.isfinite(ablation.curves["random_low"].values).any():
        shown.append(Patch(facecolor=BAND, label="single random orders"))
    if ablation.data.sizes["part"] and np.isfinite(ablation.data["q"].values).any():
        shown.append(
            Line2D([], [], marker="o", linestyle="", markersize=4, color=PALETTE[0], label="q at most 0.05")
        )
    if shown:
        ax.legend(
            handles=shown, loc="center", ncol=min(len(shown), 6), fontsize=8, handlelength=1.4, labelcolor=INK
        )
