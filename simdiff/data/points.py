"""A finite set of points as a law: x is one of them, drawn uniformly and independently, with replacement.

Then the covariance of all points is exactly that of x, which theory takes for Sigma, and averages over the
law are averages over all points. That is the reason for drawing with replacement. Among N distinct points
of M the covariance of a training set fluctuates less than theory assumes, by 1 - N/M, and that of the points
held out is another one. Measured with Gaussian points (M = 1797, d = 61, no ridge), where theory holds but
for this: KL(sampled || target) and the test error at N/M = 0.27 come out

    with replacement                                +0.3% and +0.02% of theory
    distinct points, all points for a target        -26%  and -0.5%
    distinct points, those held out for a target    +39%  and +0.5%

so that what is left, drawing with replacement, is how far the points are from being Gaussian. A training set
then has repetitions, about N^2 / (2 M) of them.

Points are centred by the mean of all, turned into the eigenbasis of their covariance, and scaled to a mean
eigenvalue of 1, once when they are loaded.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import hashlib
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from simdiff.data.base import DataLaw, DiagonalSampler, Frame, GaussianClasses, Sampler
from simdiff.data.gaussian import FixedSpectrumSampler
from simdiff.engine.random_numbers import integer_rows
from simdiff.errors import InputError, check_integer

_ROUNDING = float(np.finfo(np.float64).eps)


class Prepared(NamedTuple):
    """Points in the eigenbasis of their covariance, and its eigenvalues, largest first, of mean 1.

    `rank`: how many eigenvalues differ from 0; the others are exactly 0, and so are their coordinates.
    `content`: 16 hex digits that tell these points from others. `repeated`: how many are the same as an
    earlier one.
    """

    points: Float32[np.ndarray, "m d"]
    eigenvalues: Float[np.ndarray, " d"]
    rank: int
    content: str
    repeated: int


class Cloud(NamedTuple):
    """What all samples of a trial share."""

    eigenvalues: Float[Array, " d"]
    points: Float32[Array, "m d"]


@dataclasses.dataclass(frozen=True)
class PointSampler(DiagonalSampler):
    """Points drawn with replacement."""

    d: int

    rounding: ClassVar[float] = float(np.finfo(np.float32).eps)

    def frame(self, key: Array, inputs: Any) -> Frame:
        """All points."""
        return Cloud(inputs["eigenvalues"], inputs["points"])

    def sample(self, key: Array, frame: Frame, rows: Array) -> Float[Array, "r d"]:
        """Every row is a point of its own draw."""
        return frame.points[integer_rows(key, rows, jnp.asarray(frame.points.shape[0]))]

    def eigenvalues(self, frame: Frame) -> Float[Array, " d"]:
        """Of the covariance of all points."""
        return frame.eigenvalues


class PointSet(DataLaw):
    """Points that data give; a law with one size only. Subclasses are frozen dataclasses with these fields.

    Args:
        components: keep so many principal components, the leading ones; None: all dimensions.
        twin: draw from N(0, Sigma) with the points' covariance Sigma instead, for comparison.

    Raises:
        InputError: components that are more than the dimensions in which the points vary, or points that
            are all the same.
    """

    components: int | None
    twin: bool

    def __post_init__(self) -> None:
        if not isinstance(self.twin, bool):
            raise InputError("data.twin", self.twin, "true or false")
        if self.components is not None:
            object.__setattr__(self, "components", check_integer("data.components", self.components, least=1))
        self.check()
        object.__setattr__(self, "_prepared", _prepared(self, self.stamp()))

    def check(self) -> None:
        """Check and normalise the fields that a subclass adds, before anything is loaded."""
        return

    @abc.abstractmethod
    def load(self) -> Float[np.ndarray, "m d"]:
        """All points as they are, float64."""

    def stamp(self) -> tuple[int, ...]:
        """Changes when what `load` reads has changed."""
        return ()

    @property
    def prepared(self) -> Prepared:
        """The points as trials see them."""
        return self._prepared  # type: ignore[attr-defined]

    def basis(self) -> Float[np.ndarray, "d D"]:
        """Orthonormal rows: a sample x of a trial is x @ basis in the D coordinates in which data came.

        That is but for the mean, which is taken out, and for the scale, by which the mean eigenvalue is 1.
        """
        pixels = self.load()
        return _rows_of(self.prepared.points, pixels - pixels.mean(axis=0))

    @property
    def gaussian(self) -> bool:  # type: ignore[override]
        """Only the twin."""
        return self.twin

    @property
    def linear_theory(self) -> str | None:
        """The one that averages over points; a twin is Gaussian."""
        return None if self.twin else "leave_one_out"

    def population(self) -> Float[np.ndarray, "m d"] | None:
        """The points as trials see them, float64; a twin has none."""
        return None if self.twin else self.prepared.points.astype(np.float64)

    def gaussian_classes(self) -> GaussianClasses | None:
        """As if points were elliptical, each radius a class: closer to images than one Gaussian is."""
        if self.twin:
            return None
        squares, (values, weights) = squared_radii(self.prepared), self.spectrum()
        shares = np.full(squares.size, 1.0 / squares.size)
        return GaussianClasses(shares, squares, values[None], weights, np.zeros((squares.size, 1)))

    @property
    def diagonal(self) -> bool:
        """In the eigenbasis of all points' covariance."""
        return True

    @property
    def rank(self) -> int:
        """Directions in which the points vary."""
        return self.prepared.rank

    @property
    def only_size(self) -> int:
        """d, as the data have it."""
        return self.prepared.eigenvalues.size

    @property
    def count(self) -> int:
        """How many points there are."""
        return len(self.prepared.points)

    def gaussian_twin(self) -> PointSet:
        """N(0, Sigma) with the covariance of these points: what differs from it is not finite size."""
        return dataclasses.replace(self, twin=True)  # type: ignore[type-var]

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """The eigenvalues of all points' covariance, each of weight 1/d."""
        values = self.prepared.eigenvalues
        return values.copy(), np.full(values.size, 1.0 / values.size)

    def at_size(self, d: int) -> PointSet:
        """The law itself, at its one size."""
        self._check_size(d)
        return self

    def sampler(self, d: int) -> Sampler:
        """Draws points, or their Gaussian twins."""
        self._check_size(d)
        return FixedSpectrumSampler(d) if self.twin else PointSampler(d)

    def inputs(self, d: int) -> dict[str, np.ndarray]:
        """The points, unless they are twins, and the eigenvalues."""
        self._check_size(d)
        values = {"eigenvalues": self.prepared.eigenvalues}
        return values if self.twin else values | {"points": self.prepared.points}

    def _check_size(self, d: int) -> None:
        if d != self.only_size:
            hint = f"{type(self).__name__} has this one size; leave sizes out, or change data.components"
            raise InputError("sizes", d, f"{self.only_size}", hint)

    def check_samples(self, n: int) -> None:
        """At most as many samples as there are points; a twin has any number."""
        if n > self.count and not self.twin:
            hint = f"a training set of N = {n} out of {self.count} points would hold most of them repeatedly"
            raise InputError("psi_n", n / self.only_size, f"at most {self.count / self.only_size:.6g}", hint)

    @property
    def stored_bytes(self) -> int:
        """All points, in float32."""
        return 0 if self.twin else self.prepared.points.nbytes

    def notes(self) -> tuple[str, ...]:
        """How far the points are from Gaussian ones, in two numbers that theory takes for granted."""
        kind, d = type(self).__name__, self.only_size
        if self.twin:
            return (f"{kind}: Gaussian twins with the covariance of {self.count} points, d = {d}",)
        length, whitened = (f"{ratio:.3g}" for ratio in length_ratios(self.prepared))
        repeated = self.prepared.repeated
        again = f"{kind}: {repeated} of the {self.count} points repeat an earlier one; each counts as a point"
        return (
            f"{kind}: {self.count} points, d = {d}, rank {self.prepared.rank}, centred by their mean, scaled "
            f"to <s> = 1, drawn with replacement; the variance of |x|^2 is {length} times that of Gaussian "
            f"data of the same covariance, that of x^T Sigma^-1 x {whitened} times: Gaussian theory takes "
            f"both for 1",
            *([again] if repeated else []),
        )

    def description(self) -> dict[str, object]:
        """The constructor's arguments."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {"type": type(self).__name__, **fields}


def length_ratios(prepared: Prepared) -> tuple[float, float]:
    """Variances of |x|^2 and of x^T Sigma^-1 x (in the directions that vary) over Gaussian data's.

    Gaussian x have 2 tr Sigma^2 and 2 rank. Theory needs forms x^T A x to fluctuate as little as these; the
    first matters most under strong regularisation, the second without any.
    """
    values = prepared.eigenvalues[: prepared.rank]
    squares = prepared.points[:, : prepared.rank].astype(np.float64) ** 2
    length = float(np.var(squares.sum(axis=1)) / (2.0 * np.sum(values**2)))
    whitened = float(np.var((squares / values).sum(axis=1)) / (2.0 * prepared.rank))
    return length, whitened


@functools.lru_cache(maxsize=16)
def _prepared(law: PointSet, stamp: tuple[int, ...]) -> Prepared:
    return prepare(law.load(), law.components)


def squared_radii(prepared: Prepared) -> Float[np.ndarray, " m"]:
    """x^T Sigma^-1 x over the number of directions that vary, of every point; their mean is 1."""
    rank = prepared.rank
    whitened = prepared.points[:, :rank].astype(np.float64) ** 2 / prepared.eigenvalues[:rank]
    squares = whitened.mean(axis=1)
    return squares / squares.mean()


def prepare(x: Float[np.ndarray, "m d"], components: int | None) -> Prepared:
    """Centre, rotate and scale points, keeping all or only the leading principal components.

    Raises:
        InputError: points without variance, or fewer varying directions than `components`.
    """
    content = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()[:16]
    x = x - x.mean(axis=0)
    values, rotated = _principal(x / max(float(np.abs(x).max()), np.finfo(np.float64).tiny))
    rank = int(np.sum(values > max(x.shape) * _ROUNDING * max(values[0], 0.0)))
    if rank == 0:
        raise InputError("data", f"{len(x)} points", "points that differ", "they are all the same")
    if components is not None and components > rank:
        hint = f"the points vary in {rank} directions only"
        raise InputError("data.components", components, f"at most {rank}", hint)
    kept = x.shape[1] if components is None else components
    eigenvalues, points = np.zeros(kept), np.zeros((len(x), kept))
    rank = min(rank, kept)
    eigenvalues[:rank], points[:, :rank] = values[:rank], rotated[:, :rank]
    scale = eigenvalues.mean()
    repeated = len(x) - len({row.tobytes() for row in x})
    return Prepared(
        (points / np.sqrt(scale)).astype(np.float32), eigenvalues / scale, rank, content, repeated
    )


def _rows_of(points: Float[np.ndarray, "m d"], pixels: Float[np.ndarray, "m D"]) -> Float[np.ndarray, "d D"]:
    """The eigenvectors v_k of the pixels' covariance: sum_i (x_i . v_k) x_i is along v_k.

    Those without variance, of which points have only zeros, are any that make the rows orthonormal.
    """
    rows = points.T.astype(np.float64) @ pixels
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    left, _, right = np.linalg.svd(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))
    return left @ right[: len(left)]


def _principal(x: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "m k"]]:
    """Eigenvalues of x^T x / m, largest first, and coordinates; from the smaller Gram matrix, k its side."""
    import scipy.linalg

    m, d = x.shape
    values, vectors = scipy.linalg.eigh((x.T @ x if d <= m else x @ x.T) / m)
    values, vectors = values[::-1], vectors[:, ::-1]
    return values, x @ vectors if d <= m else vectors * np.sqrt(m * np.maximum(values, 0.0))
