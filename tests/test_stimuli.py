"""`cs.stimuli`: images, folders, texts, arrays; ids; refusals."""

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import consilience as cs


def save(path, shape=(6, 7, 3), seed=0):
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(values).save(path)
    return values


def test_a_folder_is_sorted_by_name_and_names_become_ids(tmp_path):
    b, a = save(tmp_path / "b.png", seed=1), save(tmp_path / "a.png", seed=2)
    (tmp_path / "notes.txt").write_text("no image")
    data = cs.stimuli(str(tmp_path))
    assert data.dims == ("stimulus", "y", "x", "channel")
    assert data.shape == (2, 6, 7, 3)
    assert data.dtype == np.uint8
    assert data.attrs["kind"] == "images"
    assert data["stimulus"].values.tolist() == ["a", "b"]
    np.testing.assert_array_equal(data.values, [a, b])
    assert "consilience_warnings" not in data.attrs


def test_stems_that_collide_keep_their_suffix(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "a.bmp")
    assert cs.stimuli(tmp_path)["stimulus"].values.tolist() == ["a.bmp", "a.png"]


def test_several_sizes_are_refused_and_resized_when_asked(tmp_path):
    for i, shape in enumerate([(6, 7, 3), (6, 7, 3), (9, 5, 3)]):
        save(tmp_path / f"{i}.png", shape)
    with pytest.raises(
        cs.InputError,
        match=r"3 images have 2 sizes \(height x width\): 6 x 7 \(2\), 9 x 5 \(1\); pass size=\(height",
    ) as caught:
        cs.stimuli(tmp_path)
    assert caught.value.code == "several-sizes"
    assert cs.stimuli(tmp_path, size=(4, 8)).shape == (3, 4, 8, 3)


def test_grey_images(tmp_path):
    grey = save(tmp_path / "a.png", (6, 7))
    assert cs.stimuli(tmp_path).dims == ("stimulus", "y", "x")
    save(tmp_path / "b.png", (6, 7, 3))
    mixed = cs.stimuli(tmp_path)
    assert mixed.shape == (2, 6, 7, 3)
    np.testing.assert_array_equal(mixed.values[0], np.repeat(grey[:, :, None], 3, 2))


def test_files_as_a_list(tmp_path):
    save(tmp_path / "b.png")
    save(tmp_path / "a.png")
    assert cs.stimuli([tmp_path / "b.png", tmp_path / "a.png"])["stimulus"].values.tolist() == ["b", "a"]


def test_what_is_no_image_or_no_folder(tmp_path):
    with pytest.raises(cs.InputError, match="no image files"):
        cs.stimuli(tmp_path)
    (tmp_path / "a.png").write_bytes(b"nonsense")
    with pytest.raises(
        cs.InputError, match=r"'a\.png' cannot be read: it is not an image; remove or replace it"
    ):
        cs.stimuli(tmp_path)
    save(tmp_path / "b.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    with pytest.raises(cs.InputError, match=r"'a\.png' cannot be read"):
        cs.stimuli(tmp_path)
    with pytest.raises(cs.InputError, match="does not exist; give a folder of images"):
        cs.stimuli(tmp_path / "absent")
    with pytest.raises(cs.InputError, match="is a file"):
        cs.stimuli(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("array", "kind", "dims"),
    [
        (np.zeros((2, 8, 9, 3)), "images", ("stimulus", "y", "x", "channel")),
        (np.zeros((2, 8, 9, 1), np.uint8), "images", ("stimulus", "y", "x", "channel")),
        (np.zeros((2, 8, 9), np.uint8), "images", ("stimulus", "y", "x")),
        (np.zeros((2, 8, 9)), "array", ("stimulus", "dim_1", "dim_2")),
        (np.zeros((2, 3, 8, 8), np.float32), "array", ("stimulus", "dim_1", "dim_2", "dim_3")),
        (np.zeros((2, 3, 4, 4)), "array", ("stimulus", "dim_1", "dim_2", "dim_3")),
        (np.zeros((2, 5), np.int64), "array", ("stimulus", "dim_1")),
        (np.zeros(2), "array", ("stimulus",)),
        (["one", "two"], "text", ("stimulus",)),
        (np.array(["one", "two"], dtype=object), "text", ("stimulus",)),
    ],
)
def test_kinds(array, kind, dims):
    data = cs.stimuli(array, ids=["a", "b"])
    assert data.attrs["kind"] == kind
    assert data.dims == dims
    assert len(data) == 2
    if isinstance(array, np.ndarray) and array.dtype.kind != "O":
        assert data.dtype == array.dtype


def test_made_up_ids_are_recorded():
    with pytest.warns(cs.ConsilienceWarning, match=r"\[made-up-ids\] No ids were given for 3 stimuli"):
        data = cs.stimuli(np.zeros((3, 4)))
    assert data["stimulus"].values.tolist() == ["stim0000", "stim0001", "stim0002"]
    assert "made-up-ids" in data.attrs["consilience_warnings"]


def test_data_arrays_keep_their_labels():
    given = xr.DataArray(
        np.zeros((2, 3, 8, 8)),
        dims=("stimulus", "channel", "y", "x"),
        coords={"stimulus": ["a", "b"], "category": ("stimulus", ["face", "cup"])},
    )
    data = cs.stimuli(given)
    assert data["category"].values.tolist() == ["face", "cup"]
    assert data.dims == given.dims
    assert cs.stimuli(data).identical(data)


@pytest.mark.parametrize(
    ("given", "ids", "message"),
    [
        (np.zeros((2, 3)), ["a", "a"], r"ids come more than once \('a'\)"),
        (np.zeros((2, 3)), ["a"], "ids has 1 id for 2 rows"),
        (np.zeros((2, 3)), ["a", 1], "must all be text or all be whole numbers"),
        (np.array([[0, np.nan]]), ["a"], "1 values are NaN or infinite, first in stimulus 0"),
        (
            np.array([object(), object()]),
            ["a", "b"],
            "stimuli must be images, numbers or texts, got ndarray of dtype object",
        ),
        (np.zeros((2, 3), complex), ["a", "b"], "dtype complex128"),
        (np.zeros((0, 3)), [], "there are no stimuli"),
        ([], [], "there are no stimuli"),
        (["a", 1], ["a", "b"], "texts only or numbers only"),
        (
            [np.zeros((5, 5, 3)), np.zeros((6, 5, 3))],
            ["a", "b"],
            r"images of several sizes: \(5, 5, 3\), \(6, 5, 3\)",
        ),
        ([[1, 2], [3]], ["a", "b"], "ragged list"),
        (np.ma.masked_equal([[1, 2]], 2), ["a"], "masked entries"),
        (None, None, "stimuli must be images, numbers or texts, got NoneType|there are no stimuli"),
        (xr.DataArray(np.zeros((2, 3)), dims=("a", "b")), None, "the first dim must be 'stimulus'"),
    ],
)
def test_refused(given, ids, message):
    with pytest.raises(cs.InputError, match=message):
        cs.stimuli(given, ids=ids)


@pytest.mark.parametrize("size", [3, (0, 4), (4, 4, 3), ("a", "b")])
def test_wrong_sizes(tmp_path, size):
    save(tmp_path / "a.png")
    with pytest.raises(cs.InputError, match="size must be"):
        cs.stimuli(tmp_path, size=size)
