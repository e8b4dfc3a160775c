"""A planted direction in a bulk: the spectrum theory is given is the one that trials have."""

import json

import numpy as np
import pytest

import simdiff
from simdiff.data import Spiked
from simdiff.errors import InputError
from simdiff.parts.vary import vary

TWO = ((0.5, 1.5), (0.5, 0.5))


@pytest.mark.parametrize("law", [Spiked(), Spiked(3.0, TWO)])
def test_theory_is_given_the_spectrum_that_is_simulated(law):
    values, weights = law.at_size(21).spectrum()
    simulated, counts = np.unique(law.inputs(21)["eigenvalues"], return_counts=True)
    order = np.argsort(values)
    np.testing.assert_allclose(values[order], simulated)
    np.testing.assert_allclose(weights[order], counts / 21)
    assert law.inputs(21)["eigenvalues"][0] == law.spike == values[0]


def test_it_is_described_and_varied_by_its_arguments():
    law = Spiked(3.0, [list(part) for part in TWO])
    assert law == Spiked(3.0, TWO)
    assert hash(law) == hash(Spiked(3.0, TWO))
    problem = simdiff.LinearSampling(law)
    assert json.loads(json.dumps(problem.describe()))["data"]["bulk"] == [[0.5, 1.5], [0.5, 0.5]]
    assert vary(problem, {"data.spike": 5.0}).data == Spiked(5.0, TWO)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: Spiked(0.5), "data.spike"),
        (lambda: Spiked(1.2, TWO), "data.spike"),
        (lambda: Spiked(float("nan")), "data.spike"),
        (lambda: Spiked(2.0, ((1.0,), (0.5,))), "data.spectrum"),
        (lambda: Spiked(2.0, reference=1), "data.reference"),
        (lambda: Spiked(2.0).at_size(1), "sizes"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, field):
    with pytest.raises(InputError, match=f"^{field}: got"):
        call()
