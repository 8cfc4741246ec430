"""Numbers of whole populations: dimensionality, subspaces, manifolds, the geometry of conditions. Plain arrays."""

from __future__ import annotations

__all__: list[str] = []
