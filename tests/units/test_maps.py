"""Maps over place, information of spikes, direction: direct counts, closed forms, a peer, chance, degenerate input."""

import numpy as np
import pytest
from scipy.stats import chi2

import consilience as cs

TURN = 2 * np.pi


def walk(n, seed=0, step=0.12):
    """A walk in the box from -1 to 1."""
    place = np.cumsum(np.random.default_rng(seed).normal(0, step, (n, 2)), axis=0)
    return np.abs((place + 1) % 4 - 2) - 1


def heading(n, seed=0, step=0.3):
    return np.cumsum(np.random.default_rng(seed).normal(0, step, n)) % TURN


def place_cells(place, centres, peak=15.0, size=0.1, base=0.2, width=0.1, seed=1):
    away = ((place[:, None] - np.asarray(centres)) ** 2).sum(axis=-1)
    return np.random.default_rng(seed).poisson(width * (base + peak * np.exp(-away / (2 * size))))


def skaggs(rate, seconds):
    share = seconds / seconds.sum()
    mean = (share * rate).sum()
    some = rate > 0
    return (share * rate / mean)[some] @ np.log2((rate / mean)[some])


def test_rate_is_spikes_over_seconds():
    place = walk(4000)
    counts = place_cells(place, [[0.5, 0.5], [-0.5, 0]])
    maps = cs.units.rate_map(counts, place, width=0.1, bins=(8, 5), smooth=0)
    assert maps.rate.shape == (2, 8, 5)
    i = np.clip(np.searchsorted(maps.edges[0], place[:, 0], side="right") - 1, 0, 7)
    j = np.clip(np.searchsorted(maps.edges[1], place[:, 1], side="right") - 1, 0, 4)
    for a in range(8):
        for b in range(5):
            inside = (i == a) & (j == b)
            np.testing.assert_allclose(maps.occupancy[a, b], 0.1 * inside.sum())
            np.testing.assert_allclose(maps.rate[:, a, b], counts[inside].sum(axis=0) / (0.1 * inside.sum()))
    steady = maps.dispersion == 1
    tail = chi2.ppf(0.025, 2 * np.maximum(maps.spikes, 1e-9)) / 2 / maps.occupancy  # Garwood
    np.testing.assert_allclose(maps.low[steady], tail[steady], rtol=1e-6, atol=1e-9)
    top = chi2.ppf(0.975, 2 * maps.spikes + 2) / 2 / maps.occupancy
    np.testing.assert_allclose(maps.high[steady], top[steady])


def test_smoothing_weights_spikes_and_time_alike():
    place = walk(3000)
    counts = place_cells(place, [[0.5, 0.5]])
    plain = cs.units.rate_map(counts, place, width=0.1, bins=10, smooth=0)
    maps = cs.units.rate_map(counts, place, width=0.1, bins=10, smooth=1.2)
    at = np.stack(np.meshgrid(np.arange(10), np.arange(10), indexing="ij"), axis=-1)
    for a, b in [(0, 0), (3, 7), (9, 4)]:
        weight = np.exp(-((at - [a, b]) ** 2).sum(axis=-1) / (2 * 1.2**2))
        expected = (weight * plain.spikes[0]).sum() / (weight * plain.occupancy).sum()
        assert maps.rate[0, a, b] == pytest.approx(expected, rel=1e-3)  # the kernel ends at 4 sd
    np.testing.assert_array_equal(maps.spikes, plain.spikes)


def test_places_never_visited_are_nan():
    place = np.where(walk(3000) > 0.6, np.nan, walk(3000))
    counts = place_cells(np.nan_to_num(place), [[0, 0]])
    maps = cs.units.rate_map(counts, place, width=0.1, bins=10, limits=[(-1, 1), (-1, 1)])
    assert np.isnan(maps.rate[0, -2:]).all()
    assert np.isnan(maps.low[0, -2:]).all()
    assert np.isfinite(maps.rate[0, :8, :8]).all()
    assert maps.occupancy.sum() == pytest.approx(0.1 * np.isfinite(place).all(axis=1).sum())
    assert "64% visited" in repr(maps)
    few = cs.units.rate_map(counts, place, width=0.1, bins=10, limits=[(-1, 1), (-1, 1)], least=5.0)
    assert np.isnan(few.rate[0]).sum() == (maps.occupancy < 5).sum()


def test_a_field_is_where_it_was_put():
    place = walk(12_000)
    maps = cs.units.rate_map(place_cells(place, [[0.5, -0.3], [-0.6, 0.6]]), place, width=0.1)
    np.testing.assert_allclose(maps.peak, [[0.5, -0.3], [-0.6, 0.6]], atol=0.15)
    assert (maps.coherence > 0.8).all()
    flat = cs.units.rate_map(place_cells(place, [[0, 0]], peak=0, base=3), place, width=0.1)
    assert abs(flat.coherence[0]) < 0.25
    assert flat.sparsity[0] > 0.9 > 0.4 > maps.sparsity[0]


def test_an_angle_wraps():
    angle = heading(6000)
    counts = np.random.default_rng(0).poisson(2 * np.exp(4 * np.cos(angle) - 4))[:, None]
    maps = cs.units.rate_map(counts, angle, width=0.1, bins=24, period=TURN, smooth=2)
    assert maps.rate[0, 0] == pytest.approx(maps.rate[0, -1], rel=0.2)
    turned = cs.units.rate_map(counts, angle + 12 * TURN / 24, width=0.1, bins=24, period=TURN, smooth=2)
    np.testing.assert_allclose(np.roll(maps.rate[0], 12), turned.rate[0])
    line = cs.units.rate_map(counts, angle, width=0.1, bins=24, smooth=2)
    assert not np.allclose(line.rate[0], maps.rate[0], rtol=0.01)


def test_information_is_the_equation_and_per_second_times_the_rate():
    place = walk(5000)
    counts = place_cells(place, [[0.5, 0.5], [-0.5, 0]])
    maps = cs.units.rate_map(counts, place, width=0.1, smooth=0)
    spike = cs.units.spatial_information(counts, place, width=0.1, n_shift=0)
    second = cs.units.spatial_information(counts, place, width=0.1, per="second", n_shift=0)
    seen = maps.occupancy > 0
    expected = [skaggs(rate[seen], maps.occupancy[seen]) for rate in maps.rate]
    np.testing.assert_allclose(spike.counted["plain"], expected)
    np.testing.assert_allclose(maps.information, expected)
    np.testing.assert_allclose(second.counted["plain"], spike.counted["plain"] * spike.counted["rate"])
    assert np.isnan(spike.p).all()


def test_information_of_a_field_in_closed_form():
    """A unit that fires in a quarter of the room tells 2 bits with each spike."""
    place = np.random.default_rng(0).uniform(-1, 1, (40_000, 2))
    inside = (place > 0).all(axis=1)
    counts = np.random.default_rng(1).poisson(0.5 * inside)[:, None]
    found = cs.units.spatial_information(
        counts, place, width=0.1, bins=4, n_shift=50, period=None, least=10.0
    )
    assert found.value[0] == pytest.approx(2, abs=0.02)
    assert found.ci_low[0] < 2 < found.ci_high[0]


def test_without_information_it_is_0():
    angle = heading(6000)
    counts = np.random.default_rng(2).poisson(0.05, size=(6000, 60))
    found = cs.units.spatial_information(counts, angle, width=0.1, period=TURN, n_shift=200)
    assert found.counted["plain"].mean() > 0.05
    assert abs(found.value.mean()) < 0.01
    assert abs(found.null_mean.mean()) < 0.01
    assert np.mean(found.p <= 0.05) < 0.15
    shifted = cs.units.spatial_information(
        counts, angle, width=0.1, period=TURN, n_shift=200, correction="shift"
    )
    np.testing.assert_allclose(shifted.value, shifted.counted["plain"] - shifted.counted["plain_null"])
    plain = cs.units.spatial_information(
        counts, angle, width=0.1, period=TURN, n_shift=200, correction="none"
    )
    np.testing.assert_allclose(plain.value, shifted.counted["plain"])


def test_information_and_shifts_are_those_of_tuning_curve():
    angle = heading(4000)
    counts = np.random.default_rng(0).poisson(0.3 * np.stack([1 + np.cos(angle), np.ones(4000)], axis=1))
    one = cs.units.tuning_curve(counts, angle, width=0.1, n_shift=300)
    two = cs.units.spatial_information(counts, angle, width=0.1, n_shift=300, least=one.least)
    np.testing.assert_allclose(one.value, two.counted["plain"])
    np.testing.assert_allclose(one.null_mean, two.counted["plain_null"])
    np.testing.assert_allclose(one.p, two.p)


def test_pynapple_has_the_same_curve_and_information():
    pynapple = pytest.importorskip("pynapple")
    rng = np.random.default_rng(0)
    angle = heading(3000)
    counts = rng.poisson(1 + np.cos(angle))
    stamps = np.repeat((np.arange(3000) + 0.5) * 0.1, counts)
    feature = pynapple.Tsd(t=(np.arange(3000) + 0.5) * 0.1, d=angle)
    support = pynapple.IntervalSet(0, 300)
    curves = pynapple.compute_tuning_curves(
        pynapple.TsGroup({0: pynapple.Ts(stamps)}, time_support=support),
        feature,
        bins=20,
        range=[(0, TURN)],
        epochs=support,
    )
    found = cs.units.rate_map(counts[:, None], angle, width=0.1, bins=20, period=TURN, smooth=0)
    np.testing.assert_allclose(found.rate[0], curves.values[0], rtol=0.02)
    bits = pynapple.compute_mutual_information(curves)["bits/spike"].iloc[0]
    assert found.information[0] == pytest.approx(float(bits), rel=0.02)


def test_direction_score_is_the_vector_of_rates():
    angle = heading(5000)
    counts = np.random.default_rng(0).poisson(0.5 * np.exp(2 * np.cos(angle - 2) - 2))[:, None]
    curve = cs.units.tuning_curve(counts, angle, width=0.1, bins=36, period=TURN, n_shift=200)
    found = cs.units.direction_score(counts, angle, width=0.1, period=TURN, n_shift=200, least=curve.least)
    np.testing.assert_allclose(found.counted["plain"], curve.value)
    np.testing.assert_allclose(found.counted["preferred"], curve.preferred)
    np.testing.assert_allclose(found.counted["plain_null"], curve.null_mean)
    np.testing.assert_allclose(found.p, curve.p)
    assert found.counted["preferred_low"][0] < 2 < found.counted["preferred_high"][0]
    assert found.counted["hotelling_p"][0] < 1e-4
    degrees = cs.units.direction_score(counts, np.degrees(angle), width=0.1, period=360, n_shift=0)
    np.testing.assert_allclose(degrees.value, found.value)
    np.testing.assert_allclose(np.radians(degrees.counted["preferred_low"]), found.counted["preferred_low"])


def test_without_direction_the_score_is_0():
    angle = heading(6000)
    counts = np.random.default_rng(2).poisson(0.05, size=(6000, 80))
    found = cs.units.direction_score(counts, angle, width=0.1, period=TURN, n_shift=200)
    assert found.counted["plain"].mean() > 0.03
    assert abs(found.value.mean()) < 0.03
    assert np.mean(found.p <= 0.05) < 0.15
    assert np.mean(found.counted["hotelling_p"] <= 0.05) < 0.15


def test_directions_taken_often_do_not_count_more():
    rng = np.random.default_rng(0)
    angle = np.where(rng.random(20_000) < 0.8, rng.uniform(0, 1, 20_000), rng.uniform(0, TURN, 20_000))
    counts = rng.poisson(3.0, size=(20_000, 1))
    assert abs(cs.units.direction_score(counts, angle, width=0.1, period=TURN, n_shift=0).value[0]) < 0.02


def test_a_few_spikes_have_no_corrected_value():
    place = walk(2000)
    counts = np.zeros((2000, 2), dtype=int)
    counts[:5, 0] = 1  # a burst in one place
    counts[::10, 1] = 1
    with pytest.warns(cs.ConsilienceWarning, match=r"few-spikes.*1 of 2 units"):
        found = cs.units.spatial_information(counts, place, width=0.1, n_shift=50)
    assert np.isnan([found.value[0], found.ci_low[0], found.null_mean[0]]).all()
    assert found.counted["plain"][0] > 3
    assert np.isfinite(found.p).all()
    assert np.isfinite(found.value[1])


@pytest.mark.parametrize("name", ["spatial_information", "direction_score"])
def test_silent_units_are_said(name):
    angle = heading(2000)
    counts = np.random.default_rng(0).poisson(1.0, size=(2000, 2))
    counts[:, 0] = 0
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*1 of 2 units"):
        found = getattr(cs.units, name)(counts, angle, width=0.1, period=TURN, bins=12, n_shift=20)
    assert found.p[0] == 1
    assert found.value[0] == 0 or np.isnan(found.value[0])


@pytest.mark.parametrize("name", ["spatial_information", "rate_map"])
@pytest.mark.parametrize(
    ("counts", "position", "options", "text"),
    [
        (np.ones((50, 2)), np.arange(49.0), {}, "in the same n bins of time are expected"),
        (np.ones(50), np.arange(50.0), {}, "in the same n bins of time are expected"),
        (np.ones((50, 2)) * np.nan, np.arange(50.0), {}, "NaN or infinite counts"),
        (np.ones((50, 2)), np.full(50, np.inf), {}, "NaN says that a position is not known"),
        (-np.ones((50, 2)), np.arange(50.0), {}, "negative counts"),
        (np.ones((50, 2)), np.where(np.arange(50) < 20, np.nan, 1), {}, "at least 40 bins of time"),
        (np.ones((50, 2)), np.ones(50), {}, "never changes in dimension 0"),
        (np.ones((50, 2)), np.arange(50.0), {"width": 0}, "width must be a number"),
        (np.ones((50, 2)), np.arange(50.0), {"bins": 2}, "bins must be a whole number, at least 3"),
        (np.ones((50, 2)), np.arange(50.0), {"bins": (4, 4)}, "one for each of 1 dimensions"),
        (np.ones((50, 2)), np.arange(50.0), {"period": 0}, "period must be a number"),
        (np.full((50, 2), "a"), np.arange(50.0), {}, "in the same n bins of time are expected"),
        (np.ones((50, 0)), np.arange(50.0), {}, "counts of at least one unit"),
    ],
)
def test_bad_input(name, counts, position, options, text):
    with pytest.raises(cs.InputError, match=text):
        getattr(cs.units, name)(counts, position, **{"width": 0.1, **options})


def test_types_do_not_matter_and_inputs_stay():
    place = walk(800)
    counts = place_cells(place, [[0, 0]])
    kept = counts.copy(), place.copy()
    one = cs.units.spatial_information(counts, place, width=0.1, bins=5, n_shift=20)
    for kind in (np.float32, np.uint8, ">i4"):
        two = cs.units.spatial_information(counts.astype(kind), place, width=0.1, bins=5, n_shift=20)
        np.testing.assert_allclose(one.value, two.value)
        np.testing.assert_allclose(one.p, two.p)
    np.testing.assert_array_equal(counts, kept[0])
    np.testing.assert_array_equal(place, kept[1])


def test_a_position_far_from_all_others_is_said():
    rng = np.random.default_rng(0)
    place = rng.uniform(0, 1, (2000, 2))
    counts = rng.poisson(0.5, (2000, 1))
    cs.units.rate_map(counts, place, width=0.1)
    lost = place.copy()
    lost[4] = 1e9
    with pytest.warns(cs.ConsilienceWarning, match="far-positions.*98 % of the positions in dimension 0"):
        cs.units.rate_map(counts, lost, width=0.1)
    cs.units.rate_map(counts, lost, width=0.1, limits=[(0, 1), (0, 1)])
    cs.units.rate_map(counts, rng.exponential(1, 2000), width=0.1)  # as speeds are
