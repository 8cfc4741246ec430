"""What a check-suite says: one row per claim, passed or not, and why."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from consilience._core._errors import ConsilienceWarning

__all__ = ["CheckError", "CheckRow", "quiet", "run_checks"]


@dataclass(frozen=True)
class CheckRow:
    """One tested claim.

    measure : key of the measure (or class of the result).   library : array library, or "-".
    """

    measure: str
    claim: str
    library: str
    passed: bool
    detail: str = ""


class CheckError(AssertionError):
    """At least one claim does not hold; ``rows`` are all rows, the text lists the failed ones."""

    def __init__(self, rows: list[CheckRow]) -> None:
        self.rows = rows
        failed = [row for row in rows if not row.passed]
        lines = [f"  {row.measure}: {row.claim} ({row.library}): {row.detail}" for row in failed]
        super().__init__("\n".join([f"{len(failed)} of {len(rows)} claims do not hold:", *lines]))


Outcome = tuple[str, str, bool, str]  # claim, library, passed, detail


@contextmanager
def quiet() -> Iterator[None]:
    """This package's own warnings are part of the behaviour under test, not noise of the suite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)
        yield


def run_checks(
    subject: str, checks: Iterable[tuple[str, Callable[[], Iterable[Outcome]]]], *, collect: bool
) -> list[CheckRow]:
    """Runs every check; an exception inside one is a failed row, not the end.

    Raises `CheckError` unless ``collect``.
    """
    rows: list[CheckRow] = []
    for name, check in checks:
        try:
            with quiet():
                for claim, library, passed, detail in check():
                    row = CheckRow(subject, claim, library, passed=bool(passed), detail=detail)
                    rows.append(row)
        except Exception as error:  # noqa: BLE001  whatever the subject raises is the finding
            said = f"{type(error).__name__}: {error}"
            rows.append(CheckRow(subject, name, "-", passed=False, detail=said))
    if not collect and any(not row.passed for row in rows):
        raise CheckError(rows)
    return rows
