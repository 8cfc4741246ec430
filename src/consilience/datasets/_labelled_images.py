"""Grey pictures with one label each, as stimuli: what `fashion_mnist` and `mnist` share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from consilience._stimuli import stimuli

__all__ = ["labelled_images"]


def labelled_images(
    images: np.ndarray, number: np.ndarray, split: np.ndarray, *, classes: tuple[str, ...], name: str
) -> tuple[xr.DataArray, pd.DataFrame]:
    """(n, y, x) uint8 pictures with the class number and split of each, as stimuli and a table of labels.

    Ids are the split and the running number in it (``train_00001``); coordinates are ``label`` (name of the class),
    ``number`` (of the class, from 0) and ``split``. The order is that of the files.
    """
    ids = np.empty(len(images), dtype=f"U{max(map(len, np.unique(split))) + 6}")
    for part in np.unique(split):
        rows = np.flatnonzero(split == part)
        ids[rows] = [f"{part}_{i:05d}" for i in range(1, len(rows) + 1)]
    labels = {"label": np.array(classes)[number], "number": number.astype(np.int64), "split": split}
    made = stimuli(images, ids=ids).assign_coords(
        {key: ("stimulus", values) for key, values in labels.items()}
    )
    made.attrs["name"] = name
    return made, pd.DataFrame(labels, index=pd.Index(ids, name="stimulus"))
