"""`cs.read`: one door, by what a file is; what is no file, or not one of ours, is one sentence."""

import os
import zipfile

import numpy as np
import pytest

import consilience as cs
from consilience.sources import _sources
from consilience.sources._parts import Parts
from consilience.sources._sources import SOURCES, Source

from . import nwb_files as make


def test_arrays_come_in_by_the_same_door(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(4, 3))
    got = cs.read(tmp_path / "x.npy", ids=list("abcd"), kind="rate", name="IT")
    assert got.identical(
        cs.sources.read_array(tmp_path / "x.npy", ids=list("abcd"), kind="rate", system="IT")
    )


def test_content_decides_and_not_the_name(tmp_path):
    make.whole(tmp_path / "session.csv")
    assert isinstance(cs.read(tmp_path / "session.csv"), cs.Recording)
    (tmp_path / "text.nwb").write_text("id,a,b\nx,1,2\ny,3,4\n")
    got = cs.read(tmp_path / "text.nwb")
    assert got.sizes == {"trial": 2, "unit": 2}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_source_of_the_table_can_be_imported(source, tmp_path):
    assert callable(source.function("read"))
    assert source.function("fits")(tmp_path, b"", {}) in (True, False)
    (tmp_path / "nothing").write_bytes(b"\0\1\2")
    assert not source.function("fits")(tmp_path / "nothing", b"\0\1\2", {})


def test_a_reader_that_fails_is_one_sentence_that_names_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "consilience.sources._door.SOURCES",
        (Source(name="odd", what="an odd file", fits=f"{__name__}:fits", read=f"{__name__}:fails"),),
    )
    (tmp_path / "x.odd").write_bytes(b"odd")
    with pytest.raises(
        cs.InputError, match=r"x\.odd: an odd file, but it is damaged.*ZeroDivisionError"
    ) as error:
        cs.read(tmp_path / "x.odd")
    assert error.value.code == "damaged-file"


def fits(path, head, options):
    return head == b"odd"


def fails(path, *, who):
    return Parts(format="odd", times=np.zeros(1 // 0))


def test_options_that_a_source_does_not_have(tmp_path):
    make.whole(tmp_path / "x.nwb")
    with pytest.raises(cs.InputError, match=r"an NWB 2 file .*no option 'dims'") as error:
        cs.read(tmp_path / "x.nwb", dims=("trial", "unit"))
    assert error.value.code == "unknown-option"
    np.save(tmp_path / "x.npy", np.ones((4, 3)))
    with pytest.raises(
        cs.InputError, match=r"no option 'id'; the options there are ids, kind, .*time\. Did you mean 'ids'"
    ):
        cs.read(tmp_path / "x.npy", id=list("abcd"), source="array")
    with pytest.raises(cs.InputError, match=r"source must be one of 'nwb'"):
        cs.read(tmp_path / "x.npy", source="nbw")
    with pytest.raises(cs.InputError, match="units= chooses units of a recording"):
        cs.read(tmp_path / "x.npy", units=[0], ids=list("abcd"))


def test_what_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "odd").write_bytes(b"\0\1\2\3" * 100)
    (tmp_path / "p.npy").write_bytes(b"\x80\x04\x95\x00")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter\x1b[31m.doc").write_bytes(b"x")
    for path, code, text in (
        (tmp_path / "pipe", "not-a-file", "not a regular file"),
        ("/dev/zero", "not-a-file", "not a regular file"),
        (tmp_path / "empty", "empty-file", "0 bytes"),
        (tmp_path / "not there", "no-file", "does not exist"),
        ("https://example.org/x.nwb", "url-refused", "only files on this machine"),
        ("s3://bucket/x.nwb", "url-refused", "only files on this machine"),
        ("a\0b", "bad-path", "not a path"),
        ("", "bad-path", "not a path"),
        (tmp_path / "odd", "unknown-format", "binary file of no known kind"),
        (tmp_path / "p.npy", "unknown-format", "Pickles are never loaded"),
        (tmp_path / "folder", "unknown-format", r"no layout that is known; it holds .letter\\x1b"),
        (tmp_path, "unknown-format", "no layout that is known"),
        (3, "bad-path", "a path is expected, got int"),
    ):
        with pytest.raises(cs.InputError, match=text.replace("\\\\", "\\\\+")) as error:
            cs.read(path)
        assert error.value.code == code, path


def test_a_pickled_array_is_refused_and_not_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    np.save(tmp_path / "x.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.write(tmp_path / "x.npy", "spikes.npy")
    for name in ("x.npy", "x.npz"):
        with pytest.raises(cs.InputError, match="never"):
            cs.read(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_the_table_ends_with_arrays():
    assert _sources.SOURCES[-1].name == "array"
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_milliseconds_are_said_on_reading(tmp_path):
    rng = np.random.default_rng(0)
    spikes = [np.sort(rng.uniform(0, 600_000, 500)).round() for _ in range(2)]
    rec = cs.Recording(name="x", spikes=spikes, observed=cs.Intervals([0], [600_000]))
    cs.sources.write_nwb(rec, tmp_path / "x.nwb", session_start="2020-01-01T00:00:00+00:00")
    with pytest.warns(cs.ConsilienceWarning, match="not-seconds.*whole numbers.*milliseconds or samples"):
        read = cs.read(tmp_path / "x.nwb")
    assert [caution.code for caution in read.cautions] == ["not-seconds"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x-epo.fif", b"\0\0\0\x64\0\0\0\x1f\0\0\0\x14" + b"\0" * 20, "mne.read_epochs"),
        ("renamed.dat", b"\0\0\0\x64\0\0\0\x1f\0\0\0\x14" + b"\0" * 20, "mne.read_epochs"),
        ("x.edf", b"0       X X X X Startdate", "mne.io.read_raw"),
        ("x.plx", b"PLEX\0\0\0", "neo.io.get_io"),
    ],
)
def test_files_that_other_packages_read(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(cs.InputError, match=said) as caught:
        cs.read(tmp_path / name)
    assert caught.value.code == "unknown-format"
