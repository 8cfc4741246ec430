"""Mean responses over time: the means by hand, intervals that hold, unequal trials, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import consilience as cs
from consilience.stats import trial_mean_interval

DIMS = ("trial", "time", "unit")


def made(values, *, kind="count", time=None, **attrs):
    values = np.asarray(values, dtype=float)
    time = np.arange(values.shape[1]) * 0.1 - 0.1 if time is None else time
    data = cs.responses(
        values,
        kind=kind,
        dims=DIMS,
        time=time,
        stimulus=["a", "b"] * (len(values) // 2),
        repeat="count",
        system="V1",
        side=np.arange(len(values)) % 3,
    )
    return data.assign_attrs({"bin": 0.1, **attrs} if kind == "count" else attrs)


@pytest.fixture
def counts():
    return made(np.random.default_rng(0).poisson(1.5, size=(30, 4, 3)))


def test_means_and_numbers_of_trials(counts):
    result = cs.psth(counts)
    np.testing.assert_allclose(result.data["mean"].sel(condition="a"), counts.values[::2].mean(axis=0) / 0.1)
    assert (result.data["n_trials"] == 15).all()
    assert result.settings["values"] == "rate (spikes/s)"
    other = cs.psth(counts, by="side")
    assert other.data["condition"].values.tolist() == [0, 1, 2]
    np.testing.assert_allclose(other.data["mean"].sel(condition=1), counts.values[1::3].mean(axis=0) / 0.1)
    cs.testing.check_result(result)


def test_intervals_of_other_kinds_are_those_of_t():
    data = made(np.random.default_rng(0).normal(size=(12, 3, 2)), kind="voltage")
    result = cs.psth(data, level=0.9)
    for name, rows in (("a", slice(0, None, 2)), ("b", slice(1, None, 2))):
        x = data.values[rows]
        low, high = stats.t.interval(0.9, 5, loc=x.mean(axis=0), scale=stats.sem(x, axis=0))
        np.testing.assert_allclose(result.data["ci_low"].sel(condition=name), low)
        np.testing.assert_allclose(result.data["ci_high"].sel(condition=name), high)


def test_counts_and_their_rates_are_the_same(counts):
    rates = counts.copy(data=counts.values / 0.1).assign_attrs(kind="rate", reduce="rate", bin=0.1)
    one, two = cs.psth(counts).data, cs.psth(rates).data
    for name in ("mean", "ci_low", "ci_high"):
        np.testing.assert_allclose(one[name], two[name])
    assert cs.psth(rates.assign_attrs(smoothing="gaussian")).settings["interval"] == "t"


def test_a_unit_without_a_spike_has_an_interval(counts):
    counts.values[..., 0] = 0
    data = cs.psth(counts).data.sel(unit=0)
    assert (data["mean"] == 0).all()
    assert (data["ci_low"] == 0).all()
    t = stats.t.ppf(0.975, 14)
    np.testing.assert_allclose(data["ci_high"], t * t / 15 / 0.1)


def test_the_score_interval_is_where_the_quadratic_is_zero():
    mean, variance, n = np.array([[0.2], [3.0]]), np.array([[0.2], [3.0]]), 500
    low, high = trial_mean_interval(mean, variance, n, level=0.95, counts=True)
    t = stats.t.ppf(0.975, n - 1)
    phi = (n * variance.sum() + 5) / (n * mean.sum() + 5)
    for mu in (low, high):
        wider = np.abs(mean - mu) ** 2 >= t * t * phi * mu / n - 1e-9
        assert wider.all()
    half = t * np.sqrt(variance / n)
    assert (low <= mean - half + 1e-12).all()
    assert (high >= mean + half - 1e-12).all()


@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize("n", [10, 30])
def test_intervals_of_counts_hold_the_mean(n, factor):
    """Bursts of 1 or 3 spikes, 0.05 to 3 per bin: 95 % intervals hold at least 0.93, t alone far fewer."""
    rng = np.random.default_rng(0)
    mu = 0.02 + 3 * np.exp(-0.5 * ((np.arange(40) - 15) / 4) ** 2)
    x = factor * rng.poisson(mu / factor, size=(300, n, 40)).astype(float)
    held = np.zeros(40)
    plain = np.zeros(40)
    for one in x:
        mean, variance = one.mean(axis=0)[:, None], one.var(axis=0, ddof=1)[:, None]
        for counts, into in ((True, held), (False, plain)):
            low, high = trial_mean_interval(mean, variance, n, level=0.95, counts=counts)
            into += ((low <= mu[:, None]) & (mu[:, None] <= high))[:, 0]
    assert (held / 300).min() > 0.92
    assert 0.95 < (held / 300).mean() <= 1
    assert (plain / 300).min() < 0.7


def test_trials_of_unequal_length():
    rng = np.random.default_rng(0)
    rec = cs.Recording(
        "V1",
        spikes=[np.sort(rng.uniform(0, 40, 800)), np.sort(rng.uniform(0, 40, 80))],
        intervals={
            "trials": cs.Intervals(
                np.arange(0, 40, 2),
                np.arange(0, 40, 2) + np.tile([0.5, 1.0], 10),
                {"stimulus": ["a", "b"] * 10},
            )
        },
        observed=cs.Intervals([0], [40]),
    )
    ragged = rec.epoch(on="trials", bin=0.1, missing="mask")
    with pytest.warns(cs.ConsilienceWarning, match="1 of 2 conditions have fewer than 2 trials at some time"):
        result = cs.psth(ragged)
    assert result.data["n_trials"].sel(condition="a").values.tolist() == [10] * 5 + [0] * 5
    assert np.isnan(result.data["mean"].sel(condition="a").values[5:]).all()
    np.testing.assert_allclose(
        result.data["mean"].sel(condition="b"), ragged.values[1::2].mean(axis=0) / 0.1, rtol=1e-6
    )


def test_single_trials_have_no_interval(counts):
    with pytest.warns(cs.ConsilienceWarning, match="2 of 2 conditions have fewer than 2 trials") as seen:
        result = cs.psth(counts.isel(trial=[0, 1]))
    assert seen[0].message.code == "too-few-trials"
    assert np.isnan(result.data["ci_low"]).all()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda d: d, {"by": "sid"}, r"no coordinate 'sid' on trial\. Did you mean 'side'"),
        (lambda d: d.isel(time=0, drop=True), {}, "must have a time axis"),
        (lambda d: d.isel(trial=0, drop=True), {}, "must have dims"),
        (lambda d: d, {"level": 1.0}, "level must be a number"),
        (lambda d: d.values, {}, "must be responses"),
        (lambda d: cs.psth(d), {}, "is a result"),
        (lambda d: d.where(d > 0), {}, "NaN"),
    ],
)
def test_what_is_refused(counts, change, options, words):
    with pytest.raises(cs.InputError, match=words):
        cs.psth(change(counts), **options)


def test_saved_loaded_and_drawn(counts, tmp_path):
    result = cs.psth(counts)
    back = cs.load(result.save(tmp_path / "p.nc"))
    assert back.data.identical(result.data)
    assert "2 conditions by stimulus, 15 trials each; 3 units" in repr(back)
    ax = result.plot(units=[1], conditions=["b"])
    assert len(ax.figure.axes) == 3  # the frame, the legend, one panel
    assert "gerstein" in result.citations()
    assert list(result.to_frame().columns) == [
        "condition",
        "time",
        "unit",
        "mean",
        "ci_low",
        "ci_high",
        "n_trials",
    ]


def test_bins_that_were_added_up_are_not_taken_for_narrow_ones(counts):
    """Before: rates of counts of 0.2 s were those of 0.1 s, doubled."""
    wide = counts.coarsen(time=2).sum(keep_attrs=True)
    for verb in (cs.psth, lambda data: cs.smooth(data, sd=0.2)):
        with pytest.raises(cs.InputError, match=r"bins of 0.1 s, and the times go in steps of 0.2 s"):
            verb(wide)
        with pytest.raises(cs.InputError, match="bin"):
            verb(counts.isel(time=slice(None, None, 2)))
    wide.attrs["bin"] = 0.2
    wanted = cs.psth(counts).data["mean"].values.mean()
    assert cs.psth(wide).data["mean"].values.mean() == pytest.approx(wanted)
    del wide.attrs["bin"]
    with pytest.warns(cs.ConsilienceWarning, match="bin-guessed"):
        assert cs.psth(wide).data["mean"].values.mean() == pytest.approx(wanted)


def test_counts_below_zero_get_t_intervals(counts):
    result = cs.psth(counts.copy(data=counts.values - 1.0))
    assert result.settings["interval"] == "t"
    assert (result.data["ci_low"] < 0).any()


def test_all_trials_are_one_condition_without_a_label():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3, 2)) + 5
    dims = ("trial", "time", "unit")
    data = cs.responses(
        x, stimulus=list("abc") * 4, repeat="count", dims=dims, time=[0, 0.1, 0.2], kind="rate"
    )
    made = cs.psth(data, by=None)
    assert made.data["condition"].values.tolist() == ["all trials"]
    np.testing.assert_allclose(made.data["mean"][0], x.mean(axis=0))
    same = cs.psth(data.assign_coords(all=("trial", ["x"] * 12)), by="all")
    np.testing.assert_allclose(made.data["ci_low"], same.data["ci_low"])
    assert "1 condition, 12 trials each" in repr(made)
    assert "over all trials" in made.methods[0]
    cs.testing.check_result(made)
    made.plot()
    assert "Means over all trials at 3 times" in cs.report.render({"p": made}, title="")
