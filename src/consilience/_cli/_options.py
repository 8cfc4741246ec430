"""Types of options, and how a command calls the module that does its work."""

from __future__ import annotations

import importlib
from typing import Any

import click

__all__ = ["DRAWS", "SEED", "WORKERS", "call", "debug"]

SEED = click.IntRange(min=0, max=2**128 - 1)
DRAWS = click.IntRange(min=0, max=10_000_000)
WORKERS = click.IntRange(min=1, max=256)


def call(name: str, *args: Any, **options: Any) -> int:
    """Runs the command of a module of this sub-package, which is imported now."""
    options.pop("debug", None)
    module = importlib.import_module(f"consilience._cli.{name}")
    return int(module.command(*args, **options) or 0)


def debug(function: Any) -> Any:
    return click.option("--debug", is_flag=True, hidden=True, help="Show tracebacks.")(function)
