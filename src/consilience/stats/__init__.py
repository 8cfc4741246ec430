"""Resampling, permutation, ceilings, splitters: plain arrays in, numbers out; knows no measure by name."""

from consilience.stats._against_draws import against_draws
from consilience.stats._ceilings import (
    leave_one_out_ceiling,
    repeats_ceiling,
    spearman_brown,
    split_half_rows,
)
from consilience.stats._clustered import crossed_mean_variance
from consilience.stats._components import (
    component_gains,
    fold_interval,
    gains_about_means,
    matched_components,
    subspace_overlap,
    turned_to,
    without_each,
)
from consilience.stats._components_in_turn import components_in_turn
from consilience.stats._concordance import permuted_concordance, weighted_concordance
from consilience.stats._crossed import (
    crossed_components,
    jackknife_variance,
    left_out_cosines,
    once_counted_variance,
)
from consilience.stats._decoding import (
    angular_error,
    class_weights,
    pair_counts,
    placements,
    proportion_interval,
)
from consilience.stats._effect_agreement import EffectAgreement, effect_agreement
from consilience.stats._explainable import explainable, signal_ratio_interval, weighted_reliability
from consilience.stats._fisher_information import LinearFisherInformation, linear_fisher_information
from consilience.stats._folds import blocked_folds, group_folds, half_splits, stratified_folds
from consilience.stats._gain import gain_over
from consilience.stats._goodness import GoodnessOfFit, goodness_of_fit
from consilience.stats._grams import weighted_grams
from consilience.stats._grouped import group_permutations, group_weights
from consilience.stats._half_height import area_under, falling, half_height
from consilience.stats._intervals import (
    cross_validated_draws,
    held_out_interval,
    jackknife_interval,
    percentile_interval,
    two_factor_interval,
)
from consilience.stats._item_changes import above_controls_p, sign_flip_p
from consilience.stats._label_permutations import label_permutations, stretches
from consilience.stats._lesion_effects import (
    AgainstRandom,
    area_under_curve,
    order_against_random,
    paired_effect,
)
from consilience.stats._likelihood import (
    DISCRETE,
    OBSERVATIONS,
    check_observed,
    deviance,
    likelihood_gain,
)
from consilience.stats._multiple import adjust, fdr, holm, max_statistic
from consilience.stats._neighbourhoods import nearest_rows, neighbours_shared, trustworthiness
from consilience.stats._neighbours import in_stretches, neighbours_alike, order_matters
from consilience.stats._off_distribution import OffDistribution
from consilience.stats._paired import cross_validated_variance, equivalence_p, t_test, two_factor_variance
from consilience.stats._pairs import permuted_cosines, weighted_cosines
from consilience.stats._parallel_analysis import ParallelAnalysis, parallel_analysis, unrelated_units
from consilience.stats._permutation import max_statistic_p, p_value, permutations
from consilience.stats._ratio import ratio_interval
from consilience.stats._relabellings import distinct_relabellings
from consilience.stats._series import autocorrelation_time, block_weights, circular_shifts
from consilience.stats._shapley import all_coalitions, shapley_interactions, shapley_values
from consilience.stats._slow import slow_changes
from consilience.stats._steps import shuffled_steps, straightened
from consilience.stats._surrogates import (
    SURROGATES,
    circularly_shifted,
    phase_randomised,
    shuffled_conditions,
    shuffled_trials,
    surrogates,
)
from consilience.stats._tensor_max_entropy import tensor_max_entropy
from consilience.stats._time_rescaling import TimeRescaling, time_rescaling
from consilience.stats._trial_mean import trial_mean_interval
from consilience.stats._weights import multinomial_weights, subset_rows

__all__ = [
    "against_draws",
    "ParallelAnalysis",
    "SURROGATES",
    "component_gains",
    "fold_interval",
    "gains_about_means",
    "matched_components",
    "nearest_rows",
    "neighbours_shared",
    "parallel_analysis",
    "components_in_turn",
    "subspace_overlap",
    "trustworthiness",
    "turned_to",
    "unrelated_units",
    "without_each",
    "circularly_shifted",
    "phase_randomised",
    "shuffled_conditions",
    "shuffled_steps",
    "straightened",
    "shuffled_trials",
    "surrogates",
    "tensor_max_entropy",
    "crossed_mean_variance",
    "area_under",
    "falling",
    "half_height",
    "EffectAgreement",
    "effect_agreement",
    "above_controls_p",
    "sign_flip_p",
    "AgainstRandom",
    "OffDistribution",
    "area_under_curve",
    "order_against_random",
    "paired_effect",
    "LinearFisherInformation",
    "GoodnessOfFit",
    "DISCRETE",
    "OBSERVATIONS",
    "TimeRescaling",
    "check_observed",
    "deviance",
    "goodness_of_fit",
    "in_stretches",
    "neighbours_alike",
    "order_matters",
    "time_rescaling",
    "distinct_relabellings",
    "adjust",
    "angular_error",
    "autocorrelation_time",
    "block_weights",
    "blocked_folds",
    "circular_shifts",
    "class_weights",
    "cross_validated_draws",
    "cross_validated_variance",
    "crossed_components",
    "equivalence_p",
    "explainable",
    "fdr",
    "group_folds",
    "group_permutations",
    "group_weights",
    "half_splits",
    "held_out_interval",
    "likelihood_gain",
    "holm",
    "jackknife_interval",
    "jackknife_variance",
    "label_permutations",
    "leave_one_out_ceiling",
    "left_out_cosines",
    "linear_fisher_information",
    "max_statistic",
    "max_statistic_p",
    "multinomial_weights",
    "once_counted_variance",
    "p_value",
    "pair_counts",
    "percentile_interval",
    "permutations",
    "permuted_concordance",
    "permuted_cosines",
    "placements",
    "proportion_interval",
    "ratio_interval",
    "gain_over",
    "repeats_ceiling",
    "all_coalitions",
    "shapley_interactions",
    "shapley_values",
    "slow_changes",
    "spearman_brown",
    "split_half_rows",
    "stratified_folds",
    "stretches",
    "subset_rows",
    "t_test",
    "trial_mean_interval",
    "two_factor_interval",
    "two_factor_variance",
    "signal_ratio_interval",
    "weighted_reliability",
    "weighted_concordance",
    "weighted_cosines",
    "weighted_grams",
]
