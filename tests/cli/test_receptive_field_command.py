"""``consilience receptive-field``."""

from __future__ import annotations

import numpy as np

import consilience as cs


def test_receptive_field(call, tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(1500, 6, 6))
    counts = rng.poisson(np.exp(np.roll(frames[:, 2, 3], 1) - 1))[:, None]
    np.save(tmp_path / "x.npy", frames)
    np.save(tmp_path / "y.npy", counts)
    out = tmp_path / "rf.nc"
    common = ("--method", "sta", "--n-perm", "49", "--seed", "1")
    done = call(
        "receptive-field",
        str(tmp_path / "y.npy"),
        str(tmp_path / "x.npy"),
        "--lags",
        "3",
        *common,
        "-o",
        str(out),
    )
    assert done.code == 0, done.err
    direct = cs.receptive_field(counts, frames, lags=3, method="sta", n_perm=49, rng=1)
    np.testing.assert_allclose(cs.load(out).data["value"], direct.data["value"])
    assert "1500 frames of 6 y x 6 x; lags 0 to 2 frames" in done.out
    timed = call(
        "receptive-field",
        str(tmp_path / "y.npy"),
        str(tmp_path / "x.npy"),
        "--lags",
        "0.01:0.03",
        "--step",
        "0.01",
        *common,
    )
    assert timed.code == 0, timed.err
    assert "lags 0.01 to 0.02 s" in timed.out
    for extra, words in (
        (("--lags", "a"), "none of 20 (frames)"),
        (("--lags", "0.1"), "are seconds"),
        (("--start", "1"), "--start goes with --step"),
        (("--method", "RidgeCV"), "must be an estimator of receptive fields"),
    ):
        done = call("receptive-field", str(tmp_path / "y.npy"), str(tmp_path / "x.npy"), *extra)
        assert done.code == 2
        assert words in done.err, done.err
    (tmp_path / "bad.npy").write_bytes(b"no array")
    done = call("receptive-field", str(tmp_path / "y.npy"), str(tmp_path / "bad.npy"))
    assert done.code == 2
    assert "bad.npy" in done.err


def test_the_kind_is_of_the_responses(call, tmp_path):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(400, 1))
    np.savez(tmp_path / "cnt.npz", values=rng.poisson(np.exp(signal - 1)))
    np.savez(tmp_path / "sig.npz", values=signal)
    files = [str(tmp_path / name) for name in ("cnt.npz", "sig.npz")]
    for kind in ("count", "cnt=count"):
        done = call("receptive-field", *files, "--lags", "2", "--n-perm", "0", "--kind", kind)
        assert "kind='count' and values below 0" not in done.err
        assert "none of the files" not in done.err
    done = call("receptive-field", *files, "--kind", "sig=count")
    assert "sig has kind='count' and values below 0" in done.err
    done = call("receptive-field", *files, "--kind", "other=count")
    assert "'other' is none of the files" in done.err
