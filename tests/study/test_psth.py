"""`psth` as an analysis of a study."""

from __future__ import annotations

import numpy as np

import consilience as cs
from consilience.study import run


def test_psth_of_a_file(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, size=(12, 3, 2))
    np.savez(tmp_path / "t.npz", responses=counts, stimulus=list("ab" * 6), time=[0.05, 0.15, 0.25])
    (tmp_path / "study.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n"
        "  it: {read: t.npz, repeat: count, kind: count, dims: [trial, time, unit]}\n"
        "analyses:\n  - psth: {data: it, by: stimulus, level: 0.9, name: means}\n"
        "  - psth: {data: it, by: none, name: all}\n"
    )
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    direct = cs.psth(
        cs.responses(
            counts,
            kind="count",
            dims=("trial", "time", "unit"),
            stimulus=list("ab" * 6),
            repeat="count",
            time=[0.05, 0.15, 0.25],
            system="it",
        ).assign_attrs(bin=0.1),
        level=0.9,
    )
    np.testing.assert_allclose(done.results["means"].data["mean"], direct.data["mean"])
    np.testing.assert_allclose(done.results["means"].data["ci_high"], direct.data["ci_high"])
    assert done.results["all"].data["condition"].values.tolist() == ["all trials"]
    assert "Responses over time" in (tmp_path / "out" / "report.html").read_text()
