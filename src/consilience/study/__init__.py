"""Studies: a YAML file of systems and analyses becomes a graph of blocks, a store that resumes, results and a
report."""

from consilience.study._outcomes import Failure, Progress, StudyRun
from consilience.study._run import run
from consilience.study._schema import Study, load

__all__ = ["Failure", "Progress", "Study", "StudyRun", "load", "run"]
