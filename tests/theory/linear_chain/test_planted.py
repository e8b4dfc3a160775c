"""Recovery of a planted direction: the formula against a classical case, dense matrices and trials."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import Gaussian, Spiked
from simdiff.engine import trial_keys
from simdiff.engine.random_numbers import normal_rows
from simdiff.theory.linear_chain.planted import outlier, recovery, transition
from simdiff.trainers import GradientFlow, Ridge

TWO = ((0.5, 1.5), (0.5, 0.5))


def one(spike, trainer=None, psi_n=1.0, bulk=None):
    return simdiff.LinearSampling(Spiked(spike, bulk), trainer, psi_n=psi_n, samples=0, kl=False)


def test_with_a_bulk_at_one_it_is_the_classical_formula():
    for psi_n, spike in ((0.5, 4.0), (1.0, 3.0), (4.0, 1.7)):
        q, planted = 1 / psi_n, Spiked(spike).planted()
        expected = (1 - q / (spike - 1) ** 2) / (1 + q / (spike - 1))
        assert recovery(planted, psi_n) == pytest.approx(expected)
        assert transition(planted, psi_n) == pytest.approx(1 + q**0.5)
        assert outlier(planted, spike, psi_n)[0] == pytest.approx(spike * (1 + q / (spike - 1)))
    assert recovery(Spiked(1.9).planted(), 1.0) == 0.0


def test_recovery_begins_at_the_transition_for_any_bulk():
    planted = Spiked(9.0, TWO).planted()
    critical = transition(planted, 2.0)
    assert recovery(planted._replace(spike=critical * 0.999), 2.0) == 0.0
    assert 0.0 < recovery(planted._replace(spike=critical * 1.001), 2.0) < 0.01


def test_a_large_matrix_recovers_what_is_predicted():
    """One sample covariance with a bulk of two levels; the place and the overlap of its top eigenvector."""
    d, psi_n, planted = 700, 2.0, Spiked(4.0, TWO).planted()
    s = Spiked(4.0, TWO).inputs(d)["eigenvalues"]
    found = []
    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((int(psi_n * d), d)) * np.sqrt(s)
        values, vectors = np.linalg.eigh(x.T @ x / len(x))
        found.append((values[-1], vectors[0, -1] ** 2))
    place, overlap = np.mean(found, axis=0)
    assert overlap == pytest.approx(recovery(planted, psi_n), abs=0.02)
    assert place == pytest.approx(outlier(planted, 4.0, psi_n)[0], rel=0.03)
    assert abs(overlap - recovery(planted, 1.25 * psi_n)) > 0.02


def test_trials_have_the_predicted_variance_along_it_and_not_that_of_another_ridge():
    """By the probability flow; the reverse SDE's F is linear, its mean known without any theory."""
    flow = simdiff.sampling.Exact("flow", horizon=3.0)
    problem, d, trials = dataclasses.replace(one(3.0, Ridge(0.1), 0.5), schedule=flow), 32, 400
    rows = simdiff.simulate(problem, d=d, trials=trials, seed=8)["planted_variance"]
    pulls = [
        (rows.mean() - simdiff.predict(each, d=d)["planted_variance"]) / rows.sem()
        for each in (problem, dataclasses.replace(problem, trainer=Ridge(0.2)))
    ]
    assert abs(pulls[0]) < 3.3
    assert abs(pulls[1]) > 6.0


def test_a_trial_is_what_a_dense_matrix_gives():
    problem, d = one(3.0, Ridge(0.1), 0.5), 20
    (key,) = trial_keys(problem, d, 3, range(1))
    s = problem.data.inputs(d)["eigenvalues"]
    x = np.asarray(normal_rows(jax.random.fold_in(key, 1), jnp.arange(10), d), float) * np.sqrt(s)
    sampled = (x.T @ x / 10 + 0.1 * np.eye(d)) / 0.9
    row = simdiff.simulate(problem, d=d, trials=1, seed=3).iloc[0]
    assert row["recovery"] == pytest.approx(np.linalg.eigh(sampled)[1][0, -1] ** 2, rel=1e-5)
    assert row["planted_variance"] == pytest.approx(sampled[0, 0] / 3.0, rel=1e-5)


@pytest.mark.heavy
def test_trials_extrapolate_to_the_formula_and_reject_another_spike():
    """Of 60 seeds the formula is rejected at 3, the other at 53."""
    problem = one(4.0, Ridge(0.1), 1.0)
    settings = {"sizes": (24, 36, 54, 96), "precision": 0.05, "max_trials": 2000, "seed": 1}
    own = simdiff.predict(problem)["recovery"]
    for value, agree in ((own, True), (recovery(Spiked(3.5).planted(), 1.0), False)):
        theory = {"recovery": value}
        assert simdiff.validate(problem, theory=lambda _, t=theory: t, **settings).agree is agree


def test_where_sampling_inflates_small_variances_recovery_is_not_predicted(monkeypatch):
    """A decreasing F has its leading direction where the samples have least variance."""
    problem, plain = one(4.0, GradientFlow((1.0, 300.0)), 4.0), simdiff.LinearSampling.spectral_functions
    expected = recovery(Spiked(4.0).planted(), 4.0)
    assert simdiff.predict(problem)["recovery"] == pytest.approx([expected, expected])

    def falling(self, x):
        found = plain(self, x)
        return found._replace(variance=np.stack([found.variance[0], 1.0 / (9.0 + np.asarray(x))]))

    monkeypatch.setattr(simdiff.LinearSampling, "spectral_functions", falling)
    assert np.isnan(simdiff.predict(problem)["recovery"]).tolist() == [False, True]


def test_only_data_with_a_planted_direction_have_these_metrics():
    assert "recovery" in {metric.name for metric in one(3.0).metrics}
    assert "recovery" not in {metric.name for metric in simdiff.LinearSampling(Gaussian()).metrics}
