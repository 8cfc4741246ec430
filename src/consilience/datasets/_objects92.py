"""objects92: 92 photographs of objects, with RDMs of monkey IT, human IT and human similarity judgements."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from consilience._core._catalogue import Entry, package_file
from consilience._core._fetch import fetch
from consilience._responses import rdm_data
from consilience._stimuli import stimuli
from consilience.datasets._dataset import Dataset

__all__ = ["load"]

_CITATION = """\
Kriegeskorte N, Mur M, Ruff DA, Kiani R, et al. (2008) Neuron 60:1126-1141, doi:10.1016/j.neuron.2008.10.043
(stimuli, IT RDMs) Kiani R, Esteky H, Mirpour K, Tanaka K (2007) J Neurophysiol 97:4296-4309,
doi:10.1152/jn.00024.2007 (monkey recordings) Mur M, Meys M, Bodurka J, Goebel R, et al. (2013) Front Psychol
4:128, doi:10.3389/fpsyg.2013.00128 (similarity judgements)"""

_NOTES = (
    "monkey_IT: one RDM, 674 neurons of two monkeys pooled. human_IT: fMRI, 4 subjects x 2 sessions; the "
    "published group RDM is the "
    "mean of these eight. Both are correlation distance (1 - Pearson r). behaviour: multi-arrangement "
    "similarity judgements of 16 "
    "subjects, in arbitrary units. Stimulus ids are category and running number (from 01); 'number' is the "
    "original index, from 0."
)

# what to cite with results from each system: keys of references.bib
_REFERENCES = {
    "monkey_IT": ["kriegeskorte2008matching", "kiani2007object"],
    "human_IT": ["kriegeskorte2008matching"],
    "behaviour": ["mur2013human"],
}


def _mat(path: Path, variable: str) -> np.ndarray:
    from scipy.io import (
        loadmat,
    )  # reads MATLAB 5 files; its object arrays are cells and structs, nothing is unpickled

    return loadmat(str(path), variable_names=[variable])[variable]


def _text(cell: np.ndarray) -> str:
    return str(cell.ravel()[0])


def _ids(categories: list[str]) -> np.ndarray:
    seen: Counter[str] = Counter()
    ids = []
    for category in categories:
        seen[category] += 1
        ids.append(f"{category.replace(' ', '_')}_{seen[category]:02d}")
    return np.array(ids)


def load(entry: Entry) -> Dataset:
    """The data set from the four MATLAB files of the package."""
    paths = {path.name: path for path in fetch(package_file(entry)).values()}
    objects = _mat(paths["Kriegeskorte_Neuron2008_supplementalData.mat"], "stimuli_92objs").ravel()
    category = [_text(row["category"]) for row in objects]
    labels: dict[str, Any] = {"category": np.array(category)}
    for flag in ("human", "face", "animal", "natural"):
        labels[flag] = np.array([bool(row[flag].ravel()[0]) for row in objects])
    labels["number"] = np.arange(len(objects))
    ids = _ids(category)
    images = stimuli(np.stack([row["image"] for row in objects]), ids=ids)
    images = images.assign_coords({name: ("stimulus", values) for name, values in labels.items()})
    images.attrs["name"] = "objects92"
    return Dataset(
        name="objects92",
        stimuli=images,
        systems=_systems(paths, ids),
        models=_models(paths["92_modelRDMs.mat"], ids),
        categories=pd.DataFrame(labels, index=pd.Index(ids, name="stimulus")),
        citation=_CITATION,
        licence=entry.licence,
        source=str(entry.source),
        notes=_NOTES,
    )


def _systems(paths: dict[str, Path], ids: np.ndarray) -> dict[str, xr.DataArray]:
    figure = _mat(paths["Kriegeskorte_Neuron2008_supplementalData.mat"], "RDMs_mIT_hIT_fig1").ravel()
    monkey = next(row for row in figure if _text(row["name"]).startswith("mIT"))
    human = _mat(paths["92_brainRDMs.mat"], "RDMs").ravel()  # names such as "hIT | BE | Session: 1"
    who = [re.fullmatch(r"hIT \| (\w+) \| Session: (\d+)", _text(row["name"])) for row in human]
    judged = _mat(paths["92_behavRDMs.mat"], "rdms_behav_92").ravel()  # names such as "simJudge | subject1"
    systems = {
        "monkey_IT": rdm_data(
            monkey["RDM"],
            stimulus=ids,
            distance="correlation",
            subject=["monkeys_pooled"],
            system="monkey_IT",
        ),
        "human_IT": rdm_data(
            np.stack([row["RDM"] for row in human]),
            stimulus=ids,
            distance="correlation",
            subject=[match[1] for match in who if match],
            session=[int(match[2]) for match in who if match],
            system="human_IT",
        ),
        "behaviour": rdm_data(
            np.stack([row["RDM"] for row in judged]),
            stimulus=ids,
            subject=[_text(row["name"]).split("|")[1].strip() for row in judged],
            system="behaviour",
        ),
    }
    for name, references in _REFERENCES.items():
        systems[name].attrs["references"] = json.dumps(references)
    return systems


def _models(path: Path, ids: np.ndarray) -> dict[str, xr.DataArray]:
    models = {_text(row["name"]): row["RDM"] for row in _mat(path, "Models").ravel()}
    models.pop("monkeyIT", None)  # the same matrix as systems["monkey_IT"]
    return {name: rdm_data(rdm, stimulus=ids, subject=["model"], system=name) for name, rdm in models.items()}
