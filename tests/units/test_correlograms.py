"""Correlograms against all differences, jitter against drawing, type I error and power."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

PIECES = [(0.0, 25.0), (30.0, 60.0)]


def trains_of(sizes, seed=0, seconds=60.0):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, seconds, n)).round(4) for n in sizes]


def inside(times):
    return times[(times < 25) | (times >= 30)]


def test_counts_are_those_of_all_differences():
    trains = trains_of((400, 700, 0, 300))
    found = cs.units.cross_correlogram(trains, observed=PIECES, width=0.002, longest=0.05)
    assert found.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    for (i, j), counts in zip(found.pairs, found.counts):
        away = (inside(trains[j])[None] - inside(trains[i])[:, None]).ravel()
        steps = np.floor(np.round(away / 0.002, 6)) + 25
        expected = [int(np.sum(steps == k)) for k in range(50)]
        assert counts.tolist() == expected


def test_pairs_come_in_the_order_asked_for():
    trains = trains_of((100,) * 40)
    every = cs.units.cross_correlogram(trains, observed=(0, 60), jitter=0.02)
    some = cs.units.cross_correlogram(trains, observed=(0, 60), pairs=[(30, 4), (2, 9), (30, 1)], jitter=0.02)
    row = {tuple(pair): k for k, pair in enumerate(every.pairs.tolist())}
    assert (some.counts[1] == every.counts[row[2, 9]]).all()
    assert some.jittered[1] == pytest.approx(every.jittered[row[2, 9]])
    assert abs(some.counts[0].sum() - every.counts[row[4, 30]].sum()) <= 1
    assert (some.counts[0][1:-1] == every.counts[row[4, 30]][::-1][1:-1]).mean() > 0.9  # edges of bins


def test_expected_counts_know_edges_and_gaps():
    trains = trains_of((3000,) * 8, seed=1, seconds=60.0)
    pieces = [(0.0, 0.3), *((k + 0.5, k + 0.8) for k in range(1, 58))]  # many short pieces
    found = cs.units.cross_correlogram(trains, observed=pieces, width=0.02, longest=0.4)
    every, expected = found.counts.sum(axis=0), found.expected.sum(axis=0)
    assert (np.abs(every - expected) < 6 * np.sqrt(expected + 1)).all()
    assert expected[20] > 5 * expected[7]  # a lag of 0.25 s hardly fits in 0.3 s
    assert expected[0] == every[0] == 0  # and one of 0.4 s not at all
    assert np.isnan(found.rates[:, 0]).all()
    assert found.rates[:, expected > 200].mean() == pytest.approx(50, rel=0.04)


def test_the_mean_over_jittered_trains_is_exact():
    trains = trains_of((300, 500, 200))
    trains[1] = np.sort(np.r_[trains[1], trains[0][:200] + 0.003])
    ours = cs.units.cross_correlogram(trains, observed=PIECES, width=0.002, longest=0.04, jitter=0.02)
    drawn = cs.units.jitter_test(
        trains, None, observed=PIECES, window=0.02, width=0.002, longest=0.04, n_jitter=3000
    )
    assert (ours.counts == drawn.counts).all()
    z = (drawn.null_mean - ours.jittered) / np.sqrt(np.maximum(ours.jittered, 1e-9) / 3000)
    assert np.mean(z**2) < 1.3
    assert np.abs(z).max() < 4.5
    low, high = ours.bands(0.95)
    assert (low <= drawn.low + 1).all()  # Poisson is a little wide
    assert (high >= drawn.high - 1).all()


def slow(rng, n, seconds=200):
    """Pairs of unrelated trains whose rates rise and fall together, over 0.2 s."""
    grid = np.arange(0, seconds, 0.01)
    out = []
    for _ in range(n):
        wave = np.convolve(rng.normal(size=grid.size + 40), np.hanning(21), "same")[20:-20]
        rate = 8 * np.exp(0.6 * wave / wave.std() - 0.18)
        pair = []
        for _ in range(2):
            counts = rng.poisson(rate * 0.01)
            pair.append(np.sort(np.repeat(grid, counts) + 0.01 * rng.random(counts.sum())))
        out.append(pair)
    return out


def test_jitter_does_not_take_common_slow_rates_for_timing():
    rng = np.random.default_rng(0)
    p, flat, drawn = [], [], []
    for k, pair in enumerate(slow(rng, 60)):
        options = {"observed": (0, 200), "width": 0.004, "longest": 0.04}
        p.append(cs.units.cross_correlogram(pair, jitter=0.02, **options).p()[0])
        flat.append(cs.units.cross_correlogram(pair, **options).p()[0])
        test = cs.units.jitter_test(pair, [(0, 1)], window=0.02, n_jitter=99, rng=k, **options)
        drawn.append(test.p_simultaneous.min())
    assert np.mean(np.array(flat) < 0.05) > 0.6  # against mean rates everything looks related
    assert np.mean(np.array(p) < 0.05) < 0.1
    assert np.mean(np.array(drawn) <= 0.05) < 0.15


def test_jitter_finds_fine_timing():
    (pair,) = slow(np.random.default_rng(3), 1)
    a, b = pair
    b = np.sort(np.r_[b, a[::8] + 0.005])
    found = cs.units.cross_correlogram([a, b], observed=(0, 200), width=0.002, longest=0.04, jitter=0.02)
    assert found.p()[0] < 1e-6
    assert found.lags[found.counts[0].argmax()] == pytest.approx(0.005)
    _, high = found.bands(0.99, simultaneous=True)
    assert found.counts[0].max() > high[0, found.counts[0].argmax()]
    test = cs.units.jitter_test([a, b], [(0, 1)], observed=(0, 200), width=0.002, longest=0.04, n_jitter=200)
    peak = test.counts[0].argmax()
    assert test.p_simultaneous[0, peak] == pytest.approx(1 / 201)
    assert test.simultaneous_high[0, peak] < test.counts[0, peak]


def test_autocorrelogram_is_symmetric_and_without_itself():
    trains = trains_of((500, 0, 1))
    found = cs.units.autocorrelogram(trains, observed=(0, 60), width=0.005, longest=0.1)
    assert (found.counts == found.counts[:, ::-1]).all()
    own = trains[0]
    away = (own[None] - own[:, None])[~np.eye(500, dtype=bool)]
    assert found.counts[0].sum() == np.sum(np.floor(np.round(np.abs(away) / 0.005, 6)) < 20)
    assert found.counts[1:].sum() == 0
    clock = cs.units.autocorrelogram([np.arange(0, 60, 0.02)], observed=(0, 60), width=0.005, longest=0.05)
    assert (clock.counts[0] > 0).sum() == 4  # at 0.02 and 0.04 s on both sides


def test_pairs_are_checked():
    trains = trains_of((10, 10))
    for pairs, said in (
        ([(0, 2)], "two different units of 0 ... 1"),
        ([(0, 0)], "autocorrelogram is for a unit with itself"),
        ([(0, 1), (0, 1)], "comes more than once"),
        ("01", r"list of \(first, second\)"),
    ):
        with pytest.raises(cs.InputError, match=said):
            cs.units.cross_correlogram(trains, observed=(0, 60), pairs=pairs)
    with pytest.raises(cs.InputError, match="needs at least 2 units, got 1"):
        cs.units.cross_correlogram(trains[:1], observed=(0, 60))
    with pytest.raises(cs.InputError, match="longest must be a number"):
        cs.units.cross_correlogram(trains, observed=(0, 60), width=0.01, longest=0.001)
