"""``consilience dimensionality``."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import consilience as cs


def brain(repeats: int) -> xr.DataArray:
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(40), repeats)
    x = (rng.normal(size=(40, 5)) @ rng.normal(size=(5, 20)))[ids] + rng.normal(size=(ids.size, 20))
    return cs.responses(x, stimulus=ids, kind="rate", **({"repeat": "count"} if repeats > 1 else {}))


def test_dimensionality_of_a_file(call, tmp_path):
    brain(3).to_netcdf(tmp_path / "v1.nc")
    out = tmp_path / "d.nc"
    options = ["-m", "participation_ratio", "--n-perm", "0", "--seed", "1", "--json", "-o", out]
    done = call("dimensionality", tmp_path / "v1.nc", *options)
    assert done.code == 0, done.err
    row = json.loads(done.out)["results"][0]
    direct = cs.dimensionality(brain(3), measures="participation_ratio", n_perm=0, rng=1)
    assert row["value"] == pytest.approx(direct.data["value"].item())
    assert cs.load(out).data["value"].item() == pytest.approx(row["value"])


def test_a_single_noisy_trial_is_refused(call, tmp_path):
    brain(1).to_netcdf(tmp_path / "single.nc")
    done = call("dimensionality", tmp_path / "single.nc")
    assert done.code == 2
    assert "no-repeats" in done.err


def test_systems_side_by_side_matched(call, tmp_path):
    brain(3).to_netcdf(tmp_path / "a.nc")
    brain(4).to_netcdf(tmp_path / "b.nc")
    options = [
        "-m",
        "participation_ratio_units",
        "--n-perm",
        "0",
        "--match",
        "trials",
        "--n-match",
        "2",
        "--seed",
        "0",
    ]
    done = call("dimensionality", tmp_path / "a.nc", tmp_path / "b.nc", *options)
    assert done.code == 0, done.err
    assert "120 trials" in done.out
    assert "160 trials" not in done.out
