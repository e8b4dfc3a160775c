"""Elliptical data: samples, radii, densities against SciPy's multivariate t, fits, what is refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import simdiff
from simdiff.data import Elliptical
from simdiff.data.radius_law import Student
from simdiff.errors import InputError

TWO = Elliptical(([0.5, 1.5], [0.5, 0.5]), radius=[0.5, 2.0], weights=[0.75, 0.25])
STUDENT = Elliptical(exponent=0.5, df=6.0)


def framed(law, d):
    sampler = law.sampler(d)
    return sampler, sampler.frame(jax.random.key(0), jax.tree.map(jnp.asarray, law.inputs(d)))


def drawn(law, d, rows):
    sampler, frame = framed(law, d)
    return np.asarray(sampler.sample(jax.random.key(1), frame, rows), float)


@pytest.mark.parametrize("law", [TWO, STUDENT], ids=["two", "student"])
def test_samples_have_the_covariance_and_the_radii_asked_for(law):
    d, count = 64, 4000
    x, s = drawn(law, d, jnp.arange(count)), law.shape.inputs(d)["eigenvalues"]
    squares = (x**2 / s).mean(axis=1)
    variances = (x**2).mean(axis=0) / s
    assert np.abs(variances - 1).max() < 5 * np.std(x[:, 0] ** 2) / s[0] / math.sqrt(count)
    # chi^2_d / d blurs r^2: an F law for Student's, two Gaussian-like humps for two values
    if law is STUDENT:
        scaled = squares / ((law.df - 2) / law.df)
        assert stats.kstest(scaled, stats.f(d, law.df).cdf).pvalue > 1e-3
        assert stats.kstest(scaled, stats.f(d, law.df + 2).cdf).pvalue < 1e-3
    else:
        low, high = np.array(law.law.squares)
        assert abs((squares > math.sqrt(low * high)).mean() - 0.25) < 4 * math.sqrt(0.25 * 0.75 / count)
        assert squares[squares < 1].mean() == pytest.approx(low, abs=5 * low * math.sqrt(2 / d / 3000))


def test_rows_are_the_same_in_any_order_and_block():
    for law in (TWO, STUDENT):
        whole = drawn(law, 8, jnp.arange(20))
        np.testing.assert_array_equal(drawn(law, 8, jnp.arange(20)[::-1])[::-1], whole)
        np.testing.assert_array_equal(drawn(law, 8, jnp.arange(5, 25))[:15], whole[5:])


@pytest.mark.parametrize("d", [4, 60])
def test_the_density_of_students_law_is_that_of_scipy(d):
    _, frame = framed(STUDENT, d)
    mixture = frame.noised(jnp.asarray(1.0), jnp.asarray(0.0))
    s = STUDENT.shape.inputs(d)["eigenvalues"]
    x = drawn(STUDENT, d, jnp.arange(50))
    exact = stats.multivariate_t(shape=np.diag(s * (4 / 6)), df=6)
    np.testing.assert_allclose(mixture.log_density(jnp.asarray(x)), exact.logpdf(x), rtol=0, atol=1e-6)
    wrong = stats.multivariate_t(shape=np.diag(s * (4 / 6)), df=6.1)
    assert np.abs(mixture.log_density(jnp.asarray(x)) - wrong.logpdf(x)).max() > 1e-3


@pytest.mark.heavy
def test_trials_measure_a_score_that_closes_on_the_test_error():
    """test = h score + floor, with the floor given the radius."""
    trainer = simdiff.trainers.Ridge(0.1)
    problem = simdiff.DenoisingScoreMatching(TWO, simdiff.models.Linear(), trainer, 2.0, 1, 0.3)
    trials = simdiff.simulate(problem, d=32, trials=24, seed=0)
    found = trials["test"] + math.expm1(-0.6) * trials["score"]
    signal = math.exp(-0.6) * np.outer(TWO.law.squares, [0.5, 1.5])
    floor = np.array(TWO.law.weights) @ (signal / (signal - math.expm1(-0.6))).mean(axis=1)
    assert abs(found.mean() - floor) < 4 * found.std() / math.sqrt(24) + 0.01 * floor  # O(1/d): the radius
    isotropic = (signal.mean() / (signal.mean() - math.expm1(-0.6))).mean()
    assert abs(found.mean() - isotropic) > 6 * found.std() / math.sqrt(24)


def test_a_fit_has_the_points_covariance_and_radii():
    x = drawn(TWO, 16, jnp.arange(3000))
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))[0]
    fitted = Elliptical.fit(x @ turn + 3.0)
    values, weights = fitted.spectrum()
    assert weights @ values == pytest.approx(1.0)
    assert np.sort(values).reshape(2, 8).mean(axis=1) == pytest.approx([0.5, 1.5], rel=0.04)
    squares = (x**2 / TWO.shape.inputs(16)["eigenvalues"]).mean(axis=1)
    assert np.corrcoef(np.array(fitted.radius) ** 2, squares)[0, 1] > 0.99
    assert np.mean(np.array(fitted.radius) ** 2) == pytest.approx(1.0, rel=1e-3)
    assert not fitted.knows_score
    assert Elliptical.fit(simdiff.data.Digits(components=20)).spectrum()[0].size == 20


@pytest.mark.parametrize("df", [2.05, 3.0, 30.0])
def test_the_rule_of_students_law_integrates_what_grows_like_r_squared(df):
    squares, weights = Student(df).rule()
    assert weights @ squares == pytest.approx(1.0, rel=1e-8)
    law = stats.invgamma(df / 2, scale=(df - 2) / 2)
    assert weights @ (squares < 0.5) == pytest.approx(law.cdf(0.5), abs=3e-3)
    inverse = (df / 2) / ((df - 2) / 2)  # E 1/r^2, by the gamma law
    assert weights @ (1 / squares) == pytest.approx(inverse, rel=1e-8)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"radius": [-1.0, 1.0]}, "data.radius"),
        ({"radius": [0.0, 0.0]}, "data.radius"),
        ({"radius": [1.0, math.nan]}, "data.radius"),
        ({"radius": "cauchy"}, "data.radius"),
        ({"radius": [1.0, 2.0], "weights": [0.5, 0.4]}, "data.weights"),
        ({"radius": [1.0, 2.0], "weights": [1.0]}, "data.weights"),
        ({"weights": [1.0]}, "data.weights"),
        ({"df": 2.0}, "data.df"),
        ({"exponent": 1.0, "spectrum": ([1.0], [1.0])}, "data.exponent"),
        ({"spectrum": ([1.0], [0.5])}, "data.spectrum"),
    ],
)
def test_what_is_refused(arguments, field):
    with pytest.raises(InputError) as caught:
        Elliptical(**arguments)
    assert caught.value.field == field


def test_points_without_a_fit_are_refused():
    for points in (np.ones((5, 3)), np.full((5, 3), np.nan), np.ones(3), "points"):
        with pytest.raises(InputError):
            Elliptical.fit(points)


def test_heavy_tails_are_noted():
    assert "fourth moment" in Elliptical(df=4.0).notes()[-1]
    assert not any("fourth moment" in note for note in Elliptical(df=4.5).notes())
