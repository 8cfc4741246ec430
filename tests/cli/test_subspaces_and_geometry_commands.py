"""``consilience subspaces`` and ``consilience geometry``, and both in a study."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import consilience as cs
from consilience.study import run


def day(system: str, seed: int) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    thing, place = np.repeat([0, 1], 3), np.tile([0, 1, 2], 2)
    once = np.random.default_rng(0)
    means = once.normal(size=(2, 30))[thing] + once.normal(size=(3, 30))[place]
    ids = np.repeat(np.arange(6), 6)
    return cs.responses(
        means[ids] + rng.normal(size=(36, 30)),
        stimulus=ids,
        repeat="count",
        unit=[f"u{k}" for k in range(30)],
        thing=np.array(["car", "face"])[thing[ids]],
        place=place[ids],
        kind="rate",
        system=system,
    )


@pytest.fixture
def files(tmp_path):
    day("one", 1).to_netcdf(tmp_path / "one.nc")
    day("two", 2).to_netcdf(tmp_path / "two.nc")
    return tmp_path


def test_subspaces_of_two_files(call, files):
    options = ["--k", "2", "--n-null", "9", "--n-splits", "2", "--seed", "0", "--json", "-o", files / "s.nc"]
    done = call("subspaces", files / "one.nc", files / "two.nc", *options)
    assert done.code == 0, done.err
    row = json.loads(done.out)["results"][0]
    direct = cs.subspaces(day("one", 1), day("two", 2), k=2, n_null=9, n_splits=2, rng=0)
    assert row["value"] == pytest.approx(direct.data["value"].values[0])
    assert cs.load(files / "s.nc").k == 2


def test_subspaces_of_one_file_and_what_is_refused(call, files):
    options = ["--k", "1", "--n-null", "0", "--n-splits", "1", "--seed", "0"]
    done = call("subspaces", files / "one.nc", "--by", "thing", "--condition", "place", *options)
    assert done.code == 0, done.err
    assert "car in the subspace of face" in done.out
    three = call("subspaces", *[files / "one.nc"] * 3)
    assert three.code == 2
    assert "two FILES" in three.err
    both = call("subspaces", files / "one.nc", files / "two.nc", "--trials", "--condition", "place")
    assert both.code == 2
    assert "leave --condition out" in both.err


def test_geometry_of_files(call, files):
    options = [
        "--by",
        "thing",
        "--by",
        "place",
        "-m",
        "parallelism",
        "--n-null",
        "0",
        "--seed",
        "0",
        "--json",
    ]
    done = call("geometry", files / "one.nc", files / "two.nc", *options)
    assert done.code == 0, done.err
    rows = json.loads(done.out)["results"]
    systems = {"one": day("one", 1), "two": day("two", 2)}
    direct = cs.geometry(systems, by=["thing", "place"], methods="parallelism", n_null=0, rng=0)
    assert [row["value"] for row in rows] == pytest.approx(direct.to_frame()["value"].tolist())


def test_in_a_study(files):
    (files / "study.yaml").write_text(
        "seed: 0\noutput: out\nreport: false\nsystems:\n  one: {read: one.nc}\n  two: {read: two.nc}\nanalyses:\n"
        "  - subspaces: {name: days, a: one, b: two, k: 2, n_null: 0, n_splits: 1}\n"
        "  - subspaces: {name: things, a: one, by: thing, condition: place, k: 1, n_null: 0, n_splits: 1}\n"
        "  - geometry: {name: cells, data: [one, two], by: [thing, place], methods: [parallelism], n_null: 0}\n"
    )
    run(files / "study.yaml")
    found = {name: cs.load(files / "out" / "results" / f"{name}.nc") for name in ("days", "things", "cells")}
    assert found["days"].data["of"].values.tolist() == ["one", "two"]
    assert found["things"].data["of"].values.tolist() == ["car", "face"]
    assert found["cells"].data["system"].values.tolist() == ["one", "two"]
