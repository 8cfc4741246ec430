"""What `dimensionality` can compute of one system: each method on what the system is, as a row of the table."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from consilience import populations
from consilience._core._errors import InputError, collect_cautions, warn
from consilience._core._seeds import Seed
from consilience.analyses._match import NOISELESS

__all__ = ["NEED_REPEATS", "OF_SERIES", "OF_TRIALS", "Population", "Row", "default_methods", "row_of"]

NEED_REPEATS = ("participation_ratio", "participation_ratio_units", "cvpca")
_ON_MEANS = ("effective_rank", "two_nn", "mle", "local_pca")
OF_SERIES = ("svca", "shared", "two_nn", "mle", "local_pca")
OF_TRIALS = (*NEED_REPEATS, "shared", *_ON_MEANS)
_MAY_LACK = ("svca", "shared", "two_nn", "mle", "local_pca")
_NEIGHBOURS = {"mle": 20, "local_pca": 30}
_DRAWS_OF_SHARED = 5
_MOST_OF_SHARED = 15
_FEW_SHUFFLES = 20


@dataclass(frozen=True, eq=False)
class Population:
    """x : (rows, units).   stimulus : (rows,) number of each trial's stimulus, or None of a series.   repeats : fewest
    trials of a stimulus; 0 of a series.   noiseless : responses hold no noise; then x has one row for each stimulus.
    """

    name: str
    kind: str
    x: np.ndarray
    stimulus: np.ndarray | None
    repeats: int
    noiseless: bool

    @property
    def labels(self) -> np.ndarray | None:
        """Of functions that take noise off; None where there is none."""
        return None if self.noiseless else self.stimulus

    def means(self) -> np.ndarray:
        """(points, units): means over repeats, or samples of a series."""
        if self.stimulus is None or self.noiseless:
            return self.x
        sums = np.zeros((int(self.stimulus.max()) + 1, self.x.shape[1]))
        np.add.at(sums, self.stimulus, self.x)
        return np.asarray(sums / np.bincount(self.stimulus)[:, None])


@dataclass(frozen=True, eq=False)
class Row:
    """One method of one system.   found : what the function of `cs.populations` returned.   fields : of the table."""

    fields: dict[str, float]
    resampled: str
    found: Any = None
    more: dict[str, Any] = field(default_factory=dict)
    note: str = ""  # why there is no value


def default_methods(population: Population) -> tuple[str, ...]:
    """Those that say what they should of such data."""
    if population.stimulus is None:
        return ("svca", "shared")
    if population.noiseless:
        return tuple(name for name in OF_TRIALS if name != "shared")
    return (*NEED_REPEATS, "shared")


def row_of(
    method: str, population: Population, seed: Seed, options: dict[str, Any], *, who: str
) -> Row | None:
    """The row of ``method``; None, said, where there are too few points for one that was not asked for by name."""
    try:
        return _RULES[method](population, seed.child(method), options)
    except InputError as error:
        if method in options["named"] or method not in _MAY_LACK or error.code != "too-few":
            if population.stimulus is None and error.code == "too-few":
                rest = ", ".join(name for name in OF_SERIES if name != method)
                raise InputError(
                    f"{error} Of a series there are also measures={rest}.", code="too-few"
                ) from None
            raise
        warn(
            "measures-left-out",
            f"{who}: {method} of {population.name!r} is left out: {str(error).split(': ', 1)[-1]}",
            "Ask for it by name to be refused.",
        )
        return None


def _of_dimension(found: Any) -> Row:
    names = ("value", "ci_low", "ci_high", "null_mean", "null_low", "null_high", "p")
    return Row({name: float(getattr(found, name)) for name in names}, found.resampled, found)


def _ratio(correct: str) -> Callable[[Population, Seed, dict[str, Any]], Row]:
    def rule(population: Population, seed: Seed, options: dict[str, Any]) -> Row:
        return _of_dimension(
            populations.participation_ratio(
                population.x,
                population.labels,
                correct=correct,  # type: ignore[arg-type]
                n_perm=options["n_perm"],
                level=options["level"],
                rng=_int(seed),
            )
        )

    return rule


def _cvpca(population: Population, seed: Seed, options: dict[str, Any]) -> Row:
    with collect_cautions() as cautions:
        found = populations.cvpca(
            population.x, population.labels, fit=options["fit"], level=options["level"], rng=_int(seed)
        )
    note = ""
    for caution in cautions:
        if caution.code == "no-exponent":
            note = caution.message.split(": ", 1)[1].rstrip(".")
            if "cvpca" not in options["named"]:  # not every population has a power law: a note will do
                continue
        warn(caution.code, caution.message, caution.remedy)
    fields = {
        "value": found.exponent,
        "ci_low": found.exponent_low,
        "ci_high": found.exponent_high,
    }
    return Row(fields, "jackknife over stimuli", found, note=note)


def _svca(population: Population, seed: Seed, options: dict[str, Any]) -> Row:
    found = populations.svca(population.x, gap=options["gap"], level=options["level"], rng=_int(seed))
    fields = {
        "value": found.value,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "null_mean": 0.0,
        "null_low": 0.0,
        "null_high": 0.0,
        "p": found.p,
    }
    return Row(fields, "random halves of the units (not a sampling error)", found)


def _shared(population: Population, seed: Seed, options: dict[str, Any]) -> Row:
    """Factors by cross-validation; leaving out a fifth of the stimuli (of a series, of its stretches) five times."""
    x = population.x
    owner = population.stimulus
    if owner is None:
        owner = np.arange(len(x)) * (2 * _DRAWS_OF_SHARED) // len(x)
    most = _most(x)
    with collect_cautions() as cautions:
        value, share = _factors(x, owner, most)
    for caution in cautions:
        if caution.code == "noise-at-floor":
            warn(
                caution.code,
                f"shared: {population.name!r}: {value} factors explain some of its {x.shape[1]} units wholly; of few "
                f"rows ({len(x)} here) they do so by chance too, and their number then hangs on single values.",
                "Read the number with its interval; more rows; look for units recorded twice or summed from others.",
            )
        else:
            warn(caution.code, caution.message, caution.remedy)
    near = min(most, value + 3)  # others of the same data are near
    groups = np.array_split(seed.stream("groups").permutation(int(owner.max()) + 1), _DRAWS_OF_SHARED)
    left = []
    shuffles = seed.stream("shuffles")
    with collect_cautions():  # those of all data are said
        for group in groups:
            keep = ~np.isin(owner, group)
            left.append(_factors(x[keep], owner[keep], near)[0])
        null = [
            _factors(shuffles.permuted(x, axis=0), owner, near)[0] for _ in range(min(options["n_perm"], 2))
        ]
    fields = {
        "value": float(value),
        "ci_low": float(min(*left, value)),
        "ci_high": float(max(*left, value)),
    }
    if null:
        fields |= {
            "null_mean": float(np.mean(null)),
            "null_low": float(min(null)),
            "null_high": float(max(null)),
        }
    return Row(
        fields,
        "range over six fits, of all data and without each fifth of them",
        more={"shared_variance": share, "most": most},
    )


def _most(x: np.ndarray) -> int:
    return max(1, min(_MOST_OF_SHARED, x.shape[1] // 2, len(x) // 4))


def _factors(x: np.ndarray, owner: np.ndarray, most: int) -> tuple[int, float]:
    """(number of factors, mean share of variance that units share): folds keep the rows of a stimulus together."""
    from consilience.models import FactorAnalysis

    order = np.argsort(owner, kind="stable")
    trials = [x[order[owner[order] == name]] for name in np.unique(owner)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = FactorAnalysis("cv", max_components=most, missing="mask").fit(trials)
    share = model.shared_variance_[np.isfinite(model.shared_variance_)]
    return int(model.n_components_), float(share.mean()) if share.size else float("nan")


def _points(method: str) -> Callable[[Population, Seed, dict[str, Any]], Row]:
    function: Any = {
        "two_nn": populations.two_nn,
        "mle": populations.mle_dimension,
        "local_pca": populations.local_pca_dimension,
        "effective_rank": populations.effective_rank,
    }[method]

    def rule(population: Population, seed: Seed, options: dict[str, Any]) -> Row:
        points = population.means()
        more: dict[str, Any] = {}
        if method in _NEIGHBOURS:
            more["k"] = _NEIGHBOURS[method]
            if len(points) <= 3 * more["k"]:
                more["k"] = max(3, len(points) // 4)
        return _of_dimension(
            function(
                points,
                n_perm=min(options["n_perm"], _FEW_SHUFFLES),
                level=options["level"],
                rng=_int(seed),
                **more,
            )
        )

    return rule


def _int(seed: Seed) -> int:
    return int(seed.stream("rng").integers(0, 2**63))


_RULES: dict[str, Callable[[Population, Seed, dict[str, Any]], Row]] = {
    "participation_ratio": _ratio("both"),
    "participation_ratio_units": _ratio("stimuli"),
    "cvpca": _cvpca,
    "shared": _shared,
    "svca": _svca,
    **{name: _points(name) for name in _ON_MEANS},
}


def refuse_single_trials(population: Population, methods: tuple[str, ...], *, who: str) -> None:
    """Noise and signal are not told apart by one trial each: of what it would take, and what can be had."""
    wanted = [name for name in methods if name in NEED_REPEATS]
    if population.stimulus is None or population.noiseless or population.repeats >= 2 or not wanted:
        return
    if population.kind in NOISELESS:
        raise InputError(
            f"{who}: some stimuli (labels of by=) of {population.name!r} have several rows, which differ, and others a "
            f"single one; {', '.join(wanted)} take off the scatter within a stimulus, for which every one needs >= 2 "
            "rows. Leave the others out, or take by='stimulus' with a name for each row.",
            code="no-repeats",
        )
    raise InputError(
        f"{who}: {population.name!r} has kind {population.kind!r}, whose responses hold noise, and a single trial of "
        f"some stimuli; {', '.join(wanted)} need >= 2 repeats of every stimulus, for with one the dimensions of the "
        "noise are counted as those of the signal, and no correction can tell them apart. Pass single trials with "
        "repeats (cs.responses(..., repeat='count')), or by= a label that repeats; measures=['shared'] needs none, as "
        "noise of single units is no factor. If the responses are noiseless, say kind='activation'.",
        code="no-repeats",
    )


def say_of_noise(population: Population, methods: tuple[str, ...], *, who: str) -> None:
    """Neighbours and ranks see noise as dimensions."""
    if population.noiseless:
        return
    seen = [name for name in methods if name in _ON_MEANS]
    if seen:
        what = "samples" if population.stimulus is None else "means over repeats"
        warn(
            "noise-counts",
            f"{who}: {', '.join(seen)} of {population.name!r} see {what}, whose noise fills all units and counts as "
            "dimensions.",
            "Read them as upper bounds on the scale of the noise; participation_ratio and cvpca take it off.",
        )
