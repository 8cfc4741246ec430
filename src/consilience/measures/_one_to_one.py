"""One-to-one matching of units, in-sample and held out; and what it shares with soft matching."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from consilience._core._arrays import Array, as_same_library, float64, to_numpy
from consilience._core._errors import InputError
from consilience._core._memory import check_fits, gigabytes
from consilience.linalg import level_columns
from consilience.measures._cka import warn_null
from consilience.measures._contract import Claims, PredictionParts, Predictions, SubsampleParts, measure
from consilience.measures._door import two_systems, without_constant_units
from consilience.measures._held_out import alignment_claims, alignment_parts, held_out_score

__all__ = [
    "CouplingPlan",
    "UNIT_WISE",
    "centred",
    "check_pairs",
    "matching_null",
    "one_to_one",
    "one_to_one_held_out",
    "simulated_null",
    "standardised",
]

UNIT_WISE = frozenset({"translation", "scaling", "permutation", "unit_scaling"})
_MOST_PAIRS = 400_000_000  # 20000 units on either side
_MOST_UNITS = 150  # of a simulated null; larger systems are scaled down to it
_MOST_MATCHED = 600  # the same where units are matched one to one, which is fast
Couple = Callable[[np.ndarray], np.ndarray]  # correlations (p, q) -> mass between units (p, q)


def centred(x: Array) -> np.ndarray:
    """``x`` (n, p) less its column means, each over a power of two, NumPy float64; 0 where a unit does not vary."""
    return to_numpy(float64(level_columns(x)))


def standardised(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``z`` less its column means at column norm 1, and what each column was multiplied by; 0 where it does not vary:
    where less is left of it than its mean leaves of rounding.
    """
    before = np.linalg.norm(z, axis=0)
    z = z - z.mean(axis=0)
    size = np.linalg.norm(z, axis=0)
    gain = np.where(size > 1e-12 * before, 1 / np.maximum(size, 1e-300), 0.0)
    return z * gain, gain


def check_pairs(p: int, q: int, who: str) -> None:
    """Refuses numbers of units of which every pair cannot be held in memory, or matched in a day's work."""
    needed = 32 * p * q  # correlations, a cost, mass, and what the search keeps
    free = check_fits(needed)
    if free is None and p * q <= _MOST_PAIRS:
        return
    lacking = "takes hours for each matching" if free is None else f"{free} is free"
    raise InputError(
        f"{who}: {p} and {q} units are {p * q:.2g} pairs, which need about {gigabytes(needed)} of memory, and "
        f"{lacking}; draw some thousand units of each side at random, or use a measure that does not pair units (cka, "
        "procrustes_held_out, linear_predictivity).",
        code="too-large",
    )


def one_each(correlations: np.ndarray) -> np.ndarray:
    """Mass 1/min(p, q) on each pair of the assignment with the highest sum of correlations."""
    rows, columns = linear_sum_assignment(correlations, maximize=True)
    mass = np.zeros(correlations.shape)
    mass[rows, columns] = 1 / min(correlations.shape)
    return mass


def coupled_correlation(x: np.ndarray, y: np.ndarray, couple: Couple, *, who: str = "one_to_one") -> float:
    check_pairs(x.shape[1], y.shape[1], who)
    correlations = standardised(x)[0].T @ standardised(y)[0]
    mass = couple(correlations)
    return float(np.clip(np.sum(mass * correlations) / mass.sum(), -1.0, 1.0))


# -- null --------------------------------------------------------------------------------------------------


def simulated_null(n: int, p: int, q: int, couple: Couple, most: int = _MOST_UNITS) -> float:
    """Mean of the coupled correlation of independent Gaussian data of n stimuli, p and q units, by simulation.

    Systems of more than ``most`` units are simulated at that number and the same ratio; the highest of p correlations
    grows as r = sqrt(1 - p^(-2/n)) (the extreme of p directions on a sphere), by which the value is then scaled.
    """
    scale = min(1.0, most / max(p, q))
    small = max(1, round(p * scale)), max(1, round(q * scale))
    rng = np.random.default_rng(20240601)
    draws = max(2, min(200, 600 // min(small)))
    values = [
        coupled_correlation(rng.normal(size=(n, small[0])), rng.normal(size=(n, small[1])), couple)
        for _ in range(draws)
    ]
    if scale == 1.0:
        return float(np.mean(values))
    highest = [math.sqrt(1 - max(k, 2) ** (-2 / (n - 1))) for k in (max(p, q), max(small))]
    return min(1.0, float(np.mean(values)) * highest[0] / highest[1])


@functools.lru_cache(maxsize=1024)
def matching_null(n: int, p: int, q: int) -> float:
    """Expected mean correlation of the best one-to-one matching of independent Gaussian data (simulated)."""
    return simulated_null(n, min(p, q), max(p, q), one_each, _MOST_MATCHED)


# -- in-sample ---------------------------------------------------------------------------------------------


def _claims() -> Claims:
    return Claims(
        label="one-to-one matched correlation (in-sample)",
        range=(-1.0, 1.0),
        itself=1.0,
        symmetric=True,
        invariant=UNIT_WISE,
        null=matching_null,
        null_text="about sqrt(2 log(units)/n) for units on both sides, simulated",
        resample="subsample",
        held_out="one_to_one_held_out",
        references=("li2016convergent", "williams2021generalized"),
        method=(
            "Each unit was matched to one unit of the other system so that the sum of their correlations is "
            "highest, on all stimuli; the correlations were averaged (in-sample: inflated when units are many)."
        ),
    )


def _parts() -> SubsampleParts:
    return SubsampleParts(centred, lambda x, y: coupled_correlation(x, y, one_each))


@measure(claims=_claims, parts=_parts)
def one_to_one(x: Array, y: Array, /) -> Array:
    """Mean correlation of units matched one to one, in-sample: how far single units of two systems are alike.

    value = max over one-to-one matchings of mean over k = min(p, q) pairs of corr(x_j, y_m(j)), found by the
    Hungarian algorithm. Units that are left over do not count (`soft_match` gives them a share). Correlations are
    signed: a unit and its negative do not match. Among many units there is a good match for any unit, related or
    not: use `one_to_one_held_out` there (as `cs.compare` does).

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows. Units
        that do not vary are dropped, as by `cs.compare`.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer than 4 stimuli, no variation, more pairs of units
        than fit in memory (or than 4e8).
    ConsilienceWarning ``null-not-zero`` : independent data of this size would score above 0.1;
        ``constant-units`` : units that do not vary were dropped.

    References
    ----------
    Li et al. (2016); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(2000, 5))
    >>> float(cs.measures.one_to_one(x, 3 * x[:, ::-1]).round(6))
    1.0
    """
    x, y = two_systems(x, y, who="one_to_one")
    x, y = (without_constant_units(z, name=name, who="one_to_one") for z, name in ((x, "x"), (y, "y")))
    check_pairs(x.shape[1], y.shape[1], "one_to_one")
    warn_null(_claims(), x.shape[0], x.shape[1], y.shape[1], "cs.measures.one_to_one_held_out")
    return as_same_library(np.asarray(coupled_correlation(centred(x), centred(y), one_each)), x)


# -- held out ----------------------------------------------------------------------------------------------


class CouplingPlan:
    """Mass between units found on the training stimuli of each fold, applied to the held-out ones.

    Each unit is taken in units of its training spread; top = sum of mass_jk x_j y_k, left and right the squares of
    either side under its share of the mass.
    """

    def __init__(self, x: np.ndarray, folds: list[np.ndarray], couple: Couple, *, who: str) -> None:
        self.n, self.folds, self.couple, self.who = x.shape[0], folds, couple, who
        self.sides = [self._side(x, test) for test in folds]

    def _side(self, z: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        train = np.setdiff1d(np.arange(z.shape[0]), test)
        inside, gain = standardised(z[train])
        return inside, (z[test] - z[train].mean(axis=0)) * gain

    def predict(self, y: np.ndarray) -> Predictions:
        check_pairs(self.sides[0][0].shape[1], y.shape[1], self.who)
        top, left, right = (np.zeros((self.n, 1)) for _ in range(3))
        for (x_in, a), test in zip(self.sides, self.folds):
            y_in, b = self._side(y, test)
            mass = self.couple(x_in.T @ y_in)
            top[test, 0] = np.einsum("ij,ij->i", a @ mass, b)
            left[test, 0], right[test, 0] = (a * a) @ mass.sum(axis=1), (b * b) @ mass.sum(axis=0)
        return Predictions(top, left, right)


def _held_out_claims(**options: Any) -> Claims:
    return alignment_claims(
        label="one-to-one matched correlation (held out)",
        itself=1.0,
        invariant=UNIT_WISE,
        references=("li2016convergent", "williams2021generalized"),
        method=(
            "Each unit was matched to one unit of the other system with the stimuli of a fold held out; the value is "
            "the correlation of matched units over the held-out stimuli."
        ),
    )


def _held_out_parts(*, folds: int = 5, **split: Any) -> PredictionParts:
    who = "one_to_one_held_out"
    return alignment_parts(
        lambda x, tests: CouplingPlan(x, tests, one_each, who=who), folds=folds, who=who, prepare=centred
    )


@measure(claims=_held_out_claims, parts=_held_out_parts)
def one_to_one_held_out(x: Array, y: Array, /, *, folds: int = 5, groups: Any = None, rng: Any = 0) -> Array:
    """Correlation of units matched one to one, on stimuli held out: 0 for unrelated systems, however many units.

    The matching m is found on the training stimuli of each fold; value = sum_ij x_ij y_im(j) / sqrt(sum_ij x_ij^2
    sum_ij y_im(j)^2) over held-out stimuli i and the min(p, q) matched pairs, each unit as a deviation from its
    training mean in units of its training spread.

    Parameters
    ----------
    x : array (n stimuli, p units);  y : array (n stimuli, q units), the same stimuli in the same rows
    folds : number of folds.   groups : n labels never split.   rng : seed of the deal into folds.

    Returns
    -------
    0-d array of the library of ``x``, in [-1, 1]; higher = more alike.

    Raises
    ------
    InputError : other numbers of rows, not 2-D, NaN, fewer stimuli (groups) than folds.
    ConsilienceWarning ``constant-units`` : units that do not vary were dropped.

    References
    ----------
    Li et al. (2016); Williams et al. (2021).

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> x = np.random.default_rng(0).normal(size=(100, 5))
    >>> float(cs.measures.one_to_one_held_out(x, x[:, ::-1]).round(6))
    1.0
    """
    parts = _held_out_parts(folds=folds)
    return held_out_score(x, y, parts, groups=groups, rng=rng, who="one_to_one_held_out", varying=True)
