"""``consilience synthesize NETWORK LAYER UNIT...``: stimuli made for units of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consilience._cli._picture import drawing
from consilience._cli._verb import run_verb, said_as_options
from consilience._core._errors import InputError, UnknownNameError
from consilience._core._params import shorten

__all__ = ["command", "stimuli_of"]

_WANTED = "give a folder of images, or a data set with images (objects92)"


def command(
    *,
    network: str,
    layer: str,
    units: tuple[int, ...],
    of: str | None,
    natural: str | None,
    picture: str | None,
    still: bool,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks
    from consilience.study._attribution import units_of

    drawn = drawing(picture)
    with said_as_options([*options, "natural"], ()):
        net = networks.load(network)
        shown = None if natural is None else stimuli_of(natural, "--natural")
        chosen = units_of(net, layer, units, of)

    return run_verb(
        "synthesize",
        [],
        lambda _systems: ((chosen,), {"natural": shown} | ({"transforms": None} if still else {})),
        reading={},
        options=options,
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def stimuli_of(natural: str, option: str, most: int | None = None) -> Any:
    """A folder of images, or the stimuli of a data set; of either the first ``most``."""
    found = _stimuli(natural, option)
    if most is None or most >= len(found):
        return found
    return found.isel({found.dims[0]: slice(0, most)})


def _stimuli(natural: str, option: str) -> Any:
    from consilience import datasets
    from consilience._stimuli import stimuli

    folder = Path(natural)
    if folder.is_dir():
        return stimuli(folder)
    try:
        found = datasets.load(natural)
    except UnknownNameError as error:
        raise InputError(
            f"{option} {shorten(natural)}: there is no such folder of images, and no such data set; {_WANTED}.",
            code="unknown-name",
        ) from error
    shown = getattr(found, "stimuli", None)
    if shown is None:
        raise InputError(
            f"{option} {natural}: the data set {natural} has no stimuli; {_WANTED}.", code="bad-stimuli"
        )
    return shown
