"""Labels of trials from files: lists, lines, arrays, columns of tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from consilience import InputError
from consilience.sources import read_array


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(6, 4)))
    (tmp_path / "ids.txt").write_text("a\nb\nc\na\nb\nc\n")
    np.save(tmp_path / "runs.npy", np.array([1, 1, 1, 2, 2, 2]))
    (tmp_path / "trials.csv").write_text(
        "onset,run,category\n" + "".join(f"{i},{i // 3 + 1},{'xy'[i % 2]}\n" for i in range(6))
    )
    (tmp_path / "lines.txt").write_text("1\n1\n1\n2\n2\n2\n")
    (tmp_path / "names.txt").write_text("01\n01\n01\n02\n02\n02\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("source", ["runs.npy", "trials.csv", "lines.txt", [1, 1, 1, 2, 2, 2]])
def test_one_label_from_any_place(folder, source):
    data = read_array("x.npy", ids="ids.txt", repeat="count", labels={"run": source})
    assert data["run"].dims == ("trial",)
    assert data["run"].values.tolist() == [1, 1, 1, 2, 2, 2]


def test_text_stays_text_and_007_is_a_name(folder):
    data = read_array(
        "x.npy", ids="ids.txt", repeat="count", labels={"category": "trials.csv", "run": "names.txt"}
    )
    assert data["category"].values.tolist() == ["x", "y"] * 3
    assert data["run"].values.tolist() == ["01"] * 3 + ["02"] * 3


def test_columns_of_the_table_of_responses_itself(folder):
    (folder / "table.csv").write_text("id,u0,run,u1\na,1,r1,2\nb,3,r1,4\nc,5,r2,6.5\n")
    data = read_array("table.csv", labels={"run": "table.csv"})
    assert data["unit"].values.tolist() == ["u0", "u1"]
    assert data["run"].values.tolist() == ["r1", "r1", "r2"]
    assert data.values.tolist() == [[1, 2], [3, 4], [5, 6.5]]


def test_labels_of_trials_that_were_left_out_go_too(folder):
    values = np.load("x.npy")
    values[1, 2] = np.nan
    np.save("x.npy", values)
    options = {"ids": "ids.txt", "repeat": "count", "labels": {"run": "runs.npy"}}
    with pytest.raises(InputError, match="1 value is NaN"):
        read_array("x.npy", **options)
    with pytest.warns(UserWarning, match="1 of 6 trials had NaN"):
        data = read_array("x.npy", missing="omit", **options)
    assert data["run"].values.tolist() == [1, 1, 2, 2, 2]
    masked = read_array("x.npy", missing="mask", **options)
    assert masked["valid"].values.tolist() == [True, False, True, True, True, True]


def test_stored_labels_of_trials_that_were_left_out_go_too(folder):
    import consilience as cs

    data = cs.responses(np.load("x.npy"), stimulus=list("abcdef"), session=[1, 1, 1, 2, 2, 2])
    data[2, 0] = np.nan
    data.to_dataset(name="responses").to_netcdf("x.nc", engine="h5netcdf")
    with pytest.warns(UserWarning, match="1 of 6 trials had NaN"):
        assert read_array("x.nc", missing="omit")["session"].values.tolist() == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            {"runs": "trials.csv"},
            "trials.csv has no column 'runs', which is the label wanted. Did you mean 'run'?",
        ),
        ({"run": "no.npy"}, "no.npy does not exist"),
        ({"run": [1, 2]}, "label 'run' must have one entry per trial (6) or per unit (4), got shape (2,)"),
        ({"run": "x.npy"}, "must be 1-D text or numbers to be the label 'run', got shape (6, 4)"),
        ({"stimulus": "runs.npy"}, "the label 'stimulus' has a meaning of its own"),
    ],
)
def test_refused_with_the_name(folder, labels, words):
    with pytest.raises(InputError) as caught:
        read_array("x.npy", ids="ids.txt", repeat="count", labels=labels)
    assert words in str(caught.value)


def test_rdm_data_have_no_labels_of_trials(folder):
    np.save("d.npy", 1 - np.eye(6))
    with pytest.raises(InputError, match="the label 'run' belongs to trials, and this is RDM data"):
        read_array("d.npy", ids=list("abcdef"), rdm="correlation", labels={"run": "runs.npy"})


def test_subject_and_session_of_rdm_data_are_labels(folder):
    np.save("d.npy", np.stack([1 - np.eye(6)] * 2))
    labels = {"subject": ["ann", "bob"], "session": [1, 2]}
    data = read_array("d.npy", ids=list("abcdef"), rdm="correlation", labels=labels)
    assert data["subject"].values.tolist() == ["ann", "bob"]
    assert data["session"].values.tolist() == ["1", "2"]
    with pytest.raises(InputError, match="subject is given twice"):
        read_array("d.npy", ids=list("abcdef"), rdm="correlation", labels=labels, subject=["ann", "bob"])


def test_times_in_a_file_tell_its_dims(folder):
    rng = np.random.default_rng(0)
    np.savez("s.npz", responses=rng.normal(size=(9, 2)), time=np.arange(9) / 10)
    assert read_array("s.npz").dims == ("time", "unit")
    np.savez("m.npz", responses=rng.normal(size=(6, 4, 2)), stimulus=list("abcdef"), time=np.arange(4) / 10)
    assert read_array("m.npz").dims == ("trial", "time", "unit")
    np.savez("t.npz", responses=rng.normal(size=(6, 2)), stimulus=list("abcdef"), time=np.arange(6) / 10)
    with pytest.raises(InputError, match="have no time"):
        read_array("t.npz")


def test_json_lists_keep_their_types(folder):
    (folder / "run.json").write_text(json.dumps(["1", "1", "1", "2", "2", "2"]))
    data = read_array("x.npy", ids="ids.txt", repeat="count", labels={"run": "run.json"})
    assert data["run"].values.tolist() == ["1"] * 3 + ["2"] * 3
