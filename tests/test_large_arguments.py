"""Whole numbers far beyond what a machine counts to are refused in one line, as small ones are."""

import pytest

import simdiff


@pytest.mark.parametrize("d", [10**80, 10**300, 1e80])
def test_a_size_that_no_machine_counts_to(d):
    with pytest.raises(simdiff.InputError, match=r"d: got .*allowed: an integer >= 1 and <= 1000000000"):
        simdiff.predict(simdiff.LinearSampling(), d=d)


def test_as_many_models():
    points = simdiff.data.PointMasses([[-1.0], [1.0]])
    problem = simdiff.EnsembleSampling(data=points, P=64)
    with pytest.raises(simdiff.InputError, match=r"models: got .*allowed: an integer >= 2 and <= 10000000"):
        simdiff.learned_density(problem, models=10**300)
