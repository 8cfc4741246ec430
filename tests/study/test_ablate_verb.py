"""`ablate` in a study: layers of networks with their stimuli."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import consilience as cs
from consilience.study import run

torch = pytest.importorskip("torch")


@pytest.fixture
def shown(monkeypatch):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    net = cs.Network(module, name="toy", key="toy")
    labels = np.arange(60) % 3
    x = np.random.default_rng(0).normal(size=(60, 4)) + labels[:, None]
    stimuli = cs.stimuli(x, ids=range(60)).assign_coords(category=("stimulus", labels))
    monkeypatch.setattr(cs.networks, "load", lambda name: copy.deepcopy(net))  # each block has its own
    for place in ("_plan", "_blocks"):
        monkeypatch.setattr(f"consilience.study.{place}.get_stimuli", lambda *_, **__: stimuli)
    return net, stimuli


HEAD = """seed: 0
output: out
systems:
  hidden: {network: efficientnet_lite0, layers: ["1"], stimuli: objects92}
analyses:
"""


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_layer_is_lesioned(shown, tmp_path):
    net, stimuli = shown
    (tmp_path / "study.yaml").write_text(
        f"{HEAD}  - ablate: {{data: hidden, target: category, how: [zero, mean], order: [random, impact], n_orders: 3, "
        "name: lost}\n  - ablate: {data: hidden, n_orders: 2, name: kept}\n"
    )
    done = run(tmp_path / "study.yaml")
    assert done.exit_code == 0
    direct = cs.ablate(
        net,
        "1",
        stimuli=stimuli,
        target="category",
        how=["zero", "mean"],
        order=["random", "impact"],
        n_orders=3,
        rng=0,
    )
    lost = done.results["lost"]
    assert lost.data.equals(direct.data)
    assert lost.curves.equals(direct.curves)
    assert float(done.results["kept"].data["intact"]) == 1  # what the intact network answers is its target
