"""Attribution of units: exact for a linear readout, complete along a path, per channel, refusals."""

import numpy as np
import pytest

import consilience as cs
from consilience.networks._unit_attribution import unit_attribution

torch = pytest.importorskip("torch")
nn = torch.nn
WHO = "here"


class Small(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(1, 4, 3)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 5, 3)
        self.relu2 = nn.ReLU(inplace=True)
        self.fc = nn.Linear(5, 3)

    def forward(self, x):
        return self.fc(self.relu2(self.conv2(self.relu(self.conv(x)))).mean((2, 3)))


@pytest.fixture
def net():
    return cs.Network(Small(), name="small")


@pytest.fixture
def images():
    return cs.stimuli(
        np.random.default_rng(0).normal(size=(40, 1, 9, 9)).astype(np.float32), ids=list(range(40))
    )


@pytest.mark.parametrize("baseline", ["zero", "mean"])
def test_before_a_linear_readout_it_is_the_effect_of_ablation(net, images, baseline):
    classes = np.arange(40) % 3
    found = unit_attribution(net, "relu2", images, classes, baseline=baseline, per="channels", who=WHO)
    acts = cs.record(net, images, layers=["relu2"], spatial="mean")["relu2"].values.astype(float)
    weights = net.module.fc.weight.detach().numpy().astype(float)
    start = acts.mean(0) if baseline == "mean" else 0
    np.testing.assert_allclose(found, (acts - start) * weights[classes], atol=1e-5)
    along = unit_attribution(
        net, "relu2", images, classes, baseline=baseline, per="channels", method="integrated", who=WHO
    )
    np.testing.assert_allclose(along, found, atol=1e-5)  # and so is the path


def test_along_the_path_it_is_complete(net, images):
    unit = net.unit("output", 1)
    found = unit_attribution(net, "conv", images, unit, method="integrated", steps=64, who=WHO)
    assert found.shape == (40, 4 * 49)
    at = unit.respond(images)
    with torch.no_grad():
        start = net.module.conv(torch.from_numpy(images.values)).mean(0, keepdim=True)
        m = net.module
        base = m.fc(m.relu2(m.conv2(m.relu(start))).mean((2, 3)))[0, 1].item()
    np.testing.assert_allclose(found.sum(1), at - base, atol=2e-3)
    plain = unit_attribution(net, "conv", images, unit, who=WHO)
    assert abs(plain.sum(1) - (at - base)).max() > 0.02  # first order is not


def test_probability_follows_the_rule_of_softmax(net, images):
    classes = np.zeros(40, int)
    logits = net.module(torch.from_numpy(images.values)).detach().numpy().astype(float)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    of = [
        unit_attribution(net, "relu", images, net.unit("output", k), method="gradient", who=WHO)
        for k in range(3)
    ]
    log = unit_attribution(
        net, "relu", images, classes, method="gradient", objective="log_probability", who=WHO
    )
    np.testing.assert_allclose(log, of[0] - sum(p[:, [k]] * of[k] for k in range(3)), atol=1e-5)
    plain = unit_attribution(
        net, "relu", images, classes, method="gradient", objective="probability", who=WHO
    )
    np.testing.assert_allclose(plain, p[:, [0]] * log, atol=1e-5)


def test_the_network_is_afterwards_what_it_was(net, images):
    net.module.train()
    before = [p.requires_grad for p in net.module.parameters()]
    unit_attribution(net, "conv", images, net.unit("output", 0), who=WHO)
    assert net.module.training
    assert [p.requires_grad for p in net.module.parameters()] == before
    assert not net.module.conv._forward_hooks
    with torch.no_grad():  # gradients are on within
        unit_attribution(net, "conv", images[:3], net.unit("output", 0), who=WHO)


@pytest.mark.parametrize(
    ("layer", "target", "words", "code"),
    [
        ("fc", "conv", "does not depend on layer 'fc'", "no-gradient"),
        ("conv", np.full(40, 3), "has the class 3, but small returns 3 classes", "bad-target"),
        ("conv", np.zeros(39, int), "one class", "bad-target"),
        ("cnov", "output", "Did you mean 'conv'", "unknown-layer"),
    ],
)
def test_refusals(net, images, layer, target, words, code):
    target = net.unit(target, 0) if isinstance(target, str) else target
    with pytest.raises(cs.ConsilienceError, match=words) as error:
        unit_attribution(net, layer, images, target, who=WHO)
    assert error.value.code == code
