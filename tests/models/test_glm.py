"""GLM and GLMCV: contract, closed forms, peers, penalties, uncertainty, simulation, messages."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import GammaRegressor, PoissonRegressor, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import consilience as cs
from consilience.models import GLM, GLMCV
from consilience.models._observations import observation_of
from consilience.stats import blocked_folds, deviance

KINDS = {
    "poisson": ("log", "softplus"),
    "gaussian": ("identity",),
    "bernoulli": ("logit", "cloglog"),
    "gamma": ("log",),
    "negative_binomial": ("log",),
}
PAIRS = [(name, link) for name, links in KINDS.items() for link in links]


@parametrize_with_checks(
    [
        GLM(alpha=0.1),
        GLM("gaussian", alpha=0.1),
        GLM("gamma", alpha=0.1),
        GLM("negative_binomial", alpha=0.1, dispersion=0.5),
        GLM(penalty="group", alpha=0.01),
        GLMCV(alphas=[0.01, 0.1], cv=2, gap=0),
        GLMCV("gaussian", cv=2, gap=0),
    ]
)
def test_scikit_learn_contract(estimator, check):
    if estimator.observation != "gaussian" and "check_regressor_multioutput" in str(check):
        pytest.skip("this check has negative targets, whatever the tags of an estimator say")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[no-events\]")
        check(estimator)


def planted(name="poisson", link="log", n=800, p=6, t=3, *, seed=0, size=0.3, base=-0.5, offset=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + offset
    w = rng.normal(size=(p, t)) * size
    made = observation_of(name, link, 0.5, who="test")
    mu = made.mean((x - offset) @ w + base)
    return x, made.draw(mu, rng), w, mu


def objective(model, x, y, alpha, penalty=None):
    """Mean half deviance and ridge penalty, by hand."""
    mu = model.predict(x)
    d = deviance(y, mu, model.observation, model.dispersion_) / (2 * len(y))
    return d + 0.5 * alpha * (model.coef_**2).sum(axis=1)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_derivatives_are_those_of_half_the_deviance(name, link):
    made = observation_of(name, link, 0.7, who="test")
    rng = np.random.default_rng(1)
    eta = rng.normal(size=(40, 2)) * 1.5
    y = made.draw(made.mean(eta), rng)
    step = 1e-6

    def half(at):
        d = [deviance(y[i : i + 1], made.mean(at[i : i + 1]), name, 0.7) for i in range(len(y))]
        return 0.5 * np.stack(d)

    loss, slope = made.terms(eta, y)
    slope = slope - (y if made.linear else 0)
    np.testing.assert_allclose(
        (half(eta + step) - half(eta - step)) / (2 * step), slope, atol=1e-6, rtol=1e-5
    )
    full = loss - (y * eta if made.linear else 0)
    away = half(eta) - full
    other = half(eta + 0.3) - (made.terms(eta + 0.3, y)[0] - (y * (eta + 0.3) if made.linear else 0))
    np.testing.assert_allclose(away, other, atol=1e-10)  # they differ by what does not depend on eta
    np.testing.assert_allclose(made.link(made.mean(eta)), eta, atol=1e-8)
    mu = made.mean(eta)
    rise = (made.mean(eta + step) - made.mean(eta - step)) / (2 * step)
    variance = {
        "poisson": mu,
        "gaussian": np.ones_like(mu),
        "bernoulli": mu * (1 - mu),
        "gamma": mu**2,
        "negative_binomial": mu + 0.7 * mu**2,
    }[name]
    np.testing.assert_allclose(made.weight(eta), rise**2 / variance, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_maximum_likelihood_is_that_of_statsmodels(name, link):
    sm = pytest.importorskip("statsmodels.api")
    links = sm.families.links
    family = {
        ("poisson", "log"): lambda: sm.families.Poisson(),
        ("gaussian", "identity"): lambda: sm.families.Gaussian(),
        ("bernoulli", "logit"): lambda: sm.families.Binomial(),
        ("bernoulli", "cloglog"): lambda: sm.families.Binomial(links.CLogLog()),
        ("gamma", "log"): lambda: sm.families.Gamma(links.Log()),
        ("negative_binomial", "log"): lambda: sm.families.NegativeBinomial(alpha=0.5),
    }.get((name, link))
    if family is None:
        pytest.skip("statsmodels has no softplus link")
    x, y, _, _ = planted(name, link, offset=2.0)
    model = GLM(name, link=link, dispersion=0.5 if name == "negative_binomial" else None, tol=1e-12).fit(x, y)
    for u in range(y.shape[1]):
        peer = sm.GLM(y[:, u], sm.add_constant(x), family=family()).fit(tol=1e-12)
        np.testing.assert_allclose(model.coef_[u], peer.params[1:], atol=2e-6)
        np.testing.assert_allclose(model.intercept_[u], peer.params[0], atol=5e-6)
        if name in ("gaussian", "gamma"):
            np.testing.assert_allclose(model.dispersion_[u], peer.scale, rtol=1e-5)
        if link in (
            "log",
            "identity",
            "logit",
        ):  # expected and observed information are one, or statsmodels takes this
            low, high = model.coef_interval(x)
            if name in ("poisson", "gaussian", "bernoulli"):
                np.testing.assert_allclose((high - low)[u] / (2 * 1.959964), peer.bse[1:], rtol=1e-4)


def test_negative_binomial_dispersion_is_that_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    x, y, _, _ = planted("negative_binomial", n=3000, p=2, t=2)
    model = GLM("negative_binomial", tol=1e-10).fit(x, y)
    for u in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer = sm.NegativeBinomial(y[:, u], sm.add_constant(x)).fit(disp=0, maxiter=500, gtol=1e-10)
        np.testing.assert_allclose(model.dispersion_[u], peer.params[-1], rtol=2e-3)
        np.testing.assert_allclose(model.coef_[u], peer.params[1:3], atol=2e-4)


def test_dispersion_of_poisson_counts_tends_to_none():
    x, y, _, _ = planted("poisson", n=3000, p=2, t=4)
    s = GLM("negative_binomial").fit(x, y).dispersion_
    assert s.max() < 0.1


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [1e-3, 0.3])
def test_ridge_is_that_of_scikit_learn(alpha, intercept):
    x, y, _, _ = planted(offset=1.0)
    model = GLM(alpha=alpha, fit_intercept=intercept, tol=1e-12).fit(x, y)
    gamma_x, gamma_y, _, _ = planted("gamma", offset=1.0)
    gamma = GLM("gamma", alpha=alpha, fit_intercept=intercept, tol=1e-12).fit(gamma_x, gamma_y)
    for u in range(3):
        peer = PoissonRegressor(
            alpha=alpha, tol=1e-12, max_iter=2000, fit_intercept=intercept, solver="newton-cholesky"
        )
        peer.fit(x, y[:, u])
        np.testing.assert_allclose(model.coef_[u], peer.coef_, atol=1e-7)
        other = GammaRegressor(
            alpha=alpha, tol=1e-12, max_iter=2000, fit_intercept=intercept, solver="newton-cholesky"
        )
        other.fit(gamma_x, gamma_y[:, u])
        np.testing.assert_allclose(gamma.coef_[u], other.coef_, atol=1e-6)


@pytest.mark.parametrize("p", [6, 300])
def test_gaussian_is_ridge_with_n_alpha(p):
    x, y, _, _ = planted("gaussian", "identity", n=100, p=p, offset=5.0)
    model = GLM("gaussian", alpha=0.1, tol=1e-14).fit(x, y)
    peer = Ridge(alpha=0.1 * 100).fit(x, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, atol=1e-7)
    assert model.n_iter_ <= 2


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_the_gradient_of_the_penalised_loss_vanishes(name, link):
    x, y, _, _ = planted(name, link, n=300, p=40, offset=1.0)
    model = GLM(name, link=link, alpha=0.02, dispersion=0.5, tol=1e-13).fit(x, y)
    made = observation_of(name, link, 0.5, who="test")
    eta = x @ model.coef_.T + model.intercept_
    r = made.terms(eta, y)[1] - (y if made.linear else 0)
    np.testing.assert_allclose(x.T @ r / len(y) + 0.02 * model.coef_.T, 0, atol=3e-7)
    np.testing.assert_allclose(r.mean(axis=0), 0, atol=3e-7)


def test_more_features_than_samples():
    x, y, _, _ = planted(n=60, p=200, size=0.05)
    model = GLM(alpha=0.05, tol=1e-12).fit(x, y)
    r = model.predict(x) - y
    np.testing.assert_allclose(x.T @ r / 60 + 0.05 * model.coef_.T, 0, atol=1e-6)


def test_targets_do_not_see_each_other():
    x, y, _, _ = planted(t=5)
    together = GLM(alpha=[0.1, 0.2, 0.3, 0.4, 0.5], tol=1e-10).fit(x, y)
    for u in range(5):
        alone = GLM(alpha=0.1 * (u + 1), tol=1e-10).fit(x, y[:, u])
        np.testing.assert_allclose(together.coef_[u], alone.coef_, atol=1e-6)
        assert alone.coef_.shape == (6,)
        assert alone.predict(x).shape == (800,)


def test_float32_reaches_the_likelihood_of_float64():
    x, y, _, _ = planted(n=5000, p=50, size=0.1)
    fine = GLM(alpha=1e-3, tol=1e-10).fit(x, y)
    narrow = GLM(alpha=1e-3).fit(x.astype(np.float32), y)
    lost = 5000 * (objective(narrow, x, y, 1e-3) - objective(fine, x, y, 1e-3))
    assert lost.max() < 2e-3  # nats
    assert lost.min() > -1e-6


def test_features_of_unlike_size_keep_their_digits():
    x, y, _, _ = planted(n=2000, p=4)
    size = np.array([1e-6, 1.0, 1e4, 1e7])
    plain = GLM(tol=1e-8).fit(x, y)
    for dtype, atol in ((np.float64, 1e-5), (np.float32, 2e-3)):
        scaled = GLM(tol=1e-8).fit((x * size).astype(dtype), y)
        np.testing.assert_allclose(scaled.coef_ * size, plain.coef_, atol=atol)


def test_features_that_repeat_each_other_do_not_stop_maximum_likelihood():
    x, y, _, _ = planted()
    model = GLM(tol=1e-10).fit(np.concatenate([x, x[:, :2], np.ones((800, 1))], axis=1), y)
    plain = GLM(tol=1e-10).fit(x, y)
    np.testing.assert_allclose(
        model.predict(np.concatenate([x, x[:, :2], np.ones((800, 1))], axis=1)), plain.predict(x), rtol=1e-4
    )


@pytest.mark.parametrize("alpha", [0.003, 0.02, 0.2])
def test_group_lasso_meets_its_conditions_of_optimality(alpha):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, 24)) @ (np.eye(24) + 0.3 * rng.normal(size=(24, 24)))
    w = np.zeros((24, 4))
    w[:6] = rng.normal(size=(6, 4)) * 0.15
    y = rng.poisson(np.exp(x @ w - 0.5))
    model = GLM(penalty="group", groups=[6, 6, 6, 3, 3], alpha=alpha, tol=1e-9).fit(x, y)
    pull = x.T @ (model.predict(x) - y) / len(y)
    ends = [0, 6, 12, 18, 21, 24]
    for u in range(4):
        for a, b in itertools.pairwise(ends):
            c, g, root = model.coef_[u, a:b], pull[a:b, u], np.sqrt(b - a)
            if (c == 0).all():
                assert np.linalg.norm(g) <= alpha * root * (1 + 1e-4)
            else:
                np.testing.assert_allclose(g, -alpha * root * c / np.linalg.norm(c), atol=2e-5)
    assert alpha == 0.2 or (model.coef_[:, :6] != 0).all()
    assert ((model.coef_[:, 6:] == 0).all()) == (alpha == 0.2)


def test_group_lasso_of_a_gaussian_with_orthogonal_features_is_soft_thresholding():
    rng = np.random.default_rng(1)
    x = np.linalg.qr(rng.normal(size=(200, 8)) - 0)[0]
    x = np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(200)
    x -= x.mean(axis=0)
    y = x @ np.array([1.0, 0.5, 0.1, 0.05, 0, 0, 0, 0]) + 0.1 * rng.normal(size=200)
    model = GLM("gaussian", penalty="group", groups=[2, 2, 2, 2], alpha=0.2, tol=1e-14).fit(x, y)
    free = x.T @ (y - y.mean()) / 200
    for k in range(4):
        f = free[2 * k : 2 * k + 2]
        want = f * max(0.0, 1 - 0.2 * np.sqrt(2) / np.linalg.norm(f))
        np.testing.assert_allclose(model.coef_[2 * k : 2 * k + 2], want, atol=1e-6)


def direct_path(x, y, alphas, splits, name="poisson"):
    errors = np.zeros((len(alphas), y.shape[1]))
    for train, test in splits:
        for k, alpha in enumerate(alphas):
            mu = GLM(name, alpha=alpha, tol=1e-8).fit(x[train], y[train]).predict(x[test])
            errors[k] += deviance(y[test], mu, name)
    return errors


def test_penalties_are_those_of_the_least_held_out_deviance():
    x, y, _, _ = planted(n=400, p=60, t=4, size=0.1)
    y[:, 3] = np.random.default_rng(5).poisson(0.6, size=400)  # nothing to find
    alphas = 10.0 ** np.arange(-4, 3)
    model = GLMCV(alphas=alphas, cv=4, gap=7).fit(x, y)
    splits = blocked_folds(np.arange(400), 4, 7)
    errors = direct_path(x, y, alphas, splits)
    np.testing.assert_array_equal(model.alpha_, alphas[errors.argmin(axis=0)])
    total = sum(deviance(y[b], np.broadcast_to(y[a].mean(axis=0), y[b].shape), "poisson") for a, b in splits)
    np.testing.assert_allclose(model.cv_scores_, 1 - errors / total, atol=1e-3)
    assert model.alpha_[3] > model.alpha_[:3].max()
    final = GLM(alpha=model.alpha_, tol=1e-8).fit(x, y)
    np.testing.assert_allclose(model.coef_, final.coef_, atol=1e-3)
    shared = GLMCV(alphas=alphas, cv=4, gap=7, per_target=False).fit(x, y)
    assert np.unique(shared.alpha_).size == 1


@pytest.mark.parametrize("name", ["poisson", "gaussian", "bernoulli", "gamma", "negative_binomial"])
def test_every_observation_chooses_a_penalty(name):
    x, y, _, _ = planted(name, KINDS[name][0], n=300, p=20, size=0.15)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[not-converged\]")
        model = GLMCV(name, cv=3).fit(x, y)
    assert model.score(x, y) > 0.02
    assert model.alphas_.size == 9


def test_group_path_runs_down_from_where_every_group_is_out():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 20))
    y = rng.poisson(np.exp(x[:, :5] @ np.full(5, 0.2)))
    model = GLMCV(penalty="group", groups=[5, 5, 5, 5], cv=3).fit(x, y)
    assert (model.coef_[:5] != 0).all()
    assert (GLM(penalty="group", groups=[5] * 4, alpha=model.alphas_[-1] * 1.001).fit(x, y).coef_ == 0).all()
    assert (GLM(penalty="group", groups=[5] * 4, alpha=model.alphas_[-1] * 0.95).fit(x, y).coef_ != 0).any()


def test_smooth_signals_get_a_gap():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(1000, 3)), axis=0)
    x -= np.linspace(0, 1, 1000)[:, None] * x[-1]
    y = rng.poisson(1.0, size=1000)
    assert GLMCV()._gap(x, y.reshape(-1, 1).astype(float)) > 20
    assert GLMCV()._gap(rng.normal(size=(1000, 3)), y.reshape(-1, 1).astype(float)) <= 2


def test_score_is_the_share_of_deviance_explained():
    x, y, _, _ = planted()
    model = GLM().fit(x, y)
    peer = np.mean(
        [
            PoissonRegressor(alpha=0, tol=1e-8, max_iter=1000).fit(x, y[:, u]).score(x, y[:, u])
            for u in range(3)
        ]
    )
    np.testing.assert_allclose(model.score(x, y), peer, atol=1e-6)


def test_units_without_spikes_get_half_an_event():
    x, y, _, _ = planted()
    y[:, 1] = 0
    with pytest.warns(cs.ConsilienceWarning, match=r"\[no-events\] GLM: 1 of 3 targets .* half an event"):
        model = GLM().fit(x, y)
    np.testing.assert_allclose(model.predict(x)[:, 1], 0.5 / 800)
    assert (model.coef_[1] == 0).all()
    np.testing.assert_allclose(model.coef_[0], GLM().fit(x, y[:, 0]).coef_, atol=1e-4)


def test_separable_spikes_are_said_not_to_converge_or_stay_finite():
    x = np.linspace(-1, 1, 200)[:, None]
    y = (x[:, 0] > 0).astype(float)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[not-converged\]"):
        model = GLM("bernoulli", max_iter=5).fit(x, y)
    assert np.isfinite(model.predict(x)).all()
    assert GLM("bernoulli", alpha=1e-3).fit(x, y).score(x, y) > 0.7


def test_inputs_are_not_changed_and_kinds_of_numbers_give_one_answer():
    x, y, _, _ = planted(n=200)
    before = x.copy(), y.copy()
    want = GLM(alpha=0.1).fit(x, y).coef_
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    for other in (y.astype(np.int64), y.astype(np.uint8), y.astype(">f8"), y.astype(np.float32)):
        np.testing.assert_allclose(GLM(alpha=0.1).fit(x, other).coef_, want, atol=1e-10)
    x.setflags(write=False)
    y.setflags(write=False)
    np.testing.assert_allclose(GLM(alpha=0.1).fit(x, y).coef_, want, atol=1e-12)
    np.testing.assert_allclose(GLM(alpha=0.1).fit(x.astype(">f8"), y).coef_, want, atol=1e-10)


@pytest.mark.parametrize(
    ("make", "y", "message"),
    [
        (lambda: GLM("poison"), None, "observation must be one of 'poisson', .* got 'poison'"),
        (
            lambda: GLM("poisson", link="logit"),
            None,
            "link of poisson observations must be 'log' or 'softplus'",
        ),
        (lambda: GLM(alpha=-1), None, "alpha must be a finite number, at least 0"),
        (
            lambda: GLM(alpha=[1.0, 2.0]),
            None,
            "alpha must be one number, or one for each of the 3 targets; got 2",
        ),
        (lambda: GLM(penalty="lasso"), None, "penalty must be one of 'ridge', 'group'"),
        (lambda: GLM(groups=[3, 3]), None, "groups= is for penalty='group'"),
        (
            lambda: GLM(penalty="group", groups=[3, 2]),
            None,
            "groups must be sizes that add up to the 6 features",
        ),
        (
            lambda: GLM(),
            -1.0,
            "y of poisson observations must be counts, at least 0; got -1 .*sample 0, unit 0",
        ),
        (lambda: GLM("bernoulli"), 2.0, "must be 0 or 1; got 2"),
        (lambda: GLM("gamma"), 0.0, "must be above 0; got 0"),
        (lambda: GLMCV(gap="none"), None, "gap must be 'auto' or a number of samples"),
        (lambda: GLM(tol=0), None, "tol must be a number in"),
    ],
)
def test_messages(make, y, message):
    x, counts, _, _ = planted()
    counts = (
        np.minimum(counts, 1.0)
        if make().observation == "bernoulli"
        else counts + (make().observation == "gamma")
    )
    if y is not None:
        counts[0, 0] = y
    with pytest.raises(cs.InputError, match=message):
        make().fit(x, counts)


@pytest.mark.parametrize("model", [GLM(), GLMCV(cv=3)])
def test_what_cannot_be_fitted_is_said_with_what_to_do(model):
    x, y, _, _ = planted(n=100)
    gaps = cs.models.lagged(x[:, :1], [1, 2])
    for call, code, message in (
        (
            lambda: model.fit(gaps, y),
            "nan-values",
            r"X has NaN .* in 2 of 100 rows.* np.isfinite\(X\).all\(axis=1\)",
        ),
        (lambda: model.fit(x, np.where(y > 1, np.nan, y)), "nan-values", r"y has NaN .* np.isfinite\(y\)"),
        (lambda: model.fit(x[:50], y), "rows-differ", "50, 100"),
        (lambda: model.fit(x[:0], y[:0]), "too-few", "0 sample"),
        (lambda: model.fit(x[:, :0], y), "too-few", "0 feature"),
        (lambda: model.fit(x, y).predict(x[:, :2]), "bad-columns", "has 2 features, .* in their order"),
        (
            lambda: model.fit(x, y).predict(np.where(x > 1, np.nan, x)),
            "nan-values",
            r"predict: .* then X\[keep\]\.",
        ),
    ):
        with pytest.raises(cs.InputError, match=message) as caught:
            call()
        assert caught.value.code == code


def test_clones_are_alike():
    model = GLMCV("gamma", alphas=[0.1, 1.0], groups=None)
    assert clone(model).get_params() == model.get_params()


# ---- uncertainty


def test_sandwich_with_single_samples_is_that_of_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    x, y, _, _ = planted(n=500)
    model = GLM(tol=1e-10).fit(x, y)
    low, high = model.coef_interval(x, y, block=1)
    for u in range(3):
        peer = sm.GLM(y[:, u], sm.add_constant(x), family=sm.families.Poisson()).fit(cov_type="HC0")
        np.testing.assert_allclose((high - low)[u] / (2 * 1.959964), peer.bse[1:], rtol=0.01)


def test_intervals_narrow_with_the_penalty_and_refuse_the_group_lasso():
    x, y, _, _ = planted()
    wide = np.diff(GLM().fit(x, y).coef_interval(x), axis=0)
    assert (np.diff(GLM(alpha=1.0).fit(x, y).coef_interval(x), axis=0) < wide).all()
    with pytest.raises(cs.InputError, match="a group lasso has no such intervals"):
        GLM(penalty="group", alpha=0.1).fit(x, y).coef_interval(x)


@pytest.mark.parametrize("with_y", [False, True])
@pytest.mark.parametrize("observation", ["poisson", "bernoulli", "negative_binomial"])
def test_a_coefficient_without_a_finite_estimate_has_no_limits(observation, with_y):
    rng = np.random.default_rng(0)
    flag, other = np.repeat([0.0, 1.0], 500), rng.normal(size=1000)
    x = np.stack([flag, other], axis=1)
    y = rng.poisson(np.exp(0.3 * other - 0.5))[:, None] * np.stack([1 - flag, np.ones(1000)], axis=1)
    y[0, 1] = 1
    if observation == "bernoulli":
        y = np.minimum(y, 1)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[separated\] GLM: 1 of 2 targets"):
        model = GLM(observation).fit(x, y)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[separated\] .*: 1 of 4 coefficients or sums, of 1 targets"
    ):
        low, high = model.coef_interval(x, y if with_y else None)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [[True, False], [False, False]]
    y[:500, 0], y[500, 0] = y[:500, 0], 1  # one event with the flag: an estimate
    low, high = GLM(observation).fit(x, y).coef_interval(x)
    assert (np.isfinite(low) & (low < high)).all()


def test_perfect_separation_and_silence_have_no_limits():
    x = np.linspace(-1, 1, 200)[:, None]
    y = np.stack([x[:, 0] > 0, np.zeros(200)], axis=1).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        model = GLM("bernoulli").fit(x, y)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[separated\]"):
        low, _ = model.coef_interval(x, y)
    assert np.isnan(low).all()


def test_features_with_heavy_tails_and_strong_effects_keep_their_limits():
    rng = np.random.default_rng(1)
    x = rng.standard_t(3, size=(2000, 3))
    y = rng.poisson(np.exp(np.clip(x @ [-1.5, 0.3, 0.0] - 2, None, 4)))
    model = GLM().fit(x, y)
    low, high = model.coef_interval(x)
    assert (high > low).all()


def test_intervals_of_sums_are_those_of_a_turned_design():
    x, y, _, _ = planted()
    turn = np.random.default_rng(3).normal(size=(6, 6))
    model = GLM(tol=1e-10).fit(x, y)
    other = GLM(tol=1e-10).fit(x @ np.linalg.inv(turn), y)  # whose coefficients are turn @ w
    for given in (None, y):
        found = np.stack(model.coef_interval(x, given, of=turn))
        np.testing.assert_allclose(
            found, np.stack(other.coef_interval(x @ np.linalg.inv(turn), given)), atol=2e-4
        )
    one = GLM().fit(x, y[:, 0]).coef_interval(x, of=turn[:2])
    assert one[0].shape == (2,)
    with pytest.raises(cs.InputError, match=r"of must be \(sums, 6\)"):
        model.coef_interval(x, of=np.ones((2, 5)))


@pytest.mark.slow
def test_intervals_hold_the_truth():
    held = {"laplace": 0, "sandwich": 0, "sandwich over-dispersed": 0, "laplace over-dispersed": 0}
    rounds = 200
    for seed in range(rounds):
        x, y, w, mu = planted(n=600, p=5, t=1, seed=seed)
        rng = np.random.default_rng(1000 + seed)
        loud = rng.poisson(mu * rng.gamma(1.0, 1.0, size=mu.shape))
        for name, counts in (("", y), (" over-dispersed", loud)):
            model = GLM().fit(x, counts)
            for kind, given in (("laplace", None), ("sandwich", counts)):
                low, high = model.coef_interval(x, given)
                held[kind + name] += ((low <= w.T) & (high >= w.T)).mean()
    share = {k: v / rounds for k, v in held.items()}
    assert 0.93 < share["laplace"] < 0.97
    assert 0.91 < share["sandwich"] < 0.97
    assert 0.90 < share["sandwich over-dispersed"] < 0.97
    assert share["laplace over-dispersed"] < 0.92


# ---- simulation


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_draws_have_the_mean_and_variance_of_the_model(name, link):
    x, y, _, _ = planted(name, link, n=4000, p=3, t=2)
    model = GLM(name, link=link).fit(x, y)
    at = np.tile(x[:1], (20000, 1))
    drawn = model.simulate(at, rng=0)
    mu, s = model.predict(x[:1])[0], model.dispersion_
    np.testing.assert_allclose(drawn.mean(axis=0), mu, rtol=0.05, atol=0.03)
    variance = {
        "poisson": mu,
        "gaussian": s,
        "bernoulli": mu * (1 - mu),
        "gamma": s * mu**2,
        "negative_binomial": mu + s * mu**2,
    }[name]
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.08)
    np.testing.assert_array_equal(model.simulate(at[:50], rng=3), model.simulate(at[:50], rng=3))


def coupled(n=20000, seed=0):
    """Three neurons: each refractory, the first excites the second, the third is driven by a stimulus."""
    rng = np.random.default_rng(seed)
    kernel = cs.models.basis.RaisedCosineLog(4).kernel(12)
    stimulus = np.repeat(rng.normal(size=(n // 5, 1)), 5, axis=0)
    w = np.zeros((3, 1 + 12))
    w[2, 0] = 0.5
    for u in range(3):
        w[u, 1 + 4 * u : 5 + 4 * u] = [-2.0, -0.5, 0.0, 0.0]
    w[1, 1:5] = [0.3, 0.6, 0.2, 0.0]
    model = GLM(alpha=0.0)
    model.fit(rng.normal(size=(200, 13)), rng.poisson(1.0, size=(200, 3)))  # the truth is put in its place
    model._solution.inner.coef[:], model.coef_ = w.T, w
    model.intercept_ = np.full(3, -2.0)
    return model, kernel, stimulus, w


def test_history_and_coupling_are_recovered_from_simulated_spikes():
    model, kernel, stimulus, w = coupled()
    y = model.simulate(stimulus, kernel=kernel, rng=0)
    x = np.concatenate([stimulus, cs.models.coupling_design(y, kernel, fill=0)], axis=1)
    found = GLM(alpha=1e-6).fit(x, y)
    low, high = found.coef_interval(x)
    inside = (low <= w) & (w <= high)
    assert inside.mean() > 0.85
    np.testing.assert_allclose(found.coef_[2, 0], 0.5, atol=0.06)
    np.testing.assert_allclose((kernel @ found.coef_[1, 1:5])[1], (kernel @ w[1, 1:5])[1], atol=0.2)
    # drawn one by one, they have the mean that the design, made afterwards, predicts
    np.testing.assert_allclose(np.exp(x @ w.T - 2).mean(axis=0), y.mean(axis=0), rtol=0.05)


def test_simulation_is_the_recursion_written_out():
    model, kernel, stimulus, w = coupled(n=60)
    start = np.random.default_rng(2).poisson(0.5, size=(12, 3)).astype(float)
    trials = np.repeat([0, 1], 30)
    y = model.simulate(stimulus, kernel=kernel, start=start, trials=trials, rng=1)
    past = np.concatenate([start, y[:30]])
    first = cs.models.coupling_design(past, kernel, fill=0)[12:]
    second = cs.models.coupling_design(y[30:], kernel, fill=0)
    eta = np.concatenate([stimulus, np.concatenate([first, second])], axis=1) @ w.T - 2
    from consilience._core._seeds import resolve_seed

    draw = resolve_seed(1, who="test").stream("simulate")
    np.testing.assert_array_equal(y, np.stack([draw.poisson(np.exp(row)) for row in eta]))


def test_runaway_rates_are_refused():
    model, kernel, stimulus, w = coupled()
    w[0, 1:5] = 2.0
    with pytest.raises(cs.InputError, match=r"mean of target 0 reaches .* excites it without end") as caught:
        model.simulate(stimulus, kernel=kernel, rng=0)
    assert caught.value.code == "runaway-rates"
    with pytest.raises(cs.InputError, match="kernel must be"):
        model.simulate(stimulus, kernel=np.ones((3, 9)))
    with pytest.raises(cs.InputError, match=r"X must be finite, \(samples, 1, without the history"):
        model.simulate(np.zeros((5, 2)), kernel=kernel)
    with pytest.raises(cs.InputError, match=r"start must be \(lags, targets\) = \(12, 3\)"):
        model.simulate(stimulus, kernel=kernel, start=np.zeros((3, 3)))


def test_tensors_are_taken():
    torch = pytest.importorskip("torch")
    x, y, _, _ = planted(n=200)
    found = GLM(alpha=0.1).fit(torch.tensor(x), torch.tensor(y))
    np.testing.assert_array_equal(found.coef_, GLM(alpha=0.1).fit(x, y).coef_)
    assert isinstance(found.predict(torch.tensor(x)), np.ndarray)
    assert cs.models.lagged(torch.tensor(x), [0, 1]).shape == (200, 12)
    assert cs.models.basis.BSpline(5)(torch.rand(10)).shape == (10, 5)


@pytest.mark.parametrize("observation", ["bernoulli", "poisson"])
def test_a_fit_of_separated_data_is_said(observation):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    away = x[:, 0] > 1
    y = (x[:, 0] > 0).astype(float) if observation == "bernoulli" else np.where(away, 0, rng.poisson(1, 200))
    x = np.c_[x, away]
    with pytest.warns(cs.ConsilienceWarning, match=r"separated.*1 of 1 targets .* without a finite estimate"):
        GLM(observation, alpha=0).fit(x, y)
    GLM(observation, alpha=0.1).fit(x, y)  # has one
    GLM(observation, alpha=0).fit(x, rng.permutation(y))


def test_averages_of_0_and_1_are_named():
    with pytest.raises(
        cs.InputError, match=r"0 or 1; got 0\.25.*Use single trials \(cs\.encode averages trials"
    ):
        GLM("bernoulli").fit(np.arange(4.0)[:, None], [0, 1, 0.25, 0])


def test_intervals_of_counts_are_not_those_of_rates():
    x, y, _, _ = planted()
    for of_rates in (y / 0.05, y / 3):
        model = GLM().fit(x, of_rates)
        with pytest.warns(
            cs.ConsilienceWarning, match=r"rates-as-counts.*Laplace's intervals are those of counts"
        ):
            model.coef_interval(x)
        model.coef_interval(x, of_rates)  # of its own variability
