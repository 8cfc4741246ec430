"""Plain-array linear algebra shared by measures and models: centring, Gram matrices, lossless reduction,
ridge path.
"""

from consilience.linalg._centre import centre_columns, constant_columns, to_safe_size
from consilience.linalg._gram import cross, gram, squared_distances
from consilience.linalg._mds import classical_mds, rotate_onto
from consilience.linalg._reduce import principal_scores
from consilience.linalg._ridge import RidgePlan
from consilience.linalg._shrinkage import ledoit_wolf

__all__ = [
    "RidgePlan",
    "centre_columns",
    "classical_mds",
    "constant_columns",
    "cross",
    "gram",
    "ledoit_wolf",
    "principal_scores",
    "rotate_onto",
    "squared_distances",
    "to_safe_size",
]
