"""Linear algebra against the textbook form."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

from consilience import linalg
from consilience.linalg._gram import centred_gram


def test_centring_keeps_the_digits_of_float32_with_a_large_offset():
    x = (np.random.default_rng(0).normal(size=(50, 20)) * 100 + 1e6).astype(np.float32)
    exact = x.astype(np.float64) - x.astype(np.float64).mean(axis=0)
    got = linalg.centre_columns(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, exact, rtol=1e-6, atol=1e-4)
    d = linalg.squared_distances(got)
    np.testing.assert_allclose(d, squareform(pdist(exact, "sqeuclidean")), rtol=1e-4, atol=1e-2)
    assert (d >= 0).all()
    rough = centred_gram(x)  # its rounded means go with the double centring that every caller does
    twice = rough - rough.mean(axis=0) - rough.mean(axis=1)[:, None] + rough.mean()
    np.testing.assert_allclose(twice, exact @ exact.T, rtol=1e-4, atol=1)


@pytest.mark.parametrize("value", [0.1, 1e-3, 1e6, 3.0, 0.0, 1e-300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_column_is_seen_whatever_its_value(value, dtype):
    """The variance of 0.1 repeated is 2e-34, not 0."""
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(dtype)
    x[:, 1] = value
    assert linalg.constant_columns(x).tolist() == [False, True, False]
    steps = np.array([1.0, 1.0 + 1e-4, 1.0, 1.0, 1.0, 1.0, 1.0], dtype=dtype)
    assert not linalg.constant_columns(steps[:, None])[0]


@pytest.mark.parametrize("shape", [(20, 5), (5, 20), (8, 8)])
def test_principal_scores_keep_the_gram_matrix(shape):
    x = linalg.centre_columns(np.random.default_rng(0).normal(size=shape))
    z = linalg.principal_scores(x)
    assert z.shape[1] == min(shape[0] - 1, shape[1])
    np.testing.assert_allclose(z @ z.T, x @ x.T, atol=1e-10)
    off = z.T @ z
    np.testing.assert_allclose(off - np.diag(np.diag(off)), 0, atol=1e-9)
    assert (np.diff(np.diag(off)) <= 1e-9).all()


def test_principal_scores_count_the_rank():
    rng = np.random.default_rng(0)
    x = linalg.centre_columns(rng.normal(size=(30, 3)) @ rng.normal(size=(3, 10)))
    assert linalg.principal_scores(x).shape == (30, 3)
    assert linalg.principal_scores(np.zeros((5, 3))).shape == (5, 0)


def test_ledoit_wolf_is_scikit_learns():
    rng = np.random.default_rng(0)
    for shape in ((20, 5), (10, 30)):
        x = linalg.centre_columns(rng.normal(size=shape) * np.arange(1, shape[1] + 1))
        ours, shrinkage = linalg.ledoit_wolf(x)
        theirs, expected = sklearn_ledoit_wolf(x, assume_centered=True)
        assert shrinkage == pytest.approx(expected, rel=1e-10)
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_gram_and_cross_in_blocks_equal_the_product():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 40000)).astype(np.float32)
    np.testing.assert_allclose(
        linalg.gram(x), x.astype(np.float64) @ x.T.astype(np.float64), rtol=1e-4, atol=0.1
    )
    tall = rng.normal(size=(40000, 2)).astype(np.float32)
    np.testing.assert_allclose(
        linalg.cross(tall, tall), tall.T.astype(np.float64) @ tall.astype(np.float64), rtol=1e-4, atol=1
    )


@pytest.mark.parametrize("size", [1e-200, 1e-310, 1e200, 1.0, 1e6])
def test_safe_size_is_exact(size):
    x = np.random.default_rng(0).normal(size=(6, 3)) * size
    y = linalg.to_safe_size(x)
    ratio = y[x != 0] / x[x != 0] if size > 1e-300 else np.array([1.0])
    assert np.unique(ratio).size == 1
    assert 1e-31 < np.abs(y).max() < 1e31


def test_scaling_to_two_dimensions_finds_a_plane():
    points = np.random.default_rng(0).normal(size=(12, 2))
    d = squareform(pdist(points))
    found, share = linalg.classical_mds(d, 2)
    np.testing.assert_allclose(squareform(pdist(found)), d, atol=1e-9)
    assert share == pytest.approx(1.0)
    turned = linalg.rotate_onto(found, points - points.mean(axis=0))
    np.testing.assert_allclose(turned, points - points.mean(axis=0), atol=1e-9)
