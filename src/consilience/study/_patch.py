"""The verb `patch` of a study: layers of one network, which sees clean and corrupted stimuli."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from consilience.study._lesions import answers_of, check_network, layers_of, shown_to
from consilience.study._readers import Key, between, read_name, read_table, wanted
from consilience.study._systems import NetworkSystem, System
from consilience.study._yaml import Node

if TYPE_CHECKING:
    import xarray as xr

    from consilience._results import Patching
    from consilience.study._plan import Layout
    from consilience.study._verb import Analysis

__all__ = ["check_patch", "lay_out_patch", "patch", "read_noise_on_layer", "word_or_number"]


def patch(
    clean: Mapping[str, xr.DataArray],
    /,
    *,
    corrupted: Mapping[str, xr.DataArray] | None = None,
    noise: Mapping[str, Any] | None = None,
    shown: Mapping[str, Mapping[str, Any]],
    **options: Any,
) -> Patching:
    """`cs.patch` of the layers that ``clean`` were recorded from.

    corrupted : of the same network and layers, which saw the other stimuli; or noise, as `cs.patch` takes it.
    shown : for both sides the network, its stimuli, and whether these are a data set, as in the system.
    options : without ``target`` it is what the network answers to the stimuli of each side; of noise without ``other``
        the score is the probability of the target.
    """
    from consilience import networks
    from consilience.analyses import patch as of_network
    from consilience.study._blocks import get_stimuli

    net = networks.load(shown["clean"]["network"])
    stimuli = {side: get_stimuli(of["stimuli"], is_dataset=of["is_dataset"]) for side, of in shown.items()}
    if options.get("target") is None:
        stimuli = {
            side: one.assign_coords(answer=(one.dims[0], answers_of(net, one)))
            for side, one in stimuli.items()
        }
        options["target"] = "answer"
    if corrupted is None and "other" not in options:
        options.setdefault("evaluate", "probability")
    return of_network(
        net,
        stimuli["clean"],
        dict(noise or {}) if corrupted is None else stimuli["corrupted"],
        layers_of(clean),
        **options,
    )


def word_or_number(word: str) -> Any:
    """The word, or a number of blocks."""

    def read(node: Node) -> Any:
        value = node.value
        if value == word or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
            return value
        raise wanted(node, f"{word}, or a number of blocks")

    return read


def read_noise_on_layer(node: Node) -> dict[str, Any]:
    """{layer: label, sd: how many standard deviations}"""
    table = {"layer": Key(read_name, required=True), "sd": Key(between(0, float("inf")))}
    return read_table(node, table, "noise")


def check_patch(body: Node, values: dict[str, Any], systems: Mapping[str, System]) -> dict[str, Any]:
    """Refuses sides that are not the same layers of one network; and both or none of corrupted and noise."""
    if ("corrupted" in values) == ("noise" in values):
        said = "has both corrupted: and noise:" if "noise" in values else "has no corrupted:"
        raise body.error(
            f"{said}; give corrupted: a system that saw the other stimuli, or noise: {{layer: ...}}.",
            code="missing-key",
        )
    check_network(body, values, systems, "clean")
    if "corrupted" in values:
        check_network(body, values, systems, "corrupted")
        one, two = (systems[values[side][0]] for side in ("clean", "corrupted"))
        assert isinstance(one, NetworkSystem)
        assert isinstance(two, NetworkSystem)
        if (one.network, one.layers) != (two.network, two.layers):
            raise body.value["corrupted"].error(
                "must be the same network and layers as clean:, with other stimuli.", code="bad-system"
            )
    return {}


def lay_out_patch(analysis: Analysis, layout: Layout) -> None:
    """One block, which is told the network and the stimuli of both sides."""
    needs, sides = layout.needs(analysis)
    shown = {side: shown_to(layout, names[0]) for side, names in analysis.sides.items()}
    settings = {
        "verb": analysis.verb,
        "sides": sides,
        "options": {**analysis.options, "shown": shown},
        "seed": layout.seed,
    }
    key = layout.plan.add(f"{analysis.name}: {analysis.verb}", "verb", settings, needs.keys)
    layout.plan.promise(analysis.name, key)
