"""The number of different RDMs that relabelling makes is that of a count over all permutations."""

import itertools
import math

import numpy as np
import pytest

from consilience.stats import distinct_relabellings


def groups(*sizes):
    label = np.repeat(np.arange(len(sizes)), sizes)
    return (label[:, None] != label[None, :]).astype(float)


@pytest.mark.parametrize(
    "d",
    [
        groups(1, 5),
        groups(2, 4),
        groups(3, 3),
        groups(2, 2, 2),
        np.minimum(np.abs(np.subtract.outer(np.arange(6), np.arange(6))) % 6, 1.0) * 1.0,
        np.minimum(x := np.abs(np.subtract.outer(np.arange(6), np.arange(6))), 6 - x).astype(float),
    ],
)
def test_it_is_the_count_over_all_permutations(d):
    seen = {d[np.ix_(order, order)].tobytes() for order in itertools.permutations(range(len(d)))}
    assert distinct_relabellings(d) == min(len(seen), 100)


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        (groups(1, 29), 30),
        (groups(1, 299), 100),
        (groups(4, 4), math.comb(8, 4) // 2),
        (groups(1, 16), 17),
        (groups(17, 1), 18),
        (groups(10, 10), 100),
        (groups(*[20] * 10), 100),
    ],
)
def test_larger_ones(d, expected):
    assert distinct_relabellings(d) == expected


def test_rounding_does_not_tell_stimuli_apart():
    d = groups(1, 7)
    noise = 1e-13 * np.random.default_rng(0).normal(size=d.shape)
    assert distinct_relabellings(1e-3 * (d + noise + noise.T)) == 8
