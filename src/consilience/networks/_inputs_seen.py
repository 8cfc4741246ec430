"""The inputs that a function shows to a network while it runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from consilience._core._errors import InputError
from consilience.networks._network import Network

__all__ = ["inputs_seen"]

_MOST = 512


def inputs_seen(
    net: Network, call: Callable[[], Any], *, most: int = _MOST, who: str
) -> tuple[Any, xr.DataArray]:
    """What ``call()`` returns, and the first ``most`` inputs of the module while it ran, as stimuli (kind "array").

    Raises
    ------
    InputError : the module was not run (``hook-not-fired``), or takes more than one array (``no-stimuli``).
    """
    kept: list[np.ndarray] = []
    other: list[str] = []

    def look(_module: Any, args: Any, kwargs: Any) -> None:
        if len(args) != 1 or kwargs or not hasattr(args[0], "detach") or args[0].ndim < 1:
            other.append(", ".join([type(a).__name__ for a in args] + list(kwargs)))
        elif sum(map(len, kept)) < most:
            x = args[0].detach().cpu()
            kept.append((x.float() if x.is_floating_point() else x).numpy().copy())

    handle = net.module.register_forward_pre_hook(look, with_kwargs=True)
    try:
        value = call()
    finally:
        handle.remove()
    if other:
        raise InputError(
            f"{who}: evaluate runs {net.name} on ({other[0]}); what a part is replaced by is taken from inputs that "
            "are one array. Pass reference= (stimuli) for it.",
            code="no-stimuli",
        )
    if not kept:
        raise InputError(
            f"{who}: evaluate did not run {net.name}: no call reached the module that was passed, so no lesion can "
            "act. Let it use the network that it is given.",
            code="hook-not-fired",
        )
    shapes = {x.shape[1:] for x in kept}
    values = np.concatenate(
        [x for x in kept if x.shape[1:] == kept[0].shape[1:]] if len(shapes) > 1 else kept
    )[:most]
    dims = ("stimulus", *(f"dim_{axis}" for axis in range(1, values.ndim)))
    return value, xr.DataArray(
        values, dims=dims, coords={"stimulus": np.arange(len(values))}, attrs={"kind": "array"}
    )
