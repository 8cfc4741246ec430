"""Results: frozen dataclasses that carry value, interval, null and ceiling, print, and save."""

from consilience._results._base import PLOTS, SECTIONS, Result, resolve, versions
from consilience._results._best import Best
from consilience._results._comparison import Comparison
from consilience._results._files import CLASSES, load, result_hash, save, target_path
from consilience._results._rdms import RDMs

__all__ = [
    "CLASSES",
    "PLOTS",
    "SECTIONS",
    "Best",
    "Comparison",
    "RDMs",
    "Result",
    "load",
    "resolve",
    "result_hash",
    "save",
    "target_path",
    "versions",
]
