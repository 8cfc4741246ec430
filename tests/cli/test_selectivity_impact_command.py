"""``consilience selectivity-impact``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

torch = pytest.importorskip("torch")


@pytest.fixture
def net(monkeypatch):
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(768, 12), torch.nn.Sigmoid(), torch.nn.Linear(12, 3)
    )
    made = cs.Network(
        module.eval(), preprocess=lambda block: torch.from_numpy(block.astype(np.float32) / 255), name="small"
    )
    monkeypatch.setattr(cs.networks, "load", lambda name: made)
    return made


@pytest.fixture
def folder(tmp_path):
    from PIL import Image

    place = tmp_path / "photos"
    place.mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3)).astype(np.uint8)):
        Image.fromarray(image).save(place / f"p{i:02d}.png")
    (tmp_path / "kind.txt").write_text("\n".join(["cat", "cup"] * 8))
    return place


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")  # of so few stimuli the ceiling is low
def test_it_is_the_verb(call, net, folder, tmp_path):
    out, picture = tmp_path / "found.nc", tmp_path / "found.png"
    options = ("--by", tmp_path / "kind.txt", "--evaluate", "loss", "--n-boot", "20", "--n-perm", "50")
    done = call(
        "selectivity-impact", "small", "2", "--stimuli", folder, *options, "-o", out, "--picture", picture
    )
    assert done.code == 0, done.err
    assert "on the preferred class" in done.out
    found = cs.load(out)
    direct = cs.selectivity_impact(
        net,
        "2",
        stimuli=cs.stimuli(folder),
        by=np.array(["cat", "cup"] * 8),
        evaluate="loss",
        n_boot=20,
        n_perm=50,
    )
    np.testing.assert_array_equal(found.data["value"], direct.data["value"])
    assert picture.stat().st_size > 1000


def test_refusals(call, net, folder, tmp_path):
    done = call("selectivity-impact", "small", "2", "--stimuli", folder, "--by", "category")
    assert done.code == 2
    assert "no label 'category'" in done.err
    done = call("selectivity-impact", "small", "nope", "--stimuli", folder, "--by", tmp_path / "kind.txt")
    assert done.code == 2
    assert "nope" in done.err
