"""Options that the commands of several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from consilience._cli._options import DRAWS, LABEL, MISSING, RDM, SEED, call, debug

__all__ = [
    "AXES",
    "BOOT",
    "BY",
    "DRAWN_BY",
    "EVALUATED",
    "FILES",
    "FOLDS",
    "GAP",
    "INFERENCE",
    "IN_SAMPLE",
    "JOIN",
    "LEVEL",
    "LIKENESS",
    "NOISE",
    "NUMBERS",
    "PERM",
    "PICTURE",
    "SHOWN",
    "SPLITS",
    "TIMES",
    "UNITS",
    "WRITTEN",
    "run_verb",
    "stack",
]

_READING = ("ids", "labels", "kind", "rdm", "repeat", "missing")


def stack(*options: Any) -> Callable[[Any], Any]:
    def dress(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return dress


FILES = stack(
    click.option(
        "--ids",
        multiple=True,
        help="Stimulus ids: FILE for all files, or NAME=FILE for one (.txt, .json, .yaml or .npy).",
    ),
    LABEL,
    click.option(
        "--kind",
        multiple=True,
        help="What values are (activation, count, rate, dff, bold, voltage, latent): for all files, or NAME=KIND.",
    ),
    RDM,
    click.option(
        "--repeat",
        type=click.Choice(["count"]),
        help="count: rows of equal id are repeats of one stimulus.",
    ),
    MISSING,
)
WRITTEN = stack(
    click.option("--output", "-o", type=click.Path(), help="Write the result to this .nc file."),
    click.option("--json", "as_json_text", is_flag=True, help="Print JSON."),
    debug,
)
JOIN = click.option(
    "--join", type=click.Choice(["exact", "inner"]), help="inner: shared ids only.  [default: exact]"
)
BY = click.option("--by", help="Average trials by this label.  [default: stimulus]")
BOOT = click.option("--n-boot", type=DRAWS, help="Resamples; 0 = no interval.  [default: 1000]")
PERM = click.option("--n-perm", type=DRAWS, help="Permutations; 0 = no p.  [default: 1000]")
LEVEL = click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of intervals.  [default: 0.95]",
)
DRAWN_BY = click.option("--seed", "rng", type=SEED, default=0, show_default=True, help="Whole number.")
INFERENCE = stack(BOOT, PERM, LEVEL, DRAWN_BY)
FOLDS = click.option("--folds", help="A label (run, session): its trials are held out together.")
NOISE = click.option(
    "--noise",
    type=click.Choice(["shrinkage", "shrinkage_diagonal", "diagonal", "full", "none"]),
    help="Noise covariance of units, from the trials; diagonal where they were not recorded at once.  [default: "
    "shrinkage]",
)
SPLITS = click.option(
    "--n-splits", type=DRAWS, help="Halves of the trials for reliability; 0 = none.  [default: 10]"
)
LIKENESS = click.option(
    "--method",
    type=click.Choice(["spearman", "pearson", "cosine"]),
    help="How RDMs are compared with those of models.  [default: spearman]",
)
IN_SAMPLE = click.option(
    "--in-sample",
    is_flag=True,
    help="Score what a measure fits on the stimuli that it was fitted to: inflated.",
)
UNITS = stack(
    click.argument("network"),
    click.argument("layer"),
    click.argument("units", type=click.IntRange(min=0), nargs=-1, required=True),
    click.option(
        "--channel", "of", flag_value="channel", help="UNITS are channels, at the middle of their maps."
    ),
    click.option("--mean", "of", flag_value="mean", help="UNITS are channels, the mean over their maps."),
)
PICTURE = click.option("--picture", type=click.Path(), help="Draw the result to this file.")
SHOWN = click.option(
    "--stimuli", "shown", required=True, help="A data set (objects92, mnist) or a folder of images."
)
EVALUATED = click.option(
    "--evaluate", type=click.Choice(["accuracy", "loss", "probability"]), help="[default: accuracy]"
)
GAP = click.option(
    "--gap",
    help="Of series: left out of training beside a test stretch, steps (3), seconds (0.3) or auto.  [default: auto]",
)
TIMES = click.option(
    "--time",
    type=click.Path(),
    multiple=True,
    help="Times in seconds, FILE for all files or NAME=FILE, where the file has none.",
)
AXES = stack(
    click.option(
        "--dims",
        help="Axes of an array, where the file does not name them: trial,unit, trial,time,unit or time,unit.",
    ),
    click.option(
        "--time",
        type=click.Path(),
        help="Times of the samples in seconds (.txt, .npy), where the file has none.",
    ),
)
NUMBERS = stack(
    click.option("--numbers", is_flag=True, help="The label's values are numbers, not classes."),
    click.option("--circular", is_flag=True, help="They are angles in radians."),
)


def run_verb(module: str, options: dict[str, Any]) -> int:
    reading = {key: options.pop(key) for key in _READING}
    return call(module, reading=reading, **options)
