"""Check-suites for measures, results and sources, of this package and of yours.

``python -m consilience.testing`` prints what every measure claims and whether it holds.
"""

from consilience.testing._measure import check_measure, every_measure
from consilience.testing._result import check_result
from consilience.testing._rows import CheckError, CheckRow
from consilience.testing._source import check_source

__all__ = ["CheckError", "CheckRow", "check_measure", "check_result", "check_source", "every_measure"]
