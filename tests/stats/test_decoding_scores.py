"""Scores of decoding, relabellings inside strata, stratified folds, linear Fisher information."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import consilience as cs
from consilience.stats import (
    angular_error,
    class_weights,
    label_permutations,
    linear_fisher_information,
    pair_counts,
    placements,
    proportion_interval,
    stratified_folds,
    stretches,
)


def test_class_weights_are_balanced_accuracy():
    rng = np.random.default_rng(0)
    codes = rng.choice(3, 50, p=[0.6, 0.3, 0.1])
    predicted = rng.integers(0, 3, 50)
    hit = (codes == predicted).astype(float)
    assert class_weights(codes, 3, balanced=True)[0] @ hit == pytest.approx(
        balanced_accuracy_score(codes, predicted)
    )
    assert class_weights(codes, 3, balanced=False)[0] @ hit == pytest.approx(hit.mean())
    draws = rng.multinomial(50, np.full(50, 0.02), size=5).astype(float)
    rows = [np.repeat(np.arange(50), d.astype(int)) for d in draws]
    direct = [balanced_accuracy_score(codes[r], predicted[r]) for r in rows]
    np.testing.assert_allclose(class_weights(codes, 3, balanced=True, draws=draws) @ hit, direct)
    only = np.where(codes == 1, 0.0, 1.0)[None]  # a class that a draw left out is left out of its mean
    both = np.mean([hit[codes == c].mean() for c in (0, 2)])
    assert (class_weights(codes, 3, balanced=True, draws=only) @ hit)[0] == pytest.approx(both)


def test_placements_are_areas_under_roc_curves():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 2, 40)
    score = np.round(rng.normal(size=40) + codes, 1)  # with ties
    scores = np.stack([-score, score], axis=1)[None]
    pairs = pair_counts(codes[None], [np.arange(40)], 2)
    count = np.bincount(codes)[None]
    made = placements(scores, codes[None], pairs, count)[0]
    assert class_weights(codes, 2, balanced=True)[0] @ made == pytest.approx(roc_auc_score(codes, score))
    # two folds: pairs inside a fold only, each fold by its number of pairs
    folds = [np.arange(15), np.arange(15, 40)]
    pairs = pair_counts(codes[None], folds, 2)
    made = np.concatenate([placements(scores[:, f], codes[None, f], pairs, count)[0] for f in folds])
    weight = [np.sum(codes[f] == 1) * np.sum(codes[f] == 0) for f in folds]
    direct = np.average([roc_auc_score(codes[f], score[f]) for f in folds], weights=weight)
    assert class_weights(codes, 2, balanced=True)[0] @ made == pytest.approx(direct)
    three = rng.integers(0, 3, 60)
    wide = rng.normal(size=(60, 3)) + np.eye(3)[three]
    pairs = pair_counts(three[None], [np.arange(60)], 3)
    made = placements(wide[None], three[None], pairs, np.bincount(three)[None])[0]
    areas = [
        roc_auc_score(
            three[np.isin(three, ab)] == ab[0], (wide[:, ab[0]] - wide[:, ab[1]])[np.isin(three, ab)]
        )
        for ab in itertools.combinations(range(3), 2)
    ]
    assert class_weights(three, 3, balanced=True)[0] @ made == pytest.approx(np.mean(areas))


def test_proportion_interval_is_wilsons():
    confint = pytest.importorskip("statsmodels.stats.proportion").proportion_confint
    for hits, n in ((3, 20), (17, 20), (50, 100)):
        share = hits / n
        low, high = proportion_interval(
            np.array(share), np.array(share * (1 - share) / n), items=n, level=0.95, df=1e9
        )
        np.testing.assert_allclose([low, high], confint(hits, n, alpha=0.05, method="wilson"), rtol=1e-6)
    low, high = proportion_interval(np.array([0.0, 1.0]), np.zeros(2), items=20, level=0.95, df=19)
    assert low[0] == 0.0
    assert high[1] == 1.0
    assert 0 < high[0] < 0.3
    assert 0.7 < low[1] < 1


def test_angular_error_goes_the_short_way():
    np.testing.assert_allclose(
        angular_error(np.array([0.1, np.pi, 7.0]), np.array([2 * np.pi - 0.1, 0.0, 7.0 - 4 * np.pi])),
        [0.2, np.pi, 0.0],
        atol=1e-12,
    )


def test_labels_change_places_inside_strata_and_as_whole_units():
    codes = np.array([0, 0, 1, 1, 2, 2, 0, 0, 1, 1])
    unit = np.repeat(np.arange(5), 2)
    strata = np.array([0] * 6 + [1] * 4)
    made, ways = label_permutations(codes, unit, strata, 400, np.random.default_rng(0))
    assert made.shape == (400, 10)
    assert (made[:, ::2] == made[:, 1::2]).all()  # units whole
    assert (np.sort(made[:, :6], axis=1) == [0, 0, 1, 1, 2, 2]).all()
    assert (np.sort(made[:, 6:], axis=1) == [0, 0, 1, 1]).all()
    assert len(np.unique(made, axis=0)) == 12
    assert 10**ways == pytest.approx(12)
    assert stretches(np.array([1, 1, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 1, 1])).tolist() == [
        0,
        0,
        1,
        1,
        2,
        3,
    ]


def test_stratified_folds_hold_as_many_of_every_class():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 2)
    codes = np.repeat(np.array([0] * 10 + [1] * 15 + [2] * 5), 2)
    folds = stratified_folds(codes, groups, 5, rng)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(60))
    for rows in folds:
        assert np.bincount(codes[rows]).tolist() == [4, 6, 2]
        assert np.isin(groups, groups[rows]).sum() == rows.size  # whole groups
    uneven = stratified_folds(np.array([0] * 7 + [1] * 6), np.arange(13), 5, rng)
    assert sorted(rows.size for rows in uneven) == [2, 2, 3, 3, 3]


def test_fisher_information_is_kanitscheiders():
    rng = np.random.default_rng(2)
    t, n, ds = 40, 12, 0.5
    mixing = rng.normal(size=(n, n)) / 3 + np.eye(n)
    x1, x2 = rng.normal(size=(t, n)) @ mixing, rng.normal(size=(t, n)) @ mixing + 0.3
    found = linear_fisher_information(x1, x2, ds)
    s = (np.cov(x1.T) + np.cov(x2.T)) / 2
    delta = (x2.mean(axis=0) - x1.mean(axis=0)) / ds
    naive = delta @ np.linalg.solve(s, delta)
    assert found.naive == pytest.approx(naive)
    assert found.value == pytest.approx(naive * (2 * t - n - 3) / (2 * t - 2) - 2 * n / (t * ds**2))
    alone = delta**2 / np.diag(s)
    assert found.naive_shuffled == pytest.approx(alone.sum())
    assert found.shuffled == pytest.approx(alone.sum() * (2 * t - 4) / (2 * t - 2) - 2 * n / (t * ds**2))
    # an invertible change of units changes nothing but the shuffled one; ds is the unit
    turned = linear_fisher_information(x1 @ mixing * 1e6, x2 @ mixing * 1e6, ds)
    assert turned.value == pytest.approx(found.value, rel=1e-6)
    assert turned.ci_low == pytest.approx(found.ci_low, rel=1e-5, abs=1e-8)
    assert turned.shuffled != pytest.approx(found.shuffled, rel=1e-2)
    assert linear_fisher_information(x1, x2, 2 * ds).value == pytest.approx(found.value / 4)
    assert found.ci_low < found.value < found.ci_high


def test_fisher_information_is_unbiased_and_its_interval_holds_the_truth():
    rng = np.random.default_rng(3)
    inside = reject = 0
    values = []
    for _ in range(300):
        found = linear_fisher_information(rng.normal(size=(20, 6)), rng.normal(size=(25, 6)) + 0.3, 1.0)
        values.append(found.value)
        inside += found.ci_low <= 6 * 0.09 <= found.ci_high
        null = linear_fisher_information(rng.normal(size=(20, 6)), rng.normal(size=(25, 6)), 1.0)
        reject += null.p <= 0.05
    assert abs(np.mean(values) - 0.54) < 4 * np.std(values) / np.sqrt(300)
    assert 0.91 <= inside / 300 <= 0.98
    assert reject / 300 <= 0.09


def test_left_out_trials_of_the_shuffled_information_are_those_left_out():
    from consilience.stats._fisher_information import _left_out

    rng = np.random.default_rng(4)
    x1, x2 = rng.normal(size=(9, 3)), rng.normal(size=(7, 3)) + 1
    first, second = _left_out(x1, x2)
    for k in (0, 4):
        assert first[k] == pytest.approx(linear_fisher_information(np.delete(x1, k, 0), x2, 1.0).shuffled)
        assert second[k] == pytest.approx(linear_fisher_information(x1, np.delete(x2, k, 0), 1.0).shuffled)


def test_fisher_information_refuses_what_it_cannot_do():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(10, 30))
    with pytest.raises(cs.InputError, match=r"30 units need more than 33 trials in all, got 10 \+ 10"):
        linear_fisher_information(x, x, 1.0)
    y = rng.normal(size=(40, 4))
    for given, said in (
        (np.where(np.arange(4) == 2, 1.0, y), r"1 of 4 units do not vary .*unit 2"),
        (np.column_stack([y, y[:, 0]]), r"no inverse \(some are copies"),
        (np.where(np.arange(160).reshape(40, 4) == 5, np.nan, y), r"NaN"),
    ):
        with pytest.raises(cs.InputError, match=said):
            linear_fisher_information(given, given, 1.0)
    with pytest.raises(cs.InputError, match=r"same units, got 4 and 3"):
        linear_fisher_information(y, y[:, :3], 1.0)
    with pytest.raises(cs.InputError, match=r"ds must be a number"):
        linear_fisher_information(y, y, 0.0)
    before = y.copy()
    found = linear_fisher_information(y.astype(np.float32), (y + 1).astype(np.float32), 1.0)
    assert found.value == pytest.approx(linear_fisher_information(y, y + 1, 1.0).value, rel=1e-4)
    np.testing.assert_array_equal(y, before)


def test_a_share_of_one_that_rounding_missed_has_an_interval():
    for value in (1.0, 1 - 1e-16, 0.9999999999999998):
        low, high = proportion_interval(np.array(value), np.array(1e-30), items=40, level=0.95, df=39)
        assert 0.85 < low < 0.95
        assert high <= 1.0
