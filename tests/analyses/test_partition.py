"""Regression of RDMs: against least squares of SciPy, planted mixtures, properties, what is refused, and the result."""

import functools

import matplotlib as mpl
import numpy as np
import pytest
from scipy.optimize import nnls

import consilience as cs
from consilience.measures._rdm_regression import commonalities, fit_subsets, held_out_r2, moments
from consilience.stats import multinomial_weights

mpl.use("Agg")
rdm = functools.partial(cs.measures.rdm, distance="sqeuclidean")
IDS = [f"image{i:02d}" for i in range(30)]


def features(seed=0, n=30, count=3):
    return np.random.default_rng(seed).normal(size=(count, n, 4))


def mixed(seed=0, n=10, s=2, k=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(k, n * (n - 1) // 2)) + 0.5 * rng.normal(size=n * (n - 1) // 2)
    return x, rng.normal(size=(s, k)) @ x + rng.normal(size=(s, x.shape[1]))


def direct(x, y, w, *, nonnegative):
    """(R^2, weights) of weighted least squares with a free constant."""
    root = np.sqrt(w)
    x, y = (x - (x @ w / w.sum())[:, None]) * root, (y - y @ w / w.sum()) * root
    beta = nnls(x.T, y)[0] if nonnegative else np.linalg.lstsq(x.T, y, rcond=None)[0]
    return 1 - ((y - beta @ x) ** 2).sum() / (y**2).sum(), beta


@pytest.mark.parametrize("nonnegative", [True, False])
def test_every_subset_of_every_draw_is_the_direct_fit(nonnegative):
    for seed in range(5):
        x, y = mixed(seed)
        weights = multinomial_weights(10, 3, np.random.default_rng(seed))
        r2, beta = fit_subsets(*moments(x, y, weights).centred(), nonnegative=nonnegative)
        rows, columns = np.triu_indices(10, 1)
        for d, w in enumerate(weights):
            v = w[rows] * w[columns]
            for s in range(2):
                assert r2[d, s, 0] == 0
                for subset in range(1, 8):
                    inside = [j for j in range(3) if subset >> j & 1]
                    value, expected = direct(x[inside], y[s], v, nonnegative=nonnegative)
                    assert r2[d, s, subset] == pytest.approx(value, abs=1e-10)
                    np.testing.assert_allclose(beta[d, s, subset, inside], expected, atol=1e-8)
                    assert (np.delete(beta[d, s, subset], inside) == 0).all()


@pytest.mark.parametrize("nonnegative", [True, False])
def test_held_out_is_the_loop_over_folds(nonnegative):
    x, y = mixed(3, n=15)
    folds = np.array_split(np.random.default_rng(0).permutation(15), 3)
    rows, columns = np.triu_indices(15, 1)
    found = held_out_r2(x, y, folds, n=15, nonnegative=nonnegative)
    for subset in (1, 6, 7):
        inside = [j for j in range(3) if subset >> j & 1]
        for s in range(2):
            errors = around = 0.0
            for test in folds:
                out = np.isin(rows, test) & np.isin(columns, test)
                fit = ~np.isin(rows, test) & ~np.isin(columns, test)
                _, beta = direct(x[inside][:, fit], y[s, fit], np.ones(fit.sum()), nonnegative=nonnegative)
                constant = y[s, fit].mean() - beta @ x[inside][:, fit].mean(axis=1)
                errors += ((y[s, out] - constant - beta @ x[inside][:, out]) ** 2).sum()
                around += ((y[s, out] - y[s, fit].mean()) ** 2).sum()
            assert found[s, subset] == pytest.approx(1 - errors / around, abs=1e-9)
    assert (found[:, 0] == 0).all()


def test_commonalities_of_two_and_three_models():
    r2 = np.array([0.0, 0.3, 0.4, 0.6])  # {}, a, b, both
    np.testing.assert_allclose(commonalities(2) @ r2, [0.2, 0.3, 0.1])  # only a, only b, shared
    r2 = np.array([0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.44, 0.5])
    parts = commonalities(3) @ r2
    assert parts.sum() == pytest.approx(0.5)
    assert parts[0] == pytest.approx(r2[7] - r2[6])
    # what a and b share and c lacks: R2(ac) + R2(bc) - R2(c) - R2(abc) (Nimon et al. 2008)
    assert parts[2] == pytest.approx(r2[5] + r2[6] - r2[4] - r2[7])
    all_three = r2[1] + r2[2] + r2[4] - r2[3] - r2[5] - r2[6] + r2[7]
    assert parts[6] == pytest.approx(all_three)


def test_a_planted_mixture_is_recovered():
    shape, colour, noise = features()
    brain = cs.responses(np.hstack([np.sqrt(3) * shape, colour]), stimulus=IDS, system="brain")
    models = {
        name: cs.responses(x, stimulus=IDS)
        for name, x in (("shape", shape), ("colour", colour), ("noise", noise))
    }
    result = cs.partition(brain, models, distance="sqeuclidean", n_boot=0, n_perm=99, rng=0)
    assert result.r2 == pytest.approx(1, abs=1e-10)
    spread = {name: rdm(x).std() for name, x in (("shape", shape), ("colour", colour))}
    whole = rdm(brain.values).std()
    found = result.coefficients["value"]
    assert float(found.sel(model="shape")) == pytest.approx(3 * spread["shape"] / whole, abs=1e-8)
    assert float(found.sel(model="colour")) == pytest.approx(spread["colour"] / whole, abs=1e-8)
    assert float(found.sel(model="noise")) == pytest.approx(0, abs=1e-8)
    table = result.data
    assert float(table["held_out"].sel(part="total")) == pytest.approx(1, abs=1e-10)
    assert float(table["p"].sel(part="unique: shape")) == 0.01
    assert result.unique("noise") == pytest.approx(0, abs=1e-10)
    own = table["value"][np.isin(table["kind"].values, ("unique", "common"))]
    assert float(own.sum()) == pytest.approx(result.r2, abs=1e-10)
    assert result.interval is None


def test_subjects_have_intervals_and_a_ceiling():
    rng = np.random.default_rng(1)
    shape, colour, _ = features(1)
    subjects = np.stack([2 * rdm(shape) + rdm(colour) + 8 * np.abs(rng.normal(size=435)) for _ in range(5)])
    brain = cs.rdm_data(subjects, stimulus=IDS, distance="sqeuclidean", subject=range(5), system="brain")
    models = {"shape": cs.responses(shape, stimulus=IDS), "colour": cs.responses(colour, stimulus=IDS)}
    made = functools.partial(cs.partition, brain, models, distance="sqeuclidean", n_boot=100, n_perm=50)
    result = made(rng=0)
    total = result.data.sel(part="total")
    assert 0 < total["ceiling_low"] < total["ceiling_high"] < 1
    assert total["ci_both_low"] < total["ci_low"] < total["value"] < total["ci_high"] < total["ci_both_high"]
    expected = np.mean(
        [direct(np.stack([rdm(shape), rdm(colour)]), y, np.ones(435), nonnegative=True)[0] for y in subjects]
    )
    assert result.r2 == pytest.approx(expected, abs=1e-10)
    assert float(result.data["null_mean"].sel(part="unique: shape")) < result.unique("shape")
    again = made(rng=0)
    np.testing.assert_array_equal(result.data["ci_low"].values, again.data["ci_low"].values)
    moved = cs.partition(
        brain[:, ::-1, ::-1], models, distance="sqeuclidean", n_boot=100, n_perm=50, rng=0
    )  # matched by id
    np.testing.assert_allclose(moved.data["value"].values, result.data["value"].values, atol=1e-12)
    assert all(row.passed for row in cs.testing.check_result(result))


def test_scaling_and_shifting_any_rdm_changes_nothing():
    shape, colour, noise = features(2)
    y = rdm(shape) + rdm(colour) + 3 * rdm(noise)

    def r2(one, two, of):
        models = {
            name: cs.rdm_data(d[None], stimulus=IDS, distance="sqeuclidean")
            for name, d in (("one", one), ("two", two))
        }
        data = cs.rdm_data(of[None], stimulus=IDS, distance="sqeuclidean")
        return cs.partition(data, models, method="ols", n_boot=0, n_perm=0, rng=0).data["value"].values

    plain = r2(rdm(shape), rdm(colour), y)
    np.testing.assert_allclose(r2(5 * rdm(shape) + 2, 0.1 * rdm(colour), 7 * y + 1), plain, atol=1e-10)
    assert abs(r2(rdm(shape) ** 2, rdm(colour), y) - plain).max() > 1e-3


def test_one_model_has_a_total_only():
    shape, colour, _ = features(4)
    brain = cs.responses(shape + colour, stimulus=IDS, system="brain")
    result = cs.partition(brain, {"shape": cs.responses(shape, stimulus=IDS)}, n_boot=50, n_perm=50, rng=0)
    assert result.data["part"].values.tolist() == ["total"]
    d = [cs.measures.rdm(x) for x in (brain.values, shape)]
    assert result.r2 == pytest.approx(np.corrcoef(*d)[0, 1] ** 2, abs=1e-12)


def test_permutations_are_refits_with_relabelled_stimuli():
    from consilience._core._seeds import resolve_seed
    from consilience.stats import permutations

    shape, colour, noise = features(5, n=12)
    ids = IDS[:12]
    brain = cs.responses(shape + 0.5 * noise, stimulus=ids, system="brain")
    models = {"shape": cs.responses(shape, stimulus=ids), "colour": cs.responses(colour, stimulus=ids)}
    result = cs.partition(brain, models, distance="sqeuclidean", n_boot=0, n_perm=20, rng=3)
    orders = permutations(12, 20, resolve_seed(3, who="t").stream("permutations"))
    y, one, ones = rdm(brain.values), rdm(shape), np.ones(66)
    base = direct(one[None], y, ones, nonnegative=True)[0]
    null = [direct(np.stack([one, rdm(colour[o])]), y, ones, nonnegative=True)[0] - base for o in orders]
    assert float(result.data["null_mean"].sel(part="unique: colour")) == pytest.approx(
        np.mean(null), abs=1e-10
    )


@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_picture_shows_every_row(count):
    parts = features(6, count=5)
    brain = cs.responses(parts.sum(axis=0), stimulus=IDS, system="brain")
    models = {f"model{i}": cs.responses(parts[i], stimulus=IDS) for i in range(count)}
    result = cs.partition(brain, models, n_boot=20, n_perm=20, rng=0)
    axes = result.plot()
    words = [text.get_text() for text in axes.get_yticklabels()]
    assert words[0] == "all models"
    expected = 1 if count == 1 else 1 + 2 * count + (2**count - 1 - count if count <= 3 else 0)
    assert len(words) == expected
    assert len(repr(result).splitlines()) <= 24


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"models": {}}, "bad-models", "mapping .* of 1 to 6, got 0"),
        ({"models": "one"}, "bad-models", "mapping .* of 1 to 6, got a single system"),
        ({"models": "seven"}, "bad-models", "mapping .* of 1 to 6, got 7"),
        ({"models": "same"}, "bad-models", "RDM of model 'a' is a mixture of those of the others"),
        ({"data": "mapping"}, "bad-models", "data must be one system, got a mapping"),
        ({"method": "ridge"}, "unknown-option", "method must be one of 'nnls', 'ols'"),
        ({"n_boot": 1}, "bad-parameter", "n_boot=1 says nothing"),
        ({"n_perm": -1}, "bad-parameter", "n_perm must be a whole number"),
        ({"level": 2}, "bad-parameter", "level must be a number"),
    ],
)
def test_what_is_refused(change, code, text):
    x = cs.responses(features()[0], stimulus=IDS, system="x")
    other = cs.responses(features()[1], stimulus=IDS, system="y")
    given = {"one": other, "seven": {str(i): other for i in range(7)}, "same": {"a": other, "b": other}}
    models = change.pop("models", {"m": other})
    models = given.get(models, models) if isinstance(models, str) else models
    data = {"x": x} if change.pop("data", None) else x
    with pytest.raises(cs.InputError, match=text) as error:
        cs.partition(data, models, **{"n_boot": 0, "n_perm": 0, "rng": 0, **change})
    assert error.value.code == code


def test_an_unknown_model_is_named():
    x, other = (cs.responses(f, stimulus=IDS) for f in features(count=2))
    result = cs.partition(x, {"m": other}, n_boot=0, n_perm=0, rng=0)
    with pytest.raises(cs.InputError, match="no model 'q'; known: 'm'"):
        result.unique("q")


# -- partial comparison ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_partial_correlation_is_the_inverse_of_the_correlation_matrix(method):
    """-P_ab / sqrt(P_aa P_bb), P the inverse of the correlation matrix; semi-partial by its own formula."""
    from scipy.stats import rankdata

    x, y = mixed(0, k=4)
    vectors = np.concatenate([y, x])
    ready = np.stack([rankdata(v) for v in vectors]) if method == "spearman" else vectors
    precision = np.linalg.inv(np.corrcoef(ready))
    expected = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    partial = functools.partial(cs.measures.partial_compare_rdms, *y, method=method)
    assert float(partial(list(x))) == pytest.approx(expected, abs=1e-10)
    r = np.corrcoef(ready[[0, 1, 2]])
    semi = (r[0, 1] - r[0, 2] * r[1, 2]) / np.sqrt(1 - r[1, 2] ** 2)
    assert float(partial(x[0], semi=True)) == pytest.approx(semi, abs=1e-10)
    gone = x[0].copy()
    gone[4] = np.nan
    kept = ~np.isnan(gone)
    without = cs.measures.partial_compare_rdms(
        *(np.where(kept, v, np.nan) for v in y), x[0], method=method, missing="omit"
    )
    assert float(partial(gone, missing="omit")) == pytest.approx(float(without), abs=1e-12)


@pytest.mark.parametrize(
    ("given", "options", "code", "text"),
    [
        ("a", {}, "constant-rdm", "given RDMs explain a fully"),
        ("short", {}, "rows-differ", "same stimuli, got 45, 45, 36 pairs"),
        ("x", {"method": "kendall"}, "unknown-option", "method must be one of 'pearson', 'spearman'"),
        ("x", {"semi": 1}, "bad-parameter", "semi must be True or False"),
        ("nan", {}, "nan-values", r"given\[0\] has NaN or infinite entries"),
    ],
)
def test_what_partial_comparison_refuses(given, options, code, text):
    x, (a, b) = mixed(0)
    other = {"a": a, "short": x[0][:36], "x": x[0], "nan": np.where(np.arange(45) == 3, np.nan, x[0])}[given]
    with pytest.raises(cs.InputError, match=text) as error:
        cs.measures.partial_compare_rdms(a, b, other, **options)
    assert error.value.code == code
