"""`Quality`: how reliable, how regular and how clean each unit of a recording is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import shorten
from consilience._results._base import Result, cell, counted

if TYPE_CHECKING:
    import pandas as pd

# measure -> (what it is, unit of its values, what a small p says)
MEANING = {
    "reliability": ("reliability of means", "", "above chance"),
    "split_half": ("split-half reliability", "", "above chance"),
    "explainable_variance": ("explainable variance", "", "above chance"),
    "tuning_snr": ("signal / noise variance", "", "tuned"),
    "fano_factor": ("Fano factor", "", "not Poisson"),
    "noise_level": ("noise level", "per root Hz", ""),
    "trace_snr": ("signal / noise of traces", "", ""),
    "skewness": ("skewness", "", ""),
    "firing_rate": ("firing rate", "spikes/s", ""),
    "cv": ("CV of intervals", "", ""),
    "cv2": ("CV2 of intervals", "", ""),
    "lv": ("LV of intervals", "", ""),
    "isi_violations": ("interval violations", "", "fewer than Poisson"),
    "contamination": ("contamination", "", "refractory"),
    "presence_ratio": ("presence ratio", "", "absent at times"),
    "drift": ("drift of the rate", "of the mean", "drifts"),
}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Quality(Result):
    """Numbers of each unit that say whether to trust it. Made by `cs.quality`.

    data : Dataset (measure, unit) with value, ci_low, ci_high, null_mean, p, and q (false discovery rate over the
        units of a measure); NaN where a measure has none. ``cs.units`` has a function for each measure, which says
        what its interval, null and p are of; ``reliability`` is ``explainable_variance(of="mean")``.
    counts : Dataset (unit): n_trials, n_stimuli of the trials, n_spikes, and seconds observed; 0 where there were none.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> ids = np.repeat(np.arange(30), 6)
    >>> x = rng.normal(size=(30, 1))[ids] * [2, 1, 0] + rng.normal(size=(180, 3))
    >>> found = cs.quality(cs.responses(x, stimulus=ids, repeat="count", unit=["a", "b", "c"], kind="rate"), rng=0)
    >>> found.select(reliability=0.5).tolist()
    ['a', 'b']
    """

    data: xr.Dataset
    counts: xr.Dataset

    title: ClassVar[str] = "how reliable and how clean each unit is"

    def to_frame(self) -> pd.DataFrame:
        """One row per (unit, measure)."""
        frame = self.data.to_dataframe(dim_order=["unit", "measure"]).reset_index()
        return frame[["unit", "measure", "value", "ci_low", "ci_high", "null_mean", "p", "q"]]

    def select(self, **limits: float | tuple[float | None, float | None]) -> np.ndarray:
        """Names of the units whose values lie within limits: a number is the least that will do, (low, high) both ends,
        either of them None. Units without a value are not among them.

        To analyse the units chosen, take other trials than those that chose them: `cs.select_units`.

        Raises
        ------
        InputError : no limits, or none that are numbers.   UnknownNameError : a measure that is not in the result.
        """
        return np.asarray(self.data["unit"].values[within(self.data, limits, who="Quality.select")])

    def _lines(self) -> list[str]:
        said, d = self.settings, self.data
        lines = [f"  {counted(d.sizes['unit'], 'unit')} of {str(said.get('system') or 'a recording')[:40]}"]
        if said.get("n_trials"):
            lines[0] += f"; {said['n_trials']} trials, {said['n_stimuli']} stimuli"
        if said.get("seconds"):
            lines[0] += f"; {said['seconds']:g} s observed"
        for name in d["measure"].values.tolist():
            at = d.sel(measure=name)
            value, q = at["value"].values, at["q"].values
            known = value[np.isfinite(value)]
            text = f"  {cell(MEANING[name][0], 24)} "
            if not known.size:
                lines.append(text + "none")
                continue
            low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
            text += f"median {middle:.3g} (10 to 90 %: {low:.3g} to {high:.3g})"
            if known.size < value.size:
                text += f" of {known.size} of {value.size} units"
                text += " whose halves agree" if name == "split_half" else " with a value"
            if np.isfinite(q).any():
                text += (
                    f"; {int((q <= 0.05).sum())} of {int(np.isfinite(q).sum())} {MEANING[name][2]}, q <= 0.05"
                )
            lines.append(text)
        return lines


def within(data: xr.Dataset, limits: dict[str, Any], *, who: str) -> np.ndarray:
    """Bool (unit,): which units lie within all limits."""
    known = [str(name) for name in data["measure"].values.tolist()]
    if not limits:
        raise InputError(
            f"{who}: give at least one limit, such as {known[0]}=0.3; measures are {', '.join(known)}.",
            code="bad-parameter",
        )
    keep = np.ones(data.sizes["unit"], dtype=bool)
    for name, limit in limits.items():
        if name not in known:
            raise UnknownNameError(f"{who}: {name!r} is not among the measures.{nearest(name, known)}")
        pair = limit if isinstance(limit, (tuple, list)) else (limit, None)
        ends = [end for end in pair if end is not None]
        if len(pair) != 2 or not ends or not all(_number(end) for end in ends):
            raise InputError(
                f"{who}: {name} must be a number (the least that will do) or (low, high) with None for no end, got "
                f"{shorten(limit)}.",
                code="bad-parameter",
            )
        value = data["value"].sel(measure=name).values
        with np.errstate(invalid="ignore"):
            if pair[0] is not None:
                keep &= value >= pair[0]
            if pair[1] is not None:
                keep &= value <= pair[1]
    return keep


def _number(end: Any) -> bool:
    return isinstance(end, (int, float, np.number)) and not isinstance(end, bool) and bool(end == end)
