"""Stability of maps: the direct correlation, remapping, drift, chance, degenerate input."""

import numpy as np
import pytest

import consilience as cs

stability = cs.units.map_stability


def walk(n=6000, seed=0):
    place = np.cumsum(np.random.default_rng(seed).normal(0, 0.1, (n, 2)), axis=0)
    return np.abs((place + 1) % 4 - 2) - 1


def field(place, centre, peak=10.0):
    return 0.5 + peak * np.exp(-((place - centre) ** 2).sum(axis=1) / 0.12)


def spikes(*rates, seed=1):
    return np.random.default_rng(seed).poisson(0.1 * np.stack(rates, axis=1))


@pytest.mark.parametrize("halves", ["time", "interleaved"])
def test_it_is_the_correlation_of_two_maps(halves):
    place = walk()
    counts = spikes(field(place, [0.3, 0.2]), field(place, [-0.5, 0.5], 2.0))
    found = stability(counts, place, width=0.1, bins=10, halves=halves, n_shift=0)
    stretch = np.arange(6000) * 20 // 6000
    side = stretch < 10 if halves == "time" else stretch % 2 == 0
    ends = [(v.min(), v.max()) for v in place.T]
    maps = [
        cs.units.rate_map(counts[part], place[part], width=0.1, bins=10, limits=ends)
        for part in (side, ~side)
    ]
    kept = (maps[0].occupancy >= 0.5) & (maps[1].occupancy >= 0.5)
    for u in range(2):
        expected = np.corrcoef(*(m.rate[u][kept] for m in maps))[0, 1]
        assert found.value[u] == pytest.approx(expected)
    assert found.counted["bins"][0] == kept.sum()
    assert (found.ci_low < found.value).all()
    assert (found.ci_high > found.value).all()


def test_a_field_that_moves_is_seen_in_time_alone():
    place = walk()
    late = np.arange(6000) >= 3000
    moved = np.where(late, field(place, [0.6, 0.6]), field(place, [-0.6, -0.6]))
    counts = spikes(field(place, [0.3, 0.2]), moved, np.full(6000, 2.0))
    time = stability(counts, place, width=0.1, bins=12)
    mixed = stability(counts, place, width=0.1, bins=12, halves="interleaved")
    assert time.value[0] > 0.9
    assert time.p[0] < 0.02
    assert time.value[1] < 0.3 < 0.6 < mixed.value[1]
    assert time.ci_low[2] < 0.1
    assert abs(time.null_mean[2]) < 0.2


def test_degenerate_input():
    place = walk(2000)
    counts = spikes(np.full(2000, 2.0), np.full(2000, 2.0))
    counts[1000:, 1] = 0
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*1 of 2 units.*in one half"):
        found = stability(counts, place, width=0.1, bins=6, n_shift=20)
    assert np.isnan([found.value[1], found.p[1], found.ci_low[1]]).all()
    assert np.isfinite([found.value[0], found.p[0]]).all()
    with pytest.raises(cs.InputError, match="halves must be one of 'time', 'interleaved'"):
        stability(counts, place, width=0.1, halves="odd")
    with pytest.raises(cs.InputError, match="least_time must be a number"):
        stability(counts, place, width=0.1, least_time=-1)
