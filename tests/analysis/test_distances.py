"""Distances between ensembles: exact values, honest floors and errors, what is rejected, bad input."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

import simdiff
from simdiff.analysis.distances import energy, wasserstein


def ensemble(models, shift=0.0, dimension=1, seed=0):
    """Models N(c, I) with their own centres c ~ N(shift, 0.3^2)."""
    rng = np.random.default_rng(seed)
    centres = shift + 0.3 * rng.standard_normal((models, 1, dimension))
    return centres + rng.standard_normal((models, 100, dimension))


def test_the_value_is_the_distance_of_the_pooled_samples():
    x, y = ensemble(20, seed=1), ensemble(60, 0.2, seed=2)
    wanted = wasserstein_distance(x.ravel(), y.ravel())
    assert wasserstein(x, y).value == pytest.approx(wanted, rel=5e-3)
    assert wasserstein(x, y).floor < wanted


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("distance", [wasserstein, energy])
def test_equal_laws_have_no_excess_and_others_do(distance, dimension):
    pulls = []
    for seed in range(8):
        theory = ensemble(240, dimension=dimension, seed=100 + seed)
        found = distance(ensemble(60, dimension=dimension, seed=seed), theory)
        pulls.append(found.excess / found.stderr)
    assert abs(np.mean(pulls)) < 1.0
    assert np.std(pulls) < 2.0
    apart = distance(ensemble(60, 0.6, dimension, seed=50), theory)
    assert apart.excess > 3 * apart.stderr


def test_bad_input_is_one_clear_message():
    for x, y, field in (
        (np.zeros((4, 3)), ensemble(8), "trained"),
        (ensemble(4), ensemble(8, dimension=2), "theory"),
        (ensemble(4), ensemble(7), "theory.*8 or more"),
    ):
        with pytest.raises(simdiff.InputError, match=field):
            wasserstein(x, y)
