"""`cs.predict_perturbation` and its score: the whole circle on planted populations."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats as distributions

import consilience as cs
from consilience.analyses._perturbation_runs import acts_of, half_splits_of
from consilience.stats._matched_sets import matched_sets
from consilience.stats._prediction_scores import correlation_interval, prediction_scores
from consilience.stats._trials_needed import power_of_trials, trials_needed

pytestmark = pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
RIDGE = {"ridge": cs.models.RidgeCV()}
WEIGHTS = np.r_[np.ones(5), np.zeros(15)]  # units 0 to 4 are read out; 5 to 9 share their drive and are not


def planted(n=400, seed=0, noise=3.0):
    """(counts, speed): 10 units share a drive, 5 of them make the speed."""
    rng = np.random.default_rng(seed)
    drive = rng.normal(size=n)
    rates = rng.poisson(np.exp(1.5 + 0.4 * np.outer(drive, np.arange(20) < 10))).astype(float)
    return rates, rates @ WEIGHTS + noise * rng.normal(size=n)


def recorded(rates):
    return cs.responses(rates, stimulus=np.arange(len(rates)), kind="count", system="M1")


SETS = {"read": range(5), "correlated": range(5, 10), "others": range(10, 15)}


@functools.cache
def predicted():
    rates, speed = planted()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        return cs.predict_perturbation(
            recorded(rates), speed, sets=SETS, act=["silence", ("sd", 1)], n_controls=40, n_refits=20, rng=0,
            families={"ridge": cs.models.RidgeCV(), "PLS": cs.models.PLSCV()},
        )  # fmt: skip


def experiment(n, rng, silenced):
    """Speeds of n intact and n perturbed trials of the animal itself."""
    rates, _ = planted(2 * n, int(rng.integers(2**31)))
    rates[n:, silenced] = 0
    speed = rates @ WEIGHTS + 3 * rng.normal(size=2 * n)
    return speed[:n], speed[n:]


def test_causal_units_are_predicted_and_correlated_ones_are_not_given_their_part():
    found, (rates, _) = predicted(), planted()
    truth = -rates[:, :5].sum(axis=1).mean()
    at = found.data.sel(outcome="target")
    for family in ("ridge", "PLS"):
        row = at.sel(family=family, perturbation="silence read")
        assert row["ci_low"] < truth < row["ci_high"]
        assert row["difference_high"] < -15  # beyond matched controls
        assert row["p_control"] < 0.06
        other = at.sel(family=family, perturbation="silence correlated")
        assert other["ci_low"] < 0 < other["ci_high"]
        assert np.isinf(other["trials_high"])  # its interval holds no change at all
    assert found.families["agree"].sel(outcome="target", perturbation="silence read")
    driven = at.sel(family="ridge", perturbation="drive by +1 sd read")
    assert abs(driven["change"] - rates[:, :5].std(axis=0).sum()) < 1.5


def test_a_family_that_takes_units_one_by_one_is_fooled_by_correlation_and_that_is_said():
    """Naive Bayes gives correlated units that nothing reads as much weight as those that are read."""
    rates, speed = planted(600)
    side = np.where(speed > np.median(speed), "fast", "slow")
    with pytest.warns(cs.ConsilienceWarning) as said:
        found = cs.predict_perturbation(
            recorded(rates), side, sets={"correlated": range(5, 10)}, n_controls=10, n_refits=15, rng=0,
            families={"LDA": cs.models.LDA(), "naive Bayes": cs.models.PoissonNaiveBayes()},
        )  # fmt: skip
    share = found.data["change"].sel(outcome="share of fast", perturbation="silence correlated")
    assert share.sel(family="naive Bayes") < -0.25
    assert abs(share.sel(family="LDA")) < 0.1
    codes = {w.message.code for w in said}
    assert {"correlational-model", "families-disagree"} <= codes
    low, high = (found.families[k].sel(outcome="share of fast").item() for k in ("low", "high"))
    assert low < share.sel(family="naive Bayes") < share.sel(family="LDA") < high  # the union


def test_trials_that_are_said_suffice_in_simulated_experiments():
    found = predicted()
    n = int(found.data["trials"].sel(family="ridge", perturbation="silence read", outcome="target"))
    driven = found.data.sel(family="ridge", perturbation="drive by +1 sd read", outcome="target")
    assert n == trials_needed(
        *(found.data[k].sel(family="ridge", perturbation="silence read", outcome="target").item()
          for k in ("change", "sd", "sd_changed"))
    )  # fmt: skip
    assert driven["trials_low"] <= driven["trials"] <= driven["trials_high"]
    rng = np.random.default_rng(0)
    hits = np.mean([distributions.ttest_ind(*experiment(n, rng, range(5))).pvalue < 0.05 for _ in range(300)])
    assert hits > 0.75  # 0.8 was asked, n is rounded up


def test_power_is_that_of_simulated_t_tests():
    rng = np.random.default_rng(0)
    for n, effect in ((5, 1.5), (20, 0.9), (64, 0.5)):
        x = rng.normal(size=(4000, n))
        y = rng.normal(size=(4000, n)) + effect
        hits = (distributions.ttest_ind(x, y, axis=1).pvalue < 0.05).mean()
        assert abs(hits - float(power_of_trials(n, effect))) < 0.025
    assert int(trials_needed(0.5, 1.0, 1.0)) == 64  # Cohen 1988, table 2.3.5
    assert int(trials_needed(0.8, 1.0, 1.0)) == 26
    assert int(trials_needed(0.2, 1.0, 1.0)) == 394


def test_trials_at_the_ends():
    assert np.isinf(trials_needed(0.0, 1.0, 1.0))
    assert np.isinf(trials_needed(1e-6, 1.0, 1.0))
    assert np.isnan(trials_needed(np.nan, 1.0, 1.0))
    assert np.isnan(trials_needed(1.0, np.nan, 1.0))
    assert trials_needed(1.0, 0.0, 0.0) == 2
    some = trials_needed(np.array([0.1, 0.3, 3.0]), 1.0, 2.0)
    assert (np.diff(some) < 0).all()
    reached = power_of_trials(some[:2], np.array([0.1, 0.3]) / np.sqrt(2.5))
    assert (reached >= 0.8).all()
    assert (power_of_trials(some[:2] - 1, np.array([0.1, 0.3]) / np.sqrt(2.5)) < 0.8).all()


def test_controls_are_matched_in_rate_and_hold_no_member():
    rng = np.random.default_rng(0)
    rate = np.sort(rng.gamma(2, 5, size=60))
    own = np.zeros(60, bool)
    own[[50, 52, 54, 56]] = True
    sets = matched_sets(rate, own, 200, rng)
    assert sets.shape == (200, 60)
    assert (sets.sum(axis=1) == 4).all()
    assert not (sets & own).any()
    assert abs((sets @ rate / 4).mean() - rate[own].mean()) < 1.5
    assert rate.mean() < rate[own].mean() - 5
    assert len(np.unique(sets, axis=0)) > 10
    aside = np.zeros(60, bool)
    aside[51] = True
    assert not matched_sets(rate, own, 50, rng, aside=aside)[:, 51].any()
    assert matched_sets(rate, np.arange(60) < 40, 5, rng).shape == (0, 60)


def test_the_file_is_scored_against_the_experiment(tmp_path):
    found, rng = predicted(), np.random.default_rng(1)
    again = cs.load(found.save(tmp_path / "prediction.nc"))
    assert again.settings["data_sha256"] == found.settings["data_sha256"]
    assert again.controls.identical(found.controls)
    assert again.controls.name == "change"
    rows = []
    for name, units in SETS.items():
        intact, perturbed = experiment(200, rng, list(units))
        for condition, values in (("intact", intact), ("perturbed", perturbed)):
            rows += [(f"silence {name}", "target", condition, v) for v in values]
    later = pd.DataFrame(rows, columns=["perturbation", "outcome", "condition", "value"])
    score = again.score(later)
    at = score.data.sel(family="ridge")
    assert at["inside"] >= 2 / 3
    assert at["error"] < 0.2 * at["error_no_change"]
    assert at["error"] < 0.2 * at["error_controls"]
    assert score.pairs.sizes["pair"] == 3
    assert score.data["family"].values.tolist() == ["ridge", "PLS", "any"]
    cs.testing.check_result(score)
    by_change = pd.DataFrame(
        {
            "perturbation": score.pairs["perturbation"].values,
            "outcome": score.pairs["outcome"].values,
            "change": score.pairs["observed"].values,
            "se": score.pairs["observed_se"].values,
        }
    )
    np.testing.assert_allclose(
        cs.score_perturbation(again, by_change).data["error"].values, score.data["error"].values
    )


def test_scores_of_numbers():
    x = np.array([1.0, -2, 3, 0.5, 4])
    scores, right, inside = prediction_scores(
        x, x - 1, x + 1, x + [0.5, 0, 0, 2, 0], np.full(5, np.nan), np.zeros(5), np.ones(5), level=0.95
    )
    assert right.all()
    assert inside.tolist() == [True, True, True, False, True]
    assert scores["sign_p"] == pytest.approx(2 * 0.5**5)
    assert scores["error"] == pytest.approx(np.sqrt((0.25 + 4) / 5))
    assert scores["error_controls"] == scores["error_no_change"]
    r, low, high = correlation_interval(np.arange(10.0), np.arange(10) + np.tile([0, 1.0], 5), 0.95)
    assert low < r < high
    assert all(np.isnan(correlation_interval(np.arange(3.0), np.arange(3.0), 0.95)))


def of_classes():
    rates, speed = planted(200)
    return cs.predict_perturbation(
        recorded(rates), np.where(speed > 24, "fast", "slow"), sets={k: [k] for k in range(6)},
        families={"LDA": cs.models.LDA()}, n_controls=3, n_refits=4, rng=0,
    )  # fmt: skip


def test_outcomes_of_one_perturbation_are_not_independent():
    said = of_classes()
    change = said.families["change"].sel(outcome="share of fast")
    one = pd.DataFrame(
        {"perturbation": change["perturbation"].values, "outcome": "share of fast", "change": change.values}
    )
    mirror = one.assign(outcome="share of slow", change=-one["change"])
    single, both = said.score(one), said.score(pd.concat([one, mirror]))
    for name in single.data.data_vars:
        np.testing.assert_allclose(both.data[name], single.data[name], err_msg=str(name))
    assert both.pairs["counted"].values.tolist() == [True] * 6 + [False] * 6
    assert single.data["sign_p"].sel(family="LDA") == pytest.approx(2 * 0.5**6)
    accuracy = one.assign(
        outcome="accuracy", change=said.families["change"].sel(outcome="accuracy").values + 1e-6
    )
    wide = said.score(pd.concat([one, accuracy])).data.sel(family="LDA")
    assert (wide["n"], wide["n_independent"]) == (12, 6)
    assert wide["sign_low"] <= single.data["sign_low"].sel(family="LDA") + 1e-9
    assert wide["sign_p"] >= 2 * 0.5**6
    with pytest.raises(cs.InputError, match="not in percent") as error:
        said.score(one.assign(change=-40.0))
    assert error.value.code == "bad-units"


def test_signs_flip_together():
    ones = np.ones(8)
    given = ones, ones - 1, ones + 1, ones, ones, ones, ones
    scores = [
        prediction_scores(*given, g, level=0.95)[0] for g in (None, np.arange(8) // 2, np.zeros(8, int))
    ]
    assert [s["sign_p"] for s in scores] == pytest.approx([2 * 0.5**8, 2 * 0.5**4, 1])
    assert scores[0]["sign_low"] > scores[1]["sign_low"] > scores[2]["sign_low"]
    mixed = np.array([1, 1, 1, 1, 1, 1, -1, 1.0])
    plain = prediction_scores(ones, *given[1:3], mixed, *given[4:], level=0.95)[0]
    assert plain["sign_p"] == pytest.approx(distributions.binomtest(7, 8).pvalue)
    still, right, _ = prediction_scores(ones, *given[1:3], mixed * (np.arange(8) > 1), *given[4:], level=0.95)
    assert np.isnan(right[:2]).all()
    assert still["n_signs"] == 6
    assert still["sign_agreement"] == pytest.approx(5 / 6)


def test_trials_that_are_missing_are_left_out_and_said():
    rows = [("silence read", "target", c, v) for c in ("intact", "perturbed") for v in (1.0, 2, 3, np.nan)]
    later = pd.DataFrame(rows, columns=["perturbation", "outcome", "condition", "value"])
    with pytest.warns(cs.ConsilienceWarning, match=r"2 of 8 trials .*row 3, 'silence read'"):
        score = predicted().score(later)
    assert score.pairs["observed"].item() == 0
    assert np.isnan(score.data["sign_agreement"].values).all()
    assert [w.code for w in score.warnings] == ["trials-omitted"]
    assert "sign right -" in repr(score)


def test_result_keeps_its_promises():
    found = predicted()
    cs.testing.check_result(found)
    assert "assume that the readout is causal" in repr(found)
    assert any("assumes that the readout is causal" in line for line in found.methods)
    assert "correlational-model" in {c.code for c in found.warnings}
    power = found.power["power"].sel(family="ridge", perturbation="silence read", outcome="target").values
    assert (np.diff(power) >= -1e-9).all()
    assert found.controls.shape == (2, 6, 2, 40)


def test_angles_and_series():
    rng = np.random.default_rng(0)
    n = 800
    heading = np.cumsum(rng.normal(0, 0.25, n)) % (2 * np.pi)
    preferred = np.arange(8) * np.pi / 4
    counts = rng.poisson(3 * np.exp(2 * (np.cos(heading[:, None] - preferred) - 1))).astype(float)
    data = cs.responses(counts, dims=("time", "unit"), time=np.arange(n) * 0.1, kind="count", system="ADN")
    found = cs.predict_perturbation(
        data,
        heading,
        sets={"east": [0, 1]},
        circular=True,
        families=RIDGE,
        n_controls=5,
        n_refits=4,
        trial=20,
        rng=0,
    )
    at = found.data.sel(family="ridge", perturbation="silence east")
    assert found.settings["trial_rows"] == 20
    assert at["change"].sel(outcome="error of target") > 0
    assert found.data["skill"].item() < 0.6  # rad


def test_responses_of_other_units_are_an_outcome():
    rng = np.random.default_rng(0)
    source = rng.poisson(6, size=(300, 8)).astype(float)
    follower = np.column_stack([2 * source[:, 0], rng.normal(size=300)]) + rng.normal(size=(300, 2))
    ids = np.arange(300)
    x = cs.responses(source, stimulus=ids, kind="rate", system="A")
    y = cs.responses(follower, stimulus=ids, kind="rate", system="B", unit=["driven", "free"])
    found = cs.predict_perturbation(
        x, y, sets={"source": [0]}, families=RIDGE, n_controls=5, n_refits=8, rng=0
    )
    change = found.data["change"].sel(family="ridge", perturbation="silence source")
    assert abs(change.sel(outcome="driven") + 2 * source[:, 0].mean()) < 0.5
    assert abs(change.sel(outcome="free")) < 1


def test_sets_by_cell_type_and_too_large_ones():
    rates, speed = planted(80)
    data = recorded(rates).assign_coords(kind_of=("unit", ["wide"] * 12 + ["narrow"] * 8))
    with pytest.warns(cs.ConsilienceWarning) as said:
        found = cs.predict_perturbation(
            data, speed, sets="kind_of", act=("to", 3), families=RIDGE, n_controls=4, n_refits=0, rng=0
        )
    assert found.data["perturbation"].values.tolist() == ["drive to 3 wide", "drive to 3 narrow"]
    assert "no-controls" in {w.message.code for w in said}  # 12 of 20 units
    assert np.isnan(found.data["ci_low"]).all()
    assert np.isnan(found.data["p_control"].sel(perturbation="drive to 3 wide")).all()
    assert np.isfinite(found.data["p_control"].sel(perturbation="drive to 3 narrow")).all()


@pytest.mark.parametrize("missing", ["", None, np.nan])
def test_units_without_a_label_are_said_and_no_set(missing):
    rates, speed = planted(80)
    labels = np.array(["wide"] * 8 + ["narrow"] * 8 + [missing] * 4, dtype=object)
    data = recorded(rates).assign_coords(cell=("unit", labels))
    with pytest.warns(cs.ConsilienceWarning, match=r"4 of 20 units have no label 'cell' \(16, 17, 18, 19\)"):
        found = cs.predict_perturbation(
            data, speed, sets="cell", families=RIDGE, n_controls=0, n_refits=0, rng=0
        )
    assert found.data["perturbation"].values.tolist() == ["silence wide", "silence narrow"]
    with pytest.raises(cs.InputError, match="no unit that varies has a label 'cell'"):
        cs.predict_perturbation(
            recorded(rates).assign_coords(cell=("unit", np.full(20, "", dtype=object))), speed, sets="cell",
            families=RIDGE, n_controls=0, n_refits=0, rng=0,
        )  # fmt: skip


def test_halves_hold_whole_groups_and_all_classes():
    from consilience._core._seeds import resolve_seed
    from consilience.analyses._recorded_task import Fitting, read_task

    rng = np.random.default_rng(0)
    data = cs.responses(rng.normal(size=(40, 3)), stimulus=np.repeat(np.arange(10), 4), repeat="count")
    label = np.repeat(np.tile(["a", "b"], 5), 4)
    task, _ = read_task(data, label, None, Fitting(cv=2), seed=resolve_seed(0, who="x"), who="x")
    for _ in range(5):
        [(train, test)] = half_splits_of(task, rng)
        assert not set(train // 4) & set(test // 4)
        assert set(label[train]) == set(label[test]) == {"a", "b"}
        assert train.size + test.size == 40


def test_silence_of_values_below_zero_is_said():
    rng = np.random.default_rng(0)
    data = cs.responses(rng.normal(size=(60, 6)), stimulus=np.arange(60))
    with pytest.warns(cs.ConsilienceWarning, match="silence-below-zero"):
        cs.predict_perturbation(
            data, rng.normal(size=60), sets={"a": [0]}, families=RIDGE, n_controls=3, n_refits=0, rng=0
        )


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"act": "excite"}, "bad-parameter", "act must be"),
        ({"act": []}, "bad-parameter", "empty"),
        ({"sets": {"all": range(20)}}, "bad-parameter", "all units"),
        ({"sets": {"a": [40]}}, "unknown-name", r"unit 40, .*its 20 units are 0, .*, 7, \.\.\."),
        ({"sets": None}, None, "each unit|parts"),
        ({"families": [cs.models.RidgeCV()]}, "bad-parameter", "families must be"),
        ({"trial": 5}, "bad-parameter", "series"),
        ({"families": {"x": cs.models.LDA()}}, "bad-parameter", "regressor"),
    ],
)
def test_bad_input_is_said(change, code, text):
    rates, speed = planted(60)
    given = {"sets": {"a": [0]}, "families": RIDGE, "n_controls": 2, "n_refits": 0, "rng": 0} | change
    if given["sets"] is None:
        found = cs.predict_perturbation(recorded(rates), speed, **given)
        assert found.data.sizes["perturbation"] == 20  # every unit is a set
        return
    with pytest.raises(cs.InputError, match=text) as error:
        cs.predict_perturbation(recorded(rates), speed, **given)
    assert str(error.value).startswith("cs.predict_perturbation")
    assert error.value.code == code


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ([1, 2], "DataFrame"),
        (pd.DataFrame({"outcome": ["target"]}), "lacks perturbation"),
        (pd.DataFrame({"perturbation": ["x"], "outcome": ["target"], "change": [1.0]}), "was not predicted"),
        (
            pd.DataFrame(
                {"perturbation": ["silence read"] * 2, "outcome": ["target"] * 2, "change": [1.0, 2]}
            ),
            "twice",
        ),
        (
            pd.DataFrame({"perturbation": ["silence read"], "outcome": ["target"], "change": [np.nan]}),
            r"finite number; row 0 \('silence read'",
        ),
        (pd.DataFrame({"perturbation": [], "outcome": [], "change": []}), "no rows"),
        (
            pd.DataFrame({"perturbation": ["silence read"], "outcome": ["target"], "change": ["-3"]}),
            "must be numbers",
        ),
        (
            pd.DataFrame(
                {"perturbation": ["silence read"], "outcome": ["target"], "change": [1], "se": [-1.0]}
            ),
            "se must be 0 or more",
        ),
        (
            pd.DataFrame(
                {
                    "perturbation": ["silence read"],
                    "outcome": ["target"],
                    "condition": ["intact"],
                    "value": [1.0],
                }
            ),
            "at least 2 trials",
        ),
    ],
)
def test_observed_tables_that_do_not_fit_are_said(table, text):
    with pytest.raises(cs.InputError, match=text):
        predicted().score(table)


def test_acts_are_read():
    x = np.arange(6.0).reshape(2, 3)
    one, two, three, four = acts_of(["silence", ("to", 4), ("add", -1), ("sd", 2)])
    mean, sd = x.mean(axis=0), x.std(axis=0)
    assert (one.to(x, mean, sd) == 0).all()
    assert (two.to(x, mean, sd) == 4).all()
    np.testing.assert_allclose(three.to(x, mean, sd), x - 1)
    np.testing.assert_allclose(four.to(x, mean, sd), x + 2 * sd)
    assert [a.name for a in (one, two, three, four)] == [
        "silence",
        "drive to 4",
        "drive by -1",
        "drive by +2 sd",
    ]


@pytest.mark.slow
def test_intervals_hold_the_expected_change():
    """Of models fitted to as many trials: within binomial error of 0.95 in 100 data sets."""
    changes, low, high = [], [], []
    for k in range(100):
        rates, speed = planted(150, seed=k)
        found = cs.predict_perturbation(
            recorded(rates), speed, sets={"read": range(5)}, families=RIDGE, n_controls=0, n_refits=30, rng=k
        ).data.sel(family="ridge", outcome="target", perturbation="silence read")
        (
            changes.append(float(found["change"])),
            low.append(float(found["ci_low"])),
            high.append(float(found["ci_high"])),
        )
    truth = np.mean(changes)
    assert 0.88 <= np.mean((np.array(low) <= truth) & (truth <= np.array(high))) <= 1
