"""Directions as units, linear probes with control tasks, concept sensitivity: planted truth, direct forms, refusals."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import consilience as cs

torch = pytest.importorskip("torch")

from consilience.networks import _concepts as concepts  # noqa: E402
from consilience.networks import _linear_probe as probing  # noqa: E402
from consilience.networks._layer_gradients import layer_gradients  # noqa: E402


class Small(torch.nn.Module):
    """A convolution, an in-place rectifier, two classes; the first reads channel 0, the second channel 1."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 3, 3, padding=1)
        self.relu = torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Linear(3, 2)
        self.twice = torch.nn.Tanh()

    def forward(self, x):
        maps = self.relu(self.conv(x))
        return self.twice(self.twice(self.head(maps.mean((2, 3)))))


def grey(block):
    return np.asarray(block, dtype=np.float32)[:, None]


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return cs.Network(Small(), grey, name="small")


@pytest.fixture(scope="module")
def shown():
    return cs.stimuli(np.random.default_rng(0).normal(size=(40, 6, 6)), ids=np.arange(40))


# -- directions


def test_a_ridge_encoder_becomes_units(net, shown):
    layer = cs.record(net, shown, "conv")["conv"].values
    rng = np.random.default_rng(1)
    neurons = layer @ rng.normal(size=(108, 3)) + 5
    encoder = cs.models.RidgeCV().fit(layer, neurons)
    units = cs.networks.directions(net, "conv", encoder, names=["a", "b", "c"])
    assert [unit.name for unit in units] == ["a", "b", "c"]
    np.testing.assert_allclose(
        cs.networks.respond(units, shown), encoder.predict(layer), rtol=1e-4, atol=1e-4
    )
    one = cs.models.RidgeCV().fit(layer, neurons[:, 0])
    (unit,) = cs.networks.directions(net, "conv", one)
    np.testing.assert_allclose(unit.respond(shown), one.predict(layer), rtol=1e-4, atol=1e-4)


def test_the_best_input_of_a_linear_encoder_is_its_filter():
    torch.manual_seed(0)
    net = cs.Network(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 20, bias=False)), name="linear"
    )
    images = cs.stimuli(np.random.default_rng(0).normal(size=(300, 6, 6)), ids=range(300))
    layer = cs.record(net, images, "1")["1"].values
    encoder = cs.models.RidgeCV().fit(layer, layer @ np.random.default_rng(1).normal(size=20))
    (unit,) = cs.networks.directions(net, "1", encoder)
    made = cs.synthesize(
        unit, shape=(6, 6), norm=1.0, transforms=None, n_seeds=1, n_null=0, channel_axis=None
    )
    truth = encoder.coef_ @ net.module[1].weight.detach().numpy()
    assert np.asarray(made.best).ravel() @ truth / np.linalg.norm(truth) > 0.99


def test_components_classes_and_arrays_become_units(net, shown):
    layer = cs.record(net, shown, "conv")["conv"].values.astype(float)
    for whiten in (False, True):
        pca = PCA(3, whiten=whiten).fit(layer)
        units = cs.networks.directions(net, "conv", pca)
        np.testing.assert_allclose(cs.networks.respond(units, shown), pca.transform(layer), atol=1e-5)
    labels = np.array(["x", "y", "z"])[np.arange(40) % 3]
    classifier = LogisticRegression(max_iter=500).fit(layer, labels)
    units = cs.networks.directions(net, "conv", classifier)
    assert [unit.name for unit in units] == ["x", "y", "z"]
    np.testing.assert_allclose(
        cs.networks.respond(units, shown), classifier.decision_function(layer), rtol=1e-4, atol=1e-5
    )
    (unit,) = cs.networks.directions(net, "conv", np.array([1.0, 0, -1]), spatial="mean")
    means = cs.record(net, shown, "conv", spatial="mean")["conv"].values
    np.testing.assert_allclose(unit.respond(shown), means[:, 0] - means[:, 2], atol=1e-6)


def test_directions_refuse(net):
    with pytest.raises(cs.InputError, match="of a pipeline, fit the linear step"):
        cs.networks.directions(net, "conv", object())
    with pytest.raises(cs.InputError, match="has 2 outputs and names= has 1"):
        cs.networks.directions(net, "conv", np.eye(2), names=["a"])


# -- linear probes


def acts_of(values, **labels):
    return cs.responses(values, stimulus=np.arange(len(values)), system="layer", **labels)


def test_a_label_that_the_layer_holds_beats_control_tasks():
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(16), 12)
    alive = np.where(kind % 2, "alive", "not")
    x = rng.normal(size=(192, 20)) + 2.0 * (alive == "alive")[:, None] * (np.arange(20) < 2)
    found = cs.networks.linear_probe(acts_of(x, alive=alive, group=kind), "alive", types="group")
    assert found.value > 0.9
    assert found.p < 0.01
    assert found.ci_low < found.value < found.ci_high
    assert found.selectivity_low > 0.2
    assert found.selectivity == pytest.approx(found.value - found.control)
    assert found.classes_.tolist() == ["alive", "not"]
    assert found.value == pytest.approx(
        np.mean([(found.predicted == found.actual)[found.actual == c].mean() for c in found.classes_])
    )


def test_a_layer_that_knows_types_alone_is_not_selective():
    """Types are told apart, the label is not there: the probe is right by heart, and as right on control tasks."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(12), 12)
    x = 4 * rng.normal(size=(12, 40))[kind] + rng.normal(size=(144, 40))
    found = cs.networks.linear_probe(acts_of(x, alive=kind % 2, group=kind), "alive", types="group")
    assert found.value > 0.95
    assert found.control > 0.95
    assert abs(found.selectivity) < 0.05
    assert found.p > 0.05


def test_the_probe_is_a_set_of_units(net, shown):
    acts = cs.record(net, shown, "conv")["conv"]
    probe = cs.networks.linear_probe(acts, np.arange(40) % 2, n_control=9)
    units = cs.networks.directions(net, "conv", probe)
    assert [unit.name for unit in units] == ["0", "1"]
    expected = acts.values @ probe.coef_.T + probe.intercept_
    np.testing.assert_allclose(cs.networks.respond(units, shown), expected, atol=1e-4)
    assert np.isnan(probe.selectivity)


def test_p_of_probes_without_structure():
    """Labels dealt to types at random, and without types: p is at most 0.05 in about a twentieth."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(12), 5)
    low = np.zeros(2)
    for _ in range(60):
        acts = acts_of(rng.normal(size=(60, 8)) + rng.normal(size=(12, 8))[kind])
        own = rng.permutation(np.arange(12) % 2)
        seed = int(rng.integers(1 << 30))
        low[0] += cs.networks.linear_probe(acts, own[kind], types=kind, n_control=39, rng=seed).p <= 0.05
        free = acts_of(rng.normal(size=(60, 8)))
        low[1] += cs.networks.linear_probe(free, own[kind], n_control=39, rng=seed).p <= 0.05
    assert (low <= 8).all(), low  # of 60; 99.5 % of the binomial


def test_control_tasks_keep_types_and_shares():
    kind, own = np.repeat(np.arange(9), 4), np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    tasks = probing._tasks(own[kind], kind, 50, probing.resolve_seed(0, who=""))
    assert tasks.shape == (36, 51)
    for task in tasks.T:
        per_type = task.reshape(9, 4)
        assert (per_type == per_type[:, :1]).all()
        assert np.bincount(per_type[:, 0]).tolist() == [3, 4, 2]


def test_probes_refuse():
    acts = acts_of(np.random.default_rng(0).normal(size=(20, 4)), group=np.repeat(np.arange(4), 5))
    cases = [
        (lambda: cs.networks.linear_probe(acts, np.zeros(20)), "all rows have the target 0.0", "one-class"),
        (lambda: cs.networks.linear_probe(acts, "grup"), "Did you mean 'group'", "unknown-label"),
        (
            lambda: cs.networks.linear_probe(acts, np.arange(20) % 2, types="group"),
            "have several targets",
            "bad-label",
        ),
        (
            lambda: cs.networks.linear_probe(acts, "group", types="group", cv=6),
            "needs a row in each of the 6",
            "too-few",
        ),
        (lambda: cs.networks.linear_probe(acts, np.zeros(3)), "or 20 labels, got shape", "bad-label"),
        (lambda: cs.networks.linear_probe(acts.values, "group"), "must be responses", "not-responses"),
    ]
    for call, text, code in cases:
        with pytest.raises(cs.InputError, match=text) as caught:
            call()
        assert caught.value.code == code


# -- gradients of a layer, concepts


def test_gradients_of_a_layer_are_finite_differences(net, shown):
    some = shown[:3]
    units = [net.unit("head", 0), net.unit("output", 1)]
    found = layer_gradients(units, "conv", some, who="test")
    assert [g.shape for g in found] == [(3, 3, 6, 6)] * 2
    module = net.module
    x = torch.from_numpy(grey(some.values))
    step = 1e-2

    def after(maps):
        head = module.head(torch.relu(maps).mean((2, 3)))
        return head[:, 0], torch.tanh(torch.tanh(head))[:, 1]

    with torch.no_grad():
        maps = module.conv(x)
        for place in [(0, 0, 0), (1, 3, 4), (2, 5, 5)]:
            moved = torch.zeros_like(maps)
            moved[(slice(None), *place)] = step
            for k in (0, 1):
                slope = (after(maps + moved)[k] - after(maps - moved)[k]) / (2 * step)
                np.testing.assert_allclose(found[k][(slice(None), *place)], slope.numpy(), atol=2e-3)
    assert not any(m._forward_hooks for m in module.modules())


def test_gradients_refuse(net, shown):
    def ask(unit, layer):
        return layer_gradients([unit], layer, shown[:3], who="test")

    with pytest.raises(cs.InputError, match="does not depend on layer 'head'"):
        ask(net.unit("conv", 0), "head")
    with pytest.raises(cs.InputError, match="is called 2 times"):
        ask(net.unit("output", 0), "twice")
    with pytest.raises(cs.InputError, match="has no layer 'conw'"):
        ask(net.unit("output", 0), "conw")
    with pytest.raises(cs.InputError, match="is a callable"):
        ask(cs.Network(lambda b: b).unit("output", 0), "conv")
    assert not any(m._forward_hooks for m in net.module.modules())


@pytest.fixture(scope="module")
def planted():
    """Channel 0 of the layer is where images are bright on the left, channel 1 on the right; class 0 rises with the
    left, class 1 ignores both.
    """
    module = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(36, 60), torch.nn.Tanh(), torch.nn.Linear(60, 2)
    )
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(60, 6, 6)) * 0.1
    weight[0, :, :3] += 0.15
    weight[1, :, 3:] += 0.15
    head = np.zeros((2, 60))
    head[0, 0] = 1
    head[0, 2:] = 0.03
    head[1, 2:] = 1
    with torch.no_grad():
        module[1].weight.copy_(torch.from_numpy(weight.reshape(60, -1)))
        module[1].bias.zero_()
        module[3].weight.copy_(torch.from_numpy(head))
        module[3].bias.zero_()
    return cs.Network(module, lambda block: np.asarray(block, dtype=np.float32), name="planted")


def noise(n, seed, left=0.0, right=0.0):
    images = np.random.default_rng(seed).normal(size=(n, 6, 6))
    images[:, :, :3] += left
    images[:, :, 3:] += right
    return images


def test_the_concept_that_drives_a_class_is_found(planted):
    units = [planted.unit("output", 0), planted.unit("output", 1)]
    found = cs.networks.concept_sensitivity(
        units,
        "1",
        {"left": noise(40, 1, left=1.0), "right": noise(40, 2, right=1.0), "nothing": noise(40, 3)},
        noise(80, 4),
        noise(30, 5),
        n_perm=199,
    )
    data = found.data
    assert (data["accuracy"].sel(concept=["left", "right"]) > 0.8).all()
    assert data["p_accuracy"].sel(concept="nothing") > 0.05
    driven = data.sel(concept="left", unit="output[0]")
    assert driven["sensitivity"] > 0.5
    assert driven["ci_low"] > 0
    assert driven["q"] < 0.05
    assert driven["score"] == 1
    # the layer holds the concept, and the other class does not use it, whatever its score says
    idle = data.sel(concept="left", unit="output[1]")
    assert abs(idle["sensitivity"]) < 0.3
    assert idle["p"] > 0.05
    none = data.sel(concept="nothing", unit="output[0]")
    assert none["ci_low"] < 0 < none["ci_high"]
    assert none["p"] > 0.05
    assert found.vectors.shape == (3, 60)
    np.testing.assert_allclose((found.vectors**2).sum("feature"), 1)
    unit = found.unit("left")
    bright, plain = (cs.stimuli(noise(20, 6, left=by), ids=range(20)) for by in (2.0, 0.0))
    assert unit.respond(bright).mean() > unit.respond(plain).mean()
    assert len(found.to_frame()) == 6
    assert "left" in repr(found)


def test_sensitivity_is_the_mean_cosine_of_gradients(planted):
    unit = planted.unit("output", 0)
    images = cs.stimuli(noise(12, 0), ids=np.arange(12))
    found = cs.networks.concept_sensitivity(
        unit, "2", {"c": noise(20, 1, left=1)}, noise(20, 2), images, n_perm=0
    )
    (slopes,) = layer_gradients([unit], "2", images, who="test")
    cosines = slopes @ found.vectors.values[0] / np.linalg.norm(slopes, axis=1)
    assert float(found.data["sensitivity"][0, 0]) == pytest.approx(cosines.mean())
    assert float(found.data["score"][0, 0]) == (cosines > 0).mean()
    assert np.isnan(found.data["p"]).all()


def test_maps_and_means(net):
    unit = net.unit("output", 0)
    groups = [np.random.default_rng(k).normal(size=(15, 6, 6)) for k in range(3)]
    whole, mean = (
        cs.networks.concept_sensitivity(
            unit, "conv", {"c": groups[0] + 1}, groups[1], groups[2], spatial=spatial, n_perm=0
        )
        for spatial in ("flatten", "mean")
    )
    assert whole.vectors.shape == (1, 108)
    assert mean.vectors.shape == (1, 3)
    (slopes,) = layer_gradients([unit], "conv", cs.stimuli(groups[2], ids=range(15)), who="test")
    np.testing.assert_allclose(
        concepts._directions_of(slopes, "mean"),
        slopes.sum((2, 3)) / np.linalg.norm(slopes.sum((2, 3)), axis=1, keepdims=True),
    )


def test_concepts_refuse(planted):
    unit = planted.unit("output", 0)
    images = noise(12, 0)

    def ask(concepts=None, comparison=images, stimuli=images, layer="1"):
        return cs.networks.concept_sensitivity(
            unit, layer, {"c": images} if concepts is None else concepts, comparison, stimuli, n_perm=0
        )

    for call, text, code in [
        (
            lambda: ask(comparison=images[:9]),
            "at least 10 stimuli are needed as comparison, got 9",
            "too-few",
        ),
        (lambda: ask({"c": images[:3]}), "as concept 'c', got 3", "too-few"),
        (lambda: ask([images]), "concepts must be a mapping", "bad-parameter"),
        (lambda: ask(layer="3x"), "has no layer", "unknown-layer"),
    ]:
        with pytest.raises(cs.InputError, match=text) as caught:
            call()
        assert caught.value.code == code


def test_intervals_of_sensitivity_lie_within_cosines_and_hold_none():
    """Small layers: on the cosine's own scale the interval went beyond 1 and held 0 in 0.90."""
    net = cs.Network(torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(5, 1)), name="small")
    rng = np.random.default_rng(0)
    shown = rng.normal(size=(10, 5))
    groups = {str(k): rng.normal(size=(20, 5)) for k in range(40)}
    held = []
    for name, group in groups.items():
        found = cs.networks.concept_sensitivity(
            net.unit("output", 0), "0", {name: group}, rng.normal(size=(20, 5)), shown, n_perm=0
        )
        value, low, high = (float(found.data[key][0, 0]) for key in ("sensitivity", "ci_low", "ci_high"))
        assert -1 <= low <= value <= high <= 1
        held.append(low < 0 < high)
    assert np.mean(held) > 0.9


def test_a_layer_of_one_feature_has_an_interval():
    net = cs.Network(torch.nn.Sequential(torch.nn.Identity(), torch.nn.Linear(1, 1)), name="one")
    rng = np.random.default_rng(0)
    found = cs.networks.concept_sensitivity(
        net.unit("output", 0),
        "0",
        {"c": rng.normal(size=(20, 1)) + 3},
        rng.normal(size=(20, 1)),
        rng.normal(size=(10, 1)),
        n_perm=0,
    )
    value, low, high = (float(found.data[key][0, 0]) for key in ("sensitivity", "ci_low", "ci_high"))
    assert abs(value) == pytest.approx(1)
    assert -1 <= low <= value <= high <= 1


def test_numbers_of_a_probe_are_one_row():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 20)
    acts = cs.responses(rng.normal(size=(40, 4)) + label[:, None], stimulus=range(40), system="layer")
    probe = cs.networks.linear_probe(acts, label, n_control=9)
    (row,) = probe.to_frame().to_dict("records")
    assert row["value"] == probe.value
    assert row["n_rows"] == 40
    assert not {"coef_", "predicted"} & set(row)
