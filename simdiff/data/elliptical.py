"""Elliptical data x = r Sigma^{1/2} g: Gaussian vectors g times a radius r of its own for every sample.

The simplest data that no Gaussian theory covers: x^T A x does not concentrate, for r^2 multiplies it.
Patches of photographs are like this, their radius being contrast. Given its radius x is Gaussian, so
density and score are averages over radii.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from simdiff.data.base import DataLaw, DiagonalSampler, Frame, GaussianClasses
from simdiff.data.gaussian import Gaussian, PowerLaw
from simdiff.data.gaussian_mixture import Mixture
from simdiff.data.points import PointSet, prepare, squared_radii
from simdiff.data.radius_law import RadiusLaw, Student, Values, student_rows, value_rows
from simdiff.engine.random_numbers import normal_rows
from simdiff.errors import InputError, check_number
from simdiff.parts.registry import register

_RADII = 0xFFFFFFFE
"""Stream of the radii, beside those of the rows."""


class Scales(NamedTuple):
    """Eigenvalues of Sigma, the law of r^2 to draw from, and a quadrature of it for densities of x."""

    eigenvalues: Float[Array, " d"]
    law: dict[str, Array]
    squares: Float[Array, " K"]
    log_weights: Float[Array, " K"]

    def noised(self, a: Array, h: Array) -> Mixture:
        """The law of a x + sqrt(h) z."""
        variances = a**2 * self.squares[:, None] * self.eigenvalues + h
        return Mixture(jnp.zeros_like(variances), variances, self.log_weights)


@dataclasses.dataclass(frozen=True)
class EllipticalSampler(DiagonalSampler):
    """Rows are Gaussian rows times radii of their own."""

    d: int
    student: bool

    classes: ClassVar[int] = 1

    def frame(self, key: Array, inputs: Mapping[str, Array]) -> Frame:
        """Nothing is drawn for a trial."""
        law = {name: inputs[name] for name in (("df",) if self.student else ("values", "edges"))}
        return Scales(inputs["eigenvalues"], law, inputs["squares"], inputs["log_weights"])

    def sample(self, key: Array, frame: Frame, rows: Array) -> Float[Array, "r d"]:
        """x = r sqrt(eigenvalues) g."""
        mine = jax.random.fold_in(key, jnp.uint32(_RADII))
        if self.student:
            squares = student_rows(mine, rows, frame.law["df"])
        else:
            squares = value_rows(mine, rows, frame.law["values"], frame.law["edges"])
        normal = normal_rows(key, rows, self.d) * jnp.sqrt(frame.eigenvalues).astype(jnp.float32)
        return normal * jnp.sqrt(squares).astype(jnp.float32)[:, None]

    def eigenvalues(self, frame: Frame) -> Float[Array, " d"]:
        """Of Sigma: E r^2 = 1."""
        return frame.eigenvalues


@register("data", "elliptical")
@dataclasses.dataclass(frozen=True, init=False)
class Elliptical(DataLaw):
    """x = r Sigma^{1/2} g with E r^2 = 1, g ~ N(0, I_d), r independent of g.

    Args:
        spectrum: (eigenvalues, weights) of Sigma; None: isotropic, or a power law where `exponent` is given.
        exponent: eigenvalues k^-exponent of mean 1, as `PowerLaw` has them; None: as `spectrum` says.
        radius: "student", or radii >= 0, which are scaled to E r^2 = 1: values of a law, or a sample of it.
        weights: probabilities of the radii given; None for equal ones.
        df: degrees of freedom of Student's law, > 2.

    Raises:
        InputError: a radius that is negative or not finite, radii that are all zero, weights that do not
            match or do not add up to 1, df <= 2, or both a spectrum and an exponent.
    """

    spectrum_: tuple[tuple[float, ...], tuple[float, ...]] | None
    exponent: float | None
    radius: Any
    weights: tuple[float, ...] | None
    df: float

    gaussian: ClassVar[bool] = False
    gaussian_features: ClassVar[bool] = False
    diagonal: ClassVar[bool] = True
    minimum_theory: ClassVar[str] = "mixed_gaussians"
    linear_theory: ClassVar[str] = "mixed_gaussians"

    def __init__(
        self,
        spectrum: Sequence[Sequence[float]] | None = None,
        exponent: float | None = None,
        radius: str | Sequence[float] = "student",
        weights: Sequence[float] | None = None,
        df: float = 6.0,
    ) -> None:
        if spectrum is not None and exponent is not None:
            hint = "exponent=None takes the spectrum as it is given"
            raise InputError("data.exponent", exponent, "None where a spectrum is given", hint)
        exponent = None if exponent is None else PowerLaw(exponent).exponent
        object.__setattr__(self, "spectrum_", None if spectrum is None else Gaussian(spectrum).spectrum_)
        object.__setattr__(self, "exponent", exponent)
        object.__setattr__(self, "df", _check_df(df))
        object.__setattr__(self, "radius", _check_radius(radius))
        object.__setattr__(self, "weights", _check_weights(weights, self.radius))

    @classmethod
    def fit(cls, points: Any) -> Elliptical:
        """The elliptical law with the covariance and the radii of these points.

        Points are centred by their mean and Sigma is scaled to a mean eigenvalue of 1; r_i^2 = x_i^T
        Sigma^{-1} x_i over the number of directions in which they vary, with the same weight for each.

        Args:
            points: an array, one point per row, or a data law such as `Patches(side=8)`.

        Raises:
            InputError: not a table of finite numbers, or points that are all the same.
        """
        prepared = points.prepared if isinstance(points, PointSet) else prepare(_check_points(points), None)
        values = prepared.eigenvalues
        weights = np.full(values.size, 1.0 / values.size)
        return cls((values.tolist(), weights.tolist()), radius=np.sqrt(squared_radii(prepared)).tolist())

    def arguments(self) -> dict[str, object]:
        """As the constructor takes them; see `parts.vary`."""
        names = ("exponent", "radius", "weights", "df")
        return {"spectrum": self.spectrum_} | {name: getattr(self, name) for name in names}

    def description(self) -> dict[str, object]:
        """The constructor's arguments that matter for the law."""
        unused = ("weights",) if self.radius == "student" else ("df",)
        return {"type": type(self).__name__} | {k: v for k, v in self.arguments().items() if k not in unused}

    @property
    def shape(self) -> Gaussian | PowerLaw:
        """The Gaussian law of the same covariance: what Gaussian theory takes these data for."""
        return Gaussian(self.spectrum_) if self.exponent is None else PowerLaw(self.exponent)

    @property
    def law(self) -> RadiusLaw:
        """The law of r^2."""
        if self.radius == "student":
            return Student(self.df)
        squares, count = np.array(self.radius) ** 2, len(self.radius)
        weights = np.full(count, 1.0 / count) if self.weights is None else np.array(self.weights)
        return Values(tuple((squares / (weights @ squares)).tolist()), tuple(weights.tolist()))

    @property
    def knows_score(self) -> bool:
        """Unless a sample of radii is too long to sum over."""
        return self.law.density_rule(1) is not None

    def gaussian_classes(self) -> GaussianClasses:
        """A class for every radius."""
        values, weights = self.spectrum()
        squares, probabilities = self.law.rule()
        return GaussianClasses(probabilities, squares, values[None], weights, np.zeros((squares.size, 1)))

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Of Sigma, which is the covariance of x."""
        return self.shape.spectrum()

    def at_size(self, d: int) -> Elliptical:
        """The same law with the spectrum of size d."""
        values, weights = self.shape.at_size(d).spectrum()
        given = self.arguments() | {"spectrum": (values.tolist(), weights.tolist()), "exponent": None}
        return type(self)(**given)  # type: ignore[arg-type]

    def sampler(self, d: int) -> EllipticalSampler:
        """Gaussian rows times radii."""
        return EllipticalSampler(d, self.radius == "student")

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The d eigenvalues, the law of r^2, and its rule for densities: r = 1 where there is none."""
        law = self.law
        squares, weights = law.density_rule(d) or (np.ones(1), np.ones(1))
        found = self.shape.inputs(d) | {"squares": squares, "log_weights": np.log(weights)}
        if isinstance(law, Student):
            return found | {"df": np.asarray(law.df)}
        values, shares = law.rule()
        return found | {"values": values, "edges": np.cumsum(shares)}

    def ratios(self) -> Mapping[str, float]:
        """Every weight of the spectrum should give a whole number of directions."""
        return self.shape.ratios()

    def notes(self) -> tuple[str, ...]:
        """Those of the spectrum, what is inferred, and that of heavy tails."""
        heavy = self.radius == "student" and self.df <= _FINITE_FOURTH_MOMENT
        return (*self.shape.notes(), _INFERRED, *((_HEAVY.format(self.df),) if heavy else ()))


_FINITE_FOURTH_MOMENT = 4.0
_INFERRED = (
    "elliptical data: the exact score infers the radius from x_t, so at size d the score error lies below "
    "that given the radius by what is not of order 1/d; extrapolate it from large sizes"
)
_HEAVY = (
    "Student's law with df = {0:g} <= 4: the fourth moment of x is infinite, so means over samples converge "
    "more slowly than standard errors say, and extrapolation in 1/d is not expected to hold"
)


def _check_df(df: Any) -> float:
    found = check_number("data.df", df, above=2)
    return float(found)


def _check_radius(radius: Any) -> Any:
    allowed = '"student", or a list of radii >= 0'
    if isinstance(radius, str) and radius == "student":
        return radius
    try:
        found = np.asarray(radius, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("data.radius", radius, allowed) from error
    if found.ndim != 1 or found.size == 0 or not np.isfinite(found).all() or not (found >= 0).all():
        raise InputError("data.radius", radius, allowed)
    if found.max() == 0:
        raise InputError("data.radius", radius, allowed, "all radii are zero")
    return tuple(found.tolist())


def _check_weights(weights: Any, radius: Any) -> tuple[float, ...] | None:
    if weights is None:
        return None
    if radius == "student":
        raise InputError("data.weights", weights, "None where the radius is a law by name")
    allowed = f"{len(radius)} positive numbers that add up to 1, one per radius"
    try:
        found = np.asarray(weights, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("data.weights", weights, allowed) from error
    if found.shape != (len(radius),) or not (found > 0).all() or not abs(found.sum() - 1) < 1e-6:
        raise InputError("data.weights", weights, allowed)
    return tuple((found / found.sum()).tolist())


def _check_points(points: Any) -> Float[np.ndarray, "m d"]:
    allowed = "a table of finite numbers, one point per row"
    try:
        found = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError("points", type(points).__name__, allowed) from error
    if found.ndim != 2 or found.size == 0 or not np.isfinite(found).all():
        raise InputError("points", f"shape {found.shape}", allowed)
    return found
