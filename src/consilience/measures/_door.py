"""The door of measures that align or compare kernels: two systems of the same stimuli that vary over them."""

from __future__ import annotations

import numpy as np

from consilience._core._arrays import Array, array_namespace, as_matrix, float64, same_rows, to_numpy
from consilience._core._errors import InputError, warn
from consilience.linalg import constant_columns

__all__ = ["two_systems", "without_constant_units"]

_FEW = 16


def two_systems(x: object, y: object, *, who: str, fewest: int = 4) -> tuple[Array, Array]:
    """``x`` and ``y`` as by `as_matrix`, of one library, dtype and number of stimuli, varying over stimuli.

    The last is checked here, before centring: what is left of a constant is rounding, which correlates.
    """
    a = as_matrix(x, name="x", who=who, min_rows=fewest)
    b = as_matrix(y, name="y", who=who, min_rows=fewest)
    same_rows(a, b, who=who)
    if a.dtype != b.dtype:  # torch multiplies equal types only
        a, b = float64(a), float64(b)
    for name, system in (("x", a), ("y", b)):
        if _all_constant(system):
            raise InputError(
                f"{who}: every unit of {name} has the same value for all {system.shape[0]} stimuli, so there "
                "is nothing to compare; check the data.",
                code="no-structure",
            )
    return a, b


def _all_constant(x: Array) -> bool:
    """Whether no unit varies; the first units mostly tell, without a pass over all data."""
    xp = array_namespace(x)
    return bool(xp.all(constant_columns(x[:, : min(_FEW, x.shape[1])]))) and bool(xp.all(constant_columns(x)))


def without_constant_units(x: Array, *, name: str, who: str, stacklevel: int = 4) -> Array:
    """``x`` (n, p) without the units that do not vary, with a warning, as `cs.compare` does."""
    constant = to_numpy(constant_columns(x))
    if not constant.any():
        return x
    xp = array_namespace(x)
    listed = ", ".join(map(str, np.flatnonzero(constant)[:3]))
    warn(
        "constant-units",
        f"{who}: {int(constant.sum())} of {constant.size} units of {name}, which do not vary over stimuli (unit "
        f"{listed}{', ...' if constant.sum() > 3 else ''}), were dropped.",
        "Drop them yourself, or check the recording.",
        stacklevel=stacklevel,
    )
    return xp.take(x, xp.asarray(np.flatnonzero(~constant), device=x.device), axis=1)
