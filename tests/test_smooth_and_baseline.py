"""Smoothing and baselines of responses: the definitions by hand, properties both ways, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

import consilience as cs
from consilience.linalg._moving import smoothing_kernel

DIMS = ("trial", "time", "unit")


def made(values, *, kind="rate", time=None, **labels):
    values = np.asarray(values, dtype=float)
    time = np.arange(values.shape[1]) * 0.01 - 0.1 if time is None else time
    ids = [f"s{i}" for i in range(len(values))]
    return cs.responses(values, kind=kind, dims=DIMS, time=time, stimulus=ids, system="V1", **labels)


@pytest.fixture
def rates():
    return made(np.random.default_rng(0).gamma(2.0, 5.0, size=(4, 60, 3)))


# -- smoothing


@pytest.mark.parametrize("kernel", ["gaussian", "causal", "boxcar"])
def test_weighted_means_of_what_is_there(rates, kernel):
    """Against the sum in the docstring, written out."""
    weights = smoothing_kernel(kernel, 2.5)
    h = len(weights) // 2
    wanted = np.empty_like(rates.values)
    for t in range(60):
        lags = np.arange(max(-h, t - 59), min(h, t) + 1)
        w = weights[lags + h]
        wanted[:, t] = np.tensordot(w / w.sum(), rates.values[:, t - lags], axes=(0, 1))
    got = cs.smooth(rates, sd=0.025, kernel=kernel)
    np.testing.assert_allclose(got.values, wanted, rtol=1e-10)
    assert got.attrs["smoothing"] == f"{kernel}, sd 0.025"


def test_gaussian_agrees_with_scipy_away_from_the_ends(rates):
    """SciPy samples the density, here it is integrated over bins: for sd of many bins the same."""
    theirs = ndimage.gaussian_filter1d(rates.values, 5.0, axis=1, mode="constant")
    got = cs.smooth(rates, sd=0.05).values
    np.testing.assert_allclose(got[:, 20:40], theirs[:, 20:40], rtol=5e-3)


@pytest.mark.parametrize(
    ("kernel", "sd"), [("gaussian", 3.0), ("gaussian", 1.5), ("boxcar", 3.0), ("boxcar", 1.5)]
)
def test_kernels_have_the_stated_width(kernel, sd):
    weights = smoothing_kernel(kernel, sd)
    lags = np.arange(len(weights)) - len(weights) // 2
    assert weights.sum() == pytest.approx(1)
    assert (weights * lags).sum() == pytest.approx(0, abs=1e-12)
    spread = np.sqrt((weights * lags**2).sum())
    assert spread == pytest.approx(np.sqrt(sd**2 + 1 / 12), rel=0.02)  # and that of the bin itself


@pytest.mark.parametrize("kernel", ["gaussian", "causal", "boxcar"])
def test_a_constant_stays_and_causal_looks_back_only(kernel):
    constant = made(np.full((2, 30, 1), 7.0))
    np.testing.assert_allclose(cs.smooth(constant, sd=0.05, kernel=kernel).values, 7.0)
    step = np.zeros((1, 30, 1))
    step[:, 15:] = 1
    before = cs.smooth(made(step), sd=0.03, kernel=kernel).values[0, :15, 0]
    assert (before == 0).all() if kernel == "causal" else before[-1] > 0


def test_counts_become_rates():
    counts = np.random.default_rng(0).poisson(1.0, size=(3, 40, 2))
    got = cs.smooth(made(counts, kind="count").assign_attrs(bin=0.01), sd=0.02)
    assert got.attrs["kind"] == "rate"
    np.testing.assert_allclose(got.values, cs.smooth(made(counts / 0.01), sd=0.02).values, rtol=1e-6)


def test_gaps_are_not_crossed():
    x = np.r_[np.zeros(10), np.ones(10)][:, None]
    time = np.r_[np.arange(10), 100 + np.arange(10)] / 10
    data = cs.responses(x, kind="rate", dims=("time", "unit"), time=time)
    np.testing.assert_array_equal(cs.smooth(data, sd=0.3).values, x)
    short = data.assign_coords(time=np.arange(20) / 10 + 0.03 * (np.arange(20) >= 10))  # a pause of 0.3 bins
    np.testing.assert_array_equal(cs.smooth(short, sd=0.3).values, x)
    joined = cs.responses(x, kind="rate", dims=("time", "unit"), time=np.arange(20) / 10)
    assert (cs.smooth(joined, sd=0.3).values[:10] > 0).any()


def test_parts_of_trials_that_are_not_valid_count_nowhere():
    x = np.random.default_rng(0).normal(size=(2, 20, 2))
    known = np.ones((2, 20), dtype=bool)
    known[1, 12:] = False
    data = made(np.where(known[..., None], x, 1e6), kind="voltage")
    data = data.assign_coords(valid=(("trial", "time"), known))
    data.values[~known] = np.nan
    got = cs.smooth(data, sd=0.02)
    short = cs.smooth(made(x[1:, :12], kind="voltage"), sd=0.02)
    np.testing.assert_allclose(got.values[1, :12], short.values[0])
    assert np.isnan(got.values[1, 12:]).all()
    assert got["valid"].dims == ("trial", "time")


@pytest.mark.parametrize("dtype", ["f4", "i2", "?"])
def test_number_types_and_inputs_stay(rates, dtype):
    data = rates.astype(dtype)
    before = data.copy(deep=True)
    got = cs.smooth(data, sd=0.02)
    assert got.dtype == (np.float32 if dtype == "f4" else np.float64)
    assert data.identical(before)


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (made(np.ones((2, 4, 1))), {"sd": 0}, "sd must be a number"),
        (made(np.ones((2, 4, 1))), {"sd": 1, "kernel": "gausian"}, "Did you mean 'gaussian'"),
        (made(np.ones((2, 4, 1)), time=[0, 1, 2, 4.0]), {"sd": 1}, "not in even steps"),
        (made(np.ones((2, 1, 1)), time=[0.0]), {"sd": 1}, "one time only"),
        (cs.responses(np.eye(3), stimulus=list("abc")), {"sd": 1}, "must have a time axis"),
    ],
)
def test_smoothing_that_is_refused(data, options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.smooth(data, **options)


# -- baseline


@pytest.mark.parametrize("per", ["trial", "condition", "unit"])
@pytest.mark.parametrize("rule", ["subtract", "zscore", "percent", "db"])
def test_rules_by_hand(rates, rule, per):
    data = rates.assign_coords(side=("trial", ["l", "r", "l", "r"]))
    got = cs.baseline(data, window=(-0.1, 0), rule=rule, per=per, by="side").values
    x = rates.values
    rows = {"trial": [[0], [1], [2], [3]], "condition": [[0, 2], [1, 3]], "unit": [[0, 1, 2, 3]]}[per]
    for group in rows:
        base = x[group][:, :10].reshape(-1, 3)  # t = -0.1 ... -0.01: 0 itself belongs to what follows
        m, s = base.mean(axis=0), base.std(axis=0, ddof=1)
        wanted = {
            "subtract": x[group] - m,
            "zscore": (x[group] - m) / s,
            "percent": 100 * (x[group] - m) / m,
            "db": 10 * np.log10(x[group] / m),
        }[rule]
        np.testing.assert_allclose(got[group], wanted, rtol=1e-9, atol=1e-9)


def test_zscores_of_the_window_have_mean_0_and_sd_1(rates):
    window = cs.baseline(rates, window=(-0.1, 0), rule="zscore", per="unit").sel(time=slice(None, -0.005))
    flat = window.values.reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(stats.zscore(flat, ddof=1), flat, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "why"), [("zscore", "standard deviation is 0"), ("percent", "mean is not above 0")]
)
def test_division_by_zero_is_refused_or_left_out(rates, rule, why):
    rates.values[2, :10, 1] = 0.0
    with pytest.raises(cs.InputError, match=rf"1 of 3 units have .*{why} \(1\)") as caught:
        cs.baseline(rates, window=(-0.1, 0), rule=rule)
    assert caught.value.code == "baseline-undefined"
    with pytest.warns(cs.ConsilienceWarning, match="were left out") as seen:
        got = cs.baseline(rates, window=(-0.1, 0), rule=rule, missing="omit")
    assert seen[0].message.code == "units-left-out"
    assert got["unit"].values.tolist() == [0, 2]
    assert np.isfinite(got.values).all()
    assert cs.baseline(rates, window=(-0.1, 0), rule=rule, per="unit").sizes["unit"] == 3


def test_decibel_of_counts_with_a_zero_is_refused():
    counts = made(np.random.default_rng(0).poisson(1.0, size=(4, 20, 2)), kind="count")
    with pytest.raises(cs.InputError, match="2 of 2 units have values or a baseline not above 0"):
        cs.baseline(counts, window=(-0.1, 0), rule="db", missing="omit")


def test_unequal_trials_use_what_is_known():
    x = np.random.default_rng(0).normal(size=(2, 20, 2))
    known = np.ones((2, 20), dtype=bool)
    known[0, 5:] = False
    data = made(np.where(known[..., None], x, 0.0), kind="voltage").assign_coords(
        valid=(("trial", "time"), known)
    )
    data.values[~known] = np.nan
    got = cs.baseline(data, window=(-0.1, 0)).values
    np.testing.assert_allclose(got[0, :5], x[0, :5] - x[0, :5].mean(axis=0))
    assert np.isnan(got[0, 5:]).all()


def test_kinds_and_words(rates):
    assert cs.baseline(rates, window=(-0.1, 0)).attrs["kind"] == "rate"
    got = cs.baseline(rates, window=(-0.1, 0), rule="zscore", per="unit")
    assert got.attrs["kind"] == "activation"
    assert got.attrs["baseline"] == "zscore -0.1 to 0 per unit"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": (0, -1)}, "from < to"),
        ({"window": 3}, "from < to"),
        ({"window": (5, 6)}, "no time lies from 5 to 6; the data go from -0.1 to 0.49"),
        ({"window": (-0.1, 0), "rule": "z"}, "rule must be one of"),
        ({"window": (-0.1, 0), "per": "units"}, "Did you mean 'unit'"),
        ({"window": (-0.1, 0), "per": "condition", "by": "stimulos"}, "Did you mean 'stimulus'"),
        ({"window": (-0.1, -0.095), "rule": "zscore"}, "too few known samples"),
    ],
)
def test_baselines_that_are_refused(rates, options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.baseline(rates, **options)


def test_time_by_unit_has_one_baseline():
    data = cs.responses(np.arange(6.0)[:, None], kind="voltage", dims=("time", "unit"), time=np.arange(6.0))
    np.testing.assert_allclose(cs.baseline(data, window=(0, 2), per="unit").values[:, 0], np.arange(6) - 0.5)
    with pytest.raises(cs.InputError, match="per='unit'"):
        cs.baseline(data, window=(0, 2))


def test_a_kernel_wider_than_the_data_is_refused():
    x = np.random.default_rng(0).normal(size=(4, 50, 2))
    data = cs.responses(x, stimulus=list("abcd"), time=np.arange(50) / 100, dims=("trial", "time", "unit"))
    with pytest.raises(
        cs.InputError, match=r"sd=20 s is wider than the data, 0\.5 s.*divide milliseconds by 1000"
    ):
        cs.smooth(data, sd=20)
