"""Shapley values and interactions against closed forms and the definition itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import consilience as cs
from consilience.stats import all_coalitions, shapley_interactions, shapley_values


def by_definition(v, n):
    """Mean contribution over all n! orders."""
    out = np.zeros(n)
    for order in itertools.permutations(range(n)):
        present = np.zeros(n, dtype=bool)
        before = v(present)
        for i in order:
            present[i] = True
            after = v(present)
            out[i] += after - before
            before = after
    return out / math.factorial(n)


def voting(weights, quota):
    """Shapley-Shubik index by counting coalitions of each size and weight (Mann & Shapley 1962)."""
    n, out = len(weights), []
    for i in range(n):
        count = np.zeros((n, sum(weights) + 1))
        count[0, 0] = 1
        for j, w in enumerate(weights):
            if j != i:
                for size in range(n - 2, -1, -1):
                    count[size + 1, w:] += count[size, : count.shape[1] - w]
        swings = count[:, max(0, quota - weights[i]) : quota].sum(axis=1)
        out.append(
            sum(
                math.factorial(k) * math.factorial(n - k - 1) / math.factorial(n) * swings[k]
                for k in range(n)
            )
        )
    return np.array(out)


def test_any_game_by_its_definition():
    values = np.random.default_rng(0).normal(size=32)
    found = shapley_values(values)
    np.testing.assert_allclose(
        found, by_definition(lambda s: values[(s << np.arange(5)).sum()], 5), atol=1e-12
    )
    assert found.sum() == pytest.approx(values[-1] - values[0])


def test_additive_game_gives_the_weights_and_no_interaction():
    a = np.array([3.0, -1.0, 0.5, 0.0])
    values = all_coalitions(4) @ a
    np.testing.assert_allclose(shapley_values(values), a, atol=1e-12)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(shapley_interactions(values)[off], 0, atol=1e-12)


def test_unanimity_game_is_shared_by_its_members():
    values = all_coalitions(7)[:, [1, 4, 6]].all(axis=1)
    expected = np.zeros(7)
    expected[[1, 4, 6]] = 1 / 3
    found = shapley_values(values)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found[[0, 2, 3, 5]] == 0).all()  # dummies exactly
    pairs = shapley_interactions(values)
    assert pairs[1, 4] == pytest.approx(1 / 2)  # 1 / (members - 1)
    assert pairs[0, 1] == 0


def test_glove_game():
    members = all_coalitions(3)
    np.testing.assert_allclose(
        shapley_values(np.minimum(members[:, :2].sum(1), members[:, 2])), [1 / 6, 1 / 6, 2 / 3]
    )


def test_airport_game_closed_form():
    """The cost of the largest plane: phi_i = sum_{k <= i} (c_k - c_{k-1}) / (n - k + 1) (Littlechild & Owen 1973)."""
    cost = np.array([1.0, 2.5, 2.5, 4.0, 9.0, 10.0])
    steps = np.diff(np.concatenate([[0], cost])) / np.arange(len(cost), 0, -1)
    values = (all_coalitions(6) * cost).max(axis=1)
    np.testing.assert_allclose(shapley_values(values), np.cumsum(steps), atol=1e-12)


@pytest.mark.parametrize(("weights", "quota"), [([4, 3, 2, 1, 1], 6), ([1] * 7, 4), ([5, 1, 1, 1, 1, 1], 6)])
def test_weighted_voting_by_dynamic_programming(weights, quota):
    values = all_coalitions(len(weights)) @ weights >= quota
    np.testing.assert_allclose(shapley_values(values), voting(weights, quota), atol=1e-12)


def test_security_council():
    """15 members, 5 with a veto, 9 votes: 0.1963 for those with a veto, 0.001865 for the others."""
    members = all_coalitions(15)
    found = shapley_values(members[:, :5].all(axis=1) & (members.sum(axis=1) >= 9))
    np.testing.assert_allclose(found[:5], 421 / 2145, atol=1e-12)
    np.testing.assert_allclose(found[5:], 4 / 2145, atol=1e-12)


def test_quadratic_game_has_its_products_as_interactions():
    rng = np.random.default_rng(1)
    b, products = rng.normal(size=6), np.triu(rng.normal(size=(6, 6)), 1)
    x = all_coalitions(6).astype(float)
    values = 2 + x @ b + np.einsum("si,ij,sj->s", x, products, x)
    both = products + products.T
    np.testing.assert_allclose(shapley_values(values), b + both.sum(axis=1) / 2, atol=1e-12)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(shapley_interactions(values)[off], both[off], atol=1e-12)


def test_symmetric_players_are_equal_and_labels_do_not_matter():
    rng = np.random.default_rng(2)
    members = all_coalitions(5)
    values = rng.normal(size=6)[members.sum(axis=1)]
    assert np.ptp(shapley_values(values)) < 1e-12
    uneven = rng.normal(size=32)
    order = rng.permutation(5)
    moved = uneven[(members[:, order] << np.arange(5)).sum(axis=1)]  # player order[k] plays the part of k
    np.testing.assert_allclose(shapley_values(moved)[order], shapley_values(uneven), atol=1e-12)
    assert np.ptp(shapley_values(uneven)) > 1e-3


def test_each_stimulus_has_values_of_its_own():
    values = np.random.default_rng(3).normal(size=(16, 5))
    found = shapley_values(values)
    np.testing.assert_allclose(found.mean(axis=1), shapley_values(values.mean(axis=1)), atol=1e-12)
    assert shapley_interactions(values).shape == (4, 4, 5)


@pytest.mark.parametrize("values", [np.zeros(6), np.zeros(1), np.float64(1.0)])
def test_what_is_no_game_is_refused(values):
    with pytest.raises(cs.InputError, match="all 2\\^P coalitions") as caught:
        shapley_values(values)
    assert caught.value.code == "bad-shape"


def test_missing_coalitions_are_refused():
    with pytest.raises(cs.InputError, match="1 values are NaN"):
        shapley_interactions(np.array([0, 1, 2, np.nan]))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32, ">f8"])
def test_types(dtype):
    values = (all_coalitions(4).sum(axis=1) > 2).astype(dtype)
    values.flags.writeable = False
    np.testing.assert_allclose(shapley_values(values), 0.25, atol=1e-7)


def test_one_pair_is_that_of_all_pairs_and_single_contributions_are_the_ends():
    from consilience.stats._shapley import shapley_interaction, single_contributions

    values = np.random.default_rng(0).normal(size=(32, 3))
    every = shapley_interactions(values)
    for i, j in itertools.permutations(range(5), 2):
        np.testing.assert_allclose(shapley_interaction(values, i, j), every[i, j], atol=1e-12)
    single, alone = single_contributions(values)
    np.testing.assert_allclose(single[1], values[0b11111] - values[0b11101])
    np.testing.assert_allclose(alone[3], values[0b01000] - values[0])
