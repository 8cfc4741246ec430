"""Results: frozen dataclasses that carry value, interval, null and ceiling, print, and save."""

from consilience._results._ablation import Ablation
from consilience._results._agreement import Agreement
from consilience._results._attribution import Attribution
from consilience._results._base import PLOTS, SECTIONS, Result, resolve, versions
from consilience._results._best import Best
from consilience._results._comparison import Comparison
from consilience._results._contrasts import Contrasts
from consilience._results._deciding import DecidingStimuli
from consilience._results._decoding import Decoding
from consilience._results._dimensionality import Dimensionality
from consilience._results._encoding import Encoding
from consilience._results._equivalence import Equivalence
from consilience._results._evaluation import ModelEvaluation
from consilience._results._files import CLASSES, load, result_hash, save
from consilience._results._geometry import Geometry
from consilience._results._influence import Influence
from consilience._results._interchange import Interchange
from consilience._results._partition import VariancePartition
from consilience._results._patching import Patching
from consilience._results._perturbation_score import PerturbationScore
from consilience._results._predicted_perturbation import PredictedPerturbation
from consilience._results._psth import PSTH
from consilience._results._quality import Quality
from consilience._results._rdm_movie import RDMMovie
from consilience._results._rdms import RDMs
from consilience._results._receptive_field import ReceptiveField
from consilience._results._reduction import Reduction
from consilience._results._robustness import Robustness
from consilience._results._searchlight import Searchlight
from consilience._results._selectivity_impact import SelectivityImpact
from consilience._results._shape_space import ShapeSpace
from consilience._results._shapley import Shapley
from consilience._results._structure import Structure
from consilience._results._subspaces import Subspaces
from consilience._results._synthesis import Synthesis
from consilience._results._unit_report import UnitReport
from consilience._results._unit_table import UnitTable

__all__ = [
    "Structure",
    "Ablation",
    "PSTH",
    "PerturbationScore",
    "PredictedPerturbation",
    "Patching",
    "CLASSES",
    "PLOTS",
    "SECTIONS",
    "Agreement",
    "Attribution",
    "Best",
    "Comparison",
    "Contrasts",
    "DecidingStimuli",
    "Decoding",
    "Dimensionality",
    "Geometry",
    "Subspaces",
    "Encoding",
    "Influence",
    "Interchange",
    "Quality",
    "RDMMovie",
    "Equivalence",
    "ModelEvaluation",
    "RDMs",
    "ReceptiveField",
    "Reduction",
    "Result",
    "Robustness",
    "Searchlight",
    "SelectivityImpact",
    "ShapeSpace",
    "Shapley",
    "Synthesis",
    "UnitReport",
    "UnitTable",
    "VariancePartition",
    "load",
    "resolve",
    "result_hash",
    "save",
    "versions",
]
