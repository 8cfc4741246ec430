"""``consilience selectivity-impact NETWORK LAYER``: are the selective units those that the network needs?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._picture import drawing
from consilience._cli._synthesize import stimuli_of
from consilience._cli._verb import run_verb, said_as_options

__all__ = ["command"]


def command(
    *,
    network: str,
    layer: str,
    shown: str,
    by: str,
    target: str | None,
    how: tuple[str, ...],
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks
    from consilience.sources._labels import read_label

    drawn = drawing(picture)

    def labels(given: str | None, name: str) -> Any:
        if given is None or given in stimuli.coords or not Path(given).suffix:
            return given
        return read_label(given, name, who=f"--{name}")

    with said_as_options([*options, "stimuli", "target", "by", "how"], ()):
        net = networks.load(network)
        stimuli = stimuli_of(shown, "--stimuli")
        given: dict[str, Any] = {
            "stimuli": stimuli,
            "by": labels(by, "by"),
            "target": labels(target, "target"),
        }
    if how:
        given["how"] = list(how) if len(how) > 1 else how[0]

    return run_verb(
        "selectivity_impact",
        [],
        lambda _systems: ((net, layer), given),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )
