"""`patch` in a study."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience import InputError
from consilience.study import load, run

pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")

HEAD = """seed: 0
output: out
systems:
  one: {network: efficientnet_lite0, layers: ["0", "1"], stimuli: objects92}
  two: {network: efficientnet_lite0, layers: ["0", "1"], stimuli: mnist}
  last: {network: efficientnet_lite0, layers: ["2"], stimuli: mnist}
  file: {read: x.npy, ids: ids.txt}
analyses:
"""
FEW = "n_null: 50, n_controls: 2"


@pytest.fixture
def stimuli(toy_network, monkeypatch):
    """Clean ones, under the name objects92, and under the other the same with their category moved on by one."""
    _, clean = toy_network
    moved = (clean["category"].values + 1) % 3
    corrupted = (clean + (moved - clean["category"].values)[:, None]).assign_coords(
        category=("stimulus", moved)
    )
    shown = {"objects92": clean, "mnist": cs.stimuli(corrupted)}
    for place in ("_plan", "_blocks"):
        monkeypatch.setattr(f"consilience.study.{place}.get_stimuli", lambda name, **_: shown[name])
    return shown


def written(folder, analysis):
    (folder / "study.yaml").write_text(f"{HEAD}  - {analysis}\n")
    return folder / "study.yaml"


def test_clean_into_corrupted(folder, toy_network, stimuli):
    path = written(
        folder, f"patch: {{clean: one, corrupted: two, target: category, parts: channels, {FEW}, name: p}}"
    )
    done = run(path)
    assert done.exit_code == 0, done.failures
    direct = cs.patch(
        toy_network[0],
        stimuli["objects92"],
        stimuli["mnist"],
        ["0", "1"],
        target="category",
        parts="channels",
        n_null=50,
        n_controls=2,
        rng=0,
    )
    np.testing.assert_allclose(done.results["p"].data["effect"], direct.data["effect"])
    np.testing.assert_allclose(done.results["p"].data["p"], direct.data["p"])
    assert done.results["p"].settings["layers"] == ["0", "1"]


def test_noise_on_a_layer(folder, toy_network, stimuli):
    noise = 'noise: {layer: "0", sd: 2}, target: category, n_noise: 2'
    done = run(written(folder, f"patch: {{clean: one, {noise}, {FEW}, name: p}}"))
    assert done.exit_code == 0, done.failures
    assert done.results["p"].settings["corruption"] == "noise"
    direct = cs.patch(
        toy_network[0],
        stimuli["objects92"],
        {"layer": "0", "sd": 2.0},
        ["0", "1"],
        target="category",
        evaluate="probability",
        n_noise=2,
        n_null=50,
        n_controls=2,
        rng=0,
    )
    np.testing.assert_allclose(done.results["p"].data["effect"], direct.data["effect"])


def test_what_the_network_answers_stands_where_no_label_is_given(folder, toy_network, stimuli):
    done = run(written(folder, f"patch: {{clean: one, corrupted: two, {FEW}, name: p}}"))
    assert done.exit_code == 0, done.failures
    outputs = [
        cs.record(toy_network[0], stimuli[name], layers="output")["output"].values
        for name in ("objects92", "mnist")
    ]
    mine, other = (one.argmax(axis=1) for one in outputs)
    rows = np.arange(30)
    wanted = outputs[0][rows, mine] - outputs[0][rows, other]
    np.testing.assert_allclose(done.results["p"].pairs["clean"], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("clean: one", "has no corrupted:"),
        ('clean: one, corrupted: two, noise: {layer: "0"}', "has both corrupted: and noise:"),
        ("clean: one, corrupted: last", "corrupted must be the same network and layers as clean:"),
        ("clean: one, corrupted: file", "corrupted must be layers of a network"),
        ("clean: [one, two], corrupted: two", "must be one network with its layers, got 2 systems"),
        ("clean: one, noise: {sd: 2}", "has no layer:, which noise needs"),
        ("clean: one, corrupted: two, places: all", "places must be each, or a number of blocks"),
    ],
)
def test_what_is_refused_with_its_line(folder, options, words):
    with pytest.raises(InputError) as caught:
        load(written(folder, f"patch: {{{options}}}"))
    assert words in str(caught.value)
    assert str(caught.value).startswith("study.yaml, line 9:")
