"""Spike trains, signals and the recording that holds them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import consilience as cs


def test_spike_trains_from_lists_and_from_clusters_agree():
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 10, size=k)) for k in (5, 0, 12)]
    one = cs.SpikeTrains.from_list(trains)
    times, owner = np.concatenate(trains), np.repeat([7, 3, 1], [5, 0, 12])
    shuffled = rng.permutation(times.size)
    two = cs.SpikeTrains.from_clusters(times[shuffled], owner[shuffled], [7, 3, 1])
    assert one == two
    assert two.counts.tolist() == [5, 0, 12]
    assert one.owners.tolist() == [0] * 5 + [2] * 12
    some = cs.SpikeTrains.from_clusters(times[shuffled], owner[shuffled], [1])
    np.testing.assert_array_equal(some.of(0), trains[2])
    assert [len(t) for t in one] == [5, 0, 12]
    assert one.select([2, 0]).counts.tolist() == [12, 5]
    assert one.select(np.array([True, False, False])).counts.tolist() == [5]
    within = cs.Intervals([2], [5])
    assert [t.tolist() for t in one.within(within)] == [t[(t >= 2) & (t < 5)].tolist() for t in trains]


def test_spikes_out_of_order_are_sorted_within_their_unit_and_said():
    given = np.array([3.0, 1.0, 2.0, 0.5])
    with pytest.warns(cs.ConsilienceWarning, match="1 of 2 units did not rise") as said:
        spikes = cs.SpikeTrains(given, [0, 3, 4])
    assert said[0].message.code == "unsorted-spikes"
    assert spikes.of(0).tolist() == [1, 2, 3]
    assert spikes.of(1).tolist() == [0.5]
    assert given.tolist() == [3.0, 1.0, 2.0, 0.5]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cs.SpikeTrains([0.1, np.inf], [0, 2]), "spike times has 1 entries that are NaN or infinite"),
        (lambda: cs.SpikeTrains([0.1], [0, 2]), r"rise from 0 to the number of spikes \(1\)"),
        (lambda: cs.SpikeTrains([0.1, 0.2], [0, 2, 1]), "rise from 0"),
        (lambda: cs.SpikeTrains([0.1], [0.0, 1.0]), "whole numbers"),
        (lambda: cs.SpikeTrains.from_list([[1.0], ["x"]]), "spike times of unit 1 must be numbers"),
        (lambda: cs.SpikeTrains.from_clusters([1.0], [1, 2], [1]), "every spike needs a cluster"),
        (lambda: cs.SpikeTrains.from_clusters([1.0], [1], [1, 1]), "units come more than once"),
        (lambda: cs.Signal(np.zeros((3, 2)), [0, 1]), r"one row per time \(2\), got shape \(3, 2\)"),
        (lambda: cs.Signal(np.zeros(3), [0, 2, 1]), "time must increase; sample 2 is at 1 s after 2 s"),
        (lambda: cs.Signal(["a"], [0]), "values must be numbers"),
        (lambda: cs.Signal(np.zeros(2), [0, 1], kind="volts"), "kind must be one of"),
        (lambda: cs.Signal(np.zeros((2, 2)), [0, 1], channels=["x", "x"]), "channel names must differ"),
        (lambda: cs.Recording("a"), "there is nothing in it"),
        (lambda: cs.Recording("a", units={"depth": [1]}), "a unit table and no spikes"),
        (lambda: cs.Recording(spikes="abc"), "a list of spike times per unit, got str"),
        (lambda: cs.Recording(spikes=[[1]], units={"depth": [1, 2]}), r"for each unit \(1\)"),
        (lambda: cs.Recording(spikes=[[1], [2]], units={"unit": ["a", "a"]}), "names of units must differ"),
        (
            lambda: cs.Recording(spikes=[[1]], signals={"x": np.zeros(3)}),
            r"signals\['x'\] must be cs.Signal, got ndarray",
        ),
        (lambda: cs.Recording(spikes=[[1]], intervals=[1]), "intervals must be a mapping"),
        (
            lambda: cs.Recording(
                spikes=[[1]], intervals={"a": cs.Intervals([0], [1])}, events={"a": cs.Events([0])}
            ),
            "different names; 'a' is both",
        ),
        (lambda: cs.Recording(spikes=[[1]], observed=[0, 1]), "observed must be cs.Intervals"),
    ],
)
def test_messages(make, said):
    with pytest.raises(cs.InputError, match=said):
        make()


def test_signals_keep_their_values_and_read_only_what_is_asked_for(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(20, dtype=">i2").reshape(10, 2)
    with h5py.File(tmp_path / "a.h5") as file:
        signal = cs.Signal(file["x"], np.arange(10) / 50, channels=["x", "y"])
        assert signal.rows(2, 4).tolist() == [[4, 5], [6, 7]]
        assert signal.values.dtype == np.float64
        assert signal.rate == pytest.approx(50)
        assert signal.shape == (10, 2)
    one = cs.Signal([1, 2, 3], [0, 1, 2])
    assert one.values.tolist() == [[1], [2], [3]]
    with pytest.raises(ValueError, match="read-only"):
        one.values[0] = 5


def made():
    return cs.Recording(
        "M1",
        spikes=[[0.1, 0.5, 2.5], [0.2], []],
        units={"unit": ["a", "b", "c"], "depth": [1.0, 2.0, 3.0]},
        signals={"hand": cs.Signal(np.zeros((4, 2)), [0, 1, 2, 3], unit="cm", channels=["x", "y"])},
        intervals={"trials": cs.Intervals([0, 2], [1, 3], {"target": [3, 5]})},
        events={"reward": cs.Events([0.9])},
        subject="m",
        session="s1",
    )


def test_a_recording_says_what_is_in_it():
    text = repr(made())
    for part in (
        "<Recording> M1 (m, s1)",
        "spikes: 3 units, 4 spikes; columns unit, depth",
        "signal hand: 4 samples x 2 channels (x, y), behaviour in cm, 0 to 3 s, about 1 Hz",
        "intervals trials: 2 intervals, 0 to 3 s, 2 s; columns target",
        "event reward: 1 events, 0.9 to 0.9 s",
        "from the first to the last sample: 0 to 4 s",
    ):
        assert part in text, text
    assert made() == made()
    assert made() != made().select(["a"])


def test_units_are_selected_by_name_or_mask():
    rec = made()
    assert rec.select(["c", "a"]).unit_names.tolist() == ["c", "a"]
    assert rec.select(["c", "a"]).units["depth"].tolist() == [3, 1]
    assert rec.select(rec.units["depth"] > 1.5).unit_names.tolist() == ["b", "c"]
    plain = cs.Recording(spikes=[[1], [2], [3]])
    assert plain.select([2, 0]).unit_names.tolist() == [2, 0]  # they keep their names
    with pytest.raises(cs.InputError, match="there is no unit 'd'"):
        rec.select(["d"])
    with pytest.raises(cs.InputError, match="no unit is left"):
        rec.select([False, False, False])
    with pytest.raises(cs.InputError, match="one entry for each of 3 units"):
        rec.select([True])


def test_restricting_leaves_spikes_in_the_intervals_and_says_what_was_observed():
    rec = made().restrict(cs.Intervals([0], [0.5]))
    assert rec.spikes.counts.tolist() == [1, 1, 0]
    assert rec.observed == cs.Intervals([0], [0.5])
    assert made().restrict("trials").restrict(cs.Intervals([2.2], [9])).observed == cs.Intervals([2.2], [3])
    with pytest.raises(cs.InputError, match="'trial' is no table of intervals"):
        made().restrict("trial")


def apart():
    each = [cs.Intervals([0], [50]), cs.Intervals([20], [80]), cs.Intervals([0, 60], [30, 80])]
    return cs.Recording(spikes=[[1.0, 25.0], [25.0, 70.0], [2.0, 65.0]], observed_by_unit=each)


def test_what_was_observed_is_that_of_the_units_chosen():
    rec = apart()
    assert rec.observed == cs.Intervals([20], [30])
    assert rec.select([0]).observed == cs.Intervals([0], [50])
    assert rec.select([2, 1]).observed == cs.Intervals([20, 60], [30, 80])
    assert rec.select([2, 1]).select([1]).observed == cs.Intervals([20], [80])
    assert rec.select([True, False, True]).observed == cs.Intervals([0], [30])
    chosen = rec.select([1, 2])
    assert [one.total for one in chosen.observed_by_unit] == [60, 50]
    assert chosen.bin(5.0).sizes["time"] == 6  # the recording has 2
    assert rec.bin(5.0).sizes["time"] == 2
    found = cs.units.firing_rate(chosen.spikes, observed=chosen.observed).value
    np.testing.assert_allclose(found, [2 / 30, 1 / 30])
    part = rec.restrict(cs.Intervals([0], [25]))
    assert part.observed == cs.Intervals([20], [25])
    assert part.select([1]).observed == cs.Intervals([20], [25])


def test_what_was_said_to_be_observed_stays():
    narrow = replace(apart(), observed=cs.Intervals([22], [28]))
    assert narrow.select([0]).observed == cs.Intervals([22], [28])
    assert made().select(["a"]).observed == made().observed


def test_what_is_observed_of_each_unit_must_fit():
    for each in ([cs.Intervals([0], [1])], "ab", [(0, 1), (0, 1)], cs.Intervals([0], [1])):
        with pytest.raises(
            cs.InputError, match=r"a list with one cs\.Intervals for each of 2 units, got"
        ) as error:
            cs.Recording(spikes=[[0.5], [0.5]], observed_by_unit=each)
        assert error.value.code == "bad-recording"


def test_spike_times_of_32_bits_are_said_in_long_recordings():
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(20_000, 20_600, 3000))

    def bins(spikes):
        return cs.Recording(name="V1", spikes=[spikes], observed=cs.Intervals([0], [21_000])).bin(60.0)

    with pytest.warns(
        cs.ConsilienceWarning, match=r"coarse-times.* 32-bit floats or a slow clock, 2 ms apart at 20[56]\d\d"
    ):
        bins(np.unique(times.astype(np.float32)))
    with pytest.warns(cs.ConsilienceWarning, match=r"coarse-times.*cs\.units\.cv: all spike times"):
        cs.units.cv([times.astype(np.float32)])
    for fine in (
        times,
        np.round(times, 3),
        np.unique(np.round(times)),
        np.unique((times - 19_900).astype(np.float32)),
        np.unique(np.round(1024 * rng.uniform(0, 12_000, 3000))) / 1024,  # a clock of 1024 Hz, in 64 bits
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message=r"\[not-seconds\]")  # of whole numbers
            bins(fine)
