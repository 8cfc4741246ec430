"""``consilience synthesize NETWORK LAYER UNIT...``: stimuli made for units of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._target import check_target
from consilience._cli._verb import run_verb, said_as_options

__all__ = ["command"]


def command(
    *,
    network: str,
    layer: str,
    units: tuple[int, ...],
    of: str | None,
    natural: str | None,
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks

    place = None if picture is None else check_target(Path(picture), who="--picture")
    with said_as_options([*options, "natural"], ()):
        net = networks.load(network)
        shown = None if natural is None else _stimuli(natural)
        numbers = list(dict.fromkeys(units))
        chosen = [
            net.channel(layer, i)
            if of == "mean"
            else net.unit(layer, channel=i)
            if of == "channel"
            else net.unit(layer, i)
            for i in numbers
        ]

    def drawn(result: Any) -> list[str]:
        if place is None:
            return []
        result.plot().figure.savefig(place, dpi=150, bbox_inches="tight")
        return [f"picture: {place}"]

    return run_verb(
        "synthesize",
        [],
        lambda _systems: ((chosen,), {"natural": shown}),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def _stimuli(natural: str) -> Any:
    from consilience import datasets
    from consilience._stimuli import stimuli

    folder = Path(natural)
    return stimuli(folder) if folder.is_dir() else datasets.load(natural).stimuli
