"""The output folder: results/*.nc, table.csv, report.html, run.json; each file appears whole or not at
all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consilience._core._errors import InputError
from consilience._results import Comparison, result_hash
from consilience.sources._files import show
from consilience.study._outcomes import failure_of
from consilience.study._schema import Study

if TYPE_CHECKING:
    import pandas as pd

    from consilience.study._outcomes import Outcome, StudyRun
    from consilience.study._plan import Plan

__all__ = ["facts", "file_name", "formula_safe", "prepare_output", "write_atomic", "write_output"]


def prepare_output(study: Study) -> Path:
    """Makes the output folder and its store; refuses what cannot be written and what would touch an input.
    Returns the store."""
    output = study.output
    store, results = output / ".blocks", output / "results"
    for path, what in ((output, "the output"), (store, "the store"), (results, "the results folder")):
        try:
            if path.is_symlink():
                raise InputError(
                    f"study: {what} {show(path)} is a symbolic link; give the folder itself.",
                    code="bad-output",
                )
            if path.exists() and not path.is_dir():
                raise InputError(f"study: {what} {show(path)} is a file; give a folder.", code="bad-output")
        except OSError as error:
            raise InputError(
                f"study: {what} {show(path)} cannot be used ({error.strerror}).", code="bad-output"
            ) from None
    named = [output / name for name in ("table.csv", "report.html", "run.json")]
    for path in named:
        if path.is_dir():
            raise InputError(
                f"study: {show(path)} is a folder, and a file of that name is written; remove it or give another "
                "output.",
                code="bad-output",
            )
    written = {path.resolve() for path in named}
    for path in study.inputs:
        place = path.resolve()
        if place in written or any(folder.resolve() in place.parents for folder in (store, results)):
            raise InputError(
                f"study: the input {show(path)} lies where output is written; give another output.",
                code="bad-output",
            )
    try:
        store.mkdir(parents=True, exist_ok=True)
        results.mkdir(exist_ok=True)
        for folder in (store, results, output):
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"0")
    except OSError as error:
        raise InputError(
            f"study: cannot write into {show(output)} ({error.strerror or error}).", code="cannot-write"
        ) from None
    return store.resolve()


def write_atomic(path: Path, content: bytes) -> None:
    """Writes ``path`` whole or not at all."""
    temporary = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"study: cannot write {show(path)} ({error.strerror or error}).", code="cannot-write"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def formula_safe(text: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _safe_table(frame: pd.DataFrame) -> bytes:
    safe = frame.rename(columns=lambda name: str(formula_safe(str(name))))
    for column in safe.columns[
        [
            dtype.kind in "OUT" or not hasattr(dtype, "kind") or str(dtype).startswith("str")
            for dtype in safe.dtypes
        ]
    ]:
        safe[column] = [formula_safe(entry) for entry in safe[column]]
    buffer = io.StringIO()
    safe.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def write_output(run: StudyRun, plan: Plan, outcomes: Mapping[str, Outcome], *, report: bool) -> StudyRun:
    """Writes everything but the store; returns the run with its report and any failure of the report."""
    import pandas as pd

    output = run.output
    for leftover in [*output.glob(".writing-*"), *(output / "results").glob(".writing-*")]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    files = _result_files(run)
    for stale in _written_before(output) - set(files.values()):
        (output / "results" / stale).unlink(missing_ok=True)
        (output / "results" / stale).with_suffix(".csv").unlink(missing_ok=True)
    for name, result in run.results.items():
        result.save(output / "results" / files[name])
        if not isinstance(result, Comparison) and not plan.products[name].picture:
            table_of = (output / "results" / files[name]).with_suffix(".csv")
            write_atomic(table_of, _safe_table(result.to_frame()))
    tables = []
    for name, result in run.results.items():
        if isinstance(result, Comparison):
            frame = result.to_frame()
            frame.insert(0, "analysis", name)
            tables.append(frame)
    if not tables:  # no values in common: which table belongs to which analysis
        others = [name for name in run.results if not plan.products[name].picture]
        tables = [
            pd.DataFrame(
                {
                    "analysis": others,
                    "result": [type(run.results[name]).__name__ for name in others],
                    "table": [f"results/{Path(files[name]).with_suffix('.csv').name}" for name in others],
                }
            )
        ]
    table = pd.concat(tables, ignore_index=True)
    write_atomic(output / "table.csv", _safe_table(table))
    record = _record(run, plan, outcomes, files)
    if report:
        run = _write_report(run, plan, record)
        record["failures"] = [_public(failure) for failure in run.failures]
    elif (output / "report.html").exists():
        (output / "report.html").unlink()  # it would show older results
    write_atomic(output / "run.json", json.dumps(record, indent=1, ensure_ascii=True).encode())
    return run


def _result_files(run: StudyRun) -> dict[str, str]:
    files: dict[str, str] = {}
    for name in run.results:
        stem = file_name(name[: -len(" RDMs")]) + ".rdms" if name.endswith(" RDMs") else file_name(name)
        while f"{stem}.nc" in files.values():
            stem += "_"
        files[name] = f"{stem}.nc"
    return files


def file_name(name: str) -> str:
    """A file name for a step: letters (of any script), digits, ``._+-``; anything else is replaced and a short hash
    keeps names apart."""
    safe = re.sub(r"[^\w.+-]", "_", name).strip(".")[:80]
    safe = safe.encode("utf-8")[:160].decode("utf-8", "ignore")  # file names are limited in bytes
    return (
        safe
        if safe == name
        else f"{safe or 'step'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    )


def _written_before(output: Path) -> set[str]:
    """Result files of the last run here, so that those of removed or failed steps go."""
    try:
        record = json.loads((output / "run.json").read_text(encoding="utf-8"))
        names = {str(entry["file"]) for entry in record["results"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()
    return {name for name in names if name == os.path.basename(name) and name.endswith(".nc")}


def _public(failure: Any) -> dict[str, str]:
    return {key: value for key, value in asdict(failure).items() if key != "traceback"}


def _record(
    run: StudyRun, plan: Plan, outcomes: Mapping[str, Outcome], files: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "title": run.study.title,
        "question": run.study.question,
        "seed": run.study.seed,
        "versions": dict(plan.versions),
        "results": {
            name: {"file": files[name], "sha256": result_hash(result)} for name, result in run.results.items()
        },
        "failures": [_public(failure) for failure in run.failures],
        "warnings": [asdict(caution) for caution in run.warnings],
        "blocks": [
            {
                "step": block.label,
                "kind": block.kind,
                "key": key,
                "state": outcomes[key].state,
                "seconds": round(outcomes[key].seconds, 3),
            }
            for key, block in plan.blocks.items()
        ],
        "blocks_computed": run.computed,
        "blocks_from_store": run.stored,
        "seconds": round(run.seconds, 3),
        "study": run.study.text,
    }


def _write_report(run: StudyRun, plan: Plan, record: Mapping[str, Any]) -> StudyRun:
    """The report, written beside its final name first; a failure to write it is a failed step."""
    target = run.output / "report.html"
    temporary = run.output / f".writing-{os.getpid()}-report.html"
    try:
        from consilience.report import write

        write(
            temporary,
            run.results,
            title=run.study.title,
            question=run.study.question,
            study=run.study.text or None,
            stimuli=plan.stimuli,
            run=facts(record),
            failures=[_public(failure) for failure in run.failures],
        )
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            f"study: cannot write {show(target)} ({error.strerror or error}).", code="cannot-write"
        ) from None
    except Exception as error:  # noqa: BLE001  results are kept even if the page fails
        target.unlink(missing_ok=True)
        return replace(run, failures=(*run.failures, failure_of("report", error)))
    finally:
        temporary.unlink(missing_ok=True)
    return replace(run, report=target)


def facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the report says of the run: a run record without what stands elsewhere on the page."""
    blocks = [
        {key: value for key, value in block.items() if key != "key"} for block in record.get("blocks", ())
    ]
    kept = ("seed", "versions", "blocks_computed", "blocks_from_store", "seconds", "warnings")
    return {**{key: record[key] for key in kept if key in record}, "blocks": blocks}
