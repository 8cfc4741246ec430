"""Trials of a population, stacked, with one mask: what the door of sequence models makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from consilience._core._errors import InputError

__all__ = ["Trials"]


@dataclass(frozen=True)
class Trials:
    """Trials of a population, stacked: one mask for all models.

    data : (n, units) float64, the bins of all trials below each other; missing values are 0. Never written to: it may
        be the user's own array.
    mask : (n, units) bool, True where there is a value; None = everywhere.
    lengths : (trials,) bins of each trial; they sum to n.
    form : what came in: "array" (trial, time, unit), "list" of (time, unit), "rows" (samples, units): each row is a
        trial of one bin, or "trial" (time, unit): one trial.
    span : bins on the time axis of an array: its longest trial, or more.
    """

    data: np.ndarray
    mask: np.ndarray | None
    lengths: np.ndarray
    form: Literal["array", "list", "rows", "trial"]
    span: int

    @property
    def units(self) -> int:
        return int(self.data.shape[1])

    @property
    def n_bins(self) -> int:
        """Bins of all trials together."""
        return int(self.data.shape[0])

    def __len__(self) -> int:
        return int(self.lengths.size)

    @cached_property
    def starts(self) -> np.ndarray:
        """(trials + 1,) where each trial starts in the stack, and where the last one ends."""
        return np.concatenate([[0], np.cumsum(self.lengths)])

    def _split(self, stack: np.ndarray) -> list[np.ndarray]:
        return [stack[a:b] for a, b in zip(self.starts[:-1], self.starts[1:])]

    @cached_property
    def values(self) -> list[np.ndarray]:
        """Views (t_i, units) of `data`, one a trial."""
        return self._split(self.data)

    @cached_property
    def seen(self) -> list[np.ndarray] | None:
        """Views (t_i, units) of `mask`, one a trial; None when everything was seen."""
        return None if self.mask is None else self._split(self.mask)

    def stacked(self) -> np.ndarray:
        """(n, units) all bins below each other, missing values 0."""
        return self.data

    @cached_property
    def counts(self) -> np.ndarray:
        """(units,) values of each unit."""
        if self.mask is None:
            return np.full(self.units, self.n_bins)
        return self.mask.sum(axis=0)

    @cached_property
    def blank(self) -> np.ndarray:
        """(n,) bins without any value."""
        return np.zeros(self.n_bins, bool) if self.mask is None else np.logical_not(self.mask.any(axis=1))

    @property
    def n_values(self) -> int:
        return int(self.counts.sum())

    def mean(self) -> np.ndarray:
        """(units,) mean over the values of each unit."""
        return self.data.sum(axis=0) / self.counts

    def variance(self) -> np.ndarray:
        """(units,) variance over the values of each unit, divisor their number."""
        rest = self.centred(self.mean()).data
        return np.einsum("ij,ij->j", rest, rest) / self.counts

    def centred(self, mean: np.ndarray) -> Trials:
        """The same less ``mean`` (units,); missing values stay 0."""
        data = self.data - mean
        if self.mask is not None:
            data *= self.mask
        return replace(self, data=data)

    def take(self, units: np.ndarray) -> Trials:
        """The same with some units: bool (units,) or indices."""
        if self.mask is None:
            return replace(self, data=self.data[:, units])
        mask = self.mask[:, units]
        return replace(self, data=self.data[:, units], mask=None if mask.all() else mask)

    def pick(self, trials: np.ndarray) -> Trials:
        """Some of the trials: indices or bool (trials,)."""
        chosen = np.arange(len(self))[trials]
        rows = np.flatnonzero(np.repeat(np.bincount(chosen, minlength=len(self)) > 0, self.lengths))
        if np.any(np.diff(chosen) <= 0):  # in another order than they were
            rows = np.concatenate([np.arange(self.starts[i], self.starts[i + 1]) for i in chosen])
        mask = None if self.mask is None else self.mask[rows]
        return replace(
            self,
            data=self.data[rows],
            mask=None if mask is None or mask.all() else mask,
            lengths=self.lengths[chosen],
        )

    def by_length(self) -> dict[int, np.ndarray]:
        """Length -> indices of the trials of that length: trials of one length share their gains where nothing is
        missing.
        """
        return {int(t): np.flatnonzero(self.lengths == t) for t in np.unique(self.lengths)}

    def like(self, latents: np.ndarray | Sequence[np.ndarray]) -> Any:
        """Latents, stacked (n, k) or one (t_i, k) a trial, in the container that came in: an array is padded with NaN
        after the end of a trial.
        """
        stack = (
            latents
            if isinstance(latents, np.ndarray) and latents.ndim == 2
            else np.concatenate(list(latents))
        )
        if self.form in ("rows", "trial"):
            return stack
        if self.form == "list":
            return [part.copy() for part in self._split(stack)]
        if (self.lengths == self.span).all():
            return stack.reshape(len(self), self.span, stack.shape[1])
        out = np.full((len(self), self.span, stack.shape[1]), np.nan)
        for i, part in enumerate(self._split(stack)):
            out[i, : len(part)] = part
        return out

    def tensor(self, bins: int | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """(trial, time, unit) with 0 where nothing is known, and bool of what is known, None = all. ``bins``: on the
        time axis; None = those of the longest trial. May be a view of `data`.
        """
        span = int(self.lengths.max()) if bins is None else bins
        if self.mask is None and (self.lengths == span).all():
            return self.data.reshape(len(self), span, self.units), None
        there = np.arange(span) < self.lengths[:, None]
        x, seen = np.zeros((len(self), span, self.units)), np.zeros((len(self), span, self.units), bool)
        x[there] = self.data
        seen[there] = True if self.mask is None else self.mask
        return x, seen

    def need(self, bins: int, *, who: str, what: str) -> None:
        """Refuses fewer than ``bins`` bins that hold a value; ``what``: what needs them."""
        got = int(self.n_bins - self.blank.sum())
        if got < bins:
            # scikit-learn's own words where a table came in, as its checks look for them
            words = "n_samples = " if self.form == "rows" else ""
            raise InputError(
                f"{who}: {what} needs at least {bins} bins, got {words}{got}"
                f"{'' if self.form == 'rows' else f' in {len(self)} trials'}; give more data.",
                code="too-few",
            )
