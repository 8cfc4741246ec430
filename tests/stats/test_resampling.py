"""Resampling, permutation, intervals, folds: against enumeration and the spelled-out computation."""

import itertools

import numpy as np
import pytest
from scipy import stats as st

from consilience import InputError, stats
from consilience.measures._contract import as_measure
from consilience.measures._ranks import TauParts
from consilience.stats._pairs import square

CKA, BIASED = (
    as_measure("cka", who="t"),
    as_measure(
        __import__("functools").partial(__import__("consilience").measures.cka, debiased=False), who="t"
    ),
)


# -- p-values ----------------------------------------------------------------------------------------------


def test_p_of_all_120_permutations_of_5_stimuli():
    """With every permutation as the null, b counts the identity and ties: p = (b + 1) / 121."""
    rng = np.random.default_rng(0)
    parts = as_measure("rsa", who="t").parts
    x, y = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    a, b = parts.prepare(x)[None], parts.prepare(y)[None]
    orders = np.array(list(itertools.permutations(range(5))))
    null = parts.permute(a, b, orders)[:, 0, 0]
    explicit = [
        st.spearmanr(square(a, 5)[0][np.ix_(o, o)][np.triu_indices(5, 1)], b[0]).statistic for o in orders
    ]
    np.testing.assert_allclose(null, explicit, atol=1e-12)
    value = parts.combine(a, b)[0, 0]
    at_least = sum(v >= value - 1e-9 for v in explicit)
    assert float(stats.p_value(value, null)) == (at_least + 1) / 121
    assert at_least >= 1  # the identity itself


def test_p_is_never_zero_and_counts_ties():
    assert float(stats.p_value(9.0, np.zeros(99))) == 1 / 100
    assert float(stats.p_value(0.5, np.r_[np.full(10, 0.5), np.zeros(89)])) == 11 / 100
    assert float(stats.p_value(0.1 + 0.2, np.r_[0.3, np.zeros(98)])) == 2 / 100
    assert np.isnan(stats.p_value(np.nan, np.zeros(9)))


def test_max_statistic_is_the_enumerated_maximum():
    rng = np.random.default_rng(0)
    value, null = rng.normal(size=(4, 3)), rng.normal(size=(200, 4, 3))
    p = stats.max_statistic_p(value, null, axis=0)
    for i, j in np.ndindex(4, 3):
        assert p[i, j] == (np.sum(null[:, :, j].max(axis=1) >= value[i, j]) + 1) / 201
    assert (p >= stats.p_value(value, null)).all()


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("measure", [CKA, BIASED], ids=["debiased", "biased"])
def test_permuting_vectors_is_permuting_stimuli(measure, swap):
    rng = np.random.default_rng(1)
    n = 9
    xs = [rng.normal(size=(n, 5)) for _ in range(4)]
    ys = [rng.normal(size=(n, 5)) for _ in range(2)]
    if swap:
        xs, ys = ys, xs
    a, b = (np.stack([measure.parts.prepare(z) for z in zs]) for zs in (xs, ys))
    orders = stats.permutations(n, 6, rng)
    found = measure.parts.permute(a, b, orders)
    for k, order in enumerate(orders):
        for i, x in enumerate(xs):
            for j, y in enumerate(ys):
                direct = measure.parts.combine(
                    measure.parts.prepare(x[order])[None], measure.parts.prepare(y)[None]
                )
                assert found[k, i, j] == pytest.approx(direct[0, 0], abs=1e-12)


def test_permutations_are_permutations_and_differ():
    orders = stats.permutations(20, 100, np.random.default_rng(0))
    assert (np.sort(orders, axis=1) == np.arange(20)).all()
    assert len({tuple(o) for o in orders}) == 100


# -- bootstrap ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [CKA, BIASED], ids=["debiased", "biased"])
def test_weights_are_resampling_without_pairs_of_a_stimulus_with_itself(measure):
    rng = np.random.default_rng(0)
    n = 8
    a, b = (measure.parts.prepare(rng.normal(size=(n, 5)))[None] for _ in range(2))
    weights = stats.multinomial_weights(n, 20, rng)
    assert (weights.sum(axis=1) == n).all()
    found = measure.parts.combine(a, b, weights)[:, 0, 0]
    diagonal = measure.parts.diagonal
    one, two = square(a, n, diagonal=diagonal)[0], square(b, n, diagonal=diagonal)[0]
    for w, value in zip(weights, found):
        drawn = np.repeat(np.arange(n), w.astype(int))
        top = left = right = 0.0
        for i, j in itertools.combinations(range(n), 2):  # positions in the resample
            p, q = drawn[i], drawn[j]
            if p == q:
                continue
            top, left, right = top + one[p, q] * two[p, q], left + one[p, q] ** 2, right + two[p, q] ** 2
        if diagonal:
            for p in drawn:
                top, left, right = top + one[p, p] * two[p, p], left + one[p, p] ** 2, right + two[p, p] ** 2
        assert value == pytest.approx(top / np.sqrt(left * right), abs=1e-12)


def test_tau_weights_are_the_spelled_out_sum():
    rng = np.random.default_rng(0)
    n = 6
    a, b = rng.normal(size=(1, 15)), rng.normal(size=(1, 15))
    weights = stats.multinomial_weights(n, 10, rng)
    found = TauParts(lambda x: x).combine(a, b, weights)[:, 0, 0]
    rows, columns = np.triu_indices(n, 1)
    for w, value in zip(weights, found):
        v = w[rows] * w[columns]
        top = below = 0.0
        for p, q in itertools.permutations(range(15), 2):
            top += v[p] * v[q] * np.sign(a[0, p] - a[0, q]) * np.sign(b[0, p] - b[0, q])
            below += v[p] * v[q]
        assert value == pytest.approx(top / below, abs=1e-6)


def test_bootstrap_of_noise_is_not_near_one():
    """Where duplicates count as pairs, debiased CKA of noise gets an interval around 0.9."""
    rng = np.random.default_rng(0)
    a, b = (CKA.parts.prepare(rng.normal(size=(50, 500)))[None] for _ in range(2))
    draws = CKA.parts.combine(a, b, stats.multinomial_weights(50, 500, rng))[:, 0, 0]
    low, high = stats.percentile_interval(draws, CKA.parts.combine(a, b)[0, 0], 0.95)
    assert low < 0 < high < 0.2


def test_percentile_interval_holds_its_value():
    low, high = stats.percentile_interval(np.linspace(0, 1, 101)[:, None], np.array([1.4]), 0.9)
    assert (low[0], high[0]) == (pytest.approx(0.05), 1.4)
    low, high = stats.percentile_interval(np.full((10, 1), np.nan), np.array([1.0]), 0.9)
    assert np.isnan([low, high]).all()


def test_two_factor_variance_and_its_bounds():
    rng = np.random.default_rng(0)
    s = rng.normal(size=(20000, 2))
    stimuli, subjects = 2 * s[:, 0], 1 * s[:, 1]
    t = st.t.ppf(0.975, 4)

    def width(both):
        low, high = stats.two_factor_interval(
            0.0, stimuli, subjects, both, n_stimuli=92, n_subjects=5, level=0.95
        )
        return float(high - low) / 2 / t

    # entries' own noise counted once: 2 (4 + 1) - s2_both
    assert width(np.sqrt(6) * s[:, 0]) == pytest.approx(2.0, rel=0.03)  # 4, within [4, 6]
    assert width(np.sqrt(9) * s[:, 0]) == pytest.approx(2.0, rel=0.03)  # 1, raised to the larger single one
    assert width(np.sqrt(4.5) * s[:, 0]) == pytest.approx(np.sqrt(4.5), rel=0.03)  # 5.5, lowered to s2_both


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).normal(size=30)
    leave_one = np.array([np.delete(x, i).mean() for i in range(30)])
    low, high = stats.jackknife_interval(x.mean(), leave_one, n=30, left_out=1, level=0.95, exhaustive=True)
    expected = st.t.ppf(0.975, 29) * x.std(ddof=1) / np.sqrt(30)
    assert (high - low) / 2 == pytest.approx(expected, rel=1e-12)
    three = np.array([np.delete(x, list(c)).mean() for c in itertools.combinations(range(30), 3)])
    low, high = stats.jackknife_interval(x.mean(), three, n=30, left_out=3, level=0.95, exhaustive=True)
    assert (high - low) / 2 == pytest.approx(expected, rel=1e-9)
    rows = stats.subset_rows(30, 27, 4000, np.random.default_rng(1))
    low, high = stats.jackknife_interval(x.mean(), x[rows].mean(axis=1), n=30, left_out=3, level=0.95)
    assert (high - low) / 2 == pytest.approx(expected, rel=0.05)


def held_out_overlap(x, y, folds):
    """Each stimulus' part in a held-out score whose fit is the cross-covariance of the other folds."""
    parts = np.zeros(len(x))
    for test in folds:
        train = np.setdiff1d(np.arange(len(x)), test)
        parts[test] = np.einsum("ik,ik->i", x[test] @ (x[train].T @ y[train]), y[test])
    return parts


def test_stimuli_count_twice_in_a_cross_validated_score_and_draws_see_it():
    rng = np.random.default_rng(0)
    scores, variances = [], []
    for _ in range(600):
        x, y = rng.normal(size=(30, 8)), rng.normal(size=(30, 6))
        parts = held_out_overlap(x, y, stats.group_folds(np.arange(30), 5, rng, who="t"))
        draws = stats.multinomial_weights(30, 60, rng) @ parts
        scores.append(parts.sum())
        variances.append([draws.var(), stats.cross_validated_draws(draws, parts.sum()).var()])
    fixed, corrected = np.mean(variances, axis=0) / np.var(scores)
    assert fixed == pytest.approx(0.5, abs=0.08)
    assert corrected == pytest.approx(1.0, abs=0.16)


@pytest.mark.parametrize("name", ["procrustes", "cca", "linear_predictivity"])
def test_corrected_intervals_of_held_out_scores_cover(name):
    """A planted case: percentiles of draws given the fits cover about 0.82 of the time, not 0.95."""
    parts = as_measure(name, who="t").parts
    mixing = np.random.default_rng(12345).normal(size=(2, 3, 6))
    values, corrected, given = [], [], []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=(40, 3))
        x, y = (signal @ a + 2 * rng.normal(size=(40, 6)) for a in mixing)
        folds = stats.group_folds(np.arange(40), 5, rng, who="t")
        found = parts.plan(parts.prepare(x), folds, None).predict(parts.prepare_y(y))
        draws, value = found.score(stats.multinomial_weights(40, 200, rng)), found.score()
        values.append(value)
        given.append(stats.percentile_interval(draws, value, 0.95))
        wider = stats.cross_validated_draws(draws, value, low=-1.0, high=1.0)
        corrected.append(stats.percentile_interval(wider, value, 0.95))
    truth = np.mean(values)

    def coverage(intervals):
        return np.mean([low <= truth <= high for low, high in intervals])

    assert coverage(given) < 0.89
    assert 0.89 < coverage(corrected) < 0.985


def test_corrected_draws_stay_in_range():
    draws = stats.cross_validated_draws(np.array([[0.7, -1.0], [1.0, 0.0]]), np.array([0.9, -0.9]), high=1.0)
    np.testing.assert_allclose(draws, [[0.9 - 0.2 * 2**0.5, -0.9 - 0.1 * 2**0.5], [1.0, -0.9 + 0.9 * 2**0.5]])


def test_corrected_draws_and_intervals_hold_the_variance_over_deals():
    rng = np.random.default_rng(0)
    draws, value, deals = (
        0.3 + 0.1 * rng.normal(size=(50, 2)),
        np.array([0.3, 0.2]),
        rng.normal(size=(3, 2)) / 9,
    )
    spread = stats.cross_validated_draws(draws, value, deals=deals)
    of_deals = np.var([value, *deals], axis=0, ddof=1)
    np.testing.assert_allclose(spread.var(axis=0, ddof=1), 2 * draws.var(axis=0, ddof=1) + of_deals)
    low, high = stats.held_out_interval(draws, value, level=0.9, blocks=11, deals=deals)
    away = st.t.ppf(0.95, 10) * np.sqrt(2.2 * draws.var(axis=0, ddof=1) + of_deals)
    np.testing.assert_allclose([low, high], [value - away, value + away])
    low, high = stats.held_out_interval(draws, value, level=0.9, blocks=50, deals=deals, refitted=True)
    away = st.t.ppf(0.95, 49) * np.sqrt(49 * draws.var(axis=0) + of_deals)
    np.testing.assert_allclose([low, high], [value - away, value + away])


def test_intervals_of_held_out_scores_are_unknown_where_draws_are():
    draws = np.column_stack([np.full(20, np.nan), np.linspace(0, 0.2, 20)])
    low, high = stats.held_out_interval(draws, np.array([0.5, 0.1]), level=0.95, blocks=9, correlation=True)
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0.1 < high[1]


# -- folds, halves, ceilings -------------------------------------------------------------------------------


def test_folds_never_split_a_group_and_are_balanced():
    rng = np.random.default_rng(0)
    for _ in range(50):
        groups = rng.integers(0, 12, 60)
        folds = stats.group_folds(groups, 4, rng, who="t")
        assert sorted(np.concatenate(folds).tolist()) == list(range(60))
        owners = [set(groups[f].tolist()) for f in folds]
        assert all(not (a & b) for a, b in itertools.combinations(owners, 2))
        assert max(map(len, folds)) - min(map(len, folds)) <= np.bincount(groups).max()


def test_too_many_folds_are_refused():
    with pytest.raises(InputError, match=r"folds must be between 2 and the number of stimuli \(5\), got 6"):
        stats.group_folds(np.arange(5), 6, np.random.default_rng(0), who="t")
    with pytest.raises(InputError, match=r"number of groups \(2\)"):
        stats.group_folds(np.array([0, 0, 1, 1]), 3, np.random.default_rng(0), who="t")


def test_halves_are_halves():
    splits = stats.half_splits(11, 50, np.random.default_rng(0))
    assert (splits.sum(axis=1) == 5).all()
    assert 0.3 < splits.mean() < 0.6


def test_split_half_rows_splits_each_stimulus():
    ids = np.array(list("aabbbccccc"))
    for first in stats.split_half_rows(ids, 30, np.random.default_rng(0)):
        for key, least in (("a", 1), ("b", 1), ("c", 2)):
            inside = first[ids == key].sum()
            assert least <= inside <= (ids == key).sum() - least


def test_spearman_brown():
    assert float(stats.spearman_brown(0.5)) == pytest.approx(2 / 3)
    assert np.isnan(stats.spearman_brown(-0.1))


# -- seeds -------------------------------------------------------------------------------------------------


def test_streams_are_named_and_uncorrelated():
    from consilience._core._seeds import resolve_seed

    one, two = resolve_seed(0, who="t"), resolve_seed(1, who="t")
    a = one.stream("stimuli").normal(size=10000)
    assert (a == resolve_seed(0, who="t").stream("stimuli").normal(size=10000)).all()
    for other in (one.stream("permutations"), two.stream("stimuli"), one.child("x").stream("stimuli")):
        assert abs(np.corrcoef(a, other.normal(size=10000))[0, 1]) < 4 / np.sqrt(10000)
    # seed + 1 with stream i is not seed with stream i + 1: no two of a grid of streams coincide
    grid = {resolve_seed(s, who="t").stream(f"refit{k}").random() for s in range(20) for k in range(20)}
    assert len(grid) == 400


@pytest.mark.parametrize("bad", [-1, 2**128, 1.5, True, "", "-1", "1:", "1,2", "x", float("nan")])
def test_bad_seeds_are_refused(bad):
    from consilience._core._seeds import resolve_seed

    with pytest.raises(InputError, match=r"rng must be an int from 0 to 2\*\*128 - 1"):
        resolve_seed(bad, who="t")


def test_every_kind_of_seed_is_recorded():
    from consilience._core._seeds import resolve_seed

    for rng in (
        None,
        3,
        np.int64(3),
        2**127,
        np.random.default_rng(0),
        np.random.SeedSequence(5).spawn(2)[1],
    ):
        seed = resolve_seed(rng, who="t")
        again = resolve_seed(np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key), who="t")
        assert seed.stream("x").random() == again.stream("x").random()
        assert resolve_seed(str(seed), who="t") == seed  # what a result records can be passed back
