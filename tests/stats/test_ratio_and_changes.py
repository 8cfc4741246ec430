"""Fieller's interval, tests of paired and of control changes, clustered variance: exact small cases, simulation."""

import itertools

import numpy as np
import pytest

import consilience as cs
from consilience.stats import above_controls_p, crossed_mean_variance, ratio_interval, sign_flip_p


def test_the_ends_solve_the_equation_and_scale_with_the_data():
    rng = np.random.default_rng(0)
    below = 2 + rng.normal(size=12)
    above = 0.5 * below + rng.normal(size=12) * 0.2
    value, low, high = ratio_interval(above, below)
    assert value == pytest.approx(above.mean() / below.mean())
    from scipy.stats import t

    for end in (low, high):
        rest = above - end * below
        assert abs(rest.mean()) / (rest.std(ddof=1) / np.sqrt(12)) == pytest.approx(t.ppf(0.975, 11))
    np.testing.assert_allclose(ratio_interval(3 * above, -2 * below), np.array([value, high, low]) * -1.5)
    assert np.isnan(
        ratio_interval(above, below - below.mean() + 0.01)[1]
    )  # a denominator near 0 has no interval
    with pytest.raises(cs.InputError, match="at least 2"):
        ratio_interval(above[:1], below[:1])


def test_the_interval_holds_its_level():
    rng = np.random.default_rng(1)
    below = 1.5 + rng.normal(size=(4000, 10))
    above = 0.6 * below + 0.5 * rng.normal(size=(4000, 10))
    _, low, high = ratio_interval(above, below)
    known = np.isfinite(low)
    inside = ((low <= 0.6) & (high >= 0.6))[known].mean()
    assert abs(inside - 0.95) < 4 * np.sqrt(0.95 * 0.05 / known.sum())


def test_flips_are_those_of_all_signs():
    x = np.array([[0.3, 1.0, -0.2, 0.8, 0.5, 0.1]])
    signs = np.array(list(itertools.product((-1, 1), repeat=6)))
    exact = (np.abs(signs @ x[0]) >= abs(x.sum()) - 1e-9).mean()
    p, _ = sign_flip_p(x, 40_000, np.random.default_rng(0))
    assert abs(p[0] - exact) < 4 * np.sqrt(exact * (1 - exact) / 40_000)
    scaled, _ = sign_flip_p(7 * x, 40_000, np.random.default_rng(0))
    assert scaled[0] == p[0]
    assert np.isnan(sign_flip_p(x, 0, np.random.default_rng(0))[0]).all()


def test_type_one_error_alone_and_over_a_family():
    rng = np.random.default_rng(2)
    alone, family, controls, over_controls, runs = 0.0, 0, 0.0, 0, 400
    for _ in range(runs):
        x = rng.normal(size=(10, 12)) + rng.normal(size=(1, 12))  # rows share their items
        p, f = sign_flip_p(x, 199, rng)
        alone, family = alone + (p <= 0.05).mean(), family + bool((f <= 0.05).any())
        s = rng.normal(size=(10, 1, 12)) + rng.normal(size=(10, 4, 12)) + rng.normal(size=(1, 4, 12))
        p, f = above_controls_p(s, 199, rng)
        controls, over_controls = controls + (p <= 0.05).mean(), over_controls + bool((f <= 0.05).any())
    for found in (alone, family, controls, over_controls):
        assert found / runs < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)


def test_controls_are_exchanged_within_items():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(1, 3, 9)) + 100 * rng.normal(
        size=(1, 1, 9)
    )  # items differ, which does not matter
    scores[:, 0] += 2
    assert above_controls_p(scores, 999, rng)[0][0] < 0.02
    same = np.broadcast_to(rng.normal(size=(2, 1, 9)), (2, 3, 9))
    assert (above_controls_p(same, 99, rng)[0] == 1).all()


def test_clustered_variance_holds_its_level():
    rng = np.random.default_rng(3)
    first, second = (g.ravel() for g in np.mgrid[:20, :20])
    inside, runs = 0, 400
    for _ in range(runs):
        x = rng.normal(size=20)[first] + rng.normal(size=20)[second] + rng.normal(size=400)
        variance, df = crossed_mean_variance(x, first, second)
        inside += abs(x.mean()) <= 2.093 * np.sqrt(variance)
        assert df == 19
    assert abs(inside / runs - 0.95) < 0.06
