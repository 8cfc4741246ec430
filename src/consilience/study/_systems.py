"""Systems of a study: layers of a network, a data set, or a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience._responses import DISTANCES, KINDS, MISSING
from consilience.study._readers import (
    Key,
    many,
    one_of,
    read_dims,
    read_ids,
    read_name,
    read_names,
    read_path,
    read_table,
    read_text,
    wanted,
)
from consilience.study._recordings import CUTS, RECORDING_KEYS, Cut, read_cut
from consilience.study._yaml import Node

__all__ = ["Dataset", "NetworkSystem", "ReadSystem", "System", "part_of", "read_system"]


@dataclass(frozen=True)
class NetworkSystem:
    """Layers of a network, recorded while it sees stimuli."""

    name: str
    network: str
    layers: tuple[str, ...]
    stimuli: str
    spatial: str = "flatten"
    node: Node | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Dataset:
    """Systems of a data set that can be had by name."""

    name: str
    dataset: str
    select: tuple[str, ...] = ()
    node: Node | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ReadSystem:
    """Responses in a file, or a recording and how it is cut into responses."""

    name: str
    read: Path
    ids: Path | tuple[Any, ...] | None = None
    kind: str | None = None
    dims: tuple[str, ...] | None = None
    subject: str | tuple[str, ...] | None = None
    repeat: str | None = None
    rdm: str | None = None
    session: tuple[str, ...] | None = None
    labels: Mapping[str, Path | tuple[Any, ...]] = field(default_factory=dict)
    missing: Literal["raise", "omit", "mask", "mask_values"] | None = None
    member: str | None = None
    cut: Cut | None = None
    units: str | tuple[str, ...] | None = None
    options: Mapping[str, Any] | None = None
    node: Node | None = field(default=None, compare=False, repr=False)


System = NetworkSystem | Dataset | ReadSystem


def part_of(name: str, systems: Mapping[str, System], node: Node) -> System | None:
    """The one layer (or system of a data set) that ``system/layer`` names; None where no such system stands in the
    study.
    """
    whole, _, inner = name.partition("/")
    system = systems.get(whole)
    if not inner or system is None or isinstance(system, ReadSystem):
        return None
    known = system.layers if isinstance(system, NetworkSystem) else system.select
    listed = not known or inner in known or any(sign in one for one in known for sign in "*?")
    if not listed:
        what = "layers" if isinstance(system, NetworkSystem) else "systems"
        raise node.error(
            f"{shorten(inner)} is not one of the {what} of {shorten(whole)}.{nearest(inner, known)}",
            code="unknown-system",
        )
    if isinstance(system, NetworkSystem):
        return replace(system, name=name, layers=(inner,))
    return replace(system, name=name, select=(inner,))


def _network(node: Node) -> str:
    from consilience.networks._load import ENTRIES

    return _listed(node, ENTRIES, "network")


def _dataset(node: Node) -> str:
    from consilience.datasets._load import ENTRIES

    return _listed(node, ENTRIES, "data set")


def _listed(node: Node, known: Iterable[str], what: str) -> str:
    name = read_text(node)
    if name not in known:
        raise node.error(
            f"{shorten(name)} is no {what} that is known.{nearest(name, known)}", code="unknown-name"
        )
    return name


def _labels(node: Node) -> dict[str, str | tuple[Any, ...]]:
    """{label: a file, or a list with one entry per trial}."""
    if not isinstance(node.value, dict) or not node.value:
        raise wanted(node, "a mapping of labels, such as {run: runs.npy, category: trials.csv}")
    return {name: read_ids(child) for name, child in node.value.items()}


_NETWORK = {
    "network": Key(_network, required=True),
    "layers": Key(many(read_text), required=True),
    "stimuli": Key(read_path, required=True),
    "spatial": Key(one_of("flatten", "mean", "max")),
}
_DATASET = {"dataset": Key(_dataset, required=True), "select": Key(many(read_name))}
_READ = {
    "read": Key(read_path, required=True),
    "ids": Key(read_ids),
    "kind": Key(one_of(*KINDS)),
    "dims": Key(read_dims),
    "subject": Key(read_names),
    "repeat": Key(one_of("count")),
    "rdm": Key(one_of(*DISTANCES)),
    "session": Key(many(read_name)),
    "labels": Key(_labels),
    "missing": Key(one_of(*MISSING)),
    "system": Key(read_text),
    "epoch": Key(lambda node: read_cut(node, "epoch")),
    "bin": Key(lambda node: read_cut(node, "bin")),
    **RECORDING_KEYS,
}
_SYSTEMS: dict[str, tuple[Mapping[str, Key], str]] = {
    "network": (_NETWORK, "a network"),
    "dataset": (_DATASET, "a data set"),
    "read": (_READ, "a file"),
}


def read_system(name: str, node: Node, folder: Path) -> System:
    """The system at a node; paths are relative to ``folder``."""
    if not isinstance(node.value, dict):
        raise wanted(node, "a mapping with one of network:, dataset:, read:")
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
    values = read_table(node, table, what)
    if kinds[0] == "network":
        return NetworkSystem(name, **values, node=node)
    if kinds[0] == "dataset":
        return Dataset(name, **values, node=node)
    values["read"] = folder / values["read"]
    if "system" in values:  # of several in a result of rdms
        values["member"] = values.pop("system")
    if isinstance(values.get("ids"), str):
        values["ids"] = folder / values["ids"]
    if "labels" in values:
        values["labels"] = {
            label: folder / source if isinstance(source, str) else source
            for label, source in values["labels"].items()
        }
    return ReadSystem(name, **_cut(node, values), node=node)


def _cut(node: Node, values: dict[str, Any]) -> dict[str, Any]:
    """The values of ``read:``, with ``epoch:`` or ``bin:`` as how to cut; keys of arrays are refused beside them."""
    verbs = [verb for verb in CUTS if verb in values]
    if len(verbs) > 1:
        raise node.error("has epoch and bin; a recording is cut in one way.", code="bad-system")
    if not verbs:
        key = next((key for key in RECORDING_KEYS if key in values), None)
        if key is not None:
            raise node.value[key].error(
                "belongs to a recording, which needs epoch: or bin:.", code="bad-system"
            )
        return values
    key = next((key for key in values if key not in ("read", *CUTS, *RECORDING_KEYS)), None)
    if key is not None:
        raise node.value["system" if key == "member" else key].error(
            f"belongs to an array, and {verbs[0]}: reads a recording; labels and ids come from its tables.",
            code="bad-system",
        )
    if "options" in values and not isinstance(values["options"], dict):
        raise wanted(node.value["options"], "a mapping of options of the reader")
    values["cut"] = values.pop(verbs[0])
    return values
