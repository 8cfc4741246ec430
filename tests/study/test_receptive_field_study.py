"""`receptive_field` as an analysis of a study."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.study import run


def test_receptive_field_in_a_study(tmp_path):
    rng = np.random.default_rng(0)
    features, ids = rng.normal(size=(120, 5)), [f"i{k}" for k in range(120)]
    responses = np.stack([features[:, 1], features[:, 3]], axis=1) + rng.normal(size=(120, 2))
    order = rng.permutation(120)
    cs.responses(responses[order], stimulus=np.array(ids)[order], kind="rate", system="V1").to_netcdf(
        tmp_path / "y.nc"
    )
    cs.responses(features, stimulus=ids, system="features").to_netcdf(tmp_path / "x.nc")
    text = (
        "seed: 0\noutput: out\nreport: true\nsystems:\n  v1: {read: y.nc}\n  features: {read: x.nc}\n"
        "analyses:\n  - receptive_field: {responses: v1, stimulus: features, method: sta, n_perm: 19, name: rf}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    found = done.results["rf"].data
    assert found["value"].dims == ("unit", "lag", "feature")
    assert np.abs(found["value"].values[:, 0]).argmax(axis=1).tolist() == [1, 3]
    assert (
        "r held out" in (tmp_path / "out" / "report.html").read_text()
        or "held out" in (tmp_path / "out" / "report.html").read_text()
    )
    (tmp_path / "study.yaml").write_text(
        text.replace("method: sta", "method: {name: RidgeRF, lags: 1, cv: 3}")
    )
    assert run(tmp_path / "study.yaml").exit_code == 0
    for wrong, words in (("method: rigde", "is not a model"), ("lags: many", "a number of frames, seconds")):
        (tmp_path / "study.yaml").write_text(text.replace("method: sta", wrong))
        with pytest.raises(cs.InputError, match=words):
            run(tmp_path / "study.yaml")
