"""Shapley values: players sorted, with intervals and what removing each alone costs; by class; pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.plots._labels import interval_text, label, number, told_apart
from consilience.plots._read import check_is
from consilience.plots._style import FAINT, INK, MUTED, PALETTE, dress, own_axes, signed_map, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset

    from consilience._results import Shapley

ALPHA = 0.05
MOST = 24  # players by name; of more, the highest and the lowest


def plot_shapley(
    shapley: Shapley,
    ax: Axes | None = None,
    *,
    kind: Literal["values", "classes", "interactions"] = "values",
    most: int = MOST,
) -> Axes:
    """Draws Shapley values, highest first, with intervals; open: q above 0.05.

    kind : "values", with what removing each player alone costs (grey bars). "classes": players by classes as colours;
        a dot marks q of at most 0.05 within the class. "interactions": pairs, largest absolute value first.
    most : rows that are drawn; of more players the highest and the lowest.
    """
    who = "plot_shapley"
    check_is(shapley, "Shapley", who)
    check_option(kind, ("values", "classes", "interactions"), name="kind", who=who)
    if kind == "classes" and "class_value" not in shapley.data:
        raise InputError(
            f"{who}: this result has no classes; give cs.shapley a target of classes.", code="no-classes"
        )
    if kind == "interactions" and shapley.interactions is None:
        raise InputError(
            f"{who}: no interactions were asked for; give cs.shapley interactions=.", code="no-pairs"
        )
    with style():
        if kind == "classes":
            return _classes(shapley, ax, most)
        if kind == "interactions":
            return _pairs(shapley, ax, most)
        return _values(shapley, ax, most)


def _chosen(value: np.ndarray, most: int) -> tuple[list[int], int | None]:
    """Rows from the highest to the lowest, and after how many some are left out."""
    order = np.argsort(-value, kind="stable").tolist()
    if len(order) <= most:
        return order, None
    top = most // 2 + most % 2
    return order[:top] + order[len(order) - most // 2 :], top


def _values(shapley: Shapley, ax: Axes | None, most: int) -> Axes:
    rows, cut = _chosen(shapley.value.values, most)
    data = shapley.data.isel(player=rows)
    ax = own_axes(ax, 6.2, 1.2 + 0.24 * len(rows))
    single = data["single"].values
    at = _places(len(rows), cut)
    ax.use_sticky_edges = False
    if np.isfinite(single).any():
        ax.barh(at, single, height=0.6, color=FAINT, alpha=0.45, zorder=1, label="removed alone")
    names = told_apart(data["player"].values.tolist())
    _dots(ax, data, at, names)
    _frame(ax, at, names, cut, len(shapley.value) - len(rows))
    ax.set_xlabel(f"Shapley value: {label(shapley.settings.get('score', 'score'), 40)}")
    ax.set_title(label(shapley.settings.get("system", ""), 40))
    _key(ax, data)
    return ax


def _pairs(shapley: Shapley, ax: Axes | None, most: int) -> Axes:
    assert shapley.interactions is not None
    size = np.abs(shapley.interactions["value"].values)
    rows = np.argsort(-size, kind="stable")[:most]
    data = shapley.interactions.isel(pair=rows)
    ax = own_axes(ax, 6.2, 1.2 + 0.24 * len(rows))
    at = _places(len(rows), None)
    names = [
        f"{label(a, 20)} × {label(b, 20)}"
        for a, b in zip(data["first"].values.tolist(), data["second"].values.tolist())
    ]
    _dots(ax, data, at, names)
    _frame(ax, at, names, None, 0)
    ax.set_xlabel("interaction (above 0: more together; below 0: one stands in for the other)")
    left = size.size - len(rows)
    ax.set_title("pairs" + (f" ({left} smaller ones not drawn)" if left else ""))
    _key(ax, data)
    return ax


def _places(count: int, cut: int | None) -> np.ndarray:
    at = np.arange(count, dtype=np.float64)
    if cut is not None:
        at[cut:] += 1
    return at


def _dots(ax: Axes, data: Dataset, at: np.ndarray, names: list[str]) -> None:
    dress(ax, grid="x", spines=("bottom",))
    ax.axvline(0, color=MUTED, linewidth=0.8, zorder=1.5)
    value, low, high, q = (data[key].values for key in ("value", "ci_low", "ci_high", "q"))
    ax.hlines(at, low, high, color=PALETTE[0], linewidth=1.6, zorder=2)
    open_ = np.isfinite(q) & (q > ALPHA)
    for i, y in enumerate(at):
        dot = ax.scatter(
            value[i],
            y,
            s=26,
            color="white" if open_[i] else PALETTE[0],
            edgecolor=PALETTE[0],
            linewidth=1.2,
            zorder=3,
        )
        tip(dot, f"{names[i]}\n{number(value[i], 3)} {interval_text(low[i], high[i])}".rstrip())


def _frame(ax: Axes, at: np.ndarray, names: list[str], cut: int | None, left: int) -> None:
    ticks, words = at.tolist(), list(names)
    if cut is not None:
        ticks.insert(cut, float(cut))
        words.insert(cut, f"{left} more between")
    ax.set_yticks(ticks, words)
    if cut is not None:
        ax.get_yticklabels()[cut].set(color=MUTED, fontstyle="italic")
    ax.set_ylim(at[-1] + 0.7, -0.7)
    ax.tick_params(axis="y", length=0)


def _key(ax: Axes, data: Dataset) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dot: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none", "color": PALETTE[0]}
    tested = np.isfinite(data["q"].values).any()
    shown: list[Any] = [Line2D([], [], label="q at most 0.05" if tested else "value", **dot)]
    if tested:
        shown.append(Line2D([], [], label="q above 0.05", markerfacecolor="white", **dot))
    if np.isfinite(data["ci_low"].values).any():
        shown.append(Line2D([], [], color=PALETTE[0], linewidth=1.6, label="interval"))
    if "single" in data and np.isfinite(data["single"].values).any():
        shown.append(Patch(color=FAINT, alpha=0.45, label="removed alone"))
    ax.legend(handles=shown, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)


def _classes(shapley: Shapley, ax: Axes | None, most: int) -> Axes:
    rows, cut = _chosen(shapley.value.values, most)
    data = shapley.data.isel(player=rows)
    value = data["class_value"].values
    at = _places(len(rows), cut)
    ax = own_axes(ax, 2.6 + 0.42 * min(value.shape[1], 30), 1.5 + 0.24 * len(rows))
    dress(ax, grid="", spines=())
    limit = float(np.nanmax(np.abs(shapley.data["class_value"].values))) or 1.0
    names = told_apart(data["player"].values.tolist())
    columns = np.arange(value.shape[1])
    blocks = [slice(None)] if cut is None else [slice(0, cut), slice(cut, None)]
    image: Any = None
    for block in blocks:
        places = at[block]
        image = ax.imshow(
            value[block],
            cmap=signed_map(),
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            extent=(-0.5, value.shape[1] - 0.5, places[-1] + 0.5, places[0] - 0.5),
            interpolation="nearest",
        )
    y, x = np.nonzero(data["class_q"].values <= ALPHA)
    ax.scatter(columns[x], at[y], s=5, color=INK, zorder=3, linewidth=0)
    _frame(ax, at, names, cut, len(shapley.value) - len(rows))
    ax.set_xlim(-0.5, value.shape[1] - 0.5)
    classes = told_apart(data["class"].values.tolist())
    every = max(1, -(-len(classes) // 30))
    long = max(map(len, classes)) > 3
    ax.set_xticks(
        columns[::every], classes[::every], rotation=60 if long else 0, ha="right" if long else "center"
    )
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("class\ndot: q at most 0.05" if y.size else "class")
    ax.set_title("Shapley values by class", fontsize=9)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.05, pad=0.02, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, labelcolor=MUTED, color=FAINT)
    bar.set_label(
        f"Shapley value: {label(shapley.settings.get('score', 'score'), 30)}", fontsize=8, color=MUTED
    )
    return ax
