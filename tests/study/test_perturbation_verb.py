"""`predict_perturbation` in a study: sets of units and what is done to them."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience._core._errors import InputError
from consilience.study import run

HEAD = """seed: 0
output: out
systems:
  m1: {read: m1.npy, ids: ids.txt, labels: {speed: speed.npy}}
analyses:
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    rates = rng.poisson(5, size=(60, 8)).astype(float)
    np.save(tmp_path / "m1.npy", rates)
    np.save(tmp_path / "speed.npy", rates[:, :2].sum(axis=1) + rng.normal(size=60))
    (tmp_path / "ids.txt").write_text("\n".join(f"s{i}" for i in range(60)))
    return tmp_path


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_sets_are_silenced_and_driven(folder):
    few = "n_controls: 3, n_refits: 2"
    (folder / "study.yaml").write_text(
        f"{HEAD}  - predict_perturbation: {{data: m1, target: speed, numbers: true, sets: {{first: [0, 1]}}, {few}, "
        f"name: silent}}\n  - predict_perturbation: {{data: m1, target: speed, numbers: true, sets: {{first: [0, 1]}}, "
        f"act: {{sd: 1}}, {few}, name: driven}}\n"
    )
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    assert isinstance(done.results["silent"], cs.PredictedPerturbation)
    change = (
        done.results["silent"]
        .data["change"]
        .sel(family="ridge", perturbation="silence first", outcome="speed")
    )
    assert -13 < float(change) < -7
    assert done.results["driven"].data["perturbation"].values.tolist() == ["drive by +1 sd first"]
    assert (folder / "out" / "results" / "silent.csv").is_file()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("target: speed, sets: {a: [0]}, act: excite", "silence, or"),
        ("target: speed, sets: {a: [0]}, act: {to: high}", "silence, or"),
        ("sets: {a: [0]}", "has no target"),
        ("target: speed, sets: {}", "sets"),
        ("target: speed, sets: {a: [0, 8]}", "sets a names unit 8, .* 8 units, 0 to 7"),
    ],
)
def test_what_does_not_fit_is_said(folder, options, text):
    (folder / "study.yaml").write_text(f"{HEAD}  - predict_perturbation: {{data: m1, {options}}}\n")
    with pytest.raises(InputError, match=text):
        run(folder / "study.yaml")
