"""Runs a study: what is in the store is taken from there, the rest is a Dask graph, and the output appears
whole."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from consilience._core._errors import ConsilienceWarning, collect_cautions, warn
from consilience._core._params import check_count
from consilience._core._threads import one_thread
from consilience._results import Result
from consilience.sources._files import show
from consilience.study._blocks import load_result
from consilience.study._graph import compute
from consilience.study._lock import hold
from consilience.study._merge import merge
from consilience.study._outcomes import Failure, Outcome, Progress, StudyRun, failure_of
from consilience.study._plan import Plan, make_plan
from consilience.study._schema import load
from consilience.study._store import Store, StoreError, disk_fault
from consilience.study._write import prepare_output, write_output

__all__ = ["run"]

MOST_WORKERS = 256
MOST_KEPT = 1 << 30  # bytes of recordings that stay in the store after a study is done


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
    workers : blocks at a time, 1 to 256 (each with one BLAS thread). Used by the in-process Dask scheduler; where
        a ``dask.distributed`` client is active the blocks go to it, and it must see the same file system.
    progress : called with a `Progress` at each change, from any thread.
    report : whether to write report.html; default: what the study says.

    Returns
    -------
    StudyRun. A failed step is in ``failures`` and does not stop the others.

    Raises
    ------
    InputError : bad study, bad data, an output that cannot be written or that another run holds.

    A second run takes every finished block from the store, also after a run that was killed; changed data,
    settings, code or library versions give new keys, so nothing stale is used.
    """
    workers = check_count(workers, name="workers", who="study", minimum=1, maximum=MOST_WORKERS)
    checked = load(study, output=output)
    started = time.perf_counter()
    root = prepare_output(checked)
    with hold(root / "lock", output=checked.output):
        store = Store(root)
        store.sweep()
        with collect_cautions() as said:
            plan = make_plan(checked)
            with one_thread(), _quiet():
                outcomes = compute(plan, store, workers, progress)
            results, failures = _collect(plan, store, outcomes)
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
            _drop_recordings(plan, store)
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


def _drop_recordings(plan: Plan, store: Store) -> None:
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


def _collect(
    plan: Plan, store: Store, outcomes: Mapping[str, Outcome]
) -> tuple[dict[str, Result], list[Failure]]:
    """Merges the measures of each analysis; gathers failures in the order of the blocks."""
    results: dict[str, Result] = {}
    failures = list(
        dict.fromkeys(o.failure for key in plan.blocks if (o := outcomes[key]).failure is not None)
    )

    def present(key: str) -> bool:
        return outcomes[key].state in ("computed", "stored")

    for name, product in plan.products.items():
        parts = [load_result(store.root / key) for key in product.keys if present(key)]
        if parts:
            try:
                results[name] = parts[0] if product.picture else merge(parts, versions=plan.versions)
            except Exception as error:  # noqa: BLE001
                failures.append(failure_of(f"{name}: merging measures", error))
    return results, failures
