"""`cs.synthesize` by gradient: closed forms, guards, scores, spaces of inputs; nothing of the network changes."""

import numpy as np
import pytest

import consilience as cs
from consilience.testing import check_result

torch = pytest.importorskip("torch")
nn = torch.nn
NO_SHIFT = {"transforms": None, "n_null": 0}


def linear(*shape, k=2, seed=0):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), k, bias=False))
    return cs.Network(module, name="linear"), module[1].weight.detach().numpy()


class Two(nn.Module):
    def __init__(self, seed=0, bias=0.0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 6, 5, padding=2)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 4, 3, stride=2)
        self.fc = nn.Linear(4, 2)
        with torch.no_grad():
            self.conv.bias += bias

    def forward(self, x):
        return self.fc(self.second(self.norm(self.relu(self.conv(x)))).mean((2, 3)))


def scaled(block):
    return torch.from_numpy(np.moveaxis(block.astype(np.float32), -1, 1) / 128 - 1)


def photos(n=12, size=16, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (n, size, size, 3)).astype(np.uint8)
    return cs.stimuli(values, ids=[f"im{i}" for i in range(n)])


@pytest.fixture
def net():
    return cs.Network(Two(), preprocess=scaled, name="two")


# -- closed form: a linear unit's best stimulus of a norm is its filter


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 8, 8), (2, 30), (40,), (2, 4, 6, 6)])
@pytest.mark.parametrize("parameterization", ["fourier", "pixel"])
def test_a_linear_unit_gets_its_filter(shape, parameterization):
    net, w = linear(*shape)
    units = [net.unit("output", 0), net.unit("output", 1)]
    made = cs.synthesize(units, shape=shape, norm=3.0, parameterization=parameterization, rng=0, **NO_SHIFT)
    lengths = np.linalg.norm(w, axis=1)
    np.testing.assert_allclose(made.value, 3 * lengths, rtol=1e-3)
    np.testing.assert_allclose(made.data["norm"], 3, rtol=1e-4)
    for row, filt in zip(made.best.values, w):
        np.testing.assert_allclose(row.ravel(), 3 * filt / np.linalg.norm(filt), atol=0.02)
    np.testing.assert_allclose(made.data["agreement"], 1, atol=2e-3)


def test_a_direction_and_a_background():
    net, w = linear(1, 8, 8, k=5)
    a = np.array([1, -2, 0, 0.5, 3])
    unit = net.direction("1", a, bias=7, name="mix")
    made = cs.synthesize(unit, shape=(1, 8, 8), norm=2, bounds=(-9, 11), rng=0, **NO_SHIFT)
    filt = a @ w
    best = 1 + 2 * filt / np.linalg.norm(filt)  # 1 is the middle of the bounds
    np.testing.assert_allclose(made.best.values.ravel(), best, atol=0.01)
    assert made.value[0] == pytest.approx(filt @ best + 7, rel=1e-3)


def test_bounds_hold_and_are_said():
    net, w = linear(1, 8, 8)
    with pytest.warns(cs.ConsilienceWarning, match="saturated"):
        made = cs.synthesize(net.unit("1", 0), shape=(1, 8, 8), norm=100, bounds=(-1, 1), rng=0, **NO_SHIFT)
    assert abs(made.stimuli.values).max() <= 1
    assert made.value[0] > 0.9 * abs(w[0]).sum()  # all values at the bound of the filter's sign
    assert float(made.data["norm"].max()) <= 8 + 1e-5


# -- moves between steps: scaled to what the unit sees, and none at the end


def small_filter():
    y, x = np.mgrid[:7, :7]
    w = np.cos(1.9 * x) * np.exp(-((x - 3) ** 2 + (y - 3) ** 2) / 6)
    w -= w.mean()
    module = nn.Conv2d(1, 1, 7, bias=False)
    module.weight.data[0, 0] = torch.as_tensor(w / np.linalg.norm(w)).float()
    net = cs.Network(module, preprocess=lambda block: torch.as_tensor(block).float()[:, None])
    return net, cs.stimuli(np.random.default_rng(0).normal(size=(40, 64, 64)), ids=range(40))


@pytest.mark.filterwarnings("ignore:.*not-converged")  # 2 places are many for a filter of 7
def test_a_unit_with_a_small_field_is_not_blurred_by_moves():
    net, images = small_filter()
    unit = net.unit("output", channel=0)
    made = cs.synthesize(unit, natural=images, rng=0, n_null=0)
    norm = float(made.data["norm"].max())
    assert made.value[0] == pytest.approx(norm, rel=0.01)  # the filter has length 1
    assert made.settings["transforms"]["jitter"] == 0
    moved = cs.synthesize(unit, natural=images, rng=0, n_null=0, steps=256, transforms={"jitter": 2})
    assert moved.value[0] > 0.7 * float(moved.data["norm"].max())  # a last climb without moves


def test_a_linear_unit_of_the_whole_image_is_not_moved():
    net, w = linear(1, 64, 64, k=1)
    made = cs.synthesize(net.unit("output", 0), shape=(1, 64, 64), norm=3.0, steps=64, n_null=0, rng=0)
    assert made.value[0] > 0.99 * 3 * np.linalg.norm(w)
    assert made.settings["transforms"]["jitter"] == 0


def test_a_stimulus_below_natural_ones_is_said():
    net, images = small_filter()
    values = images.values.copy()
    values[7, 29:36, 29:36] = 5 * net.module.weight.detach().numpy()[0, 0]  # the best there is
    unit = net.unit("output", channel=0, y=29, x=29)
    with pytest.warns(cs.ConsilienceWarning, match=r"below-natural.*the best natural one of its norm"):
        cs.synthesize(unit, natural=cs.stimuli(values, ids=range(40)), rng=0, n_null=0, n_seeds=1, steps=2)


# -- what is reported is what the saved stimuli do


def test_values_are_those_of_the_stimuli_recorded_again(net):
    units = [net.unit("second", channel=1), net.channel("conv", 2), net.unit("output", 0)]
    made = cs.synthesize(units, natural=photos(), steps=24, rng=0)
    assert made.stimuli.dims == ("stimulus", "y", "x", "channel")
    again = cs.networks.respond(units, made.best)
    np.testing.assert_allclose(np.diag(again), made.value, rtol=1e-6)
    np.testing.assert_allclose(again, made.data["responses"], rtol=1e-6)
    acts = cs.record(net, made.stimuli, ["output"])["output"]
    rows = made.stimuli["target"].values == "output[0]"
    np.testing.assert_allclose(acts.values[rows, 0].max(), made.value[2], rtol=1e-5)
    assert (made.value > made.data["natural_best"]).all()
    assert (made.data["percentile"] == 100).all()
    np.testing.assert_allclose(made.data["p"], 1 / 40)
    assert made.stimuli.values.min() >= -1e-3
    assert made.stimuli.values.max() <= 255 + 1e-3
    check_result(made)


def test_together_is_what_each_is_alone(net):
    units = [net.unit("second", channel=c) for c in range(4)]
    options = {"like": photos(), "steps": 32, "rng": 3, "n_null": 0}
    together = cs.synthesize(units, **options)
    for unit in units:
        alone = cs.synthesize(unit, **options)
        mine = together.stimuli.values[together.stimuli["target"].values == unit.name]
        np.testing.assert_allclose(mine, alone.stimuli.values, atol=0.05)  # of 255


def test_the_same_seed_gives_the_same_and_another_another(net):
    units = [net.unit("second", channel=0)]
    state = torch.random.get_rng_state()
    one, two, three = (cs.synthesize(units, like=photos(), steps=8, n_null=5, rng=r) for r in (0, 0, 1))
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_array_equal(one.stimuli, two.stimuli)
    assert abs(one.stimuli - three.stimuli).max() > 1


def test_the_network_is_left_as_it_was(net):
    module = net.module.train()
    module.fc.weight.requires_grad_(requires_grad=False)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    image = photos()
    held = image.values.copy()
    cs.synthesize(net.unit("output", 0), natural=image, steps=4, n_null=3, rng=0)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(m.training for m in module.modules())
    assert not any(m._forward_hooks for m in module.modules())
    flags = {k: p.requires_grad for k, p in module.named_parameters()}
    assert not flags.pop("fc.weight")
    assert all(flags.values())
    assert all(p.grad is None for p in module.parameters())
    np.testing.assert_array_equal(image.values, held)


def test_a_module_that_changes_in_eval_mode_is_refused():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 1)
            self.register_buffer("n", torch.zeros(1))

        def forward(self, x):
            self.n += 1
            return self.fc(x) * self.n

    net = cs.Network(Counts(), name="counts")
    with pytest.raises(cs.InputError, match="changed its parameters or buffers in eval mode"):
        cs.synthesize(net.unit("output", 0), shape=4, norm=1, **NO_SHIFT)


# -- dead starts


class Late(nn.Module):
    """A rectified match with a filter: off for nearly all noise."""

    def __init__(self, threshold):
        super().__init__()
        rng = np.random.default_rng(0)
        self.fc = nn.Linear(100, 2)
        with torch.no_grad():
            self.fc.weight[:] = torch.tensor(rng.normal(size=(2, 100)) / 10)
            self.fc.bias[:] = torch.tensor([-threshold, 0.0])

    def forward(self, x):
        return nn.functional.relu(self.fc(x))


def test_a_dead_start_is_led_through_the_rectifier():
    net = cs.Network(Late(4.0), name="late")  # norm 10: about 10 at best, noise of sd 1
    made = cs.synthesize(
        [net.unit("output", 0), net.unit("output", 1)],
        shape=100,
        norm=10,
        n_seeds=3,
        steps=64,
        rng=0,
        **NO_SHIFT,
    )
    assert set(made.data["start"].values[0]) == {"before the rectifier"}
    assert all(start.startswith("noise") for start in made.data["start"].values[1])
    w = net.module.fc.weight.detach().numpy()
    assert made.value[0] == pytest.approx(10 * np.linalg.norm(w[0]) - 4, rel=1e-3)


def test_a_dead_unit_is_no_result():
    net = cs.Network(Late(400.0), name="late")
    with pytest.raises(cs.InputError, match=r"no start has a gradient for 'output\[0\]'") as e:
        cs.synthesize(net.unit("output", 0), shape=100, norm=10, **NO_SHIFT)
    assert e.value.code == "dead-start"
    units = [net.unit("output", 0), net.unit("output", 1)]
    with pytest.warns(cs.ConsilienceWarning, match="2 of 4 starts have no gradient"):
        made = cs.synthesize(units, shape=100, norm=10, rng=0, **NO_SHIFT)
    assert np.isnan(made.value[0])
    assert made.value[1] > 5
    assert made.stimuli["target"].values.tolist() == ["output[1]"] * 2
    check_result(made)


def test_the_best_natural_stimulus_is_the_last_start():
    class Hidden(nn.Module):  # the rectifier is out of reach of the search through it
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(64) / 8)

        def forward(self, x):
            drive = x @ self.w - 6
            return (torch.where(drive > 0, drive, torch.zeros_like(drive)))[:, None]

    net = cs.Network(Hidden(), name="hidden", preprocess=lambda block: block.astype(np.float32))
    rng = np.random.default_rng(0)
    shown = rng.normal(size=(20, 64))
    shown[4] += 1
    made = cs.synthesize(
        net.unit("output", 0),
        natural=cs.stimuli(shown, ids=[f"v{i}" for i in range(20)]),
        bounds=(-9, 9),
        norm=10,
        rng=0,
        **NO_SHIFT,
    )
    assert set(made.data["start"].values[0]) == {"natural"}
    assert made.value[0] > made.data["natural_best"].values[0]


def test_not_finite_is_no_result(net):
    net.module.fc.weight.data[0] = float("nan")
    with pytest.raises(cs.InputError, match=r"NaN or infinite|no start has a gradient"):
        cs.synthesize(net.unit("output", 0), like=photos(), steps=4, **NO_SHIFT)


# -- populations and sets


def test_patterns():
    net, _ = linear(1, 10, 10, k=3)
    units = [net.unit("output", i) for i in range(3)]
    options = {"shape": (1, 10, 10), "norm": 1.0, "rng": 0, **NO_SHIFT}
    sd = cs.synthesize(units, pattern="stretch", **options)
    assert sd.data["target"].values.tolist() == ["all high"]
    one_hot = cs.synthesize(units, pattern="one-hot", **options)
    each = cs.synthesize(units, **options)
    responses, plain = one_hot.data["responses"].values, each.data["responses"].values
    assert (np.argmax(responses, axis=1) == [0, 1, 2]).all()
    off = ~np.eye(3, dtype=bool)
    assert responses[off].max() < plain[off].max()  # others are held down
    wanted = np.array([[0.2, -0.1, 0.3], [-0.2, 0.0, 0.1]])
    to = cs.synthesize(units, pattern=wanted, steps=256, **options)
    np.testing.assert_allclose(to.data["responses"], wanted, atol=0.01)
    np.testing.assert_allclose(to.value, 0, atol=0.01)
    stretch = sd.data["responses"].values[0]
    assert (stretch > 0.5 * np.diag(plain)).all()


def test_sets_differ():
    """An energy unit is indifferent to phase: a diverse set spans both phases."""

    class Energy(nn.Module):
        def __init__(self):
            super().__init__()
            t = torch.linspace(0, 6 * np.pi, 40)
            self.register_buffer("pair", torch.stack([torch.sin(t), torch.cos(t)]))

        def forward(self, x):
            return (x @ self.pair.T).pow(2).sum(1, keepdim=True).sqrt()

    net = cs.Network(Energy(), name="energy")
    options = {"shape": 40, "norm": 1.0, "n_seeds": 3, "rng": 0, **NO_SHIFT}
    alike = cs.synthesize(net.unit("output", 0), **options)
    apart = cs.synthesize(net.unit("output", 0), diversity=0.5, **options)
    assert apart.data["agreement"] < alike.data["agreement"] - 0.2
    np.testing.assert_allclose(apart.data["each_value"], alike.value[0], rtol=0.1)


def test_smoothness_costs_edges(net):
    options = {"like": photos(), "steps": 48, "n_null": 0, "rng": 0, "parameterization": "pixel"}
    rough = cs.synthesize(net.unit("second", channel=0), **options)
    smooth = cs.synthesize(net.unit("second", channel=0), total_variation=5.0, **options)
    edges = [abs(np.diff(made.best.values, axis=1)).mean() for made in (rough, smooth)]
    assert edges[1] < 0.8 * edges[0]


def test_a_second_network_checks(net):
    twin, other = (cs.Network(Two(seed), preprocess=scaled, name=f"n{seed}") for seed in (0, 5))
    unit = net.unit("second", channel=1)
    same = cs.synthesize(unit, natural=photos(), check=twin.unit("second", channel=1), steps=32, rng=0)
    assert same.data["check"].values[0] == pytest.approx(same.value[0], rel=1e-5)
    assert same.data["check_p"].values[0] == same.data["p"].values[0]
    far = cs.synthesize(unit, natural=photos(), check=other.unit("second", channel=1), steps=32, rng=0)
    assert far.data["check"].values[0] < far.value[0]
    with pytest.raises(cs.InputError, match="check must be as many units as there are targets"):
        cs.synthesize(unit, like=photos(), check=[unit, unit])


# -- spaces of inputs


def test_what_cannot_be_inverted_is_said():
    def log(block):
        return torch.from_numpy(np.log1p(np.moveaxis(block.astype(np.float32), -1, 1)))

    net = cs.Network(Two(), preprocess=log, name="log")
    with pytest.warns(cs.ConsilienceWarning, match=r"not x = a \* stimulus \+ b"):
        made = cs.synthesize(net.unit("output", 0), natural=photos(), steps=8, n_null=3, rng=0)
    assert made.stimuli.shape == (2, 3, 16, 16)
    bare = cs.Network(net.module, name="bare")
    again = bare.unit("output", 0).respond(made.best)
    np.testing.assert_allclose(again, made.value, rtol=1e-5)


def test_shapes_are_asked_for(net):
    with pytest.raises(cs.InputError, match="give like= ") as e:
        cs.synthesize(net.unit("output", 0))
    assert e.value.code == "no-shape"
    plain, _ = linear(1, 4, 4)
    with pytest.warns(cs.ConsilienceWarning, match=r"root mean square of 1 \(norm 4\)"):
        cs.synthesize(plain.unit("output", 0), shape=(1, 4, 4), steps=4, n_null=0)
    with pytest.raises(cs.InputError, match="forward pass of linear failed"):
        cs.synthesize(plain.unit("output", 0), shape=(1, 5, 4), norm=1, steps=4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "gradeint"}, "Did you mean 'gradient'"),
        ({"pattern": "onehot"}, "Did you mean 'one-hot'"),
        ({"pattern": "one-hot"}, "needs at least 2"),
        ({"pattern": [1.0, 2.0]}, "activations \\(k,\\) or \\(m, k\\) of the 1 units"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"norm": -1}, "norm must be a number"),
        ({"bounds": (1, 0)}, "low < high"),
        ({"transforms": {"jiter": 3}}, "Did you mean 'jitter'"),
        ({"transforms": {"rotate": 3}, "channel_axis": None}, "rotate and zoom are for images"),
        ({"parameterization": "wavelet"}, "parameterization must be one of"),
        ({"shape": (3, 5, 5)}, "example stimuli give inputs of shape"),
    ],
)
def test_refusals(net, options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.synthesize(net.unit("output", 0), like=photos(), **options)


def test_turns_and_own_transforms(net):
    seen = []
    made = cs.synthesize(
        net.unit("second", channel=0),
        like=photos(),
        steps=24,
        n_null=0,
        rng=0,
        transforms={"jitter": 1, "rotate": 10, "zoom": 0.1},
    )
    assert made.settings["transforms"] == {"jitter": 1, "rotate": 10.0, "zoom": 0.1, "own": 0}
    cs.synthesize(
        net.unit("second", channel=0),
        like=photos(),
        steps=4,
        n_null=0,
        rng=0,
        transforms=lambda x: seen.append(x.shape) or x.flip(-1),
    )
    assert seen[0] == (2, 3, 16, 16)


def test_a_picture_is_drawn(net):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    made = cs.synthesize(
        [net.unit("second", channel=c) for c in range(2)], natural=photos(), steps=8, n_null=5, rng=0
    )
    ax = made.plot(n_seeds=2, n_exemplars=2)
    assert sum(len(panel.images) for panel in ax.figure.axes) == 2 * 4
    sound, _ = linear(1, 50)
    flat = cs.synthesize(sound.unit("output", 0), shape=(1, 50), norm=1, n_null=0, steps=8)
    assert len(flat.plot().figure.axes[2].lines) == 1


def test_no_contrast_is_spent_where_nothing_is_seen():
    """A unit's receptive field is 11 x 11 of 40 x 40: the closed form of two convolutions is its stimulus there."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 7, padding=3, bias=False), nn.Conv2d(4, 3, 5, padding=2, bias=False)
    )
    net = cs.Network(module, name="field")
    unit = net.unit("1", channel=1, y=12, x=20)
    x = torch.zeros(1, 1, 40, 40, requires_grad=True)
    unit.activation(x).sum().backward()
    field = x.grad.numpy()[0, 0]
    made = cs.synthesize(unit, shape=(1, 40, 40), norm=2.0, transforms=None, n_null=19, rng=0)
    best = made.best.values[0, 0]
    assert not best[:7].any()
    assert not best[18:].any()
    assert not best[:, :15].any()
    assert not best[:, 26:].any()
    np.testing.assert_allclose(best, 2 * field / np.linalg.norm(field), atol=0.01)
    # by default the contrast of the examples on the smaller place
    shown = np.random.default_rng(0).normal(size=(30, 1, 40, 40)).astype(np.float32)
    like = cs.stimuli(shown, ids=[f"s{i}" for i in range(30)])
    made = cs.synthesize(unit, like=like, natural=like, bounds=(-9, 9), transforms=None, n_null=19, rng=0)
    np.testing.assert_allclose(made.data["norm"], 11, rtol=0.03)
    matched = np.zeros_like(shown)
    matched[:, :, 7:18, 15:26] = shown[:, :, 7:18, 15:26]
    matched *= (float(made.data["norm"][0, 0]) / np.linalg.norm(matched.reshape(30, -1), axis=1))[
        :, None, None, None
    ]
    assert made.data["natural_same_norm"].values[0] == pytest.approx(
        unit.respond(like.copy(data=matched)).max(), rel=0.05
    )


# -- options and networks that are of the other method


def test_what_is_of_the_other_method_is_refused():
    net, _ = linear(1, 8, 8)
    unit = net.unit("output", 0)
    with pytest.raises(cs.InputError, match="repeats=, budget= and callback= are not for method='gradient'"):
        cs.synthesize(unit, shape=(1, 8, 8), norm=1, budget=7, repeats=99, callback=print)
    with pytest.raises(cs.InputError, match="needs n_seeds=2 or more"):
        cs.synthesize(unit, shape=(1, 8, 8), norm=1, diversity=1.0, n_seeds=1)
    black = cs.Network(lambda block: block[:, :2], name="black box")
    with pytest.raises(cs.InputError, match="is a callable, through which no gradients flow"):
        cs.synthesize(black.unit("output", 0), shape=8, norm=1, method="gradient")


# -- what is printed and drawn


def test_what_values_are_is_printed():
    net, _ = linear(1, 16, 16)
    units = [net.unit("output", i) for i in range(2)]
    images = cs.stimuli(np.random.default_rng(0).normal(size=(30, 1, 16, 16)), ids=range(30))
    one_hot = cs.synthesize(units, natural=images, pattern="one-hot", steps=40, n_null=0, rng=0)
    assert "pattern one-hot: values are z of the unit - log mean exp z of the others" in repr(one_hot)
    each = cs.synthesize(units, natural=images, steps=40, n_null=0, norm=3, rng=0)
    assert "pattern" not in repr(each)
    assert "norm 3\n" in repr(each)
    assert f"({float(each.data['natural_same_norm'][0]):.3g} at its norm)" in repr(each)


def test_a_small_stimulus_is_drawn_large():
    plt = pytest.importorskip("matplotlib.pyplot")
    net, images = small_filter()
    made = cs.synthesize(net.unit("output", channel=0), natural=images, steps=20, n_null=0, rng=0)
    assert "norm 7.01" in repr(made)  # of what was made, not of a whole image
    figure = made.plot().figure
    sides = [abs(float(np.diff(panel.get_xlim())[0])) for panel in figure.axes if panel.images]
    assert len(sides) == 5
    assert max(sides) < 12  # of 64, the natural ones too
    plt.close(figure)
