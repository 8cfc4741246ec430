"""What must be computed, and its run as a Dask graph."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from consilience._core._errors import ConsilienceError, InputError, warn
from consilience._core._params import shorten
from consilience.study._arrays import write_arrays
from consilience.study._execute import execute, registered
from consilience.study._outcomes import Outcome, Progress
from consilience.study._plan import Block, Plan
from consilience.study._store import Store

__all__ = ["compute"]


def compute(
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
        with registered(report) as run_id:
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
