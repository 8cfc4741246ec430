"""``consilience psth``."""

from __future__ import annotations

import numpy as np

import consilience as cs


def test_psth(call, tmp_path):
    counts = np.random.default_rng(0).poisson(1.0, size=(12, 3, 2))
    ids, times = list("ab" * 6), [0.05, 0.15, 0.25]
    np.savez(tmp_path / "t.npz", responses=counts, stimulus=ids, time=times)
    out = tmp_path / "p.nc"
    done = call(
        "psth",
        str(tmp_path / "t.npz"),
        "--kind",
        "count",
        "--repeat",
        "count",
        "--level",
        "0.9",
        "-o",
        str(out),
    )
    assert done.code == 0, done.err
    assert "2 conditions by stimulus, 6 trials each" in done.out
    dims = ("trial", "time", "unit")
    assert "bin-guessed" in done.out + done.err
    data = cs.responses(counts, kind="count", stimulus=ids, repeat="count", time=times, dims=dims)
    data.attrs["bin"] = 0.1
    np.testing.assert_allclose(cs.load(out).data["ci_high"], cs.psth(data, level=0.9).data["ci_high"])
    done = call("psth", str(tmp_path / "t.npz"), "--repeat", "count", "--all-trials")
    assert "1 condition, 12 trials each" in done.out, done.err
    done = call("psth", str(tmp_path / "t.npz"), "--by", "side", "--all-trials")
    assert "not both" in done.err
    done = call("psth", str(tmp_path / "t.npz"), "--repeat", "count", "--by", "side")
    assert done.code == 2
    assert "no coordinate 'side' on trial" in done.err
