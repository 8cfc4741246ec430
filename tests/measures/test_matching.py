"""One-to-one and soft matching: planted matches, other implementations of the equations, nulls."""

import functools
import itertools

import numpy as np
import pytest

import consilience as cs
from consilience.measures._one_to_one import matching_null
from consilience.measures._soft_match import couple, soft_null

m = cs.measures
quiet = pytest.mark.filterwarnings("ignore:.*null-not-zero")


def pair(seed, n=60, p=6, q=6):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, min(p, q)))
    x, y = (np.concatenate([shared, rng.normal(size=(n, k - shared.shape[1]))], axis=1) for k in (p, q))
    return x + 0.5 * rng.normal(size=x.shape), (y + 0.5 * rng.normal(size=y.shape))[:, rng.permutation(q)]


@quiet
def test_one_to_one_is_the_best_of_all_matchings():
    x, y = pair(0, p=5, q=4)
    r = np.corrcoef(x.T, y.T)[:5, 5:]
    best = max(np.mean([r[i, j] for j, i in enumerate(rows)]) for rows in itertools.permutations(range(5), 4))
    assert m.one_to_one(x, y) == pytest.approx(best, abs=1e-12)
    assert m.one_to_one(y, x) == pytest.approx(best, abs=1e-12)


@quiet
def test_soft_match_is_one_to_one_between_equal_numbers_and_shares_copies_out():
    x, y = pair(1)
    assert m.soft_match(x, y) == pytest.approx(float(m.one_to_one(x, y)), abs=1e-12)
    assert m.soft_match(x, np.concatenate([x, 2 * x, x + 1], axis=1)) == pytest.approx(1.0, abs=1e-12)
    assert m.soft_match_distance(x, np.concatenate([x, x], axis=1)) == pytest.approx(0.0, abs=1e-12)


@quiet
@pytest.mark.parametrize(("p", "q"), [(8, 5), (31, 17)])
def test_soft_match_is_pots(p, q):
    ot = pytest.importorskip("ot")
    x, y = pair(2, p=p, q=q)
    r = np.corrcoef(x.T, y.T)[:p, p:]
    assert m.soft_match(x, y) == pytest.approx(1 - ot.emd2([], [], 1 - r), abs=1e-8)
    a, b = ((z - z.mean(axis=0)).T for z in (x, y))
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
    assert m.soft_match_distance(x, y) == pytest.approx(np.sqrt(ot.emd2([], [], squared)), abs=1e-8)
    for mass in (0.3, 0.8):
        plan = ot.partial.partial_wasserstein(np.full(p, 1 / p), np.full(q, 1 / q), 1 - r, m=mass)
        found = m.soft_match(x, y, mass=mass)
        assert found == pytest.approx(np.sum(plan * r) / mass, abs=1e-8)


@quiet
def test_partial_matching_leaves_the_unrelated_out():
    x, y = pair(3, n=200, p=10, q=10)
    y = y.copy()
    y[:, :4] = np.random.default_rng(9).normal(size=(200, 4))  # units without a counterpart
    path = [float(m.soft_match(x, y, mass=mass)) for mass in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert path == sorted(path, reverse=True)
    assert path[2] > 0.75 > path[4] + 0.1
    plan = couple(np.corrcoef(x.T, y.T)[:10, 10:], mass=0.6)
    assert plan[:, :4].sum() < 1e-9
    assert plan.sum() == pytest.approx(0.6)
    assert plan.sum(axis=0).max() <= 0.1 + 1e-9


def test_a_planted_match_is_found_held_out_and_noise_is_not():
    x, y = pair(4, n=80, p=12, q=12)
    for measure in (m.one_to_one_held_out, m.soft_match_held_out):
        assert measure(x, y) == pytest.approx(0.8, abs=0.06)  # variance 1 of 1.25 is shared
        rng = np.random.default_rng(5)
        null = [measure(rng.normal(size=(40, 60)), rng.normal(size=(40, 60))) for _ in range(20)]
        assert abs(np.mean(null)) < 4 * np.std(null) / np.sqrt(20) + 1e-3


def test_correlations_of_training_folds_decide_the_matching():
    x, y = pair(6, n=40, p=3, q=3)
    folds = [np.arange(20), np.arange(20, 40)]
    parts = m.as_measure("one_to_one").parts
    found = parts.plan(parts.prepare(x), folds, None).predict(parts.prepare(y)).score()
    top = left = right = 0.0
    for test in folds:
        train = np.setdiff1d(np.arange(40), test)
        a, b = ((z[test] - z[train].mean(0)) / z[train].std(0) for z in (x, y))
        r = np.corrcoef(x[train].T, y[train].T)[:3, 3:]
        best = max(itertools.permutations(range(3)), key=lambda o: sum(r[i, o[i]] for i in range(3)))
        top, left, right = top + np.sum(a * b[:, best]), left + np.sum(a * a), right + np.sum(b * b)
    assert found == pytest.approx(top / np.sqrt(left * right), abs=1e-12)


@pytest.mark.parametrize(("null", "name"), [(matching_null, "one_to_one"), (soft_null, "soft_match")])
def test_the_stated_null_is_close_where_it_is_scaled_from_fewer_units(null, name):
    rng = np.random.default_rng(0)
    measure = m.as_measure(name, held_out=False)
    for n, p, q in ((50, 400, 200), (100, 300, 300)):
        value = measure.parts.value(rng.normal(size=(n, p)), rng.normal(size=(n, q)))
        assert null(n, p, q) == pytest.approx(value, abs=0.03)
    assert null(100, 20, 30) == null(100, 30, 20)


@pytest.mark.parametrize("mass", [0.2, 0.6])
def test_the_null_of_a_part_of_the_mass_is_what_independent_systems_score(mass):
    rng = np.random.default_rng(0)
    measure = m.as_measure(functools.partial(m.soft_match, mass=mass), held_out=False)
    for n, p, q, draws, tolerance in ((40, 10, 15, 25, 0.02), (60, 160, 170, 1, 0.03)):
        values = [measure.parts.value(rng.normal(size=(n, p)), rng.normal(size=(n, q))) for _ in range(draws)]
        stated = measure.claims.null(n, p, q)
        assert stated == pytest.approx(np.mean(values), abs=tolerance)
        assert stated > soft_null(n, p, q) + 0.02
        assert stated == measure.claims.null(n, q, p)
    with pytest.warns(cs.ConsilienceWarning, match="null-not-zero.*would score 0.* even if unrelated"):
        m.soft_match(rng.normal(size=(40, 10)), rng.normal(size=(40, 10)), mass=mass)


@quiet
def test_the_soft_distance_is_a_metric():
    rng = np.random.default_rng(0)
    for _ in range(30):
        x, y, z = (rng.normal(size=(6, k)) * rng.uniform(0.5, 2) for k in rng.integers(1, 6, size=3))
        xy, yz, xz = m.soft_match_distance(x, y), m.soft_match_distance(y, z), m.soft_match_distance(x, z)
        assert xz <= xy + yz + 1e-9
        assert xy == pytest.approx(float(m.soft_match_distance(y, x)), abs=1e-9)


def test_in_sample_forms_warn_and_the_rest_refuse():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 40))
    for measure in (m.one_to_one, m.soft_match):
        with pytest.warns(cs.ConsilienceWarning, match="would score 0.* even if unrelated.*held_out"):
            measure(x, rng.normal(size=(30, 40)))
    with pytest.raises(cs.InputError, match=r"soft_match: mass must be a number in \[1e-06, 1\]; got 1.5"):
        m.soft_match(x, x, mass=1.5)
    with pytest.raises(cs.InputError, match="one_to_one: every unit of y has the same value"):
        m.one_to_one(x, np.ones((30, 3)))
    with pytest.raises(cs.InputError, match="folds must be"):
        m.one_to_one_held_out(x, x, folds=1)


def test_an_approximate_coupling_is_told(monkeypatch):
    from consilience.linalg import _transport

    monkeypatch.setattr(_transport, "_VARIABLES", 100)
    monkeypatch.setattr(_transport, "_COPIES", 1)
    coarse = functools.partial(_transport.transport, tolerance=0.05)
    monkeypatch.setattr("consilience.measures._soft_match.transport", coarse)
    x, y = pair(7, n=2000, p=31, q=20)
    with pytest.warns(
        cs.ConsilienceWarning, match="transport-not-exact.*31 and 20 units.*raise the value by up to"
    ):
        m.soft_match(x, y)


@pytest.mark.parametrize(
    "name", ["one_to_one", "one_to_one_held_out", "soft_match", "soft_match_held_out", "soft_match_distance"]
)
def test_more_pairs_of_units_than_fit_are_refused_before_any_work(name):
    x = np.random.default_rng(0).normal(size=(12, 100_000)).astype("f4")
    with pytest.raises(
        cs.InputError, match=rf"{name}: 100000 and 100000 units are 1e\+10 pairs, .* 3.2e\+02 GB"
    ):
        getattr(m, name)(x, x)
    if not name.endswith("distance"):
        data = cs.responses(x, stimulus=range(12))
        held_out = name.endswith("held_out")
        with pytest.raises(cs.InputError, match="draw some thousand units of each side at random"):
            cs.compare(
                data, data, measure=name.removesuffix("_held_out"), held_out=held_out, n_boot=0, n_perm=0
            )
