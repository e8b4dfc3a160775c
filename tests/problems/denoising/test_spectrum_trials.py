"""Eigenvalues of U in trials, against an independent matrix and against the limiting law."""

import math

import numpy as np
import pytest
from trial_reference import draws, feature, problem

import simdiff
from simdiff.engine import trial_keys
from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.spectral_density import spectrum_of

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(("psi_p", "m"), [(1.5, 2), (6.0, 1)])
def test_eigenvalues_are_those_of_the_matrix_written_down(psi_p, m):
    d, case = 40, problem(psi_p=psi_p, m=m)
    found = simdiff.feature_eigenvalues(case, d, trials=2, seed=3)
    for trial, key in enumerate(trial_keys(case, d, 3, range(2))):
        w, x, z = draws(case, d, key)
        a, h = math.exp(-case.t), -math.expm1(-2 * case.t)
        f = feature(case, w, a * np.repeat(x, m, 0) + math.sqrt(h) * z)
        exact = np.linalg.eigvalsh(f.T @ f / len(f))
        assert found.shape == (2, case.counts(d)[1])
        assert found[trial] == pytest.approx(exact, abs=1e-10 * exact.max())


def test_their_distribution_is_the_limiting_law():
    d, case = 100, problem(psi_n=2.0, psi_p=3.0, m=1, t=0.1)
    values = np.sort(simdiff.feature_eigenvalues(case, d)[0])
    values = np.where(values < 1e-9 * values.max(), 0.0, values)
    rank = (np.arange(values.size) + 1) / values.size

    def distance(law):
        return np.max(np.abs(law.cdf(values[values > 0]) - rank[values > 0]))

    # eigenvalues repel: their distribution function is off by some 1/p, not by 1/sqrt(p) = 0.06
    assert distance(simdiff.feature_spectrum(case)) < 0.02
    assert distance(simdiff.feature_spectrum(problem(psi_n=2.2, psi_p=3.0, m=1, t=0.1))) > 0.02


def test_only_this_problem_has_a_spectrum():
    with pytest.raises(simdiff.InputError, match="DenoisingScoreMatching"):
        simdiff.feature_spectrum("spectrum")


def test_gaps_between_the_atoms_of_a_quadrature_do_not_show(monkeypatch):
    """Data on a manifold have a continuous spectrum; elsewhere theory integrates over it with few atoms."""
    monkeypatch.setattr("simdiff.data.linear_manifold.RESOLVED", 63)  # enough here, and quick
    case = problem(data=simdiff.data.LinearManifold(0.1), psi_n=8.0, psi_p=64.0, m=math.inf)
    assert len(simdiff.feature_spectrum(case).edges) == 4
    assert len(spectrum_of(inputs_of(case, 0.0)).edges) > 4
