"""Embeddings that were searched, as the tokens they are nearest to."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import InputError
from consilience._stimuli import check_stimuli

__all__ = ["nearest_tokens"]

_BLOCK = 1 << 24  # cosines at a time


def nearest_tokens(stimuli: xr.DataArray | Any, embedding: Any, /) -> xr.Dataset:
    """The token whose embedding has the highest cosine with each place of stimuli made in embedding space.

    Stimuli for a language model are searched as embeddings (n, tokens, features), by a module that takes these (with
    ``inputs_embeds``, say) and `cs.synthesize` with shape=(tokens, features), channel_axis=None. No text has exactly
    these embeddings: what the nearest tokens evoke must be measured with the tokens themselves.

    Parameters
    ----------
    stimuli : (n, tokens, features).   embedding : (vocabulary, features), the weight of the embedding layer.

    Returns
    -------
    Dataset (stimulus, place) with token (row of ``embedding``) and cosine, in [-1, 1]: near 1 a token, near 0 nothing
    like one.

    Raises
    ------
    InputError : other shapes, numbers of features that differ.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> table = np.random.default_rng(0).normal(size=(50, 8))
    >>> made = cs.stimuli(table[[[3, 7], [41, 0]]] + 0.1, ids=["a", "b"])
    >>> cs.networks.nearest_tokens(made, table)["token"].values.tolist()
    [[3, 7], [41, 0]]
    """
    who = "cs.networks.nearest_tokens"
    data = check_stimuli(stimuli, who=who)
    detached = embedding.detach() if hasattr(embedding, "detach") else embedding
    table = np.asarray(to_numpy(detached), dtype=np.float64)
    if data.ndim != 3 or table.ndim != 2 or data.shape[2] != table.shape[1] or not table.size:
        raise InputError(
            f"{who}: stimuli (n, tokens, features) and an embedding (vocabulary, features) are needed, got shapes "
            f"{data.shape} and {table.shape}.",
            code="bad-shape",
        )
    table = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-300)
    rows = data.values.reshape(-1, table.shape[1]).astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)
    token, cosine = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    step = max(1, _BLOCK // len(table))
    for start in range(0, len(rows), step):
        alike = rows[start : start + step] @ table.T
        best = alike.argmax(axis=1)
        token[start : start + step] = best
        cosine[start : start + step] = alike[np.arange(len(best)), best]
    dims = ("stimulus", "place")
    return xr.Dataset(
        {"token": (dims, token.reshape(data.shape[:2])), "cosine": (dims, cosine.reshape(data.shape[:2]))},
        coords={"stimulus": data["stimulus"].values, "place": np.arange(data.shape[1])},
    )
