"""Numbers of whole populations: dimensionality, subspaces, manifolds, the geometry of conditions. Plain arrays."""

from __future__ import annotations

from consilience.populations._signal_to_noise import add_noise, signal_to_noise

__all__ = [
    "add_noise",
    "signal_to_noise",
]
