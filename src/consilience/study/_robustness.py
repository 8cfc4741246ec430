"""The verb `robustness` of a study: noise in layers of a network, with the stimuli that its system sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError
from consilience.study._lesions import answers_of, check_network, layers_of
from consilience.study._readers import refused
from consilience.study._systems import System
from consilience.study._yaml import Node

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Robustness

__all__ = ["check_robustness", "robustness"]


def robustness(
    data: Mapping[str, xr.DataArray],
    /,
    *,
    target: str | None = None,
    shown: Mapping[str, Any],
    rng: Any = 0,
    **options: Any,
) -> Robustness:
    """`cs.robustness` of the layers that ``data`` were recorded from.

    target : a label of the stimuli. Without one it is what the intact network answers.   shown : the network, its
        stimuli, and whether these are a data set, as in the system.
    """
    from consilience import networks
    from consilience.analyses import robustness as of_network
    from consilience.study._blocks import get_stimuli

    net = networks.load(shown["network"])
    stimuli = get_stimuli(shown["stimuli"], is_dataset=shown["is_dataset"])
    return of_network(
        net,
        layers_of(data),
        stimuli=stimuli,
        target=answers_of(net, stimuli) if target is None else target,
        rng=rng,
        **options,
    )


def check_robustness(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    """Refuses data that are no layers of one network, and levels that `cs.robustness` would refuse."""
    from consilience.analyses._robustness import check_levels

    check_network(body, values, systems)
    if "levels" in values:
        try:
            check_levels(values["levels"], values.get("noise", "gaussian"))
        except InputError as error:
            raise refused(body.value["levels"], error, begins="levels") from None
    return {}
