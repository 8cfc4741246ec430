"""Pictures of results with matplotlib: an axis goes in, the same axis comes out. Nothing is computed here.

Every function takes ``ax=None``. Without one it makes a figure of its own: through pyplot where pyplot is
in use already (so that notebooks and ``plt.show()`` show it), else a plain `matplotlib.figure.Figure`,
which is at ``ax.figure``. The look is set for the call only; your ``rcParams`` stay as they are. Layers and
systems stand in the order of the data.
"""

from __future__ import annotations

from consilience.plots._ablation import plot_ablation
from consilience.plots._agreement import plot_agreement
from consilience.plots._attribution import plot_attribution
from consilience.plots._best import plot_best
from consilience.plots._comparison import plot_comparison
from consilience.plots._component_choice import plot_component_choice
from consilience.plots._component_courses import plot_component_courses
from consilience.plots._component_loadings import plot_loadings
from consilience.plots._condition_colors import circle_map
from consilience.plots._contrasts import plot_contrasts
from consilience.plots._deciding import plot_deciding
from consilience.plots._decoding import plot_decoding
from consilience.plots._dimensionality import plot_dimensionality
from consilience.plots._dots import plot_dots
from consilience.plots._encoding import plot_encoding
from consilience.plots._equivalence import plot_equivalence
from consilience.plots._evaluation import plot_evaluation
from consilience.plots._explained import plot_explained
from consilience.plots._geometry import plot_geometry
from consilience.plots._glm import plot_filter, plot_time_rescaling
from consilience.plots._influence import plot_influence
from consilience.plots._interchange import plot_interchange
from consilience.plots._latents import plot_latents
from consilience.plots._map import plot_map
from consilience.plots._map_neighbours import plot_neighbours
from consilience.plots._partition import plot_partition
from consilience.plots._patching import plot_patching
from consilience.plots._predicted_perturbation import plot_perturbation_score, plot_predicted_perturbation
from consilience.plots._profile import plot_profile
from consilience.plots._psth import plot_psth
from consilience.plots._quality import plot_quality
from consilience.plots._rdm_movie import plot_rdm_movie
from consilience.plots._rdms import plot_rdms
from consilience.plots._receptive_field import plot_receptive_field
from consilience.plots._reduction import plot_reduction
from consilience.plots._robustness import plot_robustness
from consilience.plots._searchlight import plot_searchlight
from consilience.plots._selectivity_impact import plot_selectivity_impact
from consilience.plots._shape_space import plot_shape_space
from consilience.plots._shapley import plot_shapley
from consilience.plots._stimulus_map import plot_stimulus_map
from consilience.plots._structure import plot_structure
from consilience.plots._subspaces import plot_subspaces
from consilience.plots._synthesis import plot_synthesis
from consilience.plots._systems_map import plot_systems_map
from consilience.plots._tensor_factors import plot_tensor_factors
from consilience.plots._trajectories import plot_trajectories
from consilience.plots._unit_report import plot_unit_report
from consilience.plots._unit_table import plot_unit_table
from consilience.plots._unit_tuning import plot_polar, plot_rate_map

__all__ = [
    "circle_map",
    "plot_component_choice",
    "plot_component_courses",
    "plot_explained",
    "plot_latents",
    "plot_loadings",
    "plot_neighbours",
    "plot_reduction",
    "plot_tensor_factors",
    "plot_trajectories",
    "plot_ablation",
    "plot_agreement",
    "plot_attribution",
    "plot_best",
    "plot_comparison",
    "plot_deciding",
    "plot_decoding",
    "plot_contrasts",
    "plot_dots",
    "plot_encoding",
    "plot_filter",
    "plot_influence",
    "plot_interchange",
    "plot_equivalence",
    "plot_evaluation",
    "plot_map",
    "plot_partition",
    "plot_perturbation_score",
    "plot_predicted_perturbation",
    "plot_patching",
    "plot_robustness",
    "plot_polar",
    "plot_selectivity_impact",
    "plot_profile",
    "plot_psth",
    "plot_dimensionality",
    "plot_geometry",
    "plot_subspaces",
    "plot_quality",
    "plot_unit_report",
    "plot_unit_table",
    "plot_rate_map",
    "plot_rdm_movie",
    "plot_rdms",
    "plot_receptive_field",
    "plot_searchlight",
    "plot_shape_space",
    "plot_structure",
    "plot_synthesis",
    "plot_shapley",
    "plot_stimulus_map",
    "plot_systems_map",
    "plot_time_rescaling",
]
