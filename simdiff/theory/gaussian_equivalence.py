"""The built-in theory of denoising score matching with random features and an exact ridge minimiser.

Reads a problem's description and population quantities only: `data.spectrum()`, `model.psi_p`,
`model.activation`, `trainer.ridge`, `psi_n`, `m` and `t`. Features are replaced by their Gaussian
equivalent (`quadrature`), whose learning curves follow from a fixed point (`learning_curve`).

Source: George, Veiga, Macris, arXiv 2502.00336.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from simdiff.errors import InputError, check_number
from simdiff.theory.learning_curve import LearningCurve, Setting, learning_curves
from simdiff.theory.quadrature import constants

METRICS = ("test", "train", "score", "memorization", "objective")

_SMALL_BATCH, _LARGE_BATCH = 16, 1024
_MOST_ATOMS_IN_LARGE_BATCH = 64
"""Calls have one of two batch sizes and a power of four of atoms: a compilation costs seconds, padding
far less. Long spectra go in small batches, which bounds memory."""


class ConvergenceWarning(UserWarning):
    """The fixed point of a point was not found; its predictions are nan."""


def predict(problem: Any) -> dict[str, float]:
    """Limits of test, train, score, memorization and objective (per dimension) as d grows.

    A point whose fixed point is not found gives nan and a `ConvergenceWarning` that names it.

    Raises:
        InputError: a trainer other than `Ridge`, data without `spectrum()`, a model without
            `psi_p` and `activation`, or a value outside its range.
    """
    return predict_many([problem])[0]


def predict_many(problems: Sequence[Any]) -> list[dict[str, float]]:
    """`predict` for every problem, in as few compiled calls as they fit into."""
    settings = _settings(problems)
    if not settings:
        return []
    atoms = _power_of_four(max(s.eigenvalues.size for s in settings))
    large = len(settings) > _SMALL_BATCH and atoms <= _MOST_ATOMS_IN_LARGE_BATCH
    batch = _LARGE_BATCH if large else _SMALL_BATCH
    results: list[dict[str, float]] = []
    for start in range(0, len(settings), batch):
        curves = learning_curves(_stack(settings[start : start + batch], batch, atoms))
        results += _rows(curves, problems[start : start + batch])
    return results


predict.many = predict_many  # type: ignore[attr-defined]


def _place(problem: Any) -> str:
    """The numbers that place a problem, for messages."""
    return (
        f"psi_n={problem.psi_n:.6g}, psi_p={problem.model.psi_p:.6g}, m={problem.m}, t={problem.t:.6g}, "
        f"ridge={problem.trainer.ridge:.6g}"
    )


def setting_of(problem: Any, spectrum: tuple[np.ndarray, np.ndarray] | None = None) -> Setting:
    """The theory's inputs for one problem; `spectrum` saves asking the data again."""
    _check_supported(problem)
    eigenvalues, weights = _check_spectrum(spectrum or problem.data.spectrum())
    t = check_number("t", problem.t, above=0)
    a2, h = math.exp(-2.0 * t), -math.expm1(-2.0 * t)
    moments: Any = constants(problem.model.activation, a2 * float(weights @ eigenvalues), h)
    fields: dict[str, Any] = {
        "psi_n": check_number("psi_n", problem.psi_n, above=0),
        "psi_p": check_number("model.psi_p", problem.model.psi_p, above=0),
        "i": 1.0 / check_number("m", problem.m, least=1, finite=False),
        "ridge": check_number("trainer.ridge", problem.trainer.ridge, above=0),
        "a2": a2,
        "h": h,
        "eigenvalues": eigenvalues,
        "weights": weights,
    }
    return Setting(**fields, mu1=moments.mu1, v2=moments.v2, s2=moments.s2)


def _settings(problems: Sequence[Any]) -> list[Setting]:
    spectra: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    settings = []
    for problem in problems:
        _check_supported(problem)
        key = id(problem.data)
        if key not in spectra:
            spectra[key] = problem.data.spectrum()
        settings.append(setting_of(problem, spectra[key]))
    return settings


def _check_supported(problem: Any) -> None:
    data, model, trainer = (getattr(problem, name, None) for name in ("data", "model", "trainer"))
    if type(trainer).__name__ != "Ridge":
        hint = "gaussian_equivalence describes the exact ridge minimiser only; use trainer=Ridge(...)"
        raise InputError("trainer", type(trainer).__name__, "Ridge", hint)
    if not callable(getattr(data, "spectrum", None)):
        hint = "the limit depends on the population covariance"
        raise InputError("data", type(data).__name__, "a data law with spectrum()", hint)
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


def _stack(settings: Sequence[Setting], batch: int, atoms: int) -> Setting:
    """One setting with a leading axis of length `batch`, all spectra of length `atoms`."""
    padded = [*settings, *[settings[-1]] * (batch - len(settings))]

    def column(values: Sequence[Any]) -> np.ndarray:
        if np.ndim(values[0]) == 0:
            return np.array(values, dtype=np.float64)
        return np.stack([np.pad(v, (0, atoms - v.size)) for v in values])

    return Setting(*(jnp.asarray(column(field), dtype=jnp.float64) for field in zip(*padded, strict=True)))


def _rows(curves: LearningCurve, problems: Sequence[Any]) -> list[dict[str, float]]:
    columns = {name: np.asarray(getattr(curves, name)) for name in METRICS}
    usable = np.asarray(curves.converged) & np.all([np.isfinite(c) for c in columns.values()], axis=0)
    rows = []
    for k, problem in enumerate(problems):
        if not usable[k]:
            message = f"the fixed point was not found at {_place(problem)}: predictions are nan"
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        rows.append({name: float(c[k]) if usable[k] else math.nan for name, c in columns.items()})
    return rows


def _power_of_four(count: int) -> int:
    return 1 << 2 * math.ceil(math.log2(count) / 2)
