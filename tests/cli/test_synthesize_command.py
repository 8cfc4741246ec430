"""``consilience synthesize``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")


@pytest.fixture
def net(monkeypatch):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 3))
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
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3)).astype(np.uint8)):
        Image.fromarray(image).save(place / f"p{i}.png")
    return place


def test_stimuli_of_units(call, net, folder, tmp_path):
    out, picture = tmp_path / "made.nc", tmp_path / "made.png"
    options = ("--channel", "--natural", folder, "--steps", "8", "-o", out, "--picture", picture)
    done = call("synthesize", "small", "2", "0", "2", *options)
    assert done.code == 0, done.err
    assert "2 targets of small, gradient, 8 steps" in done.out
    made = cs.load(out)
    direct = cs.synthesize(
        [net.unit("2", channel=c) for c in (0, 2)], natural=cs.stimuli(folder), steps=8, rng=0
    )
    np.testing.assert_array_equal(made.value, direct.value)
    assert picture.stat().st_size > 1000


def test_refusals(call, net, folder):
    done = call("synthesize", "small", "cnv", "0", "--natural", folder)
    assert done.code == 2
    assert "no layer 'cnv'" in done.err
    done = call("synthesize", "small", "2", "99999", "--natural", folder, "--steps", "4")
    assert done.code == 2
    assert "there is no such unit" in done.err
    done = call("synthesize", "small", "2")
    assert done.code == 2


def test_natural_stimuli_must_be_images(call, net, monkeypatch):
    done = call("synthesize", "small", "2", "0", "--natural", "nope")
    assert done.code == 2
    assert "no such folder of images" in done.err
    assert "data set with images (objects92)" in done.err
    monkeypatch.setattr(cs.datasets, "load", lambda name: type("Recording", (), {})())
    done = call("synthesize", "small", "2", "0", "--natural", "head_direction")
    assert done.code == 2
    assert "the data set head_direction has no stimuli" in done.err


def test_without_moves(call, net, folder, tmp_path):
    out = tmp_path / "made.nc"
    done = call(
        "synthesize", "small", "2", "0", "--natural", folder, "--steps", "4", "--no-transforms", "-o", out
    )
    assert done.code == 0, done.err
    assert cs.load(out).settings["transforms"]["jitter"] == 0
