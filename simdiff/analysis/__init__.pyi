from .best_ridge import BestRidge, best_ridge
from .sample_complexity import SampleComplexity, check_arguments, sample_complexity
from .spread import ModeSpread, spread_by_mode

__all__ = [
    "BestRidge",
    "ModeSpread",
    "SampleComplexity",
    "best_ridge",
    "check_arguments",
    "sample_complexity",
    "spread_by_mode",
]
