"""A precision applied by rows of residuals is the inverse of the covariance of the units."""

import numpy as np
import pytest

import consilience as cs
from consilience.linalg import Residuals, noise_covariance, stimulus_residuals
from consilience.linalg._noise_rows import _by_rows, times_precision


def trials(n, p, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) @ rng.normal(size=(p, p)) + rng.normal(size=p)


@pytest.mark.parametrize("method", ["shrinkage", "shrinkage_diagonal"])
@pytest.mark.parametrize(("n", "p"), [(24, 60), (24, 25), (24, 300), (60, 20)])
@pytest.mark.parametrize("runs", [True, False])
def test_it_is_the_inverse_of_the_covariance(method, n, p, runs):
    x = trials(n, p)
    left = stimulus_residuals(x, np.arange(n) % 6, runs=np.arange(n) // 6 if runs else None)
    precision = noise_covariance(left, method=method).precision
    np.testing.assert_allclose(
        times_precision(x[:5], left, method=method),
        x[:5] @ precision,
        rtol=1e-8,
        atol=1e-8 * np.abs(x[:5] @ precision).max(),
    )


def test_centred_data_count_n_minus_one_degrees_of_freedom():
    x = trials(20, 50)
    left = Residuals(x - x.mean(axis=0), 19)
    expected = x[:3] @ noise_covariance(x).precision
    np.testing.assert_allclose(times_precision(x[:3], left, method="shrinkage"), expected, rtol=1e-9)


def test_a_covariance_near_singular_goes_the_long_way():
    one = np.outer(
        np.tile([1.0, -1.0], 15), np.arange(1.0, 41.0)
    )  # all rows alike: nothing asks for shrinkage
    assert _by_rows(one[:2], one, 29.0, "shrinkage") is None
    with pytest.raises(cs.InputError, match="must be"):
        times_precision(one, Residuals(one, 29), method="ledoit")


@pytest.mark.parametrize("method", ["shrinkage", "shrinkage_diagonal"])
def test_crossnobis_with_more_units_than_residuals_and_a_silent_one(method):
    rng = np.random.default_rng(3)
    stimulus, fold = np.tile(np.arange(5), 4), np.repeat(np.arange(4), 5)
    x = rng.normal(size=(20, 40))
    x[:, 7] = np.where(fold == 2, rng.normal(size=20), 0.0)  # varies in one run alone
    got = cs.measures.crossnobis(x, stimulus, folds=fold, noise=method)
    total = 0.0
    for m in range(4):
        rest = fold != m
        varies = np.ptp(x[rest], axis=0) > 0
        left = stimulus_residuals(x[rest][:, varies], stimulus[rest], runs=fold[rest])
        precision = noise_covariance(left, method=method).precision
        others = np.mean([x[fold == k][:, varies] for k in range(4) if k != m], axis=0)
        k = x[fold == m][:, varies] @ precision @ others.T
        d = np.diag(k)
        total = total + d[:, None] + d[None, :] - k - k.T
    np.testing.assert_allclose(got, (total / 4 / 40)[np.triu_indices(5, 1)], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e-60, 1e60, 1e200, 1e300])
def test_crossnobis_of_any_size(scale):
    rng = np.random.default_rng(4)
    stimulus, fold = np.tile(np.arange(5), 4), np.repeat(np.arange(4), 5)
    x = rng.normal(size=(20, 8))
    for noise in ("shrinkage", "shrinkage_diagonal", "diagonal"):
        given = {"folds": fold, "noise": noise}
        expected = cs.measures.crossnobis(x, stimulus, **given)
        np.testing.assert_allclose(cs.measures.crossnobis(x * scale, stimulus, **given), expected, rtol=1e-9)
    if 1e-100 < scale < 1e100:
        expected = cs.measures.crossnobis(x, stimulus, folds=fold, noise=None) * scale**2
        np.testing.assert_allclose(
            cs.measures.crossnobis(x * scale, stimulus, folds=fold, noise=None), expected
        )
    else:
        with pytest.raises(cs.InputError, match="a float64 cannot hold; give the responses in another unit"):
            cs.measures.crossnobis(x * scale, stimulus, folds=fold, noise=None)
