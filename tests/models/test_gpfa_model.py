"""GPFA: densities written out, elephant as an oracle, held-out units, planted latents, missing and ragged data."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.utils.estimator_checks import parametrize_with_checks

import consilience as cs
from consilience.models._gp_kernels import KERNELS, Lags, kernel_of, update_timescales
from consilience.models._gp_posterior import Parameters, blocks_of, expect, expect_all, moments_of
from consilience.models._gpfa import constants_of, em
from consilience.models._trials import as_trials

SERIES = "bins follow each other in time, so their order and their neighbours matter"
EXPECTED = dict.fromkeys(["check_methods_sample_order_invariance", "check_methods_subset_invariance"], SERIES)


@pytest.mark.filterwarnings(r"ignore:\[not-converged\]")
@parametrize_with_checks([cs.models.GPFA(1, max_iter=5)], expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def planted(
    n=20, t=30, units=15, taus=(2.0, 8.0), *, noise=1.0, seed=0, kernel="rbf", lengths=None, offset=3.0
):
    """(list of trials, list of latents, loadings)."""
    rng = np.random.default_rng(seed)
    taus = np.asarray(taus)
    loadings = rng.normal(size=(units, taus.size))
    mean = offset * rng.normal(size=units)
    made = kernel_of(kernel, 1e-3, who="test")
    trials, latents = [], []
    for bins in lengths if lengths is not None else [t] * n:
        k = made.covariance(Lags.whole(bins), taus)
        x = np.stack([np.linalg.cholesky(c) @ rng.normal(size=bins) for c in k], axis=1)
        trials.append(x @ loadings.T + mean + np.sqrt(noise) * rng.normal(size=(bins, units)))
        latents.append(x)
    return trials, latents, loadings


def full_covariance(model, bins):
    """(bins * units, bins * units) of one trial, from the fitted attributes alone."""
    made = kernel_of(model.kernel, model.gp_noise, who="test")
    k = made.covariance(Lags.whole(bins), model.timescales_ / model.bin_width)
    shared = np.einsum("ui,its,vi->tusv", model.loadings_, k, model.loadings_)
    size = bins * len(model.loadings_)
    return shared.reshape(size, size) + np.kron(np.eye(bins), np.diag(model.noise_variance_))


@pytest.mark.parametrize("kernel", ["rbf", "matern12", "matern32", "matern52"])
@pytest.mark.parametrize("bins", [1, 6, 7])
def test_log_likelihood_is_the_density_of_a_normal_distribution(kernel, bins):
    trials, *_ = planted(6, 7, 4, kernel=kernel)
    model = cs.models.GPFA(2, kernel=kernel, bin_width=0.05, max_iter=3, tol=0.0).fit(trials)
    new = [one[:bins] for one in trials]
    direct = stats.multivariate_normal(np.tile(model.mean_, bins), full_covariance(model, bins))
    want = [direct.logpdf(one.ravel()) for one in new]
    np.testing.assert_allclose(model.log_likelihood(new), want, rtol=1e-8)
    assert model.score(new) == pytest.approx(np.sum(want) / (6 * bins * 4), rel=1e-8)


def with_holes(trials, share, seed=1):
    rng = np.random.default_rng(seed)
    out = [one.copy() for one in trials]
    for one in out:
        one[rng.random(one.shape) < share] = np.nan
    out[0][2] = np.nan  # a whole bin
    out[1][:, 1] = np.nan  # a unit in a whole trial
    return out


def test_missing_values_are_left_out_of_the_density_exactly():
    trials, *_ = planted(6, 7, 4)
    holes = with_holes(trials, 0.2)
    model = cs.models.GPFA(2, max_iter=3, tol=0.0, missing="mask").fit(holes)
    covariance, mean = full_covariance(model, 7), np.tile(model.mean_, 7)
    for one, got in zip(holes, model.log_likelihood(holes)):
        seen = ~np.isnan(one.ravel())
        want = stats.multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)]).logpdf(one.ravel()[seen])
        assert got == pytest.approx(want, rel=1e-8)


@pytest.mark.parametrize("holes", [False, True])
def test_latents_and_left_out_units_are_conditional_means(holes):
    trials, *_ = planted(6, 7, 4)
    trials = with_holes(trials, 0.2) if holes else trials
    model = cs.models.GPFA(2, max_iter=3, tol=0.0, missing="mask").fit(trials)
    covariance, mean = full_covariance(model, 7), np.tile(model.mean_, 7)
    k = kernel_of("rbf", 1e-3, who="test").covariance(Lags.whole(7), model.timescales_)
    cross = np.einsum("its,ui->tisu", k, model.loadings_).reshape(14, 28)
    prior = np.einsum("its,ij->tisj", k, np.eye(2)).reshape(14, 14)
    posterior, guess = model.posterior(trials), model.predict_units(trials)
    number = np.tile(np.arange(4), 7)
    for i, one in enumerate(trials):
        y, seen = one.ravel() - mean, ~np.isnan(one.ravel())
        inner = covariance[np.ix_(seen, seen)]
        x = (cross[:, seen] @ np.linalg.solve(inner, y[seen])).reshape(7, 2)
        v = (prior - cross[:, seen] @ np.linalg.solve(inner, cross[:, seen].T)).reshape(7, 2, 7, 2)
        np.testing.assert_allclose(posterior.mean[i], x @ model.rotation_.T, atol=1e-8)
        turned = np.einsum("ai,titj,aj->ta", model.rotation_, v, model.rotation_)
        np.testing.assert_allclose(posterior.variance[i], turned, atol=1e-8)
        for unit in range(4):
            other, own = seen & (number != unit), number == unit
            if other.any():
                solved = np.linalg.solve(covariance[np.ix_(other, other)], y[other])
                want = mean[own] + covariance[np.ix_(own, other)] @ solved
                np.testing.assert_allclose(guess[i][:, unit], want, atol=1e-8)


def test_scores_of_units_are_the_share_of_squares_explained():
    trials, *_ = planted(8, 12, 5)
    model = cs.models.GPFA(2, max_iter=20, tol=0.0).fit(trials)
    guess, stack = np.concatenate(model.predict_units(trials)), np.concatenate(trials)
    want = 1 - ((stack - guess) ** 2).sum(axis=0) / ((stack - model.mean_) ** 2).sum(axis=0)
    np.testing.assert_allclose(model.unit_scores(trials), want, rtol=1e-9)


def elephant_core():
    folder = os.environ.get("CONSILIENCE_PEERS")
    if folder and folder not in sys.path:
        sys.path.append(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("elephant.gpfa.gpfa_core")


@pytest.mark.parametrize("lengths", [[20] * 12, [20, 11, 20, 7, 11, 20, 20, 7]], ids=["equal", "ragged"])
def test_likelihood_latents_and_steps_of_em_are_those_of_elephant(lengths):
    core = elephant_core()
    trials, *_ = planted(units=10, lengths=lengths)
    data = as_trials(trials, who="test")
    centred = data.centred(data.mean())
    rng = np.random.default_rng(3)
    start = Parameters(rng.normal(size=(10, 2)), np.zeros(10), centred.variance() / 2, np.full(2, 5.0))
    theirs = {
        "covType": "rbf",
        "gamma": (1 / start.tau) ** 2,
        "eps": np.full(2, 1e-3),
        "d": start.mean.copy(),
        "C": start.loadings.copy(),
        "R": np.diag(start.noise),
        "notes": {"learnKernelParams": True, "learnGPNoise": False, "RforceDiagonal": True},
    }
    rows = np.empty(len(trials), dtype=[("T", int), ("y", object)])
    for i, one in enumerate(centred.values):
        rows[i] = len(one), one.T.copy()
    kernel = kernel_of("rbf", 1e-3, who="test")
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = core.exact_inference_with_ll(rows, theirs)[1]
        found, _latents, history, _ = core.em(theirs, rows, max_iters=20, freq_ll=1)
        again = core.exact_inference_with_ll(rows, found)
    p = Parameters(found["C"], found["d"], np.diag(found["R"]), 1 / np.sqrt(found["gamma"]))

    def likelihood(parameters):
        return sum(expect(b, parameters, kernel).log_likelihood.sum() for b in blocks_of(centred))

    assert likelihood(start) == pytest.approx(first, rel=1e-10)
    assert likelihood(p) == pytest.approx(again[1], rel=1e-10)
    constants = constants_of(centred, 0.01, (0.2, 1e3))
    ours, mine, _ = em(centred, start, kernel, constants, 20, 0.0)
    np.testing.assert_allclose(mine, history, rtol=1e-6)
    assert likelihood(ours) == pytest.approx(again[1], rel=1e-6)
    whole = blocks_of(centred, fold=False)
    for block in whole:
        post = expect(block, p, kernel)
        for i, trial in enumerate(block.trials):
            np.testing.assert_allclose(post.mean[i].T, again[0][trial]["latent_variable"], atol=1e-7)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_derivatives_of_kernels_are_differences(name):
    kernel, own = (
        kernel_of(name, 0.01, who="test"),
        kernel_of(lambda r: KERNELS[name](r)[0], 0.01, who="test"),
    )
    tau = np.array([0.7, 3.0, 12.0])
    for lags in (Lags.whole(9), *Lags.folded(9), *Lags.folded(8)):
        for got, want in zip(kernel.derivatives(lags, tau), own.derivatives(lags, tau)):
            np.testing.assert_allclose(got, want, atol=2e-6)


def test_update_of_time_constants_finds_the_top():
    rng = np.random.default_rng(0)
    kernel, lags = kernel_of("rbf", 1e-3, who="test"), Lags.whole(25)
    tau = np.array([1.5, 6.0])
    k = kernel.covariance(lags, tau)
    x = np.stack([np.linalg.cholesky(c) @ rng.normal(size=(25, 40)) for c in k])
    p = x @ x.transpose(0, 2, 1)

    def value(at):
        k = kernel.covariance(lags, at)
        return -20 * np.linalg.slogdet(k)[1] - 0.5 * np.einsum("kts,kst->k", np.linalg.inv(k), p)

    for start in (0.5, 5.0, 60.0):
        found, [(inverse, log_det)] = update_timescales(
            kernel, [(lags, 40, p)], np.full(2, start), (0.2, 250.0)
        )
        at = kernel.covariance(lags, found)
        np.testing.assert_allclose(inverse @ at, np.broadcast_to(np.eye(25), at.shape), atol=1e-7)
        np.testing.assert_allclose(log_det, np.linalg.slogdet(at)[1])
        np.testing.assert_allclose(found, tau, rtol=0.1)
        assert (value(found) >= value(found * 1.001)).all()
        assert (value(found) >= value(found * 0.999)).all()


@pytest.mark.parametrize("holes", [False, True])
def test_em_never_lowers_the_likelihood(holes):
    trials, *_ = planted(8, 14, 6, lengths=[14, 9, 14, 9, 12, 14])
    model = cs.models.GPFA(2, max_iter=60, tol=0.0, missing="mask")
    model.fit(with_holes(trials, 0.2) if holes else trials)
    assert (np.diff(model.objective_) > -1e-9 * np.abs(model.objective_[:-1])).all()


def angle(a, b):
    """Cosine of the largest principal angle between columns."""
    q, r = (np.linalg.qr(v)[0] for v in (a, b))
    return np.linalg.svd(q.T @ r, compute_uv=False).min()


@pytest.mark.parametrize("kind", ["complete", "ragged", "missing"])
def test_planted_latents_are_found(kind):
    lengths = [30] * 30 if kind != "ragged" else [20 + i % 3 * 10 for i in range(30)]
    trials, latents, loadings = planted(units=20, lengths=lengths, taus=(2.0, 8.0))
    data = with_holes(trials, 0.2) if kind == "missing" else trials
    model = cs.models.GPFA(2, bin_width=0.02, missing="mask", max_iter=60, tol=1e-5).fit(data)
    assert angle(model.components_.T, loadings) > 0.99
    np.testing.assert_allclose(np.sort(model.timescales_), [0.04, 0.16], rtol=0.15)
    found, x = np.concatenate(model.transform(data)), np.concatenate(latents)
    coefficients = np.linalg.lstsq(found, x, rcond=None)[0]
    assert 1 - ((x - found @ coefficients) ** 2).sum() / (x**2).sum() > 0.85


def test_what_does_not_change_the_model_and_what_does():
    trials, *_ = planted(10, 12, 6)
    model = cs.models.GPFA(2, max_iter=15, tol=0.0)
    base = model.fit(trials).unit_scores(trials)
    kind = model.fit(trials[::-1])
    np.testing.assert_allclose(kind.unit_scores(trials), base, rtol=1e-6)  # order of trials
    backwards = [one[::-1] for one in trials]
    np.testing.assert_allclose(model.fit(backwards).unit_scores(backwards), base, rtol=1e-6)  # time reversed
    scaled = [1e3 * one + 1e5 for one in trials]
    np.testing.assert_allclose(model.fit(scaled).unit_scores(scaled), base, rtol=1e-5)  # unit of measurement
    rng = np.random.default_rng(0)
    mixed = [one[rng.permutation(len(one))] for one in trials]
    assert abs(model.fit(mixed).unit_scores(mixed) - base).max() > 0.01  # order of bins


def test_containers_shapes_and_types_come_back():
    trials, *_ = planted(5, 10, 6, lengths=[10, 8, 10, 6, 10])
    model = cs.models.GPFA(2, max_iter=5, tol=0.0, missing="mask").fit(trials)
    listed = model.transform(trials)
    assert [one.shape for one in listed] == [(10, 2), (8, 2), (10, 2), (6, 2), (10, 2)]
    padded = np.full((5, 10, 6), np.nan)
    for i, one in enumerate(trials):
        padded[i, : len(one)] = one
    array = model.transform(padded)
    assert array.shape == (5, 10, 2)
    assert np.isnan(array[1, 8:]).all()
    np.testing.assert_allclose(array[3, :6], listed[3])
    again = cs.models.GPFA(2, max_iter=5, tol=0.0, missing="mask").fit(padded)
    np.testing.assert_allclose(again.components_, model.components_)
    assert model.predict_units(padded).shape == padded.shape
    assert model.inverse_transform(array).shape == padded.shape
    assert model.inverse_transform(listed)[1].shape == (8, 6)
    assert model.transform(trials[0]).shape == (10, 2)  # one trial (time, unit)
    np.testing.assert_allclose(model.components_ @ model.components_.T, np.eye(2), atol=1e-12)
    assert (np.abs(model.components_).max(axis=1) == model.components_.max(axis=1)).all()  # sign
    whole = np.stack([trials[0], trials[2]])
    kept = whole.copy()
    with np.errstate(all="raise"):
        for one in (whole.astype(">f4"), whole.astype(np.float32), np.round(whole).astype(int)):
            assert cs.models.GPFA(1, max_iter=2, tol=0.0).fit(one).components_.dtype == np.float64
    whole.setflags(write=False)
    cs.models.GPFA(1, max_iter=2, tol=0.0).fit(whole)
    np.testing.assert_array_equal(whole, kept)


def test_units_that_do_not_vary_are_left_out():
    trials, *_ = planted(6, 10, 5)
    for one in trials:
        one[:, 2] = 7.0
    with pytest.warns(cs.ConsilienceWarning, match=r"\[constant-units\] GPFA.fit: 1 of 5 units do not vary"):
        model = cs.models.GPFA(2, max_iter=3, tol=0.0).fit(trials)
    assert (model.components_[:, 2] == 0).all()
    assert model.mean_[2] == 7.0
    assert np.isnan(model.unit_scores(trials)[2])
    assert np.isfinite(model.score(trials))
    np.testing.assert_array_equal(np.concatenate(model.predict_units(trials))[:, 2], 7.0)
    without = cs.models.GPFA(2, max_iter=3, tol=0.0).fit([np.delete(one, 2, axis=1) for one in trials])
    np.testing.assert_allclose(np.delete(model.components_, 2, axis=1), without.components_)


def test_pieces_of_trials_and_square_roots():
    trials, *_ = planted(6, 25, 5)
    pieces = cs.models.GPFA(2, max_iter=4, tol=0.0, segment=10).fit(trials)
    cut = [part for one in trials for part in np.array_split(one, 3)]
    by_hand = cs.models.GPFA(2, max_iter=4, tol=0.0).fit(cut)
    np.testing.assert_allclose(pieces.loadings_, by_hand.loadings_)
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.exp(0.2 * np.concatenate(trials))).astype(float)
    rooted = cs.models.GPFA(2, max_iter=4, tol=0.0, square_root=True).fit(counts)
    plain = cs.models.GPFA(2, max_iter=4, tol=0.0).fit(np.sqrt(counts))
    np.testing.assert_allclose(rooted.components_, plain.components_)
    np.testing.assert_allclose(rooted.unit_scores(counts), plain.unit_scores(np.sqrt(counts)))
    assert (rooted.predict_units(counts) >= 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_components": 9}, r"n_components=9 is more than the 4 units that vary"),
        ({"kernel": "matern"}, r"kernel must be one of 'rbf', .* Did you mean"),
        ({"kernel": lambda r: 0 * r}, r"kernel must return the correlation at each scaled lag, 1 at lag 0"),
        ({"kernel": lambda r: (r < 2).astype(float)}, r"kernel is no covariance"),
        ({"kernel": lambda: 0}, r"kernel must be a function of an array of scaled lags"),
        ({"bin_width": 0}, r"bin_width must be a number in \(0, inf\)"),
        ({"gp_noise": 1.0}, r"gp_noise must be a number in \(0, 1\)"),
        ({"noise_floor": -1}, r"noise_floor must be a number"),
        ({"max_iter": 0}, r"max_iter must be a whole number"),
        ({"segment": 0}, r"segment must be a whole number"),
        ({"square_root": True}, r"square_root=True needs counts, at least 0; got -"),
    ],
)
def test_bad_parameters_are_refused(change, words):
    trials, *_ = planted(4, 8, 4)
    with pytest.raises(cs.InputError, match=words):
        cs.models.GPFA(2).set_params(**change).fit(trials)


def test_bad_data_are_refused_with_the_remedy():
    trials, *_ = planted(4, 8, 4)
    model = cs.models.GPFA(2, max_iter=3, tol=0.0)
    with pytest.raises(cs.InputError, match=r"NaN in 4 of 128 values; pass missing='mask'"):
        model.fit([trials[0] * np.where(np.arange(8) == 2, np.nan, 1)[:, None], *trials[1:]])
    model.fit(trials)
    with pytest.raises(cs.InputError, match="X has 3 units, expected 4"):
        model.transform([one[:, :3] for one in trials])
    with pytest.raises(cs.InputError, match=r"expected latents \(..., 2\), got shape \(3,\)"):
        model.inverse_transform(np.zeros(3))
    with pytest.warns(cs.ConsilienceWarning, match=r"\[not-converged\] GPFA: EM stopped at max_iter=2"):
        cs.models.GPFA(2, max_iter=2).fit(trials)


def test_more_units_than_bins_and_one_trial():
    trials, *_ = planted(1, 12, 40)
    model = cs.models.GPFA(2, max_iter=10, tol=0.0).fit(trials)
    assert np.isfinite(model.score(trials))
    assert np.isfinite(model.unit_scores(trials)).all()
    twice = cs.models.GPFA(2, max_iter=10, tol=0.0).fit(
        [np.hstack([one, one]) for one in trials]
    )  # duplicates
    assert np.isfinite(twice.objective_).all()
    assert (twice.noise_variance_ > 0).all()


def test_a_step_of_the_noise_is_not_below_its_floor():
    trials, *_ = planted(5, 10, 4)
    data = as_trials(trials, who="test")
    centred = data.centred(data.mean())
    constants = constants_of(centred, 0.5, (0.2, 100.0))
    start = Parameters(np.ones((4, 1)), np.zeros(4), centred.variance(), np.array([3.0]))
    found, *_ = em(centred, start, kernel_of("rbf", 1e-3, who="test"), constants, 3, 0.0)
    assert (found.noise >= constants.floor).all()
    assert replace(found, tau=found.tau).tau is found.tau


def test_noise_of_a_process_below_rounding_is_refused():
    trials, *_ = planted(6, 40, 8, taus=(8.0, 12.0))
    with pytest.raises(cs.InputError, match="gp_noise=1e-18 the covariance over 40 bins cannot be told"):
        cs.models.GPFA(2, gp_noise=1e-18).fit(trials)


def test_trials_of_one_length_share_their_prior_whatever_is_missing():
    trials, *_ = planted(6, 10, 6)
    data = as_trials(with_holes(trials, 0.2), who="test", missing="mask")
    blocks = blocks_of(data.centred(data.mean()), fold=False)
    assert len(blocks) == 6
    assert len({id(block.lags) for block in blocks}) == 1
    kernel = kernel_of("rbf", 1e-3, who="test")
    rng = np.random.default_rng(0)
    p = Parameters(rng.normal(size=(6, 2)), np.zeros(6), np.ones(6), np.array([2.0, 5.0]))
    posts = expect_all(blocks, p, kernel)
    for block, post in zip(blocks, posts):
        np.testing.assert_allclose(post.mean, expect(block, p, kernel).mean, atol=1e-12)
    [(lags, n, moments)] = moments_of(blocks, posts)
    assert (n, lags.size) == (6, 10)
    np.testing.assert_allclose(moments, sum(post.moments() for post in posts))
