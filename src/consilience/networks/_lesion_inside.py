"""Places that are no module's output: a layer's input, the heads of attention, the state of a recurrent layer."""

from __future__ import annotations

from typing import Any

import xarray as xr

from consilience.networks._lesion_parts import Place
from consilience.networks._network import Network

__all__ = ["inside"]


def inside(
    net: Network, label: str, parts: Any, n_heads: int | None, data: xr.DataArray, target: Any, *, who: str
) -> Place | None:
    """The place that ``label`` names, if it is one of these."""
    return None


def act_inside(stack: Any, net: Network, module: Any, number: int, place: Place, touch: Any) -> None:
    """Opens what hands the arrays of ``place`` to ``touch``; closed by ``stack``."""
    raise NotImplementedError(place.mode)
