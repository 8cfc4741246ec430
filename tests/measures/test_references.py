"""Values against other implementations and closed forms."""

import functools
import pickle

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist, squareform
from sklearn.cross_decomposition import CCA
from sklearn.linear_model import Ridge

import consilience as cs
from consilience.stats import group_folds

m = cs.measures
SEEDS = range(50)


def pair(seed, n=20, p=7, q=5):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    return (
        shared @ rng.normal(size=(3, p)) + rng.normal(size=(n, p)),
        shared @ rng.normal(size=(3, q)) + rng.normal(size=(n, q)) + 2,
    )


@pytest.mark.parametrize(
    ("distance", "metric"),
    [("correlation", "correlation"), ("cosine", "cosine"), ("euclidean", "sqeuclidean")],
)
def test_rdm_is_scipys(distance, metric):
    for seed in SEEDS:
        x, _ = pair(seed)
        expected = pdist(x, metric) / (x.shape[1] if distance == "euclidean" else 1)
        np.testing.assert_allclose(m.rdm(x, distance=distance), expected, rtol=1e-10, atol=1e-13)
        full = m.rdm(x, distance=distance, square=True)
        np.testing.assert_allclose(full, squareform(expected), rtol=1e-10, atol=1e-13)
        assert (full == full.T).all()
        assert (np.diag(full) == 0).all()


def test_flat_patterns_are_named_by_row_and_by_those_who_know_by_id():
    from consilience.measures._rdm import FlatPatternError

    x = np.random.default_rng(0).normal(size=(6, 4))
    x[2] = 7.0
    with pytest.raises(FlatPatternError, match="rdm: stimulus 2 has the same value in all units") as found:
        m.rdm(x)
    assert found.value.rows == (2,)
    assert found.value.code == "flat-pattern"
    assert pickle.loads(pickle.dumps(found.value)).rows == (2,)
    again = found.value.named(list("abcdef"), who="cs.compare, system 'V1'")
    assert str(again) == (
        "cs.compare, system 'V1': stimulus 'c' has the same value in all units, so its correlation distance is "
        "not defined; drop it or use distance='euclidean'."
    )
    x[[0, 1, 3]] = 0.0
    with pytest.raises(FlatPatternError, match=r"stimuli 0, 1, 3 have only zeros, so their cosine") as found:
        m.rdm(x, distance="cosine")
    x[4] = 0.0
    with pytest.raises(FlatPatternError, match=r"stimuli 0, 1, 3, \.\.\. \(4 in all\) have") as found:
        m.rsa(x, x, distance="cosine")
    assert "stimuli 'a', 'b', 'd', ... (4 in all)" in str(found.value.named(list("abcdef"), who="t"))


@pytest.mark.parametrize("distance", ["correlation", "cosine", "euclidean"])
def test_rsa_is_scipys(distance):
    metric = "sqeuclidean" if distance == "euclidean" else distance
    for seed in SEEDS:
        x, y = pair(seed)
        a, b = pdist(x, metric), pdist(y, metric)
        expected = {
            "spearman": stats.spearmanr(a, b).statistic,
            "pearson": stats.pearsonr(a, b).statistic,
            "cosine": a @ b / np.linalg.norm(a) / np.linalg.norm(b),
            "kendall": stats.kendalltau(a, b).statistic,
        }
        for method, value in expected.items():
            np.testing.assert_allclose(float(m.rsa(x, y, distance=distance, method=method)), value, rtol=1e-9)


def test_kendall_is_tau_a_where_there_are_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, 45).astype(float), rng.normal(size=45)
    signs = np.sign(a[:, None] - a[None, :]) * np.sign(b[:, None] - b[None, :])
    tau_a = signs.sum() / (45 * 44)
    assert float(m.compare_rdms(a, b, method="kendall")) == pytest.approx(tau_a, rel=1e-12)
    assert stats.kendalltau(a, b).statistic > 1.05 * abs(tau_a) or tau_a < 0


def test_spearman_gives_ties_mean_ranks_even_when_only_rounding_parts_them():
    a = np.array([0.1 + 0.2, 0.3, 0.5, 0.7, 0.2, 0.4])
    b = np.arange(6.0)
    assert float(m.compare_rdms(a, b, method="spearman")) == pytest.approx(
        stats.spearmanr(np.round(a, 6), b).statistic, rel=1e-12
    )


def test_compare_rdms_takes_square_and_condensed():
    x, y = pair(0)
    a, b = m.rdm(x), m.rdm(y)
    for method in ("cosine", "pearson", "spearman", "kendall"):
        assert float(m.compare_rdms(a, squareform(b), method=method)) == float(
            m.compare_rdms(a, b, method=method)
        )


def unbiased_hsic(k, ell):
    """Song et al. (2012), eq. 5, with the matrices written out."""
    n = len(k)
    k, ell = k - np.diag(np.diag(k)), ell - np.diag(np.diag(ell))
    one = np.ones(n)
    return (
        np.trace(k @ ell)
        + one @ k @ one * (one @ ell @ one) / (n - 1) / (n - 2)
        - 2 / (n - 2) * one @ k @ ell @ one
    ) / (n * (n - 3))


def rbf(x):
    d = squareform(pdist(x, "sqeuclidean"))
    return np.exp(-d / (2 * np.median(d[np.triu_indices(len(d), 1)])))


@pytest.mark.parametrize("shape", [(20, 7, 5), (20, 40, 5), (30, 4, 4), (5, 3, 2), (4, 10, 10)])
def test_debiased_cka_is_song_2012(shape):
    for seed in range(10):
        x, y = pair(seed, *shape)
        for kernel, make in (("linear", lambda z: z @ z.T), ("rbf", rbf)):
            k, ell = make(x), make(y)
            expected = unbiased_hsic(k, ell) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(ell, ell))
            np.testing.assert_allclose(float(m.cka(x, y, kernel=kernel)), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_biased_cka_is_kornblith_2019():
    for seed in SEEDS:
        x, y = pair(seed)
        a, b = x - x.mean(0), y - y.mean(0)
        expected = np.linalg.norm(a.T @ b) ** 2 / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)
        np.testing.assert_allclose(float(m.cka(x, y, debiased=False)), expected, rtol=1e-10)


def test_unbiased_hsic_has_mean_zero_and_a_biased_one_has_not():
    rng = np.random.default_rng(0)
    values = [m.cka(rng.normal(size=(20, 200)), rng.normal(size=(20, 200))) for _ in range(1000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(1000)
    with pytest.warns(cs.ConsilienceWarning, match=r"null-not-zero.*0\.91"):
        assert m.cka(rng.normal(size=(20, 200)), rng.normal(size=(20, 200)), debiased=False) > 0.88


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_cca_is_scikit_learns_and_the_closed_form():
    for seed in range(20):
        x, y = pair(seed, 40, 4, 3)
        a, b = (np.linalg.qr(z - z.mean(0))[0] for z in (x, y))
        expected = np.linalg.svd(a.T @ b, compute_uv=False).mean()
        np.testing.assert_allclose(float(m.cca(x, y)), expected, rtol=1e-10)
    u, v = CCA(n_components=3, max_iter=5000, tol=1e-12).fit_transform(x, y)
    theirs = np.mean([stats.pearsonr(u[:, i], v[:, i]).statistic for i in range(3)])
    np.testing.assert_allclose(float(m.cca(x, y)), theirs, rtol=1e-5)


def test_cca_of_more_units_than_stimuli_is_one_and_says_so():
    rng = np.random.default_rng(0)
    with pytest.warns(cs.ConsilienceWarning, match="null-not-zero"):
        assert m.cca(rng.normal(size=(20, 30)), rng.normal(size=(20, 30))) == pytest.approx(1.0)


def test_cca_without_units_to_spare_does_not_warn():
    rng = np.random.default_rng(0)
    for f in (m.cca, m.svcca, m.procrustes):
        assert f(rng.normal(size=(2000, 10)), rng.normal(size=(2000, 10))) < 0.1


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_duplicated_unit_changes_nothing_in_cca():
    x, y = pair(1, 40, 4, 3)
    assert float(m.cca(np.c_[x, x[:, :1]], y)) == pytest.approx(float(m.cca(x, y)), abs=1e-9)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_svcca_keeps_the_components_it_says():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)) * 2.0 ** -np.arange(6), rng.normal(size=(50, 6))
    a, b = x - x.mean(0), y - y.mean(0)
    for threshold in (0.5, 0.9, 0.99):
        kept = []
        for z in (a, b):
            u, s, _ = np.linalg.svd(z, full_matrices=False)
            kept.append(u[:, : int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), threshold) + 1)])
        expected = np.linalg.svd(kept[0].T @ kept[1], compute_uv=False).mean()
        assert float(m.svcca(x, y, threshold=threshold)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_procrustes_is_scipys():
    for seed in SEEDS:
        x, y = pair(seed, 20, 6, 6)
        a, b = x - x.mean(0), y - y.mean(0)
        _, scale = orthogonal_procrustes(a, b)
        expected = scale / np.linalg.norm(a) / np.linalg.norm(b)
        np.testing.assert_allclose(float(m.procrustes(x, y)), expected, rtol=1e-10)


def test_procrustes_null_is_the_measured_one():
    from consilience.measures._procrustes_null import procrustes_null

    assert procrustes_null(100, 100, 100) == pytest.approx(0.75, abs=0.005)
    assert procrustes_null(100, 1000, 1000) == pytest.approx(0.975, abs=0.0005)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize(
    ("name", "shape", "slack"),
    [
        ("cca", (20, 5, 5), 0.003),  # the limit law alone is 0.010 off
        ("cca", (20, 12, 10), 0.003),
        ("procrustes", (20, 5, 5), 0.002),  # 0.012 off
        ("procrustes", (20, 19, 19), 0.001),  # 0.010 off
        ("procrustes", (50, 400, 400), 0.0003),  # 0.0006 off
        ("svcca", (100, 200, 200), 0.0005),  # with one number of components, rounded up: 0.002 off
        ("svcca", (100, 1000, 1000), 0.0005),  # 0.005 off
    ],
)
def test_in_sample_nulls_hold_at_few_stimuli(name, shape, slack):
    """Stated nulls against simulation, closer than the limit laws they start from."""
    n, p, q = shape
    f, null = getattr(m, name), m.claims(name).null(n, p, q)
    rng = np.random.default_rng(0)
    draws = 1000 if p < 30 else 150
    values = [float(f(rng.normal(size=(n, p)), rng.normal(size=(n, q)))) for _ in range(draws)]
    assert abs(np.mean(values) - null) < slack + 3 * np.std(values) / np.sqrt(draws)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("shape", [(40, 40, 40), (60, 120, 120), (120, 120, 120), (50, 25, 150)])
def test_nulls_between_procrustes_and_cca(alpha, shape):
    """The mean of both ends is up to 0.017 too high where units are about as many as stimuli."""
    n, p, q = shape
    rng = np.random.default_rng(1)
    values = [
        float(m.procrustes(rng.normal(size=(n, p)), rng.normal(size=(n, q)), alpha=alpha)) for _ in range(60)
    ]
    null = m.claims("procrustes", alpha=alpha).null(n, p, q)
    assert abs(np.mean(values) - null) < 0.0015 + 3 * np.std(values) / np.sqrt(60)


@pytest.mark.parametrize("shape", [(30, 40), (60, 300), (25, 24)])
def test_components_kept_of_white_data_are_counted_right(shape):
    from consilience.measures._svcca import _kept, _kept_of_white

    n, p = shape
    rng = np.random.default_rng(0)
    counts = []
    for _ in range(400):
        x = rng.normal(size=(n, p))
        values = np.linalg.svd(x - x.mean(0), compute_uv=False) ** 2
        counts.append(_kept(values, 0.99, None))
    stated = _kept_of_white(n, p, 0.99, None)
    assert sum(share for _, share in stated) == pytest.approx(1.0)
    assert sum(k * share for k, share in stated) == pytest.approx(np.mean(counts), abs=0.15)


def folds_of(n, count=5, rng=0):
    from consilience._core._seeds import resolve_seed

    return group_folds(np.arange(n), count, resolve_seed(rng, who="t").stream("folds"), who="t")


def test_procrustes_held_out_is_the_loop():
    x, y = pair(3, 30, 6, 6)
    top, left, right = 0.0, 0.0, 0.0
    for test in folds_of(30):
        train = np.setdiff1d(np.arange(30), test)
        mx, my = x[train].mean(0), y[train].mean(0)
        rotation, _ = orthogonal_procrustes(x[train] - mx, y[train] - my)
        a, b = (x[test] - mx) @ rotation, y[test] - my
        top, left, right = top + np.sum(a * b), left + np.sum(a * a), right + np.sum(b * b)
    assert float(m.procrustes_held_out(x, y)) == pytest.approx(top / np.sqrt(left * right), rel=1e-9)


def brute_predictivity(x, y, alphas, owner=None, rng=0):
    """Ridge by scikit-learn, alpha by refitting with every training group left out, one target at a time."""
    from consilience._core._seeds import resolve_seed

    n = len(x)
    groups = np.arange(n) if owner is None else owner
    tests = group_folds(groups, 5, resolve_seed(rng, who="t").stream("folds"), who="t")
    top, left, right = (np.zeros(y.shape[1]) for _ in range(3))
    for test in tests:
        train = np.setdiff1d(np.arange(n), test)
        scale = np.sum((x[train] - x[train].mean(0)) ** 2) / train.size
        for u in range(y.shape[1]):
            target = y[train, u]
            errors = []
            for alpha in alphas:
                total = 0.0
                for g in np.unique(groups[train]):
                    out = groups[train] == g
                    fit = fit_fixed_centre(x[train], target, out, alpha * scale)
                    total += np.sum((target[out] - fit) ** 2)
                errors.append(total)
            alpha = alphas[len(errors) - 1 - int(np.argmin(errors[::-1]))]
            ridge = Ridge(alpha=alpha * scale).fit(x[train], target)
            inside = ridge.predict(x[train]) - target.mean()
            d = (ridge.predict(x[test]) - target.mean()) / np.sqrt(np.mean(inside**2))
            e = y[test, u] - target.mean()
            top[u], left[u], right[u] = top[u] + d @ e, left[u] + d @ d, right[u] + e @ e
    return np.mean(top / np.sqrt(left * right))


def fit_fixed_centre(x, target, out, penalty):
    """Prediction of rows ``out`` by ridge with an unpenalised intercept fitted on the other rows."""
    ridge = Ridge(alpha=penalty).fit(x[~out], target[~out])
    return ridge.predict(x[out])


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("units", [4, 40])
def test_linear_predictivity_is_the_scikit_learn_loop(grouped, units):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(30, units)) + 1
    y = x[:, :3] @ rng.normal(size=(3, 4)) + np.array([0.1, 1, 5, 20]) * rng.normal(size=(30, 4))
    owner = np.repeat(np.arange(10), 3) if grouped else None
    alphas = (1e-3, 0.1, 10.0)
    ours = float(m.linear_predictivity(x, y, alphas=alphas, groups=owner))
    assert ours == pytest.approx(brute_predictivity(x, y, alphas, owner), rel=1e-6)


def test_alpha_is_chosen_per_target():
    from consilience.linalg import RidgePlan

    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 10))
    y = np.c_[x @ rng.normal(size=10), rng.normal(size=60)]
    alpha = RidgePlan(x - x.mean(0), folds_of(60), np.array([1e-5, 1e3])).predict(y).alpha
    assert (alpha[:, 0] == 0).all()
    assert (alpha[:, 1] == 1).mean() > 0.5


def test_linear_predictivity_recovers_the_planted_value():
    """With a known linear map and noise, the score tends to the correlation of signal and signal + noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 5))
    signal = x @ rng.normal(size=(5, 8))
    y = signal + signal.std(axis=0) * rng.normal(size=signal.shape)
    assert float(m.linear_predictivity(x, y)) == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_linear_predictivity_of_noise_is_zero_where_a_leak_would_score():
    """Pure noise with many more units than stimuli: choosing or fitting on test stimuli would show."""
    rng = np.random.default_rng(0)
    values = [
        float(m.linear_predictivity(rng.normal(size=(40, 200)), rng.normal(size=(40, 20)))) for _ in range(40)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / np.sqrt(40)
    assert abs(np.mean(values)) < 0.03


@pytest.mark.parametrize("name", ["cca_held_out", "svcca_held_out", "procrustes_held_out"])
def test_held_out_alignments_find_shared_signal_and_nothing_else(name):
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(200, 4))
    f = getattr(m, name)
    x, y = shared @ rng.normal(size=(4, 4)), shared @ rng.normal(size=(4, 4))
    assert float(f(x, y)) > 0.5
    assert abs(float(f(x, rng.normal(size=(200, 300))))) < 0.2


@pytest.mark.parametrize("name", ["cca_held_out", "svcca_held_out", "procrustes_held_out"])
def test_held_out_alignments_of_wide_data_do_not_hang_on_arbitrary_directions(name):
    """With more units than training stimuli, directions without data (or fitted equally well) are any basis."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 150)), rng.normal(size=(40, 120))
    y[:, :120] += x[:, :120]
    turn = np.linalg.qr(rng.normal(size=(150, 150)))[0]
    options = {"regularization": 0.0} if name == "cca_held_out" else {}
    f = functools.partial(getattr(m, name), **options)
    value = float(f(x, y))
    assert value > 0.05
    assert float(f(x @ turn, y)) == pytest.approx(value, abs=1e-10)
    assert float(f(y, x)) == pytest.approx(value, abs=1e-10)
    alone = [float(f(*rng.normal(size=(2, 40, 150)))) for _ in range(40)]
    assert abs(np.mean(alone)) < 4 * np.std(alone) / np.sqrt(40)


def test_groups_stay_on_one_side():
    """With copies of a stimulus as a group the score is that of new stimuli, not of seen ones."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 60)), rng.normal(size=(30, 3))
    x2, y2, groups = np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0), np.repeat(np.arange(30), 2)
    assert float(m.linear_predictivity(x2, y2, alphas=(1e-5,))) > 0.5
    assert float(m.linear_predictivity(x2, y2, alphas=(1e-5,), groups=groups)) < 0.3


def test_options_reach_the_function():
    x, y = pair(0)
    spec = functools.partial(m.rsa, distance="euclidean")
    assert float(spec(x, y)) != float(m.rsa(x, y))
