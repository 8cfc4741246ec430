"""``consilience ablate NETWORK LAYER``: what a network loses without parts of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._synthesize import stimuli_of
from consilience._cli._target import check_target
from consilience._cli._verb import run_verb, said_as_options

__all__ = ["command"]


def command(
    *,
    network: str,
    layer: str,
    shown: str,
    target: str | None,
    how: tuple[str, ...],
    order: tuple[str, ...],
    most: int | None,
    alone: bool,
    unchecked: bool,
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks

    place = None if picture is None else check_target(Path(picture), who="--picture")
    with said_as_options([*options, "stimuli", "target", "how", "order"], ()):
        net = networks.load(network)
        stimuli = stimuli_of(shown, "--stimuli")
        if most is not None and most < len(stimuli):
            stimuli = stimuli.isel({stimuli.dims[0]: slice(0, most)})
        labels = _target(net, stimuli, target)
    given: dict[str, Any] = {"stimuli": stimuli, "target": labels, "check_how": not unchecked}
    if how:
        given["how"] = list(how) if len(how) > 1 else how[0]
    if order:
        given["order"] = list(order) if len(order) > 1 else order[0]
    if alone:
        given["curves"] = False

    def drawn(result: Any) -> list[str]:
        if place is None:
            return []
        result.plot().figure.savefig(place, dpi=150, bbox_inches="tight")
        return [f"picture: {place}"]

    return run_verb(
        "ablate",
        [],
        lambda _systems: ((net, layer), given),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def _target(net: Any, stimuli: Any, target: str | None) -> Any:
    """Labels from a file, the name of a label of the stimuli, or, without either, what the intact network answers."""
    from consilience.sources._labels import read_label
    from consilience.study._lesions import answers_of

    if target is None:
        return answers_of(net, stimuli)
    if target not in stimuli.coords and Path(target).suffix:
        return read_label(target, "target", who="--target")
    return target
