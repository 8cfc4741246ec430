"""``consilience ablate``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")


@pytest.fixture
def net(monkeypatch):
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 5),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 3),
    )
    made = cs.Network(
        module,
        preprocess=lambda block: torch.from_numpy(np.moveaxis(block.astype(np.float32), -1, 1) / 128 - 1),
        name="small",
    )
    monkeypatch.setattr(cs.networks, "load", lambda name: made)
    return made


@pytest.fixture
def folder(tmp_path):
    from PIL import Image

    place = tmp_path / "photos"
    place.mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (24, 12, 12, 3)).astype(np.uint8)):
        Image.fromarray(image).save(place / f"p{i:02d}.png")
    np.save(tmp_path / "labels.npy", np.arange(24) % 3)
    return place


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_channels_are_removed(call, net, folder, tmp_path):
    out, picture = tmp_path / "lost.nc", tmp_path / "lost.png"
    labels = tmp_path / "labels.npy"
    options = (
        "--stimuli",
        folder,
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
        net,
        "0",
        stimuli=cs.stimuli(folder),
        target=np.arange(24) % 3,
        evaluate="loss",
        how=["mean", "zero"],
        n_orders=3,
        rng=0,
    )
    np.testing.assert_array_equal(lost.data["impact"], direct.data["impact"])
    assert picture.stat().st_size > 1000


def test_without_a_target_the_intact_answers_are_kept(call, net, folder):
    done = call("ablate", "small", "0", "--stimuli", folder, "--alone", "--unchecked", "--how", "zero")
    assert done.code == 0, done.err
    assert "accuracy intact 1" in done.out


def test_bad_options_are_said_in_their_words(call, net, folder, tmp_path):
    done = call("ablate", "small", "0", "--stimuli", folder, "--order", "selective", "--unchecked")
    assert done.code == 2
    assert "order must be one of" in done.err
    done = call("ablate", "small", "0", "--stimuli", tmp_path / "none", "--unchecked")
    assert done.code == 2
    assert "--stimuli" in done.err
