"""Numbers of single units and spike trains: reliability, variability, correlations. Plain arrays."""

from consilience.units._cc_norm import cc_norm
from consilience.units._class_selectivity import class_selectivity
from consilience.units._concept_overlap import concept_overlap
from consilience.units._confusion_information import confusion_information
from consilience.units._copula_information import copula_information
from consilience.units._correlogram import Correlogram, autocorrelogram, cross_correlogram
from consilience.units._cv import cv
from consilience.units._cv2 import cv2
from consilience.units._d_prime import d_prime
from consilience.units._direction_score import direction_score
from consilience.units._eta_squared import eta_squared
from consilience.units._explainable_variance import explainable_variance
from consilience.units._fano import fano_factor
from consilience.units._fano_over_time import FanoOverTime, fano_over_time
from consilience.units._feve import feve
from consilience.units._fit_difference_of_gaussians import (
    DifferenceOfGaussiansFits,
    fit_difference_of_gaussians,
)
from consilience.units._fit_gabor import GaborFits, fit_gabor
from consilience.units._fit_gaussian import GaussianFits, fit_gaussian
from consilience.units._fit_tuning import fit_tuning
from consilience.units._grid_score import grid_score
from consilience.units._isi_histogram import IntervalHistogram, isi_histogram
from consilience.units._isi_violations import contamination, isi_violations
from consilience.units._jitter_test import JitterTest, jitter_test
from consilience.units._lv import lv
from consilience.units._map_stability import map_stability
from consilience.units._map_test import MapTest, map_test
from consilience.units._matched_noise import matched_noise
from consilience.units._mean_map import MeanMaps, mean_map
from consilience.units._mixed_selectivity import MixedSelectivity, mixed_selectivity
from consilience.units._modulation_index import modulation_index
from consilience.units._mutual_information import mutual_information
from consilience.units._neighbour_information import neighbour_information
from consilience.units._nested_tuning import NestedTuning, nested_tuning
from consilience.units._noise_correlations import noise_correlations
from consilience.units._noise_level import noise_level
from consilience.units._one_vs_rest import ClassScores, one_vs_rest
from consilience.units._orientation import circular_variance, direction_selectivity, orientation_selectivity
from consilience.units._pairs import PairScores
from consilience.units._place_fields import PlaceFields, place_fields
from consilience.units._presence import presence_ratio
from consilience.units._r2_er import r2_er
from consilience.units._rate import Drift, drift, firing_rate
from consilience.units._rate_map import RateMaps, rate_map
from consilience.units._roc_auc import roc_auc
from consilience.units._scores import UnitScores
from consilience.units._selectivity import Selectivity
from consilience.units._selectivity_and_impact import ImpactScores, selectivity_and_impact
from consilience.units._separability import SeparableParts, separability
from consilience.units._signal_correlations import signal_correlations
from consilience.units._skewness import skewness
from consilience.units._sparseness import lifetime_sparseness, population_sparseness
from consilience.units._spatial_information import spatial_information
from consilience.units._split_half import split_half
from consilience.units._trace_snr import trace_snr
from consilience.units._tuning_curve import TuningCurves, tuning_curve
from consilience.units._tuning_fits import TuningFits
from consilience.units._tuning_snr import tuning_snr
from consilience.units._tuning_strength import tuning_strength

__all__ = [
    "class_selectivity",
    "d_prime",
    "eta_squared",
    "matched_noise",
    "MixedSelectivity",
    "mixed_selectivity",
    "modulation_index",
    "ClassScores",
    "one_vs_rest",
    "circular_variance",
    "direction_selectivity",
    "orientation_selectivity",
    "roc_auc",
    "Selectivity",
    "ImpactScores",
    "selectivity_and_impact",
    "lifetime_sparseness",
    "population_sparseness",
    "Correlogram",
    "DifferenceOfGaussiansFits",
    "Drift",
    "FanoOverTime",
    "GaborFits",
    "GaussianFits",
    "IntervalHistogram",
    "JitterTest",
    "MapTest",
    "NestedTuning",
    "PairScores",
    "PlaceFields",
    "RateMaps",
    "SeparableParts",
    "TuningCurves",
    "TuningFits",
    "UnitScores",
    "autocorrelogram",
    "cc_norm",
    "concept_overlap",
    "contamination",
    "confusion_information",
    "copula_information",
    "cross_correlogram",
    "cv",
    "cv2",
    "direction_score",
    "drift",
    "explainable_variance",
    "fano_factor",
    "fano_over_time",
    "feve",
    "firing_rate",
    "fit_difference_of_gaussians",
    "fit_gabor",
    "fit_gaussian",
    "fit_tuning",
    "grid_score",
    "isi_histogram",
    "isi_violations",
    "jitter_test",
    "lv",
    "mutual_information",
    "map_stability",
    "map_test",
    "neighbour_information",
    "nested_tuning",
    "noise_correlations",
    "noise_level",
    "place_fields",
    "presence_ratio",
    "r2_er",
    "separability",
    "rate_map",
    "MeanMaps",
    "mean_map",
    "signal_correlations",
    "skewness",
    "spatial_information",
    "split_half",
    "trace_snr",
    "tuning_curve",
    "tuning_snr",
    "tuning_strength",
]
