"""Dimensionality: estimates with interval and null, the spectrum with its power law, saturation and extrapolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._results._dimensionality import METHODS_OF_DIMENSION
from consilience.plots._dimensionality_curves import draw_curve, in_turn, ramp
from consilience.plots._labels import label, number
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, names, pick_names
from consilience.plots._style import BAND, FAINT, GRID, INK, MUTED, PALETTE, PAPER, dress, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Dimensionality

_NOT_DIMENSIONS = ("cvpca",)  # drawn in the spectrum alone
_MOST = 8
_TALL = 14  # rows of estimates from which they get a column of their own
_FEW = 3  # systems with bands, and intervals in the key
_NOTHING = 1e-9  # share of the variance below which there is rounding alone


def plot_dimensionality(result: Dimensionality, ax: Axes | None = None, *, systems: object = None) -> Axes:
    """Draws the estimates, the spectrum, and how the participation ratio settles as units and stimuli are added.

    Estimates: dot and line, value and interval (an arrow: no upper bound); grey: the same of unrelated units (to the
    edge: no bound). Spectrum: variance that repeats, by rank, with its interval and the fitted power law (dashed: as
    fitted, before its exponent is corrected; the key gives the corrected one). Saturation: the corrected participation
    ratio of random subsets (line, band: middle 95 % of single subsets) and the plain one (dotted).

    More than 8 systems, such as layers, are curves along them, a panel for each measure (line and band, value and
    interval; grey: unrelated units), and light to deep in the others.

    ``ax`` becomes an empty frame below them.

    Parameters
    ----------
    systems : which; by default all.
    """
    who = "plot_dimensionality"
    check_is(result, "Dimensionality", who)
    shown = [str(name) for name in pick_names(result.data, "system", systems, who)]
    if len(shown) > _MOST:
        return _along(result, ax, shown, who)
    color = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(shown)}
    panels: list[Any] = [_estimates, *_others(result, shown)]
    with style():
        rows = _rows_of(result, shown)
        tall = (
            len(rows) > _TALL and len(panels) > 1
        )  # estimates on the left, the others below each other on its right
        height = 0.5 + (0.2 if len(rows) <= _TALL else 0.13) * len(rows)
        count = 2 * (len(panels) - 1) if tall else len(panels)
        ax, places, below = panel_places(
            ax,
            count,
            min(2, len(panels)),
            panel=(3.7, max(2.3, height / (count // 2)) if tall else max(2.5, height)),
            frame=(0.3, 0.3),
            key=0.1,
            key_first=False,
            gaps=((0.1, 0.06), (0.45, 0.35)),
            who=who,
        )
        ax.set_subplotspec(below)
        if tall:
            places = [places[0].get_gridspec()[: count // 2, 0], *places[1::2]]
        for place, draw in zip(places, panels):
            draw(ax.figure.add_subplot(place), result, shown, color)
        if len(shown) > 1:
            _key(ax, shown, color)
    return ax


def _others(result: Dimensionality, shown: list[str]) -> list[Any]:
    """What is drawn beside the estimates: the spectrum, saturation."""
    panels: list[Any] = []
    if np.isfinite(result.spectrum["variance"].sel(system=shown).values).any():
        panels.append(_spectrum)
    if np.isfinite(result.saturation["n"].sel(system=shown).values).any():
        panels += [_saturation("units"), _saturation("stimuli")]
    return panels


def _along(result: Dimensionality, ax: Axes | None, shown: list[str], who: str) -> Axes:
    value = result.data["value"].sel(system=shown)
    measures = [m for m in names(result.data, "measure") if value.sel(measure=m).notnull().any()]
    others = _others(result, shown)
    color = in_turn(shown)
    with style():
        ax, places, below = panel_places(
            ax,
            len(measures) + len(others),
            min(3, len(measures) + len(others)),
            panel=(3.1, 2.6),
            frame=(0.3, 0.3),
            key=0.1,
            key_first=False,
            gaps=((0.06, 0.06), (0.7, 0.4)),
            who=who,
        )
        ax.set_subplotspec(below)
        for place, measure in zip(places, measures):
            draw_curve(ax.figure.add_subplot(place), result, measure, shown, _word(measure))
        for place, draw in zip(places[len(measures) :], others):
            draw(ax.figure.add_subplot(place), result, shown, color)
        ramp(ax, color)
    return ax


def _key(ax: Axes, shown: list[str], color: dict[str, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=color[name], marker="o", markersize=4, linewidth=1.4, label=label(name, 24))
        for name in shown
    ]
    ax.legend(handles=handles, loc="center", ncols=min(4, len(handles)), fontsize=8)


def _rows_of(result: Dimensionality, shown: list[str]) -> list[tuple[str, str]]:
    """(method, system) of each row of the estimates."""
    out = []
    for method in names(result.data, "measure"):
        if method in _NOT_DIMENSIONS:
            continue
        for name in shown:
            if not np.isnan(float(result.data["value"].sel(measure=method, system=name))):
                out.append((str(method), name))
    return out


def _estimates(ax: Axes, result: Dimensionality, shown: list[str], color: dict[str, str]) -> None:
    rows = _rows_of(result, shown)
    dress(ax, grid="x", spines=("bottom",))
    at = [result.data.sel(measure=method, system=name) for method, name in rows]
    ends = [float(one[key]) for one in at for key in ("value", "ci_low", "ci_high", "null_low", "null_high")]
    finite = [v for v in ends if np.isfinite(v)]
    top = max([1.0, *finite])
    least = min([v for v in finite if v > 0], default=1.0)
    own = [float(one[key]) for one in at for key in ("value", "ci_low")]
    log = top > 15 * least and min((v for v in own if np.isfinite(v)), default=1.0) > 0
    if log:
        ax.set_xscale("log")
        ax.set_xlim(least / 1.3, top * 1.5)
    else:
        ax.set_xlim(min(0.0, *finite) - 0.02 * top, 1.08 * top)
    edge = ax.get_xlim()[1]
    size = 6.5 if len(rows) <= _TALL else 5.0
    for y, (one, (_, name)) in enumerate(zip(at, rows)):
        value, low, high, null_low, null_high = (
            float(one[key]) for key in ("value", "ci_low", "ci_high", "null_low", "null_high")
        )
        if not np.isnan(null_low) and np.isfinite(null_low):
            stop = null_high if np.isfinite(null_high) else edge
            null_low = max(null_low, ax.get_xlim()[0])
            least_wide = 0.02 * null_low if log else 0.006 * edge
            ax.barh(
                y,
                max(stop - null_low, least_wide) if stop >= null_low else 0.0,
                left=null_low,
                height=0.72,
                color=BAND,
                zorder=1,
            )
        if np.isfinite(low):
            ax.plot(
                [low, min(high, edge)],
                [y, y],
                color=color[name],
                linewidth=2.6,
                solid_capstyle="butt",
                zorder=3,
            )
            if high > edge:
                ax.plot([edge], [y], ">", color=color[name], markersize=size - 0.5, clip_on=False, zorder=4)
        if np.isfinite(value):
            (dot,) = ax.plot(
                [value], [y], "o", color=color[name], markersize=size, markeredgecolor=PAPER, zorder=5
            )
            tip(dot, f"{label(name, 40)}\n{number(value, 4)} [{number(low, 3)}, {number(high, 3)}]")
        else:
            ax.plot([edge], [y], ">", color=color[name], markersize=6, clip_on=False, zorder=4)
    groups: dict[str, list[int]] = {}
    for y, (method, _) in enumerate(rows):
        groups.setdefault(method, []).append(y)
    for ys in list(groups.values())[1:]:
        ax.axhline(ys[0] - 0.5, color=GRID, linewidth=0.8, zorder=0)
    ax.set_yticks([float(np.mean(ys)) for ys in groups.values()], [_word(method) for method in groups])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.set_xlabel("dimensions; grey: of unrelated units")
    ax.set_title("estimates", fontsize=9, pad=4)
    if log:
        _plain_ticks(ax)


def _plain_ticks(ax: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    low, high = ax.get_xlim()
    subs = (1.0,) if high > 60 * low else ((1.0, 3.0) if high > 12 * low else (1.0, 2.0, 3.0, 5.0, 7.0))
    ax.xaxis.set_major_locator(LogLocator(subs=subs, numticks=8))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _word(method: str) -> str:
    return METHODS_OF_DIMENSION[method][0].replace("participation ratio", "part. ratio")


def _spectrum(ax: Axes, result: Dimensionality, shown: list[str], color: dict[str, str]) -> None:
    dress(ax, grid="both")
    kinds = set()
    said: list[Any] = []
    for name in shown:
        one = result.spectrum.sel(system=name)
        variance = one["variance"].values
        rank = one["component"].values
        good = np.isfinite(variance) & (variance > _NOTHING)
        if not good.any():
            continue
        kinds.add(str(one["kind"].item()))
        (line,) = ax.plot(rank[good], variance[good], "o", color=color[name], markersize=2.6, zorder=3)
        low, high = (np.asarray(one[key].values)[good] for key in ("ci_low", "ci_high"))
        if np.isfinite(low).any() and len(shown) <= _FEW:
            floor = variance[good].min() / 3
            ax.fill_between(
                rank[good],
                np.maximum(low, floor),
                np.maximum(high, floor),
                color=color[name],
                alpha=0.18,
                linewidth=0,
            )
        raw, factor = float(one["exponent_raw"]), float(one["factor"])
        if np.isfinite(raw):
            span = np.array([float(one["fit_from"]), float(one["fit_to"])])
            few = len(shown) <= _FEW
            ax.plot(
                span,
                np.exp(factor) * span**-raw,
                "--",
                color=INK if few else color[name],
                linewidth=1.1 if few else 0.9,
                zorder=4,
                dashes=(4, 2),
            )
            exponent = [float(one[key]) for key in ("exponent", "exponent_low", "exponent_high")]
            text = "no power law" if few else "none"
            if np.isfinite(exponent[0]):
                text = number(exponent[0], 3)
                if few:
                    text = f"exponent {text} [{number(exponent[1], 3)}, {number(exponent[2], 3)}]"
            line.set_label(text)
            said.append(line)
    ax.set_xscale("log")
    ax.set_yscale("log")
    _plain_ticks(ax)
    ax.set_xlabel("rank of the component")
    ax.set_ylabel("share of the variance" if kinds != {"SVCA"} else "share of the shared variance")
    ax.set_title("spectrum (" + ", ".join(sorted(kinds)) + ")", fontsize=9, pad=4)
    if said:
        more: dict[str, Any] = (
            {}
            if len(shown) <= _FEW
            else {"title": "exponent", "title_fontsize": 7, "ncols": 2, "columnspacing": 0.8}
        )
        ax.legend(handles=said, loc="lower left", fontsize=7, handlelength=1.0, labelcolor=INK, **more)


def _saturation(along: str) -> Any:
    def draw(ax: Axes, result: Dimensionality, shown: list[str], color: dict[str, str]) -> None:
        dress(ax, grid="both")
        tops = []
        for name in shown:
            one = result.saturation.sel(system=name, along=along)
            n, value, low, high, plain = (
                np.asarray(one[key].values) for key in ("n", "value", "low", "high", "plain")
            )
            good = np.isfinite(n)
            if not good.any():
                continue
            late = good & (n >= 0.25 * np.nanmax(n))  # a few units or stimuli say little, and may say 1000
            tops += [*value[late & np.isfinite(value)].tolist(), *plain[good].tolist()]
            ax.plot(n[good], np.where(np.isfinite(value), value, np.nan)[good], color=color[name], zorder=3)
            ax.plot(n[good], plain[good], ":", color=color[name], linewidth=1.4, zorder=3)
            if len(shown) <= _FEW:
                ax.fill_between(
                    n[good],
                    low[good],
                    np.where(np.isfinite(high), high, 1e9)[good],
                    color=color[name],
                    alpha=0.15,
                    linewidth=0,
                )
        ax.set_xscale("log")
        _plain_ticks(ax)
        if tops:
            ax.set_ylim(0, 1.3 * max(tops))
        ax.set_xlabel(f"number of {along}")
        ax.set_ylabel("participation ratio")
        ax.text(1, 1.02, "dotted: not corrected", transform=ax.transAxes, ha="right", fontsize=7, color=MUTED)
        ax.set_title(f"with more {along}", fontsize=9, pad=4)
        ax.tick_params(colors=FAINT, labelcolor=MUTED)

    return draw
