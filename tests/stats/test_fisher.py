"""Intervals in Fisher's z, and false discovery rates."""

import numpy as np
import pytest
from scipy import stats

from consilience._core._seeds import Seed
from consilience.analyses._trial_rdms import half_rdms, reliability
from consilience.measures._repeats import as_trials
from consilience.stats._fisher import fisher_interval
from consilience.stats._permutation import false_discovery_q


def test_it_is_the_t_interval_of_z():
    draws = np.random.default_rng(0).uniform(0.2, 0.9, size=(500, 3))
    value = np.array([0.5, 0.7, 0.1])
    low, high = fisher_interval(draws, value, 0.9, n=20)
    width = stats.t.ppf(0.95, 19) * np.arctanh(draws).std(axis=0, ddof=1)
    np.testing.assert_allclose(low, np.tanh(np.arctanh(value) - width))
    np.testing.assert_allclose(high, np.tanh(np.arctanh(value) + width))
    assert ((low < value) & (value < high)).all()
    low, high = fisher_interval(np.ones((10, 1)), np.array([1.0]), 0.9, n=20)  # the same in all draws
    np.testing.assert_allclose([low[0], high[0]], 1.0)
    low, _ = fisher_interval(np.full((10, 1), np.nan), np.array([np.nan]), 0.9, n=20)
    assert np.isnan(low[0])


def test_false_discovery_rates_are_scipys():
    p = np.random.default_rng(0).uniform(size=50) ** 2
    np.testing.assert_allclose(false_discovery_q(p), stats.false_discovery_control(p), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.3, 0.7, 1.5])
def test_reliability_covers(signal):
    """99.9 % band of 300 intervals at 0.95: at least 0.909; truth from 20 data sets of 400 stimuli."""
    axes = np.linalg.qr(np.random.default_rng(5).normal(size=(20, 4)))[0].T * np.sqrt(5)

    def once(n, seed, draws):
        rng = np.random.default_rng(seed)
        stimulus, run = np.tile(np.arange(n), 6), np.repeat(np.arange(6), n)
        x = (signal * rng.normal(size=(n, 4)) @ axes)[stimulus] + rng.normal(size=(6 * n, 20))
        made = as_trials(x, stimulus, run, who="test")
        halves = half_rdms(made, given=True, distance="crossnobis", noise=None, n_splits=10, seed=Seed(seed))
        return reliability(halves, n, n_boot=draws, level=0.95, seed=Seed(seed))

    truth = np.mean([once(400, 1000 + seed, 0).value for seed in range(20)])
    found = [once(16, seed, 200) for seed in range(300)]
    assert np.mean([r.low <= truth <= r.high for r in found]) >= 0.909
