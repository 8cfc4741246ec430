"""NWB read with h5py: every kind of entry, refusals, damage; signals stay on disk and no file stays open."""

import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

import consilience as cs

from . import nwb_files as make


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return make.whole(tmp_path_factory.mktemp("nwb") / "whole.nwb").read_bytes()


@pytest.fixture
def whole(tmp_path, content):
    path = tmp_path / "whole.nwb"
    path.write_bytes(content)
    return path


def codes(seen):
    return sorted({str(w.message).split("]")[0].lstrip("[") for w in seen})


def test_units(whole):
    rec = cs.read(whole)
    for i, train in enumerate(make.trains(3)):
        np.testing.assert_array_equal(rec.spikes.of(i), train)
    assert rec.units["quality"].tolist() == ["good", "mua", "good"]
    assert rec.units["depth"].tolist() == [100, 200, 300]
    assert rec.units["area"].tolist() == ["V1", "V1", "V4"]
    assert rec.units["electrode"].tolist() == [10, 11, 12]
    assert rec.observed == cs.Intervals([0, 60], [50, 100])
    assert (rec.name, rec.subject, rec.session) == ("whole", "m1", "day 3")
    assert rec.attrs["species"] == "Mus musculus"
    assert rec.attrs["not_read"] == ("units/waveform_mean", "acquisition/movie (images)")


def test_tables(whole):
    rec = cs.read(whole)
    assert rec.intervals["trials"].columns["stimulus"].tolist() == [f"s{i % 3}" for i in range(9)]
    assert rec.intervals["trials"].columns["tags"].tolist() == ["a, b"] + ["c"] * 8
    assert rec.intervals["running"] == cs.Intervals([1, 5], [2, 9])
    assert rec.events["licks"] == cs.Events([1, 2.5], {"annotation": ["left", "right"]})
    assert rec.events["ttl"] == cs.Events([3, 4], {"label": ["on", "off"]})
    assert rec.events["rewards"] == cs.Events([5, 6], {"volume": [2.0, 3.0]})


def test_series_in_the_units_that_the_file_says(whole):
    rec = cs.read(whole)
    lfp = rec.signals["ElectricalSeries"]
    stored = np.arange(300).reshape(100, 3)
    np.testing.assert_allclose(lfp.values, stored * 1e-6 * np.array([1, 2, 3]) + 0.5, rtol=1e-15)
    assert (lfp.kind, lfp.unit, lfp.channels.tolist()) == ("voltage", "volts", [10, 11, 12])
    assert lfp.columns["location"].tolist() == ["V1", "V1", "V4"]
    np.testing.assert_array_equal(lfp.time, np.arange(100) / 1000)
    assert rec.signals["heading"].channels.tolist() == ["heading"]
    assert rec.signals["Position"].shape == (500, 2)  # a SpatialSeries in Position
    dff = rec.signals["DfOverF"]
    assert (dff.kind, dff.values.dtype, dff.channels.tolist()) == ("dff", np.float32, [5, 6])
    assert rec.signals["Fluorescence"].kind == "activation"
    assert dff.columns["accepted"].tolist() == [1, 0]
    assert dff.time[0] == 1.0


@pytest.mark.filterwarnings("ignore:\\[trials-left-out")
def test_units_are_chosen_and_the_name_is_given(whole):
    rec = cs.read(whole, units=["2", "0"], name="mine")
    assert rec.unit_names.tolist() == [2, 0]
    assert rec.name == "mine"
    assert rec.epoch(on="trials.start_time", window=(0, 1), missing="omit").attrs["system"] == "mine"


@pytest.mark.filterwarnings("ignore:\\[trials-left-out")
def test_from_a_file_to_responses(whole):
    rec = cs.read(whole)
    counts = rec.epoch(on="trials.start_time", window=(0, 5), missing="omit")
    train = make.trains(3)[1]
    at = np.flatnonzero(rec.intervals["trials"].start == 10)[0]
    assert counts.sel(unit=1).values[at] == np.sum((train >= 10) & (train < 15))
    heading = rec.bin(0.5, of="heading", within=cs.Intervals([2], [10]))
    assert heading.sizes["time"] == 16


def test_signals_stay_on_disk_and_the_file_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr("consilience.sources._hdf5._WHOLE", 64 << 16)  # a sixteenth, and so is the file
    monkeypatch.setattr("consilience.sources._hdf5._BLOCK", 32 << 16)
    path = tmp_path / "large.nwb"
    values = np.arange(1_875_000, dtype=np.float32).reshape(-1, 3)  # 7.5 MB
    with make.new(path) as file:
        make.series(file.create_group("acquisition"), "v", values, rate=1000.0)
    rec = cs.read(path)
    signal = rec.signals["v"]
    assert signal._values._kept is None, "nothing is read before it is used"
    np.testing.assert_array_equal(signal.rows(500, 700), values[500:700])
    assert signal._values._kept[2].nbytes == pytest.approx(32 << 16, rel=1e-5)
    np.testing.assert_array_equal(signal.rows(624_000, 625_000), values[624_000:])
    np.testing.assert_array_equal(signal.rows(5, 7), values[5:7])
    assert signal._values._kept[2].nbytes == 24, "windows in no order are read as they are"
    if os.path.isdir("/proc/self/fd"):
        held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert str(path.resolve()) not in held
    again = pickle.loads(pickle.dumps(signal._values))
    np.testing.assert_array_equal(again[10:20], values[10:20])
    with pytest.raises(IndexError):
        signal._values[::2]
    with h5py.File(path, "r+") as file:  # nobody holds the file
        file["acquisition/v/data"][0] = 5
    os.utime(path, ns=(1, 1))
    with pytest.raises(cs.InputError, match=r"the file has changed") as error:
        signal.rows(100, 200)
    assert error.value.code == "file-changed"


@pytest.mark.parametrize("by", ["times", "regions"])
def test_transposed_series_are_read_the_right_way_and_said(tmp_path, by):
    path = tmp_path / "x.nwb"
    values = np.random.default_rng(0).normal(size=(6, 50))
    with make.new(path) as file:
        imaging = make.group(file, "processing/ophys", "ProcessingModule")
        made = make.series(
            imaging, "cells", values, **({"time": np.arange(50)} if by == "times" else {"rate": 10.0})
        )
        if by == "regions":
            made["rois"] = np.arange(6)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[signal-transposed\].*50 samples of 6 channels"):
        rec = cs.read(path)
    np.testing.assert_array_equal(rec.signals["cells"].values, values.T)
    np.testing.assert_array_equal(rec.signals["cells"].rows(10, 20), values.T[10:20])
    assert rec.cautions[0].code == "signal-transposed"


def test_what_cannot_be_used_is_left_out_and_said(tmp_path):
    files = make.damaged(tmp_path)
    with pytest.warns(cs.ConsilienceWarning) as seen:
        rec = cs.read(files["trials"])
    assert codes(seen) == ["part-left-out", "rows-left-out"]
    assert set(rec.intervals) == {"trials", "another_clock", "none"}
    assert rec.intervals["trials"].columns["stimulus"].tolist() == list("abcb")
    with pytest.warns(cs.ConsilienceWarning, match="part-left-out"):
        rec = cs.read(files["signals"])
    assert set(rec.signals) == {"tracking"}
    assert np.isnan(rec.signals["tracking"].values).any(axis=1).sum() == 60
    with pytest.warns(cs.ConsilienceWarning) as seen:
        rec = cs.read(files["spikes"])
    assert codes(seen) == ["duplicate-spikes", "duplicated-units", "unsorted-spikes"]
    np.testing.assert_array_equal(rec.spikes.of(0), make.trains(4)[0])
    assert rec.spikes.counts[-1] == 0


def test_names_that_clash_get_more_of_their_path(tmp_path):
    with make.new(tmp_path / "x.nwb") as file:
        for module in ("a", "b"):
            held = file.create_group(f"processing/{module}")
            make.series(held, "v", np.zeros(3) + 1, rate=1.0)
        make.series(file.create_group("acquisition"), "data", np.arange(3.0), rate=1.0)
    assert set(cs.read(tmp_path / "x.nwb").signals) == {"a/v", "b/v", "data"}


def test_units_observed_at_different_times(tmp_path):
    with make.new(tmp_path / "x.nwb") as file:
        made = make.units(file, make.trains(2))
        make.ragged(made, "obs_intervals", [[[0.0, 50.0]], [[20.0, 80.0]]], dtype=np.float64)
    with pytest.warns(cs.ConsilienceWarning, match="observed-differs"):
        rec = cs.read(tmp_path / "x.nwb")
    assert rec.observed == cs.Intervals([20], [50])
    one = rec.select(rec.unit_names[1:])  # as the warning says
    assert one.observed == cs.Intervals([20], [80])
    assert one.cautions == ()
    assert "rec.select(...) units that were recorded together" in rec.cautions[0].remedy
    assert [each.total for each in rec.observed_by_unit] == [50, 60]


def test_units_observed_at_different_times_are_written_and_read(tmp_path):
    pytest.importorskip("pynwb")
    rec = cs.Recording(
        name="V1",
        spikes=make.trains(3),
        observed_by_unit=[cs.Intervals([0, 60], [40, 80]), cs.Intervals([20], [80]), cs.Intervals([0], [80])],
    )
    path = cs.write_nwb(rec, tmp_path / "x.nwb", session_start="2024-05-01T10:00+02:00")
    with pytest.warns(cs.ConsilienceWarning, match="observed-differs"):
        back = cs.read(path)
    assert back == rec
    assert back.select([2]).observed == cs.Intervals([0], [80])
    same = replace(rec, observed_by_unit=None)
    assert cs.read(cs.write_nwb(same, tmp_path / "y.nwb", session_start="2024-05-01T10:00+02:00")) == same


# -- refusals


def test_version_1_is_refused(tmp_path):
    with make.new(tmp_path / "old.nwb", version=None) as file:
        file["nwb_version"] = "NWB-1.0.6"
    with pytest.raises(cs.InputError, match=r"version 'NWB-1\.0\.6'; version 2 is read") as error:
        cs.read(tmp_path / "old.nwb")
    assert error.value.code == "unknown-format"


@pytest.mark.parametrize("how", ["link", "storage", "virtual"])
def test_what_leads_out_of_the_file_is_refused(whole, tmp_path, how):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as other:
        other["x"] = np.arange(5.0)
    with h5py.File(whole, "r+") as file:
        if how == "link":
            file["acquisition/out"] = h5py.ExternalLink(str(secret), "/x")
        elif how == "storage":
            file.create_dataset(
                "acquisition/out", (5,), dtype="f8", external=[(str(tmp_path / "raw.bin"), 0, 40)]
            )
        else:
            layout = h5py.VirtualLayout(shape=(5,), dtype="f8")
            layout[:] = h5py.VirtualSource(str(secret), "x", shape=(5,))
            file.create_virtual_dataset("acquisition/out", layout)
    with pytest.raises(cs.InputError, match=r"another file.* refused") as error:
        cs.read(whole)
    assert error.value.code == "external-link"


def test_links_in_a_circle_end(whole):
    with h5py.File(whole, "r+") as file:
        file["processing/behavior/again"] = file["processing"]
        file["acquisition/soft"] = h5py.SoftLink("/processing/behavior/CompassDirection/heading")
        file["acquisition/nowhere"] = h5py.SoftLink("/not/there")
    assert set(cs.read(whole).signals) == {
        "ElectricalSeries",
        "heading",
        "Position",
        "DfOverF",
        "Fluorescence",
    }


def test_a_filter_that_is_not_there_is_named(whole):
    with h5py.File(whole, "r+") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((10,))
        properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
        made = make.group(file["acquisition"], "packed", "TimeSeries")
        h5py.h5d.create(made.id, b"data", h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((20,)), properties)
        made["starting_time"] = 0.0
        made["starting_time"].attrs["rate"] = 1.0
    rec = cs.read(whole)
    assert "packed" not in rec.signals
    assert any("Blosc (32001)" in entry for entry in rec.attrs["not_read"])


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda f: f["units/spike_times_index"].__setitem__(2, 10), "does not fit"),
        (lambda f: f["units/spike_times"].__setitem__(5, np.nan), "NaN or infinite"),
        (lambda f: f["units/spike_times"].__setitem__(5, np.inf), "NaN or infinite"),
    ],
)
def test_spikes_that_cannot_be_right_are_refused(whole, spoil, text):
    with h5py.File(whole, "r+") as file:
        spoil(file)
    with pytest.raises(cs.InputError, match=text) as error:
        cs.read(whole)
    assert "whole.nwb" in str(error.value)


def test_sizes_that_a_file_only_announces_are_refused(whole):
    with h5py.File(whole, "r+") as file:
        del file["units/spike_times"]
        file["units"].create_dataset("spike_times", shape=(1 << 50,), dtype="f8", chunks=(1024,))
    with pytest.raises(cs.InputError, match=r"units/spike_times has 1125899906842624 entries") as error:
        cs.read(whole)
    assert error.value.code == "too-large"


# -- damage


@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.75, 0.995])
def test_cut_files_are_one_sentence(whole, tmp_path, share):
    content = whole.read_bytes()
    cut = tmp_path / "cut.nwb"
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(cs.InputError, match=r"cut\.nwb") as error:
        cs.read(cut)
    assert "\n" not in str(error.value)


FLIPS = """
import collections, sys, warnings
import numpy as np
import consilience as cs
warnings.simplefilter("ignore")
content, out, where = bytearray(open(sys.argv[1], "rb").read()), sys.argv[2], map(int, sys.argv[3].split(","))
rng = np.random.default_rng(0)
ends = collections.Counter()
for at in where:
    damaged = bytearray(content)
    damaged[at] ^= 1 << int(rng.integers(8))
    open(out, "wb").write(damaged)
    try:
        rec = cs.read(out)
        for signal in getattr(rec, "signals", {}).values():
            signal.values
        ends["read"] += 1
    except cs.InputError as error:
        assert "\\n" not in str(error), str(error)
        ends[error.code] += 1
print(dict(ends))
"""


def places_of_values(path):
    """Which bytes hold values of arrays."""
    held = np.zeros(path.stat().st_size, dtype=bool)

    def mark(name, item):
        if isinstance(item, h5py.Dataset) and item.id.get_offset() is not None:
            held[item.id.get_offset() :][: item.id.get_storage_size()] = True
        elif isinstance(item, h5py.Dataset) and item.chunks:
            for k in range(item.id.get_num_chunks()):
                chunk = item.id.get_chunk_info(k)
                held[chunk.byte_offset :][: chunk.size] = True

    with h5py.File(path) as file:
        file.visititems(mark)
    return held


@pytest.mark.slow
def test_flipped_bytes_end_in_an_error_or_a_recording(whole, tmp_path):
    """Nearly all in what describes the data, where a flip can do more than change a value."""
    data = places_of_values(whole)
    rng, start = np.random.default_rng(0), time.monotonic()
    where = np.r_[rng.choice(np.flatnonzero(~data), 55), rng.choice(np.flatnonzero(data), 5)]
    done = subprocess.run(
        [sys.executable, "-c", FLIPS, str(whole), str(tmp_path / "flipped.nwb"), ",".join(map(str, where))],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert time.monotonic() - start < 60


def test_hostile_names_stay_names(tmp_path):
    evil = "x\x1b[31mred\x07\u202e" + "y" * 300
    with make.new(tmp_path / "x.nwb") as file:
        make.units(file, make.trains(2), **{evil[:20]: np.arange(2)})
        made = make.table(file.create_group("intervals"), evil, [0, 1], [1, np.nan])
        made["<script>"] = ["=1+1", "{{7*7}}"]
    with pytest.warns(cs.ConsilienceWarning) as seen:
        rec = cs.read(tmp_path / "x.nwb")
    assert evil in rec.intervals
    assert "\x1b" not in str(seen[0].message)


@pytest.mark.slow
def test_ten_million_spikes_in_seconds(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "many.nwb"
    with make.new(path) as file:
        table = make.group(file, "units", "Units")
        table["id"] = np.arange(500)
        table["spike_times"] = (0.18 * (np.arange(20_000) + rng.random((500, 1)))).ravel()
        table["spike_times_index"] = 20_000 * np.arange(1, 501)
    start = time.process_time()
    rec = cs.read(path)
    assert rec.spikes.times.size == 10_000_000
    assert time.process_time() - start < 10
