"""`shapley` in a study."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import consilience as cs
from consilience.study import run

torch = pytest.importorskip("torch")

STUDY = """seed: 0
output: out
systems:
  hidden: {network: efficientnet_lite0, layers: ["1"], stimuli: objects92}
analyses:
  - shapley: {data: hidden, target: category, evaluate: loss, interactions: 3, name: shared}
"""


def test_units_of_a_layer_share_the_score(monkeypatch, tmp_path):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    net = cs.Network(module, name="toy", key="toy")
    labels = np.arange(30) % 3
    x = np.random.default_rng(0).normal(size=(30, 4)) + labels[:, None]
    stimuli = cs.stimuli(x, ids=range(30)).assign_coords(category=("stimulus", labels))
    monkeypatch.setattr(cs.networks, "load", lambda name: copy.deepcopy(net))
    for place in ("_plan", "_blocks"):
        monkeypatch.setattr(f"consilience.study.{place}.get_stimuli", lambda *_, **__: stimuli)
    (tmp_path / "study.yaml").write_text(STUDY)
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0
    direct = cs.shapley(
        net,
        "1",
        stimuli=stimuli,
        target="category",
        evaluate="loss",
        interactions=3,
        rng=done.results["shared"].seed,
    )
    np.testing.assert_allclose(done.results["shared"].value, direct.value)
    assert "share" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
