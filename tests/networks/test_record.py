"""`cs.record`: planted activations, hooks, layer names, shapes, refusals."""

import dataclasses

import numpy as np
import pytest

import consilience as cs
from consilience.networks import _pass

torch = pytest.importorskip("torch")
nn = torch.nn


def images(n=6, size=8, channels=3, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, channels, size, size)).astype(np.float32)
    return cs.stimuli(values, ids=[f"im{i}" for i in range(n)])


def vectors(n=5, width=4, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)
    return cs.stimuli(values, ids=[f"v{i}" for i in range(n)])


class Small(nn.Module):
    """Convolution, normalisation, in-place ReLU, pooling, dropout, readout."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.blocks = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)) for _ in range(2)]
        )
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(x)))
        for block in self.blocks:
            x = block(x)
        return self.fc(self.drop(x.mean((2, 3))))


@pytest.fixture
def small():
    torch.manual_seed(0)
    return Small()


def state_of(module):
    return {
        "tensors": {k: v.clone() for k, v in module.state_dict().items()},
        "training": [m.training for m in module.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules()],
    }


def assert_same_state(before, after):
    assert before["training"] == after["training"]
    assert before["hooks"] == after["hooks"]
    assert all(torch.equal(before["tensors"][k], after["tensors"][k]) for k in before["tensors"])


def test_activations_are_those_of_the_layer_before_anything_follows_in_place(small):
    stimuli = images()
    acts = cs.record(small, stimuli, ["conv", "bn", "blocks.0.0"])
    small.eval()
    with torch.no_grad():
        x = torch.from_numpy(stimuli.values)
        conv = small.conv(x)
        bn = small.bn(conv)
        first = small.blocks[0][0](torch.relu(bn))
    for name, truth in (("conv", conv), ("bn", bn), ("blocks.0.0", first)):
        np.testing.assert_allclose(acts[name].values, truth.flatten(1).numpy(), atol=1e-6)
        assert acts[name].dtype == np.float32


def test_schema(small):
    stimuli = images(4).assign_coords(category=("stimulus", ["a", "b", "a", "b"]))
    conv = cs.record(cs.Network(small, name="net"), stimuli, "conv")["conv"]
    assert conv.dims == ("trial", "unit")
    assert conv.attrs["kind"] == "activation"
    assert conv.attrs["system"] == "net"
    assert conv["stimulus"].values.tolist() == ["im0", "im1", "im2", "im3"]
    assert conv["category"].values.tolist() == ["a", "b", "a", "b"]
    assert conv["layer"].item() == "conv"
    assert conv["channel"].dtype == conv["y"].dtype == conv["x"].dtype == np.int32
    maps = cs.unflatten(conv)
    assert maps.shape == (4, 4, 8, 8)
    flat = maps.values[1, 2, 3, 4]
    unit = int(np.flatnonzero((conv.channel == 2) & (conv.y == 3) & (conv.x == 4))[0])
    assert unit == (2 * 8 + 3) * 8 + 4
    assert conv.values[1, unit] == flat


@pytest.mark.parametrize("spatial", ["mean", "max"])
def test_spatial_pools_places(small, spatial):
    stimuli = images()
    full = cs.unflatten(cs.record(small, stimuli, "conv")["conv"])
    pooled = cs.record(small, stimuli, "conv", spatial=spatial)["conv"]
    np.testing.assert_allclose(pooled.values, getattr(full, spatial)(("y", "x")).values, atol=1e-6)
    assert pooled["channel"].values.tolist() == [0, 1, 2, 3]
    assert "y" not in pooled.coords


@pytest.mark.parametrize("batch_size", [1, 2, 5, 6, 100])
def test_batch_size_does_not_matter(small, batch_size):
    stimuli = images()
    one = cs.record(small, stimuli, ["**"])
    two = cs.record(small, stimuli, ["**"], batch_size=batch_size)
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(one[name].values, two[name].values, atol=1e-5)


def test_state_is_restored(small):
    small.train()
    small.bn.eval()  # frozen on purpose; must stay so
    before = state_of(small)
    cs.record(small, images(), ["conv", "fc", "output"])
    assert_same_state(before, state_of(small))
    assert all(p.grad is None and p.requires_grad for p in small.parameters())


def test_eval_mode_is_used(small):
    small.train()
    one, two = (cs.record(small, images(), "fc")["fc"] for _ in range(2))
    np.testing.assert_array_equal(one.values, two.values)


def test_state_is_restored_after_a_failure(small):
    small.train()
    before = state_of(small)
    with pytest.raises(
        cs.InputError,
        match=r"forward pass of Small failed .*shape \(1, 5, 8, 8\), float32\): RuntimeError",
    ):
        cs.record(small, images(channels=5), ["conv", "fc"])
    assert_same_state(before, state_of(small))


def test_stimuli_are_not_changed_by_in_place_layers():
    stimuli = vectors()
    before = stimuli.copy(deep=True)
    cs.record(nn.Sequential(nn.ReLU(inplace=True)), stimuli)
    assert stimuli.identical(before)


def test_preprocess_gets_its_own_copy():
    stimuli = vectors()
    before = stimuli.copy(deep=True)

    def spoil(block):
        block *= 0
        return block

    cs.record(cs.Network(nn.Identity(), preprocess=spoil), stimuli)
    assert stimuli.identical(before)


def test_patterns(small):
    stimuli = images(2)
    assert list(cs.record(small, stimuli, "blocks.*")) == ["blocks.0", "blocks.1"]
    assert list(cs.record(small, stimuli, ["blocks.0**"])) == ["blocks.0", "blocks.0.0", "blocks.0.1"]
    assert list(cs.record(small, stimuli, ["fc", "conv"])) == ["fc", "conv"]
    assert list(cs.record(small, stimuli)) == ["output"]
    assert "unused" not in cs.record(small, stimuli, "*")


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ("convv", KeyError, r"Small has no layer 'convv'\. Did you mean 'conv'"),
        ("blocks.*.*.*", KeyError, "matches no layer of Small"),
        ("blocks*1", KeyError, r"'\*' does not cross a dot, '\*\*' does: 3 names would match"),
        ("unused", ValueError, r"layer 'unused' \(Linear\) of Small is never called by its forward pass"),
        ("blocks", ValueError, r"layer 'blocks' \(ModuleList\) of Small is never called"),
        ([], ValueError, "layers is empty"),
        ([3], ValueError, "layers must be a layer name, a pattern or a list"),
    ],
)
def test_wrong_layers(small, layers, error, message):
    with pytest.raises(error, match=message):
        cs.record(small, images(2), layers)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(4, 4)

    def forward(self, x):
        return self.shared(self.shared(x))


def test_a_layer_called_twice_keeps_both_calls():
    net = Twice()
    stimuli = vectors()
    acts = cs.record(net, stimuli, "shared")
    assert list(acts) == ["shared#0", "shared#1"]
    with torch.no_grad():
        first = net.shared(torch.from_numpy(stimuli.values))
        second = net.shared(first)
    np.testing.assert_allclose(acts["shared#0"].values, first.numpy(), atol=1e-6)
    np.testing.assert_allclose(acts["shared#1"].values, second.numpy(), atol=1e-6)


def test_lstm_outputs_by_rule_with_the_stimulus_axis_found():
    net = nn.Sequential(nn.LSTM(3, 5, num_layers=2, batch_first=True))
    values = np.random.default_rng(0).normal(size=(4, 7, 3)).astype(np.float32)
    acts = cs.record(net, cs.stimuli(values, ids=list("abcd")), "0")
    assert list(acts) == ["0[0]", "0[1][0]", "0[1][1]"]
    with torch.no_grad():
        out, (hidden, _cell) = net[0](torch.from_numpy(values))
    np.testing.assert_allclose(acts["0[0]"].values, out.flatten(1).numpy(), atol=1e-6)
    np.testing.assert_allclose(acts["0[1][0]"].values, hidden.movedim(1, 0).flatten(1).numpy(), atol=1e-6)
    assert acts["0[0]"]["token"].values[:6].tolist() == [0, 0, 0, 0, 0, 1]
    assert acts["0[0]"]["feature"].values[:6].tolist() == [0, 1, 2, 3, 4, 0]


def test_tokens_are_averaged_not_features():
    net = nn.Sequential(nn.Linear(3, 5))
    values = np.random.default_rng(0).normal(size=(4, 7, 3)).astype(np.float32)
    acts = cs.record(net, cs.stimuli(values, ids=list("abcd")), spatial="mean")
    with torch.no_grad():
        truth = net(torch.from_numpy(values)).mean(1).numpy()
    np.testing.assert_allclose(acts["output"].values, truth, atol=1e-6)
    assert "feature" in acts["output"].coords


def test_one_dimensional_convolutions_are_channel_first():
    net = nn.Sequential(nn.Conv1d(3, 5, 1))
    values = np.random.default_rng(0).normal(size=(4, 3, 7)).astype(np.float32)
    acts = cs.record(net, cs.stimuli(values, ids=list("abcd")), "0", spatial="mean")
    assert acts["0"].sizes["unit"] == 5
    assert "channel" in acts["0"].coords


def test_pooling_over_assumed_axes_is_said():
    net = nn.Sequential(nn.Conv1d(3, 5, 1), nn.ReLU())
    stimuli = cs.stimuli(np.random.default_rng(0).normal(size=(4, 3, 7)).astype(np.float32), ids=list("abcd"))
    with pytest.warns(cs.ConsilienceWarning, match=r"\[axes-assumed\] 1 of Sequential has 5 x 7 outputs"):
        cs.record(net, stimuli, "1", spatial="mean")
    cs.record(net, stimuli, "1")


@dataclasses.dataclass
class Out:
    logits: object
    hidden: object
    note: str = "text"


class Wrapped(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.wrap = wrap

    def forward(self, x):
        return self.wrap(x)


@pytest.mark.parametrize(
    ("wrap", "names"),
    [
        (lambda x: (x, 2 * x), ["output[0]", "output[1]"]),
        (lambda x: {"a": x, "b": [x, x]}, ["output[a]", "output[b][0]", "output[b][1]"]),
        (lambda x: Out(x, (x, None)), ["output[logits]", "output[hidden][0]"]),
        (lambda x: (x, None), ["output"]),
        (lambda x: {"only": x, "constant": x.new_ones(3)}, ["output"]),
    ],
)
def test_containers_are_flattened_by_rule(wrap, names):
    assert list(cs.record(Wrapped(wrap), vectors())) == names


@pytest.mark.parametrize("wrap", [lambda x: None, lambda x: "text", lambda x: x.sum(), lambda x: []])
def test_no_array_per_stimulus_is_refused(wrap):
    with pytest.raises(cs.InputError, match="returned no array with one entry per stimulus"):
        cs.record(Wrapped(wrap), vectors())


def test_non_finite_activations_name_layer_and_stimulus():
    values = vectors().values.copy()
    values[3] = 1e30
    net = nn.Sequential(nn.Linear(4, 4), Wrapped(lambda x: x * x * 1e20))
    with pytest.raises(
        cs.InputError,
        match=r"layer '1' of Sequential has 4 NaN or infinite activations, first for stimulus 'v3'",
    ) as caught:
        cs.record(net, cs.stimuli(values, ids=[f"v{i}" for i in range(5)]), ["0", "1"], batch_size=2)
    assert caught.value.code == "nan-values"


def test_ragged_outputs_are_refused():
    net = cs.Network(lambda texts: np.ones((len(texts), max(map(len, texts)))))
    with pytest.raises(cs.InputError, match="every stimulus must give the same shape"):
        cs.record(net, cs.stimuli(["a", "bcd"], ids=["x", "y"]))


@pytest.mark.parametrize("spatial", ["flatten", "mean"])
def test_texts_padded_to_another_length_than_the_first(spatial):
    """The first batch cannot tell the axes here; the first text twice can."""

    def embedded(texts):
        return np.array([[[1.0, 2.0]] * max(map(len, texts)) for _ in texts])

    stimuli = cs.stimuli(["a", "bcd", "ef"], ids=["x", "y", "z"])
    if spatial == "flatten":
        with pytest.raises(
            cs.InputError, match=r"gave 2 units for the first stimulus, but an array of shape"
        ):
            cs.record(embedded, stimuli)
    else:
        acts = cs.record(embedded, stimuli, spatial="mean")["output"]
        assert acts.values.tolist() == [[1.0, 2.0]] * 3


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_constants_beside_activations_are_left_out(batch_size):
    net = Wrapped(lambda x: {"acts": x, "offset": x.new_ones(1, 4), "scale": x.new_ones(3)})
    acts = cs.record(net, vectors(), ["output"], batch_size=batch_size)
    assert list(acts) == ["output"]
    np.testing.assert_array_equal(acts["output"].values, vectors().values)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 4])
def test_the_stimulus_axis_is_found_wherever_it_is(batch_size):
    """In front, behind, and behind an axis that has one entry too."""
    net = Wrapped(lambda x: [x, x.T, x[None], x[:, None, :]])
    acts = cs.record(net, vectors(), batch_size=batch_size)
    assert list(acts) == ["output[0]", "output[1]", "output[2]", "output[3]"]
    for name in acts:
        np.testing.assert_array_equal(acts[name].values, vectors().values)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
@pytest.mark.parametrize("wrap", [lambda x: x.repeat(3, 1), lambda x: x @ x.T, lambda x: x.reshape(-1, 2)])
def test_stimuli_merged_with_other_axes_are_refused(wrap, batch_size):
    with pytest.raises(cs.InputError, match="returned no array with one entry per stimulus"):
        cs.record(Wrapped(wrap), vectors(), batch_size=batch_size)


def test_one_pass_more_than_there_are_batches():
    sizes = []
    net = nn.Linear(4, 4)
    net.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    cs.record(net, vectors(5), batch_size=2)
    assert sizes == [1, 2, 2, 1]
    sizes.clear()
    cs.record(net, vectors(5), batch_size=1)
    assert sizes == [1, 2, 1, 1, 1, 1, 1]  # one stimulus a batch tells no axis


class Changing(nn.Module):
    """Whose forward pass can be changed between calls."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.extra = nn.Linear(4, 3)
        self.after = lambda x: x

    def forward(self, x):
        return self.after(self.fc(x))


def test_a_second_call_needs_no_probe():
    sizes = []
    module = nn.Linear(4, 4)
    module.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    net = cs.Network(module)
    one = cs.record(net, vectors(5))["output"]
    two = cs.record(net, vectors(5))["output"]
    assert sizes == [1, 5, 5]
    assert one.identical(two)
    cs.record(net, cs.stimuli(vectors(5).values[:, None], ids=list("abcde")))  # another shape
    assert sizes[3:] == [1, 5]


@pytest.mark.parametrize(
    ("after", "shape"),
    [
        (lambda x: x[:, :2], (5, 2)),
        (lambda x: x.T, (5, 4)),
        (lambda x: x.repeat(1, 3), (5, 12)),
        (lambda x: (x, x), None),
    ],
)
def test_what_an_earlier_call_found_is_checked(after, shape):
    net = cs.Network(Changing())
    cs.record(net, vectors())
    net.module.after = after
    acts = cs.record(net, vectors())
    fresh = cs.record(cs.Network(net.module, name=net.name), vectors())
    assert list(acts) == list(fresh)
    for name in acts:
        assert acts[name].identical(fresh[name])
    assert shape is None or acts["output"].shape == shape


def test_a_layer_that_an_earlier_call_did_not_reach_or_refuse():
    net = cs.Network(Changing())
    cs.record(net, vectors())
    with pytest.raises(cs.InputError, match="never called"):
        cs.record(net, vectors(), "extra")
    net.module.after = lambda x: net.module.extra(x)
    assert cs.record(net, vectors(), "extra")["extra"].shape == (5, 3)
    net.module.after = lambda x: x.to(torch.complex64)
    with pytest.raises(cs.InputError, match="returned complex numbers"):
        cs.record(net, vectors())
    net.module.after = lambda x: x.new_ones(1, 4)
    with pytest.raises(cs.InputError, match="returned no array with one entry per stimulus"):
        cs.record(net, vectors())
    net.module.after = lambda x: x
    assert cs.record(net, vectors())["output"].shape == (5, 4)


def test_layers_do_not_share_values(small):
    acts = cs.record(small, images(), "**")
    before = {name: responses.values.copy() for name, responses in acts.items()}
    acts["conv"].values[:] = -7
    for name in acts:
        if name != "conv":
            np.testing.assert_array_equal(acts[name].values, before[name])
    assert (acts["conv"].values == -7).all()


def test_layers_of_one_shape_have_labels_of_their_own(small):
    acts = cs.record(small, images(), ["conv", "bn", "blocks.0"])
    assert [acts[name]["layer"].item() for name in acts] == list(acts)
    assert [acts[name].attrs["layer"] for name in acts] == list(acts)
    acts["conv"].attrs["note"] = "mine"
    changed = acts["conv"].assign_coords(channel=acts["conv"]["channel"] + 1)
    assert "note" not in acts["bn"].attrs
    assert changed["channel"].values[0] == 1
    assert acts["bn"]["channel"].values[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        acts["conv"]["channel"].values[:] = 3


@pytest.mark.parametrize(
    ("wrap", "what", "code"),
    [
        (
            lambda x: x.to(torch.complex64),
            r"complex numbers \(torch\.complex64\); return \.abs\(\)",
            "not-numeric",
        ),
        (lambda x: x.to_sparse(), r"a sparse tensor; return \.to_dense\(\)", "sparse-array"),
        (
            lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
            r"a quantised tensor; return \.dequantize\(\)",
            "not-numeric",
        ),
        (lambda x: x.to("meta"), r"a tensor on the meta device, which holds no values; load", "not-an-array"),
        (
            lambda x: torch.nested.nested_tensor(list(x), layout=torch.jagged),
            r"a nested tensor; pad it to one length",
            "not-an-array",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(quantiz|nested|prototype).*")
def test_what_holds_no_real_numbers_is_refused(wrap, what, code):
    net = nn.Sequential(nn.Linear(4, 4), Wrapped(wrap))
    before = state_of(net)
    for layers in ("1", "**"):
        with pytest.raises(
            cs.InputError,
            match=rf"cs\.record: layer '1' \(Wrapped\) of Sequential returned {what}.*, or record another layer",
        ) as caught:
            cs.record(net, vectors(), layers)
        assert caught.value.code == code
    assert_same_state(before, state_of(net))
    assert list(cs.record(net, vectors(), "0")) == ["0"]  # what is not asked for does no harm


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda block: block * 1j, r"complex numbers \(complex128\)"),
        (lambda block: block.astype(str), "an array of dtype <U32"),
        (lambda block: block.astype(object), "an array of dtype object"),
    ],
)
def test_callables_that_return_no_real_numbers_are_refused(make, what):
    with pytest.raises(cs.InputError, match=rf"layer 'output' \(callable\) of net returned {what}") as caught:
        cs.record(cs.Network(make, name="net"), cs.stimuli(np.eye(3), ids=list("abc")))
    assert caught.value.code == "not-numeric"


def test_a_complex_constant_beside_activations_is_left_out():
    net = Wrapped(lambda x: {"acts": x, "phases": torch.ones(1, 4, dtype=torch.complex64)})
    assert list(cs.record(net, vectors())) == ["output"]


def test_masked_outputs_are_named():
    net = cs.Network(lambda block: np.ma.masked_less(block, 0), name="net")
    with pytest.raises(
        cs.InputError, match="layer 'output' of net has 1 NaN or infinite activations, first for"
    ):
        cs.record(net, cs.stimuli(np.array([[1.0, 2.0], [3.0, -1.0]]), ids=["a", "b"]))


@pytest.mark.parametrize("torch_output", [False, True])
def test_whole_numbers_that_float32_cannot_hold_are_said(torch_output):
    def make(factor, offset, dtype):
        def run(block):
            out = (block * factor + offset).astype(dtype)
            return torch.from_numpy(out) if torch_output else out

        return cs.Network(run, name="net")

    stimuli = cs.stimuli(np.arange(4).reshape(4, 1), ids=list("abcd"))
    for offset in (2**24, -(2**24) - 3, 2**40, 2**62):
        with pytest.warns(
            cs.ConsilienceWarning, match=r"\[rounded-integers\] Layer 'output' of net returned"
        ):
            acts = cs.record(make(1, offset, "int64"), stimuli)["output"]
        assert "rounded-integers" in acts.attrs["consilience_warnings"]
    # without a warning, which would fail here:
    for net in (make(1, 0, "int64"), make(2**40, 0, "int64"), make(-(2**61), 0, "int64"), make(1, 0, "bool")):
        np.testing.assert_array_equal(
            cs.record(net, stimuli)["output"].values, np.asarray(net.module(stimuli.values), np.float64)
        )


def test_half_precision_becomes_float32():
    net = nn.Linear(4, 3).to(torch.bfloat16)
    acts = cs.record(net, vectors())["output"]
    assert acts.dtype == np.float32
    with torch.no_grad():
        truth = net(torch.from_numpy(vectors().values).bfloat16()).float().numpy()
    np.testing.assert_allclose(acts.values, truth, rtol=0.02, atol=0.02)


def test_scalar_outputs_are_one_unit():
    acts = cs.record(Wrapped(lambda x: x.sum(1)), vectors())
    assert acts["output"].shape == (5, 1)


def test_integer_stimuli_stay_integers():
    net = nn.Embedding(10, 3)
    acts = cs.record(net, cs.stimuli(np.array([[1, 2], [3, 4], [5, 9]]), ids=list("abc")))
    np.testing.assert_allclose(acts["output"].values[2, 3:], net.weight.detach().numpy()[9])


def test_callables_of_plain_arrays():
    stimuli = vectors()
    bare = cs.record(lambda block: block * 2, stimuli)
    np.testing.assert_allclose(bare["output"].values, stimuli.values * 2)
    named = cs.Network(lambda block: {"a": block, "b": block[:, :1]}, name="f")
    assert list(cs.record(named, stimuli)) == ["a", "b"]
    assert list(cs.record(named, stimuli, "b")) == ["b"]
    assert named.layers["name"] == ["a", "b"]
    with pytest.raises(KeyError, match="f has no layer 'c'"):
        cs.record(named, stimuli, "c")


def test_text_is_handed_over_as_a_list_of_str():
    seen = []

    def lengths(texts):
        seen.append(texts)
        return np.array([[len(text)] for text in texts])

    acts = cs.record(lengths, cs.stimuli(["a", "bcd", "ef"], ids=["x", "y", "z"]))
    assert acts["output"].values.ravel().tolist() == [1, 3, 2]
    assert all(isinstance(block, list) and isinstance(block[0], str) for block in seen)


def test_preprocess_may_return_keyword_arguments():
    class Masked(nn.Module):
        def forward(self, x, scale):
            return x * scale

    net = cs.Network(Masked(), preprocess=lambda block: {"x": block, "scale": np.full((len(block), 1), 3.0)})
    np.testing.assert_allclose(cs.record(net, vectors())["output"].values, vectors().values * 3, rtol=1e-6)


def test_images_without_preprocess_are_moved_and_recorded():
    photos = cs.stimuli(np.full((2, 6, 6, 3), 7, np.uint8), ids=["a", "b"])
    with pytest.warns(cs.ConsilienceWarning, match=r"\[no-preprocess\] Identity has no preprocess"):
        acts = cs.record(nn.Identity(), photos)["output"]
    assert "no-preprocess" in acts.attrs["consilience_warnings"]
    assert cs.unflatten(acts).shape == (2, 3, 6, 6)
    assert (acts == 7).all()


def test_results_that_do_not_fit_are_refused(monkeypatch, small):
    monkeypatch.setattr("consilience._core._memory.available_memory", lambda: 10_000)
    with pytest.raises(
        cs.InputError,
        match=r"256 units of 1 layers for 6 stimuli need .* of memory are free; pass spatial='mean'",
    ) as caught:
        cs.record(small, images(), "conv")
    assert caught.value.code == "too-large"


def test_batches_follow_memory(monkeypatch, small):
    monkeypatch.setattr(_pass, "_BUDGET", 20_000)
    sizes = []
    small.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    cs.record(small, images(12), "conv")
    assert sizes[0] == 1  # the probe
    assert sum(sizes[1:]) == 12
    assert 2 <= max(sizes[1:]) <= 6


def test_batch_statistics_in_eval_mode_are_said():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, track_running_stats=False))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[batch-dependent\] 1 of Sequential keeps no running statistics"
    ):
        cs.record(net, images())


def test_probe_gets_each_layer(small):
    acts = cs.record(small, images(), ["conv", "fc"], probe=lambda responses: responses.isel(unit=[0]))
    assert all(responses.sizes["unit"] == 1 for responses in acts.values())


def test_labels_with_a_meaning_of_their_own_are_refused(small):
    stimuli = images(2).assign_coords(channel=("stimulus", [0, 1]))
    with pytest.raises(cs.InputError, match="the stimulus label 'channel' has a meaning of its own"):
        cs.record(small, stimuli, "conv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spatial": "average"}, "spatial must be one of"),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"device": "nonsense"}, "device 'nonsense' cannot be used here"),
        ({"probe": 3}, "probe must be a callable"),
        ({"cache": 3}, "cache must be True, False or a folder"),
        ({"progress": "yes"}, "progress must be True, False or None"),
    ],
)
def test_wrong_options(small, options, message):
    with pytest.raises(cs.InputError, match=message):
        cs.record(small, images(2), "conv", **options)


@pytest.mark.parametrize("thing", [3, None, "efficientnet", nn.Linear])
def test_what_is_no_network_is_refused(thing):
    with pytest.raises(cs.InputError, match=r"must be a cs.Network, a torch.nn.Module or a callable"):
        cs.record(thing, vectors())


def test_user_errors_in_preprocess_keep_their_message():
    def broken(block):
        raise ValueError("my own message")

    with pytest.raises(cs.InputError, match=r"the preprocess of Linear failed .*ValueError: my own message"):
        cs.record(cs.Network(nn.Linear(4, 2), preprocess=broken), vectors())


def test_one_module_under_two_names_is_recorded_under_both():
    net = nn.Sequential()
    shared = nn.Linear(4, 4)
    net.add_module("a", shared)
    net.add_module("b", shared)
    acts = cs.record(net, vectors(), "b")
    assert list(acts) == ["b#0", "b#1"]


def test_gradients_and_channels_last_do_not_matter(small):
    stimuli = images()
    plain = cs.record(small, stimuli, "conv")["conv"]
    small.to(memory_format=torch.channels_last)
    np.testing.assert_allclose(cs.record(small, stimuli, "conv")["conv"].values, plain.values, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_device_is_used_and_left(small):
    stimuli = images()
    plain = cs.record(small, stimuli, "conv")["conv"]
    on_gpu = cs.record(small, stimuli, "conv", device="cuda")["conv"]
    np.testing.assert_allclose(on_gpu.values, plain.values, atol=1e-3)
    assert {p.device.type for p in small.parameters()} == {"cpu"}


def test_a_terminal_gets_a_bar(small, capfd):
    cs.record(small, images(), "conv", progress=True)
    cs.record(small, images(), "conv", progress=False)
    assert capfd.readouterr().out == ""


class _TwoStates(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = torch.nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        out, (h, _) = self.rnn(x)
        return out[:, -1] + h[-1]


def test_labels_of_the_result_are_layers():
    net = cs.Network(_TwoStates(), name="two")
    shown = cs.stimuli(np.random.default_rng(0).normal(size=(5, 7, 3)).astype(np.float32), ids=list("abcde"))
    every = cs.record(net, shown, layers="rnn")
    label = list(every)[1]
    assert "[" in label
    one = cs.record(net, shown, layers=[label, "output"])
    assert sorted(one) == sorted([label, "output"])
    assert one[label].identical(every[label])
    assert list(cs.record(net, shown, layers=["rnn", label])) == list(every)
    with pytest.raises(cs.InputError, match=r"rnn gives \['rnn\[0\]'"):
        cs.record(net, shown, layers="rnn[7]")
