from .best_ridge import BestRidge, best_ridge
from .features_on_points import errors_given_weights
from .sample_complexity import SampleComplexity, check_arguments, sample_complexity
from .spread import ModeSpread, spread_by_mode

__all__ = [
    "BestRidge",
    "ModeSpread",
    "SampleComplexity",
    "best_ridge",
    "check_arguments",
    "errors_given_weights",
    "sample_complexity",
    "spread_by_mode",
]
