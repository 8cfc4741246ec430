"""``consilience predict-perturbation`` and ``consilience attribute``."""

from __future__ import annotations

import numpy as np
import pytest

import consilience as cs

from .test_commands import refused

torch = pytest.importorskip("torch")


@pytest.fixture
def trials(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(120, 6))
    y = np.tile(["l", "r"], 60)
    x[:, 1] += 1.5 * (y == "l")
    np.save("d.npy", x)
    (tmp_path / "trials.csv").write_text("choice\n" + "\n".join(y) + "\n")
    (tmp_path / "ids.txt").write_text("\n".join(f"s{i}" for i in range(120)))
    return cs.responses(x, stimulus=[f"s{i}" for i in range(120)], choice=y, system="d")


FILES = ("d.npy", "--ids", "ids.txt", "--label", "choice=trials.csv")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_perturbations_are_predicted(call, trials):
    args = ("predict-perturbation", *FILES, "--target", "choice", "--n-controls", 5, "--n-refits", 4)
    done = call(
        *args, "--sets", "one=1", "--sets", "rest=0,2,3", "--act", "silence", "--act", "add=2", "-o", "p.nc"
    )
    assert done.code == 0, done.err
    direct = cs.predict_perturbation(
        trials,
        "choice",
        sets={"one": [1], "rest": [0, 2, 3]},
        act=["silence", ("add", 2.0)],
        n_controls=5,
        n_refits=4,
        rng=0,
    )
    np.testing.assert_array_equal(cs.load("p.nc").families["change"], direct.families["change"])
    refused(call(*args, "--sets", "one=1", "--act", "loud"), "--act must be silence")
    refused(call(*args, "--sets", "one=1", "--sets", "one=2"), "each name once")
    refused(call("predict-perturbation", *FILES, "--sets", "one=1"), "--target LABEL")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_maps_of_units(call, monkeypatch, tmp_path):
    from PIL import Image

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 5), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(256, 3)
    )
    net = cs.Network(
        module,
        preprocess=lambda block: torch.from_numpy(np.moveaxis(block.astype(np.float32), -1, 1) / 128 - 1),
        name="small",
    )
    monkeypatch.setattr(cs.networks, "load", lambda name: net)
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (6, 12, 12, 3)).astype(np.uint8)):
        Image.fromarray(image).save(tmp_path / "photos" / f"p{i}.png")
    out, picture = tmp_path / "a.nc", tmp_path / "a.png"
    args = ("attribute", "small", "3", "0", "2", "--stimuli", tmp_path / "photos", "--n-check", 4)
    done = call(*args, "--method", "gradient", "--most", 5, "-o", out, "--picture", picture)
    assert done.code == 0, done.err
    units = [net.unit("3", 0), net.unit("3", 2)]
    shown = cs.stimuli(tmp_path / "photos").isel(stimulus=slice(0, 5))
    direct = cs.attribute(units, shown, method="gradient", n_check=4, rng=0)
    np.testing.assert_allclose(cs.load(out).maps, direct.maps, rtol=1e-6)
    assert picture.stat().st_size > 1000
    refused(call(*args, "--method", "gradients"), "gradient")


@pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")
def test_units_of_a_file_are_removed(call, trials):
    args = ("ablate", *FILES, "--target", "choice", "--alone", "--n-boot", 50)
    done = call(*args, "--how", "mean", "--how", "refit", "--cv", 4, "-o", "lost.nc")
    assert done.code == 0, done.err
    direct = cs.ablate(
        trials, target="choice", how=["mean", "refit"], curves=False, order="random", cv=4, n_boot=50, rng=0
    )
    np.testing.assert_array_equal(cs.load("lost.nc").data["impact"], direct.data["impact"])
    refused(call(*args, "--evaluate", "loss"), "--evaluate is for NETWORK LAYER")
    refused(call("ablate", *FILES), "--target LABEL")
    refused(call("ablate", "efficientnet_lite0", "_fc"), "--stimuli is missing")
    refused(
        call("ablate", "efficientnet_lite0", "_fc", "--stimuli", "objects92", "--refit"),
        "--refit is for DATA",
    )
