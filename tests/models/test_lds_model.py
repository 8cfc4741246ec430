"""Linear dynamical systems: exact posterior, EM, subspace identification, recovery, contract."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import linalg, stats
from sklearn.utils.estimator_checks import check_estimator

import consilience as cs
from consilience._core._errors import ConsilienceWarning
from consilience.models import LDS
from consilience.models._lds_em import climb
from consilience.models._lds_intervals import jackknifed_eigenvalues, matched_eigenvalues
from consilience.models._lds_smooth import System, em_step, in_units, smooth
from consilience.models._lds_start import static
from consilience.models._lds_subspace import lagged_covariances, subspace
from consilience.models._trials import as_trials

# a table (samples, units) is one trial in time, not exchangeable rows
NOT_A_TABLE = {
    "check_methods_subset_invariance": "a state depends on the bins around it",
    "check_methods_sample_order_invariance": "the order of bins is time",
    "check_fit2d_1sample": "one bin has no dynamics; refused in other words",
}


def test_scikit_learn_contract():
    rows = check_estimator(LDS(1), on_fail=None, on_skip=None, expected_failed_checks=NOT_A_TABLE)
    failed = [(row["check_name"], str(row["exception"])) for row in rows if row["status"] == "failed"]
    assert failed == []
    assert len(rows) > 40


def turning(size, angle):
    return size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def planted(n=40, span=50, p=25, *, seed=0, blocks=None):
    rng = np.random.default_rng(seed)
    a = linalg.block_diag(*([turning(0.96, 0.3), 0.85] if blocks is None else blocks))
    k = len(a)
    c = rng.normal(size=(p, k))
    noise = rng.uniform(0.5, 2.0, size=p)
    x = np.empty((n, span, k))
    x[:, 0] = rng.normal(size=(n, k))
    for t in range(1, span):
        x[:, t] = x[:, t - 1] @ a.T + 0.3 * rng.normal(size=(n, k))
    y = x @ c.T + 1.0 + np.sqrt(noise) * rng.normal(size=(n, span, p))
    return y, x, a, c, noise


def tiny(seed=0):
    rng = np.random.default_rng(seed)
    a = np.array([[0.9, 0.3], [-0.3, 0.8]])
    q = np.array([[0.3, 0.1], [0.1, 0.2]])
    return System(
        a,
        q,
        rng.normal(size=(4, 2)),
        rng.normal(size=4),
        rng.uniform(0.3, 1, 4),
        rng.normal(size=2),
        0.7 * np.eye(2),
    )


def joint(system, span):
    """Mean and covariance of all states of a trial."""
    k = len(system.A)
    means, spread = [system.m0], [system.V0]
    for _ in range(1, span):
        means.append(system.A @ means[-1])
        spread.append(system.A @ spread[-1] @ system.A.T + system.Q)
    out = np.zeros((span * k, span * k))
    for s in range(span):
        step = np.eye(k)
        for t in range(s, span):
            block = step @ spread[s]
            out[t * k : (t + 1) * k, s * k : (s + 1) * k] = block
            out[s * k : (s + 1) * k, t * k : (t + 1) * k] = block.T
            step = system.A @ step
    return np.concatenate(means), out


def given(system, y, seen):
    """Posterior mean and covariance of all states, and log-likelihood, by conditioning of the joint Gaussian."""
    span = len(y)
    mean, spread = joint(system, span)
    h = np.kron(np.eye(span), system.C)
    o = seen.ravel()
    total = (h @ spread @ h.T + np.kron(np.eye(span), np.diag(system.R)))[np.ix_(o, o)]
    rest = y.ravel()[o] - (h @ mean + np.tile(system.d, span))[o]
    gain = spread @ h[o].T @ np.linalg.inv(total)
    value = -0.5 * (
        o.sum() * np.log(2 * np.pi) + np.linalg.slogdet(total)[1] + rest @ np.linalg.solve(total, rest)
    )
    return mean + gain @ rest, spread - gain @ h[o] @ spread, value


@pytest.mark.parametrize("missing", [False, True])
def test_posterior_and_likelihood_are_those_of_the_joint_gaussian(missing):
    rng, system = np.random.default_rng(1), tiny()
    y = [rng.normal(size=(t, 4)) for t in (6, 6, 3, 1)]
    if missing:
        y = [np.where(rng.random(v.shape) < 0.3, np.nan, v) for v in y] + [rng.normal(size=(6, 4))]
        y[0][2] = np.nan
        y[1][5] = np.nan
    trials = as_trials(y, who="x", missing="mask")
    found = smooth(trials, system)
    now, before, step, first = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for i, v in enumerate(trials.values):
        seen = np.ones(v.shape, bool) if trials.seen is None else trials.seen[i]
        mean, cov, value = given(system, v, seen)
        span = len(v)
        rows = slice(trials.starts[i], trials.starts[i + 1])
        np.testing.assert_allclose(found.mean[rows], mean.reshape(span, 2), atol=1e-10)
        assert found.log_likelihood[i] == pytest.approx(value, abs=1e-10)
        causal = given(system, v[: span - 1], seen[: span - 1])[0] if span > 1 else system.m0[:0]
        if span > 1:
            np.testing.assert_allclose(found.filtered[rows][span - 2], causal[-2:], atol=1e-10)
        second = cov + np.outer(mean, mean)
        blocks = second.reshape(span, 2, span, 2)
        for t in range(span):
            at = found.index[trials.starts[i] + t]
            np.testing.assert_allclose(found.cov[at], cov[2 * t : 2 * t + 2, 2 * t : 2 * t + 2], atol=1e-10)
            if t:
                now += blocks[t, :, t]
                step += blocks[t, :, t - 1]
                before += blocks[t - 1, :, t - 1]
        first += cov[:2, :2]
    np.testing.assert_allclose(found.now, now, atol=1e-9)
    np.testing.assert_allclose(found.before, before, atol=1e-9)
    np.testing.assert_allclose(found.step, step, atol=1e-9)
    np.testing.assert_allclose(found.first_cov, first / len(y), atol=1e-9)


def test_covariances_that_have_settled_are_not_computed_again():
    system, rng = tiny(), np.random.default_rng(2)
    y = rng.normal(size=(300, 4))
    whole = smooth(as_trials(y, who="x", flat="trial"), system)
    holed = y.copy()
    holed[150, 0] = np.nan
    filled = smooth(as_trials(holed, who="x", missing="mask", flat="trial"), system)
    np.testing.assert_allclose(whole.mean[:50], filled.mean[:50], atol=1e-9)
    mean, _, value = given(system, y[:40], np.ones((40, 4), bool))
    part = smooth(as_trials(y[:40], who="x", flat="trial"), system)
    np.testing.assert_allclose(part.mean.ravel(), mean, atol=1e-9)
    assert part.log_likelihood[0] == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_em_never_lowers_the_likelihood_and_ends_where_it_is_flat(share):
    y = planted(15, 20, 6)[0]
    y = np.where(np.random.default_rng(3).random(y.shape) < share, np.nan, y)
    trials = as_trials(y, who="x", missing="mask")
    system = subspace(lagged_covariances(trials, 9), 3, lowest=1e-3)
    values = []
    for _ in range(40):
        found = smooth(trials, system)
        values.append(found.log_likelihood.sum())
        system = em_step(trials, system, found, lowest=np.full(6, 1e-6), free_start=True)
    assert np.diff(values).min() > -1e-7
    assert values[-1] - values[-2] < 0.05 * (values[1] - values[0])


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_acceleration_climbs_to_the_maximum_of_em_in_fewer_steps(share):
    y = planted(20, 20, 8, blocks=[0.95, 0.8])[0]
    y = np.where(np.random.default_rng(3).random(y.shape) < share, np.nan, y)
    trials = as_trials(y, who="x", missing="mask")
    trials = trials.centred(trials.mean())
    lowest = 1e-3 * trials.variance()
    start = subspace(lagged_covariances(trials, 9), 2, lowest=1e-3)
    found = climb(trials, start, lowest=lowest, free=True, max_iter=100, tol=1e-6)
    assert found.converged
    assert np.diff(found.trace).min() >= 0
    assert smooth(trials, found.system).log_likelihood.sum() == pytest.approx(found.trace[-1], abs=1e-6)
    plain, steps = start, 3 * found.steps
    for _ in range(steps):
        plain = em_step(trials, plain, smooth(trials, plain), lowest=lowest, free_start=True)
    assert smooth(trials, plain).log_likelihood.sum() < found.trace[-1] + 0.01
    after = climb(trials, found.system, lowest=lowest, free=True, max_iter=100, tol=1e-6)
    assert after.trace[-1] - after.trace[0] < 0.05  # nats in all


def test_static_start_of_exact_covariances_is_exact_and_knows_white_states():
    _, _, _, c, noise = planted(2, 5, 12)
    lagged = lagged_covariances(as_trials(planted(2, 5, 12)[0], who="x"), 1)
    scale = np.sqrt((c**2).sum(axis=1) + noise)
    for a in (np.diag([0.9, 0.6, 0.0]), np.zeros((3, 3))):
        lagged.scale = scale
        lagged.covariances = np.array([c @ c.T + np.diag(noise), c @ a @ c.T]) / scale / scale[:, None]
        found = static(lagged, 3, lowest=1e-3)
        values = np.sort(np.linalg.eigvals(found.A).real)
        np.testing.assert_allclose(values, np.sort(np.diag(a)), atol=0.1)  # weak states are taken for weaker
        np.testing.assert_allclose(found.C @ found.C.T, c @ c.T, atol=0.05)
        np.testing.assert_allclose(found.R, noise, rtol=0.05)
        assert np.linalg.eigvalsh(found.Q).min() > 0


@pytest.mark.parametrize("seed", [0, 2])
def test_white_latents_have_no_slow_state(seed):
    """Subspace identification, which has no lag to read them from, leads to maxima hundreds of nats lower."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 15, 2)) @ rng.normal(size=(2, 12)) + rng.normal(size=(40, 15, 12))
    model = LDS(2).fit(x)
    assert np.abs(model.eigenvalues_).max() < 0.25
    assert model.log_likelihood_ > cs.models.FactorAnalysis(2).fit(x).score(x) - 1e-3
    found = model.eigenvalue_intervals(x, groups=5)
    assert (found.modulus_interval[:, 0] == 0).all()


def test_ragged_trials_take_one_loop_and_say_the_same():
    y = planted(7, 12, 5)[0]
    trials = as_trials([v[: 6 + i] for i, v in enumerate(y)], who="x")
    system = subspace(lagged_covariances(trials, 3), 2, lowest=1e-3)
    together = smooth(trials, system)
    for i in range(7):
        alone = smooth(trials.pick(np.array([i])), system)
        rows = slice(trials.starts[i], trials.starts[i + 1])
        np.testing.assert_allclose(together.mean[rows], alone.mean, atol=1e-9)
        assert together.log_likelihood[i] == pytest.approx(alone.log_likelihood[0], abs=1e-8)


def test_coordinates_of_the_states_do_not_change_the_model():
    system = tiny()
    y = np.random.default_rng(0).normal(size=(5, 8, 4))
    trials = as_trials(y, who="x")
    turned = in_units(system, np.array([[2.0, 0.3], [0.3, 0.5]]))
    np.testing.assert_allclose(
        smooth(trials, system).log_likelihood, smooth(trials, turned).log_likelihood, atol=1e-9
    )
    inner = turned.C.T @ turned.C
    np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-10)


def test_subspace_identification_of_exact_covariances_is_exact():
    """From covariances of the model itself, not of a sample, A and C C' come back."""
    y, _, a, c, noise = planted(2, 5, 12)
    q = 0.09 * np.eye(3)
    state = linalg.solve_discrete_lyapunov(a, q)
    lagged = lagged_covariances(as_trials(y, who="x"), 1)
    scale = np.sqrt(np.diag(c @ state @ c.T) + noise)
    lagged.scale = scale
    lagged.covariances = np.array(
        [
            (c @ np.linalg.matrix_power(a, lag) @ state @ c.T + (np.diag(noise) if lag == 0 else 0))
            / scale
            / scale[:, None]
            for lag in range(10)
        ]
    )
    found = subspace(lagged, 3, lowest=1e-3)
    np.testing.assert_allclose(
        np.sort_complex(np.linalg.eigvals(found.A)), np.sort_complex(np.linalg.eigvals(a)), atol=1e-6
    )
    made = linalg.solve_discrete_lyapunov(found.A, found.Q)
    np.testing.assert_allclose(found.C @ made @ found.C.T, c @ state @ c.T, atol=1e-4)
    np.testing.assert_allclose(found.R, noise, atol=1e-3)


def same_values(model, a, atol):
    truth = np.linalg.eigvals(a).astype(complex)
    truth = truth[np.lexsort((-truth.imag, -np.abs(truth)))]
    np.testing.assert_allclose(model.eigenvalues_, truth, atol=atol)


def test_recovery_complete_ragged_and_missing():
    y, x, a, c, _ = planted(n=40, p=16)
    same_values(LDS(3, method="subspace").fit(y), a, 0.05)
    rng = np.random.default_rng(5)
    ragged = [v[: rng.integers(20, 51)] for v in y]
    holes = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    holes[3, 30:] = np.nan
    for data, option in ((y, "raise"), (ragged, "raise"), (holes, "mask")):
        model = LDS(3, missing=option, bin_width=0.02).fit(data)
        same_values(model, a, 0.04)
        assert model.frequencies_[0] == pytest.approx(0.3 / (2 * np.pi * 0.02), rel=0.05)
        assert model.time_constants_[0] == pytest.approx(-0.02 / np.log(0.96), rel=0.25)
        qa, qb = np.linalg.qr(model.components_.T)[0], np.linalg.qr(c)[0]
        assert np.linalg.svd(qa.T @ qb)[1].min() > 0.99
        latents = model.transform(data)
        stack = np.concatenate(list(latents))
        truth = np.concatenate([x[i, : len(v)] for i, v in enumerate(latents)])
        there = ~np.isnan(stack[:, 0])
        assert there.sum() == (2000 if data is y else there.sum())
        fit = stack[there] @ np.linalg.lstsq(stack[there], truth[there], rcond=None)[0]
        r2 = 1 - ((truth[there] - fit) ** 2).sum() / ((truth[there] - truth[there].mean(axis=0)) ** 2).sum()
        assert r2 > 0.9
        scores = model.unit_scores(data)
        assert 0.4 < np.mean(scores) < 0.9
        assert model.score(data) == pytest.approx(model.log_likelihood_, rel=0.01)
    assert np.isnan(model.transform(holes)[3, 30:]).all()
    assert np.isfinite(model.transform(holes)[3, :30]).all()


def test_number_of_states_is_found_on_held_out_trials():
    y = planted(60, 30, 12, seed=1)[0]
    model = LDS(cv=3, max_components=5).fit(y)
    assert model.n_components_ == 3
    assert model.cv_scores_.shape == (5, 3)
    with pytest.warns(cs.ConsilienceWarning, match="components-at-edge"):
        LDS(cv=3, max_components=1, method="subspace").fit(y)


def test_time_reversed_dynamics_and_shuffled_bins_are_told_apart():
    y = planted()[0]
    order = np.random.default_rng(0).permutation(50)
    model, shuffled = LDS(3).fit(y), LDS(3).fit(y[:, order])
    assert model.log_likelihood_ > shuffled.log_likelihood_ + 0.02
    assert np.abs(shuffled.eigenvalues_).max() < 0.9 * np.abs(model.eigenvalues_).max()


def test_hidden_states_of_a_single_unit():
    """An oscillation seen through one unit: two states, one direction."""
    rng = np.random.default_rng(0)
    a = turning(0.97, 0.4)
    x = np.zeros((4000, 2))
    for t in range(1, 4000):
        x[t] = a @ x[t - 1] + rng.normal(size=2)
    y = x[:, :1] + 0.5 * rng.normal(size=(4000, 1))
    same_values(LDS(2, method="subspace").fit(y), a, 0.03)
    model = LDS(2).fit(y)
    same_values(model, a, 0.02)
    assert model.transform(y).shape == (4000, 2)


def test_filter_uses_no_later_bins():
    y = planted(12, 30, 8)[0]
    model = LDS(2).fit(y)
    changed = y.copy()
    changed[:, 20:] += 5
    np.testing.assert_array_equal(
        model.transform(y, causal=True)[:, :20], model.transform(changed, causal=True)[:, :20]
    )
    assert np.abs(model.transform(y)[:, 19] - model.transform(changed)[:, 19]).max() > 0.01
    np.testing.assert_allclose(model.transform(y, causal=True)[:, -1], model.transform(y)[:, -1])


def test_a_large_mean_costs_no_digits():
    y = planted(12, 20, 8)[0]
    one, two = LDS(2).fit(y), LDS(2).fit(1e3 * y + 1e8)
    np.testing.assert_allclose(one.eigenvalues_, two.eigenvalues_, atol=1e-5)
    np.testing.assert_allclose(two.mean_ - 1e8, 1e3 * one.mean_, atol=1e-2)


def test_inverse_and_constant_units():
    y = planted(12, 30, 8)[0]
    y[..., 2] = 3
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        model = LDS(2).fit(y)
    back = model.inverse_transform(model.transform(y))
    assert back.shape == y.shape
    np.testing.assert_allclose(back[..., 2], 3)
    assert np.isnan(model.unit_scores(y)[2])
    assert model.explained_variance_ratio_.sum() < 1


@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [
        (LDS(2), (20, 1, 5), "trials of several bins"),
        (LDS(2, method="n4sid"), (5, 20, 4), "method must be one of"),
        (LDS(2, horizon=11), (5, 20, 4), "horizon must be"),
        (LDS(0), (5, 20, 4), "n_components"),
        (LDS(2, bin_width=0), (5, 20, 4), "bin_width must be"),
        (LDS(), (20, 4), "cut it into a list of trials"),
        (LDS(cv=6), (5, 20, 4), "at least 6 trials"),
    ],
    ids=["bins", "method", "horizon", "none", "width", "one-trial", "folds"],
)
def test_refusals(model, shape, words):
    with pytest.raises(cs.InputError, match=words):
        model.fit(np.random.default_rng(0).normal(size=shape))


def test_one_unit_has_no_others():
    model = LDS(1).fit(np.random.default_rng(0).normal(size=(60, 1)).cumsum(axis=0))
    with pytest.raises(cs.InputError, match="no others"):
        model.unit_scores(np.ones((5, 1)))


def test_intervals_of_eigenvalues():
    """The jackknife of subspace identification, done by hand; and what the intervals are of EM."""
    y, _, a, _, _ = planted(20, 30, 8)
    model = LDS(3, method="subspace", bin_width=0.02).fit(y)
    found = model.eigenvalue_intervals(y, groups=5, level=0.9)
    parts = np.array(
        [
            LDS(3, method="subspace").fit(np.delete(y, np.s_[i : i + 4], 0)).eigenvalues_
            for i in range(0, 20, 4)
        ]
    )
    np.testing.assert_allclose(found.eigenvalues, model.eigenvalues_, atol=1e-10)
    slow = np.arctanh(np.abs(parts[:, 0]))
    half = stats.t.ppf(0.95, 4) * np.sqrt(4 / 5 * ((slow - slow.mean()) ** 2).sum())
    centre = np.arctanh(np.abs(model.eigenvalues_[0]))
    ends = np.tanh([centre - half, centre + half])
    np.testing.assert_allclose(found.modulus_interval[0], ends, rtol=1e-8)
    np.testing.assert_allclose(found.time_constant_interval[0], -0.02 / np.log(ends), rtol=1e-8)
    fast = np.abs(np.angle(parts[:, 0]))
    half = stats.t.ppf(0.95, 4) * np.sqrt(4 / 5 * ((fast - fast.mean()) ** 2).sum())
    centre = np.abs(np.angle(model.eigenvalues_[0]))
    np.testing.assert_allclose(
        found.frequency_interval[0], np.array([centre - half, centre + half]) / (2 * np.pi * 0.02), rtol=1e-8
    )
    assert (found.modulus_interval[:, 0] < np.sort(np.abs(np.linalg.eigvals(a)))[::-1]).all()
    assert np.isnan(found.frequency_interval[2]).all()  # a decay has no frequency to be unsure of
    narrow = model.eigenvalue_intervals(y, groups=5, level=0.5)
    assert (np.diff(found.modulus_interval) > np.diff(narrow.modulus_interval)).all()


def test_intervals_after_em():
    y = planted(12, 30, 6, blocks=[turning(0.9, 0.5)])[0]
    model = LDS(2).fit(y)
    found = model.eigenvalue_intervals(y, groups=4)
    assert found.modulus_interval[0, 0] < 0.9 < found.modulus_interval[0, 1]
    assert found.frequency_interval[0, 0] < 0.5 / (2 * np.pi) < found.frequency_interval[0, 1]
    np.testing.assert_allclose(found.eigenvalues, model.eigenvalues_, atol=0.01)
    np.testing.assert_array_equal(found.modulus_interval[0], found.modulus_interval[1])
    assert (found.real_parts == 0).all()


def test_refits_that_have_not_ended_are_told():
    y = planted(10, 15, 4, blocks=[0.9])[0]
    with pytest.warns(
        ConsilienceWarning, match=r"still rose .* in \d+ of 4 fits: the intervals can be too short"
    ):
        LDS(2, max_iter=2, tol=0.5).fit(y).eigenvalue_intervals(y, groups=3)


def test_intervals_of_one_long_trial_and_of_missing_values():
    y = np.concatenate(list(planted(12, 60, 8)[0]))
    y = np.where(np.random.default_rng(0).random(y.shape) < 0.05, np.nan, y)
    found = LDS(2, method="subspace", missing="mask", horizon=4).fit(y).eigenvalue_intervals(y, groups=6)
    assert found.groups == 6
    assert (np.diff(found.modulus_interval) > 0).all()
    assert (found.modulus_interval <= 1).all()
    short = LDS(2, method="subspace").fit(np.nan_to_num(y[:40]))
    with pytest.raises(cs.InputError, match="use fewer groups"):
        short.eigenvalue_intervals(np.nan_to_num(y[:40]))


def test_intervals_of_small_eigenvalues_reach_zero():
    """Latents without memory: a modulus cannot be below 0, and no frequency is known."""
    turn = np.exp(2j * np.pi * np.arange(5) / 5)
    around = 0.05 * np.stack([turn, turn.conj()], axis=1)
    found = jackknifed_eigenvalues(np.array([0.03 + 0.02j, 0.03 - 0.02j]), around, 0.95, 1.0)
    assert (found.modulus_interval[:, 0] == 0).all()
    assert (found.modulus_interval[:, 1] > 0.05).all()
    np.testing.assert_allclose(found.frequency_interval, [[0, 0.5]] * 2)
    real = jackknifed_eigenvalues(np.array([0.02 + 0j]), np.array([[0.05], [-0.04], [0.02 + 0j]]), 0.95, 1.0)
    assert real.modulus_interval[0, 0] == 0 < real.modulus_interval[0, 1] < 1
    assert real.time_constant_interval[0, 0] == 0
    edge = jackknifed_eigenvalues(np.array([1.01 + 0j]), np.array([[1.0], [0.98], [1.02 + 0j]]), 0.95, 1.0)
    assert edge.modulus_interval[0, 1] == 1
    assert np.isinf(edge.time_constant_interval[0, 1])


def test_eigenvalues_are_matched_as_sets():
    whole = np.array([0.9 + 0.3j, 0.9 - 0.3j, 0.8])
    other = np.array([0.85, 0.88 - 0.31j, 0.88 + 0.31j])
    np.testing.assert_array_equal(matched_eigenvalues(whole, other), other[[2, 1, 0]])


@pytest.mark.parametrize("seed", [0, 3])
def test_white_latents_have_a_fit(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 10, 2)) @ rng.normal(size=(2, 12)) + rng.normal(size=(40, 10, 12))
    model = LDS(2, max_iter=100, tol=1e-3).fit(x)
    assert np.isfinite(model.transform(x)).all()
    chosen = LDS(max_components=3, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)  # the number may be at its edge
        chosen.fit(x)
    assert np.isfinite(chosen.cv_scores_).all()
    assert np.isfinite(chosen.log_likelihood_)
