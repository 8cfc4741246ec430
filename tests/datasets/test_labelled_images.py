"""fashion_mnist and mnist: what is in them; and files of a system package, played by a folder."""

import gzip
import hashlib

import numpy as np
import pytest

import consilience as cs
from consilience._core._installed import InstalledFiles
from consilience.datasets._fashion_mnist import idx_array
from consilience.datasets._labelled_images import labelled_images

IDX = b"\0\0\x08\x03" + np.array([2, 2, 3], ">u4").tobytes() + bytes(range(12))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSILIENCE_DATA", str(tmp_path))
    (tmp_path / "clothes").mkdir()
    return tmp_path / "clothes"


def source(content=IDX):
    return InstalledFiles("dataset-clothes", "clothes", {"images": hashlib.sha256(content).hexdigest()})


def loaded(name):
    try:
        return cs.datasets.load(name)
    except cs.InputError as error:
        if error.code == "not-cached":
            pytest.skip(str(error))
        raise


def test_idx_is_read():
    np.testing.assert_array_equal(idx_array(IDX), np.arange(12).reshape(2, 2, 3))


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08", IDX[:-1], IDX + b"x", b"\0\0\x0d" + IDX[3:], b"\0\0\x08\x00"]
)
def test_what_is_no_idx_file(content):
    with pytest.raises(cs.InputError, match="not an IDX file of unsigned bytes") as caught:
        idx_array(content)
    assert caught.value.code == "bad-archive"


def test_files_are_found_with_and_without_gz(folder):
    assert source().find() is None
    (folder / "images").write_bytes(IDX)
    assert source().read() == {"images": IDX}
    (folder / "images").unlink()
    (folder / "images.gz").write_bytes(gzip.compress(IDX, 1))
    assert source().read() == {"images": IDX}


def test_files_that_are_not_there(folder):
    with pytest.raises(
        cs.InputError, match=r"apt-get install dataset-clothes; elsewhere put images\.gz"
    ) as caught:
        source().read()
    assert caught.value.code == "not-cached"
    assert str(folder) in str(caught.value)


def test_another_content_is_refused(folder):
    (folder / "images").write_bytes(IDX[:-1] + b"x")
    with pytest.raises(cs.InputError, match="is not the pinned file") as caught:
        source().read()
    assert caught.value.code == "bad-hash"


def test_a_damaged_gz(folder):
    (folder / "images.gz").write_bytes(gzip.compress(IDX)[:-12])
    with pytest.raises(cs.InputError, match="cannot be read") as caught:
        source().read()
    assert caught.value.code == "bad-archive"


def test_ids_run_within_each_split():
    split = np.array(["train", "test", "train"])
    made, table = labelled_images(
        np.zeros((3, 6, 6), np.uint8), np.array([1, 0, 1]), split, classes=("a", "b"), name="small"
    )
    assert made["stimulus"].values.tolist() == ["train_00001", "test_00001", "train_00002"]
    assert made["label"].values.tolist() == table["label"].tolist() == ["b", "a", "b"]


@pytest.mark.data
def test_fashion_mnist():
    data = loaded("fashion_mnist")
    made = data.stimuli
    assert (made.shape, made.dtype, made.dims) == ((70_000, 28, 28), np.uint8, ("stimulus", "y", "x"))
    split, number = made["split"].values, made["number"].values
    assert np.bincount(number[split == "train"]).tolist() == [6000] * 10
    assert np.bincount(number[split == "test"]).tolist() == [1000] * 10
    assert data.categories.groupby("number")["label"].first().tolist()[:3] == [
        "T-shirt/top",
        "Trouser",
        "Pullover",
    ]
    # published mean and standard deviation of the training pictures
    train = made.values[split == "train"] / np.float32(255)
    assert train.mean() == pytest.approx(0.2860, abs=1e-4)
    assert train.std() == pytest.approx(0.3530, abs=1e-4)
    assert "Xiao" in data.citation


@pytest.mark.data
def test_mnist():
    data = loaded("mnist")
    made = data.stimuli
    assert (made.shape, made.dtype) == ((5000, 28, 28), np.uint8)
    assert made.values.max() == 255
    split, number = made["split"].values, made["number"].values
    assert np.bincount(number[split == "test"]).tolist() == [100] * 10
    assert made["label"].values.tolist() == [str(digit) for digit in number]
    # nearest class mean tells digits well above chance, so pictures and labels belong together
    flat = made.values.reshape(5000, -1).astype(np.float64)
    means = np.stack([flat[(number == digit) & (split == "train")].mean(axis=0) for digit in range(10)])
    test = split == "test"
    guess = ((flat[test][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (guess == number[test]).mean() > 0.75
