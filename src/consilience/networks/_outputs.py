"""What a layer may return: which arrays hold plain real numbers, and what is said of the others."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._arrays import to_numpy

__all__ = ["inexact", "plain", "shape", "unfit"]

_EXACT = 1 << 24  # float32 holds every whole number up to here


def shape(value: Any) -> tuple[int, ...]:
    """Its shape; empty for a nested tensor, which has none."""
    return () if getattr(value, "is_nested", False) else tuple(value.shape)


def unfit(value: Any) -> tuple[str, str, str] | None:
    """Why ``value`` cannot be recorded: (what it is, what to do, code of the error); None for real numbers."""
    if _is_tensor(value):
        if value.is_nested:
            return "a nested tensor", "pad it to one length in the module", "not-an-array"
        if "sparse" in str(value.layout):
            return "a sparse tensor", "return .to_dense() if it fits in memory", "sparse-array"
        if value.device.type == "meta":
            return (
                "a tensor on the meta device, which holds no values",
                "load the weights (module.to_empty(device='cpu') and load_state_dict)",
                "not-an-array",
            )
        if value.is_quantized:
            return "a quantised tensor", "return .dequantize()", "not-numeric"
        complex_numbers = value.is_complex()
    else:
        kind = getattr(value.dtype, "kind", None)
        # V: bfloat16 and its relatives, or records, which have named fields
        if kind is not None and (kind not in "biufcV" or getattr(value.dtype, "names", None)):
            return f"an array of dtype {value.dtype}", "return numbers", "not-numeric"
        complex_numbers = kind == "c" or "complex" in str(value.dtype)
    if complex_numbers:
        return (
            f"complex numbers ({value.dtype})",
            "return .abs(), or real and imaginary parts stacked as two channels",
            "not-numeric",
        )
    return None


def plain(value: Any) -> Any:
    """``value`` itself if it is of NumPy or torch, else as a NumPy array; masked entries become NaN."""
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.filled(value.astype(np.float64), np.nan)
    return value if isinstance(value, np.ndarray) or _is_tensor(value) else to_numpy(value)


def inexact(value: Any) -> bool:
    """Whether whole numbers in ``value`` change when they become float32."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iu" or value.dtype.itemsize < 4:
            return False
    elif value.is_floating_point() or value.dtype.itemsize < 4:
        return False
    whole = to_numpy(value)
    whole = whole[(whole > _EXACT) | (whole < -_EXACT)] if whole.dtype.kind == "i" else whole[whole > _EXACT]
    # float32 holds k * 2**m for k up to 2**24: the power of two in a number is its lowest set bit
    return bool(np.any(np.abs(whole // (whole & -whole)) > _EXACT))


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "is_nested") and hasattr(value, "layout")
