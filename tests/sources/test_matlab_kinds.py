"""What MATLAB users keep labels in: cellstr, char, struct and string, table, datetime, in files of v5 and of v7.3."""

from __future__ import annotations

import json
import struct

import h5py
import numpy as np
import pytest
from scipy import io

import consilience as cs
from consilience._cli import main
from consilience.sources import variables

LABELS = ["face", "höuse", "𝛼"]
START = [0.0, 0.5, 1.0]
REMEDY = {
    "table": r"'trials' is a table of.*writetable\(trials, 'trials.csv'\).*table2struct\(trials, 'ToScalar', true\)",
    "timetable": r"a timetable of MATLAB.*table2struct\(timetable2table\(trials\), 'ToScalar', true\)",
    "string": r"a string of MATLAB.*trials = cellstr\(trials\)",
    "categorical": r"a categorical of MATLAB.*trials = cellstr\(trials\)",
    "datetime": r"a datetime of MATLAB.*trials = seconds\(trials - t0\)",
    "duration": r"a duration of MATLAB.*trials = seconds\(trials\)",
    "containers.Map": r"a containers.Map of MATLAB.*keys\(trials\)",
    "function_handle": r"a function_handle of MATLAB.*func2str\(trials\)",
    "MyClass": r"a MyClass of MATLAB.*struct\(trials\)",
}


def cell(entries):
    out = np.empty((len(entries), 1), dtype=object)
    out[:, 0] = entries
    return out


# -- v5: SciPy writes what is plain; an object is put beside it by hand, as SciPy reads it


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(what, *parts):
    return element(14, element(6, struct.pack("<II", what, 0)) + b"".join(parts))


def text(said):
    return element(1, said.encode())


def numbers(values):
    return matrix(
        13,
        element(5, struct.pack("<ii", 1, len(values))),
        text(""),
        element(6, struct.pack(f"<{len(values)}I", *values)),
    )


def object5(name, kind):
    """An object as MATLAB writes it: flags, name, system of types, class, and numbers that point elsewhere."""
    if kind == "function_handle":
        return matrix(16, element(5, struct.pack("<ii", 1, 1)), text(name), numbers([1]))
    return matrix(17, text(name), text("MCOS"), text(kind), numbers([0xDD000000, 2, 1, 1, 1, 1]))


def struct5(name, fields):
    """A struct of which every field is an element that is made already."""
    names = b"".join(field.encode().ljust(32, b"\0") for field in fields)
    return matrix(
        2,
        element(5, struct.pack("<ii", 1, 1)),
        text(name),
        struct.pack("<HHi", 5, 4, 32),
        element(1, names),
        *fields.values(),
    )


def append(path, *elements):
    with path.open("ab") as stream:
        stream.write(b"".join(elements))


def write5(path, objects=()):
    plain = {
        "cellstr": cell(LABELS),
        "word": "höuse",
        "rows": np.array(["face ", "house"]),
        "none": "",
        "trials_struct": {"stop": np.array(START) + 0.3, "start": START, "image": cell(LABELS)},
        "trials_array": np.array(
            [(s, label) for s, label in zip(START, LABELS)], dtype=[("start", "O"), ("image", "O")]
        ),
        "onset": START[:2],
    }
    io.savemat(path, plain)
    append(path, *(object5(name, kind) for name, kind in objects))
    return path


# -- v7.3: as MATLAB marks it


def write73(path, objects=()):
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        subsystem = file.create_group("#subsystem#")
        subsystem["MCOS"] = np.zeros((1, 4), dtype=np.uint64)

        def put(where, name, values, kind, **attrs):
            made = where.create_dataset(name, data=values)
            made.attrs["MATLAB_class"] = np.bytes_(kind)
            for key, value in attrs.items():
                made.attrs[key] = value
            return made

        def char(where, name, *rows):
            codes = [np.frombuffer(row.encode("utf-16-le"), dtype="<u2") for row in rows]
            return put(where, name, np.stack(codes, axis=1), "char", MATLAB_int_decode=np.int32(2))

        def references(where, name, made, kind=None):
            held = where.create_dataset(
                name, data=np.array([one.ref for one in made], dtype=h5py.ref_dtype)[None]
            )
            if kind:
                held.attrs["MATLAB_class"] = np.bytes_(kind)

        def group(name, fields):
            made = file.create_group(name)
            made.attrs["MATLAB_class"] = np.bytes_("struct")
            order = np.empty(len(fields), dtype=object)
            order[:] = [np.array(list(field), dtype="S1") for field in fields]
            made.attrs.create("MATLAB_fields", order, dtype=h5py.vlen_dtype(np.dtype("S1")))
            return made

        labels = [char(refs, f"c{i}", label) for i, label in enumerate(LABELS)]
        starts = [put(refs, f"s{i}", [[s]], "double") for i, s in enumerate(START)]
        references(file, "cellstr", labels, "cell")
        char(file, "word", "höuse")
        char(file, "rows", "face ", "house")
        put(file, "none", np.zeros(2, np.uint64), "char", MATLAB_empty=np.uint8(1))
        made = group("trials_struct", ["stop", "start", "image"])
        put(made, "start", [START], "double")
        put(made, "stop", [np.array(START) + 0.3], "double")
        references(made, "image", labels, "cell")
        made = group("trials_array", ["start", "image"])
        references(made, "start", starts)
        references(made, "image", labels)
        put(file, "onset", [START[:2]], "double")
        for name, kind in objects:
            if kind == "function_handle":
                made = file.create_group(name)
                made.attrs["MATLAB_class"], made.attrs["MATLAB_object_decode"] = np.bytes_(kind), np.int32(1)
                char(made, "function", "sin")
            else:
                where, _, last = name.rpartition(".")
                values = np.array([[0xDD000000, 2, 1, 1, 1, 1]], dtype=np.uint32).T
                put(file[where] if where else file, last, values, kind, MATLAB_object_decode=np.int32(3))
    with path.open("r+b") as stream:
        stream.write((b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM").ljust(512, b"\0"))
    return path


WRITERS = {"5": write5, "7.3": write73}


@pytest.fixture(params=list(WRITERS))
def write(request):
    return WRITERS[request.param]


def test_text_cellstr_and_structs(write, tmp_path):
    found = variables(write(tmp_path / "x.mat"))
    assert found["cellstr"] == LABELS
    assert found["word"] == "höuse"
    assert found["none"] == ""
    assert found["rows"].tolist() == ["face ", "house"]
    assert list(found["trials_struct"]) == ["stop", "start", "image"]
    assert found["trials_struct.image"] == LABELS
    np.testing.assert_array_equal(found["trials_struct.start"], START)
    assert found["trials_array.image"] == LABELS
    assert [float(s) for s in found["trials_array.start"]] == START
    assert not list(found.unread())


@pytest.mark.parametrize(
    "trials",
    ["trials_struct", "trials_array", {"start": "trials_struct.start", "image": "cellstr"}],
    ids=["struct", "struct array", "columns"],
)
def test_trials_of_a_struct_a_struct_array_or_columns(write, tmp_path, trials):
    """The first two are what table2struct makes of a table with ToScalar and without."""
    path = write(tmp_path / "x.mat")
    given = {"events": trials} if trials != "trials_struct" else {"trials": trials}
    rec = cs.read(path, **given)
    table = rec.intervals["trials"] if "trials" in given else rec.events["events"]
    assert table.columns["image"].tolist() == LABELS
    np.testing.assert_array_equal(table.start if "trials" in given else table.time, START)


def test_rows_of_a_char_array_are_labels_without_the_blanks_that_fill_them(write, tmp_path):
    rec = cs.read(write(tmp_path / "x.mat"), events={"start": "onset", "image": "rows"})
    assert rec.events["events"].columns["image"].tolist() == ["face", "house"]


def test_a_struct_of_one_row_keeps_its_text(tmp_path):
    """Of several rows a text beside columns is no label: it says something of all."""
    one = {"start": 0.5, "stop": 0.9, "image": "face", "unit": "s"}
    io.savemat(tmp_path / "x.mat", {"one": one, "two": one | {"start": [0.5, 1], "stop": [0.9, 2]}})
    table = cs.read(tmp_path / "x.mat", trials="one").intervals["trials"]
    assert table.columns["image"].tolist() == ["face"]
    assert "image" not in cs.read(tmp_path / "x.mat", trials="two").intervals["trials"].columns


@pytest.mark.parametrize("kind", list(REMEDY))
def test_an_object_is_named_with_what_to_type_in_matlab(write, tmp_path, kind):
    path = write(tmp_path / "x.mat", [("trials", kind)])
    found = variables(path)
    assert f"trials: not read (a {kind} of MATLAB)" in repr(found)
    for use in (
        lambda: found["trials"],
        lambda: cs.read(path, trials="trials"),
        lambda: cs.read(path, spikes="trials"),
    ):
        with pytest.raises(cs.InputError, match=REMEDY[kind]) as caught:
            use()
        assert caught.value.code == "not-read"
        assert "\n" not in str(caught.value)
    assert found["word"] == "höuse"  # the rest is read


@pytest.mark.parametrize("kind", ["table", "string"])
def test_scipy_sees_the_same_object(tmp_path, kind):
    theirs = io.loadmat(write5(tmp_path / "x.mat", [("trials", kind)]))["None"]  # its name of an object
    assert theirs["s0"][0] == b"trials"
    assert theirs["s1"][0] == b"MCOS"
    assert theirs["s2"][0] == kind.encode()


def test_objects_within_structs_and_cells_are_named_too(tmp_path):
    path = write5(tmp_path / "5.mat")
    within = {"start": numbers([1, 2]), "image": object5("", "string")}
    held = matrix(1, element(5, struct.pack("<ii", 1, 1)), text("cells"), object5("", "datetime"))
    append(path, struct5("session", within), held)
    for one, names in (
        (path, {"session.image": "string", "cells": "datetime"}),
        (write73(tmp_path / "7.mat", [("trials_struct.code", "string")]), {"trials_struct.code": "string"}),
    ):
        found = variables(one)
        assert {name: entry.why for name, entry in found.unread()} == {
            name: f"a {kind} of MATLAB" for name, kind in names.items()
        }
    with pytest.raises(cs.InputError, match=r"a string of MATLAB.*image = cellstr\(image\)"):
        cs.read(path, events="session")
    for options in ({"spikes": "cells"}, {"events": {"start": "onset", "when": "cells"}}):
        with pytest.raises(cs.InputError, match="a datetime of MATLAB") as caught:
            cs.read(path, **options)
        assert caught.value.code == "not-read"


def test_inspect_says_which_are_not_read_and_what_to_do(write, tmp_path, capsys):
    path = write(tmp_path / "x.mat", [("trials", "table"), ("when", "datetime")])
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "trials: not read (a table of MATLAB)" in said
    assert "warning: 'trials' is a table of MATLAB, which is not read" in said
    assert "writetable(trials, 'trials.csv')" in said
    assert "when = seconds(when - t0)" in said
    main(["inspect", str(path), "--json"])
    codes = [entry["code"] for entry in json.loads(capsys.readouterr().out)["findings"]]
    assert codes == ["not-read", "not-read", "which-member"]


def test_a_name_of_a_class_that_is_no_name_is_not_repeated(tmp_path):
    path = write5(tmp_path / "x.mat", [("trials", "\x1b[31m\n")])
    assert "trials: not read (a object of MATLAB)" not in repr(variables(path))
    assert "trials: not read (an object of MATLAB)" in repr(variables(path))
