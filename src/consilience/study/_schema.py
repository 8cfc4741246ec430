"""What a study file may say. One table per kind of entry (key -> reader) drives reading, checking and the
messages."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience._responses import DIMS, DISTANCES, KINDS
from consilience.sources import check_path_text
from consilience.study._yaml import Node, from_mapping, read_yaml

__all__ = ["Analysis", "Dataset", "Measure", "NetworkSystem", "ReadSystem", "Study", "file_name", "load"]

# -- readers: Node -> plain value, or an error that names line, key, what is expected and what came

Reader = Callable[[Node], Any]


def _wanted(node: Node, expected: str) -> InputError:
    return node.error(f"must be {expected}, got {node.word}.", code="wrong-type")


def _text(node: Node) -> str:
    if not isinstance(node.value, str) or not node.value.strip():
        raise _wanted(node, "text")
    return node.value


def _name(node: Node) -> str:
    """A name; a number or yes/no that YAML would convert is taken as it is written."""
    if isinstance(node.value, (dict, list)) or node.value is None or not node.raw.strip():
        raise _wanted(node, "a name")
    return node.raw


def _name_or_names(node: Node) -> str | tuple[str, ...]:
    return _many(_name)(node) if isinstance(node.value, list) else _name(node)


def _path(node: Node) -> str:
    text = _text(node)
    try:
        return check_path_text(text, who=node.path)
    except InputError as error:
        raise node.error(str(error).split(": ", 1)[1], code=error.code) from None


def _flag(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise _wanted(node, "true or false")
    return node.value


def _whole(low: int, high: int | None = None) -> Reader:
    def read(node: Node) -> int:
        value = node.value
        fits = (
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= low
            and (high is None or value <= high)
        )
        if not fits:
            bound = (
                f"at least {low}"
                if high is None
                else f"from {low} to {'2**128 - 1' if high == _SEED_MAX else high}"
            )
            raise _wanted(node, f"a whole number, {bound}")
        return int(value)

    return read


def _draws(node: Node) -> int:
    """A number of resamples: 0 is none, and one says nothing."""
    if _whole(0, 10_000_000)(node) == 1:
        raise _wanted(node, "0 for none, or some hundreds")
    return int(node.value)


def _between(low: float, high: float) -> Reader:
    def read(node: Node) -> float:
        value = node.value
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low < value < high:
            raise _wanted(node, f"a number between {low:g} and {high:g}")
        return float(value)

    return read


def _one_of(*options: str) -> Reader:
    def read(node: Node) -> str:
        if node.value not in options:
            hint = nearest(node.value, options)
            raise node.error(
                f"must be one of {', '.join(options)}, got "
                f"{node.word}.{hint if hint.startswith(' Did') else ''}",
                code="unknown-option",
            )
        return str(node.value)

    return read


def _many(read: Reader, *, empty: bool = False) -> Reader:
    """One entry or a list of them, as a tuple."""

    def read_all(node: Node) -> tuple[Any, ...]:
        entries = node.value if isinstance(node.value, list) else [node]
        if not entries and not empty:
            raise node.error("is an empty list; give at least one entry.", code="wrong-type")
        return tuple(read(entry) for entry in entries)

    return read_all


def _dims(node: Node) -> tuple[str, ...]:
    names = _many(_name)(node)
    if names not in DIMS:
        raise _wanted(node, "one of " + ", ".join("[" + ", ".join(entry) + "]" for entry in DIMS))
    return names


def _ids(node: Node) -> Any:
    if not isinstance(node.value, list):
        return _path(node)
    odd = next(
        (
            entry
            for entry in node.value
            if not isinstance(entry.value, (str, int)) or isinstance(entry.value, bool)
        ),
        None,
    )
    if odd is not None:
        raise odd.error(
            f"must be text or a whole number, got {odd.word}; put quotation marks around it.",
            code="wrong-type",
        )
    return tuple(entry.value for entry in node.value)


@dataclass(frozen=True)
class Measure:
    """A measure by name, with options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.name + (
            f"({', '.join(f'{key}={value}' for key, value in self.options.items())})" if self.options else ""
        )


def _measure(node: Node) -> Measure:
    if isinstance(node.value, str):
        name, options = node, {}
    elif isinstance(node.value, dict) and "name" in node.value:
        name = node.value["name"]
        options = {key: _plain(entry) for key, entry in node.value.items() if key != "name"}
    else:
        raise _wanted(node, "a measure: a name, or a mapping with name: and options")
    from consilience import measures

    known = list(measures.names())
    if name.value not in known:
        raise name.error(
            f"{shorten(name.value)} is not a measure.{nearest(name.value, known)}", code="unknown-measure"
        )
    return Measure(name.value, options)


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(entry) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(entry) for entry in node.value]
    return node.value


# -- tables: key -> reader, one table per kind of entry

_SEED_MAX = 2**128 - 1


@dataclass(frozen=True)
class Key:
    """One allowed key: how its value is read, and whether it must be there."""

    read: Reader
    required: bool = False


def _read_table(node: Node, table: Mapping[str, Key], what: str) -> dict[str, Any]:
    """Reads a mapping by its table: unknown and missing keys are refused with line and nearest name."""
    if not isinstance(node.value, dict):
        raise _wanted(node, f"a mapping with {', '.join(table)}")
    for key, child in node.value.items():
        if key not in table:
            raise child.error(f"is not a key of {what}.{nearest(key, table)}", code="unknown-key")
    missing = [key for key, entry in table.items() if entry.required and key not in node.value]
    if missing:
        raise node.error(
            f"{'has' if node.path else 'there is'} no {missing[0]}:, which {what} needs.", code="missing-key"
        )
    return {key: table[key].read(child) for key, child in node.value.items()}


@dataclass(frozen=True)
class NetworkSystem:
    """Layers of a network, recorded while it sees stimuli."""

    name: str
    network: str
    layers: tuple[str, ...]
    stimuli: str
    spatial: str = "flatten"


@dataclass(frozen=True)
class Dataset:
    """Systems of a data set that can be had by name."""

    name: str
    dataset: str
    select: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadSystem:
    """Responses in a file."""

    name: str
    read: Path
    ids: Path | tuple[Any, ...] | None = None
    kind: str | None = None
    dims: tuple[str, ...] | None = None
    subject: str | tuple[str, ...] | None = None
    repeat: str | None = None
    rdm: str | None = None
    session: tuple[str, ...] | None = None


System = NetworkSystem | Dataset | ReadSystem

_NETWORK = {
    "network": Key(_text, required=True),
    "layers": Key(_many(_text), required=True),
    "stimuli": Key(_path, required=True),
    "spatial": Key(_one_of("flatten", "mean", "max")),
}
_DATASET = {"dataset": Key(_text, required=True), "select": Key(_many(_name))}
_READ = {
    "read": Key(_path, required=True),
    "ids": Key(_ids),
    "kind": Key(_one_of(*KINDS)),
    "dims": Key(_dims),
    "subject": Key(_name_or_names),
    "repeat": Key(_one_of("count")),
    "rdm": Key(_one_of(*DISTANCES)),
    "session": Key(_many(_name)),
    "epoch": Key(_plain),
}
_SYSTEMS: dict[str, tuple[Mapping[str, Key], str]] = {
    "network": (_NETWORK, "a network"),
    "dataset": (_DATASET, "a data set"),
    "read": (_READ, "a file"),
}


def _system(name: str, node: Node, folder: Path) -> System:
    if not isinstance(node.value, dict):
        raise _wanted(node, "a mapping with one of network:, dataset:, read:")
    kinds = [kind for kind in _SYSTEMS if kind in node.value]
    if len(kinds) != 1:
        keys = {key for table, _ in _SYSTEMS.values() for key in table}
        odd = next((key for key in node.value if key not in keys), None)
        hint = "" if odd is None or kinds else nearest(odd, _SYSTEMS)
        found = f"has {' and '.join(kinds)}" if kinds else "has none of network:, dataset:, read:"
        raise node.error(
            f"{found}; a system has exactly one of the three.{hint if hint.startswith(' Did') else ''}",
            code="bad-system",
        )
    table, what = _SYSTEMS[kinds[0]]
    values = _read_table(node, table, what)
    if kinds[0] == "network":
        return NetworkSystem(name, **{**values, "stimuli": values["stimuli"]})
    if kinds[0] == "dataset":
        return Dataset(name, **values)
    if "epoch" in values:
        raise node.value["epoch"].error(
            "cutting recordings into epochs is not available yet; save the epoched responses as .npy, "
            ".npz, .nc or .csv and read those.",
            code="not-yet",
        )
    values["read"] = folder / values["read"]
    if isinstance(values.get("ids"), str):
        values["ids"] = folder / values["ids"]
    return ReadSystem(name, **values)


_BASELINES = {"untrained": Key(_whole(0, 100)), "permuted": Key(_whole(0, 100))}


def _baseline(node: Node) -> tuple[str, int]:
    values = _read_table(node, _BASELINES, "baseline")
    if len(values) != 1:
        raise node.error(
            f"must have one of {', '.join(_BASELINES)} with the number of copies, such as {{untrained: 3}}.",
            code="wrong-type",
        )
    return next(iter(values.items()))


@dataclass(frozen=True)
class Analysis:
    """One compare step. ``options`` are the keyword arguments of `cs.compare` that were given."""

    name: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    measures: tuple[Measure, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    baseline: tuple[str, int] | None = None


_COMPARE = {
    "a": Key(_many(_name), required=True),
    "b": Key(_many(_name), required=True),
    "measure": Key(_many(_measure)),
    "name": Key(_name),
    "by": Key(_name),
    "join": Key(_one_of("exact", "inner")),
    "n_boot": Key(_draws),
    "n_perm": Key(_draws),
    "level": Key(_between(0, 1)),
    "held_out": Key(_flag),
    "refit": Key(_flag),
    "baseline": Key(_baseline),
}


def _analysis(node: Node, systems: Mapping[str, System], index: int) -> Analysis:
    if not isinstance(node.value, dict) or len(node.value) != 1:
        raise _wanted(node, "a mapping with one verb, such as {compare: {a: ..., b: ...}}")
    verb, body = next(iter(node.value.items()))
    if verb != "compare":
        raise body.error(f"is not a verb of a study.{nearest(verb, ['compare'])}", code="unknown-key")
    values = _read_table(body, _COMPARE, "compare")
    for side in ("a", "b"):
        for name in values[side]:
            if name not in systems:
                raise body.value[side].error(
                    f"{shorten(name)} is not one of the systems.{nearest(name, systems)}",
                    code="unknown-system",
                )
        if len(set(values[side])) < len(values[side]):
            raise body.value[side].error("names a system twice.", code="wrong-type")
    baseline = values.pop("baseline", None)
    if baseline is not None:
        kinds = [name for name in values["a"] if not isinstance(systems[name], NetworkSystem)]
        if kinds:
            raise body.value["baseline"].error(
                f"needs networks on side a, and {shorten(kinds[0])} is none.", code="bad-baseline"
            )
        baseline = baseline if baseline[1] else None
    measures = values.pop("measure", (Measure("rsa"),))
    labels = [measure.label for measure in measures]
    if len(set(labels)) < len(labels):
        raise body.value["measure"].error("names a measure twice.", code="wrong-type")
    default = f"{'+'.join(values['a'])}_{'+'.join(values['b'])}"
    name = values.pop("name", default if index == 0 else f"{default}_{index + 1}")
    a, b = values.pop("a"), values.pop("b")
    return Analysis(name, a, b, measures, values, baseline)


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
                found += [path for path in (system.read, system.ids) if isinstance(path, Path)]
        return found


def _mapping(node: Node) -> Node:
    if not isinstance(node.value, dict) or not node.value:
        raise _wanted(node, "a mapping with at least one entry")
    return node


def _sequence(node: Node) -> Node:
    if not isinstance(node.value, list) or not node.value:
        raise _wanted(node, "a list with at least one entry")
    return node


_STUDY = {
    "seed": Key(_whole(0, _SEED_MAX), required=True),
    "output": Key(_path),
    "systems": Key(_mapping, required=True),
    "analyses": Key(_sequence, required=True),
    "title": Key(_text),
    "question": Key(_text),
    "report": Key(_flag),
}


def load(
    study: str | os.PathLike[str] | Mapping[str, Any], *, output: str | os.PathLike[str] | None = None
) -> Study:
    """Reads and checks a study file, or a mapping of the same form; nothing is run.

    Parameters
    ----------
    study : path of a YAML file, or a mapping with the same keys. Paths in a file are relative to the
        file, in a mapping to the
        current folder.
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
    values = _read_table(node, _STUDY, "a study")
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
    systems = {name: _system(name, child, folder) for name, child in values["systems"].value.items()}
    analyses = tuple(_analysis(child, systems, i) for i, child in enumerate(values["analyses"].value))
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


def file_name(name: str) -> str:
    """A file name for a step: letters, digits, ``._+-``; anything else is replaced and a short hash keeps
    names apart."""
    safe = re.sub(r"[^A-Za-z0-9._+-]", "_", name).strip(".")[:80]
    return (
        safe
        if safe == name
        else f"{safe or 'step'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    )
