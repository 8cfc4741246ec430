"""``consilience shapley``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

pd = pytest.importorskip("pandas")


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    lesions = (rng.random((60, 4)) < 0.4).astype(int)
    made = pd.DataFrame(lesions, columns=["V1", "V2", "IT", "PFC"])
    made["errors avoided"] = 10 - 5 * made["V1"] - 2 * made["IT"] + rng.normal(size=60)
    made["animal"] = np.repeat(np.arange(30), 2)
    path = tmp_path / "lesions.csv"
    made.to_csv(path, index=False)
    return path


def test_a_table_of_lesions(call, table, tmp_path):
    out, picture = tmp_path / "made.nc", tmp_path / "made.png"
    options = ("--scores", "errors avoided", "--groups", "animal", "-o", out, "--picture", picture)
    done = call("shapley", table, *options)
    assert done.code == 0, done.err
    assert "4 players of lesions" in done.out
    direct = cs.shapley(pd.read_csv(table), scores="errors avoided", groups="animal", rng=0)
    np.testing.assert_array_equal(cs.load(out).value, direct.value)
    assert picture.stat().st_size > 1000


def test_refusals(call, table, tmp_path):
    done = call("shapley", table, "--scores", "error")
    assert done.code == 2
    assert "errors avoided" in done.err
    done = call("shapley", tmp_path / "none.csv", "--scores", "score")
    assert done.code == 2
    assert "no such file" in done.err
    broken = tmp_path / "broken.csv"
    broken.write_bytes(bytes(range(256)))
    done = call("shapley", broken, "--scores", "score")
    assert done.code == 2
