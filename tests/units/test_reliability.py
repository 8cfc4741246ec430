"""Reliability from repeats: planted truth, slow direct formulas, coverage, type I error, degenerate trials."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.stats import explainable, weighted_reliability


def planted(snr, *, n=60, k=6, units=1, seed=0, unequal=False):
    """Trials with signal variance ``snr`` and noise variance 1, and their stimuli, in random order."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 2 * k, n) if unequal else np.full(n, k)
    ids = np.repeat(np.arange(n), counts)
    x = np.sqrt(snr) * rng.normal(size=(n, units))[ids] + rng.normal(size=(ids.size, units))
    order = rng.permutation(ids.size)
    return x[order], ids[order], counts


def direct(x, ids):
    """V, N and W of one unit, stimulus by stimulus."""
    means, noise, single = [], [], []
    for s in np.unique(ids):
        own = x[ids == s]
        means.append(own.mean())
        noise.append(own.var(ddof=1) / own.size)
        single.append(own.var(ddof=1))
    return np.var(means, ddof=1), np.mean(noise), np.mean(single)


@pytest.mark.parametrize("unequal", [False, True])
def test_values_are_those_of_the_equations(unequal):
    x, ids, _ = planted(0.5, units=3, unequal=unequal)
    trial = cs.units.explainable_variance(x, ids, n_perm=0).value
    mean = cs.units.explainable_variance(x, ids, of="mean", n_perm=0).value
    snr = cs.units.tuning_snr(x, ids, n_perm=0).value
    for u in range(3):
        v, n, w = direct(x[:, u], ids)
        assert trial[u] == pytest.approx((v - n) / (v - n + w), rel=1e-10)
        assert mean[u] == pytest.approx((v - n) / v, rel=1e-10)
        assert snr[u] == pytest.approx((v - n) / w, rel=1e-10)


def test_reliability_of_means_is_that_of_encode():
    x, ids, _ = planted(0.5, units=3)
    ours = cs.units.explainable_variance(x, ids, of="mean", n_perm=0).value
    assert ours == pytest.approx(weighted_reliability(*explainable(x, ids)), rel=1e-10)


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("snr", [0.0, 0.3])
def test_intervals_hold_the_truth_and_p_the_level(snr, unequal):
    x, ids, counts = planted(snr, n=40, units=400, unequal=unequal, seed=1)
    found = cs.units.explainable_variance(x, ids, n_perm=99)
    truth = snr / (snr + 1)
    assert 0.91 < np.mean((found.ci_low <= truth) & (truth <= found.ci_high)) < 0.99
    assert found.value.mean() == pytest.approx(truth, abs=0.02)
    rejected = np.mean(found.p <= 0.05)
    assert rejected < 0.09 if snr == 0 else rejected > 0.7
    assert found.null_mean == pytest.approx(np.zeros(400), abs=0.03)
    halves = cs.units.split_half(x, ids, n_splits=20, n_perm=0, corrected=False)
    r = halves.value.mean()
    reliability = snr / (snr + np.mean(1 / (counts // 2)))
    assert r == pytest.approx(reliability, abs=0.03)


def test_split_half_agrees_with_the_ratio_of_variances_and_with_plain_halves():
    x, ids, _ = planted(0.5, n=300, k=4, seed=2)
    halves = cs.units.split_half(x, ids, n_splits=200, n_perm=0)
    ratio = cs.units.explainable_variance(x, ids, of="mean", n_perm=0)
    assert halves.value[0] == pytest.approx(ratio.value[0], abs=0.03)
    r = halves.counted["r"][0]
    assert halves.value[0] == pytest.approx(2 * r / (1 + r), rel=1e-12)
    rng, every = np.random.default_rng(0), []
    for _ in range(200):
        a, b = [], []
        for s in np.unique(ids):
            rows = rng.permutation(np.flatnonzero(ids == s))
            a.append(x[rows[:2], 0].mean())
            b.append(x[rows[2:], 0].mean())
        every.append(np.corrcoef(a, b)[0, 1])
    assert r == pytest.approx(np.mean(every), abs=0.005)


def test_three_repeats_leave_one_out_and_correct_for_it():
    x, ids, _ = planted(1.0, n=4000, k=3, seed=3)
    assert cs.units.split_half(x, ids, n_perm=0, n_splits=10).value[0] == pytest.approx(0.75, abs=0.03)


def test_where_halves_do_not_agree_there_is_no_correction():
    x, ids, _ = planted(0.0, n=30, units=60)
    with pytest.warns(cs.ConsilienceWarning, match=r"no-agreement.*of 60 units do not agree"):
        found = cs.units.split_half(x, ids, n_perm=0, n_splits=5)
    below = found.counted["r"] <= 0
    assert np.isnan(found.value[below]).all()
    assert np.isnan(found.ci_high[below]).all()
    assert (found.value[~below] > 0).all()
    assert (found.ci_low[~below] >= 0).all()


def test_what_does_not_matter_changes_nothing_and_what_does_changes_it():
    x, ids, _ = planted(0.5, units=2)
    base = cs.units.explainable_variance(x, ids, n_perm=0)
    order = np.random.default_rng(0).permutation(ids.size)
    names = np.array([f"image{i:03d}" for i in range(ids.max() + 1)])
    for other, labels in (
        (1e6 + 3e-3 * x, ids),
        (1e200 * x, ids),
        (x[order], ids[order]),
        (x, names[ids]),
        (x.astype(">f8"), ids),
    ):
        got = cs.units.explainable_variance(other, labels, n_perm=0)
        assert got.value == pytest.approx(base.value, rel=1e-6)
        assert got.ci_low == pytest.approx(base.ci_low, rel=1e-5)
    shuffled = cs.units.explainable_variance(x[order], ids, n_perm=0)
    assert (np.abs(shuffled.value - base.value) > 0.1).all()


# -- scores of a prediction


def test_scores_of_a_prediction_are_those_of_the_equations():
    x, ids, _ = planted(0.8, n=50, unequal=True)
    rng = np.random.default_rng(1)
    model = rng.normal(size=50)
    p = model[ids][:, None]
    v, n, _ = direct(x[:, 0], ids)
    means = np.array([x[ids == s, 0].mean() for s in range(50)])
    noise = np.array([x[ids == s, 0].var(ddof=1) / (ids == s).sum() for s in range(50)])
    a = model - model.mean()
    cov = a @ (means - means.mean()) / 49
    assert cs.units.cc_norm(p, x, ids, n_perm=0).value[0] == pytest.approx(
        cov / np.sqrt(model.var(ddof=1) * (v - n)), rel=1e-9
    )
    assert cs.units.feve(p, x, ids, n_perm=0).value[0] == pytest.approx(
        1 - (np.mean((model - means) ** 2) - n) / (v - n), rel=1e-9
    )
    top = (a @ (means - means.mean())) ** 2 - a**2 @ noise
    assert cs.units.r2_er(p, x, ids, n_perm=0).value[0] == pytest.approx(
        top / (a @ a * 49 * (v - n)), rel=1e-9
    )


@pytest.mark.parametrize("rho", [0.0, 0.6, 1.0])
def test_scores_of_a_prediction_find_the_truth(rho):
    rng = np.random.default_rng(2)
    signal = rng.normal(size=(60, 200))
    model = rho * signal + np.sqrt(1 - rho**2) * rng.normal(size=(60, 200))
    ids = np.repeat(np.arange(60), 5)
    x = signal[ids] + rng.normal(size=(300, 200))
    for score, truth in ((cs.units.cc_norm, rho), (cs.units.r2_er, rho**2), (cs.units.feve, 2 * rho - 1)):
        found = score(model[ids], x, ids, n_perm=39)
        assert np.median(found.value) == pytest.approx(truth, abs=0.08)
        assert np.mean((found.ci_low <= truth) & (truth <= found.ci_high)) > 0.9
        rejected = np.mean(found.p <= 0.05)
        assert rejected < 0.1 if rho == 0 else rejected > 0.9


def test_cc_norm_squared_is_too_high_and_r2_er_is_not():
    rng = np.random.default_rng(3)
    signal, ids = rng.normal(size=(30, 2000)), np.repeat(np.arange(30), 3)
    model = np.broadcast_to(rng.normal(size=(30, 1)), (30, 2000))
    x = signal[ids] + rng.normal(size=(90, 2000))
    keep = cs.units.explainable_variance(x, ids, of="mean", n_perm=0).value > 0.4
    squared = cs.units.cc_norm(model[ids], x, ids, n_perm=0).value[keep] ** 2
    unbiased = cs.units.r2_er(model[ids], x, ids, n_perm=0).value[keep]
    by_chance = 1 / 29  # with the signal itself
    assert unbiased.mean() == pytest.approx(by_chance, abs=0.006)
    assert squared.mean() > by_chance + 0.008


def test_a_prediction_of_pure_noise_is_not_scored():
    x, ids, _ = planted(0.0, n=30, units=40)
    with pytest.warns(cs.ConsilienceWarning, match=r"ceiling-too-low.*CC_max below 0.1"):
        found = cs.units.feve(np.zeros_like(x), x, ids, n_perm=0)
    assert np.isnan(found.value).sum() > 10
    known = np.isfinite(found.value)
    assert np.isinf(found.ci_high[known]).mean() > 0.8  # the signal may be none


def test_predictions_must_belong_to_stimuli():
    x, ids, _ = planted(1.0, n=10)
    with pytest.raises(cs.InputError, match=r"must have a row for each trial.*return_inverse=True"):
        cs.units.cc_norm(np.zeros((10, 1)), x, ids)
    with pytest.raises(cs.InputError, match=r"prediction differs between trials of one stimulus"):
        cs.units.cc_norm(x, x, ids)


# -- degenerate


FUNCTIONS = (cs.units.explainable_variance, cs.units.tuning_snr, cs.units.split_half)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_one_repeat_is_refused(function):
    with pytest.raises(
        cs.InputError, match=r"needs >= 2 repeats of every stimulus; 1 of 5 stimuli have fewer"
    ) as e:
        function(np.random.default_rng(0).normal(size=(9, 2)), [0, 0, 1, 1, 2, 2, 3, 3, 4])
    assert e.value.code == "no-repeats"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_silent_units_stay_and_are_said(function):
    x, ids, _ = planted(1.0, units=3)
    x[:, 1] = 0.0
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*1 of 3 units never fire"):
        found = function(x, ids, n_perm=20)
    assert np.isnan(found.value[1])
    assert np.isnan(found.p[1])
    assert np.isfinite(found.value[[0, 2]]).all()


def test_no_noise_at_all_is_perfect_and_nan_is_refused():
    signal = np.arange(6.0)[np.repeat(np.arange(6), 2)][:, None]
    ids = np.repeat(np.arange(6), 2)
    assert cs.units.explainable_variance(signal, ids, n_perm=20).value[0] == 1
    assert cs.units.split_half(signal, ids, n_perm=20).value[0] == pytest.approx(1)
    signal[0] = np.nan
    with pytest.raises(cs.InputError, match="1 NaN or infinite value"):
        cs.units.explainable_variance(signal, ids)


def test_inputs_stay_as_they_are_and_torch_goes_in():
    x, ids, _ = planted(0.5)
    before = x.copy()
    x.setflags(write=False)
    one = cs.units.split_half(x, ids, n_perm=5, n_splits=5)
    assert (x == before).all()
    torch = pytest.importorskip("torch")
    two = cs.units.split_half(torch.tensor(before), ids, n_perm=5, n_splits=5)
    assert one.value == pytest.approx(two.value)
    assert one.p == pytest.approx(two.p)


# -- groups: means of runs taken out


def in_runs(design, *, n=20, k=6, signal=1.0, between=2.0, units=200, seed=0):
    """Trials with an additive effect of each run: all stimuli in all runs, or each in two of four."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(n), k)
    run = np.tile(np.arange(k), n) if design == "all" else (ids + rng.integers(0, 2, n * k)) % 4
    x = signal * rng.normal(size=(n, units))[ids] + rng.normal(size=(n * k, units))
    return x + between * rng.normal(size=(run.max() + 1, units))[run], ids, run


@pytest.mark.parametrize("design", ["all", "two of four"])
def test_differences_between_runs_are_neither_noise_nor_signal(design):
    x, ids, run = in_runs(design)
    found = cs.units.tuning_snr(x, ids, groups=run, n_perm=0)
    plain = cs.units.tuning_snr(x, ids, n_perm=0)
    assert found.value.mean() == pytest.approx(1, abs=0.12)
    assert plain.value.mean() < (0.7 if design == "all" else 0.85)
    assert np.mean((found.ci_low <= 1) & (found.ci_high >= 1)) > 0.9
    other, _, _ = in_runs(design, between=0.0)
    same = cs.units.tuning_snr(other, ids, groups=run, n_perm=0)
    assert same.value == pytest.approx(found.value, rel=1e-9)  # whatever the differences


@pytest.mark.parametrize("function", ["explainable_variance", "split_half"])
def test_runs_with_stimuli_of_their_own_do_not_make_signal(function):
    x, ids, run = in_runs("two of four", signal=0.0)
    options = {"corrected": False, "n_splits": 10} if function == "split_half" else {}
    rejected = [
        np.mean(getattr(cs.units, function)(x, ids, groups=groups, n_perm=59, **options).p <= 0.05)
        for groups in (run, None)
    ]
    assert rejected[0] < 0.09
    assert rejected[1] > 0.2


def test_groups_are_a_fit_of_stimuli_and_runs_by_least_squares():
    x, ids, run = in_runs("two of four", n=9, k=5, units=3)
    dummies = np.concatenate([np.eye(9)[ids], np.eye(4)[run][:, 1:]], axis=1)
    beta, *_ = np.linalg.lstsq(dummies, x, rcond=None)
    rest = x - dummies @ beta
    noise = (rest**2).sum(axis=0) / (45 - 9 - 3)
    centred = np.eye(9) - 1 / 9
    spread = np.trace(centred @ np.linalg.inv(dummies.T @ dummies)[:9, :9]) / 8  # of the fitted means
    signal = beta[:9].var(axis=0, ddof=1) - noise * spread
    found = cs.units.tuning_snr(x, ids, groups=run, n_perm=0)
    assert found.value == pytest.approx(signal / noise, rel=1e-9)  # as many trials of each stimulus


def test_one_group_changes_nothing_and_groups_without_common_stimuli_are_refused():
    x, ids, run = in_runs("all", n=8, units=2)
    one = cs.units.explainable_variance(x, ids, groups=np.zeros(len(ids)), rng=0)
    two = cs.units.explainable_variance(x, ids, rng=0)
    np.testing.assert_array_equal(one.value, two.value)
    np.testing.assert_array_equal(one.p, two.p)
    with pytest.raises(cs.InputError, match=r"groups of trials share no stimuli.*or none") as error:
        cs.units.explainable_variance(x, ids, groups=ids < 4)
    assert error.value.code == "groups-confounded"
    with pytest.raises(
        cs.InputError, match="leave no repeats once the means of groups are taken out"
    ) as error:
        cs.units.explainable_variance(x[:4], [0, 0, 1, 1], groups=[0, 1, 1, 2])
    assert error.value.code == "no-repeats"
    with pytest.raises(cs.InputError, match=r"groups must be one label per trial \(48,\)"):
        cs.units.split_half(x, ids, groups=run[:-1])
    x[:, 0] = run  # differs between runs alone
    with pytest.warns(cs.ConsilienceWarning, match="silent-units.*1 of 2"):
        found = cs.units.explainable_variance(x, ids, groups=run, n_perm=9)
    assert np.isnan(found.value).tolist() == [True, False]
