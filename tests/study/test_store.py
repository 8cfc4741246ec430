"""The store: whole or not at all, damage seen, leftovers swept."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from consilience.study._arrays import read_arrays, write_arrays
from consilience.study._digest import array_digest, digest
from consilience.study._store import Store, StoreError


def array(value=0.0):
    coords = {"stimulus": ("trial", np.array(["a", "ü", "c"])), "unit": np.arange(2)}
    return xr.DataArray(
        np.full((3, 2), value, np.float32), dims=("trial", "unit"), coords=coords, attrs={"kind": "rate"}
    )


def test_arrays_come_back(tmp_path):
    write_arrays(tmp_path, {"x": array(), "../y": array(1.0)})
    back = read_arrays(tmp_path)
    assert list(back) == ["x", "../y"]
    xr.testing.assert_identical(back["../y"], array(1.0))


def test_digest_sees_values_labels_and_attributes():
    one = array_digest(array())
    assert one == array_digest(array())
    assert one != array_digest(array(1.0))
    assert one != array_digest(array().assign_attrs(kind="count"))
    assert one != array_digest(array().assign_coords(unit=[1, 2]))
    assert digest({"a": 1}) != digest({"a": "1"})


def test_put_and_get(tmp_path):
    store = Store(tmp_path)
    assert store.get("k") is None
    store.put("k", lambda folder: write_arrays(folder, {"x": array()}), label="block")
    assert store.has("k")
    assert store.get("k").manifest["label"] == "block"
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_a_failing_block_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Store(tmp_path).put("k", fail, label="")
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_a_store_error(tmp_path):
    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        Store(tmp_path).put("k", full, label="")


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest"])
def test_damage_is_seen(tmp_path, damage):
    store = Store(tmp_path)
    store.put("k", lambda folder: write_arrays(folder, {"x": array()}), label="")
    path = tmp_path / "k" / ("manifest.json" if damage == "manifest" else "0000.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(content) if damage == "flip" else bytes(content[:-4]))
    with pytest.raises(ValueError, match="k"):
        store.get("k")
    store.drop("k")
    assert store.get("k") is None


def test_sweep_removes_leftovers_only(tmp_path):
    store = Store(tmp_path)
    store.put("k", lambda folder: write_arrays(folder, {"x": array()}), label="")
    (tmp_path / ".writing-old").mkdir()
    store.sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["k"]
