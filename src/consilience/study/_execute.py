"""One node of the graph: runs a block and says how it ended."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consilience._core._errors import collect_cautions
from consilience._core._threads import one_thread
from consilience.sources._files import show
from consilience.study._blocks import BLOCKS
from consilience.study._outcomes import Failure, Outcome, failure_of
from consilience.study._plan import Block
from consilience.study._room import Room, give_back
from consilience.study._store import Store, StoreError, disk_fault

__all__ = ["execute", "registered"]

_HELD = 2  # times the size of its inputs that a block may hold in memory


@dataclass
class _Live:
    """What running blocks of this process share."""

    stop: threading.Event = field(default_factory=threading.Event)
    report: Callable[[str, str, float], None] = lambda label, state, seconds: None


_live: dict[str, _Live] = {}
_room = Room()


@contextmanager
def registered(report: Callable[[str, str, float], None]) -> Iterator[str]:
    """The id under which blocks of this process find whom to tell, and whether to stop."""
    run_id = uuid.uuid4().hex
    live = _Live(report=report)
    _live[run_id] = live
    try:
        yield run_id
    except BaseException:
        live.stop.set()  # blocks that have not begun return at once
        raise
    finally:
        _live.pop(run_id, None)


def execute(root: Path, block: Block, run_id: str, needs: list[Outcome | str]) -> Outcome:
    """One node of the graph: runs a block, unless it is in the store by now, something it needs failed, or
    the run was stopped."""
    live = _live.get(run_id) or _Live()
    broken = next(
        (need for need in needs if isinstance(need, Outcome) and need.state not in ("computed", "stored")),
        None,
    )
    if live.stop.is_set():
        return Outcome(block.key, "stopped")
    if broken is not None:
        failure = Failure(
            block.label,
            f"not run, because {broken.failure.step} failed." if broken.failure else "not run.",
            "skipped",
        )
        live.report(block.label, "skipped", 0.0)
        return Outcome(block.key, "skipped", failure=failure)
    store = Store(root)
    with _room.take(_HELD * sum(store.size(key) for key in block.needs)):
        if live.stop.is_set():  # while it waited
            return Outcome(block.key, "stopped")
        try:
            return _compute(store, block, live)
        finally:
            give_back()


def _compute(store: Store, block: Block, live: _Live) -> Outcome:
    live.report(block.label, "start", 0.0)
    started = time.perf_counter()
    folders = [store.root / key for key in block.needs]

    def write(folder: Path) -> dict[str, Any]:
        with collect_cautions() as said:
            BLOCKS[block.kind](block.settings, folders, folder)
        return {"cautions": [str(caution) for caution in said]}

    try:
        with one_thread():
            store.put(block.key, write, label=block.label)
    except StoreError:
        live.stop.set()
        raise
    except Exception as error:  # noqa: BLE001  a step that fails is reported; the others go on
        said = disk_fault(error)
        if said is not None:
            live.stop.set()
            raise StoreError(f"study: cannot write into {show(store.root)} ({said}).") from None
        seconds = time.perf_counter() - started
        live.report(block.label, "failed", seconds)
        return Outcome(block.key, "failed", seconds, failure_of(block.label, error))
    seconds = time.perf_counter() - started
    live.report(block.label, "computed", seconds)
    return Outcome(block.key, "computed", seconds)
