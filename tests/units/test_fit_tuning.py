"""Curves with few parameters: planted ones, closed forms, a general optimiser, held-out gain, degenerate input."""

import numpy as np
import pytest
from scipy.optimize import minimize

import consilience as cs
from consilience.units._tuning_models import MODELS

fit = cs.units.fit_tuning
DIRECTIONS = np.repeat(np.arange(0, 360, 30), 12)


def bump(x, m, k, a, b, period=360):
    return b + a * np.exp(k * (np.cos(2 * np.pi * (x[:, None] - m) / period) - 1))


def planted(units=60, seed=0):
    rng = np.random.default_rng(seed)
    truth = {
        "preferred": rng.uniform(0, 360, units),
        "amplitude": rng.uniform(5, 20, units),
        "baseline": rng.uniform(0.5, 3, units),
    }
    k = np.exp(rng.uniform(np.log(0.8), np.log(6), units))
    truth["half_width"] = np.degrees(np.arccos(1 + np.log((1 + np.exp(-2 * k)) / 2) / k))
    rate = bump(DIRECTIONS, truth["preferred"], k, truth["amplitude"], truth["baseline"])
    return rng.poisson(rate), truth, rate


def turned(found, truth):
    return np.abs((found - truth + 180) % 360 - 180)


def test_planted_bumps_are_found():
    counts, truth, rate = planted()
    found = fit(counts, DIRECTIONS, model="von_mises", period=360)
    assert np.median(turned(found["preferred"], truth["preferred"])) < 3
    low, high = found.interval("preferred")
    assert np.mean(turned(found["preferred"], truth["preferred"]) <= high - found["preferred"]) > 0.85
    for name, off in [("half_width", 4), ("amplitude", 1.2), ("baseline", 0.4)]:
        assert np.median(np.abs(found[name] - truth[name])) < off
        low, high = found.interval(name)
        assert np.mean((low <= truth[name]) & (high >= truth[name])) > 0.8
    assert (found.p < 0.01).all()
    assert (found.gain_low <= found.gain).all()
    assert np.median(found.dispersion) == pytest.approx(1, abs=0.1)
    error = np.sqrt(np.mean((found.predict(DIRECTIONS) - rate) ** 2))
    assert error < 1
    assert "von_mises, poisson, 60 units" in repr(found)


def test_slopes_are_those_of_the_curves():
    rng = np.random.default_rng(0)
    x = np.linspace(0.1, 0.9, 7)
    for shape in MODELS.values():
        q = rng.normal(0, 0.5, (3, len(shape.names)))
        _, slope = shape.curve(q, x)
        for k in range(q.shape[1]):
            step = np.zeros(q.shape[1])
            step[k] = 1e-6
            numeric = (shape.curve(q + step, x)[0] - shape.curve(q - step, x)[0]) / 2e-6
            np.testing.assert_allclose(slope[..., k], numeric, rtol=1e-5, atol=1e-7)


def test_half_width_is_where_the_curve_is_half():
    counts, _, _ = planted(20)
    found = fit(counts, DIRECTIONS, model="von_mises", period=360)
    for u in range(20):
        m, w = found["preferred"][u], found["half_width"][u]
        there, top, low = (found.predict([v])[0, u] for v in (m + w, m, m + 180))
        assert there == pytest.approx((top + low) / 2, rel=1e-6)
    x = np.random.default_rng(0).uniform(0, 10, 400)
    y = np.random.default_rng(1).poisson(1 + 9 * np.exp(-((x - 4) ** 2) / 2))[:, None]
    found = fit(y, x, model="gaussian")
    assert found["half_width"][0] == pytest.approx(np.sqrt(2 * np.log(2)), rel=0.15)
    there, top, base = found.predict([4.0])[0, 0], found["amplitude"][0], found["baseline"][0]
    edge = found.predict([found["preferred"][0] + found["half_width"][0]])[0, 0]
    assert edge == pytest.approx(base + top / 2)
    assert there == pytest.approx(10, rel=0.2)


def test_cosine_with_gaussian_noise_is_the_regression():
    """Georgopoulos: mean = c0 + c1 cos + c2 sin by least squares."""
    rng = np.random.default_rng(0)
    angle = np.radians(DIRECTIONS)
    y = 5 + 3 * np.cos(angle[:, None] - rng.uniform(0, 6, 8)) + rng.normal(size=(angle.size, 8))
    c = np.linalg.lstsq(np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], 1), y, rcond=None)[0]
    found = fit(y, DIRECTIONS, model="cosine", period=360, observation="gaussian")
    np.testing.assert_allclose(found["preferred"], np.degrees(np.arctan2(c[2], c[1])) % 360, atol=1e-3)
    np.testing.assert_allclose(found["amplitude"], 2 * np.hypot(c[1], c[2]), rtol=1e-4)
    np.testing.assert_allclose(found["baseline"], c[0] - np.hypot(c[1], c[2]), rtol=1e-3)
    assert (found["half_width"] == 90).all()


def test_nothing_more_likely_is_found_by_a_general_optimiser():
    counts, _, _ = planted(6, seed=3)
    found = fit(counts, DIRECTIONS, model="von_mises", period=360)
    angle = np.radians(DIRECTIONS)

    def loss(q, y):
        rate = np.exp(q[3]) + np.exp(q[2]) * np.exp(np.exp(q[1]) * (np.cos(angle - q[0]) - 1))
        return np.sum(rate - y * np.log(rate))

    for u in range(6):
        y = counts[:, u]
        rate = found.predict(DIRECTIONS)[:, u]
        ours = np.sum(rate - y * np.log(rate))
        starts = [[m, 0.5, np.log(y.max() + 1), np.log(y.mean() / 2)] for m in np.arange(0, 6, 1.5)]
        ends = [(-10, 10), (-3, 5), (-5, 6), (-8, 5)]
        best = min(minimize(loss, s, args=(y,), method="L-BFGS-B", bounds=ends).fun for s in starts)
        assert ours <= best + 1e-4


def test_two_bumps_and_model_comparison():
    rng = np.random.default_rng(0)
    angle = np.radians(DIRECTIONS)
    near = np.exp(3 * (np.cos(angle - 1) - 1))
    rate = 1 + 12 * near + 8 * np.exp(3 * (-np.cos(angle - 1) - 1))
    counts = rng.poisson(np.repeat(rate[:, None], 10, axis=1))
    one = fit(counts, DIRECTIONS, model="von_mises", period=360)
    two = fit(counts, DIRECTIONS, model="double_von_mises", period=360)
    assert np.median(turned(two["preferred"], np.degrees(1))) < 4
    np.testing.assert_allclose(two["opposite"].mean(), 8, atol=1.5)
    assert (two["opposite"] <= two["amplitude"]).all()
    better = two.against(one)
    assert (better.p < 0.01).all()
    assert (one.against(two).p > 0.9).all()
    np.testing.assert_allclose(better.value, two.gain - one.gain)
    axis = fit(counts, DIRECTIONS % 180, model="von_mises", period=180)  # orientation
    away = (axis["preferred"] - np.degrees(1) + 90) % 180 - 90
    assert np.median(np.abs(away)) < 4


def test_a_sigmoid_of_either_sign():
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 3, 600)
    rate = 1 + 9 / (1 + np.exp(-np.array([3.0, -3.0]) * (x[:, None] - 0.5)))
    found = fit(rng.poisson(rate), x, model="sigmoid")
    np.testing.assert_allclose(found["midpoint"], 0.5, atol=0.2)
    np.testing.assert_allclose(found["slope"], [3, -3], rtol=0.35)
    for u in range(2):
        quarter = found.predict([found["midpoint"][u] + np.sign(found["slope"][u]) * found["half_width"][u]])
        assert quarter[0, u] == pytest.approx(found["baseline"][u] + 0.75 * found["amplitude"][u])


def test_gain_is_that_of_held_out_samples():
    """Part by part, against the same parts fitted one by one."""
    counts, _, _ = planted(2)
    found = fit(counts, DIRECTIONS, model="von_mises", period=360, series=True)
    part = np.arange(len(counts)) * 20 // len(counts)
    for k in (0, 7):
        train = part != k
        again = fit(counts[train], DIRECTIONS[train], model="von_mises", period=360)
        rate, flat = again.predict(DIRECTIONS[~train]), counts[train].mean(axis=0)
        held = counts[~train]
        gain = (held * np.log(rate / flat) - rate + flat).sum(axis=0) / np.log(2)
        np.testing.assert_allclose(found.parts[k], gain, atol=1e-3)
    np.testing.assert_allclose(found.gain, found.parts.sum(axis=0) / counts.sum(axis=0))


def test_the_interval_of_the_gain_holds_what_is_expected():
    """Units with hardly any tuning, alike: t over the parts alone holds it in 0.87."""
    rate = bump(DIRECTIONS, np.full(200, 100.0), 2, 1, 2)
    found = fit(np.random.default_rng(0).poisson(rate), DIRECTIONS, model="von_mises", period=360)
    expected = found.parts.sum() / found.amount.sum()
    assert np.mean((found.gain_low <= expected) & (found.gain_high >= expected)) > 0.9
    error = found.parts.std(axis=0, ddof=1) / np.sqrt(20)
    half = 2.0930 * error * np.sqrt(1 + 20 / 19) * 20 / found.amount
    np.testing.assert_allclose(found.gain_high - found.gain, half, rtol=1e-4)


def test_a_curve_that_loses_less_is_not_better():
    counts = np.random.default_rng(0).poisson(3, (144, 120))
    cosine, bump_ = (fit(counts, DIRECTIONS, model=m, period=360) for m in ("cosine", "von_mises"))
    found = cosine.against(bump_)
    assert found.value.mean() > 0
    assert (found.p >= cosine.p).all()
    assert np.mean(found.p <= 0.05) < 0.05


@pytest.mark.parametrize("observation", ["poisson", "gaussian"])
def test_without_tuning_there_is_no_gain(observation):
    counts = np.random.default_rng(0).poisson(3, (144, 120))
    found = fit(counts, DIRECTIONS, model="von_mises", period=360, observation=observation)
    assert found.gain.mean() < 0
    assert np.mean(found.p <= 0.05) < 0.06


def test_units_of_time_and_of_the_variable():
    counts, _, _ = planted(3)
    one = fit(counts, DIRECTIONS, model="von_mises", period=360)
    two = fit(counts, np.radians(DIRECTIONS), model="von_mises", period=2 * np.pi, width=0.5)
    np.testing.assert_allclose(np.degrees(two["preferred"]), one["preferred"], atol=1e-3)
    np.testing.assert_allclose(np.degrees(two["half_width"]), one["half_width"], rtol=1e-3)
    for name in ("amplitude", "baseline"):
        np.testing.assert_allclose(two[name], 2 * one[name], rtol=1e-3)
    np.testing.assert_allclose(two.gain, one.gain, atol=1e-4)
    np.testing.assert_allclose(two["depth"], one["depth"], rtol=1e-3)


def test_many_values_are_binned():
    rng = np.random.default_rng(0)
    heading = np.cumsum(rng.normal(0, 0.3, 8000)) % (2 * np.pi)
    counts = rng.poisson(0.1 * bump(heading, np.array([2.0]), 4, 20, 1, period=2 * np.pi))
    heading[::50] = np.nan
    found = fit(counts, heading, model="von_mises", period=2 * np.pi, width=0.1, series=True)
    assert found["preferred"][0] == pytest.approx(2, abs=0.06)
    assert found["amplitude"][0] == pytest.approx(20, rel=0.15)
    assert found["baseline"][0] == pytest.approx(1, abs=0.3)


def test_silent_units_and_negative_numbers():
    counts, _, _ = planted(3)
    counts[:, 1] = 0
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*1 of 3 units.*no fit"):
        found = fit(counts, DIRECTIONS, model="von_mises", period=360)
    assert np.isnan(found.value[1]).all()
    assert np.isnan(found.gain[1])
    assert np.isnan(found.predict([0.0])[0, 1])
    assert np.isfinite(found.value[[0, 2]]).all()
    lower = fit(counts[:, :1] - 30.0, DIRECTIONS, model="von_mises", period=360, observation="gaussian")
    above = fit(counts[:, :1], DIRECTIONS, model="von_mises", period=360, observation="gaussian")
    assert lower["baseline"][0] == pytest.approx(above["baseline"][0] - 30, abs=1e-2)
    assert lower["amplitude"][0] == pytest.approx(above["amplitude"][0], rel=1e-3)


@pytest.mark.parametrize(
    ("y", "x", "options", "text"),
    [
        (np.ones((30, 2)), np.arange(29), {}, "one value of the variable for each of n samples"),
        (np.ones((30, 0)), np.arange(30), {}, "responses of at least one unit"),
        (np.ones((30, 2)), np.arange(30), {"period": None}, "needs a period"),
        (np.ones((30, 2)), np.arange(30), {"model": "gaussian"}, "is of a line, without period"),
        (-np.ones((30, 2)), np.arange(30), {}, "observation='gaussian' takes any numbers"),
        (np.ones((10, 2)), np.arange(10), {}, "at least 20 samples are needed"),
        (np.ones((30, 2)), np.arange(30) % 2, {}, "at least 3 different values"),
        (np.ones((30, 2)), np.ones(30), {"model": "sigmoid", "period": None}, "never changes"),
        (np.ones((30, 2)) * np.nan, np.arange(30), {}, "NaN or infinite"),
        (np.ones((30, 2)), np.arange(30), {"model": "von_mise"}, "Did you mean 'von_mises'"),
    ],
)
def test_bad_input(y, x, options, text):
    with pytest.raises(cs.InputError, match=text):
        fit(y, x, **{"model": "von_mises", "period": 360, **options})
    counts, _, _ = planted(2)
    found = fit(counts, DIRECTIONS, model="cosine", period=360)
    with pytest.raises(cs.InputError, match="must be one of 'preferred', 'half_width'"):
        found["width"]
    with pytest.raises(cs.InputError, match="fits to the same data"):
        found.against(fit(counts[:, :1], DIRECTIONS, model="von_mises", period=360))


def test_a_width_in_milliseconds_is_said():
    angle = np.repeat(np.arange(0, 360, 45), 10)
    counts = np.random.default_rng(0).poisson(3, (80, 1))
    with pytest.warns(cs.ConsilienceWarning, match="long-bins.*width=50 s"):
        cs.units.fit_tuning(counts, angle, model="cosine", period=360, width=50)
