"""Types of options, and how a command calls the module that does its work."""

from __future__ import annotations

import importlib
from typing import Any

import click

__all__ = ["DRAWS", "LABEL", "MEASURES", "MISSING", "RDM", "SEED", "WORKERS", "call", "debug"]

SEED = click.IntRange(min=0, max=2**128 - 1)
DRAWS = click.IntRange(min=0, max=10_000_000)
WORKERS = click.IntRange(min=1, max=256)
MEASURES = click.option(
    "--measure",
    "-m",
    "measures",
    multiple=True,
    default=("rsa",),
    show_default=True,
    help="May be given several times; with options: rsa:distance=euclidean,method=cosine.",
)
LABEL = click.option(
    "--label",
    "labels",
    multiple=True,
    help="A label of trials or units: LABEL=FILE for all files, NAME:LABEL=FILE for one; of a .csv the column LABEL. "
    "Of RDMs: subject and session.",
)
RDM = click.option(
    "--rdm",
    multiple=True,
    help="Files hold RDMs of this distance (correlation...): for all files, or NAME=DISTANCE for one.",
)
MISSING = click.option(
    "--missing",
    type=click.Choice(["raise", "omit", "mask", "mask_values"]),
    help="Trials with NaN: refused (default), left out, or marked; mask_values: only the single values are marked, "
    "for models that take missing values.",
)


def call(name: str, *args: Any, **options: Any) -> int:
    """Runs the command of a module of this sub-package, which is imported now."""
    options.pop("debug", None)
    module = importlib.import_module(f"consilience._cli.{name}")
    return int(module.command(*args, **options) or 0)


def debug(function: Any) -> Any:
    return click.option("--debug", is_flag=True, hidden=True, help="Show tracebacks.")(function)
