"""Trials of the linear denoiser against dense matrices made of the same random numbers, every trainer."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from trial_reference import run_kernel

import simdiff
from simdiff.engine import SESSION
from simdiff.engine.random_numbers import integer_rows, normal_rows
from simdiff.problems.denoising import manifold_evaluator
from simdiff.problems.denoising import problem as denoising
from simdiff.problems.denoising.gamp import Posterior
from simdiff.problems.denoising.pairs import split_keys
from simdiff.trainers import GradientFlow, Optax, Ridge

KEY = jax.random.key(5)
D = 24
TWO = simdiff.data.Gaussian(([0.2, 2.0], [0.75, 0.25]))
TIMES = (0.3, 4.0, 80.0)
STEPS = {"learning_rate": 0.05, "steps": 40, "records": 3, "ridge": 1e-2}


def problem(trainer, m, bias=False, psi_n=1.5, data=TWO):
    model = simdiff.models.Linear(bias)
    return simdiff.DenoisingScoreMatching(data, model, trainer, psi_n=psi_n, m=m, t=0.3)


def noise_levels(case):
    return math.exp(-case.t), -math.expm1(-2 * case.t)


def normals(key, rows):
    return np.asarray(normal_rows(key, jnp.arange(rows), D), float)


def samples(case, key, rows):
    sampler, inputs = case.data.sampler(D), jax.tree.map(jnp.asarray, case.data.inputs(D))
    frame = sampler.frame(split_keys(KEY).frame, inputs)
    return np.asarray(sampler.sample(key, frame, jnp.arange(rows)), float)


class Trial:
    """The training set of a trial written down, and the errors of any B on it."""

    def __init__(self, case):
        self.case, self.keys = case, split_keys(KEY)
        (a, h), (n, _) = noise_levels(case), case.counts(D)
        self.x = samples(case, self.keys.samples, n)
        self.exact = math.isinf(case.m)
        if self.exact:
            self.f_bar, self.z_bar = a * self.x.mean(0), np.zeros(D)
        else:
            z = normals(self.keys.noise, n * case.m)
            f = a * np.repeat(self.x, case.m, 0) + math.sqrt(h) * z
            self.f_bar, self.z_bar = f.mean(0), z.mean(0)
        if not case.model.bias:
            self.f_bar, self.z_bar = np.zeros(D), np.zeros(D)
        if self.exact:
            centred = a * self.x - self.f_bar
            self.u, self.v = centred.T @ centred / n + h * np.eye(D), math.sqrt(h) * np.eye(D)
            self.zz = 1.0
        else:
            self.f, self.z = f - self.f_bar, z - self.z_bar
            self.u, self.v = self.f.T @ self.f / len(f), self.f.T @ self.z / len(f)
            self.zz = np.mean(self.z**2)

    def errors(self, b):
        """All metrics for data that are Gaussian with a fixed spectrum; the bias is -(z_bar + B f_bar)."""
        (a, h), ridge = noise_levels(self.case), self.case.trainer.ridge
        s = self.case.data.inputs(D)["eigenvalues"]
        noise = np.sum((np.eye(D) + math.sqrt(h) * b) ** 2)
        test = noise + a**2 * np.sum(b**2 * s) + np.sum((self.z_bar + b @ self.f_bar) ** 2)
        train = self.zz + (2 * np.sum(b * self.v.T) + np.sum((b @ self.u) * b)) / D
        return {
            "test": test / D,
            "score": (test / D - np.mean(a**2 * s / (a**2 * s + h))) / h,
            "train": train,
            "memorization": train if self.exact else self.memorization(b),
            "objective": train + ridge * np.sum(b**2) / D,
        }

    def memorization(self, b):
        """On the trial's own fresh noise: the least number of draws a sample that makes 4 d rows."""
        (a, h), n = noise_levels(self.case), len(self.x)
        draws = -(-4 * D // n)
        z = normals(self.keys.fresh_noise, n * draws)
        f = a * np.repeat(self.x, draws, 0) + math.sqrt(h) * z
        return np.mean((z - self.z_bar + (f - self.f_bar) @ b.T) ** 2)

    def flow(self, tau):
        """B(tau) = -V^T int_0^tau e^{-s (U + ridge)} ds, by the exponential of a block matrix."""
        rate = self.u + self.case.trainer.ridge * np.eye(D)
        block = np.block([[-rate, np.eye(D)], [np.zeros((D, 2 * D))]])
        return -self.v.T @ scipy.linalg.expm(tau * block)[:D, D:]

    def gradient(self, step, b):
        """Of (d / 2) loss in B, on all pairs or on the trial's own batch."""
        trainer, ridge = self.case.trainer, self.case.trainer.ridge
        if trainer.batch is None:
            return b @ (self.u + ridge * np.eye(D)) + self.v.T
        f, z = self.batch(jax.random.fold_in(self.keys.training, step), trainer)
        return (z + f @ b.T).T @ f / len(f) + ridge * b

    def batch(self, key, trainer):
        index_key, noise_key = jax.random.split(key)
        rows, n = jnp.arange(trainer.batch), len(self.x)
        if trainer.noise == "fixed":
            index = np.asarray(integer_rows(index_key, rows, jnp.int32(n * self.case.m)))
            return self.f[index], self.z[index]
        (a, h), z = noise_levels(self.case), normals(noise_key, trainer.batch)
        index = np.asarray(integer_rows(index_key, rows, jnp.int32(n)))
        return a * self.x[index] + math.sqrt(h) * z - self.f_bar, z - self.z_bar

    def networks(self):
        """B at every recorded time."""
        trainer = self.case.trainer
        if isinstance(trainer, Ridge):
            return [-self.v.T @ np.linalg.inv(self.u + trainer.ridge * np.eye(D))]
        if isinstance(trainer, GradientFlow):
            return [self.flow(tau) for tau in trainer.times]
        return list(self.descent(trainer))

    def descent(self, trainer):
        """The optimiser steps in the entries of W = -B, so Adam moves each by the learning rate at first."""
        optimiser, w = trainer.optimiser, jnp.zeros((D, D))
        memory = optimiser.init(w)
        for step in range(trainer.steps):
            change, memory = optimiser.update(-self.gradient(step, -np.asarray(w)), memory, w)
            w = w + change
            if step + 1 in trainer.times:
                yield -np.asarray(w)


CASES = {
    "ridge, N > d, bias": problem(Ridge(1e-3), 2, bias=True),
    "ridge, N < d, bias": problem(Ridge(1e-2), 1, bias=True, psi_n=0.5),
    "ridge, m = inf, bias": problem(Ridge(1e-2), math.inf, bias=True),
    "flow, N > d": problem(GradientFlow(TIMES), 2),
    "flow, N < d, bias": problem(GradientFlow(TIMES, 1e-2), 1, bias=True, psi_n=0.5),
    "adam, m = inf": problem(Optax("adam", **STEPS), math.inf),
    "batches, bias": problem(Optax("sgd", batch=8, **STEPS), 2, bias=True),
    "fresh batches, bias": problem(Optax("sgd", batch=8, noise="fresh", **STEPS), math.inf, bias=True),
}


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Blocks much shorter than their rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SESSION, "programs", {})
        patch.setattr(denoising, "block_rows", lambda rows, features: 13)
        patch.setattr(denoising, "_SMALL_BLOCK", 5)
        yield


@pytest.fixture(scope="module")
def found(small_blocks):
    """Every case once."""
    return {name: run_kernel(case, D, KEY) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_every_trainer_equals_dense_matrices(found, name):
    trial = Trial(CASES[name])
    rows = [trial.errors(b) for b in trial.networks()]
    for metric, value in found[name].items():
        # float64 on both sides, from float32 draws; condition numbers up to 1e4
        np.testing.assert_allclose(np.atleast_1d(value), [row[metric] for row in rows], rtol=1e-8)


def test_a_bias_on_one_side_only_would_be_seen(found):
    for name in ("ridge, N > d, bias", "ridge, m = inf, bias", "fresh batches, bias"):
        case = CASES[name]
        without = Trial(dataclasses.replace(case, model=simdiff.models.Linear()))
        test = without.errors(without.networks()[-1])["test"]
        assert abs(np.atleast_1d(found[name]["test"])[-1] / test - 1) > 1e-3


def denoised(y, *_):
    """In the place of message passing: a posterior that is known, and not found at the first point."""
    converged = jnp.arange(len(y)) > 0
    return Posterior(0.4 * y, jnp.full_like(y, 0.1), converged, jnp.zeros(len(y), jnp.int32))


@pytest.mark.heavy
def test_on_a_hidden_manifold_the_bias_is_in_the_score_too(monkeypatch):
    monkeypatch.setattr(manifold_evaluator, "posterior", denoised)
    data = simdiff.data.HiddenManifold(0.5, "relu")
    case = problem(Ridge(1e-2), 2, bias=True, data=data)
    trial, found = Trial(case), run_kernel(case, D, KEY)
    (b,), (a, h), shift = trial.networks(), noise_levels(case), float(data.inputs(D)["shift"])
    x, z = samples(case, trial.keys.test_samples, 4 * D), normals(trial.keys.test_noise, 4 * D)
    x_t = a * x + math.sqrt(h) * z
    eps = trial.z_bar - (x_t - trial.f_bar) @ b.T
    assert found["test"] == pytest.approx(np.mean((eps - z) ** 2), rel=1e-6)
    mean = 0.4 * (x_t + a * shift) - shift
    gap = np.mean((eps - (x_t - a * mean) / math.sqrt(h))[1:32] ** 2)
    assert found["score"] == pytest.approx(gap / h, rel=1e-6)
    assert found["floor"] == pytest.approx(0.1 * a**2 / h, rel=1e-6)
    assert found["unconverged"] == 1


def test_points_that_are_not_gaussian_are_judged_by_their_covariance():
    case = problem(Ridge(1e-2), 1, bias=True, data=simdiff.data.Digits(components=D))
    trial = Trial(case)
    (b,) = trial.networks()
    assert run_kernel(case, D, KEY)["test"] == pytest.approx(trial.errors(b)["test"], rel=1e-7)
    assert "score" not in {metric.name for metric in case.metrics}
    with pytest.raises(simdiff.InputError, match="psi_n"):
        dataclasses.replace(case, psi_n=1e4)


def test_eigenvalues_of_the_gram_matrix_and_notes():
    case = CASES["ridge, m = inf, bias"]
    values = simdiff.feature_eigenvalues(case, D)
    assert values.shape == (1, D)
    assert "no draws" in case.notes()[-1]
    assert "Mehler" not in case.notes()[-1]
