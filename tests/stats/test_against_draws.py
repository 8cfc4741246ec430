"""`against_draws`: values beside draws of their nulls."""

from __future__ import annotations

import numpy as np

from consilience.stats import against_draws


def test_sides_band_and_effect() -> None:
    draws = np.arange(99.0)[None, None].repeat(3, axis=0)
    found = against_draws(np.array([200.0, 200.0, 200.0]), draws, ["greater", "less", "two-sided"])
    np.testing.assert_allclose(found["p"][:, 0], [0.01, 1.0, 0.02])
    np.testing.assert_allclose(found["null_low"][0, 0], 0.025 * 98)
    np.testing.assert_allclose(found["effect"][0, 0], (200 - 49) / np.arange(99.0).std(ddof=1))
    np.testing.assert_allclose(found["difference"], 151.0)


def test_two_sided_is_at_most_one_and_draws_that_do_not_vary_have_no_effect() -> None:
    found = against_draws(np.array([1.0, 1.0]), np.ones((2, 2, 5)), ["two-sided", "greater"])
    assert (found["p"] == 1.0).all()
    assert np.isnan(found["effect"]).all()
    assert np.isnan(against_draws(np.array([1.0]), np.ones((1, 1, 1)), ["greater"])["null_sd"]).all()
