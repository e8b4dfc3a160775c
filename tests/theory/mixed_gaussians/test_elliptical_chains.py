"""Sampling chains and training in time on elliptical data: Gaussian limits, ridge limits, simulation."""

import dataclasses
import math

import numpy as np
import pytest

import simdiff
from simdiff.data import Elliptical, Gaussian, GaussianMixture
from simdiff.errors import InputError
from simdiff.models import Linear
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.trainers import GradientFlow, Ridge

SPECTRUM = ([0.5, 1.5], [0.5, 0.5])
TWO = Elliptical(SPECTRUM, radius=[0.6, 1.2])


def chain(data, psi_n=2.0, trainer=None, **more):
    return simdiff.LinearSampling(data, trainer, psi_n=psi_n, samples=0, **more)


def flow(data, *times, ridge=0.0):
    return simdiff.DenoisingScoreMatching(
        data, Linear(), GradientFlow(times, ridge=ridge), 2.0, math.inf, 0.2
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"psi_n": 4.0},
        {"psi_n": 0.5, "trainer": Ridge(0.1), "splits": 2},
        {"trainer": GradientFlow([1.0, 10.0])},
    ],
    ids=["exact", "two models", "in time"],
)
def test_one_radius_is_gaussian_data(arguments):
    known = simdiff.predict(chain(Gaussian(SPECTRUM), **arguments))
    problem = chain(Elliptical(SPECTRUM, radius=[3.0]), **arguments)
    assert problem.default_theory == "mixed_gaussians"
    found = simdiff.predict(problem)
    assert set(found) == set(known)
    for name, value in known.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)
    other = simdiff.predict(chain(TWO, **arguments))
    assert not np.allclose(other["train"], known["train"], rtol=0.01)


def sampled(d, rng, psi_n):
    """Eigenvalues of Sigma and a second moment of samples, in NumPy."""
    s = np.repeat(SPECTRUM[0], d // 2)
    r2 = rng.choice([0.4, 1.6], round(psi_n * d))
    x = rng.standard_normal((r2.size, d)) * np.sqrt(s * r2[:, None])
    sigma = x.T @ x / r2.size
    return s, sigma


def test_divergences_are_those_of_a_simulation_and_not_the_gaussian_ones():
    """Exact sampling without ridge, F = Sigma_hat."""
    psi_n, means, errors = 4.0, [], []
    for d, count in ((40, 150), (80, 75)):
        rows = []
        for k in range(count):
            s, sigma = sampled(d, np.random.default_rng([d, k]), psi_n)
            white = sigma / np.sqrt(np.outer(s, s))
            log = np.linalg.slogdet(white)[1]
            rows.append([np.trace(white) - d - log, np.trace(np.linalg.inv(white)) - d + log])
        rows = 0.5 * np.array(rows) / d
        means.append(rows.mean(axis=0))
        errors.append(rows.std(axis=0, ddof=1) / math.sqrt(count))
    limit, error = 2 * means[1] - means[0], np.hypot(2 * errors[1], errors[0])
    names = ("kl_sampled_target", "kl_target_sampled")
    found, gaussian = (simdiff.predict(chain(law, psi_n)) for law in (TWO, Gaussian(SPECTRUM)))
    assert (np.abs(limit - [found[name] for name in names]) < 3.5 * error).all()
    assert (np.abs(limit - [gaussian[name] for name in names]) > 8 * error).all()
    assert (error < 0.03 * limit).all()


def test_training_for_long_with_a_ridge_reaches_its_minimum():
    heavy = Elliptical(SPECTRUM, df=6.0)
    whole = simdiff.predict(flow(heavy, 0.2, 1e4, ridge=0.1))
    minimum = simdiff.predict(dataclasses.replace(flow(heavy, 1.0), trainer=Ridge(0.1)))
    for name in ("test", "train", "score", "objective"):
        assert whole[name][1] == pytest.approx(minimum[name], rel=1e-3)
        assert whole[name][0] != pytest.approx(minimum[name], rel=1e-2)


def test_training_in_time_with_one_radius_is_that_on_gaussian_data():
    known = simdiff.predict(flow(Gaussian(SPECTRUM), 1.0, 30.0))
    found = simdiff.predict(flow(Elliptical(SPECTRUM, radius=[1.0]), 1.0, 30.0))
    for name, value in known.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, err_msg=name)


def test_only_what_does_not_settle_is_nan():
    with pytest.warns(ConvergenceWarning, match="nan for covariance$"):
        found = simdiff.predict(chain(Elliptical(df=6.0), 4.0))
    assert [name for name, value in found.items() if math.isnan(value)] == ["covariance"]
    near = simdiff.predict(chain(Elliptical(df=1000.0), 4.0))
    gaussian = simdiff.predict(chain(Gaussian(), 4.0))
    for name in ("kl_sampled_target", "kl_target_sampled"):
        assert near[name] == pytest.approx(gaussian[name], rel=0.01)
        assert found[name] > 1.3 * gaussian[name]


def test_what_has_no_theory_says_so():
    assert chain(TWO, 4.0, bias=True).default_theory is None
    with pytest.raises(InputError, match="order 1/N"):
        simdiff.predict(chain(TWO, 4.0, bias=True), theory="mixed_gaussians")
    assert simdiff.Generations(TWO, trainer=Ridge(0.1)).default_theory is None
    with pytest.raises(InputError, match="ridge minimisers only"):
        simdiff.predict(flow(GaussianMixture(1.0), 1.0), theory="mixed_gaussians")
    with pytest.raises(InputError, match="m = inf"):
        simdiff.predict(dataclasses.replace(flow(TWO, 1.0), m=2), theory="mixed_gaussians")
    assert dataclasses.replace(flow(TWO, 1.0), m=2).default_theory is None
