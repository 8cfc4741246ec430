"""PCA and factor analysis: contract, peers, exact likelihood with missing values, recovery."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA as TheirPCA
from sklearn.decomposition import FactorAnalysis as TheirFA
from sklearn.utils.estimator_checks import parametrize_with_checks

import consilience as cs
from consilience.models import PCA, FactorAnalysis
from consilience.models._linear_gaussian import completed, left_out, posterior
from consilience.models._pca import bi_cross_validated
from consilience.models._trials import patterns_of


@pytest.mark.filterwarnings("ignore:.*noise-at-floor")  # two or three units are explained wholly
@parametrize_with_checks(
    [PCA(), PCA(2, missing="mask"), FactorAnalysis(1), FactorAnalysis(1, missing="mask")]
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(n=400, p=25, k=3, *, seed=0, noise=(0.5, 2.0)):
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(k, p))
    private = rng.uniform(*noise, size=p)
    z = rng.normal(size=(n, k))
    return z @ w + np.sqrt(private) * rng.normal(size=(n, p)) + rng.normal(size=p), w, private, z


def holes(x, share, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x)


def exact_likelihood(x, mean, covariance):
    """Sum over rows of the Gaussian log-density of the values that are there."""
    total = 0.0
    for row in x:
        o = ~np.isnan(row)
        if o.any():
            total += stats.multivariate_normal(mean[o], covariance[np.ix_(o, o)]).logpdf(row[o])
    return total


def angle(a, b):
    """Largest principal angle between row spaces, in degrees."""
    qa, qb = np.linalg.qr(a.T)[0], np.linalg.qr(b.T)[0]
    return np.degrees(np.arccos(np.clip(np.linalg.svd(qa.T @ qb)[1].min(), -1, 1)))


# PCA


@pytest.mark.parametrize(("n", "p"), [(200, 30), (30, 200), (20, 20)])
def test_pca_of_complete_data_is_scikit_learns(n, p):
    x = planted(n, p)[0]
    ours, theirs = PCA().fit(x), TheirPCA().fit(x)
    real = min(n - 1, p)
    np.testing.assert_allclose(
        np.abs(np.sum(ours.components_ * theirs.components_, axis=1))[:real], 1, atol=1e-10
    )
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, atol=1e-10)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-10)
    np.testing.assert_allclose(ours.components_ @ ours.components_.T, np.eye(min(n, p)), atol=1e-12)
    three, other = PCA(3).fit(x), TheirPCA(3).fit(x)
    sign = np.sign(np.sum(three.components_ * other.components_, axis=1))
    np.testing.assert_allclose(three.components_, sign[:, None] * other.components_, atol=1e-10)
    np.testing.assert_allclose(three.transform(x), other.transform(x) * sign, atol=1e-9)
    np.testing.assert_allclose(three.noise_variance_, other.noise_variance_, rtol=1e-9)
    np.testing.assert_allclose(
        three.inverse_transform(three.transform(x)), other.inverse_transform(other.transform(x)), atol=1e-9
    )
    assert (three.components_[np.arange(3), np.abs(three.components_).argmax(axis=1)] > 0).all()
    assert PCA(0.9).fit(x).n_components_ == TheirPCA(0.9, svd_solver="full").fit(x).n_components_


def test_bi_cross_validation_is_its_definition():
    x = planted(40, 15)[0]
    rows, units = np.arange(40) * 5 // 40, np.arange(15) % 5
    errors, total = bi_cross_validated(x, rows, units, 6)
    wide = bi_cross_validated(x[:10].copy(), np.arange(10) // 2, units, 6)[0]
    for fold in (0, 3):
        mean = x[rows != fold].mean(axis=0)
        z = x - mean
        slow = np.zeros(7)
        for u in range(5):
            a, b = z[np.ix_(rows == fold, units == u)], z[np.ix_(rows == fold, units != u)]
            c, d = z[np.ix_(rows != fold, units == u)], z[np.ix_(rows != fold, units != u)]
            left, s, right = np.linalg.svd(d, full_matrices=False)
            for k in range(7):
                inverse = (right[:k].T / s[:k]) @ left[:, :k].T
                slow[k] += ((a - b @ inverse @ c) ** 2).sum()
        np.testing.assert_allclose(errors[:, fold], slow, rtol=1e-9)
        np.testing.assert_allclose(total[fold], (z[rows == fold] ** 2).sum())
    assert np.isfinite(wide).all()  # more units than rows: through the other Gram matrix


def test_number_of_components_is_found_where_reconstruction_of_rows_only_rises():
    x = planted(300, 30, 4)[0]
    model = PCA("cv").fit(x)
    assert model.n_components_ == 4
    assert model.cv_scores_.shape == (model.cv_components_.size, 5)
    assert model.cv_scores_[0].max() < 0.01
    scores = [PCA(k).fit(x[:200]).score(x[200:]) for k in range(1, 12)]
    assert (np.diff(scores) > 0).all()
    noise = np.random.default_rng(3).normal(size=(300, 30))
    assert PCA("cv").fit(noise).n_components_ == 0
    assert PCA("cv", missing="mask").fit(holes(x, 0.2)).n_components_ == 4
    with pytest.warns(cs.ConsilienceWarning, match="components-at-edge"):
        PCA("cv", max_components=2).fit(x)


def test_pca_with_missing_values_is_the_maximum_of_their_likelihood():
    x = holes(planted(60, 6, 2)[0], 0.2)
    model = PCA(2, missing="mask", tol=1e-10).fit(x)
    gaussian = model._model
    noise = gaussian.noise[0] * 59 / 60
    powers = (gaussian.loadings**2).sum(axis=1) * 59 / 60
    w = model.components_ * np.sqrt(powers)[:, None]
    best = exact_likelihood(x, model.mean_, w.T @ w + noise * np.eye(6))
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2):
        for _ in range(5):
            other = w + size * rng.normal(size=w.shape)
            mean = model.mean_ + size * rng.normal(size=6)
            var = noise * np.exp(size * rng.normal())
            assert exact_likelihood(x, mean, other.T @ other + var * np.eye(6)) < best


def test_pca_with_missing_values_recovers_what_imputing_the_mean_does_not():
    x, w, _, _ = planted(400, 30, 3, noise=(0.5, 0.5))
    y = holes(x, 0.3)
    masked = PCA(3, missing="mask").fit(y)
    imputed = PCA(3).fit(np.where(np.isnan(y), np.nanmean(y, axis=0), y))
    whole = PCA(3).fit(x)
    assert angle(masked.components_, w) < 1.6 * angle(whole.components_, w)
    assert angle(imputed.components_, w) > angle(masked.components_, w)
    assert masked.explained_variance_ == pytest.approx(whole.explained_variance_, rel=0.1)
    assert imputed.explained_variance_[0] < 0.8 * whole.explained_variance_[0]
    np.testing.assert_allclose(masked.transform(x), (x - masked.mean_) @ masked.components_.T)
    latents = masked.transform(y)
    r = [stats.pearsonr(latents[:, i], masked.transform(x)[:, i])[0] for i in range(3)]
    assert min(r) > 0.95
    nothing = PCA(3, missing="mask").fit(x)
    np.testing.assert_allclose(nothing.components_, whole.components_)


def test_omit_is_pca_of_whole_bins():
    x = planted(100, 6)[0]
    y = holes(x, 0.03)
    kept = ~np.isnan(y).any(axis=1)
    model = PCA(2, missing="omit").fit(y)
    np.testing.assert_allclose(model.components_, PCA(2).fit(x[kept]).components_)
    np.testing.assert_array_equal(np.isnan(model.transform(y)[:, 0]), ~kept)


def test_low_rank_data_are_completed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2)) @ rng.normal(size=(2, 12)) + 5
    y = holes(x, 0.2)
    model = PCA(2, missing="mask", max_iter=3000, tol=1e-9).fit(y)
    back = model.inverse_transform(model.transform(y))
    assert np.abs(back - x).max() < 0.05


# factor analysis


def test_the_better_of_two_starts():
    x = planted(300, 30, 5, seed=13)[0]
    for k in (3, 4):
        ours = FactorAnalysis(k).fit(x).log_likelihood_ * 30
        for seed in range(3):
            theirs = TheirFA(
                k,
                tol=1e-6,
                max_iter=3000,
                noise_variance_init=np.random.default_rng(seed).uniform(0.1, 1, 30),
            )
            assert ours > theirs.fit(x).score(x) - 1e-4


@pytest.mark.parametrize(("n", "p", "k"), [(400, 25, 3), (80, 40, 2), (30, 45, 2), (200, 8, 1)])
def test_factor_analysis_reaches_scikit_learns_likelihood(n, p, k):
    x = planted(n, p, k)[0]
    ours = FactorAnalysis(k, tol=1e-10).fit(x)
    theirs = TheirFA(k, tol=1e-10, max_iter=20000, svd_method="lapack").fit(x)
    assert ours.log_likelihood_ * p == pytest.approx(theirs.score(x), rel=1e-6)
    assert ours.score(x) == pytest.approx(ours.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), atol=2e-3)
    inner = ours.components_ @ ours.components_.T
    np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-8)
    assert (np.diff(np.diag(inner)) <= 0).all()


def test_likelihood_and_latents_are_those_of_the_joint_gaussian():
    x = holes(planted(40, 7, 2)[0], 0.25)
    x[5] = np.nan
    model = FactorAnalysis(2, missing="mask").fit(x)
    covariance = model.get_covariance()
    exact = exact_likelihood(x, model.mean_, covariance)
    assert model.score(x) == pytest.approx(exact / np.isfinite(x).sum(), rel=1e-10)
    latents = model.transform(x)
    assert np.isnan(latents[5]).all()
    predicted = left_out(np.nan_to_num(x), ~np.isnan(x), model._model)
    for t in (0, 3, 11):
        o = np.flatnonzero(~np.isnan(x[t]))
        gain = np.linalg.solve(covariance[np.ix_(o, o)], x[t, o] - model.mean_[o])
        np.testing.assert_allclose(latents[t], model.components_[:, o] @ gain, atol=1e-10)
        for i in (o[0], o[-1]):
            rest = o[o != i]
            other = np.linalg.solve(covariance[np.ix_(rest, rest)], x[t, rest] - model.mean_[rest])
            assert predicted[t, i] == pytest.approx(model.mean_[i] + covariance[i, rest] @ other, abs=1e-9)
    mask = ~np.isnan(x)
    mean, second, _ = completed(np.nan_to_num(x), mask, model._model, patterns_of(mask))
    first, slow = np.zeros((40, 7)), np.zeros((7, 7))
    for t in range(40):  # the E-step by conditioning
        o, m = mask[t], ~mask[t]
        first[t, o] = x[t, o]
        gain = covariance[np.ix_(m, o)] @ np.linalg.pinv(covariance[np.ix_(o, o)])
        first[t, m] = model.mean_[m] + gain @ (x[t, o] - model.mean_[o])
        slow[np.ix_(m, m)] += covariance[np.ix_(m, m)] - gain @ covariance[np.ix_(o, m)]
    np.testing.assert_allclose(mean, first.mean(axis=0))
    np.testing.assert_allclose(second, np.cov(first.T, bias=True) + slow / 40, atol=1e-10)
    assert posterior(np.nan_to_num(x), mask, model._model).mean[0] == pytest.approx(latents[0])


def test_missing_values_reach_the_maximum_of_their_likelihood():
    x = holes(planted(120, 10, 2, seed=4)[0], 0.2)
    model = FactorAnalysis(2, missing="mask", tol=1e-10).fit(x)
    best = exact_likelihood(x, model.mean_, model.get_covariance())
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2):
        for _ in range(5):
            w = model.components_ + size * rng.normal(size=model.components_.shape)
            noise = model.noise_variance_ * np.exp(size * rng.normal(size=10))
            mean = model.mean_ + size * rng.normal(size=10)
            assert exact_likelihood(x, mean, w.T @ w + np.diag(noise)) < best


def test_number_of_factors_by_held_out_likelihood_equals_refits():
    x = planted(200, 12, 2, seed=2)[0].reshape(20, 10, 12)
    model = FactorAnalysis(cv=4, max_components=4, tol=1e-9).fit(x)
    assert model.n_components_ == 2
    for f in range(4):
        test = np.arange(20) * 4 // 20 == f
        for k in (0, 1, 2):
            fit = FactorAnalysis(k, tol=1e-9).fit(x[~test]) if k else None
            if fit is None:
                train = x[~test].reshape(-1, 12)
                slow = stats.norm(train.mean(axis=0), train.std(axis=0)).logpdf(x[test]).mean()
            else:
                slow = fit.score(x[test])
            assert model.cv_scores_[k, f] == pytest.approx(slow, abs=1e-6)


def test_recovery_of_shared_variance_complete_ragged_and_missing():
    x, w, private, z = planted(1500, 30, 3)
    truth = 100 * (w**2).sum(axis=0) / ((w**2).sum(axis=0) + private)
    lengths = np.array([10, 20, 30] * 25)
    cuts = np.cumsum(lengths)[:-1]
    ragged = np.split(x, cuts)
    for data, option, limit in (
        (x, "raise", 6),
        (ragged, "raise", 6),
        (np.split(holes(x, 0.3), cuts), "mask", 8),
    ):
        model = FactorAnalysis(max_components=6, missing=option).fit(data)
        assert model.n_components_ == 3
        assert np.abs(model.shared_variance_ - truth).max() < limit
        assert angle(model.components_, w) < 6
        latents = model.transform(data)
        stack = latents if option == "raise" and data is x else np.concatenate(latents)
        fitted = stack @ np.linalg.lstsq(stack, z, rcond=None)[0]
        assert np.min([stats.pearsonr(fitted[:, i], z[:, i])[0] for i in range(3)]) > 0.9
        assert 1 <= model.shared_dimensionality_ <= 3
        assert model.unit_scores(data).mean() == pytest.approx(truth.mean() / 100, abs=0.12)
    assert model.explained_variance_ratio_.sum() == pytest.approx(truth.mean() / 100, abs=0.15)


def test_independent_units_share_nothing():
    x = np.random.default_rng(0).normal(size=(500, 15))
    model = FactorAnalysis().fit(x)
    assert model.n_components_ == 0
    assert model.shared_dimensionality_ == 0
    assert model.transform(x).shape == (500, 0)
    np.testing.assert_allclose(model.shared_variance_, 0)
    np.testing.assert_allclose(model.inverse_transform(model.transform(x))[0], model.mean_)


def test_scale_of_units_does_not_matter_to_shared_variance_but_does_to_pca():
    x = planted(300, 10, 2)[0]
    scale = 10.0 ** np.linspace(-3, 3, 10)
    one, two = FactorAnalysis(2).fit(x), FactorAnalysis(2).fit(x * scale + 7)
    np.testing.assert_allclose(one.shared_variance_, two.shared_variance_, atol=1e-2)
    assert angle(PCA(2).fit(x).components_, PCA(2).fit(x * scale).components_ / scale) > 10


def test_rotation_of_units_leaves_pca_and_changes_factor_analysis():
    x = planted(300, 10, 2)[0]
    q = np.linalg.qr(np.random.default_rng(2).normal(size=(10, 10)))[0]
    assert PCA(2).fit(x).explained_variance_ == pytest.approx(PCA(2).fit(x @ q).explained_variance_)
    one, two = FactorAnalysis(2).fit(x), FactorAnalysis(2).fit(x @ q)
    assert abs(one.log_likelihood_ - two.log_likelihood_) > 1e-3


def test_a_unit_recorded_twice_is_a_heywood_case():
    x = planted(300, 10, 2)[0]
    with pytest.warns(cs.ConsilienceWarning, match="noise-at-floor"):
        model = FactorAnalysis(3).fit(np.column_stack([x, x[:, 0]]))
    assert np.isfinite(model.log_likelihood_)


def test_constant_units_have_no_loadings():
    x = planted(100, 12, 1)[0]
    x[:, 2] = 4
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        model = FactorAnalysis(1).fit(x)
    assert model.components_[0, 2] == 0
    assert model.mean_[2] == 4
    assert np.isnan(model.shared_variance_[2])
    assert np.isnan(model.unit_scores(x)[2])
    np.testing.assert_allclose(model.inverse_transform(model.transform(x))[:, 2], 4)
    with pytest.raises(cs.InputError, match="no unit of 6 varies"):
        PCA().fit(np.ones((10, 6)))


def test_containers_come_back():
    x = planted(120, 8, 2)[0].reshape(12, 10, 8)
    y = x.copy()
    y[3, 6:] = np.nan
    for kind in (PCA, FactorAnalysis):
        model = kind(2).fit(x)
        assert model.transform(x).shape == (12, 10, 2)
        assert [t.shape for t in model.transform(list(x))] == [(10, 2)] * 12
        assert model.inverse_transform(model.transform(list(x)))[0].shape == (10, 8)
        masked = kind(2, missing="mask").fit(y)
        assert np.isnan(masked.transform(y)[3, 6:]).all()
        np.testing.assert_allclose(masked.transform(x)[3, 6:], masked.transform(x[3, 6:]))
        with pytest.raises(cs.InputError, match="missing='mask'"):
            model.transform(y)
        with pytest.raises(cs.InputError, match="shape"):
            model.inverse_transform(np.ones((4, 3)))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (PCA(40), "n_components must be"),
        (PCA("all"), "n_components must be"),
        (PCA(n_components=True), "n_components must be"),
        (PCA("cv", cv=1), "cv must be a whole number"),
        (PCA("cv", cv=9), "at least 18 of them"),
        (PCA(2, missing="skip"), "missing must be one of"),
        (PCA(2, tol=-1), "tol must be"),
        (FactorAnalysis(10), "n_components"),
        (FactorAnalysis("all"), "n_components"),
        (FactorAnalysis(2, min_noise=0), "min_noise must be"),
        (FactorAnalysis("cv", cv=50), "at least 50 trials"),
        (FactorAnalysis("cv", max_components=0), "max_components must be"),
    ],
    ids=lambda v: None if isinstance(v, str) else repr(v).replace("\n", ""),
)
def test_refusals(model, words):
    x = planted(40, 10, 2)[0]
    with pytest.raises(cs.InputError, match=words):
        model.fit(x)


def test_pca_with_missing_values_needs_a_number():
    x = holes(planted(40, 10, 2)[0], 0.1)
    for k in (None, 0.9, 10):
        with pytest.raises(cs.InputError, match="n_components must be"):
            PCA(k, missing="mask").fit(x)
    full = PCA().fit(planted(40, 10, 2)[0])
    with pytest.raises(cs.InputError, match="fewer components"):
        full.unit_scores(planted(40, 10, 2)[0])


def test_intervals_of_shared_variance():
    """Figures of coverage: benchmarks/latent_recovery.md."""
    x, w, private, _ = planted(600, 20, 2)
    truth = 100 * (w**2).sum(axis=0) / ((w**2).sum(axis=0) + private)
    model = FactorAnalysis(2).fit(x)
    found = model.shared_variance_intervals(x, groups=12)
    assert found.groups == 12
    assert ((found.interval[:, 0] <= truth) & (truth <= found.interval[:, 1])).sum() >= 17
    assert found.mean_interval[0] < found.mean_corrected < found.mean_interval[1]
    np.testing.assert_array_equal(found.value, model.shared_variance_)
    wider = model.shared_variance_intervals(x, groups=12, level=0.99).interval
    assert (wider[:, 1] > found.interval[:, 1]).all()
    y = holes(x, 0.05)
    masked = FactorAnalysis(2, missing="mask").fit(y).shared_variance_intervals(y, groups=4)
    np.testing.assert_allclose(masked.corrected, found.corrected, atol=10)
    with pytest.raises(cs.InputError, match="groups must be"):
        model.shared_variance_intervals(x, groups=2)
