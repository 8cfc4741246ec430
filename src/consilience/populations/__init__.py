"""Numbers of whole populations: dimensionality, subspaces, manifolds, the geometry of conditions. Plain arrays."""

from __future__ import annotations

from consilience.populations._curvature import Curvature, curvature
from consilience.populations._dimension import Dimension
from consilience.populations._participation_ratio import participation_ratio
from consilience.populations._rotation import Rotation, rotation_ratio
from consilience.populations._signal_to_noise import add_noise, signal_to_noise
from consilience.populations._tangling import Tangling, tangling

__all__ = [
    "Curvature",
    "curvature",
    "Rotation",
    "rotation_ratio",
    "Tangling",
    "tangling",
    "Dimension",
    "add_noise",
    "participation_ratio",
    "signal_to_noise",
]
