"""The verb `selectivity_impact` of a study: a layer of a network with the stimuli that its system sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import SelectivityImpact

__all__ = ["selectivity_impact"]


def selectivity_impact(
    data: xr.DataArray,
    /,
    *,
    how: Sequence[str] = ("mean",),
    shown: Mapping[str, Any] | None = None,
    **options: Any,
) -> SelectivityImpact:
    """`cs.selectivity_impact` of the layer that ``data`` were recorded from.

    shown : the network, its stimuli, and whether these are a data set, as in the system.
    """
    from consilience import networks
    from consilience.analyses import selectivity_impact as of_network
    from consilience.study._blocks import get_stimuli

    if shown is None:
        raise InputError(
            "selectivity_impact: data: must be a layer of a network; recorded units cannot be removed.",
            code="not-a-module",
        )
    hows = list(how)
    layer = str(data["layer"].values.reshape(-1)[0])
    return of_network(
        networks.load(shown["network"]),
        layer,
        stimuli=get_stimuli(shown["stimuli"], is_dataset=shown["is_dataset"]),
        how=hows[0] if len(hows) == 1 else hows,
        **options,
    )
