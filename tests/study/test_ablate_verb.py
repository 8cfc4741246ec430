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


RECORDED = """seed: 0
output: out
systems:
  it: {read: x.npy, ids: ids.txt, labels: {choice: trials.csv, speed: trials.csv}}
  other: {read: y.npy, ids: ids.txt}
analyses:
"""


@pytest.fixture
def recorded(tmp_path):
    rng = np.random.default_rng(3)
    x, choice = rng.normal(size=(120, 5)), np.tile(["l", "r"], 60)
    x[:, 1] += 1.5 * (choice == "l")
    speed = np.arange(120) % 7
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", x[:, :2] + rng.normal(size=(120, 2)))
    ids = [f"s{i}" for i in range(120)]
    (tmp_path / "ids.txt").write_text("\n".join(ids))
    (tmp_path / "trials.csv").write_text(
        "choice,speed\n" + "".join(f"{c},{s}\n" for c, s in zip(choice, speed))
    )
    return tmp_path, cs.responses(x, stimulus=ids, choice=choice, speed=speed, system="it")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_decoder_is_lesioned_and_refitted(recorded):
    folder, data = recorded
    few = "n_orders: 3, n_boot: 50, n_deals: 1"
    (folder / "study.yaml").write_text(
        f"{RECORDED}  - ablate: {{data: it, target: choice, how: [mean, refit], model: LDA, {few}, name: both}}\n"
        f"  - ablate: {{data: it, target: speed, numbers: true, refit: true, {few}, name: numbers}}\n"
        f"  - ablate: {{data: it, target_system: other, {few}, name: encoder}}\n"
    )
    done = run(folder / "study.yaml")
    assert done.exit_code == 0, done.failures
    direct = cs.ablate(
        data, target="choice", how=["mean", "refit"], order="random", n_orders=3, n_boot=50, n_deals=1, rng=0
    )
    np.testing.assert_allclose(done.results["both"].data["impact"], direct.data["impact"])
    assert done.results["numbers"].data["how"].values.tolist() == ["mean", "refit"]
    assert done.results["numbers"].settings["evaluate"] == "r"
    assert done.results["encoder"].settings["task"] == "units"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("target: choice, evaluate: loss", "evaluate is for layers of networks, and it is not"),
        ("target: choice, order: greedy", "order has greedy, which is for layers of networks"),
        ("n_orders: 3", "has no target:"),
        ("target: choice, target_system: other", "has both target: and target_system:"),
    ],
)
def test_what_does_not_go_with_recorded_responses_is_refused(recorded, entry, words):
    folder, _ = recorded
    (folder / "study.yaml").write_text(f"{RECORDED}  - ablate: {{data: it, {entry}}}\n")
    with pytest.raises(cs.InputError, match=words):
        run(folder / "study.yaml")


def test_what_does_not_go_with_a_network_is_refused(shown, tmp_path):
    for entry, words in (("how: refit", "how has refit"), ("cv: 4", "cv is for recorded responses")):
        (tmp_path / "study.yaml").write_text(f"{HEAD}  - ablate: {{data: hidden, {entry}}}\n")
        with pytest.raises(cs.InputError, match=words):
            run(tmp_path / "study.yaml")
