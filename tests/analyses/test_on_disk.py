"""Responses in a file (np.memmap): read in blocks, the same values, memory that does not grow with the units."""

import sys
import warnings
from functools import partial

import dask.array as da
import numpy as np
import pytest

import consilience as cs
from consilience._core._arrays import all_finite
from consilience._core._memory import on_disk, release
from consilience._responses import _check
from consilience.analyses import _checks, _patterns
from consilience.analyses._patterns import Responses

N, UNITS = 30, 5000
MEASURES = [
    "cka",
    partial(cs.measures.cka, debiased=False),
    partial(cs.measures.cka, kernel="rbf"),
    "distance_correlation",
    partial(cs.measures.mutual_knn, k=2, distance="euclidean"),
    "rsa",
]


def stored(path, values):
    file = np.memmap(path, values.dtype, "w+", shape=values.shape)
    file[:] = values
    file.flush()
    return np.memmap(path, values.dtype, "r", shape=values.shape)


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_file_gives_what_memory_gives(tmp_path, dtype):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(N, 4))
    x = (
        signal @ rng.normal(size=(4, UNITS)) + rng.normal(size=(N, UNITS)) + 50 * rng.normal(size=UNITS)
    ).astype(dtype)
    x[:, 7] = 3.0  # a dead unit
    y = signal @ rng.normal(size=(4, 20)) + rng.normal(size=(N, 20))
    ids = rng.permutation(N)  # in another order than sorted
    file = stored(tmp_path / "x", x)
    data = cs.responses(file, stimulus=ids, system="x")
    assert on_disk(data.values)
    other = cs.responses(y, stimulus=ids, system="y")
    options = {"n_boot": 20, "n_perm": 20, "rng": 0}
    here = cs.compare(cs.responses(x, stimulus=ids, system="x"), other, measure=MEASURES, **options)
    there = cs.compare(data, other, measure=MEASURES, **options)
    np.testing.assert_allclose(there.data["value"], here.data["value"], atol=1e-6)
    np.testing.assert_allclose(there.data["ci_low"], here.data["ci_low"], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(file), x)
    assert any(c.code == "constant-units" for c in there.warnings)


def gram_of(found, kind):
    return found.gram(found.products(kind))


def test_some_stimuli_of_a_file(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 300))
    file = stored(tmp_path / "x", x)
    rows, units = np.arange(N)[::-2], np.arange(300) % 3 > 0
    z = x[rows][:, units] - x[rows][:, units].mean(axis=0)
    np.testing.assert_allclose(gram_of(Responses(file, rows, units), "columns"), z @ z.T, atol=1e-9)
    whole = Responses(file)
    assert whole.on_disk
    np.testing.assert_array_equal(whole.columns(10, 20), x[:, 10:20])


def test_what_is_no_file_is_left_alone(tmp_path):
    x = np.ones((4, 3))
    assert not on_disk(x)
    release(x)
    writable = np.memmap(tmp_path / "x", np.float64, "w+", shape=(4, 3))
    writable[:] = 2
    release(writable)  # changes are kept
    np.testing.assert_array_equal(writable, 2)
    assert on_disk(writable[1:])
    assert not on_disk(np.array(writable))


def test_nan_in_a_file_is_found(tmp_path):
    x = np.ones((40, 200_000), np.float32)
    x[33, 5] = np.nan
    file = stored(tmp_path / "x", x)
    assert not all_finite(file)
    with pytest.raises(cs.InputError, match="NaN, first at"):
        cs.responses(file, stimulus=np.arange(40))


DISTANCES = ["correlation", "cosine", "euclidean", "sqeuclidean"]
IN_BLOCKS = [
    *(partial(cs.measures.rsa, distance=distance) for distance in DISTANCES),
    partial(cs.measures.rsa, method="whitened_pearson"),
    partial(cs.measures.rsa, method="pearson"),
    partial(cs.measures.mutual_knn, k=3),
    partial(cs.measures.mutual_knn, k=3, distance="correlation"),
    "cka",
]
FIELDS = ("value", "ci_low", "ci_high", "p", "null_mean", "ceiling_low", "ceiling_high")
# as chunks of units, of rows, of both, one for all
CHUNKS = [(-1, 700), (7, -1), (11, 333), (-1, -1)]


def planted(dtype, repeats=1, units=UNITS, offset=50.0):
    """Rows far from 0, units of very other means and sizes, so that digits can be lost."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(N, 4))
    size = rng.gamma(1.0, 1.0, size=units)
    x = (
        signal @ rng.normal(size=(4, units))
        + offset * rng.normal(size=units)
        + 30 * rng.normal(size=(N, 1))
        + offset
    )
    x = np.concatenate([x * size + rng.normal(size=(N, units)) for _ in range(repeats)])
    x[:, 7] = 3.0
    ids = np.tile(rng.permutation(N), repeats)
    y = signal @ rng.normal(size=(4, 20)) + rng.normal(size=(N, 20))
    return x.astype(dtype), ids, cs.responses(y, stimulus=ids[:N], system="y")


def both(data, other, measure=IN_BLOCKS):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cs.compare(data, other, measure=measure, n_boot=20, n_perm=20, rng=0)


def whole_is_not_read(monkeypatch):
    def refuse(self):
        raise AssertionError("read whole")

    monkeypatch.setattr(Responses, "_loaded", refuse)
    monkeypatch.setattr(Responses, "take", lambda self: refuse(self) if self.on_disk else take(self))


take = Responses.take


@pytest.mark.parametrize(
    ("dtype", "chunks", "repeats"),
    [
        *((np.float64, chunks, 3) for chunks in (*CHUNKS, None)),
        (np.float64, CHUNKS[2], 1),
        (np.float64, None, 1),
        (np.float32, CHUNKS[2], 3),
        (np.float32, CHUNKS[0], 1),
        (np.float32, None, 1),
    ],
)
def test_blocks_give_what_memory_gives(tmp_path, monkeypatch, dtype, chunks, repeats):
    monkeypatch.setattr(_patterns, "_ENTRIES", 20_000)  # several blocks
    x, ids, other = planted(dtype, repeats, units=900)
    options = {"stimulus": ids, "system": "x", "repeat": "count" if repeats > 1 else None, "kind": "rate"}
    array = stored(tmp_path / "x", x) if chunks is None else da.from_array(x, chunks=chunks)
    here = both(cs.responses(x, **options), other)
    whole_is_not_read(monkeypatch)
    there = both(cs.responses(array, **options), other)
    for name in FIELDS:
        for key in here.data["measure"].values:
            # of float32 patterns equally far but for rounding either can be the neighbour
            ties = dtype == np.float32 and str(key).startswith("mutual_knn")
            tolerance = 1e-10 if dtype == np.float64 else 2e-3 if ties else 1e-5
            found = [float(result.data[name].sel(measure=key).squeeze()) for result in (there, here)]
            np.testing.assert_allclose(*found, atol=tolerance, rtol=0, err_msg=f"{name} {key}")
    assert np.isfinite(here.data["ceiling_low"]).all() == (repeats > 1)


def test_rdms_of_a_file_against_rdms(monkeypatch):
    x, ids, other = planted(np.float64)
    d = np.stack([cs.measures.rdm(other.values, distance="correlation", square=True)])
    model = cs.rdm_data(d, stimulus=other["stimulus"].values, distance="correlation", subject=["a"])
    here = both(cs.responses(x, stimulus=ids), model, ["rsa"])
    whole_is_not_read(monkeypatch)
    there = both(cs.responses(da.from_array(x, chunks=(-1, 700)), stimulus=ids), model, ["rsa"])
    np.testing.assert_allclose(there.data["value"], here.data["value"], atol=1e-10)


def test_means_of_rows_are_taken_off_without_loss():
    """Patterns whose mean over units is a million times what they differ by."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 3000)) + 1e6
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 1e-5)):
        data = x.astype(dtype)
        found = Responses(da.from_array(data, chunks=(-1, 500)))
        exact = np.corrcoef(data.astype(np.float64))
        k = gram_of(found, "rows")
        short = 1 / np.sqrt(np.diagonal(k))
        np.testing.assert_allclose(k * short * short[:, None], exact, atol=tolerance)


def test_nothing_is_computed_when_responses_are_made():
    def explode(block):
        raise RuntimeError("computed")

    x = da.ones((N, 50), chunks=(10, 50)).map_blocks(
        explode, dtype=np.float32, meta=np.empty((0, 0), np.float32)
    )
    data = cs.responses(x, stimulus=np.arange(N), system="x", category=np.arange(N) % 2)
    assert data.chunks is not None
    assert cs.align(data, data)[0].chunks is not None
    with pytest.raises(
        cs.InputError,
        match=r"'x' .side a.: a chunk of the array cannot be read or computed .RuntimeError: 'computed'",
    ) as caught:
        both(data, data)
    assert caught.value.code == "chunk-failed"
    with pytest.raises(cs.InputError, match="cannot be read or computed"):
        cs.average(data)


@pytest.mark.parametrize("measure", ["rsa", "cka", "procrustes"])
def test_nan_in_a_chunk_is_named(measure):
    x, ids, other = planted(np.float32, units=40)
    x[5, 33] = np.nan
    data = cs.responses(
        da.from_array(x, chunks=(10, 10)), stimulus=ids, system="x", unit=[f"n{i}" for i in range(40)]
    )
    with pytest.raises(cs.InputError, match=rf"'x' has NaN .*trial 5 = {ids[5]}, unit 33 = 'n33'") as caught:
        both(data, other, measure)
    assert caught.value.code == "nan-values"


def test_trials_that_are_not_valid_are_left_out(monkeypatch):
    x, ids, other = planted(np.float64, 3, units=60)
    x[5, 33] = np.nan
    options = {"stimulus": ids, "system": "x", "repeat": "count"}
    for missing in ("mask", "omit"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lazy = cs.responses(da.from_array(x, chunks=(10, 10)), **options, missing=missing)
            here = cs.responses(x, **options, missing=missing)
        assert lazy.chunks is not None
        np.testing.assert_allclose(
            both(lazy, other).data["value"], both(here, other).data["value"], atol=1e-10
        )
    x[ids == 4] = np.nan
    lazy = cs.responses(da.from_array(x, chunks=(10, 10)), **options, missing="mask")
    with pytest.raises(cs.InputError, match="no valid trial for stimulus 4") as caught:
        both(lazy, other)
    assert caught.value.code == "no-valid-trial"


@pytest.mark.parametrize(
    "measure", ["procrustes", "cca", "linear_predictivity", partial(cs.measures.rsa, method="bures")]
)
def test_measures_that_load_give_the_same(measure):
    x, ids, other = planted(np.float64, 2, units=60)
    options = {"stimulus": ids, "system": "x", "repeat": "count"}
    here = both(cs.responses(x, **options), other, measure)
    there = both(cs.responses(da.from_array(x, chunks=(10, 10)), **options), other, measure)
    np.testing.assert_allclose(there.data["value"], here.data["value"], atol=1e-12)
    np.testing.assert_allclose(there.data["ceiling_low"], here.data["ceiling_low"], atol=1e-12)


def test_loading_is_said_and_refused(monkeypatch):
    x, ids, other = planted(np.float32, units=60)
    x[:, 7] = x[:, 8]
    data = cs.responses(da.from_array(x, chunks=(10, 10)), stimulus=ids, system="x")
    monkeypatch.setattr(_checks, "_LARGE", 1)
    with pytest.warns(
        cs.ConsilienceWarning, match=r"procrustes cannot.* so 'x' will be loaded: 0.0072 MB"
    ) as caught:
        cs.compare(data, other, measure=["procrustes", "rsa"], n_boot=0, n_perm=0, rng=0)
    assert "read-whole" in {w.message.caution.code for w in caught if hasattr(w.message, "caution")}
    monkeypatch.setattr(_checks, "check_fits", lambda needed: "1 MB")
    with pytest.raises(cs.InputError, match=r"fewer systems|loads systems whole"):
        cs.compare(data, other, measure="procrustes", n_boot=0, n_perm=0, rng=0)
    monkeypatch.setattr(_check, "check_fits", lambda needed: "1 MB")
    with pytest.raises(cs.InputError, match=r"data takes 0.0072 MB in memory, and 1 MB is free") as refused:
        cs.average(data)
    assert refused.value.code == "too-large"


def test_flat_patterns_in_blocks_are_named():
    x, ids, other = planted(np.float32, units=60)
    x[4] = 2.0
    data = cs.responses(da.from_array(x, chunks=(10, 10)), stimulus=ids, system="x")
    with pytest.raises(
        cs.InputError, match=rf"system 'x'.*stimulus {ids[4]} has the same value in all units"
    ):
        both(data, other, "rsa")


def test_lazy_arrays_of_other_kinds():
    whole = cs.responses(da.ones((4, 3), chunks=2, dtype=np.int16), stimulus=range(4))
    assert whole.dtype == np.float64
    assert cs.responses(da.ones((4, 3), dtype=np.float16), stimulus=range(4)).dtype == np.float32
    assert cs.responses(da.ones((4, 3), dtype=">f4"), stimulus=range(4)).dtype == np.dtype("=f4")
    with pytest.raises(cs.InputError, match="real numbers, got dtype complex"):
        cs.responses(da.ones((4, 3), dtype=complex), stimulus=range(4))
    ragged = da.ones((6, 3), chunks=2)[da.arange(6, chunks=2) > 1]
    with pytest.raises(cs.InputError, match="chunks of unknown size"):
        cs.responses(ragged)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are given back on Linux")
@pytest.mark.parametrize("kind", ["memmap", "dask", "zarr"])
def test_memory_does_not_grow_with_the_units(kind):
    """What rsa and cka take beyond what they take of small systems, as a share of 400 MB of data."""
    if kind == "zarr":
        pytest.importorskip("zarr")
    memory = pytest.importorskip("benchmarks._memory")
    assert memory.measured("growth", kind)[0] < 0.6
