"""`shape_space`: distances, draws, tree, groups, and what the result says."""

import functools
import itertools

import numpy as np
import pytest
from scipy.cluster.hierarchy import is_valid_linkage

import consilience as cs
from consilience._results import load

pytestmark = pytest.mark.filterwarnings("ignore:.*(null-not-zero|few-systems|ceiling-missing)")
M = cs.measures


def arrays(seed=0, groups=2, each=3, n=40, p=10, noise=1.0):
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(groups, n, 4))
    return {
        f"{'abcd'[g]}{i}": signals[g] @ rng.normal(size=(4, p)) + noise * rng.normal(size=(n, p))
        for g in range(groups)
        for i in range(each)
    }


def systems(*args, **options):
    return {k: cs.responses(z, stimulus=range(len(z))) for k, z in arrays(*args, **options).items()}


@pytest.mark.parametrize(
    ("measure", "held_out"),
    [
        ("cka", True),
        ("rsa", True),
        ("procrustes", False),
        (functools.partial(M.procrustes, alpha=0.5), False),
        ("procrustes", True),
        ("soft_match", True),
        ("cca", False),
    ],
    ids=lambda v: str(v) if not callable(v) else "procrustes(alpha=0.5)",
)
def test_distances_are_the_arccos_of_the_measure(measure, held_out):
    x = systems(p=4)
    space = cs.shape_space(x, measure, held_out=held_out, n_boot=30, n_perm=0, rng=0)
    d = space.data["value"].values
    np.testing.assert_array_equal(d, d.T)
    assert (np.diag(d) == 0).all()
    for a, b in itertools.combinations(x, 2):
        value = cs.compare(x[a], x[b], measure, held_out=held_out, n_boot=0, n_perm=0, rng=0).value
        assert float(space.data["value"].sel(system=a, system_=b)) == pytest.approx(
            np.arccos(value), abs=1e-8
        )
    low, high = space.data["ci_low"].values, space.data["ci_high"].values
    assert (low <= d + 1e-12).all()
    assert (d <= high + 1e-12).all()
    metric = space.data.attrs["metric"]
    assert (metric == "yes") == (measure in ("cka", "rsa") or (not held_out and measure != "cca"))
    if metric == "yes":
        assert space.data.attrs["violations"] == 0
    assert space.data.attrs["triples"] == 20


def test_broken_triangles_are_counted():
    from consilience.analyses._shape_space import _triangles

    rng = np.random.default_rng(0)
    d = rng.random((7, 7))
    d = np.triu(d, 1) + np.triu(d, 1).T
    broken = [
        max(d[i, j] - d[i, k] - d[k, j], d[i, k] - d[i, j] - d[j, k], d[j, k] - d[i, j] - d[i, k])
        for i, j, k in itertools.combinations(range(7), 3)
    ]
    triples, violations, worst = _triangles(d)
    assert triples == 35
    assert violations == sum(b > 0 for b in broken) > 0
    assert worst == pytest.approx(max(broken))


def test_planted_groups_are_clusters_with_support_and_a_small_p():
    x = systems(each=4, noise=0.5)
    labels = {k: k[0] for k in x}
    space = cs.shape_space(x, "cka", labels=labels, n_boot=100, n_perm=999, rng=0)
    assert is_valid_linkage(space.linkage)
    assert float(space.groups["within"]) < float(space.groups["between"])
    assert float(space.groups["p"]) <= 0.05
    tops = space.tree["support"].values[-3:]
    assert tops.min() > 0.9
    assert space.map.attrs["explained"] > 0.5
    assert space.mean.shape == (40, 10)
    again = cs.shape_space(x, "cka", labels=labels, n_boot=100, n_perm=999, rng=0)
    np.testing.assert_array_equal(again.draws.values, space.draws.values)
    reverse = cs.shape_space(dict(reversed(x.items())), "cka", labels=labels, n_boot=0, n_perm=0, rng=0)
    np.testing.assert_allclose(
        reverse.data["value"].values[::-1, ::-1], space.data["value"].values, atol=1e-12
    )


def test_p_of_labels_that_mean_nothing_is_uniform():
    found = []
    for seed in range(60):
        x = systems(seed, groups=1, each=8, n=12, p=5)
        labels = {k: i % 2 for i, k in enumerate(x)}
        found.append(
            float(cs.shape_space(x, "cka", labels=labels, n_boot=0, n_perm=99, rng=seed).groups["p"])
        )
    assert 0.35 < np.mean(found) < 0.65
    assert np.mean(np.array(found) <= 0.1) <= 0.22


@pytest.mark.parametrize("labelled", [True, False])
def test_it_is_a_result_and_can_be_drawn(labelled, tmp_path):
    x = systems(each=2)
    labels = {k: k[0] for k in x} if labelled else None
    space = cs.shape_space(x, "cka", labels=labels, n_boot=20, n_perm=20, rng=0)
    if labelled:
        cs.testing.check_result(space)
    assert list(space.to_frame().columns)[:3] == ["a", "b", "value"]
    assert len(space.to_frame()) == 6
    again = load(space.save(tmp_path / "space.nc"))
    np.testing.assert_array_equal(again.linkage, space.linkage)
    ax = again.plot()
    ax.figure.canvas.draw()
    assert len(ax.child_axes) == 4
    assert "[procrustes" not in repr(space)


def test_asymmetric_measures_are_averaged_and_user_functions_get_no_interval():
    x = systems(each=2)
    space = cs.shape_space(x, "linear_predictivity", n_boot=0, n_perm=0, rng=0)
    one, two = (
        cs.compare(x[a], x[b], "linear_predictivity", n_boot=0, n_perm=0, rng=0).value
        for a, b in (("a0", "a1"), ("a1", "a0"))
    )
    found = float(space.data["value"].sel(system="a0", system_="a1"))
    assert found == pytest.approx(np.arccos((one + two) / 2), abs=1e-10)

    def mine(a, b):
        return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])

    with pytest.warns(cs.ConsilienceWarning, match="no-interval.*mine states no way"):
        space = cs.shape_space(x, mine, n_boot=10, n_perm=0, rng=0)
    assert space.draws is None
    assert space.data.attrs["metric"] == "not known"


def test_rdm_systems_have_a_space_and_no_mean_shape():
    x = arrays(each=2)
    data = {
        k: cs.rdm_data(M.rdm(z, square=True)[None], stimulus=range(40), distance="correlation")
        for k, z in x.items()
    }
    space = cs.shape_space(data, "rsa", n_boot=20, n_perm=0, rng=0)
    assert space.mean is None
    with pytest.raises(cs.InputError, match="needs responses, and 'a0' is known by its RDM only"):
        cs.shape_space(data, "procrustes", held_out=False, n_boot=0, n_perm=0, rng=0)


def test_bad_input_is_refused_in_words():
    x = systems(each=2)
    with pytest.raises(cs.InputError, match=r"of at least 3, got 2; cs.compare takes two"):
        cs.shape_space({k: x[k] for k in ("a0", "a1")})
    with pytest.raises(cs.InputError, match="labels must be a mapping with one label for each system"):
        cs.shape_space(x, labels={"a0": 1})
    with pytest.raises(cs.InputError, match="at least 2 groups, one of them with 2 systems, got 4"):
        cs.shape_space(x, "cka", labels=dict(zip(x, range(4))), n_boot=0)
    with pytest.raises(cs.InputError, match=r"values outside \[-1, 1\] \(up to 5"):
        cs.shape_space(x, lambda a, b: 5.0, n_boot=0, rng=0)
    with pytest.raises(cs.InputError, match="held_out must be True or False, got 'no'"):
        cs.shape_space(x, held_out="no")


def test_few_relabellings_are_told():
    x = systems(each=2)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"few-systems.*in 3 ways only, so p cannot fall below 0.33"
    ):
        cs.shape_space(x, "cka", labels={k: k[0] for k in x}, n_boot=0, n_perm=20, rng=0)


def test_one_resample_is_refused_in_the_name_of_the_verb():
    with pytest.raises(cs.InputError, match=r"cs\.shape_space: n_boot=1 says nothing"):
        cs.shape_space({}, n_boot=1)
