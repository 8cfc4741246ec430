"""How far values are from the (lower) noise ceiling, and the variance of that difference: value and ceiling are
taken together, under the same stimuli left out, the same influences of pairs and the same subjects.

Rule ``pairs``: components of variance over stimuli and subjects (`cs.stats.crossed_components`). Where subjects make
the ceiling, each of them is in every other one's; the jackknife over subjects (pseudo-values) counts that. Rule
``predictions``: the jackknife over groups of stimuli, and once more what the fits add.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from consilience.measures import PairParts
from consilience.measures._mutual_knn import NeighbourParts
from consilience.stats import crossed_components
from consilience.stats._crossed import crossed_degrees, left_out_grams, left_out_pairs

__all__ = ["Gap", "Score", "gap_variances", "of_halves", "of_subjects", "of_values", "tested"]

FEWEST_SUBJECTS, _FEWEST_STIMULI, _DIGITS = 3, 6, 1e-6


@dataclass
class Gap:
    """Variances (n_a, n_b) of value - ceiling_low over stimuli, and over both, with degrees of freedom; NaN = none."""

    variance: np.ndarray
    df: np.ndarray
    variance_both: np.ndarray
    df_both: np.ndarray

    @classmethod
    def blank(cls, shape: tuple[int, ...]) -> Gap:
        return cls(*(np.full(shape, np.nan) for _ in range(4)))


@dataclass
class Score:
    """value (s,) of each subject, left_out (s, n) without each stimulus, influence (s, P) of each pair.

    extra : variance that resampling does not hold, of the choice of halves.
    """

    value: np.ndarray
    left_out: np.ndarray
    influence: np.ndarray
    extra: float = 0.0


def tested(parts: PairParts) -> bool:
    """Is the difference from the ceiling tested: values whose parts without a stimulus cost little?"""
    return parts.has_ceiling and (_plain(parts) or isinstance(parts, NeighbourParts))


def _plain(parts: PairParts) -> bool:
    return type(parts).combine is PairParts.combine


def of_values(parts: PairParts, a: np.ndarray, b: np.ndarray, n: int) -> Score:
    """Of pair vectors a (s, P) with b (s, P), row by row; a measure that is no cosine has its jackknife alone."""
    if _plain(parts):
        return Score(*left_out_pairs(a, b, n, diagonal=parts.diagonal))
    each = [(one[None], two[None]) for one, two in zip(a, b)]
    return Score(
        np.array([parts.combine(one, two)[0, 0] for one, two in each]),
        np.array([parts.left_out(one, two, n)[:, 0, 0] for one, two in each]),
        np.zeros((len(a), n * (n - 1) // 2)),
    )


def of_halves(parts: PairParts, halves: Iterable[tuple[np.ndarray, np.ndarray]], n: int) -> Score:
    """The ceiling from halves of the repeats: means over splits, and the variance that more of them would not have."""
    values: list[float] = []
    left_out, influence = np.zeros((1, n)), np.zeros((1, n * (n - 1) // 2))
    for one, two in halves:
        found = of_values(parts, one[None], two[None], n)
        values.append(float(found.value[0]))
        left_out += found.left_out
        influence += found.influence
    count = len(values)
    extra = float(np.var(values, ddof=1) / count) if count > 1 else 0.0
    return Score(np.array([np.mean(values)]), left_out / count, influence / count, extra)


def of_subjects(parts: PairParts, vectors: np.ndarray, n: int) -> Score | None:
    """The ceiling from other subjects: its value, and about it the jackknife's pseudo-values of each subject."""
    s = len(vectors)
    if s < FEWEST_SUBJECTS or not _plain(parts):
        return None
    unit = parts.normalise(vectors)
    grams = left_out_grams(unit, n, diagonal=parts.diagonal)
    exact = bool((np.einsum("ttn->tn", grams) < _DIGITS).any())

    def mean(kept: np.ndarray, *, ranked: bool) -> tuple[float, np.ndarray, np.ndarray]:
        if not ranked and not exact:
            return _mean_of_others(unit, grams, kept, n)
        pools = np.array([parts.pool(vectors[kept[kept != t]]) for t in kept])
        found = of_values(parts, vectors[kept], pools, n)
        return found.value.mean(), found.left_out.mean(axis=0), found.influence.mean(axis=0)

    everyone = np.arange(s)
    rows = []
    of_fewer = (
        mean(np.delete(everyone, t), ranked=False) for t in range(s)
    )  # means of ranks are not ranked again
    for whole, *less in zip(mean(everyone, ranked=parts.again is not None), *of_fewer):
        without = np.array(less)
        rows.append(whole - (s - 1) * (without - without.mean(axis=0)))
    return Score(*rows)


def _mean_of_others(
    unit: np.ndarray, grams: np.ndarray, kept: np.ndarray, n: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean cosine of each of some subjects with the sum of the others of them, without each stimulus, and influences.

    unit (s, P), of length 1.   grams (s, s, n) : their products without each stimulus.
    """
    pairs, whole = n * (n - 1) // 2, unit[kept].sum(axis=0)
    value, left_out, influence = 0.0, np.zeros(n), np.zeros(pairs)
    for t in kept:
        others = kept[kept != t]
        pool = whole - unit[t]
        pool = pool / np.linalg.norm(pool)
        cosine = float(unit[t] @ pool)
        below = grams[t, t] * grams[np.ix_(others, others)].sum(axis=(0, 1))
        one, two = unit[t, :pairs], pool[:pairs]
        value += cosine
        left_out += grams[t, others].sum(axis=0) / np.sqrt(below)
        influence += pairs * (one * two - cosine / 2 * (one * one + two * two))
    return value / len(kept), left_out / len(kept), influence / len(kept)


def gap_variances(value: Score, ceiling: Score, n: int) -> tuple[float, float, float, float]:
    """(variance over stimuli, its degrees of freedom, variance over both, its degrees of freedom)."""
    s = len(value.value)
    if n < _FEWEST_STIMULI:
        return (float("nan"),) * 4
    found = crossed_components(
        (value.value - ceiling.value)[None],
        (value.left_out - ceiling.left_out)[None],
        (one - two for one, two in zip(value.influence[:, None], ceiling.influence[:, None])),
        n_stimuli=n,
    )
    # of the subjects only what stimuli do not explain: the jackknife counts pairs of subjects twice, here and there
    own = np.maximum(found.subjects - found.shared, 0.0)[0, 0]
    stimuli = found.variances(np.ones((1, 1)))["stimuli"][0]
    if s == 1:
        return float(stimuli + ceiling.extra), n - 1.0, float("nan"), float("nan")
    both = stimuli + own
    of_subjects = np.maximum(found.subjects[0, 0], own)
    df = crossed_degrees(stimuli=stimuli, subjects=of_subjects, both=both, n_stimuli=n, n_subjects=s)
    return float(stimuli), n - 1.0, float(both), float(df)
