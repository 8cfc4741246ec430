"""Corrections for several tests, paired tests, equivalence, and non-negative least squares of many problems."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import consilience as cs
from consilience.linalg import nnls_from_gram
from consilience.stats import (
    adjust,
    cross_validated_variance,
    equivalence_p,
    fdr,
    holm,
    max_statistic,
    multinomial_weights,
    t_test,
    two_factor_variance,
    weighted_cosines,
    weighted_grams,
)


def test_holm_and_fdr_equal_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        p = rng.random(size) ** 3
        for ours, name in ((holm(p), "holm"), (fdr(p), "fdr_bh"), (fdr(p, method="by"), "fdr_by")):
            assert np.abs(ours - multitest.multipletests(p, method=name)[1]).max() < 1e-12


def test_holm_and_fdr_by_hand() -> None:
    p = np.array([[0.01, np.nan], [0.04, 0.03]])
    assert np.allclose(holm(p), [[0.03, np.nan], [0.06, 0.06]], equal_nan=True)
    assert np.allclose(fdr(p), [[0.03, np.nan], [0.04, 0.04]], equal_nan=True)
    assert np.isclose(fdr(np.array([0.01, 0.5]), method="by")[0], 0.03)
    with pytest.raises(cs.InputError, match=r"holm: p-values must lie in \[0, 1\]"):
        holm(np.array([0.5, 1.5]))


def test_max_statistic_is_the_published_step_down() -> None:
    rng = np.random.default_rng(1)
    null, statistic = np.abs(rng.normal(size=(200, 4))), np.array([2.5, 0.3, 1.9, np.nan])
    order, last, expected = [0, 2, 1], 0.0, np.full(4, np.nan)
    for k, i in enumerate(order):
        top = null[:, order[k:]].max(axis=1)
        last = max(last, (1 + np.sum(top >= statistic[i])) / 201)
        expected[i] = last
    assert np.allclose(max_statistic(statistic, null), expected, equal_nan=True)
    single = max_statistic(statistic, null, step_down=False)
    assert (single[:3] >= expected[:3]).all()


def test_adjust_goes_by_the_name_of_the_correction() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert adjust(p, "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust(p, "fdr") == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert adjust(p, "none").tolist() == p.tolist()


def test_max_is_sharper_than_holm_for_dependent_tests_only() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(size=(4000, 1)) + 0.05 * rng.normal(size=(4000, 6))
    p = np.array([0.01, 0.5, 0.5, 0.5, 0.5, 0.5])
    assert adjust(p, "max", draws=shared)[0] < 0.03
    assert 0.04 < adjust(p, "max", draws=rng.normal(size=(4000, 6)))[0] < 0.08
    assert np.isclose(adjust(p, "holm")[0], 0.06)
    assert (adjust(p, "none") == p).all()
    with pytest.raises(cs.InputError, match="needs draws"):
        adjust(p, "max")


def test_two_factor_variance_of_independent_parts() -> None:
    """value = a_subject + b_stimulus means: the naive double bootstrap adds the two, and so does the formula."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=12), rng.normal(size=40)
    u, w = (multinomial_weights(n, 20000, rng) / n for n in (12, 40))
    both = (u @ a + w @ b).var(ddof=1)
    found = two_factor_variance((w @ b).var(), (u @ a).var(), both, n_stimuli=40, n_subjects=12)
    assert np.isclose(found, a.var(ddof=1) / 12 + b.var(ddof=1) / 40, rtol=0.05)
    assert two_factor_variance(1.0, 2.0, 100.0, n_stimuli=50, n_subjects=50) >= 2.0  # bounded below
    assert (
        two_factor_variance(1.0, 1.0, 1.5, n_stimuli=50, n_subjects=50) <= 1.5 * 50 / 49 + 1e-9
    )  # and above


def test_cross_validated_variance_takes_the_folds_away() -> None:
    rng = np.random.default_rng(4)
    true = rng.normal(size=(40000, 1))
    draws = true + 2 * rng.normal(size=(40000, 2))
    assert np.isclose(cross_validated_variance(draws), 1.0, atol=0.1)
    assert np.isclose(cross_validated_variance(draws[:, :1]), 5.0, atol=0.2)
    assert cross_validated_variance(rng.normal(size=(50, 2))) >= 0


def test_t_test_and_tost_equal_scipy() -> None:
    from scipy import stats

    x = np.random.default_rng(5).normal(0.3, 1, size=20)
    found = t_test(x.mean(), x.var(ddof=1) / 20, df=19)
    known = stats.ttest_1samp(x, 0)
    assert np.isclose(found.p, known.pvalue)
    assert np.allclose([found.low, found.high], known.confidence_interval(0.95))
    for side in ("less", "greater"):
        assert np.isclose(
            t_test(x.mean(), x.var(ddof=1) / 20, df=19, side=side).p,
            stats.ttest_1samp(x, 0, alternative=side).pvalue,
        )
    tost = max(
        stats.ttest_1samp(x, -0.8, alternative="greater").pvalue,
        stats.ttest_1samp(x, 0.8, alternative="less").pvalue,
    )
    assert np.isclose(equivalence_p(x.mean(), x.var(ddof=1) / 20, 0.8, df=19), tost)
    assert float(t_test(0.0, 0.0, df=3).p) == 1.0


def test_nnls_of_many_problems_equals_scipy() -> None:
    rng = np.random.default_rng(6)
    for k in (1, 2, 5, 9):
        x, y = rng.normal(size=(60, 15, k)) + 0.5, rng.normal(size=(60, 15))
        grams, targets = np.einsum("tpk,tpl->tkl", x, x), np.einsum("tpk,tp->tk", x, y)
        known = np.stack([optimize.nnls(a, b)[0] for a, b in zip(x, y)])
        assert np.abs(nnls_from_gram(grams, targets) - known).max() < 1e-7
        free = np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(x, y)])
        assert np.abs(nnls_from_gram(grams, targets, nonnegative=False) - free).max() < 1e-7
    twins = np.ones((2, 2))
    assert np.isclose(nnls_from_gram(twins, np.array([1.0, 1.0])).sum(), 1.0)
    assert (nnls_from_gram(np.eye(3), -np.ones(3)) == 0).all()


def test_weighted_grams_are_the_sums_and_the_cosines() -> None:
    rng = np.random.default_rng(7)
    z, w = rng.normal(size=(4, 45)), multinomial_weights(10, 7, rng)
    rows, columns = np.triu_indices(10, 1)
    grams = weighted_grams(z, w)
    assert np.allclose(grams, np.einsum("ap,dp,bp->dab", z, w[:, rows] * w[:, columns], z))
    own = np.sqrt(np.einsum("dkk->dk", grams))
    assert np.allclose(
        grams[:, :2, 2:] / own[:, :2, None] / own[:, None, 2:], weighted_cosines(z[:2], z[2:], w)
    )
