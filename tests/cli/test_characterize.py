"""``consilience characterize``."""

from __future__ import annotations

import numpy as np

import consilience as cs


def _data(seed=0):
    rng = np.random.default_rng(seed)
    category = np.repeat(["face", "house"], 10)
    x = rng.poisson(np.where(category == "face", 9, 3)[:, None], size=(20, 3))
    made = cs.responses(x, stimulus=[f"i{k}" for k in range(20)], kind="count")
    return made.assign_coords(category=("trial", category))


def test_characterize_one_file_and_several(call, tmp_path):
    data = _data()
    for name in ("a", "b"):
        data.to_netcdf(tmp_path / f"{name}.nc")
    out = tmp_path / "t.nc"
    options = ("-m", "d_prime", "--n-perm", "19", "--n-floor", "5", "--n-splits", "5", "--seed", "1")
    done = call("characterize", str(tmp_path / "a.nc"), *options, "-o", str(out))
    assert done.code == 0, done.err
    direct = cs.characterize(data, measures="d_prime", n_perm=19, n_floor=5, n_splits=5, rng=1)
    np.testing.assert_allclose(cs.load(out).data["corrected"], direct.data["corrected"])
    assert "d' of the best class" in done.out
    done = call("characterize", str(tmp_path / "a.nc"), str(tmp_path / "b.nc"), *options)
    assert done.code == 0, done.err
    assert "6 units of 2 systems" in done.out
    done = call("characterize", str(tmp_path / "a.nc"), "--noise-mean", "2", "--noise-trials", "3", *options)
    assert done.code == 0, done.err
    done = call("characterize", str(tmp_path / "a.nc"), "--noise-fano", "2", *options)
    assert done.code == 2
    assert "--noise-mean" in done.err
    done = call("characterize", str(tmp_path / "a.nc"), "--by", "object", *options)
    assert done.code == 2
    assert "--by must be a label on trial" in done.err or "by must be a label on trial" in done.err


def test_messages_name_options(call, tmp_path):
    time = np.arange(200) * 0.05
    series = cs.responses(
        np.random.default_rng(0).poisson(1, (200, 2)), time=time, kind="count", dims=["time", "unit"]
    )
    series.to_netcdf(tmp_path / "s.nc")
    done = call("characterize", str(tmp_path / "s.nc"), "--by", "ry")
    assert done.code == 2
    assert "unit-report FILE --variable ry" in done.err
    _data().to_netcdf(tmp_path / "t.nc")
    done = call("characterize", str(tmp_path / "t.nc"), "-m", "dprime")
    assert done.code == 2
    assert "--measures" not in done.err
    assert "--measure " in done.err
