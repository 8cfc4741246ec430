"""`shapley` in a study."""

from __future__ import annotations

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


def test_units_of_a_layer_share_the_score(toy_network, tmp_path):
    net, stimuli = toy_network
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
