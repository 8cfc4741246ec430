"""Intervals of time constants: slopes by differences of the likelihood, coverage on planted latents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import consilience as cs
from consilience.models._gp_kernels import Lags, kernel_of
from consilience.models._gp_posterior import Parameters, blocks_of, expect
from consilience.models._gp_timescales import timescale_interval
from consilience.models._poisson_gpfa import inferred
from consilience.models._trials import as_trials


def planted(n=20, bins=15, units=10, taus=(1.5, 5.0), seed=0, counts=False):
    rng = np.random.default_rng(seed)
    kernel, loadings = kernel_of("rbf", 1e-3, who="test"), rng.normal(size=(units, len(taus)))
    k = kernel.covariance(Lags.whole(bins), np.asarray(taus))
    x = np.stack([rng.normal(size=(n, bins)) @ np.linalg.cholesky(c).T for c in k], axis=2) @ loadings.T
    return rng.poisson(np.exp(0.6 * x - 0.5)).astype(float) if counts else x + rng.normal(size=x.shape)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("counts", [False, True])
def test_slopes_are_differences_of_what_is_maximised(counts, holes):
    x = planted(5, 8, 6, counts=counts)
    if holes:
        x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    kind = cs.models.PoissonGPFA if counts else cs.models.GPFA
    model = kind(2, max_iter=3, tol=0.0, missing="mask").fit(x)
    trials = as_trials(x, who="test", missing="mask")
    slopes, p = model._slopes(trials)
    by_tau, by_loadings = slopes(p)

    def value(at: Parameters) -> float:
        if counts:
            found = inferred(trials, at, model._kernel, [], enough=1e-12)
            return sum(f.bound for f in found) - 0.05 * (at.loadings**2).sum()
        centred = trials.centred(model._parameters.mean)
        return sum(expect(b, at, model._kernel).log_likelihood.sum() for b in blocks_of(centred))

    step = 1e-4
    for i in range(2):
        e = step * np.eye(2)[i]
        up, down = (value(replace(p, tau=p.tau * np.exp(s * e))) for s in (1, -1))
        assert by_tau[i] == pytest.approx((up - down) / (2 * step), rel=1e-3, abs=1e-2)
        for u in (0, 3):
            d = np.zeros((6, 2))
            d[u, i] = step
            up, down = (value(replace(p, loadings=p.loadings + s * d)) for s in (1, -1))
            assert by_loadings[u, i] == pytest.approx((up - down) / (2 * step), rel=1e-3, abs=1e-2)


def test_time_constants_of_a_parabola_have_its_interval():
    """Slopes -8 log(tau / tau0): information 8, whatever the loadings do."""
    p = Parameters(np.eye(3)[:, :1], np.zeros(3), np.ones(3), np.array([4.0]))
    low, high = timescale_interval(
        lambda at: (-8 * np.log(at.tau / 4.0), -5 * (at.loadings - p.loadings)), p, 0.95
    )
    np.testing.assert_allclose(np.log(high / 4), 1.959964 / np.sqrt(8), rtol=1e-5)
    np.testing.assert_allclose(low * high, 16.0)


def test_intervals_follow_the_unit_of_time_and_the_level():
    x = planted()
    model = cs.models.GPFA(2, bin_width=0.05, tol=1e-5).fit(x)
    low, high = model.timescale_interval(x)
    assert (low < model.timescales_).all()
    assert (model.timescales_ < high).all()
    wider = model.timescale_interval(x, level=0.99)
    assert (wider[0] < low).all()
    again = cs.models.GPFA(2, bin_width=0.1, tol=1e-5).fit(x)
    np.testing.assert_allclose(again.timescale_interval(x)[0], 2 * low, rtol=1e-6)
    with pytest.raises(cs.InputError, match="level must be a number"):
        model.timescale_interval(x, level=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("counts", [False, True])
def test_intervals_hold_the_planted_time_constants(counts):
    taus, held = np.array([1.5, 5.0]), []
    for seed in range(12):
        x = planted(seed=seed, units=15, counts=counts)
        kind = cs.models.PoissonGPFA if counts else cs.models.GPFA
        model = kind(2, max_iter=400, tol=1e-6 if counts else 1e-7).fit(x)
        low, high = model.timescale_interval(x)
        order = np.argsort(model.timescales_)
        held.append((low[order] <= taus) & (taus <= high[order]))
    assert np.mean(held) > 0.8
