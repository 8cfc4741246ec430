"""The options of dPCA as they are given, read: penalties, the noise of the regression, numbers of components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from consilience._core._errors import InputError, UnknownNameError, nearest
from consilience._core._params import check_count, check_number, check_option, shorten
from consilience.models._dpca_cv import GRID

__all__ = ["component_numbers", "noise_kind", "penalties"]

WHO = "DPCA"


def penalties(asked: Any) -> np.ndarray:
    """The grid of ``regularisation``, rising; one value where it is not to be chosen."""
    if asked is None:
        return np.zeros(1)
    if isinstance(asked, str):
        check_option(asked, ("auto",), name="regularisation", who=WHO)
        return np.array(GRID)
    if np.ndim(asked) == 0:
        return np.array([_penalty(asked)])
    values = [_penalty(v) for v in asked]
    if not values:
        raise InputError(f"{WHO}: regularisation is an empty list.", code="bad-parameter")
    return np.sort(np.array(values))


def _penalty(value: Any) -> float:
    return check_number(value, name="regularisation", who=WHO, low=0.0, high=1e12, closed=True)


def noise_kind(asked: str | None, known: bool) -> str:
    """``noise``; by default "full" where the noise of single trials is ``known``."""
    if asked is None:
        return "full" if known else "none"
    kind = check_option(asked, ("full", "diagonal", "none"), name="noise", who=WHO)
    if kind != "none" and not known:
        raise InputError(
            f"{WHO}: noise={kind!r} needs two trials of a condition for every unit; give noise='none'.",
            code="too-few",
        )
    return str(kind)


def component_numbers(asked: int | Mapping[str, int], names: Sequence[str], most: Sequence[int]) -> list[int]:
    """Components of each marginalization of ``names``, at most ``most``."""
    if isinstance(asked, Mapping):
        for name in asked:
            if name not in names:
                raise UnknownNameError(
                    f"{WHO}: n_components names {shorten(name)}, which is no marginalization.{nearest(name, names)}",
                    code="unknown-name",
                )
        given = [check_count(asked.get(name, 0), name=f"n_components[{name!r}]", who=WHO) for name in names]
    else:
        given = [check_count(asked, name="n_components", who=WHO, minimum=1)] * len(most)
    out = [min(a, b) for a, b in zip(given, most)]
    if not any(out):
        raise InputError(f"{WHO}: n_components asks for no component.", code="bad-parameter")
    return out
