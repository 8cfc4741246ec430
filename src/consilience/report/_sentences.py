"""What a result says in words: one entry per class of result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from consilience._results import Result
from consilience.report._ablation_words import of_ablation
from consilience.report._attribution_words import of_attribution
from consilience.report._card_words import of_unit_report
from consilience.report._decoding_words import decoding_sentences
from consilience.report._dimensionality_words import of_dimensionality
from consilience.report._geometry_words import of_geometry, of_subspaces
from consilience.report._model_words import of_equivalence, of_evaluation, of_movie, of_partition, of_rdms
from consilience.report._patching_words import of_interchange, of_patching, of_robustness
from consilience.report._perturbation_words import of_perturbation_score, of_predicted_perturbation
from consilience.report._reduction_words import of_reduction
from consilience.report._selectivity_impact_words import of_selectivity_impact
from consilience.report._shapley_words import of_shapley
from consilience.report._structure_words import of_structure
from consilience.report._synthesis_words import of_synthesis
from consilience.report._system_words import (
    of_agreement,
    of_best,
    of_contrasts,
    of_deciding,
    of_influence,
    of_shape_space,
)
from consilience.report._unit_words import (
    of_encoding,
    of_psth,
    of_quality,
    of_receptive_field,
    of_searchlight,
    of_unit_table,
)

__all__ = ["SENTENCES", "sentences"]


def sentences(result: Result) -> tuple[str, ...]:
    """The answer in words; where no words are known, what the result prints of itself."""
    words = SENTENCES.get(type(result).__name__)
    return words(result) if words is not None else tuple(line.strip() for line in result._lines()[:3])


SENTENCES: Mapping[str, Callable[[Any], tuple[str, ...]]] = {
    "Ablation": of_ablation,
    "Best": of_best,
    "Agreement": of_agreement,
    "Contrasts": of_contrasts,
    "Equivalence": of_equivalence,
    "DecidingStimuli": of_deciding,
    "Decoding": decoding_sentences,
    "Dimensionality": of_dimensionality,
    "Geometry": of_geometry,
    "Subspaces": of_subspaces,
    "Encoding": of_encoding,
    "Influence": of_influence,
    "Interchange": of_interchange,
    "PSTH": of_psth,
    "Patching": of_patching,
    "Quality": of_quality,
    "ModelEvaluation": of_evaluation,
    "RDMMovie": of_movie,
    "RDMs": of_rdms,
    "ReceptiveField": of_receptive_field,
    "Robustness": of_robustness,
    "Searchlight": of_searchlight,
    "SelectivityImpact": of_selectivity_impact,
    "ShapeSpace": of_shape_space,
    "UnitTable": of_unit_table,
    "UnitReport": of_unit_report,
    "Shapley": of_shapley,
    "Reduction": of_reduction,
    "Structure": of_structure,
    "Synthesis": of_synthesis,
    "PredictedPerturbation": of_predicted_perturbation,
    "PerturbationScore": of_perturbation_score,
    "Attribution": of_attribution,
    "VariancePartition": of_partition,
}
