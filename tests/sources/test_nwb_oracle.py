"""Files that pynwb itself writes, read with h5py: the same numbers as pynwb gives."""

import datetime

import numpy as np
import pytest

import consilience as cs

pynwb = pytest.importorskip("pynwb")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    from pynwb.behavior import BehavioralEvents, CompassDirection, Position, SpatialSeries
    from pynwb.ecephys import LFP, ElectricalSeries
    from pynwb.misc import AnnotationSeries, IntervalSeries
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel, RoiResponseSeries

    rng = np.random.default_rng(0)
    start = datetime.datetime(2024, 5, 1, 10, tzinfo=datetime.UTC)
    file = pynwb.NWBFile(session_description="s", identifier="i", session_start_time=start, session_id="s7")
    file.subject = pynwb.file.Subject(subject_id="m9", species="Mus musculus", age="P90D", sex="F")
    device = file.create_device(name="probe")
    groups = [
        file.create_electrode_group(name=f"shank{k}", description="d", location=place, device=device)
        for k, place in enumerate(("CA1", "CA3"))
    ]
    for k in range(4):
        file.add_electrode(group=groups[k // 2], location=("CA1", "CA3")[k // 2], x=1.0 * k, y=0.0, z=0.0)
    file.add_unit_column(name="quality", description="q")
    file.add_unit_column(name="snr", description="s")
    for k in range(3):
        file.add_unit(
            spike_times=np.sort(rng.uniform(0, 50, 100 + k)),
            electrodes=[k, k + 1],
            electrode_group=groups[k // 2],
            quality=("good", "mua", "good")[k],
            snr=0.5 * k,
            obs_intervals=[[0.0, 20.0], [25.0, 50.0]],
            waveform_mean=rng.normal(size=20),
        )
    file.add_trial_column(name="stimulus", description="d")
    for k in range(5):
        file.add_trial(
            start_time=1.0 * k, stop_time=k + 0.5, stimulus=f"s{k % 2}", tags=["a", "b"][: 1 + k % 2]
        )
    region = file.create_electrode_table_region([1, 3], "r")
    rows = rng.integers(-100, 100, size=(400, 2)).astype(np.int16)
    file.add_acquisition(
        ElectricalSeries(
            name="raw",
            data=rows,
            electrodes=region,
            rate=1000.0,
            starting_time=2.0,
            conversion=2e-6,
            offset=1e-3,
            channel_conversion=[1.0, 0.5],
        )
    )
    behaviour = file.create_processing_module(name="behavior", description="b")
    times = np.cumsum(rng.uniform(0.01, 0.02, 300))
    behaviour.add(
        Position(
            spatial_series=SpatialSeries(
                name="place",
                data=rng.normal(size=(300, 2)),
                timestamps=times,
                reference_frame="f",
                unit="cm",
                conversion=0.01,
            )
        )
    )
    direction = SpatialSeries(
        name="head",
        data=rng.uniform(0, 6, 300),
        timestamps=behaviour["Position"]["place"],
        reference_frame="f",
        unit="radians",
    )
    behaviour.add(CompassDirection(spatial_series=direction))
    rewards = pynwb.TimeSeries(name="rewards", data=np.ones(3), timestamps=[1.0, 2.0, 7.0], unit="ml")
    behaviour.add(BehavioralEvents(time_series=rewards))
    file.add_acquisition(AnnotationSeries(name="notes", data=["x", "y"], timestamps=[3.0, 4.0]))
    file.add_acquisition(
        IntervalSeries(name="lit", data=np.array([1, -1], dtype=np.int8), timestamps=[5.0, 6.0])
    )
    ecephys = file.create_processing_module(name="ecephys", description="e")
    lfp = ElectricalSeries(name="lfp", data=rng.normal(size=(50, 2)), electrodes=region, rate=100.0)
    ecephys.add(LFP(electrical_series=lfp))
    plane = file.create_imaging_plane(
        name="plane",
        description="p",
        device=device,
        excitation_lambda=600.0,
        indicator="GCaMP",
        location="V1",
        optical_channel=OpticalChannel(name="o", description="o", emission_lambda=500.0),
    )
    ophys = file.create_processing_module(name="ophys", description="o")
    segmentation = ImageSegmentation()
    ophys.add(segmentation)
    cells = segmentation.create_plane_segmentation(name="cells", description="c", imaging_plane=plane)
    cells.add_column(name="iscell", description="i")
    for k in range(3):
        cells.add_roi(pixel_mask=[(k, k, 1.0)], iscell=k != 1)
    made = RoiResponseSeries(
        name="dff",
        data=rng.normal(size=(80, 3)),
        rois=cells.create_roi_table_region("all", [0, 1, 2]),
        unit="n.a.",
        rate=20.0,
    )
    ophys.add(DfOverF(roi_response_series=made))
    path = tmp_path_factory.mktemp("oracle") / "by_pynwb.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as stream:
        stream.write(file)
    return path


def test_the_same_numbers(path):
    rec = cs.read(path)
    with pynwb.NWBHDF5IO(str(path), "r") as stream:
        file = stream.read()
        frame = file.units.to_dataframe()
        for i in range(3):
            np.testing.assert_array_equal(rec.spikes.of(i), frame["spike_times"].iloc[i])
        assert rec.units["quality"].tolist() == frame["quality"].tolist()
        assert rec.units["snr"].tolist() == frame["snr"].tolist()
        trials = file.trials.to_dataframe()
        np.testing.assert_array_equal(rec.intervals["trials"].start, trials["start_time"])
        assert rec.intervals["trials"].columns["tags"].tolist() == [
            ", ".join(entry) for entry in trials["tags"]
        ]
        raw = file.acquisition["raw"]
        np.testing.assert_allclose(
            rec.signals["raw"].values, raw.data[:] * 2e-6 * np.array([1.0, 0.5]) + 1e-3, rtol=1e-14
        )
        np.testing.assert_allclose(rec.signals["raw"].time, raw.get_timestamps(), rtol=1e-14)
        place = file.processing["behavior"]["Position"]["place"]
        np.testing.assert_allclose(rec.signals["place"].values, place.get_data_in_units(), rtol=1e-14)
        np.testing.assert_array_equal(rec.signals["place"].time, place.timestamps[:])
        np.testing.assert_array_equal(rec.signals["head"].time, place.timestamps[:])  # linked in the file
        np.testing.assert_array_equal(
            rec.signals["dff"].values, file.processing["ophys"]["DfOverF"]["dff"].data[:]
        )


def test_what_belongs_to_them(path):
    rec = cs.read(path)
    assert (rec.subject, rec.session, rec.attrs["species"], rec.attrs["age"]) == (
        "m9",
        "s7",
        "Mus musculus",
        "P90D",
    )
    assert rec.units["area"].tolist() == ["CA1", "CA1", "CA3"]
    assert rec.units["electrode_group"].tolist() == ["shank0", "shank0", "shank1"]
    assert rec.observed == cs.Intervals([0, 25], [20, 50])
    assert rec.signals["raw"].columns["location"].tolist() == ["CA1", "CA3"]
    assert rec.signals["raw"].channels.tolist() == [1, 3]
    assert rec.signals["lfp"].kind == "voltage"
    assert rec.signals["dff"].kind == "dff"
    assert rec.signals["dff"].columns["iscell"].tolist() == [True, False, True]
    assert rec.signals["head"].unit == "radians"
    assert rec.signals["rewards"].time.tolist() == [1, 2, 7]
    assert rec.events["notes"].columns["annotation"].tolist() == ["x", "y"]
    assert rec.intervals["lit"] == cs.Intervals([5], [6])
    assert rec.cautions == ()


def test_round_trip_of_a_file_of_pynwb(path, tmp_path):
    rec = cs.read(path)
    again = cs.write_nwb(rec, tmp_path / "ours.nwb")
    assert cs.read(again) == rec
    assert not pynwb.validate(path=str(again))
