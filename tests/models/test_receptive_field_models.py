"""Receptive fields: direct designs, scikit-learn, evidence by hand, planted fields, intervals, nulls, messages."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import check_estimator

from consilience import InputError
from consilience._core._errors import ConsilienceWarning
from consilience.linalg._lagged import LaggedSeries
from consilience.models import (
    ASD,
    GLM,
    LNP,
    LowRankRF,
    QuadraticRF,
    RidgeRF,
    SpikeTriggeredAverage,
    SpikeTriggeredCovariance,
    SplineRF,
)
from consilience.models._asd_evidence import Evidence
from consilience.models._stc_null import nested_test, weighted_moments

LAGS = (3, range(-1, 3), range(2, 5), 1)
# stimuli have any number of axes, and the words of refusals are ours; a message of scikit-learn names features
WORDS = {
    "check_n_features_in_after_fitting",
    "check_complex_data",
    "check_dtype_object",
    "check_estimators_empty_data_messages",
    "check_fit2d_1sample",
    "check_fit1d",
    "check_fit2d_predict1d",
    "check_requires_y_none",
}


def direct(x, lags, trials=None):
    """The design by its definition, and its frames."""
    listed = range(lags) if isinstance(lags, int) else lags
    n = len(x)
    label = np.zeros(n) if trials is None else np.asarray(trials)
    rows = [t for t in range(n) if all(0 <= t - k < n and label[t - k] == label[t] for k in listed)]
    return np.array([np.concatenate([x[t - k].ravel() for k in listed]) for t in rows]), np.array(rows)


def respond(x, w):
    """sum_k w_k . x_{t-k}, what is before the start counts as 0."""
    flat, out = x.reshape(len(x), -1), np.zeros(len(x))
    for k, part in enumerate(w.reshape(len(w), -1)):
        out[k:] += flat[: len(x) - k] @ part
    return out


@pytest.fixture(scope="module")
def some():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3, 2)).cumsum(axis=1) + 5
    return x, rng.poisson(1.0, size=(300, 2)), np.repeat(np.arange(3), 100)


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        (SpikeTriggeredAverage(), set()),
        (RidgeRF(cv=2), set()),
        (ASD(max_iter=5), set()),
        (SplineRF(cv=2), {"check_regressors_train"}),  # its features have no order to be smooth over
        (LowRankRF(cv=2, n_null=0), set()),
    ],
)
def test_scikit_learn_contract(model, extra):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(model, on_fail=None, on_skip=None)
    failed = {row["check_name"] for row in found if row["status"] == "failed"}
    assert failed <= WORDS | extra, failed - WORDS - extra
    assert sum(row["status"] == "passed" for row in found) > 35


def test_clone_keeps_options():
    for model in (SpikeTriggeredCovariance(5, n_axes=2), LNP(4, nonlinearity="softplus")):
        assert clone(model).get_params() == model.get_params()


# the series and its lags


@pytest.mark.parametrize("lags", LAGS)
def test_sums_are_those_of_the_design(some, lags):
    x, y, trials = some
    listed = list(range(lags)) if isinstance(lags, int) else list(lags)
    design, rows = direct(x, lags, trials)
    series = LaggedSeries(x.reshape(300, -1), listed[0], listed[-1], [(0, 100), (100, 200), (200, 300)])
    assert np.array_equal(np.flatnonzero(series.rows), rows)
    design = design - np.tile(series.centre, series.n_lags)
    assert np.allclose(series.gram(), design.T @ design)
    assert np.allclose(series.kernel(), design @ design.T)
    assert np.allclose(series.sums(y), design.T @ y[rows])
    assert np.allclose(series.sums(y, less=np.array([1.0, 2.0])), design.T @ (y[rows] - [1.0, 2.0]))
    w = np.arange(series.width * 2.0).reshape(-1, 2)
    assert np.allclose(series.project(w)[rows], design @ w)
    assert np.isnan(series.project(w)[~series.rows]).all()
    used = series.rows & (np.arange(300) % 7 < 4)
    assert np.allclose(series.gram(used), design[used[rows]].T @ design[used[rows]])
    assert np.allclose(series.totals(used), design[used[rows]].sum(axis=0))


def test_blocks_do_not_show(some, monkeypatch):
    x = np.random.default_rng(0).normal(size=(1500, 4))
    whole = LaggedSeries(x, -2, 5, [(0, 700), (700, 1500)])
    expected = whole.gram(), whole.sums(x), whole.project(np.ones((whole.width, 1)))
    monkeypatch.setattr("consilience.linalg._lagged._VALUES", 1)
    assert np.allclose(whole.gram(), expected[0])
    assert np.allclose(whole.sums(x), expected[1])
    assert np.allclose(whole.project(np.ones((whole.width, 1))), expected[2], equal_nan=True)


# the average


@pytest.mark.parametrize("lags", LAGS)
def test_average_is_its_definition(some, lags):
    x, y, trials = some
    design, rows = direct(x, lags, trials)
    model = SpikeTriggeredAverage(lags).fit(x, y, trials=trials)
    expected = (y[rows].T @ (design - design.mean(axis=0))) / y[rows].sum(axis=0)[:, None]
    assert np.allclose(model.coef_.reshape(2, -1), expected)
    assert model.n_frames_ == len(rows)
    assert np.array_equal(model.n_spikes_, y[rows].sum(axis=0))
    assert np.allclose(model.mean_.ravel(), design.mean(axis=0))
    assert model.response_ == "counts"


@pytest.mark.slow  # most of it is compiling
def test_average_of_pynapple(some):
    nap = pytest.importorskip("pynapple")
    x, y, _ = some
    frames, counts = np.arange(300) / 10, y[:, 0].copy()
    counts[:4] = 0  # theirs also counts spikes at the start, with what there is of their past
    feature = nap.Tsd(t=frames, d=x[:, 1, 1])
    group = nap.TsGroup({0: nap.Ts(np.repeat(frames, counts))}, time_support=feature.time_support)
    if not hasattr(nap, "compute_event_triggered_average"):
        pytest.skip("an older pynapple")
    theirs = nap.compute_event_triggered_average(feature, group, 0.1, window=(-0.4, 0.0))
    model = SpikeTriggeredAverage(5).fit(x, counts)
    ours = (model.coef_ + model.mean_)[0, ::-1, 1, 1]  # their first row is the earliest
    assert np.allclose(np.asarray(theirs).ravel(), ours, atol=1e-3)


def test_a_frame_counts_once_per_spike(some):
    x, y, _ = some
    y = y[:, :1].copy()
    y[7] += 5
    doubled = SpikeTriggeredAverage().fit(np.repeat(x, np.maximum(y[:, 0], 0), axis=0), np.ones(y.sum(), int))
    model = SpikeTriggeredAverage().fit(x, y)
    assert np.allclose(doubled.mean_, model.coef_[0] + model.mean_)


def test_values_are_the_cross_covariance(some):
    x, _, _ = some
    y = np.random.default_rng(1).normal(size=300) - 3
    model = SpikeTriggeredAverage(2).fit(x, y)
    design, rows = direct(x, 2)
    cov = (y[rows] - y[rows].mean()) @ design / len(rows)
    assert model.response_ == "values"
    assert np.allclose(model.coef_.ravel(), cov / x.reshape(300, -1).var(axis=0).mean())
    # adding a constant changes nothing, which is not so for an average
    assert np.allclose(SpikeTriggeredAverage(2).fit(x, y + 9).coef_, model.coef_)
    counts = np.random.default_rng(1).poisson(1.0, 300)
    one, two = (SpikeTriggeredAverage(2).fit(x, counts + c).coef_ for c in (0, 1))
    assert not np.allclose(one, two)


def test_whitened_is_least_squares(some):
    x, y, trials = some
    design, rows = direct(x, 2, trials)
    model = SpikeTriggeredAverage(2, whiten=True, cut=0).fit(x, y, trials=trials)
    ols = np.linalg.lstsq(design - design.mean(axis=0), y[rows] - y[rows].mean(axis=0), rcond=None)[0]
    assert np.allclose(model.coef_.reshape(2, -1) * y[rows].mean(axis=0)[:, None], ols.T)
    predicted = model.predict(x, trials=trials)
    assert np.isnan(predicted[[0, 100, 200]]).all()
    assert np.allclose(predicted[rows], (design - design.mean(axis=0)) @ ols + y[rows].mean(axis=0))


def test_whitened_is_unbiased_and_plain_is_not():
    """Correlated Gaussian stimulus, exponential and half-squared units: up to scale, within 4 standard errors."""
    w = np.zeros((2, 8))
    w[0, 3], w[1, 4] = 1.0, -0.6
    plain, white = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = gaussian_filter(rng.normal(size=(3000, 8)), (1.0, 0.8))
        x /= x.std()
        g = respond(x, w) * 0.8
        y = rng.poisson(np.stack([np.exp(g - 1), np.maximum(g, 0) ** 2], axis=1))
        for out, options in ((plain, {}), (white, {"whiten": True, "cut": 0})):
            found = SpikeTriggeredAverage(2, **options).fit(x, y).coef_
            out.append(found)
    white = np.array(white)
    mean, error = white.mean(axis=0), white.std(axis=0, ddof=1) / np.sqrt(len(white))
    scale = np.einsum("ulp,lp->u", mean, w) / (w**2).sum()
    assert (np.abs(mean - scale[:, None, None] * w) < 4.2 * error).all()
    blurred = np.array(plain).mean(axis=0)
    assert np.abs(blurred[:, 0, 2]).min() > 0.3 * blurred[:, 0, 3].max()  # a neighbour that drives nothing


def test_standard_error_of_the_average():
    """Against the spread over draws, where frames are independent and spikes depend on the stimulus a little."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(500, 4)) * [1, 2, 3, 4]
        y = rng.poisson(np.exp(0.1 * x[:, 0] - 0.5))
        found.append(SpikeTriggeredAverage(2).fit(x, y))
    spread = np.std([m.coef_ for m in found], axis=0)
    stated = np.mean([m.se_ for m in found], axis=0)
    assert np.allclose(spread, stated, rtol=0.2)


# ridge


@pytest.mark.parametrize("lags", LAGS)
@pytest.mark.parametrize("alpha", [0.5, 300.0])
def test_ridge_of_scikit_learn(some, lags, alpha):
    x, y, trials = some
    design, rows = direct(x, lags, trials)
    ours = RidgeRF(lags, alphas=alpha).fit(x, y, trials=trials)
    theirs = Ridge(alpha=alpha).fit(design, y[rows])
    assert np.allclose(ours.coef_.reshape(2, -1), theirs.coef_)
    assert np.allclose(ours.intercept_, theirs.intercept_)
    assert np.allclose(ours.predict(x, trials=trials)[rows], theirs.predict(design))


def test_ridge_with_more_weights_than_frames():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5, 5)), rng.normal(size=(60, 2))
    design, rows = direct(x, 4)
    ours = RidgeRF(4, alphas=3.0).fit(x, y)
    assert np.allclose(ours.coef_.reshape(2, -1), Ridge(alpha=3.0).fit(design, y[rows]).coef_)
    centred = design - design.mean(axis=0)
    inverse = np.linalg.inv(centred.T @ centred + 3.0 * np.eye(100))
    assert np.allclose(ours.std_.reshape(2, -1) ** 2, ours.noise_[:, None] * np.diag(inverse))
    residual = y[rows] - ours.predict(x)[rows]
    df = np.trace(centred @ inverse @ centred.T)
    assert np.allclose(ours.df_, df)
    assert np.allclose(ours.noise_, (residual**2).sum(axis=0) / max(len(rows) - 1 - df, 1))


def test_ridge_chooses_by_the_errors_of_held_out_runs(some):
    x, y, trials = some
    design, rows = direct(x, 3, trials)
    y = y + x[:, 1, 0, None]
    model = RidgeRF(3, cv=4, gap=5).fit(x, y, trials=trials)
    errors, total = np.zeros((10, 2)), np.zeros(2)
    for k in range(4):
        at = np.arange(k * len(rows) // 4, (k + 1) * len(rows) // 4)
        train = (rows < rows[at[0]] - 5) | (rows > rows[at[-1]] + 5)
        total += ((y[rows[at]] - y[rows[train]].mean(axis=0)) ** 2).sum(axis=0)
        for i, alpha in enumerate(model.alphas_):
            fitted = Ridge(alpha=alpha).fit(design[train], y[rows[train]])
            errors[i] += ((fitted.predict(design[at]) - y[rows[at]]) ** 2).sum(axis=0)
    assert np.allclose(model.cv_scores_, 1 - errors / total)
    assert np.array_equal(model.alpha_, model.alphas_[errors.argmin(axis=0)])


def test_units_are_as_if_alone(some):
    x, y, _ = some
    both = RidgeRF(3).fit(x, y)
    alone = RidgeRF(3).fit(x, y[:, 1])
    assert np.allclose(both.coef_[1:], alone.coef_)
    assert both.predict(x).shape == (300, 2)
    assert alone.predict(x).shape == (300,)


def test_units_of_the_stimulus(some):
    """c x has a field of 1 / c, whatever c: squares would overflow."""
    x, y, _ = some
    for make in (
        lambda: RidgeRF(2),
        lambda: SpikeTriggeredAverage(2, whiten=True),
        lambda: ASD(2),
        lambda: SplineRF(2),
    ):
        plain = make().fit(x, y)
        for c in (2.0**400, 2.0**-400):
            scaled = make().fit(x * c, y)
            assert np.allclose(scaled.coef_ * c, plain.coef_, rtol=1e-4, atol=1e-7)
            assert np.allclose(scaled.predict(x * c), plain.predict(x), equal_nan=True, rtol=1e-4)


def test_average_is_in_units_of_the_stimulus(some):
    x, y, _ = some
    plain = SpikeTriggeredAverage(2).fit(x, y)
    for c in (2.0**400, 2.0**-400):
        scaled = SpikeTriggeredAverage(2).fit(x * c, y)
        assert np.allclose(scaled.coef_ / c, plain.coef_)
        assert np.allclose(scaled.se_ / c, plain.se_)
        assert np.allclose(scaled.predict(x * c), plain.predict(x), equal_nan=True)


@pytest.mark.parametrize("make", [np.float32, np.float16, ">f8", np.int16, np.uint8])
def test_types_of_stimuli(some, make):
    x, y, _ = some
    values = np.round(x * 10)
    expected = RidgeRF(2, alphas=1e3).fit(values, y).coef_
    given = values.astype(make)
    before = given.copy()
    given.flags.writeable = False
    found = RidgeRF(2, alphas=1e3).fit(given, y).coef_
    assert np.array_equal(given, before)
    if make != np.uint8:  # below 0 wraps around
        assert np.allclose(found, expected, rtol=2e-2, atol=2e-5)


# smoothness by evidence


def by_hand(x, y, theta, shape):
    """Evidence of deviations from the mean, in coordinates without it; posterior mean and covariance."""
    n = len(x)
    k = np.exp(theta[1]) * np.ones((1, 1))
    for size, length in zip(shape, np.exp(theta[2:])):
        at = np.arange(size)
        k = np.kron(k, np.exp(-0.5 * (at[:, None] - at) ** 2 / length**2))
    turn = np.linalg.qr(np.c_[np.ones(n), np.random.default_rng(0).normal(size=(n, n - 1))])[0][:, 1:]
    a, z = turn.T @ x, turn.T @ y
    m = np.exp(theta[0]) * np.eye(n - 1) + a @ k @ a.T
    value = -0.5 * ((n - 1) * np.log(2 * np.pi) + np.linalg.slogdet(m)[1] + z @ np.linalg.solve(m, z))
    gain = k @ a.T @ np.linalg.inv(m)
    return value, gain @ z, k - gain @ a @ k


def test_evidence_gradient_and_posterior():
    rng = np.random.default_rng(0)
    shape = (3, 4, 2)
    x = rng.normal(size=(70, 24))
    x -= x.mean(axis=0)
    y = x @ rng.normal(size=24) * 0.2 + rng.normal(size=70)
    y -= y.mean()
    evidence = Evidence(x.T @ x, shape, 69)
    theta = np.array([0.1, -2.0, *np.log([0.8, 1.1, 0.6])])
    value, gradient, found = evidence.at(theta, x.T @ y, float(y @ y), posterior=True)
    expected, mean, covariance = by_hand(x, y, theta, shape)
    assert np.isclose(value, expected)
    assert np.allclose(found[0], mean)
    assert np.allclose(found[1], np.diag(covariance))
    steps = 1e-5 * np.eye(5)
    numeric = [
        (evidence.at(theta + s, x.T @ y, y @ y)[0] - evidence.at(theta - s, x.T @ y, y @ y)[0]) / 2e-5
        for s in steps
    ]
    assert np.allclose(gradient, numeric, rtol=1e-5, atol=1e-5)


def test_evidence_is_at_its_top():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 10))
    w = np.array([np.zeros(10), np.exp(-((np.arange(10) - 4) ** 2) / 3)])
    y = respond(x, w) + rng.normal(size=400)
    model = ASD(2, tol=1e-6).fit(x, y)
    design, rows = direct(x, 2)
    design, z = design - design.mean(axis=0), y[rows] - y[rows].mean()
    evidence = Evidence(design.T @ design, (2, 10), len(rows) - 1)
    top = np.log([model.noise_[0], model.prior_[0], *model.lengths_[0]])
    value = evidence.at(top, design.T @ z, z @ z)[0]
    assert np.isclose(value, model.evidence_[0])
    for step in np.concatenate([np.eye(4), -np.eye(4)]) * 0.05:
        assert evidence.at(top + step, design.T @ z, z @ z)[0] < value + 1e-3


def drawn(rng, shape, lengths):
    w = 0.3 * rng.normal(size=shape)
    for axis, length in enumerate(lengths):
        at = np.arange(shape[axis])
        k = np.exp(-0.5 * (at[:, None] - at) ** 2 / length**2) + 1e-9 * np.eye(at.size)
        w = np.moveaxis(np.tensordot(np.linalg.cholesky(k), np.moveaxis(w, axis, 0), 1), 0, axis)
    return w


@pytest.mark.parametrize("make", [lambda: ASD(4), lambda: RidgeRF(4), lambda: SplineRF(4, n_splines=[4, 6])])
def test_intervals_cover(make):
    """Fields drawn from the prior of the method: 95 % intervals, 40 draws x 40 numbers."""
    kind, held = type(make()).__name__, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        if kind == "SplineRF":
            one, two = make()._bases((4, 10))
            w = 0.3 * np.einsum("ka,pb,ab->kp", one, two, rng.normal(size=(4, 6)))
        else:
            w = drawn(rng, (4, 10), (1.2, 2.0) if kind == "ASD" else (1e-3, 1e-3))
        x = rng.normal(size=(400, 10))
        model = make().fit(x, respond(x, w) + 1.5 * rng.normal(size=400))
        low, high = model.coef_interval()
        held.append(((low[0] <= w) & (w <= high[0])).mean())
    assert 0.91 < np.mean(held) < 0.975


def test_smooth_prior_wins_where_the_field_is_smooth():
    rng = np.random.default_rng(3)
    at = np.arange(12)
    w = np.exp(-((np.arange(5)[:, None, None] - 2) ** 2) / 2 - ((at[:, None] - 5) ** 2 + (at - 6) ** 2) / 8)
    x = rng.normal(size=(1200, 12, 12))
    y = respond(x, w) + 4 * rng.normal(size=1200)
    likeness = {
        type(m).__name__: np.corrcoef(m.fit(x, y).coef_.ravel(), w.ravel())[0, 1]
        for m in (ASD(5), RidgeRF(5), SpikeTriggeredAverage(5), SplineRF(5))
    }
    assert likeness["ASD"] > 0.9
    assert likeness["ASD"] > likeness["SplineRF"] > likeness["RidgeRF"] > 0.3
    assert likeness["ASD"] > likeness["SpikeTriggeredAverage"]


# splines


def test_spline_is_a_regression_in_the_basis(some):
    x, y, trials = some
    model = SplineRF(3, n_splines=[2, 2, 1], degree=1, alphas=5.0).fit(x, y, trials=trials)
    design, rows = direct(x, 3, trials)
    a, b, c = model._bases((3, 3, 2))
    whole = np.kron(np.kron(a, b), c)
    theirs = Ridge(alpha=5.0).fit(design @ whole, y[rows])
    assert np.allclose(model.coef_.reshape(2, -1), theirs.coef_ @ whole.T)
    assert np.allclose(model.predict(x, trials=trials)[rows], theirs.predict(design @ whole))


def test_poisson_spline_is_a_glm(some):
    x, y, _ = some
    model = SplineRF(2, n_splines=9, observation="poisson", alphas=[0.05], cv=2).fit(x, y)
    design, rows = direct(x, 2)
    theirs = GLM("poisson", alpha=0.05, tol=1e-8).fit(design, y[rows])
    assert np.allclose(model.coef_.reshape(2, -1), theirs.coef_, atol=1e-3)
    assert np.allclose(model.predict(x)[rows], theirs.predict(design), rtol=2e-3)


# low rank


def test_low_rank_finds_rank_and_parts():
    rng = np.random.default_rng(0)
    time = np.array([[0.2, 1.0, 0.5, -0.4, 0.0], [0.0, 0.3, -0.6, 0.8, 0.4]])
    space = np.stack([np.exp(-((np.arange(12) - c) ** 2) / 4) for c in (3, 8)])
    x = rng.normal(size=(2500, 12))
    one, two = np.outer(time[0], space[0]), time.T @ space
    y = np.stack([respond(x, w) + 1.5 * rng.normal(size=2500) for w in (one, two)], axis=1)
    model = LowRankRF(5, rng=0, n_null=99).fit(x, y)
    assert model.rank_.tolist() == [1, 2]
    assert abs(model.temporal_[0, 0] @ time[0]) / np.linalg.norm(time[0]) > 0.98
    assert np.corrcoef(model.spatial_[0, 0], space[0])[0, 1] > 0.98
    assert np.allclose(np.einsum("url,urp->ulp", model.temporal_, model.spatial_), model.coef_)
    assert np.allclose(np.linalg.norm(model.temporal_[1, :2], axis=1), 1.0)
    assert model.p_inseparable_[0] > 0.05 > model.p_inseparable_[1]
    low, high = model.separability_null_[0]
    assert low < model.separability_[0] < high


def test_full_rank_is_ridge(some):
    x, y, _ = some
    low = LowRankRF(3, rank=3, alphas=[40.0, 50.0], n_null=0).fit(x, y)
    for u in range(2):
        ridge = RidgeRF(3, alphas=low.alpha_[u]).fit(x, y[:, u])
        assert np.allclose(low.coef_[u], ridge.coef_[0])


def test_low_rank_is_no_worse_than_the_cut_ridge():
    """The penalised error of rank 1 is at most that of the leading singular part of the ridge solution."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(200, 6)), rng.normal(size=200)
    design, rows = direct(x, 4)
    centred, z = design - design.mean(axis=0), y[rows] - y[rows].mean()
    model = LowRankRF(4, rank=1, alphas=[10.0, 10.1], n_null=0).fit(x, y)
    ridge = RidgeRF(4, alphas=float(model.alpha_[0])).fit(x, y).coef_[0]
    left, s, right = np.linalg.svd(ridge, full_matrices=False)

    def loss(w):
        return ((z - centred @ w.ravel()) ** 2).sum() + model.alpha_[0] * (w**2).sum()

    scale = max(loss(c * np.outer(left[:, 0], right[0]) * s[0]) for c in (1.0,))
    assert loss(model.coef_[0]) <= scale
    assert loss(model.coef_[0]) >= loss(ridge)


# covariance


def test_weighted_moments_are_their_definition():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(400, 5)).astype(np.float32), rng.poisson(0.7, size=400)
    ensemble = np.repeat(z.astype(np.float64), y, axis=0)
    found = weighted_moments(z, y.astype(float), counts=True)
    assert np.allclose(found.mean, ensemble.mean(axis=0), atol=1e-6)
    assert np.allclose(found.matrix, np.cov(ensemble.T, bias=True), atol=1e-5)
    values = rng.normal(size=400)
    found = weighted_moments(z, values, counts=False)
    away = values - values.mean()
    assert np.allclose(found.matrix, (z * away[:, None]).T.astype(float) @ z / 400, atol=1e-5)


def test_eigenvalues_are_those_of_the_whitened_ensemble(some):
    x, y, _ = some
    model = SpikeTriggeredCovariance(2, cut=0, n_null=0, project=True).fit(x, y)
    design, rows = direct(x, 2)
    centred = design - design.mean(axis=0)
    root = np.linalg.cholesky(np.linalg.inv(centred.T @ centred / len(rows)))
    z = centred @ root
    ensemble = np.repeat(z, y[rows, 0], axis=0)
    mean = ensemble.mean(axis=0)
    out = np.eye(12) - np.outer(mean, mean) / (mean @ mean)
    expected = np.linalg.eigvalsh(out @ np.cov(ensemble.T, bias=True) @ out)
    expected = np.delete(expected, np.abs(expected).argmin())
    assert np.allclose(model.eigenvalues_[0, :-1], expected[::-1], atol=1e-4)
    assert np.isnan(model.eigenvalues_[0, -1])
    # filters have variance 1 over frames
    drive = centred @ model.excitatory_[0].reshape(4, -1).T
    assert np.allclose(drive.var(axis=0), 1.0, atol=1e-4)


def test_finds_a_quadrature_pair_and_a_suppressive_axis():
    rng = np.random.default_rng(0)
    at = np.arange(10)
    pair = np.stack([np.cos(at), np.sin(at)]) * np.exp(-((at - 4.5) ** 2) / 6)
    x = rng.normal(size=(12000, 10))
    past = np.roll(x, 1, axis=0)
    energy = ((past @ pair.T) ** 2).sum(axis=1)
    y = rng.poisson(0.25 * np.stack([energy, np.exp(-0.5 * past[:, 8] ** 2) * 2], axis=1))
    model = SpikeTriggeredCovariance(3, n_null=60, rng=0).fit(x, y)
    assert model.n_excitatory_.tolist() == [2, 0]
    assert model.n_suppressive_.tolist() == [0, 1]
    found = np.linalg.qr(model.axes(0)[:, 1].T)[0]
    cosines = np.linalg.svd(found.T @ np.linalg.qr(pair.T)[0], compute_uv=False)
    assert cosines.min() > 0.95
    assert np.abs(model.axes(1)[0]).argmax() == 1 * 10 + 8
    assert np.isnan(model.p_excitatory_[0, 3])
    again = SpikeTriggeredCovariance(3, n_null=60, rng=0).fit(x, y)
    assert np.array_equal(again.p_excitatory_, model.p_excitatory_, equal_nan=True)


def test_an_average_of_noise_takes_no_axis_with_it():
    """In few dimensions it lies mostly within the plane of a complex cell, whose second axis it would spoil."""
    rng = np.random.default_rng(3)
    pair = np.zeros((10, 2))
    pair[3:6] = np.array([[0.5, 1.0, 0.5], [1.0, 0.0, -1.0]]).T
    pair /= np.linalg.norm(pair, axis=0)
    x = rng.normal(size=(8000, 10))
    drive = x @ pair
    rates = [0.18 * (drive**2).sum(axis=1)] * 15 + [0.3 * np.exp(0.5 * drive[:, 0])]
    y = np.stack([rng.poisson(rate) for rate in rates], axis=1)
    model = SpikeTriggeredCovariance(n_null=60, rng=0).fit(x, y)
    assert model.projected_[:15].sum() <= 2
    assert model.projected_[15]
    assert model.p_sta_[15] < 0.02

    def worst(fitted):
        planes = [np.linalg.qr(axes[:2, 0].T)[0].T @ pair for axes in fitted.excitatory_[:15]]
        return np.median([np.linalg.svd(part, compute_uv=False).min() for part in planes])

    assert worst(model) > 0.98
    always = SpikeTriggeredCovariance(n_null=0, project=True).fit(x, y)
    assert worst(always) < 0.95
    assert always.projected_.all()
    each = SpikeTriggeredCovariance(n_null=0, project=model.projected_).fit(x, y)
    assert np.array_equal(each.eigenvalues_, model.eigenvalues_, equal_nan=True)
    assert not SpikeTriggeredCovariance(n_null=0, project=False).fit(x, y).projected_.any()
    with pytest.raises(InputError, match="project must be 'auto', True, False"):
        SpikeTriggeredCovariance(n_null=0, project=0.5).fit(x, y)


@pytest.mark.slow
def test_shifts_hold_their_level_and_shuffles_do_not():
    """Smooth stimulus, slow unrelated spikes: shifts find an axis in about 0.05 of units, shuffled frames in more."""
    shifted, shuffled = 0, 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = gaussian_filter(rng.normal(size=(3000, 6)), (4, 1), mode="wrap")
        g = gaussian_filter(rng.normal(size=3000), 6, mode="wrap")
        y = rng.poisson(0.3 * np.exp(g / g.std() - 0.5))
        model = SpikeTriggeredCovariance(3, n_null=80, rng=seed).fit(x, y)
        shifted += bool(model.n_excitatory_[0] + model.n_suppressive_[0])
        rows = np.arange(2, 3000)
        design, _ = direct(x, 3)
        values, vectors = np.linalg.eigh(np.cov(design.T))
        kept = values > 0.01 * values[-1]
        white = ((design - design.mean(axis=0)) @ (vectors[:, kept] / np.sqrt(values[kept]))).astype(
            np.float32
        )
        found = weighted_moments(white, y[rows].astype(float), counts=True)
        null = [
            weighted_moments(white, rng.permutation(y[rows]).astype(float), counts=True).matrix
            for _ in range(80)
        ]
        values, vectors = np.linalg.eigh(found.matrix)
        tested = nested_test(values, vectors, np.stack(null), 1, 0.025)
        shuffled += bool(tested.n_high + tested.n_low)
    assert shifted <= 12
    assert shuffled >= 2.5 * shifted
    assert shuffled >= 25


def test_nested_test_takes_found_axes_out_of_the_null():
    """The null varies by 5 along the first axis and by 0.1 along others: 3 is beyond only without the first."""
    rng = np.random.default_rng(0)
    null = np.zeros((60, 5, 5))
    null[:, 0, 0] = 5 * np.abs(rng.normal(size=60))
    null[:, [1, 2, 3, 4], [1, 2, 3, 4]] = 0.1 * rng.normal(size=(60, 4))
    data = np.diag([50.0, 3.0, 0.0, 0.0, -2.0])
    values, vectors = np.linalg.eigh(data)
    found = nested_test(values, vectors, null, 3, 0.025)
    assert (found.n_high, found.n_low) == (2, 1)
    assert np.allclose(found.p_high[:2], 1 / 61)
    assert found.p_high[2] > 0.1
    assert found.limits[0] > 3
    alone = nested_test(*np.linalg.eigh(np.diag([1.0, 3.0, 0.0, 0.0, -2.0])), null, 3, 0.025)
    assert alone.n_high == 0  # 3 does not exceed what the first axis does by chance


def test_linear_unit_has_no_further_axis():
    rng = np.random.default_rng(0)
    x = gaussian_filter(rng.normal(size=(6000, 8)), (1, 1))
    x /= x.std()
    y = rng.poisson(0.3 * np.exp(0.7 * x[:, [3, 4]]))
    model = SpikeTriggeredCovariance(3, n_null=60, rng=1).fit(x, y)
    assert model.n_excitatory_.tolist() == [0, 0]
    assert (model.sta_size_ > 0.3).all()
    assert (model.null_[:, 1] < 1).all()
    assert (model.null_[:, 0] > 1).all()


# second order by regression


def test_quadratic_is_ridge_on_products(some):
    x, y, trials = some
    model = QuadraticRF(2, n_components=4, alphas=7.0, n_null=0).fit(x, y, trials=trials)
    design, rows = direct(x, 2, trials)
    centred = design - design.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    s = centred @ vectors[:, ::-1][:, :4]
    s /= s[:, 0].std()
    products = np.stack(
        [s[:, i] * s[:, j] * (1 if i == j else 2**0.5) for i in range(4) for j in range(i, 4)], 1
    )
    theirs = Ridge(alpha=7.0).fit(np.concatenate([s, products], axis=1), y[rows])
    predicted = model.predict(x, trials=trials)
    assert np.allclose(
        predicted[rows], theirs.predict(np.concatenate([s, products], axis=1)), rtol=1e-3, atol=1e-4
    )
    assert np.isnan(predicted[[0, 100, 200]]).all()
    q = np.zeros((4, 4))
    q[np.triu_indices(4)] = theirs.coef_[0, 4:] * np.where(np.eye(4), 1, 2**-0.5)[np.triu_indices(4)]
    q = q + q.T - np.diag(np.diag(q))
    scale = (centred @ vectors[:, -1]).var()
    assert np.allclose(model.eigenvalues_[0], np.linalg.eigvalsh(q)[::-1] / scale, rtol=1e-2, atol=1e-4)
    assert np.isclose(model.explained_, values[::-1][:4].sum() / values.sum())


def test_quadratic_does_not_mind_contrast_and_covariance_does():
    """Frames of changing contrast: the axes of a complex cell, and what is found where there is none."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9000, 8)) * np.exp(0.6 * rng.normal(size=(9000, 1)))
    g = np.roll(x, 1, axis=0)
    y = rng.poisson(
        0.1 * np.minimum(np.stack([g[:, 2] ** 2 + g[:, 5] ** 2, np.maximum(g[:, 3], 0)], axis=1), 30)
    )
    found = QuadraticRF(2, n_components=16, n_null=80, rng=0).fit(x, y)
    assert found.n_excitatory_[0] >= 2
    plane = found.excitatory_[0, :2, 1]
    assert (np.linalg.norm(plane[:, [2, 5]], axis=1) > 0.95).all()
    stc = SpikeTriggeredCovariance(2, n_null=80, rng=0).fit(x, y)
    assert stc.n_excitatory_[0] > 2  # contrast alone: every axis of the frames that drive it
    unrelated = QuadraticRF(2, n_components=16, n_null=80, rng=0).fit(x, rng.poisson(0.3, size=(9000, 6)))
    assert (unrelated.n_excitatory_ + unrelated.n_suppressive_).sum() <= 1
    assert unrelated.score(x, rng.poisson(0.3, size=(9000, 6))) < 0.01


# spikes through a nonlinearity


@pytest.mark.parametrize("kind", ["histogram", "exponential", "softplus", "quadratic"])
@pytest.mark.parametrize("stage", ["ridge", "poisson"])
def test_nonlinearity_is_found(kind, stage):
    rng = np.random.default_rng(0)
    w = np.zeros((3, 8))
    w[1] = 0.6 * np.exp(-((np.arange(8) - 3.5) ** 2) / 6)
    x = rng.normal(size=(8000, 8))
    rate = np.exp(respond(x, w) - 1)
    y = rng.poisson(rate)
    model = LNP(3, filter=stage, nonlinearity=kind).fit(x[:6000], y[:6000])
    value, low, high = model.bits_per_spike(x[6000:], y[6000:])
    truth = (y * np.log2(rate / model.mean_rate_) - (rate - model.mean_rate_) / np.log(2))[6002:]
    best = truth.sum() / y[6002:].sum()
    assert low[0] < best
    assert high[0] > 0.9 * best
    assert 0.8 * best < value[0] < best + 0.03
    assert np.isclose(model.score(x[6000:], y[6000:]), value[0])
    if kind == "exponential":
        assert np.isclose(model.curve_[0, 1], np.sqrt((w**2).sum()), atol=0.15)


def test_nonlinearity_comes_from_frames_the_filter_did_not_see():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(800, 20)), rng.poisson(0.5, size=800)
    y = y + rng.poisson(0.3 * np.maximum(x[:, 3], 0))
    model = LNP(2, nonlinearity="exponential", held_out=0.4).fit(x, y)
    w = RidgeRF(2).fit(x[:480], y[:480]).coef_[0]
    g = respond(x[480:], w)[1:]
    by_hand = GLM("poisson", alpha=1e-4).fit(((g - g.mean()) / g.std())[:, None], y[481:])
    assert np.allclose(model.curve_[0, :2], [by_hand.intercept_, by_hand.coef_[0]], atol=1e-4)
    assert np.allclose(model.coef_[0], w / g.std())


def test_unrelated_spikes_are_not_predicted():
    """On new frames an LNP of noise is below the mean rate; on its own frames it would not be."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 30)), rng.poisson(0.3, size=(4000, 3))
    model = LNP(5).fit(x[:2000], y[:2000])
    value, low, high = model.bits_per_spike(x[2000:], y[2000:])
    assert (low < 0.01).all()
    assert (value < 0.01).all()
    assert (high > low).all()


# degenerate input, and words


def test_silent_and_constant_units(some):
    x, y, _ = some
    y = np.stack([y[:, 0], np.zeros(300, int)], axis=1)
    with pytest.warns(ConsilienceWarning, match=r"1 of 2 units have no spike"):
        sta = SpikeTriggeredAverage(2).fit(x, y)
    assert np.isnan(sta.coef_[1]).all()
    assert np.isfinite(sta.coef_[0]).all()
    assert np.allclose(sta.predict(x)[1:, 1], 0)
    ridge = RidgeRF(2).fit(x, y)
    assert np.allclose(ridge.coef_[1], 0)
    with pytest.warns(ConsilienceWarning, match="constant-units"):
        asd = ASD(2).fit(x, y)
    assert np.allclose(asd.coef_[1], 0)
    with pytest.warns(ConsilienceWarning, match="no-events"):
        lnp = LNP(2).fit(x, y)
    assert np.allclose(lnp.predict(x)[1:, 1], 0, atol=1e-2)
    with pytest.warns(ConsilienceWarning, match="few-spikes"):
        stc = SpikeTriggeredCovariance(2, n_null=0).fit(x, y)
    assert np.isnan(stc.eigenvalues_[1]).all()


CASES = [
    (lambda x, y: RidgeRF(0).fit(x, y), "bad-parameter", "lags must be a number of frames, e.g. 15"),
    (lambda x, y: RidgeRF([0, 2]).fit(x, y), "bad-parameter", "consecutive whole numbers"),
    (lambda x, y: RidgeRF(301).fit(x, y), "too-few", "0 of 300 frames have all lags 0 to 300"),
    (lambda x, y: RidgeRF(2).fit(x, y[:-1]), "rows-differ", "a row for each of the 300 frames, got 299"),
    (lambda x, y: RidgeRF(2).fit(x * np.nan, y), "nan-values", "in 300 of 300 frames, first in frame 0"),
    (lambda x, y: RidgeRF(2).fit(x, y * np.nan), "nan-values", "y has 600 NaN"),
    (lambda x, y: RidgeRF(2).fit(x.astype(str), y), "not-numeric", "stimulus must hold real numbers"),
    (lambda x, y: RidgeRF(2).fit(x, y[:, :, None]), "not-2d", r"y must be \(frames, units\)"),
    (lambda x, y: RidgeRF(2, alphas=-1).fit(x, y), "bad-parameter", "alphas must be positive"),
    (lambda x, y: RidgeRF(2, cv=1).fit(x, y), "bad-parameter", "cv must be a whole number, at least 2"),
    (lambda x, y: RidgeRF(2, gap=300).fit(x, y), "too-few", "nothing is left to train"),
    (lambda x, y: RidgeRF(2).fit(x, y).predict(x[:, :2]), "bad-columns", "frames of the fit had shape"),
    (lambda x, y: RidgeRF(2).fit(x, y).score(x, y, y), "bad-parameter", "sample_weight"),
    (lambda x, y: SpikeTriggeredAverage(response="x").fit(x, y), "unknown-option", "response must be one of"),
    (
        lambda x, y: SpikeTriggeredAverage(response="counts").fit(x, y - 1),
        "negative-counts",
        "give response='values'",
    ),
    (lambda x, y: SpikeTriggeredAverage(cut=2).fit(x, y), "bad-parameter", "cut must be a number"),
    (lambda x, y: ASD(2).fit(x, y * 0), "no-structure", "no unit varies"),
    (lambda x, y: ASD(2).fit(x * 0, y), "no-structure", "the stimulus does not vary"),
    (lambda x, y: ASD(13000).fit(np.ones(20000), np.ones(20000)), "out-of-range", "13000 weights"),
    (lambda x, y: SplineRF(2, n_splines=[2, 2]).fit(x, y), "bad-parameter", "each of the 3 axes"),
    (lambda x, y: SplineRF(2, observation="poisson").fit(x, y - 5), "wrong-observation", "at least 0"),
    (lambda x, y: LowRankRF(2, rank=0).fit(x, y), "bad-parameter", "rank must be a whole number"),
    (lambda x, y: SpikeTriggeredCovariance(n_null=10).fit(x, y), "bad-parameter", "at least 39 are needed"),
    (lambda x, y: SpikeTriggeredCovariance().fit(x * 0, y), "no-structure", "0 components"),
    (lambda x, y: LNP(2, filter="lasso").fit(x, y), "unknown-option", "filter must be one of"),
    (lambda x, y: LNP(2).fit(x, y - 1), "wrong-observation", "at least 0"),
    (lambda x, y: LNP(2).fit(x, y).bits_per_spike(x[:30], y[:30]), "too-few", "at least 40"),
]


@pytest.mark.parametrize(("call", "code", "words"), CASES)
def test_refusals(some, call, code, words):
    x, y, _ = some
    with pytest.raises(InputError, match=words) as caught:
        call(x, y)
    assert caught.value.code == code


def test_lags_do_not_reach_over_jumps(some):
    x, y, _ = some
    times = np.arange(300) / 60
    times[150:] += 3
    by_time = RidgeRF(3).fit(x, y, times=times)
    by_label = RidgeRF(3).fit(x, y, trials=np.arange(300) >= 150)
    assert by_time.n_frames_ == 296
    assert np.array_equal(by_time.coef_, by_label.coef_)
    assert RidgeRF(3).fit(x, y).n_frames_ == 298


def test_lnp_with_a_filter_finer_than_splines():
    """In wide bins a filter changes from lag to lag: the Poisson filter goes without splines, and is no worse."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=6000)
    drive = 1.2 * np.roll(x, 3) - 0.8 * np.roll(x, 4)
    y = rng.poisson(np.exp(drive - 2))
    bits = {
        kind: LNP(10, filter=kind, nonlinearity="exponential")
        .fit(x[:4500], y[:4500])
        .bits_per_spike(x[4500:], y[4500:])[0]
        for kind in ("ridge", "poisson")
    }
    assert bits["poisson"] > 0.97 * bits["ridge"]
