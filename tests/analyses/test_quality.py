"""The verbs quality and select_units, and their result, command, study entry and report."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience.analyses._quality_measures import OF_SPIKES, OF_TRIALS
from consilience.report._sentences import sentences

FEW = {"n_perm": 50, "n_splits": 5, "rng": 0}


def trials(signal=(2.0, 1.0, 0.0), *, n=30, k=8, seed=0, kind="rate", system="V1"):
    rng = np.random.default_rng(seed)
    ids = np.repeat([f"image{i:02d}" for i in range(n)], k)
    s = rng.normal(size=(n, len(signal)))[np.repeat(np.arange(n), k)] * signal
    x = s + rng.normal(size=s.shape) if kind == "rate" else rng.poisson(np.exp(0.5 * s + 1))
    names = [f"unit{i}" for i in range(len(signal))]
    return cs.responses(x, stimulus=ids, repeat="count", unit=names, kind=kind, system=system)


def recording(**more):
    rng = np.random.default_rng(1)
    own = np.cumsum(0.003 + rng.exponential(0.05, 11_000))
    spikes = [own[own < 550], np.sort(rng.uniform(0, 280, 3000)), np.sort(rng.uniform(0, 600, 1500))]
    table = cs.Intervals(
        np.arange(0, 600, 2.0), np.arange(1, 601, 2.0), {"stimulus": np.tile(list("abcdef"), 50)}
    )
    given = {"observed": cs.Intervals([0], [600]), "intervals": {"trials": table}, "name": "CA1", **more}
    return cs.Recording(spikes=spikes, **given)


@pytest.fixture(scope="module")
def both():
    rec = recording()
    with warnings.catch_warnings():  # its units are not tuned, and two have no refractory period
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.quality(rec, trials=rec.epoch(on="trials.start_time", window=(0, 1)), **FEW)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_numbers_are_those_of_the_functions(both):
    rec = recording()
    x = rec.epoch(on="trials.start_time", window=(0, 1))
    ids = x["stimulus"].values
    assert both.data["measure"].values.tolist() == [*OF_TRIALS, *OF_SPIKES]

    def at(name, field="value"):
        return both.data[field].sel(measure=name).values

    own = cs.units.explainable_variance(x.values, ids, of="mean", n_perm=0)
    assert at("reliability") == pytest.approx(own.value)
    assert at("reliability", "ci_low") == pytest.approx(own.ci_low)
    assert at("fano_factor") == pytest.approx(cs.units.fano_factor(x.values, ids, n_perm=0).value)
    for name in ("firing_rate", "lv", "contamination", "drift"):
        options = {} if name == "lv" else {"observed": (0, 600)}
        own = getattr(cs.units, name)(rec.spikes, **options)
        assert at(name) == pytest.approx(own.value)
        assert at(name, "ci_high") == pytest.approx(own.ci_high, nan_ok=True)
    assert both.counts["n_spikes"].values.tolist() == rec.spikes.counts.tolist()
    assert both.counts["n_trials"].values.tolist() == [300] * 3
    assert both.settings["seconds"] == 600


@pytest.mark.filterwarnings(r"ignore:\[slow-changes\]")  # units that are lost before the end
def test_every_promise_of_a_result_is_kept(both):
    cs.testing.check_result(both)
    cs.testing.check_result(cs.quality(recording(), measures="firing_rate", rng=0))
    frame = both.to_frame()
    assert list(frame.columns) == ["unit", "measure", "value", "ci_low", "ci_high", "null_mean", "p", "q"]
    assert len(frame) == 13 * 3
    assert "600 s observed" in repr(both)
    said = sentences(both)
    assert said[0].startswith("Reliability of means of 3 of 3 units: median")
    assert "sahani2003linear" in both.citations()


def test_it_draws(both):
    ax = both.plot()
    panels = ax.figure.axes[1:]
    assert [p.get_title(loc="left") for p in panels][:2] == ["reliability of means", "split-half reliability"]
    assert len(panels) == 13
    assert "q above 0.05" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert len({panel.get_xlim() for panel in panels}) == 1  # a unit stands at one place in all of them
    assert len(both.plot(measures=["lv", "drift"]).figure.axes) == 3
    with pytest.raises(cs.InputError, match="plot_quality: the first argument must be a Quality"):
        cs.plots.plot_quality(cs.compare(trials(), trials(seed=1), n_boot=0, n_perm=0))


def test_trials_over_time_are_averaged_and_counts_summed():
    flat = trials(kind="count")
    later = (
        xr.concat([flat, flat], dim="time").transpose("trial", "time", "unit").assign_coords(time=[0.0, 0.1])
    )
    later.attrs = flat.attrs
    one = cs.quality(flat, measures=["explainable_variance", "fano_factor"], **FEW)
    with pytest.warns(cs.ConsilienceWarning, match=r"rates-as-counts.*or spikes that were counted twice"):
        two = cs.quality(later, measures=["explainable_variance", "fano_factor"], **FEW)
    assert two.data["value"].values[0] == pytest.approx(one.data["value"].values[0])
    assert two.data["value"].values[1] == pytest.approx(2 * one.data["value"].values[1])  # twice the counts


def test_masked_trials_are_left_out():
    x = trials()
    valid = np.ones(x.sizes["trial"], bool)
    valid[[0, 9]] = False
    masked = x.copy(deep=True).assign_coords(valid=("trial", valid))
    masked.values[~valid] = np.nan
    found = cs.quality(masked, measures="reliability", **FEW)
    direct = cs.units.explainable_variance(x.values[valid], x["stimulus"].values[valid], of="mean", n_perm=0)
    assert found.data["value"].values[0] == pytest.approx(direct.value)
    wide = np.repeat(x.values[:, None], 2, axis=1)
    wide[3, 1] = np.nan
    over = xr.DataArray(
        wide, dims=("trial", "time", "unit"), coords={**x.coords, "time": [0.0, 0.1]}, attrs=x.attrs
    )
    over = over.assign_coords(valid=(("trial", "time"), ~np.isnan(wide[..., 0])))
    found = cs.quality(over, measures="reliability", **FEW)
    assert found.data["value"].values[0] == pytest.approx(
        cs.quality(x, measures="reliability", **FEW).data["value"].values[0]
    )


def test_what_is_said_of_bad_data():
    x = trials()
    single = x.isel(trial=np.r_[0, np.arange(8, 240)])
    with pytest.raises(
        cs.InputError, match=r"cs.quality: needs >= 2 repeats of every stimulus; 1 of 30"
    ) as error:
        cs.quality(single)
    assert error.value.code == "no-repeats"
    with pytest.raises(cs.InputError, match=r"trials is a series \(time, unit\), and trials are needed"):
        cs.quality(recording(), trials=recording().bin(0.1))
    with pytest.raises(cs.InputError, match=r"skewness needs a series"):
        cs.quality(x, measures="skewness")
    with pytest.raises(cs.InputError, match=r"plain arrays go to the functions of cs\.units"):
        cs.quality(x.values)
    with pytest.raises(
        cs.InputError, match=r"lv needs a recording with spike times; these data give reliability"
    ):
        cs.quality(x, measures=["lv"])
    with pytest.raises(cs.InputError, match="fano_factor needs counts of spikes"):
        cs.quality(x, measures=["fano_factor"])
    with pytest.raises(cs.InputError, match="reliability needs trials with repeats"):
        cs.quality(recording(), measures=["reliability"])
    with pytest.raises(cs.InputError, match=r"Did you mean 'reliability'\?"):
        cs.quality(x, measures=["reliabilty"])
    with pytest.raises(cs.InputError, match=r"trials must have the 3 units of the recording") as error:
        cs.quality(recording(), trials=x)
    assert error.value.code == "units-differ"
    with pytest.raises(cs.InputError, match="no unit of the recording has a spike"):
        cs.quality(cs.Recording(spikes=[[], []], observed=cs.Intervals([0], [1])))


def test_silent_units_and_guessed_time_are_said_once():
    rec = cs.Recording(spikes=[np.sort(np.random.default_rng(0).uniform(0, 600, 1500)), []])
    with pytest.warns(cs.ConsilienceWarning) as heard:
        found = cs.quality(rec, rng=0)
    assert sorted(w.message.code for w in heard) == ["observed-guessed", "silent-units"]
    assert found.data["value"].sel(measure="firing_rate").values[1] == 0
    assert np.isnan(found.data["value"].sel(measure="lv").values[1])
    assert found.select(firing_rate=(0, None)).tolist() == [0, 1]
    assert found.select(firing_rate=0.1).tolist() == [0]


def test_units_with_too_few_spikes_to_tell_pass_no_limit():
    """Before: 3 spikes had a contamination and violations of 0, and were chosen as clean."""
    rng = np.random.default_rng(0)
    clean = np.cumsum(0.003 + rng.exponential(0.05, 10_000))
    rec = cs.Recording(spikes=[clean, clean[:3], clean[::10]], observed=cs.Intervals([0], [600]))
    with pytest.warns(cs.ConsilienceWarning) as heard:
        found = cs.quality(rec, measures=["contamination", "isi_violations"], n_perm=0, rng=0)
    assert any(
        "2 of 3 units have too few spikes to tell (fewer than 1096 in 600 s" in str(w.message) for w in heard
    )
    assert found.select(contamination=(None, 0.1)).tolist() == [0]
    assert np.isnan(found.data["value"].sel(unit=1)).all()
    assert found.select(isi_violations=(None, 0.1)).tolist() == [0, 2]
    assert "of 1 of 3 units with a value" in repr(found)


def test_the_summary_says_of_how_many_units_halves_agree():
    noise = trials([0.0] * 40, n=12, k=8)
    with pytest.warns(cs.ConsilienceWarning, match="no-agreement"):
        found = cs.quality(noise, measures=["split_half"], n_splits=20, n_perm=0, rng=0)
    value = found.data["value"].sel(measure="split_half").values
    assert f"of {np.isfinite(value).sum()} of 40 units whose halves agree" in repr(found)


def test_spikes_outside_the_time_observed_and_milliseconds_are_said():
    train = np.sort(np.random.default_rng(0).uniform(0, 600, 2000))
    rec = cs.Recording(spikes=[train], observed=cs.Intervals([0], [60]))
    outside = int((train >= 60).sum())
    with pytest.warns(cs.ConsilienceWarning, match=f"spikes-outside.*{outside} of 2000 spikes"):
        cs.quality(rec, measures=["firing_rate"], rng=0)
    rec = cs.Recording(spikes=[np.round(1000 * train)], observed=cs.Intervals([0], [600_000]))
    with pytest.warns(cs.ConsilienceWarning, match="not-seconds.*milliseconds or samples"):
        cs.quality(rec, measures=["firing_rate"], rng=0)


def test_units_observed_at_different_times_are_judged_over_what_they_share():
    rng = np.random.default_rng(0)
    spikes = [np.sort(rng.uniform(0, 600, 3000)), np.sort(rng.uniform(300, 600, 1500))]
    each = [cs.Intervals([0], [600]), cs.Intervals([300], [600])]
    rec = cs.Recording("r", spikes=spikes, observed_by_unit=each)
    lost = int((spikes[0] < 300).sum())
    with pytest.warns(cs.ConsilienceWarning) as heard:
        cs.quality(rec, measures=["firing_rate"], rng=0)
    assert [w.message.code for w in heard] == ["observed-differs"]
    assert f"in common (300 s) is used: {lost} of 4500 spikes" in str(heard[0].message)
    alone = cs.quality(rec.select([0]), measures=["firing_rate"], rng=0)  # of its own time, in silence
    assert alone.data["value"].item() == pytest.approx(5.0)
    rec = cs.Recording("r", spikes=spikes, observed_by_unit=each[1:] * 2)
    with pytest.warns(cs.ConsilienceWarning, match=f"spikes-outside.*{lost} of 4500 spikes"):
        cs.quality(rec, measures=["firing_rate"], rng=0)


def test_select_takes_limits(both):
    value = both.data["value"].sel(measure="presence_ratio").values
    assert both.select(presence_ratio=0.8).tolist() == np.flatnonzero(value >= 0.8).tolist()
    assert both.select(presence_ratio=(None, 0.5), firing_rate=1).tolist() == [1]
    assert both.select(contamination=(None, 0.05)).tolist() == [0]
    assert both.select(reliability=2.0).size == 0
    with pytest.raises(
        cs.InputError, match=r"Quality.select: give at least one limit, such as reliability=0.3"
    ):
        both.select()
    with pytest.raises(
        cs.InputError, match=r"'reliabilty' is not among the measures. Did you mean 'reliability'"
    ):
        both.select(reliabilty=0.3)
    for bad in ("high", (None, None), (1, 2, 3), True, float("nan")):
        with pytest.raises(cs.InputError, match="the least that will do"):
            both.select(reliability=bad)


def test_series_have_noise_signal_and_skewness():
    rng = np.random.default_rng(0)
    n = 6000
    bumps = np.convolve(rng.random(n) < 0.005, np.exp(-np.arange(60) / 20))[:n]
    x = rng.normal(size=(n, 3)) * [1, 2, 1] + 5 * np.stack([0 * bumps, 0 * bumps, bumps], axis=1)
    series = cs.responses(x, kind="dff", dims=("time", "unit"), time=np.arange(n) / 30, unit=["a", "b", "c"])
    found = cs.quality(series, rng=0)
    cs.testing.check_result(found)
    noise, snr, skew = (found.data.sel(measure=name) for name in ("noise_level", "trace_snr", "skewness"))
    assert noise["value"].values == pytest.approx(np.array([1, 2, 1]) * 0.954 / np.sqrt(30), rel=0.05)
    assert (snr["ci_low"].values[:2] < 0).all()
    assert snr["ci_low"].values[2] > 0.2
    assert (skew["ci_low"].values > 0).tolist() == [False, False, True]
    assert found.select(skewness=0.3).tolist() == ["c"]


# -- select_units


def test_spikes_in_bins_are_no_trace():
    rec = cs.Recording(spikes=[np.linspace(0, 99, 500)], observed=cs.Intervals([0], [100]))
    with pytest.raises(
        cs.InputError, match=r"spikes in bins over time.*pass the recording itself, cs\.quality\(rec\)"
    ):
        cs.quality(rec.bin(0.1), rng=0)


def test_units_are_chosen_on_other_trials_than_come_back():
    x = trials()
    back = cs.select_units(x, by={"reliability": 0.4}, rng=0)
    assert back["unit"].values.tolist() == ["unit0", "unit1"]
    record = json.loads(back.attrs["units_chosen"])
    assert record["units"] == [2, 3]
    assert record["choose_on"] == "half"
    chose = record["trials"]
    rest = np.setdiff1d(np.arange(240), chose)
    assert (back.values == x.values[rest][:, :2]).all()
    per = np.unique(x["stimulus"].values[chose], return_counts=True)[1]
    assert (per == 4).all()
    again = cs.quality(x.isel(trial=chose), measures="reliability", n_perm=0).data["value"].values[0]
    assert (again >= 0.4).tolist() == [True, True, False]
    assert cs.average(back).sizes["trial"] == 30  # repeats are numbered anew: it is a proper system
    assert cs.select_units(x, by={"reliability": 0.4}, rng=0).identical(back)


def test_choosing_on_the_same_trials_is_warned_of_and_the_warning_stays():
    x = trials()
    with pytest.warns(cs.ConsilienceWarning, match=r"chosen-on-same-trials.*2 of 3 units.*reliability"):
        back = cs.select_units(x, by={"reliability": 0.4}, choose_on="same", rng=0)
    assert back.sizes["trial"] == 240
    with pytest.warns(cs.ConsilienceWarning, match="chosen-on-same-trials"):
        found = cs.quality(back, **FEW)
    assert "chosen-on-same-trials" in {caution.code for caution in found.warnings}


def test_other_trials_do_not_regress_to_the_mean_and_the_same_do():
    noise = trials([0.0] * 400, n=12, k=8)
    limits = {"explainable_variance": 0.05}
    with pytest.warns(cs.ConsilienceWarning):
        same = cs.select_units(noise, by=limits, choose_on="same", rng=0)
    other = cs.select_units(noise, by=limits, rng=0)
    assert other.sizes["unit"] > 20
    own, honest = (
        cs.units.explainable_variance(d.values, d["stimulus"].values, n_perm=0).value.mean()
        for d in (same, other)
    )
    assert own > 0.05
    assert honest == pytest.approx(0, abs=0.02)


def test_trials_of_a_session_can_choose():
    x = trials()
    x = x.assign_coords(session=("trial", np.tile(["monday", "tuesday"], 120)))
    back = cs.select_units(x, by={"tuning_snr": (0.2, None)}, choose_on={"session": "monday"})
    assert set(back["session"].values.tolist()) == {"tuesday"}
    assert back.sizes["unit"] == 2
    with pytest.raises(cs.InputError, match=r"no coordinate 'sesion' on trial. Did you mean 'session'"):
        cs.select_units(x, by={"tuning_snr": 0.2}, choose_on={"sesion": "monday"})
    with pytest.raises(cs.InputError, match="takes 0 of 240 trials; some must choose and some come back"):
        cs.select_units(x, by={"tuning_snr": 0.2}, choose_on={"session": "friday"})


def test_units_of_a_recording_are_chosen_by_their_spikes():
    with pytest.warns(cs.ConsilienceWarning, match="contamination-at-end"):
        found = cs.select_units(recording(), by={"contamination": (None, 0.05), "presence_ratio": 0.8})
    assert found.unit_names.tolist() == [0]
    with pytest.raises(
        cs.InputError, match=r"reliability needs trials; cut them first, cs.select_units\(rec.epoch"
    ):
        cs.select_units(recording(), by={"reliability": 0.3})


def test_select_units_says_what_is_wrong():
    x = trials()
    with pytest.raises(
        cs.InputError, match=r"no unit of 3 is within the limits; reliability is .* to "
    ) as error:
        cs.select_units(x, by={"reliability": 2.0})
    assert error.value.code == "no-units-left"
    with pytest.raises(
        cs.InputError, match=r"needs >= 3 repeats of every stimulus, 2 to choose on and one to give"
    ):
        cs.select_units(trials(k=2), by={"reliability": 0.3})
    with pytest.raises(cs.InputError, match=r"by must say limits, such as \{'reliability': 0.3\}"):
        cs.select_units(x, by={})
    with pytest.raises(cs.InputError, match="choose_on must be 'half', 'same' or"):
        cs.select_units(x, by={"reliability": 0.3}, choose_on="most")
    three = cs.select_units(trials(k=3), by={"reliability": 0.2}, rng=0)
    assert three.sizes["trial"] == 30  # 2 of 3 repeats chose


# -- command, study, report


def test_the_command(tmp_path, monkeypatch, capsys):
    from consilience._cli import main

    monkeypatch.chdir(tmp_path)
    x = trials()
    np.save("x.npy", x.values)
    np.save("ids.npy", x["stimulus"].values)
    args = ["quality", "x.npy", "--ids", "ids.npy", "--repeat", "count", "--n-perm", "50", "-o", "q.nc"]
    assert main(args) == 0
    assert "reliability of means" in capsys.readouterr().out
    direct = cs.units.explainable_variance(x.values, x["stimulus"].values, of="mean", n_perm=0)
    assert cs.load("q.nc").data["value"].values[0] == pytest.approx(direct.value)
    assert main([*args[:-2], "-m", "tuning_snr", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["results"]) == 3
    assert main(["quality", "x.npy", "--window", "0", "1"]) == 2
    assert "needs --on TABLE.COLUMN" in capsys.readouterr().err
    assert main([*args[:-2], "--on", "trials"]) == 2
    assert "holds responses already" in capsys.readouterr().err


def test_the_command_on_a_recording(tmp_path, capsys):
    from consilience._cli import main

    rec = recording()
    order = np.argsort(rec.spikes.times, kind="stable")
    np.save(tmp_path / "spike_times.npy", np.round(rec.spikes.times[order] * 30_000).astype(np.int64))
    np.save(tmp_path / "spike_clusters.npy", rec.spikes.owners[order].astype(np.int32))
    (tmp_path / "params.py").write_text("sample_rate = 30000.0\n")
    assert main(["quality", str(tmp_path), "-m", "firing_rate", "-m", "lv"]) == 0
    said = capsys.readouterr().out
    assert "firing rate" in said
    assert "LV of intervals" in said


def test_a_study_has_it_and_the_report_says_it(tmp_path, both):
    from consilience.report import render
    from consilience.study import run

    x = trials()
    np.save(tmp_path / "x.npy", x.values)
    (tmp_path / "ids.txt").write_text("\n".join(x["stimulus"].values.tolist()))
    (tmp_path / "study.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n  v1: {read: x.npy, ids: ids.txt, repeat: count, kind: rate}\n"
        "analyses:\n  - quality: {data: v1, n_perm: 20, n_splits: 5, name: units}\n"
    )
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0
    direct = cs.units.explainable_variance(x.values, x["stimulus"].values, of="mean", n_perm=0)
    assert done.results["units"].data["value"].values[0] == pytest.approx(direct.value)
    pytest.importorskip("jinja2")
    page = render({"units": both}, title="t")
    assert "Reliability of means of 3 of 3 units" in page


def test_means_of_runs_are_taken_out():
    rng = np.random.default_rng(0)
    ids, run = np.repeat(np.arange(12), 8), np.tile(np.repeat([0, 1, 2, 3], 2), 12)
    rate = np.exp(0.5 * rng.normal(size=(12, 6)))[ids] * 4 + 10 * (run % 2)[:, None]
    x = cs.responses(rng.poisson(rate), stimulus=ids, repeat="count", kind="count", system="V1")
    x = x.assign_coords(run=("trial", np.array(list("abcd"))[run]))
    plain, found = (cs.quality(x, groups=groups, **FEW) for groups in (None, "run"))
    own = cs.units.explainable_variance(x.values, ids, groups=run, of="mean", n_perm=0)
    assert found.data["value"].sel(measure="reliability").values == pytest.approx(own.value)
    assert (found.data["value"] > plain.data["value"]).sel(measure="tuning_snr").all()
    cell = cs.units.fano_factor(x.values, ids * 4 + run, n_perm=0)  # within a run
    assert found.data["value"].sel(measure="fano_factor").values == pytest.approx(cell.value)
    assert found.settings["groups"] == "run"
    assert found.settings["n_groups"] == 4
    assert "An additive effect of each run was fitted" in " ".join(found.methods)
    with pytest.raises(cs.InputError, match="groups must be one of"):
        cs.quality(x, groups="day", **FEW)
    with pytest.raises(cs.InputError, match="is a label on trials, and there are none"):
        cs.quality(recording(), groups="run", **FEW)
    once = x.isel(trial=np.flatnonzero(np.arange(96) % 2 == 0))
    assert "fano_factor" not in cs.quality(once, groups="run", **FEW).data["measure"].values
    with pytest.raises(cs.InputError, match="with groups= two or more of a stimulus in one group"):
        cs.quality(once, groups="run", measures="fano_factor", **FEW)
    limit = float(own.value.min()) - 1e-9
    with pytest.warns(cs.ConsilienceWarning, match="chosen-on-same-trials"):
        chosen = cs.select_units(x, by={"reliability": limit}, groups="run", choose_on="same", rng=0)
    assert chosen.sizes["unit"] == 6


def in_blocks(drift, seed=0, n=10, blocks=4, k=5, units=10):
    """Responses to stimuli in blocks of k, without signal, drift (variance) over some 50 trials beside noise of 1."""
    rng = np.random.default_rng(seed)
    ids = np.concatenate([np.repeat(rng.permutation(n), k) for _ in range(blocks)])
    slow = np.empty((ids.size, units))
    slow[0] = rng.normal(size=units)
    for i in range(1, ids.size):
        slow[i] = np.exp(-1 / 50) * slow[i - 1] + np.sqrt(1 - np.exp(-2 / 50)) * rng.normal(size=units)
    x = rng.normal(size=slow.shape) + np.sqrt(drift) * slow
    return cs.responses(x, stimulus=ids, repeat="count", kind="rate", system="V1")


def said(data):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        cs.quality(data, measures="reliability", n_perm=0, rng=0)
    return [entry.message for entry in seen if "neighbours-alike" in str(entry.message)]


def test_stimuli_in_blocks_with_a_weak_drift_are_said():
    assert sum(bool(said(in_blocks(0.1, seed))) for seed in range(10)) >= 9
    assert sum(bool(said(in_blocks(0.1, seed, n=40, blocks=1, units=20))) for seed in range(10)) >= 8
    assert sum(bool(said(in_blocks(0.0, seed))) for seed in range(40)) <= 6  # 0.05 of 40
    caution = said(in_blocks(0.1))[0]
    assert "stimuli come in blocks, and trials near in time are alike (p = 0.010)" in str(caution)
    assert "Trials of a stimulus stand 5.0 in a row" in caution.remedy
    assert "Average the trials of each block" in caution.remedy


def test_trials_in_random_order_or_sorted_by_stimulus_are_not_said():
    data = in_blocks(0.5)
    assert said(data)
    assert not said(data.sortby("stimulus"))  # no order of time
    mixed = in_blocks(0.5, k=1, blocks=20)
    assert not said(mixed)  # drift is noise like any other there


def test_the_mean_of_each_block_is_the_remedy():
    rejected = {"trials": [], "blocks": []}
    for seed in range(12):
        data = in_blocks(0.3, seed, k=10)
        block = np.cumsum(np.diff(data["stimulus"].values, prepend=-1) != 0)
        mean = data.groupby(xr.DataArray(block, dims="trial", name="block")).mean()
        ids = data["stimulus"].values[np.flatnonzero(np.diff(block, prepend=0))]
        for name, x, own in (("trials", data.values, data["stimulus"].values), ("blocks", mean.values, ids)):
            rejected[name] += list(cs.units.explainable_variance(x, own, n_perm=59).p <= 0.05)
    assert np.mean(rejected["trials"]) > 0.25
    assert np.mean(rejected["blocks"]) < 0.12


def test_warnings_name_units_as_the_recording_does():
    rng = np.random.default_rng(0)
    spikes = [np.sort(rng.uniform(0, 600, n)) for n in (8000, 20, 20)]
    rec = cs.Recording(name="V1", spikes=spikes, units={"unit": [2, 5, 9]}, observed=cs.Intervals([0], [600]))
    with pytest.warns(cs.ConsilienceWarning, match=r"contamination-unknown.*\(unit 5 first\)"):
        cs.quality(rec, measures=["contamination"], rng=0)
    with pytest.raises(cs.InputError, match=r"cs\.quality: refractory is in seconds, at most 0\.1, got 1\.5"):
        cs.quality(rec, refractory=1.5)


def test_the_plot_keeps_reliabilities_in_view_where_some_lie_far_below():
    rng = np.random.default_rng(1)
    stimulus = np.tile(["a", "b", "c"], 20)
    x = rng.normal(size=(60, 8)) + 1.5 * np.eye(3, 8)[np.unique(stimulus, return_inverse=True)[1]]
    found = cs.quality(cs.responses(x, stimulus=stimulus, repeat="count"), measures="reliability", **FEW)
    assert found.data["value"].min() < -2
    frame = found.plot()
    panel = next(a for a in frame.figure.axes if a.get_title(loc="left") == "reliability of means")
    assert -1.2 < panel.get_ylim()[0] < -1
    assert "below \u22121" in [text.get_text() for text in frame.get_legend().get_texts()]
    assert any(text.get_text().startswith("chance, mean: ") for text in panel.texts)
