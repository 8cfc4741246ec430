"""What a run holds in memory: rows are read when asked for, large blocks wait for each other."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import xarray as xr

from consilience.study import _arrays
from consilience.study._arrays import read_arrays, write_arrays
from consilience.study._room import Room, give_back


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A recording in shuffled order, and what `read_arrays` makes of it when nothing is small."""
    monkeypatch.setattr(_arrays, "_LARGE", 0)
    values = np.arange(60, dtype=np.float32).reshape(6, 10)
    coords = {"stimulus": ("trial", list("dbfaec")), "unit": np.arange(10), "y": ("unit", np.arange(10) % 3)}
    data = xr.DataArray(values, dims=("trial", "unit"), coords=coords, attrs={"kind": "rate"})
    write_arrays(tmp_path, {"x": data})
    return data, read_arrays(tmp_path)["x"]


@pytest.mark.parametrize(
    "take",
    [
        lambda x: x,
        lambda x: x.isel(trial=[3, 1, 5]),
        lambda x: x.isel(trial=slice(None, None, -1)),
        lambda x: x.isel(trial=2),
        lambda x: x.isel(trial=slice(2, 2)),
        lambda x: x[np.array([True, False, True, False, False, True])],
        lambda x: x[:, np.arange(10) % 2 == 0],
        lambda x: x.isel(trial=[4, 0], unit=[7, 2, 2]),
        lambda x: x.isel(trial=0, unit=3),
        lambda x: x.isel(trial=[5, 4, 0]).isel(trial=[2, 0]),
        lambda x: x.isel(trial=xr.DataArray([1, 2], dims="k"), unit=xr.DataArray([3, 4], dims="k")),
    ],
)
def test_a_selection_on_disk_is_that_in_memory(stored, take):
    data, lazy = stored
    xr.testing.assert_identical(take(lazy).load(), take(data))


def test_values_are_read_only_and_mapped_once(stored):
    _, lazy = stored
    one, two = lazy.values, lazy.values
    assert one is two
    assert not one.flags.writeable
    del one, two
    assert len(_arrays._maps) == 0


def test_recordings_are_stored_in_the_order_of_their_ids(stored, tmp_path):
    data, _ = stored
    write_arrays(tmp_path, {"x": data}, by_id=True)
    back = read_arrays(tmp_path)["x"]
    assert back["stimulus"].values.tolist() == list("abcdef")
    xr.testing.assert_identical(back.load(), data.sortby("stimulus"))


def test_blocks_that_do_not_fit_side_by_side_wait():
    room = Room(free=lambda: 100)
    running, most, order = 0, 0, []
    lock = threading.Lock()

    def work(size):
        nonlocal running, most
        with room.take(size):
            with lock:
                running += 1
                most = max(most, running)
            threading.Event().wait(0.05)
            with lock:
                running -= 1
                order.append(size)

    for sizes, at_once in (((60, 60, 60), 1), ((30, 30), 2), ((500, 500), 1)):
        most = 0
        threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert most == at_once
    assert sorted(order) == [30, 30, 60, 60, 60, 500, 500]


def test_a_block_that_fails_gives_its_room_back():
    room = Room(free=lambda: 100)
    with pytest.raises(ZeroDivisionError), room.take(90):
        raise ZeroDivisionError
    with room.take(60):
        give_back()
