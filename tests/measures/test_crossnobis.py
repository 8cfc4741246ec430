"""Cross-validated distances: unbiased, equal to slow versions and to rsatoolbox, with gaps; bad input."""

import itertools

import numpy as np
import pytest

import consilience as cs
from consilience.linalg import noise_covariance, stimulus_residuals

m = cs.measures


def design(n=6, folds=4, repeats=1):
    stimulus = np.tile(np.repeat(np.arange(n), repeats), folds)
    return stimulus, np.repeat(np.arange(folds), n * repeats)


def slow(x, stimulus, fold, precision):
    """The equation, pair by pair and fold pair by fold pair; ``precision`` a matrix, or one for each fold."""
    names, p = np.unique(stimulus), x.shape[1]
    folds = np.unique(fold)
    per_fold = precision if isinstance(precision, dict) else dict.fromkeys(folds, precision)
    out = []
    for i, j in itertools.combinations(names, 2):
        difference = {}
        for f in folds:
            one, two = (x[(fold == f) & (stimulus == s)] for s in (i, j))
            if len(one) and len(two):
                difference[f] = one.mean(axis=0) - two.mean(axis=0)
        terms = [
            difference[a] @ per_fold[a] @ difference[b] for a, b in itertools.permutations(difference, 2)
        ]
        out.append(np.mean(terms) / p)
    return np.array(out)


@pytest.mark.parametrize("folds", [2, 3, 5])
@pytest.mark.parametrize("repeats", [1, 3])
def test_it_is_the_equation(folds, repeats):
    rng = np.random.default_rng(0)
    stimulus, fold = design(6, folds, repeats)
    x = rng.normal(size=(stimulus.size, 5)) + 10
    order = rng.permutation(len(x))
    x, stimulus, fold = x[order], stimulus[order], fold[order]
    p = np.linalg.inv(np.cov(rng.normal(size=(30, 5)).T))
    np.testing.assert_allclose(
        m.crossnobis(x, stimulus, folds=fold, noise=p), slow(x, stimulus, fold, p), rtol=1e-9, atol=1e-11
    )
    np.testing.assert_allclose(
        m.crossnobis(x, stimulus, folds=fold, noise=None),
        slow(x, stimulus, fold, np.eye(5)),
        rtol=1e-9,
        atol=1e-11,
    )
    full = m.crossnobis(x, stimulus, folds=fold, noise=p, square=True)
    assert (full == full.T).all()
    assert (np.diag(full) == 0).all()


@pytest.mark.parametrize("noise", ["shrinkage", "shrinkage_diagonal", "diagonal", "full"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_noise_is_estimated_without_the_held_out_fold(noise, repeats):
    rng = np.random.default_rng(1)
    stimulus, fold = design(6, 4, repeats)
    x = rng.normal(size=(stimulus.size, 5)) @ rng.normal(size=(5, 5))
    precision = {}
    for f in range(4):
        rest = fold != f
        made = noise_covariance(stimulus_residuals(x[rest], stimulus[rest], runs=fold[rest]), method=noise)
        precision[f] = np.diag(made.precision) if made.precision.ndim == 1 else made.precision
    expected = slow(x, stimulus, fold, precision)
    np.testing.assert_allclose(
        m.crossnobis(x, stimulus, folds=fold, noise=noise), expected, rtol=1e-9, atol=1e-11
    )


def test_gaps_are_averaged_over_the_folds_that_have_both():
    rng = np.random.default_rng(2)
    stimulus, fold = design(7, 5, 2)
    gone = ((fold == 0) & (stimulus < 2)) | ((fold == 3) & (stimulus == 4)) | ((fold == 4) & (stimulus == 1))
    stimulus, fold = stimulus[~gone], fold[~gone]
    x = rng.normal(size=(stimulus.size, 5)) + rng.normal(size=(5, 1, 5))[fold][:, 0]
    p = np.linalg.inv(np.cov(rng.normal(size=(30, 5)).T))
    np.testing.assert_allclose(
        m.crossnobis(x, stimulus, folds=fold, noise=p), slow(x, stimulus, fold, p), rtol=1e-9, atol=1e-11
    )
    each = {f: p * (1 + f) for f in range(5)}
    made = m._repeats.as_trials(x, stimulus, fold, who="t")
    means = m._repeats.fold_means(made)
    b = np.stack([means[f] @ each[f] for f in range(5)])
    got = m._repeats.cross_distances(means, made.present, b=b, who="t")[np.triu_indices(7, 1)] / 5
    np.testing.assert_allclose(got, slow(x, stimulus, fold, each), rtol=1e-9, atol=1e-11)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # of rsatoolbox
def test_rsatoolbox_agrees_on_balanced_data():
    data, rdm = pytest.importorskip("rsatoolbox.data"), pytest.importorskip("rsatoolbox.rdm")
    for seed in range(10):
        rng = np.random.default_rng(seed)
        stimulus, fold = design(8, 2 + seed % 3, 2)
        x = rng.poisson(4, size=(stimulus.size, 6)).astype(float)
        set_ = data.Dataset(x, obs_descriptors={"s": stimulus.tolist(), "f": fold.tolist()})
        p = np.linalg.inv(np.cov(rng.normal(size=(30, 6)).T))
        for noise in (None, p):
            theirs = rdm.calc_rdm(set_, "crossnobis", "s", noise=noise, cv_descriptor="f").dissimilarities[0]
            np.testing.assert_allclose(
                m.crossnobis(x, stimulus, folds=fold, noise=noise), theirs, rtol=1e-10, atol=1e-10
            )
        mean = np.stack([x[stimulus == s].mean(axis=0) for s in range(8)])
        theirs = rdm.calc_rdm(set_, "mahalanobis", "s", noise=p).dissimilarities[0]
        np.testing.assert_allclose(m.rdm(mean, distance="mahalanobis", noise=p), theirs, rtol=1e-10)
        theirs = rdm.calc_rdm(set_, "poisson", "s").dissimilarities[0]
        np.testing.assert_allclose(m.rdm(mean, distance="poisson"), theirs, rtol=1e-10)


def z_of(values, truth):
    return (values.mean() - truth) / (values.std(ddof=1) / np.sqrt(values.size))


@pytest.mark.parametrize("delta", [0.0, 0.5, 2.0])
def test_unbiased_without_noise_covariance(delta):
    """10^4 distances of independent pairs of stimuli: 20 stimuli in 2 groups, `delta` apart in every unit."""
    rng = np.random.default_rng(10)
    stimulus, fold = design(20, 2)
    signal = delta * (stimulus % 2)[:, None]
    pairs = [
        m.crossnobis(signal + rng.normal(size=(40, 4)), stimulus, folds=fold, noise=None, square=True)
        for _ in range(1000)
    ]
    values = np.array([d[np.arange(0, 20, 2), np.arange(1, 20, 2)] for d in pairs]).ravel()
    assert abs(z_of(values, delta**2)) < 4
    assert (delta > 0) or (values < 0).mean() == pytest.approx(0.5, abs=0.05)  # kept, not clipped


@pytest.mark.slow
@pytest.mark.parametrize("delta", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("noise", ["diagonal", "full", "shrinkage"])
def test_unbiased_with_noise_estimated_on_the_other_folds(delta, noise):
    """E d = delta' E[P] delta / p: E[P] of a variance is dof / (dof - 2), of a covariance dof / (dof - p - 1)."""
    rng = np.random.default_rng(11)
    stimulus, fold = design(20, 3, 2)
    signal = delta * (stimulus % 2)[:, None]
    dof, p = 40, 3
    values = []
    for _ in range(1000):
        x = signal + rng.standard_t(5, size=(120, p)) if delta == 0 else signal + rng.normal(size=(120, p))
        d = m.crossnobis(x, stimulus, folds=fold, noise=noise, square=True)
        values.append(d[np.arange(0, 20, 2), np.arange(1, 20, 2)])
    values = np.array(values)
    truth = {"diagonal": dof / (dof - 2), "full": dof / (dof - p - 1)}
    means = values.mean(axis=1)  # those of one data set share their noise covariance
    if noise in truth or delta == 0:
        assert abs(z_of(means, delta**2 * truth.get(noise, 1.0))) < 4
    else:
        assert means.mean() == pytest.approx(delta**2, rel=0.1)


def test_poisson_is_unbiased_for_equal_rates_and_grows_with_their_difference():
    rng = np.random.default_rng(12)
    stimulus, fold = design(20, 2, 2)
    pick = np.arange(0, 20, 2), np.arange(1, 20, 2)
    null = [
        m.poisson_crossvalidated(rng.poisson(3, size=(80, 4)), stimulus, folds=fold, square=True)[pick]
        for _ in range(1000)
    ]
    assert abs(z_of(np.array(null).ravel(), 0.0)) < 4
    rates = np.where(stimulus % 2 == 0, 3.0, 6.0)[:, None] * np.ones(4)
    far = m.poisson_crossvalidated(rng.poisson(rates), stimulus, folds=fold, square=True)[pick].mean()
    assert far == pytest.approx((6 - 3) * np.log(6 / 3) / 1.1, rel=0.3)


def test_poisson_is_the_equation_and_the_mean_over_folds():
    rng = np.random.default_rng(13)
    stimulus, fold = design(6, 3, 2)
    x = rng.poisson(2, size=(stimulus.size, 5))
    expected = np.zeros(15)
    for f in range(3):
        test = np.stack([x[(fold == f) & (stimulus == s)].mean(axis=0) for s in range(6)])
        train = np.stack([x[(fold != f) & (stimulus == s)].mean(axis=0) for s in range(6)])
        test, train = (test + 0.1) / 1.1, (train + 0.1) / 1.1
        for k, (i, j) in enumerate(itertools.combinations(range(6), 2)):
            expected[k] += (train[i] - train[j]) @ (np.log(test[i]) - np.log(test[j])) / 5 / 3
    np.testing.assert_allclose(
        m.poisson_crossvalidated(x, stimulus, folds=fold), expected, rtol=1e-10, atol=1e-12
    )
    mean = np.stack([x[stimulus == s].mean(axis=0) for s in range(6)])
    r = (mean + 0.5 * 2) / 3
    kl = np.array(
        [np.sum((r[i] - r[j]) * np.log(r[i] / r[j])) / 5 for i, j in itertools.combinations(range(6), 2)]
    )
    np.testing.assert_allclose(
        m.rdm(mean, distance="poisson", prior_rate=0.5, prior_weight=2), kl, rtol=1e-10
    )


def test_mahalanobis_of_independent_units_is_euclidean_over_variances():
    rng = np.random.default_rng(0)
    x, variances = rng.normal(size=(6, 4)), np.array([1.0, 2.0, 4.0, 0.5])
    expected = m.rdm(x / np.sqrt(variances), distance="euclidean")
    np.testing.assert_allclose(m.rdm(x, distance="mahalanobis", noise=1 / variances), expected, rtol=1e-12)
    np.testing.assert_allclose(
        m.rdm(x, distance="mahalanobis", noise=np.diag(1 / variances)), expected, rtol=1e-12
    )
    # blind to any linear change of the units that the noise follows too
    mix = rng.normal(size=(4, 4))
    residuals = rng.normal(size=(50, 4))
    one = m.rdm(x, distance="mahalanobis", noise=noise_covariance(residuals, method="full"))
    two = m.rdm(x @ mix, distance="mahalanobis", noise=noise_covariance(residuals @ mix, method="full"))
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_folds_are_dealt_evenly_and_reproducibly():
    rng = np.random.default_rng(0)
    stimulus = np.repeat(list("abcd"), [5, 3, 4, 9])
    x = rng.normal(size=(21, 4))
    one, again, other = (m.crossnobis(x, stimulus, noise=None, rng=seed) for seed in (0, 0, 1))
    assert (one == again).all()
    assert not np.allclose(one, other)
    made = m._repeats.as_trials(x, stimulus, None, who="t")
    counts = np.array([np.bincount(made.fold[made.stimulus == s], minlength=3) for s in range(4)])
    assert counts.shape == (4, 3)
    assert (np.ptp(counts, axis=1) <= 1).all()


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
def test_other_libraries_and_types_give_the_same(library):
    xp = pytest.importorskip(library)
    stimulus, fold = design(5, 3, 2)
    x = np.random.default_rng(0).integers(0, 9, size=(stimulus.size, 4)).astype(np.uint8)
    for function in (m.crossnobis, m.poisson_crossvalidated):
        expected = function(x.astype(float), stimulus, folds=fold)
        for dtype in (np.uint8, np.float32, ">f8", bool):
            given = x.astype(dtype)
            given.flags.writeable = False
            np.testing.assert_allclose(
                function(given, stimulus, folds=fold),
                function(given.astype(float), stimulus, folds=fold),
                rtol=1e-6,
                atol=1e-12,
            )
        made = function(xp.asarray(x.astype(float)), stimulus, folds=fold)
        assert type(made).__module__.split(".")[0] == library
        np.testing.assert_allclose(np.asarray(made), expected, rtol=1e-12)
    mean = xp.asarray(x[:5].astype(float))
    for options in ({"distance": "mahalanobis", "noise": np.eye(4)}, {"distance": "poisson"}):
        np.testing.assert_allclose(
            np.asarray(m.rdm(mean, **options)), m.rdm(np.asarray(mean), **options), rtol=1e-12
        )


STIMULUS, FOLD = design(4, 2)
X = np.random.default_rng(0).normal(size=(8, 3))


@pytest.mark.parametrize(
    ("call", "text", "code"),
    [
        (
            lambda: m.crossnobis(X, STIMULUS[:4], folds=FOLD),
            "stimulus must be one label per trial",
            "bad-label",
        ),
        (lambda: m.crossnobis(X, STIMULUS, folds=np.zeros(8)), "all trials are in one fold", "bad-parameter"),
        (lambda: m.crossnobis(X, np.arange(8)), "8 of 8 stimuli have a single trial", "no-repeats"),
        (
            lambda: m.crossnobis(X, STIMULUS, folds=FOLD),
            "without fold 0 no stimulus has a second trial",
            "no-repeats",
        ),
        (
            lambda: m.crossnobis(X, list("aabbccdd"), folds=[0, 1, 0, 2, 1, 2, 0, 1], noise=None),
            "stimuli 'c' and 'b' have trials in 1 common fold,",
            "no-common-folds",
        ),
        (
            lambda: m.crossnobis(X, STIMULUS, folds=FOLD, noise="ledoit"),
            "noise must be one of",
            "unknown-option",
        ),
        (lambda: m.crossnobis(np.where(X > 1, np.nan, X), STIMULUS), "NaN", "nan-values"),
        (
            lambda: m.poisson_crossvalidated(X, STIMULUS, folds=FOLD),
            "values below 0, first at",
            "negative-counts",
        ),
        (lambda: m.rdm(X, distance="poisson"), "values below 0, first at", "negative-counts"),
        (lambda: m.rdm(X, distance="mahalanobis"), "belong together", "bad-noise"),
        (lambda: m.rdm(X, noise=np.eye(3)), "belong together", "bad-noise"),
        (
            lambda: m.rdm(np.abs(X), distance="poisson", prior_weight=0),
            "prior_weight must be a number",
            "bad-parameter",
        ),
    ],
)
def test_refused_with_words(call, text, code):
    with pytest.raises(cs.InputError, match=text) as found:
        call()
    assert found.value.code == code
