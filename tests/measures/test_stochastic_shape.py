"""Stochastic shape distances: closed forms, the published alternation, few trials."""

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

import consilience as cs
from consilience.measures import _rotation_search as search
from consilience.measures import _stochastic_shape as module

m = cs.measures


def rotation(p, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))[0]


def trials(seed, n=8, t=30, p=4, spread=1.0):
    rng = np.random.default_rng(seed)
    size = np.exp(0.4 * rng.normal(size=(n, 1, p)))
    return 2 * rng.normal(size=(n, 1, p)) + spread * size * rng.normal(size=(n, t, p))


def moments(x):
    mean = x.mean(axis=1)
    d = x - mean[:, None]
    return mean - mean.mean(axis=0), np.einsum("ntp,ntq->npq", d, d) / (x.shape[1] - 1)


def bures(a, b):
    root = sqrtm(a).real
    return np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(root @ b @ root).real)


@pytest.mark.parametrize("metric", ["gaussian", "energy"])
def test_a_rotated_copy_is_at_distance_zero_and_more_units_only_pad(metric):
    x = trials(0)
    wide = np.concatenate([x, np.zeros((8, 30, 2))], axis=2) @ rotation(6)
    for y in (x @ rotation(4) + 7, wide):
        assert m.stochastic_shape_distance(x, y, metric=metric) < 2e-4
    assert m.stochastic_shape_distance(x, 1.5 * x, metric=metric) > 0.3


def test_one_unit_has_a_closed_form():
    x, y = trials(1, p=1), trials(2, p=1)
    (mx, cx), (my, cy) = moments(x), moments(y)
    sx, sy = np.sqrt(cx[:, 0, 0]), np.sqrt(cy[:, 0, 0])
    for gamma in (0.0, 0.7, 1.0, 2.0):
        best = min(
            np.mean(gamma * (mx[:, 0] - s * my[:, 0]) ** 2 + (2 - gamma) * (sx - sy) ** 2) for s in (1, -1)
        )
        assert m.stochastic_shape_distance(x, y, gamma=gamma) == pytest.approx(np.sqrt(best), abs=1e-9)


@pytest.mark.filterwarnings("ignore:.*null-not-zero")
def test_means_only_is_the_euclidean_shape_distance():
    x, y = trials(3), trials(4)
    expected = m.shape_distance(x.mean(axis=1), y.mean(axis=1), form="euclidean") * np.sqrt(2 / 8)
    assert m.stochastic_shape_distance(x, y, gamma=2.0) == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_the_value_is_the_objective_at_some_rotation_and_not_above_the_plain_alternation(gamma):
    (mx, cx), (my, cy) = moments(trials(5)), moments(trials(6))
    found = m.stochastic_shape_distance((mx, cx), (my, cy), gamma=gamma, tolerance=1e-10)

    def objective(q):
        gap = [gamma * np.sum((a - b @ q) ** 2) for a, b in zip(mx, my)]
        return np.mean(gap) + (2 - gamma) * np.mean([bures(a, q.T @ b @ q) for a, b in zip(cx, cy)])

    problem = module.Gaussian(
        module._moments(module._given((mx, cx), "x", "t"), "sample"),
        module._moments(module._given((my, cy), "y", "t"), "sample"),
        gamma,
        "t",
    )
    q = problem.first
    values = []
    for _ in range(300):
        value, pull = problem.step(q)
        values.append(value / len(mx))
        assert value / len(mx) == pytest.approx(objective(q), abs=1e-8) or len(values) > 3
        q = search.polar(pull)
    assert np.diff(values).max() <= 1e-12  # the plain step never rises
    assert found**2 <= values[-1] + 1e-7
    rng = np.random.default_rng(0)
    assert all(objective(rotation(4, s)) >= found**2 - 1e-9 for s in rng.integers(0, 10**6, 30))


def test_energy_is_the_published_sum():
    x, y = trials(7, n=5, t=9), trials(8, n=5, t=9)
    x, y = (z - z.mean(axis=(0, 1)) for z in (x, y))
    found = m.stochastic_shape_distance(x, y, metric="energy", tolerance=1e-10)

    def objective(q):
        return np.mean(
            [cdist(a, b @ q).mean() - cdist(a, a).mean() / 2 - cdist(b, b).mean() / 2 for a, b in zip(x, y)]
        )

    problem = module.Energy(list(x), list(y), "t")
    values, q = [], problem.first
    for _ in range(200):
        value, pull = problem.step(q)
        values.append(value / 5)
        assert len(values) > 3 or value / 5 == pytest.approx(objective(q), abs=1e-10)
        q = search.polar(pull)
    assert np.diff(values).max() <= 1e-12
    assert found**2 <= values[-1] + 1e-7
    assert all(objective(rotation(4, s)) >= found**2 - 1e-9 for s in range(30))


def test_it_is_symmetric_and_keeps_the_triangle_inequality():
    for seed in range(6):
        x, y, z = (trials(100 * seed + k, n=5, t=12, p=3, spread=0.3 + k) for k in range(3))
        xy, yx, yz, xz = (
            m.stochastic_shape_distance(*p, tolerance=1e-10) for p in ((x, y), (y, x), (y, z), (x, z))
        )
        assert xy == pytest.approx(yx, rel=1e-4)
        assert xz <= xy + yz + 1e-6


@pytest.mark.parametrize("t", [30, 3])
def test_gradient_and_curvature_are_those_of_the_value(t):
    x, y = trials(1, t=t), trials(2, t=t + 2)
    problem = module.Gaussian(
        module._moments(module._given(x, "x", "t"), "sample"),
        module._moments(module._given(y, "y", "t"), "sample"),
        0.7,
        "t",
    )
    q, a = rotation(4, 3), np.random.default_rng(0).normal(size=(4, 4))
    a = a - a.T
    value, pull, curvature = problem.curved(q)
    h = 1e-6
    moved, moved_pull = problem.step(q @ np.linalg.solve(np.eye(4) - h * a / 2, np.eye(4) + h * a / 2))
    assert (moved - value) / h == pytest.approx(np.sum(search.tangent(q, pull) * a), rel=1e-4)
    np.testing.assert_allclose((moved_pull - pull) / h, curvature(q @ a), atol=1e-4 * np.abs(pull).max())


def test_newton_steps_end_where_the_gradient_is_zero_and_no_higher_than_the_plain_alternation():
    for seed in range(4):
        problem = module.Gaussian(
            module._moments(module._given(trials(seed, t=12, p=6), "x", "t"), "sample"),
            module._moments(module._given(trials(seed + 50, t=12, p=6), "y", "t"), "sample"),
            1.0,
            "t",
        )
        q, value, done = search.newton(problem.curved, problem.first, 1e-13, 200)
        assert done
        assert np.linalg.norm(search.tangent(q, problem.step(q)[1])) < 1e-4 * value
        plain = problem.first
        for _ in range(500):
            plain = search.polar(problem.step(plain)[1])
        assert value <= problem.step(plain)[0] * (1 + 1e-3)  # they may end in different valleys


def test_fewer_trials_than_units_and_missing_trials():
    x, y = trials(9, t=5, p=8), trials(10, t=5, p=8)
    by_trials = m.stochastic_shape_distance(x, y)
    assert by_trials == pytest.approx(m.stochastic_shape_distance(moments(x), moments(y)), rel=1e-4)
    padded = np.concatenate([x, np.full((8, 2, 8), np.nan)], axis=1)
    assert m.stochastic_shape_distance(padded, y) == pytest.approx(by_trials, abs=1e-12)
    assert m.stochastic_shape_distance(list(x), list(y)) == pytest.approx(by_trials, abs=1e-12)
    single = m.stochastic_shape_distance(x.astype(np.float32), y.astype(np.float32))
    assert single == pytest.approx(by_trials, rel=0.02)  # rounding can tip the search into another valley


def test_few_trials_raise_the_distance_and_shrinkage_and_the_floor_say_so():
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(10, 1, 6))
    few = [mean + rng.normal(size=(10, 8, 6)) for _ in range(2)]
    many = [mean + rng.normal(size=(10, 400, 6)) for _ in range(2)]
    assert m.stochastic_shape_distance(*few, gamma=0.0) > 3 * m.stochastic_shape_distance(*many, gamma=0.0)
    shrunk = m.stochastic_shape_distance(*few, gamma=0.0, covariance="shrunk")
    assert shrunk < 0.7 * m.stochastic_shape_distance(*few, gamma=0.0)
    same = m.stochastic_shape_floor(*few, splits=4)
    assert same.ratio == pytest.approx(1, abs=0.1)
    other = few[1] * np.array([3, 3, 3, 1, 1, 1.0])
    assert m.stochastic_shape_floor(few[0], other, splits=2).ratio > 1.2


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (
            np.zeros((3, 4)),
            trials(0),
            {},
            r"x must be \(stimuli, trials, units\), a list of \(trials, units\)",
        ),
        (trials(0), trials(0, n=7), {}, "x has 8 stimuli and y 7"),
        (trials(0)[:, :1], trials(0), {}, r"x\[0\] has 1 trial; at least 2 of every stimulus"),
        (trials(0), trials(0), {"gamma": 3}, r"gamma must be a number in \[0, 2\]; got 3"),
        (trials(0), trials(0), {"metric": "wasserstein"}, "metric must be one of 'gaussian', 'energy'"),
        (
            moments(trials(0)),
            trials(0),
            {"metric": "energy"},
            "a tuple of means and covariances, which metric='gauss",
        ),
        ((np.zeros((3, 2)), -np.ones((3, 2, 2))), trials(0), {}, "symmetric with no negative eigenvalue"),
    ],
)
def test_bad_input_is_refused_in_words(x, y, options, message):
    with pytest.raises(cs.InputError, match=message):
        m.stochastic_shape_distance(x, y, **options)


def test_part_of_a_trial_missing_is_refused_and_too_few_iterations_are_told():
    x = trials(0)
    holes = x.copy()
    holes[2, 3, 1] = np.nan
    with pytest.raises(cs.InputError, match=r"x\[2\] has 1 NaN"):
        m.stochastic_shape_distance(holes, x)
    with pytest.warns(cs.ConsilienceWarning, match=r"not-converged.*still fell after 2 iterations"):
        m.stochastic_shape_distance(trials(0, p=16), trials(1, p=16), gamma=0.0, max_iterations=2)
    with pytest.raises(cs.InputError, match="at least 4 trials of every stimulus are needed, got 3"):
        m.stochastic_shape_floor(x[:, :3], x)


def test_the_interval_is_the_jackknife_over_stimuli_beside_the_floor():
    x, more = trials(0, n=10), np.random.default_rng(1)
    y = x @ rotation(4) + 0.5 * more.normal(size=(10, 1, 4)) + more.normal(size=(10, 30, 4))
    found = m.stochastic_shape_interval(x, y, splits=1, rng=3)
    assert found.value == m.stochastic_shape_distance(x, y, rng=3)
    assert found.low < found.value < found.high
    assert found.floor == m.stochastic_shape_floor(x, y, splits=1, rng=3)
    assert (found.n, found.level) == (10, 0.95)
    # by hand, each set of nine from its own starts
    logs = [np.log(m.stochastic_shape_distance(np.delete(x, i, 0), np.delete(y, i, 0))) for i in range(10)]
    spread = stats.t.ppf(0.975, 9) * np.sqrt(0.9 * np.sum((logs - np.mean(logs)) ** 2))
    assert found.low == pytest.approx(found.value * np.exp(-spread), rel=2e-3)
    problem = module.stochastic_problem(x, y, metric="gaussian", gamma=1.0, covariance="sample", who="t")
    terms = problem.costs(module.solve(problem, rng=3, who="t")[0])
    longer = spread * (1 + 2 * max(0.0, stats.skew(terms)) / np.sqrt(10))
    assert found.high == pytest.approx(found.value * np.exp(longer), rel=5e-3)
    assert m.stochastic_shape_interval(x, y, level=0.5, splits=0).high < found.high


@pytest.mark.parametrize("metric", ["gaussian", "energy"])
def test_the_interval_of_copies_and_of_moments(metric):
    x = trials(0, n=10, t=12)
    same = m.stochastic_shape_interval(x, x, metric=metric, splits=0)
    assert 0 <= same.low <= same.value <= same.high
    assert same.value < 1e-4
    if metric == "gaussian":
        y = trials(1, n=10, t=12)
        found = m.stochastic_shape_interval(moments(x), moments(y), splits=0)
        assert found.value == pytest.approx(m.stochastic_shape_interval(x, y, splits=0).value, rel=1e-6)
        assert found.floor is None


@pytest.mark.parametrize("metric", ["gaussian", "energy"])
def test_what_stimuli_add_sums_to_the_distance_and_few_that_carry_it_lengthen_its_interval(metric):
    from consilience.measures._stochastic_shape import solve, stochastic_problem

    x, y = trials(0, n=16), trials(1, n=16)
    problem = stochastic_problem(x, y, metric=metric, gamma=1.0, covariance="sample", who="test")
    q, value = solve(problem, restarts=0, rng=0, who="test")
    costs = problem.costs(q)
    assert costs.shape == (16,)
    assert costs.mean() == pytest.approx(value**2, rel=1e-6)
    x, y = (z - z.mean(axis=1, keepdims=True) for z in (x, y))  # else the mean of all moves with the two
    size = np.where(np.arange(16) < 2, 300.0, 1.0)[:, None, None]
    found = m.stochastic_shape_interval(size * x, size * y, metric=metric, splits=0)
    below, above = np.log(found.value / found.low), np.log(found.high / found.value)
    problem = stochastic_problem(
        size * x, size * y, metric=metric, gamma=1.0, covariance="sample", who="test"
    )
    terms = problem.costs(solve(problem, rng=0, who="test")[0])
    assert above / below == pytest.approx(1 + 2 * stats.skew(terms) / np.sqrt(16), rel=1e-3)
    assert above > 1.9 * below
    alike = m.stochastic_shape_interval(x, y, metric=metric, splits=0)
    assert np.log(alike.high / alike.value) < 1.8 * np.log(alike.value / alike.low)


def test_the_interval_refuses_few_stimuli():
    x = trials(0, n=7)
    with pytest.raises(cs.InputError, match="at least 8 stimuli are needed, got 7"):
        m.stochastic_shape_interval(x, x)
    with pytest.raises(cs.InputError, match="at least 4 trials of every stimulus are needed, got 3"):
        m.stochastic_shape_interval(trials(0, n=8)[:, :3], trials(1, n=8)[:, :3])
    with pytest.raises(cs.InputError, match="groups must be"):
        m.stochastic_shape_interval(trials(0, n=8), trials(1, n=8), groups=3)


@pytest.mark.slow
def test_the_interval_covers_the_mean_distance_of_new_stimuli():
    def pair(seed):
        rng = np.random.default_rng(seed)
        z, mixing = rng.normal(size=(30, 1, 3)), np.array([[1, 0.4, 0], [0, 1, -0.4], [0.3, 0, 1]])
        return z + 0.7 * rng.normal(size=(30, 10, 3)), z @ mixing + 0.9 * rng.normal(size=(30, 10, 3))

    truth = np.mean([m.stochastic_shape_distance(*pair(1000 + k), restarts=1) for k in range(150)])
    found = [m.stochastic_shape_interval(*pair(k), splits=0, groups=15, restarts=1) for k in range(80)]
    assert 0.86 <= np.mean([i.low <= truth <= i.high for i in found]) <= 1


def test_the_first_rotation_does_not_hang_on_rounding():
    x, y = (moments(trials(k, n=5, p=8)) for k in range(2))  # 5 means leave 4 of 8 directions open
    first = module.stochastic_problem(x, y, metric="gaussian", gamma=1.0, covariance="sample", who="t").first
    x = x[0] + 1e-13, x[1]
    again = module.stochastic_problem(x, y, metric="gaussian", gamma=1.0, covariance="sample", who="t").first
    np.testing.assert_allclose(first, again, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-200, 1e77, 1e150])
@pytest.mark.parametrize("metric", ["gaussian", "energy"])
def test_the_distance_has_the_unit_of_the_data_at_any_size(metric, factor):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 6, 3)), 2 * rng.normal(size=(9, 6, 4))
    per = factor if metric == "gaussian" else np.sqrt(factor)
    options = {"metric": metric, "splits": 1, "groups": 8}
    expected, found = (
        cs.measures.stochastic_shape_interval(a, b, **options) for a, b in ((x, y), (x * factor, y * factor))
    )
    for name in ("value", "low", "high"):
        assert getattr(found, name) / per == pytest.approx(getattr(expected, name), rel=1e-5)
    assert found.floor.ratio == pytest.approx(expected.floor.ratio, rel=1e-5)
