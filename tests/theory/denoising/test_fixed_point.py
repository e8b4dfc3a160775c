"""The solver converges over the whole range, to the solution of the equations as they are published."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from theory_points import corners

from simdiff.theory.denoising import fixed_point
from simdiff.theory.denoising.fixed_point import System, solve
from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.learning_curve import TheoryInputs, feature_system

ATOMS = 16
solve_many = jax.jit(jax.vmap(solve))


def stacked(problems) -> TheoryInputs:
    rows = [inputs_of(problem, problem.trainer.ridge) for problem in problems]
    padded = [[np.pad(f, (0, ATOMS - f.size)) if np.ndim(f) else f for f in row] for row in rows]
    return TheoryInputs(*(jnp.asarray(np.array(field, dtype=float)) for field in zip(*padded, strict=True)))


def residuals(system: System, k1, k2, gamma) -> np.ndarray:
    """The three equations in their two-constant form, in NumPy; each as a ratio minus one."""
    s = jax.tree.map(np.asarray, system)
    tau = k1[:, None] * s.s1 + k2[:, None] * s.s2
    beta = k1 * s.b1 + k2 * s.b2 + s.ridge
    dressed = 1.0 + tau * gamma[:, None]

    def mean(values):
        return np.sum(s.weights * values, axis=1)

    x1 = (mean(s.s1 / dressed) + s.b1) * gamma / s.psi_n
    x2 = (mean(s.s2 / dressed) + s.b2) * gamma * s.i / s.psi_n
    third = gamma * (beta + mean(tau / dressed)) / s.psi_p - 1.0
    second = np.where(s.i < 1.0, k2 * (1.0 + x2) / np.where(s.i < 1.0, 1.0 - s.i, 1.0) - 1.0, k2)
    return np.stack([k1 * (1.0 + x1) - 1.0, second, third])


@pytest.fixture(scope="module")
def grid():
    systems = jax.vmap(feature_system)(stacked(corners(3000, seed=11)))
    return systems, solve_many(systems)


def published(systems: System, points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a1, alpha2, gamma = (np.asarray(v) for v in (points.a1, points.alpha2, points.gamma))
    return a1 / gamma, (1.0 - np.asarray(systems.i)) * alpha2 / gamma, gamma


def test_converges_everywhere_with_room_to_spare(grid):
    _, points = grid
    assert bool(points.converged.all())
    assert int(points.iterations.max()) < 60
    assert float(points.error.max()) < 1e-9


def test_solves_the_published_equations(grid):
    systems, points = grid
    assert np.abs(residuals(systems, *published(systems, points))).max() < 1e-9


def test_a_solution_slightly_off_is_noticed(grid):
    systems, points = grid
    k1, k2, gamma = published(systems, points)
    assert np.abs(residuals(systems, k1, k2, gamma * (1 + 1e-5))).max(axis=0).min() > 1e-9


def test_damped_iteration_from_the_other_end_finds_the_same_solution(grid):
    systems, points = grid
    easy = np.flatnonzero(np.asarray(systems.ridge) > 0.1)[:40]
    s = jax.tree.map(lambda leaf: np.asarray(leaf)[easy], systems)
    k1, k2, gamma = np.ones_like(s.i), 1.0 - s.i, s.psi_p / (1.0 + s.ridge)
    for _ in range(2000):
        tau = k1[:, None] * s.s1 + k2[:, None] * s.s2
        share = s.weights / (1.0 + tau * gamma[:, None])
        x1 = (np.sum(s.s1 * share, axis=1) + s.b1) * gamma / s.psi_n
        x2 = (np.sum(s.s2 * share, axis=1) + s.b2) * gamma * s.i / s.psi_n
        new = s.psi_p / (k1 * s.b1 + k2 * s.b2 + s.ridge + np.sum(tau * share, axis=1))
        k1, k2 = 0.5 * (k1 + 1 / (1 + x1)), 0.5 * (k2 + (1 - s.i) / (1 + x2))
        gamma = 0.5 * (gamma + new)
    for found, expected in zip(published(systems, points), (k1, k2, gamma), strict=True):
        np.testing.assert_allclose(found[easy], expected, rtol=1e-8)


def test_too_few_steps_are_reported(grid, monkeypatch):
    monkeypatch.setattr(fixed_point, "MAX_ITERATIONS", 4)
    hard = np.flatnonzero(np.asarray(grid[0].ridge) < 1e-4)[:64]
    few = jax.tree.map(lambda leaf: leaf[hard], grid[0])
    assert not bool(jax.jit(jax.vmap(lambda system: solve(system)))(few).converged.any())


def test_nan_never_converges(grid):
    systems, _ = grid
    assert not bool(solve_many(systems._replace(b1=systems.b1 * jnp.nan)).converged.any())
