"""Numbers of whole populations: dimensionality, subspaces, manifolds, the geometry of conditions. Plain arrays."""

from __future__ import annotations

from consilience.populations._ball_capacity import ball_capacity
from consilience.populations._class_geometry import ClassGeometry, class_geometry
from consilience.populations._class_separability import ClassSeparability, class_separability
from consilience.populations._cross_condition import cross_condition_generalisation
from consilience.populations._curvature import Curvature, curvature
from consilience.populations._cvpca import Spectrum, cvpca
from consilience.populations._dimension import Dimension
from consilience.populations._effective_rank import effective_rank
from consilience.populations._local_pca_dimension import local_pca_dimension
from consilience.populations._manifold_capacity import ManifoldCapacity, manifold_capacity
from consilience.populations._mle_dimension import mle_dimension, mle_pointwise
from consilience.populations._noise_alignment import noise_alignment
from consilience.populations._noise_geometry import NoiseGeometry, noise_geometry
from consilience.populations._parallelism import parallelism_score
from consilience.populations._participation_ratio import participation_ratio, with_more_units
from consilience.populations._population_score import PopulationScore
from consilience.populations._principal_angles import alignment_index, principal_angles
from consilience.populations._rotation import Rotation, rotation_ratio
from consilience.populations._saturation import Saturation, saturation
from consilience.populations._shattering import shattering_dimensionality
from consilience.populations._signal_to_noise import add_noise, signal_to_noise
from consilience.populations._simulated_capacity import SimulatedCapacity, simulated_capacity
from consilience.populations._subspace_alignment import SubspaceAlignment, subspace_alignment
from consilience.populations._svca import SharedComponents, svca
from consilience.populations._tangling import Tangling, tangling
from consilience.populations._two_nn import two_nn
from consilience.populations._variance_in_k import variance_in_k

__all__ = [
    "ClassGeometry",
    "ClassSeparability",
    "NoiseGeometry",
    "class_geometry",
    "class_separability",
    "noise_alignment",
    "noise_geometry",
    "ManifoldCapacity",
    "SimulatedCapacity",
    "ball_capacity",
    "manifold_capacity",
    "simulated_capacity",
    "Curvature",
    "curvature",
    "Rotation",
    "rotation_ratio",
    "Tangling",
    "tangling",
    "variance_in_k",
    "Dimension",
    "PopulationScore",
    "SubspaceAlignment",
    "alignment_index",
    "principal_angles",
    "subspace_alignment",
    "cross_condition_generalisation",
    "parallelism_score",
    "shattering_dimensionality",
    "Saturation",
    "SharedComponents",
    "Spectrum",
    "cvpca",
    "add_noise",
    "effective_rank",
    "local_pca_dimension",
    "mle_dimension",
    "mle_pointwise",
    "participation_ratio",
    "saturation",
    "signal_to_noise",
    "svca",
    "two_nn",
    "with_more_units",
]
