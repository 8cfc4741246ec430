"""epoch and bin: against a loop of numpy.histogram, by hand at edges, and what they refuse."""

import numpy as np
import pytest

import consilience as cs


def recording(seed=0, units=4, seconds=50.0, **more):
    rng = np.random.default_rng(seed)
    spikes = [np.sort(rng.uniform(0, seconds, size=int(seconds * (3 + 5 * u)))) for u in range(units)]
    start = np.sort(rng.uniform(1, seconds - 3, size=20))
    table = {"stimulus": [f"s{i % 5}" for i in range(20)], "cue": start - 0.3, "side": ["l", "r"] * 10}
    return cs.Recording(
        "V1",
        spikes=spikes,
        intervals={"trials": cs.Intervals(start, start + rng.uniform(0.5, 1.5, size=20), table)},
        events={"licks": cs.Events(np.sort(rng.uniform(5, 40, size=7)))},
        observed=cs.Intervals([0], [seconds]),
        **more,
    )


def by_hand(rec, onsets, edges):
    return np.array([[np.histogram(t, bins=on + edges)[0] for t in rec.spikes] for on in onsets]).swapaxes(
        1, 2
    )


def test_counts_in_bins_are_those_of_histograms_over_units_and_trials():
    rec = recording()
    trials = rec.intervals["trials"]
    edges = np.linspace(-0.2, 0.8, 11)
    found = rec.epoch(on="trials.start_time", window=(-0.2, 0.8), bin=0.1)
    np.testing.assert_array_equal(found.values, by_hand(rec, trials.start, edges))
    assert found.dims == ("trial", "time", "unit")
    assert found.attrs["kind"] == "count"
    assert found.attrs["system"] == "V1"
    np.testing.assert_allclose(found["time"], (edges[1:] + edges[:-1]) / 2)
    assert found["stimulus"].values.tolist() == trials.columns["stimulus"].tolist()
    assert found["repeat"].values.tolist() == [i // 5 for i in range(20)]
    assert found["side"].values.tolist() == ["l", "r"] * 10
    rates = rec.epoch(on="trials.start_time", window=(-0.2, 0.8), bin=0.1, reduce="rate")
    np.testing.assert_allclose(rates.values, found.values * 10, rtol=1e-6)
    assert rates.attrs["kind"] == "rate"
    np.testing.assert_array_equal(
        rec.epoch(on="trials.start_time", window=(-0.2, 0.8)).values, found.values.sum(axis=1)
    )


def test_trials_may_overlap_come_in_any_order_and_hang_on_any_column():
    rec = recording()
    cue = rec.intervals["trials"].columns["cue"]
    found = rec.epoch(on="trials.cue", window=(0, 10), bin=0.5, missing="omit") if cue.max() < 40 else None
    onsets = np.array([30.0, 10.0, 10.1, 35.5])
    made = rec.epoch(on=onsets, window=(0, 10), bin=0.5, stimulus=["a", "b", "c", "d"])
    np.testing.assert_array_equal(made.values, by_hand(rec, onsets, np.arange(21) / 2))
    made = rec.epoch(on=cs.Events(onsets, {"k": [1.5, 2, 3, 4]}), window=(0, 10), stimulus="k")
    assert made["stimulus"].values.tolist() == ["1.5", "2", "3", "4"]
    made = rec.epoch(on="licks", window=(-1, 1), stimulus=range(7))
    np.testing.assert_array_equal(
        made.values, by_hand(rec, rec.events["licks"].time, np.array([-1, 1]))[:, 0]
    )
    assert found is None or found.sizes["trial"] > 0


def test_a_spike_on_an_edge_belongs_to_the_later_bin_whatever_the_rounding():
    ticks = np.arange(1, 4000) / 1000  # a clock of 1 ms: every spike on an edge
    rec = cs.Recording(spikes=[ticks], observed=cs.Intervals([0], [5]))
    for onset in (1.0, 1.1, 0.7, 1.003):
        found = rec.epoch(on=[onset], window=(-0.05, 0.25), bin=0.01, stimulus=["a"])
        assert (found.values == 10).all(), onset
        assert rec.epoch(on=[onset], window=(0.07, 0.17), stimulus=["a"]).item() == 100
    counts = rec.bin(0.1, within=cs.Intervals([0.1], [3.9])).values
    assert (counts == 100).all()


def test_trials_of_unequal_length_are_filled_and_marked():
    rec = recording()
    trials = rec.intervals["trials"]
    found = rec.epoch(on="trials", bin=0.25)
    bins = np.floor(trials.duration / 0.25 + 1e-6).astype(int)
    assert found.sizes["time"] == bins.max()
    assert found["valid"].dims == ("trial", "time")
    np.testing.assert_array_equal(found["valid"].values.sum(axis=1), bins)
    assert np.isnan(found.values[~found["valid"].values]).all()
    for i in range(20):
        edges = trials.start[i] + 0.25 * np.arange(bins[i] + 1)
        np.testing.assert_array_equal(
            found.values[i, : bins[i]], np.array([np.histogram(t, edges)[0] for t in rec.spikes]).T
        )
    whole = rec.epoch(on="trials")
    assert whole.attrs["kind"] == "rate"  # counts of unequal times cannot be compared
    first = [((t >= trials.start[0]) & (t < trials.stop[0])).sum() / trials.duration[0] for t in rec.spikes]
    np.testing.assert_allclose(whole.values[0], first, rtol=1e-6)
    assert rec.epoch(on="trials", reduce="count").attrs["kind"] == "count"
    with pytest.raises(cs.InputError, match="have unequal lengths") as error:
        cs.rdms({"x": found})
    assert error.value.code == "unequal-trials"


def test_missing_trials_by_the_three_policies():
    rec = recording()
    onsets = [10.0, np.nan, 49.9, 20.0]
    events = cs.Intervals([10, 11, 12, 13], [10, 11, 12, 13], {"go": onsets, "stimulus": list("abcd")})
    rec = cs.Recording(spikes=rec.spikes, observed=rec.observed, intervals={"trials": events})
    with pytest.raises(
        cs.InputError,
        match=r"2 of 4 trials of trials.go have no time or no length, or lie outside .* trial 1, without",
    ):
        rec.epoch(on="trials.go", window=(0, 0.5))
    with pytest.warns(cs.ConsilienceWarning, match="2 of 4 trials") as said:
        found = rec.epoch(on="trials.go", window=(0, 0.5), missing="omit")
    assert said[0].message.code == "trials-left-out"
    assert found["stimulus"].values.tolist() == ["a", "d"]
    for bin in (None, 0.1):
        masked = rec.epoch(on="trials.go", window=(0, 0.5), bin=bin, missing="mask")
        assert masked["valid"].dims == ("trial",)
        assert masked["valid"].values.tolist() == [True, False, False, True]
        assert np.isnan(masked.values[1:3]).all()
        np.testing.assert_array_equal(
            masked.values[[0, 3]].reshape(2, -1, 4).sum(axis=1), found.values.reshape(2, -1, 4).sum(axis=1)
        )
    with pytest.raises(cs.InputError, match="none of the 2 trials lies in what was recorded"):
        rec.epoch(on=[1000, 2000], window=(0, 0.5), missing="omit")


def test_without_a_statement_of_what_was_observed_trials_beyond_all_spikes_are_said():
    rec = cs.Recording(spikes=[[1.0, 2.0], [1.5]])
    with pytest.warns(cs.ConsilienceWarning, match="1 of 2 trials lie wholly before") as said:
        rec.epoch(on=[1.0, 30.0], window=(0, 1), stimulus=["a", "b"])
    assert said[0].message.code == "outside-recording"


def test_ids_are_made_up_where_there_are_none_and_that_is_said():
    rec = recording()
    with pytest.warns(cs.ConsilienceWarning, match="No stimulus ids were given for the trials of licks"):
        found = rec.epoch(on="licks", window=(0, 1))
    assert found["stimulus"].values[0] == "trial00000"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on": "trials.begin", "window": (0, 1)}, "there is no column 'begin' of intervals"),
        ({"on": "trial", "window": (0, 1)}, "on='trial' is no table .* Did you mean 'trials'"),
        ({"on": "trials.side", "window": (0, 1)}, "holds text, not times"),
        ({"on": "licks"}, "licks are points in time; give window="),
        ({"on": "trials.cue"}, "trials.cue are points in time"),
        ({"on": "trials", "window": (1, 0)}, r"window must be \(from, to\) in seconds"),
        ({"on": "trials", "window": 1}, "window must be"),
        ({"on": "trials", "window": (0, np.nan)}, "window must be"),
        ({"on": "trials", "window": (0, 1), "bin": 0.3}, "bins of 0.3 s do not divide the window of 1 s"),
        ({"on": "trials", "window": (0, 1), "bin": 2}, "do not divide the window"),
        ({"on": "trials", "window": (0, 1), "bin": 0}, "bin must be a number"),
        ({"on": "trials", "window": (0, 1), "bin": -0.1}, "bin must be a number"),
        ({"on": "trials", "bin": 5}, "no trial is as long as one bin"),
        ({"on": "trials", "window": (0, 1), "reduce": "mean"}, r"reduce \(of spikes\) must be one of"),
        ({"on": "trials", "window": (0, 1), "of": "lfp"}, "of='lfp' is not in this recording"),
        ({"on": "trials", "window": (0, 1), "stimulus": "image"}, "stimulus='image' is no column of trials"),
        ({"on": "trials", "window": (0, 1), "stimulus": ["a"]}, "one id for each of 20 trials"),
        ({"on": "trials", "window": (0, 1), "missing": "drop"}, "missing must be one of"),
        ({"on": [], "window": (0, 1)}, "times has no trials"),
        ({"on": ["a"], "window": (0, 1)}, "on must be numbers in seconds"),
    ],
)
def test_messages(options, said):
    with pytest.raises(cs.InputError, match=said):
        recording().epoch(**options)


def test_responses_that_do_not_fit_in_memory_are_refused_before_they_are_made():
    with pytest.raises(cs.InputError, match=r"the responses would take .* is free"):
        recording().epoch(on=np.full(100_000, 5.0), window=(0, 40), bin=1e-5, stimulus=range(100_000))


def test_bins_of_the_whole_and_within():
    rec = recording()
    found = rec.bin(0.5)
    assert found.dims == ("time", "unit")
    np.testing.assert_array_equal(
        found.values, np.array([np.histogram(t, np.arange(101) / 2)[0] for t in rec.spikes]).T
    )
    np.testing.assert_allclose(found["time"], np.arange(100) / 2 + 0.25)
    parts = rec.bin(0.5, within=cs.Intervals([30, 3.2], [31.2, 4.7]))
    np.testing.assert_allclose(parts["time"], [3.45, 3.95, 4.45, 30.25, 30.75])
    edges = (3.2, 3.7, 4.2, 4.7)
    np.testing.assert_array_equal(
        parts.values[:3], np.array([np.histogram(t, edges)[0] for t in rec.spikes]).T
    )
    assert rec.bin(0.5, within="trials").sizes["time"] > 10
    with pytest.raises(cs.InputError, match="no interval is as long as one bin of 60 s"):
        rec.bin(60)
    with pytest.raises(cs.InputError, match="nothing was recorded within"):
        rec.bin(0.5, within=cs.Intervals([100], [101]))
    with pytest.raises(cs.InputError, match="width must be a number"):
        rec.bin(0)
    with pytest.raises(cs.InputError, match="within='sleep' is no table of intervals"):
        rec.bin(0.5, within="sleep")


# -- signals -----------------------------------------------------------------------------------------------


def tracked(unit="cm", gaps=()):
    time = np.arange(0, 10, 0.01)
    values = np.column_stack([np.sin(time), time])
    values[list(gaps)] = np.nan
    return cs.Recording("hand", signals={"hand": cs.Signal(values, time, unit=unit, channels=["x", "y"])})


@pytest.mark.parametrize("rule", ["mean", "min", "max", "sum", "std"])
def test_samples_in_bins(rule):
    rec = tracked()
    found = rec.epoch(on=[2.0, 5.0], window=(-0.5, 0.5), bin=0.1, stimulus=["a", "b"], reduce=rule)
    values = rec.signals["hand"].values
    for i, on in enumerate((200, 500)):
        pieces = values[on - 50 : on + 50].reshape(10, 10, 2)
        np.testing.assert_allclose(found.values[i], getattr(pieces, rule)(axis=1), atol=1e-12)
    assert found.attrs["kind"] == "behaviour"
    assert found["unit"].values.tolist() == ["x", "y"]
    one = rec.epoch(on=[2.0], window=(0, 1), stimulus=["a"], reduce=rule)
    np.testing.assert_allclose(one.values[0], getattr(values[200:300], rule)(axis=0), atol=1e-12)


def test_angles_are_averaged_on_the_circle():
    time = np.arange(0, 4, 0.01)
    angle = (0.2 * np.sin(9 * time)) % (2 * np.pi)  # about 0, half of the samples near 2 pi
    rec = cs.Recording(signals={"heading": cs.Signal(angle, time, unit="radians")})
    found = rec.epoch(on=[1.0], window=(0, 2 * np.pi / 9), stimulus=["a"])
    assert abs(np.angle(np.exp(1j * found.item()))) < 0.02
    assert found.attrs["reduce"] == "circular_mean"
    with pytest.warns(cs.ConsilienceWarning, match="joins the two ends of the circle") as said:
        wrong = rec.epoch(on=[1.0], window=(0, 1), stimulus=["a"], reduce="mean")
    assert said[0].message.code == "mean-of-angles"
    assert abs(wrong.item()) > 1


def test_interpolation_at_the_centres_of_bins_and_gaps():
    rec = tracked()
    found = rec.epoch(on=[3.0], window=(0, 0.5), bin=0.025, stimulus=["a"], reduce="interpolate")
    np.testing.assert_allclose(found.values[0, :, 1], 3 + found["time"].values, atol=1e-9)
    gap = tracked(gaps=range(310, 330))
    with pytest.raises(cs.InputError, match="1 trials have an unknown bin"):
        gap.epoch(on=[3.0, 5.0], window=(0, 0.5), bin=0.05, stimulus=["a", "b"])
    masked = gap.epoch(on=[3.0, 5.0], window=(0, 0.5), bin=0.05, stimulus=["a", "b"], missing="mask")
    assert masked["valid"].dims == ("trial", "time")
    assert (~masked["valid"].values).sum(axis=1).tolist() == [4, 0]
    assert (
        gap.epoch(on=[3.0, 5.0], window=(0, 0.5), bin=0.05, stimulus=["a", "b"], missing="omit").sizes[
            "trial"
        ]
        == 1
    )
    np.testing.assert_allclose(
        gap.epoch(on=[3.0], window=(0, 0.5), stimulus=["a"]).values[0, 1],
        np.r_[np.arange(300, 310), np.arange(330, 350)].mean() / 100,
    )
    across = gap.epoch(
        on=[3.0], window=(0, 0.5), bin=0.05, stimulus=["a"], reduce="interpolate", missing="mask"
    )
    assert (~across["valid"].values).sum() in (4, 5)  # no line is drawn over the gap


def test_bins_of_a_signal_without_a_sample_are_left_out_and_said():
    gap = tracked(gaps=range(310, 330))
    with pytest.warns(cs.ConsilienceWarning, match="4 of 200 bins of hand are not known") as said:
        found = gap.bin(0.05, of="hand")
    assert said[0].message.code == "bins-left-out"
    assert found.sizes["time"] == 196
    assert tracked().bin(0.05).sizes == {"time": 200, "unit": 2}
    both = cs.Recording(signals={"a": cs.Signal([1.0], [0.0]), "b": cs.Signal([1.0], [0.0])})
    with pytest.raises(cs.InputError, match="say of which signal: of='a' or 'b'"):
        both.bin(1)


def test_the_recording_is_not_changed():
    rec = recording()
    before = rec.spikes.times.copy()
    rec.epoch(on="trials", window=(0, 1), bin=0.1)
    rec.bin(0.1)
    np.testing.assert_array_equal(rec.spikes.times, before)


def test_degrees_are_angles_and_other_units_are_not():
    time = np.arange(0, 4, 0.01)
    angle = np.where(np.arange(400) % 2, 350.0, 20.0)
    for unit in ("deg", "Degrees", "°"):
        rec = cs.Recording(signals={"h": cs.Signal(angle, time, unit=unit)})
        found = rec.epoch(on=[1.0], window=(0, 1), stimulus=["a"])
        assert found.item() == pytest.approx(5.0)
        assert found.attrs["unit"] == unit
        assert rec.bin(1.0).values.ravel() == pytest.approx(5.0)
    for unit, said in (("cm", "the signal is in .*cm"), ("", "the signal has no unit")):
        rec = cs.Recording(signals={"h": cs.Signal(angle, time, unit=unit)})
        with pytest.raises(cs.InputError, match=said) as error:
            rec.bin(1.0, reduce="circular_mean")
        assert error.value.code == "not-angles"


def test_jumps_in_time_are_unknown():
    time = np.r_[np.arange(0, 5, 0.01), np.arange(8, 20, 0.01)]
    rec = cs.Recording(signals={"h": cs.Signal(time, time)})
    lines = rec.epoch(on=[4.0], window=(0, 5), bin=0.5, stimulus=["a"], reduce="interpolate", missing="mask")
    assert lines["valid"].values.ravel().tolist() == [True] * 2 + [False] * 6 + [True] * 2
    for rule in ("mean", "min", "max", "sum", "std"):
        with pytest.raises(cs.InputError, match="1 trials have an unknown bin"):
            rec.epoch(on=[4.8, 10.0], window=(0, 2), stimulus=["a", "b"], reduce=rule)
    half = rec.epoch(on=[4.2], window=(0, 1), stimulus=["a"])  # 80 of 100 samples
    assert half.item() == pytest.approx(time[(time >= 4.199) & (time < 5.2)].mean())
    with pytest.raises(cs.InputError, match="1 trials have an unknown bin"):
        rec.epoch(on=[4.2, 10.0], window=(0, 1), stimulus=["a", "b"], reduce="sum")
    with pytest.raises(cs.InputError, match="1 trials have an unknown bin"):  # one NaN of 100 samples
        tracked(gaps=[310]).epoch(on=[3.0, 5.0], window=(0, 1), stimulus=["a", "b"], reduce="sum")


def test_a_clock_in_unix_time():
    now = 1.7e9
    ticks = now + np.arange(1, 4000) / 1000
    rec = cs.Recording(spikes=[ticks], observed=cs.Intervals([now], [now + 5]))
    for onset in (1.0, 1.1, 0.7, 1.003):
        found = rec.epoch(on=[now + onset], window=(-0.05, 0.25), bin=0.01, stimulus=["a"])
        assert (found.values == 10).all(), onset
        assert rec.epoch(on=[now + onset], window=(0.07, 0.17), stimulus=["a"]).item() == 100


def ids_of(stimulus, missing="raise", **columns):
    n = len(stimulus)
    table = cs.Intervals(np.arange(n), np.arange(n) + 0.5, {"stimulus": stimulus, **columns})
    rec = cs.Recording(spikes=[np.arange(0, n, 0.1)], intervals={"t": table}, observed=cs.Intervals([0], [n]))
    return rec.epoch(on="t", missing=missing)


def test_ids_that_are_numbers_or_bool_stay_apart():
    assert ids_of([0.12345678, 0.12345679, 2.0])["stimulus"].values.tolist() == [
        "0.12345678",
        "0.12345679",
        "2",
    ]
    assert ids_of([1234567.5, 1234568.5])["stimulus"].values.tolist() == ["1234567.5", "1234568.5"]
    assert ids_of([True, False, True])["stimulus"].values.tolist() == ["True", "False", "True"]


@pytest.mark.parametrize(
    "stimulus", [[1.0, np.nan, 3.0], ["1", "", "3"], ["1", None, "3"], ["1", np.nan, "3"]]
)
def test_trials_without_a_stimulus_id(stimulus):
    for missing in ("raise", "mask"):
        with pytest.raises(cs.InputError, match=r"1 of 3 trials of t have no stimulus id \(first: trial 1\)"):
            ids_of(stimulus, missing)
    with pytest.warns(cs.ConsilienceWarning, match="1 of 3 trials"):
        found = ids_of(stimulus, "omit")
    assert found["stimulus"].values.tolist() == ([1, 3] if stimulus[0] == 1 else ["1", "3"])


def test_labels_called_as_something_else_are_renamed_and_said():
    with pytest.warns(cs.ConsilienceWarning, match="time is now trial_time") as said:
        found = ids_of(["a", "b"], time=[3.0, 4.0])
    assert said[0].message.code == "renamed-label"
    assert found["trial_time"].values.tolist() == [3, 4]
    table = cs.Intervals([0, 1], [0.5, 1.5], {"stimulus": ["a", "b"], "area": [1, 2], "trial_area": [5, 6]})
    rec = cs.Recording(spikes=[[0.0, 1.5]], units={"area": ["V1"]}, observed=cs.Intervals([0], [2]))
    with pytest.warns(cs.ConsilienceWarning, match="area is now trial_area"):
        found = rec.epoch(on=table)
    assert (found["area"].item(), found["trial_trial_area"].values.tolist()) == ("V1", [1, 2])
    assert found["trial_area"].values.tolist() == [5, 6]


def test_a_trial_of_no_length_is_no_silence():
    table = cs.Intervals([1, 2, 3], [1.5, 2, 3.5], {"stimulus": ["a", "b", "c"]})
    rec = cs.Recording(spikes=[np.arange(0, 5, 0.1)], observed=cs.Intervals([0], [5]))
    with pytest.raises(cs.InputError, match="1 of 3 trials of intervals have no time or no length"):
        rec.epoch(on=table)
    assert rec.epoch(on=table, missing="mask")["valid"].values.tolist() == [True, False, True]


def test_what_was_recorded_is_asked_for_where_it_cannot_be_known():
    rec = cs.Recording(spikes=[[1.0, 9.0]])
    with pytest.warns(cs.ConsilienceWarning, match="0 of 2 trials lie wholly .* 1 partly"):
        rec.epoch(on=[8.5, 5.0], window=(0, 1), stimulus=["a", "b"])
    with pytest.raises(cs.InputError, match="all 2 trials lie before the first or after the last"):
        rec.epoch(on=[10.0, 12.0], window=(0, 1), stimulus=["a", "b"])
    silent = cs.Recording("x", spikes=[[], []])
    empty = cs.Recording("x", spikes=[[1.0, 2.0]], observed=cs.Intervals([], []))
    for bad, said in ((silent, "there is no spike"), (empty, "observed of the recording covers no time")):
        with pytest.raises(cs.InputError, match=said):
            bad.bin(0.1)
        with pytest.raises(cs.InputError, match=said):
            bad.epoch(on=[1.0], window=(0, 0.5), stimulus=["a"])


def test_intervals_are_asked_for_in_words():
    rec, some = recording(), cs.Intervals([0], [1])
    with pytest.raises(cs.InputError, match="within must be cs"):
        rec.restrict([(0, 10)])
    for wrong in (lambda: some | 1, lambda: some & [(0, 1)], lambda: some - None):
        with pytest.raises(cs.InputError, match="on both sides"):
            wrong()
    assert rec.select(np.array([True, False, True, False], dtype=object)).unit_names.tolist() == [0, 2]


def test_spikes_signals_and_choices_of_units_share_their_bins():
    rng = np.random.default_rng(1)
    spikes = [np.sort(rng.uniform(1.234 + u, 18.7 - u, 400)) for u in range(3)]
    time = np.arange(0.137, 19.0, 0.01)
    rec = cs.Recording(spikes=spikes, signals={"h": cs.Signal(np.sin(time), time)})
    some = cs.Intervals([0.05], [19.05])
    for within in (None, some):
        spiking = rec.bin(0.1, within=within)
        for other in (rec.bin(0.1, of="h", within=within), rec.select([2]).bin(0.1, within=within)):
            shared = np.intersect1d(spiking["time"], other["time"])
            assert shared.size == min(spiking.sizes["time"], other.sizes["time"])
        edges = np.r_[spiking["time"].values - 0.05, spiking["time"].values[-1] + 0.05]
        np.testing.assert_array_equal(spiking.values[:, 0], np.histogram(spikes[0], edges)[0])
    np.testing.assert_allclose(rec.bin(0.1, within=some)["time"].values[0], 0.2)  # the first whole from 0.05
    np.testing.assert_allclose(rec.bin(0.1)["time"].values[0], 0.25)


def test_channels_that_are_unknown_are_named():
    time = np.arange(0, 10, 0.01)
    values = np.zeros((1000, 3))
    values[:600, 1] = np.nan
    with pytest.warns(cs.ConsilienceWarning, match=r"60 of 100 bins of h .* by channel y \(60\); of 2 of 3"):
        cs.Recording(signals={"h": cs.Signal(values, time, channels=list("xyz"))}).bin(0.1, of="h")
    values[:, 1] = np.nan
    with pytest.raises(cs.InputError, match=r"no bin of 0.1 s is known of every channel \(most by channel y"):
        cs.Recording(signals={"h": cs.Signal(values, time, channels=list("xyz"))}).bin(0.1, of="h")


def test_a_sample_at_the_centre_is_known_beside_nan_and_a_signal_may_be_empty():
    rec = cs.Recording(signals={"h": cs.Signal(np.r_[np.nan, np.arange(1.0, 10)], np.arange(10.0))})
    found = rec.epoch(on=[1.0], window=(-0.5, 0.5), stimulus=["a"], reduce="interpolate")
    assert found.item() == 1
    empty = cs.Recording(signals={"h": cs.Signal(np.zeros(0), np.zeros(0))})
    with pytest.raises(cs.InputError, match="the signal has no samples"):
        empty.epoch(on=[1.0], window=(0, 1), stimulus=["a"])
    chosen = cs.Signal(np.zeros((3, 2)), np.arange(3.0)).select(np.array([False, True], dtype=object))
    assert chosen.channels.tolist() == [1]


def _asked_wrongly():
    rec = recording(signals={"pos": cs.Signal(np.zeros((500, 2)), np.arange(500) / 10, unit="cm")})
    trials = rec.epoch(on="trials", window=(0, 0.5), bin=0.1)
    return {
        "bins without a width": (lambda: rec.bin(of="pos"), "say how wide the bins are"),
        "epochs around nothing": (lambda: rec.epoch(window=(0, 1)), "one of 'trials', 'licks'"),
        "no units": (rec.select, "say which units"),
        "no intervals": (rec.restrict, "within must be"),
        "a kernel without a width": (lambda: cs.smooth(trials), "say how wide the kernel is"),
        "a baseline without a window": (lambda: cs.baseline(trials), "window must be"),
        "text for a width": (lambda: rec.bin("0.1"), "must be a number"),
        "a span of time": (lambda: rec.bin(np.timedelta64(1, "s")), "must be a number"),
        "a width below float": (lambda: rec.epoch(on="trials", window=(0, 1), bin=1e-300), "in number"),
        "a width below float, of all": (lambda: rec.bin(1e-300), "in number"),
        "three ends": (lambda: rec.epoch(on="trials", window=(0, 1, 2)), "window must be"),
        "an array for a name": (lambda: rec.epoch(on="trials", window=(0, 1), of=np.zeros(2)), "of="),
        "an array for a rule": (lambda: rec.bin(0.1, reduce=np.zeros(2)), "reduce"),
        "a number for a system": (lambda: rec.bin(0.1, system=3), "system must be text"),
        "an array for a label": (lambda: cs.psth(trials, by=np.zeros(2)), "on trial"),
        "a list for a label": (lambda: cs.baseline(trials, window=(0, 0.2), by=["a"]), "label on trial"),
        "a signal by its name": (lambda: rec.span("pos"), "rec.signals"),
        "a list for columns": (lambda: cs.Events([1.0], [2]), "columns must be a mapping"),
        "a list for units": (lambda: cs.Recording(spikes=[[1.0]], units=["a"]), "units must be a mapping"),
        "a list for attrs": (lambda: cs.Recording(spikes=[[1.0]], attrs=["a"]), "attrs must be a mapping"),
        "a list for a name": (lambda: cs.Recording(["a"], spikes=[[1.0]]), "name must be text"),
        "one number for trains": (lambda: cs.SpikeTrains.from_list(3), "one array of spike times"),
        "a unit before the first": (lambda: rec.spikes.of(-1), "between 0 and 3"),
        "a name for a number": (lambda: rec.spikes.select("a"), "Recording.select takes names"),
        "no intervals for spikes": (lambda: rec.spikes.within("trials"), "must be cs.Intervals"),
    }


@pytest.mark.parametrize("what", list(_asked_wrongly()))
def test_what_is_missing_or_of_another_type_is_said_in_words(what):
    call, words = _asked_wrongly()[what]
    with pytest.raises(cs.InputError, match=words):
        call()
    rec = recording()
    np.testing.assert_array_equal(rec.epoch("trials", window=(0, 1)), rec.epoch(on="trials", window=(0, 1)))


@pytest.mark.parametrize(("unit", "turn"), [("radians", 2 * np.pi), ("deg", 360.0)])
def test_angles_keep_the_range_of_their_source(unit, turn):
    time = np.arange(0, 60, 0.01)
    way = 0.5 + np.cumsum(np.random.default_rng(0).normal(0.002, 0.004, time.size))  # turns, several

    def binned(values, reduce=None):
        rec = cs.Recording(signals={"a": cs.Signal(values, time, unit=unit)})
        return rec.bin(0.1, reduce=reduce)

    truth = way.reshape(-1, 10).mean(axis=1)
    for low in (0.0, -0.5, 0.25):
        wrapped = turn * ((way - low) % 1 + low)
        got = binned(wrapped)
        assert got.attrs["reduce"] == "circular_mean"
        assert turn * low - 1e-9 <= got.values.min()
        assert got.values.max() <= turn * (low + 1) + 1e-9
        off = got.values.ravel() / turn - truth
        np.testing.assert_allclose(off, np.round(off), atol=1e-4)
    for values in (way, 0.05 * np.sin(time) + 0.02):  # counted on over turns; the place of an eye: no circle
        got = binned(turn * values)
        assert got.attrs["reduce"] == "mean"
        np.testing.assert_allclose(got.values.ravel(), turn * values.reshape(-1, 10).mean(axis=1), atol=1e-9)
        kept = binned(turn * values, "circular_mean")
        np.testing.assert_allclose(kept.values, got.values, atol=1e-4 * turn)


@pytest.mark.parametrize(("scale", "unit"), [(1.0, "radian"), (180 / np.pi, "degree")])
def test_a_heading_without_a_unit_is_said(scale, unit):
    rng = np.random.default_rng(0)
    time = np.arange(0, 100, 0.02)
    turned = np.cumsum(rng.normal(0, 0.2, time.size))
    for heading in (turned % (2 * np.pi), (turned + np.pi) % (2 * np.pi) - np.pi):
        rec = cs.Recording(signals={"h": cs.Signal(heading * scale, time)})
        with pytest.warns(cs.ConsilienceWarning, match=f"unit='{unit}'"):
            rec.bin(0.1, of="h")
    place = 3.1 + 3.1 * np.sin(turned)  # as wide, but it comes back the way it went
    cs.Recording(signals={"x": cs.Signal(place * scale, time)}).bin(0.1, of="x")
