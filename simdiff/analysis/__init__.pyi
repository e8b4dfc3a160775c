from .best_ridge import BestRidge, best_ridge
from .features_of_trials import features_against_theory, trial_weights
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
    "features_against_theory",
    "generated_samples",
    "sample_complexity",
    "spread_by_mode",
    "trial_weights",
]
