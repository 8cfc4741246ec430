"""Means of traces over a position: planted truth, a direct implementation, what they are blind to, bad input."""

import numpy as np
import pytest

import consilience as cs


def walk(n=4000, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(0, 0.3, n)) % (2 * np.pi)


def test_means_of_bins_and_their_time():
    rng = np.random.default_rng(1)
    angle = walk()
    x = np.cos(angle - 1)[:, None] * [1.0, -2.0] + rng.normal(0, 0.1, (angle.size, 2)) + 1e6
    maps = cs.units.mean_map(x, angle, width=0.05, period=2 * np.pi, bins=8)
    place = np.floor(angle / (2 * np.pi) * 8).astype(int)
    direct = np.stack([x[place == k].mean(axis=0) for k in range(8)], axis=1)
    assert maps.mean == pytest.approx(direct, abs=1e-6)
    assert maps.occupancy == pytest.approx(0.05 * np.bincount(place, minlength=8))
    assert (maps.low < maps.mean).all()
    assert (maps.mean < maps.high).all()
    assert "2 units, 8 bins" in repr(maps)


def test_interval_against_the_ratio_of_sums():
    rng = np.random.default_rng(2)
    angle = walk(seed=3)
    x = rng.normal(size=(angle.size, 1))
    maps = cs.units.mean_map(x, angle, width=0.1, period=2 * np.pi, bins=6)
    place, part = np.floor(angle / (2 * np.pi) * 6).astype(int), np.arange(angle.size) * 20 // angle.size
    for k in range(6):
        rows = [x[(place == k) & (part == h), 0] for h in range(20)]
        rows = [row for row in rows if row.size]
        total = sum(row.size for row in rows)
        mean = sum(row.sum() for row in rows) / total
        rest = sum((row.sum() - mean * row.size) ** 2 for row in rows)
        error = np.sqrt(len(rows) / (len(rows) - 1) * rest) / total
        from scipy.stats import t

        assert maps.high[0, k] - mean == pytest.approx(t.ppf(0.975, len(rows) - 1) * error)


def test_offset_scale_and_unknown_places():
    rng = np.random.default_rng(4)
    place = np.cumsum(rng.normal(0, 0.1, (3000, 2)), axis=0) % 1.0
    x = rng.normal(size=(3000, 2))
    one = cs.units.mean_map(x, place, width=0.1, bins=4, limits=[(0, 1), (0, 1)])
    other = cs.units.mean_map(3 * x - 5, place, width=0.1, bins=4, limits=[(0, 1), (0, 1)])
    assert other.mean == pytest.approx(3 * one.mean - 5)
    assert one.mean.shape == (2, 4, 4)
    lost = place.copy()
    lost[:1000] = np.nan
    part = cs.units.mean_map(x, lost, width=0.1, bins=4, limits=[(0, 1), (0, 1)])
    assert part.mean == pytest.approx(
        cs.units.mean_map(x[1000:], place[1000:], width=0.1, bins=4, limits=[(0, 1), (0, 1)]).mean
    )
    assert part.occupancy.sum() == pytest.approx(200)


def test_bad_input():
    angle = walk(200)
    with pytest.raises(cs.InputError, match=r"values \(n, units\)"):
        cs.units.mean_map(angle, angle, width=0.1)
    bad = np.zeros((200, 1))
    bad[3] = np.nan
    with pytest.raises(cs.InputError, match="NaN or infinite values"):
        cs.units.mean_map(bad, angle, width=0.1)
    with pytest.raises(cs.InputError, match="never changes"):
        cs.units.mean_map(np.zeros((200, 1)), np.ones(200), width=0.1)
