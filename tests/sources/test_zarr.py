"""Zarr stores: lazy, equal to memory; what is damaged, absent, pickled or elsewhere is one sentence."""

import json
import shutil
import warnings

import numpy as np
import pytest

import consilience as cs
from consilience._core._errors import MissingDependencyError

N, UNITS = 12, 30

zarr = pytest.importorskip("zarr")
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Zarr.*"),
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
]


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return cs.responses(
        rng.normal(size=(N, UNITS)).astype(np.float32) + 3,
        kind="rate",
        stimulus=[f"image{i}" for i in range(N)],
        unit=[f"n{i}" for i in range(UNITS)],
        system="IT",
        category=np.arange(N) % 3,
    )


def written(data, path, format=3, chunks=(5, 7)):
    """The store as xarray writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.to_dataset(name="responses").chunk(dict(zip(data.dims, chunks))).to_zarr(
            path, mode="w", zarr_format=format
        )
    return path


def plain(values, path, **options):
    array = zarr.create_array(
        path, shape=values.shape, dtype=values.dtype, chunks=(5, 7), overwrite=True, **options
    )
    array[:] = values
    return path


def quietly(a, b, measure=("rsa", "cka")):
    return cs.compare(a, b, measure=list(measure), n_boot=0, n_perm=0, rng=0)


@pytest.mark.parametrize("format", [2, 3])
def test_a_group_of_xarray_comes_back(tmp_path, x, format):
    read = cs.sources.read_array(written(x, tmp_path / "x.zarr", format))
    assert read.chunks == ((5, 5, 2), (7, 7, 7, 7, 2))
    assert (read.attrs["kind"], read.attrs["system"]) == ("rate", "IT")
    for name in ("stimulus", "unit", "category"):
        np.testing.assert_array_equal(read[name].values, x[name].values)
    np.testing.assert_array_equal(read.values, x.values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(quietly(read, x).data["value"], 1.0, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"zarr_format": 2}, {"shards": (10, 14)}])
def test_an_array_comes_back(tmp_path, x, options):
    path = plain(x.values, tmp_path / "x.zarr", **options)
    read = cs.sources.read_array(path, ids=x["stimulus"].values.tolist(), kind="rate", system="IT")
    assert read.chunks[1][0] == (14 if "shards" in options else 7)
    np.testing.assert_array_equal(read.values, x.values)
    np.testing.assert_array_equal(read["stimulus"].values, x["stimulus"].values)


def test_packed_values_are_unpacked(tmp_path, x):
    data = x.copy(data=np.round(x.values, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed = {"responses": {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -999}}
        data.to_dataset(name="responses").to_zarr(tmp_path / "x.zarr", encoding=packed)
    np.testing.assert_allclose(cs.sources.read_array(tmp_path / "x.zarr").values, data.values, atol=1e-6)
    with pytest.raises(cs.InputError, match="give the folder of the group") as caught:
        cs.sources.read_array(tmp_path / "x.zarr" / "responses")
    assert caught.value.code == "which-member"


def test_absent_chunks_are_said(tmp_path, x):
    path = plain(x.values, tmp_path / "x.zarr")
    (path / "c" / "1" / "2").unlink()
    with pytest.warns(
        cs.ConsilienceWarning, match=r"1 of 15 chunks of 'x.zarr' in .* are absent; they read as 0"
    ) as caught:
        cs.sources.read_array(path, ids=x["stimulus"].values.tolist())
    assert caught[0].message.caution.code == "chunks-absent"
    path = plain(x.values, tmp_path / "y.zarr", fill_value=np.nan)
    (path / "c" / "1" / "2").unlink()
    with pytest.raises(cs.InputError, match=r"1 of 15 chunks .* which is no data") as refused:
        cs.sources.read_array(path)
    assert refused.value.code == "damaged-file"


@pytest.mark.parametrize("options", [{}, {"compressors": None}])
def test_a_truncated_chunk_is_one_sentence(tmp_path, x, options):
    path = plain(x.values, tmp_path / "x.zarr", **options)
    chunk = path / "c" / "1" / "2"
    chunk.write_bytes(chunk.read_bytes()[:-9])
    read = cs.sources.read_array(path, ids=x["stimulus"].values.tolist(), system="IT")
    with pytest.raises(
        cs.InputError, match=r"'IT'( \(side a\))?: a chunk of the array cannot be read"
    ) as caught:
        quietly(read, x)
    assert caught.value.code == "chunk-failed"
    assert "\n" not in str(caught.value)


def test_damaged_metadata(tmp_path, x):
    path = plain(x.values, tmp_path / "x.zarr")
    text = (path / "zarr.json").read_text()
    for broken in (text[:50], text.replace('"float32"', '"float31"'), "[]"):
        (path / "zarr.json").write_text(broken)
        with pytest.raises(cs.InputError, match="is damaged or incomplete") as caught:
            cs.sources.read_array(path)
        assert caught.value.code == "damaged-file"


def test_addresses_folders_and_groups_without_values(tmp_path, x):
    for address in (
        "https://example.org/x.zarr",
        "s3://bucket/x.zarr",
        "simplecache::s3://bucket/x",
        "memory://x.zarr",
    ):
        with pytest.raises(cs.InputError, match="is an address") as caught:
            cs.sources.read_array(address)
        assert caught.value.code == "url-refused"
    (tmp_path / "folder").mkdir()
    with pytest.raises(cs.InputError, match="is a folder"):
        cs.sources.read_array(tmp_path / "folder")
    path = written(x, tmp_path / "x.zarr")
    shutil.copytree(path / "responses", path / "others")
    shutil.move(path / "responses", path / "more")
    with pytest.raises(cs.InputError, match="has 2 arrays") as caught:
        cs.sources.read_array(path)
    assert caught.value.code == "which-member"


@pytest.mark.parametrize("name", ["objects", "c", "7"])
def test_nothing_is_unpickled(tmp_path, name):
    """A store of format 2 whose labels are pickled."""
    inside = tmp_path / "x.zarr" / name
    inside.mkdir(parents=True)
    (tmp_path / "x.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    described = {
        "zarr_format": 2,
        "shape": [2],
        "chunks": [2],
        "dtype": "|O",
        "filters": [{"id": "pickle", "protocol": 5}],
    }
    (inside / ".zarray").write_text(
        json.dumps(described | {"compressor": None, "fill_value": None, "order": "C"})
    )
    with pytest.raises(cs.InputError, match="would have to be unpickled") as caught:
        cs.sources.read_array(tmp_path / "x.zarr")
    assert caught.value.code == "pickle-refused"


def test_without_the_package_the_extra_is_named(tmp_path, x, monkeypatch):
    path = plain(x.values, tmp_path / "x.zarr")
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(MissingDependencyError, match=r"consilience\[zarr\]"):
        cs.sources.read_array(path)


def test_rdms_in_a_store(tmp_path):
    d = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))[None]
    path = written(
        cs.rdm_data(d, stimulus=list("abcde"), distance="euclidean"), tmp_path / "d.zarr", chunks=(1, 5, 5)
    )
    np.testing.assert_array_equal(cs.sources.read_array(path).values, d)
