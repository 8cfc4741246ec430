"""Measures: plain arrays (stimuli, units) in, one number out; higher = more alike.

Each is a function with claims that one suite tests (`consilience.testing.check_measure`); `names` lists
them, `claims` shows what one says of itself.
"""

from consilience.measures._cca import cca, cca_held_out
from consilience.measures._cka import cka
from consilience.measures._compare_rdms import compare_rdms
from consilience.measures._contract import (
    INVARIANCES,
    Claims,
    Measure,
    PairParts,
    PredictionParts,
    Predictions,
    SubsampleParts,
    as_measure,
    claims,
    measure,
    names,
)
from consilience.measures._predictivity import linear_predictivity
from consilience.measures._procrustes import procrustes, procrustes_held_out
from consilience.measures._rdm import rdm
from consilience.measures._rsa import rsa
from consilience.measures._svcca import svcca, svcca_held_out

__all__ = [
    "INVARIANCES",
    "Claims",
    "Measure",
    "PairParts",
    "PredictionParts",
    "Predictions",
    "SubsampleParts",
    "as_measure",
    "cca",
    "cca_held_out",
    "cka",
    "claims",
    "compare_rdms",
    "linear_predictivity",
    "measure",
    "names",
    "procrustes",
    "procrustes_held_out",
    "rdm",
    "rsa",
    "svcca",
    "svcca_held_out",
]
