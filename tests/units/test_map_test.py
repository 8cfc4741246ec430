"""Whether there is a receptive field: the largest entry of a map against circular shifts."""

import numpy as np
import pytest
from scipy.signal import lfilter

import consilience as cs


def smooth(n, p, a, rng):
    return lfilter([1], [1, -a], rng.normal(size=(n + 100, p)), axis=0)[100:]


def test_equals_sums_written_out():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.poisson(1.0, size=(60, 2))
    trials = np.repeat([0, 1], 30)
    found = cs.units.map_test(x, y, lags=range(4), trials=trials, n_perm=20, rng=0)
    rows = np.r_[3:30, 33:60]
    away = np.zeros((60, 2))
    away[rows] = y[rows] - y[rows].mean(axis=0)
    c = np.stack([away[rows].T @ (x - x.mean(axis=0))[rows - k] for k in range(4)], axis=1)
    # over all shifts on the circle
    each = np.stack([np.roll(away, s, axis=0).T @ (x - x.mean(axis=0)) for s in range(60)])
    np.testing.assert_allclose(found.z, c / np.sqrt((each**2).mean(axis=0))[:, None], rtol=1e-10)
    np.testing.assert_allclose(found.statistic, np.abs(found.z).max(axis=(1, 2)))
    assert found.null.shape == (20, 2)


def test_finds_what_is_planted_and_when():
    rng = np.random.default_rng(1)
    x = smooth(3000, 12, 0.8, rng)
    y = rng.poisson(np.exp(0.4 * np.roll(x[:, 4], 3) - 1))
    found = cs.units.map_test(x.reshape(3000, 3, 4), y, lags=range(6), n_perm=200, rng=0)
    assert found.p[0] == 1 / 201
    assert np.unravel_index(np.abs(found.z[0]).argmax(), (6, 3, 4)) == (3, 1, 0)
    assert found.statistic > found.threshold
    assert found.n_effective[0] > 100


def test_unrelated_smooth_series_are_found_as_often_as_said():
    rng = np.random.default_rng(2)
    p = []
    for k in range(60):
        x, y = smooth(2500, 6, 0.9, rng), smooth(2500, 5, 0.9, rng)
        y[:, :3] = rng.poisson(np.exp(0.8 * y[:, :3] / y[:, :3].std() - 1))
        p.append(cs.units.map_test(x, y, lags=range(5), n_perm=99, rng=k).p)
    assert 5 <= (np.concatenate(p) <= 0.05).sum() <= 30  # of 300, 15 expected


def test_relabelling_of_images():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 5, 5))
    y = np.stack([x[:, 2, 2] + rng.normal(size=200), rng.normal(size=200)], axis=1)
    found = cs.units.map_test(x, y, exchangeable=True, n_perm=199, rng=0)
    assert found.p[0] == 1 / 200
    assert found.p[1] > 0.05
    each = np.corrcoef(x[:, 2, 2], y[:, 0])[0, 1] * np.sqrt(199)
    assert abs(found.z[0, 0, 2, 2] - each) < 1e-10
    with pytest.raises(cs.InputError, match="stimuli in no order have the lag 0 alone"):
        cs.units.map_test(x, y, lags=range(2), exchangeable=True)


def test_degenerate_and_kinds():
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 2, size=(300, 4)).astype(bool), np.zeros((300, 2))
    y[:, 1] = rng.poisson(1, 300)
    found = cs.units.map_test(x, y, lags=range(2), n_perm=20, rng=0)
    assert np.isnan(found.p[0])
    assert np.isfinite(found.p[1])
    single = cs.units.map_test(x.astype(np.float32), y, lags=range(2), n_perm=20, rng=0)
    np.testing.assert_allclose(single.z[1], found.z[1], rtol=1e-4)
    assert cs.units.map_test(x, y, n_perm=0).null.shape == (0, 2)
    assert np.isnan(cs.units.map_test(x, y, n_perm=0).p).all()


def test_messages():
    x = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(
        cs.InputError, match="y must be \\(frames, units\\) with a row for each of the 30 frames"
    ):
        cs.units.map_test(x, x[:20])
    with pytest.raises(cs.InputError, match="lags must be consecutive whole numbers"):
        cs.units.map_test(x, x, lags=[0, 2])
    with pytest.raises(cs.InputError, match="stimulus has NaN"):
        cs.units.map_test(np.where(x > 2, np.nan, x) * np.nan, x)
    with pytest.raises(cs.InputError, match="frames have all their lags"):
        cs.units.map_test(x, x, lags=range(29))
