"""Plain-array linear algebra shared by measures and models: centring, Gram matrices, lossless reduction,
ridge path.
"""

from consilience.linalg._centre import centre_columns, constant_columns, level_columns, to_safe_size
from consilience.linalg._cma import CMA
from consilience.linalg._gram import cross, gram, squared_distances
from consilience.linalg._mds import classical_mds, rotate_onto
from consilience.linalg._nnls import nnls_from_gram
from consilience.linalg._noise import NoiseCovariance, Residuals, noise_covariance, stimulus_residuals
from consilience.linalg._reduce import principal_scores
from consilience.linalg._ridge import RidgePlan
from consilience.linalg._ridge_path import DualRidge, PrimalRidge, RidgeSolution, ridge_solver
from consilience.linalg._shrinkage import ledoit_wolf
from consilience.linalg._sinkhorn import sinkhorn
from consilience.linalg._transport import Transport, transport

__all__ = [
    "CMA",
    "DualRidge",
    "NoiseCovariance",
    "PrimalRidge",
    "Residuals",
    "RidgePlan",
    "RidgeSolution",
    "Transport",
    "centre_columns",
    "classical_mds",
    "constant_columns",
    "cross",
    "gram",
    "ledoit_wolf",
    "level_columns",
    "nnls_from_gram",
    "noise_covariance",
    "principal_scores",
    "ridge_solver",
    "rotate_onto",
    "sinkhorn",
    "squared_distances",
    "stimulus_residuals",
    "to_safe_size",
    "transport",
]
