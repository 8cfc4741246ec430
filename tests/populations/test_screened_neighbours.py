"""Neighbours found by bounds are those of all distances, and of the tiles that stand in where bounds do not help."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from consilience.populations._neighbours import distinct_points, nearest, tiled
from consilience.populations._screened_neighbours import screened

N = 700


def points(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    low = rng.normal(size=(N, 4)) @ rng.normal(size=(4, 40))
    t = rng.uniform(0, 6, size=(N, 1))
    clusters = np.repeat(rng.normal(size=(35, 6)), 20, axis=0)
    return {
        "even": lambda: rng.normal(size=(N, 30)),
        "wide": lambda: rng.normal(size=(N, 200)),
        "low rank and noise": lambda: low + 0.05 * rng.normal(size=low.shape),
        "low rank": lambda: low,
        "curve": lambda: np.hstack([np.cos(t * f) for f in range(1, 31)]),
        "far away": lambda: low + 1e8,
        "one dimension": lambda: t,
        "whole numbers": lambda: rng.integers(0, 4, size=(N, 6)).astype(float),
        "grid": lambda: np.stack(np.meshgrid(*[np.arange(9.0)] * 3), axis=-1).reshape(-1, 3),
        "counts": lambda: rng.poisson(1.0, size=(N, 20)).astype(float),
        "pairs": lambda: np.vstack([low[: N // 2], low[: N // 2] + 1e-9 * rng.normal(size=(N // 2, 40))]),
        "tight clusters": lambda: clusters + 1e-7 * rng.normal(size=clusters.shape),
        "one outlier": lambda: np.vstack([low[1:], np.full((1, 40), 1e7)]),
        "few outliers": lambda: np.vstack([low[5:], 30 * low[:5]]),
        "in order": lambda: low[np.argsort(low[:, 0])],
        "units of all sizes": lambda: rng.normal(size=(N, 30)) * 10.0 ** np.arange(-15, 15),
        "silent units": lambda: np.hstack([low, np.zeros((N, 3))]),
        "tiny": lambda: 1e-300 * low,
        "huge": lambda: 1e300 * low,
    }[kind]()


KINDS = (
    *(
        "even",
        "wide",
        "low rank and noise",
        "low rank",
        "curve",
        "far away",
        "one dimension",
        "whole numbers",
    ),
    *("grid", "counts", "pairs", "tight clusters", "one outlier", "few outliers", "in order"),
    *("units of all sizes", "silent units", "tiny", "huge"),
)
BY_TILES = {"wide"}
CLOSE = {"tight clusters"}  # closer than the rounding of products


@pytest.mark.filterwarnings("ignore:.*points-merged")
@pytest.mark.parametrize("k", [1, 2, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_both_paths_find_the_nearest(kind, k):
    x = distinct_points(points(kind), who="test", fewest=k + 1).x
    away = cdist(x, x)
    np.fill_diagonal(away, np.inf)
    expected = np.sort(away, axis=1)[:, :k]
    found = screened(x, k, indices=True)
    assert (found is None) == (kind in BY_TILES)
    if found is not None:
        squared, where = found
        assert np.allclose(np.sqrt(squared), expected, rtol=1e-12, atol=0)
        assert np.allclose(np.take_along_axis(away, where, axis=1), expected, rtol=1e-12, atol=0)
        assert (np.sort(where, axis=1)[:, 1:] != np.sort(where, axis=1)[:, :-1]).all()
        assert np.array_equal(screened(x, k, indices=False)[0], squared)
    assert np.allclose(nearest(x, k)[0], expected, rtol=1e-12, atol=0)
    if kind not in CLOSE:
        squared, where = tiled(x, k)
        assert np.allclose(np.sqrt(squared), expected, rtol=1e-7, atol=0)
        assert np.allclose(np.take_along_axis(away, where, axis=1), expected, rtol=1e-7, atol=0)


def test_few_points_and_many_neighbours():
    rng = np.random.default_rng(1)
    for n, k in ((2, 1), (3, 2), (30, 29), (255, 2), (256, 16), (257, 16), (257, 17), (300, 299)):
        x = distinct_points(rng.normal(size=(n, 5)), who="test", fewest=2).x
        away = cdist(x, x)
        np.fill_diagonal(away, np.inf)
        found, where = nearest(x, k, indices=True)
        expected = np.sort(away, axis=1)[:, :k]
        assert (screened(x, k, indices=False) is None) == (n < 16 * k or n < 256)
        assert np.allclose(found, expected, rtol=1e-10, atol=0)
        assert np.allclose(np.take_along_axis(away, where, axis=1), expected, rtol=1e-10, atol=0)


def test_bounds_keep_neighbours_whatever_axes_and_rounding(monkeypatch):
    """Few axes, so that much is left out, and distances near the size of rounding in single precision."""
    import consilience.populations._screened_neighbours as module

    rng = np.random.default_rng(2)
    x = rng.normal(size=(900, 3)) @ rng.normal(size=(3, 40)) + 0.3 * rng.normal(size=(900, 40))
    tight = 0.003 * rng.normal(size=(900, 3)) + np.repeat(rng.normal(size=(9, 3)), 100, axis=0)
    monkeypatch.setattr(module, "_LOST", 4.0)
    monkeypatch.setattr(module, "_LOOSE", 5.0)
    for data in (x, tight):
        data = distinct_points(data, who="test", fewest=3).x
        away = cdist(data, data)
        np.fill_diagonal(away, np.inf)
        found = screened(data, 5, indices=False)
        assert found is not None
        assert np.allclose(np.sqrt(found[0]), np.sort(away, axis=1)[:, :5], rtol=1e-12, atol=0)


def test_copies_are_found_to_the_last_bit():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, size=(200, 8)).astype(float)
    _, first = np.unique(x, axis=0, return_index=True)
    with pytest.warns(UserWarning, match="points-merged"):
        found = distinct_points(x, who="test", fewest=2)
    assert np.array_equal(found.first, np.sort(first))
    assert found.merged == 200 - first.size
    y = rng.normal(size=(50, 3))
    y[7] = np.nextafter(y[3], np.inf)
    before = y.copy()
    assert distinct_points(y, who="test", fewest=2).merged == 0
    assert np.array_equal(y, before)
