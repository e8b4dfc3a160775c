"""Problems on images and other points: trials in pixels, verdicts at one size, what cannot be."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import simdiff
from simdiff.data import Digits, Images, Patches
from simdiff.engine import trial_keys
from simdiff.engine.random_numbers import integer_rows
from simdiff.trainers import Ridge

D, POINTS = 12, 2000
SCALES = np.linspace(0.5, 1.5, D)


def points_file(folder, name, values):
    """A file of points in a basis that is not that of their covariance.

    Rounded: trials' keys depend on the content, which must not depend on the last bit of a product.
    """
    turn = np.linalg.qr(np.random.default_rng(7).standard_normal((D, D)))[0]
    np.save(folder / name, np.round((values * SCALES) @ turn + 3.0, 6))
    return str(folder / name)


@pytest.fixture(scope="module")
def normal(tmp_path_factory):
    values = np.random.default_rng(8).standard_normal((POINTS, D))
    return Images(points_file(tmp_path_factory.mktemp("images"), "normal.npy", values))


def in_pixels(problem, key):
    """One trial with dense matrices in the basis of the file; without ridge F is the sample covariance."""
    x = problem.data.load()
    x = x - x.mean(axis=0)
    x = x / np.sqrt(np.mean(x**2))
    n, sigma = problem.count(D), x.T @ x / len(x)
    train = x[np.asarray(integer_rows(jax.random.fold_in(key, 1), jnp.arange(n), jnp.asarray(len(x))))]
    hat = train.T @ train / n
    a2, h = math.exp(-2 * problem.schedule.t), -math.expm1(-2 * problem.schedule.t)
    w = math.sqrt(h) * np.linalg.inv(a2 * hat + h * np.eye(D))
    rest = w - np.eye(D) / math.sqrt(h)
    test, loss = ((a2 * np.trace(w @ s @ w.T) + h * np.trace(rest @ rest.T)) / D for s in (sigma, hat))
    ratio = np.linalg.solve(sigma, hat)
    divergence = 0.5 * (np.trace(ratio) / D - 1 - np.linalg.slogdet(ratio)[1] / D)
    distance = np.sum((hat - sigma) ** 2) / D
    return {"test": test, "train": loss, "kl_sampled_target": divergence, "covariance": distance}


def test_trials_are_what_dense_matrices_give_in_pixels(normal):
    problem = simdiff.LinearSampling(normal, psi_n=4.0, samples=0)
    rows = simdiff.simulate(problem, trials=2, seed=3)
    first, second = (in_pixels(problem, key) for key in trial_keys(problem, D, 3, range(2)))
    for i, wanted in enumerate((first, second)):
        np.testing.assert_allclose(rows.loc[i, [*wanted]].to_numpy(float), [*wanted.values()], rtol=1e-5)
    assert all(abs(first[name] / second[name] - 1) > 1e-3 for name in first)


def losses_only(table):
    return table[table["metric"] != "covariance"]


def test_theory_holds_for_gaussian_points_and_not_for_others(normal, tmp_path):
    """Drawing with replacement, N / M = 0.024 and the finite number of points leave no trace."""
    settings = {"precision": 0.03, "max_trials": 512}
    problem = simdiff.LinearSampling(normal, psi_n=4.0, samples=0)
    verdict = simdiff.validate(problem, **settings)
    assert verdict.agree is True, str(verdict)
    assert set(verdict.table["sizes"]) == {str(D)}
    rng = np.random.default_rng(9)
    lengths = rng.choice([0.5, np.sqrt(1.75)], (POINTS, 1))
    uneven = Images(points_file(tmp_path, "uneven.npy", lengths * rng.standard_normal((POINTS, D))))
    other = simdiff.validate(dataclasses.replace(problem, data=uneven), **settings)
    assert set(losses_only(other.table)["verdict"]) == {"disagree"}
    # the same covariance, Gaussian: what was off was not the size
    pair = {"problem": dataclasses.replace(problem, data=uneven.gaussian_twin()), **settings}
    assert simdiff.validate(**pair).agree is True
    wrong = simdiff.validate(theory=lambda p: {"test": 1.005 * simdiff.predict(p)["test"]}, **pair)
    assert wrong.agree is False


def test_the_one_size_is_taken_and_no_other(normal):
    problem = simdiff.LinearSampling(normal, psi_n=4.0, samples=0)
    assert set(simdiff.simulate(problem, trials=2)["d"]) == {D}
    assert problem.size == problem.at_size(D).size == D
    assert simdiff.predict(problem) == simdiff.predict(problem, d=D)
    named = simdiff.validate(problem, sizes=[D], precision=0.5)
    assert named.rule.sizes == (D,)
    for ask, message in (
        (lambda: simdiff.validate(problem, sizes=(50, 100)), r"sizes.*\[12\] or null"),
        (lambda: simdiff.simulate(problem, d=20), "d: got 20; allowed: 12"),
    ):
        with pytest.raises(simdiff.InputError, match=message):
            ask()


def test_what_images_cannot_have_is_one_clear_line():
    for make, message in (
        (lambda: simdiff.LinearSampling(Digits()), r"singular: KL.*diverges.*data.components=61"),
        (
            lambda: simdiff.LinearSampling(Digits(components=61), psi_n=40.0),
            r"psi_n.*at most 29.459.*N = 2440",
        ),
        (lambda: simdiff.LinearSampling(Patches(), psi_n=0.5), "sampled covariance F singular"),
    ):
        with pytest.raises(simdiff.InputError, match=message) as caught:
            make()
        assert "\n" not in str(caught.value)
    assert simdiff.LinearSampling(Digits(components=61, twin=True), psi_n=40.0).count(61) == 2440


def test_training_sets_that_miss_a_direction_are_not_averaged_over(tmp_path):
    """Two points alone are not zero in some direction: most training sets have no variance there."""
    values = np.random.default_rng(10).standard_normal((POINTS, D))
    values[:, -1] = 20.0 * ((np.arange(POINTS) == 0) - 1.0 * (np.arange(POINTS) == 1))
    np.save(tmp_path / "thin.npy", values)
    data = Images(str(tmp_path / "thin.npy"))
    rows = simdiff.simulate(simdiff.LinearSampling(data, psi_n=4.0, samples=0), trials=64)
    missed = np.isinf(rows["kl_sampled_target"])
    assert 52 <= missed.sum() < 64  # a training set of 48 misses it with probability 0.953
    assert set(rows["status"][missed]) == {"non-finite"}
    assert set(rows["status"][~missed]) == {"ok"}
    assert np.isfinite(rows["test"]).all()


def test_score_matching_takes_images_without_a_score():
    problem = simdiff.DenoisingScoreMatching(data=Digits(), trainer=Ridge(0.1), m=2)
    assert problem.only_size == 64
    kernel, inputs = problem.kernel(64)
    found = jax.eval_shape(kernel, jax.random.key(0), jax.tree.map(jnp.asarray, inputs))
    assert set(found) == {metric.name for metric in problem.metrics}
    assert "score" not in found
    assert {"test", "train"} <= set(simdiff.predict(problem)) <= set(found)
