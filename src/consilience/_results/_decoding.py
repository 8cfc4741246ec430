"""`Decoding`: how well labels or numbers are told from responses on rows held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._results._base import Result, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Decoding(Result):
    """Held-out decoding of a target from responses. Made by `cs.decode`.

    data : Dataset (target[, time]) with
        value : the score, named in ``settings["score"]``: balanced accuracy, r, circular error (rad), ...
        ci_low, ci_high : new trials (stimuli, blocks of time).   chance : what guessing scores.
        p, p_fwer : by relabelling, everything fitted anew; p_fwer over all times (and targets).   null_mean : the mean
        score of relabelled data.
        r2 : of numbers, 1 - squared error / squared error of the training mean; without an interval.
    per_class : Dataset (class[, time]) of classes: recall (share of its trials that were decoded right) with ci_*,
        n_trials; None for numbers and for scores of probabilities.
    confusion : DataArray (true, predicted[, time]), counts of test trials (of pseudo-trials their mean over draws).
    generalisation : Dataset (train_time, test_time): value, ci_low, ci_high, p, p_fwer (over the whole matrix),
        null_mean; with ``generalise_time=True``.
    predictions : Dataset over rows that were tested: actual, predicted[, time]; None of pseudo-populations.
    draws : DataArray (draw[, time]), the score of every draw of a pseudo-population.

    Examples
    --------
    >>> import numpy as np, warnings, consilience as cs
    >>> y = np.tile(["face", "house"], 20)
    >>> x = np.random.default_rng(0).normal(size=(40, 5)) + 2 * (y == "face")[:, None]
    >>> it = cs.responses(x, stimulus=y, repeat="count", category=y, system="IT")
    >>> result = cs.decode(it, target="category", n_boot=200, n_perm=200, rng=0)
    >>> result.value > 0.9, result.p <= 0.05, result.per_class["class"].values.tolist()
    (True, True, ['face', 'house'])
    """

    data: xr.Dataset
    per_class: xr.Dataset | None = None
    confusion: xr.DataArray | None = None
    generalisation: xr.Dataset | None = None
    predictions: xr.Dataset | None = None
    draws: xr.DataArray | None = None

    title: ClassVar[str] = "held-out decoding"

    def to_frame(self) -> pd.DataFrame:
        """One row per target and time."""
        return self.data.to_dataframe().reset_index()

    @property
    def value(self) -> float:
        """The score, of several targets their mean. Of several times there is none: the best of them would be chosen
        and scored on the same trials.
        """
        if "time" in self.data.dims:
            raise InputError(
                f"Decoding.value is of one time, and there are {self.data.sizes['time']}; read .data, or decode with "
                "time='mean' or time=None.",
                code="several-times",
            )
        return float(self.data["value"].mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Of the score, where there is one time and one target."""
        if self.data["value"].size > 1:
            return (float("nan"), float("nan"))
        return float(self.data["ci_low"].values.reshape(-1)[0]), float(
            self.data["ci_high"].values.reshape(-1)[0]
        )

    @property
    def p(self) -> float | None:
        """By relabelling, where there is one time and one target; None without one (n_perm=0)."""
        if self.data["p"].size > 1:
            raise InputError(
                f"Decoding.p is of one time and target, and there are {self.data['p'].size}; read 'p' and 'p_fwer' of "
                ".data (of several times, or decode with time='mean' or time=None).",
                code="several-times",
            )
        found = float(self.data["p"].values.reshape(-1)[0])
        return found if np.isfinite(found) else None

    @property
    def onset(self) -> float | None:
        """The first time (s) from which the score is above chance with family-wise p <= 0.05, or None.

        It is the outcome of a test, and no estimate of latency: fewer trials make it later.
        """
        if "time" not in self.data.dims:
            return None
        found = (self.data["p_fwer"].values <= 0.05).any(axis=0)
        return float(self.data["time"].values[found][0]) if found.any() else None

    def _at_best(self, name: str) -> np.ndarray:
        d = self.data
        if "time" not in d.dims:
            return d[name].values
        mean = d["value"].values.mean(axis=0)
        best = mean.argmin() if self.settings.get("higher") is False else mean.argmax()
        return d[name].values[:, int(best)]

    def _lines(self) -> list[str]:
        said, d = self.settings, self.data
        score = str(said.get("score")).replace("_", " ")
        rows = "n_samples" in said
        n = counted(said.get("n_samples"), "sample") if rows else counted(said.get("n_trials"), "trial")
        pseudo = f", {said['n_draws']} draws of pseudo-trials" if self.draws is not None else ""
        what = (
            f"{said['n_classes']} classes" if said.get("n_classes") else counted(d.sizes["target"], "target")
        )
        lines = [
            f"  {str(said.get('target'))[:36]} ({what}) from {str(said.get('system'))[:30]}: {n}, "
            f"{counted(said.get('n_units'), 'unit')}, {said.get('model_name')}{pseudo}"
        ]
        best = ""
        if "time" in d.dims:
            mean = d["value"].values.mean(axis=0)
            at = int(mean.argmin() if said.get("higher") is False else mean.argmax())
            best = f" at {d['time'].values[at]:.4g} s, the best of {d.sizes['time']} times"
        low, high, p = (self._at_best(k) for k in ("ci_low", "ci_high", "p_fwer"))
        for k, name in enumerate(d["target"].values.tolist()[:8]):
            named = f"{str(name)[:24]}: " if d.sizes["target"] > 1 else ""
            ends = f" [{low[k]:.3f}, {high[k]:.3f}]" if np.isfinite(low[k]) else ""
            tested = f"  p={p[k]:.3g}" if np.isfinite(p[k]) else ""
            chance = float(np.atleast_1d(d["chance"].values)[k])
            lines.append(
                f"  {named}{score} {self._at_best('value')[k]:.3f}{ends}{tested}, chance {chance:.3g}{best}"
            )
        if d.sizes["target"] > 8:
            lines.append(f"  and {d.sizes['target'] - 8} more targets in .data")
        if "time" in d.dims and np.isfinite(d["p_fwer"].values).any():
            count = int((d["p_fwer"].values <= 0.05).any(axis=0).sum())
            first = f", the first at {self.onset:.4g} s" if self.onset is not None else ""
            lines.append(f"  above chance at {count} of {d.sizes['time']} times (p_fwer <= 0.05){first}")
        return lines
