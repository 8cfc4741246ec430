"""Signal variance over noise variance of units: its interval, by hand, at its ends, and by simulation."""

import numpy as np
import pytest
from scipy import stats as st

from consilience import stats


def test_the_interval_of_signal_over_noise_is_the_jackknife_by_hand():
    rng = np.random.default_rng(0)
    means, noise = rng.normal(size=(12, 3)), rng.uniform(0.1, 0.3, size=(12, 3))
    low, high = stats.signal_ratio_interval(means, noise, level=0.9)

    def log_ratio(rows):
        return np.log(means[rows].var(axis=0, ddof=1) / noise[rows].mean(axis=0))

    left = np.array([log_ratio(np.arange(12) != i) for i in range(12)])
    away = st.t.ppf(0.95, 11) * np.sqrt(11 / 12 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(
        np.log([low, high]), [log_ratio(slice(None)) - away, log_ratio(slice(None)) + away]
    )
    pairs = np.repeat(np.arange(6), 2)
    wide = stats.signal_ratio_interval(
        np.repeat(means[:6], 2, axis=0), np.repeat(noise[:6], 2, axis=0), level=0.9
    )
    groups = stats.signal_ratio_interval(
        np.repeat(means[:6], 2, axis=0), np.repeat(noise[:6], 2, axis=0), level=0.9, groups=pairs
    )
    assert (groups[1] / groups[0] > wide[1] / wide[0]).all()  # copies are no more data


def test_the_interval_of_signal_over_noise_of_units_without_noise_or_signal():
    rng = np.random.default_rng(0)
    means, noise = rng.normal(size=(8, 3)), np.full((8, 3), 0.1)
    noise[:, 0], means[:, 1] = 0.0, 2.0
    low, high = stats.signal_ratio_interval(means, noise, level=0.95)
    assert np.isinf([low[0], high[0]]).all()
    assert np.isnan([low[1], high[1]]).all()
    assert low[2] < high[2] < np.inf
    assert np.isnan(stats.signal_ratio_interval(means[:2], noise[:2], level=0.95)).all()


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 20])
def test_the_interval_of_reliability_covers(n):
    hits = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        x = np.repeat(rng.normal(size=(n, 8)), 4, axis=0) + 1.5 * rng.normal(size=(4 * n, 8))
        ends = stats.signal_ratio_interval(*stats.explainable(x, np.repeat(np.arange(n), 4)), level=0.95)
        low, high = (1 - 1 / end for end in ends)
        truth = 1 / (1 + 1.5**2 / 4)
        hits.append((low <= truth) & (truth <= high))
    assert 0.92 < np.mean(hits) < 0.98
