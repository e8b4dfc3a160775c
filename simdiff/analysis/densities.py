"""What an ensemble of models generates, as densities, beside what a theory expects of it.

Every model has its own density; their average is the paper's [q], their quantiles show how models differ.
Densities are joint ones over all axes of a window, normalised by all samples: those outside are counted.

Source: arXiv 2504.12532, figures 2 and 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from simdiff.analysis.distances import Distance, wasserstein
from simdiff.engine.keys import check_seed
from simdiff.errors import InputError, check_choice, check_integer, check_number, check_type
from simdiff.parts.jax_settings import with_pinned_settings
from simdiff.problems import EnsembleSampling
from simdiff.problems.ensemble.problem import train_models
from simdiff.sampling.flow import generate_samples
from simdiff.theory.ensemble import effective_dynamics, weight_law

ORDERS = {
    "effective_dynamics": weight_law.corrected,
    "effective_dynamics_first_order": weight_law.first_order,
}
MOST_MODELS = 10**7
TOGETHER = 16
"""Models whose samples are in memory at once."""
COMPARED = 1000
"""Samples of every model that enter the distance."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Densities (models, cells...) and the shares of samples outside the window (models,)."""

    density: np.ndarray
    outside: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """[q] on the cells."""
        return self.density.mean(axis=0)

    @property
    def stderr(self) -> np.ndarray:
        """Standard error of the mean, over models."""
        return self.density.std(axis=0, ddof=1) / np.sqrt(len(self.density))

    def quantiles(self, *shares: float) -> np.ndarray:
        """Pointwise quantiles over models, one array of cells for each share."""
        return np.quantile(self.density, shares, axis=0)


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedDensity:
    """Densities of trained models and of the theory, and the Wasserstein-1 distance of their averages.

    `edges`: ends of the cells, the same along every axis.
    """

    edges: np.ndarray
    trained: Ensemble
    theory: Ensemble
    distance: Distance


@with_pinned_settings
def learned_density(
    problem: EnsembleSampling,
    P: int | None = None,
    models: int = 100,
    samples: int = 10_000,
    bins: int | None = None,
    window: float | None = None,
    seed: int = 0,
    theory: str | None = None,
) -> LearnedDensity:
    """Train `models` models on P draws each, let each generate `samples`, and compare with a theory.

    Args:
        problem: an `EnsembleSampling`; its own numbers of samples are not used.
        P: draws that a model is trained on; None: the problem's.
        models: trained models; the theory has twice as many draws of its field.
        samples: samples of each.
        bins: cells along an axis; None: 120 in one dimension, 48 in two.
        window: cells lie between -window and window along every axis; None: 1.5 times the largest coordinate.
        seed: of training and sampling.
        theory: "effective_dynamics" or "effective_dynamics_first_order"; None: the problem's own.

    Raises:
        InputError: another problem, no P, a number out of range, or points in more than two dimensions.
    """
    check_type("problem", problem, EnsembleSampling)
    P = check_integer("P", problem.P if P is None else P, least=1)
    models = check_integer("models", models, least=2, most=MOST_MODELS)
    problem = dataclasses.replace(problem, samples=check_integer("samples", samples, least=1))
    seed = check_seed(seed)
    name = check_choice("theory", problem.default_theory if theory is None else theory, tuple(ORDERS))
    edges = _edges(problem, bins, window)
    law = effective_dynamics.law_of(problem.at_size(P), ORDERS[name])
    drawn = effective_dynamics.sample_pieces(problem, law, 2 * models, samples, seed, TOGETHER)
    trained, few = _histograms(trained_pieces(problem, P, models, seed), edges)
    expected, many = _histograms(map(np.asarray, drawn), edges)
    return LearnedDensity(edges, trained, expected, wasserstein(few, many, seed))


def trained_pieces(
    problem: EnsembleSampling, P: int, models: int, seed: int = 0
) -> Iterator[Float[np.ndarray, "G n D"]]:
    """Samples of models trained on P draws each, float32, some models at a time; model i from (seed, i)."""
    _, inputs = problem.kernel(P)
    steps, span = jax.tree.map(jnp.asarray, (inputs["steps"], inputs["span"]))
    generating = jax.random.key(seed)
    fitted = train_models(problem, P, models, seed)
    for first in range(0, models, TOGETHER):
        part = jax.tree.map(lambda array, at=first: array[at : at + TOGETHER].astype(jnp.float32), fitted)
        yield np.asarray(
            generate_samples(problem.model, problem.samples, part, steps, span, generating, first)
        )


def _edges(problem: EnsembleSampling, bins: int | None, window: float | None) -> np.ndarray:
    points, _ = problem.data.arrays()
    if points.shape[1] > 2:
        raise InputError("data", f"points in {points.shape[1]} dimensions", "points on a line or in a plane")
    cells = check_integer("bins", bins or (120 if points.shape[1] == 1 else 48), least=2)
    reach = 1.5 * float(np.abs(points).max()) if window is None else check_number("window", window, above=0)
    return np.linspace(-reach, reach, cells + 1)


def _histograms(pieces: Iterator[np.ndarray], edges: np.ndarray) -> tuple[Ensemble, np.ndarray]:
    """Densities of all models, and some samples of each."""
    found = [(_density(x, edges), x[:, :COMPARED]) for model in pieces for x in model[:, None]]
    density = np.concatenate([part for part, _ in found])
    volume = float(edges[1] - edges[0]) ** (density.ndim - 1)
    outside = 1.0 - volume * density.reshape(len(density), -1).sum(axis=1)
    return Ensemble(density, outside), np.concatenate([part for _, part in found])


def _density(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Of one model's samples (1, n, D): cells by counting, float64, with a leading axis of one."""
    _, n, D = x.shape
    cells, spacing = edges.size - 1, float(edges[1] - edges[0])
    place = np.floor((x[0] - edges[0]) / spacing)
    inside = np.all((place >= 0) & (place < cells), axis=1)
    flat = np.ravel_multi_index(tuple(place[inside].astype(np.int64).T), (cells,) * D)
    counts = np.bincount(flat, minlength=cells**D).reshape(1, *(cells,) * D)
    return counts / (n * spacing**D)
