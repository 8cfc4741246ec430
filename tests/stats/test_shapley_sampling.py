"""Random orders: unbiased, with intervals that hold when sampling stops early."""

from __future__ import annotations

import numpy as np
import pytest

from consilience.stats import all_coalitions, shapley_interactions, shapley_values
from consilience.stats._shapley_sampling import (
    ShapleySums,
    chains,
    contributions,
    look_sizes,
    pair_coalitions,
    pair_effects,
    random_orders,
)

P = 8


def played(values, sets, rng):
    """(sets, P, n) from a table (2^P, n)."""
    orders = random_orders(P, sets, rng).reshape(-1, P)
    rows = (chains(orders) << np.arange(P)).sum(axis=2)
    ends = [np.broadcast_to(values[k], (len(orders), 1, values.shape[1])) for k in (0, -1)]
    grown = np.concatenate([ends[0], values[rows], ends[1]], axis=1)
    return contributions(grown, orders).reshape(sets, 4, P, -1).mean(axis=1)


def test_orders_are_orders_and_coalitions_grow():
    orders = random_orders(P, 5, np.random.default_rng(0))
    assert (np.sort(orders, axis=2) == np.arange(P)).all()
    assert (orders[:, 2] == orders[:, 0, ::-1]).all()
    present = chains(orders[:, 0])
    assert (present.sum(axis=2) == np.arange(1, P)).all()
    assert all(present[k, i, orders[k, 0, i]] for k in range(5) for i in range(P - 1))


def test_unbiased():
    values = np.random.default_rng(1).normal(size=(2**P, 1))
    one = played(values, 4000, np.random.default_rng(2))[..., 0]
    z = (one.mean(axis=0) - shapley_values(values)[:, 0]) / (one.std(axis=0, ddof=1) / np.sqrt(len(one)))
    assert np.abs(z).max() < 4


def test_backwards_takes_out_pairs_and_not_triples():
    x = all_coalitions(P).astype(float)
    rng = np.random.default_rng(3)
    pairs = (x @ rng.normal(size=P) + np.einsum("si,ij,sj->s", x, rng.normal(size=(P, P)), x))[:, None]
    np.testing.assert_allclose(played(pairs, 1, rng)[0], shapley_values(pairs), atol=1e-10)
    triple = (x[:, 0] * x[:, 1] * x[:, 2])[:, None]
    assert np.abs(played(triple, 1, rng)[0] - shapley_values(triple)).max() > 0.01


def test_efficiency_holds_for_every_set():
    values = np.random.default_rng(4).normal(size=(2**P, 3))
    one = played(values, 6, np.random.default_rng(5))
    np.testing.assert_allclose(one.sum(axis=1), np.broadcast_to(values[-1] - values[0], (6, 3)), atol=1e-12)


def test_sums_are_those_of_the_two_way_table():
    rng = np.random.default_rng(6)
    z = rng.normal(size=(12, 2, 7)) + rng.normal(size=(12, 2, 1)) + rng.normal(size=(1, 2, 7)) + 1e4
    members = np.array([[True] * 7, [True, True, True, False, False, False, False]])
    sums = ShapleySums(2, members)
    for part in np.split(z, [3, 8]):
        sums.add(part)
    found = sums.estimate(0.95)
    for k, chosen in enumerate(members):
        part = z[:, :, chosen]
        m, _, n = part.shape
        rows, columns, middle = part.mean(2, keepdims=True), part.mean(0, keepdims=True), part.mean((0, 2))
        a = n * ((rows - middle[None, :, None]) ** 2).sum((0, 2)) / (m - 1)
        b = m * ((columns - middle[None, :, None]) ** 2).sum((0, 2)) / (n - 1)
        rest = ((part - rows - columns + middle[None, :, None]) ** 2).sum((0, 2)) / ((m - 1) * (n - 1))
        np.testing.assert_allclose(found.value[:, k], middle, rtol=1e-12)
        np.testing.assert_allclose(found.se_sampling[:, k] ** 2, a / (m * n), rtol=1e-6)
        np.testing.assert_allclose(found.se_stimuli[:, k] ** 2, b / (m * n), rtol=1e-6)
        expected = np.maximum(a + b - rest, np.maximum(a, b)) / (m * n)
        np.testing.assert_allclose(found.se[:, k] ** 2, expected, rtol=1e-6)


def test_pairs_are_unbiased():
    values = np.random.default_rng(7).normal(size=(2**P, 1))
    rng = np.random.default_rng(8)
    masks = pair_coalitions(P, 1, 5, 3000, rng)
    effects = pair_effects(values[(masks << np.arange(P)).sum(axis=-1)])[:, 0]
    exact = shapley_interactions(values)[1, 5, 0]
    assert abs(effects.mean() - exact) < 4 * effects.std() / np.sqrt(3000)


def test_looks_double_up_to_the_budget():
    assert look_sizes(50) == [8, 16, 32, 50]
    assert look_sizes(8) == [8]
    assert look_sizes(5) == [5]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["all", "saturating", "step"])
def test_intervals_hold_when_sampling_stops_early(kind):
    """250 runs each, stopped at half-widths of 0.05 of v(all): 0.95 asked, 0.93 to 1 found for each game."""
    x = all_coalitions(P)
    w = np.arange(1, P + 1)
    values = {
        "all": x.all(axis=1).astype(float),
        "saturating": np.tanh(x @ w / 12.0),
        "step": (x @ w > 20).astype(float) + (x @ w > 32),
    }[kind][:, None]
    exact, wanted = shapley_values(values)[:, 0], 0.05 * values[-1, 0]
    rng, covered, early = np.random.default_rng(9), [], 0
    for _ in range(250):
        sums, looks = ShapleySums(P, np.ones((1, 1), dtype=bool)), look_sizes(128)
        for size in looks:
            sums.add(played(values, size - sums.sets, rng))
            found = sums.estimate(0.95, stopped=True)
            if found.half_sampling.max() <= wanted:
                early += size < 128
                break
        covered.append(np.abs(found.value[:, 0] - exact) <= found.half_sampling[:, 0])
    assert early > 0
    assert np.mean(covered) > 0.93


def test_goal_of_sampling_what_it_takes_and_tests_of_an_estimate():
    from consilience.stats._shapley_sampling import ShapleySums, coalitions_needed, sampling_goal

    none, whole = np.zeros((1, 4)), np.full((1, 4), 2.0)
    assert sampling_goal(None, none, whole, np.array([-3.0]), np.array([1.0])) == pytest.approx(0.06)
    assert sampling_goal(None, none, whole, np.array([1.0]), np.array([1.0])) == pytest.approx(0.04)
    assert sampling_goal(0.1, none, whole, np.array([1.0]), np.array([1.0])) == 0.1
    assert sampling_goal(0.0, none, whole, np.array([1.0]), np.array([1.0])) == 2e-12
    assert coalitions_needed(100, 0.2, 0.1) == 400
    assert np.isinf(coalitions_needed(100, 0.2, 0.0))
    each = np.random.default_rng(0).normal(size=(2, 30)) + np.array([[1.0], [0.0]])
    sums = ShapleySums(2, np.ones((1, 30), dtype=bool))
    sums.add(each[None])  # all orders: only stimuli vary
    found = sums.estimate(0.95)
    p, q = found.tested(0.95, stimuli=True)
    from scipy import stats

    wanted = stats.ttest_1samp(each, 0, axis=1)
    np.testing.assert_allclose(p[:, 0], wanted.pvalue)
    assert (q >= p).all()
    np.testing.assert_allclose(
        np.array(found.interval(stimuli=True))[..., 0], wanted.confidence_interval(0.95), atol=1e-12
    )
    assert np.isnan(found.tested(0.95, stimuli=False)[0]).all()
