"""Basis functions and lagged designs: equations, sums and products, breaks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline as ScipySpline

import consilience as cs
from consilience.models import basis, coupling_design, lagged

ONE = [
    basis.RaisedCosine(6),
    basis.RaisedCosine(6, cyclic=True),
    basis.RaisedCosineLog(6),
    basis.BSpline(6),
    basis.BSpline(6, cyclic=True),
    basis.BSpline(5, degree=2),
    basis.BSpline(4, degree=0),
    basis.OneHot(6),
]
X = np.linspace(0, 1, 101)


@pytest.mark.parametrize("made", ONE, ids=repr)
def test_shape_range_and_finite(made):
    values = made(X)
    assert values.shape == (101, made.n_features)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (values <= 1 + 1e-12).all()
    assert np.linalg.matrix_rank(values) == made.n_features


@pytest.mark.parametrize(
    ("made", "total"),
    [
        (basis.BSpline(7), 1.0),
        (basis.BSpline(7, cyclic=True), 1.0),
        (basis.OneHot(7), 1.0),
        (basis.RaisedCosine(7, cyclic=True), 1.5),
    ],
    ids=repr,
)
def test_functions_sum_to_a_constant(made, total):
    np.testing.assert_allclose(made(X).sum(axis=1), total, atol=1e-12)


@pytest.mark.parametrize(
    "made", [basis.BSpline(7, cyclic=True), basis.RaisedCosine(7, cyclic=True)], ids=repr
)
def test_a_circle_has_no_seam_and_its_functions_are_shifts_of_one(made):
    np.testing.assert_allclose(made(X + 3), made(X), atol=1e-9)
    np.testing.assert_allclose(made(np.array([1e-7])), made(np.array([-1e-7])), atol=1e-5)
    np.testing.assert_allclose(made(X + 1 / 7)[:, 1:], made(X)[:, :-1], atol=1e-9)


def test_splines_are_those_of_scipy():
    knots = np.concatenate([[2.0] * 3, np.linspace(2, 8, 5), [8.0] * 3])
    at = np.linspace(2, 8, 40)
    made = basis.BSpline(7, 2, 8)(at)
    for j in range(7):
        one = ScipySpline(knots, np.eye(7)[j], 3)
        np.testing.assert_allclose(made[:, j], one(at), atol=1e-12)


def test_raised_cosines_are_the_formula_of_pillow():
    made = basis.RaisedCosineLog(5, 0, 100, offset=2.0)
    at = np.linspace(0, 100, 57)
    centres = np.linspace(np.log(2), np.log(102), 5)
    d = centres[1] - centres[0]
    away = np.log(at + 2)[:, None] - centres
    want = np.where(np.abs(away) < 2 * d, 0.5 * (1 + np.cos(away * np.pi / (2 * d))), 0)
    np.testing.assert_allclose(made(at), want, atol=1e-12)
    widths = (made.kernel(200) > 0.5).sum(axis=0)
    assert (np.diff(widths[1:-1]) > 0).all()


def test_sums_stand_side_by_side_and_products_are_outer():
    a, b, c = basis.RaisedCosine(3), basis.BSpline(4), basis.OneHot(2)
    x, y, z = np.random.default_rng(0).uniform(size=(3, 20))
    np.testing.assert_array_equal((a + b)(x, y), np.concatenate([a(x), b(y)], axis=1))
    product = (a * b)(x, y)
    for i in range(3):
        for j in range(4):
            np.testing.assert_allclose(product[:, 4 * i + j], a(x)[:, i] * b(y)[:, j])
    both = (a + b) * c
    assert both.n_features == 14
    assert both.n_inputs == 3
    assert both(x, y, z).shape == (20, 14)
    assert repr(both) == "(RaisedCosine(3, 0, 1) + BSpline(4, 0, 1)) * OneHot(2, 0, 1)"


def test_one_hot_kernel_is_the_identity():
    for n in (1, 2, 3, 7, 50):
        np.testing.assert_array_equal(basis.OneHot(n).kernel(n), np.eye(n))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: basis.BSpline(3), "n must be a whole number, at least 4; got 3"),
        (lambda: basis.RaisedCosine(3, 1, 1), "high must be above low, got 1 to 1"),
        (
            lambda: basis.BSpline(5)(np.array([0.5, 1.5])),
            "1 of 2 values are outside 0 to 1, e.g. 1.5; give low=",
        ),
        (lambda: basis.BSpline(5)(np.zeros((3, 2))), r"x must be \(samples,\), got shape \(3, 2\)"),
        (lambda: basis.BSpline(5)(np.array([np.nan])), "NaN or infinite"),
        (lambda: basis.BSpline(5)(np.zeros(3), np.zeros(3)), r"takes 1 input \(samples,\), got 2"),
        (lambda: (basis.BSpline(5) * basis.BSpline(5))(np.zeros(3), np.zeros(4)), "same samples, got 3, 4"),
        (lambda: basis.RaisedCosineLog(5, offset=0), "offset must be a number in"),
        (lambda: lagged(np.zeros(5), [0, 0]), "lags must be different whole numbers"),
        (lambda: lagged(np.zeros(5), [0], times=[0, 1, 1, 2, 3]), "times must rise; sample 2"),
        (lambda: lagged(np.zeros(5), [0], trials=[0, 1]), "trials must be one per sample"),
        (lambda: lagged(np.zeros(5), [0, 1], kernel=np.ones((3, 1))), "a row for each of the 2 lags"),
        (lambda: lagged(np.zeros(5), [0], fill=3.0), "fill must be NaN or 0"),
        (lambda: lagged(np.array([1.0, np.nan]), [0]), "x has NaN or infinite values"),
        (lambda: coupling_design(np.zeros(5), np.zeros(3)), r"kernel must be \(lags, filters\)"),
    ],
)
def test_messages(call, message):
    with pytest.raises(cs.InputError, match=message):
        call()


def slow_lagged(x, lags, breaks, kernel=None):
    """Row by row, as the docstring says."""
    n, p = x.shape
    piece = np.cumsum(np.isin(np.arange(n), breaks))
    kernel = np.eye(len(lags)) if kernel is None else kernel
    out = np.full((n, p * kernel.shape[1]), np.nan)
    for i in range(n):
        at = [i - lag for lag in lags]
        span = range(min([i, *at]), max([i, *at]) + 1)
        if any(k < 0 or k >= n or piece[k] != piece[i] for k in span):
            continue
        out[i] = (np.stack([x[k] for k in at], axis=1) @ kernel).ravel()
    return out


@pytest.mark.parametrize("lags", [[0], [1, 2, 3], [3, 0, 1], [-2, 0, 2], [-1], [5, 7]])
@pytest.mark.parametrize("with_kernel", [False, True])
def test_lags_are_those_of_the_definition_and_stop_at_breaks(lags, with_kernel):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    kernel = rng.normal(size=(len(lags), 2)) if with_kernel else None
    times = np.arange(40) * 0.05
    times[13:] += 0.1
    trials = np.repeat([0, 1], [30, 10])
    found = lagged(x, lags, kernel=kernel, times=times, trials=trials)
    np.testing.assert_allclose(found, slow_lagged(x, lags, [13, 30], kernel), atol=1e-12)
    filled = lagged(x, lags, kernel=kernel, times=times, trials=trials, fill=0)
    known = np.isfinite(found)
    np.testing.assert_allclose(filled[known], found[known])
    assert np.isfinite(filled).all()


def test_nothing_of_one_trial_is_in_the_next():
    x = np.zeros((20, 1))
    x[9] = 1000.0
    trials = np.repeat([0, 1], 10)
    assert np.abs(coupling_design(x, np.ones((5, 1)), trials=trials, fill=0)).max() == 0
    assert np.abs(coupling_design(x, np.ones((5, 1)), fill=0)).max() == 1000


def test_history_sees_only_the_past():
    rng = np.random.default_rng(0)
    y = rng.poisson(0.5, size=(50, 2)).astype(float)
    kernel = basis.RaisedCosineLog(3).kernel(10)
    before = coupling_design(y, kernel, fill=0)
    y[30:] = 9.0
    after = coupling_design(y, kernel, fill=0)
    np.testing.assert_array_equal(before[:31], after[:31])
    assert (before[31] != after[31]).any()
    assert before.dtype == np.float64
    assert coupling_design(y.astype(np.float32), kernel, fill=0).dtype == np.float32
    np.testing.assert_array_equal(coupling_design(y.astype(np.int16), kernel, fill=0), after)
