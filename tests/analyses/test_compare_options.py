"""Options of `compare` that meet the user's own labels, devices and functions."""

import functools

import numpy as np
import pytest

import consilience as cs

IDS = [f"image{i:02d}" for i in range(36)]


def _pair(category=None):
    rng = np.random.default_rng(0)
    labels = {} if category is None else {"category": category}
    signal = rng.normal(size=(36, 4))
    x = cs.responses(signal @ rng.normal(size=(4, 20)), stimulus=IDS, system="x", **labels)
    y = cs.responses(signal @ rng.normal(size=(4, 15)), stimulus=IDS, system="y")
    return x, y


def test_groups_are_never_split():
    """Patterns are unrelated across categories: neighbours of one category predict, other categories cannot."""
    rng = np.random.default_rng(1)
    category = np.repeat([f"c{i}" for i in range(12)], 3)
    x = np.repeat(rng.normal(size=(12, 30)), 3, axis=0) + 0.1 * rng.normal(size=(36, 30))
    y = np.repeat(rng.normal(size=(12, 30)), 3, axis=0) + 0.1 * rng.normal(size=(36, 30))
    a = cs.responses(x, stimulus=IDS, system="a", category=category)
    b = cs.responses(y, stimulus=IDS, system="b")
    options = {"measure": "linear_predictivity", "n_boot": 0, "n_perm": 0, "rng": 0}
    leaky = cs.compare(a, b, **options)
    grouped = cs.compare(a, b, groups="category", **options)
    assert leaky.value > 0.8
    assert abs(grouped.value) < 0.2
    assert grouped.settings["groups"] == "category"


def test_groups_need_a_label_on_trial():
    x, y = _pair(category=["a", "b"] * 18)
    with pytest.raises(cs.InputError, match=r"no system has a label 'categry'.*Did you mean 'category'"):
        cs.compare(x, y, measure="cca", groups="categry")


def test_groups_as_an_option_of_the_measure_are_refused():
    x, y = _pair()
    measure = functools.partial(cs.measures.linear_predictivity, groups=np.arange(36) // 3)
    with pytest.raises(cs.InputError, match=r"groups= of measure 'linear_predictivity'.*groups='label'"):
        cs.compare(x, y, measure=measure)


def test_a_device_that_is_not_there_is_one_sentence():
    pytest.importorskip("torch")
    x, y = _pair()
    with pytest.raises(
        cs.InputError, match=r"device must be one that torch has here.*'nonsense' is not"
    ) as error:
        cs.compare(x, y, device="nonsense")
    assert error.value.code == "bad-device"


def test_in_sample_and_held_out_have_different_names():
    x, y = _pair()
    held_out = cs.compare(x, y, measure="cca", n_boot=0, n_perm=0)
    with pytest.warns(cs.ConsilienceWarning, match="null-not-zero"):
        in_sample = cs.compare(x, y, measure="cca", held_out=False, n_boot=0, n_perm=0)
    assert held_out.data["measure"].item() == "cca"
    assert in_sample.data["measure"].item() == "cca (in-sample)"


def test_two_lambdas_are_told_apart():
    x, y = _pair()
    result = cs.compare(x, y, measure=[lambda x, y: 0.25, lambda x, y: 0.75], n_boot=0, n_perm=0)
    assert result.data["measure"].values.tolist() == ["<lambda>", "<lambda> 2"]
    assert result.data["value"].values.ravel().tolist() == [0.25, 0.75]


def test_what_was_not_asked_for_is_none():
    result = cs.compare(*_pair(), n_boot=0, n_perm=0)
    assert (result.interval, result.p, result.null, result.ceiling, result.draws) == (None,) * 5


def test_held_out_cca_averages_only_components_that_can_be_fitted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 100))
    assert float(cs.measures.cca_held_out(x, x)) == pytest.approx(1.0)


def test_squared_euclidean_distances_are_known_by_scipys_name():
    x = np.random.default_rng(0).normal(size=(6, 4))
    np.testing.assert_allclose(
        cs.measures.rdm(x, distance="sqeuclidean"), 4 * cs.measures.rdm(x, distance="euclidean")
    )


def test_a_users_reference_is_a_bibtex_entry_of_its_own():
    from consilience._core._citations import bibtex

    own = "@article{me2026, title = {Mine}}"
    assert bibtex(["hotelling1936relations", own]).endswith(own)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"n_perm": 10**9},
            r"n_perm=1000000000 need about .* of memory, and .* is free; use a smaller n_perm",
        ),
        ({"n_boot": 10**9}, r"n_boot=1000000000 and .* of memory, and .* is free; use a smaller n_boot"),
        ({"n_boot": 10**40, "n_perm": 0}, "use a smaller n_boot"),
    ],
)
def test_resamples_that_do_not_fit_are_refused_before_they_are_drawn(options, text):
    x = cs.responses(np.random.default_rng(0).normal(size=(12, 5)), stimulus=range(12))
    with pytest.raises(cs.InputError, match=text) as caught:
        cs.compare({"one": x, "two": x}, x, rng=0, **options)
    assert caught.value.code == "too-large"


def test_the_estimate_of_memory_is_at_least_what_is_taken(monkeypatch):
    import tracemalloc

    from consilience.analyses import _checks

    rng = np.random.default_rng(0)
    ids = list(range(30))
    a = {str(i): cs.responses(rng.normal(size=(30, 5)), stimulus=ids) for i in range(4)}
    estimates = []
    monkeypatch.setattr(_checks, "check_fits", estimates.append)
    for measure, options in (
        ("rsa", {"n_boot": 5000, "n_perm": 0}),
        ("cka", {"n_boot": 0, "n_perm": 100000}),
        ("linear_predictivity", {"n_boot": 5000, "n_perm": 0}),
    ):
        tracemalloc.start()
        cs.compare(a, a["0"], measure, rng=0, **options)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert taken < 1.3 * estimates[-1] + 30e6, measure
        assert estimates[-1] < 4 * taken, measure


def test_averaging_by_a_label_says_why_there_is_no_ceiling():
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(8)] * 2
    options = {"stimulus": ids, "repeat": "count", "kind": "rate", "category": [i % 4 for i in range(8)] * 2}
    x = cs.responses(rng.normal(size=(16, 9)), system="V1", **options)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"'V1' \(side b\): with by='category' all trials of a label are averaged"
    ):
        result = cs.compare(x, x, measure="rsa", by="category", n_boot=0, n_perm=0, rng=0)
    assert result.ceiling is None
    assert "ceiling-missing" in [c.code for c in result.warnings]


@pytest.mark.parametrize("by", ["stimulus", "category"])
def test_rdms_keep_the_order_of_the_first_system(by):
    rng = np.random.default_rng(0)
    ids, category = ["zebra", "cup", "apple", "hand", "face", "house"], list("zzaamm")
    first = cs.responses(rng.normal(size=(6, 9)), stimulus=ids, category=category)
    second = cs.responses(first.values[::-1] + 0.1, stimulus=ids[::-1], category=category[::-1])
    result = cs.rdms({"one": first, "two": second}, by=by)
    order = ids if by == "stimulus" else ["z", "a", "m"]
    for labelled in (result.rdms["stimulus"], result.rdms["stimulus_"], result.map["stimulus"]):
        assert labelled.values.tolist() == order
    rows = first if by == "stimulus" else cs.average(first, by="category").isel(trial=[2, 0, 1])
    np.testing.assert_allclose(result.rdms[0].values, cs.measures.rdm(rows.values, square=True), atol=1e-12)
    np.testing.assert_allclose(result.rdms[0].values, result.rdms[1].values, atol=1e-12)


def test_options_stand_in_the_name_of_a_measure():
    x, y = _pair()
    fixed = functools.partial(cs.measures.cca, regularization=0.1)
    options = {"measure": fixed, "n_boot": 0, "n_perm": 0, "rng": 0}
    names = [cs.compare(x, y, held_out=flag, **options).data["measure"].item() for flag in (True, False)]
    assert names == ["cca(regularization=0.1)", "cca(regularization=0.1) (in-sample)"]
