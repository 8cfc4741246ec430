"""Cross-validated scores of numbers of components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience.plots._style import INK, MUTED, PALETTE, dress, own_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_component_choice(found: Any, ax: Axes | None = None) -> Axes:
    """Draws the held-out score of each number of components that was tried, a dot with its interval over folds, thin
    lines for single folds, and a ring about the number that was chosen.

    found : a Reduction whose number of components was chosen (``choice``), or a fitted model with ``cv_interval``
    (`LatentCV`, `CP`). The level of a Reduction is its own, of models 95 %.
    """
    from matplotlib.ticker import MaxNLocator

    numbers, folds, (mean, low, high), chosen = _read(found)
    with style():
        ax = own_axes(ax, 4.2, 3.0)
        dress(ax)
        ax.plot(numbers, folds, color=MUTED, linewidth=0.7, alpha=0.5, zorder=2)
        ax.vlines(numbers, low, high, color=PALETTE[0], linewidth=1.6, zorder=3)
        ax.plot(numbers, mean, "o-", color=PALETTE[0], markersize=5, linewidth=1.4, zorder=4)
        at = np.flatnonzero(numbers == chosen)
        ax.plot(
            numbers[at], mean[at], "o", markersize=11, fillstyle="none", color=INK, zorder=5, label=f"{chosen} chosen"
        )  # fmt: skip
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("components")
        ax.set_ylabel("held-out score")
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.2)
    return ax


def _read(found: Any) -> tuple[np.ndarray, np.ndarray, Any, int]:
    choice = getattr(found, "choice", None)
    if choice is not None:
        c = choice
        ends = c["score"].values, c["ci_low"].values, c["ci_high"].values
        return c["number"].values, c["score_by_fold"].values, ends, int(found.n_components)
    if getattr(found, "cv_scores_", None) is not None and hasattr(found, "cv_interval"):
        return found.cv_components_, found.cv_scores_, found.cv_interval(), int(found.n_components_)
    raise InputError(
        f"plot_component_choice: {type(found).__name__} holds no scores of numbers of components; give a Reduction or "
        "a fitted model whose number was chosen by cross-validation (LatentCV, n_components='cv').",
        code="bad-parameter",
    )
