"""Sums over stimuli, in one thread or several."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import consilience as cs
from consilience.linalg import _moments
from consilience.linalg._moments import moments_of


def systems(n=1001, p=12, q=9, dtype=np.float64):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, p))
    return (x + 3).astype(dtype), (x[:, :q] + rng.normal(size=(n, q))).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_rows_dealt_to_threads_give_the_same_sums(dtype, threads, monkeypatch):
    x, y = systems(dtype=dtype)
    zero = np.zeros(12, dtype), np.zeros(9, dtype)
    whole = moments_of(x, y, *zero)
    monkeypatch.setattr(_moments, "_LARGE", 0)
    monkeypatch.setattr(_moments, "blas_threads", lambda: threads)
    dealt = moments_of(x, y, *zero, threads=True)
    assert dealt.n == whole.n == 1001
    for name in whole.__dataclass_fields__:
        exact = np.asarray(getattr(whole, name))
        near = (1e-12 if dtype == np.float64 else 1e-5) * np.abs(exact).max()
        np.testing.assert_allclose(getattr(dealt, name), exact, atol=near)
    again = moments_of(x, y, *zero, threads=True)
    np.testing.assert_array_equal(again.xy, dealt.xy)


def test_cka_in_threads_scales_where_squares_overflow_and_changes_nothing(monkeypatch):
    x, y = systems(dtype=np.float32)
    value, before = float(cs.measures.cka(x, y)), x.copy()
    monkeypatch.setattr(_moments, "_LARGE", 0)
    with threadpool_limits(2):
        assert float(cs.measures.cka(x, y)) == pytest.approx(value, abs=1e-6)
        assert float(cs.measures.cka(x * np.float32(1e25), y)) == pytest.approx(value, abs=1e-5)
    np.testing.assert_array_equal(x, before)
