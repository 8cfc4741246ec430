"""``consilience patch NETWORK LAYER... --clean SET --corrupted SET``: which activations carry a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from consilience._cli._picture import drawing
from consilience._cli._synthesize import stimuli_of
from consilience._cli._text import clean as cleaned
from consilience._cli._verb import run_verb, said_as_options
from consilience._core._errors import InputError
from consilience._core._params import shorten

__all__ = ["command", "number_or"]


def command(
    *,
    network: str,
    layers: tuple[str, ...],
    clean: str,
    corrupted: str | None,
    noise: str | None,
    sd: float | None,
    target: str | None,
    other: str | None,
    places: str | None,
    parts: str | None,
    picture: str | None,
    output: str | None,
    as_json_text: bool,
    **options: Any,
) -> int:
    from consilience import networks

    if (corrupted is None) == (noise is None):
        raise click.UsageError(
            "give one of --corrupted SET, and --noise LAYER, which corrupts the clean stimuli."
        )
    if sd is not None and noise is None:
        raise click.UsageError("--sd is the size of --noise, and there is none.")
    if noise is not None and other is None and options["evaluate"] is None:
        options["evaluate"] = "probability"
    given = {
        "places": number_or("each", places, "--places"),
        "parts": number_or("channels", parts, "--parts"),
    }
    drawn = drawing(picture)
    with said_as_options([*options, "clean", "corrupted", "target", "other"], ()):
        net = networks.load(network)
        first = _stimuli(clean, "--clean")
        second = None if corrupted is None else _stimuli(corrupted, "--corrupted")
        first, wanted = _labelled(net, first, target, "target")
        if second is not None:
            if other is None and target in second.coords:
                other = target
            second, rival = _labelled(net, second, other, "other")
        elif other is not None:
            first, rival = _labelled(net, first, other, "other")
        else:
            rival = None
    bad: Any = {"layer": noise} | ({} if sd is None else {"sd": sd}) if second is None else second

    return run_verb(
        "patch",
        [],
        lambda _systems: ((net, first, bad, list(layers)), {"target": wanted, "other": rival}),
        reading={},
        options={**given, **options},
        output=output,
        as_json_text=as_json_text,
        more=drawn,
    )


def number_or(word: str, text: str | None, option: str) -> Any:
    """The word, or a number of blocks.

    >>> number_or("each", "each", "--places"), number_or("each", "4", "--places")
    ('each', 4)
    """
    if text is None or text == word:
        return text
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise click.UsageError(f"{option} must be {word}, or a number of blocks, got {cleaned(text, 60)}.")


def _stimuli(given: str, option: str) -> Any:
    """A folder of images, a data set, or the lines of a .txt, whose numbers (from 1) are their ids."""
    from consilience._stimuli import stimuli

    file = Path(given)
    if file.suffix.lower() != ".txt":
        return stimuli_of(given, option)
    if not file.is_file():
        raise InputError(f"{option} {shorten(given)}: there is no such file.", code="no-file")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(
            f"{option} {shorten(given)}: not text in UTF-8; write one stimulus a line.", code="damaged-file"
        ) from None
    if not lines or not all(line.strip() for line in lines):
        raise InputError(
            f"{option} {shorten(given)}: {'a line is empty' if lines else 'the file is empty'}; write one stimulus a "
            "line, those of a pair on lines of the same number.",
            code="bad-stimuli",
        )
    return stimuli(lines, ids=range(1, len(lines) + 1))


def _labelled(net: Any, stimuli: Any, given: str | None, name: str) -> tuple[Any, str]:
    """The stimuli and the name of their label: ``given``; or one from a file; or what the intact network answers."""
    from consilience.sources._labels import read_label
    from consilience.study._lesions import answers_of

    if given is not None and (given in stimuli.coords or not Path(given).suffix):
        return stimuli, given
    values = answers_of(net, stimuli) if given is None else read_label(given, name, who=f"--{name}")
    if len(values) != len(stimuli):
        raise InputError(
            f"--{name} {shorten(str(given))} has {len(values)} entries, and there are {len(stimuli)} stimuli; one "
            "output number for each is needed, in their order.",
            code="rows-differ",
        )
    return stimuli.assign_coords({name: (stimuli.dims[0], np.asarray(values))}), name
