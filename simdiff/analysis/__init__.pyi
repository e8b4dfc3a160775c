from .best_ridge import BestRidge, best_ridge
from .sample_complexity import SampleComplexity, check_arguments, sample_complexity

__all__ = ["BestRidge", "SampleComplexity", "best_ridge", "check_arguments", "sample_complexity"]
