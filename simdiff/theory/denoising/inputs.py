"""From a problem's description to the numbers that theory computes with.

Reads population quantities only: `data.spectrum()`, `model.psi_p`, `model.activation`, `psi_n`, `m` and
`t`; for data that are not Gaussian also what their Bayes floor depends on. The trainer is the business
of each theory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.theory.denoising.bayes_floor import hidden_manifold_floor
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.numerics.quadrature import constants
from simdiff.theory.protocols import Described


def inputs_of_many(problems: Sequence[Any], ridges: Sequence[float]) -> list[TheoryInputs]:
    """The theory's inputs for every problem, each at its ridge; spectra are asked for once a data law.

    Raises:
        InputError: data without `spectrum()`, or of non-zero mean; a model without `psi_p` and
            `activation`; a value outside its range.
    """
    spectra: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    settings = []
    for problem, ridge in zip(problems, ridges, strict=True):
        _check_supported(problem)
        key = id(problem.data)
        if key not in spectra:
            spectra[key] = _check_spectrum(problem.data.spectrum())
        settings.append(_setting(problem, ridge, *spectra[key]))
    return settings


def inputs_of(problem: Described, ridge: float) -> TheoryInputs:
    """`inputs_of_many` for one problem."""
    return inputs_of_many([problem], [ridge])[0]


def stack(settings: Sequence[TheoryInputs], batch: int, atoms: int) -> TheoryInputs:
    """One setting with a leading axis of length `batch`, all spectra padded to length `atoms`."""
    padded = [*settings, *[settings[-1]] * (batch - len(settings))]

    def column(values: Sequence[Any]) -> np.ndarray:
        if np.ndim(values[0]) == 0:
            return np.array(values, dtype=np.float64)
        return np.stack([np.pad(v, (0, atoms - v.size)) for v in values])

    return TheoryInputs(
        *(jnp.asarray(column(field), dtype=jnp.float64) for field in zip(*padded, strict=True))
    )


def parts_of(setting: TheoryInputs) -> dict[str, np.ndarray]:
    """Weights of the directions of non-zero and of zero variance, each adding up to 1, if there are any."""
    weights = np.asarray(setting.weights)
    inside = weights * (np.asarray(setting.eigenvalues) > 0)
    named = {"test_parallel": inside, "test_orthogonal": weights - inside}
    return {name: part / part.sum() for name, part in named.items() if part.sum() > 0.0}


def place_of(problem: Described) -> str:
    """The numbers that place a problem, for messages."""
    return (
        f"psi_n={problem.psi_n:.6g}, psi_p={problem.model.psi_p:.6g}, m={problem.m}, t={problem.t:.6g}, "
        f"ridge={problem.trainer.ridge:.6g}"
    )


def power_of_four(count: int) -> int:
    """Numbers of atoms are padded to these: few compilations, and no more than four times the work."""
    return 1 << 2 * math.ceil(math.log2(count) / 2)


def gaussian_floor(setting: TheoryInputs) -> float:
    """<a^2 s / (a^2 s + h)>: the Bayes floor of denoising Gaussian data with this covariance."""
    signal = setting.a2 * np.asarray(setting.eigenvalues)
    return float(np.asarray(setting.weights) @ (signal / (signal + setting.h)))


def bayes_floor(problem: Described, setting: TheoryInputs) -> float | None:
    """The Bayes floor (1/d) E ||z - E[z | x_t]||^2; None where no theory of it is known.

    Covariance alone says it for Gaussian data; a hidden manifold has state evolution.
    """
    data = problem.data
    if getattr(data, "gaussian", True):
        return gaussian_floor(setting)
    if hasattr(data, "nonlinearity") and hasattr(data, "psi_D"):
        return hidden_manifold_floor(data.nonlinearity, data.psi_D, problem.t)
    return None


def _setting(problem: Described, ridge: float, eigenvalues: np.ndarray, weights: np.ndarray) -> TheoryInputs:
    t = check_number("t", problem.t, above=0)
    a2, h = math.exp(-2.0 * t), -math.expm1(-2.0 * t)
    moments: Any = constants(problem.model.activation, a2 * float(weights @ eigenvalues), h)
    fields: dict[str, Any] = {
        "psi_n": check_number("psi_n", problem.psi_n, above=0),
        "psi_p": check_number("model.psi_p", problem.model.psi_p, above=0),
        "i": 1.0 / check_number("m", problem.m, least=1, finite=False),
        "ridge": ridge,
        "a2": a2,
        "h": h,
        "eigenvalues": eigenvalues,
        "weights": weights,
    }
    return TheoryInputs(**fields, mu1=moments.mu1, v2=moments.v2, s2=moments.s2)


def _check_supported(problem: Described) -> None:
    data, model = getattr(problem, "data", None), getattr(problem, "model", None)
    if not callable(getattr(data, "spectrum", None)):
        hint = "the limit depends on the population covariance"
        raise InputError("data", type(data).__name__, "a data law with spectrum()", hint)
    if getattr(data, "mean", 0.0) != 0.0:
        hint = "a mean of x gives every feature a random bias of its own, which this theory leaves out"
        raise InputError("data.centred", False, "true, where a theory is to be compared", hint)
    if not getattr(data, "gaussian_features", True):
        hint = "features of data with classes are Gaussian given the class only"
        raise InputError("data", type(data).__name__, "data that networks see as a Gaussian vector", hint)
    if not hasattr(model, "psi_p") or not hasattr(model, "activation"):
        raise InputError("model", type(model).__name__, "random features: psi_p and activation")


def _check_spectrum(spectrum: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    eigenvalues, weights = (np.asarray(part, dtype=np.float64) for part in spectrum)
    allowed = "equally long eigenvalues >= 0 and weights >= 0 that add up to 1"
    good = eigenvalues.ndim == 1 and eigenvalues.shape == weights.shape and eigenvalues.size > 0
    if not good or not np.isfinite(eigenvalues).all() or eigenvalues.min() < 0:
        raise InputError("data.spectrum", eigenvalues, allowed)
    if not weights.min() >= 0 or not abs(weights.sum() - 1.0) < 1e-6:
        raise InputError("data.spectrum", weights, allowed)
    return eigenvalues, weights / weights.sum()
