"""Comparisons of RDMs: against rsatoolbox, SciPy, the published equations written out, and closed forms."""

import functools
import itertools
import os
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import squareform

import consilience as cs
from consilience.measures._compare_rdms import METHODS, rdm_parts
from consilience.measures._ranks import rank, tau_a, untied_squares
from consilience.stats import multinomial_weights, weighted_concordance

m = cs.measures
OURS = {
    "cosine": "cosine",
    "pearson": "corr",
    "spearman": "spearman",
    "kendall": "tau-a",
    "rho_a": "rho-a",
    "whitened_cosine": "cosine_cov",
    "whitened_pearson": "corr_cov",
}


def two(n=12, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n, 3))
    x, y = signal @ rng.normal(size=(3, 9)), signal @ rng.normal(size=(3, 7)) + rng.normal(size=(n, 7))
    a, b = (m.rdm(z, distance="sqeuclidean") for z in (x, y))
    return (np.round(a / a.max() * 3), b) if ties else (a, b)


def contrasts(n):
    c = np.zeros((n * (n - 1) // 2, n))
    rows, columns = np.triu_indices(n, 1)
    c[np.arange(len(c)), rows], c[np.arange(len(c)), columns] = 1, -1
    return c


def by_v(a, b, v, centred):
    """Whitened comparison with V (P, P) written out."""
    inverse = np.linalg.inv(v)
    if centred:
        one = np.ones(len(a))
        a, b = (d - one * (one @ inverse @ d) / (one @ inverse @ one) for d in (a, b))
    return a @ inverse @ b / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))


# -- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("method", list(OURS))
def test_values_are_rsatoolboxs(method, ties):
    folder = os.environ.get("CONSILIENCE_PEERS")
    if folder and folder not in sys.path:
        sys.path.append(folder)
    rdm = pytest.importorskip("rsatoolbox.rdm")
    for seed in range(5):
        a, b = two(seed=seed, ties=ties)
        theirs = rdm.compare(rdm.RDMs(a[None]), rdm.RDMs(b[None]), method=OURS[method])[0, 0]
        assert float(m.compare_rdms(a, b, method=method)) == pytest.approx(theirs, abs=1e-10)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("kind", ["iid", "variances", "covariance", "missing"])
def test_whitening_is_the_inverse_of_the_covariance_of_entries(kind, centred):
    a, b = two(9)
    n, rng = 9, np.random.default_rng(3)
    sigma = {
        "variances": rng.uniform(0.3, 3, n),
        "covariance": np.cov(rng.normal(size=(n, 30))),
    }.get(kind)
    full = np.eye(n) if sigma is None else np.diag(sigma) if sigma.ndim == 1 else sigma
    c = contrasts(n)
    v = (c @ full @ c.T) ** 2  # Diedrichsen et al. (2021)
    kept = np.ones(a.size, bool)
    if kind == "missing":
        kept[[0, 5, 6, 20, 30]] = False
    expected = by_v(a[kept], b[kept], v[np.ix_(kept, kept)], centred)
    method = "whitened_pearson" if centred else "whitened_cosine"
    one = np.where(kept, a, np.nan)
    found = float(m.compare_rdms(one, b, method=method, missing="omit", sigma_k=sigma))
    assert found == pytest.approx(expected, abs=1e-10)
    shifted = float(m.compare_rdms(one + 3, b, method=method, missing="omit", sigma_k=sigma))
    assert (abs(shifted - found) < 1e-10) == centred


@pytest.mark.parametrize("distance", ["sqeuclidean", "euclidean"])
def test_whitened_cosine_is_biased_linear_cka(distance):
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.normal(size=(400, 5)), rng.normal(size=(400, 3)) ** 3
        value = float(m.rsa(x, y, distance=distance, method="whitened_cosine"))
        assert value == pytest.approx(float(m.cka(x, y, debiased=False)), abs=1e-10)


def test_whitened_cosine_of_correlation_distances_is_biased_cka_of_normalised_patterns():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 5)), rng.normal(size=(400, 4))
    z, w = (v - v.mean(axis=1, keepdims=True) for v in (x, y))
    z, w = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (z, w))
    value = float(m.rsa(x, y, method="whitened_cosine"))
    assert value == pytest.approx(float(m.cka(z, w, debiased=False)), abs=1e-10)


def test_bures_is_procrustes_for_linear_kernels():
    rng = np.random.default_rng(0)
    for n, p, q in ((500, 4, 3), (600, 3, 5)):
        x, y = rng.normal(size=(n, p)), rng.normal(size=(n, q))
        expected = float(m.procrustes(x, y))
        assert float(m.rsa(x, y, distance="euclidean", method="bures")) == pytest.approx(expected, abs=1e-10)
        a, b = (m.rdm(z, distance="sqeuclidean") for z in (x, y))
        assert float(m.compare_rdms(a, b, method="bures")) == pytest.approx(expected, abs=1e-8)


def test_bures_is_the_trace_of_roots_written_out():
    from scipy.linalg import sqrtm

    a, b = two(15)
    h = np.eye(15) - 1 / 15
    k, ell = (-0.5 * h @ squareform(d) @ h for d in (a, b))
    root = np.real(sqrtm(k + 1e-15 * np.eye(15)))
    direct = np.real(np.trace(sqrtm(root @ ell @ root))) / np.sqrt(np.trace(k) * np.trace(ell))
    assert float(m.compare_rdms(a, b, method="bures")) == pytest.approx(direct, abs=1e-6)


def test_bures_says_when_no_points_have_these_distances():
    a, b = two(12)
    rng = np.random.default_rng(0)
    odd = b + 5 * rng.random(b.size)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"\[not-euclidean\] .* squared distances of b; [\d.]+% of"
    ):
        value = float(m.compare_rdms(a, odd, method="bures"))
    assert 0 < value < 1
    with pytest.raises(cs.InputError, match="no kernel with positive variance"):
        m.compare_rdms(a, -b, method="bures")


def test_rho_a_is_spearman_expected_when_ties_are_broken_at_random():
    a, b = np.array([1.0, 1.0, 1.0, 2.0, 3.0, 3.0]), np.array([2.0, 1.0, 5.0, 5.0, 4.0, 6.0])
    mean = []
    for first in itertools.permutations(range(3)):
        for last in itertools.permutations(range(2)):
            broken = np.array(
                [1.0 + 0.01 * first[i] for i in range(3)] + [2.0] + [3 + 0.01 * i for i in last]
            )
            for tied in ((0, 0.1), (0.1, 0)):
                other = b + np.array([0, 0, tied[0], tied[1], 0, 0])
                mean.append(stats.spearmanr(broken, other).statistic)
    assert float(m.compare_rdms(a, b, method="rho_a")) == pytest.approx(np.mean(mean), abs=1e-12)
    assert untied_squares(rank(a)[None]).sum() == pytest.approx((6**3 - 6) / 12)


# -- missing entries and weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", [name for name in METHODS if name != "bures"])
def test_missing_pairs_are_left_out(method):
    a, b = two(10)
    one, other = a.copy(), b.copy()
    one[[2, 7]], other[11] = np.nan, np.nan
    kept = ~np.isnan(one + other)
    found = float(m.compare_rdms(one, other, method=method, missing="omit"))
    if not method.startswith("whitened"):
        weights = kept.astype(float)
        assert found == pytest.approx(float(m.compare_rdms(a, b, method=method, weights=weights)), abs=1e-12)
    assert float(m.compare_rdms(squareform(one), other, method=method, missing="omit")) == found
    with pytest.raises(cs.InputError, match=r"a has NaN or infinite entries; .* missing='omit'") as error:
        m.compare_rdms(one, b, method=method)
    assert error.value.code == "nan-values"
    assert float(m.compare_rdms(a, b, method=method, missing="omit")) == float(
        m.compare_rdms(a, b, method=method)
    )


@pytest.mark.parametrize("method", ["cosine", "pearson", "kendall"])
def test_whole_weights_are_repeated_pairs(method):
    """(tau-a: pairs of pairs of which both are one pair do not count, as in the draws.)"""
    a, b = two(7)
    rng = np.random.default_rng(0)
    w = rng.integers(0, 4, a.size)
    found = float(m.compare_rdms(a, b, method=method, weights=w))
    one, other = np.repeat(a, w), np.repeat(b, w)
    if method == "kendall":
        owner = np.repeat(np.arange(a.size), w)
        signs = np.sign(one[:, None] - one) * np.sign(other[:, None] - other)
        expected = signs.sum() / (owner[:, None] != owner).sum()
    else:
        expected = float(stats.pearsonr(one, other).statistic)
        if method == "cosine":
            expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert found == pytest.approx(expected, abs=1e-12)
    square = squareform(w.astype(float))
    assert float(m.compare_rdms(a, b, method=method, weights=square)) == pytest.approx(found, abs=1e-14)


@pytest.mark.parametrize("method", ["cosine", "pearson", "spearman", "kendall", "rho_a"])
def test_equal_weights_change_nothing(method):
    a, b = two(8, ties=True)
    plain = float(m.compare_rdms(a, b, method=method))
    assert float(m.compare_rdms(a, b, method=method, weights=np.full(a.size, 2.5))) == pytest.approx(plain)


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"method": "cosine_cov"}, "unknown-option", "Did you mean 'whitened_cosine'"),
        ({"method": "corr_cov"}, "unknown-option", "Did you mean 'whitened_pearson'"),
        ({"method": "tau_a"}, "unknown-option", "Did you mean 'kendall'"),
        ({"method": "corr"}, "unknown-option", "Did you mean 'pearson'"),
        ({"method": "spearmen"}, "unknown-option", "Did you mean 'spearman'"),
        ({"missing": "drop"}, "unknown-option", "missing must be one of"),
        ({"weights": np.ones(5)}, "bad-weights", "one finite number >= 0 for each of the 28 pairs"),
        ({"weights": -np.ones(28)}, "bad-weights", "one finite number >= 0"),
        ({"weights": np.eye(28)[0]}, "too-few", "1 of 28 pairs have an entry in every RDM"),
        ({"weights": np.ones(28), "method": "bures"}, "bad-weights", "do not go with method='bures'"),
        ({"sigma_k": np.ones(8)}, "bad-covariance", "belongs to the whitened methods"),
        ({"sigma_k": np.ones(7), "method": "whitened_cosine"}, "bad-covariance", "8 positive variances"),
        ({"sigma_k": -np.eye(8), "method": "whitened_cosine"}, "bad-covariance", "positive definite"),
    ],
)
def test_what_is_refused(options, code, text):
    a, b = two(8)
    with pytest.raises(cs.InputError, match=text) as error:
        m.compare_rdms(a, b, **options)
    assert error.value.code == code


def test_kernels_need_all_pairs():
    a, b = two(8)
    a[3] = np.nan
    with pytest.raises(cs.InputError, match="1 of 28 pairs are missing, and method=bures needs all"):
        m.compare_rdms(a, b, method="bures", missing="omit")
    with pytest.raises(cs.InputError, match="sigma_k= needs all of them"):
        m.compare_rdms(a, b, method="whitened_cosine", missing="omit", sigma_k=np.ones(8))
    with pytest.raises(cs.InputError, match="are equal"):
        m.compare_rdms(np.where(np.isnan(a), 1.0, 2.0), b, weights=~np.isnan(a))


@pytest.mark.filterwarnings("ignore:.*not-euclidean")
@pytest.mark.parametrize("method", METHODS)
def test_any_kind_of_array_is_read_and_left_as_it_was(method):
    a, b = two(8)
    whole = np.round(10 * a).astype(int)
    value = float(m.compare_rdms(whole.astype(float), b, method=method))
    whole.flags.writeable = False
    found = [whole, whole.astype(">i8"), whole.astype(np.float32), squareform(whole), whole.tolist()]
    for one in found:
        assert float(m.compare_rdms(one, b, method=method)) == pytest.approx(value, abs=1e-12)
    torch = pytest.importorskip("torch")
    result = m.compare_rdms(torch.tensor(whole.copy()), b, method=method)
    assert isinstance(result, torch.Tensor)
    assert float(result) == pytest.approx(value, abs=1e-12)


# -- resampling --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False])
def test_weighted_concordance_is_the_sum_written_out(whole):
    rng = np.random.default_rng(0)
    for n, levels in ((4, 3), (9, 2), (13, 5), (20, 10**6)):
        pairs = n * (n - 1) // 2
        a, b = (rng.integers(0, levels, (k, pairs)).astype(float) for k in (2, 3))
        w = multinomial_weights(n, 4, rng) if whole else rng.random((4, n))
        rows, columns = np.triu_indices(n, 1)
        v = w[:, rows] * w[:, columns]
        found = weighted_concordance(a, b, v)
        for i, j in np.ndindex(2, 3):
            table = np.sign(a[i][:, None] - a[i]) * np.sign(b[j][:, None] - b[j])
            expected = np.einsum("dp,pq,dq->d", v, table, v)
            np.testing.assert_allclose(found[:, i, j], expected, rtol=0 if whole else 1e-10, atol=1e-9)
        plain = weighted_concordance(a, b, np.ones((1, pairs)))[0] / (pairs * (pairs - 1))
        np.testing.assert_allclose(plain, [[tau_a(x, y) for y in b] for x in a], atol=1e-12)


def test_permuted_concordance_is_tau_a_of_relabelled_rdms():
    rng = np.random.default_rng(0)
    for n, levels in ((4, 3), (9, 2), (12, 6), (24, 10**6)):
        pairs = n * (n - 1) // 2
        a, b = (rng.integers(0, levels, (k, pairs)).astype(float) for k in (2, 3))
        orders = cs.stats.permutations(n, 70, rng)
        found = cs.stats.permuted_concordance(a, b, orders) / (pairs * (pairs - 1))
        rows, columns = np.triu_indices(n, 1)
        for d in (0, 40, 69):
            moved = [squareform(x)[orders[d][rows], orders[d][columns]] for x in a]
            np.testing.assert_allclose(found[d], [[tau_a(x, y) for y in b] for x in moved], atol=1e-12)
    grouped = rdm_parts("kendall", lambda v: v, rdm_distance=lambda d: d).permute(
        a, b, orders, groups=np.array([0, 0, 1])
    )
    np.testing.assert_allclose(grouped[:, :, 0], found[:, :, :2].mean(axis=2), atol=1e-12)


def test_large_weights_do_not_round():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(1, 300)), rng.normal(size=(1, 300))
    v = rng.integers(0, 5000, (3, 300)).astype(float)  # too large for float32
    table = np.sign(a[0][:, None] - a[0]) * np.sign(b[0][:, None] - b[0])
    np.testing.assert_array_equal(
        weighted_concordance(a, b, v)[:, 0, 0], np.einsum("dp,pq,dq->d", v, table, v, optimize=True)
    )


@pytest.mark.parametrize("method", ["kendall", "rho_a", "whitened_cosine", "whitened_pearson"])
def test_permuting_prepared_vectors_is_permuting_stimuli(method):
    rng = np.random.default_rng(0)
    measure = m.as_measure(functools.partial(m.rsa, method=method))
    x, y = rng.normal(size=(8, 5)), rng.normal(size=(8, 4))
    a, b = (measure.parts.prepare(z)[None] for z in (x, y))
    orders = cs.stats.permutations(8, 5, rng)
    found = measure.parts.permute(a, b, orders)[:, 0, 0]
    parts = rdm_parts(method, lambda v: v, rdm_distance=lambda d: d)
    for order, value in zip(orders, found):
        direct = parts.combine(measure.parts.prepare(x[order])[None], b)[0, 0]
        assert value == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "bures"])
def test_compare_takes_subjects_known_by_rdms_alone(method):
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(16)]
    signal = rng.normal(size=(16, 4))
    model = cs.responses(signal + 0.3 * rng.normal(size=(16, 4)), stimulus=ids, system="model")
    subjects = np.stack([m.rdm(signal + rng.normal(size=(16, 4)), distance="sqeuclidean") for _ in range(5)])
    brain = cs.rdm_data(
        subjects, stimulus=ids, distance="sqeuclidean", subject=[f"p{i}" for i in range(5)], system="brain"
    )
    measure = functools.partial(m.rsa, distance="sqeuclidean", method=method)
    result = cs.compare(model, brain, measure=measure, n_boot=50, n_perm=99, rng=0)
    own = m.rdm(model.values, distance="sqeuclidean")
    expected = np.mean([float(m.compare_rdms(own, d, method=method)) for d in subjects])
    assert result.value == pytest.approx(expected, abs=1e-12)
    low, high = result.ceiling
    assert low <= high + 1e-9
    assert result.interval[0] <= result.value <= result.interval[1]
    assert result.p == pytest.approx(0.01)


def test_the_upper_ceiling_of_rho_a_is_the_best_of_all_rankings():
    """No RDM has a higher mean rho-a with the subjects than the ranks of the mean of their ranks."""
    rng = np.random.default_rng(0)
    subjects = np.stack([rank(rng.normal(size=6)) for _ in range(3)])
    parts = rdm_parts("rho_a", lambda v: v, rdm_distance=lambda d: d)
    top = parts.combine(subjects, parts.bound(subjects)[None]).mean()
    every = np.array([rank(np.array(p, float)) for p in itertools.permutations(range(6))])
    assert top == pytest.approx(parts.combine(subjects, every).mean(axis=0).max(), abs=1e-12)


def test_bures_by_compare_has_a_jackknife_and_a_warning():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(40, 3))
    a, b = (cs.responses(signal @ rng.normal(size=(3, 5)), stimulus=np.arange(40)) for _ in range(2))
    measure = functools.partial(m.rsa, distance="euclidean", method="bures")
    with pytest.warns(cs.ConsilienceWarning, match="null-not-zero"):
        result = cs.compare(a, b, measure=measure, n_boot=50, n_perm=19, rng=0)
    assert result.value == pytest.approx(
        float(m.as_measure("procrustes", held_out=False).parts.value(a.values, b.values)), abs=1e-9
    )
    assert result.interval[0] < result.value < result.interval[1]
