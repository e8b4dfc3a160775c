"""Spectra, their rounding to whole directions, and samples that have them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from simdiff.data import Gaussian, PowerLaw
from simdiff.errors import InputError

TWO = ((0.5, 1.5), (0.25, 0.75))
KEY = jax.random.key(7)


def multiplicities(law, d):
    values, counts = np.unique(law.inputs(d)["eigenvalues"], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_isotropic_is_the_default():
    values, weights = Gaussian().spectrum()
    assert values.tolist() == [1.0]
    assert weights.tolist() == [1.0]
    assert Gaussian(((1.0,), (1.0,))) == Gaussian()
    assert Gaussian().description() == {"type": "Gaussian"}


def test_the_description_makes_the_law_again():
    law = Gaussian(TWO)
    assert Gaussian(law.description()["spectrum"]) == law
    assert hash(Gaussian([list(part) for part in TWO])) == hash(law)


@pytest.mark.parametrize(
    ("weights", "d", "counts"),
    [
        ((0.25, 0.75), 40, (10, 30)),
        ((0.25, 0.75), 41, (10, 31)),  # 10.25 and 30.75: the larger remainder gets the direction
        ((0.25, 0.75), 42, (11, 31)),  # 10.5 and 31.5: the first of equals
        ((1 / 3, 2 / 3), 3, (1, 2)),
        ((0.01, 0.99), 10, (0, 10)),
        ((0.3, 0.3, 0.4), 4, (1, 1, 2)),
        ((0.34, 0.33, 0.33), 2, (1, 1, 0)),
    ],
)
def test_directions_are_apportioned_by_largest_remainder(weights, d, counts):
    values = tuple(float(1 + k) for k in range(len(weights)))
    law = Gaussian((values, weights))
    assert multiplicities(law, d) == {v: n for v, n in zip(values, counts, strict=True) if n}
    assert law.inputs(d)["eigenvalues"].shape == (d,)


@pytest.mark.parametrize("d", [2, 7, 30, 41, 59])
def test_theory_is_given_the_spectrum_that_is_simulated(d):
    law = Gaussian(((0.2, 1.0, 3.0), (0.5, 0.3, 0.2)))
    values, weights = law.at_size(d).spectrum()
    simulated = multiplicities(law, d)
    assert {v: round(w * d) for v, w in zip(values, weights, strict=True)} == simulated
    np.testing.assert_allclose(weights * d, list(simulated.values()), rtol=1e-12)
    assert multiplicities(law.at_size(d), d) == simulated


def test_every_weight_asks_for_whole_directions():
    assert sorted(Gaussian(TWO).ratios().values()) == [0.25, 0.75]


def test_power_law_has_mean_one_and_the_asked_exponent():
    values, weights = PowerLaw(exponent=0.7, reference=50).spectrum()
    assert values.mean() == pytest.approx(1, rel=1e-12)
    assert weights.sum() == pytest.approx(1, rel=1e-12)
    slope = np.diff(np.log(values)) / np.diff(np.log(np.arange(1, 51)))
    np.testing.assert_allclose(slope, -0.7, rtol=1e-12)


def test_power_law_is_referred_to_the_size_simulated():
    law = PowerLaw(exponent=1.0)
    np.testing.assert_array_equal(law.at_size(30).spectrum()[0], law.inputs(30)["eigenvalues"])
    assert len(law.spectrum()[0]) == 1000
    assert PowerLaw(1) == PowerLaw(1.0)


def test_exponent_zero_is_isotropic():
    np.testing.assert_array_equal(PowerLaw(0).inputs(20)["eigenvalues"], np.ones(20))


def sample(law, d, rows):
    inputs = {name: jnp.asarray(value) for name, value in law.inputs(d).items()}
    sampler = law.sampler(d)
    return sampler, np.asarray(sampler.sample(KEY, sampler.frame(KEY, inputs), jnp.arange(rows)), float)


def moment_pulls(x, eigenvalues):
    """(sample second moments - spectrum) / standard error: x_i x_j has variance s_i s_j, x_i^2 2 s_i^2."""
    rows, d = x.shape
    scale = np.sqrt(np.outer(eigenvalues, eigenvalues) * (1 + np.eye(d)) / rows)
    return (x.T @ x / rows - np.diag(eigenvalues)) / scale


@pytest.mark.parametrize("law", [Gaussian(), Gaussian(TWO), PowerLaw(0.7)], ids=["isotropic", "two", "power"])
def test_samples_have_the_spectrum(law):
    d, rows = 24, 4000
    _, x = sample(law, d, rows)
    pulls = moment_pulls(x, law.inputs(d)["eigenvalues"])[np.triu_indices(d)]
    # the greatest of 300 normals exceeds 4.5 once in 500 times
    assert np.abs(pulls).max() < 4.5
    assert pulls.std() == pytest.approx(1, abs=4 / np.sqrt(2 * pulls.size))
    means = x.mean(0) / np.sqrt(law.inputs(d)["eigenvalues"] / rows)
    assert np.abs(means).max() < 4.5


def test_a_spectrum_five_per_cent_off_would_be_seen():
    d, rows = 24, 4000
    _, x = sample(Gaussian(), d, rows)
    pulls = np.diag(moment_pulls(x, np.full(d, 1.05)))
    assert abs(pulls.mean()) * np.sqrt(d) > 6


def test_factor_and_floor_of_a_frame():
    law, d, a, h = Gaussian(TWO), 24, 0.8, 0.36
    sampler, _ = sample(law, d, 1)
    s = law.inputs(d)["eigenvalues"]
    frame = jnp.asarray(s)
    w = np.random.default_rng(0).standard_normal((5, d))
    g = np.asarray(sampler.factor(frame, jnp.float64(a), jnp.float64(h), jnp.asarray(w)))
    np.testing.assert_allclose(g @ g.T, w @ np.diag(a**2 * s + h) @ w.T, rtol=1e-12)
    floor = 1 - np.mean(h / (a**2 * s + h))
    assert sampler.floor(frame, jnp.float64(a), jnp.float64(h)) == pytest.approx(floor, rel=1e-12)


@pytest.mark.parametrize(
    ("spectrum", "words"),
    [
        (((1.0, 2.0), (1.0,)), "equally long"),
        (((), ()), "equally long"),
        (((1.0,),), "equally long"),
        (((1.0,), (0.5,), (0.5,)), "equally long"),
        (((1.0, -0.1), (0.5, 0.5)), "negative"),
        (((1.0, float("nan")), (0.5, 0.5)), "not finite"),
        (((1.0, float("inf")), (0.5, 0.5)), "not finite"),
        (((0.0, 0.0), (0.5, 0.5)), "all are zero"),
        (((1.0, 2.0), (1.5, -0.5)), "weight is not"),
        (((1.0, 2.0), (1.0, 0.0)), "weight is not"),
        (((1.0, 2.0), (0.5, float("nan"))), "weight is not"),
        (((1.0, 2.0), (0.5, 0.4)), "add up to 0.9"),
    ],
)
def test_a_bad_spectrum_is_named(spectrum, words):
    with pytest.raises(InputError, match=words) as caught:
        Gaussian(spectrum)
    assert caught.value.field == "data.spectrum"
    assert caught.value.got == spectrum


@pytest.mark.parametrize("exponent", [-0.1, float("nan"), float("inf")])
def test_a_bad_exponent_is_named(exponent):
    with pytest.raises(InputError, match=r"data\.exponent: got .*a finite number >= 0"):
        PowerLaw(exponent)


@pytest.mark.parametrize("reference", [0, -5])
def test_a_bad_reference_is_named(reference):
    with pytest.raises(InputError, match=r"data\.reference: got .*an integer >= 1"):
        PowerLaw(1.0, reference)
