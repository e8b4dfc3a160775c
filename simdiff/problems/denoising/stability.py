"""Whether descent with a finite step can converge: the eigenvalue that a mean of the features gives U.

Features with a mean mu_0, such as ReLU's, give U an eigenvalue near p mu_0^2, which grows with d while the
others stay bounded. Descent multiplies the error along it by 1 - step p mu_0^2 at every step, so that any
fixed step is too long from some d on. Theories of the limit do not see this: they leave that direction out.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError
from simdiff.functions.activations import Activation
from simdiff.functions.hermite import hermite_moments

_NODES = 128


def mean_eigenvalue(rho: Activation, variance: float, p: int) -> float:
    """p mu_0^2, with mu_0 = E rho(u) and u of the given variance."""
    psi, _ = hermite_moments(rho, jnp.zeros(()), jnp.asarray(math.sqrt(variance)), 1, _NODES)
    return float(p * psi[0] ** 2)


def check_step(problem: Any, d: int) -> None:
    """Raise `InputError` where plain SGD with a constant step diverges along the features' mean at size d."""
    trainer, rho = problem.trainer, getattr(problem.model, "activation", None)
    if trainer.name != "sgd" or trainer.schedule != "constant" or rho is None:
        return
    values, weights = problem.data.spectrum()
    a2 = math.exp(-2 * problem.t)
    largest = mean_eigenvalue(rho, a2 * float(np.dot(values, weights)) + 1 - a2, problem.counts(d)[1])
    if trainer.learning_rate * (largest + trainer.ridge) > 2:
        allowed = f"below {2 / (largest + trainer.ridge):.3g} at d = {d}"
        hint = (
            f"{rho.name} features have a mean, which gives their Gram matrix an eigenvalue near "
            f"{largest:.3g} that grows with d: longer steps diverge along it"
        )
        raise InputError("trainer.learning_rate", trainer.learning_rate, allowed, hint)
