"""`net.unit`, `net.channel`, `net.direction`: the numbers of `cs.record`, from one pass; refusals; gradients."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn


class Counted(nn.Module):
    """Two convolutions, an in-place ReLU, a readout; counts how often the readout runs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 5, 3, stride=2)
        self.fc = nn.Linear(45, 2)
        self.runs = 0

    def forward(self, x):
        x = self.second(self.relu(self.drop(self.conv(x))))
        self.runs += 1
        return self.fc(x.flatten(1))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return cs.Network(Counted(), preprocess=lambda block: block.astype(np.float32), name="small")


def images(n=5, seed=0, size=8):
    values = np.random.default_rng(seed).normal(size=(n, 3, size, size))
    return cs.stimuli(values, ids=[f"im{i}" for i in range(n)])


def units_of(net):
    return [
        net.unit("second", 7),
        net.unit("conv", channel=2),
        net.unit("conv", channel=2, y=0, x=7),
        net.channel("conv", 1),
        net.direction("second", np.arange(45)),
        net.direction("conv", [1, 2, 3, 4], bias=2, spatial="mean", name="mix"),
        net.unit("output", 1),
    ]


def expected(net, stimuli):
    acts = {
        k: v.values.astype(float) for k, v in cs.record(net, stimuli, ["conv", "second", "output"]).items()
    }
    conv = acts["conv"].reshape(-1, 4, 8, 8)
    return np.stack(
        [
            acts["second"][:, 7],
            conv[:, 2, 4, 4],
            conv[:, 2, 0, 7],
            conv[:, 1].mean((1, 2)),
            acts["second"] @ np.arange(45),
            conv.mean((2, 3)) @ [1, 2, 3, 4] + 2,
            acts["output"][:, 1],
        ],
        axis=1,
    )


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_units_are_the_numbers_of_record(net, batch_size):
    x = images()
    found = cs.networks.respond(units_of(net), x, batch_size=batch_size)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected(net, x), rtol=1e-5, atol=1e-5)
    one = net.unit("conv", channel=2).respond(x)
    np.testing.assert_allclose(one, found[:, 1], rtol=1e-6)


def test_gradients_flow_to_the_input_alone(net):
    x = images()
    tensor = torch.tensor(x.values, dtype=torch.float32, requires_grad=True)
    net.module.train()
    net.module.fc.weight.requires_grad_(requires_grad=False)
    values = net.direction("second", np.arange(45)).activation(tensor)
    np.testing.assert_allclose(values.detach(), expected(net, x)[:, 4], rtol=1e-4, atol=1e-4)
    values.sum().backward()
    moved = tensor.detach().clone()
    moved[0, 1, 3, 3] += 1e-2
    slope = (net.direction("second", np.arange(45)).activation(moved)[0] - values[0]).item() / 1e-2
    assert slope == pytest.approx(tensor.grad[0, 1, 3, 3].item(), rel=0.05)
    assert all(p.grad is None for p in net.module.parameters())
    flags = {name: p.requires_grad for name, p in net.module.named_parameters()}
    assert not flags.pop("fc.weight")
    assert all(flags.values())
    assert net.module.training
    assert all(m.training for m in net.module.modules())
    assert not any(m._forward_hooks for m in net.module.modules())


def test_the_pass_ends_at_the_deepest_layer(net):
    x = images(6)
    net.unit("second", 0).respond(x, batch_size=2)
    before = net.module.runs
    net.unit("second", 0).respond(x, batch_size=2)
    assert net.module.runs == before
    net.unit("output", 0).respond(x, batch_size=2)
    assert net.module.runs == before + 3


def test_responses_carry_labels_and_layers(net):
    x = images().assign_coords(category=("stimulus", list("aabba")))
    acts = cs.networks.record_units(units_of(net), x)
    assert acts.dims == ("trial", "unit")
    assert acts.attrs["kind"] == "activation"
    assert acts.attrs["system"] == "small"
    assert acts["category"].values.tolist() == list("aabba")
    assert acts["layer"].values.tolist()[:3] == ["second", "conv", "conv"]
    assert acts["unit"].values.tolist()[:4] == [
        "second[7]",
        "conv[channel 2, middle]",
        "conv[channel 2, y 0, x 7]",
        "conv[channel 1]",
    ]
    with pytest.raises(cs.InputError, match="two units have the name 'second\\[7\\]'"):
        cs.networks.record_units([net.unit("second", 7)] * 2, x)


def test_layers_called_twice_and_tuples():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU(inplace=True)
            self.rnn = nn.GRU(3, 4, batch_first=False)

        def forward(self, x):
            x = self.relu(self.relu(x) - 1)
            return self.rnn(x.transpose(0, 1))[0].transpose(0, 1)

    torch.manual_seed(0)
    net = cs.Network(Twice(), preprocess=lambda block: block.astype(np.float32), name="twice")
    x = cs.stimuli(np.random.default_rng(0).normal(size=(5, 6, 3)), ids=list("abcde"))
    acts = cs.record(net, x, ["relu", "rnn"])
    found = cs.networks.respond([net.unit("relu#1", 4), net.unit("relu#0", 4), net.unit("rnn[0]", 9)], x)
    for column, (name, i) in enumerate([("relu#1", 4), ("relu#0", 4), ("rnn[0]", 9)]):
        np.testing.assert_allclose(found[:, column], acts[name].values[:, i], rtol=1e-6)
    feature = net.channel("rnn[0]", 3).respond(x)  # mean over tokens
    np.testing.assert_allclose(feature, acts["rnn[0]"].values.reshape(5, 6, 4)[:, :, 3].mean(1), rtol=1e-5)
    with pytest.raises(cs.InputError, match=r"gives 2 arrays \('relu#0', 'relu#1'\); name one"):
        net.unit("relu", 0).respond(x)


def test_callables_and_half_precision():
    net = cs.Network(lambda block: {"a": block * 2, "b": block.sum(1)[:, None]}, name="toy")
    x = cs.stimuli(np.eye(3), ids=["a", "b", "c"])
    units = [net.unit("b", 0), net.unit("a", 2), net.direction("a", [1, 1, 0])]
    assert cs.networks.respond(units, x).tolist() == [[1, 0, 2], [1, 0, 2], [1, 2, 0]]
    with pytest.raises(cs.InputError, match="through which no gradients flow"):
        units[0].activation(np.eye(3))
    half = cs.Network(nn.Conv1d(2, 3, 3).half(), preprocess=lambda b: b.astype(np.float16), name="half")
    x = cs.stimuli(np.ones((4, 2, 5)), ids=list("abcd"))
    assert np.isfinite(half.channel("output", 1).respond(x)).all()
    short = cs.Network(
        nn.Conv1d(2, 3, 3).bfloat16(), preprocess=lambda b: b.astype(np.float32), name="bfloat"
    )
    assert np.isfinite(short.channel("output", 1).respond(x)).all()
    assert np.isfinite(short.unit("output", 1).respond(x)).all()


def test_refusals(net):
    with pytest.raises(cs.InputError, match=r"no layer 'secnd'. Did you mean 'second'\?") as e:
        net.unit("secnd", 1)
    assert e.value.code == "unknown-layer"
    with pytest.raises(cs.InputError, match="layer 'second' of small has 45 units") as e:
        net.unit("second", 45).respond(images())
    assert e.value.code == "no-such-unit"
    with pytest.raises(cs.InputError, match=r"has 4 channels \(its shape per stimulus is \(4, 8, 8\)\)"):
        net.unit("conv", channel=4)  # the shape is known by now
    with pytest.raises(cs.InputError, match="has 8 places along y"):
        net.unit("conv", channel=1, y=8)
    with pytest.raises(cs.InputError, match="3 weights, but layer 'conv' of small has 256 units"):
        net.direction("conv", [1, 2, 3])
    with pytest.raises(cs.InputError, match="one finite weight per unit of the layer, not all 0"):
        net.direction("conv", [0, 0])
    with pytest.raises(cs.InputError, match="got neither"):
        net.unit("conv")
    with pytest.raises(cs.InputError, match="y go with channel="):
        net.unit("conv", 3, y=1)
    for bad in (-1, 1.5, True, "3"):
        with pytest.raises(cs.InputError, match="index must be a whole number"):
            net.unit("conv", bad)
    with pytest.raises(cs.InputError, match="units are of several networks"):
        cs.networks.respond([net.unit("conv", 0), cs.Network(Counted()).unit("conv", 0)], images())
    with pytest.raises(cs.InputError, match="units of a network are needed"):
        cs.networks.respond("conv", images())
    net.module.conv.weight.data[0] = float("nan")
    with pytest.raises(cs.InputError, match="is NaN or infinite, first for stimulus 'im0'"):
        net.unit("conv", 0).respond(images())
