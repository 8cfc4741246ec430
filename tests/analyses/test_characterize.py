"""The verb characterize, and its result, command, study entry and report."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import consilience as cs
from consilience.report._sentences import sentences

QUICK = {"n_perm": 60, "n_floor": 5, "n_splits": 10, "rng": 0}
NAMES = np.array(["animal", "face", "tool"])


def category_data(n=12, repeats=1, units=6, *, strength=4.0, seed=0, kind="count", system="IT"):
    """Images of three categories; every second unit prefers faces."""
    rng = np.random.default_rng(seed)
    category = np.repeat(NAMES, n)
    image = np.array([f"im{i:02d}" for i in range(category.size)])
    gain = strength * np.outer(category == "face", np.arange(units) % 2)
    rate = np.repeat(3 + gain + rng.gamma(2, 0.2, size=(category.size, units)), repeats, axis=0)
    x = (
        rng.poisson(rate)
        if kind == "count"
        else rate + 0.3 * rng.normal(size=rate.shape) - 3.0 * (kind == "dff")
    )
    made = cs.responses(
        x,
        stimulus=np.repeat(image, repeats),
        repeat="count",
        kind=kind,
        system=system,
        unit=[f"u{k}" for k in range(units)],
    )
    return made.assign_coords(category=("trial", np.repeat(category, repeats)))


def angle_data(n=8, units=4, degrees=True):
    theta = np.tile(np.arange(0, 360, 30), n)
    rate = 6 * (1 + np.outer(np.cos(2 * np.deg2rad(theta - 60)), np.arange(units) % 2) * 0.8)
    x = np.random.default_rng(0).poisson(rate)
    made = cs.responses(x, stimulus=theta, repeat="count", kind="count", system="V1")
    return made.assign_coords(direction=("trial", theta if degrees else np.deg2rad(theta)))


@pytest.fixture(scope="module")
def table():
    return cs.characterize(category_data(), **QUICK)


def test_numbers_are_those_of_the_functions(table):
    data = category_data()
    assert table.settings["rows"] == "stimuli"
    assert table.data["measure"].values.tolist() == [
        "class_selectivity",
        "lifetime_sparseness",
        "d_prime",
        "roc_auc",
        "eta_squared",
        "mutual_information",
    ]
    for name in table.data["measure"].values:
        own = getattr(cs.units, name)(data.values, data["category"].values, n_perm=0)
        value = own.counted["plain"] if name == "mutual_information" else own.value
        np.testing.assert_allclose(table.data["value"].sel(measure=name), value)
    one = cs.units.eta_squared(data.values, data["category"].values, n_perm=0, n_floor=0)
    np.testing.assert_allclose(table.data["corrected"].sel(measure="eta_squared"), one.corrected)
    assert (table.data["q"] >= table.data["p"] - 1e-12).all()
    assert set(table.preferred.sel(measure="d_prime").values[1::2].tolist()) == {"face"}


def test_curves_and_units(table):
    data = category_data()
    assert table.curves["condition"].values.tolist() == NAMES.tolist()
    for k, name in enumerate(NAMES):
        rows = data.values[data["category"].values == name]
        np.testing.assert_allclose(table.curves["mean"].values[k], rows.mean(axis=0))
        assert (table.curves["ci_low"].values[k] < rows.mean(axis=0)).all()
    assert table.curves["n_rows"].values.tolist() == [12, 12, 12]
    np.testing.assert_allclose(table.units["mean"], table.curves["mean"].mean("condition"))


def test_every_promise_of_a_result_is_kept(table):
    cs.testing.check_result(table)
    frame = table.to_frame()
    assert list(frame.columns)[:5] == ["unit", "measure", "value", "corrected", "ci_low"]
    assert len(frame) == 36
    text = repr(table)
    assert "6 units of IT; 36 stimuli, 3 values of category" in text
    assert "class selectivity        median" in text
    said = sentences(table)
    assert said[0] == "Tuning of 6 units of IT to category, over 36 stimuli."
    assert said[1].startswith("Class selectivity: median")
    assert "Morcos" in table.citations()


def test_sort_select_and_profile(table):
    best = table.sort("d_prime")
    values = best.data["corrected"].sel(measure="d_prime").values
    assert (np.diff(values) <= 0).all()
    assert best.curves["unit"].values.tolist() == best.data["unit"].values.tolist()
    assert set(table.select(class_selectivity=0.1).tolist()) == {"u1", "u3", "u5"}
    assert set(table.select(q=0.05, d_prime=1.0).tolist()) == {"u1", "u3", "u5"}
    assert table.select(d_prime=(None, 0.5)).tolist() == ["u0", "u2", "u4"]
    rows = table.profile("d_prime")
    assert rows["n_units"].tolist() == [6]
    assert rows["tuned"].tolist() == [0.5]
    with pytest.raises(cs.InputError, match=r"'d_prim' is not among the measures. Did you mean 'd_prime'"):
        table.sort("d_prim")
    with pytest.raises(cs.InputError, match=r"UnitTable.select: q must be a number in \(0, 1\], got 2"):
        table.select(q=2)
    with pytest.raises(cs.InputError, match=r"UnitTable.select: give at least one limit"):
        table.select()


def test_repeats_of_stimuli_are_averaged_and_not_split():
    data = category_data(repeats=4)
    made = cs.characterize(data, measures="eta_squared", **QUICK)
    assert (made.settings["rows"], made.settings["n_rows"]) == ("stimuli", 36)
    means = cs.average(data)
    own = cs.units.eta_squared(means.values, means["category"].values, n_perm=0)
    np.testing.assert_allclose(made.data["value"][0], own.value)
    single = cs.characterize(data, measures="eta_squared", rows="trials", **QUICK)
    assert single.settings["n_rows"] == 144
    by_stimulus = cs.characterize(data, "stimulus", measures="eta_squared", **QUICK)
    assert (by_stimulus.settings["rows"], by_stimulus.settings["n_rows"]) == ("trials", 144)


def test_images_that_differ_are_no_tuning_to_their_class():
    rng = np.random.default_rng(0)
    data = category_data(n=6, repeats=10, units=200, strength=0.0)
    own = rng.gamma(1.0, 3.0, size=(18, 200))  # each image drives a unit as it likes
    x = data.copy(data=rng.poisson(np.repeat(own, 10, axis=0)))
    stimuli = cs.characterize(x, measures="eta_squared", **QUICK).data
    trials = cs.characterize(x, measures="eta_squared", rows="trials", **QUICK).data
    assert (stimuli["p"] <= 0.05).mean() < 0.1
    assert (trials["p"] <= 0.05).mean() > 0.5


def test_angles():
    made = cs.characterize(angle_data(), "direction", **QUICK)
    assert made.settings["period"] == 360
    names = made.data["measure"].values.tolist()
    assert names[:2] == ["orientation_selectivity", "direction_selectivity"]
    assert made.select(q=0.05).tolist() == [1, 3]
    angle = made.preferred.sel(measure="orientation_selectivity").values
    np.testing.assert_allclose(angle[1::2], 60, atol=8)
    radians = cs.characterize(angle_data(degrees=False), "direction", **QUICK)
    np.testing.assert_allclose(radians.data["value"], made.data["value"])
    plain = cs.characterize(angle_data(), "stimulus", **QUICK)
    assert "orientation_selectivity" not in plain.data["measure"].values
    with pytest.raises(cs.InputError, match="say its whole turn with period="):
        cs.characterize(angle_data(), "stimulus", measures="orientation_selectivity", **QUICK)
    half = angle_data().isel(trial=slice(None))
    half = half.isel(trial=half["direction"].values < 180)
    assert "direction_selectivity" not in cs.characterize(half, "direction", **QUICK).data["measure"].values
    with pytest.raises(cs.InputError, match="needs 3 or more directions, evenly spaced"):
        cs.characterize(half, "direction", measures="direction_selectivity", **QUICK)
    cs.testing.check_result(made)


def test_negative_responses_leave_out_ratios():
    data = category_data(kind="dff")
    with pytest.warns(
        cs.ConsilienceWarning, match=r"ratios \(class_selectivity, lifetime_sparseness\) are left out"
    ):
        made = cs.characterize(data, **QUICK)
    assert made.data["measure"].values.tolist() == ["d_prime", "roc_auc", "eta_squared", "mutual_information"]
    assert made.warnings[0].code == "negative-responses"
    with pytest.raises(cs.InputError, match="class_selectivity is a ratio, and some responses are below 0"):
        cs.characterize(data, measures="class_selectivity", **QUICK)


def test_layers_side_by_side():
    layers = {"conv": category_data(strength=0.0), "fc": category_data(strength=8.0, units=4)}
    made = cs.characterize(layers, measures=["class_selectivity", "d_prime"], **QUICK)
    assert made.data["unit"].values.tolist()[:2] == ["conv/u0", "conv/u1"]
    assert made.data["system"].values.tolist() == ["conv"] * 6 + ["fc"] * 4
    profile = made.profile("class_selectivity").set_index("system")
    assert profile.loc["fc", "corrected"] > 0.1 > profile.loc["conv", "corrected"]
    assert "10 units of 2 systems" in repr(made)
    assert sentences(made)[2].startswith("fc: class selectivity: median")
    cs.testing.check_result(made)
    short = category_data().isel(trial=slice(0, 30))
    with pytest.raises(cs.InputError, match="systems differ in their rows, 36 stimuli and 30 stimuli"):
        cs.characterize({"a": category_data(), "b": short}, measures="d_prime", **QUICK)


def test_matched_noise_brings_a_network_to_neurons():
    net = category_data(n=10, units=40, kind="activation", system="net", strength=6.0)
    net = net.copy(data=np.maximum(net.values, 0))
    clean = cs.characterize(net, measures="d_prime", **QUICK)
    noisy = cs.characterize(
        net, measures="d_prime", matched_noise={"mean": 3.0, "fano": 2.0, "n_trials": 2}, **QUICK
    )
    assert noisy.settings["matched_noise"] == {"mean": 3.0, "fano": 2.0, "n_trials": 2}
    assert noisy.data["corrected"][0, 1::2].mean() < 0.6 * clean.data["corrected"][0, 1::2].mean()
    assert "given trials and noise of neurons" in noisy.methods[0]
    neurons = category_data(n=10, repeats=4)
    like = cs.characterize(net, measures="d_prime", matched_noise=neurons, **QUICK)
    assert like.settings["matched_noise"]["n_trials"] == 4
    assert like.settings["matched_noise"]["mean"] == pytest.approx(
        float(np.median(neurons.values.mean(axis=0)))
    )
    with pytest.raises(cs.InputError, match="matched_noise needs repeats"):
        cs.characterize(net, measures="d_prime", matched_noise=category_data(), **QUICK)
    with pytest.raises(cs.InputError, match="matched_noise must be counts of neurons"):
        cs.characterize(net, measures="d_prime", matched_noise={"fano": 1.0}, **QUICK)
    with pytest.raises(cs.InputError, match="matched_noise needs counts of spikes"):
        cs.characterize(net, measures="d_prime", matched_noise=net, **QUICK)


def test_time_is_averaged_and_valid_counts():
    data = category_data()
    over_time = data.expand_dims(time=[0.1, 0.2]).transpose("trial", "time", "unit")
    over_time.attrs = dict(data.attrs)
    made = cs.characterize(over_time, measures="eta_squared", **QUICK)
    np.testing.assert_allclose(
        made.data["value"], cs.characterize(data, measures="eta_squared", **QUICK).data["value"]
    )
    some = data.assign_coords(valid=("trial", np.arange(36) % 12 < 9))
    assert cs.characterize(some, measures="eta_squared", **QUICK).settings["n_rows"] == 27


def test_bad_input():
    data = category_data()
    with pytest.raises(
        cs.InputError, match=r"by must be a label on trial, got 'categry'. Did you mean 'category'"
    ):
        cs.characterize(data, "categry")
    with pytest.raises(cs.InputError, match="measures must be one of"):
        cs.characterize(data, measures="d_primes")
    with pytest.raises(cs.InputError, match="measures is empty"):
        cs.characterize(data, measures=[])
    with pytest.raises(cs.InputError, match="needs >= 2 trials of every label"):
        cs.characterize(data, "stimulus")
    with pytest.raises(cs.InputError, match="period= goes with a label of numbers"):
        cs.characterize(data, period=360)
    with pytest.raises(cs.InputError, match="data must be responses"):
        cs.characterize(data.values)
    with pytest.raises(cs.InputError, match="empty mapping"):
        cs.characterize({})
    mixed = data.assign_coords(
        choice=("trial", np.arange(36) % 2), stimulus=("trial", np.repeat(np.arange(9), 4))
    )
    with pytest.raises(cs.InputError, match="needs a choice that is the same in all trials"):
        cs.characterize(
            mixed.drop_vars("repeat", errors="ignore").assign_coords(
                repeat=("trial", np.tile(np.arange(4), 9))
            ),
            "choice",
            rows="stimuli",
        )


def test_silent_units_are_named_once():
    data = category_data()
    x = data.values.copy()
    x[:, 2] = 0
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        made = cs.characterize(data.copy(data=x), **QUICK)
    assert [str(w.message).count("e.g. 'u2'") for w in heard] == [1]
    assert np.isnan(made.data["value"].sel(unit="u2", measure="d_prime"))
    cs.testing.check_result(made)


def test_plots_draw(table):
    made = table.plot()
    assert len(made.figure.axes) > 8
    texts = [ax.get_title(loc="left") for ax in made.figure.axes]
    assert "class selectivity" in texts
    assert "tuning of the highest in class selectivity" in texts
    layers = cs.characterize({"a": category_data(), "b": category_data(seed=1)}, measures="d_prime", **QUICK)
    ticks = [t.get_text() for ax in layers.plot().figure.axes for t in ax.get_xticklabels()]
    assert {"a", "b"} <= set(ticks)
    with pytest.raises(cs.InputError, match="the first argument must be a UnitTable"):
        cs.plots.plot_unit_table(3)
    with pytest.raises(cs.InputError, match="measure must be one of"):
        table.plot(measures="d_primes")


def test_seed_makes_the_same(table):
    again = cs.characterize(category_data(), **{**QUICK, "rng": table.seed})
    for key in ("corrected", "p", "floor", "ci_low"):
        np.testing.assert_array_equal(again.data[key], table.data[key])


def test_a_series_and_what_was_followed():
    rng = np.random.default_rng(0)
    heading = np.cumsum(rng.normal(0, 0.3, 3000)) % (2 * np.pi)
    rate = 0.5 * np.exp(2 * np.outer(np.cos(heading - 1.0) - 1, [1.0, 0.0]))
    data = cs.responses(
        rng.poisson(rate), dims=("time", "unit"), time=np.arange(3000) * 0.1, kind="count", system="ADn"
    ).assign_attrs(bin=0.1)
    made = cs.characterize(data, heading, period=2 * np.pi, bins=12, n_perm=60, rng=0)
    assert made.data["measure"].values.tolist() == [
        "direction_score",
        "spatial_information",
        "information_rate",
    ]
    assert made.select(q=0.05).tolist() == [0]
    assert made.preferred.sel(measure="direction_score").values[0] == pytest.approx(1.0, abs=0.15)
    assert "2 units of ADn; 3000 bins of time, 12 values of variable" in repr(made)
    assert made.curves.sizes["condition"] == 12
    cs.testing.check_result(made)
    assert made.plot() is not None
    assert sentences(made)[0] == "Tuning of 2 units of ADn to variable, over 3,000 bins of time."
    with pytest.raises(cs.InputError, match="bins= goes with a series"):
        cs.characterize(category_data(), bins=3)


def test_groups_keep_relabellings_inside():
    rng = np.random.default_rng(0)
    run = np.repeat([1, 2], 40)
    category = np.where(rng.random(80) < np.where(run == 1, 0.85, 0.15), "a", "b")
    x = rng.normal(size=(80, 60)) + 2.0 * run[:, None]
    data = cs.responses(x, stimulus=np.arange(80), kind="bold", system="V1").assign_coords(
        category=("trial", category), run=("trial", run)
    )
    made = cs.characterize(data, measures=["eta_squared", "mutual_information"], groups="run", **QUICK)
    assert (made.data["p"].sel(measure="eta_squared") <= 0.05).mean() < 0.12
    assert np.isnan(made.data["p"].sel(measure="mutual_information")).all()  # it knows no groups
    free = cs.characterize(data, measures="eta_squared", **QUICK)
    assert (free.data["p"] <= 0.05).mean() > 0.9
    shown_twice = category_data(repeats=2).assign_coords(run=("trial", np.tile([1, 2], 36)))
    with pytest.raises(cs.InputError, match="some were shown in several runs"):
        cs.characterize(shown_twice, groups="run", **QUICK)


def test_a_layer_below_zero_takes_no_ratio_from_the_others():
    rng = np.random.default_rng(0)
    label = np.repeat(list("abc"), 10)
    x = rng.normal(size=(30, 3)) + (label == "a")[:, None]

    def layer(values, name):
        return cs.responses(values, stimulus=range(30), category=label, system=name)

    layers = {"linear": layer(x, "linear"), "relu": layer(np.maximum(x, 0), "relu")}
    with pytest.warns(cs.ConsilienceWarning, match=r"of 1 of 2 systems: 'linear'"):
        made = cs.characterize(layers, n_perm=19, n_floor=2, n_splits=5, rng=0)
    alone = cs.characterize(layers["relu"], n_perm=19, n_floor=2, n_splits=5, rng=0)
    assert set(made.data["measure"].values) == set(alone.data["measure"].values)
    value = made.data["value"].sel(measure="class_selectivity")
    assert np.isnan(value[made.data["system"] == "linear"]).all()
    np.testing.assert_array_equal(
        value[made.data["system"] == "relu"], alone.data["value"].sel(measure="class_selectivity")
    )
    assert (made.preferred.sel(measure="class_selectivity")[:3] == "").all()
    assert np.isfinite(made.data["q"].sel(measure="class_selectivity")[3:]).all()
    assert "linear" in repr(made)
