"""HDF5 files of rsatoolbox: written in its layout with h5py, and by itself where it is installed."""

import h5py
import numpy as np
import pytest

import consilience as cs
from consilience.sources import read_array, read_rsatoolbox

IDS = ["face", "house", "cat", "shoe"]
RDMS = np.abs(np.random.default_rng(0).normal(size=(3, 6)))


def rdm_file(path, *, measure="crossnobis", patterns=None, rdm=None):
    with h5py.File(path, "w") as file:
        file.attrs["rsatoolbox_version"] = "0.3.2"
        file["dissimilarities"] = RDMS
        file.create_group("descriptors").attrs["experiment"] = "one"
        if measure is None:
            file["dissimilarity_measure"] = h5py.Empty("f")
        else:
            file.attrs["dissimilarity_measure"] = measure
        rows = {"index": np.arange(4), "conds": np.array(IDS, "S"), "size": np.arange(4.0)}
        for group, entries in (
            ("pattern_descriptors", rows if patterns is None else patterns),
            (
                "rdm_descriptors",
                {"index": np.arange(3), "subject": np.array(["a", "b", "c"], "S")} if rdm is None else rdm,
            ),
        ):
            made = file.create_group(group)
            for key, value in entries.items():
                made[key] = value
    return path


def data_file(path, values, obs, channel=None, time=None):
    with h5py.File(path, "w") as file:
        file.attrs["rsatoolbox_version"] = "0.3.2"
        file.attrs["type"] = "Dataset" if time is None else "TemporalDataset"
        file["measurements"] = values
        for group, entries in (
            ("obs_descriptors", obs),
            ("channel_descriptors", channel or {}),
            ("time_descriptors", time or {}),
        ):
            made = file.create_group(group)
            for key, value in entries.items():
                made[key] = value
    return path


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("read", [read_rsatoolbox, read_array])
def test_rdms(tmp_path, read):
    data = read(rdm_file(tmp_path / "rdms.h5"))
    assert data.dims == ("rdm", "stimulus", "stimulus_")
    assert data["stimulus"].values.tolist() == IDS
    assert data["subject"].values.tolist() == ["a", "b", "c"]
    assert data.attrs["distance"] == "crossnobis"
    rows, columns = np.triu_indices(4, 1)
    np.testing.assert_array_equal(data.values[:, rows, columns], RDMS)
    if read is read_rsatoolbox:
        assert data["size"].dims == ("stimulus",)
    model = cs.rdm_data(RDMS[:1], stimulus=IDS, distance="correlation", system="model")
    assert cs.compare(model, data, measure="rsa", n_boot=0, n_perm=0).data["n_subjects"] == 3


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("squared euclidean", "euclidean"),
        ("poisson_cv", "poisson_crossvalidated"),
        ("own", "unknown"),
        (None, "unknown"),
    ],
)
def test_their_measures_get_our_names(tmp_path, theirs, ours):
    assert read_rsatoolbox(rdm_file(tmp_path / "rdms.h5", measure=theirs)).attrs["distance"] == ours


def test_data_sets(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 3))
    obs = {"stim": np.array(["b", "a", "b", "a", "b", "c"], "S"), "run": np.array([0, 0, 1, 1, 2, 2])}
    path = data_file(
        tmp_path / "data.h5", values, obs, {"voxel": np.array([7, 8, 9]), "x": np.array([0.5, 1.5, 2.5])}
    )
    data = read_rsatoolbox(path, kind="bold", system="V1")
    assert data["stimulus"].values.tolist() == list("bababc")
    assert data["repeat"].values.tolist() == [0, 0, 1, 1, 2, 0]
    assert data["run"].values.tolist() == [0, 0, 1, 1, 2, 2]
    assert data["unit"].values.tolist() == [7, 8, 9]
    assert data["x"].values.tolist() == [0.5, 1.5, 2.5]
    np.testing.assert_array_equal(data.values, values)
    np.testing.assert_array_equal(read_array(path).values, values)


def test_data_over_time(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 3, 5))  # observation, channel, time
    path = data_file(
        tmp_path / "data.h5", values, {"stim": np.arange(4)}, time={"time": np.linspace(0, 0.4, 5)}
    )
    data = read_rsatoolbox(path)
    assert data.dims == ("trial", "time", "unit")
    np.testing.assert_array_equal(data.values, np.swapaxes(values, 1, 2))
    np.testing.assert_allclose(data["time"].values, [0, 0.1, 0.2, 0.3, 0.4])


def test_which_descriptor_holds_the_ids(tmp_path):
    both = {"animal": np.array(IDS, "S"), "code": np.arange(4)}
    path = rdm_file(tmp_path / "rdms.h5", patterns=both)
    with pytest.raises(
        cs.InputError, match=r"2 descriptors that could hold stimulus ids .*read_rsatoolbox"
    ) as found:
        read_rsatoolbox(path)
    assert found.value.code == "which-member"
    assert read_rsatoolbox(path, stimulus="animal")["stimulus"].values.tolist() == IDS
    with pytest.raises(cs.InputError, match=r"no descriptor 'animals'.*Did you mean 'animal'"):
        read_rsatoolbox(path, stimulus="animals")
    only = rdm_file(tmp_path / "plain.h5", patterns={"index": np.arange(4)})
    assert read_rsatoolbox(only)["stimulus"].values.tolist() == [0, 1, 2, 3]


def test_refused(tmp_path):
    pickled = tmp_path / "rdms.pkl"
    pickled.write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(cs.InputError, match="Pickles are never loaded"):
        read_rsatoolbox(pickled)
    whole = rdm_file(tmp_path / "rdms.h5").read_bytes()
    for share in (0.3, 0.6, 0.95):
        cut = tmp_path / "cut.h5"
        cut.write_bytes(whole[: int(share * len(whole))])
        for read in (read_rsatoolbox, read_array):
            with pytest.raises(cs.InputError, match=r"cut\.h5 is damaged or incomplete"):
                read(cut)
    linked = rdm_file(tmp_path / "linked.h5")
    with h5py.File(linked, "a") as file:
        del file["dissimilarities"]
        file["dissimilarities"] = h5py.ExternalLink("rdms.h5", "/dissimilarities")
    with pytest.raises(cs.InputError, match="links to another file") as found:
        read_rsatoolbox(linked)
    assert found.value.code == "external-link"
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["something"] = np.arange(3)
    with pytest.raises(cs.InputError, match="is no HDF5 file of rsatoolbox"):
        read_rsatoolbox(other)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_what_rsatoolbox_itself_writes(tmp_path):
    data, rdm = pytest.importorskip("rsatoolbox.data"), pytest.importorskip("rsatoolbox.rdm")
    rng = np.random.default_rng(0)
    stimulus, fold = np.tile(np.arange(4), 3), np.repeat(np.arange(3), 4)
    names = [IDS[s] for s in stimulus]
    made = data.Dataset(
        rng.normal(size=(12, 5)),
        obs_descriptors={"conds": names, "run": fold.tolist()},
        channel_descriptors={"channel": [f"c{i}" for i in range(5)]},
    )
    made.save(str(tmp_path / "data.h5"))
    again = read_rsatoolbox(tmp_path / "data.h5")
    np.testing.assert_array_equal(again.values, made.measurements)
    assert again["stimulus"].values.tolist() == names
    theirs = rdm.calc_rdm(made, "crossnobis", "conds", cv_descriptor="run")
    theirs.save(str(tmp_path / "rdms.hdf5"))
    read = read_rsatoolbox(tmp_path / "rdms.hdf5")
    ours = cs.rdms(again, folds="run", noise=None, n_splits=0)
    assert read.attrs["distance"] == "crossnobis"
    same = ours.rdms[0].sel(stimulus=read["stimulus"].values, stimulus_=read["stimulus"].values)
    np.testing.assert_allclose(same.values, read.values[0], atol=1e-12)
