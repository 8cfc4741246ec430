"""The verb `attribute` of a study: units of a layer of a network, with the stimuli that its system sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Attribution

__all__ = ["METHODS", "OF", "attribute", "units_of"]

METHODS = ("integrated_gradients", "smoothgrad", "grad_cam", "gradient_x_input", "gradient", "occlusion")
OF = ("unit", "channel", "mean")


def attribute(
    data: xr.DataArray,
    /,
    *,
    unit: Sequence[int],
    of: str = "unit",
    method: Sequence[str] = ("integrated_gradients",),
    shown: Mapping[str, Any],
    rng: Any = 0,
    **options: Any,
) -> Attribution:
    """`cs.attribute` of units of the layer that ``data`` were recorded from.

    unit : their numbers.   of : what is numbered, see `units_of`.   shown : the network, its stimuli, and whether these
        are a data set, as in the system.
    """
    from consilience import networks
    from consilience.analyses import attribute as of_units
    from consilience.study._blocks import get_stimuli

    layer = str(data["layer"].values.reshape(-1)[0])
    return of_units(
        units_of(networks.load(shown["network"]), layer, unit, of),
        get_stimuli(shown["stimuli"], is_dataset=shown["is_dataset"]),
        method=method[0] if len(method) == 1 else list(method),
        rng=rng,
        **options,
    )


def units_of(net: Any, layer: str, units: Sequence[int], of: str | None) -> list[Any]:
    """Each unit of ``units`` once: of the flattened layer ("unit", or None), a channel at the middle of its map
    ("channel"), or the mean of a channel over its map ("mean").
    """
    return [
        net.channel(layer, i)
        if of == "mean"
        else net.unit(layer, channel=i)
        if of == "channel"
        else net.unit(layer, i)
        for i in dict.fromkeys(units)
    ]
