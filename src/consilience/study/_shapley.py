"""The verb `shapley` of a study: the parts of a layer of a network, with the stimuli that its system sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError
from consilience.study._lesions import answers_of

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Shapley

__all__ = ["shapley"]


def shapley(
    data: xr.DataArray,
    /,
    *,
    target: str | None = None,
    shown: Mapping[str, Any] | None = None,
    rng: Any = 0,
    **options: Any,
) -> Shapley:
    """`cs.shapley` of the layer that ``data`` were recorded from.

    target : a label of the stimuli. Without one it is what the intact network answers.   shown : the network, its
        stimuli, and whether these are a data set, as in the system.
    """
    from consilience import networks
    from consilience.analyses import shapley as of_parts
    from consilience.study._blocks import get_stimuli

    if shown is None:
        raise InputError(
            "shapley: data: must be one layer of a network, whose parts are lesioned; of a table of lesions use "
            "cs.shapley or the command.",
            code="bad-system",
        )
    net = networks.load(shown["network"])
    stimuli = get_stimuli(shown["stimuli"], is_dataset=shown["is_dataset"])
    layer = str(data["layer"].values.reshape(-1)[0])
    return of_parts(
        net,
        layer,
        stimuli=stimuli,
        target=answers_of(net, stimuli) if target is None else target,
        rng=rng,
        **options,
    )
