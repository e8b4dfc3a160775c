from .best_ridge import BestRidge, best_ridge
from .features_on_points import errors_given_weights
from .generated import Generated, generated_samples
from .sample_complexity import SampleComplexity, check_arguments, sample_complexity
from .spread import ModeSpread, spread_by_mode

__all__ = [
    "BestRidge",
    "Generated",
    "ModeSpread",
    "SampleComplexity",
    "best_ridge",
    "check_arguments",
    "errors_given_weights",
    "generated_samples",
    "sample_complexity",
    "spread_by_mode",
]
