"""`selectivity_impact` in a study: layers of networks with their stimuli."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs
from consilience.study import run

torch = pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_a_layer_of_a_network(toy_network, tmp_path):
    net, stimuli = toy_network
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
