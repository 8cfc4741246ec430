"""PWCCA and kernel CCA against the published equations written out, and against planted truth."""

import warnings
from functools import partial

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.cross_decomposition import CCA

import consilience as cs
from consilience.measures import as_measure
from consilience.measures._kernel_cca import kernel_scores
from consilience.stats import group_folds


def systems(n=300, p=7, q=5, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    x = shared @ rng.normal(size=(3, p)) + rng.normal(size=(n, p)) + rng.normal(size=p)
    return x, shared @ rng.normal(size=(3, q)) + 1.5 * rng.normal(size=(n, q))


def published_pwcca(x, y):
    """Morcos et al. (2018), section 3: whitened covariance, its SVD, variates, projections onto the units of x."""
    x, y = x - x.mean(0), y - y.mean(0)

    def root(z):
        values, vectors = np.linalg.eigh(z.T @ z)
        return vectors @ np.diag(values**-0.5) @ vectors.T

    u, rho, _ = np.linalg.svd(root(x) @ x.T @ y @ root(y))
    k = min(x.shape[1], y.shape[1])
    h = x @ root(x) @ u[:, :k]
    alpha = np.array([sum(abs(h[:, i] @ x[:, j]) for j in range(x.shape[1])) for i in range(k)])
    return alpha @ rho[:k] / alpha.sum()


@pytest.mark.parametrize("side", ["x", "y"])
def test_pwcca_is_the_published_algorithm(side):
    x, y = systems()
    expected = published_pwcca(x, y) if side == "x" else published_pwcca(y, x)
    assert float(cs.measures.pwcca(x, y, weights_from=side)) == pytest.approx(expected, abs=1e-10)


def test_pwcca_lies_nearer_to_the_strong_directions_than_cca():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(400, 2))
    x = np.c_[10 * shared, 0.1 * rng.normal(size=(400, 6))]
    y = np.c_[shared, rng.normal(size=(400, 6))]
    assert cs.measures.cca(x, y) < 0.4 < 0.9 < cs.measures.pwcca(x, y)
    assert cs.measures.cca_held_out(x, y) < 0.4 < 0.9 < cs.measures.pwcca_held_out(x, y)


def test_pwcca_of_more_units_than_stimuli_is_one_and_says_so():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 30)), rng.normal(size=(20, 40))
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[null-not-zero\] PWCCA .* would score 1.00 even if unrelated"
    ):
        assert float(cs.measures.pwcca(x, y)) == pytest.approx(1.0)


def test_held_out_pwcca_with_equal_weights_is_held_out_cca():
    x, y = systems()
    parts = as_measure("pwcca_held_out", held_out=False).parts
    folds = group_folds(np.arange(len(x)), 5, np.random.default_rng(0), who="test")
    found = parts.plan(parts.prepare(x), folds, None).predict(parts.prepare_y(y))
    other = as_measure("cca_held_out", held_out=False).parts
    plain = other.plan(other.prepare(x), folds, None).predict(other.prepare(y))
    np.testing.assert_allclose(found.columns(np.ones((1, 300))), plain.columns(np.ones((1, 300))), atol=1e-10)
    assert found.share.sum() == pytest.approx(1.0)
    assert found.score() > plain.score()  # the shared directions of x are its strong ones


def test_the_weighing_side_is_refused_by_name():
    x, y = systems(50)
    with pytest.raises(cs.InputError, match="weights_from must be one of 'x', 'y', got 'z'"):
        cs.measures.pwcca(x, y, weights_from="z")


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_kernel_cca_is_the_dual_problem_written_out(kernel):
    """Hardoon et al. (2004), eq. 4.1, as a generalised eigenproblem of the training kernel, then projections."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(40, 3))
    y = np.c_[x[:, :1] ** 2, rng.normal(size=(40, 2))]
    kappa = 0.2
    folds = group_folds(np.arange(40), 4, np.random.default_rng(0), who="test")

    def gram(z):
        if kernel == "linear":
            return (z - z.mean(0)) @ (z - z.mean(0)).T
        d = ((z[:, None] - z[None]) ** 2).sum(-1)
        return np.exp(-d / (2 * np.median(d[np.triu_indices(40, 1)])))

    top, left, right = np.zeros(40), np.zeros(40), np.zeros(40)
    for test in folds:
        train = np.setdiff1d(np.arange(40), test)
        m = len(train)
        centre = np.eye(m) - 1 / m
        sides = []
        for z in (x, y):
            k = gram(z)
            inside = centre @ k[np.ix_(train, train)] @ centre
            outside = (k[np.ix_(test, train)] - k[np.ix_(train, train)].mean(0)) @ centre
            ridge = (1 - kappa) * inside @ inside / m + kappa * np.trace(inside) / m * inside
            sides.append((inside, outside, ridge + 1e-12 * np.trace(ridge) * np.eye(m)))
        (kx, ox, rx), (ky, oy, ry) = sides
        zero = np.zeros((m, m))
        _, vectors = eigh(
            np.block([[zero, kx @ ky / m], [ky @ kx / m, zero]]), np.block([[rx, zero], [zero, ry]])
        )
        a, b = vectors[:m, -1], vectors[m:, -1]
        one, two = ox @ a / np.linalg.norm(kx @ a), oy @ b / np.linalg.norm(ky @ b)
        top[test], left[test], right[test] = one * two, one**2, two**2
    expected = top.sum() / np.sqrt(left.sum() * right.sum())
    made = as_measure(
        partial(cs.measures.kernel_cca, kernel=kernel, regularization=kappa, folds=4), held_out=False
    ).parts
    value = made.plan(made.prepare(x), folds, None).predict(made.prepare(y)).score()
    assert float(value) == pytest.approx(expected, abs=1e-4)


def test_kernel_scores_have_the_centred_kernel_as_products():
    x = np.random.default_rng(0).normal(size=(30, 4))
    d = ((x[:, None] - x[None]) ** 2).sum(-1)
    k = np.exp(-d / (2 * np.median(d[np.triu_indices(30, 1)])))
    centre = np.eye(30) - 1 / 30
    z = kernel_scores(x, "rbf")
    np.testing.assert_allclose(z @ z.T, centre @ k @ centre, atol=1e-12)


def test_kernel_cca_sees_what_is_not_linear_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = np.c_[np.abs(x[:, 0]), rng.normal(size=200)]
    assert cs.measures.kernel_cca(x, y) > 0.6
    noise = [
        float(cs.measures.kernel_cca(rng.normal(size=(60, 5)), rng.normal(size=(60, 50)))) for _ in range(40)
    ]
    assert abs(np.mean(noise)) < 4 * np.std(noise) / np.sqrt(40)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"regularization": 0.0}, r"regularization must be a number in \(0, 1\); got 0.0"),
        ({"components": 0}, "components must be a whole number, at least 1"),
        ({"kernel": "poly"}, "kernel must be one of 'rbf', 'linear', got 'poly'"),
    ],
)
def test_options_of_kernel_cca_are_refused(options, text):
    x, y = systems(50)
    with pytest.raises(cs.InputError, match=text):
        cs.measures.kernel_cca(x, y, **options)


def test_cca_agrees_with_scikit_learn_for_few_components():
    x, y = systems(2000)
    fitted = CCA(n_components=5, max_iter=5000, tol=1e-12).fit(x, y)
    a, b = fitted.transform(x, y)
    expected = np.mean([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(5)])
    assert float(cs.measures.cca(x, y)) == pytest.approx(expected, abs=1e-4)


def test_compare_gives_them_interval_and_p():
    ids = [f"s{i}" for i in range(60)]
    x, y = systems(60)
    a, b = cs.responses(x, stimulus=ids, system="a"), cs.responses(y, stimulus=ids, system="b")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        result = cs.compare(a, b, measure=["pwcca", "kernel_cca"], n_boot=100, n_perm=50, rng=0)
    frame = result.to_frame()
    assert (frame["ci_low"] < frame["value"]).all()
    assert (frame["value"] < frame["ci_high"]).all()
    assert (frame["p"] < 0.05).all()


@pytest.mark.filterwarnings("ignore:.*null-not-zero")
def test_more_components_than_there_are_is_said():
    x = np.random.default_rng(0).normal(size=(50, 60))
    y = np.random.default_rng(1).normal(size=(50, 7))
    for name, options, said in (
        ("svcca", {"k": 100}, r"\[components-cut\] k=100 is more than the 49 directions"),
        ("svcca_held_out", {"k": 100}, r"\[components-cut\] k=100 is more than the 49 directions"),
        (
            "kernel_cca",
            {"components": 500},
            r"\[components-cut\] components=500 is more than the 49 directions",
        ),
    ):
        with pytest.warns(cs.ConsilienceWarning, match=said):
            getattr(cs.measures, name)(x, y, **options)
    a, b = (cs.responses(z, stimulus=range(50)) for z in (x, y))
    for name, options in (("svcca", {"k": 100}), ("kernel_cca", {"components": 500})):
        chosen = partial(getattr(cs.measures, name), **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            found = cs.compare(a, b, measure=chosen, n_boot=10, n_perm=10, rng=0)
        assert [caution.code for caution in found.warnings].count("components-cut") == 1


@pytest.mark.parametrize("side", ["x", "y"])
def test_draws_of_held_out_pwcca_draw_its_weights_too(side):
    x, y = systems(n=60, p=7, q=5)
    parts = as_measure(partial(cs.measures.pwcca, weights_from=side)).parts
    folds = group_folds(np.arange(60), 5, np.random.default_rng(0), who="test")
    found = parts.plan(parts.prepare(x), folds, None).predict(parts.prepare_y(y))
    assert found.draws(np.ones((2, 60))) == pytest.approx(float(found.score()), abs=1e-12)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), size=300).astype(float)
    given, drawn = found.score(weights), found.draws(weights)
    # by the definition, for one draw
    shares = []
    for fold in found.folds:
        w = weights[0, fold.train]
        one = np.array([[abs((w * h) @ u) for u in fold.units.T] for h in fold.variates.T]).sum(axis=1)
        all_of_them = np.abs(fold.variates.T @ fold.units).sum(axis=1)
        shares.append(one / one.sum() - all_of_them / all_of_them.sum())
    k = found.top.shape[1]
    change = found.columns(weights[:1])[0] @ np.mean([s[:k] for s in shares], axis=0)
    assert drawn[0] - given[0] == pytest.approx(change / np.sqrt(2), abs=1e-12)
    assert drawn.std() > given.std()
