"""A data law as a finite mixture of Gaussians, and the features of random networks on it.

`data.gaussian_classes()` gives the mixture. A radius with a density, or with more values than are needed, is
replaced by a Gauss rule of `count` nodes.

Class means of norm sqrt(d) lie in O(1) of d directions, where they change no error per dimension. But they
give every feature a bias of its own on every class, a c_k . omega with omega ~ N(0, 1) the feature's
weights along the directions of the means: features come in types, the nodes of a Gauss-Hermite rule for
omega, each with its own constants mu1, v2, s2 on every class. Mean values of features are as many
directions as there are classes, and change nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from typing import Any

import numpy as np
from jaxtyping import Float

from simdiff.errors import InputError, check_number
from simdiff.theory.mixed_gaussians.fixed_point import Groups
from simdiff.theory.numerics.gauss_rule import gauss_rule
from simdiff.theory.numerics.quadrature import QuadratureWarning, constants

MOST_DIRECTIONS = 2
"""Of class means with random features: the number of types is a power of it."""


@dataclasses.dataclass(frozen=True)
class Classes:
    """K Gaussians: eigenvalues along directions of given weights, means in units of sqrt(d).

    `reduced`: the classes are nodes of a quadrature, not those of the law.
    """

    probabilities: Float[np.ndarray, " K"]
    eigenvalues: Float[np.ndarray, "K s"]
    directions: Float[np.ndarray, " s"]
    means: Float[np.ndarray, "K r"]
    reduced: bool


@dataclasses.dataclass(frozen=True)
class Shifted:
    """An activation with a bias before it, and a linear term beside it, which adds to mu1 alone."""

    activation: Any
    bias: float
    slope: float = 0.0

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where u + bias meets the kinks."""
        return tuple(kink - self.bias for kink in getattr(self.activation, "kinks", ()))

    def fn(self, u: Any) -> Any:
        """rho(u + bias) + slope u."""
        return self.activation.fn(u + self.bias) + self.slope * u


def classes_of(data: Any, count: int) -> Classes:
    """The mixture, with at most `count` radii where classes are multiples of one covariance."""
    found = data.gaussian_classes()
    scales, probabilities, means = found.scales, found.probabilities, found.means
    if reduced := len(found.eigenvalues) == 1 and scales.size > count:
        scales, probabilities = gauss_rule(scales, probabilities, count)
        means = np.zeros((scales.size, 1))
    return Classes(probabilities, scales[:, None] * found.eigenvalues, found.directions, means, reduced)


def groups_of(problem: Any, ridge: float, classes: Classes, count: int) -> Groups:
    """Groups of rows and types of features; `count` nodes for each direction of means."""
    t = check_number("t", problem.t, above=0)
    a2, h = math.exp(-2.0 * t), -math.expm1(-2.0 * t)
    i = 1.0 / check_number("m", problem.m, least=1, finite=False)
    signal = a2 * classes.eigenvalues
    features = _linear(signal) if _is_linear(problem) else _random(problem, classes, a2, h, count)
    return Groups(
        psi_n=check_number("psi_n", problem.psi_n, above=0),
        psi_p=math.inf if _is_linear(problem) else check_number("model.psi_p", problem.model.psi_p, above=0),
        i=i,
        a2=a2,
        h=h,
        ridge=ridge,
        probabilities=classes.probabilities,
        directions=classes.directions,
        variances=np.stack([signal, np.full_like(signal, h)]),
        **features,
    )


def types(classes: Classes, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (q, K) of class means along a feature's weights, and their shares (q,)."""
    spanned = _coordinates(classes.means)
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    grid = np.array(list(itertools.product(nodes, repeat=spanned.shape[1])))
    shares = np.array([math.prod(w) for w in itertools.product(weights, repeat=spanned.shape[1])])
    kept = shares > 1e-16 * shares.max()
    return (grid @ spanned.T)[kept], shares[kept] / shares[kept].sum()


def _coordinates(means: Float[np.ndarray, "K r"]) -> Float[np.ndarray, "K k"]:
    """The same means along as few orthonormal directions as they span."""
    u, s, _ = np.linalg.svd(means, full_matrices=False)
    rank = int(np.sum(s > 1e-12 * max(1.0, s.max(initial=0.0))))
    if rank > MOST_DIRECTIONS:
        hint = "random features then have too many types of biases to average over; linear models have not"
        raise InputError(
            "data.means", means.tolist(), f"means along at most {MOST_DIRECTIONS} directions", hint
        )
    return u[:, :rank] * s[:rank]


def _is_linear(problem: Any) -> bool:
    return getattr(problem.model, "theory", None) == "linear_denoiser"


def _linear(signal: Float[np.ndarray, "K s"]) -> dict[str, Any]:
    classes = len(signal)
    return {
        "excess": np.zeros((1, 2, classes)),
        "shares": np.ones(1),
        "phi": np.ones((1, 1)),
        "loads": np.ones((1, classes)),
    }


def _random(problem: Any, classes: Classes, a2: float, h: float, count: int) -> dict[str, Any]:
    biases, shares = types(classes, count)
    variances = a2 * classes.eigenvalues @ classes.directions
    known = np.array(
        [
            [
                shifted_constants(problem.model.activation, math.sqrt(a2) * bias, c, h)
                for bias, c in zip(row, variances, strict=True)
            ]
            for row in biases
        ]
    )
    mu1, excess = known[:, :, 0], known[:, :, 1:].swapaxes(1, 2)
    few = len(shares) <= len(variances)
    phi, loads = (np.eye(len(shares)), mu1) if few else (mu1, np.eye(len(variances)))
    return {"excess": excess, "shares": shares, "phi": phi, "loads": loads}


def shifted_constants(activation: Any, bias: float, c: float, h: float) -> tuple[float, float, float]:
    """mu1, v2, s2; beside a linear term where they are so small by themselves that their digits are lost."""
    if bias == 0.0:
        return _three(constants(activation, c, h))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QuadratureWarning)
        found = constants(Shifted(activation, bias), c, h)
    if math.isfinite(found.mu1):
        return _three(found)
    mu1, v2, s2 = _three(constants(Shifted(activation, bias, slope=1.0), c, h))
    return mu1 - 1.0, v2, s2


def _three(found: Any) -> tuple[float, float, float]:
    return found.mu1, found.v2, found.s2
