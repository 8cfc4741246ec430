"""Information between units and labels: direct sums, published values, exact truths, chance, coverage."""

import numpy as np
import pytest
from scipy.stats import poisson

import consilience as cs
from consilience.units._mutual_information import CORRECTIONS
from consilience.units._tables import bayesian_count

info = cs.units.mutual_information


def entropy(p):
    return float(-(p * np.log2(np.where(p > 0, p, 1.0))).sum())


def exact(means):
    """Bits in one Poisson count about which of the equally frequent means it has."""
    rows = poisson.pmf(np.arange(200), np.asarray(means, dtype=float)[:, None])
    return entropy(rows.mean(axis=0)) - np.mean([entropy(row) for row in rows])


def tuned(mean, depth, trials=10, units=200, seed=0, classes=8):
    labels = np.repeat(np.arange(classes), trials)
    means = mean * (1 + depth * np.cos(2 * np.pi * np.arange(classes) / classes))
    counts = np.random.default_rng(seed).poisson(means[labels], size=(units, labels.size)).T
    return counts, labels, exact(means)


def plain(x, labels):
    """The equation, cell by cell."""
    total = 0.0
    for s in np.unique(labels):
        for r in np.unique(x):
            joint = np.mean((x == r) & (labels == s))
            if joint:
                total += joint * np.log2(joint / np.mean(x == r) / np.mean(labels == s))
    return total


def test_plain_value_is_the_equation():
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "c"], size=60, p=[0.2, 0.3, 0.5])
    x = rng.poisson(3, size=(60, 7))
    found = info(x, labels, correction="none", method="counts", n_perm=0)
    np.testing.assert_allclose(found.value, [plain(column, labels) for column in x.T])
    np.testing.assert_allclose(found.counted["plain"], found.value)
    share = np.unique(labels, return_counts=True)[1] / 60
    np.testing.assert_allclose(found.counted["entropy"], entropy(share))
    np.testing.assert_array_equal(found.counted["values"], [np.unique(column).size for column in x.T])


def test_a_binary_symmetric_channel():
    labels = np.repeat([0, 1], 5000)
    x = labels.copy()
    x[:550], x[5000:5550] = 1, 0  # wrong in 0.11
    truth = 1 - entropy(np.array([0.11, 0.89]))
    for correction in CORRECTIONS:
        assert info(x[:, None], labels, correction=correction, n_perm=0).value[0] == pytest.approx(
            truth, abs=0.002
        )


def test_a_noiseless_channel_gives_the_entropy():
    labels = np.repeat(np.arange(4), [10, 10, 20, 40])
    found = info(np.stack([labels, 3.0 * labels], axis=1), labels, n_perm=100)
    np.testing.assert_allclose(found.value, found.counted["entropy"])
    np.testing.assert_allclose(found.counted["entropy"], 1.75)
    assert (found.p == 1 / 101).all()


@pytest.mark.parametrize(
    ("n", "expected"), [(100000, 5), (50, 5), (30, 6), (12, 7), (10, 8), (8, 9), (7, 10)]
)
def test_bayesian_count_has_the_published_values(n, expected):
    """The cases with which the authors' own code is checked: probabilities of 0.1, 0.2, 0.2, 0.1 and 0.4 of 10."""
    counts = np.array([[0, 0, 1, 2, 0, 0, 0, 2, 1, 4]]) / 10 * n
    assert bayesian_count(counts, np.array([10]))[0] == expected


def test_panzeri_treves_is_its_equation():
    counts, labels, _ = tuned(4, 0.6, units=12)
    found = info(counts, labels, correction="panzeri_treves", method="counts", n_perm=0)
    for u, column in enumerate(counts.T):
        values = np.unique(column)
        relevant = sum(
            bayesian_count(
                np.array([[np.sum(column[labels == s] == r) for r in values]]), np.array([values.size])
            )[0]
            - 1
            for s in range(8)
        )
        bias = max(0, relevant - (values.size - 1)) / (2 * 80 * np.log(2))
        assert found.value[u] == pytest.approx(plain(column, labels) - bias)


def test_miller_madow_counts_the_values_seen():
    counts, labels, _ = tuned(4, 0.6, units=3)
    found = info(counts, labels, correction="miller_madow", method="counts", n_perm=0)
    for u, column in enumerate(counts.T):
        seen = sum(np.unique(column[labels == s]).size - 1 for s in range(8)) - (np.unique(column).size - 1)
        assert found.value[u] == pytest.approx(plain(column, labels) - seen / (160 * np.log(2)))


@pytest.mark.parametrize("mean", [1, 5, 20])
def test_an_untuned_unit_gives_nothing(mean):
    counts, labels, truth = tuned(mean, 0.0)
    found = info(counts, labels, n_perm=200)
    assert truth == pytest.approx(0, abs=1e-12)
    assert found.counted["plain"].mean() > 0.2
    assert abs(found.value.mean()) < 4 * found.value.std() / np.sqrt(200)
    assert np.mean(found.p <= 0.05) < 0.1
    np.testing.assert_allclose(found.null_mean, 0, atol=1e-12)
    assert 0.9 < np.mean((found.ci_low <= 0) & (found.ci_high >= 0)) <= 1


@pytest.mark.parametrize(
    ("mean", "depth", "off"), [(1, 1, 0.03), (5, 0.6, 0.05), (5, 1, 0.08), (20, 0.5, 0.1), (20, 1, 0.08)]
)
def test_a_tuned_unit_gives_what_it_has(mean, depth, off):
    counts, labels, truth = tuned(mean, depth)
    found = info(counts, labels, n_perm=100)
    assert found.value.mean() == pytest.approx(truth, abs=off)
    assert np.mean((found.ci_low <= truth) & (found.ci_high >= truth)) > 0.9


def test_many_trials_need_no_correction():
    counts, labels, truth = tuned(5, 0.6, trials=1000, units=3)
    for correction in CORRECTIONS:
        found = info(counts, labels, correction=correction, method="counts", n_perm=0)
        np.testing.assert_allclose(found.value, truth, atol=0.04)


def test_values_may_be_renamed_but_not_mixed_up():
    counts, labels, _ = tuned(3, 0.8, units=3)
    one = info(counts, labels, method="counts", n_perm=50)
    renamed = np.array(list("hgfedcba"))[labels]
    two = info(counts.max() - counts, renamed, method="counts", n_perm=50)
    np.testing.assert_allclose(one.counted["plain"], two.counted["plain"])
    assert not np.allclose(
        one.counted["plain"], info(counts // 2, labels, n_perm=50).counted["plain"], atol=1e-3
    )


def test_numbers_are_binned_with_equal_filling():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 200)
    x = rng.normal(size=(400, 2)) + np.array([2.0, 0.0]) * labels[:, None]
    found = info(x, labels, bins=4, n_perm=100)
    edges = np.quantile(x[:, 0], [0.25, 0.5, 0.75])
    assert found.counted["plain"][0] == pytest.approx(plain(np.searchsorted(edges, x[:, 0]), labels))
    assert found.value[0] > 0.3
    assert abs(found.value[1]) < 0.05
    np.testing.assert_allclose(
        info(np.exp(x), labels, bins=4, n_perm=100).value, found.value
    )  # any order-keeping change of scale
    assert (info(x, labels, n_perm=0).counted["values"] == 14).all()  # the root of 200


def test_units_do_not_depend_on_their_neighbours():
    counts, labels, _ = tuned(5, 0.6, units=6)
    every = info(counts, labels, n_perm=50)
    alone = info(counts[:, 3:4], labels, n_perm=50)
    for key in ("value", "ci_low", "p", "null_mean"):
        np.testing.assert_allclose(getattr(every, key)[3], getattr(alone, key)[0])


def test_types_do_not_matter_and_inputs_stay():
    counts, labels, _ = tuned(5, 0.6, units=2)
    kept = counts.copy()
    one = info(counts, labels, n_perm=20).value
    for kind in (np.float32, np.int16, ">f8", np.uint8):
        np.testing.assert_allclose(info(counts.astype(kind), labels.astype(str), n_perm=20).value, one)
    np.testing.assert_array_equal(counts, kept)
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(info(torch.tensor(counts), labels, n_perm=20).value, one)


def test_silent_units_tell_nothing():
    counts, labels, _ = tuned(5, 0.6, units=3)
    counts[:, 1] = 0
    with pytest.warns(cs.ConsilienceWarning, match=r"silent-units.*1 of 3 units.*tell nothing"):
        found = info(counts, labels, n_perm=20)
    assert found.value[1] == 0
    assert found.p[1] == 1
    assert found.ci_low[1] == found.ci_high[1] == 0


@pytest.mark.parametrize(
    ("x", "labels", "options", "text"),
    [
        (np.ones((8, 2)), np.zeros(8), {}, "at least 2 different labels"),
        (np.ones((8, 2)), np.arange(8), {}, "8 of 8 have one"),
        (np.ones((8, 2)), np.arange(7), {}, "one label per trial"),
        (np.full((8, 2), np.nan), np.arange(8) % 2, {}, "NaN"),
        (np.ones((6, 2)), np.arange(6) % 2, {"correction": "quadratic"}, "at least 4 of every label"),
        (np.ones((8, 2)), np.arange(8) % 2, {"correction": "panzeri"}, "Did you mean 'panzeri_treves'"),
        (np.ones((8, 2)), np.arange(8) % 2, {"bins": 1}, "bins must be a whole number, at least 2"),
        (np.ones((8, 2)), np.arange(8) % 2, {"method": "ksg"}, "method must be one of"),
    ],
)
def test_bad_input(x, labels, options, text):
    with pytest.raises(cs.InputError, match=text):
        info(x, labels, **options)
