"""`cs.exemplars`: planted order, no reward for noise, networks, refusals."""

import numpy as np
import pytest

import consilience as cs


def noisy(means, repeats, seed=0, units=1):
    rng = np.random.default_rng(seed)
    names = np.repeat([f"s{i:02d}" for i in range(len(means))], repeats)
    x = np.repeat(means, repeats)[:, None] + rng.normal(size=(names.size, units))
    return cs.responses(x, stimulus=names, repeat="count")


def test_a_planted_order_is_found():
    best = cs.exemplars(noisy([0, 30, 10, 20], 6, units=3), n=3)
    assert best["stimulus"].values.tolist() == [["s01", "s03", "s02"]] * 3
    np.testing.assert_allclose(best["held_out"], [[30, 20, 10]] * 3, atol=1.5)
    assert (best["share"] == 1).all()
    np.testing.assert_allclose(best["mean_of_all"], 15, atol=1)


def test_noise_is_not_rewarded():
    data = noisy(np.full(40, 5.0), 4, units=300)
    best = cs.exemplars(data, n=5, n_splits=20)
    assert float(best["mean"][:, 0].mean()) > 5.9  # the highest of 40 means of 4
    error = best["held_out"].mean("unit") - 5
    assert (abs(error) < 0.08).all()
    assert float(best["share"].mean()) < 0.6


def test_units_of_a_network():
    net = cs.Network(lambda block: block @ np.eye(4)[:, :2], name="toy")
    shown = cs.stimuli(np.array([[1, 5.0, 0, 0], [3, 1, 0, 0], [2, 2, 0, 0]]), ids=["a", "b", "c"])
    best = cs.exemplars([net.unit("output", i) for i in range(2)], shown, n=2)
    assert best["stimulus"].values.tolist() == [["b", "c"], ["a", "c"]]
    np.testing.assert_array_equal(best["held_out"], [[3, 2], [5, 2]])
    assert cs.exemplars(net.unit("output", 0), shown, n=99).sizes["rank"] == 3
    with pytest.raises(cs.InputError, match="need the stimuli to choose from"):
        cs.exemplars(net.unit("output", 0))


def test_refusals_and_single_trials():
    data = noisy([0, 1, 2], 2)
    with pytest.raises(cs.InputError, match="responses carry the ids of their stimuli"):
        cs.exemplars(data, data)
    with pytest.raises(cs.InputError, match="no coordinate 'categry' on trial"):
        cs.exemplars(data, by="categry")
    with pytest.raises(cs.InputError, match="n must be a whole number"):
        cs.exemplars(data, n=0)
    with pytest.warns(cs.ConsilienceWarning, match="1 of 3 stimuli have one trial"):
        best = cs.exemplars(data.isel(trial=slice(1, None)), n=1)
    assert np.isnan(best["held_out"]).all()
