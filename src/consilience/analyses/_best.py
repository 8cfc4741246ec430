"""The best system of one side, nested: chosen on one half of the stimuli, scored on the other, under the
same resamples as everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from consilience.analyses._design import Block, Design
from consilience.stats import max_statistic_p, percentile_interval, two_factor_interval

__all__ = ["BestOf", "best_of"]


@dataclass(frozen=True)
class BestOf:
    """Of one measure; arrays over the other side (k,), draws (m, k). ``differences``: seed -> the same
    fields for value - baseline value.
    """

    value: np.ndarray
    interval: tuple[np.ndarray, np.ndarray] | None
    both: tuple[np.ndarray, np.ndarray] | None
    chosen: np.ndarray
    share: np.ndarray
    naive: np.ndarray
    naive_value: np.ndarray
    p: np.ndarray | None
    differences: Mapping[
        int,
        tuple[
            np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None, tuple[np.ndarray, np.ndarray] | None
        ],
    ]


@dataclass(frozen=True)
class _Nested:
    value: np.ndarray  # (k,)
    stimuli: np.ndarray | None  # (m, k)
    subjects: np.ndarray | None
    both: np.ndarray | None
    chosen: np.ndarray  # (k,) index
    share: np.ndarray


def _pick(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Along axis 1: the test value, and the index, of the entry with the highest train value."""
    index = np.argmax(np.where(np.isfinite(train), train, -np.inf), axis=1)
    return np.take_along_axis(test, index[:, None], axis=1)[:, 0], index


def _nested(block: Block, side: str, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """(mean held-out score (m, k, channels), chosen indices (splits x 2, m, k, channels))."""
    assert block.halves is not None
    total, count, indices = None, 0, []
    scores = block.halves(mode)  # one split at a time: with many draws all of them would fill the memory
    both = ((s, s) for s in scores) if block.choices is None else zip(scores, block.choices(mode))
    for (first, second), (one, two) in both:
        if side == "b":
            first, second, one, two = (np.swapaxes(z, 1, 2) for z in (first, second, one, two))
        for train, test in ((one, second), (two, first)):
            score, index = _pick(train, test)
            total = score if total is None else total + score
            count += 1
            if mode == "point":
                indices.append(index)
    assert total is not None
    return total / count, np.array(indices)


def _run(block: Block, side: str, design: Design, draws: bool, subjects: bool) -> _Nested:
    point, indices = _nested(block, side, "point")
    picks = indices[:, 0, :, 0]  # (splits, k)
    chosen = np.array([np.bincount(column).argmax() for column in picks.T])
    share = (picks == chosen[None, :]).mean(axis=0)
    stimuli = both = single = None
    if draws and block.draws is not None and design.weights is not None:
        values, _ = _nested(block, side, "draws")
        stimuli, both = values[..., 0], values[..., -1]
        if block.spread is not None:
            stimuli = block.spread(stimuli, point[0, :, 0])
        if subjects:
            single = _nested(block, side, "subjects")[0][..., 0]
    return _Nested(point[0, :, 0], stimuli, single, both if subjects else None, chosen, share)


def best_of(
    block: Block,
    baselines: Mapping[int, Block],
    side: str,
    design: Design,
    *,
    draws: bool,
    n_subjects: np.ndarray,
) -> BestOf:
    """``n_subjects`` (k,): of each system of the other side."""
    many = bool((n_subjects > 1).any())
    main = _run(block, side, design, draws, many)
    values = block.values if side == "a" else block.values.T
    naive = np.argmax(np.where(np.isfinite(values), values, -np.inf), axis=0)
    p = None
    if block.null is not None:
        null = block.null if side == "a" else np.swapaxes(block.null, 1, 2)
        every = max_statistic_p(values, null, axis=0)
        p = np.take_along_axis(every, naive[None], axis=0)[0]

    def intervals(
        value: np.ndarray, one: _Nested, other: _Nested | None
    ) -> tuple[tuple[np.ndarray, np.ndarray] | None, tuple[np.ndarray, np.ndarray] | None]:
        if one.stimuli is None or (other is not None and other.stimuli is None):
            return None, None

        def gap(x: np.ndarray | None, y: np.ndarray | None) -> np.ndarray | None:
            return None if x is None else x if y is None else x - y

        stimuli = gap(one.stimuli, None if other is None else other.stimuli)
        assert stimuli is not None
        plain = percentile_interval(stimuli, value, design.level)
        single, both = (
            gap(one.subjects, None if other is None else other.subjects),
            gap(one.both, None if other is None else other.both),
        )
        if single is None or both is None:
            return plain, None
        low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
        for k in np.flatnonzero(n_subjects > 1):
            low[k], high[k] = two_factor_interval(
                value[k],
                stimuli[:, k],
                single[:, k],
                both[:, k],
                n_stimuli=design.n,
                n_subjects=int(n_subjects[k]),
                level=design.level,
            )
        return plain, (low, high)

    interval, both = intervals(main.value, main, None)
    differences = {}
    for seed, other_block in baselines.items():
        other = _run(other_block, side, design, draws, many)
        gap = main.value - other.value
        plain, dual = intervals(gap, main, other)
        differences[seed] = (other.value, gap, plain, dual)
    return BestOf(
        value=main.value,
        interval=interval,
        both=both,
        chosen=main.chosen,
        share=main.share,
        naive=naive,
        naive_value=np.take_along_axis(values, naive[None], axis=0)[0],
        p=p,
        differences=differences,
    )
