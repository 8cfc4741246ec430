"""The verb `exemplars`: the stimuli that drive each unit most, with what they are worth on other trials."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError, warn
from consilience._core._params import check_count
from consilience._core._seeds import resolve_seed
from consilience._responses._check import check_responses, refuse_result
from consilience.networks import Unit, record_units
from consilience.networks._unit import as_units
from consilience.units._highest import held_out_highest, label_means

__all__ = ["exemplars"]

WHO = "cs.exemplars"


def exemplars(
    data: xr.DataArray | Unit | list[Unit],
    stimuli: xr.DataArray | Any = None,
    /,
    *,
    n: int = 9,
    by: str = "stimulus",
    n_splits: int = 100,
    rng: int | str | np.random.Generator | np.random.SeedSequence | None = 0,
) -> xr.Dataset:
    """The n stimuli with the highest mean response of each unit, in order.

    The mean of the highest is too high by the noise that made it the highest. ``held_out`` is free of that: in each of
    ``n_splits`` random halves of the repeats of every stimulus the stimuli are ranked by one half, and the one at rank
    r is scored by the other; the mean over splits, both ways. (Half of the trials rank worse than all, so it is a
    little low for the stimuli named, which all trials chose.)

    Parameters
    ----------
    data : responses (trial, unit), or units of a network with the ``stimuli`` they are shown (m of them); recorded
        layers have one trial of each and no noise.
    n : stimuli per unit, at most m.   by : the label of trials that names stimuli.   n_splits : halves.   rng : seed.

    Returns
    -------
    Dataset (unit, rank) with stimulus, mean (over all trials; too high with noise), held_out, share (of the halves in
    which the stimulus is among the n), and (unit) mean_of_all: the mean over stimuli. Units of a network have no noise:
    held_out is the mean, share 1. Stimuli with one trial: held_out and share are NaN, with a warning.

    Raises
    ------
    InputError : a series over time; stimuli without units, units without stimuli.
    ConsilienceWarning : ``too-few-trials``: stimuli without a repeat.

    References
    ----------
    Kriegeskorte, Simmons, Bellgowan & Baker (2009), of choosing and scoring with the same data.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> names = np.repeat(["face", "car", "leaf"], 4)
    >>> x = np.random.default_rng(0).poisson(np.where(names == "car", 9, 2)[:, None], size=(12, 2))
    >>> best = cs.exemplars(cs.responses(x, kind="count", stimulus=names, repeat="count"), n=1)
    >>> best["stimulus"].values.tolist()
    [['car'], ['car']]
    """
    refuse_result(data, who=WHO, name="data", expected="responses")
    n = check_count(n, name="n", who=WHO, minimum=1)
    n_splits = check_count(n_splits, name="n_splits", who=WHO, minimum=1)
    seed = resolve_seed(rng, who=WHO)
    exact = not isinstance(data, xr.DataArray)
    if exact:
        units = as_units(data, who=WHO)
        if stimuli is None:
            raise InputError(
                f"{WHO}: units of a network need the stimuli to choose from; cs.exemplars(units, stimuli).",
                code="bad-stimuli",
            )
        data = record_units(units, stimuli)
    elif stimuli is not None:
        raise InputError(
            f"{WHO}: responses carry the ids of their stimuli; leave the stimuli out.", code="bad-stimuli"
        )
    data = check_responses(data, who=WHO)
    if data.dims != ("trial", "unit"):
        raise InputError(
            f"{WHO}: data must be responses (trial, unit), got {data.dims}; take the mean over a window of time first.",
            code="bad-dims",
        )
    if by not in data.coords:
        raise InputError(f"{WHO}: no coordinate {by!r} on trial.", code="unknown-label")
    ids, number, counts = np.unique(data[by].values, return_inverse=True, return_counts=True)
    x = data.values.astype(np.float64)
    names = data["unit"].values if "unit" in data.coords else np.arange(x.shape[1])
    mean = label_means(x, number, counts, np.ones(len(x), dtype=bool))
    exact = exact or (data.attrs.get("kind") == "activation" and int(counts.max()) == 1)
    m = len(ids)
    n = min(n, m)
    order = np.argsort(-mean, axis=0, kind="stable")[:n]  # (n, units)
    top = np.take_along_axis(mean, order, axis=0)
    held_out, share = np.full_like(top, np.nan), np.full_like(top, np.nan)
    if exact:
        held_out, share = top.copy(), np.ones_like(top)
    elif counts.min() >= 2:
        held_out, share = held_out_highest(x, number, counts, order, n_splits, seed.stream("halves"))
    else:
        warn(
            "too-few-trials",
            f"{int((counts < 2).sum())} of {m} stimuli have one trial, so they cannot be chosen on one half of the "
            "trials and scored on the other: their means are too high.",
            "Give repeats, or by= a label with several trials each.",
        )
    return xr.Dataset(
        {
            "stimulus": (("unit", "rank"), ids[order].T),
            "mean": (("unit", "rank"), top.T),
            "held_out": (("unit", "rank"), held_out.T),
            "share": (("unit", "rank"), share.T),
            "mean_of_all": ("unit", mean.mean(axis=0)),
        },
        coords={"unit": names, "rank": np.arange(n)},
        attrs={"system": str(data.attrs.get("system", "")), "seed": str(seed)},
    )
