"""The schema: responses and RDM data are plain `xarray.DataArray`s; here they are made, checked, matched.

Responses have dims ("trial", "unit"), ("trial", "time", "unit") or ("time", "unit"), in that order.
``stimulus`` (the id by which systems are aligned) and any other label are coordinates on ``trial``.
RDM data has dims ("rdm", "stimulus", "stimulus_").
"""

from consilience._responses._baseline import baseline
from consilience._responses._check import (
    check_rdm_data,
    check_responses,
    check_with_missing,
    is_rdm_data,
    recorded_cautions,
)
from consilience._responses._group import average, split
from consilience._responses._ids import check_ids, made_up_ids, stable_order
from consilience._responses._make import responses
from consilience._responses._match import align, common_ids, iterate_systems, select_ids, stimulus_ids
from consilience._responses._pseudo import PseudoPopulation, pseudo_population
from consilience._responses._rdm_data import rdm_data
from consilience._responses._schema import DIMS, DISTANCES, KINDS, MISSING
from consilience._responses._smooth import smooth
from consilience._responses._unflatten import unflatten

__all__ = [
    "DIMS",
    "DISTANCES",
    "KINDS",
    "MISSING",
    "PseudoPopulation",
    "align",
    "average",
    "baseline",
    "check_ids",
    "check_rdm_data",
    "check_responses",
    "check_with_missing",
    "common_ids",
    "is_rdm_data",
    "iterate_systems",
    "made_up_ids",
    "pseudo_population",
    "rdm_data",
    "recorded_cautions",
    "responses",
    "select_ids",
    "smooth",
    "split",
    "stable_order",
    "stimulus_ids",
    "unflatten",
]
