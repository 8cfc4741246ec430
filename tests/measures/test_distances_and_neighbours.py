"""Distance correlation and mutual nearest neighbours."""

import warnings
from functools import partial

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import consilience as cs
from consilience.measures import as_measure
from consilience.measures._distance_correlation import _plain_null


def pair(n=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    return x, np.c_[x[:, :2] ** 2, rng.normal(size=(n, 3))]


def test_the_bias_corrected_form_is_the_published_one():
    """Szekely & Rizzo (2014), definitions 2 and 3, with loops."""
    x, y = pair(15)

    def centred(z):
        a = squareform(pdist(z))
        n = len(a)
        out = np.zeros_like(a)
        for i in range(n):
            for j in range(n):
                if i != j:
                    out[i, j] = (
                        a[i, j]
                        - a[i].sum() / (n - 2)
                        - a[:, j].sum() / (n - 2)
                        + a.sum() / ((n - 1) * (n - 2))
                    )
        return out

    a, b = centred(x), centred(y)
    expected = (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())
    assert float(cs.measures.distance_correlation(x, y)) == pytest.approx(expected, abs=1e-12)


def test_the_plain_form_is_that_of_statsmodels():
    stats = pytest.importorskip("statsmodels.stats.dist_dependence_measures", exc_type=ImportError)
    x, y = pair(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = stats.distance_correlation(x, y) ** 2
        value = float(cs.measures.distance_correlation(x, y, debiased=False))
    assert value == pytest.approx(expected, abs=1e-12)


def test_it_is_cka_of_the_kernel_of_distances():
    x, y = pair()
    parts = as_measure("cka").parts
    d = [squareform(pdist(z)) for z in (x, y)]
    a, b = (parts.from_rdm(z[np.triu_indices(40, 1)], "sqeuclidean") for z in d)  # -d/2, as a kernel
    assert float(cs.measures.distance_correlation(x, y)) == pytest.approx(
        a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-12
    )


def test_it_sees_dependence_that_cka_does_not():
    x = np.random.default_rng(0).normal(size=(400, 1))
    assert cs.measures.distance_correlation(x, np.abs(x)) > 0.15 > 0.05 > abs(cs.measures.cka(x, np.abs(x)))


@pytest.mark.parametrize(("n", "p", "q"), [(40, 5, 5), (60, 200, 20), (100, 3, 1)])
def test_the_null_of_the_plain_form(n, p, q):
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        values = [
            float(
                cs.measures.distance_correlation(
                    rng.normal(size=(n, p)), rng.normal(size=(n, q)), debiased=False
                )
            )
            for _ in range(60)
        ]
    assert np.mean(values) == pytest.approx(_plain_null(n, p, q), abs=0.03)
    with pytest.warns(cs.ConsilienceWarning, match="null-not-zero"):
        cs.measures.distance_correlation(
            rng.normal(size=(20, 200)), rng.normal(size=(20, 200)), debiased=False
        )


@pytest.mark.parametrize("distance", ["euclidean", "sqeuclidean", "correlation", "cosine"])
@pytest.mark.parametrize("name", ["distance_correlation", "mutual_knn"])
def test_an_rdm_gives_what_responses_give(name, distance):
    x, y = pair()
    ids = np.arange(40)
    rdms = [
        cs.rdm_data(cs.measures.rdm(z, distance=distance)[None], stimulus=ids, distance=distance)
        for z in (x, y)
    ]
    measure = name if name != "mutual_knn" else partial(cs.measures.mutual_knn, distance=distance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cs.ConsilienceWarning)
        both = cs.compare(*rdms, measure=measure, n_boot=0, n_perm=0, rng=0).value
        mixed = cs.compare(
            cs.responses(x, stimulus=ids), rdms[1], measure=measure, n_boot=0, n_perm=0, rng=0
        ).value
        plain = float(as_measure(measure)(x, y))
    assert both == pytest.approx(mixed, abs=1e-9)
    if name == "mutual_knn" or "euclidean" in distance:
        assert both == pytest.approx(plain, abs=1e-9)


def test_an_rdm_of_other_distances_is_refused():
    rdm = cs.rdm_data(np.random.default_rng(0).random((1, 45)), stimulus=np.arange(10), distance="unknown")
    with pytest.raises(
        cs.InputError, match="an RDM of 'unknown' distances cannot be turned into Euclidean ones"
    ):
        cs.compare(rdm, rdm, measure="distance_correlation", n_boot=0, n_perm=0, rng=0)


# -- mutual nearest neighbours -----------------------------------------------------------------------------


def shared_neighbours(x, y, k, metric="cosine"):
    def nearest(z):
        d = squareform(pdist(z, metric))
        np.fill_diagonal(d, np.inf)
        return np.argsort(d, axis=1)[:, :k]

    return np.mean([len(set(a) & set(b)) / k for a, b in zip(nearest(x), nearest(y))])


@pytest.mark.parametrize("k", [1, 5, 10])
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "correlation"])
def test_it_is_the_published_share(k, metric):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 5)) + 0.5
    y = x @ rng.normal(size=(5, 9)) + rng.normal(size=(120, 9))
    assert float(cs.measures.mutual_knn(x, y, k=k, distance=metric)) == pytest.approx(
        shared_neighbours(x, y, k, metric), abs=1e-12
    )


def test_ties_do_not_depend_on_the_order_of_stimuli():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, size=(150, 3)).astype(float)
    y = rng.normal(size=(150, 4))
    order = rng.permutation(150)
    value = cs.measures.mutual_knn(x, y, distance="euclidean")
    assert value == pytest.approx(cs.measures.mutual_knn(x[order], y[order], distance="euclidean"), abs=1e-12)
    assert cs.measures.mutual_knn(x, x, distance="euclidean") == pytest.approx(1.0, abs=1e-12)


def test_weights_and_permutations_are_what_loops_give():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    parts = as_measure(partial(cs.measures.mutual_knn, k=4)).parts
    a, b = (parts.prepare(z) for z in (x, y))

    def full(v):
        m = np.zeros((20, 20))
        rows, columns = np.triu_indices(20, 1)
        m[rows, columns], m[columns, rows] = np.split(v, 2)
        return m

    w = rng.multinomial(20, np.ones(20) / 20, size=3).astype(float)
    found = parts.combine(a[None], b[None], w)[:, 0, 0]
    for weights, value in zip(w, found):
        v = weights[:, None] + weights[None] - 1
        m, k = full(a), full(b)
        expected = (v * m * k).sum() / np.sqrt((v * m * m).sum() * (v * k * k).sum())
        assert value == pytest.approx(expected)
    assert full(a).sum(axis=1) == pytest.approx(4.0)


def test_chance_and_refusals():
    rng = np.random.default_rng(0)
    values = [
        float(cs.measures.mutual_knn(rng.normal(size=(200, 20)), rng.normal(size=(200, 20))))
        for _ in range(20)
    ]
    assert np.mean(values) == pytest.approx(10 / 199, abs=0.004)
    small = rng.normal(size=(30, 5))
    with pytest.warns(cs.ConsilienceWarning, match="would score 0.34 even if unrelated. Use a smaller k"):
        cs.measures.mutual_knn(small, small)
    with pytest.raises(cs.InputError, match="12 stimuli"):
        cs.measures.mutual_knn(small[:11], small[:11])
    rdm = cs.rdm_data(cs.measures.rdm(small[:11])[None], stimulus=np.arange(11), distance="correlation")
    with pytest.raises(cs.InputError, match="needs at least 12 stimuli, got 11"):
        cs.compare(rdm, rdm, measure="mutual_knn", n_boot=0, n_perm=0, rng=0)


# ------------------------------------------------------------------------------- patterns that are nearly the same one


def _half_chords(x):
    """1 - cosine as half the squared difference of rows at length 1, in extended precision."""
    wide = np.asarray(x, dtype=np.longdouble)
    unit = wide / np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    rows, columns = np.triu_indices(len(x), 1)
    return (((unit[rows] - unit[columns]) ** 2).sum(axis=1) / 2).astype(float)


@pytest.mark.parametrize(("offset", "dtype"), [(1e3, "f4"), (1e4, "f4"), (1e8, "f8")])
def test_cosine_distances_keep_their_digits_where_patterns_are_almost_one(offset, dtype):
    x = (np.random.default_rng(0).normal(size=(40, 20)) + offset).astype(dtype)
    assert np.allclose(cs.measures.rdm(x, distance="cosine"), _half_chords(x), rtol=1e-7, atol=0)
    square = cs.measures.rdm(x, distance="cosine", square=True)
    assert (square == square.T).all()
    assert (np.diag(square) == 0).all()


def test_correlation_distances_keep_their_digits_where_units_differ_in_level():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 20)) + 1e7 * rng.normal(size=20)
    wide = x.astype(np.longdouble)
    expected = _half_chords(wide - wide.mean(axis=1, keepdims=True))
    assert np.allclose(cs.measures.rdm(x), expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("distance", ["cosine", "correlation"])
@pytest.mark.parametrize("lazy", [False, True])
def test_values_do_not_depend_on_the_dtype_of_patterns_almost_one(distance, lazy):
    rng = np.random.default_rng(0)
    s = rng.normal(size=(50, 4))
    x = (s @ rng.normal(size=(4, 20)) + 1e4 * (1 + rng.normal(size=20))).astype("f4")
    y = s @ rng.normal(size=(4, 12)) + 0.5 * rng.normal(size=(50, 12))

    def value(x, name):
        data = cs.responses(x, stimulus=range(50), system="a")
        if lazy:
            data = data.copy(data=pytest.importorskip("dask.array").from_array(x, chunks=(50, 7)))
        chosen = partial(getattr(cs.measures, name), distance=distance)
        other = cs.responses(y, stimulus=range(50), system="b")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            return float(cs.compare(data, other, measure=chosen, n_boot=0, n_perm=0, rng=0).value)

    assert value(x, "mutual_knn") == pytest.approx(value(x.astype("f8"), "mutual_knn"), abs=2e-3)
    assert value(x, "rsa") == pytest.approx(value(x.astype("f8"), "rsa"), abs=1e-3)


def test_block_wise_means_over_repeats_of_patterns_almost_one():
    array = pytest.importorskip("dask.array")
    rng = np.random.default_rng(0)
    s = np.repeat(rng.normal(size=(30, 20)), 2, axis=0)
    x = s + 0.3 * rng.normal(size=s.shape) + 1e7
    y = cs.responses(rng.normal(size=(30, 9)), stimulus=range(30), system="b")
    data = cs.responses(x, stimulus=np.repeat(np.arange(30), 2), repeat=np.tile([0, 1], 30), system="a")
    chosen = partial(cs.measures.rsa, distance="cosine")
    values = [
        float(cs.compare(d, y, measure=chosen, n_boot=0, n_perm=0, rng=0).value)
        for d in (data, data.copy(data=array.from_array(x, chunks=(60, 7))))
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-5)
