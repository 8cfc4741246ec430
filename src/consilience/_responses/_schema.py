"""The words of the schema."""

from __future__ import annotations

KINDS = ("activation", "count", "rate", "dff", "bold", "voltage", "latent")
DIMS = (("trial", "unit"), ("trial", "time", "unit"), ("time", "unit"))
MISSING = ("raise", "omit", "mask")
