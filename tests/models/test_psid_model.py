"""Preferential subspace identification: the published equations, its filter, what it finds, contract."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

import consilience as cs
from consilience.models import LDS, PSID
from consilience.models._psid_stages import (
    Innovations,
    Windows,
    filtered,
    identify,
    lagged_cross,
    windows,
)
from consilience.models._trials import as_trials

# a table (samples, units) is one trial in time, not exchangeable rows
NOT_A_TABLE = {
    "check_methods_subset_invariance": "a state depends on the bins before it",
    "check_methods_sample_order_invariance": "the order of bins is time",
    "check_dtype_object": "behaviour of objects is refused in other words",
}


def test_scikit_learn_contract():
    rows = check_estimator(
        PSID(1, 1, horizon=2), on_fail=None, on_skip=None, expected_failed_checks=NOT_A_TABLE
    )
    failed = [(row["check_name"], str(row["exception"])) for row in rows if row["status"] == "failed"]
    assert failed == []
    assert len(rows) > 40


def turning(size, angle):
    return size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def planted(n=30, span=80, p=16, *, seed=0):
    """Two states that behaviour follows, and two with 9 times their drive that it does not."""
    rng = np.random.default_rng(seed)
    a = np.zeros((4, 4))
    a[:2, :2], a[2:, 2:] = turning(0.9, 0.2), turning(0.95, 0.6)
    x = np.zeros((n, span, 4))
    for t in range(1, span):
        x[:, t] = x[:, t - 1] @ a.T + np.array([1, 1, 3, 3]) * rng.normal(size=(n, 4))
    y = x @ rng.normal(size=(4, p)) + 3.0 + 2 * rng.normal(size=(n, span, p))
    z = x[..., :2] @ rng.normal(size=(2, 3)) - 1.0 + rng.normal(size=(n, span, 3))
    return y, z, x


def series(n=1500, p=6, seed=0):
    y, z, _ = planted(1, n, p, seed=seed)
    return y[0] - y[0].mean(axis=0), z[0] - z[0].mean(axis=0)


def hankel(v, start, blocks, columns):
    return np.concatenate([v[start + r : start + r + columns].T for r in range(blocks)])


def published(y, z, k, n1, i):
    """Equations 10 to 35 of Sani et al. (2021) on the block Hankel matrices themselves, by pseudo-inverses."""
    columns, p, b = len(y) - 2 * i + 1, y.shape[1], z.shape[1]

    def onto(a, c):
        return a @ np.linalg.pinv(c) @ c

    past, now = hankel(y, 0, i, columns), hankel(y, i, 1, columns)
    both = np.concatenate([past, now])
    future, behaviour = hankel(y, i, i, columns), hankel(z, i, i, columns)
    x, x_next = np.zeros((0, columns)), np.zeros((0, columns))
    if n1:
        told = onto(behaviour, past)
        u, s, _ = np.linalg.svd(told, full_matrices=False)
        observe = u[:, :n1] * np.sqrt(s[:n1])
        x = np.linalg.pinv(observe) @ told
        x_next = np.linalg.pinv(observe[:-b]) @ onto(behaviour[b:], both)
    if k > n1:
        later = future[p:]
        if n1:
            said = future @ np.linalg.pinv(x)
            future, later = future - said @ x, later - said[:-p] @ x_next
        told = onto(future, past)
        u, s, _ = np.linalg.svd(told, full_matrices=False)
        observe = u[:, : k - n1] * np.sqrt(s[: k - n1])
        x2, next2 = np.linalg.pinv(observe) @ told, np.linalg.pinv(observe[:-p]) @ onto(later, both)
        x, x_next = np.concatenate([x, x2]), np.concatenate([x_next, next2])
    a = np.zeros((k, k))
    a[:n1, :n1] = x_next[:n1] @ np.linalg.pinv(x[:n1]) if n1 else 0
    if k > n1:
        a[n1:] = x_next[n1:] @ np.linalg.pinv(x)
    c, d = now @ np.linalg.pinv(x), hankel(z, i, 1, columns) @ np.linalg.pinv(x)
    rest = np.concatenate([x_next - a @ x, now - c @ x])
    return a, c, d, rest @ rest.T


def products(y, z, i):
    """The block Hankel products that the same equations take, not yet divided by the number of columns."""
    columns = len(y) - 2 * i + 1
    both = hankel(y, 0, i + 1, columns)
    return Windows(both @ both.T, hankel(y, i, i, columns) @ both.T, hankel(z, i, i, columns) @ both.T, i)


@pytest.mark.parametrize(("k", "n1"), [(2, 2), (4, 2), (3, 0), (4, 3)])
def test_stages_are_those_of_the_paper(k, n1):
    y, z = series(400)
    found, d = identify(products(y, z, 4), k, n1)
    a, c, cz, noise = published(y, z, k, n1, 4)
    sign = np.sign(np.einsum("pk,pk->k", found.C, c))
    np.testing.assert_allclose(sign[:, None] * found.A * sign, a, atol=1e-8)
    np.testing.assert_allclose(found.C * sign, c, atol=1e-8)
    np.testing.assert_allclose(d * sign, cz, atol=1e-8)
    both = np.block([[found.Q, found.S], [found.S.T, found.R]])
    sign = np.concatenate([sign, np.ones(y.shape[1])])
    np.testing.assert_allclose(sign[:, None] * both * sign, noise, rtol=1e-6, atol=1e-6)
    assert (found.A[:n1, n1:] == 0).all()


def test_pooled_covariances_come_to_the_products_of_windows():
    y, z = series(20000)
    yt, zt = (as_trials(v, who="x", flat="trial") for v in (y, z))
    pooled = windows(lagged_cross(yt, yt, 8), lagged_cross(zt, yt, 8), 4, len(y))
    exact = products(y, z, 4)
    for name in ("past", "future", "behaviour"):
        one, two = getattr(pooled, name), getattr(exact, name) / (len(y) - 7)
        assert np.abs(one - two).max() < 5e-3 * np.abs(two).max(), name


def slow_filter(y, s):
    """The Kalman filter with correlated noise, bin by bin, as textbooks have it; NaN are not there."""
    x, v, out = np.zeros(len(s.A)), s.V0, []
    for row in y:
        seen = np.isfinite(row)
        c, cross = s.C[seen], s.S[:, seen]
        gain = (s.A @ v @ c.T + cross) @ np.linalg.inv(c @ v @ c.T + s.R[np.ix_(seen, seen)])
        x = s.A @ x + gain @ (row[seen] - c @ x)
        v = s.A @ v @ s.A.T + s.Q - gain @ (s.A @ v @ c.T + cross).T
        v = (v + v.T) / 2
        out.append(x)
    return np.array(out)


@pytest.mark.parametrize("missing", [False, True])
def test_filter_is_that_of_correlated_noise(missing):
    rng = np.random.default_rng(0)
    root = rng.normal(size=(7, 40)) / 6
    noise = root @ root.T
    s = Innovations(
        turning(0.9, 0.5), rng.normal(size=(5, 2)), noise[:2, :2], noise[:2, 2:], noise[2:, 2:], 2 * np.eye(2)
    )
    trials = [rng.normal(size=(t, 5)) for t in (12, 7, 90)]
    if missing:
        trials = [np.where(rng.random(v.shape) < 0.3, np.nan, v) for v in trials]
        trials[1][2:4] = np.nan
    found = filtered(as_trials(trials, who="x", missing="mask"), s)
    np.testing.assert_allclose(found, np.concatenate([slow_filter(v, s) for v in trials]), atol=1e-8)


def test_behaviour_is_decoded_from_as_many_states_as_it_follows():
    """At 2 states: PSID decodes, LDS (by EM, its states regressed) and stage 2 alone do not; at 4 all do."""
    y, z, x = planted()
    train, test = slice(0, 20), slice(20, 30)
    found = PSID(2, 2).fit(y[train], z[train])
    alone = PSID(2, 0).fit(y[train], z[train])
    lds = LDS(2).fit(y[train])
    design = [
        np.column_stack([lds.transform(y[s], causal=True).reshape(-1, 2), np.ones(y[s][..., 0].size)])
        for s in (train, test)
    ]
    weights = np.linalg.lstsq(design[0], z[train].reshape(-1, 3), rcond=None)[0]
    truth = z[test].reshape(-1, 3)
    r2 = 1 - ((truth - design[1] @ weights) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)
    assert found.score(y[test], z[test]) > 0.7
    assert r2.mean() < 0.1
    assert alone.score(y[test], z[test]) < 0.1
    np.testing.assert_allclose(np.abs(found.eigenvalues_), 0.9, atol=0.05)
    np.testing.assert_allclose(np.abs(np.angle(found.eigenvalues_)), 0.2, atol=0.04)
    latents = found.transform(y[test]).reshape(-1, 2)
    fit = latents @ np.linalg.lstsq(latents, x[test][..., :2].reshape(-1, 2), rcond=None)[0]
    assert np.corrcoef(fit[:, 0], x[test][..., 0].ravel())[0, 1] > 0.9
    whole = PSID(4, 2).fit(y[train], z[train])
    np.testing.assert_allclose(np.abs(np.angle(whole.eigenvalues_)), [0.2, 0.2, 0.6, 0.6], atol=0.04)
    assert PSID(4, 0).fit(y[train], z[train]).score(y[test], z[test]) > 0.7


def angle(a, b):
    qa, qb = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    return np.degrees(np.arccos(np.linalg.svd(qa.T @ qb)[1].min()))


def test_without_relevant_states_it_is_subspace_identification():
    """PSID weights directions of the future as projections do, LDS takes lagged covariances as they are: the same
    space and dynamics, in the limit of many bins.
    """
    y, z, _ = planted(20, 1000)
    y = y / y.std(axis=(0, 1))  # PSID reads scaled units, LDS gives back units of the data
    one, two = PSID(4, 0, horizon=6).fit(y, z), LDS(4, method="subspace", horizon=6).fit(y)
    assert angle(one.components_.T, two.components_.T) < 2
    np.testing.assert_allclose(
        np.sort_complex(one.eigenvalues_), np.sort_complex(two.eigenvalues_), atol=0.01
    )


def test_number_of_relevant_states_by_cross_validation():
    y, z, _ = planted(seed=1)
    model = PSID(5).fit(y, z)
    assert model.n_relevant_ == 2
    assert model.cv_scores_.shape == (5, 5)
    assert (model.A_[:2, 2:] == 0).all()
    with pytest.warns(cs.ConsilienceWarning, match="components-at-edge"):
        assert PSID(1).fit(y, z).n_relevant_ == 1


def test_ragged_missing_and_padded():
    y, z, _ = planted(30, 80)
    rng = np.random.default_rng(3)
    lengths = rng.integers(40, 81, size=30)
    ragged = [v[:t] for v, t in zip(y, lengths)]
    beside = [v[:t] for v, t in zip(z, lengths)]
    listed = PSID(2, 2).fit(ragged[:20], beside[:20])
    assert listed.score(ragged[20:], beside[20:]) > 0.65
    padded = y.copy()
    for v, t in zip(padded, lengths):
        v[t:] = np.nan
    same = PSID(2, 2, missing="mask").fit(padded[:20], z[:20])
    np.testing.assert_allclose(same.A_, listed.A_, atol=1e-8)
    out = same.predict(padded[20:])
    assert out.shape == (10, 80, 3)
    np.testing.assert_allclose(out[0, : lengths[20]], listed.predict(ragged[20:])[0], atol=1e-8)
    assert np.isnan(out[0, lengths[20] :]).all()
    holes = np.where(rng.random(y.shape) < 0.2, np.nan, y)
    holes[:, 30:33] = np.nan
    gone = np.where(rng.random(z.shape) < 0.3, np.nan, z)
    masked = PSID(2, 2, missing="mask").fit(holes[:20], gone[:20])
    np.testing.assert_allclose(np.abs(np.angle(masked.eigenvalues_)), 0.2, atol=0.05)
    assert masked.score(holes[20:], gone[20:]) > 0.6
    filled = np.where(np.isnan(holes), 3.0, holes)
    worse = PSID(2, 2, missing="mask").fit(filled[:20], gone[:20]).score(filled[20:], gone[20:])
    assert masked.score(holes[20:], gone[20:]) > worse + 0.02


def test_predictions_use_no_later_bins_and_units_do_not_matter():
    y, z, _ = planted(12, 60)
    model = PSID(3, 2).fit(y, z)
    changed = y.copy()
    changed[:, 40:] += 5
    np.testing.assert_array_equal(model.predict(y)[:, :40], model.predict(changed)[:, :40])
    assert np.abs(model.predict(y)[:, 40] - model.predict(changed)[:, 40]).max() > 0.01
    other = PSID(3, 2).fit(1e3 * y + 1e7, 10 * z + 4)
    np.testing.assert_allclose(other.eigenvalues_, model.eigenvalues_, atol=1e-5)
    np.testing.assert_allclose(other.predict(1e3 * y + 1e7), 10 * model.predict(y) + 4, atol=1e-3)


def test_held_out_scores_and_shifts():
    y, z, _ = planted(20, 60)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(20, 60, 1))
    both = np.concatenate([z[..., :1], noise], axis=2)
    scores = PSID(2, 2, horizon=5).held_out(y, both, n_shifts=11)
    assert scores.r2[0] > 0.6
    assert scores.ci_low[0] < scores.r2[0] < scores.ci_high[0]
    assert scores.p[0] == 1 / 12
    assert scores.null[:, 0].max() < 0.5
    assert scores.r2[1] < 0.01
    assert scores.p[1] > 0.1
    again = PSID(2, 2, horizon=5).held_out(y, both, n_shifts=2)
    np.testing.assert_array_equal(scores.null[:2], again.null)
    one = PSID(2, 2).held_out(y.reshape(-1, 16), z.reshape(-1, 3))
    assert one.null is None
    assert one.r2.mean() > 0.6
    chosen = PSID(2).held_out(y, z, n_shifts=2)  # the number chosen in each training set, shifted or not
    assert chosen.n_relevant.shape == (5,)
    assert chosen.r2.mean() > 0.6


def test_more_units_than_bins_and_constant_units():
    y, z, _ = planted(8, 20, 60)
    y[..., 4] = 2
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        model = PSID(2, 2).fit(y[:6], z[:6])
    assert np.isfinite(model.predict(y)).all()
    assert (model.components_[:, 4] == 0).all()
    assert model.mean_[4] == 2


@pytest.mark.parametrize(
    ("model", "shape", "beside", "words"),
    [
        (PSID(2), (20, 1, 5), (20, 1, 2), "trials of several bins"),
        (PSID(2, horizon=11), (5, 20, 4), (5, 20, 2), "horizon must be"),
        (PSID(0), (5, 20, 4), (5, 20, 2), "n_components"),
        (PSID(2, 3), (5, 20, 4), (5, 20, 2), "n_relevant"),
        (PSID(6, 6, horizon=2), (5, 20, 8), (5, 20, 2), "need a longer horizon"),
        (PSID(2), (5, 20, 4), (5, 19, 2), "every bin of X"),
        (PSID(2, cv=9), (50, 4), (50, 2), "use fewer groups"),
    ],
    ids=["bins", "horizon", "none", "relevant", "behaviours", "beside", "folds"],
)
def test_refusals(model, shape, beside, words):
    rng = np.random.default_rng(0)
    with pytest.raises(cs.InputError, match=words):
        model.fit(rng.normal(size=shape), rng.normal(size=beside))


def test_refusals_of_behaviour():
    rng = np.random.default_rng(0)
    y, z = rng.normal(size=(5, 20, 4)), rng.normal(size=(5, 20, 2))
    with pytest.raises(cs.InputError, match="y has NaN"):
        PSID(1, 1).fit(y, np.where(z > 2, np.nan, z))
    z[..., 1] = 0
    with pytest.raises(cs.InputError, match="behaviour 1 of 2 does not vary"):
        PSID(1, 1).fit(y, z)
    model = PSID(1, 1).fit(y, z[..., 0])
    with pytest.raises(cs.InputError, match="expected 1"):
        model.score(y, z)
    assert model.predict(list(y))[0].shape == (20, 1)


def test_behaviour_that_is_not_there_in_a_fold():
    y, z, _ = planted(10, 30, 6)
    z[:2, :, 0] = np.nan
    with pytest.raises(cs.InputError, match="fold 0 of 5 has no behaviour"):
        PSID(2, missing="mask").fit(y, z[..., :1])
    scores = PSID(2, 2, missing="mask").held_out(y, z, n_shifts=2)
    np.testing.assert_array_equal(np.isfinite(scores.r2), [False, True, True])
    np.testing.assert_array_equal(np.isfinite(scores.p), [False, True, True])
    assert np.isfinite(PSID(4, missing="mask").fit(y, z).cv_scores_).all()
