"""LDA, max correlation, Poisson Bayes, Bayesian decoder, Wiener and Kalman filters: contract, equations, peers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

import consilience as cs
from consilience.linalg import ledoit_wolf
from consilience.models import (
    LDA,
    BayesianDecoder,
    KalmanFilter,
    MaxCorrelation,
    PoissonNaiveBayes,
    WienerFilter,
)

# what scikit-learn expects of every estimator, and these cannot do by what they are
SERIES = "samples follow each other in time, so their order and their neighbours matter"
EXPECTED = {
    MaxCorrelation: {"check_classifiers_train": "correlations over the 2 units of the check's data are +-1"},
    PoissonNaiveBayes: {
        "check_decision_proba_consistency": "the check tests at negative values, which no count has"
    },
    WienerFilter: dict.fromkeys(
        ["check_methods_sample_order_invariance", "check_methods_subset_invariance"], SERIES
    ),
    KalmanFilter: dict.fromkeys(
        ["check_methods_sample_order_invariance", "check_methods_subset_invariance"], SERIES
    ),
    BayesianDecoder: {
        "check_regressors_train": "it decodes counts by tuning curves, and the check's data are none",
        "check_regressor_multioutput": "at most 3 columns, as bins fill their product",
    },
}
ALL = [LDA(), MaxCorrelation(), PoissonNaiveBayes(), BayesianDecoder(), WienerFilter(), KalmanFilter()]


@pytest.mark.filterwarnings(r"ignore:\[rates-as-counts\]")  # data of the checks are no counts
@parametrize_with_checks(ALL, expected_failed_checks=lambda e: EXPECTED.get(type(e), {}))
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def labelled(n=60, p=10, classes=3, effect=0.5, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return rng.normal(size=(n, p)) + effect * rng.normal(size=(classes, p))[y], y, rng.normal(size=(30, p))


@pytest.mark.parametrize(("n", "p"), [(60, 10), (40, 100)])
@pytest.mark.parametrize("g", [0.1, 0.6, 1.0])
def test_lda_is_scikit_learns(n, p, g):
    x, y, new = labelled(n, p)
    ours = LDA(shrinkage=g, priors="empirical").fit(x, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=g).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(new), theirs.predict_proba(new), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [10, 100])
def test_lda_shrinks_as_ledoit_and_wolf_of_rows_centred_by_class(p):
    x, y, new = labelled(50, p)
    model = LDA().fit(x, y)
    centred = x - np.stack([x[y == c].mean(axis=0) for c in range(3)])[y]
    covariance, shrinkage = ledoit_wolf(centred)
    assert model.shrinkage_ == pytest.approx(shrinkage, rel=1e-10)
    means = np.stack([x[y == c].mean(axis=0) for c in range(3)])
    solved = np.linalg.solve(covariance, means.T)
    direct = new @ solved - 0.5 * np.einsum("cp,pc->c", means, solved)
    made = new @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(made - made[:, :1], direct - direct[:, :1], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("model", [LDA(), LDA(priors="empirical"), MaxCorrelation(), PoissonNaiveBayes()])
def test_all_labellings_at_once_are_one_by_one(model):
    rng = np.random.default_rng(1)
    x, new = rng.poisson(3, size=(30, 8)).astype(float), rng.poisson(3, size=(7, 8)).astype(float)
    codes = np.stack([rng.permutation(np.repeat([0, 1, 2], 10)) for _ in range(4)])
    plan = model.plan(x)
    together = plan.scores(plan.learn(codes, 3), new)
    for k, own in enumerate(codes):
        alone = type(model)(**model.get_params()).fit(x, own)
        np.testing.assert_array_equal(alone.predict(new), together[k].argmax(axis=1))


def test_lda_without_noise_is_the_nearest_mean():
    means = np.random.default_rng(0).normal(size=(3, 6))
    y = np.repeat([0, 1, 2], 4)
    model = LDA().fit(means[y], y)
    assert model.score(means[y], y) == 1.0
    new = means + 0.1
    near = ((new[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(model.predict(new), near)


def test_a_class_without_rows_is_never_predicted():
    x, _, new = labelled(20, 5)
    for model in (LDA(), MaxCorrelation()):
        plan = model.plan(x)
        scores = plan.scores(plan.learn(np.tile([0, 2], 10)[None], 3), new)
        assert set(scores[0].argmax(axis=1)) <= {0, 2}


def test_max_correlation_is_its_definition():
    x, y, new = labelled(40, 12)
    found = MaxCorrelation().fit(x, y).decision_function(new)
    means = [x[y == c].mean(axis=0) for c in range(3)]
    direct = [[stats.pearsonr(row, m).statistic for m in means] for row in new]
    np.testing.assert_allclose(found, direct, rtol=1e-10)


def test_poisson_bayes_is_its_definition():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 15)
    x, new = rng.poisson(2 + y[:, None], size=(30, 6)), rng.poisson(3, size=(9, 6))
    model = PoissonNaiveBayes(smoothing=2.0).fit(x, y)
    rates = np.stack([(x[y == c].sum(axis=0) + 2.0 * x.mean(axis=0)) / 17.0 for c in (0, 1)])
    np.testing.assert_allclose(model.rates_, rates, rtol=1e-12)
    log = np.stack([stats.poisson.logpmf(new, r).sum(axis=1) for r in rates], axis=1)
    p = np.exp(log - log.max(axis=1, keepdims=True))
    np.testing.assert_allclose(model.predict_proba(new), p / p.sum(axis=1, keepdims=True), rtol=1e-10)
    x[y == 0, 3] = 0  # silent in one class: no probability is 0 or NaN
    made = PoissonNaiveBayes().fit(x, y).predict_proba(new)
    assert np.isfinite(made).all()
    assert (made > 0).all()
    with pytest.raises(cs.InputError, match=r"takes spike counts, got a least value of -1"):
        model.predict(new - 10.0 + np.minimum(0, 9 - new))


def test_bayesian_decoder_is_its_definition():
    rng = np.random.default_rng(2)
    place = rng.uniform(0, 1, 500)
    centres = np.linspace(0, 1, 8)
    x = rng.poisson(4 * np.exp(-((place[:, None] - centres) ** 2) / 0.02) + 0.1)
    model = BayesianDecoder(10, smoothing=0.0, floor=0.0).fit(x, place)
    cell = np.clip(((place - place.min()) / np.ptp(place) * 10).astype(int), 0, 9)
    tuning = np.stack([x[cell == b].mean(axis=0) for b in range(10)])
    np.testing.assert_allclose(model.tuning_, tuning, rtol=1e-12)
    prior = np.bincount(cell, minlength=10) / 500
    log = np.log(prior) + stats.poisson.logpmf(x[:20, None], tuning[None]).sum(axis=2)
    direct = np.exp(log - log.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        model.posterior(x[:20]), direct / direct.sum(axis=1, keepdims=True), atol=1e-10
    )
    np.testing.assert_allclose(model.predict(x[:20]), model.centres_[direct.argmax(axis=1), 0])
    assert np.abs(BayesianDecoder(40).fit(x, place).predict(x) - place).mean() < 0.08


def test_bayesian_decoder_goes_round_and_takes_the_plane():
    rng = np.random.default_rng(3)
    heading = rng.uniform(0, 2 * np.pi, 3000)
    preferred = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    x = rng.poisson(5 * np.exp(3 * (np.cos(heading[:, None] - preferred) - 1)))
    for estimate in ("mode", "mean"):
        model = BayesianDecoder(90, circular=True, smoothing=2.0, estimate=estimate).fit(
            x[:2000], heading[:2000]
        )
        error = cs.stats.angular_error(model.predict(x[2000:]), heading[2000:])
        assert error.mean() < 0.25
        shifted = BayesianDecoder(90, circular=True, smoothing=2.0, estimate=estimate)
        shifted.fit(x[:2000], heading[:2000] + 6 * np.pi)  # whole turns change nothing
        np.testing.assert_allclose(shifted.predict(x[2000:]), model.predict(x[2000:]), atol=1e-9)
    plane = np.column_stack([np.cos(heading), np.sin(heading)])
    where = BayesianDecoder((15, 15)).fit(x[:2000], plane[:2000]).predict(x[2000:])
    assert where.shape == (1000, 2)
    assert np.hypot(*(where - plane[2000:]).T).mean() < 0.4
    with pytest.raises(cs.InputError, match=r"bins must be one number, or one for each of 2 columns"):
        BayesianDecoder((5, 5, 5)).fit(x, plane)


def test_wiener_filter_is_ridge_on_lags_and_stops_at_breaks():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 3))
    y = np.roll(x[:, 0], 2) - 0.5 * np.roll(x[:, 1], -1)
    model = WienerFilter((-1, 0, 2), alphas=[1.0]).fit(x, y)
    fill = x.mean(axis=0)
    design = np.concatenate([np.vstack([x[1:], fill]), x, np.vstack([fill, fill, x[:-2]])], axis=1)
    theirs = Ridge(alpha=1.0).fit(design, y)
    np.testing.assert_allclose(model.predict(x), theirs.predict(design), rtol=1e-8, atol=1e-10)
    assert model.reach() == 3
    assert model.span_ == (2, 1)
    # a break in the steps: what lies beyond it counts as the mean
    steps = np.where(np.arange(200) < 100, np.arange(200), np.arange(200) + 50)
    split = model.predict(x, steps=steps)
    np.testing.assert_allclose(split[:100], model.predict(x[:100]), rtol=1e-10)
    np.testing.assert_allclose(split[100:], model.predict(x[100:]), rtol=1e-10)
    with pytest.raises(cs.InputError, match=r"lags must be different whole numbers of steps"):
        WienerFilter((0, 0)).fit(x, y)
    with pytest.raises(cs.InputError, match=r"steps must be 200 rising whole numbers"):
        model.predict(x, steps=steps[::-1])


def kalman_direct(model, x):
    """The textbook filter with the gain in the large dimension."""
    a, w, h, q = model.A_, model.W_, model.H_, model.Q_
    mean, cov, out = np.zeros(len(a)), model._start, []
    for t, row in enumerate(x - model.mean_x_):
        if t:
            mean, cov = a @ mean, a @ cov @ a.T + w
        gain = cov @ h.T @ np.linalg.inv(h @ cov @ h.T + q)
        mean, cov = mean + gain @ (row - h @ mean), cov - gain @ h @ cov
        out.append(mean)
    return np.array(out) + model.mean_y_


def test_kalman_filter_is_the_textbooks_and_recovers_what_was_planted():
    rng = np.random.default_rng(5)
    a = np.array([[0.95, 0.1], [-0.1, 0.95]])
    y = np.zeros((4000, 2))
    for t in range(1, len(y)):
        y[t] = a @ y[t - 1] + 0.3 * rng.normal(size=2)
    h = rng.normal(size=(2, 12))
    x = 5 + y @ h + 2 * rng.normal(size=(4000, 12))
    model = KalmanFilter(noise="full").fit(x, y)
    np.testing.assert_allclose(model.A_, a, atol=0.03)
    np.testing.assert_allclose(model.W_, 0.09 * np.eye(2), atol=0.01)
    np.testing.assert_allclose(model.H_, h.T, atol=0.15)
    np.testing.assert_allclose(model.Q_, 4 * np.eye(12), atol=0.5)
    np.testing.assert_allclose(model.predict(x[:60]), kalman_direct(model, x[:60]), rtol=1e-5, atol=1e-6)
    ridge = Ridge().fit(x[:3000], y[:3000])
    assert model.score(x[3000:], y[3000:]) > ridge.score(x[3000:], y[3000:]) + 0.02
    steps = np.where(np.arange(60) < 30, np.arange(60), np.arange(60) + 5)  # anew after a break
    np.testing.assert_allclose(model.predict(x[:60], steps=steps)[30:], model.predict(x[30:60]), rtol=1e-8)
    led = KalmanFilter(lag=-3).fit(
        np.roll(x, -3, axis=0)[:3990], y[:3990]
    )  # units come 3 steps before the state
    assert led.score(np.roll(x, -3, axis=0)[3:3990], y[3:3990]) > 0.9 * model.score(x, y)
    with pytest.raises(cs.InputError, match=r"no two of 10 samples are neighbours in time"):
        KalmanFilter().fit(x[:10], y[:10], steps=np.arange(10) * 2)


@pytest.mark.parametrize("of", [lambda k: k / 0.05, lambda k: k / 3, lambda k: 2 * k])
def test_rates_given_as_counts_are_said_once(of):
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 30)
    counts = of(rng.poisson(np.where(y == "a", 2, 4)[:, None], size=(60, 5)))
    x = cs.responses(counts, stimulus=np.arange(60).astype(str))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"rates-as-counts.*PoissonNaiveBayes takes counts"
    ) as said:
        cs.decode(x, y, model=PoissonNaiveBayes(), score="log_loss", n_boot=0, n_perm=0, rng=0)
    assert len(said) == 1
    with pytest.warns(cs.ConsilienceWarning, match=r"rates-as-counts.*its posterior holds for counts only"):
        BayesianDecoder(5).fit(counts, rng.random(60))


def test_bayesian_decoder_says_degrees_and_refuses_text():
    rng = np.random.default_rng(0)
    x, heading = rng.poisson(2, size=(60, 3)), rng.uniform(0, 360, 60)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"angle-units.*takes radians.* span 33\d\.\d, 53\.\d turns"
    ):
        BayesianDecoder(12, circular=True).fit(x, heading)
    with pytest.raises(cs.InputError, match="y must be numbers, such as places or headings, got text"):
        BayesianDecoder().fit(x, np.tile(["a", "b"], 30))
