"""`unit_report`: what each part says stands in the card, whatever the system; tables, files, figures, refusals."""

import numpy as np
import pytest

import consilience as cs


def trials(seed=0, n=20):
    category = np.repeat(["car", "face", "hand"], n)
    rate = np.where(category == "face", 9.0, 3.0)[:, None] * [1, 0] + [0, 4]
    x = np.random.default_rng(seed).poisson(rate)
    made = cs.responses(x, stimulus=category, repeat="count", kind="count", unit=["a", "b"], system="IT")
    return made.assign_coords(category=("trial", category))


@pytest.fixture(scope="module")
def recording():
    """Two units of 200 s: one that fires in one direction of a heading, one that does not care."""
    rng = np.random.default_rng(1)
    time = np.arange(0, 200, 0.05)
    heading = np.cumsum(rng.normal(0, 0.25, time.size)) % (2 * np.pi)
    spikes = []
    for rate in (30 * np.exp(2 * np.cos(heading - 2) - 2), np.full(time.size, 6.0)):
        counts = rng.poisson(rate * 0.05)
        every = np.sort(np.repeat(time, counts) + rng.uniform(0, 0.05, counts.sum()))
        spikes.append(every[np.diff(every, prepend=-1) > 0.003])
    signal = cs.Signal(heading[:, None], time + 0.025, kind="behaviour", unit="radian", channels=["heading"])
    return cs.Recording(
        name="adn",
        spikes=cs.SpikeTrains.from_list(spikes),
        signals={"heading": signal},
        observed=cs.Intervals([0], [200]),
    )


@pytest.fixture(scope="module")
def of_recording(recording):
    return cs.unit_report(recording, variable="heading", n_perm=100, rng=0)


def test_responses_hold_what_the_verbs_say():
    x = trials()
    found = cs.unit_report(x, by="category", n_perm=100, rng=0)
    direct = cs.characterize(x, "category", n_perm=100, rng=found.parts["selectivity"].seed)
    at = found.data.sel(quantity="selectivity.class_selectivity")
    mine = direct.data.sel(measure="class_selectivity")
    for key in ("value", "corrected", "ci_low", "ci_high", "floor", "p"):
        np.testing.assert_array_equal(at[key].values, mine[key].values)
    assert {"quality.reliability", "quality.fano_factor"} <= set(found.data["quantity"].values.tolist())
    assert found.table(sort="class_selectivity").index.tolist() == ["a", "b"]
    assert found.table(sort="class_selectivity", ascending=True).index.tolist() == ["b", "a"]


def test_card_of_one_unit_is_that_of_the_report():
    found = cs.unit_report(trials(), by="category", n_perm=100, rng=0)
    card = found.card("b")
    assert card.units == ["b"]
    assert card.parts["selectivity"].data["unit"].values.tolist() == ["b"]
    np.testing.assert_array_equal(card.data["value"][:, 0], found.data["value"].sel(unit="b"))
    with pytest.raises(KeyError, match="no unit 'c'; units are"):
        found.card("c")


def test_recording_with_a_variable(recording, of_recording):
    score = of_recording.data.sel(quantity="tuning.direction_score")
    assert score["corrected"].values[0] > 0.5
    assert abs(score["corrected"].values[1]) < 0.15
    assert score["p"].values[0] <= 0.02
    assert of_recording.parts["tuning"].settings["period"] == pytest.approx(2 * np.pi)
    assert list(of_recording.parts) == ["quality", "tuning"]
    trains = of_recording.trains
    assert trains.sizes["unit"] == 2
    beyond = trains["autocorrelogram"].isel(unit=1).where(np.abs(trains["lag"]) > 0.01)
    assert float(beyond.mean()) == pytest.approx(recording.spikes.of(1).size / 200, rel=0.15)
    assert float(trains["intervals"].isel(unit=1, interval=slice(0, 3)).sum()) == 0
    one = cs.unit_report(recording, 1, variable="heading", n_perm=100, rng=0)
    assert one.units == [1]
    value = one.data["value"].sel(quantity="tuning.direction_score")
    assert float(value[0]) == pytest.approx(float(score["value"][1]))


def test_receptive_field_and_series():
    rng = np.random.default_rng(2)
    movie = rng.normal(size=(3000, 4, 4))
    x = np.stack([np.roll(movie[:, 1, 2], 1), rng.normal(size=3000)], axis=1) + rng.normal(size=(3000, 2))
    series = cs.responses(x, kind="dff", dims=("time", "unit"), time=0.05 * np.arange(3000), unit=["a", "b"])
    found = cs.unit_report(series, stimulus=movie, lags=3, method="sta", n_perm=100, rng=0)
    at = found.data.sel(quantity="receptive_field.score")
    assert at["value"].values[0] > 0.5
    peak = found.data.sel(quantity="receptive_field.peak")
    assert peak["p"].values[0] <= 0.02
    with pytest.raises(cs.InputError, match="variable= does not go with trials"):
        cs.unit_report(trials(), variable=np.zeros(60))


def test_units_of_a_network():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU())
    net = cs.Network(module, name="small")
    rng = np.random.default_rng(3)
    group = np.repeat(["a", "b"], 20)
    values = rng.normal(size=(40, 6)).astype(np.float32) + (group == "a")[:, None]
    shown = cs.stimuli(values, ids=np.arange(40)).assign_coords(group=("stimulus", group))
    units = [net.unit("1", i) for i in range(3)]
    found = cs.unit_report(units, stimuli=shown, by="group", n_perm=50, rng=0)
    assert found.units == [unit.name for unit in units]
    assert found.parts["selectivity"].data.sizes["unit"] == 3
    noisy = cs.unit_report(
        net,
        units,
        stimuli=shown,
        by="group",
        matched_noise={"mean": 4, "fano": 1, "n_trials": 5},
        n_perm=50,
        rng=0,
    )
    assert noisy.parts["selectivity"].settings["matched_noise"]["n_trials"] == 5
    best = found.exemplars.sel(unit=units[1].name)
    assert best["stimulus"].values[0] == np.argmax(units[1].respond(shown))
    card = found.card(units[1].name)
    assert set(card.pictures["stimulus"].values) == set(best["stimulus"].values)
    made = cs.unit_report(
        units[:2], stimuli=shown, preferred={"steps": 8, "n_seeds": 1, "n_null": 3}, n_perm=0, rng=0
    )
    alone = made.card(units[1].name)
    assert alone.parts["preferred"].data["target"].values.tolist() == [units[1].name]
    assert set(alone.parts["preferred"].stimuli["target"].values.tolist()) == {units[1].name}
    assert alone.plot() is not None
    assert card.plot() is not None
    with pytest.raises(cs.InputError, match="pass stimuli="):
        cs.unit_report(units, by="group")
    with pytest.raises(cs.InputError, match=r"net\.unit\(layer, 12\)"):
        cs.unit_report(net, stimuli=shown, by="group")
    with pytest.raises(cs.InputError, match="trials= does not go with a network"):
        cs.unit_report(units, trials=trials())


def test_results_computed_before():
    x = trials()
    table = cs.characterize(x, "category", n_perm=50, rng=1)
    found = cs.unit_report(x, "b", results=table, n_perm=50, rng=0)
    np.testing.assert_array_equal(
        found.data["value"].sel(quantity="selectivity.d_prime", unit="b"),
        table.data["value"].sel(measure="d_prime", unit="b"),
    )
    with pytest.raises(cs.InputError, match="has none of the units"):
        cs.unit_report(x.assign_coords(unit=["c", "d"]), results=[table], n_perm=50)
    with pytest.raises(cs.InputError, match="results= takes"):
        cs.unit_report(x, results=[found])


def test_further_numbers():
    x = trials()
    impact = cs.characterize(x, "category", measures=["d_prime"], n_perm=0, rng=0).data.sel(measure="d_prime")
    found = cs.unit_report(
        x,
        by="category",
        numbers={"lesion.drop": impact, "depth": [3, 4], "width": {"b": 0.2}},
        n_perm=0,
        rng=0,
    )
    at = found.data.sel(quantity="lesion.drop")
    np.testing.assert_array_equal(at["ci_low"], impact["ci_low"])
    assert found.table()["other.depth"].tolist() == [3, 4]
    assert np.isnan(found.table()["other.width"].loc["a"])
    for wrong in ([1], ["a", "b"], {"c": 1.0}, {"a": "x"}):
        with pytest.raises(cs.InputError, match="numbers"):
            cs.unit_report(x, by="category", numbers={"depth": wrong}, n_perm=0)


def test_q_is_over_the_units_of_the_report():
    found = cs.unit_report(trials(), by="category", n_perm=200, rng=0)
    p, q = (found.data[key].sel(quantity="selectivity.eta_squared").values for key in "pq")
    assert q == pytest.approx(cs.stats.fdr(p))


def test_file_figure_and_checks(of_recording, tmp_path):
    again = cs.load(of_recording.save(tmp_path / "report.nc"))
    assert list(again.parts) == list(of_recording.parts)
    assert type(again.parts["tuning"]).__name__ == "UnitTable"
    np.testing.assert_array_equal(
        again.parts["tuning"].curves["mean"], of_recording.parts["tuning"].curves["mean"]
    )
    assert again.parts["quality"].settings == of_recording.parts["quality"].settings
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    one = of_recording.card(0)
    assert len(one.plot().figure.axes) >= 4
    assert of_recording.plot() is not None
    assert of_recording.plot(unit=1) is not None
    assert "unit 0 of adn" in repr(one)
    for result in (one, of_recording):
        assert all(row.passed for row in cs.testing.check_result(result))


def test_the_same_seed_gives_the_same_file(recording, of_recording):
    again = cs.unit_report(recording, variable="heading", n_perm=100, rng=0)
    assert again.data.identical(of_recording.data)


def test_what_is_refused(recording):
    x = trials()
    with pytest.raises(cs.InputError, match="nothing to say of") as caught:
        cs.unit_report(trials(n=1))
    assert caught.value.code == "nothing-asked"
    with pytest.raises(KeyError, match="no unit 'z'"):
        cs.unit_report(x, "z", by="category")
    with pytest.raises(KeyError, match=r"no signal 'headnig'.*heading"):
        cs.unit_report(recording, variable="headnig")
    with pytest.raises(cs.InputError, match="system must be"):
        cs.unit_report(np.zeros((3, 2)))
    with pytest.raises(cs.InputError, match=r"pass trials=rec\.epoch"):
        cs.unit_report(recording, by="category")
    found = cs.unit_report(x, by="category", n_perm=0, rng=0)
    with pytest.raises(KeyError, match="no quantity 'selectivty'"):
        found.table(sort="selectivty")


def test_an_angle_without_a_unit_is_averaged_on_the_circle():
    rng = np.random.default_rng(5)
    time = np.arange(0, 300, 0.02)
    heading = np.cumsum(rng.normal(0, 0.12, time.size)) % (2 * np.pi)
    spikes = np.repeat(time, rng.poisson(0.3 * np.exp(3 * (np.cos(heading - 0.1) - 1)))) + 0.01
    spikes = np.unique(spikes)
    found = {}
    for unit, scale, turn in (("radian", 1.0, None), ("", 1.0, 2 * np.pi), ("", 180 / np.pi, 360)):
        rec = cs.Recording(
            spikes=cs.SpikeTrains.from_list([spikes]),
            signals={"heading": cs.Signal(heading * scale, time, unit=unit)},
            observed=cs.Intervals([0], [300]),
        )
        report = cs.unit_report(rec, variable="heading", period=turn, n_perm=0, rng=0)
        found[unit, scale] = float(report.data["value"].sel(quantity="tuning.direction_score")[0])
    assert found["", 1.0] == pytest.approx(found["radian", 1.0])
    assert found["", 180 / np.pi] == pytest.approx(found["radian", 1.0])
    with pytest.raises(cs.InputError, match="is an angle in radians"):
        cs.unit_report(rec, variable="heading", period=24, n_perm=0)


def test_what_is_said_of_a_unit_does_not_depend_on_the_others_asked_for():
    rng = np.random.default_rng(6)
    trains = [np.sort(rng.uniform(600, 1200, 3000)), np.sort(rng.uniform(0, 1200, 6000)), np.zeros(0)]
    rec = cs.Recording(
        spikes=cs.SpikeTrains.from_list(trains), units={"unit": np.array(["a", "b", "silent"])}
    )
    with pytest.warns(cs.ConsilienceWarning):
        alone, every = cs.unit_report(rec, "a", n_perm=0, rng=0), cs.unit_report(rec, n_perm=0, rng=0)
    assert "observed-guessed" in {caution.code for caution in alone.warnings}
    rate, presence = (f"quality.{name}" for name in ("firing_rate", "presence_ratio"))
    for name in (rate, presence):
        assert float(alone.data["value"].sel(quantity=name)[0]) == float(
            every.card("a").data["value"].sel(quantity=name)[0]
        )
    assert float(alone.data["value"].sel(quantity=rate)[0]) == pytest.approx(2.5, rel=0.01)
    with pytest.raises(cs.InputError, match="nothing to say"):
        cs.unit_report(rec, "silent", n_perm=0, rng=0)


def test_the_text_of_a_number_names_a_unit(recording):
    assert cs.unit_report(recording, "1", n_perm=0, rng=0).units == [1]
