"""Tuning curves: against a direct count, planted directions, chance by shifts, intervals that cover."""

import numpy as np
import pytest

import consilience as cs

TURN = 2 * np.pi


def walk(n, seed=0, step=0.3):
    return np.cumsum(np.random.default_rng(seed).normal(0, step, n)) % TURN


def counts_of(rates, seed=1):
    return np.random.default_rng(seed).poisson(rates)


def test_rates_are_spikes_over_seconds():
    heading = walk(2000)
    counts = counts_of(np.stack([1 + np.cos(heading), np.full(2000, 0.5)], axis=1))
    found = cs.units.tuning_curve(counts, heading + 3 * TURN, width=0.25, bins=12, period=TURN, n_shift=0)
    for k in range(12):
        inside = (heading >= found.edges[k]) & (heading < found.edges[k + 1])
        assert found.occupancy[k] == pytest.approx(0.25 * inside.sum())
        np.testing.assert_allclose(found.rate[:, k], counts[inside].sum(axis=0) / (0.25 * inside.sum()))
    vector = (found.rate * np.exp(1j * found.centres)).sum(axis=1) / found.rate.sum(axis=1)
    np.testing.assert_allclose(found.value, np.abs(vector))
    np.testing.assert_allclose(found.preferred, np.angle(vector) % TURN)
    assert np.isnan(found.p).all()


def test_degrees_and_radians_are_the_same():
    heading = walk(1500)
    counts = counts_of(2 * (1 + np.cos(heading - 2)))[:, None]
    one = cs.units.tuning_curve(counts, heading, width=0.1, bins=18, period=TURN, n_shift=99)
    two = cs.units.tuning_curve(counts, np.degrees(heading), width=0.1, bins=18, period=360, n_shift=99)
    np.testing.assert_allclose(np.degrees(one.preferred), two.preferred)
    np.testing.assert_allclose(one.value, two.value)
    np.testing.assert_allclose(one.p, two.p)


def test_occupancy_does_not_count():
    rng = np.random.default_rng(0)
    heading = np.where(rng.random(20_000) < 0.8, rng.uniform(0, 1, 20_000), rng.uniform(0, TURN, 20_000))
    counts = counts_of(np.full(20_000, 3.0))[:, None]
    found = cs.units.tuning_curve(counts, heading, width=0.1, period=TURN)
    assert found.value[0] < 0.02  # the mean vector of spikes would be about 0.7
    assert found.p[0] > 0.05
    assert found.ci_low[0] < 0.01


def test_shifts_are_those_of_a_loop():
    heading = walk(400, step=0.6)
    counts = counts_of(1 + np.cos(heading))[:, None]
    found = cs.units.tuning_curve(counts, heading, width=0.1, bins=8, period=TURN, n_shift=1000, least=5.0)
    place = (heading / TURN * 8).astype(int)
    values = []
    for shift in range(50, 351):
        moved = np.roll(counts[:, 0], shift)
        rate = np.bincount(place, weights=moved) / np.bincount(place)
        values.append(abs((rate * np.exp(1j * found.centres)).sum()) / rate.sum())
    assert found.null_mean[0] == pytest.approx(np.mean(values))
    assert found.p[0] == pytest.approx((1 + np.sum(np.array(values) >= found.value[0] - 1e-9)) / 302)


def test_information_on_a_line():
    rng = np.random.default_rng(3)
    place = 50 + 50 * np.sin(np.arange(6000) / 40 + rng.normal(0, 0.1, 6000).cumsum() / 5)
    rate = 10 * np.exp(-((place - 60) ** 2) / 200)
    counts = counts_of(0.1 * np.stack([rate, np.full(6000, 3.0)], axis=1))
    found = cs.units.tuning_curve(counts, place, width=0.1, bins=20)
    share = found.occupancy / found.occupancy.sum()
    ratio = found.rate[0] / (share * found.rate[0]).sum()
    some = ratio > 0
    assert found.value[0] == pytest.approx((share * ratio)[some] @ np.log2(ratio[some]))
    assert found.measure == "information"
    assert abs(found.preferred[0] - 60) < 5
    assert found.p[0] < 0.01 < found.p[1]
    assert found.ci_low[0] < found.value[0] < found.ci_high[0]
    assert "2 units x 20 bins; information" in repr(found)


def test_a_silent_unit():
    counts = np.zeros((1000, 2))
    counts[:, 1] = counts_of(np.full(1000, 2.0))
    found = cs.units.tuning_curve(counts, walk(1000), width=0.1, bins=10, period=TURN, n_shift=50)
    assert found.value[0] == 0
    assert np.isnan(found.preferred[0])
    assert found.p[0] == 1
    assert (found.low[0] == 0).all()
    np.testing.assert_allclose(found.high[0], 3.6889 / found.occupancy, rtol=1e-3)  # Poisson, none seen


@pytest.mark.parametrize(
    ("counts", "variable", "options", "text"),
    [
        (np.ones(50), np.arange(50.0), {}, "counts .n, units. and one value"),
        (np.ones((50, 2)), np.arange(49.0), {}, "counts .n, units. and one value"),
        (np.ones((50, 2)) * np.nan, np.arange(50.0), {}, "leave out bins without a known value"),
        (-np.ones((50, 2)), np.arange(50.0), {}, "negative counts"),
        (np.ones((30, 2)), np.arange(30.0), {}, "at least 40 bins of time"),
        (np.ones((50, 2)), np.ones(50), {}, "never changes"),
        (np.ones((50, 2)), np.ones(50), {"period": TURN}, "29 of 30 bins of the variable were never visited"),
        (np.ones((50, 2)), np.arange(50.0), {"width": 0}, "width must be a number"),
        (np.ones((50, 2)), np.arange(50.0), {"bins": 1}, "bins must be a whole number, at least 3"),
        (np.ones((50, 2)), np.arange(50.0), {"period": -1}, "period must be a number"),
        (np.full((50, 2), "a"), np.arange(50.0), {}, "counts .n, units. and one value"),
    ],
)
def test_bad_input(counts, variable, options, text):
    with pytest.raises(cs.InputError, match=text):
        cs.units.tuning_curve(counts, variable, **{"width": 0.1, **options})


def test_inputs_stay_and_types_do_not_matter():
    heading = walk(800)
    counts = counts_of(np.full((800, 2), 2.0))
    kept = counts.copy()
    one = cs.units.tuning_curve(counts, heading, width=0.1, bins=10, period=TURN, n_shift=20)
    assert (counts == kept).all()
    for other in (counts.astype(np.uint8), counts.astype(">f4"), counts.astype(np.float32)):
        other.flags.writeable = False
        again = cs.units.tuning_curve(other, heading, width=0.1, bins=10, period=TURN, n_shift=20)
        np.testing.assert_array_equal(again.rate, one.rate)
        np.testing.assert_array_equal(again.p, one.p)


@pytest.mark.slow
def test_intervals_cover_and_p_is_level():
    covered, lengths, p = [], [], []
    for seed in range(60):
        heading = walk(4000, seed=seed)
        rate = np.stack([2 * np.exp(2 * np.cos(heading - 1) - 2), np.full(4000, 0.6)], axis=1)
        found = cs.units.tuning_curve(
            counts_of(rate, seed=1000 + seed), heading, width=0.1, bins=24, period=TURN, n_shift=100, rng=seed
        )
        fine = (np.arange(24 * 40) + 0.5) / (24 * 40) * TURN
        true = 20 * np.exp(2 * np.cos(fine - 1) - 2).reshape(24, 40).mean(axis=1)
        covered.append(((found.low[0] <= true) & (true <= found.high[0])).mean())
        length = abs((true * np.exp(1j * found.centres)).sum()) / true.sum()
        lengths.append(found.ci_low[0] <= length <= found.ci_high[0])
        p.append(found.p[1])
    assert 0.92 < np.mean(covered) < 0.98
    assert np.mean(lengths) > 0.85
    assert np.mean(np.array(p) <= 0.05) < 0.17  # the 99.9 % band of 60


def gains(time, n, units, size=0.4, seed=0):
    """(n, units) log-normal, mean 1, correlated over ``time`` of the recording."""
    rng, near = np.random.default_rng(seed), np.exp(-1 / (time * n))
    z = np.empty((n, units))
    z[0] = rng.normal(size=units)
    for i in range(1, n):
        z[i] = near * z[i - 1] + np.sqrt(1 - near**2) * rng.normal(size=units)
    return np.exp(size * z - size**2 / 2)


@pytest.mark.parametrize(("time", "least"), [(0.03, 0.95), (0.1, 0.6)])
@pytest.mark.filterwarnings(r"ignore:\[slow-changes\]")
def test_rates_under_a_gain_that_wanders_have_intervals_that_hold_the_truth(time, least):
    units, n, bins = 200, 6000, 30
    heading = walk(n)
    centres = (np.arange(bins) + 0.5) / bins * TURN
    preferred = np.linspace(0, TURN, units)
    true = 20 * np.exp(2 * np.cos(centres - preferred[:, None]) - 2)
    place = np.minimum((heading / TURN * bins).astype(int), bins - 1)
    counts = counts_of(0.1 * true[:, place].T * gains(time, n, units))
    found = cs.units.tuning_curve(counts, heading, width=0.1, bins=bins, period=TURN, n_shift=0)
    known = np.isfinite(found.low[:, 0])
    assert known.mean() > least
    assert ((found.low <= true) & (true <= found.high))[known].mean() > 0.93  # one by one: 0.93 and 0.84


def test_a_gain_as_slow_as_the_recording_is_long_is_said_and_has_no_interval():
    heading = walk(6000)
    rate = 2 * np.exp(np.cos(heading - 1) - 1)
    slow = 1 + 0.8 * np.sin(np.linspace(0, 1.5 * TURN, 6000))
    counts = counts_of(np.stack([rate, rate * slow], axis=1))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"slow-changes.*gains of 1 of 2 units change as slowly as the rec"
    ):
        found = cs.units.tuning_curve(counts, heading, width=0.1, period=TURN, n_shift=0)
    assert np.isfinite(found.low[0]).all()
    assert np.isnan(found.low[1]).all()
    assert np.isnan(found.high[1]).all()
    assert np.isfinite(found.value).all()
    assert np.isfinite(found.ci_low).all()


def test_degrees_milliseconds_and_rates_are_said():
    heading = walk(2000)
    counts = counts_of(2 * np.exp(np.cos(heading - 1) - 1)[:, None])
    given = {"width": 0.1, "period": TURN, "n_shift": 0}
    with pytest.warns(cs.ConsilienceWarning, match=r"angle-units.*period=6\.283, and the values span 3"):
        cs.units.tuning_curve(counts, np.rad2deg(heading), **given)
    with pytest.warns(cs.ConsilienceWarning, match=r"long-bins.*divide milliseconds by 1000"):
        cs.units.tuning_curve(counts, heading, **{**given, "width": 100})
    with pytest.warns(cs.ConsilienceWarning, match=r"rates-as-counts.*multiples of 10"):
        cs.units.tuning_curve(counts / 0.1, heading, **given)
