"""Data with classes: a mixture of Gaussians whose means may be as far apart as sqrt(d).

The mean of class k is sqrt(d) d^-decay sum_j c_kj u_j with orthonormal directions u_j:
u_0 = (1, ..., 1) / sqrt(d), and further cosines (`directions`), which spread evenly over coordinates. So a
mean written as one number c is c (1, ..., 1). Covariances are diagonal in these coordinates for all classes.

Noised to time t the mixture stays one, with means a m_k and variances a^2 v_k + h, so density, score and
class probabilities are closed forms. They are evaluated in float64 and through log-sum-exp: class
log-likelihoods are of order d, and only their differences matter.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from simdiff.data.base import DataLaw, Frame, GaussianClasses, Sampler
from simdiff.data.gaussian import Gaussian
from simdiff.engine.random_numbers import normal_rows, uniform_rows
from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register
from simdiff.problem import Metric

_LABELS = 0xFFFFFFFF
"""Stream of the labels, beside those of the rows."""


class Mixture(NamedTuple):
    """Means (K, d), variances (K, d) and log weights (K,) of a mixture of diagonal Gaussians, float64."""

    means: Float[Array, "K d"]
    variances: Float[Array, "K d"]
    log_weights: Float[Array, " K"]

    def noised(self, a: Array, h: Array) -> Mixture:
        """The law of a x + sqrt(h) z."""
        return Mixture(a * self.means, a**2 * self.variances + h, self.log_weights)

    def log_joint(self, x: Float[Array, "*s d"]) -> Float[Array, "*s K"]:
        """log of weight times density, class by class."""
        x = jnp.asarray(x, jnp.float64)
        inverse = 1 / self.variances
        squares = x**2 @ inverse.T - 2 * x @ (self.means * inverse).T
        constants = jnp.sum(self.means**2 * inverse + jnp.log(2 * jnp.pi * self.variances), axis=1)
        return self.log_weights - 0.5 * (squares + constants)

    def log_density(self, x: Float[Array, "*s d"]) -> Float[Array, "*s"]:
        """log p(x)."""
        return jax.nn.logsumexp(self.log_joint(x), axis=-1)

    def class_probabilities(self, x: Float[Array, "*s d"]) -> Float[Array, "*s K"]:
        """P(class | x)."""
        return jax.nn.softmax(self.log_joint(x), axis=-1)

    def score(self, x: Float[Array, "*s d"]) -> Float[Array, "*s d"]:
        """grad log p(x)."""
        p = self.class_probabilities(x)
        return p @ (self.means / self.variances) - (p @ (1 / self.variances)) * jnp.asarray(x, jnp.float64)


@register("data", "gaussian_mixture")
@dataclasses.dataclass(frozen=True, init=False)
class GaussianMixture(DataLaw):
    """K classes, x = m_k + sqrt(v_k) g with probability weights_k, g ~ N(0, I_d).

    Trials of denoising score matching know the exact score, and the test error of every class.

    Args:
        means: a number c for two classes at +-c (1, ..., 1), whose norm is |c| sqrt(d); or one entry per
            class, a number c_k for c_k (1, ..., 1) or its coordinates along orthonormal directions, in units
            of sqrt(d).
        covariances: a variance for every class and direction; a spectrum (eigenvalues, weights) for every
            class; or one entry per class, either of these.
        weights: probabilities of the classes; None for equal ones.
        decay: means shrink by d^-decay, so that their norms are of order d^(1/2 - decay); >= 0.

    Raises:
        InputError: no such classes; which entry and why is said.
    """

    means: Any
    covariances: Any
    weights: tuple[float, ...] | None
    decay: float

    gaussian: ClassVar[bool] = False
    gaussian_features: ClassVar[bool] = False
    knows_score: ClassVar[bool] = True
    minimum_theory: ClassVar[str] = "mixed_gaussians"
    size: ClassVar[int | None] = None
    """d, in a law that `at_size(d)` returned: its spectrum then has the directions between the classes."""

    def __init__(
        self,
        means: float | Sequence[Any] = 1.0,
        covariances: float | Sequence[Any] = 1.0,
        weights: Sequence[float] | None = None,
        decay: float = 0.0,
    ) -> None:
        object.__setattr__(self, "means", _frozen(means))
        object.__setattr__(self, "covariances", _frozen(covariances))
        object.__setattr__(self, "decay", check_number("data.decay", decay, least=0))
        classes = len(self.coordinates)
        object.__setattr__(self, "weights", _check_weights(weights, classes))
        _ = self.spectra

    @property
    def coordinates(self) -> np.ndarray:
        """(K, r): every class's mean along the directions, in units of sqrt(d)."""
        return _coordinates(self.means)

    @property
    def classes(self) -> int:  # type: ignore[override]
        """K."""
        return len(self.coordinates)

    @property
    def probabilities(self) -> np.ndarray:
        """(K,) probabilities of the classes."""
        return np.full(self.classes, 1 / self.classes) if self.weights is None else np.array(self.weights)

    @property
    def spectra(self) -> tuple[Gaussian, ...]:
        """Each class as a centred Gaussian: its spectrum within."""
        return _spectra(self.covariances, self.classes)

    @property
    def isotropic(self) -> np.ndarray | None:
        """(K,) variances of the classes where each has one, else None."""
        values = [law.spectrum()[0] for law in self.spectra]
        return np.array([v[0] for v in values]) if all(v.size == 1 for v in values) else None

    @property
    def diagnostics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        """The test error of every class."""
        return tuple(
            Metric(
                f"test_class_{k}", f"test error on fresh data of class {k}", label=f"test error, class {k}"
            )
            for k in range(self.classes)
        )

    def mixture(self, d: int) -> Mixture:
        """The classes at size d, as arrays."""
        c = self.coordinates
        if c.shape[1] > d:
            raise InputError("data.means", c.tolist(), f"at most {d} coordinates at d = {d}")
        means = d ** (0.5 - self.decay) * c @ directions(c.shape[1], d)
        variances = np.stack([law.inputs(d)["eigenvalues"] for law in self.spectra])
        return Mixture(jnp.asarray(means), jnp.asarray(variances), jnp.log(jnp.asarray(self.probabilities)))

    def score(self, x: Any, t: float = 0.0) -> Float[Array, "*s d"]:
        """grad log P_t at x (..., d), P_t the law of e^-t x_0 + sqrt(1 - e^-2t) z."""
        return self._at(x, t).score(jnp.asarray(x))

    def log_density(self, x: Any, t: float = 0.0) -> Float[Array, "*s"]:
        """log P_t at x (..., d)."""
        return self._at(x, t).log_density(jnp.asarray(x))

    def class_probabilities(self, x: Any, t: float = 0.0) -> Float[Array, "*s K"]:
        """P(class | x_t = x) at x (..., d)."""
        return self._at(x, t).class_probabilities(jnp.asarray(x))

    def _at(self, x: Any, t: float) -> Mixture:
        t = check_number("t", t, least=0)
        if np.ndim(x) == 0:
            raise InputError("x", x, "an array (..., d)")
        a, h = math.exp(-t), -math.expm1(-2 * t)
        return self.mixture(np.shape(x)[-1]).noised(jnp.asarray(a), jnp.asarray(h))

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the covariance within classes, their average: the few directions between them have no weight.

        At a size, of the whole covariance.
        """
        if self.size is not None:
            return self._spectrum_at(self.size)
        values, directions = self._within()
        return self.probabilities @ values, directions

    def _within(self) -> tuple[np.ndarray, np.ndarray]:
        """(K, s) eigenvalues of the classes along common directions, and the weights (s,) of these."""
        edges = np.unique(np.concatenate([np.cumsum(law.spectrum()[1]) for law in self.spectra]).round(12))
        weights = np.diff(edges, prepend=0.0)
        return np.stack([_quantiles(law, edges - 0.5 * weights) for law in self.spectra]), weights

    def gaussian_classes(self) -> GaussianClasses:
        """The classes; at a size with the numbers of directions and the means that they have there."""
        c = self.coordinates
        if self.size is None:
            values, directions = self._within()
            means = c if self.decay == 0.0 else np.zeros_like(c)
            return GaussianClasses(self.probabilities, np.ones(self.classes), values, directions, means)
        rows = np.stack([law.inputs(self.size)["eigenvalues"] for law in self.spectra])
        values, counts = np.unique(rows, axis=1, return_counts=True)
        means = self.size**-self.decay * c
        return GaussianClasses(self.probabilities, np.ones(self.classes), values, counts / self.size, means)

    def _spectrum_at(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        p, m, v = self.probabilities, *(np.asarray(part) for part in self.mixture(d)[:2])
        centred = np.sqrt(p)[:, None] * (m - p @ m)
        values = np.linalg.eigvalsh(np.diag(p @ v) + centred.T @ centred)
        return np.maximum(values, 0.0), np.full(d, 1 / d)

    def at_size(self, d: int) -> GaussianMixture:
        """The same law, whose spectrum is that of size d."""
        at = dataclasses.replace(self)
        object.__setattr__(at, "size", d)
        return at

    def sampler(self, d: int) -> MixtureSampler:
        """Draws a class, then a point of it."""
        return MixtureSampler(d, self.classes)

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The classes at size d."""
        return {name: np.asarray(part) for name, part in self.mixture(d)._asdict().items()}

    def ratios(self) -> Mapping[str, float]:
        """Every weight of a spectrum should give a whole number of directions."""
        return {name: ratio for law in self.spectra for name, ratio in law.ratios().items()}


@dataclasses.dataclass(frozen=True)
class MixtureSampler(Sampler):
    """The frame is the `Mixture`."""

    d: int
    classes: int

    def frame(self, key: Array, inputs: Mapping[str, Array]) -> Frame:
        """The classes: nothing is drawn for a trial."""
        return Mixture(**inputs)

    def labels(self, key: Array, frame: Frame, rows: Array) -> Int[Array, " r"]:
        """The class of each row."""
        u = uniform_rows(jax.random.fold_in(key, jnp.uint32(_LABELS)), rows)
        edges = jnp.cumsum(jnp.exp(frame.log_weights))
        return jnp.minimum(jnp.searchsorted(edges, u, side="right"), self.classes - 1)

    def sample(self, key: Array, frame: Frame, rows: Array) -> Float[Array, "r d"]:
        """m_k + sqrt(v_k) g, k the row's label."""
        k = self.labels(key, frame, rows)
        # products of float32 numbers are exact in float64: fused with the sum or not, the bits are the same
        scale = jnp.sqrt(frame.variances).astype(jnp.float32).astype(jnp.float64)
        normal = normal_rows(key, rows, self.d).astype(jnp.float64)
        return (frame.means[k] + scale[k] * normal).astype(jnp.float32)


def directions(count: int, d: int) -> np.ndarray:
    """(count, d), orthonormal rows: the discrete cosine basis from (1, ..., 1) / sqrt(d) on."""
    j, i = np.arange(count)[:, None], np.arange(d)
    waves = np.cos(math.pi * j * (i + 0.5) / d) * math.sqrt(2 / d)
    return np.where(j == 0, 1 / math.sqrt(d), waves)


def _quantiles(law: Gaussian, levels: np.ndarray) -> np.ndarray:
    """Eigenvalues at these shares of the directions, in the order in which they are given."""
    values, weights = law.spectrum()
    return values[np.minimum(np.searchsorted(np.cumsum(weights), levels), values.size - 1)]


def _frozen(value: Any) -> Any:
    """Sequences and arrays as tuples, whole: a frozen law can be hashed."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(_frozen, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _coordinates(means: Any) -> np.ndarray:
    allowed = "a number, or one number or equally long list of numbers per class"
    rows = ((means,), (-means,)) if isinstance(means, numbers.Real) else means
    try:
        found = np.array([np.atleast_1d(np.asarray(row, np.float64)) for row in rows])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("data.means", means, allowed) from error
    if found.ndim != 2 or found.size == 0 or not np.isfinite(found).all() or isinstance(means, bool):
        raise InputError("data.means", means, allowed)
    return found


def _check_weights(weights: Sequence[float] | None, classes: int) -> tuple[float, ...] | None:
    if weights is None:
        return None
    allowed = f"{classes} positive numbers that add up to 1, one per class"
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("data.weights", weights, allowed) from error
    if found.shape != (classes,) or not (found > 0).all() or not abs(found.sum() - 1) < 1e-6:
        raise InputError("data.weights", weights, allowed)
    return tuple((found / found.sum()).tolist())


def _spectra(covariances: Any, classes: int) -> tuple[Gaussian, ...]:
    allowed = f"a variance >= 0, a spectrum (eigenvalues, weights), or a list of {classes} of these"
    shared = not isinstance(covariances, tuple) or _is_spectrum(covariances)
    entries = (covariances,) * classes if shared else covariances
    if len(entries) != classes:
        raise InputError("data.covariances", covariances, allowed)
    return tuple(_one_spectrum(entry, allowed) for entry in entries)


def _is_spectrum(entry: Any) -> bool:
    """Whether it is a pair of lists of numbers."""
    lists = [isinstance(part, tuple) and all(isinstance(x, numbers.Real) for x in part) for part in entry]
    return len(lists) == 2 and all(lists)


def _one_spectrum(entry: Any, allowed: str) -> Gaussian:
    if isinstance(entry, numbers.Real) and not isinstance(entry, bool):
        value = check_number("data.covariances", entry, least=0)
        law = Gaussian(((1.0,), (1.0,)))
        object.__setattr__(law, "spectrum_", ((value,), (1.0,)))
        return law
    if not isinstance(entry, tuple):
        raise InputError("data.covariances", entry, allowed)
    try:
        return Gaussian(entry)
    except InputError as error:
        raise InputError("data.covariances", entry, allowed, error.hint) from error
