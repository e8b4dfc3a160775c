"""Questions that theory, or a look inside trials, answers: when to stop, which ridge, how many samples.

`theory_curve` is one metric of a theory as a function of psi_n and ridge; `best_ridge` minimises it over the
ridge, `sample_complexity` finds the smallest psi_n at which it falls to a threshold, `stopping` the best
training time. `spectra`, `regularisation`, `densities` and `diagnosis` look at what trials are made of.
"""

from simdiff.analysis.best_ridge import BestRidge, best_ridge
from simdiff.analysis.sample_complexity import SampleComplexity, check_arguments, sample_complexity

__all__ = ["BestRidge", "SampleComplexity", "best_ridge", "check_arguments", "sample_complexity"]
