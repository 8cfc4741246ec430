"""`selectivity_impact` in a study: layers of networks with their stimuli."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import consilience as cs
from consilience.study import run

torch = pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_layer_of_a_network(monkeypatch, tmp_path):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Sigmoid(), torch.nn.Linear(8, 3))
    net = cs.Network(module, name="toy", key="toy")
    labels = np.arange(30) % 3
    x = np.random.default_rng(0).normal(size=(30, 4)) + labels[:, None]
    stimuli = cs.stimuli(x, ids=range(30)).assign_coords(category=("stimulus", labels))
    monkeypatch.setattr(cs.networks, "load", lambda name: copy.deepcopy(net))
    for place in ("_plan", "_blocks"):
        monkeypatch.setattr(f"consilience.study.{place}.get_stimuli", lambda *_, **__: stimuli)
    (tmp_path / "study.yaml").write_text(
        "seed: 0\noutput: out\nsystems:\n"
        '  hidden: {network: efficientnet_lite0, layers: ["1"], stimuli: objects92}\nanalyses:\n'
        "  - selectivity_impact: {data: hidden, by: category, target: category, evaluate: loss, how: [mean, zero], "
        "n_boot: 20, n_perm: 50, name: found}\n"
    )
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0
    direct = cs.selectivity_impact(
        net,
        "1",
        stimuli=stimuli,
        target="category",
        evaluate="loss",
        how=["mean", "zero"],
        n_boot=20,
        n_perm=50,
        rng=0,
    )
    found = done.results["found"]
    np.testing.assert_array_equal(found.data["value"], direct.data["value"])
    np.testing.assert_array_equal(found.units["impact"], direct.units["impact"])
