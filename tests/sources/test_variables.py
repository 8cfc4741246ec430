"""Variables of .mat (5 and 7.3), .npz, HDF5, .csv and zarr, and recordings made of those that are named."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import io, sparse

import consilience as cs
from consilience.sources import variables

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TRAINS = [np.array([0.1, 0.5, 0.9]), np.array([]), np.array([0.2, 0.3])]


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def cell(entries):
    out = np.empty((1, len(entries)), dtype=object)
    for i, entry in enumerate(entries):
        out[0, i] = entry
    return out


def write_mat5(path):
    io.savemat(
        path,
        {
            "times": cell([t[:, None] for t in TRAINS]),
            "units": cell([{"ts": t, "name": f"u{i}"} for i, t in enumerate(TRAINS)]),
            "session": {
                "trials": {"start": [0.0, 0.5], "stop": [0.4, 0.8], "side": ["left ", "right"]},
                "fs": 10.0,
            },
            "lfp": np.arange(40.0).reshape(4, 10),
            "t": np.arange(10) / 10,
            "sparse": sparse.csc_matrix([[0.0, 2.0], [3.0, 0.0]]),
            "flag": np.array([True, False]),
            "word": "hello",
        },
    )
    return path


def write_mat73(path):
    """As MATLAB writes it: a user block with its text, cells as references, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:

        def put(where, name, value, kind):
            made = where.create_dataset(name, data=value)
            made.attrs["MATLAB_class"] = np.bytes_(kind)
            return made

        refs = file.create_group("#refs#")

        def cells(name, entries):
            held = [put(refs, f"{name}{i}", entry, "double").ref for i, entry in enumerate(entries)]
            made = file.create_dataset(
                name, data=np.array(held, dtype=h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype
            )
            made.attrs["MATLAB_class"] = np.bytes_("cell")

        cells("times", [t[None] for t in TRAINS])
        empty = refs["times1"]
        empty.attrs["MATLAB_empty"] = 1
        session = file.create_group("session")
        session.attrs["MATLAB_class"] = np.bytes_("struct")
        trials = session.create_group("trials")
        trials.attrs["MATLAB_class"] = np.bytes_("struct")
        put(trials, "start", np.array([[0.0, 0.5]]).T, "double")
        put(trials, "stop", np.array([[0.4, 0.8]]).T, "double")
        put(session, "fs", np.array([[10.0]]), "double")
        put(file, "lfp", np.arange(40.0).reshape(4, 10).T, "double")
        put(file, "t", np.arange(10)[:, None] / 10, "double")
        put(file, "word", np.array([[ord(c)] for c in "hello"], dtype=np.uint16), "char")
        structs = file.create_group("units")  # a struct array: one reference per element and field
        structs.attrs["MATLAB_class"] = np.bytes_("struct")
        held = [put(refs, f"ts{i}", t[None], "double").ref for i, t in enumerate(TRAINS)]
        structs.create_dataset("ts", data=np.array(held, dtype=h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)
        thin = file.create_group("sparse")
        thin.attrs["MATLAB_class"] = np.bytes_("double")
        thin.attrs["MATLAB_sparse"] = np.uint64(2)
        thin["data"], thin["ir"], thin["jc"] = [3.0, 2.0], [1, 0], [0, 1, 2]
        odd = file.create_dataset("table", data=np.zeros((1, 6), dtype=np.uint32))
        odd.attrs["MATLAB_class"] = np.bytes_("table")
        odd.attrs["MATLAB_object_decode"] = 3
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as stream:
        stream.write(text.ljust(512, b"\0"))
    return path


WRITERS = {"5": write_mat5, "7.3": write_mat73}


@pytest.fixture(params=list(WRITERS))
def mat(request, tmp_path):
    return WRITERS[request.param](tmp_path / "session.mat")


def test_both_matlab_formats_hand_over_the_same(mat):
    found = variables(mat)
    for i, train in enumerate(TRAINS):
        np.testing.assert_array_equal(np.ravel(found["times"][i]), train)
        np.testing.assert_array_equal(np.ravel(found["units.ts"][i]), train)
    np.testing.assert_array_equal(found["lfp"], np.arange(40.0).reshape(4, 10))
    np.testing.assert_array_equal(found["session.trials.start"], [0.0, 0.5])
    np.testing.assert_array_equal(found["session/trials/stop"], [0.4, 0.8])
    np.testing.assert_array_equal(found["session"]["trials"]["stop"], [0.4, 0.8])
    assert float(found["session.fs"]) == 10.0
    assert found["word"] == "hello"
    np.testing.assert_array_equal(found["sparse"], [[0, 2], [3, 0]])
    assert "lfp: (4, 10) float64" in repr(found)
    assert "session.trials" in found
    assert "session.trial" not in found


def test_spikes_from_cells_and_structs(mat):
    for name in ("times", "units"):
        rec = cs.read(mat, spikes=name)
        assert rec.unit_names.tolist() == [1, 2, 3] if name == "units" else len(rec.spikes) == 3
        for i, train in enumerate(TRAINS):
            np.testing.assert_array_equal(rec.spikes.of(i), train)


def test_trials_signals_and_clock(mat):
    rec = cs.read(
        mat,
        spikes="times",
        trials="session.trials",
        signals={"LFP": "lfp"},
        time="t",
        kind="voltage",
        clock=1000,
    )
    np.testing.assert_allclose(rec.intervals["trials"].start, [0.0, 0.0005])
    np.testing.assert_allclose(rec.spikes.of(0), TRAINS[0] / 1000)
    lfp = rec.signals["LFP"]  # (4, 10) against 10 times: turned
    assert lfp.shape == (10, 4)
    np.testing.assert_array_equal(lfp.values, np.arange(40.0).reshape(4, 10).T)
    assert lfp.kind == "voltage"
    np.testing.assert_allclose(lfp.time, np.arange(10) / 10000)


def test_a_rate_may_be_a_variable(mat):
    rec = cs.read(mat, signals="lfp", rate="session.fs", transpose=True)
    np.testing.assert_allclose(rec.signals["lfp"].time, np.arange(10) / 10)
    with pytest.warns(cs.ConsilienceWarning, match="4 samples of 10 channels") as seen:
        cs.read(mat, signals="lfp", rate=10)
    assert seen[0].message.code == "few-samples"


@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_files_read_as_scipy_reads_them(tmp_path, compressed):
    """SciPy's reader as the oracle, on numbers of every type, text, cells, structs and sparse matrices."""
    rng = np.random.default_rng(1)
    wanted = {
        f"a{d}": (100 * rng.random((3, 4))).astype(d)
        for d in ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
    }
    wanted |= {
        "cube": rng.random((2, 3, 4)),
        "rows": np.array(["one  ", "three"]),
        "none": np.zeros((0, 3)),
        "b": wanted["au1"] > 50,
    }
    nested = {"c": cell([wanted["af8"], "text", cell([np.arange(3.0)])]), "s": {"x": {"y": 2.0}, "z": "ok"}}
    io.savemat(tmp_path / "x.mat", wanted | nested, do_compression=compressed)
    found, theirs = variables(tmp_path / "x.mat"), io.loadmat(tmp_path / "x.mat", chars_as_strings=True)
    for name in wanted:
        got = found[name]
        np.testing.assert_array_equal(np.squeeze(got), np.squeeze(theirs[name]))
        assert name == "rows" or got.dtype == wanted[name].dtype
    np.testing.assert_array_equal(found["c"][0], wanted["af8"])
    assert found["c"][1] == "text"
    np.testing.assert_array_equal(found["c"][2][0], np.arange(3.0))
    assert float(found["s.x.y"]) == 2.0
    assert found["s"]["z"] == "ok"


def test_numbers_keep_the_type_that_they_have_in_matlab(tmp_path):
    """MATLAB stores doubles that are small whole numbers in a byte each; they must not wrap below 0."""
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    body = (
        struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, 1, 3) + struct.pack("<HH4s", 1, 1, b"x")
    )
    body += struct.pack("<HH4s", 2, 3, bytes([1, 2, 3]))
    (tmp_path / "x.mat").write_bytes(header + struct.pack("<II", 14, len(body)) + body)
    found = variables(tmp_path / "x.mat")["x"]
    assert found.dtype == np.float64
    assert (found - 2).tolist() == [-1, 0, 1]


def test_missing_names_list_what_there_is(mat):
    with pytest.raises(
        cs.InputError, match=r"say which variables are meant.*lfp: \(4, 10\) float64"
    ) as caught:
        cs.read(mat)
    assert caught.value.code == "which-member"
    with pytest.raises(
        cs.InputError, match=r"no variable 'time'.*Did you mean 'times'.*It holds: .*session: fields"
    ):
        cs.read(mat, spikes="time")
    with pytest.raises(cs.InputError, match="needs time= "):
        cs.read(mat, signals="lfp")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spikes": "lfp"}, "Counts in bins are a signal"),
        ({"spikes": "word"}, "holds str"),
        ({"spikes": "times", "clusters": "t"}, "1-D times|needs a cluster"),
        ({"spikes": "t", "clusters": "lfp"}, "10 times and 40 clusters"),
        ({"spikes": "times", "trials": "lfp"}, "trials|1-D times"),
        ({"trials": "session"}, "no column of times"),
        ({"signals": "word", "rate": 1}, "must be numbers"),
        ({"signals": "lfp", "rate": -1}, "rate of lfp must be a number"),
        ({"signals": "lfp", "time": "times"}, "1-D times|inhomogeneous|shape"),
        ({"signals": "lfp", "rate": 1, "transpose": "x"}, "which is no signal here"),
        ({"clusters": "t", "signals": "lfp", "rate": 1}, "belong to spikes="),
        ({"spikes": "times", "clock": 0}, "clock must be a number"),
        ({"spikes": "times", "unit_table": {"a": "t"}}, "one number or text for each unit"),
        ({"signals": "lfp", "rate": 1, "kind": "volts", "transpose": True}, "kind of lfp must be one of"),
    ],
)
def test_variables_that_do_not_fit(mat, options, words):
    with pytest.raises(cs.InputError, match=words) as caught:
        cs.read(mat, **options)
    assert "\n" not in str(caught.value)


def test_objects_of_matlab_are_named_and_not_read(tmp_path):
    found = variables(write_mat73(tmp_path / "x.mat"))
    assert "table: not read" in repr(found)
    with pytest.raises(cs.InputError, match="a table of MATLAB") as caught:
        found["table"]
    assert caught.value.code == "not-read"


def test_nested_cells_where_an_empty_cell_is_no_unit(tmp_path):
    """Tetrodes of units; where units are structs, an empty cell stands for none, and a struct without spikes for a
    silent one."""
    unit = [{"time": np.array([1.0, 2.0])}, {"time": np.array([])}, np.array([])]
    io.savemat(tmp_path / "x.mat", {"spikes": cell([cell([unit[0], unit[2]]), cell([unit[1], unit[0]])])})
    rec = cs.read(tmp_path / "x.mat", spikes="spikes")
    assert rec.unit_names.tolist() == ["1.1", "2.1", "2.2"]
    assert rec.spikes.counts.tolist() == [2, 0, 2]


@pytest.mark.parametrize("writer", list(WRITERS))
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.98])
def test_truncated_matlab_files(tmp_path, writer, share):
    path = WRITERS[writer](tmp_path / "x.mat")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    start = time.perf_counter()
    with pytest.raises(cs.InputError, match=r"x\.mat") as caught:
        cs.read(path, spikes="times")
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("writer", list(WRITERS))
def test_flipped_bytes_of_matlab_files(tmp_path, writer):
    """An error in one sentence, or a recording; never anything else."""
    path = WRITERS[writer](tmp_path / "x.mat")
    content, rng, said = bytearray(path.read_bytes()), np.random.default_rng(0), []
    for _ in range(100):
        copy = bytearray(content)
        copy[int(rng.integers(len(copy)))] ^= int(rng.integers(1, 256))
        path.write_bytes(copy)
        try:
            with np.errstate(all="ignore"):
                cs.read(path, spikes="times", signals="lfp", time="t")
        except (cs.InputError, cs.ConsilienceWarning) as error:
            said.append(str(error))
    assert not any("\n" in text for text in said)


def test_a_matlab_file_that_links_elsewhere_is_refused(tmp_path):
    path = write_mat73(tmp_path / "x.mat")
    with h5py.File(path, "r+") as file:
        file["away"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(cs.InputError, match="links to another file") as caught:
        cs.read(path, spikes="times")
    assert caught.value.code == "external-link"


# -- npz, HDF5, CSV, zarr


def test_npz_of_times_and_clusters(tmp_path):
    rng = np.random.default_rng(0)
    times, clusters = np.sort(rng.uniform(0, 10, 200)), rng.integers(3, 6, 200)
    np.savez(tmp_path / "s.npz", t=times * 1000, c=clusters, both=np.stack([times * 1000, clusters], axis=1))
    one = cs.read(tmp_path / "s.npz", spikes="t", clusters="c", clock=1000)
    two = cs.read(tmp_path / "s.npz", spikes="both", clock=1000)
    assert one == two
    assert one.unit_names.tolist() == [3, 4, 5]
    for i, cluster in enumerate((3, 4, 5)):
        np.testing.assert_allclose(one.spikes.of(i), times[clusters == cluster])
    with pytest.raises(cs.InputError, match=r"fractions|exchanged"):
        cs.read(tmp_path / "s.npz", spikes="c", clusters="t")


def test_npz_with_a_pickled_member(tmp_path):
    ran = tmp_path / "ran"
    np.savez(tmp_path / "s.npz", t=np.arange(3.0), bad=np.array([Payload(ran)], dtype=object))
    found = variables(tmp_path / "s.npz")
    assert "bad: not read" in repr(found)
    with pytest.raises(cs.InputError, match="never loaded"):
        found["bad"]
    with pytest.raises(cs.InputError, match="never loaded"):
        cs.read(tmp_path / "s.npz", spikes="bad")
    assert not ran.exists()
    assert len(cs.read(tmp_path / "s.npz", spikes="t").spikes) == 1


def test_hdf5_groups(tmp_path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        for i, train in enumerate(TRAINS):
            file[f"sorted/u{i}"] = train
        file["depth"] = [1.0, 2.0, 3.0]
        file["trials/start_time"] = [0.0, 0.5]
        file["trials/duration"] = [0.2, 0.3]
        file["trials/image"] = ["cat", "dog"]
        file["lick"] = [0.1, 0.7]
        file["speed"] = np.arange(5, dtype=">i2")
    rec = cs.read(
        tmp_path / "s.h5",
        spikes="sorted",
        unit_table={"depth": "depth"},
        trials="trials",
        events={"licks": {"time": "lick"}},
        signals="speed",
        rate=5,
    )
    assert rec.unit_names.tolist() == ["u0", "u1", "u2"]
    assert rec.units["depth"].tolist() == [1, 2, 3]
    np.testing.assert_allclose(rec.intervals["trials"].stop, [0.2, 0.8])
    assert rec.intervals["trials"].columns["image"].tolist() == ["cat", "dog"]
    assert rec.events["licks"].time.tolist() == [0.1, 0.7]
    np.testing.assert_array_equal(rec.signals["speed"].values[:, 0], np.arange(5))
    assert variables(tmp_path / "s.h5")["trials/image"].tolist() == ["cat", "dog"]


def test_ragged_arrays_of_hdf5(tmp_path):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        ragged = file.create_dataset("spikes", (3,), dtype=h5py.vlen_dtype(np.float64))
        for i, train in enumerate(TRAINS):
            ragged[i] = train
    rec = cs.read(tmp_path / "s.h5", spikes="spikes")
    assert rec.spikes.counts.tolist() == [3, 0, 2]


def test_csv_of_spikes_and_a_csv_of_trials(tmp_path):
    (tmp_path / "spikes.csv").write_text("t_ms,cell\n100,a\n200,b\n150,a\n")
    (tmp_path / "trials.tsv").write_text("onset\tduration\ttrial_type\n0.0\t0.1\tface\n0.1\tn/a\thouse\n")
    with pytest.warns(cs.ConsilienceWarning, match="1 of 2 rows of 'trials' have no start or stop") as seen:
        rec = cs.read(
            tmp_path / "spikes.csv",
            spikes="t_ms",
            clusters="cell",
            clock=1000,
            trials=str(tmp_path / "trials.tsv"),
        )
    assert {w.message.code for w in seen} == {"rows-left-out"}
    assert rec.unit_names.tolist() == ["a", "b"]
    np.testing.assert_allclose(rec.spikes.of(0), [0.1, 0.15])
    assert rec.intervals["trials"].stop.tolist() == [0.1]  # a text table is in seconds
    assert rec.intervals["trials"].columns["trial_type"].tolist() == ["face"]


def test_zarr_groups(tmp_path):
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(str(tmp_path / "s.zarr"), mode="w")
    root["t"], root["c"] = np.array([0.1, 0.2, 0.3]), np.array([1, 2, 1])
    root.create_group("deep")["x"] = np.arange(6.0).reshape(3, 2)
    rec = cs.read(tmp_path / "s.zarr", spikes="t", clusters="c", signals={"x": "deep.x"}, rate=10)
    assert rec.spikes.counts.tolist() == [2, 1]
    np.testing.assert_array_equal(rec.signals["x"].values, np.arange(6.0).reshape(3, 2))


def test_arrays_without_named_variables_are_still_responses(tmp_path):
    np.savez(tmp_path / "r.npz", responses=np.eye(3), stimulus=["a", "b", "c"])
    assert cs.read(tmp_path / "r.npz").dims == ("trial", "unit")


# -- data of others


@pytest.mark.skipif(not (SHARED / "hippocampus").is_dir(), reason="no shared data here")
def test_real_matlab_files_in_three_lines():
    rec = cs.read(SHARED / "hippocampus/linear-track_spikes.mat", spikes="spikes")
    assert len(rec.spikes) == 37
    assert int((rec.spikes.counts > 0).sum()) == 31
    assert rec.spikes.times.size == 28829
    motor = cs.read(
        SHARED / "motor/m1_stevenson_2011.mat",
        signals={"counts": "spikes", "velocity": "handVel"},
        time="time",
        kind={"counts": "count"},
    )
    assert motor.signals["counts"].shape == (15536, 171)
    assert motor.signals["velocity"].shape == (15536, 3)
    calcium = cs.read(
        SHARED / "calcium/hvc_mackevicius.mat",
        signals=["NEURAL", "SONG"],
        rate={"NEURAL": "VIDEOfs", "SONG": "SONGfs"},
        kind={"NEURAL": "dff"},
        transpose=True,
    )
    assert calcium.signals["NEURAL"].shape == (666, 75)
    learning = variables(SHARED / "motor/bci_golub2018.mat")["beforeLearning.clouds"]
    assert [patterns.shape for patterns in learning["spikes"]] == [(86, 69)] * 8
