"""Files in: every format read, every kind of bad file refused in one sentence that names it."""

from __future__ import annotations

import json
import os
import pickle
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience import InputError
from consilience._responses import recorded_cautions
from consilience.sources import read_array, read_ids, read_raw

IDS = [f"s{i}" for i in range(6)]


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(6, 3))


def check_refused(path, words, **options):
    with pytest.raises(InputError, match=words) as caught:
        read_array(path, **options)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    return caught.value


def test_npy(tmp_path, values):
    np.save(tmp_path / "x.npy", values)
    data = read_array(tmp_path / "x.npy", ids=IDS, kind="rate", subject="m1")
    np.testing.assert_array_equal(data.values, values)
    assert data["stimulus"].values.tolist() == IDS
    assert data.attrs["kind"] == "rate"
    assert data.attrs["system"] == "x.npy"
    assert set(data["subject"].values.tolist()) == {"m1"}


def test_npy_without_ids_says_so(tmp_path, values):
    np.save(tmp_path / "x.npy", values)
    with pytest.warns(cs.ConsilienceWarning, match="No stimulus ids"):
        read_array(tmp_path / "x.npy")


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "?", "f2", "f4", ">f8", ">i4"])
def test_number_types(tmp_path, values, dtype):
    typed = (np.abs(values) * 10).astype(dtype)
    np.save(tmp_path / "x.npy", typed)
    np.testing.assert_array_equal(read_array(tmp_path / "x.npy", ids=IDS).values, typed.astype(float))


@pytest.mark.parametrize("name", ["responses", "data", "anything"])
def test_npz(tmp_path, values, name):
    np.savez(tmp_path / "x.npz", stimulus=IDS, unit=["a", "b", "c"], **{name: values})
    data = read_array(tmp_path / "x.npz")
    assert data["stimulus"].values.tolist() == IDS
    assert data["unit"].values.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(data.values, values)


def test_npz_with_two_candidates(tmp_path, values):
    np.savez(tmp_path / "x.npz", one=values, two=values)
    check_refused(tmp_path / "x.npz", "none is named 'responses' or 'data'")


def test_netcdf(tmp_path, values):
    made = cs.responses(values, kind="bold", stimulus=IDS, system="V1", category=list("aabbcc"))
    made.rename("responses").to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    back = read_array(tmp_path / "x.nc")
    xr.testing.assert_equal(back, made)
    assert back.attrs["kind"] == "bold"
    assert back.attrs["system"] == "V1"


def test_netcdf_keeps_labels_of_units_where_lengths_agree(tmp_path):
    made = cs.responses(np.eye(3), stimulus=list("abc")).assign_coords(layer=("unit", list("xyz")))
    made.rename("responses").to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    assert read_array(tmp_path / "x.nc")["layer"].dims == ("unit",)


def test_netcdf_rdms(tmp_path):
    square = 1 - np.corrcoef(np.random.default_rng(0).normal(size=(5, 9)))
    made = cs.rdm_data(
        np.stack([square, square]), stimulus=list("abcde"), distance="correlation", subject=["p", "q"]
    )
    made.rename("responses").to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    back = read_array(tmp_path / "x.nc", system="IT")
    assert back.dims == ("rdm", "stimulus", "stimulus_")
    assert back.attrs["distance"] == "correlation"
    assert back["subject"].values.tolist() == ["p", "q"]


@pytest.mark.parametrize(("separator", "start"), [(",", ""), (";", "\ufeff"), ("\t", "")])
def test_csv(tmp_path, values, separator, start):
    lines = [separator.join(["id", "a", '"b"', "c"])]
    lines += [separator.join([i, *(repr(float(v)) for v in row)]) for i, row in zip(IDS, values)]
    (tmp_path / "x.csv").write_text(start + "\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    data = read_array(tmp_path / "x.csv")
    np.testing.assert_array_equal(data.values, values)
    assert data["unit"].values.tolist() == ["a", "b", "c"]
    assert data["stimulus"].values.tolist() == IDS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,a\ns0,1\ns1,x\n", r"line 3, column 'a': 'x' is not a number"),
        ("id,a\ns0,1,2\n", "line 2: 3 columns where the header has 2"),
        ("id,a\n", "has a header and no rows"),
        ("hello\n", "no comma, semicolon or tab"),
        ("id,a\ns0,\ns1,2\n", "1 value is NaN"),
        ("id;a\ns0;1,5\n", "with a decimal point"),
        ('id,a\n"s0,1\n', "x.csv"),
        ("id,a,a\ns0,1,2\n", "unit names must differ"),
        ("id,a\ns0,1\ns0,2\n", "pass repeat='count'"),
    ],
)
def test_bad_csv(tmp_path, text, words):
    (tmp_path / "x.csv").write_text(text)
    check_refused(tmp_path / "x.csv", words)


def warned(path, **options):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        data = read_array(path, **options)
    said = [w.message.caution for w in seen if isinstance(w.message, cs.ConsilienceWarning)]
    stored = {caution.code for caution in recorded_cautions(data)}
    assert stored == {caution.code for caution in said}
    return {caution.code: caution for caution in said}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "0.1,0.2,-1e-3\n0.3,0.4,0.5\n0.6,0.7,0.8\n",
            "first row was taken as unit names and its first column",
        ),
        ("1,2,3\n4,5,6\n7,8,9\n", "first row was taken as unit names and its first column"),
        ("s0,0.2,0.3\ns1,0.4,0.5\n", "first row was taken as unit names."),
    ],
)
def test_csv_without_a_header(tmp_path, text, words):
    (tmp_path / "x.csv").write_text(text)
    said = warned(tmp_path / "x.csv")
    assert list(said) == ["header-of-numbers"]
    assert words in said["header-of-numbers"].message
    assert "id,unit0,unit1" in said["header-of-numbers"].remedy
    assert str(tmp_path) not in said["header-of-numbers"].message


@pytest.mark.parametrize(
    "text",
    ["id,0,1\n0,1,2\n1,3,4\n", ",0,1\n0,1,2\n1,3,4\n", "0,1,2\ns0,1,2\ns1,3,4\n", "id,a\n0.5,1\n0.6,2\n"],
)
def test_csv_with_numbered_units_or_ids_is_not_doubted(tmp_path, text):
    (tmp_path / "x.csv").write_text(text)
    assert not warned(tmp_path / "x.csv")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_a_matrix_that_may_be_an_rdm(tmp_path, values, suffix):
    path = tmp_path / f"x{suffix}"
    distances = np.abs(values[:, :1] - values[:, :1].T)

    def write(matrix):
        if suffix == ".npy":
            np.save(path, matrix)
        elif suffix == ".npz":
            np.savez(path, responses=matrix, stimulus=IDS)
        else:
            lines = [",".join(["id", *IDS[: matrix.shape[1]]])] + [
                ",".join([i, *map(repr, row)]) for i, row in zip(IDS, matrix.tolist())
            ]
            path.write_text("\n".join(lines))

    options = {"ids": IDS} if suffix == ".npy" else {}
    write(distances)
    said = warned(path, **options)
    assert list(said) == ["looks-like-rdm"]
    assert "rdm: correlation" in said["looks-like-rdm"].remedy
    assert "cs.rdm_data" in said["looks-like-rdm"].remedy
    assert not warned(path, rdm="correlation", **options)
    for other in (distances + np.eye(6), distances + np.triu(np.ones((6, 6)), 1), distances[:, :5], values):
        write(other)
        assert "looks-like-rdm" not in warned(path, **options)


def test_repeats_when_asked_for(tmp_path):
    (tmp_path / "x.csv").write_text("id,a\ns0,1\ns0,2\n")
    assert read_array(tmp_path / "x.csv", repeat="count")["repeat"].values.tolist() == [0, 1]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".nc"])
def test_truncated(tmp_path, values, suffix, share):
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, values)
    elif suffix == ".npz":
        np.savez(path, responses=values, stimulus=IDS)
    else:
        cs.responses(values, stimulus=IDS).rename("responses").to_netcdf(path, engine="h5netcdf")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    check_refused(path, "damaged|empty|not what its name says|binary", ids=IDS)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".nc"])
def test_flipped_bytes_are_an_error_or_numbers(tmp_path, values, suffix):
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, values)
    elif suffix == ".npz":
        np.savez(path, responses=values, stimulus=IDS)
    else:
        cs.responses(values, stimulus=IDS).rename("responses").to_netcdf(path, engine="h5netcdf")
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            data = read_array(path, ids=IDS)
        except InputError as error:
            assert path.name in str(error)  # noqa: PT017
        else:
            assert data.ndim == 2


@pytest.mark.parametrize("array", [np.array([{}], dtype=object), np.array([None, 1.0], dtype=object)])
def test_objects_are_never_unpickled(tmp_path, array):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    assert check_refused(tmp_path / "x.npy", "never loaded").code == "pickle-refused"


def test_payloads_do_not_run(tmp_path):
    trap = tmp_path / "trap"
    np.save(tmp_path / "x.npy", np.array([Payload(trap)], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", responses=np.array([Payload(trap)], dtype=object))
    (tmp_path / "x.csv").write_bytes(pickle.dumps(Payload(trap)))
    (tmp_path / "ids.npy").write_bytes((tmp_path / "x.npy").read_bytes())
    for name in ("x.npy", "x.npz", "x.csv"):
        check_refused(tmp_path / name, "never loaded")
    with pytest.raises(InputError, match="never loaded"):
        read_ids(tmp_path / "ids.npy")
    assert not trap.exists()


@pytest.mark.parametrize("member", ["../x.npy", "/etc/x.npy", "a/../../x.npy", "..\\x.npy", "C:x.npy"])
def test_members_that_point_outside(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(member, b"")
    assert check_refused(tmp_path / "x.npz", "points outside").code == "bad-member"


def test_archives_that_would_fill_the_memory(tmp_path, monkeypatch, values):
    from consilience.sources import _files

    monkeypatch.setattr(_files, "read_bytes_limit", lambda: 100)
    np.save(tmp_path / "x.npy", values)
    np.savez_compressed(tmp_path / "x.npz", responses=np.zeros((100, 100)))
    for name in ("x.npy", "x.npz"):
        assert check_refused(tmp_path / name, "of memory is free").code == "too-large"


def test_a_header_that_lies_about_its_size(tmp_path, values):
    np.save(tmp_path / "x.npy", values)
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content.replace(b"(6, 3)", b"(9999999999, 3)"[:15])[: len(content)])
    check_refused(tmp_path / "x.npy", "damaged")


def test_not_regular_files(tmp_path):
    os.mkfifo(tmp_path / "fifo.npy")
    check_refused(tmp_path / "fifo.npy", "not a regular file")
    check_refused(tmp_path, "is a folder")
    check_refused(Path("/dev/zero"), "not a regular file")
    check_refused(tmp_path / "none.npy", "does not exist")
    (tmp_path / "empty.npy").touch()
    check_refused(tmp_path / "empty.npy", "is empty")
    with pytest.raises(InputError, match="is an address"):
        read_array("https://example.org/x.npy")
    with pytest.raises(InputError, match="is an address"):
        read_array("file:x.npy")


def test_names_that_lie(tmp_path, values):
    np.save(tmp_path / "x.npy", values)
    (tmp_path / "x.npy").rename(tmp_path / "x.csv")
    assert check_refused(tmp_path / "x.csv", "a NumPy .npy file by its first bytes").code == "wrong-extension"
    (tmp_path / "x.csv").rename(tmp_path / "x.dat")
    assert read_array(tmp_path / "x.dat", ids=IDS).shape == (6, 3)


def test_other_formats(tmp_path):
    for head, words in [
        (b"CDF\x01", "netCDF-3"),
        (b"\x1f\x8b", "gzip"),
        (b"\0\1\2\3", "binary file"),
        (b"MATLAB 5.0 MAT", "MATLAB"),
    ]:
        (tmp_path / "x").write_bytes(head + b"\0" * 200)
        check_refused(tmp_path / "x", words)


def test_links_to_other_files(tmp_path, values):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file["responses"] = h5py.ExternalLink("other.h5", "/data")
    assert check_refused(tmp_path / "x.nc", "links to another file").code == "external-link"
    with h5py.File(tmp_path / "y.nc", "w") as file:
        file.create_dataset("responses", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
    assert check_refused(tmp_path / "y.nc", "in another file").code == "external-link"


def test_results_are_not_responses(tmp_path):
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file.attrs["consilience_format"] = 1
    assert check_refused(tmp_path / "x.nc", "is a result").code == "is-a-result"


def test_values_that_are_no_data(tmp_path, values):
    for bad, words in [
        (np.where(values > 1, np.nan, values) * np.nan, "NaN"),
        (values / 0.0 if False else np.full((6, 3), np.inf), "infinite"),
        (values.astype(complex), "real numbers"),
        (np.array([["a"] * 3] * 6), "real numbers"),
        (values[:, :, None], "needs dims="),
        (np.zeros((0, 3)), "empty"),
        (np.array(1.0), "needs dims="),
    ]:
        np.save(tmp_path / "x.npy", bad)
        check_refused(tmp_path / "x.npy", words, ids=IDS)
    np.save(tmp_path / "x.npy", values)
    check_refused(tmp_path / "x.npy", "5 ids for 6 rows", ids=IDS[:5])


def test_ids(tmp_path):
    (tmp_path / "ids.txt").write_text("\ufeffa\r\nb \r\nü\r\n\r\n", encoding="utf-8")
    (tmp_path / "ids.json").write_text(json.dumps(["a", "b"]))
    (tmp_path / "ids.yaml").write_text("- 1\n- 2\n")
    np.save(tmp_path / "text.npy", ["a", "b"])
    np.save(tmp_path / "whole.npy", [3, 4])
    assert read_ids(tmp_path / "ids.txt") == ["a", "b", "ü"]
    assert read_ids(tmp_path / "ids.json") == ["a", "b"]
    assert read_ids(tmp_path / "ids.yaml") == [1, 2]
    assert read_ids(tmp_path / "text.npy") == ["a", "b"]
    assert read_ids(tmp_path / "whole.npy") == [3, 4]
    assert read_ids([1, 2]) == [1, 2]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ids.json", b"[1", "not valid JSON"),
        ("ids.json", b"{}", "must hold one list"),
        ("ids.json", b"[1.5]", "text or whole numbers"),
        ("ids.yaml", b"- a\n- [", "line 2 is not valid YAML|not valid YAML"),
        ("ids.yaml", b"- !!python/name:os.system x\n", "not valid YAML"),
        ("ids.txt", b"\xff\xfe", "not UTF-8"),
        ("ids.txt", b"", "is empty"),
    ],
)
def test_bad_ids(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_ids(tmp_path / name)


def test_raw_takes_anything(tmp_path):
    np.save(tmp_path / "x.npy", np.array([np.nan, np.inf]))
    raw = read_raw(tmp_path / "x.npy")
    assert raw.format == "npy"
    assert raw.values.shape == (2,)


def test_a_general_hdf5_file_says_what_it_holds(tmp_path):
    for name, keys in (("one.h5", ["X"]), ("two.h5", ["X", "g/rate"]), ("deep.h5", ["g/X", "g/Y"])):
        with h5py.File(tmp_path / name, "w") as file:
            for key in keys:
                file[key] = np.ones((20, 3))
        with pytest.raises(
            cs.InputError, match=r"It holds: (X: \(20, 3\)|g: fields).*cs\.sources\.variables"
        ) as said:
            cs.read(tmp_path / name)
        assert said.value.code == "which-member"
    with pytest.warns(cs.ConsilienceWarning, match="made-up-ids"):
        assert cs.read(tmp_path / "one.h5", dims=("trial", "unit")).shape == (20, 3)


def test_a_recording_where_responses_are_read_is_named(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
    with pytest.raises(
        cs.InputError, match=r"is a recording .* `consilience epoch` or `consilience bin`"
    ) as said:
        cs.sources.read_array(tmp_path / "a.nwb")
    assert said.value.code == "is-a-recording"


def test_a_file_of_a_phy_folder_names_the_folder(tmp_path):
    (tmp_path / "params.py").write_text("sample_rate = 30000.")
    with pytest.raises(cs.InputError, match="give the folder"):
        cs.read(tmp_path / "params.py")


def test_a_first_column_of_data_taken_as_ids_is_said(tmp_path):
    def read(name, header, first):
        rows = [header, *(f"{entry},{k}.5" for k, entry in enumerate(first))]
        (tmp_path / name).write_text("\n".join(rows))
        return cs.read(tmp_path / name)

    with pytest.warns(cs.ConsilienceWarning, match=r"\[ids-of-numbers\] The first column of a.csv, 'unit0'"):
        read("a.csv", "unit0,unit1", ["0.5", "1.25", "2.0"])
    read("b.csv", "stimulus,unit1", ["0.5", "1.25", "2.0"])
    read("c.csv", "x,unit1", ["1", "2", "3"])
    read("d.csv", "x,unit1", ["a", "1.5", "3"])
