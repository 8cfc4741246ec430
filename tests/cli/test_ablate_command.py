"""``consilience ablate``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_channels_are_removed(call, small_network, labelled_photos, tmp_path):
    out, picture = tmp_path / "lost.nc", tmp_path / "lost.png"
    labels = tmp_path / "labels.npy"
    options = (
        "--stimuli",
        labelled_photos,
        "--target",
        labels,
        "--evaluate",
        "loss",
        "--how",
        "mean",
        "--how",
        "zero",
    )
    done = call("ablate", "small", "0", *options, "--n-orders", "3", "-o", out, "--picture", picture)
    assert done.code == 0, done.err
    assert "small 0: 5 channels" in done.out
    lost = cs.load(out)
    direct = cs.ablate(
        small_network,
        "0",
        stimuli=cs.stimuli(labelled_photos),
        target=np.arange(24) % 3,
        evaluate="loss",
        how=["mean", "zero"],
        n_orders=3,
        rng=0,
    )
    np.testing.assert_array_equal(lost.data["impact"], direct.data["impact"])
    assert picture.stat().st_size > 1000


def test_without_a_target_the_intact_answers_are_kept(call, small_network, labelled_photos):
    done = call(
        "ablate", "small", "0", "--stimuli", labelled_photos, "--alone", "--unchecked", "--how", "zero"
    )
    assert done.code == 0, done.err
    assert "accuracy intact 1" in done.out


def test_bad_options_are_said_in_their_words(call, small_network, labelled_photos, tmp_path):
    done = call("ablate", "small", "0", "--stimuli", labelled_photos, "--order", "selective", "--unchecked")
    assert done.code == 2
    assert "order must be one of" in done.err
    done = call("ablate", "small", "0", "--stimuli", tmp_path / "none", "--unchecked")
    assert done.code == 2
    assert "--stimuli" in done.err
