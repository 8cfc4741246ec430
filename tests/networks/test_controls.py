"""Untrained and permuted copies: initialisation, exact recalibration, untouched originals and random
state.
"""

import warnings

import numpy as np
import pytest

import consilience as cs
from consilience.networks import _controls

torch = pytest.importorskip("torch")
nn = torch.nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(5)
        self.conv2 = nn.Conv2d(5, 6, 3, stride=2)
        self.bn2 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 4)
        self.bn3 = nn.BatchNorm1d(4)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.fc(x.mean((2, 3))))


def images(n=50, seed=0):
    values = (
        np.random.default_rng(seed).gamma(1.0, size=(n, 3, 9, 9)).astype(np.float32)
        * np.arange(1, n + 1)[:, None, None, None]
    )
    return cs.stimuli(values.astype(np.float32), ids=[f"im{i:03d}" for i in range(n)])


@pytest.fixture
def net():
    torch.manual_seed(3)
    module = Net()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1)
    return cs.Network(module, name="net")


def test_statistics_equal_one_pass_over_everything(net):
    stimuli = images()
    base = net.untrained(seed=1, stimuli=stimuli)
    acts = cs.record(base, stimuli, ["bn1", "bn2", "bn3"])
    for name in acts:
        maps = (
            cs.unflatten(acts[name]).values
            if "channel" in acts[name].coords
            else acts[name].values[:, :, None, None]
        )
        np.testing.assert_allclose(maps.mean((0, 2, 3)), 0, atol=1e-5)
        variance = getattr(base.module, name).running_var.numpy()
        np.testing.assert_allclose(maps.var((0, 2, 3)), variance / (variance + 1e-5), rtol=1e-4)
    # the oracle: batch statistics of the whole set at once
    output = cs.record(base, stimuli)["output"].values
    module = base.module.train()
    with torch.no_grad():
        truth = module(torch.from_numpy(stimuli.values)).numpy()
    np.testing.assert_allclose(output, truth, atol=1e-4)


@pytest.mark.parametrize("chunk", [1, 7, 50, 64])
def test_recalibration_does_not_depend_on_chunks(net, chunk, monkeypatch):
    stimuli = images()
    one = net.untrained(seed=1, stimuli=stimuli).module.state_dict()
    monkeypatch.setattr(_controls, "_CHUNK", chunk)
    monkeypatch.setattr(_controls, "_MOST_CHUNKS", 50)
    two = net.untrained(seed=1, stimuli=stimuli).module.state_dict()
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=1e-5, atol=1e-6)


def test_recalibration_does_not_depend_on_the_order_of_stimuli(net):
    stimuli = images()
    one = net.untrained(seed=1, stimuli=stimuli).fingerprint
    assert net.untrained(seed=1, stimuli=stimuli[::-1]).fingerprint == one


def test_initialisation_is_the_default_one_and_seeded(net):
    stimuli = images(10)
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    before = net.fingerprint
    base = net.untrained(seed=5, stimuli=stimuli)
    assert torch.equal(torch.rand(3), expected), "the global random state was touched"
    assert net.fingerprint == before
    assert base.fingerprint == net.untrained(seed=5, stimuli=stimuli).fingerprint
    assert base.fingerprint != net.untrained(seed=6, stimuli=stimuli).fingerprint
    torch.manual_seed(5)
    fresh = Net()  # modules are built in the order in which they are reset
    for (name, parameter), other in zip(base.module.named_parameters(), fresh.parameters()):
        assert torch.equal(parameter, other), name
    assert base.name == "net_untrained5"


def test_permuted_keeps_each_tensors_values(net):
    stimuli = images(10)
    shuffled = net.permuted(seed=2, stimuli=stimuli)
    for (name, one), two in zip(net.module.named_parameters(), shuffled.module.parameters()):
        assert torch.equal(one.flatten().sort().values, two.flatten().sort().values), name
        if one.numel() > 20:
            assert not torch.equal(one, two), name
    assert shuffled.fingerprint == net.permuted(seed=2, stimuli=stimuli).fingerprint
    assert (
        abs(
            cs.record(shuffled, stimuli)["output"].values.mean(0) - shuffled.module.bn3.bias.detach().numpy()
        ).max()
        < 1e-5
    )


def test_without_stimuli_it_is_said(net):
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[not-recalibrated\] net_untrained0 has 3 normalisation layers"
    ):
        net.untrained()


def test_networks_without_normalisation_need_no_stimuli():
    module = nn.Linear(3, 3)
    stimuli = cs.stimuli(np.eye(3, dtype=np.float32), ids=list("abc"))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        bare = cs.Network(module).untrained(seed=1)
        given = cs.Network(module).untrained(seed=1, stimuli=stimuli)
    assert [str(warning.message) for warning in seen] == []
    assert bare.fingerprint == given.fingerprint != cs.Network(module).fingerprint


def test_parameters_that_nobody_resets_are_named():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3, 3)
            self.token = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            return self.fc(x) + self.token

    net = cs.Network(Bare())
    with pytest.raises(cs.InputError, match=r"no reset_parameters\(\) of Bare sets token, so") as caught:
        net.untrained()
    assert caught.value.code == "no-initialisation"
    net.permuted()


def test_parents_reset_after_their_children():
    attention = cs.Network(nn.MultiheadAttention(4, 2))
    fresh = attention.untrained(seed=0).module
    assert torch.equal(fresh.in_proj_bias, torch.zeros(12))


def test_shared_normalisation_is_refused():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn = nn.BatchNorm1d(4)

        def forward(self, x):
            return self.bn(self.bn(x) * 2)

    stimuli = cs.stimuli(np.random.default_rng(0).normal(size=(40, 4)), ids=[str(i) for i in range(40)])
    with pytest.raises(cs.InputError, match="normalisation layer 'bn' is used more than once in a pass"):
        cs.Network(Shared()).untrained(stimuli=stimuli)


def test_failures_in_a_pass_are_raised_and_leave_no_thread(net):
    import threading

    before = threading.active_count()
    wrong = cs.stimuli(np.ones((40, 4, 9, 9), np.float32), ids=[str(i) for i in range(40)])
    with pytest.raises(cs.InputError, match=r"Network.untrained: the forward pass of net_untrained0 failed"):
        net.untrained(stimuli=wrong)
    assert threading.active_count() == before


def test_data_dependent_order_is_refused():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.BatchNorm1d(4), nn.BatchNorm1d(4)

        def forward(self, x):
            return self.a(x) if x[0, 0] < 20 else self.b(x)

    stimuli = cs.stimuli(np.arange(160.0).reshape(40, 4), ids=[f"{i:02d}" for i in range(40)])
    with pytest.raises(cs.InputError, match="the order of its normalisation layers depends on the stimuli"):
        cs.Network(Branch()).untrained(stimuli=stimuli)


@pytest.mark.parametrize("seed", [-1, 1.5, None, True])
def test_wrong_seeds(net, seed):
    with pytest.raises(cs.InputError, match="seed must be a whole number"):
        net.untrained(seed=seed)


def test_callables_have_no_controls():
    with pytest.raises(cs.InputError, match="is a callable without weights"):
        cs.Network(lambda block: block).untrained()


def test_what_chunks_say_is_said_once():
    net = cs.Network(nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)), name="net")
    photos = cs.stimuli(
        np.random.default_rng(0).integers(0, 256, (20, 6, 6, 3), np.uint8), ids=list("abcdefghijklmnopqrst")
    )
    with pytest.warns(cs.ConsilienceWarning) as caught:
        net.untrained(stimuli=photos)
    assert [warning.message.code for warning in caught] == ["no-preprocess"]


def test_copies_made_at_once_in_threads_equal_copies_made_one_by_one():
    import concurrent.futures

    net = cs.Network(torch.nn.Sequential(*(torch.nn.Linear(60, 60) for _ in range(20))), name="wide")
    alone = [net.untrained(seed=seed).fingerprint for seed in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: net.untrained(seed=seed).fingerprint, range(8)))
    assert together == alone


def test_loading_a_network_or_drawing_elsewhere_does_not_change_a_copy():
    """A stranger drawing from torch's global generator in another thread, as building a module does."""
    import threading

    net = cs.Network(torch.nn.Sequential(*(torch.nn.Linear(40, 40) for _ in range(10))), name="wide")
    alone = net.untrained(seed=3).fingerprint
    stop = threading.Event()

    def stranger():
        while not stop.wait(0.02):
            torch.nn.Linear(30, 30)

    thread = threading.Thread(target=stranger)
    thread.start()
    try:
        assert all(net.untrained(seed=3).fingerprint == alone for _ in range(10))
    finally:
        stop.set()
        thread.join()
