"""char_lstm: its arithmetic against Keras' equations written out in NumPy, windows, and what its weights tell."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")

from consilience.networks._char_lstm import (  # noqa: E402
    CharacterLSTM,
    CharacterPreprocess,
    _read,
    state_of_keras,
)

TOKENS, EMBEDDING, UNITS = 7, 3, 4
VOCABULARY = {"a": 1, "b": 2, "c": 3, " ": 4, "<s>": 6}


def keras_weights(rng, biases):
    wide = EMBEDDING + 2 * UNITS
    weights = {
        "embedding/embeddings": rng.normal(size=(TOKENS, EMBEDDING)),
        "attention/attention_W": rng.normal(size=(wide, 1)),
        "output/kernel": rng.normal(size=(wide, TOKENS)),
        "output/bias": rng.normal(size=TOKENS),
    }
    for name, into in (("rnn_1", EMBEDDING), ("rnn_2", UNITS)):
        weights[f"{name}/kernel"] = rng.normal(size=(into, 4 * UNITS))
        weights[f"{name}/recurrent_kernel"] = rng.normal(size=(UNITS, 4 * UNITS))
        weights[f"{name}/bias"] = rng.normal(size=biases * 4 * UNITS)
    return {key: values.astype(np.float32) for key, values in weights.items()}


def keras_forward(weights, ids):
    """The equations of Keras: LSTM with gates i, f, c, o and recurrent activation sigmoid, attention, dense."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def lstm(x, name):
        h = c = np.zeros((len(x), UNITS))
        steps = []
        for t in range(x.shape[1]):
            z = x[:, t] @ weights[f"{name}/kernel"] + h @ weights[f"{name}/recurrent_kernel"]
            i, f, g, o = np.split(z + weights[f"{name}/bias"], 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            steps.append(h)
        return np.stack(steps, axis=1)

    embedded = weights["embedding/embeddings"][ids]
    first = lstm(embedded, "rnn_1")
    all_three = np.concatenate([embedded, first, lstm(first, "rnn_2")], axis=2)
    attention = np.exp((all_three @ weights["attention/attention_W"])[..., 0])
    attention /= attention.sum(axis=1, keepdims=True)
    mean = (all_three * attention[..., None]).sum(axis=1)
    return mean @ weights["output/kernel"] + weights["output/bias"]


def as_cudnn(weights):
    """Keras' arrays of its LSTM as those of its CuDNNLSTM: the other way, gate by gate, written with loops."""
    made = dict(weights)
    for name in ("rnn_1", "rnn_2"):
        kernel = np.empty_like(weights[f"{name}/kernel"])
        into = kernel.shape[0]
        for gate in range(4):
            plain = weights[f"{name}/kernel"][:, gate * UNITS : (gate + 1) * UNITS]
            column_by_column = [plain[i, j] for j in range(UNITS) for i in range(into)]
            kernel[:, gate * UNITS : (gate + 1) * UNITS] = np.reshape(column_by_column, (into, UNITS))
        made[f"{name}/kernel"] = kernel
        made[f"{name}/recurrent_kernel"] = np.hstack(
            [gate.T for gate in np.split(weights[f"{name}/recurrent_kernel"], 4, axis=1)]
        )
        bias = weights[f"{name}/bias"]
        made[f"{name}/bias"] = np.concatenate([0.25 * bias, 0.75 * bias])
    return made


def network(state):
    module = CharacterLSTM(TOKENS, EMBEDDING, UNITS)
    module.load_state_dict(state, strict=True)
    return cs.Network(module.eval(), preprocess=CharacterPreprocess(VOCABULARY, length=6), name="small")


@pytest.mark.parametrize("cudnn", [False, True])
def test_arithmetic_is_that_of_keras(cudnn):
    rng = np.random.default_rng(0)
    weights = keras_weights(rng, biases=1)
    ids = rng.integers(0, TOKENS, size=(5, 6))
    net = network(state_of_keras(as_cudnn(weights) if cudnn else weights, cudnn=cudnn))
    with torch.no_grad():
        logits = net.module(torch.from_numpy(ids)).numpy()
    np.testing.assert_allclose(logits, keras_forward(weights, ids), rtol=1e-4, atol=1e-5)


def test_the_layout_matters():
    rng = np.random.default_rng(0)
    weights = keras_weights(rng, biases=1)
    ids = torch.from_numpy(rng.integers(0, TOKENS, size=(5, 6)))
    right = network(state_of_keras(weights, cudnn=False)).module(ids)
    wrong = network(
        state_of_keras(
            {**as_cudnn(weights), **{f"rnn_{i}/bias": weights[f"rnn_{i}/bias"] for i in (1, 2)}}, cudnn=False
        )
    ).module(ids)
    assert (right - wrong).abs().max() > 0.1


def test_weights_in_a_file(tmp_path):
    import h5py

    weights = keras_weights(np.random.default_rng(1), biases=2)
    with h5py.File(tmp_path / "weights.hdf5", "w") as file:
        for key, values in weights.items():
            layer, array = key.split("/")
            file[f"{layer}/{layer}/{array}:0"] = values
        file.create_group("rnn_concat")
    read = _read(tmp_path / "weights.hdf5")
    assert read.keys() == weights.keys()
    for key, values in weights.items():
        np.testing.assert_array_equal(read[key], values)


def test_texts_are_padded_on_the_left():
    ids = CharacterPreprocess(VOCABULARY, length=6)(["", "ab", "abcab", "abcabc", "cabcabc", "aXb"])
    assert ids.tolist() == [
        [0, 0, 0, 0, 0, 6],  # a text of fewer characters is read from its start
        [0, 0, 0, 6, 1, 2],
        [6, 1, 2, 3, 1, 2],
        [1, 2, 3, 1, 2, 3],
        [1, 2, 3, 1, 2, 3],  # only the last are read
        [0, 0, 6, 1, 0, 2],  # an unknown character
    ]


@pytest.mark.parametrize("given", ["ab", [1, 2], np.zeros((2, 3))])
def test_what_is_no_text(given):
    with pytest.raises(cs.InputError, match="preprocess: texts are needed"):
        CharacterPreprocess(VOCABULARY)(given)


def test_layers_are_recorded():
    net = network(state_of_keras(keras_weights(np.random.default_rng(2), biases=1), cudnn=False))
    texts = cs.stimuli(["a", "ab", "cab a"], ids=["x", "y", "z"])
    acts = cs.record(net, texts, layers=["embedding", "rnn_1", "attention", "output"])
    acts = {name: part for name, part in acts.items() if not name.startswith("rnn_1[1]")}  # the last states
    assert [part.sizes["unit"] for part in acts.values()] == [
        6 * EMBEDDING,
        6 * UNITS,
        EMBEDDING + 2 * UNITS,
        TOKENS,
    ]
    assert net.layer_names == ["embedding", "rnn_1", "rnn_2", "attention", "output"]


def test_controls_and_fingerprint():
    net = network(state_of_keras(keras_weights(np.random.default_rng(2), biases=1), cudnn=False))
    assert net.untrained(seed=0).fingerprint == net.untrained(seed=0).fingerprint != net.fingerprint
    assert net.fingerprint is not None


def test_windows():
    net = network(state_of_keras(keras_weights(np.random.default_rng(2), biases=1), cudnn=False))
    windows = cs.networks.text_windows(net, {"first": "abcXabc", "second": ""})
    assert windows.values.tolist() == ["", "a", "ab", "abcX", "abcXa", "abcXab", "bcXabc", ""]
    assert windows["next"].values.tolist() == ["a", "b", "c", "a", "b", "c", "<s>", "<s>"]
    assert windows["target"].values.tolist() == [1, 2, 3, 1, 2, 3, 6, 6]
    assert windows["position"].values.tolist() == [0, 1, 2, 4, 5, 6, 7, 0]  # X is not in the vocabulary
    assert windows["text"].values.tolist() == ["first"] * 7 + ["second"]
    assert (
        cs.networks.text_windows(net, ["a", "b"])["text"].values.tolist() == ["text000"] * 2 + ["text001"] * 2
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [([], "texts must be a str"), ([1], "texts must be a str"), ({"a": 1}, "texts must be a str")],
)
def test_windows_of_no_texts(texts, message):
    net = network(state_of_keras(keras_weights(np.random.default_rng(2), biases=1), cudnn=False))
    with pytest.raises(cs.InputError, match=message):
        cs.networks.text_windows(net, texts)


def test_windows_need_a_vocabulary():
    with pytest.raises(cs.InputError, match=r"must have \.vocabulary and \.length") as caught:
        cs.networks.text_windows(cs.Network(lambda block: block, name="plain"), "ab")
    assert caught.value.code == "bad-network"


@pytest.fixture(scope="module")
def trained():
    try:
        return cs.networks.load("char_lstm")
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise


@pytest.mark.data
def test_the_trained_network_tells_english(trained):
    text = "What is the most embarrassing thing that has ever happened to you?"
    windows = cs.networks.text_windows(trained, text)
    logits = cs.record(trained, windows, layers=["output"])["output"].values
    top = logits.max(axis=1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
    bits = -log_p[np.arange(len(windows)), windows["target"].values].mean() / np.log(2)
    assert bits < 1.5  # guessing among 465 characters is 8.9
    assert (
        sum(parameter.numel() for parameter in trained.module.parameters())
        == 46_500 + 117_760 + 132_096 + 356 + 166_005
    )
