"""`cs.attribute`: closed forms, another implementation, axioms, and tests of maps that tell good ones from bad ones."""

import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience.networks._attribution_methods import windows_of
from consilience.testing import check_result

torch = pytest.importorskip("torch")
nn = torch.nn
PLAIN = {"n_check": 0}
ALL = ["integrated_gradients", "smoothgrad", "grad_cam", "gradient_x_input", "gradient", "occlusion"]


class Small(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(2, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(6, 5, 3, stride=2)
        self.relu2 = nn.ReLU()
        self.fc = nn.Linear(5, 3)

    def forward(self, x):
        return self.fc(self.relu2(self.conv2(self.relu(self.conv(x)))).mean((2, 3)))


@pytest.fixture
def net():
    return cs.Network(Small(), name="small")


@pytest.fixture
def images():
    values = np.random.default_rng(0).normal(size=(7, 2, 12, 10)).astype(np.float32)
    return cs.stimuli(values, ids=[f"im{i}" for i in range(7)])


def vectors(n=9, p=5, seed=0):
    return cs.stimuli(np.random.default_rng(seed).normal(size=(n, p)).astype(np.float32), ids=range(n))


def linear(p=5, k=2):
    torch.manual_seed(1)
    module = nn.Linear(p, k)
    return cs.Network(module, name="linear"), module.weight.detach().numpy()


# -- closed forms


def test_a_linear_unit_in_closed_form():
    net, w = linear()
    data = vectors()
    x = data.values
    units = [net.unit("output", 0), net.unit("output", 1)]
    found = cs.attribute(
        units,
        data,
        method=["integrated_gradients", "occlusion", "gradient_x_input", "gradient", "smoothgrad"],
        **PLAIN,
    ).maps
    away = x - x.mean(0)
    for k in range(2):
        for name in ("integrated_gradients", "occlusion"):
            np.testing.assert_allclose(found.sel(map=name)[k], w[k] * away, atol=1e-5)
        np.testing.assert_allclose(found.sel(map="gradient_x_input")[k], w[k] * x, atol=1e-5)
        for name in ("gradient", "smoothgrad"):
            np.testing.assert_allclose(found.sel(map=name)[k], np.tile(w[k], (9, 1)), atol=1e-5)


def test_a_saturated_unit_has_no_gradient_and_whole_integrated_gradients():
    class Saturated(nn.Module):  # 1 - relu(1 - x)
        def forward(self, x):
            return 1 - torch.relu(1 - x).sum(1, keepdim=True)

    net = cs.Network(Saturated(), name="saturated")
    data = cs.stimuli(np.array([[2.0], [3.0]], np.float32), ids=["a", "b"])
    with pytest.warns(cs.ConsilienceWarning, match="dead-attribution.*2 of 2 of gradient"):
        found = cs.attribute(
            net.unit("output", 0),
            data,
            method=["gradient", "integrated_gradients"],
            baseline="zero",
            steps=64,
            **PLAIN,
        )
    assert not found.maps.sel(map="gradient").values.any()
    np.testing.assert_allclose(found.maps.sel(map="integrated_gradients").values.ravel(), 1, atol=0.02)
    assert bool(found.data["dead"].sel(map="gradient").all())


def test_integrated_gradients_are_complete_and_more_steps_are_taken_where_they_are_not(net, images):
    unit = net.unit("output", 2)
    found = cs.attribute(unit, images, steps=4, tolerance=0.01, **PLAIN)
    d = found.data
    total = found.maps.sum(("y", "x"))[0, 0]
    rise = (d["value"] - d["value_baseline"])[0]
    np.testing.assert_allclose(
        total, rise, atol=0.01 * max(np.sqrt((rise**2).mean()), float(abs(rise).max())) + 1e-6
    )
    assert set(d["steps"].values.ravel()) <= {4, 8, 16, 32}
    assert d["steps"].max() > 4
    np.testing.assert_allclose(d["value"][0], unit.respond(images), atol=1e-5)
    with pytest.warns(cs.ConsilienceWarning, match="incomplete-attribution"):
        cs.attribute(unit, images, steps=1, tolerance=1e-6, **PLAIN)


def test_grad_cam_is_the_published_equation(net, images):
    unit = net.unit("output", 1)
    found = cs.attribute(unit, images, method="grad_cam", **PLAIN)
    assert found.settings["cam_layer"] == "relu2"
    m = net.module
    acts = m.relu2(m.conv2(m.relu(m.conv(torch.from_numpy(images.values)))))
    acts = acts.detach().requires_grad_()
    m.fc(acts.mean((2, 3)))[:, 1].sum().backward()
    weights = acts.grad.mean((2, 3), keepdim=True)
    cam = torch.relu((weights * acts.detach()).sum(1, keepdim=True))
    cam = nn.functional.interpolate(cam, size=(12, 10), mode="bilinear", align_corners=False)[:, 0]
    np.testing.assert_allclose(found.maps[0, 0], cam, atol=1e-6)
    early = cs.attribute(unit, images, method="grad_cam", layer="conv", **PLAIN)
    assert early.settings["cam_layer"] == "conv"
    assert not np.allclose(early.maps, found.maps)


def test_occlusion_against_one_window_at_a_time(net, images):
    unit = net.unit("output", 0)
    found = cs.attribute(
        unit, images, method="occlusion", window=(4, 3), stride=(3, 2), baseline=0.5, **PLAIN
    )
    f = net.module
    with torch.no_grad():
        x = torch.from_numpy(images.values)
        whole = f(x)[:, 0].numpy()
        total, times = np.zeros((7, 12, 10)), np.zeros((12, 10))
        for top in range(0, 12 - 4 + 3, 3):
            for left in range(0, 10 - 3 + 2, 2):
                moved = x.clone()
                moved[:, :, top : top + 4, left : left + 3] = 0.5
                total[:, top : top + 4, left : left + 3] += (whole - f(moved)[:, 0].numpy())[:, None, None]
                times[top : top + 4, left : left + 3] += 1
    np.testing.assert_allclose(found.maps[0, 0], total / times, atol=1e-5)


@pytest.mark.parametrize("places", [(12,), (7, 5), (3, 4, 5)])
@pytest.mark.parametrize(("window", "stride"), [(3, 1), (3, 2), (2, 2), (1, 1)])
def test_windows_hold_every_place(places, window, stride):
    times = np.zeros(places, int)
    for cut in windows_of(places, (window,) * len(places), (stride,) * len(places)):
        times[cut] += 1
    assert times.min() >= 1


# -- another implementation


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_agrees_with_captum(net, images):
    attr = pytest.importorskip("captum.attr")
    x = torch.from_numpy(images.values)
    found = cs.attribute(
        net.unit("output", 1),
        images,
        method=["integrated_gradients", "gradient_x_input", "gradient", "occlusion"],
        baseline="zero",
        steps=50,
        tolerance=0.9,
        window=4,
        stride=2,
        **PLAIN,
    ).maps[:, 0]

    def same(name, theirs):
        np.testing.assert_allclose(found.sel(map=name), theirs.detach().sum(1), atol=1e-5, err_msg=name)

    wrapped = cs.Network(Small(), name="copy").module  # captum cannot pass in-place rectifiers
    wrapped.relu.inplace = False
    same("integrated_gradients", attr.IntegratedGradients(wrapped).attribute(x, target=1, n_steps=50))
    same("gradient", attr.Saliency(wrapped).attribute(x, target=1, abs=False))
    same("gradient_x_input", attr.InputXGradient(wrapped).attribute(x.requires_grad_(), target=1))
    windows = attr.Occlusion(wrapped).attribute(
        x.detach(), target=1, sliding_window_shapes=(2, 4, 4), strides=(2, 2, 2)
    )
    np.testing.assert_allclose(found.sel(map="occlusion"), windows[:, 0], atol=1e-5)


def test_smoothgrad_is_the_mean_of_noisy_gradients_and_says_its_error(net, images):
    unit = net.unit("output", 0)
    few, many = (
        cs.attribute(unit, images, method="smoothgrad", n_samples=n, rng=0, **PLAIN) for n in (16, 256)
    )
    ratio = few.data["monte_carlo_error"].values / many.data["monte_carlo_error"].values
    assert 3 < np.median(ratio) < 5.5  # falls with the root of 16
    assert (many.data["monte_carlo_halves"] > few.data["monte_carlo_halves"]).all()
    other = cs.attribute(unit, images, method="smoothgrad", n_samples=16, rng=1, **PLAIN)
    gap = np.sqrt(((few.maps - many.maps) ** 2).mean(("y", "x")) / (many.maps**2).mean(("y", "x")))
    np.testing.assert_allclose(
        np.median(gap / few.data["monte_carlo_error"]), 1, atol=0.3
    )  # the error that it says
    assert not np.allclose(other.maps, few.maps)
    again = cs.attribute(unit, images, method="smoothgrad", n_samples=16, rng=few.seed, **PLAIN)
    np.testing.assert_array_equal(again.maps, few.maps)
    alone = cs.attribute(unit, images, method="gradient", **PLAIN)
    still = cs.attribute(unit, images, method="smoothgrad", noise=1e-9, **PLAIN)
    np.testing.assert_allclose(still.maps, alone.maps, atol=1e-6)


# -- axioms, both ways


def test_two_networks_of_one_function_have_the_same_maps(net, images):
    other = Small()
    order = [3, 0, 5, 1, 4, 2]
    with torch.no_grad():
        other.load_state_dict(net.module.state_dict())
        other.conv.weight[:] = 2 * net.module.conv.weight[order]
        other.conv.bias[:] = 2 * net.module.conv.bias[order]
        other.conv2.weight[:] = net.module.conv2.weight[:, order] / 2
    same = cs.Network(other, name="same")
    for method in ("integrated_gradients", "gradient", "occlusion", "gradient_x_input"):
        a, b = (cs.attribute(n.unit("output", 0), images, method=method, **PLAIN).maps for n in (net, same))
        np.testing.assert_allclose(a, b, atol=1e-5)
    third = cs.Network(Small(seed=3), name="third")
    c = cs.attribute(third.unit("output", 0), images, **PLAIN).maps
    assert not np.allclose(c, cs.attribute(net.unit("output", 0), images, **PLAIN).maps, atol=1e-3)


@pytest.mark.filterwarnings("ignore:.*dead-attribution")
@pytest.mark.filterwarnings("ignore:.*incomplete-attribution")
def test_places_that_play_one_part_get_the_same_and_those_that_play_none_get_0():
    class Symmetric(nn.Module):
        def forward(self, x):
            return torch.tanh(x[:, :1] + x[:, 1:2]) * torch.relu(x[:, 2:3])

    net = cs.Network(Symmetric(), name="symmetric")
    values = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    values[:, 1] = values[:, 0]
    data = cs.stimuli(values, ids=range(6))
    for method in ("integrated_gradients", "occlusion", "gradient"):
        found = cs.attribute(net.unit("output", 0), data, method=method, baseline="zero", **PLAIN).maps[0, 0]
        np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-6)
        assert not found[:, 3].any()


# -- tests of maps: what is planted is found, what is insensitive is said


def planted(n=8, size=12, seed=0):
    """A network that looks at a square in the left upper corner only; images of noise."""

    class Corner(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(1, 8, 3, padding=1)
            self.fc = nn.Linear(8, 2)

        def forward(self, x):
            return self.fc(torch.relu(self.conv(x))[:, :, 2:7, 2:7].mean((2, 3)))

    values = np.random.default_rng(seed).normal(size=(n, 1, size, size)).astype(np.float32)
    return cs.Network(Corner(), name="corner"), cs.stimuli(values, ids=range(n))


@pytest.mark.filterwarnings("ignore:.*insensitive")
@pytest.mark.filterwarnings("ignore:.*incomplete")
def test_the_square_that_is_looked_at_is_found():
    net, data = planted()
    found = cs.attribute(
        net.unit("output", 0), data, method=ALL[:2] + ALL[3:], n_orders=3, n_null=0, rng=0, window=1
    )
    maps = abs(found.maps).mean("stimulus")[:, 0]
    inside = maps.isel(y=slice(1, 8), x=slice(1, 8)).sum(("y", "x")) / maps.sum(("y", "x"))
    np.testing.assert_allclose(inside, 1, atol=1e-6)
    d = found.data
    for name in ("integrated_gradients", "occlusion"):
        at = d.sel(map=name, target="output[0]")
        assert float(at["deletion_gain_low"]) > 0
        assert float(at["insertion_gain_low"]) > 0
        assert float(at["deletion_gain_p"]) < 0.01
    check_result(cs.attribute(net.unit("output", 0), data, steps=64, n_orders=2, rng=0))


def test_a_map_that_ignores_the_network_is_said_and_gradients_are_not():
    net, data = planted()

    def edges(points, value):
        return nn.functional.pad((points[..., 1:] - points[..., :-1]).abs().sum(1), (0, 1))

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 3)
    )
    net = cs.Network(module, name="deep")
    with pytest.warns(cs.ConsilienceWarning, match="insensitive-attribution.*edges"):
        found = cs.attribute(
            net.unit("output", 0), data, method=[edges, "gradient", "integrated_gradients"], rng=0
        )
    assert [w.code for w in found.warnings] == ["insensitive-attribution"]
    agreement = found.data["agreement"].isel(layers_shuffled=-1, target=0)
    np.testing.assert_allclose(agreement.sel(map="edges"), 1)
    assert (agreement.sel(map=["gradient", "integrated_gradients"]) < 0.4).all()


def test_random_maps_gain_nothing():
    net, data = planted(n=12)
    rng = np.random.default_rng(5)

    def noise(points, value):
        return torch.from_numpy(rng.normal(size=(len(points), *points.shape[2:])))

    found = cs.attribute(net.unit("output", 0), data, method=noise, n_null=0, rng=0).data
    for name in ("deletion", "insertion"):
        assert found[f"{name}_gain_low"].item() < 0 < found[f"{name}_gain_high"].item()
        assert found[f"{name}_gain_p"].item() > 0.02


# -- what it takes


def test_classes_of_a_network(net, images):
    classes = np.array([0, 1, 2, 0, 1, 2, 0])
    found = cs.attribute(net, images, target=classes, **PLAIN)
    each = cs.attribute([net.unit("output", k) for k in range(3)], images, **PLAIN).maps[0]
    for i, k in enumerate(classes):
        np.testing.assert_allclose(found.maps[0, 0, i], each[k, i], atol=1e-5)
    best = net.module(torch.from_numpy(images.values)).argmax(1).numpy()
    np.testing.assert_array_equal(cs.attribute(net, images, **PLAIN).data["class"], best)
    labelled = images.assign_coords(kind=("stimulus", classes))
    np.testing.assert_array_equal(cs.attribute(net, labelled, target="kind", **PLAIN).maps, found.maps)


def test_tokens_by_their_embedding():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.embedding = nn.Embedding(30, 8)
            self.rnn = nn.GRU(8, 6, batch_first=True)
            self.fc = nn.Linear(6, 2)

        def forward(self, tokens):
            return self.fc(self.rnn(self.embedding(tokens))[1][0])

    net = cs.Network(Words(), name="words")
    tokens = cs.stimuli(np.random.default_rng(0).integers(0, 30, (8, 6)), ids=range(8))
    unit = net.unit("output", 0)
    with pytest.raises(cs.InputError, match="give layer= \\(the embedding") as error:
        cs.attribute(unit, tokens)
    assert error.value.code == "not-differentiable"
    found = cs.attribute(unit, tokens, layer="embedding", n_check=4, rng=0)
    assert found.maps.dims == ("map", "target", "stimulus", "token")
    rise = (found.data["value"] - found.data["value_baseline"])[0]
    np.testing.assert_allclose(found.maps.sum("token")[0, 0], rise, atol=0.02 * float(abs(rise).max()))


def test_sound_and_layers(net, images):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv1d(1, 4, 9), nn.ReLU(), nn.Conv1d(4, 4, 9), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 184, 2)
    )
    sound = cs.Network(module, name="sound")
    waves = cs.stimuli(np.random.default_rng(0).normal(size=(6, 1, 200)).astype(np.float32), ids=range(6))
    found = cs.attribute(
        sound.unit("output", 0), waves, method=["integrated_gradients", "grad_cam", "occlusion"], **PLAIN
    )
    assert found.maps.shape == (3, 1, 6, 200)
    layer = cs.attribute(net.unit("output", 0), images, layer="conv", **PLAIN)
    assert layer.maps.dims[3:] == ("y", "x")
    assert layer.settings["coordinates"] == "layer conv"


def test_maps_are_in_places_of_the_stimulus_where_preprocess_only_scales():
    def scaled(block):
        return torch.from_numpy(np.moveaxis(block.astype(np.float32), -1, 1) / 128 - 1)

    def halved(block):
        return scaled(block)[:, :, ::2, ::2]

    photos = cs.stimuli(
        np.random.default_rng(0).integers(0, 256, (3, 12, 12, 2 + 1)).astype(np.uint8), ids=range(3)
    )
    module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.LazyLinear(2))
    module(torch.zeros(1, 3, 12, 12))
    found = cs.attribute(cs.Network(module, preprocess=scaled).unit("output", 0), photos, **PLAIN)
    assert found.settings["coordinates"] == "stimulus"
    np.testing.assert_array_equal(found.pictures.values, photos.values)
    small = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.LazyLinear(2))
    small(torch.zeros(1, 3, 6, 6))
    found = cs.attribute(cs.Network(small, preprocess=halved).unit("output", 0), photos, **PLAIN)
    assert found.settings["coordinates"] == "module input"
    assert found.pictures.shape == (3, 3, 6, 6)


@pytest.mark.filterwarnings("ignore:.*dead-attribution")
@pytest.mark.filterwarnings("ignore:.*insensitive-attribution")
def test_nothing_of_the_network_or_the_stimuli_changes(net, images):
    net.module.train()
    before = {name: p.clone() for name, p in net.module.named_parameters()}
    values = images.values.copy()
    cs.attribute(net.unit("output", 0), images, method=ALL, n_check=3, n_orders=2, rng=0)
    assert net.module.training
    assert all(torch.equal(p, before[name]) and p.requires_grad for name, p in net.module.named_parameters())
    assert not any(child._forward_hooks for child in net.module.modules())
    np.testing.assert_array_equal(images.values, values)


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        ({"method": "gradients"}, "Did you mean 'gradient'", "unknown-option"),
        ({"method": []}, "method must be", "bad-parameter"),
        ({"method": ["gradient", "gradient"]}, "two methods", "bad-parameter"),
        ({"baseline": np.zeros(3)}, "fit what is attributed", "bad-baseline"),
        ({"method": "occlusion", "window": 3, "stride": 4}, "places are left out", "bad-parameter"),
        ({"method": "occlusion", "window": 30}, "window must be", "bad-parameter"),
        ({"layer": "fc"}, "does not depend on layer 'fc'|fc", "no-gradient"),
        ({"target": [0] * 7}, "go with a network", "bad-parameter"),
        ({"method": ["grad_cam", "gradient"], "layer": "conv"}, "call of its own", "bad-parameter"),
        ({"method": lambda points, value: points[:, 0, 0]}, "must return", "bad-shape"),
        ({"channel_axis": 5}, "channel_axis", "bad-parameter"),
    ],
)
def test_refusals(net, images, options, words, code):
    unit = net.unit("conv2", channel=0) if options.get("layer") == "fc" else net.unit("output", 0)
    with pytest.raises(cs.ConsilienceError, match=words) as error:
        cs.attribute(unit, images, **options)
    assert error.value.code == code


def test_a_callable_and_batch_statistics_are_refused(images):
    net = cs.Network(lambda block: block.sum((2, 3)), name="callable")
    with pytest.raises(cs.InputError, match="through which no gradients flow"):
        cs.attribute(net.unit("output", 0), images)
    module = nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten(), nn.Linear(240, 2))
    with pytest.raises(cs.InputError, match="statistics of each batch"):
        cs.attribute(cs.Network(module, name="bn").unit("output", 0), images)


def test_one_stimulus_has_no_interval(net, images):
    found = cs.attribute(net.unit("output", 0), images[:1], baseline="zero", rng=0)
    assert np.isnan(found.data["deletion_gain_low"]).all()
    assert np.isfinite(found.data["deletion_gain"]).all()
    assert isinstance(found.maps, xr.DataArray)


@pytest.mark.filterwarnings("ignore:.*dead-attribution")
@pytest.mark.filterwarnings("ignore:.*insensitive-attribution")
def test_plot_and_words(net, images):
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    from consilience.report._attribution_words import of_attribution

    found = cs.attribute(net.unit("output", 0), images, method=ALL, n_check=4, n_orders=2, rng=0)
    ax = found.plot()
    assert len(ax.figure.axes) == 1 + 4 * 7 + 6 + 1
    words = ax.figure.axes[1 + 4 * 7].texts[0].get_text()
    assert "red raises the value" in words
    assert "0 = no better" in words
    assert "shuffled network" in words
    said = of_attribution(found)
    assert said[0].startswith("Maps of 1 target of small for 7 stimuli")
    assert "rank correlation with maps of shuffled weights" in said[2]
    assert "integrated_gradients" in repr(found)
    flat = cs.attribute(linear()[0].unit("output", 0), vectors(), n_check=3, n_orders=2, rng=0)
    flat.plot()
    plt.close("all")


def test_output_names_the_array_of_a_network_that_returns_several():
    torch.manual_seed(0)

    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(5, 3)

        def forward(self, x):
            return {"logits": self.head(x), "features": x}

    module = Two()
    x = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
    data = cs.stimuli(x, ids=range(12))
    labels = np.arange(12) % 3
    asked = {"n_perm": 19, "n_check": 4, "method": ["gradient_x_input", "integrated_gradients"]}
    plain = cs.attribute(cs.Network(module.head, name="Two"), data, target=labels, **asked)
    for one in (module, cs.Network(module, name="Two")):
        found = cs.attribute(one, data, target=labels, output="output[logits]", **asked)
        np.testing.assert_allclose(found.maps.values, plain.maps.values, atol=1e-6)
    own = cs.attribute(cs.Network(module, name="Two"), data, output="output[logits]", n_check=0)
    np.testing.assert_allclose(
        own.maps.values, cs.attribute(module.head, data, n_check=0).maps.values, atol=1e-6
    )
    with pytest.raises(cs.InputError, match=r"returns .*output\[logits\].*output= must be one of these"):
        cs.attribute(module, data, target=labels)
    with pytest.raises(cs.InputError, match=r"Did you mean .*output\[logits\]"):
        cs.attribute(module, data, target=labels, output="output[logit]")
