"""Theoretical and effective receptive fields of units of networks."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn


def network(*layers, channels=1):
    torch.manual_seed(0)
    module = nn.Sequential(*layers)
    return cs.Network(
        module,
        preprocess=lambda block: torch.as_tensor(np.asarray(block, dtype=np.float32)).reshape(
            len(block), channels, *np.shape(block)[1:3]
        ),
        name="net",
    )


def noise(n=12, side=24):
    values = np.random.default_rng(0).normal(size=(n, side, side))
    return cs.stimuli(values, ids=range(n))


def by_arithmetic(layers):
    """(size, stride) of layers (kernel, stride, dilation)."""
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size


@pytest.mark.parametrize(
    ("layers", "plain"),
    [
        ([nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3, stride=2)], [(3, 1, 1), (3, 2, 1)]),
        (
            [
                nn.Conv2d(1, 4, 3, padding=1),
                nn.BatchNorm2d(4),
                nn.ReLU6(),
                nn.MaxPool2d(2),
                nn.Conv2d(4, 4, 3),
            ],
            [(3, 1, 1), (2, 2, 1), (3, 1, 1)],
        ),
        (
            [nn.Conv2d(1, 4, 3, dilation=2), nn.SiLU(), nn.Conv2d(4, 4, 3, groups=4), nn.AvgPool2d(2)],
            [(3, 1, 2), (3, 1, 1), (2, 2, 1)],
        ),
    ],
)
def test_theoretical_field_is_that_of_layer_arithmetic(layers, plain):
    net = network(*layers)
    found = cs.networks.input_field(net.unit(str(len(layers) - 1), channel=1), noise())
    assert found.size.tolist() == [[by_arithmetic(plain)] * 2]
    assert found.support[0][found.crop()].all()
    assert found.support.sum() == by_arithmetic(plain) ** 2
    assert not found.effective[~found.support].any()


def test_one_layer_is_its_weights():
    net = network(nn.Conv2d(1, 2, 5))
    found = cs.networks.input_field([net.unit("0", channel=k) for k in range(2)], noise())
    for k in range(2):
        np.testing.assert_allclose(
            found.effective[k][found.crop(k)], np.abs(net.module[0].weight[k, 0].detach().numpy()), rtol=1e-6
        )
    assert found.names == ("0[channel 0, middle]", "0[channel 1, middle]")


def test_edges_means_and_whole_layers():
    net = network(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 24 * 24, 3))
    corner, mean, out = net.unit("0", channel=0, y=0, x=0), net.channel("0", 1), net.unit("3", 0)
    found = cs.networks.input_field([corner, mean, out], noise())
    assert found.size.tolist() == [[2, 2], [24, 24], [24, 24]]
    assert found.share[1] > 0.9
    direction = net.direction("0", np.r_[1.0, np.zeros(575), -1.0, np.zeros(575)])
    assert cs.networks.input_field(direction, noise()).size.tolist() == [[2, 2]]


def test_effective_is_a_gaussian_smaller_than_the_theoretical():
    layers = [layer for _ in range(5) for layer in (nn.Conv2d(1, 1, 5, bias=False), nn.Identity())]
    net = network(*layers)
    with torch.no_grad():
        for layer in net.module[::2]:
            layer.weight.fill_(0.04)
    found = cs.networks.input_field(net.unit("8", channel=0), noise())
    assert found.size.tolist() == [[21, 21]]
    expected = np.sqrt(5 * 2.0)  # five means over 5 places: variances add up
    assert abs(found.sigma_major[0] - expected) < 0.2
    assert found.fve[0] > 0.99
    assert found.share[0] < 0.5
    assert abs(found.x[0] - np.arange(24)[found.crop()[1]].mean()) < 0.01


def test_network_is_left_as_it_was_and_the_same_seed_gives_the_same():
    net = network(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.MaxPool2d(2))
    net.module.train()
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    one = cs.networks.input_field(net.unit("3", channel=0), noise())
    assert net.module.training
    assert type(net.module[3]) is nn.MaxPool2d
    assert all(torch.equal(before[name], value) for name, value in net.module.state_dict().items())
    two = cs.networks.input_field(net.unit("3", channel=0), noise())
    np.testing.assert_array_equal(one.effective, two.effective)


def test_one_line_says_what_it_is():
    net = network(nn.Conv2d(1, 2, 3))
    found = cs.networks.input_field([net.unit("0", channel=c) for c in range(2)], noise())
    assert repr(found).startswith("<InputField> ")
    assert "3 x 3" in repr(found)
    assert "\n" not in repr(found)


def test_halves_without_a_numpy_type():
    half = nn.Sequential(nn.Conv2d(1, 2, 5)).bfloat16()
    net = cs.Network(half, preprocess=lambda block: torch.as_tensor(block).bfloat16()[:, None], name="half")
    assert cs.networks.input_field(net.unit("0", channel=0), noise()).size.tolist() == [[5, 5]]


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_are_on_whatever_the_caller_set(context):
    net = network(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    unit, shown = net.unit("2", channel=0), noise()

    def all_of_it():
        field = cs.networks.input_field(unit, shown).effective
        made = cs.synthesize(unit, like=shown, steps=4, n_null=0, rng=0).value
        concept = cs.networks.concept_sensitivity(
            unit, "0", {"c": shown.values}, shown.values[::-1] + 1, shown, n_perm=0
        )
        return field, made, concept.data["sensitivity"].values

    alone = all_of_it()
    with context():
        within = all_of_it()
        assert not torch.is_grad_enabled()
    for one, other in zip(alone, within):
        np.testing.assert_array_equal(one, other)


def test_dead_units_and_messages():
    net = network(nn.Conv2d(1, 1, 3), nn.ReLU())
    with torch.no_grad():
        net.module[0].bias.fill_(-1e3)
    with pytest.warns(cs.ConsilienceWarning, match="1 of 1 units have no gradient for any of 12 stimuli"):
        found = cs.networks.input_field(net.unit("1", channel=0), noise())
    assert found.size.tolist() == [[3, 3]]  # what it could see
    assert np.isnan(found.share[0])
    plain = cs.Network(lambda block: block.reshape(len(block), -1), name="f")
    with pytest.raises(cs.InputError, match="f is a callable, through which no gradients flow"):
        cs.networks.input_field(plain.unit("output", 0), noise())
    with pytest.raises(cs.InputError, match="units of a network are needed"):
        cs.networks.input_field(3, noise())


def test_receptive_field_within_the_crop_of_a_deep_unit():
    net = network(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 2, 3))
    unit = net.unit("2", channel=0)
    images = np.random.default_rng(1).normal(size=(3000, 24, 24))
    inside = cs.networks.input_field(unit, noise()).crop()
    found = cs.receptive_field(
        unit.respond(cs.stimuli(images, ids=range(3000))),
        images[(slice(None), *inside)],
        lags=1,
        n_perm=50,
        rng=0,
    )
    assert found.data["value"].shape == (1, 1, 7, 7)
    assert found.data["p"][0] < 0.05
    assert found.data["score"][0] > 0.5


@pytest.mark.data
def test_first_layer_of_a_trained_network_is_found_from_noise():
    try:
        net = cs.networks.load("efficientnet_lite0")
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise
    noise = np.random.default_rng(0).integers(0, 256, size=(100, 224, 224, 3)).astype(np.uint8)
    units = [net.unit("_conv_stem", channel=k) for k in range(32)]
    found = cs.receptive_field(units, cs.stimuli(noise, ids=range(100)), n_perm=50, rng=0)
    assert found.data["value"].dims == ("unit", "lag", "y", "x", "channel")
    assert found.data["value"].shape == (32, 1, 3, 3, 3)
    weights = net.module.state_dict()["_conv_stem.weight"].numpy()
    for value, truth in zip(found.data["value"].values[:, 0], weights):
        assert np.corrcoef(value.transpose(2, 0, 1).ravel(), truth.ravel())[0, 1] > 0.999
    sizes = [
        cs.networks.input_field(
            net.unit(layer, channel=3), cs.stimuli(noise[:2], ids=range(2)), n_draws=1
        ).size
        for layer in ("_conv_stem", "_blocks.0", "_blocks.3")
    ]
    assert [int(size[0, 0]) for size in sizes] == [
        3,
        7,
        35,
    ]  # kernels 3, 3, 3, 3, 5 with strides 2, 1, 2, 1, 2
