"""NWB files made by hand with h5py: right ones of every kind of entry, and six damaged ones."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def new(path, version="2.7.0"):
    """An empty NWB file, open for writing."""
    file = h5py.File(path, "w")
    if version is not None:
        file.attrs["nwb_version"] = version
    file.attrs["neurodata_type"] = "NWBFile"
    file["session_start_time"] = "2024-05-01T10:00:00+02:00"
    file["session_description"] = "made by hand"
    file["identifier"] = "by-hand"
    return file


def group(parent, name, kind):
    made = parent.create_group(name)
    made.attrs["neurodata_type"] = kind
    return made


def ragged(parent, name, rows, dtype=None):
    """A column with several entries a row: name and name_index."""
    values = [entry for row in rows for entry in row]
    parent[name] = np.array(values, dtype=dtype) if dtype is not None or not values else values
    parent[f"{name}_index"] = np.cumsum([len(row) for row in rows]).astype(np.uint32)


def units(file, trains, **columns):
    """The table of units."""
    table = group(file, "units", "Units")
    table["id"] = np.arange(len(trains))
    ragged(table, "spike_times", trains, dtype=np.float64)
    for name, entries in columns.items():
        table[name] = entries
    table.attrs["colnames"] = ["spike_times", *columns]
    return table


def table(parent, name, start, stop, **columns):
    made = group(parent, name, "TimeIntervals")
    made["id"] = np.arange(len(start))
    made["start_time"], made["stop_time"] = np.asarray(start, dtype=float), np.asarray(stop, dtype=float)
    for column, entries in columns.items():
        made[column] = entries
    made.attrs["colnames"] = ["start_time", "stop_time", *columns]
    return made


def series(parent, name, data, *, time=None, rate=None, start=0.0, kind="TimeSeries", unit="a.u.", **attrs):
    made = group(parent, name, kind)
    made["data"] = data
    made["data"].attrs["unit"] = unit
    for key, value in attrs.items():
        made["data"].attrs[key] = value
    if time is not None:
        made["timestamps"] = np.asarray(time, dtype=float)
    else:
        made["starting_time"] = float(start)
        made["starting_time"].attrs["rate"] = float(rate)
    return made


def trains(n=5, length=100.0, rate=8.0, seed=0):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, length, rng.poisson(rate * length))) for _ in range(n)]


def whole(path):
    """A file with everything that is read."""
    rng = np.random.default_rng(1)
    with new(path) as file:
        electrodes = group(file, "general/extracellular_ephys/electrodes", "DynamicTable")
        electrodes["id"] = [10, 11, 12]
        electrodes["location"] = ["V1", "V1", "V4"]
        electrodes["group_name"] = ["shank0", "shank0", "shank1"]
        electrodes["x"] = [1.0, 2.0, 3.0]
        electrodes.attrs["colnames"] = ["location", "group_name", "x"]
        subject = group(file, "general/subject", "Subject")
        subject["subject_id"], subject["species"] = "m1", "Mus musculus"
        file["general/session_id"] = "day 3"
        made = units(file, trains(3), depth=[100, 200, 300], quality=["good", "mua", "good"])
        ragged(made, "electrodes", [[0], [1], [2]], dtype=np.int64)
        made["waveform_mean"] = np.zeros((3, 40))
        made.attrs["colnames"] = ["spike_times", "depth", "quality", "electrodes", "waveform_mean"]
        ragged(made, "obs_intervals", [[[0.0, 50.0], [60.0, 100.0]]] * 3, dtype=np.float64)
        held = file.create_group("intervals")
        trials = table(
            held,
            "trials",
            np.arange(0, 90, 10),
            np.arange(5, 95, 10),
            stimulus=[f"s{i % 3}" for i in range(9)],
        )
        ragged(trials, "tags", [["a", "b"]] + [["c"]] * 8)
        trials.attrs["colnames"] = ["start_time", "stop_time", "stimulus", "tags"]
        acquisition = file.create_group("acquisition")
        series(acquisition, "ElectricalSeries", np.arange(300, dtype=np.int16).reshape(100, 3), rate=1000.0,
               kind="ElectricalSeries", unit="volts", conversion=1e-6, offset=0.5)  # fmt: skip
        acquisition["ElectricalSeries"]["channel_conversion"] = [1.0, 2.0, 3.0]
        acquisition["ElectricalSeries"]["electrodes"] = [0, 1, 2]
        acquisition["ElectricalSeries"]["electrodes"].attrs["table"] = electrodes.ref
        licks = group(acquisition, "licks", "AnnotationSeries")
        licks["data"], licks["timestamps"] = ["left", "right"], [1.0, 2.5]
        ttl = group(acquisition, "ttl", "LabeledEvents")
        ttl["timestamps"], ttl["data"] = [3.0, 4.0], np.array([1, 0], dtype=np.uint8)
        ttl["data"].attrs["labels"] = ["off", "on"]
        rewards = group(file, "events/rewards", "EventsTable")
        rewards["id"], rewards["timestamp"], rewards["volume"] = [0, 1], [5.0, 6.0], [2.0, 3.0]
        rewards.attrs["colnames"] = ["timestamp", "volume"]
        behaviour = group(file, "processing/behavior", "ProcessingModule")
        heading = group(behaviour, "CompassDirection", "CompassDirection")
        series(
            heading,
            "heading",
            rng.uniform(0, 6.28, 500),
            time=2 + np.arange(500) / 60,
            kind="SpatialSeries",
            unit="radians",
        )
        position = group(behaviour, "Position", "Position")
        series(
            position,
            "SpatialSeries",
            rng.normal(size=(500, 2)),
            time=2 + np.arange(500) / 60,
            kind="SpatialSeries",
            unit="m",
        )
        runs = group(behaviour, "BehavioralEpochs", "BehavioralEpochs")
        series(
            runs, "running", np.array([1, -1, 1, -1], dtype=np.int8), time=[1, 2, 5, 9], kind="IntervalSeries"
        )
        imaging = group(file, "processing/ophys", "ProcessingModule")
        cells = group(imaging, "ImageSegmentation/PlaneSegmentation", "PlaneSegmentation")
        cells["id"], cells["accepted"] = [5, 6], [1, 0]
        cells.attrs["colnames"] = ["accepted"]
        for kind in ("Fluorescence", "DfOverF"):
            held = group(imaging, kind, kind)
            made = series(held, "RoiResponseSeries", rng.normal(size=(200, 2)).astype("f4"), rate=20.0, start=1.0,
                          kind="RoiResponseSeries", unit="lumens")  # fmt: skip
            made["rois"] = [0, 1]
            made["rois"].attrs["table"] = cells.ref
        movie = group(acquisition, "movie", "TwoPhotonSeries")
        movie["data"] = np.zeros((4, 8, 8), dtype=np.uint8)
        movie["starting_time"] = 0.0
        movie["starting_time"].attrs["rate"] = 10.0
    return Path(path)


def damaged(folder):
    """{what is wrong: path} of six damaged files."""
    folder = Path(folder)
    rng = np.random.default_rng(2)
    files = {}

    files["spikes"] = folder / "spikes.nwb"  # unsorted, written twice, silent, the same unit twice
    with new(files["spikes"]) as file:
        each = trains(4)
        each[0] = rng.permutation(each[0])
        each[1] = np.sort(np.r_[each[1], each[1][:50]])
        units(file, [*each, each[3], np.empty(0)])

    files["milliseconds"] = folder / "milliseconds.nwb"  # taken for seconds; trials are in seconds
    with new(files["milliseconds"]) as file:
        units(file, [np.unique(np.round(1000 * train)) for train in trains(4)])
        table(file.create_group("intervals"), "trials", np.arange(0, 90, 5), np.arange(1, 91, 5))

    files["samples"] = folder / "samples.nwb"  # of 30 kHz, over 40 min
    with new(files["samples"]) as file:
        units(file, [np.round(30_000 * train) for train in trains(3, length=2400.0)])

    files["trials"] = folder / "trials.nwb"  # exchanged, outside, without an end, empty
    with new(files["trials"]) as file:
        units(file, trains(3))
        held = file.create_group("intervals")
        table(held, "exchanged", np.arange(5, 95, 10), np.arange(0, 90, 10))
        table(held, "trials", np.arange(80, 130, 10), [85, 95, 105, np.nan, 125], stimulus=list("abcab"))
        table(held, "another_clock", np.arange(5) + 1e5, np.arange(5) + 1e5 + 1)
        table(held, "none", [], [])

    files["signals"] = (
        folder / "signals.nwb"
    )  # gaps, jumps, falling times, a constant channel, times of another length
    with new(files["signals"]) as file:
        acquisition = file.create_group("acquisition")
        time = np.arange(1000) / 100
        time[600:] += 3.0
        values = rng.normal(size=(1000, 3))
        values[100:150, 0] = np.nan
        values[300:310, 1] = np.nan
        values[:, 2] = 7.0
        series(acquisition, "tracking", values, time=time, unit="cm")
        falling = np.arange(100) / 100
        falling[50] = 0.1
        series(acquisition, "falling", np.zeros(100) + np.arange(100), time=falling)
        series(acquisition, "short", np.arange(100.0), time=np.arange(90) / 100)

    files["transposed"] = folder / "transposed.nwb"  # (channels, time), with and without a table of regions
    with new(files["transposed"]) as file:
        imaging = group(file, "processing/ophys", "ProcessingModule")
        cells = group(imaging, "ImageSegmentation/PlaneSegmentation", "PlaneSegmentation")
        cells["id"] = np.arange(6)
        cells.attrs["colnames"] = ["id"]
        held = group(imaging, "Fluorescence", "Fluorescence")
        made = series(held, "told", rng.normal(size=(6, 400)), rate=20.0, kind="RoiResponseSeries")
        made["rois"] = np.arange(6)
        made["rois"].attrs["table"] = cells.ref
        series(held, "untold", rng.normal(size=(6, 400)), rate=20.0, kind="RoiResponseSeries")
    return files
