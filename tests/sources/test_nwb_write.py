"""NWB written with pynwb: its validator passes, and what is read back equals the original."""

import datetime
import os
import sys

import h5py
import numpy as np
import pytest

import consilience as cs
from consilience._core._errors import MissingDependencyError

pynwb = pytest.importorskip("pynwb")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

START = "2024-05-01T10:00:00+02:00"
rng = np.random.default_rng(0)


def rich():
    return cs.Recording(
        name='V1 "x"/é\0',
        spikes=[*(np.sort(rng.uniform(0, 100, 50)) for _ in range(4)), []],
        units={
            "unit": ["a", "b", "c", "d", "e"],
            "depth": np.full(5, np.nan),
            "good": np.array([True, False, True, True, False]),
            "number": np.arange(5, dtype=np.int16),
            "electrode_group": ["g"] * 5,
            "spike_times": np.arange(5.0),
            "a/b": ["", "x", "", "", ""],
            "a:b": np.arange(5),
            "id": list("vwxyz"),
            "nul": ["a\0", "", "\ud800", "b", "c"],
        },
        signals={
            "heading": cs.Signal(rng.uniform(0, 6, 500), np.arange(500) / 120 + 3.1, unit="radians", channels=["h"]),
            "a/b": cs.Signal(
                rng.normal(size=(50, 3)).astype(np.float32),
                np.cumsum(rng.uniform(0.1, 1, size=50)),
                kind="dff",
                columns={"y": [1, 2, 3], "text": ["a", "", "c\0"], "x": [0.5, np.nan, 1]},
            ),
            "a:b": cs.Signal(np.arange(20).reshape(10, 2), np.arange(10), kind="voltage", channels=[5, 7]),
            "gaps": cs.Signal([[1.0], [np.nan], [3.0]], [0, 1, 2], kind="bold"),
            "behavior": cs.Signal([1.0, 2.0], [0.0, 0.3]),
        },
        intervals={
            "trials": cs.Intervals(
                [0, 5], [2, 7], {"stimulus": ["a", "b"], "tags": ["x", "y"], "n": [1, 2], "ok": [True, False]}
            ),
            "sleep": cs.Intervals([1], [2]),
            "none": cs.Intervals([], [], {"text": np.array([], dtype=str), "number": np.array([])}),
            "epochs": cs.Intervals([1], [2], {"start_time": [5], "x_index": [3]}),
        },
        events={"licks": cs.Events([1, 2.5], {"side": ["l", "r"], "duration": [1.0, 2.0]}), "e/": cs.Events([])},
        observed=cs.Intervals([0, 60], [50, 100]),
        subject="m1",
        session="day 3",
        attrs={"species": "Mus musculus", "lab": "ours"},
    )  # fmt: skip


RECORDINGS = {
    "rich": rich(),
    "signals only": cs.Recording(
        name="s",
        signals={"none": cs.Signal(np.zeros((0, 2)), []), "one": cs.Signal([1.0], [2.0])},
        observed=cs.Intervals([0], [1], {"a": ["x"]}),
    ),
    "no units": cs.Recording(spikes=[], intervals={"t": cs.Intervals([0], [1])}),
    "silent": cs.Recording(name="x", spikes=[[], []]),
    "numbered": cs.Recording(name="x", spikes=[[1.0], [2.0]], units={"id": [9, 3]}),
    "not numbered": cs.Recording(name="x", spikes=[[1.0], [2.0]]),
    "events only": cs.Recording(name="x", events={"e": cs.Events([2.0, 1.0])}),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_valid_and_equal_when_read_back(name, tmp_path):
    rec = RECORDINGS[name]
    path = cs.write_nwb(rec, tmp_path / "x.nwb", session_start=START)
    back = cs.read(path)
    assert back == rec
    assert back.unit_names.tolist() == rec.unit_names.tolist()
    assert not pynwb.validate(path=str(path))
    assert os.listdir(tmp_path) == ["x.nwb"]
    assert cs.read(cs.write_nwb(back, tmp_path / "again.nwb")) == rec, (
        "a second time, with the start that was read"
    )


def test_what_pynwb_reads(tmp_path):
    rec = RECORDINGS["rich"]
    path = cs.write_nwb(rec, tmp_path / "x.nwb", session_start=START)
    with pynwb.NWBHDF5IO(str(path), "r") as stream:
        file = stream.read()
        frame = file.units.to_dataframe()
        np.testing.assert_array_equal(frame["spike_times"].iloc[1], rec.spikes.of(1))
        np.testing.assert_array_equal(frame["obs_intervals"].iloc[0], [[0, 50], [60, 100]])
        assert file.trials.to_dataframe()["stimulus"].tolist() == ["a", "b"]
        assert file.session_start_time.isoformat() == START
        assert (file.subject.subject_id, file.subject.species, file.lab) == ("m1", "Mus musculus", "ours")
        series = file.processing["behavior"]["heading"]
        np.testing.assert_array_equal(
            np.asarray(series.data[:]).ravel(), rec.signals["heading"].values.ravel()
        )
        assert series.rate == 120.0
        assert file.events["licks"].to_dataframe()["timestamp"].tolist() == [1, 2.5]


def test_the_name_that_the_reader_gives_wins(tmp_path):
    cs.write_nwb(RECORDINGS["silent"], tmp_path / "f.nwb", session_start=START)
    assert cs.read(tmp_path / "f.nwb", name="other").name == "other"
    assert cs.read(tmp_path / "f.nwb").name == "x"


def test_a_signal_on_disk_is_written_block_by_block(tmp_path, monkeypatch):
    from consilience.sources import _nwb_out

    monkeypatch.setattr(_nwb_out, "_LARGE", 4096)
    values = rng.normal(size=(1000, 3)).astype(np.float32)
    rec = cs.Recording(name="v", signals={"v": cs.Signal(values, np.arange(1000) / 1000, kind="voltage")})
    first = cs.read(cs.write_nwb(rec, tmp_path / "a.nwb", session_start=START))
    assert first == rec
    second = cs.read(cs.write_nwb(first, tmp_path / "b.nwb"))
    assert second == rec
    assert not pynwb.validate(path=str(tmp_path / "b.nwb"))
    with h5py.File(tmp_path / "b.nwb") as file:
        assert file["processing/ecephys/v/data"].fletcher32


def test_a_flip_in_values_is_detected(tmp_path):
    rec = cs.Recording(name="v", signals={"v": cs.Signal(rng.normal(size=(5000, 2)), np.arange(5000) / 1000)})
    path = cs.write_nwb(rec, tmp_path / "a.nwb", session_start=START)
    with h5py.File(path) as file:
        chunk = file["processing/behavior/v/data"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(content)
    signal = cs.read(path).signals["v"]
    with pytest.raises(cs.InputError, match="damaged or incomplete"):
        signal.rows(0, 5000)


def test_the_start_of_the_session(tmp_path):
    rec = RECORDINGS["silent"]
    with pytest.warns(cs.ConsilienceWarning, match=r"\[no-session-start\].*1970-01-01"):
        cs.write_nwb(rec, tmp_path / "x.nwb")
    naive = cs.write_nwb(rec, tmp_path / "x.nwb", session_start=datetime.datetime(2020, 1, 2, 3))
    assert cs.read(naive).attrs["session_start_time"].startswith("2020-01-02T03:00:00")
    with pytest.raises(cs.InputError, match="session_start must be a datetime or ISO text"):
        cs.write_nwb(rec, tmp_path / "x.nwb", session_start="yesterday")


def test_places_that_cannot_be_written(tmp_path):
    rec = RECORDINGS["silent"]
    for path, text in (
        (tmp_path / "no" / "x.nwb", "does not exist"),
        (tmp_path, "is a folder"),
        ("http://example.org/x.nwb", "address|does not exist"),
    ):
        with pytest.raises(cs.InputError, match=text):
            cs.write_nwb(rec, path, session_start=START)
    (tmp_path / "real.nwb").write_bytes(b"mine")
    (tmp_path / "link.nwb").symlink_to(tmp_path / "real.nwb")
    with pytest.raises(cs.InputError, match="is a link or a device"):
        cs.write_nwb(rec, tmp_path / "link.nwb", session_start=START)
    with pytest.raises(cs.InputError, match="a Recording is expected, got list"):
        cs.write_nwb([], tmp_path / "x.nwb")


def test_nothing_is_left_of_a_file_that_failed(tmp_path, monkeypatch):
    path = tmp_path / "x.nwb"
    path.write_bytes(b"the old one")

    def broken(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", broken)
    with pytest.raises(cs.InputError, match="No space left on device"):
        cs.write_nwb(RECORDINGS["silent"], path, session_start=START)
    assert os.listdir(tmp_path) == ["x.nwb"]
    assert path.read_bytes() == b"the old one"


def test_without_pynwb_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(MissingDependencyError, match=r"consilience\[nwb\]"):
        cs.write_nwb(RECORDINGS["silent"], tmp_path / "x.nwb", session_start=START)


def test_a_damaged_description_is_said(tmp_path):
    path = cs.write_nwb(RECORDINGS["rich"], tmp_path / "x.nwb", session_start=START)
    with h5py.File(path, "r+") as file:
        held = dict(file["general/source_script"].attrs)
        del file["general/source_script"]
        file["general/source_script"] = '{"name": 1'
        file["general/source_script"].attrs.update(held)
    with pytest.raises(cs.InputError, match=r"general/source_script\) is damaged"):
        cs.read(path)
