"""Whatever comes to the door of a measure, or of compare, is refused in one sentence, or is right."""

import warnings

import numpy as np
import pytest
import scipy.sparse

import consilience as cs

RNG = np.random.default_rng(0)
GOOD = RNG.normal(size=(12, 5))
IDS = [f"s{i}" for i in range(12)]


def hole(value):
    x = GOOD.copy()
    x[3, 2] = value
    return x


def masked():
    return np.ma.MaskedArray(GOOD, mask=np.eye(12, 5, dtype=bool))


BAD = {
    "NaN": (lambda: hole(np.nan), "nan-values"),
    "inf": (lambda: hole(np.inf), "nan-values"),
    "-inf": (lambda: hole(-np.inf), "nan-values"),
    "NaN unit": (lambda: np.c_[GOOD, np.full(12, np.nan)], "nan-values"),
    "complex": (lambda: GOOD + 1j, "not-numeric"),
    "object": (lambda: GOOD.astype(object), "not-numeric"),
    "string": (lambda: GOOD.astype(str), "not-numeric"),
    "datetime": (lambda: np.full((12, 5), np.datetime64("2020-01-01")), "not-numeric"),
    "3-D": (lambda: GOOD[:, :, None], "not-2d"),
    "1-D": (lambda: GOOD[:, 0], "not-2d"),
    "0-D": (lambda: np.array(3.0), "not-2d"),
    "no stimuli": (lambda: GOOD[:0], "too-few"),
    "no units": (lambda: GOOD[:, :0], "too-few"),
    "nothing": (lambda: np.zeros((0, 0)), "too-few"),
    "sparse": (lambda: scipy.sparse.csr_array(GOOD), "sparse-array"),
    "masked": (masked, "masked-values"),
    "ragged": (lambda: [[1.0, 2.0], [3.0]], "not-an-array"),
    "rows differ": (lambda: GOOD[:-1], "rows-differ"),
    "1 stimulus": (lambda: GOOD[:1], "too-few"),
    "3 stimuli": (lambda: GOOD[:3], "too-few"),
    "None": (lambda: None, "not-an-array"),
    "a string": (lambda: "x.npy", "not-an-array"),
    "a dict": (lambda: {"x": 1}, "not-an-array"),
}


def one_sentence(error):
    text = str(error)
    assert "\n" not in text
    assert text.endswith((".", "?"))
    assert len(text) < 400
    assert error.code not in ("error", "")


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", cs.measures.names())
def test_a_measure_refuses(name, case):
    make, code = BAD[case]
    function = getattr(cs.measures, name)
    for arguments in ((make(), GOOD), (GOOD, make())):
        with pytest.raises(ValueError, match=rf"^{name}: ") as caught:
            function(*arguments)
        one_sentence(caught.value)
        assert caught.value.code == code


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
@pytest.mark.parametrize("name", cs.measures.names())
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_system_that_never_varies_is_refused(name, value):
    flat = np.full((12, 5), value)
    for arguments in ((flat, GOOD), (GOOD, flat)):
        with pytest.raises(cs.InputError) as caught:
            getattr(cs.measures, name)(*arguments)
        one_sentence(caught.value)


@pytest.mark.parametrize("name", cs.measures.names())
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_system_without_pattern_differences_is_refused(name):
    """The same pattern for every stimulus: units differ, stimuli do not."""
    same = np.tile(GOOD[:1], (12, 1))
    for arguments in ((same, GOOD), (GOOD, same)):
        with pytest.raises(cs.InputError) as caught:
            getattr(cs.measures, name)(*arguments)
        one_sentence(caught.value)


@pytest.mark.parametrize("distance", ["correlation", "cosine", "euclidean", "sqeuclidean"])
@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall", "cosine"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_of_equal_patterns_is_no_structure(distance, method, dtype):
    rng = np.random.default_rng(0)
    for p in (3, 7, 50, 1000):
        same = np.tile(rng.normal(size=p) * 100, (12, 1)).astype(dtype)
        with pytest.raises(cs.InputError, match="all entries of an RDM are equal"):
            cs.measures.rsa(same, rng.normal(size=(12, 5)).astype(dtype), distance=distance, method=method)


@pytest.mark.parametrize("name", cs.measures.names())
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_one_constant_unit_gives_no_nan(name):
    with_flat = np.c_[GOOD, np.full(12, 0.1)]
    other = RNG.normal(size=(12, 4))
    assert np.isfinite(float(getattr(cs.measures, name)(with_flat, other)))
    assert np.isfinite(float(getattr(cs.measures, name)(other, with_flat)))


@pytest.mark.parametrize("name", cs.measures.names())
@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_one_unit_works_or_is_refused(name):
    function = getattr(cs.measures, name)
    if name == "rsa":
        with pytest.raises(cs.InputError, match="needs at least 2 units, got 1; use distance='euclidean'"):
            function(GOOD[:, :1], GOOD)
        return
    assert np.isfinite(float(function(GOOD[:, :1], GOOD)))


def test_containers_that_are_arrays_are_taken():
    import pandas as pd
    import xarray as xr

    expected = float(cs.measures.cka(GOOD, GOOD[:, :3]))
    for x in (GOOD.tolist(), pd.DataFrame(GOOD), xr.DataArray(GOOD), np.ma.MaskedArray(GOOD)):
        assert float(cs.measures.cka(x, GOOD[:, :3])) == pytest.approx(expected, abs=1e-12)


def test_pandas_missing_values_are_refused():
    import pandas as pd

    frame = pd.DataFrame(GOOD).astype("Float64")
    frame.iloc[0, 0] = pd.NA
    with pytest.raises(cs.InputError):
        cs.measures.cka(frame, GOOD)


def test_arrays_of_two_libraries_are_refused():
    torch = pytest.importorskip("torch")
    for name in cs.measures.names():
        with pytest.raises(
            cs.InputError, match=r"arrays of one library on one device, got numpy .* and torch"
        ):
            getattr(cs.measures, name)(GOOD, torch.tensor(GOOD))
    with pytest.raises(cs.InputError, match="sparse"):
        cs.measures.cka(torch.tensor(GOOD).to_sparse(), torch.tensor(GOOD))


OPTIONS = [
    (
        cs.measures.cka,
        {"kernel": "lineer"},
        "kernel must be one of 'linear', 'rbf', got 'lineer'. Did you mean 'linear'?",
    ),
    (cs.measures.rsa, {"distance": "correlaton"}, "Did you mean 'correlation'?"),
    (cs.measures.rsa, {"method": None}, "method must be one of"),
    (cs.measures.cca, {"regularization": 1.0}, r"regularization must be a number in \[0, 1\]"),
    (cs.measures.cca, {"regularization": -0.1}, "regularization must be a number"),
    (cs.measures.svcca, {"threshold": 0}, "threshold must be a number"),
    (cs.measures.svcca, {"k": 0}, "k must be a whole number, at least 1"),
    (cs.measures.svcca, {"k": 1.5}, "k must be a whole number"),
    (cs.measures.linear_predictivity, {"alphas": []}, "alphas must be positive finite numbers"),
    (cs.measures.linear_predictivity, {"alphas": [0.0]}, "alphas must be positive finite numbers"),
    (cs.measures.linear_predictivity, {"folds": 1}, "folds must be a whole number, at least 2"),
    (
        cs.measures.linear_predictivity,
        {"folds": 13},
        r"folds must be between 2 and the number of stimuli \(12\)",
    ),
    (cs.measures.linear_predictivity, {"groups": [1, 2]}, r"groups must give one label per stimulus \(12\)"),
    (cs.measures.linear_predictivity, {"rng": "x"}, "rng must be an int"),
]


@pytest.mark.parametrize(("function", "options", "text"), OPTIONS)
def test_a_bad_option_is_refused(function, options, text):
    with pytest.raises(ValueError, match=text) as caught:
        function(GOOD, GOOD, **options)
    one_sentence(caught.value)


RDMS = {
    "not symmetric": (np.triu(np.ones((5, 5)), 1), "is not symmetric"),
    "NaN": (np.full((5, 5), np.nan), "NaN"),
    "constant": (np.ones(10), "all entries of an RDM are equal"),
    "no n": (np.arange(7.0), "must be a condensed RDM"),
    "two stimuli": (np.array([1.0]), "at least 3 stimuli"),
    "text": (np.array(["a"] * 10), "real numbers"),
    "3-D": (np.zeros((2, 5, 5)), "must be a condensed RDM"),
    "other size": (np.arange(15.0), "got 15 and 10 pairs"),
}


@pytest.mark.parametrize("case", RDMS)
def test_compare_rdms_refuses(case):
    rdm, text = RDMS[case]
    with pytest.raises(cs.InputError, match=text) as caught:
        cs.measures.compare_rdms(rdm, np.arange(10.0))
    one_sentence(caught.value)


# -- the same kinds at the door of responses and of compare ------------------------------------------------

AT_RESPONSES = {k: v for k, v in BAD.items() if k not in ("rows differ", "1 stimulus", "3 stimuli", "0-D")}


@pytest.mark.parametrize("case", AT_RESPONSES)
def test_responses_refuse(case):
    make, _ = BAD[case]
    with pytest.raises(ValueError, match=r"^cs\.responses: ") as caught:
        cs.responses(make(), stimulus=IDS)
    one_sentence(caught.value)


@pytest.mark.parametrize("case", ["NaN", "inf", "complex", "object", "string", "no units"])
def test_compare_refuses_arrays_that_were_spoilt_after_they_were_made(case):
    import xarray as xr

    good = cs.responses(GOOD, stimulus=IDS, system="V1")
    x = BAD[case][0]()
    spoilt = xr.DataArray(
        x, dims=("trial", "unit"), coords={"stimulus": ("trial", IDS)}, attrs={"kind": "rate"}
    )
    for a, b in ((spoilt, good), (good, spoilt), ({"one": good, "two": spoilt}, good)):
        with pytest.raises(ValueError, match=r"^cs\.compare: ") as caught:
            cs.compare(a, b, measure="cka", n_boot=2, n_perm=2, rng=0)
        one_sentence(caught.value)


@pytest.mark.parametrize("given", [GOOD, None, {}, [], {"V1": GOOD}, "V1"])
def test_compare_refuses_what_is_not_responses(given):
    good = cs.responses(GOOD, stimulus=IDS)
    with pytest.raises(ValueError, match=r"^cs\.compare: ") as caught:
        cs.compare(given, good, measure="cka", rng=0)
    one_sentence(caught.value)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_compare_refuses_few_stimuli(n):
    x = cs.responses(GOOD[:n], stimulus=IDS[:n])
    with pytest.raises(cs.InputError, match=f"needs at least 4 stimuli, got {n}|every unit of"):
        cs.compare(x, x, measure="cka", rng=0)


def test_compare_runs_with_the_fewest_stimuli_each_measure_claims():
    for name in cs.measures.names():
        n = cs.measures.as_measure(name, who="t").claims.min_stimuli
        rng = np.random.default_rng(1)
        a = {k: cs.responses(rng.normal(size=(n, 5)), stimulus=IDS[:n]) for k in ("one", "two")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cs.ConsilienceWarning)
            result = cs.compare(a, a["one"], measure=name, n_boot=20, n_perm=20, rng=0)
        assert np.isfinite(result.data["value"].values).all(), name
        assert np.isfinite(result.best().value), name


def test_time_must_be_settled_first():
    x = cs.responses(
        np.zeros((3, 2, 2)) + RNG.normal(size=(3, 2, 2)),
        dims=("trial", "time", "unit"),
        time=[0.0, 0.1],
        stimulus=list("abc"),
    )
    with pytest.raises(cs.InputError, match="select or average over time first"):
        cs.compare(x, x, measure="cka", rng=0)


@pytest.mark.parametrize("alphas", ["many", [1, "two"], [], [0.0], [[1.0]], [np.nan], None, 1j])
def test_penalties_that_are_no_positive_numbers_are_refused(alphas):
    with pytest.raises(cs.InputError, match="linear_predictivity: alphas must be positive finite numbers"):
        cs.measures.linear_predictivity(GOOD, GOOD, alphas=alphas)
