"""Spike trains: intervals, violations, presence, rate, drift."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import consilience as cs


def gamma_train(shape, n, rng, rate=20.0):
    return np.cumsum(rng.gamma(shape, 1 / (shape * rate), n))


def poisson(rate, seconds, rng):
    return np.sort(rng.uniform(0, seconds, rng.poisson(rate * seconds)))


@pytest.mark.parametrize("shape", [1, 2, 4])
def test_variability_of_gamma_intervals_is_known(shape):
    rng = np.random.default_rng(shape)
    trains = [gamma_train(shape, 1500, rng) for _ in range(60)]
    truths = {cs.units.cv: shape**-0.5, cs.units.lv: 3 / (2 * shape + 1)}
    a, b = rng.gamma(shape, 1, size=(2, 400_000))
    truths[cs.units.cv2] = np.mean(2 * np.abs(a - b) / (a + b))
    for function, truth in truths.items():
        found = function(trains)
        assert found.value.mean() == pytest.approx(truth, rel=0.015)
        assert np.mean((found.ci_low <= truth) & (truth <= found.ci_high)) > 0.87
        assert (found.null_mean == 1).all()


def test_variability_is_that_of_the_equations():
    train = gamma_train(2, 300, np.random.default_rng(0))
    i = np.diff(train)
    a, b = i[:-1], i[1:]
    assert cs.units.cv([train]).value[0] == pytest.approx(i.std(ddof=1) / i.mean(), rel=1e-10)
    assert cs.units.cv2([train]).value[0] == pytest.approx(np.mean(2 * np.abs(a - b) / (a + b)), rel=1e-10)
    assert cs.units.lv([train]).value[0] == pytest.approx(np.mean(3 * ((a - b) / (a + b)) ** 2), rel=1e-10)
    revised = np.mean(3 * (1 - 4 * a * b / (a + b) ** 2) * (1 + 4 * 0.005 / (a + b)))
    assert cs.units.lv([train], refractory=0.005).value[0] == pytest.approx(revised, rel=1e-10)


def test_variability_is_that_of_elephant():
    statistics = pytest.importorskip("elephant.statistics")
    train = gamma_train(2, 300, np.random.default_rng(0))
    i = np.diff(train)
    assert cs.units.cv([train]).value[0] == pytest.approx(statistics.cv(i) * np.sqrt(299 / 298))
    assert cs.units.cv2([train]).value[0] == pytest.approx(statistics.cv2(i))
    assert cs.units.lv([train]).value[0] == pytest.approx(statistics.lv(i))


def test_slow_changes_of_rate_raise_cv_and_not_the_local_ones():
    rng = np.random.default_rng(0)
    train = np.concatenate([10 * k + poisson(rate, 10, rng) for k, rate in enumerate([5, 60] * 20)])
    assert cs.units.cv([train]).value[0] > 1.4
    assert cs.units.cv2([train]).value[0] == pytest.approx(1, abs=0.03)
    assert cs.units.lv([train]).value[0] == pytest.approx(1, abs=0.05)


def test_no_interval_spans_a_gap():
    train = np.concatenate([np.arange(0, 10, 0.1), np.arange(20, 30, 0.1)])
    assert cs.units.cv([train], observed=[(0, 10), (20, 30)]).value[0] == pytest.approx(0, abs=1e-6)
    assert cs.units.cv([train], observed=(0, 30)).value[0] > 1
    inside = cs.units.isi_histogram(
        [train], observed=cs.Intervals([0, 20], [10, 30]), width=0.05, longest=0.2
    )
    assert inside.counts.sum() == 198
    assert inside.longer[0] == 0


def test_histogram_counts_every_interval_once():
    rng = np.random.default_rng(0)
    trains = [poisson(20, 30, rng), np.array([]), np.array([1.0])]
    found = cs.units.isi_histogram(trains, width=0.002, longest=0.1)
    expected = np.histogram(np.diff(trains[0]), found.edges)[0]
    assert found.counts[0].tolist() == expected.tolist()
    assert found.counts.sum(axis=1).tolist() == [expected.sum(), 0, 0]
    assert found.counts[0].sum() + found.longer[0] == trains[0].size - 1
    assert (found.density[0] * 0.002).sum() == pytest.approx(1 - found.longer[0] / (trains[0].size - 1))
    exact = cs.units.isi_histogram([np.arange(50) * 0.003], width=0.001, longest=0.01)  # on the edges
    assert exact.counts[0].tolist() == [0, 0, 0, 49, 0, 0, 0, 0, 0, 0]


# -- violations


@pytest.mark.parametrize(("truth", "source"), [(0.05, "many"), (0.2, "many"), (0.2, "one")])
def test_contamination_finds_what_was_planted(truth, source):
    rng, seconds, rate = np.random.default_rng(0), 1800, 20.0

    def refractory(rate):
        gaps = 0.003 + rng.exponential(1 / rate - 0.003, int(1.3 * rate * seconds) + 50)
        times = np.cumsum(gaps)
        return times[times < seconds]

    def mixed():
        other = poisson(rate * truth, seconds, rng) if source == "many" else refractory(rate * truth)
        return np.sort(np.r_[refractory(rate * (1 - truth)), other])

    found = cs.units.contamination([mixed() for _ in range(60)], observed=(0, seconds), source=source)
    assert found.value.mean() == pytest.approx(truth, rel=0.05)
    assert np.mean((found.ci_low <= truth) & (truth <= found.ci_high)) > 0.87
    assert (found.p < 0.001).all()


def test_contamination_is_that_of_the_equations():
    rng = np.random.default_rng(1)
    train = np.sort(rng.uniform(0, 100, 2000))[::2]
    away = np.abs(train[:, None] - train[None])[np.triu_indices(train.size, 1)]
    pairs = np.sum((away < 0.004) & (away >= 0.0005))
    found = cs.units.contamination([train], observed=(0, 100), refractory=0.004, censored=0.0005)
    assert found.counted["pairs"][0] == pairs
    share = pairs * 100 / (train.size**2 * 0.0035)
    assert found.value[0] == pytest.approx(1 - np.sqrt(1 - share))
    one = cs.units.contamination([train], observed=(0, 100), refractory=0.004, censored=0.0005, source="one")
    assert one.value[0] == pytest.approx((1 - np.sqrt(max(0, 1 - 2 * share))) / 2)


def test_a_poisson_unit_is_said_to_have_no_refractory_period():
    rng = np.random.default_rng(0)
    trains = [poisson(20, 300, rng) for _ in range(200)]
    with pytest.warns(cs.ConsilienceWarning, match=r"contamination-at-end.*Their value is 1"):
        found = cs.units.contamination(trains, observed=(0, 300), refractory=0.003)
    assert np.mean(found.p <= 0.05) < 0.09
    assert (found.ci_high == 1).mean() > 0.95
    fraction = cs.units.isi_violations(trains, refractory=0.003)
    assert np.mean(fraction.p <= 0.05) < 0.09
    assert fraction.value.mean() == pytest.approx(fraction.null_mean.mean(), rel=0.02)
    held = (fraction.ci_low <= fraction.null_mean) & (fraction.null_mean <= fraction.ci_high)
    assert held.mean() > 0.92


def test_violations_need_the_time_observed():
    with pytest.raises(TypeError):
        cs.units.contamination([[0.1, 0.2]])  # observed has no default
    with pytest.raises(cs.InputError, match="observed= is needed, the time") as error:
        cs.units.contamination([[0.1, 0.2]], observed=None)
    assert error.value.code == "observed-missing"
    with pytest.raises(cs.InputError, match="observed must be finite times with stop after start"):
        cs.units.firing_rate([[0.1]], observed=(3, 1))
    with pytest.raises(cs.InputError, match=r"refractory must be a number in \(0.002, inf\)"):
        cs.units.contamination([[0.1]], observed=(0, 1), refractory=0.001, censored=0.002)


# -- presence, rate, drift


def test_presence_is_the_share_of_bins_and_its_chance_is_exact():
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 600, n)) for n in (3, 10, 40) for _ in range(300)]
    found = cs.units.presence_ratio(trains, observed=(0, 600), width=30, n_perm=99)
    expected = [(np.histogram(t, 20, (0, 600))[0] > 0).mean() for t in trains]
    assert found.value == pytest.approx(expected)
    for k in range(3):
        part = slice(300 * k, 300 * (k + 1))
        assert found.value[part].mean() == pytest.approx(found.null_mean[part][0], abs=0.01)
        assert np.mean(found.p[part] <= 0.05) < 0.09
    gone = cs.units.presence_ratio([np.sort(rng.uniform(0, 300, 40))], observed=(0, 600), width=30)
    assert gone.p[0] < 0.01
    with pytest.raises(cs.InputError, match=r"10 s observed are less than 2 stretches of width=60 s"):
        cs.units.presence_ratio([[1.0]], observed=(0, 10))


def test_drift_finds_a_trend_and_none_where_there_is_none():
    rng = np.random.default_rng(0)
    u = rng.uniform(size=(2, 300, 2000))
    steady = [np.sort(1000 * row) for row in u[0]]
    rising = [np.sort(1000 * (-1 + np.sqrt(1 + 8 * row)) / 2) for row in u[1]]  # density (1/2 + x): trend 1
    for trains, truth in ((steady, 0.0), (rising, 1.0)):
        found = cs.units.drift(trains, observed=(0, 1000))
        assert found.value.mean() == pytest.approx(truth, abs=0.01)
        assert np.mean((found.ci_low <= truth) & (truth <= found.ci_high)) > 0.92
    assert np.mean(cs.units.drift(steady, observed=(0, 1000)).p <= 0.05) < 0.08
    assert np.mean(found.p < 0.001) > 0.9
    assert found.p.max() < 0.02
    assert found.rates.mean() == pytest.approx(2, rel=1e-9)


def test_slow_waves_are_not_taken_for_drift():
    rng, n = np.random.default_rng(1), 500
    trains = []
    for _ in range(150):
        x = np.convolve(rng.normal(size=n + 60), np.ones(30) / np.sqrt(30), "same")[
            30:-30
        ]  # 30 of 500 bins wide
        counts = rng.poisson(8 * np.exp(0.5 * x - 0.125))
        trains.append(np.sort(2 * (np.repeat(np.arange(n), counts) + rng.random(counts.sum()))))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\[slow-changes\]")
        found = cs.units.drift(trains, observed=(0, 1000))
    known = np.isfinite(found.p)
    assert known.mean() > 0.9
    assert np.mean(found.p[known] <= 0.05) < 0.08  # a line through 50 bins taken as independent gives 0.3


def wandering(time, *, units, spikes=3000, size=0.4, seconds=1000.0, seed=0):
    """Trains of a rate that wanders: normal in its logarithm, correlated over ``time`` of the recording."""
    rng, n = np.random.default_rng(seed), 500
    near = np.exp(-1 / (time * n))
    z = np.empty((n, units))
    z[0] = rng.normal(size=units)
    for i in range(1, n):
        z[i] = near * z[i - 1] + np.sqrt(1 - near**2) * rng.normal(size=units)
    counts = rng.poisson(spikes / n * np.exp(size * z - size**2 / 2))
    each = (np.repeat(np.arange(n), column) for column in counts.T)
    return [np.sort((row + rng.random(row.size)) * seconds / n) for row in each]


@pytest.mark.parametrize("time", [0.03, 0.1])
def test_rates_that_wander_have_intervals_that_hold_the_truth(time):
    trains = wandering(time, units=300)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\[slow-changes\]")
        rate = cs.units.firing_rate(trains, observed=(0, 1000))
        drift = cs.units.drift(trains, observed=(0, 1000))
    for found, truth in ((rate, 3.0), (drift, 0.0)):
        known = np.isfinite(found.ci_low)
        assert known.mean() > 0.8
        assert np.mean((found.ci_low <= truth) & (truth <= found.ci_high), where=known) > 0.92
    # the number of independent stretches, taken for known: 0.77 and 0.80 at a tenth of the recording
    assert np.isnan(drift.p[np.isnan(drift.ci_low)]).all()


def test_a_rate_that_changes_as_slowly_as_the_recording_is_long_is_said_and_has_no_interval():
    rng = np.random.default_rng(0)
    one = np.sort(rng.uniform(0, 1000, 3000))
    waves = [poisson(10, 300, rng), poisson(1, 300, rng) + 300, poisson(10, 400, rng) + 600]
    for function in (cs.units.firing_rate, cs.units.drift):
        with pytest.warns(
            cs.ConsilienceWarning, match=r"slow-changes.*rates of 1 of 2 units change as slowly"
        ) as seen:
            found = function([one, np.concatenate(waves)], observed=(0, 1000))
        assert "no interval. Look at cs.units.drift(...).rates (unit 1 first)" in seen[0].message.remedy
        assert np.isfinite(found.ci_low[0])
        assert np.isnan([found.ci_low[1], found.ci_high[1]]).all()
        assert np.isfinite(found.value[1])


def test_rate_is_spikes_over_the_time_observed():
    rng = np.random.default_rng(0)
    trains = [poisson(3, 400, rng) for _ in range(300)] + [np.empty(0)]
    with pytest.warns(cs.ConsilienceWarning, match="silent-units.*their rate is 0"):
        found = cs.units.firing_rate(trains, observed=[(0, 100), (200, 400)])
    inside = [np.sum((t < 100) | (t >= 200)) / 300 for t in trains]
    assert found.value == pytest.approx(inside)
    assert np.nanmean((found.ci_low <= 3) & (found.ci_high >= 3)) > 0.92
    assert found.value[-1] == 0
    assert np.isnan(found.ci_low[-1])


# -- the door


def test_trains_are_sorted_with_a_warning_and_nan_refused():
    train = gamma_train(1, 100, np.random.default_rng(0))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"unsorted-spikes.*1 of 2 units did not increase \(unit 1 first\)"
    ):
        found = cs.units.cv([train, train[::-1]])
    assert found.value[0] == found.value[1]
    with pytest.raises(cs.InputError, match="unit 1 has 1 NaN"):
        cs.units.cv([train, [1.0, np.nan]])
    with pytest.raises(cs.InputError, match=r"one array; put it in a list, \[times\]"):
        cs.units.cv(train)
    with pytest.raises(cs.InputError, match="spike times of unit 0 must be a list of seconds"):
        cs.units.cv([["a", "b"]])


def test_few_spikes_have_no_value_and_silent_units_stay():
    train = gamma_train(1, 100, np.random.default_rng(0))
    with pytest.warns(cs.ConsilienceWarning) as heard:
        found = cs.units.cv2([train, train[:5], []])
    assert {w.message.code for w in heard} == {"few-spikes", "silent-units"}
    assert np.isfinite(found.value).tolist() == [True, False, False]


def test_spike_trains_of_a_recording_and_other_types_go_in():
    train = gamma_train(1, 200, np.random.default_rng(0))
    base = cs.units.lv([train]).value
    assert cs.units.lv(cs.SpikeTrains.from_list([train])).value == pytest.approx(base)
    assert cs.units.lv([train.tolist()]).value == pytest.approx(base)
    assert cs.units.lv([train.astype(">f8")]).value == pytest.approx(base)
    samples = np.round(train * 30_000).astype(np.int64)
    assert cs.units.lv([samples]).value == pytest.approx(base, abs=0.01)  # whole numbers; LV has no scale


# -- traces


def test_noise_of_traces_is_found_beside_slow_and_rare_signals():
    rng = np.random.default_rng(0)
    time = np.arange(3000) / 20
    noise = rng.normal(size=(3000, 100))
    slow = np.sqrt(2) * np.sin(2 * np.pi * time / 10)[:, None]
    found = cs.units.noise_level(noise + slow, time=time)
    truth = 0.9539 / np.sqrt(20)
    assert found.value.mean() == pytest.approx(truth, rel=0.01)
    assert np.mean((found.ci_low <= truth) & (truth <= found.ci_high)) > 0.9
    snr = cs.units.trace_snr(noise + slow, time=time)
    assert np.mean((snr.ci_low <= 1) & (snr.ci_high >= 1)) > 0.9
    none = cs.units.trace_snr(noise, time=time)
    assert none.value.mean() == pytest.approx(0, abs=0.01)
    assert np.mean((none.ci_low <= 0) & (none.ci_high >= 0)) > 0.9
    skew = cs.units.skewness(rng.exponential(size=(10_000, 60)), time=np.arange(10_000) / 20)
    assert np.mean((skew.ci_low <= 2) & (skew.ci_high >= 2)) > 0.85


def test_traces_leave_out_differences_over_jumps():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 1))
    x[300:] += 1e6
    time = np.r_[np.arange(300), 1000 + np.arange(300)] / 10
    inside = np.abs(np.r_[np.diff(x[:300, 0]), np.diff(x[300:, 0])])
    assert cs.units.noise_level(x, time=time).value[0] == pytest.approx(
        np.median(inside) / np.sqrt(10), rel=1e-6
    )
    with pytest.raises(cs.InputError, match="time must be 600 increasing seconds"):
        cs.units.noise_level(x, time=time[::-1])
    with pytest.raises(cs.InputError, match="needs at least 200 stimuli"):
        cs.units.noise_level(x[:50], time=time[:50])
    x[:] = 3.0
    with pytest.warns(cs.ConsilienceWarning, match="silent-units"):
        assert np.isnan(cs.units.skewness(x, time=time).value[0])


def test_deconvolved_traces_have_no_noise_and_it_is_said():
    x = np.where(np.random.default_rng(0).random((500, 2)) < 0.05, 1.0, 0.0)
    with pytest.warns(cs.ConsilienceWarning, match=r"no-frame-noise.*most samples of 2 of 2 units"):
        found = cs.units.trace_snr(x, time=np.arange(500) / 30)
    assert np.isinf(found.value).all()
    assert np.isnan(found.ci_low).all()
    assert (cs.units.skewness(x, time=np.arange(500) / 30).ci_low > 1).all()


@pytest.mark.parametrize("measure", ["isi_violations", "contamination", "lv"])
def test_a_refractory_period_in_milliseconds_is_refused(measure):
    with pytest.raises(cs.InputError, match=r"refractory is in seconds, at most 0\.1, got 1\.5; .* 0\.0015"):
        getattr(cs.units, measure)([[0.1, 0.2]], observed=(0, 1), refractory=1.5)


def test_bins_in_milliseconds_are_said():
    trains = [np.arange(100) / 10, np.arange(90) / 9]
    for name in ("isi_histogram", "cross_correlogram", "autocorrelogram"):
        with pytest.warns(cs.ConsilienceWarning, match=r"long-bins.*width=1 s.*divide milliseconds by 1000"):
            getattr(cs.units, name)(trains, observed=(0, 10), width=1, longest=5)
