"""Effects of lesions: intervals of rare changes, orders against random ones, distance from intact activations."""

import numpy as np
import pytest

from consilience.stats import (
    OffDistribution,
    area_under_curve,
    effect_agreement,
    order_against_random,
    paired_effect,
    sign_flip_p,
)
from consilience.stats._effect_agreement import held_out_agreement
from consilience.stats._held_out_change import (
    held_out_change,
    placement,
    settled_to_first,
    unchanged,
    without_rounding,
)
from consilience.stats._item_changes import beyond_draws, draws_for_q
from consilience.stats._lesion_effects import effect_around, lesion_p, random_orders_interval, settled


def test_the_interval_is_that_of_the_paired_t_test():
    from scipy import stats

    d = np.random.default_rng(0).normal(0.3, 1, size=(3, 40))
    value, low, high = paired_effect(d, level=0.9)
    ends = stats.ttest_1samp(d, 0, axis=1).confidence_interval(0.9)
    assert np.allclose(value, d.mean(1))
    assert np.allclose([low, high], ends)


@pytest.mark.parametrize(("lost", "gained"), [(0.0, 0.0), (0.02, 0.01), (0.03, 0.03), (0.3, 0.1)])
def test_intervals_of_rare_changes_hold_the_truth(lost, gained):
    rng = np.random.default_rng(0)
    d = rng.choice([1.0, -1.0, 0.0], p=[lost, gained, 1 - lost - gained], size=(2000, 100))
    value, low, high = paired_effect(d, bounded=True)
    truth = lost - gained
    assert np.mean((low <= truth) & (truth <= high)) >= 0.935
    assert ((low <= value) & (value <= high)).all()
    assert (low < high).all()
    if 0 < lost < 0.1:  # plain t: where no change was seen the interval is a point
        _, low, high = paired_effect(d)
        assert np.mean((low <= truth) & (truth <= high)) < 0.98


def test_sign_flips_are_false_as_often_as_they_say():
    rng = np.random.default_rng(0)
    d = rng.choice([1.0, -1.0, 0.0], p=[0.25, 0.25, 0.5], size=(600, 80))
    p = sign_flip_p(d, 499, rng)[0]
    assert 0.015 < np.mean(p <= 0.05) < 0.075


def test_area_is_the_mean_score_along_the_way():
    assert area_under_curve(np.array([1.0, 0.5, 0.0]), np.array([0, 0.5, 1])) == pytest.approx(0.5)
    assert area_under_curve(np.ones((2, 3)), np.array([0.0, 0.1, 1.0])).tolist() == pytest.approx([1, 1])
    assert area_under_curve(np.array([0.7]), np.array([0.0])) == 0.7


def test_an_order_against_random_ones_covers_the_true_difference():
    """Stimulus i is right while the weights that are left exceed its threshold."""
    rng = np.random.default_rng(2)
    weights = rng.exponential(size=12)
    weights /= weights.sum()
    fraction = np.arange(13) / 12
    population = rng.beta(2, 2, size=5000)

    def areas(order, thresholds):
        left = 1 - np.concatenate([[0], np.cumsum(weights[order])])
        return area_under_curve((left[:, None] > thresholds).astype(float), fraction, axis=0)

    mean = np.mean([areas(rng.permutation(12), population).mean() for _ in range(400)])
    order = np.argsort(-weights)
    truth = areas(order, population).mean() - mean
    held = []
    for _ in range(300):
        some = population[rng.integers(0, 5000, 60)]
        random = np.stack([areas(rng.permutation(12), some) for _ in range(15)])
        found = order_against_random(areas(order, some), random)
        held.append(found.low <= truth <= found.high)
        assert found.p < 0.01
        assert found.placement < 0.2
    assert 0.91 < np.mean(held) < 0.99


def test_random_orders_that_do_not_differ_give_no_difference():
    found = order_against_random(np.full(5, 0.5), np.full((4, 5), 0.5))
    assert (found.difference, found.p, found.placement) == (0.0, 1.0, 0.5)


def test_distance_of_shifted_activations_is_known():
    rng = np.random.default_rng(0)
    n, units, k = 4000, 8, 3.0
    sd = np.linspace(0.5, 4, units)
    x = rng.normal(size=(n, units)) * sd
    off = OffDistribution(x, np.arange(n) % 2 == 0)
    for unit in (0, 7):
        shift = np.zeros(units)
        shift[unit] = k * sd[unit]
        value, low, high = off.ratio(off.distances(x + shift))
        assert value == pytest.approx(1 + k**2 / units, rel=0.07)
        assert low < value < high
    value, _, _ = off.ratio(off.distances(np.repeat(x.mean(0)[None], n, 0)))
    assert value < 0.01  # all alike, at the mean: near, not far
    same, low, high = off.ratio(off.distances(x))
    assert (same, low, high) == (1.0, 1.0, 1.0)


def test_distance_does_not_hang_on_scale_rotation_or_blocks():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 5))
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    first = np.arange(300) < 150
    lesioned = x + rng.normal(size=(300, 5))
    one, two = OffDistribution(x, first), OffDistribution(7 * x @ turn + 3, first)
    assert one.ratio(one.distances(lesioned))[0] == pytest.approx(
        two.ratio(two.distances(7 * lesioned @ turn + 3))[0]
    )
    blocks = np.concatenate(
        [one.distances(lesioned[s : s + 40], slice(s, s + 40)) for s in range(0, 300, 40)]
    )
    assert np.allclose(blocks, one.distances(lesioned))


def test_intervals_of_distance_hold_that_of_fresh_intact_activations():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        x, fresh = rng.normal(size=(2, 100, 10))
        off = OffDistribution(x, np.arange(100) < 50)
        _, low, high = off.ratio(off.distances(fresh))
        held.append(low <= 1 <= high)
    assert np.mean(held) > 0.9


def test_units_that_never_vary_and_more_units_than_stimuli():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(40, 60)), np.zeros((40, 2))], axis=1)
    off = OffDistribution(x, np.arange(40) < 20)
    assert np.isfinite(off.ratio(off.distances(x + 1))[0])
    flat = OffDistribution(np.zeros((20, 3)), np.arange(20) < 10)
    assert np.isnan(flat.ratio(flat.distances(np.zeros((20, 3))))[0])


def test_agreement_of_effects_and_of_their_reverse():
    rng = np.random.default_rng(0)
    a = np.arange(6.0)[:, None] + rng.normal(size=(6, 200))
    same = effect_agreement(a, a + 0.01 * rng.normal(size=a.shape), n_boot=200, rng=rng)
    assert same.correlation == 1.0
    assert same.n_apart == 0
    assert same.low > 0.7
    turned = effect_agreement(a, 5 - a, n_boot=200, rng=rng)
    assert turned.correlation == -1.0
    assert turned.high < 0.7
    assert turned.n_apart == 4  # 2 and 3 differ by 1, less than half of 3
    flat = effect_agreement(a, np.zeros_like(a), n_boot=200, rng=rng)
    assert np.isnan(flat.correlation)
    assert flat.n_apart == 5


def test_ends_go_with_the_number_that_they_are_of():
    each = np.random.default_rng(0).normal(size=(2, 30))
    value = np.array([1.0, -2.0])
    middle, low, high = paired_effect(each, level=0.9)
    found = effect_around(value, each, level=0.9)
    assert np.allclose(found, [value, low - middle + value, high - middle + value])
    assert np.isnan(effect_around(value, None, level=0.9)[1:]).all()


def test_p_of_lesions_by_flips_or_by_pseudo_values():
    from scipy import stats

    lost = np.random.default_rng(0).normal(0.2, 1, size=(3, 20))
    mean = lost.mean(axis=1)
    options = {"n_perm": 199}
    flips = lesion_p(mean, lost, paired=True, rng=np.random.default_rng(1), **options)
    assert np.array_equal(flips, sign_flip_p(lost, 199, np.random.default_rng(1))[0])
    by_t = lesion_p(mean, lost, paired=False, rng=np.random.default_rng(1), **options)
    assert np.allclose(by_t, stats.ttest_1samp(lost, 0, axis=1).pvalue)
    for none in (None, lost[:, :1], lost[:0]):
        assert np.isnan(lesion_p(mean, none, paired=True, rng=np.random.default_rng(1), **options)).all()


def test_the_interval_over_random_orders_has_both_parts():
    from scipy import stats

    rng = np.random.default_rng(0)
    spread = rng.normal(size=(8, 3))
    ends = stats.ttest_1samp(spread, 0, axis=0).confidence_interval(0.95)
    assert np.allclose(random_orders_interval(spread, None, level=0.95), ends)
    each = rng.normal(size=(1, 3, 25))
    ends = stats.ttest_1samp(each[0], 0, axis=1).confidence_interval(0.95)
    width = np.subtract(*random_orders_interval(each.mean(axis=2), each, level=0.95)[::-1])
    assert np.allclose(width, np.subtract(*ends[::-1]))
    both = np.broadcast_to(each, (8, 3, 25)) + spread[:, :, None]
    low, high = random_orders_interval(both.mean(axis=2), both, level=0.95)
    assert (high - low > width).all()
    assert np.isnan(random_orders_interval(spread[:1], None, level=0.95)).all()


def test_what_is_rounding_counts_as_none():
    assert settled(np.array([1e-11, 1e-9]), np.array([100.0, np.nan])).tolist() == [0.0, 1e-9]
    assert without_rounding(np.array([1e-13, -1e-11])).tolist() == [0.0, -1e-11]
    assert settled_to_first(np.array([[0.5, 0.5 + 1e-13, 0.4]]), axis=1).tolist() == [[0.5, 0.5, 0.4]]
    terms = np.ones((4, 3, 2))
    terms[1, 1] += 1e-13
    terms[2, 2, 0] = 0.0
    assert unchanged(terms).tolist() == [True, False]
    assert placement(0.5, np.array([0.4, 0.5 + 1e-14, 0.6, 0.7])) == 0.375


def test_the_smallest_p_of_draws_and_how_many_make_a_q():
    assert beyond_draws(np.array([0.005, 0.01, np.nan]), 199).tolist() == [True, False, False]
    for tests in (7, 300, 5000):
        assert tests / (draws_for_q(tests, 0.05) + 1) < 0.05


def test_effects_on_held_out_scores_agree_with_themselves_and_not_with_their_opposite():
    rng = np.random.default_rng(0)
    a = np.linspace(0.05, 0.5, 10)
    drawn = a + 0.02 * rng.normal(size=(400, 10))
    options = {"level": 0.95, "blocks": 50, "factor": 2.0}
    same = held_out_agreement(a, a, drawn, drawn, **options)
    assert (same.correlation, same.n_parts, same.n_apart, same.difference) == (1.0, 10, 0, 0.0)
    found = held_out_agreement(a, a[::-1], drawn, drawn[:, ::-1], **options)
    assert found.correlation == pytest.approx(-1)
    assert found.low <= found.high < 0
    assert found.n_apart == 6  # 0.05, 0.1, 0.15 against 0.5, 0.45, 0.4, and the other way
    gap = (drawn - drawn[:, ::-1]).mean(axis=1)
    low, high, _ = held_out_change(gap, np.asarray((a - a[::-1]).mean()), **options)
    assert [found.difference_low, found.difference_high] == pytest.approx([low, high])
    assert np.isnan(held_out_agreement(a, a[::-1], None, None, **options).low)
