"""Dimensionalities of plain arrays: planted truth, the equations written out, peers, bad input."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import consilience as cs
from consilience.populations._moments import squared_traces

P = cs.populations


def planted(n, units, dims, *, noise=0.0, repeats=1, seed=0):
    """Latents of equal variance through random weights: infinitely many such units have PR = dims."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, dims)) @ rng.normal(size=(dims, units)) / np.sqrt(dims)
    ids = np.repeat(np.arange(n), repeats)
    return signal[ids] + noise * rng.normal(size=(ids.size, units)), ids


@pytest.mark.parametrize("counts", [[1] * 6, [2] * 6, [2, 2, 3, 2, 4, 3], [1, 2, 3, 2, 1, 3]], ids=str)
def test_squared_traces_are_means_over_distinct_stimuli_and_trials(counts):
    counts = np.array(counts)
    x = np.random.default_rng(0).normal(size=(counts.sum(), 3)) + 1
    ends = np.concatenate([[0], np.cumsum(counts)])
    trials = [x[a:b] for a, b in itertools.pairwise(ends)]
    means = [t.mean(axis=0) for t in trials]

    def squared(t):
        if len(t) == 1:
            return np.outer(t[0], t[0])
        return np.mean([np.outer(t[r], t[s]) for r, s in itertools.permutations(range(len(t)), 2)], axis=0)

    own = [squared(t) for t in trials]

    def covariance(i, j):
        cross = np.outer(means[i], means[j])
        return (own[i] + own[j] - cross - cross.T) / 2

    found = []
    for i, j, k, m in itertools.permutations(range(6), 4):
        one, two = covariance(i, j), covariance(k, m)
        found.append([np.trace(one) * np.trace(two), np.sum(one * two), np.diag(one) @ np.diag(two)])
    made = squared_traces(x - x.mean(axis=0), counts)
    assert np.allclose([made.trace, made.square, made.own], np.mean(found, axis=0), atol=1e-12)


def test_one_trial_is_the_estimator_of_himeno_and_yamada():
    x = np.random.default_rng(1).exponential(size=(12, 5))
    n, c = 12, x - x.mean(axis=0)
    s = c.T @ c / (n - 1)
    q = np.sum(np.sum(c * c, axis=1) ** 2) / (n - 1)
    t1, t2 = np.trace(s) ** 2, np.trace(s @ s)
    factor = (n - 1) / (n * (n - 2) * (n - 3))
    made = squared_traces(c, np.ones(n, dtype=int))
    assert np.isclose(made.square, factor * ((n - 1) * (n - 2) * t2 + t1 - n * q))
    assert np.isclose(made.trace, factor * (2 * t2 + (n * n - 3 * n + 1) * t1 - n * q))


@pytest.mark.parametrize(
    ("n", "units", "noise", "repeats"), [(40, 40, 0.0, 1), (30, 60, 0.0, 1), (40, 40, 1.0, 3)]
)
def test_corrected_ratio_is_within_a_tenth_where_the_plain_one_is_not(n, units, noise, repeats):
    values, plain, inside = [], [], 0
    for seed in range(30):
        x, ids = planted(n, units, 10, noise=noise, repeats=repeats, seed=seed)
        given = (x,) if repeats == 1 else (x, ids)
        found = P.participation_ratio(*given, n_perm=0)
        values.append(1 / found.value)
        plain.append(P.participation_ratio(*given, correct="none", n_perm=0).value)
        inside += found.ci_low <= 10 <= found.ci_high
    assert 1 / np.mean(values) == pytest.approx(10, rel=0.1)
    assert abs(np.mean(plain) - 10) > (2.0 if not noise else 0.5)
    assert inside >= 26


def test_ratio_of_these_units_and_of_more_of_them():
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(8, 30))
    truth = np.trace(weights.T @ weights) ** 2 / np.sum((weights.T @ weights) ** 2)
    found = [
        P.participation_ratio(
            np.random.default_rng(k).normal(size=(40, 8)) @ weights, correct="stimuli", n_perm=0
        )
        for k in range(20)
    ]
    assert 1 / np.mean([1 / one.value for one in found]) == pytest.approx(truth, rel=0.05)
    both = P.participation_ratio(rng.normal(size=(300, 8)) @ weights, n_perm=0)
    assert P.with_more_units(both, 30)[0] == pytest.approx(truth, rel=0.05)
    assert P.with_more_units(both, 10**6)[0] == pytest.approx(both.value, rel=1e-3)
    assert both.ci_low < both.value < both.ci_high
    with pytest.raises(cs.InputError, match="knows how units differ"):
        P.with_more_units(found[0], 100)


def test_ratio_changes_and_does_not_as_it_should():
    x, ids = planted(25, 20, 5, noise=0.5, repeats=2)
    value = P.participation_ratio(x, ids, n_perm=0).value
    turned = P.participation_ratio(7 * x[:, ::-1] + 100, ids, n_perm=0).value
    assert turned == pytest.approx(value, rel=1e-9)
    order = np.random.default_rng(0).permutation(len(x))
    assert P.participation_ratio(x[order], ids[order], n_perm=0).value == pytest.approx(value, rel=1e-9)
    scaled = x * np.linspace(0.1, 3, 20)
    assert P.participation_ratio(scaled, ids, n_perm=0).value != pytest.approx(value, rel=1e-3)
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(20, 20)))[0]  # of these units any axes will do
    one, two = (P.participation_ratio(y, ids, correct="stimuli", n_perm=0).value for y in (x, x @ axes))
    assert one == pytest.approx(two, rel=1e-9)


def test_unrelated_units_have_no_bound_and_their_null_says_so():
    x = np.random.default_rng(0).normal(size=(60, 30))
    both = P.participation_ratio(x, n_perm=40)
    assert both.null_low > 100
    assert both.null_mean == np.inf
    assert both.p > 0.03
    these = P.participation_ratio(x, correct="stimuli", n_perm=40)
    assert these.null_mean == pytest.approx(30, rel=0.1)
    structured, _ = planted(60, 30, 3)
    assert P.participation_ratio(structured, n_perm=40).p == pytest.approx(1 / 41)


def test_ratio_refuses_what_it_cannot_use():
    x, ids = planted(20, 10, 3, repeats=2)
    with pytest.raises(cs.InputError, match=">= 2 repeats") as error:
        P.participation_ratio(x[::2], ids[::2])
    assert error.value.code == "no-repeats"
    with pytest.raises(cs.InputError, match="none of the 3 units varies"):
        P.participation_ratio(np.ones((10, 3)))
    with pytest.raises(cs.InputError, match="at least 5 stimuli"):
        P.participation_ratio(x[:4])
    with pytest.raises(cs.InputError, match="Did you mean 'stimuli'"):
        P.participation_ratio(x, correct="stimulus")
    bad = x.copy()
    bad[2, 3] = np.nan
    with pytest.raises(cs.InputError, match="NaN"):
        P.participation_ratio(bad)
    dead = np.hstack([x, np.full((40, 2), 0.1)])
    assert P.participation_ratio(dead, ids, correct="stimuli", n_perm=0).value == pytest.approx(
        P.participation_ratio(x, ids, correct="stimuli", n_perm=0).value
    )
    small = P.participation_ratio(1e-200 * x, ids, n_perm=0).value
    assert small == pytest.approx(P.participation_ratio(x, ids, n_perm=0).value)
    counts = np.round(20 * (x - x.min()) / np.ptp(x)).astype(np.uint8)
    assert P.participation_ratio(counts, ids, n_perm=0).value == pytest.approx(
        P.participation_ratio(counts.astype(float), ids, n_perm=0).value
    )


def test_saturation_is_flat_where_corrected():
    x, _ = planted(100, 100, 8)
    found = P.saturation(x, along="units", n_draws=20)
    assert np.allclose(found.value[2:], found.value[-1], rtol=0.25)
    assert found.plain[0] < 0.7 * found.plain[-1]
    assert P.saturation(x, along="stimuli").n[-1] == 100


def manifold(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi, size=(n, {"ring": 1, "torus": 2, "torus3": 3}[kind]))
    x = np.hstack([np.cos(angle), np.sin(angle)])
    return x @ np.linalg.qr(rng.normal(size=(20, x.shape[1])))[0].T


@pytest.mark.parametrize(("kind", "dims"), [("ring", 1), ("torus", 2), ("torus3", 3)])
def test_neighbours_find_the_dimension_of_manifolds(kind, dims):
    x = manifold(kind, 1200, np.random.default_rng(0))
    for found in (
        P.two_nn(x, n_perm=0),
        P.two_nn(x, method="mle", n_perm=0),
        P.mle_dimension(x, n_perm=0),
        P.local_pca_dimension(x, n_perm=0),
    ):
        curved = dims == 3 and "alpha" in found.details  # neighbourhoods of local PCA bend at this density
        assert found.value == pytest.approx(dims, rel=0.6 if curved else 0.12)
        assert found.ci_low <= found.value <= found.ci_high
    assert P.participation_ratio(x, correct="stimuli", n_perm=0).value == pytest.approx(2 * dims, rel=0.1)


def test_noise_counts_as_dimensions_of_neighbours():
    rng = np.random.default_rng(0)
    x = manifold("ring", 1000, rng)
    assert P.two_nn(x + 0.05 * rng.normal(size=x.shape), n_perm=0).value > 5


def test_copies_are_merged_not_counted():
    x = np.random.default_rng(0).normal(size=(300, 4))
    doubled = np.vstack([x, x[:150]])
    for function in (P.two_nn, P.mle_dimension, P.local_pca_dimension):
        with pytest.warns(cs.ConsilienceWarning, match="points-merged.*150 of 450"):
            found = function(doubled, n_perm=0)
        assert found.value == pytest.approx(function(x, n_perm=0).value, rel=1e-9)
    with pytest.warns(cs.ConsilienceWarning, match="points-merged"):
        each = P.mle_pointwise(doubled)
    assert np.array_equal(each[300:], each[:150])
    with pytest.raises(cs.InputError, match="distinct points"), pytest.warns(cs.ConsilienceWarning):
        P.two_nn(np.repeat(x[:5], 10, axis=0))


def test_neighbours_are_the_nearest_with_any_offset():
    from consilience.populations._neighbours import distinct_points, nearest

    rng = np.random.default_rng(0)
    for n in (30, 1500):
        x = rng.normal(size=(n, 7)) + 1e6
        x[1] = x[0] + 1e-7
        points = distinct_points(x, who="test", fewest=3).x
        found, where = nearest(points, 5, indices=True)
        direct = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
        np.fill_diagonal(direct, np.inf)
        expected = np.sort(direct, axis=1)[:, :5]
        assert np.allclose(found, expected, rtol=1e-6, atol=1e-12)
        assert np.allclose(np.take_along_axis(direct, where, axis=1), expected, rtol=1e-6, atol=1e-12)


def test_equal_to_scikit_dimension():
    skdim = pytest.importorskip("skdim")
    x = np.random.default_rng(0).normal(size=(600, 6)) @ np.random.default_rng(1).normal(size=(6, 40))
    assert P.two_nn(x, n_perm=0).value == pytest.approx(skdim.id.TwoNN().fit(x).dimension_, rel=1e-8)
    peer = skdim.id.MLE().fit(x)
    assert P.mle_dimension(x, n_perm=0).value == pytest.approx(peer.dimension_, rel=1e-8)
    assert np.allclose(P.mle_pointwise(x), peer.dimension_pw_, rtol=1e-8)


def test_mle_is_the_published_equation():
    x = np.random.default_rng(2).normal(size=(80, 3))
    away = np.sort(np.linalg.norm(x[:, None] - x[None], axis=2), axis=1)[:, 1:8]
    inverse = np.log(away[:, -1:] / away[:, :-1]).sum(axis=1) / 6
    assert P.mle_dimension(x, k=7, n_perm=0).value == pytest.approx(1 / inverse.mean())
    assert np.allclose(P.mle_pointwise(x, k=7), 1 / inverse)
    assert np.allclose(P.mle_pointwise(x, k=7, unbiased=True), 5 / 6 / inverse)


def test_effective_rank_is_the_published_equation():
    x = np.random.default_rng(0).normal(size=(30, 12))
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    for of, p in (("singular values", s / s.sum()), ("variances", s**2 / (s**2).sum())):
        found = P.effective_rank(x, of=of)
        assert found.value == pytest.approx(np.exp(-np.sum(p * np.log(p))))
        assert found.ci_low < found.value < found.ci_high


@pytest.mark.parametrize("alpha", [0.8, 1.5])
def test_exponent_of_planted_power_laws_with_noise(alpha):
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        variances = np.arange(1, 101.0) ** -alpha
        axes = np.linalg.qr(rng.normal(size=(100, 100)))[0]
        signal = (rng.normal(size=(150, 100)) * np.sqrt(variances / variances.sum())) @ axes
        ids = np.repeat(np.arange(150), 2)
        found.append(P.cvpca(signal[ids] + 0.1 * rng.normal(size=(300, 100)), ids, n_splits=3))
    assert np.mean([one.exponent for one in found]) == pytest.approx(alpha, abs=0.08)
    assert all(one.exponent_raw < one.exponent for one in found)
    assert all(one.exponent_low < one.exponent < one.exponent_high for one in found)


def test_cross_validated_variance_is_free_of_noise_and_of_scale():
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(80), 2)
    noise = P.cvpca(rng.normal(size=(160, 30)), ids, calibrate=0, fit=(1, 5))
    assert abs(noise.variance.sum()) < 0.1 * noise.plain.sum()
    x, ids = planted(80, 30, 3, noise=0.5, repeats=2)
    found = P.cvpca(x, ids, calibrate=0)
    assert found.variance.sum() == pytest.approx(30, rel=0.35)
    assert found.variance[:3].sum() > 0.95 * found.variance.sum()
    assert np.allclose(P.cvpca(10 * x, ids, calibrate=0).variance, 100 * found.variance)
    with pytest.raises(cs.InputError, match="first < last"):
        P.cvpca(x, ids, fit=(9, 3))


def test_direct_cvpca():
    """The published procedure, one direction and one split at a time."""
    from consilience.populations._cvpca import _both

    rng = np.random.default_rng(0)
    for n, p in ((20, 35), (35, 20)):
        a, b = rng.normal(size=(2, n, p))
        total = np.zeros(min(n - 1, p))
        for one, two in ((a, b), (b, a)):
            one, two = one - one.mean(axis=0), two - two.mean(axis=0)
            axes = np.linalg.svd(one, full_matrices=False)[2][: total.size].T
            total += np.sum((one @ axes) * (two @ axes), axis=0) / (n - 1) / 2
        assert np.allclose(_both(a, b, total.size), total)


@pytest.mark.parametrize(("dims", "noise"), [(0, 1.0), (3, 2.0), (6, 2.0)])
def test_svca_counts_shared_dimensions(dims, noise):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=(1500, dims)) @ rng.normal(size=(dims, 40)) if dims else 0.0
        found = P.svca(shared + noise * rng.normal(size=(1500, 40)), n_splits=5, n_shift=40)
        assert found.value == dims
        assert (found.p < 0.05) == (dims > 0)


def test_svca_is_not_taken_in_by_slow_series():
    for seed in range(4):
        steps = np.random.default_rng(seed).normal(size=(4020, 30))
        slow = np.apply_along_axis(lambda v: np.convolve(v, np.ones(21), "valid"), 0, steps)
        assert P.svca(slow, n_splits=4, n_shift=40).value == 0


def test_svca_refuses_short_series():
    x = np.random.default_rng(0).normal(size=(300, 10))
    with pytest.raises(cs.InputError, match="need 400 samples, got 300") as error:
        P.svca(x, gap=10)
    assert error.value.code == "too-few"
    with pytest.raises(cs.InputError, match="at least 4 units"):
        P.svca(x[:, :3])
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        P.svca(np.hstack([x, np.ones((300, 1))]), gap=0, n_splits=2, n_shift=20)


def test_inputs_are_not_changed_and_kinds_of_arrays_agree():
    x, ids = planted(30, 12, 4, noise=0.3, repeats=2)
    before = x.copy()
    x.flags.writeable = False
    found = P.participation_ratio(x, ids, n_perm=5)
    P.cvpca(x, ids, calibrate=0)
    P.two_nn(x, n_perm=2)
    P.effective_rank(x)
    assert np.array_equal(x, before)
    single = P.participation_ratio(x.astype(np.float32), ids, n_perm=5).value
    assert single == pytest.approx(found.value, rel=1e-4)
    other = P.participation_ratio(x.astype(">f8"), ids.tolist(), n_perm=5)
    assert other.value == pytest.approx(found.value)
    assert repr(found).startswith("<Dimension>")


@pytest.mark.parametrize(("alpha", "repeats"), [(1.0, 1), (1.5, 1), (1.0, 2)])
def test_interval_of_falling_spectra_holds_the_truth(alpha, repeats):
    """Few large variances: the error of 1 / PR grows with it, and an even interval around it held 9 of 10 at most."""
    spectrum = np.arange(1, 201.0) ** -alpha
    truth = spectrum.sum() ** 2 / np.sum(spectrum**2)
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        weights = rng.normal(size=(200, 60)) * np.sqrt(spectrum / spectrum.sum())[:, None]
        ids = np.repeat(np.arange(60), repeats)
        x = (rng.normal(size=(60, 200)) @ weights)[ids] + (repeats > 1) * rng.normal(size=(ids.size, 60))
        found = P.participation_ratio(x, ids if repeats > 1 else None, n_perm=0)
        inside += found.ci_low <= truth <= found.ci_high
    assert inside >= 36


def test_interval_of_a_ratio_is_even_in_the_logarithm_far_from_nothing_and_open_near_it():
    from consilience.populations._dimension import inverse_interval

    away = np.linspace(-1, 1, 20)
    low, high = inverse_interval(0.1, [0.1 * np.exp(0.005 * away)], 0.95)
    assert low * high == pytest.approx(100, rel=1e-2)
    assert low < 10 < high
    assert inverse_interval(0.01, [0.01 + 0.01 * away], 0.95)[1] == np.inf
    assert inverse_interval(0.1, [np.full(20, 0.1)], 0.95) == pytest.approx((10, 10))
    assert np.isnan(inverse_interval(np.nan, [away], 0.95)[0])
    assert np.isnan(inverse_interval(0.1, [away, np.empty(0)], 0.95)[0])


def test_exponent_over_chosen_ranks_allows_for_what_is_before_them():
    """Even variances up to rank 10: a pure power law of as many units has less variance, so more noise, at rank 11."""
    inside, values = 0, []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        spectrum = np.maximum(np.arange(1, 101.0), 10) ** -1.5
        signal = rng.normal(size=(300, 100)) * np.sqrt(spectrum / spectrum.sum())
        ids = np.repeat(np.arange(300), 2)
        x = signal[ids] + 0.1 * rng.normal(size=(600, 100))
        found = P.cvpca(x, ids, fit=(11, 40), n_splits=2, calibrate=1)
        inside += found.exponent_low <= 1.5 <= found.exponent_high
        values.append(found.exponent)
    assert inside >= 3
    assert np.mean(values) == pytest.approx(1.5, abs=0.12)
