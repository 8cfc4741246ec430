"""The verbs: labelled data in, results out. They do the bookkeeping and hold no formula of a measure."""

from consilience.analyses._compare import compare
from consilience.analyses._partition import partition
from consilience.analyses._rdms import rdms
from consilience.analyses._shape_space import shape_space

__all__ = ["compare", "partition", "rdms", "shape_space"]
