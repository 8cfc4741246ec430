"""A progress bar with the time left, on a terminal; and a line about what a long run will take, anywhere."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator

__all__ = ["announce", "announce_long", "progress_bar"]

_log = logging.getLogger("consilience")
_LONG = 5.0  # seconds: what takes longer is announced


@contextlib.contextmanager
def progress_bar(text: str, total: int, shown: bool | None) -> Iterator[Callable[[int], None]]:
    """Yields ``advance(count)``. ``shown`` None means: on a terminal only."""
    if shown is None:
        shown = sys.stderr is not None and sys.stderr.isatty()
    if not shown:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)


def announce(text: str, shown: bool | None) -> None:
    """One line on stderr, also where that is no terminal; nothing with ``shown`` False."""
    if shown is not False and sys.stderr is not None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def announce_long(who: str, what: str, seconds: float, shown: bool | None, *, how: str = "") -> None:
    """Says, in the log and on stderr, what a run of more than 5 s will take: "cs.verb: 1,234 lesions, about 90 s"."""
    if seconds < _LONG:
        return
    text = f"{who}: {what}, about {seconds:,.0f} s{how}"
    _log.info(text)
    announce(text, shown)
