"""``consilience epoch FILE`` and ``consilience bin FILE``: from a recording to responses in a .nc file."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._options import call, debug

__all__ = ["COMMANDS", "command"]

_file = click.argument("file", type=click.Path())
_of = click.option("--of", help="spikes (default where there are any), or the name of a signal.")
_reduce = click.option(
    "--reduce", help="count or rate; of signals mean, circular_mean, min, max, sum, std, interpolate."
)
_units = click.option("--unit", "units", multiple=True, help="A unit to keep; may be given several times.")
_output = click.option("--output", "-o", type=click.Path(), required=True, help="The .nc file to write.")


@click.command()
@_file
@click.option(
    "--on", required=True, help="Table or table.column of intervals or events, such as trials.start_time."
)
@click.option(
    "--window", type=(float, float), help="From and to, in seconds from the event; default: whole intervals."
)
@click.option("--bin", type=float, help="Width of bins in seconds; default: one value for each trial.")
@_reduce
@_of
@click.option("--stimulus", help="The column with stimulus ids.")
@click.option("--missing", type=click.Choice(["raise", "omit", "mask"]), default="raise", show_default=True)
@_units
@_output
@debug
def epoch(**options: Any) -> int:
    """Cut a recording into trials around events, and write responses (.nc) that every command reads."""
    return call("_epoch", verb="epoch", **options)


@click.command()
@_file
@click.option("--width", type=float, required=True, help="Of bins, in seconds.")
@click.option("--within", help="A table of intervals; default: all that was observed.")
@_reduce
@_of
@_units
@_output
@debug
def bin(**options: Any) -> int:
    """Bin a whole recording, and write responses (.nc) over time."""
    return call("_epoch", verb="bin", **options)


COMMANDS = (epoch, bin)


def command(*, verb: str, file: str, output: str, units: tuple[str, ...], **options: Any) -> int:
    from consilience._cli._guard import tell
    from consilience._cli._text import clean
    from consilience._cli._verb import target as checked_target
    from consilience._core._errors import InputError
    from consilience._recording import Recording
    from consilience.sources import read, write_array

    chosen = checked_target(output, [file], option="--output")
    assert chosen is not None
    found = read(file, units=list(units) or None)
    if not isinstance(found, Recording):
        raise InputError(
            f"consilience {verb}: {file} holds responses already; a recording is cut.", code="not-a-recording"
        )
    given = {name: value for name, value in options.items() if value is not None}
    data = found.epoch(**given) if verb == "epoch" else found.bin(given.pop("width"), **given)
    target = write_array(data, chosen)
    sizes = " x ".join(f"{size} {dim}{'s' if size != 1 else ''}" for dim, size in data.sizes.items())
    tell(clean(f"{target}: {sizes}, {data.attrs['kind']} ({data.attrs['reduce']})", 400))
    return 0
