"""Sums over nodes: features as products or not give the same; fixed points by combining steps."""

import dataclasses

import numpy as np
import pytest

from simdiff import EnsembleSampling
from simdiff.data import PointMasses
from simdiff.models import FourierFeatures, GaussianFeatures
from simdiff.sampling import VariancePreserving
from simdiff.theory.ensemble.moments import DenseMoments, ProductMoments, moments
from simdiff.theory.ensemble.training_law import TrainingLaw, training_law
from simdiff.theory.numerics.anderson import anderson

LINE = EnsembleSampling(PointMasses([-1.0, 0.4]), GaussianFeatures(4, 3), VariancePreserving(t_min=0.2))
PLANE = dataclasses.replace(LINE, data=PointMasses([[1.0, 0.0], [0.0, 0.5]]), model=FourierFeatures(3, 2))


def few(problem: EnsembleSampling) -> TrainingLaw:
    nodes = training_law(problem)
    rows = slice(0, 5 * nodes.per_time)
    return TrainingLaw(
        type(nodes.pairs)(*(part[rows] for part in nodes.pairs)), nodes.mass[rows], nodes.per_time
    )


@pytest.mark.heavy
@pytest.mark.parametrize("problem", [LINE, PLANE], ids=["1-D", "2-D"])
def test_products_and_plain_features_have_the_same_moments(problem):
    nodes = few(problem)
    product = moments(problem, nodes)
    assert isinstance(product, ProductMoments)
    dense = DenseMoments(problem.model, nodes, np.array([0.2, 1.0]))
    rng = np.random.default_rng(0)
    c, M = rng.standard_normal(nodes.mass.size), rng.standard_normal((problem.features, problem.features))
    y, W = rng.standard_normal((c.size, 2)), rng.standard_normal((2, problem.features))
    pairs = [
        (each.gram(c), each.cross(c, y), each.quadratic(M), each.outputs(W)) for each in (product, dense)
    ]
    for one, other in zip(*pairs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12 * np.abs(other).max())
    assert np.abs(product.quadratic(M) - dense.quadratic(M + 1e-6)).max() > 1e-9


def test_steps_are_combined_into_the_fixed_point():
    """A linear step of n unknowns is done after n + 2 rounds; plain iteration of it would take 2,000."""
    A = np.diag([0.99, 0.9, 0.5])
    rounds = []

    def step(x: np.ndarray) -> np.ndarray:
        rounds.append(1)
        return A @ x + np.ones(3)

    found = anderson(step, np.zeros(3), 1e-10, 12)
    np.testing.assert_allclose(found, [100.0, 10.0, 2.0], rtol=1e-8)
    assert len(rounds) <= 6
    with pytest.raises(RuntimeError, match="no fixed point"):
        anderson(lambda x: 2.0 * x + 1.0, np.zeros(3), 1e-10, 3)
