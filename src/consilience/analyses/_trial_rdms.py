"""RDMs from trials: distances that need repeats, and how far an RDM comes out alike on halves of the trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import condensed_indices
from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import check_count, check_option, shorten
from consilience._core._seeds import Seed
from consilience.linalg import noise_covariance, stimulus_residuals, to_safe_size
from consilience.linalg._noise import NOISE_METHODS
from consilience.measures import rdm
from consilience.measures._crossnobis import crossnobis_of_repeats, crossnobis_square
from consilience.measures._poisson import poisson_crossvalidated_square
from consilience.measures._rdm import ALL_DISTANCES
from consilience.measures._repeats import Trials, as_trials, dealt_folds
from consilience.stats import multinomial_weights, split_half_rows, weighted_cosines
from consilience.stats._fisher import fisher_interval

__all__ = [
    "CROSS_VALIDATED",
    "DEALS",
    "EVERY_DISTANCE",
    "Reliability",
    "check_draws",
    "check_noise",
    "check_size",
    "chosen_distance",
    "fold_labels",
    "reliability",
    "single_trials",
    "trial_rdm",
]

CROSS_VALIDATED = ("crossnobis", "poisson_crossvalidated")
EVERY_DISTANCE = (*ALL_DISTANCES, *CROSS_VALIDATED)
DEALS = 10  # over which a distance is averaged that has no closed form of its mean over all


def check_draws(*, who: str, **counts: int) -> None:
    """Numbers of draws: 0 = none, or at least 2."""
    for name, count in counts.items():
        if check_count(count, name=name, who=who) == 1:
            raise InputError(
                f"{who}: {name}=1 says nothing; use 0 for none, or some hundreds.", code="bad-parameter"
            )


def fold_labels(data: xr.DataArray, folds: str | None, *, who: str, name: str) -> np.ndarray | None:
    """The labels on trial by which trials are held out; None = deal them out."""
    if folds is None:
        return None
    known = [str(n) for n, c in data.coords.items() if c.dims == ("trial",)]
    if not isinstance(folds, str) or folds not in known:
        raise UnknownNameError(
            f"{who}: {name} has no label {folds!r} on trial to hold out by.{nearest(folds, known)}",
            code="unknown-label",
        )
    return np.asarray(data[folds].values)


def check_noise(noise: Any, distance: str | None, *, who: str) -> None:
    """Refuses a noise method that does not exist, and noise of one's own for a distance that has none."""
    for one in noise.values() if isinstance(noise, Mapping) else [noise]:
        if isinstance(one, str):
            check_option(one, NOISE_METHODS, name="noise", who=who)
    plain = distance not in (None, "crossnobis", "mahalanobis")
    if plain and not (noise is None or (isinstance(noise, str) and noise == "shrinkage")):
        raise InputError(
            f"{who}: noise= is for distance='crossnobis' or 'mahalanobis', and {distance!r} knows no noise covariance; "
            "leave noise= out, or change the distance.",
            code="bad-noise",
        )


def chosen_distance(asked: Mapping[str, bool], single: Mapping[str, np.ndarray], *, who: str) -> str:
    """The distance where none was named: crossnobis where every system repeats every stimulus, else correlation.

    asked : {option: was it given?} of options that speak of repeats, which then are not passed over in silence.
    single : {system: ids of the stimuli with fewer than 2 valid trials}, of systems without repeats of all.
    """
    if not single:
        return "crossnobis"
    given = [option for option, is_given in asked.items() if is_given]
    if given:
        name, ids = next(iter(single.items()))
        listed = ", ".join(shorten(i, 40) for i in ids[:3].tolist())
        count = "1 stimulus" if ids.size == 1 else f"{ids.size} stimuli"
        raise InputError(
            f"{who}: {' and '.join(given)} {'is' if len(given) == 1 else 'are'} for trials that repeat, and {count} of "
            f"{shorten(name, 40)} {'has' if ids.size == 1 else 'have'} a single valid trial ({listed}"
            f"{', ...' if ids.size > 3 else ''}); drop them, e.g. "
            "data[~data['stimulus'].isin([...])], or choose distance='correlation', of averages.",
            code="no-repeats",
        )
    return "correlation"


def single_trials(data: xr.DataArray) -> np.ndarray:
    """Ids of the stimuli with fewer than 2 valid trials."""
    ids = data["stimulus"].values
    valid = data["valid"].values if "valid" in data.coords else np.ones(ids.size, bool)
    names, number = np.unique(ids, return_inverse=True)
    return np.asarray(names[np.bincount(number, weights=valid) < 2])


def noise_of(noise: Any, name: str, who: str) -> Any:
    """The noise of one system, where a mapping {name: noise} may have been given."""
    if not isinstance(noise, Mapping):
        return noise
    if name not in noise:
        raise UnknownNameError(
            f"{who}: noise has no entry for {name!r}.{nearest(name, map(str, noise))}", code="unknown-name"
        )
    return noise[name]


def checked_trials(
    x: np.ndarray, stimulus: np.ndarray, folds: np.ndarray | None, seed: Seed, *, who: str
) -> Trials:
    """Trials with the folds given, or dealt out several times by the stream "folds"."""
    if folds is not None:
        return as_trials(x, stimulus, folds, who=who)
    stimuli, number = np.unique(stimulus, return_inverse=True)
    stream = seed.stream("folds")
    owner, *others = (dealt_folds(number, stream, who=who) for _ in range(DEALS))
    names = np.arange(owner.max() + 1)
    return Trials(
        np.asarray(x, dtype=np.float64), stimuli, number, owner, names, dealt=True, deals=tuple(others)
    )


def check_size(x: np.ndarray, distance: str, noise: Any, *, who: str) -> None:
    """Refuses responses whose fourth powers a float64 cannot hold, where the distance has their unit."""
    if distance not in ("euclidean", "sqeuclidean", "crossnobis", "mahalanobis") or (
        distance in ("crossnobis", "mahalanobis") and isinstance(noise, str)
    ):
        return
    top = max(float(x.max()), -float(x.min()))
    if top > 0 and not 2.0**-200 < top < 2.0**200:
        raise InputError(
            f"{who}: values around {top:.0e} have squared distances that a float64 cannot work with; give the "
            "responses in another unit (multiply them by a power of ten), or use noise='shrinkage' (crossnobis) or "
            "distance='correlation', which have no unit.",
            code="out-of-range",
        )


def trial_rdm(made: Trials, distance: str, noise: Any, *, who: str) -> np.ndarray:
    """Condensed RDM over the sorted stimuli of ``made``, of trials that may repeat.

    Where folds were dealt, crossnobis without an estimated noise covariance is the mean over all deals, which has a
    closed form; the other cross-validated distances are means over the deals of ``made``.
    """
    check_size(made.x, distance, noise, who=who)
    if distance in CROSS_VALIDATED:
        if distance == "crossnobis" and made.dealt and not isinstance(noise, str):
            d = crossnobis_of_repeats(made, noise, who=who)
        else:
            each = [made, *(replace(made, fold=fold) for fold in made.deals)]
            d = np.mean([_cross_validated(one, distance, noise, who) for one in each], axis=0)
        return np.take(d.reshape(-1), condensed_indices(len(d)))
    counts = np.bincount(made.stimulus)
    order = np.argsort(made.stimulus, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    means = np.add.reduceat(made.x[order], starts, axis=0) / counts[:, None]
    if distance != "mahalanobis":
        return np.asarray(rdm(means, distance=distance))  # type: ignore[arg-type]
    if isinstance(noise, str):
        both = to_safe_size(np.concatenate([made.x, means]))  # the distance has no unit
        trials, means = both[: len(made.x)], both[len(made.x) :]
        runs = made.fold if len(made.names) > 1 else None
        residuals = stimulus_residuals(trials, made.stimulus, runs=runs, who=who)
        noise = noise_covariance(residuals, method=noise)  # type: ignore[arg-type]
    return np.asarray(rdm(means, distance="mahalanobis", noise=noise))


def _cross_validated(made: Trials, distance: str, noise: Any, who: str) -> np.ndarray:
    if distance == "crossnobis":
        return crossnobis_square(made, noise, who=who)
    return poisson_crossvalidated_square(made, 1.0, 0.1, who=who)


@dataclass(frozen=True)
class Reliability:
    """Pearson correlation of RDMs of two halves of the trials, mean over splits, with its interval over stimuli."""

    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def halves(made: Trials, given: bool, count: int, seed: Seed) -> np.ndarray:
    """Halves of the trials, bool (splits, trials): whole folds where they were given, else repeats of a stimulus."""
    rng = seed.stream("halves")
    if not given:
        return split_half_rows(made.stimulus, count, rng)
    m = len(made.names)
    first = np.argsort(rng.random((count, m)), axis=1) < m // 2
    return first[:, made.fold]


def part(made: Trials, rows: np.ndarray, given: bool, seed: Seed) -> Trials | None:
    """Some trials as a data set of their own; None where a stimulus lacks, or has a single fold."""
    stimulus, fold = made.stimulus[rows], made.fold[rows]
    counts = np.bincount(stimulus, minlength=len(made.stimuli))
    if counts.min() < 1:
        return None
    if not given:
        if counts.min() < 2:
            return Trials(made.x[rows], made.stimuli, stimulus, np.zeros_like(fold), made.names[:1])
        fold = dealt_folds(stimulus, seed.stream("folds of halves"), who="halves")
    names, fold = np.unique(fold, return_inverse=True)
    return Trials(made.x[rows], made.stimuli, stimulus, fold, names, dealt=not given)


def half_rdms(
    made: Trials, given: bool, distance: str, noise: Any, *, n_splits: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray] | None:
    """RDMs of two halves of the trials, each (splits, pairs); None where halves are too small for the distance."""
    if n_splits == 0 or (given and len(made.names) < 2) or np.bincount(made.stimulus).min() < 2:
        return None
    found: list[list[np.ndarray]] = [[], []]
    for mask in halves(made, given, n_splits, seed):
        both = [part(made, rows, given, seed) for rows in (mask, ~mask)]
        try:
            for side, half in zip(found, both):
                if half is None or (distance in CROSS_VALIDATED and len(half.names) < 2):
                    return None
                side.append(trial_rdm(half, distance, noise, who="halves"))
        except InputError as error:
            if error.code in ("no-repeats", "no-common-folds", "singular-noise"):
                return None  # too few trials in a half: no reliability, and the docs say so
            raise
    return np.stack(found[0]), np.stack(found[1])


def half_rdms_of_labels(
    stimulus: np.ndarray,
    folds: np.ndarray | None,
    rdm_of: Callable[[np.ndarray], np.ndarray | None],
    *,
    n_splits: int,
    seed: Seed,
) -> tuple[np.ndarray, np.ndarray] | None:
    """The same halves as in `half_rdms`, for distances of averages, without the trials: ``rdm_of`` takes rows (trials,)
    bool and gives the RDM of the means over these. None also where it gives none.
    """
    _, number = np.unique(stimulus, return_inverse=True)
    names, owner = (np.zeros(1), number) if folds is None else np.unique(folds, return_inverse=True)
    labels = Trials(np.empty((number.size, 0)), np.unique(stimulus), number, owner, names)
    given = folds is not None
    if n_splits == 0 or (given and names.size < 2) or np.bincount(number).min() < 2:
        return None
    found: list[list[np.ndarray]] = [[], []]
    for mask in halves(labels, given, n_splits, seed):
        for side, rows in zip(found, (mask, ~mask)):
            lacks = np.bincount(number[rows], minlength=labels.stimuli.size).min() < 1
            made = None if lacks else rdm_of(rows)
            if made is None:
                return None
            side.append(made)
    return np.stack(found[0]), np.stack(found[1])


def reliability(
    rdms: tuple[np.ndarray, np.ndarray] | None, n_stimuli: int, *, n_boot: int, level: float, seed: Seed
) -> Reliability:
    """Of the RDMs (splits, pairs) of two halves; the interval draws stimuli (rule ``pairs``) and is symmetric in
    Fisher's z, +- t standard deviations of the draws, df = stimuli - 1.
    """
    if rdms is None or n_stimuli < 4:
        return Reliability()
    one, two = (r - r.mean(axis=1, keepdims=True) for r in rdms)
    below = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    if (below <= 0).any():
        return Reliability()
    value = float(np.mean(np.sum(one * two, axis=1) / below))
    if n_boot == 0:
        return Reliability(value)
    weights = multinomial_weights(n_stimuli, n_boot, seed.stream("bootstrap"))
    draws = np.mean([weighted_cosines(a[None], b[None], weights)[:, 0, 0] for a, b in zip(one, two)], axis=0)
    low, high = fisher_interval(draws, value, level, n=n_stimuli)
    return Reliability(value, float(low), float(high))
