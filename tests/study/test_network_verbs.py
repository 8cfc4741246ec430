"""`robustness` and `attribute` in a study."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience import InputError
from consilience.study import load, run

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")

HEAD = """seed: 0
output: out
systems:
  net: {network: efficientnet_lite0, layers: ["0", "1"], stimuli: objects92}
  hidden: {network: efficientnet_lite0, layers: ["1"], stimuli: objects92}
  file: {read: x.npy, ids: ids.txt}
analyses:
"""


@pytest.fixture
def written(folder, toy_network):
    def write(*analyses):
        (folder / "study.yaml").write_text(HEAD + "".join(f"  - {one}\n" for one in analyses))
        return folder / "study.yaml"

    return write


def test_noise_in_layers(written, toy_network):
    net, stimuli = toy_network
    few = "n_draws: 2, n_boot: 50, n_perm: 99"
    done = run(
        written(
            f"robustness: {{data: net, target: category, evaluate: loss, levels: [0, 0.5, 2], {few}, name: r}}",
            f"robustness: {{data: hidden, noise: dropout, {few}, name: answers}}",
        )
    )
    assert done.exit_code == 0, done.failures
    direct = cs.robustness(
        net,
        ["0", "1"],
        stimuli=stimuli,
        target="category",
        evaluate="loss",
        levels=[0, 0.5, 2],
        n_draws=2,
        n_boot=50,
        n_perm=99,
        rng=done.results["r"].seed,
    )
    np.testing.assert_allclose(done.results["r"].data["value"], direct.data["value"])
    assert done.results["r"].data["layer"].values.tolist() == ["0", "1"]
    assert done.results["answers"].settings["intact"] == 1  # the right answers are its own


def test_maps_of_units(written, toy_network):
    net, stimuli = toy_network
    done = run(
        written(
            "attribute: {data: hidden, unit: [2, 5], method: [gradient, occlusion], n_check: 5, name: maps}",
            "attribute: {data: hidden, unit: 2, baseline: zero, n_check: 0, level: 0.9, name: one}",
        )
    )
    assert done.exit_code == 0, done.failures
    units = [net.unit("1", 2), net.unit("1", 5)]
    seed = done.results["maps"].seed
    direct = cs.attribute(units, stimuli, method=["gradient", "occlusion"], n_check=5, rng=seed)
    np.testing.assert_allclose(done.results["maps"].maps, direct.maps, rtol=1e-6)
    assert done.results["one"].maps.shape == (1, 1, 30, 4)


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        ("robustness: {data: file}", "robustness.data must be layers of a network"),
        ("robustness: {data: [net, hidden]}", "list the layers in one system"),
        ("robustness: {data: net, levels: [2, 1]}", "levels must be numbers that rise, from 0"),
        ("robustness: {data: net, noise: dropout, levels: [0.5, 1]}", "below 1 for dropout"),
        ("robustness: {data: net, levels: [much]}", "levels must be numbers"),
        ("attribute: {data: file, unit: 1}", "attribute.data must be layers of a network"),
        ("attribute: {data: hidden}", "no unit:"),
        ("attribute: {data: hidden, unit: -1}", "unit must be a whole number, at least 0"),
        ("attribute: {data: hidden, unit: 1, method: gradients}", "Did you mean 'gradient' or"),
    ],
)
def test_what_is_refused_with_its_line(written, analysis, words):
    with pytest.raises(InputError) as caught:
        load(written(analysis))
    assert words in str(caught.value)
    assert str(caught.value).startswith("study.yaml, line 8:")


def test_one_layer_is_asked_for_before_anything_is_recorded(written):
    with pytest.raises(InputError, match=r"data takes one system, and there are 2 \('net/0', 'net/1'\)"):
        run(written("attribute: {data: net, unit: 1}"))


def test_geometry_against_untrained_copies(written, toy_network):
    net, stimuli = toy_network
    settings = "by: category, methods: [between, separability], n_null: 0"
    done = run(
        written(
            f"geometry: {{data: net, {settings}, baseline: {{untrained: 3}}, name: both}}",
            f"geometry: {{data: hidden, {settings}, baseline: {{permuted: 3}}, name: other}}",
            f"geometry: {{data: hidden, {settings}, baseline: {{untrained: 0}}, name: plain}}",
        )
    )
    assert done.exit_code == 0, done.failures
    direct = cs.geometry(
        cs.networks.record(net, stimuli, layers=["0", "1"]),
        by="category",
        methods=["between", "separability"],
        n_null=0,
        baseline={
            s: cs.networks.record(net.untrained(seed=s, stimuli=stimuli), stimuli, layers=["0", "1"])
            for s in range(3)
        },
        rng=done.results["both"].seed,
    )
    for key in ("value", "baseline", "gain", "gain_low"):
        np.testing.assert_allclose(done.results["both"].data[key], direct.data[key], err_msg=key)
    assert done.results["other"].baselines["seed"].values.tolist() == [0, 1, 2]
    assert done.results["plain"].baselines is None


def test_copies_are_of_networks_alone(written):
    for line, said in (
        (
            "data: file, by: stimulus, baseline: {untrained: 2}",
            "needs networks on side data, and 'file' is none",
        ),
        ("data: net, by: category, baseline: {untraind: 2}", "Did you mean 'untrained'"),
    ):
        with pytest.raises(InputError, match=said):
            load(written(f"geometry: {{{line}}}"))
