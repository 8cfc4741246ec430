"""What is said of a run: how each block ended, what failed, and what the whole left behind."""

from __future__ import annotations

import traceback as tracebacks
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consilience._core._errors import Caution, ConsilienceError
from consilience._core._params import shorten
from consilience._results import Result
from consilience.study._schema import Study

__all__ = ["Failure", "Outcome", "Progress", "StudyRun", "failure_of"]


@dataclass(frozen=True)
class Progress:
    """What a progress function is told: ``state`` is start, computed, stored, failed, skipped or done."""

    label: str
    state: str
    done: int
    total: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Failure:
    """A step that failed: which, what the error says, its code; ``traceback`` only for faults that are not
    bad input."""

    step: str
    error: str
    code: str
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """What a study left behind.

    results : {name: Result}, in the order of the study; per analysis a Comparison, and "<name> RDMs".
    failures : steps that failed.   output, report : paths (report None if not asked for or failed).
    computed, stored : number of blocks computed now and taken from the store.   seconds : wall time.
    warnings : what was said about the run itself (warnings of a result stand in the result).
    """

    study: Study
    results: Mapping[str, Result]
    failures: tuple[Failure, ...] = ()
    output: Path
    report: Path | None = None
    computed: int = 0
    stored: int = 0
    seconds: float = 0.0
    warnings: tuple[Caution, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all done; 1 a step failed; 2 nothing could be computed, and only because of the input."""
        if not self.failures:
            return 0
        return 1 if self.results or any(failure.traceback for failure in self.failures) else 2

    def __repr__(self) -> str:
        results, stored = len(self.results), self.stored
        lines = [
            f"<StudyRun> {shorten(self.study.title)}: {results} result{'' if results == 1 else 's'} in {self.output}",
            f"  {stored} block{'' if stored == 1 else 's'} from the store, {self.computed} computed, "
            f"{self.seconds:.1f} s",
        ]
        lines += [f"  failed {failure.step}: {failure.error} [{failure.code}]" for failure in self.failures]
        return "\n".join(lines)


@dataclass(frozen=True)
class Outcome:
    """How a block ended; travels through the graph in place of exceptions, so that one failure stops nothing
    else."""

    key: str
    state: str
    seconds: float = 0.0
    failure: Failure | None = None


def failure_of(step: str, error: BaseException) -> Failure:
    """An error as a failed step; a traceback only where it is a fault of ours."""
    if isinstance(error, ConsilienceError):
        return Failure(step, str(error), error.code)
    if isinstance(error, MemoryError):
        return Failure(
            step,
            "not enough memory; record fewer layers, use spatial: mean, or fewer workers.",
            "out-of-memory",
        )
    text = f"{type(error).__name__}: {shorten(str(error), 300)}"
    return Failure(step, text, "unexpected", "".join(tracebacks.format_exception(error)))
