"""``consilience attribute NETWORK LAYER UNIT...``: what in a stimulus a unit answers to, and is it to be believed?"""

from __future__ import annotations

from typing import Any

from consilience._cli._picture import drawing
from consilience._cli._synthesize import stimuli_of
from consilience._cli._verb import run_verb, said_as_options

__all__ = ["command"]


def command(
    *,
    network: str,
    layer: str,
    units: tuple[int, ...],
    of: str | None,
    shown: str,
    method: tuple[str, ...],
    most: int | None,
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks
    from consilience.study._attribution import units_of

    drawn = drawing(picture)
    with said_as_options([*options, "stimuli", "method"], ()):
        chosen = units_of(networks.load(network), layer, units, of)
        stimuli = stimuli_of(shown, "--stimuli", most)
    given = {"method": list(method) if len(method) > 1 else method[0]} if method else {}

    return run_verb(
        "attribute",
        [],
        lambda _systems: ((chosen, stimuli), given),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )
