"""Pseudo-R2, bits per spike and time rescaling: reference values, intervals, nulls, messages."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import consilience as cs
from consilience.stats import deviance, goodness_of_fit, time_rescaling
from consilience.stats._likelihood import likelihood_parts, saturated

RATE = 0.4 * np.exp(0.8 * np.sin(np.arange(2000) / 15))


def test_log_likelihoods_are_those_of_scipy():
    rng = np.random.default_rng(0)
    mu = rng.uniform(0.1, 3, size=(50, 2))
    counts = rng.poisson(mu).astype(float)
    p = rng.uniform(0.1, 0.9, size=(50, 2))
    bits = (rng.random((50, 2)) < p).astype(float)
    pairs = [
        ("poisson", counts, mu, 1.0, stats.poisson.logpmf(counts, mu)),
        ("bernoulli", bits, p, 1.0, stats.bernoulli.logpmf(bits, p)),
        ("gaussian", mu + 0.3, mu, 0.7, stats.norm.logpdf(mu + 0.3, mu, np.sqrt(0.7))),
        ("gamma", mu + 0.3, mu, 0.4, stats.gamma.logpdf(mu + 0.3, 1 / 0.4, scale=mu * 0.4)),
        ("negative_binomial", counts, mu, 0.6, stats.nbinom.logpmf(counts, 1 / 0.6, 1 / (1 + 0.6 * mu))),
    ]
    for name, y, mean, s, want in pairs:
        np.testing.assert_allclose(likelihood_parts(y, mean, name, s).total(y), want, atol=1e-10)
        full = saturated(y, name, s)
        positive = np.maximum(y, 1e-12) if name not in ("gaussian",) else y
        if name != "bernoulli":
            np.testing.assert_allclose(full, likelihood_parts(y, positive, name, s).total(y), atol=1e-6)
        assert (full >= want - 1e-12).all()


def test_deviance_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    mu = rng.uniform(0.1, 3, size=100)
    counts = rng.poisson(mu).astype(float)
    np.testing.assert_allclose(
        deviance(counts[:, None], mu[:, None], "poisson")[0] / 100, metrics.mean_poisson_deviance(counts, mu)
    )
    y = rng.gamma(2.0, mu)
    np.testing.assert_allclose(
        deviance(y[:, None], mu[:, None], "gamma")[0] / 100, metrics.mean_gamma_deviance(y, mu), rtol=1e-10
    )


def test_scores_by_hand():
    rng = np.random.default_rng(0)
    y = rng.poisson(RATE)
    found = goodness_of_fit(y, RATE, n_shifts=0, rng=0)
    model, base = stats.poisson.logpmf(y, RATE).sum(), stats.poisson.logpmf(y, y.mean()).sum()
    full = stats.poisson.logpmf(y, np.maximum(y, 1e-300)).sum()
    assert found.pseudo_r2 == pytest.approx((model - base) / (full - base))
    assert found.mcfadden == pytest.approx(1 - model / base)
    assert found.bits_per_spike == pytest.approx((model - base) / y.sum() / np.log(2))
    assert found.pseudo_r2_low < found.pseudo_r2 < found.pseudo_r2_high
    assert np.isnan(found.p)
    metrics = pytest.importorskip("sklearn.metrics")
    assert found.pseudo_r2 == pytest.approx(metrics.d2_tweedie_score(y, RATE, power=1))


def test_gaussian_pseudo_r2_is_r2_and_has_no_mcfadden():
    rng = np.random.default_rng(0)
    y = RATE + rng.normal(size=2000)
    found = goodness_of_fit(y, RATE, observation="gaussian", n_shifts=0)
    assert found.pseudo_r2 == pytest.approx(1 - ((y - RATE) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    assert np.isnan(found.mcfadden)
    assert np.isnan(found.bits_per_spike)


def test_the_null_is_every_circular_shift_computed_directly():
    rng = np.random.default_rng(0)
    y, mu = rng.poisson(RATE[:201]), RATE[:201]
    found = goodness_of_fit(y, mu, block=10, n_shifts=1000, rng=0)
    values = [goodness_of_fit(np.roll(y, s), mu, block=10, n_shifts=0).pseudo_r2 for s in range(10, 192)]
    assert found.null_mean == pytest.approx(np.mean(values))
    assert found.p == pytest.approx((1 + np.sum(np.array(values) >= found.pseudo_r2)) / (len(values) + 1))


def test_units_stand_in_columns_and_one_that_never_fires_has_no_score():
    rng = np.random.default_rng(0)
    mu = np.stack([RATE, RATE, RATE], axis=1)
    y = rng.poisson(mu).astype(float)
    y[:, 1] = 0
    found = goodness_of_fit(y, mu, rng=0)
    assert np.isnan(found.pseudo_r2[1])
    assert np.isnan(found.bits_per_spike[1])
    one = goodness_of_fit(y[:, 2], mu[:, 2], block=found.block, rng=0)
    assert found.pseudo_r2[2] == pytest.approx(one.pseudo_r2)
    assert found.pseudo_r2_low[2] == pytest.approx(one.pseudo_r2_low)


def smooth(rng, n, width):
    x = np.convolve(rng.normal(size=n + 10 * width), np.ones(width) / np.sqrt(width), "same")
    return x[5 * width : 5 * width + n]


@pytest.mark.slow
def test_intervals_hold_the_expected_score_and_p_has_its_size():
    held, false, rounds = 0, 0, 400
    truth = []
    scores = []
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        x, z = smooth(rng, 2000, 10), smooth(rng, 2000, 10)
        y = rng.poisson(0.3 * np.exp(0.6 * x))
        found = goodness_of_fit(y, 0.3 * np.exp(0.5 * x), n_shifts=0, baseline=0.3 * np.exp(0.18))
        scores.append((found.pseudo_r2, found.pseudo_r2_low, found.pseudo_r2_high))
        truth.append(found.pseudo_r2)
        false += goodness_of_fit(y, 0.3 * np.exp(0.3 * z), n_shifts=500, rng=seed).p <= 0.05
    expected = np.mean(truth)
    held = np.mean([low <= expected <= high for _, low, high in scores])
    assert 0.91 < held < 0.98
    assert false / rounds < 0.08


def simulated(rng, kind, units=1, n=4000):
    """Spikes with refractoriness: what a bin holds depends on the two before."""
    y, m = np.zeros((2, n, units))
    for i in range(n):
        rate = RATE[i % 2000] * np.exp(-1.5 * y[max(0, i - 2) : i].sum(axis=0))
        m[i] = -np.expm1(-rate) if kind == "bernoulli" else rate
        y[i] = rng.random(units) < m[i] if kind == "bernoulli" else rng.poisson(rate)
    return y, m


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["poisson", "bernoulli"])
def test_time_rescaling_rejects_a_true_model_at_its_level(kind):
    y, m = simulated(np.random.default_rng(0), kind, units=1000)
    p = time_rescaling(y, m, observation=kind, rng=0).p
    assert 0.035 < np.mean(p <= 0.05) < 0.068
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_time_rescaling_sees_a_model_without_history_or_stimulus():
    y, m = simulated(np.random.default_rng(0), "bernoulli")
    right = time_rescaling(y, m, observation="bernoulli", rng=0)
    assert right.p[0] > 0.01
    assert right.statistic[0] < right.band[0]
    flat = np.full((4000, 1), y.mean())
    none = time_rescaling(np.hstack([y, y]), np.hstack([flat, m]), observation="bernoulli", rng=0)
    assert none.p[0] < 1e-4 < none.p[1]
    assert none.statistic[0] > none.band[0]
    assert none.n_intervals.tolist() == [int(y.sum())] * 2


def test_rescaled_intervals_by_hand():
    y = np.array([0, 1, 0, 0, 1.0])
    m = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    found = time_rescaling(y, m, rng=0)
    z = found.uniform[0]
    low = [1 - np.exp(-0.1), 1 - np.exp(-(0.3 + 0.4))]
    high = [1 - np.exp(-0.3), 1 - np.exp(-(0.2 + 0.3 + 0.4 + 0.5))]
    assert low[0] <= z[0] <= high[0]
    assert low[1] - 0.2 <= z[1] <= high[1]


def test_units_with_one_spike_or_none_have_no_test():
    found = time_rescaling(np.array([[0.0, 0], [1, 0], [0, 0]]), np.full((3, 2), 0.3))
    assert np.isnan(found.p).all()
    assert found.n_intervals.tolist() == [1, 0]


def test_the_bins_end_would_reject_true_models():
    """What Haslinger et al. correct: intervals in whole bins are not uniform."""
    rng = np.random.default_rng(0)
    m = np.full(20000, 0.3)
    y = rng.random(20000) < m
    ends = np.cumsum(-np.log1p(-m))[y]
    assert stats.kstest(-np.expm1(-np.diff(ends)), "uniform").pvalue < 1e-10
    assert time_rescaling(y.astype(float), m, observation="bernoulli", rng=0).p[0] > 0.01


def test_a_baseline_without_events_gives_no_score_to_what_has_some():
    rng = np.random.default_rng(0)
    rate = np.exp(0.5 * rng.normal(size=(300, 3)) - 1)
    y = rng.poisson(rate)
    y[:, 2] = 0
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[no-events\] goodness_of_fit: .* 1 of 3 units \(\[1\]\)"
    ):
        found = goodness_of_fit(y, rate, baseline=[0.4, 0.0, 0.0], n_shifts=50, rng=0)
    alone = goodness_of_fit(y[:, 0], rate[:, 0], baseline=0.4, n_shifts=50, block=found.block, rng=0)
    assert found.pseudo_r2[0] == pytest.approx(alone.pseudo_r2)
    for name in ("pseudo_r2", "pseudo_r2_low", "mcfadden", "bits_per_spike", "bits_per_spike_high", "p"):
        assert np.isnan(getattr(found, name)[1]), name


def test_a_constant_prediction_is_no_short_recording():
    y = np.random.default_rng(0).poisson(1, 400)
    for value in (0.1, 0.3, 1 / 3):
        assert (
            goodness_of_fit(y, np.full(400, value), n_shifts=0).block < 20
        )  # and no warning, which would fail


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: goodness_of_fit(np.zeros(50), np.zeros(49)), r"of one shape; got \(50,\) and \(49,\)"),
        (lambda: goodness_of_fit(np.full(50, np.nan), np.zeros(50)), "y has 50 NaN or infinite"),
        (lambda: goodness_of_fit(np.full(50, -1), np.zeros(50)), "must be counts, at least 0; got -1"),
        (lambda: goodness_of_fit(np.zeros(10), np.zeros(10)), "at least 20 samples are needed, got 10"),
        (
            lambda: goodness_of_fit(np.zeros(50), np.zeros(50), block=20),
            "block must be a whole number, between 1 and 5",
        ),
        (
            lambda: goodness_of_fit(np.zeros(50), np.zeros(50), observation="x"),
            "observation must be one of 'poisson'",
        ),
        (
            lambda: time_rescaling(np.zeros(5), -np.ones(5)),
            "must be expected values of y, at least 0",
        ),
        (
            lambda: time_rescaling(np.zeros(5), np.full(5, 2.0), observation="bernoulli"),
            "probabilities, 0 to 1",
        ),
        (lambda: time_rescaling(np.full(5, 0.5), np.ones(5)), "y must be whole numbers of spikes"),
        (lambda: goodness_of_fit(np.ones(30), np.full(30, -0.1)), "at least 0; got -0.1 to -0.1"),
        (
            lambda: goodness_of_fit(np.ones(30), np.full(30, 1.1), observation="bernoulli"),
            "probabilities, 0 to 1; got 1.1",
        ),
        (
            lambda: goodness_of_fit(np.ones(30), np.ones(30), baseline=-1.0),
            "baseline of poisson .* at least 0",
        ),
        (lambda: goodness_of_fit(np.ones(30), np.ones(30), baseline=[1.0, 2.0]), "for each of the 1 units"),
    ],
)
def test_messages(call, message):
    with pytest.raises(cs.InputError, match=message):
        call()
