"""``consilience robustness NETWORK LAYER...``: what noise in layers of a network costs."""

from __future__ import annotations

from typing import Any

from consilience._cli._ablate import target_of
from consilience._cli._picture import drawing
from consilience._cli._synthesize import stimuli_of
from consilience._cli._verb import run_verb, said_as_options

__all__ = ["command"]


def command(
    *,
    network: str,
    layers: tuple[str, ...],
    shown: str,
    target: str | None,
    strengths: tuple[float, ...],
    most: int | None,
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks

    drawn = drawing(picture)
    with said_as_options([*options, "stimuli", "target"], ()):
        net = networks.load(network)
        stimuli = stimuli_of(shown, "--stimuli", most)
        labels = target_of(net, stimuli, target)
    given: dict[str, Any] = {"stimuli": stimuli, "target": labels}
    if strengths:
        given["levels"] = list(strengths)

    return run_verb(
        "robustness",
        [],
        lambda _systems: ((net, list(layers)), given),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )
