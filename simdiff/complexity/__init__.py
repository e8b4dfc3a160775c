"""Sample complexity and the best ridge: questions answered by searching the theory, not by simulation.

`curve` is one metric of a theory as a function of psi_n and ridge; `best_ridge` minimises it over the
ridge, `crossing` finds the smallest psi_n at which it falls to a threshold.
"""

from simdiff.complexity.best_ridge import BestRidge, best_ridge
from simdiff.complexity.crossing import SampleComplexity, check_arguments, sample_complexity

__all__ = ["BestRidge", "SampleComplexity", "best_ridge", "check_arguments", "sample_complexity"]
