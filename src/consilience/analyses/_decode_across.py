"""Training and test that are not of one kind (other conditions, other times): what the training rows add to the
variance, and nulls in which one of the two changes its labels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import warn
from consilience.stats import class_weights, group_folds, stratified_folds

if TYPE_CHECKING:
    from consilience.analyses._decode_classes import Decoded, Decoder
    from consilience.analyses._decode_design import Design

__all__ = [
    "PARTS",
    "added",
    "one_sided",
    "training_halves",
    "training_parts",
    "training_variance",
    "variance_of_halves",
]

PARTS = 20
HALVED = 10  # random cuts of the training groups
FEWEST_GROUPS = 12


def training_parts(
    owner: np.ndarray, codes: np.ndarray | None, rows: np.ndarray, rng: np.random.Generator, *, who: str
) -> np.ndarray:
    """(n,) int: the part that each training row is left out with, -1 for others. Whole groups, stratified by class."""
    own = np.unique(owner[rows], return_inverse=True)[1]
    count = min(PARTS, int(own.max()) + 1)
    if codes is None:
        tests = group_folds(own, count, rng, who=who)
    else:
        tests = stratified_folds(codes[rows], own, count, rng)
    out = np.full(owner.size, -1)
    for k, test in enumerate(part for part in tests if part.size):
        out[rows[test]] = k
    return out


def training_variance(design: Design, score: Callable[[list[Any]], np.ndarray]) -> tuple[Any, int]:
    """(variance, df) of a delete-a-group jackknife of the training rows, the test rows as they are (Kott 2001).

    (g - 1) / g sum_j (theta_j - mean theta)^2, theta_j the score without part j of g. NaN where a part holds all of a
    class.
    """
    parts = design.parts
    assert parts is not None
    count = int(parts.max()) + 1
    deals = [[(train[parts[train] != k], test) for train, test in design.splits] for k in range(count)]
    codes = design.target.codes
    lost = count < 3 or any(train.size < 2 for splits in deals for train, _ in splits)
    if codes is not None and not lost:
        lost = any(
            np.setdiff1d(codes[was], codes[train]).size
            for s in deals
            for (train, _), (was, _) in zip(s, design.splits)
        )
    if lost:
        warn(
            "few-to-train",
            "training and test are of different conditions or times, and too few groups train a class to say how much "
            "the score owes to them, so it has no interval.",
            "More trials (groups) of every class to train on.",
        )
        return np.nan, 1
    found = np.stack([score(splits) for splits in deals])
    return (count - 1) * found.var(axis=0), count - 1


def training_halves(design: Design, rng: np.random.Generator) -> list[Any]:
    """Splits whose training rows are half of the training groups, and then the other half, of `HALVED` random cuts;
    none where there are too few groups.
    """
    assert design.owner is not None
    rows = np.unique(np.concatenate([train for train, _ in design.splits]))
    groups = np.unique(design.owner[rows])
    out = []
    for _ in range(HALVED if groups.size >= FEWEST_GROUPS else 0):
        order = rng.permutation(groups)
        for half in (order[: groups.size // 2], order[groups.size // 2 :]):
            kept = np.isin(design.owner, half)
            out.append([(train[kept[train]], test) for train, test in design.splits])
    if not out or any(train.size < 4 for splits in out for train, _ in splits):
        warn(
            "few-to-train",
            f"training and test are of different conditions, and {groups.size} training groups are too few to say how "
            "much the score owes to them, so it has no interval.",
            f"{FEWEST_GROUPS} or more training groups.",
        )
        return []
    return out


def variance_of_halves(
    value: np.ndarray, draws: np.ndarray, halves: np.ndarray, both: np.ndarray
) -> np.ndarray:
    """(k,) variance that training rows add, of the score (k,), under draws of test rows (m, k), with half of the
    training rows (h, k), and with both (h, m, k).

    V = mean over h of the squared distance between halves, taken to the whole and to their mean, in equal parts (half
    samples: McCarthy 1969). V holds what test rows and training rows do together, which is in the variance over test
    rows already: drawing test rows adds it once more, so it is V under draws less V, and what is left is
    2 V - V under draws, at least 0.
    """

    def spread(found: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return 0.5 * ((found - whole) ** 2).mean(axis=0) + 0.5 * found.var(axis=0, ddof=1)

    once, twice = spread(halves, value), np.nanmean(spread(both, draws), axis=0)
    return np.maximum(2 * once - twice, 0.0)


def added(test: Any, test_df: int, training: Any, training_df: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum of two variances and its degrees of freedom (Satterthwaite 1946)."""
    total = np.asarray(test + training, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (np.asarray(test) ** 2 / test_df + np.asarray(training) ** 2 / training_df)
    return total, np.where(np.isfinite(df), np.maximum(df, 1.0), min(test_df, training_df))


def one_sided(
    design: Design, decoder: Decoder, found: Decoded, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (m, ...) with other labels ``labels`` (m, n) of the training rows alone, and of the test rows alone.

    Where training rows know nothing the first holds, whatever the test rows know; where test rows know nothing the
    second: the larger p of the two is right for both.
    """
    codes = design.target.codes
    assert codes is not None
    trained = decoder.values(design.x, labels, design.splits, tested=np.broadcast_to(codes, labels.shape))
    if decoder.score.needs_scores:
        same = np.broadcast_to(codes, labels.shape)
        return trained, decoder.values(design.x, same, design.splits, tested=labels)
    own = labels[:, found.rows]
    weights = class_weights(own, decoder.classes.size, balanced=decoder.score.balanced)
    tested = np.zeros_like(trained)
    for c in range(decoder.classes.size):
        tested += np.tensordot(np.where(own == c, weights, 0.0), (found.predicted == c).astype(np.float64), 1)
    return trained, tested
