"""``consilience quality``."""

from __future__ import annotations

import numpy as np

import consilience as cs


def test_quality_without_differences_between_runs(call, tmp_path):
    rng = np.random.default_rng(0)
    ids, run = np.repeat(np.arange(8), 4), np.tile(np.arange(4), 8)
    x = rng.normal(size=(8, 3))[ids] + rng.normal(size=(32, 3)) + 3 * rng.normal(size=(4, 3))[run]
    data = cs.responses(x, stimulus=ids, kind="bold", repeat="count").assign_coords(run=("trial", run))
    data.to_netcdf(tmp_path / "v.nc")
    out = tmp_path / "q.nc"
    options = ("--n-perm", "19", "--n-splits", "5", "--seed", "1", "-m", "reliability", "-o", str(out))
    done = call("quality", str(tmp_path / "v.nc"), "--groups", "run", *options)
    assert done.code == 0, done.err
    direct = cs.quality(data, groups="run", measures="reliability", n_perm=19, n_splits=5, rng=1)
    np.testing.assert_allclose(cs.load(out).data["value"], direct.data["value"])
    assert cs.load(out).settings["groups"] == "run"
    done = call("quality", str(tmp_path / "v.nc"), "--groups", "day", *options)
    assert done.code == 2
    assert "groups must be one of" in done.err


def test_options_in_advice_that_have_no_value_end_without_a_blank():
    from consilience._cli._text import as_options

    assert as_options("shorter than refractory=.", ["refractory"]) == "shorter than --refractory."
    assert as_options("Use width=0.5, not width=60.", ["width"]) == "Use --width 0.5, not --width 60."
