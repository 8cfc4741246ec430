"""`ReceptiveField`: what in a stimulus, and when, each unit answers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from consilience._results._base import METHODS, Result, cell, counted, resolve

if TYPE_CHECKING:
    import pandas as pd

# fields with one number per unit, in the order of the table
PER_UNIT = (
    "n_spikes",
    "score",
    "score_low",
    "score_high",
    "ceiling",
    "ceiling_low",
    "ceiling_high",
    "bits_per_spike",
    "bits_low",
    "bits_high",
    "statistic",
    "null_mean",
    "threshold",
    "p",
    "q",
    "peak_lag",
    "separability",
    "separability_low",
    "separability_high",
)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ReceptiveField(Result):
    """Receptive fields of units. Made by `cs.receptive_field`.

    data : Dataset. Over (unit, lag, *space): ``value`` (the filter; lag 0 is the frame of the response, lag k comes k
        frames, or so many seconds, before it), ``se``, ``ci_low``, ``ci_high`` (each entry by itself, jackknife over
        stretches of the recording), ``z`` (covariance with the stimulus over its spread by chance). Over (unit, *space)
        ``spatial`` and over (unit, lag) ``temporal``: the map and the course whose product is nearest to the filter,
        the course 1 at its largest. Over unit, NaN where there is none:
        ``score``, ``score_low``, ``score_high`` correlation with the responses held out, ``ceiling`` the highest
        possible one, where stimuli are repeated; ``bits_per_spike`` of models with a rate, against a constant one;
        ``statistic`` largest \\|z\\|, its ``null_mean`` and ``p``, ``q`` by circular shifts (relabellings, of images),
        ``threshold``: entries of z beyond it are significant for the map as a whole;
        of method "stc" also ``axes`` (unit, axis, lag, *space) and ``axis_p``;
        ``n_spikes`` (sum of responses, of others than counts NaN), ``peak_lag``, ``separability`` with interval.
    folds : DataArray (fold, unit, lag, *space), the filters fitted without each stretch in turn.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(3000, 4))
    >>> y = np.stack([np.roll(x[:, 1], 2), rng.normal(size=3000)], axis=1) + rng.normal(size=(3000, 2))
    >>> found = cs.receptive_field(y, x, lags=4, method="sta", rng=0)
    >>> found.significant().tolist(), found.temporal()[0].values.round(1).tolist()
    ([0], [-0.0, -0.1, 1.0, -0.1])
    """

    data: xr.Dataset
    folds: xr.DataArray

    title: ClassVar[str] = "what in the stimulus, and when, each unit answers to"

    @property
    def space(self) -> tuple[str, ...]:
        """Names of the dims of the stimulus."""
        return tuple(str(dim) for dim in self.data["value"].dims[2:])

    def to_frame(self) -> pd.DataFrame:
        """One row per unit."""
        return self.data[[name for name in PER_UNIT if name in self.data]].to_dataframe().reset_index()

    def temporal(self) -> xr.DataArray:
        """The time course of each unit, (unit, lag): 1 at its largest; with ``spatial()`` nearest to the filter."""
        return self.data["temporal"]

    def spatial(self) -> xr.DataArray:
        """The map of each unit, (unit, *space), with the sign it has where the time course is largest."""
        return self.data["spatial"]

    def significant(self, q: float = 0.05) -> np.ndarray:
        """Names of the units whose field is told from chance at this false discovery rate."""
        found = self.data["q"].values
        with np.errstate(invalid="ignore"):
            return np.asarray(self.data["unit"].values[found <= q])

    def fit(
        self, shape: str = "gabor", *, unit: Any = None, channel: Any = None, n_null: int = 100, rng: Any = 0
    ) -> pd.DataFrame:
        """Describes the map of each unit by a function: "gabor", "dog" (difference of Gaussians) or "gaussian".

        See `cs.units.fit_gabor`, `cs.units.fit_difference_of_gaussians` and `cs.units.fit_gaussian` for what is fitted,
        to ``spatial()``, and for which parameters a map can tell. Of a stimulus whose two dims of space have other
        names than y and x, the last is x.

        Parameters
        ----------
        shape : which.   unit : one name, or a list; None = all.
        channel : of stimuli (channel, y, x), the one that is fitted; None = of each unit the one with the largest sum
            of squares in its map. The column ``channel`` says which.
        n_null : noise maps for p; 0 = none.   rng : seed of them.

        Returns
        -------
        DataFrame, one row per unit: parameters, each with ``_low`` and ``_high`` (jackknife over the stretches that the
        fields were fitted without, t; angles on the circle), ``fve``, the share of the map explained, and ``p``: how
        often the function explains as much of a noise map. Noise maps are random contrasts of the jackknife's
        pseudo-values, which have the map's noise, correlated over pixels as it is, and no signal.

        Raises
        ------
        InputError : ``not-2d``: the stimulus has no two dims of space; no such channel.
        """
        return resolve(METHODS, "fit_field")(self, shape, unit=unit, channel=channel, n_null=n_null, rng=rng)

    def _lines(self) -> list[str]:
        d, said = self.data, self.settings
        space = " x ".join(f"{d.sizes[dim]} {dim}" for dim in self.space) or "one value a frame"
        lags = d["lag"].values
        unit = str(said.get("lag_unit", "frames"))
        head = (
            f"  {counted(d.sizes['unit'], 'unit')} of {cell(said.get('system') or 'an array', 30).rstrip()}; "
        )
        head += f"{said.get('n_frames')} {'frames' if said.get('series') else 'stimuli'} of {space}"
        if lags.size > 1:
            head += f"; lags {lags[0]:g} to {lags[-1]:g} {unit}"
        p, q = d["p"].values, d["q"].values
        text = f"  method {cell(said.get('method'), 40).rstrip()}"
        if np.isfinite(p).any():
            text += f"; {int((q <= 0.05).sum())} of {int(np.isfinite(p).sum())} told from chance, q <= 0.05"
        lines = [head, text]
        for name in d["unit"].values.tolist()[:8]:
            row = d.sel(unit=name)
            text = f"  {cell(name, 24)} r held out {_span(row, 'score', 'score_low', 'score_high')}"
            if np.isfinite(row["bits_per_spike"]):
                text += f"; {_span(row, 'bits_per_spike', 'bits_low', 'bits_high')} bits/spike"
            if lags.size > 1:
                text += f"; peak at {float(row['peak_lag']):.3g} {unit}"
            if np.isfinite(row["p"]):
                text += f"; p={float(row['p']):.3g}"
            lines.append(text)
        if d.sizes["unit"] > 8:
            lines.append(f"  and {d.sizes['unit'] - 8} more units")
        return lines


def _span(row: xr.Dataset, value: str, low: str, high: str) -> str:
    text = f"{float(row[value]):.3f}"
    if np.isfinite(row[low]):
        text += f" [{float(row[low]):.3f}, {float(row[high]):.3f}]"
    return text
