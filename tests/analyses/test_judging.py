"""Judging measures: agreement of their rankings, influence of single stimuli, stimuli that decide."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import stats

import consilience as cs
from consilience.stats._contributions import held_out_shares, row_tests
from consilience.stats._rank_agreement import kendall_tau_b, same_top, spearman_rho
from consilience.testing import check_result

N = 24
IDS = [f"image{i:02d}" for i in range(N)]


def responses(x, name):
    return cs.responses(x, stimulus=IDS, system=name)


def signal_and_copies(count=4, seed=0):
    """Copies of one system with more and more noise, and a brain."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(N, 30))
    models = {
        f"model {k}": responses(y + (0.3 + k) * rng.normal(size=(N, 30)), f"model {k}") for k in range(count)
    }
    return models, responses(y + 0.5 * rng.normal(size=(N, 30)), "brain")


# ranks ---------------------------------------------------------------------------------------------------


def test_rank_statistics_equal_scipy_with_ties():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, size=(2, 40, 8)).astype(float)
    for row in range(40):
        assert kendall_tau_b(x, y)[row] == pytest.approx(
            stats.kendalltau(x[row], y[row]).statistic, abs=1e-12
        )
        assert spearman_rho(x, y)[row] == pytest.approx(stats.spearmanr(x[row], y[row]).statistic, abs=1e-12)


def test_the_top_is_the_same_only_with_its_ties():
    assert same_top(np.array([1.0, 3.0, 2.0]), np.array([0.0, 9.0, 1.0]))
    assert not same_top(np.array([1.0, 1.0, 1.0]), np.array([0.0, 9.0, 1.0]))
    assert np.isnan(kendall_tau_b(np.ones(3), np.arange(3.0)))


# agreement -----------------------------------------------------------------------------------------------


def test_measures_that_see_an_ordering_agree_on_it():
    models, brain = signal_and_copies()
    found = cs.compare(models, brain, measure=["rsa", "cka"], n_boot=100, n_perm=0, rng=0).agreement()
    row = found.to_frame().iloc[0]
    assert (row["tau"], row["spearman"]) == pytest.approx((1.0, 1.0))
    assert row["same_ranking"]
    assert row["same_top"]
    assert row["tau_low"] <= row["tau"] <= row["tau_high"]
    assert len(found.disagreements()) == 0


def test_measures_disagree_where_one_is_blind():
    """Stretched by unit: CKA falls below a noisy copy, in-sample CCA cannot see it."""
    rng = np.random.default_rng(1)
    y = rng.normal(size=(N, 4))
    models = {
        "stretched": responses(y * np.array([30.0, 1.0, 1.0, 1.0]), "stretched"),
        "noisy": responses(y + 0.6 * rng.normal(size=y.shape), "noisy"),
        "noise": responses(rng.normal(size=y.shape), "noise"),
    }
    with pytest.warns(cs.ConsilienceWarning):
        compared = cs.compare(
            models, responses(y, "y"), measure=["cka", "cca"], held_out=False, n_boot=20, n_perm=0, rng=0
        )
    found = compared.agreement()
    frame = found.disagreements()
    assert set(zip(frame["first"], frame["second"])) == {("stretched", "noisy")}
    signs = dict(zip(frame["measure"], np.sign(frame["difference"])))
    assert signs == {"cka": -1.0, "cca (in-sample)": 1.0}
    assert np.isnan(found.to_frame()["tau_low"]).all()  # subsets and weights are not the same resamples


def test_agreement_asks_for_measures_and_systems():
    models, brain = signal_and_copies()
    one = cs.compare(models, brain, measure="cka", n_boot=0, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="this comparison has one"):
        one.agreement()
    two = cs.compare(dict(list(models.items())[:2]), brain, measure=["cka", "rsa"], n_boot=0, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="at least 3 systems"):
        two.agreement()


# influence -----------------------------------------------------------------------------------------------


def planted(scale=12.0):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, N, 20))
    x[7] *= scale
    y[7] *= scale
    return responses(x, "V1"), responses(y, "IT")


def test_an_outlier_rules_biased_cka_and_not_rsa():
    a, b = planted()
    biased = partial(cs.measures.cka, debiased=False)
    with pytest.warns(cs.ConsilienceWarning, match=r"\[one-stimulus-rules\].*image07"):
        found = cs.influence(a, b, measure=[biased, "rsa"])
    flagged = found.flagged()
    assert flagged["stimulus"].tolist() == ["image07"]
    assert flagged["measure"].tolist() == ["cka(debiased=False)"]
    assert found.data["without_most"].values.ravel()[0] < found.data["value"].values.ravel()[0] - 0.2


def test_pairs_are_those_of_the_cosine_without_the_stimulus():
    """Nothing is ranked or centred for the cosine, so a weight of zero is the same as leaving out."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, N, 9))
    cosine = partial(cs.measures.rsa, method="cosine")
    found = cs.influence(responses(x, "x"), responses(y, "y"), measure=cosine)
    for i in (0, 5):
        keep = np.arange(N) != i
        direct = float(cosine(x[keep], y[keep])) - float(cosine(x, y))
        assert found.stimuli["influence"].values[0, 0, 0, i] == pytest.approx(direct, abs=1e-12)


def test_others_are_computed_anew():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, N, 3))

    def mine(u, v):
        return float(np.corrcoef(u.mean(axis=1), v.mean(axis=1))[0, 1])

    found = cs.influence(responses(x, "x"), responses(y, "y"), measure=mine)
    values = [mine(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(N)]
    assert found.stimuli["influence"].values[0, 0, 0] == pytest.approx(
        np.array(values) - mine(x, y), abs=1e-12
    )
    se = np.sqrt((N - 1) / N * np.sum((values - np.mean(values)) ** 2))
    assert float(found.data["se"].values[0, 0, 0]) == pytest.approx(se)


def test_influence_of_held_out_scores_and_rdm_subjects():
    models, brain = signal_and_copies(2)
    found = cs.influence(models, brain, measure="linear_predictivity")
    assert np.isfinite(found.stimuli["influence"].values).all()
    rdms = np.stack([np.asarray(cs.measures.rdm(m.values, square=True)) for m in models.values()])
    people = cs.rdm_data(rdms, stimulus=IDS, distance="correlation", subject=["p", "q"], system="people")
    both = cs.influence(models["model 0"], people).stimuli["influence"].values
    each = [
        cs.influence(
            models["model 0"], cs.rdm_data(r[None], stimulus=IDS, distance="correlation", subject=["p"])
        )
        for r in rdms
    ]
    assert both == pytest.approx(np.mean([e.stimuli["influence"].values for e in each], axis=0), abs=1e-12)


def test_influence_asks_for_stimuli_and_numbers():
    a = cs.responses(np.random.default_rng(0).normal(size=(5, 4)), stimulus=list("abcde"), system="a")
    with pytest.raises(cs.InputError, match=r"cs\.influence: measure 'rsa' needs at least 6 stimuli, got 5"):
        cs.influence(a, a)
    models, brain = signal_and_copies(1)
    with pytest.raises(cs.InputError, match="threshold"):
        cs.influence(models, brain, threshold=-1)


# deciding stimuli ----------------------------------------------------------------------------------------


def wrong_about(rows, seed=5):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(N, 40))
    x = y.copy()
    x[rows] = rng.normal(size=(len(rows), 40))
    return (
        responses(y, "right"),
        responses(x, "wrong"),
        responses(y + 0.3 * rng.normal(size=y.shape), "brain"),
    )


def test_the_planted_stimuli_decide():
    right, wrong, brain = wrong_about([3, 11])
    found = cs.deciding_stimuli(right, wrong, brain)
    assert set(found.to_frame()["stimulus"][:2]) == {"image03", "image11"}
    sure = found.to_frame().query("p_corrected < 0.05")
    assert {"image03"} <= set(sure["stimulus"]) <= {"image03", "image11"}
    assert found.curve["held_out_share"].values[2] > 0.4 > 2 / N
    assert found.curve["difference"].values[2] < 0.5 * found.difference


@pytest.mark.filterwarnings("ignore:.*null-not-zero")
@pytest.mark.parametrize("measure", ["rsa", "cka", partial(cs.measures.cka, debiased=False)])
def test_parts_add_up_to_the_difference(measure):
    right, wrong, brain = wrong_about([3, 11])
    found = cs.deciding_stimuli(right, wrong, brain, measure=measure)
    both = cs.compare(
        {"right": right, "wrong": wrong}, brain, measure=measure, n_boot=0, n_perm=0, rng=0
    ).data["value"].values.ravel()  # fmt: skip
    assert float(found.stimuli["contribution"].sum()) == pytest.approx(both[0] - both[1], abs=1e-12)
    assert [float(found.stimuli[k].sum()) for k in ("first", "second")] == pytest.approx(
        both.tolist(), abs=1e-12
    )
    assert found.curve["difference"].values[0] == pytest.approx(both[0] - both[1], abs=1e-12)


def test_swapping_the_systems_changes_signs_only():
    right, wrong, brain = wrong_about([3])
    one = cs.deciding_stimuli(right, wrong, brain).stimuli
    two = cs.deciding_stimuli(wrong, right, brain).stimuli
    assert two["contribution"].values == pytest.approx(-one["contribution"].values, abs=1e-14)
    assert two["p"].values == pytest.approx(one["p"].values, abs=1e-12)


def test_other_measures_get_pseudo_values_without_intervals():
    right, wrong, brain = wrong_about([3, 11])
    found = cs.deciding_stimuli(right, wrong, brain, measure="linear_predictivity")
    assert np.isnan(found.stimuli["p"].values).all()
    assert np.isfinite(found.stimuli["contribution"].values).all()
    assert np.isnan(found.curve["held_out_share"].values).all()


def test_the_difference_is_tested_before_its_stimuli():
    """Two equal systems with noise of their own: the difference is told from 0 at 5 %, stimuli nearly always."""
    told = flagged = 0
    for k in range(60):
        rng = np.random.default_rng(k)
        signal, mixing = rng.normal(size=(N, 4)), rng.normal(size=(4, 6))
        one, two, brain = (
            responses(signal @ mixing + rng.normal(size=(N, 6)), name) for name in ("one", "two", "brain")
        )
        found = cs.deciding_stimuli(one, two, brain)
        told += found.told_apart
        flagged += int(found.data["n_deciding"]) > 0
        assert ("corrected p < 0.05" in repr(found)) == found.told_apart
        assert ("not told from 0" in repr(found)) != found.told_apart
    assert flagged > 30
    assert stats.binomtest(told, 60, 0.05, alternative="greater").pvalue > 0.001


def test_the_interval_of_the_difference_is_the_jackknifes():
    right, wrong, brain = wrong_about([3, 11])
    found = cs.deciding_stimuli(right, wrong, brain).data
    half = stats.t.ppf(0.975, N - 1) * float(found["se"])
    assert float(found["ci_high"]) == pytest.approx(float(found["difference"]) + half)
    assert float(found["p"]) == pytest.approx(
        2 * stats.t.sf(abs(float(found["difference"] / found["se"])), N - 1)
    )


def test_a_file_without_the_test_of_the_difference_still_prints():
    right, wrong, brain = wrong_about([3])
    found = cs.deciding_stimuli(right, wrong, brain)
    old = replace(found, data=found.data.drop_vars(["ci_low", "ci_high", "p"]))
    assert "jackknife se" in repr(old)
    assert not old.told_apart
    assert "p =" not in old.plot().texts[0].get_text()


def test_deciding_asks_for_one_system_each():
    right, wrong, brain = wrong_about([3])
    with pytest.raises(cs.InputError, match=r"first must be one system, got 2"):
        cs.deciding_stimuli({"r": right, "w": wrong}, wrong, brain)
    with pytest.raises(cs.InputError, match="correction must be one of"):
        cs.deciding_stimuli(right, wrong, brain, correction="bonferroni")


def test_rows_are_tested_as_t_tests():
    rng = np.random.default_rng(0)
    terms = rng.normal(size=(9, 9)) + 0.3
    terms = (terms + terms.T) / 2
    np.fill_diagonal(terms, 0)
    _, _, p = row_tests(terms, 0.95)
    others = [np.delete(terms[i], i) for i in range(9)]
    assert p == pytest.approx([stats.ttest_1samp(v, 0).pvalue for v in others])


def test_shares_of_noise_are_those_of_any_stimuli():
    """Chosen with one half and scored with the other, k stimuli of noise around one mean carry k / n."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(60):
        terms = 1 + rng.normal(size=(20, 20))
        terms = (terms + terms.T) / 2
        shares.append(held_out_shares(terms, rng.permuted(np.arange(20) < 10)[None]))
    middle = np.array(shares)[:, 5]
    assert abs(middle.mean() - 0.25) < 3.5 * middle.std() / np.sqrt(60)


# results and pictures ------------------------------------------------------------------------------------


def every():
    models, brain = signal_and_copies()
    right, wrong, other = wrong_about([3, 11])
    return [
        cs.compare(models, brain, measure=["rsa", "cka"], n_boot=50, n_perm=0, rng=0).agreement(),
        cs.influence(models, brain, measure=["rsa", "cka"]),
        cs.deciding_stimuli(right, wrong, other),
        cs.deciding_stimuli(right, wrong, other, measure="linear_predictivity"),
    ]


def test_results_keep_their_promises_and_are_drawn(tmp_path):
    for result in every():
        check_result(result)
        ax = result.plot()
        assert ax.get_title(loc="left")
        ax.figure.savefig(tmp_path / "one.png")


def test_deciding_between_layers_of_one_network_tells_them_apart():
    rng = np.random.default_rng(0)
    x, y, z = (rng.normal(size=(20, 6)) for _ in range(3))

    def layer(values, **attrs):
        data = cs.responses(values, stimulus=range(20), system="net")
        return data.assign_attrs(attrs)

    brain = cs.responses(z, stimulus=range(20), system="brain")
    found = cs.deciding_stimuli(layer(x, layer="conv1"), layer(y, layer="fc"), brain)
    assert (found.settings["first"], found.settings["second"]) == ("conv1", "fc")
    assert "conv1" in repr(found)
    found = cs.deciding_stimuli(layer(x), layer(y), brain)
    assert (found.settings["first"], found.settings["second"]) == ("first", "second")
    found = cs.deciding_stimuli({"a": layer(x)}, {"b": layer(y)}, brain)
    assert (found.settings["first"], found.settings["second"]) == ("a", "b")
    same = cs.deciding_stimuli(layer(x), layer(x), brain)
    assert "there is no difference to decide" in repr(same)
    assert np.isnan(float(same.data["n_to_flip"]))
    assert any("there is no difference" in text.get_text() for text in same.plot().texts)
    with pytest.raises(cs.InputError, match="one measure is asked for, got a list; give one of its"):
        cs.deciding_stimuli(layer(x), layer(y), brain, ["cka"])
