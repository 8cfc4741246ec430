"""Models: scikit-learn estimators (``__init__`` stores, ``fit`` validates, fitted names end in ``_``)."""

from consilience.models._banded_ridge import BandedRidgeCV
from consilience.models._kernel_ridge import KernelRidgeCV
from consilience.models._one_to_one import OneToOne
from consilience.models._pls import PLSCV
from consilience.models._rdm import FixedRDM, InterpolateRDM, SelectRDM, WeightedRDM
from consilience.models._ridge import RidgeCV

__all__ = [
    "PLSCV",
    "BandedRidgeCV",
    "FixedRDM",
    "InterpolateRDM",
    "KernelRidgeCV",
    "OneToOne",
    "RidgeCV",
    "SelectRDM",
    "WeightedRDM",
]
