"""``consilience patch``."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import consilience as cs

from .test_commands import refused

pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::consilience.ConsilienceWarning")

FEW = ("--n-null", 50, "--n-controls", 2)


@pytest.fixture
def pairs(labelled_photos, tmp_path):
    """Two folders of pictures with the same names, the second darker on one side."""
    from PIL import Image

    (tmp_path / "dark").mkdir()
    for path in sorted(labelled_photos.iterdir()):
        image = np.array(Image.open(path))
        image[:, :7] //= 4
        Image.fromarray(image).save(tmp_path / "dark" / path.name)
    return labelled_photos, tmp_path / "dark"


def test_clean_into_corrupted(call, small_network, pairs, tmp_path):
    clean, dark = pairs
    out, picture = tmp_path / "patch.nc", tmp_path / "patch.png"
    labels, rival = tmp_path / "labels.npy", tmp_path / "rival.npy"
    np.save(rival, (np.arange(24) + 1) % 3)
    options = ("--clean", clean, "--corrupted", dark, "--target", labels, "--other", rival, *FEW)
    done = call("patch", "small", "0", "1", *options, "--parts", "channels", "-o", out, "--picture", picture)
    assert done.code == 0, done.err
    assert "activations of one run put into another" in done.out
    direct = cs.patch(
        small_network,
        cs.stimuli(clean),
        cs.stimuli(dark),
        ["0", "1"],
        parts="channels",
        target=np.arange(24) % 3,
        other=(np.arange(24) + 1) % 3,
        n_null=50,
        n_controls=2,
        rng=0,
    )
    found = cs.load(out)
    np.testing.assert_array_equal(found.data["effect"], direct.data["effect"])
    np.testing.assert_array_equal(found.data["p"], direct.data["p"])
    assert picture.stat().st_size > 1000


def test_the_answers_of_the_network_stand_where_no_labels_are_given(call, small_network, pairs, tmp_path):
    clean, dark = pairs
    done = call(
        "patch", "small", "2", "--clean", clean, "--corrupted", dark, *FEW, "--evaluate", "logit", "-o",
        tmp_path / "p.nc",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert float(cs.load(tmp_path / "p.nc").effect) == pytest.approx(1)  # all passes through this layer


def test_the_other_answer_is_that_to_the_corrupted_stimulus(call, small_network, pairs, tmp_path):
    clean, dark = pairs
    options = ("--clean", clean, "--corrupted", dark, "--target", tmp_path / "labels.npy", *FEW)
    done = call("patch", "small", "0", *options, "-o", tmp_path / "p.nc")
    assert done.code == 0, done.err
    answers = cs.record(small_network, cs.stimuli(dark), layers="output")["output"].values.argmax(axis=1)
    outputs = cs.record(small_network, cs.stimuli(clean), layers="output")["output"].values
    rows = np.arange(24)
    wanted = outputs[rows, rows % 3] - outputs[rows, answers]
    np.testing.assert_allclose(cs.load(tmp_path / "p.nc").pairs["clean"], wanted, atol=1e-5)


def test_noise_on_a_layer(call, small_network, labelled_photos, tmp_path):
    out = tmp_path / "p.nc"
    noise = ("--noise", "0", "--sd", 2, "--n-noise", 2)
    done = call("patch", "small", "1", "--clean", labelled_photos, *noise, *FEW, "--places", 2, "-o", out)
    assert done.code == 0, done.err
    found = cs.load(out)
    assert found.settings["corruption"] == "noise"
    assert found.data.sizes["place"] == 4


def test_texts_are_paired_by_their_line(call, monkeypatch, tmp_path):
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Embedding(128, 6), torch.nn.Flatten(), torch.nn.Linear(24, 3))
    net = cs.Network(
        module,
        preprocess=lambda texts: torch.tensor([[ord(c) for c in t] for t in texts]),
        name="texts",
    )
    monkeypatch.setattr(cs.networks, "load", lambda name: net)
    one, two = ["abcd", "bcda", "cdab", "dabc"], ["xbcd", "xcda", "xdab", "xabc"]
    (tmp_path / "one.txt").write_text("\n".join(one))
    (tmp_path / "two.txt").write_text("\n".join(two) + "\n")
    np.save(tmp_path / "y.npy", [0, 1, 2, 0])
    files = ("--clean", tmp_path / "one.txt", "--corrupted", tmp_path / "two.txt")
    options = ("--target", tmp_path / "y.npy", "--evaluate", "logit", "--places", "each", *FEW)
    done = call("patch", "texts", "0", *files, *options, "-o", tmp_path / "p.nc")
    assert done.code == 0, done.err
    effect = cs.load(tmp_path / "p.nc").effect
    np.testing.assert_allclose(effect.sum(), 1, atol=1e-5)  # a linear network
    np.testing.assert_allclose(effect[1:], 0, atol=1e-5)  # only the first letter differs
    (tmp_path / "two.txt").write_text("xbcd\n\nxdab\nxabc\n")
    refused(call("patch", "texts", "0", *files), "a line is empty")
    (tmp_path / "two.txt").unlink()
    refused(call("patch", "texts", "0", *files), "there is no such file")


def test_what_is_refused(call, small_network, pairs, tmp_path):
    clean, dark = pairs
    both = ("--clean", clean, "--corrupted", dark)
    refused(call("patch", "small", "1", "--clean", clean), "one of --corrupted SET, and --noise LAYER")
    refused(call("patch", "small", "1", *both, "--noise", "0"), "one of --corrupted SET, and --noise LAYER")
    refused(call("patch", "small", "1", *both, "--sd", 2), "--sd is the size of --noise")
    refused(call("patch", "small", "1", *both, "--places", "all"), "--places must be each, or a number")
    refused(call("patch", "small", "1", *both, "--parts", "0"), "--parts must be channels, or a number")
    refused(call("patch", "small", "1", "--clean", clean, "--corrupted", "nowhere"), "--corrupted 'nowhere'")
    refused(call("patch", "small", "1", *both, "--target", "category"), "no label 'category'")
    refused(call("patch", "small", "nope", *both), "nope")
    np.save(tmp_path / "short.npy", np.arange(3))
    refused(
        call("patch", "small", "1", *both, "--target", tmp_path / "short.npy"), "3 entries, and there are 24"
    )
    shutil.move(dark / "p00.png", dark / "q00.png")
    refused(call("patch", "small", "1", *both), "no partner")
