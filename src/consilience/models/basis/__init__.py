"""Basis functions: smooth tuning curves and temporal filters from few numbers. They add (``a + b``: side by side) and
multiply (``a * b``: every product, for inputs that act together).
"""

from consilience.models.basis._base import Basis
from consilience.models.basis._one_hot import OneHot
from consilience.models.basis._raised_cosine import RaisedCosine, RaisedCosineLog
from consilience.models.basis._spline import BSpline

__all__ = ["BSpline", "Basis", "OneHot", "RaisedCosine", "RaisedCosineLog"]
