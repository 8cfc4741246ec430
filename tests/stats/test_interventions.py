"""Tables of interchanges, patches and noise: shares counted by hand, tests of SciPy, curves of known form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from consilience.linalg._subspace import random_basis, span_basis
from consilience.stats import half_height, ratio_interval
from consilience.stats._interchange_accuracy import interchange_accuracy
from consilience.stats._noise_curves import area_differences, mismatched_mean, noise_curves
from consilience.stats._patch_effects import patch_effects


def test_accuracy_of_interchanges_is_counted():
    plain = np.array([0, 0, 0, 0, 1, 1])
    expected = np.array([[0, 0, 1, 1, 1, 0], plain])
    answers = np.array([[0, 0, 1, 0, 1, 0], plain])
    random = np.stack([np.tile(plain, (3, 1)), np.stack([plain, plain, 1 - plain])])
    rows = np.arange(6)
    found = interchange_accuracy(answers, plain, expected, random, rows, rows, level=0.95)
    np.testing.assert_allclose(found["accuracy"], [5 / 6, 1])
    np.testing.assert_allclose(found["unpatched"], [0.5, 1])
    assert found["changed"].tolist() == [3, 0]
    np.testing.assert_allclose(found["accuracy_changed"], [2 / 3, np.nan])
    np.testing.assert_allclose(found["random_mean"], [0.5, 2 / 3])
    np.testing.assert_allclose(found["p"], [1 / 4, 3 / 4])
    assert (found["ci_low"] <= found["accuracy"]).all()
    assert (found["accuracy"] <= found["ci_high"]).all()
    alone = interchange_accuracy(answers, plain, expected, random[:, :0], rows, rows, level=0.95)
    assert np.isnan([alone[k] for k in ("random_mean", "random_low", "random_high", "p")]).all()


def test_patches_that_do_all_none_and_no_more_than_controls():
    rng = np.random.default_rng(0)
    corrupted = rng.normal(size=20)
    clean = corrupted + 2 + 0.3 * rng.normal(size=20)
    half = corrupted + 0.5 * (clean - corrupted) + 0.1 * rng.normal(size=20)
    noise = 0.1 * rng.normal(size=(3, 4, 20))
    patched = np.stack([np.stack([clean, *([corrupted] * 3)]), np.stack([half] * 4), [corrupted] * 4]) + noise
    patched[0, 0] = clean
    options = {"n_null": 999, "level": 0.95}

    def run(patched, denoise=True):
        signs, picks = np.random.default_rng(1), np.random.default_rng(2)
        return patch_effects(clean, corrupted, patched, denoise=denoise, signs=signs, picks=picks, **options)

    found = run(patched)
    assert found.effect[0] == pytest.approx(1)
    wanted = ratio_interval(patched[1, 0] - corrupted, clean - corrupted, level=0.95)
    np.testing.assert_allclose([found.effect[1], found.low[1], found.high[1]], wanted)
    ends = stats.ttest_1samp(patched[1, 0] - corrupted, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.mean_low[1], found.mean_high[1]], ends)
    assert found.gap == pytest.approx((clean - corrupted).mean())
    assert found.p[0] < 0.01
    assert found.p[1] > 0.05  # as much as any foreign activation
    assert run(patched[:, :1]).p[1] < 0.01
    assert np.isnan(run(patched[:, :1]).control).all()
    other = run(patched, denoise=False)
    np.testing.assert_allclose(other.effect, 1 - found.effect, atol=1e-12)


def test_curves_of_noise_have_the_intervals_of_their_means_and_areas():
    rng = np.random.default_rng(0)
    levels = np.array([0.0, 1.0, 2.0, 4.0])
    own = rng.normal(size=(1, 1, 50))
    falls = np.array([[1.0, 0.8, 0.3, 0.1], [1.0, 0.6, 0.2, 0.1]])[:, :, None]
    scores = falls + 0.1 * own * falls + 0.02 * rng.normal(size=(2, 4, 50))
    options = {"chance": 0.1, "proportion": False, "n_boot": 200, "level": 0.9}
    found = noise_curves(scores, levels, sign=1, rng=np.random.default_rng(0), **options)
    ends = stats.ttest_1samp(scores, 0, axis=2).confidence_interval(0.9)
    np.testing.assert_allclose([found.low, found.high], ends)
    np.testing.assert_allclose(found.area, np.trapezoid(found.value, levels) / 4)
    np.testing.assert_allclose(found.half, half_height(levels, found.value, 0.1))
    assert (found.half_low <= found.half).all()
    assert (found.half <= found.half_high).all()
    turned = noise_curves(
        -scores, levels, sign=-1, rng=np.random.default_rng(0), **{**options, "chance": -0.1}
    )
    np.testing.assert_allclose(turned.half_low, found.half_low)
    unsure = noise_curves(scores, levels, sign=1, rng=rng, **{**options, "chance": 1.0})
    assert not unsure.above
    assert np.isnan(unsure.half).all()
    apart = area_differences(found.each, n_perm=199, level=0.9, rng=rng)
    test = stats.ttest_rel(found.each[0], found.each[1])
    np.testing.assert_allclose([apart.low[0, 1], apart.high[0, 1]], test.confidence_interval(0.9))
    np.testing.assert_allclose(apart.value[1, 0], -apart.value[0, 1])
    np.testing.assert_allclose(apart.low[1, 0], -apart.high[0, 1])
    assert apart.p_family[0, 1] == apart.p_family[1, 0] == 0.005
    assert np.isnan(np.diag(apart.value)).all()


def test_chance_is_the_score_with_the_targets_of_all_other_stimuli():
    x, target = np.random.default_rng(0).integers(0, 3, (2, 30))
    wanted = np.mean([x[i] == target[j] for i in range(30) for j in range(30) if i != j])
    assert mismatched_mean(lambda rows: x == target[rows], 30) == pytest.approx(wanted)


def test_bases_span_what_they_are_of():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, 5))
    basis = span_basis(np.vstack([rows, rows.sum(axis=0)]))
    assert basis.shape == (5, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(rows @ basis @ basis.T, rows, atol=1e-12)
    drawn = random_basis(6, 3, rng)
    np.testing.assert_allclose(drawn.T @ drawn, np.eye(3), atol=1e-12)
