"""`UnitReport`: all that is known of units, side by side: one card each, and one table over all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

_ORDER = ("quality", "receptive_field", "selectivity", "tuning", "preferred", "encoding", "lesion")
_FIELDS = ("value", "corrected", "ci_low", "ci_high", "null_mean", "floor", "p", "q")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class UnitReport(Result):
    """What is known of one unit (a card) or of many (a table). Made by `cs.unit_report`.

    data : Dataset (quantity, unit) with value, corrected (for bias), ci_low, ci_high, null_mean (of relabelling or
        shifting), floor (of an untuned unit), p, and q over units where several were looked at; NaN where a quantity
        has none. Quantities are named ``part.measure``, such as ``selectivity.class_selectivity``.
    parts : {part: result}, the results themselves, of these units: receptive_field, tuning, selectivity, quality,
        preferred (a synthesis), lesion.
    exemplars : Dataset (unit, rank), or None: the stimuli that each unit answers most, as of `cs.exemplars`.
    pictures : DataArray (stimulus, ...), or None: those stimuli, where they were given.
    trains : Dataset (unit, lag) with the autocorrelogram and the histogram of intervals of spike times, or None.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> category = np.repeat(["car", "face", "hand"], 20)
    >>> rate = np.where(category == "face", 9.0, 3.0)[:, None] * [1, 0] + [0, 4]
    >>> x = cs.responses(np.random.default_rng(0).poisson(rate), stimulus=category, repeat="count", kind="count",
    ...                  unit=["a", "b"], system="IT").assign_coords(category=("trial", category))
    >>> report = cs.unit_report(x, by="category", n_perm=100, rng=0)
    >>> report.table(sort="d_prime").index[0], report.card("a").parts["selectivity"].data.sizes["unit"]
    ('a', 1)
    """

    data: xr.Dataset
    parts: Mapping[str, Result]
    trains: xr.Dataset | None = None
    exemplars: xr.Dataset | None = None
    pictures: xr.DataArray | None = None

    title: ClassVar[str] = "what is known of each unit"

    def __post_init__(self) -> None:
        def place(name: str) -> tuple[int, str]:
            kind = name.split("_2")[0]
            return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), name)

        ordered = {name: self.parts[name] for name in sorted(self.parts, key=place)}
        object.__setattr__(self, "parts", ordered)

    @property
    def units(self) -> list[Any]:
        """Names of the units."""
        return list(self.data["unit"].values.tolist())

    def to_frame(self) -> pd.DataFrame:
        """One row per (unit, quantity)."""
        frame = self.data.to_dataframe(dim_order=["unit", "quantity"]).reset_index()
        return frame[["unit", "quantity", *_FIELDS]]

    def table(self, sort: str | None = None, *, ascending: bool = False) -> pd.DataFrame:
        """One row per unit, one column per quantity: the value corrected for bias where there is one.

        sort : a quantity, whole (``"quality.reliability"``) or its last part (``"reliability"``).

        Raises
        ------
        UnknownNameError : no such quantity.   InputError : the last part names several.
        """
        best = self.data["corrected"].where(np.isfinite(self.data["corrected"]), self.data["value"])
        frame = best.transpose("unit", "quantity").to_pandas().rename_axis(columns=None)
        if sort is None:
            return frame
        return frame.sort_values(self._quantity(sort), ascending=ascending, kind="stable")

    def _quantity(self, name: str) -> str:
        known = [str(entry) for entry in self.data["quantity"].values.tolist()]
        if name in known:
            return name
        found = [entry for entry in known if entry.partition(".")[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(
                f"UnitReport.table: {name!r} is the name of {', '.join(found)}; say which.",
                code="bad-parameter",
            )
        raise UnknownNameError(f"UnitReport.table: no quantity {shorten(name)}.{nearest(str(name), known)}")

    def card(self, unit: Any) -> UnitReport:
        """The report of one unit.

        Raises
        ------
        UnknownNameError : no such unit.
        """
        if unit not in self.units:
            raise UnknownNameError(
                f"UnitReport.card: no unit {shorten(unit)}; units are {shorten(self.units)}."
                f"{nearest(str(unit), [str(name) for name in self.units])}"
            )
        return of_unit(self, unit)

    def _lines(self) -> list[str]:
        d = self.data
        if d.sizes["unit"] != 1:
            lines = [
                f"  {counted(d.sizes['unit'], 'unit')}: {', '.join(self.parts)}; median (10 to 90 %)"[:118]
            ]
            best = self.table()
            for name in best.columns[:16]:
                column = best[name].to_numpy()
                known = column[np.isfinite(column)]
                if not known.size:
                    continue
                each = {key: d[key].sel(quantity=name).values for key in _FIELDS}
                low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
                sure = ", corrected" if np.isfinite(each["corrected"]).any() else ""
                text = f"  {cell(name, 34)} median {middle:.3g}{sure} ({low:.2g} to {high:.2g})"
                base = each["floor"] if np.isfinite(each["floor"]).any() else each["null_mean"]
                if np.isfinite(base).any():
                    text += f"; chance {np.nanmedian(base):.3g}"
                if np.isfinite(each["q"]).any():
                    told = int((each["q"] <= 0.05).sum())
                    text += f"; {told} of {int(np.isfinite(each['q']).sum())} q <= 0.05"
                lines.append(text)
            return lines
        lines = [f"  unit {cell(self.units[0], 40).rstrip()} of {self.settings.get('system') or 'a system'}"]
        for name in d["quantity"].values.tolist()[:18]:
            at = {key: float(d[key].sel(quantity=name).values[0]) for key in _FIELDS}
            if not np.isfinite(at["value"]):
                continue
            text = f"  {cell(name, 40)} {at['value']:.3g}"
            if np.isfinite(at["corrected"]):
                text += f", corrected {at['corrected']:.3g}"
            if np.isfinite(at["ci_low"]):
                text += f" [{at['ci_low']:.3g}, {at['ci_high']:.3g}]"
            if np.isfinite(at["floor"]):
                text += f"  floor {at['floor']:.3g}"
            elif np.isfinite(at["null_mean"]):
                text += f"  null {at['null_mean']:.3g}"
            if np.isfinite(at["p"]):
                text += f"  p={at['p']:.3g}"
            lines.append(text)
        return lines


def of_unit(result: Any, unit: Any) -> Any:
    """A result of one unit of those that it is of; what has no units stays as it is."""
    changed: dict[str, Any] = {}
    for name, value in vars(result).items():
        if isinstance(value, (xr.Dataset, xr.DataArray)):
            if "target" in value.coords:  # of a synthesis, which has a target where others have a unit
                dim = value["target"].dims[0]
                changed[name] = value.isel({dim: np.flatnonzero(np.asarray(value["target"].values == unit))})
            elif "unit" in value.dims:
                changed[name] = value.isel(unit=np.flatnonzero(np.asarray(value["unit"].values == unit)))
        elif (
            isinstance(value, Mapping) and value and all(isinstance(part, Result) for part in value.values())
        ):
            changed[name] = {key: of_unit(part, unit) for key, part in value.items()}
    pictures, best = getattr(result, "pictures", None), changed.get("exemplars")
    if pictures is not None and best is not None:
        kept = np.isin(pictures["stimulus"].values, best["stimulus"].values)
        changed["pictures"] = pictures.isel(stimulus=np.flatnonzero(kept))
    return replace(result, **changed)
