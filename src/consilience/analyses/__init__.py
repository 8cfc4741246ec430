"""The verbs: labelled data in, results out. They do the bookkeeping and hold no formula of a measure."""

from consilience.analyses._compare import compare
from consilience.analyses._rdms import rdms

__all__ = ["compare", "rdms"]
