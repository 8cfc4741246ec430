"""Tables of `Patching` from the scores of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._seeds import Seed
from consilience.analyses._patch_runs import PairScores
from consilience.stats._patch_effects import patch_effects

__all__ = ["patch_table"]


def patch_table(
    scores: PairScores, direction: str, seed: Seed, *, n_null: int, level: float, controls: int
) -> dict[str, Any]:
    """What `Patching` holds, for each cell."""
    found = patch_effects(
        scores.clean,
        scores.corrupted,
        scores.patched[:, : 1 + controls],
        denoise=direction == "denoise",
        n_null=n_null,
        level=level,
        signs=seed.stream("signs"),
        picks=seed.stream("picks"),
    )
    return {
        "cells": {
            "effect": found.effect,
            "ci_low": found.low,
            "ci_high": found.high,
            "control": found.control,
            "change": found.mean,
            "change_low": found.mean_low,
            "change_high": found.mean_high,
            "p": found.p,
            "p_family": found.p_family,
        },
        "change": found.change,
        "clean": scores.clean,
        "corrupted": scores.corrupted,
        "gap": found.gap,
        "gap_low": found.gap_low,
        "gap_high": found.gap_high,
        "weak": bool(not np.isfinite(found.low).any()),
    }
