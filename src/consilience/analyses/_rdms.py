"""The verb `rdms`: RDMs of several systems over the same stimuli, and their maps, for looking at."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from consilience._core._errors import (
    ConsilienceWarning,
    InputError,
    UnknownNameError,
    collect_cautions,
    nearest,
)
from consilience._core._memory import check_fits
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience._core._seeds import Seed, resolve_seed
from consilience._core._threads import one_thread_if_small
from consilience._responses import iterate_systems
from consilience._responses._check import loaded
from consilience._results import RDMs
from consilience.analyses._inputs import System, aligned_systems, condensed
from consilience.analyses._rdm_cautions import has_repeats, say_of_fallback, say_of_no_reliability
from consilience.analyses._trial_rdms import (
    CROSS_VALIDATED,
    DEALS,
    EVERY_DISTANCE,
    Reliability,
    check_draws,
    check_noise,
    check_size,
    checked_trials,
    chosen_distance,
    fold_labels,
    half_rdms,
    half_rdms_of_labels,
    noise_of,
    reliability,
    single_trials,
    trial_rdm,
)
from consilience.linalg import classical_mds, rotate_onto
from consilience.measures import rdm
from consilience.measures._compare_rdms import PREPARE
from consilience.measures._rdm import FlatPatternError
from consilience.stats._pairs import square

__all__ = ["rdms"]


def rdms(
    systems: xr.DataArray | Mapping[str, xr.DataArray],
    /,
    *,
    distance: str | None = None,
    by: str = "stimulus",
    join: Literal["exact", "inner"] = "exact",
    folds: str | None = None,
    noise: Any = "shrinkage",
    n_splits: int = 50,
    n_boot: int = 1000,
    level: float = 0.95,
    rng: int | str | np.random.Generator | None = 0,
) -> RDMs:
    """RDMs of systems over the same stimuli, with a two-dimensional map of the stimuli for each and one of
    the systems.

    Parameters
    ----------
    systems : responses, RDM data (subjects are averaged; its own distance stays), or a mapping {name: either}.
        Files and dask arrays are read some units at a time for "correlation", "euclidean", "sqeuclidean" and "cosine",
        and whole for the other distances.
    distance : for responses. "correlation", "euclidean", "sqeuclidean", "cosine", "mahalanobis" or "poisson", of
        patterns averaged over repeats (see `cs.measures.rdm`); "crossnobis" or "poisson_crossvalidated" (see there),
        of single trials. None: "crossnobis" where every stimulus has at least 2 valid trials in every system, so that
        noise adds nothing to a distance on average; else "correlation", unless ``folds`` or ``noise`` ask for repeats,
        which then have to be there.
    by, join : see `cs.compare`.
    folds : label on trial (``"run"``) by which trials are held out, and (for any distance) halved; None deals the
        repeats of each stimulus into folds at random, which takes trials as independent. "crossnobis" is then the mean
        over all deals, that is over all pairs of different repeats, where ``noise`` is None or given; with an estimated
        noise covariance, and for "poisson_crossvalidated", it is the mean over 10 deals.
    noise : for "crossnobis" and "mahalanobis" (refused elsewhere): "shrinkage", "shrinkage_diagonal", "diagonal"
        (units that were not recorded at once) or "full", estimated from residuals of the trials; None (crossnobis
        only); a precision or `cs.linalg.NoiseCovariance` from other data; or a mapping {system: any of these}.
    n_splits, n_boot, level : for the reliability of each RDM: halves of the trials, draws of stimuli, level of the
        interval. n_splits=0 gives none. Over seeds the reliability varied by a standard deviation of 0.01 to 0.04 with
        50 splits (0.02 to 0.06 of the width of its interval), and by about twice that with 10.
    rng : seed of folds, halves and draws, the same for all systems: what one gets depends neither on its name nor on
        the others

    Returns
    -------
    RDMs : ``.rdms`` (system, stimulus, stimulus_), stimuli in the order of the first system; ``.map``
        (system, stimulus, axis) by classical multidimensional scaling, each turned onto the first system's;
        ``.systems_map`` (system, axis) from 1 - Spearman between RDMs; ``.data`` with each RDM's reliability: the
        Pearson correlation over pairs of RDMs of two halves of the trials, mean over splits (of halves: not stepped
        up), with an interval over stimuli; NaN where a half has too few trials for the distance (crossnobis with an
        estimated noise covariance needs some 3 trials of each stimulus in a half). ``.to_rdm_data()`` makes systems
        for `cs.compare` of them.

    Raises
    ------
    InputError : ids that do not match, NaN, a flat pattern; no repeats where the distance, ``folds`` or ``noise`` needs
        them, no such label, noise that the distance does not use.

    References
    ----------
    Kriegeskorte, Mur & Bandettini (2008); Torgerson (1952); Walther et al. (2016).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = cs.responses(np.random.default_rng(0).normal(size=(6, 20)), stimulus=list("abcdef"), system="V1")
    >>> cs.rdms(x).rdms.shape
    (1, 6, 6)
    """
    who = "cs.rdms"
    if distance is not None:
        check_option(distance, EVERY_DISTANCE, name="distance", who=who)
    check_noise(noise, distance, who=who)
    check_count(n_splits, name="n_splits", who=who)
    check_draws(n_boot=n_boot, who=who)
    check_number(level, name="level", who=who, low=0.0, high=1.0)
    seed = resolve_seed(rng, who=who)
    with collect_cautions() as cautions:
        found, ids, _, references = aligned_systems({"systems": systems}, by=by, join=join, who=who)
        made = found["systems"]
        with_trials = [s for s in made if s.responses is not None]
        given = dict(iterate_systems(systems, who=who, side="systems"))
        _check_folds(folds, [given[s.name] for s in with_trials], who)
        if distance is None:
            single = {s.name: single_trials(given[s.name]) for s in with_trials if s.trials is None}
            asked = {
                "folds=": folds is not None,
                "noise=": noise is not None and not (isinstance(noise, str) and noise == "shrinkage"),
            }
            distance = (
                chosen_distance(asked, single, who=who) if with_trials and by == "stimulus" else "correlation"
            )
            if distance == "correlation" and by == "stimulus":
                say_of_fallback(single, given)
        reading = _Reading(distance, folds, noise, n_splits, n_boot, level, seed, who)
        each = [reading.of(s, ids) for s in made]
        if n_splits:
            lacking = [
                s
                for s, (_, _, agree) in zip(made, each)
                if not np.isfinite(agree.value) and has_repeats(s, given[s.name], by)
            ]
            say_of_no_reliability(lacking, distance, noise, folds, len(ids))
        vectors = np.stack([vector for vector, _, _ in each])
        order = _given_order(next(iter(given.values())), by, ids)
    for caution in cautions:
        warnings.warn(ConsilienceWarning(caution), stacklevel=2)
    names = [s.name for s in made]
    squares = square(vectors, len(ids))[:, order][:, :, order]
    ids = ids[order]
    vectors = condensed(squares)
    maps, shares = zip(*(classical_mds(d, 2) for d in squares))
    turned = [maps[0], *(rotate_onto(m, maps[0]) for m in maps[1:])]
    systems_map = None
    if len(names) > 2:
        ranks = np.stack([PREPARE["spearman"](v) for v in vectors])
        ranks /= np.linalg.norm(ranks, axis=1, keepdims=True)
        gap = np.clip(1 - ranks @ ranks.T, 0, None)
        systems_map = xr.DataArray(
            classical_mds((gap + gap.T) / 2, 2)[0], dims=("system", "axis"), coords={"system": names}
        )
    return RDMs(
        rdms=xr.DataArray(
            squares,
            dims=("system", "stimulus", "stimulus_"),
            coords={"system": names, "stimulus": ids, "stimulus_": ids},
        ),
        map=xr.DataArray(
            np.stack(turned), dims=("system", "stimulus", "axis"), coords={"system": names, "stimulus": ids}
        ),
        systems_map=systems_map,
        data=xr.Dataset(
            {
                "explained": ("system", np.array(shares)),
                "n_subjects": ("system", np.array([len(s.subjects) or 1 for s in made])),
                "distance": ("system", np.array([s.distance or distance for s in made], dtype=object)),
                "n_trials": ("system", np.array([_n_trials(s) for s in made])),
                "n_folds": ("system", np.array([count for _, count, _ in each])),
                "reliability": ("system", np.array([r.value for _, _, r in each])),
                "reliability_low": ("system", np.array([r.low for _, _, r in each])),
                "reliability_high": ("system", np.array([r.high for _, _, r in each])),
            },
            coords={"system": names},
        ),
        settings={
            "verb": "rdms",
            "distance": distance,
            "by": by,
            "join": join,
            "n_stimuli": len(ids),
            "folds": folds,
            "noise": noise if noise is None or isinstance(noise, str) else "given",
            "n_splits": n_splits,
            "n_boot": n_boot,
            "level": level,
        },
        seed=str(seed),
        warnings=tuple(cautions),
        references=tuple(
            dict.fromkeys(
                [
                    "kriegeskorte2008representational",
                    "torgerson1952multidimensional",
                    *(["walther2016reliability"] if distance in ("crossnobis", "mahalanobis") else []),
                    *(["schutt2023statistical"] if distance.startswith("poisson") else []),
                    *references,
                ]
            )
        ),
        methods=(_method(distance, folds, noise),),
    )


@dataclass(frozen=True)
class _Reading:
    """How responses become RDMs."""

    distance: str
    folds: str | None
    noise: Any
    n_splits: int
    n_boot: int
    level: float
    seed: Seed
    who: str

    def of(self, system: System, ids: np.ndarray) -> tuple[np.ndarray, int, Reliability]:
        """(condensed RDM over ``ids``, number of folds, reliability) of one system."""
        if system.rdms is not None:
            return system.rdms.mean(axis=0), 0, Reliability()
        who = f"{self.who}, system {system.name!r}"
        noise = noise_of(self.noise, system.name, self.who)
        seed = (
            self.seed
        )  # the same for all systems: a number does not depend on a name, nor on who else is there
        try:
            found = self._in_blocks(system, seed)
            if found is not None:
                return found[0], 0, self._reliability(found[1], ids)
            if system.trials is None:
                return self._of_averages(system, noise, who), 0, Reliability()
            given = fold_labels(system.trials, self.folds, who=self.who, name=system.name)
            trials = (
                system.trials
                if system.trials.chunks is None
                else loaded(system.trials, self.who, system.name)
            )
            made = checked_trials(trials.values, trials["stimulus"].values, given, seed, who=who)
            with one_thread_if_small((min(made.x.shape),)):  # what is factored is of trials or of units
                vector = trial_rdm(made, self.distance, noise, who=who)
                pairs = half_rdms(
                    made, given is not None, self.distance, noise, n_splits=self.n_splits, seed=seed
                )
                agree = self._reliability(pairs, ids)
            return vector, len(made.names) if self.distance in CROSS_VALIDATED else 0, agree
        except FlatPatternError as error:
            raise error.named(ids, who=who) from None

    def _reliability(self, pairs: tuple[np.ndarray, np.ndarray] | None, ids: np.ndarray) -> Reliability:
        return reliability(pairs, len(ids), n_boot=self.n_boot, level=self.level, seed=self.seed)

    def _in_blocks(
        self, system: System, seed: Seed
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None] | None:
        """RDM, and those of halves of the trials, of responses that lie in a file or a dask array, which are read some
        units at a time; None where they are in memory, where the distance takes the units together, or where the
        products of all trials would not fit.
        """
        trials = 0 if system.trials is None else system.trials.sizes["trial"]
        if check_fits(2 * 8 * trials**2) is not None:
            return None
        vector = system.distances(self.distance)
        if vector is None or system.trials is None:
            return None if vector is None else (vector, None)
        return vector, half_rdms_of_labels(
            system.trials["stimulus"].values,
            fold_labels(system.trials, self.folds, who=self.who, name=system.name),
            lambda rows: system.distances(self.distance, rows),
            n_splits=self.n_splits,
            seed=seed,
        )

    def _of_averages(self, system: System, noise: Any, who: str) -> np.ndarray:
        if self.distance in CROSS_VALIDATED or (self.distance == "mahalanobis" and isinstance(noise, str)):
            raise InputError(
                f"{who}: distance={self.distance!r} needs at least 2 valid trials of every stimulus; give trials that "
                "are not averaged (cs.responses(..., repeat='count')), or another distance.",
                code="no-repeats",
            )
        assert system.x is not None
        given = noise if self.distance == "mahalanobis" else None
        check_size(system.x, self.distance, given, who=who)
        return np.asarray(rdm(system.x, distance=self.distance, noise=given))  # type: ignore[arg-type]


def _check_folds(folds: str | None, responses: Sequence[xr.DataArray], who: str) -> None:
    """Refuses a label that no system has; systems with repeats are each asked for it later."""
    if folds is None:
        return
    if not responses:
        raise InputError(
            f"{who}: folds= holds trials out, and RDM data has no trials; leave it out, or give responses.",
            code="needs-responses",
        )
    known = sorted({str(n) for data in responses for n, c in data.coords.items() if c.dims == ("trial",)})
    if folds not in known:
        raise UnknownNameError(
            f"{who}: no system has a label {shorten(folds)} on trial to hold out by.{nearest(folds, known)}",
            code="unknown-label",
        )


def _n_trials(system: System) -> float:
    if system.responses is None:
        return float("nan")
    return float(system.responses.shape[0] if system.trials is None else system.trials.sizes["trial"])


def _method(distance: str, folds: str | None, noise: Any) -> str:
    how = {
        "crossnobis": "cross-validated squared Mahalanobis (crossnobis)",
        "poisson_crossvalidated": "cross-validated symmetrised Poisson Kullback-Leibler",
        "poisson": "symmetrised Poisson Kullback-Leibler",
    }.get(distance, distance)
    words = f"Representational dissimilarity matrices use {how} distance where responses were available"
    if distance in CROSS_VALIDATED:
        closed = distance == "crossnobis" and not isinstance(noise, (str, Mapping))
        words += (
            f", folds by {folds}"
            if folds
            else ", mean over all pairs of different repeats"
            if closed
            else f", mean over {DEALS} random deals of the repeats into folds"
        )
    if distance in ("crossnobis", "mahalanobis"):
        estimated = f"estimated from residuals ({noise})" if isinstance(noise, str) else "given"
        words += f", noise covariance {'none' if noise is None else estimated}"
    return f"{words}. Maps are classical multidimensional scaling to two axes."


def _given_order(first: xr.DataArray, by: str, ids: np.ndarray) -> np.ndarray:
    """Rows of the sorted ``ids`` in the order in which the first system has them."""
    given = first[by].values.tolist()
    seen = {key: row for row, key in reversed(list(enumerate(given)))}
    return np.array(sorted(range(len(ids)), key=lambda row: seen[ids[row].item()]))
