"""Lesions inside recurrent layers and attention, against recurrences and projections written by hand."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn

from consilience.networks._lesion import Lesions, make_parts  # noqa: E402

WHO = "test"
T, B = 6, 11


def sequences(width=5):
    values = np.random.default_rng(0).normal(size=(B, T, width)).astype(np.float32)
    return cs.stimuli(values, ids=range(B))


class Recurrent(nn.Module):
    def __init__(self, kind, first, layers=1):
        super().__init__()
        self.inner = nn.Linear(5, 4)
        self.rnn = kind(4, 7, layers, batch_first=first)
        self.fc = nn.Linear(7, 3)

    def forward(self, x):
        x = self.inner(x)
        if self.rnn.batch_first:
            return self.fc(self.rnn(x)[0][:, -1])
        return self.fc(self.rnn(x.transpose(0, 1))[0][-1])


def network(made, seed=0):
    torch.manual_seed(seed)
    return cs.Network(made(), name="net")


def outputs(net, data, parts, masks, **kwargs):
    with Lesions(net, data, parts, who=WHO, **kwargs) as run:
        return np.stack(list(run.outputs(masks))), run


def masks_of(p, m=8):
    masks = np.random.default_rng(1).random((m, p)) < 0.4
    masks[0], masks[1] = False, True
    return masks


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrence(net, data, mask, times, how, means=None):
    """The published equations of the (one-layer) network, in NumPy, with h lesioned at ``times``."""
    w = {name: value.detach().double().numpy() for name, value in net.module.state_dict().items()}
    x = data.values.astype(float) @ w["inner.weight"].T + w["inner.bias"]
    h = c = np.zeros((B, 7))
    seen = []
    for t in range(T):
        a = x[:, t] @ w["rnn.weight_ih_l0"].T + w["rnn.bias_ih_l0"]
        b = h @ w["rnn.weight_hh_l0"].T + w["rnn.bias_hh_l0"]
        if isinstance(net.module.rnn, nn.LSTM):
            i, f, g, o = np.split(a + b, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif isinstance(net.module.rnn, nn.GRU):
            (ar, az, an), (br, bz, bn) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            z = sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + sigmoid(ar + br) * bn) + z * h
        else:
            h = np.tanh(a + b)
        seen.append(h)
        if t in times:
            h = np.where(mask, 0.0 if how == "zero" else means[t], h)
    return h @ w["fc.weight"].T + w["fc.bias"], np.array([s.mean(axis=0) for s in seen])


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("times", [None, [2], [-1, 0]])
def test_the_state_feeds_back(kind, first, times):
    net, data = network(lambda: Recurrent(kind, first)), sequences()
    parts = make_parts(net, "rnn", data, times=times, who=WHO)
    masks = masks_of(7)
    at = range(T) if times is None else [t % T for t in times]
    _, means = recurrence(net, data, np.zeros(7, bool), [], "zero")
    for how in ("zero", "mean"):
        found, run = outputs(net, data, parts, masks, how=how, batch_size=6)
        expected = np.stack([recurrence(net, data, mask, at, how, means)[0] for mask in masks])
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert min(run._sizes.values()) > 1
    assert "forward" not in net.module.rnn.__dict__


def test_changing_what_the_layer_returned_would_not_feed_back():
    """The lesion differs from one of the recorded output at the same step, which later steps never see."""
    net, data = network(lambda: Recurrent(nn.LSTM, first=True)), sequences()
    parts = make_parts(net, "rnn", data, times=[1], who=WHO)
    found, run = outputs(net, data, parts, np.ones((1, 7), bool), how="zero")

    def only_returned(_module, _args, out):
        h = out[0].clone()
        h[:, 1] = 0
        return h, out[1]

    handle = net.module.rnn.register_forward_hook(only_returned)
    with torch.no_grad():
        returned = net.module(torch.from_numpy(data.values)).numpy()
    handle.remove()
    np.testing.assert_allclose(returned, run.intact, atol=1e-6)
    assert np.abs(found[0] - run.intact).max() > 1e-3


def test_lower_layers_and_both_labels():
    net, data = network(lambda: Recurrent(nn.GRU, first=True, layers=2)), sequences()
    masks = masks_of(7)
    top = [
        outputs(net, data, make_parts(net, x, data, who=WHO), masks, how="zero")[0]
        for x in ("rnn", "rnn[0]", "rnn.1")
    ]
    assert np.array_equal(top[0], top[1])
    assert np.array_equal(top[0], top[2])
    low, _ = outputs(net, data, make_parts(net, "rnn.0", data, who=WHO), masks, how="zero")
    rnn = net.module.rnn
    lower, upper = nn.GRU(4, 7, batch_first=True), nn.GRU(7, 7, batch_first=True)
    for name, value in rnn.named_parameters():
        target = lower if name.endswith("l0") else upper
        getattr(target, name[:-1] + "0").data.copy_(value.data)
    with torch.no_grad():  # all of the lower layer removed: the upper one gets zeros
        h = upper(torch.zeros(B, T, 7))[0]
        expected = net.module.fc(h[:, -1]).numpy()
    np.testing.assert_allclose(low[1], expected, atol=1e-6)
    both = make_parts(net, ["rnn.0", "rnn.1"], data, who=WHO)
    found, _ = outputs(net, data, both, np.concatenate([masks, np.zeros_like(masks)], axis=1), how="zero")
    np.testing.assert_allclose(found, low, atol=1e-6)


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(5, 7)
        self.fc = nn.Linear(7, 3)

    def forward(self, x):
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        return self.fc(state[0])


def test_cells_in_a_loop():
    net, data = network(Cells), sequences()
    masks = masks_of(7)
    for times in (None, [1, 3]):
        parts = make_parts(net, "cell[0]", data, times=times, who=WHO)
        found, _ = outputs(net, data, parts, masks, how="zero")
        cell = net.module.cell
        for mask, got in zip(masks, found):
            with torch.no_grad():
                h = c = torch.zeros(B, 7)
                for t in range(T):
                    h, c = cell(torch.from_numpy(data.values[:, t]), (h, c))
                    if times is None or t in times:
                        h = h * torch.from_numpy(~mask)
                expected = net.module.fc(h).numpy()
            np.testing.assert_allclose(got, expected, atol=1e-6)
    with pytest.raises(cs.InputError, match=r"'cell\[0\]', 'cell\[1\]'"):
        make_parts(net, "cell", data, who=WHO)
    with pytest.raises(cs.InputError, match=r"has 6 \(0 to 5\)") as error:
        make_parts(net, "cell[0]", data, times=[6], who=WHO)
    assert error.value.code == "bad-times"


def test_layers_that_cannot_feed_back_are_refused():
    class Both(Recurrent):
        def __init__(self):
            super().__init__(nn.GRU, first=True)
            self.rnn = nn.GRU(4, 7, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(14, 3)

    with pytest.raises(cs.InputError, match="both directions"):
        make_parts(network(Both), "rnn", sequences(), who=WHO)
    with pytest.raises(cs.InputError, match=r"rnn\.0 to rnn\.0"):
        make_parts(network(lambda: Recurrent(nn.GRU, first=True)), "rnn.1", sequences(), who=WHO)


# Attention


class Encoder(nn.Module):
    def __init__(self, first=True):
        super().__init__()
        self.first = first
        self.inner = nn.Linear(5, 12)
        layer = nn.TransformerEncoderLayer(12, 4, 20, batch_first=first)
        self.layers = nn.ModuleList([layer, nn.TransformerEncoderLayer(12, 4, 20, batch_first=first)])
        self.fc = nn.Linear(12, 3)

    def forward(self, x):
        x = self.inner(x)
        x = x if self.first else x.transpose(0, 1)
        for layer in self.layers:
            x = layer(x)
        return self.fc(x.mean(1 if self.first else 0))


@pytest.mark.parametrize("first", [True, False])
def test_heads_are_columns_of_the_projection(first):
    net, data = network(lambda: Encoder(first)), sequences()
    label = "layers.0.self_attn"
    parts = make_parts(net, label, data, parts="heads", who=WHO)
    assert parts.names == [f"{label}[head {i}]" for i in range(4)]
    assert parts.kind == "heads"
    masks = np.concatenate([masks_of(4), np.eye(4, dtype=bool)])
    found, _ = outputs(net, data, parts, masks, how="zero")
    attention = net.module.layers[0].self_attn
    weight = attention.out_proj.weight.detach().clone()
    for mask, got in zip(masks, found):
        with torch.no_grad():
            attention.out_proj.weight.copy_(weight * torch.from_numpy(~np.repeat(mask, 3)))
            expected = net.module.eval()(torch.from_numpy(data.values)).numpy()
            attention.out_proj.weight.copy_(weight)
        np.testing.assert_allclose(got, expected, atol=2e-6)
    assert torch.backends.mha.get_fastpath_enabled()
    assert "forward" not in attention.__dict__


class OwnAttention(nn.Module):
    """Attention written out, with a projection that is called as a module."""

    def __init__(self):
        super().__init__()
        self.qkv, self.proj, self.fc = nn.Linear(5, 36), nn.Linear(12, 12), nn.Linear(12, 3)

    def forward(self, x):
        b, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, 4, 3).permute(2, 0, 3, 1, 4)
        y = torch.softmax(q @ k.transpose(-1, -2), dim=-1) @ v
        return self.fc(self.proj(y.transpose(1, 2).reshape(b, t, 12)).mean(1))


def test_heads_of_any_projection():
    net, data = network(OwnAttention), sequences()
    parts = make_parts(net, "proj", data, parts="heads", n_heads=4, who=WHO)
    masks = masks_of(4)
    found, _ = outputs(net, data, parts, masks, how="zero")
    weight = net.module.proj.weight.detach().clone()
    for mask, got in zip(masks, found):
        with torch.no_grad():
            net.module.proj.weight.copy_(weight * torch.from_numpy(~np.repeat(mask, 3)))
            expected = net.module(torch.from_numpy(data.values)).numpy()
            net.module.proj.weight.copy_(weight)
        np.testing.assert_allclose(got, expected, atol=2e-6)
    with pytest.raises(cs.InputError, match="n_heads must divide the 12 features"):
        make_parts(net, "proj", data, parts="heads", n_heads=5, who=WHO)


def test_one_attention_has_its_heads_under_every_name():
    net, data = network(lambda: Encoder(first=True)), sequences()
    label, masks = "layers.0.self_attn", masks_of(4)
    expected, _ = outputs(net, data, make_parts(net, label, data, parts="heads", who=WHO), masks, how="zero")
    for name in (f"{label}[0]", f"{label}.out_proj"):
        parts = make_parts(net, name, data, parts="heads", n_heads=4, who=WHO)
        assert parts.layers == [label] * 4
        np.testing.assert_array_equal(outputs(net, data, parts, masks, how="zero")[0], expected)
        with pytest.raises(cs.InputError, match="has 4 heads, not 2"):
            make_parts(net, name, data, parts="heads", n_heads=2, who=WHO)
    for name in (f"{label}[1]", f"{label}#0", "layers.0", "output"):
        with pytest.raises(cs.InputError, match=f"parts of layer {label!r}"):
            make_parts(net, name, data, parts="heads", n_heads=4, who=WHO)


def test_queries_keys_and_values_at_once_have_no_heads():
    net, data = (
        network(lambda: nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 18), nn.Linear(18, 3))),
        sequences(),
    )
    for name in ("1", "1.input"):
        with pytest.raises(cs.InputError, match=r"gives 3 times the 6 features.* projection after the heads"):
            make_parts(net, name, data, parts="heads", n_heads=2, who=WHO)


@pytest.mark.parametrize(
    ("layer", "kwargs"),
    [
        ("layers.0.self_attn", {"parts": "heads", "times": [1]}),
        ("layers.0", {}),
        (["layers.0", "layers.1"], {"parts": "layer"}),
        ("layers.1.linear1", {}),
        ("layers.0.norm2.input", {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["mean", "resample"])
def test_resumed_passes_of_an_encoder(layer, kwargs, how):
    net, data = network(Encoder), sequences()
    parts = make_parts(net, layer, data, who=WHO, **kwargs)
    masks = masks_of(len(parts))
    new, _ = outputs(net, data, parts, masks, how=how)
    old, _ = outputs(net, data, parts, masks, how=how, resume=False, batch_size=4)
    np.testing.assert_allclose(new, old, rtol=0, atol=2e-6 * np.abs(old).max())


def test_a_residual_block_that_is_skipped():
    net, data = network(Encoder), sequences()
    parts = make_parts(net, ["layers.0", "layers.1"], data, parts="layer", who=WHO)
    found, _ = outputs(net, data, parts, np.eye(2, dtype=bool), how="skip")
    for removed, got in enumerate(found):
        with torch.no_grad():
            x = net.module.eval().layers[1 - removed](net.module.inner(torch.from_numpy(data.values)))
            expected = net.module.fc(x.mean(1)).numpy()
        np.testing.assert_allclose(got, expected, atol=2e-6)


def test_directions_at_some_tokens():
    net, data = network(Encoder), sequences()
    row = np.random.default_rng(0).normal(size=12)
    parts = make_parts(net, "inner", data, parts=row, times=[0, 2], who=WHO)
    found, _ = outputs(net, data, parts, np.ones((1, 1), bool), how="zero")
    q = torch.from_numpy(row / np.linalg.norm(row)).float()
    with torch.no_grad():
        x = net.module.eval().inner(torch.from_numpy(data.values))
        x[:, [0, 2]] -= (x[:, [0, 2]] @ q)[..., None] * q
        for layer in net.module.layers:
            x = layer(x)
        expected = net.module.fc(x.mean(1)).numpy()
    np.testing.assert_allclose(found[0], expected, atol=2e-6)
