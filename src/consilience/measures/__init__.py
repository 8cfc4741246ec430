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
from consilience.measures._crossnobis import crossnobis
from consilience.measures._distance_correlation import distance_correlation
from consilience.measures._kernel_cca import kernel_cca
from consilience.measures._mean_shape import MeanShape, mean_shape
from consilience.measures._minibatch_cka import MinibatchCKA, minibatch_cka
from consilience.measures._mutual_knn import mutual_knn
from consilience.measures._one_to_one import one_to_one, one_to_one_held_out
from consilience.measures._partial_rdms import partial_compare_rdms
from consilience.measures._poisson import poisson_crossvalidated
from consilience.measures._predictivity import linear_predictivity
from consilience.measures._procrustes import procrustes, procrustes_held_out
from consilience.measures._pwcca import pwcca, pwcca_held_out
from consilience.measures._rdm import rdm
from consilience.measures._rsa import rsa
from consilience.measures._shape import shape_distance
from consilience.measures._soft_match import soft_match, soft_match_distance, soft_match_held_out
from consilience.measures._stochastic_floor import StochasticFloor, stochastic_shape_floor
from consilience.measures._stochastic_interval import StochasticInterval, stochastic_shape_interval
from consilience.measures._stochastic_shape import stochastic_shape_distance
from consilience.measures._streaming_cca import StreamingCCA
from consilience.measures._streaming_cka import StreamingCKA
from consilience.measures._svcca import svcca, svcca_held_out

__all__ = [
    "INVARIANCES",
    "Claims",
    "MeanShape",
    "Measure",
    "MinibatchCKA",
    "PairParts",
    "PredictionParts",
    "Predictions",
    "StochasticFloor",
    "StochasticInterval",
    "StreamingCCA",
    "StreamingCKA",
    "SubsampleParts",
    "as_measure",
    "cca",
    "cca_held_out",
    "cka",
    "claims",
    "compare_rdms",
    "crossnobis",
    "distance_correlation",
    "kernel_cca",
    "linear_predictivity",
    "mean_shape",
    "measure",
    "minibatch_cka",
    "mutual_knn",
    "names",
    "one_to_one",
    "one_to_one_held_out",
    "poisson_crossvalidated",
    "partial_compare_rdms",
    "procrustes",
    "procrustes_held_out",
    "pwcca",
    "pwcca_held_out",
    "rdm",
    "rsa",
    "shape_distance",
    "soft_match",
    "soft_match_distance",
    "soft_match_held_out",
    "stochastic_shape_distance",
    "stochastic_shape_floor",
    "stochastic_shape_interval",
    "svcca",
    "svcca_held_out",
]
