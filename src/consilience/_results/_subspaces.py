"""`Subspaces`: how far two sets of responses of the same units share their leading dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import Result, cell

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Subspaces(Result):
    """Alignment of the leading subspaces of two sets of responses. Made by `cs.subspaces`.

    data : Dataset (of): the variance of which of the two is looked at, in the subspace of the other. value (held-out
        alignment index: variance in the other's subspace over that in its own, both found on other trials; ceiling 1),
        ci_low, ci_high; null_mean, null_low, null_high and p_aligned, p_orthogonal (random subspaces with the
        covariance of both); null_units, p_units (the other's subspace with its units permuted); p_ceiling (less than
        the ceiling); index, index_halves, index_ceiling: the published index of all trials, of halves of different
        and of halves of the same responses.
    angles : Dataset (angle), in degrees, smallest first: value (between halves of the two), ci_low, ci_high, ceiling
        (between halves of the same), null_mean, null_low, null_high, p (smaller than of random subspaces), all_trials.
    captured : Dataset (of, dimension): share of the held-out variance in the first dimensions: other, own, null_mean,
        null_low, null_high.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> axes = rng.normal(size=(2, 30))
    >>> day = lambda name: cs.responses(
    ...     3 * rng.normal(size=(100, 2)) @ axes + rng.normal(size=(100, 30)), stimulus=np.arange(100), kind="rate",
    ...     unit=[f"u{k}" for k in range(30)], system=name)
    >>> found = cs.subspaces(day("first"), day("second"), condition=None, k=2, n_null=100, rng=0)
    >>> bool((found.data["value"] > 0.9).all()), found.angles.sizes["angle"]
    (True, 2)
    """

    data: xr.Dataset
    angles: xr.Dataset
    captured: xr.Dataset

    title: ClassVar[str] = "how far two sets of responses share their subspaces"

    @property
    def k(self) -> int:
        return int(self.settings["k"])

    def to_frame(self) -> pd.DataFrame:
        """One row per direction; `.angles.to_dataframe()` has the angles."""
        return self.data.to_dataframe().reset_index()

    def _lines(self) -> list[str]:
        said = self.settings
        names = [str(v) for v in self.data["of"].values.tolist()]
        lines = [
            f"  {cell(names[0], 30).rstrip()} and {cell(names[1], 30).rstrip()}: {said['n_units']} units, {self.k} "
            f"dimensions; {said['n_trials'][0]} and {said['n_trials'][1]} trials"
        ]
        for side, name in enumerate(names):
            d = self.data.isel(of=side)
            text = f"  {cell(name, 20).rstrip()} in the subspace of {cell(names[1 - side], 20).rstrip()}: "
            text += f"{float(d['value']):.3g} [{float(d['ci_low']):.3g}, {float(d['ci_high']):.3g}] of the ceiling 1"
            text += f" (p below it {float(d['p_ceiling']):.2g})"
            if np.isfinite(float(d["null_mean"])):
                text += f"; random {float(d['null_mean']):.2g} ({_side(d)})"
            lines.append(text)
        shown = ", ".join(f"{v:.0f}" for v in self.angles["value"].values[:8].tolist())
        same = ", ".join(f"{v:.0f}" for v in self.angles["ceiling"].values[:8].tolist())
        lines.append(f"  principal angles of halves (degrees) {shown}; of halves of the same {same}")
        return lines


def _side(d: xr.Dataset) -> str:
    low, high = float(d["p_orthogonal"]), float(d["p_aligned"])
    return f"p below {low:.2g}" if low < high else f"p above {high:.2g}"
