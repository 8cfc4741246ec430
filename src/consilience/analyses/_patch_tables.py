"""Effects of patches from the scores of pairs: shares, changes, intervals, controls and p."""

from __future__ import annotations

from typing import Any

import numpy as np

from consilience._core._seeds import Seed
from consilience.analyses._patch_runs import PairScores
from consilience.stats import above_controls_p, ratio_interval, sign_flip_p, t_test

__all__ = ["patch_table"]


def patch_table(
    scores: PairScores, direction: str, seed: Seed, *, n_null: int, level: float, controls: int
) -> dict[str, Any]:
    """What `Patching` holds, for each cell."""
    gap = scores.clean - scores.corrupted
    n = len(gap)
    toward = (
        scores.patched - scores.corrupted if direction == "denoise" else scores.clean - scores.patched
    )  # (cells, 1 + controls, n)
    change = toward[:, 0]
    value, low, high = ratio_interval(change, gap, level=level)
    mean = change.mean(axis=1)
    test = t_test(mean, change.var(axis=1, ddof=1) / n, df=n - 1, level=level)
    whole = t_test(gap.mean(), gap.var(ddof=1) / n, df=n - 1, level=level)
    null = toward[:, 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        null_effect = null.mean(axis=(1, 2)) / gap.mean() if controls else np.full(len(mean), np.nan)
    p, family = sign_flip_p(change, n_null, seed.stream("signs"))
    if controls:
        found = above_controls_p(toward, n_null, seed.stream("picks"))
        beyond = np.sign(mean - null.mean(axis=(1, 2))) == np.sign(mean)
        p, family = (
            np.maximum(mine, np.where(beyond, theirs, 1.0)) for mine, theirs in zip((p, family), found)
        )
    return {
        "cells": {
            "effect": value,
            "ci_low": low,
            "ci_high": high,
            "control": null_effect,
            "change": mean,
            "change_low": test.low,
            "change_high": test.high,
            "p": p,
            "p_family": family,
        },
        "change": change,
        "clean": scores.clean,
        "corrupted": scores.corrupted,
        "gap": float(gap.mean()),
        "gap_low": float(whole.low),
        "gap_high": float(whole.high),
        "weak": bool(not np.isfinite(low).any()),
    }
