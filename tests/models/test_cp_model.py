"""CP decomposition: planted factors, direct alternating least squares, a peer, missing and ragged data, doors."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.linalg._cp import cp_fit, cp_loadings, cp_predict, cp_similarity
from consilience.models import CP


def planted(n=30, t=20, p=15, r=3, *, noise=0.3, seed=0, positive=False):
    rng = np.random.default_rng(seed)
    draw = rng.random if positive else rng.standard_normal
    factors = tuple(draw((size, r)) for size in (n, t, p))
    x = cp_predict(*factors)
    return x + noise * x.std() * rng.normal(size=x.shape), factors


def holes(x, share, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x)


def khatri_rao(f, g):
    return (f[:, None, :] * g[None, :, :]).reshape(-1, f.shape[1])


def direct(x, mask, factors, sweeps):
    """Alternating least squares written out, a row at a time."""
    a, b, c = (f.copy() for f in factors)
    for _ in range(sweeps):
        for axis in range(3):
            others = [f for i, f in enumerate((a, b, c)) if i != axis]
            design = khatri_rao(*others)
            flat = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
            seen = np.moveaxis(mask, axis, 0).reshape(x.shape[axis], -1)
            new = np.array([np.linalg.lstsq(design[m], y[m], rcond=None)[0] for y, m in zip(flat, seen)])
            if axis == 0:
                a = new
            elif axis == 1:
                b = new
            else:
                c = new
    return cp_predict(a, b, c)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_sweeps_are_those_of_plain_alternating_least_squares(share):
    x, _ = planted(12, 9, 7)
    rng = np.random.default_rng(3)
    mask = rng.random(x.shape) >= share
    start = tuple(rng.normal(size=(2, n, 3)) for n in x.shape)
    filled = np.where(mask, x, 0.0)
    fits = cp_fit(filled, mask if share else None, start, tol=-1.0, max_sweeps=6)
    for s in range(2):
        mine = cp_predict(*(f[s] for f in fits.factors))
        np.testing.assert_allclose(mine, direct(x, mask, [f[s] for f in start], 6), atol=1e-8)
        left = ((np.where(mask, x - mine, 0)) ** 2).sum() / (filled**2).sum()
        assert fits.errors[s] == pytest.approx(left, rel=1e-9)


def test_mask_of_everything_is_no_mask():
    x, _ = planted(12, 9, 7)
    start = tuple(np.random.default_rng(0).normal(size=(1, n, 2)) for n in x.shape)
    one = cp_fit(x, None, start, tol=-1.0, max_sweeps=5)
    two = cp_fit(x, np.ones(x.shape, bool), start, tol=-1.0, max_sweeps=5)
    np.testing.assert_allclose(
        cp_predict(*(f[0] for f in one.factors)), cp_predict(*(f[0] for f in two.factors))
    )


@pytest.mark.parametrize("non_negative", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_planted_factors_are_found(non_negative, share):
    x, truth = planted(positive=non_negative, noise=0.05)
    x = np.maximum(x, 0.0) if non_negative else x
    model = CP(3, non_negative=non_negative, missing="mask", n_restarts=8, rng=0).fit(holes(x, share))
    assert cp_similarity(truth, model.factors_)[1].min() > (0.97 if non_negative else 0.99)
    if non_negative:
        assert min(f.min() for f in model.factors_) >= 0
    assert (np.diff(model.errors_) >= 0).all()
    assert model.similarity_[0] == pytest.approx(1.0)


def test_trials_that_end_early_and_one_mask():
    x, truth = planted(noise=0.05)
    rng = np.random.default_rng(5)
    ends = rng.integers(10, 21, size=30)
    ends[0] = 20
    ragged = [trial[:end] for trial, end in zip(x, ends)]
    padded = np.where(np.arange(20)[None, :, None] < ends[:, None, None], x, np.nan)
    one, two = CP(3).fit(ragged), CP(3, missing="mask").fit(padded)
    assert cp_similarity(truth, one.factors_)[1].min() > 0.99
    np.testing.assert_allclose(one.factors_[1], two.factors_[1], atol=1e-10)
    with pytest.raises(cs.InputError, match="pass missing='mask'"):
        CP(3).fit(padded)


def test_the_number_by_hidden_time_courses():
    x, _ = planted(40, 20, 20, noise=0.7)
    model = CP("cv", max_components=5, n_restarts=3).fit(x)
    assert model.n_components_ == 3
    assert model.cv_scores_.shape == (5, 5)
    assert model.cv_scores_[2].mean() > model.cv_scores_[0].mean()
    mean, low, high = model.cv_interval()
    assert (low <= mean).all()
    assert (mean <= high).all()
    assert mean.shape == (5,)


def test_noise_that_is_smooth_in_time_is_no_structure():
    """Bins hidden one by one would be filled in from their neighbours; whole time courses cannot."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20, 50, 10))
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4.0) ** 2)
    smooth = np.apply_along_axis(np.convolve, 1, noise, kernel, mode="valid")
    with pytest.warns(cs.ConsilienceWarning, match="no-structure"):
        model = CP("cv", max_components=3, n_restarts=2).fit(smooth)
    assert model.cv_scores_.mean(axis=1).max() < 0.0


def test_new_trials_and_units_left_out():
    x, _ = planted(60, noise=0.3)
    model = CP(3).fit(x[:40])
    z = model.transform(x[40:])
    assert z.shape == (20, 3)
    design = khatri_rao(model.factors_[1], model.factors_[2])
    np.testing.assert_allclose(
        z, np.linalg.lstsq(design, x[40:].reshape(20, -1).T, rcond=None)[0].T, atol=1e-8
    )
    assert 0.85 < model.score(x[40:]) < 0.95
    rest = x[40:] - model.inverse_transform(z)
    assert model.score(x[40:]) == pytest.approx(
        1 - (rest**2).sum() / ((x[40:] - x[:40].mean(axis=(0, 1))) ** 2).sum()
    )
    scores = model.unit_scores(x[40:])
    assert scores.shape == (15,)
    assert 0.7 < np.median(scores) < 0.95
    noise = np.random.default_rng(9).normal(size=x.shape)
    with pytest.warns(cs.ConsilienceWarning, match="restarts-disagree"):
        alone = CP(3).fit(noise[:40])
    assert alone.unit_scores(noise[40:]).max() < 0.05


def test_values_and_order_of_components():
    x, _ = planted(noise=0.1)
    model = CP(3).fit(x)
    a, b, c = model.factors_
    for f in (a, b, c):
        np.testing.assert_allclose(np.linalg.norm(f, axis=0), 1.0)
    for f in (b, c):
        assert (f[np.abs(f).argmax(axis=0), np.arange(3)] > 0).all()
    assert (np.diff(model.weights_) <= 0).all()
    # at the optimum the residual is orthogonal to each component, so its removal costs its own square
    np.testing.assert_allclose(model.explained_variance_ratio_, model.weights_**2 / (x**2).sum(), rtol=5e-3)
    again = CP(3).fit(10 * x)
    np.testing.assert_allclose(again.weights_, 10 * model.weights_, rtol=1e-6)
    np.testing.assert_array_equal(CP(3).fit(x).factors_[0], a)


def test_more_components_than_there_are_do_not_agree():
    x, _ = planted(noise=1.0)
    with pytest.warns(cs.ConsilienceWarning, match="restarts-disagree.*n_components='cv'"):
        CP(8, max_iter=100, tol=1e-5).fit(x)


def test_intervals_hold_the_planted_factors():
    inside = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, (_a, b, c) = planted(60, 15, 12, 2, noise=0.8, seed=100)
        x = np.einsum("ir,jr,kr->ijk", 1 + rng.normal(size=(60, 2)), b, c)
        x += rng.normal(size=x.shape)
        model = CP(2, n_restarts=3, rng=seed).fit(x)
        order, _ = cp_similarity((b, c), model.factors_[1:])
        for d, truth in ((0, b), (1, c)):
            low, high = (end[:, order] for end in model.intervals_[d])
            f = truth / np.linalg.norm(truth, axis=0)
            f *= np.sign((f * model.factors_[d + 1][:, order]).sum(axis=0))
            inside.append(((low <= f) & (f <= high)).mean())
    assert 0.90 < np.mean(inside) < 0.985


def test_constant_and_other_units():
    x, _ = planted()
    x[:, :, 4] = 2.0
    with pytest.warns(cs.ConsilienceWarning, match="constant-units"):
        model = CP(3).fit(x)
    assert (model.components_[:, 4] == 0).all()
    assert model.inverse_transform(model.transform(x)).shape == x.shape
    assert np.isnan(model.unit_scores(x)[4])


def test_kinds_of_numbers():
    x, _ = planted(positive=True)
    counts = np.round(20 * np.abs(x)).astype(np.uint8)
    counts.flags.writeable = False
    one = CP(2, non_negative=True).fit(counts)
    two = CP(2, non_negative=True).fit(counts.astype(">f4"))
    np.testing.assert_allclose(one.factors_[2], two.factors_[2])


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: CP(2), np.ones((5, 4)), "at least 2 trials of at least 2 bins, got 1"),
        (lambda: CP(0), None, "n_components"),
        (lambda: CP("auto"), None, "n_components must be a whole number or 'cv', got 'auto'"),
        (lambda: CP(2, non_negative=True), None, "non_negative=True needs data >= 0"),
        (lambda: CP(2, non_negative="yes"), None, "non_negative must be True or False"),
        (lambda: CP(1000), None, "n_components must be at most"),
        (lambda: CP(2), np.ones((5, 4, 3)), "no unit of 3 varies"),
    ],
)
def test_bad_input(make, x, message):
    with pytest.raises(cs.InputError, match=message):
        make().fit(planted(10, 6, 5)[0] if x is None else x)


def test_bad_input_later():
    x, _ = planted(10, 6, 5)
    model = CP(1).fit(x)
    with pytest.raises(cs.InputError, match="the time factors have 6 bins, the trials 5"):
        model.transform(x[:, :5])
    with pytest.raises(cs.InputError, match=r"latents must be \(trials, 1\)"):
        model.inverse_transform(np.ones((3, 2)))
    with pytest.raises(cs.InputError, match="fit with n_components='cv'"):
        model.cv_interval()


def test_loadings_of_a_row_without_values():
    x, (_, b, c) = planted(10, 6, 5)
    mask = np.ones(x.shape, bool)
    mask[3] = False
    assert np.isnan(cp_loadings(np.where(mask, x, 0), mask, b, c)[3]).all()


def test_error_of_a_peer():
    tensortools = pytest.importorskip("tensortools")
    x, _ = planted(30, 20, 15, noise=0.5)
    theirs = tensortools.cp_als(x, rank=3, verbose=False, random_state=0, tol=1e-10, max_iter=500)
    mine = CP(3, tol=1e-12).fit(x)
    assert np.sqrt(mine.errors_[0]) == pytest.approx(theirs.obj, rel=1e-5)
