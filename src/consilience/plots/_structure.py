"""Structure of trajectories: each statistic with the band of its nulls, and the fastest planes side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience.plots._labels import label, number, probability
from consilience.plots._panels import panel_places
from consilience.plots._read import check_is, pick_names
from consilience.plots._style import BAND, BEST, FAINT, INK, MUTED, PALETTE, dress, style, tip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from consilience._results import Structure

_COLUMNS, _MOST = 3, 9
NAMES = {
    "rotation": "rotation ratio",
    "rotation_r2": "R2 of rotation",
    "rotation_rate": "fastest rotation",
    "linear_dynamics": "R2 of linear law",
    "variance_in_k": "variance along first axes",
    "tensor_max_entropy": "max. entropy",
    "circular": "circular shift",
    "phase": "random phase",
    "conditions": "conditions shuffled",
    "trials": "trials shuffled",
    "steps": "steps shuffled",
    "line": "straight line",
}
UNITS = {"1/s^2": "1/s²"}  # as they are written in figures and text
_CLAIM = {"greater": "claim: higher", "less": "claim: lower", "two-sided": "claim: different"}


def plot_structure(
    structure: Structure, ax: Axes | None = None, *, statistics: object = None, planes: bool = False
) -> Axes:
    """Draws a panel per statistic: the value (line, with its interval) over the surrogates of each null: their density,
    their middle 95 % (bar), their mean (tick), and p.

    ``ax`` becomes an empty frame around the panels.

    Parameters
    ----------
    statistics : names; by default all, at most 9.
    planes : instead, the trajectories in the fastest plane, of the data and of one surrogate of each null: what a
        rotation looks like without dynamics.
    """
    who = "plot_structure"
    check_is(structure, "Structure", who)
    if planes:
        return _planes(structure, ax, who)
    shown = pick_names(structure.data, "statistic", statistics, who)[:_MOST]
    columns = 2 if len(shown) == 4 else min(_COLUMNS, len(shown))
    nulls = structure.data.sizes["null"]
    with style():
        ax, places, below = panel_places(
            ax,
            len(shown),
            columns,
            panel=(3.0 if columns > 1 else 4.6, 0.75 + 0.55 * nulls),
            frame=(1.2, 0.7),
            key=0.22 if nulls > 1 else 0.3,
            key_first=False,
            gaps=((0.08, 0.05), (0.8, 0.3)),
            who=who,
        )
        ax.set_subplotspec(below)
        _key(ax, structure, len(shown))
        for k, name in enumerate(shown):
            _panel(ax.figure.add_subplot(places[k]), structure, str(name), first=k % columns == 0)
    return ax


def _panel(ax: Axes, structure: Structure, name: str, *, first: bool) -> None:
    dress(ax, grid="x", spines=("bottom",))
    at = structure.data.sel(statistic=name)
    nulls = at["null"].values.tolist()
    value, low, high = (at[key].item() for key in ("value", "ci_low", "ci_high"))
    for row, null in enumerate(nulls):
        draws = structure.draws.sel(statistic=name, null=null).values
        one = at.sel(null=null)
        _density(ax, draws, row)
        ends = one["null_low"].item(), one["null_high"].item()
        bar = ax.plot(ends, [row, row], color=MUTED, linewidth=4, solid_capstyle="butt", zorder=3)[0]
        ax.plot(
            [one["null_mean"].item()],
            [row],
            marker="|",
            markersize=9,
            color=INK,
            markeredgewidth=1.4,
            zorder=4,
        )
        tip(
            bar,
            f"{label(null, 40)}\nmiddle 95 % {number(ends[0], 3)} to {number(ends[1], 3)}, "
            f"{probability(one['p'].item())}",
        )
        effect = one["effect"].item()
        words = probability(one["p"].item()) + (f", {effect:+.1f} sd" if np.isfinite(effect) else "")
        ax.text(
            1.02,
            row - 0.05,
            words.replace("-", "\u2212"),
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=7.5,
            color=INK if one["p"].item() <= 0.05 else MUTED,
        )
    if np.isfinite(low):
        ax.axvspan(low, high, color=BEST, alpha=0.14, linewidth=0, zorder=1)
    ax.axvline(value, color=BEST, linewidth=1.8, zorder=5)
    ax.set_ylim(len(nulls) - 0.5, -0.95)
    ax.set_yticks(range(len(nulls)), [label(NAMES.get(null, null), 22) for null in nulls] if first else [])
    ax.tick_params(axis="y", length=0)
    unit = str(dict(structure.settings.get("units", {})).get(name, ""))
    ax.set_title(label(NAMES.get(name, name.replace("_", " ")), 30), fontsize=9)
    ax.set_xlabel(UNITS.get(unit, unit))
    ax.text(
        1.02,
        1.0,
        _CLAIM[str(at["claim"].item())],
        transform=ax.transAxes,
        va="bottom",
        fontsize=7.5,
        color=MUTED,
    )
    ax.margins(x=0.08)
    ax.locator_params(axis="x", nbins=5)


def _density(ax: Axes, draws: np.ndarray, row: int) -> None:
    """A histogram standing on the line of its null."""
    if np.ptp(draws) <= 1e-12 * max(float(np.abs(draws).max()), 1e-300):
        return
    count, edges = np.histogram(draws, bins=int(np.clip(np.sqrt(draws.size), 8, 30)))
    ax.stairs(row - 0.7 * count / count.max(), edges, baseline=row, fill=True, color=BAND, zorder=2)


def _key(ax: Axes, structure: Structure, shown: int) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Line2D([], [], color=BEST, linewidth=1.8, label="data")]
    over = structure.settings.get("interval", "none")
    if over != "none":
        handles.append(Patch(color=BEST, alpha=0.14, label=f"its interval over {over}"))
    handles += [
        Patch(color=BAND, label="surrogates"),
        Line2D([], [], color=MUTED, linewidth=4, solid_capstyle="butt", label="middle 95 %"),
    ]
    ax.legend(handles=handles, loc="center", ncols=2 if shown == 1 else 4, fontsize=8)


def _planes(structure: Structure, ax: Axes | None, who: str) -> Axes:
    from consilience._core._errors import InputError

    if structure.planes is None:
        raise InputError(
            f"{who}: planes=True is of a rotation statistic, and the result has "
            f"{', '.join(structure.data['statistic'].values.tolist())}.",
            code="bad-parameter",
        )
    planes = structure.planes
    sources = planes["source"].values.tolist()[:6]
    columns = len(sources) if len(sources) <= 4 else _COLUMNS
    name = next(
        n
        for n in structure.data["statistic"].values.tolist()
        if n in ("rotation", "rotation_r2", "rotation_rate", "linear_dynamics")
    )
    at = structure.data.sel(statistic=name)
    with style():
        ax, places, below = panel_places(
            ax,
            len(sources),
            columns,
            panel=(2.5, 2.6),
            frame=(0.3, 0.4),
            key=0.1,
            key_first=False,
            gaps=((0.05, 0.05), (0.3, 0.2)),
            who=who,
        )
        ax.set_subplotspec(below)
        words = "fastest plane of each, to its own scale; dots: first bin; "
        words += f"{NAMES.get(name, name)} {number(at['value'].item(), 2)}"
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", fontsize=8, color=MUTED)
        for k, source in enumerate(sources):
            panel = ax.figure.add_subplot(places[k])
            dress(panel, grid="", spines=())
            z = planes.sel(source=source).values
            reach = float(np.nanmax(np.abs(z))) or 1.0
            order = np.argsort(z[:, 0, 0])
            for rank, row in enumerate(order):
                color = _along(rank / max(1, len(order) - 1))
                panel.plot(z[row, :, 0], z[row, :, 1], color=color, linewidth=1.1, zorder=2)
                panel.scatter(z[row, :1, 0], z[row, :1, 1], s=14, color=color, zorder=3)
            panel.axhline(0, color=FAINT, linewidth=0.6, zorder=1)
            panel.axvline(0, color=FAINT, linewidth=0.6, zorder=1)
            panel.set(
                xlim=(-1.08 * reach, 1.08 * reach), ylim=(-1.08 * reach, 1.08 * reach), xticks=[], yticks=[]
            )
            panel.set_aspect("equal")
            if source == "data":
                panel.set_title("data", fontsize=9)
            else:
                p = at.sel(null=source)["p"].item()
                panel.set_title(f"{label(NAMES.get(source, source), 20)}: {probability(p)}", fontsize=9)
    return ax


def _along(share: float) -> tuple[float, ...]:
    """Blue to orange over grey, by where a trajectory starts."""
    from matplotlib.colors import LinearSegmentedColormap

    made = LinearSegmentedColormap.from_list("consilience_start", (PALETTE[0], FAINT, PALETTE[1]))
    return tuple(made(share))
