"""What a study file may say, and a study that is read: tables of allowed keys drive reading, checking and the
messages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consilience._core._params import shorten
from consilience.sources import check_path_text
from consilience.study._analyses import Analysis, read_analysis
from consilience.study._readers import (
    SEED_MAX,
    Key,
    read_flag,
    read_mapping,
    read_path,
    read_sequence,
    read_table,
    read_text,
    whole,
)
from consilience.study._systems import ReadSystem, System, read_system
from consilience.study._yaml import from_mapping, read_yaml

__all__ = ["Study", "load"]


@dataclass(frozen=True)
class Study:
    """A whole study, checked. Made by `consilience.study.load`."""

    seed: int
    output: Path
    systems: Mapping[str, System]
    analyses: tuple[Analysis, ...]
    title: str
    question: str | None
    report: bool
    source: Path | None
    folder: Path
    text: str

    @property
    def inputs(self) -> list[Path]:
        """Files that are read; nothing is ever written over them."""
        found = [self.source] if self.source is not None else []
        for system in self.systems.values():
            if isinstance(system, ReadSystem):
                found += [
                    path
                    for path in (system.read, system.ids, *system.labels.values())
                    if isinstance(path, Path)
                ]
        return found


_STUDY = {
    "seed": Key(whole(0, SEED_MAX), required=True),
    "output": Key(read_path),
    "systems": Key(read_mapping, required=True),
    "analyses": Key(read_sequence, required=True),
    "title": Key(read_text),
    "question": Key(read_text),
    "report": Key(read_flag),
}


def load(
    study: str | os.PathLike[str] | Mapping[str, Any], *, output: str | os.PathLike[str] | None = None
) -> Study:
    """Reads and checks a study file, or a mapping of the same form; nothing is run.

    Parameters
    ----------
    study : path of a YAML file, or a mapping with the same keys. Paths in a file are relative to the
        file, in a mapping to the current folder.
    output : replaces the file's ``output``; relative to the current folder.

    Raises
    ------
    InputError : unknown, doubled or missing keys, wrong types, addresses, unknown systems or measures;
        with line and nearest name.
    """
    if isinstance(study, Mapping):
        node, source, folder = from_mapping(study), None, Path.cwd()
    else:
        node, source = read_yaml(study), Path(study)
        folder = source.parent
    values = read_table(node, _STUDY, "a study")
    if output is None and "output" not in values:
        raise node.error("there is no output:, which a study needs; give a folder.", code="missing-key")
    target = (
        Path(check_path_text(os.fspath(output), who="output"))
        if output is not None
        else folder / values["output"]
    )
    if output is None and not Path(values["output"]).is_absolute() and ".." in Path(values["output"]).parts:
        raise node.value["output"].error(
            "must stay under the folder of the study; write an absolute path for another place.",
            code="bad-path",
        )
    systems = {name: read_system(name, child, folder) for name, child in values["systems"].value.items()}
    analyses = tuple(read_analysis(child, systems, i) for i, child in enumerate(values["analyses"].value))
    names = [analysis.name for analysis in analyses]
    for i, child in enumerate(values["analyses"].value):
        if names[i] in names[:i]:
            raise child.error(
                f"has the name {shorten(names[i])} of another analysis; give it its own name:.",
                code="duplicate-name",
            )
    default = source.stem if source is not None else "study"
    return Study(
        seed=values["seed"],
        output=target,
        systems=systems,
        analyses=analyses,
        title=values.get("title", default),
        question=values.get("question"),
        report=values.get("report", True),
        source=source,
        folder=folder,
        text=source.read_bytes().decode("utf-8-sig") if source is not None else "",
    )
