"""``consilience robustness``."""

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
def test_noise_in_two_layers(call, net, folder, tmp_path):
    out, picture = tmp_path / "noise.nc", tmp_path / "noise.png"
    strengths = ("--strength", 0.5, "--strength", 2, "--n-draws", 2, "--n-perm", 99, "--n-boot", 50)
    labels = tmp_path / "labels.npy"
    options = ("--stimuli", folder, "--target", labels, "--evaluate", "loss", *strengths)
    done = call("robustness", "small", "0", "1", *map(str, options), "-o", out, "--picture", picture)
    assert done.code == 0, done.err
    found = cs.load(out)
    direct = cs.robustness(
        net,
        ["0", "1"],
        stimuli=cs.stimuli(folder),
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


def test_strengths_must_rise(call, net, folder):
    done = call("robustness", "small", "0", "--stimuli", folder, "--strength", "2", "--strength", "1")
    assert done.code == 2
    assert "rise" in done.err
