"""What an analysis asks of its systems, against what they are: before anything is recorded or computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from consilience._core._errors import nearest
from consilience._core._params import shorten
from consilience._responses import is_rdm_data
from consilience.study._analyses import Analysis

__all__ = ["Traits", "check_analysis", "traits_of_responses", "traits_of_stimuli"]


@dataclass(frozen=True)
class Traits:
    """What is known of one array of a system before it is compared: labels on trial, and whether it is RDM data."""

    labels: frozenset[str]
    is_rdm: bool = False


def traits_of_responses(data: xr.DataArray) -> Traits:
    on_trial = frozenset(str(name) for name, coord in data.coords.items() if coord.dims == ("trial",))
    return Traits(on_trial, is_rdm=is_rdm_data(data))


def traits_of_stimuli(stimuli: xr.DataArray) -> Traits:
    """Of a network's recordings, which take their labels from the stimuli."""
    return Traits(
        frozenset(str(name) for name, coord in stimuli.coords.items() if coord.dims == ("stimulus",))
    )


def check_analysis(analysis: Analysis, systems: Mapping[str, Mapping[str, Traits]]) -> None:
    """Refuses labels that no data have, and measures that RDMs alone cannot serve.

    Parameters
    ----------
    systems : {system: {name of each array in it: its traits}}; of a network one entry.
    """
    used = {
        name if name == inner else f"{name}/{inner}": traits
        for name in dict.fromkeys((*analysis.a, *analysis.b))
        for inner, traits in systems[name].items()
    }
    by, groups = str(analysis.options.get("by", "stimulus")), analysis.options.get("groups")
    if by != "stimulus":
        for name, traits in used.items():
            if traits.is_rdm:
                raise analysis.place("by").error(
                    f"is {shorten(by)}, and {shorten(name)} is RDM data, which is matched by stimulus; leave by: out.",
                    code="bad-by",
                )
            if by not in traits.labels:
                raise analysis.place("by").error(
                    f"is {shorten(by)}, which {shorten(name)} has no label for.{nearest(by, sorted(traits.labels))}",
                    code="unknown-label",
                )
    if groups is not None and not any(groups in traits.labels for traits in used.values()):
        known = sorted({label for traits in used.values() for label in traits.labels})
        raise analysis.place("groups").error(
            f"is {shorten(groups)}, a label that no system has.{nearest(groups, known)}", code="unknown-label"
        )
    for measure in analysis.measures:
        for name, traits in used.items():
            if traits.is_rdm and not measure.takes_rdms:
                raise (measure.node or analysis.place("measure")).error(
                    f"{measure.label} needs responses, and {shorten(name)} is known by its RDM only; use rsa or cka.",
                    code="needs-responses",
                )
