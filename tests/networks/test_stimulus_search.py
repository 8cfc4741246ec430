"""Preferred stimuli without gradients: planted neurons, honest values, stopping, the order of asking and telling."""

import numpy as np
import pytest

import consilience as cs
from consilience.networks._fourier_basis import fourier_basis
from consilience.testing import check_result

Y, X = np.mgrid[-10:10, -10:10]


def gabor(seed):
    rng = np.random.default_rng(seed)
    angle, f, phase = rng.uniform(0, np.pi), rng.uniform(0.08, 0.14), rng.uniform(0, 2 * np.pi)
    along = X * np.cos(angle) + Y * np.sin(angle)
    field = np.exp(-(X**2 + Y**2) / 24) * np.cos(2 * np.pi * f * along + phase)
    return field / np.linalg.norm(field)


class Neuron:
    """Poisson counts of a rectified match with a Gabor."""

    def __init__(self, seed, gain=0.6):
        self.field, self.gain = gabor(seed), gain
        self.rng = np.random.default_rng(seed + 100)
        self.seen = 0

    def rate(self, shown):
        return 2 * np.log1p(np.exp(self.gain * (shown[:, 0] * self.field).sum((1, 2))))

    def __call__(self, shown):
        self.seen += len(shown)
        return self.rng.poisson(self.rate(shown))


def test_a_noisy_neuron_gets_its_gabor():
    found, covered = [], []
    for seed in range(6):
        neuron = Neuron(seed)
        made = cs.synthesize(neuron, shape=(1, 20, 20), norm=10, n_components=48, budget=3000, rng=seed)
        best = made.best.values
        found.append((best[0, 0] * neuron.field).sum() / np.linalg.norm(best))
        low, high = made.data["ci_low"].values[0], made.data["ci_high"].values[0]
        covered.append(low <= neuron.rate(best)[0] <= high)
        assert neuron.seen == made.settings["presentations"] + 20 + 39
        assert made.settings["presentations"] <= 3000
    assert np.mean(found) > 0.8
    assert min(found) > 0.6
    assert np.sum(covered) >= 4
    check_result(made)
    assert "presentations" in repr(made)


def test_without_noise_a_linear_neuron_gets_its_filter():
    basis = fourier_basis([12, 12], 20)
    field = np.tensordot(np.random.default_rng(0).normal(size=20), basis, axes=1)
    made = cs.synthesize(
        lambda shown: (shown[:, 0] * field).sum((1, 2)),
        shape=(1, 12, 12),
        norm=1,
        n_components=20,
        budget=8000,
        rng=0,
    )
    assert made.value[0] == pytest.approx(np.linalg.norm(field), rel=0.01)
    assert made.data["ci_low"].values[0] == pytest.approx(made.value[0])


def test_an_untuned_neuron_is_left_early_and_not_told_from_chance():
    ps = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        made = cs.synthesize(
            lambda shown, rng=rng: rng.poisson(5, size=len(shown)),
            shape=(1, 8, 8),
            norm=1,
            budget=20_000,
            rng=seed,
        )
        assert made.settings["stopped"] == "no gain"
        assert made.settings["presentations"] < 8000
        ps.append(made.data["p"].values[0])
    assert min(ps) > 0.025


def test_ask_and_tell_are_the_callback_form():
    search = cs.networks.StimulusSearch(shape=(1, 20, 20), norm=10, n_components=16, budget=800, rng=3)
    neuron = Neuron(3)
    while not search.done:
        search.tell(neuron(search.ask().values))
    again = cs.synthesize(Neuron(3), shape=(1, 20, 20), norm=10, n_components=16, budget=800, rng=3)
    np.testing.assert_array_equal(search.result().best.values, again.best.values)
    np.testing.assert_array_equal(search.result().value, again.value)


def test_what_is_shown_keeps_norm_and_bounds():
    search = cs.networks.StimulusSearch(
        shape=(3, 9, 7), norm=4, bounds=(0, 255), budget=600, n_components=9, repeats=2
    )
    shown = search.ask()
    assert shown.values.min() >= 0
    np.testing.assert_allclose(
        np.linalg.norm((shown.values - 127.5).reshape(len(shown), -1), axis=1), 4, rtol=1e-4
    )
    np.testing.assert_array_equal(shown.values[0], shown.values[1])  # repeats
    assert abs(shown.values[0] - shown.values[2]).max() > 0
    sound = cs.networks.StimulusSearch(shape=(1, 100), norm=2, budget=400, n_components=11)
    assert sound.ask().shape[1:] == (1, 100)
    vector = cs.networks.StimulusSearch(shape=6, norm=2, budget=400)
    assert vector.ask().shape[1:] == (6,)


def test_the_order_and_the_numbers():
    search = cs.networks.StimulusSearch(shape=(1, 8, 8), norm=1, budget=400, n_components=8)
    with pytest.raises(cs.InputError, match="ask for a batch first"):
        search.tell([1.0])
    n = len(search.ask())
    with pytest.raises(cs.InputError, match="was asked for first"):
        search.ask()
    with pytest.raises(cs.InputError, match=f"{n} responses are needed"):
        search.tell([1.0])
    with pytest.raises(cs.InputError, match="show the batch again"):
        search.tell([np.nan] * n)
    with pytest.raises(cs.InputError, match="the search is not done"):
        search.result()
    search.tell(np.arange(n))
    assert "searching, 1 generations" in repr(search)
    search.stop()
    test = search.ask()
    assert len(test) == 20 + 39
    search.tell(np.ones(59))
    assert search.done
    with pytest.raises(cs.InputError, match="the search is done"):
        search.ask()
    assert search.result().settings["stopped"] == "asked to"
    with pytest.raises(cs.InputError, match="less than two generations"):
        cs.networks.StimulusSearch(shape=(1, 8, 8), norm=1, budget=10)
    with pytest.raises(cs.InputError, match="must return one number per stimulus"):
        cs.synthesize(lambda shown: shown, shape=(1, 8, 8), norm=1)
    with pytest.raises(cs.InputError, match="pattern= is not for method='evolution'"):
        cs.synthesize(lambda shown: shown.sum((1, 2, 3)), shape=(1, 8, 8), norm=1, pattern="stretch")
    with pytest.raises(cs.InputError, match="steps= and transforms= are not for method='evolution'"):
        cs.synthesize(lambda shown: shown.sum((1, 2, 3)), shape=(1, 8, 8), norm=1, steps=9, transforms=None)


def test_a_callback_watches_and_ends():
    counts = []

    def watch(search):
        counts.append(search.n_presented)
        return len(counts) == 3

    made = cs.synthesize(Neuron(0), shape=(1, 20, 20), norm=5, budget=3000, callback=watch, rng=0)
    assert made.settings["stopped"] == "asked to"
    assert made.settings["presentations"] == counts[-1]
    assert len(counts) == 3


def test_units_of_a_callable_network():
    weights = np.random.default_rng(0).normal(size=(2, 30))
    net = cs.Network(lambda block: np.tanh(block @ weights.T / 5), name="black box")
    made = cs.synthesize([net.unit("output", i) for i in range(2)], shape=30, norm=3, budget=4000, rng=0)
    assert made.settings["method"] == "evolution"
    best = np.tanh(3 * np.linalg.norm(weights, axis=1) / 5)
    np.testing.assert_allclose(made.value, best, rtol=0.02)
    np.testing.assert_allclose(
        np.diag(cs.networks.respond([net.unit("output", i) for i in range(2)], made.best)),
        made.value,
        rtol=1e-6,
    )
    check_result(made)


def test_the_basis_is_orthogonal_and_ordered():
    for sizes in ([9], [8, 8], [7, 10], [4, 6, 5]):
        basis = fourier_basis(sizes, 12)
        flat = basis.reshape(len(basis), -1)
        gram = flat @ flat.T
        np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-12)
        lengths = np.linalg.norm(flat, axis=1)
        assert lengths[0] == pytest.approx(1)
        assert (np.diff(lengths) <= 1e-12).all()
