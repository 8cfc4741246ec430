"""Stimuli of a language model, searched as embeddings."""

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")
nn = torch.nn


class Reads(nn.Module):
    """Answers to one token at the second place, from embeddings (n, tokens, features)."""

    def __init__(self, table, token):
        super().__init__()
        self.register_buffer("wanted", torch.tensor(table[token], dtype=torch.float32))

    def forward(self, embedded):
        return torch.tanh(embedded[:, 1] @ self.wanted / 20)[:, None]


def test_the_token_a_unit_answers_to_is_found():
    table = np.random.default_rng(0).normal(size=(200, 16))
    net = cs.Network(Reads(table, 42), name="reads")
    made = cs.synthesize(
        net.unit("output", 0), shape=(4, 16), channel_axis=None, norm=4.0, n_null=19, transforms=None, rng=0
    )
    found = cs.networks.nearest_tokens(made.best, torch.tensor(table))
    assert found["token"].values[0, 1] == 42
    assert found["cosine"].values[0, 1] > 0.99
    assert made.data["p"].values[0] == 0.05


def test_refusals():
    table = np.ones((5, 3))
    with pytest.raises(cs.InputError, match=r"got shapes \(2, 4, 2\) and \(5, 3\)"):
        cs.networks.nearest_tokens(cs.stimuli(np.zeros((2, 4, 2)), ids=["a", "b"]), table)
