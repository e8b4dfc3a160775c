"""The law of the eigenvalues of U against exact laws and moments, and against simulated features."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from theory_points import IDENTITY, RELU, TANH, Rho, make

from simdiff import InputError
from simdiff.theory.denoising import spectral_density
from simdiff.theory.denoising.gaussian_equivalence import ConvergenceWarning
from simdiff.theory.denoising.inputs import inputs_of
from simdiff.theory.denoising.learning_curve import TheoryInputs
from simdiff.theory.denoising.spectral_density import Spectrum, spectrum, spectrum_of

COS = Rho("cos", np.cos)
"""Even: no linear part, so that U is a Wishart matrix at m = 1."""

TWO = ([0.25, 4.0], [0.8, 0.2])
THREE = ([1e-5, 1e-2, 9.0], [0.5, 0.4, 0.1])
HALF = ([0.0, 2.0], [0.5, 0.5])


def point(psi_n, psi_p, m, t, rho=TANH, spectrum=([1.0], [1.0])):
    return make(psi_n, psi_p, m, t, 1e-3, rho, spectrum)


@pytest.mark.parametrize(("psi_n", "psi_p"), [(2.0, 4.0), (4.0, 2.0), (3.0, 3.0), (2.0, 2.0002)])
def test_marchenko_pastur(psi_n, psi_p):
    """Measured: edges to 1e-11, densities to 1e-12."""
    setting = inputs_of(point(psi_n, psi_p, 1, 0.1, COS), 0.0)
    found, variance, ratio = spectrum_of(setting), setting.v2 + setting.s2, psi_p / psi_n
    low, high = variance * (1 - math.sqrt(ratio)) ** 2, variance * (1 + math.sqrt(ratio)) ** 2
    assert found.edges == pytest.approx(np.array([[low, high]]), rel=1e-9, abs=0)
    x = np.linspace(low, high, 301)[1:-1]
    exact = np.sqrt((high - x) * (x - low)) / (2 * np.pi * variance * ratio * x)
    np.testing.assert_allclose(found.density(x), exact, rtol=1e-9)
    weight = 1.0 - 1.0 / ratio
    assert [a for pair in found.atoms for a in pair] == pytest.approx([0.0, weight] if weight > 0 else [])
    wrong = spectrum_of(setting._replace(v2=setting.v2 + 1e-7 * variance))
    assert wrong.edges != pytest.approx(np.array([[low, high]]), rel=1e-9, abs=0)


def test_a_product_of_three_square_matrices():
    """psi_n = psi_p = 1, linear, m = 1: the Fuss-Catalan law on [0, 27/4], density ~ x^(-2/3) at 0."""
    found = spectrum(point(1.0, 1.0, 1, 0.4, IDENTITY))
    assert found.edges == pytest.approx(np.array([[0.0, 6.75]]), rel=1e-12)
    phi = np.linspace(0.01, 1.0, 50)
    x = np.sin(3 * phi) ** 3 / (np.sin(phi) * np.sin(2 * phi) ** 2)
    exact = np.sin(phi) ** 2 * np.sin(2 * phi) / (np.pi * np.sin(3 * phi) ** 2)
    np.testing.assert_allclose(found.density(x), exact, rtol=1e-9)


# name -> problem, number of intervals, atom (position relative to s2 at m = infinity, weight)
POINTS = {
    "generic": (point(2.0, 4.0, 4, 0.1), 2, None),
    "p = n m": (point(2.0, 8.0, 4, 0.1), 2, None),
    "p = n": (point(2.0, 2.0, 1, 0.1), 1, None),
    "p = n + d, m infinite": (point(2.0, 3.0, math.inf, 0.1), 2, None),
    "p = n + d, one draw": (point(2.0, 3.0, 1, 0.1), 2, (0.0, 1 / 3)),
    "p > n + d, m infinite": (point(8.0, 64.0, math.inf, 0.01), 3, (1.0, 55 / 64)),
    "p > n m, two bulks": (point(8.0, 64.0, 1, 0.01), 2, (0.0, 7 / 8)),
    "p < n + d, two variances": (point(8.0, 6.0, math.inf, 0.2, RELU, TWO), 3, None),
    "linear": (point(0.5, 4.0, 3, 0.1, IDENTITY, HALF), 1, (0.0, 3 / 4)),
    "linear, n m < d": (point(0.2, 4.0, 3, 0.1, IDENTITY, HALF), 2, (0.0, 0.85)),
    "linear, p = d": (point(0.5, 1.0, 3, 0.1, IDENTITY, HALF), 1, None),
    "linear, m infinite": (point(0.5, 4.0, math.inf, 0.1, IDENTITY), 2, (0.0, 3 / 4)),
    "no linear part": (point(0.5, 4.0, 2, 0.5, COS), 1, (0.0, 3 / 4)),
    "no linear part, m infinite": (point(0.5, 4.0, math.inf, 0.5, COS), 1, (1.0, 7 / 8)),
    "no signal": (point(0.5, 4.0, math.inf, 0.5, TANH, ([0.0], [1.0])), 1, (1.0, 3 / 4)),
    "six decades": (point(4.0, 400.0, 3, 1e-3, TANH, THREE), 5, (0.0, 0.97)),
    "narrow": (point(0.5, 4.0, 10**10, 0.1), 4, None),
}


@pytest.fixture(scope="module")
def spectra() -> dict[str, Spectrum]:
    return {name: spectrum(problem) for name, (problem, _, _) in POINTS.items()}


def exact_moments(s: TheoryInputs) -> np.ndarray:
    """Of order 1 and 2: from the expansion of the fixed point at a large ridge.

    (1/p) tr U^2 = <u>^2 + psi_p [ <(mu1^2 (a^2 s + h))^2> + (B_1^2 + i (1 - i) B_2^2) / psi_n ], where
    B_g = b_g + <S_g>: the mean variance of a feature in group g.
    """
    i, signal, noise = s.i, s.mu1**2 * s.a2 * s.eigenvalues, s.mu1**2 * s.h
    b1 = s.v2 + i * s.s2 + s.weights @ (signal + i * noise)
    b2 = s.s2 + noise
    mean = b1 + (1 - i) * b2
    spread = s.weights @ (signal + noise) ** 2 + (b1**2 + i * (1 - i) * b2**2) / s.psi_n
    return np.array([mean, mean**2 + s.psi_p * spread])


@pytest.mark.parametrize("name", POINTS)
def test_mass_moments_and_atoms(spectra, name):
    """Measured: mass to 1e-6, moments to 1e-5, most of them far better."""
    problem, intervals, atom = POINTS[name]
    found, setting = spectra[name], inputs_of(problem, 0.0)
    assert len(found.edges) == intervals
    assert found.masses.sum() + sum(w for _, w in found.atoms) == pytest.approx(1.0, abs=1e-9)
    assert found.mass == pytest.approx(1.0, abs=1e-4)
    moments = np.array([found.moment(1), found.moment(2)])
    assert moments == pytest.approx(exact_moments(setting), rel=1e-4)
    wrong = setting._replace(psi_p=setting.psi_p * 1.01)
    assert moments[1] != pytest.approx(exact_moments(wrong)[1], rel=1e-4)
    expected = () if atom is None else ((atom[0] * setting.s2, atom[1]),)
    assert len(found.atoms) == len(expected)
    assert np.array(found.atoms) == pytest.approx(np.array(expected), rel=1e-12)


@pytest.mark.parametrize("name", POINTS)
def test_distribution_function_density_and_edges_fit_together(spectra, name):
    """The first counts by a potential, the second is a solution: neither is computed from the other."""
    found = spectra[name]
    rng = np.random.default_rng(3)
    for (low, high), mass in zip(found.edges, found.masses, strict=True):
        x = low + (high - low) * rng.uniform(0.05, 0.95, 20)
        step = 1e-4 * np.minimum(x - low, high - x)
        slope = (found.cdf(x + step) - found.cdf(x - step)) / (2 * step)
        np.testing.assert_allclose(slope, found.density(x), rtol=2e-6, atol=1e-9 * mass / (high - low))
        # The square of the density is linear next to an edge; an edge off by 1e-9 of x would show.
        for edge, inwards in ((low, 1e-7), (high, -1e-7)):
            if low > 0 and high > 1.1 * low and edge > found._shift * 1.1:
                near = found.density(edge * (1 + inwards * np.array([1.0, 4.0])))
                assert near[1] / near[0] == pytest.approx(2.0, rel=5e-3)


@pytest.mark.parametrize("log", [False, True])
def test_grids_for_drawing_carry_the_mass(spectra, log):
    for found in spectra.values():
        x, density = found.density_on_grid(400, log=log)
        assert x.size <= 400
        assert np.all(np.diff(x) > 0)
        assert np.all(density >= 0)
        place = np.log(x) if log else x
        parts = np.searchsorted(x, found.edges[1:, 0])
        area = sum(
            np.trapezoid(d, p) for d, p in zip(np.split(density, parts), np.split(place, parts), strict=True)
        )
        assert area == pytest.approx(found.masses.sum(), abs=5e-3)


def gram_eigenvalues(problem, d: int, seed: int) -> np.ndarray:
    """All p eigenvalues of U for real random features at size d."""
    rng = np.random.default_rng(seed)
    n, p, m = round(problem.psi_n * d), round(problem.model.psi_p * d), problem.m
    values, weights = problem.data.spectrum()
    a, h = math.exp(-problem.t), -math.expm1(-2 * problem.t)
    w = rng.standard_normal((p, d)) / math.sqrt(d)
    x = a * rng.standard_normal((n, 1, d)) * np.sqrt(np.repeat(values, np.rint(weights * d).astype(int)))
    noisy = (x + math.sqrt(h) * rng.standard_normal((n, m, d))).reshape(n * m, d)
    f = problem.model.activation.fn(noisy @ w.T) / math.sqrt(n * m)
    u = f.T @ f if p <= n * m else f @ f.T
    return np.sort(np.concatenate([np.zeros(p - len(u)), np.maximum(np.linalg.eigvalsh(u), 1e-12)]))


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Fractions of eigenvalues below the places x, at sizes d and 2 d, averaged over draws."""

    problem: object
    d: int
    draws: tuple[int, int]

    def distances(self, settings: list[TheoryInputs]) -> np.ndarray:
        """Largest differences (setting, 2) from each theory: at size 2 d, and extrapolated in 1/d."""
        spectra = [spectrum_of(setting) for setting in settings]
        x = spectra[0].density_on_grid(200)[0]
        small, large = (
            np.mean([self.fractions(size, 100 + seed, x) for seed in range(draws)], axis=0)
            for size, draws in zip((self.d, 2 * self.d), self.draws, strict=True)
        )
        curves = np.stack([large, 2.0 * large - small])
        return np.array([np.abs(curves - s.cdf(x)).max(axis=1) for s in spectra])

    def fractions(self, size: int, seed: int, x: np.ndarray) -> np.ndarray:
        eigenvalues = gram_eigenvalues(self.problem, size, seed)
        return np.searchsorted(eigenvalues, x, side="right") / eigenvalues.size


SIMULATED = {
    "tanh": Simulated(point(2.0, 4.0, 4, 0.1), 40, (8, 4)),
    "psi_p = 64, psi_n = 8": Simulated(point(8.0, 64.0, 1, 0.1), 40, (6, 3)),
    "relu, two variances": Simulated(point(1.0, 3.0, 1, 0.3, RELU, TWO), 60, (12, 6)),
    "hard edge": Simulated(point(1.0, 3.0, 3, 0.1), 40, (12, 6)),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_eigenvalues_of_simulated_features(name):
    """At one size the distance is of order 1/d (measured: 2.1, 0.7, 0.6 and 1.5 over d), at most a fifth of
    the 3 / sqrt(N) of independent numbers; extrapolated it is of order log N / N, the rigidity scale
    (measured: 0.5, 1.2, 0.4 and 0.4 of it; 1.0 to 1.8 at psi_p = 64 with other numbers of draws).
    """
    simulated = SIMULATED[name]
    right = inputs_of(simulated.problem, 0.0)
    wrong = [right._replace(psi_n=1.1 * right.psi_n), right._replace(i=right.i / (1 + right.i))]
    distances = simulated.distances([right, *wrong])
    count = 2 * simulated.d * simulated.problem.model.psi_p
    assert distances[0, 0] < 0.3 * 3.0 / math.sqrt(count)
    assert distances[0, 1] < 2.0 * math.log(count) / count
    assert np.all(distances[1:, 1] > 2.0 * distances[0, 1])


def test_every_interval_holds_its_eigenvalues_exactly(spectra):
    """No eigenvalue strays into a gap, and extremes are within a few of their spacings of the edges.

    Near an edge the density is c sqrt(distance): one eigenvalue lies within (3 / (2 p c))^(2/3).
    """
    found = spectra["generic"]
    eigenvalues = gram_eigenvalues(POINTS["generic"][0], 100, 5)
    assert np.sum(eigenvalues < found.edges.ravel()[1:3].mean()) == round(400 * found.masses[0]) == 300
    edges = found.edges.ravel()
    step = 1e-6 * edges * np.array([1, -1, 1, -1])
    spacing = (1.5 * np.sqrt(np.abs(step)) / (400 * found.density(edges + step))) ** (2 / 3)
    # Measured in five draws: -1.9 to 1.3.
    assert np.all(np.abs(eigenvalues[[0, 299, 300, 399]] - edges) < 3.0 * spacing)
    wrong = spectrum(point(2.2, 4.0, 4, 0.1)).edges.ravel()
    assert np.any(np.abs(eigenvalues[[0, 299, 300, 399]] - wrong) > 3.0 * spacing)


def test_infinitely_many_draws_in_the_gaussian_model():
    """p = n + d at m = infinity: a hard edge at s2. There U is exactly a sum of Gaussian parts and s2.

    Measured in six draws: distances of 0.41 to 0.54 log(p) / p.
    """
    s = inputs_of(point(1.0, 2.0, math.inf, 0.2, RELU), 0.0)
    d, n, p = 200, 200, 400
    rng = np.random.default_rng(0)
    w = rng.standard_normal((p, d)) / math.sqrt(d)
    rows = s.mu1 * math.sqrt(s.a2) * rng.standard_normal((n, d)) @ w.T
    rows += math.sqrt(s.v2) * rng.standard_normal((n, p))
    u = rows.T @ rows / n + s.mu1**2 * s.h * w @ w.T + s.s2 * np.eye(p)
    eigenvalues, rank = np.linalg.eigvalsh(u), np.arange(p)

    def distance(law: Spectrum) -> float:
        below = law.cdf(eigenvalues)
        return max(np.abs(below - rank / p).max(), np.abs(below - (rank + 1) / p).max())

    found = spectrum_of(s)
    assert found.edges[0, 0] == s.s2
    assert distance(found) < math.log(p) / p
    for name, factor in (("psi_n", 1.1), ("psi_p", 1.1), ("s2", 1.1), ("v2", 1.25)):
        assert distance(spectrum_of(s._replace(**{name: factor * getattr(s, name)}))) > math.log(p) / p


def test_many_draws_tend_to_infinitely_many(spectra):
    """The atom at s2 is the limit of an interval of relative width sqrt(psi_p / (psi_n m))."""
    limit = spectrum(point(0.5, 4.0, math.inf, 0.1))
    narrow = spectra["narrow"]
    (place, weight), (low, high) = limit.atoms[0], narrow.edges[0]
    assert narrow.masses[0] == pytest.approx(weight, abs=1e-9)
    assert 0.5 * (low + high) == pytest.approx(place, rel=1e-5)
    assert narrow.edges[1:] == pytest.approx(limit.edges, rel=1e-5)


def test_time_scales(spectra):
    found = spectra["p > n m, two bulks"]
    assert found.time_scales == pytest.approx(1.0 / found.edges[:, ::-1])
    slow, fast = found.time_scales
    assert fast[1] < slow[0]
    assert spectra["p = n m"].time_scales[0, 1] == math.inf


def test_trainers_do_not_matter():
    problem = point(2.0, 4.0, 4, 0.1)
    problem.trainer = None
    assert np.array_equal(spectrum(problem).edges, spectrum(point(2.0, 4.0, 4, 0.1)).edges)


def test_outside_and_on_atoms():
    found = spectrum(point(0.5, 4.0, math.inf, 0.5, COS))
    (place, weight), (low, high) = found.atoms[0], found.edges[0]
    x = np.array([[-1.0, 0.0, place * (1 - 1e-12)], [place, 0.5 * (place + low), 2 * high]])
    assert found.cdf(x) == pytest.approx(np.array([[0, 0, 0], [weight, weight, 1]]))
    assert np.array_equal(found.density(x), np.zeros((2, 3)))
    only_noise = spectrum(point(0.5, 4.0, math.inf, 0.5, COS, ([0.0], [1.0])))
    assert only_noise.edges.shape == (0, 2)
    assert only_noise.mass == 1.0
    assert only_noise.density_on_grid()[0].size == 0


def test_a_place_not_solved_is_nan_and_named(monkeypatch):
    found = spectrum(point(2.0, 4.0, 4, 0.1))
    solved = spectral_density.boundary
    monkeypatch.setattr(
        spectral_density, "boundary", lambda *a: solved(*a)._replace(certain=np.zeros(1, dtype=bool))
    )
    with pytest.warns(ConvergenceWarning, match=r"x = 1\b"):
        assert np.isnan(found.density([1.0])).all()


def test_a_missed_interval_is_reported(monkeypatch):
    solved = spectral_density.support

    def careless(*args):
        whole = solved(*args)
        return whole._replace(edges=whole.edges[1:], below=whole.below[1:])

    monkeypatch.setattr(spectral_density, "support", careless)
    with pytest.warns(ConvergenceWarning, match="leave out 0.75 of the eigenvalues"):
        spectrum(point(2.0, 4.0, 4, 0.1))


def test_what_it_does_not_cover_is_refused():
    problem = point(2.0, 4.0, 4, 0.1)
    problem.psi_n = -1.0
    with pytest.raises(InputError, match="psi_n"):
        spectrum(problem)
    with pytest.raises(InputError, match="points"):
        spectrum(point(2.0, 4.0, 4, 0.1)).density_on_grid(0)
