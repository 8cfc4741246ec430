"""Optimal transport between few or many units: exact where it can be, with a stated gap where it cannot."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment, linprog

from consilience._core._errors import InputError
from consilience._core._params import check_option
from consilience.linalg._sinkhorn import sinkhorn

__all__ = ["Transport", "transport"]

_COPIES = 1_200  # equal shares of mass up to which a plan is found as an assignment
_VARIABLES = 40_000  # entries of a plan up to which the linear programme is solved


class Transport(NamedTuple):
    """plan : (p, q) mass from i to j.   cost : sum of plan times cost.   bound : no plan costs less (from the dual)."""

    plan: np.ndarray
    cost: float
    bound: float

    @property
    def gap(self) -> float:
        """How much the cost may lie above the least one; 0 = exact."""
        return self.cost - self.bound


def transport(
    cost: np.ndarray,
    a: np.ndarray | None = None,
    b: np.ndarray | None = None,
    *,
    method: Literal["auto", "exact", "sinkhorn"] = "auto",
    tolerance: float = 1e-4,
) -> Transport:
    """The plan that moves masses ``a`` onto masses ``b`` at the least total cost (Kantorovich).

    min sum P_ij C_ij, P >= 0, rows summing to a, columns to b. With equal masses, as an assignment of equal
    shares; else, up to 40000 entries, as a linear programme (HiGHS); above that by Sinkhorn iterations with
    epsilon falling until the gap to the dual bound is below ``tolerance`` of the range of the cost, after which
    the plan is rounded to exact marginals (Altschuler et al. 2017).

    Parameters
    ----------
    cost : (p, q).   a : (p,), b : (q,) of one sum; None = 1/p, 1/q.
    method : "exact" never goes to Sinkhorn, "sinkhorn" always.

    Returns
    -------
    Transport (plan, cost, bound), ``.gap``

    Raises
    ------
    InputError : masses that are negative or do not have one sum.

    Examples
    --------
    >>> import numpy as np
    >>> from consilience.linalg import transport
    >>> found = transport(np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))
    >>> round(found.cost, 6), found.gap
    (0.166667, 0.0)
    """
    check_option(method, ("auto", "exact", "sinkhorn"), name="method", who="transport")
    p, q = cost.shape
    uniform = a is None and b is None
    a = np.full(p, 1 / p) if a is None else np.asarray(a, dtype=np.float64)
    b = np.full(q, 1 / q) if b is None else np.asarray(b, dtype=np.float64)
    if a.shape != (p,) or b.shape != (q,) or min(a.min(), b.min()) < 0 or abs(a.sum() - b.sum()) > 1e-9:
        raise InputError(
            f"transport: masses must be {p} and {q} numbers >= 0 of one sum, got shapes {a.shape} and {b.shape} "
            f"with sums {a.sum():g} and {b.sum():g}.",
            code="bad-parameter",
        )
    if method == "sinkhorn":
        return _approximate(cost, a, b, tolerance)
    if uniform and (p == q or math.lcm(p, q) <= _COPIES):
        return _assigned(cost)
    if method == "exact" or p * q <= _VARIABLES:
        return _programme(cost, a, b)
    return _approximate(cost, a, b, tolerance)


def _assigned(cost: np.ndarray) -> Transport:
    """Equal masses: each unit is as many copies as make equal shares of both sides."""
    p, q = cost.shape
    shares = math.lcm(p, q)
    rows, columns = linear_sum_assignment(np.repeat(np.repeat(cost, shares // p, 0), shares // q, 1))
    plan = np.zeros((p, q))
    np.add.at(plan, (rows * p // shares, columns * q // shares), 1 / shares)
    total = float(np.sum(plan * cost))
    return Transport(plan, total, total)


def _programme(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> Transport:
    p, q = cost.shape
    rows = sparse.kron(sparse.eye(p), np.ones((1, q)))
    columns = sparse.kron(np.ones((1, p)), sparse.eye(q))
    # one constraint follows from the others; leaving it out spares the solver rounding of the two sums
    equal = sparse.vstack([rows, columns], format="csr")[:-1]
    found = linprog(
        cost.ravel(), A_eq=equal, b_eq=np.concatenate([a, b])[:-1], bounds=(0, None), method="highs"
    )
    if found.status != 0:
        raise InputError(f"transport: the linear programme was not solved: {found.message}", code="bad-input")
    plan = found.x.reshape(p, q)
    total = float(np.sum(plan * cost))
    return Transport(plan, total, total)


def _approximate(cost: np.ndarray, a: np.ndarray, b: np.ndarray, tolerance: float) -> Transport:
    span = max(float(np.ptp(cost)), 1e-300)
    here, there = a > 0, b > 0
    c, left, right = cost[here][:, there], a[here], b[there]
    potentials = None
    best: Transport | None = None
    epsilon = span / 4
    for _ in range(12):
        kept, f, g = sinkhorn(
            c, left, right, epsilon=epsilon, tolerance=1e-4, max_iterations=500, start=potentials
        )
        potentials = f, g
        plan = np.zeros_like(cost)
        plan[np.ix_(here, there)] = _rounded(kept, left, right)
        # what one side's potentials allow the other is a feasible dual, so its value is a lower bound
        g = (c - f[:, None]).min(axis=0)
        f = (c - g[None, :]).min(axis=1)
        found = Transport(plan, float(np.sum(plan * cost)), float(left @ f + right @ g))
        if best is None:
            best = found
        cheaper = min(best, found, key=lambda one: one.cost)
        best = Transport(cheaper.plan, cheaper.cost, max(best.bound, found.bound))
        if best.gap <= tolerance * span:
            break
        epsilon /= 3
    assert best is not None
    return best


def _rounded(plan: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A plan of nearly the right sums, made exact (Altschuler et al. 2017, algorithm 2)."""
    plan = plan * np.minimum(a / np.maximum(plan.sum(axis=1), 1e-300), 1.0)[:, None]
    plan = plan * np.minimum(b / np.maximum(plan.sum(axis=0), 1e-300), 1.0)[None, :]
    short, lacking = a - plan.sum(axis=1), b - plan.sum(axis=0)
    missing = short.sum()
    return plan + np.outer(short, lacking) / missing if missing > 1e-300 else plan
