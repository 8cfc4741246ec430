"""Tuning and selectivity: equations done slowly, planted truth, chance taken off, invariances both ways."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import consilience as cs

ANGLES = np.arange(0, 360, 45)
FEW = {"n_perm": 0, "n_floor": 0, "n_splits": 5}
ON_RATIO = [cs.units.class_selectivity, cs.units.lifetime_sparseness]
ANY_SIGN = [cs.units.d_prime, cs.units.roc_auc, cs.units.eta_squared]
ON_ANGLES = [cs.units.orientation_selectivity, cs.units.direction_selectivity, cs.units.circular_variance]


def counts(rate, n=10, units=300, seed=0):
    """(n * len(rate), units) Poisson counts, and the number of the condition of each row."""
    rate = np.repeat(np.asarray(rate, dtype=float), n)
    x = np.random.default_rng(seed).poisson(rate[:, None], size=(rate.size, units))
    return x, np.repeat(np.arange(rate.size // n), n)


def means(x, labels):
    return np.stack([x[labels == name].mean(axis=0) for name in np.unique(labels)])


def tuned(depth=0.6, mean=6.0, harmonic=2, n=10, units=300, seed=0):
    x, k = counts(mean * (1 + depth * np.cos(harmonic * np.deg2rad(ANGLES - 90))), n, units, seed)
    return x, ANGLES[k]


# -- the published equations


def test_class_selectivity_is_its_equation():
    x, labels = counts([2, 5, 3], units=7)
    m = means(x, labels)
    for u in range(7):
        best = m[:, u].argmax()
        rest = np.delete(m[:, u], best).mean()
        found = cs.units.class_selectivity(x[:, [u]], labels, **FEW)
        assert found.value[0] == pytest.approx((m[best, u] - rest) / (m[best, u] + rest))
        assert found.preferred[0] == best


def test_sparseness_is_its_equation():
    x, labels = counts([2, 5, 3, 0.5], units=7)
    m = means(x, labels)
    a = m.mean(axis=0) ** 2 / (m**2).mean(axis=0)
    np.testing.assert_allclose(cs.units.lifetime_sparseness(x, labels, **FEW).value, (1 - a) / (1 - 1 / 4))
    b = m.mean(axis=1) ** 2 / (m**2).mean(axis=1)
    made = cs.units.population_sparseness(x, labels, n_perm=0, n_floor=0)
    np.testing.assert_allclose(made.value, (1 - b) / (1 - 1 / 7))


def test_sparseness_without_noise_is_of_products_of_different_trials():
    x, labels = counts([2, 5, 3], n=4, units=3)
    squares = np.zeros(3)
    for k in range(3):
        rows = x[labels == k].astype(float)
        squares += sum(rows[i] * rows[j] for i in range(4) for j in range(4) if i != j) / 12
    m = means(x, labels)
    cross = sum(m[i] * m[j] for i in range(3) for j in range(3) if i != j) + squares
    right = (3 * squares - cross) / (2 * squares)
    np.testing.assert_allclose(cs.units.lifetime_sparseness(x, labels, **FEW).corrected, right)


def test_vector_sums_are_their_equations():
    x, theta = tuned(units=7)
    m, z = means(x, theta), np.exp(1j * np.deg2rad(ANGLES))
    osi = np.abs((m * z[:, None] ** 2).sum(axis=0)) / m.sum(axis=0)
    dsi = np.abs((m * z[:, None]).sum(axis=0)) / m.sum(axis=0)
    found = cs.units.orientation_selectivity(x, theta, **FEW)
    np.testing.assert_allclose(found.value, osi)
    np.testing.assert_allclose(cs.units.direction_selectivity(x, theta, **FEW).value, dsi)
    np.testing.assert_allclose(cs.units.circular_variance(x, theta, **FEW).value, 1 - osi)
    angle = np.rad2deg(np.angle((m * z[:, None] ** 2).sum(axis=0))) / 2 % 180
    np.testing.assert_allclose(found.preferred, angle)


def test_ratios_average_the_two_directions_of_an_orientation():
    x, theta = tuned(units=7)
    m = means(x, theta)
    o = (m[:4] + m[4:]) / 2
    best = o.argmax(axis=0)
    one, two = (np.take_along_axis(o, at[None], 0)[0] for at in (best, (best + 2) % 4))
    found = cs.units.orientation_selectivity(x, theta, index="ratio", **FEW)
    np.testing.assert_allclose(found.value, (one - two) / (one + two))
    best = m.argmax(axis=0)
    one, two = (np.take_along_axis(m, at[None], 0)[0] for at in (best, (best + 4) % 8))
    found = cs.units.direction_selectivity(x, theta, index="ratio", **FEW)
    np.testing.assert_allclose(found.value, (one - two) / (one + two))
    np.testing.assert_array_equal(found.preferred, ANGLES[best])


def test_d_prime_and_auc_agree_with_scipy():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [6, 8, 10])
    x = rng.poisson(3, size=(24, 6)).astype(float)
    d, area = (f(x, labels, label=1, **FEW) for f in (cs.units.d_prime, cs.units.roc_auc))
    for u in range(6):
        one, rest = x[labels == 1, u], x[labels != 1, u]
        spread = np.sqrt((one.var(ddof=1) + rest.var(ddof=1)) / 2)
        assert d.value[u] == pytest.approx((one.mean() - rest.mean()) / spread)
        u_of = scipy_stats.mannwhitneyu(one, rest).statistic
        assert area.value[u] == pytest.approx(u_of / (one.size * rest.size))


def test_preferred_auc_is_the_highest():
    x, labels = counts([2, 2, 4], units=5)
    each = [cs.units.roc_auc(x, labels, label=k, **FEW).value for k in range(3)]
    np.testing.assert_allclose(cs.units.roc_auc(x, labels, **FEW).value, np.max(each, axis=0))


def test_eta_squared_is_of_the_analysis_of_variance():
    x, labels = counts([2, 5, 3], units=5)
    groups = [x[labels == k].astype(float) for k in range(3)]
    f = scipy_stats.f_oneway(*groups).statistic
    found = cs.units.eta_squared(x, labels, **FEW)
    np.testing.assert_allclose(found.value, f * 2 / (f * 2 + 27))
    omega = (
        np.var(means(x, labels), axis=0)
        - np.mean([g.var(axis=0, ddof=1) / 10 for g in groups], axis=0) * 2 / 3
    )
    within = np.mean([g.var(axis=0, ddof=1) for g in groups], axis=0)
    np.testing.assert_allclose(found.corrected, omega / (omega + within))


# -- chance and truth


@pytest.mark.parametrize("mean", [1, 20])
@pytest.mark.parametrize("function", [*ON_RATIO, *ANY_SIGN, *ON_ANGLES[:2]])
def test_untuned_units(function, mean):
    x, k = counts(np.full(8, mean), units=400, seed=mean)
    found = function(x, ANGLES[k], n_perm=200, n_floor=20, n_splits=20)
    zero = 0.5 if function is cs.units.roc_auc else 0.0
    chance = found.null_mean.mean() - zero
    assert abs(found.corrected.mean() - zero) < 0.12 * chance
    assert found.floor.mean() - zero == pytest.approx(chance, rel=0.06)
    assert found.value.mean() - zero == pytest.approx(chance, rel=0.06)
    assert 0.02 < (found.p <= 0.05).mean() < 0.09
    assert ((found.ci_low <= zero) & (zero <= found.ci_high)).mean() > 0.9


def test_intervals_hold_the_truth():
    x, theta = tuned(depth=0.6, units=400)
    m = 6 * (1 + 0.6 * np.cos(2 * np.deg2rad(ANGLES - 90)))
    truths = {
        cs.units.orientation_selectivity: 0.3,
        cs.units.class_selectivity: (9.6 - (48 - 9.6) / 7) / (9.6 + (48 - 9.6) / 7),
        cs.units.lifetime_sparseness: (1 - m.mean() ** 2 / (m**2).mean()) / (1 - 1 / 8),
        cs.units.eta_squared: m.var() / (m.var() + m.mean()),
    }
    for function, truth in truths.items():
        found = function(x, theta, **{**FEW, "n_splits": 20})
        assert ((found.ci_low <= truth) & (truth <= found.ci_high)).mean() > 0.92, function.__name__
        assert found.corrected.mean() == pytest.approx(truth, abs=0.02), function.__name__


def test_intervals_of_fixed_classes_hold_the_truth():
    x, labels = counts([8, 4, 4, 4], units=600)
    d, area = (f(x, labels, label=0, **FEW) for f in (cs.units.d_prime, cs.units.roc_auc))
    grid = np.arange(60)
    one, other = scipy_stats.poisson.pmf(grid, 8), scipy_stats.poisson.pmf(grid, 4)
    truth = (one * (np.cumsum(other) - other / 2)).sum()
    for found, value in ((d, 4 / np.sqrt(6)), (area, truth)):
        assert 0.93 < ((found.ci_low <= value) & (value <= found.ci_high)).mean() <= 0.99
        assert found.corrected.mean() == pytest.approx(value, abs=0.03)


def test_fixed_class_is_signed_and_two_sided():
    x, labels = counts([8, 4], n=20, units=20)
    for function, zero in ((cs.units.d_prime, 0), (cs.units.roc_auc, 0.5), (cs.units.class_selectivity, 0)):
        up, down = (function(x, labels, label=k, n_perm=99, n_floor=0, n_splits=2) for k in (0, 1))
        np.testing.assert_allclose(up.value - zero, zero - down.value, atol=1e-12)
        assert (up.value > zero).all()
        assert (down.p <= 0.05).mean() > 0.9
        assert set(up.null_mean) == {zero}


def test_stability_and_preferred():
    x, labels = counts([1, 1, 9], units=50)
    names = np.array(["car", "face", "hand"])[labels]
    found = cs.units.class_selectivity(x, names, **FEW)
    assert set(found.preferred) == {"hand"}
    assert found.stability.min() == 1.0
    flat = cs.units.class_selectivity(*counts([3, 3, 3], units=200), n_perm=0, n_floor=0, n_splits=20)
    assert 0.15 < flat.stability.mean() < 0.4


# -- what leaves them, and what does not


@pytest.mark.parametrize("function", [*ON_RATIO, *ANY_SIGN, *ON_ANGLES])
def test_scale_order_and_names_do_not_matter(function):
    x, theta = tuned(units=6)
    one = function(x, theta, **FEW)
    shuffled = np.random.default_rng(1).permutation(len(x))
    for other in (function(x * 40.0, theta, **FEW), function(x[shuffled], theta[shuffled], **FEW)):
        np.testing.assert_allclose(one.value, other.value, rtol=1e-10)
    np.testing.assert_allclose(one.ci_high, function(x * 1024.0 + 0.0, theta, **FEW).ci_high, rtol=0.2)


def test_an_offset_moves_ratios_and_leaves_the_others():
    x, theta = tuned(units=6)
    for function in (*ON_RATIO, *ON_ANGLES[:2]):
        assert (function(x + 5, theta, **FEW).value < function(x, theta, **FEW).value - 1e-6).all()
    for function in ANY_SIGN:
        np.testing.assert_allclose(function(x - 5.0, theta, **FEW).value, function(x, theta, **FEW).value)
    np.testing.assert_allclose(
        cs.units.roc_auc(np.exp(x / 4), theta, **FEW).value, cs.units.roc_auc(x, theta, **FEW).value
    )


def test_radians_degrees_and_a_turn():
    x, theta = tuned(units=6)
    one = cs.units.orientation_selectivity(x, theta, **FEW)
    two = cs.units.orientation_selectivity(x, np.deg2rad(theta), period=2 * np.pi, **FEW)
    np.testing.assert_allclose(one.value, two.value)
    np.testing.assert_allclose(np.deg2rad(one.preferred), two.preferred)
    turned = cs.units.orientation_selectivity(x, (theta + 30) % 360, **FEW)
    np.testing.assert_allclose((one.preferred + 30) % 180, turned.preferred)


def test_opposite_directions_have_no_direction_selectivity():
    x = np.tile(np.where(np.isin(ANGLES, (90, 270)), 4.0, 0.0), 3)[:, None]
    theta = np.tile(ANGLES, 3)
    assert cs.units.orientation_selectivity(x, theta, **FEW).value[0] == pytest.approx(1.0)
    assert cs.units.direction_selectivity(x, theta, **FEW).value[0] == pytest.approx(0.0, abs=1e-12)


def test_groups_keep_relabellings_inside():
    rng = np.random.default_rng(0)
    run = np.repeat([0, 1], 40)
    labels = np.where(rng.random(80) < np.where(run == 0, 0.85, 0.15), "a", "b")
    x = rng.normal(size=(80, 200)) + 2.0 * run[:, None]  # runs differ, labels do not
    free = cs.units.eta_squared(x, labels, n_perm=200, n_floor=0, n_splits=1)
    kept = cs.units.eta_squared(x, labels, groups=run, n_perm=200, n_floor=0, n_splits=1)
    assert (free.p <= 0.05).mean() > 0.9
    assert (kept.p <= 0.05).mean() < 0.1


def test_one_vs_rest_is_each_label():
    x, labels = counts([8, 4, 4], units=10)
    made = cs.units.one_vs_rest(x, labels, measure="roc_auc", n_perm=50)
    assert made.value.shape == (3, 10)
    assert (made.q >= made.p - 1e-12).all()
    for k in range(3):
        np.testing.assert_allclose(made.value[k], cs.units.roc_auc(x, labels, label=k, **FEW).value)


def test_population_sparseness_with_a_common_gain():
    rng = np.random.default_rng(0)
    held, right = [], []
    for _ in range(60):
        rates = np.exp(rng.normal(0, 0.7, size=(3, 40)) + 1)
        gain = np.exp(rng.normal(0, 0.3, size=(24, 1)))
        x = rng.poisson(np.repeat(rates, 8, axis=0) * gain)
        found = cs.units.population_sparseness(x, np.repeat(np.arange(3), 8), n_perm=0, n_floor=0)
        a = rates.mean(axis=1) ** 2 / (rates**2).mean(axis=1)
        truth = (1 - a) / (1 - 1 / 40)
        held.append((found.ci_low <= truth) & (truth <= found.ci_high))
        right.append(found.corrected - truth)
    assert 0.9 < np.mean(held) <= 1.0
    assert abs(np.mean(right)) < 0.01


def test_population_sparseness_against_rates_alone():
    x, labels = counts([3, 3, 3], n=15, units=60)
    rates = np.random.default_rng(1).gamma(1, 4, 60)
    flat = np.random.default_rng(2).poisson(rates, size=(45, 60))
    found = cs.units.population_sparseness(flat, labels, n_perm=200, n_floor=50)
    np.testing.assert_allclose(found.value, found.null_mean, atol=0.06)
    np.testing.assert_allclose(found.floor, found.null_mean, atol=0.02)
    tuned = x * (np.arange(60) % 3 == labels[:, None])
    assert (cs.units.population_sparseness(tuned, labels, n_perm=200).p <= 0.05).all()


# -- mixed selectivity


def factors(n=10):
    a, b = np.divmod(np.arange(6), 3)
    return np.tile(a, n), np.tile(b, n)


def test_mixed_selectivity_is_the_analysis_of_variance():
    a, b = factors(4)
    x = np.random.default_rng(0).normal(size=(24, 3)) + a[:, None]
    m = np.stack([x[(a == i) & (b == j)].mean(axis=0) for i in range(2) for j in range(3)]).reshape(2, 3, 3)
    within = np.mean([x[(a == i) & (b == j)].var(axis=0, ddof=1) for i in range(2) for j in range(3)], axis=0)
    grand, rows, columns = m.mean((0, 1)), m.mean(1), m.mean(0)
    of_a, of_b = rows.var(axis=0), columns.var(axis=0)
    left = ((m - rows[:, None] - columns[None] + grand) ** 2).mean((0, 1))
    total = of_a + of_b + left + within
    found = cs.units.mixed_selectivity(x, a, b, n_perm=0)
    np.testing.assert_allclose(found.value, np.stack([of_a, of_b, left]) / total)
    assert found.effects == ("factor 0", "factor 1", "interaction")


def test_kinds_of_mixing():
    a, b = factors(20)
    noise = np.random.default_rng(0).normal(size=(120, 4))
    signal = np.stack([0 * a, 2 * a, a + b, 2 * (a - 0.5) * (b - 1)], axis=1)
    found = cs.units.mixed_selectivity(signal + noise, a, b, n_perm=200)
    assert found.kind.tolist() == ["none", "pure", "linear", "nonlinear"]
    assert found.interaction_share[3] > 0.8 > 0.2 > abs(found.interaction_share[2])


def test_untuned_mixing():
    a, b = factors(8)
    x = np.random.default_rng(0).poisson(3, size=(48, 400))
    found = cs.units.mixed_selectivity(x, a, b, n_perm=200)
    assert np.abs(found.corrected.mean(axis=1)).max() < 0.006
    assert found.value.mean(axis=1).min() > 0.015
    assert ((found.p <= 0.05).mean(axis=1) < 0.09).all()
    np.testing.assert_allclose(found.null_mean.mean(axis=1), found.value.mean(axis=1), rtol=0.15)


def test_mixed_selectivity_needs_all_combinations():
    a, b = factors(2)
    with pytest.raises(cs.InputError, match=r"6 combinations of the factors needs >= 2 trials; 1 have fewer"):
        cs.units.mixed_selectivity(np.ones((11, 2)), a[:-1], b[:-1])
    with pytest.raises(cs.InputError, match="at least two factors"):
        cs.units.mixed_selectivity(np.ones((4, 2)), [0, 0, 1, 1])


# -- noise and modulation


@pytest.mark.parametrize("fano", [0.4, 1.0, 3.0])
def test_matched_noise_has_the_mean_and_fano_factor(fano):
    a = np.random.default_rng(0).uniform(0.5, 1.5, size=(30, 50))
    made, row = cs.units.matched_noise(a, mean=8.0, fano=fano, n_trials=100)
    assert made.shape == (3000, 50)
    assert (made == np.round(made)).all()
    assert (made >= 0).all()
    assert made.mean() == pytest.approx(8.0, rel=0.01)
    assert np.median(cs.units.fano_factor(made, row, n_perm=0).value) == pytest.approx(fano, abs=0.05)


def test_matched_noise_of_many_neurons():
    a = np.random.default_rng(0).uniform(0.5, 1.5, size=(30, 90))
    made, _ = cs.units.matched_noise(a, mean=[1.0, 5.0, 25.0], fano=[1.0, 1.5, 2.0], n_trials=50)
    np.testing.assert_allclose(np.sort(made.mean(axis=0)).reshape(3, 30).mean(axis=1), [1, 5, 25], rtol=0.05)
    with pytest.raises(cs.InputError, match="mean and fano must be of the same neurons, got 3 and 2"):
        cs.units.matched_noise(a, mean=[1, 2, 3], fano=[1, 2])
    with pytest.raises(cs.InputError, match="after its rectification"):
        cs.units.matched_noise(a - 1, mean=1)
    with pytest.raises(cs.InputError, match="fano must be a number above 0"):
        cs.units.matched_noise(a, mean=1, fano=0)


def test_modulation_index():
    rng = np.random.default_rng(0)
    r, b = rng.poisson(6, size=(30, 400)), rng.poisson(2, size=(30, 400))
    found = cs.units.modulation_index(r, b, n_perm=99)
    assert found.value.mean() == pytest.approx(0.5, abs=0.02)
    assert (found.p <= 0.05).mean() > 0.99
    assert 0.92 < ((found.ci_low <= 0.5) & (found.ci_high >= 0.5)).mean() < 0.98
    flat = cs.units.modulation_index(b, rng.poisson(2, size=(30, 400)), n_perm=99)
    assert abs(flat.value.mean()) < 0.02
    assert (flat.p <= 0.05).mean() < 0.09
    with pytest.raises(cs.InputError, match="difference over a sum"):
        cs.units.modulation_index(r - 9, b)


# -- bad input


@pytest.mark.parametrize("function", [*ON_RATIO, *ON_ANGLES, cs.units.population_sparseness])
def test_negative_responses_are_refused(function):
    x, theta = tuned(units=4)
    options = {"n_perm": 0, "n_floor": 0}
    with pytest.raises(cs.InputError, match="d_prime, roc_auc or eta_squared") as error:
        function(x - 20.0, theta, **options)
    assert error.value.code == "negative-responses"


@pytest.mark.parametrize("function", [*ON_RATIO, *ANY_SIGN])
def test_degenerate_input(function):
    x, labels = counts([2, 5, 3], units=4)
    with pytest.raises(cs.InputError, match="needs >= 2 trials of every label; 1 of 3 labels have fewer"):
        function(x[:21], labels[:21], **FEW)
    with pytest.raises(cs.InputError, match="at least 2 values"):
        function(x[:10], labels[:10], **FEW)
    with pytest.raises(cs.InputError):
        function(np.where(x == x[0, 0], np.nan, x), labels, **FEW)
    with pytest.raises(cs.InputError, match="one label per trial"):
        function(x, labels[:-1], **FEW)
    silent = x.copy()
    silent[:, 1] = 0
    with pytest.warns(cs.ConsilienceWarning, match="never fire or never vary"):
        found = function(silent, labels, n_perm=20, n_floor=5, n_splits=5)
    assert np.isnan(found.value[1])
    assert np.isnan(found.ci_low[1])
    assert np.isfinite(found.corrected[[0, 2, 3]]).all()


def test_unknown_label_is_refused():
    x, labels = counts([2, 5, 3], units=2)
    with pytest.raises(cs.InputError, match=r"label must be one of \[0, 1, 2\].*got 'face'"):
        cs.units.d_prime(x, labels, label="face")


@pytest.mark.parametrize("theta", [[0, 45, 90], [0, 90], np.arange(0, 180, 45), np.deg2rad(ANGLES)])
def test_uneven_angles_are_refused(theta):
    x, k = counts(np.full(len(theta), 3.0), units=2)
    with pytest.raises(cs.InputError, match="evenly spaced directions of a turn of 360") as error:
        cs.units.direction_selectivity(x, np.asarray(theta)[k], **FEW)
    assert error.value.code == "uneven-angles"


def test_degrees_with_a_period_of_radians_are_said():
    x, theta = tuned(units=2)
    with pytest.warns(cs.ConsilienceWarning, match="angle-units"), pytest.raises(cs.InputError):
        cs.units.direction_selectivity(x, theta, period=2 * np.pi, **FEW)


def test_no_spread_is_endless():
    found = cs.units.d_prime(np.array([[1.0], [1], [2], [2]]), ["a", "a", "b", "b"], label="b", **FEW)
    assert found.value[0] == np.inf
    assert np.isnan(found.ci_low[0])


@pytest.mark.parametrize("kind", ["int16", "float32", ">f8", "bool"])
@pytest.mark.parametrize("function", [*ON_RATIO, *ANY_SIGN])
def test_kinds_of_numbers_and_nothing_is_changed(function, kind):
    x, labels = counts([0.4, 1.0, 0.6], units=4)
    given = (x > 0).astype(kind)
    before = given.copy()
    given.flags.writeable = False
    found = function(given, labels, n_perm=5, n_floor=2, n_splits=3)
    np.testing.assert_array_equal(given, before)
    np.testing.assert_allclose(found.value, function((x > 0).astype(float), labels, **FEW).value)


def test_seed_and_parts(monkeypatch):
    from consilience.units import _classes

    x, labels = counts([2, 5, 3], units=9)
    options = {"n_perm": 50, "n_floor": 0, "n_splits": 10}
    whole = cs.units.class_selectivity(x, labels, rng=3, **options)
    monkeypatch.setattr(_classes, "_ROOM", 100)
    parts = cs.units.class_selectivity(x, labels, rng=3, **options)
    for key in ("value", "corrected", "ci_low", "null_mean", "p", "stability"):
        np.testing.assert_allclose(getattr(whole, key), getattr(parts, key), rtol=1e-12)


def test_repr_says_both():
    x, labels = counts([2, 5, 3], units=9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = repr(cs.units.class_selectivity(x, labels, n_perm=5, n_floor=5))
    assert text.startswith("<Selectivity> 9 of 9 units with a value, median 0.")
    assert "corrected" in text


def test_mixed_selectivity_of_named_factors_and_silent_units():
    rng = np.random.default_rng(0)
    task, choice = np.tile([0, 1], 20), np.repeat([0, 1], 20)
    x = np.stack([rng.normal(size=40), np.zeros(40)], axis=1)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        plain = cs.units.mixed_selectivity(x, task, choice, n_perm=20)
        named = cs.units.mixed_selectivity(x, {"task": task, "choice": choice}, n_perm=20)
    assert all("silent-units" in str(one.message) for one in heard)
    assert plain.effects == ("factor 0", "factor 1", "interaction")
    assert named.effects == ("task", "choice", "interaction")
    assert named.kind[1] == "silent"
    np.testing.assert_array_equal(named.value, plain.value)
    columns = pd.DataFrame({"task": task, "choice": choice})
    found = cs.units.mixed_selectivity(x[:, :1], columns["task"], columns["choice"], n_perm=0)
    assert found.effects == named.effects
    with pytest.raises(cs.InputError, match="choice has one value only"):
        cs.units.mixed_selectivity(x[:, :1], {"task": task, "choice": 0 * choice})
