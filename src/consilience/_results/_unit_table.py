"""`UnitTable`: tuning and selectivity of every unit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._results._base import Result, cell, counted
from consilience._results._quality import within

if TYPE_CHECKING:
    import pandas as pd

# measure -> (what it is, value of a unit without tuning)
TUNING = {
    "class_selectivity": ("class selectivity", 0.0),
    "lifetime_sparseness": ("lifetime sparseness", 0.0),
    "orientation_selectivity": ("orientation selectivity", 0.0),
    "direction_selectivity": ("direction selectivity", 0.0),
    "circular_variance": ("circular variance", 1.0),
    "d_prime": ("d' of the best class", 0.0),
    "roc_auc": ("AUC of the best class", 0.5),
    "eta_squared": ("variance explained", 0.0),
    "mutual_information": ("information (bits)", 0.0),
    "direction_score": ("direction score", 0.0),
    "spatial_information": ("information (bits/spike)", 0.0),
    "information_rate": ("information (bits/s)", 0.0),
    "copula_information": ("information, copula (bits)", 0.0),
}
_FIELDS = ("value", "corrected", "ci_low", "ci_high", "null_mean", "floor", "p", "q", "stability")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class UnitTable(Result):
    """Tuning and selectivity of each unit, with the size of the bias beside it. Made by `cs.characterize`.

    data : Dataset (measure, unit): value (as published), corrected (held out or unbiased), ci_low, ci_high (of the true
        index), null_mean (relabelled), floor (untuned unit of this mean, spread and number of trials), p, q (false
        discovery rate over the units of a measure), stability (share of splits whose halves prefer the same; NaN where
        a measure prefers nothing). ``system`` on unit where there were several.
    preferred : DataArray (measure, unit): label or angle with the highest response; of silent units "" or NaN, as all
        their numbers are.
    curves : Dataset (condition, unit) with mean, ci_low, ci_high, and n_rows (condition).
    units : Dataset (unit) with mean over conditions, and fano (variance within conditions over mean; NaN for data that
        can be negative).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> category = np.repeat(["car", "face", "hand"], 20)
    >>> rate = np.where(category == "face", 9.0, 3.0)[:, None] * [1, 0] + [0, 4]
    >>> x = cs.responses(np.random.default_rng(0).poisson(rate), stimulus=category, repeat="count", kind="count",
    ...                  unit=["a", "b"], system="IT").assign_coords(category=("trial", category))
    >>> found = cs.characterize(x, n_perm=100, rng=0)
    >>> found.select(class_selectivity=0.3).tolist(), str(found.preferred.sel(unit="a").values[0])
    (['a'], 'face')
    """

    data: xr.Dataset
    preferred: xr.DataArray
    curves: xr.Dataset
    units: xr.Dataset

    title: ClassVar[str] = "tuning and selectivity of each unit"

    def to_frame(self) -> pd.DataFrame:
        """One row per (unit, measure)."""
        both = self.data.assign(preferred=self.preferred)
        frame = both.to_dataframe(dim_order=["unit", "measure"]).reset_index()
        first = ["system"] if "system" in frame else []
        return frame[[*first, "unit", "measure", *_FIELDS, "preferred"]]

    def sort(self, measure: str, *, field: str = "corrected") -> UnitTable:
        """The same with units in falling order of a measure; units without a value last.

        Raises
        ------
        UnknownNameError : no such measure or field.
        """
        self._known(measure, "sort")
        if field not in self.data:
            raise UnknownNameError(
                f"UnitTable.sort: no field {field!r}.{nearest(field, list(map(str, self.data)))}"
            )
        order = np.argsort(-self.data[field].sel(measure=measure).values, kind="stable")
        moved = {key: getattr(self, key).isel(unit=order) for key in ("data", "preferred", "curves", "units")}
        return dataclasses.replace(self, **moved)

    def select(self, **limits: float | tuple[float | None, float | None]) -> np.ndarray:
        """Names of the units whose *corrected* values lie within limits: a number is the least that will do,
        (low, high) both ends, either of them None; ``q=0.05`` keeps units told from chance (of the first measure
        named, or of the first there is).

        To analyse the units chosen, take other trials than those that chose them.

        Raises
        ------
        InputError : no limits, or none that are numbers.   UnknownNameError : a measure that is not in the result.
        """
        most = limits.pop("q", None)
        keep = np.ones(self.data.sizes["unit"], dtype=bool)
        if limits or most is None:
            table = self.data.assign(value=self.data["corrected"])
            keep &= within(table, dict(limits), who="UnitTable.select")
        if most is not None:
            if isinstance(most, (tuple, list)) or not 0 < most <= 1:
                raise InputError(
                    f"UnitTable.select: q must be a number in (0, 1], got {most!r}.", code="bad-parameter"
                )
            name = next(iter(limits), self.data["measure"].values[0])
            keep &= self.data["q"].sel(measure=name).values <= most
        return np.asarray(self.data["unit"].values[keep])

    def profile(self, measure: str | None = None) -> pd.DataFrame:
        """One row per (system, measure), or per system: number of units, medians of value, corrected, floor and
        null_mean, and the share of units with q at most 0.05.
        """
        import pandas as pd

        if measure is not None:
            self._known(measure, "profile")
        names = [measure] if measure is not None else self.data["measure"].values.tolist()
        rows = []
        for system, at in self._systems():
            for name in names:
                one = self.data.sel(measure=name).isel(unit=at)
                known = ~np.isnan(one["corrected"].values)  # d' of a unit without noise is infinite
                medians = {
                    key: float(np.median(v)) if (v := one[key].values[known]).size else np.nan
                    for key in ("value", "corrected", "floor", "null_mean")
                }
                q = one["q"].values[known]
                told = float((q <= 0.05).mean()) if np.isfinite(q).any() else np.nan
                rows.append(
                    {"system": system, "measure": name, "n_units": int(known.sum()), **medians, "tuned": told}
                )
        return pd.DataFrame(rows)

    def _known(self, measure: str, who: str) -> None:
        known = [str(name) for name in self.data["measure"].values.tolist()]
        if measure not in known:
            raise UnknownNameError(
                f"UnitTable.{who}: {measure!r} is not among the measures.{nearest(measure, known)}"
            )

    def _systems(self) -> list[tuple[str, np.ndarray]]:
        """(name, places of its units) of each system, in the order of the data."""
        every = np.arange(self.data.sizes["unit"])
        if "system" not in self.data.coords:
            return [(str(self.settings.get("system") or "data"), every)]
        owner = self.data["system"].values.astype(str)
        return [(name, every[owner == name]) for name in dict.fromkeys(owner.tolist())]

    def _lines(self) -> list[str]:
        said, d = self.settings, self.data
        systems = self._systems()
        of = f"{len(systems)} systems" if len(systems) > 1 else systems[0][0][:40]
        lines = [
            f"  {counted(d.sizes['unit'], 'unit')} of {of}; {said.get('n_rows')} {said.get('rows')}, "
            f"{counted(self.curves.sizes['condition'], 'value')} of {said.get('by')}{_turn(said.get('period'))}"
        ]
        for row in self.profile(None if len(systems) == 1 else str(d["measure"].values[0])).to_dict(
            "records"
        ):
            name = row["system"] if len(systems) > 1 else TUNING[row["measure"]][0]
            if not row["n_units"]:
                lines.append(f"  {cell(name, 24)} none")
                continue
            text = f"  {cell(name, 24)} median {row['value']:.3g}, corrected {row['corrected']:.3g}"
            text += f" (untuned {row['floor']:.3g})" if np.isfinite(row["floor"]) else ""
            if np.isfinite(row["tuned"]):
                text += (
                    f"; {row['tuned']:.0%} of {counted(row['n_units'], 'unit')} told from chance, q <= 0.05"
                )
            lines.append(text)
        if len(systems) > 1:
            lines[0] += f"; {TUNING[str(d['measure'].values[0])][0]}:"
        return lines[:12] + ([f"  and {len(lines) - 12} more; .profile()"] if len(lines) > 12 else [])


def _turn(period: Any) -> str:
    """Which angles were meant."""
    if not isinstance(period, (int, float)):
        return ""
    return f" (a turn is {'2 pi' if abs(period - 2 * np.pi) < 1e-9 else f'{period:g}'})"


def untuned_value(measure: Any) -> float:
    return TUNING[str(measure)][1]
