"""Stimuli: a plain DataArray whose first dim is ``stimulus`` with its ids."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._arrays import to_numpy
from consilience._core._errors import Caution, InputError, cautions_to_json, warn
from consilience._core._params import check_count, shorten
from consilience._responses import check_ids, made_up_ids

__all__ = ["check_stimuli", "stimuli"]

_WHO = "cs.stimuli"
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_SMALLEST_IMAGE = 5  # pixels; keeps (n, 3, 4, 4) maps from being taken for images with 4 channels


def stimuli(
    images_or_folder_or_text: Any,
    ids: Sequence[Hashable] | np.ndarray | None = None,
    *,
    size: tuple[int, int] | None = None,
) -> xr.DataArray:
    """Makes stimuli: a labelled array whose first dim is ``stimulus``, with one id each.

    Parameters
    ----------
    images_or_folder_or_text : one of
        - a folder: its image files, sorted by name; the file names without suffix become ids (with suffix
          where two would be equal);
        - a list of image files: `pathlib.Path`, or str if every one is an existing image file;
        - a list of texts: any other list of str;
        - an array (stimulus, ...) of numbers. (stimulus, y, x, channel) with 1, 3 or 4 channels and at least
          5 x 5 pixels is images, as is (stimulus, y, x) of uint8; anything else is kept as an array. Values
          and type are kept as they are;
        - a DataArray whose first dim is ``stimulus``; its coordinates on that dim are kept.
    ids : one id per stimulus, all text or all whole numbers. Arrays and texts without ids get
        ``stim0000...``, with a recorded warning (code ``made-up-ids``).
    size : (height, width) in pixels to which image files are resized (bilinear). Without it files of several
        sizes are refused.

    Returns
    -------
    xarray.DataArray with dims ("stimulus", ...); images have ("stimulus", "y", "x", "channel"), or
    ("stimulus", "y", "x") when grey. ``attrs["kind"]`` is "images", "text" or "array".

    Raises
    ------
    InputError : an empty folder, a file that is not an image, several sizes, repeated ids, NaN, or objects
        that are not numbers or text.

    Examples
    --------
    >>> import numpy as np, consilience as cs
    >>> photos = cs.stimuli(np.zeros((2, 8, 8, 3), "uint8"), ids=["cat", "cup"])
    >>> photos.dims, photos.attrs["kind"], photos.stimulus.values.tolist()
    (('stimulus', 'y', 'x', 'channel'), 'images', ['cat', 'cup'])
    """
    given = images_or_folder_or_text
    if isinstance(given, (str, os.PathLike)):
        return _from_folder(Path(given), ids, size)
    if isinstance(given, (list, tuple)) and given and all(isinstance(entry, os.PathLike) for entry in given):
        return _from_files([Path(entry) for entry in given], ids, size)
    if isinstance(given, (list, tuple)) and given and all(_is_image_file(entry) for entry in given):
        return _from_files([Path(entry) for entry in given], ids, size)
    if size is not None:
        raise InputError(
            f"{_WHO}: size= resizes image files; resize an array before it is passed.", code="bad-parameter"
        )
    labels: dict[str, Any] = {}
    dims: tuple[str, ...] | None = None
    if isinstance(given, xr.DataArray):
        if given.ndim == 0 or given.dims[0] != "stimulus":
            raise InputError(
                f"{_WHO}: the first dim must be 'stimulus', got dims {tuple(given.dims)}; rename or "
                "transpose it.",
                code="bad-dims",
            )
        dims = tuple(str(dim) for dim in given.dims)
        ids = given["stimulus"].values if ids is None and "stimulus" in given.coords else ids
        labels = {str(name): coord for name, coord in given.coords.items() if name != "stimulus"}
        kind_given = given.attrs.get("kind")
        given = given.values
    else:
        kind_given = None
    values = _values(given)
    if values.ndim == 0 or 0 in values.shape:
        raise InputError(
            f"{_WHO}: there are no stimuli (shape {values.shape}); the first axis counts them.",
            code="too-few",
        )
    kind = kind_given if kind_given in ("images", "text", "array") else _kind(values)
    names = dims or _dims(values, kind)
    return _labelled(values, names, kind, ids, labels)


def _is_image_file(entry: Any) -> bool:
    return isinstance(entry, str) and entry.lower().endswith(_SUFFIXES) and os.path.isfile(entry)


def _values(given: Any) -> np.ndarray:
    if isinstance(given, (list, tuple)) and given and all(isinstance(entry, str) for entry in given):
        return np.array(given, dtype=str)
    if isinstance(given, (list, tuple)) and any(isinstance(entry, str) for entry in given):
        raise InputError(
            f"{_WHO}: a list must hold texts only or numbers only, got both.", code="bad-stimuli"
        )
    if hasattr(given, "to_numpy") and not isinstance(given, np.ndarray):
        given = given.to_numpy()
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise InputError(f"{_WHO}: the array has masked entries; fill them on purpose.", code="masked-values")
    shapes = {getattr(entry, "shape", None) for entry in given} if isinstance(given, (list, tuple)) else set()
    if len(shapes) > 1:
        listed = ", ".join(str(shape) for shape in sorted(shapes, key=str)[:4])
        raise InputError(
            f"{_WHO}: images of several sizes: {listed}; resize them to one size.", code="several-sizes"
        )
    try:
        values = to_numpy(given)
    except (ValueError, AttributeError):
        raise InputError(
            f"{_WHO}: a ragged list; every stimulus must have the same shape.", code="not-an-array"
        ) from None
    if values.dtype.kind == "O" and values.ndim == 1 and all(isinstance(entry, str) for entry in values):
        return values.astype(str)
    if values.dtype.kind == "T":
        return values.astype(str)
    if values.dtype.kind == "U" and values.ndim == 1:
        return values
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{_WHO}: stimuli must be images, numbers or texts, got {type(given).__name__} of dtype "
            f"{values.dtype}; pass an array "
            "(stimulus, ...), a folder of images or a list of texts.",
            code="bad-stimuli",
        )
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        if bad.any():
            first = int(np.argwhere(bad)[0][0])
            raise InputError(
                f"{_WHO}: {int(bad.sum())} values are NaN or infinite, first in stimulus {first}; fill them "
                "on purpose.",
                code="nan-values",
            )
    return values


def _kind(values: np.ndarray) -> str:
    if values.dtype.kind == "U":
        return "text"
    pixels = values.shape[1:3]
    large = len(pixels) == 2 and min(pixels) >= _SMALLEST_IMAGE
    if large and (
        (values.ndim == 4 and values.shape[3] in (1, 3, 4)) or (values.ndim == 3 and values.dtype == np.uint8)
    ):
        return "images"
    return "array"


def _dims(values: np.ndarray, kind: str) -> tuple[str, ...]:
    if kind == "images" and values.ndim in (3, 4):
        return ("stimulus", "y", "x", "channel")[: values.ndim]
    return ("stimulus", *(f"dim_{axis}" for axis in range(1, values.ndim)))


def _labelled(
    values: np.ndarray, dims: tuple[str, ...], kind: str, ids: Any, labels: dict[str, Any]
) -> xr.DataArray:
    n = values.shape[0]
    attrs: dict[str, Any] = {"kind": kind}
    if ids is None:
        caution = Caution(
            "made-up-ids",
            f"No ids were given for {n} stimuli; stim0000... stand for them in their order.",
            "Pass ids=[...] so that systems are aligned by id, not by row.",
        )
        warn(caution.code, caution.message, caution.remedy, stacklevel=3)
        attrs["consilience_warnings"] = cautions_to_json([caution])
        names = made_up_ids(n)
    else:
        names = check_ids(ids, n, who=_WHO, what="ids")
    twice = [key for key, count in Counter(names.tolist()).items() if count > 1]
    if twice:
        listed = ", ".join(shorten(key, 40) for key in twice[:3])
        more = f" and {len(twice) - 3} more" if len(twice) > 3 else ""
        raise InputError(
            f"{_WHO}: ids come more than once ({listed}{more}); give each stimulus its own.",
            code="repeated-ids",
        )
    data = xr.DataArray(values, dims=dims, coords={"stimulus": names}, attrs=attrs)
    return data.assign_coords(labels) if labels else data


# -- image files


def _from_folder(folder: Path, ids: Any, size: tuple[int, int] | None) -> xr.DataArray:
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise InputError(
            f"{_WHO}: {shorten(str(folder))} {what}; give a folder of images, a list of pathlib.Path, or a "
            "list of texts.",
            code="no-folder",
        )
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in _SUFFIXES)
    if not files:
        raise InputError(
            f"{_WHO}: no image files ({', '.join(_SUFFIXES)}) in {shorten(str(folder))}.", code="too-few"
        )
    return _from_files(files, ids, size)


def _from_files(files: list[Path], ids: Any, size: tuple[int, int] | None) -> xr.DataArray:
    if size is not None:
        if not isinstance(size, (tuple, list)) or len(size) != 2:
            raise InputError(
                f"{_WHO}: size must be (height, width) in pixels, got {shorten(size)}.", code="bad-parameter"
            )
        size = (
            check_count(size[0], name="size", who=_WHO, minimum=1),
            check_count(size[1], name="size", who=_WHO, minimum=1),
        )
    images = [_read(path, size) for path in files]
    shapes = Counter(image.shape[:2] for image in images)
    if len(shapes) > 1:
        listed = ", ".join(f"{h} x {w} ({count})" for (h, w), count in shapes.most_common(4))
        more = f" and {len(shapes) - 4} more" if len(shapes) > 4 else ""
        raise InputError(
            f"{_WHO}: {len(images)} images have {len(shapes)} sizes (height x width): {listed}{more}; pass "
            "size=(height, width) to resize them.",
            code="several-sizes",
        )
    if len({image.ndim for image in images}) > 1:
        images = [image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2) for image in images]
    values = np.stack(images)
    if ids is None:
        stems = [path.stem for path in files]
        ids = stems if len(set(stems)) == len(stems) else [path.name for path in files]
    return _labelled(values, _dims(values, "images"), "images", ids, {})


def _read(path: Path, size: tuple[int, int] | None) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("1", "L", "LA"):
                image = image.convert("L")
            elif not image.mode.startswith(("I", "F")):
                image = image.convert("RGB")  # palettes are resolved, an alpha channel is dropped
            if size is not None and (image.height, image.width) != size:
                image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
            return np.array(image)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "it is not an image" if isinstance(error, UnidentifiedImageError) else str(error)
        raise InputError(
            f"{_WHO}: {shorten(path.name)} cannot be read: {reason}; remove or replace it.", code="bad-image"
        ) from None


def check_stimuli(given: Any, *, who: str) -> xr.DataArray:
    """``given`` as stimuli: as it is when it already follows the schema, else through `stimuli`."""
    if (
        isinstance(given, xr.DataArray)
        and given.attrs.get("kind") in ("images", "text", "array")
        and "stimulus" in given.coords
    ):
        if given.ndim and given.dims[0] == "stimulus" and given.sizes["stimulus"]:
            return given
        raise InputError(
            f"{who}: stimuli must have 'stimulus' as their first dim, got dims {tuple(given.dims)}.",
            code="bad-dims",
        )
    return stimuli(given)
