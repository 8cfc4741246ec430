"""Noise covariances against published equations, slowly written; residuals; refusals."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf as sklearn_ledoit_wolf

import consilience as cs
from consilience.linalg import noise_covariance, stimulus_residuals
from consilience.linalg._noise import whitened, whitener


def residuals(n=60, p=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)) @ rng.normal(size=(p, p))


def schaefer_strimmer(x):
    """Eq. 10 and the estimators of section 2.3, written out."""
    n, p = x.shape
    z = (x - x.mean(axis=0)) / x.std(axis=0, ddof=1)
    top = below = 0.0
    for i in range(p):
        for j in range(p):
            if i != j:
                w = z[:, i] * z[:, j]
                top += n / (n - 1) ** 3 * np.sum((w - w.mean()) ** 2)
                below += (n / (n - 1) * w.mean()) ** 2
    shrinkage = min(1.0, top / below)
    s = np.cov(x.T)
    return np.where(np.eye(p, dtype=bool), s, (1 - shrinkage) * s), shrinkage


@pytest.mark.parametrize(("n", "p"), [(60, 8), (12, 30)])
def test_shrinkage_to_the_diagonal_is_schaefer_and_strimmers(n, p):
    x = residuals(n, p)
    expected, shrinkage = schaefer_strimmer(x)
    made = noise_covariance(x, method="shrinkage_diagonal")
    np.testing.assert_allclose(made.covariance, expected, rtol=1e-10)
    assert made.shrinkage == pytest.approx(shrinkage, rel=1e-10)
    assert 0 < shrinkage < 1


@pytest.mark.parametrize(("n", "p"), [(60, 8), (12, 30)])
def test_shrinkage_to_the_identity_is_ledoit_and_wolfs(n, p):
    x = residuals(n, p)
    expected, shrinkage = sklearn_ledoit_wolf(x)  # divides by n
    made = noise_covariance(x)
    np.testing.assert_allclose(made.covariance, expected * n / (n - 1), rtol=1e-10)
    assert made.shrinkage == pytest.approx(shrinkage, rel=1e-10)
    assert made.dof == n - 1


def test_full_and_diagonal_are_numpys():
    x = residuals()
    np.testing.assert_allclose(noise_covariance(x, method="full").covariance, np.cov(x.T), rtol=1e-12)
    made = noise_covariance(x, method="diagonal")
    np.testing.assert_allclose(made.covariance, x.var(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(noise_covariance(x, method="full", dof=30).covariance, np.cov(x.T) * 59 / 30)


@pytest.mark.parametrize("method", ["shrinkage", "shrinkage_diagonal", "diagonal", "full"])
def test_whitened_residuals_are_white_and_the_precision_is_the_inverse(method):
    x = residuals()
    made = noise_covariance(x, method=method)
    covariance = np.diag(made.covariance) if made.covariance.ndim == 1 else made.covariance
    precision = np.diag(made.precision) if made.precision.ndim == 1 else made.precision
    np.testing.assert_allclose(covariance @ precision, np.eye(8), atol=1e-9)
    root = made.whiten(np.eye(8))
    np.testing.assert_allclose(root.T @ covariance @ root, np.eye(8), atol=1e-9)
    if method == "full":
        np.testing.assert_allclose(np.cov(made.whiten(x).T), np.eye(8), atol=1e-9)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("full", "full"), ("diagonal", "diag"), ("shrinkage", "shrinkage_eye")]
)
def test_rsatoolbox_agrees(ours, theirs):
    noise = pytest.importorskip("rsatoolbox.data.noise")
    x = residuals(80, 9, seed=3)
    made = noise_covariance(x, method=ours).covariance
    other = noise.cov_from_residuals(x, method=theirs)
    np.testing.assert_allclose(np.diag(made) if made.ndim == 1 else made, other, rtol=1e-10, atol=1e-12)


def test_shrinkage_recovers_a_known_covariance_better_than_the_sample():
    rng = np.random.default_rng(0)
    truth = np.diag(np.linspace(0.5, 4, 20))
    x = rng.normal(size=(30, 20)) @ np.sqrt(truth)
    errors = {
        method: np.linalg.norm(noise_covariance(x, method=method).covariance - truth)
        for method in ("full", "shrinkage", "shrinkage_diagonal")
    }
    assert errors["shrinkage_diagonal"] < errors["shrinkage"] < errors["full"]


def test_residuals_within_runs_and_across_them():
    rng = np.random.default_rng(0)
    stimulus, run = np.tile(np.repeat(np.arange(5), 2), 3), np.repeat(np.arange(3), 10)
    x = rng.normal(size=(30, 4))
    within = stimulus_residuals(x, stimulus, runs=run)
    assert within.dof == 15
    np.testing.assert_allclose(within.values[0], (x[0] - x[1]) / 2)
    # one trial per stimulus and run: stimulus and run means fitted together, against least squares
    once = np.arange(0, 30, 2)[:-1]  # the last run lacks a stimulus
    fitted = stimulus_residuals(x[once], stimulus[once], runs=run[once])
    dummies = np.hstack([np.eye(5)[stimulus[once]], np.eye(3)[run[once]]])
    expected = x[once] - dummies @ np.linalg.lstsq(dummies, x[once], rcond=None)[0]
    np.testing.assert_allclose(fitted.values, expected, atol=1e-12)
    assert fitted.dof == 14 - 5 - 3 + 1
    # a drift between runs is no noise
    drifting = stimulus_residuals(x[once] + 100 * run[once][:, None], stimulus[once], runs=run[once])
    np.testing.assert_allclose(drifting.values, expected, atol=1e-10)


def test_what_cannot_be_inverted_is_refused():
    with pytest.raises(cs.InputError, match="11 degrees of freedom are fewer than 30 units") as found:
        noise_covariance(residuals(12, 30), method="full")
    assert found.value.code == "singular-noise"
    x = residuals()
    twice = np.hstack([x, x[:, :1]])
    with pytest.raises(cs.InputError, match="no inverse"):
        noise_covariance(twice, method="full")
    assert noise_covariance(twice).shrinkage > 0
    silent = x.copy()
    silent[:, [2, 5]] = 0
    with pytest.raises(cs.InputError, match=r"2 of 8 units have no noise at all \(unit 2, 5\)"):
        noise_covariance(silent, method="diagonal")
    noise_covariance(silent)
    with pytest.raises(cs.InputError, match="4 trials leave no degree of freedom") as found:
        stimulus_residuals(np.eye(4), list("abcd"))
    assert found.value.code == "no-repeats"


def test_noise_given_as_an_array_is_a_precision():
    for bad in (-np.eye(3), np.triu(np.ones((3, 3))), -np.ones(3)):
        with pytest.raises(cs.InputError, match="is a precision") as found:
            whitener(bad, 3, who="rdm")
        assert found.value.code == "bad-noise"
    with pytest.raises(
        cs.InputError, match=r"of the 3 units of the data, \(p, p\) or \(p,\), got shape \(2, 2\)"
    ):
        whitener(np.eye(2), 3, who="rdm")
    with pytest.raises(cs.InputError, match="got shape"):
        whitener(noise_covariance(residuals()), 3, who="rdm")


def test_a_triangular_whitener_is_used_as_such():
    rng = np.random.default_rng(0)
    x, covariance = rng.normal(size=(7, 300)), np.cov(rng.normal(size=(900, 300)).T)
    lower = np.linalg.cholesky(covariance)
    for root in (lower, lower.T, covariance, np.diag(covariance).copy()):
        expected = x * root if root.ndim == 1 else x @ root
        np.testing.assert_allclose(whitened(x, root), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("method", ["shrinkage", "shrinkage_diagonal"])
def test_shrinkage_counts_degrees_of_freedom_not_rows(method):
    """24 residuals with 14 degrees of freedom are shrunk as 14 independent rows are, not as 24."""
    rng = np.random.default_rng(0)
    stimulus, run = np.tile(np.arange(3), 8), np.repeat(np.arange(8), 3)
    scales = np.linspace(0.5, 2, 40)
    found = {"residuals": [], "rows": [], "naive": []}
    for _ in range(60):
        made = stimulus_residuals(scales * rng.normal(size=(24, 40)), stimulus, runs=run)
        assert made.dof == 14
        found["residuals"].append(noise_covariance(made, method=method).shrinkage)
        found["naive"].append(noise_covariance(made.values, method=method).shrinkage)
        found["rows"].append(noise_covariance(scales * rng.normal(size=(15, 40)), method=method).shrinkage)
    mean = {name: np.mean(values) for name, values in found.items()}
    assert mean["residuals"] == pytest.approx(mean["rows"], abs=0.06)
    assert mean["naive"] < mean["rows"] - 0.15
