"""The verb `ablate` of a study: a layer of a network with the stimuli that its system sees, or recorded responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Ablation
    from consilience.study._plan import Layout
    from consilience.study._verb import Analysis

__all__ = ["ablate", "answers_of", "lay_out_lesions"]


def ablate(
    data: xr.DataArray,
    /,
    *,
    target: str | None = None,
    evaluate: str = "accuracy",
    how: Sequence[str] = ("mean",),
    order: Sequence[str] = ("random",),
    parts: str | None = None,
    n_orders: int = 20,
    n_boot: int = 1000,
    n_perm: int = 1000,
    level: float = 0.95,
    shown: Mapping[str, Any] | None = None,
    rng: Any = 0,
) -> Ablation:
    """`cs.ablate` of the layer that ``data`` were recorded from.

    target : a label of the stimuli. Without one it is what the intact network answers.   shown : the network, its
        stimuli, and whether these are a data set, as in the system; None for recorded responses.
    """
    from consilience import networks
    from consilience.analyses import ablate as of_parts
    from consilience.study._blocks import get_stimuli

    how, order = list(how), list(order)
    given: dict[str, Any] = {
        "target": target,
        "how": how[0] if len(how) == 1 else how,
        "order": order[0] if len(order) == 1 else order,
        "n_orders": n_orders,
        "n_boot": n_boot,
        "level": level,
        "rng": rng,
    }
    if shown is None:
        if target is None:
            raise InputError(
                "ablate: recorded responses need target:, a label of their trials.", code="no-target"
            )
        return of_parts(data, **given)
    net = networks.load(shown["network"])
    stimuli = get_stimuli(shown["stimuli"], is_dataset=shown["is_dataset"])
    if target is None:
        given["target"] = answers_of(net, stimuli)
    layer = str(data["layer"].values.reshape(-1)[0])
    return of_parts(net, layer, stimuli=stimuli, evaluate=evaluate, parts=parts, n_perm=n_perm, **given)


def answers_of(net: Any, stimuli: xr.DataArray) -> np.ndarray:
    """(n,) number of the largest output of the intact network."""
    from consilience.networks import record

    outputs = next(iter(record(net, stimuli, layers="output", progress=False).values()))
    return np.asarray(outputs.values.argmax(axis=1))


def lay_out_lesions(analysis: Analysis, layout: Layout) -> None:
    """One block. Of a network it is told which, and which stimuli, from the block that records it."""
    needs, sides = layout.needs(analysis)
    recorded = layout.plan.blocks[layout.systems[analysis.sides["data"][0]]]
    options = dict(analysis.options)
    if recorded.kind == "record":
        options["shown"] = {key: recorded.settings[key] for key in ("network", "stimuli", "is_dataset")}
    settings = {"verb": analysis.verb, "sides": sides, "options": options, "seed": layout.seed}
    key = layout.plan.add(f"{analysis.name}: {analysis.verb}", "verb", settings, needs.keys)
    layout.plan.promise(analysis.name, key)
