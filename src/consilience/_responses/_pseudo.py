"""Pseudo-populations: units recorded apart, joined trial by trial within conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, nearest, warn
from consilience._core._params import shorten
from consilience._core._seeds import resolve_seed
from consilience._responses._check import check_with_missing

__all__ = ["PseudoPopulation", "pseudo_population"]

WHO = "cs.pseudo_population"


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class PseudoPopulation:
    """Trials of several sessions, by condition. Made by `cs.pseudo_population`.

    sessions : their names.   values : one array (trials, times, units) per session, NaN where a value is missing.
    condition : one (trials,) int per session.   labels : {label: (conditions,)}.   times : (times,) s, or None.
    units : names of all units.
    """

    sessions: tuple[str, ...]
    values: tuple[np.ndarray, ...]
    condition: tuple[np.ndarray, ...]
    labels: Mapping[str, np.ndarray]
    times: np.ndarray | None
    units: np.ndarray
    system: str
    kind: str

    @property
    def counts(self) -> np.ndarray:
        """(sessions, conditions) number of trials."""
        size = len(next(iter(self.labels.values())))
        return np.stack([np.bincount(c, minlength=size) for c in self.condition])

    def __repr__(self) -> str:
        counts = self.counts
        return (
            f"<PseudoPopulation> {self.units.size} units of {len(self.sessions)} sessions\n"
            f"  {counts.shape[1]} conditions ({', '.join(self.labels)}), {counts.min()} to {counts.max()} trials of "
            "each in a session"
        )

    def draw(self, folds: int, rng: Any = None) -> xr.DataArray:
        """One draw of pseudo-trials: responses (trial[, time], unit), with the coordinate ``fold``.

        Each session deals its trials of a condition at random; pseudo-trial j takes the j-th of every session, so no
        trial comes twice, and none in two folds. Every condition has the same number of pseudo-trials in every fold,
        floor(least number of trials / folds). Stimulus ids are the values of the label; of several, joined by a space.
        """
        for owner, part in zip(self.sessions, self.values):
            if (some := int(np.isnan(part).any(axis=(1, 2)).sum())) > 0:
                raise InputError(
                    f"{WHO}: {some} of {len(part)} trials of session {shorten(owner, 30)} have single values that "
                    "are missing, or end early, and pseudo-trials are made of whole ones. cs.reduce takes such "
                    "sessions, with means of conditions over what is there; here give the bins that all trials have, "
                    "data.sel(time=slice(a, b)).drop_vars('valid'), or leave out these trials, missing='omit'.",
                    code="masked-values",
                )
        counts = self.counts
        each = counts.min(axis=0) // folds
        if (each < 1).any():
            session, short = (int(v) for v in np.unravel_index(int(counts.argmin()), counts.shape))
            named = ", ".join(f"{k}={v[short].item()!r}" for k, v in self.labels.items())
            raise InputError(
                f"{WHO}: session {shorten(self.sessions[session], 30)} has {counts.min()} trials of {named}, fewer "
                f"than {folds} folds; use cv={max(int(counts.min()), 2)} or fewer, or leave that session or "
                "condition out.",
                code="too-few",
            )
        count = int(each.min())
        stream = rng if isinstance(rng, np.random.Generator) else resolve_seed(rng, who=WHO).stream("draw")
        size = counts.shape[1]
        parts = []
        for values, condition in zip(self.values, self.condition):
            rows = [
                stream.permutation(np.flatnonzero(condition == c))[: folds * count].reshape(folds, count)
                for c in range(size)
            ]
            parts.append(values[np.stack(rows, axis=1).reshape(-1)])  # fold, condition, pseudo-trial
        joined = np.concatenate(parts, axis=2)
        at = np.tile(np.repeat(np.arange(size), count), folds)
        coords: dict[str, Any] = {
            "stimulus": ("trial", _ids(self.labels)[at]),
            "repeat": (
                "trial",
                np.repeat(np.arange(folds), size * count) * count + np.tile(np.arange(count), folds * size),
            ),
            "fold": ("trial", np.repeat(np.arange(folds), size * count)),
            "unit": self.units,
            **{name: ("trial", values[at]) for name, values in self.labels.items()},
        }
        attrs = {"kind": self.kind, "system": self.system}
        if self.times is None:
            return xr.DataArray(joined[:, 0], dims=("trial", "unit"), coords=coords, attrs=attrs)
        coords["time"] = self.times
        return xr.DataArray(joined, dims=("trial", "time", "unit"), coords=coords, attrs=attrs)


def pseudo_population(
    data: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    *,
    by: str | Sequence[str],
    session: str | None = None,
    system: str | None = None,
) -> PseudoPopulation:
    """Units that were recorded apart, to be joined to pseudo-trials by `cs.decode`, or reduced by `cs.reduce`.

    A pseudo-trial of a condition takes one trial of that condition from every session. What units share from trial to
    trial (noise correlations) is not in it, so results of pseudo-populations are those of units with independent noise.

    Parameters
    ----------
    data : {session: responses (trial[, time], unit)}; or one responses array in which ``session`` names the label on
        trial that tells sessions (units, sites) apart, such as a long table. Trials may end early, and single values
        be missing (``missing="mask_values"``): `cs.reduce` takes means of conditions over what is there; draws of
        pseudo-trials, as of `cs.decode`, need whole trials.
    by : label or labels on trial whose combinations are the conditions, e.g. "object" or ("object", "position").
    session : label on trial; with one array.   system : name that results show.

    Returns
    -------
    PseudoPopulation : for ``cs.decode(population, target=...)``; ``.draw(folds, rng)`` makes responses.

    Raises
    ------
    InputError : labels that are not there, sessions that lack a condition or have other times.

    References
    ----------
    Meyers et al. (2008).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> def recorded(n):
    ...     y = np.tile(["a", "b"], n)
    ...     x = rng.normal(size=(2 * n, 1)) + (y == "a")[:, None]
    ...     return cs.responses(x, stimulus=y, repeat="count", object=y)
    >>> population = cs.pseudo_population({f"unit {k}": recorded(10 + k) for k in range(8)}, by="object")
    >>> population.draw(5, rng=0).shape
    (20, 8)
    """
    names = [by] if isinstance(by, str) else list(by)
    if not names:
        raise InputError(f"{WHO}: by must name at least one label on trial.", code="bad-parameter")
    parts = _sessions(data, session)
    rows: list[list[tuple[Any, ...]]] = []
    times: Any = None
    kinds: set[str] = set()
    for k, (name, part) in enumerate(parts.items()):
        labels = [_label(part, label, name) for label in names]
        rows.append(list(zip(*[values.tolist() for values in labels])))
        own = np.asarray(part["time"].values) if part.ndim == 3 else None
        if k and ((own is None) != (times is None) or (own is not None and not np.allclose(own, times))):
            raise InputError(
                f"{WHO}: session {shorten(name, 30)} has other times than {shorten(next(iter(parts)), 30)}; bin all "
                "sessions alike.",
                code="bad-time",
            )
        times = own
        kinds.add(str(part.attrs.get("kind", "activation")))
    if len(kinds) > 1:
        raise InputError(f"{WHO}: sessions are of several kinds, {sorted(kinds)}.", code="bad-parameter")
    every = sorted(set().union(*rows), key=lambda row: tuple(map(str, row)))
    for name, there in zip(parts, rows):
        if missing := [row for row in every if row not in set(there)]:
            said = ", ".join(f"{label}={value!r}" for label, value in zip(names, missing[0]))
            raise InputError(
                f"{WHO}: session {shorten(name, 30)} has no trial of {said} ({len(missing)} of {len(every)} conditions "
                "are missing); leave the session or the condition out.",
                code="class-missing",
            )
    place = {row: k for k, row in enumerate(every)}
    values = tuple(
        np.asarray(p.values, np.float64)[:, None, :] if p.ndim == 2 else np.asarray(p.values, np.float64)
        for p in parts.values()
    )
    units = [
        f"{name}" if v.shape[2] == 1 else f"{name}:{u}"
        for name, v in zip(parts, values)
        for u in range(v.shape[2])
    ]
    return PseudoPopulation(
        sessions=tuple(parts),
        values=values,
        condition=tuple(np.array([place[row] for row in there]) for there in rows),
        labels={label: np.array([row[k] for row in every]) for k, label in enumerate(names)},
        times=times,
        units=np.array(units),
        system=system or "pseudo-population",
        kind=kinds.pop(),
    )


def _ids(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """(conditions,) stimulus ids."""
    columns = list(labels.values())
    if len(columns) == 1 and columns[0].dtype.kind in "iuU":
        return columns[0]
    return np.array([" ".join(map(str, row)) for row in zip(*[values.tolist() for values in columns])])


def _sessions(data: Any, session: str | None) -> dict[str, xr.DataArray]:
    if isinstance(data, Mapping):
        if session is not None:
            raise InputError(
                f"{WHO}: session= is for one array; a mapping is {{session: responses}} already.",
                code="bad-parameter",
            )
        if not data:
            raise InputError(f"{WHO}: the mapping holds no session.", code="too-few")
        return {str(name): _checked(part, f"session {name!r}") for name, part in data.items()}
    if session is None:
        raise InputError(
            f"{WHO}: one array needs session='label', the label on trial that tells sessions apart; or give a mapping "
            "{session: responses}.",
            code="bad-parameter",
        )
    checked = _checked(data, "data")
    owner = _label(checked, session, "data")
    return {str(level): checked[owner == level] for level in np.unique(owner).tolist()}


def _checked(data: Any, name: str) -> xr.DataArray:
    """Valid trials, NaN where a value of them is missing; trials of which nothing is there are left out."""
    out, hole = check_with_missing(data, who=WHO, name=name)
    if "trial" not in out.dims:
        raise InputError(f"{WHO}: {name} must have trials, got dims {out.dims}.", code="bad-dims")
    gone = np.zeros(out.sizes["trial"], dtype=bool)
    if "valid" in out.coords:
        gone = ~out["valid"].values
        out = out.drop_vars("valid")
    if hole is not None:
        gone = np.asarray(hole.all(axis=tuple(range(1, hole.ndim))))
        out = out.astype(np.float64).where(~hole)
    if gone.any():
        warn(
            "trials-omitted",
            f"{WHO}: {int(gone.sum())} of {gone.size} trials of {name[:40]} are marked as not valid, and were "
            "left out.",
            "missing='mask_values' marks single values, and loses no trial that has others.",
        )
    return out.isel(trial=~gone) if gone.any() else out


def _label(data: xr.DataArray, label: str, name: str) -> np.ndarray:
    if label not in data.coords or data[label].dims != ("trial",):
        known = sorted(str(c) for c in data.coords if data[c].dims == ("trial",))
        raise InputError(
            f"{WHO}: {shorten(label)} is no coordinate on trial of {shorten(name, 30)}.{nearest(label, known)}",
            code="unknown-label",
        )
    return np.asarray(data[label].values)
