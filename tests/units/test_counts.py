"""Fano factor, noise and signal correlations."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs


def test_fano_is_variance_over_mean_of_each_stimulus_weighted_by_means():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(8), rng.integers(2, 9, 8))
    counts = rng.poisson(rng.gamma(2, 2, 8)[ids][:, None], size=(ids.size, 2))
    found = cs.units.fano_factor(counts, ids, n_perm=0)
    for u in range(2):
        v = [counts[ids == s, u].var(ddof=1) for s in range(8)]
        m = [counts[ids == s, u].mean() for s in range(8)]
        assert found.value[u] == pytest.approx(sum(v) / sum(m), rel=1e-12)


def test_fano_of_elephant():
    pytest.importorskip("elephant")
    import neo
    import quantities as pq
    from elephant.statistics import fanofactor

    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 1, rng.poisson(8))) for _ in range(20)]
    peer = fanofactor([neo.SpikeTrain(t * pq.s, t_stop=1.0) for t in trains])
    counts = np.array([[t.size] for t in trains])
    assert cs.units.fano_factor(counts, n_perm=0).value[0] == pytest.approx(peer * 20 / 19)  # it divides by k


@pytest.mark.parametrize("fano", [0.5, 1.0, 2.0])
def test_fano_finds_the_truth_also_of_low_counts(fano):
    rng = np.random.default_rng(1)
    for mean in (0.5, 5.0):
        ids = np.repeat(np.arange(60), 10)
        rate = np.ceil(2 * rng.gamma(2, mean / 2, size=(60, 200)))[ids] / 2
        draw = {0.5: lambda r: rng.binomial((2 * r).astype(int), 0.5), 1.0: rng.poisson}
        counts = draw[fano](rate) if fano in draw else rng.negative_binomial(rate, 0.5)
        found = cs.units.fano_factor(counts, ids, n_perm=39)
        assert found.value.mean() == pytest.approx(fano, abs=0.04 * fano)
        assert np.mean((found.ci_low <= fano) & (fano <= found.ci_high)) > 0.93
        rejected = np.mean(found.p <= 0.05)
        assert rejected < 0.09 if fano == 1 else rejected > 0.9
        assert found.null_mean == pytest.approx(np.ones(200), abs=0.05)


def test_fano_refuses_what_is_no_count_and_keeps_silent_units():
    ids = np.repeat(np.arange(5), 4)
    with pytest.raises(cs.InputError, match=r"counts must be whole numbers.*Rates in spikes/s") as error:
        cs.units.fano_factor(np.full((20, 1), 0.5), ids)
    assert error.value.code == "not-counts"
    with pytest.raises(cs.InputError, match="at least 0"):
        cs.units.fano_factor(np.full((20, 1), -1), ids)
    counts = np.random.default_rng(0).poisson(3, size=(20, 2))
    counts[:, 0] = 0
    with pytest.warns(cs.ConsilienceWarning, match="silent-units"):
        found = cs.units.fano_factor(counts, ids, n_perm=10)
    assert np.isnan(found.value[0])
    assert np.isfinite(found.value[1])


def test_fano_over_trials_of_one_condition_is_the_jackknife():
    counts = np.random.default_rng(2).poisson(4, size=(30, 1)).astype(float)
    found = cs.units.fano_factor(counts, n_perm=0)
    left = [np.log(np.delete(counts, i).var(ddof=1) / np.delete(counts, i).mean()) for i in range(30)]
    from scipy import optimize, stats

    se = np.sqrt(29 / 30 * np.sum((left - np.mean(left)) ** 2))
    away = stats.t.ppf(0.975, 29) * se

    def beyond(f):  # how far from F a negative binomial of f may bring it
        at = max(f, 1.0)
        return 1.959964 * np.sqrt(2 / 29 + (3 * at - 4 + 1 / at) / counts.sum())

    for end, sign in ((found.ci_low[0], -1), (found.ci_high[0], 1)):
        own = abs(np.log(end / found.value[0]))
        score = optimize.brentq(lambda x, sign=sign: x - beyond(found.value[0] * np.exp(sign * x)), 0, 2)
        assert own == pytest.approx(max(away, score), rel=1e-6)


@pytest.mark.parametrize(("n", "k"), [(20, 20), (100, 5), (1, 100), (5, 20)])
@pytest.mark.filterwarnings(r"ignore:\[few-spikes\]")
def test_fano_of_few_spikes_has_intervals_that_hold_the_truth_or_none(n, k):
    rng = np.random.default_rng(n)
    counts = rng.negative_binomial(0.3, 0.5, size=(n * k, 300))  # F = 2
    found = cs.units.fano_factor(counts, np.repeat(np.arange(n), k), n_perm=0)
    known = np.isfinite(found.ci_low)
    assert known.mean() > (0.99 if n * k > 100 else 0.1)
    assert (
        np.mean((found.ci_low <= 2) & (found.ci_high >= 2), where=known) > 0.94
    )  # the jackknife alone: 0.84 to 0.91
    assert np.isfinite(found.value).all()
    assert not known[counts.sum(axis=0) < 30].any()


def test_fano_says_where_spikes_are_too_few_for_an_interval():
    counts = np.random.default_rng(0).poisson([5.0, 0.2], size=(40, 2))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"few-spikes.*1 of 2 units have too few spikes for an int"
    ) as seen:
        found = cs.units.fano_factor(counts, np.repeat(np.arange(8), 5), n_perm=0)
    assert "Unit 1 first" in seen[0].message.remedy
    assert np.isfinite(found.value).all()
    assert np.isnan(found.ci_low).tolist() == np.isnan(found.ci_high).tolist() == [False, True]


def over_time(gains, shared, *, units=24, n=8, k=16, seed=0):
    """Counts with v = m + c m^2 at each time, c in ``shared``, and rates times ``gains``."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(n), k)
    rate = rng.gamma(2, 1.5, size=(n, 1, units)) * np.asarray(gains)[:, None]
    wave = np.stack([rng.gamma(1 / c, c, size=(ids.size, units)) for c in shared], axis=1)
    return rng.poisson(rate[ids] * wave), ids


def test_matching_undoes_a_change_of_rate_and_no_other():
    p, plain, matched = [], [], []
    for seed in range(40):
        x, ids = over_time([1, 2], [0.3, 0.3], seed=seed)
        found = cs.units.fano_over_time(x, ids)
        p.append(found.p[1])
        plain.append(found.plain[1] / found.plain[0])
        matched.append(found.change[1])
        assert found.mean[1] == pytest.approx(found.mean[0], rel=0.05)
    assert np.mean(plain) > 1.4
    assert np.mean(matched) == pytest.approx(1, abs=0.05)
    assert np.mean(np.array(p) <= 0.05) < 0.15
    x, ids = over_time([1, 2], [0.5, 0.2])
    found = cs.units.fano_over_time(x, ids)
    assert found.change_high[1] < 0.9  # variability fell, though the rate rose
    assert found.p[1] < 0.001
    assert np.isnan(found.p[0])


def test_matching_is_the_mean_over_random_matchings():
    x, ids = over_time([1, 1.7], [0.3, 0.3])
    found = cs.units.fano_over_time(x, ids, width=1.0)
    mean = np.stack([x[ids == s].mean(0) for s in range(8)])
    variance = np.stack([x[ids == s].var(0, ddof=1) for s in range(8)])
    rng, drawn = np.random.default_rng(0), []
    for _ in range(200):
        sums = np.zeros((2, 2))
        for b in range(int(mean.max()) + 1):
            rows = [
                np.flatnonzero((np.floor(mean[:, t].ravel()) == b) & (mean[:, t].ravel() > 0))
                for t in range(2)
            ]
            least = min(r.size for r in rows)
            for t in range(2):
                keep = rng.permutation(rows[t])[:least]
                sums[t] += variance[:, t].ravel()[keep].sum(), mean[:, t].ravel()[keep].sum()
        drawn.append(sums[:, 0] / sums[:, 1])
    assert found.value == pytest.approx(np.mean(drawn, axis=0), rel=0.01)


def test_fano_over_time_says_what_it_needs():
    x, ids = over_time([1, 1], [0.3, 0.3])
    with pytest.raises(cs.InputError, match=r"counts must be numbers \(n_trials, times, units\), got shape"):
        cs.units.fano_over_time(x[:, 0], ids)
    with pytest.raises(cs.InputError, match="at least 8 units"):
        cs.units.fano_over_time(x[:, :, :4], ids)
    with pytest.raises(cs.InputError, match="not rates"):
        cs.units.fano_over_time(x / 2, ids)


# -- correlations


def correlated(n, k, noise, signal, units=4, seed=0):
    rng = np.random.default_rng(seed)
    mix = [np.linalg.cholesky((1 - r) * np.eye(units) + r) for r in (signal, noise)]
    ids = np.repeat(np.arange(n), k)
    s = rng.normal(size=(n, units)) @ mix[0].T
    return s[ids] + rng.normal(size=(n * k, units)) @ mix[1].T, ids


def test_noise_correlations_are_those_of_z_scores():
    x, ids = correlated(12, 8, 0.3, 0.0)
    z = np.concatenate([(x[ids == s] - x[ids == s].mean(0)) / x[ids == s].std(0, ddof=1) for s in range(12)])
    away = np.concatenate([x[ids == s] - x[ids == s].mean(0) for s in range(12)])
    for scale, rows in (("stimulus", z), ("pooled", away)):
        r = (rows.T @ rows) / np.sqrt(np.outer((rows**2).sum(0), (rows**2).sum(0)))
        np.fill_diagonal(r, np.nan)
        assert cs.units.noise_correlations(x, ids, scale=scale, n_perm=0).value == pytest.approx(
            r, nan_ok=True
        )


def test_noise_correlations_find_the_truth_whatever_the_signal():
    held, rejected, family = [], [], []
    for k in range(40):
        for noise in (0.0, 0.25):
            x, ids = correlated(20, 10, noise, 0.6, seed=k)
            found = cs.units.noise_correlations(x, ids, n_perm=39 if noise == 0 else 0)
            held.append((found.above("ci_low") <= noise) & (noise <= found.above("ci_high")))
            if noise == 0:
                rejected.append(found.above("p") <= 0.05)
                family.append((found.above("p_fwer") <= 0.05).any())
    assert 0.9 < np.mean(held) < 0.99
    assert np.mean(rejected) < 0.1
    assert np.mean(family) < 0.15


def test_signal_correlations_find_the_truth_whatever_the_noise():
    values, plain, rejected = [], [], []
    for k in range(40):
        x, ids = correlated(60, 4, 0.5, 0.0, units=3, seed=k)
        found = cs.units.signal_correlations(x, ids, n_perm=39)
        values.append(found.above())
        means = np.stack([x[ids == s].mean(0) for s in range(60)])
        plain.append(np.corrcoef(means.T)[np.triu_indices(3, 1)])
        rejected.append(found.above("p") <= 0.05)
    assert np.mean(values) == pytest.approx(0, abs=0.04)
    assert np.mean(plain) > 0.07  # noise correlations leak into the correlation of means
    assert np.mean(rejected) < 0.12
    x, ids = correlated(400, 4, 0.5, 0.6, units=2)
    found = cs.units.signal_correlations(x, ids, n_perm=0)
    assert found.ci_low[0, 1] < 0.6 < found.ci_high[0, 1]


def test_signal_correlation_is_the_mean_over_splits_of_the_repeats():
    x, ids = correlated(30, 4, 0.5, 0.4, units=2)
    x = x.reshape(30, 4, 2)

    def cross(i, j):  # products of different trials of a stimulus, less those of different stimuli
        same = [x[s, a, i] * x[s, b, j] for s in range(30) for a in range(4) for b in range(4) if a != b]
        m = x.mean(axis=1)
        other = [m[s, i] * m[r, j] for s in range(30) for r in range(30) if s != r]
        return np.mean(same) - np.mean(other)

    expected = cross(0, 1) / np.sqrt(cross(0, 0) * cross(1, 1))
    found = cs.units.signal_correlations(x.reshape(120, 2), ids, n_perm=0).value[0, 1]
    assert found == pytest.approx(expected, rel=1e-9)


def test_correlations_say_what_they_cannot_do():
    x, ids = correlated(20, 2, 0.0, 0.0)
    with pytest.warns(cs.ConsilienceWarning, match=r"few-repeats.*2 repeats.*scale='pooled'"):
        cs.units.noise_correlations(x, ids, n_perm=0)
    with pytest.raises(cs.InputError, match="at least 2 units recorded at once, got 1"):
        cs.units.noise_correlations(x[:, :1], ids)
    x[:, 0] = 1.0
    with pytest.warns(cs.ConsilienceWarning, match="silent-units"):
        found = cs.units.noise_correlations(x, ids, scale="pooled", n_perm=10)
    assert np.isnan(found.value[0]).all()
    assert np.isfinite(found.p[1, 2])
    rng = np.random.default_rng(0)
    with pytest.warns(cs.ConsilienceWarning, match=r"ceiling-too-low"):
        cs.units.signal_correlations(rng.normal(size=(40, 6)), np.repeat(np.arange(20), 2), n_perm=0)


def test_fano_of_rates_is_said():
    counts = np.random.default_rng(0).poisson(3, size=(200, 2))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"rates-as-counts.*multiples of 10: rates of bins of 0\.1 s"
    ):
        cs.units.fano_factor(counts / 0.1, n_perm=0)
    with pytest.raises(cs.InputError, match=r"whole numbers of spikes.*Rates in spikes/s times"):
        cs.units.fano_factor(counts / 0.3, n_perm=0)
    even = 10 * np.random.default_rng(0).poisson(3, size=(40, 2, 8))
    with pytest.warns(cs.ConsilienceWarning, match=r"rates-as-counts.*multiples of 10"):
        cs.units.fano_over_time(even, np.repeat(np.arange(4), 10))
