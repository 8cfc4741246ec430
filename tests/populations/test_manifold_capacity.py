"""Capacity of manifolds: closed forms, one quadratic programme at a time, simulation, invariances, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize

import consilience as cs
from consilience.populations._clouds import of_anchors
from consilience.populations._cone_draws import multipliers, stacked_multipliers
from consilience.populations._simulated_capacity import separable

pops = cs.populations


def clouds(
    classes: int = 20, points: int = 15, units: int = 120, spread: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), points)
    x = rng.normal(size=(classes, units))[label] + spread * rng.normal(size=(label.size, units))
    return x, label


def one_programme(s: np.ndarray, t: np.ndarray, margin: float) -> float:
    return float(((primal(s, t, margin) - t) ** 2).sum())


def primal(s: np.ndarray, t: np.ndarray, margin: float) -> np.ndarray:
    """argmin ||v - t||^2 with s v >= margin, by a general solver."""
    found = optimize.minimize(
        lambda v: ((v - t) ** 2).sum(),
        t + s.mean(axis=0),
        jac=lambda v: 2 * (v - t),
        constraints={"type": "ineq", "fun": lambda v: s @ v - margin, "jac": lambda v: s},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    return found.x


@pytest.mark.parametrize(
    ("m", "axes", "margin"), [(8, 5, 0.0), (8, 5, 0.4), (30, 2, 0.0), (30, 2, 0.4), (6, 9, 0.0)]
)
def test_batched_programmes_equal_one_at_a_time(m, axes, margin):
    rng = np.random.default_rng(m + axes)
    s = np.c_[rng.normal(size=(m, axes)), np.ones(m)]
    t = rng.normal(size=(25, axes + 1))
    found = multipliers(s, margin - t @ s.T)
    assert (found >= 0).all()
    ours = ((found @ s) ** 2).sum(axis=1)
    assert np.allclose(ours, [one_programme(s, row, margin) for row in t], atol=1e-6)
    v = t + found @ s
    assert (v @ s.T >= margin - 1e-8).all()


@pytest.mark.parametrize(("m", "axes", "margin"), [(8, 5, 0.0), (8, 5, 0.4), (25, 2, 0.3), (6, 9, 0.0)])
def test_capacity_radius_and_dimension_are_those_of_the_published_equations(m, axes, margin):
    """Draw by draw, by a general solver: the anchor is (V - T) over its part along the centre where V is held away
    from T, and the point with the least projection where it is not.
    """
    rng = np.random.default_rng(m)
    own = 0.5 * rng.normal(size=(2, m, axes))
    own -= own.mean(axis=1, keepdims=True)
    t = rng.normal(size=(2, 40, axes + 1))
    found = of_anchors(own, t, margin, few=2, one_by_one=m > 20, like=own)
    for points, draws, ours in zip(own, t, found.T, strict=True):
        s, anchors, away = np.c_[points, np.ones(m)], [], []
        for row in draws:
            if (s @ row >= margin).all():
                anchors.append(points[(points @ row[:-1]).argmin()])
                away.append(0.0)
                continue
            v = primal(s, row, margin)
            anchors.append((v - row)[:-1] / (v - row)[-1])
            away.append(((v - row) ** 2).sum())
        held = np.array(anchors)
        radius = np.sqrt(((held - held.mean(axis=0)) ** 2).sum(axis=1).mean())
        unit = held / np.linalg.norm(held, axis=1, keepdims=True)
        dimension = ((draws[:, :-1] * unit).sum(axis=1) ** 2).mean()
        assert margin or m > 8 or min(away) == 0
        assert np.allclose(ours[:3], [np.mean(away), radius, dimension], rtol=2e-4)
        assert ours[3] == pytest.approx(np.var(away, ddof=1) / len(draws), rel=2e-4)


@pytest.mark.parametrize("points", [(8,) * 15, (5, 9) * 8])
def test_the_same_numbers_from_a_tensor(points):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(len(points)), points)
    x = rng.normal(size=(len(points), 40))[label] + rng.normal(size=(label.size, 40))
    one, two = (pops.manifold_capacity(z, label, n_perm=3, n_draws=60) for z in (x, torch.tensor(x)))
    for name in ("value", "radius", "dimension", "half_points", "null_mean", "draw_error"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), rel=1e-9), name
    assert np.allclose(two.each, one.each, rtol=1e-9)


@pytest.mark.gpu
def test_the_same_numbers_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x, label = clouds(classes=15, points=8, units=40)
    one, two = (
        pops.manifold_capacity(z, label, n_perm=3, n_draws=60) for z in (x, torch.tensor(x, device="cuda"))
    )
    assert np.allclose(two.each, one.each, rtol=1e-7)
    assert two.radius == pytest.approx(one.radius, rel=1e-7)


def test_clouds_solved_together_are_those_solved_alone():
    rng = np.random.default_rng(2)
    s = [np.c_[1.5 * rng.normal(size=(12, 9)), np.ones(12)] for _ in range(7)]
    t = rng.normal(size=(7, 30, 10))
    pressed = np.stack([0.2 - draws @ one.T for one, draws in zip(s, t, strict=True)])
    together = stacked_multipliers(np.stack([one @ one.T for one in s]), pressed, few=3)
    for one, b, found in zip(s, pressed, together, strict=True):
        assert np.allclose(found @ one, multipliers(one, b) @ one, atol=1e-8)


def test_copies_of_points_change_nothing():
    rng = np.random.default_rng(0)
    s = np.c_[rng.normal(size=(6, 8)), np.ones(6)]
    t = rng.normal(size=(40, 9))
    twice = np.concatenate([s, s, s[:2]])
    one, two = multipliers(s, -t @ s.T) @ s, multipliers(twice, -t @ twice.T) @ twice
    assert np.allclose(one, two, atol=1e-6)


def test_closed_forms():
    assert pops.ball_capacity(0.0, 7) == pytest.approx(2.0)
    for d in (1, 5, 40):
        assert pops.ball_capacity(np.inf, d) == pytest.approx(1 / (d + 0.5))
        assert pops.ball_capacity(1e4, d) == pytest.approx(1 / (d + 0.5), rel=1e-3)
    # Gardner: points with a margin
    by_integral = integrate.quad(lambda z: (z + 0.5) ** 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi), -0.5, 12)
    assert pops.ball_capacity(0.0, 3, margin=0.5) == pytest.approx(1 / by_integral[0])
    assert pops.ball_capacity(0.3, 5) > pops.ball_capacity(0.6, 5) > pops.ball_capacity(0.6, 10)


def test_ball_formula_equals_its_own_monte_carlo():
    rng, radius, d, k = np.random.default_rng(0), 0.7, 8, 0.3
    t0, r = rng.normal(size=400_000), np.sqrt(rng.chisquare(d, 400_000))
    f = np.where(t0 >= k - r / radius, (k + radius * r - t0) ** 2 / (1 + radius**2), (k - t0) ** 2 + r * r)
    f = np.where(t0 >= k + radius * r, 0, f)
    assert pops.ball_capacity(radius, d, margin=k) == pytest.approx(1 / f.mean(), rel=0.006)


def test_tight_clouds_are_points_and_wide_ones_reach_the_floor():
    x, label = clouds(spread=1e-4)
    found = pops.manifold_capacity(x, label, n_perm=0)
    assert found.ci_low < 2.1
    assert found.value == pytest.approx(2.0, rel=0.08)
    wide = pops.manifold_capacity(*clouds(spread=30.0, units=400), n_perm=5)
    assert wide.floor == pytest.approx(2 / 15)
    assert wide.value == pytest.approx(wide.floor, rel=0.15)
    assert wide.null_low < wide.value * 1.1


def test_dense_circles_are_balls_of_two_dimensions():
    rng, rows, label = np.random.default_rng(1), [], np.repeat(np.arange(40), 40)
    angle = np.arange(40) * 2 * np.pi / 40
    for _ in range(40):
        axes = np.linalg.qr(rng.normal(size=(300, 3)))[0].T
        rows.append(axes[0] + 0.8 * (np.cos(angle)[:, None] * axes[1] + np.sin(angle)[:, None] * axes[2]))
    found = pops.manifold_capacity(np.concatenate(rows), label, centres="keep", n_perm=0, n_draws=600)
    # the mean of all centres is taken off, so the radius is larger by (1 - 1/40)^(-1/2)
    radius = 0.8 / np.sqrt(1 - 1 / 40)
    assert found.value == pytest.approx(pops.ball_capacity(radius, 2), rel=0.04)
    assert found.dimension == pytest.approx(2.0, abs=0.1)


def test_theory_agrees_with_both_simulations_on_clouds_and_ellipsoids():
    x, label = clouds(classes=30, points=10, units=120, spread=1.0)
    long = np.random.default_rng(3)
    axes = np.geomspace(3, 0.05, 120)
    centres, along = long.normal(size=(30, 120))[label], long.normal(size=(300, 120)) * axes
    turns = [np.linalg.qr(long.normal(size=(120, 120)))[0] for _ in range(30)]
    own = np.concatenate([part @ turn for part, turn in zip(np.split(along, 30), turns)])
    for data in (x, centres + own):
        theory = pops.manifold_capacity(data, label, n_perm=0, centres="keep")
        cone = pops.simulated_capacity(data, label, n_dichotomies=40)
        bisected = pops.simulated_capacity(data, label, method="dichotomies", n_dichotomies=12)
        assert theory.value == pytest.approx(cone.value, rel=0.1)
        assert cone.value == pytest.approx(bisected.value, rel=0.12)
        assert cone.ci_low < bisected.ci_high
        assert bisected.ci_low < cone.ci_high
    # classes that spread along the same axes are sorted more easily than the theory, which gives each its own, says
    theory = pops.manifold_capacity(centres + along, label, n_perm=0, centres="keep")
    assert pops.simulated_capacity(centres + along, label, n_dichotomies=40).ci_low > 1.15 * theory.value


def test_points_have_capacity_two():
    x = np.random.default_rng(0).normal(size=(50, 60))
    for method in ("cone", "dichotomies"):
        found = pops.simulated_capacity(x, np.arange(50), method=method, n_dichotomies=60)
        assert found.value == pytest.approx(2.0, rel=0.1), method


def test_separability_is_that_of_a_linear_programme():
    rng, both = np.random.default_rng(0), []
    for n in range(1, 25):
        z = rng.normal(size=(24, n))
        solved = optimize.linprog(np.zeros(n), A_ub=-z, b_ub=-np.ones(24), bounds=(None, None))
        assert separable(z) == (solved.status == 0), n
        both.append(solved.status == 0)
    assert 0 < sum(both) < 24


def test_invariances_that_hold_and_those_that_do_not():
    x, label = clouds()
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(120, 120)))[0]
    value = pops.manifold_capacity(x, label, n_perm=0).value
    same = {
        "turned, moved, scaled": 7 * x @ turn + rng.normal(size=120),
        "silent units": np.c_[x, np.zeros((len(x), 30))],
    }
    for words, other in same.items():
        assert pops.manifold_capacity(other, label, n_perm=0).value == pytest.approx(value, rel=0.03), words
    names = np.array([f"class {c:02d}" for c in label])
    assert pops.manifold_capacity(x, names, n_perm=0).value == value
    order = rng.permutation(len(x))
    assert pops.manifold_capacity(x[order], label[order], n_perm=0).value == pytest.approx(value, rel=0.03)
    squeezed = x * np.r_[np.full(5, 20.0), np.ones(115)]
    assert abs(pops.manifold_capacity(squeezed, label, n_perm=0).value / value - 1) > 0.1


def test_axes_that_centres_share_are_taken_off():
    x, label = clouds(classes=30)
    shared = np.random.default_rng(8).normal(size=(30, 1)) * 4 @ np.ones((1, 120))
    plain = pops.manifold_capacity(x, label, n_perm=0)
    kept = pops.manifold_capacity(x + shared[label], label, n_perm=0, centres="keep")
    removed = pops.manifold_capacity(x + shared[label], label, n_perm=0)
    assert removed.axes_removed >= 1
    assert removed.centre_correlation[1] < 0.3 * removed.centre_correlation[0]
    assert removed.value == pytest.approx(plain.value, rel=0.06)
    assert kept.value > 1.5 * plain.value


def test_null_of_shuffled_classes_and_p():
    structured = pops.manifold_capacity(*clouds(), n_perm=19, n_draws=90)
    assert structured.p == pytest.approx(1 / 20)
    assert structured.null_high < structured.ci_low
    assert structured.null.shape == (19, 3)
    assert structured.half_points > structured.value
    x = np.random.default_rng(0).normal(size=(200, 60))
    none = pops.manifold_capacity(x, np.repeat(np.arange(20), 10), n_perm=19, n_draws=60)
    assert none.p > 0.05


@pytest.mark.slow
def test_interval_covers_the_capacity_of_classes_like_these():
    truth = np.mean(
        [1 / pops.manifold_capacity(*clouds(seed=1000 + s), n_perm=0, rng=s).value for s in range(60)]
    )
    hits = 0
    for s in range(100):
        found = pops.manifold_capacity(*clouds(seed=s), n_perm=0, n_draws=100, rng=s)
        hits += found.ci_low <= 1 / truth <= found.ci_high
    assert hits >= 88


def test_ends_are_possible_of_few_and_unlike_classes_and_the_smallest_is_named():
    rng = np.random.default_rng(0)
    label = np.repeat(["a", "b", "c", "d"], (30, 3, 5, 12))
    x = rng.normal(size=(4, 40))[np.unique(label, return_inverse=True)[1]] + rng.normal(size=(50, 40))
    with pytest.warns(cs.ConsilienceWarning, match="of 3 to 30 points, 'b' the smallest"):
        found = pops.manifold_capacity(x, label, n_perm=0)
    assert 0 < found.ci_low < found.value < found.ci_high < np.inf
    assert 0 < found.radius_low < found.radius < found.radius_high
    assert 0 < found.dimension_low < found.dimension < found.dimension_high


def test_few_classes_warn_and_points_not_separable_warn():
    x, label = clouds(classes=6)
    with pytest.warns(cs.ConsilienceWarning, match="6 classes") as seen:
        pops.manifold_capacity(x, label, n_perm=0)
    assert seen[0].message.code == "few-classes"
    x, label = clouds(classes=6, points=30, units=4, spread=3.0)
    for method in ("cone", "dichotomies"):
        with pytest.warns(cs.ConsilienceWarning, match="not separable") as seen:
            found = pops.simulated_capacity(x, label, method=method, n_dichotomies=5)
        assert seen[0].message.code == "not-separable"
        assert found.not_separable == 1
        assert found.value == pytest.approx(6 / 4, rel=0.15)


def test_refusals():
    x, label = clouds()
    with pytest.raises(cs.InputError, match="needs >= 2 points of every class; 1 of 21") as caught:
        pops.manifold_capacity(x, np.r_[99, label[1:]])
    assert caught.value.code == "too-few"
    with pytest.raises(cs.InputError, match="at least 2 classes"):
        pops.manifold_capacity(x, np.zeros(len(x)))
    with pytest.raises(cs.InputError, match="NaN"):
        pops.manifold_capacity(np.where(x > 2, np.nan, x), label)
    with pytest.raises(cs.InputError, match="all rows of x are the same"):
        pops.manifold_capacity(np.ones_like(x), label)
    with pytest.raises(cs.InputError, match="point 300 lies at the mean") as caught:
        pops.simulated_capacity(np.r_[x - x.mean(axis=0), np.zeros((1, 120))], np.r_[label, 50])
    assert caught.value.code == "no-structure"
    with pytest.raises(cs.InputError, match="radius"):
        pops.ball_capacity(-1.0, 3)


def test_inputs_of_any_kind_and_unchanged():
    x, label = clouds(classes=15, points=5, units=30)
    before = x.copy()
    x.setflags(write=False)
    value = pops.manifold_capacity(x, label, n_perm=0).value
    assert np.array_equal(x, before)
    assert pops.manifold_capacity(x.astype(np.float32), label, n_perm=0).value == pytest.approx(
        value, rel=1e-3
    )
    assert pops.manifold_capacity(x.astype(">f8"), label, n_perm=0).value == pytest.approx(value, rel=1e-6)
    assert pops.manifold_capacity(np.round(10 * x).astype(int), label, n_perm=0).value == pytest.approx(
        value, rel=0.05
    )
    unequal = np.delete(np.arange(75), [0, 1, 2])
    assert pops.manifold_capacity(x[unequal], label[unequal], n_perm=0).n_points.tolist() == [2] + [5] * 14
