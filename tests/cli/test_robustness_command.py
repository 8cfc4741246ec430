"""``consilience robustness``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_noise_in_two_layers(call, small_network, labelled_photos, tmp_path):
    out, picture = tmp_path / "noise.nc", tmp_path / "noise.png"
    strengths = ("--strength", 0.5, "--strength", 2, "--n-draws", 2, "--n-perm", 99, "--n-boot", 50)
    labels = tmp_path / "labels.npy"
    options = ("--stimuli", labelled_photos, "--target", labels, "--evaluate", "loss", *strengths)
    done = call("robustness", "small", "0", "1", *map(str, options), "-o", out, "--picture", picture)
    assert done.code == 0, done.err
    found = cs.load(out)
    direct = cs.robustness(
        small_network,
        ["0", "1"],
        stimuli=cs.stimuli(labelled_photos),
        target=np.arange(24) % 3,
        evaluate="loss",
        levels=[0.5, 2],
        n_draws=2,
        n_perm=99,
        n_boot=50,
        rng=0,
    )
    np.testing.assert_array_equal(found.data["value"], direct.data["value"])
    assert picture.stat().st_size > 1000


def test_strengths_must_rise(call, small_network, labelled_photos):
    done = call(
        "robustness", "small", "0", "--stimuli", labelled_photos, "--strength", "2", "--strength", "1"
    )
    assert done.code == 2
    assert "rise" in done.err
