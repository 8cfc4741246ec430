"""``consilience report``: the page of results that are on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from consilience._cli._guard import tell
from consilience._cli._target import check_target
from consilience._cli._text import clean
from consilience._core._errors import InputError

__all__ = ["command"]


def command(*, results: tuple[str, ...], output: str | None, title: str | None) -> int:
    from consilience._results import load

    record: dict[str, Any] = {}
    if len(results) == 1 and Path(results[0]).is_dir():
        folder = Path(results[0])
        folder = (
            folder.parent if folder.name == "results" and (folder.parent / "run.json").is_file() else folder
        )
        record = _record(folder)
        files = _files(folder, record)
        target = Path(output) if output else folder / "report.html"
    else:
        files = {Path(path).stem: Path(path) for path in results}
        target = Path(output) if output else Path("report.html")
    check_target(target, who="report")
    if any(target.exists() and path.exists() and target.samefile(path) for path in files.values()):
        raise InputError(
            f"report: {clean(target)} is one of the results; give another name.", code="bad-path"
        )
    loaded = {name: load(path) for name, path in files.items()}
    from consilience.report import write
    from consilience.study._write import facts

    temporary = target.with_name(f".writing-{os.getpid()}-{target.name}")
    try:
        write(
            temporary,
            loaded,
            title=title or record.get("title") or "Results",
            question=record.get("question"),
            study=record.get("study") or None,
            run=facts(record) if record else None,
            failures=record.get("failures", ()),
        )
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    tell(f"report: {clean(target, 500)}")
    return 0


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"report: {clean(path)} is damaged ({clean(error, 100)}); run the study again.",
            code="damaged-file",
        ) from None
    return record if isinstance(record, dict) else {}


def _files(folder: Path, record: dict[str, Any]) -> dict[str, Path]:
    inner = folder / "results" if (folder / "results").is_dir() else folder
    named = record.get("results", {})
    known = (
        {name: inner / os.path.basename(str(entry.get("file", ""))) for name, entry in named.items()}
        if isinstance(named, dict)
        else {}
    )
    files = {name: path for name, path in known.items() if path.is_file()} or {
        path.stem: path for path in sorted(inner.glob("*.nc"))
    }
    if not files and not record:
        raise InputError(
            f"report: {clean(folder)} holds no results (.nc files); give the output folder of a study.",
            code="no-results",
        )
    return files
