"""The yardstick: the plain NumPy script that a researcher writes today, in float64 on all BLAS cores.

It runs the same trials as simdiff's Ridge trainer on isotropic Gaussian data and returns the same five
metrics. It is given the better choices such a script may make: F.T @ F (which NumPy turns into a
symmetric product), Cholesky instead of LU, the smaller of the two linear systems, noise draws in
blocks. It knows no exact noise average and no exact test error: m = inf takes as many draws as the
caller asks for, test and memorization errors take 4 d fresh rows each (or `fresh` d of them for the test
error, whose variance over such rows given the network is returned as `test_noise`).
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg

BLOCK = 4096


def trial(
    d: int,
    psi_n: float,
    psi_p: float,
    m: int,
    t: float,
    ridge: float,
    rng: np.random.Generator,
    fresh: int = 4,
) -> dict[str, float]:
    """One trial with tanh features."""
    n, p = round(psi_n * d), round(psi_p * d)
    a, h = math.exp(-t), -math.expm1(-2 * t)
    weights = rng.standard_normal((p, d))
    x = rng.standard_normal((n, d))

    def pairs(samples):
        z = rng.standard_normal(samples.shape)
        return np.tanh((a * samples + math.sqrt(h) * z) @ weights.T / math.sqrt(d)), z

    if n * m < p:
        f, z = pairs(np.repeat(x, m, axis=0))
        kernel = f @ f.T / (n * m)
        kernel[np.diag_indices(n * m)] += ridge
        dual = scipy.linalg.cho_solve(scipy.linalg.cho_factor(kernel, lower=True), z)
        b = -dual.T @ f / (n * m)
        train = ridge**2 * np.sum(dual**2) / (n * m * d)
        objective = train + ridge * np.sum(b**2) / d
    else:
        u, v, zz = np.zeros((p, p)), np.zeros((p, d)), 0.0
        draws = max(1, BLOCK // n)
        for first in range(0, m, draws):
            f, z = pairs(np.repeat(x, min(draws, m - first), axis=0))
            u += f.T @ f
            v += f.T @ z
            zz += np.sum(z**2)
        u, v, zz = u / (n * m), v / (n * m), zz / (n * m * d)
        u[np.diag_indices(p)] += ridge
        b = -scipy.linalg.cho_solve(scipy.linalg.cho_factor(u, lower=True), v).T
        objective = zz + np.sum(b.T * v) / d
        train = objective - ridge * np.sum(b**2) / d

    def errors(samples):
        f, z = pairs(samples)
        return np.mean((z + f @ b.T) ** 2, axis=1)

    rows = errors(rng.standard_normal((fresh * d, d)))
    test = rows.mean()
    memorization = errors(np.repeat(x, -(-4 * d // n), axis=0)).mean()
    floor = 1 - h / (a**2 + h)
    return {
        "test": test,
        "train": train,
        "score": (test - floor) / h,
        "memorization": memorization,
        "objective": objective,
        "test_noise": rows.var() / len(rows),
    }
