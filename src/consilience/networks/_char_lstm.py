"""char_lstm: the recurrent network of textgenrnn (Woolf 2018), which tells the next character of a text.

Embedding, two LSTM layers, and an average over time of all three, weighted by attention; the output is linear, so its
values are logits. The published weights are those of Keras' CuDNNLSTM, whose matrices are laid out otherwise than those
of Keras' LSTM and torch's (`state_of_keras`). Padding is a token of its own (0) and is not masked: so the network was
trained. This module imports torch; it is imported on first use only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from consilience._core._catalogue import Entry, package_file
from consilience._core._errors import InputError
from consilience._core._fetch import fetch
from consilience._core._params import shorten
from consilience.networks._network import Network
from consilience.networks._random import GLOBAL_GENERATOR

__all__ = ["START", "CharacterLSTM", "CharacterPreprocess", "load", "state_of_keras"]

START = "<s>"  # the token before the first and after the last character of a text
_EPSILON = 1e-7  # Keras' floatx epsilon, in the attention weights
_GATES = 4  # input, forget, cell, output: the same order in Keras and torch


class AttentionAverage(nn.Module):
    """Mean over time weighted by attention: a_t = exp(w . x_t) / sum_s exp(w . x_s); (n, time, k) -> (n, k)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.weight, -0.05, 0.05)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = x @ self.weight
        weights = torch.exp(score - score.amax(dim=1, keepdim=True))
        weights = weights / (weights.sum(dim=1, keepdim=True) + _EPSILON)
        return (x * weights.unsqueeze(-1)).sum(dim=1)


class CharacterLSTM(nn.Module):
    """Token ids (stimulus, time) -> logits of the next token (stimulus, tokens)."""

    def __init__(self, tokens: int = 465, embedding: int = 100, units: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        self.rnn_1 = nn.LSTM(embedding, units, batch_first=True)
        self.rnn_2 = nn.LSTM(units, units, batch_first=True)
        self.attention = AttentionAverage(embedding + 2 * units)
        self.output = nn.Linear(embedding + 2 * units, tokens)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        embedded = self.embedding(ids)
        first, _ = self.rnn_1(embedded)
        second, _ = self.rnn_2(first)
        return self.output(self.attention(torch.cat([embedded, first, second], dim=-1)))


class CharacterPreprocess:
    """Texts -> token ids (stimulus, length), padded on the left with 0.

    The last ``length`` characters of a text are read. A text of fewer characters is taken to be read from its start:
    the start token stands before it. A character that is not in the vocabulary becomes 0.
    """

    def __init__(self, vocabulary: Mapping[str, int], length: int = 40) -> None:
        self.vocabulary, self.length = dict(vocabulary), length

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputError(
                f"preprocess: texts are needed, as a list of str or cs.stimuli([...]); got {shorten(texts)}.",
                code="bad-stimuli",
            )
        ids = np.zeros((len(texts), self.length), np.int64)
        for row, text in zip(ids, texts):
            read = [START, *text] if len(text) < self.length else list(text[-self.length :])
            row[self.length - len(read) :] = [self.vocabulary.get(token, 0) for token in read]
        return torch.from_numpy(ids)


def state_of_keras(weights: Mapping[str, np.ndarray], *, cudnn: bool) -> dict[str, torch.Tensor]:
    """The state dict of `CharacterLSTM` from Keras' arrays, named ``layer/array`` (``rnn_1/kernel``).

    Keras keeps (in, 4 units), torch (4 units, in). With ``cudnn`` each gate's input matrix (in, units) was written row
    by row and is to be read column by column, and its recurrent matrix is transposed; there are two biases.
    """
    state = {
        "embedding.weight": weights["embedding/embeddings"],
        "attention.weight": weights["attention/attention_W"][:, 0],
        "output.weight": weights["output/kernel"].T,
        "output.bias": weights["output/bias"],
    }
    for name in ("rnn_1", "rnn_2"):
        kernel, recurrent = (
            np.split(weights[f"{name}/{key}"], _GATES, axis=1) for key in ("kernel", "recurrent_kernel")
        )
        bias = weights[f"{name}/bias"]
        if cudnn:
            kernel = [gate.ravel().reshape(gate.shape, order="F") for gate in kernel]
            recurrent = [gate.T for gate in recurrent]
            into, back = np.split(bias, 2)
        else:
            into, back = bias, np.zeros_like(bias)
        state[f"{name}.weight_ih_l0"] = np.hstack(kernel).T
        state[f"{name}.weight_hh_l0"] = np.hstack(recurrent).T
        state[f"{name}.bias_ih_l0"], state[f"{name}.bias_hh_l0"] = into, back
    return {
        key: torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for key, values in state.items()
    }


def _read(path: Path) -> dict[str, np.ndarray]:
    """Keras' arrays in an HDF5 file, ``layer/layer/array:0`` there, ``layer/array`` here."""
    import h5py

    found: dict[str, np.ndarray] = {}

    def keep(name: str, thing: Any) -> None:
        if isinstance(thing, h5py.Dataset):
            parts = name.split("/")
            found[f"{parts[0]}/{parts[-1].removesuffix(':0')}"] = thing[()]

    with h5py.File(path, "r") as file:
        file.visititems(keep)
    return found


def load(entry: Entry) -> Network:
    """The network with its published weights."""
    paths = {path.suffix: path for path in fetch(package_file(entry)).values()}
    vocabulary = json.loads(paths[".json"].read_text(encoding="utf-8"))
    state = state_of_keras(_read(paths[".hdf5"]), cudnn=True)
    # constructing draws initial weights that are overwritten: the user's random state must not notice
    with GLOBAL_GENERATOR, torch.random.fork_rng(devices=[]):
        module = CharacterLSTM(tokens=len(vocabulary) + 1)
    module.load_state_dict(state, strict=True)
    module.eval()
    net = Network(module, preprocess=CharacterPreprocess(vocabulary), name="char_lstm")
    net.references = ("woolf2018textgenrnn", "hochreiter1997long")
    return net
