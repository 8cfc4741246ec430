"""The verbs: labelled data in, results out. They do the bookkeeping and hold no formula of a measure."""

from consilience.analyses._ablate import ablate
from consilience.analyses._attribute import attribute
from consilience.analyses._characterize import characterize
from consilience.analyses._compare import compare
from consilience.analyses._deciding import deciding_stimuli
from consilience.analyses._decode import decode
from consilience.analyses._dimensionality import dimensionality
from consilience.analyses._encode import encode
from consilience.analyses._equivalence import equivalence
from consilience.analyses._evaluate_models import evaluate_models
from consilience.analyses._exemplars import exemplars
from consilience.analyses._geometry import geometry
from consilience.analyses._influence import influence
from consilience.analyses._interchange import interchange
from consilience.analyses._partition import partition
from consilience.analyses._patch import patch
from consilience.analyses._predict_perturbation import predict_perturbation
from consilience.analyses._project import project
from consilience.analyses._psth import psth
from consilience.analyses._quality import quality
from consilience.analyses._rdm_movie import rdm_movie
from consilience.analyses._rdms import rdms
from consilience.analyses._receptive_field import receptive_field
from consilience.analyses._reduce import reduce
from consilience.analyses._robustness import robustness
from consilience.analyses._score_perturbation import score_perturbation
from consilience.analyses._searchlight import searchlight
from consilience.analyses._select_units import select_units
from consilience.analyses._selectivity_impact import selectivity_impact
from consilience.analyses._shape_space import shape_space
from consilience.analyses._shapley import shapley
from consilience.analyses._structure import structure
from consilience.analyses._subspaces import subspaces
from consilience.analyses._synthesize import synthesize
from consilience.analyses._unit_report import unit_report

__all__ = [
    "ablate",
    "attribute",
    "characterize",
    "compare",
    "deciding_stimuli",
    "decode",
    "dimensionality",
    "geometry",
    "subspaces",
    "encode",
    "equivalence",
    "evaluate_models",
    "exemplars",
    "influence",
    "interchange",
    "partition",
    "patch",
    "predict_perturbation",
    "project",
    "psth",
    "quality",
    "rdm_movie",
    "rdms",
    "receptive_field",
    "reduce",
    "robustness",
    "score_perturbation",
    "searchlight",
    "select_units",
    "selectivity_impact",
    "shape_space",
    "structure",
    "shapley",
    "synthesize",
    "unit_report",
]
