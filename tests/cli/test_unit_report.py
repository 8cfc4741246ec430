"""``consilience unit-report``, and the verb in a study."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.study import run


@pytest.fixture
def data():
    category = np.repeat(["car", "face", "hand"], 12)
    rate = np.where(category == "face", 9.0, 3.0)[:, None] * [1, 0] + [0, 4]
    x = np.random.default_rng(0).poisson(rate)
    made = cs.responses(x, stimulus=category, repeat="count", kind="count", unit=[5, 7], system="IT")
    return made.assign_coords(category=("trial", category))


def test_card_of_a_unit(call, tmp_path, data):
    data.to_netcdf(tmp_path / "it.nc")
    out = tmp_path / "card.nc"
    options = ("--by", "category", "--n-perm", "19", "--seed", "1", "-o", str(out))
    done = call("unit-report", str(tmp_path / "it.nc"), "--unit", "7", *options)
    assert done.code == 0, done.err
    assert "unit 7 of" in done.out
    made = cs.load(out)
    assert made.units == [7]
    direct = cs.unit_report(data, [7], by="category", n_perm=19, rng=1)
    np.testing.assert_array_equal(made.data["value"], direct.data["value"])
    done = call("unit-report", str(tmp_path / "it.nc"), "--unit", "9", *options)
    assert done.code == 2
    assert "no unit '9'; units are [5, 7]" in done.err
    done = call("unit-report", str(tmp_path / "it.nc"), "--variable", "ry")
    assert done.code == 2
    assert "--variable names a signal of a recording" in done.err
    done = call("unit-report", str(tmp_path / "it.nc"), "--window", "0", "1")
    assert done.code == 2
    assert "needs --on" in done.err


def test_in_a_study(tmp_path, data):
    data.to_netcdf(tmp_path / "it.nc")
    (tmp_path / "s.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n  it: {read: it.nc}\n"
        "analyses:\n  - unit_report: {data: it, by: category, unit: [5], n_perm: 19}\n"
    )
    done = run(tmp_path / "s.yaml")
    assert done.exit_code == 0, done.failures
    (made,) = done.results.values()
    assert made.units == [5]
    assert "selectivity.d_prime" in made.data["quantity"].values
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What is known of each unit" in page
