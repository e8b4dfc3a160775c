"""Problems for the theory's tests: plain namespaces, so that nothing of the simulation is imported."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import erf

ISOTROPIC = ([1.0], [1.0])


@dataclasses.dataclass(frozen=True)
class Rho:
    name: str
    fn: Callable
    kinks: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Ridge:
    ridge: float

    solution = "minimum"


TANH = Rho("tanh", np.tanh)
RELU = Rho("relu", lambda u: np.maximum(u, 0.0), (0.0,))
ERF = Rho("erf", erf)
SIN = Rho("sin", np.sin)
IDENTITY = Rho("identity", lambda u: u)

METRICS = ("test", "train", "score", "memorization", "objective")


def make(
    psi_n: float,
    psi_p: float,
    m: float,
    t: float,
    ridge: float,
    rho: Rho = TANH,
    spectrum: tuple[Sequence[float], Sequence[float]] = ISOTROPIC,
) -> types.SimpleNamespace:
    values, weights = (np.asarray(part, dtype=float) for part in spectrum)
    return types.SimpleNamespace(
        data=types.SimpleNamespace(spectrum=lambda: (values, weights)),
        model=types.SimpleNamespace(psi_p=psi_p, activation=rho),
        trainer=Ridge(ridge),
        psi_n=psi_n,
        m=m,
        t=t,
        times=None,
        default_theory="gaussian_equivalence",
        metrics=tuple(types.SimpleNamespace(name=name) for name in METRICS),
    )


def power_law(exponent: float, atoms: int) -> tuple[np.ndarray, np.ndarray]:
    values = np.arange(1, atoms + 1.0) ** -exponent
    return values / values.mean(), np.full(atoms, 1.0 / atoms)


def corners(count: int, seed: int) -> list[types.SimpleNamespace]:
    """Random problems over the whole range, the hard lines (p = n m, p = d, n = d, ends) over-represented."""
    rng = np.random.default_rng(seed)

    def log_uniform(low: float, high: float) -> float:
        return float(math.exp(rng.uniform(math.log(low), math.log(high))))

    spectra = [
        ISOTROPIC,
        power_law(0.5, 16),
        power_law(1.0, 16),
        power_law(2.5, 16),
        ([0.0, 2.0], [0.5, 0.5]),
    ]
    times = [1e-3, 3.0, *(log_uniform(1e-3, 3.0) for _ in range(3))]
    problems = []
    for _ in range(count):
        psi_n, psi_p = log_uniform(0.05, 100.0), log_uniform(0.05, 100.0)
        m = (1, 2, 5, 20, math.inf)[rng.integers(5)]
        line = rng.integers(6)
        if line == 0 and psi_n * m <= 100:
            psi_p = psi_n * m
        elif line == 1:
            psi_p = 1.0
        elif line == 2:
            psi_n = 1.0
        elif line == 3:
            psi_n, psi_p = (float(v) for v in rng.choice([0.05, 100.0], 2))
        ridge = 1e-8 if rng.random() < 0.4 else log_uniform(1e-8, 10.0)
        rho = (TANH, RELU, ERF, IDENTITY)[rng.integers(4)]
        spectrum = spectra[rng.integers(len(spectra))]
        problems.append(make(psi_n, psi_p, m, times[rng.integers(len(times))], ridge, rho, spectrum))
    return problems
