"""Small pictures of stimuli, by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Thumbnails", "draw_thumbnail", "thumbnails"]

Thumbnails = Mapping[Any, np.ndarray]


def thumbnails(
    stimuli: xr.DataArray | Thumbnails | None, ids: Iterable[Any], *, size: int = 48, who: str = "thumbnails"
) -> dict[Any, np.ndarray]:
    """Pictures (size, size, 3) uint8 of the stimuli whose ids are asked for; ids without a picture are left
    out.

    Parameters
    ----------
    stimuli : DataArray (stimulus, y, x[, channel]) uint8 with ids on ``stimulus``, or a mapping id -> array
        (y, x[, channel]) uint8. None, or stimuli that are not pictures (text, sounds), give an empty dict.
    size : edge in pixels; the longer edge is shrunk to it and the rest filled with the picture's corner
        colour.
    """
    if stimuli is None:
        return {}
    wanted = list(ids)
    if isinstance(stimuli, Mapping):
        return {key: _small(_checked(stimuli[key], key, who), size) for key in wanted if key in stimuli}
    if "stimulus" not in getattr(stimuli, "dims", ()) or stimuli.dims[0] != "stimulus":
        raise InputError(
            f"{who}: stimuli must have 'stimulus' as their first dim, got "
            f"{shorten(getattr(stimuli, 'dims', stimuli))}.",
            code="bad-stimuli",
        )
    if stimuli.ndim not in (3, 4) or stimuli.dtype != np.uint8 or "stimulus" not in stimuli.coords:
        return {}
    rows = {key: i for i, key in enumerate(stimuli["stimulus"].values.tolist())}
    return {key: _small(_checked(stimuli[rows[key]].values, key, who), size) for key in wanted if key in rows}


def _checked(picture: Any, key: Any, who: str) -> np.ndarray:
    array = np.asarray(picture)
    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or 0 in array.shape
        or (array.ndim == 3 and array.shape[2] not in (1, 3, 4))
    ):
        raise InputError(
            f"{who}: the picture of {shorten(key)} must be uint8 (y, x) or (y, x, 1, 3 or 4), got "
            f"{array.dtype} {array.shape}.",
            code="bad-stimuli",
        )
    return array


def _small(array: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 4:  # on white
        alpha = array[..., 3:].astype(np.float64) / 255
        array = np.round(array[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    y, x = array.shape[:2]
    scale = size / max(y, x)
    shrunk = Image.fromarray(np.ascontiguousarray(array)).resize(
        (max(1, round(x * scale)), max(1, round(y * scale))), Image.Resampling.LANCZOS
    )
    out = np.empty((size, size, 3), np.uint8)
    out[:] = array[0, 0]
    top, left = (size - shrunk.height) // 2, (size - shrunk.width) // 2
    out[top : top + shrunk.height, left : left + shrunk.width] = np.asarray(shrunk)
    return out


def draw_thumbnail(
    ax: Any, picture: np.ndarray, box: tuple[float, float, float, float], *, zorder: float = 3
) -> Any:
    """Puts ``picture`` at ``box`` (left, right, bottom, top) in data coordinates; limits and aspect stay."""
    from matplotlib.image import AxesImage

    image = AxesImage(ax, extent=box, interpolation="none", origin="upper", zorder=zorder, clip_on=False)
    image.set_data(picture)
    limits = ax.get_xlim(), ax.get_ylim(), ax.get_autoscalex_on(), ax.get_autoscaley_on()
    ax.add_image(image)
    ax.set_xlim(limits[0], auto=limits[2])
    ax.set_ylim(limits[1], auto=limits[3])
    image.set_gid("thumbnail")
    return image
