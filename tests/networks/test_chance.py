"""Networks that draw at random, or that normalise each batch by itself, under lesions and noise."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn

from consilience.networks._lesion import Lesions, make_parts  # noqa: E402

WHO = "test"


class Noisy(nn.Module):
    """Dropout that is on whatever the mode, before and after the lesioned layer."""

    def __init__(self, share=0.3):
        super().__init__()
        self.a, self.b, self.c, self.share = nn.Linear(8, 12), nn.Linear(12, 12), nn.Linear(12, 3), share

    def forward(self, x):
        h = nn.functional.dropout(torch.relu(self.a(x)), self.share, training=True)
        return self.c(nn.functional.dropout(torch.relu(self.b(h)), self.share, training=True))


class Foreign(nn.Module):
    """Noise that is not torch's."""

    def __init__(self):
        super().__init__()
        self.c, self.rng = nn.Linear(8, 3), np.random.default_rng(0)

    def forward(self, x):
        return self.c(x) + float(self.rng.normal())


def made(module, seed=0):
    torch.manual_seed(seed)
    return cs.Network(module(), name="net")


def shown(n=40):
    values = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    return cs.stimuli(values, ids=range(n)).assign_coords(category=("stimulus", np.arange(n) % 3))


def outputs(net, data, noise=None, **options):
    with Lesions(
        net, data, make_parts(net, "b", data, who=WHO), how="zero", noise=noise, who=WHO, **options
    ) as run:
        return run.intact, np.stack(list(run.outputs(np.eye(12, dtype=bool))))


@pytest.mark.parametrize("batch_size", [None, 7])
def test_lesions_meet_the_same_noise_as_the_intact_network(batch_size):
    net, data = made(Noisy), shown()
    with torch.no_grad():
        net.module.b.weight[4], net.module.b.bias[4] = 0, -1.0  # unit 4 never answers, but is under dropout
        net.module.c.weight[:, 5] = 0  # and nothing reads unit 5
    state = torch.get_rng_state()
    with pytest.warns(cs.ConsilienceWarning, match="stochastic-network.*draws at random"):
        intact, found = outputs(net, data, batch_size=batch_size)
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(found[4], intact)
    np.testing.assert_array_equal(found[5], intact)
    assert np.abs(found[0] - intact).max() > 0.01


@pytest.mark.filterwarnings("ignore:.*stochastic-network")
def test_the_same_rng_gives_the_same_numbers():
    net, data = made(Noisy), shown()
    first, again, other = (outputs(net, data, noise=k)[1] for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    shared = {"stimuli": data, "target": "category", "evaluate": "loss", "rng": 3}
    for run in (
        lambda: cs.ablate(net, "b", how=["zero", "resample"], curves=False, **shared).data,
        lambda: cs.robustness(net, ["b"], levels=[0, 1.0], n_draws=2, **shared).data,
    ):
        one = run()
        torch.rand(5)
        assert one.identical(run())
        assert "stochastic-network" in {c.code for c in cs.ablate(net, "b", curves=False, **shared).warnings}


@pytest.mark.filterwarnings("ignore:.*stochastic-network")
def test_functions_that_run_the_network_meet_the_same_noise():
    net, data = made(Noisy), shown()
    with torch.no_grad():
        net.module.c.weight[:, 5] = 0
    x = torch.from_numpy(data.values)
    state = torch.get_rng_state()

    def score():
        with torch.no_grad():
            return net.module(x).square().mean(1).numpy()

    found = [
        cs.ablate(net, "b", evaluate=score, curves=False, check_how=False, rng=k).impact.values
        for k in (0, 0, 1)
    ]
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].reshape(-1)[5] == 0
    assert np.abs(found[0] - found[2]).max() > 1e-4


def test_a_small_share_of_dropout_shows():
    with pytest.warns(cs.ConsilienceWarning, match="stochastic-network"):
        outputs(made(lambda: Noisy(0.02)), shown())


def test_noise_that_is_not_torchs_is_said():
    net, data = made(Foreign), shown()
    parts = make_parts(net, "c", data, who=WHO)
    with (
        pytest.warns(cs.ConsilienceWarning, match="not by torch's generator"),
        Lesions(net, data, parts, who=WHO),
    ):
        pass


@pytest.mark.parametrize("batch_size", [None, 9])
def test_lesions_of_normalisation_by_batch_are_those_of_full_passes(batch_size):
    module = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(2, 5, 3),
        nn.BatchNorm2d(5, track_running_stats=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(20, 3),
    )
    net = made(module)
    data = cs.stimuli(np.random.default_rng(0).normal(size=(20, 2, 4, 4)).astype(np.float32), ids=range(20))
    parts, found = make_parts(net, "0", data, who=WHO), []
    for resume in (True, False):
        options = {"how": "zero", "batch_size": batch_size, "resume": resume, "who": WHO}
        with (
            pytest.warns(cs.ConsilienceWarning, match="batch-dependent.*shown with it"),
            Lesions(net, data, parts, **options) as run,
        ):
            found.append(np.stack(list(run.outputs(np.eye(5, dtype=bool)))))
    np.testing.assert_allclose(*found, atol=1e-6)


def test_one_stimulus_that_cannot_be_normalised_is_named():
    norm = lambda: nn.BatchNorm1d(12, track_running_stats=False)  # noqa: E731
    net = made(lambda: nn.Sequential(nn.Linear(8, 12), norm(), nn.Linear(12, 3)))
    with pytest.raises(cs.InputError, match=r"1 keeps no running statistics.*track_running_stats=True"):
        cs.ablate(net, "0", stimuli=shown(), target="category")


class InDict(Noisy):
    def forward(self, x):
        return {"logits": self.c(torch.relu(self.b(torch.relu(self.a(x))))), "hidden": x}


def test_the_distance_is_by_default_of_the_array_that_is_scored():
    net, data = made(InDict), shown()
    plain = cs.Network(
        nn.Sequential(net.module.a, nn.ReLU(), net.module.b, nn.ReLU(), net.module.c), name="net"
    )
    options = {"stimuli": data, "target": "category", "evaluate": "loss", "n_orders": 10, "check_how": False}
    one = cs.ablate(net, "b", output="output[logits]", **options)
    other = cs.ablate(plain, "2", **options)
    np.testing.assert_allclose(one.impact, other.impact)
    np.testing.assert_allclose(one.data["off_distribution"], other.data["off_distribution"])
