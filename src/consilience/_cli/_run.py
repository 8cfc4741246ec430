"""``consilience run``: a study file, with progress and a summary."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from consilience._cli._guard import tell
from consilience._cli._summary import summary
from consilience._cli._text import clean, counted

__all__ = ["command", "run_and_tell"]


def command(*, study: str, output: str | None, workers: int, no_report: bool) -> int:
    return run_and_tell(study, output=output, workers=workers, report=False if no_report else None)


class _Bar:
    """A bar on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.bar: Any = None
        self.task: Any = None
        self.running: list[str] = []

    def __enter__(self) -> _Bar:
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task("reading", total=None)
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, event: Any) -> None:
        label = clean(event.label, 60)
        with self.lock:
            if event.state == "start":
                self.running.append(label)
            elif label in self.running:
                self.running.remove(label)
            if self.bar is not None:
                self.bar.update(
                    self.task,
                    completed=event.done,
                    total=event.total,
                    description=clean(", ".join(self.running) or "done", 50),
                )
            elif event.state in ("computed", "failed", "skipped"):
                from consilience._cli._guard import say

                say(f"[{event.done}/{event.total}] {label}: {event.state}, {event.seconds:.1f} s")


def run_and_tell(study: str | os.PathLike[str] | Mapping[str, Any], **options: Any) -> int:
    """Runs a study and prints the summary, the failures and where the report is."""
    from consilience.study import run

    with _Bar() as bar:
        result = run(study, progress=bar, **options)
    for line in summary(result):
        tell(line)
    tell(
        f"{counted(result.stored, 'block')} from the store, {result.computed} computed, {result.seconds:.1f} s"
    )
    said = [*result.warnings, *(caution for one in result.results.values() for caution in one.warnings)]
    warned = len(
        {(caution.code, caution.message, caution.remedy) for caution in said}
    )  # as the report counts
    if warned:
        stand = "stands" if warned == 1 else "stand"
        tell(
            f"{counted(warned, 'warning')} {stand} in the results"
            + (" and the report" if result.report else "")
        )
    tell(f"results: {clean(result.output / 'results', 500)}")
    if result.report is not None:
        tell(f"report: {clean(result.report, 500)}")
    _tell_failures(result)
    return result.exit_code


def _tell_failures(result: Any) -> None:
    from consilience._cli._guard import say

    for failure in result.failures:
        say(f"error: {clean(failure.step)}: {clean(failure.error, 600)} [{failure.code}]")
        if failure.traceback and "--debug" in sys.argv:
            say(failure.traceback)
