"""The verb `rdm_movie`: an RDM for each moment, its reliability, its likeness to models, how it lasts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import ConsilienceWarning, InputError, collect_cautions
from consilience._core._params import check_count, check_number, check_option
from consilience._core._seeds import Seed, resolve_seed
from consilience._responses import check_responses
from consilience._responses._check import refuse_result
from consilience._results import RDMMovie
from consilience.analyses._models import RDM_METHODS, caution_few_relabellings, model_vectors, unit_rows
from consilience.analyses._trial_rdms import (
    CROSS_VALIDATED,
    EVERY_DISTANCE,
    check_draws,
    check_noise,
    checked_trials,
    chosen_distance,
    fold_labels,
    half_rdms,
    reliability,
    single_trials,
    trial_rdm,
)
from consilience.measures._rdm import FlatPatternError
from consilience.measures._repeats import Trials
from consilience.stats import (
    max_statistic_p,
    multinomial_weights,
    p_value,
    permutations,
    permuted_cosines,
    weighted_cosines,
)
from consilience.stats._fisher import fisher_interval
from consilience.stats._pairs import square

__all__ = ["rdm_movie"]

WHO = "cs.rdm_movie"


def rdm_movie(
    data: xr.DataArray,
    /,
    *,
    distance: str | None = None,
    folds: str | None = None,
    noise: Any = "shrinkage",
    window: float | None = None,
    step: float | None = None,
    models: xr.DataArray | Mapping[str, xr.DataArray] | None = None,
    method: Literal["spearman", "pearson", "cosine"] = "spearman",
    n_splits: int = 10,
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | None = 0,
) -> RDMMovie:
    """RDMs over time, with reliability, likeness to model RDMs, and temporal generalisation.

    Parameters
    ----------
    data : responses (trial, time, unit); trials marked ``valid=False`` are left out
    distance, folds, noise : see `cs.rdms`. Where folds are dealt, deals are those of all times; the noise covariance
        is that of each window, of the other folds.
    window, step : seconds (or steps, as time is given). Values with start <= time < start + window are averaged
        before distances are taken, and starts are ``step`` apart (default: the window, so that windows do not
        overlap); windows end within the data. None: every time by itself.
    models : RDM data or {name: RDM data}, matched by id
    method : comparison of RDMs with the models (see `cs.measures.compare_rdms`). In simulations intervals at 0.95
        covered 0.91 to 0.99 with "spearman"; with "pearson" 0.92 to 0.97, and 0.89 to 0.95 where likeness was high.
    n_splits : halves of the trials, for reliability and generalisation; 0 = none.   n_boot : draws of stimuli.
    n_perm : relabellings of the stimuli, the same at all times.   level : of intervals and of the null band.
    rng : seed

    Returns
    -------
    RDMMovie : ``.rdms`` (time, stimulus, stimulus_); ``.data`` (time[, model]) with reliability (Pearson correlation
        of the RDMs of two halves of the trials, mean over splits), value (likeness to each model), their intervals
        over stimuli, null_low, null_high, p and p_fwer (over times, by the maximum statistic); ``.generalisation``
        (time, time_): Pearson correlation of the RDM of one half at a time with that of the other half at another,
        so that noise shared within a trial adds nothing; None without repeats.

    Raises
    ------
    InputError : data without time, a window longer than the data, no repeats where the distance needs them, models
        that lack stimuli.

    References
    ----------
    Walther et al. (2016); Nili et al. (2014); Westfall & Young (1993).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(12, 3, 5))
    >>> data = cs.responses(x, stimulus=list("abcd") * 3, repeat="count", time=[0.0, 0.1, 0.2],
    ...                     dims=("trial", "time", "unit"), system="V1")
    >>> cs.rdm_movie(data, noise=None, n_boot=0, n_perm=0).rdms.shape
    (3, 4, 4)
    """
    refuse_result(data, who=WHO, name="data", expected="responses")
    if distance is not None:
        check_option(distance, EVERY_DISTANCE, name="distance", who=WHO)
    check_noise(noise, distance, who=WHO)
    check_option(method, RDM_METHODS, name="method", who=WHO)
    check_count(n_splits, name="n_splits", who=WHO)
    check_draws(n_boot=n_boot, n_perm=n_perm, who=WHO)
    check_number(level, name="level", who=WHO, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=WHO)
    with collect_cautions() as cautions:
        checked = check_responses(data, who=WHO, name="data")
        if checked.dims != ("trial", "time", "unit"):
            raise InputError(
                f"{WHO}: data must have dims ('trial', 'time', 'unit'), got {checked.dims}; cs.rdms is for data "
                "without time.",
                code="bad-dims",
            )
        if "valid" in checked.coords:
            checked = checked[checked["valid"].values]
        times, slices = _windows(checked["time"].values.astype(np.float64), window, step)
        ids = np.unique(checked["stimulus"].values)
        targets = {} if models is None else model_vectors(models, ids, who=WHO, what="models")
        if n_perm:
            caution_few_relabellings(targets, len(ids))
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    name = str(checked.attrs.get("system") or "data")
    counts = np.unique(checked["stimulus"].values, return_counts=True)[1]
    repeated = bool(counts.min() >= 2)
    given = fold_labels(checked, folds, who=WHO, name=name)
    if distance is None:
        asked = {
            "folds=": folds is not None,
            "noise=": noise is not None and not (isinstance(noise, str) and noise == "shrinkage"),
        }
        distance = chosen_distance(asked, {} if repeated else {name: single_trials(checked)}, who=WHO)
    moving = _Movie(checked, slices, given, repeated, distance, noise, seed)
    vectors = np.stack([moving.rdm(t) for t in range(len(slices))])
    split = [moving.halves(t, n_splits) if repeated else None for t in range(len(slices))]
    each = [reliability(pair, len(ids), n_boot=n_boot, level=level, seed=seed) for pair in split]
    variables: dict[str, Any] = {
        "reliability": ("time", np.array([r.value for r in each])),
        "reliability_low": ("time", np.array([r.low for r in each])),
        "reliability_high": ("time", np.array([r.high for r in each])),
    }
    if targets:
        variables |= _likeness(
            vectors, np.stack(list(targets.values())), method, n_boot, n_perm, level, seed, len(ids)
        )
    coords: dict[str, Any] = {"time": times}
    if targets:
        coords["model"] = list(targets)
    return RDMMovie(
        rdms=xr.DataArray(
            square(vectors, len(ids)),
            dims=("time", "stimulus", "stimulus_"),
            coords={"time": times, "stimulus": ids, "stimulus_": ids},
        ),
        data=xr.Dataset(variables, coords=coords),
        generalisation=_generalisation(split, times),
        settings={
            "verb": "rdm_movie",
            "system": name,
            "distance": distance,
            "folds": folds,
            "noise": noise if noise is None or isinstance(noise, str) else "given",
            "window": window,
            "step": step,
            "method": method,
            "n_splits": n_splits,
            "n_boot": n_boot,
            "n_perm": n_perm,
            "level": level,
            "n_stimuli": len(ids),
            "n_trials": checked.sizes["trial"],
            "time_units": str(checked.attrs.get("time_units", "s")),
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=("kriegeskorte2008representational", "walther2016reliability", "nili2014toolbox"),
        methods=(
            f"Representational dissimilarity matrices ({distance}) were computed at {len(times)} times"
            + (f", in windows of {window:g}." if window is not None else "."),
        ),
    )


class _Movie:
    """The trials at each time; stimuli and folds are dealt with once."""

    def __init__(
        self,
        data: xr.DataArray,
        slices: list[slice],
        given: np.ndarray | None,
        repeated: bool,
        distance: str,
        noise: Any,
        seed: Seed,
    ) -> None:
        self.values, self.slices, self.distance, self.noise, self.seed = (
            data.values,
            slices,
            distance,
            noise,
            seed,
        )
        stimulus = data["stimulus"].values
        self.given = given is not None
        self.ids = np.unique(stimulus)
        if not repeated and (
            distance in CROSS_VALIDATED or (distance == "mahalanobis" and isinstance(noise, str))
        ):
            raise InputError(
                f"{WHO}: distance={distance!r} needs at least 2 valid trials of every stimulus; give another distance.",
                code="no-repeats",
            )
        first = np.ascontiguousarray(self.values[:, 0], dtype=np.float64)
        if repeated:
            self.made = checked_trials(first, stimulus, given, seed, who=WHO)
        else:
            stimuli, number = np.unique(stimulus, return_inverse=True)
            self.made = Trials(first, stimuli, number, np.zeros(len(number), np.int64), np.zeros(1))

    def at(self, t: int) -> Trials:
        x = self.values[:, self.slices[t]].mean(axis=1, dtype=np.float64)
        return replace(self.made, x=x)

    def rdm(self, t: int) -> np.ndarray:
        try:
            return trial_rdm(self.at(t), self.distance, self.noise, who=f"{WHO}, window {t}")
        except FlatPatternError as error:
            raise error.named(self.ids, who=f"{WHO}, window {t}") from None

    def halves(self, t: int, n_splits: int) -> tuple[np.ndarray, np.ndarray] | None:
        try:
            return half_rdms(
                self.at(t), self.given, self.distance, self.noise, n_splits=n_splits, seed=self.seed
            )
        except FlatPatternError:
            return None


def _windows(time: np.ndarray, window: float | None, step: float | None) -> tuple[np.ndarray, list[slice]]:
    """Middle of each window, and the samples in it."""
    if window is None:
        if step is not None:
            raise InputError(
                f"{WHO}: step= needs window= too; give both, or none for every time.", code="bad-parameter"
            )
        return time, [slice(t, t + 1) for t in range(time.size)]
    window = check_number(window, name="window", who=WHO, low=0.0)
    stride = window if step is None else check_number(step, name="step", who=WHO, low=0.0)
    spacing = float(np.median(np.diff(time))) if time.size > 1 else 0.0
    last = time[-1] + spacing - window
    small = 1e-9 * max(abs(time[0]), abs(time[-1]), window)
    starts = time[0] + stride * np.arange(max(0, int(np.floor((last - time[0] + small) / stride)) + 1))
    if starts.size == 0:
        raise InputError(
            f"{WHO}: a window of {window:g} is longer than the data, from {time[0]:g} to {time[-1]:g}.",
            code="bad-parameter",
        )
    edges = [tuple(np.searchsorted(time, (s - small, s + window - small))) for s in starts]
    kept = [(s, slice(int(a), int(b))) for s, (a, b) in zip(starts, edges) if b > a]
    return np.array([s + window / 2 for s, _ in kept]), [inside for _, inside in kept]


def _likeness(
    vectors: np.ndarray,
    models: np.ndarray,
    method: str,
    n_boot: int,
    n_perm: int,
    level: float,
    seed: Seed,
    n: int,
) -> dict[str, Any]:
    """Likeness of RDMs (time, pairs) to models (k, pairs): value, interval, null band, p and family-wise p."""
    a, b = unit_rows(vectors, method), unit_rows(models, method)
    value = a @ b.T
    dims = ("time", "model")
    out: dict[str, Any] = {"value": (dims, value)}
    nothing = np.full(value.shape, np.nan)
    low = high = nothing
    if n_boot:
        weights = multinomial_weights(n, n_boot, seed.stream("bootstrap"))
        low, high = fisher_interval(weighted_cosines(a, b, weights), value, level, n=n)
    out |= {"ci_low": (dims, low), "ci_high": (dims, high)}
    null_low = null_high = p = fwer = nothing
    if n_perm:
        orders = permutations(n, n_perm, seed.stream("permutations"))
        null = permuted_cosines(np.nan_to_num(a), b, orders)
        null_low, null_high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2], axis=0)
        p, fwer = p_value(value, null), max_statistic_p(value, null, axis=0)
    return out | {
        "null_low": (dims, null_low),
        "null_high": (dims, null_high),
        "p": (dims, p),
        "p_fwer": (dims, fwer),
    }


def _generalisation(
    split: list[tuple[np.ndarray, np.ndarray] | None], times: np.ndarray
) -> xr.DataArray | None:
    """Mean over splits, and over both ways round, of the correlation of halves at one time and another."""
    known = [t for t, pair in enumerate(split) if pair is not None]
    if not known:
        return None
    halves = [np.stack([split[t][side] for t in known], axis=1) for side in (0, 1)]  # type: ignore[index]
    total = np.zeros((len(known), len(known)))
    for one, two in zip(*halves):
        product = unit_rows(one, "pearson") @ unit_rows(two, "pearson").T
        total += (product + product.T) / 2
    out = np.full((times.size, times.size), np.nan)
    out[np.ix_(known, known)] = total / len(halves[0])
    return xr.DataArray(out, dims=("time", "time_"), coords={"time": times, "time_": times})
