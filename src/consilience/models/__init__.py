"""Models: scikit-learn estimators (``__init__`` stores, ``fit`` validates, fitted names end in ``_``)."""

from __future__ import annotations

import importlib
from typing import Any

from consilience.models import basis
from consilience.models._asd import ASD
from consilience.models._banded_ridge import BandedRidgeCV
from consilience.models._bayesian_decoder import BayesianDecoder
from consilience.models._cp import CP
from consilience.models._dpca import DPCA
from consilience.models._embedding import Embedding
from consilience.models._factor_analysis import FactorAnalysis
from consilience.models._glm import GLM
from consilience.models._glm_cv import GLMCV
from consilience.models._gpfa import GPFA
from consilience.models._jpca import JPCA
from consilience.models._kalman import KalmanFilter
from consilience.models._kernel_ridge import KernelRidgeCV
from consilience.models._lags import coupling_design, lagged
from consilience.models._latent_cv import LatentCV
from consilience.models._lda import LDA
from consilience.models._lds import LDS
from consilience.models._lnp import LNP
from consilience.models._low_rank_rf import LowRankRF
from consilience.models._max_correlation import MaxCorrelation
from consilience.models._one_to_one import OneToOne
from consilience.models._pca import PCA
from consilience.models._pls import PLSCV
from consilience.models._poisson_bayes import PoissonNaiveBayes
from consilience.models._poisson_gpfa import PoissonGPFA
from consilience.models._psid import PSID
from consilience.models._quadratic_rf import QuadraticRF
from consilience.models._rdm import FixedRDM, InterpolateRDM, SelectRDM, WeightedRDM
from consilience.models._ridge import RidgeCV
from consilience.models._ridge_rf import RidgeRF
from consilience.models._shared_structure import SharedStructure, shared_structure
from consilience.models._spline_rf import SplineRF
from consilience.models._sta import SpikeTriggeredAverage
from consilience.models._stc import SpikeTriggeredCovariance
from consilience.models._targeted import TargetedDR, TargetedScores
from consilience.models._wiener import WienerFilter

__all__ = [
    "CP",
    "LDS",
    "PSID",
    "Embedding",
    "FactorAnalysis",
    "PCA",
    "DPCA",
    "JPCA",
    "QuadraticRF",
    "LNP",
    "LowRankRF",
    "SplineRF",
    "SpikeTriggeredCovariance",
    "ASD",
    "RidgeRF",
    "SpikeTriggeredAverage",
    "GLM",
    "GPFA",
    "GLMCV",
    "LDA",
    "LatentCV",
    "SharedStructure",
    "shared_structure",
    "PLSCV",
    "BandedRidgeCV",
    "BayesianDecoder",
    "FixedRDM",
    "InterpolateRDM",
    "KalmanFilter",
    "KernelRidgeCV",
    "MaxCorrelation",
    "OneToOne",
    "PoissonGPFA",
    "PoissonNaiveBayes",
    "Readout",  # noqa: F822
    "RidgeCV",
    "SelectRDM",
    "TargetedDR",
    "TargetedScores",
    "WeightedRDM",
    "basis",
    "coupling_design",
    "lagged",
    "WienerFilter",
]

# public name -> the module that defines it: what is made of torch lives in `networks`, above this package
_ELSEWHERE = {"Readout": "consilience.networks._readout"}

# what models are called elsewhere
_OTHER_WORDS = {
    "dpca": "DPCA",
    "fa": "FactorAnalysis",
    "isomap": "Embedding",
    "jpca": "JPCA",
    "kalman": "KalmanFilter",
    "parafac": "CP",
    "pgpfa": "PoissonGPFA",
    "plds": "PoissonGPFA",
    "tca": "CP",
    "tdr": "TargetedDR",
    "tensor": "CP",
    "tsne": "Embedding",
    "umap": "Embedding",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        from consilience._core._errors import nearest

        other = _OTHER_WORDS.get(name.lower())
        hint = f" Did you mean {other!r}?" if other else nearest(name, __all__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
    value = getattr(importlib.import_module(_ELSEWHERE[name]), name)
    globals()[name] = value
    return value
