"""Runs a study: what is in the store is taken from there, the rest is a Dask graph, and the output appears
whole."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback as tracebacks
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consilience._core._errors import (
    Caution,
    ConsilienceError,
    ConsilienceWarning,
    InputError,
    collect_cautions,
    warn,
)
from consilience._core._params import check_count, shorten
from consilience._results import Result
from consilience.sources._files import show
from consilience.study._blocks import BLOCKS, load_result
from consilience.study._lock import hold
from consilience.study._merge import merge
from consilience.study._plan import Block, Plan, make_plan
from consilience.study._schema import Study, load
from consilience.study._store import Store, StoreError, disk_fault, write_arrays
from consilience.study._threads import one_thread

__all__ = ["Failure", "Progress", "StudyRun", "run"]

MOST_WORKERS = 256
MOST_KEPT = 1 << 30  # bytes of recordings that stay in the store after a study is done


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
        lines = [f"<StudyRun> {shorten(self.study.title)}: {len(self.results)} results in {self.output}"]
        lines.append(f"  {self.stored} blocks from the store, {self.computed} computed, {self.seconds:.1f} s")
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


@dataclass
class _Live:
    """What running blocks of this process share."""

    stop: threading.Event = field(default_factory=threading.Event)
    report: Callable[[str, str, float], None] = lambda label, state, seconds: None


_live: dict[str, _Live] = {}


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
    live.report(block.label, "start", 0.0)
    started = time.perf_counter()
    store = Store(root)
    folders = [root / key for key in block.needs]

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
            raise StoreError(f"study: cannot write into {show(root)} ({said}).") from None
        seconds = time.perf_counter() - started
        live.report(block.label, "failed", seconds)
        return Outcome(block.key, "failed", seconds, _failure(block.label, error))
    seconds = time.perf_counter() - started
    live.report(block.label, "computed", seconds)
    return Outcome(block.key, "computed", seconds)


def _failure(step: str, error: BaseException) -> Failure:
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


def run(
    study: str | os.PathLike[str] | Mapping[str, Any],
    *,
    output: str | os.PathLike[str] | None = None,
    workers: int = 2,
    progress: Callable[[Progress], None] | None = None,
    report: bool | None = None,
) -> StudyRun:
    """Runs a study: systems x analyses, each step kept as soon as it is done, and a report at the end.

    Parameters
    ----------
    study : path of a YAML file, or a mapping of the same form.
    output : folder for results, table, report and the store; replaces the study's own.
    workers : blocks at a time, 1 to 256 (each with one BLAS thread). Used by the in-process Dask
        scheduler; where a
        ``dask.distributed`` client is active the blocks go to it, and it must see the same file system.
    progress : called with a `Progress` at each change, from any thread.
    report : whether to write report.html; default: what the study says.

    Returns
    -------
    StudyRun. A failed step is in ``failures`` and does not stop the others.

    Raises
    ------
    InputError : bad study, bad data, an output that cannot be written or that another run holds.

    A second run takes every finished block from the store, also after a run that was killed; changed data,
    settings, code or library
    versions give new keys, so nothing stale is used.
    """
    workers = check_count(workers, name="workers", who="study", minimum=1, maximum=MOST_WORKERS)
    checked = load(study, output=output)
    started = time.perf_counter()
    from consilience.study._write import prepare_output, write_output

    root = prepare_output(checked)
    with hold(root / "lock", output=checked.output):
        store = Store(root)
        store.sweep()
        with collect_cautions() as said:
            plan = make_plan(checked)
            with one_thread(), _quiet():
                outcomes = _compute(plan, store, workers, progress)
            results, failures = _collect(checked, plan, store, outcomes)
        result = StudyRun(
            study=checked,
            results=results,
            failures=tuple(failures),
            output=checked.output,
            computed=sum(outcome.state == "computed" for outcome in outcomes.values()),
            stored=sum(outcome.state == "stored" for outcome in outcomes.values()),
            seconds=time.perf_counter() - started,
            warnings=tuple(said),
        )
        if not failures:
            _make_room(plan, store)
        try:
            result = write_output(result, plan, outcomes, report=checked.report if report is None else report)
        except Exception as error:
            said_by_disk = disk_fault(error)
            if said_by_disk is None:
                raise
            raise StoreError(f"study: cannot write into {show(checked.output)} ({said_by_disk}).") from None
    for caution in said:
        warn(caution.code, caution.message, caution.remedy)
    return result


def _make_room(plan: Plan, store: Store) -> None:
    """Drops the largest recordings once all that needs them is done; they are quick to make again, and
    large."""
    keys = [key for key, block in plan.blocks.items() if block.kind == "record" and store.has(key)]
    sizes = {key: store.size(key) for key in keys}
    for key in sorted(sizes, key=lambda key: -sizes[key]):
        if sum(sizes.values()) <= MOST_KEPT:
            return
        store.drop(key)
        del sizes[key]


@contextmanager
def _quiet() -> Iterator[None]:
    """What a verb warns of stands in its result; it is not said again for every block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConsilienceWarning)
        yield


def _compute(
    plan: Plan, store: Store, workers: int, progress: Callable[[Progress], None] | None
) -> dict[str, Outcome]:
    """Makes every target present: by key, how each block ended (or that it was in the store, or not
    needed)."""
    needed = _needed(plan, store)
    outcomes = {key: Outcome(key, "stored") for key in plan.blocks if key not in needed}
    total, done = len(plan.blocks), len(outcomes)
    lock = threading.Lock()

    def report(label: str, state: str, seconds: float) -> None:
        nonlocal done
        with lock:
            done += state not in ("start",)
            if progress is not None:
                progress(Progress(label, state, done, total, seconds))

    if progress is not None:
        for key in outcomes:
            progress(Progress(plan.blocks[key].label, "stored", done, total))
    for key in [key for key in needed if plan.blocks[key].kind == "data"]:
        started = time.perf_counter()
        store.put(key, _writer(plan.data[key]), label=plan.blocks[key].label)
        outcomes[key] = Outcome(key, "computed", time.perf_counter() - started)
        report(plan.blocks[key].label, "computed", outcomes[key].seconds)
    graph = [key for key in plan.blocks if key in needed and plan.blocks[key].kind != "data"]
    if graph:
        with _registered(report) as run_id:
            for outcome in _run_graph([plan.blocks[key] for key in graph], store, run_id, workers):
                outcomes[outcome.key] = outcome
    return outcomes


def _writer(arrays: Mapping[str, Any]) -> Callable[[Path], None]:
    return lambda folder: write_arrays(folder, arrays)


def _needed(plan: Plan, store: Store) -> set[str]:
    """Keys that must be computed: absent or damaged targets, and what they need in turn."""
    needed: set[str] = set()
    seen: set[str] = set()
    pending = list(plan.targets)
    while pending:
        key = pending.pop()
        if key in seen:
            continue
        seen.add(key)
        try:
            if store.get(key) is not None:
                continue
        except ValueError:
            label = plan.blocks[key].label
            warn(
                "damaged-block",
                f"The stored product of {shorten(label)} was damaged; it is computed again.",
                "Check the disk if this comes back.",
            )
            store.drop(key)
        needed.add(key)
        pending += plan.blocks[key].needs
    return needed


@contextmanager
def _registered(report: Callable[[str, str, float], None]) -> Iterator[str]:
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


def _run_graph(blocks: list[Block], store: Store, run_id: str, workers: int) -> list[Outcome]:
    """Runs the blocks as a Dask graph, on an active distributed client or with threads of this process."""
    import dask

    here = {block.key for block in blocks}
    nodes: dict[str, Any] = {}
    call = dask.delayed(execute, pure=False)
    for block in blocks:  # in an order that respects needs
        needs = [nodes[key] if key in here else key for key in block.needs]
        nodes[block.key] = call(
            store.root, block, run_id, needs, dask_key_name=f"{block.kind}-{block.key[:16]}"
        )
    wanted = list(nodes.values())
    client = _active_client()
    if client is not None:
        try:
            return list(client.gather(client.compute(wanted)))
        except ConsilienceError:
            raise
        except Exception as error:  # a worker that dies again and again, or lacks a module
            raise InputError(
                f"study: the Dask cluster could not run a block ({shorten(str(error), 300)}).",
                code="cluster-failed",
            ) from error
    pool = ThreadPoolExecutor(workers, thread_name_prefix="consilience-block")
    try:
        return list(dask.compute(*wanted, scheduler="threads", pool=pool, optimize_graph=False))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _active_client() -> Any:
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


def _collect(
    study: Study, plan: Plan, store: Store, outcomes: Mapping[str, Outcome]
) -> tuple[dict[str, Result], list[Failure]]:
    """Merges the measures of each analysis; gathers failures in the order of the blocks."""
    results: dict[str, Result] = {}
    failures = list(
        dict.fromkeys(o.failure for key in plan.blocks if (o := outcomes[key]).failure is not None)
    )

    def present(key: str) -> bool:
        return outcomes[key].state in ("computed", "stored")

    for analysis in study.analyses:
        parts = [load_result(store.root / key) for key in plan.comparisons[analysis.name] if present(key)]
        if parts:
            try:
                results[analysis.name] = merge(parts, versions=plan.versions)
            except Exception as error:  # noqa: BLE001
                failures.append(_failure(f"{analysis.name}: merging measures", error))
        key = plan.pictures[analysis.name]
        if present(key):
            results[f"{analysis.name} RDMs"] = load_result(store.root / key)
    return results, failures
