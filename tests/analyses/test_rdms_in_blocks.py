"""RDMs of files and dask arrays: read some units at a time where the distance allows it, with the same numbers."""

import dask.array as da
import numpy as np
import pytest

import consilience as cs
from consilience._responses import _check
from consilience.analyses import _patterns, _rdms
from consilience.analyses._patterns import Responses

pytestmark = pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")

DISTANCES = ("correlation", "euclidean", "sqeuclidean", "cosine")
N, UNITS, RUNS = 12, 700, 4


def planted(*, repeats=True, dtype=np.float64):
    rng = np.random.default_rng(0)
    runs = RUNS if repeats else 1
    truth = rng.normal(size=(N, UNITS)) + 3 * rng.normal(size=UNITS)
    x = np.concatenate([truth] * runs)
    x = (x + rng.normal(size=x.shape)).astype(dtype)
    x[:, 7] = 3.0  # a dead unit
    order = rng.permutation(len(x))
    labels = {
        "stimulus": np.tile([f"s{k:02d}" for k in range(N)], runs)[order],
        "run": np.repeat(np.arange(runs), N)[order],
        "system": "x",
    }
    return x[order], labels | ({"repeat": "count"} if repeats else {})


def lazily(kind, x, path):
    if kind == "dask":
        return da.from_array(x, chunks=(10, 150))
    file = np.memmap(path / "x", x.dtype, "w+", shape=x.shape)
    file[:] = x
    file.flush()
    return np.memmap(path / "x", x.dtype, "r", shape=x.shape)


@pytest.fixture
def never_whole(monkeypatch):
    """Fails where responses are taken whole, or as blocks that are as wide as they are."""

    def whole(*_, **__):
        pytest.fail("responses were read whole")

    widest = []
    trials = Responses.trials
    monkeypatch.setattr(_patterns, "_ENTRIES", 1 << 12)
    monkeypatch.setattr(Responses, "take", whole)
    monkeypatch.setattr(Responses, "trials", lambda self, a, b: widest.append(b - a) or trials(self, a, b))
    return widest


@pytest.mark.parametrize("kind", ["dask", "memmap"])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("repeats", [False, True])
def test_the_numbers_are_those_of_memory(tmp_path, never_whole, monkeypatch, kind, distance, repeats):
    x, labels = planted(repeats=repeats)
    options = {"distance": distance, "n_boot": 20, "n_splits": 3, "folds": "run" if repeats else None}
    there = cs.rdms(cs.responses(lazily(kind, x, tmp_path), **labels), **options)
    assert 0 < max(never_whole) < UNITS
    monkeypatch.undo()
    here = cs.rdms(cs.responses(x, **labels), **options)
    np.testing.assert_allclose(there.rdms, here.rdms, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(there.map, here.map, rtol=1e-6, atol=1e-6)
    for name in ("reliability", "reliability_low", "reliability_high", "n_trials", "n_folds"):
        np.testing.assert_allclose(there.data[name], here.data[name], atol=1e-9)
    assert np.isfinite(float(here.data["reliability"].squeeze())) == repeats


@pytest.mark.parametrize("kind", ["dask", "memmap"])
def test_halves_that_are_dealt_are_those_of_memory(tmp_path, kind):
    x, labels = planted(dtype=np.float32)
    options = {"distance": "correlation", "n_boot": 20, "n_splits": 4}
    there = cs.rdms(cs.responses(lazily(kind, x, tmp_path), **labels), **options)
    here = cs.rdms(cs.responses(x, **labels), **options)
    np.testing.assert_allclose(there.rdms, here.rdms, atol=1e-5)
    np.testing.assert_allclose(there.data["reliability"], here.data["reliability"], atol=1e-4)
    none = cs.rdms(cs.responses(lazily(kind, x, tmp_path), **labels), **{**options, "n_splits": 0})
    assert np.isnan(none.data["reliability"].item())


def test_more_trials_than_their_products_fit_are_loaded(monkeypatch):
    x, labels = planted()
    data = cs.responses(da.from_array(x, chunks=(10, 150)), **labels)
    options = {"distance": "euclidean", "n_boot": 0, "folds": "run"}
    monkeypatch.setattr(
        _rdms, "check_fits", lambda needed: "1 MB" if needed == 16 * (N * RUNS) ** 2 else None
    )
    monkeypatch.setattr(Responses, "products", lambda *_: pytest.fail("products of trials that do not fit"))
    there = cs.rdms(data, **options)
    monkeypatch.undo()
    np.testing.assert_allclose(there.rdms, cs.rdms(cs.responses(x, **labels), **options).rdms, rtol=1e-9)


def test_models_and_parts_of_files(tmp_path, never_whole, monkeypatch):
    x, labels = planted()
    rng = np.random.default_rng(1)
    ids = np.unique(labels["stimulus"])
    rdms = {
        name: cs.rdm_data(cs.measures.rdm(rng.normal(size=(N, 5)))[None], stimulus=ids)
        for name in ("one", "two")
    }
    options = {"n_boot": 10, "n_perm": 10, "rng": 0}
    lazy = cs.responses(lazily("dask", x, tmp_path), **labels)
    there = [cs.partition(lazy, rdms, **options), cs.evaluate_models(rdms, lazy, **options)]
    monkeypatch.undo()
    data = cs.responses(x, **labels)
    here = [cs.partition(data, rdms, **options), cs.evaluate_models(rdms, data, **options)]
    for one, two in zip(there, here):
        np.testing.assert_allclose(one.data["value"], two.data["value"], atol=1e-9)


def test_a_flat_pattern_in_a_file_is_named():
    x, labels = planted(repeats=False)
    x[3] = 2.0
    data = cs.responses(da.from_array(x, chunks=(6, 100)), **labels)
    with pytest.raises(cs.InputError, match=rf"system 'x'.*{labels['stimulus'][3]}.* the same value in all"):
        cs.rdms(data, distance="correlation", n_boot=0)


def test_nan_in_a_file_is_named():
    x, labels = planted(repeats=False)
    x[3, 5] = np.nan
    data = cs.responses(da.from_array(x, chunks=(6, 100)), **labels)
    with pytest.raises(cs.InputError, match=r"'x' has NaN .* first at .trial 3 = 's..', unit 5") as error:
        cs.rdms(data, distance="euclidean", n_boot=0)
    assert error.value.code == "nan-values"


@pytest.mark.parametrize("distance", ["crossnobis", "mahalanobis"])
def test_what_is_loaded_and_does_not_fit_is_refused_in_one_sentence(monkeypatch, distance):
    x, labels = planted()
    data = cs.responses(da.from_array(x, chunks=(10, 100)), **labels)
    here = cs.rdms(cs.responses(x, **labels), distance=distance, folds="run", n_boot=0, n_splits=0)
    there = cs.rdms(data, distance=distance, folds="run", n_boot=0, n_splits=0)
    np.testing.assert_allclose(there.rdms, here.rdms, rtol=1e-9)
    monkeypatch.setattr(_check, "check_fits", lambda needed: "1 MB")
    text = "x takes .* in memory, and 1 MB is free; read it in blocks with cs.compare .* or with cs.rdms by correl"
    with pytest.raises(cs.InputError, match=text) as error:
        cs.rdms(data, distance=distance, folds="run", n_boot=0, n_splits=0)
    assert error.value.code == "too-large"
