"""Resampling, permutation, ceilings, splitters: plain arrays in, numbers out; knows no measure by name."""

from consilience.stats._ceilings import leave_one_out_ceiling, spearman_brown, split_half_rows
from consilience.stats._concordance import weighted_concordance
from consilience.stats._folds import group_folds, half_splits
from consilience.stats._intervals import (
    cross_validated_draws,
    jackknife_interval,
    percentile_interval,
    two_factor_interval,
)
from consilience.stats._pairs import permuted_cosines, weighted_cosines
from consilience.stats._permutation import max_statistic_p, p_value, permutations
from consilience.stats._weights import multinomial_weights, subset_rows

__all__ = [
    "cross_validated_draws",
    "group_folds",
    "half_splits",
    "jackknife_interval",
    "leave_one_out_ceiling",
    "max_statistic_p",
    "multinomial_weights",
    "p_value",
    "percentile_interval",
    "permutations",
    "permuted_cosines",
    "spearman_brown",
    "split_half_rows",
    "subset_rows",
    "two_factor_interval",
    "weighted_concordance",
    "weighted_cosines",
]
