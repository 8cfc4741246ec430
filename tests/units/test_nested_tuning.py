"""One variable beyond the others: planted effects on paths where both go together, equations, bad input."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

import consilience as cs
from consilience.units._nested_tuning import _differences, _fit
from consilience.units._visits import visits_of

TURN = 2 * np.pi
BINS = {"place": 12, "heading": 12}


def track(n=5000, seed=0):
    """Back and forth on a line with heading mostly along it, and slow turns of it: the two go together."""
    rng = np.random.default_rng(seed)
    phase = np.cumsum(0.05 + 0.02 * rng.normal(size=n))
    place = np.sin(phase)
    heading = (1.5 * place + 0.8 * rng.normal(size=n)) % TURN
    return place, heading, rng


def test_what_is_planted_is_found_and_nothing_beyond_it():
    place, heading, rng = track()
    at_place = 0.5 + 15 * np.exp(-((place[:, None] - [-0.5, 0.0, 0.6]) ** 2) / 0.05)
    at_heading = 0.5 + 12 * np.exp(3 * (np.cos(heading[:, None] - [0.0, 1.0, 5.5]) - 1))
    rates = np.concatenate([at_place, at_heading, at_place * at_heading / 4, np.full((5000, 2), 3.0)], axis=1)
    found = cs.units.nested_tuning(
        rng.poisson(0.1 * rates),
        {"place": place, "heading": heading},
        width=0.1,
        bins=BINS,
        period={"heading": TURN},
    )
    there, way = found.beyond["place"].p <= 0.05, found.beyond["heading"].p <= 0.05
    assert there[[0, 1, 2, 6, 7, 8]].all()
    assert way[[3, 4, 5, 6, 7, 8]].all()
    assert there.sum() + way.sum() <= 13
    assert (found.alone["heading"].p[:3] <= 0.05).all()  # place cells that seem to follow heading
    np.testing.assert_allclose(
        found.beyond["heading"].value, found.together.value - found.alone["place"].value, atol=1e-12
    )
    assert (found.together.value[9:] < 0.01).all()
    assert found.parts.shape == (5, 20, 11)
    assert "11 units; beyond the other variables (p <= 0.05): place" in repr(found)


def test_what_is_no_better_than_a_flat_rate_is_not_beyond_another():
    """A gain that wanders makes place alone lose more than both: heading seems to add something."""
    rng = np.random.default_rng(3)
    place = np.abs((np.cumsum(rng.normal(0, 0.04, (3000, 2)), axis=0) + 1) % 4 - 2) - 1
    heading = np.cumsum(rng.normal(0, 0.6, 3000)) % TURN
    drift = np.exp(0.7 * np.sin(np.arange(3000)[:, None] / 80 + rng.uniform(0, 6, 12)))
    found = cs.units.nested_tuning(
        rng.poisson(0.3 * drift),
        {"place": place, "heading": heading},
        width=0.1,
        bins={"place": 8, "heading": 8},
        period={"heading": TURN},
    )
    for name in ("place", "heading"):
        assert (found.beyond[name].p >= found.together.p).all()
        assert (found.beyond[name].p > 0.05).mean() > 0.8
        np.testing.assert_array_equal(np.isnan(found.beyond[name].ci_low), found.together.p > 0.05)


def test_a_fit_is_the_penalised_optimum():
    rng = np.random.default_rng(0)
    x = np.eye(6)[rng.integers(0, 6, 40)]
    y, w = rng.poisson(2, 40).astype(float), np.full(40, 2.0)
    prior = np.diag(np.full(6, 2.0)) - np.eye(6, k=1) - np.eye(6, k=-1)
    beta, _ = _fit(csr_matrix(x), prior, y, w, None)
    offset = y.sum() / w.sum() * w

    def loss(b):
        return -(y @ (x @ b) - offset @ np.exp(x @ b) - 0.5 * b @ (prior + 1e-3 * np.eye(6)) @ b)

    np.testing.assert_allclose(beta, minimize(loss, np.zeros(6)).x, atol=5e-3)


def test_penalty_is_the_sum_of_squared_differences():
    x = np.linspace(0, 1, 60)
    counts = np.ones((60, 1), dtype=int)
    rng = np.random.default_rng(0)
    for period, pairs in ((None, 4), (1.0, 5)):
        visits = visits_of(counts, x % 1, width=0.1, bins=5, period=period, least=0.1, who="test")
        f = rng.normal(size=5)
        expected = sum((f[i] - f[(i + 1) % 5]) ** 2 for i in range(pairs))
        assert f @ _differences(np.arange(5), visits) @ f == pytest.approx(expected)
    plane = np.stack([x, rng.permutation(x)], axis=1)
    visits = visits_of(counts, plane, width=0.1, bins=4, period=None, least=0.1, who="test")
    f = rng.normal(size=(4, 4))
    both = (np.diff(f, axis=0) ** 2).sum() + (np.diff(f, axis=1) ** 2).sum()
    assert f.ravel() @ _differences(np.arange(16), visits) @ f.ravel() == pytest.approx(both)


def test_three_variables_and_what_is_left_out():
    place, heading, rng = track(3000)
    speed = rng.random(3000)
    speed[:100] = np.nan
    counts = rng.poisson(0.1 * (1 + 20 * np.nan_to_num(speed)))[:, None]
    found = cs.units.nested_tuning(
        counts,
        {"place": place, "heading": heading, "speed": speed},
        width=0.1,
        bins={"place": 8, "heading": 8, "speed": 8},
        period={"heading": TURN},
    )
    assert found.spikes[0] == counts[100:].sum()
    assert found.beyond["speed"].p[0] < 0.01
    assert found.beyond["place"].p[0] > 0.05
    assert found.parts.shape == (7, 20, 1)


def test_degenerate_input():
    place, heading, _ = track(800)
    counts = np.zeros((800, 2), dtype=int)
    counts[::3, 1] = 1
    both = {"place": place, "heading": heading}
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*no gain"):
        found = cs.units.nested_tuning(counts, both, width=0.1, bins={"place": 5, "heading": 5})
    assert np.isnan(found.together.value[0])
    assert np.isfinite(found.together.value[1])
    with pytest.raises(cs.InputError, match="the same 800 bins of time"):
        cs.units.nested_tuning(counts[:50], both, width=0.1)
    for variables, options, text in [
        ({"place": place}, {}, "at least 2 variables"),
        ({"place": place, "heading": heading[:-1]}, {}, "with the same n"),
        (both, {"bins": {"speed": 4}}, "bins names 'speed'"),
        (both, {"period": {"head": 4}}, "period names 'head'"),
        (
            {"a": np.arange(4000.0), "b": np.arange(4000.0)},
            {"bins": {"a": 4000, "b": 40}},
            "at most 3000 can be fitted together",
        ),
        ({"place": place, "heading": np.ones(800)}, {}, "never changes"),
    ]:
        given = np.ones((4000, 1)) if "a" in variables else counts
        with pytest.raises(cs.InputError, match=text):
            cs.units.nested_tuning(given, variables, width=0.1, **options)
