"""What `reduce` takes of responses: rows, missing values, conditions, folds and draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, nearest, warn
from consilience._core._params import shorten
from consilience._responses import check_with_missing
from consilience._responses._check import refuse_result
from consilience._responses._pseudo import PseudoPopulation
from consilience.analyses._encode_design import _clock, _gap
from consilience.analyses._missing_labels import refuse_missing_label, say_omitted
from consilience.analyses._one_trial import one_trial_as_series
from consilience.analyses._reduce_apart import means_table, names_of_labels, table_of
from consilience.stats import autocorrelation_time, blocked_folds, group_folds, stratified_folds

__all__ = ["Rows", "read_rows"]

WHO = "cs.reduce"
_FEW = 10  # stimuli, from which they are held out and drawn whole
_FEW_DRAWN = 5  # trials or groups, below which it is said that intervals are rough


@dataclass(frozen=True)
class Rows:
    """x : (trial, unit), (trial, time, unit) or (time, unit), float64, NaN = missing.   data : the same, labelled.

    codes : (trial,) condition of each, None without labels.   levels : {label: (conditions,)}.   groups : (trial,) what
    is held out together.   span : of a series, the steps over which samples are alike; 0 of trials.   given : labels
    were asked for.   sessions : (trial,) of units that were recorded apart, the session of each trial; else None.
    """

    x: np.ndarray
    data: xr.DataArray
    codes: np.ndarray | None
    levels: dict[str, np.ndarray]
    groups: np.ndarray | None
    span: int
    gap: int
    given: bool
    sessions: np.ndarray | None = None

    @property
    def strata(self) -> np.ndarray:
        """(trial,) what every fold and draw has some of: conditions, of units recorded apart in each session."""
        assert self.codes is not None
        if self.sessions is None:
            return self.codes
        return np.asarray(self.codes * (int(self.sessions.max()) + 1) + self.sessions)

    @property
    def shown(self) -> Rows:
        """What latents are of: the trials; of units recorded apart, which share none, the means of conditions."""
        if self.sessions is None:
            return self
        means = self.means(np.arange(len(self.x)))
        count = np.arange(len(means))
        data = means_table(self.data, means, self.levels)
        return replace(self, x=means, data=data, codes=count, groups=count, sessions=None)

    @property
    def series(self) -> bool:
        return self.data.dims == ("time", "unit")

    @property
    def labels(self) -> dict[str, np.ndarray]:
        """{label: (trial,)}."""
        return {name: np.asarray(self.data[name].values) for name in self.levels}

    @property
    def n_groups(self) -> int:
        """How many things there are to hold out and to draw."""
        return 0 if self.groups is None else int(np.unique(self.groups).size)

    def few(self, *, within: bool, averaged: bool) -> str:
        """What so few trials do to what is held out and to intervals; empty where there are enough."""
        if self.series:
            return ""
        if averaged:
            if within:
                return ""
            counts = np.bincount(self.strata)
            return (
                f"{int((counts < 2).sum())} of {counts.size} conditions have one trial, so nothing can be held out or "
                "drawn: there are no held-out values, no intervals and no likeness of draws"
            )
        if self.n_groups < 2:
            return "one trial (or group of trials) has no other: nothing is held out, no interval, no likeness of draws"
        if self.n_groups < _FEW_DRAWN:
            return f"draws of {self.n_groups} trials (or groups of trials) make intervals that are too narrow"
        return ""

    def means(self, rows: np.ndarray) -> np.ndarray:
        """(condition, ...) means of the trials ``rows``, NaN where there is none."""
        assert self.codes is not None
        x, codes = self.x[rows], self.codes[rows]
        count = int(self.codes.max()) + 1
        seen = ~np.isnan(x)
        total, number = np.zeros((2, count, *x.shape[1:]))
        np.add.at(total, codes, np.where(seen, x, 0.0))
        np.add.at(number, codes, seen)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / np.where(number > 0, number, np.nan))

    def folds(
        self, cv: int, *, within: bool, rng: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """(training rows, test rows); ``within``: every fold has trials of every condition."""
        if self.series:
            return blocked_folds(_clock(self.data), cv, self.gap, who=WHO)
        n = len(self.x)
        if within:
            count = min(cv, int(np.bincount(self.strata).min()))
            tests = stratified_folds(self.strata, np.arange(n), count, rng)
        else:
            assert self.groups is not None
            count = min(cv, np.unique(self.groups).size)
            if count < 2:
                return []
            tests = group_folds(self.groups, count, rng, who=WHO)
        return [(np.setdiff1d(np.arange(n), test), test) for test in tests]

    def draws(self, count: int, *, within: bool, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Rows drawn with replacement: trials of each condition (``within``), groups, or blocks of a series."""
        n = len(self.x)
        for _ in range(count):
            if self.series:
                length = min(max(2 * self.span, int(np.ceil(n ** (1 / 3)))), n)
                starts = rng.integers(0, n, size=-(-n // length))
                yield ((starts[:, None] + np.arange(length)) % n).ravel()[:n]
            elif within:
                strata = self.strata
                own = [np.flatnonzero(strata == c) for c in range(int(strata.max()) + 1)]
                yield np.concatenate([rng.choice(rows, rows.size) for rows in own])
            else:
                assert self.groups is not None
                names, inverse = np.unique(self.groups, return_inverse=True)
                own = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
                yield np.concatenate([own[g] for g in rng.integers(0, names.size, names.size)])


def read_rows(
    data: Any, labels: str | Sequence[str] | None, groups: str | None, gap: int | float | str
) -> Rows:
    """Valid trials as rows, and bins of trials that ended as NaN."""
    refuse_result(data, who=WHO, name="data", expected="responses")
    if isinstance(data, PseudoPopulation):
        return _apart(data, labels, groups, gap)
    if labels is None and groups in ("auto", None):
        data = one_trial_as_series(data, who=WHO)
    checked, hole = check_with_missing(data, who=WHO, name="data")
    if "valid" in checked.coords:
        rows = checked["valid"].values
        say_omitted(int((~rows).sum()), rows.size, WHO)
        checked = checked.isel(trial=rows).drop_vars("valid")
    x = np.array(checked.values, dtype=np.float64)
    if hole is not None:
        x[hole] = np.nan
    if hole is not None and "trial" in checked.dims:
        empty = hole.all(axis=tuple(range(1, hole.ndim)))
        say_omitted(int(empty.sum()), empty.size, WHO)
        x, checked = x[~empty], checked.isel(trial=~empty)
    if checked.dims == ("time", "unit"):
        return _series(x, checked, labels, groups, gap)
    if gap != "auto":
        raise InputError(
            f"{WHO}: gap= is for series ('time', 'unit'); the data have dims {checked.dims}.", code="bad-dims"
        )
    names = [labels] if isinstance(labels, str) else list(labels or ())
    ids = checked["stimulus"].values
    if not names and np.unique(ids).size < ids.size:
        names = ["stimulus"]
    for name in names:
        _check_label(checked, name)
    codes, levels = _conditions([checked[name].values for name in names]) if names else (None, [])
    own = groups
    if groups == "auto":  # a few stimuli are no sample of stimuli
        own = "stimulus" if labels is None and _FEW <= np.unique(ids).size < ids.size else None
    if own in (None, "trial"):
        held = np.arange(len(x))
    else:
        _check_label(checked, own)
        held = np.unique(checked[own].values, return_inverse=True)[1].reshape(-1)
    found = dict(zip(names, levels))
    return Rows(x, checked, codes=codes, levels=found, groups=held, span=0, gap=0, given=labels is not None)


def _apart(data: PseudoPopulation, labels: Any, groups: str | None, gap: Any) -> Rows:
    if groups not in ("auto", None) or gap != "auto":
        raise InputError(
            f"{WHO}: groups= and gap= are for units that were recorded together; of a pseudo-population trials of "
            "every condition and session are held out.",
            code="bad-parameter",
        )
    names = names_of_labels(data, labels, WHO)
    table, sessions = table_of(data)
    codes, levels = _conditions([table[name].values for name in names])
    x = np.asarray(table.values, dtype=np.float64)
    held, found = np.arange(len(x)), dict(zip(names, levels))
    return Rows(x, table, codes, found, groups=held, span=0, gap=0, given=True, sessions=sessions)


def _series(x: np.ndarray, data: xr.DataArray, labels: Any, groups: str | None, gap: Any) -> Rows:
    if labels is not None or groups not in ("auto", None):
        raise InputError(
            f"{WHO}: labels= and groups= are for responses with trials; a series is split into stretches of time.",
            code="bad-parameter",
        )
    if len(x) < 20:
        raise InputError(f"{WHO}: a series needs at least 20 samples, got {len(x)}.", code="too-few")
    span = int(np.ceil(np.quantile(autocorrelation_time(x), 0.9)))
    if len(x) < 20 * span:
        warn(
            "few-blocks",
            f"{len(x)} samples hold {len(x) / (2 * span):.1f} stretches that are independent, so intervals are rough.",
            "A longer recording, or signals that are smoothed less.",
        )
    left = _gap(gap, span, data, WHO)
    return Rows(x, data, codes=None, levels={}, groups=None, span=span, gap=left, given=False)


def _check_label(data: xr.DataArray, name: object) -> None:
    if not isinstance(name, str) or name not in data.coords or data[name].dims != ("trial",):
        known = [str(k) for k, v in data.coords.items() if v.dims == ("trial",)]
        hint = nearest(name, known) if isinstance(name, str) else ""
        raise InputError(
            f"{WHO}: labels must name coordinates on trial, got {shorten(name)}; there are {', '.join(known)}.{hint}",
            code="bad-label",
        )
    refuse_missing_label(data[name].values, name, WHO)


def _conditions(labels: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """(trial,) number of the combination of values that a trial has, and the values of each combination."""
    parts = [np.unique(v.astype(str) if v.dtype.kind == "O" else v, return_inverse=True) for v in labels]
    table = np.stack([inverse.reshape(-1) for _, inverse in parts], axis=1)
    combinations, codes = np.unique(table, axis=0, return_inverse=True)
    return codes.reshape(-1), [values[combinations[:, i]] for i, (values, _) in enumerate(parts)]
