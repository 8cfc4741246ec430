"""Order in trials of any size of values."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.stats import neighbours_alike, order_matters


@pytest.mark.parametrize("scale", [1e160, 1e-170])
def test_values_whose_squares_do_not_fit_are_tested_alike(scale):
    rng = np.random.default_rng(0)
    x, codes = np.cumsum(rng.normal(size=(60, 4)), axis=0), np.tile(np.repeat(np.arange(6), 5), 2)
    np.testing.assert_allclose(neighbours_alike(x * scale, codes), neighbours_alike(x, codes))
    assert order_matters(x * scale, codes) == order_matters(x, codes)
