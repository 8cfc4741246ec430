"""RDMs as pictures, the stimuli along their edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import axis_labels, label
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import INK, MUTED, drawing_svg, dress, own_axes, ranks_map, style
from consilience.plots._thumbnails import Thumbnails, draw_thumbnail, thumbnails

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from consilience._results import RDMs

MOST_PICTURES = 24
_MOST_PIXELS = 256
_MOST_THUMBNAILS = 120
_THUMBNAIL = 32


def plot_rdms(
    rdms: RDMs,
    ax: Axes | None = None,
    *,
    systems: str | Sequence[str] | None = None,
    stimuli: xr.DataArray | Thumbnails | None = None,
    columns: int | None = None,
) -> Axes:
    """Draws each system's RDM as a square picture inside ``ax``, in percentile ranks of its own
    dissimilarities.

    Ranks (0 = the most alike pair, 100 = the least) make RDMs of different scale comparable; the diagonal
    and NaN are grey. Stimuli stand in the order of the data, named beside the rows (every second, third, ...
    where there is no room for all); columns have the same order. Past 24 systems the rest is left out, and the
    figure says so; past 256 stimuli a pixel is the mean of a block of ranks.

    Parameters
    ----------
    systems : one or several; all by default.
    stimuli : DataArray (stimulus, y, x[, channel]) uint8 or a mapping id -> picture: drawn along the left
        and upper edges of up to 6 systems and 120 stimuli, in staggered lines.
    columns : pictures in a row; by default from their number.
    """
    who = "plot_rdms"
    check_is(rdms, "RDMs", who)
    wanted = pick_names(
        rdms.rdms,
        "system",
        list(systems) if systems is not None and not isinstance(systems, str) else systems,
        who,
    )
    shown = wanted[:MOST_PICTURES]
    across = columns or {1: 1, 2: 2, 3: 3, 4: 2}.get(len(shown), 3 if len(shown) <= 9 else 4)
    down = -(-len(shown) // across)
    ids = rdms.rdms["stimulus"].values.tolist()
    pictures = (
        thumbnails(stimuli, ids, size=_THUMBNAIL, who=who)
        if len(shown) <= 6 and len(ids) <= _MOST_THUMBNAILS
        else {}
    )
    edge = {1: 4.6, 2: 4.2, 3: 3.0}.get(across, 2.3)
    with style():
        beside = 0.0 if pictures else 0.06 * min(18, max(len(str(i)) for i in ids))  # inches of names of rows
        ax = own_axes(ax, edge * across + beside, (edge + 0.25) * down + 0.45)
        ax.set_axis_off()
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        scale_height = 0.45 / ((edge + 0.25) * down + 0.45)
        image = None
        for k, system in enumerate(shown):
            row, column = divmod(k, across)
            height = (1 - scale_height) / down
            inset = ax.inset_axes((column / across, 1 - (row + 1) * height, 0.95 / across, height * 0.9))
            image = _picture(inset, rdms.rdms.sel(system=system).values, label(system, 30), ids, pictures)
            if down == 1:
                inset.set_anchor("SW")  # beside the scale, where names of rows leave less room
            if column == 0 and not pictures:
                _names(inset, ids, inches=0.95 * edge)
        if len(wanted) > len(shown):
            ax.text(
                1,
                0,
                f"{len(wanted) - len(shown)} more not drawn",
                ha="right",
                va="bottom",
                fontsize=8,
                color=MUTED,
            )
        if image is not None:
            _scale(ax, scale_height, "\n" if across == 1 else " ")
    return ax


def _names(ax: Axes, ids: list[Any], *, inches: float) -> None:
    """Stimuli beside the rows, as many as can be read; the columns stand in the same order."""
    places, words = axis_labels(ids, most=max(2, int(inches / 0.125)), limit=18)
    ax.set_yticks([place + 0.5 for place in places], words)
    ax.tick_params(axis="y", length=0, pad=2, labelsize=7, labelcolor=INK)


def ranked(square: np.ndarray) -> np.ndarray:
    """(n, n) dissimilarities -> percentile ranks of the pairs, 0 to 100, ties shared; NaN stays NaN."""
    from scipy.stats import rankdata

    n = len(square)
    upper = np.triu_indices(n, 1)
    pairs = np.asarray(square, dtype=np.float64)[upper]
    known = np.isfinite(pairs)
    ranks = np.full(pairs.shape, np.nan)
    if known.sum() > 1:
        ranks[known] = 100 * (rankdata(pairs[known]) - 1) / (known.sum() - 1)
    elif known.any():
        ranks[known] = 50.0
    out = np.full((n, n), np.nan)
    out[upper] = ranks
    out.T[upper] = ranks
    return out


def _blocks(picture: np.ndarray) -> np.ndarray:
    step = -(-len(picture) // _MOST_PIXELS)
    if step == 1:
        return picture
    starts = np.arange(0, len(picture), step)
    known = np.isfinite(picture).astype(np.float64)
    total = np.add.reduceat(np.add.reduceat(np.nan_to_num(picture), starts, 0), starts, 1)
    count = np.add.reduceat(np.add.reduceat(known, starts, 0), starts, 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _picture(ax: Axes, square: np.ndarray, title: str, ids: list[Any], pictures: Thumbnails) -> Any:
    n = len(square)
    dress(ax, grid="", spines=())
    ax.set(xticks=[], yticks=[])
    smooth = "none" if drawing_svg() else "nearest"
    image = ax.imshow(
        np.ma.masked_invalid(_blocks(ranked(square))),
        cmap=ranks_map(),
        vmin=0,
        vmax=100,
        interpolation=smooth,
        extent=(0, n, n, 0),
    )
    image.set_gid("rdm")
    ax.set_aspect("equal")
    ax.set_anchor("SW" if pictures else "NW")
    lines = _edges(ax, n, ids, pictures) if pictures else 0.0
    ax.set_xlim(-lines, n)
    ax.set_ylim(n, -lines)
    if pictures:
        ax.text(
            0,
            -lines - 0.015 * n,
            title,
            ha="left",
            va="bottom",
            fontsize=10,
            fontweight="bold",
            clip_on=False,
        )
    else:
        ax.set_title(title, pad=4)
    return image


def _edges(ax: Axes, n: int, ids: list[Any], pictures: Thumbnails) -> float:
    """Thumbnails in staggered lines along two edges, one picture each; their width in rows of the RDM."""
    lines = max(1, min(6, round(n * 0.05)))
    gap = 0.012 * n
    for across, box in (
        (False, (-gap - lines * lines, -gap, n, 0)),
        (True, (0, n, -gap, -gap - lines * lines)),
    ):
        draw_thumbnail(ax, _strip(ids, pictures, lines, across=across), box)
    return gap + lines * lines + 0.01 * n


def _strip(ids: list[Any], pictures: Thumbnails, lines: int, *, across: bool) -> np.ndarray:
    """Thumbnails as one picture (uint8 RGBA): the first nearest the RDM, the next one line further out."""
    edge = _THUMBNAIL
    depth, length = lines * edge, round(len(ids) * edge / lines)
    out = np.zeros((depth, length, 4) if across else (length, depth, 4), np.uint8)
    for i, key in enumerate(ids):
        if key in pictures:
            along = int(np.clip(round((i + 0.5) * edge / lines - edge / 2), 0, max(length - edge, 0)))
            away = depth - (i % lines + 1) * edge
            y, x = (away, along) if across else (along, away)
            room = out[y : y + edge - 2, x : x + edge - 2]
            room[..., :3] = pictures[key][: room.shape[0], : room.shape[1]]
            room[..., 3] = 255
    return out


def _scale(ax: Axes, height: float, between: str) -> None:
    bar = ax.inset_axes((0, height * 0.42, 0.28, height * 0.22))
    bar.imshow(
        np.linspace(0, 100, 64)[None],
        cmap=ranks_map(),
        aspect="auto",
        extent=(0, 100, 0, 1),
        interpolation="none" if drawing_svg() else "auto",
    )
    dress(bar, grid="", spines=())
    bar.set_yticks([])
    bar.set_xticks([0, 50, 100])
    bar.tick_params(length=0, pad=2)
    ax.text(
        0.31,
        height * 0.53,
        f"percentile of the dissimilarity{between}(each RDM ranked by itself)",
        va="center",
        ha="left",
        fontsize=8,
        color=MUTED,
    )
