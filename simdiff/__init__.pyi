# The whole public surface. It is read when simdiff is imported, too: a name here is loaded from there.
from . import (
    analysis,
    data,
    engine,
    errors,
    functions,
    models,
    problem,
    problems,
    sampling,
    theory,
    trainers,
    validation,
)
from .analysis.best import best
from .analysis.best_ridge import best_ridge
from .analysis.densities import learned_density
from .analysis.diagnosis import diagnose
from .analysis.regularisation import regularisation_path
from .analysis.sample_complexity import sample_complexity
from .analysis.spectra import feature_eigenvalues, feature_spectrum
from .analysis.stopping import best_stopping, time_scales
from .api import predict, simulate
from .errors import InputError
from .problem import Metric, Problem
from .problems.denoising.problem import DenoisingScoreMatching
from .problems.difference.problem import Difference
from .problems.empirical_score.few_sample_flow import FewSampleFlow
from .problems.empirical_score.problem import EmpiricalScore
from .problems.ensemble.problem import EnsembleSampling
from .problems.generations.problem import Generations
from .problems.linear_chain.problem import LinearSampling
from .problems.network_sampling.problem import NetworkSampling
from .run.paired import difference
from .run.planning import plan
from .run.run import Run
from .run.verbs import open, sweep, validate
from .sampling.proxy import proxy_score
from .validation.verdict import Verdict

__all__ = [
    "DenoisingScoreMatching",
    "Difference",
    "EmpiricalScore",
    "EnsembleSampling",
    "FewSampleFlow",
    "Generations",
    "InputError",
    "LinearSampling",
    "Metric",
    "NetworkSampling",
    "Problem",
    "Run",
    "Verdict",
    "analysis",
    "best",
    "best_ridge",
    "best_stopping",
    "data",
    "diagnose",
    "difference",
    "engine",
    "errors",
    "feature_eigenvalues",
    "feature_spectrum",
    "functions",
    "learned_density",
    "models",
    "open",
    "plan",
    "predict",
    "problem",
    "problems",
    "proxy_score",
    "regularisation_path",
    "sample_complexity",
    "sampling",
    "simulate",
    "sweep",
    "theory",
    "time_scales",
    "trainers",
    "validate",
    "validation",
]
