"""The verb `subspaces`: whether two epochs, days or areas with the same units use the same dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import (
    ConsilienceWarning,
    InputError,
    UnknownNameError,
    collect_cautions,
    nearest,
    warn,
)
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import resolve_seed
from consilience._responses import check_responses, recorded_cautions
from consilience._responses._check import refuse_result
from consilience._results import Subspaces
from consilience.analyses._missing_labels import refuse_missing_label, say_omitted
from consilience.populations import SubspaceAlignment, subspace_alignment

__all__ = ["subspaces"]

WHO = "cs.subspaces"
_AUTO = "auto"


def subspaces(
    a: xr.DataArray,
    b: xr.DataArray | None = None,
    /,
    *,
    by: str | None = None,
    condition: str | Sequence[str] | None = _AUTO,
    k: int | None = None,
    join: str = "exact",
    n_splits: int = 10,
    n_null: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = None,
) -> Subspaces:
    """How far the leading dimensions of two sets of responses of the same units are the same: angles and alignment.

    A = tr(D_b' S_a D_b) / tr(D_a' S_a D_a), the variance of a in the leading k dimensions of b over that in its own,
    both found on other trials than S_a: 1 is the ceiling, which another sample of a would reach. Principal angles,
    variance captured as dimensions are added, and the published index stand beside it; how all are made says
    `cs.populations.subspace_alignment`.

    Parameters
    ----------
    a, b : responses (trial[, time], unit) of two epochs, days or areas. Units are matched by their ids, never by order.
    by : in place of b: a label on trial of a with two values, such as "epoch" or "learning".
    condition : label on trial whose means are compared, less noise (needs 4 trials of each in a and in b), or several
        labels, whose cells are the conditions; None: trials (and times) are the samples, and noise is part of their
        covariance; "auto": the stimulus where it repeats so often, else None.
    k : dimensions; None: the fewest that hold 80 % of the variance of both, held out.
    join : "exact": both have the same units; "inner": those that both have.
    n_splits : into halves of the trials.   n_null : random subspaces, 0 = none.   level : of intervals.   rng : seed.

    Returns
    -------
    Subspaces : ``.data``, ``.angles``, ``.captured``, ``.to_frame()``, ``.plot()``.

    Raises
    ------
    InputError : units that differ (``units-differ``), a label that has not two values, too few trials
        (``no-repeats``), no variance beyond noise (``no-signal``), the same values twice (``identical-values``), a
        label that is missing on some trials (``nan-values``).
    ConsilienceWarning : ``units-by-number`` (ids of units are 0, 1, 2 ..., as they are made where none were given),
        ``noise-included`` (noisy responses whose trials are the samples), ``units-not-shared``.

    References
    ----------
    Elsayed et al. (2016); Bjorck & Golub (1973).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> rng = np.random.default_rng(0)
    >>> ids, z = np.repeat(np.arange(12), 10), 3 * rng.normal(size=(12, 2))
    >>> one, two = np.linalg.qr(rng.normal(size=(40, 4)))[0].T.reshape(2, 2, 40)
    >>> x = np.concatenate([(z @ one)[ids], (z @ two)[ids]]) + rng.normal(size=(240, 40))
    >>> epoch = np.repeat(["plan", "move"], 120)
    >>> both = cs.responses(x, stimulus=np.tile(ids, 2), repeat="count", epoch=epoch, kind="rate")
    >>> found = cs.subspaces(both, by="epoch", k=2, n_null=200, rng=0)
    >>> (found.data["p_orthogonal"] < 0.05).values.tolist()
    [True, True]
    """
    check_option(join, ("exact", "inner"), name="join", who=WHO)
    n_splits = check_count(n_splits, name="n_splits", who=WHO, minimum=1)
    n_null = check_count(n_null, name="n_null", who=WHO)
    level = check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    with collect_cautions() as cautions:
        one, two, names, left = _both(a, b, by, join)
        conditions = _conditions(one, two, condition)
        cells = _cells(one, two, conditions)
        for data in (one, two):
            for caution in recorded_cautions(data):
                if caution.code != "made-up-ids":
                    warn(caution.code, caution.message, caution.remedy)
        _refuse_same(one, two)
        paired = _paired(one, two)
        found = subspace_alignment(
            np.asarray(one.values, dtype=np.float64),
            np.asarray(two.values, dtype=np.float64),
            condition_a=cells[0],
            condition_b=cells[1],
            paired=paired,
            k=k,
            n_splits=n_splits,
            n_null=n_null,
            level=level,
            rng=int(seed.stream("alignment").integers(2**62)),
        )
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    return Subspaces(
        **_tables(found, names),
        settings={
            "verb": "subspaces",
            "a": names[0],
            "b": names[1],
            "by": by,
            "condition": conditions[0] if len(conditions) == 1 else list(conditions) or None,
            "paired": paired,
            "k": found.k,
            "k_chosen": k is None,
            "join": join,
            "units_left_out": left,
            "n_units": found.n_units,
            "n_trials": list(found.n_trials),
            "kind": str(one.attrs.get("kind", "activation")),
            "n_splits": n_splits,
            "n_null": n_null,
            "level": level,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=("elsayed2016reorganization", "bjorck1973numerical"),
        methods=_methods(found, conditions, n_null),
    )


def _both(
    a: Any, b: Any, by: str | None, join: str
) -> tuple[xr.DataArray, xr.DataArray, tuple[str, str], int]:
    """(a, b, their names, units left out), with the units of both in one order."""
    refuse_result(a, who=WHO, name="a", expected="responses")
    if (b is None) == (by is None):
        raise InputError(
            f"{WHO}: give two sets of responses, or one and by='label', a label on trial with two values.",
            code="bad-parameter",
        )
    one = _trials(a, "a")
    if b is None:
        assert by is not None
        values = _label(one, by)
        levels, first = np.unique(values, return_index=True)
        if levels.size != 2:
            raise InputError(
                f"{WHO}: by={shorten(by, 40)} must have two values, and has {levels.size}: {shorten(levels.tolist())}; "
                "select two of them.",
                code="bad-label",
            )
        levels = levels[np.argsort(first)]
        parts = [one.isel(trial=values == level) for level in levels]
        return parts[0], parts[1], (str(levels[0]), str(levels[1])), 0
    refuse_result(b, who=WHO, name="b", expected="responses")
    two = _trials(b, "b")
    names = [str(d.attrs.get("system") or k) for d, k in ((one, "a"), (two, "b"))]
    if names[0] == names[1]:
        names = [f"{names[0]} (a)", f"{names[1]} (b)"]
    one, two, left = _same_units(one, two, join)
    return one, two, (names[0], names[1]), left


def _trials(data: Any, name: str) -> xr.DataArray:
    checked = check_responses(data, who=WHO, name=name)
    if "trial" not in checked.dims:
        raise InputError(
            f"{WHO}: {name} is a series (time, unit), whose halves are no independent trials; cut it with "
            "rec.epoch(...).",
            code="bad-dims",
        )
    if "valid" in checked.coords:
        if checked["valid"].dims != ("trial",):
            raise InputError(
                f"{WHO}: trials of {name} have unequal lengths; take a window that all have, .sel(time=slice(...)).",
                code="bad-dims",
            )
        valid = checked["valid"].values
        say_omitted(int((~valid).sum()), valid.size, WHO)
        checked = checked.isel(trial=valid).drop_vars("valid")
    return checked


def _label(data: xr.DataArray, label: str) -> np.ndarray:
    known = [str(name) for name, coord in data.coords.items() if coord.dims == ("trial",)]
    if not isinstance(label, str) or label not in known:
        raise UnknownNameError(
            f"{WHO}: no coordinate {shorten(label, 40)} on trial.{nearest(label, known)}",
            code="unknown-label",
        )
    values = np.asarray(data[label].values)
    refuse_missing_label(values, label, WHO)
    return values


def _same_units(one: xr.DataArray, two: xr.DataArray, join: str) -> tuple[xr.DataArray, xr.DataArray, int]:
    ids = [
        np.asarray(d["unit"].values) if "unit" in d.coords else np.arange(d.sizes["unit"]) for d in (one, two)
    ]
    if all(v.dtype.kind in "iu" and np.array_equal(v, np.arange(v.size)) for v in ids):
        warn(
            "units-by-number",
            f"{WHO}: ids of units are 0, 1, 2 ... in both, as they are made where none were given; unit 0 of a is "
            "taken for unit 0 of b.",
            "Name units, cs.responses(..., unit=names), so that they are matched by what they are.",
        )
    if ids[0].dtype.kind != ids[1].dtype.kind and {"U", "O"} & {v.dtype.kind for v in ids}:
        raise InputError(
            f"{WHO}: ids of units are {shorten(ids[0][0].item(), 30)} in a and {shorten(ids[1][0].item(), 30)} in b, "
            "of two types; give both the same ids.",
            code="units-differ",
        )
    both = np.intersect1d(ids[0], ids[1])
    left = ids[0].size + ids[1].size - 2 * both.size
    if both.size < 2 or (left and join == "exact"):
        only = np.setdiff1d(ids[0], both) if ids[0].size > both.size else np.setdiff1d(ids[1], both)
        more = "" if both.size < 2 else ", or pass join='inner' to compare those that both have"
        raise InputError(
            f"{WHO}: a has {ids[0].size} units, b {ids[1].size}, and they share {both.size} (not shared: "
            f"{shorten(only[0].item() if only.size else '', 30)}); both must be of the same units{more}.",
            code="units-differ",
        )
    if left:
        warn(
            "units-not-shared",
            f"{WHO}: {left} units that only a or only b has are left out; {both.size} are compared.",
            "Pass join='exact' to refuse instead.",
        )
    placed = []
    for data, own in zip((one, two), ids, strict=True):
        order = np.argsort(own, kind="stable")
        placed.append(data.isel(unit=order[np.searchsorted(own[order], both)]))
    return placed[0], placed[1], int(left)


def _conditions(one: xr.DataArray, two: xr.DataArray, condition: Any) -> tuple[str, ...]:
    """Labels whose cells are the conditions; () where trials are the samples."""
    if condition is None:
        return ()
    if condition != _AUTO:
        labels = (
            (condition,)
            if isinstance(condition, str) or not isinstance(condition, Sequence)
            else tuple(condition)
        )
        if not labels:
            raise InputError(
                f"{WHO}: condition is empty; a label on trial, several, or None.", code="bad-parameter"
            )
        for data in (one, two):
            for label in labels:
                _label(data, label)
        return tuple(dict.fromkeys(labels))
    fewest = min(int(np.unique(d["stimulus"].values, return_counts=True)[1].min()) for d in (one, two))
    rows = min(np.unique(d["stimulus"].values).size * d.sizes.get("time", 1) for d in (one, two))
    if fewest >= 4 and rows >= 3:
        return ("stimulus",)
    if str(one.attrs.get("kind", "activation")) not in ("activation", "latent"):
        warn(
            "noise-included",
            f"{WHO}: stimuli have as few as {fewest} trials, so trials are the samples and their noise is part of the "
            "covariance: units that are noisy in both make a and b alike.",
            "Pass condition= a label with 4 trials of each value, or condition=None if trials are what is meant.",
        )
    return ()


def _cells(
    one: xr.DataArray, two: xr.DataArray, labels: tuple[str, ...]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Values of one label; of several, the number of their cell, the same in both."""
    if not labels:
        return None, None
    if len(labels) == 1:
        return one[labels[0]].values, two[labels[0]].values
    codes = []
    for label in labels:
        a, b = one[label].values, two[label].values
        if (a.dtype.kind in "biuf") != (b.dtype.kind in "biuf"):
            raise InputError(
                f"{WHO}: {shorten(label, 40)} holds {shorten(a[0].item(), 30)} in a and {shorten(b[0].item(), 30)} in "
                "b, of two types; give both the same.",
                code="bad-label",
            )
        codes.append(np.unique(np.concatenate([a, b]), return_inverse=True)[1])
    number = np.asarray(np.unique(np.stack(codes), axis=1, return_inverse=True)[1]).reshape(-1)
    return number[: one.sizes["trial"]], number[one.sizes["trial"] :]


def _refuse_same(one: xr.DataArray, two: xr.DataArray) -> None:
    if one.shape == two.shape and np.array_equal(one.values, two.values):
        raise InputError(
            f"{WHO}: a and b are the same values, which lie in the same dimensions whatever the noise; give two "
            "epochs, days or areas, or two halves of the trials.",
            code="identical-values",
        )


def _paired(one: xr.DataArray, two: xr.DataArray) -> bool:
    """Whether row i may be the same trial in both (two epochs of it): then halves never share a trial."""
    if one.sizes["trial"] != two.sizes["trial"]:
        return False
    same = [
        np.array_equal(one[c].values, two[c].values)
        for c in ("stimulus", "repeat")
        if c in one.coords and c in two.coords
    ]
    return bool(same) and all(same)


def _tables(found: SubspaceAlignment, names: tuple[str, str]) -> dict[str, Any]:
    of = {
        "value": found.value,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "null_mean": found.null_mean,
        "null_low": found.null_low,
        "null_high": found.null_high,
        "p_aligned": found.p_aligned,
        "p_orthogonal": found.p_orthogonal,
        "null_units": found.null_units_mean,
        "p_units": found.p_units,
        "p_ceiling": found.p_ceiling,
        "index": found.index,
        "index_halves": found.index_halves,
        "index_ceiling": found.index_ceiling,
    }
    angles = {
        "value": found.angles,
        "ci_low": found.angles_low,
        "ci_high": found.angles_high,
        "ceiling": found.angles_ceiling,
        "null_mean": found.angles_null_mean,
        "null_low": found.angles_null_low,
        "null_high": found.angles_null_high,
        "all_trials": found.angles_all,
    }
    captured = {
        "other": found.captured,
        "own": found.captured_own,
        "null_mean": found.captured_null_mean,
        "null_low": found.captured_null_low,
        "null_high": found.captured_null_high,
    }
    number = np.arange(1, found.captured.shape[1] + 1)
    return {
        "data": xr.Dataset({key: ("of", value) for key, value in of.items()}, coords={"of": list(names)}),
        "angles": xr.Dataset(
            {
                **{key: ("angle", np.degrees(value)) for key, value in angles.items()},
                "p": ("angle", found.angles_p),
            },
            coords={"angle": np.arange(1, found.k + 1)},
        ),
        "captured": xr.Dataset(
            {key: (("of", "dimension"), value) for key, value in captured.items()},
            coords={"of": list(names), "dimension": number},
        ),
    }


def _methods(found: SubspaceAlignment, condition: tuple[str, ...], n_null: int) -> tuple[str, ...]:
    what = (
        "of trials"
        if not condition
        else f"of the means of each {' and '.join(condition)}, corrected for noise by the variance between trials"
    )
    said = [
        f"Subspaces of {found.k} dimensions were the leading eigenvectors of the covariance {what}. Alignment is the "
        "variance in the other's subspace over that in the own subspace, both found on one half of the trials and "
        "evaluated on the other; intervals are a jackknife over groups of trials."
    ]
    if n_null:
        said.append(
            f"The null is {n_null} random subspaces drawn with the covariance of both (Elsayed et al. 2016), and the "
            "other's subspace with its units permuted."
        )
    return tuple(said)
