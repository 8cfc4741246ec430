"""What an analysis asks of its systems, against what they are: before anything is recorded or computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience._responses import is_rdm_data
from consilience.study._verb import Analysis
from consilience.study._verbs import VERBS

__all__ = ["Traits", "check_analysis", "traits_of_responses", "traits_of_stimuli"]


@dataclass(frozen=True)
class Traits:
    """What is known of one array of a system before it is compared: labels on trial, whether it is RDM data, its units
    (None: not known).
    """

    labels: frozenset[str]
    is_rdm: bool = False
    units: tuple[Any, ...] | None = None


def traits_of_responses(data: xr.DataArray) -> Traits:
    on_trial = frozenset(str(name) for name, coord in data.coords.items() if coord.dims == ("trial",))
    units = None
    if "unit" in data.dims:
        units = tuple(data["unit"].values.tolist() if "unit" in data.coords else range(data.sizes["unit"]))
    return Traits(on_trial, is_rdm=is_rdm_data(data), units=units)


def traits_of_stimuli(stimuli: xr.DataArray) -> Traits:
    """Of a network's recordings, which take their labels from the stimuli."""
    return Traits(
        frozenset(str(name) for name, coord in stimuli.coords.items() if coord.dims == ("stimulus",))
    )


def check_analysis(analysis: Analysis, systems: Mapping[str, Mapping[str, Traits]]) -> None:
    """Refuses labels that no data have, several arrays where one is taken, and RDM data that will not do.

    Parameters
    ----------
    systems : {system: {name of each array in it: its traits}}; of a network the layers that are named exactly, or one
        entry.
    """
    verb = VERBS[analysis.verb]
    used = _named(analysis.systems, systems)
    for option in verb.labels:
        given = analysis.options.get(option) or ()
        for label in (given,) if isinstance(given, str) else given:
            _check_label(analysis, option, label, used)
    for key, side in verb.sides.items():
        names = analysis.sides.get(key, ())
        members = _named(names, systems)
        if side.alone and len(members) > 1:
            listed = ", ".join(shorten(name, 40) for name in list(members)[:4])
            raise analysis.place(key).error(
                f"takes one system, and there are {len(members)} ({listed}); name one of them as {key}:.",
                code="one-system",
            )
        rdm = next((name for name, traits in members.items() if traits.is_rdm), None)
        if side.responses and rdm is not None:
            raise analysis.place(key).error(
                f"needs responses, and {shorten(rdm)} is known by its RDM only.", code="needs-responses"
            )
    sets = analysis.options.get("sets")
    if isinstance(sets, Mapping):
        _check_sets(analysis, sets, _named(analysis.sides.get("data", ()), systems))
    for measure in analysis.measures:
        for name, traits in used.items():
            if traits.is_rdm and not measure.takes_rdms:
                raise (measure.node or analysis.place("measure")).error(
                    f"{measure.label} needs responses, and {shorten(name)} is known by its RDM only; use rsa or cka.",
                    code="needs-responses",
                )


def _named(names: tuple[str, ...], systems: Mapping[str, Mapping[str, Traits]]) -> dict[str, Traits]:
    """The arrays of systems, each by the name that messages give it."""
    return {
        name if name == inner else f"{name}/{inner}": traits
        for name in names
        for inner, traits in systems[name].items()
    }


def _check_sets(analysis: Analysis, sets: Mapping[str, Any], data: Mapping[str, Traits]) -> None:
    for name, traits in data.items():
        if traits.units is None:
            continue
        for one, given in sets.items():
            listed = given if isinstance(given, list) else [given]
            if listed and all(isinstance(v, bool) for v in listed):
                continue
            missing = [v for v in listed if v not in traits.units]
            if missing:
                raise analysis.place("sets").error(
                    f"{one} names unit {shorten(missing[0])}, which {shorten(name)} does not have; it has "
                    f"{len(traits.units)} units, {traits.units[0]} to {traits.units[-1]}.",
                    code="unknown-name",
                )


def _check_label(analysis: Analysis, option: str, label: str, used: Mapping[str, Traits]) -> None:
    if option == "by" and label != "stimulus":
        for name, traits in used.items():
            if traits.is_rdm:
                raise analysis.place("by").error(
                    f"is {shorten(label)}, and {shorten(name)} is RDM data, which is matched by stimulus; "
                    "leave by: out.",
                    code="bad-by",
                )
            if label not in traits.labels:
                raise analysis.place("by").error(
                    f"is {shorten(label)}, which {shorten(name)} has no label for."
                    f"{nearest(label, sorted(traits.labels))}",
                    code="unknown-label",
                )
    if option != "by" and not any(label in traits.labels for traits in used.values()):
        known = sorted({entry for traits in used.values() for entry in traits.labels})
        raise analysis.place(option).error(
            f"is {shorten(label)}, a label that no system has.{nearest(label, known)}", code="unknown-label"
        )
