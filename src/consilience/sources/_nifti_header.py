"""The header of a NIfTI-1 or NIfTI-2 file, and its numbers as they are stored: no further package is needed.

Cox et al. (2004), "A (sort of) new image data format standard: NIfTI-1"; nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from consilience._core._errors import InputError
from consilience.sources._files import check_file, check_room, show

__all__ = ["Image", "is_nifti", "open_image"]

_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_SECONDS = {8: 1.0, 16: 1e-3, 24: 1e-6}  # the unit of time in xyzt_units: s, ms, us
# place and format of each field in the two versions
_FIELDS = {
    1: {
        "dim": (40, "8h"), "datatype": (70, "h"), "pixdim": (76, "8f"), "vox_offset": (108, "f"),
        "scale": (112, "2f"), "xyzt_units": (123, "b"), "codes": (252, "2h"), "quaternion": (256, "6f"),
        "srow": (280, "12f"),
    },
    2: {
        "dim": (16, "8q"), "datatype": (12, "h"), "pixdim": (104, "8d"), "vox_offset": (168, "q"),
        "scale": (176, "2d"), "xyzt_units": (500, "i"), "codes": (344, "2i"), "quaternion": (352, "6d"),
        "srow": (400, "12d"),
    },
}  # fmt: skip


def is_nifti(path: Path, head: bytes, options: dict[str, Any]) -> bool:
    """A NIfTI-1 or NIfTI-2 file in one piece, plain or in gzip?"""
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as stream:
                head = stream.read(540)
        except Exception:  # noqa: BLE001  what a damaged archive raises
            return False
    return _version(head)[0] > 0


def _version(head: bytes) -> tuple[int, str]:
    """(1 or 2, byte order), or (0, "")."""
    for order in "<>":
        size = struct.unpack(f"{order}i", head[:4])[0] if len(head) >= 348 else 0
        if size == 348 and head[344:347] == b"n+1":
            return 1, order
        if size == 540 and head[4:7] == b"n+2" and len(head) >= 504:
            return 2, order
    return 0, ""


@dataclass(frozen=True, kw_only=True)
class Image:
    """shape : of the array.   affine : (4, 4), from indices to mm.   step : seconds between volumes, or NaN.
    slope, inter : value = slope x stored + inter.   dtype, offset : of what is stored.
    """

    path: Path
    shape: tuple[int, ...]
    affine: np.ndarray
    step: float
    slope: float
    inter: float
    dtype: np.dtype
    offset: int

    def read(self, *, who: str) -> np.ndarray:
        """The numbers as they are stored; exactly as many bytes as the header announces are taken."""
        size = math.prod(self.shape) * self.dtype.itemsize
        check_room(size + 4 * math.prod(self.shape), self.path, who=who)
        try:
            with _open(self.path) as stream:
                stream.seek(self.offset)
                content = stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{who}: {show(self.path)} is damaged or incomplete ({error}); copy it again.",
                code="damaged-file",
            ) from None
        if len(content) < size:
            raise InputError(
                f"{who}: {show(self.path)} is incomplete: its header announces {size} bytes of numbers, and "
                f"{len(content)} are there; copy it again.",
                code="damaged-file",
            )
        return np.frombuffer(content, dtype=self.dtype).reshape(self.shape, order="F")


def open_image(path: Path, *, who: str) -> Image:
    """The header of a file, checked."""
    source = check_file(path, who=who)
    try:
        with _open(source) as stream:
            head = stream.read(540)
    except Exception:  # noqa: BLE001  what a damaged archive raises
        head = b""
    version, order = _version(head)
    if not version:
        raise InputError(
            f"{who}: {show(source)} is no NIfTI file in one piece (.nii, .nii.gz), or its header is damaged.",
            code="unknown-format",
        )

    def field(name: str) -> tuple[Any, ...]:
        place, form = _FIELDS[version][name]
        return struct.unpack_from(f"{order}{form}", head, place)

    dim = field("dim")
    kind, count = field("datatype")[0], dim[0]
    shape = tuple(int(n) for n in dim[1 : 1 + count]) if 1 <= count <= 7 else ()
    offset = field("vox_offset")[0]
    sound = bool(shape) and min(shape) >= 1 and math.isfinite(offset) and 348 <= offset < 1 << 40
    if not sound or kind not in _TYPES:
        what = f"data of type {kind}" if sound else f"{count} axes of sizes {dim[1:]} from byte {offset:g}"
        raise InputError(
            f"{who}: the header of {show(source)} announces {what}, which is not read; is it damaged?",
            code="unknown-format",
        )
    pixdim = field("pixdim")
    slope, inter = field("scale")
    if not math.isfinite(slope) or slope == 0:
        slope, inter = 1.0, 0.0
    step = float(pixdim[4]) * _SECONDS.get(field("xyzt_units")[0] & 0x38, 1.0)
    return Image(
        path=source,
        shape=shape,
        affine=_affine(pixdim, field("codes"), field("quaternion"), field("srow"), shape),
        step=step if len(shape) > 3 and math.isfinite(step) and 0 < step < 100 else math.nan,
        slope=float(slope),
        inter=float(inter) if math.isfinite(inter) else 0.0,
        dtype=np.dtype(_TYPES[kind]).newbyteorder(order),  # type: ignore[arg-type]
        offset=int(offset),
    )


def _affine(pixdim: Any, codes: Any, quaternion: Any, srow: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Method 3 (sform) where it is set, else 2 (qform), else the sizes of voxels about the middle."""
    out = np.eye(4)
    sizes = np.array([abs(size) or 1.0 for size in pixdim[1:4]])
    if codes[1] > 0:
        out[:3] = np.reshape(srow, (3, 4))
    elif codes[0] > 0:
        b, c, d, *offset = quaternion
        a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        face = -1.0 if pixdim[0] < 0 else 1.0  # handedness of the third axis
        out[:3, :3], out[:3, 3] = turn * (sizes * np.array([1.0, 1.0, face])), offset
    else:
        middle = (np.array([*shape[:3], 1, 1][:3]) - 1) / 2
        out[:3, :3] = np.diag(sizes * np.array([-1.0, 1.0, 1.0]))
        out[:3, 3] = -out[:3, :3] @ middle
    return out


def _open(path: Path) -> Any:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")
