"""Effects of patches from scores of pairs of runs: shares of the contrast, changes, intervals, controls, p."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consilience.stats._item_changes import above_controls_p, sign_flip_p
from consilience.stats._paired import t_test
from consilience.stats._ratio import ratio_interval

__all__ = ["PatchEffects", "patch_effects"]


@dataclass(frozen=True, kw_only=True)
class PatchEffects:
    """Of k patches and n pairs. effect, low, high : (k,) share of the contrast with Fieller's interval.
    control : (k,) mean share of control patches.   mean, mean_low, mean_high : (k,) change.
    p, p_family : (k,).   change : (k, n).   gap, gap_low, gap_high : the contrast, mean of clean - corrupted.
    """

    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    control: np.ndarray
    mean: np.ndarray
    mean_low: np.ndarray
    mean_high: np.ndarray
    p: np.ndarray
    p_family: np.ndarray
    change: np.ndarray
    gap: float
    gap_low: float
    gap_high: float


def patch_effects(
    clean: np.ndarray,
    corrupted: np.ndarray,
    patched: np.ndarray,
    *,
    denoise: bool,
    n_null: int,
    level: float,
    signs: np.random.Generator,
    picks: np.random.Generator,
) -> PatchEffects:
    """effect = mean change / mean(clean - corrupted), the change being patched - corrupted (``denoise``) or clean -
    patched; intervals over pairs.

    p is the larger of that of no mean change (`sign_flip_p`) and, with controls, of a control patch changing as much in
    this direction (`above_controls_p`; 1 where controls change more).

    clean, corrupted : (n,) scores.   patched : (k, 1 + controls, n), the patch from the partner first.
    """
    gap = clean - corrupted
    n = len(gap)
    toward = patched - corrupted if denoise else clean - patched
    change, null = toward[:, 0], toward[:, 1:]
    value, low, high = ratio_interval(change, gap, level=level)
    mean = change.mean(axis=1)
    test = t_test(mean, change.var(axis=1, ddof=1) / n, df=n - 1, level=level)
    whole = t_test(gap.mean(), gap.var(ddof=1) / n, df=n - 1, level=level)
    control = np.full(len(mean), np.nan)
    p, family = sign_flip_p(change, n_null, signs)
    if null.shape[1]:
        of_null = null.mean(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            control = of_null / gap.mean()
        beyond = np.sign(mean - of_null) == np.sign(mean)
        p, family = (
            np.maximum(mine, np.where(beyond, theirs, 1.0))
            for mine, theirs in zip((p, family), above_controls_p(toward, n_null, picks))
        )
    return PatchEffects(
        effect=value,
        low=low,
        high=high,
        control=control,
        mean=mean,
        mean_low=test.low,
        mean_high=test.high,
        p=p,
        p_family=family,
        change=change,
        gap=float(gap.mean()),
        gap_low=float(whole.low),
        gap_high=float(whole.high),
    )
