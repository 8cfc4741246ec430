"""The verb `ablate` of a study: a layer of a network with the stimuli that its system sees, or recorded responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from consilience._core._errors import InputError
from consilience._core._params import shorten
from consilience.study._perturbation import perturbation_arguments
from consilience.study._systems import NetworkSystem, System
from consilience.study._yaml import Node

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Ablation
    from consilience.study._plan import Layout
    from consilience.study._verb import Analysis

__all__ = [
    "OF_RECORDED",
    "ablate",
    "ablation_arguments",
    "answers_of",
    "check_ablation",
    "check_network",
    "lay_out_lesions",
    "layers_of",
    "shown_to",
]

OF_NETWORKS = ("evaluate", "parts", "n_perm")
OF_RECORDED = (
    "circular",
    "cv",
    "folds",
    "gap",
    "groups",
    "model",
    "n_deals",
    "n_draws",
    "numbers",
    "refit",
    "score",
    "standardise",
    "time",
)


def ablate(
    data: xr.DataArray,
    /,
    *,
    target: Any = None,
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
    **recorded: Any,
) -> Ablation:
    """`cs.ablate` of the layer that ``data`` were recorded from, or of a model of recorded responses.

    target : a label of the stimuli (of a network by default what it answers when intact); of recorded responses also
        numbers, or the responses of another system.   shown : the network, its stimuli, and whether these are a data
        set, as in the system; None for recorded responses.   recorded : options of recorded responses.
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
        return of_parts(data, **given, **recorded)
    net = networks.load(shown["network"])
    stimuli = get_stimuli(shown["stimuli"], is_dataset=shown["is_dataset"])
    if target is None:
        given["target"] = answers_of(net, stimuli)
    layer = str(data["layer"].values.reshape(-1)[0])
    return of_parts(net, layer, stimuli=stimuli, evaluate=evaluate, parts=parts, n_perm=n_perm, **given)


def check_ablation(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    """Refuses options of recorded responses for a network, those of a network for recorded responses, and a target that
    is missing or there twice.
    """
    name = values["data"][0]
    is_network = isinstance(systems[name], NetworkSystem)
    for key in (*OF_RECORDED, "target_system") if is_network else OF_NETWORKS:
        if key in values:
            what = "recorded responses" if is_network else "layers of networks"
            raise body.value[key].error(f"is for {what}, and {name} is not; leave it out.", code="bad-system")
    for key, of in (("how", "refit"), ("order", "attribution"), ("order", "greedy")):
        if is_network == (of == "refit") and any(one.lstrip("-") == of for one in values.get(key, ())):
            what = "recorded responses" if is_network else "layers of networks"
            raise body.value[key].error(
                f"has {of}, which is for {what}, and {name} is not.", code="bad-system"
            )
    if not is_network and ("target" in values) == ("target_system" in values):
        said = "has both target: and target_system:" if "target" in values else "has no target:"
        raise body.error(
            f"{said}; of recorded responses give target: a label, or target_system: a series, or other units.",
            code="missing-key",
        )
    if "numbers" in values and "target" not in values:
        raise body.value["numbers"].error(
            "is of labels of trials; a series is numbers already.", code="bad-system"
        )
    return {}


def check_network(
    body: Node, values: dict[str, Any], systems: Mapping[str, System], side: str = "data"
) -> dict[str, Any]:
    """Refuses a ``side`` that is not layers of one network."""
    names = values[side]
    odd = next((name for name in names if not isinstance(systems[name], NetworkSystem)), None)
    if odd is not None:
        raise body.value[side].error(
            f"must be layers of a network (network:, layers:, stimuli:), and {shorten(odd)} is not.",
            code="bad-system",
        )
    if len(names) > 1:
        raise body.value[side].error(
            f"must be one network with its layers, got {len(names)} systems; list the layers in one system.",
            code="one-system",
        )
    return {}


def ablation_arguments(
    sides: dict[str, dict[str, Any]], options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The data; and the target: a label, its numbers, or the responses of another system."""
    return perturbation_arguments(sides, options)


def answers_of(net: Any, stimuli: xr.DataArray) -> np.ndarray:
    """(n,) number of the largest output of the intact network."""
    from consilience.networks import record

    outputs = next(iter(record(net, stimuli, layers="output", progress=False).values()))
    return np.asarray(outputs.values.argmax(axis=1))


def layers_of(data: Mapping[str, xr.DataArray]) -> list[str]:
    """The layers that arrays were recorded from, each once."""
    return list(dict.fromkeys(str(one["layer"].values.reshape(-1)[0]) for one in data.values()))


def shown_to(layout: Layout, name: str) -> dict[str, Any] | None:
    """Of a system that is recorded from a network: which, and which stimuli; of another None."""
    recorded = layout.plan.blocks[layout.systems[name]]
    if recorded.kind != "record":
        return None
    return {key: recorded.settings[key] for key in ("network", "stimuli", "is_dataset")}


def lay_out_lesions(analysis: Analysis, layout: Layout) -> None:
    """One block. Of a network it is told which, and which stimuli, from the block that records it."""
    needs, sides = layout.needs(analysis)
    options = dict(analysis.options)
    shown = shown_to(layout, analysis.sides["data"][0])
    if shown is not None:
        options["shown"] = shown
    settings = {"verb": analysis.verb, "sides": sides, "options": options, "seed": layout.seed}
    key = layout.plan.add(f"{analysis.name}: {analysis.verb}", "verb", settings, needs.keys)
    layout.plan.promise(analysis.name, key)
