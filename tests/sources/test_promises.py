"""The suite of every source, run on a right file or folder of each format that is not NWB."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import consilience as cs

from .test_nifti import SHAPE, write
from .test_phy import PARAMS
from .test_suite2p import write as write_plane
from .test_variables import write_mat5, write_mat73


def phy(folder):
    place = folder / "sorted"
    place.mkdir()
    rng = np.random.default_rng(0)
    np.save(place / "spike_times.npy", np.sort(rng.choice(200_000, 300, replace=False)))
    np.save(place / "spike_clusters.npy", rng.integers(0, 4, 300))
    np.save(place / "amplitudes.npy", rng.gamma(10, 1, 300))
    (place / "params.py").write_text(PARAMS)
    (place / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n1\tmua\n")
    return place, {}


def suite2p(folder):
    write_plane(folder / "suite2p" / "plane0")
    return folder / "suite2p", {"rate": 10.0}


def matlab(folder):
    return write_mat5(folder / "x.mat"), {"spikes": "times", "signals": "lfp", "time": "t"}


def matlab73(folder):
    return write_mat73(folder / "x.mat"), {"spikes": "times", "signals": "lfp", "time": "t"}


def npz(folder):
    rng = np.random.default_rng(0)
    np.savez(folder / "x.npz", t=np.sort(rng.uniform(0, 60, 200)), c=rng.integers(0, 3, 200))
    return folder / "x.npz", {"spikes": "t", "clusters": "c"}


def hdf5(folder):
    rng = np.random.default_rng(0)
    with h5py.File(folder / "x.h5", "w") as file:
        file["t"], file["c"] = np.sort(rng.uniform(0, 60, 200)), rng.integers(0, 3, 200)
        file["trials/start"], file["trials/stop"] = [1.0, 20.0], [5.0, 25.0]
    return folder / "x.h5", {"spikes": "t", "clusters": "c", "trials": "trials"}


def nifti(folder):
    values = np.random.default_rng(0).normal(size=(*SHAPE, 12)).astype("f4")
    return write(folder / "x.nii.gz", values, packed=True), {}


def nifti_plain(folder):
    values = np.random.default_rng(0).normal(size=(*SHAPE, 12)).astype("f4")
    return write(folder / "x.nii", values), {}


def bids(folder):
    func = folder / "study" / "sub-01" / "func"
    func.mkdir(parents=True)
    for run in (1, 2):
        values = np.random.default_rng(run).normal(size=(*SHAPE, 12)).astype("f4")
        write(func / f"sub-01_task-x_run-{run}_bold.nii.gz", values)
        (func / f"sub-01_task-x_run-{run}_events.tsv").write_text(
            "onset\tduration\ttrial_type\n2\t1\ta\n8\t1\tb\n"
        )
    (folder / "study" / "dataset_description.json").write_text("{}")
    return folder / "study", {}


@pytest.mark.parametrize("make", [phy, suite2p, matlab, matlab73, npz, hdf5, nifti, nifti_plain, bids])
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_every_promise(make, tmp_path):
    path, options = make(tmp_path)
    rows = cs.testing.check_source(path, **options)
    assert len(rows) > 8
