"""Optimal transport against an assignment, a linear programme, POT, and its own dual."""

import itertools

import numpy as np
import pytest

from consilience._core._errors import InputError
from consilience.linalg import sinkhorn, transport


def costs(p, q, seed=0):
    return np.random.default_rng(seed).random((p, q))


@pytest.mark.parametrize(("p", "q"), [(6, 6), (12, 4), (7, 5), (1, 3), (40, 30)])
def test_exact_plans_cost_the_same_by_both_roads_and_keep_the_masses(p, q):
    cost = costs(p, q)
    one = transport(cost)
    two = transport(cost, np.full(p, 1 / p), np.full(q, 1 / q), method="exact")
    assert one.cost == pytest.approx(two.cost, abs=1e-10)
    for found in (one, two):
        np.testing.assert_allclose(found.plan.sum(axis=1), 1 / p, atol=1e-12)
        np.testing.assert_allclose(found.plan.sum(axis=0), 1 / q, atol=1e-12)
        assert found.plan.min() >= 0
        assert found.gap == 0


def test_the_best_of_all_permutations():
    cost = costs(5, 5, 3)
    best = min(sum(cost[i, m[i]] for i in range(5)) / 5 for m in itertools.permutations(range(5)))
    assert transport(cost).cost == pytest.approx(best, abs=1e-14)


def test_sinkhorn_states_a_gap_that_holds():
    cost = costs(60, 45, 1)
    exact = transport(cost).cost
    found = transport(cost, method="sinkhorn", tolerance=1e-3)
    assert found.bound - 1e-12 <= exact <= found.cost + 1e-12
    assert 0 < found.gap <= 1e-3
    np.testing.assert_allclose(found.plan.sum(axis=1), 1 / 60, atol=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=0), 1 / 45, atol=1e-12)


def test_masses_of_zero_take_part_in_no_plan():
    a, b = np.array([0.5, 0.0, 0.5]), np.array([0.25, 0.75])
    for method in ("exact", "sinkhorn"):
        found = transport(costs(3, 2), a, b, method=method)
        assert found.plan[1].sum() == 0
        np.testing.assert_allclose(found.plan.sum(axis=0), b, atol=1e-9)


def test_entropic_plan_is_the_fixed_point_even_where_its_kernel_would_vanish():
    a, b = np.full(8, 1 / 8), np.full(5, 1 / 5)
    cost = 100 * costs(8, 5)
    plan, f, g = sinkhorn(cost, a, b, epsilon=0.05, tolerance=1e-12, max_iterations=100_000)
    np.testing.assert_allclose(plan.sum(axis=0), b, atol=1e-11)
    np.testing.assert_allclose(plan.sum(axis=1), a, atol=1e-10)
    np.testing.assert_allclose(plan, np.exp((f[:, None] + g - cost) / 0.05), atol=1e-12)


def test_pot_agrees():
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(0)
    a, b, cost = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(20)), rng.random((30, 20))
    assert transport(cost, a, b).cost == pytest.approx(ot.emd2(a, b, cost), abs=1e-8)
    assert transport(cost).cost == pytest.approx(ot.emd2([], [], cost), abs=1e-8)
    theirs = ot.sinkhorn(a, b, cost, 0.01, method="sinkhorn_log", numItermax=100_000, stopThr=1e-13)
    ours = sinkhorn(cost, a, b, epsilon=0.01, tolerance=1e-13, max_iterations=100_000)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("masses", [([0.5, 0.6], [0.5, 0.5]), ([1.5, -0.5], [0.5, 0.5]), ([1.0], [0.5, 0.5])])
def test_masses_that_do_not_fit_are_refused(masses):
    with pytest.raises(InputError, match="transport: masses must be 2 and 2 numbers >= 0 of one sum"):
        transport(np.zeros((2, 2)), *map(np.array, masses))
