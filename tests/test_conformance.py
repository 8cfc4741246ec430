"""The cheap rows of the conformance table: ours against peers that are installed, and identities."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

conformance = pytest.importorskip("benchmarks.conformance")
ROWS = [row for row in conformance.ROWS if row.tolerance is not None]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.ours} = {row.theirs}" for row in ROWS])
def test_ours_is_theirs(row):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of peers
        for name in row.needs:
            pytest.importorskip(name, exc_type=ImportError)
        modules = tuple(importlib.import_module(name) for name in row.needs)
        for seed in range(3 if row.share == 1 else 1):
            assert conformance.difference(*row.pair(np.random.default_rng(seed), modules)) <= row.tolerance


def test_a_row_either_agrees_or_says_why_not():
    assert all(row.reason for row in conformance.ROWS if row.tolerance is None)
    assert conformance.difference([1.0, 2.0], [1.0, 4.0]) == 0.5
