"""Shape distances, the family from CCA to Procrustes, and the mean shape."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment

import consilience as cs

m = cs.measures
pytestmark = pytest.mark.filterwarnings("ignore:.*null-not-zero")


def systems(seed, n=30, sizes=(5, 5)):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    return [
        shared @ rng.normal(size=(3, k)) + rng.normal(size=(n, k)) * 2.0 ** -np.arange(k) + 3 for k in sizes
    ]


def whitened(x, alpha):
    """As published: X (alpha I + (1 - alpha) (X'X)^-1/2), here with X'X in units of its mean eigenvalue."""
    x = x - x.mean(axis=0)
    values, vectors = np.linalg.eigh(x.T @ x)
    scale = np.sqrt(values.mean())
    return x @ (vectors * (alpha + (1 - alpha) * scale / np.sqrt(values))) @ vectors.T


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("sizes", [(5, 5), (7, 4)])
def test_distances_are_the_published_ones(alpha, sizes):
    for seed in range(10):
        x, y = systems(seed, sizes=sizes)
        a, b = whitened(x, alpha), whitened(y, alpha)
        width = max(sizes)
        a, b = (np.pad(z, ((0, 0), (0, width - z.shape[1]))) for z in (a, b))
        b = b @ orthogonal_procrustes(b, a)[0]
        cosine = np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
        assert m.shape_distance(x, y, alpha=alpha) == pytest.approx(np.arccos(cosine), abs=1e-9)
        assert m.shape_distance(x, y, alpha=alpha, form="euclidean") == pytest.approx(
            np.linalg.norm(a - b), abs=1e-9
        )
        assert m.procrustes(x, y, alpha=alpha) == pytest.approx(cosine, abs=1e-10)


def test_the_ends_of_the_family_are_procrustes_and_cca():
    x, y = systems(0)
    assert np.cos(m.shape_distance(x, y)) == pytest.approx(float(m.procrustes(x, y)), abs=1e-12)
    assert np.cos(m.shape_distance(x, y, alpha=0)) == pytest.approx(float(m.cca(x, y)), abs=1e-12)
    x, y = systems(0, sizes=(7, 4))
    assert m.procrustes(x, y, alpha=0) == pytest.approx(float(m.cca(x, y)) * 4 / np.sqrt(28), abs=1e-12)


def test_permutations_are_matched_and_padded():
    x, y = systems(1, sizes=(6, 4))
    a, b = (z - z.mean(axis=0) for z in (x, y))
    b = np.pad(b, ((0, 0), (0, 2)))
    rows, columns = linear_sum_assignment(a.T @ b, maximize=True)
    expected = np.linalg.norm(a[:, rows] - b[:, columns])
    found = m.shape_distance(x, y, nuisance="permutation", form="euclidean")
    assert found == pytest.approx(expected, abs=1e-10)
    assert m.shape_distance(x, 3 * x[:, ::-1], nuisance="permutation") == pytest.approx(0, abs=1e-9)
    assert m.shape_distance(x, y, nuisance="permutation") >= m.shape_distance(x, y) - 1e-12


@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 0.0}, {"alpha": 0.4}, {"nuisance": "permutation"}, {"form": "euclidean"}],
    ids=str,
)
def test_they_are_metrics(options):
    rng = np.random.default_rng(0)
    for _ in range(60):
        x, y, z = (
            rng.normal(size=(8, k)) @ np.diag(rng.exponential(size=k)) for k in rng.integers(1, 10, size=3)
        )
        xy, yz, xz = (float(m.shape_distance(*p, **options)) for p in ((x, y), (y, z), (x, z)))
        assert xz <= xy + yz + 1e-9
        assert xy == pytest.approx(float(m.shape_distance(y, x, **options)), abs=1e-9)
        assert m.shape_distance(x, x, **options) == pytest.approx(0, abs=1e-7)


def test_the_held_out_family_is_fitted_on_the_training_stimuli():
    x, y = systems(2, n=40, sizes=(6, 5))
    folds = [np.arange(0, 40, 2), np.arange(1, 40, 2)]
    from functools import partial

    parts = m.as_measure(partial(m.procrustes, alpha=0.4)).parts
    found = parts.plan(parts.prepare(x), folds, None).predict(parts.prepare(y)).score()
    top = left = right = 0.0
    for test in folds:
        train = np.setdiff1d(np.arange(40), test)
        sides = []
        for z in (x, y):
            mean = z[train].mean(axis=0)
            values, vectors = np.linalg.eigh((z[train] - mean).T @ (z[train] - mean))
            w = (vectors * (0.4 + 0.6 * np.sqrt(values.mean() / values))) @ vectors.T
            sides.append(((z[train] - mean) @ w, (z[test] - mean) @ w))
        (a_in, a), (b_in, b) = sides
        u, _, vt = np.linalg.svd(a_in.T @ b_in, full_matrices=False)
        top, left, right = top + np.sum((a @ u) * (b @ vt.T)), left + np.sum(a * a), right + np.sum(b * b)
    assert found == pytest.approx(top / np.sqrt(left * right), abs=1e-9)


def test_all_pairs_at_once_are_the_single_ones():
    many = [
        *systems(3, n=40, sizes=(5, 9, 60)),
        np.random.default_rng(0).normal(size=(40, 1)),
        np.repeat(systems(4, n=40)[0][:, :2], 3, axis=1),
    ]
    for alpha in (1.0, 0.5):
        from functools import partial

        parts = m.as_measure(partial(m.procrustes, alpha=alpha), held_out=False).parts
        found = parts.matrix([parts.prepare(z) for z in many])
        for i, x in enumerate(many):
            for j, y in enumerate(many):
                assert found[i, j] == pytest.approx(float(m.procrustes(x, y, alpha=alpha)), abs=1e-9)


@pytest.mark.parametrize("kind", ["noise", "decaying", "low rank", "zero", "tiny", "wide"])
def test_nuclear_norm_is_the_sum_of_singular_values(kind):
    from consilience.measures._procrustes import nuclear_norm

    rng = np.random.default_rng(0)
    for k in range(20):
        c = rng.normal(size=(30, 50 if kind == "wide" else 30))
        if kind == "decaying":
            c = c * 10.0 ** -np.linspace(0, 12, 30) @ np.linalg.qr(rng.normal(size=(30, 30)))[0]
        if kind == "low rank":
            c = c[:, : k + 1] @ rng.normal(size=(k + 1, 30))
        c = c * {"zero": 0.0, "tiny": 1e-120}.get(kind, 1.0)
        expected = np.linalg.svd(c, compute_uv=False).sum()
        assert nuclear_norm(c) == pytest.approx(expected, rel=1e-8, abs=0)


def test_what_is_refused_and_what_warns():
    x, y = systems(5)
    with pytest.raises(cs.InputError, match=r"shape_distance: alpha must be a number in \[0, 1\]; got 2"):
        m.shape_distance(x, y, alpha=2)
    with pytest.raises(
        cs.InputError, match=r"form must be one of 'angular', 'euclidean', got 'angle'. Did you mean"
    ):
        m.shape_distance(x, y, form="angle")
    with pytest.raises(cs.InputError, match=r"nuisance='permutation' goes with alpha=1, got alpha=0.5"):
        m.shape_distance(x, y, nuisance="permutation", alpha=0.5)
    with pytest.raises(cs.InputError, match=r"procrustes_held_out: alpha=0 whitens wholly.*use cca_held_out"):
        m.procrustes_held_out(x, y, alpha=0)
    for nuisance in ("orthogonal", "permutation"):
        with pytest.warns(cs.ConsilienceWarning, match=r"null-not-zero.*even if unrelated.*held_out"):
            m.shape_distance(x, y, nuisance=nuisance)


def test_other_libraries_give_the_same():
    torch = pytest.importorskip("torch")
    x, y = systems(6, sizes=(5, 4))
    for options in ({}, {"nuisance": "permutation"}, {"alpha": 0.2, "form": "euclidean"}):
        found = m.shape_distance(torch.tensor(x), torch.tensor(y), **options)
        assert isinstance(found, torch.Tensor)
        assert float(found) == pytest.approx(float(m.shape_distance(x, y, **options)), abs=1e-9)


# -- mean shape --------------------------------------------------------------------------------------------


def test_the_mean_of_rotated_copies_is_the_shape_itself():
    rng = np.random.default_rng(0)
    x = systems(0)[0]
    turned = {k: 2 * x @ np.linalg.qr(rng.normal(size=(5, 5)))[0] + k for k in range(6)}
    found = m.mean_shape(turned)
    assert found.losses[-1] == pytest.approx(0, abs=1e-12)
    assert m.shape_distance(found.shape, x) == pytest.approx(0, abs=1e-6)
    assert found.aligned.shape == (6, 30, 5)


def test_the_loss_never_rises_and_the_order_does_not_matter():
    many = systems(1, n=25, sizes=(5, 8, 3, 40, 6))
    found = m.mean_shape(many)
    assert len(found.losses) > 3
    assert np.diff(found.losses).max() <= 1e-12
    np.testing.assert_allclose(found.aligned.mean(axis=0), found.shape, atol=1e-12)
    gaps = ((found.aligned - found.shape) ** 2).sum(axis=(1, 2))
    assert gaps.mean() == pytest.approx(found.losses[-1], abs=1e-9)
    again = m.mean_shape(many[::-1])
    assert again.losses[-1] == pytest.approx(found.losses[-1], rel=1e-6)
    assert m.shape_distance(again.shape, found.shape) < 1e-3


def test_no_shape_is_nearer_than_the_mean():
    many = systems(2, sizes=(4, 4, 4, 4))
    found = m.mean_shape(many)
    unit = [(z - z.mean(0)) / np.linalg.norm(z - z.mean(0)) for z in many]

    def loss(shape):
        return np.mean([m.shape_distance(z, shape, form="euclidean") ** 2 for z in unit])

    assert loss(found.shape) == pytest.approx(found.losses[-1], abs=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert loss(found.shape + 0.02 * rng.normal(size=found.shape.shape)) > found.losses[-1]


def test_mean_shape_refuses_what_it_cannot_do():
    x = systems(0)[0]
    with pytest.raises(cs.InputError, match="mean_shape: at least 2 systems are needed, got 1"):
        m.mean_shape([x])
    with pytest.raises(cs.InputError, match=r"the same stimuli in the same rows, got \[29, 30\] rows"):
        m.mean_shape([x, x[1:]])
    with pytest.raises(cs.InputError, match="a system has the same pattern for all stimuli"):
        m.mean_shape([x, np.ones((30, 2))])
    with pytest.warns(cs.ConsilienceWarning, match="not-converged.*still fell in the last of 1 iterations"):
        m.mean_shape(systems(1, sizes=(5, 8, 3)), max_iterations=1)
