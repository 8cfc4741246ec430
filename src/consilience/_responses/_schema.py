"""The words of the schema."""

from __future__ import annotations

KINDS = ("activation", "count", "rate", "dff", "bold", "voltage", "latent", "behaviour")
DIMS = (("trial", "unit"), ("trial", "time", "unit"), ("time", "unit"))
# what the entries of RDM data may be
DISTANCES = (
    "correlation",
    "sqeuclidean",
    "euclidean",
    "cosine",
    "mahalanobis",
    "crossnobis",
    "poisson",
    "poisson_crossvalidated",
    "unknown",
)
MISSING = ("raise", "omit", "mask", "mask_values")
