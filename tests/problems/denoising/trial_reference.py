"""An independent float64 NumPy trial on the very random numbers that a kernel draws."""

import math

import jax
import jax.numpy as jnp
import numpy as np

import simdiff
from simdiff.engine import SESSION, compilation
from simdiff.engine.random_numbers import normal_rows
from simdiff.engine.span_map import whole
from simdiff.problems.denoising.pairs import split_keys


def draws(problem, d, key):
    """W, X (n, d), Z (n m, d) of a trial, as NumPy float64."""
    n, p = problem.counts(d)
    keys = split_keys(key)
    scale = np.sqrt(problem.data.inputs(d)["eigenvalues"])
    w = np.asarray(normal_rows(keys.weights, jnp.arange(p), d), float)
    x = np.asarray(normal_rows(keys.samples, jnp.arange(n), d)) * scale.astype(np.float32)
    x = x.astype(float)
    m = 1 if math.isinf(problem.m) else problem.m
    z = np.asarray(normal_rows(keys.noise, jnp.arange(n * m), d), float)
    return w, x, z


def rho(problem, x):
    return np.asarray(problem.model.activation.fn(jnp.asarray(x)))


def feature(problem, w, x):
    return rho(problem, x @ w.T / math.sqrt(w.shape[1]))


def ridge_trial(problem, d, key):
    """(B, train, objective, W, X) from the primal normal equations, or by pseudo-residuals when n m < p."""
    w, x, z = draws(problem, d, key)
    a, h, ridge = math.exp(-problem.t), -math.expm1(-2 * problem.t), problem.trainer.ridge
    f = feature(problem, w, a * np.repeat(x, problem.m, 0) + math.sqrt(h) * z)
    u, v = f.T @ f / len(f), f.T @ z / len(f)
    b = -np.linalg.solve(u + ridge * np.eye(len(u)), v).T
    train = np.mean((z + f @ b.T) ** 2)
    return b, train, train + ridge * np.sum(b**2) / d, w, x


def fresh_errors(problem, d, b, w, x, seed, rows=20000):
    """(test, memorization), each (mean, standard error), by plain sampling."""
    rng = np.random.default_rng(seed)
    a, h = math.exp(-problem.t), -math.expm1(-2 * problem.t)
    scale = np.sqrt(problem.data.inputs(d)["eigenvalues"])
    results = []
    for source in (rng.standard_normal((rows, d)) * scale, x[rng.integers(len(x), size=rows)]):
        z = rng.standard_normal((rows, d))
        values = np.mean((z + feature(problem, w, a * source + math.sqrt(h) * z) @ b.T) ** 2, 1)
        results.append((values.mean(), values.std() / math.sqrt(rows)))
    return results


def run_kernel(problem, d, key, dtype="float64"):
    """One trial as the engine would run it."""
    kernel, inputs = problem.kernel(d, dtype)
    inputs = jax.tree.map(jnp.asarray, inputs)
    compiled = compilation.program(kernel, key[None], inputs, 1)
    return {
        name: np.asarray(value)[0] for name, value in compiled(key[None], inputs, whole(key[None])).items()
    }


def problem(psi_n=2.0, psi_p=1.5, m=2, t=0.3, ridge=1e-3, activation="tanh", data=None):
    """A small ridge problem."""
    return simdiff.DenoisingScoreMatching(
        data=data or simdiff.data.Gaussian(),
        model=simdiff.models.RandomFeatures(psi_p, activation),
        trainer=simdiff.trainers.Ridge(ridge),
        psi_n=psi_n,
        m=m,
        t=t,
    )


def run_afresh(monkeypatch, problem, d, key, dtype="float64"):
    """One trial whose program is compiled anew: for tests that change what a program is made of."""
    monkeypatch.setattr(SESSION, "programs", {})
    return run_kernel(problem, d, key, dtype)
