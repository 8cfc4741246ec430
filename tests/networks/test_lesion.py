"""The lesion engine: parts are removed by hand-made references, whatever the route; nothing is left behind."""

import copy

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn
F = nn.functional

from consilience.networks._lesion import Lesions, lesioned, make_parts  # noqa: E402

WHO = "test"


def halved(x):
    return x * 0.5


HOWS = ["zero", "mean", "resample", "noise", 0.7, halved]
HOW_IDS = ["zero", "mean", "resample", "noise", "clamp", "halved"]


class Residual(nn.Module):
    """Residual sums, in-place rectifiers shared by several places, functional in-place sums."""

    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 8, 3, padding=1)
        self.branch = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 1))
        self.a = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.b = nn.Conv2d(8, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = self.relu(self.c1(x))
        y = self.branch(x)
        x = x + y
        z = self.drop(self.relu(self.norm(self.a(x))))
        x = self.relu(x + self.b(z))
        x += 0.1 * F.relu(y)
        return self.fc(x.mean((2, 3)))


def network(module, seed=0):
    torch.manual_seed(seed)
    made = module()
    for child in made.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_()
            child.running_var.uniform_(0.5, 2.0)
    return cs.Network(made, name="net")


def images(n=21, size=7, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, 3, size, size)).astype(np.float32)
    return cs.stimuli(values, ids=range(n))


def some_masks(p, m=8, seed=1):
    masks = np.random.default_rng(seed).random((m, p)) < 0.4
    masks[0] = False
    masks[1] = True
    masks[2] = np.arange(p) == 0
    return masks


def outputs(net, stimuli, parts, masks, **kwargs):
    with Lesions(net, stimuli, parts, who=WHO, **kwargs) as run:
        return np.stack(list(run.outputs(masks))), run


def clean(net):
    return all(
        "forward" not in m.__dict__ and not m._forward_hooks and not m._forward_pre_hooks
        for m in net.module.modules()
    )


def by_hand(net, stimuli, name, change):
    """Outputs with ``change(activations)`` in place of the output of one module."""
    module = dict(net.module.named_modules())[name]
    handle = module.register_forward_hook(lambda _m, _a, out: change(out))
    try:
        with torch.no_grad():
            return net.module.eval()(torch.from_numpy(stimuli.values)).double().numpy()
    finally:
        handle.remove()


def activations(net, stimuli, name):
    came = []
    by_hand(net, stimuli, name, lambda out: came.append(out.clone()))
    return came[0]


# What a lesion is


@pytest.mark.parametrize("how", ["zero", "mean", "clamp", "function"])
def test_channels_are_replaced_as_by_hand(how):
    net, data = network(Residual), images()
    mean = activations(net, data, "a").mean(0)
    parts = make_parts(net, "a", data, who=WHO)
    masks = some_masks(8)
    given = {"zero": "zero", "mean": "mean", "clamp": 0.7, "function": lambda x: 2 * x}[how]
    found, run = outputs(net, data, parts, masks, how=given)
    for mask, got in zip(masks, found):

        def change(out, mask=mask):
            out = out.clone()
            r = {"zero": torch.zeros_like(mean), "mean": mean, "clamp": torch.full_like(mean, 0.7)}.get(how)
            out[:, mask] = 2 * out[:, mask] if r is None else r[mask]
            return out

        np.testing.assert_allclose(got, by_hand(net, data, "a", change), rtol=0, atol=1e-6)
    assert np.array_equal(found[0], run.intact)
    assert run.fired.min() >= 1
    assert not run.unchanged.any()


def test_mean_of_everything_leaves_one_output():
    net, data = network(Residual), images()
    parts = make_parts(net, "norm", data, parts="layer", who=WHO)
    module = nn.Sequential(nn.Flatten(), nn.Linear(147, 6), nn.ReLU(), nn.Linear(6, 3))
    flat = cs.Network(module, name="flat")
    parts = make_parts(flat, "1", data, who=WHO)
    found, _ = outputs(flat, data, parts, np.ones((1, 6), bool), how="mean")
    assert np.ptp(found[0], axis=0).max() < 1e-6


def test_mean_is_each_units_own_over_the_reference():
    net, data, other = network(Residual), images(), images(13, seed=9)
    mean = activations(net, other, "c1").mean(0)
    parts = make_parts(net, "c1", data, who=WHO)
    found, _ = outputs(net, data, parts, np.eye(8, dtype=bool)[:1], how="mean", reference=other)
    expected = by_hand(net, data, "c1", lambda out: torch.cat([mean[:1].expand(21, 1, 7, 7), out[:, 1:]], 1))
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_resampling_takes_one_donor_for_each_stimulus_never_itself():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, parts="layer", who=WHO)
    full = np.ones((1, 1), bool)
    rng = np.random.default_rng(3)
    with Lesions(net, data, parts, how="resample", rng=rng, who=WHO, batch_size=4) as run:
        donors = run.replacement.donors(5, run.n)
        found = next(run.outputs(full, draw=5))
        other = next(run.outputs(full, draw=6))
    assert (donors != np.arange(21)).all()
    assert not np.array_equal(found, other)
    a = activations(net, data, "a")
    np.testing.assert_allclose(found, by_hand(net, data, "a", lambda out: a[donors]), atol=1e-6)


def test_donors_are_uniform_over_the_others():
    net, data = network(Residual), images(5)
    parts = make_parts(net, "a", data, who=WHO)
    with Lesions(net, data, parts, how="resample", who=WHO) as run:
        drawn = np.stack([run.replacement.donors(d, 5) for d in range(4000)])
    counts = np.stack([(drawn == k).sum(axis=0) for k in range(5)])
    assert (np.diag(counts) == 0).all()
    assert np.abs(counts[~np.eye(5, dtype=bool)] - 1000).max() < 5 * np.sqrt(750)


def test_nested_masks_share_replaced_values():
    """The layer seen under a lesion of two parts has, in each, what the lesion of that part alone has."""
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, who=WHO)
    masks = np.array([[1] + [0] * 7, [1, 1] + [0] * 6, [0, 1] + [0] * 6], bool)
    for how in ("resample", "noise"):
        with Lesions(net, data, parts, how=how, watch="a", who=WHO, batch_size=5) as run:
            one, both, two = (values.reshape(21, 8, 49) for values in run.watched(masks, draw=2))
        assert np.array_equal(one[:, 0], both[:, 0])
        assert np.array_equal(two[:, 1], both[:, 1])
        assert not np.allclose(one[:, 0], activations(net, data, "a")[:, 0].flatten(1))


def test_noise_has_the_units_mean_and_spread():
    flat = cs.Network(nn.Sequential(nn.Flatten(), nn.Linear(147, 6)), name="flat")
    data = images(4000, seed=2)
    parts = make_parts(flat, "1", data, who=WHO)
    found, run = outputs(flat, data, parts, np.ones((1, 6), bool), how="noise")
    np.testing.assert_allclose(found[0].mean(0), run.intact.mean(0), atol=5 * run.intact.std() / 4000**0.5)
    np.testing.assert_allclose(found[0].std(0), run.intact.std(0), rtol=0.06)
    assert np.abs(np.corrcoef(found[0].T) - np.eye(6)).max() < 0.08  # each unit by itself


def test_directions_are_projected_out():
    net, data = network(Residual), images()
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 8))
    parts = make_parts(net, "a", data, parts=rows, who=WHO)
    assert parts.kind == "directions"
    masks = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]], bool)
    found, _ = outputs(net, data, parts, masks, how="zero")
    for k, got in enumerate(found, 1):
        q = torch.from_numpy(np.linalg.qr(rows[:k].T)[0]).float()

        def change(out, q=q):
            return out - torch.einsum("ncyx,cd,ed->neyx", out, q, q)

        np.testing.assert_allclose(got, by_hand(net, data, "a", change), atol=1e-5)


def test_a_direction_removed_twice_is_removed_once():
    net, data = network(Residual), images()
    row = np.random.default_rng(0).normal(size=8)
    parts = make_parts(net, "a", data, parts=np.stack([row, 3 * row, row]), who=WHO)
    found, _ = outputs(net, data, parts, np.array([[1, 0, 0], [1, 1, 1]], bool), how="mean")
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_a_unit_is_the_direction_along_its_axis():
    net, data = network(Residual), images()
    units = make_parts(net, "a", data, who=WHO)
    axes = make_parts(net, "a", data, parts=np.eye(8) * 5, who=WHO)
    masks = some_masks(8)
    for how in ("zero", "mean", "resample"):
        np.testing.assert_allclose(
            outputs(net, data, units, masks, how=how)[0],
            outputs(net, data, axes, masks, how=how)[0],
            atol=1e-5,
        )


def test_components_are_those_of_the_layer():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, parts=3, who=WHO)
    x = activations(net, data, "a").double().numpy()
    rows = np.moveaxis(x, 1, -1).reshape(-1, 8)
    _, _, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    found = np.concatenate(parts.sites[0].bases)
    assert np.abs(np.abs((found * axes[:3]).sum(1)) - 1).max() < 1e-9
    assert parts.names == [f"a[component {i}]" for i in (1, 2, 3)]


def test_units_channels_and_directions_in_one_list():
    net, data = network(Residual), images()
    units = [net.unit("a", 60), net.channel("a", 1), net.direction("b", np.ones(8), spatial="mean")]
    parts = make_parts(net, None, data, parts=units, who=WHO)
    found, _ = outputs(net, data, parts, np.eye(3, dtype=bool), how="zero")

    def unit(out):
        out = out.clone()
        out.flatten(1)[:, 60] = 0
        return out

    def channel(out):
        out = out.clone()
        out[:, 1] = 0
        return out

    for got, layer, change in zip(found, "aab", (unit, channel, lambda out: out - out.mean(1, keepdim=True))):
        np.testing.assert_allclose(got, by_hand(net, data, layer, change), atol=1e-6)
    assert parts.unit_of.tolist() == [60, 1, -1]
    mixed = make_parts(
        net, "a", data, parts=[net.unit("a", 60), net.direction("a", np.ones(8), spatial="mean")], who=WHO
    )
    found, _ = outputs(net, data, mixed, np.array([[0, 1]], bool), how="zero")
    np.testing.assert_allclose(
        found[0], by_hand(net, data, "a", lambda out: out - out.mean(1, keepdim=True)), atol=1e-5
    )


def test_parts_may_overlap():
    net, data = network(Residual), images()
    groups = {"low": [0, 1, 2], "high": [2, 3]}
    parts = make_parts(net, "a", data, parts=groups, parts_of="channels", who=WHO)
    single = make_parts(net, "a", data, who=WHO)
    found, _ = outputs(net, data, parts, np.array([[1, 0], [0, 1], [1, 1]], bool), how="zero")
    masks = np.zeros((3, 8), bool)
    masks[0, :3] = masks[1, 2:4] = masks[2, :4] = True
    np.testing.assert_allclose(found, outputs(net, data, single, masks, how="zero")[0], atol=1e-6)


def test_a_list_of_layers_is_one_part_each():
    net, data = network(Residual), images()
    parts = make_parts(net, ["b", "a"], data, parts="layer", who=WHO)
    assert parts.names == ["b", "a"]
    assert parts.layers == ["b", "a"]
    found, _ = outputs(net, data, parts, np.eye(2, dtype=bool), how="zero")
    for got, name in zip(found, "ba"):
        np.testing.assert_allclose(got, by_hand(net, data, name, torch.zeros_like), atol=1e-6)


def test_skipped_layers_hand_on_what_they_get():
    net, data = network(Residual), images()
    parts = make_parts(net, ["a", "norm"], data, parts="layer", who=WHO)
    found, _ = outputs(net, data, parts, np.array([[1, 0], [0, 1], [1, 1], [1, 0]], bool), how="skip")
    without = copy.deepcopy(net.module).eval()
    without.a, without.norm = (
        nn.Hardtanh(-1e9, 1e9),
        nn.Identity(),
    )  # a copy: the next rectifier works in place
    with torch.no_grad():
        expected = without(torch.from_numpy(data.values)).numpy()
    np.testing.assert_allclose(found[2], expected, atol=1e-6)
    refused = make_parts(net, "c1", data, parts="layer", who=WHO)
    with pytest.raises(cs.InputError, match="input and output have one shape") as error:
        outputs(net, data, refused, np.ones((1, 1), bool), how="skip")
    assert error.value.code == "bad-how"
    with pytest.raises(cs.InputError, match="parts='layer'"):
        outputs(net, data, make_parts(net, "a", data, who=WHO), np.ones((1, 8), bool), how="skip")


def test_each_layer_its_own_how():
    net, data = network(Residual), images()
    parts = make_parts(net, ["a", "b"], data, parts="layer", who=WHO)
    found, _ = outputs(net, data, parts, np.eye(2, dtype=bool), how={"a": 1.5, "b": "zero"})
    np.testing.assert_allclose(
        found[0], by_hand(net, data, "a", lambda o: torch.full_like(o, 1.5)), atol=1e-6
    )
    np.testing.assert_allclose(found[1], by_hand(net, data, "b", torch.zeros_like), atol=1e-6)


def test_what_is_there_anyway_is_named():
    module = nn.Sequential(nn.Flatten(), nn.Linear(147, 6), nn.ReLU(), nn.Linear(6, 3))
    with torch.no_grad():
        module[1].weight[2] = 0.0
        module[1].bias[2] = -1.0  # never active
        module[1].weight[4] = 0.0
        module[1].bias[4] = 0.7  # always the same
    net, data = cs.Network(module, name="flat"), images()
    parts = make_parts(net, "2", data, who=WHO)
    named = {}
    for how in ("zero", "mean", "resample", "noise", 0.7, lambda x: x):
        with Lesions(net, data, parts, how=how, who=WHO) as run:
            named[str(how)[:5]] = np.flatnonzero(run.unchanged).tolist()
    assert list(named.values()) == [[2], [2, 4], [2, 4], [2, 4], [4], list(range(6))]


# Routes


CASES = [
    ("c1", {}), ("branch.0", {}), ("branch", {}), ("a", {}), ("relu#1", {}), ("b", {}), ("fc", {}),
    (["c1", "a"], {}), ("branch.2", {"parts": 4}), ("a", {"parts": "units"}),
]  # fmt: skip


@pytest.mark.parametrize("how", HOWS, ids=HOW_IDS)
@pytest.mark.parametrize(("layer", "kwargs"), CASES, ids=str)
def test_resumed_passes_are_full_passes(layer, kwargs, how):
    net, data = network(Residual), images()
    parts = make_parts(net, layer, data, who=WHO, **kwargs)
    masks = some_masks(len(parts))
    new, run = outputs(net, data, parts, masks, how=how, batch_size=8)
    assert min(run._sizes.values()) > 1  # resumed, several at a time
    old, _ = outputs(net, data, parts, masks, how=how, batch_size=21, resume=False)
    np.testing.assert_allclose(new, old, rtol=0, atol=2e-6 * np.abs(old).max())
    assert clean(net)


class Ends(nn.Module):
    """Nothing between its last convolution and its readout mixes channels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3)
        self.norm = nn.BatchNorm2d(12)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(48, 5)

    def forward(self, x):
        return self.fc(self.drop(F.relu(self.pool(self.norm(self.conv(x))))).flatten(1))


@pytest.mark.parametrize("how", HOWS, ids=HOW_IDS)
@pytest.mark.parametrize(
    ("layer", "kwargs"),
    [("conv", {}), ("pool", {"parts": "units"}), ("norm", {"parts": "layer"}), ("drop", {}),
     ("conv", {"parts": {"a": [0, 1], "b": [1, 5]}, "parts_of": "channels"})],
    ids=str,
)  # fmt: skip
def test_closed_form_is_the_full_pass(layer, kwargs, how):
    net, data = network(Ends), images()
    parts = make_parts(net, layer, data, who=WHO, **kwargs)
    masks = some_masks(len(parts), m=30)
    new, run = outputs(net, data, parts, masks, how=how, batch_size=8)
    assert run._closed_found == {0}
    old, _ = outputs(net, data, parts, masks, how=how, resume=False)
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * np.abs(old).max())
    assert np.array_equal(new.argmax(-1), old.argmax(-1))


def test_what_mixes_parts_has_no_closed_form():
    class Mixes(Ends):
        def forward(self, x):
            x = F.relu(self.pool(self.norm(self.conv(x)))).flatten(1)
            return self.fc(F.layer_norm(x, (48,)))

    net, data = network(Mixes), images()
    parts = make_parts(net, "conv", data, who=WHO)
    masks = some_masks(12, m=12)
    new, run = outputs(net, data, parts, masks, how="zero")
    assert run._closed_found == set()
    old, _ = outputs(net, data, parts, masks, how="zero", resume=False)
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-6 * np.abs(old).max())


def test_hidden_in_place_changes_take_the_full_pass():
    """A module that changes its input and returns nothing cannot be left out; the trial sees it."""

    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.relu, self.b = nn.Linear(147, 9), nn.ReLU(inplace=True), nn.Linear(9, 9)
            self.fc = nn.Linear(9, 3)

        def forward(self, x):
            x = self.a(x.flatten(1))
            y = self.b(x)
            self.relu(x)
            return self.fc(torch.tanh(y) + x)

    net, data = network(Hidden), images()
    parts = make_parts(net, "b", data, who=WHO)
    masks = some_masks(9, m=12)
    new, _run = outputs(net, data, parts, masks, how="zero")
    old, _ = outputs(net, data, parts, masks, how="zero", resume=False)
    np.testing.assert_allclose(new, old, rtol=0, atol=1e-6 * np.abs(old).max())


def test_neither_order_nor_batches_matter():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, who=WHO)
    masks = some_masks(8)
    for how in ("mean", "resample", "noise"):
        one, _ = outputs(net, data, parts, masks, how=how, batch_size=3)
        two, _ = outputs(net, data, parts, masks[::-1], how=how, batch_size=20)
        np.testing.assert_allclose(one, two[::-1], atol=1e-6)


def test_scores_are_those_of_the_outputs():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, who=WHO)
    masks = some_masks(8)
    found, _ = outputs(net, data, parts, masks, how="zero")
    with Lesions(net, data, parts, how="zero", who=WHO, batch_size=5) as run:
        one = run.scores(masks, lambda out, rows: out[:, 1] * np.arange(21)[rows])
        two = run.scores(masks, lambda out, rows: out[:, :2])
        cost = run.cost(1000)
    np.testing.assert_allclose(one, found[:, :, 1] * np.arange(21), atol=1e-5)
    np.testing.assert_allclose(two, found[:, :, :2], atol=1e-6)
    assert cost.seconds > 0
    assert 0 <= cost.share <= 1
    assert cost.route == "resumed"


@pytest.mark.slow
def test_efficientnet():
    try:
        net = cs.networks.load("efficientnet_lite0")
    except cs.InputError as error:
        pytest.skip(str(error))
    data = cs.stimuli(np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3)).astype("u1"), ids=range(6))
    for layer in ("_blocks.11", "_conv_head"):
        parts = make_parts(net, layer, data, who=WHO)
        masks = some_masks(len(parts), m=10)
        masks[2:] &= np.random.default_rng(1).random(masks[2:].shape) < 0.1
        new, _ = outputs(net, data, parts, masks, how="mean")
        old, _ = outputs(net, data, parts, masks, how="mean", resume=False)
        np.testing.assert_allclose(new, old, rtol=0, atol=1e-5 * np.abs(old).max())


# The module itself


def test_the_module_itself_is_lesioned():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, who=WHO)
    mask = np.arange(8) < 3
    found, _ = outputs(net, data, parts, mask[None], how="mean")
    net.module.eval()
    with torch.no_grad():
        with lesioned(net, parts, mask, how="mean", who=WHO) as same:
            inside = same.module(torch.from_numpy(data.values)).numpy()
        outside = net.module(torch.from_numpy(data.values)).numpy()
    np.testing.assert_allclose(inside, found[0], atol=1e-6)
    assert np.abs(inside - outside).max() > 1e-3
    assert clean(net)
    with pytest.raises(cs.InputError, match="never fired") as error, lesioned(net, parts, mask, who=WHO):
        pass
    assert error.value.code == "hook-not-fired"


def test_modes_come_back_and_inputs_stay():
    net, data = network(Residual), images()
    net.module.train()
    net.module.drop.eval()
    before, values = copy.deepcopy(net.module.state_dict()), data.values.copy()
    outputs(net, data, make_parts(net, "a", data, who=WHO), some_masks(8), how="zero")
    assert net.module.training
    assert not net.module.drop.training
    assert np.array_equal(values, data.values)
    assert all(torch.equal(v, before[k]) for k, v in net.module.state_dict().items())


def test_nothing_is_left_after_an_error():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, who=WHO)

    def breaks(out, rows):
        raise RuntimeError("score")

    with pytest.raises(RuntimeError, match="score"), Lesions(net, data, parts, who=WHO) as run:
        run.scores(some_masks(8), breaks)
    assert clean(net)

    def bad(x):
        raise ValueError("mine")

    with pytest.raises((cs.InputError, ValueError), match="mine"):
        outputs(net, data, parts, some_masks(8), how=bad)
    assert clean(net)
    with pytest.raises(RuntimeError, match="body"), lesioned(net, parts, np.ones(8, bool), who=WHO):
        raise RuntimeError("body")
    assert clean(net)


# Refusals


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_hook_that_cannot_fire_is_an_error():
    class Unused(Residual):
        def __init__(self):
            super().__init__()
            self.never = nn.Conv2d(8, 8, 1)

    net, data = network(Unused), images()
    with pytest.raises(cs.InputError, match=r"'never' of net never fired.*compiled") as error:
        make_parts(net, "never", data, who=WHO)
    assert error.value.code == "hook-not-fired"
    scripted = cs.Network(torch.jit.trace(net.module.eval(), torch.from_numpy(data.values)), name="traced")
    with pytest.raises(cs.InputError, match="never fired") as error:
        make_parts(scripted, "a", data, who=WHO)
    assert error.value.code == "hook-not-fired"


@pytest.mark.parametrize(
    ("code", "match", "kwargs"),
    [
        ("unknown-layer", "no layer 'z'", {"layer": "z"}),
        ("bad-parts", "parts must be one of", {"parts": "neurons"}),
        ("no-such-unit", "from 0 to 7", {"parts": {"x": [8]}, "parts_of": "channels"}),
        ("no-such-unit", "from 0 to 391", {"parts": {"x": [392]}}),
        ("bad-vector", "8 or 392 weights", {"parts": np.ones((2, 5))}),
        ("bad-vector", "not all 0", {"parts": np.zeros((1, 8))}),
        ("bad-parts", "parts is empty", {"parts": {}}),
        ("bad-times", "has no steps", {"times": [0]}),
        ("bad-layers", "list of different names", {"layer": ["a", "a"]}),
        ("several-arrays", "name one of them", {"layer": "relu"}),
        ("bad-parameter", "n_heads must divide", {"parts": "heads", "n_heads": 3}),
    ],
)
def test_parts_that_do_not_exist(code, match, kwargs):
    net, data = network(Residual), images()
    with pytest.raises(cs.InputError, match=match) as error:
        make_parts(net, kwargs.pop("layer", "a"), data, who=WHO, **kwargs)
    assert error.value.code == code
    assert str(error.value).startswith(WHO)


def test_other_refusals():
    net, data = network(Residual), images()
    parts = make_parts(net, "a", data, who=WHO)
    for how in ("zeros", np.nan, None, np.ones(3), lambda x: x[:1], {"b": 1.0}):
        with pytest.raises(cs.InputError) as error:
            outputs(net, data, parts, some_masks(8), how=how)
        assert error.value.code == "bad-how"
    with Lesions(net, data, parts, who=WHO) as run:
        for masks in (np.ones((2, 7), bool), np.ones((2, 8)), np.ones(8, bool)):
            with pytest.raises(cs.InputError, match="masks must be booleans"):
                run.scores(masks, lambda out, rows: out[:, 0])
        with pytest.raises(cs.InputError, match="watch="):
            run.watched(some_masks(8))
    with pytest.raises(cs.InputError, match="inside 'with"):
        run.scores(some_masks(8), lambda out, rows: out[:, 0])
    with pytest.raises(cs.InputError, match="is a callable") as error:
        make_parts(cs.Network(lambda block: block), "output", data, who=WHO)
    assert error.value.code == "not-a-module"
    with pytest.raises(cs.InputError, match="another network"):
        make_parts(net, None, data, parts=[network(Ends).unit("conv", 0)], who=WHO)


# Few changed channels


class Chain(nn.Module):
    """Convolutions of every kind of padding and step after the lesioned layer, then linear layers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 9, 3, stride=2, padding="valid", dilation=1)
        self.fc = nn.Sequential(nn.Linear(36, 20), nn.ReLU(), nn.Linear(20, 3))

    def forward(self, x):
        return self.fc(self.second(torch.tanh(self.norm(self.first(x)))).flatten(1))


@pytest.mark.parametrize(
    ("layer", "kwargs"), [("first", {}), ("second", {}), ("norm", {"parts": "units"})], ids=str
)
@pytest.mark.parametrize("how", ["zero", "resample", "noise"])
def test_few_changed_channels_are_added(layer, kwargs, how, monkeypatch):
    from consilience.networks import _lesion_few

    monkeypatch.setattr(_lesion_few, "_WORTH", 0.0)
    came = []
    given = _lesion_few.Few._given

    def spied(self, x):
        out = given(self, x)
        came.append(out is not None)
        return out

    monkeypatch.setattr(_lesion_few.Few, "_given", spied)
    net, data = network(Chain), images()
    parts = make_parts(net, layer, data, who=WHO, **kwargs)
    masks = np.eye(len(parts), dtype=bool)[:14]
    masks[3, 5] = True
    masks[4] = True  # of all: the layer simply runs
    new, _ = outputs(net, data, parts, masks, how=how, batch_size=8)
    old, _ = outputs(net, data, parts, masks, how=how, resume=False)
    np.testing.assert_allclose(new, old, rtol=0, atol=5e-6 * np.abs(old).max())
    assert any(came)
