"""fashion_mnist: 70,000 grey pictures of clothes, from the Debian package of the data."""

from __future__ import annotations

import numpy as np

from consilience._core._catalogue import Entry
from consilience._core._errors import InputError
from consilience._core._installed import InstalledFiles
from consilience.datasets._dataset import Dataset
from consilience.datasets._labelled_images import labelled_images

__all__ = ["load"]

_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_CITATION = """\
Xiao H, Rasul K, Vollgraf R (2017) Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms. arXiv:1708.07747"""
_NOTES = (
    "uint8, 0 = background, 255 = brightest. Coordinates on stimulus: label (name of the class), number (of the class, "
    "from 0, as in the files) and split (train 60,000, test 10,000; each class equally often in both)."
)


def load(entry: Entry) -> Dataset:
    """The data set from the four IDX files of the package."""
    assert isinstance(entry.source, InstalledFiles)
    files = entry.source.read()
    parts = {"train": "train", "test": "t10k"}
    images = np.concatenate([idx_array(files[f"{name}-images-idx3-ubyte"]) for name in parts.values()])
    labels = [idx_array(files[f"{name}-labels-idx1-ubyte"]) for name in parts.values()]
    split = np.repeat(list(parts), [len(part) for part in labels])
    made, table = labelled_images(
        images, np.concatenate(labels), split, classes=_CLASSES, name="fashion_mnist"
    )
    return Dataset(
        name="fashion_mnist",
        stimuli=made,
        categories=table,
        citation=_CITATION,
        licence=entry.licence,
        source=str(entry.source),
        notes=_NOTES,
    )


def idx_array(content: bytes) -> np.ndarray:
    """The array in an IDX file of unsigned bytes: two zero bytes, the type (8), the number of dims, then each dim as a
    big-endian whole number of 4 bytes, then the values in C order.
    """
    n_dims = content[3] if len(content) >= 4 and content[:3] == b"\0\0\x08" else 0
    shape = tuple(np.frombuffer(content, ">u4", n_dims, 4).tolist()) if len(content) >= 4 + 4 * n_dims else ()
    start = 4 + 4 * n_dims
    if not shape or len(content) != start + int(np.prod(shape)):
        raise InputError(
            "cs.datasets.load: not an IDX file of unsigned bytes (its first bytes or its length say otherwise); "
            "install the package again.",
            code="bad-archive",
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
