"""simdiff: Monte-Carlo checks of asymptotic theory of diffusion-model learning.

The public surface, whole: three verbs (`predict`, `simulate`, `validate`), questions to theory alone
(`best_ridge`, `sample_complexity`, `best_stopping`, `time_scales`), a check of what theory takes for granted
(`diagnose`), the problems they take, the parts that problems are made of, and the contract for problems of
your own. Importing simdiff switches JAX to 64-bit types: theory needs them, and simulation states its own.
"""

import jax as _jax

_jax.config.update("jax_enable_x64", True)

from simdiff import data, functions, models, sampling, trainers  # noqa: E402
from simdiff.analysis import best_ridge, sample_complexity  # noqa: E402
from simdiff.analysis.densities import learned_density  # noqa: E402
from simdiff.analysis.diagnosis import diagnose  # noqa: E402
from simdiff.analysis.regularisation import regularisation_path  # noqa: E402
from simdiff.analysis.spectra import feature_eigenvalues, feature_spectrum  # noqa: E402
from simdiff.analysis.stopping import best_stopping, time_scales  # noqa: E402
from simdiff.api import predict, simulate, validate  # noqa: E402
from simdiff.errors import InputError  # noqa: E402
from simdiff.problem import Metric, Problem  # noqa: E402
from simdiff.problems import DenoisingScoreMatching, EnsembleSampling, LinearSampling  # noqa: E402
from simdiff.sampling.proxy import proxy_score  # noqa: E402
from simdiff.validation import Verdict  # noqa: E402

__all__ = [
    "DenoisingScoreMatching",
    "EnsembleSampling",
    "InputError",
    "LinearSampling",
    "Metric",
    "Problem",
    "Verdict",
    "best_ridge",
    "best_stopping",
    "data",
    "diagnose",
    "feature_eigenvalues",
    "feature_spectrum",
    "functions",
    "learned_density",
    "models",
    "predict",
    "proxy_score",
    "regularisation_path",
    "sample_complexity",
    "sampling",
    "simulate",
    "time_scales",
    "trainers",
    "validate",
]
