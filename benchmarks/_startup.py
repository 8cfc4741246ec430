"""Time to import, and to the help text of the command line, in fresh processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks._row import OURS, Row, Side, Target

__all__ = ["rows"]

BARE = "bare interpreter"


def rows(threads: int) -> list[Row]:
    script = Path(sys.executable).with_name("consilience")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "consilience._cli"]
    jobs = {
        "import": ("`import consilience`", [sys.executable, "-c", "import consilience"], 0.3),
        "help": ("`consilience --help`", [*command, "--help"], 0.5),
    }

    def call(arguments: list[str]) -> Any:
        return lambda: subprocess.run(arguments, check=True, capture_output=True).stdout

    def check(answers: dict[str, Any]) -> str:
        if answers[OURS] and b"Usage" not in answers[OURS]:
            raise AssertionError("the help text says nothing of usage")
        return "every process ended without an error"

    return [
        Row(
            name,
            work,
            (Side(OURS, call(arguments)), Side(BARE, call([sys.executable, "-c", "pass"]))),
            check,
            (Target("seconds", limit),),
            repeats=7,
        )
        for name, (work, arguments, limit) in jobs.items()
    ]
