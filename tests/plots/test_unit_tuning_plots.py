"""Polar curves and maps of rate: what is drawn, and what is refused."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, QuadMesh

import consilience as cs
from consilience import plots


def test_a_polar_curve_is_closed_and_points_the_right_way():
    rate = np.zeros(36)
    rate[9] = 7.0  # just past a quarter turn
    ax = plots.plot_polar(rate, low=rate * 0.8, high=rate * 1.2, preferred=np.pi / 2, title="cell 3")
    curve = max(ax.lines, key=lambda line: line.get_linewidth())
    x, y = curve.get_data()
    assert len(x) == 37
    assert (x[0], y[0]) == (x[-1], y[-1])
    far = np.hypot(x, y).argmax()
    assert np.hypot(x, y)[far] == pytest.approx(7)
    assert np.arctan2(y[far], x[far]) == pytest.approx((9.5 / 36) * 2 * np.pi)
    assert len(ax.patches) == 1
    assert "10 spikes/s" in [t.get_text() for t in ax.texts]  # the outer circle is at or above the interval
    assert ax.get_title(loc="left") == "cell 3"
    same = plots.plot_polar(rate, largest=40)
    assert "40 spikes/s" in [t.get_text() for t in same.texts]


def test_a_polar_curve_takes_angles_in_any_order_and_period():
    at = np.array([270.0, 0.0, 90.0, 180.0])
    ax = plots.plot_polar([4.0, 1.0, 2.0, 3.0], at=at, period=360)
    x, y = max(ax.lines, key=lambda line: line.get_linewidth()).get_data()
    np.testing.assert_allclose(x, [1, 0, -3, 0, 1], atol=1e-12)
    np.testing.assert_allclose(y, [0, 2, 0, -4, 0], atol=1e-12)
    plots.plot_polar(np.zeros(8))  # a silent unit
    half = plots.plot_polar([1.0, 2.0], at=[0.0, 90.0], period=180)
    assert {"0°", "45°", "90°", "135°"} <= {t.get_text() for t in half.texts}


def test_a_map_has_its_first_dimension_to_the_right():
    rate = np.full((3, 2), np.nan)
    rate[2, 0] = 5.0
    fields = np.zeros((3, 2), dtype=int)
    fields[2, 0] = 1
    ax = plots.plot_rate_map(rate, edges=([0, 1, 2, 3], [0, 1, 2]), outlines=fields, xlabel="x (cm)")
    mesh = next(c for c in ax.collections if isinstance(c, QuadMesh))
    drawn = np.ma.filled(mesh.get_array().astype(float), np.nan).reshape(2, 3)
    np.testing.assert_array_equal(drawn, rate.T)
    border = next(c for c in ax.collections if isinstance(c, LineCollection))
    ends = np.concatenate(border.get_segments())
    assert len(border.get_segments()) == 4
    assert (ends.min(axis=0) == [2, 0]).all()
    assert (ends.max(axis=0) == [3, 1]).all()
    assert ax.get_xlabel() == "x (cm)"
    assert len(ax.figure.axes) == 2
    assert len(plots.plot_rate_map(np.ones((4, 4)), bar=False).figure.axes) == 1
    plots.plot_rate_map(np.full((4, 4), np.nan))


def test_what_does_not_fit_is_refused():
    with pytest.raises(cs.InputError, match="rate must have 1 dimension"):
        plots.plot_polar(np.ones((2, 4)))
    with pytest.raises(cs.InputError, match="must have the shape of rate"):
        plots.plot_polar(np.ones(4), low=np.ones(3), high=np.ones(4))
    with pytest.raises(cs.InputError, match="rate must have 2 dimensions"):
        plots.plot_rate_map(np.ones(4))
    with pytest.raises(cs.InputError, match="edges must be of 4 and 5 values"):
        plots.plot_rate_map(np.ones((3, 4)), edges=([0, 1], [0, 1]))


def test_rate_maps_are_drawn_with_their_edges():
    rng = np.random.default_rng(0)
    place, counts = rng.uniform(0, 2, (2000, 2)), rng.poisson(0.5, (2000, 2))
    maps = cs.units.rate_map(counts, place, width=0.1, bins=(10, 12))
    ax = cs.plots.plot_rate_map(maps, which=1, unit="Hz")
    assert ax.get_xlim() == pytest.approx((maps.edges[0][0], maps.edges[0][-1]))
    with pytest.raises(cs.InputError, match="2 units; which=0 to 1"):
        cs.plots.plot_rate_map(maps)
    line = cs.units.rate_map(counts[:, :1], place[:, 0], width=0.1)
    with pytest.raises(cs.InputError, match="1 dimensions of position"):
        cs.plots.plot_rate_map(line)
