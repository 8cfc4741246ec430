"""Filters and rescaled intervals: what is drawn, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import consilience as cs
from consilience import plots


def test_filters_are_drawn_with_their_bands_and_names():
    value = np.array([[1.0, 0.5, 0.0], [-1.0, 0.0, 1.0]])
    ax = plots.plot_filter(value, low=value - 0.2, high=value + 0.2, at=[0, 0.1, 0.2], names=["a", "b"])
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3]
    np.testing.assert_array_equal([line.get_ydata() for line in lines], value)
    np.testing.assert_array_equal(lines[0].get_xdata(), [0, 0.1, 0.2])
    assert sum(isinstance(c, PolyCollection) for c in ax.collections) == 2
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    one = plots.plot_filter(value[0], names=["cell"])
    assert one.get_title(loc="left") == "cell"
    assert all(float(tick).is_integer() for tick in one.get_xticks())


def test_units_that_leave_their_band_are_counted():
    rng = np.random.default_rng(0)
    rate = 0.1 * np.exp(np.sin(np.arange(6000) / 40))
    y = rng.poisson(np.stack([rate, rate], axis=1))
    m = np.stack([rate, np.full(6000, rate.mean())], axis=1)
    found = cs.stats.time_rescaling(y, m, rng=0)
    ax = plots.plot_time_rescaling(found, names=["right", "wrong"])
    assert "1 of 2 units leave their 95 % band" in ax.get_title(loc="left")
    drawn = [np.abs(line.get_ydata()).max() for line in ax.lines if len(line.get_xdata()) > 100]
    np.testing.assert_allclose(drawn, found.statistic, atol=2e-3)
    many = plots.plot_time_rescaling(cs.stats.time_rescaling(np.tile(y, 6), np.tile(m, 6), rng=0))
    assert "of 12 units" in many.get_title(loc="left")
    assert many.get_legend() is None
    none = plots.plot_time_rescaling(cs.stats.time_rescaling(np.zeros(50), np.full(50, 0.1)))
    assert "too few spikes" in none.get_title(loc="left")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.plot_filter(np.zeros((2, 2, 2))), r"value must be \(lags,\) or \(filters, lags\)"),
        (
            lambda: plots.plot_filter(np.zeros(3), low=np.zeros(2), high=np.zeros(3)),
            "low must be the shape of value",
        ),
        (lambda: plots.plot_filter(np.zeros((9, 3))), "at most 8 filters in one axis, got 9"),
        (lambda: plots.plot_filter(np.zeros(3), at=[1, 2]), "at must be 3 places"),
        (lambda: plots.plot_time_rescaling(3), "must be a TimeRescaling, got int"),
    ],
)
def test_messages(call, message):
    with pytest.raises(cs.InputError, match=message):
        call()
