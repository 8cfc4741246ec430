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
from consilience.stats._crossed import crossed_degrees, left_out_pairs

__all__ = ["Gap", "Score", "gap_variances", "of_halves", "of_subjects", "of_values", "tested"]

FEWEST_SUBJECTS, _FEWEST_STIMULI = 3, 6


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

    def mean(kept: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        pools = np.array([parts.pool(vectors[kept[kept != t]]) for t in kept])
        found = of_values(parts, vectors[kept], pools, n)
        return found.value.mean(), found.left_out.mean(axis=0), found.influence.mean(axis=0)

    everyone = np.arange(s)
    rows = []
    for whole, *less in zip(mean(everyone), *(mean(np.delete(everyone, t)) for t in range(s))):
        without = np.array(less)
        rows.append(whole - (s - 1) * (without - without.mean(axis=0)))
    return Score(*rows)


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
