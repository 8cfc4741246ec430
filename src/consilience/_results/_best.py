"""`Best`: the best system of one side, chosen on other stimuli than it is scored on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._results._base import Result, cell, known, only

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Best(Result):
    """The best system of one side, chosen on other stimuli than it is scored on. Made by `Comparison.best`.

    data : Dataset over (measure, other side) with
        value (nested: mean over splits of the held-out score of the system chosen on the other half), ci_low,
        ci_high (stimuli), ci_both_low/_high (stimuli and subjects), chosen (the system chosen most often),
        share (how often), naive, naive_value (the plain maximum, biased up), p (max-statistic over the side).
        With baselines, over (seed, measure, other side): baseline_value, difference (value - baseline_value),
        difference_low/_high, difference_both_low/_high (paired resamples).
    side : "a" or "b".
    """

    data: xr.Dataset
    side: str = "a"

    title: ClassVar[str] = "the best system, chosen on other stimuli than it is scored on"

    @property
    def other(self) -> str:
        return "b" if self.side == "a" else "a"

    def __getitem__(self, key: tuple[str, str]) -> Best:
        """One pair: ``best[measure, system]``, or ``best[measure]`` where the other side has one system."""
        others = self.data[self.other].values.tolist()
        if isinstance(key, str) and len(others) == 1:
            key = (key, others[0])
        if not isinstance(key, tuple) or len(key) != 2:
            raise UnknownNameError(
                f"Best: a pair [measure, system of side {self.other}] is needed, such as "
                f"best[{self.data['measure'].values.tolist()[0]!r}, {shorten(others[0], 40)}]; got {shorten(key)}."
            )
        measure, system = key
        for dim, name in (("measure", measure), (self.other, system)):
            if not isinstance(name, str) or name not in self.data[dim].values.tolist():
                raise UnknownNameError(
                    f"Best: no {dim} {shorten(name, 40)}.{nearest(name, self.data[dim].values.tolist())}"
                )
        common = {f.name: getattr(self, f.name) for f in fields(Result)}
        return Best(
            data=self.data.sel({"measure": [measure], self.other: [system]}), side=self.side, **common
        )

    def __iter__(self) -> Iterator[Best]:
        for measure in self.data["measure"].values.tolist():
            for system in self.data[self.other].values.tolist():
                yield self[measure, system]

    def _text(self, name: str) -> str:
        if self.data[name].size != 1:
            raise InputError(
                f"Best.{name} exists for one pair; use best[measure, system] or .to_frame().",
                code="not-one-pair",
            )
        return str(self.data[name].values.reshape(-1)[0])

    @property
    def layer(self) -> str:
        """The system chosen most often over the splits."""
        return self._text("chosen")

    @property
    def value(self) -> float:
        return only(self.data["value"], "Best.value")

    @property
    def interval(self) -> tuple[float, ...] | None:
        """(ci_low, ci_high) over stimuli, where there is one pair; None with n_boot=0."""
        return known(*(only(self.data[name], "Best.interval") for name in ("ci_low", "ci_high")))

    @property
    def naive(self) -> tuple[str, float]:
        """The plain maximum (system, value): chosen and scored on the same stimuli, so biased up."""
        return self._text("naive"), only(self.data["naive_value"], "Best.naive")

    def to_frame(self) -> pd.DataFrame:
        """One row per (measure, other side); with baselines the differences as columns of their own, one
        set per seed.
        """
        plain = self.data[[name for name in self.data.data_vars if "seed" not in self.data[name].dims]]
        frame = (
            plain.to_dataframe(dim_order=["measure", self.other])
            .reset_index()
            .drop(columns="seed", errors="ignore")
        )
        if "seed" in self.data.dims:
            for seed in self.data["seed"].values:
                part = self.data[[n for n in self.data.data_vars if "seed" in self.data[n].dims]].sel(
                    seed=seed, drop=True
                )
                part = part.rename({str(n): f"{n}_seed{seed}" for n in part.data_vars})
                frame = frame.merge(part.to_dataframe().reset_index(), on=["measure", self.other])
        return frame

    def _lines(self) -> list[str]:
        lines = []
        for one in self:
            name, naive = one.naive
            interval = "" if one.interval is None else " [{:.3f}, {:.3f}]".format(*one.interval)
            lines.append(
                f"  {cell(one._text('measure'), 20)} {cell(one._text(self.other), 14)} "
                f"{cell(one.layer, 15)} {one.value:.3f}{interval}  "
                f"(plain maximum {naive:.3f} at {cell(name, 16).strip()})"
            )
        return lines
