"""Receptive fields: maps at lags and time courses with their intervals, one row or one panel per unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import BEST, FAINT, INK, MUTED, PALETTE, dress, signed_map, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec
    from xarray import Dataset

    from consilience._results import ReceptiveField

_UNITS, _FEW, _LAGS = 24, 3, 6


def plot_receptive_field(field: ReceptiveField, ax: Axes | None = None, *, units: object = None) -> Axes:
    """Draws the field of each unit. Of up to three units of a movie: a row of maps, from long before the response to
    it, and the time course with its band. Of more: the spatial map of each, and its course below. Of a stimulus without
    space: the course; of one dim (sound): lags by that dim. Blue is above 0, brown below, each unit on its own scale.

    Of axes of the spike-triggered covariance: all that are significant, one panel each (their sign is free), without
    bands but for the leading one; where none is, the leading one.

    Bars below a course: lags at which the covariance passes the threshold of the whole map. ``ax`` becomes an empty
    frame around the panels.

    Parameters
    ----------
    units : names; by default the first 24.
    """
    who = "plot_receptive_field"
    check_is(field, "ReceptiveField", who)
    shown = pick_names(field.data, "unit", units, who)
    shown = shown[:_UNITS] if units is None else shown
    lags, space = field.data.sizes["lag"], field.space
    picture = _is_picture(field.data, space)
    panels = [one for unit in shown for one in _axes_of(field.data.sel(unit=unit))]
    panels = panels[:_UNITS] if units is None else panels
    rows = picture and lags > 1 and len(shown) <= _FEW and len(panels) <= 2 * _FEW
    if rows:
        columns, panel = 1, (1.15 * min(lags, _LAGS) + 2.4, 1.45)
    elif picture:
        columns, panel = min(6, len(panels)), (1.5, 1.85 if lags == 1 else 2.2)
    else:
        columns, panel = min(3, len(panels)), (3.0, 2.0)
    with style():
        ax, places, below = panel_places(
            ax,
            len(panels),
            columns,
            panel=panel,
            frame=(0.5, 0.6),
            key=0.16 if not picture else 0.1,
            key_first=False,
            gaps=((0.05, 0.04), (0.55, 0.3)),
            who=who,
        )
        ax.set_subplotspec(below)
        ax.text(0.5, 0.0, _key(field, len(shown)), ha="center", va="bottom", fontsize=8, color=MUTED)
        for k, (place, data) in enumerate(zip(places, panels)):
            last = k + columns >= len(panels)
            if rows:
                _row(ax, place, data, field, last)
            elif picture:
                _map_and_course(ax, place, data, field, last)
            elif space:
                _lags_by_space(ax, place, data, field, last, k % columns == 0)
            else:
                _course(ax.figure.add_subplot(place), data, field, last, title=_title(data), whole=True)
    return ax


def _axes_of(data: Dataset) -> list[Dataset]:
    """The field of a unit, or one for each significant axis of its spike-triggered covariance."""
    if "axes" not in data:
        return [data]
    names = data["axis"].values.tolist()
    some = [
        axis
        for end in ("excitatory", "suppressive")
        for axis in [name for name in names if name.startswith(end)][: int(data[f"n_{end}"])]
    ]
    plain = data.drop_vars(["axes", "axis_p", "axis"])
    if not some:
        return [plain]
    out = [plain.assign_coords(axis=some[0])]  # the leading one, as value has it
    for axis in some[1:]:
        value = data["axes"].sel(axis=axis, drop=True)
        power = (value**2).sum([dim for dim in value.dims if dim != "lag"])
        shown = {"value": value, "spatial": value.isel(lag=int(power.values.argmax()), drop=True)}
        shown |= dict.fromkeys(("se", "ci_low", "ci_high", "z"), value * np.nan)
        out.append(plain.assign(shown).assign_coords(axis=axis))
    return out


def _is_picture(data: Dataset, space: tuple[str, ...]) -> bool:
    return "y" in space and "x" in space


def _key(field: ReceptiveField, shown: int) -> str:
    total = field.data.sizes["unit"]
    percent = f"{100 * float(field.settings.get('level', 0.95)):g} %"
    said = [] if not _is_picture(field.data, field.space) else ["blue above 0, brown below"]
    if said and "channel" in field.data.sizes and field.data.sizes["channel"] == 3:
        said = ["red, green and blue: the three channels, grey is 0"]
    if field.data.sizes["lag"] > 1:
        said.append(f"band: {percent} interval" if len(field.space) != 1 else "blue above 0, brown below")
        if np.isfinite(field.data["threshold"]).any() and len(field.space) != 1:
            said.append("bars: lags beyond chance")
    if shown < total:
        said.append(f"{shown} of {total} units")
    return "; ".join(said)


def _title(data: Dataset, *, short: bool = False) -> str:
    score = float(data["score"])
    name = label(data["unit"].item(), 22 if short else 24)
    if "axis" in data.coords:
        kind, number_of = str(data["axis"].item()).split()
        return (
            f"{name}\n{kind} {int(number_of) + 1}" if short else f"{name}  {kind} axis {int(number_of) + 1}"
        )
    apart = "\n" if short and len(name) > 8 else "  "
    return f"{name}{apart}r {number(score, 2)}" if np.isfinite(score) else name


def _plain(value: float) -> str:
    """``8000`` and ``2093``, not 8e+03."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e7 else f"{value:.3g}"


def _seconds(field: ReceptiveField) -> tuple[np.ndarray, str]:
    """Time of each lag from the response, and its unit."""
    lag = np.asarray(field.data["lag"].values, dtype=np.float64)
    back = 0.0 - lag  # 0 stays 0
    if field.settings.get("lag_unit") == "s":
        return (1000 * back, "ms") if np.abs(lag).max() < 1 else (back, "s")
    return back, "frames"


def _picture_of(values: Any, space: tuple[str, ...], limit: float) -> tuple[np.ndarray, bool]:
    """(y, x) or (y, x, 3), and whether it is in colour: three channels as red, green and blue about grey."""
    given = values.transpose(*[dim for dim in space if dim not in ("y", "x")], "y", "x").values
    if given.ndim == 2:
        return given, False
    flat = given.reshape(-1, *given.shape[-2:])
    if len(flat) == 3:
        return np.clip(0.5 + flat.transpose(1, 2, 0) / (2 * limit), 0, 1), True
    return flat[np.argmax((flat**2).sum(axis=(1, 2)))], False


def _show(ax: Axes, values: Any, space: tuple[str, ...], limit: float) -> None:
    limit = limit if np.isfinite(limit) and limit > 0 else 1.0
    picture, colour = _picture_of(values, space, limit)
    if colour:
        ax.imshow(picture, interpolation="nearest", aspect="equal")
    else:
        ax.imshow(
            np.ma.masked_invalid(picture),
            cmap=signed_map(),
            vmin=-limit,
            vmax=limit,
            interpolation="nearest",
            aspect="equal",
        )
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(visible=True, edgecolor=FAINT, linewidth=0.6)


def _row(frame: Axes, place: SubplotSpec, data: Dataset, field: ReceptiveField, last: bool) -> None:
    """Maps from the earliest lag on the left to the response, and the course."""
    time, unit = _seconds(field)
    count = time.size
    some = min(count, _LAGS)
    power = np.sqrt((data["value"].values.reshape(count, -1) ** 2).sum(axis=1))
    middle = int(np.nan_to_num(power).argmax())
    first = int(np.clip(middle - some // 2, 0, count - some))
    grid = place.subgridspec(1, some + 1, width_ratios=[1.0] * some + [1.7], wspace=0.05)
    limit = float(np.nanmax(np.abs(data["value"].values), initial=0.0))
    for k, lag in enumerate(range(first + some - 1, first - 1, -1)):
        panel = frame.figure.add_subplot(grid[k])
        _show(panel, data["value"].isel(lag=lag), field.space, limit)
        panel.set_xlabel(f"{time[lag]:.3g} {unit}", fontsize=7, color=MUTED)
        if k == 0:
            panel.set_title(_title(data), fontsize=9, pad=4)
        if lag == middle:
            for spine in panel.spines.values():
                spine.set(edgecolor=INK, linewidth=1.2)
    _course(frame.figure.add_subplot(grid[some]), data, field, last)


def _map_and_course(
    frame: Axes, place: SubplotSpec, data: Dataset, field: ReceptiveField, last: bool
) -> None:
    lags = field.data.sizes["lag"]
    grid = place.subgridspec(2, 1, height_ratios=[1.0, 0.4], hspace=0.08) if lags > 1 else None
    panel = frame.figure.add_subplot(place if grid is None else grid[0])
    spatial = data["spatial"]
    _show(panel, spatial, field.space, float(np.nanmax(np.abs(spatial.values), initial=0.0)))
    panel.set_title(_title(data, short=True), fontsize=7, pad=3)
    if grid is not None:
        course = frame.figure.add_subplot(grid[1])
        _course(course, data, field, last, small=True)


def _course(
    ax: Axes,
    data: Dataset,
    field: ReceptiveField,
    last: bool,
    *,
    title: str = "",
    whole: bool = False,
    small: bool = False,
) -> None:
    """The filter itself where there is no space, else the time course at its place of most effect."""
    time, unit = _seconds(field)
    dress(ax, grid="" if small else "y")
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    if whole:
        value, low, high = (data[name].values for name in ("value", "ci_low", "ci_high"))
        z = data["z"].values
        ax.set_ylabel("filter", fontsize=8)
    else:
        flat = {
            name: data[name].values.reshape(time.size, -1) for name in ("value", "ci_low", "ci_high", "z")
        }
        peak = np.nan_to_num(np.abs(data["spatial"].values.ravel())).argmax()
        value, low, high = (flat[name][:, peak] for name in ("value", "ci_low", "ci_high"))
        largest = np.abs(flat["z"])
        z = flat["z"][np.arange(time.size), np.nan_to_num(largest).argmax(axis=1)]
    ax.fill_between(time, low, high, color=PALETTE[0], alpha=0.2, linewidth=0, zorder=2)
    ax.plot(time, value, color=PALETTE[0], linewidth=1.4, zorder=3)
    beyond = np.abs(z) > float(data["threshold"])
    if beyond.any():
        step = np.abs(np.median(np.diff(time))) if time.size > 1 else 1.0
        bottom = ax.get_ylim()[0]
        for at in time[beyond]:
            bar = ax.plot(
                [at - step / 2, at + step / 2],
                [bottom, bottom],
                color=BEST,
                linewidth=2.2,
                solid_capstyle="butt",
                clip_on=False,
                zorder=4,
            )[0]
            tip(bar, f"{number(-at, 3)} {unit} before the response: beyond chance")
        ax.set_ylim(bottom=bottom)
    ax.set_xlim(time.min(), time.max())
    ax.tick_params(labelsize=7)
    if small:
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_xticks([time.min(), time.max()])
        ax.set_xticklabels([f"{time.min():.3g}", f"{time.max():.3g}"], fontsize=7)
    if small:
        ax.set_xlabel(unit, fontsize=7, labelpad=-8)
    elif last:
        ax.set_xlabel(f"time from the response ({unit})", fontsize=8)
    if title:
        ax.set_title(title, fontsize=9)


def _lags_by_space(
    frame: Axes, place: SubplotSpec, data: Dataset, field: ReceptiveField, last: bool, left: bool
) -> None:
    """Lags across, the first dim of space up; further dims next to each other."""
    time, unit = _seconds(field)
    ax = frame.figure.add_subplot(place)
    values = data["value"].values.reshape(time.size, -1)
    limit = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    if time.size == 1:
        low, high = (data[name].values.reshape(-1) for name in ("ci_low", "ci_high"))
        x = np.arange(values.size)
        dress(ax)
        ax.axhline(0, color=FAINT, linewidth=0.8)
        ax.fill_between(x, low, high, color=PALETTE[0], alpha=0.2, linewidth=0)
        ax.plot(x, values[0], color=PALETTE[0], linewidth=1.4)
        ax.set_xlabel(field.space[0] if last else "", fontsize=8)
    else:
        step = np.abs(np.median(np.diff(time)))
        extent = (time.min() - step / 2, time.max() + step / 2, -0.5, values.shape[1] - 0.5)
        order = np.argsort(time)
        ax.imshow(
            np.ma.masked_invalid(values[order].T),
            cmap=signed_map(),
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=extent,
        )
        dress(ax, grid="")
        coord = field.data[field.space[0]].values if len(field.space) == 1 else None
        if coord is not None and coord.dtype.kind in "iuf" and coord.size > 1:
            at = np.unique(np.linspace(0, coord.size - 1, 4).round().astype(int))
            ax.set_yticks(at)
            ax.set_yticklabels([_plain(float(coord[i])) for i in at])
        ax.set_xlabel(f"time from the response ({unit})" if last else "", fontsize=8)
        ax.set_ylabel(field.space[0] if left else "", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.set_title(_title(data), fontsize=9)
