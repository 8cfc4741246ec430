"""`encode` with GLMs: held-out likelihood scores, blocked folds, nulls."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import consilience as cs
from consilience.models import GLM, GLMCV


def series(n=600, p=4, t=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    w = rng.normal(size=(p, t)) * 0.4
    w[:, -1] = 0
    y = rng.poisson(np.exp(x @ w - 0.5)).astype(float)
    time = np.arange(n) * 0.05
    dims = ("time", "unit")
    return (
        cs.responses(x, time=time, dims=dims, kind="activation", system="stimulus"),
        cs.responses(y, time=time, dims=dims, kind="count", system="M1"),
    )


def test_counts_are_scored_by_their_likelihood_on_held_out_stretches():
    x, y = series()
    result = cs.encode(x, y, model=GLM(alpha=0.01), cv=4, gap=5, n_boot=100, n_perm=30, rng=0)
    predicted, actual = result.predictions["predicted"].values, result.predictions["actual"].values
    top = below = count = 0.0
    for k in range(4):
        test = np.arange(150 * k, 150 * (k + 1))
        train = np.setdiff1d(np.arange(600), np.arange(150 * k - 5, 150 * (k + 1) + 5))
        fitted = GLM(alpha=0.01).fit(x.values[train], y.values[train])
        mu = fitted.predict(x.values[test])
        np.testing.assert_allclose(predicted[test], mu, rtol=1e-8)
        base = np.broadcast_to(y.values[train].mean(axis=0), mu.shape)
        now = y.values[test]
        top = top + cs.stats.deviance(now, base, "poisson") - cs.stats.deviance(now, mu, "poisson")
        below = below + cs.stats.deviance(now, base, "poisson")
        count = count + now.sum(axis=0)
    np.testing.assert_array_equal(actual, y.values)
    np.testing.assert_allclose(result.data["d2"], top / below, rtol=1e-6)
    np.testing.assert_allclose(result.data["bits_per_spike"], top / 2 / np.log(2) / count, rtol=1e-6)
    assert (result.data["d2_low"] <= result.data["d2"]).all()
    assert (result.data["d2"] <= result.data["d2_high"]).all()
    assert (result.data["p"].values[:2] < 0.05).all()
    assert result.data["p"].values[2] > 0.05
    assert "truccolo2005point" in result.references
    assert {"d2", "bits_per_spike_low"} <= set(result.to_frame().columns)


def test_penalties_are_chosen_inside_training_and_stand_in_the_result(tmp_path):
    x, y = series()
    result = cs.encode(x, y, model=GLMCV(cv=3), cv=3, n_boot=100, n_perm=0, rng=0)
    assert result.data["alpha"].values[2] > result.data["alpha"].values[:2].max()
    cs.testing.check_result(result)
    result.save(tmp_path / "a.nc")
    np.testing.assert_allclose(cs.load(tmp_path / "a.nc").data["d2"], result.data["d2"])


def test_a_gaussian_glm_is_ridge_and_has_r2_alone():
    x, y = series()
    glm = cs.encode(x, y, model=GLM("gaussian", alpha=0.0), n_boot=0, n_perm=0, rng=0)
    ridge = cs.encode(x, y, model=cs.models.RidgeCV([1e-9]), n_boot=0, n_perm=0, rng=0)
    np.testing.assert_allclose(glm.data["r"], ridge.data["r"], atol=1e-6)
    assert "d2" not in glm.data
    assert "d2" not in ridge.data


def test_stimuli_too_and_the_refused_are_named():
    rng = np.random.default_rng(0)
    ids = [f"image{i}" for i in range(60)]
    features = rng.normal(size=(60, 4))
    counts = rng.poisson(np.exp(features[:, :3] * 0.7)).astype(float)
    layer = cs.responses(features, stimulus=ids, system="layer")
    v1 = cs.responses(counts, stimulus=ids, kind="count", system="V1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        result = cs.encode(layer, v1, model=GLMCV(cv=3), n_boot=100, n_perm=0, n_deals=1, rng=0)
    assert (result.data["d2"] > 0.05).all()
    bad = cs.responses(counts - 1, stimulus=ids, kind="rate", system="V1")
    with pytest.raises(cs.InputError, match="y of poisson observations must be counts, at least 0; got -1"):
        cs.encode(layer, bad, model=GLM(), n_boot=0, n_perm=0, rng=0)


@pytest.mark.parametrize("observation", ["poisson", "bernoulli"])
def test_a_unit_that_hardly_fires_gets_nothing_out_of_nothing(observation):
    rng = np.random.default_rng(0)
    counts = np.zeros((400, 2))
    counts[150, 0] = 1.0
    counts[:, 1] = rng.poisson(0.3, 400).clip(0, 1)
    time = np.arange(400) * 0.1
    x = cs.responses(rng.normal(size=(400, 2)), dims=("time", "unit"), time=time, system="x")
    y = cs.responses(counts, dims=("time", "unit"), time=time, kind="count", system="y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        result = cs.encode(x, y, model=GLM(observation, alpha=1e3), n_boot=50, n_perm=0, rng=0)
    np.testing.assert_allclose(result.data["bits_per_spike"][0], 0, atol=0.01)
    np.testing.assert_allclose(result.data["d2"][0], 0, atol=0.01)
