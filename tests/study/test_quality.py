"""`quality` as an analysis of a study."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.study import run


def test_quality_without_differences_between_runs(tmp_path):
    rng = np.random.default_rng(0)
    ids, runs = np.repeat(np.arange(8), 4), np.tile(np.arange(4), 8)
    x = rng.normal(size=(8, 3))[ids] + rng.normal(size=(32, 3)) + 3 * rng.normal(size=(4, 3))[runs]
    data = cs.responses(x, stimulus=ids, kind="bold", repeat="count", system="v1")
    data.assign_coords(run=("trial", runs)).to_netcdf(tmp_path / "v.nc")
    text = (
        "seed: 0\noutput: out\nsystems:\n  v1: {read: v.nc}\n"
        "analyses:\n  - quality: {data: v1, groups: run, measures: [tuning_snr], n_perm: 19, name: table}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    direct = cs.units.tuning_snr(x, ids, groups=runs, n_perm=0)
    np.testing.assert_allclose(done.results["table"].data["value"][0], direct.value)
    (tmp_path / "study.yaml").write_text(text.replace("groups: run", "groups: day"))
    with pytest.raises(cs.InputError, match=r"quality\.groups is 'day', a label that no system has"):
        run(tmp_path / "study.yaml")
