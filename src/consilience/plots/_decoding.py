"""Decoding over time, its generalisation, confusions, and decoded beside true traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import axis_labels, label, number, probability
from consilience.plots._read import check_is
from consilience.plots._style import (
    FAINT,
    INK,
    MUTED,
    PALETTE,
    axis_name_rotation,
    drawing_svg,
    dress,
    ink_on,
    own_axes,
    style,
    values_map,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Decoding

_MOST_TARGETS = 6
_MOST_SAMPLES = 400
_LONGEST = 18  # characters of the name of a class
_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "log_loss": "log loss (nats)",
    "auc": "area under the ROC curve",
    "r": "held-out r",
    "r2": "held-out R²",
    "circular_error": "mean angular error (rad)",
}


def plot_decoding(decoding: Decoding, ax: Axes | None = None) -> Axes:
    """Draws what there is: the score over time, the generalisation matrix, the confusion matrix with the recall of each
    class, or decoded beside true values.

    Score over time: coloured band its interval, dashed chance, bars below the curve p_fwer <= 0.05. Matrix of times:
    outlined where p_fwer <= 0.05. Confusions: rows are true classes, at the best time. Traces: the stretch of a series
    that is in the middle, at most 400 samples.
    """
    check_is(decoding, "Decoding", "plot_decoding")
    timed = "time" in decoding.data.dims
    with style():
        if not timed and decoding.confusion is None:
            return _traces_or_dots(decoding, ax)
        second = decoding.generalisation is not None or decoding.confusion is not None
        if not timed:
            assert decoding.confusion is not None
            height = min(3.6 + 0.1 * max(0, decoding.confusion.sizes["true"] - 16), 5.0)
            ax = own_axes(ax, 2.06 * height, height)
            _frame(ax)
            side = float(0.46 * ax.bbox.width / ax.figure.dpi)
            _confusion(ax.inset_axes((0.0, 0, 0.46, 1)), decoding, side)
            _recalls(ax.inset_axes((0.69, 0, 0.31, 1)), decoding, side)
            return ax
        ax = own_axes(ax, 8.6 if second else 5.4, 3.6)
        _frame(ax)
        _course(ax.inset_axes((0, 0, 0.52 if second else 1, 1)), decoding)
        if decoding.generalisation is not None:
            _generalisation(ax, decoding)
        elif decoding.confusion is not None:
            _confusion(ax.inset_axes((0.68, 0, 0.32, 1)), decoding, 2.4)
    return ax


def _frame(ax: Axes) -> None:
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _score(decoding: Decoding) -> str:
    return _NAMES.get(str(decoding.settings.get("score")), str(decoding.settings.get("score")))


def _course(ax: Axes, decoding: Decoding) -> None:
    dress(ax)
    data, x = decoding.data, decoding.data["time"].values
    names = data["target"].values.tolist()[:_MOST_TARGETS]
    parts = [data[k].values for k in ("value", "ci_low", "ci_high")] + [data["chance"].values[:, None]]
    low = min(float(np.nanmin(v)) for v in parts if np.isfinite(v).any())
    high = max(float(np.nanmax(v)) for v in parts if np.isfinite(v).any())
    span = (high - low) or 1.0
    half = np.median(np.diff(x)) / 2 if x.size > 1 else 0.5
    tested = False
    for k, name in enumerate(names):
        row = {v: data[v].values[k] for v in ("value", "ci_low", "ci_high", "p_fwer")}
        color = PALETTE[k]
        if np.isfinite(row["ci_low"]).any():
            ax.fill_between(x, row["ci_low"], row["ci_high"], color=color, alpha=0.2, linewidth=0, zorder=2)
        ax.plot(
            x,
            row["value"],
            color=color,
            linewidth=1.8,
            zorder=4,
            label=label(name, 24) if len(names) > 1 else "",
        )
        found = row["p_fwer"] <= 0.05
        if found.any():
            y = low - 0.06 * span - 0.04 * span * k
            words = "p_fwer ≤ 0.05" if not tested else ""
            ax.hlines(
                np.full(int(found.sum()), y),
                x[found] - half,
                x[found] + half,
                color=color,
                linewidth=3,
                label=words,
            )
            tested = True
    ax.axhline(
        float(data["chance"].values[0]),
        color=MUTED,
        linewidth=1,
        linestyle=(0, (4, 2)),
        zorder=1.5,
        label="chance",
    )
    if x.min() < 0 < x.max():
        ax.axvline(0, ymax=0.88, color=FAINT, linewidth=0.8, zorder=1)
    ax.set_ylim(low - (0.10 + 0.04 * len(names)) * span, high + 0.16 * span)
    ax.set_xlabel("time (s)")
    ax.set_ylabel(_score(decoding))
    ax.set_title(
        f"{label(decoding.settings.get('target', ''), 24)} from {label(decoding.settings.get('system', ''), 22)}"
    )
    ax.legend(loc="upper left", ncols=2, handlelength=1.6, fontsize=8)


def _generalisation(ax: Axes, decoding: Decoding) -> None:
    made = decoding.generalisation
    assert made is not None
    x, values = made["train_time"].values, made["value"].values
    half = np.median(np.diff(x)) / 2 if x.size > 1 else 0.5
    box = ax.inset_axes((0.64, 0, 0.30, 1))
    dress(box, grid="", spines=())
    chance = float(decoding.data["chance"].values[0])
    edges = (x[0] - half, x[-1] + half)
    image = box.imshow(
        values,
        cmap=values_map(),
        vmin=chance,
        vmax=max(float(np.nanmax(values)), chance + 1e-3),
        extent=(*edges, *edges),
        origin="lower",
        interpolation="none" if drawing_svg() else "nearest",
        aspect="equal",
    )
    found = made["p_fwer"].values <= 0.05
    if found.any() and not found.all():
        _outline(box, found, x, half)
    box.plot(edges, edges, color=MUTED, linewidth=0.7, linestyle=(0, (2, 2)))
    box.set_xlabel("test time (s)")
    box.set_ylabel("training time (s)")
    box.set_title("trained here, tested there", fontsize=9)
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((0.96, 0.18, 0.018, 0.64)))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, length=2, color=FAINT, labelcolor=MUTED)
    bar.ax.set_title(f"chance {number(chance)}", fontsize=7, color=MUTED, pad=4)


def _outline(ax: Axes, found: np.ndarray, x: np.ndarray, half: float) -> None:
    """The border of the cells that were found: a segment where a cell's neighbour was not."""
    padded = np.pad(found, 1)
    lines: list[Any] = []
    for i, j in zip(*np.nonzero(found)):
        left, right, bottom, top = x[j] - half, x[j] + half, x[i] - half, x[i] + half
        if not padded[i, j + 1]:
            lines.append([(left, bottom), (right, bottom)])
        if not padded[i + 2, j + 1]:
            lines.append([(left, top), (right, top)])
        if not padded[i + 1, j]:
            lines.append([(left, bottom), (left, top)])
        if not padded[i + 1, j + 2]:
            lines.append([(right, bottom), (right, top)])
    from matplotlib.collections import LineCollection

    ax.add_collection(LineCollection(lines, colors=INK, linewidths=0.9))


def _most(side: float) -> int:
    """Names that stand beside each other along ``side`` inches."""
    return max(2, int(7.2 * side))


def _best_time(decoding: Decoding) -> int | None:
    if "time" not in decoding.data.dims:
        return None
    mean = decoding.data["value"].values.mean(axis=0)
    return int(mean.argmin() if decoding.settings.get("higher") is False else mean.argmax())


def _confusion(ax: Axes, decoding: Decoding, side: float) -> None:
    """``side`` : of the square, in inches."""
    made = decoding.confusion
    assert made is not None
    at = _best_time(decoding)
    counts = made.values if at is None else made.values[:, :, at]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
    names = made["true"].values.tolist()
    dress(ax, grid="", spines=())
    image = ax.imshow(
        share,
        cmap=values_map(),
        vmin=0,
        vmax=1,
        aspect="equal",
        interpolation="none" if drawing_svg() else "nearest",
    )
    places, words = axis_labels(names, most=_most(side), limit=_LONGEST)
    turn = axis_name_rotation(len(places), max(map(len, words)), side)
    ax.set_xticks(
        places, words, rotation=turn, ha="right" if turn == 45 else "center", rotation_mode="anchor"
    )
    ax.set_yticks(places, words)
    if turn == 90:
        ax.set_xticks(places, words, rotation=90, ha="right", va="center", rotation_mode="anchor")
    ax.tick_params(length=0)
    if len(names) <= 10:
        for i in range(len(names)):
            for j in range(len(names)):
                if share[i, j] < 0.005:
                    continue
                ax.text(
                    j,
                    i,
                    number(float(share[i, j])),
                    ha="center",
                    va="center",
                    fontsize=8 if len(names) <= 5 else 6,
                    color=ink_on(tuple(np.asarray(image.cmap(image.norm(share[i, j]))))),
                )
    ax.set_xlabel("decoded")
    ax.set_ylabel("true")
    if at is not None:
        ax.set_title(f"confusions at {decoding.data['time'].values[at]:.3g} s", fontsize=9)
    else:
        ax.set_title(_headline(decoding))


def _headline(decoding: Decoding) -> str:
    low, high = decoding.interval
    ends = f" [{number(low)}, {number(high)}]" if np.isfinite(low) else ""
    p = float(decoding.data["p"].values.reshape(-1)[0])
    return f"{_score(decoding)} {number(decoding.value)}{ends}" + (
        f", {probability(p)}" if np.isfinite(p) else ""
    )


def _recalls(ax: Axes, decoding: Decoding, side: float) -> None:
    made = decoding.per_class
    if made is None:
        ax.set_axis_off()
        return
    dress(ax, grid="x")
    place = np.arange(made.sizes["class"])[::-1]
    value, low, high = (made[k].values for k in ("recall", "ci_low", "ci_high"))
    many = place.size > 16
    ax.hlines(place, low, high, color=PALETTE[0], alpha=0.45, linewidth=1 if many else 2)
    ax.scatter(value, place, s=10 if many else 24, color=PALETTE[0], zorder=3)
    chance = float(decoding.data["chance"].values[0])
    if decoding.settings.get("score") == "balanced_accuracy":
        ax.axvline(chance, color=MUTED, linewidth=1, linestyle=(0, (4, 2)), zorder=1.5)
    at, words = axis_labels(made["class"].values.tolist(), most=_most(side), limit=_LONGEST)
    ax.set_yticks([place[k] for k in at], words)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.6, place.size - 0.4)
    ax.set_xlabel("recall (dashed: chance)")


def _traces_or_dots(decoding: Decoding, ax: Axes | None) -> Axes:
    made = decoding.predictions
    assert made is not None
    if "n_samples" in decoding.settings:
        return _traces(decoding, ax)
    ax = own_axes(ax, 4.2, 3.8)
    dress(ax, grid="both")
    names = decoding.data["target"].values.tolist()[:_MOST_TARGETS]
    for k, name in enumerate(names):
        ax.scatter(
            made["actual"].values[:, k],
            made["predicted"].values[:, k],
            s=14,
            color=PALETTE[k],
            alpha=0.6,
            linewidth=0,
            label=label(name, 24),
        )
    ends = np.array([ax.get_xlim(), ax.get_ylim()])
    line = (float(ends[:, 0].max()), float(ends[:, 1].min()))
    ax.plot(line, line, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    ax.set_xlabel("true")
    ax.set_ylabel("decoded, held out")
    ax.set_title(_headline(decoding) if len(names) == 1 else _score(decoding))
    if len(names) > 1:
        ax.legend(loc="upper left")
    return ax


def _traces(decoding: Decoding, ax: Axes | None) -> Axes:
    made = decoding.predictions
    assert made is not None
    names = decoding.data["target"].values.tolist()[:3]
    ax = own_axes(ax, 7.6, 1.0 + 1.6 * len(names))
    _frame(ax)
    n = made.sizes["time"]
    rows = slice(max(0, n // 2 - _MOST_SAMPLES // 2), n // 2 + _MOST_SAMPLES // 2)
    t = made["time"].values[rows]
    circular = bool(decoding.settings.get("circular"))
    height = 1.0 / len(names)
    for k, name in enumerate(names):
        box = ax.inset_axes((0, 1 - (k + 1) * height, 1, height * 0.82))
        dress(box)
        true, decoded = (made[v].values[rows, k].copy() for v in ("actual", "predicted"))
        if circular:
            true %= 2 * np.pi
            true = _broken(true)
            box.set_yticks([0, np.pi, 2 * np.pi], ["0", "π", "2π"])
        box.plot(t, true, color=INK, linewidth=1.2, label="true")
        how: dict[str, Any] = (
            {"linestyle": "none", "marker": ".", "markersize": 3} if circular else {"linewidth": 1.2}
        )
        box.plot(t, decoded, color=PALETTE[1], alpha=0.9, label="decoded, held out", **how)
        row = decoding.data.isel(target=k)
        value, low, high = (float(row[v]) for v in ("value", "ci_low", "ci_high"))
        ends = f" [{number(low)}, {number(high)}]" if np.isfinite(low) else ""
        box.set_title(f"{label(name, 30)}: {_score(decoding)} {number(value)}{ends}", fontsize=9)
        if k == 0:
            box.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=2, borderaxespad=0.2)
        if k < len(names) - 1:
            box.set_xticklabels([])
    box.set_xlabel("time (s)")
    return ax


def _broken(angle: np.ndarray) -> np.ndarray:
    """Without the line that would join 0 and 2 pi."""
    out = angle.copy()
    out[1:][np.abs(np.diff(angle)) > np.pi] = np.nan
    return out
