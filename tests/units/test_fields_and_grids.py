"""Place fields and grids: planted ones, direct equations, chance under shifts."""

import numpy as np
import pytest

import consilience as cs
from consilience.units._grid_score import autocorrelation_map


def walk(n, seed=0, step=0.08):
    """A walk in the box from -1 to 1."""
    place = np.cumsum(np.random.default_rng(seed).normal(0, step, (n, 2)), axis=0)
    return np.abs((place + 1) % 4 - 2) - 1


def field(place, centre, peak=12.0, size=0.08):
    return peak * np.exp(-((place - centre) ** 2).sum(axis=1) / size)


def lattice(place, spacing, degrees, phase=(0.0, 0.0)):
    k = 4 * np.pi / (3**0.5 * spacing)
    waves = [(place - phase) @ [np.cos(a), np.sin(a)] for a in np.radians(degrees + np.array([30, 90, 150]))]
    return np.exp(sum(np.cos(k * wave) for wave in waves))


def spikes(rates, seed=1, width=0.1):
    return np.random.default_rng(seed).poisson(width * np.stack(rates, axis=1))


def test_fields_are_where_they_were_put():
    place = walk(9000)
    two = 0.3 + field(place, [0.5, -0.5]) + field(place, [-0.6, 0.4], peak=9)
    found = cs.units.place_fields(
        spikes([0.3 + field(place, [0.2, 0.6]), two, np.full(9000, 1.0)]), place, width=0.1, n_shift=200
    )
    np.testing.assert_array_equal(found.number, [1, 2, 0])
    table = dict(zip(found.columns, found.table.T))
    np.testing.assert_array_equal(table["unit"], [0, 1, 1])
    np.testing.assert_array_equal(table["field"], [1, 1, 2])
    np.testing.assert_allclose(table["x"], [0.2, 0.5, -0.6], atol=0.12)
    np.testing.assert_allclose(table["y"], [0.6, -0.5, 0.4], atol=0.12)
    assert (table["p"] <= 0.05).all()
    assert (found.fields[1][found.rate[1] == np.nanmax(found.rate[1])] == 1).all()
    for k, unit in enumerate(table["unit"].astype(int)):
        inside = found.fields[unit] == table["field"][k]
        assert inside.sum() == table["bins"][k]
        assert found.rate[unit][inside].max() == pytest.approx(table["peak"][k])
        assert (found.rate[unit] - found.threshold[unit])[inside].sum() == pytest.approx(table["mass"][k])
    assert "3 fields (p <= 0.05) of 2 of 3 units" in repr(found)


def test_a_higher_fraction_makes_smaller_fields():
    place = walk(9000)
    counts = spikes([0.3 + field(place, [0.2, 0.6])])
    plain, small = (
        cs.units.place_fields(counts, place, width=0.1, n_shift=100, fraction=f) for f in (0.0, 0.6)
    )
    assert small.table[0, 3] < plain.table[0, 3]
    assert (small.threshold >= plain.threshold).all()


def test_a_field_across_the_ends_of_a_circle_is_one():
    angle = np.cumsum(np.random.default_rng(0).normal(0, 0.3, 9000)) % (2 * np.pi)
    counts = spikes([10 * np.exp(6 * (np.cos(angle) - 1)) + 0.2])
    ring = cs.units.place_fields(counts, angle, width=0.1, period=2 * np.pi, n_shift=100)
    line = cs.units.place_fields(counts, angle, width=0.1, n_shift=100)
    assert ring.number[0] == 1
    assert np.cos(ring.table[0, -1]) > 0.98
    assert line.number[0] == 2


def test_bursts_on_a_path_make_no_fields():
    place, rng = walk(5000), np.random.default_rng(3)
    gain = np.zeros((5000, 24))
    for i in range(1, 5000):
        gain[i] = 0.98 * gain[i - 1] + 0.2 * rng.normal(size=24)
    found = cs.units.place_fields(
        rng.poisson(0.2 * np.exp(0.7 * gain)), place, width=0.1, n_shift=100, bins=15
    )
    assert np.mean(found.number > 0) < 0.2


def test_autocorrelogram_is_pearson_of_what_overlaps():
    rng = np.random.default_rng(0)
    x, seen = rng.random((2, 9, 8)), rng.random((9, 8)) > 0.15
    found = autocorrelation_map(x.reshape(2, -1), (9, 8), seen.ravel())
    assert found.shape == (2, 17, 15)
    for di, dj in [(0, 0), (1, 0), (2, -3), (-3, 1), (4, 2)]:
        a, b = [], []
        for i in range(9):
            for j in range(8):
                u, v = i + di, j + dj
                if 0 <= u < 9 and 0 <= v < 8 and seen[i, j] and seen[u, v]:
                    a.append(x[1, u, v])
                    b.append(x[1, i, j])
        expected = np.corrcoef(a, b)[0, 1] if len(a) >= 20 else np.nan
        np.testing.assert_allclose(found[1, 8 + di, 7 + dj], expected, atol=1e-10)
    assert np.isnan(found[:, 0, 0]).all()  # one bin in common


def test_planted_grids_with_spacing_and_orientation():
    place = walk(12_000)
    rates = [lattice(place, 0.6, 12.0, (0.1, -0.2)), lattice(place, 0.85, 48.0), np.full(12_000, 3.0)]
    found = cs.units.grid_score(spikes(rates), place, width=0.1, n_shift=60)
    assert (found.value[:2] > 0.8).all()
    assert (found.p[:2] < 0.05).all()
    assert found.value[2] < 0.6
    np.testing.assert_allclose(found.counted["spacing"][:2], [0.6, 0.85], rtol=0.06)
    away = found.counted["orientation"][:2] - [12, 48]
    np.testing.assert_allclose((away + 30) % 60 - 30, 0, atol=4)
    assert (found.ci_low <= found.value).all()
    assert (found.null_mean[:2] < 0.5).all()


def test_a_square_lattice_is_no_grid():
    place = walk(12_000)
    square = np.exp(2 * np.cos(2 * np.pi * place[:, 0] / 0.6) + 2 * np.cos(2 * np.pi * place[:, 1] / 0.6))
    found = cs.units.grid_score(spikes([square]), place, width=0.1, n_shift=0)
    assert found.value[0] < 0
    assert np.isnan(found.p[0])


def test_fewer_than_three_fields_are_no_grid():
    place = walk(12_000)
    one = 0.1 + field(place, [0.2, 0.4])
    two = 0.1 + field(place, [-0.5, -0.5]) + field(place, [0.5, 0.5])
    found = cs.units.grid_score(spikes([one, two, lattice(place, 0.7, 20.0)]), place, width=0.1, n_shift=40)
    assert found.counted["fields"][:2].tolist() == [1, 2]
    assert found.counted["fields"][2] > 5
    assert np.isnan(found.p[:2]).all()
    assert found.p[2] < 0.05
    assert np.isfinite(found.null_mean).all()


def test_score_does_not_depend_on_where_the_room_is():
    place = walk(6000)
    counts = spikes([lattice(place, 0.7, 20.0)])
    one = cs.units.grid_score(counts, place, width=0.1, n_shift=0, size=0.1)
    two = cs.units.grid_score(counts, 100 * place + [40, -30], width=0.1, n_shift=0, size=10.0)
    np.testing.assert_allclose(one.value, two.value, atol=0.05)
    np.testing.assert_allclose(100 * one.counted["spacing"], two.counted["spacing"], rtol=0.05)


def test_degenerate_input():
    place = walk(2000)
    counts = spikes([np.zeros(2000), np.full(2000, 3.0)])
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*no score"):
        assert np.isnan(cs.units.grid_score(counts, place, width=0.1, n_shift=0).value[0])
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*no fields"):
        found = cs.units.place_fields(counts, place, width=0.1, n_shift=100, bins=10)
    assert found.number[0] == 0
    assert np.isnan(found.p[0])
    with pytest.raises(cs.InputError, match="in a plane is expected"):
        cs.units.grid_score(counts, place[:, 0], width=0.1)
    with pytest.raises(cs.InputError, match="no position is known"):
        cs.units.grid_score(counts, np.full((2000, 2), np.nan), width=0.1)
    with pytest.raises(cs.InputError, match="never changes"):
        cs.units.grid_score(counts, np.ones((2000, 2)), width=0.1)
    with pytest.raises(cs.InputError, match="n_shift must be a whole number, at least 100"):
        cs.units.place_fields(counts, place, width=0.1, n_shift=10)
