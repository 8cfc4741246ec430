"""The look of all figures, set for one call at a time; and the tooltips that the report shows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from consilience._core._errors import InputError
from consilience._core._params import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The report exchanges these for CSS variables, as it has a light and a dark side; no data has these colours.
INK, MUTED, GRID, PAPER, BAND, FAINT = "#1f2329", "#5a6572", "#e3e7ec", "#fefefe", "#dde2e9", "#a3acb7"
# Okabe and Ito's colours (safe for the common kinds of colour blindness), without yellow; black is the ink's
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#6b7280")
BEST = "#d55e00"
_SEQUENCE = ("#f4f7fa", "#cfe1ec", "#8fbcd6", "#4690ba", "#1b6394", "#0b3c66")
_RANKS = ("#0b2f55", "#1b6394", "#5aa3c7", "#c9dfe6", "#f6e9c8", "#eab464", "#c9652a", "#7d2811")

_svg: ContextVar[bool] = ContextVar("consilience_svg", default=False)
_tips: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


@contextmanager
def style(*, svg: bool = False) -> Iterator[None]:
    """Our rc settings inside the block; the caller's come back after it."""
    import matplotlib as mpl

    token = _svg.set(svg or _svg.get())
    settings: Any = {
        "font.family": ["DejaVu Sans"],
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.titlepad": 8,
        "axes.labelsize": 9,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": FAINT,
        "axes.linewidth": 0.8,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "axes.formatter.useoffset": False,
        "text.color": INK,
        "text.usetex": False,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.frameon": False,
        "legend.labelcolor": MUTED,
        "figure.facecolor": "white",
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "image.composite_image": False,
        "path.sketch": None,
        "path.effects": [],
        "svg.fonttype": "none",
        "svg.hashsalt": "consilience",
    }
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _svg.reset(token)


def drawing_svg() -> bool:
    return _svg.get()


def figure(width: float, height: float) -> Figure:
    """A figure (inches) that belongs to nobody: no pyplot, nothing to close."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def own_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax``, or the axis of a new figure (inches); pyplot's where pyplot is in use, so that it is shown."""
    if ax is not None:
        if not hasattr(ax, "get_xlim"):
            raise InputError(
                f"plot: ax must be a matplotlib axis, got {shorten(ax)}; leave it out for a new one.",
                code="bad-parameter",
            )
        return ax
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        return pyplot.figure(figsize=(width, height), layout="constrained").add_subplot()
    return figure(width, height).add_subplot()


def dress(
    ax: Axes, *, grid: Literal["", "x", "y", "both"] = "y", spines: tuple[str, ...] = ("left", "bottom")
) -> None:
    """Our look on an axis that may have been made elsewhere."""
    for name, spine in ax.spines.items():
        spine.set_visible(name in spines)
        spine.set(edgecolor=FAINT, linewidth=0.8)
    ax.tick_params(color=FAINT, labelcolor=MUTED, labelsize=8, length=3)
    ax.grid(visible=False)
    if grid:
        ax.grid(visible=True, axis=grid, color=GRID, linewidth=0.7)
        ax.set_axisbelow(True)


def tip(artist: Any, text: str) -> None:
    """The words that the report shows when the pointer rests on ``artist``."""
    _tips[artist] = text


def tip_of(artist: Any) -> str | None:
    return _tips.get(artist)


def values_map() -> Any:
    """Light to deep blue: higher = more alike."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("consilience_values", _SEQUENCE).with_extremes(bad=BAND)


def ranks_map() -> Any:
    """Blue over cream to brown: near to far, for ranked dissimilarities."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("consilience_ranks", _RANKS).with_extremes(bad=BAND)


def signed_map() -> Any:
    """Brown over cream to blue: below, at and above 0, for limits of equal size."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("consilience_signed", _RANKS[::-1]).with_extremes(bad=BAND)


def ink_on(color: tuple[float, ...]) -> str:
    """Black or white, whichever reads on ``color`` (WCAG relative luminance)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111418" if luminance > 0.25 else "#ffffff"


def axis_name_rotation(count: int, longest: int, inches: float) -> int:
    """0, 45 or 90 degrees, for ``count`` names of ``longest`` characters along ``inches``."""
    room = inches / max(count, 1)
    if longest * 0.075 < room:
        return 0
    return 45 if room > 0.2 else 90
