"""Windows of texts, with the character that follows each: what a network of characters is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience._stimuli import stimuli
from consilience.networks._network import Network

__all__ = ["text_windows"]

_WHO = "cs.networks.text_windows"
_END = "<s>"  # the token after the last character


def text_windows(net: Network, texts: str | Sequence[str] | Mapping[str, str], /) -> xr.DataArray:
    """Cuts texts into the windows that a network of characters reads, each with the character that comes next.

    One window for every character of a text (what stands before it, at most ``length`` characters), and one for its
    end. Windows whose next character is not in the vocabulary are left out, as in the training of `char_lstm`. With
    ``target="target"`` the loss that verbs report is the cross-entropy -ln p(next | window) in nats; divided by ln 2 it
    is in bits per character.

    Parameters
    ----------
    net : a network whose preprocessing has ``vocabulary`` ({character: number of the output}) and ``length``, as
        ``cs.networks.load("char_lstm")``.
    texts : a text, several, or {name: text}.

    Returns
    -------
    Stimuli of kind "text", ids ``<name>_<position>``, with coordinates ``text`` (name), ``position`` (of the next
    character in its text, from 0), ``next`` (that character, ``<s>`` at the end) and ``target`` (its number).

    Raises
    ------
    InputError : a network without vocabulary (``bad-network``), no text, or one in which no character is known.

    Examples
    --------
    >>> import consilience as cs
    >>> net = cs.Network(len, name="toy", preprocess=lambda texts: texts)
    >>> net.preprocess.vocabulary, net.preprocess.length = {"a": 1, "b": 2, "<s>": 3}, 40
    >>> windows = cs.networks.text_windows(net, "aba")
    >>> windows.values.tolist(), windows["target"].values.tolist()
    (['', 'a', 'ab', 'aba'], [1, 2, 1, 3])
    """
    preprocess = getattr(net, "preprocess", None)
    vocabulary, length = getattr(preprocess, "vocabulary", None), getattr(preprocess, "length", None)
    if not isinstance(vocabulary, Mapping) or not isinstance(length, int):
        raise InputError(
            f"{_WHO}: the network's preprocess must have .vocabulary and .length, as that of "
            "cs.networks.load('char_lstm').",
            code="bad-network",
        )
    named = {"text": texts} if isinstance(texts, str) else texts
    named = named if isinstance(named, Mapping) else {f"text{i:03d}": text for i, text in enumerate(named)}
    if not named or not all(isinstance(text, str) for text in named.values()):
        raise InputError(
            f"{_WHO}: texts must be a str, a list of str or {{name: str}}, got {shorten(texts)}.",
            code="bad-stimuli",
        )
    rows = [
        (f"{name}_{i:05d}", text[max(0, i - length) : i], str(name), i, token, vocabulary[token])
        for name, text in named.items()
        for i, token in enumerate([*text, _END])
        if token in vocabulary
    ]
    if not rows:
        raise InputError(f"{_WHO}: no character of these texts is in the vocabulary.", code="bad-stimuli")
    ids, windows, source, position, following, target = zip(*rows)
    return stimuli(list(windows), ids=list(ids)).assign_coords(
        text=("stimulus", np.array(source)),
        position=("stimulus", np.array(position)),
        next=("stimulus", np.array(following)),
        target=("stimulus", np.array(target)),
    )
