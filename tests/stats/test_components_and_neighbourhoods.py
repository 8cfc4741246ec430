"""Shares of variance of components, their matching, parallel analysis, neighbours of maps."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.stats import (
    component_gains,
    fold_interval,
    gains_about_means,
    matched_components,
    nearest_rows,
    neighbours_shared,
    parallel_analysis,
    subspace_overlap,
    trustworthiness,
    turned_to,
    unrelated_units,
    without_each,
)


def test_gains_of_orthogonal_axes_are_variances_and_add_up():
    x = np.random.default_rng(0).normal(size=(50, 6)) * [3, 2, 1, 1, 1, 1]
    x -= x.mean(axis=0)
    _, s, axes = np.linalg.svd(x, full_matrices=False)
    alone, together = component_gains(x, x @ axes.T, axes)
    np.testing.assert_allclose(alone, s**2 / (s**2).sum())
    np.testing.assert_allclose(together, np.cumsum(alone))


def test_gains_are_the_published_errors_for_any_axes():
    rng = np.random.default_rng(1)
    x, z, axes = rng.normal(size=(40, 5)), rng.normal(size=(40, 3)), rng.normal(size=(3, 5))
    z[4] = np.nan
    alone, together = component_gains(x, z, axes)
    kept = np.isfinite(z).all(axis=1)
    x, z = x[kept], z[kept]
    total = (x**2).sum()
    slow = [1 - ((x - np.outer(z[:, j], axes[j])) ** 2).sum() / total for j in range(3)]
    first = [1 - ((x - z[:, : j + 1] @ axes[: j + 1]) ** 2).sum() / total for j in range(3)]
    np.testing.assert_allclose(alone, slow)
    np.testing.assert_allclose(together, first)
    again = without_each(x, z, lambda v: v @ axes)
    np.testing.assert_allclose(again[0], slow)
    np.testing.assert_allclose(again[1], first)


def test_components_are_matched_for_order_and_sign():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(4, 9))
    which, sign, alike = matched_components(a, -2 * a[[2, 0, 3, 1]])
    assert which.tolist() == [1, 3, 0, 2]
    assert (sign == -1).all()
    np.testing.assert_allclose(alike, 1)
    which, _, alike = matched_components(a, a[:2])
    assert which.tolist() == [0, 1, -1, -1]
    assert alike[2:].tolist() == [0, 0]


def test_turning_undoes_a_rotation_and_overlap_ignores_it():
    rng = np.random.default_rng(3)
    a = np.linalg.qr(rng.normal(size=(10, 3)))[0].T
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    np.testing.assert_allclose(turned_to(a, turn @ a), a)
    assert subspace_overlap(a, turn @ a) == pytest.approx(1)
    b = np.linalg.qr(np.concatenate([a, rng.normal(size=(3, 10))]).T)[0].T[3:6]
    assert subspace_overlap(a, b) == pytest.approx(0, abs=1e-20)


def test_interval_over_folds_is_that_of_nadeau_and_bengio():
    v = np.array([0.1, 0.2, 0.4, 0.3])
    mean, low, high = fold_interval(v, 0.95)
    half = 3.182446 * np.sqrt((1 / 4 + 1 / 3) * v.var(ddof=1))
    assert (mean, low, high) == pytest.approx((0.25, 0.25 - half, 0.25 + half), rel=1e-6)
    assert np.isnan(fold_interval(v[:1], 0.95)[1])


def test_surrogates_keep_what_units_do_and_lose_what_they_share():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(30, 1)) + 0.1 * rng.normal(size=(30, 4))
    z = unrelated_units(x, rng)
    np.testing.assert_array_equal(np.sort(z, axis=0), np.sort(x, axis=0))
    assert np.abs(np.corrcoef(z.T)[np.triu_indices(4, 1)]).max() < 0.7
    x3 = rng.normal(size=(8, 1, 1)) + rng.normal(size=(8, 10, 3))
    z3 = unrelated_units(x3, rng)
    np.testing.assert_allclose(z3.mean(axis=(0, 1)), x3.mean(axis=(0, 1)))
    rest, made = x3 - x3.mean(axis=0), z3 - z3.mean(axis=0)
    np.testing.assert_allclose(np.sort((made**2).sum(axis=1), axis=0), np.sort((rest**2).sum(axis=1), axis=0))
    x3[2, 7:] = np.nan
    z3 = unrelated_units(x3, rng)
    np.testing.assert_array_equal(np.isnan(z3), np.isnan(x3))
    np.testing.assert_allclose(np.sort(z3[2, :7], axis=0), np.sort(x3[2, :7], axis=0))
    s = np.cumsum(rng.normal(size=(60, 3)), axis=0)
    for a, b in zip(unrelated_units(s, rng, least=9).T, s.T):
        lag = int(np.flatnonzero(b == a[0])[0])
        np.testing.assert_array_equal(a, np.roll(b, -lag))
        assert 9 <= lag <= 51


def test_parallel_analysis_finds_the_planted_components():
    rng = np.random.default_rng(5)
    axes = np.linalg.qr(rng.normal(size=(15, 2)))[0].T
    x = rng.normal(size=(100, 2)) * [4, 2] @ axes + rng.normal(size=(100, 15))
    found = parallel_analysis(x, 4, lambda z: unrelated_units(z, rng), n=99)
    assert (found.p <= 0.05).tolist() == [True, True, False, False]
    assert (np.diff(found.p) >= 0).all()
    assert np.isnan(found.null_mean[3])
    assert (found.null_mean[:3] < found.null_high[:3]).all()


def test_more_units_than_trials_add_no_components():
    """Axes fit noise there: surrogates lose as many directions of rows as of units."""
    wrong = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        axes = np.linalg.qr(rng.normal(size=(200, 2)))[0].T
        x = rng.normal(size=(25, 200)) + rng.normal(size=(25, 2)) * [10, 7] @ axes
        p = parallel_analysis(x, 3, lambda z, rng=rng: unrelated_units(z, rng), n=39).p
        assert (p[:2] <= 0.05).all()
        wrong += p[2] <= 0.05
    assert wrong <= 6


@pytest.mark.slow
def test_parallel_analysis_holds_its_level():
    """First component of no structure, and the second of one: 5 % of 300, at most 4 standard errors above."""
    wrong = np.zeros(2)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(40, 10))
        one = x + 3 * rng.normal(size=(40, 1)) * np.linalg.qr(rng.normal(size=(10, 1)))[0].T
        for i, data in enumerate((x, one)):
            p = parallel_analysis(data, 2, lambda z, rng=rng: unrelated_units(z, rng), n=59).p
            wrong[i] += p[i] <= 0.05
    assert (wrong / 300 < 0.10).all(), wrong


def test_neighbours_and_trustworthiness_are_those_of_scikit_learn():
    from sklearn.manifold import trustworthiness as oracle
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(6)
    for p in (3, 30):
        x = rng.normal(size=(80, p))
        near = nearest_rows(x, 7)
        other = NearestNeighbors(n_neighbors=7).fit(x).kneighbors(return_distance=False)
        np.testing.assert_array_equal(np.sort(near, axis=1), np.sort(other, axis=1))
        assert trustworthiness(x, nearest_rows(x[:, :2], 7)) == pytest.approx(
            oracle(x, x[:, :2], n_neighbors=7)
        )
        assert neighbours_shared(near, near).min() == 1
    a, b = (nearest_rows(rng.normal(size=(400, 2)), 10) for _ in range(2))
    assert neighbours_shared(a, b).mean() == pytest.approx(10 / 399, abs=0.01)


def test_equal_rows_are_neighbours_and_no_row_is_its_own():
    x = np.repeat(np.arange(5.0), 4)[:, None]
    near = nearest_rows(x, 3)
    assert (near != np.arange(20)[:, None]).all()
    assert (x[near[:, :], 0] == x).all()


def test_gains_about_means_do_not_count_what_is_explained_of_the_mean():
    rng = np.random.default_rng(4)
    axes, z = rng.normal(size=(2, 5)), rng.normal(size=(30, 2)) + 3
    x = z @ axes + 0.1 * rng.normal(size=(30, 5))

    def make(latents):
        return latents @ axes

    alone, together = gains_about_means(x, z, x, z, make)
    about, part = x - x.mean(axis=0), (z - z.mean(axis=0))[:, :, None] * axes
    total = (about**2).sum()
    for j in range(2):
        np.testing.assert_allclose(alone[j], 1 - ((about - part[:, j]) ** 2).sum() / total)
    rest = x - make(z) + make(z).mean(axis=0) - make(z.mean(axis=0)[None])
    np.testing.assert_allclose(together[1], 1 - ((rest) ** 2).sum() / total)
    # a constant that only the means hold explains nothing
    flat = np.ones((30, 1))
    nothing, _ = gains_about_means(x, flat, x, flat, lambda latents: latents @ np.full((1, 5), 7.0))
    np.testing.assert_allclose(nothing, 0.0, atol=1e-12)
