"""``consilience structure``, and `structure` as an analysis of a study."""

from __future__ import annotations

import json

import numpy as np
import pytest

import consilience as cs
from consilience.study import run


def rotating():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, (8, 1)) + 0.3 * np.arange(20)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=2) @ rng.normal(size=(2, 10))
    return x + 0.3 * rng.normal(size=(8, 20, 10))


def responses():
    return cs.responses(
        rotating(),
        stimulus=[f"r{k}" for k in range(8)],
        time=np.arange(20) * 0.01,
        dims=("trial", "time", "unit"),
        kind="rate",
        system="m1",
    )


def test_command(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    responses().to_netcdf("m1.nc")
    outcome = call(
        "structure", "m1.nc", "--statistic", "rotation", "--statistic", "rotation_rate", "--n-components", 2,
        "--n-null", 49, "-o", "s.nc",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "rotation" in outcome.out
    assert "p=0.02" in outcome.out
    direct = cs.structure(
        responses(), statistic=["rotation", "rotation_rate"], n_components=2, n_null=49, rng=0
    )
    np.testing.assert_allclose(cs.load("s.nc").draws, direct.draws)


def test_command_of_an_array_and_its_warnings(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("m1.npy", rotating())
    np.save("t.npy", np.arange(20) * 0.01)
    outcome = call(
        "structure", "m1.npy", "--time", "t.npy", "--null", "conditions", "--n-null", 19, "--keep-mean",
        "--all-trials", "--n-components", 2, "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    parsed = json.loads(outcome.out)
    assert parsed["results"][0]["null"] == "conditions"
    assert parsed["settings"]["subtract_mean"] is False
    assert "null-mismatch" in {entry["code"] for entry in parsed["warnings"]}
    wrong = call("structure", "m1.npy", "--time", "t.npy", "--statistic", "rotations")
    assert wrong.code == 2
    assert "--statistic must be one of" in wrong.err
    assert call("structure", "m1.npy", "--time", "t.npy", "--by", "stimulus", "--all-trials").code == 2


def test_study(tmp_path):
    responses().to_netcdf(tmp_path / "m1.nc")
    text = (
        "seed: 0\noutput: out\nsystems:\n  m1: {read: m1.nc}\nanalyses:\n"
        "  - structure: {data: m1, statistic: [rotation, tangling], n_components: 2, n_null: 49, name: turns}\n"
    )
    (tmp_path / "study.yaml").write_text(text)
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0, done.failures
    made = done.results["turns"]
    np.testing.assert_allclose(
        made.draws,
        cs.structure(
            responses(), statistic=["rotation", "tangling"], n_components=2, n_null=49, rng=made.seed
        ).draws,
    )
    (tmp_path / "study.yaml").write_text(text.replace("tangling", "tangled"))
    with pytest.raises(cs.InputError, match="Did you mean 'tangling'"):
        run(tmp_path / "study.yaml")
