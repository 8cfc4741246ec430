"""From a study to its blocks, each with the key of what it is made of. Data are read here, so bad input ends
the run at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from consilience._core._errors import InputError, nearest
from consilience._core._params import shorten
from consilience.study._blocks import CODE, get_stimuli
from consilience.study._code import code_digest, library_versions
from consilience.study._digest import array_digest, digest
from consilience.study._labels import Traits, check_analysis, traits_of_responses, traits_of_stimuli
from consilience.study._readers import refused
from consilience.study._recordings import responses_of
from consilience.study._schema import Study
from consilience.study._systems import Dataset, NetworkSystem, ReadSystem
from consilience.study._verb import Analysis
from consilience.study._verbs import VERBS
from consilience.study._yaml import Node

__all__ = ["Block", "Layout", "Plan", "make_plan"]


@dataclass(frozen=True)
class Block:
    """One unit of work. ``key`` names its product; ``needs`` are the keys of the blocks that it reads."""

    label: str
    kind: str
    key: str
    settings: Mapping[str, Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Product:
    """The blocks that one result is made of; ``picture``: it goes with another result, for looking at."""

    keys: tuple[str, ...]
    picture: bool = False


@dataclass
class Plan:
    """All blocks by key, in an order that respects needs; what each result is made of; the data that were
    read."""

    blocks: dict[str, Block] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    data: dict[str, Mapping[str, xr.DataArray]] = field(default_factory=dict)
    stimuli: xr.DataArray | None = None
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def targets(self) -> list[str]:
        """Keys of the blocks whose products are wanted."""
        return [key for product in self.products.values() for key in product.keys]

    def add(self, label: str, kind: str, settings: Mapping[str, Any], needs: tuple[str, ...] = ()) -> str:
        code = code_digest(*CODE[kind])
        key = digest(kind, settings, needs, code, self.versions)
        self.blocks.setdefault(key, Block(label, kind, key, settings, needs))
        return key

    def promise(self, name: str, *keys: str, picture: bool = False) -> None:
        """``name`` will be a result, made of the products of these blocks."""
        self.products[name] = Product(keys, picture)


class Needs:
    """The blocks that another one reads, each once, and where each stands."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def place(self, key: str) -> int:
        if key not in self._keys:
            self._keys.append(key)
        return self._keys.index(key)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._keys)


@dataclass(frozen=True)
class Layout:
    """What a verb lays out its blocks with: the plan, the seed, and the blocks of systems and of copies."""

    plan: Plan
    seed: int
    systems: Mapping[str, str]
    baselines: Mapping[tuple[str, str, int], str]

    def needs(self, analysis: Analysis) -> tuple[Needs, dict[str, list[Any]]]:
        """What an analysis reads; and its sides as lists of [system, place]."""
        needs = Needs()
        sides = {
            side: [[name, needs.place(self.systems[name])] for name in names]
            for side, names in analysis.sides.items()
        }
        return needs, sides


def make_plan(study: Study) -> Plan:
    """Reads data, loads networks for their fingerprints, and lays out the blocks.

    Raises
    ------
    InputError : anything about data, networks or names that would fail anyway.
    """
    torch = any(isinstance(system, NetworkSystem) for system in study.systems.values())
    plan = Plan(versions=library_versions(torch=torch))
    used = list(dict.fromkeys(name for analysis in study.analyses for name in analysis.systems))
    keys: dict[str, str] = {}
    baselines: dict[tuple[str, str, int], str] = {}
    datasets: dict[str, Any] = {}
    known: dict[str, Mapping[str, Traits]] = {}
    for name in used:
        system = study.systems[name]
        if isinstance(system, NetworkSystem):
            wanted = [
                analysis.baseline
                for analysis in study.analyses
                if name in analysis.copied and analysis.baseline is not None
            ]
            known[name] = _plan_network(plan, study, system, wanted, keys, baselines)
            continue
        arrays = (
            _dataset_systems(system, datasets, plan)
            if isinstance(system, Dataset)
            else {name: _file_system(system)}
        )
        known[name] = {inner: traits_of_responses(data) for inner, data in arrays.items()}
        keys[name] = _plan_data(plan, name, arrays)
    layout = Layout(plan, study.seed, keys, baselines)
    for analysis in study.analyses:
        check_analysis(analysis, known)
        VERBS[analysis.verb].lay_out(analysis, layout)
    return plan


def _at(system: NetworkSystem | Dataset, key: str) -> Node:
    """Where a key of a system stands in the file."""
    assert system.node is not None
    return system.node.value.get(key, system.node)


def _plan_data(plan: Plan, name: str, arrays: Mapping[str, xr.DataArray]) -> str:
    key = plan.add(name, "data", {"content": {inner: array_digest(data) for inner, data in arrays.items()}})
    plan.data[key] = arrays
    return key


def _file_system(system: ReadSystem) -> xr.DataArray:
    if system.cut is not None:
        return responses_of(system)
    from consilience.sources import read_array

    return read_array(
        system.read,
        ids=system.ids,
        kind=system.kind,
        dims=system.dims,
        system=system.name,
        subject=system.subject,
        repeat=system.repeat,
        rdm=system.rdm,
        session=system.session,
        labels=system.labels,
        missing=system.missing,
        member=system.member,
    )


def _dataset_systems(system: Dataset, loaded: dict[str, Any], plan: Plan) -> dict[str, xr.DataArray]:
    from consilience import datasets

    if system.dataset not in loaded:
        loaded[system.dataset] = datasets.load(system.dataset)
    found = loaded[system.dataset]
    if not found.systems:
        raise _at(system, "dataset").error(
            f"{system.dataset} holds recordings, not responses; write its file with cs.write_nwb and read that here "
            "(read: and epoch:, or bin:)",
            code="bad-system",
        )
    if plan.stimuli is None:
        plan.stimuli = found.stimuli
    if not system.select:
        return dict(found.systems)
    for name in system.select:
        if name not in found.systems:
            raise _at(system, "select").error(
                f"{shorten(name)} is not in {system.dataset}.{nearest(name, found.systems)}",
                code="unknown-name",
            )
    return {name: found.systems[name] for name in system.select}


def _plan_network(
    plan: Plan,
    study: Study,
    system: NetworkSystem,
    wanted: list[tuple[str, int]],
    keys: dict[str, str],
    baselines: dict[tuple[str, str, int], str],
) -> dict[str, Traits]:
    from consilience import networks
    from consilience.networks._layout import resolve_layers

    stimuli, source, is_dataset = _stimuli(system, study)
    net = networks.load(system.network)
    layers = _at(system, "layers")
    for node, layer in zip(layers.value if isinstance(layers.value, list) else [layers], system.layers):
        try:
            resolve_layers(net, [layer], net.layer_names, who="study")
        except InputError as error:
            raise refused(node, error) from None
    if plan.stimuli is None:
        plan.stimuli = stimuli
    settings = {
        "network": system.network,
        "fingerprint": str(net.fingerprint),
        "layers": list(system.layers),
        "spatial": system.spatial,
        "stimuli": source,
        "is_dataset": is_dataset,
        "stimuli_digest": array_digest(stimuli),
        "baseline": None,
    }
    keys[system.name] = plan.add(system.name, "record", settings)
    for kind, count in wanted:
        for seed in range(count):
            label = f"{system.name} {kind} {seed}"
            baselines[system.name, kind, seed] = plan.add(
                label, "record", {**settings, "baseline": [kind, seed]}
            )
    traits = traits_of_stimuli(stimuli)
    # a pattern may match layers that are never called: only those named exactly are known to be recorded
    exact = [
        name
        for name, one in resolve_layers(net, list(system.layers), net.layer_names, who="study").items()
        if one
    ]
    return dict.fromkeys(exact if len(exact) > 1 else [system.name], traits)


def _stimuli(system: NetworkSystem, study: Study) -> tuple[xr.DataArray, str, bool]:
    """Stimuli by the name of a data set, or else from a folder relative to the study."""
    from consilience import datasets

    names = list(datasets.list()["name"])
    if system.stimuli in names:
        try:
            return get_stimuli(system.stimuli, is_dataset=True), system.stimuli, True
        except InputError as error:
            if error.code != "no-stimuli":
                raise
            raise refused(_at(system, "stimuli"), error) from None
    folder = study.folder / system.stimuli
    if not folder.is_dir():
        raise _at(system, "stimuli").error(
            f"{shorten(system.stimuli)} is neither a data set nor a folder.{nearest(system.stimuli, names)}",
            code="no-stimuli",
        )
    return get_stimuli(str(folder.resolve()), is_dataset=False), str(folder.resolve()), False
