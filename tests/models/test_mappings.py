"""Ridge, banded ridge, kernel ridge, PLS and one-to-one: contract, equations, peers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import consilience as cs
from consilience.models import PLSCV, BandedRidgeCV, KernelRidgeCV, OneToOne, RidgeCV

ALPHAS = 10.0 ** np.arange(-2, 5)
ALL = [
    RidgeCV(),
    BandedRidgeCV(n_iter=3),
    KernelRidgeCV(),
    KernelRidgeCV("precomputed"),
    PLSCV(),
    OneToOne(),
]


@parametrize_with_checks(ALL)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(n=60, p=20, t=6, *, seed=0, offset=3.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + offset
    y = x[:, :4] @ rng.normal(size=(4, t)) + rng.exponential(size=t) * 3 * rng.normal(size=(n, t)) - offset
    return x, y


def folds_of(n, k=5):
    fold = np.arange(n) * k // n
    return [(np.flatnonzero(fold != j), np.flatnonzero(fold == j)) for j in range(k)]


def direct_errors(make, x, y, splits):
    """(alphas, t) summed squared held-out errors, one estimator per fold and penalty."""
    out = np.zeros((ALPHAS.size, y.shape[1]))
    for train, test in splits:
        for k, alpha in enumerate(ALPHAS):
            out[k] += ((y[test] - make(alpha).fit(x[train], y[train]).predict(x[test])) ** 2).sum(axis=0)
    return out


@pytest.mark.parametrize("p", [8, 60, 200])
@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_is_scikit_learns_ridge_in_every_fold(p, intercept):
    x, y = planted(p=p)
    model = RidgeCV(ALPHAS, fit_intercept=intercept).fit(x, y)
    splits = folds_of(60)
    errors = direct_errors(lambda a: Ridge(alpha=a, fit_intercept=intercept), x, y, splits)
    total = sum(((y[te] - (y[tr].mean(axis=0) if intercept else 0)) ** 2).sum(axis=0) for tr, te in splits)
    np.testing.assert_allclose(model.cv_scores_, 1 - errors / total, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(model.alpha_, ALPHAS[np.argmin(errors, axis=0)])
    assert np.unique(model.alpha_).size > 1
    for u, alpha in enumerate(model.alpha_):
        one = Ridge(alpha=alpha, fit_intercept=intercept).fit(x, y[:, u])
        np.testing.assert_allclose(model.coef_[u], one.coef_, atol=1e-8)
        np.testing.assert_allclose(model.predict(x)[:, u], one.predict(x), atol=1e-8)
    np.testing.assert_allclose(x @ model.coef_.T + model.intercept_, model.predict(x), atol=1e-8)


@pytest.mark.parametrize("p", [8, 200])
def test_rows_between_training_and_test_are_left_out_of_both(p):
    x, y = planted(p=p)
    splits = [
        (np.setdiff1d(tr, [min(te.min() + te.size, 59), max(te.min() - 1, 0)]), te) for tr, te in folds_of(60)
    ]
    model = RidgeCV(ALPHAS, cv=splits).fit(x, y)
    errors = direct_errors(lambda a: Ridge(alpha=a), x, y, splits)
    np.testing.assert_array_equal(model.alpha_, ALPHAS[np.argmin(errors, axis=0)])
    total = sum(((y[te] - y[tr].mean(axis=0)) ** 2).sum(axis=0) for tr, te in splits)
    np.testing.assert_allclose(model.cv_scores_, 1 - errors / total, atol=1e-7)


@pytest.mark.parametrize("p", [8, 200])
def test_float32_stays_and_agrees(p):
    x, y = planted(p=p, offset=300.0)
    wide = RidgeCV(ALPHAS).fit(x, y)
    narrow = RidgeCV(ALPHAS).fit(x.astype(np.float32), y.astype(np.float32))
    assert narrow.coef_.dtype == np.float32
    np.testing.assert_allclose(narrow.cv_scores_, wide.cv_scores_, atol=2e-3)


def test_default_grid_follows_the_scale_of_the_data_and_inputs_stay():
    x, y = planted(p=100)
    kept = x.copy()
    one, two = RidgeCV().fit(x, y), RidgeCV().fit(1000 * x, y)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_allclose(two.alpha_ / one.alpha_, 1e6)
    np.testing.assert_allclose(one.predict(x), two.predict(1000 * x), atol=1e-7)


def test_groups_are_never_split_and_bad_options_say_so():
    x, y = planted()
    groups = np.repeat(np.arange(20), 3)
    from consilience.models._base import inner_splits

    for train, test in inner_splits(5, x, groups, "who"):
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(cs.InputError, match="RidgeCV: alphas must be positive finite numbers"):
        RidgeCV([0.0, 1.0]).fit(x, y)
    with pytest.raises(cs.InputError, match="cv must be at least 2"):
        RidgeCV(cv=1).fit(x, y)
    with pytest.raises(cs.InputError, match="cv must be an int, a scikit-learn splitter"):
        RidgeCV(cv="five").fit(x, y)
    with pytest.raises(cs.InputError, match="bands must be sizes that add up to the 20 features"):
        BandedRidgeCV([3, 4]).fit(x, y)
    with pytest.raises(cs.InputError, match="rows summing to 1"):
        BandedRidgeCV([10, 10], n_iter=[[0.4, 0.4]]).fit(x, y)
    with pytest.raises(cs.InputError, match="n_components must be whole numbers"):
        PLSCV(0).fit(x, y)
    with pytest.raises(cs.InputError, match="kernel must be one of"):
        KernelRidgeCV("rbff").fit(x, y)


@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
def test_kernel_ridge_without_intercept_is_scikit_learns(kernel):
    x, y = planted(offset=0.0)
    options = {"gamma": 0.03, "degree": 2, "coef0": 0.5}
    model = KernelRidgeCV(kernel, alphas=ALPHAS, fit_intercept=False, **options).fit(x, y)
    errors = direct_errors(lambda a: KernelRidge(alpha=a, kernel=kernel, **options), x, y, folds_of(60))
    np.testing.assert_array_equal(model.alpha_, ALPHAS[np.argmin(errors, axis=0)])
    one = KernelRidge(alpha=model.alpha_[2], kernel=kernel, **options).fit(x, y[:, 2])
    np.testing.assert_allclose(model.predict(x[:9] + 1)[:, 2], one.predict(x[:9] + 1), atol=1e-7)


def test_linear_and_precomputed_kernels_are_ridge():
    x, y = planted(p=90)
    ridge = RidgeCV(ALPHAS).fit(x[:50], y[:50])
    linear = KernelRidgeCV("linear", alphas=ALPHAS).fit(x[:50], y[:50])
    made = KernelRidgeCV("precomputed", alphas=ALPHAS).fit(x[:50] @ x[:50].T, y[:50])
    np.testing.assert_allclose(linear.predict(x[50:]), ridge.predict(x[50:]), atol=1e-7)
    np.testing.assert_allclose(made.predict(x[50:] @ x[:50].T), ridge.predict(x[50:]), atol=1e-7)


@pytest.mark.parametrize("p", [12, 150])
@pytest.mark.parametrize("t", [1, 5])
def test_pls_is_scikit_learns_for_every_number_of_components(p, t):
    x, y = planted(p=p, t=t)
    for count in (1, 2, 4, 7):
        one = PLSRegression(count, scale=False, tol=1e-14, max_iter=5000).fit(x, y)
        ours = PLSCV(count).fit(x, y)
        expected = one.predict(x[:10]).reshape(10, -1)
        np.testing.assert_allclose(ours.predict(x[:10]).reshape(10, -1), expected, atol=1e-4)


def test_pls_chooses_what_predicts_best():
    x, y = planted(p=150)
    model = PLSCV([1, 2, 4, 8]).fit(x, y)
    errors = np.zeros((4, 6))
    for train, test in folds_of(60):
        for k, count in enumerate((1, 2, 4, 8)):
            errors[k] += ((y[test] - PLSCV(count).fit(x[train], y[train]).predict(x[test])) ** 2).sum(axis=0)
    np.testing.assert_array_equal(model.n_components_, np.array([1, 2, 4, 8])[np.argmin(errors, axis=0)])


def test_one_to_one_finds_the_planted_units():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 30))
    y = 2 * x[:, [7, 7, 21]] + 0.2 * rng.normal(size=(80, 3)) + 5
    y[:, 2] *= -1
    model = OneToOne(positive=False).fit(x, y)
    np.testing.assert_array_equal(model.unit_, [7, 7, 21])
    np.testing.assert_allclose(model.slope_, [2, 2, -2], atol=0.1)
    assert OneToOne().fit(x, y).unit_[2] != 21
    np.testing.assert_array_equal(OneToOne().fit(x, -x[:, :1].repeat(2, 1) * 0).predict(x), np.zeros((80, 2)))


def test_one_band_is_ridge_and_a_fixed_mixture_is_scaled_ridge():
    for p in (12, 90):
        x, y = planted(p=p)
        one = BandedRidgeCV(alphas=ALPHAS).fit(x, y)
        z = x - x.mean(axis=0)
        scale = np.sqrt((z**2).sum() / 60)
        ridge = RidgeCV(ALPHAS).fit(z / scale, y)
        np.testing.assert_allclose(one.predict(x), ridge.predict(z / scale), atol=1e-7)
        bands = [5, p - 5]
        sizes = [np.sqrt((z[:, :5] ** 2).sum() / 60), np.sqrt((z[:, 5:] ** 2).sum() / 60)]
        w = np.concatenate([z[:, :5] / sizes[0] * np.sqrt(0.9), z[:, 5:] / sizes[1] * np.sqrt(0.1)], axis=1)
        two = BandedRidgeCV(bands, n_iter=[[0.9, 0.1]], alphas=ALPHAS).fit(x, y)
        np.testing.assert_allclose(two.predict(x), RidgeCV(ALPHAS).fit(w, y).predict(w), atol=1e-7)
        np.testing.assert_allclose(x @ two.coef_.T + two.intercept_, two.predict(x), atol=1e-7)


def test_banded_ridge_keeps_the_best_of_all_mixtures_per_target():
    x, y = planted(p=90)
    mixtures = np.array([[0.5, 0.5], [0.9, 0.1], [0.02, 0.98]])
    all_of_them = BandedRidgeCV([10, 80], n_iter=mixtures).fit(x, y)
    single = [BandedRidgeCV([10, 80], n_iter=m[None]).fit(x, y) for m in mixtures]
    scores = np.stack([s.cv_scores_[0] for s in single])
    np.testing.assert_allclose(all_of_them.cv_scores_, scores, atol=1e-10)
    best = np.argmax(scores, axis=0)
    np.testing.assert_allclose(all_of_them.mixture_, mixtures[best].T)
    for u, k in enumerate(best):
        np.testing.assert_allclose(all_of_them.predict(x)[:, u], single[k].predict(x)[:, u], atol=1e-8)


def test_himalaya_gives_the_same_ridge_and_banded_ridge():
    kernel_ridge = pytest.importorskip("himalaya.kernel_ridge")
    from sklearn.model_selection import KFold

    x, y = planted(p=90, n=60, t=12)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    theirs = kernel_ridge.KernelRidgeCV(alphas=ALPHAS, cv=KFold(5)).fit(x, y)
    ours = RidgeCV(ALPHAS, fit_intercept=False).fit(x, y)
    np.testing.assert_allclose(ours.alpha_, theirs.best_alphas_)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=1e-8)
    sizes = [np.sqrt((part**2).sum() / 60) for part in (x[:, :30], x[:, 30:])]
    z = np.concatenate([x[:, :30] / sizes[0], x[:, 30:] / sizes[1]], axis=1)
    mixtures = np.random.default_rng(0).dirichlet([0.5, 0.5], 8)
    kernels = np.stack([z[:, :30] @ z[:, :30].T, z[:, 30:] @ z[:, 30:].T])
    them = kernel_ridge.MultipleKernelRidgeCV(
        kernels="precomputed",
        solver_params={"n_iter": mixtures, "alphas": ALPHAS, "progress_bar": False},
        cv=KFold(5),
        random_state=0,
    ).fit(kernels, y)
    us = BandedRidgeCV([30, 60], n_iter=mixtures, alphas=ALPHAS, fit_intercept=False).fit(x, y)
    np.testing.assert_allclose(us.predict(x), them.predict(kernels), atol=1e-6)


def test_clone_keeps_options():
    model = clone(BandedRidgeCV([2, 3], n_iter=7, rng=4))
    assert model.get_params()["n_iter"] == 7
    assert model.get_params()["bands"] == [2, 3]


@pytest.mark.parametrize("p", [20, 90])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "model",
    [RidgeCV(), BandedRidgeCV(n_iter=3), KernelRidgeCV(), PLSCV(), OneToOne()],
    ids=lambda m: type(m).__name__,
)
def test_what_does_not_vary_is_predicted_by_its_mean(model, dtype, p):
    x, y = (z.astype(dtype) for z in planted(p=p))
    for value in (1.0, 0.1):
        one = np.full(60, value, dtype)
        np.testing.assert_allclose(clone(model).fit(x, one).predict(x), value, rtol=1e-5)
        np.testing.assert_allclose(clone(model).fit(x, one[:, None]).predict(x), value, rtol=1e-5)
        np.testing.assert_allclose(clone(model).fit(x, np.tile(one[:, None], 2)).predict(x), value, rtol=1e-5)
        mixed = np.c_[one, y[:, 0]].astype(dtype)
        found = clone(model).fit(x, mixed).predict(x)
        np.testing.assert_allclose(found[:, 0], value, rtol=1e-4)
        alone = clone(model).fit(x, y[:, :1]).predict(x)
        np.testing.assert_allclose(found[:, 1], alone[:, 0], rtol=1e-3, atol=1e-3)
        flat = np.full_like(x, value)
        np.testing.assert_allclose(
            clone(model).fit(flat, y).predict(flat), np.tile(y.mean(0), (60, 1)), atol=1e-4
        )


def test_options_that_make_no_sense_are_refused():
    from sklearn.model_selection import GroupKFold

    x, y = planted()
    for options in ({"gamma": -1.0}, {"gamma": 0.0}, {"degree": 0}, {"coef0": np.nan}):
        with pytest.raises(cs.InputError, match=f"KernelRidgeCV: {next(iter(options))} must be"):
            KernelRidgeCV("poly", **options).fit(x, y)
    with pytest.raises(cs.InputError, match="cv=61 folds need at least 61 rows, got 60; use a smaller cv"):
        RidgeCV(cv=61).fit(x, y)
    with pytest.raises(cs.InputError, match="cv=5 folds need at least 5 groups, got 2"):
        RidgeCV().fit(x, y, groups=np.arange(60) % 2)
    with pytest.raises(cs.InputError, match="cv must be at least 2 folds, got 1"):
        RidgeCV(cv=1).fit(x, y)
    with pytest.raises(
        cs.InputError, match=r"splits by groups, and none were given; .*fit\(X, y, groups=labels\)"
    ):
        RidgeCV(cv=GroupKFold(3)).fit(x, y)
    assert RidgeCV(cv=GroupKFold(3)).fit(x, y, groups=np.arange(60) // 6).alpha_.shape == (6,)
    with pytest.raises(cs.InputError, match="n_components may go up to 20 here"):
        PLSCV([1, 99]).fit(x, y)


@pytest.mark.parametrize(
    "model",
    [
        RidgeCV(),
        RidgeCV(per_target=False, fit_intercept=False),
        BandedRidgeCV([10, 11], n_iter=4),
        KernelRidgeCV("linear"),
        KernelRidgeCV("rbf"),
        PLSCV(),
        OneToOne(),
    ],
)
@pytest.mark.parametrize("p", [21, 80])
def test_data_of_any_size_are_fitted_alike_and_come_back_in_their_units(model, p):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, p))
    y = x[:, :4] @ rng.normal(size=(4, 3)) + rng.normal(size=(60, 3))
    if isinstance(model, BandedRidgeCV):
        model = clone(model).set_params(bands=[10, p - 10])
    there = clone(model).fit(x, y)
    expected = there.predict(x)
    for i, j in ((-266, 0), (-333, 0), (-565, 997), (266, -565), (565, 0), (1000, 1000), (0, -997)):
        sx, sy = 2.0**i, 2.0**j
        found = clone(model).fit(x * sx, y * sy)
        np.testing.assert_allclose(found.predict(x * sx) / sy, expected, rtol=1e-9, atol=1e-9)
        if hasattr(model, "coef_") and abs(j - i) < 1000:
            np.testing.assert_allclose(found.coef_ * sx / sy, there.coef_, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(found.intercept_ / sy, there.intercept_, rtol=1e-9, atol=1e-9)
        if isinstance(model, RidgeCV) and abs(i) < 400:
            np.testing.assert_allclose(found.alpha_ / sx**2, there.alpha_, rtol=1e-9)


def test_penalties_in_absolute_units_follow_the_size_of_the_data_exactly():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(40, 2))
    size = 2.0**-150
    for model in (RidgeCV, lambda alphas: KernelRidgeCV("linear", alphas=alphas)):
        one, two = model([0.5, 3.0]).fit(x, y), model([0.5 * size**2, 3.0 * size**2]).fit(x * size, y)
        np.testing.assert_array_equal(one.predict(x), two.predict(x * size))
        np.testing.assert_array_equal(one.alpha_, two.alpha_ / size**2)
        np.testing.assert_array_equal(one.alphas_, two.alphas_ / size**2)
    np.testing.assert_array_equal(one.dual_coef_, two.dual_coef_ * size**2)
    one = KernelRidgeCV("rbf", gamma=0.1, alphas=[1.0]).fit(x, y)
    two = KernelRidgeCV("rbf", gamma=0.1 / size**2, alphas=[1.0]).fit(x * size, y)
    np.testing.assert_allclose(one.predict(x), two.predict(x * size), rtol=1e-12)
    kernel = x @ x.T
    one = KernelRidgeCV("precomputed", alphas=[0.5, 3.0]).fit(kernel, y)
    two = KernelRidgeCV("precomputed", alphas=[0.5 * size, 3.0 * size]).fit(kernel * size, y)
    np.testing.assert_allclose(one.predict(kernel), two.predict(kernel * size), rtol=1e-12)
    for size in (1e-200, 1e200):
        with pytest.raises(
            cs.InputError, match=r"alphas are in squared units of X, whose largest .* Multiply X"
        ):
            RidgeCV([1.0]).fit(x * size, y)
        with pytest.raises(cs.InputError, match=r"gamma=0\.1 times squared X, .* is no float64"):
            KernelRidgeCV("rbf", gamma=0.1).fit(x * size, y)


def test_columns_of_very_different_sizes_do_not_vanish():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(50, 5))
    y = x[:, [3, 1]] + 0.1 * rng.normal(size=(50, 2))
    sizes, of_y = 2.0 ** np.array([0, 0, -600, 600, 0]), 2.0 ** np.array([-600, 600])
    model = OneToOne().fit(x * sizes, y * of_y)
    assert model.unit_.tolist() == [3, 1]
    np.testing.assert_allclose(model.predict(x * sizes) / of_y, OneToOne().fit(x, y).predict(x), rtol=1e-12)
    np.testing.assert_allclose(
        RidgeCV().fit(x, y * of_y).predict(x) / of_y, RidgeCV().fit(x, y).predict(x), rtol=1e-9
    )
    bands = 2.0 ** np.array([-600, -600, 0, 0, 0])
    one, two = (BandedRidgeCV([2, 3], n_iter=3).fit(z, y) for z in (x, x * bands))
    np.testing.assert_allclose(one.predict(x), two.predict(x * bands), rtol=1e-9)
