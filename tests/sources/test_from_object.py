"""Objects of other packages by their attributes: with stand-ins, and with the packages where they are installed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import consilience as cs

TRAINS = [np.array([0.1, 0.5, 0.9]), np.array([]), np.array([0.2, 0.3])]


def stand_in(kind, **attributes):
    return type(kind, (), attributes)()


# -- MNE


def fake_epochs():
    values = np.random.default_rng(0).normal(size=(4, 3, 5))
    return values, stand_in(
        "Epochs",
        get_data=lambda self: values,
        ch_names=["Fz", "STI", "Cz"],
        get_channel_types=lambda self: ["eeg", "stim", "eeg"],
        times=np.arange(5) / 10 - 0.1,
        info={"bads": ["Cz"]},
        events=np.array([[0, 0, 7], [1, 0, 8], [2, 0, 7], [3, 0, 8]]),
        event_id={"face": 7, "house": 8},
        metadata=None,
    )


def test_epochs():
    values, epochs = fake_epochs()
    data = cs.from_object(epochs, name="EEG", picks="all")
    assert data.dims == ("trial", "time", "unit")
    np.testing.assert_array_equal(data.values, values[:, [0, 2]].swapaxes(1, 2))
    assert data["stimulus"].values.tolist() == ["face", "house", "face", "house"]
    assert data["repeat"].values.tolist() == [0, 0, 1, 1]
    assert data["unit"].values.tolist() == ["Fz", "Cz"]
    assert data["bad"].values.tolist() == [False, True]
    assert data.attrs["kind"] == "voltage"
    assert data.attrs["system"] == "EEG"
    assert data.attrs["unit"] == "V"
    with pytest.raises(cs.InputError, match="no option 'window'; the options are stimulus, picks"):
        cs.from_object(epochs, window=1)
    with pytest.raises(cs.InputError, match="no column of the metadata"):
        cs.from_object(epochs, stimulus="image", picks="all")


def test_channels_of_mne():
    """By default data channels that are not bad, and it is said what was left out; units that differ are said."""
    _, epochs = fake_epochs()
    with pytest.warns(
        cs.ConsilienceWarning, match=r"channels-left-out.*1 of 3 .*1 marked bad \(Cz\)"
    ) as seen:
        assert cs.from_object(epochs)["unit"].values.tolist() == ["Fz"]
    assert len(seen) == 1
    assert cs.from_object(epochs, picks=["Cz"])["unit"].values.tolist() == ["Cz"]  # named, so meant
    assert cs.from_object(epochs, picks="eeg")["unit"].values.tolist() == ["Fz"]
    with pytest.raises(cs.InputError, match="picks='C' is no channel and no type"):
        cs.from_object(epochs, picks="C")
    with pytest.raises(cs.InputError, match="picks must be"):
        cs.from_object(epochs, picks=3)
    assert cs.from_object(epochs, picks=[0, 2])["unit"].values.tolist() == ["Fz", "Cz"]  # places
    assert cs.from_object(epochs, picks=np.array([2]))["unit"].values.tolist() == ["Cz"]
    with pytest.raises(cs.InputError, match="places of channels, 0 to 2"):
        cs.from_object(epochs, picks=[3])
    with pytest.raises(cs.InputError, match="picks='meg' is no channel"):
        cs.from_object(epochs, picks="meg")
    epochs.get_channel_types = lambda: ["mag", "stim", "grad"]
    epochs.info["bads"] = []
    with pytest.warns(cs.ConsilienceWarning, match="mixed-units"):
        assert cs.from_object(epochs, picks="meg")["type"].values.tolist() == ["mag", "grad"]
    del epochs.get_channel_types
    epochs.info["bads"] = ["Fz", "Cz"]
    with pytest.raises(cs.InputError, match="no channel is left of 3"):
        cs.from_object(epochs)
    epochs.info["bads"] = []
    type(epochs).get_channel_types = lambda self: ["eeg", "eog", "mag"]
    with pytest.warns(cs.ConsilienceWarning) as seen:
        data = cs.from_object(epochs)
    assert data["unit"].values.tolist() == ["Fz", "Cz"]
    assert [entry.message.code for entry in seen] == ["channels-left-out", "mixed-units"]
    assert "1 no data (STI: eog)" in str(seen[0].message)
    assert "mixed-units" in data.attrs["consilience_warnings"]
    assert "unit" not in data.attrs


def test_spans_of_mne_that_are_bad():
    mne = pytest.importorskip("mne")
    info = mne.create_info(["a"], 100.0, ["eeg"])
    raw = mne.io.RawArray(np.zeros((1, 3000)), info, first_samp=250, verbose="error")
    raw.set_annotations(mne.Annotations([2.0, 20.0, 25.0], [4.0, 0.0, 1.0], ["BAD_move", "bad", "go"]))
    with pytest.warns(cs.ConsilienceWarning, match=r"bad-spans.*2 annotations called bad take 4.01 of 30 s"):
        rec = cs.from_object(raw)
    on = np.array([1.0, 3.0, 5.9, 10.0, 19.8, 25.0])
    with pytest.warns(cs.ConsilienceWarning):
        data = rec.epoch(on=on, window=(0, 0.5), missing="omit")
    events = np.c_[raw.time_as_index(on, origin=None) + 250, np.zeros(6, int), np.arange(6)]
    kept = mne.Epochs(raw, events, tmin=0, tmax=0.49, baseline=None, preload=True, verbose="error")
    assert data.sizes["trial"] == len(kept) == 3
    with pytest.raises(cs.InputError, match="3 of 6 trials"):
        rec.epoch(on=on, window=(0, 0.5))
    assert cs.from_object(raw, reject_by_annotation=False).observed is None


def test_real_mne():
    mne = pytest.importorskip("mne")
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    info = mne.create_info(["a", "b", "m", "trigger"], 100.0, ["eeg", "eeg", "mag", "stim"])
    raw = mne.io.RawArray(rng.normal(size=(4, 1000)), info, first_samp=250, verbose="error")
    raw.set_annotations(mne.Annotations([1.0, 4.0], [0.5, 0.0], ["left", "right"]))
    with pytest.warns(cs.ConsilienceWarning, match="mixed-units.*eeg, mag"):
        rec = cs.from_object(raw)
    np.testing.assert_array_equal(rec.signals["raw"].values, raw.get_data()[:3].T)
    np.testing.assert_allclose(rec.intervals["annotations"].start, [1.0, 4.0])  # on the clock of raw.times
    assert rec.intervals["annotations"].columns["description"].tolist() == ["left", "right"]
    assert rec.signals["raw"].columns["type"].tolist() == ["eeg", "eeg", "mag"]
    assert rec.signals["raw"].kind == "activation"  # volts and tesla
    events, event_id = mne.events_from_annotations(raw, verbose="error")
    epochs = mne.Epochs(
        raw, events, event_id, -0.2, 0.5, baseline=None, preload=True, verbose="error",
        metadata=pd.DataFrame({"image": ["x", "y"], "rt": [0.3, 0.4]}),
    )  # fmt: skip
    with pytest.warns(cs.ConsilienceWarning, match="mixed-units"):
        data = cs.from_object(epochs, stimulus="image")
    np.testing.assert_allclose(data.values, epochs.get_data()[:, :3].swapaxes(1, 2))
    np.testing.assert_allclose(data["time"], epochs.times)
    assert data["event"].values.tolist() == ["left", "right"]
    assert data["rt"].values.tolist() == [0.3, 0.4]
    evoked = cs.from_object(epochs.average("all"), picks="eeg")
    assert evoked.dims == ("time", "unit")
    assert evoked.attrs["n_averaged"] == 2


# -- neo


SCALE = {"s": 1.0, "ms": 1e-3, "V": 1.0, "mV": 1e-3}
VOLTS = ("V", "mV")


class Quantity:
    """Numbers with a unit, as `quantities` has them."""

    def __init__(self, magnitude, unit):
        self.magnitude, self.unit = np.asarray(magnitude, dtype=float), unit
        self.units = SimpleNamespace(dimensionality=unit)

    def __len__(self):
        return len(self.magnitude)

    def rescale(self, unit):
        if (unit in VOLTS) != (self.unit in VOLTS):
            raise ValueError(f"cannot convert {self.unit} to {unit}")
        return Quantity(self.magnitude * SCALE[self.unit] / SCALE[unit], unit)


class Train(Quantity):
    def __init__(self, times, stop, **annotations):
        super().__init__(np.asarray(times) * 1000, "ms")
        self.t_start, self.t_stop = Quantity(0, "ms"), Quantity(stop * 1000, "ms")
        self.name, self.annotations = None, annotations


def fake_segment(stop=1.0):
    signal = Quantity(np.arange(10.0).reshape(5, 2), "mV")
    signal.times, signal.name, signal.array_annotations = Quantity(np.arange(5) * 10.0, "ms"), "LFP", {}
    epoch = Quantity([100.0, 500.0], "ms")
    epoch.durations, epoch.labels, epoch.name = Quantity([50, 60], "ms"), ["a", "b"], "trials"
    event = Quantity([0.2], "s")
    event.labels, event.name = np.array([], dtype=str), None
    return SimpleNamespace(
        spiketrains=[Train(t, stop + (i == 2), area="V1" if i else "V2") for i, t in enumerate(TRAINS)],
        analogsignals=[signal],
        epochs=[epoch],
        events=[event],
        name="day1",
    )


def test_segment():
    with pytest.warns(cs.ConsilienceWarning, match="end at 1 to 2 s") as seen:
        rec = cs.from_object(fake_segment())
    assert seen[0].message.code == "spans-differ"
    assert rec.observed == cs.Intervals([0], [1])
    assert rec.select([2]).observed == cs.Intervals([0], [2])
    for i, train in enumerate(TRAINS):
        np.testing.assert_allclose(rec.spikes.of(i), train)
    assert rec.units["area"].tolist() == ["V2", "V1", "V1"]
    np.testing.assert_allclose(rec.signals["LFP"].values, np.arange(10.0).reshape(5, 2) / 1000)
    assert (rec.signals["LFP"].unit, rec.signals["LFP"].kind) == ("V", "voltage")
    np.testing.assert_allclose(rec.intervals["trials"].stop, [0.15, 0.56])
    assert rec.intervals["trials"].columns["label"].tolist() == ["a", "b"]
    assert rec.events["events0"].time.tolist() == [0.2]
    assert (rec.observed.start[0], rec.observed.stop[0]) == (0.0, 1.0)
    assert rec.name == "day1"


def test_block_of_segments():
    block = SimpleNamespace(segments=[fake_segment(), fake_segment()], rec_datetime=None, name="b")
    with pytest.raises(cs.InputError, match="give segment=, 0 to 1"):
        cs.from_object(block)
    with pytest.raises(cs.InputError, match="segment must be a whole number"):
        cs.from_object(block, segment=2)


def test_times_without_a_unit_are_refused():
    segment = fake_segment()
    segment.epochs[0].durations = np.array([1.0, 2.0])
    with pytest.raises(cs.InputError, match="epochs 0 cannot be converted to s"):
        cs.from_object(segment)


def test_real_neo():
    neo = pytest.importorskip("neo")
    pq = pytest.importorskip("quantities")
    segment = neo.Segment(name="one")
    for i, train in enumerate(TRAINS):
        segment.spiketrains.append(
            neo.SpikeTrain(train * 1000 * pq.ms, t_stop=2.0 * pq.s, name=f"u{i}", depth=10 * i)
        )
    segment.analogsignals.append(
        neo.AnalogSignal(
            np.arange(8.0).reshape(4, 2), units="uV", sampling_rate=0.5 * pq.kHz, name="lfp", t_start=1 * pq.s
        )
    )
    segment.analogsignals.append(
        neo.AnalogSignal(np.arange(4.0), units="deg", sampling_rate=2 * pq.Hz, name="angle")
    )
    segment.epochs.append(neo.Epoch([0.1, 0.5] * pq.s, [100, 200] * pq.ms, ["x", "y"], name="trials"))
    segment.events.append(neo.Event([0.3] * pq.s, ["lick"], name="licks"))
    block = neo.Block()
    block.segments.append(segment)
    rec = cs.from_object(block)
    for i, train in enumerate(TRAINS):
        np.testing.assert_allclose(rec.spikes.of(i), train)
    assert rec.unit_names.tolist() == ["u0", "u1", "u2"]
    assert rec.units["depth"].tolist() == [0, 10, 20]
    np.testing.assert_allclose(rec.signals["lfp"].values, np.arange(8.0).reshape(4, 2) * 1e-6)
    np.testing.assert_allclose(rec.signals["lfp"].time, 1 + np.arange(4) / 500)
    assert rec.signals["angle"].unit == "deg"
    np.testing.assert_allclose(rec.intervals["trials"].stop, [0.2, 0.7])
    assert rec.events["licks"].columns["label"].tolist() == ["lick"]


# -- pynapple


def fake_support(start=(0.0,), end=(1.0,)):
    return stand_in(
        "IntervalSet",
        start=np.array(start),
        end=np.array(end),
        intersect=None,
        set_diff=None,
        metadata_columns=[],
    )


def fake_ts(times):
    return stand_in("Ts", t=np.asarray(times), time_support=fake_support())


class FakeGroup(dict):
    rates, time_support, metadata_columns = None, fake_support(), ["rate", "area"]

    def get_info(self, name):
        return np.array(["V1", "V1", "V2"], dtype=object)


def test_group_and_its_kin():
    group = FakeGroup({3: fake_ts(TRAINS[0]), 5: fake_ts(TRAINS[1]), 9: fake_ts(TRAINS[2])})
    angle = stand_in("Tsd", t=np.arange(4) / 4, d=np.arange(4.0), time_support=fake_support())
    rec = cs.from_object(
        {
            "units": group,
            "angle": angle,
            "wake": fake_support((0.0, 0.6), (0.5, 0.9)),
            "licks": fake_ts([0.7]),
        }
    )
    assert rec.unit_names.tolist() == [3, 5, 9]
    assert rec.units["area"].tolist() == ["V1", "V1", "V2"]
    assert "rate" not in rec.units
    np.testing.assert_allclose(rec.spikes.of(2), TRAINS[2])
    assert rec.observed.stop.tolist() == [1.0]
    assert rec.signals["angle"].shape == (4, 1)
    assert rec.intervals["wake"].stop.tolist() == [0.5, 0.9]
    assert rec.events["licks"].time.tolist() == [0.7]
    assert len(cs.from_object(group).spikes) == 3
    assert len(cs.from_object(fake_ts([0.1])).spikes) == 1
    with pytest.raises(cs.InputError, match="there are 2 groups of units"):
        cs.from_object({"a": group, "b": group})
    with pytest.raises(cs.InputError, match="'a' is int"):
        cs.from_object({"a": 3})


@pytest.mark.filterwarnings("ignore:Some epochs have no duration", "ignore:divide by zero")  # of pynapple
def test_real_pynapple():
    nap = pytest.importorskip("pynapple")
    support = nap.IntervalSet([0, 2], [1.5, 4])
    group = nap.TsGroup(
        {i: nap.Ts(t) for i, t in enumerate(TRAINS)},
        time_support=support,
        metadata={"area": ["V1", "V1", "V2"]},
    )
    frame = nap.TsdFrame(t=np.arange(6) / 2, d=np.arange(12.0).reshape(6, 2), columns=["x", "y"])
    trials = nap.IntervalSet([0.0, 2.0], [0.5, 3.0], metadata={"image": ["a", "b"]})
    rec = cs.from_object({"units": group, "position": frame, "trials": trials, "licks": nap.Ts([0.4])})
    for i, train in enumerate(TRAINS):
        np.testing.assert_allclose(rec.spikes.of(i), train)
    assert rec.units["area"].tolist() == ["V1", "V1", "V2"]
    assert rec.observed.stop.tolist() == [1.5, 4.0]
    np.testing.assert_array_equal(rec.signals["position"].values, frame.d)
    assert rec.signals["position"].channels.tolist() == ["x", "y"]
    assert rec.intervals["trials"].columns["image"].tolist() == ["a", "b"]
    assert rec.events["licks"].time.tolist() == [0.4]
    assert cs.from_object(nap.Tsd(t=np.arange(3.0), d=np.arange(3.0))).signals["signal"].shape == (3, 1)
    assert len(cs.from_object(trials).intervals["intervals"]) == 2
    counts = group.count(0.5, ep=nap.IntervalSet([0], [1.5]))
    ours = rec.bin(0.5, within=cs.Intervals([0], [1.5]))
    np.testing.assert_array_equal(ours.values, counts.d)  # their bins are ours


# -- SpikeInterface, xarray


def test_sorting():
    sorting = stand_in(
        "Sorting",
        get_unit_ids=lambda self: np.array(["a", "b", "c"]),
        get_num_segments=lambda self: 1,
        get_unit_spike_train=lambda self, unit_id, segment_index, return_times: TRAINS["abc".index(unit_id)],
        get_property_keys=lambda self: ["snr", "template"],
        get_property=lambda self, key: np.ones(3) if key == "snr" else np.ones((3, 5)),
    )
    rec = cs.from_object(sorting)
    assert rec.unit_names.tolist() == ["a", "b", "c"]
    assert set(rec.units) == {"unit", "snr"}
    assert rec.spikes.counts.tolist() == [3, 0, 2]


def assembly():
    pd = pytest.importorskip("pandas")
    rows = pd.MultiIndex.from_arrays([["i1", "i2", "i1"], [0, 0, 1]], names=["image_id", "repetition"])
    columns = pd.MultiIndex.from_arrays([["n1", "n2"], ["IT", "V4"]], names=["neuroid_id", "region"])
    return xr.DataArray(
        np.arange(6.0).reshape(2, 3, 1),
        dims=("neuroid", "presentation", "time_bin"),
        coords=xr.Coordinates.from_pandas_multiindex(rows, "presentation")
        | dict(xr.Coordinates.from_pandas_multiindex(columns, "neuroid")),
    )


def test_presentations_by_neuroids():
    data = cs.from_object(assembly(), kind="rate", name="monkey")
    assert data.dims == ("trial", "unit")
    np.testing.assert_array_equal(data.values, np.arange(6.0).reshape(2, 3).T)
    assert data["stimulus"].values.tolist() == ["i1", "i2", "i1"]
    assert data["repeat"].values.tolist() == [0, 0, 1]
    assert data["region"].values.tolist() == ["IT", "V4"]
    assert data.attrs["kind"] == "rate"
    assert data.attrs["system"] == "monkey"


def test_presentations_by_neuroids_over_time():
    made = xr.DataArray(
        np.arange(18.0).reshape(2, 3, 3),
        dims=("presentation", "neuroid", "time_bin"),
        coords={"image_id": ("presentation", ["a", "b"]), "time_bin": [70, 80, 90]},
    )
    with pytest.raises(cs.InputError, match="time_bin goes from 70 to 90; give clock="):
        cs.from_object(made, kind="rate")
    data = cs.from_object(made, kind="rate", clock=1000)
    assert data.dims == ("trial", "time", "unit")
    np.testing.assert_allclose(data["time"], [0.07, 0.08, 0.09])
    np.testing.assert_array_equal(data.values, made.values.swapaxes(1, 2))
    made["time_bin"].attrs["units"] = "ms"
    np.testing.assert_allclose(cs.from_object(made, kind="rate")["time"], [0.07, 0.08, 0.09])
    ends = {"time_bin_start": ("time_bin", [0.0, 0.1, 0.2]), "time_bin_end": ("time_bin", [0.1, 0.2, 0.3])}
    data = cs.from_object(made.drop_vars("time_bin").assign_coords(ends), kind="rate")
    np.testing.assert_allclose(data["time"], [0.05, 0.15, 0.25])
    with pytest.raises(cs.InputError, match="time_bin has no times"):
        cs.from_object(made.drop_vars("time_bin"))


def test_data_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.arange(8.0).reshape(4, 2), index=list("abcd"), columns=["u1", "u2"])
    data = cs.from_object(frame, kind="rate", name="V4")
    xr.testing.assert_identical(data, cs.responses(frame, kind="rate", system="V4"))
    assert data["stimulus"].values.tolist() == list("abcd")
    assert data["unit"].values.tolist() == ["u1", "u2"]
    frame["image"], frame["block"], frame["go"] = list("xxyy"), ["1", "2"] * 2, [True, False] * 2
    data = cs.from_object(frame, stimulus="image")
    assert data["unit"].values.tolist() == ["u1", "u2"]
    assert data["repeat"].values.tolist() == [0, 1, 0, 1]
    assert data["stimulus"].values.tolist() == list("xxyy")
    assert data["block"].values.tolist() == ["1", "2", "1", "2"]
    assert data["go"].values.tolist() == [True, False] * 2
    with pytest.raises(cs.InputError, match="no column of the data frame"):
        cs.from_object(frame, stimulus="pic")
    with pytest.raises(cs.InputError, match="no column of the data frame holds numbers"):
        cs.from_object(frame[["image"]])


def test_columns_of_labels_are_not_taken_as_units():
    """A target among the columns would be decoded from itself."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    neurons = [f"n{i}" for i in range(3)]
    frame = pd.DataFrame(rng.normal(size=(6, 3)), columns=neurons)
    frame["image"], frame["Trial"], frame["cat"], frame["rt"] = (
        list("aabbcc"),
        range(6),
        [0, 1] * 3,
        rng.random(6),
    )
    with pytest.warns(cs.ConsilienceWarning, match="columns-as-labels.*: Trial, cat, rt ") as seen:
        data = cs.from_object(frame, stimulus="image")
    assert len(seen) == 1
    assert data["unit"].values.tolist() == neurons
    assert data["cat"].values.tolist() == [0, 1] * 3
    with pytest.warns(cs.ConsilienceWarning, match="renamed-label.*time is now trial_time"):
        timed = cs.from_object(frame.assign(time=range(6)), stimulus="image", units=neurons)
    assert timed["trial_time"].values.tolist() == list(range(6))
    assert "columns-as-labels" in data.attrs["consilience_warnings"]
    data = cs.from_object(frame, stimulus="image", units=["n1", "cat"])
    assert data["unit"].values.tolist() == ["n1", "cat"]
    assert data["n0"].dims == ("trial",)
    data = cs.from_object(frame, stimulus="image", labels=["Trial", "cat"], repeat=[0, 1, 0, 1, 4, 5])
    assert data["unit"].values.tolist() == [*neurons, "rt"]
    assert data["repeat"].values.tolist() == [0, 1, 0, 1, 4, 5]
    data = cs.from_object(frame, stimulus="image", units=neurons, labels="cat")
    assert "Trial" not in data.coords
    assert cs.from_object(frame, stimulus="image", labels=[]).sizes["unit"] == 6
    frame.loc[2, "n1"] = np.nan
    with pytest.raises(cs.InputError, match=r"cs.from_object: 1 value .*pass missing='omit'"):
        cs.from_object(frame, stimulus="image", units=neurons)
    with pytest.warns(cs.ConsilienceWarning, match="trials-omitted"):
        data = cs.from_object(frame, stimulus="image", units=neurons, missing="omit")
    assert data["cat"].values.tolist() == [0, 1, 1, 0, 1]
    with pytest.raises(cs.InputError, match=r"units names 'n9', which is no column"):
        cs.from_object(frame, units=["n9"])
    with pytest.raises(cs.InputError, match="units= must name columns of numbers, got image"):
        cs.from_object(frame, units=["image"])
    with pytest.raises(cs.InputError, match="image cannot be units"):
        cs.from_object(frame, stimulus="image", units=["image"])


def test_columns_of_counts_stay_units():
    pd = pytest.importorskip("pandas")
    own = pd.DataFrame({"a": pd.array([1.5, 2.5], dtype="Float64"), "b": pd.array([1, 0], dtype="Int64")})
    own["go"] = [True, False]
    assert cs.from_object(own, units=["b", "go"]).values.tolist() == [[1, 1], [0, 0]]
    frame = pd.DataFrame(np.arange(12).reshape(4, 3), index=list("abcd"), columns=["n0", "n1", "run"])
    with pytest.warns(cs.ConsilienceWarning, match=r"columns-as-labels.*Units: n0, n1\."):
        assert cs.from_object(frame, kind="count")["unit"].values.tolist() == ["n0", "n1"]
    frame = frame.drop(columns="run").assign(speed=[0.5, 1.5, 2.5, 3.5])
    with pytest.warns(cs.ConsilienceWarning, match="columns-as-labels.*: speed"):
        assert cs.from_object(frame, kind="count")["unit"].values.tolist() == ["n0", "n1"]
    with pytest.raises(cs.InputError, match=r"no column .* that is not a label \(run, rt\); units="):
        cs.from_object(pd.DataFrame({"run": [1, 2], "rt": [0.1, 0.2]}))


def test_responses_pass_and_other_arrays_are_refused():
    made = cs.responses(np.eye(3), stimulus=list("abc"), kind="count")
    xr.testing.assert_identical(cs.from_object(made), made)
    xr.testing.assert_identical(cs.from_object(made.to_dataset(name="x")), made.rename("x"))
    with pytest.raises(cs.InputError, match="rename them to trial, time and unit"):
        cs.from_object(xr.DataArray(np.eye(3), dims=("a", "b")))
    with pytest.raises(cs.InputError, match="give stimulus="):
        cs.from_object(xr.DataArray(np.eye(3), dims=("trial", "unit")))
    with pytest.raises(cs.InputError, match="2 variables; give variable="):
        cs.from_object(xr.Dataset({"x": made, "y": made}))


@pytest.mark.parametrize("thing", [3, "text", np.eye(3), None, object()])
def test_what_is_not_known(thing):
    with pytest.raises(cs.InputError, match="is no object that is known") as caught:
        cs.from_object(thing)
    assert caught.value.code == "unknown-object"


def test_every_entry_of_the_table_resolves():
    from consilience.sources._from_object import KINDS_OF_OBJECT

    assert all(callable(kind.function()) for kind in KINDS_OF_OBJECT)
