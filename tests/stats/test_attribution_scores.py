"""Scores of attribution maps: orders, areas, rank agreement, means with intervals."""

import numpy as np
import pytest
from scipy import stats

from consilience.stats._attribution_scores import (
    mean_with_interval,
    patch_numbers,
    rank_agreement,
    removal_masks,
    share_lost,
)


@pytest.mark.parametrize("places", [(20,), (9, 30), (3, 4, 17)])
def test_patches_are_a_grid_of_like_sizes(places):
    numbers = patch_numbers(places, 7, ordered=True)
    assert numbers.shape == places
    found, counts = np.unique(numbers, return_counts=True)
    assert found.tolist() == list(range(np.prod([min(size, 7) for size in places])))
    assert counts.max() <= np.prod([-(-size // min(size, 7)) for size in places])
    assert np.unique(patch_numbers(places, 7, ordered=False)).size == np.prod(places)


def test_masks_take_out_the_highest_first_and_are_nested():
    scores = np.array([[3.0, 1.0, 2.0, 0.0]])
    masks = removal_masks(scores, np.array([0, 0, 1, 2, 3]), 3)
    assert masks[0].tolist() == [
        [True, True, False, False, False],
        [True, True, False, True, False],
        [True, True, True, True, False],
    ]
    many = removal_masks(np.random.default_rng(0).normal(size=(5, 30)), np.arange(30), 9)
    assert (many[:, 1:] >= many[:, :-1]).all()
    assert many.sum(2)[0].tolist() == [3, 6, 9, 12, 15, 18, 21, 24, 27]


def test_area_of_a_straight_fall_is_half_and_of_a_step_what_it_is():
    start, end = np.array([5.0, 2.0]), np.array([1.0, 2.0])
    share = np.arange(1, 10) / 10
    curve = start[:, None] + share * (end - start)[:, None]
    np.testing.assert_allclose(share_lost(curve, start, end), [2.0, 0.0])
    late = np.repeat(start[:, None], 9, axis=1)
    assert share_lost(late, start, end)[0] == pytest.approx(4 * 0.95)


def test_rank_agreement_is_spearman_of_every_pair():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (4, 30)), rng.normal(size=(3, 30))
    a[3] = 2
    found = rank_agreement(a, b)
    for i in range(3):
        for j in range(3):
            assert found[i, j] == pytest.approx(stats.spearmanr(a[i], b[j])[0])
    assert np.isnan(found[3]).all()


def test_mean_with_interval_is_students_and_leaves_out_nan():
    x = np.random.default_rng(0).normal(size=12)
    mean, low, high = mean_with_interval(np.append(x, np.nan)[None], 0.9)
    theirs = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    np.testing.assert_allclose([mean[0], low[0], high[0]], [x.mean(), theirs.low, theirs.high])
    one = mean_with_interval(np.array([[1.0, np.nan]]), 0.9)
    assert one[0] == 1
    assert np.isnan(one[1]).all()
    assert np.isnan(mean_with_interval(np.array([[np.nan]]), 0.9)[0]).all()
