"""`rdms` of trials: distances that need repeats, folds by a label, reliability, RDMs as systems again."""

import numpy as np
import pytest

import consilience as cs
from consilience.linalg import noise_covariance, stimulus_residuals

IDS = [f"s{i}" for i in range(8)]


def trials(signal=1.0, *, repeats=6, units=12, seed=0, kind="rate", counts=False):
    rng = np.random.default_rng(seed)
    means = signal * rng.normal(size=(8, units))
    stimulus = np.tile(np.arange(8), repeats)
    x = (
        rng.poisson(np.exp(means[stimulus]))
        if counts
        else means[stimulus] + rng.normal(size=(8 * repeats, units))
    )
    data = cs.responses(x, kind=kind, stimulus=[IDS[s] for s in stimulus], repeat="count", system="V1")
    return data.assign_coords(run=("trial", np.repeat(np.arange(repeats), 8)))


def vector(result, system="V1"):
    return result.rdms.sel(system=system).values[np.triu_indices(8, 1)]


def test_crossnobis_where_stimuli_repeat_else_correlation():
    data = trials()
    result = cs.rdms(data, folds="run", n_boot=0)
    assert result.settings["distance"] == "crossnobis"
    assert result.data["distance"].item() == "crossnobis"
    expected = cs.measures.crossnobis(data.values, data["stimulus"].values, folds=data["run"].values)
    np.testing.assert_allclose(vector(result), expected, rtol=1e-10)
    assert (result.data["n_trials"].item(), result.data["n_folds"].item()) == (48, 6)
    averaged = cs.average(data)
    plain = cs.rdms(averaged)
    assert plain.settings["distance"] == "correlation"
    assert np.isnan(plain.data["reliability"].item())
    assert cs.rdms({"V1": data, "net": averaged}).settings["distance"] == "correlation"
    mixed = cs.rdms({"V1": data, "rdms": cs.rdm_data(expected[None], stimulus=IDS)})
    assert mixed.data["distance"].values.tolist() == ["crossnobis", "unknown"]


@pytest.mark.parametrize(
    "distance", ["correlation", "euclidean", "mahalanobis", "crossnobis", "poisson", "poisson_crossvalidated"]
)
def test_every_distance_is_the_measures(distance):
    data = trials(0.5, counts=True, kind="count")
    x, stimulus, run = data.values.astype(float), data["stimulus"].values, data["run"].values
    mean = np.stack([x[stimulus == s].mean(axis=0) for s in IDS])
    result = cs.rdms(data, distance=distance, folds="run", n_boot=0, n_splits=2)
    if distance == "mahalanobis":
        noise = noise_covariance(stimulus_residuals(x, stimulus, runs=run))
        expected = cs.measures.rdm(mean, distance=distance, noise=noise)
    elif distance in ("crossnobis", "poisson_crossvalidated"):
        expected = getattr(cs.measures, distance)(x, stimulus, folds=run)
    else:
        expected = cs.measures.rdm(mean, distance=distance)
    np.testing.assert_allclose(vector(result), expected, rtol=1e-8, atol=1e-10)
    assert -1 <= result.data["reliability"].item() <= 1
    if distance == "crossnobis":
        assert all(row.passed for row in cs.testing.check_result(result))


def test_reliability_is_high_with_signal_and_zero_without():
    strong = cs.rdms(trials(2.0), folds="run", noise=None)
    assert strong.data["reliability"] > 0.8
    assert strong.data["reliability_low"] <= strong.data["reliability"] <= strong.data["reliability_high"]
    assert "halves of the trials agree" in repr(strong)
    none = [
        cs.rdms(trials(0.0, seed=s), folds="run", noise=None, n_boot=0, n_splits=4).data["reliability"].item()
        for s in range(60)
    ]
    assert abs(np.mean(none)) < 4 * np.std(none) / np.sqrt(len(none))


def no_reliability(data, text, **options):
    with pytest.warns(cs.ConsilienceWarning, match="reliability-missing.*" + text):
        found = cs.rdms(data, **options)
    assert np.isnan(found.data["reliability"].values).any()
    assert "reliability-missing" in [w.code for w in found.warnings]


@pytest.mark.filterwarnings("ignore:.*(ceiling-missing|distance-of-averages)")
def test_halves_too_small_for_the_distance_give_no_reliability_and_it_is_said():
    small = "'V1': a half of its trials is too small for crossnobis"
    no_reliability(trials(repeats=2), small + ". It takes at least 4 trials of every stimulus", noise=None)
    no_reliability(trials(repeats=2), "4 trials of every stimulus in 4 folds .run.", noise=None, folds="run")
    assert np.isfinite(cs.rdms(trials(repeats=4), noise=None).data["reliability"].item())
    # no residuals in a half of a half
    no_reliability(trials(repeats=4), small + " with a noise covariance estimated from that half")
    few = trials()[np.isin(trials()["stimulus"], IDS[:3])]
    no_reliability(few, "agreement over stimuli, and 3 are too few", noise=None)
    no_reliability(trials()[:9], "not every stimulus has two valid trials")
    no_reliability(
        {"V1": trials(repeats=2), "V2": trials(repeats=2, seed=1)}, "of 'V1', 'V2': a half", noise=None
    )
    assert not cs.rdms(trials(repeats=2), noise=None, n_splits=0).warnings
    assert not cs.rdms(cs.average(trials())).warnings


def test_a_stimulus_with_a_single_trial_makes_the_distance_correlation_and_it_is_said():
    part = trials()[np.r_[0:41, 42:48]][~np.isin(np.arange(47), [9, 17, 25, 33])]
    with pytest.warns(cs.ConsilienceWarning) as seen:
        found = cs.rdms({"V1": trials(), "V2": part}, n_boot=0)
    assert found.data["distance"].values.tolist() == ["correlation", "correlation"]
    said = next(w.message for w in seen if w.message.code == "distance-of-averages")
    assert "for all systems" in str(said)
    assert "1 stimulus has a single one in 'V2' ('s1')" in str(said)
    rest = {name: x[x["stimulus"] != "s1"] for name, x in (("V1", trials()), ("V2", part))}
    assert cs.rdms(rest, n_boot=0, noise=None).settings["distance"] == "crossnobis"
    with pytest.warns(cs.ConsilienceWarning) as seen:  # as it was asked for
        cs.rdms({"V1": trials(), "V2": part}, distance="correlation", n_boot=0)
    assert "distance-of-averages" not in [w.message.code for w in seen]


def test_silent_units_do_not_stop_it():
    data = trials().copy()
    data[:, 3] = 0.0
    data[0, 3] = 1.0  # one spike, in one fold
    for noise in ("diagonal", "shrinkage", "shrinkage_diagonal", "full"):
        assert np.isfinite(vector(cs.rdms(data, folds="run", noise=noise, n_splits=0))).all()


def test_they_are_systems_again():
    data = trials(2.0)
    made = cs.rdms(data, folds="run", n_boot=0).to_rdm_data()
    assert list(made) == ["V1"]
    assert made["V1"].attrs["distance"] == "crossnobis"
    assert made["V1"].attrs["n_trials"] == 48
    layers = {"good": cs.average(data), "bad": cs.average(trials(2.0, seed=9))}
    with pytest.warns(cs.ConsilienceWarning, match="ceiling-missing"):
        found = cs.compare(layers, made, measure="rsa", n_boot=50, n_perm=50, rng=0)
    values = found.to_frame().set_index("a")["value"]
    assert values["good"] > 0.7
    assert values["bad"] < 0.4


def test_noise_for_each_system():
    one, two = trials(), trials(seed=1, units=5)
    both = cs.rdms({"V1": one, "V2": two}, folds="run", noise={"V1": np.eye(12), "V2": None}, n_splits=0)
    plain = cs.rdms({"V1": one, "V2": two}, folds="run", noise=None, n_splits=0)
    np.testing.assert_allclose(both.rdms, plain.rdms, rtol=1e-9, atol=1e-12)
    with pytest.raises(cs.InputError, match="noise has no entry for 'V2'"):
        cs.rdms({"V1": one, "V2": two}, noise={"V1": None}, n_splits=0)


@pytest.mark.parametrize(
    ("options", "text", "code"),
    [
        (
            {"folds": "runs"},
            r"has a label 'runs' on trial to hold out by\. Did you mean 'run'",
            "unknown-label",
        ),
        ({"distance": "crossnobi"}, "Did you mean 'crossnobis'", "unknown-option"),
        ({"noise": "ledoit"}, "noise must be one of", "unknown-option"),
        ({"distance": "poisson"}, "values below 0", "negative-counts"),
        ({"n_boot": 1}, "n_boot=1 says nothing", "bad-parameter"),
    ],
)
def test_refused_with_words(options, text, code):
    with pytest.raises(cs.InputError, match=text) as found:
        cs.rdms(trials(), **options)
    assert found.value.code == code


@pytest.mark.parametrize("distance", ["crossnobis", "mahalanobis", "poisson_crossvalidated"])
def test_averages_have_no_repeats(distance):
    with pytest.raises(cs.InputError, match="needs at least 2 valid trials of every stimulus") as found:
        cs.rdms(cs.average(trials()), distance=distance)
    assert found.value.code == "no-repeats"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": None},
        {"distance": "correlation"},
        {"distance": "euclidean"},
        {"distance": "poisson_crossvalidated"},
    ],
)
@pytest.mark.filterwarnings("ignore:.*reliability-missing")
def test_a_number_depends_neither_on_the_name_nor_on_the_order(options):
    data, other = trials(counts=True, kind="count"), trials(seed=3, repeats=4, counts=True, kind="count")
    options = {**options, "n_boot": 20, "n_splits": 3, "rng": 4}
    alone = cs.rdms(data, **options)
    for systems, name in (
        ({"anything": data}, "anything"),
        ({"z": data, "a": other}, "z"),
        ({"a": other, "z": data}, "z"),
    ):
        found = cs.rdms(systems, **options)
        np.testing.assert_array_equal(vector(found, name), vector(alone))
        for column in ("reliability", "reliability_low", "reliability_high"):
            assert found.data[column].sel(system=name).item() == alone.data[column].item()


@pytest.mark.parametrize("given", [False, True])
def test_crossnobis_of_dealt_repeats_is_the_mean_over_all_pairs_of_different_repeats(given):
    rng = np.random.default_rng(0)
    stimulus = np.repeat(np.arange(8), [2, 3, 4, 2, 5, 3, 2, 7])
    x = rng.normal(size=(stimulus.size, 5)) + 40.0
    p = np.linalg.inv(np.cov(rng.normal(size=(30, 5)).T)) if given else np.eye(5)
    data = cs.responses(x, stimulus=[IDS[s] for s in stimulus], repeat="count", system="V1")
    options = {"distance": "crossnobis", "noise": p if given else None, "n_splits": 0}
    found = vector(cs.rdms(data, **options, rng=0))

    def own(a):
        pairs = [(u, v) for u in range(len(a)) for v in range(len(a)) if u != v]
        return np.mean([a[u] @ p @ a[v] for u, v in pairs])

    each = [x[stimulus == s] for s in range(8)]
    expected = [
        (own(each[i]) + own(each[j]) - 2 * each[i].mean(0) @ p @ each[j].mean(0)) / 5
        for i, j in zip(*np.triu_indices(8, 1))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(found, vector(cs.rdms(data, **options, rng=1)))  # nothing is random
    if not given:
        dealt = [cs.measures.crossnobis(x, stimulus, noise=None, rng=s) for s in range(400)]
        error = np.std(dealt, axis=0) / 20
        assert (np.abs(np.mean(dealt, axis=0) - found) < 5 * error + 1e-12).all()


def test_an_estimated_noise_covariance_is_averaged_over_deals():
    data = trials(0.5, units=6)
    several = np.std([vector(cs.rdms(data, n_splits=0, rng=s)) for s in range(8)], axis=0).mean()
    one = [cs.measures.crossnobis(data.values, data["stimulus"].values, rng=s) for s in range(8)]
    assert several < 0.6 * np.std(one, axis=0).mean()
